/* release.h - which lines are left to somebody else for a while, by name.
 *
 * Not part of a line: on a reload a line may go and come again, and stays released. Times are
 * mono. Pure: who keeps to it is line.c. */
#ifndef PW_RELEASE_H
#define PW_RELEASE_H

#include <stdint.h>
struct release;

/* until 0: not any more. The owner has one pointer, NULL at first. */
void release_set(struct release **all, const char *line, int64_t until);
/* 0: it is not. */
int64_t release_until(const struct release *all, const char *line, int64_t now);
void release_free(struct release *all);
#endif

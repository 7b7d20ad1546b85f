/* place.h - what a running or stopped daemon has left to read: catalogue and newest values,
 * found through the configuration. Asks nobody. */
#ifndef PW_PLACE_H
#define PW_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct cmd_context;
struct inventory;
struct latest;
struct series;
struct series_catalogue;

struct place {
	struct inventory *inventory;
	struct series_catalogue *catalogue;
	struct latest *latest; /* NULL when there is none yet, or it was not asked for */
};

/* -1 after a message. */
int place_open(struct place *place, const struct cmd_context *context, bool with_latest);
void place_close(struct place *place);
/* Series whose path matches (NULL: all), by path; free() the list. */
const struct series **place_find(const struct place *place, const char *glob, size_t *count);
int64_t place_now(void); /* wall ns */
#endif

/* place.h - what a running or stopped daemon has left to read: catalogue and newest values,
 * found through the configuration. Asks nobody. */
#ifndef PW_PLACE_H
#define PW_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/conf.h"
struct cmd_context;
struct inventory;
struct latest;
struct series;
struct series_catalogue;

struct place {
	struct conf_places dirs;
	struct inventory *inventory; /* NULL when the configuration has mistakes */
	struct series_catalogue *catalogue;
	struct latest *latest; /* NULL when there is none yet, or it was not asked for */
};

/* -1 after a message. */
int place_open(struct place *place, const struct cmd_context *context, bool with_latest);
void place_close(struct place *place);
/* Series whose path matches (NULL: all), by path; free() the list. */
const struct series **place_find(const struct place *place, const char *glob, size_t *count);
int64_t place_now(void); /* wall ns */
/* Unix seconds, "2026-11-22T01:02:03Z", "now", or a duration back from now: "-2h". -1 when it
 * is none of them. */
int place_time(const char *text, int64_t *wall);
/* Has the store write the pending rows of these series' files, once a file (points of one
 * file stand together); a store that does not answer is a message, no failure. */
void place_flush(const struct place *place, const struct series *const *list, size_t count);
#endif

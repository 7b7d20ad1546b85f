/* place.h - what a running or stopped daemon has left to read: catalogue and newest values,
 * found through the configuration. Asks nobody. */
#ifndef PW_PLACE_H
#define PW_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/conf.h"
struct cmd;
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
/* Unix seconds, "now", a duration back from now ("-2h"), or RFC 3339: "2026-11-22T01:02:03Z",
 * with a fraction if there is one, and with "+01:00" for Z where it is local time. -1 when it
 * is none of them, or no time at all as "2026-02-30" or one that 64 bits of ns do not hold. */
int place_time(const char *text, int64_t *wall);
#define PLACE_TIMES "\"-2h\", \"2026-11-22T06:00:00Z\", \"2026-11-22T07:00:00+01:00\" or Unix seconds"
/* place_time for an option; CMD_USAGE after a message. */
int place_take_time(const struct cmd *cmd, const char *option, const char *text, int64_t *wall);
/* Has the store write the pending rows of these series' files, once a file (points of one
 * file stand together); those that it cannot write are told. -1 after a message when it does not
 * answer, which is no failure. */
int place_flush(const struct place *place, const struct series *const *list, size_t count);
#endif

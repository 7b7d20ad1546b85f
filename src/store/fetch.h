/* fetch.h - the rows of one RRD file over a range, read a bounded piece at a time.
 *
 * The resolution is chosen once, for the whole range, as `rrdtool fetch` does: of the archives
 * of that function the one nearest to the wanted step that reaches back to the beginning of
 * the range; if none does, the one that reaches back furthest, and rows begin there. Nothing
 * is made up behind the file's last update. Who wants what the store still holds in memory
 * flushes first. */
#ifndef PW_FETCH_H
#define PW_FETCH_H

#include <stddef.h>
#include <stdint.h>
#include "store/rrd.h"
struct fail;
struct fetch;
struct layout;

struct fetch_options {
	struct rrd_place place;
	const char *function;  /* "AVERAGE", "MIN", "MAX", "LAST" */
	int64_t from, to;      /* rows with from <= time < to, Unix seconds */
	int64_t step;          /* wanted, seconds; 0: the finest */
	int64_t reach;         /* nothing was stored before: so far back suffices; 0: `from` */
	size_t rows;           /* in a piece */
};

/* NULL and why: no file, none of ours, no archive of that function. */
struct fetch *fetch_open(const struct fetch_options *options, struct fail *why);
/* Of a file that is not made yet: unknown rows up to `last`, as the layout has them. */
struct fetch *fetch_open_absent(const struct fetch_options *options, const struct layout *layout,
	int64_t last, struct fail *why);
void fetch_close(struct fetch *fetch); /* NULL is fine */
/* A row of time t stands for (t - step, t]. */
int64_t fetch_step(const struct fetch *fetch);
size_t fetch_width(const struct fetch *fetch); /* values in a row */
/* Place of a data source in a row, -1 when the file does not have it (an absent one has none). */
int fetch_find(const struct fetch *fetch, const char *ds);
/* 1 a row, NaN unknown, valid until the next call; 0 there are no more; -1 and why. */
int fetch_next(struct fetch *fetch, int64_t *time, const double **values, struct fail *why);
#endif

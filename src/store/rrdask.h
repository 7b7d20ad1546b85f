/* rrdask.h - what a stock rrdtool asks an rrdcached about a file, answered in its words: the
 * answers of FETCH, INFO, FIRST and LAST.
 *
 * Bounded: a range that would give more than RRDASK_VALUES values is answered in the finest
 * resolution that gives fewer. The caller has flushed the file. */
#ifndef PW_RRDASK_H
#define PW_RRDASK_H

#include <stdint.h>
#include "store/rrd.h"
struct fail;

#define RRDASK_VALUES 500000

/* Text of lines, the first one with their count: free() it. NULL and why. Times in seconds. */
char *rrdask_fetch(struct rrd_place place, const char *function, int64_t from, int64_t to,
	struct fail *why);
char *rrdask_info(struct rrd_place place, struct fail *why);
/* The time itself; -1 and why. archive: its number in the file. */
int64_t rrdask_first(struct rrd_place place, int archive, struct fail *why);
int64_t rrdask_last(struct rrd_place place, struct fail *why);
#endif

/* append.h - rows of consecutive slots for an RRD file, worked out as librrd does it, bit by bit.
 *
 * rrd_update_r opens and maps the file, reads each number from text and goes through all of a
 * file's archives for each row, several times; that was three quarters of what storing a value
 * took. Here the numbers of some rows go into the head in memory, and what comes out is
 * written by a few calls.
 *
 * Pure: rrd.c reads and writes the file. Only for files as we make them (GAUGE, heartbeat of
 * one step, no bounds; AVERAGE, MIN, MAX, LAST) whose last update was at the end of a slot, and
 * for rows without a slot between them: everything else is librrd's, which is the
 * reference. A test compares files octet by octet. Source: RRDtool 1.7, rrd_format.h and
 * the order of operations in rrd_update.c, on which the last bit of a mean depends. */
#ifndef PW_APPEND_H
#define PW_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct append;
struct rrd_head;

struct append_rows {
	const double *values; /* row x ds_count + data source, the oldest first; NaN unknown */
	size_t count, ds_count;
	int64_t slot; /* of the first one */
};

/* What to write, and where. */
struct append_piece {
	const void *octets;
	size_t size;
	uint64_t at;
};

struct append *append_new(void);
void append_free(struct append *append);
/* How many pieces, in the order in which they are to be written, *pieces; valid until the next
 * call, as long as the head is: its octets are changed. 0: these rows are librrd's, or that
 * file is, and the head is as it was. */
size_t append_work(struct append *append, struct rrd_head *head, const struct append_rows *rows,
	const struct append_piece **pieces);
/* The head is as it was before. */
void append_take_back(const struct append *append, struct rrd_head *head);
#endif

/* ring.h - the rows of an RRD file as they lie in it, for a file that is made with a history.
 *
 * librrd adds rows at the end of time only. Offsets are those of librrd 1.7's rrd_format.h on
 * a 64-bit system; the numbers are in the byte order of the machine, as in every RRD file.
 * Nothing else may have the file open. */
#ifndef PW_RING_H
#define PW_RING_H

#include <stddef.h>
#include <stdint.h>
#include "store/offsets.h"
#include "store/rrd.h"
struct fail;

/* What is under way in one data source of one RRA: ten numbers of eight bytes, of which
 * AVERAGE, MIN and MAX use the value so far (a sum for AVERAGE, NaN when none) and the slots
 * that were unknown so far. */
#define RING_CARRY OFFSETS_CARRY
#define RING_CARRY_VALUE 0
#define RING_CARRY_UNKNOWN 8
const uint8_t *ring_carry(const struct rrd_head *head, size_t rra, size_t ds);

/* Fills an RRA: values[row x ds_count + ds], the oldest row first, the last one the newest
 * before the time of the last update; carry: ds_count times RING_CARRY. -1 and why, also when
 * the file has other rows or data sources than these. */
int ring_fill(struct rrd_place place, size_t rra, const double *values, size_t rows,
	size_t ds_count, const uint8_t *carry, struct fail *why);
#endif

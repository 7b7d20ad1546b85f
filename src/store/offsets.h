/* offsets.h - where things stand in the head of an RRD file: librrd 1.7's rrd_format.h on a
 * 64-bit system, which no installed header tells.
 *
 * In this order: a head of 128 bytes, a definition of each data source and of each archive, the
 * time of the last update, what is gathered for each data source, then (carry) for each archive
 * and data source, and for each archive the place of its newest row. Rows follow. */
#ifndef PW_OFFSETS_H
#define PW_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OFFSETS_STATIC 128
#define OFFSETS_VERSION 4
#define OFFSETS_COOKIE 16
#define OFFSETS_DS_COUNT 24
#define OFFSETS_RRA_COUNT 32
#define OFFSETS_STEP 40

#define OFFSETS_DEFINITION 120 /* octets of one; its name comes first */
#define OFFSETS_TYPE 20        /* in that of a data source, as text */
#define OFFSETS_HEARTBEAT 40   /* in that of a data source, seconds */
#define OFFSETS_ROWS 24        /* in that of an archive */
#define OFFSETS_SLOTS 32       /* in that of an archive: slots a row */

#define OFFSETS_LIVE 16     /* octets of the time */
#define OFFSETS_GATHERED 112 /* of a data source */
#define OFFSETS_CARRY 80    /* of an archive and data source */
#define OFFSETS_FIRST 64    /* in that: what the newest row got, */
#define OFFSETS_FILL 72     /* and those before it would get over a gap */
#define OFFSETS_POINTER 8   /* of an archive */

/* RRD files are in the byte order of the machine. */
static inline uint64_t
offsets_number(const uint8_t *bytes, size_t at)
{
	uint64_t value;

	memcpy(&value, bytes + at, sizeof value);
	return value;
}

/* Is it a file of a version, and of a machine, for which all this holds? */
static inline bool
offsets_known(const uint8_t *bytes)
{
	double cookie;

	memcpy(&cookie, bytes + OFFSETS_COOKIE, sizeof cookie);
	return (memcmp(bytes + OFFSETS_VERSION, "0003", 5) == 0 ||
		memcmp(bytes + OFFSETS_VERSION, "0004", 5) == 0) && cookie == 8.642135E130;
}

static inline size_t
offsets_live(size_t ds_count, size_t rra_count)
{
	return OFFSETS_STATIC + OFFSETS_DEFINITION * (ds_count + rra_count);
}

static inline size_t
offsets_carry(size_t ds_count, size_t rra_count)
{
	return offsets_live(ds_count, rra_count) + OFFSETS_LIVE + OFFSETS_GATHERED * ds_count;
}

/* Where the rows begin. */
static inline size_t
offsets_head(size_t ds_count, size_t rra_count)
{
	return offsets_carry(ds_count, rra_count) + OFFSETS_CARRY * ds_count * rra_count +
		OFFSETS_POINTER * rra_count;
}
#endif

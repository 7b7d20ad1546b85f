/* block.h - plans which registers are asked together.
 *
 * Points of one unit that lie side by side share a request; a value is never split, nor is an
 * atomic group, and a register nobody asked for is read only across gaps that max_gap allows.
 * Pure. */
#ifndef PW_BLOCK_H
#define PW_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"
struct fail;

struct block_point {
	enum adu_function function;
	uint16_t address;
	uint16_t width;  /* registers, or bits for functions 1 and 2 */
	bool separate;   /* never in one request with others, and no gap is read across it */
	bool last;       /* asked behind all others, by address: reading it changes the device */
	uint32_t atomic; /* points of one number here are read by one request; 0: of none */
	uint32_t tag;    /* the caller's; points are sorted, this stays with its point */
	uint32_t lead, tail; /* block_plan's: the span of its atomic group, or its own */
};

/* No request has registers on both sides: address - 1 and address. */
struct block_barrier {
	uint8_t function; /* 0: of any */
	uint32_t address;
};

struct block_limits {
	uint16_t max_regs; /* 0: 125 */
	uint16_t max_bits; /* 0: 2000 */
	uint16_t max_gap;  /* registers or bits that may be read unasked between two points */
	const struct block_barrier *barriers;
	size_t barrier_count;
};

struct block {
	enum adu_function function;
	uint16_t address;
	uint16_t count;
	size_t first;  /* its points: points[first] .. points[first + points - 1] */
	size_t points;
};

/* Sorts points by function and address and fills blocks, which has room for count of them.
 * Returns the number of blocks. Points that read the very same registers share a request
 * even when separate, and so do those of an atomic group if all of them are. An atomic group
 * that is longer than the limits is one block all the same; where a barrier, another function
 * or a separate point is in its way it is torn, so that has to be refused before. A point that
 * block_point_check refuses must not be passed. */
size_t block_plan(struct block_point *points, size_t count, const struct block_limits *limits,
	struct block *blocks);

/* Registers, or bits, that a request takes at most. */
uint16_t block_limit(enum adu_function function, const struct block_limits *limits);
/* Is there a barrier right before one of these addresses, last included? */
bool block_barred(const struct block_limits *limits, enum adu_function function,
	uint32_t first, uint32_t last);

/* Can that be asked at all? Returns -1 and fills why: width 0 or above the limit, end
 * beyond 65535, no such function. */
int block_point_check(const struct block_point *point, const struct block_limits *limits,
	struct fail *why);
#endif

#include "modbus/block.h"

#include <stdlib.h>

#include "base/fail.h"

static bool
is_bits(enum adu_function function)
{
	return function == ADU_COILS || function == ADU_DISCRETE_INPUTS;
}

static uint32_t
limit_of(enum adu_function function, const struct block_limits *limits)
{
	uint32_t most = is_bits(function) ? ADU_MAX_BITS : ADU_MAX_REGS;
	uint32_t wanted = is_bits(function) ? limits->max_bits : limits->max_regs;

	return wanted == 0 || wanted > most ? most : wanted;
}

int
block_point_check(const struct block_point *point, const struct block_limits *limits,
	struct fail *why)
{
	uint32_t most;

	if (point->function < ADU_COILS || point->function > ADU_INPUT_REGISTERS) {
		fail_set(why, "function %d: only 1, 2, 3 and 4 read", (int)point->function);
		return -1;
	}
	most = limit_of(point->function, limits);
	if (point->width < 1 || point->width > most) {
		fail_set(why, "%d %s at %d: one request takes 1 to %d", point->width,
			is_bits(point->function) ? "bits" : "registers", point->address,
			(int)most);
		return -1;
	}
	if (point->address + (uint32_t)point->width > 65536) {
		fail_set(why, "address %d: %d registers end beyond 65535", point->address,
			point->width);
		return -1;
	}
	return 0;
}

static int
by_place(const void *left, const void *right)
{
	const struct block_point *a = left, *b = right;

	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->width != b->width)
		return a->width < b->width ? -1 : 1;
	if (a->separate != b->separate)
		return a->separate ? 1 : -1;
	return a->tag < b->tag ? -1 : a->tag > b->tag;
}

static bool
fits(const struct block *block, bool separate, const struct block_point *point,
	const struct block_limits *limits)
{
	uint32_t end = block->address + (uint32_t)block->count;
	uint32_t point_end = point->address + (uint32_t)point->width;

	if (block->function != point->function)
		return false;
	if (separate || point->separate)
		return separate && point->separate && block->address == point->address &&
		       block->count == point->width;
	return point->address <= end + limits->max_gap &&
	       (point_end > end ? point_end : end) - block->address <=
		       limit_of(block->function, limits);
}

size_t
block_plan(struct block_point *points, size_t count, const struct block_limits *limits,
	struct block *blocks)
{
	bool separate = false;
	size_t used = 0;

	if (count > 0)
		qsort(points, count, sizeof(*points), by_place);
	for (size_t i = 0; i < count; i++) {
		const struct block_point *point = &points[i];
		struct block *block = used == 0 ? NULL : &blocks[used - 1];

		if (block == NULL || !fits(block, separate, point, limits)) {
			block = &blocks[used++];
			*block = (struct block){ .function = point->function,
				.address = point->address, .count = point->width, .first = i };
			separate = point->separate;
		} else if (point->address + point->width > block->address + block->count) {
			block->count = (uint16_t)(point->address + point->width -
						  block->address);
		}
		block->points++;
	}
	return used;
}

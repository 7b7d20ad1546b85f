#include "modbus/block.h"

#include <stdlib.h>

#include "base/fail.h"

static bool
is_bits(enum adu_function function)
{
	return function == ADU_COILS || function == ADU_DISCRETE_INPUTS;
}

uint16_t
block_limit(enum adu_function function, const struct block_limits *limits)
{
	uint16_t most = is_bits(function) ? ADU_MAX_BITS : ADU_MAX_REGS;
	uint16_t wanted = is_bits(function) ? limits->max_bits : limits->max_regs;

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
	most = block_limit(point->function, limits);
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

	if (a->last != b->last)
		return a->last ? 1 : -1;
	if (a->function != b->function)
		return a->function < b->function ? -1 : 1;
	if (a->lead != b->lead)
		return a->lead < b->lead ? -1 : 1;
	if (a->atomic != b->atomic)
		return a->atomic < b->atomic ? -1 : 1;
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->width != b->width)
		return a->width < b->width ? -1 : 1;
	if (a->separate != b->separate)
		return a->separate ? 1 : -1;
	return a->tag < b->tag ? -1 : a->tag > b->tag;
}

static bool
are_atomic(const struct block_point *one, const struct block_point *other)
{
	return one->atomic == other->atomic && one->function == other->function &&
		one->separate == other->separate && one->last == other->last;
}

/* An atomic group stands together in the plan, where its first point does. */
static void
find_spans(struct block_point *points, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct block_point *point = &points[i];

		point->lead = point->address;
		point->tail = point->address + (uint32_t)point->width;
		for (size_t k = 0; k < count && point->atomic != 0; k++) {
			const struct block_point *other = &points[k];
			uint32_t end = other->address + (uint32_t)other->width;

			if (!are_atomic(other, point))
				continue;
			if (other->address < point->lead)
				point->lead = other->address;
			if (end > point->tail)
				point->tail = end;
		}
	}
}

bool
block_barred(const struct block_limits *limits, enum adu_function function, uint32_t first,
	uint32_t last)
{
	for (size_t i = 0; i < limits->barrier_count; i++) {
		const struct block_barrier *barrier = &limits->barriers[i];

		if ((barrier->function == 0 || barrier->function == (uint8_t)function) &&
			barrier->address >= first && barrier->address <= last)
			return true;
	}
	return false;
}

static bool
fits(const struct block *block, const struct block_point *first, const struct block_point *point,
	const struct block_limits *limits)
{
	uint32_t end = block->address + (uint32_t)block->count;
	uint32_t new_end = point->tail > end ? point->tail : end;

	if (block->function != point->function || first->last != point->last ||
		point->address < block->address ||
		(new_end > end && block_barred(limits, block->function, block->address + 1u,
			new_end - 1)))
		return false;
	if (first->separate || point->separate)
		return first->separate && point->separate && (point->atomic != 0 ?
			point->atomic == first->atomic : block->address == point->address &&
			block->count == point->width);
	return point->lead <= end + limits->max_gap &&
	       (new_end <= end || new_end - block->address <=
		       block_limit(block->function, limits));
}

size_t
block_plan(struct block_point *points, size_t count, const struct block_limits *limits,
	struct block *blocks)
{
	size_t used = 0;

	find_spans(points, count);
	if (count > 0)
		qsort(points, count, sizeof(*points), by_place);
	for (size_t i = 0; i < count; i++) {
		const struct block_point *point = &points[i];
		struct block *block = used == 0 ? NULL : &blocks[used - 1];

		if (block == NULL || !fits(block, &points[block->first], point, limits)) {
			block = &blocks[used++];
			*block = (struct block){ .function = point->function,
				.address = point->address, .first = i };
		}
		if (point->tail > block->address + (uint32_t)block->count)
			block->count = (uint16_t)(point->tail - block->address);
		block->points++;
	}
	return used;
}

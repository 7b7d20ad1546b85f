#include "modbus/wanted.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/device.h"
#include "core/point.h"
#include "modbus/modbus.h"

struct block_limits
wanted_limits(const struct modbus_options *options)
{
	return (struct block_limits){ .max_regs = options->max_regs,
		.max_bits = options->max_bits, .max_gap = options->max_gap,
		.barriers = options->barriers, .barrier_count = options->barrier_count };
}

bool
wanted_alone(const struct modbus_options *options, const struct modbus_point *wire)
{
	return wire->separate || wire->side_effect || options->no_merge;
}

/* The number of an atomic group is that of its first point, from 1. */
static uint32_t
atomic_number(const struct group *group, const char *name)
{
	for (size_t i = 0; name != NULL && i < group->point_count; i++) {
		const struct modbus_point *wire = group->points[i].wire;

		if (wire->atomic != NULL && strcmp(wire->atomic, name) == 0)
			return (uint32_t)i + 1;
	}
	return 0;
}

int
wanted_point(const struct modbus_options *options, const struct group *group, size_t index,
	struct block_point *point, struct fail *why)
{
	const struct modbus_point *wire = group->points[index].wire;
	struct block_limits limits = wanted_limits(options);

	*point = (struct block_point){ .function = (enum adu_function)wire->function,
		.address = wire->pdu, .separate = wanted_alone(options, wire),
		.last = wire->side_effect, .atomic = atomic_number(group, wire->atomic),
		.tag = (uint32_t)index };
	point->width = wire->function <= ADU_DISCRETE_INPUTS ? 1 :
		(uint16_t)regs_count(&wire->spec);
	return block_point_check(point, &limits, why);
}

/* Is something in the way of the atomic group that this point is of? */
static bool
is_parted(const struct block_point *point, const struct block_point *points, size_t count,
	const struct block_limits *limits)
{
	if (point->tail - point->lead > block_limit(point->function, limits) ||
		block_barred(limits, point->function, point->lead + 1, point->tail - 1))
		return true;
	for (size_t i = 0; i < count; i++)
		if (points[i].separate && points[i].atomic != point->atomic &&
			points[i].function == point->function && points[i].lead < point->tail &&
			points[i].tail > point->lead)
			return true;
	return false;
}

bool
wanted_torn(const struct modbus_options *options, const struct group *group, size_t *one,
	size_t *other)
{
	struct block_point *points = mem_array(group->point_count + 1, sizeof *points);
	struct block *blocks = mem_array(group->point_count + 1, sizeof *blocks);
	size_t *homes = mem_array(group->point_count + 1, sizeof *homes);
	struct block_limits limits = wanted_limits(options);
	size_t count = 0, used;
	bool torn = false;

	for (size_t i = 0; i < group->point_count; i++)
		count += wanted_point(options, group, i, &points[count], NULL) == 0;
	used = block_plan(points, count, &limits, blocks);
	for (size_t b = 0; b < used; b++)
		for (size_t i = blocks[b].first; i < blocks[b].first + blocks[b].points; i++)
			homes[points[i].tag] = b;
	for (size_t i = 0; i < count && !torn; i++) {
		*one = points[i].atomic - 1;
		*other = points[i].tag;
		torn = points[i].atomic != 0 && *one != *other && (homes[*one] != homes[*other] ||
			is_parted(&points[i], points, count, &limits));
	}
	free(homes);
	free(blocks);
	free(points);
	return torn;
}

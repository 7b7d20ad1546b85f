#include "core/kin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"

struct edge {
	uint32_t child, parent;
};

struct edges {
	struct edge *list;
	size_t count;
};

static size_t
count_parents(const struct inventory *inventory)
{
	size_t count = 0;

	for (size_t i = 0; i < inventory->device_count; i++) {
		for (const char *const *name = device_parents(&inventory->devices[i]); *name != NULL; name++)
			count++;
	}
	return count;
}

/* Such a one asks nobody, so nothing is known earlier by its being asked first. */
static bool
only_gathers(const struct device *device)
{
	for (size_t i = 0; i < device->group_count; i++)
		if (!device->groups[i].driver->gathers)
			return false;
	return device->group_count > 0;
}

static void
find_edges(const struct inventory *inventory, struct edges *edges)
{
	for (uint32_t i = 0; i < inventory->device_count; i++) {
		const char *const *name = device_parents(&inventory->devices[i]);

		for (; *name != NULL; name++) {
			const struct device *parent = inventory_find(inventory, *name);

			if (parent != NULL && !only_gathers(parent))
				edges->list[edges->count++] = (struct edge){ i,
					(uint32_t)(parent - inventory->devices) };
		}
	}
}

/* True when that made the way longer. */
static bool
reach(uint8_t *way, uint8_t other)
{
	if (*way > other || *way == KIN_MOST)
		return false;
	*way = (uint8_t)(other + 1);
	return true;
}

struct kin_rank *
kin_ranks(const struct inventory *inventory)
{
	size_t count = count_parents(inventory);
	struct edges edges = { .count = 0 };
	struct kin_rank *ranks;
	bool changed = true;

	if (count == 0)
		return NULL;
	ranks = mem_array(inventory->device_count, sizeof *ranks);
	edges.list = mem_array(count, sizeof *edges.list);
	find_edges(inventory, &edges);
	/* Ends also with a circle, which config refuses: no way is longer than KIN_MOST. */
	while (changed) {
		changed = false;
		for (size_t i = 0; i < edges.count; i++) {
			const struct edge *edge = &edges.list[i];

			changed |= reach(&ranks[edge->child].above, ranks[edge->parent].above);
			changed |= reach(&ranks[edge->parent].below, ranks[edge->child].below);
		}
	}
	free(edges.list);
	return ranks;
}

uint32_t
kin_phase(struct kin_rank rank, uint64_t hash, uint64_t ticks)
{
	uint64_t quarter = ticks / 4, ways = (uint64_t)rank.above + rank.below;
	uint64_t first, end;

	if (ways == 0)
		return (uint32_t)(hash % ticks);
	if (rank.below == 0) {
		first = quarter;
		end = ticks;
	} else {
		/* A child is one further, and at most as far from the end of its way: so where
		 * its part begins, that of its parent is over. */
		first = quarter * rank.above / ways;
		end = quarter * (rank.above + 1u) / ways;
	}
	return (uint32_t)(end > first ? first + hash % (end - first) : first);
}

#include "../check.h"

#include <stdlib.h>

#include "core/device.h"
#include "core/driver.h"
#include "core/kin.h"

#define BEHIND(...) { .parents = (const char *const[]){ __VA_ARGS__, NULL } }
static const struct device_about behind_cores = BEHIND("core-a", "core-b");
static const struct device_about behind_switch = BEHIND("sw-hall3");
static const struct device_about behind_nobody = BEHIND("gone");
static const struct device_about behind_itself = BEHIND("x");
static const struct device_about behind_line = BEHIND("gw-7");

static const struct device plant[] = {
	{ .name = "press-3", .about = &behind_switch },
	{ .name = "sw-hall3", .about = &behind_cores },
	{ .name = "core-a" },
	{ .name = "core-b" },
	{ .name = "mes-db" },
	{ .name = "stray", .about = &behind_nobody },
};
#define DEVICES 6

static void
rank_is(struct kin_rank rank, int above, int below)
{
	CHECK_INT(rank.above, above);
	CHECK_INT(rank.below, below);
}

static void
ranks_are_the_longest_ways_up_and_down(void)
{
	struct inventory inventory = { .devices = plant, .device_count = DEVICES };
	struct kin_rank *ranks = kin_ranks(&inventory);

	rank_is(ranks[0], 2, 0);
	rank_is(ranks[1], 1, 1);
	rank_is(ranks[2], 0, 2);
	rank_is(ranks[3], 0, 2);
	rank_is(ranks[4], 0, 0);
	rank_is(ranks[5], 0, 0);
	free(ranks);
}

static void
units_of_a_line_keep_the_whole_interval(void)
{
	static const struct driver gathers = { .name = "line", .gathers = true };
	static const struct group group = { .driver = &gathers };
	static const struct device bus[] = { { .name = "meter-31", .about = &behind_line },
		{ .name = "gw-7", .groups = &group, .group_count = 1 } };
	struct inventory inventory = { .devices = bus, .device_count = 2 };
	struct kin_rank *ranks = kin_ranks(&inventory);

	rank_is(ranks[0], 0, 0);
	rank_is(ranks[1], 0, 0);
	free(ranks);
}

static void
where_nobody_has_parents_there_are_no_ranks(void)
{
	struct inventory inventory = { .devices = plant + 2, .device_count = 3 };

	CHECK(kin_ranks(&inventory) == NULL);
}

static void
a_circle_ends_though_config_refuses_it(void)
{
	struct device loop = { .name = "x", .about = &behind_itself };
	struct inventory inventory = { .devices = &loop, .device_count = 1 };
	struct kin_rank *ranks = kin_ranks(&inventory);

	rank_is(ranks[0], KIN_MOST, KIN_MOST);
	free(ranks);
}

static void
who_is_related_to_nobody_has_the_whole_interval_by_his_hash(void)
{
	for (uint64_t hash = 0; hash < 5000; hash += 7)
		CHECK_INT(kin_phase((struct kin_rank){ 0, 0 }, hash, 1000), hash % 1000);
}

/* Whatever the names are: all ranks that a child of a device may have. */
static void
a_parent_is_polled_before_each_of_its_children(void)
{
	const uint64_t ticks = 6000;

	for (uint8_t above = 0; above < KIN_MOST; above++)
		for (uint8_t below = 1; below < KIN_MOST; below++) {
			struct kin_rank parent = { above, below };
			uint32_t latest = 0;

			for (uint64_t hash = 0; hash < ticks; hash++)
				if (kin_phase(parent, hash, ticks) > latest)
					latest = kin_phase(parent, hash, ticks);
			for (uint8_t up = (uint8_t)(above + 1); up <= KIN_MOST; up++)
				for (uint8_t down = 0; down < below; down++)
					CHECK(kin_phase((struct kin_rank){ up, down }, 0, ticks) >
						latest);
		}
}

static void
those_that_nobody_is_behind_spread_over_three_quarters(void)
{
	struct kin_rank leaf = { 3, 0 };

	CHECK_INT(kin_phase(leaf, 0, 1000), 250);
	CHECK_INT(kin_phase(leaf, 749, 1000), 999);
	CHECK_INT(kin_phase(leaf, 750, 1000), 250);
}

static void
a_short_interval_has_room_for_all_ranks(void)
{
	for (uint8_t above = 0; above <= KIN_MOST; above++)
		for (uint8_t below = 0; below <= KIN_MOST; below++)
			for (uint64_t ticks = 1; ticks < 200; ticks += 9)
				CHECK(kin_phase((struct kin_rank){ above, below }, 12345, ticks) <
					ticks);
}

RUN_TESTS(TEST(ranks_are_the_longest_ways_up_and_down),
	TEST(units_of_a_line_keep_the_whole_interval),
	TEST(where_nobody_has_parents_there_are_no_ranks),
	TEST(a_circle_ends_though_config_refuses_it),
	TEST(who_is_related_to_nobody_has_the_whole_interval_by_his_hash),
	TEST(a_parent_is_polled_before_each_of_its_children),
	TEST(those_that_nobody_is_behind_spread_over_three_quarters),
	TEST(a_short_interval_has_room_for_all_ranks))

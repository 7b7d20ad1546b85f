#include "snmp/counter.h"
#include "../check.h"

#define S INT64_C(1000000000)
#define ROUND (UINT64_C(1) << 32)

/* Two readings of sysUpTime, seconds apart; true when that is a restart. */
static bool
restart(uint32_t first, uint32_t second, int64_t seconds)
{
	struct counter_epoch epoch = { .known = false };

	CHECK(!counter_restarted(&epoch, first, 1000 * S));
	return counter_restarted(&epoch, second, (1000 + seconds) * S);
}

static void
the_first_reading_is_no_restart(void)
{
	struct counter_epoch epoch = { .known = false };

	CHECK(!counter_restarted(&epoch, 5, 1000 * S));
	CHECK(epoch.known);
	CHECK_INT(epoch.ticks, 5);
}

static void
sysuptime_going_on_is_no_restart(void)
{
	CHECK(!restart(100000, 106000, 60));
	CHECK(!restart(100000, 105500, 60)); /* a late first answer */
	CHECK(!restart(0, 6000, 60));
	CHECK(!restart(100, 6090, 60));
}

static void
sysuptime_going_back_is_a_restart(void)
{
	CHECK(restart(100000, 3000, 60));
	CHECK(restart(100000, 99999, 60));
	CHECK(restart(4000000000u, 3999999999u, 60));
}

static void
sysuptime_going_round_after_497_days_is_no_restart(void)
{
	CHECK(!restart((uint32_t)(ROUND - 3000), 3000, 60));
	CHECK(!restart((uint32_t)(ROUND - 1), 0, 0));
	/* Two days of silence around the end of the range. */
	CHECK(!restart((uint32_t)(ROUND - 8640000), 8640000, 2 * 86400));
}

static void
a_restart_just_before_the_range_ends_is_seen(void)
{
	/* Would have gone round to 3000, is at 500: 25 s less than it should be. */
	CHECK(restart((uint32_t)(ROUND - 3000), 500, 60));
}

static void
a_restart_during_a_long_silence_is_seen_although_sysuptime_has_grown(void)
{
	/* Up for a minute, then unreachable for an hour, up for 10 minutes now. */
	CHECK(restart(6000, 60000, 3600));
	/* The same silence without a restart. */
	CHECK(!restart(6000, 366000, 3600));
}

/* As one whose supply fails again and again. */
static void
a_restart_soon_after_another_is_seen_although_sysuptime_has_grown(void)
{
	CHECK(restart(323, 367, 5));
	CHECK(restart(68, 383, 5));
	CHECK(!restart(68, 568, 5));
	CHECK(!restart(68, 488, 5)); /* a late first answer */
	CHECK(!restart(6800, 6983, 5)); /* up for longer than that: so its clock is slow */
}

static void
a_sysuptime_that_stands_still_says_nothing(void)
{
	struct counter_epoch epoch = { .known = false };

	CHECK(!counter_restarted(&epoch, 700, 0));
	for (int i = 1; i < 100; i++)
		CHECK(!counter_restarted(&epoch, 700, i * 60 * S));
	CHECK(!counter_restarted(&epoch, 700 + 100 * 6000, 100 * 60 * S));
}

static void
an_agent_that_caches_sysuptime_for_a_minute_does_not_restart(void)
{
	struct counter_epoch epoch = { .known = false };

	for (int i = 0; i < 200; i++) {
		int64_t at = i * 15;

		CHECK(!counter_restarted(&epoch, (uint32_t)(at / 60 * 6000), at * S));
	}
}

static void
another_discontinuity_time_is_a_reset(void)
{
	struct counter_mark mark = { .known = false };

	CHECK(!counter_reset(&mark, 0));
	CHECK(!counter_reset(&mark, 0));
	CHECK(counter_reset(&mark, 123));
	CHECK(!counter_reset(&mark, 123));
	CHECK(counter_reset(&mark, 0));
}

static void
counters_that_began_lately_are_known_by_their_age(void)
{
	struct counter_epoch epoch = { .known = true, .ticks = 100000 };

	CHECK(counter_is_young(&epoch, 99000, 60 * S));
	CHECK(!counter_is_young(&epoch, 90000, 60 * S));
	CHECK(!counter_is_young(&epoch, 0, 6000 * S));
	CHECK(!counter_is_young(&epoch, 100500, 60 * S)); /* nonsense */
	epoch.known = false;
	CHECK(!counter_is_young(&epoch, 99000, 60 * S));
}

RUN_TESTS(TEST(the_first_reading_is_no_restart), TEST(sysuptime_going_on_is_no_restart),
	TEST(sysuptime_going_back_is_a_restart),
	TEST(sysuptime_going_round_after_497_days_is_no_restart),
	TEST(a_restart_just_before_the_range_ends_is_seen),
	TEST(a_restart_during_a_long_silence_is_seen_although_sysuptime_has_grown),
	TEST(a_restart_soon_after_another_is_seen_although_sysuptime_has_grown),
	TEST(a_sysuptime_that_stands_still_says_nothing),
	TEST(an_agent_that_caches_sysuptime_for_a_minute_does_not_restart),
	TEST(another_discontinuity_time_is_a_reset),
	TEST(counters_that_began_lately_are_known_by_their_age))

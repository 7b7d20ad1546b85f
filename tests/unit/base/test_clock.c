#include "../check.h"

#include "base/clock.h"

#define S INT64_C(1000000000)
#define START (1767225600 * S)

static void
small_differences_are_made_good_five_milliseconds_a_second(void)
{
	struct clock clock = { 0 };

	clock_start(&clock, 0, START);
	CHECK(clock_follow(&clock, S, START + S + S / 2).delta == 0);
	CHECK(clock_wall(&clock, S) == START + S + 5000000);
}

static void
a_step_forward_is_followed_at_once_and_told_once(void)
{
	struct clock clock = { 0 };
	struct clock_step step;

	clock_start(&clock, 0, START);
	step = clock_follow(&clock, S, START + 3601 * S);
	CHECK(step.delta == 3600 * S && !step.held);
	CHECK(clock_wall(&clock, S) == START + 3601 * S);
	CHECK(clock_follow(&clock, 2 * S, START + 3602 * S).delta == 0);
}

static void
a_step_back_never_turns_wall_time_back(void)
{
	struct clock clock = { 0 };
	int64_t before, mono = 10 * S;
	int told = 0;

	clock_start(&clock, 0, START);
	before = clock_wall(&clock, mono);
	/* The system's clock is 10 s behind from now on: 200 s at 5 % make it good. */
	for (int i = 0; i < 260; i++, mono += S) {
		int64_t wall;

		told += clock_follow(&clock, mono, START + mono - 10 * S).delta != 0;
		wall = clock_wall(&clock, mono);
		CHECK(wall >= before);
		before = wall;
	}
	CHECK_INT(told, 1);
	CHECK(before == START + mono - S - 10 * S);
}

static void
ten_years_are_not_believed(void)
{
	struct clock clock = { 0 };
	struct clock_step step;

	clock_start(&clock, 0, START);
	step = clock_follow(&clock, S, START + 86400 * 3650 * S);
	CHECK(step.held);
	CHECK(clock_wall(&clock, S) == START + S);
	CHECK(clock_follow(&clock, 2 * S, START + 86400 * 3650 * S).delta == 0);
	/* and back: nothing has happened */
	CHECK(clock_follow(&clock, 3 * S, START + 3 * S).delta == 0);
	CHECK(clock_wall(&clock, 3 * S) == START + 3 * S);
}

RUN_TESTS(TEST(small_differences_are_made_good_five_milliseconds_a_second),
	TEST(a_step_forward_is_followed_at_once_and_told_once),
	TEST(a_step_back_never_turns_wall_time_back), TEST(ten_years_are_not_believed))

/* The clock guard on virtual time: steps, starts, confirmations. */
#include "../check.h"

#include <stdio.h>

#include "base/fail.h"
#include "base/loop.h"
#include "core/guard.h"
#include "fake/loop_sim.h"

#define DAY (86400 * LOOP_S)
#define TEN_YEARS (3652 * DAY)
#define NOW (INT64_C(1767225600) * LOOP_S) /* 2026-01-01 */

static struct loop *loop;
static struct guard *guard;
static unsigned begun, waited, troubles, steps;
static int64_t stepped_by;
static char trouble[300];

static void
on_begin(bool has_waited, void *arg)
{
	(void)arg;
	begun++;
	waited += has_waited;
}

static void
on_stepped(int64_t delta, void *arg)
{
	(void)arg;
	steps++;
	stepped_by = delta;
}

static void
on_trouble(const char *text, void *arg)
{
	(void)arg;
	troubles += text != NULL;
	snprintf(trouble, sizeof trouble, "%s", text != NULL ? text : "");
}

/* real: what the system's clock says at the start. */
static void
start(int64_t real, int64_t former, int64_t newest)
{
	struct guard_options options = { .former = former, .newest = newest, .begin = on_begin,
		.stepped = on_stepped, .trouble = on_trouble };

	begun = waited = troubles = steps = 0;
	stepped_by = 0;
	loop_sim_begin(1000 * LOOP_S, real);
	options.loop = loop = loop_new(NULL);
	guard = guard_new(&options);
	guard_begin(guard);
}

static void
end(void)
{
	guard_free(guard);
	loop_free(loop);
	loop_sim_begin(1000 * LOOP_S, NOW);
}

static void
a_step_of_ten_years_changes_nothing_and_ends_by_itself(void)
{
	for (int direction = -1; direction <= 1; direction += 2) {
		start(NOW, 0, NOW - 60 * LOOP_S);
		CHECK(begun == 1 && waited == 0 && trouble[0] == '\0');
		loop_sim_step_clock(loop, direction * TEN_YEARS);
		loop_sim_for(loop, 3600 * LOOP_S);
		CHECK(troubles == 1 && steps == 0);
		CHECK(strstr(trouble, direction < 0 ? "it was set back by " :
			"it was set forward by ") != NULL);
		CHECK(loop_wall(loop) == NOW + 3600 * LOOP_S);
		CHECK(guard_look(guard).held && !guard_look(guard).waiting);
		loop_sim_step_clock(loop, -direction * TEN_YEARS);
		loop_sim_for(loop, 2 * LOOP_S);
		CHECK(trouble[0] == '\0' && steps == 0 && !guard_look(guard).held);
		CHECK(loop_wall(loop) == NOW + 3602 * LOOP_S);
		end();
	}
}

static void
a_forward_step_that_is_confirmed_is_taken_up_once(void)
{
	start(NOW, 0, NOW);
	loop_sim_step_clock(loop, TEN_YEARS);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK(guard_confirm(guard, NULL) == 0);
	CHECK(steps == 1 && stepped_by == TEN_YEARS && trouble[0] == '\0');
	CHECK(loop_wall(loop) == NOW + TEN_YEARS + 100 * LOOP_S);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK(guard_confirm(guard, NULL) == 0);
	CHECK(steps == 1 && !guard_look(guard).held);
	end();
}

static void
a_step_back_cannot_be_confirmed_as_its_slots_are_stored(void)
{
	struct fail why;

	start(NOW, 0, NOW);
	loop_sim_step_clock(loop, -TEN_YEARS);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK(guard_confirm(guard, &why) == -1);
	CHECK(strstr(why.text, "the system's clock says 2016-01-02T00:01:40") != NULL);
	CHECK(strstr(why.text, "slots are stored up to 2026-01-01T00:01:40") != NULL);
	CHECK(guard_look(guard).held && steps == 0);
	end();
}

static void
a_poller_that_comes_back_in_the_same_boot_goes_on_with_the_wall_of_the_former(void)
{
	for (int direction = -1; direction <= 1; direction += 2) {
		start(NOW + direction * TEN_YEARS, NOW + 5 * LOOP_S, NOW);
		CHECK(begun == 1 && loop_wall(loop) == NOW + 5 * LOOP_S);
		loop_sim_for(loop, 2 * LOOP_S);
		CHECK(guard_look(guard).held && troubles == 1);
		loop_sim_step_clock(loop, -direction * TEN_YEARS + 7 * LOOP_S);
		loop_sim_for(loop, 2 * LOOP_S);
		CHECK(trouble[0] == '\0' && stepped_by == 2 * LOOP_S);
		end();
	}
	/* within what is trusted the system's clock is right */
	start(NOW + 3600 * LOOP_S, NOW, NOW);
	CHECK(begun == 1 && loop_wall(loop) == NOW + 3600 * LOOP_S);
	end();
}

static void
a_start_with_a_dead_clock_waits_until_it_is_set(void)
{
	start(0, 0, NOW);
	CHECK(begun == 0 && strstr(trouble, "it says 1970-01-01T00:00:00") != NULL);
	CHECK(strstr(trouble, "the journal ends at 2026-01-01T00:00:00") != NULL);
	loop_sim_for(loop, 600 * LOOP_S);
	CHECK(begun == 0 && troubles == 1);
	CHECK(loop_wall(loop) == NOW + 600 * LOOP_S);
	loop_sim_step_clock(loop, NOW + 20 * DAY);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK(begun == 1 && waited == 1 && trouble[0] == '\0');
	CHECK(loop_wall(loop) == NOW + 20 * DAY + 602 * LOOP_S);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK(steps == 0 && troubles == 1);
	end();
	/* also the very first start */
	start(0, 0, 0);
	CHECK(begun == 0 && troubles == 1);
	loop_sim_step_clock(loop, NOW);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK(begun == 1);
	end();
}

static void
a_start_far_from_the_journals_end_waits_to_be_confirmed(void)
{
	struct fail why;

	start(NOW + 400 * DAY, 0, NOW);
	loop_sim_for(loop, 600 * LOOP_S);
	CHECK(begun == 0 && guard_look(guard).waiting);
	CHECK(guard_confirm(guard, NULL) == 0);
	CHECK(begun == 1 && loop_wall(loop) == NOW + 400 * DAY + 600 * LOOP_S);
	end();
	start(NOW - 10 * DAY, 0, NOW);
	CHECK(guard_confirm(guard, &why) == -1 && begun == 0);
	CHECK(strstr(why.text, "slots are stored up to 2026-01-01") != NULL);
	end();
	/* three weeks of holidays, or an hour behind, are nothing */
	start(NOW + 21 * DAY, 0, NOW);
	CHECK(begun == 1 && waited == 0);
	end();
	start(NOW - 3600 * LOOP_S, 0, NOW);
	CHECK(begun == 1 && waited == 0);
	end();
}

RUN_TESTS(TEST(a_step_of_ten_years_changes_nothing_and_ends_by_itself),
	TEST(a_forward_step_that_is_confirmed_is_taken_up_once),
	TEST(a_step_back_cannot_be_confirmed_as_its_slots_are_stored),
	TEST(a_poller_that_comes_back_in_the_same_boot_goes_on_with_the_wall_of_the_former),
	TEST(a_start_with_a_dead_clock_waits_until_it_is_set),
	TEST(a_start_far_from_the_journals_end_waits_to_be_confirmed))

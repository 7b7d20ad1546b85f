#include "../check.h"

#include "../scratch.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "store/health.h"
#include "store/watch.h"

static struct loop *loop;
static char heard[600];
static unsigned looks;

static void
told(const char *why, void *arg)
{
	(void)arg;
	looks++;
	snprintf(heard, sizeof heard, "%s", why != NULL ? why : "");
}

static void
say(int64_t time, const char *reason)
{
	struct store_health health = { .time = time, .degraded = *reason != '\0' };

	snprintf(health.reason, sizeof health.reason, "%s", reason);
	CHECK(store_health_write(scratch, &health) == 0);
}

static void
trouble_of_the_store_is_heard_within_seconds_and_so_is_its_end(void)
{
	struct watch *watch;

	scratch_make();
	loop = loop_new(NULL);
	looks = 0;
	watch = watch_new(loop, scratch, told, NULL, NULL);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(looks, 0); /* it may begin later than we do */
	say(1000, "");
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(looks > 0 && heard[0] == '\0');
	say(1001, "rrd: No space left on device");
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_STR(heard, "rrd: No space left on device");
	/* a clock that jumps is no silence */
	say(-400000000, "");
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_STR(heard, "");
	watch_free(watch);
	loop_free(loop);
	scratch_remove();
}

static void
a_store_that_says_nothing_new_is_trouble(void)
{
	struct watch *watch;

	scratch_make();
	loop = loop_new(NULL);
	watch = watch_new(loop, scratch, told, NULL, NULL);
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK(strncmp(heard, "says nothing for ", 17) == 0);
	CHECK(strstr(heard, "No such file") != NULL);
	say(1000, "");
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_STR(heard, "");
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK(strncmp(heard, "says nothing for ", 17) == 0);
	watch_free(watch);
	loop_free(loop);
	scratch_remove();
}

RUN_TESTS(TEST(trouble_of_the_store_is_heard_within_seconds_and_so_is_its_end),
	TEST(a_store_that_says_nothing_new_is_trouble))

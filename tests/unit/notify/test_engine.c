#include "notify/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "fake/loop_sim.h"

#define YEAR_2026 (INT64_C(1767225600) * LOOP_S)

static char dir[64], file[80];
static struct loop *loop;

static void
begin(int64_t wall)
{
	struct fail why;

	log_open(LOG_TARGET_NONE, "");
	snprintf(dir, sizeof dir, "/tmp/pw-engine-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(file, sizeof file, "%s/engine", dir);
	loop_sim_begin(1000 * LOOP_S, wall);
	loop = loop_new(&why);
}

static void
finish(void)
{
	loop_free(loop);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

static struct engine *
start(void)
{
	struct fail why;
	struct engine *engine = engine_open(loop, dir, &why);

	CHECK(engine != NULL);
	return engine;
}

static void
the_id_stays_and_each_start_is_one_boot_more(void)
{
	char id[80];
	struct engine *engine;
	uint32_t boots;

	begin(YEAR_2026);
	engine = start();
	boots = engine_boots(engine);
	snprintf(id, sizeof id, "%s", engine_id(engine));
	CHECK_INT(strlen(id), 26);
	CHECK(strncmp(id, "80007ed905", 10) == 0);
	engine_close(engine);
	for (uint32_t i = 1; i < 5; i++) {
		engine = start();
		CHECK_STR(engine_id(engine), id);
		CHECK_INT(engine_boots(engine), boots + i);
		engine_close(engine);
	}
	finish();
}

static void
nothing_goes_before_the_boots_are_on_disk(void)
{
	struct engine *engine;

	begin(YEAR_2026);
	engine = start();
	CHECK(!engine_ready(engine));
	CHECK(access(file, F_OK) == -1);
	loop_sim_for(loop, LOOP_S);
	CHECK(engine_ready(engine));
	CHECK(access(file, F_OK) == 0);
	engine_close(engine);
	finish();
}

static void
a_disk_that_refuses_holds_alarms_back_for_seconds_only(void)
{
	struct engine *engine;

	begin(YEAR_2026);
	engine = start();
	CHECK(rmdir(dir) == 0);
	loop_sim_for(loop, LOOP_S);
	CHECK(!engine_ready(engine));
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(engine_ready(engine));
	engine_close(engine);
	loop_free(loop);
}

/* What receivers have seen is gone from the backup, but not from their memory. */
static void
a_state_from_an_old_backup_does_not_go_back(void)
{
	FILE *to;
	struct engine *engine;
	uint32_t boots;

	begin(YEAR_2026);
	engine = start();
	boots = engine_boots(engine);
	engine_close(engine);
	to = fopen(file, "w");
	CHECK(to != NULL);
	fputs("id\t80007ed9050102030405060708\nboots\t7\n", to);
	fclose(to);
	loop_sim_for(loop, 3600 * LOOP_S);
	engine = start();
	CHECK_STR(engine_id(engine), "80007ed9050102030405060708");
	CHECK(engine_boots(engine) > boots);
	engine_close(engine);
	finish();
}

static void
a_clock_that_is_behind_counts_on(void)
{
	struct engine *engine;
	uint32_t boots;

	begin(YEAR_2026);
	engine = start();
	boots = engine_boots(engine);
	engine_close(engine);
	loop_free(loop);
	loop_sim_begin(1000 * LOOP_S, 3600 * LOOP_S); /* 1970: no battery */
	loop = loop_new(NULL);
	engine = start();
	CHECK_INT(engine_boots(engine), boots + 1);
	engine_close(engine);
	finish();
}

RUN_TESTS(TEST(the_id_stays_and_each_start_is_one_boot_more),
	TEST(nothing_goes_before_the_boots_are_on_disk),
	TEST(a_disk_that_refuses_holds_alarms_back_for_seconds_only),
	TEST(a_state_from_an_old_backup_does_not_go_back), TEST(a_clock_that_is_behind_counts_on))

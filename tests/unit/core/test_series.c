#include "../check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "core/series.h"

static char dir[64], file[128];
static struct fail why;

static void
begin(void)
{
	log_open(LOG_TARGET_NONE, "");
	strcpy(dir, "/tmp/pw-series-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(file, sizeof file, "%s/series", dir);
}

static void
finish(void)
{
	unlink(file);
	rmdir(dir);
}

static struct series
wanted(const char *path)
{
	return (struct series){ .kind = POINT_GAUGE, .step = 60000000000, .path = path, .unit = "C",
		.file = "press-3/points.rrd", .ds = "oil_temp", .profile = "standard" };
}

static void
numbers_count_from_1_and_stay_over_a_restart(void)
{
	struct series a = wanted("press-3/oil_temp"), b = wanted("sw/if[ge-1/5 \"x\"]/oper");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK_INT(series_add(catalogue, &b, &why)->id, 2);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK(series_sync(catalogue, &why) == 0);
	series_close(catalogue);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 2);
	CHECK_STR(series_get(catalogue, 2)->path, "sw/if[ge-1/5 \"x\"]/oper");
	CHECK_INT(series_find(catalogue, "press-3/oil_temp")->id, 1);
	series_close(catalogue);
	finish();
}

static void
a_torn_last_line_is_cut_and_its_number_used_again(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;
	struct stat status;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	series_add(catalogue, &b, &why);
	series_close(catalogue);
	CHECK(stat(file, &status) == 0);
	CHECK(truncate(file, status.st_size - 3) == 0);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 1);
	CHECK_INT(series_add(catalogue, &c, &why)->id, 2);
	series_close(catalogue);
	finish();
}

static void
a_reader_takes_up_what_is_written_later(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x");
	struct series_catalogue *writer, *reader;

	begin();
	writer = series_open(dir, true, &why);
	series_add(writer, &a, &why);
	reader = series_open(dir, false, &why);
	CHECK_INT(series_last_id(reader), 1);
	series_add(writer, &b, &why);
	CHECK(series_refresh(reader));
	CHECK_INT(series_find(reader, "b/x")->id, 2);
	CHECK(!series_refresh(reader));
	series_close(reader);
	series_close(writer);
	finish();
}

static void
another_step_for_a_stored_point_is_refused_and_another_unit_is_not(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	a.unit = "K";
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK_STR(series_get(catalogue, 1)->unit, "K");
	a.step = 5000000000;
	CHECK(series_add(catalogue, &a, &why) == NULL);
	CHECK(strstr(why.text, "needs a migration") != NULL);
	series_close(catalogue);
	finish();
}

static void
a_moved_point_begins_a_new_id_when_its_step_changes_and_only_then(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue, *reader;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	reader = series_open(dir, false, &why);
	a.file = "a/points@10s.rrd";
	CHECK_INT(series_move(catalogue, &a, &why)->id, 1);
	CHECK_INT(series_move(catalogue, &a, &why)->id, 1);
	a.step = 5000000000;
	CHECK_INT(series_move(catalogue, &a, &why)->id, 2);
	CHECK_INT(series_move(catalogue, &a, &why)->id, 2);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 2);
	series_refresh(reader);
	for (int i = 0; i < 2; i++) {
		const struct series_catalogue *both[] = { catalogue, reader };

		CHECK_INT(series_last_id(both[i]), 2);
		CHECK_STR(series_get(both[i], 1)->file, "");
		CHECK_STR(series_get(both[i], 1)->path, "a/x");
		CHECK(series_get(both[i], 1)->step != 5000000000);
		CHECK_STR(series_get(both[i], 2)->file, "a/points@10s.rrd");
		CHECK(series_find(both[i], "a/x") == series_get(both[i], 2));
		CHECK(series_is_current(both[i], series_get(both[i], 2)));
		CHECK(!series_is_current(both[i], series_get(both[i], 1)));
	}
	series_close(reader);
	series_close(catalogue);
	finish();
}

static void
files_and_sources_have_names_that_librrd_and_a_shell_take(void)
{
	char text[300];

	series_file(text, sizeof text, "sw", "if", "ge-1/5", "if-mib", "");
	CHECK_STR(text, "sw/if/ge-1%2F5.rrd");
	series_file(text, sizeof text, "press-3", NULL, NULL, "points", "@5s");
	CHECK_STR(text, "press-3/points@5s.rrd");
	series_ds(text, sizeof text, "oil_temp");
	CHECK_STR(text, "oil_temp");
	series_ds(text, sizeof text, "a_very_long_name_of_a_point");
	CHECK_INT(strlen(text), 19);
}

RUN_TESTS(TEST(numbers_count_from_1_and_stay_over_a_restart),
	TEST(a_torn_last_line_is_cut_and_its_number_used_again),
	TEST(a_reader_takes_up_what_is_written_later),
	TEST(another_step_for_a_stored_point_is_refused_and_another_unit_is_not),
	TEST(a_moved_point_begins_a_new_id_when_its_step_changes_and_only_then),
	TEST(files_and_sources_have_names_that_librrd_and_a_shell_take))

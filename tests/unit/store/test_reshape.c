/* Old rows in new files; librrd itself says what is in both. */
#include "../check.h"

#include <math.h>
#include <rrd.h>
#include <string.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "store/layout.h"
#include "store/reshape.h"
#include "store/rrd.h"

#define SECOND INT64_C(1000000000)
#define START INT64_C(1700006400) /* a full day */

static uint64_t seed;
static struct reshape_report report;

static double
next_random(void)
{
	return (double)(dice_next(&seed) >> 11) / (double)(UINT64_C(1) << 53);
}

/* A value of slot k, the same whenever asked; one in twenty is unknown, and now and then
 * three hours in a row. */
static double
value_of(int64_t k, int ds)
{
	seed = (uint64_t)(k * 64 + ds) * UINT64_C(0x9e3779b97f4a7c15);
	next_random();
	if (next_random() < 0.05 || k % 700 < 180 * (k % 2100 < 700))
		return (double)NAN;
	return 100 * next_random();
}

/* Rows of slots [from, to) into a file. */
static void
update(const char *file, int64_t step, int64_t from, int64_t to, int ds_count)
{
	struct rrd_place place = { scratch, file };
	char names[64] = "";

	for (int d = 0; d < ds_count; d++)
		snprintf(names + strlen(names), sizeof names - strlen(names), "%sd%d",
			d > 0 ? ":" : "", d);
	for (int64_t k = from; k < to;) {
		char text[100][200];
		const char *rows[100];
		size_t count = 0;

		for (; k < to && count < 100; k++, count++) {
			int used = snprintf(text[count], 200, "%lld", (long long)(START + k * step));

			for (int d = 0; d < ds_count; d++) {
				double value = value_of(k, d);

				used += isnan(value) ? snprintf(text[count] + used, 40, ":U") :
					snprintf(text[count] + used, 40, ":%.17g", value);
			}
			rows[count] = text[count];
		}
		CHECK(rrd_file_update(place, names, rows, count, NULL) == RRD_DONE);
	}
}

static struct layout
make(const char *file, int64_t step, const char *profile, int ds_count)
{
	static const char *const names[] = { "d0", "d1", "d2", "d3" };
	struct layout layout;

	CHECK(layout_make(&layout, step * SECOND, profile, NULL) == 0);
	CHECK(rrd_file_create((struct rrd_place){ scratch, file }, &layout, START, names,
		      (size_t)ds_count, NULL) == RRD_DONE);
	return layout;
}

/* old.rrd's d0 .. as new.rrd of that shape. */
static void
reshape(int64_t step, const char *profile, size_t ds_count)
{
	struct reshape_ds ds[4] = { 0 };
	struct reshape wanted = { .root = scratch, .ds = ds, .ds_count = ds_count };
	struct layout layout;
	struct fail why;

	CHECK(layout_make(&layout, step * SECOND, profile, NULL) == 0);
	wanted.layout = &layout;
	for (size_t d = 0; d < ds_count; d++) {
		snprintf(ds[d].name, sizeof ds[d].name, "d%zu", d);
		ds[d].from[0].file = "old.rrd";
		memcpy(ds[d].from[0].ds, ds[d].name, sizeof ds[d].name);
		ds[d].from_count = 1;
	}
	if (reshape_build(&wanted, "new.rrd", &report, &why) == -1)
		fail_msg("%s", why.text);
}

struct fetched {
	time_t from, to;
	unsigned long step, ds_count;
	rrd_value_t *values;
};

static struct fetched
fetch(const char *file, const char *function, int64_t resolution, int64_t from, int64_t to)
{
	struct fetched f = { (time_t)from, (time_t)to, (unsigned long)resolution, 0, NULL };
	char **names;

	rrd_clear_error();
	CHECK(rrd_fetch_r(scratch_path(file), function, &f.from, &f.to, &f.step, &f.ds_count, &names,
		      &f.values) == 0);
	for (unsigned long i = 0; i < f.ds_count; i++)
		free(names[i]);
	free(names);
	return f;
}

/* One value of a row that ends at that time. */
static double
value_at(const char *file, const char *function, int64_t resolution, size_t ds, int64_t time)
{
	struct fetched f = fetch(file, function, resolution, time - resolution, time - 1);
	double value;

	CHECK_INT(f.step, resolution);
	CHECK_INT(f.from, time - resolution);
	value = f.values[ds];
	free(f.values);
	return value;
}

static bool
same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* librrd multiplies by the step and divides again. */
static bool
nearly(double a, double b)
{
	return fabs(a - b) < 1e-9 || (isnan(a) && isnan(b));
}

/* What a person who fetches gets is the same from both. */
static void
check_equal(const char *function, int64_t resolution, int64_t from, int64_t to)
{
	struct fetched old = fetch("old.rrd", function, resolution, from, to);
	struct fetched new = fetch("new.rrd", function, resolution, from, to);

	CHECK_INT(old.step, resolution);
	CHECK_INT(new.step, resolution);
	CHECK(old.from == new.from && old.to == new.to);
	for (int64_t row = 0; row < (old.to - old.from) / resolution; row++)
		for (size_t d = 0; d < old.ds_count; d++)
			CHECK(same(old.values[(size_t)row * old.ds_count + d],
				new.values[(size_t)row * new.ds_count + d]));
	free(old.values);
	free(new.values);
}

static void
a_new_data_source_and_a_longer_profile_change_no_old_row(void)
{
	static const char *const functions[] = { "AVERAGE", "MIN", "MAX" };
	const int64_t last = START + 59 * 1440 * 60 + 37 * 60;

	scratch_make();
	make("old.rrd", 60, "short", 2);
	update("old.rrd", 60, 0, (last - START) / 60 + 1, 2);
	reshape(60, "standard", 3);
	CHECK_INT(report.last, last);
	for (int i = 0; i < 3; i++) {
		int64_t hour = last - last % 3600;

		if (i == 0)
			check_equal(functions[i], 60, last - 2879 * 60, last - 1);
		check_equal(functions[i], 300, hour - 13 * 86400, hour - 1);
		check_equal(functions[i], 3600, START, hour - 1);
	}
	/* Both have: 2880 single slots, three times 14 d of 5 min and 90 d of hours. */
	CHECK_INT(report.common, 2 * (2880 + 3 * 14 * 288 + 3 * 90 * 24));
	CHECK(isnan(value_at("new.rrd", "AVERAGE", 60, 2, last)));
	scratch_remove();
}

/* What librrd's own create --source does not do. */
static void
a_gap_stays_a_gap(void)
{
	int gaps = 0;

	scratch_make();
	make("old.rrd", 60, "short", 1);
	update("old.rrd", 60, 0, 3000, 1);
	reshape(60, "long", 1);
	for (int64_t k = 2000; k < 3000; k++) {
		bool gap = isnan(value_of(k, 0));

		gaps += gap;
		CHECK(isnan(value_at("new.rrd", "AVERAGE", 60, 0, START + k * 60)) == gap);
	}
	CHECK(gaps > 50);
	scratch_remove();
}

/* As if the file had had its new shape from the beginning: rows under way go along. */
static void
it_goes_on_as_if_it_had_been_so_from_the_start(void)
{
	const int64_t before = 1440 * 5 + 7 * 60 + 13, after = before + 1000;

	scratch_make();
	make("old.rrd", 60, "short", 2);
	update("old.rrd", 60, 0, before, 2);
	reshape(60, "short", 2);
	update("old.rrd", 60, before, after, 2);
	update("new.rrd", 60, before, after, 2);
	check_equal("AVERAGE", 60, START + (after - 2800) * 60, START + (after - 1) * 60 - 1);
	check_equal("AVERAGE", 300, START, START + after * 60 - 301);
	check_equal("MIN", 300, START, START + after * 60 - 301);
	check_equal("MAX", 3600, START, START + after * 60 - 3601);
	check_equal("AVERAGE", 3600, START, START + after * 60 - 3601);
	scratch_remove();
}

/* Slots of 5 s become slots of a minute: means and extremes are those of the readings. */
static void
longer_slots_are_consolidated_from_the_readings(void)
{
	scratch_make();
	make("old.rrd", 5, "short", 1);
	update("old.rrd", 5, 0, 12 * 240 + 5, 1);
	reshape(60, "short", 1);
	CHECK_INT(report.last, START + 240 * 60);
	for (int64_t minute = 1; minute <= 240; minute++) {
		double sum = 0, got = value_at("new.rrd", "AVERAGE", 60, 0, START + minute * 60);
		int known = 0;

		for (int64_t k = 12 * minute - 11; k <= 12 * minute; k++) {
			double value = value_of(k, 0);

			known += !isnan(value);
			sum += isnan(value) ? 0 : value;
		}
		if (2 * known < 12)
			CHECK(isnan(got));
		else
			CHECK_NEAR(got, sum / known, 1e-9);
	}
	check_equal("MAX", 300, START, START + 239 * 60);
	scratch_remove();
}

/* Slots of a minute become slots of 5 s: each has the value of its minute. */
static void
shorter_slots_take_the_value_of_the_row_around_them(void)
{
	scratch_make();
	make("old.rrd", 60, "short", 1);
	update("old.rrd", 60, 0, 400, 1);
	reshape(5, "short", 1);
	CHECK_INT(report.last, START + 399 * 60);
	for (int64_t k = 12 * 100; k < 12 * 399; k += 7)
		CHECK(nearly(value_at("new.rrd", "AVERAGE", 5, 0, START + k * 5),
			value_of((k + 11) / 12, 0)));
	check_equal("AVERAGE", 60, START + 60, START + 398 * 60);
	check_equal("MIN", 300, START, START + 390 * 60);
	/* and it is written on */
	update("new.rrd", 5, 12 * 399 + 1, 12 * 420, 1);
	CHECK(nearly(value_at("new.rrd", "AVERAGE", 5, 0, START + (12 * 400 + 3) * 5),
		value_of(12 * 400 + 3, 0)));
	scratch_remove();
}

/* A minimum of means would be a number that was never measured. */
static void
extremes_never_come_from_means(void)
{
	scratch_make();
	make("old.rrd", 60, "tiny", 1);
	update("old.rrd", 60, 0, 1440, 1);
	reshape(60, "short", 1);
	/* tiny has single slots for an hour, and 12 min rows of which no 5 min extreme is known */
	CHECK(isnan(value_at("new.rrd", "MIN", 300, 0, START + 600 * 60)));
	CHECK(!isnan(value_at("new.rrd", "AVERAGE", 300, 0, START + 1200 * 60)));
	CHECK(!isnan(value_at("new.rrd", "MIN", 300, 0, START + 1410 * 60)));
	scratch_remove();
}

static void
a_point_that_was_elsewhere_brings_its_history_and_keeps_what_was_here(void)
{
	struct reshape_ds ds[2] = {
		{ "d0", { { "old.rrd", "d0" } }, 1 },
		{ "d1", { { "other.rrd", "d1" }, { "old.rrd", "d1" } }, 2 },
	};
	struct reshape wanted = { .root = scratch, .ds = ds, .ds_count = 2 };
	struct layout layout;
	struct fail why;

	scratch_make();
	layout = make("old.rrd", 60, "short", 2);
	make("other.rrd", 60, "short", 2);
	update("old.rrd", 60, 0, 200, 2);
	update("other.rrd", 60, 300, 420, 2);
	wanted.layout = &layout;
	CHECK(reshape_build(&wanted, "new.rrd", &report, &why) == 0);
	CHECK_INT(report.last, START + 419 * 60);
	for (int64_t k = 1; k < 420; k++) {
		double was = k < 200 ? value_of(k, 0) : (double)NAN;

		CHECK(nearly(value_at("new.rrd", "AVERAGE", 60, 0, START + k * 60), was));
		was = k < 200 || k >= 301 ? value_of(k, 1) : (double)NAN;
		if (k != 300) /* the first update after a pause: its slot is unknown */
			CHECK(nearly(value_at("new.rrd", "AVERAGE", 60, 1, START + k * 60), was));
	}
	scratch_remove();
}

static void
what_cannot_be_read_leaves_nothing_behind(void)
{
	struct reshape_ds ds = { "d0", { { "old.rrd", "d0" } }, 1 };
	struct reshape wanted = { .root = scratch, .ds = &ds, .ds_count = 1 };
	struct layout layout;
	struct fail why;
	FILE *file;

	scratch_make();
	layout = make("fine.rrd", 60, "short", 1);
	wanted.layout = &layout;
	CHECK(reshape_build(&wanted, "new.rrd", &report, &why) == -1);
	file = fopen(scratch_path("old.rrd"), "w");
	fputs("this is no RRD file, and never was one", file);
	fclose(file);
	CHECK(reshape_build(&wanted, "new.rrd", &report, &why) == -1);
	CHECK(strstr(why.text, "old.rrd") != NULL);
	CHECK(access(scratch_path("new.rrd"), F_OK) == -1);
	scratch_remove();
}

RUN_TESTS(TEST(a_new_data_source_and_a_longer_profile_change_no_old_row),
	TEST(a_gap_stays_a_gap), TEST(it_goes_on_as_if_it_had_been_so_from_the_start),
	TEST(longer_slots_are_consolidated_from_the_readings),
	TEST(shorter_slots_take_the_value_of_the_row_around_them),
	TEST(extremes_never_come_from_means),
	TEST(a_point_that_was_elsewhere_brings_its_history_and_keeps_what_was_here),
	TEST(what_cannot_be_read_leaves_nothing_behind))

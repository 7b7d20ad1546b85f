#include "../check.h"

#include "../scratch.h"
#include "base/fail.h"
#include "store/layout.h"
#include "store/rrd.h"

#define SECOND INT64_C(1000000000)

static struct layout layout;

static int64_t
rows_of(const char *function, int64_t slots)
{
	for (int i = 0; i < layout.count; i++)
		if (strcmp(layout.rra[i].function, function) == 0 && layout.rra[i].slots == slots)
			return layout.rra[i].rows;
	return 0;
}

static void
standard_at_a_minute_keeps_what_the_manual_says(void)
{
	CHECK(layout_make(&layout, 60 * SECOND, "standard", NULL) == 0);
	CHECK_INT(layout.count, 10);
	CHECK_INT(rows_of("AVERAGE", 1), 14 * 1440);
	CHECK_INT(rows_of("AVERAGE", 5), 90 * 288);
	CHECK_INT(rows_of("MAX", 60), 2 * 365 * 24);
	CHECK_INT(rows_of("MIN", 1440), 3650);
	CHECK_INT(rows_of("MAX", 1), 0);
}

static void
other_intervals_reach_as_far_back_with_whole_slots(void)
{
	static const int64_t steps[] = { 1, 2, 5, 7, 10, 30, 45, 60, 90, 120, 300, 900, 3600, 86400 };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		for (const char *const *profile = layout_profiles(); *profile != NULL; profile++) {
			int64_t reach = 0;

			CHECK(layout_make(&layout, steps[i] * SECOND, *profile, NULL) == 0);
			CHECK(layout.count <= LAYOUT_RRAS);
			CHECK_INT(layout.rra[0].slots, 1);
			CHECK(layout.rra[0].rows * steps[i] >= 2 * 86400);
			for (int rra = 0; rra < layout.count; rra++) {
				int64_t kept = layout.rra[rra].rows * layout.rra[rra].slots * steps[i];

				reach = kept > reach ? kept : reach;
			}
			CHECK(reach >= (strcmp(*profile, "short") == 0 ? 90 : 3650) * INT64_C(86400));
		}
	}
}

static void
a_quarter_hour_series_keeps_single_slots_for_ninety_days(void)
{
	CHECK(layout_make(&layout, 900 * SECOND, "standard", NULL) == 0);
	CHECK_INT(rows_of("AVERAGE", 1), 90 * 96);
	CHECK_INT(rows_of("MAX", 4), 2 * 365 * 24);
}

static void
unknown_profiles_and_broken_intervals_are_refused_in_words(void)
{
	struct fail why;

	CHECK(layout_make(&layout, 60 * SECOND, "forever", &why) == -1);
	CHECK_STR(why.text, "retention profile \"forever\": expected short, standard or long");
	CHECK(layout_make(&layout, SECOND / 2, "short", &why) == -1);
	CHECK(layout_make(&layout, 2 * 86400 * SECOND, "short", &why) == -1);
}

static void
the_size_is_exactly_that_of_the_file(void)
{
	const char *ds[] = { "a", "b", "c" };
	struct stat info;

	scratch_make();
	CHECK(layout_make(&layout, 60 * SECOND, "short", NULL) == 0);
	for (size_t count = 1; count <= 3; count++) {
		char name[8];

		snprintf(name, sizeof name, "%zu.rrd", count);
		CHECK(rrd_file_create((struct rrd_place){ scratch, name }, &layout, 1700000040, ds,
			      count, NULL) == RRD_DONE);
		CHECK(stat(scratch_path(name), &info) == 0);
		CHECK_INT(info.st_size, layout_bytes(&layout, count));
	}
	scratch_remove();
}

RUN_TESTS(TEST(standard_at_a_minute_keeps_what_the_manual_says),
	TEST(other_intervals_reach_as_far_back_with_whole_slots),
	TEST(a_quarter_hour_series_keeps_single_slots_for_ninety_days),
	TEST(unknown_profiles_and_broken_intervals_are_refused_in_words),
	TEST(the_size_is_exactly_that_of_the_file))

#include "../check.h"

#include <unistd.h>

#include "../scratch.h"
#include "base/fail.h"
#include "base/str.h"
#include "journal/record.h"
#include "store/layout.h"
#include "store/rrd.h"
#include "store/undo.h"

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

static const int64_t steps[] = { 1, 2, 5, 7, 10, 30, 45, 60, 90, 120, 300, 900, 3600, 86400 };
#define STEPS (sizeof steps / sizeof steps[0])

/* Seconds that single slots, and all rows together, reach back. */
static int64_t
reach_of(int64_t step, bool single)
{
	int64_t reach = 0;

	for (int i = 0; i < layout.count; i++) {
		int64_t kept = layout.rra[i].rows * layout.rra[i].slots * step;

		if (kept > reach && (!single || layout.rra[i].slots == 1))
			reach = kept;
	}
	return reach;
}

static void
other_intervals_reach_as_far_back_with_whole_slots(void)
{
	static const struct {
		const char *profile;
		int64_t hours, days; /* of single slots; of all */
	} kept[] = { { "short", 6, 90 }, { "standard", 24, 3650 }, { "long", 72, 7300 } };

	for (size_t i = 0; i < STEPS; i++) {
		for (size_t k = 0; k < 3; k++) {
			CHECK(layout_make(&layout, steps[i] * SECOND, kept[k].profile, NULL) == 0);
			CHECK(layout.count <= LAYOUT_RRAS);
			CHECK_INT(layout.rra[0].slots, 1);
			CHECK(reach_of(steps[i], true) >= kept[k].hours * 3600);
			CHECK(reach_of(steps[i], false) >= kept[k].days * 86400);
		}
	}
}

static void
tiny_has_a_hundred_and_eighty_rows_at_every_interval(void)
{
	for (size_t i = 0; i < STEPS; i++) {
		CHECK(layout_make(&layout, steps[i] * SECOND, "tiny", NULL) == 0);
		CHECK_INT(layout.count, 3);
		CHECK_INT(rows_of("AVERAGE", 1), 60);
		CHECK_INT(rows_of("AVERAGE", 12), 60);
		CHECK_INT(rows_of("AVERAGE", 60), 60);
		CHECK_INT(layout_bytes(&layout, 10), 19648);
	}
}

/* A person who moves from a minute to a second shall not need sixty times the disk. */
static void
a_second_costs_a_few_times_a_minute_and_a_larger_profile_more(void)
{
	for (size_t i = 0; i < STEPS; i++) {
		int64_t before = 0, minute;

		for (const char *const *profile = layout_profiles(); *profile != NULL; profile++) {
			CHECK(layout_make(&layout, 60 * SECOND, *profile, NULL) == 0);
			minute = layout_bytes(&layout, 1);
			CHECK(layout_make(&layout, steps[i] * SECOND, *profile, NULL) == 0);
			CHECK(layout_bytes(&layout, 1) > before);
			CHECK(layout_bytes(&layout, 1) < 3 * minute);
			before = steps[i] <= 3600 ? layout_bytes(&layout, 1) : 0;
		}
	}
}

static void
minute_rows_of_a_fast_series_keep_its_extremes(void)
{
	CHECK(layout_make(&layout, 5 * SECOND, "short", NULL) == 0);
	CHECK_INT(rows_of("AVERAGE", 1), 6 * 720);
	CHECK_INT(rows_of("MAX", 12), 2 * 1440);
	CHECK(layout_make(&layout, 10 * SECOND, "short", NULL) == 0);
	CHECK_INT(rows_of("AVERAGE", 6), 2 * 1440);
	CHECK_INT(rows_of("MAX", 6), 0);
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
	CHECK_STR(why.text, "retention profile \"forever\": expected tiny, short, standard or long");
	CHECK(layout_make(&layout, SECOND / 2, "short", &why) == -1);
	CHECK(layout_make(&layout, 2 * 86400 * SECOND, "short", &why) == -1);
}

static void
the_size_is_exactly_that_of_the_file(void)
{
	const char *ds[] = { "a", "b", "c" };
	struct stat info;

	scratch_make();
	for (const char *const *profile = layout_profiles(); *profile != NULL; profile++) {
		for (size_t i = 0; i < STEPS; i++) {
			char name[40];
			size_t count = 1 + i % 3;

			/* The largest ones take a second each and tell nothing new. */
			if (strcmp(*profile, "long") == 0 && steps[i] < 30)
				continue;
			CHECK(layout_make(&layout, steps[i] * SECOND, *profile, NULL) == 0);
			snprintf(name, sizeof name, "%s%zu.rrd", *profile, i);
			CHECK(rrd_file_create((struct rrd_place){ scratch, name }, &layout,
				      1700006400, ds, count, NULL) == RRD_DONE);
			CHECK(stat(scratch_path(name), &info) == 0);
			CHECK_INT(info.st_size, layout_bytes(&layout, count));
			CHECK(unlink(scratch_path(name)) == 0);
		}
	}
	scratch_remove();
}

static void
no_row_is_older_than_a_point_may_be_kept(void)
{
	static const char *const limited[] = { "tiny:48h", "short:48h", "standard:720h",
		"long:50h", "long:9600h" };
	static const int64_t hours[] = { 48, 48, 720, 50, 9600 };
	struct fail why;

	for (size_t i = 0; i < STEPS; i++)
		for (size_t k = 0; k < sizeof hours / sizeof hours[0]; k++) {
			CHECK(layout_make(&layout, steps[i] * SECOND, limited[k], &why) == 0);
			CHECK(reach_of(steps[i], false) <= hours[k] * 3600);
			CHECK(layout.count > 0 && layout.rra[0].slots == 1 && layout.rra[0].rows > 0);
		}
	CHECK(layout_make(&layout, 60 * SECOND, "standard:720h", NULL) == 0);
	CHECK_INT(rows_of("AVERAGE", 1), 14 * 1440); /* reaches less far anyway */
	CHECK_INT(rows_of("AVERAGE", 5), 30 * 288);
	CHECK_INT(rows_of("MAX", 1440), 30);
	CHECK(layout_make(&layout, 60 * SECOND, "long:50h", NULL) == 0);
	CHECK_INT(rows_of("MAX", 1440), 2);
	CHECK(layout_make(&layout, 86400 * SECOND, "short:2h", &why) == -1);
	CHECK_STR(why.text, "retention \"short:2h\": shorter than one interval");
	CHECK(layout_make(&layout, 60 * SECOND, "short:soon", &why) == -1);
}

static void
a_file_tells_its_shape_and_one_that_was_cut_off_does_not(void)
{
	static const char *const names[] = { "pieces", "life_of_nineteen_ch" };
	struct rrd_place place;
	struct rrd_shape shape;
	struct fail why;

	scratch_make();
	place = (struct rrd_place){ scratch, "a/points.rrd" };
	CHECK(rrd_file_shape(place, &shape, &why) == RRD_MISSING);
	CHECK(layout_make(&layout, 5 * SECOND, "standard", NULL) == 0);
	CHECK(rrd_file_create(place, &layout, 1000000000, names, 2, &why) == RRD_DONE);
	CHECK(rrd_file_shape(place, &shape, &why) == RRD_DONE);
	CHECK(shape.step == 5 && shape.last == 1000000000 - 5 && shape.ds_count == 2);
	CHECK_STR(shape.ds[0], names[0]);
	CHECK_STR(shape.ds[1], names[1]);
	CHECK_INT(shape.rra_count, layout.count);
	for (int i = 0; i < layout.count; i++) {
		CHECK_STR(shape.rra[i].function, layout.rra[i].function);
		CHECK(shape.rra[i].rows == layout.rra[i].rows && shape.rra[i].slots == layout.rra[i].slots);
	}
	free(shape.ds);
	CHECK(truncate(scratch_path("a/points.rrd"), layout_bytes(&layout, 2) - 8) == 0);
	CHECK(rrd_file_shape(place, &shape, &why) != RRD_DONE);
	CHECK(truncate(scratch_path("a/points.rrd"), 100) == 0);
	CHECK(rrd_file_shape(place, &shape, &why) != RRD_DONE && shape.ds == NULL);
	scratch_remove();
}

/* As a store wrote it that did not leave out the zeros. */
static void
write_former_log(const char *file, const struct rrd_head *head)
{
	struct record_buffer entry = { 0 }, log = { 0 };
	FILE *to = fopen(scratch_path("undo.0"), "w");

	record_put_u64(&entry, 0);
	record_put_u64(&entry, head->inode);
	record_put_text(&entry, file);
	record_put(&entry, head->bytes, head->size);
	record_put_u32(&log, (uint32_t)entry.used);
	record_put_u32(&log, str_crc32c(0, entry.bytes, entry.used));
	record_put(&log, entry.bytes, entry.used);
	CHECK(fwrite(log.bytes, 1, log.used, to) == log.used && fclose(to) == 0);
	record_buffer_free(&entry);
	record_buffer_free(&log);
}

static void
write_log(const char *file, const struct rrd_head *head)
{
	size_t restored;
	struct undo *undo = undo_open(scratch, scratch, 0, &restored, NULL);

	CHECK(undo_keep(undo, file, head, 0, NULL) == 1 && undo_sync(undo, NULL) == 0);
	undo_close(undo);
}

static void
a_head_comes_back_from_its_log_and_from_that_of_a_former_store(void)
{
	static void (*const ways[])(const char *, const struct rrd_head *) = { write_log,
		write_former_log };
	static const char *const names[] = { "a", "b", "c" }, *const rows[] = { "1700006460:1:2:U" };
	struct rrd_place place;
	struct rrd_head before, after;
	size_t restored;

	for (size_t i = 0; i < 2; i++) {
		scratch_make();
		place = (struct rrd_place){ scratch, "points.rrd" };
		CHECK(layout_make(&layout, 60 * SECOND, "short", NULL) == 0);
		CHECK(rrd_file_create(place, &layout, 1700006400, names, 3, NULL) == RRD_DONE);
		CHECK(rrd_file_head(place, &before, NULL) == 0);
		ways[i](place.file, &before);
		CHECK(rrd_file_update(place, NULL, rows, 1, NULL) == RRD_DONE);
		CHECK(rrd_file_head(place, &after, NULL) == 0);
		CHECK(memcmp(after.bytes, before.bytes, before.size) != 0);
		free(after.bytes);
		undo_close(undo_open(scratch, scratch, 0, &restored, NULL));
		CHECK_INT(restored, 1);
		CHECK(rrd_file_head(place, &after, NULL) == 0);
		CHECK(after.size == before.size && memcmp(after.bytes, before.bytes, before.size) == 0);
		free(before.bytes);
		free(after.bytes);
		scratch_remove();
	}
}

RUN_TESTS(TEST(a_head_comes_back_from_its_log_and_from_that_of_a_former_store),
	TEST(no_row_is_older_than_a_point_may_be_kept),
	TEST(standard_at_a_minute_keeps_what_the_manual_says),
	TEST(other_intervals_reach_as_far_back_with_whole_slots),
	TEST(tiny_has_a_hundred_and_eighty_rows_at_every_interval),
	TEST(a_second_costs_a_few_times_a_minute_and_a_larger_profile_more),
	TEST(minute_rows_of_a_fast_series_keep_its_extremes),
	TEST(a_quarter_hour_series_keeps_single_slots_for_ninety_days),
	TEST(unknown_profiles_and_broken_intervals_are_refused_in_words),
	TEST(the_size_is_exactly_that_of_the_file),
	TEST(a_file_tells_its_shape_and_one_that_was_cut_off_does_not))

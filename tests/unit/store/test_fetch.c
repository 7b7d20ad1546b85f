/* Rows of a file, a piece at a time, are those that librrd gives at once. */
#include "../check.h"

#include <math.h>
#include <rrd.h>
#include <stdio.h>

#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "store/fetch.h"
#include "store/layout.h"
#include "store/rrdask.h"

#define FIRST INT64_C(1700000040)
#define SLOTS 4000
#define STEP 60

static const char *const names[] = { "a", "b" };
static struct rrd_place place;

static void
begin(void)
{
	struct layout layout;
	struct fail why = { "" };

	scratch_make();
	place = (struct rrd_place){ scratch, "f.rrd" };
	CHECK(layout_make(&layout, STEP * LOOP_S, "short", NULL) == 0);
	CHECK(rrd_file_create(place, &layout, FIRST, names, 2, &why) == RRD_DONE);
	for (int64_t slot = 0; slot < SLOTS; slot++) {
		char row[80];
		const char *rows[] = { row };

		if (slot % 11 == 4)
			snprintf(row, sizeof row, "%lld:U:%lld", (long long)(FIRST + slot * STEP),
				(long long)slot);
		else
			snprintf(row, sizeof row, "%lld:%g:U", (long long)(FIRST + slot * STEP),
				(double)slot / 7);
		CHECK(rrd_file_update(place, "a:b", rows, 1, &why) == RRD_DONE);
	}
}

static bool
same(double a, double b)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) < 1e-12;
}

/* Against rrd_fetch_r with the same range; rows_checked counts. */
static unsigned
differences(const char *function, int64_t from, int64_t to, int64_t wanted, unsigned *checked)
{
	struct fetch_options options = { place, function, from, to, wanted, 0, 37 };
	struct fail why = { "" };
	struct fetch *fetch = fetch_open(&options, &why);
	time_t start = (time_t)from - 1, end = (time_t)to;
	unsigned long step = wanted > 0 ? (unsigned long)wanted : 1, count;
	const double *values;
	rrd_value_t *data;
	unsigned wrong = 0;
	int64_t time, next = 0;
	char **ds;

	CHECK(fetch != NULL);
	CHECK(rrd_fetch_r(scratch_path("f.rrd"), function, &start, &end, &step, &count, &ds, &data) == 0);
	CHECK_INT(step, fetch_step(fetch));
	CHECK(fetch_find(fetch, "b") == 1 && fetch_find(fetch, "c") == -1);
	while (fetch_next(fetch, &time, &values, &why) == 1) {
		size_t at = (size_t)((time - (int64_t)start) / (int64_t)step - 1);

		CHECK(time >= from && time < to && (next == 0 || time == next));
		next = time + (int64_t)step;
		wrong += !same(values[0], data[2 * at]) || !same(values[1], data[2 * at + 1]);
		++*checked;
	}
	CHECK_STR(why.text, "");
	fetch_close(fetch);
	free(ds[0]);
	free(ds[1]);
	free(ds);
	free(data);
	return wrong;
}

static void
pieces_are_what_librrd_gives_at_once(void)
{
	int64_t last = FIRST + (SLOTS - 1) * STEP;
	unsigned checked = 0;

	begin();
	CHECK_INT(differences("AVERAGE", last - 1000 * STEP, last + STEP, 0, &checked), 0);
	CHECK_INT(checked, 1001);
	CHECK_INT(differences("AVERAGE", last - 500 * STEP - 7, last - 13, 0, &checked), 0);
	CHECK_INT(differences("AVERAGE", last - 2000 * STEP, last, 300, &checked), 0);
	CHECK_INT(differences("MAX", last - 3500 * STEP, last + 1, 0, &checked), 0);
	CHECK_INT(differences("MIN", FIRST, last, 3600, &checked), 0);
	CHECK(checked > 2000);
	scratch_remove();
}

static void
nothing_is_made_up_behind_the_last_update_or_before_the_archive(void)
{
	struct fetch_options options = { place, "AVERAGE", 0, INT64_C(1) << 33, 60, 0, 1000 };
	const double *values;
	struct fetch *fetch;
	int64_t time = 0, first = 0;
	unsigned rows = 0;

	begin();
	options.place = place;
	fetch = fetch_open(&options, NULL);
	while (fetch_next(fetch, &time, &values, NULL) == 1)
		first = rows++ == 0 ? time : first;
	CHECK(time <= FIRST + (SLOTS - 1) * STEP && time > FIRST + (SLOTS - 70) * STEP);
	CHECK(rows > 100 && rows < 5000 && first > 0);
	fetch_close(fetch);
	options.function = "LAST";
	CHECK(fetch_open(&options, NULL) == NULL);
	options.place.file = "none.rrd";
	CHECK(fetch_open(&options, NULL) == NULL);
	scratch_remove();
}

static void
what_began_within_the_range_is_told_as_fine_as_it_is_kept(void)
{
	struct fetch_options options = { .function = "AVERAGE", .from = FIRST - 80 * 86400,
		.to = FIRST + SLOTS * STEP, .rows = 1000 };
	struct fetch *fetch;

	begin();
	options.place = place;
	fetch = fetch_open(&options, NULL);
	CHECK_INT(fetch_step(fetch), 3600);
	fetch_close(fetch);
	options.reach = FIRST + (SLOTS - 2000) * STEP;
	fetch = fetch_open(&options, NULL);
	CHECK_INT(fetch_step(fetch), STEP);
	fetch_close(fetch);
	options.reach = FIRST - 9 * 86400;
	fetch = fetch_open(&options, NULL);
	CHECK_INT(fetch_step(fetch), 300);
	fetch_close(fetch);
	scratch_remove();
}

static void
a_file_that_is_not_made_yet_has_unknown_rows_of_the_archive_it_would_be(void)
{
	struct fetch_options options = { .place = { "/nowhere", "f.rrd" }, .function = "AVERAGE",
		.from = FIRST, .to = FIRST + 10 * STEP, .rows = 4 };
	struct layout layout;
	struct fail why = { "" };
	struct fetch *fetch;
	const double *values;
	unsigned rows = 0;
	int64_t time;

	CHECK(layout_make(&layout, STEP * LOOP_S, "short", NULL) == 0);
	fetch = fetch_open_absent(&options, &layout, FIRST + 6 * STEP, &why);
	CHECK(fetch != NULL && fetch_step(fetch) == STEP && fetch_find(fetch, "a") == -1);
	for (; fetch_next(fetch, &time, &values, &why) == 1; rows++)
		CHECK(time == FIRST + rows * STEP && isnan(values[0]) && fetch_width(fetch) == 1);
	CHECK_INT(rows, 7);
	fetch_close(fetch);
	options.from = FIRST - 30 * 86400;
	fetch = fetch_open_absent(&options, &layout, FIRST, &why);
	CHECK_INT(fetch_step(fetch), 3600);
	fetch_close(fetch);
	options.function = "LAST";
	CHECK(fetch_open_absent(&options, &layout, FIRST, &why) == NULL);
	CHECK_STR(why.text, "/nowhere/f.rrd: keeps no LAST");
}

static void
an_answer_to_rrdtool_is_bounded(void)
{
	struct fail why = { "" };
	unsigned lines = 0, promised;
	char *text;

	begin();
	text = rrdask_fetch(place, "AVERAGE", FIRST, FIRST + SLOTS * STEP, &why);
	CHECK(text != NULL && sscanf(text, "%u Success", &promised) == 1);
	for (const char *at = text; *at != '\0'; at++)
		lines += *at == '\n';
	CHECK_INT(lines, promised + 1);
	free(text);
	text = rrdask_fetch(place, "AVERAGE", 1, INT64_C(4000000000), &why);
	CHECK(text != NULL || why.text[0] != '\0');
	CHECK(text == NULL || strlen(text) < 40 * RRDASK_VALUES);
	free(text);
	CHECK(rrdask_fetch(place, "AVERAGE", 100, 5, &why) == NULL);
	CHECK(rrdask_fetch(place, "SUM", 5, 100, &why) == NULL);
	CHECK_INT(rrdask_last(place, &why), FIRST + (SLOTS - 1) * STEP);
	CHECK(rrdask_first(place, 0, &why) > 0);
	text = rrdask_info(place, &why);
	CHECK(text != NULL && strstr(text, "\nds[b].type 2 GAUGE\n") != NULL);
	free(text);
	scratch_remove();
}

RUN_TESTS(TEST(pieces_are_what_librrd_gives_at_once),
	TEST(nothing_is_made_up_behind_the_last_update_or_before_the_archive),
	TEST(what_began_within_the_range_is_told_as_fine_as_it_is_kept),
	TEST(a_file_that_is_not_made_yet_has_unknown_rows_of_the_archive_it_would_be),
	TEST(an_answer_to_rrdtool_is_bounded))

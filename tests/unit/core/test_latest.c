#include "../check.h"

#include <math.h>

#include "../scratch.h"
#include "base/fail.h"
#include "core/feed.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"

#define S INT64_C(1000000000)

static const struct series counter = { .id = 5, .kind = POINT_COUNTER, .step = S };
static const struct series gauge = { .id = 6, .kind = POINT_GAUGE, .step = S };
static const struct series text = { .id = 7, .kind = POINT_TEXT, .step = S };

static struct latest *
open_writer(void)
{
	struct fail why;
	struct latest *latest = latest_open_writer(scratch, &why);

	CHECK(latest != NULL);
	return latest;
}

static struct latest *
fresh_writer(void)
{
	scratch_make();
	return open_writer();
}

static void
tell(struct latest *latest, const struct sample *sample)
{
	struct feed_listener listener = latest_listener(latest);

	listener.sample(listener.arg, sample);
}

static void
tell_count(struct latest *latest, uint64_t count, uint64_t milli, int64_t slot)
{
	struct latest_base base = { true, milli > 0, milli > 0 ? milli : count, slot * S + 1000 };
	struct sample sample = { .series = &counter, .slot = slot, .received = slot * S,
		.has_raw = true, .raw = count, .value = 7 };

	latest_base_set(latest, counter.id, &base);
	tell(latest, &sample);
}

static struct latest_row
row_of(struct latest *latest, const struct series *series)
{
	struct latest_row row;

	CHECK(latest_read(latest, series->id, &row));
	return row;
}

/* -1 and 2^64 - 1 are the same octets. */
static void
a_gauge_above_the_largest_signed_number_is_told_from_a_negative_one(void)
{
	struct latest *latest = fresh_writer();
	struct sample sample = { .series = &gauge, .slot = 100, .received = 100 * S,
		.reason = REASON_GOOD, .has_raw = true, .raw = UINT64_MAX, .value = 0x1p64 };
	struct latest_row row;

	for (int i = 0; i < 4; i++) {
		sample.beyond = i % 2 == 0;
		sample.slot++;
		tell(latest, &sample);
		row = row_of(latest, &gauge);
		CHECK(row.has_raw && row.raw == UINT64_MAX);
		CHECK_INT(row.beyond, i % 2 == 0);
	}
	latest_close(latest);
}

static void
a_counter_shows_its_reading_and_keeps_it_as_base_over_lost_slots(void)
{
	struct latest *latest = fresh_writer();
	struct sample lost = { .series = &counter, .slot = 101, .received = 101 * S,
		.reason = REASON_TIMEOUT, .value = (double)NAN };
	struct latest_base base;
	struct latest_row row;

	tell_count(latest, UINT64_MAX - 1, 0, 100);
	row = row_of(latest, &counter);
	CHECK(row.has_raw && row.raw == UINT64_MAX - 1);
	CHECK_INT(row.slot, 100);
	tell(latest, &lost);
	row = row_of(latest, &counter);
	CHECK(!row.has_raw && row.raw == 0);
	CHECK_INT(row.good_at, 100 * S);
	CHECK(latest_base_get(latest, counter.id, &base));
	CHECK(base.count == UINT64_MAX - 1 && !base.milli && base.mono == 100 * S + 1000);
	latest_close(latest);
	scratch_remove();
}

static void
a_new_base_gives_the_former_one_back(void)
{
	struct latest *latest = fresh_writer();
	struct latest_base first = { true, false, 4711, 100 * S + 1999 }, former;
	struct latest_base second = { true, true, 4712000, 101 * S + 10 }, base;

	CHECK(!latest_base_swap(latest, counter.id, &first, &former));
	CHECK(!former.known && former.count == 0 && former.mono == 0);
	CHECK(first.mono == 100 * S + 1000);
	CHECK(latest_base_swap(latest, counter.id, &second, &former));
	CHECK(former.known && !former.milli && former.count == 4711);
	CHECK(former.mono == first.mono);
	CHECK(second.mono == 101 * S);
	CHECK(latest_base_get(latest, counter.id, &base));
	CHECK(base.milli && base.count == 4712000 && base.mono == 101 * S);
	latest_close(latest);
	scratch_remove();
}

static void
neighbours_change_their_bases_together_but_those_that_have_none_now(void)
{
	struct latest *latest = fresh_writer();
	struct latest_base bases[] = { { true, false, 1, 0 }, { false, false, 2, 0 },
		{ true, true, 3000, 0 } }, base;
	int64_t mono = 100 * S + 700;

	latest_bases_swap(latest, 20, 3, bases, &mono);
	CHECK(mono == 100 * S);
	CHECK(!bases[0].known && !bases[1].known && !bases[2].known);
	CHECK(!latest_base_get(latest, 21, &base));
	bases[0] = bases[1] = (struct latest_base){ true, false, 11, 0 };
	mono = 101 * S;
	latest_bases_swap(latest, 20, 3, bases, &mono);
	CHECK(bases[0].known && bases[0].count == 1 && bases[0].mono == 100 * S);
	CHECK(!bases[1].known && !bases[2].known);
	CHECK(latest_base_get(latest, 21, &base) && base.count == 11 && base.mono == 101 * S);
	CHECK(latest_base_get(latest, 22, &base) && base.milli && base.count == 3000);
	latest_close(latest);
	scratch_remove();
}

static void
a_count_in_thousandths_shows_the_whole_reading(void)
{
	struct latest *latest = fresh_writer();
	struct latest_base base;

	tell_count(latest, 12, 12750, 100);
	CHECK_INT(row_of(latest, &counter).raw, 12);
	/* 12.9997: its thousandths are rounded up to those of 13. */
	tell_count(latest, 12, 13000, 101);
	CHECK_INT(row_of(latest, &counter).raw, 12);
	CHECK(row_of(latest, &counter).has_raw);
	CHECK(latest_base_get(latest, counter.id, &base));
	CHECK(base.milli && base.count == 13000);
	tell_count(latest, 13, 13001, 102);
	CHECK_INT(row_of(latest, &counter).raw, 13);
	latest_close(latest);
	scratch_remove();
}

static void
a_reading_that_is_not_the_base_is_not_shown_as_one(void)
{
	struct latest *latest = fresh_writer();
	struct sample other = { .series = &counter, .slot = 101, .received = 101 * S,
		.has_raw = true, .raw = 5, .value = 7 };
	struct latest_base base;

	tell_count(latest, 1000, 0, 100);
	tell(latest, &other);
	CHECK(!row_of(latest, &counter).has_raw);
	CHECK(latest_base_get(latest, counter.id, &base) && base.count == 1000);
	latest_close(latest);
	scratch_remove();
}

static void
bases_and_texts_survive_the_writer(void)
{
	struct latest *latest = fresh_writer();
	struct sample said = { .series = &text, .slot = 9, .received = 9 * S, .text = "ready",
		.value = (double)NAN };
	struct latest_base base;

	tell_count(latest, 4711, 0, 100);
	tell(latest, &said);
	latest_close(latest);
	latest = open_writer();
	CHECK(latest_base_get(latest, counter.id, &base) && base.count == 4711);
	CHECK_STR(row_of(latest, &text).text, "ready");
	said.text = "busy";
	tell(latest, &said);
	CHECK_STR(row_of(latest, &text).text, "busy");
	latest_close(latest);
	scratch_remove();
}

static void
what_was_told_of_series_that_never_came_into_the_catalogue_is_forgotten(void)
{
	struct latest *latest = fresh_writer();
	struct sample sample = { .series = &gauge, .slot = 3, .received = 3 * S, .value = 7 };
	struct latest_base base;
	struct latest_row row;

	tell_count(latest, 100, 0, 3);
	tell(latest, &sample);
	latest_forget_behind(latest, gauge.id);
	CHECK(latest_read(latest, gauge.id, &row) && latest_base_get(latest, counter.id, &base));
	latest_forget_behind(latest, counter.id);
	CHECK(!latest_read(latest, gauge.id, &row) && latest_base_get(latest, counter.id, &base));
	latest_forget_behind(latest, counter.id - 1);
	CHECK(!latest_read(latest, counter.id, &row) && !latest_base_get(latest, counter.id, &base));
	latest_close(latest);
	scratch_remove();
}

static void
a_point_that_becomes_another_kind_has_no_base_and_no_text_of_the_old_one(void)
{
	struct series now_gauge = { .id = counter.id, .kind = POINT_GAUGE, .step = S };
	struct series now_counter = { .id = text.id, .kind = POINT_COUNTER, .step = S };
	struct latest *latest = fresh_writer();
	struct sample whole = { .series = &now_gauge, .slot = 101, .received = 101 * S,
		.has_raw = true, .raw = (uint64_t)-5, .value = -0.5 };
	struct sample said = { .series = &text, .slot = 9, .received = 9 * S, .text = "ready" };
	struct latest_base base = { true, false, 44, 10 * S };

	tell_count(latest, 1000, 1000500, 100);
	tell(latest, &whole);
	CHECK(row_of(latest, &counter).has_raw && row_of(latest, &counter).raw == (uint64_t)-5);
	CHECK(!latest_base_get(latest, counter.id, &base));
	tell(latest, &said);
	base = (struct latest_base){ true, false, 44, 10 * S };
	latest_base_set(latest, now_counter.id, &base);
	CHECK_STR(row_of(latest, &text).text, "");
	CHECK(latest_base_get(latest, now_counter.id, &base) && base.count == 44);
	latest_close(latest);
	scratch_remove();
}

/* The last six octets of a row are its place in the file of texts. */
static void
a_damaged_row_that_names_no_place_has_no_text(void)
{
	struct latest *latest = fresh_writer();
	struct sample said = { .series = &text, .slot = 9, .received = 9 * S, .text = "ready" };
	static const uint8_t nowhere[6];
	FILE *file = fopen(scratch_path("latest"), "r+");

	tell(latest, &said);
	CHECK(file != NULL && fseek(file, 4096 + 36 * (long)text.id + 30, SEEK_SET) == 0);
	CHECK(fwrite(nowhere, sizeof nowhere, 1, file) == 1 && fclose(file) == 0);
	CHECK_STR(row_of(latest, &text).text, "");
	tell(latest, &said);
	latest_close(latest);
	scratch_remove();
}

static void
a_time_of_a_good_sample_outlives_others_and_the_writer(void)
{
	struct latest *latest = fresh_writer();
	int64_t at = 1700000000 * S + 123400000;
	struct sample sample = { .series = &gauge, .slot = 9, .received = at, .value = 1.5 };
	struct latest_row row;

	tell(latest, &sample);
	CHECK(row_of(latest, &gauge).received == at && row_of(latest, &gauge).good_at == at);
	for (int i = 0; i < 3; i++) {
		sample.reason = i == 1 ? REASON_FROZEN : REASON_TIMEOUT;
		sample.received += S;
		sample.value = (double)NAN;
		tell(latest, &sample);
		row = row_of(latest, &gauge);
		CHECK(row.received == sample.received && row.good_at == at && isnan(row.value));
		latest_close(latest);
		latest = open_writer();
	}
	sample.reason = REASON_FIRST;
	sample.received += S;
	tell(latest, &sample);
	row = row_of(latest, &gauge);
	CHECK(row.good_at == sample.received && isnan(row.value));
	sample.series = &text;
	sample.reason = REASON_TIMEOUT;
	tell(latest, &sample);
	CHECK(row_of(latest, &text).good_at == 0);
	latest_close(latest);
	scratch_remove();
}

static void
bases_are_known_after_ten_years_of_a_machine(void)
{
	int64_t round = (INT64_C(1) << 48) * 1000, mono = round - 5 * S;
	struct latest *latest = fresh_writer();

	for (int i = 0; i < 10; i++, mono += S) {
		struct latest_base base = { true, false, 44, mono };

		latest_base_set(latest, counter.id, &base);
		base.mono = 0;
		CHECK(latest_base_get(latest, counter.id, &base) && base.mono == mono);
		if (i == 3)
			latest_base_set(latest, gauge.id, &base);
	}
	for (int i = 0; i < 2; i++) {
		struct latest_base base = { true, false, 44, mono };

		/* The one from before the round. */
		CHECK(latest_base_get(latest, gauge.id, &base) && base.mono == round - 2 * S);
		latest_close(latest);
		latest = open_writer();
	}
	latest_close(latest);
	scratch_remove();
}

static void
a_gauge_without_a_whole_reading_has_none(void)
{
	struct latest *latest = fresh_writer();
	struct sample sample = { .series = &gauge, .slot = 4000000000, .received = 9 * S, .value = 1.5 };

	tell(latest, &sample);
	CHECK(!row_of(latest, &gauge).has_raw);
	CHECK(row_of(latest, &gauge).slot == 4000000000);
	CHECK_NEAR(row_of(latest, &gauge).value, 1.5, 0);
	latest_close(latest);
	scratch_remove();
}

static void
what_is_told_together_stands_there_as_if_told_one_by_one(void)
{
	struct sample_item items[] = { { 7, 70, REASON_GOOD, true, false, POINT_COUNTER },
		{ 1.5, 0, REASON_GOOD, false, false, POINT_GAUGE },
		{ (double)NAN, 0, REASON_TIMEOUT, false, false, POINT_GAUGE } };
	struct sample_batch batch = { .first = counter.id, .count = 3, .slot = 100, .step = S,
		.received = 100 * S, .items = items };
	struct latest *latest = fresh_writer();
	struct feed_listener listener = latest_listener(latest);
	struct latest_base base = { true, false, 70, 100 * S };

	latest_base_set(latest, counter.id, &base);
	listener.batch(listener.arg, &batch);
	CHECK(row_of(latest, &counter).has_raw && row_of(latest, &counter).raw == 70);
	CHECK_NEAR(row_of(latest, &counter).value, 7, 0);
	CHECK(latest_base_get(latest, counter.id, &base) && base.count == 70);
	CHECK(!row_of(latest, &gauge).has_raw && row_of(latest, &gauge).good_at == 100 * S);
	CHECK_NEAR(row_of(latest, &gauge).value, 1.5, 0);
	CHECK_INT(row_of(latest, &text).reason, REASON_TIMEOUT);
	CHECK_INT(row_of(latest, &text).slot, 100);
	CHECK_INT(row_of(latest, &text).good_at, 0);
	latest_close(latest);
	scratch_remove();
}

static void
bases_of_one_time_are_told_and_replaced_together_with_what_is_told(void)
{
	struct sample_item items[] = { { 5, 75, REASON_GOOD, true, false, POINT_COUNTER },
		{ 1.5, 15, REASON_GOOD, true, false, POINT_GAUGE },
		{ (double)NAN, 80, REASON_FROZEN, true, false, POINT_COUNTER } };
	struct sample_batch batch = { .first = 20, .count = 3, .slot = 100, .step = S,
		.received = 100 * S, .items = items, .bases = true, .mono = 101 * S + 700 };
	struct latest *latest = fresh_writer();
	struct feed_listener listener = latest_listener(latest);
	struct latest_base older = { true, false, 60, 99 * S }, base = { true, false, 70, 100 * S };
	struct latest_row row;
	uint64_t counts[3];
	int64_t mono;

	CHECK(latest_bases_alike(latest, 20, 3, counts, &mono) == 0);
	latest_base_set(latest, 20, &base);
	latest_base_set(latest, 22, &older);
	CHECK(latest_bases_alike(latest, 20, 3, counts, &mono) == 1);
	CHECK(mono == 100 * S && counts[0] == 70);
	base.milli = true;
	latest_base_set(latest, 20, &base);
	CHECK(latest_bases_alike(latest, 20, 3, counts, &mono) == 4);
	CHECK(mono == 99 * S && counts[2] == 60);
	listener.batch(listener.arg, &batch);
	CHECK(latest_bases_alike(latest, 20, 3, counts, &mono) == 5);
	CHECK(mono == 101 * S && counts[0] == 75 && counts[2] == 80);
	CHECK(latest_read(latest, 20, &row) && row.value == 5 && row.has_raw && row.raw == 75);
	CHECK(latest_read(latest, 21, &row) && row.value == 1.5 && row.has_raw && row.raw == 15);
	CHECK(latest_read(latest, 22, &row) && row.reason == REASON_FROZEN && row.raw == 80);
	latest_close(latest);
	scratch_remove();
}

RUN_TESTS(TEST(a_counter_shows_its_reading_and_keeps_it_as_base_over_lost_slots),
	TEST(a_new_base_gives_the_former_one_back),
	TEST(neighbours_change_their_bases_together_but_those_that_have_none_now),
	TEST(a_count_in_thousandths_shows_the_whole_reading),
	TEST(a_reading_that_is_not_the_base_is_not_shown_as_one),
	TEST(bases_and_texts_survive_the_writer),
	TEST(what_was_told_of_series_that_never_came_into_the_catalogue_is_forgotten),
	TEST(a_point_that_becomes_another_kind_has_no_base_and_no_text_of_the_old_one),
	TEST(a_damaged_row_that_names_no_place_has_no_text),
	TEST(a_time_of_a_good_sample_outlives_others_and_the_writer),
	TEST(bases_are_known_after_ten_years_of_a_machine),
	TEST(a_gauge_without_a_whole_reading_has_none),
	TEST(a_gauge_above_the_largest_signed_number_is_told_from_a_negative_one),
	TEST(what_is_told_together_stands_there_as_if_told_one_by_one),
	TEST(bases_of_one_time_are_told_and_replaced_together_with_what_is_told))

#include "core/frozen.h"

#include <math.h>

#include "../check.h"
#include "core/point.h"
#include "core/sample.h"
#include "core/series.h"

#define S INT64_C(1000000000)
#define STEP (5 * S)

static const char *const all_of_press[] = { "press-3/*" };
static const char *const any_device[] = { "*/*" };
static const char *const power[] = { "press-3/power" };

static struct series life = { .id = 0, .path = "press-3/life", .step = STEP };
static struct series pieces = { .id = 1, .path = "press-3/pieces", .step = STEP,
	.kind = POINT_COUNTER };
static struct series oil = { .id = 2, .path = "press-3/oil", .step = STEP };
static struct series other = { .id = 3, .path = "press-4/life", .step = STEP };
static struct series other_oil = { .id = 4, .path = "press-4/oil", .step = STEP };
static struct series watts = { .id = 5, .path = "press-3/power", .step = STEP };
static int64_t now; /* slot */
static struct frozen *frozen;

static const struct frozen_rule life_rule = { .name = "stop", .on = "press-3/life",
	.span = 30 * S, .marks_self = true, .marks = all_of_press, .mark_count = 1 };

static void
begin(const struct frozen_rule *rules, size_t count)
{
	now = 1000;
	frozen = frozen_new(NULL);
	frozen_configure(frozen, rules, count);
}

static struct sample
told(const struct series *series, uint64_t raw)
{
	struct sample sample = { .series = series, .slot = now, .reason = REASON_GOOD,
		.has_raw = true, .raw = raw, .value = (double)raw };

	frozen_judge(frozen, &sample);
	return sample;
}

static uint8_t
lost(const struct series *series)
{
	struct sample sample = { .series = series, .slot = now, .reason = REASON_TIMEOUT,
		.value = (double)NAN };

	frozen_judge(frozen, &sample);
	return sample.reason;
}

static void
a_life_counter_that_stands_takes_the_other_points_with_it(void)
{
	struct sample sample;

	begin(&life_rule, 1);
	for (int i = 0; i < 10; i++, now++) {
		CHECK_INT(told(&life, (uint64_t)i).reason, REASON_GOOD);
		CHECK_INT(told(&oil, 7).reason, REASON_GOOD);
	}
	/* The last change was in slot 1009: 30 s later is slot 1015. */
	for (; now < 1015; now++) {
		CHECK_INT(told(&life, 9).reason, REASON_GOOD);
		CHECK_INT(told(&oil, 7).reason, REASON_GOOD);
	}
	CHECK_INT(frozen_verdict(frozen, "stop", life.id), FROZEN_MOVES);
	sample = told(&life, 9);
	CHECK_INT(sample.reason, REASON_FROZEN);
	CHECK(isnan(sample.value));
	CHECK(sample.has_raw && sample.raw == 9);
	CHECK_INT(told(&oil, 7).reason, REASON_FROZEN);
	CHECK_INT(told(&oil, 8).reason, REASON_FROZEN); /* also when it moves: a cache is no source */
	CHECK_INT(told(&other, 9).reason, REASON_GOOD);
	CHECK_INT(frozen_verdict(frozen, "stop", life.id), FROZEN_STANDS);
	now++;
	CHECK_INT(told(&life, 10).reason, REASON_GOOD);
	CHECK_INT(told(&oil, 7).reason, REASON_GOOD);
	CHECK_INT(frozen_verdict(frozen, "stop", life.id), FROZEN_MOVES);
	frozen_free(frozen);
}

static void
what_was_counted_meanwhile_is_no_rate(void)
{
	begin(&life_rule, 1);
	told(&pieces, 100);
	for (int i = 0; i <= 6; i++, now++)
		told(&life, 5);
	CHECK_INT(told(&pieces, 100).reason, REASON_FROZEN);
	now++;
	told(&life, 6);
	CHECK_INT(told(&pieces, 900).reason, REASON_DISCONTINUITY);
	now++;
	CHECK_INT(told(&pieces, 901).reason, REASON_GOOD);
	frozen_free(frozen);
}

static void
slots_without_a_reading_prove_nothing(void)
{
	begin(&life_rule, 1);
	told(&life, 5);
	for (int i = 0; i < 100; i++, now++)
		CHECK_INT(lost(&life), REASON_TIMEOUT);
	/* An outage, and by chance the same number behind it: one step counts. */
	CHECK_INT(told(&life, 5).reason, REASON_GOOD);
	for (int i = 0; i < 4; i++) {
		now++;
		CHECK_INT(told(&life, 5).reason, REASON_GOOD);
	}
	now++;
	CHECK_INT(told(&life, 5).reason, REASON_FROZEN);
	/* A time-out is what it is, and does not end the verdict. */
	now++;
	CHECK_INT(lost(&life), REASON_TIMEOUT);
	now++;
	CHECK_INT(told(&life, 5).reason, REASON_FROZEN);
	frozen_free(frozen);
}

static void
a_value_may_stand_as_long_as_the_machine_does(void)
{
	const struct frozen_rule rule = { .name = "stuck", .on = "press-3/oil", .span = 60 * S,
		.moving = power, .moving_count = 1 };

	begin(&rule, 1);
	for (int i = 0; i < 500; i++, now++) { /* a night */
		told(&watts, 0);
		CHECK_INT(told(&oil, 21).reason, REASON_GOOD);
	}
	for (int i = 1; i <= 11; i++, now++) { /* the machine runs: the time begins */
		told(&watts, (uint64_t)i);
		told(&oil, 21);
		CHECK_INT(frozen_verdict(frozen, "stuck", oil.id), FROZEN_UNDECIDED);
	}
	told(&watts, 100);
	CHECK_INT(told(&oil, 21).reason, REASON_GOOD); /* no marks: an alarm alone */
	CHECK_INT(frozen_verdict(frozen, "stuck", oil.id), FROZEN_STANDS);
	now++;
	told(&oil, 22);
	CHECK_INT(frozen_verdict(frozen, "stuck", oil.id), FROZEN_MOVES);
	frozen_free(frozen);
}

static void
a_rule_for_many_devices_keeps_them_apart(void)
{
	const struct frozen_rule rule = { .name = "stop", .on = "*/life", .span = 30 * S,
		.marks_self = true, .marks = any_device, .mark_count = 1 };

	begin(&rule, 1);
	for (int i = 0; i < 10; i++, now++) {
		told(&life, 5);
		told(&other, (uint64_t)i);
		told(&oil, 1);
		told(&other_oil, 1);
	}
	CHECK_INT(told(&oil, 1).reason, REASON_FROZEN);
	CHECK_INT(told(&other_oil, 1).reason, REASON_GOOD);
	CHECK_INT(told(&other, 99).reason, REASON_GOOD);
	frozen_free(frozen);
}

static void
a_reload_forgets_nothing_of_a_rule_that_stays(void)
{
	const struct frozen_rule both[] = { { .name = "more", .on = "press-4/life", .span = 60 * S },
		life_rule };

	begin(&life_rule, 1);
	for (int i = 0; i <= 6; i++, now++)
		told(&life, 5);
	told(&oil, 1);
	frozen_configure(frozen, both, 2);
	CHECK_INT(frozen_verdict(frozen, "stop", life.id), FROZEN_STANDS);
	CHECK_INT(told(&oil, 1).reason, REASON_FROZEN);
	CHECK_INT(told(&life, 5).reason, REASON_FROZEN);
	/* Taken out: nothing is marked any more, and nothing remembered. */
	frozen_configure(frozen, both, 1);
	CHECK_INT(told(&life, 5).reason, REASON_GOOD);
	frozen_configure(frozen, NULL, 0);
	CHECK_INT(told(&oil, 1).reason, REASON_GOOD);
	frozen_free(frozen);
}

static void
floats_and_texts_can_stand_still_too(void)
{
	const struct frozen_rule rule = { .name = "stop", .on = "press-3/oil", .span = 10 * S,
		.marks_self = true };

	begin(&rule, 1);
	for (int i = 0; i < 3; i++, now++) {
		struct sample sample = { .series = &oil, .slot = now, .reason = REASON_GOOD,
			.value = 21.5 };

		frozen_judge(frozen, &sample);
		CHECK_INT(sample.reason, i < 2 ? REASON_GOOD : REASON_FROZEN);
	}
	for (int i = 0; i < 3; i++, now++) {
		struct sample sample = { .series = &oil, .slot = now, .reason = REASON_GOOD,
			.text = "running", .value = (double)NAN };

		frozen_judge(frozen, &sample);
		CHECK_INT(sample.reason, i < 2 ? REASON_GOOD : REASON_FROZEN);
		CHECK((sample.text == NULL) == (i == 2));
	}
	frozen_free(frozen);
}

RUN_TESTS(TEST(a_life_counter_that_stands_takes_the_other_points_with_it),
	TEST(what_was_counted_meanwhile_is_no_rate), TEST(slots_without_a_reading_prove_nothing),
	TEST(a_value_may_stand_as_long_as_the_machine_does),
	TEST(a_rule_for_many_devices_keeps_them_apart),
	TEST(a_reload_forgets_nothing_of_a_rule_that_stays),
	TEST(floats_and_texts_can_stand_still_too))

#include "../check.h"

#include <math.h>

#include "core/rate.h"
#include "core/sample.h"

#define S INT64_C(1000000000)

static uint8_t
from_to(uint64_t former, uint64_t raw, uint8_t bits, double max_rate, double *rate)
{
	struct rate_step step = { .known = true, .former = former, .former_at = 100 * S,
		.raw = raw, .at = 110 * S, .bits = bits, .max_rate = max_rate, .step = 10 * S };

	return rate_of(&step, rate);
}

static void
the_rate_is_the_difference_over_the_time_between_the_answers(void)
{
	double rate;

	CHECK_INT(from_to(1000, 1500, 64, 0, &rate), REASON_GOOD);
	CHECK_NEAR(rate, 50, 1e-9);
}

static void
a_64_bit_counter_that_went_back_was_reset(void)
{
	double rate;

	CHECK_INT(from_to(UINT64_MAX - 5, 10, 64, 0, &rate), REASON_DISCONTINUITY);
	CHECK(isnan(rate));
}

static void
a_32_bit_counter_wraps_only_at_a_possible_rate(void)
{
	double rate;

	CHECK_INT(from_to(4294967000u, 704, 32, 125e6, &rate), REASON_GOOD);
	CHECK_NEAR(rate, 100, 1e-9);
	/* a reset in the middle of the range would mean 300 MB/s on a gigabit port */
	CHECK_INT(from_to(1000000000u, 5, 32, 125e6, &rate), REASON_DISCONTINUITY);
	/* nothing known of the rate: only from the top of the range */
	CHECK_INT(from_to(2000000000u, 5, 32, 0, &rate), REASON_DISCONTINUITY);
	CHECK_INT(from_to(4294967295u, 0, 32, 0, &rate), REASON_GOOD);
}

static uint8_t
of_decimal(uint64_t former, uint64_t raw, double *rate)
{
	struct rate_step step = { .known = true, .former = former, .former_at = 100 * S,
		.raw = raw, .at = 110 * S, .bits = 64, .wrap = 100000000, .step = 10 * S };

	return rate_of(&step, rate);
}

static void
a_meter_with_eight_digits_goes_on_behind_its_last_number(void)
{
	double rate;

	CHECK_INT(of_decimal(99999990, 40, &rate), REASON_GOOD);
	CHECK_NEAR(rate, 5, 1e-9);
	/* a new meter, not a wrap: the old one stood in the middle */
	CHECK_INT(of_decimal(50000000, 40, &rate), REASON_DISCONTINUITY);
	CHECK_INT(of_decimal(99999990, 60000000, &rate), REASON_DISCONTINUITY);
	/* never had eight digits */
	CHECK_INT(of_decimal(100000001, 40, &rate), REASON_DISCONTINUITY);
	CHECK(isnan(rate));
}

static void
over_a_gap_a_narrow_counter_may_have_gone_round_unseen(void)
{
	double rate;
	/* 1 Gbit/s: 2^32 octets go by in 34 s and less. */
	struct rate_step step = { .known = true, .former = 1000, .former_at = 0, .raw = 2000,
		.bits = 32, .max_rate = 1.375e8, .step = 10 * S };

	step.at = 10 * S;
	CHECK(rate_of(&step, &rate) == REASON_GOOD);
	step.at = 30 * S;
	CHECK(rate_of(&step, &rate) == REASON_GOOD);
	step.at = 40 * S;
	CHECK(rate_of(&step, &rate) == REASON_DISCONTINUITY);
	/* Polled once a minute, none was lost: it is read as it always is. */
	step.at = step.step = 60 * S;
	CHECK(rate_of(&step, &rate) == REASON_GOOD);
	step.at = 120 * S;
	CHECK(rate_of(&step, &rate) == REASON_DISCONTINUITY);
	step.bits = 64;
	CHECK(rate_of(&step, &rate) == REASON_GOOD);
}

static void
a_16_bit_counter_wraps_at_65536(void)
{
	double rate;

	CHECK_INT(from_to(65530, 4, 16, 0, &rate), REASON_GOOD);
	CHECK_NEAR(rate, 1, 1e-9);
}

static void
the_first_reading_and_one_after_a_long_gap_have_no_rate(void)
{
	struct rate_step step = { .raw = 5, .at = 10 * S, .bits = 64, .step = 10 * S };
	double rate;

	CHECK_INT(rate_of(&step, &rate), REASON_FIRST);
	step = (struct rate_step){ .known = true, .former = 1, .former_at = 0, .raw = 5,
		.at = 101 * S, .bits = 64, .step = 10 * S };
	CHECK_INT(rate_of(&step, &rate), REASON_FIRST);
}

static void
what_the_device_calls_a_discontinuity_is_one(void)
{
	struct rate_step step = { .known = true, .former = 1, .former_at = 0, .raw = 500,
		.at = 10 * S, .bits = 64, .step = 10 * S, .discontinuity = true };
	double rate;

	CHECK_INT(rate_of(&step, &rate), REASON_DISCONTINUITY);
}

static void
no_counter_of_any_width_ever_shows_a_spike_with_resets_in_between(void)
{
	unsigned seed = 4711;

	print_message("seed %u\n", seed);
	srand(seed);
	for (int bits = 16; bits <= 64; bits *= 2) {
		uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
		uint64_t count = (uint64_t)rand() << 20;

		for (int i = 0; i < 5000; i++) {
			uint64_t former = count & mask;
			double rate;

			count = rand() % 50 == 0 ? 0 : count + 1000;
			if (from_to(former, count & mask, (uint8_t)bits, 110, &rate) == REASON_GOOD)
				CHECK(rate >= 0 && rate <= 110);
		}
	}
}

static void
where_it_is_plainly_so_much_more_the_rate_is_that(void)
{
	const int64_t step = 60 * S;
	unsigned seed = 4712, plain = 0;

	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 200000; i++) {
		struct rate_step next = { .known = true, .former_at = 5 * S, .step = step,
			.bits = (uint8_t)(16 << rand() % 3), .wrap = rand() % 4 ? 0 : 100000000,
			.former = (uint64_t)rand() << rand() % 33, .max_rate = rand() % 3 * 1e8 };
		struct rate_span span;
		double rate;

		next.raw = next.former + (uint64_t)rand() - RAND_MAX / 8;
		next.at = next.former_at + step * (rand() % 1200 - 20) / 100 + rand() % 3 - 1;
		span = rate_span(next.at - next.former_at, step);
		if (!rate_is_plain(&span, next.former, next.raw, next.bits, next.max_rate))
			continue;
		plain++;
		CHECK_INT(rate_of(&next, &rate), REASON_GOOD);
		CHECK(rate == rate_over(next.raw - next.former, span.seconds));
	}
	CHECK(plain > 50000);
}

RUN_TESTS(TEST(the_rate_is_the_difference_over_the_time_between_the_answers),
	TEST(a_64_bit_counter_that_went_back_was_reset),
	TEST(a_32_bit_counter_wraps_only_at_a_possible_rate),
	TEST(a_meter_with_eight_digits_goes_on_behind_its_last_number),
	TEST(a_16_bit_counter_wraps_at_65536),
	TEST(over_a_gap_a_narrow_counter_may_have_gone_round_unseen),
	TEST(the_first_reading_and_one_after_a_long_gap_have_no_rate),
	TEST(what_the_device_calls_a_discontinuity_is_one),
	TEST(no_counter_of_any_width_ever_shows_a_spike_with_resets_in_between),
	TEST(where_it_is_plainly_so_much_more_the_rate_is_that))

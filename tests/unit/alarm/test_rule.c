#include "../check.h"

#include <math.h>

#include "alarm/rule.h"

#define S INT64_C(1000000000)

static const struct rule_options above = { .name = "hot", .kind = RULE_ABOVE, .limit = 70,
	.clear = 65 };
static const struct rule_options below = { .name = "cold", .kind = RULE_BELOW, .limit = 5,
	.clear = 8 };

struct step {
	double value;
	enum rule_event wanted;
};

static void
walk(const struct rule_options *rule, const struct step *steps, size_t count)
{
	struct rule_state state = { 0 };

	for (size_t i = 0; i < count; i++) {
		enum rule_event event = rule_sample(rule, &state, steps[i].value, (int64_t)i * S);

		CHECK_INT(event, steps[i].wanted);
		if (event != RULE_NOTHING)
			state.open = event == RULE_RAISE;
	}
}
#define WALK(rule, ...)                                                                \
	do {                                                                           \
		static const struct step steps[] = __VA_ARGS__;                        \
		walk(rule, steps, sizeof steps / sizeof steps[0]);                     \
	} while (0)

static void
raises_once_at_the_limit_and_again_only_after_clear_was_reached(void)
{
	WALK(&above, { { 69.9, RULE_NOTHING }, { 70, RULE_RAISE }, { 80, RULE_NOTHING },
		{ 69, RULE_NOTHING }, { 75, RULE_NOTHING }, { 65.1, RULE_NOTHING },
		{ 65, RULE_CLEAR }, { 64, RULE_NOTHING }, { 66, RULE_NOTHING },
		{ 70, RULE_RAISE }, { 10, RULE_CLEAR } });
}

static void
works_the_other_way_round_for_a_lower_limit(void)
{
	WALK(&below, { { 9, RULE_NOTHING }, { 5, RULE_RAISE }, { 7.9, RULE_NOTHING },
		{ 4, RULE_NOTHING }, { 8, RULE_CLEAR }, { 5.1, RULE_NOTHING },
		{ -3, RULE_RAISE } });
}

static void
an_unknown_value_neither_raises_nor_clears(void)
{
	WALK(&above, { { NAN, RULE_NOTHING }, { 71, RULE_RAISE }, { NAN, RULE_NOTHING },
		{ 66, RULE_NOTHING }, { NAN, RULE_NOTHING }, { 65, RULE_CLEAR } });
}

static void
a_first_value_behind_the_limit_raises(void)
{
	WALK(&above, { { 71, RULE_RAISE } });
}

static void
holds_in_sample_time_and_starts_again_when_a_sample_says_otherwise(void)
{
	struct rule_options rule = above;

	rule.hold = 3 * S;
	WALK(&rule, { { 71, RULE_NOTHING }, { 72, RULE_NOTHING }, { 69, RULE_NOTHING },
		{ 71, RULE_NOTHING }, { 71, RULE_NOTHING }, { NAN, RULE_NOTHING },
		{ 71, RULE_RAISE }, { 60, RULE_CLEAR } });
}

static void
gives_the_event_again_until_it_was_written_down(void)
{
	struct rule_state state = { 0 };

	CHECK_INT(rule_sample(&above, &state, 71, S), RULE_RAISE);
	CHECK_INT(rule_sample(&above, &state, 72, 2 * S), RULE_RAISE);
	state.open = true;
	CHECK_INT(rule_sample(&above, &state, 64, 3 * S), RULE_CLEAR);
	CHECK_INT(rule_sample(&above, &state, 64, 4 * S), RULE_CLEAR);
}

static void
missing_data_is_judged_by_age_alone(void)
{
	struct rule_options rule = { .kind = RULE_NO_DATA, .hold = 30 * S };
	struct rule_state state = { 0 };

	CHECK_INT(rule_judge(&rule, 1e9), RULE_UNKNOWN);
	CHECK_INT(rule_age(&rule, &state, 30 * S - 1), RULE_NOTHING);
	CHECK_INT(rule_age(&rule, &state, 30 * S), RULE_RAISE);
	state.open = true;
	CHECK_INT(rule_age(&rule, &state, 40 * S), RULE_NOTHING);
	CHECK_INT(rule_age(&rule, &state, S), RULE_CLEAR);
}

RUN_TESTS(TEST(raises_once_at_the_limit_and_again_only_after_clear_was_reached),
	TEST(works_the_other_way_round_for_a_lower_limit),
	TEST(an_unknown_value_neither_raises_nor_clears),
	TEST(a_first_value_behind_the_limit_raises),
	TEST(holds_in_sample_time_and_starts_again_when_a_sample_says_otherwise),
	TEST(gives_the_event_again_until_it_was_written_down),
	TEST(missing_data_is_judged_by_age_alone))

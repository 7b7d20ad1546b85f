#include "../check.h"

#include <math.h>

#include "alarm/rule.h"
#include "alarm/ruleset.h"
#include "core/point.h"

#define S INT64_C(1000000000)

static const struct rule_options above = { .name = "hot", .kind = RULE_ABOVE, .limit = 70,
	.clear = 65 };
static const struct rule_options below = { .name = "cold", .kind = RULE_BELOW, .limit = 5,
	.clear = 8 };

static const struct point_state bad_states[] = { { 2, "failed" }, { 4, "absent" } };
static const struct rule_options failed = { .name = "psu", .kind = RULE_IS,
	.states = bad_states, .state_count = 2, .words = bad_states, .word_count = 2 };
static const struct rule_options flapping = { .name = "flap", .kind = RULE_CHANGES,
	.changes = 3, .within = 10 * S };

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
	rule_forget(&state);
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

static void
a_state_breaches_when_it_is_one_of_those_listed(void)
{
	struct rule_options otherwise = failed;

	WALK(&failed, { { 1, RULE_NOTHING }, { 2, RULE_RAISE }, { 4, RULE_NOTHING },
		{ NAN, RULE_NOTHING }, { 3, RULE_CLEAR }, { 4, RULE_RAISE } });
	otherwise.kind = RULE_IS_NOT;
	WALK(&otherwise, { { 2, RULE_NOTHING }, { NAN, RULE_NOTHING }, { 1, RULE_RAISE },
		{ 3, RULE_NOTHING }, { 4, RULE_CLEAR } });
	CHECK_STR(rule_word(&failed, 4), "absent");
	CHECK(rule_word(&failed, 1) == NULL);
}

static void
changes_are_counted_between_good_values_in_their_time(void)
{
	/* The third change within 10 s raises; ten seconds without one clear. */
	WALK(&flapping, { { 1, RULE_NOTHING }, { 2, RULE_NOTHING }, { NAN, RULE_NOTHING },
		{ 2, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 2, RULE_RAISE },
		{ 2, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING },
		{ 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING },
		{ 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_CLEAR },
		{ 2, RULE_NOTHING } });
	/* The same three, but slower than that. */
	WALK(&flapping, { { 1, RULE_NOTHING }, { 2, RULE_NOTHING }, { 2, RULE_NOTHING },
		{ 2, RULE_NOTHING }, { 2, RULE_NOTHING }, { 2, RULE_NOTHING }, { 1, RULE_NOTHING },
		{ 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING }, { 1, RULE_NOTHING },
		{ 1, RULE_NOTHING }, { 2, RULE_NOTHING } });
}

static void
flapping_that_was_open_before_a_restart_is_not_over_with_the_first_value(void)
{
	struct rule_state state = { .open = true };

	CHECK_INT(rule_sample(&flapping, &state, 1, 1000 * S), RULE_NOTHING);
	CHECK_INT(rule_sample(&flapping, &state, 1, 1009 * S), RULE_NOTHING);
	CHECK_INT(rule_sample(&flapping, &state, 1, 1010 * S), RULE_CLEAR);
	rule_forget(&state);
}

static void
rules_are_found_by_the_device_that_they_name(void)
{
	static const struct rule_options some[] = { { .on = "b/x" }, { .on = "*/up" },
		{ .on = "a/if[*]/oper" }, { .on = "ab/x" }, { .on = "b/y" }, { .on = "a?/z" },
		{ .on = "b" } };
	const struct rule_options *const *first;
	struct ruleset set;

	ruleset_open(&set, some, 7);
	CHECK_INT(set.general, 3); /* what names no whole device may be any */
	CHECK_INT(ruleset_of(&set, "a", &first), 1);
	CHECK_STR(first[0]->on, "a/if[*]/oper");
	CHECK_INT(ruleset_of(&set, "b", &first), 2);
	CHECK_STR(first[0]->on, "b/x");
	CHECK_STR(first[1]->on, "b/y");
	CHECK_INT(ruleset_of(&set, "ab", &first), 1);
	CHECK_INT(ruleset_of(&set, "c", &first), 0);
	CHECK_INT(ruleset_of(&set, "", &first), 0);
	ruleset_close(&set);
}

RUN_TESTS(TEST(raises_once_at_the_limit_and_again_only_after_clear_was_reached),
	TEST(works_the_other_way_round_for_a_lower_limit),
	TEST(an_unknown_value_neither_raises_nor_clears),
	TEST(a_first_value_behind_the_limit_raises),
	TEST(holds_in_sample_time_and_starts_again_when_a_sample_says_otherwise),
	TEST(gives_the_event_again_until_it_was_written_down),
	TEST(missing_data_is_judged_by_age_alone),
	TEST(a_state_breaches_when_it_is_one_of_those_listed),
	TEST(changes_are_counted_between_good_values_in_their_time),
	TEST(flapping_that_was_open_before_a_restart_is_not_over_with_the_first_value),
	TEST(rules_are_found_by_the_device_that_they_name))

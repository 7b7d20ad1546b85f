#include "alarm/rule.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/point.h"

/* The newest `changes` times at which the value was another than before, as a ring. */
struct rule_changes {
	double value;
	unsigned count, next, room;
	int64_t times[];
};

static bool
is_listed(const struct rule_options *rule, double value)
{
	for (size_t i = 0; i < rule->state_count; i++)
		if ((double)rule->states[i].value == value)
			return true;
	return false;
}

enum rule_verdict
rule_judge(const struct rule_options *rule, double value)
{
	if (isnan(value))
		return RULE_UNKNOWN;
	switch (rule->kind) {
	case RULE_ABOVE:
		return value >= rule->limit ? RULE_BREACHED :
			value <= rule->clear ? RULE_BACK : RULE_BETWEEN;
	case RULE_BELOW:
		return value <= rule->limit ? RULE_BREACHED :
			value >= rule->clear ? RULE_BACK : RULE_BETWEEN;
	case RULE_IS:
		return is_listed(rule, value) ? RULE_BREACHED : RULE_BACK;
	case RULE_IS_NOT:
		return is_listed(rule, value) ? RULE_BACK : RULE_BREACHED;
	default:
		return RULE_UNKNOWN;
	}
}

const char *
rule_word(const struct rule_options *rule, double value)
{
	for (size_t i = 0; i < rule->word_count; i++)
		if ((double)rule->words[i].value == value)
			return rule->words[i].word;
	return NULL;
}

void
rule_forget(struct rule_state *state)
{
	free(state->changes);
	*state = (struct rule_state){ .open = false };
}

static enum rule_event
count_changes(const struct rule_options *rule, struct rule_state *state, double value,
	int64_t time)
{
	struct rule_changes *seen = state->changes;

	if (seen == NULL) {
		seen = mem_zero(sizeof *seen + rule->changes * sizeof seen->times[0]);
		seen->room = rule->changes;
		seen->value = value;
		state->changes = seen;
		state->since = time; /* what is open from before a restart waits anew */
	}
	if (value != seen->value) {
		seen->value = value;
		seen->times[seen->next] = time;
		seen->next = (seen->next + 1) % seen->room;
		seen->count += seen->count < seen->room;
		state->since = time;
	}
	if (state->open)
		return time - state->since >= rule->within ? RULE_CLEAR : RULE_NOTHING;
	/* Full: next is the oldest of them. */
	return seen->count == seen->room && time - seen->times[seen->next] <= rule->within ?
		RULE_RAISE : RULE_NOTHING;
}

enum rule_event
rule_sample(const struct rule_options *rule, struct rule_state *state, double value,
	int64_t time)
{
	enum rule_verdict verdict = rule_judge(rule, value);

	if (rule->kind == RULE_CHANGES && !isnan(value))
		return count_changes(rule, state, value, time);
	if (verdict == RULE_UNKNOWN)
		return RULE_NOTHING;
	if (verdict != RULE_BREACHED)
		state->since = 0;
	else if (state->since == 0)
		state->since = time;
	if (state->open)
		return verdict == RULE_BACK ? RULE_CLEAR : RULE_NOTHING;
	return verdict == RULE_BREACHED && time - state->since >= rule->hold ? RULE_RAISE :
		RULE_NOTHING;
}

enum rule_event
rule_age(const struct rule_options *rule, const struct rule_state *state, int64_t age)
{
	bool stale = age >= rule->hold;

	if (rule->kind != RULE_NO_DATA || stale == state->open)
		return RULE_NOTHING;
	return stale ? RULE_RAISE : RULE_CLEAR;
}

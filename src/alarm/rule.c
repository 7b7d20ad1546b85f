#include "alarm/rule.h"

#include <math.h>

enum rule_verdict
rule_judge(const struct rule_options *rule, double value)
{
	if (isnan(value) || rule->kind == RULE_NO_DATA)
		return RULE_UNKNOWN;
	if (rule->kind == RULE_ABOVE ? value >= rule->limit : value <= rule->limit)
		return RULE_BREACHED;
	if (rule->kind == RULE_ABOVE ? value <= rule->clear : value >= rule->clear)
		return RULE_BACK;
	return RULE_BETWEEN;
}

enum rule_event
rule_sample(const struct rule_options *rule, struct rule_state *state, double value,
	int64_t time)
{
	enum rule_verdict verdict = rule_judge(rule, value);

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

/* Thresholds: of the configuration, and of the templates that devices use. */
#include "alarm/rule.h"

#include <libconfig.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/tree.h"
#include "core/frozen.h"
#include "core/point.h"
#include "core/severity.h"

/* The keys that say of which kind a rule is; exactly one of them. */
static const struct {
	const char *key;
	enum rule_kind kind;
} kinds[] = { { "above", RULE_ABOVE }, { "below", RULE_BELOW }, { "is", RULE_IS },
	{ "is_not", RULE_IS_NOT }, { "changes", RULE_CHANGES }, { "no_data", RULE_NO_DATA },
	{ "frozen_for", RULE_FROZEN }, { "unchanged_for", RULE_UNCHANGED } };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Not the node's name: where a parameter stands for the value, that is the parameter's. */
static const char *
kind_key(enum rule_kind kind)
{
	size_t at = 0;

	while (kinds[at].kind != kind)
		at++;
	return kinds[at].key;
}

static const struct config_setting_t *
rule_kind(struct build *build, const struct scope *scope, struct rule_options *rule)
{
	const struct config_setting_t *node = scope->levels[0], *found = NULL;
	bool told = node_get(node, "above_percent") != NULL ||
		node_get(node, "below_percent") != NULL; /* refused by name already */
	size_t count = 0;

	for (size_t i = 0; i < KINDS; i++) {
		const struct config_setting_t *given = scope_find(scope, kinds[i].key);

		told |= node_get(node, kinds[i].key) != NULL && given == NULL;
		if (given == NULL)
			continue;
		found = given;
		rule->kind = kinds[i].kind;
		count++;
	}
	if (count == 1)
		return found;
	if (count > 1 || !told)
		node_error(node, build->errors, "%s of above, below, is, is_not, changes, "
			"no_data, frozen_for and unchanged_for: give exactly one", count == 0 ? "none" : "more than one");
	return NULL;
}

static void
refuse(struct build *build, const struct scope *scope, const char *key, const char *kind,
	const char *why)
{
	const struct config_setting_t *node = node_get(scope->levels[0], key);

	if (node != NULL)
		node_error(node, build->errors, "%s: does not go with %s: %s", key, kind, why);
}

static bool
rule_still(struct build *build, const struct scope *scope, struct rule_options *rule,
	const struct config_setting_t *given)
{
	rule->hold = scope_duration(scope, kind_key(rule->kind));
	refuse(build, scope, "clear", kind_key(rule->kind), "it is back with the next change");
	refuse(build, scope, "for", kind_key(rule->kind), "it has its own time");
	rule->marks_self = scope_find(scope, "marks") != NULL;
	if (rule->kind == RULE_UNCHANGED && node_count(scope_find(scope, "while_moving")) == 0) {
		node_error(given, build->errors, "unchanged_for: needs the points that move meanwhile, "
			"while_moving = [ \"press-3/*\" ]; a life bit or counter takes frozen_for");
		return false;
	}
	return rule->hold > 0;
}

static bool
rule_limit(struct build *build, const struct scope *scope, struct rule_options *rule)
{
	const struct config_setting_t *given = rule_kind(build, scope, rule);

	if (given == NULL)
		return false;
	rule->hold = scope_duration(scope, "for");
	if (rule->kind != RULE_CHANGES)
		refuse(build, scope, "within", kind_key(rule->kind), "it is the time for changes");
	if (rule->kind != RULE_UNCHANGED)
		refuse(build, scope, "while_moving", kind_key(rule->kind), "it is for unchanged_for");
	if (rule->kind != RULE_UNCHANGED && rule->kind != RULE_FROZEN)
		refuse(build, scope, "marks", kind_key(rule->kind), "it is for frozen_for and unchanged_for");
	switch (rule->kind) {
	case RULE_FROZEN:
	case RULE_UNCHANGED:
		return rule_still(build, scope, rule, given);
	case RULE_NO_DATA:
		rule->hold = scope_duration(scope, "no_data");
		refuse(build, scope, "clear", "no_data", "it is back with the next good value");
		refuse(build, scope, "for", "no_data", "it has its own time");
		return true;
	case RULE_CHANGES:
		rule->changes = (unsigned)scope_int(scope, "changes");
		rule->within = scope_duration(scope, "within");
		rule->hold = 0;
		refuse(build, scope, "clear", "changes", "it is back when nothing changes");
		refuse(build, scope, "for", "changes", "the time to count in is within");
		if (rule->within == 0)
			node_error(given, build->errors, "changes: needs the time in which they "
				"count, within = \"5m\"");
		return rule->within > 0;
	case RULE_IS:
	case RULE_IS_NOT:
		refuse(build, scope, "clear", kind_key(rule->kind), "any other state clears");
		return true;
	default:
		rule->limit = rule->clear = node_number(given);
		if (node_is_number(scope_find(scope, "clear")))
			rule->clear = scope_number(scope, "clear");
		return node_is_number(given);
	}
}

/* ---- states: the numbers behind the words ---- */

/* What the word means at that point; a number stands for itself. */
static bool
find_state(const struct point *point, const char *word, int64_t *value)
{
	for (size_t i = 0; point != NULL && i < point->state_count; i++)
		if (strcmp(point->states[i].word, word) == 0) {
			*value = point->states[i].value;
			return true;
		}
	return str_int(word, value, NULL) == 0;
}

static const char *
state_list(const struct build *build, const struct point *point)
{
	const char *text = "";

	if (point == NULL || point->state_count == 0)
		return "it has no words: write a number";
	for (size_t i = 0; i < point->state_count; i++)
		text = arena_format(build->arena, "%s%s%s", text, i == 0 ? "" : ", ",
			point->states[i].word);
	return arena_format(build->arena, "it has: %s; a number will do as well", text);
}

/* One word at all points that the rule may concern: known there, and of one number. */
static bool
resolve(struct build *build, const struct rule_options *rule, struct point_state *state)
{
	const struct known *first = NULL;

	for (size_t at = known_match(build, rule->on, 0); at < build->known_count;
		at = known_match(build, rule->on, at + 1)) {
		const struct known *known = &build->known[at];
		int64_t value;

		if (known->kind == POINT_TEXT)
			continue;
		if (!find_state(known->source, state->word, &value)) {
			conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": \"%s\" "
				"is no state of %s (%s)", rule->name,
				state->word, known->text, state_list(build, known->source));
			return false;
		}
		if (first != NULL && value != state->value) {
			conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": \"%s\" "
				"is %lld at %s and %lld at %s: write a rule for each", rule->name,
				state->word, (long long)state->value, first->text, (long long)value,
				known->text);
			return false;
		}
		if (first == NULL)
			first = known;
		state->value = value;
	}
	return true;
}

static void
resolve_states(struct build *build, struct rule_options *rule)
{
	struct point_state *states = arena_copy(build->arena, rule->states,
		rule->state_count * sizeof *states);
	size_t at = known_match(build, rule->on, 0);

	while (at < build->known_count && build->known[at].kind == POINT_TEXT)
		at = known_match(build, rule->on, at + 1);
	if (at < build->known_count && build->known[at].source != NULL) {
		rule->words = build->known[at].source->states;
		rule->word_count = build->known[at].source->state_count;
	}
	for (size_t i = 0; i < rule->state_count; i++)
		if (!resolve(build, rule, &states[i]))
			return;
	rule->states = states;
}

/* The words as written; check_on finds out which numbers they are. */
static void
take_words(struct build *build, const struct scope *scope, struct rule_options *rule)
{
	const struct config_setting_t *node =
		scope_find(scope, rule->kind == RULE_IS ? "is" : "is_not");
	const char *const *words;
	size_t count = build_words(build, node, &words);
	struct point_state *states = arena_zero(build->arena, (count + 1) * sizeof *states);

	for (size_t i = 0; i < count; i++)
		states[i].word = words[i];
	if (count == 0)
		node_error(node, build->errors, "%s: needs at least one state", node_name(node));
	rule->states = states;
	rule->state_count = count;
}

/* Globs of a list; those of a template are about its device. */
static size_t
take_globs(struct build *build, const struct scope *scope, const char *key,
	const struct device *device, const char *const **globs)
{
	const struct config_setting_t *list = scope_find(scope, key);
	size_t count = 0;
	const char **texts = arena_zero(build->arena, (size_t)node_count(list) * sizeof *texts);

	for (int i = 0; i < node_count(list); i++) {
		const char *text = node_text(node_at(list, i));

		if (text == NULL)
			continue;
		texts[count++] = device == NULL ? arena_text(build->arena, text) :
			arena_format(build->arena, "%s/%s", device->name, text);
	}
	*globs = texts;
	return count;
}

static void
check_clear(struct build *build, const struct scope *scope, const struct rule_options *rule)
{
	char clear[40], limit[40];

	str_number(clear, sizeof clear, rule->clear);
	str_number(limit, sizeof limit, rule->limit);
	if (rule->kind == RULE_ABOVE && rule->clear > rule->limit)
		node_error(scope_find(scope, "clear"), build->errors, "clear %s: must not be higher "
			"than above %s", clear, limit);
	if (rule->kind == RULE_BELOW && rule->clear < rule->limit)
		node_error(scope_find(scope, "clear"), build->errors, "clear %s: must not be lower "
			"than below %s", clear, limit);
}

static void
add(struct build *build, const struct rule_options *rule)
{
	if ((build->rule_count & (build->rule_count - 1)) == 0)
		build->rules = mem_grow(build->rules,
			build->rule_count == 0 ? 1 : build->rule_count * 2, sizeof *build->rules);
	build->rules[build->rule_count++] = *rule;
}

void
build_rule(struct build *build, const struct config_setting_t *node, const struct unit *unit,
	const struct device *device)
{
	struct scope scope = build_scope(build, "threshold", node);
	struct rule_options rule = { 0 };
	int severity;

	if (unit != NULL) {
		scope.tmpl = unit->tmpl;
		scope.given = node_get(unit->device, "parameters");
	}
	rule.name = build_text(build, &scope, "name");
	rule.on = build_text(build, &scope, "on");
	if (rule.on[0] == '\0' || rule.name[0] == '\0' || !rule_limit(build, &scope, &rule))
		return;
	check_clear(build, &scope, &rule);
	if (rule.kind == RULE_IS || rule.kind == RULE_IS_NOT)
		take_words(build, &scope, &rule);
	rule.standard = device != NULL;
	if (device != NULL)
		rule.on = arena_format(build->arena, "%s/%s", device->name, rule.on);
	rule.moving_count = take_globs(build, &scope, "while_moving", device, &rule.moving);
	rule.mark_count = take_globs(build, &scope, "marks", device, &rule.marks);
	severity = severity_parse(scope_text(&scope, "severity"));
	rule.severity = severity == -1 ? SEVERITY_MAJOR : (enum severity)severity;
	rule.help = build_text(build, &scope, "help");
	rule.text = build_text(build, &scope, "text");
	rule.place = build_text(build, &scope, "place");
	rule.owner = build_text(build, &scope, "owner");
	rule.file = arena_text(build->arena, node_path(node));
	rule.line = node_line(node);
	add(build, &rule);
}

static void
check_globs(struct build *build, const struct rule_options *rule, const char *key,
	const char *const *globs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (known_match(build, globs[i], 0) == build->known_count)
			conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": %s \"%s\": "
				"no point is called like that", rule->name, key, globs[i]);
}

/* What a device says of itself has no reading that could stand still: rtt always moves. */
static bool
is_own(const struct known *known)
{
	return known->table == NULL && (strcmp(known->point, "up") == 0 ||
		strcmp(known->point, "rtt") == 0 || strcmp(known->point, "loss") == 0);
}

/* Two slots at least, or a value that is read once in the time would never have changed. */
static void
check_still(struct build *build, const struct rule_options *rule)
{
	bool found = false;

	for (size_t at = known_match(build, rule->on, 0); at < build->known_count;
		at = known_match(build, rule->on, at + 1)) {
		const struct known *known = &build->known[at];
		char span[32], interval[32];

		if (is_own(known))
			continue;
		found = true;
		if (rule->hold >= 2 * known->interval)
			continue;
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": %s is less than "
			"two intervals of %s (%s)", rule->name,
			str_time_span(span, sizeof span, rule->hold), known->text,
			str_time_span(interval, sizeof interval, known->interval));
		return;
	}
	if (!found)
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": on \"%s\": up, rtt "
			"and loss cannot stand still", rule->name, rule->on);
	check_globs(build, rule, "while_moving", rule->moving, rule->moving_count);
	check_globs(build, rule, "marks", rule->marks, rule->mark_count);
}

/* More than one interval, or each poll would find it breached and end it. */
static void
check_no_data(struct build *build, const struct rule_options *rule)
{
	for (size_t at = known_match(build, rule->on, 0); at < build->known_count;
		at = known_match(build, rule->on, at + 1)) {
		const struct known *known = &build->known[at];
		char span[32], interval[32];

		if (rule->hold > known->interval)
			continue;
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": no_data %s must "
			"be more than one interval of %s (%s): nothing comes sooner", rule->name,
			str_time_span(span, sizeof span, rule->hold), known->text,
			str_time_span(interval, sizeof interval, known->interval));
		return;
	}
}

/* Must be able to match something, and not only texts when it compares numbers. */
static void
check_on(struct build *build, struct rule_options *rule)
{
	size_t at = known_match(build, rule->on, 0);
	const char *near;

	if (at == build->known_count) {
		near = known_nearest(build, rule->on);
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": on \"%s\": no "
			"point is called like that%s%s%s", rule->name, rule->on,
			near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
			near == NULL ? "" : "\"?)");
		return;
	}
	if (rule->kind == RULE_FROZEN || rule->kind == RULE_UNCHANGED)
		check_still(build, rule);
	if (rule->kind == RULE_NO_DATA)
		check_no_data(build, rule);
	if (rule->kind == RULE_NO_DATA || rule->kind == RULE_FROZEN ||
		rule->kind == RULE_UNCHANGED)
		return;
	while (at < build->known_count && build->known[at].kind == POINT_TEXT)
		at = known_match(build, rule->on, at + 1);
	if (at == build->known_count)
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": on \"%s\": is a "
			"text and has no limit", rule->name, rule->on);
	else if (rule->kind == RULE_CHANGES || rule->state_count > 0)
		resolve_states(build, rule);
}

/* Two rules of one name on one point would be one alarm key with two meanings. */
static void
check_keys(struct build *build, size_t at)
{
	const struct rule_options *one = &build->rules[at];

	for (size_t i = 0; i < at; i++) {
		const struct rule_options *other = &build->rules[i];

		if (strcmp(one->name, other->name) == 0 && known_meets(one->on, other->on))
			conf_error(build->errors, one->file, one->line, "threshold \"%s\": on \"%s\": "
				"the one of %s:%d has the same name and may mean the same point",
				one->name, one->on, other->file, other->line);
	}
}

/* What core/frozen has to know of the rules about what stands still. */
static void
give_frozen(struct build *build)
{
	struct frozen_rule *rules = arena_zero(build->arena, (build->rule_count + 1) * sizeof *rules);
	size_t count = 0;

	for (size_t i = 0; i < build->rule_count; i++) {
		const struct rule_options *rule = &build->rules[i];

		if (rule->kind != RULE_FROZEN && rule->kind != RULE_UNCHANGED)
			continue;
		rules[count++] = (struct frozen_rule){ .name = rule->name, .on = rule->on,
			.span = rule->hold, .moving = rule->moving, .moving_count = rule->moving_count,
			.marks_self = rule->marks_self, .marks = rule->marks,
			.mark_count = rule->mark_count };
	}
	build->inventory->frozen = rules;
	build->inventory->frozen_count = count;
}

void
build_rules(struct build *build)
{
	struct node_list nodes = conf_entries(build->conf, "thresholds", build->arena);
	size_t of_templates = build->rule_count;

	build_unique(build, &nodes);
	for (size_t i = 0; i < nodes.count; i++)
		build_rule(build, nodes.items[i], NULL, NULL);
	for (size_t i = 0; i < build->rule_count; i++) {
		check_on(build, &build->rules[i]);
		if (i < of_templates)
			continue;
		for (size_t k = of_templates; k < i; k++) {
			if (strcmp(build->rules[k].name, build->rules[i].name) == 0)
				goto next; /* told by build_unique */
		}
		check_keys(build, i);
	next:;
	}
	build->inventory->thresholds = arena_copy(build->arena, build->rules,
		build->rule_count * sizeof *build->rules);
	build->inventory->threshold_count = build->rule_count;
	give_frozen(build);
}

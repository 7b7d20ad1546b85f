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
#include "core/severity.h"

static bool
rule_limit(struct build *build, const struct scope *scope, struct rule_options *rule)
{
	const struct config_setting_t *node = scope->levels[0];
	const struct config_setting_t *above = scope_find(scope, "above");
	const struct config_setting_t *below = scope_find(scope, "below");
	const struct config_setting_t *no_data = scope_find(scope, "no_data");
	int count = (above != NULL) + (below != NULL) + (no_data != NULL);

	if (count != 1) {
		/* A kind that this version does not have was told by name already. */
		if (count > 1 || (node_get(node, "above_percent") == NULL &&
			node_get(node, "below_percent") == NULL &&
			node_get(node, "changes") == NULL && node_get(node, "above") == NULL &&
			node_get(node, "below") == NULL && node_get(node, "no_data") == NULL))
			node_error(node, build->errors, "%s of above, below and no_data: give exactly "
				"one", count == 0 ? "none" : "more than one");
		return false;
	}
	rule->hold = scope_duration(scope, "for");
	if (no_data != NULL) {
		rule->kind = RULE_NO_DATA;
		rule->hold = scope_duration(scope, "no_data");
		if (node_get(node, "clear") != NULL || node_get(node, "for") != NULL)
			node_error(node, build->errors, "no_data: goes without clear and for: it is "
				"back with the next good value, and has its own time");
		return true;
	}
	rule->kind = above != NULL ? RULE_ABOVE : RULE_BELOW;
	rule->limit = node_number(above != NULL ? above : below);
	rule->clear = rule->limit;
	if (node_is_number(scope_find(scope, "clear")))
		rule->clear = scope_number(scope, "clear");
	return node_is_number(above != NULL ? above : below);
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
	if (device != NULL)
		rule.on = arena_format(build->arena, "%s/%s", device->name, rule.on);
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

/* Must be able to match something, and not only texts when it compares numbers. */
static void
check_on(struct build *build, const struct rule_options *rule)
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
	if (rule->kind == RULE_NO_DATA)
		return;
	while (at < build->known_count && build->known[at].kind == POINT_TEXT)
		at = known_match(build, rule->on, at + 1);
	if (at == build->known_count)
		conf_error(build->errors, rule->file, rule->line, "threshold \"%s\": on \"%s\": is a "
			"text and has no limit", rule->name, rule->on);
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
}

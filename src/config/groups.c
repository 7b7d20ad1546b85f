/* The groups of a device: what is asked for together, and which file its history lies in. */
#include <libconfig.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/tree.h"
#include "core/driver.h"
#include "core/self.h"
#include "core/series.h"
#include "modbus/modbus.h"
#include "reach/reach.h"
#include "snmp/peers.h"
#include "snmp/snmp.h"

struct work {
	struct build *build;
	struct device *device;
	int64_t interval; /* of the device */
	bool align;
	struct group *groups; /* on the heap */
	size_t count;
	const struct config_setting_t *node; /* of the device */
};

static const struct config_setting_t *
row_options(const struct work *work, const char *table)
{
	return node_get(node_get(work->node, "rows"), table);
}

/* POSIX extended; the driver compiles it again. */
static const char *
build_regex(struct work *work, const struct scope *rows, const char *key)
{
	const char *text = build_text(work->build, rows, key);
	char why[120];
	regex_t regex;
	int status;

	if (text[0] == '\0')
		return text;
	status = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
	if (status != 0) {
		regerror(status, &regex, why, sizeof why);
		node_error(rows->levels[0], work->build->errors, "%s \"%s\": %s", key, text, why);
		return "";
	}
	regfree(&regex);
	return text;
}

static void
build_infos(struct build *build, const struct scope *scope, const struct node_list *nodes,
	struct snmp_group *wire)
{
	struct snmp_info *infos = arena_zero(build->arena, nodes->count * sizeof *infos);

	for (size_t i = 0; i < nodes->count; i++) {
		struct snmp_info *info = &infos[wire->info_count];

		info->name = arena_text(build->arena, node_get_text(nodes->items[i], "name", ""));
		if (build_oid(build, scope, node_get(nodes->items[i], "oid"), &info->oid))
			wire->info_count++;
	}
	wire->infos = arena_same(build->arena, infos, nodes->count * sizeof *infos);
}

static size_t
build_types(struct build *build, const struct scope *rows, const char *key,
	const int64_t **types)
{
	const struct config_setting_t *list = scope_find(rows, key);
	int64_t *numbers = arena_zero(build->arena, (size_t)node_count(list) * sizeof *numbers);

	for (int i = 0; i < node_count(list); i++)
		numbers[i] = node_integer(node_at(list, i));
	*types = arena_same(build->arena, numbers, (size_t)node_count(list) * sizeof *numbers);
	return (size_t)node_count(list);
}

/* Of the table's point that is called like a column: its first OID, or NULL. */
static const struct config_setting_t *
point_oid(struct build *build, const struct config_setting_t *table, const char *name)
{
	struct node_list points = template_members(NULL, table, "points", build->scratch);

	for (size_t i = 0; i < points.count; i++) {
		const struct config_setting_t *oid = node_get(points.items[i], "oid");

		if (strcmp(node_get_text(points.items[i], "name", ""), name) == 0)
			return node_count(oid) > 0 ? node_at(oid, 0) : oid;
	}
	return NULL;
}

/* The table's column that a key of rows needs. */
static bool
build_choice(struct work *work, const struct scope *rows, const char *key,
	const struct scope *table, const char *column, struct snmp_oid *oid)
{
	const struct config_setting_t *from = scope_find(table, column);

	if (from == NULL)
		from = point_oid(work->build, table->levels[0], column);
	if (build_oid(work->build, table, from, oid))
		return true;
	if (from == NULL)
		node_error(scope_find(rows, key), work->build->errors,
			"%s: table \"%s\" does not say which column is %s: give it %s = \"OID\"", key,
			node_get_text(table->levels[0], "name", ""), column, column);
	return false;
}

static void
build_choices(struct work *work, const struct scope *rows, const struct scope *table,
	struct snmp_group *wire)
{
	static const char *const columns[] = { "", "admin", "oper" };
	const char *keep = build_text(work->build, rows, "keep");
	const char *types = scope_find(rows, "types") != NULL ? "types" : "exclude_types";

	wire->include = build_regex(work, rows, "include");
	wire->exclude = build_regex(work, rows, "exclude");
	wire->type_count = build_types(work->build, rows, "types", &wire->types);
	wire->exclude_type_count = build_types(work->build, rows, "exclude_types",
		&wire->exclude_types);
	if (wire->type_count > 0 || wire->exclude_type_count > 0)
		build_choice(work, rows, types, table, "type", &wire->type);
	wire->keep = strcmp(keep, "admin-up") == 0 ? SNMP_KEEP_ADMIN_UP :
		strcmp(keep, "once-up") == 0 ? SNMP_KEEP_ONCE_UP : SNMP_KEEP_ALL;
	if (wire->keep != SNMP_KEEP_ALL)
		build_choice(work, rows, "keep", table, columns[wire->keep], &wire->status);
}

/* The table of connections that is asked for says to where they are looked for, and has
 * nothing that another table has. */
static void
build_peers(struct work *work, const struct scope *rows, const struct scope *table,
	struct snmp_group *wire)
{
	static const char *const others[] = { "key", "discontinuity", "type", "admin", "oper",
		"info" };
	const struct config_setting_t *list = scope_find(rows, "remote"), *node = table->levels[0];
	const char *name = node_get_text(node, "name", "");
	struct snmp_peer *peers = arena_zero(work->build->arena,
		((size_t)node_count(list) + 1) * sizeof *peers);
	struct snmp_peer *peer = peers;
	struct fail why;

	if (!scope_bool(table, "connections")) {
		if (list != NULL)
			node_error(list, work->build->errors, "remote: the rows of table \"%s\" are "
				"no connections", name);
		return;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (node_get(node, others[i]) != NULL)
			node_error(node, work->build->errors, "%s: a table of connections has none",
				others[i]);
	if (node_count(node_get(node, "points")) != 1)
		node_error(node, work->build->errors, "points: a table of connections has one, the "
			"state of the connection");
	if (node_count(list) == 0)
		node_error(rows->levels[0], work->build->errors, "remote: say to where connections are "
			"looked for, as remote = [ \"10.1.7.20:502\" ]");
	for (int i = 0; i < node_count(list); i++) {
		const char *text = node_text(node_at(list, i));

		if (text == NULL)
			continue; /* the schema has told */
		if (peer_parse(arena_text(work->build->arena, text), peer, &why) == -1) {
			node_error(list, work->build->errors, "remote: %s", why.text);
			continue;
		}
		for (const struct snmp_peer *former = peers; former < peer; former++)
			if (peer_same(former, peer))
				node_error(list, work->build->errors, "remote: \"%s\" and \"%s\" are one "
					"place", former->name, peer->name);
		peer++;
	}
	wire->peer_count = (size_t)(peer - peers);
	wire->peers = peers;
}

static const struct snmp_group *
build_wire(struct work *work, const struct unit *unit, const struct config_setting_t *table,
	bool with_infos)
{
	struct build *build = work->build;
	struct snmp_group *wire = arena_zero(build->arena, sizeof *wire);
	struct scope scope = build_scope(build, "table", table), rows;
	struct node_list infos = { 0 };

	wire->include = wire->exclude = "";
	if (with_infos && table != NULL)
		infos = template_members(NULL, table, "info", build->scratch);
	else if (with_infos)
		infos = template_members(unit->tmpl, NULL, "info", build->scratch);
	scope.tmpl = unit->tmpl;
	scope.given = node_get(work->node, "parameters");
	build_infos(build, &scope, &infos, wire);
	if (table == NULL)
		return arena_same(build->arena, wire, sizeof *wire);
	wire->key_count = build_oids(build, &scope, "key", &wire->keys);
	build_oid(build, &scope, scope_find(&scope, "discontinuity"), &wire->discontinuity);
	rows = build_scope(build, "row", row_options(work, node_get_text(table, "name", "")));
	build_choices(work, &rows, &scope, wire);
	build_peers(work, &rows, &scope, wire);
	return arena_same(build->arena, wire, sizeof *wire);
}

/* Points that would share a data source of the RRD file, or a name. */
static void
check_names(struct work *work, const struct draft *drafts, size_t count)
{
	char one[32], other[32];

	for (size_t i = 0; i < count; i++) {
		series_ds(one, sizeof one, drafts[i].point.name);
		for (size_t k = 0; k < i; k++) {
			series_ds(other, sizeof other, drafts[k].point.name);
			if (strcmp(drafts[i].point.name, drafts[k].point.name) == 0)
				node_error(drafts[i].node, work->build->errors,
					"there is another point of this name in line %d",
					node_line(drafts[k].node));
			else if (strcmp(one, other) == 0)
				node_error(drafts[i].node, work->build->errors, "its data source would "
					"be called \"%s\", as that of point \"%s\": choose another name",
					one, drafts[k].point.name);
		}
	}
}

/* A power of ten is read in the same poll, so it stands in the same group. */
static void
check_powers(struct work *work, const struct draft *drafts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct modbus_point *wire = drafts[i].point.wire;
		const struct draft *from = NULL;

		if (drafts[i].protocol != PROTOCOL_MODBUS || wire->scale_from == NULL)
			continue;
		for (size_t k = 0; k < count; k++) {
			if (k != i && strcmp(drafts[k].point.name, wire->scale_from) == 0)
				from = &drafts[k];
		}
		if (from == NULL)
			node_error(drafts[i].node, work->build->errors,
				"scale_from: there is no point \"%s\" beside this one",
				wire->scale_from);
		else if (from->interval != drafts[i].interval || from->retain != drafts[i].retain)
			node_error(drafts[i].node, work->build->errors,
				"scale_from: point \"%s\" has another interval or retain",
				wire->scale_from);
		else if (from->protocol == PROTOCOL_MODBUS &&
			((const struct modbus_point *)from->point.wire)->scale_from != NULL)
			node_error(drafts[i].node, work->build->errors,
				"scale_from: point \"%s\" has a power of its own", wire->scale_from);
	}
}

/* What is read by one request is due at one time. */
static void
check_atomic(struct work *work, const struct draft *drafts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct modbus_point *wire = drafts[i].point.wire, *other;

		if (drafts[i].protocol != PROTOCOL_MODBUS || wire->atomic == NULL)
			continue;
		for (size_t k = 0; k < i; k++) {
			other = drafts[k].point.wire;
			if (drafts[k].protocol != PROTOCOL_MODBUS || other->atomic == NULL ||
				strcmp(other->atomic, wire->atomic) != 0 ||
				(drafts[k].interval == drafts[i].interval &&
					drafts[k].retain == drafts[i].retain))
				continue;
			node_error(drafts[i].node, work->build->errors, "atomic \"%s\": point \"%s\" has "
				"another interval or retain", wire->atomic, drafts[k].point.name);
			break;
		}
	}
}

/* "15m": in the largest unit that holds it whole. */
static const char *
whole_units(struct work *work, int64_t duration)
{
	static const struct {
		long long seconds;
		char unit;
	} units[] = { { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	long long seconds = duration / INT64_C(1000000000);
	size_t i = 0;

	while (seconds % units[i].seconds != 0)
		i++;
	return arena_format(work->build->arena, "%lld%c", seconds / units[i].seconds,
		units[i].unit);
}

/* "" or "@15m", "~720h" or both: what is kept for another time stands in another file. The
 * usual interval has none: a point at another one does not move its neighbours. */
static const char *
suffix(struct work *work, const struct group *group, int64_t usual)
{
	const char *text = "";

	if (group->interval != usual)
		text = arena_format(work->build->arena, "@%s", whole_units(work, group->interval));
	if (group->retain != 0)
		text = arena_format(work->build->arena, "%s~%s", text,
			whole_units(work, group->retain));
	return text;
}

static bool
belongs(const struct draft *draft, const struct group *group)
{
	return draft->interval == group->interval && draft->retain == group->retain &&
		(draft->protocol == PROTOCOL_SNMP) == (group->driver == &snmp_driver);
}

static struct group *
find_group(struct work *work, size_t first, const struct draft *draft)
{
	for (size_t i = first; i < work->count; i++) {
		if (belongs(draft, &work->groups[i]))
			return &work->groups[i];
	}
	work->groups = mem_grow(work->groups, work->count + 1, sizeof *work->groups);
	work->groups[work->count] = (struct group){
		.interval = draft->interval, .retain = draft->retain,
		.driver = draft->protocol == PROTOCOL_SNMP ? &snmp_driver : &modbus_driver,
		.table = NULL,
	};
	return &work->groups[work->count++];
}

static void
fill_group(struct work *work, struct group *group, const struct draft *drafts, size_t count)
{
	struct point *points = arena_zero(work->build->arena, count * sizeof *points);

	for (size_t i = 0; i < count; i++) {
		const struct draft *draft = &drafts[i];

		if (!belongs(draft, group))
			continue;
		/* One file, one phase: one aligned point aligns all of its interval. */
		group->align = group->align || draft->align;
		points[group->point_count++] = draft->point;
	}
	group->points = arena_same(work->build->arena, points, count * sizeof *points);
}

/* The nearest that says it: the device's rows, the device, the table, its template and what
 * that inherits, the store. */
static const char *
find_retention(struct work *work, const struct unit *unit, const struct config_setting_t *table)
{
	struct scope scope = build_scope(work->build, "row",
		table == NULL ? NULL : row_options(work, node_get_text(table, "name", "")));

	scope.tmpl = unit->tmpl;
	scope.given = node_get(work->node, "parameters");
	scope_push(&scope, work->node);
	scope_push(&scope, table);
	for (const struct template *at = unit->tmpl; at != NULL; at = at->parent)
		scope_push(&scope, at->node);
	return scope_find(&scope, "retention") != NULL ?
		build_text(work->build, &scope, "retention") : build_retention(work->build);
}

/* One template's (or the device's own) points of one table, or its scalars. */
static void
group_points(struct work *work, const struct unit *unit,
	const struct config_setting_t *table, const struct node_list *nodes)
{
	struct draft *drafts = mem_array(nodes->count, sizeof *drafts);
	size_t count = 0, first = work->count;
	int64_t usual = work->interval;
	struct scope options = build_scope(work->build, "table", table);

	if (scope_duration(&options, "interval") > 0)
		usual = scope_duration(&options, "interval");
	for (size_t i = 0; i < nodes->count; i++) {
		struct draft *draft = &drafts[count];

		if (!build_point(work->build, unit, table, nodes->items[i], draft))
			continue;
		if (draft->interval == 0)
			draft->interval = work->interval;
		if (!draft->align_given)
			draft->align = work->align && draft->interval >= INT64_C(60000000000);
		count++;
	}
	check_names(work, drafts, count);
	check_powers(work, drafts, count);
	check_atomic(work, drafts, count);
	for (size_t i = 0; i < count; i++)
		find_group(work, first, &drafts[i]);
	for (size_t i = first; i < work->count; i++) {
		struct group *group = &work->groups[i];
		struct scope rows;

		fill_group(work, group, drafts, count);
		group->name = arena_text(work->build->arena, unit->name);
		group->suffix = suffix(work, group, usual);
		group->profile = find_retention(work, unit, table);
		if (group->retain != 0)
			group->profile = arena_format(work->build->arena, "%s:%s", group->profile,
				whole_units(work, group->retain));
		if (table != NULL)
			group->table = arena_text(work->build->arena, node_get_text(table, "name", ""));
		rows = build_scope(work->build, "row",
			table == NULL ? NULL : row_options(work, group->table));
		group->retire = scope_duration(&rows, "retire");
		if (group->driver == &snmp_driver)
			group->wire = build_wire(work, unit, table, i == first);
		group->connections = table != NULL && scope_bool(&options, "connections");
	}
	free(drafts);
}

/* Appends the points of the lists that this device or template names. */
static void
add_registers(struct work *work, const struct config_setting_t *names, struct node_list *points)
{
	for (int i = 0; i < node_count(names); i++) {
		const char *name = node_text(node_at(names, i));
		const struct config_setting_t *list = name == NULL ? NULL :
			conf_list_points(work->build->conf, name);
		size_t count = points->count + (size_t)node_count(list);
		const struct config_setting_t **items =
			arena_zero(work->build->scratch, count * sizeof *items);

		if (points->count > 0)
			memcpy(items, points->items, points->count * sizeof *items);
		for (int k = 0; k < node_count(list); k++)
			items[points->count + (size_t)k] = node_at(list, k);
		points->items = items;
		points->count = count;
	}
}

static struct node_list
unit_points(struct work *work, const struct unit *unit)
{
	struct node_list points = template_members(unit->tmpl, unit->own, "points",
		work->build->scratch);

	add_registers(work, node_get(unit->own, "registers"), &points);
	for (const struct template *at = unit->tmpl; at != NULL; at = at->parent)
		add_registers(work, node_get(at->node, "registers"), &points);
	return points;
}

/* A table of connections that the device's rows say nothing of. */
static bool
is_unasked(struct work *work, const struct config_setting_t *table, const char *name)
{
	struct scope scope = build_scope(work->build, "table", table);

	return scope_bool(&scope, "connections") &&
		(name == NULL || row_options(work, name) == NULL);
}

static bool
is_empty_list(const struct config_setting_t *node)
{
	return node != NULL && config_setting_is_list(node) && node_count(node) == 0;
}

static void
group_unit(struct work *work, const struct unit *unit)
{
	struct build *build = work->build;
	struct node_list points = unit_points(work, unit);
	struct node_list tables = template_members(unit->tmpl, NULL, "tables", build->scratch);

	group_points(work, unit, NULL, &points);
	for (size_t i = 0; i < tables.count; i++) {
		const char *name = node_get_text(tables.items[i], "name", NULL);

		if (unit->tmpl->protocol == PROTOCOL_MODBUS) {
			node_error(tables.items[i], build->errors, "tables are only for SNMP");
			continue;
		}
		for (size_t k = 0; name != NULL && k < i; k++) {
			if (strcmp(node_get_text(tables.items[k], "name", ""), name) == 0)
				node_error(tables.items[i], build->errors,
					"there is another table of this name in line %d",
					node_line(tables.items[k]));
		}
		points = template_members(NULL, tables.items[i], "points", build->scratch);
		if (points.count == 0 && is_empty_list(node_get(tables.items[i], "points")))
			node_error(tables.items[i], build->errors, "points: a table has at least one");
		/* Reading all connections of a server is only for who wants some. */
		if (is_unasked(work, tables.items[i], name))
			continue;
		if (name != NULL)
			group_points(work, unit, tables.items[i], &points);
	}
	if (unit->tmpl != NULL && points.count == 0 && tables.count == 0)
		node_error(unit->tmpl->node, build->errors, "has neither points nor tables");
}

static void
check_own(struct work *work, const struct group *group)
{
	static const char *const own[] = { "up", "rtt", "loss" };

	for (size_t p = 0; p < group->point_count && group->table == NULL; p++) {
		for (size_t k = 0; k < 3; k++) {
			if (strcmp(group->points[p].name, own[k]) == 0)
				node_error(work->node, work->build->errors, "point \"%s\" of \"%s\": "
					"every device has one of this name already", own[k],
					group->name);
		}
	}
}

/* What two units have both: paths of the device that would mean two things. */
struct clash {
	const char *what, *name; /* the first */
	size_t count;
};

static void
add_clash(struct clash *clash, const char *what, const char *name)
{
	if (clash->count++ > 0)
		return;
	clash->what = what;
	clash->name = name;
}

static void
compare_groups(const struct group *one, const struct group *other, struct clash *clash)
{
	if (one->table != NULL && other->table != NULL && strcmp(one->table, other->table) == 0)
		add_clash(clash, "table", one->table);
	if (one->table != NULL || other->table != NULL)
		return;
	for (size_t p = 0; p < one->point_count; p++) {
		for (size_t q = 0; q < other->point_count; q++) {
			if (strcmp(one->points[p].name, other->points[q].name) == 0)
				add_clash(clash, "point", one->points[p].name);
		}
	}
}

/* Of two templates, or of one and the device's own points; check_names looks within each. */
static void
check_units(struct work *work, const char *one, const char *other)
{
	bool templates = strcmp(one, "points") != 0 && strcmp(one, SELF_GROUP) != 0 &&
		strcmp(other, "points") != 0;
	struct clash clash = { 0 };
	char more[60] = "";

	for (size_t i = 0; i < work->count; i++)
		for (size_t k = 0; k < work->count; k++)
			if (strcmp(work->groups[i].name, one) == 0 &&
				strcmp(work->groups[k].name, other) == 0)
				compare_groups(&work->groups[i], &work->groups[k], &clash);
	if (clash.count == 0)
		return;
	if (clash.count > 1)
		snprintf(more, sizeof more, " and %zu more in common", clash.count - 1);
	node_error(work->node, work->build->errors, "\"%s\" and \"%s\" both have a %s \"%s\"%s%s",
		other, one, clash.what, clash.name, more, !templates ? "" :
		": give the device one of them, or a template that inherits one and adds what it lacks");
}

/* The first group of its unit. */
static bool
is_first(const struct work *work, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(work->groups[i].name, work->groups[at].name) == 0)
			return false;
	return true;
}

static void
check_clashes(struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		check_own(work, &work->groups[i]);
		for (size_t k = 0; k < i; k++)
			if (is_first(work, i) && is_first(work, k))
				check_units(work, work->groups[i].name, work->groups[k].name);
	}
}

static void
check_rows(struct work *work)
{
	const struct config_setting_t *rows = node_get(work->node, "rows");

	for (int i = 0; i < node_count(rows); i++) {
		const char *name = node_name(node_at(rows, i)), *near;
		const char **words = mem_array(work->count + 1, sizeof *words);
		size_t count = 0;
		bool found = false;

		for (size_t g = 0; g < work->count; g++) {
			if (work->groups[g].table == NULL)
				continue;
			words[count++] = work->groups[g].table;
			found = found || strcmp(words[count - 1], name) == 0;
		}
		near = str_nearest(name, words);
		if (!found)
			node_error(node_at(rows, i), work->build->errors,
				"the device's templates have no table \"%s\"%s%s%s", name,
				near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
				near == NULL ? "" : "\"?)");
		free(words);
	}
}

/* Without points: up, rtt and loss come from what the driver tells of its exchanges. */
static void
add_reach(struct work *work, const struct device *device)
{
	work->groups = mem_grow(work->groups, work->count + 1, sizeof *work->groups);
	work->groups[work->count++] = (struct group){ .name = "reach", .suffix = "",
		.interval = device_interval(device), .align = device->align, .driver = &reach_driver,
		.profile = device->about->profile };
}

/* How many of the points say something of the ways that it is asked. */
static size_t
count_self(const struct work *work)
{
	bool modbus = false;

	for (size_t i = 0; i < work->count; i++) {
		if (work->groups[i].driver == &snmp_driver)
			return SELF_POINTS;
		modbus = modbus || work->groups[i].driver == &modbus_driver;
	}
	return modbus ? SELF_STRAYS + 1 : SELF_RETRIES + 1;
}

static void
add_self(struct work *work, const struct device *device)
{
	size_t count = count_self(work);

	for (size_t i = 0; i < work->count; i++) {
		if (strcmp(work->groups[i].name, SELF_GROUP) == 0)
			node_error(work->node, work->build->errors,
				"template \"%s\": a device with own = true has a group of this name",
				SELF_GROUP);
	}
	work->groups = mem_grow(work->groups, work->count + 1, sizeof *work->groups);
	work->groups[work->count++] = (struct group){ .name = SELF_GROUP, .suffix = "",
		.interval = device_interval(device), .align = device->align, .driver = &self_driver,
		.profile = device->about->profile, .points = self_points, .point_count = count };
}

void
build_groups(struct build *build, struct device *device, const struct unit *units,
	size_t count, const struct scope *scope)
{
	struct work work = {
		.build = build, .device = device, .interval = scope_duration(scope, "interval"),
		.align = scope_bool(scope, "align"),
		.node = scope->levels[0],
	};
	int64_t shortest;

	if (work.interval == 0)
		work.interval = scope_duration(&build->poller, "interval");
	shortest = work.interval;
	if (scope_find(scope, "align") == NULL)
		work.align = scope_bool(&build->poller, "align");
	else if (work.align && work.interval < INT64_C(60000000000))
		node_error(work.node, build->errors, "align: only with an interval of 60s or more");
	for (size_t i = 0; i < count; i++)
		group_unit(&work, &units[i]);
	for (size_t i = 0; i < work.count; i++) {
		if (i == 0 || work.groups[i].interval < shortest)
			shortest = work.groups[i].interval;
	}
	build_shortest(build, device, shortest);
	device->align = work.align && device_interval(device) >= INT64_C(60000000000);
	if (node_get(work.node, "reach") != NULL)
		add_reach(&work, device);
	device->own = scope_bool(scope, "own");
	if (device->own && work.count > 0)
		add_self(&work, device);
	check_clashes(&work);
	check_rows(&work);
	device->groups = arena_same(build->arena,
		arena_copy(build->arena, work.groups, work.count * sizeof *work.groups),
		work.count * sizeof *work.groups);
	device->group_count = work.count;
	free(work.groups);
}

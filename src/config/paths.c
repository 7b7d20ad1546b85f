/* Data paths: the points whose data must flow, and the hops it flows through. */
#include "path/path.h"

#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/tree.h"
#include "core/severity.h"
#include "snmp/snmp.h"

static int64_t
build_sources(struct build *build, const struct config_setting_t *node,
	struct path_options *path)
{
	const struct config_setting_t *list = node_get(node, "source");
	const char **sources = arena_zero(build->arena,
		(size_t)node_count(list) * sizeof *sources);
	const struct device *last = NULL;
	int64_t slowest = 0;

	for (int i = 0; i < node_count(list); i++) {
		const char *glob = node_text(node_at(list, i)), *near;
		size_t at = glob == NULL ? 0 : known_match(build, glob, 0);

		if (glob == NULL)
			continue;
		if (at == build->known_count) {
			near = known_nearest(build, glob);
			node_error(node_at(list, i), build->errors, "source \"%s\": no point is called "
				"like that%s%s%s", glob, near == NULL ? "" : " (did you mean \"",
				near == NULL ? "" : near, near == NULL ? "" : "\"?)");
		}
		for (; at < build->known_count; at = known_match(build, glob, at + 1)) {
			if (build->known[at].device != last)
				build_warn_connections(build, build->known[at].device);
			last = build->known[at].device;
			if (build->known[at].interval > slowest)
				slowest = build->known[at].interval;
		}
		sources[path->source_count++] = arena_text(build->arena, glob);
	}
	if (list != NULL && config_setting_is_aggregate(list) && node_count(list) == 0)
		node_error(node, build->errors, "source: is empty");
	path->sources = sources;
	return slowest;
}

/* The device that a hop is, or whose point or row it is: "sw-hall3/if[ge-1/5]" without a point
 * behind it. NULL: there is none. */
static const struct device *
hop_device(const struct build *build, const char *name)
{
	for (size_t i = 0; i < build->device_count; i++) {
		if (strcmp(build->devices[i].name, name) == 0)
			return &build->devices[i];
	}
	for (size_t i = 0; i < build->known_count; i++) {
		const struct known *known = &build->known[i];
		char *row;
		bool meets;

		if (known_meets(name, known->text))
			return known->device;
		if (known->table == NULL || strncmp(name, known->device->name,
			strlen(known->device->name)) != 0)
			continue;
		row = mem_format("%s/%s[*]", known->device->name, known->table);
		meets = known_meets(name, row);
		free(row);
		if (meets)
			return known->device;
	}
	return NULL;
}

static const char *
nearest_hop(const struct build *build, const char *name)
{
	const char **words = mem_array(build->device_count + 1, sizeof *words), *near;

	for (size_t i = 0; i < build->device_count; i++)
		words[i] = build->devices[i].name;
	near = str_nearest(name, words);
	free(words);
	return near != NULL ? near : known_nearest(build, name);
}

/* A connection that the device's rows do not look for would never be seen. */
static void
check_connection(struct build *build, const struct config_setting_t *node,
	const struct device *device, const char *name)
{
	for (size_t g = 0; g < device->group_count; g++) {
		const struct snmp_group *wire = device->groups[g].wire;
		char *table = mem_format("%s/%s[", device->name, device->groups[g].table);
		bool is_row = device->groups[g].connections &&
			strncmp(name, table, strlen(table)) == 0;
		const char *key = is_row ? name + strlen(table) : "";
		const char *end = strrchr(key, ']'); /* "mes/conn[[2001:db8::20]:502]" */
		size_t length = end == NULL ? strlen(key) : (size_t)(end - key), p = 0;

		free(table);
		while (is_row && p < wire->peer_count && (strlen(wire->peers[p].name) != length ||
			strncmp(wire->peers[p].name, key, length) != 0))
			p++;
		if (is_row && p == wire->peer_count)
			node_error(node, build->errors, "hop \"%s\": rows.%s.remote of \"%s\" does "
				"not name \"%.*s\"", name, device->groups[g].table, device->name,
				(int)length, key);
	}
}

/* "mes-db/conn[10.1.7.20:502]" where the rows of mes-db do not say that connections are looked for. */
static bool
is_unasked(struct build *build, const struct config_setting_t *device, const char *row)
{
	const struct config_setting_t *list = node_get(device, "templates");
	size_t length = strcspn(row, "[");

	for (int i = 0; i < node_count(list) && row[length] == '['; i++) {
		const char *name = node_text(node_at(list, i));
		const struct template *tmpl = name == NULL ? NULL : templates_find(&build->templates, name);
		struct node_list tables = { 0 };

		if (tmpl != NULL)
			tables = template_members(tmpl, NULL, "tables", build->scratch);
		for (size_t k = 0; k < tables.count; k++) {
			struct scope table = build_scope(build, "table", tables.items[k]);
			const char *called = scope_text(&table, "name");

			if (strlen(called) == length && strncmp(called, row, length) == 0)
				return row[strlen(row) - 1] == ']' && scope_bool(&table, "connections");
		}
	}
	return false;
}

/* True when that is why there is no such hop, and it was told. */
static bool
tell_unasked(struct build *build, const struct config_setting_t *node, const char *name)
{
	size_t length = strcspn(name, "/");

	for (size_t i = 0; i < build->device_count && name[length] == '/'; i++) {
		const char *device = build->devices[i].name, *row = name + length + 1;
		const char *key = row + strcspn(row, "[") + 1; /* if it has one */

		if (strlen(device) != length || strncmp(device, name, length) != 0 ||
			!is_unasked(build, build->device_nodes[i], row))
			continue;
		node_error(node, build->errors, "hop \"%s\": \"%s\" is not asked for its connections: give it "
			"rows = { %.*s = { remote = [ \"%.*s\" ]; }; }", name, device,
			(int)strcspn(row, "["), row, (int)strlen(key) - 1, key);
		return true;
	}
	return false;
}

static void
add_name(struct build *build, const struct config_setting_t *node, const char **names,
	size_t *count)
{
	const char *name = node_text(node), *near;
	const struct device *device;

	if (name == NULL)
		return;
	names[(*count)++] = arena_text(build->arena, name);
	if (str_is_glob(name)) {
		node_error(node, build->errors, "hop \"%s\": * and ? are not possible here: name one "
			"device or point, or alternatives as ( \"a\", \"b\" )", name);
		return;
	}
	device = hop_device(build, name);
	if (device != NULL) {
		build_warn_connections(build, device);
		check_connection(build, node, device, name);
		return;
	}
	if (tell_unasked(build, node, name))
		return;
	near = nearest_hop(build, name);
	node_error(node, build->errors, "hop \"%s\": no device or point is called like that%s%s%s",
		name, near == NULL ? "" : " (did you mean \"", near == NULL ? "" : near,
		near == NULL ? "" : "\"?)");
}

static void
build_hops(struct build *build, const struct config_setting_t *node, struct path_options *path)
{
	const struct config_setting_t *list = node_get(node, "hops");
	struct path_hop *hops = arena_zero(build->arena, (size_t)node_count(list) * sizeof *hops);

	for (int i = 0; i < node_count(list); i++) {
		const struct config_setting_t *hop = node_at(list, i);
		struct path_hop *to = &hops[path->hop_count++];
		const char **names = arena_zero(build->arena,
			((size_t)node_count(hop) + 1) * sizeof *names);

		add_name(build, hop, names, &to->count);
		for (int k = 0; k < node_count(hop); k++)
			add_name(build, node_at(hop, k), names, &to->count);
		to->names = names;
	}
	path->hops = hops;
}

static void
build_path(struct build *build, const struct config_setting_t *node, struct path_options *path)
{
	struct scope scope = build_scope(build, "path", node);
	int64_t slowest = build_sources(build, node, path);
	char age[40], interval[40];
	int severity = severity_parse(scope_text(&scope, "severity"));

	path->name = build_text(build, &scope, "name");
	build_hops(build, node, path);
	path->max_age = scope_duration(&scope, "max_age");
	if (path->max_age == 0)
		path->max_age = 3 * slowest;
	if (path->max_age < slowest)
		node_error(node, build->errors, "max_age %s: is shorter than the interval of its "
			"source, %s: it would always be late",
			str_time_span(age, sizeof age, path->max_age),
			str_time_span(interval, sizeof interval, slowest));
	path->availability = scope_number(&scope, "availability");
	path->window = scope_duration(&scope, "window");
	path->severity = severity == -1 ? SEVERITY_MAJOR : (enum severity)severity;
	path->place = build_text(build, &scope, "place");
	path->owner = build_text(build, &scope, "owner");
	path->asset = build_text(build, &scope, "asset");
	path->text = build_text(build, &scope, "text");
	path->help = build_text(build, &scope, "help");
	path->file = arena_text(build->arena, node_path(node));
	path->line = node_line(node);
}

void
build_paths(struct build *build)
{
	struct node_list nodes = conf_entries(build->conf, "paths", build->arena);
	struct path_options *paths = arena_zero(build->arena, nodes.count * sizeof *paths);

	build_unique(build, &nodes);
	for (size_t i = 0; i < nodes.count; i++)
		build_path(build, nodes.items[i], &paths[i]);
	build->inventory->paths = paths;
	build->inventory->path_count = nodes.count;
}

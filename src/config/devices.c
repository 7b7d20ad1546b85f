/* Devices, with everything that templates, profiles and defaults say about them. */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/diff.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/tree.h"
#include "core/driver.h"
#include "core/self.h"
#include "modbus/modbus.h"

struct scope
build_scope(struct build *build, const char *section, const struct config_setting_t *group)
{
	struct scope scope = { .section = section, .errors = build->errors };

	scope_push(&scope, group);
	return scope;
}

const char *
build_text(struct build *build, const struct scope *scope, const char *key)
{
	return arena_text(build->arena, scope_text(scope, key));
}

size_t
build_words(struct build *build, const struct config_setting_t *node, const char *const **words)
{
	bool one = node_text(node) != NULL || node_is_number(node);
	size_t count = one ? 1 : (size_t)node_count(node);
	const char **texts = arena_zero(build->arena, (count + 1) * sizeof *texts);

	for (size_t i = 0; i < count; i++) {
		const struct config_setting_t *at = one ? node : node_at(node, (int)i);

		texts[i] = node_is_number(at) ?
			arena_format(build->arena, "%lld", node_integer(at)) :
			arena_text(build->arena, node_text(at) == NULL ? "" : node_text(at));
	}
	*words = texts;
	return count;
}

const char *
build_secret(struct build *build, const struct scope *scope, const char *key)
{
	const struct config_setting_t *node = scope_find(scope, key);
	const char *secret;
	struct fail why;

	secret = secret_get(&build->conf->secrets, scope_text(scope, key), &why);
	if (secret == NULL)
		node_error(node, build->errors, "%s: %s", key, why.text);
	return arena_text(build->arena, secret);
}

const struct config_setting_t *
build_find(struct build *build, const struct node_list *list, const char *what,
	const struct config_setting_t *from)
{
	const char *name = node_text(from), *near;
	const char **words;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(node_get_text(list->items[i], "name", ""), name) == 0)
			return list->items[i];
	}
	words = mem_array(list->count + 1, sizeof *words);
	for (size_t i = 0; i < list->count; i++)
		words[i] = node_get_text(list->items[i], "name", "");
	near = str_nearest(name, words);
	if (near != NULL)
		node_error(from, build->errors, "unknown %s \"%s\" (did you mean \"%s\"?)", what, name,
			near);
	else
		node_error(from, build->errors, "unknown %s \"%s\"", what, name);
	free(words);
	return NULL;
}

static int
compare_names(const void *a, const void *b)
{
	const struct config_setting_t *one = *(const struct config_setting_t *const *)a;
	const struct config_setting_t *other = *(const struct config_setting_t *const *)b;

	return strcmp(node_get_text(one, "name", ""), node_get_text(other, "name", ""));
}

void
build_unique(struct build *build, const struct node_list *list)
{
	const struct config_setting_t **sorted = mem_array(list->count, sizeof *sorted);

	if (list->count > 0)
		memcpy(sorted, list->items, list->count * sizeof *sorted);
	qsort(sorted, list->count, sizeof *sorted, compare_names);
	for (size_t i = 1; i < list->count; i++) {
		const struct config_setting_t *one = sorted[i - 1], *other = sorted[i], *later;
		size_t first = list->count;

		if (compare_names(&one, &other) != 0 || node_get_text(one, "name", NULL) == NULL)
			continue;
		for (size_t k = 0; k < first; k++) {
			if (list->items[k] == one || list->items[k] == other)
				first = k;
		}
		later = list->items[first] == one ? other : one;
		one = list->items[first];
		node_error(later, build->errors, "there is another of this name in %s:%d",
			node_path(one), node_line(one));
	}
	free(sorted);
}

/* Alarm rules of the device's templates become rules of the device, where it wants them: a
 * plant's receivers must not be flooded on the first day. */
static void
add_rules(struct build *build, const struct unit *unit, const struct device *device)
{
	struct node_list rules = template_members(unit->tmpl, NULL, "thresholds", build->scratch);

	for (size_t i = 0; i < rules.count; i++)
		build_rule(build, rules.items[i], unit, device);
}

static void
check_parameters(struct build *build, const struct config_setting_t *device,
	const struct unit *units, size_t count)
{
	const struct config_setting_t *given = node_get(device, "parameters");

	for (int i = 0; i < node_count(given); i++) {
		const char *name = node_name(node_at(given, i));
		bool found = false;

		for (size_t k = 0; k < count; k++)
			found = found || template_parameter(units[k].tmpl, name) != NULL;
		if (!found)
			node_error(node_at(given, i), build->errors,
				"none of its templates has a parameter \"%s\"", name);
	}
	for (size_t k = 0; k < count; k++) {
		for (const struct template *at = units[k].tmpl; at != NULL; at = at->parent) {
			const struct config_setting_t *list = node_get(at->node, "parameters");

			for (int i = 0; i < node_count(list); i++) {
				const char *name = node_get_text(node_at(list, i), "name", NULL);

				if (name != NULL && node_get(given, name) == NULL &&
					node_get(template_parameter(units[k].tmpl, name),
						"default") == NULL)
					node_error(device, build->errors, "template \"%s\" needs "
						"parameters = { %s = ..; }", units[k].name, name);
			}
		}
	}
}

static size_t
find_units(struct build *build, const struct config_setting_t *device, struct unit *units)
{
	const struct config_setting_t *list = node_get(device, "templates");
	size_t count = 0;

	for (int i = 0; i < node_count(list); i++) {
		const char *name = node_text(node_at(list, i));
		const struct template *tmpl = name == NULL ? NULL :
			templates_find(&build->templates, name);
		const char *near = name == NULL ? NULL : templates_nearest(&build->templates, name);
		bool twice = false;

		for (size_t k = 0; k < count; k++)
			twice = twice || units[k].tmpl == tmpl;
		if (name == NULL || !str_is_name(name))
			continue; /* the schema has told */
		if (tmpl == NULL)
			node_error(node_at(list, i), build->errors, near == NULL ?
				"unknown template \"%s\"" :
				"unknown template \"%s\" (did you mean \"%s\"?)", name, near);
		else if (twice)
			node_error(node_at(list, i), build->errors, "template \"%s\" stands there "
				"twice", name);
		else
			units[count++] = (struct unit){ .name = tmpl->name, .tmpl = tmpl,
				.device = device };
	}
	if (node_count(node_get(device, "points")) > 0 ||
		node_count(node_get(device, "registers")) > 0)
		units[count++] = (struct unit){ .name = "points", .own = device, .device = device };
	/* None of them is known, so nobody else looks at how they are asked. */
	if (count == 0 && node_count(list) > 0 && node_get(device, "snmp") == NULL &&
		node_text(node_get(device, "profile")) != NULL)
		build_find(build, &build->profiles, "profile", node_get(device, "profile"));
	return count;
}

static bool
uses(const struct device *device, const char *driver)
{
	for (size_t i = 0; i < device->group_count; i++) {
		if (strcmp(device->groups[i].driver->name, driver) == 0)
			return true;
	}
	return false;
}

/* Of the profile, where it says one. */
static const struct config_setting_t *
profile_port(const struct build *build, const struct config_setting_t *node)
{
	const char *name = node_get_text(node, "profile", NULL);

	for (size_t i = 0; name != NULL && i < build->profiles.count; i++) {
		const struct config_setting_t *profile = build->profiles.items[i];

		if (strcmp(node_get_text(profile, "name", ""), name) == 0)
			return node_get(node_get(profile, "snmp"), "port");
	}
	return NULL;
}

static const char *
shown_address(struct build *build, const struct config_setting_t *node)
{
	const struct config_setting_t *modbus = node_get(node, "modbus");
	const struct config_setting_t *port = node_get(modbus, "port");
	const char *line = node_get_text(modbus, "line", NULL);
	const char *address = node_get_text(node, "address", line != NULL ? line :
		node_get_text(modbus, "device", ""));

	if (port == NULL)
		port = node_get(node_get(node, "snmp"), "port");
	if (port == NULL)
		port = profile_port(build, node);
	if (port == NULL || !node_is_number(port))
		return arena_text(build->arena, address);
	return arena_format(build->arena, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address,
		node_integer(port));
}

/* The one copy of those words; into build->arena. */
static const struct device_about *
shared_about(struct build *build, const struct device_about *about)
{
	return arena_same(build->arena, arena_copy(build->arena, about, sizeof *about),
		sizeof *about);
}

/* A device's own words; those of rows of text are the same for all. In scratch until its interval,
 * its ways and its parents are known as well. */
static void
describe(struct build *build, struct device *device, const struct scope *scope)
{
	const struct config_setting_t *node = scope->levels[0];

	struct device_about about = {
		.protocol = "",
		.place = build_text(build, scope, "place"),
		.owner = build_text(build, scope, "owner"),
		.asset = build_text(build, scope, "asset"),
		.text = build_text(build, scope, "text"),
		.profile = scope_find(scope, "retention") != NULL ?
			build_text(build, scope, "retention") : build_retention(build),
		.file = arena_text(build->arena, node_path(node)),
	};

	device->name = build_text(build, scope, "name");
	device->address = shown_address(build, node);
	device->line = node_line(node);
	device->about = arena_copy(build->scratch, &about, sizeof about);
}

void
build_shortest(struct build *build, struct device *device, int64_t interval)
{
	struct device_about about = *device->about;

	about.interval = interval;
	device->about = arena_copy(build->scratch, &about, sizeof about);
}

/* Each may be NULL. */
static void
put_ways(struct build *build, struct device *device, const void *snmp, const void *modbus,
	const void *reach)
{
	const void *const all[] = { snmp, modbus, reach };
	struct device_about about = *device->about;
	const void *options[3];
	unsigned count = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (all[i] == NULL)
			continue;
		device->ways |= 1U << i;
		options[count++] = all[i];
	}
	if (count > 0)
		device->options = count == 1 ? options[0] :
			arena_copy(build->arena, options, count * sizeof options[0]);
	about.protocol = arena_format(build->arena, "%s%s%s%s%s", snmp != NULL ? "snmp" : "",
		snmp != NULL && modbus != NULL ? "+" : "", modbus != NULL ? "modbus" : "",
		count > 1 && reach != NULL ? "+" : "", reach != NULL ? "reach" : "");
	device->about = arena_copy(build->scratch, &about, sizeof about);
}

const char *
build_retention(struct build *build)
{
	struct scope store = build_scope(build, "store", NULL);

	for (size_t i = 0; i < build->store.count; i++)
		scope_push(&store, build->store.items[i]);
	return build_text(build, &store, "profile");
}

static void
build_device(struct build *build, const struct config_setting_t *node, struct device *device)
{
	struct scope scope = build_scope(build, "device", node);
	struct unit *units = mem_array((size_t)node_count(node_get(node, "templates")) + 1,
		sizeof *units);
	size_t count = find_units(build, node, units);
	const void *snmp = NULL, *modbus = NULL, *reach = NULL;
	size_t told = build->errors->told;
	bool whole;

	describe(build, device, &scope);
	check_parameters(build, node, units, count);
	build_groups(build, device, units, count, &scope);
	whole = build->errors->told == told; /* else what it lacks has been told */
	if (node_get(node, "snmp") != NULL || uses(device, "snmp"))
		snmp = build_snmp(build, node, device);
	else if (whole && node_text(node_get(node, "profile")) != NULL &&
		count >= (size_t)node_count(node_get(node, "templates"))) /* all are known */
		node_error(node_get(node, "profile"), build->errors, "profile: only for devices that "
			"are asked by SNMP");
	if (node_get(node, "modbus") != NULL || uses(device, "modbus"))
		modbus = build_modbus(build, device, node, units, count);
	if (node_get(node, "reach") != NULL)
		reach = build_reach(build, node);
	put_ways(build, device, snmp, modbus, reach);
	if (modbus != NULL && uses(device, "modbus"))
		build_warn_unread(build, device);
	if (device->group_count == 0 && reach == NULL && count == 0 &&
		node_count(node_get(node, "templates")) == 0)
		node_error(node, build->errors, "nothing to poll: give it templates, points or "
			"reach = { }");
	for (size_t i = 0; i < count && whole &&
		strcmp(scope_text(&scope, "alarms"), "standard") == 0; i++)
		add_rules(build, &units[i], device);
	free(units);
}

/* ---- parents ---- */

static int
compare_devices(const void *a, const void *b, void *arg)
{
	const struct device *devices = arg;
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
	int order = strcmp(devices[one].name, devices[other].name);

	return order != 0 ? order : (one > other) - (one < other);
}

const uint32_t *
build_sorted(const struct build *build, struct arena *arena)
{
	uint32_t *indexes = arena_zero(arena, (build->device_count + 1) * sizeof *indexes);

	for (uint32_t i = 0; i < build->device_count; i++)
		indexes[i] = i;
	qsort_r(indexes, build->device_count, sizeof *indexes, compare_devices, build->devices);
	return indexes;
}

/* The first of that name; device_count when there is none. */
static size_t
device_index(const struct build *build, const char *name)
{
	size_t low = 0, high = build->device_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(build->devices[build->by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < build->device_count &&
		strcmp(build->devices[build->by_name[low]].name, name) == 0 ?
		build->by_name[low] : build->device_count;
}

static void
build_parents(struct build *build, size_t at, const struct node_list *all)
{
	const struct config_setting_t *node = build->device_nodes[at];
	const struct config_setting_t *list = node_get(node, "parents");
	const char **names = arena_zero(build->arena,
		((size_t)node_count(list) + 2) * sizeof *names);
	const struct modbus_options *modbus = device_modbus(&build->devices[at]);
	struct device_about about = *build->devices[at].about;
	size_t count = 0;

	/* A unit is reached through its line, unless somebody knows better. */
	if (list == NULL && modbus != NULL &&
		device_index(build, modbus->line) < build->device_count)
		names[0] = modbus->line;
	for (int i = 0; i < node_count(list); i++) {
		const char *name = node_text(node_at(list, i));

		if (name == NULL)
			continue;
		if (strcmp(name, build->devices[at].name) == 0)
			node_error(node_at(list, i), build->errors, "parents: is its own parent");
		else if (device_index(build, name) < build->device_count ||
			build_find(build, all, "parent", node_at(list, i)) != NULL)
			names[count++] = arena_text(build->arena, name);
	}
	about.parents = arena_same(build->arena, names,
		((size_t)node_count(list) + 2) * sizeof *names);
	build->devices[at].about = shared_about(build, &about);
}

/* Marks: 0 not seen, 1 on the way, 2 done. */
static void
check_ancestors(struct build *build, size_t at, unsigned char *marks, int depth)
{
	marks[at] = 1;
	for (const char *const *name = device_parents(&build->devices[at]); *name != NULL; name++) {
		size_t parent = device_index(build, *name);

		if (parent == build->device_count || marks[parent] == 2 || depth > 1000)
			continue;
		if (marks[parent] == 1)
			node_error(build->device_nodes[at], build->errors,
				"parents: \"%s\" is reached through this device, which is reached through "
				"it: a circle", *name);
		else
			check_ancestors(build, parent, marks, depth + 1);
	}
	marks[at] = 2;
}

/* The daemon itself, as a device. */
static void
build_itself(struct build *build, struct device *device, const struct node_list *others)
{
	const struct config_setting_t *node = scope_find(&build->poller, "own");
	struct device_about about = { .protocol = SELF_GROUP, .place = "", .owner = "",
		.asset = "", .text = "pollwerk itself", .profile = build_retention(build),
		.file = arena_text(build->arena, node_path(node)),
		.interval = scope_duration(&build->poller, "interval") };
	struct group group = { .name = SELF_GROUP, .suffix = "", .driver = &self_driver,
		.points = self_daemon_points, .point_count = SELF_DAEMON_POINTS };

	*device = (struct device){ .name = build->inventory->poller.name, .address = "-",
		.about = shared_about(build, &about), .own = true,
		.group_count = 1, .line = node_line(node) };
	device->align = scope_bool(&build->poller, "align") &&
		about.interval >= INT64_C(60000000000);
	group.interval = about.interval;
	group.align = device->align;
	group.profile = about.profile;
	device->groups = arena_copy(build->arena, &group, sizeof group);
	device->fingerprint = diff_fingerprint(device);
	for (size_t i = 0; i < others->count; i++) {
		if (strcmp(node_get_text(others->items[i], "name", ""), device->name) == 0)
			node_error(others->items[i], build->errors, "with poller.own this is the "
				"name of pollwerk's own device: choose another here or as poller.name");
	}
}

/* Beside the devices of the configuration, lines that somebody uses: what else there is that
 * can be a parent or a hop. Behind them stands NULL, for the daemon as a device. */
static struct node_list
add_lines(struct build *build, const struct node_list *nodes)
{
	struct node_list all = { .items = arena_zero(build->scratch,
		(nodes->count + build->lines.count + 1) * sizeof *all.items), .count = nodes->count };

	if (nodes->count > 0)
		memcpy(all.items, nodes->items, nodes->count * sizeof *all.items);
	build->device_nodes = all.items;
	for (size_t i = 0; i < build->lines.count; i++) {
		if (build_line_device(build, build->lines.items[i], &build->devices[all.count]))
			all.items[all.count++] = build->lines.items[i];
	}
	build->device_count = all.count;
	return all;
}

void
build_devices(struct build *build)
{
	struct node_list nodes = conf_entries(build->conf, "devices", build->scratch), all;
	unsigned char *marks;

	build_unique(build, &nodes);
	build->devices = arena_zero(build->arena,
		(nodes.count + build->lines.count + 1) * sizeof *build->devices);
	build->device_nodes = nodes.items;
	build->device_count = nodes.count;
	for (size_t i = 0; i < nodes.count; i++)
		build_device(build, nodes.items[i], &build->devices[i]);
	all = add_lines(build, &nodes);
	build_unique(build, &all);
	build->by_name = build_sorted(build, build->scratch);
	for (size_t i = 0; i < all.count; i++)
		build_parents(build, i, &all);
	marks = mem_zero(all.count + 1);
	for (size_t i = 0; i < all.count; i++) {
		if (marks[i] == 0)
			check_ancestors(build, i, marks, 0);
	}
	free(marks);
	build_check_lines(build);
	for (size_t i = 0; i < all.count; i++)
		build->devices[i].fingerprint = diff_fingerprint(&build->devices[i]);
	if (scope_bool(&build->poller, "own"))
		build_itself(build, &build->devices[build->device_count++], &all);
}

/* The inventory as a whole: the daemon's own settings, receivers, and the parts in order. */
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/build.h"
#include "config/conf.h"
#include "config/errors.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/tree.h"
#include "core/device.h"
#include "modbus/linedev.h"
#include "notify/receiver.h"
#include "snmp/snmp.h"
#include "store/store.h"

/* poller and store may be spread over files, but each key stands once. */
static struct scope
spread(struct build *build, const char *section)
{
	struct node_list groups = conf_sections(build->conf, section, build->arena);
	struct scope scope = build_scope(build, section, NULL);

	for (size_t i = 0; i < groups.count; i++) {
		const struct config_setting_t *group = groups.items[i];

		scope_push(&scope, group);
		if (i == SCOPE_LEVELS)
			node_error(group, build->errors, "stands in too many files");
		for (int k = 0; k < node_count(group); k++) {
			const char *key = node_name(node_at(group, k));

			for (size_t j = 0; j < i; j++) {
				const struct config_setting_t *first = node_get(groups.items[j], key);

				if (first != NULL && strcmp(key, "include") != 0 &&
					strcmp(key, "templates") != 0)
					node_error(node_at(group, k), build->errors,
						"%s: stands in %s:%d already", key, node_path(first),
						node_line(first));
			}
		}
	}
	return scope;
}

/* Paths of the daemon count from nowhere: it changes its directory. */
static const char *
build_directory(struct build *build, const char *key)
{
	const struct config_setting_t *node = scope_find(&build->poller, key);
	const char *path = build_text(build, &build->poller, key);

	if (node_text(node) != NULL && path[0] != '/')
		node_error(node, build->errors, "%s \"%s\": must be an absolute path", key, path);
	return path;
}

static void
build_daemon(struct build *build)
{
	struct poller_options *poller = &build->inventory->poller;
	struct store_options *store = arena_zero(build->arena, sizeof *store);
	struct scope scope = spread(build, "store");

	build->poller = spread(build, "poller");
	build->store = conf_sections(build->conf, "store", build->arena);
	poller->name = build_text(build, &build->poller, "name");
	poller->user = build_text(build, &build->poller, "user");
	poller->state_dir = build_directory(build, "state_dir");
	poller->run_dir = build_directory(build, "run_dir");
	poller->clock_trust = scope_duration(&build->poller, "clock_trust");
	poller->alarm_settle = scope_duration(&build->poller, "alarm_settle");
	poller->alarm_rate = (unsigned)scope_int(&build->poller, "alarm_rate");
	poller->rrd_dir = scope_find(&build->poller, "rrd_dir") != NULL ?
		build_directory(build, "rrd_dir") :
		arena_format(build->arena, "%s/rrd", poller->state_dir);
	if (scope_bool(&build->poller, "align") &&
		scope_duration(&build->poller, "interval") < INT64_C(60000000000))
		node_error(scope_find(&build->poller, "align"), build->errors,
			"align: only with an interval of 60s or more");
	store->state_dir = poller->state_dir;
	store->rrd_dir = poller->rrd_dir;
	store->run_dir = poller->run_dir;
	store->flush = scope_duration(&scope, "flush");
	store->memory = scope_size(&scope, "memory");
	store->journal_budget = scope_duration(&scope, "journal_budget");
	store->journal_size = scope_size(&scope, "journal_size");
	build->inventory->store = store;
}

static void
build_receivers(struct build *build)
{
	struct node_list nodes = conf_entries(build->conf, "receivers", build->arena);
	struct receiver_options *receivers =
		arena_zero(build->arena, nodes.count * sizeof *receivers);

	build_unique(build, &nodes);
	for (size_t i = 0; i < nodes.count; i++) {
		struct scope scope = build_scope(build, "receiver", nodes.items[i]);
		struct receiver_options *receiver = &receivers[i];

		receiver->name = build_text(build, &scope, "name");
		schema_endpoint(scope_text(&scope, "address"), 162, &receiver->address, NULL);
		build_access(build, &scope, nodes.items[i], &receiver->version,
			&receiver->community, &receiver->user);
		receiver->inform = strcmp(scope_text(&scope, "kind"), "inform") == 0;
		receiver->timeout = scope_duration(&scope, "timeout");
		receiver->spool = (uint32_t)scope_int(&scope, "spool");
		receiver->enterprise = build_text(build, &scope, "enterprise");
	}
	build->inventory->receivers = receivers;
	build->inventory->receiver_count = nodes.count;
}

/* Templates that no device uses are checked as far as can be: each of their points alone. */
static void
check_template(struct build *build, const struct template *tmpl)
{
	static const char *const lists[] = { "points", "tables", "thresholds", "info", "parameters" };
	struct unit unit = { .name = tmpl->name, .tmpl = tmpl };
	struct node_list points = template_members(tmpl, NULL, "points", build->scratch);
	struct node_list tables = template_members(tmpl, NULL, "tables", build->scratch);
	struct draft draft;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct node_list list = template_members(NULL, tmpl->node, lists[i], build->scratch);

		build_unique(build, &list);
	}
	for (size_t i = 0; i < points.count; i++)
		build_point(build, &unit, NULL, points.items[i], &draft);
	for (size_t t = 0; t < tables.count; t++) {
		points = template_members(NULL, tables.items[t], "points", build->scratch);
		build_unique(build, &points);
		for (size_t i = 0; i < points.count; i++)
			build_point(build, &unit, tables.items[t], points.items[i], &draft);
	}
}

struct inventory *
inventory_build(struct conf *conf, struct conf_errors *errors)
{
	struct build build = { .conf = conf, .errors = errors, .arena = arena_new(),
		.scratch = arena_new() };
	struct node_list templates;
	size_t before = errors->count;

	build.inventory = arena_zero(build.arena, sizeof *build.inventory);
	build.inventory->arena = build.arena;
	build.inventory->free = inventory_free;
	build.inventory->references = 1;
	build_daemon(&build);
	templates = conf_sections(conf, "templates", build.arena);
	templates_build(&build.templates, templates.items, templates.count, build.arena, errors);
	for (size_t i = 0; i < build.templates.count; i++)
		check_template(&build, &build.templates.items[i]);
	build.lines = conf_entries(conf, "lines", build.arena);
	build.profiles = conf_entries(conf, "profiles", build.arena);
	build_unique(&build, &build.lines);
	build_unique(&build, &build.profiles);
	build_devices(&build);
	build.inventory->devices = build.devices;
	build.inventory->device_count = build.device_count;
	build.inventory->by_name = build_sorted(&build, build.arena);
	if (errors->count == before)
		build_check_time(&build);
	known_build(&build);
	build_rules(&build);
	build_paths(&build);
	build_receivers(&build);
	build_identities(&build);
	free(build.rules);
	free(build.known);
	free(build.known_first);
	arena_free(build.scratch);
	arena_settle(build.arena);
	if (errors->count == before)
		return build.inventory;
	inventory_free(build.inventory);
	return NULL;
}

void
inventory_free(struct inventory *inventory)
{
	if (inventory != NULL)
		arena_free(inventory->arena); /* and with it the inventory itself */
}

static int
say(char *to, size_t size, size_t count, const char *one, const char *many)
{
	size_t used = strlen(to);

	return snprintf(to + used, size - used, "%s%zu %s", used == 0 ? "" : ", ", count,
		count == 1 ? one : many);
}

const char *
conf_summary(const struct inventory *inventory, char *to, size_t size)
{
	size_t points = 0, tables = 0, lines = 0, used;

	for (size_t i = 0; i < inventory->device_count; i++) {
		/* made, not configured: see build_line_device */
		if (inventory->devices[i].group_count > 0 &&
			inventory->devices[i].groups[0].driver == &linedev_driver) {
			lines++;
			continue;
		}
		for (size_t g = 0; g < inventory->devices[i].group_count; g++) {
			const struct group *group = &inventory->devices[i].groups[g];

			points += group->table == NULL ? group->point_count : 0;
			tables += group->table != NULL;
		}
	}
	to[0] = '\0';
	say(to, size, inventory->device_count - lines, "device", "devices");
	say(to, size, points, "point", "points");
	say(to, size, tables, "table", "tables");
	say(to, size, inventory->threshold_count, "threshold", "thresholds");
	say(to, size, inventory->path_count, "path", "paths");
	say(to, size, inventory->receiver_count, "receiver", "receivers");
	used = strlen(to);
	snprintf(to + used, size - used, ": ok");
	return to;
}

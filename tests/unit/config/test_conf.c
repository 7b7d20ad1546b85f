#include "config/conf.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alarm/rule.h"
#include "base/fail.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "modbus/block.h"
#include "modbus/modbus.h"
#include "notify/receiver.h"
#include "path/path.h"
#include "reach/reach.h"
#include "snmp/snmp.h"
#include "store/store.h"
#include "../check.h"

/* A directory of its own for each test program. */
static char directory[] = "/tmp/test_conf.XXXXXX";

static const char *
put(const char *name, const char *text)
{
	static char path[200];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
	return path;
}

static const char plant[] =
	"poller: { name = \"plant-a\"; interval = \"10s\"; state_dir = \"/nonexistent/state\";\n"
	"  templates = [ ]; };\n"
	"store: { flush = \"1m\"; memory = \"64M\"; };\n"
	"receivers: ( { name = \"nms\"; address = \"10.1.0.5:1162\"; kind = \"inform\"; } );\n"
	"lines: ( { name = \"gw-7\"; address = \"10.1.7.7\"; port = 4001; timeout = \"3s\"; } );\n"
	"profiles: ( { name = \"old\"; snmp = { version = \"1\"; retries = 3; port = 1161; }; } );\n"
	"devices: (\n"
	"  { name = \"press-3\"; address = \"10.1.7.20\"; place = \"werk1/hall3\"; owner = \"OT\";\n"
	"    interval = \"5s\"; modbus = { unit_id = 1; };\n"
	"    points = ( { name = \"pieces\"; function = 3; pdu = 100; type = \"u32\"; kind = \"counter\"; },\n"
	"      { name = \"oil_temp\"; modicon = 30013; type = \"s16\"; scale = 0.1; unit = \"C\";\n"
	"        invalid = [ \"0x7FFF\", \"0x8000..0x80FF\" ]; },\n"
	"      { name = \"energy\"; function = 3; register = 801; type = \"f64\"; unit = \"Wh\";\n"
	"        kind = \"counter\"; interval = \"15m\"; align = true; } ); },\n"
	"  { name = \"meter-31\"; modbus = { line = \"gw-7\"; unit_id = 31; };\n"
	"    templates = [ \"meter\" ]; parameters = { ct = 40; }; },\n"
	"  { name = \"sw-hall3\"; address = \"10.1.3.1\"; templates = [ \"if-mib\" ]; profile = \"old\";\n"
	"    alarms = \"standard\";\n"
	"    snmp = { retries = 0; }; rows = { if = { include = \"^ge\"; retire = \"1h\"; keep = \"once-up\"; }; };\n"
	"    parents = [ \"mes-db\" ]; },\n"
	"  { name = \"mes-db\"; address = \"10.1.0.9\"; reach = { tcp = [ 1433 ]; }; } );\n"
	"thresholds: ( { name = \"oil-hot\"; on = \"press-3/oil_temp\"; above = 70; clear = 65.0;\n"
	"    for = \"30s\"; severity = \"critical\"; help = \"check the cooler\"; } );\n"
	"paths: ( { name = \"press-3-mes\"; source = [ \"press-3/pieces\" ];\n"
	"    hops = ( \"press-3\", \"sw-hall3/if[ge-1/5]\", ( \"sw-hall3\", \"meter-31\" ), \"mes-db\" );\n"
	"    availability = 99.8; } );\n"
	"templates: (\n"
	"  { name = \"if-mib\"; protocol = \"snmp\";\n"
	"    tables = ( { name = \"if\"; key = [ \"1.3.6.1.2.1.31.1.1.1.1\", \"1.3.6.1.2.1.2.2.1.2\" ];\n"
	"      discontinuity = \"1.3.6.1.2.1.31.1.1.1.19\";\n"
	"      info = ( { name = \"alias\"; oid = \"1.3.6.1.2.1.31.1.1.1.18\"; } );\n"
	"      points = ( { name = \"in_octets\"; kind = \"counter\"; unit = \"B/s\";\n"
	"          oid = [ \"1.3.6.1.2.1.31.1.1.1.6\", \"1.3.6.1.2.1.2.2.1.10\" ]; },\n"
	"        { name = \"speed\"; oid = [ \"1.3.6.1.2.1.31.1.1.1.15\", \"1.3.6.1.2.1.2.2.1.5\" ];\n"
	"          unit = \"bit/s\"; scale = [ 1000000.0, 1.0 ]; },\n"
	"        { name = \"oper\"; oid = \"1.3.6.1.2.1.2.2.1.8\"; states = [ \"1=up\", \"2=down\" ]; } ); } );\n"
	"    thresholds = ( { name = \"down\"; on = \"if[*]/oper\"; above = 1.5; } ); },\n"
	"  { name = \"meter\"; protocol = \"modbus\"; function = 4; order = \"CDAB\"; max_regs = 96;\n"
	"    parameters = ( { name = \"ct\"; default = 1; } );\n"
	"    points = ( { name = \"u_l1\"; pdu = 19000; type = \"f32\"; unit = \"V\"; },\n"
	"      { name = \"p_sum\"; pdu = 19026; type = \"f32\"; unit = \"W\"; scale = \"$ct\"; } ); } );\n";

static struct inventory *
load(const char *text)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(put("main.conf", text), &errors);
	struct inventory *inventory;

	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	inventory = conf_inventory(conf);
	CHECK(inventory != NULL);
	conf_free(conf);
	conf_errors_free(&errors);
	return inventory;
}

static const struct device *
device(const struct inventory *inventory, const char *name)
{
	const struct device *found = inventory_find(inventory, name);

	CHECK(found != NULL);
	return found;
}

static void
check_oid(const struct snmp_oid *oid, const char *wanted)
{
	char text[80];

	CHECK_STR(snmp_oid_text(text, sizeof text, oid->ids, oid->count), wanted);
}

static void
reads_the_daemons_own_settings(void)
{
	struct inventory *inventory = load(plant);
	const struct store_options *store = inventory->store;

	CHECK_STR(inventory->poller.name, "plant-a");
	CHECK_STR(inventory->poller.state_dir, "/nonexistent/state");
	CHECK_STR(inventory->poller.rrd_dir, "/nonexistent/state/rrd");
	CHECK_STR(store->rrd_dir, "/nonexistent/state/rrd");
	CHECK_STR(inventory->poller.run_dir, "/run/pollwerk");
	CHECK_INT(store->flush, INT64_C(60000000000));
	CHECK_INT(store->memory, 64 << 20);
	CHECK_INT(store->journal_budget, INT64_C(86400000000000));
	inventory_free(inventory);
}

static void
own_metrics_are_a_group_of_the_device_and_a_device_of_the_daemon(void)
{
	static const char text[] =
		"poller: { name = \"plant-a\"; interval = \"10s\"; own = true; };\n"
		"devices: (\n"
		"{ name = \"ups\"; address = \"10.0.0.1\"; own = true; points = (\n"
		"  { name = \"charge\"; oid = \"1.3.6.1.2.1.33.1.2.4.0\"; } ); },\n"
		"{ name = \"mes\"; address = \"10.0.0.2\"; own = true; reach = { }; },\n"
		"{ name = \"plain\"; address = \"10.0.0.3\"; reach = { }; } );\n"
		"thresholds: ( { name = \"drops\"; on = \"plant-a/drops\"; above = 1; },\n"
		"  { name = \"late\"; on = \"ups/lateness\"; above = 1; } );\n";
	struct inventory *inventory = load(text);
	const struct device *ups = device(inventory, "ups"), *mes = device(inventory, "mes");
	const struct device *self = device(inventory, "plant-a");

	CHECK_INT(inventory->device_count, 4);
	CHECK_STR(ups->groups[1].name, "self");
	CHECK_INT(ups->groups[1].interval, INT64_C(10000000000));
	CHECK_INT(ups->groups[1].point_count, 4);
	CHECK_STR(ups->groups[1].points[3].name, "wrong_source");
	CHECK_INT(mes->groups[1].point_count, 2); /* a ping knows no strays */
	CHECK_INT(device(inventory, "plain")->group_count, 1);
	CHECK_STR(self->about->protocol, "self");
	CHECK_INT(device_interval(self), INT64_C(10000000000));
	CHECK_INT(self->group_count, 1);
	CHECK_INT(inventory->threshold_count, 2);
	inventory_free(inventory);
}

static void
reads_receivers(void)
{
	struct inventory *inventory = load(plant);
	const struct receiver_options *receiver = inventory->receivers;

	CHECK_INT(inventory->receiver_count, 1);
	CHECK_STR(receiver->name, "nms");
	CHECK_INT(receiver->address.port, 1162);
	CHECK(receiver->inform);
	CHECK_INT(receiver->spool, 10000);
	CHECK_STR(receiver->enterprise, "1.3.6.1.4.1.32473.7");
	CHECK_STR(receiver->community, "public");
	inventory_free(inventory);
}

static void
puts_points_of_another_interval_into_a_group_of_their_own(void)
{
	struct inventory *inventory = load(plant);
	const struct device *press = device(inventory, "press-3");

	CHECK_INT(press->group_count, 2);
	CHECK_STR(press->groups[0].name, "points");
	CHECK_STR(press->groups[0].suffix, "");
	CHECK_INT(press->groups[0].point_count, 2);
	CHECK_INT(press->groups[0].interval, INT64_C(5000000000));
	CHECK(!press->groups[0].align);
	CHECK_STR(press->groups[1].suffix, "@15m");
	CHECK_INT(press->groups[1].point_count, 1);
	CHECK(press->groups[1].align);
	CHECK(press->groups[0].driver == &modbus_driver);
	CHECK_INT(device_interval(press), INT64_C(5000000000));
	CHECK_STR(press->about->protocol, "modbus");
	CHECK_STR(press->about->place, "werk1/hall3");
	inventory_free(inventory);
}

static const char *
profile_of(const struct device *device, const char *table)
{
	for (size_t i = 0; i < device->group_count; i++) {
		const char *name = device->groups[i].table;

		if ((table == NULL && name == NULL) ||
			(table != NULL && name != NULL && strcmp(table, name) == 0))
			return device->groups[i].profile;
	}
	return "";
}

static void
the_nearest_retention_counts_rows_device_table_template_store(void)
{
	struct inventory *inventory = load(
		"poller: { templates = [ ]; state_dir = \"/nonexistent/state\"; };\n"
		"store: { profile = \"long\"; };\n"
		"devices: (\n"
		"  { name = \"a\"; address = \"10.0.0.1\"; templates = [ \"t\", \"plain\" ]; },\n"
		"  { name = \"b\"; address = \"10.0.0.2\"; templates = [ \"child\" ]; retention = \"short\";\n"
		"    rows = { if = { retention = \"tiny\"; }; }; },\n"
		"  { name = \"c\"; address = \"10.0.0.3\"; templates = [ \"child\" ]; } );\n"
		"templates: (\n"
		"  { name = \"t\"; protocol = \"snmp\"; retention = \"short\";\n"
		"    points = ( { name = \"p\"; oid = \"1.3.6.1.2.1.1.3.0\"; } );\n"
		"    tables = ( { name = \"if\"; retention = \"standard\";\n"
		"      points = ( { name = \"p\"; oid = \"1.3.6.1.2.1.2.2.1.8\"; } ); } ); },\n"
		"  { name = \"child\"; inherit = \"t\"; },\n"
		"  { name = \"plain\"; protocol = \"snmp\";\n"
		"    points = ( { name = \"q\"; oid = \"1.3.6.1.2.1.1.3.0\"; } ); } );\n");

	CHECK_STR(profile_of(device(inventory, "a"), NULL), "short");
	CHECK_STR(profile_of(device(inventory, "a"), "if"), "standard");
	CHECK_STR(device(inventory, "a")->groups[2].profile, "long");
	CHECK_STR(device(inventory, "a")->about->profile, "long");
	CHECK_STR(profile_of(device(inventory, "b"), NULL), "short");
	CHECK_STR(profile_of(device(inventory, "b"), "if"), "tiny");
	CHECK_STR(device(inventory, "b")->about->profile, "short");
	CHECK_STR(profile_of(device(inventory, "c"), NULL), "short");
	CHECK_STR(profile_of(device(inventory, "c"), "if"), "standard");
	inventory_free(inventory);
}

static void
numbers_modbus_addresses_from_zero_whatever_the_user_wrote(void)
{
	struct inventory *inventory = load(plant);
	const struct device *press = device(inventory, "press-3");
	const struct modbus_point *pieces = press->groups[0].points[0].wire;
	const struct modbus_point *oil = press->groups[0].points[1].wire;
	const struct modbus_point *energy = press->groups[1].points[0].wire;

	CHECK_INT(pieces->pdu, 100);
	CHECK_INT(pieces->function, 3);
	CHECK_INT(pieces->bits, 32);
	CHECK_INT(oil->pdu, 12);
	CHECK_INT(oil->function, 4);
	CHECK_INT(oil->spec.invalid_count, 2);
	CHECK_NEAR(oil->spec.scale, 0.1, 0);
	CHECK_INT(energy->pdu, 800);
	CHECK_STR(press->groups[0].points[0].unit, "1/s");
	CHECK_STR(press->groups[0].points[1].unit, "C");
	CHECK_STR(press->groups[1].points[0].unit, "Wh/s");
	inventory_free(inventory);
}

static void
takes_order_function_and_parameters_from_the_template(void)
{
	struct inventory *inventory = load(plant);
	const struct device *meter = device(inventory, "meter-31");
	const struct modbus_options *options = device_modbus(meter);
	const struct modbus_point *u = meter->groups[0].points[0].wire;
	const struct modbus_point *p = meter->groups[0].points[1].wire;

	CHECK_STR(meter->groups[0].name, "meter");
	CHECK_INT(u->function, 4);
	CHECK_INT(u->spec.order.swap, 2);
	CHECK_NEAR(u->spec.scale, 1, 0);
	CHECK_NEAR(p->spec.scale, 40, 0);
	CHECK_NEAR(meter->groups[0].points[1].scale, 40, 0);
	CHECK_INT(options->max_regs, 96);
	CHECK_INT(options->unit_id, 31);
	CHECK_INT(options->address.port, 4001);
	CHECK_INT(options->timeout, INT64_C(3000000000));
	CHECK_STR(options->line, "gw-7");
	CHECK_STR(meter->address, "gw-7");
	inventory_free(inventory);
}

static void
reads_tables_with_their_keys_rows_and_information(void)
{
	struct inventory *inventory = load(plant);
	const struct device *sw = device(inventory, "sw-hall3");
	const struct group *group = &sw->groups[0];
	const struct snmp_group *wire = group->wire;
	const struct snmp_point *octets = group->points[0].wire, *speed;

	CHECK_STR(group->table, "if");
	CHECK_STR(group->name, "if-mib");
	CHECK(group->driver == &snmp_driver);
	CHECK_INT(group->retire, INT64_C(3600000000000));
	CHECK_INT(wire->key_count, 2);
	CHECK_INT(wire->keys[0].count, 11);
	CHECK_INT(wire->discontinuity.count, 11);
	CHECK_INT(wire->info_count, 1);
	CHECK_STR(wire->infos[0].name, "alias");
	CHECK_STR(wire->include, "^ge");
	CHECK_INT(wire->keep, SNMP_KEEP_ONCE_UP);
	check_oid(&wire->status, "1.3.6.1.2.1.2.2.1.8"); /* the point called oper */
	CHECK_INT(octets->oid_count, 2);
	CHECK_INT(group->points[0].kind, POINT_COUNTER);
	speed = group->points[1].wire;
	CHECK_NEAR(speed->scales[0], 1e6, 0);
	CHECK_NEAR(speed->scales[1], 1, 0);
	CHECK_NEAR(group->points[1].scale, 1, 0);
	CHECK_INT(group->points[2].kind, POINT_STATE);
	CHECK_STR(group->points[2].states[1].word, "down");
	inventory_free(inventory);
}

static void
prefers_the_devices_snmp_settings_to_its_profiles(void)
{
	struct inventory *inventory = load(plant);
	const struct device *sw = device(inventory, "sw-hall3");
	const struct snmp_options *snmp = device_snmp(sw);

	CHECK_INT(snmp->access->version, 1);
	CHECK_STR(sw->address, "10.1.3.1:1161");
	CHECK_INT(snmp->access->retries, 0);
	CHECK_INT(snmp->address.port, 1161);
	CHECK_INT(snmp->access->timeout, INT64_C(2000000000));
	CHECK_STR(device_parents(sw)[0], "mes-db");
	CHECK(device_parents(sw)[1] == NULL);
	inventory_free(inventory);
}

static void
reads_rules_and_puts_the_device_before_those_of_templates(void)
{
	struct inventory *inventory = load(plant);
	const struct rule_options *rules = inventory->thresholds;

	CHECK_INT(inventory->threshold_count, 2);
	CHECK_STR(rules[0].on, "sw-hall3/if[*]/oper");
	CHECK_NEAR(rules[0].clear, 1.5, 0);
	CHECK_INT(rules[0].severity, SEVERITY_MAJOR);
	CHECK_STR(rules[1].name, "oil-hot");
	CHECK_NEAR(rules[1].limit, 70, 0);
	CHECK_NEAR(rules[1].clear, 65, 0);
	CHECK_INT(rules[1].hold, INT64_C(30000000000));
	CHECK_INT(rules[1].severity, SEVERITY_CRITICAL);
	inventory_free(inventory);
}

static const char stateful[] =
	"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
	"templates: ( { name = \"psu\"; protocol = \"snmp\";\n"
	"  points = ( { name = \"psu\"; oid = \"1.3.6.1.4.1.9.1.0\";\n"
	"    states = [ \"1=ok\", \"2=failed\", \"4=absent\" ]; } );\n"
	"  thresholds = ( { name = \"psu-lost\"; on = \"psu\"; is_not = \"ok\"; } ); } );\n"
	"devices: ( { name = \"a\"; address = \"10.0.0.1\"; templates = [ \"psu\" ]; },\n"
	"  { name = \"b\"; address = \"10.0.0.2\"; templates = [ \"psu\" ]; alarms = \"standard\"; } );\n"
	"thresholds: ( { name = \"t\"; on = \"*/psu\"; is = [ \"failed\", \"absent\", \"9\" ]; },\n"
	"  { name = \"f\"; on = \"*/up\"; changes = 4; within = \"10m\"; },\n"
	"  { name = \"d\"; on = \"a/up\"; is = \"down\"; },\n"
	"  { name = \"n\"; on = \"b/up\"; is = 0; },\n"
	"  { name = \"m\"; on = \"b/psu\"; is_not = [ 1, 0x04 ]; } );\n";

static void
words_of_states_become_the_numbers_that_the_points_give_them(void)
{
	struct inventory *inventory = load(stateful);
	const struct rule_options *rules = inventory->thresholds;

	/* Templates' rules are only for the device that asks for them. */
	CHECK_INT(inventory->threshold_count, 6);
	CHECK_STR(rules[0].on, "b/psu");
	CHECK_INT(rules[0].kind, RULE_IS_NOT);
	CHECK_INT(rules[0].states[0].value, 1);
	CHECK_STR(rule_word(&rules[0], 4), "absent");
	CHECK_INT(rules[1].state_count, 3);
	CHECK_INT(rules[1].states[0].value, 2);
	CHECK_INT(rules[1].states[1].value, 4);
	CHECK_INT(rules[1].states[2].value, 9);
	CHECK_INT(rules[2].changes, 4);
	CHECK_INT(rules[2].within, INT64_C(600000000000));
	CHECK_INT(rules[3].states[0].value, 0);
	/* Numbers need no quotes. */
	CHECK_INT(rules[4].state_count, 1);
	CHECK_INT(rules[4].states[0].value, 0);
	CHECK_INT(rules[5].state_count, 2);
	CHECK_INT(rules[5].states[1].value, 4);
	inventory_free(inventory);
}

static void
what_must_not_stay_stands_in_a_file_of_its_own(void)
{
	struct inventory *inventory = load(
		"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
		"store: { profile = \"long\"; };\n"
		"devices: ( { name = \"m\"; address = \"10.0.0.1\"; modbus = { unit_id = 1; }; points = (\n"
		"  { name = \"p\"; function = 3; pdu = 1; type = \"u16\"; },\n"
		"  { name = \"badge\"; function = 3; pdu = 2; type = \"u16\"; retain = \"30d\"; },\n"
		"  { name = \"count\"; function = 3; pdu = 3; type = \"u16\"; retain = \"30d\"; interval = \"5s\"; },\n"
		"  { name = \"q\"; function = 3; pdu = 4; type = \"u16\"; } ); } );\n");
	const struct device *m = device(inventory, "m");

	CHECK_INT(m->group_count, 3);
	CHECK_INT(m->groups[0].point_count, 2);
	CHECK_STR(m->groups[0].suffix, "");
	CHECK_STR(m->groups[0].profile, "long");
	CHECK_STR(m->groups[1].points[0].name, "badge");
	CHECK_STR(m->groups[1].suffix, "~720h");
	CHECK_STR(m->groups[1].profile, "long:720h");
	CHECK_STR(m->groups[2].suffix, "@5s~720h");
	inventory_free(inventory);
}

static void
reads_paths_with_alternative_hops(void)
{
	struct inventory *inventory = load(plant);
	const struct path_options *path = inventory->paths;

	CHECK_INT(path->hop_count, 4);
	CHECK_STR(path->hops[1].names[0], "sw-hall3/if[ge-1/5]");
	CHECK_INT(path->hops[2].count, 2);
	CHECK_STR(path->hops[2].names[1], "meter-31");
	CHECK_STR(path->sources[0], "press-3/pieces");
	CHECK_INT(path->max_age, INT64_C(15000000000)); /* three of its 5 s */
	CHECK_NEAR(path->availability, 99.8, 1e-9);
	inventory_free(inventory);
}

static void
reads_reach(void)
{
	struct inventory *inventory = load(plant);
	const struct reach_options *reach = device_reach(device(inventory, "mes-db"));

	CHECK(reach->ping);
	CHECK_INT(reach->tcp_count, 1);
	CHECK_INT(reach->tcp[0], 1433);
	CHECK_STR(device(inventory, "mes-db")->about->protocol, "reach");
	inventory_free(inventory);
}

static void
gives_the_same_inventory_from_its_bundle(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(put("main.conf", plant), &errors), *again;
	struct inventory *one, *other;
	struct fail why;
	int fd = memfd_create("bundle", MFD_CLOEXEC);

	CHECK(conf != NULL);
	CHECK(conf_bundle_write(conf, fd, &why) == 0);
	put("main.conf", "this is no longer looked at");
	again = conf_load_bundle(fd, &errors);
	conf_report(&errors, stderr);
	CHECK(again != NULL);
	one = conf_inventory(conf);
	other = conf_inventory(again);
	CHECK_INT(one->device_count, other->device_count);
	for (size_t i = 0; i < one->device_count; i++)
		CHECK(one->devices[i].fingerprint == other->devices[i].fingerprint);
	inventory_free(one);
	inventory_free(other);
	conf_free(conf);
	conf_free(again);
	conf_errors_free(&errors);
	close(fd);
}

static char changes[200];
static void
note(enum conf_change change, const char *name, void *arg)
{
	size_t used = strlen(changes);

	(void)arg;
	snprintf(changes + used, sizeof changes - used, "%c%s ", "=!+-"[change], name);
}

/* The text with its first `from` replaced; free() it. */
static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	CHECK(at != NULL);
	return mem_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void
tells_what_a_new_configuration_changes(void)
{
	char *text = replaced(plant, "name = \"mes-db\"", "name = \"mes-2\"");
	char *more = replaced(text, "\"mes-db\" ]", "\"mes-2\" ]");
	char *last = replaced(more, "\"mes-db\" )", "\"mes-2\" )");
	/* in the template, and so in meter-31 only */
	char *all = replaced(last, "pdu = 19000", "pdu = 19002");
	struct inventory *old = load(plant), *new = load(all);

	changes[0] = '\0';
	conf_diff(old, new, note, NULL);
	CHECK_STR(changes, "=gw-7 +mes-2 -mes-db !meter-31 =press-3 !sw-hall3 ");
	inventory_free(old);
	inventory_free(new);
	free(text);
	free(more);
	free(last);
	free(all);
}

static void
counts_what_is_configured(void)
{
	struct inventory *inventory = load(plant);
	char text[200];

	CHECK_STR(conf_summary(inventory, text, sizeof text), "4 devices, 5 points, 1 table, "
		"2 thresholds, 1 path, 1 receiver: ok");
	inventory_free(inventory);
}

static void
inherits_points_and_replaces_those_of_the_same_name(void)
{
	struct inventory *inventory = load(
		"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
		"devices: ( { name = \"m\"; address = \"10.0.0.1\"; modbus = { unit_id = 1; };\n"
		"  templates = [ \"new\" ]; alarms = \"standard\"; } );\n"
		"templates: ( { name = \"new\"; inherit = \"old\"; max_gap = 8;\n"
		"    points = ( { name = \"p\"; pdu = 4; type = \"f32\"; }, { name = \"r\"; pdu = 6; type = \"s16\"; } ); },\n"
		"  { name = \"old\"; protocol = \"modbus\"; function = 4; order = \"CDAB\";\n"
		"    points = ( { name = \"p\"; pdu = 2; type = \"f32\"; }, { name = \"q\"; pdu = 0; type = \"u16\"; } );\n"
		"    thresholds = ( { name = \"t\"; on = \"q\"; above = 1; } ); } );\n");
	const struct device *m = device(inventory, "m");
	const struct modbus_point *p = m->groups[0].points[0].wire;

	CHECK_INT(m->group_count, 1);
	CHECK_STR(m->groups[0].name, "new");
	CHECK_INT(m->groups[0].point_count, 3);
	CHECK_STR(m->groups[0].points[0].name, "p");
	CHECK_INT(p->pdu, 4);
	CHECK_INT(p->function, 4);
	CHECK_INT(p->spec.order.swap, 2);
	CHECK_STR(m->groups[0].points[1].name, "q");
	CHECK_STR(m->groups[0].points[2].name, "r");
	CHECK_INT(((const struct modbus_options *)device_modbus(m))->max_gap, 8);
	CHECK_STR(((const struct rule_options *)inventory->thresholds)->on, "m/q");
	inventory_free(inventory);
}

static void
knows_what_may_be_asked_for_together(void)
{
	struct inventory *inventory = load(
		"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
		"lines: ( { name = \"bus\"; address = \"10.0.0.9\"; baud = 1200; parity = \"even\";\n"
		"  transport = \"rtu-over-tcp\"; } );\n"
		"devices: ( { name = \"m\"; address = \"10.0.0.1\"; modbus = { unit_id = 1; barriers = [ 40 ]; };\n"
		"  templates = [ \"new\" ]; points = ( { name = \"s\"; pdu = 602; function = 4; type = \"u32\";\n"
		"    side_effect = true; interval = \"5m\"; } ); },\n"
		"  { name = \"n\"; modbus = { line = \"bus\"; unit_id = 1; max_gap = -1; no_merge = false; };\n"
		"  templates = [ \"new\" ]; } );\n"
		"templates: ( { name = \"new\"; protocol = \"modbus\"; function = 4; barriers = [ 10, 20 ];\n"
		"    max_gap = -1; no_merge = true; points = (\n"
		"      { name = \"p\"; pdu = 4; type = \"f32\"; atomic = \"x\"; },\n"
		"      { name = \"r\"; pdu = 6; type = \"s16\"; atomic = \"x\"; } ); } );\n");
	const struct modbus_options *m = device_modbus(device(inventory, "m"));
	const struct modbus_options *n = device_modbus(device(inventory, "n"));
	const struct modbus_point *p = device(inventory, "n")->groups[0].points[0].wire;

	CHECK_INT(m->barrier_count, 5);
	CHECK(block_barred(&(struct block_limits){ .barriers = m->barriers, .barrier_count = 5 },
		ADU_INPUT_REGISTERS, 604, 604));
	CHECK_INT(m->barriers[3].address, 602);
	CHECK_INT(m->barriers[0].function, 0);
	CHECK_INT(n->barrier_count, 2);
	CHECK_INT(m->max_gap, 31);
	CHECK_INT(n->max_gap, 7);
	/* 3.5 characters of 11 bits */
	CHECK_INT(n->request_gap, INT64_C(11) * 35 * 1000000000 / 10 / 1200);
	CHECK(m->no_merge && !n->no_merge);
	CHECK_STR(p->atomic, "x");
	CHECK(!p->side_effect);
	inventory_free(inventory);
}

/* A maker who gives each model an arc of its own: one template for all of them. */
static const char arcs[] =
	"poller: { state_dir = \"/nonexistent/state\"; templates = [ ]; };\n"
	"templates: ( { name = \"switch\"; protocol = \"snmp\";\n"
	"  parameters = ( { name = \"arc\"; }, { name = \"slot\"; default = \"2.3\"; },\n"
	"    { name = \"base\"; default = \"1.3.6.1.4.1.8691.7\"; } );\n"
	"  info = ( { name = \"model\"; oid = \"1.3.6.1.4.1.8691.7.$arc.1.2.0\"; } );\n"
	"  points = ( { name = \"power\"; oid = \"1.3.6.1.4.1.8691.7.$arc.1.10.1.0\";\n"
	"    invalid = [ \"-1\", \"0xFFFF\" ]; },\n"
	"    { name = \"fan\"; oid = [ \"$base.$arc.2.0\", \"$base.3.0\" ]; },\n"
	"    { name = \"temp\"; oid = \"$base.$arc.4.0\"; } );\n"
	"  tables = ( { name = \"fibre\"; key = [ \"1.3.6.1.4.1.8691.7.$arc.1.9\" ];\n"
	"    type = \"$base.$arc.1.8\";\n"
	"    points = ( { name = \"tx\"; oid = \"1.3.6.1.4.1.8691.7.$arc.$slot\"; } ); } ); } );\n"
	"devices: ( { name = \"a\"; address = \"10.0.0.1\"; templates = [ \"switch\" ];\n"
	"    parameters = { arc = 71; }; rows = { fibre = { types = [ 6 ]; }; }; },\n"
	"  { name = \"b\"; address = \"10.0.0.2\"; templates = [ \"switch\" ];\n"
	"    parameters = { arc = 142; slot = \"9\"; }; } );\n";

static void
parameters_stand_in_the_place_of_arcs(void)
{
	struct inventory *inventory = load(arcs);
	const struct group *a = device(inventory, "a")->groups, *b = device(inventory, "b")->groups;
	const struct snmp_group *wire = a[0].wire, *table = a[1].wire;
	const struct snmp_point *power = a[0].points[0].wire, *tx = a[1].points[0].wire, *fan, *temp;

	CHECK_INT(a[0].point_count, 3);
	fan = a[0].points[1].wire;
	temp = a[0].points[2].wire;
	check_oid(&fan->oids[0], "1.3.6.1.4.1.8691.7.71.2.0");
	check_oid(&fan->oids[1], "1.3.6.1.4.1.8691.7.3.0");
	check_oid(&temp->oids[0], "1.3.6.1.4.1.8691.7.71.4.0");
	check_oid(&wire->infos[0].oid, "1.3.6.1.4.1.8691.7.71.1.2.0");
	check_oid(&power->oids[0], "1.3.6.1.4.1.8691.7.71.1.10.1.0");
	CHECK_INT(power->invalid_count, 2);
	CHECK_NEAR(power->invalid[0].to, -1, 0);
	CHECK_NEAR(power->invalid[1].from, 65535, 0);
	check_oid(&table->keys[0], "1.3.6.1.4.1.8691.7.71.1.9");
	check_oid(&table->type, "1.3.6.1.4.1.8691.7.71.1.8");
	check_oid(&tx->oids[0], "1.3.6.1.4.1.8691.7.71.2.3");
	power = b[0].points[0].wire;
	tx = b[1].points[0].wire;
	check_oid(&power->oids[0], "1.3.6.1.4.1.8691.7.142.1.10.1.0");
	check_oid(&tx->oids[0], "1.3.6.1.4.1.8691.7.142.9");
	inventory_free(inventory);
}

static int
make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int
remove_directory(void **state)
{
	(void)state;
	unlink(put("main.conf", ""));
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_daemons_own_settings),
		TEST(own_metrics_are_a_group_of_the_device_and_a_device_of_the_daemon),
		TEST(reads_receivers),
		TEST(puts_points_of_another_interval_into_a_group_of_their_own),
		TEST(the_nearest_retention_counts_rows_device_table_template_store),
		TEST(numbers_modbus_addresses_from_zero_whatever_the_user_wrote),
		TEST(takes_order_function_and_parameters_from_the_template),
		TEST(reads_tables_with_their_keys_rows_and_information),
		TEST(prefers_the_devices_snmp_settings_to_its_profiles),
		TEST(reads_rules_and_puts_the_device_before_those_of_templates),
		TEST(words_of_states_become_the_numbers_that_the_points_give_them),
		TEST(what_must_not_stay_stands_in_a_file_of_its_own),
		TEST(reads_paths_with_alternative_hops),
		TEST(reads_reach),
		TEST(gives_the_same_inventory_from_its_bundle),
		TEST(tells_what_a_new_configuration_changes),
		TEST(counts_what_is_configured),
		TEST(knows_what_may_be_asked_for_together),
		TEST(inherits_points_and_replaces_those_of_the_same_name),
		TEST(parameters_stand_in_the_place_of_arcs),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

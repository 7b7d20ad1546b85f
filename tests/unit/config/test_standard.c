/* What alarms = "standard" does: each threshold of each template of conf/templates is raised by
 * what is bad and cleared by what is well, in virtual time. What that is stands here once more
 * by hand, so that a word, a point or a limit that was mistyped there is found. */
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm/alarms.h"
#include "config/conf.h"
#include "core/frozen.h"
#include "../check.h"
#include "../plant.h"
#include "../scratch.h"

#define STEP (30 * LOOP_S)
/* What a table's row may be called. */
#define ROW "var 1 Temperature.Value"

/* bad: every word that raises it, each other word of the point does not; or a number. well: what
 * clears it. Of a rule about changes or a standstill both are what it takes turns in. */
static const struct expected {
	const char *template, *rule, *point, *bad, *well;
} expected[] = {
	{ "apc", "apc-battery", "battery", "low inFaultCondition", "normal" },
	{ "apc", "apc-replace", "replace_battery", "yes", "no" },
	{ "apc", "apc-output", "output",
		"onBattery off hardwareFailureBypass emergencyStaticBypass", "onLine" },
	{ "apc", "apc-hot", "temperature", "46", "30" },
	{ "bridge-rstp", "stp-change", "topology_changes", "0.5", "0" },
	{ "bridge-rstp", "stp-broken", "stp[" ROW "]/state", "broken", "forwarding" },
	{ "cisco-ie", "cisco-temperature", "temperature[" ROW "]/state",
		"warning critical shutdown", "normal" },
	{ "cisco-ie", "cisco-psu", "psu[" ROW "]/state", "warning critical shutdown notFunctioning",
		"normal" },
	{ "cisco-ie", "cisco-fan", "fan[" ROW "]/state", "warning critical shutdown notFunctioning",
		"normal" },
	{ "eaton", "eaton-battery", "battery", "disconnected check", "charging" },
	{ "eaton", "eaton-source", "source", "none bypass battery maintenanceBypass", "normal" },
	{ "eaton", "eaton-hot", "temperature", "46", "30" },
	{ "entity-sensor", "sensor-failed", "entity[" ROW "]/oper", "nonoperational", "ok" },
	{ "hirschmann-classic", "psu-lost", "psu[" ROW "]/state", "failed", "ok" },
	{ "hirschmann-classic", "fan-failed", "fan[" ROW "]/state", "failed", "ok" },
	{ "hirschmann-classic", "switch-monitor", "monitor[" ROW "]/state", "error", "ok" },
	{ "hirschmann-classic", "too-hot", "temperature", "71", "50" },
	{ "hirschmann-hios", "psu-lost", "psu[" ROW "]/state", "defective", "present" },
	{ "hirschmann-hios", "fan-failed", "fan[" ROW "]/state", "failure", "ok" },
	{ "hirschmann-hios", "ring-open", "mrp[" ROW "]/ring", "open", "closed" },
	{ "hirschmann-hios", "redundancy-lost", "mrp[" ROW "]/redundancy", "notGuaranteed",
		"guaranteed" },
	{ "hirschmann-hios", "too-hot", "temperature", "71", "50" },
	{ "host-resources", "cpu-busy", "cpu[" ROW "]/load", "99", "50" },
	{ "iec-mrp", "ring-open", "mrp[" ROW "]/ring", "ringOpen", "ok" },
	{ "iec-mrp", "ring-port-1", "mrp[" ROW "]/port_1", "notConnected", "forwarding" },
	{ "iec-mrp", "ring-port-2", "mrp[" ROW "]/port_2", "notConnected", "blocked" },
	{ "iec-prp", "lan-a-down", "lre[" ROW "]/link_a", "down", "up" },
	{ "iec-prp", "lan-b-down", "lre[" ROW "]/link_b", "down", "up" },
	{ "iec-prp", "wrong-lan-a", "lre[" ROW "]/wrong_a", "1", "0" },
	{ "iec-prp", "wrong-lan-b", "lre[" ROW "]/wrong_b", "1", "0" },
	{ "if-mib", "if-flap", "if[" ROW "]/oper", "down", "up" },
	{ "if-mib", "if-errors", "if[" ROW "]/in_errors", "2", "0" },
	{ "janitza-snmp", "phase-lost", "u_l1", "3", "230" },
	{ "janitza-snmp", "phase-lost", "u_l2", "3", "230" },
	{ "janitza-snmp", "phase-lost", "u_l3", "3", "230" },
	{ "janitza-umg96-snmp", "phase-lost", "u_l1", "3", "230" },
	{ "janitza-umg96-snmp", "phase-lost", "u_l2", "3", "230" },
	{ "janitza-umg96-snmp", "phase-lost", "u_l3", "3", "230" },
	{ "lldp", "neighbours-change", "deletes", "0.1", "0" },
	{ "moxa-eds", "fibre-temperature", "fibre[" ROW "]/temperature", "85", "50" },
	{ "moxa-eds", "cpu-busy", "cpu_300s", "99", "40" },
	{ "moxa-eds4000", "ring-open", "turboring[" ROW "]/ring", "broken", "normal" },
	{ "nport", "serial-framing", "serial[" ROW "]/framing_errors", "2", "0" },
	{ "nport", "serial-overrun", "serial[" ROW "]/overruns", "2", "0" },
	{ "opengear", "sensor-hot", "sensor[" ROW "]/temperature", "61", "25" },
	{ "opengear", "modem-hot", "modem[" ROW "]/temperature", "80", "40" },
	{ "phoenix-fl", "psu-lost", "power", "source1 source2", "both" },
	{ "poe", "poe-fault", "poe[" ROW "]/detection", "fault otherFault", "delivering" },
	{ "poe", "poe-supply", "poe_supply[" ROW "]/oper", "faulty", "on" },
	{ "printer", "printer-down", "device[" ROW "]/status", "down", "running" },
	{ "profinet-device", "port-flap", "port[" ROW "]/oper", "down", "up" },
	{ "profinet-device", "port-errors", "port[" ROW "]/in_errors", "2", "0" },
	{ "rittal-cmc3", "cabinet-hot", "var[" ROW "]/value", "46", "25" },
	{ "ruggedcom-ros", "psu-lost", "psu1", "notFunctional", "functional" },
	{ "ruggedcom-ros", "psu-lost", "psu2", "notFunctional", "functional" },
	{ "ruggedcom-ros", "fan-failed", "fan1", "failed", "on" },
	{ "ruggedcom-ros", "fan-failed", "fan2", "failed", "standby" },
	{ "ruggedcom-ros", "ros-alarm", "alarm", "yes", "no" },
	{ "ruggedcom-ros", "too-hot", "temperature", "86", "60" },
	{ "s7-mb-server", "plc-stop", "life", "7", "8" },
	{ "siemens-scalance", "scalance-fault", "fault", "fault", "none" },
	{ "tcp", "resets", "resets", "20", "1" },
	{ "teltonika-rut9", "signal-weak", "rssi", "-105", "-70" },
	{ "teltonika", "signal-weak", "modem[" ROW "]/rssi", "-105", "-70" },
	{ "teltonika", "modem-hot", "modem[" ROW "]/temperature", "80", "40" },
	{ "ups-mib", "ups-battery", "battery", "low depleted", "normal" },
	{ "ups-mib", "ups-source", "source", "none bypass battery", "normal" },
	{ "ups-mib", "ups-hot", "temperature", "41", "25" },
	{ "wago-750", "wago-led", "led_error", "1", "0" },
	{ "westermo-weos", "weos-alarm", "alarm[" ROW "]/state", "warning", "ok" },
	{ "westermo-weos", "frnt-broken", "frnt[" ROW "]/ring", "bus", "ring" },
	{ "westermo-weos", "frnt5-broken", "frnt5[" ROW "]/ring", "broken", "ok" },
	{ "windows-host", "cpu-busy", "cpu[" ROW "]/load", "99", "50" },
	{ "windows-host", "service-paused", "service[" ROW "]/state", "paused", "active" },
	{ "wut-thermograph", "too-hot", "sensor[" ROW "]/temperature", "46", "22" },
};
enum { EXPECTED = sizeof expected / sizeof *expected };

static struct loop *loop;
static struct alarms *alarms;
static struct frozen *frozen;
static struct plant_journal journal;
static struct inventory *inventory;
static char paths[EXPECTED][96]; /* of the points, as their series keep them */

/* ---- a device for each template, of its name ---- */

static const char *
templates(void)
{
	static char folder[PATH_MAX];
	char path[PATH_MAX];
	const char *source = getenv("PW_SRC");

	if (folder[0] != '\0')
		return folder;
	snprintf(path, sizeof path, "%.4000s/conf/templates", source == NULL ? "." : source);
	CHECK(realpath(path, folder) != NULL);
	return folder;
}

static void
put_device(FILE *to, const char *path, const char *before)
{
	char *text = mem_zero(65536);
	const char *name = strrchr(path, '/') + 1;
	FILE *from = fopen(path, "r");
	bool modbus;

	CHECK(from != NULL);
	CHECK(fread(text, 1, 65535, from) > 0);
	fclose(from);
	modbus = strstr(text, "protocol = \"modbus\"") != NULL;
	if (strstr(text, "thresholds") != NULL)
		fprintf(to, "%s{ name = \"%.*s\"; address = \"10.1.0.1\"; %s; alarms = \"standard\"; "
			"templates = [ \"%.*s\" ]; parameters = { %s }; }", before,
			(int)strlen(name) - 5, name, modbus ? "modbus = { unit_id = 1; watchdog_checked = true; }" :
			"snmp = { version = \"2c\"; }", (int)strlen(name) - 5, name,
			strncmp(name, "moxa-eds.", 9) == 0 ? "arc = 71;" : "");
	free(text);
}

static void
write_configuration(const char *path)
{
	char pattern[PATH_MAX + 8];
	glob_t found;
	FILE *to = fopen(path, "w");

	CHECK(to != NULL);
	fprintf(to, "poller: { interval = \"30s\"; templates = [ \"%s\" ]; state_dir = \"%s\"; };\n"
		"devices: ( { name = \"none\"; address = \"10.1.0.2\"; reach = { ping = true; }; }",
		templates(), scratch);
	snprintf(pattern, sizeof pattern, "%s/*.conf", templates());
	CHECK(glob(pattern, 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		put_device(to, found.gl_pathv[i], ",\n");
	fprintf(to, " );\n");
	fclose(to);
	globfree(&found);
}

static struct inventory *
load(void)
{
	struct conf_errors errors = { 0 };
	struct inventory *made;
	struct conf *conf;

	scratch_make();
	write_configuration(scratch_path("pollwerk.conf"));
	conf = conf_load(scratch_path("pollwerk.conf"), &errors);
	if (conf == NULL)
		conf_report(&errors, stderr);
	CHECK(conf != NULL);
	made = conf_inventory(conf);
	conf_free(conf);
	conf_errors_free(&errors);
	scratch_remove();
	return made;
}

static uint64_t
record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	return plant_record(&journal, kind, body, size);
}

static void
start(void)
{
	struct alarms_options options = { .record = record, .series = plant_by_id };
	struct feed_listener listener;

	inventory = load();
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	options.loop = loop = loop_new(NULL);
	options.frozen = frozen = frozen_new(NULL);
	frozen_configure(frozen, inventory->frozen, inventory->frozen_count);
	alarms = alarms_new(&options, inventory);
	alarms_begin(alarms);
	listener = alarms_listener(alarms);
	journal.feed.count = 0;
	feed_add(&journal.feed, &listener);
}

static void
stop(void)
{
	alarms_free(alarms);
	frozen_free(frozen);
	loop_free(loop);
	inventory_free(inventory);
	record_buffer_free(&journal.bytes);
	journal = (struct plant_journal){ 0 };
	plant_series_count = 0;
}

/* ---- one threshold ---- */

static bool
is_of(const struct rule_options *rule, const struct expected *about)
{
	size_t length = strlen(about->template);

	return strcmp(rule->name, about->rule) == 0 && rule->on[length] == '/' &&
		strncmp(rule->on, about->template, length) == 0;
}

static const struct rule_options *
find_rule(const struct expected *about)
{
	const struct rule_options *rules = inventory->thresholds;

	for (size_t i = 0; i < inventory->threshold_count; i++)
		if (is_of(&rules[i], about))
			return &rules[i];
	return NULL;
}

static const struct point *
find_point(const char *template, const char *path)
{
	const struct device *device = inventory_find(inventory, template);
	const char *name = strrchr(path, '/'), *row = strchr(path, '[');
	size_t length = row == NULL ? 0 : (size_t)(row - path);

	name = name == NULL ? path : name + 1;
	for (size_t g = 0; device != NULL && g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		if ((group->table == NULL) != (row == NULL) || (row != NULL &&
			(strlen(group->table) != length || strncmp(group->table, path, length) != 0)))
			continue;
		for (size_t p = 0; p < group->point_count; p++)
			if (strcmp(group->points[p].name, name) == 0)
				return &group->points[p];
	}
	return NULL;
}

/* The word's number at that point; a number stands for itself where it has no words. */
static double
number_of(const struct point *point, const char *word, size_t length)
{
	for (size_t i = 0; i < point->state_count; i++)
		if (strlen(point->states[i].word) == length &&
			strncmp(point->states[i].word, word, length) == 0)
			return (double)point->states[i].value;
	CHECK_INT(point->state_count, 0);
	return strtod(word, NULL);
}

static bool
is_listed(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static void
count_key(void *arg, const struct alarm_view *view)
{
	const struct expected *about = arg;
	char key[128];

	snprintf(key, sizeof key, "%s/%s", about->rule, paths[about - expected]);
	CHECK_STR(view->key, key);
}

/* Slots of this value until `span` is over; is the alarm open then? No other one may be. */
static bool
raised_by(const struct expected *about, double value, int64_t span)
{
	for (int64_t past = -STEP; past < span; past += STEP) {
		const struct series *series = plant_point(paths[about - expected], STEP);
		struct sample sample = { .series = series, .reason = REASON_GOOD, .value = value };

		loop_sim_for(loop, STEP);
		sample.slot = loop_wall(loop) / STEP;
		sample.received = loop_wall(loop);
		frozen_judge(frozen, &sample);
		plant_tell(&journal, &sample);
	}
	loop_sim_for(loop, 2 * LOOP_S);
	alarms_each(alarms, count_key, (void *)about);
	return alarms_count(alarms) > 0;
}

/* As raised_by, held to what is to be. */
static void
check_raised(const struct expected *about, double value, int64_t span, bool wanted)
{
	bool raised = raised_by(about, value, span);

	if (raised != wanted)
		print_error("%s: %s is %s by %g at %s\n", about->template, about->rule,
			raised ? "raised" : "not raised", value, about->point);
	CHECK(raised == wanted);
}

/* One slot of each in turn, until the rule must have counted enough changes. */
static void
check_changes(const struct expected *about, const struct rule_options *rule, double one, double other)
{
	check_raised(about, other, rule->within, false);
	for (unsigned i = 0; i < rule->changes; i++)
		check_raised(about, i % 2 == 0 ? one : other, 0, i + 1 == rule->changes);
	check_raised(about, other, 2 * rule->within, false);
}

static void
check_still(const struct expected *about, const struct rule_options *rule, double one, double other)
{
	for (int i = 0; i < 60; i++)
		check_raised(about, i % 2 == 0 ? other : one, 0, false);
	check_raised(about, one, rule->hold, true);
	check_raised(about, other, 0, false);
}

static void
check_threshold(const struct expected *about)
{
	const struct rule_options *rule = find_rule(about);
	const struct point *point = find_point(about->template, about->point);
	double well;

	if (rule == NULL || point == NULL)
		print_error("%s: no %s\n", about->template, rule == NULL ? about->rule : about->point);
	CHECK(rule != NULL && point != NULL);
	snprintf(paths[about - expected], sizeof paths[0], "%s/%s", about->template, about->point);
	well = number_of(point, about->well, strlen(about->well));
	if (rule->kind == RULE_CHANGES || rule->kind == RULE_FROZEN) {
		(rule->kind == RULE_CHANGES ? check_changes : check_still)(about, rule,
			number_of(point, about->bad, strlen(about->bad)), well);
		return;
	}
	check_raised(about, well, rule->hold, false);
	for (const char *word = about->bad; *word != '\0'; ) {
		size_t length = strcspn(word, " ");

		check_raised(about, number_of(point, word, length), rule->hold, true);
		check_raised(about, well, 0, false);
		word += length + strspn(word + length, " ");
	}
	for (size_t i = 0; i < point->state_count; i++)
		if (!is_listed(about->bad, point->states[i].word))
			check_raised(about, (double)point->states[i].value, rule->hold, false);
}

/* ---- all of them ---- */

static void
each_threshold_of_the_templates_is_raised_by_what_is_bad_and_cleared_by_what_is_well(void)
{
	start();
	for (size_t i = 0; i < EXPECTED; i++)
		check_threshold(&expected[i]);
	stop();
}

static void
no_threshold_of_a_template_is_left_out_here(void)
{
	const struct rule_options *rules;

	inventory = load();
	rules = inventory->thresholds;
	for (size_t r = 0; r < inventory->threshold_count; r++) {
		bool found = false;

		for (size_t i = 0; i < EXPECTED; i++)
			found |= is_of(&rules[r], &expected[i]);
		if (!found)
			print_error("nothing is expected of %s on %s\n", rules[r].name, rules[r].on);
		CHECK(found);
	}
	CHECK(inventory->threshold_count >= 60);
	inventory_free(inventory);
}

RUN_TESTS(TEST(each_threshold_of_the_templates_is_raised_by_what_is_bad_and_cleared_by_what_is_well),
	TEST(no_threshold_of_a_template_is_left_out_here))

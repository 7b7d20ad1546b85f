/* A year of plant life on virtual time: the real poller, journal and ledger against a
 * simulated plant that keeps its own log. Losses, deaths, restarts, kills, clock steps and
 * reloads come from one seed, which is printed; the ledger has to equal the plant's log. */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "alarm/rule.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/feed.h"
#include "core/series.h"
#include "core/tally.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "scenario/agent.h"
#include "scenario/notices.h"
#include "scenario/plant.h"
#include "scenario/plc.h"
#include "scenario/process.h"
#include "journal/reader.h"
#include "path/path.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "store/store.h"

#define MINUTE (60 * LOOP_S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define BEGIN (INT64_C(1767225600) * LOOP_S) /* 2026-01-01 */

enum { SINGLES = 40, GATEWAYS = 4, UNITS = 4, PLCS = SINGLES + GATEWAYS * UNITS, AGENTS = 28,
	SWITCHES = 8, HOPS = 8, DEVICES = PLCS + AGENTS + SWITCHES + HOPS };

enum event_kind { HOST_STATE, DEAD, GATEWAY_DEAD, BUSY, ILLEGAL, BOOT, KILL, STOP, STEP, RELOAD,
	CHECK, STORE, STORE_KILL, DISK, CONFIRM };
struct event {
	int64_t at; /* mono */
	enum event_kind kind;
	size_t which;
	int64_t value;
};

static struct {
	uint64_t seed;
	int64_t days;
	struct plant plant;
	struct process *process;
	struct process_options options;
	struct feed_listener listener;
	struct event *events;
	size_t event_count, event_room;
	char dir[64], rrd_dir[80];
	struct notices notices;
	struct rule_options rules[3];
	struct path_options paths[2];
	bool watched; /* with alarms and paths */
	struct keeper *store;
	struct store_options store_options;
	int64_t confirmed_by; /* days by which the clock is set and then confirmed */
	struct spell { int64_t from, to; } *spells; /* in which the poller shall not end */
	size_t spell_count;
	/* counted */
	uint64_t store_kills, rows, segments;
	uint64_t polls, samples, kills, stops, steps, reloads, checks, refusals, confirmed;
	uint64_t slots, folded, either_end, either_step, by_reason[256];
	unsigned failures;
} year;

/* ---- report ---- */

static void
report(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
report(bool good, const char *format, ...)
{
	va_list args;

	printf("%s - ", good ? "ok" : "not ok");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	year.failures += !good;
}

/* ---- the plant ---- */

/* Units behind one gateway are asked one after the other: their times must not meet, or a dead
 * one's probes would cost the others their turn (that is the line's own test). */
static void
name_device(struct plant_device *device, const char *stem, size_t number, int64_t step)
{
	for (char suffix = 'a'; suffix <= 'z'; suffix++) {
		bool meets = false;

		snprintf(device->name, sizeof device->name, "%s-%zu%c", stem, number, suffix);
		truth_init(&device->truth, device->name, step, device->point_count + HEALTH_COUNT,
			BEGIN - DAY, BEGIN + (year.days + year.confirmed_by + 10) * DAY);
		for (struct plant_device *d = year.plant.devices; d < device; d++) {
			int64_t apart = (d->truth.phase - device->truth.phase) % (15 * MINUTE);

			apart = apart < 0 ? apart + 15 * MINUTE : apart;
			meets |= d->host == device->host && d->host != NULL &&
				(apart < 40 * LOOP_S || apart > 15 * MINUTE - 40 * LOOP_S);
		}
		if (!meets)
			return;
		truth_free(&device->truth);
	}
	abort();
}

static void
configure_modbus(struct plant_device *device)
{
	device->timeout = LOOP_S;
	device->modbus = (struct modbus_options){ .line = "", .address = device->host->at,
		.unit_id = device->unit_id, .timeout = device->timeout,
		.connect_timeout = 3 * LOOP_S };
	for (size_t i = 0; i < device->point_count; i++) {
		const struct plant_point *p = &device->points[i];

		device->modbus_points[i] = (struct modbus_point){ .function = p->function,
			.pdu = p->address, .bits = p->bits, .spec.type = p->real ? REGS_F32 :
			p->width == 4 ? REGS_U64 : p->width == 2 ? REGS_U32 :
			p->is_signed ? REGS_S16 : REGS_U16 };
		device->config_points[i].wire = &device->modbus_points[i];
	}
	device->group.driver = &modbus_driver;
	device->config.ways = DEVICE_MODBUS;
	device->config.options = &device->modbus;
}

static void
make_oid(struct plant_device *device, size_t i, const uint32_t *more, size_t count)
{
	memcpy(device->ids[i], agent_prefix, sizeof agent_prefix);
	memcpy(device->ids[i] + AGENT_PREFIX, more, count * sizeof *more);
	device->oids[i] = (struct snmp_oid){ device->ids[i], AGENT_PREFIX + count };
}

static void
configure_snmp(struct plant_device *device)
{
	size_t count = device->table ? AGENT_COLUMNS : device->point_count;

	device->timeout = 1500 * LOOP_MS;
	device->access = (struct snmp_access){ .version = 2, .community = "public",
		.timeout = device->timeout, .retries = 1 };
	device->snmp = (struct snmp_options){ device->at, &device->access };
	for (uint32_t i = 0; i < count; i++) {
		if (device->table)
			make_oid(device, i, (uint32_t[]){ 2, 1, i + 1 }, 3);
		else
			make_oid(device, i, (uint32_t[]){ 1, i + 1, 0 }, 3);
		device->snmp_points[i] = (struct snmp_point){ .oids = &device->oids[i],
			.oid_count = 1 };
		device->config_points[i].wire = &device->snmp_points[i];
		if (device->table)
			device->config_points[i].name = i == 0 ? "in" : "oper";
	}
	device->group.driver = &snmp_driver;
	device->group.point_count = count;
	device->config.ways = DEVICE_SNMP;
	device->config.options = &device->snmp;
	if (!device->table)
		return;
	make_oid(device, count, (uint32_t[]){ 2, 1, 9 }, 3);
	device->snmp_group = (struct snmp_group){ .keys = &device->oids[count], .key_count = 1,
		.include = "", .exclude = "" };
	device->group.wire = &device->snmp_group;
	device->group.table = "if";
	device->asleep = (UINT32_C(1) << device->point_count) - 1;
}

static void
configure_ping(struct plant_device *device)
{
	device->timeout = LOOP_S;
	device->reach = (struct reach_options){ .address = device->at, .ping = true,
		.timeout = device->timeout };
	device->group.driver = &reach_driver;
	device->config.ways = DEVICE_REACH;
	device->config.options = &device->reach;
}

static void
configure_device(struct plant_device *device, int64_t step)
{
	for (size_t i = 0; i < device->point_count; i++)
		device->config_points[i] = (struct point){ .name = device->points[i].name, .unit = "",
			.text = "", .kind = device->points[i].kind, .scale = device->points[i].scale };
	/* half a slot off, so that the verdict does not hang on milliseconds */
	device->group = (struct group){ .name = "points", .interval = step, .suffix = "",
		.profile = "standard", .points = device->config_points,
		.point_count = device->point_count, .retire = DAY + step / 2 };
	net_addr_text(device->address, sizeof device->address,
		device->host != NULL ? &device->host->at : &device->at, true);
	device->about = (struct device_about){ .protocol = "", .place = "", .owner = "", .asset = "",
		.text = "", .profile = "standard", .interval = step };
	device->config = (struct device){ .name = device->name, .address = device->address,
		.about = &device->about, .groups = &device->group, .group_count = 1 };
	device->version = 1;
	if (device->host != NULL)
		configure_modbus(device);
	else if (device->point_count > 0)
		configure_snmp(device);
	else
		configure_ping(device);
}

/* A fifth stands shortly before its 32-bit counters go round, and never restarts. */
static void
set_counters(struct plant_device *device, size_t number)
{
	for (size_t i = 0; i < device->point_count; i++)
		device->start[i] = number % 5 == 0 && device->points[i].bits == 32 ?
			UINT64_C(0x100000000) - (uint64_t)((double)year.days * 86400 *
				device->points[i].rate * plant_chance(&year.plant)) :
			plant_random(&year.plant) % UINT64_C(0x7fffffff);
	device->boot_at = loop_sim_now();
}

static void
add_agent(const char *stem, const struct plant_point *points, size_t count, bool table)
{
	size_t number = year.plant.device_count;
	struct plant_device *device = &year.plant.devices[number];
	int64_t step = plant_random(&year.plant) % 2 == 0 ? HOUR : 15 * MINUTE;
	char text[32];

	snprintf(text, sizeof text, "10.2.0.%zu", number + 1);
	net_addr_parse(text, count > 0 ? 161 : 0, &device->at, NULL);
	device->points = points;
	device->point_count = count;
	device->table = table;
	name_device(device, stem, number, step);
	configure_device(device, step);
	set_counters(device, number);
	device->active = number % 16 != 7;
	year.plant.device_count++;
}

static void
add_plc(struct plant_host *host, uint8_t unit, size_t number)
{
	struct plant_device *device = &year.plant.devices[year.plant.device_count];
	bool meter = plant_random(&year.plant) % 2 == 0;
	int64_t step = plant_random(&year.plant) % 2 == 0 ? HOUR : 15 * MINUTE;

	device->host = host;
	host->units++;
	device->unit_id = unit;
	device->points = meter ? plc_meter : plc_press;
	device->point_count = meter ? PLC_METER_POINTS : PLC_PRESS_POINTS;
	device->silence = 0.01 + 0.04 * plant_chance(&year.plant);
	name_device(device, meter ? "meter" : "press", number, step);
	configure_device(device, step);
	set_counters(device, number);
	device->active = number >= 4; /* the first come by a reload */
	year.plant.device_count++;
}

static void
on_network(enum net_sim_event event, const struct net_addr *at, void *arg)
{
	(void)arg;
	plc_seen((int)event, at);
	agent_seen((int)event, at);
}

static void
build_plant(void)
{
	year.plant.random = year.seed;
	year.plant.devices = mem_array(DEVICES, sizeof *year.plant.devices);
	year.plant.hosts = mem_array(SINGLES + GATEWAYS, sizeof *year.plant.hosts);
	for (size_t i = 0; i < SINGLES + GATEWAYS; i++) {
		struct plant_host *host = &year.plant.hosts[year.plant.host_count++];
		char text[32];

		snprintf(text, sizeof text, "10.1.%zu.%zu", i / 100, i % 100 + 1);
		net_addr_parse(text, 502, &host->at, NULL);
		for (uint8_t unit = 1; unit <= (i < SINGLES ? 1 : UNITS); unit++)
			add_plc(host, unit, year.plant.device_count);
	}
	for (size_t i = 0; i < AGENTS; i++)
		add_agent("ups", agent_scalars, AGENT_SCALARS, false);
	for (size_t i = 0; i < SWITCHES; i++)
		add_agent("switch", agent_cells, AGENT_CELLS, true);
	for (size_t i = 0; i < HOPS; i++)
		add_agent("hop", NULL, 0, false);
	plc_open(&year.plant);
	agent_open(&year.plant);
	net_sim_loss(0.025, year.seed);
	net_sim_watch(on_network, NULL);
}

/* ---- inventories ---- */

static const struct rule_options rules[] = {
	{ .name = "oil-hot", .on = "press-*/oil_temp", .kind = RULE_ABOVE, .limit = 2500,
		.clear = 1500, .severity = SEVERITY_MAJOR },
	{ .name = "overload", .on = "ups-*/load", .kind = RULE_BELOW, .limit = 2000,
		.clear = 4000, .hold = 20 * MINUTE, .severity = SEVERITY_MINOR },
	{ .name = "stale", .on = "meter-*/energy", .kind = RULE_NO_DATA, .hold = 6 * HOUR,
		.severity = SEVERITY_WARNING },
};
static const char *const sources[] = { "press-*/pieces" }, *const meters[] = { "meter-*/energy" };
static const struct path_options paths[] = {
	{ .name = "press-mes", .sources = sources, .source_count = 1, .max_age = 5 * HOUR,
		.availability = 99.5, .window = DAY, .severity = SEVERITY_CRITICAL },
	{ .name = "energy", .sources = meters, .source_count = 1, .availability = 99,
		.window = DAY, .severity = SEVERITY_MAJOR },
};

/* The texts that a configuration would leave empty. */
static void
make_rules(void)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		year.rules[i] = rules[i];
		year.rules[i].help = year.rules[i].text = year.rules[i].place =
			year.rules[i].owner = year.rules[i].file = "";
	}
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		year.paths[i] = paths[i];
		year.paths[i].place = year.paths[i].owner = year.paths[i].asset =
			year.paths[i].text = year.paths[i].help = year.paths[i].file = "";
	}
}

static void
free_inventory(struct inventory *inventory)
{
	free((void *)inventory->devices);
	free(inventory);
}

static struct inventory *
make_inventory(void)
{
	struct inventory *inventory = mem_zero(sizeof *inventory);
	struct device *devices = mem_array(year.plant.device_count, sizeof *devices);

	for (size_t i = 0; i < year.plant.device_count; i++) {
		struct plant_device *device = &year.plant.devices[i];

		if (!device->active)
			continue;
		device->config.fingerprint = device->version;
		devices[inventory->device_count++] = device->config;
	}
	inventory->devices = devices;
	inventory->thresholds = year.rules;
	inventory->threshold_count = sizeof rules / sizeof rules[0];
	inventory->paths = year.paths;
	inventory->path_count = sizeof paths / sizeof paths[0];
	inventory->references = 1;
	inventory->free = free_inventory;
	return inventory;
}

/* ---- the poller's life ---- */

static void
on_stepped(int64_t from, int64_t to, void *arg)
{
	(void)arg;
	plant_stepped(&year.plant, from, to);
}

static void
on_recovered(uint32_t series, int64_t next, void *arg)
{
	(void)arg;
	plant_recovered(&year.plant, series, next);
}

static void
on_changed(void *arg, const struct transition *transition, uint64_t journal)
{
	(void)arg;
	notices_changed(&year.notices, transition, journal);
}

static void
on_committed(uint64_t sequence, void *arg)
{
	(void)arg;
	notices_committed(&year.notices, sequence);
}

static void
start(void)
{
	year.options = (struct process_options){ .state_dir = year.dir, .run_dir = year.dir,
		.inventory = make_inventory(), .listener = &year.listener, .stepped = on_stepped,
		.recovered = on_recovered, .changed = year.watched ? on_changed : NULL,
		.committed = year.watched ? on_committed : NULL };
	year.process = process_start(&year.options);
	if (year.process == NULL) {
		report(false, "the poller starts: %s", year.options.failed);
		exit(1);
	}
	plant_started(&year.plant, process_loop(year.process));
}

static void
end(bool orderly)
{
	year.polls += process_polls(year.process);
	year.samples += process_samples(year.process);
	plant_ended(&year.plant, orderly);
	if (orderly)
		process_stop(year.process);
	else
		process_kill(year.process);
	notices_killed(&year.notices);
	year.process = NULL;
}

/* ---- the store: no process, but what it consists of, now and then ---- */

static void
open_store(void)
{
	struct fail why;

	year.store_options = (struct store_options){ .state_dir = year.dir, .run_dir = year.dir,
		.rrd_dir = year.rrd_dir, .flush = DAY, .memory = INT64_C(256) << 20,
		.journal_budget = 30 * DAY };
	year.store = keeper_open(&year.store_options, &why);
	if (year.store == NULL) {
		report(false, "the store starts: %s", why.text);
		exit(1);
	}
}

static void
run_store(void)
{
	struct loop *loop = process_loop(year.process);
	struct filesync *sync;

	keeper_now(year.store, loop_mono(loop), loop_wall(loop));
	while (!keeper_read(year.store, 10000))
		continue;
	/* A store has a round each second; the ledger ages by one step in each. */
	for (int i = 0; i < 12; i++) {
		sync = keeper_round(year.store);
		if (sync != NULL)
			keeper_checkpoint(year.store, sync);
	}
}

/* As by kill -9: what it has not written comes again from the journal. */
static void
kill_store(void)
{
	struct store_health health;

	keeper_health(year.store, &health);
	year.rows += health.updates;
	keeper_close(year.store);
	open_store();
	year.store_kills++;
}

static void
end_store(void)
{
	struct store_health health;
	uint64_t *numbers;
	bool finished = keeper_finish(year.store) == 0;

	keeper_health(year.store, &health);
	year.rows += health.updates;
	report(finished && health.quarantined == 0 && health.errors == 0 &&
		health.damaged == 0 && health.given_up == 0,
		"the store has written all to %llu files (%s)", (unsigned long long)health.files,
		health.degraded ? health.reason : "healthy");
	keeper_close(year.store);
	year.segments = reader_segments(year.dir, &numbers);
	report(year.segments <= 3, "journal segments were dropped behind it, %llu are left",
		(unsigned long long)year.segments);
	free(numbers);
}

/* ---- the ledger against the log ---- */

struct comparison {
	const struct series *series;
	const struct truth *truth;
	size_t index;
	int64_t next, limit; /* slots */
	struct tally tally, hour; /* hour: counts of a folded one, not yet compared */
	int64_t hour_number;
	char first[300];
	uint64_t differences;
};

static void
differs(struct comparison *c, int64_t slot, const char *ledger)
{
	const struct truth_cell *cell = truth_cell(c->truth, c->index, slot);
	char at[40];

	if (c->differences++ == 0)
		snprintf(c->first, sizeof c->first, "%s slot %lld (%s): the ledger says %s, "
			"the plant's log %s%s%s", c->series->path, (long long)slot,
			str_utc(at, sizeof at, slot * c->truth->step), ledger,
			cell->reason == TRUTH_OPEN ? "nothing" : reason_word(cell->reason),
			cell->other == TRUTH_OPEN ? "" : " or ",
			cell->other == TRUTH_OPEN ? "" : reason_word(cell->other));
}

static void
compare_until(struct comparison *c, int64_t slot)
{
	for (; c->next < slot && c->next < c->limit; c->next++)
		if (truth_cell(c->truth, c->index, c->next)->reason != TRUTH_OPEN)
			differs(c, c->next, "nothing");
}

/* Whether these cells can have become those counts: each has one reason, or one of two. */
static bool
explains(const struct truth_cell *const *cells, size_t count, struct tally *left)
{
	const struct truth_cell *cell = cells[0];

	if (count == 0)
		return tally_expected(left) == 0;
	for (int reason = 0; reason < 256; reason++) {
		if (left->count[reason] == 0 || !truth_allows(cell, (uint8_t)reason))
			continue;
		left->count[reason]--;
		if (explains(cells + 1, count - 1, left))
			return true;
		left->count[reason]++;
	}
	return false;
}

/* What was folded has to be explained by the next slots of its hour, as sums. */
static void
compare_hour(struct comparison *c)
{
	const struct truth_cell *cells[8] = { NULL }; /* no step is shorter than 15 minutes */
	uint64_t n = tally_expected(&c->hour);
	int64_t first = c->next, hour = HOUR / c->truth->step;
	struct tally left = c->hour;
	size_t count = 0;

	for (; count < n && count < 8 && c->next < c->limit; c->next++) {
		const struct truth_cell *cell = truth_cell(c->truth, c->index, c->next);

		if (cell->reason != TRUTH_OPEN && c->next / hour == c->hour_number)
			cells[count++] = cell;
		else if (cell->reason != TRUTH_OPEN && c->next / hour < c->hour_number)
			differs(c, c->next, "nothing");
		else if (c->next / hour > c->hour_number)
			break;
		else
			first += c->next == first;
	}
	if (n > 0 && (count != n || !explains(cells, count, &left)))
		differs(c, first, "other sums for its hour");
	tally_merge(&c->tally, &c->hour);
	for (int reason = 0; reason < 256; reason++)
		year.by_reason[reason] += c->hour.count[reason];
	year.slots += n;
	year.folded += n;
	c->hour = (struct tally){ .count = { 0 } };
}

static void
compare_span(const struct ledger_span *span, void *arg)
{
	const struct ledger_run *run = &span->run;
	struct comparison *c = arg;

	if (!span->folded || span->hour != c->hour_number)
		compare_hour(c);
	if (span->folded) {
		c->hour_number = span->hour;
		tally_add(&c->hour, run->reason, span->n);
		return;
	}
	compare_until(c, run->first);
	for (; c->next <= run->last && c->next < c->limit; c->next++) {
		const struct truth_cell *cell = truth_cell(c->truth, c->index, c->next);

		if (!truth_allows(cell, run->reason))
			differs(c, c->next, reason_word(run->reason));
		if (cell->other == TRUTH_ANY)
			year.either_step++;
		else if (cell->other != TRUTH_OPEN)
			year.either_end++;
		tally_add(&c->tally, run->reason, 1);
		year.by_reason[run->reason]++;
		year.slots++;
	}
}

/* The catalogue is read as the ledger's readers do, from its file. */
static void
compare(const char *when)
{
	struct fail why;
	struct ledger_view *view = ledger_open_reader(year.dir, &why);
	struct series_catalogue *catalogue = series_open(year.dir, false, &why);
	struct comparison first = { .differences = 0 };
	uint64_t differences = 0;

	if (view == NULL || catalogue == NULL) {
		report(false, "the ledger can be read: %s", why.text);
		exit(1);
	}
	memset(year.by_reason, 0, sizeof year.by_reason);
	year.slots = year.folded = year.either_end = year.either_step = 0;
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++) {
		struct comparison c = { .series = series_get(catalogue, id) };
		struct plant_device *device = plant_series(&year.plant, c.series, &c.index);

		c.truth = &device->truth;
		c.next = c.truth->base;
		c.limit = plant_settled_until(&year.plant, device);
		if (c.limit > c.truth->base + (int64_t)c.truth->slots)
			c.limit = c.truth->base + (int64_t)c.truth->slots;
		ledger_spans(view, c.series, 0, BEGIN + (year.days + year.confirmed_by + 400) * DAY,
			compare_span, &c);
		compare_hour(&c);
		compare_until(&c, c.limit);
		if (differences == 0 && c.differences > 0)
			first = c;
		differences += c.differences;
	}
	report(differences == 0 && ledger_damaged(view) == 0,
		"%s: the ledger equals the plant's own log in %llu slots of %u series, %llu of them "
		"as sums of hours", when, (unsigned long long)year.slots, series_last_id(catalogue),
		(unsigned long long)year.folded);
	if (differences > 0)
		printf("    seed %llu: %llu slots differ, the first: %s\n",
			(unsigned long long)year.seed, (unsigned long long)differences, first.first);
	year.checks++;
	series_close(catalogue);
	ledger_close_reader(view);
}

/* ---- what happens in the year ---- */

static void
plan(int64_t at, enum event_kind kind, size_t which, int64_t value)
{
	if (year.event_count == year.event_room) {
		year.event_room = year.event_room * 2 + 1024;
		year.events = mem_grow(year.events, year.event_room, sizeof *year.events);
	}
	year.events[year.event_count++] = (struct event){ at, kind, which, value };
}

/* Spells of a fault, not overlapping: every `mean` on average, each `low` to `high` long. */
static void
plan_spells(enum event_kind kind, size_t which, int64_t value, int64_t mean, int64_t low,
	int64_t high)
{
	int64_t at = loop_sim_now(), last = at + year.days * DAY;

	for (;;) {
		at += plant_between(&year.plant, mean / 10, 2 * mean);
		if (at >= last)
			return;
		plan(at, kind, which, value);
		at += plant_between(&year.plant, low, plant_between(&year.plant, low, high));
		plan(at, kind, which, 0);
	}
}

static void
plan_faults(void)
{
	for (size_t i = 0; i < year.plant.host_count; i++) {
		plan_spells(HOST_STATE, i, i % 3 == 0 ? HOST_REFUSES : HOST_OFF, 25 * DAY, MINUTE,
			3 * DAY);
	}
	for (size_t i = 0; i < year.plant.device_count; i++) {
		plan_spells(i % 2 == 0 ? DEAD : GATEWAY_DEAD, i, 1, 30 * DAY, 5 * MINUTE, 2 * DAY);
		plan_spells(BUSY, i, 1, 60 * DAY, 10 * MINUTE, 8 * HOUR);
		plan_spells(ILLEGAL, i, 1 + (int64_t)(i % 3), 50 * DAY, 20 * MINUTE, DAY);
		for (int64_t at = 0; i % 5 != 0 && at < year.days * DAY;) {
			at += plant_between(&year.plant, 3 * DAY, 60 * DAY);
			plan(loop_sim_now() + at, BOOT, i, 0);
		}
	}
}

static bool
in_spell(int64_t at)
{
	for (size_t i = 0; i < year.spell_count; i++)
		if (at >= year.spells[i].from && at <= year.spells[i].to)
			return true;
	return false;
}

/* At random times, also while the clock is not to be believed. */
static void
plan_often(enum event_kind kind, int64_t in_a_year)
{
	int64_t count = (in_a_year * year.days + 364) / 365;

	/* a few days, but of all that makes alarms start anew */
	if (year.watched && (kind == KILL || kind == STOP || kind == RELOAD))
		count = 6;

	for (int64_t n = 0; n < count; n++) {
		int64_t at = loop_sim_now() +
			plant_between(&year.plant, HOUR, year.days * DAY - 3 * HOUR);
		int64_t value = 0;

		if (kind == STEP && plant_random(&year.plant) % 2 == 0)
			value = plant_between(&year.plant, 2 * LOOP_S, 6 * HOUR);
		else if (kind == STEP)
			value = -plant_between(&year.plant, 2 * LOOP_S, 2 * HOUR);
		if ((kind == KILL || kind == STOP) && in_spell(at))
			continue;
		plan(at, kind, 0, value);
	}
}

/* An hour in which the journal's disk takes nothing, every five days. What is not on disk
 * would die with the poller, so it is not killed then. */
static void
plan_full_disks(int64_t begin)
{
	year.spells = mem_array((size_t)year.days + 2, sizeof *year.spells);
	for (int64_t day = 0; day + 2 <= year.days; day += 5) {
		int64_t from = begin + day * DAY + plant_between(&year.plant, 2 * HOUR, DAY);

		plan(from, DISK, 0, 1);
		plan(from + HOUR, DISK, 0, 0);
		year.spells[year.spell_count++] = (struct spell){ from, from + HOUR + MINUTE };
	}
}

/* Ten years ahead or back, and back again hours or days later; later on once more, and then
 * somebody confirms it: so many days have passed. */
static void
plan_clock(int64_t begin, int64_t all)
{
	int64_t from = begin + plant_between(&year.plant, all / 4, all / 2);
	int64_t years = plant_random(&year.plant) % 2 == 0 ? 3652 * DAY : -3652 * DAY;

	plan(from, STEP, 1, years);
	plan(from + plant_between(&year.plant, HOUR, all / 20), STEP, 1, -years);
	from = begin + all * 9 / 10;
	plan(from, STEP, 1, year.confirmed_by * DAY);
	plan(from + HOUR, CONFIRM, 0, 0);
	year.spells[year.spell_count++] = (struct spell){ from - 6 * HOUR, from + 2 * HOUR };
}

static int
earlier(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void
plan_year(void)
{
	int64_t begin = loop_sim_now(), all = year.days * DAY;

	plan_full_disks(begin);
	plan_clock(begin, all);
	plan_faults();
	plan_often(KILL, 50);
	plan_often(STOP, 10);
	plan_often(STEP, 12);
	plan_often(RELOAD, 10);
	plan_often(STORE_KILL, 25);
	for (int64_t at = 8 * HOUR; at < all; at += 8 * HOUR)
		plan(begin + at, STORE, 0, 0);
	for (int i = 1; i < 4; i++)
		plan(begin + all * i / 4, CHECK, 0, 0);
	qsort(year.events, year.event_count, sizeof *year.events, earlier);
}

static void
reload(void)
{
	struct plant_device *changed[3];
	bool was[3];

	/* one changes, two come or go */
	for (int i = 0; i < 3; i++) {
		do
			changed[i] = &year.plant.devices[plant_random(&year.plant) %
				year.plant.device_count];
		while ((i == 0 && !changed[i]->active) || (i > 0 && changed[i] == changed[0]) ||
			(i > 1 && changed[i] == changed[1]));
		was[i] = changed[i]->active;
		plant_device_changed(&year.plant, changed[i], was[i], i == 0 ? true : !was[i]);
		changed[i]->version++;
	}
	process_reload(year.process, make_inventory());
	year.reloads++;
}

/* What a down poller cannot see goes on meanwhile; it comes back after seconds to hours. */
static void run_event(const struct event *event);

static void
stay_down(size_t *next)
{
	int64_t until = loop_sim_now() + (plant_random(&year.plant) % 2 == 0 ?
		plant_between(&year.plant, LOOP_S, 2 * MINUTE) :
		plant_between(&year.plant, MINUTE, 5 * HOUR));

	while (*next < year.event_count && year.events[*next].at <= until) {
		const struct event *event = &year.events[(*next)++];

		loop_sim_begin(event->at, loop_sim_real() + event->at - loop_sim_now());
		if (event->kind < KILL || event->kind == STEP)
			run_event(event);
	}
	loop_sim_begin(until, loop_sim_real() + until - loop_sim_now());
}

static void
run_fault(const struct event *event)
{
	struct plant_device *device = &year.plant.devices[event->which];

	switch (event->kind) {
	case HOST_STATE:
		plc_set(&year.plant, &year.plant.hosts[event->which], (int)event->value);
		break;
	case DEAD:
		device->dead = event->value != 0;
		if (device->point_count == 0)
			agent_set_ping(device, !device->dead);
		break;
	case GATEWAY_DEAD:
		device->gateway_dead = event->value != 0;
		break;
	case BUSY:
		device->busy = event->value != 0;
		break;
	case ILLEGAL:
		device->illegal = (uint32_t)event->value;
		break;
	default:
		/* not in the middle of a walk: its rows would change their numbers half-way */
		if (!device->table || !device->poll.open || loop_sim_now() - 10 * LOOP_S >
			device->poll.exchanges[device->poll.count - 1].ended)
			plant_boot(&year.plant, device);
		break;
	}
}

static void
run_event(const struct event *event)
{
	if (event->kind < KILL) {
		run_fault(event);
	} else if (event->kind == STEP) {
		loop_sim_step_clock(year.process != NULL ? process_loop(year.process) : NULL,
			event->value);
		year.steps++;
	} else if (event->kind == RELOAD) {
		reload();
	} else if (event->kind == DISK) {
		process_refuse(year.process, event->value != 0);
		year.refusals += event->value != 0;
	} else if (event->kind == CONFIRM) {
		year.confirmed += process_confirm_clock(year.process) == 0;
	} else if (event->kind == STORE) {
		run_store();
	} else if (event->kind == STORE_KILL) {
		kill_store();
	} else if (event->kind == CHECK) {
		char when[40];

		loop_sim_for(process_loop(year.process), LOOP_S);
		plant_look(&year.plant);
		str_time_span(when, sizeof when, loop_sim_now() - 1000 * LOOP_S);
		compare(when);
	}
}

static void
check_notices(void)
{
	const struct notices *notices = &year.notices;
	size_t open;

	loop_sim_for(process_loop(year.process), LOOP_S);
	open = process_alarms(year.process);
	report(notices->errors == 0 && open == notices_open(notices),
		"%llu notices have numbers without a gap, %llu alarms were raised and cleared in "
		"turns over every kill, %zu are open (%llu changes died uncommitted)",
		(unsigned long long)notices->told, (unsigned long long)notices->raises, open,
		(unsigned long long)notices->lost);
	if (notices->errors > 0)
		printf("    seed %llu: %llu errors, the first: %s\n", (unsigned long long)year.seed,
			(unsigned long long)notices->errors, notices->first_error);
}

static void
live(void)
{
	int64_t last = loop_sim_now() + year.days * DAY;
	size_t next = 0;

	start();
	open_store();
	while (next < year.event_count && year.events[next].at < last) {
		const struct event *event = &year.events[next++];

		if (event->at > loop_sim_now())
			loop_sim_until(process_loop(year.process), event->at);
		if (event->kind == KILL || event->kind == STOP) {
			end(event->kind == STOP);
			year.kills += event->kind == KILL;
			year.stops += event->kind == STOP;
			stay_down(&next);
			start();
		} else {
			run_event(event);
		}
	}
	loop_sim_until(process_loop(year.process), last);
	run_store();
	if (year.watched)
		check_notices();
	end(true);
	end_store();
}

/* ---- main ---- */

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info, (void)kind, (void)where;
	return remove(path);
}

static void
remove_dir(void)
{
	nftw(year.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void
on_signal(int number)
{
	remove_dir();
	_exit(128 + number);
}

static void
make_dir(void)
{
	snprintf(year.dir, sizeof year.dir, "%s/pollwerk-year-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(year.dir) == NULL) {
		fprintf(stderr, "year: %s: %s\n", year.dir, strerror(errno));
		exit(1);
	}
	snprintf(year.rrd_dir, sizeof year.rrd_dir, "%s/rrd", year.dir);
	mkdir(year.rrd_dir, 0755);
	atexit(remove_dir);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
}

static void
read_options(int argc, char **argv)
{
	static const struct option options[] = { { "days", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' }, { "alarms", no_argument, NULL, 'a' },
		{ "confirm", required_argument, NULL, 'c' }, { 0 } };
	bool seeded = false;
	int option;

	year.seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
	while ((option = getopt_long(argc, argv, "d:s:ac:", options, NULL)) != -1) {
		if (option == 'd')
			year.days = strtoll(optarg, NULL, 10);
		else if (option == 's')
			seeded = (year.seed = strtoull(optarg, NULL, 10)) != 0;
		else if (option == 'a')
			year.watched = true;
		else if (option == 'c')
			year.confirmed_by = strtoll(optarg, NULL, 10);
		else
			exit(2);
	}
	/* make check lives the same life each time; new ones are for --days and --seed. */
	if (year.days == 0 && !seeded)
		year.seed = 20261122;
	if (year.confirmed_by == 0)
		year.confirmed_by = 9;
	if ((year.days != 0 && (year.days < 2 || year.days > 3660)) || year.confirmed_by < 2 ||
		year.confirmed_by > 3660) {
		fprintf(stderr, "usage: year [--days 2..3660] [--seed N] [--alarms] [--confirm DAYS]\n");
		exit(2);
	}
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
summarise(double took)
{
	const struct plant *plant = &year.plant;
	double processor = (double)clock() / CLOCKS_PER_SEC;

	report(plant->wrong_values == 0, "0 wrong values among %llu compared with what was served "
		"(%llu wrong)", (unsigned long long)plant->values_checked,
		(unsigned long long)plant->wrong_values);
	if (plant->wrong_values > 0)
		printf("    seed %llu: the first: %s\n", (unsigned long long)year.seed,
			plant->first_wrong);
	report(plant->order_errors == 0, "every slot was closed once and in order");
	report(plant->strays == 0, "nobody was asked who was not configured");
	if (year.days >= 365)
		report(processor < 60, "a year in less than a minute of processor time");
	printf("    %lld days, %zu devices: %llu polls, %llu requests, %llu samples, %llu rows "
		"stored; %llu kills, %llu orderly restarts, %llu kills of the store, %llu clock "
		"steps, %llu reloads, %llu hours of a full disk, %llu clocks confirmed; %.1f s (%.1f s "
		"of processor time)\n",
		(long long)year.days, plant->device_count, (unsigned long long)year.polls,
		(unsigned long long)plant->requests, (unsigned long long)year.samples,
		(unsigned long long)year.rows, (unsigned long long)year.kills,
		(unsigned long long)year.stops, (unsigned long long)year.store_kills,
		(unsigned long long)year.steps, (unsigned long long)year.reloads,
		(unsigned long long)year.refusals, (unsigned long long)year.confirmed, took,
		processor);
	printf("    either way is right: %llu slots under way or not yet committed when the poller "
		"ended or was reloaded (%llu were told and not committed), %llu slots under way "
		"when the clock was set\n",
		(unsigned long long)year.either_end, (unsigned long long)plant->uncommitted,
		(unsigned long long)year.either_step);
	printf("    ledger:");
	for (int reason = 0; reason < 256; reason++)
		if (year.by_reason[reason] > 0)
			printf(" %s %llu", reason_word((uint8_t)reason),
				(unsigned long long)year.by_reason[reason]);
	printf("\n");
}

static int
run(void)
{
	double began = now();

	make_dir();
	loop_sim_begin(1000 * LOOP_S, BEGIN);
	build_plant();
	make_rules();
	year.listener = plant_listener(&year.plant);
	plan_year();
	live();
	compare("at the end");
	summarise(now() - began);
	return year.failures > 0;
}

/* Alarms and paths look at the clock each second, of which a year has too many: they get a
 * few days of their own, in a process of their own. */
static int
run_days_with_alarms(void)
{
	pid_t child = fork();
	int status = 1;

	if (child == 0) {
		year.days = 3;
		year.watched = true;
		exit(run());
	}
	if (child == -1 || waitpid(child, &status, 0) == -1)
		return 1;
	return status != 0;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	read_options(argc, argv);
	printf("seed %llu\n", (unsigned long long)year.seed);
	fflush(stdout);
	log_open(LOG_TARGET_NONE, "");
	if (year.days == 0) {
		failed = run_days_with_alarms();
		year.days = 30;
	}
	return run() | failed;
}

/* Configurations that change while answers are on their way, on virtual time: devices come, go,
 * change name, address, version, engine, template and interval, templates lose and gain points,
 * the poller ends and is killed. Agents answer late, twice, in another order, in part, not at
 * all. Whatever happens each slot of a series is closed once and in order, and a value is that
 * of the very object that it is named after. Real configurations; the seed is printed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/conf.h"
#include "core/feed.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "scenario/process.h"
#include "unit/check.h"
#include "unit/scratch.h"
#include "unit/snmp/bed_agent.h"

#define IF "1.3.6.1.2.1.2.2.1."
#define IFX "1.3.6.1.2.1.31.1.1.1."
#define UPS "1.3.6.1.2.1.33.1.2."
enum { NAMES = 14, AGENTS = 6, ROWS = 11, TEMPLATES = 5, BATTERY = 200, ROUNDS = 140 };

/* What stands in the configuration of a device, or of a template. */
struct place {
	bool there;
	unsigned agent, template, interval, version;
	bool netsnmp, few, named; /* named: has a place, which changes no question */
};
static struct {
	uint64_t random;
	struct loop *loop;
	struct process *process;
	struct process_options options;
	struct bed_agent *agents[AGENTS];
	struct place places[NAMES];
	unsigned kinds[TEMPLATES]; /* bits: points that it has */
	struct seen { int64_t next, received; } *seen; /* by series id: next slot, last answer */
	size_t seen_count;
	int64_t rebooted; /* when the agents were, the last time */
	unsigned long values, counts, runs, reloads, restarts;
} bed;

static unsigned
dice(unsigned sides)
{
	uint64_t z = bed.random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) % sides);
}

/* ---- what is told ---- */

static void
follows(const struct series *series, int64_t first, int64_t last)
{
	if (series->id >= bed.seen_count) {
		size_t count = series->id + 256;

		bed.seen = mem_grow(bed.seen, count, sizeof *bed.seen);
		memset(bed.seen + bed.seen_count, 0, (count - bed.seen_count) * sizeof *bed.seen);
		bed.seen_count = count;
	}
	if (first < bed.seen[series->id].next)
		fail_msg("%s: slot %lld is closed again", series->path, (long long)first);
	bed.seen[series->id].next = last + 1;
}

/* Octets per second of interface n are 1000 x (n + 1), or twice that; NaN: anything. */
static double
true_value(const char *path)
{
	const char *slash = strrchr(path, '/'), *row = strstr(path, "[ge-1/");
	unsigned device = 0, number = 0;

	sscanf(path, "sw-%u", &device);
	if (strcmp(slash, "/battery") == 0)
		return BATTERY + bed.places[device].agent;
	if (strcmp(slash, "/oper") == 0)
		return 1;
	if (strcmp(slash, "/own") == 0)
		return 1000.0 * (device % 4 + 2);
	if (row != NULL && sscanf(row, "[ge-1/%u", &number) == 1 && strcmp(slash, "/in") == 0)
		return 1000.0 * (number + 1);
	if (sscanf(slash, "/in_%u", &number) == 1)
		return 1000.0 * (number + 1);
	if (sscanf(slash, "/out_%u", &number) == 1)
		return 2000.0 * (number + 1);
	return (double)NAN;
}

/* Answers are late by 0.18 s at most, where one fault's delay comes to another one's jitter: which
 * part of the time since the one before is that? */
static double
lateness(const struct sample *sample)
{
	struct seen *seen = &bed.seen[sample->series->id];
	int64_t span = sample->received - seen->received;

	if (reason_counts_as_good(sample->reason))
		seen->received = sample->received;
	return span <= 0 ? 1 : 0.02 + 0.18 * (double)LOOP_S / (double)span;
}

static void
on_sample(void *arg, const struct sample *sample)
{
	double wanted = true_value(sample->series->path), late;

	(void)arg;
	follows(sample->series, sample->slot, sample->slot);
	late = lateness(sample);
	if (sample->reason != REASON_GOOD || sample->text != NULL)
		return;
	bed.values++;
	bed.counts += sample->series->kind == POINT_COUNTER;
	if (!isnan(wanted) && fabs(sample->value - wanted) > wanted * late)
		fail_msg("%s: %.9g instead of %.9g", sample->series->path, sample->value, wanted);
}

static void
on_run(void *arg, const struct sample_run *run)
{
	(void)arg;
	bed.runs++;
	follows(run->series, run->first, run->last);
}

static const struct feed_listener listener = { .sample = on_sample, .run = on_run };

/* ---- configurations ---- */

static void
write_point(FILE *file, const char *name, const char *oids, const char *more)
{
	fprintf(file, "{ name = \"%s\"; oid = %s; %s },\n", name, oids, more);
}

/* Interfaces with both directions, and a text between them. Many are more than a batch holds. */
static void
write_counters(FILE *file, unsigned kind)
{
	unsigned rows = kind & 64 ? ROWS : 3;
	char name[24], oids[120];

	for (unsigned n = 1; n <= rows; n++) {
		if (rows == 3 && (kind >> n & 1) == 0)
			continue;
		snprintf(name, sizeof name, "in_%u", n);
		snprintf(oids, sizeof oids, "[ \"" IFX "6.%u\", \"" IF "10.%u\" ]", n, n);
		write_point(file, name, oids, kind & 16 && n == 2 ?
			"kind = \"counter\"; interval = \"30s\";" : "kind = \"counter\";");
		if (n == 3 && kind & 32)
			write_point(file, "words", "\"1.3.6.1.2.1.1.1.0\"", "kind = \"text\";");
		snprintf(name, sizeof name, "out_%u", n);
		snprintf(oids, sizeof oids, "[ \"" IFX "10.%u\", \"" IF "16.%u\" ]", n, n);
		write_point(file, name, oids, "kind = \"counter\";");
		for (unsigned column = 1; column <= 7 && kind & 64; column++) {
			snprintf(name, sizeof name, "more%u_%u", column, n);
			snprintf(oids, sizeof oids, "\"" IF "%u.%u\"",
				(unsigned[]){ 3, 4, 5, 7, 8, 13, 19 }[column - 1], n);
			write_point(file, name, oids, "");
		}
	}
}

static void
write_template(FILE *file, unsigned i)
{
	unsigned kind = bed.kinds[i];

	fprintf(file, "%s{ name = \"t%u\"; protocol = \"snmp\";\n", i > 0 ? "," : "", i);
	fputs("  parameters = ( { name = \"own\"; default = 1; } );\n  points = (\n", file);
	write_counters(file, kind);
	if (kind & 8)
		write_point(file, "own", "\"" IFX "6.$own\"", "kind = \"counter\";");
	if (kind & 128)
		write_point(file, "missing", "\"1.3.6.1.4.1.99999.1.0\"", "");
	fputs("{ name = \"battery\"; oid = \"" UPS "4.0\"; } );\n", file);
	if (kind & 256)
		fputs("  info = ( { name = \"descr\"; oid = \"1.3.6.1.2.1.1.1.0\"; } );\n", file);
	if (kind & 512)
		fputs("  tables = ( { name = \"if\"; key = [ \"" IFX "1\" ];\n"
			"    discontinuity = \"" IFX "19\";\n    points = (\n"
			"      { name = \"in\"; kind = \"counter\"; oid = [ \"" IFX "6\", \"" IF "10\" ]; },\n"
			"      { name = \"oper\"; oid = \"" IF "8\"; } ); } );\n", file);
	fputs("}\n", file);
}

static void
write_device(FILE *file, unsigned i)
{
	const struct place *place = &bed.places[i];

	fprintf(file, "%s{ name = \"sw-%u\"; address = \"10.1.3.%u\"; interval = \"%us\"; %s"
		"snmp = { version = \"%s\"; timeout = \"800ms\"; engine = \"%s\"; %s };\n"
		"  templates = [ \"t%u\" ]; parameters = { own = %u; }; }\n",
		i > 0 ? ", " : "", i, place->agent + 1, place->interval, place->named ? "place = \"hall\"; " : "",
		place->version == 1 ? "1" : "2c", place->netsnmp ? "netsnmp" : "fast",
		place->few ? "max_varbinds = 4;" : "", place->template, i % 4 + 1);
}

static struct inventory *
configuration(void)
{
	const char *path = scratch_path("pollwerk.conf");
	FILE *file = fopen(path, "w");
	struct conf_errors errors = { 0 };
	struct conf *conf;
	struct inventory *inventory;

	CHECK(file != NULL);
	/* The catalogue is elsewhere, so that a changed interval is no error here: such a point is
	 * refused by it. */
	fputs("poller: { name = \"p\"; interval = \"10s\"; state_dir = \"/nonexistent/state\"; };\n"
		"thresholds: ( { name = \"low\"; on = \"sw-*/battery\"; below = 203; } );\n"
		"templates: (\n", file);
	for (unsigned i = 0; i < TEMPLATES; i++)
		write_template(file, i);
	fputs(");\ndevices: (\n", file);
	for (unsigned i = 0; i < NAMES; i++)
		if (i == 0 || bed.places[i].there)
			write_device(file, i);
	fputs(");\n", file);
	fclose(file);
	conf = conf_load(path, &errors);
	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	inventory = conf_inventory(conf);
	conf_free(conf);
	conf_errors_free(&errors);
	return inventory;
}

/* ---- life ---- */

static void
change_place(struct place *place)
{
	switch (dice(8)) {
	case 0: place->there = !place->there; break;
	case 1: place->there = true; break;
	case 2: place->template = dice(TEMPLATES); break;
	case 3: place->interval = dice(3) == 0 ? 10 : 5; break;
	case 4: place->version = dice(3) == 0 ? 1 : 2; break;
	case 5: place->netsnmp = dice(4) == 0; break;
	case 6: place->few = dice(3) == 0; break;
	case 7: place->named = !place->named; break;
	}
}

/* Time goes on until some agent was asked; its number. */
static unsigned
wait_for_question(void)
{
	unsigned before[AGENTS];

	for (unsigned i = 0; i < AGENTS; i++)
		before[i] = bed_requests(bed.agents[i]);
	for (unsigned turn = 0; turn < 4000; turn++) {
		loop_sim_for(bed.loop, 3 * LOOP_MS);
		for (unsigned i = 0; i < AGENTS; i++)
			if (bed_requests(bed.agents[i]) != before[i])
				return i;
	}
	return 0;
}

/* Mostly of those whose answers are on their way. */
static void
change_something(unsigned asked)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (bed.places[i].agent == asked && dice(3) > 0)
			change_place(&bed.places[i]);
	for (unsigned n = dice(5); n > 0; n--)
		change_place(&bed.places[dice(NAMES)]);
	if (dice(4) == 0)
		bed.kinds[dice(TEMPLATES)] ^= 1u << dice(10);
	/* All of one template at once: the last that shares its question goes. */
	if (dice(12) == 0) {
		unsigned template = dice(TEMPLATES);

		for (unsigned i = 0; i < NAMES; i++)
			if (bed.places[i].template == template)
				bed.places[i].there = false;
	}
}

static void
change_agent(struct bed_agent *agent)
{
	static const char *const faults[] = { "reorder=1 count=3", "short=1 count=2", "drop=1 count=4",
		"dead=1 count=9", "toobig=6 count=5", "generr=1 count=2", "duplicate=1 count=9",
		"truncate=1 count=2", "wrong_oid=1 count=2", "wrong_id=1 count=2", "oversize=1 count=1",
		"delay=90 count=30", "delay=10 jitter=80 count=50", "wrong_address=1 count=2" };

	bed_faults(agent, faults[dice(sizeof faults / sizeof faults[0])]);
}

/* No device comes up, is asked and goes down again within a second or two. */
static void
reboot_agents(void)
{
	if (loop_mono(bed.loop) - bed.rebooted < 3 * LOOP_S / 2)
		return;
	bed.rebooted = loop_mono(bed.loop);
	for (unsigned i = 0; i < AGENTS; i++)
		bed_reboot(bed.agents[i]);
}

static void
nothing_changed(void *arg, const struct transition *transition, uint64_t journal)
{
	(void)arg, (void)transition, (void)journal;
}

static void
nothing_stepped(int64_t from, int64_t to, void *arg)
{
	(void)from, (void)to, (void)arg;
}

static void
nothing_recovered(uint32_t series, int64_t next, void *arg)
{
	(void)series, (void)next, (void)arg;
}

static void
start(void)
{
	bed.options = (struct process_options){ .state_dir = scratch, .run_dir = scratch,
		.inventory = configuration(), .listener = &listener, .changed = nothing_changed,
		.stepped = nothing_stepped, .recovered = nothing_recovered };
	bed.process = process_start(&bed.options);
	if (bed.process == NULL)
		fail_msg("the poller does not start: %s", bed.options.failed);
	bed.loop = process_loop(bed.process);
	for (unsigned i = 0; i < AGENTS; i++)
		if (bed.agents[i] != NULL)
			bed_at(bed.agents[i], bed.loop);
}

static void
restart(void)
{
	if (dice(2) == 0)
		process_stop(bed.process);
	else
		process_kill(bed.process);
	/* What had not been committed is closed by the next process. */
	for (size_t i = 0; i < bed.seen_count; i++)
		bed.seen[i].next = 0;
	bed.restarts++;
	start();
}

static void
no_line(char level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
begin(uint64_t seed)
{
	char text[24];

	bed.random = seed;
	scratch_make();
	net_sim_reset();
	net_sim_loss(0.02, seed);
	log_catch(no_line, NULL);
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	for (unsigned i = 0; i < TEMPLATES; i++)
		bed.kinds[i] = dice(1024) | 2;
	bed.kinds[0] |= 64 | 32;
	for (unsigned i = 0; i < NAMES; i++)
		bed.places[i] = (struct place){ .there = dice(3) > 0, .agent = i % AGENTS,
			.template = dice(TEMPLATES), .interval = 5, .version = 2 };
	start();
	for (unsigned i = 0; i < AGENTS; i++) {
		snprintf(text, sizeof text, "10.1.3.%u", i + 1);
		bed.agents[i] = bed_agent_new(bed.loop, text, ROWS, 1);
		bed_set(bed.agents[i], UPS "4.0", BATTERY + i);
	}
}

static void
end(void)
{
	process_stop(bed.process);
	for (unsigned i = 0; i < AGENTS; i++)
		bed_agent_free(bed.agents[i]);
	free(bed.seen);
	log_catch(NULL, NULL);
	scratch_remove();
}

static void
no_answer_that_is_on_its_way_is_taken_for_another_while_configurations_change(void)
{
	const char *given = getenv("PW_SEED"), *wanted = getenv("PW_ROUNDS");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 11;
	unsigned rounds = wanted != NULL ? (unsigned)atoi(wanted) : ROUNDS;

	print_message("seed %llu, %u rounds (PW_SEED, PW_ROUNDS)\n", (unsigned long long)seed, rounds);
	begin(seed);
	for (unsigned round = 0; round < rounds; round++) {
		loop_sim_for(bed.loop, (int64_t)(dice(4) == 0 ? dice(9000) : dice(500)) * LOOP_MS);
		if (dice(2) == 0)
			change_agent(bed.agents[dice(AGENTS)]);
		if (dice(40) == 0)
			reboot_agents();
		change_something(wait_for_question());
		loop_sim_for(bed.loop, (int64_t)dice(2) * dice(80) * LOOP_MS);
		if (dice(16) == 0) {
			restart();
			continue;
		}
		process_reload(bed.process, configuration());
		bed.reloads++;
	}
	print_message("%lu reloads, %lu restarts: %lu values, %lu of them rates, %lu runs\n",
		bed.reloads, bed.restarts, bed.values, bed.counts, bed.runs);
	CHECK(bed.values > 10 * rounds && bed.counts > 2 * rounds && bed.runs > 0);
	end();
}

RUN_TESTS(TEST(no_answer_that_is_on_its_way_is_taken_for_another_while_configurations_change))

/* The poller with a scripted driver, on virtual time. */
#include "../check.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/feed.h"
#include "core/frozen.h"
#include "core/latest.h"
#include "core/poller.h"
#include "core/self.h"
#include "core/series.h"
#include "fake/loop_sim.h"

/* ---- a driver that does what the test says, every other time all at once ---- */

static struct {
	int64_t delay; /* from start to done */
	uint8_t rest, unanswered;
	bool answers, unasked, row_seen, row_unwanted, whole, repeats, forgets;
	double value;
	int64_t since;
	uint64_t count, milli, retries, strays, drops;
	unsigned steps;
	const char *dead[4]; /* names of those that do not answer */
	const char *idle;    /* of one that is not asked, on purpose */
	const void *shown;
	int starts, cancels, cautious;
	uint32_t rows; /* of a table, in place of the one */
	const char *complaints[2]; /* of the points, of the table */
} script;

struct script_work {
	struct task *task;
	struct loop_timer timer;
	bool busy;
};

static void *
script_attach(void *env, const struct device *device, struct fail *why)
{
	(void)env;
	fail_set(why, "refused by the script");
	return strcmp(device->name, "refused") == 0 ? NULL : mem_zero(1);
}

static bool
script_is_dead(const struct task *task)
{
	for (int i = 0; i < 4; i++)
		if (script.dead[i] != NULL && strcmp(script.dead[i], task_device(task)->name) == 0)
			return true;
	return false;
}

static void
tell_many(struct task *task, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++) {
		struct reading reading = { .reason = REASON_GOOD,
			.received = loop_mono(task_loop(task)), .number = i };
		char key[20];

		snprintf(key, sizeof key, "port %u", i);
		reading.row = task_row(task, key);
		task_reading(task, &reading);
	}
}

static void
tell_points(struct task *task, struct reading *reading, struct readings *together, bool singly)
{
	for (uint32_t i = 0; i < task_group(task)->point_count; i++) {
		reading->point = i;
		if (singly)
			task_reading(task, reading);
		else
			readings_put(together, task, reading);
	}
	readings_tell(together, task);
}

static void
script_answer(void *arg)
{
	struct script_work *work = arg;
	struct task *task = work->task;
	bool table = task_group(task)->table != NULL;
	struct readings readings = { .row = TASK_SCALAR, .since = script.since };
	struct reading reading = { .reason = REASON_GOOD, .received = loop_mono(task_loop(task)),
		.number = script.value, .raw = script.count, .milli = script.milli,
		.bits = 64, .since = script.since, .row = TASK_SCALAR, .whole = script.whole };

	work->busy = false;
	if (script.idle != NULL && strcmp(script.idle, task_device(task)->name) == 0) {
		task_done(task, REASON_PAUSED);
		return;
	}
	if (script_is_dead(task)) {
		task_exchange(task, false, 0);
		/* every other time it is told point by point */
		reading.reason = REASON_UNREACHABLE;
		if (script.starts % 2 == 0)
			task_reading(task, &reading);
		task_done(task, REASON_UNREACHABLE);
		return;
	}
	if (script.complaints[table] != NULL)
		task_error(task, "%s", script.complaints[table]);
	if (!script.unasked)
		task_exchange(task, script.answers, 3 * LOOP_MS);
	if (script.unanswered != REASON_GOOD)
		task_unanswered(task, script.unanswered);
	if (table && script.rows > 0) {
		tell_many(task, script.row_seen ? script.rows : 0);
		task_done(task, script.rest);
		return;
	}
	if (script.answers && (!table || script.row_seen)) {
		if (table && script.row_unwanted) {
			task_row_end(task, "ge-1/5");
			task_done(task, script.rest);
			return;
		}
		if (table)
			readings.row = reading.row = task_row(task, "ge-1/5");
		tell_points(task, &reading, &readings, script.starts % 2 == 0);
		for (uint32_t i = 0; i < task_group(task)->point_count && script.forgets; i++)
			task_forget(task, reading.row, i);
		reading.number++;
		reading.raw += 1000;
		if (script.repeats) {
			tell_points(task, &reading, &readings, false);
			tell_points(task, &reading, &readings, true);
		}
	}
	task_done(task, script.rest);
}

static void *
script_open(void *state, struct task *task)
{
	struct script_work *work = mem_zero(sizeof *work);

	(void)state;
	work->task = task;
	loop_timer_init(&work->timer, script_answer, work);
	return work;
}

static void
script_start(void *arg, bool cautious)
{
	struct script_work *work = arg;

	CHECK(script.shown == work); /* by the timer, just before: see script_ahead */
	script.starts++;
	script.cautious += cautious;
	work->busy = true;
	loop_timer_in(task_loop(work->task), &work->timer, script.delay);
}

/* Each step once, in order. */
static void
script_ahead(const void *work, unsigned step)
{
	CHECK(work != NULL);
	CHECK_INT(step, script.steps);
	script.steps = (step + 1) % DRIVER_STEPS;
	script.shown = script.steps == 0 ? work : NULL;
}

static void
script_cancel(void *arg)
{
	struct script_work *work = arg;

	loop_timer_stop(task_loop(work->task), &work->timer);
	script.cancels += work->busy;
	work->busy = false;
}

static void
script_close(void *arg)
{
	script_cancel(arg);
	free(arg);
}

static void
script_detach(void *state)
{
	free(state);
}

static void
script_count(void *state, struct self_counts *counts)
{
	(void)state;
	counts->retries += script.retries;
	counts->strays += script.strays;
}

static const struct driver script_driver = { .name = "script", .attach = script_attach,
	.detach = script_detach, .open = script_open, .close = script_close,
	.start = script_start, .cancel = script_cancel, .count = script_count,
	.ahead = script_ahead };
/* As a line: it knows what others' polls brought. */
static const struct driver gather_driver = { .name = "gather", .attach = script_attach,
	.detach = script_detach, .open = script_open, .close = script_close,
	.start = script_start, .cancel = script_cancel, .ahead = script_ahead, .gathers = true };

/* ---- what came out ---- */

#define SLOTS 100000
#define MANY 9000 /* rows, of one series each */
static struct {
	int64_t last[MANY + 100]; /* slot, by series id */
	uint32_t reasons[256];    /* how many slots of all but the first few */
	uint32_t told;            /* so many slots in all */
} ports;
static struct {
	int64_t first[16], last[16]; /* by series id */
	uint8_t reason[16][SLOTS];
	double value[16];
	bool has_raw[16];
} seen;

static void
mark(const struct series *series, int64_t slot, uint8_t reason)
{
	uint32_t id = series->id;

	ports.told++;
	if (id >= 16) {
		CHECK(id < sizeof ports.last / sizeof ports.last[0]);
		CHECK(ports.last[id] == 0 || slot == ports.last[id] + 1);
		ports.last[id] = slot;
		ports.reasons[reason]++;
		return;
	}
	if (seen.first[id] == 0)
		seen.first[id] = slot;
	/* in order, and exactly once */
	CHECK(seen.last[id] == 0 || slot == seen.last[id] + 1);
	seen.last[id] = slot;
	CHECK(slot - seen.first[id] < SLOTS);
	seen.reason[id][slot - seen.first[id]] = reason;
}

static void
see_sample(void *arg, const struct sample *sample)
{
	(void)arg;
	CHECK(isnan(sample->value) == (sample->reason != REASON_GOOD));
	mark(sample->series, sample->slot, sample->reason);
	if (sample->series->id >= 16)
		return;
	seen.value[sample->series->id] = sample->value;
	seen.has_raw[sample->series->id] = sample->has_raw;
}

static void
see_run(void *arg, const struct sample_run *run)
{
	(void)arg;
	CHECK(run->first <= run->last && !reason_counts_as_good(run->reason));
	for (int64_t slot = run->first; slot <= run->last; slot++)
		mark(run->series, slot, run->reason);
}

/* ---- the plant: a gauge and a counter; beside them a table with a gauge ---- */

static const struct point scalars[] = {
	{ .name = "temp", .unit = "C", .text = "", .kind = POINT_GAUGE, .scale = 1 },
	{ .name = "pieces", .unit = "1/s", .text = "", .kind = POINT_COUNTER, .scale = 1 },
};
static const struct group groups[] = {
	{ .name = "points", .interval = 10 * LOOP_S, .suffix = "", .profile = "standard",
		.driver = &script_driver, .points = scalars, .point_count = 2 },
	{ .name = "if-mib", .table = "if", .interval = 10 * LOOP_S, .suffix = "",
		.profile = "standard", .driver = &script_driver, .points = scalars,
		.point_count = 1, .retire = 3600 * LOOP_S },
};
static const char *const no_parents[] = { NULL };
static const struct device_about about = { .protocol = "script", .place = "", .owner = "",
	.asset = "", .text = "", .profile = "standard", .interval = 10 * LOOP_S };
static struct device device = { .address = "10.0.4.17:502", .about = &about,
	.groups = groups };
static struct device devices[4];
static struct inventory inventories[4];
static char dir[64];
static struct loop *loop;
static struct series_catalogue *catalogue;
static struct latest *latest;
static struct feed feed;
static struct poller *poller;
static struct frozen *frozen; /* NULL but in the tests about it */

static void
read_self(struct self_daemon *now, void *arg)
{
	(void)arg;
	*now = (struct self_daemon){ .loop_lag = 0.25, .journal_backlog = 3,
		.store_lag = (double)NAN, .drops = script.drops };
}

static struct self self = { read_self, NULL };
static int ended;

static void
count_ended(uint32_t series, void *arg)
{
	(void)arg;
	CHECK(series_get(catalogue, series) != NULL);
	ended++;
}

static void
start_process(void)
{
	static const struct feed_listener listener = { .sample = see_sample,
		.run = see_run };
	struct fail why;
	struct poller_parts parts;
	struct feed_listener latest_hook;

	log_open(LOG_TARGET_NONE, "");
	loop = loop_new(&why);
	catalogue = series_open(dir, true, &why);
	latest = latest_open_writer(dir, &why);
	CHECK(catalogue != NULL && latest != NULL);
	feed.count = 0;
	latest_hook = latest_listener(latest);
	feed_add(&feed, &latest_hook);
	feed_add(&feed, &listener);
	parts = (struct poller_parts){ .loop = loop, .catalogue = catalogue, .latest = latest,
		.feed = &feed, .ended = count_ended, .frozen = frozen,
		.drivers = { { &script_driver, NULL }, { &self_driver, &self },
			{ &gather_driver, NULL } }, .driver_count = 3 };
	poller = poller_new(&parts);
}

static void
configure(int which, uint64_t fingerprint)
{
	devices[which] = device;
	devices[which].fingerprint = fingerprint;
	inventories[which] = (struct inventory){ .devices = &devices[which], .device_count = 1,
		.references = 1 };
	poller_configure(poller, &inventories[which]);
}

static void
end_process(void)
{
	poller_free(poller);
	series_close(catalogue);
	latest_close(latest);
	loop_free(loop);
}

static void
begin(const char *name, size_t group_count)
{
	strcpy(dir, "/tmp/pw-poller-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	memset(&seen, 0, sizeof seen);
	memset(&ports, 0, sizeof ports);
	memset(&script, 0, sizeof script);
	ended = 0;
	script.delay = 20 * LOOP_MS;
	script.answers = script.row_seen = true;
	script.rest = REASON_TIMEOUT;
	device.name = name;
	device.group_count = group_count;
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	start_process();
}

static void
finish(void)
{
	static const char *const files[] = { "series", "latest", "latest.text" };
	char path[100];

	end_process();
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static int
count_reason(uint32_t id, uint8_t reason)
{
	int count = 0;

	for (int i = 0; seen.first[id] != 0 && i <= seen.last[id] - seen.first[id]; i++)
		count += seen.reason[id][i] == reason;
	return count;
}

static uint32_t
id_of(const char *path)
{
	const struct series *series = series_find(catalogue, path);

	CHECK(series != NULL);
	return series->id;
}

/* ---- promises ---- */

static const char *const press_points[] = { "press-3/*" };
static const struct frozen_rule life_rule = { .name = "stop", .on = "press-3/temp",
	.span = 60 * LOOP_S, .marks_self = true, .marks = press_points, .mark_count = 1 };

static void
watch_life(void)
{
	poller_free(poller);
	series_close(catalogue);
	latest_close(latest);
	loop_free(loop);
	start_process();
}

/* A PLC that goes to STOP in its tenth slot, and starts again a day later. */
static void
what_a_plc_in_stop_says_is_frozen_from_the_slot_of_the_verdict_on(void)
{
	uint32_t life, pieces;

	begin("press-3", 1);
	frozen = frozen_new(NULL);
	frozen_configure(frozen, &life_rule, 1);
	watch_life();
	configure(0, 1);
	for (int i = 0; i < 10; i++) {
		script.value = i;
		script.count += 70;
		loop_sim_for(loop, 10 * LOOP_S);
	}
	life = id_of("press-3/temp");
	pieces = id_of("press-3/pieces");
	loop_sim_for(loop, 86400 * LOOP_S);
	/* Six slots prove the minute; the sixth is the first that is frozen. */
	for (int i = 0; i < 15; i++)
		CHECK_INT(seen.reason[life][i], REASON_GOOD);
	CHECK_INT(seen.reason[life][15], REASON_FROZEN);
	CHECK_INT(count_reason(life, REASON_FROZEN), 8640 - 5);
	CHECK_INT(count_reason(pieces, REASON_FROZEN), 8640 - 5);
	CHECK_INT(count_reason(id_of("press-3/up"), REASON_FROZEN), 0);
	CHECK(seen.has_raw[pieces]);
	script.value = 77;
	script.count += 1000000;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(seen.reason[life][8650], REASON_GOOD);
	CHECK_INT(seen.reason[pieces][8650], REASON_DISCONTINUITY);
	script.value = 78;
	script.count += 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[pieces], 7.0, 1e-6);
	finish();
	frozen_free(frozen);
	frozen = NULL;
}

static void
a_restart_of_the_poller_does_not_believe_a_plc_that_stood_still(void)
{
	begin("press-3", 1);
	frozen = frozen_new(NULL);
	frozen_configure(frozen, &life_rule, 1);
	watch_life();
	configure(0, 1);
	script.value = 5;
	loop_sim_for(loop, 300 * LOOP_S);
	CHECK_INT(seen.reason[id_of("press-3/temp")][29], REASON_FROZEN);
	frozen_free(frozen);
	frozen = NULL;
	watch_life();
	frozen = frozen_new(latest);
	frozen_configure(frozen, &life_rule, 1);
	poller_free(poller);
	poller = poller_new(&(struct poller_parts){ .loop = loop, .catalogue = catalogue,
		.latest = latest, .feed = &feed, .ended = count_ended, .frozen = frozen,
		.drivers = { { &script_driver, NULL }, { &self_driver, &self } },
		.driver_count = 2 });
	memset(&seen, 0, sizeof seen);
	configure(1, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 0);
	CHECK(count_reason(id_of("press-3/temp"), REASON_FROZEN) >= 9);
	script.value = 6;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 1);
	finish();
	frozen_free(frozen);
	frozen = NULL;
}

static void
a_value_is_closed_good_once_a_slot_and_a_counter_becomes_a_rate(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.value = 21.5;
	for (int i = 0; i < 10; i++) {
		script.count += 70;
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 10);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_FIRST), 1);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_GOOD), 9);
	CHECK_NEAR(seen.value[id_of("press-3/pieces")], 7.0, 1e-6);
	CHECK_NEAR(seen.value[id_of("press-3/up")], 1, 0);
	CHECK_NEAR(seen.value[id_of("press-3/rtt")], 0.003, 1e-9);
	finish();
}

static void
a_second_reading_of_the_same_in_one_slot_is_ignored(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.value = 21.5;
	script.repeats = true;
	for (int i = 0; i < 10; i++) {
		script.count += 70;
		loop_sim_for(loop, 10 * LOOP_S);
		CHECK_NEAR(seen.value[id_of("press-3/temp")], 21.5, 0);
	}
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 10);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_GOOD), 9);
	CHECK_NEAR(seen.value[id_of("press-3/pieces")], 7.0, 1e-6);
	finish();
}

/* The restart was seen by another task, or by a poller that has ended since. */
static void
a_count_that_began_after_its_base_was_read_is_no_rate(void)
{
	uint32_t pieces;

	begin("press-3", 1);
	configure(0, 1);
	script.count = 70;
	loop_sim_for(loop, 20 * LOOP_S);
	pieces = id_of("press-3/pieces");
	script.since = loop_mono(loop);
	script.count = 75;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 1);
	script.count += 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[pieces], 7.0, 1e-6);
	/* What begins only after this reading is the next one's. */
	script.since = loop_mono(loop) + 60 * LOOP_S;
	script.count += 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 1);
	CHECK_INT(count_reason(pieces, REASON_GOOD), 3);
	finish();
}

/* Net-SNMP's agent has 0 ticks of the processor until it takes its first sample, 5 s after it began. */
static void
a_zero_that_is_told_while_a_device_comes_up_is_no_base(void)
{
	uint32_t pieces;
	int starts;

	begin("press-3", 1);
	configure(0, 1);
	script.count = 70;
	loop_sim_for(loop, 20 * LOOP_S);
	pieces = id_of("press-3/pieces");
	for (starts = script.starts; script.starts == starts;)
		loop_sim_for(loop, 100 * LOOP_MS);
	loop_sim_for(loop, 100 * LOOP_MS);
	script.since = loop_mono(loop) + 5 * LOOP_S;
	script.count = 0;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 1);
	script.count = 5472599;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 2);
	script.count += 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[pieces], 7.0, 1e-6);
	/* It stays one for as long as the count does, and later it is as good as any other. */
	script.since = loop_mono(loop) + 5 * LOOP_S;
	script.count = 0;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 3);
	for (int i = 0; i < 2; i++) {
		loop_sim_for(loop, 10 * LOOP_S);
		CHECK_NEAR(seen.value[pieces], 0, 0);
	}
	script.count = 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[pieces], 7.0, 1e-6);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 3);
	/* Nor is one that was read before it comes up. */
	script.count = 0;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 4);
	script.since = loop_mono(loop) + 60 * LOOP_S;
	script.count = 70;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[pieces], 7.0, 1e-6);
	CHECK_INT(count_reason(pieces, REASON_DISCONTINUITY), 4);
	finish();
}

static void
a_count_that_is_a_float_keeps_its_fraction_in_the_rate(void)
{
	begin("press-3", 1);
	configure(0, 1);
	for (int i = 0; i < 10; i++) {
		script.milli += 250;
		script.count = script.milli / 1000;
		loop_sim_for(loop, 10 * LOOP_S);
		if (i > 0)
			CHECK_NEAR(seen.value[id_of("press-3/pieces")], 0.025, 1e-9);
	}
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_GOOD), 9);
	finish();
}

static void
a_silent_device_gives_timeouts_and_up_0_and_is_asked_cautiously(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.answers = false;
	loop_sim_for(loop, 50 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_TIMEOUT), 5);
	CHECK_NEAR(seen.value[id_of("press-3/up")], 0, 0);
	CHECK_NEAR(seen.value[id_of("press-3/loss")], 100, 0);
	CHECK_INT(script.cautious, 4);
	script.answers = true;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[id_of("press-3/up")], 1, 0);
	finish();
}

/* A refused connection is no time-out, for the points or for rtt. */
static void
rtt_is_lost_for_the_reason_for_which_nothing_was_answered(void)
{
	uint32_t rtt;

	begin("press-3", 1);
	configure(0, 1);
	rtt = id_of("press-3/rtt");
	script.answers = false;
	script.rest = REASON_UNREACHABLE;
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(rtt, REASON_UNREACHABLE), 3);
	script.rest = REASON_REFUSED;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(rtt, REASON_REFUSED), 2);
	/* asked once in vain, then not any more */
	script.rest = REASON_BREAKER;
	script.unanswered = REASON_GATEWAY;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(rtt, REASON_GATEWAY), 1);
	script.unanswered = REASON_GOOD;
	script.answers = true;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(rtt, REASON_GOOD), 1);
	finish();
}

/* ---- those that are reached through others ---- */

static const struct group line_group = { .name = "line", .interval = 10 * LOOP_S, .suffix = "",
	.profile = "standard", .driver = &gather_driver, .points = scalars, .point_count = 1 };
static const char *const behind_switch[] = { "sw-hall3", NULL };
static const char *const behind_both[] = { "sw-hall3", "sw-hall4", NULL };
static const char *const behind_line[] = { "gw-7", NULL };

static void
configure_family(int which, uint64_t fingerprint, const char *second,
	const char *const *second_parents, const char *const *parents)
{
	static struct device families[2][3];
	static struct device_about abouts[2][2];
	struct device *family = families[which];

	family[0] = family[1] = family[2] = device;
	family[0].name = "press-3";
	abouts[which][0] = abouts[which][1] = about;
	abouts[which][0].parents = parents;
	abouts[which][1].parents = second_parents;
	family[0].about = &abouts[which][0];
	family[1].name = second;
	family[1].about = &abouts[which][1];
	if (second_parents != no_parents)
		family[1].groups = &line_group;
	family[2].name = "sw-hall3";
	family[0].fingerprint = family[1].fingerprint = 1;
	family[2].fingerprint = fingerprint;
	inventories[which] = (struct inventory){ .devices = family, .device_count = 3,
		.references = 1 };
	poller_configure(poller, &inventories[which]);
}

static struct device_view press_view;

static void
keep_press(const struct device_view *view, void *arg)
{
	(void)arg;
	if (strcmp(view->name, "press-3") == 0)
		press_view = *view;
}

/* What last_error is after the next poll. */
static const char *
complaint_of_press(const char *points, const char *table)
{
	script.complaints[0] = points;
	script.complaints[1] = table;
	loop_sim_for(loop, 10 * LOOP_S);
	poller_each_device(poller, keep_press, NULL);
	CHECK_STR(press_view.state, "up");
	return press_view.last_error;
}

static void
an_error_is_shown_until_the_group_that_told_it_is_well_again(void)
{
	begin("press-3", 2);
	configure(0, 1);
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_STR(complaint_of_press(NULL, NULL), "");
	CHECK_STR(complaint_of_press(NULL, "no rows"), "no rows");
	CHECK_STR(complaint_of_press(NULL, "no rows"), "no rows");
	CHECK_STR(complaint_of_press(NULL, NULL), "");
	CHECK_STR(complaint_of_press("exception", NULL), "exception");
	CHECK_STR(complaint_of_press(NULL, "no rows"), "no rows");
	CHECK_STR(complaint_of_press(NULL, NULL), "");
	finish();
}

static void
begin_family(const char *second, const char *const *second_parents, const char *const *parents)
{
	begin("press-3", 1);
	configure_family(0, 1, second, second_parents, parents);
	loop_sim_for(loop, 20 * LOOP_S);
}

static void
a_device_without_an_answer_behind_a_dead_parent_is_parent_down_from_the_same_slot_on(void)
{
	begin_family("sw-hall4", no_parents, behind_switch);
	script.dead[0] = "press-3";
	script.dead[1] = "sw-hall3";
	script.cautious = 0;
	loop_sim_for(loop, 50 * LOOP_S);
	CHECK_INT(count_reason(id_of("sw-hall3/temp"), REASON_UNREACHABLE), 5);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 5);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_PARENT_DOWN), 5);
	CHECK_INT(count_reason(id_of("press-3/rtt"), REASON_PARENT_DOWN), 5);
	CHECK_INT(count_reason(id_of("press-3/up"), REASON_GOOD), 7);
	CHECK_NEAR(seen.value[id_of("press-3/up")], 0, 0);
	/* the switch from the second slot on, what is behind it from the first */
	CHECK_INT(script.cautious, 4 + 5);
	CHECK_INT(count_reason(id_of("sw-hall4/temp"), REASON_GOOD), 7);
	poller_each_device(poller, keep_press, NULL);
	CHECK_STR(press_view.state, "down");
	CHECK_STR(press_view.last_error, "behind sw-hall3, which is down");
	finish();
}

static void
behind_a_parent_that_is_back_all_are_asked_in_the_same_slot(void)
{
	begin_family("sw-hall4", no_parents, behind_switch);
	script.dead[0] = "press-3";
	script.dead[1] = "sw-hall3";
	loop_sim_for(loop, 50 * LOOP_S);
	script.dead[0] = script.dead[1] = NULL;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 5);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 3);
	/* and who is silent on his own then says so */
	script.dead[0] = "press-3";
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 1);
	finish();
}

static void
up_rtt_and_loss_of_a_device_are_numbered_next_to_its_points(void)
{
	static const char *const names[] = { "press-3", "sw-hall3", "sw-hall4" };

	begin_family("sw-hall4", no_parents, behind_switch);
	for (size_t i = 0; i < 3; i++) {
		char path[32];
		uint32_t first;

		snprintf(path, sizeof path, "%s/temp", names[i]);
		first = id_of(path);
		snprintf(path, sizeof path, "%s/up", names[i]);
		CHECK_INT(id_of(path), first + 2);
		snprintf(path, sizeof path, "%s/loss", names[i]);
		CHECK_INT(id_of(path), first + 4);
	}
	finish();
}

static void
with_two_parents_both_have_to_be_down(void)
{
	begin_family("sw-hall4", no_parents, behind_both);
	script.dead[0] = "press-3";
	script.dead[1] = "sw-hall3";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	script.dead[2] = "sw-hall4";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 3);
	finish();
}

static void
who_answered_by_the_second_parent_is_behind_both_when_that_goes_down_too(void)
{
	begin_family("sw-hall4", no_parents, behind_both);
	script.dead[1] = "sw-hall3";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 5);
	script.dead[0] = "press-3";
	script.dead[2] = "sw-hall4";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 3);
	finish();
}

static void
a_parent_of_which_nothing_is_known_explains_nothing(void)
{
	begin("press-3", 1);
	script.idle = "sw-hall3";
	script.dead[0] = "press-3";
	configure_family(0, 1, "sw-hall4", no_parents, behind_switch);
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	/* nor one that was down when it was left alone */
	script.dead[1] = "sw-hall3";
	script.idle = NULL;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 2);
	script.idle = "sw-hall3";
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 5);
	finish();
}

/* A switch whose agent is dead, and which forwards. */
static void
who_answered_since_the_parent_is_down_is_silent_on_his_own(void)
{
	begin_family("sw-hall4", no_parents, behind_switch);
	script.dead[1] = "sw-hall3";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 5);
	script.dead[0] = "press-3";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	finish();
}

static void
a_line_is_no_reason_for_its_units_but_what_it_is_behind_is(void)
{
	begin_family("gw-7", behind_switch, behind_line);
	script.dead[0] = "press-3";
	script.dead[1] = "gw-7";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	script.dead[2] = "sw-hall3";
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_UNREACHABLE), 3);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 3);
	CHECK_INT(count_reason(id_of("gw-7/temp"), REASON_PARENT_DOWN), 3);
	poller_each_device(poller, keep_press, NULL);
	CHECK_STR(press_view.last_error, "behind sw-hall3, which is down");
	finish();
}

static void
a_reload_that_makes_a_parent_anew_keeps_what_is_behind_it(void)
{
	begin_family("sw-hall4", no_parents, behind_switch);
	script.dead[0] = "press-3";
	script.dead[1] = "sw-hall3";
	loop_sim_for(loop, 20 * LOOP_S);
	configure_family(1, 2, "sw-hall4", no_parents, behind_switch);
	CHECK_INT(script.cancels, 0);
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PARENT_DOWN), 5);
	finish();
}

static struct device_view paused_view;

static void
keep_view(const struct device_view *view, void *arg)
{
	(void)arg;
	paused_view = *view;
}

static void
a_device_that_is_left_alone_on_purpose_is_paused_and_not_down(void)
{
	begin("press-3", 1);
	configure(0, 1);
	loop_sim_for(loop, 20 * LOOP_S);
	script.unasked = true;
	script.answers = false;
	script.rest = REASON_PAUSED;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_PAUSED), 2);
	CHECK_INT(count_reason(id_of("press-3/up"), REASON_PAUSED), 2);
	CHECK_INT(count_reason(id_of("press-3/rtt"), REASON_PAUSED), 2);
	poller_each_device(poller, keep_view, NULL);
	CHECK_STR(paused_view.state, "paused");
	script.unasked = false;
	script.answers = true;
	loop_sim_for(loop, 10 * LOOP_S);
	poller_each_device(poller, keep_view, NULL);
	CHECK_STR(paused_view.state, "up");
	finish();
}

static void
a_poll_that_outlasts_its_slot_costs_the_next_ones_as_overrun(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.delay = 25 * LOOP_S;
	loop_sim_for(loop, 300 * LOOP_S);
	CHECK_INT(script.starts, 10);
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_GOOD), 9, 1);
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_OVERRUN), 18, 2);
	finish();
}

static void
slots_without_a_poller_are_closed_as_poller_down_at_the_next_start(void)
{
	int64_t next[16];

	begin("press-3", 2);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++)
		next[id] = seen.last[id] + 1;
	end_process();
	loop_sim_begin(loop_sim_now() + 95 * LOOP_S, loop_sim_real() + 95 * LOOP_S);
	start_process();
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++)
		poller_recover(poller, id, next[id]);
	script.answers = false; /* the row is expected although the device is dead */
	configure(1, 1);
	loop_sim_for(loop, 50 * LOOP_S);
	CHECK_NEAR(count_reason(id_of("press-3/if[ge-1/5]/temp"), REASON_POLLER_DOWN), 9.5, 0.5);
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_POLLER_DOWN), 9.5, 0.5);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_TIMEOUT), 5);
	CHECK_INT(count_reason(id_of("press-3/if[ge-1/5]/temp"), REASON_TIMEOUT), 5);
	CHECK_NEAR(count_reason(id_of("press-3/up"), REASON_POLLER_DOWN), 9.5, 0.5);
	finish();
}

/* As a journal that a power cut has ended may have it. */
static void
up_rtt_and_loss_that_wait_for_different_slots_leave_none_out_and_tell_none_twice(void)
{
	uint32_t up, rtt, loss;

	begin("press-3", 1);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	up = id_of("press-3/up");
	rtt = id_of("press-3/rtt");
	loss = id_of("press-3/loss");
	end_process();
	memset(seen.first, 0, sizeof seen.first);
	seen.last[up] += 13; /* was told ahead of its time, by a clock that has been set back */
	seen.last[rtt] -= 2;
	loop_sim_begin(loop_sim_now() + 95 * LOOP_S, loop_sim_real() + 95 * LOOP_S);
	start_process();
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++)
		poller_recover(poller, id, seen.last[id] + 1);
	configure(1, 1);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(count_reason(loss, REASON_POLLER_DOWN), 9.5, 0.5);
	CHECK_INT(count_reason(rtt, REASON_POLLER_DOWN), count_reason(loss, REASON_POLLER_DOWN) + 2);
	CHECK_INT(seen.first[up], 0);
	loop_sim_for(loop, 190 * LOOP_S);
	CHECK_INT(seen.last[up], seen.last[loss]);
	CHECK_INT(seen.last[rtt], seen.last[loss]);
	CHECK_NEAR(count_reason(loss, REASON_GOOD), 20, 1);
	CHECK_NEAR(count_reason(up, REASON_GOOD), 16, 1);
	finish();
}

static void
a_reload_keeps_an_unchanged_device_at_work_and_restarts_a_changed_one(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.delay = 5 * LOOP_S;
	loop_sim_for(loop, 100 * LOOP_S);
	configure(1, 1);
	CHECK_INT(script.cancels, 0);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_CONFIG), 0);
	/* the reload comes in the middle of a poll */
	for (int before = script.starts; script.starts == before;)
		loop_sim_for(loop, LOOP_S / 10);
	configure(2, 2);
	CHECK_INT(script.cancels, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_CONFIG), 1);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_POLLER_DOWN), 0);
	finish();
}

static void
a_counter_whose_last_reading_is_forgotten_has_no_rate_next_time(void)
{
	begin("press-3", 1);
	configure(0, 1);
	for (int i = 0; i < 10; i++) {
		script.forgets = i == 4;
		script.count += 70;
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_FIRST), 2);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_GOOD), 8);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_GOOD), 10);
	CHECK_NEAR(seen.value[id_of("press-3/pieces")], 7.0, 1e-6);
	finish();
}

/* In the reload, or while no poller ran. */
static void
a_counter_that_may_be_another_one_gives_no_rate_with_the_former_ones_count(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.count = 1000;
	loop_sim_for(loop, 30 * LOOP_S);
	configure(1, 2);
	script.count = 5000;
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_FIRST), 2);
	CHECK_NEAR(seen.value[id_of("press-3/pieces")], 0, 0);
	for (int which = 2; which < 4; which++) {
		end_process();
		memset(&seen, 0, sizeof seen);
		start_process();
		configure(which, which == 2 ? 2 : 3);
		script.count += which == 2 ? 0 : 5000;
		loop_sim_for(loop, 30 * LOOP_S);
		CHECK_INT(count_reason(id_of("press-3/pieces"), REASON_FIRST), which - 2);
		CHECK_NEAR(seen.value[id_of("press-3/pieces")], 0, 0);
	}
	finish();
}

static void
a_vanished_row_is_no_such_row_until_it_retires(void)
{
	begin("press-3", 2);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	script.row_seen = false;
	script.rest = REASON_NO_SUCH_ROW;
	loop_sim_for(loop, 7200 * LOOP_S);
	CHECK_NEAR(count_reason(id_of("press-3/if[ge-1/5]/temp"), REASON_NO_SUCH_ROW), 361, 1);
	CHECK_INT(ended, 1);
	finish();
}

static void
a_row_that_nobody_wants_any_more_ends_at_once_and_may_come_back(void)
{
	uint32_t id;
	int64_t last;

	begin("press-3", 2);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	id = id_of("press-3/if[ge-1/5]/temp");
	last = seen.last[id];
	script.row_unwanted = true;
	script.rest = REASON_NO_SUCH_ROW;
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_INT(ended, 1);
	CHECK_INT(seen.last[id], last);
	script.row_unwanted = false;
	seen.last[id] = 0; /* a pause without slots */
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_NEAR(seen.last[id], last + 20, 1);
	CHECK_INT(count_reason(id, REASON_NO_SUCH_ROW), 0);
	finish();
}

static void
series_of_a_device_that_is_taken_out_end_and_those_of_a_changed_one_do_not(void)
{
	begin("press-3", 1);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	configure(1, 2);
	CHECK_INT(ended, 0);
	device.name = "press-4";
	configure(2, 2);
	CHECK_INT(ended, 5); /* temp, pieces, up, rtt, loss */
	finish();
}

static void
on_step(int64_t delta, bool held, void *arg)
{
	(void)arg;
	CHECK(!held);
	poller_clock_stepped(poller, delta);
}

static void
a_clock_set_forward_closes_the_skipped_slots_as_clock_step(void)
{
	begin("press-3", 1);
	loop_on_step(loop, on_step, NULL);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	loop_sim_step_clock(loop, 1000 * LOOP_S);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_CLOCK_STEP), 100, 1);
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_GOOD), 20, 1);
	finish();
}

/* Nobody was away for the days that a step skips: they are closed like any others. */
static void
a_step_of_the_clock_does_not_make_a_missing_row_be_gone_for_longer(void)
{
	uint32_t id;

	begin("press-3", 2);
	loop_on_step(loop, on_step, NULL);
	loop_clock_trust(loop, 10 * 86400 * LOOP_S);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	script.row_seen = false;
	script.rest = REASON_NO_SUCH_ROW;
	loop_sim_for(loop, 100 * LOOP_S);
	loop_sim_step_clock(loop, 9 * 86400 * LOOP_S);
	loop_sim_for(loop, 3400 * LOOP_S);
	id = id_of("press-3/if[ge-1/5]/temp");
	CHECK_INT(ended, 0);
	CHECK_NEAR(count_reason(id, REASON_CLOCK_STEP), 9 * 8640, 1);
	CHECK_NEAR(count_reason(id, REASON_NO_SUCH_ROW), 350, 1);
	loop_sim_for(loop, 200 * LOOP_S);
	CHECK_INT(ended, 1);
	CHECK_NEAR(count_reason(id, REASON_NO_SUCH_ROW), 361, 1);
	finish();
}

static void
a_clock_set_back_closes_no_slot_twice(void)
{
	begin("press-3", 1);
	loop_on_step(loop, on_step, NULL);
	configure(0, 1);
	loop_sim_for(loop, 1000 * LOOP_S);
	loop_sim_step_clock(loop, -30 * LOOP_S);
	loop_sim_for(loop, 1000 * LOOP_S);
	/* 197 slots fit into 2000 s less 30; mark() has checked the order */
	CHECK_NEAR(count_reason(id_of("press-3/temp"), REASON_GOOD), 197, 1);
	finish();
}

static void
a_device_that_its_driver_refuses_is_closed_as_config(void)
{
	begin("refused", 1);
	configure(0, 1);
	loop_sim_for(loop, 100 * LOOP_S);
	CHECK_INT(count_reason(id_of("refused/temp"), REASON_CONFIG), 10);
	CHECK_INT(count_reason(id_of("refused/up"), REASON_CONFIG), 10);
	finish();
}

static void
the_raw_reading_goes_along_where_it_is_a_whole_number(void)
{
	begin("press-3", 1);
	configure(0, 1);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK(!seen.has_raw[id_of("press-3/temp")] && seen.has_raw[id_of("press-3/pieces")]);
	script.whole = true;
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK(seen.has_raw[id_of("press-3/temp")]);
	finish();
}

static void
a_number_that_is_none_is_invalid_and_not_good(void)
{
	begin("press-3", 1);
	configure(0, 1);
	script.value = (double)INFINITY;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/temp"), REASON_INVALID_VALUE), 2);
	finish();
}

static struct {
	int down, back, barred, read;
	char last[200];
} told;

static void
hear_line(char level, const char *line, void *arg)
{
	(void)level, (void)arg;
	told.down += strstr(line, "no answer, asking on") != NULL;
	told.back += strstr(line, "answers again") != NULL;
	told.barred += strstr(line, "cannot be read") != NULL;
	told.read += strstr(line, "can be read again") != NULL;
	str_copy(told.last, sizeof told.last, line);
}

static void
a_burst_of_the_same_news_is_ten_lines_and_a_count(void)
{
	static struct device many[40];
	static char names[40][8];

	begin("many", 1);
	feed.count = 0; /* not the slots are looked at here */
	for (int i = 0; i < 40; i++) {
		many[i] = device;
		snprintf(names[i], sizeof names[i], "plc-%d", i);
		many[i].name = names[i];
	}
	inventories[0] = (struct inventory){ .devices = many, .device_count = 40, .references = 1 };
	poller_configure(poller, &inventories[0]);
	loop_sim_for(loop, 30 * LOOP_S);
	memset(&told, 0, sizeof told);
	log_catch(hear_line, NULL);
	script.answers = false;
	loop_sim_for(loop, 35 * LOOP_S);
	CHECK_INT(told.down, 10);
	CHECK_STR(told.last, "and 30 more devices do not answer");
	script.answers = true;
	loop_sim_for(loop, 35 * LOOP_S);
	CHECK_INT(told.back, 10);
	CHECK_STR(told.last, "and 30 more devices answer again");
	log_catch(NULL, NULL);
	finish();
}

static void
a_device_that_cannot_be_read_is_told_once_and_so_is_its_end(void)
{
	begin("press-3", 1);
	configure(0, 1);
	memset(&told, 0, sizeof told);
	log_catch(hear_line, NULL);
	script.rest = REASON_AUTH;
	script.complaints[0] = "wrong auth_pass";
	loop_sim_for(loop, 50 * LOOP_S);
	CHECK_INT(told.barred, 1);
	CHECK_STR(told.last, "press-3 (10.0.4.17:502): answers, but cannot be read: wrong auth_pass");
	/* Silence says nothing of it. */
	script.answers = false;
	loop_sim_for(loop, 20 * LOOP_S);
	script.answers = true;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(told.barred, 1);
	CHECK_INT(told.read, 0);
	script.rest = REASON_GOOD;
	script.complaints[0] = NULL;
	loop_sim_for(loop, 50 * LOOP_S);
	CHECK_INT(told.read, 1);
	CHECK_INT(told.barred, 1);
	log_catch(NULL, NULL);
	finish();
}

/* ---- own metrics ---- */

static struct group own_groups[2];
static char state_told[16];

static void
hear_state(const struct device_view *view, void *arg)
{
	(void)arg;
	str_copy(state_told, sizeof state_told, view->state);
}

static void
begin_own(const char *name, const struct point *points, size_t count)
{
	static const struct group self_group = { .name = SELF_GROUP, .interval = 10 * LOOP_S,
		.suffix = "", .profile = "standard", .driver = &self_driver };
	bool daemon = points == self_daemon_points;

	own_groups[0] = groups[0];
	own_groups[!daemon] = self_group;
	own_groups[!daemon].points = points;
	own_groups[!daemon].point_count = count;
	device.groups = own_groups;
	begin(name, daemon ? 1 : 2);
	configure(0, 1);
}

static void
finish_own(void)
{
	finish();
	device.groups = groups;
}

static void
a_device_tells_how_the_asking_goes_and_is_not_degraded_by_it(void)
{
	begin_own("press-3", self_points, SELF_POINTS);
	for (int i = 0; i < 10; i++) {
		script.retries += 5;
		script.strays += 20;
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_INT(count_reason(id_of("press-3/lateness"), REASON_GOOD), 10);
	CHECK_NEAR(seen.value[id_of("press-3/lateness")], 0, 1e-9);
	CHECK_NEAR(seen.value[id_of("press-3/retries")], 0.5, 1e-6);
	CHECK_NEAR(seen.value[id_of("press-3/strays")], 2, 1e-6);
	CHECK_NEAR(seen.value[id_of("press-3/wrong_source")], 0, 1e-9);
	poller_each_device(poller, hear_state, NULL);
	CHECK_STR(state_told, "up");
	/* What it tells of itself is there when the device is not, and does not make it up. */
	script.answers = false;
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/retries"), REASON_GOOD), 11);
	CHECK_NEAR(seen.value[id_of("press-3/up")], 0, 0);
	poller_each_device(poller, hear_state, NULL);
	CHECK_STR(state_told, "down");
	/* An answer that says no more than that we may not ask. */
	script.answers = true;
	script.rest = REASON_AUTH;
	loop_sim_for(loop, 10 * LOOP_S);
	poller_each_device(poller, hear_state, NULL);
	CHECK_STR(state_told, "degraded");
	/* Nor is it better while it is being asked. */
	script.delay = 5 * LOOP_S;
	for (int i = 0; i < 20; i++) {
		loop_sim_for(loop, LOOP_S);
		poller_each_device(poller, hear_state, NULL);
		CHECK_STR(state_told, "degraded");
	}
	finish_own();
}

static void
the_daemon_is_a_device_whose_counters_are_rates(void)
{
	begin_own("plant-a", self_daemon_points, SELF_DAEMON_POINTS);
	for (int i = 0; i < 10; i++) {
		script.drops += 30;
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_NEAR(seen.value[id_of("plant-a/up")], 1, 0);
	CHECK_INT(count_reason(id_of("plant-a/rtt"), REASON_GOOD), 10);
	CHECK_NEAR(seen.value[id_of("plant-a/drops")], 3, 1e-6);
	/* 10 points of its own and 3 of any device */
	CHECK_NEAR(seen.value[id_of("plant-a/values")], 1.3, 1e-6);
	CHECK_NEAR(seen.value[id_of("plant-a/loop_lag")], 0.25, 1e-9);
	CHECK_NEAR(seen.value[id_of("plant-a/journal_backlog")], 3, 1e-9);
	/* A store that says nothing has a lag that is not known, never one of 0. */
	CHECK_INT(count_reason(id_of("plant-a/store_lag"), REASON_TIMEOUT), 10);
	finish_own();
}

static void
counters_of_a_former_process_make_no_rate(void)
{
	begin_own("press-3", self_points, SELF_POINTS);
	script.retries = 500;
	loop_sim_for(loop, 30 * LOOP_S);
	end_process();
	start_process();
	script.retries = 900; /* counted from 0 again, whatever the number says */
	configure(1, 1);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(count_reason(id_of("press-3/retries"), REASON_DISCONTINUITY), 1);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_NEAR(seen.value[id_of("press-3/retries")], 0, 1e-9);
	finish_own();
}

static struct {
	struct loop_timer timer;
	uint32_t told, most; /* slots at once */
} watch;

static void
look(void *arg)
{
	if (ports.told - watch.told > watch.most)
		watch.most = ports.told - watch.told;
	watch.told = ports.told;
	loop_timer_in(arg, &watch.timer, 1);
}

/* A poll has told them all, and in the next they have vanished: until so long after its start. */
static void
begin_many(int64_t delay)
{
	begin("sw-1", 2);
	script.rows = MANY;
	script.rest = REASON_NO_SUCH_ROW;
	configure(0, 1);
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK(ports.reasons[REASON_GOOD] >= MANY - 16);
	script.row_seen = false;
	script.delay = delay;
	memset(&watch, 0, sizeof watch);
	loop_timer_init(&watch.timer, look, loop);
	watch.told = ports.told;
	look(loop);
}

static void
rows_that_vanish_all_at_once_are_closed_in_portions(void)
{
	begin_many(20 * LOOP_MS);
	loop_sim_for(loop, 40 * LOOP_S);
	CHECK(ports.reasons[REASON_NO_SUCH_ROW] >= 3 * (MANY - 16));
	CHECK(watch.most > 0);
	CHECK(watch.most < MANY * 3 / 4);
	script.row_seen = true;
	loop_sim_for(loop, 3600 * LOOP_S);
	CHECK_INT(ports.reasons[REASON_OVERRUN], 0);
	loop_timer_stop(loop, &watch.timer);
	finish();
}

static void
a_slot_that_comes_due_while_rows_are_being_closed_is_an_overrun(void)
{
	begin_many(10 * LOOP_S - LOOP_TICK);
	loop_sim_for(loop, 60 * LOOP_S);
	/* Each other one. */
	CHECK(ports.reasons[REASON_OVERRUN] >= 2 * (MANY - 16));
	CHECK(ports.reasons[REASON_NO_SUCH_ROW] >= 2 * (MANY - 16));
	CHECK(watch.most < MANY * 3 / 4);
	loop_timer_stop(loop, &watch.timer);
	finish();
}

static void
a_reload_while_rows_are_being_closed_leaves_no_slot_open_and_closes_none_twice(void)
{
	uint32_t closed;

	begin_many(20 * LOOP_MS);
	closed = ports.told;
	while (ports.told < closed + 100)
		loop_sim_for(loop, LOOP_TICK);
	CHECK(ports.told < closed + MANY);
	configure(1, 2);
	loop_sim_for(loop, 40 * LOOP_S);
	CHECK(ports.reasons[REASON_CONFIG] > 0);
	CHECK(ports.reasons[REASON_NO_SUCH_ROW] >= 3 * (MANY - 16));
	loop_timer_stop(loop, &watch.timer);
	finish();
}

RUN_TESTS(TEST(rows_that_vanish_all_at_once_are_closed_in_portions),
	TEST(a_slot_that_comes_due_while_rows_are_being_closed_is_an_overrun),
	TEST(a_reload_while_rows_are_being_closed_leaves_no_slot_open_and_closes_none_twice),
	TEST(what_a_plc_in_stop_says_is_frozen_from_the_slot_of_the_verdict_on),
	TEST(a_restart_of_the_poller_does_not_believe_a_plc_that_stood_still),
	TEST(a_value_is_closed_good_once_a_slot_and_a_counter_becomes_a_rate),
	TEST(a_second_reading_of_the_same_in_one_slot_is_ignored),
	TEST(a_count_that_began_after_its_base_was_read_is_no_rate),
	TEST(a_zero_that_is_told_while_a_device_comes_up_is_no_base),
	TEST(a_count_that_is_a_float_keeps_its_fraction_in_the_rate),
	TEST(a_silent_device_gives_timeouts_and_up_0_and_is_asked_cautiously),
	TEST(rtt_is_lost_for_the_reason_for_which_nothing_was_answered),
	TEST(a_device_without_an_answer_behind_a_dead_parent_is_parent_down_from_the_same_slot_on),
	TEST(an_error_is_shown_until_the_group_that_told_it_is_well_again),
	TEST(behind_a_parent_that_is_back_all_are_asked_in_the_same_slot),
	TEST(up_rtt_and_loss_of_a_device_are_numbered_next_to_its_points),
	TEST(with_two_parents_both_have_to_be_down),
	TEST(who_answered_by_the_second_parent_is_behind_both_when_that_goes_down_too),
	TEST(a_parent_of_which_nothing_is_known_explains_nothing),
	TEST(who_answered_since_the_parent_is_down_is_silent_on_his_own),
	TEST(a_line_is_no_reason_for_its_units_but_what_it_is_behind_is),
	TEST(a_reload_that_makes_a_parent_anew_keeps_what_is_behind_it),
	TEST(a_device_that_is_left_alone_on_purpose_is_paused_and_not_down),
	TEST(a_poll_that_outlasts_its_slot_costs_the_next_ones_as_overrun),
	TEST(slots_without_a_poller_are_closed_as_poller_down_at_the_next_start),
	TEST(up_rtt_and_loss_that_wait_for_different_slots_leave_none_out_and_tell_none_twice),
	TEST(a_reload_keeps_an_unchanged_device_at_work_and_restarts_a_changed_one),
	TEST(a_counter_whose_last_reading_is_forgotten_has_no_rate_next_time),
	TEST(a_counter_that_may_be_another_one_gives_no_rate_with_the_former_ones_count),
	TEST(a_vanished_row_is_no_such_row_until_it_retires),
	TEST(a_row_that_nobody_wants_any_more_ends_at_once_and_may_come_back),
	TEST(series_of_a_device_that_is_taken_out_end_and_those_of_a_changed_one_do_not),
	TEST(a_clock_set_forward_closes_the_skipped_slots_as_clock_step),
	TEST(a_step_of_the_clock_does_not_make_a_missing_row_be_gone_for_longer),
	TEST(a_clock_set_back_closes_no_slot_twice),
	TEST(the_raw_reading_goes_along_where_it_is_a_whole_number),
	TEST(a_device_that_its_driver_refuses_is_closed_as_config),
	TEST(a_number_that_is_none_is_invalid_and_not_good),
	TEST(a_burst_of_the_same_news_is_ten_lines_and_a_count),
	TEST(a_device_that_cannot_be_read_is_told_once_and_so_is_its_end),
	TEST(a_device_tells_how_the_asking_goes_and_is_not_degraded_by_it),
	TEST(the_daemon_is_a_device_whose_counters_are_rates),
	TEST(counters_of_a_former_process_make_no_rate))

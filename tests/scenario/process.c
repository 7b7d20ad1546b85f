#include "scenario/process.h"

#include <stdlib.h>
#include <string.h>

#include "alarm/alarms.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/guard.h"
#include "core/latest.h"
#include "core/poller.h"
#include "core/series.h"
#include "journal/reader.h"
#include "journal/slots.h"
#include "journal/writer.h"
#include "modbus/modbus.h"
#include "path/paths.h"
#include "reach/reach.h"
#include "snmp/snmp.h"

struct process {
	struct process_options given;
	struct loop *loop;
	struct series_catalogue *catalogue;
	struct latest *latest;
	struct writer *writer;
	struct guard *guard;
	bool refuses; /* the disk */
	struct snmp *snmp;
	struct modbus *modbus;
	struct reach *reach;
	struct poller *poller;
	struct paths *paths;   /* NULL: the process runs without */
	struct alarms *alarms;
	struct inventory *inventory; /* of both */
	struct feed feed;
	struct slots slots; /* of the journal, until the poller has taken over */
	uint64_t sequence;
	bool configured;
	struct fail why;
};

/* ---- replay ---- */

static int
replay(struct process *p)
{
	const char *dir = p->given.state_dir;
	struct reader_position from = { reader_newest_snapshot(dir, &p->why), 0 };
	struct reader *reader = reader_open(dir, &from, &p->why);
	struct record record;
	int got;

	if (reader == NULL)
		return -1;
	while ((got = reader_next(reader, &record, &p->why)) == 1) {
		p->sequence = record.sequence;
		slots_replay(&p->slots, &record);
		if (p->alarms != NULL && (paths_replay(p->paths, &record) == -1 ||
			alarms_replay(p->alarms, &record) == -1))
			fail_set(&p->why, "record %llu is damaged",
				(unsigned long long)record.sequence);
	}
	reader_close(reader);
	return got;
}

/* ---- journal ---- */

static void
series_ended(uint32_t series, void *arg)
{
	struct process *p = arg;

	slots_end(p->writer, series);
}

static uint64_t
put_record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return writer_record(arg, kind, body, size);
}

static void
snapshot(struct writer *writer, void *arg)
{
	struct process *p = arg;
	struct slots_bundle bundle = { .writer = writer };

	if (p->configured)
		poller_next_slots(p->poller, slots_put, &bundle);
	else
		slots_each(&p->slots, slots_put, &bundle);
	slots_flush(&bundle);
	if (p->alarms == NULL)
		return;
	paths_snapshot(p->paths, put_record, writer);
	alarms_snapshot(p->alarms, put_record, writer);
}

static void
committed(uint64_t sequence, void *arg)
{
	struct process *p = arg;

	/* In the daemon each second, for which a year has too many. */
	if (p->configured)
		latest_beat(p->latest, loop_wall(p->loop), loop_mono(p->loop));
	if (p->given.committed != NULL)
		p->given.committed(sequence, p->given.arg);
}

static int
sync_catalogue(void *arg, struct fail *why)
{
	struct process *p = arg;

	if (p->refuses) {
		fail_set(why, "No space left on device");
		return -1;
	}
	return series_sync(p->catalogue, why);
}

static void
journal_health(const char *why, void *arg)
{
	struct process *p = arg;

	if (p->alarms != NULL)
		alarms_trouble(p->alarms, TROUBLE_JOURNAL, why);
}

/* ---- alarms ---- */

static uint64_t
record_alarm(void *arg, enum record_kind kind, const void *body, size_t size)
{
	struct process *p = arg;

	return writer_record(p->writer, kind, body, size);
}

static const struct series *
series_of(void *arg, uint32_t id)
{
	struct process *p = arg;

	return series_get(p->catalogue, id);
}

static void
alarm_changed(void *arg, const struct transition *transition, uint64_t journal)
{
	struct process *p = arg;

	p->given.changed(p->given.arg, transition, journal);
}

static void
open_alarms(struct process *p)
{
	struct paths_options paths = { .loop = p->loop, .series = series_of, .series_arg = p };
	struct alarms_options alarms = { .loop = p->loop, .record = record_alarm,
		.changed = alarm_changed, .series = series_of, .arg = p };

	if (p->given.changed == NULL)
		return;
	p->inventory = inventory_ref(p->given.inventory);
	p->paths = paths_new(&paths, p->inventory);
	alarms.paths = p->paths;
	p->alarms = alarms_new(&alarms, p->inventory);
	paths_on_change(p->paths, alarms_path_changed, p->alarms);
}

static void
begin_alarms(struct process *p)
{
	struct feed_listener paths, alarms;

	if (p->alarms == NULL)
		return;
	paths = paths_listener(p->paths);
	alarms = alarms_listener(p->alarms);
	feed_add(&p->feed, &paths);
	feed_add(&p->feed, &alarms);
	paths_begin(p->paths);
	alarms_begin(p->alarms);
	alarms_announce(p->alarms, CONDITION_STARTED, 0);
}

/* ---- life ---- */

static void
clock_stepped(int64_t delta, void *arg)
{
	struct process *p = arg;
	int64_t wall = loop_wall(p->loop);

	p->given.stepped(delta > 0 ? wall - delta : wall, wall, p->given.arg);
	if (p->alarms != NULL)
		alarms_clock_stepped(p->alarms, delta);
	poller_clock_stepped(p->poller, delta);
}

static void
clock_trouble(const char *text, void *arg)
{
	struct process *p = arg;

	if (p->alarms != NULL)
		alarms_trouble(p->alarms, TROUBLE_CLOCK, text);
}

static void
begin_polling(bool waited, void *arg)
{
	struct process *p = arg;

	if (waited)
		poller_missed(p->poller, REASON_CLOCK_STEP);
	poller_configure(p->poller, p->given.inventory);
	p->configured = true;
}

static void
guard_clock(struct process *p)
{
	struct guard_options options = { .loop = p->loop,
		.former = latest_wall(p->latest, loop_mono(p->loop)),
		.newest = slots_newest(&p->slots), .begin = begin_polling,
		.stepped = clock_stepped, .trouble = clock_trouble, .arg = p };

	p->guard = guard_new(&options);
}

static int
open_parts(struct process *p)
{
	struct writer_options options = { .state_dir = p->given.state_dir,
		.run_dir = p->given.run_dir };
	struct writer_events events = { .snapshot = snapshot, .committed = committed,
		.health = journal_health, .before_write = sync_catalogue, .arg = p };

	p->loop = loop_new(&p->why);
	p->catalogue = series_open(p->given.state_dir, true, &p->why);
	if (p->catalogue == NULL)
		return -1;
	p->latest = latest_open_writer(p->given.run_dir, &p->why);
	if (p->latest == NULL)
		return -1;
	open_alarms(p);
	p->slots.catalogue = p->catalogue;
	if (replay(p) == -1)
		return -1;
	guard_clock(p);
	p->writer = writer_open(p->loop, &options, &events, p->sequence + 1, &p->why);
	p->snmp = snmp_new(p->loop, p->given.state_dir, &p->why);
	if (p->snmp == NULL)
		return -1;
	p->modbus = modbus_new(p->loop);
	p->reach = reach_new(p->loop, 3, -1);
	return p->writer == NULL ? -1 : 0;
}

static void
recover(uint32_t series, int64_t next, void *arg)
{
	struct process *p = arg;

	p->given.recovered(series, next, p->given.arg);
	poller_recover(p->poller, series, next);
}

static void
wire(struct process *p)
{
	struct feed_listener latest = latest_listener(p->latest);
	struct feed_listener journal = writer_listener(p->writer);
	struct poller_parts parts = { .loop = p->loop, .catalogue = p->catalogue,
		.latest = p->latest, .feed = &p->feed,
		.ended = series_ended, .ended_arg = p,
		.drivers = { { &snmp_driver, p->snmp }, { &modbus_driver, p->modbus },
			{ &reach_driver, p->reach } }, .driver_count = 3 };

	feed_add(&p->feed, &latest);
	feed_add(&p->feed, &journal);
	begin_alarms(p);
	feed_add(&p->feed, p->given.listener);
	p->poller = poller_new(&parts);
	slots_each(&p->slots, recover, p);
	guard_begin(p->guard);
}

/* Everything but the journal. */
static void
drop_parts(struct process *p)
{
	poller_free(p->poller);
	reach_free(p->reach);
	modbus_end(p->modbus);
	snmp_free(p->snmp);
}

static void
drop_rest(struct process *p)
{
	if (p->alarms != NULL) {
		alarms_free(p->alarms);
		paths_free(p->paths);
		inventory_unref(p->inventory);
	}
	guard_free(p->guard);
	latest_close(p->latest);
	series_close(p->catalogue);
	loop_free(p->loop);
	slots_free(&p->slots);
	free(p);
}

struct process *
process_start(struct process_options *options)
{
	struct process *p = mem_zero(sizeof *p);

	p->given = *options;
	if (open_parts(p) == -1) {
		options->failed = mem_text(p->why.text);
		process_kill(p);
		return NULL;
	}
	wire(p);
	return p;
}

void
process_reload(struct process *p, struct inventory *inventory)
{
	if (p->alarms != NULL) {
		paths_configure(p->paths, inventory);
		alarms_configure(p->alarms, inventory);
		inventory_unref(p->inventory);
		p->inventory = inventory_ref(inventory);
	}
	poller_configure(p->poller, inventory);
}

void
process_stop(struct process *p)
{
	drop_parts(p);
	if (p->alarms != NULL)
		alarms_announce(p->alarms, CONDITION_STOPPING, 0);
	writer_record(p->writer, KIND_STOP, NULL, 0);
	writer_close(p->writer);
	drop_rest(p);
}

void
process_kill(struct process *p)
{
	drop_parts(p);
	writer_abandon(p->writer);
	drop_rest(p);
}

void
process_refuse(struct process *p, bool refuse)
{
	p->refuses = refuse;
}

int
process_confirm_clock(struct process *p)
{
	return guard_confirm(p->guard, &p->why);
}

struct loop *
process_loop(struct process *p)
{
	return p->loop;
}

struct series_catalogue *
process_catalogue(struct process *p)
{
	return p->catalogue;
}

uint64_t
process_polls(struct process *p)
{
	return poller_counters(p->poller).finished;
}

uint64_t
process_samples(struct process *p)
{
	return poller_counters(p->poller).samples;
}

size_t
process_alarms(struct process *p)
{
	return alarms_count(p->alarms);
}

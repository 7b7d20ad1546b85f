#include "core/self.h"

#include <math.h>
#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/task.h"

#define COUNT(word, what) { .name = word, .unit = "1/s", .text = what, .kind = POINT_COUNTER, \
	.scale = 1 }
#define GAUGE(word, of, what) { .name = word, .unit = of, .text = what, .kind = POINT_GAUGE, \
	.scale = 1 }

const struct point self_points[SELF_POINTS] = {
	[SELF_LATENESS] = GAUGE("lateness", "s", "start of a poll behind its time, at most"),
	[SELF_RETRIES] = COUNT("retries", "requests that were put again"),
	[SELF_STRAYS] = COUNT("strays", "answers nobody waited for"),
	[SELF_WRONG_SOURCE] = COUNT("wrong_source", "answers from another address, dropped"),
};

enum { LOOP_LAG, BACKLOG, STORE_LAG, GAUGES, VALUES = GAUGES, LATE, OVERRUNS, DROPS, STRAYS,
	WRONG_SOURCE, MALFORMED };
const struct point self_daemon_points[SELF_DAEMON_POINTS] = {
	[LOOP_LAG] = GAUGE("loop_lag", "s", "longest wait of what was due"),
	[BACKLOG] = GAUGE("journal_backlog", "", "records not on disk yet"),
	[STORE_LAG] = GAUGE("store_lag", "s", "journal that the store has not read yet"),
	[VALUES] = COUNT("values", "samples, good or not"),
	[LATE] = COUNT("late", "polls that began more than half an interval late"),
	[OVERRUNS] = COUNT("overruns", "polls that were due while the former one still ran"),
	[DROPS] = COUNT("drops", "datagrams for which the receive buffer had no room"),
	[STRAYS] = COUNT("strays", "SNMP answers nobody waited for"),
	[WRONG_SOURCE] = COUNT("wrong_source", "SNMP answers from another address, dropped"),
	[MALFORMED] = COUNT("malformed", "datagrams that are no SNMP answer"),
};

struct self_work {
	const struct self *self;
	struct task *task;
	struct loop_timer timer;
	int64_t begun;   /* mono */
	bool continuing; /* has read before: counters go on from there */
};

static void
tell(struct self_work *work, uint32_t point, double number, uint64_t count)
{
	bool known = isfinite(number);
	struct reading reading = { .row = TASK_SCALAR, .point = point, .bits = 64, .raw = count,
		.reason = known ? REASON_GOOD : REASON_TIMEOUT, .number = known ? number : 0,
		.discontinuity = !work->continuing,
		.received = loop_mono(task_loop(work->task)) };

	task_reading(work->task, &reading);
}

static void
tell_device(struct self_work *work)
{
	struct unit *unit = task_unit(work->task);
	const struct poller_parts *parts = &task_unit(work->task)->poller->parts;
	struct self_counts counts = { 0 };
	uint64_t told[SELF_POINTS];

	for (int i = 0; i < parts->driver_count; i++) {
		void *state = unit_state(unit, i);

		if (state != NULL && parts->drivers[i].driver->count != NULL)
			parts->drivers[i].driver->count(state, &counts);
	}
	told[SELF_LATENESS] = 0;
	told[SELF_RETRIES] = counts.retries;
	told[SELF_STRAYS] = counts.strays;
	told[SELF_WRONG_SOURCE] = counts.wrong_source;
	for (uint32_t i = 0; i < task_group(work->task)->point_count; i++)
		tell(work, i, (double)unit_more(unit)->lateness / 1e6, told[i]);
	unit_more(unit)->lateness = 0;
}

static void
tell_daemon(struct self_work *work)
{
	const struct poller_counters *polls = &task_unit(work->task)->poller->counters;
	struct self_daemon now = { 0 };
	double gauges[GAUGES];
	uint64_t counts[SELF_DAEMON_POINTS] = { 0 };

	work->self->read(&now, work->self->arg);
	gauges[LOOP_LAG] = now.loop_lag;
	gauges[BACKLOG] = now.journal_backlog;
	gauges[STORE_LAG] = now.store_lag;
	counts[VALUES] = polls->samples;
	counts[LATE] = polls->late;
	counts[OVERRUNS] = polls->overruns;
	counts[DROPS] = now.drops;
	counts[STRAYS] = now.strays;
	counts[WRONG_SOURCE] = now.wrong_source;
	counts[MALFORMED] = now.malformed;
	for (uint32_t i = 0; i < SELF_DAEMON_POINTS; i++)
		tell(work, i, i < GAUGES ? gauges[i] : 0, counts[i]);
}

/* A turn of the loop after the start: what was due with it has begun, late or not. */
static void
read_now(void *arg)
{
	struct self_work *work = arg;
	bool daemon = task_group(work->task)->points == self_daemon_points;

	if (daemon) {
		/* The daemon is up when it comes to this; its round trip is that turn. */
		task_exchange(work->task, true, loop_mono(task_loop(work->task)) - work->begun);
		tell_daemon(work);
	} else {
		tell_device(work);
	}
	work->continuing = true;
	task_done(work->task, REASON_GOOD);
}

/* ---- the driver ---- */

static void *
open_group(void *state, struct task *task)
{
	struct self_work *work = mem_zero(sizeof *work);

	work->self = state;
	work->task = task;
	loop_timer_init(&work->timer, read_now, work);
	return work;
}

static void
cancel(void *arg)
{
	struct self_work *work = arg;

	loop_timer_stop(task_loop(work->task), &work->timer);
}

static void
close_group(void *arg)
{
	if (arg == NULL)
		return;
	cancel(arg);
	free(arg);
}

static void
start(void *arg, bool cautious)
{
	struct self_work *work = arg;
	struct loop *loop = task_loop(work->task);

	(void)cautious;
	work->begun = loop_mono(loop);
	loop_timer_in(loop, &work->timer, 0);
}

const struct driver self_driver = { .name = "self", .open = open_group, .close = close_group,
	.start = start, .cancel = cancel, .gathers = true };

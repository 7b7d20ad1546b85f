/* What is told together becomes what it becomes one by one, whatever counters do. Two devices say
 * the same in the same instants: one point by point, the other a row at a time. */
#include "../check.h"
#include "../scratch.h"

#include <math.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/feed.h"
#include "core/frozen.h"
#include "core/latest.h"
#include "core/poller.h"
#include "core/series.h"
#include "fake/loop_sim.h"

#define INTERVAL (10 * LOOP_S)
#define ROWS 12
#define POINTS 6
#define SLOTS 3000

/* ---- what the device says ---- */

static struct reading said[ROWS][POINTS];
static bool left_out[ROWS][POINTS], silent;
static uint64_t counts[ROWS][POINTS];

static bool
one_in(int chances)
{
	return rand() % chances == 0;
}

static void
say(struct reading *reading, uint64_t *count, uint32_t row, uint32_t point, int64_t now,
	int64_t since)
{
	if (!one_in(row == 3 ? 2 : 50))
		*count += (uint64_t)(rand() % 5000000);
	if (one_in(60))
		*count = one_in(2) ? 0 : (uint64_t)rand() << (rand() % 34);
	*reading = (struct reading){ .row = row, .point = point, .reason = REASON_GOOD,
		.received = now, .since = since, .bits = point == 2 ? 32 : 64, .raw = *count };
	if (reading->bits == 32)
		reading->raw &= UINT32_MAX;
	reading->beyond = reading->raw > INT64_MAX;
	reading->discontinuity = one_in(70);
	if (one_in(70))
		reading->milli = *count * 1000 + 250;
	if (row % 3 == 0)
		reading->max_rate = 1e9 / 8;
	if (one_in(70))
		reading->reason = REASON_NO_SUCH_OBJECT;
	reading->number = (double)*count;
	reading->whole = true;
}

static void
next_poll(int64_t now)
{
	/* Long enough, now and then, that no base is one any more. */
	static int quiet;

	if (one_in(100))
		quiet = 1 + rand() % 14;
	silent = quiet > 0 && quiet-- > 0;
	for (uint32_t row = 0; row < ROWS; row++) {
		int64_t since = one_in(30) ? now - INTERVAL / 2 :
			one_in(4) ? now - INTERVAL - rand() % (2 * INTERVAL) : 0;

		for (uint32_t i = 0; i < POINTS; i++) {
			say(&said[row][i], &counts[row][i], row, i, now, since);
			left_out[row][i] = row == 5 && one_in(3);
		}
	}
}

/* ---- the driver ---- */

struct work {
	struct task *task;
	struct loop_timer timer;
	bool together;
	uint32_t rows; /* that have a number */
};

static void
tell_row(struct work *work, uint32_t row)
{
	static struct readings readings;
	char key[8];

	readings.row = row;
	readings.since = said[row][0].since;
	readings.max_rate = said[row][0].max_rate;
	snprintf(key, sizeof key, "p%u", row);
	if (work->together && work->rows > row)
		task_row_again(work->task, row);
	else
		CHECK_INT(task_row(work->task, key), row);
	if (row == work->rows)
		work->rows++;
	for (uint32_t i = 0; i < POINTS; i++) {
		if (left_out[row][i])
			continue;
		if (work->together)
			readings_put(&readings, work->task, &said[row][i]);
		else
			task_reading(work->task, &said[row][i]);
	}
	readings_tell(&readings, work->task);
}

static void
answer(void *arg)
{
	static int64_t said_at;
	struct work *work = arg;
	int64_t now = loop_mono(task_loop(work->task));

	if (now != said_at)
		next_poll(now);
	said_at = now;
	task_exchange(work->task, !silent, LOOP_MS);
	for (uint32_t row = 0; row < ROWS && !silent; row++)
		tell_row(work, row);
	task_done(work->task, silent ? REASON_TIMEOUT : REASON_NO_SUCH_ROW);
}

static void *
open_work(void *env, struct task *task)
{
	struct work *work = mem_zero(sizeof *work);

	(void)env;
	work->task = task;
	work->together = strcmp(task_device(task)->name, "together") == 0;
	loop_timer_init(&work->timer, answer, work);
	return work;
}

static void
start(void *arg, bool cautious)
{
	struct work *work = arg;

	(void)cautious;
	loop_timer_in(task_loop(work->task), &work->timer, 0);
}

static void
cancel(void *arg)
{
	struct work *work = arg;

	loop_timer_stop(task_loop(work->task), &work->timer);
}

static void
close_work(void *arg)
{
	cancel(arg);
	free(arg);
}

static const struct driver driver = { .name = "both", .open = open_work, .close = close_work,
	.start = start, .cancel = cancel };

/* ---- what came of it ---- */

static struct series_catalogue *catalogue;
static struct latest *latest;
static struct sample newest[2][ROWS][POINTS];
static unsigned good, odd, plain;

static const char *const names[] = { "singly", "together" };
static const char *const points_named[POINTS] = { "c0", "c1", "c2", "gauge", "c4", "c5" };

static void
note(const struct sample *sample)
{
	unsigned row;
	char name[16], point[16];

	if (sscanf(sample->series->path, "%15[^/]/if[p%u]/%15s", name, &row, point) != 3)
		return;
	for (int i = 0; i < POINTS; i++)
		if (strcmp(points_named[i], point) == 0)
			newest[strcmp(name, "together") == 0][row][i] = *sample;
	good += sample->reason == REASON_GOOD;
	odd += sample->reason != REASON_GOOD;
}

static void
see_sample(void *arg, const struct sample *sample)
{
	(void)arg;
	note(sample);
}

/* What the journal believes of a batch without a look at each. */
static void
see_batch(void *arg, const struct sample_batch *batch)
{
	struct sample sample;

	for (uint32_t i = 0; i < batch->count; i++) {
		const struct sample_item *item = &batch->items[i];

		CHECK(!batch->good || reason_counts_as_good(item->reason));
		CHECK(!batch->plain || (item->reason == REASON_GOOD && item->has_raw &&
			isfinite(item->value)));
		sample_of_batch(batch, i, &sample);
		see_sample(arg, &sample);
	}
	plain += batch->plain;
}

static void
see_run(void *arg, const struct sample_run *run)
{
	struct sample sample = { .series = run->series, .slot = run->last,
		.received = run->decided, .reason = run->reason, .value = (double)NAN };

	(void)arg;
	note(&sample);
}

static uint32_t
id_of(const char *device, unsigned row, const char *point)
{
	char path[64];

	snprintf(path, sizeof path, "%s/if[p%u]/%s", device, row, point);
	CHECK(series_find(catalogue, path) != NULL);
	return series_find(catalogue, path)->id;
}

static void
check_same(const struct sample *one, const struct sample *other)
{
	CHECK_INT(one->reason, other->reason);
	CHECK(one->slot == other->slot && one->received == other->received);
	CHECK(one->has_raw == other->has_raw && one->beyond == other->beyond);
	CHECK(!one->has_raw || one->raw == other->raw);
	CHECK(isnan(one->value) == isnan(other->value));
	CHECK(isnan(one->value) || memcmp(&one->value, &other->value, sizeof one->value) == 0);
}

static void
check_latest(unsigned row, const char *point)
{
	struct latest_base bases[2] = { { .known = false } };
	struct latest_row rows[2];

	memset(rows, 0, sizeof rows);
	for (int i = 0; i < 2; i++) {
		uint32_t id = id_of(names[i], row, point);

		latest_base_get(latest, id, &bases[i]);
		CHECK(latest_read(latest, id, &rows[i]));
	}
	CHECK(bases[0].known == bases[1].known && bases[0].milli == bases[1].milli);
	CHECK(bases[0].count == bases[1].count && bases[0].mono == bases[1].mono);
	CHECK_INT(rows[0].reason, rows[1].reason);
	CHECK(rows[0].has_raw == rows[1].has_raw && rows[0].raw == rows[1].raw);
	CHECK(rows[0].slot == rows[1].slot && rows[0].received == rows[1].received);
	CHECK(rows[0].good_at == rows[1].good_at && rows[0].beyond == rows[1].beyond);
	CHECK(isnan(rows[0].value) ? isnan(rows[1].value) : rows[0].value == rows[1].value);
}

static void
check_all(void)
{
	for (unsigned row = 0; row < ROWS; row++)
		for (unsigned i = 0; i < POINTS; i++) {
			if (newest[0][row][i].series == NULL && newest[1][row][i].series == NULL)
				continue;
			check_same(&newest[0][row][i], &newest[1][row][i]);
			check_latest(row, points_named[i]);
		}
}

/* ---- the plant ---- */

static const struct device_about about = { .protocol = "both", .place = "", .owner = "",
	.asset = "", .text = "", .profile = "standard", .interval = INTERVAL };
static const char *const marked[] = { "*/if[p3]/c5" };
static const struct frozen_rule rule = { .name = "stands", .on = "*/if[p3]/c1",
	.span = 3 * INTERVAL, .marks_self = true, .marks = marked, .mark_count = 1 };

static void
make_plant(struct inventory *inventory)
{
	static struct point points[POINTS];
	static struct group group;
	static struct device devices[2];

	for (int i = 0; i < POINTS; i++)
		points[i] = (struct point){ .name = points_named[i], .unit = "", .text = "",
			.kind = i == 3 ? POINT_GAUGE : POINT_COUNTER, .scale = i == 4 ? 8 : 1 };
	group = (struct group){ .name = "if", .table = "if", .interval = INTERVAL, .suffix = "",
		.align = true, .profile = "standard", .driver = &driver, .points = points,
		.point_count = POINTS, .retire = 86400 * LOOP_S };
	for (int i = 0; i < 2; i++)
		devices[i] = (struct device){ .name = names[i], .address = "", .about = &about,
			.groups = &group, .group_count = 1 };
	*inventory = (struct inventory){ .devices = devices, .device_count = 2, .references = 1 };
}

static void
what_a_row_says_at_once_is_what_it_says_point_by_point(void)
{
	static const struct feed_listener listener = { .sample = see_sample, .batch = see_batch,
		.run = see_run };
	unsigned seed = 20261123;
	struct feed feed = { .count = 0 };
	struct feed_listener hook;
	struct inventory inventory;
	struct poller_parts parts = { .feed = &feed, .drivers = { { &driver, &feed } },
		.driver_count = 1 };
	struct poller *poller;
	struct fail why;

	print_message("seed %u\n", seed);
	srand(seed);
	log_open(LOG_TARGET_NONE, "");
	scratch_make();
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	parts.loop = loop_new(&why);
	parts.catalogue = catalogue = series_open(scratch, true, &why);
	parts.latest = latest = latest_open_writer(scratch, &why);
	parts.frozen = frozen_new(latest);
	frozen_configure(parts.frozen, &rule, 1);
	hook = latest_listener(latest);
	feed_add(&feed, &hook);
	feed_add(&feed, &listener);
	poller = poller_new(&parts);
	make_plant(&inventory);
	poller_configure(poller, &inventory);
	for (int slot = 0; slot < SLOTS; slot++) {
		loop_sim_for(parts.loop, INTERVAL);
		check_all();
	}
	CHECK(good > SLOTS * ROWS * POINTS && odd > SLOTS && plain > SLOTS);
	poller_free(poller);
	frozen_free(parts.frozen);
	series_close(catalogue);
	latest_close(latest);
	loop_free(parts.loop);
	scratch_remove();
}

RUN_TESTS(TEST(what_a_row_says_at_once_is_what_it_says_point_by_point))

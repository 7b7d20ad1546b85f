/* values - what a value costs from the driver on: rates, slots, latest, journal, paths, alarms.
 *
 *   values FOLDER [DEVICES [POINTS [POLLS [together]]]]     by default 10000 30 20
 *
 * Each device is polled once in each interval on virtual time, by a driver that has counters at
 * hand at once; nobody watches any of them, as nobody does most of a plant's. With `together` a
 * poll's values are told in one piece. All but the journal's own writing is measured:
 *   ns_per_value X, lower quarter Y   of the pieces that an interval is told in
 * Under callgrind --collect-atoff, --toggle-collect=tell_all counts instructions. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "fake/loop_sim.h"
#include "wired.h"

#define INTERVAL (60 * LOOP_S)
#define TURNS 300 /* an interval: as many polls at a time as come in 40 ms of a large plant */
#define POINTS_MOST 1000

static struct bench {
	struct loop *loop;
	struct task **due; /* started and not yet told */
	size_t due_count;
	bool together;
	uint64_t count;    /* that the counters say */
	double *spent;     /* ns a value, of each turn */
	size_t turns;
} bench;

/* ---- the driver ---- */

static void *
open_work(void *state, struct task *task)
{
	(void)state;
	return task;
}

static void
start(void *work, bool cautious)
{
	(void)cautious;
	bench.due[bench.due_count++] = work;
}

static void
nothing(void *work)
{
	(void)work;
}

static const struct driver driver = { .name = "bench", .open = open_work, .close = nothing,
	.start = start, .cancel = nothing };

static void
tell(struct task *task)
{
	static struct readings readings = { .row = TASK_SCALAR };
	size_t count = task_group(task)->point_count;
	struct reading reading = { .row = TASK_SCALAR, .reason = REASON_GOOD, .bits = 64,
		.received = loop_mono(bench.loop) };

	task_exchange(task, true, LOOP_MS);
	for (size_t i = 0; i < count; i++) {
		reading.point = (uint32_t)i;
		reading.raw = bench.count + i;
		if (bench.together)
			readings_put(&readings, task, &reading);
		else
			task_reading(task, &reading);
	}
	readings_tell(&readings, task);
	task_done(task, REASON_GOOD);
}

static int64_t
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * LOOP_S + t.tv_nsec;
}

void tell_all(void);

void
tell_all(void)
{
	int64_t before = cpu();
	size_t count = bench.due_count;

	for (size_t i = 0; i < bench.due_count; i++)
		tell(bench.due[i]);
	bench.due_count = 0;
	if (count > 0)
		bench.spent[bench.turns++] = (double)(cpu() - before) / (double)count;
}

/* ---- the plant ---- */

static const struct device_about about = { .protocol = "bench", .place = "", .owner = "",
	.asset = "", .text = "", .profile = "standard", .interval = INTERVAL };

static void
make_plant(struct inventory *inventory, size_t device_count, size_t point_count)
{
	struct device *devices = mem_array(device_count, sizeof *devices);
	struct group *groups = mem_array(device_count, sizeof *groups);
	struct point *points = mem_array(point_count, sizeof *points);

	for (size_t i = 0; i < point_count; i++)
		points[i] = (struct point){ .name = mem_format("counter_%zu", i), .unit = "1/s",
			.text = "", .kind = POINT_COUNTER, .scale = 1 };
	for (size_t i = 0; i < device_count; i++) {
		groups[i] = (struct group){ .name = "points", .interval = INTERVAL, .suffix = "",
			.profile = "standard", .driver = &driver, .points = points,
			.point_count = point_count };
		devices[i] = (struct device){ .name = mem_format("sw-%zu", i),
			.address = "10.0.0.1", .about = &about, .groups = &groups[i], .group_count = 1 };
	}
	*inventory = (struct inventory){ .devices = devices, .device_count = device_count,
		.references = 1 };
}

static size_t
number(char *const *argv, int argc, int at, size_t usual)
{
	return argc > at ? strtoul(argv[at], NULL, 10) : usual;
}

static int
by_size(const void *a, const void *b)
{
	const double *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

int
main(int argc, char **argv)
{
	size_t devices = number(argv, argc, 2, 10000), points = number(argv, argc, 3, 30);
	size_t polls = number(argv, argc, 4, 20);
	struct inventory inventory;
	struct fail why;

	if (argc < 2 || points > POINTS_MOST) {
		fprintf(stderr, "usage: values FOLDER [DEVICES [POINTS [POLLS [together]]]]\n");
		return 2;
	}
	bench.together = argc > 5;
	bench.spent = mem_array((polls + 2) * TURNS, sizeof *bench.spent);
	bench.due = mem_array(devices, sizeof(struct task *));
	log_open(LOG_TARGET_NONE, "");
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	bench.loop = loop_new(&why);
	make_plant(&inventory, devices, points);
	wired_poller(bench.loop, argv[1], argv[1], &inventory, &driver, &bench);
	for (size_t turn = 0; turn < (polls + 2) * TURNS; turn++) {
		loop_sim_for(bench.loop, INTERVAL / TURNS);
		bench.count += 100;
		if (turn == 2 * TURNS)
			bench.turns = 0;
		tell_all();
	}
	qsort(bench.spent, bench.turns, sizeof *bench.spent, by_size);
	printf("ns_per_value %.1f, lower quarter %.1f\n",
		bench.spent[bench.turns / 2] / (double)points,
		bench.spent[bench.turns / 4] / (double)points);
	return 0;
}

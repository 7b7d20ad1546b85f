/* lines - what the Modbus driver costs alone: sockets, requests, answers, decoded values; no
 * rates, no files.
 *
 *   lines --base ADDRESS --port P --servers N --regs R --interval MS --seconds T
 *
 * Asks the same as tcp_limit.c, R holding registers of N servers, but as the poller does: by
 * the driver, on the real loop, each register a point of its own. Once in each interval, the
 * servers spread over its ticks; interval 0: flat out, every server is polled again as soon as
 * its poll has ended. Prints
 *   exchanges N / exchanges_per_s X / cpu_s_per_100k X / values N / lost N / worst_late_ms X */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/sample.h"
#include "modbus/modbus.h"

/* Before it is counted: the lines are connected then. */
#define WARM_UP (2 * LOOP_S)

struct bench;
struct task {
	struct bench *bench;
	struct device device;
	struct modbus_options options;
	struct group group;
	struct loop_timer timer;
	int64_t due;
	void *state, *work;
	bool busy;
};
struct bench {
	struct loop *loop;
	struct modbus *modbus;
	struct task *tasks;
	struct point *points;
	struct modbus_point *wires;
	struct net_addr base;
	size_t servers, regs;
	int64_t interval, seconds, late;
	bool counting;
	uint64_t exchanges, values, lost;
	double cpu_before;
	struct loop_timer begin, over;
};

/* ---- what the driver calls ---- */

const struct device *
task_device(const struct task *task)
{
	return &task->device;
}

const struct group *
task_group(const struct task *task)
{
	return &task->group;
}

struct loop *
task_loop(const struct task *task)
{
	return task->bench->loop;
}

uint32_t
task_row(struct task *task, const char *key)
{
	(void)task, (void)key;
	return 0;
}

void
task_reading(struct task *task, const struct reading *reading)
{
	if (reading->reason == REASON_GOOD)
		task->bench->values += task->bench->counting;
	else
		task->bench->lost += task->bench->counting;
}

static void
start(struct task *task)
{
	struct bench *bench = task->bench;
	int64_t late = loop_mono(bench->loop) - task->due;

	if (bench->counting && bench->interval > 0 && late > bench->late)
		bench->late = late;
	task->busy = true;
	modbus_driver.start(task->work, false);
}

static void
timer_ran(void *arg)
{
	struct task *task = arg;

	if (!task->busy)
		start(task);
	else if (task->bench->counting)
		task->bench->lost++;
	if (task->bench->interval > 0) {
		task->due += task->bench->interval;
		loop_timer_at(task->bench->loop, &task->timer, task->due);
	}
}

void
task_done(struct task *task, uint8_t rest)
{
	struct bench *bench = task->bench;

	(void)rest;
	task->busy = false;
	/* The line sends when all that came has been looked at, so this is no recursion. */
	if (bench->interval == 0)
		start(task);
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	(void)rtt;
	if (device_answered)
		task->bench->exchanges += task->bench->counting;
	else
		task->bench->lost += task->bench->counting;
}

void
task_error(struct task *task, const char *format, ...)
{
	(void)task, (void)format;
}

void
task_info(struct task *task, uint32_t row, const char *name, const char *text)
{
	(void)task, (void)row, (void)name, (void)text;
}

/* ---- the servers ---- */

static void
make_points(struct bench *bench)
{
	bench->points = mem_array(bench->regs, sizeof *bench->points);
	bench->wires = mem_array(bench->regs, sizeof *bench->wires);
	for (size_t i = 0; i < bench->regs; i++) {
		bench->wires[i] = (struct modbus_point){ .function = ADU_HOLDING_REGISTERS,
			.pdu = (uint16_t)i, .bits = 16,
			.spec = { .type = REGS_U16 } };
		bench->points[i] = (struct point){ .name = "tag", .unit = "", .text = "",
			.kind = POINT_GAUGE, .scale = 0.1, .wire = &bench->wires[i] };
	}
}

static int
open_task(struct bench *bench, size_t i, struct fail *why)
{
	struct task *task = &bench->tasks[i];
	int64_t phase = bench->interval * (int64_t)i / (int64_t)bench->servers;
	uint32_t host;

	*task = (struct task){ .bench = bench,
		.options = { .line = "", .address = bench->base, .unit_id = 1,
			.timeout = LOOP_S, .connect_timeout = 3 * LOOP_S },
		.group = { .name = "points", .suffix = "", .profile = "short",
			.interval = bench->interval > 0 ? bench->interval : 60 * LOOP_S,
			.points = bench->points, .point_count = bench->regs } };
	memcpy(&host, bench->base.bytes, 4);
	host = __builtin_bswap32(__builtin_bswap32(host) + (uint32_t)i);
	memcpy(task->options.address.bytes, &host, 4);
	task->device = (struct device){ .name = "plc", .address = "", .modbus = &task->options,
		.interval = task->group.interval, .groups = &task->group, .group_count = 1 };
	task->state = modbus_driver.attach(bench->modbus, &task->device, why);
	if (task->state == NULL)
		return -1;
	task->work = modbus_driver.open(task->state, task);
	task->due = (loop_mono(bench->loop) + phase) / LOOP_TICK * LOOP_TICK + LOOP_TICK;
	loop_timer_init(&task->timer, timer_ran, task);
	loop_timer_at(bench->loop, &task->timer, task->due);
	return 0;
}

/* ---- the run ---- */

static double
cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
begin(void *arg)
{
	struct bench *bench = arg;

	bench->counting = true;
	bench->cpu_before = cpu_s();
}

static void
over(void *arg)
{
	struct bench *bench = arg;
	double cpu = cpu_s() - bench->cpu_before;

	printf("exchanges %llu\nexchanges_per_s %.0f\ncpu_s_per_100k %.3f\nvalues %llu\n"
	       "lost %llu\nworst_late_ms %.1f\n", (unsigned long long)bench->exchanges,
		(double)bench->exchanges / (double)bench->seconds,
		bench->exchanges > 0 ? cpu * 1e5 / (double)bench->exchanges : 0,
		(unsigned long long)bench->values, (unsigned long long)bench->lost,
		(double)bench->late / 1e6);
	loop_stop(bench->loop);
}

static int
read_options(struct bench *bench, int argc, char **argv)
{
	struct fail why;

	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];

		if (strcmp(argv[i], "--base") == 0) {
			uint16_t port = bench->base.port;

			if (net_addr_parse(value, port, &bench->base, &why) == -1)
				return -1;
		} else if (strcmp(argv[i], "--port") == 0)
			bench->base.port = (uint16_t)atoi(value);
		else if (strcmp(argv[i], "--servers") == 0)
			bench->servers = (size_t)atoi(value);
		else if (strcmp(argv[i], "--regs") == 0)
			bench->regs = (size_t)atoi(value);
		else if (strcmp(argv[i], "--interval") == 0)
			bench->interval = atoll(value) * LOOP_MS;
		else if (strcmp(argv[i], "--seconds") == 0)
			bench->seconds = atoll(value);
		else
			return -1;
	}
	return bench->base.family == 4 && bench->base.port != 0 && bench->servers > 0 &&
		bench->regs > 0 && bench->regs <= ADU_MAX_REGS && bench->seconds > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct bench bench = { .loop = NULL };
	struct rlimit files;
	int64_t warm;
	struct fail why;

	if (read_options(&bench, argc, argv) == -1) {
		fprintf(stderr, "usage: lines --base ADDRESS --port P --servers N --regs R "
			"--interval MS --seconds T\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_points(&bench);
	bench.loop = loop_new(&why);
	bench.modbus = modbus_new(bench.loop);
	bench.tasks = mem_array(bench.servers, sizeof *bench.tasks);
	for (size_t i = 0; i < bench.servers; i++)
		if (open_task(&bench, i, &why) == -1) {
			fprintf(stderr, "lines: %s\n", why.text);
			return 2;
		}
	warm = bench.interval + WARM_UP;
	loop_timer_init(&bench.begin, begin, &bench);
	loop_timer_in(bench.loop, &bench.begin, warm);
	loop_timer_init(&bench.over, over, &bench);
	loop_timer_in(bench.loop, &bench.over, warm + bench.seconds * LOOP_S);
	loop_run(bench.loop);
	return bench.exchanges > 0 ? 0 : 1;
}

/* lines - what the Modbus driver costs alone: sockets, requests, answers, decoded values; no
 * rates, no files. And what hostile servers do to the others.
 *
 *   lines --base ADDRESS --port P --servers N --regs R --interval MS --seconds T
 *         [--timeout MS] [--hostile H] [--fds-from F]
 *
 * Asks the same as tcp_limit.c, R holding registers of N servers, but as the poller does: by
 * the driver, on the real loop, each register a point of its own. Once in each interval, the
 * servers spread over its ticks; interval 0: flat out, every server is polled again as soon as
 * its poll has ended. Of the last H servers nothing is expected. --fds-from: the connections
 * get no lower file descriptors. Prints
 *   exchanges N / exchanges_per_s X / cpu_s_per_100k X / values N
 *   lost N            good servers: values without a good answer, polls that were not done
 *                     when the next was due
 *   worst_late_ms X   of starts of polls; as all times that of the loop
 *   worst_answer_ms X from when a poll of a good server was due until it was done
 *   hostile_lost N    and what was not to be had of the others
 *   stall_ms X        with --hostile: the longest that a timer of 10 ms had to wait for its turn, less what
 *                     this thread waited for a processor meanwhile (/proc/PID/schedstat)
 *   waited_ms X       the longest wait for its turn, with that */
#include <fcntl.h>
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
#include "meter.h"

/* Before it is counted: the lines are connected then. */
#define WARM_UP LOOP_S

struct bench;
struct task {
	struct bench *bench;
	struct device_about about;
	struct device device;
	struct modbus_options options;
	struct group group;
	struct loop_timer timer;
	int64_t due;
	void *state, *work;
	bool busy, hostile;
};
struct bench {
	struct loop *loop;
	struct modbus *modbus;
	struct task *tasks;
	struct point *points;
	struct modbus_point *wires;
	struct net_addr base;
	size_t servers, regs, hostile;
	int64_t interval, timeout, seconds, late, answer;
	int fds_from;
	bool counting;
	uint64_t exchanges, values, lost, hostile_lost;
	struct loop_timer heart; /* each tick */
	int64_t beat, queued;    /* when it is due; run-queue time at the former one */
	int64_t stall, waited;
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

static void
lose(struct task *task)
{
	if (task->hostile)
		task->bench->hostile_lost += task->bench->counting;
	else
		task->bench->lost += task->bench->counting;
}

void
task_reading(struct task *task, const struct reading *reading)
{
	if (reading->reason == REASON_GOOD)
		task->bench->values += task->bench->counting;
	else
		lose(task);
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
	else
		lose(task);
	if (task->bench->interval > 0) {
		task->due += task->bench->interval;
		loop_timer_at(task->bench->loop, &task->timer, task->due);
	}
}

void
task_done(struct task *task, uint8_t rest)
{
	struct bench *bench = task->bench;
	/* due stands for the next poll already */
	int64_t took = loop_mono(bench->loop) - (task->due - bench->interval);

	if (rest == REASON_TIMEOUT || rest == REASON_UNREACHABLE)
		lose(task);
	if (bench->counting && bench->interval > 0 && !task->hostile && took > bench->answer)
		bench->answer = took;
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
		lose(task);
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	(void)task, (void)reason;
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

	*task = (struct task){ .bench = bench, .hostile = i + bench->hostile >= bench->servers,
		.options = { .line = "", .address = bench->base, .unit_id = 1,
			.timeout = bench->timeout, .connect_timeout = 3 * LOOP_S },
		.group = { .name = "points", .suffix = "", .profile = "short",
			.interval = bench->interval > 0 ? bench->interval : 60 * LOOP_S,
			.points = bench->points, .point_count = bench->regs } };
	memcpy(&host, bench->base.bytes, 4);
	host = __builtin_bswap32(__builtin_bswap32(host) + (uint32_t)i);
	memcpy(task->options.address.bytes, &host, 4);
	task->about.interval = task->group.interval;
	task->device = (struct device){ .name = "plc", .address = "", .about = &task->about,
		.ways = DEVICE_MODBUS, .options = &task->options, .groups = &task->group, .group_count = 1 };
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

/* How long this thread has been ready to run without a processor, ns; 0 where the kernel does
 * not say. */
static int64_t
queued_ns(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	unsigned long long ran, queued = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu %llu", &ran, &queued) != 2)
		queued = 0;
	fclose(file);
	return (int64_t)queued;
}

static void
beat(void *arg)
{
	struct bench *bench = arg;
	int64_t now = loop_mono(bench->loop), late = now - bench->beat, queued = queued_ns();
	int64_t own = late - (queued - bench->queued);

	if (bench->counting && own > bench->stall)
		bench->stall = own;
	if (bench->counting && late > bench->waited)
		bench->waited = late;
	bench->queued = queued;
	bench->beat = now / LOOP_TICK * LOOP_TICK + LOOP_TICK;
	loop_timer_at(bench->loop, &bench->heart, bench->beat);
}

static void
begin(void *arg)
{
	struct bench *bench = arg;

	bench->counting = true;
	bench->cpu_before = meter_cpu();
}

static void
over(void *arg)
{
	struct bench *bench = arg;
	double cpu = meter_cpu() - bench->cpu_before;

	printf("exchanges %llu\nexchanges_per_s %.0f\ncpu_s_per_100k %.3f\nvalues %llu\n"
	       "lost %llu\nworst_late_ms %.1f\nworst_answer_ms %.1f\nhostile_lost %llu\n"
	       "stall_ms %.1f\nwaited_ms %.1f\n", (unsigned long long)bench->exchanges,
		(double)bench->exchanges / (double)bench->seconds,
		bench->exchanges > 0 ? cpu * 1e5 / (double)bench->exchanges : 0,
		(unsigned long long)bench->values, (unsigned long long)bench->lost,
		(double)bench->late / 1e6, (double)bench->answer / 1e6,
		(unsigned long long)bench->hostile_lost, (double)bench->stall / 1e6,
		(double)bench->waited / 1e6);
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
		else if (strcmp(argv[i], "--timeout") == 0)
			bench->timeout = atoll(value) * LOOP_MS;
		else if (strcmp(argv[i], "--hostile") == 0)
			bench->hostile = (size_t)atoi(value);
		else if (strcmp(argv[i], "--fds-from") == 0)
			bench->fds_from = atoi(value);
		else
			return -1;
	}
	return bench->base.family == 4 && bench->base.port != 0 && bench->servers > 0 &&
		bench->regs > 0 && bench->regs <= ADU_MAX_REGS && bench->seconds > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct bench bench = { .timeout = LOOP_S };
	struct rlimit files;
	int64_t warm;
	int taken = 0;
	struct fail why;

	if (read_options(&bench, argc, argv) == -1) {
		fprintf(stderr, "usage: lines --base ADDRESS --port P --servers N --regs R "
			"--interval MS --seconds T [--timeout MS] [--hostile H] [--fds-from F]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	while (taken + 1 < bench.fds_from && taken != -1)
		taken = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (taken == -1) {
		perror("lines: --fds-from");
		return 2;
	}
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
	loop_timer_init(&bench.heart, beat, &bench);
	bench.beat = loop_mono(bench.loop) + LOOP_TICK;
	if (bench.hostile > 0) /* it costs something */
		loop_timer_at(bench.loop, &bench.heart, bench.beat);
	loop_timer_init(&bench.over, over, &bench);
	loop_timer_in(bench.loop, &bench.over, warm + bench.seconds * LOOP_S);
	loop_run(bench.loop);
	for (size_t i = 0; i < bench.servers; i++) {
		modbus_driver.close(bench.tasks[i].work);
		modbus_driver.detach(bench.tasks[i].state);
	}
	modbus_end(bench.modbus);
	loop_free(bench.loop);
	free(bench.tasks);
	free(bench.points);
	free(bench.wires);
	return bench.exchanges > 0 ? 0 : 1;
}

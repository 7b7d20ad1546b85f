/* engine - what the SNMP driver costs alone: sockets, requests, answers, tables, joins; no
 * rates, no files.
 *
 *   engine --base ADDRESS --port P --agents N --ifs M --interval MS --seconds T [--netsnmp 1]
 *
 * Asks the same as udp_limit.c, ten counters of M interfaces of N agents by GETBULK, but as
 * the poller does: by the driver, on the real loop, rows named by ifName. Once in each
 * interval, the agents spread evenly over it; interval 0: flat out, every agent is polled
 * again as soon as its poll has ended. Prints
 *   values N / requests N / cpu_us_per_value X / values_per_s X / worst_late_ms X */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/sample.h"
#include "snmp/snmp.h"
#include "meter.h"

/* Polls before it is counted: tables are known then. */
#define WARM_UP (2 * LOOP_S)

struct bench;
struct task {
	struct bench *bench;
	struct device device;
	struct snmp_options options;
	struct snmp_access access;
	struct group group;
	struct loop_timer timer;
	int64_t due;
	void *state, *work;
	uint32_t rows;
	bool busy;
};
struct bench {
	struct loop *loop;
	struct snmp *snmp;
	struct task *tasks;
	struct net_addr base;
	size_t agents, ifs;
	int64_t interval, seconds, end, late;
	bool netsnmp, counting;
	uint64_t values, lost, requests_before;
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

void *
task_state(const struct task *task)
{
	return task->state;
}

uint32_t
task_row(struct task *task, const char *key)
{
	(void)key; /* told once in a poll */
	return task->rows++;
}

void
task_row_again(struct task *task, uint32_t number)
{
	(void)task, (void)number;
}

void
task_row_end(struct task *task, const char *key)
{
	(void)task;
	(void)key;
}

void
task_forget(struct task *task, uint32_t row, uint32_t point)
{
	(void)task, (void)row, (void)point;
}

void
task_reading(struct task *task, const struct reading *reading)
{
	if (reading->reason == REASON_GOOD)
		task->bench->values += task->bench->counting;
	else
		task->bench->lost += task->bench->counting;
}

void
task_readings(struct task *task, const struct readings *readings)
{
	struct bench *bench = task->bench;

	for (uint32_t i = 0; i < readings->count && bench->counting; i++)
		if (readings->items[i].mark.reason == REASON_GOOD)
			bench->values++;
		else
			bench->lost++;
}

static void
start(struct task *task)
{
	struct bench *bench = task->bench;
	int64_t late = loop_mono(bench->loop) - task->due;

	if (bench->counting && bench->interval > 0 && late > bench->late)
		bench->late = late;
	task->busy = true;
	task->rows = 0;
	snmp_driver.start(task->work, false);
}

static void
timer_ran(void *arg)
{
	struct task *task = arg;
	int64_t next = task->due + task->bench->interval;

	if (!task->busy)
		start(task);
	if (task->bench->interval > 0) {
		task->due = next;
		loop_timer_at(task->bench->loop, &task->timer, next);
	}
}

void
task_done(struct task *task, uint8_t rest)
{
	struct bench *bench = task->bench;

	if (rest != REASON_NO_SUCH_ROW && bench->counting)
		bench->lost++;
	task->busy = false;
	if (bench->interval == 0)
		loop_timer_in(bench->loop, &task->timer, 0);
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	(void)task, (void)device_answered, (void)rtt;
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	(void)task, (void)reason;
}

void
task_ahead(const struct task *task, unsigned step)
{
	(void)task, (void)step;
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

/* ---- the devices ---- */

static int
open_task(struct bench *bench, size_t i, struct fail *why)
{
	struct task *task = &bench->tasks[i];

	*task = (struct task){ .bench = bench,
		.options = { agents_address(&bench->base, i), &task->access },
		.access = { .version = 2, .community = "public", .timeout = LOOP_S, .retries = 1,
			.netsnmp = bench->netsnmp },
		.group = { .name = "if", .table = "if", .suffix = "", .profile = "",
			.interval = bench->interval > 0 ? bench->interval : 60 * LOOP_S,
			.points = agents_points(), .point_count = AGENTS_COLUMNS,
			.wire = &agents_table,
			.retire = 86400 * LOOP_S } };
	task->device = (struct device){ .name = "agent", .address = "", .ways = DEVICE_SNMP,
		.options = &task->options, .groups = &task->group, .group_count = 1 };
	task->state = snmp_driver.attach(bench->snmp, &task->device, why);
	if (task->state == NULL)
		return -1;
	task->work = snmp_driver.open(task->state, task);
	task->due = loop_mono(bench->loop) + LOOP_TICK +
		(bench->interval > 0 ? bench->interval : LOOP_S / 2) * (int64_t)i /
		(int64_t)bench->agents;
	loop_timer_init(&task->timer, timer_ran, task);
	loop_timer_at(bench->loop, &task->timer, task->due);
	return 0;
}

/* ---- the run ---- */

static void
begin(void *arg)
{
	struct bench *bench = arg;

	bench->counting = true;
	bench->requests_before = snmp_counters(bench->snmp).sent;
	bench->cpu_before = meter_cpu();
}

static void
over(void *arg)
{
	struct bench *bench = arg;
	double cpu = (meter_cpu() - bench->cpu_before) * 1e6;
	struct snmp_counters counters = snmp_counters(bench->snmp);

	printf("values %llu\nrequests %llu\ncpu_us_per_value %.3f\nvalues_per_s %.0f\n"
	       "worst_late_ms %.1f\nlost %llu\n", (unsigned long long)bench->values,
		(unsigned long long)(counters.sent - bench->requests_before),
		bench->values > 0 ? cpu / (double)bench->values : 0,
		(double)bench->values / (double)bench->seconds, (double)bench->late / 1e6,
		(unsigned long long)bench->lost);
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
		else if (strcmp(argv[i], "--agents") == 0)
			bench->agents = (size_t)atoi(value);
		else if (strcmp(argv[i], "--ifs") == 0)
			bench->ifs = (size_t)atoi(value);
		else if (strcmp(argv[i], "--interval") == 0)
			bench->interval = atoll(value) * LOOP_MS;
		else if (strcmp(argv[i], "--seconds") == 0)
			bench->seconds = atoll(value);
		else if (strcmp(argv[i], "--netsnmp") == 0)
			bench->netsnmp = atoi(value) != 0;
		else
			return -1;
	}
	return bench->base.family == 4 && bench->base.port != 0 && bench->agents > 0 &&
		bench->ifs > 0 && bench->seconds > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct bench bench = { .loop = NULL };
	int64_t warm;
	struct fail why;

	if (read_options(&bench, argc, argv) == -1) {
		fprintf(stderr, "usage: engine --base ADDRESS --port P --agents N --ifs M "
			"--interval MS --seconds T [--netsnmp 1]\n");
		return 2;
	}
	bench.loop = loop_new(&why);
	bench.snmp = snmp_new(bench.loop, NULL, &why);
	bench.tasks = mem_array(bench.agents, sizeof *bench.tasks);
	for (size_t i = 0; i < bench.agents; i++)
		if (open_task(&bench, i, &why) == -1) {
			fprintf(stderr, "engine: %s\n", why.text);
			return 2;
		}
	warm = bench.interval + WARM_UP;
	loop_timer_init(&bench.begin, begin, &bench);
	loop_timer_in(bench.loop, &bench.begin, warm);
	loop_timer_init(&bench.over, over, &bench);
	loop_timer_in(bench.loop, &bench.over, warm + bench.seconds * LOOP_S);
	loop_run(bench.loop);
	return bench.values > 0 ? 0 : 1;
}

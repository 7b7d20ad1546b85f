/* whole - what the whole poller costs flat out: driver, rates, newest values, journal with its
 * commits, paths and alarms; what reads the journal is the store's, not the poller's.
 *
 *   whole --base ADDRESS --port P --agents N --ifs M --seconds T --state DIR --run DIR
 *         [--netsnmp 1]
 *
 * Asks the same as udp_limit.c and engine.c flat out, ten counters of M interfaces of N agents
 * by GETBULK, on the real loop and the real sockets, with the poller wired as poller_main.c has
 * it (wired.h). An agent is polled again as soon as its poll has ended. As a series has one
 * value for each slot of its interval, a minute, wall time is led to the next one whenever all
 * agents have been asked for the newest: a few ms later. The clock that orders what happens here,
 * and that counts a commit each 100 ms, is left as it is; so are rates, which are over the time
 * that really passed. Processor time is that of all threads, those that sync the journal among
 * them. Values that are no good ones are counted as lost: there should be none. Prints
 *   values N / requests N / cpu_us_per_value X / values_per_s X / lost N
 * Values are those of the table; up, rtt and loss of each poll are not counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/poller.h"
#include "core/task.h"
#include "meter.h"
#include "wired.h"

/* Polls before it is counted: tables are known then. */
#define WARM_UP (2 * LOOP_S)
#define INTERVAL (60 * LOOP_S)
/* Wall time is led away from the system's clock at once, so far that nobody follows that. */
#define AHEAD (3650 * 86400 * LOOP_S)

static struct bench {
	struct loop *loop;
	struct snmp *snmp;
	struct poller *poller;
	struct driver driver;   /* snmp_driver, but for who is told that a poll begins */
	struct task **ready;    /* those that wait for the next slot */
	size_t ready_count;
	size_t started;         /* that were asked for the newest slot */
	int64_t slot;           /* the newest one */
	struct net_addr base;
	size_t agents, ifs;
	int64_t seconds;
	const char *state_dir, *run_dir;
	struct loop_timer begin, over;
	struct poller_counters before;
	uint64_t requests_before;
	double cpu_before;
} bench;

/* ---- the next poll ---- */

/* The slot that wall time is in has come for all. */
static void
next_slot(void)
{
	loop_clock_anchor(bench.loop, ++bench.slot * INTERVAL + LOOP_TICK);
	bench.started = 0;
	for (size_t i = 0; i < bench.ready_count; i++)
		loop_timer_in(bench.loop, &bench.ready[i]->timer, 0);
	bench.ready_count = 0;
}

static void
start(void *work, bool cautious)
{
	snmp_driver.start(work, cautious);
	if (++bench.started == bench.agents && bench.ready_count > 0)
		next_slot();
}

/* The linker puts this in the place of what the driver calls. */
void __real_task_done(struct task *task, uint8_t rest);
void __wrap_task_done(struct task *task, uint8_t rest);

void
__wrap_task_done(struct task *task, uint8_t rest)
{
	__real_task_done(task, rest);
	if (task->slot < bench.slot) {
		loop_timer_in(bench.loop, &task->timer, 0);
		return;
	}
	bench.ready[bench.ready_count++] = task;
	if (bench.started == bench.agents)
		next_slot();
}

/* ---- the devices ---- */

static const struct device_about about = { .protocol = "snmp", .place = "", .owner = "",
	.asset = "", .text = "", .profile = "standard", .interval = INTERVAL };
static struct snmp_access access_of_all = { .version = 2, .community = "public",
	.timeout = LOOP_S, .retries = 1 };

static void
make_plant(struct inventory *inventory)
{
	struct device *devices = mem_array(bench.agents, sizeof *devices);
	struct group *groups = mem_array(bench.agents, sizeof *groups);
	struct snmp_options *options = mem_array(bench.agents, sizeof *options);

	bench.driver = snmp_driver;
	bench.driver.start = start;
	for (size_t i = 0; i < bench.agents; i++) {
		options[i] = (struct snmp_options){ agents_address(&bench.base, i),
			&access_of_all };
		groups[i] = (struct group){ .name = "if", .table = "if", .suffix = "",
			.profile = "standard", .interval = INTERVAL, .align = true,
			.driver = &bench.driver, .points = agents_points(),
			.point_count = AGENTS_COLUMNS, .wire = &agents_table,
			.retire = 86400 * LOOP_S };
		devices[i] = (struct device){ .name = mem_format("sw-%zu", i), .address = "",
			.about = &about, .ways = DEVICE_SNMP,
			.options = &options[i], .groups = &groups[i], .group_count = 1 };
	}
	*inventory = (struct inventory){ .devices = devices, .device_count = bench.agents,
		.references = 1 };
}

/* All agents wait for the next slot from the start. */
static void
begin_polling(void)
{
	for (size_t i = 0; i < bench.agents; i++)
		bench.ready[bench.ready_count++] = &bench.poller->units[i]->tasks[0];
	next_slot();
}

/* ---- the run ---- */

static void
begin(void *arg)
{
	(void)arg;
	bench.before = poller_counters(bench.poller);
	bench.requests_before = snmp_counters(bench.snmp).sent;
	bench.cpu_before = meter_cpu();
}

static void
over(void *arg)
{
	struct poller_counters now = poller_counters(bench.poller);
	double cpu = (meter_cpu() - bench.cpu_before) * 1e6;
	/* Each poll closes up, rtt and loss as well. */
	uint64_t values = now.samples - bench.before.samples -
		3 * (now.finished - bench.before.finished);

	(void)arg;
	printf("values %llu\nrequests %llu\ncpu_us_per_value %.3f\nvalues_per_s %.0f\nlost %llu\n",
		(unsigned long long)values,
		(unsigned long long)(snmp_counters(bench.snmp).sent - bench.requests_before),
		values > 0 ? cpu / (double)values : 0, (double)values / (double)bench.seconds,
		(unsigned long long)(wired_lost() + now.overruns));
	loop_stop(bench.loop);
}

static int
read_options(int argc, char **argv)
{
	struct fail why;

	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];

		if (strcmp(argv[i], "--base") == 0) {
			uint16_t port = bench.base.port;

			if (net_addr_parse(value, port, &bench.base, &why) == -1)
				return -1;
		} else if (strcmp(argv[i], "--port") == 0)
			bench.base.port = (uint16_t)atoi(value);
		else if (strcmp(argv[i], "--agents") == 0)
			bench.agents = (size_t)atoi(value);
		else if (strcmp(argv[i], "--ifs") == 0)
			bench.ifs = (size_t)atoi(value);
		else if (strcmp(argv[i], "--seconds") == 0)
			bench.seconds = atoll(value);
		else if (strcmp(argv[i], "--state") == 0)
			bench.state_dir = value;
		else if (strcmp(argv[i], "--run") == 0)
			bench.run_dir = value;
		else if (strcmp(argv[i], "--netsnmp") == 0)
			access_of_all.netsnmp = atoi(value) != 0;
		else
			return -1;
	}
	return bench.base.family == 4 && bench.base.port != 0 && bench.agents > 0 &&
		bench.ifs > 0 && bench.seconds > 0 && bench.state_dir != NULL &&
		bench.run_dir != NULL ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct inventory inventory;
	struct fail why;

	if (read_options(argc, argv) == -1) {
		fprintf(stderr, "usage: whole --base ADDRESS --port P --agents N --ifs M "
			"--seconds T --state DIR --run DIR [--netsnmp 1]\n");
		return 2;
	}
	log_open(LOG_TARGET_NONE, "");
	bench.loop = loop_new(&why);
	bench.slot = (loop_wall(bench.loop) + AHEAD) / INTERVAL;
	loop_clock_anchor(bench.loop, bench.slot * INTERVAL + LOOP_TICK);
	bench.snmp = snmp_new(bench.loop, bench.state_dir, &why);
	if (bench.snmp == NULL) {
		fprintf(stderr, "whole: %s\n", why.text);
		return 2;
	}
	bench.ready = mem_array(bench.agents, sizeof(struct task *));
	make_plant(&inventory);
	bench.poller = wired_poller(bench.loop, bench.state_dir, bench.run_dir, &inventory,
		&bench.driver, bench.snmp);
	begin_polling();
	loop_timer_init(&bench.begin, begin, NULL);
	loop_timer_in(bench.loop, &bench.begin, WARM_UP);
	loop_timer_init(&bench.over, over, NULL);
	loop_timer_in(bench.loop, &bench.over, WARM_UP + bench.seconds * LOOP_S);
	loop_run(bench.loop);
	return 0;
}

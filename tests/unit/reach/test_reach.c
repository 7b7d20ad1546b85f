#include "reach/reach.h"

#include <errno.h>
#include <stdio.h>

#include "../../fake/loop_sim.h"
#include "../../fake/net_sim.h"
#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/self.h"

/* ---- what core/poller does for a driver ---- */

struct task {
	const struct group *group;
	unsigned done, exchanges, answered;
	uint8_t rest;
	int64_t rtt;
	char error[200];
};

static struct loop *loop;
static struct reach *reach;
static struct net_addr host;
static struct reach_options options;
static struct device device;
static struct group group;
static struct task task;
static void *state, *work;

const struct group *
task_group(const struct task *self)
{
	return self->group;
}

void
task_exchange(struct task *self, bool device_answered, int64_t rtt)
{
	CHECK_INT(self->done, 0);
	self->exchanges++;
	self->answered += device_answered;
	self->rtt = rtt;
}

void
task_done(struct task *self, uint8_t rest)
{
	self->done++;
	self->rest = rest;
}

void
task_error(struct task *self, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(self->error, sizeof(self->error), format, list);
	va_end(list);
}

static void
begin(bool with_icmp)
{
	struct fail why;

	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	reach = reach_new(loop, with_icmp ? 7 : -1, -1);
	CHECK(net_addr_parse("10.1.0.9", 0, &host, &why) == 0);
	options = (struct reach_options){ .address = host, .timeout = LOOP_S };
	group = (struct group){ .name = "reach", .interval = 10 * LOOP_S };
	device = (struct device){ .name = "mes-db", .ways = DEVICE_REACH, .options = &options };
	task = (struct task){ .group = &group };
}

static void
open_task(void)
{
	struct fail why;

	state = reach_driver.attach(reach, &device, &why);
	CHECK(state != NULL);
	work = reach_driver.open(state, &task);
}

static void
finish(void)
{
	reach_driver.close(work);
	reach_driver.detach(state);
	reach_free(reach);
	loop_free(loop);
	net_sim_reset();
}

static void
poll(bool cautious)
{
	task = (struct task){ .group = &group };
	reach_driver.start(work, cautious);
	CHECK_INT(task.done, 0);
	loop_sim_for(loop, group.interval);
	CHECK_INT(task.done, 1);
}

static void
accepts(uint16_t port, unsigned *accepted)
{
	static const struct net_sim_server nothing = { NULL, NULL, NULL };
	struct net_addr at = host;

	at.port = port;
	net_sim_tcp(&at, &nothing, accepted);
}

static void
measures_the_round_trip_of_a_ping(void)
{
	begin(true);
	options.ping = true;
	net_sim_ping(&host, 100 * LOOP_MS);
	open_task();
	for (int i = 0; i < 5; i++) {
		poll(false);
		CHECK_INT(task.exchanges, 1);
		CHECK_INT(task.answered, 1);
		CHECK(task.rtt >= 100 * LOOP_MS && task.rtt <= 120 * LOOP_MS);
		CHECK_INT(task.rest, REASON_GOOD);
		CHECK_STR(task.error, "");
	}
	finish();
}

static void
asks_twice_before_it_says_no_but_a_dead_host_once(void)
{
	struct self_counts counts = { 0 };

	begin(true);
	options.ping = true;
	net_sim_ping(&host, -1);
	open_task();
	poll(false);
	CHECK_INT(task.exchanges, 2);
	CHECK_INT(task.answered, 0);
	CHECK_INT(task.rest, REASON_TIMEOUT);
	CHECK_STR(task.error, "no answer to a ping within 1s");
	poll(true);
	CHECK_INT(task.exchanges, 1);
	net_sim_ping(&host, 0);
	poll(true);
	CHECK_INT(task.answered, 1);
	reach_driver.count(state, &counts);
	CHECK_INT(counts.retries, 1);
	finish();
}

static void
does_not_run_into_the_next_poll(void)
{
	begin(true);
	options.ping = true;
	group.interval = 2 * LOOP_S;
	options.timeout = 1500 * LOOP_MS;
	net_sim_ping(&host, -1);
	open_task();
	for (int i = 0; i < 5; i++) {
		poll(false);
		CHECK_INT(task.exchanges, 1);
	}
	finish();
}

static unsigned echoes;
static int64_t last_echo, closest;

/* However fast the polls, a second lies between two echoes to one device. */
static void
sends_one_echo_a_second_at_most(void)
{
	begin(true);
	options.ping = true;
	options.timeout = 100 * LOOP_MS;
	net_sim_ping(&host, -1);
	open_task();
	echoes = 0;
	closest = INT64_MAX;
	last_echo = 0;
	for (int i = 0; i < 20; i++) {
		task = (struct task){ .group = &group };
		reach_driver.start(work, false);
		for (int ticks = 0; ticks < 1000 && task.done == 0; ticks++) {
			unsigned before = task.exchanges;

			loop_sim_for(loop, 10 * LOOP_MS);
			if (task.exchanges == before)
				continue;
			if (last_echo != 0 && loop_mono(loop) - last_echo < closest)
				closest = loop_mono(loop) - last_echo;
			last_echo = loop_mono(loop);
			echoes++;
		}
		CHECK_INT(task.done, 1);
	}
	CHECK_INT(echoes, 40);
	CHECK(closest >= LOOP_S - 10 * LOOP_MS);
	finish();
}

static void
takes_no_late_answer_for_a_new_one(void)
{
	begin(true);
	options.ping = true;
	net_sim_ping(&host, 1500 * LOOP_MS);
	open_task();
	poll(false);
	CHECK_INT(task.exchanges, 2);
	CHECK_INT(task.answered, 0);
	finish();
}

static void
says_that_pinging_is_not_possible_here(void)
{
	begin(false);
	options.ping = true;
	accepts(1433, NULL);
	open_task();
	poll(false);
	CHECK_INT(task.exchanges, 0); /* the device was not asked: that is no loss */
	CHECK_INT(task.rest, REASON_AUTH);
	CHECK_STR(task.error, "no ICMP socket for IPv4");
	finish();
}

static void
knocks_at_each_port_and_leaves(void)
{
	static const uint16_t ports[] = { 1433, 8080, 22 };
	struct net_addr at;

	begin(true);
	options.ping = true;
	options.tcp = ports;
	options.tcp_count = 3;
	net_sim_ping(&host, 0);
	accepts(1433, NULL);
	at = host;
	at.port = 8080;
	net_sim_tcp_refuse(&at);
	open_task();
	poll(false);
	CHECK_INT(task.exchanges, 4);
	CHECK_INT(task.answered, 2); /* 22 is a black hole */
	CHECK_INT(task.rest, REASON_UNREACHABLE);
	CHECK_STR(task.error, "TCP port 22: no answer within 1s");
	at.port = 1433;
	CHECK_INT(net_sim_tcp_connects(&at), 1);
	CHECK_INT(net_sim_tcp_open(&at), 0);
	at.port = 22;
	CHECK_INT(net_sim_tcp_connects(&at), 1);
	finish();
}

static void
names_the_port_that_refuses(void)
{
	static const uint16_t ports[] = { 1433 };
	struct net_addr at;

	begin(false);
	options.tcp = ports;
	options.tcp_count = 1;
	at = host;
	at.port = 1433;
	net_sim_tcp_refuse(&at);
	open_task();
	poll(false);
	CHECK_INT(task.exchanges, 1);
	CHECK_INT(task.answered, 0);
	CHECK_STR(task.error, "TCP port 1433: Connection refused");
	accepts(1433, NULL);
	poll(true);
	CHECK_INT(task.answered, 1);
	CHECK_INT(task.rest, REASON_GOOD);
	finish();
}

static void
never_touches_a_task_that_was_cancelled(void)
{
	static const uint16_t ports[] = { 1433 };

	begin(true);
	options.ping = true;
	options.tcp = ports;
	options.tcp_count = 1;
	accepts(1433, NULL);
	net_sim_ping(&host, 50 * LOOP_MS);
	open_task();
	for (int ms = 0; ms < 70; ms += 10) {
		task = (struct task){ .group = &group };
		reach_driver.start(work, false);
		loop_sim_for(loop, ms * LOOP_MS);
		reach_driver.cancel(work);
		task = (struct task){ .group = &group };
		loop_sim_for(loop, 10 * LOOP_S);
		CHECK_INT(task.done + task.exchanges, 0);
	}
	reach_driver.start(work, false); /* and closed while busy */
	finish();
}

static void
stays_away_from_the_ports_of_controllers(void)
{
	static const uint16_t ports[] = { 502 };
	struct fail why;

	CHECK(!reach_tcp_port_allowed(102) && !reach_tcp_port_allowed(502));
	CHECK(!reach_tcp_port_allowed(802) && !reach_tcp_port_allowed(44818));
	CHECK(!reach_tcp_port_allowed(0));
	CHECK(reach_tcp_port_allowed(1433) && reach_tcp_port_allowed(503));
	begin(true);
	options.tcp = ports;
	options.tcp_count = 1;
	CHECK(reach_driver.attach(reach, &device, &why) == NULL);
	CHECK_STR(why.text, "reach: TCP port 502 belongs to controllers, a connect would take one "
		"of their few slots");
	reach_free(reach);
	loop_free(loop);
	net_sim_reset();
}

RUN_TESTS(TEST(measures_the_round_trip_of_a_ping),
	TEST(asks_twice_before_it_says_no_but_a_dead_host_once),
	TEST(does_not_run_into_the_next_poll), TEST(sends_one_echo_a_second_at_most),
	TEST(takes_no_late_answer_for_a_new_one), TEST(says_that_pinging_is_not_possible_here),
	TEST(knocks_at_each_port_and_leaves), TEST(names_the_port_that_refuses),
	TEST(never_touches_a_task_that_was_cancelled),
	TEST(stays_away_from_the_ports_of_controllers))

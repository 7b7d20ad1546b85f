#include "reach/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/self.h"
#include "reach/ping.h"
#include "reach/tcp.h"

#define PING_SPACING LOOP_S /* at most one echo a second per device */

struct reach {
	struct loop *loop;
	struct ping *ping;
};

struct hop {
	struct reach *reach;
	const struct reach_options *options;
	int64_t next_ping; /* mono */
	uint32_t retried;  /* second echoes */
};

/* One poll: an echo, asked once more if it stays away, then each port in turn. */
struct work {
	struct hop *hop;
	struct task *task;
	enum { WORK_IDLE, WORK_PAUSING, WORK_PINGING, WORK_KNOCKING } state;
	unsigned tries;      /* echoes still allowed */
	size_t port;
	int64_t ends;        /* mono: no second echo that would end later */
	uint8_t verdict;     /* of the first thing that failed */
	struct ping_echo echo;
	struct tcp_knock knock;
	struct loop_timer timer;
};

static void go_on(struct work *work);

bool
reach_tcp_port_allowed(uint16_t port)
{
	/* S7, Modbus, Modbus over TLS, EtherNet/IP */
	return port != 0 && port != 102 && port != 502 && port != 802 && port != 44818;
}

struct reach *
reach_new(struct loop *loop, int icmp4, int icmp6)
{
	struct reach *reach = mem_zero(sizeof(*reach));

	reach->loop = loop;
	reach->ping = ping_new(loop, icmp4, icmp6);
	return reach;
}

void
reach_free(struct reach *reach)
{
	if (reach == NULL)
		return;
	ping_free(reach->ping);
	free(reach);
}

static void *
attach(void *env, const struct device *device, struct fail *why)
{
	const struct reach_options *options = device_reach(device);
	struct hop *hop;

	for (size_t i = 0; i < options->tcp_count; i++) {
		if (!reach_tcp_port_allowed(options->tcp[i])) {
			fail_set(why, "reach: TCP port %d belongs to controllers, a connect would "
				"take one of their few slots", options->tcp[i]);
			return NULL;
		}
	}
	hop = mem_zero(sizeof(*hop));
	hop->reach = env;
	hop->options = options;
	return hop;
}

static void
detach(void *state)
{
	free(state);
}

static void
count(void *state, struct self_counts *counts)
{
	const struct hop *hop = state;

	counts->retries += hop->retried;
}

/* ---- one step after the other ---- */

static void
wait_for(struct work *work, int state, int64_t delay)
{
	work->state = (unsigned)state;
	loop_timer_in(work->hop->reach->loop, &work->timer, delay);
}

static void
missed(struct work *work, uint8_t reason, int64_t rtt)
{
	if (work->verdict == REASON_GOOD)
		work->verdict = reason;
	task_exchange(work->task, false, rtt);
}

static int64_t
now(const struct work *work)
{
	return loop_mono(work->hop->reach->loop);
}

static void
ping_answered(struct ping_echo *echo, int64_t rtt, void *arg)
{
	struct work *work = arg;

	(void)echo;
	loop_timer_stop(work->hop->reach->loop, &work->timer);
	work->tries = 0;
	work->verdict = REASON_GOOD;
	task_exchange(work->task, true, rtt);
	go_on(work);
}

static void
ping_silent(struct work *work)
{
	char span[32];

	ping_cancel(&work->echo);
	task_error(work->task, "no answer to a ping within %s",
		str_time_span(span, sizeof(span), work->hop->options->timeout));
	missed(work, REASON_TIMEOUT, now(work) - work->echo.sent_at);
	go_on(work);
}

static void
ping(struct work *work)
{
	struct hop *hop = work->hop;
	struct fail why;

	if (now(work) < hop->next_ping) {
		wait_for(work, WORK_PAUSING, hop->next_ping - now(work));
		return;
	}
	work->tries--;
	hop->retried += work->verdict != REASON_GOOD;
	hop->next_ping = now(work) + PING_SPACING;
	work->echo.to = hop->options->address;
	work->echo.answered = ping_answered;
	work->echo.arg = work;
	if (ping_send(hop->reach->ping, &work->echo, &why) == 0) {
		wait_for(work, WORK_PINGING, hop->options->timeout);
		return;
	}
	task_error(work->task, "%s", why.text);
	if (ping_possible(hop->reach->ping, hop->options->address.family)) {
		missed(work, REASON_UNREACHABLE, 0);
	} else if (work->verdict == REASON_GOOD) {
		work->verdict = REASON_AUTH; /* ours: the device was not asked */
		work->tries = 0;
	}
	wait_for(work, WORK_PAUSING, 0);
}

static void
knock_over(struct tcp_knock *knock, int error, int64_t took, void *arg)
{
	struct work *work = arg;
	uint16_t port = work->hop->options->tcp[work->port++];

	(void)knock;
	loop_timer_stop(work->hop->reach->loop, &work->timer);
	if (error == 0) {
		task_exchange(work->task, true, took);
	} else {
		task_error(work->task, "TCP port %d: %s", port, strerror(error));
		missed(work, REASON_UNREACHABLE, took);
	}
	go_on(work);
}

static void
knock_silent(struct work *work)
{
	uint16_t port = work->hop->options->tcp[work->port++];
	char span[32];

	tcp_cancel(&work->knock);
	task_error(work->task, "TCP port %d: no answer within %s", port,
		str_time_span(span, sizeof(span), work->hop->options->timeout));
	missed(work, REASON_TIMEOUT, work->hop->options->timeout);
	go_on(work);
}

static void
knock(struct work *work)
{
	struct net_addr to = work->hop->options->address;
	struct fail why;

	to.port = work->hop->options->tcp[work->port];
	work->knock.over = knock_over;
	work->knock.arg = work;
	if (tcp_start(work->hop->reach->loop, &work->knock, &to, &why) == 0) {
		wait_for(work, WORK_KNOCKING, work->hop->options->timeout);
		return;
	}
	task_error(work->task, "TCP port %d: %s", to.port, why.text);
	missed(work, REASON_UNREACHABLE, 0);
	work->port++;
	wait_for(work, WORK_PAUSING, 0);
}

static void
go_on(struct work *work)
{
	bool in_time = now(work) + work->hop->options->timeout <= work->ends;

	if (work->tries > 0 && (in_time || work->verdict == REASON_GOOD)) {
		ping(work);
	} else if (work->port < work->hop->options->tcp_count) {
		knock(work);
	} else {
		work->state = WORK_IDLE;
		task_done(work->task, work->verdict);
	}
}

static void
on_timer(void *arg)
{
	struct work *work = arg;

	switch (work->state) {
	case WORK_PINGING:
		ping_silent(work);
		break;
	case WORK_KNOCKING:
		knock_silent(work);
		break;
	default:
		go_on(work);
		break;
	}
}

/* ---- the driver ---- */

static void *
open_group(void *state, struct task *task)
{
	struct work *work = mem_zero(sizeof(*work));

	work->hop = state;
	work->task = task;
	loop_timer_init(&work->timer, on_timer, work);
	return work;
}

static void
cancel(void *arg)
{
	struct work *work = arg;

	loop_timer_stop(work->hop->reach->loop, &work->timer);
	ping_cancel(&work->echo);
	tcp_cancel(&work->knock);
	work->state = WORK_IDLE;
}

static void
close_group(void *arg)
{
	if (arg == NULL)
		return;
	cancel(arg);
	free(arg);
}

/* cautious: one echo only. Otherwise one lost packet does not make a hop look down. */
static void
start(void *arg, bool cautious)
{
	struct work *work = arg;

	work->tries = !work->hop->options->ping ? 0 : cautious ? 1 : 2;
	work->port = 0;
	work->verdict = REASON_GOOD;
	work->ends = now(work) + task_group(work->task)->interval;
	if (work->tries > 0 || work->hop->options->tcp_count > 0)
		go_on(work); /* what fails at once ends a tick later */
	else
		wait_for(work, WORK_PAUSING, 0);
}

const struct driver reach_driver = { .name = "reach", .attach = attach, .detach = detach,
	.open = open_group, .close = close_group, .start = start, .cancel = cancel,
	.count = count };

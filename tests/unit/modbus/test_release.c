/* A line that is left to somebody else for a while. */
#include "modbus/line.h"

#include <stdio.h>

#include "../check.h"
#include "base/log.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "server.h"

struct ask {
	struct line_unit unit;
	struct line_request request;
	unsigned done;
	enum line_outcome outcome;
	char why[80];
};

static struct loop *loop;
static struct lines *lines;
static struct server server;

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct ask *ask = arg;

	(void)request;
	ask->done++;
	ask->outcome = result->outcome;
	snprintf(ask->why, sizeof ask->why, "%s", result->why != NULL ? result->why : "");
}

static void
join(struct ask *ask)
{
	struct line_options options = { .name = "gw-7", .address = server.at,
		.connect_timeout = LOOP_S, .retry_within = 10 * LOOP_S };

	*ask = (struct ask){ .unit.id = 3 };
	line_join(lines, &options, &ask->unit);
	ask->request = (struct line_request){ .unit = &ask->unit, .timeout = LOOP_S,
		.function = ADU_HOLDING_REGISTERS, .count = 1, .done = on_done, .arg = ask };
}

static void
begin(struct ask *ask)
{
	log_open(LOG_TARGET_NONE, "");
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	lines = lines_new(loop);
	memset(&server, 0, sizeof server);
	server_start(&server, loop, "10.1.7.7");
	join(ask);
}

static void
finish(struct ask *ask)
{
	line_cancel(&ask->request);
	line_leave(&ask->unit);
	lines_free(lines);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	loop_free(loop);
	net_sim_reset();
}

static enum line_outcome
asked(struct ask *ask)
{
	unsigned before = ask->done;

	line_send(&ask->request);
	CHECK_INT(ask->done, before);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_INT(ask->done, before + 1);
	return ask->outcome;
}

static bool
release(int64_t span)
{
	return lines_release(lines, "gw-7", span > 0 ? loop_mono(loop) + span : 0);
}

static bool
is_closed(void)
{
	int64_t until;
	bool closed;

	CHECK(lines_released(lines, "gw-7", &until, &closed));
	CHECK(!closed || until > loop_mono(loop));
	return closed;
}

static void
is_closed_at_once_when_nothing_is_on_the_wire_and_asks_nobody(void)
{
	struct ask ask;

	begin(&ask);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(release(60 * LOOP_S));
	CHECK(is_closed());
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	CHECK_INT(server.closed, 1);
	CHECK_INT(asked(&ask), LINE_PAUSED);
	CHECK_STR(ask.why, "not asked, its line is released (pollwerk pause)");
	CHECK_INT(server.requests, 1);
	CHECK_INT(server.accepted, 1);
	finish(&ask);
}

static void
comes_back_by_itself_when_the_time_is_over(void)
{
	struct ask ask;
	struct line_look look;

	begin(&ask);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	release(30 * LOOP_S);
	CHECK(lines_look(lines, "gw-7", &look) && look.released && look.verdict == LINE_UNTRIED);
	CHECK_INT(lines_sum(lines).released, 1);
	loop_sim_for(loop, 31 * LOOP_S);
	CHECK(!is_closed());
	CHECK_INT(lines_sum(lines).released, 0);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 2);
	finish(&ask);
}

static void
comes_back_at_once_when_told_to(void)
{
	struct ask ask;

	begin(&ask);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	release(600 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_PAUSED);
	release(0);
	CHECK(!is_closed());
	CHECK_INT(asked(&ask), LINE_ANSWER);
	release(0); /* of a line that is not released: nothing happens */
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 2);
	finish(&ask);
}

static void
waits_for_what_is_on_the_wire_and_refuses_what_waits(void)
{
	struct ask first, second;

	begin(&first);
	join(&second);
	server.delay = 500 * LOOP_MS;
	line_send(&first.request);
	line_send(&second.request);
	loop_sim_for(loop, 100 * LOOP_MS);
	CHECK_INT(server.requests, 1);
	release(60 * LOOP_S);
	CHECK(!is_closed());
	CHECK_INT(first.done, 0);
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(first.outcome, LINE_ANSWER);
	CHECK_INT(second.done, 1);
	CHECK_INT(second.outcome, LINE_PAUSED);
	CHECK(is_closed());
	CHECK_INT(server.requests, 1);
	line_leave(&second.unit);
	finish(&first);
}

static void
a_longer_time_takes_the_place_of_the_former_one(void)
{
	struct ask ask;

	begin(&ask);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	release(10 * LOOP_S);
	release(60 * LOOP_S);
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK(is_closed());
	loop_sim_for(loop, 41 * LOOP_S);
	CHECK(!is_closed());
	finish(&ask);
}

/* All its units may leave on a reload, and come again. */
static void
a_line_that_is_made_anew_keeps_to_it(void)
{
	struct ask ask;

	begin(&ask);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	release(60 * LOOP_S);
	line_leave(&ask.unit);
	join(&ask);
	CHECK_INT(asked(&ask), LINE_PAUSED);
	CHECK(is_closed());
	CHECK_INT(server.accepted, 1);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	finish(&ask);
}

static void
a_line_that_is_down_is_not_connected_again_meanwhile(void)
{
	struct ask ask;

	begin(&ask);
	net_sim_tcp_refuse(&server.at);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	release(60 * LOOP_S);
	server_start(&server, loop, "10.1.7.7");
	for (int i = 0; i < 10; i++)
		CHECK_INT(asked(&ask), LINE_PAUSED);
	CHECK_INT(server.accepted, 0);
	loop_sim_for(loop, 31 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	finish(&ask);
}

static void
there_is_no_line_of_another_name(void)
{
	struct ask ask;
	int64_t until;
	bool closed;

	begin(&ask);
	CHECK(!lines_release(lines, "gw-8", loop_mono(loop) + LOOP_S));
	CHECK(!lines_released(lines, "gw-8", &until, &closed));
	finish(&ask);
}

RUN_TESTS(TEST(is_closed_at_once_when_nothing_is_on_the_wire_and_asks_nobody),
	TEST(comes_back_by_itself_when_the_time_is_over),
	TEST(comes_back_at_once_when_told_to),
	TEST(waits_for_what_is_on_the_wire_and_refuses_what_waits),
	TEST(a_longer_time_takes_the_place_of_the_former_one),
	TEST(a_line_that_is_made_anew_keeps_to_it),
	TEST(a_line_that_is_down_is_not_connected_again_meanwhile),
	TEST(there_is_no_line_of_another_name))

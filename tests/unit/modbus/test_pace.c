/* What reaches a host whose max_rate is given, over all lines to it. */
#include "modbus/pace.h"

#include "../check.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "modbus/line.h"
#include "server.h"

#define LINES 3
#define ASKERS 6
#define GAP (200 * LOOP_MS)

/* Asks again as soon as it is answered. */
struct asker {
	struct line_unit unit;
	struct line_request request;
	unsigned answers, failures;
	bool stops, leaves;
};

static struct loop *loop;
static struct lines *lines;
static struct server servers[LINES];
static struct asker askers[ASKERS];
static struct {
	unsigned sent;
	int64_t last, shortest;
} seen;

static void
on_bytes(const char *line, bool sent, const uint8_t *bytes, size_t size, int64_t mono, void *arg)
{
	(void)line, (void)bytes, (void)size, (void)arg;
	if (!sent)
		return;
	if (seen.sent++ > 0 && mono - seen.last < seen.shortest)
		seen.shortest = mono - seen.last;
	seen.last = mono;
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct asker *asker = arg;

	asker->answers += result->outcome == LINE_ANSWER;
	asker->failures += result->outcome != LINE_ANSWER;
	if (asker->leaves)
		line_leave(&asker->unit);
	else if (!asker->stops)
		line_send(request);
}

static void
join(struct asker *asker, const char *name, struct server *server, int64_t gap)
{
	struct line_options options = { .name = name, .address = server->at, .host_gap = gap,
		.connect_timeout = LOOP_S, .retry_within = 10 * LOOP_S };

	*asker = (struct asker){ .unit.id = 1 };
	line_join(lines, &options, &asker->unit);
	asker->request = (struct line_request){ .unit = &asker->unit, .timeout = LOOP_S,
		.function = ADU_HOLDING_REGISTERS, .count = 2, .done = on_done, .arg = asker };
}

static void
begin(void)
{
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	lines = lines_new(loop);
	lines_tap(lines, on_bytes, NULL);
	memset(servers, 0, sizeof servers);
	memset(&seen, 0, sizeof seen);
	seen.shortest = INT64_MAX;
	for (uint16_t i = 0; i < LINES; i++)
		server_start_on(&servers[i], loop, "10.1.7.20", (uint16_t)(4001 + i));
}

static void
finish(void)
{
	for (size_t i = 0; i < ASKERS; i++) {
		if (askers[i].unit.line == NULL)
			continue;
		line_cancel(&askers[i].request);
		line_leave(&askers[i].unit);
	}
	lines_free(lines);
	loop_free(loop);
	net_sim_reset();
	memset(askers, 0, sizeof askers);
}

/* Two units on each of the three lines. */
static void
join_all(int64_t gap)
{
	static const char *const names[LINES] = { "port-1", "port-2", "port-3" };

	for (size_t i = 0; i < ASKERS; i++)
		join(&askers[i], names[i % LINES], &servers[i % LINES], gap);
}

static void
all_lines_of_a_host_together_ask_no_more_often_than_its_max_rate(void)
{
	begin();
	join_all(GAP);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, 30 * LOOP_S);
	print_message("%u questions in 30 s at 5 a second, never less than %lld ms apart\n",
		seen.sent, (long long)(seen.shortest / LOOP_MS));
	CHECK(seen.shortest >= GAP);
	CHECK(seen.sent >= 149 && seen.sent <= 151);
	for (size_t i = 0; i < ASKERS; i++) {
		CHECK(askers[i].answers >= 24 && askers[i].answers <= 26);
		CHECK_INT(askers[i].failures, 0);
	}
	finish();
}

static void
without_max_rate_nobody_waits(void)
{
	begin();
	join_all(0);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, LOOP_S);
	CHECK(seen.sent > 100);
	finish();
}

static void
the_slowest_line_of_a_host_speaks_for_all_and_takes_its_word_with_it(void)
{
	begin();
	join_all(0);
	line_leave(&askers[0].unit);
	join(&askers[0], "port-1", &servers[0], 5 * GAP);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK(seen.shortest >= 5 * GAP);
	CHECK(seen.sent >= 10 && seen.sent <= 11);
	for (size_t i = 0; i < ASKERS; i += LINES) {
		line_cancel(&askers[i].request);
		line_leave(&askers[i].unit);
	}
	loop_sim_for(loop, LOOP_S + 5 * GAP);
	CHECK(seen.sent > 100);
	finish();
}

static void
a_silent_line_takes_no_turns_while_it_waits_for_its_answer(void)
{
	begin();
	servers[0].delay = 3600 * LOOP_S;
	join_all(GAP);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK(seen.shortest >= GAP);
	CHECK(seen.sent >= 295); /* no turn is lost to it */
	CHECK(askers[1].answers + askers[4].answers >= 110);
	finish();
}

static void
another_host_is_not_held_up(void)
{
	struct server other = { 0 };

	begin();
	server_start_on(&other, loop, "10.1.7.21", 502);
	join_all(5 * GAP);
	line_leave(&askers[0].unit);
	join(&askers[0], "other", &other, 0);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, LOOP_S);
	CHECK(askers[0].answers > 50);
	finish();
}

static void
who_asks_no_more_or_leaves_gives_its_turn_to_the_next(void)
{
	begin();
	join_all(GAP);
	for (size_t i = 0; i < ASKERS; i++) {
		askers[i].stops = i != 5;
		askers[i].leaves = i == 3;
		line_send(&askers[i].request);
	}
	line_cancel(&askers[0].request);
	loop_sim_for(loop, 500 * LOOP_MS); /* some have asked, some wait */
	line_cancel(&askers[1].request);
	line_cancel(&askers[4].request);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK(seen.shortest >= GAP);
	CHECK_INT(askers[0].answers, 0);
	CHECK_INT(askers[2].answers, 1);
	CHECK_INT(askers[3].answers, 1);
	CHECK(askers[3].unit.line == NULL);
	CHECK(askers[5].answers >= 46);
	CHECK(seen.sent >= 50);
	finish();
}

static void
a_connection_that_is_lost_while_it_waits_for_its_turn_comes_back(void)
{
	begin();
	join_all(5 * GAP);
	for (size_t i = 0; i < ASKERS; i++)
		line_send(&askers[i].request);
	loop_sim_for(loop, 3500 * LOOP_MS);
	for (size_t i = 0; i < LINES; i++)
		net_sim_close(servers[i].last.conn, 0, 0);
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK(seen.shortest >= 5 * GAP);
	for (size_t i = 0; i < ASKERS; i++)
		CHECK(askers[i].answers >= 4);
	finish();
}

RUN_TESTS(TEST(all_lines_of_a_host_together_ask_no_more_often_than_its_max_rate),
	TEST(without_max_rate_nobody_waits),
	TEST(the_slowest_line_of_a_host_speaks_for_all_and_takes_its_word_with_it),
	TEST(a_silent_line_takes_no_turns_while_it_waits_for_its_answer),
	TEST(another_host_is_not_held_up),
	TEST(who_asks_no_more_or_leaves_gives_its_turn_to_the_next),
	TEST(a_connection_that_is_lost_while_it_waits_for_its_turn_comes_back))

#include "modbus/line.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "../check.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "server.h"

/* One unit, one request, and what became of it. */
struct ask {
	struct line_unit unit;
	struct line_request request;
	unsigned done;
	enum line_outcome outcome;
	uint8_t code;
	char why[64];
	uint8_t data[256];
	size_t size;
	int64_t at, rtt;
	bool leave_when_done;
};

static struct loop *loop;
static struct lines *lines;
static struct server server;
static struct line_options options;

static void
begin(void)
{
	struct fail *none = NULL;

	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(none);
	lines = lines_new(loop);
	memset(&server, 0, sizeof(server));
	server_start(&server, loop, "10.1.7.20");
	options = (struct line_options){ .name = "press-3", .address = server.at,
		.connect_timeout = 3 * LOOP_S, .retry_within = 10 * LOOP_S };
}

static void
finish(void)
{
	CHECK_INT(server.malformed, 0);
	lines_free(lines);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	loop_free(loop);
	net_sim_reset();
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct ask *ask = arg;

	CHECK(request == &ask->request && !request->busy);
	ask->done++;
	ask->outcome = result->outcome;
	ask->code = result->code;
	ask->size = result->size;
	ask->at = loop_mono(loop);
	ask->rtt = result->rtt;
	if (result->size > 0)
		memcpy(ask->data, result->data, result->size);
	CHECK(result->outcome == LINE_ANSWER || result->why != NULL);
	snprintf(ask->why, sizeof(ask->why), "%s", result->why != NULL ? result->why : "");
	if (ask->leave_when_done)
		line_leave(&ask->unit);
}

static void
join(struct ask *ask, uint8_t unit)
{
	memset(ask, 0, sizeof(*ask));
	ask->unit.id = unit;
	line_join(lines, &options, &ask->unit);
	ask->request = (struct line_request){ .unit = &ask->unit, .timeout = LOOP_S,
		.function = ADU_HOLDING_REGISTERS, .address = 100, .count = 2, .done = on_done,
		.arg = ask };
}

static void
part(struct ask *ask)
{
	line_cancel(&ask->request);
	line_leave(&ask->unit);
}

/* Sends and runs until it is over. */
static enum line_outcome
asked(struct ask *ask)
{
	unsigned before = ask->done;

	line_send(&ask->request);
	CHECK_INT(ask->done, before); /* never inside line_send */
	for (int i = 0; i < 6000 && ask->done == before; i++)
		loop_sim_for(loop, 10 * LOOP_MS);
	CHECK_INT(ask->done, before + 1);
	if (ask->outcome == LINE_ANSWER) {
		CHECK_INT(ask->size, 4);
		CHECK_INT(ask->data[0] << 8 | ask->data[1], server_register(ask->unit.id, 100));
		CHECK_INT(ask->data[2] << 8 | ask->data[3], server_register(ask->unit.id, 101));
	}
	return ask->outcome;
}

static void
shares_one_connection_and_keeps_one_request_in_flight(void)
{
	struct ask ask[8];

	begin();
	server.delay = 100 * LOOP_MS;
	for (uint8_t i = 0; i < 8; i++)
		join(&ask[i], (uint8_t)(i + 1));
	for (int i = 0; i < 8; i++)
		line_send(&ask[i].request);
	for (unsigned ms = 0; ms < 1200; ms += 10) {
		unsigned answered = 0;

		loop_sim_for(loop, 10 * LOOP_MS);
		for (int i = 0; i < 8; i++)
			answered += ask[i].done;
		CHECK(server.requests <= answered + 1);
	}
	for (uint8_t i = 0; i < 8; i++) {
		CHECK_INT(ask[i].done, 1);
		CHECK_INT(ask[i].outcome, LINE_ANSWER);
		CHECK_INT(ask[i].data[0] << 8 | ask[i].data[1], server_register((uint8_t)(i + 1), 100));
		CHECK(ask[i].rtt >= 100 * LOOP_MS && ask[i].rtt <= 150 * LOOP_MS);
	}
	CHECK_INT(server.accepted, 1);
	for (int i = 0; i < 8; i++)
		part(&ask[i]);
	CHECK_INT(server.closed, 1);
	finish();
}

/* state: the number of bytes in the first piece */
static bool
send_in_two(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	net_sim_send(request->conn, answer, (size_t)self->state, 0);
	net_sim_send(request->conn, answer + self->state, size - (size_t)self->state,
		50 * LOOP_MS);
	return true;
}

static void
joins_an_answer_split_at_any_byte(void)
{
	struct ask ask;

	begin();
	server.special = send_in_two;
	join(&ask, 5);
	for (server.state = 1; server.state < 13; server.state++)
		CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 1);
	part(&ask);
	finish();
}

static bool
dribble(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	if (request->number > 1)
		return false;
	for (size_t i = 0; i < size; i++)
		net_sim_send(request->conn, answer + i, 1, (int64_t)(i + 1) * 450 * LOOP_MS);
	(void)self;
	return true;
}

static void
is_not_held_up_by_a_server_that_dribbles(void)
{
	struct ask ask;

	begin();
	server.special = dribble;
	join(&ask, 5);
	CHECK_INT(asked(&ask), LINE_TIMEOUT);
	CHECK_STR(ask.why, "only part of an answer");
	CHECK(ask.rtt >= LOOP_S && ask.rtt <= LOOP_S + 10 * LOOP_MS);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 2);
	part(&ask);
	finish();
}

static bool
answer_first_late(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	if (request->number != 1)
		return false;
	/* what a client without transaction ids would take for the next answer */
	answer[9] = 0x66;
	net_sim_send(request->conn, answer, size, self->state * LOOP_MS);
	return true;
}

static void
drops_the_late_answer_to_a_question_given_up(void)
{
	struct ask ask;

	begin();
	server.special = answer_first_late;
	server.state = 1500;
	server.delay = 700 * LOOP_MS;
	join(&ask, 5);
	CHECK_INT(asked(&ask), LINE_TIMEOUT);
	CHECK_INT(asked(&ask), LINE_ANSWER); /* the late one comes first */
	CHECK_INT(line_counters(ask.unit.line).late, 1);
	CHECK_INT(line_counters(ask.unit.line).bad_replies, 0);
	CHECK_INT(server.accepted, 1);
	part(&ask);
	finish();
}

/* Units above 100 are silent. */
static bool
partly_silent(struct server *self, const struct server_request *request)
{
	(void)self;
	return request->unit > 100;
}

static void
keeps_the_connection_when_one_unit_is_silent(void)
{
	struct ask dead, alive;

	begin();
	server.special = partly_silent;
	join(&dead, 101);
	join(&alive, 5);
	for (int i = 0; i < 10; i++) {
		CHECK_INT(asked(&dead), LINE_TIMEOUT);
		CHECK_INT(asked(&alive), LINE_ANSWER);
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_INT(line_counters(dead.unit.line).late, 0);
	CHECK_INT(server.accepted, 1);
	part(&dead);
	part(&alive);
	finish();
}

static void
reconnects_when_nobody_answers_any_more(void)
{
	struct ask dead;

	begin();
	server.special = partly_silent;
	join(&dead, 101);
	for (int i = 0; i < 3; i++)
		CHECK_INT(asked(&dead), LINE_TIMEOUT);
	CHECK_INT(server.accepted, 1);
	CHECK_INT(server.closed, 1);
	part(&dead);
	finish();
}

static const struct wrong {
	const char *what;
	size_t at;
	uint8_t value;
	enum line_outcome outcome;
	const char *why;
} wrongs[] = {
	{ "protocol id", 2, 1, LINE_BAD_REPLY, "bad-protocol" },
	{ "length 0", 5, 0, LINE_BAD_REPLY, "bad-length" },
	{ "length 1", 5, 1, LINE_BAD_REPLY, "bad-length" },
	{ "length 2", 5, 2, LINE_BAD_REPLY, "bad-length" },
	{ "length 255", 5, 255, LINE_BAD_REPLY, "bad-length" },
	{ "length 65287", 4, 255, LINE_BAD_REPLY, "bad-length" },
	{ "length short", 5, 6, LINE_BAD_REPLY, "bad-byte-count" },
	{ "length long", 5, 8, LINE_TIMEOUT, "only part of an answer" },
	{ "unit", 6, 6, LINE_BAD_REPLY, "bad-unit" },
	{ "unit 0", 6, 0, LINE_BAD_REPLY, "bad-unit" },
	{ "function", 7, 4, LINE_BAD_REPLY, "bad-function" },
	{ "another exception", 7, 0x84, LINE_BAD_REPLY, "bad-function" },
	{ "byte count odd", 8, 3, LINE_BAD_REPLY, "bad-byte-count" },
	{ "byte count short", 8, 2, LINE_BAD_REPLY, "bad-byte-count" },
	{ "byte count long", 8, 250, LINE_BAD_REPLY, "bad-byte-count" },
	{ "transaction id", 1, 0xFF, LINE_BAD_REPLY, "an answer to nothing that was asked" },
};

static bool
answer_wrongly(struct server *self, const struct server_request *request)
{
	const struct wrong *wrong = &wrongs[self->state];
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	if (request->number % 2 == 0)
		return false;
	if (wrong->at == 1)
		answer[1] ^= 0x40;
	else
		answer[wrong->at] = wrong->value;
	server_send(self, request, answer, size);
	return true;
}

static void
believes_nothing_after_a_wrong_answer(void)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct ask ask;
		int64_t before;

		begin();
		server.special = answer_wrongly;
		server.state = (int)i;
		join(&ask, 5);
		before = loop_mono(loop);
		CHECK_INT(asked(&ask), wrongs[i].outcome);
		CHECK_STR(ask.why, wrongs[i].why);
		CHECK_INT(net_sim_tcp_open(&server.at), 0);
		CHECK_INT(asked(&ask), LINE_ANSWER);
		CHECK(loop_mono(loop) - before >= LOOP_S); /* connects are spaced */
		CHECK_INT(server.accepted, 2);
		part(&ask);
		finish();
	}
}

static bool
answer_with_junk(struct server *self, const struct server_request *request)
{
	uint8_t answer[2 * 260];
	size_t size = server_answer(request, answer);

	switch (self->state) {
	case 0: /* four bytes */
		memset(answer + size, 0, 4);
		size += 4;
		break;
	case 1: /* one byte */
		answer[size++] = 0xFF;
		break;
	default: /* the whole answer again */
		memcpy(answer + size, answer, size);
		size *= 2;
		break;
	}
	server_send(self, request, answer, size);
	return true;
}

static void
takes_the_answer_but_not_the_junk_behind_it(void)
{
	for (int what = 0; what < 2; what++) {
		struct ask ask;

		begin();
		server.special = answer_with_junk;
		server.state = what;
		join(&ask, 5);
		for (int i = 0; i < 5; i++)
			CHECK_INT(asked(&ask), LINE_ANSWER);
		CHECK_INT(server.accepted, 5);
		CHECK(line_counters(ask.unit.line).bad_replies >= 4);
		part(&ask);
		finish();
	}
}

static void
does_not_mind_hearing_an_answer_twice(void)
{
	struct ask ask;

	begin();
	server.special = answer_with_junk;
	server.state = 2;
	join(&ask, 5);
	for (int i = 0; i < 5; i++)
		CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 1);
	CHECK_INT(line_counters(ask.unit.line).bad_replies, 0);
	part(&ask);
	finish();
}

static bool
refuse_shortly(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_exception(request, (uint8_t)(self->state & 0xFF), answer);

	if (self->state >= 256)
		answer[5] = 2;
	server_send(self, request, answer, size);
	return true;
}

static void
reports_exceptions_and_stays_connected(void)
{
	struct ask ask;

	begin();
	server.special = refuse_shortly;
	join(&ask, 5);
	for (int code = 1; code < 12; code++) {
		server.state = code;
		CHECK_INT(asked(&ask), LINE_EXCEPTION);
		CHECK_INT(ask.code, code);
	}
	server.state = 256 + 2; /* the header counts one byte too few */
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_EXCEPTION);
	CHECK_INT(ask.code, 2);
	CHECK_INT(line_counters(ask.unit.line).short_lengths, 1);
	CHECK_INT(server.accepted, 1);
	part(&ask);
	finish();
}

static struct net_sim_conn *last_conn;

static bool
remember(struct server *self, const struct server_request *request)
{
	(void)self;
	last_conn = request->conn;
	return false;
}

static void
does_not_mind_an_idle_close(void)
{
	struct ask ask;

	begin();
	server.special = remember;
	join(&ask, 5);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(asked(&ask), LINE_ANSWER);
		net_sim_close(last_conn, i == 2 ? ECONNRESET : 0, 0);
		loop_sim_for(loop, 60 * LOOP_S);
		CHECK_INT(line_state(ask.unit.line), LINE_IDLE); /* not before there is a need */
	}
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 4);
	CHECK_INT(line_counters(ask.unit.line).idle_closes, 3);
	CHECK_INT(line_counters(ask.unit.line).connect_failures, 0);
	part(&ask);
	finish();
}

/* Closes instead of answering: every second time, or always. */
static bool
close_instead(struct server *self, const struct server_request *request)
{
	if (self->state == 0 && request->number % 2 == 1)
		return false;
	net_sim_close(request->conn, self->state == 2 ? ECONNRESET : 0, 0);
	return true;
}

static void
asks_again_when_an_idle_close_crosses_the_question(void)
{
	struct ask ask;

	begin();
	server.special = close_instead;
	join(&ask, 5);
	for (int i = 0; i < 5; i++) {
		CHECK_INT(asked(&ask), LINE_ANSWER);
		loop_sim_for(loop, 5 * LOOP_S);
	}
	CHECK_INT(server.requests, 9);
	part(&ask);
	finish();
}

static void
does_not_ask_for_ever_a_server_that_always_closes(void)
{
	for (int state = 1; state <= 2; state++) {
		struct ask ask;

		begin();
		server.special = close_instead;
		server.state = state;
		join(&ask, 5);
		for (int i = 0; i < 60; i++) {
			CHECK_INT(asked(&ask), LINE_UNREACHABLE);
			loop_sim_for(loop, 10 * LOOP_S);
		}
		CHECK(server.requests <= 62);
		CHECK_INT(net_sim_tcp_open(&server.at), 0);
		part(&ask);
		finish();
	}
}

/* Others have all its connections, and some servers close the oldest for a new one. */
static void
knocks_once_a_minute_where_connections_are_accepted_and_closed(void)
{
	struct line_look look;
	struct ask ask;

	begin();
	server.full = true;
	join(&ask, 5);
	for (int i = 0; i < 60; i++) {
		CHECK_INT(asked(&ask), LINE_UNREACHABLE);
		loop_sim_for(loop, 10 * LOOP_S);
	}
	/* the third try tells what it is */
	CHECK(server.accepted >= 9 && server.accepted <= 13);
	CHECK_INT(lines_sum(lines).crowded, 1);
	CHECK(lines_look(lines, "press-3", &look));
	CHECK(look.crowded);
	CHECK_INT(look.verdict, LINE_BAD);
	CHECK(strstr(ask.why, "closed right after it was accepted") != NULL);
	server.full = false;
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(lines_sum(lines).crowded, 0);
	part(&ask);
	finish();
}

/* It was accepted and asked for something that it does not like: no reason to stay away. */
static void
does_not_take_a_disliked_question_for_a_want_of_connections(void)
{
	struct ask ask;
	unsigned before;

	begin();
	server.special = close_instead;
	server.state = 1;
	join(&ask, 5);
	for (int i = 0; i < 6; i++) {
		CHECK_INT(asked(&ask), LINE_UNREACHABLE);
		loop_sim_for(loop, 10 * LOOP_S);
	}
	CHECK_INT(lines_sum(lines).crowded, 0);
	before = server.accepted;
	CHECK(before >= 6);
	server.special = NULL;
	CHECK_INT(asked(&ask), LINE_ANSWER);
	part(&ask);
	finish();
}

static void
tells_how_much_of_its_time_is_taken(void)
{
	struct line_look look;
	struct ask ask;

	begin();
	server.delay = 199 * LOOP_MS; /* and 1 ms there and back */
	join(&ask, 5);
	CHECK(lines_look(lines, "press-3", &look));
	CHECK_INT(look.verdict, LINE_UNTRIED);
	CHECK(!lines_look(lines, "press-4", &look));
	for (int i = 0; i < 130; i++) {
		int64_t next = loop_mono(loop) + LOOP_S;

		CHECK_INT(asked(&ask), LINE_ANSWER);
		loop_sim_until(loop, next);
	}
	CHECK(lines_look(lines, "press-3", &look));
	CHECK_INT(look.verdict, LINE_WELL);
	CHECK_NEAR(look.load, 20, 0.5);
	CHECK_NEAR((double)look.busy, 130 * 0.2e9, 0.01e9);
	CHECK_STR(lines_sum(lines).busiest, "press-3");
	part(&ask);
	finish();
}

static void
says_unreachable_after_the_connect_timeout(void)
{
	struct ask first, second;
	int64_t before;

	begin();
	net_sim_tcp_remove(&server.at);
	join(&first, 5);
	join(&second, 6);
	before = loop_mono(loop);
	line_send(&second.request);
	CHECK_INT(asked(&first), LINE_UNREACHABLE);
	CHECK_STR(first.why, "no answer to the connection request");
	CHECK(first.at - before >= 3 * LOOP_S && first.at - before <= 3 * LOOP_S + 20 * LOOP_MS);
	CHECK_INT(second.outcome, LINE_UNREACHABLE);
	before = loop_mono(loop);
	CHECK_INT(asked(&first), LINE_UNREACHABLE); /* known already: at once */
	CHECK(first.at - before <= 20 * LOOP_MS);
	CHECK_INT(net_sim_tcp_connects(&server.at), 1);
	part(&first);
	part(&second);
	finish();
}

static void
knocks_gently_and_is_back_within_an_interval(void)
{
	static const int64_t intervals[] = { LOOP_S, 2 * LOOP_S, 10 * LOOP_S, 900 * LOOP_S };

	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		int64_t interval = intervals[i], end;
		struct ask ask;
		unsigned polls = 0, misses = 0;

		begin();
		options.retry_within = interval;
		net_sim_tcp_refuse(&server.at);
		join(&ask, 5);
		for (end = loop_mono(loop) + 7200 * LOOP_S; loop_mono(loop) < end; polls++) {
			CHECK_INT(asked(&ask), LINE_UNREACHABLE);
			loop_sim_for(loop, interval - loop_mono(loop) % interval);
		}
		CHECK(net_sim_tcp_connects(&server.at) <= polls);
		CHECK(net_sim_tcp_connects(&server.at) >= (interval > LOOP_S ? polls : polls / 2));
		server_start(&server, loop, "10.1.7.20");
		while (asked(&ask) != LINE_ANSWER) {
			misses++;
			loop_sim_for(loop, interval - loop_mono(loop) % interval);
		}
		CHECK(misses <= (interval > LOOP_S ? 0 : 1));
		part(&ask);
		finish();
	}
}

/* A host swallows what it gets and is there again at any moment: of polls a second apart, each
 * of them over before the next, the second has an answer. */
static void
is_back_within_two_polls_of_a_black_hole(void)
{
	for (int64_t healed = 1010 * LOOP_S; healed < 1014 * LOOP_S; healed += 50 * LOOP_MS) {
		unsigned polls = 0;
		struct ask ask;

		begin();
		options.retry_within = LOOP_S;
		net_sim_tcp_remove(&server.at);
		join(&ask, 5);
		ask.outcome = LINE_UNREACHABLE;
		while (ask.outcome != LINE_ANSWER) {
			int64_t next = loop_mono(loop) + LOOP_S;

			polls += loop_mono(loop) >= healed;
			CHECK(!ask.request.busy);
			line_send(&ask.request);
			if (loop_mono(loop) < healed && healed <= next) {
				loop_sim_until(loop, healed);
				server_start(&server, loop, "10.1.7.20");
			}
			loop_sim_until(loop, next);
		}
		CHECK(polls <= 2);
		part(&ask);
		finish();
	}
}

static void
starts_with_a_short_back_off_after_each_success(void)
{
	struct ask ask;
	uint64_t before;

	begin();
	options.retry_within = 900 * LOOP_S;
	net_sim_tcp_refuse(&server.at);
	join(&ask, 5);
	for (int i = 0; i < 100; i++) {
		CHECK_INT(asked(&ask), LINE_UNREACHABLE);
		loop_sim_for(loop, 10 * LOOP_S);
	}
	before = net_sim_tcp_connects(&server.at);
	CHECK(before < 40); /* a minute apart by now */
	server_start(&server, loop, "10.1.7.20");
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_ANSWER);

	net_sim_tcp_refuse(&server.at);
	net_sim_close(server.last.conn, 0, 0);
	loop_sim_for(loop, 5 * LOOP_S);
	before = net_sim_tcp_connects(&server.at);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	loop_sim_for(loop, 1100 * LOOP_MS);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	CHECK_INT(net_sim_tcp_connects(&server.at), before + 2);
	part(&ask);
	finish();
}

static void
leaves_the_pauses_that_a_device_needs(void)
{
	struct ask ask;
	int64_t before;

	begin();
	options.connect_delay = 1500 * LOOP_MS;
	options.request_gap = 200 * LOOP_MS;
	options.close_after = 5 * LOOP_S;
	join(&ask, 5);
	before = loop_mono(loop);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(loop_mono(loop) - before >= 1500 * LOOP_MS);
	before = loop_mono(loop);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(loop_mono(loop) - before >= 180 * LOOP_MS);
	CHECK(loop_mono(loop) - before < 300 * LOOP_MS);
	loop_sim_for(loop, 4 * LOOP_S);
	CHECK_INT(server.closed, 0);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	loop_sim_for(loop, 6 * LOOP_S);
	CHECK_INT(server.closed, 1);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.accepted, 2);
	part(&ask);
	finish();
}

static void
forgets_what_is_cancelled(void)
{
	struct ask first, second, third;

	begin();
	server.delay = 300 * LOOP_MS;
	join(&first, 5);
	join(&second, 6);
	join(&third, 7);
	line_send(&first.request);
	line_send(&second.request);
	line_send(&third.request);
	loop_sim_for(loop, 100 * LOOP_MS);
	line_cancel(&first.request);  /* on the wire */
	line_cancel(&second.request); /* in the queue */
	line_cancel(&second.request);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(first.done + second.done, 0);
	CHECK_INT(third.done, 1);
	CHECK_INT(third.outcome, LINE_ANSWER);
	CHECK_STR(server.log, "u5:f3@100+2 u7:f3@100+2");
	CHECK_INT(asked(&first), LINE_ANSWER);
	CHECK_INT(server.accepted, 1);

	net_sim_close(last_conn = server.last.conn, 0, 0);
	net_sim_tcp_refuse(&server.at);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(asked(&first), LINE_UNREACHABLE);
	line_send(&first.request);
	line_cancel(&first.request); /* refused, but not told yet */
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(first.done, 2);
	part(&first);
	part(&second);
	part(&third);
	finish();
}

/* Two living and eight dead units behind one gateway, each asked every 10 s with a time-out
 * of 3 s: without a share the dead would need 24 of 10 s. */
static void
does_not_let_dead_units_eat_the_line(void)
{
	struct ask ask[10];
	unsigned probes[10] = { 0 };

	begin();
	server.special = partly_silent;
	for (uint8_t i = 0; i < 10; i++) {
		join(&ask[i], i < 2 ? (uint8_t)(i + 1) : (uint8_t)(100 + i));
		ask[i].request.timeout = 3 * LOOP_S;
	}
	for (int second = 0; second < 1800; second++) {
		int i = second % 10;
		unsigned before = ask[i].done;

		if (second >= 600 && before > 0 && ask[i].outcome == LINE_TIMEOUT)
			probes[i]++;
		if (second >= 600 && i < 2)
			CHECK_INT(ask[i].outcome, LINE_ANSWER);
		if (!ask[i].request.busy)
			line_send(&ask[i].request);
		loop_sim_for(loop, LOOP_S);
	}
	for (int i = 2; i < 10; i++)
		CHECK(probes[i] >= 3); /* 1200 s / 15 s / 8 is 10 at best */
	/* a few are late while the dead are found out, none later */
	CHECK(ask[0].done >= 170 && ask[1].done >= 170);

	server.special = NULL; /* all come back */
	for (int second = 0; second < 300; second++) {
		if (!ask[second % 10].request.busy)
			line_send(&ask[second % 10].request);
		loop_sim_for(loop, LOOP_S);
	}
	for (int i = 0; i < 10; i++)
		CHECK_INT(ask[i].outcome, LINE_ANSWER);
	for (int i = 0; i < 10; i++)
		part(&ask[i]);
	finish();
}

static void
does_not_send_what_has_waited_too_long(void)
{
	struct ask slow, patient, hasty;

	begin();
	server.special = partly_silent;
	join(&slow, 101);
	join(&hasty, 5);
	join(&patient, 6);
	line_send(&slow.request);
	hasty.request.expires = loop_mono(loop) + 500 * LOOP_MS;
	line_send(&hasty.request);
	CHECK_INT(asked(&patient), LINE_ANSWER);
	CHECK_INT(hasty.outcome, LINE_OVERRUN);
	CHECK_STR(server.log, "u101:f3@100+2 u6:f3@100+2");
	part(&slow);
	part(&hasty);
	part(&patient);
	finish();
}

static void
goes_when_its_last_unit_leaves_inside_an_answer(void)
{
	struct ask ask;

	begin();
	join(&ask, 5);
	ask.leave_when_done = true;
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(server.closed, 1);
	CHECK(ask.unit.line == NULL);
	finish();
}

static unsigned tapped[2];

static void
count_tap(const char *line, bool sent, const uint8_t *bytes, size_t size, int64_t mono, void *arg)
{
	CHECK_STR(line, "press-3");
	CHECK(bytes != NULL && mono == loop_mono(loop) && arg == tapped);
	tapped[sent] += (unsigned)size;
}

static void
shows_every_byte_to_the_tap(void)
{
	struct ask ask;

	begin();
	tapped[0] = tapped[1] = 0;
	lines_tap(lines, count_tap, tapped);
	join(&ask, 5);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(tapped[1], 12);
	CHECK_INT(tapped[0], 13);
	lines_tap(lines, NULL, NULL);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_INT(tapped[1], 12);
	part(&ask);
	finish();
}

/* A server that does anything at all to an answer; every value that comes through is right. */
static unsigned seed;

static bool
misbehave(struct server *self, const struct server_request *request)
{
	uint8_t answer[2 * 260];
	size_t size = server_answer(request, answer), cut;

	last_conn = request->conn;
	switch (rand_r(&seed) % 14) {
	case 0:
		return true;
	case 1:
		answer[rand_r(&seed) % 9] ^= (uint8_t)(1 << rand_r(&seed) % 8);
		break;
	case 2:
		net_sim_close(request->conn, rand_r(&seed) % 2 != 0 ? ECONNRESET : 0, 0);
		return true;
	case 3:
		net_sim_send(request->conn, answer, size, rand_r(&seed) % 4000 * LOOP_MS);
		return true;
	case 4:
		cut = (size_t)rand_r(&seed) % size;
		net_sim_send(request->conn, answer, cut, 0);
		net_sim_send(request->conn, answer + cut, size - cut, rand_r(&seed) % 1500 * LOOP_MS);
		return true;
	case 5:
		for (int junk = rand_r(&seed) % 9; junk > 0; junk--)
			answer[size++] = (uint8_t)rand_r(&seed);
		break;
	case 6:
		size -= (size_t)rand_r(&seed) % size;
		break;
	case 7:
		size = server_exception(request, (uint8_t)(rand_r(&seed) % 12), answer);
		break;
	default:
		return false;
	}
	server_send(self, request, answer, size);
	return true;
}

static void
ends_each_request_once_and_never_with_a_wrong_value(void)
{
	struct ask ask[4];
	unsigned answers = 0;

	seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	begin();
	server.special = misbehave;
	for (uint8_t i = 0; i < 4; i++)
		join(&ask[i], (uint8_t)(i + 1));
	for (int round = 0; round < 3000; round++) {
		unsigned before[4];

		for (int i = 0; i < 4; i++) {
			before[i] = ask[i].done;
			line_send(&ask[i].request);
		}
		if (rand_r(&seed) % 10 == 0)
			line_cancel(&ask[rand_r(&seed) % 4].request);
		/* 4 x (pause 1 s, connect, 1 s, the same again) is the most it may take */
		for (int i = 0; i < 30 && (ask[0].request.busy || ask[1].request.busy ||
				ask[2].request.busy || ask[3].request.busy); i++)
			loop_sim_for(loop, LOOP_S);
		for (int i = 0; i < 4; i++) {
			CHECK(!ask[i].request.busy);
			CHECK(ask[i].done <= before[i] + 1);
			if (ask[i].done == before[i] || ask[i].outcome != LINE_ANSWER)
				continue;
			answers++;
			CHECK_INT(ask[i].size, 4);
			CHECK_INT(ask[i].data[0] << 8 | ask[i].data[1],
				server_register((uint8_t)(i + 1), 100));
		}
		loop_sim_for(loop, rand_r(&seed) % 3000 * LOOP_MS);
	}
	CHECK(answers > 3000);
	for (int i = 0; i < 4; i++)
		part(&ask[i]);
	finish();
}

/* More than there are places for, and two ports of each host. */
static void
units_share_a_line_to_one_port_of_a_host_among_thousands(void)
{
	static struct line_unit units[3000][3];

	begin();
	memset(units, 0, sizeof(units));
	for (size_t i = 0; i < 3000; i++) {
		options.address = server.at;
		options.address.bytes[2] = (uint8_t)(i / 250);
		options.address.bytes[3] = (uint8_t)(i % 250);
		for (size_t k = 0; k < 3; k++) {
			options.address.port = k == 1 ? 503 : 502;
			line_join(lines, &options, &units[i][k]);
		}
	}
	for (size_t i = 0; i < 3000; i++) {
		CHECK(units[i][0].line == units[i][2].line && units[i][0].line != units[i][1].line);
		CHECK(i == 0 || units[i][0].line != units[i - 1][0].line);
	}
	/* Who comes after one line of a place has gone finds the others. */
	for (size_t i = 0; i < 3000; i += 2)
		line_leave(&units[i][1]);
	for (size_t i = 0; i < 3000; i++) {
		struct line_unit late = { .id = 9 };

		options.address.bytes[2] = (uint8_t)(i / 250);
		options.address.bytes[3] = (uint8_t)(i % 250);
		options.address.port = 503;
		line_join(lines, &options, &late);
		CHECK((late.line == units[i][1].line) == (i % 2 == 1));
		line_leave(&late);
	}
	for (size_t i = 0; i < 3000; i++)
		for (size_t k = 0; k < 3; k++)
			line_leave(&units[i][k]);
	finish();
}

RUN_TESTS(TEST(units_share_a_line_to_one_port_of_a_host_among_thousands),
	TEST(shares_one_connection_and_keeps_one_request_in_flight),
	TEST(joins_an_answer_split_at_any_byte), TEST(is_not_held_up_by_a_server_that_dribbles),
	TEST(drops_the_late_answer_to_a_question_given_up),
	TEST(keeps_the_connection_when_one_unit_is_silent),
	TEST(reconnects_when_nobody_answers_any_more),
	TEST(believes_nothing_after_a_wrong_answer),
	TEST(takes_the_answer_but_not_the_junk_behind_it),
	TEST(does_not_mind_hearing_an_answer_twice),
	TEST(reports_exceptions_and_stays_connected), TEST(does_not_mind_an_idle_close),
	TEST(asks_again_when_an_idle_close_crosses_the_question),
	TEST(does_not_ask_for_ever_a_server_that_always_closes),
	TEST(knocks_once_a_minute_where_connections_are_accepted_and_closed),
	TEST(does_not_take_a_disliked_question_for_a_want_of_connections),
	TEST(tells_how_much_of_its_time_is_taken),
	TEST(says_unreachable_after_the_connect_timeout),
	TEST(is_back_within_two_polls_of_a_black_hole),
	TEST(knocks_gently_and_is_back_within_an_interval),
	TEST(starts_with_a_short_back_off_after_each_success),
	TEST(leaves_the_pauses_that_a_device_needs), TEST(forgets_what_is_cancelled),
	TEST(does_not_let_dead_units_eat_the_line),
	TEST(does_not_send_what_has_waited_too_long),
	TEST(goes_when_its_last_unit_leaves_inside_an_answer),
	TEST(shows_every_byte_to_the_tap),
	TEST(ends_each_request_once_and_never_with_a_wrong_value))

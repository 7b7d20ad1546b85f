/* Lines over TLS: who is believed, what is said when somebody is not, and that all the rest is
 * as over TCP. */
#include "modbus/line.h"

#include <errno.h>
#include <stdio.h>

#include "../check.h"
#include "base/loop.h"
#include "base/tls.h"
#include "fake/loop_sim.h"
#include "fake/tls_front.h"
#include "server.h"

#define WALL INT64_C(1767225600) /* 2026-01-01 */
#define DAY INT64_C(86400)

struct ask {
	struct line_unit unit;
	struct line_request request;
	unsigned done;
	enum line_outcome outcome;
	char why[200];
	uint8_t data[256];
	size_t size;
};

static struct loop *loop;
static struct lines *lines;
static struct server server;
static struct tls_front front;
static struct pki ca, other_ca, server_pki, client_pki;
static struct tls_options ours;
static struct line_options options;

static void
begin(void)
{
	loop_sim_begin(1000 * LOOP_S, WALL * LOOP_S);
	loop = loop_new(NULL);
	lines = lines_new(loop);
	memset(&server, 0, sizeof server);
	server_start(&server, loop, "10.1.7.20");
	pki_make(&ca, &(struct pki_wish){ .name = "plant CA" });
	pki_make(&other_ca, &(struct pki_wish){ .name = "other CA" });
	pki_make(&server_pki, &(struct pki_wish){ .issuer = &ca, .name = "press-3",
		.also = "IP:10.1.7.20,DNS:press-3.plant" });
	pki_make(&client_pki, &(struct pki_wish){ .issuer = &ca, .name = "pollwerk",
		.role = "reader" });
	ours = (struct tls_options){ .ca = ca.certificate, .certificate = client_pki.certificate,
		.key = client_pki.key };
	front = (struct tls_front){ .at = server.at, .behind = server.at, .loop = loop,
		.ours = &server_pki, .client_ca = ca.certificate };
	front.at.port = 802;
	options = (struct line_options){ .name = "press-3", .address = front.at, .tls = &ours,
		.tls_id = 7, .server_name = "10.1.7.20", .connect_timeout = 3 * LOOP_S,
		.retry_within = 10 * LOOP_S };
}

static void
finish(void)
{
	lines_free(lines);
	CHECK_INT(net_sim_tcp_open(&front.at), 0);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	tls_front_end(&front);
	loop_free(loop);
	net_sim_reset();
	pki_free(&ca);
	pki_free(&other_ca);
	pki_free(&server_pki);
	pki_free(&client_pki);
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct ask *ask = arg;

	(void)request;
	ask->done++;
	ask->outcome = result->outcome;
	ask->size = result->size;
	if (result->size > 0)
		memcpy(ask->data, result->data, result->size);
	snprintf(ask->why, sizeof ask->why, "%s", result->why != NULL ? result->why : "");
}

static void
join(struct ask *ask, uint8_t unit)
{
	memset(ask, 0, sizeof *ask);
	ask->unit.id = unit;
	line_join(lines, &options, &ask->unit);
	ask->request = (struct line_request){ .unit = &ask->unit, .timeout = LOOP_S,
		.function = ADU_HOLDING_REGISTERS, .address = 100, .count = 2, .done = on_done,
		.arg = ask };
}

static enum line_outcome
asked(struct ask *ask)
{
	unsigned before = ask->done;

	line_send(&ask->request);
	CHECK_INT(ask->done, before);
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

/* One question to a server that is set up like this; what is said about it in `why`. */
static void
fails_with(const char *why)
{
	struct ask ask;

	tls_front_start(&front);
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	if (strstr(ask.why, why) == NULL)
		print_error("\"%s\" is not in \"%s\"\n", why, ask.why);
	CHECK(strstr(ask.why, why) != NULL);
	CHECK_INT(server.requests, 0);
	line_leave(&ask.unit);
	finish();
}

static void
reads_over_tls_1_3_with_a_client_certificate(void)
{
	struct ask ask;

	begin();
	tls_front_start(&front);
	join(&ask, 3);
	for (int i = 0; i < 5; i++)
		CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(front.tls13);
	CHECK_STR(front.peer, "pollwerk");
	CHECK_INT(front.accepted, 1);
	CHECK_INT(server.requests, 5);
	line_leave(&ask.unit);
	finish();
}

static void
reads_over_tls_1_2(void)
{
	struct ask ask;

	begin();
	front.most = TLS1_2_VERSION;
	tls_front_start(&front);
	join(&ask, 3);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(!front.tls13);
	CHECK_STR(front.peer, "pollwerk");
	line_leave(&ask.unit);
	finish();
}

static void
reads_without_a_certificate_where_none_is_asked_for(void)
{
	struct ask ask;

	begin();
	front.client_ca = NULL;
	ours.certificate = ours.key = "";
	tls_front_start(&front);
	join(&ask, 3);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_STR(front.peer, "");
	line_leave(&ask.unit);
	finish();
}

static void
does_not_speak_tls_1_1(void)
{
	begin();
	front.most = TLS1_1_VERSION;
	fails_with("does not speak TLS 1.2 or 1.3");
}

static void
believes_a_server_by_its_dns_name_when_that_is_configured(void)
{
	struct ask ask;

	begin();
	options.server_name = "press-3.plant";
	tls_front_start(&front);
	join(&ask, 3);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	line_leave(&ask.unit);
	finish();
}

static void
does_not_believe_a_server_of_another_name(void)
{
	begin();
	options.server_name = "press-4.plant";
	fails_with("name does not match: the server's certificate is for 10.1.7.20, "
		"press-3.plant, not for press-4.plant");
}

static void
does_not_believe_a_server_at_another_address(void)
{
	begin();
	options.server_name = "10.1.7.21";
	fails_with("name does not match");
}

static void
does_not_believe_a_server_of_another_ca(void)
{
	begin();
	ours.ca = other_ca.certificate;
	fails_with("the server's certificate is not signed by our CA");
}

static void
believes_the_very_certificate_that_stands_in_place_of_a_ca(void)
{
	struct ask ask;

	begin();
	ours.ca = server_pki.certificate;
	tls_front_start(&front);
	join(&ask, 3);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	line_leave(&ask.unit);
	finish();
}

static void
does_not_believe_an_expired_certificate(void)
{
	begin();
	pki_free(&server_pki);
	pki_make(&server_pki, &(struct pki_wish){ .issuer = &ca, .name = "press-3",
		.also = "IP:10.1.7.20", .from = WALL - 100 * DAY, .to = WALL - DAY });
	fails_with("the server's certificate has expired: it ended on 2025-12-31");
}

static void
does_not_believe_a_certificate_from_the_future(void)
{
	begin();
	pki_free(&server_pki);
	pki_make(&server_pki, &(struct pki_wish){ .issuer = &ca, .name = "press-3",
		.also = "IP:10.1.7.20", .from = WALL + DAY });
	fails_with("the server's certificate is not valid before 2026-01-02: is a clock wrong?");
}

static void
says_that_a_server_asks_for_a_certificate_that_is_not_there(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (int i = 0; i < 2; i++) {
		begin();
		front.most = versions[i];
		ours.certificate = ours.key = "";
		fails_with("the server asks for a client certificate");
	}
}

static void
says_that_a_server_does_not_accept_our_certificate(void)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	for (int i = 0; i < 2; i++) {
		begin();
		front.most = versions[i];
		front.client_ca = other_ca.certificate;
		fails_with("the server does not accept our certificate: unknown CA");
	}
}

/* It takes the handshake for a broken request and says nothing. */
static void
says_that_a_silent_server_does_not_speak_tls(void)
{
	struct ask ask;

	begin();
	options.address = server.at;
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	CHECK_STR(ask.why, "connected, but no answer to the TLS handshake: a plain Modbus server?");
	CHECK(loop_sim_now() - 1000 * LOOP_S >= 3 * LOOP_S);
	CHECK(loop_sim_now() - 1000 * LOOP_S < 4 * LOOP_S);
	CHECK_INT(server.closed, 1);
	line_leave(&ask.unit);
	finish();
}

static void
talk_plainly(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	(void)data;
	(void)size;
	(void)arg;
	net_sim_send(conn, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0);
}

static void
says_that_what_comes_is_not_tls(void)
{
	static const struct net_sim_server events = { .received = talk_plainly };
	struct ask ask;

	begin();
	net_sim_tcp(&front.at, &events, NULL);
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	CHECK_STR(ask.why, "what the other side says is not TLS: a plain Modbus server?");
	line_leave(&ask.unit);
	finish();
}

static void
says_that_it_is_not_even_connected(void)
{
	struct ask ask;

	begin();
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	CHECK_STR(ask.why, "no answer to the connection request");
	net_sim_tcp_refuse(&front.at);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(asked(&ask), LINE_UNREACHABLE);
	CHECK_STR(ask.why, strerror(ECONNREFUSED));
	line_leave(&ask.unit);
	finish();
}

/* The handshake is 1 to 2 kB; the reset comes anywhere in it, and is forgotten at once. */
static void
bears_a_reset_anywhere_in_the_handshake(void)
{
	for (unsigned at = 1; at < 1200; at += 97) {
		struct ask ask;

		begin();
		front.reset_after = at;
		front.split = true;
		tls_front_start(&front);
		join(&ask, 1);
		CHECK_INT(asked(&ask), LINE_UNREACHABLE);
		/* the last ones come behind it, in what a server of TLS 1.3 still says then */
		CHECK(strcmp(ask.why, "reset by the other side in the TLS handshake") == 0 ||
			strcmp(ask.why, strerror(ECONNRESET)) == 0);
		front.reset_after = 0;
		loop_sim_for(loop, 10 * LOOP_S);
		CHECK_INT(asked(&ask), LINE_ANSWER);
		line_leave(&ask.unit);
		finish();
	}
}

static void
takes_what_comes_byte_by_byte(void)
{
	struct ask ask;

	begin();
	front.split = true;
	tls_front_start(&front);
	join(&ask, 1);
	for (int i = 0; i < 3; i++)
		CHECK_INT(asked(&ask), LINE_ANSWER);
	line_leave(&ask.unit);
	finish();
}

/* Any byte of all that the server sends, in the handshake and behind it. */
static void
a_damaged_byte_is_never_a_wrong_value(void)
{
	unsigned answers = 0, others = 0;

	for (unsigned at = 1; at < 2000; at += 29) {
		struct ask ask;

		begin();
		front.damage = at;
		tls_front_start(&front);
		join(&ask, 1);
		for (int i = 0; i < 3; i++) {
			enum line_outcome outcome = asked(&ask); /* looks at the values */

			CHECK(outcome == LINE_ANSWER || outcome == LINE_UNREACHABLE ||
				outcome == LINE_BAD_REPLY || outcome == LINE_TIMEOUT);
			answers += outcome == LINE_ANSWER;
			others += outcome != LINE_ANSWER;
			loop_sim_for(loop, 10 * LOOP_S);
		}
		CHECK_INT(ask.outcome, LINE_ANSWER); /* it has mended */
		line_leave(&ask.unit);
		finish();
	}
	CHECK(answers > 60 && others > 20);
}

static void
a_handshake_that_keeps_failing_is_tried_once_a_minute(void)
{
	struct ask ask;
	uint64_t after_three;

	begin();
	ours.ca = other_ca.certificate;
	tls_front_start(&front);
	join(&ask, 1);
	for (int i = 0; i < 60; i++) {
		CHECK_INT(asked(&ask), LINE_UNREACHABLE);
		loop_sim_for(loop, 10 * LOOP_S);
	}
	after_three = net_sim_tcp_connects(&front.at);
	CHECK(after_three >= 10 && after_three <= 13); /* 3 at once, then one a minute */
	CHECK(strstr(ask.why, "not signed by our CA") != NULL);
	line_leave(&ask.unit);
	finish();
}

static void
a_close_between_two_questions_is_normal(void)
{
	struct ask ask;

	begin();
	options.close_after = 5 * LOOP_S;
	tls_front_start(&front);
	join(&ask, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(asked(&ask), LINE_ANSWER);
		loop_sim_for(loop, 20 * LOOP_S);
		CHECK_INT(net_sim_tcp_open(&front.at), 0);
	}
	CHECK_INT(front.shaken, 3);
	line_leave(&ask.unit);
	finish();
}

static bool
late_once(struct server *at, const struct server_request *request)
{
	uint8_t answer[260];

	if (at->state++ > 0)
		return false;
	net_sim_send(request->conn, answer, server_answer(request, answer), 1500 * LOOP_MS);
	return true;
}

static void
a_late_answer_is_dropped_over_tls_too(void)
{
	struct ask ask;

	begin();
	server.special = late_once;
	tls_front_start(&front);
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_TIMEOUT);
	ask.request.address = 100;
	CHECK_INT(asked(&ask), LINE_ANSWER);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(line_counters(ask.unit.line).late, 1);
	CHECK_INT(front.accepted, 1);
	line_leave(&ask.unit);
	finish();
}

/* What a reload does: the same device again, with the renewed certificate. */
static void
a_renewed_certificate_is_taken_for_the_next_question(void)
{
	struct ask ask, again;
	struct pki renewed;
	struct tls_options then;

	begin();
	pki_make(&renewed, &(struct pki_wish){ .issuer = &ca, .name = "pollwerk 2027" });
	tls_front_start(&front);
	join(&ask, 1);
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK_STR(front.peer, "pollwerk");
	line_send(&ask.request); /* is under way meanwhile */
	loop_sim_for(loop, 0);
	then = (struct tls_options){ ca.certificate, renewed.certificate, renewed.key };
	options.tls = &then;
	options.tls_id = 8;
	join(&again, 1);
	CHECK(ask.unit.line == again.unit.line);
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(ask.done, 2);
	CHECK_INT(ask.outcome, LINE_ANSWER);
	line_leave(&ask.unit);
	CHECK_INT(asked(&again), LINE_ANSWER);
	CHECK_STR(front.peer, "pollwerk 2027");
	CHECK_INT(front.shaken, 2);
	line_leave(&again.unit);
	pki_free(&renewed);
	finish();
}

static void
knows_when_the_first_certificate_ends(void)
{
	struct line_look look;
	struct ask ask;

	begin();
	pki_free(&server_pki);
	pki_make(&server_pki, &(struct pki_wish){ .issuer = &ca, .name = "press-3",
		.also = "IP:10.1.7.20", .to = WALL + 20 * DAY });
	tls_front_start(&front);
	join(&ask, 1);
	CHECK(lines_look(lines, "press-3", &look));
	CHECK_INT(look.certificate_ends / LOOP_S, 2208988800); /* ours */
	CHECK_INT(asked(&ask), LINE_ANSWER);
	CHECK(lines_look(lines, "press-3", &look));
	CHECK_INT(look.certificate_ends / LOOP_S, WALL + 20 * DAY); /* the server's */
	line_leave(&ask.unit);
	finish();
}

static void
a_line_in_the_handshake_can_be_left(void)
{
	struct ask ask;

	begin();
	tls_front_start(&front);
	for (int ms = 0; ms < 6; ms++) {
		join(&ask, 1);
		line_send(&ask.request);
		loop_sim_for(loop, ms * LOOP_MS);
		line_cancel(&ask.request);
		line_leave(&ask.unit);
		loop_sim_for(loop, 2 * LOOP_S);
		CHECK_INT(net_sim_tcp_open(&front.at), 0);
	}
	finish();
}

RUN_TESTS(TEST(reads_over_tls_1_3_with_a_client_certificate), TEST(reads_over_tls_1_2),
	TEST(reads_without_a_certificate_where_none_is_asked_for), TEST(does_not_speak_tls_1_1),
	TEST(believes_a_server_by_its_dns_name_when_that_is_configured),
	TEST(does_not_believe_a_server_of_another_name),
	TEST(does_not_believe_a_server_at_another_address),
	TEST(does_not_believe_a_server_of_another_ca),
	TEST(believes_the_very_certificate_that_stands_in_place_of_a_ca),
	TEST(does_not_believe_an_expired_certificate),
	TEST(does_not_believe_a_certificate_from_the_future),
	TEST(says_that_a_server_asks_for_a_certificate_that_is_not_there),
	TEST(says_that_a_server_does_not_accept_our_certificate),
	TEST(says_that_a_silent_server_does_not_speak_tls),
	TEST(says_that_what_comes_is_not_tls), TEST(says_that_it_is_not_even_connected),
	TEST(bears_a_reset_anywhere_in_the_handshake), TEST(takes_what_comes_byte_by_byte),
	TEST(a_damaged_byte_is_never_a_wrong_value),
	TEST(a_handshake_that_keeps_failing_is_tried_once_a_minute),
	TEST(a_close_between_two_questions_is_normal),
	TEST(a_late_answer_is_dropped_over_tls_too),
	TEST(a_renewed_certificate_is_taken_for_the_next_question),
	TEST(knows_when_the_first_certificate_ends), TEST(a_line_in_the_handshake_can_be_left))

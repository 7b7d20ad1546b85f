/* Whose an answer is, on the network in memory. */
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "snmp/ber.h"
#include "snmp/mux.h"
#include "../check.h"

#define REQUESTS 3000

static struct asker {
	struct mux *mux;
	struct mux_request request;
	unsigned answers;
} askers[REQUESTS];

static void
answered(const uint8_t *data, size_t size, const struct ber_peek *peek, int64_t mono, void *arg)
{
	struct asker *asker = arg;

	(void)data, (void)size, (void)mono;
	CHECK_INT(peek->request_id, asker->request.id);
	asker->answers++;
	mux_close(asker->mux, &asker->request);
}

/* An answer with nothing in it, its id in four octets. */
static size_t
write_answer(uint8_t *to, uint32_t id)
{
	static const uint8_t answer[] = { 0x30, 0x1b, 0x02, 0x01, 0x01, 0x04, 0x06, 'p', 'u', 'b',
		'l', 'i', 'c', 0xa2, 0x0e, 0x02, 0x04, 0, 0, 0, 0, 0x02, 0x01, 0x00, 0x02, 0x01,
		0x00, 0x30, 0x00 };

	memcpy(to, answer, sizeof answer);
	for (int i = 0; i < 4; i++)
		to[17 + i] = (uint8_t)(id >> (24 - 8 * i));
	return sizeof answer;
}

static void
echo(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	net_sim_udp_reply(client, arg, data, size, 0);
}

static void
each_answer_finds_its_request_however_many_came_and_went(void)
{
	struct mux_peer peer = { .name = "sw-1", .version = BER_V2C, .community = "public" };
	uint8_t bytes[64];
	struct loop *loop;
	struct mux *mux;
	struct fail why;
	int error;

	net_sim_reset();
	net_sim_loss(0, 1);
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	CHECK(net_addr_parse("10.1.3.1", 161, &peer.address, &why) == 0);
	net_sim_udp(&peer.address, echo, &peer.address);
	loop = loop_new(&why);
	mux = mux_new(loop);
	for (size_t i = 0; i < REQUESTS; i++) {
		askers[i] = (struct asker){ .mux = mux, .request = { .peer = &peer,
			.answered = answered, .arg = &askers[i] } };
		mux_open(mux, &askers[i].request);
		CHECK(askers[i].request.id > 0 && askers[i].request.id <= INT32_MAX);
	}
	/* All are answered, every other one after it was closed. */
	for (size_t i = 0; i < REQUESTS; i++) {
		size_t size = write_answer(bytes, askers[i].request.id);

		CHECK(mux_send(mux, &askers[i].request, bytes, size, &error, &why) == 0);
		if (i % 2 == 0)
			mux_close(mux, &askers[i].request);
	}
	loop_sim_for(loop, LOOP_S);
	for (size_t i = 0; i < REQUESTS; i++) {
		CHECK_INT(askers[i].answers, i % 2);
		CHECK(!askers[i].request.open);
	}
	CHECK_INT(mux_counters(mux).strays, REQUESTS / 2);
	mux_free(mux);
	loop_free(loop);
}

static char asked_from[8][64];
static size_t asked;

static void
note_client(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	struct net_addr local = net_sim_client_local(client);

	(void)data, (void)size, (void)arg;
	CHECK(asked < 8);
	if (local.family == 0)
		strcpy(asked_from[asked++], "any");
	else
		net_addr_text(asked_from[asked++], sizeof asked_from[0], &local, false);
}

static void
a_device_is_asked_from_the_address_that_it_wants(void)
{
	static const char *const wanted[] = { "any", "10.1.0.2", "any", "10.1.0.3", "10.1.0.2" };
	struct net_addr from[5];
	struct mux_peer peers[5];
	struct loop *loop;
	struct mux *mux;
	struct fail why;
	int error;

	net_sim_reset();
	net_sim_loss(0, 1);
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	loop = loop_new(&why);
	mux = mux_new(loop);
	asked = 0;
	for (size_t i = 0; i < 5; i++) {
		struct mux_request request = { .peer = &peers[i] };

		peers[i] = (struct mux_peer){ .name = "sw-1", .version = BER_V2C, .community = "public" };
		CHECK(net_addr_parse("10.1.3.1", 161, &peers[i].address, &why) == 0);
		net_sim_udp(&peers[i].address, note_client, NULL);
		if (strcmp(wanted[i], "any") != 0) {
			CHECK(net_addr_parse(wanted[i], 0, &from[i], &why) == 0);
			peers[i].from = &from[i];
		}
		CHECK(mux_send(mux, &request, "?", 1, &error, &why) == 0);
		loop_sim_for(loop, LOOP_S);
	}
	CHECK_INT(asked, 5);
	for (size_t i = 0; i < 5; i++)
		CHECK_STR(asked_from[i], wanted[i]);
	mux_free(mux);
	loop_free(loop);
}

RUN_TESTS(TEST(each_answer_finds_its_request_however_many_came_and_went),
	TEST(a_device_is_asked_from_the_address_that_it_wants))

#include "modbus/probe.h"

#include <stdio.h>

#include "../check.h"
#include "base/loop.h"
#include "../../fake/loop_sim.h"
#include "../../fake/net_sim.h"
#include "modbus/block.h"
#include "modbus/modbus.h"
#include "server.h"

static struct loop *loop;
static struct server server;
static struct modbus_options device;
static const struct probe_result *result;
static unsigned done;

static void
on_done(const struct probe_result *got, void *arg)
{
	CHECK(arg == &done);
	result = got;
	done++;
}

static void
begin(void)
{
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	memset(&server, 0, sizeof(server));
	server_start(&server, loop, "10.1.7.20");
	device = (struct modbus_options){ .line = "", .address = server.at, .unit_id = 2,
		.timeout = LOOP_S, .connect_timeout = 3 * LOOP_S };
	done = 0;
}

static struct probe *
probed(enum adu_function function, uint16_t address, bool ident)
{
	struct probe_options options = { .device = &device, .function = function,
		.address = address, .identify = ident };
	struct probe *probe = probe_new(loop, &options, on_done, &done);

	CHECK_INT(done, 0);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(done, 1);
	return probe;
}

static void
finish(struct probe *probe)
{
	probe_free(probe);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	loop_free(loop);
	net_sim_reset();
}

static void
reads_the_address_and_its_neighbours(void)
{
	struct probe *probe;

	begin();
	probe = probed(ADU_HOLDING_REGISTERS, 100, false);
	CHECK_STR(server.log, "u2:f3@99+4 u2:f3@100+4 u2:f3@101+4");
	for (unsigned i = 0; i < 3; i++) {
		CHECK_INT(result->at[i].count, 4);
		CHECK_INT(result->at[i].address, 99 + i);
		CHECK_INT(result->at[i].bytes[0] << 8 | result->at[i].bytes[1],
			server_register(2, (uint16_t)(99 + i)));
	}
	finish(probe);
}

/* The register behind 602 is cleared by being read, and the one before it belongs elsewhere. */
static void
does_not_read_across_a_barrier(void)
{
	static const struct block_barrier barriers[] = { { 4, 603 }, { 4, 604 }, { 0, 600 } };
	struct probe *probe;

	begin();
	device.barriers = barriers;
	device.barrier_count = 3;
	probe = probed(ADU_INPUT_REGISTERS, 602, false);
	CHECK_STR(server.log, "u2:f4@601+2 u2:f4@602+1");
	CHECK_STR(result->at[2].why, "a barrier is in between");
	CHECK_INT(result->at[2].count, 0);
	finish(probe);
	begin();
	device.barriers = barriers;
	device.barrier_count = 3;
	probe = probed(ADU_INPUT_REGISTERS, 603, false);
	CHECK_STR(server.log, "u2:f4@603+1");
	finish(probe);
}

static void
stays_within_the_address_space(void)
{
	struct probe *probe;

	begin();
	probe = probed(ADU_INPUT_REGISTERS, 0, false);
	CHECK_STR(server.log, "u2:f4@0+4 u2:f4@1+4");
	CHECK(!result->at[0].possible);
	finish(probe);
	begin();
	probe = probed(ADU_INPUT_REGISTERS, 65535, false);
	CHECK_STR(server.log, "u2:f4@65534+2 u2:f4@65535+1");
	CHECK(!result->at[2].possible);
	finish(probe);
	begin();
	probe = probed(ADU_COILS, 7, false);
	CHECK_STR(server.log, "u2:f1@6+16 u2:f1@7+16 u2:f1@8+16");
	finish(probe);
}

static bool
only_100(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];

	if (request->address == 100 && request->count <= 2)
		return false;
	server_send(self, request, answer, server_exception(request, 2, answer));
	return true;
}

static void
takes_what_it_can_get(void)
{
	struct probe *probe;

	begin();
	server.special = only_100;
	probe = probed(ADU_HOLDING_REGISTERS, 100, false);
	CHECK_STR(server.log, "u2:f3@99+4 u2:f3@99+2 u2:f3@99+1 u2:f3@100+4 u2:f3@100+2 "
		"u2:f3@101+4 u2:f3@101+2 u2:f3@101+1");
	CHECK_INT(result->at[0].count, 0);
	CHECK_STR(result->at[0].why, "exception 2 (illegal data address)");
	CHECK_INT(result->at[1].count, 2);
	CHECK_INT(result->at[2].count, 0);
	finish(probe);
}

static bool
silent(struct server *self, const struct server_request *request)
{
	(void)self;
	(void)request;
	return true;
}

static void
asks_a_silent_device_once(void)
{
	struct probe *probe;

	begin();
	server.special = silent;
	probe = probed(ADU_HOLDING_REGISTERS, 100, true);
	CHECK_STR(server.log, "u2:f3@99+4");
	CHECK_STR(result->at[0].why, "no answer");
	CHECK_STR(result->at[2].why, "not asked any more");
	finish(probe);
}

/* ---- a server that identifies itself, or pretends to ---- */

static unsigned asked_43, asked_17;
static int manner; /* 0 in two parts, 1 refuses, 2 more follows for ever, 3 broken lengths */

static void
receive(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	uint8_t frame[64] = { data[0], data[1], 0, 0, 0, 0, data[6], data[7] };
	static const uint8_t vendor[] = { 14, 1, 1, 0xFF, 1, 1, 0, 4, 'W', 'A', 'G', 'O' };
	static const uint8_t product[] = { 14, 1, 1, 0, 0, 1, 1, 3, '8', 0x07, '1' };
	static const uint8_t endless[] = { 14, 1, 1, 0xFF, 0, 1, 0, 1, 'x' };
	static const uint8_t broken[] = { 14, 1, 1, 0, 0, 1, 0, 200, 'x' };
	const uint8_t *body = NULL;
	size_t body_size = 0;

	(void)arg;
	CHECK(size >= 8);
	if (data[7] == 43) {
		asked_43++;
		CHECK_INT(size, 11);
		CHECK_INT(data[8], 14);
		body = manner == 2 ? endless : manner == 3 ? broken : data[10] == 0 ? vendor : product;
		body_size = manner == 2 ? sizeof(endless) : manner == 3 ? sizeof(broken) :
			    data[10] == 0 ? sizeof(vendor) : sizeof(product);
	} else if (data[7] == 17) {
		asked_17++;
		body = (const uint8_t *)"\x03" "ab\xFF";
		body_size = 4;
	}
	if (body == NULL || (manner == 1 && data[7] == 43)) {
		frame[7] |= 0x80;
		frame[8] = 1;
		body_size = 1;
	} else {
		memcpy(frame + 8, body, body_size);
	}
	frame[5] = (uint8_t)(2 + body_size);
	net_sim_send(conn, frame, 8 + body_size, 0);
}

static struct probe *
identified(int how)
{
	static const struct net_sim_server events = { NULL, receive, NULL };

	begin();
	net_sim_tcp(&server.at, &events, NULL);
	asked_43 = asked_17 = 0;
	manner = how;
	return probed(ADU_HOLDING_REGISTERS, 100, true);
}

static void
reads_the_identification_in_parts(void)
{
	struct probe *probe = identified(0);

	CHECK_INT(result->object_count, 2);
	CHECK_STR(result->objects[0].text, "WAGO");
	CHECK_STR(probe_object_name(result->objects[1].id), "ProductCode");
	CHECK_STR(result->objects[1].text, "8?1");
	CHECK_STR(result->identify_why, "");
	CHECK_STR(result->server_id, "ab?");
	CHECK_INT(asked_43, 2);
	finish(probe);
}

static void
stops_at_the_first_refusal(void)
{
	struct probe *probe = identified(1);

	CHECK_INT(asked_43, 1);
	CHECK_INT(asked_17, 1);
	CHECK_INT(result->object_count, 0);
	CHECK_STR(result->identify_why, "exception 1 (illegal function)");
	finish(probe);
}

static void
does_not_follow_more_follows_for_ever(void)
{
	finish(identified(2));
	CHECK_INT(asked_43, 1); /* the next object is the first again: no progress */
}

static void
does_not_trust_the_lengths_of_objects(void)
{
	struct probe *probe = identified(3);

	CHECK_INT(result->object_count, 0);
	CHECK_STR(result->identify_why, "an answer with broken lengths");
	CHECK_INT(asked_17, 1);
	finish(probe);
}

struct wanted {
	const char *type, *order, *text;
	bool seen;
};

static void
on_decoding(const char *type, const char *order, const char *text, void *arg)
{
	for (struct wanted *wanted = arg; wanted->type != NULL; wanted++) {
		if (strcmp(type, wanted->type) != 0 || strcmp(order, wanted->order) != 0)
			continue;
		CHECK_STR(text, wanted->text);
		CHECK(!wanted->seen);
		wanted->seen = true;
		return;
	}
}

static void
count_decodings(const char *type, const char *order, const char *text, void *arg)
{
	CHECK(type != NULL && order != NULL && text != NULL);
	++*(unsigned *)arg;
}

static void
shows_all_decodings_side_by_side(void)
{
	struct probe_reading reading = { .count = 4,
		.bytes = { 0x47, 0xF1, 0x20, 0x60, 'A', 'B', 'C', 0 } };
	struct wanted wanted[] = { { "u16", "AB", "18417", false }, { "u16", "BA", "61767", false },
		{ "f32", "ABCD", "123456.75", false }, { "u32", "CDAB", "543180785", false },
		{ "u64", "ABCDEFGH", "5183960243863962368", false }, { NULL, NULL, NULL, false } };
	unsigned count = 0;

	probe_decodings(&reading, on_decoding, wanted);
	for (size_t i = 0; wanted[i].type != NULL; i++)
		CHECK(wanted[i].seen);
	probe_decodings(&reading, count_decodings, &count);
	CHECK_INT(count, 2 * 2 + 3 * 4 + 3 * 8 + 2 + 4 + 2 + 2 + 4); /* halves, f16, sm16, sm32 */
	reading.count = 1;
	count = 0;
	probe_decodings(&reading, count_decodings, &count);
	CHECK_INT(count, 2 * 2 + 2 + 4 + 2 + 2); /* 16 bits, a string of two letters, ... */
}

static void
shows_digits_only_where_there_are_some(void)
{
	struct probe_reading reading = { .count = 3, .bytes = { 0x12, 0x34, 0x01, 0x02, 0x00, 0x03 } };
	struct wanted wanted[] = { { "bcd16", "AB", "1234", false }, { "bcd16", "BA", "3412", false },
		{ "bcd32", "ABCD", "12340102", false }, { "m10k48", "ABCDEF", "466002580003", false },
		{ "u8h", "AB", "18", false }, { "u8l", "AB", "52", false },
		{ NULL, NULL, NULL, false } };

	probe_decodings(&reading, on_decoding, wanted);
	for (size_t i = 0; wanted[i].type != NULL; i++)
		CHECK(wanted[i].seen);
}

RUN_TESTS(TEST(reads_the_address_and_its_neighbours), TEST(does_not_read_across_a_barrier),
	TEST(stays_within_the_address_space),
	TEST(takes_what_it_can_get), TEST(asks_a_silent_device_once),
	TEST(reads_the_identification_in_parts), TEST(stops_at_the_first_refusal),
	TEST(does_not_follow_more_follows_for_ever),
	TEST(does_not_trust_the_lengths_of_objects), TEST(shows_all_decodings_side_by_side), TEST(shows_digits_only_where_there_are_some))

/* What comes back on a Modbus line, octet for octet from the fuzzer: the line on the network in
 * memory. The input is a row of pieces, [how][length][octets]; one or more of them answer each
 * question. `how`: bit 0 the question's own ids are written over the first octets, bit 1 CRC
 * behind it, bit 2 one more piece for the same question, bit 3 FIN behind it, bits 4-7 a pause
 * in steps of 100 ms.
 *
 * Each question ends once, with a size that is right; and when an honest server takes over, the
 * line has its values again within two polls. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "fuzz/targets.h"
#include "modbus/adu.h"
#include "modbus/line.h"

enum { QUESTIONS = 12 };
#define POLL (10 * LOOP_S)

struct script {
	const uint8_t *at, *end;
	bool honest;
	enum adu_framing framing;
};

static struct loop *loop;
static unsigned ended;
static enum line_outcome outcome;
static size_t right_size;

/* Takes the place of the answer's first octets: ids, function, and the size of what follows. */
static void
forge_head(struct script *script, uint8_t *bytes, size_t size, const uint8_t *question)
{
	bool rtu = script->framing == ADU_RTU;
	size_t head = rtu ? 2 : 8;

	memcpy(bytes, question, size < head ? size : head);
	if (!rtu && size > 6) {
		bytes[4] = (uint8_t)((size - 6) >> 8);
		bytes[5] = (uint8_t)(size - 6);
	}
}

static size_t
seal(uint8_t *bytes, size_t size)
{
	uint16_t crc = adu_crc(bytes, size);

	bytes[size] = (uint8_t)crc;
	bytes[size + 1] = (uint8_t)(crc >> 8);
	return size + 2;
}

static void
answer_honestly(struct script *script, struct net_sim_conn *conn, const uint8_t *question)
{
	bool rtu = script->framing == ADU_RTU;
	const uint8_t *pdu = question + (rtu ? 1 : 7);
	size_t head = rtu ? 1 : 7, data = pdu[0] <= 2 ? (size_t)((pdu[3] << 8 | pdu[4]) + 7) / 8 :
		(size_t)(pdu[3] << 8 | pdu[4]) * 2;
	uint8_t bytes[300] = { 0 };

	forge_head(script, bytes, head + 2 + data, question);
	bytes[head] = pdu[0];
	bytes[head + 1] = (uint8_t)data;
	net_sim_send(conn, bytes, rtu ? seal(bytes, head + 2 + data) : head + 2 + data, 0);
}

static void
received(struct net_sim_conn *conn, const uint8_t *question, size_t size, void *arg)
{
	struct script *script = arg;
	int64_t delay = 0;
	bool more = true;

	expect(size == (script->framing == ADU_RTU ? 8u : 12u));
	if (script->honest) {
		answer_honestly(script, conn, question);
		return;
	}
	while (more && script->end - script->at >= 2) {
		uint8_t bytes[300], how = script->at[0];
		size_t length = script->at[1], left = (size_t)(script->end - script->at) - 2;

		length = length > left ? left : length;
		memcpy(bytes, script->at + 2, length);
		script->at += 2 + length;
		if (how & 1)
			forge_head(script, bytes, length, question);
		if (how & 2)
			length = seal(bytes, length);
		delay += (how >> 4) * 100 * LOOP_MS;
		if (length > 0)
			net_sim_send(conn, bytes, length, delay);
		more = how & 4;
		if (how & 8) {
			net_sim_close(conn, 0, delay);
			more = false;
		}
	}
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	(void)request, (void)arg;
	ended++;
	outcome = result->outcome;
	expect(outcome != LINE_ANSWER || (result->data != NULL && result->size == right_size));
	expect(outcome == LINE_ANSWER || result->why != NULL);
}

static enum line_outcome
ask(struct line_request *request)
{
	unsigned before = ended;

	right_size = request->function <= ADU_DISCRETE_INPUTS ? (request->count + 7u) / 8 :
		request->count * 2u;
	line_send(request);
	loop_sim_for(loop, POLL);
	expect(ended == before + 1);
	return outcome;
}

/* A server that closes what it has just accepted is left alone for a minute. */
static void
wait_if_crowded(const struct lines *lines)
{
	struct line_look look;

	if (lines_look(lines, "fuzzed", &look) && look.crowded)
		loop_sim_for(loop, 60 * LOOP_S);
}

static int
fuzz_line(enum adu_framing framing, const uint8_t *data, size_t size)
{
	static const struct net_sim_server server = { NULL, received, NULL };
	static const struct { enum adu_function function; uint16_t address, count; } asked[] = {
		{ ADU_HOLDING_REGISTERS, 100, 2 }, { ADU_COILS, 0x0300, 24 },
		{ ADU_INPUT_REGISTERS, 0, 100 }, { ADU_DISCRETE_INPUTS, 7, 3 } };
	struct script script = { data, data + size, false, framing };
	struct line_options options = { .name = "fuzzed", .framing = framing,
		.retry_within = POLL };
	struct line_unit unit = { .id = 5 };
	struct line_request request = { .unit = &unit, .timeout = LOOP_S, .done = on_done };
	struct lines *lines;
	struct fail why;
	unsigned polls;

	net_sim_reset();
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(&why);
	lines = lines_new(loop);
	expect(net_addr_parse("10.1.7.7", 502, &options.address, &why) == 0);
	net_sim_tcp(&options.address, &server, &script);
	line_join(lines, &options, &unit);
	for (unsigned i = 0; i < QUESTIONS && (i == 0 || script.end - script.at >= 2); i++) {
		request.function = asked[i % 4].function;
		request.address = asked[i % 4].address;
		request.count = asked[i % 4].count;
		ask(&request);
	}
	script.honest = true;
	wait_if_crowded(lines);
	for (polls = 0; polls < 3 && ask(&request) != LINE_ANSWER; polls++)
		wait_if_crowded(lines);
	expect(polls < 3);
	line_leave(&unit);
	lines_free(lines);
	loop_free(loop);
	return 0;
}

int
fuzz_mbap(const uint8_t *data, size_t size)
{
	return fuzz_line(ADU_MBAP, data, size);
}

int
fuzz_rtu(const uint8_t *data, size_t size)
{
	return fuzz_line(ADU_RTU, data, size);
}

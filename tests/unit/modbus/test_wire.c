/* What can reach a PLC at all: every function, unit and question that can be written down is put
 * to every call that asks somebody, and the judge is who gets the octets. */
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"
#include "fake/loop_sim.h"
#include "modbus/guest.h"
#include "modbus/line.h"
#include "modbus/modbus.h"
#include "modbus/probe.h"
#include "server.h"

enum { ILLEGAL_FUNCTION = 1, MEI = 43, SERVER_ID = 17, DEVICE_IDENTIFICATION = 14 };

static struct {
	struct loop *loop;
	struct net_addr at;
	bool rtu;
	unsigned got[256];       /* frames by function */
	unsigned units[256];     /* and by unit */
	unsigned wrong;          /* of them: no legal frame, or one that is not for reading */
	unsigned done;
} wire;

/* Unit and PDU of a frame; 0: it is none. */
static size_t
unwrap(const uint8_t *data, size_t size, const uint8_t **unit)
{
	if (wire.rtu) {
		*unit = data;
		return size >= 4 && server_crc(data, size - 2) == (data[size - 2] |
			data[size - 1] << 8) ? size - 2 : 0;
	}
	*unit = data + 6;
	return size >= 8 && data[2] == 0 && data[3] == 0 &&
		(size_t)(data[4] << 8 | data[5]) == size - 6 ? size - 6 : 0;
}

static bool
is_reading(const uint8_t *unit, size_t size)
{
	const uint8_t *pdu = unit + 1;

	if (unit[0] == 0 || (wire.rtu && unit[0] > 247))
		return false;
	switch (pdu[0]) {
	case 1:
	case 2:
	case 3:
	case 4:
		return size == 6;
	case MEI:
		return size == 5 && pdu[1] == DEVICE_IDENTIFICATION;
	case SERVER_ID:
		return size == 2;
	default:
		return false;
	}
}

/* Refuses everything, so that each question costs one exchange. */
static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	const uint8_t *unit;
	size_t length = unwrap(data, size, &unit);
	struct server_request request = { .conn = conn, .rtu = wire.rtu };
	uint8_t answer[260];

	(void)arg;
	if (length == 0 || !is_reading(unit, length)) {
		wire.wrong++;
		return;
	}
	wire.got[unit[1]]++;
	wire.units[unit[0]]++;
	request.tid = wire.rtu ? 0 : (uint16_t)(data[0] << 8 | data[1]);
	request.unit = unit[0];
	request.function = unit[1];
	net_sim_send(conn, answer, server_exception(&request, ILLEGAL_FUNCTION, answer), 0);
}

static void
begin(bool rtu)
{
	static const struct net_sim_server events = { .received = received };
	struct fail why;

	memset(&wire, 0, sizeof wire);
	wire.rtu = rtu;
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	wire.loop = loop_new(NULL);
	CHECK(net_addr_parse("10.1.7.20", 502, &wire.at, &why) == 0);
	net_sim_tcp(&wire.at, &events, NULL);
}

static void
finish(void)
{
	CHECK_INT(wire.wrong, 0);
	CHECK_INT(net_sim_tcp_open(&wire.at), 0);
	loop_free(wire.loop);
	net_sim_reset();
}

/* Nothing but these functions has come, and each unit that there may be was asked so often. */
static void
check_wire(unsigned reads, unsigned identifications, unsigned server_ids)
{
	for (unsigned function = 0; function < 256; function++)
		CHECK_INT(wire.got[function], function >= 1 && function <= 4 ? reads :
			function == MEI ? identifications : function == SERVER_ID ? server_ids : 0);
	CHECK_INT(wire.units[0], 0);
}

/* ---- a request of the line itself ---- */

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	(void)request;
	(void)arg;
	CHECK(result->outcome == LINE_EXCEPTION || result->outcome == LINE_BAD_REPLY);
	wire.done++;
}

static void
ask(struct line_request *request)
{
	unsigned before = wire.done;

	line_send(request);
	for (int i = 0; i < 1000 && wire.done == before; i++)
		loop_sim_for(wire.loop, LOOP_MS);
	CHECK_INT(wire.done, before + 1);
}

static void
ask_everything(struct lines *lines, uint8_t id)
{
	struct line_options options = { .name = "plc", .address = wire.at,
		.framing = wire.rtu ? ADU_RTU : ADU_MBAP, .quiet = LOOP_MS,
		.retry_within = LOOP_S };
	struct line_unit unit = { .id = id };
	struct line_request request = { .unit = &unit, .done = on_done, .timeout = LOOP_S,
		.address = 100, .count = 1 };

	line_join(lines, &options, &unit);
	for (unsigned number = 0; number < 256; number++) {
		request.question = LINE_READ;
		request.function = (enum adu_function)number;
		ask(&request);
		request.question = LINE_IDENTIFY;
		request.code = (uint8_t)number;
		request.object = (uint8_t)(255 - number);
		ask(&request);
	}
	request.question = LINE_SERVER_ID;
	ask(&request);
	line_leave(&unit);
}

static void
a_line_asks_for_nothing_but_reading(void)
{
	for (int rtu = 0; rtu <= 1; rtu++) {
		unsigned units = rtu ? 247 : 255;
		struct line_unit keep = { .id = 1 };
		struct lines *lines;

		begin(rtu);
		lines = lines_new(wire.loop);
		line_join(lines, &(struct line_options){ .name = "plc", .address = wire.at,
			.framing = rtu ? ADU_RTU : ADU_MBAP, .quiet = LOOP_MS }, &keep);
		for (unsigned id = 0; id < 256; id++)
			ask_everything(lines, (uint8_t)id);
		CHECK_INT(wire.done, 256 * (2 * 256 + 1));
		check_wire(units, 4 * units, units);
		for (unsigned id = 1; id <= units; id++)
			CHECK_INT(wire.units[id], 4 + 4 + 1);
		line_leave(&keep);
		lines_free(lines);
		finish();
	}
}

/* ---- what tools may ask, over the daemon's connection and on their own ---- */

static void
on_guest(const struct line_result *result, void *arg)
{
	(void)arg;
	CHECK(result->outcome == LINE_EXCEPTION || result->outcome == LINE_BAD_REPLY);
	wire.done++;
}

static void
a_guest_asks_for_nothing_but_reading(void)
{
	struct modbus_options device = { .line = "", .timeout = LOOP_S, .unit_id = 5 };
	struct modbus *modbus;

	begin(false);
	device.address = wire.at;
	modbus = modbus_new(wire.loop);
	for (unsigned n = 0; n < 256 * 6; n++) {
		struct guest_question question = { .question = (enum line_question)(n % 6),
			.function = (enum adu_function)(n / 6), .address = 7, .count = 1,
			.code = (uint8_t)(n / 6), .object = (uint8_t)n, .unit = (uint8_t)(n % 7) };
		unsigned before = wire.done;

		guest_ask(modbus, &device, &question, on_guest, NULL);
		for (int i = 0; i < 1000 && wire.done == before; i++)
			loop_sim_for(wire.loop, LOOP_MS);
		CHECK_INT(wire.done, before + 1);
	}
	/* What is none of the three questions is a read, and held to the same four functions. */
	check_wire(4, 4, 256);
	modbus_end(modbus);
	finish();
}

static void
on_probe(const struct probe_result *result, void *arg)
{
	(void)result;
	(void)arg;
	wire.done++;
}

static void
a_probe_asks_for_nothing_but_reading(void)
{
	struct modbus_options device = { .line = "", .timeout = LOOP_S, .unit_id = 5 };

	begin(false);
	device.address = wire.at;
	for (unsigned function = 0; function < 256; function++) {
		struct probe_options options = { .device = &device, .address = 100,
			.function = (enum adu_function)function, .identify = true };
		unsigned before = wire.done;
		struct probe *probe = probe_new(wire.loop, &options, on_probe, NULL);

		for (int i = 0; i < 1000 && wire.done == before; i++)
			loop_sim_for(wire.loop, LOOP_MS);
		CHECK_INT(wire.done, before + 1);
		probe_free(probe);
	}
	for (unsigned function = 0; function < 256; function++)
		CHECK((wire.got[function] > 0) == ((function >= 1 && function <= 4) ||
			function == MEI || function == SERVER_ID));
	finish();
}

RUN_TESTS(TEST(a_line_asks_for_nothing_but_reading), TEST(a_guest_asks_for_nothing_but_reading),
	TEST(a_probe_asks_for_nothing_but_reading))

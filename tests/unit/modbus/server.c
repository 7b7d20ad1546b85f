#include "server.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "../check.h"

uint16_t
server_register(uint8_t unit, uint16_t address)
{
	return (uint16_t)(unit * 1000 + address);
}

size_t
server_answer(const struct server_request *request, uint8_t *to)
{
	bool bits = request->function <= 2;
	size_t bytes = bits ? (request->count + 7u) / 8 : request->count * 2u;
	const uint8_t head[] = { (uint8_t)(request->tid >> 8), (uint8_t)request->tid, 0, 0,
		(uint8_t)((bytes + 3) >> 8), (uint8_t)(bytes + 3), request->unit,
		request->function, (uint8_t)bytes };

	memset(to, 0, 260);
	memcpy(to, head, sizeof(head));
	for (unsigned i = 0; i < request->count; i++) {
		uint16_t value = server_register(request->unit, (uint16_t)(request->address + i));

		if (bits) {
			to[9 + i / 8] |= (uint8_t)((value & 1) << i % 8);
		} else {
			to[9 + 2 * i] = (uint8_t)(value >> 8);
			to[10 + 2 * i] = (uint8_t)value;
		}
	}
	return 9 + bytes;
}

size_t
server_exception(const struct server_request *request, uint8_t code, uint8_t *to)
{
	const uint8_t frame[] = { (uint8_t)(request->tid >> 8), (uint8_t)request->tid, 0, 0, 0, 3,
		request->unit, (uint8_t)(request->function | 0x80), code };

	memcpy(to, frame, sizeof(frame));
	return sizeof(frame);
}

void
server_send(struct server *server, const struct server_request *request, const void *bytes,
	size_t size)
{
	net_sim_send(request->conn, bytes, size, server->delay);
}

static void
accepted(struct net_sim_conn *conn, void *arg)
{
	struct server *server = arg;

	(void)conn;
	server->accepted++;
}

static void
closed(struct net_sim_conn *conn, void *arg)
{
	struct server *server = arg;

	(void)conn;
	server->closed++;
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	struct server *server = arg;
	struct server_request request = { .conn = conn };
	uint8_t answer[260];

	server->requests++;
	request.number = server->requests;
	if (size != 12 || data[2] != 0 || data[3] != 0 || data[4] != 0 || data[5] != 6 ||
		data[6] == 0 || data[7] < 1 || data[7] > 4) {
		server->malformed++;
		return;
	}
	request.tid = (uint16_t)(data[0] << 8 | data[1]);
	request.unit = data[6];
	request.function = data[7];
	request.address = (uint16_t)(data[8] << 8 | data[9]);
	request.count = (uint16_t)(data[10] << 8 | data[11]);
	server->last = request;
	if (strlen(server->log) + 32 < sizeof(server->log))
		snprintf(server->log + strlen(server->log), 32, "%su%d:f%d@%d+%d",
			server->log[0] != '\0' ? " " : "", request.unit, request.function,
			request.address, request.count);
	if (server->special == NULL || !server->special(server, &request))
		server_send(server, &request, answer, server_answer(&request, answer));
}

void
server_start(struct server *server, struct loop *loop, const char *address)
{
	static const struct net_sim_server events = { accepted, received, closed };
	struct fail why;

	CHECK(net_addr_parse(address, 502, &server->at, &why) == 0);
	server->loop = loop;
	net_sim_tcp(&server->at, &events, server);
}

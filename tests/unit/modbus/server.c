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

/* Bit by bit from the polynomial of the specification, the way its text tells it. */
uint16_t
server_crc(const uint8_t *bytes, size_t size)
{
	unsigned crc = 0xFFFF;

	for (size_t bit = 0; bit < 8 * size; bit++) {
		unsigned in = (unsigned)bytes[bit / 8] >> bit % 8 & 1, out = (crc & 1) ^ in;

		crc >>= 1;
		if (out != 0)
			crc ^= 0xA001;
	}
	return (uint16_t)crc;
}

size_t
server_seal(uint8_t *bytes, size_t size)
{
	uint16_t crc = server_crc(bytes, size);

	bytes[size] = (uint8_t)crc;
	bytes[size + 1] = (uint8_t)(crc >> 8);
	return size + 2;
}

/* What stands before the function; the size that a TCP header tells is that of unit and PDU. */
static size_t
put_head(const struct server_request *request, size_t size, uint8_t *to)
{
	const uint8_t head[] = { (uint8_t)(request->tid >> 8), (uint8_t)request->tid, 0, 0,
		(uint8_t)(size >> 8), (uint8_t)size, request->unit };

	if (request->rtu) {
		to[0] = request->unit;
		return 1;
	}
	memcpy(to, head, sizeof(head));
	return sizeof(head);
}

size_t
server_answer(const struct server_request *request, uint8_t *to)
{
	bool bits = request->function <= 2;
	size_t bytes = bits ? (request->count + 7u) / 8 : request->count * 2u, at;

	memset(to, 0, 260);
	at = put_head(request, bytes + 3, to);
	to[at++] = request->function;
	to[at++] = (uint8_t)bytes;
	for (unsigned i = 0; i < request->count; i++) {
		uint16_t value = server_register(request->unit, (uint16_t)(request->address + i));

		if (bits) {
			to[at + i / 8] |= (uint8_t)((value & 1) << i % 8);
		} else {
			to[at + 2 * i] = (uint8_t)(value >> 8);
			to[at + 1 + 2 * i] = (uint8_t)value;
		}
	}
	return request->rtu ? server_seal(to, at + bytes) : at + bytes;
}

size_t
server_exception(const struct server_request *request, uint8_t code, uint8_t *to)
{
	size_t at = put_head(request, 3, to);

	to[at++] = (uint8_t)(request->function | 0x80);
	to[at++] = code;
	return request->rtu ? server_seal(to, at) : at;
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

	server->accepted++;
	if (server->full)
		net_sim_close(conn, 0, 0);
}

static void
closed(struct net_sim_conn *conn, void *arg)
{
	struct server *server = arg;

	(void)conn;
	server->closed++;
}

static bool
take_apart(const struct server *server, const uint8_t *data, size_t size,
	struct server_request *request)
{
	const uint8_t *pdu = data + (server->rtu ? 1 : 7);

	if (server->rtu && (size != 8 || server_crc(data, 6) != (data[6] | data[7] << 8)))
		return false;
	if (!server->rtu &&
		(size != 12 || data[2] != 0 || data[3] != 0 || data[4] != 0 || data[5] != 6))
		return false;
	request->rtu = server->rtu;
	request->tid = server->rtu ? 0 : (uint16_t)(data[0] << 8 | data[1]);
	request->unit = pdu[-1];
	request->function = pdu[0];
	request->address = (uint16_t)(pdu[1] << 8 | pdu[2]);
	request->count = (uint16_t)(pdu[3] << 8 | pdu[4]);
	return request->unit != 0 && request->function >= 1 && request->function <= 4;
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	struct server *server = arg;
	struct server_request request = { .conn = conn };
	uint8_t answer[260];

	server->requests++;
	request.number = server->requests;
	if (!take_apart(server, data, size, &request)) {
		server->malformed++;
		return;
	}
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
	server_start_on(server, loop, address, 502);
}

void
server_start_on(struct server *server, struct loop *loop, const char *address, uint16_t port)
{
	static const struct net_sim_server events = { accepted, received, closed };
	struct fail why;

	CHECK(net_addr_parse(address, port, &server->at, &why) == 0);
	server->loop = loop;
	net_sim_tcp(&server->at, &events, server);
}

/* server.h - a Modbus server in the simulated network, for the tests of line and driver.
 *
 * Takes requests apart and builds answers with code of its own. Register a of unit u reads
 * as server_register(u, a); what else happens is up to the test. */
#ifndef PW_TEST_SERVER_H
#define PW_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../fake/net_sim.h"

struct server_request {
	struct net_sim_conn *conn;
	bool rtu;
	uint16_t tid;
	uint8_t unit, function;
	uint16_t address, count;
	unsigned number; /* of this server, from 1 */
};

struct server {
	struct net_addr at;
	struct loop *loop;
	bool rtu;                /* RTU frames, as behind a serial server */
	bool full;               /* closes what it accepts, before it reads */
	int64_t delay;           /* of each answer, before it goes out */
	/* What to do with a request; NULL or returning false: the right answer. */
	bool (*special)(struct server *server, const struct server_request *request);
	int state;               /* for special */
	unsigned requests, accepted, closed, malformed, busy_most;
	struct server_request last;
	char log[4096];          /* "u3:f3@100+2 " per request */
};

uint16_t server_register(uint8_t unit, uint16_t address);
void server_start(struct server *server, struct loop *loop, const char *address);
void server_start_on(struct server *server, struct loop *loop, const char *address, uint16_t port);
/* The right answer, in full; at most 260 bytes. Returns its length. */
size_t server_answer(const struct server_request *request, uint8_t *to);
size_t server_exception(const struct server_request *request, uint8_t code, uint8_t *to);
/* The two octets that end an RTU frame; by a table of its own. */
uint16_t server_crc(const uint8_t *bytes, size_t size);
/* Puts them behind size octets and returns the size of the frame. */
size_t server_seal(uint8_t *bytes, size_t size);
void server_send(struct server *server, const struct server_request *request,
	const void *bytes, size_t size);
#endif

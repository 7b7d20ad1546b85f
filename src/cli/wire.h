/* wire.h - asks a Modbus device, one question at a time, for the commands that look.
 *
 * While the daemon runs it asks on the daemon's own line, so that nobody takes a second
 * connection; without one it takes the daemon's lock and opens a line of its own. Blocks:
 * for programs of the command line only. Knows reading functions and identification, as the
 * encoder below it does; never writes. */
#ifndef PW_WIRE_H
#define PW_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "modbus/adu.h"
#include "modbus/line.h"
struct fail;
struct inventory;
struct modbus_options;
struct wire;

struct wire_options {
	const struct inventory *inventory;
	const char *device;                  /* its name; NULL: one that is not configured */
	const struct modbus_options *modbus;
	bool beside;       /* a line of its own all the same, also beside the daemon's */
	double max_rate;   /* questions a second; 0: as fast as they are answered */
};

/* NULL and why: the lock is taken and no daemon answers, no loop. */
struct wire *wire_open(const struct wire_options *options, struct fail *why);
void wire_close(struct wire *wire); /* with FIN; NULL is fine */
bool wire_is_daemons(const struct wire *wire);

struct wire_answer {
	enum line_outcome outcome;
	uint8_t code;             /* of an exception */
	uint8_t data[ADU_MAX];
	size_t size;
	int64_t rtt;              /* ns */
	char why[160];            /* "" unless it was not answered */
};

/* Questions from now on are for that unit; before, for the device's. */
void wire_set_unit(struct wire *wire, uint8_t unit);
/* Asks the question of the request (question, function, address, count, code, object), then calls
 * request->done: the hook of probe_options. arg is the wire. */
void wire_send(struct line_request *request, void *arg);

/* Registers from there, as many as 125; true when they came, else answer says why. */
bool wire_registers(struct wire *wire, enum adu_function function, uint16_t address,
	uint16_t count, struct wire_answer *answer);
/* "exception 2 (illegal data address)" or the like; "" when it was answered. */
const char *wire_says(const struct wire_answer *answer, char *to, size_t size);
#endif

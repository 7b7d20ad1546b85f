/* guest.h - one question from outside, asked on the line that polling uses anyway.
 *
 * For tools: a controller may have room for one connection only, and the daemon has it. The
 * question waits its turn behind those of polling and is held to every check of theirs. */
#ifndef PW_GUEST_H
#define PW_GUEST_H

#include "modbus/line.h"
struct guest;
struct modbus;
struct modbus_options;

struct guest_question {
	enum line_question question;
	enum adu_function function; /* LINE_READ */
	uint16_t address, count;
	uint8_t code, object;       /* LINE_IDENTIFY */
	uint8_t unit;               /* 0: the device's own */
};

/* done() is called once, from the loop, and never after guest_cancel; the guest is gone then.
 * The options are needed during the call only. */
struct guest *guest_ask(struct modbus *modbus, const struct modbus_options *device,
	const struct guest_question *question,
	void (*done)(const struct line_result *result, void *arg), void *arg);
void guest_cancel(struct guest *guest); /* NULL is fine */
#endif

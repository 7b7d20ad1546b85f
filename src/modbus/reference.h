/* reference.h - what libmodbus, an independent client, reads of the same registers.
 *
 * For `probe --reference` alone; not in the daemon: libmodbus blocks, so it runs in a child
 * of its own, which an alarm ends. The caller has given up the line before. */
#ifndef PW_REFERENCE_H
#define PW_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"
struct fail;
struct modbus_options;

enum { REFERENCE_VALUES = 16 };

struct reference_read {
	enum adu_function function;
	uint16_t address;
	unsigned count;                    /* 1 to REFERENCE_VALUES */
	unsigned got;                      /* count, or 0 and why */
	uint16_t values[REFERENCE_VALUES]; /* registers, or bits as 0 and 1 */
	char why[80];
};

/* One connection for all of them, in order. -1 and why: no child, not connected, a framing
 * that libmodbus does not speak (RTU over TCP), or TLS. */
int reference_run(const struct modbus_options *device, struct reference_read *reads,
	size_t count, struct fail *why);
#endif

/* probe.h - looks at one address of one device in every way it could be meant.
 *
 * Manuals count from 0 or from 1 and are silent about word order, so it reads the address
 * and its two neighbours and shows all decodings. Asks nothing that was not asked for on
 * the command line: at most nine reads, and only with identify functions 43/14 and 17. */
#ifndef PW_PROBE_H
#define PW_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"
struct line_request;
struct loop;
struct modbus_options;
struct probe;

enum { PROBE_BASES = 3, PROBE_REGISTERS = 4, PROBE_BITS = 16, PROBE_OBJECTS = 32 };

struct probe_options {
	const struct modbus_options *device;
	enum adu_function function; /* 0: no register is read, with identify */
	uint16_t address; /* PDU */
	bool identify;    /* 43/14 basic identification, then 17; each given up when refused */
	/* Asks for it: has request->done called once, also before it returns. NULL: on a line of
	 * its own, which needs the loop. */
	void (*send)(struct line_request *request, void *arg);
	void *send_arg;
};

/* What stood at address - 1, address, address + 1. */
struct probe_reading {
	bool possible;     /* -1 and 65536 are no addresses */
	bool barred;       /* from the address, and so not read; why says it */
	uint16_t address;
	unsigned count;    /* registers or bits from there that could be read; 0: none */
	uint8_t bytes[2 * PROBE_REGISTERS]; /* as on the wire */
	char why[80];      /* when count is 0 */
	int64_t rtt;
};
struct probe_object {
	uint8_t id; /* 0 vendor, 1 product code, 2 revision, ... 6.21.1 of the specification */
	char text[64];
};
struct probe_result {
	struct probe_reading at[PROBE_BASES];
	struct probe_object objects[PROBE_OBJECTS];
	size_t object_count;
	char identify_why[80];  /* when the device gave none */
	bool identify_silent;   /* ... and did not even refuse */
	char server_id[128];
	char server_id_why[80];
};

/* done() is called once, from the loop; the result lives until probe_free. */
struct probe *probe_new(struct loop *loop, const struct probe_options *options,
	void (*done)(const struct probe_result *result, void *arg), void *arg);
void probe_free(struct probe *probe); /* NULL is fine; ends what is under way, with FIN */

/* All numbers and texts that those registers could be, type by type, each order once. */
void probe_decodings(const struct probe_reading *reading,
	void (*each)(const char *type, const char *order, const char *text, void *arg), void *arg);
/* "VendorName" and the like for 0 to 6, else "". */
const char *probe_object_name(uint8_t id);
#endif

/* modbus.h - Modbus as a driver: what the configuration may say of a device, a point.
 *
 * config/ fills these structs; modbus.c reads them. Addresses are PDU addresses, 0-based. */
#ifndef PW_MODBUS_H
#define PW_MODBUS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/cert.h"
#include "base/net.h"
#include "base/tls.h"
#include "modbus/adu.h"
#include "modbus/regs.h"
#include "modbus/serial.h"
struct block_barrier;
struct driver;
struct line_look;
struct lines_sum;
struct loop;

/* Who we are on a line over TLS, and whom we believe. Devices with the same files share it. */
struct modbus_tls {
	struct tls_options pem;
	uint64_t id;            /* of these texts, not 0 */
	const char *certificate; /* its file as configured; "": none */
	struct cert_look look;  /* of ours */
};

struct modbus_options {
	const char *line;        /* name of the `lines` entry, "" for a line of its own */
	struct net_addr address; /* of the line: all devices on one host:port share one line */
	struct serial_options serial; /* with a device: in the place of the address */
	const struct modbus_tls *tls; /* over TLS; else NULL */
	const char *server_name; /* TLS: what the server's certificate has to bear */
	enum adu_framing framing;
	bool local_echo;         /* RTU: the adapter sends back what it is sent */
	int64_t quiet;           /* ns, RTU: silence between frames; 0: the line's own */
	uint8_t unit_id;         /* 1..255, RTU 1..247; 0 is refused */
	int64_t timeout;         /* ns, of one exchange */
	int64_t connect_timeout; /* ns */
	int64_t connect_delay;   /* ns between connected and the first request */
	int64_t request_gap;     /* ns between an answer and the next request */
	double max_rate;         /* questions a second to its host, by whatever line; 0: no limit */
	int64_t close_after;     /* ns of idleness, then FIN; 0 = stay connected */
	uint16_t max_regs;       /* 1..125 */
	uint16_t max_bits;       /* 1..2000 */
	uint16_t max_gap;        /* registers nobody asked for that may fill a block; 0 */
	bool no_merge;           /* each point has a request of its own */
	const struct block_barrier *barriers; /* also those around points with a side effect */
	size_t barrier_count;
	bool connections_known;  /* free_connections was given: it is known how many it has */
	bool never_connect;      /* ... and it has none to spare */
	/* For the estimate of what its line takes (busplan.h). */
	uint32_t baud;           /* of the bus; 0: none is known of */
	uint8_t char_bits;       /* of one character on it, start and stop with them */
	int64_t turnaround;      /* ns before a unit answers */
	int64_t gateway_wait;    /* ns for which a gateway waits for a unit, each time; 0: not known */
	uint8_t gateway_tries;   /* how often it asks */
	const char *file;        /* where the line stands in the configuration */
	int file_line;
};

struct modbus_point {
	uint8_t function; /* 1..4 */
	uint16_t pdu;
	bool separate;    /* never shares a request */
	bool side_effect; /* reading it changes the device: alone, last, and by no other request */
	const char *atomic; /* points of the group with this name are read by one request; or NULL */
	struct regs_spec spec;
	uint8_t bits;     /* counters: 8, 16, 32 or 64 */
	/* Name of the point of the same group that holds the power of ten of this one's value
	 * (SunSpec's sunssf), read in the same poll; NULL: none. */
	const char *scale_from;
	uint64_t wrap;    /* counters that begin again after so many counts; 0: 2^bits, at 64 never */
};

extern const struct driver modbus_driver;
/* What attach gets as env. The lines behind all devices; made by poller_main. */
struct modbus;
struct modbus *modbus_new(struct loop *loop);
/* Closes all lines by FIN. Not called free: libmodbus, in the same program, has that name. */
void modbus_end(struct modbus *modbus);
/* How a line is, by its name (line.h); false: no device that is polled is on it. */
bool modbus_look(const struct modbus *modbus, const char *line, struct line_look *look);
/* The name of the line that such a device is on; returns to. */
const char *modbus_line_name(const struct modbus_options *device, char *to, size_t size);
/* Leaves a line to somebody else for a while, and whether it is left (lines_release in line.h). */
bool modbus_release(struct modbus *modbus, const char *line, int64_t until);
bool modbus_released(const struct modbus *modbus, const char *line, int64_t *until, bool *closed);
struct lines_sum modbus_sum(const struct modbus *modbus);
#endif

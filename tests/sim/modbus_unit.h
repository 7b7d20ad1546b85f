/* modbus_unit.h - one simulated Modbus unit: answers a PDU, rightly or as a fault demands.
 *
 * Knows functions 1-4, 17 and 43/14. Any other function is refused with exception 1 and
 * called a violation: pollwerk must never send one. Knows no sockets. */
#ifndef SIM_MODBUS_UNIT_H
#define SIM_MODBUS_UNIT_H

#include "modbus_regs.h"
#include "sim.h"

#define ADU_MAX 260

/* Probabilities from 0 to 1 unless said otherwise; names and meaning in unit_faults. */
struct unit_faults {
	double dead, drop, delay, jitter, dribble, exception, wrong_tid, wrong_unit,
		wrong_function, wrong_count, fewer, wrong_protocol, length, junk, twice, truncate,
		garbage, close, rst, cut, cut_rst, split, wrong_crc, noise, echo, hold, foreign,
		count;
};
extern const struct fault_name unit_faults[];

/* Addresses that answer with an exception. */
struct bad_range {
	int exception, function; /* function 0: any of 1-4 */
	unsigned from, to;
	struct bad_range *next;
};

struct unit {
	struct regs regs;
	struct unit_faults faults;
	struct bad_range *bad;
	uint8_t held[3 * ADU_MAX]; /* an answer that goes out with the next one */
	size_t held_length;
};

/* A request as it came, and what is to be sent back. */
struct exchange {
	bool rtu;              /* the answer is an RTU frame, without header and with CRC */
	uint8_t request[ADU_MAX];
	size_t request_length; /* MBAP header included, checked by the server */
	uint8_t answer[8 * ADU_MAX];
	size_t length;          /* 0: no answer */
	double delay, dribble;  /* ms, also what no answer would take; ms per octet, 0 at once */
	double split;           /* ms between the two pieces of the answer, 0: in one */
	bool close, rst, violation; /* close, rst: behind what there is to send */
	unsigned function, address, count;
	char done[160];
};

/* Answers x->request as this unit; unit NULL: nobody of that id, exception missing (0: no
 * answer) as a gateway would. */
void unit_answer(struct unit *unit, int missing, struct exchange *x, int64_t now);

/* CRC of RTU frames, by the table-free algorithm of the serial line specification, 6.2.2. */
unsigned rtu_crc(const uint8_t *octets, size_t length);

/* "exception N [FUNCTION FROM TO]": without a range all addresses; N 0 ends all of them. */
bool unit_exception(struct unit *unit, char *words);
void unit_close(struct unit *unit);
#endif

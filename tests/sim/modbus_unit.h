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
		garbage, close, rst, count;
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
};

/* A request as it came, and what is to be sent back. */
struct exchange {
	uint8_t request[ADU_MAX];
	size_t request_length; /* MBAP header included, checked by the server */
	uint8_t answer[3 * ADU_MAX];
	size_t length;          /* 0: no answer */
	double delay, dribble;  /* ms, also what no answer would take; ms per octet, 0 at once */
	bool close, rst, violation;
	unsigned function, address, count;
	char done[160];
};

/* Answers x->request as this unit; unit NULL: nobody of that id, exception missing (0: no
 * answer) as a gateway would. */
void unit_answer(struct unit *unit, int missing, struct exchange *x, int64_t now);

/* "exception N [FUNCTION FROM TO]": without a range all addresses; N 0 ends all of them. */
bool unit_exception(struct unit *unit, char *words);
void unit_close(struct unit *unit);
#endif

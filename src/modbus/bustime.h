/* bustime.h - how long the questions of a line take, before any of them was asked.
 *
 * Characters at the speed of the bus, the pauses between frames, what the network adds, and
 * what a question costs that nobody answers. Frames as in Modbus over Serial Line 1.02, 2.5.1.
 * Pure: times are ns. What is configured on which line is bus_plan.h's business. */
#ifndef PW_BUSTIME_H
#define PW_BUSTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"

#define BUSTIME_NETWORK INT64_C(1000000) /* assumed: there and back within a plant */

struct bustime {
	int64_t character;   /* on the wire; 0: no bus behind it is known of */
	int64_t gap;         /* of silence, at least, before a frame */
	int64_t turnaround;  /* for which a unit thinks */
	int64_t network;     /* there and back; 0 for a tty */
	int64_t request_gap; /* ours, before a question */
	int64_t pace;        /* from one question to the next at least, for the host's sake; 0: none */
	int64_t silence;     /* from a question to the end of waiting for its answer */
};

/* Sets character and gap: 3.5 characters, above 19,200 bit/s 1.75 ms (2.5.1.1). bits: of one
 * character with start, parity and stop; 11 by the standard, 10 without parity. */
void bustime_speed(struct bustime *time, uint32_t baud, unsigned bits);
/* Sets silence. A gateway with a wait of its own asks the unit tries times and then says that
 * there was no answer; without (wait 0) our time-out ends it, and `quiet` of silence after. */
void bustime_silence(struct bustime *time, int64_t timeout, int64_t quiet, int64_t wait,
	unsigned tries);

/* From the end of the one before to the end of the answer. */
int64_t bustime_exchange(const struct bustime *time, enum adu_function function, uint16_t count);
/* The same without an answer. */
int64_t bustime_silent(const struct bustime *time);

/* One unit of a line, summed over what is asked of it. */
struct bustime_unit {
	int64_t round;     /* everything once */
	int64_t silent;    /* the same in the poll in which it falls silent: two time-outs a group */
	double load;       /* of the line, 1 is all of its time */
	double dead_load;  /* when it has been silent for long: one time-out a poll */
};
struct bustime_sum {
	int64_t round;     /* all that is asked, once and in a row, with dead units */
	double load;       /* of the line; above 1 it does not fit */
};
/* The line with its `dead` worst units silent. Sorts units: the worst first. Silent units
 * together get no more than half of a line on which somebody lives (line.c). */
struct bustime_sum bustime_line(struct bustime_unit *units, size_t count, size_t dead);
#endif

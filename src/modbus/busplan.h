/* busplan.h - what a configuration asks of each Modbus line, and whether the line has time.
 *
 * Sums the blocks of all groups of all devices on one host and port, or on one tty
 * (bustime.h). An estimate: turnaround is what the configuration says, the network is
 * assumed; nothing is opened or asked. */
#ifndef PW_BUSPLAN_H
#define PW_BUSPLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/bustime.h"
struct block;
struct group;
struct inventory;
struct modbus_options;

#define BUSPLAN_DEAD 3 /* dead units up to which it is told what they cost */

/* Who is asked no more often than max_rate, by all lines that lead there together. */
struct busplan_host {
	char name[64];        /* the address or the tty */
	double max_rate;      /* questions a second: the lowest that one of its lines has; 0: no limit */
	size_t lines, questions; /* of one round, over all lines */
	double load;          /* of max_rate, 1 is all of it */
	int64_t round;        /* ns that all of them take once */
	int64_t shortest;     /* ns: interval of what is asked most often */
};

struct busplan {
	char name[80];        /* of the line; the tty or host:port of one without a name */
	const struct modbus_options *options; /* of its first device; the inventory's */
	size_t units;         /* devices that ask something */
	size_t questions;     /* of one round: everything once */
	int64_t shortest;     /* ns: interval of what is asked most often */
	struct bustime_sum with[BUSPLAN_DEAD + 1]; /* by dead units */
	size_t told;          /* of them: units, but BUSPLAN_DEAD + 1 at most */
	struct busplan_host host;
	int bearable;         /* dead units with which every poll still ends within its
	                         interval, whatever is due together; -1: not even without */
};

/* One each, the busiest first; free() the array. NULL when nothing is asked by Modbus. */
struct busplan *busplan_make(const struct inventory *inventory, size_t *count);
/* The blocks in which a group of such a device is asked; blocks has room for its points. */
size_t busplan_blocks(const struct modbus_options *options, const struct group *group,
	struct block *blocks);
#endif

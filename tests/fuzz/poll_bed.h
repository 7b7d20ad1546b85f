/* poll_bed.h - the SNMP driver polling one simulated agent on the network in memory, and the
 * agent's true values to hold against what the driver tells. */
#ifndef FUZZ_POLL_BED_H
#define FUZZ_POLL_BED_H

#include <stdbool.h>
#include <stdint.h>
#include "snmp/snmp.h"
struct bed_agent;
struct task;

#define POLL_BED_ROWS 6
extern struct poll_bed {
	struct loop *loop;
	struct snmp *snmp;
	struct bed_agent *agent;
	struct snmp_options options;
	struct snmp_access access;
	struct group *group;
	struct device *device;
	struct task *task;
	void *state, *work;
} bed;

/* Six scalars, or a table of four columns and POLL_BED_ROWS rows. */
void bed_open(bool table, uint8_t version, bool netsnmp);
void bed_close(void);
unsigned bed_wanted(bool table); /* good values in a poll without any damage */
/* Polls (cautious or not, at random) and returns how many values were good. Fails when one of
 * them is not true. */
unsigned bed_poll(void);
/* The same of what the last poll told. */
unsigned bed_compare(void);
#endif

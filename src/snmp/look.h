/* look.h - a first look at an SNMP agent, for people: does it answer, who is it, what of the
 * usual objects does it have.
 *
 * Asks only: the system group, then the interface columns, by the given version; when
 * nothing answers, one request by the other version, because that is the usual mistake (not
 * for version 3). */
#ifndef PW_LOOK_H
#define PW_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/snmp.h"
struct fail;

struct look_result {
	uint8_t reason;           /* REASON_GOOD, or why it could not be read */
	char why[256];
	uint8_t version;          /* that answered: 1, 2 or 3 */
	bool other_version;       /* not the one that was asked for */
	char descr[256], object_id[256], name[256], location[256];
	bool has_uptime;
	double uptime;            /* seconds */
	size_t interfaces;        /* rows with ifOperStatus */
	size_t counters64;        /* of them with 64-bit octets */
	unsigned sent, answered;  /* datagrams */
	int64_t rtt_min, rtt_max; /* ns, of those that were answered */
};

struct snmp_look;
/* done is called once, from the loop; result lives until snmp_look_free. A user
 * of version 3 stays the caller's. */
struct snmp_look *snmp_look_start(struct snmp *snmp, const char *name,
	const struct snmp_options *options,
	void (*done)(const struct look_result *result, void *arg), void *arg, struct fail *why);
void snmp_look_free(struct snmp_look *look); /* NULL is fine */
#endif

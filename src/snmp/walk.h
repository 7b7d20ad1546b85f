/* walk.h - reads a whole subtree of one agent, object by object: for the command line.
 *
 * Uses the same sessions and checks as polling. By GETBULK, or GETNEXT with version 1; a
 * subtree that is a single object is read by GET. Stops where OIDs do not increase. */
#ifndef PW_WALK_H
#define PW_WALK_H

#include <stddef.h>
#include <stdint.h>
#include "snmp/snmp.h"
#include "snmp/value.h"
struct fail;

struct snmp_walk_events {
	void (*object)(const struct varbind *varbind, void *arg);
	/* Once, after the last object. reason is REASON_GOOD when the subtree was read to its
	 * end, else text says in words why not. May free the walk. */
	void (*done)(uint8_t reason, const char *text, void *arg);
	/* One datagram's fate, rtt in ns when answered; may be NULL. */
	void (*exchange)(int answered, int64_t rtt, void *arg);
};

struct snmp_walk;
/* name is for messages; options and root are copied. most: objects after which it stops
 * with REASON_GOOD, 0 for all. Nothing is called before it returns. */
struct snmp_walk *snmp_walk_start(struct snmp *snmp, const char *name,
	const struct snmp_options *options, const struct snmp_oid *root, size_t most,
	const struct snmp_walk_events *events, void *arg, struct fail *why);
void snmp_walk_free(struct snmp_walk *walk); /* ends it without a call; NULL is fine */
#endif

/* scout.h - asks agents that nobody has configured yet: who are you, and which of these objects
 * do you have? For discover.
 *
 * All scouts of a group share a rate: the group sends at most so many requests a second, one
 * after the other, and each scout has one under way. A silent address costs the first request
 * and one repetition. Asks by GET and GETNEXT only. */
#ifndef PW_SCOUT_H
#define PW_SCOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/snmp.h"
struct fail;
struct loop;

struct scouts;
struct scouts *scouts_new(struct loop *loop, struct snmp *snmp, double rate);
void scouts_free(struct scouts *scouts); /* after all its scouts; NULL is fine */

/* One object to look for: a scalar with its .0, or a column, of which any row counts. */
struct scout_object {
	struct snmp_oid oid; /* the caller's, until done */
	bool column;
	bool there; /* the answer: it is, with a value */
};

struct scout_result {
	uint8_t reason;   /* REASON_GOOD: it answers; else why it was given up */
	const char *text; /* otherwise: in words */
	const uint32_t *object_id; /* sysObjectID; count 0: it has none */
	size_t object_id_count;
	char descr[256], name[256]; /* sysDescr, sysName; "" */
};

struct scout;
/* Asks for the identity; known is called once, never inside the call, and after scout_ask
 * again. The result lives until scout_free, which known may call. options and name (for
 * messages) are copied. */
struct scout *scout_new(struct scouts *scouts, const char *name,
	const struct snmp_options *options,
	void (*known)(const struct scout_result *result, void *arg), void *arg, struct fail *why);
/* Looks for the objects, which stay the caller's. reason tells whether it got to the end. */
void scout_ask(struct scout *scout, struct scout_object *objects, size_t count);
void scout_free(struct scout *scout); /* NULL is fine */
#endif

/* forge.h - answers that somebody else makes up, or that lie: one kind at a time, for each
 * question that a simulated agent gets. All numbers in them are false. */
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include <stdbool.h>
struct bed_agent;

/* The first ones come before the true answer, which follows; the last four in its place. */
enum forge_kind {
	FORGE_SOURCE,    /* from another address */
	FORGE_PORT,      /* from another port of the agent */
	FORGE_COMMUNITY,
	FORGE_VERSION,
	FORGE_ID,
	FORGE_PDU,       /* no response but a question, a trap, an inform */
	FORGE_DUPLICATE, /* behind the true answer, once more with other values */
	FORGE_LATE,      /* an answer to a former question */
	FORGE_TRUNCATED,
	FORGE_LONGER,    /* octets behind the end of the message */
	FORGE_OVERSIZED, /* its objects again and again, up to 4,096 */
	FORGE_OID,       /* of other objects */
	FORGE_TYPE,      /* of types that no number has, or that SNMP does not have */
	FORGE_ORDER,     /* the last object first */
	FORGE_KINDS
};
const char *forge_word(enum forge_kind kind);
bool forge_replaces(enum forge_kind kind); /* there is no true answer */
/* From now on; *sent counts the forged datagrams. */
void forge_begin(struct bed_agent *agent, enum forge_kind kind, unsigned long *sent);
void forge_end(struct bed_agent *agent);
#endif

/* receiver.h - who gets the traps, as configured, and how far he has got them.
 *
 * Each receiver has its own queue, pace and patience: a dead one delays nobody. In the order
 * of the numbers; an INFORM waits for its answer (right address and port, id, community, see
 * snmp/mux.h) and is repeated after 1, 2, 4 .. 60 s; a TRAP is sent once. At most 10 notices
 * a second after the first 50: none is dropped for that, only later.
 *
 * By version 3 a TRAP is of our engine (engine.h), an INFORM of the receiver's, which is asked
 * for first, in messages like any other: nothing waits. */
#ifndef PW_RECEIVER_H
#define PW_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
#include "notify/spool.h"
#include "snmp/snmp.h"
struct engine;
struct fail;
struct loop;
struct mux;
struct v3_world;

struct receiver_options {
	const char *name;
	struct net_addr address;
	uint8_t version;       /* 2 (v2c; 0 is taken for it) or 3 */
	const char *community; /* a secret: never logged; NULL of version 3 */
	struct snmp_user user; /* of version 3 */
	bool inform;           /* acknowledged and repeated; else a TRAP is sent once */
	int64_t timeout;       /* ns of one INFORM try, 1 s, doubled up to 60 s */
	uint32_t spool;        /* unacknowledged notices kept, 10,000 */
	const char *enterprise; /* OID of POLLWERK-MIB, "1.3.6.1.4.1.32473.7" */
};

struct receiver_counters {
	uint64_t sent;     /* datagrams, tries included */
	uint64_t done;     /* notices acknowledged, or sent as TRAP */
	uint64_t repeated; /* INFORM tries after the first */
};
struct receiver;

struct receiver_parts {
	struct loop *loop;
	struct mux *mux;
	struct v3_world *world;
	const struct engine *engine; /* NULL: no TRAP of version 3 can be sent */
	const char *poller;        /* poller.name */
	const uint64_t *committed; /* newest journal record on disk */
	/* Everything up to this number is delivered. */
	void (*done)(void *arg, struct receiver *receiver, uint32_t sequence);
	void *arg;
};

/* All texts are copied. NULL and why when the enterprise is no OID of at most 20 arcs. */
struct receiver *receiver_open(const struct receiver_parts *parts,
	const struct receiver_options *options, struct fail *why);
void receiver_close(struct receiver *receiver); /* NULL is fine; what is queued is forgotten */

const char *receiver_name(const struct receiver *receiver);
struct net_addr receiver_address(const struct receiver *receiver);
bool receiver_informs(const struct receiver *receiver);
uint8_t receiver_version(const struct receiver *receiver);
struct receiver_counters receiver_counters(const struct receiver *receiver);
/* It follows another one of its name: counts on from there. */
void receiver_count_on(struct receiver *receiver, const struct receiver *former);
struct spool *receiver_spool(struct receiver *receiver);
/* Whether the newest INFORM is unanswered since `since` (wall ns). */
bool receiver_is_silent(const struct receiver *receiver, int64_t *since);

/* Sends what is committed and due; after a push and after each commit. */
void receiver_kick(struct receiver *receiver);
#endif

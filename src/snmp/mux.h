/* mux.h - one UDP socket for all SNMP devices of an address family, and one for each address that
 * some are to be asked from; finds out whose an answer is.
 *
 * A datagram reaches its request only when it is sound BER (ber.h; see reads_varbinds), carries
 * the request's random id, comes from the address and port that was asked (unless any_source)
 * and names the same version and community (of version 3: proves itself later, v3.h). Everything
 * else is counted and dropped, and the request stays open: whoever guesses must not be able to
 * end it. What is all that but no sound BER leaves a mark on the request for its end. Knows no
 * deadlines and no values. */
#ifndef PW_MUX_H
#define PW_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
struct ber_peek;
struct fail;
struct loop;

/* Who is asked. The caller's; lives longer than its requests. */
struct mux_peer {
	const char *name; /* for the log */
	struct net_addr address;
	uint8_t version; /* enum ber_version */
	const char *community; /* not of version 3 */
	bool any_source;
	const struct net_addr *from; /* ours that it is asked from; NULL: as the system routes */
	struct net_addr stranger; /* the mux's: who answered instead */
	uint8_t strangers;        /* the mux's: so many were told to the log */
	uint32_t wrong_source;    /* the mux's: so often */
};

/* One question under way: a member of what waits for the answer. */
struct mux_request {
	struct mux_peer *peer;
	/* mono is the kernel's receive time. Both may close the request, send anew or free
	 * what it is a member of; the mux touches nothing after the call. */
	void (*answered)(const uint8_t *data, size_t size, const struct ber_peek *peek,
		int64_t mono, void *arg);
	void (*refused)(int error, void *arg); /* an ICMP error: errno's number */
	/* It could not even be sent; must not close. NULL: nobody wants to know. EADDRNOTAVAIL: this
	 * machine has peer->from no more. */
	void (*unsent)(int error, void *arg);
	/* The answer, or what poses as it, is one of some that are dealt with next: fetches what
	 * that needs (base/ahead.h), one pointer deeper at each step from 0 to MUX_STEPS - 1.
	 * NULL: it is alone anyway. */
	void (*ahead)(const struct mux_request *request, unsigned step);
	void *arg;
	uint32_t id;       /* while open: 1 .. 2^31 - 1, random */
	bool open;
	bool reads_varbinds; /* answered() does, and finds out whether they are sound */
	bool wrong_source; /* an answer with this id came from elsewhere */
	bool damaged;      /* one came as it should that cannot be read: see ber_damage, which says */
	uint16_t damage;
	bool patient;      /* need not be answered as soon as can be (net_udp_hurry) */
};

#define MUX_STEPS 9

struct mux;
struct mux_counters {
	uint64_t sent, received, strays, wrong_source, malformed;
	uint64_t dropped; /* by the kernel, for want of room in the receive buffer */
};

struct mux *mux_new(struct loop *loop);
void mux_free(struct mux *mux); /* NULL is fine; all requests are closed by then */

/* Gives the request an id that no other open one has. */
void mux_open(struct mux *mux, struct mux_request *request);
/* Goes out by the end of this turn of the loop. The socket is opened at the first
 * datagram. 0, or -1 and why when none can be had, *error then is errno's number where there is
 * one. An address of ours that is missing is told to the log once, and when it is back. */
int mux_send(struct mux *mux, const struct mux_request *request, const void *data, size_t size,
	int *error, struct fail *why);
void mux_close(struct mux *mux, struct mux_request *request); /* no-op when not open */

/* Who wants to know how many answers came from an address while nobody waited for them holds
 * it; all who hold one address share the count. Where nobody does, strays cost nothing more. */
struct mux_source;
struct mux_source *mux_source_hold(struct mux *mux, const struct net_addr *address);
void mux_source_release(struct mux *mux, struct mux_source *source); /* NULL is fine */
uint64_t mux_source_strays(const struct mux_source *source); /* since it is held */

/* Some are going to be asked from there: finds out now whether the machine has the address. */
void mux_prepare(struct mux *mux, const struct net_addr *from);
/* The same for all those, now and then: without the address IPv6 goes out all the same. */
void mux_look(struct mux *mux);
/* The addresses among them that it does not have, one a call, NULL at the end; *at is 0 at first. */
const struct net_addr *mux_missing(const struct mux *mux, size_t *at);

struct mux_counters mux_counters(const struct mux *mux);
/* An answer that passed here but was not understood after all. */
void mux_count_malformed(struct mux *mux);
/* The same of an answer to this request, which stays open. damage: as ber_damage. */
void mux_damaged(struct mux *mux, struct mux_request *request, int damage);
void mux_tap(struct mux *mux,
	void (*tap)(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size,
		int64_t mono, void *arg), void *arg);
#endif

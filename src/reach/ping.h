/* ping.h - asks "are you there" by ICMP echo and knows its own answers.
 *
 * One 56-byte echo per request. Whoever asks decides how often; answers are taken only
 * from the address asked and with the payload sent, so neither another pinger's answers nor
 * late ones of our own are mistaken. */
#ifndef PW_PING_H
#define PW_PING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
struct fail;
struct loop;
struct ping;

/* Takes inherited ICMP sockets, -1 where there is none. */
struct ping *ping_new(struct loop *loop, int icmp4, int icmp6);
void ping_free(struct ping *ping); /* after every echo has ended or was cancelled */
/* Is there a socket for that family? */
bool ping_possible(const struct ping *ping, uint8_t family);

/* Member of the thing that asks. */
struct ping_echo {
	struct ping_echo *next, *prev; /* ping's */
	struct ping *ping;
	struct net_addr to;            /* port 0 */
	void (*answered)(struct ping_echo *echo, int64_t rtt, void *arg);
	void *arg;
	uint64_t token;
	int64_t sent_at;
	uint16_t sequence;
	bool waiting;
};
/* -1 and why when it could not be sent. Otherwise answered() is called at most once, never
 * inside; the deadline is the caller's, who ends the wait by ping_cancel. */
int ping_send(struct ping *ping, struct ping_echo *echo, struct fail *why);
void ping_cancel(struct ping_echo *echo); /* no-op when it does not wait */
#endif

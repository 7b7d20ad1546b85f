/* targets.h - the addresses that discover is told to look at: single ones, and nets like
 * 10.1.3.0/24 without their own and their broadcast address, or 2001:db8::a00/120 without the
 * address of its routers; ranges like 10.1.3.10-40. Of IPv6 only small ones: nobody can look through
 * a /64. Pure. */
#ifndef PW_TARGETS_H
#define PW_TARGETS_H

#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
struct fail;

struct targets {
	struct net_addr *items; /* port 0; each once, in the order given */
	size_t count;
};

/* At most as many as a /16 has. -1 and why: not an address, net or range, nobody's, too many. */
int targets_add(struct targets *targets, const char *text, struct fail *why);
void targets_free(struct targets *targets); /* what is in it */
#endif

/* receiver.h - who gets the traps, as configured. */
#ifndef PW_RECEIVER_H
#define PW_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/net.h"

struct receiver_options {
	const char *name;
	struct net_addr address;
	const char *community; /* a secret: never logged */
	bool inform;           /* acknowledged and repeated; else a TRAP is sent once */
	int64_t timeout;       /* ns of one INFORM try, 1 s, doubled up to 60 s */
	uint32_t spool;        /* unacknowledged notices kept, 10,000 */
	const char *enterprise; /* OID of POLLWERK-MIB, "1.3.6.1.4.1.32473.7" */
};
#endif

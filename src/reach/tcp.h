/* tcp.h - knocks at a TCP port: connect, then an orderly end by FIN. Sends not one byte. */
#ifndef PW_TCP_H
#define PW_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
struct fail;
struct loop;

/* Member of the thing that asks. */
struct tcp_knock {
	struct net_stream *stream; /* tcp's; NULL when nothing is under way */
	struct loop *loop;
	int64_t sent_at;
	/* error 0: the port is open; else an errno value. Never inside tcp_start. */
	void (*over)(struct tcp_knock *knock, int error, int64_t took, void *arg);
	void *arg;
};
/* The deadline is the caller's, who ends the wait by tcp_cancel. -1 and why when no socket
 * can be had. */
int tcp_start(struct loop *loop, struct tcp_knock *knock, const struct net_addr *to,
	struct fail *why);
void tcp_cancel(struct tcp_knock *knock); /* no-op when nothing is under way */
#endif

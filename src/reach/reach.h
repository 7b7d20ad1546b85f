/* reach.h - hops that speak neither SNMP nor Modbus: ping, and an orderly TCP connect.
 *
 * Has no points of its own: it only tells task_exchange, which feeds up, rtt and loss. */
#ifndef PW_REACH_H
#define PW_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
struct driver;
struct loop;

struct reach_options {
	struct net_addr address; /* port 0 */
	bool ping;
	const uint16_t *tcp;     /* ports */
	size_t tcp_count;
	int64_t timeout;         /* ns, of each try */
};

/* 102, 502, 802 and 44818 belong to controllers: a connect takes one of their few slots. */
bool reach_tcp_port_allowed(uint16_t port);

extern const struct driver reach_driver;
struct reach;
/* icmp4, icmp6: inherited ICMP sockets, -1 when there is none (ping then is unmeasured,
 * REASON_AUTH). */
struct reach *reach_new(struct loop *loop, int icmp4, int icmp6);
void reach_free(struct reach *reach);
#endif

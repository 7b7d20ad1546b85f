/* net_sim.h - a network in memory. Link net_sim.c (with loop_sim.c) before libpollwerk.a and
 * it stands in the place of base/net.c. Peers are functions: a datagram or a byte stream goes
 * in, the test says what comes back and when. Hosts that nobody registered swallow datagrams
 * and connects (a black hole). Delays are virtual ns. */
#ifndef PW_NET_SIM_H
#define PW_NET_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"

#define NET_SIM_LATENCY INT64_C(500000) /* ns, each way, before any delay of the test's */

/* What the network itself did, told as it happens: a test's own log of losses and connects. */
enum net_sim_event {
	NET_SIM_CONNECT,    /* somebody tries to connect; told before the outcome is known */
	NET_SIM_LOST_THERE, /* a datagram to that host never arrived */
	NET_SIM_LOST_BACK,  /* an answer of that host never arrived */
	NET_SIM_ECHO,       /* a ping that comes back */
	NET_SIM_ECHO_LOST   /* one that does not */
};
void net_sim_watch(void (*seen)(enum net_sim_event event, const struct net_addr *at, void *arg),
	void *arg); /* NULL ends it */

void net_sim_reset(void); /* forgets all peers, impairments and pending deliveries' targets */

/* ---- UDP ---- */
struct net_sim_client; /* valid during the call */
/* The address that the client's socket is bound to; family 0: to none. */
struct net_addr net_sim_client_local(const struct net_sim_client *client);
void net_sim_udp(const struct net_addr *at,
	void (*request)(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg),
	void *arg);
/* Sends back from `from` (usually the peer's own address). May be called several times. */
void net_sim_udp_reply(struct net_sim_client *client, const struct net_addr *from,
	const void *data, size_t size, int64_t delay);
/* The host answers "port unreachable" instead. */
void net_sim_udp_refuse(struct net_sim_client *client, int error, int64_t delay);
/* The machine does not have this address: no socket is bound to it, none that was before sends.
 * NULL: it has all. */
void net_sim_without(const struct net_addr *local);
/* Loss of datagrams, each way, 0..1, from a seeded generator. */
void net_sim_loss(double probability, uint64_t seed);

/* ---- streams ---- */
struct net_sim_conn; /* the server's end; lives until both ends are closed */
struct net_sim_server {
	void (*accepted)(struct net_sim_conn *conn, void *arg); /* may be NULL */
	void (*received)(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg);
	void (*closed)(struct net_sim_conn *conn, void *arg); /* the client closed; may be NULL */
};
void net_sim_tcp(const struct net_addr *at, const struct net_sim_server *server, void *arg);
void net_sim_tcp_refuse(const struct net_addr *at); /* connection refused from now on */
void net_sim_tcp_remove(const struct net_addr *at); /* black hole from now on */
void net_sim_send(struct net_sim_conn *conn, const void *data, size_t size, int64_t delay);
/* FIN (error 0) or a reset (ECONNRESET) after the delay. */
void net_sim_close(struct net_sim_conn *conn, int error, int64_t delay);
void net_sim_conn_set(struct net_sim_conn *conn, void *data);
void *net_sim_conn_data(struct net_sim_conn *conn);
uint64_t net_sim_tcp_connects(const struct net_addr *at); /* tries so far, refused ones too */
int net_sim_tcp_open(const struct net_addr *at); /* connections now open */

/* ---- ICMP ---- */
/* Hosts answer echo after delay; delay < 0: dead. fd for net_icmp_new may be any number. */
void net_sim_ping(const struct net_addr *host, int64_t delay);
#endif

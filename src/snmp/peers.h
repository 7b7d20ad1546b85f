/* peers.h - whom a machine is connected to: the index of a row of tcpConnectionTable or of the
 * older tcpConnTable (RFC 4022), and which of several connections to one place counts.
 *
 * Pure. The local end stands first in the index, and its port is any: who asks for one remote
 * end has to read the whole column. */
#ifndef PW_PEERS_H
#define PW_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct net_addr;
struct snmp_peer;

/* "10.1.7.20:502" or "[2001:db8::20]:502". Returns -1 and fills why for anything else: a port
 * has to be there, and no zone, which is another number on each machine. name is kept. */
int peer_parse(const char *name, struct snmp_peer *peer, struct fail *why);
/* The remote end of an index of either table (RFC 4022: type, length, octets and port of both
 * ends, InetAddress as in RFC 4001; or four octets and a port of both ends). IPv4 mapped into
 * IPv6, as of sockets that are open for both, becomes IPv4; a zone is left out. False: the
 * index is none of these. */
bool peer_of_index(const uint32_t *index, size_t count, struct net_addr *remote);
/* Do both stand for one place, however it is written? */
bool peer_same(const struct snmp_peer *one, const struct snmp_peer *other);
/* The one of peers that the index belongs to, or NULL. */
const struct snmp_peer *peer_find(const struct snmp_peer *peers, size_t peer_count,
	const uint32_t *index, size_t count);
/* Of two connections to one place: does the state of `other` count, and not that of `one`?
 * The established one does, else the one that is on the way to it, else one that ends. */
bool peer_state_counts_more(uint64_t other, uint64_t one);
#endif

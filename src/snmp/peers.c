#include "snmp/peers.h"

#include <string.h>

#include "base/fail.h"
#include "base/net.h"
#include "base/str.h"
#include "core/device.h"
#include "snmp/snmp.h"

/* InetAddressType, RFC 4001. */
enum inet_type { INET_IPV4 = 1, INET_IPV6 = 2, INET_IPV4Z = 3, INET_IPV6Z = 4 };

int
peer_parse(const char *name, struct snmp_peer *peer, struct fail *why)
{
	const char *colon = strrchr(name, ':');
	struct net_addr address;
	uint64_t port;
	char host[64];

	memset(peer, 0, sizeof *peer);
	if (colon == NULL || str_uint(colon + 1, &port, NULL) == -1 || port == 0 || port > 65535) {
		fail_set(why, "\"%s\": give an IPv4 address and a port, as \"10.1.7.20:502\"", name);
		return -1;
	}
	str_copy(host, (size_t)(colon - name) < sizeof host ? (size_t)(colon - name) + 1 :
		sizeof host, name);
	if (net_addr_parse(host, (uint16_t)port, &address, why) == -1)
		return -1;
	if (address.family != 4) {
		fail_set(why, "\"%s\": only connections to IPv4 addresses are looked for", name);
		return -1;
	}
	peer->name = name;
	for (size_t i = 0; i < 4; i++)
		peer->index[i] = address.bytes[i];
	peer->index[4] = address.port;
	return 0;
}

/* One end of an index of tcpConnectionTable; the arcs that it takes, 0 when it is none. */
static size_t
take_end(const uint32_t *arcs, size_t count, struct net_addr *end)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t lengths[] = { 0, 4, 16, 8, 20 };
	size_t length, octets;

	memset(end, 0, sizeof *end);
	if (count < 3 || arcs[0] < INET_IPV4 || arcs[0] > INET_IPV6Z ||
		arcs[1] != lengths[arcs[0]] || count < arcs[1] + 3 || arcs[arcs[1] + 2] > 65535)
		return 0;
	length = arcs[1];
	octets = length < 16 ? 4 : 16;
	for (size_t i = 0; i < octets; i++) {
		if (arcs[2 + i] > 255)
			return 0;
		end->bytes[i] = (uint8_t)arcs[2 + i];
	}
	end->family = octets == 4 ? 4 : 6;
	end->port = (uint16_t)arcs[length + 2];
	if (end->family == 6 && memcmp(end->bytes, mapped, sizeof mapped) == 0) {
		end->family = 4;
		memcpy(end->bytes, end->bytes + 12, 4);
		memset(end->bytes + 4, 0, 12);
	}
	return length + 3;
}

bool
peer_of_index(const uint32_t *index, size_t count, struct net_addr *remote)
{
	size_t local;

	/* Two ends of tcpConnectionTable have 14 arcs and more. */
	if (count == 10) {
		uint32_t arcs[7] = { INET_IPV4, 4 };

		memcpy(arcs + 2, index + 5, 5 * sizeof *index);
		return take_end(arcs, 7, remote) == 7;
	}
	local = take_end(index, count, remote);
	return local > 0 && local < count &&
		take_end(index + local, count - local, remote) == count - local;
}

const struct snmp_peer *
peer_find(const struct snmp_peer *peers, size_t peer_count, const uint32_t *index, size_t count)
{
	struct net_addr remote;

	if (!peer_of_index(index, count, &remote) || remote.family != 4)
		return NULL;
	for (size_t i = 0; i < peer_count; i++) {
		const uint32_t *wanted = peers[i].index;

		if (wanted[4] == remote.port && wanted[0] == remote.bytes[0] &&
			wanted[1] == remote.bytes[1] && wanted[2] == remote.bytes[2] &&
			wanted[3] == remote.bytes[3])
			return &peers[i];
	}
	return NULL;
}

bool
peer_state_counts_more(uint64_t other, uint64_t one)
{
	if (one == CONNECTION_ESTABLISHED || other == CONNECTION_ESTABLISHED)
		return one != CONNECTION_ESTABLISHED;
	return other < one;
}

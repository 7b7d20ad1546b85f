#include "snmp/peers.h"

#include <string.h>

#include "base/fail.h"
#include "base/net.h"
#include "base/str.h"
#include "core/device.h"
#include "snmp/snmp.h"

/* InetAddressType, RFC 4001. */
enum inet_type { INET_IPV4 = 1, INET_IPV6 = 2, INET_IPV4Z = 3, INET_IPV6Z = 4 };

/* IPv4 in a socket that is open for both is IPv4. */
static void
take_out_of_ipv6(struct net_addr *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (address->family != 6 || memcmp(address->bytes, mapped, sizeof mapped) != 0)
		return;
	address->family = 4;
	memcpy(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
}

static size_t
peer_index(const struct net_addr *address, uint32_t index[17])
{
	size_t octets = address->family == 4 ? 4 : 16;

	for (size_t i = 0; i < octets; i++)
		index[i] = address->bytes[i];
	index[octets] = address->port;
	return octets + 1;
}

int
peer_parse(const char *name, struct snmp_peer *peer, struct fail *why)
{
	const char *colon = strrchr(name, ':');
	bool bracket = name[0] == '[';
	struct net_addr address;
	uint64_t port;
	char host[64];
	size_t length;

	memset(peer, 0, sizeof *peer);
	if (colon == NULL || (bracket ? colon[-1] != ']' : strchr(name, ':') != colon) ||
		str_uint(colon + 1, &port, NULL) == -1 || port == 0 || port > 65535) {
		fail_set(why, "\"%s\": give an address and a port, as \"10.1.7.20:502\" or "
			"\"[2001:db8::20]:502\"", name);
		return -1;
	}
	length = (size_t)(colon - name) - (bracket ? 2 : 0);
	str_copy(host, length < sizeof host ? length + 1 : sizeof host, name + (bracket ? 1 : 0));
	if (bracket && strchr(host, '%') != NULL) {
		fail_set(why, "\"%s\": leave the interface out: that of the other machine is not known",
			name);
		return -1;
	}
	if (net_addr_parse(host, (uint16_t)port, &address, why) == -1)
		return -1;
	take_out_of_ipv6(&address);
	peer->name = name;
	peer->index_count = peer_index(&address, peer->index);
	return 0;
}

bool
peer_same(const struct snmp_peer *one, const struct snmp_peer *other)
{
	return one->index_count == other->index_count &&
		memcmp(one->index, other->index, one->index_count * sizeof *one->index) == 0;
}

/* One end of an index of tcpConnectionTable; the arcs that it takes, 0 when it is none. */
static size_t
take_end(const uint32_t *arcs, size_t count, struct net_addr *end)
{
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
	take_out_of_ipv6(end);
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
	struct snmp_peer found = { .name = NULL };
	struct net_addr remote;

	if (!peer_of_index(index, count, &remote))
		return NULL;
	found.index_count = peer_index(&remote, found.index);
	for (size_t i = 0; i < peer_count; i++)
		if (peer_same(&peers[i], &found))
			return &peers[i];
	return NULL;
}

bool
peer_state_counts_more(uint64_t other, uint64_t one)
{
	if (one == CONNECTION_ESTABLISHED || other == CONNECTION_ESTABLISHED)
		return one != CONNECTION_ESTABLISHED;
	return other < one;
}

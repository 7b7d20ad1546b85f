#include "agents.h"

#include <string.h>

#define IF 1, 3, 6, 1, 2, 1, 2, 2, 1
#define IF_X 1, 3, 6, 1, 2, 1, 31, 1, 1, 1
#define OID(...)                                                                       \
	{                                                                              \
		(const uint32_t[]){ __VA_ARGS__ },                                     \
			sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)   \
	}

static const struct snmp_oid keys[] = { OID(IF_X, 1) };
static const struct snmp_oid columns[AGENTS_COLUMNS] = { OID(IF_X, 6), OID(IF_X, 7),
	OID(IF_X, 8), OID(IF_X, 9), OID(IF_X, 10), OID(IF_X, 11), OID(IF_X, 12), OID(IF_X, 13),
	OID(IF, 14), OID(IF, 20) };
static const char *const names[AGENTS_COLUMNS] = { "in_octets", "in_ucast", "in_mcast",
	"in_bcast", "out_octets", "out_ucast", "out_mcast", "out_bcast", "in_errors",
	"out_errors" };

const struct snmp_group agents_table = { .keys = keys, .key_count = 1, .include = "",
	.exclude = "" };

const struct point *
agents_points(void)
{
	static struct snmp_point wires[AGENTS_COLUMNS];
	static struct point points[AGENTS_COLUMNS];

	for (size_t i = 0; i < AGENTS_COLUMNS; i++) {
		wires[i] = (struct snmp_point){ .oids = &columns[i], .oid_count = 1 };
		points[i] = (struct point){ .name = names[i], .unit = "", .text = "",
			.kind = POINT_COUNTER, .scale = 1, .wire = &wires[i] };
	}
	return points;
}

struct net_addr
agents_address(const struct net_addr *first, size_t i)
{
	struct net_addr address = *first;
	uint32_t host;

	memcpy(&host, first->bytes, 4);
	host = __builtin_bswap32(__builtin_bswap32(host) + (uint32_t)i);
	memcpy(address.bytes, &host, 4);
	return address;
}

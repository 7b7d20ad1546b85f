/* The part of net.h that needs no socket; virtual networks use it as it is. */
#include "base/net.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"

static bool
is_link_local(const struct net_addr *addr)
{
	return addr->family == 6 && addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

/* Behind the '%': the name of an interface of this machine, or its index. */
static int
parse_zone(const char *text, const char *zone, struct net_addr *addr, struct fail *why)
{
	uint64_t index = if_nametoindex(zone);

	if (!is_link_local(addr)) {
		fail_set(why, "\"%s\": only a link-local address (fe80::..) has an interface behind it",
			text);
		return -1;
	}
	if (index == 0 && (str_uint(zone, &index, NULL) == -1 || index == 0 || index > UINT32_MAX)) {
		fail_set(why, "\"%s\": this machine has no interface \"%s\"", text, zone);
		return -1;
	}
	addr->zone = (uint32_t)index;
	return 0;
}

int
net_addr_parse(const char *text, uint16_t port, struct net_addr *addr, struct fail *why)
{
	const char *percent = strchr(text, '%');
	char host[INET6_ADDRSTRLEN + 1];

	memset(addr, 0, sizeof *addr);
	addr->port = port;
	snprintf(host, sizeof host, "%.*s", percent == NULL ? INET6_ADDRSTRLEN :
		(int)(percent - text < INET6_ADDRSTRLEN ? percent - text : INET6_ADDRSTRLEN), text);
	if (inet_pton(AF_INET, host, addr->bytes) == 1)
		addr->family = 4;
	else if (inet_pton(AF_INET6, host, addr->bytes) == 1)
		addr->family = 6;
	if (addr->family != 0)
		return percent == NULL ? 0 : parse_zone(text, percent + 1, addr, why);
	fail_set(why, "\"%s\" is not an IP address", text);
	return -1;
}

const char *
net_addr_text(char *to, size_t size, const struct net_addr *addr, bool with_port)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 2] = "", name[IF_NAMESIZE];
	const char *open = addr->family == 6 && with_port ? "[" : "";

	if (addr->family != 0)
		inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, host, sizeof host);
	if (addr->zone != 0 && if_indextoname(addr->zone, name) != NULL)
		snprintf(host + strlen(host), sizeof host - strlen(host), "%%%s", name);
	else if (addr->zone != 0)
		snprintf(host + strlen(host), sizeof host - strlen(host), "%%%u", addr->zone);
	if (with_port)
		snprintf(to, size, "%s%s%s:%u", open, host, *open ? "]" : "", addr->port);
	else
		snprintf(to, size, "%s", host);
	return to;
}

const char *
net_addr_nobodys(const struct net_addr *addr)
{
	static const uint8_t zero[16];

	if (memcmp(addr->bytes, zero, addr->family == 4 ? 4 : 16) == 0)
		return "is no address of a device, it stands for none";
	if (addr->family == 4 ? addr->bytes[0] >= 224 && addr->bytes[0] < 240 : addr->bytes[0] == 0xff)
		return "is a group of receivers (multicast), not one device";
	if (addr->family == 4 && memcmp(addr->bytes, "\xff\xff\xff\xff", 4) == 0)
		return "is everybody's (broadcast), not one device's";
	if (is_link_local(addr) && addr->zone == 0)
		return "is link-local: name the interface to it as well, as \"fe80::1%eth0\"";
	return NULL;
}

bool
net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && a->zone == b->zone &&
		memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->port == b->port && net_addr_same_host(a, b);
}

/* The part of net.h that needs no socket; virtual networks use it as it is. */
#include "base/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"

int
net_addr_parse(const char *text, uint16_t port, struct net_addr *addr, struct fail *why)
{
	memset(addr, 0, sizeof *addr);
	addr->port = port;
	if (inet_pton(AF_INET, text, addr->bytes) == 1)
		addr->family = 4;
	else if (inet_pton(AF_INET6, text, addr->bytes) == 1)
		addr->family = 6;
	if (addr->family != 0)
		return 0;
	fail_set(why, "\"%s\" is not an IP address", text);
	return -1;
}

const char *
net_addr_text(char *to, size_t size, const struct net_addr *addr, bool with_port)
{
	char host[INET6_ADDRSTRLEN] = "";
	const char *open = addr->family == 6 && with_port ? "[" : "";

	if (addr->family != 0)
		inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, host, sizeof host);
	if (with_port)
		snprintf(to, size, "%s%s%s:%u", open, host, *open ? "]" : "", addr->port);
	else
		snprintf(to, size, "%s", host);
	return to;
}

bool
net_addr_same_host(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	return a->port == b->port && net_addr_same_host(a, b);
}

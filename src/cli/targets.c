#include "cli/targets.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

enum { MOST = 65536, WIDEST = 16, WIDEST6 = 112 };

static bool
is_known(const struct targets *targets, const struct net_addr *addr, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (net_addr_same_host(&targets->items[i], addr))
			return true;
	return false;
}

/* before: those added by earlier calls; within one net none comes twice. */
static int
add(struct targets *targets, const struct net_addr *addr, size_t before, struct fail *why)
{
	if (is_known(targets, addr, before))
		return 0;
	if (targets->count == MOST) {
		fail_set(why, "more than %d addresses: look at one part after the other", MOST);
		return -1;
	}
	if ((targets->count & (targets->count - 1)) == 0)
		targets->items = mem_grow(targets->items, targets->count * 2 + 1,
			sizeof *targets->items);
	targets->items[targets->count++] = *addr;
	return 0;
}

static int
add_net(struct targets *targets, const struct net_addr *any, unsigned length, struct fail *why)
{
	uint32_t mask = length == 0 ? 0 : UINT32_MAX << (32 - length);
	uint32_t number = (uint32_t)any->bytes[0] << 24 | (uint32_t)any->bytes[1] << 16 |
		(uint32_t)any->bytes[2] << 8 | any->bytes[3];
	uint32_t first = number & mask, last = first | ~mask;
	size_t before = targets->count;
	struct net_addr addr = *any;

	if (length < 31) { /* RFC 3021: two hosts and nothing else */
		first++;
		last--;
	}
	for (uint64_t at = first; at <= last; at++) {
		for (int i = 0; i < 4; i++)
			addr.bytes[i] = (uint8_t)(at >> (24 - 8 * i));
		if (add(targets, &addr, before, why) == -1)
			return -1;
	}
	return 0;
}

/* length: WIDEST6 or more, so only the last two bytes go through it. */
static int
add_net6(struct targets *targets, const struct net_addr *any, unsigned length, struct fail *why)
{
	uint32_t mask = UINT32_MAX << (128 - length);
	uint32_t number = (uint32_t)any->bytes[14] << 8 | any->bytes[15];
	uint32_t first = number & mask & 0xffff, last = first | (~mask & 0xffff);
	size_t before = targets->count;
	struct net_addr addr = *any;

	if (length < 127) /* RFC 4291 2.6.1: any router's; RFC 6164: not in a net of two */
		first++;
	for (uint32_t at = first; at <= last; at++) {
		addr.bytes[14] = (uint8_t)(at >> 8);
		addr.bytes[15] = (uint8_t)at;
		if (add(targets, &addr, before, why) == -1)
			return -1;
	}
	return 0;
}

static uint32_t
tail_of(const struct net_addr *addr)
{
	const uint8_t *end = addr->bytes + (addr->family == 4 ? 4 : 16);

	return (uint32_t)end[-4] << 24 | (uint32_t)end[-3] << 16 | (uint32_t)end[-2] << 8 | end[-1];
}

/* From one address up to another; all but the last four bytes are alike. */
static int
add_range(struct targets *targets, const struct net_addr *from, const struct net_addr *to,
	struct fail *why)
{
	struct net_addr addr = *from;
	uint8_t *end = addr.bytes + (addr.family == 4 ? 4 : 16);
	size_t before = targets->count;

	for (uint64_t at = tail_of(from); at <= tail_of(to); at++) {
		for (int i = 0; i < 4; i++)
			end[i - 4] = (uint8_t)(at >> (24 - 8 * i));
		if (net_addr_nobodys(&addr) == NULL && add(targets, &addr, before, why) == -1)
			return -1;
	}
	return 0;
}

/* "10.1.3.10-10.1.3.40", "10.1.3.10-40", "2001:db8::10-2001:db8::40". 1: it is no range. */
static int
add_if_range(struct targets *targets, const char *text, struct fail *why)
{
	const char *dash = strchr(text, '-');
	struct net_addr from, to;
	uint64_t last;
	char host[64];

	if (dash == NULL || dash - text > 63)
		return 1;
	snprintf(host, sizeof host, "%.*s", (int)(dash - text), text);
	if (net_addr_parse(host, 0, &from, NULL) == -1)
		return 1;
	to = from;
	if (from.family == 4 && str_uint(dash + 1, &last, NULL) == 0 && last <= 255)
		to.bytes[3] = (uint8_t)last;
	else if (net_addr_parse(dash + 1, 0, &to, NULL) == -1 || to.family != from.family)
		return 1;
	if (memcmp(from.bytes, to.bytes, from.family == 4 ? 0 : 12) != 0 ||
		tail_of(&to) < tail_of(&from) || tail_of(&to) - tail_of(&from) >= MOST) {
		fail_set(why, "\"%s\": from a lower to a higher address, and at most %d of them", text,
			MOST);
		return -1;
	}
	return add_range(targets, &from, &to, why);
}

static int
add_one(struct targets *targets, const struct net_addr *addr, const char *text, struct fail *why)
{
	const char *nobodys = net_addr_nobodys(addr);

	if (nobodys == NULL)
		return add(targets, addr, targets->count, why);
	fail_set(why, "\"%s\" %s", text, nobodys);
	return -1;
}

int
targets_add(struct targets *targets, const char *text, struct fail *why)
{
	const char *slash = strchr(text, '/');
	int range = slash == NULL ? add_if_range(targets, text, why) : 1;
	struct net_addr addr;
	struct fail reason;
	char host[64];
	uint64_t length;

	if (range != 1)
		return range;
	snprintf(host, sizeof host, "%.*s", slash == NULL ? 63 : (int)(slash - text), text);
	if (net_addr_parse(host, 0, &addr, &reason) == -1 && addr.family != 0) {
		fail_set(why, "%s", reason.text); /* what stands behind it */
		return -1;
	}
	if ((slash != NULL && slash - text > 63) || addr.family == 0) {
		fail_set(why, "\"%s\": expected an address like 10.1.3.1 (its port stands in the "
			"profile), a net like 10.1.3.0/24, a range like 10.1.3.10-40, or the name of a "
			"configured device", text);
		return -1;
	}
	if (slash == NULL)
		return add_one(targets, &addr, text, why);
	if (addr.family == 6) {
		if (str_uint(slash + 1, &length, NULL) == 0 && length >= WIDEST6 && length <= 128)
			return add_net6(targets, &addr, (unsigned)length, why);
		fail_set(why, "\"%s\": of IPv6 nets of a length of %d to 128 can be looked through, "
			"which are up to %d addresses: give those, or the addresses of the devices",
			text, WIDEST6, MOST);
		return -1;
	}
	if (str_uint(slash + 1, &length, NULL) == -1 || length > 32 || length < WIDEST) {
		fail_set(why, "\"%s\": a net has a length of %d to 32", text, WIDEST);
		return -1;
	}
	return add_net(targets, &addr, (unsigned)length, why);
}

void
targets_free(struct targets *targets)
{
	free(targets->items);
	*targets = (struct targets){ 0 };
}

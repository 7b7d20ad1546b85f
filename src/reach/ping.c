#include "reach/ping.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { PAYLOAD = 56, BUCKETS = 1024 };

struct ping {
	struct loop *loop;
	struct net_icmp *icmp4, *icmp6;
	struct ping_echo *waiting[BUCKETS]; /* by sequence */
	uint64_t secret;
	uint64_t count;
};

/* What an echo carries: a token that nobody else sends, then letters as other pings have. */
static void
make_payload(uint8_t payload[PAYLOAD], uint64_t token)
{
	memcpy(payload, &token, sizeof(token));
	for (unsigned i = sizeof(token); i < PAYLOAD; i++)
		payload[i] = (uint8_t)('a' + i % 23);
}

static void
on_answer(const struct net_addr *from, uint16_t sequence, const uint8_t *data, size_t size,
	int64_t mono, void *arg)
{
	struct ping *ping = arg;
	struct ping_echo *echo;
	uint8_t wanted[PAYLOAD];

	DL_FOREACH(ping->waiting[sequence % BUCKETS], echo) {
		if (echo->sequence == sequence && net_addr_same_host(&echo->to, from))
			break;
	}
	if (echo == NULL)
		return;
	make_payload(wanted, echo->token);
	if (size != PAYLOAD || memcmp(data, wanted, PAYLOAD) != 0)
		return;
	ping_cancel(echo);
	echo->answered(echo, mono > echo->sent_at ? mono - echo->sent_at : 0, echo->arg);
}

struct ping *
ping_new(struct loop *loop, int icmp4, int icmp6)
{
	struct ping *ping = mem_zero(sizeof(*ping));
	int64_t seed[3] = { loop_wall(loop), loop_mono(loop), getpid() };

	ping->loop = loop;
	ping->secret = str_hash(seed, sizeof(seed));
	if (icmp4 >= 0)
		ping->icmp4 = net_icmp_new(loop, icmp4, 4, on_answer, ping);
	if (icmp6 >= 0)
		ping->icmp6 = net_icmp_new(loop, icmp6, 6, on_answer, ping);
	return ping;
}

void
ping_free(struct ping *ping)
{
	if (ping == NULL)
		return;
	net_icmp_free(ping->icmp4);
	net_icmp_free(ping->icmp6);
	free(ping);
}

static struct net_icmp *
socket_for(const struct ping *ping, uint8_t family)
{
	return family == 6 ? ping->icmp6 : ping->icmp4;
}

bool
ping_possible(const struct ping *ping, uint8_t family)
{
	return socket_for(ping, family) != NULL;
}

int
ping_send(struct ping *ping, struct ping_echo *echo, struct fail *why)
{
	struct net_icmp *icmp = socket_for(ping, echo->to.family);
	uint64_t number = ++ping->count;
	uint8_t payload[PAYLOAD];

	if (icmp == NULL) {
		fail_set(why, "no ICMP socket for IPv%d", echo->to.family);
		return -1;
	}
	echo->ping = ping;
	echo->sequence = (uint16_t)number;
	echo->token = str_hash(&number, sizeof(number)) ^ ping->secret;
	echo->sent_at = loop_mono(ping->loop);
	make_payload(payload, echo->token);
	if (net_icmp_send(icmp, &echo->to, echo->sequence, payload, sizeof(payload), why) == -1)
		return -1;
	echo->waiting = true;
	DL_APPEND(ping->waiting[echo->sequence % BUCKETS], echo);
	return 0;
}

void
ping_cancel(struct ping_echo *echo)
{
	if (!echo->waiting)
		return;
	echo->waiting = false;
	DL_DELETE(echo->ping->waiting[echo->sequence % BUCKETS], echo);
}

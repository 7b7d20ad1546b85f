#include "reach/ping.h"

#include "../../fake/loop_sim.h"
#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"

/* ---- an ICMP socket that hands everything to the test ---- */

struct net_icmp {
	uint8_t family;
	void (*answer)(const struct net_addr *from, uint16_t sequence, const uint8_t *data,
		size_t size, int64_t mono, void *arg);
	void *arg;
};

static struct net_icmp sockets[2];
static int socket_count;
static struct {
	struct net_addr to;
	uint16_t sequence;
	uint8_t data[64];
	size_t size;
} sent;
static bool refuse;

struct net_icmp *
net_icmp_new(struct loop *loop, int fd, uint8_t family,
	void (*answer)(const struct net_addr *, uint16_t, const uint8_t *, size_t, int64_t, void *),
	void *arg)
{
	struct net_icmp *icmp = &sockets[socket_count++];

	(void)loop;
	CHECK_INT(fd, family == 6 ? 8 : 7);
	*icmp = (struct net_icmp){ family, answer, arg };
	return icmp;
}

int
net_icmp_send(struct net_icmp *icmp, const struct net_addr *to, uint16_t sequence,
	const void *data, size_t size, struct fail *why)
{
	CHECK_INT(icmp->family, to->family);
	if (refuse) {
		fail_set(why, "Network is unreachable");
		return -1;
	}
	sent.to = *to;
	sent.sequence = sequence;
	sent.size = size;
	memcpy(sent.data, data, size);
	return 0;
}

void
net_icmp_free(struct net_icmp *icmp)
{
	if (icmp != NULL)
		socket_count--;
}

static struct loop *loop;
static struct ping *ping;
static unsigned answers;
static int64_t last_rtt;

static void
on_answer(struct ping_echo *echo, int64_t rtt, void *arg)
{
	CHECK(!echo->waiting && arg == &answers);
	answers++;
	last_rtt = rtt;
}

static void
begin(int icmp4, int icmp6)
{
	loop = loop_new(NULL);
	refuse = false;
	answers = 0;
	ping = ping_new(loop, icmp4, icmp6);
}

static void
finish(void)
{
	ping_free(ping);
	CHECK_INT(socket_count, 0);
	loop_free(loop);
}

static struct ping_echo
echo_to(const char *address)
{
	struct ping_echo echo = { .answered = on_answer, .arg = &answers };
	struct fail why;

	CHECK(net_addr_parse(address, 0, &echo.to, &why) == 0);
	return echo;
}

static void
give(const char *from, int sequence, size_t size)
{
	struct net_addr addr;
	struct fail why;

	CHECK(net_addr_parse(from, 0, &addr, &why) == 0);
	sockets[0].answer(&addr, (uint16_t)sequence, sent.data, size, loop_mono(loop),
		sockets[0].arg);
}

static void
believes_only_what_comes_back_as_it_went_out(void)
{
	struct ping_echo echo = echo_to("10.1.0.9");
	struct fail why;

	begin(7, -1);
	CHECK(ping_send(ping, &echo, &why) == 0);
	CHECK_INT(sent.size, 56);
	loop_sim_for(loop, 40 * LOOP_MS);
	give("10.1.0.10", sent.sequence, 56);    /* somebody else */
	give("10.1.0.9", sent.sequence + 1, 56); /* another question, in the same bucket or not */
	give("10.1.0.9", sent.sequence + 1024, 56);
	give("10.1.0.9", sent.sequence, 55);     /* cut short */
	for (size_t i = 0; i < 56; i++) {
		sent.data[i] ^= 1;
		give("10.1.0.9", sent.sequence, 56);
		sent.data[i] ^= 1;
	}
	CHECK_INT(answers, 0);
	give("10.1.0.9", sent.sequence, 56);
	CHECK_INT(answers, 1);
	CHECK_INT(last_rtt, 40 * LOOP_MS);
	give("10.1.0.9", sent.sequence, 56); /* twice */
	CHECK_INT(answers, 1);
	finish();
}

static void
sends_a_payload_that_cannot_be_foreseen_from_the_last(void)
{
	struct ping_echo echo = echo_to("10.1.0.9");
	uint8_t first[56];
	int first_sequence;
	struct fail why;

	begin(7, -1);
	CHECK(ping_send(ping, &echo, &why) == 0);
	memcpy(first, sent.data, 56);
	first_sequence = sent.sequence;
	ping_cancel(&echo);
	give("10.1.0.9", first_sequence, 56);
	CHECK(ping_send(ping, &echo, &why) == 0);
	CHECK(memcmp(first, sent.data, 56) != 0);
	memcpy(sent.data, first, 56);
	give("10.1.0.9", sent.sequence, 56); /* an old payload under the new number */
	CHECK_INT(answers, 0);
	ping_cancel(&echo);
	finish();
}

static void
keeps_thousands_of_questions_apart(void)
{
	static struct ping_echo echoes[3000];
	struct fail why;

	begin(7, -1);
	for (int i = 0; i < 3000; i++) {
		echoes[i] = echo_to("10.1.0.9");
		CHECK(ping_send(ping, &echoes[i], &why) == 0);
		if (i % 2 == 0)
			give("10.1.0.9", sent.sequence, 56);
	}
	CHECK_INT(answers, 1500);
	for (int i = 0; i < 3000; i++) {
		CHECK(echoes[i].waiting == (i % 2 != 0));
		ping_cancel(&echoes[i]);
	}
	finish();
}

static void
tells_when_it_cannot_ask(void)
{
	struct ping_echo v4 = echo_to("10.1.0.9"), v6 = echo_to("2001:db8::1");
	struct fail why;

	begin(-1, 8);
	CHECK(!ping_possible(ping, 4) && ping_possible(ping, 6));
	CHECK(ping_send(ping, &v4, &why) == -1);
	CHECK_STR(why.text, "no ICMP socket for IPv4");
	refuse = true;
	CHECK(ping_send(ping, &v6, &why) == -1);
	CHECK_STR(why.text, "Network is unreachable");
	CHECK(!v4.waiting && !v6.waiting);
	finish();
}

RUN_TESTS(TEST(believes_only_what_comes_back_as_it_went_out),
	TEST(sends_a_payload_that_cannot_be_foreseen_from_the_last),
	TEST(keeps_thousands_of_questions_apart), TEST(tells_when_it_cannot_ask))

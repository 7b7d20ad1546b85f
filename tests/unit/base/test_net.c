/* On the system's loopback. */
#include "../check.h"

#include <stdio.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"

static struct loop *loop;
static struct fail why;
static char got[64];
static int errors, ended, connected, received_rst;
static struct loop_timer limit;

static void
give_up(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
begin(void)
{
	loop = loop_new(&why);
	memset(got, 0, sizeof got);
	errors = ended = connected = received_rst = 0;
	loop_timer_init(&limit, give_up, NULL);
	loop_timer_in(loop, &limit, 30 * LOOP_S); /* the machine may have more to do */
}

static void
finish(void)
{
	loop_timer_stop(loop, &limit);
	loop_free(loop);
}

static int
bound_socket(int type, struct net_addr *addr)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, type, 0);

	CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
	CHECK(net_addr_parse("127.0.0.1", ntohs(at.sin_port), addr, &why) == 0);
	return fd;
}

static void
udp_received(const struct net_addr *from, const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	CHECK(net_addr_equal(from, arg));
	CHECK(loop_mono(loop) - mono < LOOP_S && loop_mono(loop) >= mono);
	memcpy(got, data, size);
	loop_stop(loop);
}

static void
udp_refused(const struct net_addr *to, const uint8_t *data, size_t size, int error, void *arg)
{
	CHECK(net_addr_equal(to, arg));
	CHECK(size == 4 && memcmp(data, "ping", 4) == 0);
	CHECK_INT(error, ECONNREFUSED);
	errors++;
	loop_stop(loop);
}

static const struct net_udp_events udp_events = { .received = udp_received, .refused = udp_refused };

static void
a_datagram_comes_back_with_its_source_and_the_time_of_its_arrival(void)
{
	struct net_addr peer;
	int fd = bound_socket(SOCK_DGRAM, &peer);
	struct net_udp *udp;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	char question[8] = "";

	begin();
	udp = net_udp_open(loop, 4, NULL, 65536, &udp_events, &peer, &why);
	CHECK(udp != NULL);
	CHECK(net_udp_send(udp, &peer, "ping", 4, &why) == 0);
	CHECK(recvfrom(fd, question, sizeof question, 0, (struct sockaddr *)&from, &size) == 4);
	CHECK(sendto(fd, "pong", 4, 0, (struct sockaddr *)&from, size) == 4);
	loop_run(loop);
	CHECK_STR(got, "pong");
	net_udp_close(udp);
	close(fd);
	finish();
}

static void
a_dead_port_is_told_at_once_and_does_not_spoil_the_next_send(void)
{
	struct net_addr peer;
	struct net_udp *udp;

	close(bound_socket(SOCK_DGRAM, &peer));
	begin();
	udp = net_udp_open(loop, 4, NULL, 65536, &udp_events, &peer, &why);
	CHECK(net_udp_send(udp, &peer, "ping", 4, &why) == 0);
	CHECK(net_udp_send(udp, &peer, "ping", 4, &why) == 0);
	loop_run(loop);
	CHECK(errors >= 1);
	net_udp_close(udp);
	finish();
}

static uint16_t
checksum(const uint16_t *words, size_t count)
{
	uint32_t sum = 0;

	while (count-- > 0)
		sum += *words++;
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

/* As a router says it of a datagram that went from here to a device behind it (RFC 792, RFC 1191). */
static void
say_too_long(int raw, uint16_t port)
{
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		struct udphdr udp;
	} said = {
		.icmp = { .type = ICMP_DEST_UNREACH, .code = ICMP_FRAG_NEEDED, .un.frag.mtu = htons(60000) },
		.ip = { .version = 4, .ihl = 5, .tot_len = htons(60028), .ttl = 63, .protocol = IPPROTO_UDP,
			.saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(0x7F2C0109) },
		.udp = { .source = port, .dest = htons(161), .len = htons(60008) },
	};
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	said.ip.check = checksum((const uint16_t *)&said.ip, sizeof said.ip / 2);
	said.icmp.checksum = checksum((const uint16_t *)&said, sizeof said / 2);
	CHECK(sendto(raw, &said, sizeof said, 0, (struct sockaddr *)&to, sizeof to) == sizeof said);
}

static void
what_was_too_long_for_another_device_does_not_spoil_the_next_send(void)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), fd;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	struct net_addr peer;
	struct net_udp *udp;
	char question[8];

	if (raw == -1)
		skip();
	fd = bound_socket(SOCK_DGRAM, &peer);
	begin();
	udp = net_udp_open(loop, 4, NULL, 65536, &udp_events, &peer, &why);
	CHECK(net_udp_send(udp, &peer, "ping", 4, &why) == 0);
	CHECK(recvfrom(fd, question, sizeof question, 0, (struct sockaddr *)&from, &size) == 4);
	for (int i = 0; i < 3; i++) {
		say_too_long(raw, from.sin_port);
		CHECK(net_udp_send(udp, &peer, "ping", 4, &why) == 0);
		CHECK(recvfrom(fd, question, sizeof question, 0, NULL, NULL) == 4);
	}
	close(raw);
	close(fd);
	net_udp_close(udp);
	finish();
}

/* ---- many datagrams ---- */

#define MANY 100
static unsigned many, unsent, shown;
static size_t longest;

static void
many_received(const struct net_addr *from, const uint8_t *data, size_t size, int64_t mono,
	void *arg)
{
	uint32_t number;

	(void)from, (void)arg;
	CHECK(loop_mono(loop) - mono < 30 * LOOP_S && loop_mono(loop) >= mono);
	CHECK(size >= sizeof number);
	memcpy(&number, data, sizeof number);
	CHECK_INT(number, many); /* in order */
	many++;
	if (size > longest)
		longest = size;
	if (many % MANY == 0)
		loop_stop(loop);
}

static void
many_unsent(const struct net_addr *to, const uint8_t *data, size_t size, int error, void *arg)
{
	(void)to, (void)data, (void)arg;
	CHECK(size > 65507);
	CHECK_INT(error, EMSGSIZE);
	unsent++;
}

static void
nobody_minds(const struct net_addr *to, const uint8_t *data, size_t size, int error, void *arg)
{
	(void)to, (void)data, (void)size, (void)arg;
	CHECK_INT(error, ECONNREFUSED);
	errors++;
}

/* What comes is shown in the order in which it is told, all of it not yet told. */
static void
many_coming(const struct net_datagram *datagrams, size_t count, void *arg)
{
	uint32_t number;

	(void)arg;
	CHECK(count > 1 && count <= AHEAD_GROUP);
	for (size_t i = 0; i < count; i++) {
		CHECK(datagrams[i].size >= sizeof number);
		memcpy(&number, datagrams[i].data, sizeof number);
		CHECK_INT(number, many + i);
	}
	shown += (unsigned)count;
}

static const struct net_udp_events many_events = { .received = many_received, .refused = nobody_minds,
	.unsent = many_unsent, .coming = many_coming };

/* Both ends are ours: what is posted on one is read on the other. */
static void
open_ends(struct net_udp **from, struct net_udp **to, struct net_addr *at)
{
	close(bound_socket(SOCK_DGRAM, at));
	begin();
	many = unsent = shown = 0;
	longest = 0;
	*to = net_udp_open(loop, 4, at, 1 << 20, &many_events, NULL, &why);
	*from = net_udp_open(loop, 4, NULL, 65536, &many_events, NULL, &why);
	CHECK(*to != NULL && *from != NULL);
}

static void
what_is_posted_together_arrives_whole_and_in_order(void)
{
	struct net_udp *from, *to;
	struct net_addr at, dead;
	static uint8_t bytes[70000];

	close(bound_socket(SOCK_DGRAM, &dead));
	open_ends(&from, &to, &at);
	for (uint32_t i = 0; i < MANY; i++) {
		memcpy(bytes, &i, sizeof i);
		if (i % 10 == 5)
			net_udp_post(from, &dead, "ping", 4);
		if (i == 20)
			net_udp_post(from, &at, bytes, sizeof bytes);
		net_udp_post(from, &at, bytes, i == 40 ? 9000 : i == 50 ? 2048 : 40);
	}
	loop_run(loop);
	CHECK_INT(many, MANY);
	CHECK(shown > 0 && shown <= MANY);
	CHECK_INT(unsent, 1);
	CHECK_INT(longest, 9000);
	net_udp_close(from);
	net_udp_close(to);
	finish();
}

static void
what_is_posted_goes_out_though_the_socket_is_closed(void)
{
	struct net_udp *from, *to;
	struct net_addr at;

	open_ends(&from, &to, &at);
	many = MANY - 1;
	net_udp_post(from, &at, &many, sizeof many);
	net_udp_close(from);
	loop_run(loop);
	CHECK_INT(many, MANY);
	net_udp_close(to);
	finish();
}

static struct net_udp *flood_from;
static struct net_addr flood_to;
static struct loop_timer flood;
static uint32_t flooded;

/* A datagram each turn of the loop, so that each is a wake-up by itself. */
static void
send_flood(void *arg)
{
	(void)arg;
	CHECK(net_udp_send(flood_from, &flood_to, &flooded, sizeof flooded, &why) == 0);
	if (++flooded % MANY != 0)
		loop_timer_in(loop, &flood, 0);
}

static void
a_flood_that_comes_one_by_one_is_read_whole_and_so_is_what_follows_after_it(void)
{
	struct net_udp *to;

	open_ends(&flood_from, &to, &flood_to);
	flooded = 0;
	loop_timer_init(&flood, send_flood, NULL);
	for (int round = 1; round <= 3; round++) {
		loop_timer_in(loop, &flood, round == 3 ? LOOP_S / 2 : 0); /* quiet by then */
		loop_run(loop);
		CHECK_INT(many, MANY * (unsigned)round);
	}
	net_udp_close(flood_from);
	net_udp_close(to);
	finish();
}

static void
stream_connected(void *arg)
{
	connected++;
	CHECK(net_stream_send(*(struct net_stream **)arg, "hello", 5) == 0);
}

static void
stream_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	(void)mono;
	(void)arg;
	strncat(got, (const char *)data, size);
	loop_stop(loop);
}

static void
stream_closed(int error, void *arg)
{
	(void)arg;
	ended = 1 + error;
	loop_stop(loop);
}

static const struct net_stream_events stream_events = {
	stream_connected, stream_received, stream_closed
};

static void
a_stream_carries_bytes_and_ends_with_fin_even_with_unread_input(void)
{
	struct net_addr peer;
	int fd = bound_socket(SOCK_STREAM, &peer), client;
	struct net_stream *stream;
	char bytes[16] = "";

	CHECK(listen(fd, 1) == 0);
	begin();
	stream = net_stream_connect(loop, &peer, &stream_events, &stream, &why);
	CHECK(stream != NULL && connected == 0);
	client = accept(fd, NULL, NULL);
	CHECK(write(client, "answer", 6) == 6);
	loop_run(loop);
	CHECK_INT(connected, 1);
	CHECK_STR(got, "answer");
	CHECK(read(client, bytes, sizeof bytes) == 5);
	CHECK(write(client, "unread", 6) == 6);
	net_stream_close(stream);
	CHECK(read(client, bytes, sizeof bytes) == 0); /* FIN, not ECONNRESET */
	close(client);
	close(fd);
	finish();
}

static void
a_refused_connection_is_an_event_and_not_a_return_value(void)
{
	struct net_addr peer;
	struct net_stream *stream;

	close(bound_socket(SOCK_STREAM, &peer));
	begin();
	stream = net_stream_connect(loop, &peer, &stream_events, &stream, &why);
	CHECK(stream != NULL && ended == 0);
	loop_run(loop);
	CHECK_INT(ended, 1 + ECONNREFUSED);
	net_stream_close(stream);
	finish();
}

static void
addresses_read_and_print_in_both_families(void)
{
	struct net_addr addr;
	char text[64];

	CHECK(net_addr_parse("2001:db8::1", 161, &addr, &why) == 0);
	CHECK_STR(net_addr_text(text, sizeof text, &addr, true), "[2001:db8::1]:161");
	CHECK(net_addr_parse("10.1.3.1", 502, &addr, &why) == 0);
	CHECK_STR(net_addr_text(text, sizeof text, &addr, false), "10.1.3.1");
	CHECK(net_addr_parse("plc-3.plant", 502, &addr, &why) == -1);
}

static void
a_link_local_address_has_its_interface_and_no_other_has(void)
{
	struct net_addr addr, other;
	char text[72];

	CHECK(net_addr_parse("fe80::1%lo", 161, &addr, &why) == 0);
	CHECK(addr.family == 6 && addr.zone == 1);
	CHECK_STR(net_addr_text(text, sizeof text, &addr, true), "[fe80::1%lo]:161");
	CHECK(net_addr_parse("fe80::1", 161, &other, &why) == 0);
	CHECK(!net_addr_same_host(&addr, &other));
	CHECK(net_addr_parse("fe80::1%1", 161, &other, &why) == 0);
	CHECK(net_addr_equal(&addr, &other));
	CHECK(net_addr_parse("fe80::1%4294967295", 161, &other, &why) == 0);
	CHECK_STR(net_addr_text(text, sizeof text, &other, false), "fe80::1%4294967295");
	CHECK(net_addr_parse("2001:db8::1%lo", 161, &addr, &why) == -1);
	CHECK_STR(why.text, "\"2001:db8::1%lo\": only a link-local address (fe80::..) has an interface "
		"behind it");
	CHECK(net_addr_parse("10.1.3.1%lo", 161, &addr, &why) == -1);
	CHECK(net_addr_parse("fe80::1%", 161, &addr, &why) == -1);
	CHECK(net_addr_parse("%lo", 161, &addr, &why) == -1);
}

static void
an_address_is_ours_when_a_socket_can_be_bound_to_it(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_nonlocal_bind", "r");
	bool any = file != NULL && fgetc(file) == '1';
	struct net_addr addr;

	if (file != NULL)
		fclose(file);
	CHECK(net_addr_parse("127.0.0.1", 161, &addr, &why) == 0);
	CHECK(net_addr_is_ours(&addr)); /* whoever has that port */
	CHECK(net_addr_parse("192.0.2.7", 0, &addr, &why) == 0);
	CHECK(net_addr_is_ours(&addr) == any);
}

RUN_TESTS(TEST(an_address_is_ours_when_a_socket_can_be_bound_to_it),
	TEST(a_link_local_address_has_its_interface_and_no_other_has),
	TEST(a_datagram_comes_back_with_its_source_and_the_time_of_its_arrival),
	TEST(a_dead_port_is_told_at_once_and_does_not_spoil_the_next_send),
	TEST(what_was_too_long_for_another_device_does_not_spoil_the_next_send),
	TEST(what_is_posted_together_arrives_whole_and_in_order),
	TEST(what_is_posted_goes_out_though_the_socket_is_closed),
	TEST(a_flood_that_comes_one_by_one_is_read_whole_and_so_is_what_follows_after_it),
	TEST(a_stream_carries_bytes_and_ends_with_fin_even_with_unread_input),
	TEST(a_refused_connection_is_an_event_and_not_a_return_value),
	TEST(addresses_read_and_print_in_both_families))

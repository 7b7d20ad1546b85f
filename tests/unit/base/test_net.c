/* On the system's loopback. */
#include "../check.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
	loop_timer_in(loop, &limit, 3 * LOOP_S);
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

static const struct net_udp_events udp_events = { udp_received, udp_refused };

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

RUN_TESTS(TEST(a_datagram_comes_back_with_its_source_and_the_time_of_its_arrival),
	TEST(a_dead_port_is_told_at_once_and_does_not_spoil_the_next_send),
	TEST(a_stream_carries_bytes_and_ends_with_fin_even_with_unread_input),
	TEST(a_refused_connection_is_an_event_and_not_a_return_value),
	TEST(addresses_read_and_print_in_both_families))

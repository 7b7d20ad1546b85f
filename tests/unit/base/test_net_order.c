/* What is sent and read first at a tick: real sockets on loopback, in virtual time. */
#include "../check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "fake/loop_sim.h"

#define QUESTIONS 100 /* several calls' worth */
#define ANSWERS 80
#define FLOOD 150

static struct {
	struct loop *loop;
	struct net_udp *udp;
	int peer; /* a socket of the kernel's */
	struct net_addr at;
	struct sockaddr_in ours;
	unsigned posted, read, sent_when_read, read_by_then;
	int64_t read_at;
} bed;

/* How many datagrams have arrived at the peer; they are taken. */
static unsigned
arrived(void)
{
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	unsigned count = 0;
	char bytes[64];

	while (recvfrom(bed.peer, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from,
		       &size) >= 0) {
		bed.ours = from;
		count++;
	}
	return count;
}

static void
received(const struct net_addr *from, const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	(void)data, (void)size, (void)mono, (void)arg;
	CHECK(net_addr_equal(from, &bed.at));
	if (bed.read++ == 0)
		bed.sent_when_read = arrived();
	bed.read_at = loop_mono(bed.loop);
}

static void
answer(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		CHECK(sendto(bed.peer, "answer", 6, 0, (struct sockaddr *)&bed.ours,
			      sizeof bed.ours) == 6);
}

static void
open_bed(void)
{
	static const struct net_udp_events events = { .received = received };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	struct fail why;

	memset(&bed, 0, sizeof bed);
	loop_sim_begin(1000 * LOOP_S + 3 * LOOP_MS, INT64_C(1767225600) * LOOP_S);
	bed.loop = loop_new(&why);
	bed.peer = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(bed.peer, (struct sockaddr *)&at, sizeof at) == 0);
	CHECK(getsockname(bed.peer, (struct sockaddr *)&at, &size) == 0);
	CHECK(net_addr_parse("127.0.0.1", ntohs(at.sin_port), &bed.at, &why) == 0);
	bed.udp = net_udp_open(bed.loop, 4, NULL, 1 << 20, &events, NULL, &why);
	CHECK(bed.udp != NULL);
	/* Where our socket is. */
	net_udp_post(bed.udp, &bed.at, "hello", 5);
	loop_sim_for(bed.loop, LOOP_MS);
	CHECK_INT(arrived(), 1);
}

static void
close_bed(void)
{
	net_udp_close(bed.udp);
	loop_free(bed.loop);
	close(bed.peer);
}

/* So much comes by itself that it is read by the tick from then on. */
static void
make_busy(void)
{
	unsigned turns = 0;

	for (; turns < 1000; turns++) {
		answer(1);
		if (!loop_sim_read())
			break;
	}
	CHECK(turns < 1000);
	CHECK(bed.read > 0);
	bed.read = 0;
}

/* Goes to a reading, behind which nothing is left. */
static void
settle(void)
{
	bed.read = 0;
	answer(10);
	for (int i = 0; i < 1000 && bed.read < 10; i++)
		loop_sim_for(bed.loop, LOOP_MS);
	CHECK(bed.read >= 10); /* with what had made it busy */
	bed.read = 0;
}

static void
ask(void *arg)
{
	(void)arg;
	net_udp_post(bed.udp, &bed.at, "question", 8);
	bed.posted++;
}

static int64_t
next_tick(void)
{
	int64_t wall = loop_wall(bed.loop);

	return loop_mono_at(bed.loop, (wall / LOOP_TICK + 1) * LOOP_TICK);
}

static void
what_is_due_at_a_tick_is_sent_before_the_answers_of_the_last_one_are_read(void)
{
	static struct loop_timer polls[QUESTIONS];
	int64_t tick;

	open_bed();
	make_busy();
	settle();
	tick = next_tick();
	for (int i = 0; i < QUESTIONS; i++) {
		loop_timer_init(&polls[i], ask, NULL);
		loop_timer_at(bed.loop, &polls[i], tick);
	}
	answer(ANSWERS);
	loop_sim_until(bed.loop, tick - 1);
	CHECK_INT(bed.read, 0);
	loop_sim_until(bed.loop, tick + LOOP_MS);
	CHECK_INT(bed.posted, QUESTIONS);
	CHECK_INT(bed.read, ANSWERS);
	CHECK_INT(bed.sent_when_read, QUESTIONS);
	CHECK(bed.read_at - tick <= NET_UDP_READ);
	close_bed();
}

static void
note_read(void *arg)
{
	(void)arg;
	bed.read_by_then = bed.read;
}

static unsigned
read_by(int64_t mono)
{
	loop_sim_until(bed.loop, mono);
	return bed.read;
}

static void
a_deadline_just_behind_a_tick_finds_read_what_came_before_it(void)
{
	int64_t tick;

	static struct loop_timer deadline;

	open_bed();
	make_busy();
	settle();
	tick = next_tick();
	loop_timer_init(&deadline, note_read, NULL);
	loop_timer_at(bed.loop, &deadline, tick + NET_UDP_READ + 1);
	answer(1);
	CHECK_INT(read_by(tick), 0);
	bed.read_by_then = 0;
	CHECK_INT(read_by(tick + NET_UDP_READ + 1), 1);
	CHECK_INT(bed.read_by_then, 1);
	close_bed();
}

/* How many ticks an answer waits that comes just behind a reading. */
static int64_t
ticks_unread(void)
{
	int64_t from;

	settle();
	from = bed.read_at;
	answer(1);
	while (bed.read == 0 && loop_mono(bed.loop) < from + LOOP_S)
		loop_sim_for(bed.loop, LOOP_MS);
	return (bed.read_at - from) / LOOP_TICK;
}

static void
without_another_timer_a_busy_socket_is_read_at_the_third_tick(void)
{
	open_bed();
	make_busy();
	for (int i = 0; i < 4; i++)
		CHECK_INT(ticks_unread(), 3);
	close_bed();
}

static void
somebody_in_a_hurry_has_a_busy_socket_read_at_each_tick(void)
{
	open_bed();
	make_busy();
	CHECK_INT(ticks_unread(), 3);
	for (int i = 0; i < 4; i++) {
		settle();
		net_udp_hurry(bed.udp);
		CHECK_INT(ticks_unread(), 1);
		CHECK_INT(ticks_unread(), 1);
		loop_sim_for(bed.loop, NET_UDP_HURRY);
		CHECK_INT(ticks_unread(), 3);
	}
	close_bed();
}

/* More than is taken in two calls. */
static void
flood(void)
{
	settle();
	answer(FLOOD);
	while (bed.read < FLOOD && loop_mono(bed.loop) < bed.read_at + LOOP_S)
		loop_sim_for(bed.loop, LOOP_MS / 10);
	CHECK_INT(bed.read, FLOOD);
	bed.read = 0;
}

static void
what_comes_behind_a_flood_does_not_wait_for_a_tick(void)
{
	open_bed();
	make_busy();
	for (int i = 0; i < 4; i++) {
		int64_t from;

		flood();
		from = bed.read_at;
		answer(1);
		loop_sim_until(bed.loop, from + 3 * LOOP_MS);
		CHECK_INT(bed.read, 1);
		CHECK_INT(ticks_unread(), 3);
	}
	close_bed();
}

static void
in_a_flood_it_is_read_at_each_tick_all_the_same(void)
{
	int64_t tick;

	open_bed();
	make_busy();
	for (int i = 0; i < 20; i++) {
		flood();
		tick = next_tick();
		for (; loop_mono(bed.loop) + LOOP_MS < tick; loop_sim_for(bed.loop, LOOP_MS))
			answer(FLOOD);
		loop_sim_until(bed.loop, tick - 1);
		bed.read = 0;
		answer(1);
		CHECK(read_by(tick + NET_UDP_READ) >= 1);
	}
	close_bed();
}

static void
a_quiet_socket_is_read_as_soon_as_something_is_there(void)
{
	open_bed();
	answer(1);
	CHECK(loop_sim_read());
	CHECK_INT(bed.read, 1);
	CHECK(!loop_sim_read());
	close_bed();
}

RUN_TESTS(TEST(what_is_due_at_a_tick_is_sent_before_the_answers_of_the_last_one_are_read),
	TEST(a_deadline_just_behind_a_tick_finds_read_what_came_before_it),
	TEST(without_another_timer_a_busy_socket_is_read_at_the_third_tick),
	TEST(somebody_in_a_hurry_has_a_busy_socket_read_at_each_tick),
	TEST(what_comes_behind_a_flood_does_not_wait_for_a_tick),
	TEST(in_a_flood_it_is_read_at_each_tick_all_the_same),
	TEST(a_quiet_socket_is_read_as_soon_as_something_is_there))

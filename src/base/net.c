#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"

union any_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static socklen_t
to_system(const struct net_addr *addr, union any_addr *system)
{
	memset(system, 0, sizeof *system);
	if (addr->family == 6) {
		system->v6.sin6_family = AF_INET6;
		system->v6.sin6_port = htons(addr->port);
		system->v6.sin6_scope_id = addr->zone;
		memcpy(&system->v6.sin6_addr, addr->bytes, 16);
		return sizeof system->v6;
	}
	system->v4.sin_family = AF_INET;
	system->v4.sin_port = htons(addr->port);
	memcpy(&system->v4.sin_addr, addr->bytes, 4);
	return sizeof system->v4;
}

static void
from_system(const union any_addr *system, struct net_addr *addr)
{
	memset(addr, 0, sizeof *addr);
	if (system->any.sa_family == AF_INET6) {
		addr->family = 6;
		addr->port = ntohs(system->v6.sin6_port);
		if (IN6_IS_ADDR_LINKLOCAL(&system->v6.sin6_addr))
			addr->zone = system->v6.sin6_scope_id;
		memcpy(addr->bytes, &system->v6.sin6_addr, 16);
	} else if (system->any.sa_family == AF_INET) {
		addr->family = 4;
		addr->port = ntohs(system->v4.sin_port);
		memcpy(addr->bytes, &system->v4.sin_addr, 4);
	}
}

/* ---- UDP ---- */

#define BATCH 64
#define DATAGRAM 65536
/* Rooms a power of two apart would share a few lines of each cache. */
#define ROOM_STEP (DATAGRAM + 1472)
/* Longer ones are not worth a copy, they go by themselves. */
#define POST_MAX 2048
/* How much comes is counted over so many ticks. With more wake-ups for the socket than
 * WAKES_MOST it is read by the tick from then on; no more datagrams than QUIET_MOST end that:
 * then ticks would be wake-ups for nothing. */
#define COUNTED_TICKS 10
#define WAKES_MOST 20
#define QUIET_MOST 8
/* Of so many ticks without another timer the last one is woken for. */
#define UNREAD_TICKS 3
/* When more than so many came in one reading, as when all are asked at once, the next one is after
 * SOON already: what lies in the kernel for a tick has left the processor's caches. */
#define MUCH (2 * BATCH)
#define SOON (3 * LOOP_MS)

/* Datagrams on their way out. */
struct posts {
	size_t count;
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	union any_addr to[BATCH];
	uint8_t bytes[BATCH][POST_MAX];
};

/* Datagrams on their way in. Ready for recvmmsg at any time: what it changes is put back, the
 * rest of a large piece of memory is not touched at each reading. */
struct arrivals {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	union any_addr from[BATCH];
	uint8_t control[BATCH][128];
};

struct net_udp {
	struct loop *loop;
	struct loop_watch *watch;
	int fd;
	struct net_udp_events events;
	void *arg;
	uint64_t drops;
	uint8_t *room; /* BATCH datagrams, ROOM_STEP apart */
	struct arrivals *arrivals;
	struct posts *posts;
	struct loop_timer soon; /* sends what was posted */
	struct loop_soft tick;  /* reads; armed: the watch is paused */
	int64_t hurried_until;  /* mono */
	int64_t counted_from;   /* mono */
	unsigned counted;       /* wake-ups since, or datagrams where it is read by the tick */
	bool busy, closed;
	bool whole;             /* sends no fragments */
};

/* The kernel stamps with the real-time clock; what counts here is how long ago that was.
 * now and real are the same instant on both clocks. */
static int64_t
mono_of_stamp(const struct timespec *stamp, int64_t now, const struct timespec *real)
{
	int64_t age = (real->tv_sec - stamp->tv_sec) * LOOP_S + real->tv_nsec - stamp->tv_nsec;

	return age < 0 || age > 60 * LOOP_S ? now : now - age;
}

static int64_t
read_control(struct net_udp *udp, struct msghdr *message, int64_t now,
	const struct timespec *real)
{
	int64_t mono = now;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec stamp;

			memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
			mono = mono_of_stamp(&stamp, now, real);
		} else if (c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t drops;

			memcpy(&drops, CMSG_DATA(c), sizeof drops);
			udp->drops = drops;
		}
	}
	return mono;
}

/* What ICMP said of datagrams sent earlier; the kernel hands back what we had sent. */
static void
read_errors(struct net_udp *udp)
{
	for (int i = 0; i < 64 && !udp->closed; i++) {
		uint8_t control[512];
		union any_addr to;
		struct iovec part = { udp->room, DATAGRAM };
		struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof to,
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
			.msg_controllen = sizeof control };
		ssize_t size = recvmsg(udp->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
		int error = 0;
		struct net_addr peer;

		if (size < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
			if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
				(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
				struct sock_extended_err ee;

				memcpy(&ee, CMSG_DATA(c), sizeof ee);
				error = (int)ee.ee_errno;
			}
		from_system(&to, &peer);
		if (error != 0 && udp->events.refused != NULL)
			udp->events.refused(&peer, udp->room, (size_t)size, error, udp->arg);
	}
}

/* Both clocks at the same instant: nobody has put us aside between the two looks. */
static int64_t
same_instant(struct loop *loop, struct timespec *real)
{
	int64_t before = loop_mono(loop), after;

	for (int tries = 0;; tries++) {
		clock_gettime(CLOCK_REALTIME, real);
		after = loop_mono(loop);
		if (after - before < LOOP_MS / 10 || tries == 3)
			return after;
		before = after;
	}
}

/* The next few of a batch. */
static void
tell_coming(const struct net_udp *udp, const struct mmsghdr *messages, int count)
{
	struct net_datagram datagrams[AHEAD_GROUP];

	if (udp->events.coming == NULL || count < 2)
		return;
	if (count > AHEAD_GROUP)
		count = AHEAD_GROUP;
	for (int i = 0; i < count; i++)
		datagrams[i] = (struct net_datagram){ messages[i].msg_hdr.msg_iov->iov_base,
			messages[i].msg_len };
	udp->events.coming(datagrams, (size_t)count, udp->arg);
}

static void
expect_arrival(struct net_udp *udp, size_t i)
{
	struct arrivals *arrivals = udp->arrivals;

	arrivals->parts[i] = (struct iovec){ udp->room + i * ROOM_STEP, DATAGRAM };
	arrivals->messages[i].msg_hdr = (struct msghdr){ .msg_name = &arrivals->from[i],
		.msg_namelen = sizeof arrivals->from[i], .msg_iov = &arrivals->parts[i],
		.msg_iovlen = 1, .msg_control = arrivals->control[i],
		.msg_controllen = sizeof arrivals->control[i] };
}

/* Reads one batch; false when there is nothing more. *total counts datagrams. */
static bool
read_batch(struct net_udp *udp, unsigned *total)
{
	struct mmsghdr *messages = udp->arrivals->messages;
	struct timespec real;
	int64_t now;
	int count;

	count = recvmmsg(udp->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		read_errors(udp);
		return true;
	}
	*total += (unsigned)count;
	now = same_instant(udp->loop, &real);
	for (int i = 0; i < count && !udp->closed; i++) {
		struct net_addr peer;
		int64_t mono = read_control(udp, &messages[i].msg_hdr, now, &real);

		if (i % AHEAD_GROUP == 0)
			tell_coming(udp, &messages[i], count - i);
		from_system(&udp->arrivals->from[i], &peer);
		udp->events.received(&peer, udp->room + (size_t)i * ROOM_STEP, messages[i].msg_len,
			mono, udp->arg);
		expect_arrival(udp, (size_t)i);
	}
	return count == BATCH;
}

static void
udp_free(struct net_udp *udp)
{
	loop_timer_stop(udp->loop, &udp->soon);
	loop_soft_stop(udp->loop, &udp->tick);
	loop_watch_free(udp->watch);
	if (udp->fd != -1)
		close(udp->fd);
	free(udp->posts);
	free(udp->arrivals);
	free(udp->room);
	free(udp);
}

/* Never in fragments: what is sent so needs no identification (RFC 6864 4), and to draw one for each
 * datagram costs the kernel as much as a tenth of its sending. IPv6 has none. */
static void
send_whole(struct net_udp *udp, uint8_t family)
{
	udp->whole = family == 4 && setsockopt(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER,
		&(int){ IP_PMTUDISC_DO }, sizeof(int)) == 0;
}

/* On some way there is no room for that: from now on as is usual, where the kernel fragments what is
 * longer than it knows the way to be. */
static void
send_fragments(struct net_udp *udp)
{
	if (udp->whole)
		setsockopt(udp->fd, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_WANT }, sizeof(int));
	udp->whole = false;
}

/* An ICMP error that somebody else's datagram earned is reported by our call: that only clears it. What is
 * too long itself is tried in vain. */
static bool
is_worth_a_try(struct net_udp *udp, int error)
{
	if (error == EMSGSIZE)
		send_fragments(udp);
	return error == EMSGSIZE || error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

/* Returns how many went out; 0: the first one does not. */
static size_t
send_some(struct net_udp *udp, struct mmsghdr *messages, size_t count)
{
	for (int tries = 0; tries < 3; tries++) {
		int sent = sendmmsg(udp->fd, messages, (unsigned)count, MSG_NOSIGNAL);

		if (sent > 0)
			return (size_t)sent;
		if (!is_worth_a_try(udp, errno))
			break;
	}
	return 0;
}

static void
send_posts(struct net_udp *udp)
{
	struct posts *posts = udp->posts;
	size_t done = 0;

	while (done < posts->count) {
		size_t sent = send_some(udp, posts->messages + done, posts->count - done);
		int error = errno;
		struct net_addr peer;

		done += sent;
		if (sent > 0)
			continue;
		from_system(&posts->to[done], &peer);
		if (udp->events.unsent != NULL && !udp->closed)
			udp->events.unsent(&peer, posts->bytes[done],
				posts->parts[done].iov_len, error, udp->arg);
		done++;
	}
	posts->count = 0;
}

static void
soon_ran(void *arg)
{
	struct net_udp *udp = arg;

	udp->busy = true;
	send_posts(udp);
	udp->busy = false;
	if (udp->closed)
		udp_free(udp);
}

/* Returns how many datagrams there were. */
static unsigned
read_all(struct net_udp *udp)
{
	unsigned total = 0;

	udp->busy = true;
	send_posts(udp);
	/* Bounded: timers and other sockets get their turn under a flood. */
	for (int i = 0; i < 16 && !udp->closed; i++)
		if (!read_batch(udp, &total))
			break;
	send_posts(udp);
	udp->busy = false;
	return total;
}

/* came: in the last reading. */
static void
wait_for_tick(struct net_udp *udp, unsigned came)
{
	int64_t now = loop_mono(udp->loop), wall = loop_wall(udp->loop), next;
	bool much = came > MUCH;

	/* Counted from the tick that is near: a wake-up a little early must not read twice. */
	if (!much)
		wall += LOOP_TICK / 4;
	next = loop_mono_at(udp->loop, (wall / LOOP_TICK + 1) * LOOP_TICK) + NET_UDP_READ;
	if (much && next > now + SOON)
		next = now + SOON;
	loop_soft_within(udp->loop, &udp->tick, next, much || next < udp->hurried_until ? next :
		next + (UNREAD_TICKS - 1) * LOOP_TICK);
}

/* True when the counted time is over; then counting begins anew. */
static bool
count_is_over(struct net_udp *udp)
{
	int64_t now = loop_mono(udp->loop);

	if (now - udp->counted_from < COUNTED_TICKS * LOOP_TICK)
		return false;
	udp->counted_from = now;
	udp->counted = 0;
	return true;
}

static void
udp_ready(int fd, unsigned what, void *arg)
{
	struct net_udp *udp = arg;

	(void)fd;
	(void)what;
	count_is_over(udp);
	read_all(udp);
	if (udp->closed) {
		udp_free(udp);
		return;
	}
	/* Each datagram by itself costs a turn of the loop: together they cost a third. */
	if (++udp->counted > WAKES_MOST) {
		loop_watch_set(udp->watch, 0);
		udp->counted_from = loop_mono(udp->loop);
		udp->counted = 0;
		wait_for_tick(udp, 1);
	}
}

static void
tick_ran(void *arg)
{
	struct net_udp *udp = arg;
	unsigned total = read_all(udp);
	bool few;

	if (udp->closed) {
		udp_free(udp);
		return;
	}
	udp->counted += total;
	few = udp->counted <= QUIET_MOST;
	if (count_is_over(udp) && few)
		loop_watch_set(udp->watch, LOOP_READ);
	else
		wait_for_tick(udp, total);
}

static void
set_receive_buffer(int fd, size_t size)
{
	int wanted = (int)size;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
}

bool
net_addr_is_ours(const struct net_addr *addr)
{
	struct net_addr any_port = *addr;
	union any_addr system;
	bool is = true;
	int fd;

	any_port.port = 0;
	fd = socket(addr->family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return true; /* not known to be missing */
	if (bind(fd, &system.any, to_system(&any_port, &system)) == -1)
		is = errno != EADDRNOTAVAIL;
	close(fd);
	return is;
}

struct net_udp *
net_udp_open(struct loop *loop, uint8_t family, const struct net_addr *local, size_t rcvbuf,
	const struct net_udp_events *events, void *arg, struct fail *why)
{
	struct net_udp *udp = mem_zero(sizeof *udp);
	int on = 1;
	union any_addr system;

	if (local != NULL)
		family = local->family;
	udp->loop = loop;
	udp->events = *events;
	udp->arg = arg;
	loop_timer_init(&udp->soon, soon_ran, udp);
	loop_soft_init(&udp->tick, tick_ran, udp);
	udp->fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (udp->fd == -1) {
		fail_set(why, "UDP socket: %s", strerror(errno));
		goto fail;
	}
	if (local != NULL && bind(udp->fd, &system.any, to_system(local, &system)) == -1) {
		fail_set(why, "bind: %s", strerror(errno));
		goto fail;
	}
	set_receive_buffer(udp->fd, rcvbuf);
	setsockopt(udp->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	setsockopt(udp->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	if (family == 6)
		setsockopt(udp->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
	else
		setsockopt(udp->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
	send_whole(udp, family);
	/* Not zeroed: of these 4 MB most are never touched, and then take no memory. */
	udp->room = mem_grow(NULL, BATCH, ROOM_STEP);
	udp->posts = mem_zero(sizeof *udp->posts);
	udp->arrivals = mem_zero(sizeof *udp->arrivals);
	for (size_t i = 0; i < BATCH; i++)
		expect_arrival(udp, i);
	udp->watch = loop_watch_new(loop, udp->fd, LOOP_READ, udp_ready, udp);
	return udp;
fail:
	udp_free(udp);
	return NULL;
}

int
net_udp_send(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size,
	struct fail *why)
{
	union any_addr system;
	socklen_t length = to_system(to, &system);

	for (int tries = 0; tries < 3; tries++) {
		if (sendto(udp->fd, data, size, MSG_NOSIGNAL, &system.any, length) >= 0)
			return 0;
		if (!is_worth_a_try(udp, errno))
			break;
	}
	fail_set(why, "%s", strerror(errno));
	return -1;
}

static void
post_alone(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size)
{
	struct fail why;

	send_posts(udp);
	errno = 0;
	if (!udp->closed && net_udp_send(udp, to, data, size, &why) == -1 &&
		udp->events.unsent != NULL)
		udp->events.unsent(to, data, size, errno, udp->arg);
}

void
net_udp_post(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size)
{
	struct posts *posts = udp->posts;
	size_t i = posts->count;

	if (size > POST_MAX) {
		post_alone(udp, to, data, size);
		return;
	}
	memcpy(posts->bytes[i], data, size);
	posts->parts[i] = (struct iovec){ posts->bytes[i], size };
	posts->messages[i].msg_hdr = (struct msghdr){ .msg_name = &posts->to[i],
		.msg_namelen = to_system(to, &posts->to[i]), .msg_iov = &posts->parts[i],
		.msg_iovlen = 1 };
	posts->count++;
	if (posts->count == BATCH)
		send_posts(udp);
	else if (!udp->busy && !loop_timer_armed(&udp->soon))
		loop_timer_in(udp->loop, &udp->soon, 0);
}

void
net_udp_hurry(struct net_udp *udp)
{
	udp->hurried_until = loop_mono(udp->loop) + NET_UDP_HURRY;
	if (loop_soft_armed(&udp->tick) && udp->tick.timer.due > udp->tick.from)
		loop_soft_within(udp->loop, &udp->tick, udp->tick.from, udp->tick.from);
}

uint64_t
net_udp_drops(const struct net_udp *udp)
{
	return udp->drops;
}

void
net_udp_close(struct net_udp *udp)
{
	if (udp == NULL)
		return;
	udp->closed = true;
	if (udp->busy)
		return;
	send_posts(udp);
	udp_free(udp);
}

/* ---- streams ---- */

struct net_stream {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer soon; /* an outcome known before the call returned */
	int fd;
	struct net_stream_events events;
	void *arg;
	uint8_t *queue; /* not yet taken by the kernel */
	size_t queued, room;
	int error;
	bool connecting, dead, told, busy, closed, finishing;
	bool tty; /* fd belongs to somebody else, and is no socket */
};

static void
stream_free(struct net_stream *stream)
{
	loop_timer_stop(stream->loop, &stream->soon);
	loop_watch_free(stream->watch);
	if (stream->fd != -1 && !stream->tty)
		close(stream->fd);
	free(stream->queue);
	free(stream);
}

static void
stream_die(struct net_stream *stream, int error)
{
	if (stream->dead)
		return;
	stream->dead = true;
	stream->error = error;
	if (stream->watch != NULL)
		loop_watch_set(stream->watch, 0);
	if (!stream->busy)
		loop_timer_in(stream->loop, &stream->soon, 0);
}

static void
stream_tell_death(struct net_stream *stream)
{
	if (!stream->dead || stream->told || stream->closed)
		return;
	stream->told = true;
	if (stream->finishing)
		stream->closed = true;
	else if (stream->events.closed != NULL)
		stream->events.closed(stream->error, stream->arg);
}

static void
stream_soon(void *arg)
{
	struct net_stream *stream = arg;

	stream->busy = true;
	stream_tell_death(stream);
	stream->busy = false;
	if (stream->closed)
		stream_free(stream);
}

static void
stream_flush(struct net_stream *stream)
{
	while (stream->queued > 0 && !stream->dead) {
		ssize_t sent = stream->tty ? write(stream->fd, stream->queue, stream->queued) :
			send(stream->fd, stream->queue, stream->queued, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (sent < 0) {
			stream_die(stream, errno);
			return;
		}
		stream->queued -= (size_t)sent;
		memmove(stream->queue, stream->queue + sent, stream->queued);
	}
	if (!stream->dead)
		loop_watch_set(stream->watch, LOOP_READ | (stream->queued > 0 ? LOOP_WRITE : 0u));
	if (stream->finishing && stream->queued == 0)
		stream->closed = true;
}

static void
stream_connected(struct net_stream *stream)
{
	int error = 0;
	socklen_t size = sizeof error;

	getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	stream->connecting = false;
	if (error != 0) {
		stream_die(stream, error);
		return;
	}
	loop_watch_set(stream->watch, LOOP_READ);
	if (stream->events.connected != NULL)
		stream->events.connected(stream->arg);
	if (!stream->closed)
		stream_flush(stream);
}

static void
stream_read(struct net_stream *stream)
{
	for (int i = 0; i < 8 && !stream->closed && !stream->dead; i++) {
		uint8_t bytes[16384];
		ssize_t size = stream->tty ? read(stream->fd, bytes, sizeof bytes) :
			recv(stream->fd, bytes, sizeof bytes, 0);

		if (size > 0) {
			if (!stream->finishing && stream->events.received != NULL)
				stream->events.received(bytes, (size_t)size,
					loop_mono(stream->loop), stream->arg);
			/* That was all; what comes meanwhile, or the end, wakes us again. Asking
			 * for it at once costs as much as the answer itself. */
			if ((size_t)size < sizeof bytes)
				return;
		} else if (size == 0) {
			stream_die(stream, 0);
		} else {
			if (errno != EAGAIN && errno != EINTR)
				stream_die(stream, errno);
			return;
		}
	}
}

static void
stream_ready(int fd, unsigned what, void *arg)
{
	struct net_stream *stream = arg;

	(void)fd;
	stream->busy = true;
	if (stream->connecting) {
		stream_connected(stream);
	} else {
		if (what & LOOP_WRITE)
			stream_flush(stream);
		if (what & LOOP_READ)
			stream_read(stream);
	}
	stream_tell_death(stream);
	stream->busy = false;
	if (stream->closed)
		stream_free(stream);
}

static struct net_stream *
stream_new(struct loop *loop, int fd)
{
	struct net_stream *stream = mem_zero(sizeof *stream);

	stream->loop = loop;
	stream->fd = fd;
	loop_timer_init(&stream->soon, stream_soon, stream);
	return stream;
}

static struct net_stream *
stream_connect(struct loop *loop, int fd, const union any_addr *to, socklen_t length,
	const struct net_stream_events *events, void *arg)
{
	struct net_stream *stream = stream_new(loop, fd);

	stream->events = *events;
	stream->arg = arg;
	stream->connecting = true;
	if (connect(fd, &to->any, length) == -1 && errno != EINPROGRESS)
		stream_die(stream, errno);
	else
		stream->watch = loop_watch_new(loop, fd, LOOP_WRITE, stream_ready, stream);
	return stream;
}

struct net_stream *
net_stream_connect(struct loop *loop, const struct net_addr *to,
	const struct net_stream_events *events, void *arg, struct fail *why)
{
	union any_addr system;
	socklen_t length = to_system(to, &system);
	int on = 1, fd;

	fd = socket(to->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		fail_set(why, "TCP socket: %s", strerror(errno));
		return NULL;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return stream_connect(loop, fd, &system, length, events, arg);
}

static int
unix_address(const char *path, union any_addr *system, struct fail *why)
{
	memset(system, 0, sizeof *system);
	system->un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof system->un.sun_path) {
		fail_set(why, "%s: too long for a unix socket", path);
		return -1;
	}
	strncpy(system->un.sun_path, path, sizeof system->un.sun_path - 1);
	return 0;
}

struct net_stream *
net_stream_connect_unix(struct loop *loop, const char *path,
	const struct net_stream_events *events, void *arg, struct fail *why)
{
	union any_addr system;
	int fd;

	if (unix_address(path, &system, why) == -1)
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		fail_set(why, "unix socket: %s", strerror(errno));
		return NULL;
	}
	return stream_connect(loop, fd, &system, sizeof system.un, events, arg);
}

struct net_stream *
net_stream_tty(struct loop *loop, int fd, const struct net_stream_events *events, void *arg)
{
	struct net_stream *stream = stream_new(loop, fd);

	stream->tty = true;
	stream->events = *events;
	stream->arg = arg;
	stream->watch = loop_watch_new(loop, fd, LOOP_READ, stream_ready, stream);
	return stream;
}

int
net_stream_send(struct net_stream *stream, const void *data, size_t size)
{
	if (stream->dead || stream->closed)
		return -1;
	if (stream->queued + size > stream->room) {
		stream->room = (stream->queued + size) * 2;
		stream->queue = mem_grow(stream->queue, stream->room, 1);
	}
	memcpy(stream->queue + stream->queued, data, size);
	stream->queued += size;
	if (!stream->connecting)
		stream_flush(stream);
	return stream->dead ? -1 : 0;
}

size_t
net_stream_unsent(const struct net_stream *stream)
{
	return stream->queued;
}

void
net_stream_close(struct net_stream *stream)
{
	uint8_t bytes[4096];

	if (stream == NULL)
		return;
	/* A socket closed with unread input sends RST, and small controllers leave the
	 * connection's slot taken. */
	for (int i = 0; i < 16 && !stream->dead && !stream->connecting && !stream->tty; i++)
		if (recv(stream->fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
			break;
	stream->closed = true;
	if (!stream->busy)
		stream_free(stream);
}

void
net_stream_finish(struct net_stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->queued == 0 || stream->dead) {
		net_stream_close(stream);
		return;
	}
	stream->finishing = true;
}

int
net_stream_peer(const struct net_stream *stream, uid_t *uid, gid_t *gid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(stream->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1 ||
		peer.pid == 0)
		return -1;
	*uid = peer.uid;
	*gid = peer.gid;
	return 0;
}

int
net_unix_listen(const char *path, mode_t mode, struct fail *why)
{
	union any_addr system;
	mode_t old;
	int fd, bound;

	if (unix_address(path, &system, why) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		fail_set(why, "unix socket: %s", strerror(errno));
		return -1;
	}
	unlink(path);
	old = umask(0777 & ~mode);
	bound = bind(fd, &system.any, sizeof system.un);
	umask(old);
	if (bound == -1 || listen(fd, 32) == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

struct net_listener {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer pause;
	int fd;
	void (*accepted)(struct net_stream *stream, void *arg);
	void *arg;
};

static void
listener_again(void *arg)
{
	struct net_listener *listener = arg;

	loop_watch_set(listener->watch, LOOP_READ);
}

static void
listener_ready(int fd, unsigned what, void *arg)
{
	struct net_listener *listener = arg;

	(void)what;
	for (int i = 0; i < 16; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		/* Out of descriptors the socket stays ready: looked at again in a second. */
		if (client == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			loop_watch_set(listener->watch, 0);
			loop_timer_in(listener->loop, &listener->pause, LOOP_S);
		}
		if (client == -1)
			return;
		listener->accepted(stream_new(listener->loop, client), listener->arg);
	}
}

struct net_listener *
net_listener_new(struct loop *loop, int fd, void (*accepted)(struct net_stream *, void *),
	void *arg)
{
	struct net_listener *listener = mem_zero(sizeof *listener);

	*listener = (struct net_listener){ .loop = loop, .fd = fd, .accepted = accepted, .arg = arg };
	loop_timer_init(&listener->pause, listener_again, listener);
	listener->watch = loop_watch_new(loop, fd, LOOP_READ, listener_ready, listener);
	return listener;
}

void
net_stream_adopt(struct net_stream *stream, const struct net_stream_events *events, void *arg)
{
	stream->events = *events;
	stream->arg = arg;
	stream->watch = loop_watch_new(stream->loop, stream->fd, LOOP_READ, stream_ready, stream);
}

void
net_listener_free(struct net_listener *listener)
{
	if (listener == NULL)
		return;
	loop_timer_stop(listener->loop, &listener->pause);
	loop_watch_free(listener->watch);
	close(listener->fd);
	free(listener);
}

/* ---- ICMP echo ---- */

struct net_icmp {
	struct loop *loop;
	struct loop_watch *watch;
	int fd;
	uint8_t family;
	bool raw;      /* we build and check the checksum, and see everybody's answers */
	uint16_t ident;
	void (*answer)(const struct net_addr *from, uint16_t sequence, const uint8_t *data,
		size_t size, int64_t mono, void *arg);
	void *arg;
};

#define ECHO_HEADER 8
#define ECHO_DATA 56

int
net_icmp_socket(uint8_t family, struct fail *why)
{
	int domain = family == 6 ? AF_INET6 : AF_INET;
	int protocol = family == 6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
	int fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd == -1)
		fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd == -1)
		fail_set(why, "ICMP socket: %s (start as root, or set net.ipv4.ping_group_range)",
			strerror(errno));
	return fd;
}

static uint16_t
checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (size % 2 != 0)
		sum += (uint32_t)(bytes[size - 1] << 8);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
icmp_take(struct net_icmp *icmp, const union any_addr *from, const uint8_t *bytes, size_t size)
{
	uint8_t reply = icmp->family == 6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	struct net_addr peer;

	/* A raw IPv4 socket gives the IP header as well. */
	if (icmp->raw && icmp->family == 4) {
		size_t header = size > 0 ? (size_t)(bytes[0] & 15) * 4 : 0;

		if (size < header + ECHO_HEADER)
			return;
		bytes += header;
		size -= header;
	}
	if (size < ECHO_HEADER || bytes[0] != reply || bytes[1] != 0)
		return;
	if (icmp->raw && (bytes[4] << 8 | bytes[5]) != icmp->ident)
		return;
	from_system(from, &peer);
	peer.port = 0;
	icmp->answer(&peer, (uint16_t)(bytes[6] << 8 | bytes[7]), bytes + ECHO_HEADER,
		size - ECHO_HEADER, loop_mono(icmp->loop), icmp->arg);
}

static void
icmp_ready(int fd, unsigned what, void *arg)
{
	(void)what;
	for (int i = 0; i < 64; i++) {
		uint8_t bytes[2048];
		union any_addr from;
		socklen_t length = sizeof from;
		ssize_t size = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, &from.any, &length);

		if (size < 0)
			return;
		icmp_take(arg, &from, bytes, (size_t)size);
	}
}

struct net_icmp *
net_icmp_new(struct loop *loop, int fd, uint8_t family,
	void (*answer)(const struct net_addr *, uint16_t, const uint8_t *, size_t, int64_t, void *),
	void *arg)
{
	struct net_icmp *icmp = mem_zero(sizeof *icmp);
	int type = 0;
	socklen_t size = sizeof type;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	*icmp = (struct net_icmp){ .loop = loop, .fd = fd, .family = family, .raw = type == SOCK_RAW,
		.ident = (uint16_t)getpid(), .answer = answer, .arg = arg };
	icmp->watch = loop_watch_new(loop, fd, LOOP_READ, icmp_ready, icmp);
	return icmp;
}

int
net_icmp_send(struct net_icmp *icmp, const struct net_addr *to, uint16_t sequence,
	const void *data, size_t size, struct fail *why)
{
	uint8_t bytes[ECHO_HEADER + ECHO_DATA] = { 0 };
	union any_addr system;
	struct net_addr peer = *to;
	socklen_t length;

	if (size > ECHO_DATA)
		size = ECHO_DATA;
	bytes[0] = icmp->family == 6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	bytes[4] = (uint8_t)(icmp->ident >> 8);
	bytes[5] = (uint8_t)icmp->ident;
	bytes[6] = (uint8_t)(sequence >> 8);
	bytes[7] = (uint8_t)sequence;
	memcpy(bytes + ECHO_HEADER, data, size);
	if (icmp->family == 4) {
		uint16_t sum = checksum(bytes, sizeof bytes);

		bytes[2] = (uint8_t)(sum >> 8);
		bytes[3] = (uint8_t)sum;
	}
	peer.port = 0;
	length = to_system(&peer, &system);
	if (sendto(icmp->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL, &system.any, length) >= 0)
		return 0;
	fail_set(why, "%s", strerror(errno));
	return -1;
}

void
net_icmp_free(struct net_icmp *icmp)
{
	if (icmp == NULL)
		return;
	loop_watch_free(icmp->watch);
	free(icmp);
}

int
net_pair(int fds[2], struct fail *why)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0)
		return 0;
	fail_set(why, "socketpair: %s", strerror(errno));
	return -1;
}

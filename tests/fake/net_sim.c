#include "fake/net_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"

#define LATENCY NET_SIM_LATENCY

struct host {
	struct host *next;
	struct net_addr at;
	enum { HOST_UDP, HOST_TCP, HOST_REFUSING, HOST_GONE, HOST_PING } kind;
	void (*request)(struct net_sim_client *, const uint8_t *, size_t, void *);
	struct net_sim_server server;
	void *arg;
	int64_t delay;
	uint64_t connects;
	int open;
};

/* A delivery on its way. Sockets are found by number: they may be gone when it arrives. */
struct delivery {
	struct loop_timer timer;
	struct delivery *next, **link;
	uint64_t socket;
	enum { TO_UDP, TO_UDP_ERROR, TO_STREAM, TO_STREAM_END, TO_SERVER, TO_SERVER_END,
		CONNECTED, TO_ICMP } kind;
	struct net_addr from;
	int error;
	size_t size;
	uint8_t data[];
};

struct net_udp {
	struct net_udp *next;
	uint64_t number;
	struct loop *loop;
	struct net_udp_events events;
	void *arg;
	struct net_addr local;
};

struct net_stream {
	struct net_stream *next;
	uint64_t number;
	struct loop *loop;
	struct net_stream_events events;
	void *arg;
	struct net_addr to;
	struct net_sim_conn *conn;
	int64_t last_in, last_out; /* a stream keeps its order whatever the delays */
	bool connected, dead;
};

struct net_sim_conn {
	struct net_sim_conn *next;
	struct net_stream *stream; /* NULL once the client has closed */
	uint64_t number;
	struct host *host;
	void *data;
	bool ended;
};

struct net_icmp {
	struct net_icmp *next;
	uint64_t number;
	struct loop *loop;
	void (*answer)(const struct net_addr *, uint16_t, const uint8_t *, size_t, int64_t, void *);
	void *arg;
};

struct net_sim_client {
	struct net_udp *udp;
	struct net_addr to;
	const uint8_t *data;
	size_t size;
};

static struct {
	struct host *hosts[4096];
	struct net_udp *udps;
	struct net_stream *streams;
	struct net_sim_conn *conns;
	struct net_icmp *icmps;
	struct delivery *pending;
	uint64_t numbers, random;
	double loss;
	struct net_addr missing; /* an address that the machine does not have */
	void (*seen)(enum net_sim_event event, const struct net_addr *at, void *arg);
	void *seen_arg;
} net;

void
net_sim_watch(void (*seen)(enum net_sim_event, const struct net_addr *, void *), void *arg)
{
	net.seen = seen;
	net.seen_arg = arg;
}

static void
tell(enum net_sim_event event, const struct net_addr *at)
{
	if (net.seen != NULL)
		net.seen(event, at, net.seen_arg);
}

static size_t
bucket_of(const struct net_addr *at)
{
	size_t hash = at->port * 31u;

	for (int i = 0; i < 16; i++)
		hash = hash * 131 + at->bytes[i];
	return hash % 4096;
}

static struct host *
find(const struct net_addr *at, bool ping)
{
	for (struct host *h = net.hosts[bucket_of(at)]; h != NULL; h = h->next)
		if (net_addr_equal(&h->at, at) && (h->kind == HOST_PING) == ping)
			return h;
	return NULL;
}

static struct host *
host_at(const struct net_addr *at, bool ping)
{
	struct host *host = find(at, ping);
	size_t bucket = bucket_of(at);

	if (host == NULL) {
		host = mem_zero(sizeof *host);
		host->at = *at;
		host->kind = HOST_GONE;
		host->next = net.hosts[bucket];
		net.hosts[bucket] = host;
	}
	return host;
}

static bool
lost(void)
{
	net.random = net.random * 6364136223846793005u + 1442695040888963407u;
	return (double)(net.random >> 11) / 9007199254740992.0 < net.loss;
}

void
net_sim_loss(double probability, uint64_t seed)
{
	net.loss = probability;
	net.random = seed;
}

static void
drop_delivery(struct delivery *delivery)
{
	*delivery->link = delivery->next;
	if (delivery->next != NULL)
		delivery->next->link = delivery->link;
	free(delivery);
}

void
net_sim_reset(void)
{
	for (int i = 0; i < 4096; i++)
		while (net.hosts[i] != NULL) {
			struct host *host = net.hosts[i];

			net.hosts[i] = host->next;
			free(host);
		}
	/* Their loop has gone, and with it the timers. */
	while (net.pending != NULL)
		drop_delivery(net.pending);
	while (net.conns != NULL) {
		struct net_sim_conn *conn = net.conns;

		net.conns = conn->next;
		free(conn);
	}
	net.loss = 0;
	net_sim_without(NULL);
}

static void deliver(void *arg);

static void
post(struct loop *loop, uint64_t socket, int kind, const struct net_addr *from,
	const void *data, size_t size, int error, int64_t at)
{
	struct delivery *delivery = mem_zero(sizeof *delivery + size);

	delivery->socket = socket;
	delivery->kind = (unsigned)kind;
	delivery->error = error;
	delivery->size = size;
	if (from != NULL)
		delivery->from = *from;
	if (size > 0)
		memcpy(delivery->data, data, size);
	delivery->next = net.pending;
	delivery->link = &net.pending;
	if (net.pending != NULL)
		net.pending->link = &delivery->next;
	net.pending = delivery;
	loop_timer_init(&delivery->timer, deliver, delivery);
	loop_timer_at(loop, &delivery->timer, at);
}

/* ---- UDP ---- */

void
net_sim_udp(const struct net_addr *at,
	void (*request)(struct net_sim_client *, const uint8_t *, size_t, void *), void *arg)
{
	struct host *host = host_at(at, false);

	host->kind = HOST_UDP;
	host->request = request;
	host->arg = arg;
}

struct net_addr
net_sim_client_local(const struct net_sim_client *client)
{
	return client->udp->local;
}

void
net_sim_udp_reply(struct net_sim_client *client, const struct net_addr *from,
	const void *data, size_t size, int64_t delay)
{
	if (lost()) {
		tell(NET_SIM_LOST_BACK, &client->to);
		return;
	}
	post(client->udp->loop, client->udp->number, TO_UDP, from, data, size, 0,
		loop_mono(client->udp->loop) + LATENCY + delay);
}

void
net_sim_udp_refuse(struct net_sim_client *client, int error, int64_t delay)
{
	post(client->udp->loop, client->udp->number, TO_UDP_ERROR, &client->to, client->data,
		client->size, error, loop_mono(client->udp->loop) + LATENCY + delay);
}

void
net_sim_without(const struct net_addr *local)
{
	net.missing = local != NULL ? *local : (struct net_addr){ 0 };
}

static bool
is_missing(const struct net_addr *local)
{
	return local->family != 0 && net_addr_same_host(local, &net.missing);
}

bool
net_addr_is_ours(const struct net_addr *addr)
{
	return !is_missing(addr);
}

struct net_udp *
net_udp_open(struct loop *loop, uint8_t family, const struct net_addr *local, size_t rcvbuf,
	const struct net_udp_events *events, void *arg, struct fail *why)
{
	struct net_udp *udp;

	(void)family;
	(void)rcvbuf;
	if (local != NULL && is_missing(local)) {
		errno = EADDRNOTAVAIL;
		fail_set(why, "bind: %s", strerror(errno));
		return NULL;
	}
	udp = mem_zero(sizeof *udp);
	udp->loop = loop;
	udp->events = *events;
	udp->arg = arg;
	if (local != NULL)
		udp->local = *local;
	udp->number = ++net.numbers;
	udp->next = net.udps;
	net.udps = udp;
	return udp;
}

int
net_udp_send(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size,
	struct fail *why)
{
	struct host *host = find(to, false);
	struct net_sim_client client = { udp, *to, data, size };

	(void)why;
	if (is_missing(&udp->local)) {
		/* The kernel's word for it, as for a route that is missing. */
		udp->events.unsent(to, data, size, ENETUNREACH, udp->arg);
		return 0;
	}
	if (host == NULL || host->kind != HOST_UDP)
		return 0;
	if (lost())
		tell(NET_SIM_LOST_THERE, to);
	else
		host->request(&client, data, size, host->arg);
	return 0;
}

void
net_udp_post(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size)
{
	net_udp_send(udp, to, data, size, NULL);
}

void
net_udp_hurry(struct net_udp *udp)
{
	(void)udp;
}

uint64_t
net_udp_drops(const struct net_udp *udp)
{
	(void)udp;
	return 0;
}

void
net_udp_close(struct net_udp *udp)
{
	if (udp == NULL)
		return;
	for (struct net_udp **link = &net.udps; *link != NULL; link = &(*link)->next)
		if (*link == udp) {
			*link = udp->next;
			break;
		}
	free(udp);
}

/* ---- streams ---- */

void
net_sim_tcp(const struct net_addr *at, const struct net_sim_server *server, void *arg)
{
	struct host *host = host_at(at, false);

	host->kind = HOST_TCP;
	host->server = *server;
	host->arg = arg;
}

void
net_sim_tcp_refuse(const struct net_addr *at)
{
	host_at(at, false)->kind = HOST_REFUSING;
}

void
net_sim_tcp_remove(const struct net_addr *at)
{
	host_at(at, false)->kind = HOST_GONE;
}

uint64_t
net_sim_tcp_connects(const struct net_addr *at)
{
	return host_at(at, false)->connects;
}

int
net_sim_tcp_open(const struct net_addr *at)
{
	return host_at(at, false)->open;
}

void
net_sim_conn_set(struct net_sim_conn *conn, void *data)
{
	conn->data = data;
}

void *
net_sim_conn_data(struct net_sim_conn *conn)
{
	return conn->data;
}

static int64_t
in_order(int64_t *last, int64_t at)
{
	if (at < *last)
		at = *last;
	*last = at;
	return at;
}

static void
to_client(struct net_sim_conn *conn, int kind, const void *data, size_t size, int error,
	int64_t delay)
{
	struct net_stream *stream = conn->stream;

	if (stream == NULL || conn->ended)
		return;
	post(stream->loop, stream->number, kind, NULL, data, size, error,
		in_order(&stream->last_in, loop_mono(stream->loop) + LATENCY + delay));
}

void
net_sim_send(struct net_sim_conn *conn, const void *data, size_t size, int64_t delay)
{
	to_client(conn, TO_STREAM, data, size, 0, delay);
}

void
net_sim_close(struct net_sim_conn *conn, int error, int64_t delay)
{
	to_client(conn, TO_STREAM_END, NULL, 0, error, delay);
	conn->ended = true;
}

struct net_stream *
net_stream_connect(struct loop *loop, const struct net_addr *to,
	const struct net_stream_events *events, void *arg, struct fail *why)
{
	struct net_stream *stream = mem_zero(sizeof *stream);
	struct host *host = host_at(to, false);

	(void)why;
	stream->loop = loop;
	stream->events = *events;
	stream->arg = arg;
	stream->to = *to;
	stream->number = ++net.numbers;
	stream->next = net.streams;
	net.streams = stream;
	host->connects++;
	tell(NET_SIM_CONNECT, to);
	if (host->kind == HOST_TCP)
		post(loop, stream->number, CONNECTED, NULL, NULL, 0, 0, loop_mono(loop) + 2 * LATENCY);
	else if (host->kind == HOST_REFUSING)
		post(loop, stream->number, TO_STREAM_END, NULL, NULL, 0, ECONNREFUSED,
			loop_mono(loop) + 2 * LATENCY);
	return stream;
}

/* There are no ttys here: a line on one is tested with a pty and the real loop. */
struct net_stream *
net_stream_tty(struct loop *loop, int fd, const struct net_stream_events *events, void *arg)
{
	(void)loop;
	(void)fd;
	(void)events;
	(void)arg;
	abort();
}

int
net_stream_send(struct net_stream *stream, const void *data, size_t size)
{
	if (stream->dead)
		return -1;
	post(stream->loop, stream->number, TO_SERVER, NULL, data, size, 0,
		in_order(&stream->last_out, loop_mono(stream->loop) + LATENCY));
	return 0;
}

size_t
net_stream_unsent(const struct net_stream *stream)
{
	(void)stream;
	return 0;
}

static void
conn_free(struct net_sim_conn *conn)
{
	for (struct net_sim_conn **link = &net.conns; *link != NULL; link = &(*link)->next)
		if (*link == conn) {
			*link = conn->next;
			break;
		}
	free(conn);
}

void
net_stream_close(struct net_stream *stream)
{
	struct net_sim_conn *conn;

	if (stream == NULL)
		return;
	conn = stream->conn;
	for (struct net_stream **link = &net.streams; *link != NULL; link = &(*link)->next)
		if (*link == stream) {
			*link = stream->next;
			break;
		}
	if (conn != NULL) {
		conn->stream = NULL;
		conn->host->open--;
		if (conn->host->server.closed != NULL)
			conn->host->server.closed(conn, conn->host->arg);
		conn_free(conn);
	}
	free(stream);
}

void
net_stream_finish(struct net_stream *stream)
{
	net_stream_close(stream);
}

static void
stream_connected(struct net_stream *stream)
{
	struct host *host = host_at(&stream->to, false);
	struct net_sim_conn *conn;

	if (host->kind != HOST_TCP) {
		stream->dead = true;
		stream->events.closed(ECONNREFUSED, stream->arg);
		return;
	}
	conn = mem_zero(sizeof *conn);
	conn->stream = stream;
	conn->number = stream->number;
	conn->host = host;
	conn->next = net.conns;
	net.conns = conn;
	host->open++;
	stream->conn = conn;
	stream->connected = true;
	if (host->server.accepted != NULL)
		host->server.accepted(conn, host->arg);
	if (stream->events.connected != NULL)
		stream->events.connected(stream->arg);
}

static void
deliver_stream(struct delivery *delivery)
{
	struct net_stream *stream = net.streams;

	while (stream != NULL && stream->number != delivery->socket)
		stream = stream->next;
	if (stream == NULL || stream->dead)
		return;
	if (delivery->kind == CONNECTED) {
		stream_connected(stream);
	} else if (delivery->kind == TO_STREAM) {
		stream->events.received(delivery->data, delivery->size, loop_mono(stream->loop),
			stream->arg);
	} else if (delivery->kind == TO_STREAM_END) {
		stream->dead = true;
		stream->events.closed(delivery->error, stream->arg);
	} else if (delivery->kind == TO_SERVER && stream->conn != NULL && !stream->conn->ended) {
		stream->conn->host->server.received(stream->conn, delivery->data, delivery->size,
			stream->conn->host->arg);
	}
}

/* ---- ICMP ---- */

void
net_sim_ping(const struct net_addr *at, int64_t delay)
{
	struct net_addr address = *at;
	struct host *host;

	address.port = 0;
	host = find(&address, true);
	if (host == NULL) {
		size_t bucket = bucket_of(&address);

		host = mem_zero(sizeof *host);
		host->at = address;
		host->kind = HOST_PING;
		host->next = net.hosts[bucket];
		net.hosts[bucket] = host;
	}
	host->delay = delay;
}

struct net_icmp *
net_icmp_new(struct loop *loop, int fd, uint8_t family,
	void (*answer)(const struct net_addr *, uint16_t, const uint8_t *, size_t, int64_t, void *),
	void *arg)
{
	struct net_icmp *icmp = mem_zero(sizeof *icmp);

	(void)fd;
	(void)family;
	icmp->loop = loop;
	icmp->answer = answer;
	icmp->arg = arg;
	icmp->number = ++net.numbers;
	icmp->next = net.icmps;
	net.icmps = icmp;
	return icmp;
}

int
net_icmp_send(struct net_icmp *icmp, const struct net_addr *to, uint16_t sequence,
	const void *data, size_t size, struct fail *why)
{
	struct net_addr address = *to;
	struct host *host;
	uint8_t padded[56] = { 0 };

	(void)why;
	address.port = 0;
	host = find(&address, true);
	if (size > sizeof padded)
		size = sizeof padded;
	memcpy(padded, data, size);
	if (host == NULL || host->delay < 0 || lost() || lost()) {
		tell(NET_SIM_ECHO_LOST, &address);
		return 0;
	}
	tell(NET_SIM_ECHO, &address);
	/* The sequence number travels in the delivery's error field. */
	post(icmp->loop, icmp->number, TO_ICMP, &address, padded, sizeof padded, sequence,
		loop_mono(icmp->loop) + LATENCY + host->delay);
	return 0;
}

void
net_icmp_free(struct net_icmp *icmp)
{
	if (icmp == NULL)
		return;
	for (struct net_icmp **link = &net.icmps; *link != NULL; link = &(*link)->next)
		if (*link == icmp) {
			*link = icmp->next;
			break;
		}
	free(icmp);
}

static void
deliver_packet(struct delivery *delivery)
{
	if (delivery->kind == TO_ICMP) {
		for (struct net_icmp *i = net.icmps; i != NULL; i = i->next)
			if (i->number == delivery->socket) {
				i->answer(&delivery->from, (uint16_t)delivery->error, delivery->data,
					delivery->size, loop_mono(i->loop), i->arg);
				return;
			}
		return;
	}
	for (struct net_udp *u = net.udps; u != NULL; u = u->next) {
		if (u->number != delivery->socket)
			continue;
		if (delivery->kind == TO_UDP && u->events.coming != NULL)
			u->events.coming(&(struct net_datagram){ delivery->data, delivery->size },
				1, u->arg);
		if (delivery->kind == TO_UDP)
			u->events.received(&delivery->from, delivery->data, delivery->size,
				loop_mono(u->loop), u->arg);
		else if (u->events.refused != NULL)
			u->events.refused(&delivery->from, delivery->data, delivery->size,
				delivery->error, u->arg);
		return;
	}
}

static void
deliver(void *arg)
{
	struct delivery *delivery = arg;

	if (delivery->kind == TO_UDP || delivery->kind == TO_UDP_ERROR || delivery->kind == TO_ICMP)
		deliver_packet(delivery);
	else
		deliver_stream(delivery);
	drop_delivery(delivery);
}

/* ---- what only processes with real sockets need ---- */

int
net_pair(int fds[2], struct fail *why)
{
	(void)fds;
	fail_set(why, "no socket pairs in a simulated network");
	return -1;
}

int
net_icmp_socket(uint8_t family, struct fail *why)
{
	(void)family;
	(void)why;
	return 1000000;
}

/* net.h - sockets: UDP, streams (TCP and unix), ICMP echo. Never blocks, never resolves names.
 *
 * The only place that calls socket(). Tests link tests/fake/net_sim.c in the place of net.c.
 * Callbacks run on the loop; an object may be closed inside its own callback. */
#ifndef PW_NET_H
#define PW_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct fail;
struct loop;

struct net_addr {
	uint8_t family; /* 0 none, 4, 6 */
	uint16_t port;  /* host order */
	uint32_t zone;  /* of a link-local IPv6 address: the interface's index; else 0 */
	uint8_t bytes[16];
};

/* A literal IPv4 or IPv6 address ("10.1.3.1", "2001:db8::1"; "fe80::1%eth0" with the interface,
 * by name or index, only when it is link-local, RFC 4007), or -1 and why. */
int net_addr_parse(const char *text, uint16_t port, struct net_addr *addr, struct fail *why);
/* "10.1.3.1:161" or "[2001:db8::1]:161"; "10.1.3.1" when with_port is false. 64 bytes do. */
const char *net_addr_text(char *to, size_t size, const struct net_addr *addr, bool with_port);
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b); /* with port */
/* Why nobody has it ("is everybody's (broadcast), ..."), or NULL: it may be a device's. A question to
 * 0.0.0.0 would go to this machine itself. */
const char *net_addr_nobodys(const struct net_addr *addr);
bool net_addr_same_host(const struct net_addr *a, const struct net_addr *b);
/* Could a socket be bound to it now? With net.ipv4.ip_nonlocal_bind to any. */
bool net_addr_is_ours(const struct net_addr *addr);

/* ---- UDP ---- */
struct net_udp;
struct net_datagram {
	const uint8_t *data;
	size_t size;
};
struct net_udp_events {
	/* mono is the kernel's receive time. data is valid during the call only. */
	void (*received)(const struct net_addr *from, const uint8_t *data, size_t size,
		int64_t mono, void *arg);
	/* An ICMP error came for a datagram sent to `to` (port unreachable, no route);
	 * data is what we had sent, as far as the kernel gives it back. May be NULL. */
	void (*refused)(const struct net_addr *to, const uint8_t *data, size_t size, int error,
		void *arg);
	/* What net_udp_post took could not be sent (no route, too long..). May be NULL. */
	void (*unsent)(const struct net_addr *to, const uint8_t *data, size_t size, int error,
		void *arg);
	/* These, AHEAD_GROUP at most, have come together and are told next, in this order: the
	 * time to fetch what belongs to them (ahead.h). Must change nothing. May be NULL. */
	void (*coming)(const struct net_datagram *datagrams, size_t count, void *arg);
};
/* Unbound to a peer; local may be NULL, its family then is `family` (4 or 6). Receive
 * buffer as large as the system allows up to rcvbuf bytes.
 *
 * Read as soon as something is there, or, when much comes, by ticks of the wall clock
 * (LOOP_TICK), NET_UDP_READ behind one: what is sent at the tick goes out first, and does not
 * wait until all answers are dealt with. That is each tick at which a timer wakes the loop, and
 * the third without one: to be woken costs more than to read an answer. For NET_UDP_HURRY after
 * net_udp_hurry it is each tick; in a flood, some milliseconds after the last reading as well. A timer that is set for behind the reading of a tick finds read
 * what has come before. */
#define NET_UDP_HURRY (100 * LOOP_MS)
#define NET_UDP_READ 1 /* ns */
struct net_udp *net_udp_open(struct loop *loop, uint8_t family, const struct net_addr *local,
	size_t rcvbuf, const struct net_udp_events *events, void *arg, struct fail *why);
/* 0, or -1 with errno's text in why. A pending error of somebody else is skipped. */
int net_udp_send(struct net_udp *udp, const struct net_addr *to, const void *data,
	size_t size, struct fail *why);
/* The same, but together with others, by the end of this turn of the loop; copies the data.
 * The order is kept. */
void net_udp_post(struct net_udp *udp, const struct net_addr *to, const void *data, size_t size);
/* For what is posted now an answer is wanted soon: see above. */
void net_udp_hurry(struct net_udp *udp);
uint64_t net_udp_drops(const struct net_udp *udp); /* lost for want of receive buffer */
void net_udp_close(struct net_udp *udp);

/* ---- streams ---- */
struct net_stream;
struct net_stream_events {
	void (*connected)(void *arg); /* outgoing streams only */
	void (*received)(const uint8_t *data, size_t size, int64_t mono, void *arg);
	/* The peer closed (error 0) or it failed (errno value, ETIMEDOUT, ECONNREFUSED..).
	 * The stream is dead but still has to be closed by its owner. Called once. */
	void (*closed)(int error, void *arg);
};
/* Starts to connect; the outcome comes by an event, never inside the call (NULL only when
 * no socket can be had). The owner sets its own deadline: there is none here. */
struct net_stream *net_stream_connect(struct loop *loop, const struct net_addr *to,
	const struct net_stream_events *events, void *arg, struct fail *why);
struct net_stream *net_stream_connect_unix(struct loop *loop, const char *path,
	const struct net_stream_events *events, void *arg, struct fail *why);
/* An open tty as a stream (raw, not blocking, VMIN 1), connected already. fd stays the owner's,
 * who closes it after the stream; closed() tells that the adapter has gone. */
struct net_stream *net_stream_tty(struct loop *loop, int fd,
	const struct net_stream_events *events, void *arg);
/* Queues; what the kernel does not take at once is sent later. -1 once the stream is dead. */
int net_stream_send(struct net_stream *stream, const void *data, size_t size);
size_t net_stream_unsent(const struct net_stream *stream);
/* Orderly: unread input is read away first so that the peer sees FIN, not RST. */
void net_stream_close(struct net_stream *stream); /* NULL is fine */
/* Closes after everything queued has been sent (or the peer has gone); no more events. */
void net_stream_finish(struct net_stream *stream);
/* Whose process is at the other end of a unix stream; -1 elsewhere. */
int net_stream_peer(const struct net_stream *stream, uid_t *uid, gid_t *gid);

/* A listening unix socket, made with the given mode; an old socket file is replaced. The
 * fd may be inherited by a role that then serves it. */
int net_unix_listen(const char *path, mode_t mode, struct fail *why);
struct net_listener;
/* Each accepted stream starts paused without events until net_stream_adopt. */
struct net_listener *net_listener_new(struct loop *loop, int fd,
	void (*accepted)(struct net_stream *stream, void *arg), void *arg);
void net_stream_adopt(struct net_stream *stream, const struct net_stream_events *events, void *arg);
void net_listener_free(struct net_listener *listener); /* closes fd */

/* ---- ICMP echo ---- */
struct net_icmp;
/* Opens the socket (needs root or CAP_NET_RAW, or ping_group_range); for the supervisor. */
int net_icmp_socket(uint8_t family, struct fail *why);
/* Serves an inherited fd; answer() gets the payload that came back. */
struct net_icmp *net_icmp_new(struct loop *loop, int fd, uint8_t family,
	void (*answer)(const struct net_addr *from, uint16_t sequence, const uint8_t *data,
		size_t size, int64_t mono, void *arg), void *arg);
/* 56 bytes of payload at most; -1 and why when the kernel refuses. */
int net_icmp_send(struct net_icmp *icmp, const struct net_addr *to, uint16_t sequence,
	const void *data, size_t size, struct fail *why);
void net_icmp_free(struct net_icmp *icmp);

/* ---- fds between roles ---- */
int net_pair(int fds[2], struct fail *why);
#endif

/* modbus_sim.c - a fleet of Modbus TCP servers in one process, with faults to order.
 *
 * With --framing rtu each of them is a serial bus behind a serial server instead.
 *
 * modbus_sim --help lists the options, README the control lines, --explain the formulas of
 * the registers (modbus_regs.c).
 *
 * Log: wall ns (of a request: the kernel's receive time), monotonic ns, agent, connection, then
 *   open PEER-PORT
 *   request tid=T unit=U function=F address=A count=C WHAT-WAS-DONE [values=HEX]
 *           [pipelined]: it came before the previous answer had left
 *   sent|unsent after=MS           the end of an answer that took its time, MS after its request;
 *                                  unsent: the connection had gone. Without a fault that
 *                                  delays: from LATE_MS on, as on a machine that is busy
 *   malformed HEX
 *   close fin|rst|sim|error        who ended it and how: fin and rst are the client's */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "modbus_unit.h"

#define LATE_MS 20

struct station_faults {
	double silent, deaf, close_after_accept, rst_after_accept, close_after, max_connections,
		evict, serial, anyone;
};

static const struct fault_name station_faults[] = {
	{ "silent", offsetof(struct station_faults, silent), "1: accepts, reads, never answers" },
	{ "deaf", offsetof(struct station_faults, deaf),
		"1: closes all connections, and a SYN falls into a black hole" },
	{ "close_after", offsetof(struct station_faults, close_after),
		"FIN after so many answers on a connection" },
	{ "close_after_accept", offsetof(struct station_faults, close_after_accept),
		"FIN right after the accept" },
	{ "rst_after_accept", offsetof(struct station_faults, rst_after_accept),
		"RST right after the accept" },
	{ "max_connections", offsetof(struct station_faults, max_connections),
		"more are closed at once, 0 no limit" },
	{ "evict", offsetof(struct station_faults, evict),
		"1: above max_connections the oldest is closed instead" },
	{ "serial", offsetof(struct station_faults, serial),
		"1: one request at a time, as a gateway: a delayed unit holds up the others" },
	{ "anyone", offsetof(struct station_faults, anyone),
		"1: what is ready after its connection has gone is sent to the newest one" },
	{ NULL, 0, NULL }
};

/* Octets on their way out: at a time, or one by one. */
struct parcel {
	LIST_ENTRY(parcel) entry;
	struct station *station;
	struct link *link; /* NULL: it has gone */
	struct event *event;
	int64_t asked;     /* wall ns */
	double dribble;
	size_t length, sent;
	uint8_t bytes[];
};

struct link {
	TAILQ_ENTRY(link) entry; /* oldest first */
	struct station *station;
	struct event *event;
	uint64_t number;
	int64_t received; /* wall ns of the last octets */
	int fd;
	unsigned served;
	unsigned waiting; /* parcels */
	size_t filled;
	uint8_t buffer[2 * ADU_MAX];
};

struct station {
	struct fleet *fleet;
	unsigned agent; /* from 1 */
	struct sockaddr_in at;
	struct event *listener; /* NULL: not listening */
	int plug;               /* deaf: fills the only place of the queue; else -1 */
	struct station_faults faults;
	struct unit *units; /* as many as the fleet has unit ids */
	TAILQ_HEAD(links, link) links;
	unsigned link_count;
	int64_t busy; /* wall ns until which a serial agent works */
	LIST_HEAD(, parcel) parcels;
};

struct fleet {
	struct sim sim;
	struct station *stations;
	unsigned count, unit_count;
	uint8_t unit_ids[256];
	enum profile profiles[256];
	int missing; /* exception for an id that nobody has */
	int64_t epoch;
	bool log_values, rtu;
	uint64_t links, requests, malformed, pipelined;
};

static struct exchange exchange;

static void
log_head_at(const struct link *l, int64_t wall)
{
	simlog_add(l->station->fleet->sim.log, "%lld %lld %u %llu ", (long long)wall,
		(long long)sim_mono(), l->station->agent, (unsigned long long)l->number);
}

static void
log_head(const struct link *l)
{
	log_head_at(l, sim_wall());
}

static void
parcel_free(struct parcel *p)
{
	if (p->link != NULL)
		p->link->waiting--;
	LIST_REMOVE(p, entry);
	event_free(p->event);
	free(p);
}

static void
log_sent(const struct station *s, const struct link *l, int64_t asked, const char *how)
{
	int64_t now = sim_wall();

	simlog_add(s->fleet->sim.log, "%lld %lld %u %llu %s after=%lld\n", (long long)now,
		(long long)sim_mono(), s->agent, l == NULL ? 0 : (unsigned long long)l->number, how,
		(long long)((now - asked) / SIM_MS));
}

/* how is the word for the log; "rst-sim" sends an RST, everything else a FIN. */
static void
link_close(struct link *l, const char *how)
{
	struct linger hard = { 1, 0 };
	struct parcel *p;

	log_head(l);
	simlog_add(l->station->fleet->sim.log, "close %s\n", how);
	/* What is on its way on the bus comes whether somebody waits or not. */
	LIST_FOREACH(p, &l->station->parcels, entry)
		if (p->link == l)
			p->link = NULL;
	TAILQ_REMOVE(&l->station->links, l, entry);
	l->station->link_count--;
	event_free(l->event);
	/* Octets left unread would turn the FIN into an RST. */
	while (recv(l->fd, l->buffer, sizeof l->buffer, MSG_DONTWAIT) > 0)
		;
	if (strcmp(how, "rst-sim") == 0)
		setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(l->fd);
	free(l);
}

static struct timeval
milliseconds(double ms)
{
	struct timeval t = { .tv_sec = (time_t)(ms / 1000) };

	t.tv_usec = (suseconds_t)((ms - (double)t.tv_sec * 1000) * 1000);
	return t;
}

static void
on_parcel(int fd, short what, void *arg)
{
	struct parcel *p = arg;
	struct station *s = p->station;
	size_t wanted = p->dribble > 0 ? 1 : p->length - p->sent;
	struct timeval pause = milliseconds(p->dribble > 0 ? p->dribble : 5);
	ssize_t n = -1;

	(void)fd;
	(void)what;
	if (p->link == NULL && s->faults.anyone > 0 && !TAILQ_EMPTY(&s->links)) {
		p->link = TAILQ_LAST(&s->links, links);
		p->link->waiting++;
	}
	errno = ENOTCONN;
	if (p->link != NULL)
		n = send(p->link->fd, p->bytes + p->sent, wanted, 0);
	if (n > 0)
		p->sent += (size_t)n;
	if ((n == -1 && errno != EAGAIN) || p->sent == p->length) {
		/* a send that failed: the reading side will see why */
		log_sent(s, p->link, p->asked, p->sent == p->length ? "sent" : "unsent");
		parcel_free(p);
		return;
	}
	evtimer_add(p->event, &pause);
}

static void
link_send(struct link *l, const struct exchange *x)
{
	struct timeval wait = milliseconds(x->delay > 0 ? x->delay : x->split);
	size_t sent = 0;
	struct parcel *p;

	if (x->delay <= 0 && x->dribble <= 0) {
		size_t first = x->split > 0 && x->length > 1 ?
			1 + sim_random() % (x->length - 1) : x->length;
		ssize_t n = send(l->fd, x->answer, first, 0);

		sent = n < 0 ? 0 : (size_t)n;
		if (sent == x->length && sim_wall() - l->received >= LATE_MS * SIM_MS)
			log_sent(l->station, l, l->received, "sent");
		if (sent == x->length || (n < 0 && errno != EAGAIN))
			return;
	}
	p = sim_zero(1, sizeof *p + x->length);
	p->station = l->station;
	p->link = l;
	l->waiting++;
	p->asked = l->received;
	p->dribble = x->dribble;
	p->length = x->length - sent;
	memcpy(p->bytes, x->answer + sent, p->length);
	p->event = evtimer_new(l->station->fleet->sim.base, on_parcel, p);
	LIST_INSERT_HEAD(&l->station->parcels, p, entry);
	evtimer_add(p->event, &wait);
}

static void
log_hex(struct simlog *log, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		simlog_add(log, "%02x", bytes[i]);
}

static void
log_exchange(const struct link *l, const struct exchange *x, const char *done,
	bool pipelined)
{
	struct simlog *log = l->station->fleet->sim.log;

	if (log == NULL)
		return;
	log_head_at(l, l->received);
	simlog_add(log, "request tid=%u unit=%u function=%u address=%u count=%u %s",
		(unsigned)x->request[0] << 8 | x->request[1], x->request[6], x->request[7],
		x->address, x->count, done);
	size_t head = x->rtu ? 3 : 9, tail = x->rtu ? 2 : 0;

	if (l->station->fleet->log_values && x->length > head + tail) {
		simlog_text(log, " values=");
		log_hex(log, x->answer + head, x->length - head - tail);
	}
	simlog_text(log, pipelined ? " pipelined\n" : "\n");
}

static struct unit *
unit_find(struct station *s, uint8_t id)
{
	for (unsigned i = 0; i < s->fleet->unit_count; i++)
		if (s->fleet->unit_ids[i] == id)
			return &s->units[i];
	return NULL;
}

/* A bus behind a gateway: this request waits until those before it are done. */
static void
queue_up(struct station *s, struct exchange *x)
{
	int64_t now = sim_wall();

	if (s->busy < now)
		s->busy = now;
	s->busy += (int64_t)((x->delay + 0.1) * SIM_MS); /* no bus answers in no time */
	x->delay = (double)(s->busy - now) / SIM_MS;
}

/* Answers one frame; false when the link is gone. */
static bool
link_serve(struct link *l, bool pipelined)
{
	struct station *s = l->station;
	struct exchange *x = &exchange;

	s->fleet->requests++;
	s->fleet->pipelined += pipelined;
	unit_answer(unit_find(s, x->request[6]), s->fleet->missing, x, sim_wall());
	if (s->faults.silent > 0)
		x->length = 0;
	if (s->faults.serial > 0 || s->fleet->rtu) /* a bus has room for one answer at a time */
		queue_up(s, x);
	log_exchange(l, x, s->faults.silent > 0 ? "silent" : x->done, pipelined);
	if (x->violation) {
		s->fleet->sim.violations++;
		fprintf(stderr, "violation: function %u reached agent %u unit %u\n",
			x->function, s->agent, x->request[6]);
	}
	if (x->length > 0)
		link_send(l, x);
	if (s->faults.silent == 0 && (x->close || x->rst || (s->faults.close_after > 0 &&
		++l->served >= s->faults.close_after))) {
		link_close(l, x->rst ? "rst-sim" : "sim");
		return false;
	}
	return true;
}

static void
link_malformed(struct link *l)
{
	l->station->fleet->malformed++;
	log_head(l);
	simlog_text(l->station->fleet->sim.log, "malformed ");
	log_hex(l->station->fleet->sim.log, l->buffer, l->filled);
	simlog_text(l->station->fleet->sim.log, "\n");
	link_close(l, "sim");
}

/* How long the RTU request is that begins there: it does not say so itself. */
static size_t
rtu_length(const struct link *l)
{
	switch (l->buffer[1]) {
	case 17:
		return 4;
	case 43:
		return 7;
	default:
		return 8; /* all that read; what writes more is a violation, whatever its length */
	}
}

/* The same with RTU frames: the answering unit gets them with a header of ours in front. */
static void
link_rtu_frames(struct link *l)
{
	bool pipelined = l->waiting > 0;

	for (; l->filled >= 2; pipelined = true) {
		size_t length = rtu_length(l);

		if (l->filled < length)
			return;
		if (rtu_crc(l->buffer, length - 2) !=
			(l->buffer[length - 2] | (unsigned)l->buffer[length - 1] << 8)) {
			link_malformed(l);
			return;
		}
		memset(exchange.request, 0, 6);
		exchange.request[5] = (uint8_t)(length - 2);
		memcpy(exchange.request + 6, l->buffer, length - 2);
		exchange.request_length = length + 4;
		l->filled -= length;
		memmove(l->buffer, l->buffer + length, l->filled);
		if (!link_serve(l, pipelined))
			return;
	}
}

/* Takes whole frames off the buffer. */
static void
link_frames(struct link *l)
{
	bool pipelined = l->waiting > 0;

	for (; l->filled >= 8; pipelined = true) {
		size_t length = 6u + ((size_t)l->buffer[4] << 8 | l->buffer[5]);

		if (length < 8 || length > ADU_MAX || l->buffer[2] != 0 || l->buffer[3] != 0) {
			link_malformed(l);
			return;
		}
		if (l->filled < length)
			return;
		memcpy(exchange.request, l->buffer, length);
		exchange.request_length = length;
		l->filled -= length;
		memmove(l->buffer, l->buffer + length, l->filled);
		if (!link_serve(l, pipelined))
			return;
	}
}

/* As recv; *received becomes the kernel's time of the octets. */
static ssize_t
receive(int fd, void *to, size_t size, int64_t *received)
{
	union {
		char bytes[128];
		struct cmsghdr align;
	} control;
	struct iovec vec = { to, size };
	struct msghdr m = { .msg_iov = &vec, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(fd, &m, 0);
	struct timespec time;

	*received = sim_wall();
	if (n <= 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			memcpy(&time, CMSG_DATA(c), sizeof time);
			*received = time.tv_sec * SIM_S + time.tv_nsec;
		}
	return n;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct link *l = arg;
	ssize_t n = receive(fd, l->buffer + l->filled, sizeof l->buffer - l->filled,
		&l->received);

	(void)what;
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		link_close(l, n == 0 ? "fin" : errno == ECONNRESET ? "rst" : "error");
		return;
	}
	l->filled += (size_t)n;
	if (l->station->fleet->rtu)
		link_rtu_frames(l);
	else
		link_frames(l);
}

static void
on_connection(int fd, short what, void *arg)
{
	struct station *s = arg;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	int on = 1, peer = accept4(fd, (struct sockaddr *)&from, &size,
		SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct link *l;

	(void)what;
	if (peer == -1)
		return;
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(peer, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	l = sim_zero(1, sizeof *l);
	l->station = s;
	l->fd = peer;
	l->number = ++s->fleet->links;
	l->event = event_new(s->fleet->sim.base, peer, EV_READ | EV_PERSIST, on_readable, l);
	event_add(l->event, NULL);
	TAILQ_INSERT_TAIL(&s->links, l, entry);
	s->link_count++;
	log_head(l);
	simlog_add(s->fleet->sim.log, "open %u\n", ntohs(from.sin_port));
	if (sim_chance(s->faults.rst_after_accept))
		link_close(l, "rst-sim");
	else if (sim_chance(s->faults.close_after_accept))
		link_close(l, "sim");
	else if (s->faults.max_connections > 0 && s->link_count > s->faults.max_connections)
		link_close(s->faults.evict > 0 ? TAILQ_FIRST(&s->links) : l, "sim");
}

static bool
station_listen(struct station *s)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof s->at;

	if (s->listener != NULL) {
		close(fd);
		return true;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&s->at, sizeof s->at) == -1 || listen(fd, 64) == -1) {
		close(fd);
		return false;
	}
	getsockname(fd, (struct sockaddr *)&s->at, &size);
	s->listener = event_new(s->fleet->sim.base, fd, EV_READ | EV_PERSIST, on_connection, s);
	event_add(s->listener, NULL);
	return true;
}

static void
station_stop(struct station *s, const char *how)
{
	while (!TAILQ_EMPTY(&s->links))
		link_close(TAILQ_FIRST(&s->links), how);
	if (s->listener == NULL)
		return;
	if (s->plug != -1)
		close(s->plug);
	s->plug = -1;
	close(event_get_fd(s->listener));
	event_free(s->listener);
	s->listener = NULL;
}

/* Deaf: Linux drops a SYN when the queue of connections that nobody has accepted is full. */
static void
station_hear(struct station *s)
{
	int fd = s->listener == NULL ? -1 : event_get_fd(s->listener);

	if (fd == -1 || (s->faults.deaf > 0) == (s->plug != -1))
		return;
	if (s->plug != -1) {
		close(s->plug);
		s->plug = -1;
		listen(fd, 64);
		event_add(s->listener, NULL);
		return;
	}
	while (!TAILQ_EMPTY(&s->links))
		link_close(TAILQ_FIRST(&s->links), "sim");
	event_del(s->listener);
	listen(fd, 0);
	s->plug = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	connect(s->plug, (struct sockaddr *)&s->at, sizeof s->at);
}

/* set|ramp TABLE ADDRESS [TYPE] VALUE [MS] */
static bool
act_set(struct unit *u, bool ramp, char *words)
{
	char *table = sim_word(&words), *address = sim_word(&words), *type = sim_word(&words);
	char *value = sim_word(&words), *ms;
	bool typed = type != NULL && type[0] >= 'a' && type[0] <= 'z';
	enum table t;
	double number, time = 0;

	if (table == NULL || address == NULL || type == NULL || !table_parse(table, &t))
		return false;
	ms = typed ? sim_word(&words) : value;
	if (!typed) {
		value = type;
		type = strdup("");
	} else {
		type = strdup(type);
	}
	if (type == NULL)
		sim_die("no memory for a word");
	typed = value != NULL && sim_number(value, &number) && (ms != NULL) == ramp &&
		(!ramp || sim_number(ms, &time)) &&
		regs_set(&u->regs, t, (uint16_t)strtoul(address, NULL, 0), type, number, time,
			sim_wall());
	free(type);
	return typed;
}

static bool
act_unit(struct unit *u, const char *verb, char *rest, char *why, size_t size)
{
	if (strcmp(verb, "fault") == 0)
		return faults_set(unit_faults, &u->faults, rest, why, size);
	if (strcmp(verb, "clear") == 0)
		u->faults = (struct unit_faults){ 0 };
	else if (strcmp(verb, "dead") == 0)
		u->faults.dead = 1;
	else if (strcmp(verb, "alive") == 0)
		u->faults.dead = 0;
	else if (strcmp(verb, "exception") == 0)
		return unit_exception(u, rest);
	else if (strcmp(verb, "set") == 0 || strcmp(verb, "ramp") == 0)
		return act_set(u, verb[0] == 'r', rest);
	else
		return false;
	return true;
}

static bool
act_station(struct station *s, const char *verb, char *rest, char *why, size_t size)
{
	char *first;

	if (strcmp(verb, "fault") == 0) {
		bool known = faults_set(station_faults, &s->faults, rest, why, size);

		station_hear(s);
		return known;
	}
	first = sim_word(&rest);
	if (strcmp(verb, "clear") == 0) {
		s->faults = (struct station_faults){ 0 };
		station_hear(s);
	}
	else if (strcmp(verb, "stop") == 0)
		station_stop(s, first != NULL && strcmp(first, "rst") == 0 ? "rst-sim" : "sim");
	else if (strcmp(verb, "start") == 0)
		return station_listen(s);
	else
		return false;
	return true;
}

/* [agent N|all] [unit U|all] VERB ...: without agent all agents; with unit a unit's verb. */
struct target {
	unsigned agent; /* 0: all */
	int unit;       /* -1: none, 256: all */
	char *verb, *rest;
};

static bool
target_parse(struct fleet *f, char *line, struct target *t)
{
	*t = (struct target){ .unit = -1 };
	while ((t->verb = sim_word(&line)) != NULL) {
		bool agent = strcmp(t->verb, "agent") == 0;
		char *which;

		if (!agent && strcmp(t->verb, "unit") != 0)
			break;
		which = sim_word(&line);
		if (which == NULL)
			return false;
		if (agent)
			t->agent = strcmp(which, "all") == 0 ? 0 : (unsigned)strtoul(which, NULL, 10);
		else
			t->unit = strcmp(which, "all") == 0 ? 256 : atoi(which);
		if (agent && strcmp(which, "all") != 0 && (t->agent < 1 || t->agent > f->count))
			return false;
	}
	t->rest = line;
	return t->verb != NULL;
}

/* Does it to one station, or to its units; returns how many were meant, -1 for a refusal. */
static int
act(struct station *s, const struct target *t, char *why, size_t size)
{
	char copy[2048];
	int meant = 0;

	snprintf(copy, sizeof copy, "%s", t->rest == NULL ? "" : t->rest);
	if (t->unit == -1)
		return act_station(s, t->verb, copy, why, size) ? 1 : -1;
	for (unsigned i = 0; i < s->fleet->unit_count; i++) {
		if (t->unit != 256 && t->unit != s->fleet->unit_ids[i])
			continue;
		snprintf(copy, sizeof copy, "%s", t->rest == NULL ? "" : t->rest);
		if (!act_unit(&s->units[i], t->verb, copy, why, size))
			return -1;
		meant++;
	}
	return meant;
}

static void
on_target(struct fleet *f, char *line, char *why, size_t size)
{
	struct target t;
	int meant = 0;

	if (!target_parse(f, line, &t)) {
		snprintf(why, size, "expected [agent all|1..%u] [unit all|ID] VERB", f->count);
		return;
	}
	for (unsigned i = 0; i < f->count && meant >= 0; i++)
		if (t.agent == 0 || t.agent == i + 1) {
			int n = act(&f->stations[i], &t, why, size);

			meant = n < 0 ? -1 : meant + n;
		}
	if (meant <= 0 && why[0] == '\0')
		snprintf(why, size, meant == 0 ? "no such unit" : "%s: cannot be done", t.verb);
}

static void
on_command(struct sim *sim, char *line, char *why, size_t size)
{
	struct fleet *f = (struct fleet *)sim;

	if (strncmp(line, "stats", 5) == 0) {
		unsigned open = 0;

		for (unsigned i = 0; i < f->count; i++)
			open += f->stations[i].link_count;
		snprintf(why, size,
			"ok connections=%llu open=%u requests=%llu malformed=%llu pipelined=%llu "
			"violations=%llu", (unsigned long long)f->links, open,
			(unsigned long long)f->requests, (unsigned long long)f->malformed,
			(unsigned long long)f->pipelined, (unsigned long long)sim->violations);
	} else if (strncmp(line, "flush", 5) == 0)
		simlog_flush(sim->log);
	else
		on_target(f, line, why, size);
}

static void
help(void)
{
	printf("modbus_sim --listen ADDRESS:PORT  port 0: a free one; prints \"ready ADDRESS:PORT\"\n"
		"  --agents N --base 127.20.0.1    a fleet at consecutive addresses, same port\n"
		"  --units 1,2:meter,31:pattern    unit ids (1), each with a profile if not the default\n"
		"  --profile press|meter|pattern   (press)\n"
		"  --framing tcp|rtu               (tcp); rtu: RTU frames with CRC, as behind a serial\n"
		"                                  server, one at a time, other unit ids silent\n"
		"  --missing N                     exception for other unit ids (11), 0 no answer\n"
		"  --epoch SECONDS                 t = 0 (start of the process), Unix time\n"
		"  --log FILE --log-values --control SOCKET --seed N --explain --help\n"
		"  --do LINE                       a control line at the start, may be repeated\n"
		"  --fault \"NAME=VALUE...\"         the same as --do \"unit all fault ...\"\n"
		"faults of a unit:\n");
	faults_help(unit_faults);
	printf("faults of an agent:\n");
	faults_help(station_faults);
}

struct options {
	struct sockaddr_in listen, base;
	double agents, epoch, missing, seed;
	const char *log, *control, *units;
	enum profile profile;
	char *lines[64];
	size_t line_count;
};

static const struct option option_names[] = {
	{ "listen", 1, NULL, 'l' }, { "framing", 1, NULL, 'r' }, { "agents", 1, NULL, 'n' }, { "base", 1, NULL, 'b' },
	{ "units", 1, NULL, 'u' }, { "profile", 1, NULL, 'p' }, { "missing", 1, NULL, 'm' },
	{ "epoch", 1, NULL, 'e' }, { "log", 1, NULL, 'o' }, { "log-values", 0, NULL, 'v' },
	{ "control", 1, NULL, 'C' }, { "do", 1, NULL, 'd' }, { "fault", 1, NULL, 'f' },
	{ "seed", 1, NULL, 's' }, { "explain", 0, NULL, 'x' }, { "help", 0, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void
line_add(struct options *o, const char *prefix, const char *line)
{
	if (o->line_count == sizeof o->lines / sizeof *o->lines ||
		asprintf(&o->lines[o->line_count++], "%s%s", prefix, line) == -1)
		sim_die("too many control lines on the command line");
}

static double *
number_option(struct options *o, int option)
{
	return option == 'n' ? &o->agents : option == 'e' ? &o->epoch :
		option == 'm' ? &o->missing : option == 's' ? &o->seed : NULL;
}

static void
option_set(struct fleet *f, struct options *o, int option, int at)
{
	double *number = number_option(o, option);
	char base[64];

	if (number != NULL) {
		if (!sim_number(optarg, number))
			sim_die("--%s %s: expected a number", option_names[at].name, optarg);
	} else if (option == 'l')
		sim_address(optarg, &o->listen);
	else if (option == 'b') {
		snprintf(base, sizeof base, "%s:0", optarg);
		sim_address(base, &o->base);
	} else if (option == 'u')
		o->units = optarg;
	else if (option == 'p') {
		if (!profile_parse(optarg, &o->profile))
			sim_die("--profile %s: expected press, meter or pattern", optarg);
	} else if (option == 'r') {
		f->rtu = exchange.rtu = strcmp(optarg, "rtu") == 0;
		if (!f->rtu && strcmp(optarg, "tcp") != 0)
			sim_die("--framing %s: expected tcp or rtu", optarg);
	} else if (option == 'o')
		o->log = optarg;
	else if (option == 'C')
		o->control = optarg;
	else if (option == 'v')
		f->log_values = true;
	else if (option == 'd')
		line_add(o, "", optarg);
	else if (option == 'f')
		line_add(o, "unit all fault ", optarg);
	else if (option == 'x') {
		regs_explain(stdout);
		exit(0);
	} else {
		help();
		exit(option == 'h' ? 0 : 2);
	}
}

static void
units_parse(struct fleet *f, const struct options *o)
{
	char *copy = strdup(o->units), *rest = copy, *word;

	while ((word = strsep(&rest, ",")) != NULL) {
		char *profile = strchr(word, ':');
		double id;

		if (profile != NULL)
			*profile++ = '\0';
		f->profiles[f->unit_count] = o->profile;
		if (!sim_number(word, &id) || id < 0 || id > 255 || f->unit_count == 255 ||
			(profile != NULL && !profile_parse(profile, &f->profiles[f->unit_count])))
			sim_die("--units %s: expected ID[:press|meter|pattern],...", o->units);
		f->unit_ids[f->unit_count++] = (uint8_t)id;
	}
	free(copy);
}

static void
station_open(struct fleet *f, struct station *s, unsigned agent, uint32_t address, uint16_t port)
{
	s->fleet = f;
	s->agent = agent;
	s->plug = -1;
	s->at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(address) };
	TAILQ_INIT(&s->links);
	s->units = sim_zero(f->unit_count, sizeof *s->units);
	for (unsigned i = 0; i < f->unit_count; i++)
		s->units[i].regs = (struct regs){ .profile = f->profiles[i], .agent = agent,
			.unit = f->unit_ids[i], .epoch = f->epoch };
	if (!station_listen(s))
		sim_die("agent %u, port %u: %s", agent, port, strerror(errno));
}

static void
fleet_open(struct fleet *f, struct options *o)
{
	uint16_t port = ntohs(o->listen.sin_port);
	uint32_t base = ntohl(o->base.sin_family == AF_INET ? o->base.sin_addr.s_addr :
		o->agents > 1 ? htonl(0x7f140001) : o->listen.sin_addr.s_addr);
	char text[INET_ADDRSTRLEN], why[512] = "";

	sim_seed((uint64_t)o->seed);
	f->count = (unsigned)o->agents;
	f->missing = f->rtu ? 0 : (int)o->missing;
	f->epoch = o->epoch < 0 ? sim_wall() : (int64_t)(o->epoch * 1e9);
	units_parse(f, o);
	sim_open(&f->sim, o->control);
	f->sim.command = on_command;
	f->sim.log = simlog_open(o->log, "wall_ns mono_ns agent connection event ...");
	f->stations = sim_zero(f->count, sizeof *f->stations);
	for (unsigned i = 0; i < f->count; i++) {
		station_open(f, &f->stations[i], i + 1, base + i, port);
		port = ntohs(f->stations[i].at.sin_port);
	}
	for (size_t i = 0; i < o->line_count; i++) {
		on_command(&f->sim, o->lines[i], why, sizeof why);
		free(o->lines[i]);
		if (why[0] != '\0')
			sim_die("%s", why);
	}
	printf("ready %s:%u\n", inet_ntop(AF_INET, &f->stations[0].at.sin_addr, text,
		sizeof text), port);
	fflush(stdout);
}

static void
fleet_close(struct fleet *f)
{
	for (unsigned i = 0; i < f->count; i++) {
		struct station *s = &f->stations[i];

		station_stop(s, "sim");
		while (!LIST_EMPTY(&s->parcels))
			parcel_free(LIST_FIRST(&s->parcels));
		for (unsigned u = 0; u < f->unit_count; u++)
			unit_close(&s->units[u]);
		free(s->units);
	}
	free(f->stations);
	simlog_add(f->sim.log, "# end: %llu requests, %llu malformed, %llu violations\n",
		(unsigned long long)f->requests, (unsigned long long)f->malformed,
		(unsigned long long)f->sim.violations);
	sim_close(&f->sim);
}

int
main(int argc, char **argv)
{
	static struct fleet f;
	static struct options o = { .agents = 1, .epoch = -1, .missing = 11, .units = "1",
		.profile = PROFILE_PRESS };
	int option, at = 0, status;

	while ((option = getopt_long(argc, argv, "", option_names, &at)) != -1)
		option_set(&f, &o, option, at);
	if (o.listen.sin_family != AF_INET || o.agents < 1 || o.agents > 100000)
		sim_die("--listen ADDRESS:PORT is missing, or --agents is not from 1 to 100000");
	fleet_open(&f, &o);
	status = sim_run(&f.sim);
	fleet_close(&f);
	return status;
}

/* snmp_sim.c - a fleet of SNMP v1/v2c agents in one process, with faults to order.
 *
 * snmp_sim --help lists the options, README the control lines. Counters are formulas of
 * time: --explain prints them, snmp_mib.c holds them:
 *   in(a,n)  = rate x (n + 1) + a - 1 octets/s,  ifHCInOctets  = floor(in x t)
 *   out(a,n) = 2 x rate x (n + 1) + a - 1,       ifHCOutOctets = floor(out x t)
 * for agent a and interface n, both from 1, t in seconds since --epoch.
 *
 * Log, one line per request: kernel receive time (wall ns), monotonic ns, time that the
 * values were computed for (wall ns), agent, request id, PDU, varbinds asked, what was done
 * and, with --log-values, OID=VALUE of each varbind served. A remark "held-up FROM TO" when
 * it took the process more than a millisecond from its clock to the way out. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "snmp_agent.h"

#define BATCH 64
#define REQUEST_ROOM 4096
#define ANSWER_ROOM 65536
#define CONTROL_ROOM 256

struct late {
	LIST_ENTRY(late) entry;
	struct server *server;
	struct event *event;
	struct sockaddr_in to;
	uint32_t from;
	bool wrong_port;
	size_t length;
	uint8_t bytes[];
};

struct server {
	struct sim sim;
	struct agent *agents;
	unsigned count;
	uint32_t base; /* address of agent 1, host order */
	struct agent_options options;
	struct rates rates;
	int64_t epoch;
	bool log_values;
	int fd, other_fd; /* other_fd: the port that no request was sent to */
	struct event *event;
	LIST_HEAD(, late) waiting;
	uint64_t requests, malformed;
};

/* Receiving and sending in batches: a system call per datagram would halve the rate. */
static struct {
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_vec[BATCH], out_vec[BATCH];
	struct sockaddr_in from[BATCH], to[BATCH];
	union {
		char bytes[CONTROL_ROOM];
		struct cmsghdr align;
	} in_control[BATCH], out_control[BATCH];
	uint8_t request[BATCH][REQUEST_ROOM], answer[BATCH][ANSWER_ROOM];
	unsigned queued;
} io;

static struct request request;
static struct answer answer;

static void
message_to(struct msghdr *m, struct iovec *vec, struct sockaddr_in *to, uint32_t from,
	char *control)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(from) };
	struct cmsghdr *head = (struct cmsghdr *)(void *)control;

	*m = (struct msghdr){ .msg_name = to, .msg_namelen = sizeof *to, .msg_iov = vec,
		.msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof info) };
	head->cmsg_level = IPPROTO_IP;
	head->cmsg_type = IP_PKTINFO;
	head->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(head), &info, sizeof info);
}

static void
flush(struct server *s)
{
	unsigned sent = 0;

	while (sent < io.queued) {
		int n = sendmmsg(s->fd, io.out + sent, io.queued - sent, 0);

		/* An error belongs to the first message: leave that one out. */
		sent += n > 0 ? (unsigned)n : 1;
	}
	io.queued = 0;
}

static void
send_now(struct server *s, bool wrong_port, const struct sockaddr_in *to, uint32_t from,
	const uint8_t *bytes, size_t length)
{
	union {
		char bytes[CONTROL_ROOM];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec vec = { (void *)(uintptr_t)bytes, length };
	struct sockaddr_in copy = *to;
	struct msghdr m;

	message_to(&m, &vec, &copy, from, control.bytes);
	if (sendmsg(wrong_port ? s->other_fd : s->fd, &m, 0) == -1)
		simlog_add(s->sim.log, "# send: %s\n", strerror(errno));
}

static void
late_free(struct late *late)
{
	LIST_REMOVE(late, entry);
	event_free(late->event);
	free(late);
}

static void
on_late(int fd, short what, void *arg)
{
	struct late *late = arg;

	(void)fd;
	(void)what;
	send_now(late->server, late->wrong_port, &late->to, late->from, late->bytes,
		late->length);
	late_free(late);
}

static void
send_later(struct server *s, const struct delivery *d, const struct sockaddr_in *to,
	uint32_t from)
{
	struct late *late = sim_zero(1, sizeof *late + d->length);
	struct timeval wait;

	wait.tv_sec = (time_t)(d->delay / 1000);
	wait.tv_usec = (suseconds_t)((d->delay - (double)wait.tv_sec * 1000) * 1000);
	late->server = s;
	late->to = *to;
	late->from = from;
	late->wrong_port = d->wrong_port;
	late->length = d->length;
	memcpy(late->bytes, d->bytes, d->length);
	late->event = evtimer_new(s->sim.base, on_late, late);
	evtimer_add(late->event, &wait);
	LIST_INSERT_HEAD(&s->waiting, late, entry);
}

static void
deliver(struct server *s, struct delivery *d, const struct sockaddr_in *to, uint32_t from)
{
	unsigned n = io.queued;

	if (d->wrong_address)
		from++;
	for (int copies = d->twice ? 2 : 1; copies > 0; copies--) {
		if (d->delay > 0)
			send_later(s, d, to, from);
		else if (d->twice || d->wrong_port)
			send_now(s, d->wrong_port, to, from, d->bytes, d->length);
		else {
			io.to[n] = *to;
			io.out_vec[n] = (struct iovec){ d->bytes, d->length };
			message_to(&io.out[n].msg_hdr, &io.out_vec[n], &io.to[n], from,
				io.out_control[n].bytes);
			io.queued++;
		}
	}
}

static const char *
pdu_name(uint8_t pdu)
{
	return pdu == PDU_GET ? " get " : pdu == PDU_GETNEXT ? " getnext " :
		pdu == PDU_GETBULK ? " getbulk " : " set ";
}

static void
log_value(struct simlog *log, const struct varbind *v)
{
	uint32_t oid[OID_MAX];
	size_t n = ber_oid_read(v->oid, oid);

	for (size_t i = 0; i < n; i++)
		simlog_number(log, oid[i], i + 1 < n ? '.' : '=');
	if (v->value.type == BER_OCTETS || v->value.type == BER_OID) {
		for (size_t i = 0; i < v->value.length; i++)
			simlog_add(log, "%02x", v->value.bytes[i]);
		simlog_text(log, " ");
	} else if (v->value.type >= BER_NO_SUCH_OBJECT)
		simlog_text(log, v->value.type == BER_END_OF_MIB ? "end " : "none ");
	else
		simlog_number(log, (int64_t)v->value.number, ' ');
}

static void
log_request(struct server *s, int64_t received, int64_t now, unsigned agent,
	const struct delivery *d)
{
	struct simlog *log = s->sim.log;

	if (log == NULL)
		return;
	simlog_number(log, received, ' ');
	simlog_number(log, sim_mono(), ' ');
	simlog_number(log, now, ' ');
	simlog_number(log, agent, ' ');
	simlog_number(log, request.id, ' ');
	simlog_text(log, pdu_name(request.pdu) + 1);
	simlog_number(log, (int64_t)request.count, ' ');
	simlog_text(log, d->done);
	if (s->log_values) {
		simlog_text(log, " ");
		for (size_t i = 0; i < answer.count; i++)
			log_value(log, &answer.varbinds[i]);
	}
	simlog_text(log, "\n");
}

static void
serve(struct server *s, const uint8_t *bytes, size_t length, const struct sockaddr_in *peer,
	uint32_t at, int64_t received)
{
	unsigned index = s->count == 1 ? 0 : at - s->base;
	struct delivery d = { .bytes = io.answer[io.queued], .room = ANSWER_ROOM };
	int64_t now = sim_wall();
	const char *why;

	if (index >= s->count)
		return; /* not one of ours: the socket hears all of loopback */
	s->requests++;
	if (!ber_request(bytes, length, &request, &why)) {
		s->malformed++;
		simlog_add(s->sim.log, "%lld %lld %lld %u 0 malformed 0 dropped,%s\n",
			(long long)received, (long long)sim_mono(), (long long)now, index + 1, why);
		return;
	}
	agent_answer(&s->agents[index], &s->options, &request, now, &answer, &d);
	log_request(s, received, now, index + 1, &d);
	if (request.pdu == PDU_SET) {
		s->sim.violations++;
		fprintf(stderr, "violation: a SET reached agent %u\n", index + 1);
	}
	if (d.length > 0)
		deliver(s, &d, peer, at);
}

static void
read_control(struct msghdr *m, uint32_t *at, int64_t *received)
{
	*received = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		struct in_pktinfo info;
		struct timespec time;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof info);
			*at = ntohl(info.ipi_addr.s_addr);
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			memcpy(&time, CMSG_DATA(c), sizeof time);
			*received = time.tv_sec * SIM_S + time.tv_nsec;
		}
	}
}

/* A counter is that of a moment before it is sent: whoever judges rates has to know when the
 * two were far apart, because the processor was somebody else's. */
static void
log_held_up(struct simlog *log, int64_t from, int64_t to)
{
	if (to - from > SIM_MS)
		simlog_add(log, "# held-up %lld %lld\n", (long long)from, (long long)to);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct server *s = arg;
	int64_t from;
	int n;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		io.in_vec[i] = (struct iovec){ io.request[i], REQUEST_ROOM };
		io.in[i].msg_hdr = (struct msghdr){ .msg_name = &io.from[i],
			.msg_namelen = sizeof io.from[i], .msg_iov = &io.in_vec[i],
			.msg_iovlen = 1, .msg_control = io.in_control[i].bytes,
			.msg_controllen = CONTROL_ROOM };
	}
	n = recvmmsg(fd, io.in, BATCH, MSG_DONTWAIT, NULL);
	from = sim_wall();
	for (int i = 0; i < n; i++) {
		uint32_t at = s->base;
		int64_t received;

		read_control(&io.in[i].msg_hdr, &at, &received);
		serve(s, io.request[i], io.in[i].msg_len, &io.from[i], at, received);
	}
	flush(s);
	log_held_up(s->sim.log, from, sim_wall());
}

static int
socket_open(uint32_t address, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	int room = 8 << 20;

	if (bind(fd, (struct sockaddr *)&at, sizeof at) == -1)
		sim_die("port %u: %s", port, strerror(errno));
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == -1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	return fd;
}

/* A fleet hears every address through one socket; a single agent binds its own. */
static void
server_listen(struct server *s, struct sockaddr_in *listen)
{
	socklen_t length = sizeof *listen;
	uint32_t at = s->count == 1 ? s->base : INADDR_ANY;
	struct sockaddr_in bound;
	char text[INET_ADDRSTRLEN];

	s->fd = socket_open(at, ntohs(listen->sin_port));
	s->other_fd = socket_open(at, 0);
	getsockname(s->fd, (struct sockaddr *)&bound, &length);
	bound.sin_addr.s_addr = htonl(s->base);
	inet_ntop(AF_INET, &bound.sin_addr, text, sizeof text);
	s->event = event_new(s->sim.base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_add(s->event, NULL);
	printf("ready %s:%u\n", text, ntohs(bound.sin_port));
	fflush(stdout);
}

static bool
act_row(struct agent *a, const char *verb, char *rest)
{
	char *number = sim_word(&rest), *word = sim_word(&rest);
	uint32_t row = number == NULL ? 0 : (uint32_t)strtoul(number, NULL, 10);
	int64_t now = sim_wall();

	if (strcmp(verb, "remove") == 0)
		return mib_remove(&a->mib, row);
	if (strcmp(verb, "add") == 0)
		return mib_add(&a->mib, row, word == NULL ? row :
			(uint32_t)strtoul(word, NULL, 10), now);
	if (strcmp(verb, "oper") != 0 || word == NULL)
		return false;
	return mib_oper(&a->mib, row, strcmp(word, "up") == 0 ? 1 :
		strcmp(word, "down") == 0 ? 2 : atoi(word), now);
}

static bool
act(struct agent *a, const char *verb, char *rest, char *why, size_t size)
{
	char *first;

	snprintf(why, size, "%s %s: cannot be done", verb, rest == NULL ? "" : rest);
	if (strcmp(verb, "fault") == 0) {
		why[0] = '\0';
		return faults_set(snmp_faults, &a->faults, rest, why, size);
	}
	if (strcmp(verb, "remove") == 0 || strcmp(verb, "add") == 0 || strcmp(verb, "oper") == 0)
		return act_row(a, verb, rest);
	first = sim_word(&rest);
	if (strcmp(verb, "clear") == 0)
		a->faults = (struct snmp_faults){ 0 };
	else if (strcmp(verb, "dead") == 0)
		a->faults.dead = 1;
	else if (strcmp(verb, "alive") == 0)
		a->faults.dead = 0;
	else if (strcmp(verb, "reboot") == 0)
		mib_reboot(&a->mib, sim_wall());
	else if (strcmp(verb, "reset") == 0)
		mib_reset(&a->mib, sim_wall(), first != NULL && strcmp(first, "quiet") == 0);
	else if (strcmp(verb, "rotate") == 0)
		mib_rotate(&a->mib);
	else if (strcmp(verb, "renumber") == 0)
		mib_renumber(&a->mib, first == NULL ? 1000 : (uint32_t)strtoul(first, NULL, 10));
	else if (strcmp(verb, "set") == 0)
		return first != NULL && rest != NULL &&
			mib_set(&a->mib, first, strtoll(rest, NULL, 10));
	else
		return false;
	return true;
}

static void
on_agents(struct server *s, char *line, char *why, size_t size)
{
	char *which = sim_word(&line), *verb = sim_word(&line), copy[2048];
	bool all = which != NULL && strcmp(which, "all") == 0;
	unsigned n = which == NULL ? 0 : (unsigned)strtoul(which, NULL, 10);

	if (verb == NULL || (!all && (n < 1 || n > s->count))) {
		snprintf(why, size, "expected agent all|1..%u VERB", s->count);
		return;
	}
	for (unsigned i = all ? 1 : n; i <= (all ? s->count : n); i++) {
		snprintf(copy, sizeof copy, "%s", line == NULL ? "" : line);
		if (!act(&s->agents[i - 1], verb, copy, why, size))
			return;
		why[0] = '\0';
	}
}

static void
on_command(struct sim *sim, char *line, char *why, size_t size)
{
	struct server *s = (struct server *)sim;
	char *verb = sim_word(&line);

	if (verb == NULL)
		return;
	if (strcmp(verb, "agent") == 0)
		on_agents(s, line, why, size);
	else if (strcmp(verb, "pause") == 0) /* as a stopped process: the kernel queues */
		event_del(s->event);
	else if (strcmp(verb, "resume") == 0)
		event_add(s->event, NULL);
	else if (strcmp(verb, "flush") == 0)
		simlog_flush(sim->log);
	else if (strcmp(verb, "stats") == 0)
		snprintf(why, size, "ok requests=%llu malformed=%llu violations=%llu",
			(unsigned long long)s->requests, (unsigned long long)s->malformed,
			(unsigned long long)sim->violations);
	else
		snprintf(why, size, "\"%s\": expected agent, pause, resume, flush or stats", verb);
}

static void
help(void)
{
	printf("snmp_sim --listen ADDRESS:PORT   port 0: a free one; prints \"ready ADDRESS:PORT\"\n"
		"  --agents N --base 127.10.0.1   a fleet at consecutive addresses, same port\n"
		"  --ifs M --ifindex-step K       interfaces per agent (8), their ifIndex (1)\n"
		"  --community WORD               (public)\n"
		"  --rate R --wave W --wave-period S   octets/s (1000), share that swings (0), 60\n"
		"  --epoch SECONDS                t = 0 (start of the process), Unix time\n"
		"  --max-size N                   largest answer in octets (1472)\n"
		"  --log FILE --log-values        one line per request, and the values served\n"
		"  --control SOCKET               unix datagram socket for control lines\n"
		"  --do LINE                      a control line at the start, may be repeated\n"
		"  --fault \"NAME=VALUE...\"        the same as --do \"agent all fault ...\"\n"
		"  --seed N --explain --help\nfaults:\n");
	faults_help(snmp_faults);
}

struct options {
	struct sockaddr_in listen, base;
	double agents, ifs, step, epoch, max_size, seed;
	bool explain;
	const char *log, *control;
	char *lines[64];
	size_t line_count;
};

static void
line_add(struct options *o, const char *prefix, const char *line)
{
	if (o->line_count == sizeof o->lines / sizeof *o->lines ||
		asprintf(&o->lines[o->line_count++], "%s%s", prefix, line) == -1)
		sim_die("too many control lines on the command line");
}

static double
number_of(const char *name, const char *text)
{
	double number;

	if (!sim_number(text, &number))
		sim_die("--%s %s: expected a number", name, text);
	return number;
}

static const struct option option_names[] = {
	{ "listen", 1, NULL, 'l' }, { "agents", 1, NULL, 'n' }, { "base", 1, NULL, 'b' },
	{ "ifs", 1, NULL, 'i' }, { "ifindex-step", 1, NULL, 'k' }, { "community", 1, NULL, 'c' },
	{ "rate", 1, NULL, 'r' }, { "wave", 1, NULL, 'w' }, { "wave-period", 1, NULL, 'p' },
	{ "epoch", 1, NULL, 'e' }, { "max-size", 1, NULL, 'm' }, { "log", 1, NULL, 'o' },
	{ "log-values", 0, NULL, 'v' }, { "control", 1, NULL, 'C' }, { "do", 1, NULL, 'd' },
	{ "fault", 1, NULL, 'f' }, { "seed", 1, NULL, 's' }, { "explain", 0, NULL, 'x' },
	{ "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }
};

/* Options that are one number each. */
static double *
number_option(struct server *s, struct options *o, int option)
{
	switch (option) {
	case 'n':
		return &o->agents;
	case 'i':
		return &o->ifs;
	case 'k':
		return &o->step;
	case 'r':
		return &s->rates.base;
	case 'w':
		return &s->rates.wave;
	case 'p':
		return &s->rates.period;
	case 'e':
		return &o->epoch;
	case 'm':
		return &o->max_size;
	case 's':
		return &o->seed;
	default:
		return NULL;
	}
}

static void
option_set(struct server *s, struct options *o, int option, int at)
{
	double *number = number_option(s, o, option);
	char base[64];

	if (number != NULL)
		*number = number_of(option_names[at].name, optarg);
	else if (option == 'l')
		sim_address(optarg, &o->listen);
	else if (option == 'b') {
		snprintf(base, sizeof base, "%s:0", optarg);
		sim_address(base, &o->base);
	} else if (option == 'c')
		s->options.community = optarg;
	else if (option == 'o')
		o->log = optarg;
	else if (option == 'C')
		o->control = optarg;
	else if (option == 'v')
		s->log_values = true;
	else if (option == 'x')
		o->explain = true;
	else if (option == 'd')
		line_add(o, "", optarg);
	else if (option == 'f')
		line_add(o, "agent all fault ", optarg);
	else {
		help();
		exit(option == 'h' ? 0 : 2);
	}
}

static void
options_check(struct server *s, const struct options *o)
{
	if (o->agents < 1 || o->agents > 1000000 || o->ifs < 0 || o->ifs > 100000 || o->step < 1)
		sim_die("--agents from 1, --ifs from 0, --ifindex-step from 1");
	if (o->max_size < 484 || o->max_size > 65000)
		sim_die("--max-size from 484 to 65000");
	if (s->rates.base < 0 || s->rates.wave < 0 || s->rates.wave > 1 || s->rates.period <= 0)
		sim_die("--rate from 0, --wave from 0 to 1, --wave-period above 0");
	if (o->listen.sin_family != AF_INET)
		sim_die("--listen ADDRESS:PORT is missing");
}

static void
server_open(struct server *s, struct options *o)
{
	char why[512] = "";

	sim_seed((uint64_t)o->seed);
	s->count = (unsigned)o->agents;
	s->base = ntohl(o->base.sin_family == AF_INET ? o->base.sin_addr.s_addr :
		o->agents > 1 ? htonl(0x7f0a0001) : o->listen.sin_addr.s_addr);
	s->options.max_size = (size_t)o->max_size;
	s->epoch = o->epoch < 0 ? sim_wall() : (int64_t)(o->epoch * 1e9);
	s->agents = sim_zero(s->count, sizeof *s->agents);
	for (unsigned i = 0; i < s->count; i++)
		mib_begin(&s->agents[i].mib, i + 1, &s->rates, (size_t)o->ifs,
			(uint32_t)o->step, s->epoch);
	sim_open(&s->sim, o->control);
	s->sim.command = on_command;
	s->sim.log = simlog_open(o->log,
		"received_ns mono_ns value_ns agent request_id pdu varbinds done [oid=value...]");
	for (size_t i = 0; i < o->line_count; i++) {
		on_command(&s->sim, o->lines[i], why, sizeof why);
		free(o->lines[i]);
		if (why[0] != '\0')
			sim_die("%s", why);
	}
}

static void
server_close(struct server *s)
{
	while (!LIST_EMPTY(&s->waiting))
		late_free(LIST_FIRST(&s->waiting));
	event_free(s->event);
	close(s->fd);
	close(s->other_fd);
	for (unsigned i = 0; i < s->count; i++)
		mib_end(&s->agents[i].mib);
	free(s->agents);
	sim_close(&s->sim);
}

int
main(int argc, char **argv)
{
	static struct server s = { .options.community = "public",
		.rates = { .base = 1000, .period = 60 } };
	static struct options o = { .agents = 1, .ifs = 8, .step = 1, .epoch = -1,
		.max_size = 1472 };
	int option, at = 0, status;

	while ((option = getopt_long(argc, argv, "", option_names, &at)) != -1)
		option_set(&s, &o, option, at);
	if (o.explain) {
		mib_explain(stdout, &s.rates);
		return 0;
	}
	options_check(&s, &o);
	server_open(&s, &o);
	server_listen(&s, &o.listen);
	status = sim_run(&s.sim);
	simlog_add(s.sim.log, "# end: %llu requests, %llu malformed, %llu violations\n",
		(unsigned long long)s.requests, (unsigned long long)s.malformed,
		(unsigned long long)s.sim.violations);
	server_close(&s);
	return status;
}

/* bus_trials.c - the Modbus line against the simulator's faults, on real sockets.
 *
 * bus_trials rtu|tcp PORT FIRST-ADDRESS CONTROL LOG TRIALS NAME=FAULTS...
 *
 * FAULTS are the unit's; behind a @ come the agent's (the whole server's).
 * One agent of the fleet and one line for each kind of fault, all at once. Register pair 100 of
 * unit 1 runs up with the time, so each value tells when it was read: one from before its
 * question was sent is a wrong value, and so is one from the future. Prints a line for each
 * kind; ends with 1 when a value was wrong or a line did not come back: of 100 trials and more
 * in one of the first two polls, a second apart, that begin after the end of the trouble; of
 * fewer within 50 questions without a pause. The trouble ends when the simulator was told so
 * and has worked off what it was asked in it: its log says when its last answer left too late
 * (a serial server serves in order, and 100 questions may have piled up). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "modbus/line.h"

enum { MOST = 40, CLEAN = 20, ROUNDS = 50, THOROUGH = 100 };
#define TIMEOUT (150 * LOOP_MS)
#define INTERVAL (1000 * LOOP_MS) /* of the polls after the fault, from THOROUGH trials on */
#define PER_MS 1000 /* of the ramp */

enum phase { CALIBRATE, TRIALS, RECOVER, DONE };

struct kind {
	const char *name;
	char *faults;
	unsigned agent;
	struct line_unit unit;
	struct line_request request;
	struct loop_timer pause;
	bool told; /* the fault belongs to the line and stays */
	bool crowded;
	enum phase phase;
	unsigned round, good, wrong, silent, bad, needed;
	int64_t sent;
	int64_t polls[ROUNDS]; /* mono: when those after the fault began */
	int64_t healed;        /* mono: when the simulator was told, and ... */
	int64_t ended;         /* ... when its last late answer had gone */
	/* mono time = value / PER_MS + offset; the offset lies between these */
	int64_t low, high;
};

static struct kind kinds[MOST];
static unsigned kind_count, running, trials;
static struct loop *loop;
static struct lines *lines;
static int control = -1;

/* The answer is read later, or never: the simulator does what it is told in order. */
static void
say(const char *line)
{
	char answer[512];

	if (send(control, line, strlen(line), 0) == -1)
		perror(line);
	while (recv(control, answer, sizeof answer - 1, MSG_DONTWAIT) > 0)
		if (strncmp(answer, "ok", 2) != 0)
			fprintf(stderr, "%s: %.200s\n", line, answer);
}

static void
tell(const struct kind *kind, const char *what, const char *rest)
{
	char line[300];

	snprintf(line, sizeof line, "agent %u unit 1 %s%s", kind->agent, what, rest);
	say(line);
}

static void
strike(const struct kind *kind)
{
	const char *whole = strchr(kind->faults, '@');
	char line[300];

	if (whole != kind->faults) {
		snprintf(line, sizeof line, "agent %u unit 1 fault %.*s", kind->agent,
			whole == NULL ? 200 : (int)(whole - kind->faults), kind->faults);
		say(line);
	}
	if (whole == NULL)
		return;
	/* Some of them strike new connections only. */
	snprintf(line, sizeof line, "agent %u stop", kind->agent);
	say(line);
	snprintf(line, sizeof line, "agent %u start", kind->agent);
	say(line);
	snprintf(line, sizeof line, "agent %u fault %s", kind->agent, whole + 1);
	say(line);
}

static void
heal(struct kind *kind)
{
	char line[300];

	tell(kind, "clear", "");
	snprintf(line, sizeof line, "agent %u clear", kind->agent);
	say(line);
}

static void
ask(void *arg)
{
	struct kind *kind = arg;

	kind->sent = loop_mono(loop);
	kind->request.expires = 0;
	if (kind->phase == RECOVER) {
		kind->polls[kind->round] = kind->sent;
		kind->request.expires = kind->sent + INTERVAL;
	}
	line_send(&kind->request);
}

static void
next_phase(struct kind *kind)
{
	kind->round = 0;
	kind->phase++;
	if (kind->phase == TRIALS)
		strike(kind);
	if (kind->phase == RECOVER && !kind->told)
		heal(kind);
	if (kind->phase == RECOVER)
		kind->healed = kind->ended = loop_mono(loop);
	if (kind->phase == DONE && --running == 0)
		loop_stop(loop);
}

/* The value cannot have been read before sent, nor after received. */
static bool
is_right(struct kind *kind, const uint8_t *data, int64_t received)
{
	int64_t value = (int64_t)data[0] << 24 | data[1] << 16 | data[2] << 8 | data[3];
	int64_t after = value * LOOP_MS / PER_MS;

	if (kind->phase == CALIBRATE) {
		if (kind->round == 0 || kind->sent - after > kind->low)
			kind->low = kind->sent - after;
		if (kind->round == 0 || received - after < kind->high)
			kind->high = received - after;
		return true;
	}
	return after + kind->high >= kind->sent - LOOP_MS && after + kind->low <= received + LOOP_MS;
}

static int64_t
pause_after(const struct kind *kind, enum line_outcome outcome)
{
	int64_t now = loop_mono(loop), next = kind->healed + INTERVAL / 2;

	/* The fault went in the middle between two polls. */
	while (next < now || (kind->round > 0 && next <= kind->sent))
		next += INTERVAL;
	if (kind->phase == RECOVER && trials >= THOROUGH)
		return next - now;
	/* What is down is not asked at once: it is a poll, not a hammer. */
	return outcome == LINE_UNREACHABLE ? 300 * LOOP_MS : 0;
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct kind *kind = arg;
	bool answer = result->outcome == LINE_ANSWER;
	struct line_look look;

	(void)request;
	if (answer && (result->size != 4 || !is_right(kind, result->data, result->received))) {
		kind->wrong++;
		fprintf(stderr, "%s: a wrong value\n", kind->name);
	}
	if (kind->phase == TRIALS) {
		kind->good += answer;
		kind->silent += result->outcome == LINE_TIMEOUT;
		kind->bad += result->outcome == LINE_BAD_REPLY;
	}
	kind->round++;
	if (kind->phase == CALIBRATE && !answer)
		kind->round--;
	if (kind->phase == RECOVER && lines_look(lines, kind->name, &look))
		kind->crowded = look.crowded;
	if ((kind->phase == CALIBRATE && kind->round == CLEAN) ||
		(kind->phase == TRIALS && kind->round == trials) ||
		(kind->phase == RECOVER && (answer || kind->crowded || kind->round == ROUNDS))) {
		kind->needed = kind->round;
		next_phase(kind);
	}
	if (kind->phase != DONE)
		loop_timer_in(loop, &kind->pause, pause_after(kind, result->outcome));
}

static bool
connect_control(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	sa_family_t family = AF_UNIX;

	control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	bind(control, (struct sockaddr *)&family, sizeof family);
	return connect(control, (struct sockaddr *)&at, sizeof at) == 0;
}

static void
add_kind(char *text, const struct net_addr *first, bool rtu)
{
	struct kind *kind = &kinds[kind_count];
	struct line_options options = { .address = *first, .framing = rtu ? ADU_RTU : ADU_MBAP,
		.quiet = 50 * LOOP_MS, .retry_within = INTERVAL }; /* as of a device polled so often */
	char *equals = strchr(text, '=');

	if (equals == NULL)
		exit(2);
	*equals = '\0';
	kind->name = options.name = text;
	kind->faults = equals + 1;
	kind->agent = ++kind_count;
	options.request_gap = rtu ? 5 * LOOP_MS : 0;
	kind->told = options.local_echo = strncmp(text, "told-", 5) == 0;
	loop_timer_init(&kind->pause, ask, kind);
	options.address.bytes[3] = (uint8_t)(first->bytes[3] + kind_count - 1);
	kind->unit.id = 1;
	line_join(lines, &options, &kind->unit);
	kind->request = (struct line_request){ .unit = &kind->unit, .done = on_done, .arg = kind,
		.function = ADU_HOLDING_REGISTERS, .address = 100, .count = 2, .timeout = TIMEOUT };
	tell(kind, "set holding 100 u32 0", "");
	tell(kind, "ramp holding 100 u32 4000000000 4000000", "");
	if (options.local_echo)
		strike(kind);
}

/* What the simulator's log says of agents and times. */
static void
take_log_line(const char *line, int64_t *anchor)
{
	long long wall, mono;
	unsigned agent, after;
	char what[16];

	if (sscanf(line, "%lld %lld %u %*u %15s after=%u", &wall, &mono, &agent, what,
		&after) == 5 && agent >= 1 && agent <= kind_count) {
		*anchor = wall - mono;
		if (after >= TIMEOUT / LOOP_MS && mono > kinds[agent - 1].ended)
			kinds[agent - 1].ended = mono;
	} else if (sscanf(line, "%lld %lld %u", &wall, &mono, &agent) == 3) {
		*anchor = wall - mono;
	} else if (sscanf(line, "# %lld control: agent %u %15s", &wall, &agent, what) == 3 &&
		   strcmp(what, "clear") == 0 && agent >= 1 && agent <= kind_count &&
		   wall - *anchor > kinds[agent - 1].ended) {
		kinds[agent - 1].ended = wall - *anchor; /* it was busy when it was told */
	}
}

static bool
read_log(const char *path)
{
	FILE *log = fopen(path, "r");
	char line[1024];
	int64_t anchor = INT64_MAX;

	if (log == NULL)
		return false;
	while (fgets(line, sizeof line, log) != NULL)
		take_log_line(line, &anchor);
	fclose(log);
	return true;
}

/* Until the log is written to its end: the answer comes after that. */
static bool
flush_log(void)
{
	struct timeval limit = { .tv_sec = 60 };
	char answer[512];

	while (recv(control, answer, sizeof answer, MSG_DONTWAIT) > 0)
		;
	setsockopt(control, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return send(control, "flush", 5, 0) == 5 && recv(control, answer, sizeof answer, 0) > 0;
}

/* Polls that began after the trouble, up to the good one. */
static unsigned
polls_after(const struct kind *kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < kind->needed; i++)
		count += kind->polls[i] >= kind->ended;
	return count;
}

static bool
has_failed(const struct kind *kind)
{
	/* Who closes what it has just accepted may be left alone for a minute. */
	bool may_crowd = strncmp(kind->name, "accept-", 7) == 0 ||
		strcmp(kind->name, "one-only") == 0;

	return kind->wrong > 0 || kind->needed >= ROUNDS || (kind->crowded && !may_crowd) ||
	       (trials >= THOROUGH && polls_after(kind) > 2);
}

static unsigned
report(void)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < kind_count; i++) {
		const struct kind *kind = &kinds[i];
		struct line_counters counters = line_counters(kind->unit.line);
		unsigned polls = polls_after(kind);

		printf("%-15s %u trials, %u good, %u wrong, %u timeouts, %u bad replies; late %llu, "
			"probes %llu; late answers until %lld ms after the fault, a good one %u "
			"poll%s later\n", kind->name, trials, kind->good, kind->wrong,
			kind->silent, kind->bad, (unsigned long long)counters.late,
			(unsigned long long)counters.probes,
			(long long)((kind->ended - kind->healed) / LOOP_MS), polls,
			polls == 1 ? "" : "s");
		if (kind->crowded)
			printf("%-15s had no connection to spare: tried once a minute from then on\n",
				kind->name);
		failed += has_failed(kind);
	}
	return failed;
}

int
main(int argc, char **argv)
{
	struct net_addr first;
	struct fail why;
	unsigned failed;

	if (argc < 8 || argc - 7 > MOST ||
		net_addr_parse(argv[3], (uint16_t)atoi(argv[2]), &first, &why) == -1 ||
		!connect_control(argv[4]))
		return 2;
	trials = (unsigned)atoi(argv[6]);
	loop = loop_new(&why);
	lines = lines_new(loop);
	for (int i = 7; i < argc; i++)
		add_kind(argv[i], &first, strcmp(argv[1], "rtu") == 0);
	running = kind_count;
	for (unsigned i = 0; i < kind_count; i++)
		ask(&kinds[i]);
	loop_run(loop);
	if (!flush_log() || !read_log(argv[5])) {
		fprintf(stderr, "%s: %s\n", argv[5], "the simulator's log cannot be read");
		return 2;
	}
	failed = report();
	for (unsigned i = 0; i < kind_count; i++) {
		line_cancel(&kinds[i].request);
		line_leave(&kinds[i].unit);
	}
	lines_free(lines);
	loop_free(loop);
	close(control);
	return failed > 0 ? 1 : 0;
}

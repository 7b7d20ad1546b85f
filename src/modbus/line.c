#include "modbus/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tls.h"
#include "modbus/adu.h"
#include "modbus/owed.h"
#include "modbus/pace.h"
#include "modbus/release.h"

#define CONNECT_TIMEOUT (3 * LOOP_S)
#define CONNECT_SPACING LOOP_S /* between two connects, whatever happened to the first */
#define BACKOFF_FIRST LOOP_S
#define BACKOFF_MOST (60 * LOOP_S)
#define NEVER_QUIET (5 * LOOP_S)  /* of octets without a pause: nothing can be asked here */
#define MINUTE (60 * LOOP_S)
#define CROWDED MINUTE            /* between connects that are accepted and closed at once */
#define HEARING (250 * LOOP_MS)   /* for a server to close what it has no room for */
#define OWED_ALONE (10 * LOOP_S)  /* after which a question without another shape is asked */

enum {
	TIMEOUTS_TO_RECONNECT = 3, /* in a row over all units: the connection is dead */
	SILENCES_TO_DOUBT = 3,     /* in a row: the unit is dead, its requests are probes */
	MOST_PROBES = 16,           /* for one question: the others on the line wait meanwhile */
	PROBE_SHARE = 1,           /* a silent probe of 1 s is followed by 1 s without one */
	SLAMS = 3,                 /* in a row, the last ones before any question: no room;
	                              or handshakes of TLS that failed */
	LATE_TIDS = 32
};

/* From one question's tid to the next. Odd, so all 65,536 are used before one comes again; and
 * both bytes change, so that one damaged byte does not make a late answer fit the next question. */
#define TID_STEP 0x9e37

#define PLACES 1024 /* 2^n */

struct lines {
	struct loop *loop;
	struct line *all;
	struct line *places[PLACES]; /* the same by what they lead to, see place_of */
	struct pace *hosts;
	struct release *releases;
	void (*tap)(const char *line, bool sent, const uint8_t *bytes, size_t size, int64_t mono,
		void *arg);
	void *tap_arg;
};

struct line {
	struct line *next, *prev;
	struct line *next_here; /* in the same place */
	struct lines *lines;
	struct loop *loop;
	char *name;
	struct line_options options;
	enum line_state state;
	struct line_unit *units;
	struct pace_turn turn;    /* among the lines of its host */

	struct serial *serial;    /* of a line on a tty */
	char *device;
	struct net_stream *stream;
	struct tls *tls;          /* of a line over TLS; NULL: they cannot be used, tls_why */
	char *server_name;
	char tls_why[160];
	struct tls_stream *secure; /* in the place of stream */
	bool renewed;             /* other certificates since it was connected */
	int64_t peer_ends;        /* wall ns: of the certificate the server had last; 0: none */
	uint64_t connection;      /* counts them */
	unsigned answers_here;    /* on this connection */
	uint16_t answered_tid;    /* the last one that was answered on it */
	unsigned failures;        /* connections in a row that brought no answer */
	int64_t next_connect;     /* mono: not before */
	int64_t released;         /* mono: until when somebody else has it; 0: nobody */
	bool down;                /* the last connect failed, and none stands */
	unsigned slams;           /* connections in a row that were closed before any answer */
	bool crowded;             /* so many of them before any question that it has no room */
	int64_t made, state_at;   /* mono: of the line, of its state */
	int64_t busy;             /* ns in states in which no question can go out */
	int64_t minute_at, minute_busy; /* mono of the last full minute's end; busy then */
	double minute_load;       /* percent in the minute before it */
	int64_t rtt;              /* of the newest answer */
	char down_why[160];       /* what the last connect failed with */

	struct line_request *queue;
	struct line_request *refused; /* wait for a done() outside line_send */
	struct loop_timer refusals;
	struct line_request *asked;   /* in flight; NULL when it was cancelled meanwhile */
	struct adu_expect expect;
	int64_t sent_at;
	struct loop_timer timer;      /* of the state */

	uint16_t tid;
	uint16_t late[LATE_TIDS];     /* asked, given up, not answered yet */
	unsigned late_count;
	unsigned timeouts;            /* in a row */
	int64_t next_probe;           /* mono: no request to a silent unit before */
	bool hopeful;                 /* the silent unit that was asked last has answered */

	struct owed owed;             /* RTU */
	bool probing;                 /* asked is preceded by a read of another shape */
	uint8_t out[ADU_MAX];         /* RTU: the frame on the wire */
	size_t out_size, echo_left;
	int64_t drain_end;            /* mono: not quiet by then means noise for ever */

	uint8_t in[ADU_MAX];
	size_t in_size;
	unsigned inside;              /* callbacks on the stack */
	bool doomed;                  /* free it when they have returned */
	struct line_counters counters;
};

static void pump(struct line *line);
static void on_timer(void *arg);
static void on_refusals(void *arg);
static void on_turn(void *arg);

/* ---- lines and their units ---- */

struct lines *
lines_new(struct loop *loop)
{
	struct lines *lines = mem_zero(sizeof(*lines));

	lines->loop = loop;
	return lines;
}

/* Where lines to that tty, or else to that address, are found: a plant has thousands. */
static struct line **
place_of(struct lines *lines, const char *device, const struct net_addr *address)
{
	uint64_t hash = device != NULL && device[0] != '\0' ? str_hash(device, strlen(device)) :
		str_hash(address->bytes, sizeof address->bytes) + address->port;

	return &lines->places[hash % PLACES];
}

static void
line_free(struct line *line)
{
	struct line **place = place_of(line->lines, line->device, &line->options.address);

	DL_DELETE(line->lines->all, line);
	LL_DELETE2(*place, line, next_here);
	pace_leave(&line->lines->hosts, &line->turn);
	loop_timer_stop(line->loop, &line->timer);
	loop_timer_stop(line->loop, &line->refusals);
	net_stream_close(line->stream);
	tls_stream_close(line->secure);
	tls_unref(line->tls);
	free(line->server_name);
	serial_free(line->serial);
	owed_free(&line->owed);
	free(line->device);
	free(line->name);
	free(line);
}

void
lines_free(struct lines *lines)
{
	if (lines == NULL)
		return;
	while (lines->all != NULL)
		line_free(lines->all);
	release_free(lines->releases);
	free(lines);
}

void
lines_tap(struct lines *lines,
	void (*tap)(const char *line, bool sent, const uint8_t *bytes, size_t size, int64_t mono,
		void *arg), void *arg)
{
	lines->tap = tap;
	lines->tap_arg = arg;
}

static struct line *
line_new(struct lines *lines, const struct line_options *options)
{
	struct line *line = mem_zero(sizeof(*line));
	int64_t seed[2] = { loop_wall(lines->loop), loop_mono(lines->loop) };
	char host[64];

	line->lines = lines;
	line->loop = lines->loop;
	line->made = line->state_at = line->minute_at = loop_mono(lines->loop);
	line->options.address = options->address;
	line->options.framing = options->framing;
	line->options.tls_id = options->tls_id;
	line->server_name = mem_text("");
	line->device = mem_text(options->serial.device == NULL ? "" : options->serial.device);
	/* Random enough that a restarted poller does not ask with the tids of its forerunner. */
	line->tid = (uint16_t)(str_hash(seed, sizeof(seed)) ^
			       str_hash(&options->address, sizeof(options->address)));
	loop_timer_init(&line->timer, on_timer, line);
	loop_timer_init(&line->refusals, on_refusals, line);
	DL_APPEND(lines->all, line);
	LL_PREPEND2(*place_of(lines, line->device, &line->options.address), line, next_here);
	line->turn = (struct pace_turn){ .due = on_turn, .arg = line };
	pace_join(&lines->hosts, lines->loop, line->device[0] != '\0' ? line->device :
		net_addr_text(host, sizeof(host), &options->address, false), &line->turn);
	return line;
}

/* Lines with the same certificates share what is made of them. */
static struct tls *
share_tls(const struct line *line, const struct line_options *options, struct fail *why)
{
	const struct line *other;

	DL_FOREACH(line->lines->all, other) {
		if (other != line && other->tls != NULL && other->options.tls_id == options->tls_id)
			return tls_ref(other->tls);
	}
	return tls_new(options->tls, why);
}

/* Renewed certificates are for the next connection, which then is soon: the one that stands
 * gives way once nothing is under way on it. */
static void
take_tls(struct line *line, const struct line_options *options)
{
	bool same_name = strcmp(line->server_name, options->server_name) == 0;
	struct tls *old = line->tls;
	struct fail why;

	if (old != NULL && same_name && line->options.tls_id == options->tls_id)
		return;
	line->tls = share_tls(line, options, &why);
	if (line->tls == NULL)
		str_copy(line->tls_why, sizeof line->tls_why, why.text);
	tls_unref(old);
	free(line->server_name);
	line->server_name = mem_text(options->server_name);
	line->peer_ends = 0;
	line->renewed = line->secure != NULL;
}

static void
take_options(struct line *line, const struct line_options *options)
{
	int64_t before = line->options.retry_within;
	int64_t within = options->retry_within > 0 ? options->retry_within : BACKOFF_MOST;

	if (options->tls != NULL)
		take_tls(line, options);
	free(line->name);
	line->name = mem_text(options->name);
	line->options = *options;
	line->options.name = line->name;
	line->options.tls = NULL;
	line->options.server_name = line->server_name;
	line->options.serial.device = line->device;
	line->options.retry_within = before > 0 && before < within ? before : within;
	if (line->options.connect_timeout <= 0)
		line->options.connect_timeout = CONNECT_TIMEOUT;
	if (line->options.quiet <= 0)
		line->options.quiet = LINE_QUIET;
	line->released = release_until(line->lines->releases, line->name, loop_mono(line->loop));
	pace_set(&line->turn, options->host_gap);
}

/* What a serial line is made of changes with a new line only: the old one has it open. */
static bool
is_to(const struct line *line, const struct line_options *options)
{
	const struct serial_options *ours = &line->options.serial, *theirs = &options->serial;

	if (line->doomed || line->options.framing != options->framing ||
		(line->options.tls_id != 0) != (options->tls_id != 0))
		return false;
	if (theirs->device == NULL || theirs->device[0] == '\0')
		return line->device[0] == '\0' &&
		       net_addr_equal(&line->options.address, &options->address);
	return strcmp(line->device, theirs->device) == 0 && ours->baud == theirs->baud &&
	       ours->parity == theirs->parity && ours->stop_bits == theirs->stop_bits &&
	       ours->rs485 == theirs->rs485;
}

void
line_join(struct lines *lines, const struct line_options *options, struct line_unit *unit)
{
	struct line *line;

	LL_FOREACH2(*place_of(lines, options->serial.device, &options->address), line, next_here) {
		if (is_to(line, options))
			break;
	}
	if (line == NULL)
		line = line_new(lines, options);
	take_options(line, options);
	unit->line = line;
	DL_APPEND(line->units, unit);
}

void
line_leave(struct line_unit *unit)
{
	struct line *line = unit->line;

	if (line == NULL)
		return;
	DL_DELETE(line->units, unit);
	unit->line = NULL;
	if (line->units != NULL)
		return;
	line->doomed = true;
	if (line->inside == 0)
		line_free(line);
}

enum line_state
line_state(const struct line *line)
{
	return line->state;
}

struct line_counters
line_counters(const struct line *line)
{
	return line->counters;
}

/* Around whatever may call done(): it may send, or make the last unit leave. Nothing is
 * sent and nothing freed before all that came has been looked at, so junk behind an answer
 * is never taken for the answer to the next question. */
static void
enter(struct line *line)
{
	line->inside++;
}

static void
leave(struct line *line)
{
	if (--line->inside > 0)
		return;
	if (line->doomed)
		line_free(line);
	else
		pump(line);
}

static bool
is_rtu(const struct line *line)
{
	return line->options.framing == ADU_RTU;
}

static bool
has_stream(const struct line *line)
{
	return line->stream != NULL || line->secure != NULL;
}

/* Every phrase of its own before the stream that it is about is closed. */
static const char *
why_text(const struct line *line, const char *without, char to[160])
{
	const char *why = line->secure == NULL ? NULL : tls_stream_why(line->secure);

	str_copy(to, 160, why != NULL ? why : without);
	return to;
}

/* ---- how it is, and how busy ---- */

/* Until now, the state that lasts included. */
static int64_t
busy_until(const struct line *line, int64_t now)
{
	bool taken = line->state == LINE_CONNECTING || line->state == LINE_SETTLING ||
		line->state == LINE_WAITING || line->state == LINE_DRAINING;

	return line->busy + (taken ? now - line->state_at : 0);
}

static double
load_between(int64_t busy, int64_t from, int64_t to)
{
	return to > from ? 100.0 * (double)busy / (double)(to - from) : 0;
}

static void
set_state(struct line *line, enum line_state state)
{
	int64_t now = loop_mono(line->loop);

	pace_forget(&line->turn);
	line->busy = busy_until(line, now);
	if (now - line->minute_at >= MINUTE) {
		line->minute_load = load_between(line->busy - line->minute_busy, line->minute_at,
			now);
		line->minute_at = now;
		line->minute_busy = line->busy;
	}
	line->state = state;
	line->state_at = now;
}

/* Of a line with one unit it cannot be told whether the unit is silent or the bus. */
static void
judge(const struct line *line, struct line_look *look)
{
	look->verdict = look->asked == 0 || line->released != 0 ? LINE_UNTRIED : LINE_WELL;
	if (line->released != 0)
		return;
	if (line->down) {
		look->verdict = LINE_BAD;
		str_copy(look->why, sizeof look->why, line->down_why);
	} else if (look->asked > 1 && look->silent == look->asked) {
		look->verdict = LINE_BAD;
		snprintf(look->why, sizeof look->why, "none of its %u units answers", look->asked);
	}
}

static int64_t
certificate_ends(const struct line *line)
{
	int64_t ours = line->tls == NULL ? 0 : tls_ends(line->tls);

	return ours == 0 || (line->peer_ends != 0 && line->peer_ends < ours) ? line->peer_ends :
		ours;
}

static void
look_at(const struct line *line, struct line_look *look)
{
	const struct line_unit *unit;
	int64_t now = loop_mono(line->loop);

	*look = (struct line_look){ .made = line->made, .rtt = line->rtt,
		.busy = busy_until(line, now), .load = line->minute_load, .crowded = line->crowded,
		.down = line->down, .released = line->released != 0,
		.certificate_ends = certificate_ends(line) };
	if (line->minute_at == line->made || now - line->minute_at >= MINUTE)
		look->load = load_between(look->busy - line->minute_busy, line->minute_at, now);
	DL_FOREACH(line->units, unit) {
		look->asked += unit->probed != 0;
		look->silent += unit->probed != 0 && unit->silences > 0;
	}
	judge(line, look);
}

bool
lines_look(const struct lines *lines, const char *name, struct line_look *look)
{
	const struct line *line;

	DL_FOREACH(lines->all, line) {
		if (line->doomed || strcmp(line->name, name) != 0)
			continue;
		look_at(line, look);
		return true;
	}
	return false;
}

static struct line *
find_line(const struct lines *lines, const char *name)
{
	struct line *line;

	DL_FOREACH(lines->all, line) {
		if (!line->doomed && strcmp(line->name, name) == 0)
			break;
	}
	return line;
}

bool
lines_released(const struct lines *lines, const char *name, int64_t *until, bool *closed)
{
	const struct line *line = find_line(lines, name);

	if (line == NULL)
		return false;
	*until = line->released;
	*closed = line->state == LINE_RELEASED;
	return true;
}

struct lines_sum
lines_sum(const struct lines *lines)
{
	struct lines_sum sum = { .busiest = "", .ending = "" };
	const struct line *line;
	struct line_look look;

	DL_FOREACH(lines->all, line) {
		look_at(line, &look);
		sum.count++;
		sum.bad += look.verdict == LINE_BAD;
		sum.crowded += line->crowded;
		sum.released += line->released != 0;
		if (look.certificate_ends != 0 &&
			(sum.ends == 0 || look.certificate_ends < sum.ends)) {
			sum.ends = look.certificate_ends;
			sum.ending = line->name;
		}
		if (look.load < sum.load || (look.load == 0 && sum.busiest[0] != '\0'))
			continue;
		sum.load = look.load;
		sum.busiest = line->name;
	}
	return sum;
}

/* ---- silent units ---- */

static void
unit_silent(struct line *line, struct line_unit *unit, int64_t now)
{
	if (unit->silences < UINT8_MAX)
		unit->silences++;
	if (unit->silences < SILENCES_TO_DOUBT)
		return;
	line->next_probe = now + PROBE_SHARE * (now - line->sent_at);
	line->hopeful = false;
}

/* Of several devices on one unit id, one is proof for all. */
static void
unit_lives(struct line *line, const struct line_unit *answered)
{
	struct line_unit *unit;

	line->hopeful = line->hopeful || answered->silences >= SILENCES_TO_DOUBT;
	DL_FOREACH(line->units, unit) {
		if (unit->id == answered->id)
			unit->silences = 0;
	}
}

/* Each dead unit behind a gateway costs its whole time-out, and the living wait meanwhile.
 * So where somebody lives, all dead units together get half of the line, in turns: who
 * was refused and has waited longest goes first (a refusal counts for two minutes, then
 * its owner is taken to be gone; several devices with one unit id have one turn). Once one of
 * them answers, so may the others, which the same cable had taken away: they need not wait until
 * all before them had their turn. */
static bool
probe_allowed(struct line *line, struct line_unit *unit, int64_t now)
{
	struct line_unit *other;
	bool living = false, first = true;

	if (unit->silences < SILENCES_TO_DOUBT)
		return true;
	DL_FOREACH(line->units, other) {
		if (other->silences < SILENCES_TO_DOUBT)
			living = true;
		else if (other->id != unit->id && other->refused > other->probed &&
			 other->probed < unit->probed && now - other->refused < 120 * LOOP_S)
			first = false;
	}
	/* Nobody was probed for half an interval: there is room for one out of turn. */
	if (now - line->next_probe >= line->options.retry_within / 2)
		first = true;
	return !living || line->hopeful || (first && now >= line->next_probe);
}

/* ---- ending requests and connections ---- */

static void
finish(struct line_request *request, const struct line_result *result)
{
	if (request == NULL)
		return;
	request->busy = false;
	request->done(request, result, request->arg);
}

/* Ends it without having sent it; done() comes from the loop. */
static void
refuse(struct line *line, struct line_request *request, enum line_outcome outcome)
{
	request->refused = true;
	request->refusal = outcome;
	DL_APPEND(line->refused, request);
	line->counters.refused++;
	if (!loop_timer_armed(&line->refusals))
		loop_timer_in(line->loop, &line->refusals, 0);
}

static void
on_refusals(void *arg)
{
	static const char *const why[] = {
		[LINE_BREAKER] = "not asked, silent units have had their share of the line",
		[LINE_OVERRUN] = "not asked, the line was busy for a whole interval",
		[LINE_BAD_REPLY] = "not asked, no such request can be made",
		[LINE_PAUSED] = "not asked, its line is released (pollwerk pause)",
		[LINE_TIMEOUT] = "not asked, its last answer may still be on the way",
	};
	struct line *line = arg;
	struct line_request *request, *next;
	struct line_result result = { .received = loop_mono(line->loop) };
	size_t count;

	enter(line);
	DL_COUNT(line->refused, request, count);
	for (; count > 0 && line->refused != NULL; count--) {
		request = line->refused;
		DL_DELETE(line->refused, request);
		request->refused = false;
		result.outcome = request->refusal;
		result.why = result.outcome == LINE_UNREACHABLE ? line->down_why :
								  why[result.outcome];
		finish(request, &result);
	}
	next = line->refused;
	if (next != NULL && !loop_timer_armed(&line->refusals))
		loop_timer_in(line->loop, &line->refusals, 0);
	leave(line);
}

static struct line_request *
take_asked(struct line *line)
{
	struct line_request *request = line->asked;

	line->asked = NULL;
	loop_timer_stop(line->loop, &line->timer);
	return request;
}

static void
drop_stream(struct line *line)
{
	loop_timer_stop(line->loop, &line->timer);
	net_stream_close(line->stream);
	line->stream = NULL;
	tls_stream_close(line->secure);
	line->secure = NULL;
	line->renewed = false;
	serial_close(line->serial);
	line->in_size = 0;
	line->late_count = 0; /* the old connection's answers cannot come any more */
	line->timeouts = 0;
	line->answers_here = 0;
	set_state(line, LINE_IDLE);
}

/* Doubles from 1 s to 60 s, but is over when the next poll comes: a device is to be fully
 * back within one interval of its return. A quarter is left to chance, so that 400 devices
 * behind one switch do not come back in step. */
static int64_t
backoff(const struct line *line, int64_t now)
{
	uint64_t chance = str_hash(&line->options.address, sizeof(line->options.address)) ^
			  str_hash(&now, sizeof(now));
	int64_t most = line->options.retry_within * 4 / 5;
	int64_t wait = BACKOFF_FIRST;

	for (unsigned i = 1; i < line->failures && wait < BACKOFF_MOST; i++)
		wait *= 2;
	if (wait > BACKOFF_MOST)
		wait = BACKOFF_MOST;
	if (wait > most)
		wait = most;
	wait -= wait / 4 * (int64_t)(chance % 256) / 256;
	return wait > CONNECT_SPACING ? wait : CONNECT_SPACING;
}

static void
refuse_all(struct line *line, enum line_outcome outcome)
{
	struct line_request *request, *next;

	DL_FOREACH_SAFE(line->queue, request, next) {
		DL_DELETE(line->queue, request);
		refuse(line, request, outcome);
	}
}

/* The connection is of no use to anybody: whoever waits hears why, and nobody knocks again
 * before the back-off is over. */
static void
go_down(struct line *line, const char *why)
{
	int64_t now = loop_mono(line->loop);

	drop_stream(line);
	line->failures++;
	line->down = true;
	line->next_connect = now + backoff(line, now);
	set_state(line, LINE_BACKOFF);
	line->counters.connect_failures++;
	str_copy(line->down_why, sizeof(line->down_why), why);
	log_debug("%s: %s, not before %lld ms again", line->name, why,
		(long long)((line->next_connect - now) / LOOP_MS));
	refuse_all(line, LINE_UNREACHABLE);
}

/* Somebody else has it now. */
static void
give_away(struct line *line)
{
	drop_stream(line);
	set_state(line, LINE_RELEASED);
	refuse_all(line, LINE_PAUSED);
	loop_timer_at(line->loop, &line->timer, line->released);
}

static void
take_back(struct line *line)
{
	log_info("%s: asked again, it was released", line->name);
	line->released = 0;
	if (line->state != LINE_RELEASED)
		return;
	loop_timer_stop(line->loop, &line->timer);
	set_state(line, LINE_IDLE);
}

bool
lines_release(struct lines *lines, const char *name, int64_t until)
{
	struct line *line = find_line(lines, name);
	char span[32];

	if (line == NULL)
		return false;
	release_set(&lines->releases, name, until);
	if (until == 0 && line->released == 0)
		return true;
	enter(line);
	if (until == 0) {
		take_back(line);
	} else {
		log_info("%s: released for %s, nobody is asked", line->name, str_time_span(span,
			sizeof span, (until - loop_mono(line->loop)) / LOOP_S * LOOP_S));
		line->released = until;
		if (line->state == LINE_RELEASED)
			loop_timer_at(line->loop, &line->timer, until);
	}
	leave(line);
	return true;
}

/* Nothing is sent and all that comes is thrown away until the line was silent. */
static void
drain(struct line *line)
{
	line->counters.quarantines++;
	line->in_size = 0;
	set_state(line, LINE_DRAINING);
	line->drain_end = loop_mono(line->loop) + NEVER_QUIET;
	loop_timer_in(line->loop, &line->timer, line->options.quiet);
}

static void
drained(struct line *line, size_t size)
{
	line->counters.noise += size;
	if (loop_mono(line->loop) < line->drain_end)
		loop_timer_in(line->loop, &line->timer, line->options.quiet);
	else
		go_down(line, "octets that nobody asked for, without an end");
}

/* What came is no answer: nothing that follows on this connection can be believed. On a bus
 * it is noise; the answer itself may still come. */
static void
bad_reply(struct line *line, const char *why)
{
	bool waited = line->state == LINE_WAITING;
	struct line_request *request = take_asked(line);
	struct line_result result = { .outcome = LINE_BAD_REPLY, .why = why,
		.received = loop_mono(line->loop) };

	result.rtt = request != NULL ? result.received - line->sent_at : 0;
	line->counters.bad_replies++;
	if (is_rtu(line)) {
		log_debug("%s: %s", line->name, why);
		if (waited)
			owed_add(&line->owed, &line->expect, line->sent_at);
		line->counters.noise += line->in_size;
		drain(line);
	} else {
		log_debug("%s: %s, connection closed", line->name, why);
		drop_stream(line);
	}
	finish(request, &result);
}

static void
settle(struct line *line, int64_t delay)
{
	set_state(line, delay > 0 ? LINE_SETTLING : LINE_READY);
	if (delay > 0)
		loop_timer_in(line->loop, &line->timer, delay);
}

/* ---- late answers ---- */

static bool
late_take(struct line *line, uint16_t tid, bool forget)
{
	for (unsigned i = 0; i < line->late_count; i++) {
		if (line->late[i] != tid)
			continue;
		if (forget)
			line->late[i] = line->late[--line->late_count];
		return true;
	}
	return false;
}

/* Some gateways answer twice. The second answer is as harmless as a late one: its tid is
 * not that of the next question. */
static bool
is_repeated(const struct line *line, uint16_t tid)
{
	return line->answers_here > 0 && tid == line->answered_tid;
}

static void
late_add(struct line *line, uint16_t tid)
{
	if (line->late_count == LATE_TIDS)
		memmove(line->late, line->late + 1, --line->late_count * sizeof(line->late[0]));
	line->late[line->late_count++] = tid;
}

/* ---- what comes in ---- */

static void
answered(struct line *line, const struct adu_answer *answer, bool exception, int64_t mono)
{
	struct line_request *request = take_asked(line);
	struct line_result result = { .outcome = exception ? LINE_EXCEPTION : LINE_ANSWER,
		.code = answer->code, .received = mono, .rtt = mono - line->sent_at };
	uint8_t data[ADU_MAX];

	/* Out of the buffer first: done() sees a line that is ready for the next request. */
	if (answer->data_size > 0)
		memcpy(data, answer->data, answer->data_size);
	result.data = data;
	result.size = answer->data_size;
	if (exception) {
		result.why = adu_exception_text(answer->code);
		if (result.why == NULL)
			result.why = "an exception of its own";
		line->counters.exceptions++;
	} else {
		line->counters.answers++;
	}
	line->counters.short_lengths += answer->short_length;
	line->answers_here++;
	line->answered_tid = answer->tid;
	line->rtt = result.rtt;
	line->failures = 0;
	line->timeouts = 0;
	line->slams = 0;
	line->crowded = false;
	settle(line, line->options.request_gap);
	if (request == NULL)
		return;
	/* 0x0A and 0x0B come from a gateway that is alive; the unit behind it is not. */
	if (exception && (answer->code == 0x0A || answer->code == 0x0B))
		unit_silent(line, request->unit, mono);
	else
		unit_lives(line, request->unit);
	finish(request, &result);
}

static void
take_off(struct line *line, size_t size)
{
	line->in_size -= size;
	memmove(line->in, line->in + size, line->in_size);
}

/* Returns false when the connection is gone, or the line to be left alone. */
static bool
take_answer(struct line *line, const struct adu_answer *answer, bool exception, int64_t mono)
{
	uint64_t connection = line->connection;
	size_t size = answer->size;

	answered(line, answer, exception, mono);
	if (!has_stream(line) || line->connection != connection)
		return false;
	take_off(line, size);
	return true;
}

/* The read of another shape was answered, so no older answer is to come: now the question
 * itself, at the head of the queue. */
static void
probe_answered(struct line *line)
{
	struct line_request *request = take_asked(line);

	line->probing = false;
	line->answers_here++;
	line->failures = 0;
	line->timeouts = 0;
	settle(line, line->options.request_gap);
	if (request == NULL)
		return;
	unit_lives(line, request->unit);
	DL_PREPEND(line->queue, request);
}

static bool
take_rtu_answer(struct line *line, const struct adu_answer *answer, bool exception, int64_t mono)
{
	size_t size = answer->size;

	/* Two-wire adapters give back what they are sent. It has the right CRC, and a question
	 * for coils can even be read as an answer. */
	if (size >= line->out_size && memcmp(line->in, line->out, line->out_size) == 0) {
		bad_reply(line, "the question itself comes back: set local_echo = true");
		return false;
	}
	if (exception)
		owed_refused(&line->owed, &line->expect, line->sent_at);
	else
		owed_answered(&line->owed, &line->expect, line->sent_at);
	if (!line->probing)
		return take_answer(line, answer, exception, mono);
	probe_answered(line);
	take_off(line, size);
	return true;
}

/* False: more is needed, or the echo is none. */
static bool
take_echo(struct line *line)
{
	size_t at = line->out_size - line->echo_left;
	size_t part = line->in_size < line->echo_left ? line->in_size : line->echo_left;

	if (memcmp(line->in, line->out + at, part) != 0) {
		bad_reply(line, "the question did not come back whole, as local_echo says");
		return false;
	}
	line->echo_left -= part;
	take_off(line, part);
	return line->echo_left == 0 && line->in_size > 0;
}

/* The same for a bus: a frame says neither where it begins nor what it answers. */
static bool
take_rtu_frame(struct line *line, int64_t mono)
{
	struct adu_answer answer;
	enum adu_verdict verdict;
	const char *why;

	if (line->in_size == 0)
		return false;
	if (line->state != LINE_WAITING) {
		bad_reply(line, "octets that nobody asked for");
		return false;
	}
	if (line->echo_left > 0 && !take_echo(line))
		return false;
	/* What a bus shows while its drivers change over; neither is the id of a unit. */
	if (line->in[0] == 0x00 || line->in[0] == 0xFF) {
		line->counters.noise++;
		take_off(line, 1);
		return true;
	}
	verdict = adu_feed(&line->expect, line->in, line->in_size, &answer);
	if (verdict == ADU_NEED_MORE)
		return false;
	if (verdict != ADU_ERROR)
		return take_rtu_answer(line, &answer, verdict == ADU_EXCEPTION, mono);
	why = answer.why;
	verdict = owed_feed(&line->owed, line->in, line->in_size, &answer);
	if (verdict == ADU_NEED_MORE)
		return false;
	if (verdict == ADU_ERROR) {
		bad_reply(line, why);
		return false;
	}
	line->counters.late++;
	take_off(line, answer.size);
	return true;
}

/* Returns false when more bytes are needed or the connection is gone. */
static bool
take_frame(struct line *line, int64_t mono)
{
	struct adu_answer answer;
	enum adu_verdict verdict;
	uint16_t tid;
	bool current;

	if (is_rtu(line))
		return take_rtu_frame(line, mono);
	if (line->in_size < 2)
		return false;
	tid = (uint16_t)(line->in[0] << 8 | line->in[1]);
	current = line->state == LINE_WAITING && tid == line->expect.tid;
	if (!current && !late_take(line, tid, false) && !is_repeated(line, tid)) {
		bad_reply(line, "an answer to nothing that was asked");
		return false;
	}
	verdict = adu_feed(current ? &line->expect : NULL, line->in, line->in_size, &answer);
	if (verdict == ADU_NEED_MORE)
		return false;
	if (verdict == ADU_ERROR) {
		bad_reply(line, answer.why);
		return false;
	}
	/* A question for 24 coils from 0x0300 that comes back has the form of its answer. */
	if (current && answer.size == line->out_size &&
		memcmp(line->in, line->out, line->out_size) == 0) {
		bad_reply(line, "the question itself comes back");
		return false;
	}
	if (verdict != ADU_OTHER_TID)
		return take_answer(line, &answer, verdict == ADU_EXCEPTION, mono);
	late_take(line, tid, true);
	line->counters.late++;
	take_off(line, answer.size);
	return true;
}

static void
on_received(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct line *line = arg;
	uint64_t connection = line->connection;

	if (line->lines->tap != NULL)
		line->lines->tap(line->name, false, data, size, mono, line->lines->tap_arg);
	enter(line);
	while (size > 0 && has_stream(line) && line->connection == connection) {
		if (line->state == LINE_DRAINING) {
			drained(line, size);
			break;
		}
		size_t part = sizeof(line->in) - line->in_size;

		/* never 0: a full buffer is a frame or an error, and both empty it */
		part = size < part ? size : part;
		memcpy(line->in + line->in_size, data, part);
		line->in_size += part;
		data += part;
		size -= part;
		while (take_frame(line, mono))
			continue;
	}
	leave(line);
}

static void
on_connected(void *arg)
{
	struct line *line = arg;
	int64_t delay;

	enter(line);
	loop_timer_stop(line->loop, &line->timer);
	line->down = false;
	if (line->secure != NULL)
		line->peer_ends = tls_stream_peer_ends(line->secure);
	delay = line->options.connect_delay;
	if (line->slams > 0 && delay < HEARING)
		delay = HEARING;
	settle(line, delay);
	leave(line);
}

/* A server that accepts and closes at once has no connection left to give: others have them
 * all. Knocking on may cost one of them theirs, since some servers close the oldest. */
static void
stay_away(struct line *line)
{
	go_down(line, "closed right after it was accepted: others use all connections it has "
		"(free_connections), tried once a minute");
	line->next_connect = loop_mono(line->loop) + CROWDED;
	if (!line->crowded)
		log_warn("%s: %s", line->name, line->down_why);
	line->crowded = true;
}

/* A handshake that failed, or a server that says so only behind it, as with TLS 1.3. What
 * was asked meanwhile was heard by nobody. */
static void
tls_failed(struct line *line, const char *why)
{
	struct line_request *request = take_asked(line);

	if (request != NULL)
		DL_PREPEND(line->queue, request);
	go_down(line, why);
	if (++line->slams >= SLAMS)
		line->next_connect = loop_mono(line->loop) + CROWDED;
	if (line->slams == SLAMS)
		log_warn("%s: %s, tried once a minute", line->name, line->down_why);
}

/* Closing while nothing is asked is a server's good right; many do after a minute. It may
 * cross our next question, which then is asked once more and nobody hears of it. */
static void
on_closed(int error, void *arg)
{
	struct line *line = arg;
	char text[160];
	const char *why = why_text(line, error != 0 ? strerror(error) : line->device[0] != '\0' ?
		"the adapter has gone" : "closed by the other side", text);
	struct line_result result = { .outcome = LINE_UNREACHABLE, .why = why,
		.received = loop_mono(line->loop) };
	enum line_state state = line->state;
	bool idle_close = line->answers_here > 0 && line->in_size == 0;
	struct line_request *request;

	enter(line);
	if (line->secure != NULL && line->answers_here == 0 &&
		tls_stream_why(line->secure) != NULL) {
		tls_failed(line, text);
		leave(line);
		return;
	}
	if (state == LINE_CONNECTING || (state != LINE_WAITING && line->answers_here == 0)) {
		if (state == LINE_CONNECTING || line->device[0] != '\0' || ++line->slams < SLAMS)
			go_down(line, why);
		else
			stay_away(line);
		leave(line);
		return;
	}
	/* Whether it was closed for the question or in spite of it the next connection tells,
	 * on which nothing is asked at once. */
	line->slams = line->answers_here == 0;
	request = take_asked(line);
	/* A serial server hands what still comes to whoever is connected then. */
	if (is_rtu(line) && state == LINE_WAITING)
		owed_add(&line->owed, &line->expect, line->sent_at);
	drop_stream(line);
	if (state != LINE_WAITING || (idle_close && request != NULL)) {
		line->counters.idle_closes++;
		if (request != NULL)
			DL_PREPEND(line->queue, request); /* once: the new connection is fresh */
	} else {
		result.rtt = result.received - line->sent_at;
		if (line->failures > 0)
			go_down(line, why);
		else
			line->failures++; /* it may dislike this one question only */
		finish(request, &result);
	}
	leave(line);
}

/* ---- what goes out ---- */

static const struct net_stream_events events = { .connected = on_connected,
	.received = on_received, .closed = on_closed };

static void
on_serial(int fd, const char *why, void *arg)
{
	struct line *line = arg;

	enter(line);
	if (fd == -1) {
		go_down(line, why);
	} else {
		line->stream = net_stream_tty(line->loop, fd, &events, line);
		on_connected(line);
	}
	leave(line);
}

/* Reported by on_serial; NULL and why when it cannot even begin. */
static bool
open_serial(struct line *line, struct fail *why)
{
	if (line->serial == NULL)
		line->serial = serial_new(line->loop, &line->options.serial, on_serial, line, why);
	if (line->serial == NULL)
		return false;
	if (serial_open(line->serial))
		return true;
	fail_set(why, "%s: opening it takes for ever", line->device);
	return false;
}

static bool
open_secure(struct line *line, struct fail *why)
{
	if (line->tls == NULL) {
		fail_set(why, "%s", line->tls_why);
		return false;
	}
	line->secure = tls_stream_connect(line->loop, &line->options.address, line->tls,
		line->server_name, &events, line, why);
	return line->secure != NULL;
}

static bool
open_stream(struct line *line, struct fail *why)
{
	if (line->device[0] != '\0')
		return open_serial(line, why);
	if (line->options.tls_id != 0)
		return open_secure(line, why);
	line->stream = net_stream_connect(line->loop, &line->options.address, &events, line, why);
	return line->stream != NULL;
}

/* Whoever waits for a host that swallows the knock hears of it before his next poll is due;
 * with the next one a new knock comes. A handshake of TLS is work for a small controller. */
static int64_t
connect_limit(const struct line *line)
{
	int64_t most = line->options.retry_within * 4 / 5;
	bool plain = line->options.tls_id == 0 && line->device[0] == '\0';

	return plain && most < line->options.connect_timeout ? most :
		line->options.connect_timeout;
}

static void
start_connect(struct line *line)
{
	int64_t now = loop_mono(line->loop);
	struct fail why;

	if (now < line->next_connect) {
		set_state(line, LINE_PAUSING);
		loop_timer_at(line->loop, &line->timer, line->next_connect);
		return;
	}
	line->next_connect = now + CONNECT_SPACING;
	line->connection++;
	line->counters.connects++;
	set_state(line, LINE_CONNECTING);
	if (!open_stream(line, &why)) {
		go_down(line, why.text);
		return;
	}
	loop_timer_in(line->loop, &line->timer, connect_limit(line));
}

static struct adu_read
read_of(const struct line *line, const struct line_request *request)
{
	return (struct adu_read){ .framing = line->options.framing, .tid = line->tid,
		.unit = request->unit->id, .function = request->function,
		.address = request->address, .count = request->count };
}

static int
encode(struct line *line, const struct line_request *request, uint8_t *frame, size_t size)
{
	enum adu_framing framing = line->options.framing;
	uint8_t unit = request->unit->id;
	struct adu_read read = read_of(line, request);

	switch (request->question) {
	case LINE_IDENTIFY:
		return adu_encode_identify(framing, line->tid, unit, request->code,
			request->object, frame, size, &line->expect);
	case LINE_SERVER_ID:
		return adu_encode_server_id(framing, line->tid, unit, frame, size,
			&line->expect);
	default:
		return adu_encode_read(&read, frame, size, &line->expect);
	}
}

/* RTU: where an older answer could pass for the one to this question, a read of another
 * shape takes its place for now. Returns the length of the frame, 0 when nothing can be asked
 * that would be safe. */
static int
make_unmistakable(struct line *line, struct line_request *request, uint8_t *frame, int size)
{
	struct adu_read read = read_of(line, request);
	int64_t since = owed_since(&line->owed, request->unit->id);

	line->probing = false;
	if (!is_rtu(line) || request->question != LINE_READ ||
		!owed_has(&line->owed, &line->expect))
		return size;
	read.count = request->whole ? 0 :
		owed_other_count(&line->owed, &read, !request->alone);
	if (read.count > 0 && request->probes < MOST_PROBES) {
		line->probing = true;
		line->counters.probes++;
		request->probes++;
		return adu_encode_read(&read, frame, ADU_MAX, &line->expect);
	}
	if (loop_mono(line->loop) - since < OWED_ALONE)
		return 0;
	owed_forget(&line->owed, request->unit->id);
	return size;
}

static void
ask(struct line *line, struct line_request *request)
{
	uint8_t frame[ADU_MAX];
	int size;

	line->tid = (uint16_t)(line->tid + TID_STEP);
	late_take(line, line->tid, true);
	DL_DELETE(line->queue, request);
	size = encode(line, request, frame, sizeof(frame));
	if (size > 0)
		size = make_unmistakable(line, request, frame, size);
	if (size <= 0) {
		refuse(line, request, size == 0 ? LINE_TIMEOUT : LINE_BAD_REPLY);
		return;
	}
	memcpy(line->out, frame, (size_t)size);
	line->out_size = (size_t)size;
	line->echo_left = line->options.local_echo ? line->out_size : 0;
	line->asked = request;
	set_state(line, LINE_WAITING);
	line->sent_at = loop_mono(line->loop);
	request->unit->probed = line->sent_at;
	line->counters.sent++;
	loop_timer_in(line->loop, &line->timer, request->timeout);
	if (line->lines->tap != NULL)
		line->lines->tap(line->name, true, frame, (size_t)size, line->sent_at,
			line->lines->tap_arg);
	/* A stream that died meanwhile says so by closed(). */
	if (line->secure != NULL)
		tls_stream_send(line->secure, frame, (size_t)size);
	else
		net_stream_send(line->stream, frame, (size_t)size);
}

/* Goes on with whatever the line can do now. */
static void
pump(struct line *line)
{
	int64_t now = loop_mono(line->loop);

	if (line->inside == 0 && line->released != 0 && line->state != LINE_WAITING &&
		line->state != LINE_RELEASED)
		give_away(line);
	if (line->inside == 0 && line->state == LINE_READY && line->renewed)
		drop_stream(line);
	while (line->inside == 0 && line->state == LINE_READY && line->queue != NULL) {
		struct line_request *request = line->queue;
		bool late = request->expires != 0 && now >= request->expires;

		if (late || !probe_allowed(line, request->unit, now)) {
			if (!late)
				request->unit->refused = now;
			DL_DELETE(line->queue, request);
			refuse(line, request, late ? LINE_OVERRUN : LINE_BREAKER);
		} else if (line->in_size == 1 && !is_rtu(line)) {
			/* half a word that nobody asked for: start afresh, not with a doubt */
			bad_reply(line, "a byte that was not asked for");
		} else if (!pace_take(&line->turn)) {
			loop_timer_stop(line->loop, &line->timer);
			set_state(line, LINE_SETTLING);
			pace_wait(&line->turn);
		} else {
			ask(line, request);
		}
	}
	if (line->inside > 0)
		return;
	if (line->queue != NULL && (line->state == LINE_IDLE || line->state == LINE_BACKOFF))
		start_connect(line);
	if (line->state == LINE_READY && line->options.close_after > 0)
		loop_timer_in(line->loop, &line->timer, line->options.close_after);
}

/* Its host may be asked again. */
static void
on_turn(void *arg)
{
	struct line *line = arg;

	enter(line);
	set_state(line, LINE_READY);
	leave(line);
}

static void
timed_out(struct line *line)
{
	struct line_request *request = take_asked(line);
	struct line_result result = { .outcome = LINE_TIMEOUT, .why = "no answer",
		.received = loop_mono(line->loop) };

	result.rtt = result.received - line->sent_at;
	line->counters.timeouts++;
	late_add(line, line->expect.tid);
	if (line->in_size > 0)
		result.why = "only part of an answer";
	/* Half an answer is left: a dribbling or lying server. Or nobody answered for a
	 * while: the connection may be dead without anybody having told us. */
	if ((line->in_size > 0 && !is_rtu(line)) ||
		(++line->timeouts >= TIMEOUTS_TO_RECONNECT && line->device[0] == '\0'))
		drop_stream(line);
	else if (is_rtu(line))
		drain(line);
	else
		settle(line, line->options.request_gap);
	if (is_rtu(line))
		owed_add(&line->owed, &line->expect, line->sent_at);
	if (request != NULL)
		unit_silent(line, request->unit, result.received);
	finish(request, &result);
}

static void
on_timer(void *arg)
{
	struct line *line = arg;
	char text[160];

	enter(line);
	switch (line->state) {
	case LINE_PAUSING:
		set_state(line, LINE_IDLE);
		break;
	case LINE_CONNECTING:
		go_down(line, why_text(line, "no answer to the connection request", text));
		break;
	case LINE_SETTLING:
	case LINE_DRAINING:
		set_state(line, LINE_READY);
		break;
	case LINE_READY:
		if (line->queue == NULL)
			drop_stream(line);
		break;
	case LINE_RELEASED:
		take_back(line);
		break;
	case LINE_WAITING:
		timed_out(line);
		break;
	default:
		break;
	}
	leave(line);
}

void
line_send(struct line_request *request)
{
	struct line *line = request->unit->line;

	request->busy = true;
	request->probes = 0;
	if (line->released != 0) {
		refuse(line, request, LINE_PAUSED);
		return;
	}
	if (line->state == LINE_BACKOFF && loop_mono(line->loop) < line->next_connect) {
		refuse(line, request, LINE_UNREACHABLE);
		return;
	}
	DL_APPEND(line->queue, request);
	pump(line);
}

void
line_cancel(struct line_request *request)
{
	struct line *line = request->unit->line;

	if (!request->busy)
		return;
	request->busy = false;
	if (line->asked == request) {
		line->asked = NULL; /* its answer or its time-out ends the exchange */
	} else if (request->refused) {
		request->refused = false;
		DL_DELETE(line->refused, request);
	} else {
		DL_DELETE(line->queue, request);
	}
}

/* line.h - one connection to a Modbus server, shared by all unit ids behind it.
 *
 * Exactly one connection per host:port, one request in flight, one absolute deadline per
 * exchange, so that a dribbling server cannot stretch it. Many controllers have room for one
 * or four connections and lose one for ever to a client that is not orderly: connects are
 * spaced, the end is always FIN. Does not know points or tasks.
 *
 * With RTU framing answers carry no transaction id. After anything but an answer the line is
 * left alone until it was silent, and a question that could be answered by what an older one
 * is still owed (owed.h) goes out only after a read of another shape was answered.
 *
 * Over TLS (Modbus/TCP Security) all is as over TCP; the handshake counts as connecting. One
 * that fails does not mend itself and is work for a small controller: after the third in a
 * row it is tried once a minute. */
#ifndef PW_LINE_H
#define PW_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "modbus/adu.h"
#include "modbus/serial.h"
struct line;
struct lines;
struct loop;
struct tls_options;

/* ns of silence that end a frame: a serial server's packets may come that far apart. */
#define LINE_QUIET INT64_C(100000000)

/* All lines of this process. Freed after every unit has left. */
struct lines *lines_new(struct loop *loop);
void lines_free(struct lines *lines);
/* Sees every frame sent and every piece received, before any check. NULL ends it. */
void lines_tap(struct lines *lines,
	void (*tap)(const char *line, bool sent, const uint8_t *bytes, size_t size, int64_t mono,
		void *arg), void *arg);

struct line_options {
	const char *name;        /* for the tap and for messages; copied */
	struct net_addr address;
	struct serial_options serial; /* with a device: in the place of the address; RTU */
	enum adu_framing framing;
	const struct tls_options *tls; /* over TLS, else NULL; looked at during the call only */
	uint64_t tls_id;         /* not 0: another one for other certificates */
	const char *server_name; /* TLS: what the server's certificate bears; copied */
	bool local_echo;         /* RTU: the adapter sends back what it is sent, first */
	int64_t quiet;           /* ns, RTU: of silence after which a frame begins; 0: LINE_QUIET */
	int64_t connect_timeout; /* ns; 0: 3 s; without TLS 4/5 of retry_within at most */
	int64_t connect_delay;   /* ns between connected and the first request */
	int64_t request_gap;     /* ns between the end of an exchange and the next request */
	int64_t host_gap;        /* ns between two questions to the host, by whatever line; 0: none */
	int64_t close_after;     /* ns of idleness, then FIN; 0: stay connected */
	int64_t retry_within;    /* ns: a line that is down is tried again at least this often,
	                            but never more than once a second; 0: 60 s */
};

/* Somebody behind the line. Member of the thing that asks; zeroed before line_join. */
struct line_unit {
	struct line *line;
	struct line_unit *next, *prev; /* the line's */
	uint8_t id;
	uint8_t silences;              /* in a row */
	int64_t probed, refused;       /* mono */
};

/* Finds the line to options->address (or to the tty) or makes it (without connecting yet); options that
 * differ from those of the units already there win from now on, but the shortest
 * retry_within stays. line_leave cancels nothing: the unit has no request when it leaves. */
void line_join(struct lines *lines, const struct line_options *options, struct line_unit *unit);
void line_leave(struct line_unit *unit); /* the last one closes the line */

enum line_outcome {
	LINE_ANSWER,      /* data, size */
	LINE_EXCEPTION,   /* code */
	LINE_TIMEOUT,     /* sent, and nothing right came back in time */
	LINE_UNREACHABLE, /* no connection: why */
	LINE_BAD_REPLY,   /* what came back was no answer: why; the connection was closed */
	LINE_BREAKER,     /* not sent: silent units already take their share of the line */
	LINE_OVERRUN,     /* not sent: it waited in the queue beyond expires */
	LINE_PAUSED       /* not sent: the line is released to somebody else */
};

struct line_result {
	enum line_outcome outcome;
	uint8_t code;
	const uint8_t *data; /* registers or bits; valid during the call */
	size_t size;
	int64_t received;    /* mono ns; of the answer, or of the verdict */
	int64_t rtt;         /* ns since the request went out; 0 when it did not */
	const char *why;     /* one phrase, never NULL unless LINE_ANSWER */
};

enum line_question { LINE_READ, LINE_IDENTIFY, LINE_SERVER_ID };

/* A question. Member of the thing that asks; zeroed before its first use, it may be sent
 * again from inside done(). The line touches it between line_send and done() only. */
struct line_request {
	struct line_request *next, *prev; /* the line's */
	struct line_unit *unit;
	enum line_question question;      /* the last two are for probe alone */
	enum adu_function function;
	uint16_t address, count;
	bool alone;                       /* nothing beyond these registers may be read */
	bool whole;                       /* nor less of them: reading changes something */
	uint8_t code, object;             /* LINE_IDENTIFY */
	int64_t timeout;                  /* ns from sending to the whole answer */
	int64_t expires;                  /* mono: not to be sent any more; 0: no limit */
	/* Called once, never inside line_send; may send, cancel, leave. */
	void (*done)(struct line_request *request, const struct line_result *result, void *arg);
	void *arg;
	bool busy;                        /* the line's, readable: waiting for done() */
	uint8_t probes;                   /* the line's: reads in its place so far */
	bool refused;                     /* the line's: done() is due with `refusal` */
	enum line_outcome refusal;
};
void line_send(struct line_request *request);
/* done() will not be called. What is on the wire is waited for and dropped. No-op when idle. */
void line_cancel(struct line_request *request);

enum line_state { LINE_IDLE, LINE_PAUSING, LINE_CONNECTING, LINE_SETTLING, LINE_READY,
	LINE_WAITING, LINE_DRAINING, LINE_BACKOFF, LINE_RELEASED };

/* Since the line was made, for status and tests. */
struct line_counters {
	uint64_t sent, answers, exceptions, timeouts, late, bad_replies, short_lengths;
	uint64_t connects, connect_failures, idle_closes, refused;
	uint64_t probes, quarantines, noise; /* RTU: reads of another shape; waits for silence;
	                                        octets that belonged to no answer */
};
enum line_state line_state(const struct line *line);
struct line_counters line_counters(const struct line *line);

/* How a line is just now. */
enum line_verdict {
	LINE_UNTRIED, /* nothing was asked yet, or it is released */
	LINE_WELL,
	LINE_BAD      /* no connection or tty, or none of several units answers: why */
};
struct line_look {
	enum line_verdict verdict;
	char why[160];
	bool down;        /* BAD, because there is no connection or tty */
	int64_t made;     /* mono: counted from then */
	int64_t busy;     /* ns in which no question could have gone out: one was under way, the
	                     pause after it, or a connect */
	bool released;    /* to somebody else */
	int64_t certificate_ends; /* wall ns: ours or the server's, the first; 0: none is known */
	bool crowded;     /* the other side has no connection to spare: tried once a minute */
	double load;      /* percent of the last full minute in which that was so */
	int64_t rtt;      /* of the newest answer */
	unsigned asked, silent; /* units ever asked; of them, whose last question had no answer */
};
/* False: there is no line of this name. */
bool lines_look(const struct lines *lines, const char *name, struct line_look *look);

struct lines_sum {
	size_t count, bad;
	size_t released;     /* to somebody else */
	size_t crowded;      /* accept and close at once: others have all their connections */
	const char *ending;  /* whose certificate ends first, ours or the server's; "": none's */
	int64_t ends;        /* wall ns: then */
	const char *busiest; /* "" when there is none; the line's */
	double load;         /* of the busiest */
};
/* Leaves the line of that name to somebody else until then (mono; 0: no longer): what waits is
 * refused, what is on the wire is waited for, then the connection or tty is closed. Also a line
 * that is made anew meanwhile keeps to it. False: there is no line of this name. */
bool lines_release(struct lines *lines, const char *name, int64_t until);
/* until 0: it is not released; closed: nothing of ours is there any more. */
bool lines_released(const struct lines *lines, const char *name, int64_t *until, bool *closed);
struct lines_sum lines_sum(const struct lines *lines);
#endif

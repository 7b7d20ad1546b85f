/* session.h - asks one device a question, or some at a time, over the mux.
 *
 * Owns tries, deadlines and the gap between requests. Messages are written and read by
 * fast.h, of version 3 by v3.h; with access->netsnmp by Net-SNMP's single-session API, whose own
 * sockets and timers are not used: the reference. Checks that an answer fits its question; what
 * the objects mean is the caller's. Of the files that poll only this one's and v3_library.c,
 * which does the same for version 3, know Net-SNMP. */
#ifndef PW_SESSION_H
#define PW_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/value.h"
struct device;
struct fail;
struct loop;
struct mux;
struct snmp_oid;
struct snmp_options;

/* Prepares Net-SNMP so that it reads and writes no file and touches no signal. Any number
 * of times; needed once before anything of Net-SNMP in this process. */
void session_library_prepare(void);

/* What all sessions of one loop share. */
struct sessions;
struct sessions *sessions_new(struct loop *loop, struct mux *mux);
void sessions_free(struct sessions *sessions); /* after all its sessions; NULL is fine */
/* Tries after the first; requests that ended without an answer. */
uint64_t sessions_retried(const struct sessions *sessions);
uint64_t sessions_timed_out(const struct sessions *sessions);
uint64_t sessions_answered(const struct sessions *sessions);

enum session_op { SESSION_GET, SESSION_GETNEXT, SESSION_GETBULK };

/* The OIDs stay the caller's and must live until done. */
struct session_request {
	enum session_op op; /* GETBULK not with version 1 */
	void *tag;          /* the caller's: told with all that becomes of this request */
	const struct snmp_oid *oids;
	size_t count;
	/* The varbinds of a question for the last `listed` of them, as fast_write_list makes them, if
	 * all their lengths take one octet; NULL: not written yet. The caller's as well. Of a GET it
	 * has all; of others the OIDs need not be there then, if it is not for Net-SNMP. */
	const uint8_t *list;
	size_t list_size, listed;
	uint16_t non_repeaters, max_repetitions; /* GETBULK */
	uint8_t tries;    /* 0: as configured */
	/* GETNEXT, GETBULK: the arcs of `whole` varbinds only are wanted, of the others the name
	 * does where the engine has it (see struct varbind). */
	bool names;
	bool patient;     /* the answer may be read some ticks later: that takes less time in all */
	uint16_t whole;
	/* With names: takes varbinds off an answer, behind the `whole` ones, as far as it knows them
	 * at sight; returns how many, and moves *at behind. The rest may turn out to be unsound:
	 * they count when done is told of them. 16 octets can be read before *at. May be NULL. */
	size_t (*read)(const uint8_t **at, const uint8_t *end, void *arg);
	void *read_arg;
	int64_t now;      /* mono, of this call; 0: not looked at */
	int64_t deadline; /* mono; no try waits beyond it */
};

enum { SESSION_ERROR_TOO_BIG = 1, SESSION_ERROR_NO_SUCH_NAME = 2, SESSION_ERROR_GEN = 5,
	SESSION_ERROR_AUTHORIZATION = 16 };
/* What people are told of the last one (RFC 3413 3.2: by the access control of the agent). */
#define SESSION_REFUSED "the agent refuses access (authorizationError): it lets this user or " \
	"community not read, or not at this level"

/* Valid during the call. */
struct session_answer {
	void *tag;        /* the request's */
	uint8_t reason;   /* REASON_GOOD: the device answered what was asked (or an error) */
	const char *text; /* otherwise: in words */
	bool unread;      /* something came, but nothing that can be read: the time ran out */
	bool reordered;   /* a bad reply that has all that was asked for, in another order */
	int error_status; /* RFC 3416; 0 when there are varbinds to read */
	int error_index;  /* from 1; 0 when it names none of the request's */
	const struct varbind *varbinds;
	size_t count;
	/* Of these request.read has taken so many, behind the `whole` ones: varbinds has them not,
	 * the others follow one another. */
	size_t known;
	size_t size;      /* octets of the message */
	int64_t sent, received; /* mono: of the try that was answered; the kernel's receive time */
};
struct session_events {
	/* The request has ended. May send the next one or close the session. */
	void (*done)(const struct session_answer *answer, void *arg);
	/* One datagram's fate, before done: rtt in ns when answered. Must not close. */
	void (*exchange)(bool answered, int64_t rtt, void *tag, void *arg);
	/* Version 3: the device has proved to have this engine ID, another than before. In
	 * hexadecimal. May be NULL. */
	void (*engine)(const char *hex, void *arg);
	/* An answer is dealt with soon: fetches what that needs, see mux.h; steps from 0 to
	 * SESSION_STEPS - 1. Must change nothing. May be NULL. */
	void (*ahead)(void *arg, void *tag, unsigned step);
};
#define SESSION_STEPS 8

/* What all sessions of one kind of owner have in common. Stays the caller's. */
struct session_user {
	struct sessions *sessions;
	const struct session_events *events;
	size_t inside; /* so many octets of its owner stand before a session; arg is the owner */
};

/* A member of what asks; its members are session.c's. Of a fleet nearly all are idle, so what
 * a request needs is held only while one is under way. */
struct session {
	const struct session_user *user;
	const struct device *device;
	struct exchange *now;      /* the requests under way, the newest first */
	struct session_more *more; /* NULL: plain version 1 or 2c, and nothing odd happened */
	uint32_t retried;
	uint16_t rtt, swing;       /* ms, SRTT and RTTVAR of RFC 6298; 0: nothing was answered yet */
};

/* user and device stay the caller's; of the device only the name (for messages) and the snmp
 * options count. 0, or -1 and why: then it is as closed. */
int session_open(struct session *session, const struct session_user *user,
	const struct device *device, struct fail *why);
/* Cancels what is under way without a call. One that is zeroed is fine. */
void session_close(struct session *session);
/* Version 3: the engine ID from an earlier run; otherwise it is asked for first. */
void session_engine(struct session *session, const char *hex);

/* What was counted of this one since it was opened: see core/self.h. Strays only from
 * session_watch on, and together with others at the same address. */
struct self_counts;
void session_watch(struct session *session);
void session_count(const struct session *session, struct self_counts *counts);

/* So long (ns) requests were kept back since it was opened, because of max_rate or gap. */
int64_t session_held(const struct session *session);
/* Which of the two keeps them back longer: its key. */
const char *session_holds(const struct session *session);

/* It is used soon: fetches what it points to, at each step from 0 on (base/ahead.h). */
void session_fetch(const struct session *session, unsigned step);
/* May another request be sent now? One always when none is under way, more by snmp.window. */
bool session_has_room(const struct session *session);
/* May a request's list stand in the place of its OIDs? Not where Net-SNMP writes the message. */
bool session_takes_lists(const struct session *session);
/* done comes later, never inside the call. The session must have room. */
void session_send(struct session *session, const struct session_request *request);
/* The request with this tag, if one is under way, ends without a call. */
void session_cancel(struct session *session, const void *tag);
#endif

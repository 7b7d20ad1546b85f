#include "snmp/snmp.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/ahead.h"
#include "base/boot.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/portion.h"
#include "base/shelf.h"
#include "base/str.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/sample.h"
#include "journal/state.h"
#include "snmp/counter.h"
#include "snmp/mux.h"
#include "snmp/oid.h"
#include "snmp/plan.h"
#include "snmp/session.h"
#include "snmp/snmp_parts.h"
#include "snmp/table.h"

/* A whole message that fits one Ethernet frame, as GETBULK is to bring it: what is left for
 * IPv6. */
#define MESSAGE_BYTES 1440
/* What a GETBULK's varbind takes until answers have told: a column's OID with its index, a
 * number. In sixteenths of an octet. */
#define BULK_VARBIND (24 * 16)
/* What an agent is asked for at least when answers get lost, and at most. */
#define BULK_LEAST 8
#define BULK_MOST 128
/* After so many answers that were not too big larger ones are tried. */
#define FITS 100
#define LOST_AGAIN_MOST 5
/* How long a device without sysUpTime is not asked for it again. */
#define NO_UPTIME (10 * 60 * LOOP_S)
/* And how long one that has it is not, if that comes before the end of the poll. */
#define UPTIME_AGAIN (2 * LOOP_S)
#define UPTIME_DOUBTS 3

/* What a device is being asked: sysUpTime, then what the work asks; and who waits for his turn
 * behind that. Large, so only devices that have something to ask hold one, and more only while
 * they are asked several things at a time. */
struct question {
	struct question *next;     /* of the same device, or free ones */
	TAILQ_HEAD(, poll) queue;  /* of a device's first one */
	struct snmp_work *current; /* whose request is under way; NULL: none is */
	const struct snmp_work *prepared; /* ask is its next one already */
	unsigned lost;             /* of a device's first one: tries without an answer */
	bool with_uptime, probe;   /* of the request under way */
	bool large;                /* else there are places for SMALL objects only */
	struct ask ask;            /* its first place is for sysUpTime */
};
/* Thousands may be under way when a processor has been away for a second, most of them about
 * a few scalars: then they take 0.9 KB each and not 2.4. */
#define SMALL 32

struct snmp {
	struct loop *loop;
	struct mux *mux;
	struct session_user user;   /* of all devices */
	struct question *questions[2]; /* free ones, small and large, at most SPARE */
	struct poll *polls;         /* the same */
	unsigned spare[2], spare_polls; /* so many */
	TAILQ_HEAD(, poll) ending;  /* of tables with more rows than are told at once */
	struct loop_timer more;     /* goes on with them */
	struct plan_shared plans;
	struct ask later;           /* only to see whether there is something to ask */
	struct state *state; /* row names and restarts; NULL without a state_dir */
	struct shelf devices; /* struct snmp_device */
};

/* Questions and polls kept for the next: more are under way at once only when all is asked at
 * once, or nobody answers. */
#define SPARE 256

/* One group of a device: a table, or scalars. */
struct snmp_work {
	struct task *task;   /* NULL: not in use */
	struct poll *poll;   /* NULL: idle */
	union {
		struct plan plan;    /* of scalars: it has a form */
		struct {             /* of a table */
			const struct form *none; /* in the place of plan.form */
			struct table *table;
			uint32_t octets; /* what a varbind takes, as BULK_VARBIND */
			bool too_long;   /* no poll has read all of it since it was said so */
		};
	};
};
_Static_assert(offsetof(struct snmp_work, none) == offsetof(struct snmp_work, plan.form),
	"what tells a table from scalars");

/* One device. Its works take turns, request by request, so that a long walk does not keep a
 * short group waiting; as many as snmp.window lets have a request under way. In the order of use: what each request touches first. */
struct snmp_device {
	struct question *question; /* NULL while there is nothing to ask */
	struct session session;
	struct counter_epoch epoch;
	int64_t since;             /* see struct ask_context */
	uint32_t no_uptime_until;  /* mono, whole seconds */
	uint16_t generation;       /* counts restarts */
	uint8_t silence;           /* why the last request was not answered; REASON_GOOD: it was */
	unsigned fits : 7;         /* answers since varbinds has changed */
	unsigned has_uptime : 1;   /* it has told sysUpTime */
	unsigned doubts : 2;       /* something else came in its place so often since */
	uint8_t varbinds;          /* learned from tooBig; 0 = no limit known */
	uint8_t bulk;              /* varbinds of a GETBULK's answer that come through */
	uint8_t saved_varbinds, saved_bulk; /* as they stand in the state */
	uint8_t lost_at;           /* so many got lost, and none as long has come since; 0: none */
	uint8_t lost_again;        /* how often, after the first time */
	uint16_t held;             /* complete polls since */
	struct snmp_work first;    /* nearly always the only one */
};

static struct snmp_device *
device_of(const struct snmp_work *work)
{
	return task_state(work->task);
}

/* NULL: scalars. */
static struct table *
table_of(const struct snmp_work *work)
{
	return work->none == NULL ? work->table : NULL;
}

static struct snmp *
snmp_of(const struct snmp_device *device)
{
	return (struct snmp *)((uintptr_t)device->session.user - offsetof(struct snmp, user));
}

/* So often in one poll sysUpTime is asked for alone again: who loses every other request would never
 * be done. */
#define PROBES_AGAIN 3
/* A poll is to be over before the next one is due. */
#define TIME_OF_POLL(interval) ((interval) / 10 * 9)
/* So long it leaves it to others when its answers are read: a long table must not take twice the
 * time for that. */
#define PATIENCE(interval) ((interval) / 8 < LOOP_S ? (interval) / 8 : LOOP_S)

enum work_state { WORK_BEGUN, WORK_QUEUED, WORK_ASKING, WORK_ENDING };

/* One that is under way. */
struct poll {
	struct poll *next; /* free ones */
	struct snmp_work *work;
	TAILQ_ENTRY(poll) entry;
	enum work_state state;
	bool probe;    /* sysUpTime alone comes first in this poll */
	bool singly;   /* one object at a time: the agent keeps to no order */
	bool vouched;  /* sysUpTime was told in it, and no try was lost since */
	uint8_t probes; /* that were answered */
	bool cautious; /* the same, tried once only, unless another poll's has been answered */
	bool complete; /* how it ended, as work_finish was told */
	uint8_t rest;
	unsigned answered; /* requests */
	size_t longest;    /* varbinds of an answer */
	int64_t deadline;
	unsigned lost_before; /* question->lost when it began */
	int64_t held_before;  /* session_held, likewise */
	struct loop_timer timer;
};

static const uint32_t uptime_ids[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
#define UPTIME_COUNT (sizeof uptime_ids / sizeof uptime_ids[0])

static void device_turn(struct snmp_device *device, int64_t now);
static void work_timer_ran(void *arg);
static void work_turn_over(struct snmp_work *work, struct question *question,
	const struct session_answer *answer);

static const char *
device_name(const struct snmp_device *device)
{
	return device->session.device->name;
}

static const struct snmp_access *
device_access(const struct snmp_device *device)
{
	const struct snmp_options *options = device_snmp(device->session.device);

	return options->access;
}

/* ---- what was learned of the device's answers ---- */

static void
learned_key(char *to, size_t size, const struct snmp_device *device)
{
	snprintf(to, size, "%s answers", device_name(device));
}

static void
learned_load(struct snmp_device *device)
{
	unsigned bulk, varbinds, lost_at = 0, lost_again = 0;
	const char *text;
	char key[80];

	if (snmp_of(device)->state == NULL)
		return;
	learned_key(key, sizeof key, device);
	text = state_get(snmp_of(device)->state, key);
	if (text == NULL || sscanf(text, "%u %u %u %u", &bulk, &varbinds, &lost_at, &lost_again) < 2 ||
		bulk < BULK_LEAST || bulk > BULK_MOST || varbinds > BULK_MOST ||
		lost_at > BULK_MOST || lost_again > LOST_AGAIN_MOST)
		return;
	device->bulk = device->saved_bulk = (uint8_t)bulk;
	device->varbinds = device->saved_varbinds = (uint8_t)varbinds;
	device->lost_at = (uint8_t)lost_at;
	device->lost_again = (uint8_t)lost_again;
}

/* What shrinks is saved at once: the next run shall not lose answers to learn it again. What
 * grows, when it has doubled, so that a table polled each second does not wear out a disk. */
static void
learned_save(struct snmp_device *device)
{
	bool usual = device->bulk == BULK_MOST && device->varbinds == 0 && device->lost_at == 0;
	bool less = device->bulk < device->saved_bulk ||
		device->varbinds != device->saved_varbinds;
	bool more = device->bulk >= 2 * device->saved_bulk ||
		(device->bulk == BULK_MOST && device->saved_bulk < BULK_MOST);
	char key[80], text[40];

	if (snmp_of(device)->state == NULL || (!less && !more))
		return;
	device->saved_varbinds = device->varbinds;
	device->saved_bulk = device->bulk;
	learned_key(key, sizeof key, device);
	snprintf(text, sizeof text, "%u %u %u %u", device->bulk, device->varbinds, device->lost_at,
		device->lost_again);
	state_set(snmp_of(device)->state, key, usual ? NULL : text);
	state_save(snmp_of(device)->state);
}

/* ---- what one poll knows ---- */

static struct ask_context
context_at(const struct snmp_work *work, int64_t now)
{
	return (struct ask_context){
		.task = work->task,
		.group = task_group(work->task),
		.now = now,
		.generation = device_of(work)->generation,
		.since = device_of(work)->since,
		.epoch = &device_of(work)->epoch,
		.version = device_access(device_of(work))->version,
		.written = session_takes_lists(&device_of(work)->session),
		.shared = &snmp_of(device_of(work))->plans,
	};
}

static struct ask_context
context_of(const struct snmp_work *work)
{
	return context_at(work, loop_mono(snmp_of(device_of(work))->loop));
}

/* Varbinds in one request or, for a table, in its answer; sysUpTime included. */
static size_t
most_varbinds(const struct snmp_work *work)
{
	const struct snmp_device *device = device_of(work);
	size_t most = ASK_MAX;

	if (table_of(work) != NULL) {
		most = MESSAGE_BYTES * 16 / work->octets;
		if (most > device->bulk)
			most = device->bulk;
	} else if (device_access(device)->max_varbinds > 0)
		most = device_access(device)->max_varbinds;
	return device->varbinds > 0 && device->varbinds < most ? device->varbinds : most;
}

/* The agent takes one object in a request, or keeps to no order: sysUpTime has to go alone. */
static bool
asks_one_by_one(const struct snmp_work *work)
{
	const struct snmp_access *access = device_access(device_of(work));

	return work->poll->singly || most_varbinds(work) == 1 || access->max_varbinds == 1;
}

static struct ask_limit
limit_of(const struct snmp_work *work)
{
	const struct snmp_access *access = device_access(device_of(work));
	size_t most = work->poll->singly ? 1 : most_varbinds(work), asked = access->max_varbinds;

	return (struct ask_limit){ .varbinds = most > 1 ? most - 1 : 1, .bytes = FORM_ANSWER_BYTES,
		.columns = asked > 1 ? asked - 1 : asked,
		.repetitions = access->max_repetitions };
}

static bool
work_next(struct snmp_work *work, const struct ask_context *context, struct ask *ask)
{
	struct ask_limit limit = limit_of(work);

	return table_of(work) != NULL ? table_next(work->table, context, &limit, ask) :
		plan_next(&work->plan, context, &limit, ask);
}

static void
work_feed(struct snmp_work *work, const struct ask_context *context,
	const struct ask *ask, const struct session_answer *answer)
{
	if (table_of(work) != NULL)
		table_feed(work->table, context, ask, answer);
	else
		plan_feed(&work->plan, context, ask, answer);
}

static void
poll_begin(struct snmp_work *work)
{
	struct snmp *snmp = snmp_of(device_of(work));
	struct poll *poll = snmp->polls;

	if (poll == NULL) {
		poll = mem_zero(sizeof *poll);
	} else {
		snmp->polls = poll->next;
		snmp->spare_polls--;
		ahead_fetch(snmp->polls, sizeof *poll);
	}
	*poll = (struct poll){ .work = work };
	loop_timer_init(&poll->timer, work_timer_ran, work);
	work->poll = poll;
}

static void
poll_end(struct snmp_work *work)
{
	struct snmp *snmp = snmp_of(device_of(work));
	struct poll *poll = work->poll;

	loop_timer_stop(snmp->loop, &poll->timer);
	if (table_of(work) == NULL)
		plan_rest(&work->plan, &snmp->plans);
	work->poll = NULL;
	if (snmp->spare_polls >= SPARE) {
		free(poll);
		return;
	}
	poll->next = snmp->polls;
	snmp->polls = poll;
	snmp->spare_polls++;
}

/* So many are tried. What got lost by chance comes at the next try; what does so again and again
 * is tried after a hundred polls, then after twice as many each time. */
static unsigned
bulk_limit(const struct snmp_device *device)
{
	bool tried_of_late = device->lost_again > 0 &&
		device->held < FITS << (device->lost_again - 1);

	return device->lost_at > 0 && tried_of_late ? device->lost_at - device->lost_at / 8u - 1 :
		BULK_MOST;
}

/* After a complete poll an eighth more is tried. */
static void
learn_complete(struct snmp_device *device, size_t longest)
{
	unsigned more = device->bulk + device->bulk / 8u + 1, limit;

	if (device->lost_at > 0 && longest >= device->lost_at)
		device->lost_at = device->lost_again = 0;
	limit = bulk_limit(device);
	if (device->lost_at > 0 && device->held < UINT16_MAX)
		device->held++;
	if (device->bulk >= limit)
		return;
	device->bulk = (uint8_t)(more < limit ? more : limit);
	learned_save(device);
}

/* The last thing that happens to a poll. */
static void
work_done(struct snmp_work *work, uint8_t rest)
{
	struct snmp_device *device = device_of(work);

	poll_end(work);
	device_turn(device, loop_mono(snmp_of(device)->loop));
	task_done(work->task, rest);
}

/* False: there is more to tell. */
static bool
tell_table(struct snmp_work *work, struct portion *portion)
{
	struct ask_context context = context_of(work);
	const struct poll *poll = work->poll;
	uint8_t verdict;

	if (!table_end(work->table, &context, poll->complete, portion, &verdict))
		return false;
	work_done(work, poll->complete ? verdict : poll->rest);
	return true;
}

/* One portion for all of them, so that several large devices take no more of a turn than one. */
static void
tell_more(void *arg)
{
	struct snmp *snmp = arg;
	struct portion portion = portion_begin(snmp->loop);
	struct poll *poll;

	while ((poll = TAILQ_FIRST(&snmp->ending)) != NULL) {
		TAILQ_REMOVE(&snmp->ending, poll, entry);
		if (tell_table(poll->work, &portion))
			continue;
		TAILQ_INSERT_TAIL(&snmp->ending, poll, entry);
		portion_go_on(snmp->loop, &snmp->more);
		return;
	}
}

/* What is left goes on by and by; nothing of it is asked any more, and others may ask. */
static void
tell_later(struct snmp_work *work)
{
	struct snmp *snmp = snmp_of(device_of(work));

	work->poll->state = WORK_ENDING;
	loop_timer_stop(snmp->loop, &work->poll->timer);
	TAILQ_INSERT_TAIL(&snmp->ending, work->poll, entry);
	if (!loop_timer_armed(&snmp->more))
		portion_go_on(snmp->loop, &snmp->more);
	device_turn(device_of(work), loop_mono(snmp->loop));
}

/* Nothing more is asked: tells what is left to tell. */
static void
work_finish(struct snmp_work *work, bool complete, uint8_t rest)
{
	struct ask_context context = context_of(work);
	struct portion portion = portion_begin(snmp_of(device_of(work))->loop);

	if (complete)
		learn_complete(device_of(work), work->poll->longest);
	work->poll->complete = complete;
	work->poll->rest = rest;
	if (table_of(work) != NULL) {
		work->too_long &= !complete;
		if (!tell_table(work, &portion))
			tell_later(work);
		return;
	}
	if (complete)
		plan_end(&work->plan, &context);
	work_done(work, complete ? REASON_BAD_REPLY : rest);
}

/* ---- the device's turn ---- */

static struct question *
question_take(struct snmp *snmp, bool large)
{
	struct question *question = snmp->questions[large];
	size_t size = offsetof(struct question, ask.oids) +
		(1 + (large ? ASK_MAX : SMALL)) * sizeof question->ask.oids[0];

	if (question == NULL) {
		question = mem_grow(NULL, 1, size); /* its ask is not worth zeroing */
		question->large = large;
		question->lost = 0;
	} else {
		snmp->questions[large] = question->next;
		snmp->spare[large]--;
		ahead_fetch(snmp->questions[large], offsetof(struct question, ask.oids));
	}
	return question;
}

static void
question_give(struct snmp *snmp, struct question *question)
{
	bool large = question->large;

	if (snmp->spare[large] >= SPARE) {
		free(question);
		return;
	}
	question->next = snmp->questions[large];
	snmp->questions[large] = question;
	snmp->spare[large]++;
}

/* One in which the work has room for what it may ask, in the place of what is there: nothing of that
 * is under way. */
static struct question *
question_fit(struct snmp *snmp, struct question **at, const struct snmp_work *work)
{
	bool large = table_of(work) != NULL || plan_objects(&work->plan) > SMALL;
	struct question *held = *at, *question;

	if (held != NULL && (held->large || !large))
		return held;
	question = question_take(snmp, large);
	TAILQ_INIT(&question->queue);
	question->next = NULL;
	question->current = NULL;
	question->prepared = NULL;
	if (held != NULL) {
		TAILQ_CONCAT(&question->queue, &held->queue, entry);
		question->next = held->next;
		question->lost = held->lost;
		question_give(snmp, held);
	}
	*at = question;
	return question;
}

/* Is there room for one more request? What is not known to be there is asked one thing at a time. */
static bool
has_room(const struct snmp_device *device)
{
	const struct question *question = device->question;

	if (question->current == NULL && question->next == NULL)
		return true;
	for (; question != NULL; question = question->next)
		if (question->current != NULL && (question->probe || device->silence != REASON_GOOD))
			return false;
	return session_has_room(&device->session);
}

/* Of which nothing is under way, for this work; there is room. */
static struct question *
question_idle(struct snmp_device *device, const struct snmp_work *work)
{
	struct question **at = &device->question, **idle = NULL;

	for (; *at != NULL; at = &(*at)->next) {
		if ((*at)->current != NULL)
			continue;
		idle = at;
		if ((*at)->prepared == work)
			break;
	}
	return question_fit(snmp_of(device), idle != NULL ? idle : at, work);
}

/* Those that are not needed now: the first one only when nothing is left to ask. */
static void
questions_release(struct snmp_device *device)
{
	struct question *first = device->question, **at = &first->next, *question;

	while ((question = *at) != NULL) {
		if (question->current != NULL) {
			at = &question->next;
			continue;
		}
		*at = question->next;
		question_give(snmp_of(device), question);
	}
	if (first->current != NULL || first->next != NULL || !TAILQ_EMPTY(&first->queue))
		return;
	device->question = NULL;
	question_give(snmp_of(device), first);
}

/* sysUpTime goes before the question, in every request: a restart between two requests of
 * one poll is seen as well. */
static size_t
put_uptime(struct question *question)
{
	/* GETNEXT and GETBULK find the instance behind the object. */
	question->ask.oids[0] = (struct snmp_oid){ .ids = uptime_ids,
		.count = question->ask.op == SESSION_GET ? UPTIME_COUNT : UPTIME_COUNT - 1 };
	question->with_uptime = true;
	return 1;
}

/* Asked for with each request, but where the device has none of late. */
static bool
wants_uptime(const struct snmp_device *device, const struct snmp_work *work, int64_t now)
{
	return device->no_uptime_until * LOOP_S <= now && !asks_one_by_one(work);
}

/* The objects of a request: sysUpTime perhaps, then the work's. */
static void
put_objects(struct question *question, bool with_uptime, struct session_request *request)
{
	const struct ask *ask = &question->ask;
	const struct form_text *usual = ask->usual;

	if (usual != NULL) {
		question->with_uptime = with_uptime;
		request->count = with_uptime;
		request->oids = usual->objects + !with_uptime;
		request->list = usual->list + (with_uptime ? 0 : usual->first_size);
		request->list_size = usual->list_size - (with_uptime ? 0 : usual->first_size);
		request->listed = with_uptime + ask->count;
	} else {
		request->count = with_uptime ? put_uptime(question) : 0;
		request->oids = ask->oids + 1 - request->count;
		request->list = ask->list_size > 0 ? (const uint8_t *)(ask->oids + 1) : NULL;
		request->list_size = ask->list_size;
		request->listed = ask->list_size > 0 ? ask->count : 0;
	}
}

/* Of a poll that takes its time each further request waits as little as can be. */
static bool
is_early(const struct ask_context *context, const struct poll *poll)
{
	int64_t interval = context->group->interval;

	return poll->deadline - context->now > TIME_OF_POLL(interval) - PATIENCE(interval);
}

static size_t
read_table(const uint8_t **at, const uint8_t *end, void *arg)
{
	const struct question *question = arg;

	return table_read(question->current->table, &question->ask, at, end);
}

static void
ask_nothing(struct ask *ask)
{
	ask->count = 0;
	ask->usual = NULL;
	ask->list_size = 0;
}

/* Where sysUpTime has to go alone, what comes after it proves itself by nothing: the agent may have
 * restarted while a try was lost. */
static bool
is_unvouched(const struct snmp_work *work)
{
	return !work->poll->vouched && asks_one_by_one(work);
}

static void
device_ask(struct snmp_device *device, struct question *question, struct snmp_work *work, int64_t now)
{
	struct ask *ask = &question->ask;
	struct ask_context context = context_at(work, now);
	struct session_request request = { .tag = question, .now = now, .deadline = work->poll->deadline,
		.patient = is_early(&context, work->poll) };

	question->current = work;
	question->with_uptime = false;
	question->probe = work->poll->probe || is_unvouched(work) || (work->poll->answered == 0 &&
		(work->poll->cautious || device->silence != REASON_GOOD));
	if (question->probe) {
		ask->op = SESSION_GET;
		ask_nothing(ask);
		request.tries = work->poll->cautious || device->silence != REASON_GOOD ? 1 : 0;
	} else if (question->prepared != work && !work_next(work, &context, ask)) {
		/* Not queued when there is nothing to ask, but see device_turn. */
		ask_nothing(ask);
	}
	question->prepared = NULL;
	put_objects(question, question->probe || wants_uptime(device, work, now), &request);
	request.names = table_of(work) != NULL && !question->probe;
	request.whole = (uint16_t)request.count;
	request.read = request.names ? read_table : NULL;
	request.read_arg = question;
	request.op = ask->op;
	request.non_repeaters = ask->op == SESSION_GETBULK ? (uint16_t)request.count : 0;
	request.max_repetitions = ask->max_repetitions;
	request.count += ask->count;
	work->poll->state = WORK_ASKING;
	session_send(&device->session, &request);
}

static void
device_turn(struct snmp_device *device, int64_t now)
{
	struct poll *poll;

	if (device->question == NULL)
		return;
	while ((poll = TAILQ_FIRST(&device->question->queue)) != NULL && has_room(device)) {
		struct question *question = question_idle(device, poll->work);

		TAILQ_REMOVE(&device->question->queue, poll, entry);
		device_ask(device, question, poll->work, now);
	}
	questions_release(device);
}

static void
work_queue(struct snmp_work *work, int64_t now)
{
	work->poll->state = WORK_QUEUED;
	TAILQ_INSERT_TAIL(&device_of(work)->question->queue, work->poll, entry);
	device_turn(device_of(work), now);
}

/* It is neither waiting for its turn nor asking any more. */
static void
work_withdraw(struct snmp_work *work)
{
	struct snmp_device *device = device_of(work);
	struct question *question = device->question;

	if (work->poll->state == WORK_QUEUED)
		TAILQ_REMOVE(&device->question->queue, work->poll, entry);
	if (work->poll->state == WORK_ASKING) {
		while (question->current != work)
			question = question->next;
		session_cancel(&device->session, question);
		question->current = NULL;
	}
	if (work->poll->state == WORK_ENDING)
		TAILQ_REMOVE(&snmp_of(device)->ending, work->poll, entry);
}

/* ---- sysUpTime ---- */

static void
epoch_key(char *to, size_t size, const struct snmp_device *device)
{
	snprintf(to, size, "%s uptime", device_name(device));
}

/* What was known before this process began. Mono tells how long ago that was as long as the
 * machine has not been restarted; then wall time has to do, clock steps and all. From then on
 * the device has it, not the state: see epochs_tell. */
static void
epoch_load(struct snmp_device *device)
{
	char key[80], text[120], boot[BOOT_ID];
	unsigned long ticks;
	long long wall, mono;
	int got;

	if (snmp_of(device)->state == NULL)
		return;
	epoch_key(key, sizeof key, device);
	if (!state_take(snmp_of(device)->state, key, text, sizeof text))
		return;
	got = sscanf(text, "%lu %lld %lld %39s", &ticks, &wall, &mono, boot);
	if (got < 2)
		return;
	device->epoch = (struct counter_epoch){ .known = true, .ticks = (uint32_t)ticks,
		.at = loop_mono_at(snmp_of(device)->loop, wall) };
	if (got == 4 && strcmp(boot, boot_id()) == 0)
		device->epoch.at = mono;
}

static void
epoch_text(const struct snmp_device *device, char *text, size_t size)
{
	struct loop *loop = snmp_of(device)->loop;

	snprintf(text, size, "%lu %lld %lld %s", (unsigned long)device->epoch.ticks,
		(long long)(loop_wall(loop) - (loop_mono(loop) - device->epoch.at)),
		(long long)device->epoch.at, boot_id());
}

static void
epoch_tell(void *block, void *arg)
{
	const struct snmp_device *device = block;
	struct state_file *file = arg;
	char key[80], text[120];

	if (!device->epoch.known)
		return;
	epoch_key(key, sizeof key, device);
	epoch_text(device, text, sizeof text);
	state_put(file, key, text);
}

/* The state is being saved. There are as many of these as devices, so they are not kept there
 * as texts as well. */
static void
epochs_tell(struct state_file *file, void *arg)
{
	struct snmp *snmp = arg;

	shelf_each(&snmp->devices, epoch_tell, file);
}

/* The device goes, but may come back with a reload. */
static void
epoch_keep(const struct snmp_device *device)
{
	char key[80], text[120];

	if (snmp_of(device)->state == NULL || !device->epoch.known)
		return;
	epoch_key(key, sizeof key, device);
	epoch_text(device, text, sizeof text);
	state_set(snmp_of(device)->state, key, text);
}

/* Seldom: any later restart is later than what stands there. */
static void
epoch_save(const struct snmp_device *device)
{
	if (snmp_of(device)->state == NULL)
		return;
	state_touch(snmp_of(device)->state);
	state_save(snmp_of(device)->state);
}

/* To us, or to a poller before. */
static bool
has_told_uptime(const struct snmp_device *device)
{
	return device->has_uptime || device->epoch.known;
}

static uint32_t
whole_seconds(int64_t mono)
{
	return (uint32_t)((mono + LOOP_S - 1) / LOOP_S);
}

/* Readings from before may have been taken by somebody who did not see the restart: a poller that
 * has ended, a group that a reload has brought back. A tick off: it counts whole ones. */
static int64_t
began_at(uint32_t ticks, int64_t received)
{
	int64_t at = received - (ticks + INT64_C(1)) * 10 * LOOP_MS;

	return ticks > 0 && at > 0 ? at : 0;
}

/* By what a former process knew: sysUpTime may have begun before the counters did, which cost that one
 * nothing, as it saw the restart itself. */
static int64_t
began_at_most(uint32_t ticks, int64_t received)
{
	int64_t at = began_at(ticks, received), latest = received - 10 * LOOP_MS;

	if (at == 0)
		return 0;
	return at + LOOP_S < latest ? at + LOOP_S : latest;
}

/* Something else came in place of sysUpTime. It may have restarted, so no counter goes on from what it
 * was before. After some times in a row that is its habit: then it is a device without sysUpTime. */
static void
doubt_uptime(struct snmp_device *device, int64_t received)
{
	if (!has_told_uptime(device) || device->doubts == UPTIME_DOUBTS)
		return;
	device->doubts++;
	device->since = received;
}

/* Two answers of which both were under way at a time may have overtaken one another. A restart
 * leaves more behind it than that. */
static bool
was_overtaken(const struct counter_epoch *epoch, uint32_t ticks, const struct session_answer *answer)
{
	int64_t most = (answer->received - answer->sent) / (10 * LOOP_MS) + 1;

	return epoch->known && answer->sent < epoch->at && ticks < epoch->ticks &&
		epoch->ticks - ticks <= most;
}

/* False when another object stands there although the device has sysUpTime: then the rest of
 * the answer deserves no trust either. */
static bool
uptime_answered(struct snmp_device *device, const struct varbind *varbind,
	const struct session_answer *answer)
{
	int64_t received = answer->received;
	bool known = device->epoch.known, first = !device->has_uptime, restarted;

	if (!oid_starts_with(varbind->ids, varbind->count, uptime_ids, UPTIME_COUNT - 1) &&
		device->has_uptime)
		return false;
	if (varbind->value.type != VALUE_TICKS ||
		oid_compare(varbind->ids, varbind->count, uptime_ids, UPTIME_COUNT) != 0) {
		device->no_uptime_until = has_told_uptime(device) ? 0 :
			whole_seconds(received + NO_UPTIME);
		doubt_uptime(device, received);
		return true;
	}
	device->has_uptime = true;
	device->doubts = 0;
	if (was_overtaken(&device->epoch, (uint32_t)varbind->value.count, answer))
		return true;
	restarted = counter_restarted(&device->epoch, (uint32_t)varbind->value.count, received);
	if (first)
		device->since = began_at_most((uint32_t)varbind->value.count, received);
	else if (restarted)
		device->since = began_at((uint32_t)varbind->value.count, received);
	if (restarted) {
		device->generation++;
		log_info("%s: restarted %lu s ago", device_name(device),
			(unsigned long)(varbind->value.count / 100));
		epoch_save(device);
		device->varbinds = 0; /* maybe for new firmware */
		learned_save(device);
	} else if (!known) {
		epoch_save(device);
	}
	return true;
}

/* The agent answered sysUpTime with an error. Where that is not its habit, it is asked for
 * again soon: without it a restart would pass unseen, and agents that are about to restart
 * answer like that. */
static void
uptime_refused(struct snmp_device *device, int64_t deadline, int64_t received)
{
	int64_t soon = received + UPTIME_AGAIN < deadline ? received + UPTIME_AGAIN : deadline;

	device->no_uptime_until = whole_seconds(has_told_uptime(device) ? soon : received + NO_UPTIME);
	doubt_uptime(device, received);
}

/* Takes sysUpTime off the answer, so that the rest fits what the work asked. */
static void
strip_uptime(struct snmp_device *device, struct session_answer *answer, int64_t deadline)
{
	const struct question *question = answer->tag;

	if (!question->with_uptime)
		return;
	if (answer->error_status == 0) {
		if (!uptime_answered(device, &answer->varbinds[0], answer)) {
			answer->reason = REASON_BAD_REPLY;
			answer->text = "answered something else instead of sysUpTime";
		}
		answer->varbinds++;
		answer->count--;
	} else if (answer->error_index == 1) {
		uptime_refused(device, deadline, answer->received);
	}
	if (answer->error_index > 0)
		answer->error_index--;
}

/* ---- answers ---- */

static bool
is_silence(const struct session_answer *answer)
{
	return answer->reason == REASON_TIMEOUT || answer->reason == REASON_UNREACHABLE ||
		answer->reason == REASON_REFUSED || answer->reason == REASON_WRONG_SOURCE ||
		answer->reason == REASON_CONFIG || answer->unread;
}

/* How many varbinds fill a message: a long one counts at once, short ones by and by. */
static void
learn_size(struct snmp_work *work, const struct session_answer *answer)
{
	const struct question *question = answer->tag;
	size_t octets;

	if (question->ask.op != SESSION_GETBULK || answer->error_status != 0 ||
		answer->count == 0)
		return;
	octets = (answer->size * 16 + answer->count - 1) / answer->count;
	if (octets < work->octets)
		octets = work->octets - (work->octets - octets + 3) / 4;
	work->octets = octets;
}

static void
note_lost_at(struct snmp_device *device, size_t asked)
{
	bool again = device->lost_at > 0 && asked >= device->lost_at - device->lost_at / 8u - 1;

	if (!again)
		device->lost_again = 0;
	else if (device->lost_again < LOST_AGAIN_MOST)
		device->lost_again++;
	if (!again || asked < device->lost_at)
		device->lost_at = (uint8_t)asked;
	device->held = 0;
}

/* The device answers, but not to this: somewhere on the way long answers are lost, or cut. */
static void
learn_loss(const struct snmp_work *work, const struct question *question)
{
	struct snmp_device *device = device_of(work);
	size_t asked = question->ask.count * question->ask.max_repetitions, half = asked / 2;

	if (question->ask.op != SESSION_GETBULK || question->probe || work->poll->answered == 0)
		return;
	note_lost_at(device, asked < BULK_MOST ? asked : BULK_MOST);
	device->bulk = (uint8_t)(half < BULK_LEAST ? BULK_LEAST : half < BULK_MOST ? half : BULK_MOST);
	learned_save(device);
}

/* A device that was short of room once is not asked for little for ever. What has held is saved,
 * and is what it goes back to. */
static void
learn_fit(struct snmp_device *device)
{
	if (device->varbinds == 0 || ++device->fits < FITS)
		return;
	learned_save(device);
	device->fits = 0;
	device->varbinds = (uint8_t)(device->varbinds < BULK_MOST / 2 ? device->varbinds * 2 : 0);
}

/* True when the question is to be put again, smaller. */
static bool
shrink(struct snmp_device *device, struct session_answer *answer)
{
	const struct question *question = answer->tag;
	const struct ask *ask = &question->ask;
	size_t asked = question->with_uptime + ask->count *
		(ask->op == SESSION_GETBULK ? ask->max_repetitions : 1);
	size_t held = device->saved_varbinds, less = held > 0 && held < asked ? held : asked / 2;

	if (asked > 1) {
		device->varbinds = (uint8_t)(less < BULK_MOST ? less : BULK_MOST);
		device->fits = 0;
		learned_save(device);
		return true;
	}
	answer->reason = REASON_TOO_BIG;
	return false;
}

/* True when the question is to be put again: the device could not answer it for reasons
 * that have nothing to do with the work. */
static bool
ask_again(struct snmp_device *device, struct session_answer *answer, bool about_uptime)
{
	if (answer->error_status == SESSION_ERROR_TOO_BIG)
		return shrink(device, answer);
	return answer->error_status != 0 && about_uptime;
}

static bool
is_overdue(const struct snmp_work *work)
{
	return loop_mono(snmp_of(device_of(work))->loop) >= work->poll->deadline;
}

/* Was most of the poll's time spent on waiting as max_rate or gap wants it? */
static bool
is_held_back(const struct snmp_work *work)
{
	int64_t held = session_held(&device_of(work)->session) - work->poll->held_before;

	return held > TIME_OF_POLL(task_group(work->task)->interval) / 2;
}

/* Rows that were never read to their end have no names and no points: nothing else would tell. */
static void
say_too_long(struct snmp_work *work, const char *interval)
{
	const char *table = task_group(work->task)->table;
	size_t rows = table_rows(work->table);

	task_error(work->task, "table \"%s\": not read to its end within %s, %zu rows so far: "
		"give it a longer interval or fewer points", table, interval, rows);
	if (!work->too_long)
		log_warn("%s: table \"%s\": not read to its end within %s, %zu rows so far: what was "
			"not read has no values: give it a longer interval or fewer points",
			device_name(device_of(work)), table, interval, rows);
	work->too_long = true;
}

/* The device answers, but so slowly, or so much, that the next poll is near; or it is asked too
 * slowly. */
static void
give_up_overdue(struct snmp_work *work)
{
	bool lost = work->poll->lost_before != device_of(work)->question->lost;
	char span[32];

	str_time_span(span, sizeof span, task_group(work->task)->interval);
	if (!lost && is_held_back(work)) {
		task_error(work->task, "snmp.%s leaves no room to ask for everything within %s: "
			"give it a longer interval", session_holds(&device_of(work)->session), span);
		work_finish(work, false, REASON_OVERRUN);
		return;
	}
	if (table_of(work) != NULL)
		say_too_long(work, span);
	else
		task_error(work->task, "asking for everything does not fit into %s: "
			"give it a longer interval", span);
	/* Where nothing was lost on the way, it is the table that does not end. */
	work_finish(work, false, table_of(work) != NULL && !lost ? REASON_BAD_REPLY : REASON_TIMEOUT);
}

/* The request ended in something that ends the poll as well. */
static void
give_up(struct snmp_work *work, const struct session_answer *answer)
{
	if (answer->reason == REASON_TIMEOUT && work->poll->answered > 0 && is_overdue(work)) {
		give_up_overdue(work);
		return;
	}
	task_error(work->task, "%s", answer->text);
	work_finish(work, false, answer->reason);
}

static struct poll *
next_cautious(const struct question *first)
{
	struct poll *poll;

	TAILQ_FOREACH(poll, &first->queue, entry)
		if (poll->cautious && poll->answered == 0)
			return poll;
	return NULL;
}

/* One probe is enough for all that wait to send theirs. The work that sent it is still the current
 * one, so that nobody's turn comes. */
static void
share_probe(struct snmp_device *device, const struct session_answer *answer)
{
	struct question *first = device->question;
	struct poll *poll;

	while ((poll = next_cautious(first)) != NULL) {
		poll->cautious = false;
		if (!is_silence(answer))
			continue;
		TAILQ_REMOVE(&first->queue, poll, entry);
		poll->state = WORK_BEGUN;
		task_error(poll->work->task, "%s", answer->text);
		work_finish(poll->work, false, answer->reason);
	}
}

static void
session_done(const struct session_answer *told, void *arg)
{
	struct snmp_device *device = arg;
	struct question *question = told->tag;
	struct snmp_work *work = question->current;
	struct session_answer answer = *told;
	bool about_uptime = question->with_uptime && told->error_index == 1, again;

	/* Cut short by the deadline it tells nothing new: what was wrong before still is. */
	if (answer.reason == REASON_TIMEOUT && device->silence != REASON_GOOD && is_overdue(work))
		answer.reason = device->silence;
	device->silence = is_silence(&answer) ? answer.reason : REASON_GOOD;
	if (work->poll->cautious)
		share_probe(device, &answer);
	question->current = NULL;
	if (answer.reason == REASON_TIMEOUT || answer.unread)
		learn_loss(work, question);
	if (answer.reason == REASON_GOOD) {
		work->poll->answered++;
		if (answer.count > work->poll->longest)
			work->poll->longest = answer.count;
		learn_size(work, &answer);
		if (answer.error_status == 0)
			learn_fit(device);
		strip_uptime(device, &answer, work->poll->deadline);
	}
	if (answer.reordered) {
		/* Of one object there is one order only. */
		work->poll->singly = true;
		work_turn_over(work, question, NULL);
		return;
	}
	if (answer.error_status == SESSION_ERROR_AUTHORIZATION) {
		answer.reason = REASON_AUTH;
		answer.text = SESSION_REFUSED;
	}
	if (answer.reason != REASON_GOOD) {
		give_up(work, &answer);
		return;
	}
	work->poll->probes += question->probe && work->poll->probes <= PROBES_AGAIN;
	work->poll->vouched |= question->probe || (question->with_uptime && answer.error_status == 0);
	again = question->probe || ask_again(device, &answer, about_uptime) || is_unvouched(work);
	work_turn_over(work, question, again ? NULL : &answer);
}

/* Feeds the answer (NULL: the question is put again), then on to the next one. */
static void
work_turn_over(struct snmp_work *work, struct question *question, const struct session_answer *answer)
{
	struct ask_context context = context_of(work);

	work->poll->probe = false;
	if (answer != NULL)
		work_feed(work, &context, &question->ask, answer);
	if (!work_next(work, &context, &question->ask)) {
		work_finish(work, true, REASON_GOOD);
		return;
	}
	question->prepared = work;
	if (context.now >= work->poll->deadline)
		give_up_overdue(work);
	else
		work_queue(work, context.now);
}

static void
session_exchange(bool answered, int64_t rtt, void *tag, void *arg)
{
	const struct snmp_device *device = arg;
	const struct question *question = tag;

	/* the last try of a poll is cut short by its deadline: that tells nothing */
	device->question->lost += !answered && !is_overdue(question->current);
	if (!answered && !question->probe && question->current->poll->probes <= PROBES_AGAIN)
		question->current->poll->vouched = false;
	task_exchange(question->current->task, answered, rtt);
}

static void
engine_key(char *to, size_t size, const struct snmp_device *device)
{
	snprintf(to, size, "%s engine", device_name(device));
}

static void
session_engine_found(const char *hex, void *arg)
{
	struct snmp_device *device = arg;
	char key[80];

	if (snmp_of(device)->state == NULL)
		return;
	engine_key(key, sizeof key, device);
	state_set(snmp_of(device)->state, key, hex);
	state_save(snmp_of(device)->state);
}

static void
engine_load(struct snmp_device *device)
{
	const char *hex;
	char key[80];

	if (snmp_of(device)->state == NULL || device_access(device)->version != 3)
		return;
	engine_key(key, sizeof key, device);
	hex = state_get(snmp_of(device)->state, key);
	if (hex != NULL)
		session_engine(&device->session, hex);
}

static void
session_ahead(void *arg, void *tag, unsigned step)
{
	const struct snmp_device *device = arg;
	const struct question *question = tag;
	const struct snmp_work *work = step > 1 ? question->current : NULL;

	_Static_assert(SESSION_STEPS >= TASK_STEPS + 3 && SESSION_STEPS == TABLE_STEPS + 3,
		"three steps are ours");
	if (step == 0)
		ahead_fetch(device, sizeof *device);
	else if (step == 1)
		ahead_fetch(question, offsetof(struct question, ask.oids));
	if (work == NULL)
		return;
	if (step == 2) {
		ahead_fetch(work, sizeof *work);
		return;
	}
	if (step == 3)
		ahead_fetch(work->poll, sizeof *work->poll);
	table_ahead(table_of(work), step - 3);
	task_ahead(work->task, step - 3);
}

static const struct session_events session_events = {
	.done = session_done,
	.exchange = session_exchange,
	.engine = session_engine_found,
	.ahead = session_ahead,
};

/* ---- the driver ---- */

static void
driver_detach(void *state)
{
	struct snmp_device *device = state;
	struct snmp *snmp;

	if (device == NULL)
		return;
	snmp = snmp_of(device);
	epoch_keep(device);
	session_close(&device->session);
	shelf_give(&snmp->devices, device);
}

static void *
driver_attach(void *env, const struct device *configured, struct fail *why)
{
	struct snmp *snmp = env;
	struct snmp_device *device = shelf_take(&snmp->devices);

	device->bulk = device->saved_bulk = BULK_MOST;
	if (session_open(&device->session, &snmp->user, configured, why) == -1) {
		shelf_give(&snmp->devices, device);
		return NULL;
	}
	if (configured->own)
		session_watch(&device->session);
	if (device_access(device)->from != NULL)
		mux_prepare(snmp->mux, device_access(device)->from);
	epoch_load(device);
	engine_load(device);
	learned_load(device);
	return device;
}

static void
driver_count(void *state, struct self_counts *counts)
{
	const struct snmp_device *device = state;

	session_count(&device->session, counts);
}

/* The session's own deadline ends a request first; this one is for a work that waits behind
 * others. */
static void
work_timer_ran(void *arg)
{
	struct snmp_work *work = arg;
	struct snmp_device *device = device_of(work);

	work_withdraw(work);
	work_finish(work, false, device->silence != REASON_GOOD ? device->silence : REASON_OVERRUN);
}

static struct snmp_work *
work_new(struct snmp_device *device)
{
	return device->first.task == NULL ? &device->first : mem_zero(sizeof device->first);
}

static void
work_free(struct snmp_work *work)
{
	if (work == &device_of(work)->first)
		*work = (struct snmp_work){ 0 };
	else
		free(work);
}

static void *
driver_open(void *state, struct task *task)
{
	struct snmp_device *device = state;
	const struct group *group = task_group(task);
	struct snmp_work *work = work_new(device);
	struct fail why;

	work->task = task;
	if (group->table == NULL) {
		plan_open(&work->plan, &snmp_of(device)->plans, group);
		return work;
	}
	work->octets = BULK_VARBIND;
	work->table = table_new(device_name(device), group, snmp_of(device)->state, &why);
	if (table_of(work) == NULL) {
		log_error("%s: table \"%s\": %s", device_name(device), group->table, why.text);
		work_free(work);
		return NULL;
	}
	return work;
}

static void
driver_cancel(void *arg)
{
	struct snmp_work *work = arg;

	if (work->poll == NULL)
		return;
	work_withdraw(work);
	poll_end(work);
	device_turn(device_of(work), loop_mono(snmp_of(device_of(work))->loop));
}

static void
driver_close(void *arg)
{
	struct snmp_work *work = arg;

	if (work == NULL)
		return;
	driver_cancel(work);
	if (table_of(work) != NULL)
		table_free(work->table);
	else
		plan_close(&work->plan, &snmp_of(device_of(work))->plans);
	work_free(work);
}

static void
driver_start(void *arg, bool cautious)
{
	struct snmp_work *work = arg;
	struct loop *loop = snmp_of(device_of(work))->loop;
	struct snmp_device *device = device_of(work);
	struct ask_context context = context_of(work);
	bool next = device->question == NULL ||
		(device->question->current == NULL && TAILQ_EMPTY(&device->question->queue));
	struct ask *ask = next ? &question_fit(snmp_of(device), &device->question, work)->ask :
		&snmp_of(device)->later;

	poll_begin(work);
	work->poll->cautious = cautious;
	work->poll->lost_before = device_of(work)->question->lost;
	work->poll->held_before = session_held(&device_of(work)->session);
	work->poll->deadline = context.now + TIME_OF_POLL(context.group->interval);
	if (table_of(work) != NULL)
		table_begin(work->table, &context);
	else
		plan_begin(&work->plan, &context);
	/* Where all that it could be asked for is known to be missing it is asked whether it is
	 * there: who asks nothing cannot tell a device that is up from one that is down. */
	if (!work_next(work, &context, ask))
		work->poll->probe = true;
	else if (next)
		device->question->prepared = work;
	loop_timer_at(loop, &work->poll->timer, work->poll->deadline + 2 * LOOP_TICK);
	work_queue(work, context.now);
}

static void
driver_ahead(const void *arg, unsigned step)
{
	const struct snmp_work *work = arg;

	if (step == 0) {
		ahead_fetch(work, sizeof *work);
	} else if (step == 1) {
		ahead_fetch(device_of(work), sizeof *device_of(work));
	} else {
		session_fetch(&device_of(work)->session, step - 2);
	}
	if (step > 0)
		table_ahead(table_of(work), step - 1);
}

const struct driver snmp_driver = {
	.name = "snmp",
	.attach = driver_attach,
	.detach = driver_detach,
	.open = driver_open,
	.close = driver_close,
	.start = driver_start,
	.cancel = driver_cancel,
	.count = driver_count,
	.ahead = driver_ahead,
};

/* ---- all of it ---- */

struct snmp *
snmp_new(struct loop *loop, const char *state_dir, struct fail *why)
{
	struct snmp *snmp = mem_zero(sizeof *snmp);

	snmp->loop = loop;
	TAILQ_INIT(&snmp->ending);
	loop_timer_init(&snmp->more, tell_more, snmp);
	snmp->devices.size = sizeof(struct snmp_device);
	snmp->mux = mux_new(loop);
	snmp->user = (struct session_user){ sessions_new(loop, snmp->mux), &session_events,
		offsetof(struct snmp_device, session) };
	if (state_dir != NULL) {
		char *path = mem_format("%s/rows", state_dir);

		snmp->state = state_open(loop, path, why);
		free(path);
		if (snmp->state == NULL) {
			snmp_free(snmp);
			return NULL;
		}
		state_on_save(snmp->state, epochs_tell, snmp);
	}
	return snmp;
}

void
snmp_free(struct snmp *snmp)
{
	struct question *question;
	struct poll *poll;

	if (snmp == NULL)
		return;
	loop_timer_stop(snmp->loop, &snmp->more);
	for (int large = 0; large < 2; large++)
		while ((question = snmp->questions[large]) != NULL) {
			snmp->questions[large] = question->next;
			free(question);
		}
	while ((poll = snmp->polls) != NULL) {
		snmp->polls = poll->next;
		free(poll);
	}
	plan_shared_free(&snmp->plans);
	sessions_free(snmp->user.sessions);
	mux_free(snmp->mux);
	if (snmp->state != NULL)
		state_close(snmp->state);
	free(snmp);
}

void
snmp_tap(struct snmp *snmp,
	void (*tap)(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size,
		int64_t mono, void *arg), void *arg)
{
	mux_tap(snmp->mux, tap, arg);
}

struct asked_from {
	const struct net_addr *from;
	size_t count;
};

static void
count_asked_from(void *block, void *arg)
{
	const struct net_addr *own = device_access(block)->from;
	struct asked_from *asked = arg;

	asked->count += own != NULL && net_addr_equal(own, asked->from);
}

static size_t
asked_from(const struct snmp *snmp, const struct net_addr *from)
{
	struct asked_from asked = { .from = from };

	shelf_each(&snmp->devices, count_asked_from, &asked);
	return asked.count;
}

bool
snmp_lacks_address(struct snmp *snmp, char *to, size_t size)
{
	const struct net_addr *from;
	char address[64];
	size_t at = 0;

	mux_look(snmp->mux);
	while ((from = mux_missing(snmp->mux, &at)) != NULL) {
		size_t count = asked_from(snmp, from);

		if (count == 0)
			continue; /* of a former configuration */
		snprintf(to, size, "snmp.from = \"%s\" is no address of this machine: %zu %s not asked",
			net_addr_text(address, sizeof address, from, false), count,
			count == 1 ? "device is" : "devices are");
		return true;
	}
	return false;
}

struct snmp_counters
snmp_counters(const struct snmp *snmp)
{
	struct mux_counters mux = mux_counters(snmp->mux);

	return (struct snmp_counters){
		.sent = mux.sent,
		.answered = sessions_answered(snmp->user.sessions),
		.retried = sessions_retried(snmp->user.sessions),
		.timed_out = sessions_timed_out(snmp->user.sessions),
		.strays = mux.strays,
		.wrong_source = mux.wrong_source,
		.malformed = mux.malformed,
		.dropped = mux.dropped,
	};
}

struct sessions *
snmp_sessions(struct snmp *snmp)
{
	return snmp->user.sessions;
}

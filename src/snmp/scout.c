#include "snmp/scout.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/sample.h"
#include "snmp/oid.h"
#include "snmp/session.h"
#include "snmp/snmp_parts.h"
#include "snmp/value.h"

/* Objects of one request: the answer of a small agent still fits its buffer. */
enum { BATCH = 16, FIRST_TRIES = 2, SILENT_MOST = 12 };

static const uint32_t descr_ids[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 };
static const uint32_t object_id_ids[] = { 1, 3, 6, 1, 2, 1, 1, 2, 0 };
static const uint32_t name_ids[] = { 1, 3, 6, 1, 2, 1, 1, 5, 0 };
#define COUNT(ids) (sizeof(ids) / sizeof(ids)[0])
enum { IDENTITY = 3 };

struct scouts {
	struct loop *loop;
	struct snmp *snmp;
	int64_t gap;       /* ns between two requests */
	int64_t next_send; /* mono */
	struct scout *first, *last; /* they wait for their turn */
	struct loop_timer timer;
};

struct scout {
	struct scouts *scouts;
	struct session session;
	struct session_user user;
	struct device device;        /* the session's, as what follows */
	struct snmp_options options;
	struct snmp_access access;
	char *name;
	struct scout *next; /* among those that wait */
	bool waiting;
	void (*known)(const struct scout_result *result, void *arg);
	void *arg;
	struct scout_result result;
	uint32_t object_id[SNMP_OID_MAX];
	bool identified;

	struct scout_object identity[IDENTITY];
	struct scout_object *objects; /* those being looked for */
	bool *asked;                  /* beside them */
	size_t count;
	size_t most, batch;           /* objects of one request; batch shrinks on tooBig */
	struct snmp_oid oids[BATCH];  /* of the request under way */
	size_t which[BATCH];          /* their numbers in objects */
	size_t used;
	unsigned silent;              /* requests without an answer since it was identified */
	struct loop_timer end;        /* nothing is left to ask: told from the loop */
};

/* ---- turns ---- */

static void send_next(struct scout *scout);

static void
on_turn(void *arg)
{
	struct scouts *scouts = arg;
	struct scout *scout = scouts->first;

	if (scout == NULL)
		return;
	scouts->first = scout->next;
	if (scouts->first == NULL)
		scouts->last = NULL;
	scout->waiting = false;
	scouts->next_send = loop_mono(scouts->loop) + scouts->gap;
	if (scouts->first != NULL)
		loop_timer_at(scouts->loop, &scouts->timer, scouts->next_send);
	send_next(scout);
}

static void
wait_turn(struct scout *scout)
{
	struct scouts *scouts = scout->scouts;

	scout->waiting = true;
	scout->next = NULL;
	if (scouts->last != NULL) {
		scouts->last->next = scout;
		scouts->last = scout;
		return;
	}
	scouts->first = scouts->last = scout;
	loop_timer_at(scouts->loop, &scouts->timer, scouts->next_send);
}

static void
leave_queue(struct scout *scout)
{
	struct scouts *scouts = scout->scouts;
	struct scout **at = &scouts->first, *before = NULL;

	while (*at != NULL && *at != scout) {
		before = *at;
		at = &before->next;
	}
	if (*at == NULL)
		return;
	*at = scout->next;
	if (scouts->last == scout)
		scouts->last = before;
}

struct scouts *
scouts_new(struct loop *loop, struct snmp *snmp, double rate)
{
	struct scouts *scouts = mem_zero(sizeof *scouts);

	scouts->loop = loop;
	scouts->snmp = snmp;
	scouts->gap = (int64_t)(LOOP_S / rate);
	scouts->next_send = loop_mono(loop);
	loop_timer_init(&scouts->timer, on_turn, scouts);
	return scouts;
}

void
scouts_free(struct scouts *scouts)
{
	if (scouts == NULL)
		return;
	loop_timer_stop(scouts->loop, &scouts->timer);
	free(scouts);
}

/* ---- questions ---- */

/* Fills the request with objects not asked yet, all of one kind; how many. */
static size_t
collect(struct scout *scout)
{
	bool column = false;

	scout->used = 0;
	for (size_t i = 0; i < scout->count && scout->used < scout->batch; i++) {
		if (scout->asked[i] || (scout->used > 0 && scout->objects[i].column != column))
			continue;
		column = scout->objects[i].column;
		scout->which[scout->used] = i;
		scout->oids[scout->used++] = scout->objects[i].oid;
	}
	return scout->used;
}

static void
send_next(struct scout *scout)
{
	struct session_request request = { .oids = scout->oids, .deadline = INT64_MAX };

	request.count = collect(scout);
	request.op = scout->objects[scout->which[0]].column ? SESSION_GETNEXT : SESSION_GET;
	/* Most addresses of a net are nobody's. */
	if (!scout->identified)
		request.tries = FIRST_TRIES;
	else if (scout->silent > 0)
		request.tries = 1;
	session_send(&scout->session, &request);
}

static void
tell(struct scout *scout, uint8_t reason, const char *text)
{
	scout->result.reason = reason;
	scout->result.text = text;
	if (reason == REASON_GOOD)
		scout->identified = true;
	scout->known(&scout->result, scout->arg);
}

static void
on_end(void *arg)
{
	tell(arg, REASON_GOOD, "");
}

static void
go_on(struct scout *scout)
{
	if (collect(scout) > 0)
		wait_turn(scout);
	else
		loop_timer_in(scout->scouts->loop, &scout->end, 0);
}

/* ---- answers ---- */

static void
take_identity(struct scout *scout, size_t which, const struct value *value)
{
	struct scout_result *result = &scout->result;

	if (which == 0)
		value_text(result->descr, sizeof result->descr, value);
	else if (which == 2)
		value_text(result->name, sizeof result->name, value);
	else if (value->type == VALUE_OID && value->size <= SNMP_OID_MAX) {
		memcpy(scout->object_id, value->ids, value->size * sizeof *value->ids);
		result->object_id = scout->object_id;
		result->object_id_count = value->size;
	}
}

static bool
is_answer(const struct scout_object *object, const struct varbind *varbind)
{
	if (!value_is_there(&varbind->value))
		return false;
	if (!object->column)
		return oid_compare(varbind->ids, varbind->count, object->oid.ids,
			object->oid.count) == 0;
	return varbind->count > object->oid.count && oid_starts_with(varbind->ids,
		varbind->count, object->oid.ids, object->oid.count);
}

/* By OID, not by place: agents answer in any order, and leave things away. What is not
 * answered is not asked for ever. */
static void
take_varbinds(struct scout *scout, const struct session_answer *answer)
{
	for (size_t i = 0; i < scout->used; i++) {
		struct scout_object *object = &scout->objects[scout->which[i]];
		size_t k = 0;

		scout->asked[scout->which[i]] = true;
		while (k < answer->count && !is_answer(object, &answer->varbinds[k]))
			k++;
		object->there = k < answer->count;
		if (object->there && !scout->identified)
			take_identity(scout, scout->which[i], &answer->varbinds[k].value);
	}
}

/* The agent says which object it dislikes (version 1: it has none): the others are asked
 * again. Says it nothing, each is asked alone. */
static void
take_error(struct scout *scout, const struct session_answer *answer)
{
	int index = answer->error_index;

	if (answer->error_status != SESSION_ERROR_TOO_BIG && index > 0 &&
		(size_t)index <= scout->used)
		scout->asked[scout->which[index - 1]] = true;
	else if (scout->used > 1)
		scout->batch = answer->error_status == SESSION_ERROR_TOO_BIG ? scout->used / 2 : 1;
	else
		scout->asked[scout->which[0]] = true;
}

/* There are agents that do not answer where one object is beyond them (Counter64 by version
 * 1): each is asked alone then. False when it looks as if nobody is there any more. */
static bool
ask_alone(struct scout *scout)
{
	if (!scout->identified || ++scout->silent > SILENT_MOST)
		return false;
	if (scout->used == 1)
		scout->asked[scout->which[0]] = true;
	scout->batch = 1;
	return true;
}

static void
session_done(const struct session_answer *answer, void *arg)
{
	struct scout *scout = arg;

	if ((answer->reason == REASON_TIMEOUT || answer->unread) && ask_alone(scout)) {
		go_on(scout);
		return;
	}
	if (answer->reason != REASON_GOOD) {
		tell(scout, answer->reason, answer->text);
		return;
	}
	if (answer->error_status == SESSION_ERROR_AUTHORIZATION) {
		tell(scout, REASON_AUTH, SESSION_REFUSED);
		return;
	}
	if (answer->error_status != 0)
		take_error(scout, answer);
	else
		take_varbinds(scout, answer);
	go_on(scout);
}

static void
session_exchange(bool answered, int64_t rtt, void *tag, void *arg)
{
	(void)answered, (void)rtt, (void)tag, (void)arg;
}

static const struct session_events session_events = {
	.done = session_done,
	.exchange = session_exchange,
};

/* ---- life ---- */

struct scout *
scout_new(struct scouts *scouts, const char *name, const struct snmp_options *options,
	void (*known)(const struct scout_result *result, void *arg), void *arg, struct fail *why)
{
	struct scout *scout = mem_zero(sizeof *scout);

	scout->scouts = scouts;
	scout->known = known;
	scout->arg = arg;
	scout->most = options->access->max_varbinds > 0 && options->access->max_varbinds < BATCH ?
		options->access->max_varbinds : BATCH;
	loop_timer_init(&scout->end, on_end, scout);
	scout->identity[0].oid = (struct snmp_oid){ descr_ids, COUNT(descr_ids) };
	scout->identity[1].oid = (struct snmp_oid){ object_id_ids, COUNT(object_id_ids) };
	scout->identity[2].oid = (struct snmp_oid){ name_ids, COUNT(name_ids) };
	scout->options = *options;
	scout->access = *options->access;
	scout->options.access = &scout->access;
	scout->name = mem_text(name);
	scout->device = (struct device){ .name = scout->name, .ways = DEVICE_SNMP,
		.options = &scout->options };
	scout->user = (struct session_user){ snmp_sessions(scouts->snmp), &session_events,
		offsetof(struct scout, session) };
	if (session_open(&scout->session, &scout->user, &scout->device, why) == -1) {
		scout_free(scout);
		return NULL;
	}
	scout_ask(scout, scout->identity, IDENTITY);
	return scout;
}

void
scout_ask(struct scout *scout, struct scout_object *objects, size_t count)
{
	free(scout->asked);
	scout->asked = mem_array(count + 1, sizeof *scout->asked);
	scout->objects = objects;
	scout->count = count;
	scout->batch = scout->most;
	go_on(scout);
}

void
scout_free(struct scout *scout)
{
	if (scout == NULL)
		return;
	if (scout->waiting)
		leave_queue(scout);
	loop_timer_stop(scout->scouts->loop, &scout->end);
	session_close(&scout->session);
	free(scout->name);
	free(scout->asked);
	free(scout);
}

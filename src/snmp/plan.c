#include "snmp/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"

/* An SNMPv1 agent fails the whole request for one object that it lacks, so those are left
 * out: for a second, then twice as long each time, as one that has just begun lacks what it has
 * a moment later. */
#define ABSENT_MOST (10 * 60) /* s */
#define ABSENT_DOUBLED 10     /* times, until it is that long */
#define ABSENT_MASK ((1u << 27) - 1)
/* Names and locations seldom change. */
#define INFO_EVERY 20

/* A point, or behind them an information. */
struct item {
	uint8_t used;        /* the alternative that the agent had last */
	uint8_t tried;       /* alternatives that failed in this poll */
	uint16_t generation; /* of the last good reading */
	unsigned pending : 1; /* to be asked for in this poll */
	unsigned misses : 4;  /* polls in a row that asked in vain, of an SNMPv1 agent */
	unsigned absent_until : 27; /* mono, whole seconds */
};
_Static_assert(sizeof(struct item) == 8, "there are as many as a device is asked for");

/* The items of a plan, and what is known of all of them. */
struct plan_items {
	union {
		struct plan_items *next;  /* in a stock */
		struct {
			uint32_t pending; /* how many are */
			bool unlike;      /* after the poll something may be to be kept of one */
			bool usual;       /* all points are pending by their first names, no more */
		};
	};
	struct item list[];
};

/* ---- items, of which only as many are needed as devices are polled at a time ---- */

static uint32_t
stock_place(uint32_t count)
{
	return count == 0 ? 0 : (count - 1) / PLAN_STOCK_STEP;
}

static struct plan_items *
items_hold(struct plan_shared *shared, uint32_t count)
{
	uint32_t place = stock_place(count);
	struct plan_items *items;

	if (place >= PLAN_STOCK_SIZES || shared->spare[place] == NULL)
		return mem_zero(sizeof *items +
			(place + 1) * PLAN_STOCK_STEP * sizeof(struct item));
	items = shared->spare[place];
	shared->spare[place] = items->next;
	shared->count[place]--;
	ahead_fetch(items->next, sizeof *items + (place + 1) * PLAN_STOCK_STEP * sizeof(struct item));
	return items;
}

static void
items_release(struct plan_shared *shared, struct plan_items *items, uint32_t count)
{
	uint32_t place = stock_place(count);

	if (place >= PLAN_STOCK_SIZES || shared->count[place] >= PLAN_STOCK_SPARE) {
		free(items);
		return;
	}
	items->next = shared->spare[place];
	shared->spare[place] = items;
	shared->count[place]++;
}

void
plan_shared_free(struct plan_shared *shared)
{
	for (int place = 0; place < PLAN_STOCK_SIZES; place++) {
		struct plan_items *items = shared->spare[place], *next;

		for (; items != NULL; items = next) {
			next = items->next;
			free(items);
		}
	}
	forms_free(&shared->forms);
	*shared = (struct plan_shared){ .count = { 0 } };
}

/* ---- questions ---- */

void
plan_open(struct plan *plan, struct plan_shared *shared, const struct group *group)
{
	*plan = (struct plan){ .form = form_hold(&shared->forms, group) };
}

void
plan_close(struct plan *plan, struct plan_shared *shared)
{
	free(plan->items);
	plan->items = NULL;
	form_release(&shared->forms, plan->form);
	plan->form = NULL;
}

size_t
plan_objects(const struct plan *plan)
{
	return plan->form->count;
}

static const struct snmp_oid *
oids_of(const struct plan *plan, const struct group *group, size_t i, size_t *count)
{
	const struct snmp_group *wire = group->wire;
	const struct snmp_point *point;

	if (i >= plan->form->point_count) {
		*count = 1;
		return &wire->infos[i - plan->form->point_count].oid;
	}
	point = group->points[i].wire;
	*count = point->oid_count;
	return point->oids;
}

static void
leave_out(struct item *item, int64_t now)
{
	int64_t seconds = INT64_C(1) << item->misses;

	if (seconds > ABSENT_MOST)
		seconds = ABSENT_MOST;
	item->misses += item->misses < ABSENT_DOUBLED;
	item->absent_until = (unsigned)(now / LOOP_S + seconds) & ABSENT_MASK;
}

static bool
is_absent(const struct item *item, const struct ask_context *context)
{
	return item->absent_until * LOOP_S > context->now;
}

/* All points are alike, and all informations. */
static void
begin_anew(struct plan *plan, struct plan_shared *shared, bool infos)
{
	struct plan_items *items = items_hold(shared, plan->form->count);
	struct item fresh = { .generation = plan->generation, .pending = true };

	for (size_t i = 0; i < plan->form->point_count; i++)
		items->list[i] = fresh;
	fresh.pending = infos;
	for (size_t i = plan->form->point_count; i < plan->form->count; i++)
		items->list[i] = fresh;
	items->pending = infos ? plan->form->count : plan->form->point_count;
	items->unlike = false;
	items->usual = !infos;
	plan->items = items;
}

void
plan_begin(struct plan *plan, const struct ask_context *context)
{
	bool infos = plan->polls == 0;

	plan->polls = (uint8_t)((plan->polls + 1) % INFO_EVERY);
	plan->one_by_one = false;
	if (plan->items == NULL) {
		begin_anew(plan, context->shared, infos);
		return;
	}
	plan->items->pending = 0;
	plan->items->usual = false;
	for (size_t i = 0; i < plan->form->count; i++) {
		struct item *item = &plan->items->list[i];

		item->tried = 0;
		if (!is_absent(item, context))
			item->absent_until = 0;
		item->pending = item->absent_until == 0 &&
			(i < plan->form->point_count || infos);
		plan->items->pending += item->pending;
	}
}

/* As all devices with this form are asked, unless it learned to ask for less. */
static const struct form_text *
usual_question(const struct plan *plan, const struct ask_limit *limit)
{
	const struct form_text *text = plan->items->usual ? plan->form->text : NULL;

	return text != NULL && !plan->one_by_one && text->count - 1 <= limit->varbinds &&
		limit->bytes >= FORM_ANSWER_BYTES ? text : NULL;
}

bool
plan_next(struct plan *plan, const struct ask_context *context, const struct ask_limit *limit,
	struct ask *ask)
{
	size_t bytes = 0, most = plan->one_by_one ? 1 : limit->varbinds, oid_count;

	ask->op = SESSION_GET;
	ask->max_repetitions = 0;
	ask->count = 0;
	ask->usual = NULL;
	ask->list_size = 0;
	if (plan->items->pending == 0)
		return false;
	ask->usual = usual_question(plan, limit);
	if (ask->usual != NULL) {
		ask->count = ask->usual->count - 1;
		return true;
	}
	for (size_t i = 0; i < plan->form->count && ask->count < most && ask->count < ASK_MAX - 1; i++) {
		const struct item *item = &plan->items->list[i];
		const struct snmp_oid *oid;

		if (!item->pending)
			continue;
		oid = oids_of(plan, context->group, i, &oid_count) + item->used;
		bytes += form_bytes(context->group, i, oid);
		if (bytes > limit->bytes && ask->count > 0)
			break;
		ask->oids[1 + ask->count] = *oid;
		ask->what[ask->count++] = (uint16_t)i;
	}
	return ask->count > 0;
}

/* ---- what came back ---- */

static void
settle(struct plan *plan, struct item *item)
{
	plan->items->pending -= item->pending;
	item->pending = false;
}

static void
tell_reason(const struct ask_context *context, size_t point, uint8_t reason, int64_t received)
{
	struct reading reading = { .row = TASK_SCALAR, .point = (uint32_t)point,
		.reason = reason, .received = received };

	task_reading(context->task, &reading);
}

static void
take_value(struct plan *plan, const struct ask_context *context, size_t i,
	const struct value *value, int64_t received, struct readings *values)
{
	const struct point *point = &context->group->points[i];
	const struct snmp_point *wire = point->wire;
	struct item *item = &plan->items->list[i];
	struct reading reading = { .row = TASK_SCALAR, .point = (uint32_t)i,
		.received = received, .since = context->since };
	static char line[256]; /* not cleared for each value */

	value_read(value, point, wire->scales != NULL ? wire->scales[item->used] : 1, &reading,
		line, sizeof line);
	if (reading.reason == REASON_GOOD && item->generation != context->generation) {
		reading.discontinuity = true;
		item->generation = context->generation;
		plan->items->unlike = true;
	}
	readings_put(values, context->task, &reading);
}

/* The agent lacks this alternative: the next one, and after the last the verdict. */
static void
item_missing(struct plan *plan, const struct ask_context *context, size_t i, int64_t received)
{
	struct item *item = &plan->items->list[i];
	size_t count;

	plan->items->unlike = true;
	oids_of(plan, context->group, i, &count);
	/* Another one counts from another beginning or to another end. Before the first one there may
	 * be a reading of a former process, by the one that is found now. */
	if (item->used > 0)
		item->generation = (uint16_t)(context->generation - 1);
	item->used = (uint8_t)((item->used + 1u) % count);
	if (++item->tried < count)
		return;
	settle(plan, item);
	item->used = 0;
	if (i < plan->form->point_count)
		tell_reason(context, i, REASON_NO_SUCH_OBJECT, received);
	if (context->version == 1)
		leave_out(item, context->now);
}

static void
item_failed(struct plan *plan, const struct ask_context *context, size_t i, uint8_t reason,
	int64_t received)
{
	settle(plan, &plan->items->list[i]);
	if (i < plan->form->point_count)
		tell_reason(context, i, reason, received);
}

static void
item_answered(struct plan *plan, const struct ask_context *context, size_t i,
	const struct varbind *varbind, int64_t received, struct readings *values)
{
	const struct snmp_group *wire = context->group->wire;
	static char line[256];

	if (!value_is_there(&varbind->value)) {
		item_missing(plan, context, i, received);
		return;
	}
	settle(plan, &plan->items->list[i]);
	plan->items->list[i].misses = 0;
	if (i < plan->form->point_count)
		take_value(plan, context, i, &varbind->value, received, values);
	else
		task_info(context->task, TASK_SCALAR, wire->infos[i - plan->form->point_count].name,
			value_text(line, sizeof line, &varbind->value));
}

static size_t
what_of(const struct ask *ask, size_t i)
{
	return ask->usual != NULL ? i : ask->what[i];
}

void
plan_feed(struct plan *plan, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer)
{
	static struct readings values; /* not cleared for each answer */
	size_t at = (size_t)answer->error_index;

	plan->items->usual = false;
	if (answer->reason != REASON_GOOD) {
		item_failed(plan, context, what_of(ask, 0), answer->reason, answer->received);
		return;
	}
	if (answer->error_status == 0) {
		values.row = TASK_SCALAR;
		values.since = context->since;
		for (size_t i = 0; i < ask->count; i++)
			item_answered(plan, context, what_of(ask, i), &answer->varbinds[i],
				answer->received, &values);
		readings_tell(&values, context->task);
		return;
	}
	/* An error concerns one object; the rest is asked for again without it. */
	if (at == 0 && ask->count > 1) {
		plan->one_by_one = true;
		return;
	}
	at = at == 0 ? 0 : at - 1;
	if (answer->error_status == SESSION_ERROR_NO_SUCH_NAME)
		item_missing(plan, context, what_of(ask, at), answer->received);
	else
		item_failed(plan, context, what_of(ask, at), REASON_BAD_REPLY, answer->received);
}

void
plan_end(struct plan *plan, const struct ask_context *context)
{
	if (!plan->items->unlike)
		return;
	for (size_t i = 0; i < plan->form->point_count; i++) {
		const struct item *item = &plan->items->list[i];

		/* plan_begin has cleared it where the time is over. */
		if (item->absent_until != 0 && item->tried == 0)
			tell_reason(context, i, REASON_NO_SUCH_OBJECT, context->now);
	}
}

/* Is nothing to be kept, but perhaps one generation of all? Then that is the plan's. */
static bool
are_alike(struct plan *plan)
{
	const struct item *list = plan->items->list;
	uint16_t generation = plan->form->point_count > 0 ? list[0].generation : 0;

	if (!plan->items->unlike)
		return true;
	for (size_t i = 0; i < plan->form->count; i++)
		if (list[i].used != 0 || list[i].misses != 0 ||
			(i < plan->form->point_count && list[i].generation != generation))
			return false;
	plan->generation = generation;
	return true;
}

void
plan_rest(struct plan *plan, struct plan_shared *shared)
{
	if (plan->items == NULL || !are_alike(plan))
		return;
	items_release(shared, plan->items, plan->form->count);
	plan->items = NULL;
}

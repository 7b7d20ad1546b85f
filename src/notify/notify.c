#include "notify/notify.h"

#include <stdlib.h>
#include <string.h>

#include "alarm/transition.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "notify/engine.h"
#include "notify/receiver.h"
#include "notify/spool.h"
#include "snmp/mux.h"
#include "snmp/v3.h"

/* Journal number of a notice that was replayed: it is sent after this run's first commit,
 * which has it in its snapshot. What was read at start may not have reached the disk yet. */
#define REPLAYED 1

/* A receiver and what the journal says of it. */
struct seat {
	struct receiver *receiver;
	bool known; /* the journal knows it: it has a right to what was committed since */
};
struct notify {
	struct notify_options options;
	struct mux *mux;
	struct v3_world *world;
	struct engine *engine; /* from the first TRAP receiver of version 3 on */
	struct seat *seats;
	size_t count;
	char *poller;
	uint64_t committed; /* newest journal record on disk */
	uint32_t newest;    /* newest number seen */
	bool begun;
};

static void delivered(void *arg, struct receiver *receiver, uint32_t sequence);

static void
seat_open(struct notify *notify, const struct receiver_options *options)
{
	struct receiver_parts parts = { .loop = notify->options.loop, .mux = notify->mux,
		.world = notify->world, .engine = notify->engine,
		.poller = notify->poller, .committed = &notify->committed, .done = delivered,
		.arg = notify };
	struct fail why;
	struct receiver *receiver = receiver_open(&parts, options, &why);

	if (receiver == NULL) {
		log_error("receiver %s: gets nothing: %s", options->name, why.text);
		return;
	}
	notify->seats = mem_grow(notify->seats, notify->count + 1, sizeof *notify->seats);
	notify->seats[notify->count++] = (struct seat){ .receiver = receiver };
}

/* Once for all the time that the poller runs: a reload is no boot. */
static void
open_engine(struct notify *notify, const struct inventory *inventory)
{
	const struct receiver_options *options = inventory->receivers;
	struct fail why;
	bool wanted = false;

	for (size_t r = 0; r < inventory->receiver_count; r++)
		wanted = wanted || (options[r].version == 3 && !options[r].inform);
	if (!wanted || notify->engine != NULL)
		return;
	notify->engine = engine_open(notify->options.loop, inventory->poller.state_dir, &why);
	if (notify->engine == NULL)
		log_error("SNMPv3 TRAPs: %s", why.text);
}

static void
open_seats(struct notify *notify, const struct inventory *inventory)
{
	const struct receiver_options *options = inventory->receivers;

	open_engine(notify, inventory);
	notify->seats = NULL;
	notify->count = 0;
	for (size_t r = 0; r < inventory->receiver_count; r++)
		seat_open(notify, &options[r]);
}

static const char *
poller_name(const struct inventory *inventory)
{
	return inventory->poller.name != NULL ? inventory->poller.name : "";
}

struct notify *
notify_new(const struct notify_options *options, const struct inventory *inventory)
{
	struct notify *notify = mem_zero(sizeof *notify);

	notify->options = *options;
	notify->mux = mux_new(options->loop);
	notify->world = v3_world_new(options->loop);
	notify->poller = mem_text(poller_name(inventory));
	open_seats(notify, inventory);
	return notify;
}

void
notify_free(struct notify *notify)
{
	if (notify == NULL)
		return;
	for (size_t s = 0; s < notify->count; s++)
		receiver_close(notify->seats[s].receiver);
	free(notify->seats);
	mux_free(notify->mux);
	v3_world_free(notify->world);
	engine_close(notify->engine);
	free(notify->poller);
	free(notify);
}

static struct seat *
find_seat(struct notify *notify, const char *name)
{
	for (size_t s = 0; s < notify->count; s++)
		if (strcmp(receiver_name(notify->seats[s].receiver), name) == 0)
			return &notify->seats[s];
	return NULL;
}

/* ---- what is sent ---- */

static void
record_notified(struct notify *notify, const char *name, uint32_t sequence)
{
	struct record_buffer body = { 0 };

	record_put_text(&body, name);
	record_put_u32(&body, sequence);
	/* If the journal takes nothing, the notice comes again after a restart: allowed. */
	notify->options.record(notify->options.arg, KIND_NOTIFIED, body.bytes, body.used);
	record_buffer_free(&body);
}

static void
delivered(void *arg, struct receiver *receiver, uint32_t sequence)
{
	record_notified(arg, receiver_name(receiver), sequence);
}

static void
offer(struct notify *notify, const struct transition *transition, uint64_t journal)
{
	struct notice *notice;

	if (transition->sequence == 0)
		return;
	if (transition->sequence > notify->newest)
		notify->newest = transition->sequence;
	notice = notice_new(transition, journal);
	for (size_t s = 0; s < notify->count; s++)
		if (notify->seats[s].known)
			spool_push(receiver_spool(notify->seats[s].receiver), notice);
	notice_release(notice);
}

void
notify_changed(void *arg, const struct transition *transition, uint64_t journal)
{
	offer(arg, transition, journal);
}

static void
kick_all(struct notify *notify)
{
	for (size_t s = 0; s < notify->count; s++)
		receiver_kick(notify->seats[s].receiver);
}

void
notify_committed(struct notify *notify, uint64_t journal)
{
	notify->committed = journal;
	if (notify->begun)
		kick_all(notify);
}

/* A receiver that the journal does not know begins here; what was before is not its. */
static void
introduce(struct notify *notify)
{
	for (size_t s = 0; s < notify->count; s++) {
		struct seat *seat = &notify->seats[s];

		if (seat->known)
			continue;
		seat->known = true;
		record_notified(notify, receiver_name(seat->receiver), notify->newest);
	}
}

void
notify_begin(struct notify *notify)
{
	notify->begun = true;
	introduce(notify);
	kick_all(notify);
}

void
notify_configure(struct notify *notify, const struct inventory *inventory)
{
	struct seat *old = notify->seats;
	size_t old_count = notify->count;

	free(notify->poller);
	notify->poller = mem_text(poller_name(inventory));
	open_seats(notify, inventory);
	for (size_t o = 0; o < old_count; o++) {
		struct spool *from = receiver_spool(old[o].receiver);
		struct seat *seat = find_seat(notify, receiver_name(old[o].receiver));

		/* What was under way is asked anew: a repeat is allowed. */
		for (size_t i = 0; seat != NULL && i < from->count; i++)
			spool_push(receiver_spool(seat->receiver), from->items[from->first + i]);
		if (seat != NULL) {
			receiver_spool(seat->receiver)->lost += from->lost;
			seat->known = old[o].known;
			receiver_count_on(seat->receiver, old[o].receiver);
		}
		receiver_close(old[o].receiver);
	}
	free(old);
	if (notify->begun)
		notify_begin(notify);
}

/* ---- over a restart ---- */

/* All notices that somebody waits for, once each and in order. */
static size_t
collect(struct notify *notify, struct notice ***all)
{
	size_t count = 0, most = 0;
	size_t *at = mem_array(notify->count, sizeof *at);

	for (size_t s = 0; s < notify->count; s++)
		most += receiver_spool(notify->seats[s].receiver)->count;
	*all = mem_array(most, sizeof **all);
	for (;;) {
		struct notice *next = NULL;

		for (size_t s = 0; s < notify->count; s++) {
			struct spool *spool = receiver_spool(notify->seats[s].receiver);
			struct notice *notice = at[s] < spool->count ?
				spool->items[spool->first + at[s]] : NULL;

			if (notice != NULL && (next == NULL ||
					notice->transition.sequence < next->transition.sequence))
				next = notice;
		}
		if (next == NULL)
			break;
		(*all)[count++] = next;
		for (size_t s = 0; s < notify->count; s++) {
			struct spool *spool = receiver_spool(notify->seats[s].receiver);

			if (at[s] < spool->count && spool->items[spool->first +
					at[s]]->transition.sequence == next->transition.sequence)
				at[s]++;
		}
	}
	free(at);
	return count;
}

void
notify_snapshot(struct notify *notify,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg)
{
	struct record_buffer body = { 0 };
	struct notice **all;
	size_t count = collect(notify, &all);
	uint32_t known = 0;

	record_put_u32(&body, notify->newest);
	record_put_u32(&body, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		transition_put(&all[i]->transition, &body);
	for (size_t s = 0; s < notify->count; s++)
		known += notify->seats[s].known;
	record_put_u32(&body, known);
	for (size_t s = 0; s < notify->count; s++) {
		struct spool *spool = receiver_spool(notify->seats[s].receiver);

		if (!notify->seats[s].known)
			continue;
		record_put_text(&body, receiver_name(notify->seats[s].receiver));
		record_put_u64(&body, spool->lost);
		record_put_u32(&body, (uint32_t)spool->count);
		for (size_t i = 0; i < spool->count; i++)
			record_put_u32(&body, spool->items[spool->first + i]->transition.sequence);
	}
	put(arg, KIND_NOTIFY_STATE, body.bytes, body.used);
	record_buffer_free(&body);
	free(all);
}

static struct notice *
find_notice(struct notice **all, size_t count, uint32_t sequence)
{
	for (size_t low = 0, high = count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (all[middle]->transition.sequence == sequence)
			return all[middle];
		if (all[middle]->transition.sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void
replay_seat(struct notify *notify, struct record_cursor *cursor, struct notice **all,
	size_t count)
{
	char name[64];
	struct seat *seat;
	uint64_t lost;

	record_get_text(cursor, name, sizeof name);
	lost = record_get_u64(cursor);
	seat = cursor->failed ? NULL : find_seat(notify, name);
	if (seat != NULL) {
		struct spool *spool = receiver_spool(seat->receiver);

		/* A snapshot is the whole truth: it replaces what was known. */
		spool_done(spool, UINT32_MAX);
		spool->lost = lost;
		seat->known = true;
	}
	for (uint32_t left = record_get_u32(cursor); left > 0 && !cursor->failed; left--) {
		struct notice *notice = find_notice(all, count, record_get_u32(cursor));

		if (seat != NULL && notice != NULL && !cursor->failed)
			spool_push(receiver_spool(seat->receiver), notice);
	}
}

static int
replay_state(struct notify *notify, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	uint32_t newest = record_get_u32(&cursor), left = record_get_u32(&cursor);
	struct notice **all = NULL;
	size_t count = 0;
	struct transition transition;

	for (; left > 0 && !cursor.failed; left--) {
		if (transition_get(&transition, &cursor) == -1)
			continue;
		all = mem_grow(all, count + 1, sizeof *all);
		all[count++] = notice_new(&transition, REPLAYED);
	}
	for (left = record_get_u32(&cursor); left > 0 && !cursor.failed; left--)
		replay_seat(notify, &cursor, all, count);
	for (size_t i = 0; i < count; i++)
		notice_release(all[i]);
	free(all);
	if (cursor.failed)
		return -1;
	notify->newest = newest;
	return 0;
}

static int
replay_notified(struct notify *notify, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	char name[64];
	uint32_t sequence;
	struct seat *seat;

	record_get_text(&cursor, name, sizeof name);
	sequence = record_get_u32(&cursor);
	if (cursor.failed)
		return -1;
	seat = find_seat(notify, name);
	if (seat == NULL)
		return 0;
	seat->known = true;
	spool_done(receiver_spool(seat->receiver), sequence);
	return 0;
}

int
notify_replay(struct notify *notify, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	struct transition transition;

	switch (record->kind) {
	case KIND_NOTIFY_STATE:
		return replay_state(notify, record);
	case KIND_NOTIFIED:
		return replay_notified(notify, record);
	case KIND_ALARM:
		if (transition_get(&transition, &cursor) == -1)
			return -1;
		offer(notify, &transition, REPLAYED);
		return 0;
	default:
		return 0;
	}
}

/* ---- for others to see ---- */

uint64_t
notify_lost(struct notify *notify)
{
	uint64_t lost = 0;

	for (size_t s = 0; s < notify->count; s++)
		lost += receiver_spool(notify->seats[s].receiver)->lost;
	return lost;
}

void
notify_each(struct notify *notify,
	void (*each)(void *arg, const struct receiver_view *view), void *arg)
{
	for (size_t s = 0; s < notify->count; s++) {
		struct receiver *receiver = notify->seats[s].receiver;
		struct receiver_counters counters = receiver_counters(receiver);
		struct receiver_view view = { .name = receiver_name(receiver),
			.address = receiver_address(receiver),
			.version = receiver_version(receiver), .engine = "",
			.inform = receiver_informs(receiver),
			.waiting = receiver_spool(receiver)->count, .sent = counters.sent,
			.done = counters.done, .repeated = counters.repeated,
			.lost = receiver_spool(receiver)->lost };

		if (view.version == 3 && !view.inform)
			view.engine = engine_id(notify->engine);
		view.silent = receiver_is_silent(receiver, &view.silent_since);
		each(arg, &view);
	}
}

#include "scenario/plant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/feed.h"
#include "core/series.h"
#include "fake/loop_sim.h"

/* What was told up to this long before a kill may not have been committed. */
#define COMMIT_MARGIN (200 * LOOP_MS)
/* A poll of this plant is over after that at the latest, whatever happens. */
#define POLL_MOST (20 * LOOP_S)
/* Between two requests of one poll: the time-out of the first, a new connection. */
#define PAUSE_MOST (5 * LOOP_S)
/* A line whose connect failed refuses at once for up to this long. */
#define BACKOFF_MOST (61 * LOOP_S)

/* ---- chance ---- */

uint64_t
plant_random(struct plant *plant)
{
	uint64_t z = plant->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

double
plant_chance(struct plant *plant)
{
	return (double)(plant_random(plant) >> 11) / 9007199254740992.0;
}

int64_t
plant_between(struct plant *plant, int64_t low, int64_t high)
{
	return low + (int64_t)(plant_random(plant) % (uint64_t)(high - low + 1));
}

/* ---- what points serve ---- */

void
plant_boot(struct plant *plant, struct plant_device *device)
{
	(void)plant;
	device->boots++;
	device->boot_at = loop_sim_now();
	memset(device->start, 0, sizeof device->start);
}

uint64_t
plant_raw(const struct plant_device *device, size_t i, int64_t mono)
{
	const struct plant_point *point = &device->points[i];
	int64_t key[2] = { mono / LOOP_S, (int64_t)i };
	uint64_t mask = point->bits >= 64 ? UINT64_MAX : (UINT64_C(1) << point->bits) - 1;

	if (point->kind == POINT_COUNTER)
		return (device->start[i] + (uint64_t)((double)(mono - device->boot_at) / 1e9 *
			point->rate)) & mask;
	return (str_hash(key, sizeof key) ^ str_hash(device->name, strlen(device->name))) % 60000;
}

double
plant_value(const struct plant_point *point, uint64_t raw)
{
	if (point->real)
		return (double)raw / 8 * point->scale;
	if (point->is_signed)
		return (double)(int16_t)raw * point->scale;
	return (double)raw * point->scale;
}

/* ---- polls ---- */

static const struct exchange *
last_of(const struct poll *poll)
{
	return poll->count > 0 ? &poll->exchanges[poll->count - 1] : NULL;
}

/* The last request that asked for that point decides. */
static const struct exchange *
covering(const struct poll *poll, size_t point)
{
	for (unsigned n = poll->count; n > 0; n--)
		if (poll->exchanges[n - 1].points & UINT32_C(1) << point)
			return &poll->exchanges[n - 1];
	return NULL;
}

/* The reason that a reading of that exchange must have, and its value; moves the base. */
static uint8_t
settle(struct plant_device *device, size_t i, const struct exchange *e, double *value)
{
	const struct plant_point *point = &device->points[i];
	struct counter_base *base = &device->base[i], former = *base;
	uint64_t delta = e->raw[i] - former.raw;

	device->poll.settled |= UINT32_C(1) << i;
	device->asleep &= ~(UINT32_C(1) << i);
	*value = plant_value(point, e->raw[i]);
	if (point->kind != POINT_COUNTER)
		return REASON_GOOD;
	*base = (struct counter_base){ true, e->raw[i], e->ended, e->boots };
	if (!former.known || e->ended - former.at > 10 * device->truth.step)
		return REASON_FIRST;
	if (former.boots != e->boots)
		return REASON_DISCONTINUITY;
	if (point->bits < 64)
		delta &= (UINT64_C(1) << point->bits) - 1;
	/* When a reading came counts in whole microseconds. */
	*value = (double)delta / ((double)(e->ended / 1000 - former.at / 1000) / 1e6) * point->scale;
	return REASON_GOOD;
}

static bool
is_loss(uint8_t reason)
{
	return reason == REASON_TIMEOUT || reason == REASON_BAD_REPLY ||
		reason == REASON_GATEWAY || reason == REASON_UNREACHABLE ||
		reason == REASON_WRONG_SOURCE || reason == REASON_REFUSED;
}

static bool
is_snmp(const struct plant_device *device)
{
	return device->host == NULL;
}

/* How the tries of the last request ended, once none of them was answered. */
static uint8_t
failure(const struct poll *poll)
{
	static const uint8_t told[] = { REASON_WRONG_SOURCE, REASON_BAD_REPLY };

	for (size_t i = 0; i < sizeof told; i++)
		for (unsigned n = poll->count; n > 0 && !poll->exchanges[n - 1].answered; n--)
			if (poll->exchanges[n - 1].reason == told[i])
				return told[i];
	return last_of(poll)->reason;
}

/* Refused as a whole, then asked for in pieces. */
static bool
broken_up(const struct poll *poll, const struct exchange *e)
{
	return e->reason == REASON_EXCEPTION + 2 && e < last_of(poll) &&
		(e[1].points & ~e->points) == 0 && e[1].points != e->points;
}

/* A point that was not asked for any more shares the fate of the request that ended the poll. */
static const struct exchange *
deciding(const struct poll *poll, size_t point)
{
	const struct exchange *e = covering(poll, point), *last = last_of(poll);

	if (last != NULL && is_loss(last->reason) && (e == NULL || broken_up(poll, e)))
		return last;
	return e;
}

/* Who ends the poller's work on a device, when, and as what it then closes the slot. */
struct cut {
	int64_t until, margin; /* mono; margin: what was told so late may be lost */
	uint8_t reason;
};
static const struct cut uncut = { INT64_MAX, 0, TRUTH_OPEN };

/* The next request of that poll could not be sent any more: no connection. */
static const struct failed_connect *
failed_after(const struct plant_host *host, const struct exchange *last)
{
	const struct failed_connect *found = NULL;

	for (size_t n = host->failed_count; n > 0 && host->failed[n - 1].mono >= last->ended; n--)
		if (host->failed[n - 1].mono < last->ended + PAUSE_MOST)
			found = &host->failed[n - 1];
	return found;
}

/* The asker ends its poll after this many losses: two in a row, or one when cautious. */
static bool
gives_up(const struct poll *poll)
{
	unsigned timeouts = 0;
	bool cautious = poll->cautious;

	for (unsigned n = 0; n < poll->count; n++) {
		if (poll->exchanges[n].answered)
			cautious = false;
		timeouts = poll->exchanges[n].answered ? 0 :
			timeouts + (poll->exchanges[n].reason == REASON_TIMEOUT);
	}
	return cautious || timeouts >= 2;
}

/* A register that the device has not is asked for by each poll; one that comes less than half of
 * the interval later, as after a step of the clock, takes what was said last. */
static bool
is_known_to_be_missing(const struct plant_device *device, size_t i)
{
	const struct poll *poll = &device->poll;

	return device->refused_at[i] != 0 && poll->count > 0 && last_of(poll)->answered &&
		poll->exchanges[0].sent - device->refused_at[i] < device->truth.step / 2;
}

static void
note_refusal(struct plant_device *device, size_t i, const struct exchange *e)
{
	if (e != NULL)
		device->refused_at[i] = e->reason == REASON_EXCEPTION + 2 &&
			!broken_up(&device->poll, e) ? e->ended : 0;
}

/* What became of a point in this poll, and when the poller knew; false while it is open. */
static bool
outcome(const struct plant_device *device, size_t i, uint8_t *reason, int64_t *told)
{
	const struct poll *poll = &device->poll;
	const struct exchange *e = deciding(poll, i), *last = last_of(poll);
	const struct failed_connect *failed = is_snmp(device) || e == covering(poll, i) ? NULL :
		failed_after(device->host, last);

	if (failed != NULL) {
		*reason = REASON_UNREACHABLE;
		*told = failed->ended;
		return true;
	}
	if (e == NULL && device->table && last->answered) {
		*reason = REASON_NO_SUCH_ROW;
		*told = last->ended;
		return true;
	}
	if (e == NULL && is_known_to_be_missing(device, i)) {
		*reason = REASON_EXCEPTION + 2;
		*told = last->ended;
		return true;
	}
	if (e == NULL)
		return false;
	*told = device->table ? last->ended : e->ended;
	*reason = is_snmp(device) && is_loss(e->reason) ? failure(poll) : e->reason;
	if (e->reason == REASON_GOOD && e->missing & UINT32_C(1) << i)
		*reason = REASON_NO_SUCH_OBJECT;
	if (e != covering(poll, i) && e->refused_next && !gives_up(poll))
		*reason = REASON_BREAKER;
	return true;
}

/* A row that has been gone for `retire` is not expected any more. */
static void
note_row(struct plant_device *device, size_t i, uint8_t reason)
{
	int64_t mono = last_of(&device->poll)->ended;

	if (reason != REASON_NO_SUCH_ROW) {
		if (reason == REASON_GOOD)
			device->gone_since[i] = 0;
		return;
	}
	if (device->gone_since[i] == 0)
		device->gone_since[i] = mono;
	else if (mono - device->gone_since[i] >= device->group.retire)
		device->asleep |= UINT32_C(1) << i;
}

static void
say_point(struct plant_device *device, size_t i, const struct cut *cut)
{
	struct poll *poll = &device->poll;
	const struct exchange *e = covering(poll, i);
	uint8_t reason, other = TRUTH_OPEN;
	uint32_t bit = UINT32_C(1) << i;
	int64_t told;
	double value;
	bool known;

	if (device->asleep & bit && (e == NULL || e->reason != REASON_GOOD))
		return;
	known = outcome(device, i, &reason, &told) && told <= cut->until;
	note_refusal(device, i, e);
	if (!known) {
		if (!(device->asleep & bit))
			device->cut = poll->slot;
		return;
	}
	/* Perhaps another request would have followed. */
	if (cut->until - told < PAUSE_MOST && (e == NULL || e->reason == REASON_EXCEPTION + 2 ||
		(is_snmp(device) && is_loss(reason))))
		other = cut->reason;
	if (told > cut->until - cut->margin)
		other = cut->reason;
	if (poll->at_step || (e != NULL && e->doubtful))
		other = TRUTH_ANY;
	if (device->table)
		note_row(device, i, reason);
	/* A slot that was closed before is polled again when a poller starts behind its own
	 * clock; nothing is taken of that. */
	if (reason == REASON_GOOD && !(poll->settled & bit) &&
		truth_cell(&device->truth, i, poll->slot) != NULL &&
		truth_cell(&device->truth, i, poll->slot)->reason == TRUTH_OPEN)
		reason = settle(device, i, e, &value);
	if (!truth_say(&device->truth, i, poll->slot, reason, other) && other != TRUTH_OPEN)
		truth_or(&device->truth, i, poll->slot, other);
}

/* Why nothing of this poll was answered: how its last request ended, or that there was no
 * connection for another one. */
static uint8_t
why_silent(const struct plant_device *device)
{
	const struct poll *poll = &device->poll;

	for (size_t i = 0; i < device->point_count && !is_snmp(device); i++)
		if (deciding(poll, i) != covering(poll, i) &&
			failed_after(device->host, last_of(poll)) != NULL)
			return REASON_UNREACHABLE;
	return is_snmp(device) ? failure(poll) : last_of(poll)->reason;
}

static void
say_health(struct plant_device *device, const struct cut *cut)
{
	struct poll *poll = &device->poll;
	const struct exchange *last = last_of(poll);
	size_t health = device->point_count;
	uint8_t other = TRUTH_OPEN, rtt;

	if (last == NULL || last->ended > cut->until) {
		device->cut = poll->slot;
		return;
	}
	rtt = why_silent(device);
	for (unsigned n = 0; n < poll->count; n++)
		if (poll->exchanges[n].answered)
			rtt = REASON_GOOD;
	if (cut->until - last->ended < PAUSE_MOST || last->ended > cut->until - cut->margin)
		other = cut->reason;
	for (unsigned n = 0; n < poll->count; n++)
		if (poll->at_step || poll->exchanges[n].doubtful)
			other = TRUTH_ANY;
	truth_say(&device->truth, health + HEALTH_UP, poll->slot, REASON_GOOD, other);
	truth_say(&device->truth, health + HEALTH_RTT, poll->slot, rtt, other);
	truth_say(&device->truth, health + HEALTH_LOSS, poll->slot, REASON_GOOD, other);
}

/* Writes what is known of the current poll. */
static void
conclude(struct plant_device *device, const struct cut *cut)
{
	if (!device->poll.open)
		return;
	for (size_t i = 0; i < device->point_count && device->poll.count > 0; i++)
		say_point(device, i, cut);
	if (device->poll.count > 0)
		say_health(device, cut);
	device->poll.open = false;
}

/* Its newest poll got no answer at all. Slots without any connection change nothing of that. */
static bool
silent(const struct plant_device *device)
{
	const struct poll *poll = &device->poll;

	for (unsigned n = 0; n < poll->count; n++)
		if (poll->exchanges[n].answered)
			return false;
	return poll->count > 0 && !device->fresh;
}

struct exchange *
plant_request(struct plant *plant, struct plant_device *device, int64_t sent)
{
	struct poll *poll = &device->poll;
	int64_t wall = loop_wall(plant->loop);
	/* Timers may run a millisecond early by the wall's clock. */
	int64_t slot = truth_slot_at(&device->truth, wall + 2 * LOOP_MS);
	struct exchange *e;

	plant->requests++;
	if (poll->open && poll->slot != slot && sent < device->step_until && poll->at_step)
		slot = poll->slot;
	if (!poll->open || poll->slot != slot) {
		bool cautious = silent(device);

		conclude(device, &uncut);
		device->fresh = false;
		*poll = (struct poll){ .open = true, .slot = slot, .cautious = cautious };
	}
	e = &poll->exchanges[poll->count < PLANT_EXCHANGES ? poll->count++ : PLANT_EXCHANGES - 1];
	*e = (struct exchange){ .sent = sent, .boots = device->boots };
	return e;
}

static bool
is_expected(const struct plant_device *device, size_t i, int64_t slot)
{
	return slot >= device->first &&
		(i >= device->point_count || !(device->asleep & UINT32_C(1) << i));
}

/* ---- slots without a request: the connection could not be made ---- */

static const struct failed_connect *
failed_before(const struct plant_host *host, int64_t due)
{
	for (size_t n = host->failed_count; n > 0; n--) {
		const struct failed_connect *f = &host->failed[n - 1];

		if (f->wall < due - BACKOFF_MOST)
			break;
		if (f->wall <= due + POLL_MOST / 2)
			return f;
	}
	return NULL;
}

static void
say_unreachable(struct plant_device *device, int64_t slot, uint8_t other)
{
	size_t health = device->point_count;

	for (size_t i = 0; i < device->point_count; i++)
		truth_say(&device->truth, i, slot, REASON_UNREACHABLE, other);
	truth_say(&device->truth, health + HEALTH_UP, slot, REASON_GOOD, other);
	truth_say(&device->truth, health + HEALTH_RTT, slot, REASON_UNREACHABLE, other);
	truth_say(&device->truth, health + HEALTH_LOSS, slot, REASON_GOOD, other);
}

/* Slots whose poll was due before `wall` and is surely over. */
static void
look_at(struct plant_device *device, int64_t wall)
{
	for (; truth_due(&device->truth, device->checked) <= wall; device->checked++) {
		int64_t slot = device->checked, due = truth_due(&device->truth, slot);
		const struct failed_connect *f;

		if (device->poll.open && device->poll.slot == slot)
			continue;
		f = device->host != NULL ? failed_before(device->host, due) : NULL;
		if (f != NULL)
			say_unreachable(device, slot, TRUTH_OPEN);
	}
}

void
plant_look(struct plant *plant)
{
	int64_t wall = loop_wall(plant->loop);

	for (size_t i = 0; i < plant->device_count; i++)
		if (plant->devices[i].active)
			look_at(&plant->devices[i], wall - POLL_MOST);
}

/* The poll that is due but has neither an outcome nor a request when the poller is cut off. */
static void
cut_waiting(struct plant_device *device, int64_t wall, const struct cut *cut)
{
	int64_t slot = truth_slot_at(&device->truth, wall), due = truth_due(&device->truth, slot);
	const struct truth_cell *cell = truth_cell(&device->truth,
		device->point_count + HEALTH_UP, slot);
	const struct failed_connect *f;

	if (cell == NULL || cell->reason != TRUTH_OPEN || slot < device->first ||
		due < wall - POLL_MOST || device->cut == slot)
		return;
	f = device->host != NULL ? failed_before(device->host, due) : NULL;
	if (f != NULL && f->ended <= cut->until)
		say_unreachable(device, slot, cut->reason);
	else if ((f != NULL || due > wall - PAUSE_MOST) && device->cut == 0)
		device->cut = slot;
}

/* ---- what happens to the poller ---- */

/* A forward step's slots are closed when the next poll begins: did one begin before `wall`? */
static bool
step_is_closed(const struct plant_device *device, int64_t wall)
{
	return device->step_first == 0 ||
		truth_due(&device->truth, device->step_last + 1) <= wall;
}

/* The poller ends, or forgets the device: what a step skipped is then closed as `reason`, or
 * by the next process (TRUTH_OPEN). */
static void
reopen_skipped(struct plant_device *device, int64_t wall, uint8_t reason)
{
	bool closed = step_is_closed(device, wall), surely = step_is_closed(device, wall - LOOP_S);

	for (int64_t slot = device->step_first; !surely && slot <= device->step_last; slot++)
		for (size_t i = 0; i < device->truth.series; i++) {
			struct truth_cell *cell = truth_cell(&device->truth, i, slot);

			if (cell == NULL || cell->reason != REASON_CLOCK_STEP)
				continue;
			if (closed)
				cell->other = reason == TRUTH_OPEN ? REASON_POLLER_DOWN : reason;
			else
				*cell = (struct truth_cell){ reason, TRUTH_OPEN };
		}
	if (!closed && reason == TRUTH_OPEN)
		device->cut = device->step_first;
	device->step_first = 0;
}

void
plant_ended(struct plant *plant, bool orderly)
{
	int64_t wall = loop_wall(plant->loop);
	struct cut cut = { loop_mono(plant->loop), orderly ? 0 : COMMIT_MARGIN,
		REASON_POLLER_DOWN };

	plant_look(plant);
	for (size_t i = 0; i < plant->device_count; i++) {
		struct plant_device *device = &plant->devices[i];

		if (!device->active)
			continue;
		device->cut = 0;
		reopen_skipped(device, wall, TRUTH_OPEN);
		conclude(device, &cut);
		cut_waiting(device, wall, &cut);
		/* from here on the log says: nobody polled */
		device->checked = truth_slot_at(&device->truth, wall) + 1;
		device->step_until = 0;
		device->silences = 0;
		device->fresh = true;
		memset(device->gone_since, 0, sizeof device->gone_since);
		memset(device->refused_at, 0, sizeof device->refused_at);
	}
	plant->loop = NULL;
}

void
plant_started(struct plant *plant, struct loop *loop)
{
	int64_t wall = loop_wall(loop);

	plant->loop = loop;
	for (size_t n = 0; n < plant->device_count; n++) {
		struct plant_device *device = &plant->devices[n];
		int64_t from = device->cut != 0 ? device->cut : device->checked;

		if (!device->active)
			continue;
		if (device->first == 0)
			device->first = from = truth_slot_at(&device->truth, wall) + 1;
		for (int64_t slot = from; truth_due(&device->truth, slot) <= wall; slot++)
			for (size_t i = 0; i < device->truth.series; i++)
				if (is_expected(device, i, slot))
					truth_say(&device->truth, i, slot, REASON_POLLER_DOWN,
						TRUTH_OPEN);
		device->checked = truth_slot_at(&device->truth, wall) + 1;
		if (device->first > device->checked)
			device->checked = device->first;
		device->cut = 0;
	}
}

static void
anything_goes(struct plant_device *device, int64_t slot)
{
	for (size_t i = 0; i < device->truth.series; i++)
		if (is_expected(device, i, slot) &&
			!truth_say(&device->truth, i, slot, REASON_CLOCK_STEP, TRUTH_ANY))
			truth_or(&device->truth, i, slot, TRUTH_ANY);
}

static void
step_device(struct plant *plant, struct plant_device *device, int64_t from, int64_t to)
{
	int64_t mono = loop_mono(plant->loop);
	int64_t first = truth_slot_at(&device->truth, from) + 1;
	int64_t last = truth_slot_at(&device->truth, to);
	const struct exchange *newest = last_of(&device->poll);
	bool busy = from - truth_due(&device->truth, first - 1) < POLL_MOST;

	if (step_is_closed(device, from - LOOP_S))
		device->step_first = 0;
	if (newest != NULL && newest->sent <= mono - POLL_MOST)
		conclude(device, &uncut);
	device->step_until = mono + POLL_MOST;
	device->poll.at_step = device->poll.open && newest != NULL &&
		newest->sent > mono - POLL_MOST;
	/* In the middle of a poll, or of the silence after a failed connect: its time by the
	 * wall's clock does not tell to which slot a request belongs. */
	if (busy || device->poll.at_step) {
		plant->at_steps++;
		anything_goes(device, first - 1);
	}
	/* Due, but its request has not come yet: it will come with the new time. */
	if (busy && !device->poll.at_step) {
		conclude(device, &uncut);
		device->poll = (struct poll){ .open = true, .at_step = true, .slot = first - 1 };
	}
	if (truth_due(&device->truth, last + 1) < to + BACKOFF_MOST)
		anything_goes(device, last + 1);
	if (last < first)
		return;
	if (device->step_first == 0)
		device->step_first = first;
	for (int64_t slot = first; slot <= last; slot++)
		for (size_t i = 0; i < device->truth.series; i++)
			if (is_expected(device, i, slot))
				truth_say(&device->truth, i, slot, REASON_CLOCK_STEP, TRUTH_OPEN);
	device->step_last = last;
	device->checked = last + 1;
}

void
plant_stepped(struct plant *plant, int64_t from, int64_t to)
{
	for (size_t i = 0; i < plant->device_count; i++) {
		struct plant_device *device = &plant->devices[i];

		if (!device->active)
			continue;
		look_at(device, from - POLL_MOST);
		step_device(plant, device, from, to);
	}
}

void
plant_device_changed(struct plant *plant, struct plant_device *device, bool before, bool after)
{
	int64_t wall = loop_wall(plant->loop);
	int64_t next = truth_slot_at(&device->truth, wall) + 1;
	struct cut cut = { loop_mono(plant->loop), 0, after ? REASON_CONFIG : TRUTH_OPEN };

	if (before) {
		look_at(device, wall - POLL_MOST);
		device->cut = 0;
		reopen_skipped(device, wall, cut.reason);
		conclude(device, &cut);
		cut_waiting(device, wall, &cut);
		for (size_t i = 0; device->cut != 0 && after && i < device->truth.series; i++)
			if (is_expected(device, i, device->cut))
				truth_say(&device->truth, i, device->cut, REASON_CONFIG,
					TRUTH_OPEN);
	}
	if (after && !before)
		device->first = next;
	if (!after)
		for (size_t i = 1; i < plant->seen_count; i++)
			if (plant->seen[i].next != 0 &&
				&plant->devices[plant->seen[i].device] == device)
				plant->seen[i].next = 0;
	device->cut = 0;
	device->silences = 0;
	device->fresh = true;
	/* A counter of that name may be another one now. */
	memset(device->base, 0, sizeof device->base);
	memset(device->refused_at, 0, sizeof device->refused_at);
	device->checked = next;
	device->active = after;
}

int64_t
plant_settled_until(const struct plant *plant, const struct plant_device *device)
{
	int64_t slot = device->checked;

	if (!device->active || plant->loop == NULL)
		return INT64_MAX;
	if (device->poll.open && device->poll.slot < slot)
		slot = device->poll.slot;
	if (!step_is_closed(device, loop_wall(plant->loop) - POLL_MOST) && device->step_first < slot)
		slot = device->step_first;
	return slot;
}

/* ---- on the feed ---- */

static struct seen *
seen_of(struct plant *plant, const struct series *series)
{
	size_t length = strcspn(series->path, "/");
	const char *name = series->path + length + 1;
	static const char *const health[] = { "up", "rtt", "loss" };
	struct seen *seen;

	if (series->id >= plant->seen_count) {
		size_t count = series->id + 1024;

		plant->seen = mem_grow(plant->seen, count, sizeof *plant->seen);
		memset(plant->seen + plant->seen_count, 0,
			(count - plant->seen_count) * sizeof *plant->seen);
		plant->seen_count = count;
	}
	seen = &plant->seen[series->id];
	if (seen->next != 0 || seen->series != 0)
		return seen;
	for (uint32_t d = 0; d < plant->device_count; d++) {
		const struct plant_device *device = &plant->devices[d];

		if (strlen(device->name) != length || memcmp(device->name, series->path, length) != 0)
			continue;
		seen->device = d;
		for (size_t i = 0; i < device->point_count; i++)
			if (strcmp(device->points[i].name, name) == 0)
				seen->series = (int32_t)i;
		for (size_t i = 0; i < HEALTH_COUNT; i++)
			if (strcmp(health[i], name) == 0)
				seen->series = (int32_t)(device->point_count + i);
	}
	return seen;
}

struct plant_device *
plant_series(struct plant *plant, const struct series *series, size_t *i)
{
	const struct seen *seen = seen_of(plant, series);

	*i = (size_t)seen->series;
	return &plant->devices[seen->device];
}

static void
wrong(struct plant *plant, const struct sample *sample, const char *what, double wanted)
{
	char at[40];

	if (plant->wrong_values++ == 0)
		snprintf(plant->first_wrong, sizeof plant->first_wrong,
			"%s slot %lld (%s): %s %.9g, wanted %.9g", sample->series->path,
			(long long)sample->slot, str_utc(at, sizeof at, sample->slot *
			sample->series->step), what, sample->value, wanted);
}

/* A row that slept comes back with its first slot since. */
static void
check_order(struct plant *plant, struct seen *seen, int64_t first, int64_t last)
{
	const struct plant_device *device = &plant->devices[seen->device];
	bool slept = (size_t)seen->series < device->point_count &&
		(device->asleep & UINT32_C(1) << seen->series) != 0;

	if (seen->next != 0 && (slept ? first < seen->next : first != seen->next))
		plant->order_errors++;
	seen->next = last + 1;
}

static void
check_up(struct plant *plant, struct plant_device *device, const struct sample *sample)
{
	const struct poll *poll = &device->poll;
	double wanted = 0;

	/* which slot it was for is not known here either */
	if (poll->open && poll->at_step)
		return;
	for (unsigned n = 0; poll->open && poll->slot == sample->slot && n < poll->count; n++)
		if (poll->exchanges[n].answered && poll->exchanges[n].ended <= loop_mono(plant->loop))
			wanted = 1;
	plant->values_checked++;
	if (sample->value != wanted)
		wrong(plant, sample, "state", wanted);
}

/* A reading that the poller took for good, against what was served. */
static void
check_point(struct plant *plant, struct plant_device *device, size_t i,
	const struct sample *sample)
{
	const struct exchange *e = covering(&device->poll, i);
	double wanted, error;
	uint8_t reason;

	if (!device->poll.open || e == NULL ||
		(device->poll.slot != sample->slot && !device->poll.at_step) ||
		(e->reason != REASON_GOOD && !e->doubtful) ||
		e->ended > loop_mono(plant->loop) + (e->doubtful ? LOOP_TICK : 0)) {
		wrong(plant, sample, "nothing was answered, stored", (double)NAN);
		return;
	}
	reason = settle(device, i, e, &wanted);
	truth_say(&device->truth, i, sample->slot, reason, TRUTH_OPEN);
	if (sample->reason != REASON_GOOD || reason != REASON_GOOD)
		return;
	plant->values_checked++;
	error = fabs(sample->value - wanted);
	if (!(error <= 1e-9 * fabs(wanted) + 1e-12))
		wrong(plant, sample, "value", wanted);
}

static void
take_sample(void *arg, const struct sample *sample)
{
	struct plant *plant = arg;
	struct seen *seen = seen_of(plant, sample->series);
	struct plant_device *device = &plant->devices[seen->device];
	size_t i = (size_t)seen->series;

	check_order(plant, seen, sample->slot, sample->slot);
	if (isnan(sample->value) != (sample->reason != REASON_GOOD))
		wrong(plant, sample, "value and reason disagree", (double)sample->reason);
	if (!reason_counts_as_good(sample->reason))
		return;
	if (i < device->point_count)
		check_point(plant, device, i, sample);
	else if (i == device->point_count + HEALTH_UP)
		check_up(plant, device, sample);
}

static void
take_run(void *arg, const struct sample_run *run)
{
	struct plant *plant = arg;
	struct seen *seen = seen_of(plant, run->series);

	check_order(plant, seen, run->first, run->last);
	if (run->first > run->last || reason_counts_as_good(run->reason))
		plant->order_errors++;
}

struct feed_listener
plant_listener(struct plant *plant)
{
	return (struct feed_listener){ .sample = take_sample, .run = take_run, .arg = plant };
}

/* What was told but not committed is told anew. */
void
plant_recovered(struct plant *plant, uint32_t series, int64_t next)
{
	struct seen *seen = series < plant->seen_count ? &plant->seen[series] : NULL;

	if (seen == NULL || seen->next == 0)
		return;
	if (next > seen->next)
		plant->order_errors++;
	plant->uncommitted += (uint64_t)(seen->next - next);
	seen->next = next;
}

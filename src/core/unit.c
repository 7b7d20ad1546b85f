/* A device's own three series: up, rtt, loss. They are judged once the tasks that have the
 * device's interval have finished a slot. */
#include "core/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/series.h"

#define BURST_LINES 10
/* What one of the number that is kept is a part of. */
#define RTT_UNIT 1e7
#define LOSS_UNIT 1e6

static const struct {
	const char *name, *unit;
	enum point_kind kind;
} health_points[UNIT_TRACKS] = {
	[UNIT_UP] = { "up", "", POINT_STATE },
	[UNIT_RTT] = { "rtt", "s", POINT_GAUGE },
	[UNIT_LOSS] = { "loss", "%", POINT_GAUGE },
};

static int64_t
current_slot(const struct unit *unit)
{
	return unit->task_count > 0 ? unit->tasks[0].due : 0;
}

#define HEALTH_TEXT 128

/* path and file: HEALTH_TEXT octets, to be written. */
static struct series
health_series(const struct device *device, int which, char *path, char *file)
{
	series_path(path, HEALTH_TEXT, device->name, NULL, NULL, health_points[which].name);
	series_file(file, HEALTH_TEXT, device->name, NULL, NULL, "device", "");
	return (struct series){ .kind = health_points[which].kind, .step = device_interval(device),
		.path = path, .unit = health_points[which].unit, .file = file,
		.ds = health_points[which].name, .profile = device->about->profile };
}

void
unit_number_health(const struct unit *unit)
{
	char path[HEALTH_TEXT], file[HEALTH_TEXT];
	struct fail why; /* said when they are opened */

	for (int i = 0; i < UNIT_TRACKS; i++) {
		struct series wanted = health_series(unit->device, i, path, file);

		series_enter(unit->poller->parts.catalogue, &wanted, &why);
	}
}

static void
list_health(const struct unit *unit, struct track tracks[UNIT_TRACKS])
{
	const struct track *list = unit->more != NULL ? unit->more->health : NULL;

	for (uint32_t i = 0; i < UNIT_TRACKS; i++)
		tracks[i] = unit->health.id != 0 ?
			(struct track){ unit->health.id + i, unit->health.next } :
			list != NULL ? list[i] : (struct track){ 0 };
}

static void
keep_health(struct unit *unit, const struct track tracks[UNIT_TRACKS])
{
	struct unit_more *more;

	unit->health = tracks[0];
	for (uint32_t i = 0; i < UNIT_TRACKS; i++)
		if (tracks[i].id == 0 || tracks[i].id != tracks[0].id + i ||
			tracks[i].next != tracks[0].next)
			unit->health.id = 0;
	if (unit->health.id == 0) {
		more = unit_more(unit);
		if (more->health == NULL)
			more->health = mem_array(UNIT_TRACKS, sizeof *more->health);
		memcpy(more->health, tracks, UNIT_TRACKS * sizeof *more->health);
	} else if (unit->more != NULL) {
		free(unit->more->health);
		unit->more->health = NULL;
	}
}

/* Slots up to end - 1. */
static void
close_health_until(struct unit *unit, int64_t end)
{
	struct track tracks[UNIT_TRACKS];

	if (unit->health.id != 0 && unit->health.next >= end)
		return;
	list_health(unit, tracks);
	for (int i = 0; i < UNIT_TRACKS; i++)
		track_close_until(unit->poller, &tracks[i], end, unit->gap);
	keep_health(unit, tracks);
}

void
unit_each_track(const struct unit *unit, void (*each)(const struct track *, void *), void *arg)
{
	struct track tracks[UNIT_TRACKS];

	list_health(unit, tracks);
	for (int i = 0; i < UNIT_TRACKS; i++)
		if (tracks[i].id != 0)
			each(&tracks[i], arg);
}

void
unit_open_health(struct unit *unit)
{
	const struct device *device = unit->device;
	char path[HEALTH_TEXT], file[HEALTH_TEXT];
	struct track tracks[UNIT_TRACKS];
	int64_t first = 0;

	for (size_t i = 0; i < unit->task_count; i++)
		if (unit->tasks[i].base)
			first = unit->tasks[i].due;
	if (first == 0)
		first = current_slot(unit);
	for (int i = 0; i < UNIT_TRACKS; i++) {
		struct series wanted = health_series(device, i, path, file);

		track_init(unit->poller, &tracks[i], &wanted, first);
	}
	keep_health(unit, tracks);
	close_health_until(unit, first);
	unit->gap = REASON_OVERRUN;
}

static void
close_one(struct unit *unit, struct track *track, uint8_t reason, double value)
{
	struct sample sample = { .series = track_series(unit->poller, track), .slot = unit->slot,
		.reason = reason, .received = loop_wall(unit->poller->parts.loop), .value = value };

	if (track->id == 0 || track->next > unit->slot)
		return;
	track_close(unit->poller, track, &sample);
}

/* reasons and values: by UNIT_UP, UNIT_RTT, UNIT_LOSS. */
static void
close_all(struct unit *unit, const uint8_t reasons[], const double values[])
{
	struct poller *poller = unit->poller;
	struct track tracks[UNIT_TRACKS];
	struct sample_item items[UNIT_TRACKS];
	struct sample_batch batch = { .catalogue = poller->parts.catalogue,
		.first = unit->health.id, .count = UNIT_TRACKS, .slot = unit->slot,
		.step = device_interval(unit->device), .received = loop_wall(poller->parts.loop),
		.good = true, .items = items };

	if (unit->health.id == 0) {
		list_health(unit, tracks);
		for (int i = 0; i < UNIT_TRACKS; i++)
			close_one(unit, &tracks[i], reasons[i], values[i]);
		keep_health(unit, tracks);
		return;
	}
	if (unit->health.next > unit->slot)
		return;
	for (int i = 0; i < UNIT_TRACKS; i++) {
		items[i] = (struct sample_item){ .value = values[i], .reason = reasons[i],
			.kind = (uint8_t)health_points[i].kind };
		batch.good &= reason_counts_as_good(reasons[i]);
	}
	unit->health.next = (uint32_t)(unit->slot + 1);
	poller->counters.samples += UNIT_TRACKS;
	feed_batch(poller->parts.feed, &batch);
}

static bool
may_say(struct poller *poller, struct burst *burst)
{
	if (poller->down.lines + poller->back.lines + poller->barred.lines + poller->read.lines == 0)
		loop_timer_in(poller->parts.loop, &poller->quiet, 10 * LOOP_S);
	if (burst->lines++ < BURST_LINES)
		return true;
	burst->unsaid++;
	return false;
}

struct unit_more *
unit_more(struct unit *unit)
{
	if (unit->more == NULL)
		unit->more = mem_zero(sizeof *unit->more);
	return unit->more;
}

struct trouble *
unit_trouble(struct unit *unit)
{
	struct unit_more *more = unit_more(unit);

	if (more->trouble == NULL)
		more->trouble = mem_zero(sizeof *more->trouble);
	return more->trouble;
}

void
unit_well(struct unit *unit)
{
	struct unit_more *more = unit->more;

	if (more == NULL)
		return;
	free(more->trouble);
	more->trouble = NULL;
	if (more->parents != NULL || more->infos.count > 0 || more->health != NULL || more->watched)
		return;
	free(more);
	unit->more = NULL;
}

void *
unit_state(const struct unit *unit, int driver)
{
	for (size_t i = 0; i < unit->task_count; i++)
		if (unit->tasks[i].driver == driver && unit->tasks[i].state != NULL)
			return unit->tasks[i].state;
	return NULL;
}

/* Is it only known by what polls of others brought? */
static bool
only_gathers(const struct unit *unit)
{
	for (size_t i = 0; i < unit->task_count; i++)
		if (!unit->poller->parts.drivers[unit->tasks[i].driver].driver->gathers)
			return false;
	return true;
}

/* Wall ns since when the unit cannot be reached through any of its parents, 0 when it can. A line is
 * down when all its units are silent: it is not why they are, but what the line is behind may be.
 * Parents make no circles: config refuses them. */
static int64_t
cut_since(const struct unit *unit)
{
	struct unit *const *parent = unit_parents(unit);
	int64_t latest = 0;

	if (parent == NULL)
		return 0;
	for (; *parent != NULL; parent++) {
		bool down = (*parent)->up == 0 && !(*parent)->paused;
		int64_t since = only_gathers(*parent) ? cut_since(*parent) :
			down ? unit_troubled(*parent)->down_since : 0;

		if (since == 0)
			return 0;
		if (since > latest)
			latest = since;
	}
	return latest;
}

/* Who answered since the last of its parents went down has another way, or they forward though
 * they do not answer us. */
bool
unit_behind(const struct unit *unit)
{
	int64_t since = cut_since(unit);

	return since != 0 && since >= unit->answered_at;
}

static const char *
last_error(const struct unit *unit)
{
	const struct trouble *trouble = unit_troubled(unit);

	return trouble != NULL ? trouble->last_error : "";
}

static void
say_down(struct unit *unit)
{
	if (may_say(unit->poller, &unit->poller->down))
		log_warn("%s (%s): no answer, asking on: %s", unit->device->name,
			unit->device->address,
			last_error(unit)[0] != '\0' ? last_error(unit) : "timeout");
}

static void
say_back(struct unit *unit, int64_t silence)
{
	char span[32];

	if (may_say(unit->poller, &unit->poller->back))
		log_info("%s (%s): answers again after %s, %u polls missed", unit->device->name,
			unit->device->address, str_time_span(span, sizeof span, silence),
			unit_troubled(unit)->missed);
}

/* A wrong pass phrase does not make a device silent, and so no device down: somebody has to be told. */
static void
note_barred(struct unit *unit)
{
	struct poller *poller = unit->poller;

	if (unit->barring == unit->barred)
		return;
	unit->barred = unit->barring;
	if (unit->barred && may_say(poller, &poller->barred))
		log_warn("%s (%s): answers, but cannot be read: %s", unit->device->name,
			unit->device->address, last_error(unit));
	else if (!unit->barred && may_say(poller, &poller->read))
		log_info("%s (%s): can be read again", unit->device->name, unit->device->address);
}

/* Of a device behind others that are down its own time-out says less than who they are. */
static void
note_behind(struct unit *unit)
{
	const struct unit *root = unit;

	if (!unit_behind(unit))
		return;
	while (unit_behind(root))
		root = unit_parents(root)[0];
	snprintf(unit_trouble(unit)->last_error, UNIT_ERROR, "behind %s, which is down",
		root->device->name);
}

static void
change_state(struct unit *unit, int up)
{
	int64_t wall;

	if (up == 0)
		unit_trouble(unit)->missed++;
	if (up == unit->up)
		return;
	wall = loop_wall(unit->poller->parts.loop);
	if (up == 0) {
		unit_troubled(unit)->down_since = wall;
		unit_troubled(unit)->missed = 1;
		say_down(unit);
	} else if (unit->up == 0) {
		say_back(unit, wall - unit_troubled(unit)->down_since);
		unit_well(unit);
	}
	unit->up = (int8_t)up;
}

static uint8_t
silence_of(const struct unit *unit)
{
	return unit->silence == REASON_GOOD ? REASON_TIMEOUT : unit->silence;
}

/* For people: a number of few digits. */
static uint32_t
kept_as(double number, double units)
{
	return number * units < UNIT_UNKNOWN ? (uint32_t)lround(number * units) : UNIT_UNKNOWN;
}

static double
was_kept(uint32_t kept, double units)
{
	return kept == UNIT_UNKNOWN ? (double)NAN : kept / units;
}

static void
judge(struct unit *unit)
{
	double rtt, loss;

	if (unit->slot == 0)
		return;
	unit->paused = unit->asked == 0 && unit->excuse == REASON_PAUSED;
	unit->degraded = unit->ailing;
	if (unit->asked == 0) {
		const double nothing = (double)NAN;

		close_all(unit, (const uint8_t[]){ unit->excuse, unit->excuse, unit->excuse },
			(const double[]){ nothing, nothing, nothing });
	} else {
		rtt = unit->answered > 0 ?
			(double)unit->rtt_sum / (double)unit->answered / 1e9 : (double)NAN;
		loss = 100.0 * (double)(unit->asked - unit->answered) / (double)unit->asked;
		close_all(unit, (const uint8_t[]){ REASON_GOOD,
				unit->answered > 0 ? REASON_GOOD : silence_of(unit), REASON_GOOD },
			(const double[]){ unit->answered > 0, rtt, loss });
		unit->last_rtt = kept_as(rtt, RTT_UNIT);
		unit->last_loss = kept_as(loss, LOSS_UNIT);
		if (unit->answered == 0)
			note_behind(unit);
		else
			note_barred(unit);
		change_state(unit, unit->answered > 0);
	}
	unit->asked = unit->answered = 0;
	unit->rtt_sum = 0;
	unit->slot = 0;
	unit->pending = 0;
}

void
unit_begin(struct unit *unit, int64_t slot)
{
	if (unit->slot != slot) {
		judge(unit);
		/* Now and not at the end of this poll: what is set until then (a clock step) is
		 * about slots behind it. */
		close_health_until(unit, slot);
		unit->gap = REASON_OVERRUN;
		unit->slot = (uint32_t)slot;
		unit->excuse = REASON_CONFIG;
		unit->silence = REASON_GOOD;
		unit->ailing = unit->barring = false;
	}
	unit->pending++;
}

void
unit_end(struct unit *unit, struct task *task, uint8_t rest)
{
	if (!task->base || task->slot != unit->slot)
		return;
	if (reason_class(rest) == CLASS_UNMEASURED)
		unit->excuse = rest;
	/* Lost before anything could be sent (no connection): an unanswered exchange as well. */
	if (task->asked == 0 && reason_class(rest) == CLASS_LOST)
		unit->asked++;
	/* Where two tasks heard nothing, e.g. a ping and a poll, the first one tells why. */
	if (unit->silence == REASON_GOOD && task->answered == 0 &&
		(task->asked > 0 || reason_class(rest) == CLASS_LOST))
		unit->silence = task->unanswered != REASON_GOOD ? task->unanswered : rest;
	/* Who answers that it tells us nothing is there, but not well. */
	if (task->answered < task->asked || task->asked == 0 || rest == REASON_AUTH)
		unit->ailing = true;
	unit->barring |= rest == REASON_AUTH && task->answered > 0;
	if (--unit->pending == 0)
		judge(unit);
}

static const char *
state_word(const struct unit *unit)
{
	if (unit->up < 0)
		return "unknown";
	if (unit->paused)
		return "paused";
	if (unit->up == 0)
		return "down";
	return unit->degraded ? "degraded" : "up";
}

void
unit_view(const struct unit *unit, int64_t wall, struct device_view *view)
{
	const struct device *device = unit->device;

	*view = (struct device_view){ .name = device->name, .address = device->address,
		.protocol = device->about->protocol, .state = state_word(unit),
		.rtt = was_kept(unit->last_rtt, RTT_UNIT),
		.loss = was_kept(unit->last_loss, LOSS_UNIT), .last_error = last_error(unit), .place = device->about->place,
		.owner = device->about->owner, .asset = device->about->asset, .text = device->about->text,
		.interval = device_interval(device),
		.age = unit->answered_at > 0 ? (double)(wall - unit->answered_at) / 1e9 : (double)NAN };
	if (unit->more == NULL)
		return;
	view->info_count = unit->more->infos.count;
	view->info_names = (const char *const *)unit->more->infos.names;
	view->info_texts = (const char *const *)unit->more->infos.texts;
}

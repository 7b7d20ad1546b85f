#include "core/task.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/portion.h"
#include "base/str.h"
#include "core/feed.h"
#include "core/frozen.h"
#include "core/latest.h"
#include "core/rate.h"
#include "core/self.h"
#include "core/series.h"

#define LATENESS 1000 /* ns: unit of unit_more.lateness */

/* ---- tracks ---- */

void
track_init(struct poller *poller, struct track *track, const struct series *wanted, int64_t first)
{
	struct fail why;
	uint32_t id;

	*track = (struct track){ .next = (uint32_t)first };
	id = series_enter(poller->parts.catalogue, wanted, &why);
	if (id == 0) {
		log_error("%s: not stored: %s", wanted->path, why.text);
		return;
	}
	track->id = id;
	poller->counters.series++;
	if (id < poller->recovered_count && poller->recovered[id] != 0) {
		track->next = (uint32_t)poller->recovered[id];
		poller->recovered[id] = 0;
	}
}

const struct series *
track_series(const struct poller *poller, const struct track *track)
{
	return series_show(poller->parts.catalogue, track->id);
}

static void
remember(struct poller *poller, uint32_t id, int64_t next)
{
	if (id >= poller->recovered_count) {
		size_t count = (size_t)id + 1024;

		poller->recovered = mem_grow(poller->recovered, count, sizeof *poller->recovered);
		memset(poller->recovered + poller->recovered_count, 0,
			(count - poller->recovered_count) * sizeof *poller->recovered);
		poller->recovered_count = count;
	}
	poller->recovered[id] = next;
}

void
poller_recover(struct poller *poller, uint32_t series, int64_t next)
{
	remember(poller, series, next);
}

void
track_forget(struct poller *poller, const struct track *track)
{
	if (track->id == 0)
		return;
	poller->counters.series--;
	remember(poller, track->id, track->next);
}

void
track_close(struct poller *poller, struct track *track, const struct sample *sample)
{
	poller->counters.samples++;
	track->next = (uint32_t)(sample->slot + 1);
	feed_sample(poller->parts.feed, sample);
}

/* Slots up to end - 1. */
void
track_close_until(struct poller *poller, struct track *track, int64_t end, uint8_t reason)
{
	struct sample_run run;

	/* Nearly always: before each poll all tracks are asked. */
	if (track->id == 0 || track->next >= end)
		return;
	run = (struct sample_run){ .series = track_series(poller, track), .first = track->next,
		.last = end - 1, .decided = loop_wall(poller->parts.loop), .reason = reason };
	poller->counters.runs++;
	track->next = (uint32_t)end;
	feed_run(poller->parts.feed, &run);
}

/* ---- rows ---- */

static struct poller *
poller_of(const struct task *task)
{
	return task_unit(task)->poller;
}

static bool
has_rows(const struct task *task)
{
	return task->table;
}

/* Row names come from devices: one printable line. */
static void
clean_key(char *to, size_t size, const char *key)
{
	size_t used = 0;

	for (; *key != '\0' && used + 1 < size; key++) {
		unsigned char c = (unsigned char)*key;

		to[used++] = c < ' ' || c == 0x7f ? '?' : (char)c;
	}
	while (used > 0 && to[used - 1] == ' ')
		used--;
	to[used] = '\0';
}

#define KEY_SIZE 81

/* Enters the series of a row, or of the scalars (key ""). */
static void
start_tracks(struct task *task, struct tracks *tracks, const char *key)
{
	const struct group *group = group_of(task);
	const struct device *device = task_unit(task)->device;
	int64_t first = task->busy ? task->slot : task->due;
	struct track *list = mem_array(group->point_count, sizeof *list);
	char path[400], file[700], ds[24];
	size_t prefix;

	series_file(file, sizeof file, device->name, group->table, key, group->name,
		group->suffix);
	series_path(path, sizeof path, device->name, group->table, key, "");
	prefix = strlen(path);
	series_gather(poller_of(task)->parts.catalogue);
	for (size_t i = 0; i < group->point_count; i++) {
		const struct point *point = &group->points[i];
		bool text = point->kind == POINT_TEXT;
		struct series wanted = { .kind = point->kind, .step = group->interval, .path = path,
			.unit = point->unit, .file = text ? "" : file, .ds = text ? "" : ds,
			.profile = group->profile };

		str_copy(path + prefix, sizeof path - prefix, point->name);
		series_ds(ds, sizeof ds, point->name);
		track_init(poller_of(task), &list[i], &wanted, first);
	}
	series_written(poller_of(task)->parts.catalogue);
	tracks_begin(tracks, list, group->point_count);
}

static void
start_row(struct task *task, struct row *row)
{
	start_tracks(task, &row->tracks, row->key);
	row->ended = false;
	row->gone_since = 0;
}

static struct row *
row_new(struct task *task, const char *key)
{
	size_t length = strlen(key);
	struct row *row = mem_zero(sizeof *row + length + 1);

	memcpy(row->key, key, length + 1);
	start_row(task, row);
	return row;
}

/* Where the number of the row with that key stands, or would. */
static uint32_t *
key_place(const struct rows *rows, const char *key)
{
	uint32_t last = rows->key_room - 1, at = (uint32_t)str_hash(key, strlen(key)) & last;

	while (rows->by_key[at] != 0 && strcmp(rows->list[rows->by_key[at] - 1]->key, key) != 0)
		at = (at + 1) & last;
	return &rows->by_key[at];
}

static struct row *
find_row(const struct rows *rows, const char *key)
{
	uint32_t number = rows->key_room == 0 ? 0 : *key_place(rows, key);

	return number == 0 ? NULL : rows->list[number - 1];
}

/* At most three of four places are taken. */
static void
note_key(struct rows *rows, const struct row *row)
{
	if (rows->count * UINT64_C(4) >= rows->key_room * UINT64_C(3)) {
		free(rows->by_key);
		rows->key_room = rows->key_room == 0 ? 16 : rows->key_room * 2;
		rows->by_key = mem_array(rows->key_room, sizeof *rows->by_key);
		for (uint32_t i = 0; i < rows->count; i++)
			*key_place(rows, rows->list[i]->key) = i + 1;
	}
	*key_place(rows, row->key) = row->number + 1;
}

struct row *
task_make_row(struct task *task, const char *key)
{
	struct rows *rows = task->rows;
	struct row *row = find_row(rows, key);

	if (row != NULL)
		return row;
	row = row_new(task, key);
	if (rows->count == rows->room) {
		uint32_t room = rows->room * 2 + 16;

		rows = task->rows = mem_grow(rows, sizeof *rows + room * sizeof rows->list[0], 1);
		rows->room = room;
	}
	row->number = rows->count;
	rows->list[rows->count++] = row;
	note_key(rows, row);
	return row;
}

/* Each row is memory of its own, and there are thousands of devices: the row after the next one is
 * fetched, and by then the newest values of the next one, whose row has come. */
static inline void
fetch_rows_behind(const struct task *task, uint32_t number)
{
	const struct rows *rows = task->rows;

	if (number + 2 < rows->count)
		ahead_fetch(rows->list[number + 2], sizeof(struct row) + 1);
	if (number + 1 < rows->count) {
		const struct tracks *tracks = &rows->list[number + 1]->tracks;

		if (!tracks->listed)
			latest_expect(poller_of(task)->parts.latest, tracks->id,
				(uint32_t)group_of(task)->point_count);
	}
}

static void
see_row(struct task *task, struct row *row)
{
	task->rows->next = row->number + 1;
	fetch_rows_behind(task, row->number);
	if (row->ended)
		start_row(task, row);
	row->seen = task->slot;
	row->gone_since = 0;
}

uint32_t
task_row(struct task *task, const char *key)
{
	struct rows *rows = task->rows;
	char clean[KEY_SIZE];
	struct row *row = NULL;

	/* Rows are told in the order of the last poll, and a name that equals a clean one is. */
	if (rows->next < rows->count)
		row = rows->list[rows->next];
	if (row == NULL || strcmp(row->key, key) != 0) {
		clean_key(clean, sizeof clean, key);
		row = task_make_row(task, clean);
	}
	see_row(task, row);
	return row->number;
}

void
task_row_again(struct task *task, uint32_t number)
{
	see_row(task, task->rows->list[number]);
}

static void
end_row(struct task *task, struct row *row)
{
	const struct poller_parts *parts = &poller_of(task)->parts;

	row->ended = true;
	for (size_t i = 0; i < group_of(task)->point_count; i++) {
		uint32_t id = tracks_at(&row->tracks, i).id;

		if (id == 0)
			continue;
		if (parts->ended != NULL)
			parts->ended(id, parts->ended_arg);
		poller_of(task)->counters.series--;
	}
}

/* Of many rows that are given up at once some are named. */
#define ROW_LINES 10

static bool
may_name(struct rows *rows)
{
	return rows->ending++ < ROW_LINES;
}

static void
say_rest_of_rows(const struct task *task)
{
	struct rows *rows = task->rows;

	if (rows->ending > ROW_LINES)
		log_info("%s: and %u more rows of %s, no longer expected",
			task_unit(task)->device->name, rows->ending - ROW_LINES,
			group_of(task)->table);
	rows->ending = 0;
}

void
task_row_end(struct task *task, const char *key)
{
	char clean[KEY_SIZE];
	struct row *row;

	clean_key(clean, sizeof clean, key);
	row = find_row(task->rows, clean);
	if (row == NULL || row->ended)
		return;
	if (may_name(task->rows))
		log_info("%s: row %s[%s] is not chosen by rows.%s, no longer expected",
			task_unit(task)->device->name, group_of(task)->table, row->key,
			group_of(task)->table);
	end_row(task, row);
}

/* ---- readings ---- */

const struct device *
task_device(const struct task *task)
{
	return task_unit(task)->device;
}

const struct group *
task_group(const struct task *task)
{
	return group_of(task);
}

struct loop *
task_loop(const struct task *task)
{
	return poller_of(task)->parts.loop;
}

void *
task_state(const struct task *task)
{
	return task->state;
}

static bool
is_count(const struct task *task, const struct reading *reading)
{
	return reading->reason == REASON_GOOD &&
		group_of(task)->points[reading->point].kind == POINT_COUNTER;
}

/* What becomes the base of the counter's next rate. */
static struct latest_base
base_of(const struct reading *reading)
{
	return (struct latest_base){ true, reading->milli > 0,
		reading->milli > 0 ? reading->milli : reading->raw, reading->received };
}

/* So long after they came up agents tell 0 of counters that they have not looked at yet: Net-SNMP's
 * takes its first sample of the processor and the disks after 5 s. */
#define UNBORN (10 * LOOP_S)

static bool
is_unborn(const struct latest_base *former, const struct reading *reading)
{
	return former->count == 0 && reading->raw > 0 && reading->since > 0 &&
		former->mono >= reading->since && former->mono - reading->since < UNBORN;
}

/* The rate since the last good reading. mono: when this one came, as a base keeps it, so that no
 * time between two readings is counted twice or left out. */
static uint8_t
any_rate(const struct task *task, const struct reading *reading, const struct latest_base *former,
	int64_t mono, double *rate)
{
	bool milli = reading->milli > 0;
	struct rate_step step = { .known = former->known, .former = former->count,
		.former_at = former->mono, .raw = milli ? reading->milli : reading->raw,
		.at = mono, .bits = reading->bits,
		.wrap = milli ? reading->wrap * 1000 : reading->wrap,
		.discontinuity = reading->discontinuity ||
			(former->mono < reading->since && reading->since <= mono) ||
			is_unborn(former, reading), .max_rate = reading->max_rate,
		.step = group_of(task)->interval };
	uint8_t reason = rate_of(&step, rate);

	if (milli)
		*rate /= 1000;
	return reason;
}

static inline uint8_t
count_rate(const struct task *task, const struct reading *reading, const struct latest_base *former,
	int64_t mono, double *rate)
{
	struct rate_span span = rate_span(mono - former->mono, group_of(task)->interval);

	if (former->known && !reading->discontinuity && former->mono >= reading->since &&
		reading->milli == 0 && !is_unborn(former, reading) &&
		rate_is_plain(&span, former->count, reading->raw, reading->bits,
			reading->max_rate)) {
		*rate = rate_over(reading->raw - former->count, span.seconds);
		return REASON_GOOD;
	}
	return any_rate(task, reading, former, mono, rate);
}

static struct tracks *
tracks_of(struct task *task, uint32_t row)
{
	return row == TASK_SCALAR ? &task->scalars : &task->rows->list[row]->tracks;
}

/* No answer from behind parents that are down is the parents' fault. */
static uint8_t
lost_as(const struct task *task, uint8_t reason)
{
	bool silent = reason == REASON_TIMEOUT || reason == REASON_UNREACHABLE ||
		reason == REASON_BREAKER;

	return silent && task->answered == 0 && unit_behind(task_unit(task)) ? REASON_PARENT_DOWN :
		reason;
}

/* What becomes of a reading; of a counter's with the base that it had until then. */
static inline void
read_item(const struct task *task, const struct reading *reading, const struct latest_base *former,
	int64_t mono, struct sample_item *item)
{
	const struct point *point = &group_of(task)->points[reading->point];

	*item = (struct sample_item){ .value = (double)NAN, .reason = reading->reason,
		.kind = (uint8_t)point->kind };
	if (reading->reason != REASON_GOOD) {
		item->reason = lost_as(task, reading->reason);
		return;
	}
	item->raw = reading->raw;
	item->has_raw = point->kind == POINT_COUNTER || reading->whole;
	item->beyond = reading->beyond;
	if (point->kind == POINT_TEXT)
		return;
	if (point->kind == POINT_COUNTER) {
		item->reason = count_rate(task, reading, former, mono, &item->value);
		item->value *= point->scale;
	} else {
		item->value = reading->number;
	}
	/* A number that is none must not count as good. */
	if (item->reason == REASON_GOOD && !isfinite(item->value))
		item->reason = REASON_INVALID_VALUE;
	if (item->reason != REASON_GOOD)
		item->value = (double)NAN;
}

void
task_forget(struct task *task, uint32_t row, uint32_t point)
{
	uint32_t id = tracks_at(tracks_of(task, row), point).id;

	if (id != 0)
		latest_base_drop(poller_of(task)->parts.latest, id);
}

void
task_reading(struct task *task, const struct reading *reading)
{
	struct tracks *tracks = tracks_of(task, reading->row);
	struct track track = tracks_at(tracks, reading->point);
	struct latest_base now = base_of(reading), former = { 0 };
	struct sample_item item;
	struct sample sample;

	/* next > slot: told already in this poll, or the clock was behind at the start. */
	if (track.id == 0 || !task->busy || track.next > task->slot)
		return;
	if (is_count(task, reading))
		latest_base_swap(poller_of(task)->parts.latest, track.id, &now, &former);
	read_item(task, reading, &former, now.mono, &item);
	sample = (struct sample){ .series = track_series(poller_of(task), &track),
		.slot = task->slot, .reason = item.reason, .has_raw = item.has_raw,
		.received = loop_wall_at(poller_of(task)->parts.loop, reading->received),
		.value = item.value, .raw = item.raw, .beyond = item.beyond };
	if (item.reason == REASON_GOOD && item.kind == POINT_TEXT)
		sample.text = reading->text;
	if (poller_of(task)->parts.frozen != NULL)
		frozen_judge(poller_of(task)->parts.frozen, &sample);
	track_close(poller_of(task), &track, &sample);
	tracks_advance(tracks, group_of(task)->point_count, reading->point, track.next);
}

/* Where a rule asks about one of them it is judged by itself, as always. */
static void
judge_batch(struct frozen *frozen, struct sample_batch *batch, struct sample_item *items)
{
	struct sample sample;

	if (frozen == NULL || !frozen_concerns(frozen, batch->first, batch->count))
		return;
	for (uint32_t i = 0; i < batch->count; i++) {
		if (!frozen_concerns(frozen, batch->first + i, 1))
			continue;
		sample_of_batch(batch, i, &sample);
		frozen_judge(frozen, &sample);
		items[i].reason = sample.reason;
		items[i].value = sample.value;
		batch->good &= reason_counts_as_good(sample.reason);
		batch->plain &= sample.reason == REASON_GOOD;
	}
}

/* What read_item makes of it, where that is a value. former: NULL where none is known that is
 * whole, and whose rate would be of this run. */
static inline bool
read_plain(const struct point *point, const struct reading_item *reading, double max_rate,
	const uint64_t *former, const struct rate_span *span, struct sample_item *item)
{
	const struct reading_mark *mark = &reading->mark;
	double value = reading->number;

	if (mark->reason != REASON_GOOD)
		return false;
	if (point->kind == POINT_COUNTER) {
		if (former == NULL || mark->discontinuity ||
			!rate_is_plain(span, *former, reading->raw, mark->bits,
				mark->limited ? max_rate : 0))
			return false;
		value = rate_over(reading->raw - *former, span->seconds) * point->scale;
	}
	*item = (struct sample_item){ .value = value, .raw = reading->raw,
		.has_raw = point->kind == POINT_COUNTER || mark->whole,
		.beyond = mark->beyond, .kind = (uint8_t)point->kind };
	return isfinite(value);
}

/* Nearly always all of them went on since the last poll, and then what they have in common is
 * looked at once. False, and nothing done, where one is anything else. */
static bool
read_alike(const struct task *task, const struct readings *readings, uint32_t begin,
	struct sample_batch *batch, struct sample_item *items)
{
	const struct point *points = &group_of(task)->points[readings->first + begin];
	const struct reading_item *list = &readings->items[begin];
	uint64_t former[SAMPLE_BATCH], known;
	struct rate_span span;
	int64_t from;

	batch->mono = readings->received - readings->received % LATEST_BASE_UNIT;
	known = latest_bases_alike(poller_of(task)->parts.latest, batch->first, batch->count,
		former, &from);
	if (readings->since > 0 && from < readings->since + UNBORN)
		known = 0;
	span = rate_span(batch->mono - from, group_of(task)->interval);
	batch->plain = true;
	for (uint32_t i = 0; i < batch->count; i++) {
		if (!read_plain(&points[i], &list[i], readings->max_rate,
			known >> i & 1 ? &former[i] : NULL, &span, &items[i]))
			return false;
		batch->plain &= items[i].has_raw;
	}
	batch->good = true;
	batch->bases = known != 0;
	return true;
}

static void
read_together(const struct task *task, const struct readings *readings, uint32_t begin,
	struct sample_batch *batch, struct sample_item *items)
{
	struct latest_base bases[SAMPLE_BATCH];
	int64_t mono = readings->received;

	batch->plain = false;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct reading reading = readings_at(readings, begin + i);

		bases[i] = base_of(&reading);
		bases[i].known = is_count(task, &reading);
	}
	latest_bases_swap(poller_of(task)->parts.latest, batch->first, batch->count, bases, &mono);
	batch->good = true;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct reading reading = readings_at(readings, begin + i);

		read_item(task, &reading, &bases[i], mono, &items[i]);
		batch->good &= reason_counts_as_good(items[i].reason);
	}
}

/* All of them from `begin` on. */
static void
tell_together(struct task *task, struct tracks *tracks, const struct readings *readings,
	uint32_t begin)
{
	struct poller *poller = poller_of(task);
	uint32_t first = readings->first + begin, count = readings->count - begin;
	struct sample_item items[SAMPLE_BATCH];
	struct sample_batch batch = { .catalogue = poller->parts.catalogue,
		.first = tracks->id + first, .count = count,
		.slot = task->slot, .step = group_of(task)->interval, .items = items,
		.received = loop_wall_at(poller->parts.loop, readings->received) };

	if (!read_alike(task, readings, begin, &batch, items))
		read_together(task, readings, begin, &batch, items);
	judge_batch(poller->parts.frozen, &batch, items);
	poller->counters.samples += count;
	feed_batch(poller->parts.feed, &batch);
	tracks_advance_some(tracks, group_of(task)->point_count, first, count,
		(uint32_t)(task->slot + 1));
}

void
task_readings(struct task *task, const struct readings *readings)
{
	struct tracks *tracks = tracks_of(task, readings->row);

	for (uint32_t i = 0; i < readings->count; i++) {
		struct reading reading;

		if (i + 1 < readings->count && task->busy && tracks_wait(tracks,
			readings->first + i, readings->count - i, task->slot)) {
			tell_together(task, tracks, readings, i);
			return;
		}
		reading = readings_at(readings, i);
		task_reading(task, &reading);
	}
}

/* Of a table so many are worth it, as an answer is all of it and its rows are told at once; with
 * more than that the first two: see_row fetches those that follow. */
#define AHEAD_ROWS 8

static void
ahead_rows(const struct task *task)
{
	uint32_t count = task->rows->count <= AHEAD_ROWS ? task->rows->count : 2;

	for (uint32_t i = 0; i < count; i++)
		ahead_fetch(task->rows->list[i], sizeof *task->rows->list[i]);
}

static void
ahead_values(const struct task *task)
{
	uint32_t count = task->rows->count;

	for (uint32_t i = 0; i < count && count <= AHEAD_ROWS; i++) {
		const struct tracks *tracks = &task->rows->list[i]->tracks;

		if (!tracks->listed)
			latest_expect(poller_of(task)->parts.latest, tracks->id,
				(uint32_t)group_of(task)->point_count);
	}
}

static void
ahead_listeners(const struct task *task, unsigned step)
{
	const struct feed *feed = poller_of(task)->parts.feed;

	if (!has_rows(task) && !task->scalars.listed)
		feed_ahead(feed, task->scalars.id, (uint32_t)group_of(task)->point_count, step);
	if (task->base)
		feed_ahead(feed, task_unit(task)->health.id, UNIT_TRACKS, step);
}

void
task_ahead(const struct task *task, unsigned step)
{
	if (step == 0) {
		ahead_fetch(task, sizeof *task);
	} else if (step == 1) {
		ahead_fetch(task_unit(task), sizeof *task_unit(task));
		ahead_fetch(has_rows(task) ? task->rows : NULL, 2 * AHEAD_LINE);
	} else if (step == 2) {
		if (has_rows(task))
			ahead_rows(task);
		else if (!task->scalars.listed)
			latest_expect(poller_of(task)->parts.latest, task->scalars.id,
				(uint32_t)group_of(task)->point_count);
		if (task->base)
			latest_expect(poller_of(task)->parts.latest, task_unit(task)->health.id,
				UNIT_TRACKS);
	} else if (step == 3 && has_rows(task)) {
		ahead_values(task);
	}
	if (step >= 2)
		ahead_listeners(task, step - 2);
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	struct unit *unit = task_unit(task);

	task->asked++;
	poller_of(task)->counters.exchanges++;
	unit->asked++;
	if (!device_answered)
		return;
	task->answered++;
	poller_of(task)->counters.answered++;
	unit->answered++;
	unit->rtt_sum += rtt;
	unit->answered_at = loop_wall(poller_of(task)->parts.loop);
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	task->unanswered = reason;
}

void
task_error(struct task *task, const char *format, ...)
{
	struct trouble *trouble = unit_trouble(task_unit(task));
	va_list args;

	trouble->slot = task->slot;
	trouble->place = task->place;
	va_start(args, format);
	vsnprintf(trouble->last_error, UNIT_ERROR, format, args);
	va_end(args);
}

/* The task's poll is over: what an earlier one of it told is true no more. Of a device that is down that
 * is for its health to say. */
static void
forget_error(const struct task *task)
{
	struct unit *unit = task_unit(task);
	const struct trouble *trouble = unit_troubled(unit);

	if (trouble != NULL && trouble->place == task->place && trouble->slot != task->slot &&
		unit->up != 0)
		unit_well(unit);
}

static uint32_t *
info_place(const struct unit_infos *infos, const char *name)
{
	size_t last = infos->room - 1, at = str_hash(name, strlen(name)) & last;

	while (infos->by_name[at] != 0 && strcmp(infos->names[infos->by_name[at] - 1], name) != 0)
		at = (at + 1) & last;
	return &infos->by_name[at];
}

/* At most three of four places are taken. */
static void
make_room_for_info(struct unit_infos *infos)
{
	if (infos->count * 4 < infos->room * 3)
		return;
	infos->room = infos->room == 0 ? 4 : infos->room * 2;
	infos->names = mem_grow(infos->names, infos->room, sizeof(char *));
	infos->texts = mem_grow(infos->texts, infos->room, sizeof(char *));
	free(infos->by_name);
	infos->by_name = mem_array(infos->room, sizeof *infos->by_name);
	for (size_t i = 0; i < infos->count; i++)
		*info_place(infos, infos->names[i]) = (uint32_t)i + 1;
}

/* A large table has tens of thousands of them. */
void
task_info(struct task *task, uint32_t row, const char *name, const char *text)
{
	struct unit_infos *infos = &unit_more(task_unit(task))->infos;
	char *full = row == TASK_SCALAR ? mem_text(name) : mem_format("%s[%s]/%s",
		group_of(task)->table, task->rows->list[row]->key, name);
	uint32_t *place;
	char **known;

	make_room_for_info(infos);
	place = info_place(infos, full);
	if (*place == 0) {
		infos->names[infos->count] = full;
		infos->texts[infos->count] = mem_text(text);
		*place = (uint32_t)++infos->count;
		return;
	}
	free(full);
	known = &infos->texts[*place - 1];
	if (strcmp(*known, text) != 0) {
		free(*known);
		*known = mem_text(text);
	}
}

/* ---- the course of one poll ---- */

static void
close_tracks_until(struct task *task, struct tracks *tracks, int64_t end, uint8_t reason)
{
	size_t count = group_of(task)->point_count;

	/* Nearly always: before each poll all rows are asked. */
	if (tracks_all_reach(tracks, end))
		return;
	for (size_t i = 0; i < count; i++) {
		struct track track = tracks_at(tracks, i);

		track_close_until(poller_of(task), &track, end, reason);
		tracks_advance(tracks, count, i, track.next);
	}
	tracks_gather(tracks, count);
}

static void
close_until(struct task *task, int64_t end, uint8_t reason)
{
	if (!has_rows(task)) {
		close_tracks_until(task, &task->scalars, end, reason);
		return;
	}
	/* Nearly always: the last poll has closed them all. */
	if (task->rows->closed >= end)
		return;
	for (uint32_t i = 0; i < task->rows->count; i++)
		if (!task->rows->list[i]->ended)
			close_tracks_until(task, &task->rows->list[i]->tracks, end, reason);
	task->rows->closed = (uint32_t)end;
}

static void
close_unread_tracks(struct task *task, struct tracks *tracks, uint8_t rest, int64_t wall)
{
	struct sample sample = { .slot = task->slot, .reason = rest, .value = (double)NAN,
		.received = wall };
	size_t count = group_of(task)->point_count;

	/* Nearly always the poll has read all of it. */
	if (tracks_all_reach(tracks, (int64_t)task->slot + 1))
		return;
	for (size_t i = 0; i < count; i++) {
		struct track track = tracks_at(tracks, i);

		if (track.id == 0 || track.next > task->slot)
			continue;
		sample.series = track_series(poller_of(task), &track);
		track_close(poller_of(task), &track, &sample);
		tracks_advance(tracks, count, i, track.next);
	}
	tracks_gather(tracks, count);
}

/* By the loop's own clock: what a step of wall time skips, nobody was away for. */
static void
miss_row(struct task *task, struct row *row)
{
	int64_t mono = loop_mono(poller_of(task)->parts.loop);

	if (row->gone_since == 0) {
		row->gone_since = mono;
	} else if (mono - row->gone_since >= group_of(task)->retire) {
		if (may_name(task->rows))
			log_info("%s: row %s[%s] has been gone for %llds, no longer expected",
				task_unit(task)->device->name, group_of(task)->table, row->key,
				(long long)((mono - row->gone_since) / LOOP_S));
		end_row(task, row);
	}
}

static void
close_unread_row(struct task *task, struct row *row, uint8_t rest, int64_t wall)
{
	if (row->ended)
		return;
	close_unread_tracks(task, &row->tracks, rest, wall);
	if (row->seen != task->slot && rest == REASON_NO_SUCH_ROW)
		miss_row(task, row);
}

static uint8_t
driver_bit(const struct task *task)
{
	return (uint8_t)(1u << task->driver);
}

/* All slots of the poll are closed. */
static void
poll_over(struct task *task, uint8_t rest)
{
	struct poller *poller = poller_of(task);

	task->busy = false;
	poller->counters.finished++;
	if (task->asked > 0 && task->answered == 0)
		task_unit(task)->silent |= driver_bit(task);
	else if (task->asked > 0)
		task_unit(task)->silent &= (uint8_t)~driver_bit(task);
	forget_error(task);
	unit_end(task_unit(task), task, rest);
	feed_flush(poller->parts.feed);
}

/* Nearly always the poll has read all of it. */
static bool
needs_closing(const struct row *row, const struct closing *closing)
{
	uint32_t slot = closing->task->slot;

	return !row->ended && (closing->until > 0 || row->seen != slot ||
		!tracks_all_reach(&row->tracks, (int64_t)slot + 1));
}

static bool
close_rows_until(struct closing *closing, struct portion *portion)
{
	struct task *task = closing->task;
	int64_t wall = loop_wall(poller_of(task)->parts.loop);

	for (; closing->at < task->rows->count; closing->at++) {
		struct row *row = task->rows->list[closing->at];

		if (!needs_closing(row, closing))
			continue;
		if (portion_is_over(portion))
			return false;
		if (closing->until == 0)
			close_unread_row(task, row, closing->unread, wall);
		else
			close_tracks_until(task, &row->tracks, closing->until, REASON_OVERRUN);
	}
	closing->at = 0;
	task->rows->closed = closing->until > 0 ? closing->until : task->slot + 1;
	return true;
}

/* What was not read, then what came due meanwhile. False: there is more to close. */
static bool
close_rows(struct closing *closing, struct portion *portion)
{
	struct task *task = closing->task;

	for (;;) {
		if (!close_rows_until(closing, portion))
			return false;
		if (task->skipped == 0)
			break;
		closing->until = task->skipped + 1;
		task->skipped = 0;
	}
	say_rest_of_rows(task);
	return true;
}

static void
drop_closing(struct task *task)
{
	struct closing *closing = task->rows->closing;

	if (closing == NULL)
		return;
	TAILQ_REMOVE(&poller_of(task)->closings, closing, entry);
	task->rows->closing = NULL;
	free(closing);
}

/* One portion for all of them, so that several large tables take no more of a turn than one. */
static void
close_more(void *arg)
{
	struct poller *poller = arg;
	struct portion portion = portion_begin(poller->parts.loop);
	struct closing *closing;

	while ((closing = TAILQ_FIRST(&poller->closings)) != NULL) {
		struct task *task = closing->task;
		uint8_t rest = closing->rest;

		if (!close_rows(closing, &portion)) {
			portion_go_on(poller->parts.loop, &poller->more);
			return;
		}
		drop_closing(task);
		poll_over(task, rest);
	}
}

static void
close_later(const struct closing *begun)
{
	struct poller *poller = poller_of(begun->task);
	struct closing *closing = mem_copy(begun, sizeof *begun);

	closing->task->rows->closing = closing;
	TAILQ_INSERT_TAIL(&poller->closings, closing, entry);
	if (!loop_timer_armed(&poller->more))
		portion_go_on(poller->parts.loop, &poller->more);
}

void
task_done(struct task *task, uint8_t rest)
{
	struct poller *poller = poller_of(task);
	struct portion portion = portion_begin(poller->parts.loop);
	struct closing closing = { .task = task };

	if (!task->busy)
		return;
	closing.rest = lost_as(task, rest);
	task->unanswered = lost_as(task, task->unanswered);
	/* A driver that says "good" for what it has not read would hide a gap. */
	closing.unread = closing.rest == REASON_GOOD ? REASON_BAD_REPLY : closing.rest;
	if (has_rows(task)) {
		if (close_rows(&closing, &portion))
			poll_over(task, closing.rest);
		else
			close_later(&closing);
		return;
	}
	close_unread_tracks(task, &task->scalars, closing.unread, loop_wall(poller->parts.loop));
	poll_over(task, closing.rest);
	if (task->skipped > 0) {
		close_until(task, (int64_t)task->skipped + 1, REASON_OVERRUN);
		task->skipped = 0;
		feed_flush(poller->parts.feed);
	}
}

static void
refuse(void *arg)
{
	task_done(arg, REASON_CONFIG);
}

static void
refuse_later(struct task *task)
{
	if (task->refusal == NULL) {
		task->refusal = mem_zero(sizeof *task->refusal);
		loop_timer_init(task->refusal, refuse, task);
	}
	loop_timer_in(poller_of(task)->parts.loop, task->refusal, 0);
}

static void
begin(struct task *task, int64_t slot)
{
	struct poller *poller = poller_of(task);

	close_until(task, slot, task->gap);
	task->gap = REASON_OVERRUN;
	task->slot = (uint32_t)slot;
	task->asked = task->answered = 0;
	if (has_rows(task))
		task->rows->next = 0;
	task->unanswered = REASON_GOOD;
	task->busy = true;
	poller->counters.started++;
	if (task->base)
		unit_begin(task_unit(task), slot);
	if (task->refused)
		refuse_later(task);
	else
		poller->parts.drivers[task->driver].driver->start(task->work,
			(task_unit(task)->silent & driver_bit(task)) != 0 ||
				unit_behind(task_unit(task)));
}

static int64_t
phase_of(const struct task *task)
{
	return task->phase * LOOP_TICK;
}

static int64_t
due_wall(const struct task *task)
{
	return task->due * group_of(task)->interval + phase_of(task);
}

static void
arm(struct task *task)
{
	struct loop *loop = poller_of(task)->parts.loop;

	loop_timer_at(loop, &task->timer, loop_mono_at(loop, due_wall(task)));
}

static void
note_lateness(struct task *task, int64_t late)
{
	struct poller_counters *counters = &poller_of(task)->counters;
	struct unit_more *more = task_unit(task)->more;

	if (late > counters->worst_start)
		counters->worst_start = late;
	if (more != NULL && more->watched && late / LATENESS > more->lateness)
		more->lateness = late / LATENESS < UINT32_MAX ? (uint32_t)(late / LATENESS) :
			UINT32_MAX;
	if (late > group_of(task)->interval / 2)
		counters->late++;
}

static void
fire(void *arg)
{
	struct task *task = arg;
	int64_t wall = loop_wall(poller_of(task)->parts.loop);
	int64_t slot = (wall - phase_of(task)) / group_of(task)->interval;

	/* Wall time runs slower than mono while it meets a clock that was set back. */
	if (due_wall(task) > wall + LOOP_MS) {
		arm(task);
		return;
	}
	note_lateness(task, wall - due_wall(task));
	if (slot < task->due)
		slot = task->due;
	/* A whole slot late: the process was stopped. Were all asked now that are late, it would
	 * be one burst; so each waits for its own time, once. */
	task->held = slot > task->due && !task->held;
	task->due = (uint32_t)slot + 1;
	arm(task);
	if (task->busy)
		task->skipped = (uint32_t)slot;
	if (task->busy || task->held)
		poller_of(task)->counters.overruns++;
	else
		begin(task, slot);
}

static void
fire_ahead(void *arg, unsigned step)
{
	const struct task *task = arg;
	const struct driver *driver;

	/* Of what is told nothing: that is answers later. */
	if (step < 2)
		task_ahead(task, step);
	if (step == 0 || task->refused)
		return;
	driver = poller_of(task)->parts.drivers[task->driver].driver;
	if (driver->ahead != NULL)
		driver->ahead(task->work, step - 1);
}

void
task_prepare(struct poller *poller)
{
	loop_timer_ahead(poller->parts.loop, fire, fire_ahead, DRIVER_STEPS + 1);
	TAILQ_INIT(&poller->closings);
	loop_timer_init(&poller->more, close_more, poller);
}

/* ---- life ---- */

static uint32_t
next_slot(const struct task *task, int64_t wall)
{
	return (uint32_t)((wall - phase_of(task)) / group_of(task)->interval) + 1;
}

void
task_schedule(struct task *task)
{
	int64_t wall = loop_wall(poller_of(task)->parts.loop);
	uint32_t first = has_rows(task) || group_of(task)->point_count == 0 ? 0 :
		tracks_at(&task->scalars, 0).next;

	task->due = next_slot(task, wall);
	/* The clock is behind what is stored: nothing is stored twice, so wait for it. */
	if (first > task->due)
		task->due = first;
	arm(task);
}

static uint8_t
driver_index(const struct poller *poller, const struct driver *driver)
{
	for (uint8_t i = 0; i < poller->parts.driver_count; i++)
		if (poller->parts.drivers[i].driver == driver)
			return i;
	return 0;
}

void
task_init(struct task *task, struct unit *unit, uint8_t gap, struct kin_rank rank)
{
	const struct group *group = &unit->device->groups[task - unit->tasks];
	const char *name = unit->device->name;
	int64_t ticks = group->interval / LOOP_TICK;

	task->place = (uint16_t)(task - unit->tasks);
	task->table = group->table != NULL;
	task->gap = gap;
	task->driver = driver_index(unit->poller, group->driver);
	/* What a device says of itself beside its points is not the device's answer. */
	task->base = group->interval == device_interval(unit->device) &&
		(group->driver != &self_driver || unit->device->group_count == 1);
	if (!group->align)
		task->phase = kin_phase(rank, str_hash(name, strlen(name)), (uint64_t)ticks);
	loop_timer_init(&task->timer, fire, task);
	task->due = next_slot(task, loop_wall(unit->poller->parts.loop));
	if (has_rows(task))
		task->rows = mem_zero(sizeof *task->rows);
	else
		start_tracks(task, &task->scalars, "");
	unit->poller->counters.tasks++;
}

void
task_open(struct task *task)
{
	const struct driver *driver = poller_of(task)->parts.drivers[task->driver].driver;

	if (task->state != NULL)
		task->work = driver->open(task->state, task);
	task->refused = task->work == NULL;
	task_schedule(task);
	close_until(task, task->due, task->gap);
	task->gap = REASON_OVERRUN;
}

static void
forget_tracks(struct task *task, struct tracks *tracks)
{
	for (size_t i = 0; i < group_of(task)->point_count; i++) {
		struct track track = tracks_at(tracks, i);

		track_forget(poller_of(task), &track);
	}
}

static void
free_rows(struct task *task)
{
	for (uint32_t i = 0; i < task->rows->count; i++) {
		struct row *row = task->rows->list[i];

		if (!row->ended)
			forget_tracks(task, &row->tracks);
		tracks_free(&row->tracks);
		free(row);
	}
	free(task->rows->by_key);
	free(task->rows);
}

void
task_close(struct task *task)
{
	struct poller *poller = poller_of(task);

	loop_timer_stop(poller->parts.loop, &task->timer);
	if (!task->refused && task->work != NULL)
		poller->parts.drivers[task->driver].driver->close(task->work);
	if (task->refused && task->refusal != NULL) {
		loop_timer_stop(poller->parts.loop, task->refusal);
		free(task->refusal);
	}
	if (has_rows(task)) {
		drop_closing(task);
		free_rows(task);
	} else {
		forget_tracks(task, &task->scalars);
		tracks_free(&task->scalars);
	}
	poller->counters.tasks--;
}

static void
each_of(const struct task *task, const struct tracks *tracks,
	void (*each)(const struct track *, void *), void *arg)
{
	for (size_t i = 0; i < group_of(task)->point_count; i++) {
		struct track track = tracks_at(tracks, i);

		if (track.id != 0)
			each(&track, arg);
	}
}

void
task_each_track(const struct task *task, void (*each)(const struct track *, void *), void *arg)
{
	if (!has_rows(task)) {
		each_of(task, &task->scalars, each, arg);
		return;
	}
	for (uint32_t i = 0; i < task->rows->count; i++)
		if (!task->rows->list[i]->ended)
			each_of(task, &task->rows->list[i]->tracks, each, arg);
}

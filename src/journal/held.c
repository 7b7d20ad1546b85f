#include "journal/held.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/sample.h"
#include "core/series.h"

enum item_kind { ITEM_SAMPLE, ITEM_RUN, ITEM_END };

struct held_item {
	uint32_t series;
	uint8_t kind, reason; /* enum item_kind, enum reason */
	bool has_raw;
	int64_t step;         /* of a sample */
	int64_t first, last;  /* a sample: its slot, twice */
	int64_t at;           /* when it was received or decided */
	double value;
	uint64_t raw;
};

#define ROWS_HEAD 24 /* of the body: slot, step, received */

void
held_free(struct held *held)
{
	free(held->items);
	overflow_free(&held->overflow);
	*held = (struct held){ .room = held->room };
}

size_t
held_bytes(const struct held *held)
{
	return held->count * sizeof *held->items;
}

static void
keep(struct held *held, const struct held_item *item)
{
	struct series series = { .id = item->series };

	if (held_bytes(held) >= held->room || overflow_has(&held->overflow, &series)) {
		/* Where there are notes an end has no place: the next poller finds it ended. */
		if (item->kind != ITEM_END)
			overflow_note(&held->overflow, &series, item->first, item->last);
		return;
	}
	if (held->count == held->allocated) {
		held->allocated = held->allocated * 2 + 256;
		held->items = mem_grow(held->items, held->allocated, sizeof *held->items);
	}
	held->items[held->count++] = *item;
}

void
held_sample(struct held *held, const struct sample *sample)
{
	keep(held, &(struct held_item){ .series = sample->series->id, .kind = ITEM_SAMPLE,
		.reason = sample->reason, .has_raw = sample->has_raw, .step = sample->series->step,
		.first = sample->slot, .last = sample->slot, .at = sample->received,
		.value = sample->value, .raw = sample->raw });
}

void
held_run(struct held *held, const struct sample_run *run)
{
	keep(held, &(struct held_item){ .series = run->series->id, .kind = ITEM_RUN,
		.reason = run->reason, .first = run->first, .last = run->last, .at = run->decided });
}

void
held_take_slots(struct held *held, const void *body, size_t size, struct record_buffer *rest)
{
	struct record_cursor cursor = { body, (const uint8_t *)body + size, false };

	while (cursor.at < cursor.end && !cursor.failed) {
		const uint8_t *pair = cursor.at;
		uint32_t series = record_get_u32(&cursor);

		record_get_u32(&cursor);
		if (!held_has(held, series)) {
			record_get_u64(&cursor);
			record_put(rest, pair, (size_t)(cursor.at - pair));
		} else if (record_get_u64(&cursor) == 0) {
			keep(held, &(struct held_item){ .series = series, .kind = ITEM_END });
		}
	}
}

static bool
names_held(const struct held *held, const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;
	struct record_run run;

	if (record->kind == KIND_NEXT_SLOTS)
		return true;
	if (record->kind == KIND_RUN)
		return record_run_read(record, &run) == 0 && held_has(held, run.series);
	if (!record_has_samples(record) || record_samples_open(record, &walk) == -1)
		return false;
	while (record_samples_next(&walk, &sample))
		if (held_has(held, sample.series))
			return true;
	return false;
}

static void
keep_samples(struct held *held, const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;

	if (record_samples_open(record, &walk) == -1)
		return;
	while (record_samples_next(&walk, &sample))
		if (held_has(held, sample.series))
			keep(held, &(struct held_item){ .series = sample.series, .kind = ITEM_SAMPLE,
				.reason = sample.reason, .has_raw = sample.has_raw,
				.step = sample.step, .first = sample.slot, .last = sample.slot,
				.at = sample.received, .value = sample.value, .raw = sample.raw });
}

/* Ids in a row follow one another, so what stays of it is its beginning. How many do. */
static uint32_t
put_row(const struct held *held, struct record_cursor *cursor, struct record_buffer *rest)
{
	const uint8_t *row = cursor->at;
	uint32_t first = record_get_u32(cursor), stays;
	uint8_t reason = record_get_u8(cursor), flags = record_get_u8(cursor);
	uint32_t count = record_get_u16(cursor), offset = record_get_u32(cursor);
	size_t width = (flags & RECORD_HAS_VALUE ? 8u : 0u) + (flags & RECORD_HAS_RAW ? 8u : 0u);

	if (cursor->failed || count * width > (size_t)(cursor->end - cursor->at)) {
		cursor->failed = true;
		return 0;
	}
	row = cursor->at;
	cursor->at += count * width;
	stays = held_has(held, first) ? 0 : held->above - first + 1;
	if (stays > count)
		stays = count;
	if (stays == 0)
		return 0;
	record_put_u32(rest, first);
	record_put_u8(rest, reason);
	record_put_u8(rest, flags);
	record_put_u16(rest, (uint16_t)stays);
	record_put_u32(rest, offset);
	record_put(rest, row, stays * width);
	return stays;
}

static void
put_rows(const struct held *held, const struct record *record, struct record_buffer *rest)
{
	struct record_cursor cursor = { record->body + ROWS_HEAD, record->body + record->size, false };
	uint32_t count = 0;
	size_t at;

	record_put(rest, record->body, ROWS_HEAD);
	at = rest->used;
	record_put_u32(rest, record_get_u32(&cursor));
	while (cursor.at < cursor.end && !cursor.failed)
		count += put_row(held, &cursor, rest);
	for (int i = 0; i < 4; i++)
		rest->bytes[at + (size_t)i] = (uint8_t)(count >> 8 * i);
}

/* A frame of which nothing is left stays as one that says nothing, so that numbers go on. */
static void
take_frame(struct held *held, const struct record *record, struct record_buffer *rest)
{
	size_t frame = record_begin(rest,
		record->kind == KIND_RUN ? KIND_NEXT_SLOTS : record->kind, record->sequence);
	struct record_run run;

	if (record->kind == KIND_NEXT_SLOTS) {
		held_take_slots(held, record->body, record->size, rest);
	} else if (record->kind == KIND_RUN && record_run_read(record, &run) == 0) {
		keep(held, &(struct held_item){ .series = run.series, .kind = ITEM_RUN,
			.reason = run.reason, .first = run.first, .last = run.last,
			.at = run.decided });
	} else {
		keep_samples(held, record);
		put_rows(held, record, rest);
	}
	record_end(rest, frame);
}

void
held_take(struct held *held, struct record_buffer *frames)
{
	struct record_buffer rest = { 0 };
	struct record record;
	size_t size;

	for (size_t at = 0; at < frames->used; at += size) {
		if (record_parse(frames->bytes + at, frames->used - at, &record, &size) != 1)
			break;
		if (names_held(held, &record))
			take_frame(held, &record, &rest);
		else
			record_put(&rest, frames->bytes + at, size);
	}
	record_buffer_free(frames);
	*frames = rest;
}

static void
give_run(const struct sample_run *run, void *arg)
{
	const struct held_taker *to = arg;

	to->run(to->arg, run);
}

static void
give(const struct held_item *item, const struct held_taker *to)
{
	struct series series = { .id = item->series, .step = item->step };

	if (item->kind == ITEM_SAMPLE)
		to->sample(to->arg, &(struct sample){ .series = &series, .slot = item->first,
			.received = item->at, .reason = item->reason, .has_raw = item->has_raw,
			.value = item->value, .raw = item->raw });
	else if (item->kind == ITEM_RUN)
		to->run(to->arg, &(struct sample_run){ .series = &series, .first = item->first,
			.last = item->last, .decided = item->at, .reason = item->reason });
	else
		to->end(to->arg, item->series);
}

void
held_give(struct held *held, int64_t decided, const struct held_taker *to)
{
	struct held_taker taker = *to;
	struct held all = *held;

	/* What is given is not to be held again. */
	*held = (struct held){ .room = all.room };
	for (size_t i = 0; i < all.count; i++)
		give(&all.items[i], to);
	overflow_empty(&all.overflow, decided, give_run, &taker);
	held_free(&all);
}

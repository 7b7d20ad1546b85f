#include "journal/slots.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/series.h"
#include "journal/writer.h"

#define SERIES_A_RECORD 4096
#define SERIES_SIZE 16 /* octets in the record */

void
slots_free(struct slots *slots)
{
	free(slots->next);
	slots->next = NULL;
	slots->count = 0;
}

static void
note(struct slots *slots, uint32_t series, int64_t next)
{
	if (series >= slots->count) {
		size_t count = (size_t)series + 1024;

		if (series > series_last_id(slots->catalogue))
			return;
		slots->next = mem_grow(slots->next, count, sizeof *slots->next);
		memset(slots->next + slots->count, 0, (count - slots->count) * sizeof *slots->next);
		slots->count = count;
	}
	if (next > slots->next[series] || next == 0)
		slots->next[series] = next;
}

void
slots_replay(struct slots *slots, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	struct record_samples walk;
	struct record_sample sample;
	struct record_run run;

	if (record_has_samples(record) && record_samples_open(record, &walk) == 0) {
		while (record_samples_next(&walk, &sample))
			note(slots, sample.series, sample.slot + 1);
	} else if (record->kind == KIND_RUN && record_run_read(record, &run) == 0) {
		note(slots, run.series, run.last + 1);
	} else if (record->kind == KIND_NEXT_SLOTS) {
		while (cursor.at < cursor.end) {
			uint32_t series = record_get_u32(&cursor);
			int64_t next;

			record_get_u32(&cursor);
			next = (int64_t)record_get_u64(&cursor);
			if (cursor.failed)
				return;
			note(slots, series, next);
		}
	}
}

void
slots_each(const struct slots *slots,
	void (*found)(uint32_t series, int64_t next, void *arg), void *arg)
{
	for (uint32_t id = 1; id < slots->count; id++)
		if (slots->next[id] != 0)
			found(id, slots->next[id], arg);
}

static void
write_out(struct slots_bundle *bundle)
{
	if (bundle->body.used > 0)
		writer_record(bundle->writer, KIND_NEXT_SLOTS, bundle->body.bytes,
			bundle->body.used);
	bundle->body.used = 0;
}

int64_t
slots_newest(const struct slots *slots)
{
	int64_t newest = 0;

	for (uint32_t id = 1; id < slots->count; id++) {
		const struct series *series = slots->next[id] == 0 ? NULL :
			series_show(slots->catalogue, id);

		if (series != NULL && (slots->next[id] - 1) * series->step > newest)
			newest = (slots->next[id] - 1) * series->step;
	}
	return newest;
}

void
slots_expect(struct writer *writer, size_t series)
{
	size_t records = series / SERIES_A_RECORD + 1;

	writer_expect(writer, series * SERIES_SIZE + records * RECORD_FRAME_HEADER);
}

void
slots_put(uint32_t series, int64_t next, void *arg)
{
	struct slots_bundle *bundle = arg;

	uint64_t numbers[2] = { htole64(series), htole64((uint64_t)next) };

	/* In one: a snapshot has all series of a plant. */
	record_put(&bundle->body, numbers, sizeof numbers);
	if (bundle->body.used >= SERIES_A_RECORD * SERIES_SIZE)
		write_out(bundle);
}

void
slots_flush(struct slots_bundle *bundle)
{
	write_out(bundle);
	record_buffer_free(&bundle->body);
}

void
slots_end(struct writer *writer, uint32_t series)
{
	struct slots_bundle bundle = { .writer = writer };

	slots_put(series, 0, &bundle);
	slots_flush(&bundle);
}

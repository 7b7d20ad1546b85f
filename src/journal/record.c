#include "journal/record.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define FRAME_VERSION 1

void
record_buffer_free(struct record_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct record_buffer){ 0 };
}

static void
store_number(uint8_t *to, uint64_t value, size_t bytes)
{
	value = htole64(value);
	memcpy(to, &value, bytes);
}

static uint64_t
load_number(const uint8_t *from, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, from, bytes);
	return le64toh(value);
}

static void
make_room(struct record_buffer *buffer, size_t size)
{
	size_t room = buffer->room > 0 ? buffer->room : 4096;

	while (room - buffer->used < size)
		room *= 2;
	buffer->bytes = mem_grow(buffer->bytes, room, 1);
	buffer->room = room;
}

void
record_put(struct record_buffer *buffer, const void *bytes, size_t size)
{
	if (buffer->room - buffer->used < size)
		make_room(buffer, size);
	if (size > 0)
		memcpy(buffer->bytes + buffer->used, bytes, size);
	buffer->used += size;
}

void
record_expect(struct record_buffer *buffer, size_t size)
{
	if (buffer->room - buffer->used < size)
		make_room(buffer, size);
}

uint8_t *
record_extend(struct record_buffer *buffer, size_t size)
{
	if (buffer->room - buffer->used < size)
		make_room(buffer, size);
	buffer->used += size;
	return buffer->bytes + buffer->used - size;
}

static void
put_number(struct record_buffer *buffer, uint64_t value, size_t bytes)
{
	if (buffer->room - buffer->used < bytes)
		make_room(buffer, bytes);
	store_number(buffer->bytes + buffer->used, value, bytes);
	buffer->used += bytes;
}

void
record_put_u8(struct record_buffer *buffer, uint8_t value)
{
	put_number(buffer, value, 1);
}

void
record_put_u16(struct record_buffer *buffer, uint16_t value)
{
	put_number(buffer, value, 2);
}

void
record_put_u32(struct record_buffer *buffer, uint32_t value)
{
	put_number(buffer, value, 4);
}

void
record_put_u64(struct record_buffer *buffer, uint64_t value)
{
	put_number(buffer, value, 8);
}

void
record_put_f64(struct record_buffer *buffer, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	put_number(buffer, bits, 8);
}

void
record_put_text(struct record_buffer *buffer, const char *text)
{
	size_t length = strlen(text);

	record_put_u32(buffer, (uint32_t)length);
	record_put(buffer, text, length);
}

size_t
record_begin(struct record_buffer *buffer, enum record_kind kind, uint64_t sequence)
{
	size_t frame = buffer->used;

	record_put_u64(buffer, 0); /* size and checksum, known at the end */
	record_put_u8(buffer, (uint8_t)kind);
	record_put_u8(buffer, FRAME_VERSION);
	record_put_u16(buffer, 0);
	record_put_u64(buffer, sequence);
	return frame;
}

void
record_end(struct record_buffer *buffer, size_t frame)
{
	uint8_t *start = buffer->bytes + frame;
	size_t body = buffer->used - frame - RECORD_FRAME_HEADER;

	store_number(start, body, 4);
	store_number(start + 4, str_crc32c(0, start + 8, body + RECORD_FRAME_HEADER - 8), 4);
}

static uint64_t
get_number(struct record_cursor *cursor, size_t bytes)
{
	uint64_t value;

	if (cursor->failed || (size_t)(cursor->end - cursor->at) < bytes) {
		cursor->failed = true;
		return 0;
	}
	value = load_number(cursor->at, bytes);
	cursor->at += bytes;
	return value;
}

uint8_t
record_get_u8(struct record_cursor *cursor)
{
	return (uint8_t)get_number(cursor, 1);
}

uint16_t
record_get_u16(struct record_cursor *cursor)
{
	return (uint16_t)get_number(cursor, 2);
}

uint32_t
record_get_u32(struct record_cursor *cursor)
{
	return (uint32_t)get_number(cursor, 4);
}

uint64_t
record_get_u64(struct record_cursor *cursor)
{
	return get_number(cursor, 8);
}

static double
double_of(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

void
record_get_text(struct record_cursor *cursor, char *to, size_t size)
{
	uint32_t length = record_get_u32(cursor);
	size_t copied = length < size ? length : size - 1;

	to[0] = '\0';
	if (cursor->failed || (size_t)(cursor->end - cursor->at) < length) {
		cursor->failed = true;
		return;
	}
	memcpy(to, cursor->at, copied);
	to[copied] = '\0';
	cursor->at += length;
}

bool
record_is_known(const struct record *record)
{
	switch (record->kind) {
	case KIND_SAMPLES:
	case KIND_RUN:
	case KIND_ALARM:
	case KIND_NOTIFIED:
	case KIND_NEXT_SLOTS:
	case KIND_SNAPSHOT_BEGIN:
	case KIND_SNAPSHOT_END:
	case KIND_START:
	case KIND_STOP:
	case KIND_ALARM_STATE:
	case KIND_NOTIFY_STATE:
	case KIND_PATH_STATE:
	case KIND_ROWS:
	case KIND_NUMBERS:
		return true;
	default:
		return false;
	}
}

/* The checksum does not cover the size: a wrong size moves the checked range and fails it. */
int
record_parse(const uint8_t *bytes, size_t size, struct record *record, size_t *frame_size)
{
	size_t body;

	if (size < RECORD_FRAME_HEADER)
		return 0;
	body = (size_t)load_number(bytes, 4);
	if (body > RECORD_BODY_MAX || bytes[8] == 0)
		return -1;
	if (size - RECORD_FRAME_HEADER < body)
		return 0;
	if (str_crc32c(0, bytes + 8, body + RECORD_FRAME_HEADER - 8) != load_number(bytes + 4, 4))
		return -1;
	record->kind = bytes[9] == FRAME_VERSION ? bytes[8] : KIND_FOREIGN;
	record->sequence = load_number(bytes + 12, 8);
	record->body = bytes + RECORD_FRAME_HEADER;
	record->size = body;
	*frame_size = body + RECORD_FRAME_HEADER;
	return 1;
}

int
record_samples_open(const struct record *record, struct record_samples *walk)
{
	struct record_cursor *cursor = &walk->cursor;

	*cursor = (struct record_cursor){ record->body, record->body + record->size, false };
	walk->slot = (int64_t)record_get_u64(cursor);
	walk->step = (int64_t)record_get_u64(cursor);
	walk->received = (int64_t)record_get_u64(cursor);
	walk->left = record_get_u32(cursor);
	walk->rows = record->kind == KIND_ROWS;
	walk->row.left = 0;
	return record_has_samples(record) && !cursor->failed && walk->step > 0 ? 0 : -1;
}

#define ROW_HEAD 12

/* The head of a row, and whether all of it is there. */
static bool
take_row(struct record_samples *walk)
{
	struct record_cursor *cursor = &walk->cursor;
	const uint8_t *at = cursor->at;
	size_t left = (size_t)(cursor->end - at), size;

	if (left < ROW_HEAD)
		return false;
	walk->row.series = (uint32_t)load_number(at, 4);
	walk->row.reason = at[4];
	walk->row.flags = at[5];
	walk->row.left = walk->rows ? (uint32_t)load_number(at + 6, 2) : 1;
	walk->row.received = walk->received + (int64_t)(int32_t)load_number(at + 8, 4) * 1000;
	size = 8 * (size_t)((walk->row.flags & RECORD_HAS_VALUE) != 0) +
		8 * (size_t)((walk->row.flags & RECORD_HAS_RAW) != 0);
	cursor->at += ROW_HEAD;
	return walk->row.left > 0 && walk->row.left <= walk->left &&
		walk->row.left * size <= left - ROW_HEAD;
}

static inline bool
take_sample(struct record_samples *walk, struct record_sample *sample)
{
	struct record_cursor *cursor = &walk->cursor;

	if (walk->left == 0 || cursor->failed)
		return false;
	if (walk->row.left == 0 && !take_row(walk)) {
		cursor->failed = true;
		return false;
	}
	walk->left--;
	walk->row.left--;
	sample->has_value = (walk->row.flags & RECORD_HAS_VALUE) != 0;
	sample->has_raw = (walk->row.flags & RECORD_HAS_RAW) != 0;
	sample->slot = walk->slot;
	sample->step = walk->step;
	sample->series = walk->row.series++;
	sample->reason = walk->row.reason;
	sample->received = walk->row.received;
	sample->value = (double)NAN;
	sample->raw = 0;
	if (sample->has_value) {
		sample->value = double_of(load_number(cursor->at, 8));
		cursor->at += 8;
	}
	if (sample->has_raw) {
		sample->raw = load_number(cursor->at, 8);
		cursor->at += 8;
	}
	return true;
}

bool
record_samples_next(struct record_samples *walk, struct record_sample *sample)
{
	return take_sample(walk, sample);
}

size_t
record_samples_take(struct record_samples *walk, struct record_sample *samples, size_t most)
{
	size_t count = 0;

	while (count < most && take_sample(walk, &samples[count]))
		count++;
	return count;
}

int
record_run_read(const struct record *record, struct record_run *run)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };

	run->series = record_get_u32(&cursor);
	run->reason = record_get_u8(&cursor);
	record_get_u8(&cursor);
	record_get_u16(&cursor);
	run->first = (int64_t)record_get_u64(&cursor);
	run->last = (int64_t)record_get_u64(&cursor);
	run->decided = (int64_t)record_get_u64(&cursor);
	return record->kind == KIND_RUN && !cursor.failed && run->first <= run->last ? 0 : -1;
}

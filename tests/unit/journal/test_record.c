#include "../check.h"

#include <math.h>

#include "journal/record.h"

static size_t
put_samples(struct record_buffer *buffer)
{
	size_t frame = record_begin(buffer, KIND_SAMPLES, 7);

	record_put_u64(buffer, 1000);
	record_put_u64(buffer, 5000000000);
	record_put_u64(buffer, 5000000123456789);
	record_put_u32(buffer, 2);
	record_put_u32(buffer, 41);
	record_put_u8(buffer, 0);
	record_put_u8(buffer, RECORD_HAS_VALUE | RECORD_HAS_RAW);
	record_put_u16(buffer, 0);
	record_put_u32(buffer, (uint32_t)-3);
	record_put_f64(buffer, 12.5);
	record_put_u64(buffer, 77);
	record_put_u32(buffer, 42);
	record_put_u8(buffer, 10);
	record_put_u8(buffer, 0);
	record_put_u16(buffer, 0);
	record_put_u32(buffer, 0);
	record_end(buffer, frame);
	return buffer->used;
}

static void
a_frame_of_samples_comes_back_as_it_was_put(void)
{
	struct record_buffer buffer = { 0 };
	struct record_samples walk;
	struct record_sample sample;
	struct record record;
	size_t size, whole = put_samples(&buffer);

	CHECK_INT(record_parse(buffer.bytes, buffer.used, &record, &size), 1);
	CHECK(size == whole && record.kind == KIND_SAMPLES && record.sequence == 7);
	CHECK(record_samples_open(&record, &walk) == 0);
	CHECK(record_samples_next(&walk, &sample));
	CHECK(sample.series == 41 && sample.slot == 1000 && sample.step == 5000000000);
	CHECK(sample.received == 5000000123456789 - 3000);
	CHECK(sample.has_value && sample.value == 12.5 && sample.has_raw && sample.raw == 77);
	CHECK(record_samples_next(&walk, &sample));
	CHECK(sample.series == 42 && sample.reason == 10 && !sample.has_raw && isnan(sample.value));
	CHECK(!record_samples_next(&walk, &sample));
	record_buffer_free(&buffer);
}

static void
no_flipped_bit_in_any_byte_goes_unnoticed(void)
{
	struct record_buffer buffer = { 0 };
	struct record record;
	size_t size, whole = put_samples(&buffer);

	for (size_t i = 0; i < whole; i++) {
		for (int bit = 0; bit < 8; bit++) {
			buffer.bytes[i] ^= (uint8_t)(1u << bit);
			CHECK(record_parse(buffer.bytes, whole, &record, &size) != 1);
			buffer.bytes[i] ^= (uint8_t)(1u << bit);
		}
	}
	CHECK_INT(record_parse(buffer.bytes, whole, &record, &size), 1);
	record_buffer_free(&buffer);
}

static void
what_was_expected_is_put_without_moving_what_stands_there(void)
{
	static const uint8_t slot[16];
	struct record_buffer buffer = { 0 };
	const uint8_t *bytes;
	size_t size = 300000 * sizeof slot;

	put_samples(&buffer);
	record_expect(&buffer, size);
	bytes = buffer.bytes;
	for (size_t put = 0; put < size; put += sizeof slot) {
		record_put(&buffer, slot, sizeof slot);
		CHECK(buffer.bytes == bytes);
	}
	record_buffer_free(&buffer);
}

static void
a_frame_cut_at_any_length_is_not_there_yet(void)
{
	struct record_buffer buffer = { 0 };
	struct record record;
	size_t size, whole = put_samples(&buffer);

	for (size_t cut = 0; cut < whole; cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, buffer.bytes, cut);
		CHECK_INT(record_parse(copy, cut, &record, &size), 0);
		free(copy);
	}
	record_buffer_free(&buffer);
}

static void
a_cursor_never_reads_behind_its_end(void)
{
	uint8_t bytes[6] = { 9, 0, 0, 0, 'a', 'b' };
	struct record_cursor cursor = { bytes, bytes + sizeof bytes, false };
	char text[8];

	record_get_text(&cursor, text, sizeof text);
	CHECK(cursor.failed);
	CHECK_STR(text, "");
	CHECK(record_get_u64(&cursor) == 0);
}

static void
a_body_that_promises_more_samples_than_it_holds_ends_the_walk(void)
{
	struct record_buffer buffer = { 0 };
	struct record_samples walk;
	struct record_sample sample;
	struct record record;
	size_t size, frame = record_begin(&buffer, KIND_SAMPLES, 1);

	for (int i = 0; i < 3; i++)
		record_put_u64(&buffer, 5);
	record_put_u32(&buffer, UINT32_MAX);
	record_end(&buffer, frame);
	CHECK_INT(record_parse(buffer.bytes, buffer.used, &record, &size), 1);
	CHECK(record_samples_open(&record, &walk) == 0);
	CHECK(!record_samples_next(&walk, &sample));
	record_buffer_free(&buffer);
}

/* A frame of rows: samples in all, and of the first row, which has three. */
static size_t
put_rows(struct record_buffer *buffer, uint32_t samples, uint16_t first)
{
	size_t frame = record_begin(buffer, KIND_ROWS, 7);

	record_put_u64(buffer, 1000);
	record_put_u64(buffer, 5000000000);
	record_put_u64(buffer, 5000000123456789);
	record_put_u32(buffer, samples);
	record_put_u32(buffer, 41);
	record_put_u8(buffer, 0);
	record_put_u8(buffer, RECORD_HAS_VALUE | RECORD_HAS_RAW);
	record_put_u16(buffer, first);
	record_put_u32(buffer, (uint32_t)-3);
	for (unsigned i = 0; i < 3; i++) {
		record_put_f64(buffer, 12.5 + i);
		record_put_u64(buffer, 77 + i);
	}
	record_put_u32(buffer, 99);
	record_put_u8(buffer, 10);
	record_put_u8(buffer, 0);
	record_put_u16(buffer, 2);
	record_put_u32(buffer, 4);
	record_end(buffer, frame);
	return buffer->used;
}

static void
rows_of_neighbours_come_back_as_samples(void)
{
	struct record_buffer buffer = { 0 };
	struct record_samples walk;
	struct record_sample samples[8];
	struct record record;
	size_t size, whole = put_rows(&buffer, 5, 3);

	CHECK_INT(record_parse(buffer.bytes, whole, &record, &size), 1);
	CHECK(record_has_samples(&record) && record_samples_open(&record, &walk) == 0);
	CHECK_INT(record_samples_take(&walk, samples, 8), 5);
	CHECK(!walk.cursor.failed && walk.cursor.at == walk.cursor.end);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(samples[i].series == 41 + i && samples[i].slot == 1000);
		CHECK(samples[i].received == 5000000123456789 - 3000 && samples[i].reason == 0);
		CHECK(samples[i].has_value && samples[i].value == 12.5 + i);
		CHECK(samples[i].has_raw && samples[i].raw == 77 + i);
	}
	for (unsigned i = 0; i < 2; i++) {
		CHECK(samples[3 + i].series == 99 + i && samples[3 + i].reason == 10);
		CHECK(!samples[3 + i].has_raw && isnan(samples[3 + i].value));
		CHECK(samples[3 + i].received == 5000000123456789 + 4000);
	}
	record_buffer_free(&buffer);
}

static void
a_row_that_is_empty_or_longer_than_its_frame_ends_the_walk(void)
{
	const struct {
		uint32_t samples;
		uint16_t first;
		size_t good;
	} odd[] = { { 5, 0, 0 }, { 2, 3, 0 }, { 60, 5, 0 }, { 4, 3, 3 }, { 6, 3, 5 }, { 5, 2, 2 } };

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct record_buffer buffer = { 0 };
		struct record_samples walk;
		struct record_sample samples[64];
		struct record record;
		size_t size, whole = put_rows(&buffer, odd[i].samples, odd[i].first);

		CHECK_INT(record_parse(buffer.bytes, whole, &record, &size), 1);
		CHECK(record_samples_open(&record, &walk) == 0);
		CHECK_INT(record_samples_take(&walk, samples, 64), odd[i].good);
		CHECK(walk.cursor.failed);
		record_buffer_free(&buffer);
	}
}

static void
a_run_comes_back_and_one_that_ends_before_it_begins_is_damaged(void)
{
	for (int64_t last = 9; last <= 12; last += 3) {
		struct record_buffer buffer = { 0 };
		struct record_run run;
		struct record record;
		size_t size, frame = record_begin(&buffer, KIND_RUN, 1);

		record_put_u32(&buffer, 3);
		record_put_u32(&buffer, 40);
		record_put_u64(&buffer, 10);
		record_put_u64(&buffer, (uint64_t)last);
		record_put_u64(&buffer, 99);
		record_end(&buffer, frame);
		CHECK_INT(record_parse(buffer.bytes, buffer.used, &record, &size), 1);
		CHECK_INT(record_run_read(&record, &run), last < 10 ? -1 : 0);
		CHECK(run.series == 3 && run.reason == 40 && run.first == 10 && run.last == last);
		record_buffer_free(&buffer);
	}
}

RUN_TESTS(TEST(a_frame_of_samples_comes_back_as_it_was_put),
	TEST(no_flipped_bit_in_any_byte_goes_unnoticed),
	TEST(what_was_expected_is_put_without_moving_what_stands_there),
	TEST(a_frame_cut_at_any_length_is_not_there_yet),
	TEST(a_cursor_never_reads_behind_its_end),
	TEST(a_body_that_promises_more_samples_than_it_holds_ends_the_walk),
	TEST(rows_of_neighbours_come_back_as_samples),
	TEST(a_row_that_is_empty_or_longer_than_its_frame_ends_the_walk),
	TEST(a_run_comes_back_and_one_that_ends_before_it_begins_is_damaged))

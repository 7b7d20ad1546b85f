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
	TEST(a_frame_cut_at_any_length_is_not_there_yet),
	TEST(a_cursor_never_reads_behind_its_end),
	TEST(a_body_that_promises_more_samples_than_it_holds_ends_the_walk),
	TEST(a_run_comes_back_and_one_that_ends_before_it_begins_is_damaged))

/* Rows in few octets, and the same bits again. */
#include "../check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../dice.h"
#include "core/series.h"
#include "store/packed.h"
#include "store/pending.h"
#include "store/sheet.h"
#include "store/slab.h"
#include "store/turns.h"

#define SECOND INT64_C(1000000000)
#define STEP (60 * SECOND)

static uint64_t seed = 7;

static uint64_t
draw(void)
{
	dice_next(&seed);
	return seed >> 16 ^ seed << 40;
}

static bool
same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static size_t
there_and_back(const double *values, size_t width, int64_t span)
{
	uint8_t octets[PACKED_MAX(20)];
	double again[20];
	size_t used = packed_put(octets, values, width, span, STEP);

	CHECK(used <= PACKED_MAX(width));
	CHECK_INT(packed_get(octets, again, width, STEP), used);
	for (size_t i = 0; i < width; i++)
		CHECK(same_bits(again[i], values[i]));
	return used;
}

static void
any_values_come_back_bit_by_bit(void)
{
	static const double odd[] = { 0, -0.0, 1, -1, 0.1, -0.1, 21.5, 1e300, -1e-300, DBL_MAX,
		DBL_MIN, 4e-320, 9007199254740993.0, 4294967296.0, -2147483648.0, 1.0 / 3, 999999.999,
		0.001, 3.4e38, 16777217 };
	double values[20];

	there_and_back(odd, 20, 0);
	there_and_back(odd, 20, STEP);
	for (int round = 0; round < 20000; round++) {
		size_t width = 1 + draw() % 20;

		for (size_t i = 0; i < width; i++) {
			uint64_t bits = draw();

			memcpy(&values[i], &bits, sizeof bits);
			if (!isfinite(values[i]) || draw() % 8 == 0)
				values[i] = (double)NAN;
			else if (draw() % 4 == 0)
				values[i] = odd[draw() % 20];
		}
		there_and_back(values, width, draw() % 2 ? STEP + (int64_t)(draw() % 1000) : 0);
	}
}

static void
rates_of_one_answer_take_little_more_than_their_counts(void)
{
	double values[10];
	size_t all = 0;

	for (int round = 0; round < 2000; round++) {
		int64_t span = STEP + (int64_t)(draw() % 40000000) - 20000000;

		for (int i = 0; i < 10; i++)
			values[i] = (double)(draw() % 100000) / ((double)span / 1e9);
		/* Known to the microsecond, as the journal has it. */
		all += there_and_back(values, 10, span + (int64_t)(draw() % 1000));
	}
	/* 5 of kinds, 4 of nanoseconds, 3 a count; without the form it were 85. */
	CHECK(all / 2000 <= 40);
}

static void
a_gauge_among_rates_does_not_spoil_them(void)
{
	int64_t span = STEP + 12345678;
	double values[10] = { 21.3, 7, 0.5 };

	for (int i = 3; i < 10; i++)
		values[i] = (double)(1000 * i + 1) / ((double)span / 1e9);
	CHECK(there_and_back(values, 10, span) <= 5 + 5 + 6 + 7 * 2 + 4);
}

static void
numbers_for_librrd_read_back_as_the_same_double(void)
{
	static const double plain[] = { 0, 1, -1, 0.1, 0.05, 21.5, 65535, 1e15, 1e-3, 9.999e-4,
		1e300, -2.5e-7, 123456789.123, 0.3, 1.0 / 3, 99999999999999.9, 999999999999999.9,
		0.999999999999999889, 9.9999999999999982, 999.99999999999989, 1.0000000000000002,
		0.0010000000000000002, 99999999999.999985, 0.12345, 1023.9995, 1e12 + 0.5 };
	char text[SHEET_NUMBER];

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		CHECK(sheet_number(text, plain[i]) == strlen(text));
		CHECK(same_bits(strtod(text, NULL), plain[i]));
	}
	sheet_number(text, 0.1);
	CHECK_STR(text, "0.1");
	sheet_number(text, 0.002);
	CHECK_STR(text, "0.002");
	sheet_number(text, 1.0 / 32);
	CHECK_STR(text, "0.03125");
	sheet_number(text, -1200.5);
	CHECK_STR(text, "-1200.5");
	sheet_number(text, 4294967296.0);
	CHECK_STR(text, "4294967296");
	for (int round = 0; round < 200000; round++) {
		double seconds = (double)(STEP + (int64_t)(draw() % 1000000)) / 1e9;
		double value = (double)(draw() >> draw() % 60) / seconds;

		sheet_number(text, value);
		CHECK(strtod(text, NULL) == value);
	}
}

static void
queues_share_a_slab_and_give_everything_back(void)
{
	struct slab *slab = slab_new();
	struct slab_queue queues[5] = { { 0 } };
	uint32_t put[5] = { 0 }, taken[5] = { 0 };

	for (int round = 0; round < 20000; round++) {
		unsigned which = draw() % 5;
		struct slab_place place;

		if (draw() % 2 || put[which] == taken[which]) {
			slab_put(slab, &queues[which], &put[which], sizeof put[which]);
			put[which]++;
			continue;
		}
		place = slab_front(&queues[which]);
		for (uint64_t i = 1 + draw() % (put[which] - taken[which]); i > 0; i--) {
			uint32_t number;

			slab_read(slab, &place, &number, sizeof number);
			CHECK_INT(number, taken[which]++);
		}
		slab_take(slab, &queues[which], place);
	}
	CHECK(slab_bytes(slab) > 0);
	for (int i = 0; i < 5; i++)
		slab_clear(slab, &queues[i]);
	CHECK_INT(slab_bytes(slab), 0);
	slab_free(slab);
}

/* ---- rows of files ---- */

static struct pending *pending;
#define SLOTS 200
static double model[3][SLOTS];

static void
begin_rows(void)
{
	pending = pending_new();
	for (uint32_t i = 0; i < 3; i++) {
		char ds[2] = { (char)('a' + i), '\0' };
		struct series series = { .id = i + 1, .step = STEP, .path = "p", .unit = "",
			.file = "f.rrd", .ds = ds, .profile = "short" };

		CHECK(pending_register(pending, &series, NULL) == 0);
		for (int slot = 0; slot < SLOTS; slot++)
			model[i][slot] = (double)NAN;
	}
}

static struct pending_file *
put(uint32_t ds, int64_t slot, double value)
{
	model[ds][slot] = value;
	return pending_close(pending, ds + 1, slot, value,
		(struct pending_origin){ slot * STEP, 1 + (uint64_t)slot / 10 });
}

static void
check_rows(struct pending_file *file, int64_t first)
{
	struct pending_walk walk = pending_walk(pending, file);
	struct pending_row row;
	size_t count = 0;

	for (int64_t slot = first; slot < SLOTS; slot++) {
		if (isnan(model[0][slot]) && isnan(model[1][slot]) && isnan(model[2][slot]))
			continue;
		CHECK(pending_next(pending, file, &walk, &row));
		CHECK_INT(row.slot, slot);
		for (size_t i = 0; i < 3; i++)
			CHECK(same_bits(i < row.width ? row.values[i] : (double)NAN, model[i][slot]));
		count++;
	}
	CHECK(!pending_next(pending, file, &walk, &row));
	CHECK_INT(file->row_count, count);
	CHECK_INT(pending_count_rows(pending), count);
}

static void
rows_in_any_order_are_read_in_order_and_forgotten_from_the_front(void)
{
	struct pending_file *file = NULL;

	begin_rows();
	for (int round = 0; round < 1000; round++)
		file = put((uint32_t)(draw() % 3), (int64_t)(draw() % SLOTS), (double)draw() / 7);
	check_rows(file, 0);
	for (int64_t upto = 10; upto < SLOTS - 10; upto += 37) {
		pending_forget(pending, file, upto);
		check_rows(file, upto + 1);
		for (int64_t slot = 0; slot <= upto; slot++)
			model[0][slot] = model[1][slot] = model[2][slot] = (double)NAN;
		put(1, upto + 5, 3);
		check_rows(file, upto + 1);
	}
	pending_forget(pending, file, INT64_MAX);
	CHECK_INT(pending_bytes(pending), 0);
	CHECK_INT(pending_first(pending, file), INT64_MAX);
	pending_free(pending);
}

static void
the_oldest_row_says_from_which_segment_on_the_journal_is_needed(void)
{
	struct reader_position none = { 99, 1234 }, oldest;
	struct pending_file *file;

	begin_rows();
	CHECK_INT(pending_oldest(pending, none).offset, 1234);
	for (int64_t slot = 50; slot < 100; slot++)
		file = put(0, slot, (double)slot);
	CHECK_INT(pending_oldest(pending, none).segment, 1 + 5);
	pending_forget(pending, file, 75);
	CHECK_INT(pending_oldest(pending, none).segment, 1 + 7);
	/* What comes late is in a young segment, but its successors are not. */
	pending_close(pending, 1, 76, 1, (struct pending_origin){ 0, 90 });
	CHECK_INT(pending_oldest(pending, none).segment, 1 + 7);
	pending_forget(pending, file, 99);
	oldest = pending_oldest(pending, none);
	CHECK(oldest.segment == 99 && oldest.offset == 1234);
	put(2, 120, 1);
	CHECK_INT(pending_oldest(pending, none).segment, 13);
	pending_free(pending);
}

static void
turns_come_in_the_order_of_their_time(void)
{
	struct pending_file files[300] = { { .name = NULL } }, *file;
	struct turns turns = { 0 };
	int64_t before = 0;
	size_t taken = 0;

	for (size_t i = 0; i < 300; i++) {
		files[i].due = (int64_t)(draw() % 1000);
		turns_add(&turns, &files[i]);
		turns_add(&turns, &files[i]);
	}
	CHECK_INT(turns.count, 300);
	CHECK(turns_take(&turns, -1) == NULL);
	while ((file = turns_take(&turns, 499)) != NULL) {
		CHECK(file->due >= before && file->due <= 499);
		before = file->due;
		taken++;
		/* Every third gets a new one. */
		if (taken % 3 == 0) {
			file->due += 500;
			turns_add(&turns, file);
		}
	}
	CHECK(taken > 100 && turns.count < 300 && !turns_is_due(&turns, 499));
	while ((file = turns_take(&turns, INT64_MAX)) != NULL) {
		CHECK(file->due >= before);
		before = file->due;
	}
	turns_free(&turns);
}

RUN_TESTS(TEST(any_values_come_back_bit_by_bit),
	TEST(rates_of_one_answer_take_little_more_than_their_counts),
	TEST(a_gauge_among_rates_does_not_spoil_them),
	TEST(numbers_for_librrd_read_back_as_the_same_double),
	TEST(queues_share_a_slab_and_give_everything_back),
	TEST(rows_in_any_order_are_read_in_order_and_forgotten_from_the_front),
	TEST(the_oldest_row_says_from_which_segment_on_the_journal_is_needed),
	TEST(turns_come_in_the_order_of_their_time))

#include "modbus/owed.h"

#include <stdlib.h>
#include <string.h>

#include "../check.h"

static struct owed owed;

static struct adu_expect
shape(uint8_t unit, uint8_t bytes)
{
	return (struct adu_expect){ .framing = ADU_RTU, .unit = unit, .function = 3,
		.bytes = bytes };
}

static void
owe(uint8_t unit, uint8_t bytes)
{
	struct adu_expect asked = shape(unit, bytes);

	owed_add(&owed, &asked, 1000);
}

static bool
has(uint8_t unit, uint8_t bytes)
{
	struct adu_expect asked = shape(unit, bytes);

	return owed_has(&owed, &asked);
}

static void
answer(uint8_t unit, uint8_t bytes)
{
	struct adu_expect asked = shape(unit, bytes);

	owed_answered(&owed, &asked, 2000);
}

static void
knows_which_answers_could_be_mistaken(void)
{
	owe(5, 20);
	CHECK(has(5, 20));
	CHECK(!has(5, 18));
	CHECK(!has(6, 20));
	owed_free(&owed);
}

static void
is_even_with_a_unit_that_answers_another_shape(void)
{
	owe(5, 20);
	owe(6, 20);
	owe(5, 8);
	answer(5, 18);
	CHECK(!has(5, 20) && !has(5, 8));
	CHECK(has(6, 20));
	owed_free(&owed);
}

/* Asked 20, 18, 18: an answer of 18 may be the first of the two. */
static void
takes_an_answer_for_the_oldest_of_its_shape(void)
{
	owe(5, 20);
	owe(5, 18);
	answer(5, 18);
	CHECK(!has(5, 20));
	CHECK(has(5, 18));
	owed_free(&owed);
}

/* Asked 18, 20, 18: the answer may be that to the first, so 20 is owed still; the next one
 * of 18 settles it. */
static void
does_not_take_an_old_answer_for_proof(void)
{
	owe(5, 18);
	owe(5, 20);
	answer(5, 18);
	CHECK(has(5, 20));
	answer(5, 18);
	CHECK(!has(5, 20));
	owed_free(&owed);
}

static void
takes_a_refusal_for_the_oldest_of_its_function(void)
{
	struct adu_expect asked = shape(5, 18);

	owe(5, 20);
	owed_refused(&owed, &asked, 2000);
	CHECK(!has(5, 20));
	CHECK(has(5, 18));
	asked = shape(6, 2);
	owed_refused(&owed, &asked, 2000);
	CHECK(!has(6, 2));
	owed_free(&owed);
}

static void
chooses_a_count_that_cannot_be_mistaken(void)
{
	struct adu_read read = { .framing = ADU_RTU, .unit = 5, .function = ADU_HOLDING_REGISTERS,
		.address = 100, .count = 10 };

	owe(5, 20);
	CHECK_INT(owed_other_count(&owed, &read, false), 9);
	owe(5, 18);
	CHECK_INT(owed_other_count(&owed, &read, false), 9); /* the first of 18 proves it */
	owe(5, 20);
	CHECK_INT(owed_other_count(&owed, &read, false), 8);
	read.count = 1;
	owe(5, 2);
	CHECK_INT(owed_other_count(&owed, &read, false), 0);
	CHECK_INT(owed_other_count(&owed, &read, true), 2);
	read.address = 65535;
	CHECK_INT(owed_other_count(&owed, &read, true), 0);
	read = (struct adu_read){ .framing = ADU_RTU, .unit = 5, .function = ADU_COILS,
		.address = 0, .count = 20 };
	CHECK_INT(owed_other_count(&owed, &read, false), 16);
	read.count = 5;
	CHECK_INT(owed_other_count(&owed, &read, false), 0);
	CHECK_INT(owed_other_count(&owed, &read, true), 9);
	owed_free(&owed);
}

/* After an hour of silence: 2 was asked, then 1 a thousand times, then 2 again. */
static void
chooses_the_count_that_proves_something_soonest(void)
{
	struct adu_read read = { .framing = ADU_RTU, .unit = 5, .function = ADU_HOLDING_REGISTERS,
		.address = 100, .count = 2 };

	for (int i = 0; i < 1000; i++)
		owe(5, 2);
	owe(5, 4);
	CHECK_INT(owed_other_count(&owed, &read, true), 3);
	CHECK_INT(owed_other_count(&owed, &read, false), 1); /* it must do */
	answer(5, 6);
	CHECK(!has(5, 4) && !has(5, 2));
	owed_free(&owed);

	/* All are owed: the one that is the fewest times in front. */
	for (uint8_t bytes = 2; bytes <= 12; bytes = (uint8_t)(bytes + 2)) {
		owe(5, bytes);
		owe(5, bytes == 8 ? 2 : bytes);
	}
	owe(5, 4);
	CHECK_INT(owed_other_count(&owed, &read, true), 4);
	answer(5, 8);
	CHECK(has(5, 4));
	answer(5, 8);
	CHECK(!has(5, 4));
	owed_free(&owed);
}

/* ---- any history ---- */

enum { STEPS = 200000, ON_THE_WAY = 4000 };

struct question {
	uint8_t function, bytes;
	unsigned number;
};

static struct question under_way[ON_THE_WAY]; /* a unit's answers, in order */
static unsigned on_the_way, seed;

static unsigned
roll(unsigned sides)
{
	return (unsigned)rand_r(&seed) % sides;
}

static struct adu_expect
expected(struct question question)
{
	return (struct adu_expect){ .framing = ADU_RTU, .unit = 5, .function = question.function,
		.bytes = question.bytes };
}

/* What the line does with an answer that fits no question on the wire. */
static void
feed(struct question question, bool refusal)
{
	uint8_t frame[64] = { 5, question.function, question.bytes };
	size_t size = 3u + question.bytes;
	struct adu_answer found;
	uint16_t crc;

	if (refusal) {
		frame[1] |= 0x80;
		frame[2] = 6;
		size = 3;
	}
	crc = adu_crc(frame, size);
	frame[size] = (uint8_t)crc;
	frame[size + 1] = (uint8_t)(crc >> 8);
	CHECK_INT(owed_feed(&owed, frame, size + 2, &found), refusal ? ADU_EXCEPTION : ADU_ANSWER);
}

/* The oldest answer arrives. Whether that ended the wait for `asked`. */
static bool
arrives(struct question asked, bool proper)
{
	struct question oldest = under_way[0];
	struct adu_expect expect = expected(asked);
	bool refusal = roll(10) == 0;

	memmove(under_way, under_way + 1, --on_the_way * sizeof(under_way[0]));
	if (refusal && oldest.function == asked.function) {
		owed_refused(&owed, &expect, 1);
		return true;
	}
	if (!refusal && oldest.function == asked.function && oldest.bytes == asked.bytes) {
		if (proper)
			CHECK_INT(oldest.number, asked.number);
		owed_answered(&owed, &expect, 1);
		return true;
	}
	feed(oldest, refusal);
	return false;
}

/* Asks as the line does; some questions are never answered, some too late, and at times
 * nothing comes for long, to be lost or to come all together then. What is asked for its value must never get another one's. */
static void
takes_no_old_answer_for_a_new_one_whatever_happened_before(void)
{
	const char *other = getenv("PW_SEED");
	unsigned answers = 0, most = 0;

	seed = other != NULL ? (unsigned)atoi(other) : 4711;
	print_message("seed %u\n", seed);
	for (unsigned step = 0; step < STEPS; step++) {
		bool hushed = step % 1000 < 200, kept = step / 1000 % 2 == 0, came = false, proper;
		struct adu_read read = { .framing = ADU_RTU, .unit = 5, .address = 100,
			.function = (enum adu_function)(3 + roll(2)), .count = (uint16_t)(1 + roll(6)) };
		struct question asked = { (uint8_t)read.function, (uint8_t)(2 * read.count), step };
		struct adu_expect expect = expected(asked);

		proper = !owed_has(&owed, &expect);
		if (!proper) {
			asked.bytes = (uint8_t)(2 * owed_other_count(&owed, &read, true));
			expect = expected(asked);
		}
		if ((!hushed || kept) && roll(10) < 7 && on_the_way < ON_THE_WAY)
			under_way[on_the_way++] = asked;
		while (!hushed && !came && on_the_way > 0 && roll(10) < 8)
			came = arrives(asked, proper);
		answers += came && proper;
		if (!came)
			owed_add(&owed, &expect, 1);
		most = owed.count > most ? (unsigned)owed.count : most;
	}
	print_message("%u values, at most %u on the list\n", answers, most);
	CHECK(answers > STEPS / 20);
	CHECK(most <= OWED_EXACT + 2 * 2 * 10);
	owed_free(&owed);
}

static void
takes_a_late_answer_off_the_list(void)
{
	/* unit 17 answers function 3 with 6 octets; Modbus over Serial Line 1.02 */
	static const uint8_t late[] = { 0x11, 0x03, 0x06, 0xAE, 0x41, 0x56, 0x52, 0x43, 0x40, 0x49,
		0xAD };
	struct adu_answer found;

	owe(17, 6);
	for (size_t len = 1; len < sizeof(late); len++)
		CHECK_INT(owed_feed(&owed, late, len, &found), ADU_NEED_MORE);
	CHECK_INT(owed_feed(&owed, late, sizeof(late), &found), ADU_ANSWER);
	CHECK_INT(found.size, sizeof(late));
	CHECK(!has(17, 6));
	CHECK_INT(owed_feed(&owed, late, sizeof(late), &found), ADU_ERROR);
	owed_free(&owed);
}

RUN_TESTS(TEST(knows_which_answers_could_be_mistaken),
	TEST(is_even_with_a_unit_that_answers_another_shape),
	TEST(takes_an_answer_for_the_oldest_of_its_shape),
	TEST(does_not_take_an_old_answer_for_proof),
	TEST(takes_a_refusal_for_the_oldest_of_its_function),
	TEST(chooses_a_count_that_cannot_be_mistaken),
	TEST(chooses_the_count_that_proves_something_soonest),
	TEST(takes_no_old_answer_for_a_new_one_whatever_happened_before), TEST(takes_a_late_answer_off_the_list))

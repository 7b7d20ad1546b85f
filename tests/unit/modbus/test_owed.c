#include "modbus/owed.h"

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
	CHECK(!owed_refused(&owed, &asked, 2000)); /* it may have been meant for the 20 */
	CHECK(!has(5, 20));
	CHECK(has(5, 18));
	asked = shape(6, 2);
	CHECK(owed_refused(&owed, &asked, 2000));
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
	TEST(chooses_the_count_that_proves_something_soonest), TEST(takes_a_late_answer_off_the_list))

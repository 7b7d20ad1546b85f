#include "modbus/identity.h"

#include "../check.h"

static void
a_number_fits_when_it_is_one_of_those_wanted(void)
{
	struct regs_range ranges[2];
	struct identity_check check = { .object = -1, .spec.type = REGS_U16, .ranges = ranges,
		.count = 2 };

	CHECK(regs_range_parse("0x1234", REGS_U16, &ranges[0], NULL) == 0);
	CHECK(regs_range_parse("1648..1653", REGS_U16, &ranges[1], NULL) == 0);
	CHECK(identity_fits(&check, (const uint8_t[]){ 0x12, 0x34 }));
	CHECK(identity_fits(&check, (const uint8_t[]){ 0x06, 0x70 }));
	CHECK(identity_fits(&check, (const uint8_t[]){ 0x06, 0x75 }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 0x06, 0x76 }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 0x34, 0x12 }));
}

static void
a_float_that_is_none_is_nobody(void)
{
	struct regs_range range;
	struct identity_check check = { .object = -1, .spec.type = REGS_F32, .ranges = &range,
		.count = 1 };

	CHECK(regs_range_parse("49.0..51.0", REGS_F32, &range, NULL) == 0);
	CHECK(identity_fits(&check, (const uint8_t[]){ 0x42, 0x48, 0, 0 }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 0x7F, 0xC0, 0, 0 }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 0x7F, 0x80, 0, 0 }));
}

static void
a_text_fits_by_its_pattern(void)
{
	static const char *const texts[] = { "B21", "PM5*" };
	struct identity_check check = { .object = -1, .spec = { .type = REGS_STRING, .length = 2 },
		.texts = texts, .count = 2 };

	CHECK(identity_fits(&check, (const uint8_t[]){ 'B', '2', '1', ' ' }));
	CHECK(identity_fits(&check, (const uint8_t[]){ 'P', 'M', '5', '3' }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 'B', '2', '3', ' ' }));
	CHECK(!identity_fits(&check, (const uint8_t[]){ 0, 0, 0, 0 }));
	CHECK(identity_fits_text(&check, "PM5560"));
	CHECK(!identity_fits_text(&check, "pm5560"));
}

RUN_TESTS(TEST(a_number_fits_when_it_is_one_of_those_wanted), TEST(a_float_that_is_none_is_nobody),
	TEST(a_text_fits_by_its_pattern))

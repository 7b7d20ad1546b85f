#include "modbus/regs.h"

#include <math.h>

#include "base/fail.h"
#include "../check.h"

static struct regs_spec
spec_of(enum regs_type type, const char *order)
{
	struct regs_spec spec = { .type = type, .scale = 1 };
	struct fail why;

	if (order != NULL)
		CHECK(regs_order_parse(order, &spec.order, &why) == 0);
	CHECK(regs_order_check(spec.order, type, &why) == 0);
	return spec;
}

static void
reads_every_type_and_order(void)
{
	static const struct {
		enum regs_type type;
		const char *order;
		uint8_t wire[8];
		double number;
	} cases[] = {
		{ REGS_S16, NULL, { 0xFF, 0xFE }, -2 },
		{ REGS_S16, "BA", { 0xFE, 0xFF }, -2 },
		{ REGS_U16, "AB", { 0xFF, 0xFE }, 65534 },
		{ REGS_U16, "BA", { 0x34, 0x12 }, 0x1234 },
		{ REGS_S32, NULL, { 0x80, 0, 0, 1 }, -2147483647.0 },
		{ REGS_S32, "CDAB", { 0, 1, 0x80, 0 }, -2147483647.0 },
		{ REGS_S32, "BADC", { 0, 0x80, 1, 0 }, -2147483647.0 },
		{ REGS_S32, "DCBA", { 1, 0, 0, 0x80 }, -2147483647.0 },
		{ REGS_U32, "ABCD", { 0x12, 0x34, 0x56, 0x78 }, 0x12345678 },
		{ REGS_U32, "CDAB", { 0x56, 0x78, 0x12, 0x34 }, 0x12345678 },
		{ REGS_U32, "BADC", { 0x34, 0x12, 0x78, 0x56 }, 0x12345678 },
		{ REGS_U32, "DCBA", { 0x78, 0x56, 0x34, 0x12 }, 0x12345678 },
		/* 123456.0f is 47F12000 */
		{ REGS_F32, NULL, { 0x47, 0xF1, 0x20, 0x00 }, 123456 },
		{ REGS_F32, "CDAB", { 0x20, 0x00, 0x47, 0xF1 }, 123456 },
		{ REGS_F32, "BADC", { 0xF1, 0x47, 0x00, 0x20 }, 123456 },
		{ REGS_F32, "DCBA", { 0x00, 0x20, 0xF1, 0x47 }, 123456 },
		{ REGS_U64, NULL, { 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC }, 0x123456789ABC },
		{ REGS_U64, "ABCDEFGH", { 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC },
			0x123456789ABC },
		{ REGS_U64, "GHEFCDAB", { 0x9A, 0xBC, 0x56, 0x78, 0x12, 0x34, 0, 0 },
			0x123456789ABC },
		{ REGS_U64, "BADCFEHG", { 0, 0, 0x34, 0x12, 0x78, 0x56, 0xBC, 0x9A },
			0x123456789ABC },
		{ REGS_U64, "HGFEDCBA", { 0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12, 0, 0 },
			0x123456789ABC },
		{ REGS_U64, "EFGHABCD", { 0x56, 0x78, 0x9A, 0xBC, 0, 0, 0x12, 0x34 },
			0x123456789ABC },
		{ REGS_U64, "CDABGHEF", { 0x12, 0x34, 0, 0, 0x9A, 0xBC, 0x56, 0x78 },
			0x123456789ABC },
		{ REGS_S64, NULL, { 255, 255, 255, 255, 255, 255, 255, 0xD6 }, -42 },
		{ REGS_S64, "HGFEDCBA", { 0xD6, 255, 255, 255, 255, 255, 255, 255 }, -42 },
		/* 1.5e9 is 41D65A0BC0000000 */
		{ REGS_F64, NULL, { 0x41, 0xD6, 0x5A, 0x0B, 0xC0, 0, 0, 0 }, 1.5e9 },
		{ REGS_F64, "GHEFCDAB", { 0, 0, 0xC0, 0, 0x5A, 0x0B, 0x41, 0xD6 }, 1.5e9 },
		{ REGS_BIT, NULL, { 0x00, 0x01 }, 1 },
		{ REGS_BIT, "BA", { 0x01, 0x00 }, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_spec spec = spec_of(cases[i].type, cases[i].order);
		struct regs_value value;

		regs_read(&spec, cases[i].wire, &value);
		CHECK_INT(value.kind, REGS_NUMBER);
		CHECK_NEAR(value.number, cases[i].number, 0);
	}
}

static void
gives_the_raw_bits_as_well(void)
{
	static const uint8_t wire[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD };
	struct regs_spec spec = spec_of(REGS_U64, NULL);
	struct regs_value value;

	regs_read(&spec, wire, &value);
	CHECK(value.raw == UINT64_MAX - 2); /* a double could not tell it from 2^64 */
	spec = spec_of(REGS_S16, NULL);
	regs_read(&spec, wire, &value);
	CHECK(value.raw == 0xFFFF);
}

static void
scales_and_shifts(void)
{
	struct regs_spec spec = { .type = REGS_S16, .scale = 0.1, .offset = -40 };
	struct regs_value value;

	regs_read(&spec, (const uint8_t[]){ 0x02, 0x8A }, &value);
	CHECK_NEAR(value.number, 25.0, 1e-9);
	spec.scale = 0; /* not set */
	regs_read(&spec, (const uint8_t[]){ 0x02, 0x8A }, &value);
	CHECK_NEAR(value.number, 610, 0);
}

static void
takes_one_bit_of_a_register(void)
{
	for (unsigned bit = 0; bit < 16; bit++) {
		uint16_t word = (uint16_t)(1u << bit);
		uint8_t set[2] = { (uint8_t)(word >> 8), (uint8_t)word };
		uint8_t clear[2] = { (uint8_t)~set[0], (uint8_t)~set[1] };
		struct regs_spec spec = { .type = REGS_BIT, .bit = (uint8_t)bit };
		struct regs_value value;

		regs_read(&spec, set, &value);
		CHECK_NEAR(value.number, 1, 0);
		regs_read(&spec, clear, &value);
		CHECK_NEAR(value.number, 0, 0);
		CHECK(value.kind == REGS_NUMBER);
	}
}

static void
takes_a_coil(void)
{
	struct regs_spec spec = { .type = REGS_BIT, .scale = -1, .offset = 1 };
	struct regs_value value;

	regs_read_bit(&spec, true, &value);
	CHECK_NEAR(value.number, 0, 0);
	CHECK(value.raw == 1);
	regs_read_bit(&spec, false, &value);
	CHECK_NEAR(value.number, 1, 0);
}

static void
makes_text_fit_to_be_shown(void)
{
	static const struct {
		const char *order;
		uint8_t length;
		const char *wire;
		const char *text;
	} cases[] = {
		{ NULL, 4, "Pro3EM-1", "Pro3EM-1" },
		{ "BA", 4, "rP3oME1-", "Pro3EM-1" },
		{ "AB", 4, "B23\0\0\0\0\0", "B23" },
		{ NULL, 4, "B23     ", "B23" },
		{ NULL, 4, "B23\xFF\xFF\xFF\xFF\xFF", "B23" },
		{ "BA", 4, "2B\0003old!", "B23" }, /* what follows a NUL is old memory */
		{ NULL, 4, "a\nb\x7F\xE4 z\x1B", "a?b?? z?" },
		{ NULL, 4, "\0\0\0\0\0\0\0\0", "" },
		{ NULL, 4, "  x     ", "  x" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_spec spec = spec_of(REGS_STRING, cases[i].order);
		struct regs_value value;

		spec.length = cases[i].length;
		CHECK_INT(regs_count(&spec), 4);
		regs_read(&spec, (const uint8_t *)cases[i].wire, &value);
		CHECK_INT(value.kind, REGS_TEXT);
		CHECK_STR(value.text, cases[i].text);
	}
}

static void
takes_the_longest_text(void)
{
	struct regs_spec spec = { .type = REGS_STRING, .length = 125 };
	uint8_t wire[250];
	struct regs_value value;

	memset(wire, 'x', sizeof(wire));
	regs_read(&spec, wire, &value);
	CHECK_INT(strlen(value.text), 250);
}

static void
knows_values_that_mean_not_available(void)
{
	static const struct {
		enum regs_type type;
		const char *invalid;
		uint8_t wire[8];
		bool is_invalid;
	} cases[] = {
		{ REGS_S16, "0x8000", { 0x80, 0x00 }, true },
		{ REGS_S16, "0x8000", { 0x7F, 0xFF }, false },
		{ REGS_S16, "-32768", { 0x80, 0x00 }, true },
		{ REGS_S16, "0x8000..0x80FF", { 0x80, 0xFF }, true },
		{ REGS_S16, "0x8000..0x80FF", { 0x81, 0x00 }, false },
		{ REGS_S16, "0x8000..0x80FF", { 0x7F, 0xFF }, false },
		{ REGS_S16, "-5..5", { 0xFF, 0xFB }, true },
		{ REGS_S16, "-5..5", { 0xFF, 0xFA }, false },
		{ REGS_S16, "-5..5", { 0x00, 0x05 }, true },
		{ REGS_U16, "65528..65535", { 0xFF, 0xF8 }, true },
		{ REGS_U16, "65528..65535", { 0xFF, 0xF7 }, false },
		{ REGS_S32, "0x7FFFFFFF", { 0x7F, 0xFF, 0xFF, 0xFF }, true },
		{ REGS_U32, "4294967295", { 0xFF, 0xFF, 0xFF, 0xFF }, true },
		{ REGS_S64, "-9223372036854775808", { 0x80 }, true },
		{ REGS_S64, "0x8000000000000000", { 0x80 }, true },
		{ REGS_U64, "0xFFFFFFFFFFFFFFFF", { 255, 255, 255, 255, 255, 255, 255, 255 }, true },
		{ REGS_F32, "-9999.0", { 0xC6, 0x1C, 0x3C, 0x00 }, true },
		{ REGS_F32, "-1e4..-9e3", { 0xC6, 0x1C, 0x3C, 0x00 }, true },
		{ REGS_F32, "0x47F12000", { 0x47, 0xF1, 0x20, 0x00 }, true },
		{ REGS_F32, "0x47F12000", { 0x47, 0xF1, 0x20, 0x01 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_spec spec = { .type = cases[i].type, .scale = 0.1, .offset = 7 };
		struct regs_range range;
		struct regs_value value;
		struct fail why;

		CHECK(regs_range_parse(cases[i].invalid, cases[i].type, &range, &why) == 0);
		spec.invalid = &range;
		spec.invalid_count = 1;
		regs_read(&spec, cases[i].wire, &value);
		CHECK_INT(value.kind, cases[i].is_invalid ? REGS_INVALID : REGS_NUMBER);
	}
}

static void
never_passes_nan_or_infinity_on(void)
{
	static const struct {
		enum regs_type type;
		uint8_t wire[8];
	} cases[] = {
		{ REGS_F32, { 0x7F, 0xC0 } }, { REGS_F32, { 0xFF, 0xFF, 0xFF, 0xFF } },
		{ REGS_F32, { 0x7F, 0x80 } }, { REGS_F32, { 0xFF, 0x80 } },
		{ REGS_F64, { 0x7F, 0xF8 } }, { REGS_F64, { 0xFF, 0xF0 } },
	};
	struct regs_spec spec = { .type = REGS_F64, .scale = 1e10 };
	struct regs_value value;

	/* nor what becomes infinite by its scale: 1.7e308 * 1e10 */
	regs_read(&spec, (const uint8_t[]){ 0x7F, 0xEE, 0x42, 0xD1, 0x30, 0x77, 0x3B, 0x76 },
		&value);
	CHECK_INT(value.kind, REGS_INVALID);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		spec = spec_of(cases[i].type, NULL);
		regs_read(&spec, cases[i].wire, &value);
		CHECK_INT(value.kind, REGS_INVALID);
		CHECK(isfinite(value.number));
	}
}

static void
names_the_choices_when_a_word_order_is_unknown(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "swapped", "order \"swapped\": expected 2, 4 or 8 letters like AB, ABCD or ABCDEFGH" },
		{ "ACBD", "order \"ACBD\": expected ABCD, CDAB, BADC or DCBA" },
		{ "abcd", "order \"abcd\": expected ABCD, CDAB, BADC or DCBA" },
		{ "AA", "order \"AA\": expected AB or BA" },
		{ "", "order \"\": expected 2, 4 or 8 letters like AB, ABCD or ABCDEFGH" },
		{ "CDABEF", "order \"CDABEF\": expected ABCDEF, EFCDAB, BADCFE or FEDCBA" },
		{ "ABCDEFHG", "order \"ABCDEFHG\": expected ABCDEFGH, GHEFCDAB, BADCFEHG, HGFEDCBA, "
			"CDABGHEF, EFGHABCD, DCBAHGFE or FEHGBADC" },
	};
	struct regs_order order;
	struct fail why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(regs_order_parse(cases[i].text, &order, &why) == -1);
		CHECK_STR(why.text, cases[i].why);
	}
}

static void
accepts_every_order_that_it_offers(void)
{
	static const char *const offered[] = { "AB", "BA", "ABCD", "CDAB", "BADC", "DCBA",
		"ABCDEF", "EFCDAB", "BADCFE", "FEDCBA", "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD",
		"DCBAHGFE", "FEHGBADC" };
	struct regs_order order;
	struct fail why;

	for (size_t i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
		CHECK(regs_order_parse(offered[i], &order, &why) == 0);
		CHECK_INT(order.letters, strlen(offered[i]));
	}
}

static void
refuses_an_order_of_another_width(void)
{
	struct regs_order order;
	struct fail why;

	CHECK(regs_order_parse("CDAB", &order, &why) == 0);
	CHECK(regs_order_check(order, REGS_F32, &why) == 0);
	CHECK(regs_order_check(order, REGS_U64, &why) == -1);
	CHECK(regs_order_check(order, REGS_STRING, &why) == -1);
	CHECK_STR(why.text, "order of 4 letters for a string: expected AB or BA");
}

static void
lends_the_order_of_a_template_to_other_widths(void)
{
	static const struct {
		const char *from;
		enum regs_type type;
		const char *to;
	} cases[] = {
		{ "ABCD", REGS_U16, "AB" }, { "ABCD", REGS_F64, "ABCDEFGH" },
		{ "CDAB", REGS_U16, "AB" }, { "CDAB", REGS_U64, "GHEFCDAB" },
		{ "CDAB", REGS_STRING, "AB" }, { "BADC", REGS_S16, "BA" },
		{ "BADC", REGS_U64, "BADCFEHG" }, { "DCBA", REGS_S64, "HGFEDCBA" },
		{ "DCBA", REGS_F32, "DCBA" }, { "GHEFCDAB", REGS_F32, "CDAB" },
		{ "BA", REGS_F32, "BADC" },
		{ "CDAB", REGS_M10K48, "EFCDAB" }, { "DCBA", REGS_M10K48, "FEDCBA" },
		{ "EFCDAB", REGS_U32, "CDAB" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_order from, to, got;
		struct fail why;

		CHECK(regs_order_parse(cases[i].from, &from, &why) == 0);
		CHECK(regs_order_parse(cases[i].to, &to, &why) == 0);
		got = regs_order_inherit(from, cases[i].type);
		CHECK_INT(got.swap, to.swap);
		CHECK_INT(got.letters, to.letters);
	}
}

static void
says_why_an_invalid_value_is_none(void)
{
	static const struct {
		enum regs_type type;
		const char *text, *why;
	} cases[] = {
		{ REGS_S16, "0x10000", "invalid \"0x10000\": not a number that fits s16" },
		{ REGS_S16, "65535", "invalid \"65535\": not a number that fits s16" },
		{ REGS_S16, "-32769", "invalid \"-32769\": not a number that fits s16" },
		{ REGS_U16, "-1", "invalid \"-1\": not a number that fits u16" },
		{ REGS_U16, "none", "invalid \"none\": not a number that fits u16" },
		{ REGS_U16, "5..", "invalid \"\": not a number that fits u16" },
		{ REGS_U16, "9..5", "invalid \"9..5\": the range is empty, write the lower end first" },
		{ REGS_S16, "0x8000..5", "invalid \"5\": write both ends as hex or both as decimal" },
		{ REGS_BIT, "1", "invalid \"1\": a bit has no invalid values" },
		{ REGS_STRING, "x", "invalid \"x\": a string has no invalid values" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_range range;
		struct fail why;

		CHECK(regs_range_parse(cases[i].text, cases[i].type, &range, &why) == -1);
		CHECK_STR(why.text, cases[i].why);
	}
}

static void
knows_its_types_by_name(void)
{
	enum regs_type type;
	struct fail why;

	for (int i = REGS_S16; i < REGS_TYPES; i++) {
		CHECK(regs_type_parse(regs_type_name((enum regs_type)i), &type, &why) == 0);
		CHECK_INT(type, i);
	}
	CHECK(regs_type_parse("int16", &type, &why) == -1);
	CHECK_STR(why.text, "type \"int16\": expected s16, u16, s32, u32, s64, u64, f32, f64, "
		"bit, string, s8h, s8l, u8h, u8l, f16, bcd16, bcd32, sm16, sm32, m10k32, m10k48 or m10k64");
}

/* Each number by its definition: two's complement octets; binary16 examples of IEEE 754 (1,
 * 65504, the smallest normal and subnormal, a third, minus two); packed BCD; words of 0 to 9999
 * as in Schneider's MOD10 (PM800 register list, "Mod10": R1 + R2 x 10,000 ..). */
static void
reads_what_is_no_plain_binary_number(void)
{
	static const struct {
		enum regs_type type;
		const char *order;
		uint8_t wire[8];
		double number;
	} cases[] = {
		{ REGS_S8H, NULL, { 0x80, 0x7F }, -128 }, { REGS_S8L, NULL, { 0x80, 0x7F }, 127 },
		{ REGS_U8H, NULL, { 0x80, 0x7F }, 128 }, { REGS_U8L, NULL, { 0x80, 0xFF }, 255 },
		{ REGS_U8L, "BA", { 0x80, 0xFF }, 128 },
		{ REGS_F16, NULL, { 0x3C, 0x00 }, 1 }, { REGS_F16, NULL, { 0x7B, 0xFF }, 65504 },
		{ REGS_F16, NULL, { 0x04, 0x00 }, 6.103515625e-05 },
		{ REGS_F16, NULL, { 0x00, 0x01 }, 5.9604644775390625e-08 },
		{ REGS_F16, NULL, { 0x35, 0x55 }, 0.333251953125 },
		{ REGS_F16, "BA", { 0x00, 0xC0 }, -2 }, { REGS_F16, NULL, { 0x80, 0x00 }, 0 },
		{ REGS_BCD16, NULL, { 0x12, 0x34 }, 1234 },
		{ REGS_BCD16, "BA", { 0x34, 0x12 }, 1234 },
		{ REGS_BCD32, NULL, { 0x12, 0x34, 0x56, 0x78 }, 12345678 },
		{ REGS_BCD32, "CDAB", { 0x56, 0x78, 0x12, 0x34 }, 12345678 },
		{ REGS_SM16, NULL, { 0x80, 0x05 }, -5 }, { REGS_SM16, NULL, { 0x7F, 0xFF }, 32767 },
		{ REGS_SM32, NULL, { 0x80, 0x01, 0x00, 0x00 }, -65536 },
		{ REGS_M10K32, NULL, { 0x04, 0xD2, 0x16, 0x2E }, 12345678 },
		{ REGS_M10K32, "CDAB", { 0x16, 0x2E, 0x04, 0xD2 }, 12345678 },
		{ REGS_M10K48, NULL, { 0x00, 0x01, 0x00, 0x02, 0x00, 0x03 }, 100020003 },
		{ REGS_M10K48, "EFCDAB", { 0x00, 0x03, 0x00, 0x02, 0x00, 0x01 }, 100020003 },
		{ REGS_M10K48, "BADCFE", { 0x01, 0x00, 0x02, 0x00, 0x03, 0x00 }, 100020003 },
		{ REGS_M10K48, "FEDCBA", { 0x03, 0x00, 0x02, 0x00, 0x01, 0x00 }, 100020003 },
		{ REGS_M10K64, NULL, { 0x00, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x04 },
			1000200030004 },
		{ REGS_M10K64, "GHEFCDAB", { 0x00, 0x04, 0x00, 0x03, 0x00, 0x02, 0x00, 0x01 },
			1000200030004 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_spec spec = spec_of(cases[i].type, cases[i].order);
		struct regs_value value;

		regs_read(&spec, cases[i].wire, &value);
		CHECK_INT(value.kind, REGS_NUMBER);
		CHECK_NEAR(value.number, cases[i].number, 0);
		if (cases[i].type != REGS_F16 && cases[i].type > REGS_U8L)
			CHECK_INT((int64_t)value.raw, (int64_t)cases[i].number);
	}
}

static void
believes_no_digit_above_nine(void)
{
	static const struct {
		enum regs_type type;
		uint8_t wire[8];
	} cases[] = {
		{ REGS_BCD16, { 0x12, 0x3A } }, { REGS_BCD32, { 0xF0, 0, 0, 0 } },
		{ REGS_M10K32, { 0x27, 0x10, 0, 0 } }, { REGS_M10K64, { 0, 0, 0, 0, 0, 0, 0xFF, 0xFF } },
		{ REGS_F16, { 0x7C, 0x00 } }, { REGS_F16, { 0xFE, 0x00 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct regs_spec spec = spec_of(cases[i].type, NULL);
		struct regs_value value;

		regs_read(&spec, cases[i].wire, &value);
		CHECK_INT(value.kind, REGS_INVALID);
	}
}

static void
takes_a_field_of_bits(void)
{
	struct regs_spec spec = spec_of(REGS_U16, NULL);
	struct regs_value value;

	spec.mask = 0x00F0;
	regs_read(&spec, (const uint8_t[]){ 0xA5, 0xC3 }, &value);
	CHECK_NEAR(value.number, 0xC, 0);
	CHECK_INT(value.raw, 0xC);
	spec.mask = 0x8000;
	regs_read(&spec, (const uint8_t[]){ 0xA5, 0xC3 }, &value);
	CHECK_NEAR(value.number, 1, 0);
	spec = spec_of(REGS_U32, "CDAB");
	spec.mask = 0xFFFF0000;
	regs_read(&spec, (const uint8_t[]){ 0x12, 0x34, 0xA5, 0xC3 }, &value);
	CHECK_NEAR(value.number, 0xA5C3, 0);
}

static void
reads_strings_of_one_character_a_register(void)
{
	struct regs_spec spec = spec_of(REGS_STRING, NULL);
	struct regs_value value;

	spec.length = 4;
	spec.chars = REGS_CHARS_LOW;
	regs_read(&spec, (const uint8_t[]){ 9, 'A', 0, 'B', 'x', '1', 0, ' ' }, &value);
	CHECK_STR(value.text, "AB1");
	spec.chars = REGS_CHARS_HIGH;
	regs_read(&spec, (const uint8_t[]){ 'A', 9, 'B', 0, '1', 'x', 0, 'z' }, &value);
	CHECK_STR(value.text, "AB1");
}

static void
compares_decimal_types_by_what_they_stand_for(void)
{
	struct regs_spec spec = spec_of(REGS_BCD16, NULL);
	struct regs_range range;
	struct regs_value value;
	struct fail why;

	CHECK(regs_range_parse("9990..9999", REGS_BCD16, &range, &why) == 0);
	spec.invalid = &range;
	spec.invalid_count = 1;
	regs_read(&spec, (const uint8_t[]){ 0x99, 0x95 }, &value);
	CHECK_INT(value.kind, REGS_INVALID);
	regs_read(&spec, (const uint8_t[]){ 0x09, 0x95 }, &value);
	CHECK_INT(value.kind, REGS_NUMBER);
	CHECK(regs_range_parse("0xFFFF", REGS_BCD16, &range, &why) == 0);
	regs_read(&spec, (const uint8_t[]){ 0xFF, 0xFF }, &value);
	CHECK_INT(value.kind, REGS_INVALID);
	CHECK(regs_range_parse("0x100", REGS_U8L, &range, &why) == -1);
	CHECK(regs_range_parse("-128", REGS_S8H, &range, &why) == 0);
}

static void
knows_what_is_plausible(void)
{
	struct regs_spec spec = spec_of(REGS_S16, NULL);

	CHECK(regs_plausible(&spec, 1e9));
	spec.bounded = true;
	spec.min = -40;
	spec.max = 150.5;
	CHECK(regs_plausible(&spec, -40) && regs_plausible(&spec, 150.5));
	CHECK(!regs_plausible(&spec, -40.1) && !regs_plausible(&spec, 151));
}

RUN_TESTS(TEST(reads_every_type_and_order), TEST(reads_what_is_no_plain_binary_number),
	TEST(believes_no_digit_above_nine), TEST(takes_a_field_of_bits),
	TEST(reads_strings_of_one_character_a_register),
	TEST(compares_decimal_types_by_what_they_stand_for), TEST(knows_what_is_plausible), TEST(gives_the_raw_bits_as_well),
	TEST(scales_and_shifts), TEST(takes_one_bit_of_a_register), TEST(takes_a_coil),
	TEST(makes_text_fit_to_be_shown), TEST(takes_the_longest_text),
	TEST(knows_values_that_mean_not_available), TEST(never_passes_nan_or_infinity_on),
	TEST(names_the_choices_when_a_word_order_is_unknown),
	TEST(accepts_every_order_that_it_offers), TEST(refuses_an_order_of_another_width),
	TEST(lends_the_order_of_a_template_to_other_widths),
	TEST(says_why_an_invalid_value_is_none), TEST(knows_its_types_by_name))

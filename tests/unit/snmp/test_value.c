#include "base/fail.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "snmp/snmp.h"
#include "snmp/value.h"
#include "../check.h"

static struct value
octets(const char *text)
{
	return (struct value){ .type = VALUE_OCTETS, .octets = (const uint8_t *)text,
		.size = strlen(text) };
}

static double
number_of(const char *text)
{
	double number;

	return value_number((const uint8_t *)text, strlen(text), &number) ? number : -9999;
}

static void
reads_the_number_that_a_text_begins_with(void)
{
	CHECK_NEAR(number_of(" 19,8"), 19.8, 0);
	CHECK_NEAR(number_of("-5.7"), -5.7, 0);
	CHECK_NEAR(number_of("-5.7 dBm"), -5.7, 0);
	CHECK_NEAR(number_of("10.00 %"), 10, 0);
	CHECK_NEAR(number_of("18 dBm"), 18, 0);
	CHECK_NEAR(number_of("1.8 KB"), 1.8, 0);
	CHECK_NEAR(number_of("+3"), 3, 0);
	CHECK_NEAR(number_of("42."), 42, 0);
	CHECK_NEAR(number_of("1e3"), 1000, 0);
	CHECK_NEAR(number_of("-2.5E-03 A"), -0.0025, 0);
	CHECK_NEAR(number_of("5eggs"), 5, 0);
	CHECK_NEAR(number_of("230V"), 230, 0);
	CHECK_NEAR(number_of("0:Alarm / 1:OK"), 0, 0);
	CHECK_NEAR(number_of("23 C / 74 F"), 23, 0);
	CHECK_NEAR(number_of("23\xc2\xb0""C"), 23, 0);
	CHECK_NEAR(number_of("7 "), 7, 0);
}

static void
does_not_make_a_number_of_what_is_none(void)
{
	static const char *const cases[] = { "", "--", "-", "n/a", "10.1.3.1", "12:30:00",
		".5", "deg. C", "0001:02", "0x1F", "2026-11-22", "10/100", "00:AA:0B", "1e2000",
		"1e400", "1 234", "1 234,5", "1'234.5", "1\xa0""234", "1\xe2\x80\xaf""234",
		"28 2 4" };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		CHECK_NEAR(number_of(cases[i]), -9999, 0);
}

static const struct point gauge = { .name = "t", .unit = "C", .kind = POINT_GAUGE, .scale = 0.1,
	.offset = -1 };
static const struct point counter = { .name = "c", .unit = "B/s", .kind = POINT_COUNTER,
	.scale = 1 };
static const struct point label = { .name = "l", .unit = "", .kind = POINT_TEXT, .scale = 1 };

static uint8_t
read_as(const struct value *value, const struct point *point, struct reading *reading)
{
	static char line[256];

	memset(reading, 0, sizeof *reading);
	return value_read(value, point, 1, reading, line, sizeof line);
}

static void
scales_a_gauge_of_any_numeric_type(void)
{
	struct value integer = { .type = VALUE_INTEGER, .integer = -250 };
	struct value real = { .type = VALUE_REAL, .real = 12.5 };
	struct value text = octets("19,8");
	struct reading reading;

	CHECK_INT(read_as(&integer, &gauge, &reading), REASON_GOOD);
	CHECK_NEAR(reading.number, -26, 1e-12);
	CHECK_INT((int64_t)reading.raw, -250);
	CHECK_INT(read_as(&real, &gauge, &reading), REASON_GOOD);
	CHECK_NEAR(reading.number, 0.25, 1e-12);
	CHECK_INT(read_as(&text, &gauge, &reading), REASON_GOOD);
	CHECK_NEAR(reading.number, 0.98, 1e-12);
}

static void
a_gauge_beyond_the_largest_signed_number_is_not_negative(void)
{
	struct value wide = { .type = VALUE_COUNTER64, .count = UINT64_MAX - 1 };
	struct value negative = { .type = VALUE_INTEGER, .integer = -2 };
	struct reading reading;

	CHECK_INT(read_as(&wide, &gauge, &reading), REASON_GOOD);
	CHECK(reading.whole && reading.beyond && reading.raw == UINT64_MAX - 1);
	CHECK(reading.number > 0);
	CHECK_INT(read_as(&negative, &gauge, &reading), REASON_GOOD);
	CHECK(reading.whole && !reading.beyond && reading.raw == UINT64_MAX - 1);
	wide.count = INT64_MAX;
	CHECK_INT(read_as(&wide, &gauge, &reading), REASON_GOOD);
	CHECK(!reading.beyond && reading.raw == INT64_MAX);
}

static void
the_factor_of_an_oid_comes_before_the_scale_of_the_point(void)
{
	struct value high_speed = { .type = VALUE_GAUGE, .count = 1000 };
	struct point speed = { .name = "speed", .unit = "bit/s", .kind = POINT_GAUGE, .scale = 1 };
	struct reading reading = { 0 };
	char line[8];

	CHECK_INT(value_read(&high_speed, &speed, 1e6, &reading, line, sizeof line), REASON_GOOD);
	CHECK_NEAR(reading.number, 1e9, 0);
}

static void
a_counter_keeps_its_width(void)
{
	struct value narrow = { .type = VALUE_COUNTER32, .count = UINT32_MAX };
	struct value wide = { .type = VALUE_COUNTER64, .count = UINT64_MAX };
	struct value negative = { .type = VALUE_INTEGER, .integer = -1 };
	struct value oid = { .type = VALUE_OID };
	struct reading reading;

	CHECK_INT(read_as(&narrow, &counter, &reading), REASON_GOOD);
	CHECK_INT(reading.bits, 32);
	CHECK(reading.raw == UINT32_MAX);
	CHECK_INT(read_as(&wide, &counter, &reading), REASON_GOOD);
	CHECK_INT(reading.bits, 64);
	CHECK(reading.raw == UINT64_MAX);
	CHECK_INT(read_as(&negative, &counter, &reading), REASON_INVALID_VALUE);
	CHECK_INT(read_as(&oid, &counter, &reading), REASON_BAD_REPLY);
}

static void
null_and_the_exceptions_are_no_value(void)
{
	static const enum value_type types[] = { VALUE_NULL, VALUE_NO_SUCH_OBJECT,
		VALUE_NO_SUCH_INSTANCE, VALUE_END_OF_VIEW };
	struct reading reading;

	for (size_t i = 0; i < 4; i++) {
		struct value value = { .type = types[i] };

		CHECK_INT(read_as(&value, &gauge, &reading), REASON_NO_SUCH_OBJECT);
		CHECK_INT(read_as(&value, &counter, &reading), REASON_NO_SUCH_OBJECT);
		CHECK_INT(read_as(&value, &label, &reading), REASON_NO_SUCH_OBJECT);
	}
}

static void
a_text_without_a_number_is_no_gauge(void)
{
	struct value none = octets("--");
	struct reading reading;

	CHECK_INT(read_as(&none, &gauge, &reading), REASON_INVALID_VALUE);
}

static void
a_number_that_means_not_supported_is_invalid(void)
{
	static const struct snmp_range ranges[] = { { -1, -1 }, { 65535, 65535 },
		{ -9999, -9000 } };
	static const struct snmp_point wire = { .invalid = ranges, .invalid_count = 3 };
	struct point point = gauge, rate = counter;
	static const struct {
		int64_t number;
		uint8_t reason;
	} cases[] = {
		{ -1, REASON_INVALID_VALUE }, { 65535, REASON_INVALID_VALUE },
		{ -9999, REASON_INVALID_VALUE }, { -9500, REASON_INVALID_VALUE },
		{ -9000, REASON_INVALID_VALUE }, { -8999, REASON_GOOD }, { 0, REASON_GOOD },
		{ -2, REASON_GOOD }, { 65534, REASON_GOOD },
		/* -99980 x 0.1 - 1 would be one of them, but only after the scale. */
		{ -99980, REASON_GOOD },
	};
	struct value text = octets("-1 dBm"), count = { .type = VALUE_COUNTER32, .count = 65535 };
	struct reading reading;

	point.wire = &wire;
	rate.wire = &wire;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value value = { .type = VALUE_INTEGER, .integer = cases[i].number };

		CHECK_INT(read_as(&value, &point, &reading), cases[i].reason);
	}
	CHECK_INT(read_as(&text, &point, &reading), REASON_INVALID_VALUE);
	CHECK_INT(read_as(&count, &rate, &reading), REASON_INVALID_VALUE);
	count.count = 65536;
	CHECK_INT(read_as(&count, &rate, &reading), REASON_GOOD);
}

static void
of_bits_the_first_that_is_set_or_one_of_them_is_the_value(void)
{
	static const struct {
		const char *octets;
		size_t size;
		int first, third; /* third: bit 2 */
	} cases[] = {
		{ "\x20", 1, 2, 1 }, { "\x80", 1, 0, 0 }, { "\xa0", 1, 0, 1 }, { "\x10", 1, 3, 0 },
		{ "\x00\x40", 2, 9, 0 }, { "\x00", 1, -1, 0 }, { "", 0, -1, 0 },
	};
	struct snmp_point first = { .bits = SNMP_BITS_FIRST };
	struct snmp_point third = { .bits = SNMP_BITS_ONE, .bit = 2 };
	struct point point = { .name = "p", .unit = "", .kind = POINT_STATE, .scale = 1 };
	struct value number = { .type = VALUE_INTEGER, .integer = 2 };
	struct reading reading;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value value = { .type = VALUE_OCTETS,
			.octets = (const uint8_t *)cases[i].octets, .size = cases[i].size };

		point.wire = &first;
		CHECK_INT(read_as(&value, &point, &reading), REASON_GOOD);
		CHECK_NEAR(reading.number, cases[i].first, 0);
		CHECK(reading.whole && (int64_t)reading.raw == cases[i].first);
		point.wire = &third;
		CHECK_INT(read_as(&value, &point, &reading), REASON_GOOD);
		CHECK_NEAR(reading.number, cases[i].third, 0);
	}
	/* Of another type it is not what the template says. */
	CHECK_INT(read_as(&number, &point, &reading), REASON_BAD_REPLY);
	number.type = VALUE_NULL;
	CHECK_INT(read_as(&number, &point, &reading), REASON_NO_SUCH_OBJECT);
}

static void
ranges_of_invalid_numbers_are_read_from_text(void)
{
	static const struct {
		const char *text;
		double from, to;
	} good[] = { { "-1", -1, -1 }, { "0xFFFF", 65535, 65535 }, { "-9999..-9000", -9999, -9000 },
		{ "2147483647", 2147483647, 2147483647 }, { "0x7FFF..0xFFFF", 32767, 65535 },
		{ "-0.5..0.5", -0.5, 0.5 } };
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "invalid \"\": not a number, nor two with .. between" },
		{ "none", "invalid \"none\": not a number, nor two with .. between" },
		{ "5..", "invalid \"5..\": not a number, nor two with .. between" },
		{ "nan", "invalid \"nan\": not a number, nor two with .. between" },
		{ "9..5", "invalid \"9..5\": the range is empty, write the lower end first" },
	};
	struct snmp_range range;
	struct fail why;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		CHECK_INT(snmp_range_parse(good[i].text, &range, &why), 0);
		CHECK_NEAR(range.from, good[i].from, 0);
		CHECK_NEAR(range.to, good[i].to, 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CHECK_INT(snmp_range_parse(bad[i].text, &range, &why), -1);
		CHECK_STR(why.text, bad[i].why);
	}
}

static void
makes_one_printable_line_of_any_text(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *wanted;
	} cases[] = {
		{ "deg. C\0", 7, "deg. C" },
		{ "  Port 1 \r\n", 11, "Port 1" },
		{ "line\r\nnext", 10, "line  next" },
		{ "M\xc3\xbcller", 7, "M\xc3\xbcller" },
		{ "M\xfcller", 6, "M\xc3\xbcller" },
		{ "21 \xb0" "C \x80", 7, "21 \xc2\xb0" "C ?" },
		{ "M\xc3\xbcller \xfc", 9, "M\xc3\xbcller ?" },
		{ "\x00\x1d\x9c\x01\x02\x03", 6, "00:1d:9c:01:02:03" },
		{ "", 0, "" },
		{ "\0\0", 2, "" },
	};
	char line[80];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value value = { .type = VALUE_OCTETS,
			.octets = (const uint8_t *)cases[i].bytes, .size = cases[i].size };

		CHECK_STR(value_text(line, sizeof line, &value), cases[i].wanted);
	}
}

static void
cuts_a_long_text_at_a_whole_character(void)
{
	struct value value = octets("abc\xc3\xa4\xc3\xb6");
	char line[5];

	CHECK_STR(value_text(line, sizeof line, &value), "abc");
	value = octets("abc\xe4\xf6");
	CHECK_STR(value_text(line, sizeof line, &value), "abc");
}

static void
oids_are_read_and_written_as_text(void)
{
	uint32_t ids[SNMP_OID_MAX];
	size_t count;
	char line[64];
	struct fail why;

	CHECK(snmp_oid_parse(".1.3.6.1.4.1.4294967295.0", ids, &count, &why) == 0);
	CHECK_INT(count, 8);
	CHECK_STR(snmp_oid_text(line, sizeof line, ids, count), "1.3.6.1.4.1.4294967295.0");
	CHECK(snmp_oid_parse("1.3.6.1.4294967296", ids, &count, &why) == -1);
	CHECK(snmp_oid_parse("1..3", ids, &count, &why) == -1);
	CHECK(snmp_oid_parse("1.3.", ids, &count, &why) == -1);
	CHECK(snmp_oid_parse("sysDescr.0", ids, &count, &why) == -1);
	CHECK_STR(why.text,
		"OID \"sysDescr.0\": expected numbers with dots between, like 1.3.6.1.2.1.1.3.0");
	CHECK(snmp_oid_parse("5.1", ids, &count, &why) == -1);
}

RUN_TESTS(TEST(reads_the_number_that_a_text_begins_with),
	TEST(of_bits_the_first_that_is_set_or_one_of_them_is_the_value),
	TEST(does_not_make_a_number_of_what_is_none), TEST(scales_a_gauge_of_any_numeric_type),
	TEST(a_gauge_beyond_the_largest_signed_number_is_not_negative),
	TEST(the_factor_of_an_oid_comes_before_the_scale_of_the_point),
	TEST(a_counter_keeps_its_width), TEST(null_and_the_exceptions_are_no_value),
	TEST(a_text_without_a_number_is_no_gauge),
	TEST(a_number_that_means_not_supported_is_invalid),
	TEST(ranges_of_invalid_numbers_are_read_from_text), TEST(makes_one_printable_line_of_any_text),
	TEST(cuts_a_long_text_at_a_whole_character), TEST(oids_are_read_and_written_as_text))

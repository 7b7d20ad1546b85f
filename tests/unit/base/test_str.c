#include "../check.h"

#include <math.h>

#include "base/fail.h"
#include "base/str.h"

static void
reads_durations_and_sizes_with_their_units(void)
{
	int64_t value;

	CHECK(str_duration("500ms", &value, NULL) == 0 && value == 500000000);
	CHECK(str_duration("24h", &value, NULL) == 0 && value == 86400000000000);
	CHECK(str_size("256M", &value, NULL) == 0 && value == 268435456);
}

static void
refuses_a_duration_without_a_unit_and_says_what_it_expects(void)
{
	struct fail why;
	int64_t value;

	CHECK(str_duration("10", &value, &why) == -1);
	CHECK(strstr(why.text, "expected \"500ms\"") != NULL);
	CHECK(str_duration("10s ", &value, &why) == -1);
	CHECK(str_duration("99999999999999d", &value, &why) == -1);
}

static void
a_star_crosses_slashes_and_brackets_stand_for_themselves(void)
{
	CHECK(str_glob("sw-*/if[*]/in_octets", "sw-hall3/if[ge-1/5]/in_octets"));
	CHECK(str_glob("*", ""));
	CHECK(!str_glob("sw-?/x", "sw-12/x"));
	CHECK(!str_glob("if[ab]", "ifa"));
	CHECK(str_glob("a*b*c", "a-b-b-c"));
}

static void
writes_the_shortest_number_that_reads_back(void)
{
	char text[40];

	CHECK_STR(str_number(text, sizeof text, 0.1), "0.1");
	CHECK_STR(str_number(text, sizeof text, 123456.0), "123456");
	CHECK_STR(str_number(text, sizeof text, 65000.0), "65000");
	CHECK_STR(str_number(text, sizeof text, -4e9), "-4000000000");
	CHECK_STR(str_number(text, sizeof text, 1e20), "1e+20");
	CHECK_STR(str_number(text, sizeof text, (double)NAN), "nan");
}

static void
refuses_a_decimal_comma_and_trailing_text(void)
{
	double value;

	CHECK(str_double("1,5", &value, NULL) == -1);
	CHECK(str_double("1.5x", &value, NULL) == -1);
	CHECK(str_double("-1.5", &value, NULL) == 0 && value == -1.5);
}

static void
names_are_forty_safe_characters_at_most(void)
{
	CHECK(str_is_name("press-3"));
	CHECK(!str_is_name(".."));
	CHECK(!str_is_name("a b"));
	CHECK(!str_is_name("12345678901234567890123456789012345678901"));
}

static void
file_names_encode_what_a_file_system_or_a_shell_would_misread(void)
{
	char name[64];

	CHECK_STR(str_file_name(name, sizeof name, "ge-1/5"), "ge-1%2F5");
	CHECK_STR(str_file_name(name, sizeof name, ".."), "%2E.");
	CHECK_STR(str_file_name(name, sizeof name, "50% a"), "50%25%20a");
}

static void
suggests_the_nearest_known_word_and_none_for_a_stranger(void)
{
	const char *const words[] = { "interval", "address", NULL };

	CHECK_STR(str_nearest("intervall", words), "interval");
	CHECK(str_nearest("zzzz", words) == NULL);
	CHECK_STR(str_nearest("2", (const char *[]){ "1", "2c", "3", NULL }), "2c");
}

static void
crc32c_matches_the_published_check_value(void)
{
	unsigned char zeros[32] = { 0 };

	CHECK_INT(str_crc32c(0, "123456789", 9), 0xe3069283u);
	CHECK_INT(str_crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720 B.4 */
	CHECK_INT(str_crc32c(str_crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
	CHECK_INT(str_crc32c_portable(0, "123456789", 9), 0xe3069283u);
}

static void
crc32c_is_the_same_with_and_without_the_processors_help(void)
{
	static unsigned char bytes[8000];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 37 ^ i >> 3 ^ i * i >> 7);
	for (size_t from = 0; from < 9; from++)
		for (size_t size = 0; from + size <= sizeof bytes; size += size < 2000 ? 1 : 97)
			CHECK_INT(str_crc32c(0x80000007u, bytes + from, size),
				str_crc32c_portable(0x80000007u, bytes + from, size));
}

static void
integers_are_whole_and_bounded(void)
{
	int64_t value;
	uint64_t big;

	CHECK(str_int("-9223372036854775808", &value, NULL) == 0 && value == INT64_MIN);
	CHECK(str_int("9223372036854775808", &value, NULL) == -1);
	CHECK(str_uint("0xFFFF", &big, NULL) == 0 && big == 65535);
	CHECK(str_uint("-1", &big, NULL) == -1);
}

static void
spans_of_ten_seconds_and_more_have_no_milliseconds(void)
{
	char span[32];

	CHECK_STR(str_time_span(span, sizeof span, INT64_C(500000000)), "500ms");
	CHECK_STR(str_time_span(span, sizeof span, INT64_C(10000123456)), "10s");
	CHECK_STR(str_time_span(span, sizeof span, INT64_C(59999999999)), "59s");
	CHECK_STR(str_time_span(span, sizeof span, INT64_C(5400000000000)), "90m00s");
}

RUN_TESTS(TEST(spans_of_ten_seconds_and_more_have_no_milliseconds),
	TEST(reads_durations_and_sizes_with_their_units),
	TEST(refuses_a_duration_without_a_unit_and_says_what_it_expects),
	TEST(a_star_crosses_slashes_and_brackets_stand_for_themselves),
	TEST(writes_the_shortest_number_that_reads_back),
	TEST(refuses_a_decimal_comma_and_trailing_text),
	TEST(names_are_forty_safe_characters_at_most),
	TEST(file_names_encode_what_a_file_system_or_a_shell_would_misread),
	TEST(suggests_the_nearest_known_word_and_none_for_a_stranger),
	TEST(crc32c_matches_the_published_check_value),
	TEST(crc32c_is_the_same_with_and_without_the_processors_help),
	TEST(integers_are_whole_and_bounded))

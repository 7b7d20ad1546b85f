#include "../check.h"

#include <jansson.h>
#include <math.h>

#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/place.h"

#define S INT64_C(1000000000)

static void
times_are_unix_seconds_utc_or_so_long_ago(void)
{
	int64_t wall;

	CHECK(place_time("1767225600", &wall) == 0 && wall == 1767225600 * S);
	CHECK(place_time("2026-01-01T00:00:00Z", &wall) == 0 && wall == 1767225600 * S);
	CHECK(place_time("-2h", &wall) == 0);
	CHECK_NEAR((double)(place_now() - wall), 7200e9, 1e9);
	CHECK(place_time("yesterday", &wall) == -1);
	CHECK(place_time("2026-01-01", &wall) == -1);
}

static void
a_time_may_have_a_fraction_and_a_zone_as_the_spans_are_printed(void)
{
	int64_t wall;

	CHECK(place_time("2026-01-01T00:00:00.000Z", &wall) == 0 && wall == 1767225600 * S);
	CHECK(place_time("2026-01-01T00:00:00.25Z", &wall) == 0 && wall == 1767225600 * S + S / 4);
	CHECK(place_time("2026-01-01T01:00:00+01:00", &wall) == 0 && wall == 1767225600 * S);
	CHECK(place_time("2025-12-31T18:30:00.5-05:30", &wall) == 0 && wall == 1767225600 * S + S / 2);
	CHECK(place_time("1767225600.5", &wall) == 0 && wall == 1767225600 * S + S / 2);
}

static void
a_day_that_no_month_has_and_a_year_beyond_all_ns_are_no_times(void)
{
	static const char *const none[] = { "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-01-01T24:30:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "9999999999",
		"2300-01-01T00:00:00Z", "1969-01-01T00:00:00Z", "2026-01-01T00:00:00+1:00",
		"2026-01-01T00:00:00+01:0x", "2026-01-01T00:00:00+01:00x", "2026-01-01T00:00:00+01:75",
		"2026-01-01T00:00:00 Z", "1e30", "nan", "-5", "+5m", "-", "" };
	int64_t wall;

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		if (place_time(none[i], &wall) != -1)
			fail_msg("\"%s\" is taken as a time", none[i]);
}

static void
an_option_has_its_value_behind_it_or_behind_an_equals_sign(void)
{
	static const char *const names[] = { "--from", "-o", NULL };
	static const struct cmd cmd = { .name = "test", .usage = "" };
	const char *words[] = { "test", "--from", "-2h", "--from=-1h", "--from=", "-o", "a=b", "--fro", "x",
		"--fromage=1", "--from", NULL };
	char *value, **argv = (char **)words;
	const char *name;
	int i = 1;

	CHECK(cmd_option(&cmd, names, argv, &i, &name, &value) == 1 && i == 2);
	CHECK_STR(name, "--from");
	CHECK_STR(value, "-2h");
	CHECK(cmd_option(&cmd, names, argv, (i = 3, &i), &name, &value) == 1 && i == 3);
	CHECK_STR(value, "-1h");
	CHECK(cmd_option(&cmd, names, argv, (i = 4, &i), &name, &value) == 1);
	CHECK_STR(value, "");
	CHECK(cmd_option(&cmd, names, argv, (i = 5, &i), &name, &value) == 1 && i == 6);
	CHECK_STR(name, "-o");
	CHECK_STR(value, "a=b");
	for (i = 7; i < 10; i++)
		CHECK(cmd_option(&cmd, names, argv, &i, &name, &value) == 0);
	CHECK(cmd_option(&cmd, names, argv, &i, &name, &value) == -1);
}

static json_t *
plant(void)
{
	return json_loads("[{\"name\":\"press-3\",\"place\":\"werk1/hall3/line-b\",\"owner\":\"OT\",\"state\":\"up\"},"
		"{\"name\":\"sw-31\",\"place\":\"werk1/hall31\",\"owner\":\"IT\",\"state\":\"down\"},"
		"{\"name\":\"mes-db\",\"place\":\"\",\"owner\":\"IT\",\"state\":\"up\"}]", 0, NULL);
}

static size_t
left(struct ask_filter filter)
{
	json_t *list = plant();
	size_t count;

	ask_apply(list, &filter);
	count = json_array_size(list);
	json_decref(list);
	return count;
}

static void
a_place_holds_what_lies_below_it_and_not_its_namesakes(void)
{
	CHECK_INT(left((struct ask_filter){ .place = "werk1/hall3" }), 1);
	CHECK_INT(left((struct ask_filter){ .place = "werk1" }), 2);
	CHECK_INT(left((struct ask_filter){ .owner = "IT", .state = "up" }), 1);
	CHECK_INT(left((struct ask_filter){ .glob = "*-3*" }), 2);
}

RUN_TESTS(TEST(times_are_unix_seconds_utc_or_so_long_ago),
	TEST(a_time_may_have_a_fraction_and_a_zone_as_the_spans_are_printed),
	TEST(a_day_that_no_month_has_and_a_year_beyond_all_ns_are_no_times),
	TEST(an_option_has_its_value_behind_it_or_behind_an_equals_sign),
	TEST(a_place_holds_what_lies_below_it_and_not_its_namesakes))

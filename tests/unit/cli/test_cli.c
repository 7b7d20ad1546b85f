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
	TEST(a_place_holds_what_lies_below_it_and_not_its_namesakes))

#include "../check.h"

#include "core/pattern.h"

static struct pattern_list
list_of(uint32_t first, uint32_t count)
{
	struct pattern_list list = { .count = count };

	for (uint32_t i = 0; i < count; i++) {
		list.numbers[i] = first + i;
		list.marks[i] = (uint8_t)((first + i) * 7);
	}
	return list;
}

static void
check_is(const struct patterns *patterns, uint32_t index, const struct pattern_list *list)
{
	const struct pattern *pattern = patterns_at(patterns, index);

	CHECK_INT(pattern->count, list->count);
	for (uint32_t i = 0; i < list->count; i++) {
		CHECK_INT(pattern->numbers[i], list->numbers[i]);
		CHECK_INT(pattern_marks(pattern)[i], list->marks[i]);
	}
}

static void
lists_that_are_alike_stand_once_and_others_apart(void)
{
	struct patterns patterns = { 0 };
	struct pattern_list a = list_of(1, 30), longer = list_of(1, 31), b = list_of(2, 30);
	uint32_t is = patterns_hold(&patterns, &a);

	CHECK_INT(patterns_hold(&patterns, &a), is);
	CHECK(patterns_hold(&patterns, &longer) != is);
	CHECK(patterns_hold(&patterns, &b) != is);
	check_is(&patterns, is, &a);
	patterns_free(&patterns);
}

static void
a_list_goes_with_its_last_user_and_not_before(void)
{
	struct patterns patterns = { 0 };
	struct pattern_list a = list_of(1, 3), b = list_of(5, PATTERN_MOST);
	uint32_t is = patterns_hold(&patterns, &a);

	patterns_hold(&patterns, &a);
	patterns_drop(&patterns, is);
	check_is(&patterns, is, &a);
	patterns_drop(&patterns, is);
	CHECK(patterns_at(&patterns, is) == NULL);
	/* Its place is the next one's. */
	CHECK_INT(patterns_hold(&patterns, &b), is);
	check_is(&patterns, is, &b);
	patterns_free(&patterns);
}

static void
thousands_come_and_go_in_any_order(void)
{
	enum { COUNT = 3000 };
	static uint32_t is[COUNT];
	struct patterns patterns = { 0 };

	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < COUNT; i++) {
			struct pattern_list list = list_of(i, 1 + i % PATTERN_MOST);

			is[i] = patterns_hold(&patterns, &list);
		}
		CHECK(patterns.count <= COUNT);
		for (uint32_t i = 0; i < COUNT; i++) {
			/* 7 and 3000 have no common divisor: each once. */
			uint32_t n = i * 7 % COUNT;
			struct pattern_list list = list_of(n, 1 + n % PATTERN_MOST);

			check_is(&patterns, is[n], &list);
			CHECK_INT(patterns_hold(&patterns, &list), is[n]);
			patterns_drop(&patterns, is[n]);
			patterns_drop(&patterns, is[n]);
		}
	}
	CHECK_INT(patterns.gone_count, patterns.count);
	patterns_free(&patterns);
}

RUN_TESTS(TEST(lists_that_are_alike_stand_once_and_others_apart),
	TEST(a_list_goes_with_its_last_user_and_not_before),
	TEST(thousands_come_and_go_in_any_order))

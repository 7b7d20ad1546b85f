#include "../check.h"

#include "core/few.h"

static void
an_id_that_was_not_met_is_neither_met_nor_kept(void)
{
	struct few few = { 0 };
	uint32_t id = 0;

	CHECK(!few_met(&few, 0));
	CHECK(!few_met(&few, 4000000000u));
	CHECK(few_get(&few, 7) == NULL);
	CHECK(few_next(&few, &id) == NULL);
	CHECK(!few_next_met(&few, &id));
	few_free(&few);
}

static void
an_id_that_is_met_without_an_item_stays_met(void)
{
	struct few few = { 0 };

	few_put(&few, 63, NULL);
	few_put(&few, 64, NULL);
	CHECK(few_met(&few, 63) && few_met(&few, 64));
	CHECK(!few_met(&few, 62) && !few_met(&few, 65));
	CHECK(few_get(&few, 63) == NULL);
	few_free(&few);
}

static void
of_neighbours_it_is_known_whether_something_is_kept_for_any(void)
{
	static int item;
	struct few few = { 0 };

	CHECK(!few_none(&few, 0, 1));
	for (uint32_t id = 10; id < 200; id++)
		few_put(&few, id, id == 150 ? &item : NULL);
	CHECK(few_none(&few, 10, 64) && few_none(&few, 64, 64) && few_none(&few, 151, 49));
	CHECK(few_none(&few, 87, 63) && !few_none(&few, 88, 63));
	CHECK(!few_none(&few, 150, 1) && !few_none(&few, 128, 64));
	CHECK(!few_none(&few, 9, 2) && !few_none(&few, 199, 2) && !few_none(&few, 250, 30));
	CHECK(few_none(&few, 63, 1) && few_none(&few, 64, 1) && few_none(&few, 63, 2));
	for (unsigned step = 0; step < 3; step++) {
		few_ahead(&few, 150, step);
		few_ahead(&few, 4000000000u, step);
	}
	CHECK(few_get(&few, 150) == &item);
	few_free(&few);
}

static void
items_are_found_by_their_ids_in_whatever_order_they_came(void)
{
	static int items[1000];
	struct few few = { 0 };

	/* 7 and 1000 have no common divisor: every number once, in no order. */
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t id = i * 7 % 1000;

		few_put(&few, id, id % 3 == 0 ? &items[id] : NULL);
	}
	for (uint32_t id = 0; id < 1000; id++) {
		CHECK(few_met(&few, id));
		CHECK(few_get(&few, id) == (id % 3 == 0 ? &items[id] : NULL));
	}
	few_free(&few);
}

static void
going_through_gives_each_item_once_and_in_order(void)
{
	static const uint32_t ids[] = { 0, 1, 63, 64, 127, 128, 5000, 5001 };
	static int items[8];
	struct few few = { 0 };
	uint32_t id = 0, at = 0;

	for (int i = 7; i >= 0; i--)
		few_put(&few, ids[i], &items[i]);
	few_put(&few, 2, NULL);
	few_put(&few, 9999, NULL);
	for (void *item; (item = few_next(&few, &id)) != NULL; id++, at++) {
		CHECK(at < 8 && id == ids[at]);
		CHECK(item == &items[at]);
	}
	CHECK(at == 8);
	at = 0;
	for (id = 0; few_next_met(&few, &id); id++)
		at++;
	CHECK(at == 10);
	few_free(&few);
	CHECK(!few_met(&few, 63));
}

RUN_TESTS(TEST(an_id_that_was_not_met_is_neither_met_nor_kept),
	TEST(an_id_that_is_met_without_an_item_stays_met),
	TEST(of_neighbours_it_is_known_whether_something_is_kept_for_any),
	TEST(items_are_found_by_their_ids_in_whatever_order_they_came),
	TEST(going_through_gives_each_item_once_and_in_order))

#include "../check.h"

#include <stdlib.h>

#include "core/tracks.h"

enum { MOST = 130 };

static struct track *
listed(size_t count, uint32_t id, uint32_t next)
{
	struct track *list = calloc(count + 1, sizeof *list);

	CHECK(list != NULL);
	for (size_t i = 0; i < count; i++)
		list[i] = (struct track){ id + (uint32_t)i, next };
	return list;
}

static void
tracks_that_are_alike_need_no_list(void)
{
	struct tracks tracks = { 0 };

	tracks_begin(&tracks, listed(30, 7, 100), 30);
	CHECK(!tracks.listed);
	CHECK_INT(tracks_at(&tracks, 29).id, 36);
	for (size_t i = 30; i-- > 0;) {
		CHECK_INT(tracks_at(&tracks, i).next, 100);
		tracks_advance(&tracks, 30, i, 101);
		CHECK_INT(tracks_at(&tracks, i).next, 101);
	}
	CHECK(!tracks.listed);
	CHECK_INT(tracks.next, 101);
	CHECK_INT(tracks.told, 0);
	tracks_free(&tracks);
}

static void
one_that_the_catalogue_refused_is_none_of_those_beside_it(void)
{
	struct track *list = listed(3, 7, 100);
	struct tracks tracks = { 0 };

	list[1].id = 0;
	tracks_begin(&tracks, list, 3);
	CHECK_INT(tracks_at(&tracks, 1).id, 0);
	CHECK_INT(tracks_at(&tracks, 2).id, 9);
	tracks_free(&tracks);
}

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* Whatever is advanced to what and in whichever order. */
static void
they_say_what_a_list_says(void)
{
	static const size_t counts[] = { 1, 2, 10, 63, 64, 65, MOST };
	uint32_t seed = 4711;

	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		struct track *list = listed(counts[c], 1000, 5), model[MOST];
		struct tracks tracks = { 0 };

		if (c % 2 == 1)
			list[0].next = 3;
		for (size_t i = 0; i < counts[c]; i++)
			model[i] = list[i];
		tracks_begin(&tracks, list, counts[c]);
		for (int step = 0; step < 5000; step++) {
			size_t place = draw(&seed, (uint32_t)counts[c]);

			model[place].next = step / 200 * 2 + 6 + (draw(&seed, 20) == 0);
			tracks_advance(&tracks, counts[c], place, model[place].next);
			if (draw(&seed, 50) == 0)
				tracks_gather(&tracks, counts[c]);
			for (size_t i = 0; i < counts[c]; i++) {
				CHECK(!tracks_all_reach(&tracks, model[i].next + INT64_C(1)));
				CHECK_INT(tracks_at(&tracks, i).id, model[i].id);
				CHECK_INT(tracks_at(&tracks, i).next, model[i].next);
			}
		}
		for (size_t i = 0; i < counts[c]; i++)
			tracks_advance(&tracks, counts[c], i, 9999);
		tracks_gather(&tracks, counts[c]);
		CHECK(!tracks.listed);
		CHECK(tracks_all_reach(&tracks, 9999) && !tracks_all_reach(&tracks, 10000));
		tracks_free(&tracks);
	}
}

RUN_TESTS(TEST(tracks_that_are_alike_need_no_list),
	TEST(one_that_the_catalogue_refused_is_none_of_those_beside_it),
	TEST(they_say_what_a_list_says))

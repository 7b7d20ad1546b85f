#include "../check.h"

#include "notify/spool.h"

static void
push(struct spool *spool, uint32_t sequence, uint32_t id, enum transition_kind kind)
{
	struct transition transition = { .sequence = sequence, .id = id, .kind = kind };
	struct notice *notice = notice_new(&transition, 0);

	spool_push(spool, notice);
	notice_release(notice);
}

static void
check_holds(struct spool *spool, const uint32_t *wanted, size_t count)
{
	CHECK_INT(spool->count, count);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(spool->items[spool->first + i]->transition.sequence, wanted[i]);
}
#define HOLDS(spool, ...)                                                              \
	do {                                                                           \
		static const uint32_t wanted[] = { __VA_ARGS__ };                      \
		check_holds(spool, wanted, sizeof wanted / sizeof wanted[0]);          \
	} while (0)

static void
gives_back_in_order_and_forgets_what_is_done(void)
{
	struct spool spool;

	spool_init(&spool, 10);
	CHECK(spool_first(&spool) == NULL);
	for (uint32_t i = 1; i <= 5; i++)
		push(&spool, i, i, TRANSITION_RAISE);
	CHECK_INT(spool_first(&spool)->transition.sequence, 1);
	spool_done(&spool, 3);
	HOLDS(&spool, 4, 5);
	spool_done(&spool, 9);
	CHECK(spool_first(&spool) == NULL);
	CHECK_INT(spool.lost, 0);
	spool_free(&spool);
}

static void
drops_a_repeat_first(void)
{
	struct spool spool;

	spool_init(&spool, 4);
	push(&spool, 1, 1, TRANSITION_RAISE);
	push(&spool, 2, 2, TRANSITION_RAISE);
	push(&spool, 3, 2, TRANSITION_CLEAR);
	push(&spool, 4, 1, TRANSITION_REPEAT);
	push(&spool, 5, 3, TRANSITION_RAISE);
	HOLDS(&spool, 1, 2, 3, 5);
	CHECK_INT(spool.lost, 1);
	spool_free(&spool);
}

static void
then_drops_an_alarm_that_came_and_went_and_never_a_raise_without_its_clear(void)
{
	struct spool spool;

	spool_init(&spool, 4);
	push(&spool, 1, 1, TRANSITION_RAISE);
	push(&spool, 2, 2, TRANSITION_RAISE);
	push(&spool, 3, 3, TRANSITION_RAISE);
	push(&spool, 4, 3, TRANSITION_CLEAR);
	push(&spool, 5, 4, TRANSITION_RAISE);
	HOLDS(&spool, 1, 2, 5);
	CHECK_INT(spool.lost, 2);
	spool_free(&spool);
}

static void
then_drops_the_oldest_but_not_the_one_under_way(void)
{
	struct spool spool;

	spool_init(&spool, 3);
	for (uint32_t i = 1; i <= 5; i++)
		push(&spool, i, i, TRANSITION_RAISE);
	HOLDS(&spool, 1, 4, 5);
	CHECK_INT(spool.lost, 2);
	spool_free(&spool);
}

static void
two_spools_share_a_notice(void)
{
	struct spool a, b;
	struct transition transition = { .sequence = 1, .kind = TRANSITION_RAISE };
	struct notice *notice = notice_new(&transition, 7);

	spool_init(&a, 3);
	spool_init(&b, 3);
	spool_push(&a, notice);
	spool_push(&b, notice);
	notice_release(notice);
	spool_done(&a, 1);
	CHECK_INT(spool_first(&b)->journal, 7);
	spool_free(&a);
	spool_free(&b);
}

RUN_TESTS(TEST(gives_back_in_order_and_forgets_what_is_done),
	TEST(drops_a_repeat_first),
	TEST(then_drops_an_alarm_that_came_and_went_and_never_a_raise_without_its_clear),
	TEST(then_drops_the_oldest_but_not_the_one_under_way),
	TEST(two_spools_share_a_notice))

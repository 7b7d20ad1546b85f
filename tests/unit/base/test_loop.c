/* The same promises hold for the real loop and for the simulated one: this file is built
 * twice, see room.am. */
#include "../check.h"

#include <time.h>

#include "base/fail.h"
#include "base/loop.h"

static struct loop *loop;
static char order[16];
static int64_t lateness;

struct mark {
	struct loop_timer timer;
	char letter;
	struct loop_timer *stops;
};

static void
note(void *arg)
{
	struct mark *mark = arg;
	size_t length = strlen(order);
	int64_t late = loop_mono(loop) - mark->timer.due;

	CHECK(late >= 0);
	if (late > lateness)
		lateness = late;
	order[length] = mark->letter;
	if (mark->stops != NULL)
		loop_timer_stop(loop, mark->stops);
	if (mark->letter == 'z')
		loop_stop(loop);
}

static void
arm(struct mark *mark, char letter, int64_t at)
{
	mark->letter = letter;
	mark->stops = NULL;
	loop_timer_init(&mark->timer, note, mark);
	loop_timer_at(loop, &mark->timer, at);
}

static void
begin(void)
{
	struct fail why;

	memset(order, 0, sizeof order);
	lateness = 0;
	loop = loop_new(&why);
	CHECK(loop != NULL);
}

static void
timers_run_by_due_time_then_by_the_order_they_were_set(void)
{
	struct mark a, b, c, z;
	int64_t now;

	begin();
	now = loop_mono(loop);
	arm(&c, 'c', now + 30 * LOOP_MS);
	arm(&a, 'a', now + 10 * LOOP_MS);
	arm(&b, 'b', now + 10 * LOOP_MS);
	arm(&z, 'z', now + 31 * LOOP_MS);
	loop_run(loop);
	CHECK_STR(order, "abcz");
	loop_free(loop);
}

static void
a_timer_may_stop_another_that_is_due_at_the_same_instant(void)
{
	struct mark a, b, z;
	int64_t at;

	begin();
	at = loop_mono(loop) + 5 * LOOP_MS;
	arm(&a, 'a', at);
	arm(&b, 'b', at);
	arm(&z, 'z', at + LOOP_MS);
	a.stops = &b.timer;
	loop_run(loop);
	CHECK_STR(order, "az");
	CHECK(!loop_timer_armed(&b.timer));
	loop_free(loop);
}

static void
setting_a_timer_again_moves_it(void)
{
	struct mark a, z;
	int64_t now;

	begin();
	now = loop_mono(loop);
	arm(&a, 'a', now + 5 * LOOP_MS);
	arm(&z, 'z', now + 20 * LOOP_MS);
	loop_timer_at(loop, &a.timer, now + 100000 * LOOP_S);
	loop_run(loop);
	CHECK_STR(order, "z");
	loop_timer_stop(loop, &a.timer);
	loop_free(loop);
}

/* Forty of them within a tick or two, stopped and set anew, beside one that is due much later. */
static void
neighbours_that_are_stopped_or_moved_do_not_hold_up_the_rest(void)
{
	struct mark many[40], late, b, c, z;
	int64_t from;

	begin();
	from = loop_mono(loop) + 20 * LOOP_MS;
	arm(&late, 'l', from + 81920 * LOOP_MS);
	for (int i = 0; i < 40; i++)
		arm(&many[i], 'a', from + i % 5 * LOOP_MS);
	arm(&c, 'c', from + 3 * LOOP_MS);
	arm(&z, 'z', from + 12 * LOOP_MS);
	arm(&b, 'b', from + 2 * LOOP_MS);
	for (int i = 0; i < 40; i += 2)
		loop_timer_stop(loop, &many[i].timer);
	for (int i = 1; i < 40; i += 2)
		loop_timer_at(loop, &many[i].timer, from + 100000 * LOOP_S + i);
	loop_run(loop);
	CHECK_STR(order, "bcz");
	for (int i = 1; i < 40; i += 2)
		loop_timer_stop(loop, &many[i].timer);
	loop_timer_stop(loop, &late.timer);
	loop_free(loop);
}

struct soft_mark {
	struct loop_soft soft;
	char letter;
};

static void
note_soft(void *arg)
{
	struct soft_mark *mark = arg;

	order[strlen(order)] = mark->letter;
	if (mark->letter == 'z')
		loop_stop(loop);
}

static void
arm_soft(struct soft_mark *mark, char letter, int64_t from, int64_t until)
{
	mark->letter = letter;
	loop_soft_init(&mark->soft, note_soft, mark);
	loop_soft_within(loop, &mark->soft, from, until);
}

static void
a_soft_timer_comes_along_with_the_first_that_wakes_the_loop_from_then_on(void)
{
	struct soft_mark early, late;
	struct mark a, b, c, z;
	int64_t now;

	begin();
	now = loop_mono(loop);
	arm_soft(&early, 'e', now + 15 * LOOP_MS, now + 100 * LOOP_S);
	arm_soft(&late, 'l', now + 50 * LOOP_S, now + 100 * LOOP_S);
	arm(&a, 'a', now + 10 * LOOP_MS);
	arm(&b, 'b', now + 30 * LOOP_MS);
	arm(&c, 'c', now + 1000 * LOOP_S);
	arm(&z, 'z', now + 35 * LOOP_MS);
	loop_run(loop);
	/* With b, or where a was late with a already. */
	CHECK_INT(strlen(order), 4);
	CHECK(strchr(order, 'e') > strchr(order, 'a'));
	CHECK(strchr(order, 'l') == NULL);
	CHECK(!loop_soft_armed(&early.soft));
	CHECK(loop_soft_armed(&late.soft));
	loop_soft_stop(loop, &late.soft);
	loop_soft_stop(loop, &late.soft);
	CHECK(!loop_soft_armed(&late.soft));
	loop_timer_stop(loop, &c.timer);
	loop_free(loop);
}

static void
a_soft_timer_wakes_the_loop_at_its_last_instant(void)
{
	struct soft_mark a, b, z;
	int64_t now;

	begin();
	now = loop_mono(loop);
	arm_soft(&z, 'z', now, now + 40 * LOOP_MS);
	arm_soft(&a, 'a', now + 2000 * LOOP_S, now + 2000 * LOOP_S);
	arm_soft(&b, 'b', now, now + 1000 * LOOP_S);
	loop_soft_within(loop, &a.soft, now, now + 20 * LOOP_MS);
	loop_run(loop);
	CHECK_INT(strlen(order), 3);
	CHECK(loop_mono(loop) >= now + 20 * LOOP_MS);
	loop_free(loop);
}

static int worked, done;

static void
work(void *arg)
{
	(void)arg;
	worked++;
}

static void
work_done(void *arg)
{
	(void)arg;
	done++;
	loop_stop(loop);
}

static void
a_worker_works_once_a_kick_and_reports_on_the_loop(void)
{
	struct loop_worker *worker;
	struct mark z;

	begin();
	worked = done = 0;
	worker = loop_worker_new(loop, work, work_done, NULL, NULL);
	CHECK(loop_worker_kick(worker));
	arm(&z, 'z', loop_mono(loop) + 2 * LOOP_S);
	if (done == 0)
		loop_run(loop);
	CHECK_INT(worked, 1);
	CHECK_INT(done, 1);
	loop_timer_stop(loop, &z.timer);
	loop_worker_free(worker);
	loop_free(loop);
}

static void
work_long(void *arg)
{
	struct timespec time = { 0, *(int *)arg * 1000000 };

	nanosleep(&time, NULL);
	worked++;
}

static void
with_patience_the_end_of_a_work_is_told_as_well_be_it_short_or_long(void)
{
	struct loop_worker *worker;
	int ms;

	begin();
	worked = done = 0;
	worker = loop_worker_new(loop, work_long, work_done, &ms, NULL);
	loop_worker_patience(worker, 20 * LOOP_MS);
	for (int i = 1; i <= 6; i++) {
		ms = i % 2 == 0 ? 60 : 0;
		CHECK(loop_worker_kick(worker));
		if (done < i)
			loop_run(loop);
		CHECK_INT(worked, i);
		CHECK_INT(done, i);
	}
	loop_worker_free(worker);
	loop_free(loop);
}

static void
a_worker_is_freed_while_it_works(void)
{
	struct loop_worker *worker;
	int ms = 30;

	begin();
	worked = done = 0;
	worker = loop_worker_new(loop, work_long, work_done, &ms, NULL);
	loop_worker_patience(worker, 20 * LOOP_MS);
	CHECK(loop_worker_kick(worker));
	loop_worker_free(worker);
	CHECK_INT(worked, 1);
	CHECK(done <= 1); /* in virtual time it was over before */
	loop_free(loop);
}

RUN_TESTS(TEST(timers_run_by_due_time_then_by_the_order_they_were_set),
	TEST(a_timer_may_stop_another_that_is_due_at_the_same_instant),
	TEST(setting_a_timer_again_moves_it),
	TEST(neighbours_that_are_stopped_or_moved_do_not_hold_up_the_rest),
	TEST(a_soft_timer_comes_along_with_the_first_that_wakes_the_loop_from_then_on),
	TEST(a_soft_timer_wakes_the_loop_at_its_last_instant),
	TEST(a_worker_works_once_a_kick_and_reports_on_the_loop),
	TEST(with_patience_the_end_of_a_work_is_told_as_well_be_it_short_or_long),
	TEST(a_worker_is_freed_while_it_works))

/* loop.h - the only source of time and of "something is ready".
 *
 * One thread, one loop. Two clocks: mono never jumps and orders everything that happens
 * here; wall is what slots, journals and people use. Wall is anchored: the real-time clock
 * read once, carried on by mono, and led back to the system's clock gently (see
 * loop_on_step). All times are int64_t nanoseconds; wall counts from 1970 UTC.
 *
 * Tests link tests/fake/loop_sim.c in the place of loop.c: virtual time, same functions.
 * Nothing here may be called from another thread, but for what a worker does inside work(). */
#ifndef PW_LOOP_H
#define PW_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct loop;

#define LOOP_MS INT64_C(1000000)
#define LOOP_S INT64_C(1000000000)
/* What is due at the same tick shares one wake-up: phases stand on whole ticks of wall time,
 * deadlines are rounded up to one. */
#define LOOP_TICK (10 * LOOP_MS)

struct loop *loop_new(struct fail *why); /* after all forks */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);

/* ns: the longest that anything due had to wait since the last call, be it for a callback that
 * took its time or for the processor. */
int64_t loop_lag(struct loop *loop);

int64_t loop_mono(struct loop *loop);
int64_t loop_wall(struct loop *loop); /* never goes backwards within one run */
/* The mono instant at which wall will be (or was) that value, as of now. */
int64_t loop_mono_at(struct loop *loop, int64_t wall);
/* The other way round, for what was a moment ago. Reads no clock. */
int64_t loop_wall_at(struct loop *loop, int64_t mono);

/* The first whole tick of wall time that is not before that, as mono. */
int64_t loop_tick_from(struct loop *loop, int64_t mono);

/* Tells that the system's clock was set. Within a second: followed gently, no call.
 * Forward up to what is trusted (a day): wall jumps, delta > 0. Back as far: wall runs 5 %
 * slow until it meets the clock, delta < 0, once. Beyond: not believed, wall goes on by
 * itself; held = true. Once that is over: held = false, with whatever delta is left, also 0. */
void loop_on_step(struct loop *loop, void (*step)(int64_t delta, bool held, void *arg), void *arg);

void loop_clock_trust(struct loop *loop, int64_t most); /* ns */
int64_t loop_clock_real(struct loop *loop);             /* the system's clock, wall ns */
/* How far it is ahead of wall while it is not believed; else 0. */
int64_t loop_clock_apart(struct loop *loop);
/* At the start: wall is that just now, whatever the system's clock says; it is then followed
 * or held as by the rules above. */
void loop_clock_anchor(struct loop *loop, int64_t wall);
/* clock_confirm of base/clock.h; a jump is told as a step. */
int64_t loop_clock_confirm(struct loop *loop);

/* A timer is a member of the thing it wakes; it runs once, never before it is due, never
 * inside the call that sets it. The owner stops it before the memory goes. Timers due at the
 * same instant run in the order in which they were set. */
struct loop_timer {
	struct loop_timer *next, *prev; /* the loop's; next is NULL while not armed */
	int64_t due;                    /* mono; valid while armed */
	void (*run)(void *arg);
	void *arg;
};
static inline bool
loop_timer_armed(const struct loop_timer *timer)
{
	return timer->next != NULL;
}
void loop_timer_init(struct loop_timer *timer, void (*run)(void *arg), void *arg);
/* Both re-arm. at is exact; in rounds up to a whole tick, but for a delay of 0: at once. */
void loop_timer_at(struct loop *loop, struct loop_timer *timer, int64_t mono);
void loop_timer_in(struct loop *loop, struct loop_timer *timer, int64_t delay);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer); /* no-op when not armed */

/* A timer that need not wake anybody: it runs when another one has woken the loop, from `from` on,
 * and by itself at `until` only. It then stands in line as if it had been due at the newest of
 * from, from + LOOP_TICK, from + 2 LOOP_TICK .. that is not in the future. There are few of them. */
struct loop_soft {
	struct loop_timer timer;
	int64_t from;                   /* mono; valid while armed */
	struct loop_soft *next, **here; /* the loop's */
	void (*run)(void *arg);
	void *arg;
};
static inline bool
loop_soft_armed(const struct loop_soft *soft)
{
	return loop_timer_armed(&soft->timer);
}
void loop_soft_init(struct loop_soft *soft, void (*run)(void *arg), void *arg);
void loop_soft_within(struct loop *loop, struct loop_soft *soft, int64_t from, int64_t until);
void loop_soft_stop(struct loop *loop, struct loop_soft *soft); /* no-op when not armed */
/* Where the list of those that are armed begins; for these calls. */
struct loop_soft **loop_softs(struct loop *loop);

/* Timers that run this are many, and each one's arg was looked at last long ago: where several
 * are due, ahead is called for each of them a little before they run, with step 0 for all, then
 * 1 .. steps - 1 for all, so that it can fetch what run will need (base/ahead.h). It must change
 * nothing. One such run in a loop; ahead NULL: none. */
void loop_timer_ahead(struct loop *loop, void (*run)(void *arg),
	void (*ahead)(void *arg, unsigned step), unsigned steps);

enum loop_ready { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_watch;
/* Level-triggered; the watch does not own fd. Free the watch before closing fd; both may
 * happen inside ready(). */
struct loop_watch *loop_watch_new(struct loop *loop, int fd, unsigned what,
	void (*ready)(int fd, unsigned what, void *arg), void *arg);
void loop_watch_set(struct loop_watch *watch, unsigned what); /* 0 pauses */
void loop_watch_free(struct loop_watch *watch);

void loop_on_signal(struct loop *loop, int number, void (*run)(int number, void *arg), void *arg);

/* One thread beside the loop for calls that may block (fdatasync). kick() asks for one run
 * of work() in the thread, then one run of done() on the loop; a kick while busy is refused
 * (false). free() waits for a running work(), and done() is not called any more.
 * In virtual time work() and done() run inside kick(). */
struct loop_worker;
struct loop_worker *loop_worker_new(struct loop *loop, void (*work)(void *arg),
	void (*done)(void *arg), void *arg, struct fail *why);
bool loop_worker_kick(struct loop_worker *worker);
/* From now on done() may come so much later (ns), if nothing else wakes the loop before. */
void loop_worker_patience(struct loop_worker *worker, int64_t patience);
void loop_worker_free(struct loop_worker *worker);
#endif

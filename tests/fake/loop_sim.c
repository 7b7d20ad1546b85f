#include "fake/loop_sim.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"

/* Time outlives the loop: a killed process comes back into the same world. */
static struct {
	int64_t mono;
	int64_t real_offset;
} world = { 1000 * LOOP_S, INT64_C(1767225600) * LOOP_S - 1000 * LOOP_S };

struct loop {
	struct loop_timer **heap; /* binary, by due then order */
	size_t count, room;
	uint64_t order;
	struct clock clock;
	struct loop_timer second; /* armed only while the clocks differ */
	struct loop_soft *softs;
	bool stopped;
	void (*step)(int64_t delta, bool held, void *arg);
	void *step_arg;
	void (*ahead_run)(void *arg);
	void (*ahead)(void *arg, unsigned step);
	unsigned ahead_steps;
};

void
loop_sim_begin(int64_t mono, int64_t wall)
{
	world.mono = mono;
	world.real_offset = wall - mono;
}

int64_t
loop_sim_now(void)
{
	return world.mono;
}

int64_t
loop_sim_real(void)
{
	return world.mono + world.real_offset;
}

/* The heap's place of a timer, from 1, is kept in next, and which was set first in prev: a
 * simulated loop has no other use for them. */
static size_t
place_of(const struct loop_timer *timer)
{
	return (size_t)(uintptr_t)timer->next - 1;
}

static void
put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->next = (struct loop_timer *)(uintptr_t)(place + 1);
}

static bool
before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due < b->due || (a->due == b->due && (uintptr_t)a->prev < (uintptr_t)b->prev);
}

static void
sift(struct loop *loop, size_t place, struct loop_timer *timer)
{
	while (place > 0 && before(timer, loop->heap[(place - 1) / 2])) {
		put(loop, place, loop->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	for (;;) {
		size_t child = place * 2 + 1;

		if (child + 1 < loop->count && before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (child >= loop->count || !before(loop->heap[child], timer))
			break;
		put(loop, place, loop->heap[child]);
		place = child;
	}
	put(loop, place, timer);
}

void
loop_timer_init(struct loop_timer *timer, void (*run)(void *), void *arg)
{
	*timer = (struct loop_timer){ .run = run, .arg = arg };
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	size_t place = place_of(timer);
	struct loop_timer *last;

	if (!loop_timer_armed(timer))
		return;
	timer->next = NULL;
	last = loop->heap[--loop->count];
	if (last != timer)
		sift(loop, place, last);
}

/* Fetches for nothing, but goes where it would go. */
void
loop_timer_ahead(struct loop *loop, void (*run)(void *), void (*ahead)(void *, unsigned),
	unsigned steps)
{
	loop->ahead_run = run;
	loop->ahead = ahead;
	loop->ahead_steps = ahead != NULL ? steps : 0;
}

void
loop_timer_at(struct loop *loop, struct loop_timer *timer, int64_t mono)
{
	loop_timer_stop(loop, timer);
	if (loop->count == loop->room) {
		loop->room = loop->room * 2 + 64;
		loop->heap = mem_grow(loop->heap, loop->room, sizeof *loop->heap);
	}
	timer->due = mono;
	timer->prev = (struct loop_timer *)(uintptr_t)loop->order++;
	loop->count++;
	sift(loop, loop->count - 1, timer);
}

void
loop_timer_in(struct loop *loop, struct loop_timer *timer, int64_t delay)
{
	int64_t due = world.mono + delay;

	if (delay > 0)
		due = (due + LOOP_TICK - 1) / LOOP_TICK * LOOP_TICK;
	loop_timer_at(loop, timer, due);
}

struct loop_soft **
loop_softs(struct loop *loop)
{
	return &loop->softs;
}

/* Whoever wakes up at an instant is awake for some time: those come along, in their place. */
static void
wake_soft(struct loop *loop, int64_t now)
{
	int64_t awake = now + LOOP_MS / 1000;

	for (struct loop_soft *soft = loop->softs; soft != NULL; soft = soft->next) {
		int64_t since = awake - soft->from;

		if (since >= 0 && soft->timer.due > awake)
			loop_timer_at(loop, &soft->timer, awake - since % LOOP_TICK);
	}
}

static void
follow_clock(void *arg)
{
	struct loop *loop = arg;
	struct clock_step step = clock_follow(&loop->clock, world.mono, loop_sim_real());

	if (world.real_offset != loop->clock.offset)
		loop_timer_at(loop, &loop->second, world.mono + LOOP_S);
	if ((step.delta != 0 || step.freed) && loop->step != NULL)
		loop->step(step.delta, step.held, loop->step_arg);
}

int64_t
loop_clock_real(struct loop *loop)
{
	(void)loop;
	return loop_sim_real();
}

void
loop_clock_trust(struct loop *loop, int64_t most)
{
	loop->clock.trust = most;
}

int64_t
loop_clock_apart(struct loop *loop)
{
	return loop->clock.held ? loop->clock.apart : 0;
}

void
loop_clock_anchor(struct loop *loop, int64_t wall)
{
	clock_start(&loop->clock, loop_mono(loop), wall);
	loop_timer_at(loop, &loop->second, world.mono + LOOP_S);
}

int64_t
loop_clock_confirm(struct loop *loop)
{
	int64_t delta = clock_confirm(&loop->clock, loop_mono(loop), loop_clock_real(loop));

	if (delta > 0 && loop->step != NULL)
		loop->step(delta, false, loop->step_arg);
	return delta;
}

struct loop *
loop_new(struct fail *why)
{
	struct loop *loop = mem_zero(sizeof *loop);

	(void)why;
	clock_start(&loop->clock, world.mono, loop_sim_real());
	loop_timer_init(&loop->second, follow_clock, loop);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	free(loop->heap);
	free(loop);
}

void
loop_sim_until(struct loop *loop, int64_t mono)
{
	loop->stopped = false;
	while (!loop->stopped && loop->count > 0 && loop->heap[0]->due <= mono) {
		struct loop_timer *timer;

		wake_soft(loop, loop->heap[0]->due);
		timer = loop->heap[0];
		loop_timer_stop(loop, timer);
		if (timer->due > world.mono)
			world.mono = timer->due;
		for (unsigned i = 0; timer->run == loop->ahead_run && i < loop->ahead_steps; i++)
			loop->ahead(timer->arg, i);
		timer->run(timer->arg);
	}
	if (!loop->stopped && mono > world.mono)
		world.mono = mono;
}

void
loop_sim_for(struct loop *loop, int64_t duration)
{
	loop_sim_until(loop, world.mono + duration);
}

void
loop_sim_stall(struct loop *loop, int64_t duration)
{
	(void)loop;
	world.mono += duration;
}

void
loop_sim_step_clock(struct loop *loop, int64_t delta)
{
	world.real_offset += delta;
	if (loop != NULL)
		loop_timer_at(loop, &loop->second, world.mono + LOOP_S);
}

void
loop_run(struct loop *loop)
{
	loop_sim_until(loop, INT64_MAX);
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

int64_t
loop_lag(struct loop *loop)
{
	(void)loop;
	return 0; /* nothing takes time here */
}

int64_t
loop_mono(struct loop *loop)
{
	(void)loop;
	return world.mono;
}

int64_t
loop_wall(struct loop *loop)
{
	return clock_wall(&loop->clock, world.mono);
}

int64_t
loop_mono_at(struct loop *loop, int64_t wall)
{
	return wall - loop->clock.offset;
}

int64_t
loop_wall_at(struct loop *loop, int64_t mono)
{
	return mono + loop->clock.offset;
}

int64_t
loop_tick_from(struct loop *loop, int64_t mono)
{
	return mono + LOOP_TICK - 1 - (loop_wall_at(loop, mono) + LOOP_TICK - 1) % LOOP_TICK;
}

void
loop_on_step(struct loop *loop, void (*step)(int64_t, bool, void *), void *arg)
{
	loop->step = step;
	loop->step_arg = arg;
}

struct loop_watch {
	struct loop_watch *next;
	int fd;
	unsigned what;
	void (*ready)(int fd, unsigned what, void *arg);
	void *arg;
};
static struct loop_watch *watches;

struct loop_watch *
loop_watch_new(struct loop *loop, int fd, unsigned what, void (*ready)(int, unsigned, void *),
	void *arg)
{
	struct loop_watch *watch = mem_zero(sizeof *watch);

	(void)loop;
	*watch = (struct loop_watch){ watches, fd, what, ready, arg };
	watches = watch;
	return watch;
}

void
loop_watch_set(struct loop_watch *watch, unsigned what)
{
	watch->what = what;
}

void
loop_watch_free(struct loop_watch *watch)
{
	struct loop_watch **link = &watches;

	if (watch == NULL)
		return;
	while (*link != watch)
		link = &(*link)->next;
	*link = watch->next;
	free(watch);
}

bool
loop_sim_read(void)
{
	for (struct loop_watch *watch = watches; watch != NULL; watch = watch->next) {
		struct pollfd fd = { .fd = watch->fd, .events = POLLIN };

		if ((watch->what & LOOP_READ) == 0 || poll(&fd, 1, 0) <= 0)
			continue;
		watch->ready(watch->fd, LOOP_READ, watch->arg);
		return true;
	}
	return false;
}

void
loop_on_signal(struct loop *loop, int number, void (*run)(int, void *), void *arg)
{
	(void)loop;
	(void)number;
	(void)run;
	(void)arg;
}

struct loop_worker {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	bool busy;
};

struct loop_worker *
loop_worker_new(struct loop *loop, void (*work)(void *), void (*done)(void *), void *arg,
	struct fail *why)
{
	struct loop_worker *worker = mem_zero(sizeof *worker);

	(void)loop;
	(void)why;
	worker->work = work;
	worker->done = done;
	worker->arg = arg;
	return worker;
}

bool
loop_worker_kick(struct loop_worker *worker)
{
	if (worker->busy)
		return false;
	worker->busy = true;
	worker->work(worker->arg);
	worker->busy = false;
	worker->done(worker->arg);
	return true;
}

void
loop_worker_patience(struct loop_worker *worker, int64_t patience)
{
	(void)worker, (void)patience;
}

void
loop_worker_free(struct loop_worker *worker)
{
	free(worker);
}

#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/ahead.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"

/* One turn of the wheel is 82 s: longer timers stay in their bucket and are passed over. */
#define WHEEL 8192
#define SIGNALS 8
/* Timers set for "at once" while others run get their turn without another wait, so often;
 * then it is the sockets' turn. */
#define TURNS 3

struct signal_watch {
	struct event *event;
	int number;
	void (*run)(int number, void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	int timer_fd;          /* the next timer; libevent's own would be set anew at each wait */
	struct event *wake;    /* watches it */
	struct loop_timer second; /* follows the system's clock */
	struct clock clock;
	/* List heads. No timer of a bucket is due before its head, which may be earlier than all
	 * of them. */
	struct loop_timer wheel[WHEEL];
	int64_t turned;        /* the tick up to which the wheel has been looked at */
	int64_t wake_at;       /* mono for which `wake` is set, INT64_MAX if none */
	size_t armed;
	struct loop_soft *softs; /* those that are armed */
	void (*ahead_run)(void *arg); /* see loop_timer_ahead */
	void (*ahead)(void *arg, unsigned step);
	unsigned ahead_steps;
	int64_t lag;           /* see loop_lag */
	struct signal_watch signals[SIGNALS];
	int signal_count;
	void (*step)(int64_t delta, bool held, void *arg);
	void *step_arg;
};

static int64_t
read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * LOOP_S + now.tv_nsec;
}

int64_t
loop_mono(struct loop *loop)
{
	(void)loop;
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
loop_wall(struct loop *loop)
{
	return clock_wall(&loop->clock, loop_mono(loop));
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

static void
follow_clock(void *arg)
{
	struct loop *loop = arg;
	struct clock_step step = clock_follow(&loop->clock, loop_mono(loop),
		read_clock(CLOCK_REALTIME));

	loop_timer_in(loop, &loop->second, LOOP_S);
	if ((step.delta != 0 || step.freed) && loop->step != NULL)
		loop->step(step.delta, step.held, loop->step_arg);
}

int64_t
loop_clock_real(struct loop *loop)
{
	(void)loop;
	return read_clock(CLOCK_REALTIME);
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
}

int64_t
loop_clock_confirm(struct loop *loop)
{
	int64_t delta = clock_confirm(&loop->clock, loop_mono(loop), loop_clock_real(loop));

	if (delta > 0 && loop->step != NULL)
		loop->step(delta, false, loop->step_arg);
	return delta;
}

/* ---- timers ---- */

static void
list_append(struct loop_timer *head, struct loop_timer *timer)
{
	timer->prev = head->prev;
	timer->next = head;
	head->prev->next = timer;
	head->prev = timer;
}

static void
list_remove(struct loop_timer *timer)
{
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->next = timer->prev = NULL;
}

/* Edge-triggered, the timer need not be read: each expiry wakes once. */
static void
set_wake(struct loop *loop, int64_t due)
{
	struct itimerspec at = { .it_value = { due / LOOP_S, due % LOOP_S } };

	if (due >= loop->wake_at)
		return;
	loop->wake_at = due;
	if (due <= 0)
		at.it_value = (struct timespec){ 0, 1 }; /* all zero would disarm it */
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == -1)
		log_error("timer refused: %s", strerror(errno));
}

/* Timers lie all over memory: of most buckets the head tells, or the first of many that are due
 * at the same time. */
static int64_t
earliest_of(const struct loop_timer *head, int64_t end)
{
	int64_t earliest = INT64_MAX;

	if (head->due >= end)
		return earliest;
	for (const struct loop_timer *t = head->next; t != head && earliest > head->due; t = t->next)
		if (t->due < end && t->due < earliest)
			earliest = t->due;
	return earliest;
}

/* The earliest due time within the next turn of the wheel; with none, one turn later. */
static int64_t
next_due(struct loop *loop)
{
	for (int64_t tick = loop->turned; tick < loop->turned + WHEEL; tick++) {
		int64_t earliest = earliest_of(&loop->wheel[tick % WHEEL], (tick + 1) * LOOP_TICK);

		if (earliest != INT64_MAX)
			return earliest;
	}
	return (loop->turned + WHEEL) * LOOP_TICK;
}

/* Each timer tells where the next one is, so that one wait for memory follows the other; from
 * both ends they are half as many. */
static void
fetch_bucket(const struct loop_timer *head)
{
	const struct loop_timer *from = head->next, *to = head->prev;

	while (from != to && from->prev != to) {
		from = from->next;
		to = to->prev;
	}
}

/* Of those of one instant that which was set first stands first: in its bucket, and where that
 * had been looked at by then, in an earlier one than the others. */
static void
put_in_line(struct loop_timer *line, struct loop_timer *timer)
{
	struct loop_timer *place = line->prev;

	while (place != line && place->due > timer->due)
		place = place->prev;
	list_append(place->next, timer);
}

/* Moves what is due out of one bucket, earliest first. */
static void
collect_due(struct loop_timer *head, int64_t now, struct loop_timer *due)
{
	int64_t rest = INT64_MAX;

	if (head->due > now)
		return;
	fetch_bucket(head);
	for (struct loop_timer *t = head->next, *next; t != head; t = next) {
		next = t->next;
		if (t->due > now) {
			rest = t->due < rest ? t->due : rest;
			continue;
		}
		list_remove(t);
		put_in_line(due, t);
	}
	head->due = rest;
}

/* Somebody is awake: those that need not wake anybody come along. */
static void
collect_soft(struct loop *loop, int64_t now, struct loop_timer *due)
{
	for (struct loop_soft *soft = loop->softs; soft != NULL; soft = soft->next) {
		struct loop_timer *timer = &soft->timer;
		int64_t since = now - soft->from;

		/* Behind its last time it stands in line as any other. */
		if (since < 0 || timer->due <= now)
			continue;
		timer->due = now - since % LOOP_TICK;
		list_remove(timer);
		put_in_line(due, timer);
	}
}

static void
note_lag(struct loop *loop, int64_t lag)
{
	if (lag > loop->lag)
		loop->lag = lag;
}

int64_t
loop_lag(struct loop *loop)
{
	int64_t lag = loop->lag;

	loop->lag = 0;
	return lag;
}

void
loop_timer_ahead(struct loop *loop, void (*run)(void *arg),
	void (*ahead)(void *arg, unsigned step), unsigned steps)
{
	loop->ahead_run = run;
	loop->ahead = ahead;
	loop->ahead_steps = steps;
}

/* The next few that are due. */
static void
look_ahead(const struct loop *loop, const struct loop_timer *due)
{
	void *args[AHEAD_GROUP];
	size_t count = 0;

	if (loop->ahead == NULL)
		return;
	for (struct loop_timer *t = due->next; t != due && count < AHEAD_GROUP; t = t->next)
		if (t->run == loop->ahead_run)
			args[count++] = t->arg;
	for (unsigned step = 0; count > 1 && step < loop->ahead_steps; step++)
		for (size_t i = 0; i < count; i++)
			loop->ahead(args[i], step);
}

static void
run_timer(struct loop *loop, struct loop_timer *timer)
{
	list_remove(timer);
	loop->armed--;
	timer->run(timer->arg);
}

/* False when nothing was due. */
static bool
run_turn(struct loop *loop)
{
	int64_t now = loop_mono(loop), last = now / LOOP_TICK;
	struct loop_timer due = { .next = &due, .prev = &due };

	/* After a long stop every bucket is looked at once, not once per missed turn. */
	if (last - loop->turned >= WHEEL)
		loop->turned = last - WHEEL + 1;
	for (; loop->turned < last; loop->turned++)
		collect_due(&loop->wheel[loop->turned % WHEEL], now, &due);
	collect_due(&loop->wheel[last % WHEEL], now, &due);
	if (due.next == &due)
		return false;
	collect_soft(loop, now, &due);
	while (due.next != &due) {
		look_ahead(loop, &due);
		for (int i = 0; i < AHEAD_GROUP && due.next != &due; i++)
			run_timer(loop, due.next);
	}
	return true;
}

static void
run_due(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	int64_t now = loop_mono(loop);

	(void)fd;
	(void)what;
	note_lag(loop, now - loop->wake_at);
	for (int turn = 0; turn < TURNS && run_turn(loop); turn++)
		continue;
	note_lag(loop, loop_mono(loop) - now);
	loop->wake_at = INT64_MAX;
	if (loop->armed > 0)
		set_wake(loop, next_due(loop));
}

void
loop_timer_init(struct loop_timer *timer, void (*run)(void *), void *arg)
{
	*timer = (struct loop_timer){ .run = run, .arg = arg };
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	if (!loop_timer_armed(timer))
		return;
	list_remove(timer);
	loop->armed--;
}

void
loop_timer_at(struct loop *loop, struct loop_timer *timer, int64_t mono)
{
	int64_t tick = mono / LOOP_TICK;
	struct loop_timer *head;

	loop_timer_stop(loop, timer);
	if (tick < loop->turned)
		tick = loop->turned;
	head = &loop->wheel[tick % WHEEL];
	if (mono < head->due || head->next == head)
		head->due = mono;
	timer->due = mono;
	list_append(head, timer);
	loop->armed++;
	set_wake(loop, mono);
}

void
loop_timer_in(struct loop *loop, struct loop_timer *timer, int64_t delay)
{
	int64_t due = loop_mono(loop) + delay;

	/* A tick of wall time, as that of the phases: their wake-up does for this one. */
	if (delay > 0)
		due = loop_tick_from(loop, due);
	loop_timer_at(loop, timer, due);
}

struct loop_soft **
loop_softs(struct loop *loop)
{
	return &loop->softs;
}

/* ---- fds and signals ---- */

struct loop_watch {
	struct event *event;
	struct loop *loop;
	int fd;
	unsigned what;
	void (*ready)(int fd, unsigned what, void *arg);
	void *arg;
};

static void
watch_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *watch = arg;

	watch->ready(fd, (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u),
		watch->arg);
}

void
loop_watch_set(struct loop_watch *watch, unsigned what)
{
	if (what == watch->what)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	watch->event = NULL;
	watch->what = what;
	if (what == 0)
		return;
	watch->event = event_new(watch->loop->base, watch->fd,
		(short)(EV_PERSIST | (what & LOOP_READ ? EV_READ : 0) |
			(what & LOOP_WRITE ? EV_WRITE : 0)),
		watch_ready, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) == -1)
		log_error("event loop refuses fd %d: %s", watch->fd, strerror(errno));
}

struct loop_watch *
loop_watch_new(struct loop *loop, int fd, unsigned what,
	void (*ready)(int, unsigned, void *), void *arg)
{
	struct loop_watch *watch = mem_zero(sizeof *watch);

	*watch = (struct loop_watch){ .loop = loop, .fd = fd, .ready = ready, .arg = arg };
	loop_watch_set(watch, what);
	return watch;
}

void
loop_watch_free(struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->event != NULL)
		event_free(watch->event);
	free(watch);
}

static void
signal_ready(evutil_socket_t number, short what, void *arg)
{
	struct signal_watch *watch = arg;

	(void)what;
	watch->run((int)number, watch->arg);
}

void
loop_on_signal(struct loop *loop, int number, void (*run)(int, void *), void *arg)
{
	struct signal_watch *watch = &loop->signals[loop->signal_count];

	if (loop->signal_count == SIGNALS) {
		log_error("no room to watch signal %d", number);
		return;
	}
	*watch = (struct signal_watch){ .number = number, .run = run, .arg = arg };
	watch->event = evsignal_new(loop->base, number, signal_ready, watch);
	event_add(watch->event, NULL);
	loop->signal_count++;
}

/* ---- worker ---- */

/* Of one run of work(), with patience: */
enum worker_state {
	WORKER_WORKS, /* its end is looked for */
	WORKER_ENDED,
	WORKER_TELLS, /* its end is to be told */
};

struct loop_worker {
	struct loop_watch *watch;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool started, asked, busy, ending;
	int done_fd;
	struct loop *loop;
	int64_t patience;
	struct loop_soft look; /* has it ended? */
	atomic_int state;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void *
worker_thread(void *arg)
{
	struct loop_worker *worker = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		while (!worker->asked && !worker->ending)
			pthread_cond_wait(&worker->changed, &worker->lock);
		if (!worker->asked)
			break;
		worker->asked = false;
		pthread_mutex_unlock(&worker->lock);
		worker->work(worker->arg);
		if (atomic_exchange(&worker->state, WORKER_ENDED) == WORKER_TELLS &&
			write(worker->done_fd, &one, sizeof one) == -1)
			log_error("worker cannot report: %s", strerror(errno));
		pthread_mutex_lock(&worker->lock);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static void
worker_done(int fd, unsigned what, void *arg)
{
	struct loop_worker *worker = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof count) != sizeof count)
		return;
	worker->busy = false;
	worker->done(worker->arg);
}

static void
worker_look(void *arg)
{
	struct loop_worker *worker = arg;
	int works = WORKER_WORKS;

	if (atomic_compare_exchange_strong(&worker->state, &works, WORKER_TELLS))
		return;
	worker->busy = false;
	worker->done(worker->arg);
}

struct loop_worker *
loop_worker_new(struct loop *loop, void (*work)(void *), void (*done)(void *), void *arg,
	struct fail *why)
{
	struct loop_worker *worker = mem_zero(sizeof *worker);
	sigset_t all, old;
	int error;

	worker->work = work;
	worker->done = done;
	worker->arg = arg;
	worker->loop = loop;
	loop_soft_init(&worker->look, worker_look, worker);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->done_fd == -1) {
		fail_set(why, "eventfd: %s", strerror(errno));
		goto fail;
	}
	worker->watch = loop_watch_new(loop, worker->done_fd, LOOP_READ, worker_done, worker);
	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&worker->thread, NULL, worker_thread, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0) {
		fail_set(why, "no thread to be had: %s", strerror(error));
		goto fail;
	}
	worker->started = true;
	return worker;
fail:
	loop_worker_free(worker);
	return NULL;
}

bool
loop_worker_kick(struct loop_worker *worker)
{
	if (worker->busy)
		return false;
	worker->busy = true;
	atomic_store(&worker->state, worker->patience > 0 ? WORKER_WORKS : WORKER_TELLS);
	pthread_mutex_lock(&worker->lock);
	worker->asked = true;
	pthread_mutex_unlock(&worker->lock);
	/* It has the lock at once, whereas with ours still held it would sleep again. */
	pthread_cond_signal(&worker->changed);
	if (worker->patience > 0) {
		int64_t now = loop_mono(worker->loop);

		loop_soft_within(worker->loop, &worker->look, now + LOOP_MS,
			now + worker->patience);
	}
	return true;
}

void
loop_worker_patience(struct loop_worker *worker, int64_t patience)
{
	worker->patience = patience;
}

void
loop_worker_free(struct loop_worker *worker)
{
	if (worker == NULL)
		return;
	if (worker->started) {
		pthread_mutex_lock(&worker->lock);
		worker->ending = true;
		pthread_cond_signal(&worker->changed);
		pthread_mutex_unlock(&worker->lock);
		pthread_join(worker->thread, NULL);
	}
	loop_soft_stop(worker->loop, &worker->look);
	loop_watch_free(worker->watch);
	if (worker->done_fd != -1)
		close(worker->done_fd);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

/* ---- the loop ---- */

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	event_config_require_features(config, EV_FEATURE_ET);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *
loop_new(struct fail *why)
{
	struct loop *loop = mem_zero(sizeof *loop);

	loop->timer_fd = -1;
	for (int i = 0; i < WHEEL; i++)
		loop->wheel[i] = (struct loop_timer){ .next = &loop->wheel[i],
			.prev = &loop->wheel[i], .due = INT64_MAX };
	loop->turned = loop_mono(loop) / LOOP_TICK;
	loop->wake_at = INT64_MAX;
	clock_start(&loop->clock, loop_mono(loop), read_clock(CLOCK_REALTIME));
	loop->base = new_base();
	if (loop->base == NULL) {
		fail_set(why, "no event loop to be had: %s", strerror(errno));
		goto fail;
	}
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd != -1)
		loop->wake = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST | EV_ET,
			run_due, loop);
	if (loop->wake == NULL || event_add(loop->wake, NULL) == -1) {
		fail_set(why, "no timer to be had: %s", strerror(errno));
		goto fail;
	}
	loop_timer_init(&loop->second, follow_clock, loop);
	loop_timer_in(loop, &loop->second, LOOP_S);
	return loop;
fail:
	loop_free(loop);
	return NULL;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (int i = 0; i < loop->signal_count; i++)
		event_free(loop->signals[i].event);
	if (loop->wake != NULL)
		event_free(loop->wake);
	if (loop->timer_fd != -1)
		close(loop->timer_fd);
	if (loop->base != NULL)
		event_base_free(loop->base);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

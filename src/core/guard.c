#include "core/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

#define DAY (86400 * LOOP_S)
#define YEAR (366 * DAY)
#define EARLIEST (INT64_C(1704067200) * LOOP_S) /* 2024: this program is younger */

struct guard {
	struct guard_options options;
	struct loop_timer timer; /* while waiting */
	bool waiting, held, told;
};

static int64_t
trust_of(const struct guard *guard)
{
	return guard->options.trust > 0 ? guard->options.trust : DAY;
}

/* As far as one can tell without having seen it go. */
static bool
is_likely(const struct guard *guard, int64_t real)
{
	int64_t newest = guard->options.newest;

	return real >= EARLIEST &&
		(newest == 0 || (real >= newest - trust_of(guard) && real <= newest + YEAR));
}

/* ---- what is told ---- */

static void
tell(struct guard *guard, const char *text)
{
	if (text == NULL && guard->told)
		log_info("clock: believed again");
	if (text != NULL)
		log_error("clock: %s", text);
	guard->told = text != NULL;
	guard->options.trouble(text, guard->options.arg);
}

static void
tell_waiting(struct guard *guard)
{
	char text[300], real[40], newest[40];
	int64_t end = guard->options.newest;

	snprintf(text, sizeof text, "it says %s%s%s: nothing is polled until it is right or confirmed "
		"(pollwerk clock confirm)",
		str_utc(real, sizeof real, loop_clock_real(guard->options.loop)),
		end != 0 ? ", the journal ends at " : "",
		end != 0 ? str_utc(newest, sizeof newest, end) : "");
	tell(guard, text);
}

static void
tell_held(struct guard *guard, int64_t delta)
{
	char text[300], span[40];

	snprintf(text, sizeof text, "it was set %s by %s: not believed, our own goes on until it is "
		"back%s", delta < 0 ? "back" : "forward",
		str_time_span(span, sizeof span, (delta < 0 ? -delta : delta) / LOOP_S * LOOP_S),
		delta < 0 ? "" : " or confirmed (pollwerk clock confirm)");
	tell(guard, text);
}

/* ---- while it runs ---- */

static void
on_step(int64_t delta, bool held, void *arg)
{
	struct guard *guard = arg;
	char span[40];

	if (guard->waiting)
		return;
	if (held) {
		guard->held = true;
		tell_held(guard, delta);
		return;
	}
	if (guard->held)
		tell(guard, NULL);
	guard->held = false;
	if (delta == 0)
		return;
	str_time_span(span, sizeof span, delta < 0 ? -delta : delta);
	log_warn("clock: set by %s%s: %s", delta < 0 ? "-" : "+", span,
		delta < 0 ? "running slower until it is met" : "slots in between are clock-step");
	guard->options.stepped(delta, guard->options.arg);
}

/* ---- the start ---- */

static void
begin_polling(struct guard *guard)
{
	struct loop *loop = guard->options.loop;
	int64_t real = loop_clock_real(loop);

	/* Nothing has a slot yet, so wall may jump; back it does not go. */
	if (real > loop_wall(loop))
		loop_clock_anchor(loop, real);
	guard->waiting = false;
	tell(guard, NULL);
	guard->options.begin(true, guard->options.arg);
}

static void
look_again(void *arg)
{
	struct guard *guard = arg;

	if (is_likely(guard, loop_clock_real(guard->options.loop)))
		begin_polling(guard);
	else
		loop_timer_in(guard->options.loop, &guard->timer, LOOP_S);
}

static void
judge_start(struct guard *guard)
{
	const struct guard_options *o = &guard->options;
	int64_t real = loop_clock_real(o->loop), apart = real - o->former;

	if (o->former != 0) {
		/* The rest is as if we had not been away. */
		if (real < EARLIEST || apart > trust_of(guard) || apart < -trust_of(guard))
			loop_clock_anchor(o->loop, o->former);
		return;
	}
	guard->waiting = !is_likely(guard, real);
	/* What is said meanwhile shall at least come after what was said before. */
	if (guard->waiting && o->newest != 0)
		loop_clock_anchor(o->loop, o->newest);
}

struct guard *
guard_new(const struct guard_options *options)
{
	struct guard *guard = mem_zero(sizeof *guard);

	guard->options = *options;
	loop_timer_init(&guard->timer, look_again, guard);
	loop_clock_trust(options->loop, trust_of(guard));
	judge_start(guard);
	loop_on_step(options->loop, on_step, guard);
	return guard;
}

void
guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	loop_on_step(guard->options.loop, NULL, NULL);
	loop_timer_stop(guard->options.loop, &guard->timer);
	free(guard);
}

void
guard_begin(struct guard *guard)
{
	if (!guard->waiting) {
		guard->options.trouble(NULL, guard->options.arg);
		guard->options.begin(false, guard->options.arg);
		return;
	}
	tell_waiting(guard);
	loop_timer_in(guard->options.loop, &guard->timer, LOOP_S);
}

/* ---- for those who know better ---- */

struct guard_view
guard_look(const struct guard *guard)
{
	struct loop *loop = guard->options.loop;

	return (struct guard_view){ .held = guard->held || guard->waiting,
		.waiting = guard->waiting, .wall = loop_wall(loop), .real = loop_clock_real(loop) };
}

static int
refuse(struct fail *why, int64_t real, int64_t stored)
{
	char a[40], b[40];

	fail_set(why, "the system's clock says %s, but slots are stored up to %s: set it right, or "
		"begin with another state_dir and rrd_dir", str_utc(a, sizeof a, real),
		str_utc(b, sizeof b, stored));
	return -1;
}

int
guard_confirm(struct guard *guard, struct fail *why)
{
	struct loop *loop = guard->options.loop;
	int64_t real = loop_clock_real(loop), newest = guard->options.newest;

	if (guard->waiting) {
		if (real < newest)
			return refuse(why, real, newest);
		loop_timer_stop(loop, &guard->timer);
		begin_polling(guard);
		return 0;
	}
	if (!guard->held)
		return 0;
	return loop_clock_confirm(loop) < 0 ? refuse(why, real, loop_wall(loop)) : 0;
}

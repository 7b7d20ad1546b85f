#include "store/watch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/health.h"

#define INTERVAL (2 * LOOP_S)
#define SILENCE (15 * LOOP_S)

struct watch {
	struct loop *loop;
	struct loop_timer timer;
	struct loop_worker *worker;
	char *run_dir;
	void (*told)(const char *why, void *arg);
	void *arg;
	int64_t time;  /* as the store gave it last */
	int64_t heard; /* mono ns when that changed */
	double lag;
	/* the worker's while it runs */
	struct store_health health;
	struct fail why;
	bool read;
};

static void
read_health(void *arg)
{
	struct watch *watch = arg;

	watch->read = store_health_read(watch->run_dir, &watch->health, &watch->why) == 0;
}

static void
judge(void *arg)
{
	struct watch *watch = arg;
	int64_t now = loop_mono(watch->loop);
	char text[600], span[32];

	/* Its own clock may be another one than ours: only that it moves counts. */
	if (watch->read && watch->health.time != watch->time) {
		watch->time = watch->health.time;
		watch->heard = now;
	}
	watch->lag = watch->read && now - watch->heard < SILENCE ? watch->health.lag : (double)NAN;
	if (now - watch->heard >= SILENCE) {
		snprintf(text, sizeof text, "says nothing for %s%s%s", str_time_span(span, sizeof span,
			(now - watch->heard) / LOOP_S * LOOP_S), watch->read ? "" : ": ",
			watch->read ? "" : watch->why.text);
		watch->told(text, watch->arg);
	} else if (watch->read) {
		watch->told(watch->health.degraded ? watch->health.reason : NULL, watch->arg);
	}
}

static void
look(void *arg)
{
	struct watch *watch = arg;

	loop_timer_in(watch->loop, &watch->timer, INTERVAL);
	loop_worker_kick(watch->worker);
}

struct watch *
watch_new(struct loop *loop, const char *run_dir, void (*told)(const char *, void *), void *arg,
	struct fail *why)
{
	struct watch *watch = mem_zero(sizeof *watch);

	watch->loop = loop;
	watch->run_dir = mem_text(run_dir);
	watch->told = told;
	watch->arg = arg;
	watch->heard = loop_mono(loop);
	watch->lag = (double)NAN;
	loop_timer_init(&watch->timer, look, watch);
	watch->worker = loop_worker_new(loop, read_health, judge, watch, why);
	if (watch->worker == NULL) {
		watch_free(watch);
		return NULL;
	}
	loop_timer_in(loop, &watch->timer, INTERVAL);
	return watch;
}

double
watch_lag(const struct watch *watch)
{
	return watch->lag;
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	loop_worker_free(watch->worker);
	loop_timer_stop(watch->loop, &watch->timer);
	free(watch->run_dir);
	free(watch);
}

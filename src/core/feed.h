/* feed.h - closed slots on their way to everybody who wants them: latest, journal, alarms,
 * paths. One of the five hooks that DESIGN allows; wired in poller_main.c, in that order. */
#ifndef PW_FEED_H
#define PW_FEED_H

#include "core/sample.h"

struct feed_listener {
	void (*sample)(void *arg, const struct sample *sample);
	/* What was read together; NULL: each is told as a sample of its own. */
	void (*batch)(void *arg, const struct sample_batch *batch);
	void (*run)(void *arg, const struct sample_run *run);
	/* All slots of one task are closed: what belongs together has been told. */
	void (*flush)(void *arg);
	/* Something will soon be told of these: has fetched what that takes (base/ahead.h), one
	 * pointer deeper at each step from 0 to FEED_STEPS - 1. Changes nothing. */
	void (*ahead)(const void *arg, uint32_t first, uint32_t count, unsigned step);
	void *arg;
};

#define FEED_LISTENERS 8
#define FEED_STEPS 3
struct feed {
	struct feed_listener listeners[FEED_LISTENERS];
	int count;
};

void feed_add(struct feed *feed, const struct feed_listener *listener); /* NULL members are skipped */
void feed_sample(const struct feed *feed, const struct sample *sample);
void feed_batch(const struct feed *feed, const struct sample_batch *batch);
void feed_run(const struct feed *feed, const struct sample_run *run);
void feed_flush(const struct feed *feed);
void feed_ahead(const struct feed *feed, uint32_t first, uint32_t count, unsigned step);
#endif

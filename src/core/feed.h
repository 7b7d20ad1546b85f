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
	void *arg;
};

#define FEED_LISTENERS 8
struct feed {
	struct feed_listener listeners[FEED_LISTENERS];
	int count;
};

void feed_add(struct feed *feed, const struct feed_listener *listener); /* NULL members are skipped */
void feed_sample(const struct feed *feed, const struct sample *sample);
void feed_batch(const struct feed *feed, const struct sample_batch *batch);
void feed_run(const struct feed *feed, const struct sample_run *run);
void feed_flush(const struct feed *feed);
#endif

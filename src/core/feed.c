#include "core/feed.h"

#include "base/log.h"

void
feed_add(struct feed *feed, const struct feed_listener *listener)
{
	if (feed->count == FEED_LISTENERS) {
		log_error("feed: more than %d listeners", FEED_LISTENERS);
		return;
	}
	feed->listeners[feed->count++] = *listener;
}

void
feed_sample(const struct feed *feed, const struct sample *sample)
{
	const struct feed_listener *end = feed->listeners + feed->count;

	for (const struct feed_listener *listener = feed->listeners; listener < end; listener++)
		if (listener->sample != NULL)
			listener->sample(listener->arg, sample);
}

static void
tell_each(const struct feed_listener *listener, const struct sample_batch *batch)
{
	struct sample sample;

	for (uint32_t i = 0; listener->sample != NULL && i < batch->count; i++) {
		sample_of_batch(batch, i, &sample);
		listener->sample(listener->arg, &sample);
	}
}

void
feed_batch(const struct feed *feed, const struct sample_batch *batch)
{
	const struct feed_listener *end = feed->listeners + feed->count;

	for (const struct feed_listener *listener = feed->listeners; listener < end; listener++)
		if (listener->batch != NULL)
			listener->batch(listener->arg, batch);
		else
			tell_each(listener, batch);
}

void
feed_run(const struct feed *feed, const struct sample_run *run)
{
	for (int i = 0; i < feed->count; i++)
		if (feed->listeners[i].run != NULL)
			feed->listeners[i].run(feed->listeners[i].arg, run);
}

void
feed_flush(const struct feed *feed)
{
	for (int i = 0; i < feed->count; i++)
		if (feed->listeners[i].flush != NULL)
			feed->listeners[i].flush(feed->listeners[i].arg);
}

void
feed_ahead(const struct feed *feed, uint32_t first, uint32_t count, unsigned step)
{
	for (int i = 0; i < feed->count; i++)
		if (feed->listeners[i].ahead != NULL)
			feed->listeners[i].ahead(feed->listeners[i].arg, first, count, step);
}

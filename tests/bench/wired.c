#include "wired.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "alarm/alarms.h"
#include "base/fail.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/frozen.h"
#include "core/latest.h"
#include "core/series.h"
#include "journal/slots.h"
#include "journal/writer.h"
#include "path/paths.h"

/* More than any benchmark writes. */
#define JOURNAL_SIZE (UINT64_C(16) << 30)

static struct {
	struct series_catalogue *catalogue;
	struct writer *writer;
	struct poller *poller; /* NULL until it has its devices */
	struct feed feed;
	uint64_t lost;
} wired;

static void
fail_if(bool failed, const struct fail *why)
{
	if (!failed)
		return;
	fprintf(stderr, "the poller does not start: %s\n", why->text);
	exit(1);
}

static uint64_t
put_record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	return writer_record(wired.writer, kind, body, size);
}

static const struct series *
show(void *arg, uint32_t id)
{
	(void)arg;
	return series_show(wired.catalogue, id);
}

static const struct series *
keep(void *arg, uint32_t id)
{
	(void)arg;
	return series_get(wired.catalogue, id);
}

static void
snapshot(struct writer *writer, void *arg)
{
	struct slots_bundle bundle = { .writer = writer };

	(void)arg;
	if (wired.poller != NULL)
		poller_next_slots(wired.poller, slots_put, &bundle);
	slots_flush(&bundle);
}

static int
sync_catalogue(void *arg, struct fail *why)
{
	(void)arg;
	return series_sync(wired.catalogue, why);
}

static void
refused(const char *why, void *arg)
{
	(void)arg;
	if (why != NULL)
		fprintf(stderr, "the journal: %s\n", why);
}

/* ---- what is lost ---- */

static void
count_sample(void *arg, const struct sample *sample)
{
	(void)arg;
	wired.lost += !reason_counts_as_good(sample->reason);
}

static void
count_batch(void *arg, const struct sample_batch *batch)
{
	(void)arg;
	if (!batch->good)
		wired.lost += batch->count;
}

static void
count_run(void *arg, const struct sample_run *run)
{
	(void)arg;
	wired.lost += (uint64_t)(run->last - run->first + 1);
}

uint64_t
wired_lost(void)
{
	return wired.lost;
}

/* ---- made ---- */

static void
open_data(struct loop *loop, const char *state_dir, const char *run_dir, struct latest **latest)
{
	struct writer_options to = { .state_dir = state_dir, .run_dir = run_dir };
	struct writer_events events = { .snapshot = snapshot, .before_write = sync_catalogue,
		.health = refused };
	struct fail why;

	*latest = latest_open_writer(run_dir, &why);
	fail_if(*latest == NULL, &why);
	wired.catalogue = series_open(state_dir, true, &why);
	fail_if(wired.catalogue == NULL, &why);
	writer_size(&to, JOURNAL_SIZE);
	wired.writer = writer_open(loop, &to, &events, 1, &why);
	fail_if(wired.writer == NULL, &why);
}

/* In the order of poller_main.c. */
static void
add_listeners(struct loop *loop, struct latest *latest, struct frozen *frozen,
	const struct inventory *inventory)
{
	struct paths_options paths = { loop, show, keep, NULL };
	struct alarms_options alarms = { .loop = loop, .record = put_record, .series = show,
		.keep = keep, .latest = latest, .frozen = frozen };
	struct alarms *watching = alarms_new(&alarms, inventory);
	struct feed_listener listeners[] = { latest_listener(latest),
		writer_listener(wired.writer), paths_listener(paths_new(&paths, inventory)),
		alarms_listener(watching),
		{ .sample = count_sample, .batch = count_batch, .run = count_run } };

	alarms_begin(watching);
	for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++)
		feed_add(&wired.feed, &listeners[i]);
}

struct poller *
wired_poller(struct loop *loop, const char *state_dir, const char *run_dir,
	struct inventory *inventory, const struct driver *driver, void *env)
{
	struct poller_parts parts = { .loop = loop, .feed = &wired.feed,
		.drivers = { { driver, env } }, .driver_count = 1 };
	struct poller *poller;

	open_data(loop, state_dir, run_dir, &parts.latest);
	parts.catalogue = wired.catalogue;
	parts.frozen = frozen_new(parts.latest);
	add_listeners(loop, parts.latest, parts.frozen, inventory);
	poller = poller_new(&parts);
	poller_configure(poller, inventory);
	wired.poller = poller;
	return poller;
}

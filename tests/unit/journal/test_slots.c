/* What the journal says of slots, written and read back through real segments. */
#include "../check.h"

#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/reader.h"
#include "journal/slots.h"
#include "journal/writer.h"

enum { SERIES = 5000 }; /* more than one record holds */

static struct loop *loop;
static struct series_catalogue *catalogue;
static struct writer *writer;
static struct slots slots;

static void
nothing(struct writer *to, void *arg)
{
	(void)to;
	(void)arg;
}

static void
ignore(uint64_t sequence, void *arg)
{
	(void)sequence;
	(void)arg;
}

static void
begin(void)
{
	static const struct writer_events events = { .snapshot = nothing, .committed = ignore };
	struct writer_options options = { .state_dir = scratch_make() };
	char path[32];
	struct series wanted = { .step = LOOP_S, .path = path, .unit = "", .file = "d/g.rrd",
		.ds = "p", .profile = "short" };

	loop = loop_new(NULL);
	catalogue = series_open(scratch, true, NULL);
	for (int i = 1; i <= SERIES; i++) {
		snprintf(path, sizeof path, "d/p%d", i);
		CHECK_INT(series_add(catalogue, &wanted, NULL)->id, i);
	}
	writer = writer_open(loop, &options, &events, 1, NULL);
	CHECK(writer != NULL);
}

/* Everything is written, and read again by one who knows nothing. */
static void
replay(void)
{
	struct reader *reader;
	struct record record;
	struct fail why;

	writer_close(writer);
	slots = (struct slots){ .catalogue = catalogue };
	reader = reader_open(scratch, NULL, &why);
	while (reader_next(reader, &record, &why) == 1)
		slots_replay(&slots, &record);
	reader_close(reader);
}

static void
end(void)
{
	slots_free(&slots);
	series_close(catalogue);
	loop_free(loop);
	scratch_remove();
}

static int64_t
next_of(uint32_t series)
{
	return series < slots.count ? slots.next[series] : 0;
}

static void
sample_and_run(uint32_t id, int64_t slot, int64_t first, int64_t last)
{
	struct feed_listener to = writer_listener(writer);
	struct sample sample = { .series = series_get(catalogue, id), .slot = slot,
		.reason = REASON_GOOD };
	struct sample_run run = { .series = series_get(catalogue, id), .first = first,
		.last = last, .reason = REASON_TIMEOUT };

	to.sample(to.arg, &sample);
	to.run(to.arg, &run);
	to.flush(to.arg);
}

static void
samples_and_runs_say_which_slot_comes_next(void)
{
	begin();
	sample_and_run(1, 100, 101, 120);
	sample_and_run(2, 70, 60, 65); /* the later one counts, in whatever order they came */
	replay();
	CHECK_INT(next_of(1), 121);
	CHECK_INT(next_of(2), 71);
	CHECK_INT(next_of(3), 0);
	end();
}

static void
a_snapshot_of_many_series_reads_back_whole(void)
{
	struct slots_bundle bundle = { 0 };

	begin();
	bundle.writer = writer;
	for (uint32_t id = 1; id <= SERIES; id++)
		slots_put(id, 1000 + id, &bundle);
	slots_flush(&bundle);
	replay();
	for (uint32_t id = 1; id <= SERIES; id++)
		CHECK_INT(next_of(id), 1000 + id);
	end();
}

static void
count(uint32_t series, int64_t next, void *arg)
{
	int *found = arg;

	CHECK_INT(series, 2);
	CHECK_INT(next, 71);
	++*found;
}

static void
an_ended_series_is_forgotten_until_it_comes_again(void)
{
	int found = 0;

	begin();
	sample_and_run(1, 100, 101, 120);
	sample_and_run(2, 70, 60, 65);
	slots_end(writer, 1);
	sample_and_run(3, 5, 6, 7);
	slots_end(writer, 3);
	replay();
	slots_each(&slots, count, &found);
	CHECK_INT(found, 1);
	end();
}

static void
what_the_catalogue_does_not_have_is_left_out(void)
{
	struct slots_bundle bundle = { 0 };

	begin();
	bundle.writer = writer;
	slots_put(4000000000u, 12, &bundle);
	slots_put(7, 12, &bundle);
	slots_flush(&bundle);
	replay();
	CHECK_INT(next_of(7), 12);
	CHECK(slots.count < 100000);
	end();
}

RUN_TESTS(TEST(samples_and_runs_say_which_slot_comes_next),
	TEST(a_snapshot_of_many_series_reads_back_whole),
	TEST(an_ended_series_is_forgotten_until_it_comes_again),
	TEST(what_the_catalogue_does_not_have_is_left_out))

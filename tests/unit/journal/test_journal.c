/* Writer and reader together, on virtual time, in a real folder. */
#include "../check.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "journal/reader.h"
#include "journal/writer.h"

static struct loop *loop;
static struct writer *writer;
static uint64_t committed;
static unsigned snapshots, complaints, recoveries;

static void
put_snapshot(struct writer *to, void *arg)
{
	(void)arg;
	snapshots++;
	writer_record(to, KIND_PATH_STATE, "facts", 5);
}

static void
note_committed(uint64_t sequence, void *arg)
{
	(void)arg;
	CHECK(sequence > committed);
	committed = sequence;
}

static void
note_health(const char *why, void *arg)
{
	(void)arg;
	if (why == NULL)
		recoveries++;
	else
		complaints++;
}

static const struct writer_events events = { .snapshot = put_snapshot,
	.committed = note_committed, .health = note_health };

static void
start_writer(size_t segment_size, uint64_t next)
{
	struct writer_options options = { .state_dir = scratch, .segment_size = segment_size,
		.memory_budget = 64 << 10 };
	struct fail why;

	writer = writer_open(loop, &options, &events, next, &why);
	CHECK(writer != NULL);
}

static void
begin(size_t segment_size)
{
	struct fail why;

	scratch_make();
	committed = 0;
	snapshots = complaints = recoveries = 0;
	loop = loop_new(&why);
	start_writer(segment_size, 1);
}

static void
end(void)
{
	loop_free(loop);
	scratch_remove();
}

/* Counts the records of a kind from the start of the journal; last sequence in *last. */
static unsigned
count_records(enum record_kind kind, uint64_t *last)
{
	struct reader *reader = reader_open(scratch, NULL, NULL);
	struct record record;
	unsigned found = 0;
	uint64_t before = 0;

	while (reader_next(reader, &record, NULL) == 1) {
		CHECK(record.sequence > before);
		before = record.sequence;
		found += record.kind == kind;
	}
	if (last != NULL)
		*last = before;
	reader_close(reader);
	return found;
}

static void
put_alarm(unsigned n)
{
	uint8_t body[64];

	memset(body, (int)n, sizeof body);
	CHECK(writer_record(writer, KIND_ALARM, body, sizeof body) > 0);
}

static char newest[512];

static const char *
newest_segment(void)
{
	uint64_t *numbers;
	size_t count = reader_segments(scratch, &numbers);

	CHECK(count > 0);
	snprintf(newest, sizeof newest, "%s/journal/%016llx.seg", scratch,
		(unsigned long long)numbers[count - 1]);
	free(numbers);
	return newest;
}

static void
nothing_is_committed_before_the_interval_and_everything_after_it(void)
{
	begin(0);
	put_alarm(1);
	loop_sim_for(loop, 90 * LOOP_MS);
	CHECK(committed == 0);
	loop_sim_for(loop, 20 * LOOP_MS);
	CHECK(committed == writer_last_sequence(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	CHECK(writer_close(writer));
	end();
}

static void
what_was_not_committed_dies_with_the_process_and_close_commits(void)
{
	begin(0);
	put_alarm(1);
	loop_sim_for(loop, 200 * LOOP_MS);
	put_alarm(2);
	writer_abandon(writer);
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	start_writer(0, 10);
	put_alarm(3);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), 2);
	end();
}

static void
samples_of_one_slot_share_a_frame_and_everything_of_them_comes_back(void)
{
	struct series series[3] = { { .id = 5, .step = LOOP_S }, { .id = 6, .step = LOOP_S },
		{ .id = 7, .step = 60 * LOOP_S } };
	struct sample sample = { .series = &series[0], .slot = 100, .received = 100 * LOOP_S,
		.reason = REASON_GOOD, .value = 1.5, .has_raw = true, .raw = 15 };
	struct sample_run run = { &series[2], 3, 9, 12345, REASON_TIMEOUT };
	struct feed_listener feed;
	struct record_samples walk;
	struct record_sample got;
	struct record_run got_run;
	struct reader *reader;
	struct record record;

	begin(0);
	feed = writer_listener(writer);
	feed.sample(feed.arg, &sample);
	sample.series = &series[1];
	sample.reason = REASON_TIMEOUT;
	sample.value = (double)NAN;
	sample.has_raw = false;
	sample.received += 2000000;
	feed.sample(feed.arg, &sample);
	feed.flush(feed.arg);
	feed.sample(feed.arg, &sample);
	feed.run(feed.arg, &run);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_SAMPLES, NULL), 2);
	reader = reader_open(scratch, NULL, NULL);
	while (reader_next(reader, &record, NULL) == 1 && record.kind != KIND_SAMPLES)
		;
	CHECK(record_samples_open(&record, &walk) == 0);
	CHECK(record_samples_next(&walk, &got));
	CHECK(got.series == 5 && got.value == 1.5 && got.raw == 15 && got.slot == 100);
	CHECK(record_samples_next(&walk, &got));
	CHECK(got.series == 6 && got.reason == REASON_TIMEOUT && !got.has_value);
	CHECK(got.received == 100 * LOOP_S + 2000000);
	CHECK(!record_samples_next(&walk, &got));
	CHECK(reader_next(reader, &record, NULL) == 1 && record.kind == KIND_SAMPLES);
	CHECK(reader_next(reader, &record, NULL) == 1);
	CHECK(record_run_read(&record, &got_run) == 0);
	CHECK(got_run.series == 7 && got_run.first == 3 && got_run.last == 9);
	reader_close(reader);
	end();
}

static void
a_torn_end_at_any_length_gives_the_whole_records_before_it(void)
{
	uint64_t last, all;
	struct stat info;
	off_t size;

	begin(0);
	put_alarm(1);
	put_alarm(2);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, &all), 2);
	CHECK(stat(newest_segment(), &info) == 0);
	for (size = info.st_size - 1; size >= 0; size--) {
		CHECK(truncate(newest, size) == 0);
		CHECK_INT(count_records(KIND_ALARM, &last), size >= info.st_size - 84);
		CHECK(last <= all);
	}
	end();
}

static void
a_damaged_frame_ends_its_segment_but_not_the_journal(void)
{
	struct stat info;
	uint8_t byte;
	int fd;

	begin(0);
	put_alarm(1);
	put_alarm(2);
	put_alarm(3);
	CHECK(writer_close(writer));
	fd = open(newest_segment(), O_RDWR);
	CHECK(fstat(fd, &info) == 0);
	CHECK(pread(fd, &byte, 1, info.st_size - 100) == 1);
	byte ^= 4;
	CHECK(pwrite(fd, &byte, 1, info.st_size - 100) == 1);
	close(fd);
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	start_writer(0, 20);
	put_alarm(4);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), 2);
	end();
}

static void
a_full_segment_is_followed_by_one_that_begins_with_a_snapshot(void)
{
	uint64_t *numbers;
	size_t count;

	begin(1000);
	for (unsigned i = 0; i < 50; i++) {
		put_alarm(i);
		loop_sim_for(loop, 200 * LOOP_MS);
	}
	CHECK(writer_close(writer));
	count = reader_segments(scratch, &numbers);
	CHECK(count > 3 && snapshots >= count);
	CHECK(reader_newest_snapshot(scratch, NULL) == numbers[count - 1]);
	CHECK_INT(count_records(KIND_ALARM, NULL), 50);
	CHECK_INT(count_records(KIND_SNAPSHOT_END, NULL), count);
	reader_drop_before(scratch, numbers[count - 1]);
	free(numbers);
	CHECK(reader_segments(scratch, &numbers) == 1);
	free(numbers);
	end();
}

static void
a_reader_follows_the_writer_record_by_record_over_segments(void)
{
	struct reader *reader;
	struct record record;
	unsigned seen = 0;

	begin(700);
	reader = reader_open(scratch, NULL, NULL);
	for (unsigned i = 0; i < 40; i++) {
		put_alarm(i);
		loop_sim_for(loop, 150 * LOOP_MS);
		while (reader_next(reader, &record, NULL) == 1)
			if (record.kind == KIND_ALARM)
				CHECK(record.body[0] == seen++);
		CHECK_INT(seen, i + 1);
	}
	reader_close(reader);
	CHECK(writer_close(writer));
	end();
}

static void
a_reader_goes_on_exactly_where_another_one_stopped(void)
{
	struct reader_position at = { 0, 0 };
	struct record record;
	unsigned seen = 0;

	begin(700);
	for (unsigned i = 0; i < 30; i++) {
		put_alarm(i);
		loop_sim_for(loop, 150 * LOOP_MS);
	}
	CHECK(writer_close(writer));
	for (;;) {
		struct reader *reader = reader_open(scratch, &at, NULL);
		int got = reader_next(reader, &record, NULL);

		if (got == 1 && record.kind == KIND_ALARM)
			CHECK(record.body[0] == seen++);
		at = reader_at(reader);
		reader_close(reader);
		if (got != 1)
			break;
	}
	CHECK_INT(seen, 30);
	end();
}

static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = size;
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void
a_disk_that_refuses_loses_nothing_inside_the_budget(void)
{
	uint64_t last;

	signal(SIGXFSZ, SIG_IGN);
	begin(0);
	put_alarm(0);
	loop_sim_for(loop, 200 * LOOP_MS);
	limit_files(500);
	for (unsigned i = 1; i < 20; i++) {
		put_alarm(i);
		loop_sim_for(loop, 300 * LOOP_MS);
	}
	CHECK_INT(complaints, 1);
	CHECK_INT(recoveries, 0);
	CHECK(committed < writer_last_sequence(writer));
	limit_files(RLIM_INFINITY);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(recoveries, 1);
	CHECK(committed == writer_last_sequence(writer));
	CHECK_INT(count_records(KIND_ALARM, &last), 20);
	CHECK(last == committed);
	CHECK(writer_close(writer));
	end();
}

static void
beyond_the_budget_records_are_refused_and_then_taken_again(void)
{
	static uint8_t body[4096];
	unsigned taken = 0;

	begin(0);
	loop_sim_for(loop, 200 * LOOP_MS);
	limit_files(200);
	while (taken < 1000 && writer_record(writer, KIND_ALARM, body, sizeof body) > 0)
		taken++;
	CHECK(taken >= 15 && taken <= 17);
	CHECK(writer_full(writer));
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(writer_record(writer, KIND_ALARM, body, 1) == 0);
	limit_files(RLIM_INFINITY);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(!writer_full(writer));
	CHECK(writer_record(writer, KIND_ALARM, body, 1) > 0);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), taken + 1);
	end();
}

static void
a_journal_that_does_not_exist_is_empty(void)
{
	struct record record;
	struct reader *reader;

	scratch_make();
	reader = reader_open(scratch, NULL, NULL);
	CHECK(reader_next(reader, &record, NULL) == 0);
	reader_close(reader);
	CHECK(reader_newest_snapshot(scratch, NULL) == 0);
	scratch_remove();
}

RUN_TESTS(TEST(nothing_is_committed_before_the_interval_and_everything_after_it),
	TEST(what_was_not_committed_dies_with_the_process_and_close_commits),
	TEST(samples_of_one_slot_share_a_frame_and_everything_of_them_comes_back),
	TEST(a_torn_end_at_any_length_gives_the_whole_records_before_it),
	TEST(a_damaged_frame_ends_its_segment_but_not_the_journal),
	TEST(a_full_segment_is_followed_by_one_that_begins_with_a_snapshot),
	TEST(a_reader_follows_the_writer_record_by_record_over_segments),
	TEST(a_reader_goes_on_exactly_where_another_one_stopped),
	TEST(a_disk_that_refuses_loses_nothing_inside_the_budget),
	TEST(beyond_the_budget_records_are_refused_and_then_taken_again),
	TEST(a_journal_that_does_not_exist_is_empty))

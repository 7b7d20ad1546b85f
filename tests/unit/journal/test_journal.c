/* Writer and reader together, on virtual time, in a real folder. */
#include "../check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "fake/shortage.h"
#include "journal/aside.h"
#include "journal/reader.h"
#include "journal/segment.h"
#include "journal/slots.h"
#include "journal/writer.h"

static struct loop *loop;
static struct writer *writer;
static uint64_t committed;
static unsigned snapshots, complaints, recoveries;

/* Of series 5 and 6: slots before that are closed. */
static bool slots_in_snapshot;
static int64_t next_slot;

static void
put_slots(struct writer *to)
{
	struct slots_bundle bundle = { .writer = to };

	slots_put(5, next_slot, &bundle);
	slots_put(6, next_slot, &bundle);
	slots_flush(&bundle);
}

static void
put_snapshot(struct writer *to, void *arg)
{
	(void)arg;
	snapshots++;
	if (slots_in_snapshot)
		put_slots(to);
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

static bool read_only;
static unsigned refusals; /* after so many it is no more; 0: it stays */

static int
refuse_when_read_only(void *arg, struct fail *why)
{
	bool refused = read_only;

	(void)arg;
	if (refused)
		fail_set(why, "Read-only file system");
	if (refused && refusals > 0 && --refusals == 0)
		read_only = false;
	return refused ? -1 : 0;
}

static uint32_t known;

static uint32_t
known_all_the_same(void *arg)
{
	(void)arg;
	return known;
}

static const struct writer_events events = { .snapshot = put_snapshot,
	.committed = note_committed, .health = note_health,
	.before_write = refuse_when_read_only, .known = known_all_the_same };

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
half_of_the_interval_is_for_gathering_and_the_other_half_for_the_sync(void)
{
	begin(0);
	put_alarm(1);
	loop_sim_for(loop, 40 * LOOP_MS);
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

/* The body of the first record of samples, in the heap. */
static uint8_t *
first_rows(size_t *size)
{
	struct reader *reader = reader_open(scratch, NULL, NULL);
	struct record record;
	uint8_t *body;

	while (reader_next(reader, &record, NULL) == 1 && record.kind != KIND_ROWS)
		;
	CHECK_INT(record.kind, KIND_ROWS);
	body = malloc(record.size);
	memcpy(body, record.body, *size = record.size);
	reader_close(reader);
	return body;
}

static void
neighbours_stand_in_one_row_whether_they_come_together_or_one_by_one(void)
{
	struct sample_item items[] = { { 1.5, 15, REASON_GOOD, true, false, POINT_COUNTER },
		{ 2.5, 25, REASON_GOOD, true, false, POINT_COUNTER },
		{ (double)NAN, 35, REASON_FIRST, true, false, POINT_COUNTER },
		{ (double)NAN, 45, REASON_FIRST, true, false, POINT_COUNTER },
		{ 5.5, 0, REASON_GOOD, false, false, POINT_GAUGE } };
	struct sample_batch batch = { .first = 5, .count = 5, .slot = 100, .step = LOOP_S,
		.received = 100 * LOOP_S, .items = items };
	uint8_t *together, *singly;
	size_t size, same;

	begin(0);
	writer_batch(writer, &batch);
	CHECK(writer_close(writer));
	together = first_rows(&size);
	/* three rows: of values and raws, of raws, of a value */
	CHECK_INT(size, 28 + (12 + 32) + (12 + 16) + (12 + 8));
	end();
	begin(0);
	for (uint32_t i = 0; i < 5; i++) {
		struct series series = { .id = 5 + i, .step = LOOP_S };
		struct sample sample = { .series = &series, .slot = 100,
			.received = 100 * LOOP_S, .reason = items[i].reason,
			.has_raw = items[i].has_raw, .value = items[i].value, .raw = items[i].raw };

		writer_sample(writer, &sample);
	}
	CHECK(writer_close(writer));
	singly = first_rows(&same);
	CHECK(same == size && memcmp(together, singly, size) == 0);
	free(together);
	free(singly);
	end();
}

static void
what_is_called_plain_stands_there_as_any_other(void)
{
	struct sample_item items[] = { { (double)NAN, 5, REASON_FIRST, true, false, POINT_COUNTER },
		{ 1.5, 15, REASON_GOOD, true, false, POINT_COUNTER },
		{ 2.5, 25, REASON_GOOD, true, false, POINT_GAUGE } };
	struct sample_batch first = { .first = 5, .count = 1, .slot = 100, .step = LOOP_S,
		.received = 100 * LOOP_S, .items = items }, rest = first;
	uint8_t *bodies[2];
	size_t sizes[2];

	rest.first = 6;
	rest.count = 2;
	rest.items = &items[1];
	for (int i = 0; i < 2; i++) {
		begin(0);
		rest.plain = i == 1;
		writer_batch(writer, &first);
		writer_batch(writer, &rest);
		CHECK(writer_close(writer));
		bodies[i] = first_rows(&sizes[i]);
		end();
	}
	CHECK_INT(sizes[0], 28 + (12 + 8) + (12 + 32));
	CHECK(sizes[1] == sizes[0] && memcmp(bodies[1], bodies[0], sizes[0]) == 0);
	free(bodies[0]);
	free(bodies[1]);
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
	CHECK_INT(count_records(KIND_ROWS, NULL), 2);
	reader = reader_open(scratch, NULL, NULL);
	while (reader_next(reader, &record, NULL) == 1 && record.kind != KIND_ROWS)
		;
	CHECK(record_samples_open(&record, &walk) == 0);
	CHECK(record_samples_next(&walk, &got));
	CHECK(got.series == 5 && got.value == 1.5 && got.raw == 15 && got.slot == 100);
	CHECK(record_samples_next(&walk, &got));
	CHECK(got.series == 6 && got.reason == REASON_TIMEOUT && !got.has_value);
	CHECK(got.received == 100 * LOOP_S + 2000000);
	CHECK(!record_samples_next(&walk, &got));
	CHECK(reader_next(reader, &record, NULL) == 1 && record.kind == KIND_ROWS);
	CHECK(reader_next(reader, &record, NULL) == 1);
	CHECK(record_run_read(&record, &got_run) == 0);
	CHECK(got_run.series == 7 && got_run.first == 3 && got_run.last == 9);
	reader_close(reader);
	end();
}

/* ---- rows of any kind ---- */

#define DRAWN 6000

static struct drawn {
	uint32_t series;
	uint8_t reason;
	bool has_raw;
	int64_t slot, received;
	double value;
	uint64_t raw;
} drawn[DRAWN];
static size_t drawn_count;
static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	return (dice_next(&seed) >> 20) % below;
}

static void
draw_item(struct sample_item *item)
{
	static const double values[] = { 0, -0.0, 1.5, 1e308, -5e-324, (double)INFINITY };

	if (draw(6) == 0)
		item->has_raw = !item->has_raw;
	if (draw(6) == 0)
		item->reason = draw(2) == 0 ? REASON_GOOD : REASON_TIMEOUT;
	item->raw = draw(UINT64_MAX);
	item->value = item->reason == REASON_GOOD && draw(20) > 0 ? values[draw(6)] : (double)NAN;
}

/* Neighbours, of which it takes a part as one batch and a part one by one. */
static void
put_drawn(uint32_t first, uint32_t count, int64_t slot, int64_t received)
{
	static struct sample_item items[SAMPLE_BATCH];
	struct sample_batch batch = { .first = first, .count = count, .slot = slot, .step = LOOP_S,
		.received = received, .items = items };

	for (uint32_t i = 0; i < count; i++) {
		struct series series = { .id = first + i, .step = LOOP_S };
		struct sample sample = { .series = &series, .slot = slot, .received = received };

		draw_item(&items[i]);
		sample.reason = items[i].reason;
		sample.value = items[i].value;
		sample.has_raw = items[i].has_raw;
		sample.raw = items[i].raw;
		drawn[drawn_count++] = (struct drawn){ first + i, sample.reason, sample.has_raw, slot,
			received, sample.value, sample.raw };
		if (slot % 3 == 0)
			CHECK(writer_sample(writer, &sample) > 0);
	}
	if (slot % 3 != 0)
		CHECK(writer_batch(writer, &batch) > 0);
}

static void
check_drawn(const struct record *record, size_t *at)
{
	struct record_samples walk;
	struct record_sample got;

	CHECK(record_samples_open(record, &walk) == 0);
	for (; record_samples_next(&walk, &got); ++*at) {
		const struct drawn *put = &drawn[*at];

		CHECK(*at < drawn_count && got.series == put->series && got.slot == put->slot);
		CHECK(got.reason == put->reason && got.has_raw == put->has_raw);
		CHECK(llabs(got.received - put->received) < 1000 && got.step == LOOP_S);
		CHECK(!got.has_raw || got.raw == put->raw);
		CHECK(got.has_value ? memcmp(&got.value, &put->value, sizeof got.value) == 0 :
			isnan(put->value));
	}
	CHECK(!walk.cursor.failed && walk.cursor.at == walk.cursor.end);
}

/* Rows of all lengths, torn apart by reasons, readings, times, ids, slots and commits. */
static void
any_samples_come_back_in_their_order_and_as_they_were_put(void)
{
	for (seed = 1; seed < 400; seed += 13) {
		uint64_t was = seed;
		struct reader *reader;
		struct record record;
		int64_t slot = 100, received = 100 * LOOP_S;
		uint32_t next = 1;
		size_t at = 0;

		drawn_count = 0;
		begin(draw(2) ? 0 : 20000);
		while (drawn_count + SAMPLE_BATCH < DRAWN / 4) {
			uint32_t count = 1 + (uint32_t)draw(draw(3) ? 4 : SAMPLE_BATCH);

			if (draw(5) == 0)
				next = draw(20) ? next + (uint32_t)draw(5) : UINT32_MAX - 1000;
			if (draw(8) == 0)
				slot += (int64_t)draw(3);
			if (draw(5) == 0)
				received += (int64_t)draw(draw(9) ? 5000 : 5000 * UINT64_C(1000000000)) - 1000;
			put_drawn(next, count, slot, received);
			next += count;
			if (draw(4) == 0)
				loop_sim_for(loop, 100 * LOOP_MS);
		}
		CHECK(writer_close(writer));
		reader = reader_open(scratch, NULL, NULL);
		while (reader_next(reader, &record, NULL) == 1)
			if (record_has_samples(&record))
				check_drawn(&record, &at);
		reader_close(reader);
		CHECK_INT(at, drawn_count);
		end();
		seed = was;
	}
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
a_disk_that_refuses_loses_nothing_inside_the_budget(void)
{
	uint64_t last;

	begin(0);
	put_alarm(0);
	loop_sim_for(loop, 200 * LOOP_MS);
	shortage_octets(500);
	for (unsigned i = 1; i < 20; i++) {
		put_alarm(i);
		loop_sim_for(loop, 300 * LOOP_MS);
	}
	CHECK_INT(complaints, 1);
	CHECK_INT(recoveries, 0);
	CHECK(committed < writer_last_sequence(writer));
	shortage_octets(SHORTAGE_NONE);
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
	shortage_octets(200);
	while (taken < 1000 && writer_record(writer, KIND_ALARM, body, sizeof body) > 0)
		taken++;
	/* an eighth more than samples may use */
	CHECK(taken >= 17 && taken <= 18);
	CHECK(writer_full(writer));
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(writer_record(writer, KIND_ALARM, body, 1) == 0);
	shortage_octets(SHORTAGE_NONE);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(!writer_full(writer));
	CHECK(writer_record(writer, KIND_ALARM, body, 1) > 0);
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), taken + 1);
	end();
}

/* ---- what the disk does not take ---- */

static unsigned aside_alarms;
static uint8_t aside_first, aside_last;

static void
note_aside(const struct record *record, void *arg)
{
	(void)arg;
	CHECK(record->kind == KIND_ALARM);
	if (aside_alarms++ == 0)
		aside_first = record->body[0];
	aside_last = record->body[0];
}

static uint64_t
read_aside(uint64_t after)
{
	aside_alarms = 0;
	CHECK(aside_read(scratch, NULL, &after, note_aside, NULL, NULL) == 0);
	return after;
}

static void
transitions_are_committed_while_the_disk_refuses_segments(void)
{
	struct series series = { .id = 5, .step = LOOP_S };
	struct sample sample = { .series = &series, .slot = 100, .received = 100 * LOOP_S };
	uint64_t last, safe;

	begin(0);
	put_alarm(1);
	loop_sim_for(loop, 200 * LOOP_MS);
	shortage_octets(1000); /* the segment is as good as full, what stands aside is not */
	for (; sample.slot < 150; sample.slot++)
		CHECK(writer_sample(writer, &sample) > 0);
	put_alarm(2);
	CHECK(writer_sample(writer, &sample) > 0);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_INT(complaints, 1);
	CHECK(committed > writer_committed(writer));
	put_alarm(3);
	safe = writer_last_sequence(writer);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK(committed == safe);
	/* killed: the transitions are there, and the next life counts on behind them */
	writer_abandon(writer);
	CHECK_INT(count_records(KIND_ALARM, &last), 1);
	CHECK(read_aside(last) == safe);
	CHECK(aside_alarms == 2 && aside_first == 2 && aside_last == 3);
	committed = 0;
	read_only = true;
	start_writer(0, safe + 1);
	put_alarm(4);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(committed == writer_last_sequence(writer));
	CHECK(read_aside(last) == committed && aside_alarms == 3);
	/* the disk takes again: the journal has everything of this life, nothing stands aside */
	shortage_octets(SHORTAGE_NONE);
	read_only = false;
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(writer_committed(writer) == writer_last_sequence(writer));
	CHECK(read_aside(0) == 0 && aside_alarms == 0);
	CHECK(writer_close(writer));
	end();
}

/* ---- entries that the catalogue cannot write ---- */

static void
begin_waiting(size_t segment_size)
{
	begin(segment_size);
	slots_in_snapshot = true;
	next_slot = 1;
	known = 5;
	put_alarm(1);
	loop_sim_for(loop, 200 * LOOP_MS);
	read_only = true;
}

static void
end_waiting(void)
{
	read_only = slots_in_snapshot = false;
	known = 0;
	end();
}

/* Series 5 has an entry on disk, 6 has not: a slot of both, for so long. */
static void
poll_both(int64_t slots)
{
	struct series series[2] = { { .id = 5, .step = LOOP_S }, { .id = 6, .step = LOOP_S } };

	for (int64_t end = next_slot + slots; next_slot < end; next_slot++) {
		int64_t slot = next_slot;
		struct sample sample = { .slot = slot, .received = slot * LOOP_S,
			.value = (double)slot, .raw = (uint64_t)slot, .has_raw = true };
		struct sample_run run = { &series[1], slot, slot, slot * LOOP_S, REASON_TIMEOUT };

		sample.series = &series[0];
		writer_sample(writer, &sample);
		sample.series = &series[1];
		if (slot % 10 == 0)
			writer_run(writer, &run);
		else
			writer_sample(writer, &sample);
		writer_flush(writer);
		loop_sim_for(loop, LOOP_S);
	}
}

/* What the journal has of both: in order, without a gap; the next slot of each. */
struct found {
	int64_t next[2], full[2];
	bool in_slots[2];
};

static void
note_slots(struct found *found, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };

	for (; cursor.at < cursor.end; record_get_u64(&cursor)) {
		found->in_slots[record_get_u32(&cursor) - 5] = true;
		record_get_u32(&cursor);
	}
}

static void
note_run(struct found *found, const struct record_run *run)
{
	int i = (int)run->series - 5;

	CHECK(run->first == found->next[i]);
	found->next[i] = run->last + 1;
	if (run->reason == REASON_STORE_FULL)
		found->full[i] += run->last - run->first + 1;
	else
		CHECK(run->reason == REASON_TIMEOUT && run->first % 10 == 0);
}

static struct found
find_both(void)
{
	struct reader_position from = { 0, 0 };
	struct reader *reader = reader_open(scratch, &from, NULL);
	struct found found = { { 1, 1 }, { 0, 0 }, { false, false } };
	struct record_samples walk;
	struct record_sample got;
	struct record_run run;
	struct record record;

	while (reader_next(reader, &record, NULL) == 1) {
		if (record_has_samples(&record) && record_samples_open(&record, &walk) == 0)
			while (record_samples_next(&walk, &got)) {
				CHECK(got.slot == found.next[got.series - 5]++);
				CHECK(got.raw == (uint64_t)got.slot && got.received == got.slot * LOOP_S);
				CHECK(got.value > (double)got.slot - .5 && got.value < (double)got.slot + .5);
			}
		if (record_run_read(&record, &run) == 0)
			note_run(&found, &run);
		if (record.kind == KIND_NEXT_SLOTS)
			note_slots(&found, &record);
	}
	reader_close(reader);
	return found;
}

static void
only_what_names_an_entry_that_is_not_on_disk_waits_for_it(void)
{
	struct found found;

	begin_waiting(0);
	poll_both(25);
	put_alarm(2);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK(committed == writer_last_sequence(writer));
	found = find_both();
	CHECK_INT(found.next[0], 26);
	CHECK_INT(found.next[1], 1);
	CHECK_INT(complaints, 1);
	CHECK_INT(recoveries, 0);
	read_only = false;
	loop_sim_for(loop, 2 * LOOP_S);
	poll_both(5);
	CHECK_INT(recoveries, 1);
	found = find_both();
	CHECK_INT(found.next[0], 31);
	CHECK_INT(found.next[1], 31);
	CHECK_INT(found.full[0] + found.full[1], 0);
	CHECK(writer_close(writer));
	end_waiting();
}

static void
what_waits_for_its_entry_is_asked_for_when_nothing_else_is_written(void)
{
	begin_waiting(0);
	poll_both(3);
	loop_sim_for(loop, 10 * LOOP_S);
	read_only = false;
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(find_both().next[1], 4);
	writer_abandon(writer);
	end_waiting();
}

/* Of two batches the one that is refused has shown nothing so far but that it is. */
static void
who_is_closed_writes_what_waits_if_the_catalogue_comes_back_meanwhile(void)
{
	for (unsigned looks = 1; looks <= 8; looks++) {
		struct found found;
		bool all;

		begin_waiting(0);
		known = 0;
		poll_both(3);
		known = 5;
		refusals = looks;
		all = writer_close(writer);
		found = find_both();
		CHECK_INT(found.next[0], 4);
		CHECK(all == (found.next[1] == 4));
		CHECK(all || looks > 3);
		refusals = 0;
		end_waiting();
	}
}

static void
a_snapshot_says_nothing_of_slots_that_wait(void)
{
	struct found found;

	begin_waiting(2000);
	poll_both(200);
	CHECK(snapshots > 3);
	writer_abandon(writer);
	found = find_both();
	CHECK(found.in_slots[0] && !found.in_slots[1]);
	CHECK_INT(found.next[0], 201);
	CHECK_INT(found.next[1], 1);
	end_waiting();
}

static void
a_row_that_names_both_is_divided(void)
{
	struct series entry = { .kind = POINT_GAUGE, .step = LOOP_S, .unit = "", .file = "a/f.rrd",
		.ds = "x", .profile = "short" };
	struct sample_item items[2];
	struct sample_batch batch = { .first = 5, .count = 2, .step = LOOP_S, .items = items };
	struct found found;
	char path[8];

	begin(0);
	batch.catalogue = series_open(scratch, true, NULL);
	for (int id = 1; id <= 6; id++) {
		snprintf(path, sizeof path, "a/%d", id);
		entry.path = path;
		CHECK(series_add(batch.catalogue, &entry, NULL) != NULL);
	}
	loop_sim_for(loop, 200 * LOOP_MS);
	read_only = true;
	known = 5;
	/* The first is in a batch when it is refused, the second comes later. */
	for (batch.slot = 1; batch.slot <= 2; batch.slot++) {
		items[0] = items[1] = (struct sample_item){ .value = (double)batch.slot,
			.raw = (uint64_t)batch.slot, .has_raw = true };
		batch.received = batch.slot * LOOP_S;
		writer_batch(writer, &batch);
		loop_sim_for(loop, 2 * LOOP_S);
		found = find_both();
		CHECK(found.next[0] == batch.slot + 1 && found.next[1] == 1);
	}
	read_only = false;
	CHECK(writer_close(writer));
	found = find_both();
	CHECK(found.next[0] == 3 && found.next[1] == 3);
	series_close(batch.catalogue);
	end_waiting();
}

static void
more_than_a_quarter_of_the_memory_is_not_held_back_and_the_rest_is_store_full(void)
{
	struct found found;
	int64_t slots = (64 << 10) / 4 / 40;

	begin_waiting(0);
	poll_both(slots);
	CHECK(!writer_full(writer));
	read_only = false;
	loop_sim_for(loop, 2 * LOOP_S);
	poll_both(10);
	found = find_both();
	CHECK(found.next[0] == slots + 11 && found.next[1] == slots + 11);
	CHECK(found.full[0] == 0 && found.full[1] > 10 && found.full[1] < slots / 2);
	CHECK_INT(writer_overflow(writer), found.full[1]);
	CHECK(writer_close(writer));
	end_waiting();
}

static void
what_neither_disk_nor_memory_holds_is_store_full_slot_for_slot(void)
{
	struct series series[2] = { { .id = 5, .step = LOOP_S }, { .id = 6, .step = LOOP_S } };
	struct sample sample = { .received = 100 * LOOP_S };
	struct sample_run lost = { &series[1], 90000, 90009, 12345, REASON_TIMEOUT };
	struct reader_position from = { 0, 0 };
	int64_t next[2] = { 1, 1 }, full = 0;
	uint64_t noted;
	struct reader *reader;
	struct record record;

	begin(20000);
	loop_sim_for(loop, 200 * LOOP_MS);
	shortage_octets(200);
	for (sample.slot = 1; sample.slot < 90000; sample.slot++)
		for (int i = 0; i < 2; i++) {
			sample.series = &series[i];
			writer_sample(writer, &sample);
		}
	CHECK(writer_run(writer, &lost) == 0);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(writer_full(writer) && writer_overflow(writer) > 100000);
	shortage_octets(SHORTAGE_NONE);
	loop_sim_for(loop, 3 * LOOP_S);
	CHECK(!writer_full(writer));
	sample.series = &series[0];
	CHECK(writer_sample(writer, &sample) > 0);
	noted = writer_overflow(writer);
	CHECK(writer_close(writer));
	reader = reader_open(scratch, &from, NULL);
	while (reader_next(reader, &record, NULL) == 1) {
		struct record_samples walk;
		struct record_sample got;
		struct record_run run;

		if (record_samples_open(&record, &walk) == 0)
			while (record_samples_next(&walk, &got))
				CHECK(got.slot == next[got.series - 5]++);
		if (record.kind != KIND_RUN)
			continue;
		CHECK(record_run_read(&record, &run) == 0 && run.reason == REASON_STORE_FULL);
		CHECK(run.first == next[run.series - 5]);
		next[run.series - 5] = run.last + 1;
		full += run.last - run.first + 1;
	}
	reader_close(reader);
	CHECK_INT(next[0], 90001);
	CHECK_INT(next[1], 90010);
	CHECK_INT((uint64_t)full, noted);
	end();
}

static void
a_journal_that_may_not_grow_is_like_a_full_disk_until_the_store_follows(void)
{
	struct writer_options budget = { .state_dir = scratch, .segment_size = 1000,
		.size_budget = 5000 };
	uint64_t *numbers;
	size_t count;

	begin(0);
	CHECK(writer_close(writer));
	writer = writer_open(loop, &budget, &events, 10, NULL);
	for (unsigned i = 0; i < 55; i++) {
		put_alarm(i);
		loop_sim_for(loop, 200 * LOOP_MS);
	}
	CHECK(complaints == 1 && recoveries == 0);
	count = reader_segments(scratch, &numbers);
	CHECK(count >= 3 && count <= 6);
	reader_drop_before(scratch, numbers[count - 1]);
	free(numbers);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK(recoveries == 1);
	CHECK(writer_committed(writer) == writer_last_sequence(writer));
	CHECK(writer_close(writer));
	end();
}

static void
a_new_segment_is_a_spare_and_spares_are_made_again(void)
{
	struct writer_options ahead = { .state_dir = scratch, .segment_size = 64 << 10,
		.reserve = 3 };
	struct stat before, after;
	bool used = false;
	char spare[512];
	ino_t ino;

	begin(0);
	CHECK(writer_close(writer));
	writer = writer_open(loop, &ahead, &events, 10, NULL);
	loop_sim_for(loop, LOOP_S);
	if (writer_reserved(writer) == 0) {
		print_message("this file system does not allocate ahead\n");
		CHECK(writer_close(writer));
		end();
		return;
	}
	CHECK_INT(writer_reserved(writer), 3 * (64 << 10));
	snprintf(spare, sizeof spare, "%s/journal/0.spare", scratch);
	CHECK(stat(spare, &before) == 0 && before.st_blocks * 512 >= 64 << 10);
	ino = before.st_ino;
	for (unsigned i = 0; i < 3000; i++) {
		put_alarm(i);
		if (i % 20 == 0)
			loop_sim_for(loop, 200 * LOOP_MS);
		CHECK(stat(newest_segment(), &after) == 0);
		used = used || after.st_ino == ino;
	}
	loop_sim_for(loop, LOOP_S);
	CHECK(used);
	CHECK_INT(writer_reserved(writer), 3 * (64 << 10));
	CHECK(writer_close(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), 3000);
	end();
}

/* Space that the segments take. */
static int64_t
allocated(void)
{
	int64_t blocks = 0;
	uint64_t *numbers;
	size_t count = reader_segments(scratch, &numbers);

	for (size_t i = 0; i < count; i++) {
		char path[512];
		struct stat info;

		snprintf(path, sizeof path, "%s/journal/%016llx.seg", scratch,
			(unsigned long long)numbers[i]);
		CHECK(stat(path, &info) == 0);
		blocks += info.st_blocks;
	}
	free(numbers);
	return blocks * 512;
}

static void
pollers_that_are_killed_again_and_again_do_not_fill_the_disk_with_nothing(void)
{
	struct writer_options ahead = { .state_dir = scratch, .segment_size = 1 << 20,
		.reserve = 1 };

	begin(0);
	for (int life = 0; life < 10; life++) {
		writer_abandon(writer);
		writer = writer_open(loop, &ahead, &events, 10 + 2 * (uint64_t)life, NULL);
		loop_sim_for(loop, LOOP_S);
	}
	CHECK(allocated() < 2 << 20);
	CHECK(writer_close(writer));
	end();
}

static const struct writer_options ready = { .state_dir = scratch, .segment_size = 64 << 10,
	.reserve = 2 };

/* False, and all is taken down: zeros make nothing ready on this file system. */
static bool
begin_ready(void)
{
	struct stat info;

	begin(0);
	CHECK(writer_close(writer));
	writer = writer_open(loop, &ready, &events, 10, NULL);
	loop_sim_for(loop, LOOP_S);
	if (stat(newest_segment(), &info) == 0 && info.st_size == 64 << 10)
		return true;
	print_message("this file system does not write in place\n");
	CHECK(writer_close(writer));
	end();
	return false;
}

static void
a_commit_changes_no_metadata_of_its_segment_and_closing_cuts_it_to_what_is_in_it(void)
{
	struct stat before, after;

	if (!begin_ready())
		return;
	CHECK(stat(newest_segment(), &before) == 0);
	put_alarm(1);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK(writer_committed(writer) == writer_last_sequence(writer));
	CHECK(stat(newest, &after) == 0 && after.st_ino == before.st_ino);
	CHECK(after.st_size == before.st_size && after.st_blocks == before.st_blocks);
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	CHECK(writer_close(writer));
	CHECK(stat(newest_segment(), &after) == 0 && after.st_ino == before.st_ino);
	CHECK(after.st_size > 84 && after.st_size < 1000);
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	end();
}

static void
a_reader_follows_over_segments_that_stood_ready(void)
{
	struct reader *reader;
	struct record record;
	unsigned seen = 0;

	if (!begin_ready())
		return;
	reader = reader_open(scratch, NULL, NULL);
	for (unsigned i = 0; i < 3000; i++) {
		put_alarm(i);
		if (i % 30 != 29)
			continue;
		loop_sim_for(loop, 150 * LOOP_MS);
		while (reader_next(reader, &record, NULL) == 1)
			if (record.kind == KIND_ALARM)
				CHECK(record.body[0] == (uint8_t)seen++);
		CHECK_INT(seen, i + 1);
	}
	reader_close(reader);
	CHECK(allocated() < 6 * (64 << 10));
	CHECK(writer_segment(writer) > 4);
	CHECK(writer_close(writer));
	end();
}

static bool
ready_beyond(uint64_t number)
{
	char path[512];

	snprintf(path, sizeof path, "%s/journal/%016llx.seg", scratch,
		(unsigned long long)(number + 1));
	return access(path, F_OK) == 0;
}

static void
a_reader_without_a_descriptor_does_not_leave_a_segment_that_grows(void)
{
	struct reader *reader;
	struct record record;
	unsigned seen = 0, refused = 0;
	struct fail why;
	int got;

	if (!begin_ready())
		return;
	reader = reader_open(scratch, NULL, NULL);
	for (unsigned i = 0; i < 3000; i++) {
		put_alarm(i);
		if (i % 30 != 29)
			continue;
		loop_sim_for(loop, 150 * LOOP_MS);
		shortage_descriptors(0);
		while ((got = reader_next(reader, &record, &why)) == 1)
			if (record.kind == KIND_ALARM)
				CHECK(record.body[0] == (uint8_t)seen++);
		shortage_descriptors(SHORTAGE_NONE);
		if (got == -1) {
			CHECK(strstr(why.text, "/journal: Too many open files") != NULL);
			refused++;
		}
		while (reader_next(reader, &record, NULL) == 1)
			if (record.kind == KIND_ALARM)
				CHECK(record.body[0] == (uint8_t)seen++);
		CHECK_INT(seen, i + 1);
	}
	CHECK(refused > 3);
	reader_close(reader);
	CHECK(writer_close(writer));
	end();
}

static void
a_folder_that_cannot_be_read_is_not_an_empty_journal(void)
{
	struct writer_options options = { .state_dir = scratch };
	struct reader *reader;
	uint64_t newest_aside = 0;
	struct record record;
	char path[512];
	struct fail why;

	scratch_make();
	loop = loop_new(&why);
	snprintf(path, sizeof path, "%s/journal", scratch);
	CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(writer_open(loop, &options, &events, 1, &why) == NULL);
	CHECK(strstr(why.text, "/journal: Not a directory") != NULL);
	reader = reader_open(scratch, NULL, NULL);
	CHECK(reader_next(reader, &record, &why) == -1);
	CHECK(strstr(why.text, "/journal: Not a directory") != NULL);
	CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
	shortage_descriptors(0);
	CHECK(aside_read(scratch, NULL, &newest_aside, note_aside, NULL, &why) == -1);
	CHECK(strstr(why.text, "/journal/transitions: Too many open files") != NULL);
	CHECK(reader_next(reader, &record, &why) == -1);
	shortage_descriptors(SHORTAGE_NONE);
	CHECK(strstr(why.text, "/journal: Too many open files") != NULL);
	CHECK(reader_next(reader, &record, &why) == 0);
	reader_close(reader);
	end();
}

/* The alarms that were committed have to be there, in order, whoever was killed. The newest. */
static uint32_t
check_alarms(uint32_t committed_ones)
{
	struct reader *reader = reader_open(scratch, NULL, NULL);
	struct record record;
	uint32_t number, seen = 0;

	while (reader_next(reader, &record, NULL) == 1) {
		if (record.kind != KIND_ALARM)
			continue;
		memcpy(&number, record.body, sizeof number);
		CHECK(number == seen || number == seen + 1);
		seen = number;
	}
	reader_close(reader);
	CHECK(seen >= committed_ones);
	return seen;
}

static void
let_descriptors_run_out(unsigned with)
{
	struct writer_options options = { .state_dir = scratch, .segment_size = 8 << 10,
		.reserve = 2, .look_interval = LOOP_S };
	uint32_t number = 0, safe = 0;
	uint64_t last;
	struct fail why;

	shortage_seed(with);
	begin(0);
	writer_abandon(writer);
	writer = writer_open(loop, &options, &events, 1, &why);
	/* How often they run out where it is seen is up to the dice. */
	for (int life = 0; life < 12 || complaints <= 3 || recoveries <= 3; life++) {
		CHECK(writer != NULL && life < 60);
		for (int i = 0; i < 40; i++) {
			shortage_opens(2 + (unsigned)life % 4);
			number++;
			CHECK(writer_record(writer, KIND_ALARM, &number, sizeof number) > 0);
			loop_sim_for(loop, 700 * LOOP_MS);
			if (writer_committed(writer) == writer_last_sequence(writer))
				safe = number;
			shortage_opens(0);
		}
		writer_abandon(writer);
		number = safe = check_alarms(safe);
		count_records(KIND_ALARM, &last);
		committed = last;
		writer = writer_open(loop, &options, &events, last + 1, &why);
	}
	CHECK(writer_close(writer));
	end();
}

static void
descriptors_that_run_out_at_any_moment_cost_no_committed_record(void)
{
	for (unsigned with = 1; with <= 20; with++)
		let_descriptors_run_out(with);
}

static void
a_number_that_only_stood_ready_is_not_used_by_the_next_poller(void)
{
	uint64_t before, *numbers;
	size_t count;

	if (!begin_ready())
		return;
	for (unsigned i = 0; i < 450; i++)
		put_alarm(i);
	loop_sim_for(loop, 200 * LOOP_MS);
	before = writer_segment(writer);
	CHECK(ready_beyond(before));
	count = reader_segments(scratch, &numbers);
	CHECK(numbers[count - 1] == before);
	free(numbers);
	writer_abandon(writer);
	writer = writer_open(loop, &ready, &events, 1000, NULL);
	put_alarm(2);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK_INT(writer_segment(writer), before + 2);
	CHECK_INT(count_records(KIND_ALARM, NULL), 451);
	before = writer_segment(writer);
	CHECK(writer_close(writer));
	CHECK(allocated() < 64 << 10);
	writer = writer_open(loop, &ready, &events, 2000, NULL);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK_INT(writer_segment(writer), before + 1);
	CHECK(writer_close(writer));
	end();
}

static void
a_number_that_stands_ready_alone_is_followed_at_once_however_high_it_is(void)
{
	char path[512], head[RECORD_SEGMENT_HEADER];
	FILE *file;

	begin(0);
	CHECK(writer_close(writer));
	CHECK(remove(newest_segment()) == 0);
	snprintf(path, sizeof path, "%s/journal/%016llx.seg", scratch, 1ULL << 40);
	segment_header((uint8_t *)head, UINT64_C(1) << 40, 0);
	file = fopen(path, "w");
	CHECK(file != NULL && fwrite(head, sizeof head, 1, file) == 1 && fclose(file) == 0);
	start_writer(0, 10);
	put_alarm(1);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK(committed == writer_last_sequence(writer));
	CHECK(writer_segment(writer) == (UINT64_C(1) << 40) + 1);
	CHECK_INT(count_records(KIND_ALARM, NULL), 1);
	CHECK(writer_close(writer));
	end();
}

static void
a_record_that_ends_in_zeros_survives_a_kill_and_the_trimming_after_it(void)
{
	static const uint8_t zeros[9000];
	struct record record;
	struct reader *reader;
	uint64_t last;
	bool found = false;

	if (!begin_ready())
		return;
	put_alarm(1);
	CHECK(writer_record(writer, KIND_PATH_STATE, zeros, sizeof zeros) > 0);
	loop_sim_for(loop, 200 * LOOP_MS);
	last = writer_last_sequence(writer);
	writer_abandon(writer);
	writer = writer_open(loop, &ready, &events, last + 1, NULL);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK(allocated() < 3 * (64 << 10));
	reader = reader_open(scratch, NULL, NULL);
	while (reader_next(reader, &record, NULL) == 1)
		found = found || (record.sequence == last && record.size == sizeof zeros);
	reader_close(reader);
	CHECK(found);
	CHECK(writer_close(writer));
	end();
}

/* ---- syncs that fail ---- */

static int failing;    /* inode of which the next syncs fail, so many: */
static int to_fail;
static size_t again;   /* octets that were written to that inode since the last one that failed */
static bool loses;     /* and with it the kernel forgets what it was about */

static bool
is_failing(int fd)
{
	struct stat info;

	return failing != 0 && fstat(fd, &info) == 0 && (int)info.st_ino == failing;
}

/* These two stand before the library's. One that failed has left the pages clean, as on Linux. */
int
fsync(int fd)
{
	struct stat info;

	if (!is_failing(fd) || to_fail == 0)
		return (int)syscall(SYS_fsync, fd);
	to_fail--;
	again = 0;
	CHECK(fstat(fd, &info) == 0);
	if (loses)
		CHECK(ftruncate(fd, 100) == 0 && ftruncate(fd, info.st_size) == 0);
	errno = EIO;
	return -1;
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	if (is_failing(fd))
		again += size;
	return syscall(SYS_pwrite64, fd, bytes, size, at);
}

/* A poller was killed; the next one finds a disk that does not sync what it left. */
static off_t
let_next_one_fail(int times, bool lost)
{
	struct stat info;

	begin(0);
	put_alarm(1);
	put_alarm(2);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK(stat(newest_segment(), &info) == 0);
	writer_abandon(writer);
	failing = (int)info.st_ino;
	to_fail = times;
	loses = lost;
	start_writer(0, committed + 1);
	put_alarm(3);
	loop_sim_for(loop, 200 * LOOP_MS);
	CHECK_INT(complaints, 1);
	return info.st_size;
}

static void
what_a_killed_poller_left_is_written_again_when_its_sync_fails(void)
{
	off_t size = let_next_one_fail(2, false);

	loop_sim_for(loop, 3 * LOOP_S);
	CHECK_INT(again, size);
	CHECK_INT(recoveries, 1);
	CHECK(committed == writer_last_sequence(writer));
	CHECK_INT(count_records(KIND_ALARM, NULL), 3);
	CHECK(writer_close(writer));
	failing = 0;
	end();
}

static void
nothing_counts_on_what_the_disk_lost_of_a_killed_poller(void)
{
	uint64_t before;

	let_next_one_fail(1, true);
	before = committed;
	loop_sim_for(loop, 5 * LOOP_S);
	CHECK_INT(recoveries, 0);
	CHECK(committed == before);
	writer_abandon(writer);
	failing = 0;
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

RUN_TESTS(TEST(half_of_the_interval_is_for_gathering_and_the_other_half_for_the_sync),
	TEST(what_was_not_committed_dies_with_the_process_and_close_commits),
	TEST(neighbours_stand_in_one_row_whether_they_come_together_or_one_by_one),
	TEST(what_is_called_plain_stands_there_as_any_other),
	TEST(any_samples_come_back_in_their_order_and_as_they_were_put),
	TEST(samples_of_one_slot_share_a_frame_and_everything_of_them_comes_back),
	TEST(a_torn_end_at_any_length_gives_the_whole_records_before_it),
	TEST(a_damaged_frame_ends_its_segment_but_not_the_journal),
	TEST(a_full_segment_is_followed_by_one_that_begins_with_a_snapshot),
	TEST(a_reader_follows_the_writer_record_by_record_over_segments),
	TEST(a_reader_goes_on_exactly_where_another_one_stopped),
	TEST(a_disk_that_refuses_loses_nothing_inside_the_budget),
	TEST(beyond_the_budget_records_are_refused_and_then_taken_again),
	TEST(transitions_are_committed_while_the_disk_refuses_segments),
	TEST(only_what_names_an_entry_that_is_not_on_disk_waits_for_it),
	TEST(what_waits_for_its_entry_is_asked_for_when_nothing_else_is_written),
	TEST(who_is_closed_writes_what_waits_if_the_catalogue_comes_back_meanwhile),
	TEST(a_snapshot_says_nothing_of_slots_that_wait),
	TEST(a_row_that_names_both_is_divided),
	TEST(more_than_a_quarter_of_the_memory_is_not_held_back_and_the_rest_is_store_full),
	TEST(what_neither_disk_nor_memory_holds_is_store_full_slot_for_slot),
	TEST(a_journal_that_may_not_grow_is_like_a_full_disk_until_the_store_follows),
	TEST(pollers_that_are_killed_again_and_again_do_not_fill_the_disk_with_nothing),
	TEST(a_new_segment_is_a_spare_and_spares_are_made_again),
	TEST(a_commit_changes_no_metadata_of_its_segment_and_closing_cuts_it_to_what_is_in_it),
	TEST(a_reader_follows_over_segments_that_stood_ready),
	TEST(a_reader_without_a_descriptor_does_not_leave_a_segment_that_grows),
	TEST(a_folder_that_cannot_be_read_is_not_an_empty_journal),
	TEST(descriptors_that_run_out_at_any_moment_cost_no_committed_record),
	TEST(a_number_that_only_stood_ready_is_not_used_by_the_next_poller),
	TEST(a_number_that_stands_ready_alone_is_followed_at_once_however_high_it_is),
	TEST(a_record_that_ends_in_zeros_survives_a_kill_and_the_trimming_after_it),
	TEST(what_a_killed_poller_left_is_written_again_when_its_sync_fails),
	TEST(nothing_counts_on_what_the_disk_lost_of_a_killed_poller),
	TEST(a_journal_that_does_not_exist_is_empty))

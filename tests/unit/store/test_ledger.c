/* The ledger against a plain array, with restarts at random. */
#include "../check.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "fake/loop_sim.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "journal/writer.h"
#include "store/checkpoint.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "store/runlog.h"

#define SERIES 5
#define SLOTS 4000
#define STEP (2 * LOOP_S)

static struct series series[SERIES + 1];
static uint8_t model[SERIES + 1][SLOTS];
static int64_t next[SERIES + 1];
static uint64_t seed;

static unsigned
random_below(unsigned limit)
{
	return dice_below(&seed, limit);
}

static uint8_t
random_reason(void)
{
	static const uint8_t reasons[] = { REASON_GOOD, REASON_GOOD, REASON_GOOD, REASON_GOOD,
		REASON_FIRST, REASON_DISCONTINUITY, REASON_TIMEOUT, REASON_POLLER_DOWN,
		REASON_EXCEPTION + 2 };

	return reasons[random_below(sizeof reasons)];
}

static void
close_some_slots(struct writer *writer)
{
	unsigned id = 1 + random_below(SERIES);
	unsigned count = 1 + random_below(20);
	uint8_t reason = random_reason();
	struct sample sample = { .series = &series[id], .reason = reason, .value = 1 };
	struct sample_run run = { &series[id], next[id], next[id] + count - 1, 0, reason };

	if (next[id] + count > SLOTS)
		return;
	memset(&model[id][next[id]], reason, count);
	if (!reason_counts_as_good(reason) && random_below(2) == 0) {
		writer_run(writer, &run);
		next[id] += count;
		return;
	}
	while (count-- > 0) {
		sample.slot = next[id]++;
		writer_sample(writer, &sample);
	}
}

/* A store as small as can be: ledger and checkpoint only. */
struct small {
	struct ledger *ledger;
	struct reader *reader;
};

static void
small_open(struct small *store)
{
	struct checkpoint checkpoint;

	CHECK(checkpoint_read(scratch, &checkpoint, NULL) >= 0);
	store->ledger = ledger_open(scratch, checkpoint.ledger_length, NULL);
	CHECK(store->ledger != NULL);
	for (size_t i = 0; i < checkpoint.open_count; i++)
		ledger_restore(store->ledger, &checkpoint.open[i]);
	store->reader = reader_open(scratch, &checkpoint.position, NULL);
	free(checkpoint.open);
}

static void
small_kill(struct small *store)
{
	ledger_close(store->ledger);
	reader_close(store->reader);
}

static void
small_read(struct small *store, unsigned records)
{
	struct record record;

	while (records-- > 0 && reader_next(store->reader, &record, NULL) == 1)
		CHECK(ledger_take(store->ledger, &record) == 0);
}

/* As the store does, just before its checkpoint: rows are given up. */
static void
small_amend(struct small *store)
{
	uint32_t id = 1 + random_below(SERIES);
	struct ledger_run open;
	int64_t first, last;

	if (!ledger_open_run(store->ledger, id, &open))
		return;
	first = random_below((unsigned)open.last + 1);
	last = first + random_below(40);
	last = last > open.last ? open.last : last;
	ledger_amend(store->ledger, id, REASON_STORE_FULL, first, last);
	memset(&model[id][first], REASON_STORE_FULL, (size_t)(last - first + 1));
}

/* back: the position may lag behind what the ledger has taken, as pending rows make it. */
static void
small_checkpoint(struct small *store, struct reader_position *back)
{
	struct checkpoint checkpoint = { .position = *back };
	struct ledger_run open[SERIES + 1];

	CHECK(ledger_sync(store->ledger, &checkpoint.ledger_length, NULL) == 0);
	checkpoint.open = open;
	for (uint32_t id = 1; id <= SERIES; id++)
		checkpoint.open_count += ledger_open_run(store->ledger, id, &open[checkpoint.open_count]);
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	*back = reader_at(store->reader);
}

struct fold {
	const uint8_t *model;
	int64_t next;
};

static void
compare_run(const struct ledger_span *span, void *arg)
{
	const struct ledger_run *run = &span->run;
	struct fold *fold = arg;

	CHECK(run->first == fold->next);
	for (int64_t slot = run->first; slot <= run->last; slot++)
		CHECK(fold->model[slot] == run->reason);
	fold->next = run->last + 1;
}

static void
compare_all(void)
{
	struct ledger_view *view = ledger_open_reader(scratch, NULL);

	CHECK(view != NULL && ledger_damaged(view) == 0);
	for (uint32_t id = 1; id <= SERIES; id++) {
		struct fold fold = { model[id], 0 };
		struct tally tally = { { 0 } };
		uint64_t good = 0;
		int64_t from = random_below(SLOTS), to = from + random_below(SLOTS);

		ledger_spans(view, &series[id], 0, SLOTS * STEP, compare_run, &fold);
		CHECK(fold.next == next[id]);
		ledger_tally(view, &series[id], from * STEP - 1, to * STEP, &tally);
		for (int64_t slot = from; slot < to && slot < next[id]; slot++)
			good += reason_counts_as_good(model[id][slot]);
		CHECK(tally_good(&tally) == good);
		CHECK(tally_expected(&tally) ==
			(uint64_t)(to < next[id] ? to - from : from < next[id] ? next[id] - from : 0));
	}
	ledger_close_reader(view);
}

/* As a restore does: numbers go on somewhere else, and nothing of the ledger changes. */
static void
raise_somewhere(uint64_t *raised)
{
	struct ledger_view *view = ledger_open_reader(scratch, NULL);

	*raised = ledger_newest(view) + 1 + random_below(1000);
	CHECK(runlog_raise(scratch, *raised, NULL) == 0);
	ledger_close_reader(view);
}

static void
check_newest(uint64_t raised)
{
	struct ledger_view *view = ledger_open_reader(scratch, NULL);

	CHECK(ledger_newest(view) >= raised);
	ledger_close_reader(view);
}

static void
play(uint64_t with)
{
	struct writer_options options = { .segment_size = 6000 };
	struct writer_events events = { 0 };
	struct reader_position back = { 0, 0 };
	struct loop *loop = loop_new(NULL);
	struct writer *writer;
	struct small store;
	uint64_t raised = 0;

	seed = with;
	memset(next, 0, sizeof next);
	scratch_make();
	options.state_dir = scratch;
	writer = writer_open(loop, &options, &events, 1, NULL);
	small_open(&store);
	for (int turn = 0; turn < 600; turn++) {
		close_some_slots(writer);
		if (random_below(3) == 0)
			loop_sim_for(loop, 250 * LOOP_MS);
		small_read(&store, random_below(6));
		if (random_below(12) == 0) {
			small_amend(&store);
			small_checkpoint(&store, &back);
		}
		if (random_below(15) == 0) {
			small_kill(&store);
			if (raised == 0 && turn > 300)
				raise_somewhere(&raised);
			small_open(&store);
			back = reader_at(store.reader);
		}
		if (turn % 100 == 99) {
			writer_flush(writer);
			loop_sim_for(loop, 250 * LOOP_MS);
			compare_all();
		}
	}
	small_read(&store, 1000);
	small_checkpoint(&store, &back);
	small_kill(&store);
	CHECK(raised > 0);
	check_newest(raised);
	CHECK(writer_close(writer));
	compare_all();
	loop_free(loop);
	scratch_remove();
}

static void
play_many(void)
{
	for (uint64_t with = 1; with <= 12; with++) {
		print_message("seed %llu\n", (unsigned long long)with);
		play(with);
	}
}

static void
runs_of_one_reason_are_one_run_and_duplicates_change_nothing(void)
{
	struct ledger_run open;
	struct ledger *ledger;
	uint64_t length;

	scratch_make();
	ledger = ledger_open(scratch, 0, NULL);
	for (int64_t slot = 10; slot < 1000; slot++)
		ledger_add(ledger, 7, REASON_GOOD, slot, slot);
	ledger_add(ledger, 7, REASON_TIMEOUT, 5, 999);
	CHECK(ledger_open_run(ledger, 7, &open) && open.first == 10 && open.last == 999);
	CHECK(ledger_sync(ledger, &length, NULL) == 0 && length == 0);
	ledger_add(ledger, 7, REASON_TIMEOUT, 990, 1005);
	CHECK(ledger_open_run(ledger, 7, &open) && open.first == 1000);
	CHECK(ledger_sync(ledger, &length, NULL) == 0 && length == LEDGER_RUN_SIZE);
	ledger_close(ledger);
	scratch_remove();
}

static void
first_and_discontinuity_stay_apart_from_good(void)
{
	struct ledger_view *view;
	struct ledger *ledger;
	struct checkpoint checkpoint = { .open_count = 1 };
	struct tally tally = { { 0 } };
	struct ledger_run open;

	scratch_make();
	series[1] = (struct series){ .id = 1, .step = STEP };
	ledger = ledger_open(scratch, 0, NULL);
	ledger_add(ledger, 1, REASON_FIRST, 1, 1);
	ledger_add(ledger, 1, REASON_GOOD, 2, 9);
	ledger_add(ledger, 1, REASON_DISCONTINUITY, 10, 10);
	ledger_add(ledger, 1, REASON_AUTH, 11, 12);
	CHECK(ledger_sync(ledger, &checkpoint.ledger_length, NULL) == 0);
	CHECK(ledger_open_run(ledger, 1, &open));
	checkpoint.open = &open;
	ledger_close(ledger);
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	view = ledger_open_reader(scratch, NULL);
	ledger_tally(view, &series[1], 0, 100 * STEP, &tally);
	CHECK_INT(tally.count[REASON_FIRST], 1);
	CHECK_INT(tally.count[REASON_GOOD], 8);
	CHECK_INT(tally.count[REASON_DISCONTINUITY], 1);
	CHECK_INT(tally.count[REASON_AUTH], 2);
	CHECK_INT(tally_expected(&tally), 12);
	ledger_close_reader(view);
	scratch_remove();
}

static void
put_file(const char *name, const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(scratch_path(name), "w");

	CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void
a_file_of_runs_that_the_power_left_without_its_head_goes(void)
{
	struct runlog_file *files;
	uint64_t damaged = 0, length;
	struct ledger *ledger;

	scratch_make();
	ledger = ledger_open(scratch, 0, NULL);
	ledger_add(ledger, 1, REASON_GOOD, 1, 9);
	ledger_add(ledger, 1, REASON_TIMEOUT, 10, 10);
	CHECK(ledger_sync(ledger, &length, NULL) == 0 && length == LEDGER_RUN_SIZE);
	ledger_close(ledger);
	put_file("ledger/runs-0000000000000002", (const uint8_t *)"PWRUNS02", 8);
	ledger = ledger_open(scratch, length, NULL);
	CHECK(ledger != NULL);
	ledger_close(ledger);
	CHECK(runlog_list(scratch, &files, &damaged) == 1 && damaged == 0);
	free(files);
	/* What a checkpoint knew cannot have been without a head: that is damage. */
	put_file("ledger/runs-0000000000000001", (const uint8_t *)"", 0);
	ledger = ledger_open(scratch, length, NULL);
	ledger_close(ledger);
	CHECK(runlog_list(scratch, &files, &damaged) == 0 && damaged == 1);
	free(files);
	scratch_remove();
}

static void
open_runs_of_many_points_alike_take_little_room_and_come_back(void)
{
	static struct ledger_run open[5000];
	struct checkpoint checkpoint = { .generation = 3, .open = open }, back;
	struct fail why;
	struct stat info;
	uint32_t id = 0;

	scratch_make();
	for (size_t i = 0; i < 5000; i++) {
		id += i % 1000 == 999 ? 17 : 1;
		open[i] = (struct ledger_run){ id, i % 700 == 5 ? REASON_TIMEOUT : REASON_GOOD,
			29000000, i == 4321 ? INT64_MIN : 29000000 + (int64_t)i / 500 };
	}
	open[4999] = (struct ledger_run){ UINT32_MAX - 1, REASON_GOOD, INT64_MAX, INT64_MIN };
	checkpoint.open_count = 5000;
	CHECK(checkpoint_write(scratch, &checkpoint, &why) == 0);
	CHECK(stat(scratch_path("checkpoint"), &info) == 0 && info.st_size < 600);
	CHECK(checkpoint_read(scratch, &back, &why) == 1 && back.open_count == 5000);
	for (size_t i = 0; i < 5000; i++)
		CHECK(back.open[i].series == open[i].series && back.open[i].reason == open[i].reason &&
			back.open[i].first == open[i].first && back.open[i].last == open[i].last);
	free(back.open);
	scratch_remove();
}

static void
a_checkpoint_of_the_former_form_is_read(void)
{
	struct ledger_run open = { 3, REASON_GOOD, 5, 9 };
	struct record_buffer file = { 0 };
	struct checkpoint back;
	uint8_t run[LEDGER_RUN_SIZE];
	struct fail why;

	scratch_make();
	record_put(&file, "PWCKPT01", 8);
	for (uint64_t number = 1; number <= 4; number++)
		record_put_u64(&file, number);
	record_put_u32(&file, 1);
	ledger_run_put(run, &open);
	record_put(&file, run, sizeof run);
	record_put_u32(&file, str_crc32c(0, file.bytes, file.used));
	put_file("checkpoint", file.bytes, file.used);
	CHECK(checkpoint_read(scratch, &back, &why) == 1);
	CHECK(back.generation == 1 && back.position.segment == 2 && back.position.offset == 3 &&
		back.ledger_length == 4 && back.open_count == 1 && back.open[0].series == 3 &&
		back.open[0].last == 9);
	free(back.open);
	record_buffer_free(&file);
	scratch_remove();
}

static void
a_damaged_checkpoint_is_noticed_and_no_byte_of_it_believed(void)
{
	struct ledger_run open = { 3, REASON_GOOD, 5, 9 };
	struct checkpoint checkpoint = { .generation = 9, .position = { 4, 77 }, .open = &open,
		.open_count = 1 }, back;
	struct fail why;
	FILE *file;

	scratch_make();
	CHECK(checkpoint_read(scratch, &back, &why) == 0);
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	CHECK(checkpoint_read(scratch, &back, &why) == 1);
	CHECK(back.generation == 9 && back.position.segment == 4 && back.open_count == 1 && back.open[0].last == 9);
	free(back.open);
	for (long at = 0; at < 44 + 5 + 4; at++) {
		int byte;

		file = fopen(scratch_path("checkpoint"), "r+");
		fseek(file, at, SEEK_SET);
		byte = fgetc(file);
		fseek(file, at, SEEK_SET);
		fputc(byte ^ 1, file);
		fclose(file);
		CHECK(checkpoint_read(scratch, &back, &why) == -1 && back.open == NULL);
		file = fopen(scratch_path("checkpoint"), "r+");
		fseek(file, at, SEEK_SET);
		fputc(byte, file);
		fclose(file);
	}
	scratch_remove();
}

static void
prepare(void)
{
	for (uint32_t id = 1; id <= SERIES; id++)
		series[id] = (struct series){ .id = id, .step = STEP };
}

static void
every_slot_is_counted_once_whatever_restarts_come_between(void)
{
	prepare();
	play_many();
}

RUN_TESTS(TEST(every_slot_is_counted_once_whatever_restarts_come_between),
	TEST(runs_of_one_reason_are_one_run_and_duplicates_change_nothing),
	TEST(first_and_discontinuity_stay_apart_from_good),
	TEST(a_file_of_runs_that_the_power_left_without_its_head_goes),
	TEST(open_runs_of_many_points_alike_take_little_room_and_come_back),
	TEST(a_checkpoint_of_the_former_form_is_read),
	TEST(a_damaged_checkpoint_is_noticed_and_no_byte_of_it_believed))

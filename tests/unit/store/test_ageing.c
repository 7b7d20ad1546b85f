/* The ledger as it gets older, against a plain array: folding, expiry, ranges, sequences,
 * kills between any two steps and at any instant. */
#include "../check.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "fake/shortage.h"
#include "store/ageing.h"
#include "store/archive.h"
#include "store/checkpoint.h"
#include "store/fold.h"
#include "store/ledger.h"
#include "store/ledger_view.h"

enum { SERIES = 6, SLOTS = 70 * 96 };
#define BEGIN (INT64_C(1767225600) * LOOP_S) /* 2026-01-01 */
#define HOUR (3600 * LOOP_S)
#define OPEN 0xff

/* 15 and 10 minutes, an hour, one that divides no hour, a day, 20 minutes */
static const int64_t steps[SERIES + 1] = { 0, 900, 600, 3600, 700, 86400, 1200 };
static const struct series *series[SERIES + 1];
static struct series_catalogue *catalogue;
static uint8_t model[SERIES + 1][SLOTS];
static int64_t base[SERIES + 1], next[SERIES + 1]; /* slot of model[0]; the next to close */
static struct ledger *ledger;
static int64_t mono, wall;
static uint64_t seed;
static const char *second_profile = "short"; /* of series 2 */

static unsigned
random_below(unsigned limit)
{
	return dice_below(&seed, limit);
}

static unsigned scarcity; /* one open of so many fails; 0: none does */

static void
open_ledger(void)
{
	struct checkpoint checkpoint;

	CHECK(checkpoint_read(scratch, &checkpoint, NULL) >= 0);
	shortage_opens(scarcity);
	ledger = ledger_open(scratch, checkpoint.ledger_length, NULL);
	shortage_opens(0);
	if (ledger == NULL && scarcity > 0)
		ledger = ledger_open(scratch, checkpoint.ledger_length, NULL);
	CHECK(ledger != NULL);
	for (size_t i = 0; i < checkpoint.open_count; i++)
		ledger_restore(ledger, &checkpoint.open[i]);
	free(checkpoint.open);
}

static void
make_checkpoint(void)
{
	struct ledger_run open[SERIES];
	struct checkpoint checkpoint = { .open = open };

	CHECK(ledger_sync(ledger, &checkpoint.ledger_length, NULL) == 0);
	for (uint32_t id = 1; id <= SERIES; id++)
		checkpoint.open_count += ledger_open_run(ledger, id, &open[checkpoint.open_count]);
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	ledger_checkpointed(ledger, checkpoint.ledger_length);
}

static void
begin(uint64_t with)
{
	static const char *const profiles[] = { "", "short", "short", "long", "short", "short",
		"short" };

	seed = with;
	shortage_seed((unsigned)with);
	scratch_make();
	wall = BEGIN;
	mono = LOOP_S;
	catalogue = series_open(scratch, true, NULL);
	for (uint32_t id = 1; id <= SERIES; id++) {
		char path[20];
		struct series wanted = { .kind = POINT_GAUGE, .step = steps[id] * LOOP_S,
			.path = path, .unit = "", .file = "f.rrd", .ds = "x",
			.profile = id == 2 ? second_profile : profiles[id] };

		snprintf(path, sizeof path, "d/p%u", id);
		series[id] = series_add(catalogue, &wanted, NULL);
		CHECK(series[id] != NULL && series[id]->id == id);
		base[id] = next[id] = fold_slot_from(BEGIN, series[id]->step);
	}
	memset(model, OPEN, sizeof model);
	open_ledger();
}

static void
end(void)
{
	ledger_close(ledger);
	series_close(catalogue);
	scratch_remove();
}

/* All slots up to now are closed, in runs at random; now and then there is a hole. */
static void
close_slots(void)
{
	static const uint8_t reasons[] = { REASON_GOOD, REASON_TIMEOUT, REASON_POLLER_DOWN,
		REASON_EXCEPTION + 2, REASON_FIRST };

	for (uint32_t id = 1; id <= SERIES; id++) {
		int64_t limit = wall / series[id]->step;

		while (next[id] < limit && next[id] - base[id] < SLOTS) {
			int64_t count = 1 + random_below(random_below(3) == 0 ? 300 : 4);
			uint8_t reason = reasons[random_below(sizeof reasons)];

			if (count > limit - next[id])
				count = limit - next[id];
			if (count > SLOTS - (next[id] - base[id]))
				count = SLOTS - (next[id] - base[id]);
			if (random_below(50) != 0) {
				ledger_add(ledger, id, reason, next[id], next[id] + count - 1);
				memset(&model[id][next[id] - base[id]], reason, (size_t)count);
			}
			next[id] += count;
		}
	}
}

static void
age(unsigned steps_at_most)
{
	shortage_opens(scarcity);
	while (steps_at_most-- > 0 && ledger_age(ledger, catalogue, mono, wall))
		mono += LOOP_S;
	shortage_opens(0);
}

/* Files begin at what is still there. */
static void
compare_range(struct ledger_view *view, uint32_t id, int64_t from, int64_t to)
{
	struct tally is = { { 0 } }, wanted = { { 0 } };
	int64_t step = series[id]->step;

	ledger_tally(view, series[id], from, to, &is);
	for (int64_t slot = fold_slot_from(from, step); slot * step < to; slot++)
		if (slot >= base[id] && slot - base[id] < SLOTS && model[id][slot - base[id]] != OPEN)
			tally_add(&wanted, model[id][slot - base[id]], 1);
	for (int reason = 0; reason < 256; reason++)
		if (is.count[reason] != wanted.count[reason])
			print_error("seed %llu: series %u, hours %lld..%lld: %s %llu, wanted %llu\n",
				(unsigned long long)seed, id, (long long)(from / HOUR),
				(long long)(to / HOUR), reason_word((uint8_t)reason),
				(unsigned long long)is.count[reason],
				(unsigned long long)wanted.count[reason]);
	CHECK(memcmp(&is, &wanted, sizeof is) == 0);
}

static void
compare_all(void)
{
	struct ledger_view *view = ledger_open_reader(scratch, NULL);
	int64_t hours = (wall - BEGIN) / HOUR + 1;

	CHECK(view != NULL);
	for (uint32_t id = 1; id <= SERIES; id++) {
		compare_range(view, id, 0, INT64_MAX / 4);
		for (int i = 0; i < 12; i++) {
			int64_t from = BEGIN + (int64_t)random_below((unsigned)hours) * HOUR;

			compare_range(view, id, from,
				from + (1 + (int64_t)random_below(100)) * HOUR);
		}
		/* What is younger than 35 days is exact to the slot. */
		for (int i = 0; i < 12; i++) {
			int64_t from = wall - (int64_t)random_below(34 * 86400) * LOOP_S;

			compare_range(view, id, from, from + (int64_t)random_below(7200) * LOOP_S);
		}
	}
	CHECK_INT(ledger_damaged(view), 0);
	ledger_close_reader(view);
}

/* What follows the checkpoint is told again, as the journal would. */
static void
kill_and_restart(void)
{
	ledger_close(ledger);
	open_ledger();
	for (uint32_t id = 1; id <= SERIES; id++)
		for (int64_t slot = base[id]; slot < next[id]; slot++)
			if (model[id][slot - base[id]] != OPEN)
				ledger_add(ledger, id, model[id][slot - base[id]], slot, slot);
}

static void
live(uint64_t with)
{
	begin(with);
	for (int turn = 0; turn < 60 * 4; turn++) {
		uint64_t length;

		wall += 6 * HOUR;
		mono += 6 * HOUR;
		close_slots();
		if (random_below(3) == 0)
			CHECK(ledger_sync(ledger, &length, NULL) == 0);
		if (random_below(6) == 0)
			kill_and_restart();
		if (random_below(2) == 0)
			make_checkpoint();
		age(random_below(12));
		if (random_below(10) == 0)
			kill_and_restart();
		if (turn % 40 == 39) {
			make_checkpoint();
			compare_all();
		}
	}
	make_checkpoint();
	age(100000);
	compare_all();
	end();
}

static void
sums_stay_exact_while_a_ledger_ages_and_its_store_dies(void)
{
	for (uint64_t with = 1; with <= 8; with++)
		live(with);
}

static void
descriptors_that_run_out_while_it_ages_cost_it_nothing(void)
{
	log_open(LOG_TARGET_NONE, "");
	scarcity = 6;
	for (uint64_t with = 1; with <= 8; with++)
		live(with);
	scarcity = 0;
}

static void
it_was_folded(const struct ledger_span *span, void *arg)
{
	*(uint64_t *)arg += span->folded ? span->n : 0;
	CHECK(!span->folded || (span->n > 0 && span->sequence == 0 && span->final &&
		span->n <= (uint64_t)(span->run.last - span->run.first + 1)));
}

/* How many closed slots of old hours are in sums. */
static uint64_t
fold_50_days(uint64_t with)
{
	uint64_t old = 0, young = 0, of_single_slots = 0;
	struct ledger_view *view;

	begin(with);
	for (int day = 0; day < 50; day++) {
		wall += AGEING_DAY;
		mono += AGEING_DAY;
		close_slots();
		make_checkpoint();
		age(1000);
	}
	view = ledger_open_reader(scratch, NULL);
	ledger_spans(view, series[2], 0, wall - 37 * AGEING_DAY, it_was_folded, &old);
	ledger_spans(view, series[2], wall - 35 * AGEING_DAY, wall, it_was_folded, &young);
	CHECK(young == 0);
	/* an hour of one slot is one run */
	ledger_spans(view, series[3], 0, wall, it_was_folded, &of_single_slots);
	CHECK(of_single_slots == 0);
	ledger_close_reader(view);
	end();
	return old;
}

/* An hour of one reason alone stays a run: how many have more is up to the dice. */
static void
old_hours_are_folded_and_young_ones_are_not(void)
{
	uint64_t old = 0;

	for (uint64_t with = 7; old <= 50; with++) {
		CHECK(with < 17);
		old += fold_50_days(with);
	}
}

static void
what_a_point_may_not_keep_longer_goes_and_the_others_stay(void)
{
	struct ledger_view *view;
	struct tally old = { { 0 } };

	second_profile = "short:240h";
	begin(5);
	second_profile = "short";
	CHECK(series_retain(series[2]) == 240 * HOUR && series_retain(series[1]) == 0);
	for (int day = 0; day < 30; day++) {
		wall += AGEING_DAY;
		mono += AGEING_DAY;
		close_slots();
		make_checkpoint();
		age(1000);
	}
	view = ledger_open_reader(scratch, NULL);
	CHECK(view != NULL);
	ledger_tally(view, series[2], 0, wall - 10 * AGEING_DAY, &old);
	CHECK_INT(tally_expected(&old), 0);
	/* A day's margin: an archive is written anew once a day at most. */
	compare_range(view, 2, wall - 9 * AGEING_DAY + HOUR, wall);
	compare_range(view, 1, 0, INT64_MAX / 4);
	compare_range(view, 3, 0, INT64_MAX / 4);
	ledger_close_reader(view);
	end();
}

static void
what_is_older_than_400_days_goes_one_archive_an_hour(void)
{
	struct archive_head *heads;
	uint64_t damaged = 0;
	size_t count, before;

	begin(3);
	for (int day = 0; day < 20; day++) {
		wall += AGEING_DAY;
		close_slots();
		make_checkpoint();
		age(1000);
	}
	before = ageing_list(scratch, &heads, &damaged);
	free(heads);
	wall += 401 * AGEING_DAY;
	age(1000);
	count = ageing_list(scratch, &heads, &damaged);
	free(heads);
	CHECK(before >= 19 && count == before - 1);
	for (int hour = 0; hour < 40; hour++) {
		mono += 2 * HOUR;
		age(1000);
	}
	count = ageing_list(scratch, &heads, &damaged);
	CHECK(count == 1 && damaged == 0); /* the last tells where the numbers go on */
	free(heads);
	end();
}

/* ---- sequences ---- */

struct told {
	struct ledger_span spans[40000];
	size_t count;
	uint64_t last;
};

static void
note_final(const struct ledger_span *span, void *arg)
{
	struct told *told = arg;

	CHECK(span->final == (span->sequence > 0));
	if (!span->final)
		return;
	CHECK(span->sequence > told->last);
	told->last = span->sequence;
	told->spans[told->count++] = *span;
}

static void
a_final_span_is_told_once_and_never_otherwise(void)
{
	static struct told told, again;
	struct ledger_view *view;

	begin(11);
	told.count = told.last = 0;
	for (int turn = 0; turn < 100; turn++) {
		uint64_t length;

		wall += 6 * HOUR;
		mono += 6 * HOUR;
		close_slots();
		CHECK(ledger_sync(ledger, &length, NULL) == 0);
		view = ledger_open_reader(scratch, NULL);
		ledger_since(view, told.last, note_final, &told);
		CHECK(ledger_newest(view) == told.last && ledger_oldest(view) == 1);
		ledger_close_reader(view);
		if (random_below(3) == 0)
			kill_and_restart();
		if (random_below(2) == 0)
			make_checkpoint();
		age(random_below(10));
	}
	view = ledger_open_reader(scratch, NULL);
	again.count = again.last = 0;
	ledger_since(view, 0, note_final, &again);
	CHECK(told.count > 500 && again.count == told.count);
	for (size_t i = 0; i < told.count; i++)
		CHECK(told.spans[i].sequence == i + 1 &&
			told.spans[i].run.series == again.spans[i].run.series &&
			told.spans[i].run.reason == again.spans[i].run.reason &&
			told.spans[i].run.first == again.spans[i].run.first &&
			told.spans[i].run.last == again.spans[i].run.last);
	ledger_close_reader(view);
	end();
}

/* ---- SIGKILL ---- */

static void
kill_9_at_any_moment_of_ageing_neither_doubles_nor_loses(void)
{
	begin(5);
	for (int day = 0; day < 45; day++) {
		wall += AGEING_DAY;
		mono += AGEING_DAY;
		close_slots();
		make_checkpoint();
		if (day < 8)
			age(1000);
	}
	ledger_close(ledger);
	for (int round = 0; round < 40; round++) {
		pid_t child = fork();

		if (child == 0) {
			open_ledger();
			age(100000);
			_exit(0);
		}
		/* It may have done all its work, or not have begun. */
		usleep(random_below(3000));
		kill(child, SIGKILL);
		CHECK(waitpid(child, NULL, 0) == child);
		if (round % 8 == 7)
			compare_all();
	}
	open_ledger();
	age(100000);
	compare_all();
	end();
}

/* ---- amendments ---- */

static void
what_was_given_up_counts_once_in_whatever_file_it_is_told(void)
{
	begin(13);
	for (int day = 0; day < 60; day++) {
		int64_t late = next[2] - 80 - random_below(100), last = late + random_below(30);

		/* In the day of the archive before, or the one before that; only what is closed. */
		while (late > base[2] && late <= last && model[2][late - base[2]] == OPEN)
			late++;
		for (int64_t slot = late; late > base[2] && slot <= last; slot++)
			if (model[2][slot - base[2]] == OPEN)
				last = slot - 1;
		for (int64_t slot = late; late > base[2] && slot <= last; slot++)
			model[2][slot - base[2]] = REASON_STORE_FULL;
		if (late > base[2] && late <= last)
			ledger_amend(ledger, 2, REASON_STORE_FULL, late, last);
		make_checkpoint();
		wall += AGEING_DAY;
		mono += AGEING_DAY;
		close_slots();
		make_checkpoint();
		age(1000);
		if (day % 10 == 9)
			compare_all();
	}
	end();
}

/* ---- the former file ---- */

static void
the_file_of_the_former_version_is_read_and_becomes_archives(void)
{
	uint8_t bytes[LEDGER_RUN_SIZE];
	struct checkpoint checkpoint = { .ledger_length = 3 * LEDGER_RUN_SIZE };
	FILE *file;

	begin(17);
	ledger_close(ledger);
	file = fopen(scratch_path("ledger/runs"), "w");
	for (int i = 0; i < 3; i++) {
		struct ledger_run run = { 1, i == 1 ? REASON_TIMEOUT : REASON_GOOD,
			base[1] + 10 * i, base[1] + 10 * i + 9 };

		memset(&model[1][10 * i], run.reason, 10);
		ledger_run_put(bytes, &run);
		CHECK(fwrite(bytes, sizeof bytes, 1, file) == 1);
	}
	fclose(file);
	CHECK(checkpoint_write(scratch, &checkpoint, NULL) == 0);
	next[1] = base[1] + 30;
	wall += AGEING_DAY;
	compare_all();
	open_ledger();
	age(1000);
	CHECK(access(scratch_path("ledger/runs"), F_OK) == -1);
	compare_all();
	close_slots();
	make_checkpoint();
	compare_all();
	end();
}

RUN_TESTS(TEST(sums_stay_exact_while_a_ledger_ages_and_its_store_dies),
	TEST(descriptors_that_run_out_while_it_ages_cost_it_nothing),
	TEST(old_hours_are_folded_and_young_ones_are_not),
	TEST(what_a_point_may_not_keep_longer_goes_and_the_others_stay),
	TEST(what_is_older_than_400_days_goes_one_archive_an_hour),
	TEST(a_final_span_is_told_once_and_never_otherwise),
	TEST(kill_9_at_any_moment_of_ageing_neither_doubles_nor_loses),
	TEST(what_was_given_up_counts_once_in_whatever_file_it_is_told),
	TEST(the_file_of_the_former_version_is_read_and_becomes_archives))

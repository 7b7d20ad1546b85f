/* From the journal into RRD files, which librrd itself then reads. */
#include "../check.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <rrd.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "fake/loop_sim.h"
#include "fake/shortage.h"
#include "journal/reader.h"
#include "journal/whereabouts.h"
#include "journal/writer.h"
#include "store/filesync.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "store/offsets.h"
#include "store/store.h"

#define STEP (10 * LOOP_S)
#define FIRST INT64_C(170000000) /* slot */

static struct loop *loop;
static struct writer *writer;
static struct series_catalogue *catalogue;
static struct keeper *keeper;
static struct store_options options;
static int64_t mono;
static unsigned lines;

static void
count_line(char level, const char *line, void *arg)
{
	(void)arg;
	(void)line;
	lines += level == 'E' || level == 'W';
}

static void
open_keeper(void)
{
	struct fail why;

	keeper = keeper_open(&options, &why);
	CHECK(keeper != NULL);
	keeper_now(keeper, mono, (FIRST + 1000000) * STEP);
}

static void
empty_snapshot(struct writer *to, void *arg)
{
	(void)to;
	(void)arg;
}

static void
begin(void)
{
	struct writer_options writing = { .segment_size = 20000 };
	static const struct writer_events events = { .snapshot = empty_snapshot };
	struct fail why;

	scratch_make();
	writing.state_dir = scratch;
	options = (struct store_options){ .state_dir = scratch, .run_dir = scratch,
		.flush = 300 * LOOP_S, .memory = 1 << 20 };
	options.rrd_dir = mem_text(scratch_path("rrd"));
	CHECK(mkdir(options.rrd_dir, 0700) == 0);
	loop = loop_new(&why);
	writer = writer_open(loop, &writing, &events, 1, &why);
	catalogue = series_open(scratch, true, &why);
	CHECK(writer != NULL && catalogue != NULL);
	mono = 1000 * LOOP_S;
	lines = 0;
	log_catch(count_line, NULL);
	open_keeper();
}

static void
end(void)
{
	log_catch(NULL, NULL);
	keeper_close(keeper);
	CHECK(writer_close(writer));
	series_close(catalogue);
	loop_free(loop);
	free((char *)options.rrd_dir);
	scratch_remove();
}

static void
kill_keeper(void)
{
	keeper_close(keeper);
	open_keeper();
}

static void
advance(int64_t by)
{
	mono += by;
	keeper_now(keeper, mono, (FIRST + 1000000) * STEP);
}

/* As the store does it, with nothing happening beside the sync. */
static void
go_round(void)
{
	struct filesync *sync = keeper_round(keeper);

	if (sync != NULL)
		keeper_checkpoint(keeper, sync);
}

static const struct series *
add_series(const char *path, const char *file, const char *ds, int64_t step)
{
	struct series wanted = { .kind = POINT_GAUGE, .step = step, .path = path, .unit = "",
		.file = file, .ds = ds, .profile = "short" };
	const struct series *series = series_add(catalogue, &wanted, NULL);

	CHECK(series != NULL);
	return series;
}

static void
put_at(const struct series *series, int64_t slot, double value, int64_t received)
{
	struct sample sample = { .series = series, .slot = FIRST + slot, .value = value,
		.received = received };

	sample.reason = isnan(value) ? REASON_TIMEOUT : REASON_GOOD;
	CHECK(writer_sample(writer, &sample) > 0);
}

static void
put(const struct series *series, int64_t slot, double value)
{
	put_at(series, slot, value, (FIRST + slot) * series->step);
}

static void
put_run(const struct series *series, int64_t first, int64_t last)
{
	struct sample_run run = { series, FIRST + first, FIRST + last, 0, REASON_POLLER_DOWN };

	CHECK(writer_run(writer, &run) > 0);
}

static void
commit(void)
{
	writer_flush(writer);
	loop_sim_for(loop, 200 * LOOP_MS);
}

static void
flush(const char *file)
{
	struct fail why;
	int result;

	commit();
	result = keeper_flush(keeper, file, &why);
	if (result == -1)
		print_error("%s\n", why.text);
	CHECK(result != -1);
}

/* The AVERAGE at one slot as librrd gives it; NaN for unknown, -1 when ds is not there. */
static double
fetch(const char *file, const char *ds, int64_t slot)
{
	time_t from = (time_t)((FIRST + slot - 1) * (STEP / LOOP_S)), to = from + 1;
	unsigned long step = STEP / LOOP_S, count;
	rrd_value_t *data;
	double found = -1;
	char **names;
	char path[400];

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	rrd_clear_error();
	if (rrd_fetch_r(path, "AVERAGE", &from, &to, &step, &count, &names, &data) != 0)
		return -2;
	CHECK_INT(step, STEP / LOOP_S);
	for (unsigned long i = 0; i < count; i++) {
		if (strcmp(names[i], ds) == 0)
			found = data[i];
		free(names[i]);
	}
	free(names);
	free(data);
	return found;
}

static uint8_t *
read_rrd(const char *file, size_t *size)
{
	struct stat info;
	uint8_t *bytes;
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	fd = open(path, O_RDONLY);
	CHECK(fd != -1 && fstat(fd, &info) == 0);
	*size = (size_t)info.st_size;
	bytes = malloc(*size);
	CHECK(read(fd, bytes, *size) == info.st_size);
	close(fd);
	return bytes;
}

static bool
exists(const char *file)
{
	char path[400];

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	return access(path, F_OK) == 0;
}

static void
one_lost_slot_is_one_unknown_row_and_nothing_else(void)
{
	const struct series *a, *b;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	b = add_series("d/b", "d/points.rrd", "b", STEP);
	for (int slot = 1; slot <= 9; slot++) {
		put(a, slot, slot == 5 ? (double)NAN : slot);
		put(b, slot, slot == 5 ? (double)NAN : 0.5 * slot);
	}
	flush("d/points.rrd");
	for (int slot = 1; slot <= 9; slot++) {
		CHECK(slot == 5 ? isnan(fetch("d/points.rrd", "a", slot)) :
			fetch("d/points.rrd", "a", slot) == slot);
		CHECK(slot == 5 ? isnan(fetch("d/points.rrd", "b", slot)) :
			fetch("d/points.rrd", "b", slot) == 0.5 * slot);
	}
	end();
}

static void
a_run_of_lost_slots_leaves_both_neighbours_whole(void)
{
	const struct series *a;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 10);
	put(a, 2, 20);
	put_run(a, 3, 900);
	put(a, 901, 30);
	put_run(a, 902, 903);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 2) == 20);
	CHECK(isnan(fetch("d/points.rrd", "a", 3)) && isnan(fetch("d/points.rrd", "a", 900)));
	CHECK(fetch("d/points.rrd", "a", 901) == 30);
	put(a, 904, 40);
	flush("d/points.rrd");
	CHECK(isnan(fetch("d/points.rrd", "a", 902)) && isnan(fetch("d/points.rrd", "a", 903)));
	CHECK(fetch("d/points.rrd", "a", 904) == 40);
	end();
}

static void
a_value_lost_in_one_point_leaves_the_others_of_that_slot(void)
{
	const struct series *a, *b;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	b = add_series("d/b", "d/points.rrd", "b", STEP);
	for (int slot = 1; slot <= 3; slot++) {
		put(a, slot, slot == 2 ? (double)NAN : 7);
		put(b, slot, 8);
	}
	flush("d/points.rrd");
	CHECK(isnan(fetch("d/points.rrd", "a", 2)) && fetch("d/points.rrd", "b", 2) == 8);
	CHECK(fetch("d/points.rrd", "a", 3) == 7);
	end();
}

static void
a_row_waits_until_it_is_whole(void)
{
	const struct series *a, *b;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	b = add_series("d/b", "d/points.rrd", "b", STEP);
	put(a, 1, 1);
	put(b, 1, 1);
	put(a, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 1) == 1);
	CHECK(isnan(fetch("d/points.rrd", "a", 2)));
	CHECK_INT(keeper_pending(keeper, "d/points.rrd"), 1);
	put(b, 2, 22);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 2) == 2 && fetch("d/points.rrd", "b", 2) == 22);
	/* b is taken away: the file does not wait for it for ever. */
	for (int slot = 3; slot <= 9; slot++)
		put(a, slot, slot);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 9) == 9);
	end();
}

static void
a_new_point_gets_its_place_in_an_existing_file(void)
{
	const struct series *a, *b;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 1);
	put(a, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "late", 2) == -1);
	b = add_series("d/late", "d/points.rrd", "late", STEP);
	put(a, 3, 3);
	put(b, 3, 33);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 2) == 2 && fetch("d/points.rrd", "a", 3) == 3);
	CHECK(isnan(fetch("d/points.rrd", "late", 2)) && fetch("d/points.rrd", "late", 3) == 33);
	end();
}

static void
files_are_written_within_flush_without_being_asked(void)
{
	const struct series *a;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 1);
	commit();
	CHECK(keeper_read(keeper, 100));
	go_round();
	advance(301 * LOOP_S);
	CHECK(keeper_read(keeper, 100));
	go_round();
	CHECK(fetch("d/points.rrd", "a", 1) == 1);
	end();
}

static void
short_memory_writes_early_and_loses_nothing(void)
{
	const struct series *a;

	begin();
	keeper_close(keeper);
	options.memory = 4096;
	open_keeper();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 500; slot++)
		put(a, slot, slot);
	commit();
	CHECK(keeper_read(keeper, 10000));
	CHECK(keeper_finish(keeper) == 0);
	for (int slot = 1; slot <= 500; slot++)
		CHECK(fetch("d/points.rrd", "a", slot) == slot);
	end();
}

static void
with_few_descriptors_checkpoints_are_made_and_nothing_is_lost(void)
{
	const struct series *series[150];
	struct filesync *sync;
	struct fail why;
	char name[40], file[40];

	begin();
	shortage_descriptors(64);
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof name, "d/s%d", i);
		snprintf(file, sizeof file, "d/f%d.rrd", i);
		series[i] = add_series(name, file, "v", STEP);
	}
	for (int slot = 1; slot <= 3; slot++) {
		for (int i = 0; i < 150; i++)
			put(series[i], slot, 1000 * slot + i);
		commit();
		CHECK(keeper_flush_all(keeper, &why) != -1);
		keeper_checkpoint_soon(keeper);
		sync = keeper_round(keeper);
		CHECK(sync != NULL);
		CHECK(keeper_checkpoint(keeper, sync) == 0);
	}
	CHECK(!keeper_is_void(keeper, NULL));
	CHECK(keeper_finish(keeper) == 0);
	shortage_descriptors(SHORTAGE_NONE);
	for (int i = 0; i < 150; i++) {
		snprintf(file, sizeof file, "d/f%d.rrd", i);
		for (int slot = 1; slot <= 3; slot++)
			CHECK(fetch(file, "v", slot) == 1000 * slot + i);
	}
	end();
}

struct said {
	int64_t slot;
	int reason;
};

static void
note_said(const struct ledger_span *span, void *arg)
{
	struct said *said = arg;

	if (span->run.first <= said->slot && span->run.last >= said->slot)
		said->reason = span->run.reason;
}

/* What the ledger says of a slot. */
static int
said_of(const struct series *series, int64_t slot)
{
	struct ledger_view *view = ledger_open_reader(scratch, NULL);
	struct said said = { FIRST + slot, -1 };

	ledger_spans(view, series, 0, INT64_MAX / 2, note_said, &said);
	ledger_close_reader(view);
	return said.reason;
}

/* As the store does it; a failure is somebody else's to tell. */
static void
work_on(void)
{
	struct filesync *sync;
	struct fail why;

	keeper_flush_all(keeper, &why);
	keeper_checkpoint_soon(keeper);
	sync = keeper_round(keeper);
	if (sync != NULL)
		keeper_checkpoint(keeper, sync);
	if (!keeper_is_void(keeper, &why))
		return;
	keeper_close(keeper);
	keeper = keeper_open(&options, &why);
	if (keeper != NULL)
		keeper_now(keeper, mono, (FIRST + 1000000) * STEP);
}

/* Those are librrd's to write, all else is not. */
static bool
is_gap(int series, int slot)
{
	return slot > series && (3 * series + slot) % 7 == 0;
}

static void
let_descriptors_run_out(unsigned seed)
{
	const struct series *series[24];
	struct store_health health;
	struct fail why;
	char name[40], file[40];

	begin();
	shortage_seed(seed);
	for (int i = 0; i < 24; i++) {
		snprintf(name, sizeof name, "d/s%d", i);
		snprintf(file, sizeof file, "d%d/f.rrd", i);
		series[i] = add_series(name, file, "v", STEP);
		for (int k = 0; k <= i; k++)
			if (is_gap(k, i))
				put_run(series[k], i, i);
			else
				put(series[k], i, 1000 * k + i);
		commit();
		shortage_opens(2 + (unsigned)i % 5 * 4);
		work_on();
		shortage_opens(0);
		if (keeper == NULL)
			open_keeper();
		/* Now and then all is well between two of them. */
		if (i % 5 == 4)
			work_on();
		advance(10 * LOOP_S);
	}
	CHECK(keeper_flush_all(keeper, &why) != -1);
	keeper_health(keeper, &health);
	CHECK_INT(health.quarantined, 0);
	CHECK(keeper_finish(keeper) == 0);
	for (int i = 0; i < 24; i++)
		for (int slot = i; slot < 24; slot++) {
			snprintf(file, sizeof file, "d%d/f.rrd", i);
			CHECK(is_gap(i, slot) ? isnan(fetch(file, "v", slot)) :
				fetch(file, "v", slot) == 1000 * i + slot);
			CHECK_INT(said_of(series[i], slot),
				is_gap(i, slot) ? REASON_POLLER_DOWN : REASON_GOOD);
		}
	end();
}

static void
descriptors_that_run_out_at_any_moment_lose_nothing(void)
{
	for (unsigned seed = 1; seed <= 10; seed++)
		let_descriptors_run_out(seed);
}

/* All that are left; gives their number. */
static size_t
take_descriptors(int fds[64])
{
	size_t count = 0;

	while (count < 64 && (fds[count] = dup(0)) != -1)
		count++;
	CHECK(errno == EMFILE);
	return count;
}

static void
a_sync_without_a_descriptor_is_one_of_the_file_system_or_says_so(void)
{
	struct filesync *sync, *none;
	struct fail why = { "" };
	int fds[64];
	size_t count;
	const struct series *series;

	begin();
	series = add_series("d/v", "d/points.rrd", "v", STEP);
	put(series, 1, 1.5);
	flush("d/points.rrd");
	shortage_descriptors(64);
	sync = filesync_new(options.rrd_dir);
	count = take_descriptors(fds);
	filesync_add(sync, "d/points.rrd");
	none = filesync_new(options.rrd_dir);
	filesync_add(none, "d/points.rrd");
	while (count > 0)
		close(fds[--count]);
	shortage_descriptors(SHORTAGE_NONE);
	CHECK(filesync_end(sync, &why) == 0);
	CHECK(filesync_end(none, &why) == -1);
	CHECK(strstr(why.text, "too few file descriptors: the limit is 64") != NULL);
	end();
}

static int
open_head(const char *file, uint8_t head[OFFSETS_STATIC])
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	fd = open(path, O_RDWR);
	CHECK(pread(fd, head, OFFSETS_STATIC, 0) == OFFSETS_STATIC);
	return fd;
}

/* Where the rows begin. */
static int64_t
head_size(const char *file)
{
	uint8_t head[OFFSETS_STATIC];

	close(open_head(file, head));
	return (int64_t)offsets_head(offsets_number(head, OFFSETS_DS_COUNT),
		offsets_number(head, OFFSETS_RRA_COUNT));
}

/* As when its first page was written and the next one was not. */
static void
count_a_slot_too_many(const char *file)
{
	uint8_t head[OFFSETS_STATIC];
	int fd = open_head(file, head);
	off_t live = (off_t)offsets_live(offsets_number(head, OFFSETS_DS_COUNT),
		offsets_number(head, OFFSETS_RRA_COUNT));
	uint64_t time;

	CHECK(pread(fd, &time, sizeof time, live) == (ssize_t)sizeof time);
	time += STEP / LOOP_S;
	CHECK(pwrite(fd, &time, sizeof time, live) == (ssize_t)sizeof time);
	close(fd);
}

static void
a_write_that_fails_halfway_is_made_good(void)
{
	const struct series *series;
	struct store_health health;
	struct fail why;

	begin();
	series = add_series("d/v", "d/points.rrd", "v", STEP);
	put(series, 1, 1.5);
	flush("d/points.rrd");
	put(series, 2, 2.5);
	commit();
	shortage_octets(head_size("d/points.rrd"));
	CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	count_a_slot_too_many("d/points.rrd");
	CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	keeper_health(keeper, &health);
	CHECK(health.degraded);
	shortage_octets(SHORTAGE_NONE);
	put(series, 3, 3.5);
	advance(11 * LOOP_S);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "v", 1) == 1.5 && fetch("d/points.rrd", "v", 2) == 2.5);
	CHECK(fetch("d/points.rrd", "v", 3) == 3.5);
	keeper_health(keeper, &health);
	CHECK(!health.degraded);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

#define NEWCOMERS 120

static unsigned
count_made(void)
{
	unsigned made = 0;

	for (int i = 0; i < NEWCOMERS; i++) {
		char file[20];

		snprintf(file, sizeof file, "n%d/points.rrd", i);
		made += exists(file);
	}
	return made;
}

/* All of them due, with a row each. */
static void
read_newcomers(void)
{
	struct series wanted = { .kind = POINT_GAUGE, .step = STEP, .unit = "", .ds = "v",
		.profile = "tiny" };
	char path[20], file[20];

	wanted.path = path;
	wanted.file = file;
	for (int i = 0; i < NEWCOMERS; i++) {
		snprintf(path, sizeof path, "n%d/v", i);
		snprintf(file, sizeof file, "n%d/points.rrd", i);
		put(series_add(catalogue, &wanted, NULL), 1, i);
	}
	commit();
	CHECK(keeper_read(keeper, 10000));
	advance(301 * LOOP_S);
}

static void
many_new_files_are_made_in_turn_and_a_flush_does_not_wait_for_them(void)
{
	char file[20];
	unsigned made;

	begin();
	read_newcomers();
	go_round();
	made = count_made();
	CHECK(made > 0 && made < NEWCOMERS / 2);
	for (int i = NEWCOMERS - 1; i >= 0; i--) {
		snprintf(file, sizeof file, "n%d/points.rrd", i);
		if (!exists(file))
			break;
	}
	flush(file);
	CHECK(exists(file) && count_made() == made + 1);
	for (int i = 0; i < 10; i++)
		keeper_make_files(keeper);
	CHECK_INT(count_made(), NEWCOMERS);
	go_round();
	for (int i = 0; i < NEWCOMERS; i++) {
		snprintf(file, sizeof file, "n%d/points.rrd", i);
		CHECK(fetch(file, "v", 1) == i);
	}
	CHECK(keeper_finish(keeper) == 0);
	end();
}

/* A disk on which to make a file takes 30 ms. */
static int64_t
making_clock(void *arg)
{
	return *(int64_t *)arg + count_made() * 30 * LOOP_MS;
}

static void
files_are_made_for_half_of_the_time_at_most(void)
{
	int64_t rest = LOOP_S, begun;
	unsigned made, before = 0;

	begin();
	keeper_clock(keeper, making_clock, &rest);
	read_newcomers();
	begun = making_clock(&rest);
	go_round();
	while ((made = count_made()) < NEWCOMERS) {
		/* After a rest there may be some at once, but not for longer than that. */
		CHECK(made - before <= 4);
		before = made;
		rest += 20 * LOOP_MS;
		CHECK(rest < 100 * LOOP_S);
		keeper_make_files(keeper);
	}
	CHECK((making_clock(&rest) - begun + LOOP_S / 5) / 2 >= (NEWCOMERS - 1) * 30 * LOOP_MS);
	CHECK((making_clock(&rest) - begun) / 2 <= (NEWCOMERS + 2) * 30 * LOOP_MS);
	keeper_clock(keeper, NULL, NULL);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

/* A disk on which each file takes 5 ms. */
static int64_t
slow_clock(void *arg)
{
	return *(int64_t *)arg += 5 * LOOP_MS;
}

static uint64_t
count_updates(void)
{
	struct store_health health;

	keeper_health(keeper, &health);
	return health.updates;
}

#define CROWD 60
static void
a_flush_is_answered_within_100_ms_while_many_files_are_written(void)
{
	const struct series *crowd[CROWD];
	char path[20], file[20];
	int64_t now = 0, before;
	uint64_t updates;

	begin();
	for (int i = 0; i < CROWD; i++) {
		snprintf(path, sizeof path, "c%d/v", i);
		snprintf(file, sizeof file, "c%d/points.rrd", i);
		crowd[i] = add_series(path, file, "v", STEP);
		put(crowd[i], 1, 1);
	}
	commit();
	CHECK(keeper_finish(keeper) == 0);
	for (int i = 0; i < CROWD; i++)
		put(crowd[i], 2, 100 + i);
	commit();
	CHECK(keeper_read(keeper, 10000));
	advance(301 * LOOP_S);
	updates = count_updates();
	keeper_clock(keeper, slow_clock, &now);
	go_round();
	CHECK(keeper_goes_on(keeper) && keeper_has_more(keeper));
	CHECK(now <= 50 * LOOP_MS);
	/* Heads are noted by now; a checkpoint wants them anew. */
	keeper_write(keeper);
	advance(61 * LOOP_S);
	go_round();
	for (int i = CROWD - 1; i >= 0; i--) {
		before = now;
		if (i % 10 == 0) {
			flush(file);
			CHECK(now - before <= 50 * LOOP_MS);
			CHECK(fetch(file, "v", 2) == 100 + CROWD - 1);
		}
		before = now;
		keeper_write(keeper);
		CHECK(now - before <= 50 * LOOP_MS);
	}
	while (keeper_has_more(keeper))
		keeper_write(keeper);
	CHECK(!keeper_goes_on(keeper));
	CHECK_INT(count_updates() - updates, CROWD);
	for (int i = 0; i < CROWD; i++) {
		snprintf(file, sizeof file, "c%d/points.rrd", i);
		CHECK(fetch(file, "v", 2) == 100 + i);
	}
	keeper_clock(keeper, NULL, NULL);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

/* Of keeper_clock: a point is added after the catalogue was looked at and before the journal has
 * been read to its end. */
static int64_t
add_a_point_meanwhile(void *arg)
{
	int *looks = arg;

	if (++*looks == 2) {
		put(add_series("d/new", "d/new.rrd", "new", STEP), 2, 7.5);
		put_run(add_series("d/run", "d/run.rrd", "run", STEP), 2, 3);
		commit();
		shortage_reads(scratch_path("series"));
	}
	return 0;
}

static void
what_a_new_point_brought_waits_while_the_catalogue_cannot_be_read(void)
{
	struct store_health health;
	int looks = 0;

	begin();
	put(add_series("d/old", "d/old.rrd", "old", STEP), 1, 1.5);
	commit();
	keeper_clock(keeper, add_a_point_meanwhile, &looks);
	CHECK(!keeper_read(keeper, 100));
	keeper_health(keeper, &health);
	CHECK(health.degraded);
	CHECK(strstr(health.reason, "/series: Input/output error") != NULL);
	CHECK(!keeper_read(keeper, 100));
	shortage_reads(NULL);
	keeper_clock(keeper, NULL, NULL);
	CHECK(keeper_read(keeper, 100));
	flush("d/new.rrd");
	CHECK(fetch("d/new.rrd", "new", 2) == 7.5);
	keeper_health(keeper, &health);
	CHECK(!health.degraded);
	CHECK_INT(lines, 1);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

/* And a checkpoint in between begins with what waits. */
static void
what_waits_for_the_catalogue_outlives_the_store(void)
{
	int looks = 0;

	begin();
	put(add_series("d/old", "d/old.rrd", "old", STEP), 1, 1.5);
	commit();
	keeper_clock(keeper, add_a_point_meanwhile, &looks);
	CHECK(!keeper_read(keeper, 100));
	CHECK(keeper_finish(keeper) == 0);
	shortage_reads(NULL);
	kill_keeper();
	flush("d/new.rrd");
	CHECK(fetch("d/new.rrd", "new", 2) == 7.5);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

#define CATALOGUE 12000
static void
a_long_catalogue_is_taken_up_in_slices_and_then_all_is_known(void)
{
	const struct series *last = NULL;
	char path[20], file[20];
	int64_t now = 0;
	int turns = 0;

	begin();
	for (int i = 0; i < CATALOGUE; i++) {
		snprintf(path, sizeof path, "t%d/text", i);
		last = add_series(path, "", "", STEP);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "c%d/v", i);
		snprintf(file, sizeof file, "c%d/points.rrd", i);
		put(add_series(path, file, "v", STEP), 1, 7 + i);
	}
	commit();
	CHECK(last != NULL);
	keeper_clock(keeper, slow_clock, &now);
	for (bool all = false; !all; turns++) {
		int64_t before = now;

		CHECK(turns < 1000);
		all = keeper_catch_up(keeper);
		CHECK(now - before <= 50 * LOOP_MS);
		CHECK(all || keeper_goes_on(keeper));
	}
	/* Twelve looks at the clock at least, and four in a slice. */
	CHECK(turns >= 3);
	flush("c1/points.rrd");
	CHECK(fetch("c1/points.rrd", "v", 1) == 8);
	/* What comes later is taken up before the records that name it. */
	put(add_series("late/v", "late/points.rrd", "v", STEP), 2, 21);
	flush("late/points.rrd");
	CHECK(fetch("late/points.rrd", "v", 2) == 21);
	keeper_clock(keeper, NULL, NULL);
	CHECK(keeper_finish(keeper) == 0);
	CHECK_INT(lines, 0);
	end();
}

static void
memory_is_freed_in_slices_too(void)
{
	const struct series *crowd[CROWD];
	char path[20], file[20];
	int64_t now = 0;
	int slot = 1, turns = 0;

	begin();
	keeper_close(keeper);
	options.memory = 20000;
	open_keeper();
	for (int i = 0; i < CROWD; i++) {
		snprintf(path, sizeof path, "c%d/v", i);
		snprintf(file, sizeof file, "c%d/points.rrd", i);
		crowd[i] = add_series(path, file, "v", STEP);
	}
	keeper_clock(keeper, slow_clock, &now);
	for (; slot <= 50; slot++)
		for (int i = 0; i < CROWD; i++)
			put(crowd[i], slot, slot + i);
	commit();
	for (bool all = false; !all; turns++) {
		int64_t before = now;

		CHECK(turns < 10000);
		all = keeper_read(keeper, 10000);
		CHECK(now - before <= 50 * LOOP_MS);
	}
	CHECK(turns > 10);
	keeper_clock(keeper, NULL, NULL);
	CHECK(keeper_finish(keeper) == 0);
	CHECK_INT(count_updates(), 50 * CROWD);
	for (int i = 0; i < CROWD; i++) {
		snprintf(file, sizeof file, "c%d/points.rrd", i);
		CHECK(fetch(file, "v", 50) == 50 + i);
	}
	end();
}

static void
the_ledger_counts_text_points_and_no_file_is_made_for_them(void)
{
	const struct series *text;
	struct ledger_view *view;
	struct tally tally = { { 0 } };

	begin();
	text = add_series("d/name", "", "", STEP);
	put(text, 1, 1);
	put(text, 2, (double)NAN);
	commit();
	CHECK(keeper_finish(keeper) == 0);
	CHECK(!exists("d"));
	view = ledger_open_reader(scratch, NULL);
	ledger_tally(view, text, 0, INT64_MAX / 2, &tally);
	CHECK_INT(tally_expected(&tally), 2);
	CHECK_INT(tally_good(&tally), 1);
	ledger_close_reader(view);
	end();
}

static void
a_missing_folder_is_logged_once_and_everything_is_written_when_it_is_back(void)
{
	struct store_health health;
	const struct series *a;
	struct fail why;

	begin();
	CHECK(rmdir(options.rrd_dir) == 0);
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 200; slot++) {
		put(a, slot, slot);
		commit();
		advance(STEP);
		keeper_read(keeper, 100);
		go_round();
	}
	keeper_health(keeper, &health);
	CHECK(health.degraded && strstr(health.reason, "No such file or directory") != NULL);
	CHECK_INT(lines, 1);
	CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	CHECK(mkdir(options.rrd_dir, 0700) == 0);
	flush("d/points.rrd");
	keeper_health(keeper, &health);
	CHECK(!health.degraded);
	for (int slot = 1; slot <= 200; slot++)
		CHECK(fetch("d/points.rrd", "a", slot) == slot);
	end();
}

static void
a_missing_folder_with_short_memory_leaves_the_rest_in_the_journal(void)
{
	const struct series *a;

	begin();
	keeper_close(keeper);
	options.memory = 4096;
	open_keeper();
	CHECK(rmdir(options.rrd_dir) == 0);
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 800; slot++)
		put(a, slot, slot);
	commit();
	CHECK(!keeper_read(keeper, 10000));
	advance(600 * LOOP_S);
	go_round();
	CHECK(keeper_finish(keeper) == -1);
	CHECK(mkdir(options.rrd_dir, 0700) == 0);
	kill_keeper();
	CHECK(keeper_read(keeper, 10000));
	CHECK(keeper_finish(keeper) == 0);
	for (int slot = 1; slot <= 800; slot++)
		CHECK(fetch("d/points.rrd", "a", slot) == slot);
	end();
}

/* Somebody else's process holds librrd's lock until a byte comes. */
static pid_t
lock_elsewhere(const char *file, int *release)
{
	char path[400], byte;
	int fds[2], ready[2];
	pid_t child;

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	CHECK(pipe(fds) == 0 && pipe(ready) == 0);
	child = fork();
	if (child == 0) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(path, O_RDWR);

		close(fds[1]);
		if (fcntl(fd, F_SETLK, &lock) == -1 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(fds[0], &byte, 1) == 1 ? 0 : 2);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	close(fds[0]);
	*release = fds[1];
	return child;
}

static void
a_locked_file_waits_alone_and_keeps_its_order(void)
{
	const struct series *a, *b;
	struct fail why;
	int release, status;
	pid_t child;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	b = add_series("e/b", "e/points.rrd", "b", STEP);
	put(a, 1, 1);
	flush("d/points.rrd");
	child = lock_elsewhere("d/points.rrd", &release);
	put(a, 2, 2);
	put(b, 2, 2);
	put(a, 3, 3);
	commit();
	CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	CHECK(strstr(why.text, "d/points.rrd: locked by another program") != NULL);
	flush("e/points.rrd");
	CHECK(fetch("e/points.rrd", "b", 2) == 2);
	CHECK(write(release, "x", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 0);
	close(release);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 2) == 2 && fetch("d/points.rrd", "a", 3) == 3);
	end();
}

static void
a_file_of_another_step_or_none_of_ours_is_left_alone_and_its_values_are_store_full(void)
{
	const char *definition[] = { "DS:a:GAUGE:60:U:U", "RRA:AVERAGE:0.5:1:100" };
	struct store_health health;
	const struct series *a, *b, *c;
	struct ledger_view *view;
	struct tally tally = { { 0 } };
	struct fail why;
	char path[400];
	FILE *file;

	begin();
	snprintf(path, sizeof path, "%s/a.rrd", options.rrd_dir);
	CHECK(rrd_create_r(path, 60, 1600000000, 2, definition) == 0);
	snprintf(path, sizeof path, "%s/b.rrd", options.rrd_dir);
	file = fopen(path, "w");
	fputs("not an RRD at all, but somebody may want it", file);
	fclose(file);
	a = add_series("d/a", "a.rrd", "a", STEP);
	b = add_series("d/b", "b.rrd", "b", STEP);
	c = add_series("d/c", "c.rrd", "c", STEP);
	for (int slot = 1; slot <= 5; slot++) {
		put(a, slot, 1);
		put(b, slot, 1);
		put(c, slot, 1);
	}
	commit();
	CHECK(keeper_flush(keeper, "a.rrd", &why) == -1);
	CHECK(strstr(why.text, "has a step of 60 s, the configuration says 10 s") != NULL);
	CHECK(keeper_flush(keeper, "b.rrd", &why) == -1);
	flush("c.rrd");
	CHECK(fetch("c.rrd", "c", 5) == 1);
	keeper_health(keeper, &health);
	CHECK(health.degraded && health.quarantined == 2);
	/* What comes later has no file either. */
	put(a, 6, 1);
	put(c, 6, 1);
	commit();
	CHECK(keeper_finish(keeper) == 0);
	view = ledger_open_reader(scratch, NULL);
	ledger_tally(view, a, 0, INT64_MAX / 2, &tally);
	CHECK_INT(tally.count[REASON_STORE_FULL], 6);
	CHECK_INT(tally_good(&tally), 0);
	ledger_close_reader(view);
	end();
}

/* What a file has that somebody made in our place, and what is said of it. */
static void
leaves_alone(int count, const char **definition, const char *said)
{
	const struct series *a, *b;
	struct ledger_view *view;
	struct tally tally = { { 0 } };
	struct store_health health;
	uint8_t *before, *after;
	size_t size, size_after;
	struct fail why;
	char path[400];

	begin();
	snprintf(path, sizeof path, "%s/a.rrd", options.rrd_dir);
	CHECK(rrd_create_r(path, STEP / LOOP_S, (FIRST * STEP) / LOOP_S, count, definition) == 0);
	a = add_series("d/a", "a.rrd", "a", STEP);
	b = add_series("d/b", "a.rrd", "b", STEP); /* is not there yet, and is not put there */
	for (int slot = 1; slot <= 5; slot++) {
		put(a, slot, 1);
		put(b, slot, 2);
	}
	commit();
	before = read_rrd("a.rrd", &size);
	CHECK(keeper_flush(keeper, "a.rrd", &why) == -1);
	CHECK(strstr(why.text, said) != NULL);
	keeper_health(keeper, &health);
	CHECK(health.degraded && health.quarantined == 1);
	CHECK(strstr(health.reason, said) != NULL);
	CHECK(keeper_finish(keeper) == 0);
	after = read_rrd("a.rrd", &size_after);
	CHECK(size == size_after && memcmp(before, after, size) == 0);
	view = ledger_open_reader(scratch, NULL);
	ledger_tally(view, a, 0, INT64_MAX / 2, &tally);
	CHECK_INT(tally.count[REASON_STORE_FULL], 5);
	CHECK_INT(tally_good(&tally), 0);
	ledger_close_reader(view);
	free(before);
	free(after);
	end();
}

static void
a_file_that_cannot_be_written_right_is_left_alone_by_name(void)
{
	leaves_alone(3, (const char *[]){ "DS:a:GAUGE:10:U:U", "RRA:AVERAGE:0.5:1:100",
		"RRA:HWPREDICT:200:0.1:0.0035:20" }, "a.rrd: RRA 1 is HWPREDICT, whose rows cannot");
	leaves_alone(2, (const char *[]){ "DS:a:COUNTER:10:U:U", "RRA:AVERAGE:0.5:1:100" },
		"a.rrd: data source a is COUNTER, values go into a GAUGE");
	leaves_alone(2, (const char *[]){ "DS:a:GAUGE:9:U:U", "RRA:AVERAGE:0.5:1:100" },
		"a.rrd: data source a has a heartbeat of 9 s, less than one step");
}

static void
an_archive_that_is_put_into_a_file_of_ours_is_found_at_the_next_checkpoint(void)
{
	char command[] = "tune", archive[] = "RRA:HWPREDICT:200:0.1:0.0035:20", path[400];
	char *args[] = { command, path, archive, NULL };
	const struct series *a;
	struct fail why;

	begin();
	a = add_series("d/a", "a.rrd", "a", STEP);
	put(a, 1, 1);
	flush("a.rrd");
	snprintf(path, sizeof path, "%s/a.rrd", options.rrd_dir);
	CHECK(rrd_tune(3, args) == 0);
	advance(61 * LOOP_S);
	go_round();
	put(a, 2, 2);
	commit();
	CHECK(keeper_flush(keeper, "a.rrd", &why) == -1);
	CHECK(strstr(why.text, "a.rrd: RRA ") != NULL);
	CHECK(strstr(why.text, " is HWPREDICT") != NULL);
	end();
}

static void
a_file_from_the_future_is_left_alone_and_named_with_its_date(void)
{
	const struct series *a;
	struct fail why;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 500000, 1);
	commit();
	CHECK(keeper_finish(keeper) == 0);
	kill_keeper();
	keeper_now(keeper, mono, (FIRST + 10) * STEP);
	put(a, 11, 1);
	commit();
	CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	CHECK(strstr(why.text, "its last update lies in the future (2024-01-11T") != NULL);
	end();
}

/* Where the ledger says good there is a row, where it says store-full there is none. */
struct twin {
	const struct series *series;
	uint64_t good, full;
};

static void
compare_span(const struct ledger_span *span, void *arg)
{
	const struct ledger_run *run = &span->run;
	struct twin *twin = arg;

	for (int64_t slot = run->first; slot <= run->last; slot++) {
		double row = fetch(twin->series->file, twin->series->ds, slot - FIRST);

		CHECK(run->reason == REASON_GOOD ? row == (double)(slot - FIRST) :
			run->reason == REASON_STORE_FULL && !(row >= 0));
	}
	*(run->reason == REASON_GOOD ? &twin->good : &twin->full) +=
		(uint64_t)(run->last - run->first + 1);
}

/* Returns how many slots are store-full. */
static uint64_t
ledger_and_file_agree(const struct series *series, uint64_t expected)
{
	struct twin twin = { .series = series };
	struct ledger_view *view;

	CHECK(keeper_finish(keeper) == 0);
	view = ledger_open_reader(scratch, NULL);
	ledger_spans(view, series, 0, INT64_MAX / 2, compare_span, &twin);
	ledger_close_reader(view);
	CHECK_INT(twin.good + twin.full, expected);
	return twin.full;
}

static void
what_would_make_the_journal_too_large_is_given_up_and_counted(void)
{
	struct store_health health;
	const struct series *a, *b;
	uint64_t *numbers;
	size_t kept;

	begin();
	keeper_close(keeper);
	options.journal_budget = 30 * 86400 * LOOP_S;
	options.journal_size = 100000;
	open_keeper();
	CHECK(rmdir(options.rrd_dir) == 0);
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	b = add_series("d/b", "d/points.rrd", "b", STEP);
	for (int slot = 1; slot <= 2000; slot++) {
		put(a, slot, slot);
		put(b, slot, slot);
		if (slot % 10 == 0)
			commit();
		advance(STEP);
		keeper_read(keeper, 100);
		go_round();
	}
	keeper_health(keeper, &health);
	CHECK(health.given_up > 500 && health.given_up < 2000 && health.degraded);
	kept = reader_segments(scratch, &numbers);
	free(numbers);
	CHECK(kept <= 100000 / 20000 + 1);
	kill_keeper();
	CHECK(mkdir(options.rrd_dir, 0700) == 0);
	flush("d/points.rrd");
	CHECK_INT(ledger_and_file_agree(a, 2000), health.given_up);
	CHECK_INT(ledger_and_file_agree(b, 2000), health.given_up);
	end();
}

static void
what_waits_for_longer_than_the_budget_is_given_up_and_counted(void)
{
	struct store_health health;
	const struct series *a;
	uint64_t *numbers;
	size_t kept;

	begin();
	keeper_close(keeper);
	options.journal_budget = 3600 * LOOP_S;
	open_keeper();
	CHECK(rmdir(options.rrd_dir) == 0);
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 2000; slot++) {
		put(a, slot, slot);
		if (slot % 10 == 0)
			commit();
		mono += STEP;
		keeper_now(keeper, mono, (FIRST + slot) * STEP);
		keeper_read(keeper, 100);
		go_round();
	}
	keeper_health(keeper, &health);
	CHECK(health.given_up >= 2000 - 360 - 20 && health.given_up <= 2000 - 360);
	kept = reader_segments(scratch, &numbers);
	free(numbers);
	CHECK(kept < 4);
	CHECK(mkdir(options.rrd_dir, 0700) == 0);
	flush("d/points.rrd");
	for (int slot = 1641; slot <= 2000; slot++)
		CHECK(fetch("d/points.rrd", "a", slot) == slot);
	CHECK_INT(ledger_and_file_agree(a, 2000), health.given_up);
	end();
}

static void
a_file_that_was_taken_away_is_begun_anew(void)
{
	const struct series *a;
	char path[400];

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 1);
	flush("d/points.rrd");
	snprintf(path, sizeof path, "%s/d/points.rrd", options.rrd_dir);
	CHECK(unlink(path) == 0);
	put(a, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 2) == 2);
	end();
}

static void
a_file_that_takes_the_place_of_another_gets_each_value_by_its_name(void)
{
	const char *definition[] = { "DS:b:GAUGE:10:U:U", "DS:a:GAUGE:10:U:U",
		"RRA:AVERAGE:0.5:1:100" };
	const struct series *a, *b;
	char path[400], other[400];

	begin();
	a = add_series("d/a", "a.rrd", "a", STEP);
	b = add_series("d/b", "a.rrd", "b", STEP);
	put(a, 1, 10);
	put(b, 1, 20);
	flush("a.rrd");
	snprintf(path, sizeof path, "%s/a.rrd", options.rrd_dir);
	snprintf(other, sizeof other, "%s/other.rrd", options.rrd_dir);
	/* As far as ours, so that nothing but the names tells them apart. */
	CHECK(rrd_create_r(other, STEP / LOOP_S, (FIRST + 1) * (STEP / LOOP_S), 3, definition) == 0);
	CHECK(rename(other, path) == 0);
	put(a, 2, 11);
	put(b, 2, 21);
	flush("a.rrd");
	CHECK(fetch("a.rrd", "a", 2) == 11 && fetch("a.rrd", "b", 2) == 21);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

/* What somebody puts in the place of a file while a sync goes on; NULL: nobody does. */
static const char *other_file, *its_place;
static const char *unsynced; /* its next sync fails; NULL */

/* Stands before the library's. */
int
fdatasync(int fd)
{
	struct stat one, other;

	if (unsynced != NULL && fstat(fd, &one) == 0 && stat(unsynced, &other) == 0 &&
		one.st_ino == other.st_ino) {
		unsynced = NULL;
		errno = EIO;
		return -1;
	}
	if (other_file != NULL && access(its_place, F_OK) == 0) {
		CHECK(rename(other_file, its_place) == 0);
		other_file = NULL;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void
a_file_that_is_replaced_while_its_head_is_synced_gets_the_rows(void)
{
	const char *definition[] = { "DS:b:GAUGE:10:U:U", "DS:a:GAUGE:10:U:U",
		"RRA:AVERAGE:0.5:1:100" };
	const struct series *a, *b;
	char path[400], other[400];

	begin();
	a = add_series("d/a", "a.rrd", "a", STEP);
	b = add_series("d/b", "a.rrd", "b", STEP);
	snprintf(path, sizeof path, "%s/a.rrd", options.rrd_dir);
	snprintf(other, sizeof other, "%s/other.rrd", options.rrd_dir);
	CHECK(rrd_create_r(other, STEP / LOOP_S, FIRST * (STEP / LOOP_S), 3, definition) == 0);
	put(a, 1, 10);
	put(b, 1, 20);
	its_place = path;
	other_file = other;
	flush("a.rrd");
	CHECK(other_file == NULL);
	CHECK(fetch("a.rrd", "a", 1) == 10 && fetch("a.rrd", "b", 1) == 20);
	CHECK(keeper_finish(keeper) == 0);
	end();
}

static void
a_slot_far_ahead_of_the_clock_is_held_back(void)
{
	const struct series *a;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	keeper_now(keeper, mono, (FIRST + 10) * STEP);
	put(a, 1, 1);
	put_at(a, 900000, 9, (FIRST + 2) * STEP);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 1) == 1);
	CHECK_INT(keeper_pending(keeper, "d/points.rrd"), 1);
	keeper_now(keeper, mono, (FIRST + 900001) * STEP);
	flush("d/points.rrd");
	CHECK_INT(keeper_pending(keeper, "d/points.rrd"), 0);
	CHECK(fetch("d/points.rrd", "a", 900000) == 9);
	end();
}

static void
a_store_whose_own_clock_is_wrong_believes_the_pollers(void)
{
	const struct series *a;

	begin();
	keeper_now(keeper, mono, 0); /* 1970 */
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 1);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 1) == 1);
	kill_keeper();
	keeper_now(keeper, mono, 0);
	put(a, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 1) == 1 && fetch("d/points.rrd", "a", 2) == 2);
	end();
}

static void
a_jump_of_ten_years_keeps_the_history_under_another_name(void)
{
	static const int64_t years = 3652 * (86400 * LOOP_S / STEP);
	const struct series *a;
	struct store_health health;

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 20; slot++)
		put(a, slot, slot);
	put_run(a, 21, years);
	keeper_now(keeper, mono, (FIRST + years + 10) * STEP);
	flush("d/points.rrd");
	/* nothing but lost slots so far: all is as it was */
	CHECK(fetch("d/points.rrd", "a", 1) == 1 && fetch("d/points.rrd", "a", 20) == 20);
	for (int64_t slot = years + 1; slot <= years + 5; slot++)
		put(a, slot, 7);
	flush("d/points.rrd");
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", years + 1) == 7 && fetch("d/points.rrd", "a", years + 5) == 7);
	for (int slot = 1; slot <= 20; slot++)
		CHECK(fetch("d/points.until-2023-11-14.rrd", "a", slot) == slot);
	keeper_health(keeper, &health);
	CHECK(!health.degraded);
	end();
}

static void
a_history_that_cannot_be_synced_is_written_again_before_it_is_put_aside(void)
{
	static const int64_t years = 3652 * (86400 * LOOP_S / STEP);
	const struct series *a;
	struct fail why;
	char path[400];

	begin();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 20; slot++)
		put(a, slot, slot);
	put_run(a, 21, years);
	keeper_now(keeper, mono, (FIRST + years + 10) * STEP);
	flush("d/points.rrd");
	put(a, years + 1, 7);
	commit();
	snprintf(path, sizeof path, "%s/d/points.rrd", options.rrd_dir);
	unsynced = path;
	for (int i = 0; i < 3; i++)
		CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
	CHECK(unsynced == NULL && strstr(why.text, "d/points.rrd: Input/output error") != NULL);
	CHECK(!keeper_is_void(keeper, NULL));
	go_round();
	CHECK(keeper_is_void(keeper, &why));
	CHECK(strstr(why.text, "d/points.rrd: Input/output error") != NULL);
	kill_keeper();
	keeper_now(keeper, mono, (FIRST + years + 10) * STEP);
	flush("d/points.rrd");
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", years + 1) == 7);
	CHECK(fetch("d/points.until-2023-11-14.rrd", "a", 20) == 20);
	CHECK(keeper_finish(keeper) == 0 && !keeper_is_void(keeper, NULL));
	end();
}

static void
segments_go_after_a_checkpoint_and_not_before(void)
{
	const struct series *a;
	uint64_t *numbers;
	size_t before, after;

	begin();
	keeper_close(keeper);
	options.flush = 1000000 * LOOP_S;
	open_keeper();
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	for (int slot = 1; slot <= 1500; slot++) {
		put(a, slot, slot);
		if (slot % 20 == 0)
			commit();
	}
	CHECK(keeper_read(keeper, 100000));
	before = reader_segments(scratch, &numbers);
	free(numbers);
	CHECK(before > 3);
	advance(61 * LOOP_S); /* a checkpoint, but the first row is still pending */
	go_round();
	CHECK(access(scratch_path("checkpoint"), F_OK) == 0 && !exists("d/points.rrd"));
	after = reader_segments(scratch, &numbers);
	free(numbers);
	CHECK_INT(after, before);
	CHECK(keeper_finish(keeper) == 0);
	after = reader_segments(scratch, &numbers);
	CHECK(after == 1 && numbers[0] == reader_newest_snapshot(scratch, NULL));
	free(numbers);
	CHECK(fetch("d/points.rrd", "a", 1) == 1 && fetch("d/points.rrd", "a", 1500) == 1500);
	end();
}

static uint64_t
segment_count(void)
{
	uint64_t *numbers, count = reader_segments(scratch, &numbers);

	free(numbers);
	return count;
}

static time_t
checkpoint_changed(void)
{
	struct stat info = { .st_ino = 0 };

	/* Each checkpoint is a new file. */
	CHECK(stat(scratch_path("checkpoint"), &info) == 0);
	return (time_t)info.st_ino;
}

/* In the place of the file something that nobody can open; and the file again. */
static void
hide(const char *file, bool hidden)
{
	char path[400], away[410];

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	snprintf(away, sizeof away, "%s.away", path);
	if (hidden)
		CHECK(rename(path, away) == 0 && symlink(path, path) == 0);
	else
		CHECK(unlink(path) == 0 && rename(away, path) == 0);
}

/* Would a checkpoint that is begun now sync that file? Then it is not made. */
static bool
is_synced(const char *file)
{
	struct filesync *sync;

	advance(61 * LOOP_S);
	hide(file, true);
	sync = keeper_round(keeper);
	hide(file, false);
	CHECK(sync != NULL);
	return keeper_checkpoint(keeper, sync) == -1;
}

static void
put_and_flush(const struct series *series, int64_t slot)
{
	put(series, slot, (double)slot);
	flush(series->file);
}

static void
a_checkpoint_syncs_the_files_that_were_written_since_the_last_one_that_was_made(void)
{
	const struct series *a, *b, *c;
	struct filesync *sync;

	begin();
	a = add_series("a/v", "a/points.rrd", "v", STEP);
	b = add_series("b/v", "b/points.rrd", "v", STEP);
	c = add_series("c/v", "c/points.rrd", "v", STEP);
	put_and_flush(a, 1);
	put_and_flush(b, 1);
	put_and_flush(c, 1);
	CHECK(keeper_finish(keeper) == 0);
	put_and_flush(a, 2);
	CHECK(is_synced(a->file));
	put_and_flush(b, 2);
	CHECK(is_synced(a->file));
	CHECK(!is_synced(c->file));
	put_and_flush(b, 3);
	CHECK(!is_synced(a->file));
	/* Written while one is made: the next one's. */
	put_and_flush(b, 4);
	advance(61 * LOOP_S);
	sync = keeper_round(keeper);
	CHECK(sync != NULL);
	put_and_flush(a, 3);
	CHECK(keeper_checkpoint(keeper, sync) == 0);
	CHECK(is_synced(a->file));
	/* The same while one fails. */
	advance(61 * LOOP_S);
	hide(a->file, true);
	sync = keeper_round(keeper);
	hide(a->file, false);
	CHECK(sync != NULL);
	put_and_flush(c, 2);
	CHECK(keeper_checkpoint(keeper, sync) == -1);
	CHECK(is_synced(c->file));
	CHECK(is_synced(a->file));
	CHECK(!is_synced(b->file));
	end();
}

static void
a_hold_for_a_backup_keeps_the_checkpoint_then_the_segments(void)
{
	const struct series *series;
	struct fail why = { "" };
	uint64_t before;
	time_t was;

	begin();
	series = add_series("d/p", "d/points.rrd", "p", STEP);
	for (int64_t slot = 1; slot <= 2000; slot++) {
		put(series, slot, (double)slot);
		if (slot % 50 == 0)
			commit();
	}
	CHECK(keeper_flush_all(keeper, &why) == 1);
	before = segment_count();
	CHECK(before > 3);
	advance(100 * LOOP_S);
	go_round();
	CHECK(segment_count() < before);
	keeper_hold(keeper, KEEPER_STILL);
	CHECK(keeper_is_still(keeper));
	was = checkpoint_changed();
	for (int64_t slot = 2001; slot <= 4000; slot++) {
		put(series, slot, (double)slot);
		if (slot % 50 == 0)
			commit();
	}
	before = segment_count();
	CHECK(keeper_flush_all(keeper, &why) == 1);
	advance(100 * LOOP_S);
	go_round();
	CHECK_INT(checkpoint_changed(), was);
	CHECK_INT(segment_count(), before);
	keeper_hold(keeper, KEEPER_SEGMENTS);
	go_round();
	CHECK(checkpoint_changed() != was);
	CHECK_INT(segment_count(), before);
	keeper_hold(keeper, KEEPER_FREE);
	put(series, 4001, 1);
	commit();
	CHECK(keeper_flush_all(keeper, &why) == 1);
	advance(100 * LOOP_S);
	go_round();
	CHECK(segment_count() < before);
	end();
}

/* ---- disks that refuse ---- */

/* A file system of its own below rrd_dir; false, and said, where that is not allowed. */
static bool
mount_small(const char *size)
{
	if (mount("tmpfs", options.rrd_dir, "tmpfs", 0, size) == 0)
		return true;
	print_message("skipped: no file system can be mounted here: %s\n", strerror(errno));
	return false;
}

static void
a_read_only_disk_keeps_everything_until_it_takes_again(void)
{
	struct store_health health;
	const struct series *a;
	struct fail why;

	begin();
	if (mount_small("size=4m")) {
		a = add_series("d/a", "d/points.rrd", "a", STEP);
		put(a, 1, 1);
		flush("d/points.rrd");
		CHECK(mount(NULL, options.rrd_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
		put(a, 2, 2);
		commit();
		CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
		CHECK(strstr(why.text, "Read-only file system") != NULL);
		keeper_health(keeper, &health);
		CHECK(health.degraded && health.rows == 1);
		CHECK(mount(NULL, options.rrd_dir, NULL, MS_REMOUNT, NULL) == 0);
		put(a, 3, 3);
		flush("d/points.rrd");
		CHECK(fetch("d/points.rrd", "a", 2) == 2 && fetch("d/points.rrd", "a", 3) == 3);
		CHECK(umount2(options.rrd_dir, MNT_DETACH) == 0);
	}
	end();
}

static void
a_full_disk_makes_a_new_file_wait_and_the_others_go_on(void)
{
	const struct series *a, *b;
	struct fail why;
	char path[400];
	int fd;

	begin();
	if (mount_small("size=1m")) {
		a = add_series("d/a", "d/points.rrd", "a", STEP);
		b = add_series("e/b", "e/points.rrd", "b", STEP);
		put(a, 1, 1);
		put(b, 1, 10);
		flush("d/points.rrd");
		snprintf(path, sizeof path, "%s/ballast", options.rrd_dir);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		while (write(fd, path, sizeof path) > 0)
			;
		close(fd);
		CHECK(keeper_flush(keeper, "e/points.rrd", &why) == -1);
		CHECK(strstr(why.text, "No space left on device") != NULL);
		put(a, 2, 2);
		put(b, 2, 20);
		flush("d/points.rrd");
		CHECK(fetch("d/points.rrd", "a", 2) == 2);
		CHECK(unlink(path) == 0);
		flush("e/points.rrd");
		CHECK(fetch("e/points.rrd", "b", 1) == 10 && fetch("e/points.rrd", "b", 2) == 20);
		CHECK(umount2(options.rrd_dir, MNT_DETACH) == 0);
	}
	end();
}

/* ---- files at which the store dies ---- */

/* A store's life that ends inside the update of that file, by a fault of its own. */
static void
die_in(const char *file)
{
	struct whereabouts page;
	int fd = open(scratch_path("where"), O_RDWR);

	whereabouts_enter_file(file);
	keeper_close(keeper);
	CHECK(pread(fd, &page, sizeof page, 0) == (ssize_t)sizeof page);
	page.fault[WHERE_STORE] = SIGBUS;
	CHECK(pwrite(fd, &page, sizeof page, 0) == (ssize_t)sizeof page);
	close(fd);
	whereabouts_open(scratch);
	whereabouts_begin(WHERE_STORE);
	open_keeper();
}

static void
a_list_of_killers_that_cannot_be_saved_is_saved_once_it_can_be(void)
{
	static const char *const files[] = { "d/x.rrd", "d/y.rrd" };
	const struct series *series[2];
	struct store_health health;
	struct fail why;
	unsigned before;

	begin();
	whereabouts_open(scratch);
	whereabouts_begin(WHERE_STORE);
	for (int i = 0; i < 2; i++) {
		series[i] = add_series(files[i], files[i], "v", STEP);
		put(series[i], 1, i);
		flush(files[i]);
	}
	CHECK(keeper_finish(keeper) == 0);
	CHECK(mkdir(scratch_path("quarantine.new"), 0700) == 0); /* in its way */
	for (int death = 0; death < 3; death++)
		die_in(files[0]);
	CHECK(access(scratch_path("quarantine"), F_OK) == -1);
	before = lines;
	for (int minute = 0; minute < 3; minute++) {
		advance(61 * LOOP_S);
		go_round();
	}
	CHECK_INT(lines, before); /* told once */
	CHECK(rmdir(scratch_path("quarantine.new")) == 0);
	advance(61 * LOOP_S);
	go_round();
	CHECK(access(scratch_path("quarantine"), F_OK) == 0);
	kill_keeper();
	for (int i = 0; i < 2; i++)
		put(series[i], 2, i);
	commit();
	CHECK(keeper_flush(keeper, files[0], &why) == -1);
	flush(files[1]);
	keeper_health(keeper, &health);
	CHECK(health.degraded && health.quarantined == 1);
	whereabouts_close();
	end();
}

static void
two_files_that_kill_in_turn_are_both_left_alone_until_they_are_other_files(void)
{
	static const char *const files[] = { "d/x.rrd", "d/y.rrd", "d/z.rrd" };
	const struct series *series[3];
	struct store_health health;
	struct fail why;
	char path[400], other[400];

	begin();
	whereabouts_open(scratch);
	whereabouts_begin(WHERE_STORE);
	for (int i = 0; i < 3; i++) {
		series[i] = add_series(files[i], files[i], "v", STEP);
		put(series[i], 1, i);
		flush(files[i]);
	}
	CHECK(keeper_finish(keeper) == 0);
	for (int death = 0; death < 3; death++)
		for (int i = 0; i < 2; i++) {
			die_in(files[i]);
			put(series[2], 2 + 2 * death + i, 7);
			flush(files[2]);
		}
	for (int i = 0; i < 3; i++)
		put(series[i], 8, 8);
	commit();
	kill_keeper();
	for (int i = 0; i < 2; i++) {
		CHECK(keeper_flush(keeper, files[i], &why) == -1);
		CHECK(strstr(why.text, files[i]) != NULL && strstr(why.text, "killed the store 3 times"));
	}
	flush(files[2]);
	CHECK(fetch(files[2], "v", 7) == 7 && fetch(files[2], "v", 8) == 8);
	keeper_health(keeper, &health);
	CHECK(health.degraded && health.quarantined == 2 && strstr(health.reason, "d/y.rrd") != NULL);
	snprintf(path, sizeof path, "%s/d/x.rrd", options.rrd_dir);
	snprintf(other, sizeof other, "%s/d/x.old", options.rrd_dir);
	CHECK(rename(path, other) == 0);
	advance(61 * LOOP_S);
	go_round();
	put(series[0], 9, 9);
	flush(files[0]);
	CHECK(fetch(files[0], "v", 9) == 9);
	keeper_health(keeper, &health);
	CHECK(health.quarantined == 1);
	/* What the file that was moved away has, has its values there. */
	CHECK(keeper_finish(keeper) == 0);
	CHECK(said_of(series[0], 1) == REASON_GOOD && said_of(series[0], 8) == REASON_STORE_FULL);
	CHECK(said_of(series[0], 9) == REASON_GOOD);
	CHECK(said_of(series[1], 1) == REASON_GOOD && said_of(series[1], 8) == REASON_STORE_FULL);
	CHECK(said_of(series[2], 8) == REASON_GOOD);
	put(series[1], 9, 9);
	put(series[2], 9, 9);
	commit();
	CHECK(keeper_finish(keeper) == 0);
	kill_keeper();
	put(series[1], 10, 9);
	put(series[2], 10, 9);
	commit();
	CHECK(keeper_finish(keeper) == -1);
	CHECK(said_of(series[1], 9) == REASON_STORE_FULL && said_of(series[1], 10) == REASON_STORE_FULL);
	CHECK(fetch(files[1], "v", 1) == 1 && fetch(files[2], "v", 10) == 9);
	whereabouts_close();
	end();
}

/* ---- journals of other versions ---- */

static struct {
	uint8_t bytes[4096];
	size_t used;
} octets;

static void
octet_number(uint64_t value, int size)
{
	for (int i = 0; i < size; i++)
		octets.bytes[octets.used++] = (uint8_t)(value >> 8 * i);
}

/* CRC-32C (RFC 3720 section 12.1), bit by bit. */
static uint32_t
octet_crc(size_t from, size_t to)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = from; i < to; i++) {
		crc ^= octets.bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
	}
	return ~crc;
}

static size_t
octet_frame(uint8_t kind, uint8_t version, uint64_t sequence)
{
	size_t frame = octets.used;

	octet_number(0, 8); /* size, checksum */
	octet_number(kind, 1);
	octet_number(version, 1);
	octet_number(0, 2);
	octet_number(sequence, 8);
	return frame;
}

static void
octet_end(size_t frame)
{
	size_t end = octets.used;
	uint32_t crc = octet_crc(frame + 8, end);

	octets.used = frame;
	octet_number(end - frame - 20, 4);
	octet_number(crc, 4);
	octets.used = end;
}

/* A segment as the versions before KIND_ROWS wrote it, of the next number: a snapshot, then a
 * value with its raw reading, a value alone and a time-out of slot 5, and a run. */
static void
write_old_segment(uint64_t number, uint32_t a, uint32_t b, uint32_t c)
{
	char path[64];
	double value = 12.5;
	uint64_t bits;
	size_t frame;
	FILE *to;

	octets.used = 0;
	memcpy(octets.bytes, "PWJRNL01", 8);
	octets.used = 8;
	octet_number(number, 8);
	octet_number(FIRST * STEP, 8);
	octet_number(octet_crc(0, octets.used), 4);
	octet_end(octet_frame(6, 1, 1000));
	octet_end(octet_frame(7, 1, 1001));
	frame = octet_frame(1, 1, 1002);
	octet_number(FIRST + 5, 8);
	octet_number(STEP, 8);
	octet_number((FIRST + 5) * STEP + 7000, 8);
	octet_number(3, 4);
	memcpy(&bits, &value, 8);
	for (uint32_t i = 0; i < 3; i++) {
		octet_number((const uint32_t[]){ a, b, c }[i], 4);
		octet_number(i == 2 ? REASON_TIMEOUT : 0, 1);
		octet_number((const uint64_t[]){ 3, 1, 0 }[i], 1);
		octet_number(0, 2);
		octet_number((uint32_t)-5, 4);
		if (i < 2)
			octet_number(bits, 8);
		if (i == 0)
			octet_number(125, 8);
	}
	octet_end(frame);
	frame = octet_frame(2, 1, 1003);
	octet_number(c, 4);
	octet_number(REASON_POLLER_DOWN, 1);
	octet_number(0, 3);
	octet_number(FIRST + 6, 8);
	octet_number(FIRST + 8, 8);
	octet_number(FIRST * STEP, 8);
	octet_end(frame);
	snprintf(path, sizeof path, "journal/%016llx.seg", (unsigned long long)number);
	to = fopen(scratch_path(path), "w");
	CHECK(to != NULL && fwrite(octets.bytes, 1, octets.used, to) == octets.used);
	CHECK(fclose(to) == 0);
}

static struct writer *
open_writer(uint64_t sequence)
{
	struct writer_options writing = { .state_dir = scratch, .segment_size = 20000 };
	static const struct writer_events events = { .snapshot = empty_snapshot };
	struct writer *opened = writer_open(loop, &writing, &events, sequence, NULL);

	CHECK(opened != NULL);
	return opened;
}

static void
a_journal_of_the_versions_before_rows_is_stored_octet_by_octet(void)
{
	const struct series *a, *b, *c;
	struct ledger_view *view;
	struct tally tally = { { 0 } };
	struct store_health health;
	uint64_t *numbers;
	size_t count;

	begin();
	a = add_series("d/a", "a.rrd", "v", STEP);
	b = add_series("d/b", "b.rrd", "v", STEP);
	c = add_series("d/c", "c.rrd", "v", STEP);
	put(a, 4, 1);
	commit();
	CHECK(writer_close(writer));
	count = reader_segments(scratch, &numbers);
	write_old_segment(numbers[count - 1] + 1, a->id, b->id, c->id);
	free(numbers);
	writer = open_writer(2000);
	put(a, 6, 14);
	flush("a.rrd");
	flush("b.rrd");
	CHECK(fetch("a.rrd", "v", 4) == 1 && fetch("a.rrd", "v", 5) == 12.5);
	CHECK(fetch("a.rrd", "v", 6) == 14 && fetch("b.rrd", "v", 5) == 12.5);
	keeper_health(keeper, &health);
	CHECK(health.damaged == 0 && !health.degraded);
	CHECK(keeper_finish(keeper) == 0);
	view = ledger_open_reader(scratch, NULL);
	ledger_tally(view, c, 0, INT64_MAX / 2, &tally);
	CHECK_INT(tally.count[REASON_TIMEOUT], 1);
	CHECK_INT(tally.count[REASON_POLLER_DOWN], 3);
	ledger_close_reader(view);
	end();
}

/* Both are followed by what is known, and that is stored. */
static void
what_a_newer_version_wrote_is_left_out_and_said_once(void)
{
	static const uint8_t body[40] = { 1, 2, 3 };
	const struct series *series;
	struct store_health health;
	uint64_t *numbers;
	size_t count;
	char path[64];
	FILE *to;

	begin();
	series = add_series("d/v", "v.rrd", "v", STEP);
	put(series, 1, 1);
	CHECK(writer_record(writer, (enum record_kind)99, body, sizeof body) > 0);
	put(series, 2, 2);
	commit();
	CHECK(writer_close(writer));
	count = reader_segments(scratch, &numbers);
	snprintf(path, sizeof path, "journal/%016llx.seg", (unsigned long long)numbers[count - 1]);
	free(numbers);
	octets.used = 0;
	octet_end(octet_frame(1, 2, 1000)); /* samples as version 2 of frames has them */
	to = fopen(scratch_path(path), "a");
	CHECK(to != NULL && fwrite(octets.bytes, 1, octets.used, to) == octets.used);
	CHECK(fclose(to) == 0);
	writer = open_writer(2000);
	put(series, 3, 3);
	lines = 0;
	flush("v.rrd");
	for (int slot = 1; slot <= 3; slot++)
		CHECK(fetch("v.rrd", "v", slot) == slot);
	keeper_health(keeper, &health);
	CHECK(health.degraded && health.damaged == 2);
	CHECK(strstr(health.reason, "of a newer version") != NULL);
	CHECK_INT(lines, 1);
	end();
}

/* ---- what was left alone and has changed ---- */

static int left_alone; /* lines that say so */

static void
count_left_alone(char level, const char *line, void *arg)
{
	(void)level, (void)arg;
	left_alone += strstr(line, "not written any more") != NULL;
}

/* The file is the same inode before and after. */
static void
write_over(const char *file, const uint8_t *bytes, size_t size)
{
	char path[400];
	FILE *to;

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	to = fopen(path, "r+");
	CHECK(to != NULL);
	CHECK(fwrite(bytes, 1, size, to) == size);
	CHECK(ftruncate(fileno(to), (off_t)size) == 0);
	fclose(to);
}

static void
touch(const char *file, time_t at)
{
	struct timespec times[2] = { { .tv_sec = at }, { .tv_sec = at } };
	char path[400];

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static bool
is_written(const struct series *series, const char *file, int slot)
{
	struct fail why;

	advance(61 * LOOP_S);
	go_round();
	put(series, slot, slot);
	commit();
	return keeper_flush(keeper, file, &why) != -1 && fetch(file, "v", slot) == slot;
}

static void
a_file_that_is_mended_in_its_place_is_written_again(void)
{
	const struct series *series;
	struct store_health health;
	uint8_t *sound;
	size_t size;

	begin();
	log_catch(count_left_alone, NULL);
	left_alone = 0;
	series = add_series("d/v", "v.rrd", "v", STEP);
	CHECK(is_written(series, "v.rrd", 1));
	sound = read_rrd("v.rrd", &size);
	kill_keeper();
	write_over("v.rrd", (const uint8_t *)"not an RRD any more", 19);
	CHECK(!is_written(series, "v.rrd", 2));
	touch("v.rrd", 1000000000);
	CHECK(!is_written(series, "v.rrd", 3));
	touch("v.rrd", 1000000001);
	CHECK(!is_written(series, "v.rrd", 4));
	CHECK_INT(left_alone, 1); /* it is as bad as it was */
	write_over("v.rrd", sound, size);
	CHECK(is_written(series, "v.rrd", 5));
	keeper_health(keeper, &health);
	CHECK_INT(health.quarantined, 0);
	free(sound);
	log_catch(NULL, NULL);
	end();
}

static void
a_killer_that_changed_in_its_place_has_one_more_chance(void)
{
	const struct series *series;

	begin();
	whereabouts_open(scratch);
	whereabouts_begin(WHERE_STORE);
	series = add_series("d/v", "v.rrd", "v", STEP);
	CHECK(is_written(series, "v.rrd", 1));
	for (int death = 0; death < 3; death++)
		die_in("v.rrd");
	CHECK(!is_written(series, "v.rrd", 2));
	kill_keeper();
	CHECK(!is_written(series, "v.rrd", 3));
	touch("v.rrd", 1000000000);
	CHECK(is_written(series, "v.rrd", 4));
	for (int death = 0; death < 3; death++)
		die_in("v.rrd");
	CHECK(!is_written(series, "v.rrd", 5));
	touch("v.rrd", 1000000001);
	CHECK(!is_written(series, "v.rrd", 6));
	kill_keeper();
	CHECK(!is_written(series, "v.rrd", 7));
	whereabouts_close();
	end();
}

/* A slot's values may come in records of their own. */
static void
a_flush_between_the_values_of_a_slot_loses_none_after_a_restart_or_at_first(void)
{
	const struct series *one, *other;

	begin();
	one = add_series("press/one", "press/points.rrd", "one", STEP);
	other = add_series("press/other", "press/points.rrd", "other", STEP);
	put(one, 1, 11);
	flush("press/points.rrd");
	put(other, 1, 21);
	flush("press/points.rrd");
	CHECK(keeper_finish(keeper) == 0);
	kill_keeper();
	put(one, 2, 12);
	flush("press/points.rrd");
	put(other, 2, 22);
	put(one, 3, 13);
	put(other, 3, 23);
	flush("press/points.rrd");
	for (int slot = 1; slot <= 3; slot++) {
		CHECK(fetch("press/points.rrd", "one", slot) == 10 + slot);
		CHECK(fetch("press/points.rrd", "other", slot) == 20 + slot);
	}
	end();
}

static void
a_point_that_is_gone_holds_up_a_file_for_three_slots_at_most(void)
{
	const struct series *one;

	begin();
	one = add_series("press/one", "press/points.rrd", "one", STEP);
	add_series("press/gone", "press/points.rrd", "gone", STEP);
	for (int slot = 1; slot <= 5; slot++)
		put(one, slot, 10 + slot);
	flush("press/points.rrd");
	CHECK(fetch("press/points.rrd", "one", 5) == 15);
	end();
}

static void
what_a_killed_creation_left_behind_goes_and_nothing_else(void)
{
	const struct series *a, *b;
	char path[400];
	FILE *file;

	begin();
	snprintf(path, sizeof path, "%s/d", options.rrd_dir);
	CHECK(mkdir(path, 0700) == 0);
	snprintf(path, sizeof path, "%s/d/.pollwerk.new", options.rrd_dir);
	CHECK(mkdir(path, 0700) == 0);
	strcat(path, "/rrdAbCdEf");
	file = fopen(path, "w");
	CHECK(file != NULL && fclose(file) == 0);
	snprintf(path, sizeof path, "%s/d/points.rrdbackup", options.rrd_dir);
	file = fopen(path, "w");
	CHECK(file != NULL && fclose(file) == 0);
	a = add_series("d/a", "d/points.rrd", "a", STEP);
	put(a, 1, 1);
	flush("d/points.rrd");
	CHECK(exists("d/points.rrd") && exists("d/points.rrdbackup") && !exists("d/.pollwerk.new"));
	b = add_series("d/b", "d/points.rrd", "b", STEP);
	put(b, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "a", 1) == 1 && !exists("d/.pollwerk.new"));
	put(a, 2, 2);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "b", 2) == 2);
	/* Power fails when the file has its name: nothing is made in that folder any more. */
	snprintf(path, sizeof path, "%s/d/.pollwerk.new", options.rrd_dir);
	CHECK(mkdir(path, 0700) == 0);
	kill_keeper();
	put(a, 3, 3);
	put(b, 3, 4);
	flush("d/points.rrd");
	CHECK(fetch("d/points.rrd", "b", 3) == 4 && !exists("d/.pollwerk.new"));
	end();
}

static void
a_file_with_holes_on_a_full_disk_waits_instead_of_killing_the_store(void)
{
	const struct series *a;
	struct fail why;
	char path[400], ballast[400];
	struct stat info;
	int fd;

	begin();
	if (mount_small("size=1m")) {
		a = add_series("d/a", "d/points.rrd", "a", STEP);
		put(a, 1, 1);
		flush("d/points.rrd");
		snprintf(path, sizeof path, "%s/d/points.rrd", options.rrd_dir);
		fd = open(path, O_RDWR);
		CHECK(fd != -1 && fstat(fd, &info) == 0);
		/* As a copy made with tar -S or rsync -S has them. */
		CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
			info.st_size - 4096) == 0);
		close(fd);
		snprintf(ballast, sizeof ballast, "%s/ballast", options.rrd_dir);
		fd = open(ballast, O_WRONLY | O_CREAT, 0600);
		while (write(fd, path, sizeof path) > 0)
			;
		close(fd);
		kill_keeper();
		put(a, 2, 2);
		commit();
		CHECK(keeper_flush(keeper, "d/points.rrd", &why) == -1);
		CHECK(strstr(why.text, "No space left on device") != NULL);
		CHECK(unlink(ballast) == 0);
		flush("d/points.rrd");
		CHECK(fetch("d/points.rrd", "a", 2) == 2);
		CHECK(umount2(options.rrd_dir, MNT_DETACH) == 0);
	}
	end();
}

/* ---- kills ---- */

/* librrd multiplies by the step and divides again: the last bits may differ. */
static bool
same(double is, double wanted)
{
	return isnan(wanted) ? isnan(is) : fabs(is - wanted) <= 1e-12 * fabs(wanted);
}

static uint64_t seed;

static unsigned
random_below(unsigned limit)
{
	return dice_below(&seed, limit);
}

#define KILL_SLOTS 400

static void
play_with_kills(uint64_t with)
{
	const struct series *series[4];
	static double model[4][KILL_SLOTS + 1];
	static const char *const files[] = { "d/x.rrd", "d/x.rrd", "e/y.rrd", "e/y.rrd" };
	static const char *const names[] = { "a", "b", "a", "b" };
	struct ledger_view *view;

	seed = with;
	begin();
	for (int i = 0; i < 4; i++) {
		char path[20];

		snprintf(path, sizeof path, "%c/%s", files[i][0], names[i]);
		series[i] = add_series(path, files[i], names[i], STEP);
	}
	for (int slot = 1; slot <= KILL_SLOTS; slot++) {
		for (int i = 0; i < 4; i++) {
			model[i][slot] = random_below(8) == 0 ? (double)NAN : random_below(1000) / 7.0;
			put(series[i], slot, model[i][slot]);
		}
		if (random_below(4) == 0)
			commit();
		advance(random_below(3) * STEP);
		keeper_read(keeper, random_below(20));
		if (random_below(5) == 0)
			go_round();
		if (random_below(20) == 0)
			kill_keeper();
	}
	commit();
	CHECK(keeper_read(keeper, 100000));
	CHECK(keeper_finish(keeper) == 0);
	view = ledger_open_reader(scratch, NULL);
	for (int i = 0; i < 4; i++) {
		struct tally tally = { { 0 } };
		uint64_t good = 0;

		for (int slot = 1; slot <= KILL_SLOTS; slot++) {
			double is = fetch(files[i], names[i], slot);

			good += !isnan(model[i][slot]);
			if (!same(is, model[i][slot]))
				print_error("seed %llu %s %s slot %d: %g, wanted %g\n",
					(unsigned long long)with, files[i], names[i], slot, is,
					model[i][slot]);
			CHECK(same(is, model[i][slot]));
		}
		ledger_tally(view, series[i], 0, INT64_MAX / 2, &tally);
		CHECK(tally_expected(&tally) == KILL_SLOTS && tally_good(&tally) == good);
	}
	ledger_close_reader(view);
	end();
}

static void
kills_at_random_lose_no_row_and_change_none(void)
{
	for (uint64_t with = 1; with <= 8; with++)
		play_with_kills(with);
}

/* ---- power cuts ---- */

#define PAGE 4096

/* Each page is the older or the newer one, as the disk had got to. */
static void
tear_rrd(const char *file, const uint8_t *older, const uint8_t *newer, size_t size)
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "%s/%s", options.rrd_dir, file);
	fd = open(path, O_WRONLY);
	CHECK(fd != -1);
	for (size_t at = 0; at < size; at += PAGE) {
		size_t length = size - at < PAGE ? size - at : PAGE;

		CHECK(pwrite(fd, (random_below(2) ? older : newer) + at, length, (off_t)at) ==
			(ssize_t)length);
	}
	close(fd);
}

static void
put_random(const struct series *const *series, int first, int last)
{
	for (int slot = first; slot <= last; slot++)
		for (int i = 0; i < 12; i++)
			put(series[i], slot, random_below(5) == 0 ? (double)NAN : random_below(100));
	commit();
}

static void
add_twelve(const struct series **series)
{
	for (int i = 0; i < 12; i++) {
		char path[20];

		snprintf(path, sizeof path, "d/v%d", i);
		series[i] = add_series(path, "d/points.rrd", strchr(path, 'v'), STEP);
	}
}

static void
a_file_torn_page_by_page_comes_back_byte_by_byte(void)
{
	const struct series *series[12];
	uint8_t *older, *newer, *again;
	size_t size, size_again;

	seed = 4;
	begin();
	add_twelve(series);
	put_random(series, 1, 1000);
	CHECK(keeper_finish(keeper) == 0);
	older = read_rrd("d/points.rrd", &size);
	put_random(series, 1001, 1900);
	flush("d/points.rrd");
	newer = read_rrd("d/points.rrd", &size);
	CHECK(memcmp(older, newer, size) != 0);
	for (int round = 0; round < 30; round++) {
		keeper_close(keeper);
		tear_rrd("d/points.rrd", older, newer, size);
		open_keeper();
		flush("d/points.rrd");
		again = read_rrd("d/points.rrd", &size_again);
		CHECK(size_again == size && memcmp(again, newer, size) == 0);
		free(again);
	}
	free(older);
	free(newer);
	end();
}

/* Disk full, or a file's limit, at any octet of any piece; every other time the store dies before it
 * can make that good. */
static void
a_write_that_fails_at_any_octet_leaves_the_same_file_in_the_end(void)
{
	const struct series *series[12];
	uint8_t *older, *newer, *again;
	size_t size, size_again;
	unsigned failed = 0;
	struct fail why;

	seed = 5;
	begin();
	add_twelve(series);
	put_random(series, 1, 1000);
	CHECK(keeper_finish(keeper) == 0);
	older = read_rrd("d/points.rrd", &size);
	put_random(series, 1001, 1400);
	flush("d/points.rrd");
	newer = read_rrd("d/points.rrd", &size);
	for (int round = 0; round < 60; round++) {
		keeper_close(keeper);
		tear_rrd("d/points.rrd", older, older, size);
		open_keeper();
		keeper_catch_up(keeper);
		shortage_octets((int64_t)random_below((unsigned)size));
		failed += keeper_flush(keeper, "d/points.rrd", &why) == -1;
		shortage_octets(SHORTAGE_NONE);
		if (round % 2 == 0)
			kill_keeper();
		advance(11 * LOOP_S);
		flush("d/points.rrd");
		again = read_rrd("d/points.rrd", &size_again);
		CHECK(size_again == size && memcmp(again, newer, size) == 0);
		free(again);
	}
	CHECK(failed > 10);
	free(older);
	free(newer);
	end();
}

/* ---- 200 of them, at any time, also while a checkpoint is under way ---- */

#define CUTS 200
#define CUT_FILES 3

struct cut_plant {
	const struct series *series[12];
	struct filesync *sync;      /* handed out and not given back */
	uint8_t *durable[CUT_FILES]; /* what surely is on disk; any page may be newer */
	size_t size[CUT_FILES];
	int slot;
};
static const char *const cut_files[CUT_FILES] = { "d/a.rrd", "d/b.rrd", "e/c.rrd" };

static void
become_durable(struct cut_plant *plant)
{
	for (int i = 0; i < CUT_FILES; i++) {
		free(plant->durable[i]);
		plant->durable[i] = read_rrd(cut_files[i], &plant->size[i]);
	}
}

static void
put_slots(struct cut_plant *plant, int count)
{
	for (; count > 0; count--) {
		plant->slot++;
		for (int i = 0; i < 12; i++)
			put(plant->series[i], plant->slot,
				random_below(6) == 0 ? (double)NAN : random_below(1000) / 7.0);
	}
	commit();
}

/* The next checkpoint is due; what it syncs is on disk at some moment before it is made. */
static void
begin_checkpoint(struct cut_plant *plant)
{
	if (plant->sync != NULL)
		return;
	advance(61 * LOOP_S);
	keeper_read(keeper, random_below(30));
	plant->sync = keeper_round(keeper);
}

static void
end_checkpoint(struct cut_plant *plant)
{
	if (plant->sync == NULL)
		return;
	become_durable(plant);
	if (random_below(2))
		keeper_flush(keeper, cut_files[random_below(CUT_FILES)], NULL);
	CHECK(keeper_checkpoint(keeper, plant->sync) == 0);
	plant->sync = NULL;
}

static void
live_a_little(struct cut_plant *plant)
{
	for (unsigned turns = 1 + random_below(6); turns > 0; turns--) {
		switch (random_below(6)) {
		case 0: begin_checkpoint(plant); break;
		case 1: end_checkpoint(plant); break;
		case 2: keeper_flush(keeper, cut_files[random_below(CUT_FILES)], NULL); break;
		default: put_slots(plant, 1 + (int)random_below(40));
		}
	}
}

static void
cut_power(struct cut_plant *plant)
{
	if (plant->sync != NULL)
		filesync_end(plant->sync, NULL);
	plant->sync = NULL;
	keeper_close(keeper);
	for (int i = 0; i < CUT_FILES; i++) {
		uint8_t *newer = read_rrd(cut_files[i], &plant->size[i]);

		tear_rrd(cut_files[i], plant->durable[i], newer, plant->size[i]);
		free(newer);
	}
	/* What lies there now is what the disk has. */
	become_durable(plant);
	open_keeper();
}

/* A gap that a flush has parted leaves another one there than a gap in one piece does; no row gets
 * either (tests/unit/store/test_append). */
static void
leave_out_fills_of_single_slots(uint8_t *bytes)
{
	size_t ds_count = offsets_number(bytes, OFFSETS_DS_COUNT);
	size_t count = offsets_number(bytes, OFFSETS_RRA_COUNT);
	uint8_t *definition = bytes + OFFSETS_STATIC + OFFSETS_DEFINITION * ds_count;
	uint8_t *carry = bytes + offsets_carry(ds_count, count);

	for (size_t i = 0; i < count; i++, definition += OFFSETS_DEFINITION)
		for (size_t ds = 0; ds < ds_count; ds++, carry += OFFSETS_CARRY)
			if (offsets_number(definition, OFFSETS_SLOTS) == 1)
				memset(carry + OFFSETS_FILL, 0, sizeof(double));
}

static uint8_t *
read_all_that_counts(const char *file, size_t *size)
{
	uint8_t *bytes = read_rrd(file, size);

	leave_out_fills_of_single_slots(bytes);
	return bytes;
}

/* Both slots without a value of the gap are written by one call, or by two. */
static void
a_gap_that_a_flush_parts_leaves_the_same_file_as_one_in_one_piece(void)
{
	uint8_t *older, *parted, *whole;
	const struct series *series;
	size_t size;

	begin();
	series = add_series("d/a", "d/points.rrd", "a", STEP);
	put(series, 1, 1);
	commit();
	CHECK(keeper_finish(keeper) == 0);
	older = read_rrd("d/points.rrd", &size);
	for (int slot = 2; slot <= 4; slot++) {
		put(series, slot, slot < 4 ? (double)NAN : slot);
		flush("d/points.rrd");
	}
	parted = read_all_that_counts("d/points.rrd", &size);
	keeper_close(keeper);
	tear_rrd("d/points.rrd", older, older, size);
	open_keeper();
	flush("d/points.rrd");
	whole = read_all_that_counts("d/points.rrd", &size);
	CHECK(memcmp(whole, older, size) != 0 && memcmp(whole, parted, size) == 0);
	free(older);
	free(parted);
	free(whole);
	end();
}

static void
any_of_200_torn_states_comes_back_byte_by_byte_even_between_two_checkpoints(void)
{
	struct cut_plant plant = { .slot = 0 };
	unsigned between = 0;

	seed = 7;
	begin();
	for (int i = 0; i < 12; i++) {
		char path[20];

		snprintf(path, sizeof path, "%s/v%d", i < 8 ? "d" : "e", i);
		plant.series[i] = add_series(path, cut_files[i < 6 ? 0 : i < 8 ? 1 : 2],
			strchr(path, 'v'), STEP);
	}
	put_slots(&plant, 300);
	CHECK(keeper_finish(keeper) == 0);
	become_durable(&plant);
	for (int cut = 0; cut < CUTS; cut++) {
		uint8_t *wanted[CUT_FILES];
		size_t size;

		live_a_little(&plant);
		CHECK(keeper_flush_all(keeper, NULL) != -1);
		for (int i = 0; i < CUT_FILES; i++)
			wanted[i] = read_all_that_counts(cut_files[i], &size);
		between += plant.sync != NULL;
		cut_power(&plant);
		CHECK(keeper_flush_all(keeper, NULL) != -1);
		for (int i = 0; i < CUT_FILES; i++) {
			uint8_t *is = read_all_that_counts(cut_files[i], &size);

			if (size != plant.size[i] || memcmp(is, wanted[i], size) != 0)
				print_error("cut %d of seed 7: %s differs\n", cut, cut_files[i]);
			CHECK(size == plant.size[i] && memcmp(is, wanted[i], size) == 0);
			free(is);
			free(wanted[i]);
		}
	}
	print_message("%d torn states of %d files, %u of them inside a checkpoint: all identical\n",
		CUTS, CUT_FILES, between);
	for (int i = 0; i < CUT_FILES; i++)
		free(plant.durable[i]);
	if (plant.sync != NULL)
		filesync_end(plant.sync, NULL);
	end();
}

RUN_TESTS(TEST(one_lost_slot_is_one_unknown_row_and_nothing_else),
	TEST(a_run_of_lost_slots_leaves_both_neighbours_whole),
	TEST(a_value_lost_in_one_point_leaves_the_others_of_that_slot),
	TEST(a_row_waits_until_it_is_whole),
	TEST(a_new_point_gets_its_place_in_an_existing_file),
	TEST(files_are_written_within_flush_without_being_asked),
	TEST(short_memory_writes_early_and_loses_nothing),
	TEST(with_few_descriptors_checkpoints_are_made_and_nothing_is_lost),
	TEST(descriptors_that_run_out_at_any_moment_lose_nothing),
	TEST(a_sync_without_a_descriptor_is_one_of_the_file_system_or_says_so),
	TEST(a_write_that_fails_halfway_is_made_good),
	TEST(many_new_files_are_made_in_turn_and_a_flush_does_not_wait_for_them),
	TEST(files_are_made_for_half_of_the_time_at_most),
	TEST(a_flush_is_answered_within_100_ms_while_many_files_are_written),
	TEST(a_long_catalogue_is_taken_up_in_slices_and_then_all_is_known),
	TEST(what_a_new_point_brought_waits_while_the_catalogue_cannot_be_read),
	TEST(what_waits_for_the_catalogue_outlives_the_store),
	TEST(memory_is_freed_in_slices_too),
	TEST(the_ledger_counts_text_points_and_no_file_is_made_for_them),
	TEST(a_missing_folder_is_logged_once_and_everything_is_written_when_it_is_back),
	TEST(a_missing_folder_with_short_memory_leaves_the_rest_in_the_journal),
	TEST(a_locked_file_waits_alone_and_keeps_its_order),
	TEST(a_file_of_another_step_or_none_of_ours_is_left_alone_and_its_values_are_store_full),
	TEST(a_file_that_cannot_be_written_right_is_left_alone_by_name),
	TEST(an_archive_that_is_put_into_a_file_of_ours_is_found_at_the_next_checkpoint),
	TEST(a_file_from_the_future_is_left_alone_and_named_with_its_date),
	TEST(what_waits_for_longer_than_the_budget_is_given_up_and_counted),
	TEST(what_would_make_the_journal_too_large_is_given_up_and_counted),
	TEST(a_file_that_was_taken_away_is_begun_anew),
	TEST(a_file_that_takes_the_place_of_another_gets_each_value_by_its_name),
	TEST(a_file_that_is_replaced_while_its_head_is_synced_gets_the_rows),
	TEST(a_slot_far_ahead_of_the_clock_is_held_back),
	TEST(a_store_whose_own_clock_is_wrong_believes_the_pollers),
	TEST(a_jump_of_ten_years_keeps_the_history_under_another_name),
	TEST(a_history_that_cannot_be_synced_is_written_again_before_it_is_put_aside),
	TEST(segments_go_after_a_checkpoint_and_not_before),
	TEST(a_checkpoint_syncs_the_files_that_were_written_since_the_last_one_that_was_made),
	TEST(a_hold_for_a_backup_keeps_the_checkpoint_then_the_segments),
	TEST(a_read_only_disk_keeps_everything_until_it_takes_again),
	TEST(a_full_disk_makes_a_new_file_wait_and_the_others_go_on),
	TEST(a_list_of_killers_that_cannot_be_saved_is_saved_once_it_can_be),
	TEST(two_files_that_kill_in_turn_are_both_left_alone_until_they_are_other_files),
	TEST(a_journal_of_the_versions_before_rows_is_stored_octet_by_octet),
	TEST(what_a_newer_version_wrote_is_left_out_and_said_once),
	TEST(a_file_that_is_mended_in_its_place_is_written_again),
	TEST(a_killer_that_changed_in_its_place_has_one_more_chance),
	TEST(a_flush_between_the_values_of_a_slot_loses_none_after_a_restart_or_at_first),
		TEST(a_point_that_is_gone_holds_up_a_file_for_three_slots_at_most),
		TEST(what_a_killed_creation_left_behind_goes_and_nothing_else),
	TEST(a_file_with_holes_on_a_full_disk_waits_instead_of_killing_the_store),
	TEST(kills_at_random_lose_no_row_and_change_none),
	TEST(a_file_torn_page_by_page_comes_back_byte_by_byte),
	TEST(a_write_that_fails_at_any_octet_leaves_the_same_file_in_the_end),
	TEST(a_gap_that_a_flush_parts_leaves_the_same_file_as_one_in_one_piece),
	TEST(any_of_200_torn_states_comes_back_byte_by_byte_even_between_two_checkpoints))

#include "store/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/reader.h"
#include "journal/whereabouts.h"
#include "store/append.h"
#include "store/checkpoint.h"
#include "store/filesync.h"
#include "store/health.h"
#include "store/layout.h"
#include "store/ledger.h"
#include "store/pending.h"
#include "store/quarantine.h"
#include "store/rrd.h"
#include "store/sheet.h"
#include "store/store.h"
#include "store/turns.h"
#include "store/undo.h"

#define SECOND INT64_C(1000000000)
#define CHECKPOINT_INTERVAL (60 * SECOND)
/* Closed runs are final when they are synced: somebody may wait for them. */
#define LEDGER_INTERVAL (5 * SECOND)
#define RETRY_FOLDER (5 * SECOND)
#define RETRY_FILE (10 * SECOND)
/* A file at whose writing the store died so often in a row is left alone. */
#define DEATHS 3
/* A slot further ahead of the clock is not believed: librrd would refuse all before it. */
#define AHEAD (3600 * SECOND)
/* Over a gap like that librrd would write unknown over all that the file holds: it is kept. */
#define KEEP_HISTORY (366 * 86400 * SECOND)
/* Files whose heads are made safe by one sync. */
#define BATCH 256
#define ROUND_BATCHES 4
/* Within `flush`; the disk shall have the same to do all the time. */
#define TURNS 64
#define TOGETHER (4 * SECOND)
#define READY_MOST 160 /* files that are open at a time: a process may have some more */
/* Work on many files is left for the next call after that: a FLUSH waits for a few of these. */
#define SLICE (20 * SECOND / 1000)
#define SAMPLES_AT_ONCE 128 /* their files' memory is fetched together */
#define RECORDS_MOST 100000 /* in one call that ends with its slice */
#define REGISTER_ONCE 1024 /* series between two looks at the clock */
/* A plant's first start is 100,000 files and hundreds of GB with long profiles. One takes from
 * 2 to 30 ms, by its size and the disk: half of the time is for them, whatever that is in files
 * or octets, and the other half for updates, FLUSH and the disk's other users. A call makes up
 * for a rest of MAKE_REST before it, and makes MAKE_FILES at most. */
#define MAKE_SHARE 2
#define MAKE_REST (SECOND / 5)
#define MAKE_FILES 50

/* Files that have left the turns, on their way: heads first, then rows. */
struct batch {
	struct pending_file *files[BATCH];
	int ready[BATCH]; /* open from the one to the other, at most ready_most; -1 */
	size_t ready_most;
	uint64_t inodes[BATCH]; /* of those */
	size_t count, prepared, written;
	uint64_t heads; /* the checkpoints that `prepared` is about */
};

/* Files whose heads were noted: a checkpoint's sync is about these. One more than are synced
 * singly stands for all others. */
struct noted {
	struct pending_file *files[FILESYNC_SINGLY + 1];
	size_t count;
};

struct keeper {
	struct store_options options;
	int64_t (*clock)(void *arg); /* NULL: no call ends early */
	void *clock_arg;
	int64_t slice_end; /* by that clock */
	bool goes_on;      /* the last call ended early */
	struct batch batch;
	int at_hand; /* the file that is at work, open since its head was noted; -1 */
	bool draining; /* nothing more will come: no row is waited for */
	char *state_dir, *rrd_dir;
	struct series_catalogue *catalogue;
	bool catalogue_taken; /* all that stood there, at least once */
	uint32_t registered; /* catalogue ids up to here are in pending */
	struct pending *pending;
	struct sheet *sheet;
	struct append *append;
	struct turns turns;
	struct pending_file *missing, **missing_end; /* in line to be made */
	/* With a file that has rows and is not there. */
	enum { MISSING_MAKE, MISSING_LINE_UP, MISSING_LEAVE } when_missing;
	bool only_make; /* a file's rows come with those of others, by one sync of all their heads */
	bool making; /* keeper_make_files ended early, after so many: */
	int made_files;
	int64_t make_credit, make_at; /* time that making may take; by the clock, when it was given */
	struct ledger *ledger;
	struct reader *reader;
	bool held; /* the reader's last record is not taken: what it names could not be looked up */
	struct record record; /* that one */
	struct reader_position record_at;
	struct undo *undo;
	struct quarantine *quarantine;
	uint64_t generation; /* of the checkpoint on disk */
	bool checkpointing;  /* the next one is under way, from this position on: */
	struct reader_position position;
	struct noted noted[2]; /* since the one on disk; since the next one was begun */
	uint64_t snapshot;     /* segment in which a whole one was found, 0 none yet */
	int64_t mono, wall;
	int64_t received; /* of the newest sample read */
	bool caught_up, dirty; /* dirty: something was read since the last checkpoint */
	int64_t checkpoint_at, ledger_at, refused_until, refused_since;
	bool refused, reader_failing, checkpoint_failing;
	enum keeper_hold hold;
	char *suspect; /* file in which our predecessor died, or NULL */
	bool void_now; /* see keeper_is_void */
	bool unsynced; /* a sync beside those of checkpoints failed: */
	struct fail reason, bad, doubt; /* bad: why the last file was quarantined */
	uint64_t updates, errors, quarantined, locked, damaged, foreign, strangers;
	uint64_t given_up;
};

/* ---- opening ---- */

static int
restore(struct keeper *keeper, struct fail *why)
{
	struct checkpoint checkpoint;
	struct fail damage;
	int got = checkpoint_read(keeper->state_dir, &checkpoint, &damage);

	if (got == -1)
		log_error("%s: reading the whole journal again", damage.text);
	keeper->ledger = ledger_open(keeper->state_dir,
		got == -1 ? UINT64_MAX : checkpoint.ledger_length, why);
	if (keeper->ledger != NULL) {
		for (size_t i = 0; i < checkpoint.open_count; i++)
			ledger_restore(keeper->ledger, &checkpoint.open[i]);
		keeper->reader = reader_open(keeper->state_dir, &checkpoint.position, why);
	}
	keeper->generation = checkpoint.generation;
	free(checkpoint.open);
	return keeper->reader == NULL ? -1 : 0;
}

static int
sync_whole(struct keeper *keeper, struct fail *why)
{
	int fd = open(keeper->rrd_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	result = fd == -1 ? -1 : syncfs(fd);
	if (result == -1)
		fail_set(why, "%s: %s", keeper->rrd_dir, strerror(errno));
	if (fd != -1)
		close(fd);
	return result;
}

/* Files go back to where they were at the checkpoint, and the journal goes on from there. */
static int
take_files_back(struct keeper *keeper, struct fail *why)
{
	size_t restored = 0;

	keeper->undo = undo_open(keeper->state_dir, keeper->rrd_dir, keeper->generation, &restored,
		why);
	if (keeper->undo == NULL)
		return -1;
	if (restored > 0)
		log_info("%zu files taken back to the last checkpoint, the journal is replayed",
			restored);
	if (restored > UNDO_SYNCED && sync_whole(keeper, why) == -1)
		return -1;
	/* They stand as at the checkpoint, so their entries have done their work. */
	if (restored > 0)
		undo_done(keeper->undo);
	if (undo_waiting(keeper->undo) != NULL) {
		fail_set(&keeper->reason, "%s/%s: waits to be taken back to the last checkpoint",
			keeper->rrd_dir, undo_waiting(keeper->undo));
		log_warn("%s", keeper->reason.text);
	}
	return 0;
}

static void
look_at_predecessor(struct keeper *keeper)
{
	unsigned times;
	const char *file = whereabouts_died_at(&times);

	if (file == NULL)
		return;
	rrd_file_sweep((struct rrd_place){ keeper->rrd_dir, file });
	if (times < DEATHS) {
		keeper->suspect = mem_text(file);
		return;
	}
	log_error("%s/%s: the store died %u times in a row while writing it: left alone until it has changed, look at it with rrdtool info",
		keeper->rrd_dir, file, times);
	quarantine_add(keeper->quarantine, file);
}

struct keeper *
keeper_open(const struct store_options *options, struct fail *why)
{
	struct keeper *keeper = mem_zero(sizeof *keeper);

	keeper->options = *options;
	keeper->state_dir = mem_text(options->state_dir);
	keeper->rrd_dir = mem_text(options->rrd_dir);
	keeper->pending = pending_new();
	keeper->sheet = sheet_new();
	keeper->append = append_new();
	keeper->missing_end = &keeper->missing;
	keeper->at_hand = -1;
	keeper->quarantine = quarantine_open(options->state_dir, options->rrd_dir, why);
	if (keeper->quarantine == NULL || restore(keeper, why) == -1 || take_files_back(keeper, why) == -1) {
		keeper_close(keeper);
		return NULL;
	}
	look_at_predecessor(keeper);
	return keeper;
}

void
keeper_close(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	for (size_t i = keeper->batch.written; i < keeper->batch.count; i++)
		if (keeper->batch.ready[i] != -1)
			close(keeper->batch.ready[i]);
	pending_free(keeper->pending);
	sheet_free(keeper->sheet);
	append_free(keeper->append);
	turns_free(&keeper->turns);
	reader_close(keeper->reader);
	ledger_close(keeper->ledger);
	undo_close(keeper->undo);
	series_close(keeper->catalogue);
	quarantine_close(keeper->quarantine);
	free(keeper->suspect);
	free(keeper->state_dir);
	free(keeper->rrd_dir);
	free(keeper);
}

void
keeper_now(struct keeper *keeper, int64_t mono, int64_t wall)
{
	keeper->mono = mono;
	keeper->wall = wall;
	if (keeper->checkpoint_at == 0)
		keeper->checkpoint_at = mono + CHECKPOINT_INTERVAL;
}

void
keeper_clock(struct keeper *keeper, int64_t (*now)(void *arg), void *arg)
{
	keeper->clock = now;
	keeper->clock_arg = arg;
}

static void
begin_slice(struct keeper *keeper)
{
	keeper->goes_on = false;
	if (keeper->clock != NULL)
		keeper->slice_end = keeper->clock(keeper->clock_arg) + SLICE;
}

static bool
slice_is_over(struct keeper *keeper)
{
	keeper->goes_on = keeper->clock != NULL &&
		keeper->clock(keeper->clock_arg) >= keeper->slice_end;
	return keeper->goes_on;
}

bool
keeper_goes_on(const struct keeper *keeper)
{
	return keeper->goes_on;
}

/* ---- trouble ---- */

/* A file that was moved away, restored or mended in its place is looked at again. */
static void
release_files(struct keeper *keeper)
{
	struct pending_file *file = pending_files(keeper->pending);

	if (keeper->quarantined == 0 || keeper->refused)
		return;
	for (; file != NULL; file = file->hh.next) {
		if (!file->quarantined || !quarantine_frees(keeper->quarantine, file->name))
			continue;
		file->quarantined = file->open = false;
		keeper->quarantined--;
	}
}

static void
folder_refuses(struct keeper *keeper, const struct fail *why)
{
	if (!keeper->refused) {
		log_error("%s: nothing is written, the journal holds the samples", why->text);
		keeper->refused_since = keeper->mono;
	}
	keeper->reason = *why;
	keeper->refused = true;
	keeper->refused_until = keeper->mono + RETRY_FOLDER;
}

static void
folder_takes(struct keeper *keeper)
{
	if (keeper->refused)
		log_info("%s: is written again", keeper->rrd_dir);
	keeper->refused = false;
}

/* One line when the first file has to wait, not one for each. */
static void
file_waits(struct keeper *keeper, struct pending_file *file, const struct fail *why)
{
	if (file->retry_at == 0) {
		file->waits_since = keeper->mono;
		if (keeper->locked++ == 0)
			log_warn("%s: waits, tried again each 10 s", why->text);
	}
	keeper->reason = *why;
	file->retry_at = keeper->mono + RETRY_FILE;
}

static void
file_goes_on(struct keeper *keeper, struct pending_file *file)
{
	if (file->retry_at != 0 && --keeper->locked == 0)
		log_info("%s/%s: is written again", keeper->rrd_dir, file->name);
	file->retry_at = file->waits_since = 0;
}

/* The poller guards the clock, and its times come with the journal: what it believes is right
 * also where this process began with a wrong clock. */
static int64_t
believed_until(const struct keeper *keeper)
{
	return (keeper->received > keeper->wall ? keeper->received : keeper->wall) + AHEAD;
}

/* Of now, for ages of rows. */
static int64_t
wall_of_rows(const struct keeper *keeper)
{
	return keeper->received > 0 ? keeper->received : keeper->wall;
}

/* The values of one data source in the rows up to a slot are store-full in the ledger, which
 * has them as good since they were read. */
static void
amend_ledger(struct keeper *keeper, struct pending_file *file, size_t ds, int64_t upto)
{
	struct pending_walk walk = pending_walk(keeper->pending, file);
	uint32_t series = file->ds[ds].series;
	int64_t first = 0, last = -1;
	struct pending_row row;

	while (pending_next(keeper->pending, file, &walk, &row) && row.slot <= upto) {
		if (ds >= row.width || !isfinite(row.values[ds]))
			continue;
		if (first <= last && row.slot == last + 1) {
			last = row.slot;
			continue;
		}
		if (first <= last)
			ledger_amend(keeper->ledger, series, REASON_STORE_FULL, first, last);
		first = last = row.slot;
	}
	if (first <= last)
		ledger_amend(keeper->ledger, series, REASON_STORE_FULL, first, last);
}

/* What is not written any more is store-full: no value without one in the file. */
static void
quarantine(struct keeper *keeper, struct pending_file *file, const struct fail *why)
{
	if (quarantine_note(keeper->quarantine, file->name, why->text))
		log_error("%s: not written any more, its values count as store-full", why->text);
	keeper->bad = *why;
	keeper->quarantined++;
	file->quarantined = true;
	file->touched = false;
	for (size_t i = 0; i < file->ds_count; i++)
		amend_ledger(keeper, file, i, INT64_MAX);
	pending_forget(keeper->pending, file, INT64_MAX);
	keeper->dirty = true;
}

static void
give_up(struct keeper *keeper, struct pending_file *file, int64_t upto)
{
	size_t before = file->row_count;

	/* Mostly none: to look at a row means to pack the one that grows. */
	if (upto == INT64_MIN || pending_first(keeper->pending, file) > upto)
		return;
	for (size_t i = 0; i < file->ds_count; i++)
		amend_ledger(keeper, file, i, upto);
	pending_forget(keeper->pending, file, upto);
	keeper->given_up += before - file->row_count;
	keeper->dirty = true;
}

/* Up to there rows have waited for longer than journal_budget; INT64_MIN: none. */
static int64_t
too_old(const struct keeper *keeper, const struct pending_file *file)
{
	int64_t since = keeper->refused ? keeper->refused_since : file->waits_since;
	int64_t budget = keeper->options.journal_budget;

	if (budget <= 0 || since == 0 || keeper->mono - since < budget)
		return INT64_MIN;
	return (wall_of_rows(keeper) - budget) / file->step;
}

/* Drops rows that would hold back the checkpoint, and so keep more journal than it may have
 * in time or in bytes. A part of the bytes is left to the writer, which may take all. */
static void
give_up_rows(struct keeper *keeper)
{
	int64_t size = keeper->options.journal_size;
	uint64_t before = keeper->given_up;
	uint64_t oldest = size <= 0 ? 0 :
		reader_oldest_within(keeper->state_dir, (uint64_t)size / 8 * 7);
	struct pending_file *file = NULL;
	int64_t upto;

	if (keeper->refused || keeper->locked > 0)
		file = pending_files(keeper->pending);
	for (; file != NULL; file = file->hh.next)
		if (file->row_count > 0)
			give_up(keeper, file, too_old(keeper, file));
	while ((file = pending_older(keeper->pending, oldest)) != NULL) {
		upto = pending_beyond(keeper->pending, file, oldest);
		if (upto == INT64_MIN)
			break;
		give_up(keeper, file, upto);
	}
	if (keeper->given_up > before && before == 0)
		log_error("%s: rows that waited for longer than journal_budget, or take more than "
			"journal_size, are given up as store-full", keeper->reason.text);
}

/* ---- turns ---- */

/* The next turn of a file: at the phase of its name, at most `flush` from now. Files of nearly
 * the same phase go together: one sync is for the heads of all. */
static int64_t
due_of(const struct keeper *keeper, const struct pending_file *file)
{
	int64_t flush = keeper->options.flush > 0 ? keeper->options.flush : 1;
	int64_t phase = (int64_t)(str_hash(file->name, strlen(file->name)) % (uint64_t)flush);
	int64_t together = flush / TURNS < TOGETHER ? flush / TURNS : TOGETHER;

	phase -= together > 0 ? phase % together : 0;
	return keeper->mono + flush - (keeper->mono - phase) % flush;
}

/* One that waits to be made has its place in that line. */
static void
take_turn(struct keeper *keeper, struct pending_file *file)
{
	if (!file->touched || file->quarantined || file->missing || file->has_turn)
		return;
	file->due = due_of(keeper, file);
	turns_add(&keeper->turns, file);
}

/* With those that are due. */
static void
take_turn_now(struct keeper *keeper, struct pending_file *file)
{
	if (!file->touched || file->quarantined || file->has_turn)
		return;
	file->due = keeper->mono;
	turns_add(&keeper->turns, file);
}

/* Its turn is not over: as soon as it may be tried again. */
static void
put_back(struct keeper *keeper, struct pending_file *file)
{
	if (file->has_turn || file->missing)
		return;
	if (file->retry_at > file->due)
		file->due = file->retry_at;
	turns_add(&keeper->turns, file);
}

static bool
folder_is_shut(const struct keeper *keeper)
{
	return keeper->refused && keeper->mono < keeper->refused_until;
}

/* Takes files out of the turns that are due by then; what has been written meanwhile needs
 * none, what waits for a lock keeps its time. How many. */
static size_t
take_due(struct keeper *keeper, int64_t mono, struct pending_file *files[BATCH])
{
	struct pending_file *file;
	size_t count = 0;

	while (count < BATCH && (file = turns_take(&keeper->turns, mono)) != NULL)
		if (file->touched && !file->quarantined && !file->missing)
			files[count++] = file;
	return count;
}

/* ---- one file ---- */

static struct rrd_place
place_of(const struct keeper *keeper, const struct pending_file *file)
{
	return (struct rrd_place){ keeper->rrd_dir, file->name };
}

static int64_t
step_seconds(const struct pending_file *file)
{
	return file->step / SECOND;
}

static enum rrd_result
create_file(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	const char **names = mem_array(file->ds_count, sizeof *names);
	int64_t first = pending_first(keeper->pending, file);
	enum rrd_result result = RRD_BAD;
	struct layout layout;

	for (size_t i = 0; i < file->ds_count; i++)
		names[i] = file->ds[i].name;
	if (layout_make(&layout, file->step, file->profile, why) == 0)
		result = rrd_file_create(place_of(keeper, file), &layout, first * step_seconds(file),
			names, file->ds_count, why);
	else
		fail_prefix(why, "%s/%s", keeper->rrd_dir, file->name);
	free(names);
	if (result != RRD_DONE)
		return result;
	file->written = first - 1;
	file->open = true;
	file->missing = false;
	file->kept = 0;
	return RRD_DONE;
}

static void
get_in_line(struct keeper *keeper, struct pending_file *file)
{
	if (file->missing)
		return;
	file->missing = true;
	/* It may still stand there from a former time. */
	if (file->next_missing != NULL || keeper->missing_end == &file->next_missing)
		return;
	*keeper->missing_end = file;
	keeper->missing_end = &file->next_missing;
}

static bool
shape_has(const struct rrd_shape *shape, const char *ds)
{
	for (size_t i = 0; i < shape->ds_count; i++)
		if (strcmp(shape->ds[i], ds) == 0)
			return true;
	return false;
}

/* A file that somebody else made may be one that we have to leave alone. */
static enum rrd_result
check_head(const struct keeper *keeper, const struct pending_file *file,
	const struct rrd_head *head, struct fail *why)
{
	if (rrd_head_takes_all(head))
		return RRD_DONE;
	for (size_t i = 0; i < file->ds_count; i++)
		if (rrd_head_takes(place_of(keeper, file), head, file->ds[i].name, why) == -1)
			return RRD_BAD;
	return RRD_DONE;
}

/* The file is a new one after that, so is its head. */
static enum rrd_result
add_ds(struct keeper *keeper, struct pending_file *file, const char *ds, struct fail *why)
{
	enum rrd_result result = RRD_DONE;
	struct rrd_head head;

	if (rrd_file_head(place_of(keeper, file), &head, why) == 0) {
		result = check_head(keeper, file, &head, why);
		free(head.bytes);
	}
	if (result != RRD_DONE)
		return result;
	file->kept = 0;
	return rrd_file_add(place_of(keeper, file), ds, step_seconds(file), why);
}

static enum rrd_result
take_shape(struct keeper *keeper, struct pending_file *file, const struct rrd_shape *shape,
	struct fail *why)
{
	enum rrd_result result = RRD_DONE;
	char when[40];

	if (shape->step != step_seconds(file)) {
		fail_set(why, "%s/%s: has a step of %lld s, the configuration says %lld s",
			keeper->rrd_dir, file->name, (long long)shape->step,
			(long long)step_seconds(file));
		return RRD_BAD;
	}
	if (shape->last > believed_until(keeper) / SECOND) {
		fail_set(why, "%s/%s: its last update lies in the future (%s): the clock was wrong then; move the file away",
			keeper->rrd_dir, file->name,
			str_utc(when, sizeof when, shape->last * SECOND));
		return RRD_BAD;
	}
	file->written = shape->last / shape->step;
	file->in_order = shape->ds_count == file->ds_count;
	for (size_t i = 0; i < file->ds_count && file->in_order; i++)
		file->in_order = strcmp(shape->ds[i], file->ds[i].name) == 0;
	for (size_t i = 0; i < file->ds_count && result == RRD_DONE; i++)
		if (!shape_has(shape, file->ds[i].name))
			result = add_ds(keeper, file, file->ds[i].name, why);
	return result;
}

/* Finds out what is in the file, makes it or completes it. RRD_MISSING: there is none, and no
 * row to begin it with, or it is now in line. */
static enum rrd_result
open_file(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	struct rrd_shape shape;
	enum rrd_result result = undo_late(keeper->undo, file->name, why);

	file->in_order = false;
	if (result != RRD_DONE)
		return result;
	/* Power may have failed between the file's getting its name and the end of its folder. */
	rrd_file_sweep(place_of(keeper, file));
	result = rrd_file_shape(place_of(keeper, file), &shape, why);
	if (result == RRD_MISSING && file->row_count > 0 && keeper->when_missing == MISSING_MAKE)
		return create_file(keeper, file, why);
	if (result == RRD_MISSING && file->row_count > 0 && keeper->when_missing == MISSING_LINE_UP)
		get_in_line(keeper, file);
	if (result != RRD_DONE)
		return result;
	result = take_shape(keeper, file, &shape, why);
	free(shape.ds);
	if (result != RRD_DONE)
		return result;
	file->open = true;
	file->missing = false;
	pending_forget(keeper->pending, file, file->written);
	return RRD_DONE;
}

static int
take_at_hand(struct keeper *keeper)
{
	int fd = keeper->at_hand;

	keeper->at_hand = -1;
	return fd;
}

static void
let_go(struct keeper *keeper)
{
	int fd = take_at_hand(keeper);

	if (fd != -1)
		close(fd);
}

/* By librrd, where the file or the rows need it. */
static enum rrd_result
write_sheet(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	struct sheet *sheet = keeper->sheet;
	struct append_rows rows = { sheet->values, sheet->count, sheet->width, sheet->slots[0] };
	struct rrd_head before = { 0 };
	enum rrd_result result = RRD_DONE;
	bool done = false;

	if (file->in_order && !sheet->has_gap)
		result = rrd_file_append(place_of(keeper, file), keeper->append, &rows,
			take_at_hand(keeper), &done, &before, why);
	else
		let_go(keeper);
	if (before.bytes != NULL)
		undo_let_wait(keeper->undo, file->name, &before);
	free(before.bytes);
	if (done)
		return result;
	sheet_write(sheet, file);
	return rrd_file_update(place_of(keeper, file), sheet->names, sheet->rows, sheet->count, why);
}

static enum rrd_result
write_rows(struct keeper *keeper, struct pending_file *file, int64_t upto, struct fail *why)
{
	struct sheet *sheet = keeper->sheet;
	enum rrd_result result = RRD_DONE;

	sheet_begin(sheet, file);
	while (result == RRD_DONE && sheet_fill(sheet, keeper->pending, file, upto) > 0) {
		result = write_sheet(keeper, file, why);
		if (result == RRD_DONE) {
			keeper->updates += sheet->count;
			keeper->dirty = true;
			file->written = sheet->last;
			pending_forget(keeper->pending, file, sheet->last);
		}
	}
	return result;
}

static int64_t
slot_limit(const struct keeper *keeper, const struct pending_file *file)
{
	int64_t complete = keeper->draining ? file->newest : pending_complete(file);
	int64_t believed = believed_until(keeper) / file->step;

	return complete < believed ? complete : believed;
}

/* For those checkpoints heads are noted now: all that may be the newest one after a crash. */
static uint64_t
heads_wanted(const struct keeper *keeper)
{
	return keeper->generation + 1 + keeper->checkpointing;
}

static bool
is_kept(const struct keeper *keeper, const struct pending_file *file)
{
	return file->kept == heads_wanted(keeper);
}

static bool
stands_in_order(const struct pending_file *file, const struct rrd_head *head)
{
	for (size_t i = 0; i < file->ds_count; i++) {
		const char *name = rrd_head_ds(head, i);

		if (name == NULL || strcmp(name, file->ds[i].name) != 0)
			return false;
	}
	return rrd_head_ds(head, file->ds_count) == NULL;
}

static void
note_file(struct noted *noted, struct pending_file *file)
{
	if (noted->count <= FILESYNC_SINGLY)
		noted->files[noted->count++] = file;
}

/* Notes the head as it stands before the first update, and sees that no page is without room. */
static enum rrd_result
keep_head_of(struct keeper *keeper, struct pending_file *file, const struct rrd_head *head,
	struct fail *why)
{
	enum rrd_result result = check_head(keeper, file, head, why);
	uint64_t kept;

	file->in_order = stands_in_order(file, head);
	if (result == RRD_DONE && head->has_holes)
		result = rrd_file_fill(place_of(keeper, file), why);
	file->open = result != RRD_BAD && file->open;
	if (result != RRD_DONE)
		return result;
	kept = undo_keep(keeper->undo, file->name, head, file->kept, why);
	file->open = kept != 0;
	if (kept == 0)
		return RRD_LATER;
	file->kept = kept;
	file->inode = head->inode;
	note_file(&keeper->noted[keeper->checkpointing], file);
	return RRD_DONE;
}

/* And leaves the file open for its rows. */
static enum rrd_result
keep_head(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	struct rrd_head head = { 0 };
	enum rrd_result result;

	let_go(keeper);
	keeper->at_hand = rrd_file_ready(place_of(keeper, file), file->row_count, &head, why);
	/* Where we may only read, who writes will say why. */
	if (keeper->at_hand == -1 && rrd_file_head(place_of(keeper, file), &head, why) == -1) {
		/* Which says when it is the disk, or when the file is gone. */
		result = rrd_file_fill(place_of(keeper, file), why);
		file->open = result != RRD_DONE && file->open;
		return result == RRD_DONE ? RRD_LATER : result;
	}
	result = keep_head_of(keeper, file, &head, why);
	free(head.bytes);
	return result;
}

/* Somebody put another one in its place, or none: what is known of the former one, the order of its
 * data sources and the head in the undo log, is not about this one. */
static void
look_whether_replaced(const struct keeper *keeper, struct pending_file *file)
{
	if (!is_kept(keeper, file) || rrd_file_inode(place_of(keeper, file)) == file->inode)
		return;
	file->open = false;
	file->kept = 0;
}

/* Opens the file and sees to its head in the undo log, where it is durable after undo_sync. */
static enum rrd_result
prepare_file(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	enum rrd_result result;

	look_whether_replaced(keeper, file);
	result = file->open ? RRD_DONE : open_file(keeper, file, why);

	if (result != RRD_DONE || is_kept(keeper, file))
		return result;
	return keep_head(keeper, file, why);
}

/* Makes the head durable, before the rows. That may take seconds, in which somebody may put another
 * file in its place: rows in the one that is open would be lost with it. */
static enum rrd_result
sync_head(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	enum rrd_result result = RRD_DONE;

	while (result == RRD_DONE && !undo_is_synced(keeper->undo)) {
		if (undo_sync(keeper->undo, why) == -1)
			return RRD_LATER;
		result = prepare_file(keeper, file, why);
	}
	return result;
}

static bool
is_suspect(const struct keeper *keeper, const struct pending_file *file)
{
	return keeper->suspect != NULL && strcmp(keeper->suspect, file->name) == 0;
}

/* What an error of the disk did to our predecessor by a signal it says here by itself. */
static enum rrd_result
look_at_suspect(struct keeper *keeper, const struct pending_file *file, struct fail *why)
{
	enum rrd_result result = rrd_file_probe(place_of(keeper, file), why);

	if (result != RRD_DONE && result != RRD_MISSING)
		return result;
	free(keeper->suspect);
	keeper->suspect = NULL;
	return RRD_DONE;
}

/* Of the slots up to `upto`, those before a gap of KEEP_HISTORY. */
static int64_t
before_gap(struct keeper *keeper, struct pending_file *file, int64_t upto)
{
	int64_t most = KEEP_HISTORY / file->step, last = file->written;
	struct pending_walk walk;
	struct pending_row row;

	if (upto - last <= most)
		return upto;
	walk = pending_walk(keeper->pending, file);
	while (pending_next(keeper->pending, file, &walk, &row) && row.slot <= upto) {
		if (row.slot - last > most)
			return last;
		last = row.slot;
	}
	return upto - last > most ? last : upto;
}

/* The next sync of that file would say nothing about it: the next checkpoint is not made. */
static void
note_unsynced(struct keeper *keeper, const struct fail *why)
{
	keeper->unsynced = keeper->dirty = true;
	keeper->doubt = *why;
	keeper->checkpoint_at = keeper->mono;
}

/* Its history ends here, under another name; the next row begins a new file. */
static enum rrd_result
set_aside(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	char path[PATH_MAX], aside[PATH_MAX], until[40];
	size_t stem = strlen(file->name);

	if (stem > 4 && strcmp(file->name + stem - 4, ".rrd") == 0)
		stem -= 4;
	str_utc(until, sizeof until, file->written * file->step);
	snprintf(path, sizeof path, "%s/%s", keeper->rrd_dir, file->name);
	snprintf(aside, sizeof aside, "%s/%.*s.until-%.10s.rrd", keeper->rrd_dir, (int)stem,
		file->name, until);
	if (keeper->unsynced)
		*why = keeper->doubt;
	else if (access(aside, F_OK) == 0)
		fail_set(why, "%s: is in the way of another one", aside);
	else if (rrd_file_sync(place_of(keeper, file), why) != RRD_DONE)
		note_unsynced(keeper, why);
	else if (rename(path, aside) == -1)
		fail_set(why, "%s: %s", aside, strerror(errno));
	else {
		log_warn("%s: next value after more than a year, the history is kept as %s", path,
			aside);
		file->open = false;
		file->kept = 0;
		return RRD_MISSING;
	}
	return RRD_LATER;
}

static enum rrd_result
write_once(struct keeper *keeper, struct pending_file *file, int64_t upto, struct fail *why)
{
	enum rrd_result result = RRD_DONE;

	if (is_suspect(keeper, file))
		result = look_at_suspect(keeper, file, why);
	if (result != RRD_DONE)
		return result;
	whereabouts_enter_file(file->name);
	result = prepare_file(keeper, file, why);
	/* Syncing takes longest by far, and is no fault of this file if we die in it. */
	whereabouts_set(WHERE_STORE, WHERE_ELSE);
	if (keeper->only_make) {
		let_go(keeper);
		whereabouts_leave_file();
		return result;
	}
	if (result == RRD_DONE)
		result = sync_head(keeper, file, why);
	if (result == RRD_DONE)
		upto = before_gap(keeper, file, upto);
	if (result == RRD_DONE && file->written == upto && file->row_count > 0 &&
		pending_first(keeper->pending, file) - file->written > KEEP_HISTORY / file->step)
		result = set_aside(keeper, file, why);
	if (result == RRD_DONE && file->written < upto) {
		whereabouts_set(WHERE_STORE, WHERE_RRD_UPDATE);
		result = write_rows(keeper, file, upto, why);
		/* Some rows may be in: the file itself says up to where. */
		if (result != RRD_DONE)
			file->open = false;
	}
	let_go(keeper);
	whereabouts_leave_file();
	return result;
}

/* A file cannot begin with a row that is not whole yet. */
static bool
may_begin(const struct keeper *keeper, struct pending_file *file, int64_t upto)
{
	if (upto == INT64_MIN)
		return false;
	return file->open || file->row_count == 0 || pending_first(keeper->pending, file) <= upto;
}

/* Rows that a file has which is not to be opened. */
static void
forget_stored(struct keeper *keeper, struct pending_file *file)
{
	struct rrd_head head = { 0 };
	struct fail why;

	if (file->open || rrd_file_head(place_of(keeper, file), &head, &why) == -1)
		return;
	if (rrd_head_step(&head) == step_seconds(file))
		pending_forget(keeper->pending, file, rrd_head_last(&head) / step_seconds(file));
	free(head.bytes);
}

/* Writes what is whole. 1 written, 0 nothing to do, -1 and why: it waits, or never will be. */
static int
write_file(struct keeper *keeper, struct pending_file *file, struct fail *why)
{
	int64_t upto = slot_limit(keeper, file);
	enum rrd_result result;

	if (file->quarantined) {
		fail_set(why, "%s/%s: quarantined, see the log", keeper->rrd_dir, file->name);
		return -1;
	}
	if (quarantine_holds(keeper->quarantine, file->name)) {
		fail_set(why, "%s/%s: killed the store %d times", keeper->rrd_dir, file->name, DEATHS);
		forget_stored(keeper, file);
		quarantine(keeper, file, why);
		return -1;
	}
	if (!may_begin(keeper, file, upto))
		return 0;
	result = write_once(keeper, file, upto, why);
	if (result == RRD_MISSING && file->row_count > 0 && !file->missing)
		result = write_once(keeper, file, upto, why); /* taken away: made anew */
	if (result != RRD_DONE && result != RRD_MISSING)
		keeper->errors++;
	if (result == RRD_BAD)
		quarantine(keeper, file, why);
	else if (result == RRD_REFUSED)
		folder_refuses(keeper, why);
	else if (result == RRD_LATER)
		file_waits(keeper, file, why);
	if (result != RRD_DONE && result != RRD_MISSING)
		return -1;
	folder_takes(keeper);
	file_goes_on(keeper, file);
	if (result == RRD_DONE && quarantine_written(keeper->quarantine, file->name))
		log_info("%s/%s: is another file now and is written again", keeper->rrd_dir, file->name);
	file->touched = upto < file->newest || file->row_count > 0;
	return result == RRD_DONE;
}

/* Opens it and notes its head, so that one sync of the undo log does for many. What cannot be
 * prepared says so when it is to be written; what is not there is made then. */
static void
prepare_ahead(struct keeper *keeper, struct pending_file *file)
{
	bool making = keeper->when_missing == MISSING_MAKE;
	int64_t upto = slot_limit(keeper, file);
	struct fail why;

	if (file->quarantined || quarantine_holds(keeper->quarantine, file->name) ||
		is_suspect(keeper, file) || file->retry_at > keeper->mono ||
		(file->open && (is_kept(keeper, file) || file->written >= upto)) ||
		!may_begin(keeper, file, upto))
		return;
	if (making)
		keeper->when_missing = MISSING_LEAVE;
	whereabouts_enter_file(file->name);
	prepare_file(keeper, file, &why);
	whereabouts_leave_file();
	if (making)
		keeper->when_missing = MISSING_MAKE;
}

/* Writes a file that has left the turns; with more to write it gets a new one. */
static void
write_in_turn(struct keeper *keeper, struct pending_file *file)
{
	struct fail why;

	/* Written meanwhile by somebody's FLUSH, or in line to be made. */
	if (file->missing || !file->touched)
		return;
	/* What the whole folder holds up is still due when the folder is back. */
	if (!folder_is_shut(keeper) && file->retry_at <= keeper->mono &&
		write_file(keeper, file, &why) != -1)
		take_turn(keeper, file);
	else if (!file->quarantined)
		put_back(keeper, file);
}

/* The next ones that are due by then, when no batch is under way. False: there are none. */
static bool
begin_batch(struct keeper *keeper, int64_t mono)
{
	struct batch *batch = &keeper->batch;

	if (batch->count > 0)
		return true;
	batch->prepared = batch->written = 0;
	batch->heads = heads_wanted(keeper);
	batch->ready_most = filesync_share(READY_MOST, 4);
	batch->count = take_due(keeper, mono, batch->files);
	for (size_t i = 0; i < batch->count; i++)
		batch->ready[i] = -1;
	return batch->count > 0;
}

static void
prepare_next(struct keeper *keeper)
{
	struct batch *batch = &keeper->batch;
	size_t i = batch->prepared++;

	keeper->at_hand = batch->ready[i];
	prepare_ahead(keeper, batch->files[i]);
	if (i - batch->written >= batch->ready_most)
		let_go(keeper);
	batch->inodes[i] = batch->files[i]->inode;
	batch->ready[i] = take_at_hand(keeper);
}

static void
write_next(struct keeper *keeper)
{
	struct batch *batch = &keeper->batch;
	size_t i = batch->written++;

	keeper->at_hand = batch->ready[i];
	/* Replaced, and that one written by somebody's FLUSH. */
	if (batch->files[i]->inode != batch->inodes[i])
		let_go(keeper);
	write_in_turn(keeper, batch->files[i]);
	let_go(keeper);
}

/* False when the slice is over before the batch, or the folder refuses. */
static bool
go_on_with_batch(struct keeper *keeper)
{
	struct batch *batch = &keeper->batch;

	/* A checkpoint was begun in between: what is not yet written needs its head noted for it. */
	if (batch->heads != heads_wanted(keeper))
		batch->prepared = batch->written;
	batch->heads = heads_wanted(keeper);
	while (batch->prepared < batch->count) {
		if (slice_is_over(keeper))
			return false;
		prepare_next(keeper);
	}
	while (batch->written < batch->count) {
		if (slice_is_over(keeper))
			return false;
		write_next(keeper);
	}
	batch->count = 0;
	return !keeper->refused;
}

/* ---- files that are not there yet ---- */

/* False when the folder refuses. */
static bool
make_first_missing(struct keeper *keeper)
{
	struct pending_file *file = keeper->missing;
	struct fail why;

	keeper->missing = file->next_missing;
	if (keeper->missing == NULL)
		keeper->missing_end = &keeper->missing;
	file->next_missing = NULL;
	/* Somebody's FLUSH may have made it meanwhile. */
	if (!file->missing)
		return true;
	file->missing = false;
	write_file(keeper, file, &why);
	if (!file->open && !file->quarantined)
		put_back(keeper, file);
	else if (keeper->only_make)
		take_turn_now(keeper, file);
	else
		take_turn(keeper, file);
	return !keeper->refused;
}

/* Less what was used of it. */
static void
give_make_credit(struct keeper *keeper, int64_t used)
{
	int64_t now = keeper->clock(keeper->clock_arg);

	keeper->make_credit += (now - keeper->make_at) / MAKE_SHARE - used;
	if (keeper->make_credit > MAKE_REST / MAKE_SHARE)
		keeper->make_credit = MAKE_REST / MAKE_SHARE;
	keeper->make_at = now;
}

/* False when the folder refuses, or the time for it is used up: without a clock it never is. */
static bool
make_one(struct keeper *keeper)
{
	int64_t begun;
	bool made;

	if (keeper->clock == NULL)
		return make_first_missing(keeper);
	give_make_credit(keeper, 0);
	if (keeper->make_credit <= 0)
		return false;
	begun = keeper->make_at;
	made = make_first_missing(keeper);
	give_make_credit(keeper, keeper->clock(keeper->clock_arg) - begun);
	return made;
}

static void
make_files(struct keeper *keeper)
{
	if (folder_is_shut(keeper))
		return;
	if (!keeper->making)
		keeper->made_files = 0;
	keeper->making = false;
	keeper->only_make = true;
	for (; keeper->missing != NULL && keeper->made_files < MAKE_FILES; keeper->made_files++) {
		keeper->making = slice_is_over(keeper);
		if (keeper->making || !make_one(keeper))
			break;
	}
	keeper->only_make = false;
}

void
keeper_make_files(struct keeper *keeper)
{
	begin_slice(keeper);
	make_files(keeper);
}

bool
keeper_is_making(const struct keeper *keeper)
{
	return keeper->missing != NULL;
}

/* ---- reading ---- */

static void
register_one(struct keeper *keeper, uint32_t id)
{
	const struct series *series = series_show(keeper->catalogue, id);
	struct fail why;

	if (series != NULL && !pending_knows(keeper->pending, id) &&
		pending_register(keeper->pending, series, &why) == -1)
		log_error("%s", why.text);
}

/* Takes up what stands in the catalogue now; a million files are ten million lines. All lines
 * come before the first registration: a later one may say that an id has no file any more.
 * 1; 0 when it ended early, as `in_slices` lets it; -1 and why. */
static int
register_series(struct keeper *keeper, bool in_slices, struct fail *why)
{
	uint32_t last;
	int more;

	/* At the very first start the poller makes it, after us. */
	if (keeper->catalogue == NULL)
		keeper->catalogue = series_open_unread(keeper->state_dir, why);
	if (keeper->catalogue == NULL)
		return errno == ENOENT ? 1 : -1;
	while ((more = series_read_on(keeper->catalogue, why)) == 1)
		if (in_slices && slice_is_over(keeper))
			return 0;
	if (more == -1)
		return -1;
	last = series_last_id(keeper->catalogue);
	while (keeper->registered < last) {
		register_one(keeper, ++keeper->registered);
		if (keeper->registered % REGISTER_ONCE == 0 && in_slices && slice_is_over(keeper))
			return 0;
	}
	keeper->catalogue_taken = true;
	return 1;
}

/* Before anything is made of a record: what it names stood in the catalogue before it, so one
 * that cannot be read now is no reason to leave it out. -1 and why. */
static int
look_up(struct keeper *keeper, uint32_t series, struct fail *why)
{
	return series <= keeper->registered ? 0 :
		register_series(keeper, false, why) == -1 ? -1 : 0;
}

static int
look_up_all(struct keeper *keeper, const struct record_sample *samples, size_t count,
	struct fail *why)
{
	uint32_t last = 0;

	for (size_t i = 0; i < count; i++)
		if (samples[i].series > last)
			last = samples[i].series;
	return look_up(keeper, last, why);
}

static bool
is_registered(struct keeper *keeper, uint32_t series)
{
	if (pending_knows(keeper->pending, series))
		return true;
	if (keeper->strangers++ == 0) {
		fail_set(&keeper->reason,
			"%s/series: no entry for id %u: counted in the ledger, not stored",
			keeper->state_dir, series);
		log_error("%s", keeper->reason.text);
	}
	return false;
}

/* Something of it was closed for the first time since it was written. */
static void
touch_file(struct keeper *keeper, struct pending_file *file)
{
	if (file->touched || file->quarantined)
		return;
	file->touched = true;
	take_turn(keeper, file);
}

static void
close_slot(struct keeper *keeper, uint32_t series, int64_t last, double value,
	struct pending_origin origin)
{
	struct pending_file *file;

	if (!is_registered(keeper, series))
		return;
	file = pending_close(keeper->pending, series, last, value, origin);
	if (file != NULL)
		touch_file(keeper, file);
}

static void
close_samples(struct keeper *keeper, const struct record_sample *samples, size_t count,
	uint64_t segment)
{
	size_t done = 0;

	while (done < count) {
		struct pending_file *file = pending_close_samples(keeper->pending, samples, count,
			segment, &done);

		if (file != NULL)
			touch_file(keeper, file);
		else if (done < count && !is_registered(keeper, samples[done].series))
			done++;
	}
}

/* Values that no file takes. */
static void
mark_quarantined(struct keeper *keeper, struct record_sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(samples[i].value) || !is_registered(keeper, samples[i].series) ||
			!pending_is_quarantined(keeper->pending, samples[i].series))
			continue;
		samples[i].reason = REASON_STORE_FULL;
		samples[i].value = (double)NAN;
	}
}

enum taking { TAKEN, TAKE_DAMAGED, TAKE_LATER };

/* Ledger and rows in one walk. Both take each sample; one that they have had changes nothing. */
static enum taking
take_samples(struct keeper *keeper, const struct record *record, struct reader_position at,
	struct fail *why)
{
	struct record_sample samples[SAMPLES_AT_ONCE];
	struct record_samples walk;
	size_t count;

	if (record_samples_open(record, &walk) == -1)
		return TAKE_DAMAGED;
	if (walk.received > keeper->received)
		keeper->received = walk.received;
	while ((count = record_samples_take(&walk, samples, SAMPLES_AT_ONCE)) > 0) {
		if (look_up_all(keeper, samples, count, why) == -1)
			return TAKE_LATER;
		pending_ahead(keeper->pending, samples, count);
		if (keeper->quarantined > 0)
			mark_quarantined(keeper, samples, count);
		ledger_add_samples(keeper->ledger, samples, count);
		close_samples(keeper, samples, count, at.segment);
	}
	return walk.cursor.failed ? TAKE_DAMAGED : TAKEN;
}

static enum taking
take_run(struct keeper *keeper, const struct record *record, struct reader_position at,
	struct fail *why)
{
	struct record_run run;

	if (record_run_read(record, &run) == -1)
		return TAKE_DAMAGED;
	if (look_up(keeper, run.series, why) == -1)
		return TAKE_LATER;
	ledger_add(keeper->ledger, run.series, run.reason, run.first, run.last);
	close_slot(keeper, run.series, run.last, (double)NAN,
		(struct pending_origin){ 0, at.segment });
	return TAKEN;
}

/* As after a newer version was taken back. What it stands for is not known, so neither is whether
 * it was a sample. */
static void
leave_out(struct keeper *keeper, const struct record *record)
{
	keeper->damaged++;
	if (keeper->foreign++ > 0)
		return;
	fail_set(&keeper->reason, "%s/journal: record %llu and maybe others are of a newer version, "
		"left out: what it measured is not all stored", keeper->state_dir,
		(unsigned long long)record->sequence);
	log_error("%s", keeper->reason.text);
}

static void
count_damaged(struct keeper *keeper, const struct record *record)
{
	if (keeper->damaged++ > keeper->foreign)
		return;
	fail_set(&keeper->reason, "%s/journal: record %llu cannot be read", keeper->state_dir,
		(unsigned long long)record->sequence);
	log_error("%s", keeper->reason.text);
}

/* 0, -1 and why: it is held, to be taken later. */
static int
take_record(struct keeper *keeper, const struct record *record, struct reader_position at,
	struct fail *why)
{
	enum taking taking = TAKEN;

	keeper->dirty = true;
	if (!record_is_known(record))
		leave_out(keeper, record);
	else if (record_has_samples(record))
		taking = take_samples(keeper, record, at, why);
	else if (record->kind == KIND_RUN)
		taking = take_run(keeper, record, at, why);
	if (taking == TAKE_DAMAGED)
		count_damaged(keeper, record);
	keeper->held = taking == TAKE_LATER;
	return keeper->held ? -1 : 0;
}

/* As of a reader. */
static int
take_next(struct keeper *keeper, struct fail *why)
{
	int got = 1;

	if (!keeper->held) {
		keeper->record_at = reader_at(keeper->reader);
		got = reader_next(keeper->reader, &keeper->record, why);
	}
	if (got != 1)
		return got;
	return take_record(keeper, &keeper->record, keeper->record_at, why) == -1 ? -1 : 1;
}

/* Behind all that was taken. */
static struct reader_position
taken_up_to(const struct keeper *keeper)
{
	return keeper->held ? keeper->record_at : reader_at(keeper->reader);
}

static bool
memory_is_short(const struct keeper *keeper)
{
	return keeper->options.memory > 0 &&
		pending_bytes(keeper->pending) > (size_t)keeper->options.memory;
}

/* The earliest turns are those of the files that have waited longest. Only as much is freed
 * as will be needed soon: so the disk has the same to do all the time, and the memory, not
 * `flush`, says how many rows are written at once. */
static void
make_room(struct keeper *keeper)
{
	size_t enough = (size_t)keeper->options.memory / 16 * 15, left = keeper->turns.count;

	if (folder_is_shut(keeper))
		return;
	left += keeper->batch.count;
	while (left > 0 && pending_bytes(keeper->pending) > enough) {
		size_t count;

		if (!begin_batch(keeper, INT64_MAX))
			break;
		count = keeper->batch.count;
		if (!go_on_with_batch(keeper))
			break;
		left -= count < left ? count : left;
	}
	for (; keeper->missing != NULL && pending_bytes(keeper->pending) > enough;)
		if (slice_is_over(keeper) || !make_first_missing(keeper))
			break;
}

/* got: as of a reader. */
static bool
note_reading(struct keeper *keeper, int got, const struct fail *why)
{
	if (got == -1 && !keeper->reader_failing)
		log_error("%s", why->text);
	if (got == -1)
		keeper->reason = *why;
	keeper->reader_failing = got == -1;
	return keeper->caught_up = got == 0;
}

bool
keeper_read(struct keeper *keeper, unsigned records)
{
	struct fail why;
	int got = 0, all;

	begin_slice(keeper);
	all = register_series(keeper, true, &why);
	if (all == 0)
		return keeper->caught_up = false;
	/* Records of series that are not known here would pass unwritten. */
	if (all == -1)
		return note_reading(keeper, -1, &why);
	while (records-- > 0) {
		if (memory_is_short(keeper))
			make_room(keeper);
		/* What does not fit stays in the journal. */
		if (memory_is_short(keeper))
			return keeper->caught_up = false;
		got = take_next(keeper, &why);
		if (got != 1)
			break;
		if (slice_is_over(keeper))
			return keeper->caught_up = false;
	}
	return note_reading(keeper, got, &why);
}

/* ---- checkpoint ---- */

static void
drop_segments(struct keeper *keeper, struct reader_position position)
{
	uint64_t *numbers;
	size_t count = reader_segments(keeper->state_dir, &numbers);
	bool something = count > 1 && numbers[0] < position.segment;

	free(numbers);
	if (!something)
		return;
	/* A starting poller begins at the newest snapshot, so that has to stay as well. */
	keeper->snapshot = reader_newer_snapshot(keeper->state_dir, keeper->snapshot, NULL);
	if (keeper->snapshot < position.segment)
		position.segment = keeper->snapshot;
	reader_drop_before(keeper->state_dir, position.segment);
}

/* A head that still waits to be put back is needed: the next checkpoint would make it void.
 * When its folder works and the file alone does not, the file is left alone instead. */
static bool
all_is_put_back(struct keeper *keeper)
{
	const char *name;
	struct fail why;

	while ((name = undo_waiting(keeper->undo)) != NULL) {
		enum rrd_result result = undo_late(keeper->undo, name, &why);

		if (result == RRD_DONE)
			continue;
		keeper->reason = why;
		if (result == RRD_REFUSED)
			return false;
		log_error("%s: cannot be taken back to the last checkpoint: left alone until it is another file",
			why.text);
		quarantine_add(keeper->quarantine, name);
		undo_forget(keeper->undo, name);
	}
	return true;
}

static struct filesync *
begin_checkpoint(struct keeper *keeper)
{
	struct filesync *sync = filesync_new(keeper->rrd_dir);
	const struct noted *noted = &keeper->noted[0];

	for (size_t i = 0; i < noted->count; i++)
		filesync_add(sync, noted->files[i]->name);
	keeper->position = pending_oldest(keeper->pending, taken_up_to(keeper));
	keeper->checkpointing = true;
	keeper->dirty = false;
	undo_next(keeper->undo);
	return sync;
}

/* Heads noted for one that was not made are void, those for the one before are not. */
static void
go_back_to_former(struct keeper *keeper)
{
	struct pending_file *file = pending_files(keeper->pending);

	for (; file != NULL; file = file->hh.next)
		if (file->kept > keeper->generation + 1)
			file->kept = keeper->generation + 1;
	for (size_t i = 0; i < keeper->noted[1].count; i++)
		note_file(&keeper->noted[0], keeper->noted[1].files[i]);
	keeper->dirty = true;
}

static void
end_checkpoint(struct keeper *keeper, bool made)
{
	undo_turn(keeper->undo, made);
	keeper->checkpointing = false;
	keeper->checkpoint_failing = !made;
	if (made) {
		keeper->generation++;
		keeper->noted[0] = keeper->noted[1];
	} else {
		go_back_to_former(keeper);
	}
	keeper->noted[1].count = 0;
	if (made && keeper->hold == KEEPER_FREE)
		drop_segments(keeper, keeper->position);
}

int
keeper_checkpoint(struct keeper *keeper, struct filesync *sync)
{
	struct checkpoint checkpoint = { .position = keeper->position, .ledger = keeper->ledger,
		.generation = keeper->generation + 1 };
	struct fail why;
	int result;

	whereabouts_set(WHERE_STORE, WHERE_CHECKPOINT);
	result = filesync_end(sync, &why);
	if (keeper->unsynced) {
		why = keeper->doubt;
		result = -1;
	}
	/* What was not synced may be gone for good, whatever the next sync says. */
	keeper->void_now = result == -1;
	if (result == 0)
		result = ledger_sync(keeper->ledger, &checkpoint.ledger_length, &why);
	if (result == 0)
		result = checkpoint_write(keeper->state_dir, &checkpoint, &why);
	whereabouts_set(WHERE_STORE, WHERE_ELSE);
	if (result == -1 && !keeper->checkpoint_failing)
		log_error("%s: no checkpoint, the journal is kept", why.text);
	if (result == -1)
		keeper->reason = why;
	else if (keeper->checkpoint_failing)
		log_info("%s: checkpoints are made again", keeper->state_dir);
	if (result == 0)
		ledger_checkpointed(keeper->ledger, checkpoint.ledger_length);
	end_checkpoint(keeper, result == 0);
	return result;
}

/* ---- what the role asks for ---- */

/* What is due, but not all of it at once. */
static void
write_due(struct keeper *keeper)
{
	keeper->when_missing = MISSING_LINE_UP;
	for (int i = 0; i < ROUND_BATCHES; i++) {
		if (keeper->batch.count == 0 && (!keeper->caught_up || folder_is_shut(keeper)))
			break;
		if (!begin_batch(keeper, keeper->mono) || !go_on_with_batch(keeper))
			break;
	}
	keeper->when_missing = MISSING_MAKE;
}

void
keeper_write(struct keeper *keeper)
{
	begin_slice(keeper);
	write_due(keeper);
}

static struct filesync *
checkpoint_when_due(struct keeper *keeper)
{
	if (keeper->mono < keeper->checkpoint_at || keeper->checkpointing ||
		keeper->hold == KEEPER_STILL)
		return NULL;
	keeper->checkpoint_at = keeper->mono + CHECKPOINT_INTERVAL;
	give_up_rows(keeper);
	release_files(keeper);
	quarantine_save_again(keeper->quarantine);
	return keeper->dirty && all_is_put_back(keeper) ? begin_checkpoint(keeper) : NULL;
}

void
keeper_checkpoint_soon(struct keeper *keeper)
{
	keeper->checkpoint_at = keeper->mono;
}

/* What cannot be synced now goes with the checkpoint, which says why. */
static void
look_after_ledger(struct keeper *keeper)
{
	uint64_t length;

	if (keeper->hold == KEEPER_STILL)
		return;
	if (keeper->mono >= keeper->ledger_at && ledger_has_closed(keeper->ledger)) {
		keeper->ledger_at = keeper->mono + LEDGER_INTERVAL;
		ledger_sync(keeper->ledger, &length, NULL);
	}
	ledger_age(keeper->ledger, keeper->catalogue_taken ? keeper->catalogue : NULL, keeper->mono,
		keeper->wall);
}

struct filesync *
keeper_round(struct keeper *keeper)
{
	look_after_ledger(keeper);
	begin_slice(keeper);
	write_due(keeper);
	make_files(keeper);
	write_due(keeper); /* what was made just now */
	return checkpoint_when_due(keeper);
}

bool
keeper_has_more(const struct keeper *keeper)
{
	return keeper->batch.count > 0 || (keeper->caught_up && !folder_is_shut(keeper) &&
		turns_is_due(&keeper->turns, keeper->mono));
}

bool
keeper_catch_up(struct keeper *keeper)
{
	keeper_read(keeper, RECORDS_MOST);
	return keeper->caught_up || keeper->reader_failing ||
		(memory_is_short(keeper) && (!keeper->goes_on || folder_is_shut(keeper)));
}

static void
read_to_the_end(struct keeper *keeper)
{
	do {
		keeper_read(keeper, RECORDS_MOST);
	} while (!keeper->caught_up && !keeper->reader_failing && !memory_is_short(keeper));
}

int
keeper_flush(struct keeper *keeper, const char *name, struct fail *why)
{
	struct pending_file *file;
	int result;

	read_to_the_end(keeper);
	file = pending_find(keeper->pending, name);
	if (file == NULL || !file->touched)
		return 0;
	result = write_file(keeper, file, why);
	take_turn(keeper, file);
	return result;
}

int
keeper_flush_all(struct keeper *keeper, struct fail *why)
{
	struct pending_file *file, *files[BATCH];
	int result = 0;

	read_to_the_end(keeper);
	file = pending_files(keeper->pending);
	while (file != NULL) {
		size_t count = 0;

		for (; file != NULL && count < BATCH; file = file->hh.next)
			if (file->touched)
				files[count++] = file;
		for (size_t i = 0; i < count; i++) {
			prepare_ahead(keeper, files[i]);
			let_go(keeper);
		}
		for (size_t i = 0; i < count; i++) {
			int done = write_file(keeper, files[i], why);

			take_turn(keeper, files[i]);
			if (done == -1)
				result = -1;
			else if (done == 1 && result == 0)
				result = 1;
			if (keeper->refused)
				return -1;
		}
	}
	return result;
}

void
keeper_hold(struct keeper *keeper, enum keeper_hold hold)
{
	keeper->hold = hold;
}

bool
keeper_is_still(const struct keeper *keeper)
{
	return keeper->hold == KEEPER_STILL && !keeper->checkpointing;
}

size_t
keeper_pending(struct keeper *keeper, const char *name)
{
	struct pending_file *file;

	read_to_the_end(keeper);
	file = pending_find(keeper->pending, name);
	return file == NULL ? 0 : file->row_count;
}

int
keeper_finish(struct keeper *keeper)
{
	struct fail why;
	int flushed = keeper_flush_all(keeper, &why);

	if (!all_is_put_back(keeper) || keeper_checkpoint(keeper, begin_checkpoint(keeper)) == -1)
		return -1;
	return flushed == -1 ? -1 : 0;
}

int
keeper_drain(struct keeper *keeper)
{
	keeper->draining = true;
	return keeper_finish(keeper);
}

bool
keeper_is_void(const struct keeper *keeper, struct fail *why)
{
	if (keeper->void_now && why != NULL)
		*why = keeper->reason;
	return keeper->void_now;
}

void
keeper_doubt(struct keeper *keeper, const struct fail *why)
{
	keeper->reason = *why;
	keeper->checkpoint_failing = true;
	keeper->dirty = true;
	keeper->checkpoint_at = keeper->mono + RETRY_FOLDER;
}

void
keeper_health(const struct keeper *keeper, struct store_health *health)
{
	*health = (struct store_health){ .rows = pending_count_rows(keeper->pending),
		.files = pending_count_files(keeper->pending), .updates = keeper->updates,
		.errors = keeper->errors, .quarantined = keeper->quarantined,
		.locked = keeper->locked, .damaged = keeper->damaged,
		.given_up = keeper->given_up, .time = keeper->wall / SECOND };
	health->degraded = keeper->refused || keeper->reader_failing ||
		keeper->checkpoint_failing || keeper->locked > 0 || keeper->strangers > 0 ||
		keeper->damaged > 0 || undo_waiting(keeper->undo) != NULL;
	if (health->degraded)
		str_copy(health->reason, sizeof health->reason, keeper->reason.text);
	else if (keeper->quarantined > 0)
		str_copy(health->reason, sizeof health->reason, keeper->bad.text);
	health->degraded = health->degraded || keeper->quarantined > 0;
	if (!keeper->caught_up && keeper->received > 0 && keeper->wall > keeper->received)
		health->lag = (double)(keeper->wall - keeper->received) / (double)SECOND;
}

#include "store/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/ageing.h"
#include "store/archive.h"
#include "store/checkpoint.h"
#include "store/runlog.h"

/* How often the series' retentions are looked through. */
#define RETAINS_EVERY (INT64_C(600) * 1000000000)

/* ---- one run on disk ---- */

void
ledger_run_put(uint8_t to[LEDGER_RUN_SIZE], const struct ledger_run *run)
{
	uint8_t head[21];
	uint32_t crc;

	for (int i = 0; i < 4; i++)
		head[i] = (uint8_t)(run->series >> 8 * i);
	head[4] = run->reason;
	for (int i = 0; i < 8; i++) {
		head[5 + i] = (uint8_t)((uint64_t)run->first >> 8 * i);
		head[13 + i] = (uint8_t)((uint64_t)run->last >> 8 * i);
	}
	crc = str_crc32c(0, head, sizeof head);
	memcpy(to, head, 5);
	for (int i = 0; i < 3; i++)
		to[5 + i] = (uint8_t)(crc >> 8 * i);
	memcpy(to + 8, head + 5, 16);
}

int
ledger_run_get(const uint8_t from[LEDGER_RUN_SIZE], struct ledger_run *run)
{
	struct record_cursor at = { from, from + LEDGER_RUN_SIZE, false };
	uint8_t again[LEDGER_RUN_SIZE];

	run->series = record_get_u32(&at);
	run->reason = record_get_u8(&at);
	at.at += 3;
	run->first = (int64_t)record_get_u64(&at);
	run->last = (int64_t)record_get_u64(&at);
	ledger_run_put(again, run);
	return memcmp(from, again, sizeof again) == 0 && run->series > 0 ? 0 : -1;
}

/* ---- the fold: what is closed, once and in order ---- */

/* By the million: what stands in it is used up. */
struct track {
	int64_t first; /* of the open run; behind `last` when none is open */
	int64_t last;  /* of the open run, and closed up to here */
	uint8_t reason;
	bool known;
};

struct ledger {
	struct track *tracks; /* by series id */
	uint32_t room;
	const bool *wanted; /* by id, NULL: all */
	uint32_t wanted_size;
	struct ledger_run *closed; /* since the last sync */
	size_t closed_count, closed_room;
	bool amended; /* some of them amend others */
	/* the store's; NULL for readers */
	char *state_dir;
	struct runlog *log;
	struct ageing *ageing;
	uint64_t safe; /* runs below this number stand in a checkpoint */
	int64_t wall;
	uint32_t retains; /* a mark of all retentions */
	int64_t retains_at;
	bool retains_known;
};

static struct track *
track_of(struct ledger *ledger, uint32_t series)
{
	if (series >= ledger->room) {
		uint32_t room = ledger->room > 0 ? ledger->room : 1024;

		while (room <= series)
			room = room < UINT32_MAX / 2 ? room * 2 : UINT32_MAX;
		ledger->tracks = mem_grow(ledger->tracks, room, sizeof *ledger->tracks);
		memset(ledger->tracks + ledger->room, 0,
			(room - ledger->room) * sizeof *ledger->tracks);
		ledger->room = room;
	}
	return &ledger->tracks[series];
}

static void
push_closed(struct ledger *ledger, const struct ledger_run *run)
{
	if (ledger->closed_count == ledger->closed_room) {
		ledger->closed_room = ledger->closed_room > 0 ? 2 * ledger->closed_room : 256;
		ledger->closed = mem_grow(ledger->closed, ledger->closed_room, sizeof *run);
	}
	ledger->closed[ledger->closed_count++] = *run;
}

static bool
is_wanted(const struct ledger *ledger, uint32_t series)
{
	return ledger->wanted == NULL ||
		(series < ledger->wanted_size && ledger->wanted[series]);
}

static struct ledger_run
run_of(uint32_t series, const struct track *track)
{
	return (struct ledger_run){ series, track->reason, track->first, track->last };
}

/* Slots first..last, of which some may be known. */
static inline void
close_slots(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last)
{
	struct track *track;

	if (series == 0 || series == UINT32_MAX || !is_wanted(ledger, series))
		return;
	track = series < ledger->room ? &ledger->tracks[series] : track_of(ledger, series);
	if (track->known && first <= track->last)
		first = track->last + 1;
	if (first > last)
		return;
	if (!track->known || track->reason != reason || track->last + 1 != first) {
		struct ledger_run run = run_of(series, track);

		if (track->known && run.first <= run.last)
			push_closed(ledger, &run);
		track->reason = reason;
		track->first = first;
		track->known = true;
	}
	track->last = last;
}

void
ledger_add(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last)
{
	close_slots(ledger, series, reason, first, last);
}

void
ledger_add_samples(struct ledger *ledger, const struct record_sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close_slots(ledger, samples[i].series, samples[i].reason, samples[i].slot,
			samples[i].slot);
}

void
ledger_amend(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last)
{
	struct track *track = track_of(ledger, series);
	struct ledger_run amended = { series, reason, first, last };
	struct ledger_run before = run_of(series, track);

	ledger->amended = true;
	if (!track->known || last < track->first) {
		push_closed(ledger, &amended);
		return;
	}
	/* The open run is cut, as it is written down after everything that is closed. */
	before.last = first - 1;
	if (before.first <= before.last)
		push_closed(ledger, &before);
	if (last < track->last) {
		push_closed(ledger, &amended);
		track->first = last + 1;
		return;
	}
	track->reason = reason;
	track->first = first;
	track->last = last;
}

/* A run that was open at the checkpoint may be closed on disk by now. */
void
ledger_restore(struct ledger *ledger, const struct ledger_run *open)
{
	struct track *track;
	int64_t first = open->first;

	if (!is_wanted(ledger, open->series))
		return;
	track = track_of(ledger, open->series);
	if (track->known && track->last >= open->last)
		return;
	if (track->known && track->last >= open->first)
		first = track->last + 1;
	*track = (struct track){ first, open->last, open->reason, true };
}

void
ledger_note(struct ledger *ledger, const struct ledger_run *run)
{
	struct track *track;

	if (!is_wanted(ledger, run->series))
		return;
	track = track_of(ledger, run->series);
	if (track->known && track->last > run->last)
		return;
	/* Empty, so that the next checkpoint knows it too. */
	*track = (struct track){ run->last + 1, run->last, run->reason, true };
}

int
ledger_take(struct ledger *ledger, const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;
	struct record_run run;

	if (record->kind == KIND_RUN) {
		if (record_run_read(record, &run) == -1)
			return -1;
		ledger_add(ledger, run.series, run.reason, run.first, run.last);
	} else if (record_has_samples(record)) {
		if (record_samples_open(record, &walk) == -1)
			return -1;
		while (record_samples_next(&walk, &sample))
			ledger_add(ledger, sample.series, sample.reason, sample.slot, sample.slot);
		return walk.cursor.failed ? -1 : 0;
	}
	return 0;
}

bool
ledger_open_run(const struct ledger *ledger, uint32_t series, struct ledger_run *run)
{
	if (series >= ledger->room || !ledger->tracks[series].known)
		return false;
	*run = run_of(series, &ledger->tracks[series]);
	return true;
}

uint32_t
ledger_last_id(const struct ledger *ledger)
{
	return ledger->room > 0 ? ledger->room - 1 : 0;
}

const struct ledger_run *
ledger_closed(const struct ledger *ledger, size_t *count)
{
	*count = ledger->closed_count;
	return ledger->closed;
}

bool
ledger_has_closed(const struct ledger *ledger)
{
	return ledger->closed_count > 0 && !ledger->amended;
}

/* ---- on disk ---- */

static int
fail_errno(struct fail *why, const char *path)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static void
note_logged(void *arg, const struct ledger_run *run, uint64_t number)
{
	(void)number;
	ledger_note(arg, run);
}

/* What was closed after the checkpoint: the journal will tell it again. */
static int
note_logs(struct ledger *ledger, uint64_t from, struct fail *why)
{
	struct runlog_file *files;
	uint64_t damaged = 0;
	size_t count = runlog_list(ledger->state_dir, &files, &damaged);
	int result = count == 0 && errno != 0 ? fail_errno(why, ledger->state_dir) : 0;

	for (size_t i = 0; i < count && result == 0; i++)
		if (files[i].end > from)
			result = runlog_read(ledger->state_dir, &files[i], from, UINT64_MAX,
				note_logged, ledger, &damaged, why);
	free(files);
	return result;
}

/* Without a checkpoint's word everything on disk is looked through. Hours are too old to be in
 * any journal. -1 and why: descriptors are short. */
static int
note_archives(struct ledger *ledger, struct fail *why)
{
	struct fold_list spans = { 0 };
	size_t count;
	int result = 0;
	const struct archive_head *heads = ageing_heads(ledger->ageing, &count);

	for (size_t i = 0; i < count && result == 0; i++) {
		struct archive *archive = archive_open(ledger->state_dir, heads[i].first, why);

		if (archive == NULL && file_is_unknown(errno))
			result = -1;
		for (uint32_t block = 0; archive != NULL && block < heads[i].blocks; block++) {
			spans.count = 0;
			archive_block(archive, block, &spans, NULL);
			for (size_t k = 0; k < spans.count; k++)
				if (!spans.spans[k].folded)
					ledger_note(ledger, &spans.spans[k].run);
		}
		archive_close(archive);
	}
	free(spans.spans);
	return result;
}

static int
open_files(struct ledger *ledger, uint64_t length, struct fail *why)
{
	char directory[SEGMENT_PATH];
	uint64_t end = length / LEDGER_RUN_SIZE + 1;
	struct stat info;

	snprintf(directory, sizeof directory, "%s/ledger", ledger->state_dir);
	if (mkdir(directory, 0750) == -1 && errno != EEXIST)
		return fail_errno(why, directory);
	if (stat(directory, &info) == 0 && !S_ISDIR(info.st_mode)) {
		errno = ENOTDIR;
		return fail_errno(why, directory);
	}
	if (length != UINT64_MAX)
		runlog_sweep(ledger->state_dir, end);
	ledger->ageing = ageing_open(ledger->state_dir, why);
	if (ledger->ageing == NULL)
		return -1;
	/* A checkpoint older than the archives, as from a backup, knows too little. */
	if (ageing_end(ledger->ageing) > end)
		length = UINT64_MAX;
	if (length == UINT64_MAX)
		end = UINT64_MAX;
	ledger->log = runlog_open(ledger->state_dir, end,
		end == UINT64_MAX ? ageing_end(ledger->ageing) : end, why);
	if (ledger->log == NULL)
		return -1;
	if (end == UINT64_MAX && note_archives(ledger, why) == -1)
		return -1;
	ledger->safe = end == UINT64_MAX ? runlog_next(ledger->log) : end;
	if (note_logs(ledger, end == UINT64_MAX ? 0 : end, why) == -1)
		return -1;
	if (segment_sync_path(directory) == -1 || segment_sync_path(ledger->state_dir) == -1)
		return fail_errno(why, directory);
	return 0;
}

struct ledger *
ledger_open(const char *state_dir, uint64_t length, struct fail *why)
{
	struct ledger *ledger = mem_zero(sizeof *ledger);

	ledger->state_dir = mem_text(state_dir);
	if (open_files(ledger, length, why) == -1) {
		ledger_close(ledger);
		return NULL;
	}
	return ledger;
}

struct ledger *
ledger_in_memory(const bool *wanted, uint32_t wanted_size)
{
	struct ledger *ledger = mem_zero(sizeof *ledger);

	ledger->wanted = wanted;
	ledger->wanted_size = wanted_size;
	return ledger;
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	runlog_close(ledger->log);
	ageing_close(ledger->ageing);
	free(ledger->tracks);
	free(ledger->closed);
	free(ledger->state_dir);
	free(ledger);
}

/* A file a day, by the clock of whoever keeps the ledger; never an empty one. */
static void
rotate_daily(struct ledger *ledger)
{
	const struct runlog_file *file = runlog_current(ledger->log);

	if (file == NULL || file->end == file->first || ledger->wall == 0)
		return;
	if (file->made / AGEING_DAY != ledger->wall / AGEING_DAY ||
		file->end - file->first >= AGEING_RUNS)
		runlog_rotate(ledger->log);
}

int
ledger_sync(struct ledger *ledger, uint64_t *length, struct fail *why)
{
	rotate_daily(ledger);
	if (runlog_append(ledger->log, ledger->closed, ledger->closed_count, ledger->wall, why) ==
		-1)
		return -1;
	ledger->closed_count = 0;
	ledger->amended = false;
	*length = (runlog_next(ledger->log) - 1) * LEDGER_RUN_SIZE;
	return 0;
}

void
ledger_checkpointed(struct ledger *ledger, uint64_t length)
{
	ledger->safe = length / LEDGER_RUN_SIZE + 1;
}

/* ---- ageing ---- */

static uint32_t
mark_of_retains(const struct series_catalogue *catalogue)
{
	uint32_t last = series_have_retain(catalogue) ? series_last_id(catalogue) : 0, mark = 0;

	for (uint32_t id = 1; id <= last; id++) {
		const struct series *series = series_get(catalogue, id);
		int64_t both[2] = { id, series != NULL ? series_retain(series) : 0 };

		if (both[1] > 0)
			mark = str_crc32c(mark, both, sizeof both);
	}
	return mark;
}

/* An open run may have begun long ago. */
static void
cut_open_runs(struct ledger *ledger, const struct series_catalogue *catalogue)
{
	for (uint32_t id = 1; id < ledger->room; id++) {
		struct track *track = &ledger->tracks[id];
		const struct series *series = track->known ? series_get(catalogue, id) : NULL;
		int64_t retain = series != NULL ? series_retain(series) : 0, first;

		if (retain == 0)
			continue;
		first = fold_slot_from(ledger->wall - retain, series->step);
		if (first > track->first)
			track->first = first <= track->last ? first : track->last + 1;
	}
}

bool
ledger_age(struct ledger *ledger, const struct series_catalogue *catalogue, int64_t mono,
	int64_t wall)
{
	struct ageing_now now = { .catalogue = catalogue, .mono = mono, .wall = wall,
		.safe = ledger->safe };
	const struct runlog_file *growing;

	ledger->wall = wall;
	if (catalogue == NULL)
		return false;
	if (!ledger->retains_known || mono - ledger->retains_at >= RETAINS_EVERY) {
		ledger->retains = mark_of_retains(catalogue);
		ledger->retains_at = mono;
		ledger->retains_known = true;
		if (ledger->retains != 0)
			cut_open_runs(ledger, catalogue);
	}
	rotate_daily(ledger);
	growing = runlog_current(ledger->log);
	now.growing = growing != NULL ? growing->first : 0;
	now.retains = ledger->retains;
	return ageing_step(ledger->ageing, &now);
}

#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/checkpoint.h"

#define READ_RUNS 4096
/* How often a view begins anew because the store dropped what was being read; after that
 * the segments are not there because somebody took them away. */
#define VIEW_ATTEMPTS 20

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

struct track {
	struct ledger_run run; /* the open one; series 0 when there is none */
	bool known;
	int64_t last; /* closed up to here */
};

struct ledger {
	struct track *tracks; /* by series id */
	uint32_t room;
	/* runs closed since the last sync (store), or all there are (view) */
	struct ledger_run *closed;
	size_t closed_count, closed_room;
	int fd;
	uint64_t length; /* synced bytes of `runs` */
	char path[SEGMENT_PATH];
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

void
ledger_add(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last)
{
	struct track *track;

	if (series == 0 || series == UINT32_MAX)
		return;
	track = track_of(ledger, series);
	if (track->known && first <= track->last)
		first = track->last + 1;
	if (first > last)
		return;
	if (track->run.series != 0 && track->run.reason == reason && track->run.last + 1 == first) {
		track->run.last = last;
	} else {
		if (track->run.series != 0)
			push_closed(ledger, &track->run);
		track->run = (struct ledger_run){ series, reason, first, last };
	}
	track->known = true;
	track->last = last;
}

void
ledger_amend(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last)
{
	struct track *track = track_of(ledger, series);
	struct ledger_run amended = { series, reason, first, last }, before = track->run;

	if (track->run.series == 0 || last < track->run.first) {
		push_closed(ledger, &amended);
		return;
	}
	/* The open run is cut, as it is written down after everything that is closed. */
	before.last = first - 1;
	if (before.first <= before.last)
		push_closed(ledger, &before);
	if (last >= track->run.last) {
		track->run = amended;
		return;
	}
	push_closed(ledger, &amended);
	track->run.first = last + 1;
}

void
ledger_restore(struct ledger *ledger, const struct ledger_run *open)
{
	struct track *track = track_of(ledger, open->series);

	track->run = *open;
	track->known = true;
	track->last = open->last;
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
	} else if (record->kind == KIND_SAMPLES) {
		if (record_samples_open(record, &walk) == -1)
			return -1;
		while (record_samples_next(&walk, &sample))
			ledger_add(ledger, sample.series, sample.reason, sample.slot, sample.slot);
		return walk.cursor.failed ? -1 : 0;
	}
	return 0;
}

const struct ledger_run *
ledger_open_run(const struct ledger *ledger, uint32_t series)
{
	if (series >= ledger->room || ledger->tracks[series].run.series == 0)
		return NULL;
	return &ledger->tracks[series].run;
}

uint32_t
ledger_last_id(const struct ledger *ledger)
{
	return ledger->room > 0 ? ledger->room - 1 : 0;
}

/* ---- the file ---- */

static int
fail_errno(struct fail *why, const char *path)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

/* Calls for each run in the first `length` bytes; damaged ones are counted. */
static int
read_runs(int fd, uint64_t length, void (*take)(void *arg, const struct ledger_run *run),
	void *arg, uint64_t *damaged)
{
	static uint8_t bytes[READ_RUNS * LEDGER_RUN_SIZE];

	for (uint64_t at = 0; at < length;) {
		size_t wanted = length - at < sizeof bytes ? (size_t)(length - at) : sizeof bytes;
		ssize_t got = pread(fd, bytes, wanted, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got < LEDGER_RUN_SIZE) {
			*damaged += (length - at) / LEDGER_RUN_SIZE;
			break;
		}
		for (ssize_t i = 0; i + LEDGER_RUN_SIZE <= got; i += LEDGER_RUN_SIZE) {
			struct ledger_run run;

			if (ledger_run_get(bytes + i, &run) == 0)
				take(arg, &run);
			else
				++*damaged;
		}
		at += (uint64_t)got / LEDGER_RUN_SIZE * LEDGER_RUN_SIZE;
	}
	return 0;
}

/* Without a checkpoint's word: what stands in `runs` is closed, nothing is open. */
static void
note_last(void *arg, const struct ledger_run *run)
{
	struct track *track = track_of(arg, run->series);

	if (!track->known || run->last > track->last)
		track->last = run->last;
	track->known = true;
}

static int
open_file(struct ledger *ledger, const char *state_dir, uint64_t length, struct fail *why)
{
	char directory[SEGMENT_PATH];
	struct stat info;
	uint64_t damaged = 0;

	snprintf(directory, sizeof directory, "%s/ledger", state_dir);
	snprintf(ledger->path, sizeof ledger->path, "%s/ledger/runs", state_dir);
	if (mkdir(directory, 0750) == -1 && errno != EEXIST)
		return fail_errno(why, directory);
	ledger->fd = open(ledger->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (ledger->fd == -1 || fstat(ledger->fd, &info) == -1)
		return fail_errno(why, ledger->path);
	if (length == UINT64_MAX) {
		length = (uint64_t)info.st_size / LEDGER_RUN_SIZE * LEDGER_RUN_SIZE;
		if (read_runs(ledger->fd, length, note_last, ledger, &damaged) == -1)
			return fail_errno(why, ledger->path);
	}
	if ((uint64_t)info.st_size != length && ftruncate(ledger->fd, (off_t)length) == -1)
		return fail_errno(why, ledger->path);
	if (segment_sync_path(directory) == -1 || segment_sync_path(state_dir) == -1)
		return fail_errno(why, directory);
	ledger->length = length;
	return 0;
}

struct ledger *
ledger_open(const char *state_dir, uint64_t length, struct fail *why)
{
	struct ledger *ledger = mem_zero(sizeof *ledger);

	ledger->fd = -1;
	if (open_file(ledger, state_dir, length, why) == -1) {
		ledger_close(ledger);
		return NULL;
	}
	return ledger;
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	if (ledger->fd != -1)
		close(ledger->fd);
	free(ledger->tracks);
	free(ledger->closed);
	free(ledger);
}

int
ledger_sync(struct ledger *ledger, uint64_t *length, struct fail *why)
{
	size_t size = ledger->closed_count * LEDGER_RUN_SIZE, done = 0;
	uint8_t *bytes = mem_array(ledger->closed_count, LEDGER_RUN_SIZE);
	int result = 0;

	for (size_t i = 0; i < ledger->closed_count; i++)
		ledger_run_put(bytes + i * LEDGER_RUN_SIZE, &ledger->closed[i]);
	/* At the known length: what a failed attempt left behind is written over. */
	while (done < size && result == 0) {
		ssize_t wrote = pwrite(ledger->fd, bytes + done, size - done,
			(off_t)(ledger->length + done));

		if (wrote > 0)
			done += (size_t)wrote;
		else if (wrote == 0 || errno != EINTR)
			result = fail_errno(why, ledger->path);
	}
	if (result == 0 && size > 0 && fdatasync(ledger->fd) == -1)
		result = fail_errno(why, ledger->path);
	free(bytes);
	if (result == 0) {
		ledger->length += size;
		ledger->closed_count = 0;
		*length = ledger->length;
	}
	return result;
}

/* ---- the view ---- */

struct ledger_view {
	struct ledger_run *runs; /* by series, then first */
	size_t count;
	uint64_t damaged;
};

static void
keep_run(void *arg, const struct ledger_run *run)
{
	push_closed(arg, run);
}

static int
read_ledger_file(struct ledger *ledger, const char *state_dir, uint64_t length,
	uint64_t *damaged, struct fail *why)
{
	int result;

	if (length == 0)
		return 0;
	snprintf(ledger->path, sizeof ledger->path, "%s/ledger/runs", state_dir);
	ledger->fd = open(ledger->path, O_RDONLY | O_CLOEXEC);
	if (ledger->fd == -1)
		return fail_errno(why, ledger->path);
	result = read_runs(ledger->fd, length, keep_run, ledger, damaged);
	return result == -1 ? fail_errno(why, ledger->path) : 0;
}

/* Whether the oldest segment is still the one that was read first (or an older one). */
static bool
nothing_was_dropped(const char *state_dir, uint64_t first_read)
{
	uint64_t *numbers;
	size_t count = reader_segments(state_dir, &numbers);
	bool still = count == 0 || numbers[0] <= first_read;

	free(numbers);
	return still;
}

/* 1 read whole, 0 the store dropped a segment meanwhile, -1 and why. */
static int
replay(struct ledger *ledger, const char *state_dir, const struct reader_position *from,
	uint64_t *damaged, struct fail *why)
{
	struct reader *reader = reader_open(state_dir, from, why);
	uint64_t first = from->segment;
	struct record record;
	int got = -1;

	while (reader != NULL && (got = reader_next(reader, &record, why)) == 1) {
		if (first == 0)
			first = reader_at(reader).segment;
		if (ledger_take(ledger, &record) == -1)
			++*damaged;
	}
	reader_close(reader);
	if (got == 0 && first != 0 && !nothing_was_dropped(state_dir, first))
		return 0;
	/* A segment that went away while it was to be opened is the same story. */
	return got == 0 ? 1 : nothing_was_dropped(state_dir, first) ? -1 : 0;
}

static int
attempt(struct ledger *ledger, const char *state_dir, uint64_t *damaged, struct fail *why)
{
	struct checkpoint checkpoint;
	int result = checkpoint_read(state_dir, &checkpoint, why);

	if (result >= 0 && read_ledger_file(ledger, state_dir, checkpoint.ledger_length, damaged,
			why) == 0) {
		for (size_t i = 0; i < checkpoint.open_count; i++)
			ledger_restore(ledger, &checkpoint.open[i]);
		result = replay(ledger, state_dir, &checkpoint.position, damaged, why);
	} else {
		result = -1;
	}
	free(checkpoint.open);
	return result;
}

static int
compare_runs(const void *a, const void *b)
{
	const struct ledger_run *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* By series, and in the order of the file within each. */
static int
compare_written(const void *a, const void *b)
{
	const struct ledger_run *const *x = a, *const *y = b;

	if ((*x)->series != (*y)->series)
		return (*x)->series < (*y)->series ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static bool
any_overlap(const struct ledger *ledger)
{
	uint32_t newest = 0;
	int64_t *last;
	bool found = false;

	for (size_t i = 0; i < ledger->closed_count; i++)
		if (ledger->closed[i].series > newest)
			newest = ledger->closed[i].series;
	last = mem_array((size_t)newest + 1, sizeof *last);
	for (size_t id = 0; id <= newest; id++)
		last[id] = INT64_MIN;
	for (size_t i = 0; i < ledger->closed_count && !found; i++) {
		const struct ledger_run *run = &ledger->closed[i];

		found = run->first <= last[run->series];
		last[run->series] = run->last;
	}
	free(last);
	return found;
}

/* Puts pieces in the place of all[at .. at + gone). */
static void
exchange_runs(struct ledger *all, size_t at, size_t gone, const struct ledger_run *pieces, size_t count)
{
	size_t tail = all->closed_count - at - gone;

	for (size_t i = 0; i < count; i++)
		push_closed(all, &pieces[i]); /* makes room */
	memmove(all->closed + at + count, all->closed + at + gone, tail * sizeof *pieces);
	memcpy(all->closed + at, pieces, count * sizeof *pieces);
	all->closed_count = at + count + tail;
}

/* Puts a run among those of its series, all[from ..), sorted and without overlaps; what it
 * stands for leaves the others. */
static void
lay_over(struct ledger *all, size_t from, const struct ledger_run *run)
{
	size_t low = from, high = all->closed_count, end, count = 0;
	struct ledger_run pieces[3];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->closed[middle].last < run->first)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < all->closed_count && all->closed[end].first <= run->last;)
		end++;
	if (end > low && all->closed[low].first < run->first) {
		pieces[count] = all->closed[low];
		pieces[count++].last = run->first - 1;
	}
	pieces[count++] = *run;
	if (end > low && all->closed[end - 1].last > run->last) {
		pieces[count] = all->closed[end - 1];
		pieces[count++].first = run->last + 1;
	}
	exchange_runs(all, low, end - low, pieces, count);
}

/* What was amended counts as the last word says. */
static void
settle(struct ledger *ledger)
{
	const struct ledger_run **order = mem_array(ledger->closed_count, sizeof *order);
	struct ledger all = { .fd = -1 };
	size_t from = 0;

	for (size_t i = 0; i < ledger->closed_count; i++)
		order[i] = &ledger->closed[i];
	qsort(order, ledger->closed_count, sizeof *order, compare_written);
	for (size_t i = 0; i < ledger->closed_count; i++) {
		if (i > 0 && order[i]->series != order[i - 1]->series)
			from = all.closed_count;
		lay_over(&all, from, order[i]);
	}
	free(order);
	free(ledger->closed);
	ledger->closed = all.closed;
	ledger->closed_count = all.closed_count;
	ledger->closed_room = all.closed_room;
}

static void
take_over(struct ledger_view *view, struct ledger *ledger)
{
	for (uint32_t id = 0; id < ledger->room; id++)
		if (ledger->tracks[id].run.series != 0)
			push_closed(ledger, &ledger->tracks[id].run);
	if (any_overlap(ledger))
		settle(ledger);
	view->runs = ledger->closed;
	view->count = ledger->closed_count;
	ledger->closed = NULL;
	if (view->count > 0)
		qsort(view->runs, view->count, sizeof *view->runs, compare_runs);
}

struct ledger_view *
ledger_open_reader(const char *state_dir, struct fail *why)
{
	struct ledger_view *view = mem_zero(sizeof *view);

	for (int tries = 0; tries < VIEW_ATTEMPTS; tries++) {
		struct ledger *ledger = mem_zero(sizeof *ledger);
		int result;

		ledger->fd = -1;
		view->damaged = 0;
		result = attempt(ledger, state_dir, &view->damaged, why);
		if (result == 0 && tries == VIEW_ATTEMPTS - 1)
			result = 1;
		if (result == 1)
			take_over(view, ledger);
		ledger_close(ledger);
		if (result == 1)
			return view;
		if (result == -1)
			break;
	}
	ledger_close_reader(view);
	return NULL;
}

void
ledger_close_reader(struct ledger_view *view)
{
	if (view == NULL)
		return;
	free(view->runs);
	free(view);
}

uint64_t
ledger_damaged(const struct ledger_view *view)
{
	return view->damaged;
}

/* First slot at or after that wall time. */
static int64_t
slot_from(int64_t wall, int64_t step)
{
	int64_t slot = wall / step;

	return slot * step < wall ? slot + 1 : slot;
}

void
ledger_spans(const struct ledger_view *view, const struct series *series, int64_t from,
	int64_t to, void (*span)(const struct ledger_run *run, void *arg), void *arg)
{
	int64_t first = slot_from(from, series->step), last = slot_from(to, series->step) - 1;
	size_t low = 0, high = view->count;

	/* The first run of the series that ends at or after `first`: runs do not overlap. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ledger_run *run = &view->runs[middle];

		if (run->series < series->id || (run->series == series->id && run->last < first))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < view->count && view->runs[low].series == series->id; low++) {
		struct ledger_run cut = view->runs[low];

		if (cut.first > last)
			break;
		cut.first = cut.first < first ? first : cut.first;
		cut.last = cut.last > last ? last : cut.last;
		if (cut.first <= cut.last)
			span(&cut, arg);
	}
}

static void
count_span(const struct ledger_run *run, void *arg)
{
	tally_add(arg, run->reason, (uint64_t)(run->last - run->first + 1));
}

void
ledger_tally(const struct ledger_view *view, const struct series *series, int64_t from,
	int64_t to, struct tally *tally)
{
	ledger_spans(view, series, from, to, count_span, tally);
}

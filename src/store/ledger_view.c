#include "store/ledger_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "store/ageing.h"
#include "store/archive.h"
#include "store/checkpoint.h"
#include "store/fold.h"
#include "store/runlog.h"

/* How often a view begins anew because the store moved what was being read; after that
 * the files are not there because somebody took them away. */
#define ATTEMPTS 20
/* Archives that stay open; a process may have 1,024 files by default. */
#define OPEN_ARCHIVES 800

struct ledger_view {
	char *state_dir;
	bool *wanted; /* by id, NULL: all */
	uint32_t wanted_size;
	struct archive_head *heads;
	struct archive **archives; /* beside heads, opened when needed */
	size_t head_count, open_count, keep_open;
	struct fold_list recent; /* what is in no archive; by series, then first */
	uint64_t checkpointed; /* runs below this number stand in the checkpoint */
	uint64_t first_logged, newest;
	struct fold_list found; /* spans of the series that is asked for */
	uint64_t damaged;
};

/* ---- taking the snapshot ---- */

struct reading {
	struct ledger_view *view;
	struct ledger *ledger;
	const struct runlog_file *file;
};

static void
take_logged(void *arg, const struct ledger_run *run, uint64_t number)
{
	struct reading *reading = arg;
	struct ledger_view *view = reading->view;
	struct ledger_span span = { .run = *run, .n = (uint64_t)(run->last - run->first) + 1 };

	span.final = number < view->checkpointed || number < reading->file->synced;
	if (span.final) {
		span.sequence = number;
		if (number > view->newest)
			view->newest = number;
	}
	if (number >= view->checkpointed)
		ledger_note(reading->ledger, run);
	if (view->wanted == NULL || (run->series < view->wanted_size && view->wanted[run->series]))
		fold_push(&view->recent, &span);
}

static int
fail_folder(const struct ledger_view *view, struct fail *why)
{
	fail_set(why, "%s/ledger: %s", view->state_dir, strerror(errno));
	return -1;
}

/* 1 read, 0 the store moved something meanwhile, -1 and why. */
static int
read_logs(struct ledger_view *view, struct ledger *ledger, uint64_t from, struct fail *why)
{
	struct runlog_file *files;
	size_t count = runlog_list(view->state_dir, &files, &view->damaged);
	int result = count == 0 && errno != 0 ? fail_folder(view, why) : 1;

	view->first_logged = count > 0 && files[0].first > from ? files[0].first : from;
	for (size_t i = 0; i < count && result == 1; i++) {
		struct reading reading = { view, ledger, &files[i] };

		if (runlog_read(view->state_dir, &files[i], from, UINT64_MAX, take_logged, &reading,
				&view->damaged, why) == -1)
			result = errno == ENOENT ? 0 : -1;
	}
	free(files);
	return result;
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

static void
take_rest(struct ledger_view *view, const struct ledger *ledger)
{
	size_t count;
	const struct ledger_run *closed = ledger_closed(ledger, &count);

	for (size_t i = 0; i < count; i++) {
		struct ledger_span span = { .run = closed[i],
			.n = (uint64_t)(closed[i].last - closed[i].first) + 1 };

		fold_push(&view->recent, &span);
	}
	for (uint32_t id = 1; id <= ledger_last_id(ledger); id++) {
		struct ledger_span span = { 0 };

		if (!ledger_open_run(ledger, id, &span.run) || span.run.first > span.run.last)
			continue;
		span.n = (uint64_t)(span.run.last - span.run.first) + 1;
		fold_push(&view->recent, &span);
	}
}

static uint64_t
archived_end(const struct archive_head *heads, size_t count)
{
	return count > 0 ? heads[count - 1].end : 1;
}

static bool
archives_are_the_same(const struct ledger_view *view)
{
	struct archive_head *heads;
	uint64_t damaged = 0;
	size_t count = ageing_list(view->state_dir, &heads, &damaged);
	bool same = archived_end(heads, count) == archived_end(view->heads, view->head_count);

	free(heads);
	return same;
}

static int
attempt(struct ledger_view *view, struct ledger *ledger, struct fail *why)
{
	struct checkpoint checkpoint;
	int result = checkpoint_read(view->state_dir, &checkpoint, why);
	uint64_t end;

	if (result == -1)
		return -1;
	view->checkpointed = checkpoint.ledger_length / LEDGER_RUN_SIZE + 1;
	view->head_count = ageing_list(view->state_dir, &view->heads, &view->damaged);
	if (view->head_count == 0 && errno != 0) {
		free(checkpoint.open);
		return fail_folder(view, why);
	}
	end = archived_end(view->heads, view->head_count);
	view->newest = end - 1;
	/* Nothing is archived before a checkpoint knows it: this one is out of date by now. */
	result = end > view->checkpointed ? 0 : read_logs(view, ledger, end, why);
	if (result == 1 && !archives_are_the_same(view))
		result = 0;
	if (result == 1) {
		for (size_t i = 0; i < checkpoint.open_count; i++)
			ledger_restore(ledger, &checkpoint.open[i]);
		result = replay(ledger, view->state_dir, &checkpoint.position, &view->damaged, why);
	}
	free(checkpoint.open);
	return result;
}

/* By series, in the order of closing within each. */
static void
sort_recent(struct fold_list *recent)
{
	struct ledger_span *sorted = mem_array(recent->count + 1, sizeof *sorted);
	uint32_t last = 0;
	size_t *begin;

	for (size_t i = 0; i < recent->count; i++)
		if (recent->spans[i].run.series > last)
			last = recent->spans[i].run.series;
	begin = mem_array((size_t)last + 2, sizeof *begin);
	for (size_t i = 0; i < recent->count; i++)
		begin[recent->spans[i].run.series + 1]++;
	for (size_t id = 1; id <= (size_t)last + 1; id++)
		begin[id] += begin[id - 1];
	for (size_t i = 0; i < recent->count; i++)
		sorted[begin[recent->spans[i].run.series]++] = recent->spans[i];
	free(begin);
	free(recent->spans);
	recent->spans = sorted;
	recent->room = recent->count + 1;
}

static void
forget(struct ledger_view *view)
{
	for (size_t i = 0; view->archives != NULL && i < view->head_count; i++)
		archive_close(view->archives[i]);
	free(view->archives);
	free(view->heads);
	view->archives = NULL;
	view->heads = NULL;
	view->head_count = view->open_count = 0;
	view->recent.count = 0;
	view->damaged = 0;
}

static void
want(struct ledger_view *view, const struct series *const *only, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (only[i]->id >= view->wanted_size)
			view->wanted_size = only[i]->id + 1;
	view->wanted = mem_array(view->wanted_size + 1, sizeof *view->wanted);
	for (size_t i = 0; i < count; i++)
		view->wanted[only[i]->id] = true;
}

struct ledger_view *
ledger_open_view(const char *state_dir, const struct series *const *only, size_t count,
	struct fail *why)
{
	struct ledger_view *view = mem_zero(sizeof *view);

	view->state_dir = mem_text(state_dir);
	if (only != NULL)
		want(view, only, count);
	/* Who asks for one series asks each archive once. */
	view->keep_open = only != NULL && count == 1 ? 0 : OPEN_ARCHIVES;
	for (int tries = 0; tries < ATTEMPTS; tries++) {
		struct ledger *ledger = ledger_in_memory(view->wanted, view->wanted_size);
		int result = attempt(view, ledger, why);

		if (result == 0 && tries == ATTEMPTS - 1)
			result = 1;
		if (result == 1) {
			take_rest(view, ledger);
			view->archives = mem_array(view->head_count + 1, sizeof(struct archive *));
			sort_recent(&view->recent);
		}
		ledger_close(ledger);
		if (result == 1)
			return view;
		forget(view);
		if (result == -1)
			break;
	}
	ledger_close_reader(view);
	return NULL;
}

struct ledger_view *
ledger_open_reader(const char *state_dir, struct fail *why)
{
	return ledger_open_view(state_dir, NULL, 0, why);
}

void
ledger_close_reader(struct ledger_view *view)
{
	if (view == NULL)
		return;
	forget(view);
	free(view->recent.spans);
	free(view->found.spans);
	free(view->wanted);
	free(view->state_dir);
	free(view);
}

uint64_t
ledger_damaged(const struct ledger_view *view)
{
	return view->damaged;
}

uint64_t
ledger_newest(const struct ledger_view *view)
{
	return view->newest;
}

uint64_t
ledger_oldest(const struct ledger_view *view)
{
	uint64_t oldest = view->head_count > 0 ? view->heads[0].first : view->first_logged;

	for (size_t i = 0; i < view->head_count; i++)
		if (view->heads[i].folded)
			oldest = view->heads[i].end;
	return oldest;
}

/* ---- archives ---- */

/* NULL when it has been deleted meanwhile, or is damaged, which is counted. */
static struct archive *
borrow(struct ledger_view *view, size_t i)
{
	struct archive *archive = view->archives[i];

	if (archive != NULL)
		return archive;
	archive = archive_open(view->state_dir, view->heads[i].first, NULL);
	if (archive == NULL)
		view->damaged += errno != ENOENT;
	else if (view->open_count < view->keep_open) {
		view->archives[i] = archive;
		view->open_count++;
	}
	return archive;
}

static void
give_back(struct ledger_view *view, size_t i, struct archive *archive)
{
	if (view->archives[i] != archive)
		archive_close(archive);
}

/* ---- by series ---- */

struct range {
	const struct series *series;
	int64_t from, to;    /* wall ns */
	int64_t first, last; /* slots */
	bool passed;         /* something begins behind it */
	struct fold_list *found;
};

static void
find_span(const struct ledger_span *span, void *arg)
{
	struct range *range = arg;

	if (span->folded) {
		int64_t begins = span->hour * FOLD_HOUR;

		range->passed |= begins >= range->to;
		if (begins >= range->from && begins < range->to)
			fold_push(range->found, span);
		return;
	}
	range->passed |= span->run.first > range->last;
	if (span->run.last >= range->first && span->run.first <= range->last)
		fold_push(range->found, span);
}

static void
read_archives(struct ledger_view *view, struct range *range)
{
	for (size_t i = 0; i < view->head_count; i++) {
		const struct archive_head *head = &view->heads[i];
		struct archive *archive;

		/* A late one may hold a run that began early, or amend; never the other way round. */
		if (head->ends <= range->from || head->begins >= range->to ||
			(range->passed && !head->amends))
			continue;
		archive = borrow(view, i);
		if (archive == NULL)
			continue;
		if (archive_each(archive, range->series->id, range->series->step, find_span, range,
				NULL) == -1)
			view->damaged++;
		give_back(view, i, archive);
	}
}

static void
read_recent(const struct ledger_view *view, struct range *range)
{
	const struct fold_list *recent = &view->recent;
	size_t low = 0, high = recent->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (recent->spans[middle].run.series < range->series->id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < recent->count && recent->spans[low].run.series == range->series->id; low++)
		find_span(&recent->spans[low], range);
}

void
ledger_spans(struct ledger_view *view, const struct series *series, int64_t from, int64_t to,
	void (*span)(const struct ledger_span *span, void *arg), void *arg)
{
	struct range range = { .series = series, .from = from, .to = to,
		.first = fold_slot_from(from, series->step),
		.last = fold_slot_from(to, series->step) - 1, .found = &view->found };

	view->found.count = 0;
	read_archives(view, &range);
	read_recent(view, &range);
	fold_settle(&view->found);
	for (size_t i = 0; i < view->found.count; i++) {
		struct ledger_span cut = view->found.spans[i];

		if (!cut.folded) {
			cut.run.first = cut.run.first < range.first ? range.first : cut.run.first;
			cut.run.last = cut.run.last > range.last ? range.last : cut.run.last;
			if (cut.run.first > cut.run.last)
				continue;
			cut.n = (uint64_t)(cut.run.last - cut.run.first) + 1;
		}
		span(&cut, arg);
	}
}

static void
count_span(const struct ledger_span *span, void *arg)
{
	tally_add(arg, span->run.reason, span->n);
}

void
ledger_tally(struct ledger_view *view, const struct series *series, int64_t from, int64_t to,
	struct tally *tally)
{
	ledger_spans(view, series, from, to, count_span, tally);
}

/* ---- by sequence ---- */

static int
by_sequence(const void *a, const void *b)
{
	const struct ledger_span *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void
tell_sorted(struct fold_list *list, void (*span)(const struct ledger_span *span, void *arg),
	void *arg)
{
	if (list->count > 0)
		qsort(list->spans, list->count, sizeof *list->spans, by_sequence);
	for (size_t i = 0; i < list->count; i++)
		span(&list->spans[i], arg);
	list->count = 0;
}

static void
keep_since(const struct ledger_view *view, const struct fold_list *from, uint64_t sequence,
	struct fold_list *to)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct ledger_span *span = &from->spans[i];
		uint32_t id = span->run.series;

		if (span->final && span->sequence > sequence &&
			(view->wanted == NULL || (id < view->wanted_size && view->wanted[id])))
			fold_push(to, span);
	}
}

void
ledger_since(struct ledger_view *view, uint64_t sequence,
	void (*span)(const struct ledger_span *span, void *arg), void *arg)
{
	struct fold_list list = { 0 }, block = { 0 };

	for (size_t i = 0; i < view->head_count; i++) {
		const struct archive_head *head = &view->heads[i];
		struct archive *archive;

		if (head->folded || head->end <= sequence + 1)
			continue;
		archive = borrow(view, i);
		for (uint32_t k = 0; archive != NULL && k < archive_head(archive)->blocks; k++) {
			block.count = 0;
			if (archive_block(archive, k, &block, NULL) == -1)
				view->damaged++;
			else
				keep_since(view, &block, sequence, &list);
		}
		if (archive != NULL)
			give_back(view, i, archive);
		tell_sorted(&list, span, arg);
	}
	keep_since(view, &view->recent, sequence, &list);
	tell_sorted(&list, span, arg);
	for (size_t i = 0; i < view->recent.count; i++)
		if (!view->recent.spans[i].final)
			span(&view->recent.spans[i], arg);
	free(list.spans);
	free(block.spans);
}

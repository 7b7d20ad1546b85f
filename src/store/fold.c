#include "store/fold.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What is known of one hour so far. */
struct hour {
	int64_t number, first, last;
	uint64_t slots;
	uint64_t count[256];
	uint8_t reasons[256]; /* those that occur, in order of occurrence */
	unsigned reason_count;
};

struct work {
	struct fold_list *to;
	size_t begin; /* where this series begins in it */
	uint32_t series;
	int64_t step;
	struct hour hour;
};

void
fold_push(struct fold_list *list, const struct ledger_span *span)
{
	if (list->count == list->room) {
		list->room = list->room > 0 ? 2 * list->room : 64;
		list->spans = mem_grow(list->spans, list->room, sizeof *span);
	}
	list->spans[list->count++] = *span;
}

/* ---- amendments ---- */

static struct ledger_span
cut(const struct ledger_span *span, int64_t first, int64_t last)
{
	struct ledger_span piece = *span;

	piece.run.first = first;
	piece.run.last = last;
	piece.n = (uint64_t)(last - first) + 1;
	return piece;
}

/* Puts pieces in the place of spans[at .. at + gone). */
static void
exchange(struct fold_list *list, size_t at, size_t gone, const struct ledger_span *pieces,
	size_t count)
{
	size_t tail = list->count - at - gone;

	for (size_t i = 0; i < count; i++)
		fold_push(list, &pieces[i]); /* makes room */
	memmove(list->spans + at + count, list->spans + at + gone, tail * sizeof *pieces);
	memcpy(list->spans + at, pieces, count * sizeof *pieces);
	list->count = at + count + tail;
}

/* Puts a run among sorted ones, and itself only if `in`; what it stands for leaves the others. */
static void
lay_over(struct fold_list *list, const struct ledger_span *span, bool in)
{
	size_t low = 0, high = list->count, end, count = 0;
	struct ledger_span pieces[3];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->spans[middle].run.last < span->run.first)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < list->count && list->spans[end].run.first <= span->run.last;)
		end++;
	if (end > low && list->spans[low].run.first < span->run.first)
		pieces[count++] = cut(&list->spans[low], list->spans[low].run.first,
			span->run.first - 1);
	if (in)
		pieces[count++] = *span;
	if (end > low && list->spans[end - 1].run.last > span->run.last)
		pieces[count++] = cut(&list->spans[end - 1], span->run.last + 1,
			list->spans[end - 1].run.last);
	exchange(list, low, end - low, pieces, count);
}

static bool
runs_overlap(const struct fold_list *list)
{
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < list->count; i++) {
		if (list->spans[i].folded)
			continue;
		if (list->spans[i].run.first <= last)
			return true;
		last = list->spans[i].run.last;
	}
	return false;
}

/* Takes the hours out, in order. */
static struct fold_list
split_off_hours(struct fold_list *list)
{
	struct fold_list hours = { 0 };
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->spans[i].folded)
			fold_push(&hours, &list->spans[i]);
		else
			list->spans[kept++] = list->spans[i];
	}
	list->count = kept;
	return hours;
}

static void
merge_hours(struct fold_list *list, struct fold_list *hours)
{
	struct fold_list both = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < list->count; i++) {
		while (k < hours->count && hours->spans[k].run.first <= list->spans[i].run.first)
			fold_push(&both, &hours->spans[k++]);
		fold_push(&both, &list->spans[i]);
	}
	while (k < hours->count)
		fold_push(&both, &hours->spans[k++]);
	free(list->spans);
	free(hours->spans);
	*list = both;
}

void
fold_settle(struct fold_list *list)
{
	struct fold_list hours, runs = { 0 };

	if (!runs_overlap(list))
		return;
	hours = split_off_hours(list);
	for (size_t i = 0; i < list->count; i++)
		lay_over(&runs, &list->spans[i], true);
	free(list->spans);
	*list = runs;
	merge_hours(list, &hours);
}

void
fold_take_out(struct fold_list *list, const struct ledger_span *gone, size_t count)
{
	struct fold_list hours;

	if (count == 0)
		return;
	hours = split_off_hours(list);
	for (size_t i = 0; i < count; i++)
		lay_over(list, &gone[i], false);
	merge_hours(list, &hours);
}

/* ---- folding ---- */

/* Rounds down, below zero too. */
static int64_t
divide(int64_t number, int64_t by)
{
	return number / by - (number % by < 0);
}

int64_t
fold_slot_from(int64_t wall, int64_t step)
{
	int64_t slot = divide(wall, step);

	return slot * step < wall ? slot + 1 : slot;
}

struct ledger_span
fold_hour_span(uint32_t series, uint8_t reason, int64_t hour, int64_t step, uint64_t n)
{
	return (struct ledger_span){
		.run = { series, reason, fold_slot_from(hour * FOLD_HOUR, step),
			fold_slot_from((hour + 1) * FOLD_HOUR, step) - 1 },
		.n = n, .hour = hour, .folded = true, .final = true };
}

static void
push_run(struct work *work, uint8_t reason, int64_t first, int64_t last)
{
	struct fold_list *to = work->to;
	struct ledger_span span = { .run = { work->series, reason, first, last },
		.n = (uint64_t)(last - first + 1), .final = true };

	if (to->count > work->begin) {
		struct ledger_span *before = &to->spans[to->count - 1];

		if (!before->folded && before->run.reason == reason && before->run.last + 1 == first) {
			before->run.last = last;
			before->n += span.n;
			return;
		}
	}
	fold_push(to, &span);
}

static void
end_hour(struct work *work)
{
	struct hour *hour = &work->hour;

	if (hour->reason_count == 1 && hour->slots == (uint64_t)(hour->last - hour->first + 1)) {
		push_run(work, hour->reasons[0], hour->first, hour->last);
	} else {
		for (unsigned i = 0; i < hour->reason_count; i++) {
			struct ledger_span span = fold_hour_span(work->series, hour->reasons[i],
				hour->number, work->step, hour->count[hour->reasons[i]]);

			fold_push(work->to, &span);
		}
	}
	for (unsigned i = 0; i < hour->reason_count; i++)
		hour->count[hour->reasons[i]] = 0;
	hour->reason_count = 0;
	hour->slots = 0;
}

static void
add_to_hour(struct work *work, int64_t number, uint8_t reason, int64_t first, int64_t last)
{
	struct hour *hour = &work->hour;

	if (hour->reason_count > 0 && hour->number != number)
		end_hour(work);
	if (hour->reason_count == 0) {
		hour->number = number;
		hour->first = first;
	}
	if (hour->count[reason] == 0)
		hour->reasons[hour->reason_count++] = reason;
	hour->count[reason] += (uint64_t)(last - first + 1);
	hour->slots += (uint64_t)(last - first + 1);
	hour->last = last;
}

/* The hours at its ends may have other reasons too; those between are its own. */
static void
add_run(struct work *work, const struct ledger_run *run)
{
	int64_t first = run->first;

	while (first <= run->last) {
		int64_t hour = divide(first * work->step, FOLD_HOUR);
		int64_t last = fold_slot_from((hour + 1) * FOLD_HOUR, work->step) - 1;
		int64_t last_hour = divide(run->last * work->step, FOLD_HOUR);

		if (first == fold_slot_from(hour * FOLD_HOUR, work->step) && hour < last_hour) {
			end_hour(work);
			last = fold_slot_from(last_hour * FOLD_HOUR, work->step) - 1;
			push_run(work, run->reason, first, last);
		} else {
			if (last > run->last)
				last = run->last;
			add_to_hour(work, hour, run->reason, first, last);
		}
		first = last + 1;
	}
}

void
fold_spans(const struct ledger_span *spans, size_t count, int64_t step, struct fold_list *to)
{
	struct work *work;

	if (count == 0)
		return;
	work = mem_zero(sizeof *work);
	work->to = to;
	work->begin = to->count;
	work->series = spans[0].run.series;
	work->step = step;
	for (size_t i = 0; i < count; i++) {
		if (!spans[i].folded) {
			add_run(work, &spans[i].run);
			continue;
		}
		end_hour(work);
		fold_push(to, &spans[i]);
	}
	end_hour(work);
	free(work);
}

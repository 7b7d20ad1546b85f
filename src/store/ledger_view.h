/* ledger_view.h - the ledger for everybody but the store: gaps, reports.
 *
 * Reads checkpoint, archives, runlogs and the rest of the journal by itself, so it is exact up
 * to the last record written, with or without a daemon. It is a snapshot. Of the archives it
 * reads what is asked for, when it is asked for. */
#ifndef PW_LEDGER_VIEW_H
#define PW_LEDGER_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include "store/ledger.h"
struct fail;
struct series;
struct tally;

struct ledger_view;
/* Only these series can be asked for; NULL: all. */
struct ledger_view *ledger_open_view(const char *state_dir, const struct series *const *only,
	size_t count, struct fail *why);
struct ledger_view *ledger_open_reader(const char *state_dir, struct fail *why); /* all */
void ledger_close_reader(struct ledger_view *view);

/* The slots k with from <= k x step < to (wall ns) of one series, added to tally. An hour that
 * was folded counts where it begins: ranges side by side count each slot once. */
void ledger_tally(struct ledger_view *view, const struct series *series, int64_t from, int64_t to,
	struct tally *tally);
/* Its spans in that range, in order, good ones too; runs are cut to it. A run stands for the
 * wall time [first x step, (last + 1) x step), an hour for that hour. */
void ledger_spans(struct ledger_view *view, const struct series *series, int64_t from, int64_t to,
	void (*span)(const struct ledger_span *span, void *arg), void *arg);

/* Final runs with a sequence above that, in the order of their sequence, and then those that
 * are not final yet, by series; of the series the view was opened with. */
void ledger_since(struct ledger_view *view, uint64_t sequence,
	void (*span)(const struct ledger_span *span, void *arg), void *arg);
uint64_t ledger_newest(const struct ledger_view *view); /* highest final sequence, 0 if none */
/* The lowest sequence that is still told run by run; those below are folded or gone. */
uint64_t ledger_oldest(const struct ledger_view *view);

/* Runs, blocks or files that could not be read for damage; more than 0 means the sums are too
 * small. Grows as the view is asked. */
uint64_t ledger_damaged(const struct ledger_view *view);
#endif

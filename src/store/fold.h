/* fold.h - makes few spans of many: what became of a series hour by hour.
 *
 * Pure. A slot belongs to the hour (UTC) in which its wall time k x step lies. Where all slots
 * of an hour have one reason nothing is lost: such hours stay runs, and runs of one reason
 * that touch are joined. An hour with several reasons becomes one count for each of them. So
 * a series that is well costs nothing, and the worst one is bounded: 24 x reasons a day. */
#ifndef PW_FOLD_H
#define PW_FOLD_H

#include <stddef.h>
#include <stdint.h>
#include "store/ledger.h"

#define FOLD_HOUR (INT64_C(3600) * 1000000000)

/* A growing list; free(list.spans). */
struct fold_list {
	struct ledger_span *spans;
	size_t count, room;
};
void fold_push(struct fold_list *list, const struct ledger_span *span);
/* Runs of one series in the order in which they were closed: where they overlap, the later one
 * counts. Hours stay as they are. Behind that the runs are in the order of their slots. */
void fold_settle(struct fold_list *list);
/* Takes the slots of these runs, in the order of their slots, out of the list's runs. */
void fold_take_out(struct fold_list *list, const struct ledger_span *gone, size_t count);

/* The first slot whose wall time is at or after that (ns). */
int64_t fold_slot_from(int64_t wall, int64_t step);
/* A count of an hour: its run is all slots of that hour. */
struct ledger_span fold_hour_span(uint32_t series, uint8_t reason, int64_t hour, int64_t step,
	uint64_t n);
/* Puts the spans of one series, in order, behind what is in `to`. Counts of hours that come in
 * stay what they are. The sum of n for each reason is that of the spans. */
void fold_spans(const struct ledger_span *spans, size_t count, int64_t step,
	struct fold_list *to);
#endif

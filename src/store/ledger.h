/* ledger.h - what became of every slot, for good: runs of reasons by series.
 *
 * STATE_DIR/ledger/runs is append-only, 24 bytes a closed run, little-endian: u32 series,
 * u8 reason, u24 the low bits of the crc32c over the other 21, i64 first slot, i64 last.
 * The run still open of each series stands in the checkpoint, together with the length of
 * `runs` and the journal position up to which both are complete; so the three never
 * disagree. At its start the store cuts `runs` to that length and replays the journal;
 * slots up to a series' last known one are duplicates and ignored. Where runs of one series
 * overlap, the later one in the file counts: it amends what was said before.
 *
 * Good, first and discontinuity are reasons like the others: expected = sum of all. Slots
 * that were never closed (before the first sighting, while a row was retired) are in no run
 * and are not expected. */
#ifndef PW_LEDGER_H
#define PW_LEDGER_H

#include <stddef.h>
#include <stdint.h>
struct fail;
struct record;
struct series;
struct tally;

struct ledger_run {
	uint32_t series;
	uint8_t reason;
	int64_t first, last; /* slots, both in the run */
};

/* ---- the store's side ---- */
struct ledger;
/* Cuts `runs` to length; open runs come by ledger_restore. */
struct ledger *ledger_open(const char *state_dir, uint64_t length, struct fail *why);
void ledger_close(struct ledger *ledger);
void ledger_restore(struct ledger *ledger, const struct ledger_run *open);
/* Slots first..last are closed; what is known already is ignored. */
void ledger_add(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last);
/* What became of slots that are closed was found to be otherwise: they count with this reason.
 * In `runs` that is one more run, which stands for its slots in the place of earlier ones. */
void ledger_amend(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first,
	int64_t last);
/* Takes what a KIND_SAMPLES or KIND_RUN record says; other kinds are nothing to it. -1 when
 * the body is damaged. */
int ledger_take(struct ledger *ledger, const struct record *record);
/* Writes closed runs and syncs. Then the length belongs into a checkpoint. */
int ledger_sync(struct ledger *ledger, uint64_t *length, struct fail *why);
/* The open run of a series: NULL when it has none. Ids up to ledger_last_id. */
const struct ledger_run *ledger_open_run(const struct ledger *ledger, uint32_t series);
uint32_t ledger_last_id(const struct ledger *ledger);

/* ---- everybody else: `gaps` ---- */
struct ledger_view;
/* Reads the checkpoint, the runs and the rest of the journal by itself, so it is exact up
 * to the last record written, with or without a daemon. It is a snapshot. */
struct ledger_view *ledger_open_reader(const char *state_dir, struct fail *why);
void ledger_close_reader(struct ledger_view *view);
/* The slots k with from <= k x step < to (wall ns) of one series, added to tally. */
void ledger_tally(const struct ledger_view *view, const struct series *series, int64_t from,
	int64_t to, struct tally *tally);
/* Its runs cut to that range, in order, good ones too. A run stands for the wall time
 * [first x step, (last + 1) x step). */
void ledger_spans(const struct ledger_view *view, const struct series *series, int64_t from,
	int64_t to, void (*span)(const struct ledger_run *run, void *arg), void *arg);
/* Runs that could not be read for damage; more than 0 means the sums are too small. */
uint64_t ledger_damaged(const struct ledger_view *view);
#endif

/* ledger.h - what became of every slot, for good: runs of reasons by series. This is the side
 * that keeps it, the store's; ledger_view.h reads it.
 *
 * A slot is closed once: it lengthens the open run of its series, or closes that and begins
 * one. Open runs stand in the checkpoint (an empty one, first > last, where only the last slot
 * is known). Closed ones are numbered from 1 in the order of their closing and go to
 * STATE_DIR/ledger: the newest into runlog.h, within a day from there into archive.h, which
 * ageing.h folds after 35 days. The checkpoint has the number up to which runs were synced
 * when it was made, and the journal position; runs closed after it may be on disk already and
 * stay. At its start the store replays the journal; slots up to a series' last known one are
 * duplicates and ignored. Where runs of one series overlap, the one with the higher number
 * counts: it amends what was said before (its reason is store-full then, and what it amends
 * was good).
 *
 * A run on disk has 24 bytes, little-endian: u32 series, u8 reason, u24 the low bits of the
 * crc32c over the other 21, i64 first slot, i64 last.
 *
 * Good, first and discontinuity are reasons like the others: expected = sum of all. Slots
 * that were never closed (before the first sighting, while a row was retired) are in no run
 * and are not expected. */
#ifndef PW_LEDGER_H
#define PW_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct record;
struct record_sample;
struct series_catalogue;

struct ledger_run {
	uint32_t series;
	uint8_t reason;
	int64_t first, last; /* slots, both in the run */
};

/* What readers get: a run, or how many slots of an hour had that reason. */
struct ledger_span {
	struct ledger_run run; /* an hour: all its slots, of which n are meant */
	uint64_t n;
	int64_t hour;      /* of an hour: its number, UTC hours since 1970 */
	uint64_t sequence; /* of a run that is final, from 1; 0 when it is not, or was folded */
	bool folded;       /* an hour */
	bool final;        /* closed and synced: never told otherwise, but for folding */
};

struct ledger;
/* length: of the checkpoint, 24 for each run closed up to it; UINT64_MAX when there is none to
 * be trusted: then what stands on disk is closed. Open runs come by ledger_restore. */
struct ledger *ledger_open(const char *state_dir, uint64_t length, struct fail *why);
void ledger_close(struct ledger *ledger);
void ledger_restore(struct ledger *ledger, const struct ledger_run *open);
/* Slots first..last are closed; what is known already is ignored. */
void ledger_add(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first, int64_t last);
void ledger_add_samples(struct ledger *ledger, const struct record_sample *samples, size_t count);
/* What became of slots that are closed was found to be otherwise: they count with this reason.
 * That is one more run, which stands for its slots in the place of earlier ones. */
void ledger_amend(struct ledger *ledger, uint32_t series, uint8_t reason, int64_t first,
	int64_t last);
/* Takes what a KIND_ROWS, KIND_SAMPLES or KIND_RUN record says; other kinds are nothing to it. -1 when
 * the body is damaged. */
int ledger_take(struct ledger *ledger, const struct record *record);
/* Writes closed runs and syncs: they are final from then on. The length belongs into the next
 * checkpoint, if one is made. */
int ledger_sync(struct ledger *ledger, uint64_t *length, struct fail *why);
/* Runs that ledger_sync would write. False while there are amendments among them: what became
 * of rows that were given up is settled by the checkpoint. */
bool ledger_has_closed(const struct ledger *ledger);
/* A checkpoint with that length is on disk. */
void ledger_checkpointed(struct ledger *ledger, uint64_t length);
/* One step of ageing, some ms at most; false when there was nothing to do. */
bool ledger_age(struct ledger *ledger, const struct series_catalogue *catalogue, int64_t mono,
	int64_t wall);
/* The open run of a series, to be restored from a checkpoint; it may be empty (first > last):
 * then nothing is open, and slots up to `last` are known. False when nothing is known. Ids up
 * to ledger_last_id. */
bool ledger_open_run(const struct ledger *ledger, uint32_t series, struct ledger_run *run);
uint32_t ledger_last_id(const struct ledger *ledger);

/* ---- for readers, that have no files of their own ---- */
/* wanted: which ids count, by id, NULL for all; not copied. */
struct ledger *ledger_in_memory(const bool *wanted, uint32_t wanted_size);
/* That run is closed and known from elsewhere. */
void ledger_note(struct ledger *ledger, const struct ledger_run *run);
/* Runs closed by ledger_add, until they are synced. */
const struct ledger_run *ledger_closed(const struct ledger *ledger, size_t *count);
#endif

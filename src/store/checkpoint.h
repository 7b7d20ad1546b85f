/* checkpoint.h - from where the store must read again after it died. One file,
 * STATE_DIR/checkpoint, replaced as a whole (temporary file, fsync, rename, fsync of the
 * directory), little-endian:
 *   "PWCKPT02", u64 generation, u64 segment, u64 offset, u64 24 x closed runs,
 *   u32 count of open runs, the runs, u32 crc32c over all before.
 * A plant's million points mostly have the same run as their neighbours, and all are written
 * each minute. So runs of series whose ids follow one another, and that are alike but for the
 * id, are one group, all numbers of which are varints as in packed.h:
 *   count, first id less the former group's last one (0), u8 reason, first slot and last slot,
 *   each zigzag and less that of the former group (0).
 * In "PWCKPT01" each run was 24 bytes as in ledger.h; it is still read.
 *
 * The position is that of the oldest record of which a row is not yet in its RRD file; the
 * ledger is further on (up to the last record read) and so ignores what comes twice. */
#ifndef PW_CHECKPOINT_H
#define PW_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>
#include "journal/reader.h"
#include "store/ledger.h"
struct fail;

struct checkpoint {
	uint64_t generation; /* grows by one; the entries of undo.h name it */
	struct reader_position position; /* segment 0: from the oldest one */
	uint64_t ledger_length;
	struct ledger_run *open; /* free() it */
	size_t open_count;
	const struct ledger *ledger; /* to be written, in place of `open`: its open runs; NULL */
};

/* 1 read; 0 there is none (all zero); -1 and why: unreadable or damaged. */
int checkpoint_read(const char *state_dir, struct checkpoint *checkpoint, struct fail *why);
int checkpoint_write(const char *state_dir, const struct checkpoint *checkpoint, struct fail *why);

#define LEDGER_RUN_SIZE 24
void ledger_run_put(uint8_t to[LEDGER_RUN_SIZE], const struct ledger_run *run);
int ledger_run_get(const uint8_t from[LEDGER_RUN_SIZE], struct ledger_run *run); /* -1 damaged */
#endif

/* account.h - what became of the slots of a path in a rolling window, and what that leaves
 * of the loss that its target allows.
 *
 * The same fold as the ledger (core/tally) over the same slots, kept for `window` back from
 * the newest time told, in 1,440 parts of it (a minute each for a day). A slot leaves
 * together with its part. Pure: no clock, no I/O. */
#ifndef PW_ACCOUNT_H
#define PW_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>
#include "core/tally.h"
struct record_buffer;
struct record_cursor;

#define ACCOUNT_PARTS 1440

/* Slots of one part with one reason, ordered by part. */
struct account_entry {
	int64_t part;
	uint64_t count;
	uint8_t reason;
};
struct account {
	int64_t part_size; /* ns */
	int64_t newest;    /* part up to which time was told */
	struct tally total;
	struct account_entry *entries; /* entries[first .. first + count) */
	size_t first, count, room;
};

void account_init(struct account *account, int64_t window); /* ns, at least a second */
void account_free(struct account *account);

/* Adds the slots first..last of a series with that step (ns); slots that are older than the
 * window are left out, newer ones move the window on. */
void account_add(struct account *account, int64_t first, int64_t last, int64_t step,
	uint8_t reason);
/* Moves the window on to this wall time, when it is later. */
void account_advance(struct account *account, int64_t wall);

/* What is left of the allowed loss in percent: 100 untouched, 0 used up, below 0 missed (not
 * below -999). expected is how many slots a whole window has. NaN without a target (0) or
 * without slots. */
double account_budget(const struct account *account, double target, double expected);

/* For snapshots: u64 part size, u64 newest, u32 count, then u64 part, u8 reason, u64 count.
 * get puts what it reads into an account that may have another window. -1 damaged. */
void account_put(const struct account *account, struct record_buffer *body);
int account_get(struct account *account, struct record_cursor *cursor);
#endif

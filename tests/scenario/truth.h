/* truth.h - what a slot may have become, as the simulated plant itself knows it.
 *
 * One book per device: a cell for each series and slot. The plant writes what its own log of
 * requests, faults, kills and clock steps says; the ledger is held against it afterwards. A
 * cell that nothing in the log explains stays open, and no ledger can be right there. */
#ifndef PW_TRUTH_H
#define PW_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TRUTH_OPEN = 0xff, /* nothing in the log says anything about this slot */
	TRUTH_ANY = 0xfe   /* as `other`: the poll was under way when the clock was set */
};

struct truth_cell {
	uint8_t reason;
	uint8_t other; /* also right, TRUTH_OPEN when there is no other */
};

struct truth {
	int64_t step, phase; /* ns */
	int64_t base;        /* slot of the first column */
	size_t slots, series;
	struct truth_cell *cells;
};

void truth_init(struct truth *truth, const char *device, int64_t step, size_t series,
	int64_t from_wall, int64_t to_wall);
void truth_free(struct truth *truth);

int64_t truth_due(const struct truth *truth, int64_t slot); /* wall ns of its poll */
/* The slot whose poll is due at that time or was last before it. */
int64_t truth_slot_at(const struct truth *truth, int64_t wall);
/* NULL outside the book. */
struct truth_cell *truth_cell(const struct truth *truth, size_t series, int64_t slot);
/* Closes a cell; what is closed stays. False when it was closed already. */
bool truth_say(struct truth *truth, size_t series, int64_t slot, uint8_t reason, uint8_t other);
/* As said, or also this. */
void truth_or(struct truth *truth, size_t series, int64_t slot, uint8_t other);
bool truth_allows(const struct truth_cell *cell, uint8_t reason);
#endif

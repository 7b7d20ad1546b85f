/* overflow.h - slots for which the journal had no room: neither on disk nor in memory.
 *
 * They are noted, one span a series, and recorded as one run each with the reason store-full
 * once there is room again. A poller that ends before loses the notes: then they are closed
 * as poller-down by the next one. */
#ifndef PW_OVERFLOW_H
#define PW_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/sample.h"

struct overflow_span {
	int64_t first, last;
	bool open; /* there is one */
};
struct overflow {
	struct overflow_span *spans; /* by series id */
	size_t room, open;           /* open: series that have one */
	uint64_t slots;              /* noted since the beginning */
};

void overflow_free(struct overflow *overflow);
/* Slots come in order and without a gap, as the poller closes them. */
void overflow_note(struct overflow *overflow, const struct series *series, int64_t first,
	int64_t last);
bool overflow_has(const struct overflow *overflow, const struct series *series);
/* Gives each span as a run decided at that wall time, and forgets it. */
void overflow_empty(struct overflow *overflow, int64_t decided,
	void (*give)(const struct sample_run *run, void *arg), void *arg);
#endif

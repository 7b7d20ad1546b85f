/* slots.h - up to which slot the journal accounts for each series.
 *
 * Replayed at the start, so that the poller can close what passed while it did not run; put
 * into each snapshot, so that replay needs no older segment. The records are KIND_ROWS,
 * KIND_RUN and KIND_NEXT_SLOTS of journal/record.h. Says nothing of values. */
#ifndef PW_SLOTS_H
#define PW_SLOTS_H

#include <stddef.h>
#include <stdint.h>
#include "journal/record.h"
struct series_catalogue;
struct writer;

/* All zero is a good start; the catalogue stays the caller's. */
struct slots {
	struct series_catalogue *catalogue;
	int64_t *next; /* by series id: the next slot to close, 0 when there is none */
	size_t count;
};

void slots_free(struct slots *slots);
/* Takes in what a record says of slots; other kinds, and series that the catalogue does not
 * have (an entry is on disk before the first record that names it), are left out. */
void slots_replay(struct slots *slots, const struct record *record);
/* Calls found for each series that has a next slot. */
void slots_each(const struct slots *slots,
	void (*found)(uint32_t series, int64_t next, void *arg), void *arg);

int64_t slots_newest(const struct slots *slots); /* wall ns of the newest closed slot; 0 */

/* Writes KIND_NEXT_SLOTS records of bounded size: slots_put for each series (bundle is a
 * struct slots_bundle with its writer set), then slots_flush, which frees the buffer. */
struct slots_bundle {
	struct writer *writer;
	struct record_buffer body;
};
void slots_expect(struct writer *writer, size_t series); /* so many at most are put next */
void slots_put(uint32_t series, int64_t next, void *bundle);
void slots_flush(struct slots_bundle *bundle);
/* The series has ended: a replay forgets it; what comes for it later makes it known again. */
void slots_end(struct writer *writer, uint32_t series);
#endif

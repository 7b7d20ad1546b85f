/* held.h - what was said of series whose entries in the catalogue the disk refuses.
 *
 * No record may name such a series, and all others need not wait for it. Entries are written in the
 * order of their ids, so those that wait are the ones above some id, and no record has named one of
 * them yet. What comes for them is kept here, in order, and given back when their entries are
 * written. What there is no room for is noted as store-full (overflow.h), and so is what follows it
 * for the same series. */
#ifndef PW_HELD_H
#define PW_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "journal/overflow.h"
#include "journal/record.h"
struct held_item;
struct sample;
struct sample_run;

/* All zero but for the room is a good start. */
struct held {
	uint32_t above; /* series with greater ids wait; 0: none does */
	size_t room;    /* octets that may be kept */
	struct held_item *items;
	size_t count, allocated;
	struct overflow overflow;
};
/* Where it goes in the end. A series that ends has a time for nothing but its id. */
struct held_taker {
	void (*sample)(void *arg, const struct sample *sample);
	void (*run)(void *arg, const struct sample_run *run);
	void (*end)(void *arg, uint32_t series);
	void *arg;
};

void held_free(struct held *held);
static inline bool
held_has(const struct held *held, uint32_t series)
{
	return held->above > 0 && series > held->above;
}
size_t held_bytes(const struct held *held);
void held_sample(struct held *held, const struct sample *sample);
void held_run(struct held *held, const struct sample_run *run);
/* Takes out of whole frames what names series that wait; frames keep their sequence. */
void held_take(struct held *held, struct record_buffer *frames);
/* Of the body of KIND_NEXT_SLOTS: puts the rest into `rest`. Slots of a series that waits are left
 * out, as what accounts for them is not in the journal; that it has ended is kept. */
void held_take_slots(struct held *held, const void *body, size_t size, struct record_buffer *rest);
/* Gives all of it, what was noted as runs decided at that wall time; then none waits. */
void held_give(struct held *held, int64_t decided, const struct held_taker *to);
#endif

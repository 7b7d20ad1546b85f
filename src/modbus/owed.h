/* owed.h - what was asked on a line without transaction ids and never answered.
 *
 * RTU frames do not say which question they answer. An answer that comes after its time-out
 * must not pass for that to the next question, so what is still owed is kept by its shape:
 * unit, function, bytes of data. A unit answers in the order in which it was asked; hence a
 * question whose shape nobody owes is answered by its own answer only, and that answer proves
 * that nothing older is to come. Time proves nothing and is not looked at. Pure but for its
 * memory; zeroed memory is an empty list. */
#ifndef PW_OWED_H
#define PW_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"

struct owed_shape {
	uint8_t unit, function, bytes;
	bool probe;      /* its value is of no use: it may be asked again while owed */
	uint16_t times;
	int64_t at;      /* mono: asked last */
};

struct owed {
	struct owed_shape *shapes; /* the oldest first */
	size_t count;
};

/* A question went unanswered; at: mono ns. */
void owed_add(struct owed *owed, const struct adu_expect *asked, bool probe, int64_t at);
/* Could an answer to this be one to an older question? A probe minds only those that are no
 * probes: what it brings is thrown away. */
bool owed_has(const struct owed *owed, const struct adu_expect *asked, bool probe);
/* Data of that shape came: what the unit was asked before it is over. Where the shape was owed
 * already, the oldest of it was answered, and asked, the one on the wire, is owed now. */
void owed_answered(struct owed *owed, const struct adu_expect *asked, bool probe, int64_t at);
/* A refusal came: the same, but any question of unit and function may have been meant. */
void owed_refused(struct owed *owed, const struct adu_expect *asked, bool probe, int64_t at);
/* Is that the beginning of an answer to something owed? As adu_feed, with ADU_ERROR for no; a
 * whole answer is taken off the list. */
enum adu_verdict owed_feed(struct owed *owed, const uint8_t *buf, size_t len,
	struct adu_answer *answer);
enum { OWED_BEYOND = 4 }; /* registers, or octets of bits */
/* Another count of registers or bits, from the same address, whose answer cannot be taken for
 * one that is owed; 0 when there is none. beyond: up to OWED_BEYOND that nobody configured may
 * be read with it. */
uint16_t owed_other_count(const struct owed *owed, const struct adu_read *read, bool beyond);
/* When the unit was last asked something of that; 0 never. */
int64_t owed_since(const struct owed *owed, uint8_t unit);
void owed_forget(struct owed *owed, uint8_t unit);
void owed_free(struct owed *owed); /* what is in it */
#endif

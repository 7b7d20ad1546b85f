/* owed.h - what was asked on a line without transaction ids and never answered.
 *
 * RTU frames do not say which question they answer. An answer that comes after its time-out
 * must not pass for that to the next question, so what is still owed is kept by its shape:
 * unit, function, bytes of data, in the order of asking. What may be believed of an answer:
 * - A unit answers in the order in which it was asked. That holds for a serial server with a
 *   queue as well, and a new connection changes nothing: many hand what comes from the bus to
 *   whoever is connected then.
 * - Answers get lost. So an answer is taken for that to the oldest question of its shape, and
 *   counting answers proves nothing; time proves nothing either and is not looked at.
 * - Hence a question whose shape nobody owes is answered by its own answer only, and then
 *   nothing older is to come.
 * Before a question whose shape is owed another shape is read, and its value thrown away.
 * Which one matters: where a shape was asked for n times before the newest question of the
 * shape in doubt, n answers may come before one proves something. A unit that was silent for
 * an hour has been asked for the same other shape a thousand times.
 * The order is kept exactly for the first OWED_EXACT changes of shape of a unit. After that a
 * shape that comes again is counted at its newest place, and only as many answers as it was
 * asked for prove something: so a unit that is off for weeks costs no memory and no time.
 * Pure but for its memory; zeroed memory is an empty list. */
#ifndef PW_OWED_H
#define PW_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/adu.h"

struct owed_shape {
	uint8_t unit, function, bytes;
	bool spread;     /* not all times one after the other: here is the last of them */
	uint32_t times;
	int64_t at;      /* mono: asked last */
};

struct owed {
	struct owed_shape *shapes; /* the oldest first */
	size_t count;
};

/* A question went unanswered; at: mono ns. */
void owed_add(struct owed *owed, const struct adu_expect *asked, int64_t at);
/* Could an answer to this be one to an older question? */
bool owed_has(const struct owed *owed, const struct adu_expect *asked);
/* Data of that shape came: what the unit was asked before it is over. Where the shape was owed
 * already, the oldest of it was answered, and asked, the one on the wire, is owed now. */
void owed_answered(struct owed *owed, const struct adu_expect *asked, int64_t at);
/* A refusal came: the same, but any question of unit and function may have been meant. */
void owed_refused(struct owed *owed, const struct adu_expect *asked, int64_t at);
/* Is that the beginning of an answer to something owed? As adu_feed, with ADU_ERROR for no; a
 * whole answer is taken off the list. */
enum adu_verdict owed_feed(struct owed *owed, const uint8_t *buf, size_t len,
	struct adu_answer *answer);
enum { OWED_BEYOND = 4, /* registers, or octets of bits */
	OWED_EXACT = 16 };
/* Another count of registers or bits, from the same address, whose answers tell soonest that
 * nothing of the read's own shape is to come any more; 0 when there is none. beyond: up to
 * OWED_BEYOND that nobody configured may be read with it. */
uint16_t owed_other_count(const struct owed *owed, const struct adu_read *read, bool beyond);
/* When the unit was last asked something of that; 0 never. */
int64_t owed_since(const struct owed *owed, uint8_t unit);
void owed_forget(struct owed *owed, uint8_t unit);
void owed_free(struct owed *owed); /* what is in it */
#endif

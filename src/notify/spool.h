/* spool.h - what one receiver has not yet got, in the order of the numbers.
 *
 * Bounded. When it is full a repeat goes first; then an alarm that came and went, both its
 * notices; then the oldest. What goes is counted. The first one, which may be on its way, is
 * never dropped. Pure. */
#ifndef PW_SPOOL_H
#define PW_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include "alarm/transition.h"

/* A transition that several spools wait to deliver. */
struct notice {
	struct transition transition;
	uint64_t journal; /* its record's number: not sent before that is committed */
	uint32_t users;
};
struct notice *notice_new(const struct transition *transition, uint64_t journal);
void notice_release(struct notice *notice); /* the last user frees it */

struct spool {
	struct notice **items;
	size_t first, count, room;
	size_t limit;
	uint64_t lost; /* dropped since the beginning */
};
void spool_init(struct spool *spool, size_t limit); /* at least 2 */
void spool_free(struct spool *spool);
/* Appends (numbers grow); drops others when it would hold more than the limit. */
void spool_push(struct spool *spool, struct notice *notice);
struct notice *spool_first(const struct spool *spool); /* NULL when empty */
/* Forgets everything up to and including this number. */
void spool_done(struct spool *spool, uint32_t sequence);
#endif

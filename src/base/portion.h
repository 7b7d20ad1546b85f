/* portion.h - how much of a long work is done at once: what one large device brings must not
 * keep the loop from all others.
 *
 * By time, and by number, as in virtual time no work takes any. Who has more to do goes on at
 * the loop's next tick. */
#ifndef PW_PORTION_H
#define PW_PORTION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"

#define PORTION_TIME (4 * LOOP_MS)
#define PORTION_MOST 4096
/* The clock is read every so many items. */
#define PORTION_LOOK 16

struct portion {
	struct loop *loop;
	int64_t end;
	unsigned left;
};

static inline struct portion
portion_begin(struct loop *loop)
{
	return (struct portion){ loop, loop_mono(loop) + PORTION_TIME, PORTION_MOST };
}

/* Asked before each item, which takes some us. */
static inline bool
portion_is_over(struct portion *portion)
{
	if (portion->left == 0)
		return true;
	if (--portion->left % PORTION_LOOK == 0 && loop_mono(portion->loop) >= portion->end)
		portion->left = 0;
	return false;
}

static inline void
portion_go_on(struct loop *loop, struct loop_timer *timer)
{
	loop_timer_in(loop, timer, 1);
}
#endif

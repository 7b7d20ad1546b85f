/* clock.h - wall time that can be trusted: anchored once, carried on by the monotonic clock,
 * led back to the system's clock by rules. Pure; base/loop and its simulated twin use it.
 *
 * Why not the system's clock itself: one jump forward destroys an RRD (every later update is
 * refused), one jump back stores slots twice. */
#ifndef PW_CLOCK_H
#define PW_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
	int64_t offset;    /* wall - mono */
	int64_t last_wall; /* what was told last: wall never goes back */
	int64_t trust;     /* ns: a larger step is not believed; 0: a day */
	int64_t apart;     /* while held: how far the system's clock is ahead of ours */
	bool slow, held;   /* a step was reported and is still being made good */
};

struct clock_step {
	int64_t delta; /* ns; 0: nothing to tell, unless freed */
	bool held;
	bool freed;    /* the system's clock is back where it can be believed */
};

/* All zero before the first start; trust stays as it is. */
void clock_start(struct clock *clock, int64_t mono, int64_t real);
int64_t clock_wall(struct clock *clock, int64_t mono);
/* Called each second with the system's time. Within a second the clocks are brought together
 * by at most 5 ms; for the rest see loop_on_step in loop.h. */
struct clock_step clock_follow(struct clock *clock, int64_t mono, int64_t real);
/* Somebody says that the system's clock is right: a wall that is behind jumps to it, and the
 * jump is returned. 0: they agree well enough. Less than 0: so far the system's clock lies
 * behind; wall never goes back, so nothing changes. */
int64_t clock_confirm(struct clock *clock, int64_t mono, int64_t real);
#endif

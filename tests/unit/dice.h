/* dice.h - what a test draws: the same numbers in each run, others with PW_SEED=N in its environment,
 * which makes other trials of all that is drawn here. */
#ifndef PW_DICE_H
#define PW_DICE_H

#include <stdint.h>
#include <stdlib.h>

/* To be added to a generator's increment, which stays odd: with any of those it meets all numbers. */
static inline uint64_t
dice_shift(void)
{
	const char *other = getenv("PW_SEED");

	return other == NULL ? 0 : 2 * strtoull(other, NULL, 10);
}

/* The seed's next state, whose upper bits are the random ones. */
static inline uint64_t
dice_next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407) + dice_shift();
	return *seed;
}

static inline unsigned
dice_below(uint64_t *seed, unsigned limit)
{
	return (unsigned)(dice_next(seed) >> 33) % limit;
}
#endif

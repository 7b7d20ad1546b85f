#include "core/rate.h"

#include <math.h>

#include "core/sample.h"

/* A wrap of a narrow counter: possible when the implied rate is; where nothing is known about
 * the rate, only from the top quarter of the range to the bottom one. */
static bool
may_have_wrapped(const struct rate_step *step, uint64_t range, double delta, double seconds)
{
	if (step->max_rate > 0)
		return delta / seconds <= step->max_rate;
	return step->former >= range / 4 * 3 && step->raw < range / 4;
}

/* How far it came by way of its end; false: it was reset. */
static bool
wrapped(const struct rate_step *step, double seconds, double *delta)
{
	uint64_t range = step->wrap;

	if (range == 0 && step->bits < 64)
		range = UINT64_C(1) << step->bits;
	/* A reading beyond the range shows that the range is another. */
	if (range == 0 || step->former >= range)
		return false;
	*delta = (double)(range - step->former + step->raw);
	return may_have_wrapped(step, range, *delta, seconds);
}

/* Slots were lost, and meanwhile a narrow counter may have gone round unseen. */
static bool
may_have_gone_round(const struct rate_step *step, double seconds)
{
	return step->bits < 64 && step->max_rate > 0 && seconds > 1.5e-9 * (double)step->step &&
		step->max_rate * seconds > (double)(UINT64_C(1) << step->bits);
}

uint8_t
rate_of(const struct rate_step *step, double *rate)
{
	double seconds = rate_seconds(step->at - step->former_at);
	double delta;

	*rate = (double)NAN;
	if (!step->known || step->at - step->former_at > 10 * step->step)
		return REASON_FIRST;
	if (step->discontinuity || seconds <= 0)
		return REASON_DISCONTINUITY;
	if (may_have_gone_round(step, seconds))
		return REASON_DISCONTINUITY;
	if (step->raw >= step->former) {
		*rate = rate_over(step->raw - step->former, seconds);
		return REASON_GOOD;
	}
	if (!wrapped(step, seconds, &delta))
		return REASON_DISCONTINUITY;
	*rate = delta / seconds;
	return REASON_GOOD;
}

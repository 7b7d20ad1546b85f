#include "core/rate.h"

#include <math.h>

#include "core/sample.h"

/* A wrap of a narrow counter: possible when the implied rate is; where nothing is known about
 * the rate, only from the top quarter of the range to the bottom one. */
static bool
may_have_wrapped(const struct rate_step *step, double delta, double seconds)
{
	uint64_t range = UINT64_C(1) << step->bits;

	if (step->max_rate > 0)
		return delta / seconds <= step->max_rate;
	return step->former >= range / 4 * 3 && step->raw < range / 4;
}

uint8_t
rate_of(const struct rate_step *step, double *rate)
{
	double seconds = (double)(step->at - step->former_at) / 1e9;
	double delta;

	*rate = (double)NAN;
	if (!step->known || step->at - step->former_at > 10 * step->step)
		return REASON_FIRST;
	if (step->discontinuity || seconds <= 0)
		return REASON_DISCONTINUITY;
	if (step->raw >= step->former) {
		delta = (double)(step->raw - step->former);
	} else {
		if (step->bits >= 64)
			return REASON_DISCONTINUITY;
		delta = (double)(step->raw + (UINT64_C(1) << step->bits) - step->former);
		if (!may_have_wrapped(step, delta, seconds))
			return REASON_DISCONTINUITY;
	}
	*rate = delta / seconds;
	return REASON_GOOD;
}

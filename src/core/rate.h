/* rate.h - from counter readings to a rate per second, or the reason why there is none.
 * Pure. A counter that went back is a wrap only if that is possible; otherwise it was reset,
 * and one slot without a rate is the honest answer, never a spike. */
#ifndef PW_RATE_H
#define PW_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_step {
	bool known;         /* there is a former good reading */
	uint64_t former;
	int64_t former_at;  /* mono ns of its arrival */
	uint64_t raw;
	int64_t at;         /* mono ns */
	uint8_t bits;       /* 16, 32 or 64 */
	uint64_t wrap;      /* it begins again after so many: 10^8; 0: 2^bits, and at 64 never */
	bool discontinuity; /* the device says it restarted or reset */
	double max_rate;    /* per second, 0 = not known */
	int64_t step;       /* ns; a former reading older than ten steps is no base any more */
};

/* For so many counts in so many ns. */
static inline double
rate_over(uint64_t counts, int64_t passed)
{
	return (double)counts / ((double)passed / 1e9);
}
/* REASON_GOOD and *rate (raw units per second), REASON_FIRST or REASON_DISCONTINUITY.
 * 64-bit counters never wrap (RFC 2863 3.1.6: they cannot within the life of a device). */
uint8_t rate_of(const struct rate_step *step, double *rate);
#endif

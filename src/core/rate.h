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

static inline double
rate_seconds(int64_t passed) /* ns */
{
	return (double)passed / 1e9;
}
/* For so many counts in that time. */
static inline double
rate_over(uint64_t counts, double seconds)
{
	return (double)counts / seconds;
}
/* So much more in so long: nearly always that is all, and then rate_over says what rate_of would.
 * Where there is a former reading, and the device says nothing of a restart. */
static inline bool
rate_is_plain(uint64_t former, uint64_t raw, int64_t passed, uint8_t bits, double max_rate,
	int64_t step)
{
	/* For the last two see rate.c: a narrow counter may have gone round unseen. */
	return raw >= former && passed > 0 && passed <= 10 * step &&
		(bits == 64 || max_rate == 0 || passed <= step + step / 4);
}
/* REASON_GOOD and *rate (raw units per second), REASON_FIRST or REASON_DISCONTINUITY.
 * 64-bit counters never wrap (RFC 2863 3.1.6: they cannot within the life of a device). */
uint8_t rate_of(const struct rate_step *step, double *rate);
#endif

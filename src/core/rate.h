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
/* Nearly always a counter is so much further after one step, and that is all: then rate_over says
 * what rate_of would. Where there is a former reading that is so old, in ns, and the device says
 * nothing of a restart; in two halves, as many counters come in one answer. */
struct rate_span {
	double seconds;
	bool plain; /* else none is */
	bool near;  /* so short that a narrow counter cannot have gone round unseen, see rate.c */
};
static inline struct rate_span
rate_span(int64_t passed, int64_t step)
{
	return (struct rate_span){ rate_seconds(passed), passed > 0 && passed <= 10 * step,
		passed <= step + step / 4 };
}
static inline bool
rate_is_plain(const struct rate_span *span, uint64_t former, uint64_t raw, uint8_t bits,
	double max_rate)
{
	return span->plain && raw >= former && (bits == 64 || span->near || max_rate == 0);
}
/* REASON_GOOD and *rate (raw units per second), REASON_FIRST or REASON_DISCONTINUITY.
 * 64-bit counters never wrap (RFC 2863 3.1.6: they cannot within the life of a device). */
uint8_t rate_of(const struct rate_step *step, double *rate);
#endif

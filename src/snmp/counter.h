/* counter.h - did the device begin to count anew since it was last asked? Pure.
 *
 * Only what needs a device's own word: sysUpTime, ifCounterDiscontinuityTime. That a 32-bit
 * counter went round is core/rate's to judge. */
#ifndef PW_COUNTER_H
#define PW_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* What was known of a device's sysUpTime. Times are ns of one clock, mono or wall, as long
 * as the caller stays with one. */
struct counter_epoch {
	bool known;
	uint32_t ticks; /* sysUpTime, hundredths of a second */
	int64_t at;     /* when the answer came */
};

/* Takes the new reading up; true when the device restarted in between. sysUpTime going
 * round at 2^32 (497 days) is no restart; a restart during a long silence is one even if
 * sysUpTime has grown past its old value meanwhile; a sysUpTime that stands still (cached,
 * or never set) says nothing. */
bool counter_restarted(struct counter_epoch *epoch, uint32_t ticks, int64_t at);

/* One row's ifCounterDiscontinuityTime: any other value than before is a reset. */
struct counter_mark {
	bool known;
	uint32_t ticks;
};
bool counter_reset(struct counter_mark *mark, uint32_t ticks);
/* For a row whose mark was not known, as after a restart of the poller: do its counters run for
 * less than `span` ns? Then readings older than that are of another run. */
bool counter_is_young(const struct counter_epoch *epoch, uint32_t ticks, int64_t span);
#endif

#include "snmp/counter.h"

#define TICK INT64_C(10000000) /* ns */
#define ROUND (INT64_C(1) << 32)

/* Ticks by which sysUpTime may miss the time that passed here: answers are late, clocks
 * drift, agents cache. */
static int64_t
tolerance(int64_t elapsed)
{
	return 500 + elapsed / 50;
}

/* The same of a device that came up in that time. To take it for one that restarted again costs a
 * slot; not to see that it did makes a wrong rate. */
static int64_t
tolerance_of_young(int64_t elapsed)
{
	return 100 + elapsed / 50;
}

static bool
went_round(uint32_t old, uint32_t ticks, int64_t elapsed)
{
	int64_t expected = (int64_t)old + elapsed;
	int64_t miss = expected - ROUND - (int64_t)ticks;

	return miss <= tolerance(elapsed) && -miss <= tolerance(elapsed);
}

static bool
restarted(const struct counter_epoch *epoch, uint32_t ticks, int64_t elapsed)
{
	if (ticks < epoch->ticks)
		return !went_round(epoch->ticks, ticks, elapsed);
	if (ticks == epoch->ticks)
		return false;
	/* It grew, but less than the time that passed, and all of it fits into that time:
	 * it went down and came up while nobody asked. */
	return (int64_t)ticks <= elapsed + tolerance(elapsed) &&
		(int64_t)ticks - epoch->ticks < elapsed - tolerance_of_young(elapsed);
}

bool
counter_restarted(struct counter_epoch *epoch, uint32_t ticks, int64_t at)
{
	int64_t elapsed = (at - epoch->at) / TICK;
	bool stands = epoch->known && ticks == epoch->ticks;
	bool anew = epoch->known && restarted(epoch, ticks, elapsed > 0 ? elapsed : 0);

	/* While it stands still the old instant is kept: the next step is judged from there. */
	if (!stands)
		*epoch = (struct counter_epoch){ .known = true, .ticks = ticks, .at = at };
	return anew;
}

bool
counter_reset(struct counter_mark *mark, uint32_t ticks)
{
	bool anew = mark->known && mark->ticks != ticks;

	mark->known = true;
	mark->ticks = ticks;
	return anew;
}

bool
counter_is_young(const struct counter_epoch *epoch, uint32_t ticks, int64_t span)
{
	/* 0: since the device started, and of that sysUpTime tells. */
	return epoch->known && ticks > 0 && ticks <= epoch->ticks &&
		(int64_t)(epoch->ticks - ticks) * TICK < span;
}

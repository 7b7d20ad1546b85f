/* frozen.h - points that stand still though they should not: a PLC in STOP, a gateway that
 * serves what it once read.
 *
 * Stands between the poller and the feed: it sees each reading before anybody else and gives
 * those that a rule marks the reason `frozen`, from the slot of the verdict on. Whether there
 * is an alarm as well is alarm/'s, which asks frozen_verdict. Time is sample time; what was not
 * read proves nothing, so only slots with a reading count. */
#ifndef PW_FROZEN_H
#define PW_FROZEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct frozen;
struct latest;
struct sample;
struct series;

/* One rule; all globs are over point paths and stay the caller's. Where `on` may mean several
 * devices, moving and marks mean points of the same device as the one that is watched. */
struct frozen_rule {
	const char *name;
	const char *on;
	int64_t span;               /* ns without a change */
	/* Counts only while one of these changes within span; none: always. */
	const char *const *moving;
	size_t moving_count;
	bool marks_self;            /* the samples of the one that stands become `frozen` ... */
	const char *const *marks;   /* ... and those of these */
	size_t mark_count;
};

/* latest: what the former poller left, so that a restart ends no verdict; may be NULL. */
struct frozen *frozen_new(struct latest *latest);
void frozen_free(struct frozen *frozen); /* NULL is fine */
/* What is known of a rule that stays, by its name, and of the same series, stays known. */
void frozen_configure(struct frozen *frozen, const struct frozen_rule *rules, size_t count);

/* Before the feed. May change reason, value and text of a good sample; the raw reading stays.
 * Of points that are read in one poll those before the watched one learn of the verdict with
 * their next slot. A counter's first sample after the end has no rate. */
void frozen_judge(struct frozen *frozen, struct sample *sample);
/* False: no rule asks about that series, or about any of those so many whose ids follow it: there
 * is nothing to judge of them. */
bool frozen_concerns(const struct frozen *frozen, uint32_t series, uint32_t count);
/* What the rule of that name has found of a series that it watches. Undecided: neither a
 * change nor a whole span without one has been seen since the start. */
enum frozen_verdict { FROZEN_UNDECIDED, FROZEN_MOVES, FROZEN_STANDS };
enum frozen_verdict frozen_verdict(const struct frozen *frozen, const char *rule,
	uint32_t series);
#endif

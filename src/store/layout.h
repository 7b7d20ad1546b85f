/* layout.h - which RRAs a file gets, from the interval and the retention profile.
 *
 * Pure. Profiles at 60 s:
 *   tiny      60 s x 1 h,  12 min x 12 h, 1 h x 60 h: 60 rows of 1, 12 and 60 slots, whatever
 *             the step; AVERAGE alone
 *   short     60 s x 2 d,  5 min x 14 d, 1 h x 90 d
 *   standard  60 s x 14 d, 5 min x 90 d, 1 h x 2 y, 1 d x 10 y
 *   long      60 s x 90 d, 5 min x 1 y,  1 h x 5 y, 1 d x 20 y
 * Below 60 s single slots are kept for less long in proportion, at least 6 h (short), 1 d
 * (standard) or 3 d (long), and the resolutions of the list follow. From 5 min on the single
 * slot takes the place of the resolutions it covers. AVERAGE in all of them; MIN and MAX where
 * a row is 5 min or longer, or holds 10 slots.
 *
 * "short:720h" is the profile short of which no row is older than 720 h: rows that reach
 * further back, and resolutions of which one row does, are left out.
 */
#ifndef PW_LAYOUT_H
#define PW_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
struct fail;

struct layout_rra {
	const char *function; /* "AVERAGE", "MIN", "MAX" */
	int64_t slots;        /* slots in one row */
	int64_t rows;
};

#define LAYOUT_RRAS 16
struct layout {
	int64_t step; /* seconds */
	int count;
	struct layout_rra rra[LAYOUT_RRAS];
};

/* interval in ns, whole seconds. -1 and why: an unknown profile, or an interval that is no
 * whole second or longer than a day, or longer than nothing may stay. */
int layout_make(struct layout *layout, int64_t interval, const char *profile, struct fail *why);
/* Exact size of an RRD file of librrd 1.7 on a 64-bit system. */
int64_t layout_bytes(const struct layout *layout, size_t ds_count);
/* NULL-ended, the smallest first: "tiny", "short", "standard", "long". */
const char *const *layout_profiles(void);
#endif

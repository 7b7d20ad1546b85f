#include "store/layout.h"

#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "store/offsets.h"

#define SECOND INT64_C(1000000000)
#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define YEAR (365 * DAY)
#define TIERS 4
/* The mean of a row hides its extremes when the row is long or holds many slots. */
#define EXTREMES_FROM (5 * MINUTE)
#define EXTREMES_SLOTS 10
#define TINY_ROWS 60

struct tier {
	int64_t resolution, kept; /* seconds */
};
struct profile {
	const char *name;
	int64_t fine_at_least;    /* seconds that single slots are kept, however short */
	struct tier tiers[TIERS]; /* ends with resolution 0 */
};

static const struct profile profiles[] = {
	{ "tiny", 0, { { 0, 0 } } },
	{ "short", 6 * HOUR, { { MINUTE, 2 * DAY }, { 5 * MINUTE, 14 * DAY }, { HOUR, 90 * DAY } } },
	{ "standard", DAY, { { MINUTE, 14 * DAY }, { 5 * MINUTE, 90 * DAY }, { HOUR, 2 * YEAR },
		{ DAY, 10 * YEAR } } },
	{ "long", 3 * DAY, { { MINUTE, 90 * DAY }, { 5 * MINUTE, YEAR }, { HOUR, 5 * YEAR },
		{ DAY, 20 * YEAR } } },
};
static const char *const profile_names[] = { "tiny", "short", "standard", "long", NULL };

const char *const *
layout_profiles(void)
{
	return profile_names;
}

static const struct profile *
find_profile(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
		if (strlen(profiles[i].name) == length && strncmp(profiles[i].name, name, length) == 0)
			return &profiles[i];
	return NULL;
}

static void
add(struct layout *layout, const char *function, int64_t slots, int64_t kept)
{
	int64_t row = slots * layout->step;

	layout->rra[layout->count++] = (struct layout_rra){ function, slots, (kept + row - 1) / row };
}

static int64_t
tier_slots(const struct layout *layout, const struct tier *tier)
{
	return (tier->resolution + layout->step / 2) / layout->step;
}

/* How long single slots are kept. */
static int64_t
fine_kept(const struct layout *layout, const struct profile *profile)
{
	int64_t kept = profile->tiers[0].kept * layout->step / MINUTE;

	if (kept < profile->fine_at_least)
		kept = profile->fine_at_least;
	if (kept > profile->tiers[0].kept)
		kept = profile->tiers[0].kept;
	for (int i = 0; i < TIERS && profile->tiers[i].resolution > 0; i++)
		if (tier_slots(layout, &profile->tiers[i]) < 2)
			kept = profile->tiers[i].kept;
	return kept;
}

/* The same few rows whatever the step: at a minute an hour, half a day and two and a half. */
static void
make_tiny(struct layout *layout)
{
	static const int64_t slots[] = { 1, 12, 60 };

	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
		add(layout, "AVERAGE", slots[i], TINY_ROWS * slots[i] * layout->step);
}

static void
make_tiers(struct layout *layout, const struct profile *profile)
{
	add(layout, "AVERAGE", 1, fine_kept(layout, profile));
	for (int i = 0; i < TIERS && profile->tiers[i].resolution > 0; i++) {
		const struct tier *tier = &profile->tiers[i];
		int64_t slots = tier_slots(layout, tier);

		if (slots < 2)
			continue;
		add(layout, "AVERAGE", slots, tier->kept);
		if (slots * layout->step < EXTREMES_FROM && slots < EXTREMES_SLOTS)
			continue;
		add(layout, "MIN", slots, tier->kept);
		add(layout, "MAX", slots, tier->kept);
	}
}

/* No row reaches further back than so many seconds. */
static void
cut(struct layout *layout, int64_t retain)
{
	int count = 0;

	for (int i = 0; i < layout->count; i++) {
		struct layout_rra rra = layout->rra[i];
		int64_t most = retain / (rra.slots * layout->step);

		if (rra.rows > most)
			rra.rows = most;
		if (rra.rows > 0)
			layout->rra[count++] = rra;
	}
	layout->count = count;
}

int
layout_make(struct layout *layout, int64_t interval, const char *name, struct fail *why)
{
	size_t length = strcspn(name, ":");
	const struct profile *profile = find_profile(name, length);
	int64_t retain = INT64_MAX;

	*layout = (struct layout){ .step = interval / SECOND };
	if (profile == NULL || (name[length] == ':' &&
		str_duration(name + length + 1, &retain, NULL) == -1)) {
		fail_set(why, "retention profile \"%s\": expected tiny, short, standard or long", name);
		return -1;
	}
	if (retain < interval) {
		fail_set(why, "retention \"%s\": shorter than one interval", name);
		return -1;
	}
	if (interval <= 0 || interval % SECOND != 0 || layout->step > DAY) {
		fail_set(why, "an interval of %lld ms cannot be kept in an RRD file: whole seconds, at most a day",
			(long long)(interval / 1000000));
		return -1;
	}
	if (profile->tiers[0].resolution == 0)
		make_tiny(layout);
	else
		make_tiers(layout, profile);
	cut(layout, retain / SECOND);
	return 0;
}

int64_t
layout_bytes(const struct layout *layout, size_t ds_count)
{
	int64_t rows = 0;

	for (int i = 0; i < layout->count; i++)
		rows += layout->rra[i].rows;
	return (int64_t)offsets_head(ds_count, (size_t)layout->count) + 8 * (int64_t)ds_count * rows;
}

#include "base/clock.h"

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define DAY (86400 * S)

void
clock_start(struct clock *clock, int64_t mono, int64_t real)
{
	*clock = (struct clock){ .offset = real - mono, .last_wall = real,
		.trust = clock->trust };
}

int64_t
clock_wall(struct clock *clock, int64_t mono)
{
	int64_t wall = mono + clock->offset;

	if (wall < clock->last_wall)
		return clock->last_wall;
	clock->last_wall = wall;
	return wall;
}

static int64_t
bounded(int64_t value, int64_t limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

struct clock_step
clock_follow(struct clock *clock, int64_t mono, int64_t real)
{
	int64_t delta = real - (mono + clock->offset);
	int64_t trust = clock->trust > 0 ? clock->trust : DAY;
	struct clock_step step = { 0, false, clock->held };

	if (delta > trust || delta < -trust) {
		step.freed = false;
		if (!clock->held)
			step = (struct clock_step){ delta, true, false };
		clock->held = true;
		clock->apart = delta;
		return step;
	}
	clock->held = false;
	clock->apart = 0;
	if (delta >= S) {
		clock->offset += delta;
		clock->slow = false;
		step.delta = delta;
	} else if (delta <= -S || clock->slow) {
		if (!clock->slow)
			step.delta = delta;
		clock->offset += bounded(delta, 50 * MS);
		clock->slow = delta < -50 * MS;
	} else {
		clock->offset += bounded(delta, 5 * MS);
	}
	return step;
}

int64_t
clock_confirm(struct clock *clock, int64_t mono, int64_t real)
{
	int64_t delta = real - (mono + clock->offset);

	if (delta > -S && delta < S)
		return 0;
	if (delta < 0)
		return delta;
	clock->offset += delta;
	clock->apart = 0;
	clock->held = clock->slow = false;
	return delta;
}

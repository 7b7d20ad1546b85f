#include "core/reading.h"

#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"

/* Has it in common with them what stands once? */
static bool
is_alike(const struct readings *readings, const struct reading *reading)
{
	return reading->row == readings->row && reading->since == readings->since &&
		(reading->max_rate == 0 || reading->max_rate == readings->max_rate) &&
		reading->wrap == 0 && reading->milli == 0;
}

static bool
comes_next(const struct readings *readings, const struct reading *reading)
{
	return readings->count > 0 && readings->count < SAMPLE_BATCH &&
		reading->point == readings->first + readings->count &&
		reading->received == readings->received;
}

void
readings_tell(struct readings *readings, struct task *task)
{
	if (readings->count > 0)
		task_readings(task, readings);
	readings->count = 0;
}

void
readings_put(struct readings *readings, struct task *task, const struct reading *reading)
{
	const struct point *point = &task_group(task)->points[reading->point];
	bool alike = is_alike(readings, reading) && point->kind != POINT_TEXT;

	if (!alike || !comes_next(readings, reading))
		readings_tell(readings, task);
	if (!alike) {
		task_reading(task, reading);
		return;
	}
	if (readings->count == 0) {
		readings->first = reading->point;
		readings->received = reading->received;
	}
	readings->items[readings->count++] = (struct reading_item){ .raw = reading->raw,
		.number = reading->number,
		.mark = { .reason = reading->reason, .bits = reading->bits,
			.discontinuity = reading->discontinuity, .whole = reading->whole,
			.beyond = reading->beyond, .limited = reading->max_rate > 0 } };
}

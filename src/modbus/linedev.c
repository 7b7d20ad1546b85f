#include "modbus/linedev.h"

#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "modbus/line.h"
#include "modbus/modbus.h"

static const struct point_state crowded_states[] = { { 0, "no" }, { 1, "yes" } };

const struct point linedev_points[LINEDEV_POINTS] = {
	[LINEDEV_LOAD] = { .name = "load", .unit = "%", .text = "time in which it was taken",
		.kind = POINT_GAUGE, .scale = 1 },
	[LINEDEV_SILENT] = { .name = "silent", .unit = "", .text = "units that do not answer",
		.kind = POINT_GAUGE, .scale = 1 },
	[LINEDEV_CROWDED] = { .name = "crowded", .unit = "", .text = "has no connection to spare",
		.kind = POINT_STATE, .scale = 1, .states = crowded_states, .state_count = 2 },
};

struct linedev {
	const struct modbus *modbus;
	struct task *task;
	struct loop_timer timer;
	int64_t looked_at, busy; /* mono of the last look; busy time of the line then */
};

/* Asked for by name each time: on a reload all its units may leave it, and new ones make it
 * anew, while this device stays. */
static double
load_since(struct linedev *dev, const struct line_look *look, int64_t now)
{
	bool same = dev->looked_at >= look->made;
	int64_t from = same ? dev->looked_at : look->made;
	int64_t busy = same ? look->busy - dev->busy : look->busy;

	dev->looked_at = now;
	dev->busy = look->busy;
	return now > from ? 100.0 * (double)busy / (double)(now - from) : 0;
}

static void
tell(const struct linedev *dev, uint32_t point, double number, int64_t now)
{
	struct reading reading = { .row = TASK_SCALAR, .point = point, .number = number,
		.reason = REASON_GOOD, .received = now };

	task_reading(dev->task, &reading);
}

static void
look_now(void *arg)
{
	struct linedev *dev = arg;
	struct line_look look;
	int64_t now = loop_mono(task_loop(dev->task));

	if (!modbus_look(dev->modbus, task_device(dev->task)->name, &look)) {
		task_error(dev->task, "none of its units can be polled");
		task_done(dev->task, REASON_CONFIG);
		return;
	}
	if (look.released) {
		task_done(dev->task, REASON_PAUSED);
		return;
	}
	tell(dev, LINEDEV_LOAD, load_since(dev, &look, now), now);
	tell(dev, LINEDEV_SILENT, (double)look.silent, now);
	tell(dev, LINEDEV_CROWDED, look.crowded, now);
	if (look.verdict != LINE_UNTRIED)
		task_exchange(dev->task, look.verdict == LINE_WELL, look.rtt);
	if (look.verdict == LINE_BAD) {
		task_unanswered(dev->task, look.down ? REASON_UNREACHABLE : REASON_TIMEOUT);
		task_error(dev->task, "%s", look.why);
	}
	task_done(dev->task, look.verdict == LINE_UNTRIED ? REASON_PAUSED : REASON_GOOD);
}

/* ---- the driver ---- */

static void *
open_group(void *state, struct task *task)
{
	struct linedev *dev = mem_zero(sizeof *dev);

	dev->modbus = state;
	dev->task = task;
	loop_timer_init(&dev->timer, look_now, dev);
	return dev;
}

static void
cancel(void *arg)
{
	struct linedev *dev = arg;

	loop_timer_stop(task_loop(dev->task), &dev->timer);
}

static void
close_group(void *arg)
{
	if (arg == NULL)
		return;
	cancel(arg);
	free(arg);
}

static void
start(void *arg, bool cautious)
{
	struct linedev *dev = arg;

	(void)cautious;
	loop_timer_in(task_loop(dev->task), &dev->timer, 0);
}

const struct driver linedev_driver = { .name = "line", .open = open_group, .close = close_group,
	.start = start, .cancel = cancel, .gathers = true };

#include "core/poller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/series.h"
#include "core/task.h"

static void say_rest_of_burst(void *arg);

struct poller *
poller_new(const struct poller_parts *parts)
{
	struct poller *poller = mem_zero(sizeof *poller);

	poller->parts = *parts;
	poller->missed = REASON_POLLER_DOWN;
	loop_timer_init(&poller->quiet, say_rest_of_burst, poller);
	task_prepare(poller);
	return poller;
}

/* Each burst ends in one line that counts what was not said. */
static void
say_rest_of_burst(void *arg)
{
	struct poller *poller = arg;

	if (poller->down.unsaid > 0)
		log_warn("and %u more devices do not answer", poller->down.unsaid);
	if (poller->back.unsaid > 0)
		log_info("and %u more devices answer again", poller->back.unsaid);
	poller->down = poller->back = (struct burst){ 0 };
}

static void
free_unit(struct unit *unit)
{
	struct poller *poller = unit->poller;

	for (size_t i = 0; i < unit->task_count; i++)
		task_free(unit->tasks[i]);
	for (int i = 0; i < poller->parts.driver_count; i++)
		if (unit->states[i] != NULL && poller->parts.drivers[i].driver->detach != NULL)
			poller->parts.drivers[i].driver->detach(unit->states[i]);
	for (int i = 0; i < UNIT_TRACKS; i++)
		track_forget(poller, &unit->tracks[i]);
	for (size_t i = 0; i < unit->info_count; i++) {
		free(unit->info_names[i]);
		free(unit->info_texts[i]);
	}
	free(unit->info_names);
	free(unit->info_texts);
	free(unit->last_error);
	free(unit->tasks);
	inventory_unref(unit->inventory);
	free(unit);
}

static void
remove_unit(struct poller *poller, struct unit *unit)
{
	HASH_DEL(poller->units, unit);
	free_unit(unit);
}

void
poller_free(struct poller *poller)
{
	struct unit *unit, *next;

	if (poller == NULL)
		return;
	HASH_ITER(hh, poller->units, unit, next)
		remove_unit(poller, unit);
	loop_timer_stop(poller->parts.loop, &poller->quiet);
	inventory_unref(poller->inventory);
	free(poller->recovered);
	free(poller);
}

/* ---- taking over a configuration ---- */

void
poller_missed(struct poller *poller, uint8_t reason)
{
	poller->missed = reason;
}

static void
attach_drivers(struct unit *unit)
{
	struct poller *poller = unit->poller;

	for (size_t i = 0; i < unit->task_count; i++) {
		int driver = unit->tasks[i]->driver;
		const struct poller_driver *d = &poller->parts.drivers[driver];
		struct fail why;

		if (unit->attached[driver])
			continue;
		unit->attached[driver] = true;
		unit->states[driver] = d->driver->attach == NULL ? d->env :
			d->driver->attach(d->env, unit->device, &why);
		if (unit->states[driver] == NULL)
			log_error("%s (%s): not polled: %s", unit->device->name,
				unit->device->address, why.text);
	}
}

/* "sw/if[ge-1/5]/oper" in place: device, table, row. False for a scalar's path. */
static bool
split_path(char *path, char **device, char **table, char **row)
{
	char *open = strchr(path, '['), *slash = strchr(path, '/'), *close = NULL;

	for (char *c = open; c != NULL && *c != '\0'; c++)
		if (c[0] == ']' && c[1] == '/')
			close = c;
	if (open == NULL || slash == NULL || slash > open || close == NULL)
		return false;
	*slash = *open = *close = '\0';
	*device = path;
	*table = slash + 1;
	*row = open + 1;
	return true;
}

/* Rows known from the journal are expected from the start, also when their device is dead. */
static void
restore_rows(struct poller *poller)
{
	for (uint32_t id = 1; id < poller->recovered_count; id++) {
		const struct series *series = series_show(poller->parts.catalogue, id);
		char *path, *device, *table, *row;
		struct unit *unit;

		if (poller->recovered[id] == 0 || series == NULL)
			continue;
		path = mem_text(series->path);
		if (split_path(path, &device, &table, &row)) {
			HASH_FIND_STR(poller->units, device, unit);
			for (size_t i = 0; unit != NULL && i < unit->task_count; i++)
				if (unit->tasks[i]->work == NULL && unit->tasks[i]->group->table != NULL &&
					strcmp(unit->tasks[i]->group->table, table) == 0)
					task_make_row(unit->tasks[i], row);
		}
		free(path);
	}
}

static struct unit *
add_unit(struct poller *poller, struct inventory *inventory, const struct device *device,
	uint8_t gap)
{
	struct unit *unit = mem_zero(sizeof *unit);

	unit->poller = poller;
	unit->inventory = inventory_ref(inventory);
	unit->device = device;
	unit->up = -1;
	unit->gap = gap;
	unit->kept = true;
	unit->last_rtt = unit->last_loss = (double)NAN;
	unit->tasks = mem_array(device->group_count, sizeof(struct task *));
	HASH_ADD_KEYPTR(hh, poller->units, device->name, strlen(device->name), unit);
	for (size_t i = 0; i < device->group_count; i++)
		unit->tasks[unit->task_count++] = task_new(unit, &device->groups[i], gap);
	return unit;
}

static void
start_unit(struct unit *unit)
{
	attach_drivers(unit);
	for (size_t i = 0; i < unit->task_count; i++)
		task_open(unit->tasks[i]);
	unit_open_health(unit);
}

static void
drop_changed(struct poller *poller, const struct inventory *inventory)
{
	struct unit *unit, *next;

	HASH_ITER(hh, poller->units, unit, next)
		unit->kept = false;
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct device *device = &inventory->devices[i];

		HASH_FIND_STR(poller->units, device->name, unit);
		if (unit != NULL)
			unit->kept = unit->device->fingerprint == device->fingerprint;
	}
	HASH_ITER(hh, poller->units, unit, next)
		if (!unit->kept)
			remove_unit(poller, unit);
}

void
poller_configure(struct poller *poller, struct inventory *inventory)
{
	uint8_t gap = poller->inventory == NULL ? poller->missed : REASON_CONFIG;
	struct unit **fresh = mem_array(inventory->device_count, sizeof(struct unit *));
	size_t count = 0;

	drop_changed(poller, inventory);
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct device *device = &inventory->devices[i];
		struct unit *unit;

		HASH_FIND_STR(poller->units, device->name, unit);
		if (unit == NULL)
			fresh[count++] = add_unit(poller, inventory, device, gap);
	}
	restore_rows(poller);
	for (size_t i = 0; i < count; i++)
		start_unit(fresh[i]);
	free(fresh);
	/* What nobody took up belongs to nobody any more. */
	for (uint32_t id = 1; id < poller->recovered_count; id++)
		if (poller->recovered[id] != 0 && poller->parts.ended != NULL)
			poller->parts.ended(id, poller->parts.ended_arg);
	free(poller->recovered);
	poller->recovered = NULL;
	poller->recovered_count = 0;
	inventory_unref(poller->inventory);
	poller->inventory = inventory;
	feed_flush(poller->parts.feed);
}

void
poller_clock_stepped(struct poller *poller, int64_t delta)
{
	struct unit *unit, *next;

	(void)delta;
	HASH_ITER(hh, poller->units, unit, next) {
		unit->gap = REASON_CLOCK_STEP;
		for (size_t i = 0; i < unit->task_count; i++) {
			unit->tasks[i]->gap = REASON_CLOCK_STEP;
			task_schedule(unit->tasks[i]);
		}
	}
}

/* ---- views ---- */

struct next_slots {
	void (*each)(uint32_t series, int64_t next, void *arg);
	void *arg;
};

static void
tell_next(const struct track *track, void *arg)
{
	struct next_slots *wanted = arg;

	wanted->each(track->id, track->next, wanted->arg);
}

void
poller_next_slots(const struct poller *poller, void (*each)(uint32_t, int64_t, void *), void *arg)
{
	struct next_slots wanted = { each, arg };
	struct unit *unit, *next;

	HASH_ITER(hh, poller->units, unit, next) {
		for (size_t i = 0; i < unit->task_count; i++)
			task_each_track(unit->tasks[i], tell_next, &wanted);
		for (int i = 0; i < UNIT_TRACKS; i++)
			if (unit->tracks[i].id != 0)
				tell_next(&unit->tracks[i], &wanted);
	}
}

struct poller_counters
poller_counters(struct poller *poller)
{
	struct poller_counters counters = poller->counters;
	struct unit *unit, *next;

	HASH_ITER(hh, poller->units, unit, next) {
		counters.devices++;
		counters.devices_down += unit->up == 0;
	}
	poller->counters.worst_start = 0;
	return counters;
}

void
poller_each_device(struct poller *poller, void (*each)(const struct device_view *, void *),
	void *arg)
{
	struct unit *unit, *next;

	HASH_ITER(hh, poller->units, unit, next) {
		struct device_view view;

		unit_view(unit, loop_wall(poller->parts.loop), &view);
		each(&view, arg);
	}
}

#include "core/poller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/kin.h"
#include "core/latest.h"
#include "core/series.h"
#include "core/task.h"

static void say_rest_of_burst(void *arg);

static size_t
unit_size(size_t tasks)
{
	return sizeof(struct unit) + tasks * sizeof(struct task);
}

struct poller *
poller_new(const struct poller_parts *parts)
{
	struct poller *poller = mem_zero(sizeof *poller);

	poller->parts = *parts;
	for (size_t i = 0; i < UNIT_SHELVES; i++)
		poller->shelves[i].size = unit_size(i + 1);
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
	if (poller->barred.unsaid > 0)
		log_warn("and %u more devices cannot be read", poller->barred.unsaid);
	if (poller->read.unsaid > 0)
		log_info("and %u more devices can be read again", poller->read.unsaid);
	poller->down = poller->back = poller->barred = poller->read = (struct burst){ 0 };
}

static void
free_more(struct unit_more *more)
{
	if (more == NULL)
		return;
	for (size_t i = 0; i < more->infos.count; i++) {
		free(more->infos.names[i]);
		free(more->infos.texts[i]);
	}
	free(more->infos.names);
	free(more->infos.texts);
	free(more->infos.by_name);
	free(more->trouble);
	free(more->parents);
	free(more->health);
	free(more);
}

/* ---- the inventories that units point into ---- */

static struct lender *
find_lender(const struct poller *poller, const struct device *device)
{
	for (uint32_t i = poller->lender_count; i > 0; i--) {
		const struct inventory *inventory = poller->lenders[i - 1].inventory;
		uintptr_t ahead = (uintptr_t)device - (uintptr_t)inventory->devices;

		if (ahead < inventory->device_count * sizeof *device)
			return &poller->lenders[i - 1];
	}
	return NULL;
}

/* A unit of its device is made. */
static void
borrow_device(struct poller *poller, struct inventory *inventory, const struct device *device)
{
	struct lender *lender = find_lender(poller, device);

	if (lender == NULL) {
		poller->lenders = mem_grow(poller->lenders, poller->lender_count + 1,
			sizeof *poller->lenders);
		lender = &poller->lenders[poller->lender_count++];
		*lender = (struct lender){ .inventory = inventory_ref(inventory) };
	}
	lender->units++;
}

static void
give_device_back(struct poller *poller, const struct device *device)
{
	struct lender *lender = find_lender(poller, device);

	if (--lender->units > 0)
		return;
	inventory_unref(lender->inventory);
	*lender = poller->lenders[--poller->lender_count];
}

/* NULL: such a unit is a block of the heap. */
static struct shelf *
shelf_for(struct poller *poller, size_t tasks)
{
	return tasks >= 1 && tasks <= UNIT_SHELVES ? &poller->shelves[tasks - 1] : NULL;
}

static void
forget_track(const struct track *track, void *arg)
{
	track_forget(arg, track);
}

static void
free_unit(struct unit *unit)
{
	struct poller *poller = unit->poller;
	struct shelf *shelf = shelf_for(poller, unit->task_count);

	for (size_t i = 0; i < unit->task_count; i++)
		task_close(&unit->tasks[i]);
	for (int i = 0; i < poller->parts.driver_count; i++) {
		void *state = unit_state(unit, i);

		if (state != NULL && poller->parts.drivers[i].driver->detach != NULL)
			poller->parts.drivers[i].driver->detach(state);
	}
	unit_each_track(unit, forget_track, poller);
	free_more(unit->more);
	give_device_back(poller, unit->device);
	if (shelf != NULL)
		shelf_give(shelf, unit);
	else
		free(unit);
}

void
poller_free(struct poller *poller)
{
	if (poller == NULL)
		return;
	for (uint32_t u = 0; u < poller->unit_count; u++)
		free_unit(poller->units[u]);
	free(poller->units);
	free(poller->lenders);
	loop_timer_stop(poller->parts.loop, &poller->quiet);
	loop_timer_stop(poller->parts.loop, &poller->more);
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

/* Once a driver: its tasks share what it knows of the device. */
static void
attach_driver(struct unit *unit, uint8_t driver)
{
	const struct poller_driver *d = &unit->poller->parts.drivers[driver];
	struct fail why;
	void *state = d->driver->attach == NULL ? d->env :
		d->driver->attach(d->env, unit->device, &why);

	if (state == NULL)
		log_error("%s (%s): not polled: %s", unit->device->name, unit->device->address,
			why.text);
	for (size_t i = 0; i < unit->task_count; i++)
		if (unit->tasks[i].driver == driver)
			unit->tasks[i].state = state;
}

static void
attach_drivers(struct unit *unit)
{
	unsigned attached = 0;

	for (size_t i = 0; i < unit->task_count; i++) {
		unsigned bit = 1u << unit->tasks[i].driver;

		if ((attached & bit) == 0)
			attach_driver(unit, unit->tasks[i].driver);
		attached |= bit;
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

/* Those that a configuration brings, by index of its devices; NULL: it was there before. */
struct arrivals {
	struct inventory *inventory;
	struct unit **units;
};

static void
restore_row(const struct arrivals *arrivals, const char *device, const char *table,
	const char *row)
{
	const struct device *found = inventory_find(arrivals->inventory, device);
	struct unit *unit = found == NULL ? NULL :
		arrivals->units[found - arrivals->inventory->devices];

	for (size_t i = 0; unit != NULL && i < unit->task_count; i++)
		if (group_of(&unit->tasks[i])->table != NULL &&
			strcmp(group_of(&unit->tasks[i])->table, table) == 0)
			task_make_row(&unit->tasks[i], row);
}

/* Rows known from the journal are expected from the start, also when their device is dead. */
static void
restore_rows(struct poller *poller, const struct arrivals *arrivals)
{
	for (uint32_t id = 1; id < poller->recovered_count; id++) {
		const struct series *series = series_show(poller->parts.catalogue, id);
		char *path, *device, *table, *row;

		if (poller->recovered[id] == 0 || series == NULL)
			continue;
		path = mem_text(series->path);
		if (split_path(path, &device, &table, &row))
			restore_row(arrivals, device, table, row);
		free(path);
	}
}

static struct unit *
unit_new(struct poller *poller, struct inventory *inventory, const struct device *device,
	uint8_t gap, struct kin_rank rank)
{
	struct shelf *shelf = shelf_for(poller, device->group_count);
	struct unit *unit = shelf != NULL ? shelf_take(shelf) : mem_zero(unit_size(device->group_count));

	borrow_device(poller, inventory, device);
	unit->poller = poller;
	unit->device = device;
	unit->up = -1;
	unit->gap = gap;
	unit->last_rtt = unit->last_loss = UNIT_UNKNOWN;
	for (size_t i = 0; i < device->group_count; i++)
		task_init(&unit->tasks[unit->task_count++], unit, gap, rank);
	if (device->own)
		unit_more(unit)->watched = true;
	unit_number_health(unit);
	return unit;
}

static void
start_unit(struct unit *unit)
{
	attach_drivers(unit);
	for (size_t i = 0; i < unit->task_count; i++)
		task_open(&unit->tasks[i]);
	unit_open_health(unit);
}

/* Under the same name something else may be asked from now on, and no rate is between the two. */
static void
forget_base(const struct track *track, void *arg)
{
	latest_base_drop(arg, track->id);
}

static void
forget_bases(const struct unit *unit)
{
	for (size_t i = 0; i < unit->task_count; i++)
		task_each_track(&unit->tasks[i], forget_base, unit->poller->parts.latest);
}

static uint64_t
fingerprint_of(const struct inventory *inventory)
{
	uint64_t all = 1;

	for (size_t i = 0; i < inventory->device_count; i++)
		all = all * UINT64_C(1099511628211) + inventory->devices[i].fingerprint;
	return all != 0 ? all : 1;
}

/* The places of devices that stay are marked in `stays`. */
static void
drop_changed(struct poller *poller, const struct inventory *inventory, bool *stays)
{
	uint32_t count = 0;

	for (uint32_t u = 0; u < poller->unit_count; u++) {
		struct unit *unit = poller->units[u];
		const struct device *device = inventory_find(inventory, unit->device->name);

		if (device == NULL || device->fingerprint != unit->device->fingerprint) {
			forget_bases(unit);
			free_unit(unit);
			continue;
		}
		stays[device - inventory->devices] = true;
		poller->units[count++] = unit;
	}
	poller->unit_count = count;
}

static bool
has_parents(const struct unit *unit)
{
	return device_parents(unit->device)[0] != NULL;
}

/* One that is not polled is never known to be down, so then none needs to be looked at. */
static struct unit **
find_parents(const struct unit *unit, const struct inventory *inventory, struct unit **by_index)
{
	const char *const *names = device_parents(unit->device);
	struct unit **parents;
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	parents = mem_array(count + 1, sizeof(struct unit *));
	for (size_t i = 0; i < count; i++) {
		const struct device *device = inventory_find(inventory, names[i]);

		if (device != NULL)
			parents[i] = by_index[device - inventory->devices];
		if (parents[i] == NULL) {
			free(parents);
			return NULL;
		}
	}
	return parents;
}

/* Of all, as a unit that stays may have a parent that a reload has made anew. */
static void
link_parents(struct poller *poller, const struct inventory *inventory)
{
	struct unit **by_index = NULL;

	for (uint32_t u = 0; u < poller->unit_count; u++)
		if (has_parents(poller->units[u]))
			by_index = by_index != NULL ? by_index :
				mem_array(inventory->device_count, sizeof(struct unit *));
	for (uint32_t u = 0; by_index != NULL && u < poller->unit_count; u++) {
		const char *name = poller->units[u]->device->name;

		by_index[inventory_find(inventory, name) - inventory->devices] = poller->units[u];
	}
	for (uint32_t u = 0; u < poller->unit_count; u++) {
		struct unit *unit = poller->units[u];

		if (!has_parents(unit))
			continue;
		free(unit_more(unit)->parents);
		unit->more->parents = find_parents(unit, inventory, by_index);
	}
	free(by_index);
}

void
poller_configure(struct poller *poller, struct inventory *inventory)
{
	struct kin_rank *ranks = kin_ranks(inventory);
	uint8_t gap = poller->inventory == NULL ? poller->missed : REASON_CONFIG;
	struct arrivals arrivals = { inventory,
		mem_array(inventory->device_count, sizeof(struct unit *)) };
	bool *stays = mem_array(inventory->device_count, sizeof *stays);

	drop_changed(poller, inventory, stays);
	latest_bases_are_for(poller->parts.latest, fingerprint_of(inventory),
		poller->inventory != NULL);
	poller->units = mem_grow(poller->units, poller->unit_count + inventory->device_count,
		sizeof(struct unit *));
	for (size_t i = 0; i < inventory->device_count; i++)
		if (!stays[i])
			poller->units[poller->unit_count++] = arrivals.units[i] =
				unit_new(poller, inventory, &inventory->devices[i], gap,
					ranks == NULL ? (struct kin_rank){ 0 } : ranks[i]);
	free(ranks);
	poller->units = mem_grow(poller->units, poller->unit_count, sizeof(struct unit *));
	link_parents(poller, inventory);
	restore_rows(poller, &arrivals);
	for (size_t i = 0; i < inventory->device_count; i++)
		if (arrivals.units[i] != NULL)
			start_unit(arrivals.units[i]);
	free(arrivals.units);
	free(stays);
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

	(void)delta;
	for (uint32_t u = 0; u < poller->unit_count; u++) {
		struct unit *unit = poller->units[u];

		unit->gap = REASON_CLOCK_STEP;
		for (size_t i = 0; i < unit->task_count; i++) {
			unit->tasks[i].gap = REASON_CLOCK_STEP;
			task_schedule(&unit->tasks[i]);
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

	for (uint32_t u = 0; u < poller->unit_count; u++) {
		const struct unit *unit = poller->units[u];

		for (size_t i = 0; i < unit->task_count; i++)
			task_each_track(&unit->tasks[i], tell_next, &wanted);
		unit_each_track(unit, tell_next, &wanted);
	}
}

struct poller_counters
poller_counters(struct poller *poller)
{
	struct poller_counters counters = poller->counters;

	counters.devices = poller->unit_count;
	for (uint32_t u = 0; u < poller->unit_count; u++)
		counters.devices_down += poller->units[u]->up == 0;
	poller->counters.worst_start = 0;
	return counters;
}

void
poller_each_device(struct poller *poller, void (*each)(const struct device_view *, void *),
	void *arg)
{
	for (uint32_t u = 0; u < poller->unit_count; u++) {
		struct device_view view;

		unit_view(poller->units[u], loop_wall(poller->parts.loop), &view);
		each(&view, arg);
	}
}

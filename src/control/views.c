#include "control/views.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm/alarms.h"
#include "base/mem.h"
#include "core/poller.h"
#include "notify/notify.h"
#include "path/path.h"
#include "path/paths.h"

static json_t *
number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

/* Texts come from devices and configurations: what is no UTF-8 becomes '?'. */
static json_t *
text(const char *value)
{
	json_t *string = json_string(value);
	char *copy;

	if (string != NULL)
		return string;
	copy = mem_text(value);
	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static json_t *
seconds(int64_t wall)
{
	return json_real((double)wall / 1e9);
}

/* ---- status ---- */

/* RUN_DIR/store.health: key=value lines, written by the store. */
static json_t *
store_health(const char *run_dir)
{
	json_t *health = json_object();
	char path[512], line[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/store.health", run_dir);
	file = fopen(path, "re");
	if (file == NULL) {
		json_object_set_new(health, "state", json_string("unknown"));
		return health;
	}
	while (fgets(line, sizeof line, file) != NULL) {
		char *equals = strchr(line, '=');

		line[strcspn(line, "\n")] = '\0';
		if (equals == NULL)
			continue;
		*equals = '\0';
		json_object_set_new(health, line, text(equals + 1));
	}
	fclose(file);
	return health;
}

static void
add_receiver(void *arg, const struct receiver_view *r)
{
	char address[80];

	json_array_append_new(arg, json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
		"name", r->name, "address", net_addr_text(address, sizeof address, &r->address, true),
		"inform", r->inform, "silent", r->silent, "waiting", (json_int_t)r->waiting,
		"sent", (json_int_t)r->sent, "done", (json_int_t)r->done,
		"repeated", (json_int_t)r->repeated, "lost", (json_int_t)r->lost));
}

json_t *
view_status(const struct view_status *status)
{
	struct poller_counters c = poller_counters(status->poller);
	json_t *store = store_health(status->run_dir), *receivers = json_array();
	const char *store_state = json_string_value(json_object_get(store, "state"));
	bool degraded = status->journal_trouble != NULL || store_state == NULL ||
		strcmp(store_state, "ok") != 0;

	notify_each(status->notify, add_receiver, receivers);
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o,"
		" s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}}",
		"name", text(status->name), "version", PW_VERSION,
		"health", degraded ? "degraded" : "ok", "time", seconds(status->now),
		"started", seconds(status->started),
		"devices", (json_int_t)c.devices, "devices_down", (json_int_t)c.devices_down,
		"tasks", (json_int_t)c.tasks, "series", (json_int_t)c.series,
		"alarms", (json_int_t)alarms_count(status->alarms),
		"journal", status->journal_trouble != NULL ? text(status->journal_trouble) : json_null(),
		"store", store, "receivers", receivers,
		"polls", "started", (json_int_t)c.started, "finished", (json_int_t)c.finished,
		"overruns", (json_int_t)c.overruns, "late", (json_int_t)c.late,
		"samples", (json_int_t)c.samples, "exchanges", (json_int_t)c.exchanges,
		"answered", (json_int_t)c.answered, "worst_start", (double)c.worst_start / 1e9);
}

/* ---- devices ---- */

static void
add_device(const struct device_view *d, void *arg)
{
	json_t *info = json_object();
	json_t *device;

	for (size_t i = 0; i < d->info_count; i++)
		json_object_set_new(info, d->info_names[i], text(d->info_texts[i]));
	device = json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o}",
		"name", d->name, "address", text(d->address), "protocol", d->protocol,
		"state", d->state, "rtt", number(d->rtt), "loss", number(d->loss),
		"age", number(d->age), "last_error", text(d->last_error), "place", text(d->place),
		"owner", text(d->owner), "asset", text(d->asset), "text", text(d->text),
		"interval", (double)d->interval / 1e9, "info", info);
	json_array_append_new(arg, device);
}

json_t *
view_devices(struct poller *poller)
{
	json_t *list = json_array();

	poller_each_device(poller, add_device, list);
	return list;
}

/* ---- alarms ---- */

static void
add_alarm(void *arg, const struct alarm_view *a)
{
	json_t *alarm = json_pack("{s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o,"
		" s:o, s:o, s:o}",
		"key", text(a->key), "id", (json_int_t)a->id, "severity", severity_word(a->severity),
		"condition", text(a->condition), "device", text(a->device), "object", text(a->object),
		"value", text(a->value), "threshold", text(a->threshold), "unit", text(a->unit),
		"since", seconds(a->since), "text", text(a->text), "suppressed", a->suppressed,
		"owner", text(a->owner), "place", text(a->place), "path", text(a->path),
		"root", *a->root != '\0' ? text(a->root) : json_null());

	json_array_append_new(arg, alarm);
}

json_t *
view_alarms(const struct alarms *alarms)
{
	json_t *list = json_array();

	alarms_each(alarms, add_alarm, list);
	return list;
}

/* ---- paths ---- */

static void
add_path(void *arg, const struct path_view *p)
{
	json_t *path = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:s,"
		" s:o, s:o, s:o}",
		"name", p->name, "state", path_state_word(p->state),
		"root", *p->root != '\0' ? text(p->root) : json_null(), "evidence", text(p->evidence),
		"availability", number(p->availability), "coverage", number(p->coverage),
		"worst", number(p->worst), "target", p->target > 0 ? json_real(p->target) : json_null(),
		"budget_left", number(p->budget_left),
		"age", p->age >= 0 ? json_real((double)p->age / 1e9) : json_null(),
		"proven", p->proven, "since", seconds(p->since), "severity", severity_word(p->severity),
		"place", text(p->place), "owner", text(p->owner), "help", text(p->help));

	json_array_append_new(arg, path);
}

json_t *
view_paths(const struct paths *paths)
{
	json_t *list = json_array();

	paths_each(paths, add_path, list);
	return list;
}

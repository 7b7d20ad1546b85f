#include "control/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm/alarms.h"
#include "base/doc.h"
#include "base/str.h"
#include "core/guard.h"
#include "core/poller.h"
#include "notify/notify.h"
#include "path/path.h"
#include "path/paths.h"

/* ---- status ---- */

/* "state" and "reason" may be any words; the others are numbers. */
static json_t *
health_value(const char *key, const char *text)
{
	uint64_t whole;
	double number;

	if (strcmp(key, "state") == 0 || strcmp(key, "reason") == 0)
		return doc_text(text);
	if (str_uint(text, &whole, NULL) == 0)
		return json_integer((json_int_t)whole);
	return str_double(text, &number, NULL) == 0 ? doc_number(number) : doc_text(text);
}

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
		json_object_set_new(health, line, health_value(line, equals + 1));
	}
	fclose(file);
	return health;
}

static void
add_receiver(void *arg, const struct receiver_view *r)
{
	char address[80];

	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:o, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
		"name", r->name, "address", net_addr_text(address, sizeof address, &r->address, true),
		"version", r->version == 3 ? "3" : "2c",
		"engine", *r->engine != '\0' ? json_string(r->engine) : json_null(),
		"inform", r->inform, "silent", r->silent, "waiting", (json_int_t)r->waiting,
		"sent", (json_int_t)r->sent, "done", (json_int_t)r->done,
		"repeated", (json_int_t)r->repeated, "lost", (json_int_t)r->lost));
}

static void
add_name(void *to, const char *name)
{
	json_array_append_new(to, doc_text(name));
}

static json_t *
lines_json(const struct view_lines *lines)
{
	bool any = lines->count > 0 && lines->busiest != NULL && lines->busiest[0] != '\0';

	bool tls = lines->ending != NULL && lines->ending[0] != '\0';

	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
		"count", (json_int_t)lines->count,
		"bad", (json_int_t)lines->bad, "crowded", (json_int_t)lines->crowded,
		"released", (json_int_t)lines->released,
		"busiest", any ? doc_text(lines->busiest) : json_null(),
		"load", any ? doc_number(lines->load) : json_null(),
		"ending", tls ? doc_text(lines->ending) : json_null(),
		"ends", tls ? doc_seconds(lines->ends) : json_null());
}

json_t *
view_status(const struct view_status *status)
{
	struct poller_counters c = poller_counters(status->poller);
	json_t *store = store_health(status->run_dir), *receivers = json_array(),
		*weak = json_array();
	const char *store_state = json_string_value(json_object_get(store, "state"));
	bool degraded = status->journal_trouble != NULL || status->clock_trouble != NULL ||
		store_state == NULL ||
		strcmp(store_state, "ok") != 0;

	notify_each(status->notify, add_receiver, receivers);
	if (status->each_weak != NULL)
		status->each_weak(add_name, weak, status->arg);
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o,"
		" s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f},"
		" s:{s:I, s:I, s:I, s:I, s:I, s:I}}",
		"name", doc_text(status->name), "version", PW_VERSION,
		"health", degraded ? "degraded" : "ok", "time", doc_seconds(status->now),
		"started", doc_seconds(status->started),
		"devices", (json_int_t)c.devices, "devices_down", (json_int_t)c.devices_down,
		"tasks", (json_int_t)c.tasks, "series", (json_int_t)c.series,
		"alarms", (json_int_t)alarms_count(status->alarms),
		"clock", status->clock_trouble != NULL ? doc_text(status->clock_trouble) : json_null(),
		"journal", status->journal_trouble != NULL ? doc_text(status->journal_trouble) : json_null(),
		"refused", status->refused != NULL ? doc_text(status->refused) : json_null(),
		"store", store, "receivers", receivers, "weak", weak,
		"lines", lines_json(&status->lines),
		"polls", "started", (json_int_t)c.started, "finished", (json_int_t)c.finished,
		"overruns", (json_int_t)c.overruns, "late", (json_int_t)c.late,
		"samples", (json_int_t)c.samples, "exchanges", (json_int_t)c.exchanges,
		"answered", (json_int_t)c.answered, "worst_start", (double)c.worst_start / 1e9,
		"loop_lag", (double)status->worst_lag / 1e9,
		"snmp", "sent", (json_int_t)status->snmp.sent,
		"answered", (json_int_t)status->snmp.answered, "strays", (json_int_t)status->snmp.strays,
		"wrong_source", (json_int_t)status->snmp.wrong_source,
		"malformed", (json_int_t)status->snmp.malformed,
		"dropped", (json_int_t)status->snmp.dropped);
}

/* ---- devices ---- */

static void
add_device(const struct device_view *d, void *arg)
{
	json_t *info = json_object();
	json_t *device;

	for (size_t i = 0; i < d->info_count; i++) {
		char *name = doc_name(d->info_names[i]);

		json_object_set_new(info, name, doc_text(d->info_texts[i]));
		free(name);
	}
	device = json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o}",
		"name", d->name, "address", doc_text(d->address), "protocol", d->protocol,
		"state", d->state, "rtt", doc_number(d->rtt), "loss", doc_number(d->loss),
		"age", doc_number(d->age), "last_error", doc_text(d->last_error), "place", doc_text(d->place),
		"owner", doc_text(d->owner), "asset", doc_text(d->asset), "text", doc_text(d->text),
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
		"key", doc_text(a->key), "id", (json_int_t)a->id, "severity", severity_word(a->severity),
		"condition", doc_text(a->condition), "device", doc_text(a->device), "object", doc_text(a->object),
		"value", doc_text(a->value), "threshold", doc_text(a->threshold), "unit", doc_text(a->unit),
		"since", doc_seconds(a->since), "text", doc_text(a->text), "suppressed", a->suppressed,
		"owner", doc_text(a->owner), "place", doc_text(a->place), "path", doc_text(a->path),
		"root", *a->root != '\0' ? doc_text(a->root) : json_null());

	json_array_append_new(arg, alarm);
}

json_t *
view_alarms(const struct alarms *alarms)
{
	json_t *list = json_array();

	alarms_each(alarms, add_alarm, list);
	return list;
}

/* ---- clock ---- */

json_t *
view_clock(const struct guard *guard, const char *trouble)
{
	struct guard_view view = guard_look(guard);

	return json_pack("{s:s, s:o, s:o, s:o}",
		"state", view.waiting ? "waiting" : view.held ? "held" : "ok",
		"wall", doc_seconds(view.wall), "system", doc_seconds(view.real),
		"text", trouble != NULL ? doc_text(trouble) : json_null());
}

/* ---- paths ---- */

static void
add_path(void *arg, const struct path_view *p)
{
	json_t *path = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:s,"
		" s:o, s:o, s:o}",
		"name", p->name, "state", path_state_word(p->state),
		"root", *p->root != '\0' ? doc_text(p->root) : json_null(), "evidence", doc_text(p->evidence),
		"availability", doc_number(p->availability), "coverage", doc_number(p->coverage),
		"worst", doc_number(p->worst), "target", p->target > 0 ? json_real(p->target) : json_null(),
		"budget_left", doc_number(p->budget_left),
		"age", p->age >= 0 ? doc_number((double)p->age / 1e9) : json_null(),
		"proven", p->proven, "since", doc_seconds(p->since), "severity", severity_word(p->severity),
		"place", doc_text(p->place), "owner", doc_text(p->owner), "help", doc_text(p->help));

	json_array_append_new(arg, path);
}

json_t *
view_paths(const struct paths *paths)
{
	json_t *list = json_array();

	paths_each(paths, add_path, list);
	return list;
}

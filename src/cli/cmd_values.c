/* pollwerk values: the newest value of every point, from the mapping that the poller keeps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"

struct value {
	const struct series *series;
	struct latest_row row;
	const char *quality;
	int64_t beat; /* a poller's last sign of life, wall ns; 0 where none is at work */
};

/* A poller gives a sign of life each second. */
#define ALIVE (10 * INT64_C(1000000000))

/* Older than two intervals: nobody has closed a slot since, whatever the last one said. */
static const char *
quality_of(const struct series *series, const struct latest_row *row, int64_t now)
{
	if (!row->known)
		return "unknown";
	if (now - row->received > 2 * series->step)
		return "stale";
	return reason_counts_as_good(row->reason) ? "good" : "unknown";
}

static json_t *
value_json(const struct value *value)
{
	const struct latest_row *row = &value->row;
	bool fresh = strcmp(value->quality, "good") == 0;

	if (!fresh)
		return json_null();
	if (value->series->kind == POINT_TEXT)
		return doc_text(row->text);
	return doc_number(row->value);
}

static json_t *
raw_json(const struct latest_row *row, enum point_kind kind)
{
	if (!row->known || !row->has_raw)
		return json_null();
	/* Counters have no sign. */
	if (kind == POINT_COUNTER || row->beyond)
		return doc_whole(row->raw);
	return json_integer((json_int_t)row->raw);
}

/* Beside a poller at work nobody closes a slot of what it does not ask for any more: what its
 * configuration leaves out, or what has been away for too long, and that was said of its last
 * slot. */
static const char *
reason_of(const struct value *value)
{
	const struct latest_row *row = &value->row;

	if (row->known && strcmp(value->quality, "stale") != 0)
		return reason_word(row->reason);
	if (!row->known || value->beat - row->received <= 2 * value->series->step)
		return reason_word(REASON_POLLER_DOWN);
	return reason_word(reason_counts_as_good(row->reason) ? REASON_CONFIG : row->reason);
}

static json_t *
point_json(const struct value *value)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "path",
		doc_text(value->series->path), "value", value_json(value), "raw",
		raw_json(&value->row, value->series->kind), "unit", doc_text(value->series->unit), "time",
		value->row.known ? doc_seconds(value->row.received) : json_null(),
		"quality", value->quality, "reason", reason_of(value));
}

/* The device of a path; series come by path, so mostly it is the same as before. */
static const struct device *
device_of(const struct inventory *inventory, const struct series *series)
{
	static const struct device *last;
	const char *slash = strchr(series->path, '/');
	size_t length = slash != NULL ? (size_t)(slash - series->path) : 0;
	char name[64];

	if (inventory == NULL)
		return NULL;
	if (last != NULL && strlen(last->name) == length &&
		strncmp(last->name, series->path, length) == 0)
		return last;
	snprintf(name, sizeof name, "%.*s", (int)length, series->path);
	return last = inventory_find(inventory, name);
}

/* The configured point behind a series; NULL for up, rtt and loss, and for what is history. */
static const struct point *
point_of(const struct device *device, const struct series *series)
{
	const char *rest = strchr(series->path, '/') + 1, *name = strrchr(series->path, '/') + 1;

	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];
		size_t length = group->table != NULL ? strlen(group->table) : 0;

		if (group->table == NULL ? rest != name :
			strncmp(rest, group->table, length) != 0 || rest[length] != '[')
			continue;
		for (size_t p = 0; p < group->point_count; p++)
			if (strcmp(group->points[p].name, name) == 0)
				return &group->points[p];
	}
	return NULL;
}

static int64_t
beat_of(const struct place *place)
{
	int64_t beat = place->latest != NULL ? latest_heartbeat(place->latest) : 0;

	return place_now() - beat < ALIVE ? beat : 0;
}

/* What was taken out of the configuration has a history, but no newest value. A configuration
 * that cannot be read takes nothing out. */
static bool
is_configured(const struct inventory *inventory, const struct series *series)
{
	const struct device *device = device_of(inventory, series);
	const char *rest = strchr(series->path, '/') + 1;

	if (inventory == NULL)
		return true;
	return device != NULL && (point_of(device, series) != NULL || strcmp(rest, "up") == 0 ||
		strcmp(rest, "rtt") == 0 || strcmp(rest, "loss") == 0);
}

static const char *
state_word(const struct inventory *inventory, const struct series *series, double number)
{
	const struct device *device = device_of(inventory, series);
	const struct point *point = device != NULL ? point_of(device, series) : NULL;

	for (size_t i = 0; point != NULL && i < point->state_count; i++)
		if ((double)point->states[i].value == number)
			return point->states[i].word;
	return NULL;
}

static void
print_value(const struct inventory *inventory, const struct value *value)
{
	char number[40], text[LATEST_TEXT + 64];
	const char *word;

	if (strcmp(value->quality, "good") != 0) {
		printf("%-48s %14s %-6s %s, %s\n", value->series->path, "-", "", value->quality,
			reason_of(value));
		return;
	}
	word = state_word(inventory, value->series, value->row.value);
	if (value->series->kind == POINT_TEXT)
		str_copy(text, sizeof text, value->row.text);
	else if (isnan(value->row.value))
		snprintf(text, sizeof text, "- (%s)", reason_of(value));
	else if (word != NULL)
		snprintf(text, sizeof text, "%s (%s)",
			str_number(number, sizeof number, value->row.value), word);
	else
		snprintf(text, sizeof text, "%.10g", value->row.value);
	printf("%-48s %14s %-6s good\n", value->series->path, text, value->series->unit);
}

static int
values(const struct cmd_context *context, int argc, char **argv)
{
	struct place place;
	const struct series **list;
	json_t *document;
	size_t count, shown = 0;
	int64_t beat;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return cmd_one_glob(&cmd_values, "", argv[1]);
	if (place_open(&place, context, true) == -1)
		return CMD_NEGATIVE;
	document = json_array();
	beat = beat_of(&place);
	list = place_find(&place, argv[1], &count);
	for (size_t i = 0; i < count; i++) {
		struct value value = { .series = list[i], .beat = beat };

		if (!series_is_current(place.catalogue, list[i]) ||
			!is_configured(place.inventory, list[i]))
			continue;
		shown++;
		if (place.latest != NULL)
			latest_read(place.latest, list[i]->id, &value.row);
		value.quality = quality_of(list[i], &value.row, place_now());
		if (context->json)
			json_array_append_new(document, point_json(&value));
		else
			print_value(place.inventory, &value);
	}
	if (context->json)
		cmd_print_json(document);
	else
		json_decref(document);
	if (shown == 0)
		cmd_error("no point matches \"%s\"", argv[1] != NULL ? argv[1] : "*");
	free(list);
	place_close(&place);
	return shown > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_values = { "values", "[GLOB]", "newest value of each point, or why there is none",
	values };

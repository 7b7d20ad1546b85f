/* pollwerk values: the newest value of every point, from the mapping that the poller keeps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
};

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
		return cmd_json_text(row->text);
	return cmd_json_number(row->value);
}

static json_t *
raw_json(const struct latest_row *row)
{
	if (!row->known || !row->has_raw)
		return json_null();
	if (row->raw <= INT64_MAX)
		return json_integer((json_int_t)row->raw);
	return json_real((double)row->raw);
}

static const char *
reason_of(const struct value *value)
{
	bool closed = value->row.known && strcmp(value->quality, "stale") != 0;

	return closed ? reason_word(value->row.reason) : "poller-down";
}

static json_t *
point_json(const struct value *value)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s}", "path",
		cmd_json_text(value->series->path), "value", value_json(value), "raw",
		raw_json(&value->row), "unit", cmd_json_text(value->series->unit), "time",
		value->row.known ? json_real((double)value->row.received / 1e9) : json_null(),
		"quality", value->quality, "reason", reason_of(value));
}

/* The words of an enumeration stand in the configuration, by the point's name. */
static const char *
state_word(const struct inventory *inventory, const struct series *series, double number)
{
	const char *slash = strchr(series->path, '/'), *name = strrchr(series->path, '/');
	char device[64];
	const struct device *found;

	if (slash == NULL || series->kind != POINT_STATE)
		return NULL;
	snprintf(device, sizeof device, "%.*s", (int)(slash - series->path), series->path);
	found = inventory_find(inventory, device);
	for (size_t g = 0; found != NULL && g < found->group_count; g++)
		for (size_t p = 0; p < found->groups[g].point_count; p++) {
			const struct point *point = &found->groups[g].points[p];

			if (strcmp(point->name, name + 1) != 0)
				continue;
			for (size_t i = 0; i < point->state_count; i++)
				if ((double)point->states[i].value == number)
					return point->states[i].word;
		}
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
	json_t *document = json_array();
	size_t count;

	if (argc > 2)
		return cmd_usage(&cmd_values, "one glob at most; quote it for the shell");
	if (place_open(&place, context, true) == -1)
		return CMD_NEGATIVE;
	list = place_find(&place, argv[1], &count);
	for (size_t i = 0; i < count; i++) {
		struct value value = { .series = list[i] };

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
	if (count == 0)
		cmd_error("no point matches \"%s\"", argv[1] != NULL ? argv[1] : "*");
	free(list);
	place_close(&place);
	return count > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_values = { "values", "[GLOB]", "newest value of each point, or why there is none",
	values };

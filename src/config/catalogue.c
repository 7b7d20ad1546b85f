/* The configuration against what is stored already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/conf.h"
#include "config/errors.h"
#include "core/device.h"
#include "core/series.h"

static int
compare(const void *a, const void *b)
{
	const struct device *one = *(const struct device *const *)a;
	const struct device *other = *(const struct device *const *)b;

	return strcmp(one->name, other->name);
}

static const struct device *
find_device(const struct device **sorted, size_t count, const char *path)
{
	char name[64];
	struct device key = { .name = name };
	const struct device *wanted = &key;
	const struct device *const *found;
	size_t length = strcspn(path, "/");

	if (length >= sizeof name)
		return NULL;
	memcpy(name, path, length);
	name[length] = '\0';
	found = bsearch(&wanted, sorted, count, sizeof *sorted, compare);
	return found == NULL ? NULL : *found;
}

/* Does the path's part behind the device name that point of the group? row gets the row. */
static bool
is_point(const struct group *group, const struct point *point, const char *rest, char row[256])
{
	size_t table, length = strlen(rest), tail = strlen(point->name);

	if (group->table == NULL)
		return strcmp(rest, point->name) == 0;
	table = strlen(group->table);
	if (strncmp(rest, group->table, table) != 0 || rest[table] != '[' ||
		length < table + tail + 3 || strcmp(rest + length - tail, point->name) != 0 ||
		strncmp(rest + length - tail - 2, "]/", 2) != 0)
		return false;
	snprintf(row, 256, "%.*s", (int)(length - tail - 2 - table - 1), rest + table + 1);
	return true;
}

/* up, rtt and loss, which every device has. */
static bool
is_own(const char *point)
{
	return strcmp(point, "up") == 0 || strcmp(point, "rtt") == 0 || strcmp(point, "loss") == 0;
}

static void
check_step(const struct device *device, const struct series *series, int64_t step,
	struct conf_errors *errors)
{
	char is[40], was[40];
	const char *rest = series->path + strlen(device->name) + 1;

	if (series->step == step)
		return;
	if (is_own(rest))
		conf_error(errors, device->file, device->line, "device \"%s\": %s has been stored "
			"every %s, and follows the device's shortest interval, which is %s now; "
			"changing it needs a migration, which this version does not have: keep that "
			"interval, or remove RRD and series entry", device->name, series->path,
			str_time_span(was, sizeof was, series->step),
			str_time_span(is, sizeof is, step));
	else
		conf_error(errors, device->file, device->line, "device \"%s\": %s has been stored "
			"every %s and would be every %s now; changing the interval needs a migration, "
			"which this version does not have: use another point name or remove RRD and "
			"series entry", device->name, series->path,
			str_time_span(was, sizeof was, series->step),
			str_time_span(is, sizeof is, step));
}

static void
check_point(const struct device *device, const struct group *group, const char *row,
	const struct series *series, struct conf_errors *errors)
{
	char file[600];
	size_t before = errors->count;

	check_step(device, series, group->interval, errors);
	if (errors->count > before || series->file[0] == '\0')
		return;
	series_file(file, sizeof file, device->name, group->table, group->table ? row : NULL,
		group->name, group->suffix);
	if (strcmp(file, series->file) != 0)
		conf_error(errors, device->file, device->line, "device \"%s\": %s has been stored in "
			"%s and would be in %s now; moving it needs a migration, which this version "
			"does not have: use another point name or remove RRD and series entry",
			device->name, series->path, series->file, file);
}

static void
check_series(const struct device *device, const struct series *series,
	struct conf_errors *errors)
{
	const char *rest = series->path + strlen(device->name) + 1;
	char row[256] = "";

	if (is_own(rest))
		check_step(device, series, device->interval, errors);
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		for (size_t p = 0; p < group->point_count; p++) {
			if (is_point(group, &group->points[p], rest, row)) {
				check_point(device, group, row, series, errors);
				return;
			}
		}
	}
}

bool
conf_check_catalogue(const struct inventory *inventory,
	const struct series_catalogue *catalogue, struct conf_errors *errors)
{
	const struct device **sorted = mem_array(inventory->device_count, sizeof *sorted);
	size_t before = errors->count;

	for (size_t i = 0; i < inventory->device_count; i++)
		sorted[i] = &inventory->devices[i];
	qsort(sorted, inventory->device_count, sizeof *sorted, compare);
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++) {
		const struct series *series = series_get(catalogue, id);
		const struct device *device = series == NULL ? NULL :
			find_device(sorted, inventory->device_count, series->path);

		if (device != NULL && series->path[strlen(device->name)] == '/')
			check_series(device, series, errors);
	}
	free(sorted);
	return errors->count == before;
}

/* The configuration against what is stored already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

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

/* Where the configuration wants it; false when it has no such point any more. */
static bool
find_home(const struct device *device, const struct series *series, struct conf_home *home)
{
	const char *rest = series->path + strlen(device->name) + 1;
	char row[256] = "";

	*home = (struct conf_home){ .device = device, .step = device_interval(device),
		.profile = device->about->profile, .kind = series->kind, .unit = series->unit };
	if (is_own(rest)) {
		series_file(home->file, sizeof home->file, device->name, NULL, NULL, "device", "");
		series_ds(home->ds, sizeof home->ds, rest);
		return true;
	}
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		for (size_t p = 0; p < group->point_count; p++) {
			const struct point *point = &group->points[p];

			if (!is_point(group, point, rest, row))
				continue;
			home->step = group->interval;
			home->profile = group->profile;
			home->kind = point->kind;
			home->unit = point->unit;
			if (point->kind == POINT_TEXT)
				return true;
			series_file(home->file, sizeof home->file, device->name, group->table,
				group->table == NULL ? NULL : row, group->name, group->suffix);
			series_ds(home->ds, sizeof home->ds, point->name);
			return true;
		}
	}
	return false;
}

void
conf_each_home(const struct inventory *inventory, const struct series_catalogue *catalogue,
	void (*each)(const struct series *series, const struct conf_home *home, void *arg),
	void *arg)
{
	const struct device **sorted = mem_array(inventory->device_count, sizeof *sorted);

	for (size_t i = 0; i < inventory->device_count; i++)
		sorted[i] = &inventory->devices[i];
	qsort(sorted, inventory->device_count, sizeof *sorted, compare);
	for (uint32_t id = 1; id <= series_last_id(catalogue); id++) {
		const struct series *series = series_get(catalogue, id);
		const struct device *device;
		struct conf_home home;

		if (series == NULL || !series_is_current(catalogue, series))
			continue;
		device = find_device(sorted, inventory->device_count, series->path);
		if (device != NULL && series->path[strlen(device->name)] == '/' &&
			find_home(device, series, &home))
			each(series, &home, arg);
	}
	free(sorted);
}

/* ---- the check ---- */

#define WAY_OUT "stop pollwerkd and run \"pollwerk rrd migrate\" (--dry-run tells what it would do)"

/* One line for a file, and one for all rows of a table. */
struct told {
	char *key;
	UT_hash_handle hh;
};
struct check {
	struct conf_errors *errors;
	struct told *told;
};

static bool
is_told(struct check *check, const struct series *series)
{
	const char *row = strchr(series->path, '[');
	char *key = row == NULL && *series->file != '\0' ? mem_text(series->file) :
		mem_format("%.*s", (int)strcspn(series->path, "["), series->path);
	struct told *told;

	HASH_FIND_STR(check->told, key, told);
	if (told != NULL) {
		free(key);
		return true;
	}
	told = mem_zero(sizeof *told);
	told->key = key;
	HASH_ADD_KEYPTR(hh, check->told, told->key, strlen(told->key), told);
	return false;
}

static void
check_home(const struct series *series, const struct conf_home *home, void *arg)
{
	struct check *check = arg;
	struct conf_errors *errors = check->errors;
	const struct device *device = home->device;
	const char *rest = series->path + strlen(device->name) + 1;
	char is[40], was[40];

	if (series->step == home->step &&
		(series->file[0] == '\0' || strcmp(home->file, series->file) == 0))
		return;
	if (is_told(check, series))
		return;
	if (series->step != home->step)
		conf_error(errors, device->about->file, device->line, "device \"%s\": %s has been stored "
			"every %s%s %s now; " WAY_OUT, device->name, series->path,
			str_time_span(was, sizeof was, series->step),
			is_own(rest) ? ", and follows the device's shortest interval, which is" :
			" and would be every", str_time_span(is, sizeof is, home->step));
	else
		conf_error(errors, device->about->file, device->line, "device \"%s\": %s has been stored in "
			"%s and would be in %s now; " WAY_OUT, device->name, series->path,
			series->file, home->file[0] == '\0' ? "no file" : home->file);
}

bool
conf_check_catalogue(const struct inventory *inventory,
	const struct series_catalogue *catalogue, struct conf_errors *errors)
{
	struct check check = { errors, NULL };
	size_t before = errors->count;
	struct told *told, *next;

	conf_each_home(inventory, catalogue, check_home, &check);
	HASH_ITER(hh, check.told, told, next) {
		HASH_DEL(check.told, told);
		free(told->key);
		free(told);
	}
	return errors->count == before;
}

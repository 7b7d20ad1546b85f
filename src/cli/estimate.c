#include "cli/estimate.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/mem.h"
#include "core/device.h"
#include "core/self.h"
#include "core/series.h"
#include "journal/record.h"
#include "modbus/block.h"
#include "modbus/busplan.h"
#include "modbus/linedev.h"
#include "modbus/modbus.h"
#include "reach/reach.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "store/layout.h"
#include "store/store.h"

#define SECOND 1e9
/* As snmp.c packs: varbinds of a table's answer, and bytes of one of a scalar. */
#define ANSWER_BYTES 1400
#define BULK_VARBINDS 57
#define BULK_ROWS 10
#define VARBIND_BYTES 15
#define TEXT_BYTES 80
/* As record.h frames: head of KIND_ROWS; of a row; a sample with value and raw reading. */
#define SAMPLES_HEAD 28
#define SAMPLES_ROW 12
#define SAMPLE_BYTES 16
/* As pending.c keeps a row, beside its values. */
#define ROW_BYTES 56
#define OWN_POINTS 3 /* up, rtt, loss */

struct table_row {
	char *key;
	struct table_row *next;
};
struct table_rows {
	char *name; /* "DEVICE/TABLE" */
	struct table_row *rows;
	size_t count;
	UT_hash_handle hh;
};
struct known_row {
	char *name; /* "DEVICE/TABLE[ROW]" */
	UT_hash_handle hh;
};
struct planned_file {
	char *name;
	size_t sources;
	int64_t step;
	const char *profile;
	bool assumed;
	UT_hash_handle hh;
};
struct work {
	struct estimate *estimate;
	const struct inventory *inventory;
	struct table_rows *tables;
	struct known_row *known;
	struct planned_file *files;
	size_t assumed_rows;
};

/* ---- which rows there are ---- */

static struct table_rows *
find_table(struct work *work, const char *name, bool make)
{
	struct table_rows *table;

	HASH_FIND_STR(work->tables, name, table);
	if (table == NULL && make) {
		table = mem_zero(sizeof *table);
		table->name = mem_text(name);
		HASH_ADD_KEYPTR(hh, work->tables, table->name, strlen(table->name), table);
	}
	return table;
}

/* "sw/if[ge-1/5]/in_octets": the table ends at the first '[', the row at the last "]/". */
static void
take_path(struct work *work, const char *path)
{
	const char *open = strchr(path, '['), *close = NULL;
	struct known_row *known;
	struct table_rows *table;
	struct table_row *row;
	char *name;

	for (const char *at = open; at != NULL && (at = strstr(at, "]/")) != NULL; at++)
		close = at;
	if (close == NULL)
		return;
	name = mem_format("%.*s", (int)(close - path), path);
	HASH_FIND_STR(work->known, name, known);
	if (known != NULL) {
		free(name);
		return;
	}
	known = mem_zero(sizeof *known);
	known->name = name;
	HASH_ADD_KEYPTR(hh, work->known, known->name, strlen(known->name), known);
	name = mem_format("%.*s", (int)(open - path), path);
	table = find_table(work, name, true);
	free(name);
	row = mem_zero(sizeof *row);
	row->key = known->name + (open + 1 - path);
	row->next = table->rows;
	table->rows = row;
	table->count++;
}

static void
learn_rows(struct work *work, const struct series_catalogue *catalogue)
{
	uint32_t last = catalogue == NULL ? 0 : series_last_id(catalogue);

	for (uint32_t id = 1; id <= last; id++) {
		const struct series *series = series_get(catalogue, id);

		if (series != NULL)
			take_path(work, series->path);
	}
}

/* ---- files ---- */

static void
add_file(struct work *work, const char *name, int64_t step, const char *profile, size_t sources,
	bool assumed)
{
	struct planned_file *file;

	if (sources == 0)
		return;
	HASH_FIND_STR(work->files, name, file);
	if (file == NULL) {
		file = mem_zero(sizeof *file);
		file->name = mem_text(name);
		file->step = step;
		file->profile = profile;
		file->assumed = assumed;
		HASH_ADD_KEYPTR(hh, work->files, file->name, strlen(file->name), file);
	}
	file->sources += sources;
}

static struct estimate_kind *
kind_of(struct estimate *estimate, const struct planned_file *file)
{
	for (size_t i = 0; i < estimate->kind_count; i++)
		if (estimate->kinds[i].step == file->step &&
			strcmp(estimate->kinds[i].profile, file->profile) == 0)
			return &estimate->kinds[i];
	estimate->kinds = mem_grow(estimate->kinds, estimate->kind_count + 1,
		sizeof *estimate->kinds);
	estimate->kinds[estimate->kind_count] =
		(struct estimate_kind){ .profile = file->profile, .step = file->step };
	return &estimate->kinds[estimate->kind_count++];
}

static int64_t
bytes_there(const struct work *work, const struct planned_file *file)
{
	char *path = mem_format("%s/%s", work->inventory->poller.rrd_dir, file->name);
	struct stat info;
	int64_t bytes = 0;

	if (!file->assumed && stat(path, &info) == 0)
		bytes = (int64_t)info.st_blocks * 512;
	free(path);
	return bytes;
}

static void
sum_files(struct work *work)
{
	const struct store_options *store = work->inventory->store;
	struct estimate *estimate = work->estimate;
	struct planned_file *file, *next;
	struct layout layout;

	HASH_ITER(hh, work->files, file, next) {
		struct estimate_kind *kind = kind_of(estimate, file);
		int64_t bytes = 0, rows = store->flush / file->step + 1;

		if (layout_make(&layout, file->step, file->profile, NULL) == 0)
			bytes = layout_bytes(&layout, file->sources);
		kind->files++;
		kind->sources += file->sources;
		kind->bytes += bytes;
		estimate->rrd_bytes += bytes;
		estimate->rrd_there += bytes_there(work, file);
		estimate->pending += rows * (int64_t)(ROW_BYTES + 8 * file->sources);
		estimate->files_written += SECOND /
			(double)(store->flush > file->step ? store->flush : file->step);
	}
	estimate->files = HASH_COUNT(work->files);
}

/* ---- requests of one poll of a group ---- */

static size_t
scalar_requests(const struct device *device, const struct group *group)
{
	const struct snmp_options *options = device_snmp(device);
	size_t requests = 1, bytes = 0, varbinds = 0;

	for (size_t i = 0; i < group->point_count; i++) {
		const struct snmp_point *wire = group->points[i].wire;
		size_t size = oid_wire_size(wire->oids[0].ids, wire->oids[0].count) +
			VARBIND_BYTES + (group->points[i].kind == POINT_TEXT ? TEXT_BYTES : 0);

		bytes += size;
		varbinds++;
		if (bytes > ANSWER_BYTES || (options != NULL && options->access->max_varbinds > 1 &&
				varbinds > options->access->max_varbinds - 1u)) {
			requests++;
			bytes = size;
			varbinds = 1;
		}
	}
	return requests;
}

/* GETBULK asks for some rows of all columns at once; the last answer runs past the end. */
static size_t
table_requests(const struct device *device, const struct group *group, size_t rows)
{
	const struct snmp_options *options = device_snmp(device);
	const struct snmp_group *wire = group->wire;
	size_t columns = group->point_count + (wire != NULL && wire->key_count > 0) +
		(wire != NULL && wire->discontinuity.count > 0);
	size_t at_once = columns > BULK_VARBINDS ? 1 : BULK_VARBINDS / columns;
	size_t most = options != NULL && options->access->max_repetitions > 0 ?
		options->access->max_repetitions : BULK_ROWS;

	if (at_once > most)
		at_once = most;
	if (options != NULL && options->access->version == 1)
		at_once = 1;
	return (rows + at_once) / at_once * ((columns + BULK_VARBINDS - 1) / BULK_VARBINDS);
}

static size_t
modbus_requests(const struct device *device, const struct group *group)
{
	struct block *blocks = mem_array(group->point_count, sizeof *blocks);
	size_t count = busplan_blocks(device_modbus(device), group, blocks);

	free(blocks);
	return count;
}

static size_t
group_requests(const struct device *device, const struct group *group, size_t rows)
{
	const struct reach_options *reach = device_reach(device);

	if (group->driver == &self_driver || group->driver == &linedev_driver)
		return 0;
	if (group->driver == &reach_driver)
		return reach == NULL ? 0 : (reach->ping ? 1 : 0) + reach->tcp_count;
	if (group->driver == &modbus_driver)
		return modbus_requests(device, group);
	return group->table != NULL ? table_requests(device, group, rows) :
		scalar_requests(device, group);
}

/* ---- groups and devices ---- */

static size_t
count_sources(const struct group *group)
{
	size_t count = 0;

	for (size_t i = 0; i < group->point_count; i++)
		count += group->points[i].kind != POINT_TEXT;
	return count;
}

static void
add_rows(struct work *work, const struct device *device, const struct group *group,
	const struct table_rows *table)
{
	size_t sources = count_sources(group), number = 0;
	char file[700], key[40];

	for (const struct table_row *row = table == NULL ? NULL : table->rows; row != NULL;
		row = row->next) {
		series_file(file, sizeof file, device->name, group->table, row->key, group->name,
			group->suffix);
		add_file(work, file, group->interval, group->profile, sources, false);
	}
	while (table == NULL && number < work->assumed_rows) {
		snprintf(key, sizeof key, "assumed %zu", ++number);
		series_file(file, sizeof file, device->name, group->table, key, group->name,
			group->suffix);
		add_file(work, file, group->interval, group->profile, sources, true);
	}
}

static void
add_group(struct work *work, const struct device *device, const struct group *group, bool again)
{
	struct estimate *estimate = work->estimate;
	char *name = mem_format("%s/%s", device->name, group->table == NULL ? "" : group->table);
	struct table_rows *table = group->table == NULL ? NULL : find_table(work, name, false);
	size_t rows = group->table == NULL ? 1 : table != NULL ? table->count : work->assumed_rows;
	double seconds = (double)group->interval / SECOND;
	char file[700];

	free(name);
	estimate->series += rows * group->point_count;
	estimate->values += (double)(rows * count_sources(group)) / seconds;
	estimate->requests += (double)group_requests(device, group, rows) / seconds;
	if (group->point_count > 0 && rows > 0)
		estimate->journal += (double)(RECORD_FRAME_HEADER + SAMPLES_HEAD +
			rows * (SAMPLES_ROW + SAMPLE_BYTES * group->point_count)) / seconds;
	if (group->table == NULL) {
		estimate->points += group->point_count;
		series_file(file, sizeof file, device->name, NULL, NULL, group->name,
			group->suffix);
		add_file(work, file, group->interval, group->profile, count_sources(group), false);
		return;
	}
	if (!again) {
		estimate->tables++;
		estimate->rows += rows;
		estimate->assumed_tables += table == NULL;
	}
	add_rows(work, device, group, table);
}

static void
add_device(struct work *work, const struct device *device)
{
	double seconds = (double)device_interval(device) / SECOND;
	char file[128];

	work->estimate->series += OWN_POINTS;
	work->estimate->values += OWN_POINTS / seconds;
	work->estimate->journal +=
		(RECORD_FRAME_HEADER + SAMPLES_HEAD + SAMPLES_ROW + SAMPLE_BYTES * OWN_POINTS) /
		seconds;
	series_file(file, sizeof file, device->name, NULL, NULL, "device", "");
	add_file(work, file, device_interval(device), device->about->profile, OWN_POINTS, false);
	for (size_t i = 0; i < device->group_count; i++) {
		const struct group *group = &device->groups[i];
		bool again = false;

		/* One table with two intervals is two groups. */
		for (size_t k = 0; k < i && group->table != NULL; k++)
			again = again || (device->groups[k].table != NULL &&
				strcmp(device->groups[k].table, group->table) == 0);
		add_group(work, device, group, again);
	}
}

static void
forget(struct work *work)
{
	struct table_rows *table, *next_table;
	struct known_row *known, *next_known;
	struct planned_file *file, *next_file;

	HASH_ITER(hh, work->tables, table, next_table) {
		HASH_DEL(work->tables, table);
		while (table->rows != NULL) {
			struct table_row *row = table->rows;

			table->rows = row->next;
			free(row);
		}
		free(table->name);
		free(table);
	}
	HASH_ITER(hh, work->known, known, next_known) {
		HASH_DEL(work->known, known);
		free(known->name);
		free(known);
	}
	HASH_ITER(hh, work->files, file, next_file) {
		HASH_DEL(work->files, file);
		free(file->name);
		free(file);
	}
}

static int
by_size(const void *a, const void *b)
{
	const struct estimate_kind *one = a, *other = b;

	return (one->bytes < other->bytes) - (one->bytes > other->bytes);
}

void
estimate_make(struct estimate *estimate, const struct inventory *inventory,
	const struct series_catalogue *catalogue, size_t rows)
{
	struct work work = { .estimate = estimate, .inventory = inventory, .assumed_rows = rows };

	*estimate = (struct estimate){ .devices = 0 };
	learn_rows(&work, catalogue);
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct device *device = &inventory->devices[i];

		/* Lines of the configuration have points of their own, as devices have. */
		if (device->group_count > 0 && device->groups[0].driver == &linedev_driver)
			estimate->lines++;
		else
			estimate->devices++;
		add_device(&work, device);
	}
	sum_files(&work);
	if (estimate->kind_count > 1)
		qsort(estimate->kinds, estimate->kind_count, sizeof *estimate->kinds, by_size);
	forget(&work);
}

void
estimate_free(struct estimate *estimate)
{
	free(estimate->kinds);
	*estimate = (struct estimate){ 0 };
}

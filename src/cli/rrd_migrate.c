/* pollwerk rrd migrate: brings RRD files to the shape and the place that the configuration
 * says, with their history; one device at a time, each whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "cli/rrd_parts.h"
#include "core/device.h"
#include "core/series.h"
#include "journal/state.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/migration.h"
#include "store/rrd.h"
#include "store/store.h"

#define SECOND INT64_C(1000000000)
#define BAR 24
#define STAMP 24

/* A point that the catalogue knows and the configuration wants. */
struct item {
	const struct series *series;
	struct conf_home home;
};
/* A file as it shall be. */
struct target {
	const char *file;
	struct migration_file wanted;
	struct rrd_shape shape;
	bool there, needed;
	char why[200]; /* what is other than it was */
};
struct device_part {
	const char *name;
	struct target *targets;
	size_t target_count;
	struct series *moved; /* entries to be written */
	size_t moved_count;
	size_t needed;
	int64_t bytes;
	bool matches; /* the glob */
	struct fail trouble; /* why it cannot be done, or "" */
};
struct migrate {
	const struct cmd_context *context;
	const char *glob;
	bool dry_run;
	struct conf_places dirs;
	struct inventory *inventory;
	struct series_catalogue *catalogue;
	struct migration *migration;
	struct item *items;
	size_t item_count, item_room;
	struct device_part *parts;
	size_t part_count;
	/* progress */
	size_t files, done, failed;
	uint64_t rows, common;
	int64_t began, shown;
	json_t *document;
};

/* ---- what differs ---- */

static void
take_item(const struct series *series, const struct conf_home *home, void *arg)
{
	struct migrate *m = arg;

	if (m->item_count == m->item_room) {
		m->item_room = m->item_room * 2 + 256;
		m->items = mem_grow(m->items, m->item_room, sizeof *m->items);
	}
	m->items[m->item_count++] = (struct item){ series, *home };
}

/* By device, then by the file it shall be in, then as the catalogue has it. */
static int
by_home(const void *a, const void *b)
{
	const struct item *one = a, *other = b;
	int order = strcmp(one->home.device->name, other->home.device->name);

	if (order == 0)
		order = strcmp(one->home.file, other->home.file);
	return order != 0 ? order : (one->series->id > other->series->id) -
		(one->series->id < other->series->id);
}

static bool
is_moved(const struct item *item)
{
	return item->series->step != item->home.step ||
		strcmp(item->series->file, item->home.file) != 0;
}

static bool
is_there(const struct migrate *m, const char *file)
{
	char *path = mem_format("%s/%s", m->dirs.rrd_dir, file);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

static bool
shape_has(const struct rrd_shape *shape, const char *ds)
{
	for (size_t i = 0; i < shape->ds_count; i++)
		if (strcmp(shape->ds[i], ds) == 0)
			return true;
	return false;
}

static struct reshape_ds *
add_ds(struct target *target, const char *name)
{
	struct migration_file *wanted = &target->wanted;

	wanted->ds = mem_grow(wanted->ds, wanted->ds_count + 1, sizeof *wanted->ds);
	memset(&wanted->ds[wanted->ds_count], 0, sizeof *wanted->ds);
	str_copy(wanted->ds[wanted->ds_count].name, RRD_DS_NAME, name);
	return &wanted->ds[wanted->ds_count++];
}

static void
add_source(struct reshape_ds *ds, const char *file, const char *from)
{
	struct reshape_source *source = &ds->from[ds->from_count++];

	source->file = file;
	str_copy(source->ds, RRD_DS_NAME, from);
}

static void
add_point(const struct migrate *m, struct target *target, const struct item *item,
	size_t *from_others)
{
	struct reshape_ds *ds = add_ds(target, item->home.ds);
	const struct series *series = item->series;

	if (series->file[0] != '\0' && strcmp(series->file, target->file) != 0 &&
		is_there(m, series->file)) {
		add_source(ds, series->file, series->ds);
		++*from_others;
	}
	if (shape_has(&target->shape, item->home.ds))
		add_source(ds, target->file, item->home.ds);
}

/* Data sources of the old file that nobody wants here: what was taken out of the
 * configuration stays as long as the file, what has moved goes. */
static void
keep_others(const struct item *items, size_t count, struct target *target)
{
	for (size_t i = 0; i < target->shape.ds_count; i++) {
		const char *name = target->shape.ds[i];
		bool wanted = false;

		for (size_t k = 0; k < target->wanted.ds_count; k++)
			wanted = wanted || strcmp(target->wanted.ds[k].name, name) == 0;
		for (size_t k = 0; k < count && !wanted; k++)
			wanted = strcmp(items[k].series->file, target->file) == 0 &&
				strcmp(items[k].series->ds, name) == 0 &&
				strcmp(items[k].home.file, target->file) != 0;
		if (!wanted)
			add_source(add_ds(target, name), target->file, name);
	}
}

static bool
same_rras(const struct layout *layout, const struct rrd_shape *shape)
{
	if (layout->count != shape->rra_count)
		return false;
	for (int i = 0; i < layout->count; i++)
		if (strcmp(layout->rra[i].function, shape->rra[i].function) != 0 ||
			layout->rra[i].slots != shape->rra[i].slots ||
			layout->rra[i].rows != shape->rra[i].rows)
			return false;
	return true;
}

static void
say(struct target *target, const char *text)
{
	size_t used = strlen(target->why);

	snprintf(target->why + used, sizeof target->why - used, "%s%s", used > 0 ? ", " : "", text);
	target->needed = true;
}

static void
compare(struct target *target, const struct conf_home *home, size_t from_others)
{
	char text[120], was[40], is[40];

	if (target->there && target->shape.step != home->step / SECOND) {
		snprintf(text, sizeof text, "every %s instead of %s",
			str_time_span(is, sizeof is, home->step),
			str_time_span(was, sizeof was, target->shape.step * SECOND));
		say(target, text);
	} else if (target->there && !same_rras(&target->wanted.layout, &target->shape)) {
		snprintf(text, sizeof text, "rows of profile %s", home->profile);
		say(target, text);
	}
	if (from_others > 0) {
		snprintf(text, sizeof text, "%zu points from other files", from_others);
		say(target, text);
	}
}

/* One file of a device: items[first] .. items[last - 1] are its points. */
static void
plan_target(struct migrate *m, struct device_part *part, const struct item *items, size_t count,
	size_t first, size_t last)
{
	const struct conf_home *home = &items[first].home;
	struct target *target;
	enum rrd_result result;
	size_t from_others = 0;
	struct fail why;

	part->targets = mem_grow(part->targets, part->target_count + 1, sizeof *part->targets);
	target = &part->targets[part->target_count++];
	*target = (struct target){ .file = home->file, .wanted.file = home->file };
	result = rrd_file_shape((struct rrd_place){ m->dirs.rrd_dir, home->file }, &target->shape,
		&why);
	target->there = result == RRD_DONE;
	if ((result != RRD_DONE && result != RRD_MISSING) ||
		layout_make(&target->wanted.layout, home->step, home->profile, &why) == -1) {
		part->trouble = why;
		return;
	}
	for (size_t i = first; i < last; i++)
		add_point(m, target, &items[i], &from_others);
	keep_others(items, count, target);
	compare(target, home, from_others);
	if (target->needed) {
		part->needed++;
		part->bytes += layout_bytes(&target->wanted.layout, target->wanted.ds_count);
	}
}

static void
plan_moved(struct device_part *part, const struct item *item)
{
	const struct series *old = item->series;

	part->moved = mem_grow(part->moved, part->moved_count + 1, sizeof *part->moved);
	part->moved[part->moved_count++] = (struct series){ .kind = item->home.kind,
		.step = item->home.step, .path = old->path, .unit = item->home.unit,
		.file = item->home.file, .ds = item->home.ds, .profile = item->home.profile };
}

/* All that differs of one device, appended to parts if there is anything. */
static void
plan_device(struct migrate *m, const struct item *items, size_t count)
{
	struct device_part part = { .name = items[0].home.device->name };
	size_t first = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_moved(&items[i]))
			plan_moved(&part, &items[i]);
		part.matches = part.matches || m->glob == NULL ||
			str_glob(m->glob, items[i].series->path);
	}
	for (size_t i = 1; part.matches && i <= count; i++) {
		if (i < count && strcmp(items[i].home.file, items[first].home.file) == 0)
			continue;
		if (items[first].home.file[0] != '\0')
			plan_target(m, &part, items, count, first, i);
		first = i;
	}
	m->parts = mem_grow(m->parts, m->part_count + 1, sizeof *m->parts);
	m->parts[m->part_count++] = part;
	m->files += part.needed;
}

static void
plan_all(struct migrate *m)
{
	size_t first = 0;

	conf_each_home(m->inventory, m->catalogue, take_item, m);
	if (m->item_count > 1)
		qsort(m->items, m->item_count, sizeof *m->items, by_home);
	for (size_t i = 1; i <= m->item_count; i++) {
		if (i < m->item_count && m->items[i].home.device == m->items[first].home.device)
			continue;
		plan_device(m, m->items + first, i - first);
		first = i;
	}
}

static bool
has_work(const struct device_part *part)
{
	return part->matches &&
		(part->needed > 0 || part->moved_count > 0 || part->trouble.text[0] != '\0');
}

static void
free_plan(struct migrate *m)
{
	for (size_t i = 0; i < m->part_count; i++) {
		for (size_t k = 0; k < m->parts[i].target_count; k++) {
			free(m->parts[i].targets[k].wanted.ds);
			free(m->parts[i].targets[k].shape.ds);
		}
		free(m->parts[i].targets);
		free(m->parts[i].moved);
	}
	free(m->parts);
	free(m->items);
}

/* ---- telling ---- */

static void
tell_part(struct migrate *m, const struct device_part *part)
{
	json_t *files = json_array();

	for (size_t i = 0; i < part->target_count; i++) {
		const struct target *target = &part->targets[i];
		int64_t bytes = layout_bytes(&target->wanted.layout, target->wanted.ds_count);
		char size[SIZE_TEXT];

		if (!target->needed)
			continue;
		if (m->context->json)
			json_array_append_new(files, json_pack("{s:o, s:o, s:I, s:I}", "file",
				doc_text(target->file), "change", doc_text(target->why), "points",
				(json_int_t)target->wanted.ds_count, "bytes", (json_int_t)bytes));
		else
			printf("%s: %s; %zu points, %s\n", target->file, target->why,
				target->wanted.ds_count, size_text(size, bytes));
	}
	if (m->context->json)
		json_array_append_new(m->document, json_pack("{s:s, s:o, s:I, s:o}", "device",
			part->name, "files", files, "points_moved", (json_int_t)part->moved_count,
			"trouble", part->trouble.text[0] == '\0' ? json_null() :
			doc_text(part->trouble.text)));
	else
		json_decref(files);
	if (part->trouble.text[0] != '\0')
		cmd_error("%s: not migrated: %s", part->name, part->trouble.text);
}

static void
tell_end(struct migrate *m, size_t devices)
{
	char size[SIZE_TEXT];
	int64_t bytes = 0;
	double seconds = (double)(place_now() - m->began) / (double)SECOND;

	for (size_t i = 0; i < m->part_count; i++)
		bytes += has_work(&m->parts[i]) ? m->parts[i].bytes : 0;
	if (m->context->json) {
		cmd_print_json(json_pack("{s:b, s:O, s:I, s:I, s:I, s:I}", "dry_run", m->dry_run,
			"devices", m->document, "files", (json_int_t)m->done,
			"values_verified", (json_int_t)m->rows, "values_equal", (json_int_t)m->common,
			"failed", (json_int_t)m->failed));
		return;
	}
	if (devices == 0)
		printf("nothing to migrate\n");
	else if (m->dry_run)
		printf("%zu devices, %zu files would be migrated, with %s for the new ones; the old "
			"ones are kept\n", devices, m->files, size_text(size, bytes));
	else
		printf("%zu files migrated in %.1f s, %llu values read back, %llu of them the same as in "
			"the old files%s\n", m->done, seconds, (unsigned long long)m->rows,
			(unsigned long long)m->common,
			m->failed > 0 ? "; not all devices, see above" : "");
	if (!m->dry_run && m->done > 0)
		printf("the old files are in %s/" MIGRATION_FOLDER ": remove them when all is well\n",
			m->dirs.rrd_dir);
}

/* A bar on a terminal, nothing else; at most ten times a second. */
static void
file_built(const struct reshape_report *report, void *arg)
{
	struct migrate *m = arg;
	int64_t now = place_now();
	int full = m->files == 0 ? BAR : (int)(++m->done * BAR / m->files);
	double seconds = (double)(now - m->began) / (double)SECOND;

	m->rows += report->rows;
	m->common += report->common;
	if (!isatty(STDERR_FILENO) || (now - m->shown < SECOND / 10 && m->done < m->files))
		return;
	m->shown = now;
	fprintf(stderr, "\r[%.*s%*s] %zu of %zu files, %.0f/s%s", full,
		"########################", BAR - full, "", m->done, m->files,
		seconds > 0 ? (double)m->done / seconds : 0, m->done == m->files ? "\n" : "");
}

/* ---- doing ---- */

static bool
has_room(const struct migrate *m, struct device_part *part)
{
	char needed[SIZE_TEXT], is_free[SIZE_TEXT];
	struct statvfs system;
	int64_t bytes;

	if (statvfs(m->dirs.rrd_dir, &system) == -1)
		return true;
	bytes = (int64_t)(system.f_bavail * system.f_frsize);
	if (part->bytes < bytes)
		return true;
	fail_set(&part->trouble, "%s: the new files need %s beside the old "
		"ones, %s are free", m->dirs.rrd_dir, size_text(needed, part->bytes),
		size_text(is_free, bytes));
	return false;
}

static void
migrate_part(struct migrate *m, struct device_part *part)
{
	struct migration_file *files = mem_array(part->needed, sizeof *files);
	size_t count = 0;
	struct fail why;

	for (size_t i = 0; i < part->target_count; i++)
		if (part->targets[i].needed)
			files[count++] = part->targets[i].wanted;
	if (part->trouble.text[0] == '\0' && has_room(m, part) &&
		migration_step(m->migration, files, count, part->moved, part->moved_count,
			file_built, m, &why) == -1)
		part->trouble = why;
	free(files);
}

/* What the journal still has is written into the files as they are. */
static int
drain(const struct migrate *m, struct fail *why)
{
	struct store_options options = *(const struct store_options *)m->inventory->store;
	struct keeper *keeper = keeper_open(&options, why);
	struct store_health health;
	int result;

	if (keeper == NULL)
		return -1;
	keeper_now(keeper, SECOND, place_now());
	result = keeper_drain(keeper);
	if (result == -1) /* a file that is given up fails once */
		result = keeper_drain(keeper);
	keeper_health(keeper, &health);
	if (result == -1 || health.rows > 0) {
		fail_set(why, "the journal cannot be written out: %s",
			health.reason[0] != '\0' ? health.reason : "rows wait");
		result = -1;
	}
	keeper_close(keeper);
	return result;
}

static int
prepare(struct migrate *m)
{
	char stamp[STAMP];
	time_t now = (time_t)(place_now() / SECOND);
	struct tm utc;
	struct fail why;
	bool finished;

	gmtime_r(&now, &utc);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
	if (rrd_become_owner(m->dirs.state_dir) == -1)
		return -1;
	if (state_lock(m->dirs.state_dir, &why) == -1) {
		cmd_error("%s; stop it first", why.text);
		return -1;
	}
	m->migration = migration_open(m->dirs.state_dir, m->dirs.rrd_dir, stamp, &finished, &why);
	if (m->migration == NULL || drain(m, &why) == -1) {
		cmd_error("%s", why.text);
		return -1;
	}
	if (finished)
		cmd_error("the migration that was interrupted is finished");
	return 0;
}

static int
run(struct migrate *m)
{
	size_t devices = 0;
	bool matched = false;
	struct fail why;

	if (!m->dry_run && prepare(m) == -1)
		return CMD_NEGATIVE;
	if (m->dry_run && migration_pending(m->dirs.state_dir))
		cmd_error("a migration was interrupted; the next run finishes it");
	m->catalogue = series_open(m->dirs.state_dir, false, &why);
	if (m->catalogue == NULL) {
		cmd_error("%s%s", why.text, cmd_may_not(&why) ? CMD_MAY_NOT :
			" (has pollwerkd run with this configuration?)");
		return CMD_NEGATIVE;
	}
	plan_all(m);
	m->began = place_now();
	for (size_t i = 0; i < m->part_count; i++) {
		struct device_part *part = &m->parts[i];

		matched = matched || part->matches;
		if (!has_work(part))
			continue;
		devices++;
		if (!m->dry_run)
			migrate_part(m, part);
		m->failed += part->trouble.text[0] != '\0';
		tell_part(m, part);
	}
	tell_end(m, devices);
	if (m->glob != NULL && !matched) {
		cmd_error("no point matches \"%s\"", m->glob);
		return CMD_NEGATIVE;
	}
	return m->failed == 0 ? CMD_OK : CMD_NEGATIVE;
}

int
rrd_migrate(const struct cmd_context *context, int argc, char **argv)
{
	struct migrate m = { .context = context };
	int status = CMD_NEGATIVE;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--dry-run") == 0)
			m.dry_run = true;
		else if (argv[i][0] == '-' || m.glob != NULL)
			return cmd_one_glob(&cmd_rrd, "migrate: ", argv[i]);
		else
			m.glob = argv[i];
	}
	if (cmd_look(context, &m.dirs, &m.inventory) == -1)
		return CMD_NEGATIVE;
	m.document = json_array();
	/* By half a configuration everything would move. */
	if (m.inventory != NULL)
		status = run(&m);
	else
		cmd_error("nothing is migrated until they are mended");
	json_decref(m.document);
	free_plan(&m);
	migration_close(m.migration);
	series_close(m.catalogue);
	inventory_unref(m.inventory);
	return status;
}

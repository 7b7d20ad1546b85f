/* pollwerk plan: what this configuration will do and need, before it runs, and whether it
 * fits. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/breaches.h"
#include "cli/bus_view.h"
#include "cli/cmd.h"
#include "cli/estimate.h"
#include "cli/rrd_parts.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/series.h"
#include "store/store.h"

#define SECOND 1e9
#define ROWS 24 /* ports of a usual switch */
#define TEXT SIZE_TEXT
#define LINES_SHOWN 20

/* One file system that has to take something. */
struct disk {
	const char *what, *path;
	int64_t needed, free;
	dev_t device;
	bool known; /* free and device are */
};

struct plan {
	struct estimate estimate;
	struct breaches breaches;
	const struct inventory *inventory;
	const struct store_options *store;
	size_t rows; /* assumed */
	struct disk rrd, state;
	bool one_disk, fits;
	int64_t batch; /* ns between two writes of a file that memory allows */
};

static struct inventory *
load(const char *path)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load_to_look(path, &errors);
	struct inventory *inventory = conf == NULL ? NULL : conf_inventory(conf);

	conf_report(&errors, stderr);
	conf_report_warnings(&errors, stderr);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory;
}

/* The file system that will hold a folder which may not be there yet. */
static void
look_at_disk(struct disk *disk)
{
	char *path = mem_text(disk->path), *slash;
	struct statvfs system;
	struct stat info;

	while (stat(path, &info) == -1 && errno == ENOENT && (slash = strrchr(path, '/')) != NULL)
		slash[slash == path] = '\0';
	if (stat(path, &info) == 0 && statvfs(path, &system) == 0) {
		disk->known = true;
		disk->device = info.st_dev;
		disk->free = (int64_t)(system.f_bavail * system.f_frsize);
	} else {
		cmd_error("%s: %s: its free space is not known", disk->path, strerror(errno));
	}
	free(path);
}

static bool
disk_fits(const struct disk *disk, int64_t more)
{
	return !disk->known || disk->needed + more <= disk->free;
}

static void
judge(struct plan *plan)
{
	const struct estimate *estimate = &plan->estimate;
	int64_t there = estimate->rrd_there < estimate->rrd_bytes ? estimate->rrd_there :
		estimate->rrd_bytes;

	plan->rrd = (struct disk){ .what = "RRD files", .path = plan->inventory->poller.rrd_dir,
		.needed = estimate->rrd_bytes - there };
	plan->state = (struct disk){ .what = "journal", .path = plan->inventory->poller.state_dir,
		.needed = (int64_t)(estimate->journal * (double)plan->store->journal_budget / SECOND) };
	look_at_disk(&plan->rrd);
	look_at_disk(&plan->state);
	plan->one_disk = plan->rrd.known && plan->state.known &&
		plan->rrd.device == plan->state.device;
	plan->fits = disk_fits(&plan->rrd, plan->one_disk ? plan->state.needed : 0) &&
		disk_fits(&plan->state, 0);
	plan->batch = plan->store->flush;
	if (estimate->pending > plan->store->memory)
		plan->batch = (int64_t)((double)plan->store->flush *
			(double)plan->store->memory / (double)estimate->pending);
}

/* ---- as text ---- */

static void
print_disk(const struct disk *disk)
{
	char needed[TEXT], free_text[TEXT];

	printf("disk        %s: %s more for %s", disk->path, size_text(needed, disk->needed),
		disk->what);
	if (disk->known)
		printf(", %s free", size_text(free_text, disk->free));
	printf("\n");
}

static void
print_kinds(const struct estimate *estimate)
{
	char step[TEXT], one[TEXT], all[TEXT];

	for (size_t i = 0; i < estimate->kind_count; i++) {
		const struct estimate_kind *kind = &estimate->kinds[i];

		printf("  %-9s %6s %8zu files %10zu points %9s a point %9s\n", kind->profile,
			str_time_span(step, sizeof step, kind->step), kind->files, kind->sources,
			size_text(one, kind->bytes / (int64_t)kind->sources),
			size_text(all, kind->bytes));
	}
}

static void
print_memory(const struct plan *plan)
{
	char waiting[TEXT], limit[TEXT], flush[TEXT], batch[TEXT];

	printf("memory      %s of rows wait at store.flush %s, store.memory is %s",
		size_text(waiting, plan->estimate.pending),
		str_time_span(flush, sizeof flush, plan->store->flush),
		size_text(limit, plan->store->memory));
	if (plan->batch < plan->store->flush)
		printf(": files are written about every %s", str_time_span(batch, sizeof batch,
			(plan->batch / 1000000000 + 1) * 1000000000));
	printf("\n");
}

static void
print_alarms(const struct plan *plan)
{
	const struct breaches *breaches = &plan->breaches;
	const struct poller_options *poller = &plan->inventory->poller;
	char span[TEXT];

	if (breaches->rules == 0) {
		printf("alarms      no device has alarms = \"standard\"\n");
		return;
	}
	if (!breaches->known) {
		printf("alarms      of alarms = \"standard\": not known, no daemon runs in %s\n",
			poller->run_dir);
		return;
	}
	printf("alarms      %zu of alarms = \"standard\" would be raised now", breaches->count);
	for (size_t i = 0; i < breaches->kind_count; i++)
		printf("%s %s %zu", i == 0 ? ":" : ",", breaches->kinds[i].rule,
			breaches->kinds[i].count);
	if (breaches->count > 0 && poller->alarm_settle > 0)
		printf("; of a device that has them for the first time in one notice after %s, then "
			"%u a minute", str_time_span(span, sizeof span, poller->alarm_settle),
			poller->alarm_rate);
	if (breaches->unknown > 0)
		printf("; %zu more point%s ha%s no value to judge now", breaches->unknown,
			breaches->unknown == 1 ? "" : "s", breaches->unknown == 1 ? "s" : "ve");
	printf("\n");
}

static void
print_plan(const struct plan *plan)
{
	const struct estimate *e = &plan->estimate;
	char bytes[TEXT], there[TEXT], span[TEXT], rate[TEXT];

	printf("devices     %zu", e->devices);
	if (e->lines > 0)
		printf(", and %zu %s", e->lines, e->lines == 1 ? "line" : "lines");
	printf("\n");
	printf("points      %zu, and %zu rows of %zu tables", e->points, e->rows, e->tables);
	if (e->assumed_tables > 0)
		printf(" (%zu of the tables never asked: %zu rows assumed, see --rows)",
			e->assumed_tables, plan->rows);
	printf("\nseries      %zu\n", e->series);
	printf("polling     %s requests/s, ", str_number(rate, sizeof rate,
		(double)(int64_t)(e->requests * 100 + 0.5) / 100));
	printf("%s values/s\n", str_number(rate, sizeof rate,
		(double)(int64_t)(e->values * 100 + 0.5) / 100));
	printf("RRD files   %zu, %s, of which %s are there\n", e->files,
		size_text(bytes, e->rrd_bytes), size_text(there, e->rrd_there));
	print_kinds(e);
	printf("journal     %s a day, %s at store.journal_budget %s\n",
		size_text(there, (int64_t)(e->journal * 86400)), size_text(bytes, plan->state.needed),
		str_time_span(span, sizeof span, plan->store->journal_budget));
	bus_view_print(plan->inventory, LINES_SHOWN);
	print_memory(plan);
	print_disk(&plan->rrd);
	print_disk(&plan->state);
	print_alarms(plan);
	if (plan->fits)
		printf("fits\n");
	else
		printf("does not fit: %s\n", plan->one_disk && disk_fits(&plan->rrd, 0) &&
			disk_fits(&plan->state, 0) ? "RRD files and journal together need more than is free" :
			!disk_fits(&plan->rrd, 0) ? "the RRD files need more than is free; a smaller profile or a longer interval" :
			"the journal needs more than is free; a smaller store.journal_budget");
}

/* ---- as JSON ---- */

static json_t *
disk_json(const struct disk *disk)
{
	return json_pack("{s:o, s:I, s:o}", "path", doc_text(disk->path), "needed",
		(json_int_t)disk->needed, "free", disk->known ? json_integer(disk->free) : json_null());
}

static json_t *
kinds_json(const struct estimate *estimate)
{
	json_t *list = json_array();

	for (size_t i = 0; i < estimate->kind_count; i++) {
		const struct estimate_kind *kind = &estimate->kinds[i];

		json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:I, s:I}", "profile",
			kind->profile, "interval", (double)kind->step / SECOND, "files",
			(json_int_t)kind->files, "points", (json_int_t)kind->sources, "bytes",
			(json_int_t)kind->bytes));
	}
	return list;
}

static json_t *
alarms_json(const struct breaches *breaches)
{
	json_t *rules = json_object();

	for (size_t i = 0; i < breaches->kind_count; i++)
		json_object_set_new(rules, breaches->kinds[i].rule,
			json_integer((json_int_t)breaches->kinds[i].count));
	return json_pack("{s:I, s:o, s:o, s:o}", "rules", (json_int_t)breaches->rules, "now",
		breaches->known ? json_integer((json_int_t)breaches->count) : json_null(),
		"unknown", breaches->known ? json_integer((json_int_t)breaches->unknown) : json_null(),
		"by_rule", rules);
}

static json_t *
plan_json(const struct plan *plan)
{
	const struct estimate *e = &plan->estimate;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:o,"
		" s:I, s:I, s:o, s:o, s:o, s:o, s:b, s:o}",
		"devices", (json_int_t)e->devices, "points", (json_int_t)e->points,
		"tables", (json_int_t)e->tables, "rows", (json_int_t)e->rows,
		"assumed_tables", (json_int_t)e->assumed_tables,
		"assumed_rows", (json_int_t)plan->rows, "series", (json_int_t)e->series,
		"requests_per_second", doc_number(e->requests), "values_per_second",
		doc_number(e->values), "files", (json_int_t)e->files,
		"rrd_bytes", (json_int_t)e->rrd_bytes, "rrd_bytes_there", (json_int_t)e->rrd_there,
		"profiles", kinds_json(e), "journal_bytes_per_second", doc_number(e->journal),
		"memory_needed", (json_int_t)e->pending, "memory", (json_int_t)plan->store->memory,
		"written_every", doc_number((double)plan->batch / SECOND),
		"rrd_dir", disk_json(&plan->rrd), "state_dir", disk_json(&plan->state),
		"standard_alarms", alarms_json(&plan->breaches), "fits", plan->fits, "lines",
		bus_view_json(plan->inventory));
}

/* ---- the command ---- */

static int
take_arguments(int argc, char **argv, size_t *rows)
{
	static const char *const valued[] = { "--rows", NULL };
	uint64_t number;

	for (int i = 1; i < argc; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(&cmd_plan, valued, argv, &i, &name, &value);

		if (taken == 0)
			return cmd_usage(&cmd_plan, "unknown argument \"%s\"", argv[i]);
		if (taken == -1)
			return CMD_USAGE;
		if (str_uint(value, &number, NULL) == -1 || number > 1000000)
			return cmd_usage(&cmd_plan, "--rows %s: expected 0 to 1000000", value);
		*rows = (size_t)number;
	}
	return CMD_OK;
}

static int
plan_run(const struct cmd_context *context, int argc, char **argv)
{
	struct plan plan = { .rows = ROWS };
	struct series_catalogue *catalogue;
	struct inventory *inventory;
	struct fail why;
	int status = take_arguments(argc, argv, &plan.rows);

	if (status != CMD_OK)
		return status;
	inventory = load(context->config);
	if (inventory == NULL)
		return CMD_NEGATIVE;
	plan.inventory = inventory;
	plan.store = inventory->store;
	/* None before the first start: then the rows of all tables are assumed. */
	catalogue = series_open(inventory->poller.state_dir, false, &why);
	if (catalogue == NULL && cmd_may_not(&why))
		cmd_error("%s: the rows of all tables are assumed" CMD_MAY_NOT, why.text);
	estimate_make(&plan.estimate, inventory, catalogue, plan.rows);
	breaches_find(&plan.breaches, inventory, catalogue);
	judge(&plan);
	if (context->json)
		cmd_print_json(plan_json(&plan));
	else
		print_plan(&plan);
	estimate_free(&plan.estimate);
	breaches_free(&plan.breaches);
	series_close(catalogue);
	inventory_unref(inventory);
	return plan.fits ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_plan = { "plan", "[--rows N]",
	"what this configuration will poll, store and need", plan_run };

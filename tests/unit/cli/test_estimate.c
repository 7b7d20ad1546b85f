#include "cli/estimate.h"

#include <string.h>

#include "../check.h"
#include "../scratch.h"
#include "base/fail.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/series.h"
#include "store/layout.h"
#include "store/rrd.h"

#define SECOND INT64_C(1000000000)

static struct inventory *inventory;
static struct estimate estimate;

/* A switch with a scalar, a table and one column of it at another interval; a PLC whose three
 * registers lie in two blocks. */
static const char plant[] =
	"poller: { templates = [ ]; state_dir = \"%s\"; rrd_dir = \"%s\"; };\n"
	"store: { profile = \"short\"; flush = \"5m\"; };\n"
	"devices: (\n"
	"  { name = \"sw\"; address = \"10.0.0.1\"; templates = [ \"t\" ]; },\n"
	"  { name = \"plc\"; address = \"10.0.0.2\"; interval = \"5s\"; modbus = { unit_id = 1; };\n"
	"    points = ( { name = \"a\"; function = 3; pdu = 0; type = \"u16\"; },\n"
	"      { name = \"b\"; function = 3; pdu = 1; type = \"f32\"; },\n"
	"      { name = \"c\"; function = 3; pdu = 900; type = \"u16\"; } ); } );\n"
	"templates: ( { name = \"t\"; protocol = \"snmp\";\n"
	"  points = ( { name = \"temp\"; oid = \"1.3.6.1.4.1.9.9.13.1.0\"; },\n"
	"    { name = \"who\"; oid = \"1.3.6.1.2.1.1.5.0\"; kind = \"text\"; } );\n"
	"  tables = ( { name = \"if\"; retention = \"tiny\"; key = \"1.3.6.1.2.1.2.2.1.2\"; points = (\n"
	"      { name = \"in\"; oid = \"1.3.6.1.2.1.2.2.1.10\"; kind = \"counter\"; },\n"
	"      { name = \"out\"; oid = \"1.3.6.1.2.1.2.2.1.16\"; kind = \"counter\"; },\n"
	"      { name = \"oper\"; oid = \"1.3.6.1.2.1.2.2.1.8\"; interval = \"5m\"; } ); } ); } );\n";

static void
begin(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;
	FILE *file;

	scratch_make();
	file = fopen(scratch_path("main.conf"), "w");
	CHECK(file != NULL);
	fprintf(file, plant, scratch, scratch_path("rrd"));
	fclose(file);
	conf = conf_load(scratch_path("main.conf"), &errors);
	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	inventory = conf_inventory(conf);
	conf_free(conf);
	conf_errors_free(&errors);
}

static void
end(void)
{
	estimate_free(&estimate);
	inventory_free(inventory);
	scratch_remove();
}

static const struct estimate_kind *
kind(const char *profile, int64_t seconds)
{
	for (size_t i = 0; i < estimate.kind_count; i++)
		if (strcmp(estimate.kinds[i].profile, profile) == 0 &&
			estimate.kinds[i].step == seconds * SECOND)
			return &estimate.kinds[i];
	fail_msg("no files of %s at %lld s", profile, (long long)seconds);
	return NULL;
}

static int64_t
size_of(const char *profile, int64_t seconds, size_t sources)
{
	struct layout layout;

	CHECK(layout_make(&layout, seconds * SECOND, profile, NULL) == 0);
	return layout_bytes(&layout, sources);
}

static void
counts_rows_of_tables_that_were_never_asked_as_told(void)
{
	begin();
	estimate_make(&estimate, inventory, NULL, 10);
	CHECK_INT(estimate.devices, 2);
	CHECK_INT(estimate.points, 2 + 3);
	CHECK_INT(estimate.tables, 1);
	CHECK_INT(estimate.assumed_tables, 1);
	CHECK_INT(estimate.rows, 10);
	/* up, rtt and loss of both, scalars, three columns */
	CHECK_INT(estimate.series, 6 + 5 + 30);
	/* device, scalars and two files a row of sw; device and points of plc */
	CHECK_INT(estimate.files, 2 + 20 + 2);
	CHECK_INT(kind("tiny", 60)->files, 10);
	CHECK_INT(kind("tiny", 60)->sources, 20);
	CHECK_INT(kind("tiny", 300)->bytes, 10 * size_of("tiny", 300, 1));
	CHECK_INT(kind("short", 5)->bytes, 2 * size_of("short", 5, 3));
	CHECK_INT(kind("short", 60)->bytes, size_of("short", 60, 3) + size_of("short", 60, 1));
	CHECK_INT(estimate.rrd_bytes, kind("tiny", 60)->bytes + kind("tiny", 300)->bytes +
		kind("short", 5)->bytes + kind("short", 60)->bytes);
	CHECK_INT(estimate.rrd_there, 0);
	end();
}

static void
counts_values_and_requests_of_a_second(void)
{
	begin();
	estimate_make(&estimate, inventory, NULL, 10);
	/* 3 own, 1 scalar and 20 cells a minute, 10 cells in 5 minutes; 6 of the PLC in 5 s */
	CHECK_NEAR(estimate.values, 24 / 60.0 + 10 / 300.0 + 6 / 5.0, 1e-9);
	/* scalars and 10 rows with the row behind them, both in a minute; again the table in
	 * 5 minutes; two blocks in 5 s */
	CHECK_NEAR(estimate.requests, 3 / 60.0 + 2 / 300.0 + 2 / 5.0, 1e-9);
	CHECK(estimate.journal > 30 * estimate.values && estimate.journal < 80 * estimate.values);
	end();
}

static void
add(struct series_catalogue *catalogue, const char *path, const char *file, const char *ds)
{
	struct series series = { .kind = POINT_GAUGE, .step = 60 * SECOND, .path = path,
		.unit = "", .file = file, .ds = ds, .profile = "tiny" };

	CHECK(series_add(catalogue, &series, NULL) != NULL);
}

static void
rows_that_were_seen_count_and_files_that_are_there_need_no_more(void)
{
	const char *ds[] = { "in", "out" };
	struct series_catalogue *catalogue;
	struct layout layout;
	struct stat info;
	struct fail why;

	begin();
	catalogue = series_open(scratch, true, &why);
	CHECK(catalogue != NULL);
	add(catalogue, "sw/if[ge[1]/5]/in", "sw/if/ge%5B1%5D%2F5.rrd", "in");
	add(catalogue, "sw/if[ge[1]/5]/out", "sw/if/ge%5B1%5D%2F5.rrd", "out");
	add(catalogue, "sw/if[ge2]/in", "sw/if/ge2.rrd", "in");
	add(catalogue, "sw/temp", "sw/t.rrd", "temp");
	CHECK(mkdir(inventory->poller.rrd_dir, 0700) == 0);
	CHECK(layout_make(&layout, 60 * SECOND, "tiny", NULL) == 0);
	CHECK(rrd_file_create((struct rrd_place){ inventory->poller.rrd_dir,
				      "sw/if/ge%5B1%5D%2F5.rrd" }, &layout, 1700000040, ds, 2,
		      &why) == RRD_DONE);
	CHECK(stat(scratch_path("rrd/sw/if/ge%5B1%5D%2F5.rrd"), &info) == 0);
	estimate_make(&estimate, inventory, catalogue, 10);
	CHECK_INT(estimate.rows, 2);
	CHECK_INT(estimate.assumed_tables, 0);
	CHECK_INT(kind("tiny", 60)->bytes, 2 * info.st_size);
	CHECK(estimate.rrd_there >= info.st_size && estimate.rrd_there < info.st_size + 8192);
	series_close(catalogue);
	end();
}

RUN_TESTS(TEST(counts_rows_of_tables_that_were_never_asked_as_told),
	TEST(counts_values_and_requests_of_a_second),
	TEST(rows_that_were_seen_count_and_files_that_are_there_need_no_more))

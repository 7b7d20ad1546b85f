/* store_load - what the store costs beside librrd alone, and what waiting rows take.
 *
 *   store_load cost --dir D --files F --rows R [--parts P]
 *       CPU a value of the store, and of the same calls of rrd_update_r, made bare: same number
 *       of files of the same shape, R rows in each call, texts made beforehand and not counted.
 *       Both after one row of warm-up, with all files in the cache and on disk: the store's are
 *       after its checkpoint, and a kernel writes what is dirty long before a plant's next turn.
 *       They take turns, a tenth of the files at a time, each first in every other round: what
 *       else the machine does meets both.
 *   store_load pending --files F --rows R         memory of R pending rows in each of F files
 *
 * With --parts P only P of those tenths get more than the first row: all files are known and
 * have been written, but it takes a tenth of the time and half the disk.
 *
 * The store's figure has it all: journal read, ledger, rows kept, heads of files noted and
 * synced, rows worked out and written, checkpoint. Nothing that is done once is in either: not the
 * start, not the catalogue, not the making of files. What is fixed a round weighs more the
 * fewer files there are: one sync of the heads for up to 256 files, and of 500 files a round
 * has 50; one checkpoint in all. The store writes most rows without librrd (append.h): so it takes
 * less than the bare calls do. A minute is a turn of a loop here: nothing waits for a clock,
 * so it is about cost and not about pace (that is store_pace). */
#include <errno.h>
#include <rrd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "fleet.h"
#include "journal/writer.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/pending.h"
#include "store/store.h"

#define STEP (60 * LOOP_S)
#define FIRST INT64_C(29000000) /* slot of the first row */
#define ROUNDS 10

struct load {
	struct fleet fleet;
	int64_t rows;
	unsigned parts;
	uint64_t next_sequence;
};

static double
cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the store ---- */

static void
stop_loop(uint64_t sequence, void *arg)
{
	(void)sequence;
	loop_stop(arg);
}

/* Some of the devices and their files. */
struct part {
	uint32_t first_device, end_device, first_file, end_file;
};

static struct part
part_of(const struct load *load, unsigned number)
{
	uint32_t devices = fleet_devices(&load->fleet), files = load->fleet.files;
	uint32_t first = (uint32_t)((uint64_t)devices * number / ROUNDS);
	uint32_t end = (uint32_t)((uint64_t)devices * (number + 1) / ROUNDS), most = end * FLEET_DEVICE;

	return (struct part){ first, end, first * FLEET_DEVICE, most < files ? most : files };
}

/* Those that get more than the first row. */
static uint32_t
measured_files(const struct load *load)
{
	return part_of(load, load->parts - 1).end_file;
}

static struct part
everything(const struct load *load)
{
	return (struct part){ 0, fleet_devices(&load->fleet), 0, load->fleet.files };
}

/* Journal of those slots, committed slot by slot. */
static void
write_journal(struct load *load, struct part part, int64_t from, int64_t to)
{
	struct fail why;
	struct loop *loop = loop_new(&why);
	struct writer_options options = { .commit_interval = LOOP_MS, .memory_budget = (size_t)2 << 30 };
	struct writer_events events = { .committed = stop_loop, .arg = loop };
	struct writer *writer;
	char state[600];

	snprintf(state, sizeof state, "%s/state", load->fleet.dir);
	options.state_dir = state;
	writer = loop == NULL ? NULL : writer_open(loop, &options, &events, load->next_sequence, &why);
	if (writer == NULL)
		fleet_die("%s", why.text);
	for (int64_t slot = from; slot <= to; slot++) {
		for (uint32_t device = part.first_device; device < part.end_device; device++)
			fleet_poll(&load->fleet, writer, device, slot);
		loop_run(loop);
	}
	load->next_sequence = writer_last_sequence(writer) + 1;
	if (!writer_close(writer))
		fleet_die("%s: the journal could not be written", state);
	loop_free(loop);
}

/* CPU seconds by what they are for. */
struct cost {
	double read, write, checkpoint, bare;
	int64_t faults, bare_faults; /* of pages, while files are written */
};

static int64_t
faults(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_minflt : 0;
}

static void
take_in(struct keeper *keeper, struct cost *cost)
{
	double start = cpu_seconds(), read;
	struct fail why;

	while (!keeper_read(keeper, 100000))
		;
	read = cpu_seconds();
	cost->faults -= faults();
	if (keeper_flush_all(keeper, &why) != 1)
		fleet_die("%s", why.text);
	cost->read += read - start;
	cost->write += cpu_seconds() - read;
	cost->faults += faults();
}

static void
make_checkpoint(struct keeper *keeper, struct cost *cost)
{
	double start = cpu_seconds();

	if (keeper_finish(keeper) == -1)
		fleet_die("no checkpoint");
	cost->checkpoint += cpu_seconds() - start;
}

/* With the first row in all files, and a checkpoint behind it. */
static struct keeper *
open_store(struct load *load)
{
	char state[600], rrd[600], run[600];
	struct store_options options = { .state_dir = state, .rrd_dir = rrd, .run_dir = run,
		.flush = 86400 * LOOP_S, .memory = INT64_C(64) << 30 };
	struct cost warm = { 0 };
	struct keeper *keeper;
	struct fail why;

	snprintf(state, sizeof state, "%s/state", load->fleet.dir);
	snprintf(rrd, sizeof rrd, "%s/rrd", load->fleet.dir);
	snprintf(run, sizeof run, "%s/run", load->fleet.dir);
	write_journal(load, everything(load), FIRST, FIRST);
	keeper = keeper_open(&options, &why);
	if (keeper == NULL)
		fleet_die("%s", why.text);
	keeper_now(keeper, LOOP_S, (FIRST + load->rows + 2) * STEP);
	take_in(keeper, &warm);
	make_checkpoint(keeper, &warm);
	return keeper;
}

/* The rows after the first. */
static void
run_store(struct load *load, struct keeper *keeper, struct part part, struct cost *cost)
{
	write_journal(load, part, FIRST + 1, FIRST + load->rows);
	fleet_read_rrds(&load->fleet, "rrd", part.first_file, part.end_file);
	take_in(keeper, cost);
}

static void
close_store(const struct load *load, struct keeper *keeper)
{
	struct store_health health;

	keeper_health(keeper, &health);
	if (health.updates != load->fleet.files + measured_files(load) * (uint64_t)load->rows)
		fleet_die("the store wrote %llu rows, not %llu", (unsigned long long)health.updates,
			(unsigned long long)(load->fleet.files +
			measured_files(load) * (uint64_t)load->rows));
	keeper_close(keeper);
}

/* ---- librrd alone ---- */

static char *
row_text(const struct load *load, uint32_t file, int64_t slot)
{
	char text[400];
	size_t used = (size_t)snprintf(text, sizeof text, "%lld",
		(long long)(slot * (STEP / LOOP_S)));

	for (unsigned ds = 0; ds < FLEET_DS; ds++)
		used += (size_t)snprintf(text + used, sizeof text - used, ":%.17g",
			fleet_value(&load->fleet, file, ds, slot));
	return mem_text(text);
}

static void
update_bare(const struct load *load, uint32_t file, int64_t from, int64_t to, struct cost *cost)
{
	const char **rows = mem_array((size_t)(to - from + 1), sizeof *rows);
	char name[100], path[800];
	int count = 0;
	double used;

	fleet_file(name, sizeof name, file);
	snprintf(path, sizeof path, "%s/bare/%s", load->fleet.dir, name);
	for (int64_t slot = from; slot <= to; slot++)
		rows[count++] = row_text(load, file, slot);
	cost->bare_faults -= faults();
	used = cpu_seconds();
	if (rrd_update_r(path, NULL, count, rows) != 0)
		fleet_die("%s: %s", path, rrd_get_error());
	cost->bare += cpu_seconds() - used;
	cost->bare_faults += faults();
	while (count > 0)
		free((char *)rows[--count]);
	free(rows);
}

static void
run_bare(const struct load *load, struct part part, struct cost *cost)
{
	fleet_read_rrds(&load->fleet, "bare", part.first_file, part.end_file);
	for (uint32_t file = part.first_file; file < part.end_file; file++)
		update_bare(load, file, FIRST + 1, FIRST + load->rows, cost);
	/* So that the checkpoint's sync finds the store's pages and no others. */
	fleet_read_rrds(&load->fleet, "bare", part.first_file, part.end_file);
}

/* ---- both in turn ---- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static struct cost
run_both(struct load *load, double ratios[ROUNDS])
{
	struct keeper *keeper = open_store(load);
	struct cost all = { 0 }, warm = { 0 };

	for (uint32_t file = 0; file < measured_files(load); file++)
		update_bare(load, file, FIRST, FIRST, &warm);
	fleet_sync_rrds(&load->fleet, "bare");
	for (unsigned round = 0; round < load->parts; round++) {
		struct part part = part_of(load, round);
		struct cost cost = { 0 };

		if (round == load->parts - 1)
			fleet_sync_rrds(&load->fleet, "bare");
		if (round % 2 == 0)
			run_store(load, keeper, part, &cost);
		run_bare(load, part, &cost);
		if (round % 2 == 1)
			run_store(load, keeper, part, &cost);
		all.read += cost.read;
		all.write += cost.write;
		all.bare += cost.bare;
		all.faults += cost.faults;
		all.bare_faults += cost.bare_faults;
		ratios[round] = cost.bare > 0 ? (cost.read + cost.write) / cost.bare : 0;
	}
	make_checkpoint(keeper, &all);
	close_store(load, keeper);
	qsort(ratios, load->parts, sizeof *ratios, by_size);
	return all;
}

static void
measure_cost(struct load *load)
{
	uint32_t files = load->fleet.files, measured;
	double ratios[ROUNDS], values, store, median, extra;
	unsigned half = load->parts / 2;
	struct cost cost;
	int64_t need;

	if (fleet_devices(&load->fleet) < ROUNDS)
		fleet_die("at least %d files, please", ROUNDS * FLEET_DEVICE);
	measured = measured_files(load);
	values = (double)measured * (double)load->rows * FLEET_DS;
	need = (int64_t)(files + measured) * fleet_rrd_bytes(&load->fleet) + measured * load->rows * 300;
	if (need + (INT64_C(1) << 30) > fleet_free(load->fleet.dir))
		fleet_die("%u files and their journal take %lld MB: %lld MB are free in %s",
			files, (long long)(need >> 20),
			(long long)(fleet_free(load->fleet.dir) >> 20), load->fleet.dir);
	fleet_make_folders(&load->fleet);
	fleet_make(&load->fleet);
	fleet_make_rrds(&load->fleet, "rrd", files, FIRST);
	fleet_make_rrds(&load->fleet, "bare", measured, FIRST);
	cost = run_both(load, ratios);
	store = cost.read + cost.write + cost.checkpoint;
	fleet_close(&load->fleet);
	extra = cost.checkpoint / cost.bare;
	median = (ratios[(load->parts - 1) / 2] + ratios[half]) / 2 + extra;
	printf("files %u rows %lld values %.0f store_us %.3f read_us %.3f write_us %.3f "
		"checkpoint_us %.3f bare_us %.3f ratio %.2f rounds %u median %.2f least %.2f most %.2f "
		"faults %.1f bare_faults %.1f\n", files, (long long)load->rows, values,
		store / values * 1e6, cost.read / values * 1e6, cost.write / values * 1e6,
		cost.checkpoint / values * 1e6, cost.bare / values * 1e6, store / cost.bare,
		load->parts, median, ratios[0] + extra, ratios[load->parts - 1] + extra,
		(double)cost.faults / measured, (double)cost.bare_faults / measured);
}

/* ---- memory ---- */

static void
measure_pending(struct load *load)
{
	struct series series = { .kind = POINT_COUNTER, .step = STEP, .path = "", .unit = "",
		.profile = "short" };
	struct pending *pending = pending_new();
	int64_t start = fleet_rss(0), known, full;
	double rows = (double)load->fleet.files * (double)load->rows, used;
	struct fail why;
	char name[100], ds[20];

	series.file = name;
	series.ds = ds;
	for (uint32_t file = 0; file < load->fleet.files; file++) {
		fleet_file(name, sizeof name, file);
		for (unsigned i = 0; i < FLEET_DS; i++) {
			snprintf(ds, sizeof ds, "in_counter_%u", i);
			series.id = file * FLEET_DS + i + 1;
			if (pending_register(pending, &series, &why) == -1)
				fleet_die("%s", why.text);
		}
	}
	known = fleet_rss(0);
	used = cpu_seconds();
	for (int64_t slot = FIRST; slot < FIRST + load->rows; slot++)
		for (uint32_t file = 0; file < load->fleet.files; file++) {
			int64_t received = fleet_received(&load->fleet, file, slot);

			for (unsigned i = 0; i < FLEET_DS; i++)
				pending_close(pending, file * FLEET_DS + i + 1, slot,
					fleet_value(&load->fleet, file, i, slot),
					(struct pending_origin){ received, (uint64_t)slot });
		}
	used = cpu_seconds() - used;
	full = fleet_rss(0);
	if (pending_count_rows(pending) != (uint64_t)rows)
		fleet_die("%.0f rows went in, %llu are there", rows,
			(unsigned long long)pending_count_rows(pending));
	printf("files %u rows %.0f row_octets %.1f file_octets %.0f rows_mb %.0f rss_mb %.0f "
		"said_mb %.0f ns_a_value %.0f\n", load->fleet.files, rows, (double)(full - known) / rows,
		(double)(known - start) / load->fleet.files, (double)(full - known) / 1e6,
		(double)full / 1e6, (double)pending_bytes(pending) / 1e6, used / rows / FLEET_DS * 1e9);
	pending_free(pending);
}

int
main(int argc, char **argv)
{
	struct load load = { .fleet = { .step = STEP, .profile = "short", .files = 1000 },
		.rows = 30, .parts = ROUNDS, .next_sequence = 1 };

	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--dir") == 0)
			load.fleet.dir = argv[i + 1];
		else if (strcmp(argv[i], "--files") == 0)
			load.fleet.files = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--rows") == 0)
			load.rows = strtoll(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--parts") == 0)
			load.parts = (unsigned)strtoul(argv[i + 1], NULL, 10);
		else
			fleet_die("store_load: %s: unknown option", argv[i]);
	}
	if (argc < 2 || load.parts < 1 || load.parts > ROUNDS || load.fleet.files == 0 || load.rows < 1 || load.rows > 100)
		fleet_die("usage: store_load cost|pending --dir D --files F --rows R (at most 100)");
	if (strcmp(argv[1], "cost") == 0 && load.fleet.dir != NULL)
		measure_cost(&load);
	else if (strcmp(argv[1], "pending") == 0)
		measure_pending(&load);
	else
		fleet_die("store_load: cost --dir D, or pending");
	return 0;
}

/* New files in the place of old ones, and what a kill at any moment leaves. */
#include "store/migration.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "../check.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "store/rrd.h"

#define SECOND INT64_C(1000000000)
#define START INT64_C(1700006400)
#define FILES 6

static char *rrd_dir;
static struct migration *migration;
static struct fail why;
static int *told; /* whom to tell that all is built, in the child */

static void
begin(void)
{
	struct series_catalogue *catalogue;
	const char *ds[] = { "a" };
	struct layout layout;

	scratch_make();
	rrd_dir = mem_text(scratch_path("rrd"));
	CHECK(mkdir(rrd_dir, 0700) == 0);
	catalogue = series_open(scratch, true, &why);
	CHECK(layout_make(&layout, 60 * SECOND, "tiny", NULL) == 0);
	for (int i = 0; i < FILES; i++) {
		char path[20], file[20];
		const char *rows[] = { "1700006460:1", "1700006520:2" };
		struct series series = { .kind = POINT_GAUGE, .step = 60 * SECOND, .path = path,
			.unit = "", .file = file, .ds = "a", .profile = "tiny" };

		snprintf(path, sizeof path, "d%d/a", i);
		snprintf(file, sizeof file, "d/f%d.rrd", i);
		CHECK(series_add(catalogue, &series, &why) != NULL);
		CHECK(rrd_file_create((struct rrd_place){ rrd_dir, file }, &layout, START, ds, 1,
			      &why) == RRD_DONE);
		CHECK(rrd_file_update((struct rrd_place){ rrd_dir, file }, "a", rows, 2, &why) ==
			RRD_DONE);
	}
	series_close(catalogue);
}

static void
end(void)
{
	migration_close(migration);
	migration = NULL;
	free(rrd_dir);
	scratch_remove();
}

static bool
open_migration(void)
{
	bool finished;

	migration = migration_open(scratch, rrd_dir, "20261122T050000Z", &finished, &why);
	if (migration == NULL)
		fail_msg("%s", why.text);
	return finished;
}

/* Tells the parent that the last file is built and the commit comes. */
static void
tell_built(const struct reshape_report *report, void *arg)
{
	static int built;

	CHECK(report->rows > 0);
	if (++built == FILES)
		CHECK(write(*(int *)arg, "b", 1) == 1);
}

/* All files to 30 s, in one step. */
static int
step(void)
{
	static const char *const files[FILES] = { "d/f0.rrd", "d/f1.rrd", "d/f2.rrd", "d/f3.rrd",
		"d/f4.rrd", "d/f5.rrd" };
	static const char *const paths[FILES] = { "d0/a", "d1/a", "d2/a", "d3/a", "d4/a", "d5/a" };
	struct migration_file wanted[FILES] = { 0 };
	struct reshape_ds ds[FILES] = { 0 };
	struct series series[FILES];

	for (int i = 0; i < FILES; i++) {
		ds[i] = (struct reshape_ds){ .name = "a", .from = { { files[i], "a" } },
			.from_count = 1 };
		wanted[i] = (struct migration_file){ .file = files[i], .ds = &ds[i], .ds_count = 1 };
		CHECK(layout_make(&wanted[i].layout, 30 * SECOND, "short", NULL) == 0);
		series[i] = (struct series){ .kind = POINT_GAUGE, .step = 30 * SECOND,
			.path = paths[i], .unit = "", .file = files[i], .ds = "a",
			.profile = "tiny" };
	}
	return migration_step(migration, wanted, FILES, series, FILES,
		told == NULL ? NULL : tell_built, told, &why);
}

static int64_t
step_of(const char *file)
{
	struct rrd_shape shape;

	CHECK(rrd_file_shape((struct rrd_place){ rrd_dir, file }, &shape, &why) == RRD_DONE);
	CHECK_INT(shape.last, START + 120);
	free(shape.ds);
	return shape.step;
}

/* 0 nothing has changed, FILES all has: files and entries agree. */
static int
count_new(void)
{
	struct series_catalogue *catalogue = series_open(scratch, false, &why);
	int count = 0;

	for (int i = 0; i < FILES; i++) {
		char path[20], file[20];
		const struct series *series;

		snprintf(path, sizeof path, "d%d/a", i);
		snprintf(file, sizeof file, "d/f%d.rrd", i);
		series = series_find(catalogue, path);
		CHECK(series != NULL);
		CHECK_INT(step_of(file), series->step / SECOND);
		count += series->step == 30 * SECOND;
	}
	series_close(catalogue);
	return count;
}

static bool
there(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

static void
files_and_entries_change_together_and_old_files_stay(void)
{
	begin();
	CHECK(!open_migration());
	CHECK(step() == 0);
	CHECK_INT(count_new(), FILES);
	CHECK(there("rrd/.migrate/20261122T050000Z/d/f2.rrd"));
	CHECK_INT(step_of(".migrate/20261122T050000Z/d/f0.rrd"), 60);
	CHECK(!there("rrd/.migrate/new"));
	CHECK(!migration_pending(scratch));
	end();
}

static void
a_file_that_cannot_be_read_stops_the_whole_step(void)
{
	begin();
	CHECK(truncate(scratch_path("rrd/d/f2.rrd"), 100) == 0);
	open_migration();
	CHECK(step() == -1);
	CHECK(strstr(why.text, "d/f2.rrd") != NULL);
	CHECK_INT(step_of("d/f0.rrd"), 60);
	CHECK(!there("rrd/.migrate"));
	CHECK(!migration_pending(scratch));
	end();
}

/* Kills a migration `delay` us after its start, or after all files were built; true when it
 * had come to its end by then. */
static bool
kill_after(unsigned delay, bool from_built)
{
	int ends[2], status;
	char byte;
	pid_t child;

	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		told = &ends[1];
		open_migration();
		_exit(step() == 0 ? 0 : 1);
	}
	close(ends[1]);
	if (from_built)
		CHECK(read(ends[0], &byte, 1) == 1);
	usleep(delay);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
	close(ends[0]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Each time a little later, until it comes through: then all instants have been met. */
static void
meet_all_instants(unsigned pause, bool from_built)
{
	unsigned interrupted = 0, untouched = 0, done = 0;

	for (unsigned delay = 0; done < (from_built ? 15 : 2) && delay < 100; delay++) {
		int changed;

		begin();
		done += kill_after(delay % 30 * pause, from_built);
		interrupted += open_migration();
		CHECK(!migration_pending(scratch));
		CHECK(!there("rrd/.migrate/new"));
		changed = count_new();
		CHECK(changed == 0 || changed == FILES);
		untouched += changed == 0;
		/* and it can be done from here */
		CHECK(step() == 0);
		CHECK_INT(count_new(), FILES);
		CHECK_INT(step_of(".migrate/20261122T050000Z/d/f1.rrd"), 60);
		end();
	}
	print_message("%u untouched, %u interrupted behind the commit, %u done\n", untouched,
		interrupted, done);
}

static void
a_kill_while_files_are_built_leaves_everything_as_it_was(void)
{
	meet_all_instants(1500, false);
}

static void
a_kill_while_files_are_swapped_leaves_all_or_nothing(void)
{
	meet_all_instants(20, true);
}

/* As the process leaves them that is killed between two of its steps. */
static void
a_commit_is_carried_out_by_whoever_opens_next(void)
{
	struct stat info;

	begin();
	open_migration();
	CHECK(step() == 0);
	migration_close(migration);
	/* The third file is not yet swapped, nor is any entry written. */
	CHECK(mkdir(scratch_path("rrd/.migrate/new"), 0700) == 0);
	CHECK(mkdir(scratch_path("rrd/.migrate/new/d"), 0700) == 0);
	CHECK(rename(scratch_path("rrd/d/f2.rrd"), scratch_path("rrd/.migrate/new/d/f2.rrd")) == 0);
	CHECK(rename(scratch_path("rrd/.migrate/20261122T050000Z/d/f2.rrd"),
		      scratch_path("rrd/d/f2.rrd")) == 0);
	CHECK(stat(scratch_path("series"), &info) == 0);
	{
		const char *text = "pollwerk migration 1\t20261122T050000Z\nfile\td/f0.rrd\n"
			"file\td/f1.rrd\nfile\td/f2.rrd\n"
			"series\tgauge\t30000000000\ttiny\t\td/f2.rrd\ta\td2/a\n";
		FILE *file = fopen(scratch_path("migration"), "w");
		uint32_t crc = str_crc32c(0, text, strlen(text));

		fprintf(file, "%send\t%08x\n", text, crc);
		fclose(file);
	}
	CHECK(migration_pending(scratch));
	CHECK(open_migration());
	CHECK(!migration_pending(scratch));
	CHECK_INT(count_new(), FILES);
	CHECK_INT(step_of(".migrate/20261122T050000Z/d/f2.rrd"), 60);
	end();
}

static void
a_damaged_commit_is_not_guessed_at(void)
{
	bool finished;
	FILE *file;

	begin();
	file = fopen(scratch_path("migration"), "w");
	fputs("pollwerk migration 1\tx\nfile\td/f0.rrd\nend\t00000000\n", file);
	fclose(file);
	CHECK(migration_open(scratch, rrd_dir, "x", &finished, &why) == NULL);
	CHECK(strstr(why.text, "/migration: damaged") != NULL);
	CHECK_INT(step_of("d/f0.rrd"), 60);
	end();
}

RUN_TESTS(TEST(files_and_entries_change_together_and_old_files_stay),
	TEST(a_file_that_cannot_be_read_stops_the_whole_step),
	TEST(a_kill_while_files_are_built_leaves_everything_as_it_was),
	TEST(a_kill_while_files_are_swapped_leaves_all_or_nothing),
	TEST(a_commit_is_carried_out_by_whoever_opens_next),
	TEST(a_damaged_commit_is_not_guessed_at))

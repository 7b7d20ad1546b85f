/* ledger - what it costs to ask the ledger for one series out of many.
 *
 *   ledger FOLDER SERIES DAYS
 *
 * Makes a ledger in FOLDER/ledger as a store leaves it that has polled so many series for so
 * many days, each 60 s, with four outages a day of 1 to 20 slots at random for each series:
 * archives of at most AGEING_RUNS runs, folded where they are older than 35 days. Then it
 * asks, in a process of its own each time, for one series over all days and over one day,
 * and prints time and peak memory, beside the size on disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "store/ageing.h"
#include "store/archive.h"
#include "store/checkpoint.h"
#include "store/fold.h"
#include "store/ledger_view.h"

#define STEP (INT64_C(60) * 1000000000)
#define QUARTER (6 * 60) /* slots in six hours: one outage in each */
#define BEGIN (INT64_C(1767225600) / 60)

static uint64_t seed = 20261122;

static unsigned
random_below(unsigned limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % limit;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One outage in these six hours: the good run before it, and itself. */
static uint64_t
add_series(struct archive_writer *writer, uint32_t id, int64_t first, uint64_t number, bool folded)
{
	struct fold_list list = { 0 }, hours = { 0 };
	int64_t begins = first + 20 + random_below(QUARTER - 60), ends = begins + random_below(20);
	struct ledger_span spans[3] = {
		{ .run = { id, REASON_GOOD, first, begins - 1 }, .final = true },
		{ .run = { id, REASON_TIMEOUT, begins, ends }, .final = true },
		{ .run = { id, REASON_GOOD, ends + 1, first + QUARTER - 1 }, .final = true } };

	for (int i = 0; i < 3; i++) {
		spans[i].n = (uint64_t)(spans[i].run.last - spans[i].run.first) + 1;
		spans[i].sequence = number++;
		fold_push(&list, &spans[i]);
	}
	if (folded)
		fold_spans(list.spans, list.count, STEP, &hours);
	archive_add(writer, folded ? hours.spans : list.spans, folded ? hours.count : list.count,
		STEP, 0);
	free(list.spans);
	free(hours.spans);
	return number;
}

static int
make(const char *folder, uint32_t series, int64_t days, struct fail *why)
{
	const uint32_t most = (uint32_t)(AGEING_RUNS / 3);
	struct checkpoint checkpoint = { 0 };
	uint64_t number = 1;

	for (int64_t quarter = 0; quarter < 4 * days; quarter++) {
		for (uint32_t begin = 1; begin <= series; begin += most) {
			uint32_t end = begin + most <= series ? begin + most : series + 1;
			struct archive_head head = { .first = number,
				.end = number + 3 * (uint64_t)(end - begin),
				.folded = quarter < 4 * (days - 35) };
			struct archive_writer *writer = archive_begin(folder, &head, why);

			if (writer == NULL)
				return -1;
			for (uint32_t id = begin; id < end; id++)
				number = add_series(writer, id, BEGIN + quarter * QUARTER, number,
					head.folded);
			if (archive_finish(writer, &head, why) == -1)
				return -1;
		}
	}
	checkpoint.ledger_length = (number - 1) * LEDGER_RUN_SIZE;
	return checkpoint_write(folder, &checkpoint, why);
}

static int
ask(const char *folder, uint32_t id, int64_t from, int64_t to, uint64_t expected)
{
	struct series series = { .id = id, .step = STEP };
	const struct series *only = &series;
	struct tally tally = { { 0 } };
	double began = now();
	struct fail why;
	struct ledger_view *view = ledger_open_view(folder, &only, 1, &why);
	struct rusage used;

	if (view == NULL) {
		fprintf(stderr, "ledger: %s\n", why.text);
		return 1;
	}
	ledger_tally(view, &series, from * STEP, to * STEP, &tally);
	getrusage(RUSAGE_SELF, &used);
	printf("  %lld days of series %u: %.1f ms, %ld KiB peak; expected %llu = good %llu + timeout %llu\n",
		(long long)(to - from) / 1440, id, (now() - began) * 1e3, used.ru_maxrss,
		(unsigned long long)tally_expected(&tally), (unsigned long long)tally_good(&tally),
		(unsigned long long)tally.count[REASON_TIMEOUT]);
	ledger_close_reader(view);
	return tally_expected(&tally) != expected;
}

static int
ask_apart(const char *folder, uint32_t id, int64_t from, int64_t to)
{
	int status = 1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		int failed = ask(folder, id, from, to, (uint64_t)(to - from));

		fflush(stdout);
		_exit(failed);
	}
	return child == -1 || waitpid(child, &status, 0) == -1 || status != 0;
}

static void
tell_size(const char *folder, uint32_t series, int64_t days)
{
	struct archive_head *heads;
	uint64_t damaged = 0, exact = 0, folded = 0;
	size_t count = ageing_list(folder, &heads, &damaged);

	for (size_t i = 0; i < count; i++) {
		char path[ARCHIVE_PATH];
		struct stat info;

		archive_path(path, sizeof path, folder, heads[i].first);
		if (stat(path, &info) == 0)
			*(heads[i].folded ? &folded : &exact) += (uint64_t)info.st_size;
	}
	printf("  %zu archives, %.1f MiB exact (35 days), %.1f MiB folded (%lld days)\n", count,
		(double)exact / 1048576, (double)folded / 1048576, (long long)days - 35);
	printf("  a series-year with four outages a day: %.1f KiB run by run, %.1f KiB folded\n",
		(double)exact / 35 * 365 / series / 1024,
		(double)folded / (double)(days - 35) * 365 / series / 1024);
	free(heads);
}

int
main(int argc, char **argv)
{
	uint32_t series = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	int64_t days = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
	char folder[ARCHIVE_PATH];
	struct fail why;

	if (series == 0 || days < 40) {
		fprintf(stderr, "usage: ledger FOLDER SERIES DAYS (40 or more)\n");
		return 2;
	}
	snprintf(folder, sizeof folder, "%s/ledger", argv[1]);
	if ((mkdir(folder, 0750) == -1 && errno != EEXIST) ||
		make(argv[1], series, days, &why) == -1) {
		fprintf(stderr, "ledger: %s: cannot be made\n", folder);
		return 1;
	}
	printf("%u series, %lld days, an interval of 60 s:\n", series, (long long)days);
	tell_size(argv[1], series, days);
	return ask_apart(argv[1], series / 2, BEGIN, BEGIN + days * 1440) |
		ask_apart(argv[1], series / 2, BEGIN + (days - 2) * 1440, BEGIN + (days - 1) * 1440) |
		ask_apart(argv[1], series / 2, BEGIN + 30 * 1440, BEGIN + 60 * 1440);
}

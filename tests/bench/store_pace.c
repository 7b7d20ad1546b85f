/* store_pace - the store at the pace of a plant: files of ten counters, each interval.
 *
 *   store_pace --dir D --files F --interval S --seconds T --flush S --memory MB [--make yes]
 *              [--profile P]
 *
 * A store runs as the daemon's does (store_main, in a process of its own); this process is the
 * poller: it writes the journal as a poller writes it, each device at its phase in the
 * interval, and polls nothing. The files are there before (three RRAs of 60 rows, 20 KB), or
 * with --make yes the store makes them, in the profile "tiny" or P. Says each minute what the store
 * took, asks it for a FLUSH of one file now and then, and reads rows back at the end.
 *
 * Exit status 1 when a row is missing or wrong, or the store says that something is. */
#include <errno.h>
#include <math.h>
#include <rrd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "fleet.h"
#include "journal/writer.h"
#include "store/flush.h"
#include "store/health.h"
#include "store/store.h"

#define TICK (10 * LOOP_MS)
#define REPORT (60 * LOOP_S)
#define ASK (5 * LOOP_S) /* for a FLUSH */
#define CHECKED 200 /* files that are read back */

/* What is counted at one moment. */
struct reading {
	int64_t mono;
	double cpu;
	int64_t written, read; /* octets, as the kernel accounts them to the store */
	uint64_t values;
};

struct pace {
	struct fleet fleet;
	int64_t seconds, flush, memory;
	bool ending;
	bool make;
	char state[600], rrd[600], run[600];
	pid_t store;
	int alive;
	struct loop *loop;
	struct writer *writer;
	struct loop_timer tick, report, ask, end;
	uint32_t *order;   /* devices by phase */
	int64_t *phases;   /* by place in that order */
	uint32_t next;     /* place in the order that is due next, */
	int64_t slot;      /* in this slot */
	int64_t first, behind; /* first slot; worst lateness of this program itself */
	uint64_t values;
	struct reading start, last;
	int64_t most_rss;
	double worst_flush, all_flush;
	unsigned flushes, troubles;
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct reading
look(const struct pace *pace)
{
	return (struct reading){ loop_mono(pace->loop), fleet_cpu(pace->store),
		fleet_io(pace->store, "write_bytes"), fleet_io(pace->store, "read_bytes"),
		pace->values };
}

/* ---- the store ---- */

static void
start_store(struct pace *pace)
{
	struct store_options options = { .state_dir = pace->state, .rrd_dir = pace->rrd,
		.run_dir = pace->run, .flush = pace->flush, .memory = pace->memory,
		.journal_budget = 86400 * LOOP_S };
	char path[700];
	struct fail why;
	int fds[2], listening;

	snprintf(path, sizeof path, "%s/" FLUSH_SOCKET, pace->run);
	listening = net_unix_listen(path, 0600, &why);
	if (listening == -1 || net_pair(fds, &why) == -1)
		fleet_die("%s", why.text);
	fflush(stdout);
	pace->store = fork();
	if (pace->store == -1)
		fleet_die("fork: %s", strerror(errno));
	if (pace->store == 0) {
		close(fds[0]);
		log_open(LOG_TARGET_STDERR, "store");
		_exit(store_main(&options, fds[1], listening));
	}
	close(fds[1]);
	close(listening);
	pace->alive = fds[0];
}

static struct store_health
health_of(const struct pace *pace)
{
	struct store_health health = { 0 };
	struct fail why;

	store_health_read(pace->run, &health, &why);
	return health;
}

static void
ask_for_flush(void *arg)
{
	struct pace *pace = arg;
	uint32_t file = (uint32_t)(pace->values / FLEET_DS) % pace->fleet.files;
	char name[100];
	struct fail why;
	double start = now();

	loop_timer_in(pace->loop, &pace->ask, ASK);
	fleet_file(name, sizeof name, file);
	if (store_flush_client(pace->run, name, 20 * LOOP_S, &why) != 0) {
		printf("FLUSH %s: %s\n", name, why.text);
		pace->troubles++;
		return;
	}
	start = now() - start;
	pace->all_flush += start;
	pace->flushes++;
	if (start > pace->worst_flush)
		pace->worst_flush = start;
}

static void
say(const struct pace *pace, const struct reading *from, const struct reading *to,
	const struct store_health *health)
{
	double seconds = (double)(to->mono - from->mono) / 1e9;
	double values = (double)(to->values - from->values);

	printf("%5.0f s: %.0f values/s, %.2f us CPU a value, %.2f %% of a core, wrote %.1f MB/s, "
		"read %.1f MB/s, RSS %.0f MB, %llu rows pending, lag %.1f s\n",
		(double)(to->mono - pace->start.mono) / 1e9, values / seconds,
		(to->cpu - from->cpu) / values * 1e6, (to->cpu - from->cpu) / seconds * 100,
		(double)(to->written - from->written) / seconds / 1e6,
		(double)(to->read - from->read) / seconds / 1e6,
		(double)fleet_rss(pace->store) / 1e6, (unsigned long long)health->rows, health->lag);
	fflush(stdout);
}

static void
report(void *arg)
{
	struct pace *pace = arg;
	struct store_health health = health_of(pace);
	struct reading reading = look(pace);
	int64_t rss = fleet_rss(pace->store);

	loop_timer_in(pace->loop, &pace->report, REPORT);
	say(pace, &pace->last, &reading, &health);
	pace->last = reading;
	if (rss > pace->most_rss)
		pace->most_rss = rss;
	if (health.degraded) {
		printf("the store is degraded: %s\n", health.reason);
		pace->troubles++;
	}
}

/* ---- the poller that is none ---- */

static void
poll_due(void *arg)
{
	struct pace *pace = arg;
	uint32_t devices = fleet_devices(&pace->fleet);
	int64_t wall = loop_wall(pace->loop);

	loop_timer_in(pace->loop, &pace->tick, TICK);
	for (;;) {
		int64_t due = pace->slot * pace->fleet.step + pace->phases[pace->next];
		uint32_t device = pace->order[pace->next], files = FLEET_DEVICE;

		if (due > wall)
			return;
		if (wall - due > pace->behind)
			pace->behind = wall - due;
		fleet_poll(&pace->fleet, pace->writer, device, pace->slot);
		if ((device + 1) * FLEET_DEVICE > pace->fleet.files)
			files = pace->fleet.files - device * FLEET_DEVICE;
		pace->values += files * FLEET_DS;
		if (++pace->next == devices) {
			pace->next = 0;
			pace->slot++;
			if (pace->ending) {
				loop_stop(pace->loop);
				return;
			}
		}
	}
}

/* Only whole slots, so that every file has the same rows: with many files somebody's turn
 * always comes next, so the end is where a slot is. */
static void
the_end(void *arg)
{
	struct pace *pace = arg;

	pace->ending = true;
	if (pace->next == 0)
		loop_stop(pace->loop);
}

static void
ended_by_signal(int number, void *arg)
{
	(void)number;
	loop_timer_in(((struct pace *)arg)->loop, &((struct pace *)arg)->end, 0);
}

static const struct pace *sorted_by;
static int
by_phase(const void *a, const void *b)
{
	int64_t x = fleet_phase(&sorted_by->fleet, *(const uint32_t *)a);
	int64_t y = fleet_phase(&sorted_by->fleet, *(const uint32_t *)b);

	return x < y ? -1 : x > y;
}

static void
put_in_order(struct pace *pace)
{
	uint32_t devices = fleet_devices(&pace->fleet);

	pace->order = mem_array(devices, sizeof *pace->order);
	pace->phases = mem_array(devices, sizeof *pace->phases);
	for (uint32_t i = 0; i < devices; i++)
		pace->order[i] = i;
	sorted_by = pace;
	qsort(pace->order, devices, sizeof *pace->order, by_phase);
	for (uint32_t i = 0; i < devices; i++)
		pace->phases[i] = fleet_phase(&pace->fleet, pace->order[i]);
}

static int
sync_series(void *arg, struct fail *why)
{
	return series_sync(((struct pace *)arg)->fleet.catalogue, why);
}

static void
run(struct pace *pace)
{
	struct writer_options options = { .state_dir = pace->state };
	struct writer_events events = { .before_write = sync_series, .arg = pace };
	struct fail why;

	pace->loop = loop_new(&why);
	if (pace->loop == NULL)
		fleet_die("%s", why.text);
	pace->writer = writer_open(pace->loop, &options, &events, 1, &why);
	if (pace->writer == NULL)
		fleet_die("%s", why.text);
	put_in_order(pace);
	loop_timer_init(&pace->tick, poll_due, pace);
	loop_timer_init(&pace->report, report, pace);
	loop_timer_init(&pace->ask, ask_for_flush, pace);
	loop_timer_init(&pace->end, the_end, pace);
	loop_on_signal(pace->loop, SIGINT, ended_by_signal, pace);
	loop_on_signal(pace->loop, SIGTERM, ended_by_signal, pace);
	pace->first = pace->slot = loop_wall(pace->loop) / pace->fleet.step + 1;
	pace->start = pace->last = look(pace);
	loop_timer_in(pace->loop, &pace->tick, 0);
	loop_timer_in(pace->loop, &pace->ask, ASK);
	loop_timer_in(pace->loop, &pace->report, REPORT);
	loop_timer_in(pace->loop, &pace->end, pace->seconds * LOOP_S);
	loop_run(pace->loop);
}

/* ---- was it right? ---- */

/* How many of the last rows of a file are not what was polled. */
static unsigned
wrong_rows(const struct pace *pace, uint32_t file)
{
	int64_t seconds = pace->fleet.step / LOOP_S, last = pace->slot - 1;
	int64_t from = last - 20 < pace->first ? pace->first : last - 20;
	time_t start = (time_t)((from - 1) * seconds), end = (time_t)((last - 1) * seconds);
	unsigned long step = (unsigned long)seconds, count;
	rrd_value_t *data;
	char **names, name[100], path[800];
	unsigned wrong = 0;

	fleet_file(name, sizeof name, file);
	snprintf(path, sizeof path, "%s/%s", pace->rrd, name);
	if (rrd_fetch_r(path, "AVERAGE", &start, &end, &step, &count, &names, &data) != 0)
		return (unsigned)(last - from + 1);
	for (int64_t slot = from; slot <= last; slot++)
		for (unsigned ds = 0; ds < FLEET_DS; ds++) {
			double wanted = fleet_value(&pace->fleet, file, ds, slot);
			double is = data[(unsigned long)(slot - from) * count + ds];

			/* librrd's own reading of numbers is not exact. */
			if (!(fabs(is - wanted) <= fabs(wanted) * 1e-12)) {
				wrong++;
				break;
			}
		}
	for (unsigned long i = 0; i < count; i++)
		free(names[i]);
	free(names);
	free(data);
	return wrong;
}

static unsigned
read_back(const struct pace *pace)
{
	unsigned wrong = 0;

	for (uint32_t i = 0; i < CHECKED; i++)
		wrong += wrong_rows(pace, (uint32_t)((uint64_t)i * pace->fleet.files / CHECKED));
	return wrong;
}

static int
finish(struct pace *pace)
{
	struct reading reading = look(pace);
	struct store_health health = health_of(pace);
	double values = (double)(reading.values - pace->start.values);
	int64_t slots = pace->slot - pace->first;
	unsigned wrong;
	int status;

	if (!writer_close(pace->writer))
		pace->troubles++;
	printf("in all\n");
	say(pace, &pace->start, &reading, &health);
	printf("%.1f octets written a value; RSS at most %.0f MB; FLUSH of one file: %.0f ms, at most "
		"%.0f ms (%u asked); this program late by at most %.0f ms\n",
		(double)(reading.written - pace->start.written) / values,
		(double)(fleet_rss(pace->store) > pace->most_rss ? fleet_rss(pace->store) :
		pace->most_rss) / 1e6, pace->flushes > 0 ? pace->all_flush / pace->flushes * 1e3 : 0,
		pace->worst_flush * 1e3, pace->flushes, (double)pace->behind / 1e6);
	kill(pace->store, SIGTERM);
	if (waitpid(pace->store, &status, 0) != pace->store || status != 0) {
		printf("the store ended with status %d\n", status);
		pace->troubles++;
	}
	health = health_of(pace);
	wrong = read_back(pace);
	printf("%lld slots of %u files: %llu rows written, %llu given up, %llu errors, %llu pending at "
		"the end; %u wrong rows in %d files read back\n", (long long)slots,
		pace->fleet.files, (unsigned long long)health.updates,
		(unsigned long long)health.given_up, (unsigned long long)health.errors,
		(unsigned long long)health.rows, wrong, CHECKED);
	return wrong == 0 && pace->troubles == 0 && health.given_up == 0 && health.rows == 0 &&
			health.updates >= (uint64_t)slots * pace->fleet.files ? 0 : 1;
}

static void
read_options(struct pace *pace, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		int64_t number = strtoll(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--dir") == 0)
			pace->fleet.dir = argv[i + 1];
		else if (strcmp(argv[i], "--files") == 0)
			pace->fleet.files = (uint32_t)number;
		else if (strcmp(argv[i], "--interval") == 0)
			pace->fleet.step = number * LOOP_S;
		else if (strcmp(argv[i], "--seconds") == 0)
			pace->seconds = number;
		else if (strcmp(argv[i], "--flush") == 0)
			pace->flush = number * LOOP_S;
		else if (strcmp(argv[i], "--memory") == 0)
			pace->memory = number << 20;
		else if (strcmp(argv[i], "--profile") == 0)
			pace->fleet.profile = argv[i + 1];
		else if (strcmp(argv[i], "--make") == 0)
			pace->make = strcmp(argv[i + 1], "yes") == 0;
		else
			fleet_die("store_pace: %s: unknown option", argv[i]);
	}
	if (pace->fleet.dir == NULL || pace->fleet.files == 0 || pace->fleet.step <= 0 ||
		pace->seconds <= 0 || pace->flush <= 0)
		fleet_die("usage: store_pace --dir D --files F --interval S --seconds T --flush S "
			"--memory MB [--make yes]");
}

int
main(int argc, char **argv)
{
	struct pace pace = { .fleet = { .step = 60 * LOOP_S, .profile = "tiny", .files = 1000 },
		.seconds = 180, .flush = 300 * LOOP_S, .memory = INT64_C(256) << 20 };

	read_options(&pace, argc, argv);
	snprintf(pace.state, sizeof pace.state, "%s/state", pace.fleet.dir);
	snprintf(pace.rrd, sizeof pace.rrd, "%s/rrd", pace.fleet.dir);
	snprintf(pace.run, sizeof pace.run, "%s/run", pace.fleet.dir);
	fleet_make_folders(&pace.fleet);
	/* Before this process is large: the store's memory is then its own. */
	start_store(&pace);
	fleet_make(&pace.fleet);
	if (!pace.make)
		fleet_make_rrds(&pace.fleet, "rrd", pace.fleet.files, (int64_t)time(NULL) * LOOP_S / pace.fleet.step);
	run(&pace);
	return finish(&pace);
}

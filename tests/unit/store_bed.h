/* store_bed.h - a store as a process of its own, fed by a journal that a poller might have
 * written, and the RRD rows that have to come of it: FILES files of one data source. */
#ifndef PW_STORE_BED_H
#define PW_STORE_BED_H

#include <math.h>
#include <rrd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/writer.h"
#include "scratch.h"
#include "store/flush.h"
#include "store/store.h"

#define STEP (10 * LOOP_S)
#define FIRST INT64_C(150000000)
#define FILES 6

static struct series_catalogue *catalogue;
static const struct series *series[FILES];
static struct store_options options;
static char state_dir[300], rrd_dir[300], run_dir[300];
static uint64_t sequence;
static int64_t next_slot;
static int alive; /* our end; -1: closed already */
static pid_t child;

/* Folders below scratch, and a catalogue; state and run may be the same one. */
static inline void
begin_in(const char *state, const char *run)
{
	scratch_make();
	snprintf(state_dir, sizeof state_dir, "%s/%s", scratch, state);
	snprintf(run_dir, sizeof run_dir, "%s/%s", scratch, run);
	snprintf(rrd_dir, sizeof rrd_dir, "%s/rrd", scratch);
	mkdir(state_dir, 0700);
	mkdir(run_dir, 0700);
	CHECK(mkdir(rrd_dir, 0700) == 0);
	options = (struct store_options){ .state_dir = state_dir, .run_dir = run_dir,
		.rrd_dir = rrd_dir, .flush = 3600 * LOOP_S, .memory = 1 << 24 };
	catalogue = series_open(state_dir, true, NULL);
	for (int i = 0; i < FILES; i++) {
		struct series wanted = { .kind = POINT_GAUGE, .step = STEP, .unit = "", .ds = "v",
			.profile = "short" };
		char path[20], file[20];

		snprintf(path, sizeof path, "d%d/v", i);
		snprintf(file, sizeof file, "d%d/points.rrd", i);
		wanted.path = path;
		wanted.file = file;
		series[i] = series_add(catalogue, &wanted, NULL);
		CHECK(series[i] != NULL);
	}
	CHECK(series_sync(catalogue, NULL) == 0);
	sequence = 0;
	next_slot = 1;
}

static inline void
end(void)
{
	series_close(catalogue);
	scratch_remove();
}

static inline double
value_of(int file, int64_t slot)
{
	return slot % 7 == 3 ? (double)NAN : (double)(slot * 10 + file);
}

/* A poller's life: it starts, closes some slots and ends, all committed. */
static inline void
poll_slots(int count)
{
	struct writer_options writing = { .state_dir = state_dir, .segment_size = 30000 };
	static const struct writer_events events;
	struct loop *loop = loop_new(NULL);
	struct writer *writer = writer_open(loop, &writing, &events, sequence + 1, NULL);

	CHECK(writer != NULL);
	for (int64_t slot = next_slot; slot < next_slot + count; slot++) {
		for (int i = 0; i < FILES; i++) {
			struct sample sample = { .series = series[i], .slot = FIRST + slot,
				.value = value_of(i, slot) };

			sample.reason = isnan(sample.value) ? REASON_TIMEOUT : REASON_GOOD;
			CHECK(writer_sample(writer, &sample) > 0);
		}
		writer_flush(writer);
	}
	next_slot += count;
	sequence = writer_last_sequence(writer);
	CHECK(writer_close(writer));
	loop_free(loop);
}

static inline void
start_store(void)
{
	char path[400];
	int fds[2], listening;

	snprintf(path, sizeof path, "%s/" FLUSH_SOCKET, run_dir);
	CHECK(net_pair(fds, NULL) == 0);
	listening = net_unix_listen(path, 0600, NULL);
	CHECK(listening >= 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		close(fds[0]);
		log_open(LOG_TARGET_NONE, "store");
		_exit(store_main(&options, fds[1], listening));
	}
	close(fds[1]);
	close(listening);
	alive = fds[0];
}

/* What it ended with. */
static inline int
wait_for_end(void)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	if (alive != -1)
		close(alive);
	return status;
}

static inline double
fetch(int file, int64_t slot)
{
	time_t from = (time_t)((FIRST + slot - 1) * 10), to = from + 1;
	unsigned long step = 10, count;
	rrd_value_t *data;
	char **names;
	char path[400];
	double found;

	snprintf(path, sizeof path, "%s/%s", rrd_dir, series[file]->file);
	rrd_clear_error();
	if (rrd_fetch_r(path, "AVERAGE", &from, &to, &step, &count, &names, &data) != 0)
		return -2;
	found = data[0];
	for (unsigned long i = 0; i < count; i++)
		free(names[i]);
	free(names);
	free(data);
	return found;
}

/* Rows of the slots below upto that are not as the poller had them. */
static inline unsigned
wrong_rows(int file, int64_t upto)
{
	unsigned wrong = 0;

	for (int64_t slot = 1; slot < upto; slot++) {
		double is = fetch(file, slot), wanted = value_of(file, slot);

		if (isnan(wanted) ? isnan(is) : fabs(is - wanted) < 1e-9)
			continue;
		if (wrong++ == 0)
			print_message("file %d, slot %lld: %g, wanted %g\n", file, (long long)slot, is,
				wanted);
	}
	return wrong;
}

static inline unsigned
all_wrong_rows(int64_t upto)
{
	unsigned wrong = 0;

	for (int i = 0; i < FILES; i++)
		wrong += wrong_rows(i, upto);
	return wrong;
}
#endif

/* The store as a process of its own: its socket, its end, and kill -9. */
#include "../check.h"

#include <fcntl.h>
#include <math.h>
#include <rrd.h>
#include <signal.h>
#include <sys/wait.h>

#include "../scratch.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/whereabouts.h"
#include "journal/writer.h"
#include "store/flush.h"
#include "store/health.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "store/store.h"

#define STEP (10 * LOOP_S)
#define FIRST INT64_C(150000000)
#define FILES 6

static struct series_catalogue *catalogue;
static const struct series *series[FILES];
static struct store_options options;
static char rrd_dir[300];
static uint64_t sequence;
static int64_t next_slot;
static int alive; /* our end */
static pid_t child;

static void
begin(void)
{
	scratch_make();
	snprintf(rrd_dir, sizeof rrd_dir, "%s/rrd", scratch);
	CHECK(mkdir(rrd_dir, 0700) == 0);
	options = (struct store_options){ .state_dir = scratch, .run_dir = scratch,
		.rrd_dir = rrd_dir, .flush = 3600 * LOOP_S, .memory = 1 << 24 };
	catalogue = series_open(scratch, true, NULL);
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

static void
end(void)
{
	series_close(catalogue);
	scratch_remove();
}

static double
value_of(int file, int64_t slot)
{
	return slot % 7 == 3 ? (double)NAN : (double)(slot * 10 + file);
}

/* A poller's life: it starts, closes some slots and ends, all committed. */
static void
poll_slots(int count)
{
	struct writer_options writing = { .state_dir = scratch, .segment_size = 30000 };
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

static void
start_store(void)
{
	int fds[2], listening;

	CHECK(net_pair(fds, NULL) == 0);
	listening = net_unix_listen(scratch_path(FLUSH_SOCKET), 0600, NULL);
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

static int
wait_for_end(void)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child);
	if (alive != -1)
		close(alive);
	return status;
}

static double
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

static unsigned
wrong_rows(int file)
{
	unsigned wrong = 0;

	for (int64_t slot = 1; slot < next_slot; slot++) {
		double is = fetch(file, slot), wanted = value_of(file, slot);

		if (isnan(wanted) ? isnan(is) : fabs(is - wanted) < 1e-9)
			continue;
		if (wrong++ == 0)
			print_message("file %d, slot %lld: %g, wanted %g\n", file, (long long)slot, is,
				wanted);
	}
	return wrong;
}

static unsigned
all_wrong_rows(void)
{
	unsigned wrong = 0;

	for (int i = 0; i < FILES; i++)
		wrong += wrong_rows(i);
	return wrong;
}

static void
a_flush_writes_what_the_journal_holds_at_that_moment(void)
{
	struct fail why = { "" };

	begin();
	poll_slots(50);
	start_store();
	CHECK(store_flush_client(scratch, "d2/points.rrd", 10 * LOOP_S, &why) == 0);
	CHECK_INT(wrong_rows(2), 0);
	CHECK(fetch(3, 1) == -2);
	poll_slots(20);
	CHECK(store_flush_client(scratch, "d2/points.rrd", 10 * LOOP_S, &why) == 0);
	CHECK_INT(wrong_rows(2), 0);
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == 0);
	CHECK_INT(all_wrong_rows(), 0);
	CHECK(store_flush_client(scratch, "/etc/passwd", 10 * LOOP_S, &why) == -1);
	CHECK(strstr(why.text, "/etc/passwd: not below ") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK(store_flush_client(scratch, NULL, LOOP_S, &why) == -1);
	CHECK(strstr(why.text, "Connection refused") != NULL);
	end();
}

static void
a_store_that_does_not_answer_is_given_up_in_time(void)
{
	struct fail why = { "" };
	int listening;

	begin();
	listening = net_unix_listen(scratch_path(FLUSH_SOCKET), 0600, NULL);
	CHECK(store_flush_client(scratch, NULL, 50 * LOOP_MS, &why) == -1);
	CHECK(strstr(why.text, "no answer from the store within 50ms") != NULL);
	close(listening);
	end();
}

static void
sigterm_writes_everything_and_makes_a_checkpoint(void)
{
	struct store_health health;

	begin();
	poll_slots(300);
	start_store();
	CHECK(store_flush_client(scratch, "d0/points.rrd", 10 * LOOP_S, NULL) == 0);
	poll_slots(100);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK_INT(all_wrong_rows(), 0);
	CHECK(access(scratch_path("checkpoint"), R_OK) == 0);
	CHECK(store_health_read(scratch, &health, NULL) == 0);
	CHECK(!health.degraded && health.files == FILES && health.rows == 0 && health.time > 0);
	CHECK_INT(health.updates, FILES * 400);
	end();
}

static void
it_ends_with_its_supervisor_and_writes_everything_before(void)
{
	begin();
	poll_slots(100);
	start_store();
	CHECK(store_flush_client(scratch, "d0/points.rrd", 10 * LOOP_S, NULL) == 0);
	close(alive);
	alive = -1;
	CHECK_INT(wait_for_end(), 0);
	CHECK_INT(all_wrong_rows(), 0);
	end();
}

static void
kill_9_at_any_moment_loses_no_row_and_counts_none_twice(void)
{
	struct whereabouts page = { .code = { 0 } };
	struct fail why = { "" };
	int fd;

	begin();
	for (int round = 0; round < 25; round++) {
		poll_slots(60);
		start_store();
		/* The kill falls wherever the work has come to in that time. */
		store_flush_client(scratch, NULL, (1 + round % 5) * 2 * LOOP_MS, NULL);
		kill(child, SIGKILL);
		wait_for_end();
	}
	start_store();
	store_flush_client(scratch, NULL, 20 * LOOP_S, &why);
	CHECK_STR(why.text, "");
	fd = open(scratch_path("where"), O_RDONLY);
	CHECK(read(fd, &page, sizeof page) == (ssize_t)sizeof page);
	close(fd);
	print_message("%u of 25 kills fell inside an update\n",
		(unsigned)page.died[WHERE_STORE][WHERE_RRD_UPDATE]);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK_INT(all_wrong_rows(), 0);
	for (int i = 0; i < FILES; i++) {
		struct ledger_view *view = ledger_open_reader(scratch, NULL);
		struct tally tally = { { 0 } };

		ledger_tally(view, series[i], 0, INT64_MAX / 2, &tally);
		CHECK_INT(tally_expected(&tally), next_slot - 1);
		ledger_close_reader(view);
	}
	end();
}

static void
a_file_at_which_three_stores_died_is_left_alone(void)
{
	struct whereabouts page = { .code = { [WHERE_STORE] = WHERE_RRD_UPDATE },
		.file = "d1/points.rrd", .suspects = { { 2, "d1/points.rrd" } },
		.fault = { [WHERE_STORE] = SIGBUS } };
	struct fail why = { "" };
	FILE *file;

	begin();
	poll_slots(10);
	file = fopen(scratch_path("where"), "w");
	CHECK(fwrite(&page, sizeof page, 1, file) == 1);
	fclose(file);
	start_store();
	CHECK(store_flush_client(scratch, "d0/points.rrd", 10 * LOOP_S, &why) == 0);
	CHECK(store_flush_client(scratch, "d1/points.rrd", 10 * LOOP_S, &why) == -1);
	CHECK(strstr(why.text, "killed the store 3 times") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK_INT(wrong_rows(0), 0);
	end();
}

static void
a_state_folder_that_refuses_is_told_to_who_asks_and_the_store_stays(void)
{
	struct store_health health;
	struct fail why = { "" };
	FILE *file;

	begin();
	poll_slots(10);
	file = fopen(scratch_path("ledger"), "w"); /* where a folder should be */
	fclose(file);
	start_store();
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == -1);
	CHECK(strstr(why.text, "/ledger: Not a directory") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK(store_health_read(scratch, &health, NULL) == 0);
	CHECK(health.degraded && strstr(health.reason, "Not a directory") != NULL);
	CHECK(unlink(scratch_path("ledger")) == 0);
	start_store();
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == 0);
	CHECK_INT(all_wrong_rows(), 0);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	end();
}

RUN_TESTS(TEST(a_flush_writes_what_the_journal_holds_at_that_moment),
	TEST(a_store_that_does_not_answer_is_given_up_in_time),
	TEST(sigterm_writes_everything_and_makes_a_checkpoint),
	TEST(it_ends_with_its_supervisor_and_writes_everything_before),
	TEST(kill_9_at_any_moment_loses_no_row_and_counts_none_twice),
	TEST(a_file_at_which_three_stores_died_is_left_alone),
	TEST(a_state_folder_that_refuses_is_told_to_who_asks_and_the_store_stays))

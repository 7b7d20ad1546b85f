/* The store as a process of its own: its socket, its end, and kill -9. */
#include "../check.h"

#include <fcntl.h>
#include <signal.h>

#include "../store_bed.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/whereabouts.h"
#include "journal/writer.h"
#include "store/flush.h"
#include "store/health.h"
#include "store/keeper.h"
#include "store/ledger.h"
#include "store/ledger_view.h"
#include "store/service.h"
#include "store/store.h"

static void
begin(void)
{
	begin_in(".", ".");
}

static void
a_flush_writes_what_the_journal_holds_at_that_moment(void)
{
	struct fail why = { "" };

	begin();
	poll_slots(50);
	start_store();
	CHECK(store_flush_client(scratch, "d2/points.rrd", 10 * LOOP_S, &why) == 0);
	CHECK_INT(wrong_rows(2, next_slot), 0);
	CHECK(fetch(3, 1) == -2);
	poll_slots(20);
	CHECK(store_flush_client(scratch, "d2/points.rrd", 10 * LOOP_S, &why) == 0);
	CHECK_INT(wrong_rows(2, next_slot), 0);
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == 0);
	CHECK_INT(all_wrong_rows(next_slot), 0);
	CHECK(store_flush_client(scratch, "/etc/passwd", 10 * LOOP_S, &why) == 1);
	CHECK(strstr(why.text, "/etc/passwd: not below ") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK(store_flush_client(scratch, NULL, LOOP_S, &why) == -1);
	CHECK(strstr(why.text, "Connection refused") != NULL);
	end();
}

static unsigned refusals;

static void
count_refusal(const char *why, void *arg)
{
	(void)arg;
	CHECK(strstr(why, "not below ") != NULL);
	refusals++;
}

static void
many_files_are_flushed_over_one_connection_and_each_refusal_is_told(void)
{
	static char names[40][40];
	const char *files[44], broken[] = "d1/points.rrd\nFLUSHALL";
	struct fail why = { "" };
	size_t count = 0;

	begin();
	poll_slots(50);
	start_store();
	for (unsigned i = 0; i < 40; i++) {
		snprintf(names[i], sizeof names[i], "/elsewhere/%u.rrd", i);
		files[count++] = names[i];
		if (i % 10 == 9)
			files[count++] = i == 19 ? "d1/points.rrd" : "d2/points.rrd";
	}
	CHECK(store_flush_files(scratch, files, count, 10 * LOOP_S, count_refusal, NULL, &why) == 1);
	CHECK_INT(refusals, 40);
	CHECK(wrong_rows(1, next_slot) == 0 && wrong_rows(2, next_slot) == 0);
	CHECK(fetch(3, 1) == -2);
	CHECK(store_flush_files(scratch, files, 0, LOOP_S, count_refusal, NULL, &why) == 0);
	files[3] = broken;
	CHECK(store_flush_files(scratch, files, count, LOOP_S, count_refusal, NULL, &why) == -1);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
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
	CHECK_INT(all_wrong_rows(next_slot), 0);
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
	CHECK_INT(all_wrong_rows(next_slot), 0);
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
	CHECK_INT(all_wrong_rows(next_slot), 0);
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
	CHECK(store_flush_client(scratch, "d1/points.rrd", 10 * LOOP_S, &why) == 1);
	CHECK(strstr(why.text, "killed the store 3 times") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK_INT(wrong_rows(0, next_slot), 0);
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
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == 1);
	CHECK(strstr(why.text, "/ledger: Not a directory") != NULL);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	CHECK(store_health_read(scratch, &health, NULL) == 0);
	CHECK(health.degraded && strstr(health.reason, "Not a directory") != NULL);
	CHECK(unlink(scratch_path("ledger")) == 0);
	start_store();
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == 0);
	CHECK_INT(all_wrong_rows(next_slot), 0);
	kill(child, SIGTERM);
	CHECK_INT(wait_for_end(), 0);
	end();
}

/* ---- a store that is still reading ---- */

struct asker {
	struct loop *loop;
	struct net_stream *stream;
	char answer[300];
	size_t used;
};

static void
take_answer(const uint8_t *data, size_t size, int64_t mono, void *arg)
{
	struct asker *asker = arg;

	(void)mono;
	CHECK(size < sizeof asker->answer - asker->used);
	memcpy(asker->answer + asker->used, data, size);
	asker->used += size;
	loop_stop(asker->loop);
}

static void
lose_store(int error, void *arg)
{
	(void)error;
	(void)arg;
	CHECK(false);
}

static void
ask(struct asker *asker, struct loop *loop, const char *question)
{
	static const struct net_stream_events events = { .received = take_answer,
		.closed = lose_store };

	*asker = (struct asker){ .loop = loop };
	asker->stream = net_stream_connect_unix(loop, scratch_path(FLUSH_SOCKET), &events, asker, NULL);
	CHECK(asker->stream != NULL);
	net_stream_send(asker->stream, question, strlen(question));
}

/* One record a call. */
static int64_t
slow_clock(void *arg)
{
	return *(int64_t *)arg += 15 * LOOP_MS;
}

static struct keeper *
that_keeper(void *arg, struct fail *why)
{
	(void)why;
	return arg;
}

static void
stop_waiting(void *arg)
{
	loop_stop(arg);
}

/* Until somebody was answered, or nobody was. */
static void
run_for_a_while(struct loop *loop)
{
	struct loop_timer limit;

	loop_timer_init(&limit, stop_waiting, loop);
	loop_timer_in(loop, &limit, 5 * LOOP_MS);
	loop_run(loop);
	loop_timer_stop(loop, &limit);
}

static void
while_the_journal_is_read_others_are_answered_and_a_flush_when_it_is_read(void)
{
	struct asker flusher, other;
	struct service *service;
	struct keeper *keeper;
	struct loop *loop;
	int64_t now = 0;
	int turns = 0;

	begin();
	poll_slots(50);
	loop = loop_new(NULL);
	keeper = keeper_open(&options, NULL);
	keeper_now(keeper, LOOP_S, (FIRST + 1000) * STEP);
	keeper_clock(keeper, slow_clock, &now);
	service = service_new(&(struct service_options){ .loop = loop, .rrd_dir = rrd_dir,
		.keeper = that_keeper, .arg = keeper },
		net_unix_listen(scratch_path(FLUSH_SOCKET), 0600, NULL));
	ask(&flusher, loop, "FLUSH d2/points.rrd\nPENDING d2/points.rrd\nPING\nPENDING");
	ask(&other, loop, "PING\n");
	for (int i = 0; i < 5000 && other.used == 0; i++)
		run_for_a_while(loop);
	CHECK(strncmp(other.answer, "0 PONG\n", 7) == 0 && flusher.used == 0);
	for (; strstr(flusher.answer, "PONG\n") == NULL; turns++) {
		CHECK(turns < 5000);
		keeper_read(keeper, 1000);
		service_go_on(service);
		run_for_a_while(loop);
	}
	CHECK(turns > 3);
	CHECK_STR(flusher.answer, "0 Successfully flushed d2/points.rrd\n0 0 updates pending\n0 PONG\n");
	CHECK_INT(wrong_rows(2, next_slot), 0);
	net_stream_close(flusher.stream);
	net_stream_close(other.stream);
	service_free(service);
	keeper_close(keeper);
	loop_free(loop);
	end();
}

RUN_TESTS(TEST(while_the_journal_is_read_others_are_answered_and_a_flush_when_it_is_read),
	TEST(a_flush_writes_what_the_journal_holds_at_that_moment),
	TEST(many_files_are_flushed_over_one_connection_and_each_refusal_is_told),
	TEST(a_store_that_does_not_answer_is_given_up_in_time),
	TEST(sigterm_writes_everything_and_makes_a_checkpoint),
	TEST(it_ends_with_its_supervisor_and_writes_everything_before),
	TEST(kill_9_at_any_moment_loses_no_row_and_counts_none_twice),
	TEST(a_file_at_which_three_stores_died_is_left_alone),
	TEST(a_state_folder_that_refuses_is_told_to_who_asks_and_the_store_stays))

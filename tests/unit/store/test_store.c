/* The store as a process of its own: its socket, its end, and kill -9. */
#include "../check.h"

#include <fcntl.h>
#include <signal.h>

#include "../store_bed.h"
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
	CHECK(store_flush_client(scratch, "d1/points.rrd", 10 * LOOP_S, &why) == -1);
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
	CHECK(store_flush_client(scratch, NULL, 10 * LOOP_S, &why) == -1);
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

RUN_TESTS(TEST(a_flush_writes_what_the_journal_holds_at_that_moment),
	TEST(a_store_that_does_not_answer_is_given_up_in_time),
	TEST(sigterm_writes_everything_and_makes_a_checkpoint),
	TEST(it_ends_with_its_supervisor_and_writes_everything_before),
	TEST(kill_9_at_any_moment_loses_no_row_and_counts_none_twice),
	TEST(a_file_at_which_three_stores_died_is_left_alone),
	TEST(a_state_folder_that_refuses_is_told_to_who_asks_and_the_store_stays))

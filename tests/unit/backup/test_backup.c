/* Backups of a store that runs, is killed, or does not run; what is restored from them. */
#include "../check.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <rrd.h>
#include <signal.h>
#include <sys/wait.h>

#include "../store_bed.h"
#include "backup/backup.h"
#include "backup/copy.h"
#include "backup/manifest.h"
#include "backup/restore.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/net.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "journal/numbers.h"
#include "journal/writer.h"
#include "store/flush.h"
#include "store/layout.h"
#include "store/ledger_view.h"
#include "store/rrd.h"
#include "store/store.h"

static char backup_dir[300];

/* ---- a plant with a store ---- */

static void
begin(void)
{
	begin_in("state", "run");
	snprintf(backup_dir, sizeof backup_dir, "%s/backups/one", scratch);
}

static void
end_store(int number)
{
	int status;

	kill(child, number);
	CHECK(waitpid(child, &status, 0) == child);
	close(alive);
}

static void
check_sums(int64_t slots)
{
	struct ledger_view *view = ledger_open_reader(state_dir, NULL);

	CHECK(view != NULL);
	for (int i = 0; i < FILES; i++) {
		struct tally tally = { { 0 } };
		uint64_t good = 0;

		for (int64_t slot = 1; slot <= slots; slot++)
			good += !isnan(value_of(i, slot));
		ledger_tally(view, series[i], 0, INT64_MAX / 2, &tally);
		CHECK_INT(tally_expected(&tally), slots);
		CHECK_INT(tally_good(&tally), good);
	}
	ledger_close_reader(view);
}

/* ---- backup and restore ---- */

static void (*on_file)(uint64_t files); /* what happens while it copies */

static void
progress(void *arg, uint64_t files, uint64_t all_files, int64_t bytes, int64_t all_bytes)
{
	(void)arg;
	CHECK(all_files > 0 && all_bytes > 0 && bytes >= 0);
	if (on_file != NULL)
		on_file(files);
}

static int
take(struct backup_result *result, struct fail *why)
{
	static const char text[] = "poller: { };\n";
	static const struct backup_file config = { "/etc/pollwerk.conf", text, sizeof text - 1, 0640 };
	struct backup_options taking = { .store = &options, .poller = "test",
		.destination = backup_dir, .config = &config, .config_count = 1,
		.progress = progress };

	return backup_take(&taking, result, why);
}

static unsigned bad_lines;
static char last_bad[1200];

static void
note_bad(void *arg, const char *line)
{
	(void)arg;
	bad_lines++;
	snprintf(last_bad, sizeof last_bad, "%s", line);
}

static const struct restore_options restoring = { .source = backup_dir, .bad = note_bad };

static unsigned
verify(struct restore_info *info)
{
	struct fail why = { "" };

	bad_lines = 0;
	if (restore_verify(&restoring, info, &why) == -1) {
		note_bad(NULL, why.text);
		return bad_lines;
	}
	CHECK_INT(info->bad, bad_lines);
	if (bad_lines > 0)
		print_message("%s\n", last_bad);
	return bad_lines;
}

static int
put_back(bool force, uint32_t *next, struct fail *why)
{
	struct restore_places places = { state_dir, rrd_dir, run_dir, "", force };

	return restore_put(&restoring, &places, next, why);
}

/* As after a restore, a store starts and writes what the journal holds. */
static void
check_restored(int64_t slots)
{
	struct fail why = { "" };

	start_store();
	CHECK(store_flush_client(run_dir, NULL, 60 * LOOP_S, &why) == 0);
	end_store(SIGTERM);
	CHECK_INT(all_wrong_rows(slots + 1), 0);
	check_sums(slots);
}

static int64_t slots_at_backup;

/* The plant goes on while the RRD files are copied: the store has to write them meanwhile. */
static void
poll_and_flush(uint64_t files)
{
	struct fail why;

	if (files % 3 != 0 || files > 20)
		return;
	poll_slots(40);
	CHECK(store_flush_client(run_dir, NULL, 60 * LOOP_S, &why) == 0);
}

static void
a_running_store_is_copied_consistently(void)
{
	struct backup_result result;
	struct restore_info info;
	struct fail why = { "" };
	uint32_t next;

	begin();
	poll_slots(200);
	start_store();
	CHECK(store_flush_client(run_dir, NULL, 60 * LOOP_S, &why) == 0);
	on_file = poll_and_flush;
	CHECK(take(&result, &why) == 0);
	on_file = NULL;
	CHECK(result.running && result.attempts == 1 && result.rrd_files == FILES);
	CHECK_INT(verify(&info), 0);
	CHECK_INT(info.series, FILES);
	/* All files are listed and nothing is left of the work. */
	CHECK(access(scratch_path("backups/one.partial"), F_OK) == -1);
	CHECK(access(scratch_path("backups/one/UNFINISHED"), F_OK) == -1);
	CHECK(access(scratch_path("backups/one/config/etc/pollwerk.conf"), R_OK) == 0);
	slots_at_backup = (int64_t)(info.expected / FILES);
	CHECK(slots_at_backup >= 200 && slots_at_backup < next_slot);
	poll_slots(500);
	end_store(SIGKILL);
	CHECK(put_back(true, &next, &why) == 0);
	check_restored(slots_at_backup);
	end();
}

static void
without_a_daemon_what_a_killed_one_left_is_written_first(void)
{
	struct backup_result result;
	struct restore_info info;
	struct fail why = { "" };
	uint32_t next;

	begin();
	on_file = NULL;
	poll_slots(100);
	start_store();
	CHECK(store_flush_client(run_dir, NULL, 60 * LOOP_S, &why) == 0);
	poll_slots(100);
	store_flush_client(run_dir, NULL, 3 * LOOP_MS, &why);
	end_store(SIGKILL);
	CHECK(take(&result, &why) == 0);
	CHECK(!result.running);
	CHECK_INT(verify(&info), 0);
	CHECK_INT(info.expected, 200 * FILES);
	CHECK(put_back(true, &next, &why) == 0);
	check_restored(200);
	end();
}

static unsigned kills;

static void
kill_once(uint64_t files)
{
	if (files != 4 || kills++ > 0)
		return;
	end_store(SIGKILL);
	start_store();
}

static void
a_store_that_dies_meanwhile_makes_it_begin_anew(void)
{
	struct backup_result result;
	struct restore_info info;
	struct fail why = { "" };

	begin();
	poll_slots(300);
	start_store();
	CHECK(store_flush_client(run_dir, NULL, 60 * LOOP_S, &why) == 0);
	kills = 0;
	on_file = kill_once;
	CHECK(take(&result, &why) == 0 || (print_message("%s\n", why.text), false));
	on_file = NULL;
	CHECK(result.attempts == 2 && kills == 2);
	CHECK_INT(verify(&info), 0);
	CHECK_INT(info.expected, 300 * FILES);
	end_store(SIGTERM);
	end();
}

static void
what_an_interrupted_one_left_is_swept_and_nothing_else(void)
{
	struct backup_result result;
	struct fail why = { "" };

	begin();
	on_file = NULL;
	poll_slots(10);
	CHECK(mkdir(scratch_path("backups"), 0700) == 0);
	CHECK(mkdir(scratch_path("backups/one.partial"), 0700) == 0);
	CHECK(mkdir(scratch_path("backups/one.partial/mine"), 0700) == 0);
	CHECK(take(&result, &why) == -1);
	CHECK(strstr(why.text, "one.partial: is in the way, and no unfinished backup") != NULL);
	CHECK(close(open(scratch_path("backups/one.partial/UNFINISHED"), O_CREAT | O_WRONLY, 0600)) == 0);
	CHECK(take(&result, &why) == 0);
	CHECK(access(scratch_path("backups/one/mine"), F_OK) == -1);
	/* Killed when all was there but the name. */
	CHECK(rename(scratch_path("backups/one"), scratch_path("backups/one.partial")) == 0);
	CHECK(take(&result, &why) == 0);
	CHECK(take(&result, &why) == -1);
	CHECK(strstr(why.text, "is there already") != NULL);
	end();
}

/* ---- verify and restore ---- */

static void
break_byte(const char *name, long at)
{
	FILE *file = fopen(scratch_path(name), "r+");
	int byte;

	CHECK(file != NULL);
	fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
	byte = fgetc(file);
	fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
	fputc(byte ^ 1, file);
	CHECK(fclose(file) == 0);
}

static void
verify_names_what_is_bad(void)
{
	struct backup_result result;
	struct restore_info info;
	struct fail why = { "" };
	uint32_t next;

	begin();
	on_file = NULL;
	poll_slots(50);
	CHECK(take(&result, &why) == 0);
	CHECK_INT(verify(&info), 0);
	break_byte("backups/one/rrd/d3/points.rrd", -9);
	CHECK_INT(verify(&info), 1);
	CHECK(strstr(last_bad, "/rrd/d3/points.rrd: its checksum is another one") != NULL);
	CHECK(put_back(true, &next, &why) == -1);
	CHECK(strstr(why.text, "d3/points.rrd: its checksum is another one: nothing was put back") != NULL);
	CHECK_INT(all_wrong_rows(51), 0);
	break_byte("backups/one/rrd/d3/points.rrd", -9);
	CHECK(unlink(scratch_path("backups/one/state/series")) == 0);
	CHECK_INT(verify(&info), 2);
	CHECK(truncate(scratch_path("backups/one/" MANIFEST_FILE), 200) == 0);
	CHECK_INT(verify(&info), 1);
	end();
}

static void
restore_keeps_what_was_there_and_needs_to_be_told_to(void)
{
	struct backup_result result;
	struct fail why = { "" };
	uint32_t next = 0;
	int held;

	begin();
	on_file = NULL;
	poll_slots(50);
	CHECK(take(&result, &why) == 0);
	CHECK(put_back(false, &next, &why) == -1);
	CHECK(strstr(why.text, "/state: is not empty: --force renames it to ") != NULL);
	held = open(scratch_path("run/latest"), O_CREAT | O_WRONLY, 0600);
	CHECK(held != -1 && close(held) == 0);
	CHECK(put_back(true, &next, &why) == 0);
	CHECK(access(scratch_path("run/latest"), F_OK) == -1);
	CHECK(access(scratch_path("state.restoring"), F_OK) == -1);
	/* A second one is the same, beside nothing at all. */
	CHECK(copy_remove_tree(state_dir, NULL) == 0 && copy_remove_tree(rrd_dir, NULL) == 0);
	CHECK(put_back(false, &next, &why) == 0);
	check_restored(50);
	end();
}

/* ---- numbers ---- */

static void
write_alarm_numbers(uint32_t next_sequence, uint32_t next_id)
{
	struct writer_options writing = { .state_dir = state_dir };
	static const struct writer_events events;
	struct loop *loop = loop_new(NULL);
	struct writer *writer = writer_open(loop, &writing, &events, sequence + 1, NULL);
	struct record_buffer body = { 0 };

	record_put_u32(&body, next_sequence);
	record_put_u32(&body, next_id);
	CHECK(writer_record(writer, KIND_ALARM, body.bytes, body.used) > 0);
	sequence = writer_last_sequence(writer);
	CHECK(writer_close(writer));
	record_buffer_free(&body);
	loop_free(loop);
}

static void
no_number_of_a_notice_gets_a_second_content(void)
{
	struct backup_result result;
	struct numbers numbers;
	struct fail why = { "" };
	uint32_t next = 0;

	begin();
	on_file = NULL;
	poll_slots(10);
	write_alarm_numbers(41, 7);
	CHECK(take(&result, &why) == 0);
	/* Sent after the backup: known, as the old state is still there. */
	write_alarm_numbers(99, 12);
	CHECK(put_back(true, &next, &why) == 0);
	CHECK_INT(next, 100);
	CHECK(numbers_read(state_dir, NULL, &numbers, &why) == 0);
	CHECK_INT(numbers.next_sequence, 100);
	CHECK_INT(numbers.next_id, 13);
	/* Nobody knows what was sent: far ahead. */
	CHECK(copy_remove_tree(state_dir, NULL) == 0 && copy_remove_tree(rrd_dir, NULL) == 0);
	CHECK(put_back(false, &next, &why) == 0);
	CHECK_INT(next, 42 + NUMBERS_AHEAD);
	check_restored(10);
	end();
}

/* ---- pieces ---- */

static void
a_list_says_when_it_was_cut_off_and_leads_nowhere_else(void)
{
	static const char hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	struct manifest_list list;
	struct manifest *manifest;
	struct fail why;
	struct hash *empty;
	char text[MANIFEST_HASH];

	scratch_make();
	empty = hash_new();
	hash_begin(empty);
	CHECK_STR(hash_end(empty, text), hash);
	hash_free(empty);
	manifest = manifest_create(scratch, &why);
	CHECK(manifest_add(manifest, "state/b c", hash, &why) == 0);
	CHECK(manifest_add(manifest, "rrd/a", hash, &why) == 0);
	CHECK(manifest_add(manifest, "rrd/x\ny", hash, &why) == -1);
	manifest_free(manifest);
	CHECK(manifest_read(scratch, &list, &why) == -1);
	CHECK(strstr(why.text, "cut off") != NULL);
	manifest = manifest_create(scratch, &why);
	CHECK(manifest_add(manifest, "state/b c", hash, &why) == 0);
	CHECK(manifest_add(manifest, "rrd/a", hash, &why) == 0);
	CHECK(manifest_finish(manifest, &why) == 0);
	manifest_free(manifest);
	CHECK(manifest_read(scratch, &list, &why) == 0);
	CHECK_INT(list.count, 2);
	CHECK(manifest_find(&list, "state/b c") != NULL && manifest_find(&list, "a") == NULL);
	manifest_list_free(&list);
	manifest = manifest_create(scratch, &why);
	CHECK(manifest_add(manifest, "state/../../etc/x", hash, &why) == 0);
	CHECK(manifest_finish(manifest, &why) == 0);
	manifest_free(manifest);
	CHECK(manifest_read(scratch, &list, &why) == -1);
	scratch_remove();
}

static const char *const ds_names[] = { "a", "b" };

static void
write_without_end(const char *root)
{
	struct rrd_place place = { root, "f.rrd" };

	for (int64_t slot = 1;; slot++) {
		char rows[4][60];
		const char *list[4];

		for (int64_t i = 0; i < 4; i++) {
			int64_t at = slot * 4 + i;

			snprintf(rows[i], sizeof rows[i], "%lld:%lld:%lld", (long long)((FIRST + at) * 10),
				(long long)at, (long long)(2 * at));
			list[i] = rows[i];
		}
		rrd_file_update(place, "a:b", list, 4, NULL);
		poll(NULL, 0, (int)(slot % 4) * 5);
	}
}

/* Every row up to the last update is there, and none behind it. */
static unsigned
wrong_in_copy(const char *path, int64_t last)
{
	time_t from = (time_t)((FIRST + 4) * 10), to = (time_t)last - 1;
	unsigned long step = 10, count;
	rrd_value_t *data;
	unsigned wrong = 0;
	char **names;

	if (rrd_fetch_r(path, "AVERAGE", &from, &to, &step, &count, &names, &data) != 0)
		return 1000;
	for (int64_t at = from / 10 + 1 - FIRST; at <= last / 10 - FIRST; at++) {
		const rrd_value_t *row = data + 2 * (at + FIRST - from / 10 - 1);

		wrong += row[0] != (double)at || row[1] != 2.0 * (double)at;
	}
	for (unsigned long i = 0; i < count; i++)
		free(names[i]);
	free(names);
	free(data);
	return wrong;
}

static void
a_file_under_updates_is_copied_as_it_was_between_two(void)
{
	struct copy *copy = copy_new();
	struct rrd_shape shape;
	struct layout layout;
	struct fail why = { "" };
	unsigned repeats = 0;

	scratch_make();
	CHECK(layout_make(&layout, STEP, "short", NULL) == 0);
	CHECK(rrd_file_create((struct rrd_place){ scratch, "f.rrd" }, &layout, (FIRST + 4) * 10,
		ds_names, 2, &why) == RRD_DONE);
	child = fork();
	if (child == 0)
		write_without_end(scratch);
	for (int i = 0; i < 60; i++) {
		struct rrd_place place = { scratch, "copy.rrd" };
		struct copy_made made;

		CHECK(copy_rrd(copy, scratch, "f.rrd", scratch_path("copy.rrd"), &made, &why) ==
			COPY_DONE);
		repeats += made.repeats;
		CHECK(rrd_file_shape(place, &shape, &why) == RRD_DONE);
		free(shape.ds);
		if (shape.last / 10 - FIRST >= 8)
			CHECK_INT(wrong_in_copy(scratch_path("copy.rrd"), shape.last), 0);
	}
	print_message("60 copies, %u were begun anew\n", repeats);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	copy_free(copy);
	scratch_remove();
}

RUN_TESTS(TEST(a_running_store_is_copied_consistently),
	TEST(without_a_daemon_what_a_killed_one_left_is_written_first),
	TEST(a_store_that_dies_meanwhile_makes_it_begin_anew),
	TEST(what_an_interrupted_one_left_is_swept_and_nothing_else),
	TEST(verify_names_what_is_bad),
	TEST(restore_keeps_what_was_there_and_needs_to_be_told_to),
	TEST(no_number_of_a_notice_gets_a_second_content),
	TEST(a_list_says_when_it_was_cut_off_and_leads_nowhere_else),
	TEST(a_file_under_updates_is_copied_as_it_was_between_two))

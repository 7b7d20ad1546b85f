#include "../check.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "core/series.h"
#include "fake/shortage.h"

static char dir[64], file[128];
static struct fail why;

static void
begin(void)
{
	log_open(LOG_TARGET_NONE, "");
	strcpy(dir, "/tmp/pw-series-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	snprintf(file, sizeof file, "%s/series", dir);
}

static void
finish(void)
{
	unlink(file);
	rmdir(dir);
}

static struct series
wanted(const char *path)
{
	return (struct series){ .kind = POINT_GAUGE, .step = 60000000000, .path = path, .unit = "C",
		.file = "press-3/points.rrd", .ds = "oil_temp", .profile = "standard" };
}

static void
numbers_count_from_1_and_stay_over_a_restart(void)
{
	struct series a = wanted("press-3/oil_temp"), b = wanted("sw/if[ge-1/5 \"x\"]/oper");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK_INT(series_add(catalogue, &b, &why)->id, 2);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK(series_sync(catalogue, &why) == 0);
	series_close(catalogue);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 2);
	CHECK_STR(series_get(catalogue, 2)->path, "sw/if[ge-1/5 \"x\"]/oper");
	CHECK_INT(series_find(catalogue, "press-3/oil_temp")->id, 1);
	series_close(catalogue);
	finish();
}

static void
a_torn_last_line_is_cut_and_its_number_used_again(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;
	struct stat status;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	series_add(catalogue, &b, &why);
	series_close(catalogue);
	CHECK(stat(file, &status) == 0);
	CHECK(truncate(file, status.st_size - 3) == 0);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 1);
	CHECK_INT(series_add(catalogue, &c, &why)->id, 2);
	series_close(catalogue);
	finish();
}

static off_t
file_size(void)
{
	struct stat status;

	CHECK(stat(file, &status) == 0);
	return status.st_size;
}

static void
entries_that_the_disk_refuses_have_their_ids_and_wait_until_there_is_room(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x"), d = wanted("d/x");
	struct series_catalogue *catalogue, *reader;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	CHECK(series_sync(catalogue, &why) == 0);
	shortage_octets(file_size() + 10); /* a part of the next entry */
	CHECK_INT(series_add(catalogue, &b, &why)->id, 2);
	CHECK_INT(series_add(catalogue, &c, &why)->id, 3);
	/* No journal record may name them, and their paths are known all the same. */
	CHECK(series_sync(catalogue, &why) == -1);
	CHECK(strstr(why.text, "/series: No space left on device") != NULL);
	CHECK_STR(series_get(catalogue, 3)->path, "c/x");
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == -1);
	reader = series_open(dir, false, &why);
	CHECK_INT(series_last_id(reader), 1);
	shortage_octets(SHORTAGE_NONE);
	CHECK_INT(series_add(catalogue, &d, &why)->id, 4);
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == 0);
	CHECK(series_refresh(reader));
	CHECK_INT(series_last_id(reader), 4);
	CHECK_INT(series_find(reader, "b/x")->id, 2);
	CHECK_INT(series_find(reader, "d/x")->id, 4);
	series_close(reader);
	series_close(catalogue);
	finish();
}

static void
what_was_never_written_is_as_if_it_had_not_been_entered(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	shortage_octets(file_size() + 10);
	CHECK_INT(series_add(catalogue, &b, &why)->id, 2);
	series_close(catalogue);
	shortage_octets(SHORTAGE_NONE);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 1);
	CHECK_INT(series_add(catalogue, &c, &why)->id, 2);
	CHECK(series_sync(catalogue, &why) == 0);
	series_close(catalogue);
	finish();
}

static int syncs, syncs_to_fail;
static off_t again_from, again_to; /* what was written once more, in one piece */

/* These two stand before the library's. One that failed has left the pages clean, as on Linux. */
int
fdatasync(int fd)
{
	syncs++;
	if (syncs_to_fail == 0)
		return (int)syscall(SYS_fdatasync, fd);
	syncs_to_fail--;
	again_from = again_to = 0;
	errno = EIO;
	return -1;
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	if (again_to == 0)
		again_from = again_to = at;
	CHECK(at == again_to);
	again_to += (off_t)size;
	return syscall(SYS_pwrite64, fd, bytes, size, at);
}

static int writes;

ssize_t
write(int fd, const void *bytes, size_t size)
{
	writes++;
	return syscall(SYS_write, fd, bytes, size);
}

static void
what_cannot_be_read_is_not_cut_off_and_not_passed_by(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x");
	struct series_catalogue *catalogue;
	off_t whole;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	series_add(catalogue, &b, &why);
	series_close(catalogue);
	whole = file_size();
	shortage_reads(file);
	CHECK(series_open(dir, true, &why) == NULL);
	CHECK(strstr(why.text, "/series: Input/output error") != NULL);
	catalogue = series_open_unread(dir, &why);
	why.text[0] = '\0';
	CHECK(series_read_on(catalogue, &why) == -1);
	CHECK(strstr(why.text, "/series: Input/output error") != NULL);
	shortage_reads(NULL);
	CHECK_INT(file_size(), whole);
	CHECK(series_read_on(catalogue, &why) == 0);
	CHECK_INT(series_last_id(catalogue), 2);
	series_close(catalogue);
	finish();
}

static void
what_a_writer_that_was_killed_had_not_synced_is_synced_by_the_next_one(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	CHECK(series_add(catalogue, &a, &why) != NULL);
	series_close(catalogue); /* as a kill does: nothing is synced */
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	syncs = 0;
	/* A record that names it is about to be written. */
	CHECK(series_sync(catalogue, &why) == 0 && syncs == 1);
	CHECK(series_sync(catalogue, &why) == 0 && syncs == 1);
	series_close(catalogue);
	finish();
}

static void
what_a_failed_sync_was_about_is_written_again_before_the_next_one_is_believed(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue, *reader;
	off_t safe, doubtful;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	CHECK(series_sync(catalogue, &why) == 0);
	safe = file_size();
	series_add(catalogue, &b, &why);
	doubtful = file_size();
	syncs_to_fail = 3;
	CHECK(series_sync(catalogue, &why) == -1);
	CHECK(strstr(why.text, "/series: Input/output error") != NULL);
	/* What is written to its place may be refused as well. */
	CHECK(series_sync(catalogue, &why) == -1);
	CHECK(series_sync(catalogue, &why) == -1);
	CHECK(series_sync(catalogue, &why) == 0);
	CHECK_INT(again_from, safe);
	CHECK_INT(again_to, doubtful);
	CHECK_INT(file_size(), doubtful);
	series_add(catalogue, &c, &why);
	CHECK(series_sync(catalogue, &why) == 0);
	CHECK_INT(again_to, doubtful);
	reader = series_open(dir, false, &why);
	CHECK_INT(series_find(reader, "c/x")->id, 3);
	series_close(reader);
	series_close(catalogue);
	finish();
}

static void
what_a_former_writer_left_is_written_again_after_a_failed_sync(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	series_close(catalogue);
	catalogue = series_open(dir, true, &why);
	syncs_to_fail = 1;
	CHECK(series_sync(catalogue, &why) == -1);
	series_add(catalogue, &b, &why);
	CHECK(series_sync(catalogue, &why) == 0);
	CHECK_INT(again_from, 0);
	CHECK_INT(again_to, file_size());
	series_close(catalogue);
	finish();
}

/* As some file systems do: what could not be written is gone from memory as well. */
static void
lose_from(off_t from)
{
	off_t size = file_size();

	CHECK(truncate(file, from) == 0);
	CHECK(truncate(file, size) == 0);
}

static void
entries_before_one_that_waits_are_known_to_be_on_disk(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	series_close(catalogue);
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_synced(catalogue), 0);
	series_add(catalogue, &b, &why);
	shortage_octets(file_size() + 10);
	series_add(catalogue, &c, &why);
	syncs_to_fail = 1;
	CHECK(series_sync(catalogue, &why) == -1 && series_synced(catalogue) == 0);
	/* That is in doubt until all that is in doubt can be looked at. */
	CHECK(series_sync(catalogue, &why) == -1 && series_synced(catalogue) == 0);
	shortage_octets(SHORTAGE_NONE);
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 3);
	series_close(catalogue);
	finish();
}

static void
while_entries_wait_what_stands_before_them_is_synced(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	shortage_octets(file_size() + 10);
	series_add(catalogue, &b, &why);
	syncs = 0;
	CHECK(series_sync(catalogue, &why) == -1);
	CHECK(syncs == 1 && series_synced(catalogue) == 1);
	shortage_octets(SHORTAGE_NONE);
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 2);
	series_close(catalogue);
	finish();
}

static void
while_a_change_of_an_entry_waits_none_is_called_known(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 1);
	shortage_octets(file_size() + 10);
	a.unit = "bar";
	series_add(catalogue, &a, &why);
	CHECK(series_sync(catalogue, &why) == -1 && series_synced(catalogue) == 0);
	shortage_octets(SHORTAGE_NONE);
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 1);
	series_close(catalogue);
	finish();
}

static void
entries_that_come_together_are_one_write(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	writes = 0;
	series_gather(catalogue);
	a.unit = "bar";
	CHECK_INT(series_enter(catalogue, &b, &why), 2);
	CHECK_INT(series_enter(catalogue, &c, &why), 3);
	CHECK_INT(series_enter(catalogue, &a, &why), 1);
	CHECK_INT(writes, 0);
	/* A commit that was under way. */
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 1);
	series_written(catalogue);
	CHECK_INT(writes, 1);
	CHECK_INT(series_synced(catalogue), 0);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 3);
	series_close(catalogue);
	catalogue = series_open(dir, false, &why);
	CHECK_INT(series_last_id(catalogue), 3);
	CHECK_STR(series_get(catalogue, 1)->unit, "bar");
	series_close(catalogue);
	finish();
}

static void
entries_that_come_together_wait_in_order_while_the_disk_refuses(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x"), d = wanted("d/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	shortage_octets(file_size() + 10);
	series_gather(catalogue);
	series_add(catalogue, &b, &why);
	series_add(catalogue, &c, &why);
	series_written(catalogue);
	CHECK(series_sync(catalogue, &why) == -1 && series_synced(catalogue) == 1);
	shortage_octets(SHORTAGE_NONE);
	series_gather(catalogue);
	series_add(catalogue, &d, &why);
	series_written(catalogue);
	CHECK(series_sync(catalogue, &why) == -1 && series_synced(catalogue) == 1);
	series_settle(catalogue);
	CHECK(series_sync(catalogue, &why) == 0 && series_synced(catalogue) == 4);
	series_close(catalogue);
	catalogue = series_open(dir, false, &why);
	CHECK_INT(series_last_id(catalogue), 4);
	CHECK_STR(series_get(catalogue, 4)->path, "d/x");
	series_close(catalogue);
	finish();
}

static void
what_the_disk_lost_is_never_called_synced(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x"), c = wanted("c/x");
	struct series_catalogue *catalogue;
	off_t safe;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	CHECK(series_sync(catalogue, &why) == 0);
	safe = file_size();
	series_add(catalogue, &b, &why);
	syncs_to_fail = 1;
	CHECK(series_sync(catalogue, &why) == -1);
	lose_from(safe);
	series_add(catalogue, &c, &why);
	for (int i = 0; i < 3; i++)
		CHECK(series_sync(catalogue, &why) == -1);
	CHECK(strstr(why.text, "the disk lost what was written behind octet") != NULL);
	series_close(catalogue);
	/* No record names what was never synced, so its number is free. */
	catalogue = series_open(dir, true, &why);
	CHECK_INT(series_last_id(catalogue), 1);
	CHECK(series_sync(catalogue, &why) == 0);
	series_close(catalogue);
	finish();
}

static void
a_reader_takes_up_what_is_written_later(void)
{
	struct series a = wanted("a/x"), b = wanted("b/x");
	struct series_catalogue *writer, *reader;

	begin();
	writer = series_open(dir, true, &why);
	series_add(writer, &a, &why);
	reader = series_open(dir, false, &why);
	CHECK_INT(series_last_id(reader), 1);
	series_add(writer, &b, &why);
	CHECK(series_refresh(reader));
	CHECK_INT(series_find(reader, "b/x")->id, 2);
	CHECK(!series_refresh(reader));
	series_close(reader);
	series_close(writer);
	finish();
}

static void
another_step_for_a_stored_point_is_refused_and_another_unit_is_not(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	a.unit = "K";
	CHECK_INT(series_add(catalogue, &a, &why)->id, 1);
	CHECK_STR(series_get(catalogue, 1)->unit, "K");
	a.step = 5000000000;
	CHECK(series_add(catalogue, &a, &why) == NULL);
	CHECK(strstr(why.text, "needs a migration") != NULL);
	series_close(catalogue);
	finish();
}

static void
a_moved_point_begins_a_new_id_when_its_step_changes_and_only_then(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue, *reader;

	begin();
	catalogue = series_open(dir, true, &why);
	series_add(catalogue, &a, &why);
	reader = series_open(dir, false, &why);
	a.file = "a/points@10s.rrd";
	CHECK_INT(series_move(catalogue, &a, &why)->id, 1);
	CHECK_INT(series_move(catalogue, &a, &why)->id, 1);
	a.step = 5000000000;
	CHECK_INT(series_move(catalogue, &a, &why)->id, 2);
	CHECK_INT(series_move(catalogue, &a, &why)->id, 2);
	CHECK_INT(series_add(catalogue, &a, &why)->id, 2);
	series_refresh(reader);
	for (int i = 0; i < 2; i++) {
		const struct series_catalogue *both[] = { catalogue, reader };

		CHECK_INT(series_last_id(both[i]), 2);
		CHECK_STR(series_get(both[i], 1)->file, "");
		CHECK_STR(series_get(both[i], 1)->path, "a/x");
		CHECK(series_get(both[i], 1)->step != 5000000000);
		CHECK_STR(series_get(both[i], 2)->file, "a/points@10s.rrd");
		CHECK(series_find(both[i], "a/x") == series_get(both[i], 2));
		CHECK(series_is_current(both[i], series_get(both[i], 2)));
		CHECK(!series_is_current(both[i], series_get(both[i], 1)));
	}
	series_close(reader);
	series_close(catalogue);
	finish();
}

static void
what_is_held_of_an_entry_changes_with_it(void)
{
	struct series a = wanted("a/x");
	struct series_catalogue *catalogue;
	const struct series *held;

	begin();
	catalogue = series_open(dir, true, &why);
	held = series_add(catalogue, &a, &why);
	a.unit = "K";
	CHECK(series_add(catalogue, &a, &why) == held);
	CHECK_STR(held->unit, "K");
	a.file = "a/a_longer_name_than_before.rrd";
	CHECK(series_move(catalogue, &a, &why) == held);
	CHECK_STR(held->file, a.file);
	a.step = 5000000000;
	CHECK(series_move(catalogue, &a, &why) != held);
	CHECK_STR(held->file, "");
	CHECK_STR(held->ds, "");
	CHECK_STR(held->path, "a/x");
	CHECK_STR(held->unit, "K");
	series_close(catalogue);
	finish();
}

/* Devices with scalars of two files, rows, texts without a file, points whose names are short,
 * long and longer than that, one without a device: what a plant's entries have in common, and
 * have not. */
static const char *const points[] = { "up", "oil_temp", "a_name_of_thirty_one_characters",
	"a_name_that_has_thirty_two_chars", "this_one_is_longer_than_what_is_copied_at_once" };

static struct series
made(uint32_t n, char path[200], char rrd[200])
{
	unsigned device = n / 40, row = n / 5 % 8;
	const char *point = points[n % 5];
	bool text = n % 7 == 3;

	if (n % 40 < 10) {
		snprintf(path, 200, "sw-%u/%s%s", device, row == 0 ? "" : "more_", point);
		snprintf(rrd, 200, "sw-%u/%s.rrd", device, row == 0 ? "device" : "points");
	} else {
		snprintf(path, 200, "sw-%u/if[ge-%u/%u]/%s", device, device % 3, row, point);
		snprintf(rrd, 200, "sw-%u/if/ge-%u%%2F%u.rrd", device, device % 3, row);
	}
	if (n == 1234)
		strcpy(path, "alone");
	return (struct series){ .id = n + 1, .kind = text ? POINT_TEXT : POINT_GAUGE, .path = path,
		.step = (n % 3 + 1) * INT64_C(1000000000), .unit = n % 2 == 0 ? "C" : "",
		.file = text ? "" : rrd, .ds = text ? "" : point, .profile = "standard" };
}

static void
check_made(const struct series *series, uint32_t n)
{
	char path[200], rrd[200];
	struct series is = made(n, path, rrd);

	CHECK_INT(series->id, is.id);
	CHECK_INT(series->kind, is.kind);
	CHECK_INT(series->step, is.step);
	CHECK_STR(series->path, is.path);
	CHECK_STR(series->unit, is.unit);
	CHECK_STR(series->file, is.file);
	CHECK_STR(series->ds, is.ds);
	CHECK_STR(series->profile, is.profile);
}

static void
what_is_lent_is_what_is_kept_and_what_was_added(void)
{
	enum { COUNT = 5000 };
	struct series_catalogue *catalogue;

	begin();
	catalogue = series_open(dir, true, &why);
	for (uint32_t n = 0; n < COUNT; n++) {
		char path[200], rrd[200];
		struct series is = made(n, path, rrd);

		CHECK_INT(series_enter(catalogue, &is, &why), n + 1);
	}
	CHECK(series_show(catalogue, 0) == NULL);
	CHECK(series_show(catalogue, COUNT + 1) == NULL);
	for (int again = 0; again < 2; again++) {
		/* In the order in which they are polled, and in one that is none. */
		for (uint32_t n = 0; n < COUNT; n++)
			check_made(series_show(catalogue, n + 1), n);
		for (uint32_t i = 0; i < COUNT; i++) {
			uint32_t n = i * 2741 % COUNT;
			char path[200], rrd[200];
			struct series is = made(n, path, rrd);

			check_made(series_show(catalogue, n + 1), n);
			check_made(series_find(catalogue, is.path), n);
			check_made(series_get(catalogue, n + 1), n);
			CHECK_INT(series_enter(catalogue, &is, &why), n + 1);
		}
		CHECK(series_find(catalogue, "sw-1/oil_tem") == NULL);
		CHECK(series_find(catalogue, "sw-1/") == NULL);
		CHECK(series_find(catalogue, "") == NULL);
		CHECK_INT(series_last_id(catalogue), COUNT);
		series_close(catalogue);
		catalogue = series_open(dir, again == 0, &why);
	}
	series_close(catalogue);
	finish();
}

/* A run of entries has at most 64; these are changed one by one, and some by a migration. */
static void
one_of_many_changes_and_its_neighbours_do_not(void)
{
	enum { DEVICES = 5, POINTS = 150 };
	struct series_catalogue *catalogue, *reader;
	char path[64], rrd[64], ds[20];

	begin();
	catalogue = series_open(dir, true, &why);
	for (uint32_t n = 0; n < DEVICES * POINTS; n++) {
		struct series is = wanted(path);

		snprintf(path, sizeof path, "d%u/p%u", n / POINTS, n % POINTS);
		snprintf(rrd, sizeof rrd, "d%u/points.rrd", n / POINTS);
		snprintf(ds, sizeof ds, "p%u", n % POINTS);
		is.file = rrd;
		is.ds = ds;
		CHECK_INT(series_enter(catalogue, &is, &why), n + 1);
	}
	reader = series_open(dir, false, &why);
	for (uint32_t n = 0; n < DEVICES * POINTS; n++) {
		struct series is = *series_get(catalogue, n + 1);

		is.unit = n % 3 == 0 ? "K" : "C";
		is.file = n % 5 == 0 ? "elsewhere/all.rrd" : is.file;
		CHECK_INT(series_move(catalogue, &is, &why)->id, n + 1);
	}
	series_refresh(reader);
	for (int i = 0; i < 3; i++) {
		for (uint32_t n = 0; n < DEVICES * POINTS; n++) {
			const struct series *is = series_show(reader, n + 1);

			snprintf(path, sizeof path, "d%u/p%u", n / POINTS, n % POINTS);
			snprintf(rrd, sizeof rrd, "d%u/points.rrd", n / POINTS);
			CHECK_STR(is->path, path);
			CHECK_STR(is->file, n % 5 == 0 ? "elsewhere/all.rrd" : rrd);
			CHECK_STR(is->unit, n % 3 == 0 ? "K" : "C");
			CHECK_INT(series_find(reader, path)->id, n + 1);
		}
		series_close(reader);
		reader = series_open(dir, i == 1, &why);
	}
	series_close(reader);
	series_close(catalogue);
	finish();
}

/* All in one device, so that former and later ids of a path stand next to one another. */
static void
of_several_ids_of_a_path_the_newest_has_it(void)
{
	struct series_catalogue *catalogue;
	struct series is = wanted("");
	char path[64];

	begin();
	catalogue = series_open(dir, true, &why);
	for (uint32_t n = 0; n < 300; n++) {
		snprintf(path, sizeof path, "press-3/p%u", n % 20);
		is.path = path;
		is.step = (1 + n / 20) * INT64_C(1000000000);
		CHECK_INT(series_move(catalogue, &is, &why)->id, n + 1);
	}
	for (int again = 0; again < 2; again++) {
		for (uint32_t n = 0; n < 300; n++) {
			const struct series *series = series_get(catalogue, n + 1);

			CHECK_INT(series_is_current(catalogue, series), n >= 280);
			CHECK_INT(series->step, (1 + n / 20) * INT64_C(1000000000));
			CHECK_STR(series->file, n >= 280 ? "press-3/points.rrd" : "");
		}
		CHECK_INT(series_find(catalogue, "press-3/p7")->id, 288);
		series_close(catalogue);
		catalogue = series_open(dir, true, &why);
	}
	series_close(catalogue);
	finish();
}

static void
files_and_sources_have_names_that_librrd_and_a_shell_take(void)
{
	char text[300];

	series_file(text, sizeof text, "sw", "if", "ge-1/5", "if-mib", "");
	CHECK_STR(text, "sw/if/ge-1%2F5.rrd");
	series_file(text, sizeof text, "press-3", NULL, NULL, "points", "@5s");
	CHECK_STR(text, "press-3/points@5s.rrd");
	series_ds(text, sizeof text, "oil_temp");
	CHECK_STR(text, "oil_temp");
	series_ds(text, sizeof text, "a_very_long_name_of_a_point");
	CHECK_INT(strlen(text), 19);
}

RUN_TESTS(TEST(numbers_count_from_1_and_stay_over_a_restart),
	TEST(a_torn_last_line_is_cut_and_its_number_used_again),
	TEST(entries_that_the_disk_refuses_have_their_ids_and_wait_until_there_is_room),
	TEST(what_was_never_written_is_as_if_it_had_not_been_entered),
	TEST(what_cannot_be_read_is_not_cut_off_and_not_passed_by),
	TEST(what_a_writer_that_was_killed_had_not_synced_is_synced_by_the_next_one),
	TEST(what_a_failed_sync_was_about_is_written_again_before_the_next_one_is_believed),
	TEST(what_a_former_writer_left_is_written_again_after_a_failed_sync),
	TEST(entries_before_one_that_waits_are_known_to_be_on_disk),
	TEST(while_entries_wait_what_stands_before_them_is_synced),
	TEST(while_a_change_of_an_entry_waits_none_is_called_known),
	TEST(entries_that_come_together_are_one_write),
	TEST(entries_that_come_together_wait_in_order_while_the_disk_refuses),
	TEST(what_the_disk_lost_is_never_called_synced),
	TEST(a_reader_takes_up_what_is_written_later),
	TEST(another_step_for_a_stored_point_is_refused_and_another_unit_is_not),
	TEST(a_moved_point_begins_a_new_id_when_its_step_changes_and_only_then),
	TEST(what_is_held_of_an_entry_changes_with_it),
	TEST(what_is_lent_is_what_is_kept_and_what_was_added),
	TEST(one_of_many_changes_and_its_neighbours_do_not),
	TEST(of_several_ids_of_a_path_the_newest_has_it),
	TEST(files_and_sources_have_names_that_librrd_and_a_shell_take))

/* Files and rows by our own hand and by librrd's: the same octets. */
#include "../check.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rrd.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/mem.h"
#include "store/append.h"
#include "store/layout.h"
#include "store/offsets.h"
#include "store/rrd.h"
#include "store/sheet.h"

#define DS_MOST 12
#define ROWS_MOST 100
#define FIRST INT64_C(1700000)

static uint64_t seed;
static double values[ROWS_MOST * DS_MOST];
static char texts[ROWS_MOST][30 + 40 * DS_MOST];
static const char *rows[ROWS_MOST];
static struct append *append;
static struct layout layout;
static size_t ds_count;
static struct rrd_place ours, theirs;
static struct rrd_head before;

static uint64_t
draw(uint64_t below)
{
	dice_next(&seed);
	return (seed >> 16 ^ seed << 40) % below;
}

/* What librrd reads from its text without an error in the last bit, as a double's own digits are
 * rounded twice there: whole numbers and eighths. */
static double
draw_value(void)
{
	double eighths = (double)draw(UINT64_C(1) << draw(40)) / 8;

	switch (draw(8)) {
	case 0:
		return (double)NAN;
	case 1:
		return 0;
	case 2:
		return -eighths;
	case 3:
		return (double)draw(UINT64_C(1) << 49);
	case 4:
		return -0.0;
	default:
		return eighths;
	}
}

/* All unknown, often for several rows. */
static void
draw_rows(size_t count)
{
	bool silent = draw(4) == 0;

	for (size_t row = 0; row < count; row++) {
		if (draw(5) == 0)
			silent = draw(2) == 0;
		for (size_t ds = 0; ds < ds_count; ds++)
			values[row * ds_count + ds] = silent ? (double)NAN : draw_value();
	}
}

static void
make_texts(size_t count, int64_t slot)
{
	for (size_t row = 0; row < count; row++) {
		char *to = texts[row];

		to += sprintf(to, "%lld", (long long)((slot + (int64_t)row) * layout.step));
		for (size_t ds = 0; ds < ds_count; ds++) {
			double value = values[row * ds_count + ds];

			*to++ = ':';
			if (isnan(value))
				to += sprintf(to, "U");
			else
				to += sheet_number(to, value);
		}
		rows[row] = texts[row];
	}
}

static uint8_t *
read_all(struct rrd_place place, size_t *size)
{
	uint8_t *bytes;
	struct stat info;
	FILE *file = fopen(scratch_path(place.file), "r");

	CHECK(file != NULL && fstat(fileno(file), &info) == 0);
	bytes = mem_array((size_t)info.st_size, 1);
	*size = fread(bytes, 1, (size_t)info.st_size, file);
	CHECK(*size == (size_t)info.st_size);
	fclose(file);
	return bytes;
}

static void
check_same(void)
{
	size_t size, other;
	uint8_t *a = read_all(ours, &size), *b = read_all(theirs, &other);

	CHECK_INT(size, other);
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i]) {
			print_error("octet %zu of %zu: %02x, librrd's is %02x\n", i, size, a[i], b[i]);
			fail();
		}
	free(a);
	free(b);
}

static void
make_both(void)
{
	const char *names[DS_MOST];
	char texts_of[DS_MOST][RRD_DS_NAME + 4];
	struct fail why;
	size_t size;
	uint8_t *bytes;
	FILE *file;

	scratch_make();
	ours = (struct rrd_place){ scratch, "ours.rrd" };
	theirs = (struct rrd_place){ scratch, "theirs.rrd" };
	for (size_t ds = 0; ds < ds_count; ds++) {
		snprintf(texts_of[ds], sizeof texts_of[ds], "d%zu", ds);
		names[ds] = texts_of[ds];
	}
	CHECK(rrd_file_create(theirs, &layout, FIRST * layout.step, names, ds_count, &why) == RRD_DONE);
	/* librrd begins its rings anywhere. */
	bytes = read_all(theirs, &size);
	file = fopen(scratch_path(ours.file), "w");
	CHECK(file != NULL && fwrite(bytes, 1, size, file) == size);
	fclose(file);
	free(bytes);
}

static void
draw_layout(void)
{
	static const char *const functions[] = { "AVERAGE", "MIN", "MAX", "LAST" };
	static const int64_t steps[] = { 1, 2, 5, 7, 10, 60, 300, 3600, 86400 };

	layout = (struct layout){ .step = steps[draw(9)], .count = 1 + (int)draw(8) };
	for (int i = 0; i < layout.count; i++)
		layout.rra[i] = (struct layout_rra){ functions[draw(4)], 1 + (int64_t)draw(draw(2) ? 2 : 40),
			1 + (int64_t)draw(60) };
	ds_count = 1 + draw(DS_MOST);
}

static int
make_ready(void)
{
	struct rrd_head head;
	struct fail why;
	int fd = rrd_file_ready(ours, 10, &head, &why);

	CHECK(fd != -1);
	free(head.bytes);
	return fd;
}

/* Made ready, sometimes; or it was, and then somebody else wrote a row. */
static int
draw_ready(int64_t *slot)
{
	int fd = draw(3) == 0 ? -1 : make_ready();
	struct fail why;

	if (draw(2) == 0) {
		draw_rows(1);
		make_texts(1, (*slot)++);
		CHECK(rrd_file_update(ours, NULL, rows, 1, &why) == RRD_DONE);
		CHECK(rrd_file_update(theirs, NULL, rows, 1, &why) == RRD_DONE);
	}
	return fd;
}

/* Both get the same rows; the other one's sometimes come to us by librrd, too. */
static int64_t
add_rows(int64_t slot)
{
	int fd = draw_ready(&slot);
	size_t count = 1 + draw(draw(2) ? 5 : ROWS_MOST);
	struct append_rows batch = { values, count, ds_count, slot };
	struct fail why;
	bool done = false;

	draw_rows(count);
	if (draw(6) == 0) {
		/* A gap, which is librrd's. */
		slot += 1 + (int64_t)draw(draw(2) ? 3 : 500);
		batch.slot = slot;
		CHECK(rrd_file_append(ours, append, &batch, fd, &done, &before, &why) == RRD_DONE);
		CHECK(!done);
		make_texts(count, slot);
		CHECK(rrd_file_update(ours, NULL, rows, count, &why) == RRD_DONE);
	} else {
		make_texts(count, slot);
		CHECK(rrd_file_append(ours, append, &batch, fd, &done, &before, &why) == RRD_DONE);
		CHECK(done);
	}
	CHECK(rrd_file_update(theirs, NULL, rows, count, &why) == RRD_DONE);
	check_same();
	return slot + (int64_t)count;
}

static void
any_rows_leave_the_same_octets_as_by_librrd(void)
{
	append = append_new();
	for (seed = 1; seed < 1000; seed += 9) {
		uint64_t was = seed;
		int64_t slot = FIRST;

		draw_layout();
		make_both();
		for (int i = 0; i < 30; i++)
			slot = add_rows(slot);
		scratch_remove();
		seed = was;
	}
	append_free(append);
}

/* What our file would fill rows of single slots with becomes a number that nobody has measured. */
static void
spoil_fills_of_single_slots(void)
{
	size_t size, archives = (size_t)layout.count;
	uint8_t *bytes = read_all(ours, &size), *carry = bytes + offsets_carry(ds_count, archives);
	const double wild = 12345.678;
	FILE *file = fopen(scratch_path(ours.file), "r+");

	for (size_t i = 0; i < ds_count * archives; i++, carry += OFFSETS_CARRY)
		if (layout.rra[i / ds_count].slots == 1)
			memcpy(carry + OFFSETS_FILL, &wild, sizeof wild);
	CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
	free(bytes);
}

/* A gap in one piece sets it, one in two pieces does not. */
static void
what_would_fill_rows_of_single_slots_is_set_before_a_row_gets_it(void)
{
	append = append_new();
	for (seed = 1; seed < 300; seed += 9) {
		uint64_t was = seed;
		int64_t slot = FIRST;
		struct fail why;

		draw_layout();
		layout.rra[0].slots = 1;
		make_both();
		for (int i = 0; i < 5; i++) {
			slot = add_rows(slot);
			spoil_fills_of_single_slots();
			slot += 1 + (int64_t)draw(4);
			draw_rows(1);
			make_texts(1, slot++);
			CHECK(rrd_file_update(ours, NULL, rows, 1, &why) == RRD_DONE);
			CHECK(rrd_file_update(theirs, NULL, rows, 1, &why) == RRD_DONE);
			check_same();
		}
		scratch_remove();
		seed = was;
	}
	append_free(append);
}

static void
the_profiles_files_are_the_same_as_by_librrd(void)
{
	append = append_new();
	seed = 77;
	for (int i = 0; layout_profiles()[i] != NULL && i < 3; i++) {
		int64_t slot = FIRST;

		CHECK(layout_make(&layout, INT64_C(60000000000), layout_profiles()[i], NULL) == 0);
		ds_count = 3;
		make_both();
		for (int k = 0; k < 8; k++)
			slot = add_rows(slot);
		scratch_remove();
	}
	append_free(append);
}

static void
a_value_is_read_back_to_the_last_bit(void)
{
	struct append_rows batch = { values, 1, 1, FIRST };
	struct rrd_shape shape;
	struct fail why;
	size_t size, found = 0;
	uint8_t *bytes;
	bool done;

	append = append_new();
	ds_count = 1;
	CHECK(layout_make(&layout, INT64_C(1000000000), "tiny", NULL) == 0);
	make_both();
	values[0] = 1234.5678901234567;
	CHECK(rrd_file_append(ours, append, &batch, -1, &done, &before, &why) == RRD_DONE && done);
	CHECK(rrd_file_shape(ours, &shape, &why) == RRD_DONE && shape.last == FIRST);
	free(shape.ds);
	bytes = read_all(ours, &size);
	for (size_t i = 0; i + 8 <= size; i += 8)
		found += memcmp(bytes + i, values, 8) == 0;
	CHECK(found >= 2); /* in the archive of single slots and in the head */
	free(bytes);
	scratch_remove();
	append_free(append);
}

/* Nothing is done: not even the time moves. */
static void
leaves(struct append_rows batch)
{
	struct fail why;
	bool done = true;

	CHECK(rrd_file_append(ours, append, &batch, -1, &done, &before, &why) == RRD_DONE);
	CHECK(!done);
	check_same();
}

static void
what_is_not_as_we_make_it_is_left_to_librrd(void)
{
	static const struct { size_t at; uint8_t octet; } changes[] = {
		{ 6, '1' },              /* version */
		{ 128 + 20, 'C' },       /* type of the data source */
		{ 128 + 40, 9 },         /* heartbeat */
		{ 128 + 48 + 7, 0x40 },  /* lower bound */
		{ 128 + 56 + 7, 0x40 },  /* upper bound */
		{ 128 + 120, 'X' },      /* function of the archive */
		{ 40 + 5, 0x80 },        /* step: longer than all of ours */
		{ 128 + 480 + 8, 1 },    /* microseconds of the last update */
		{ 128 + 480 + 16 + 32, 1 }, /* seconds unknown */
	};
	struct append_rows batch = { values, 1, 1, FIRST };
	bool done = true;
	FILE *file;

	append = append_new();
	ds_count = 1;
	values[0] = 1;
	CHECK(layout_make(&layout, INT64_C(60000000000), "tiny", NULL) == 0);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		make_both();
		for (int both = 0; both < 2; both++) {
			file = fopen(scratch_path(both ? ours.file : theirs.file), "r+");
			CHECK(file != NULL && fseek(file, (long)changes[i].at, SEEK_SET) == 0);
			CHECK(fwrite(&changes[i].octet, 1, 1, file) == 1 && fclose(file) == 0);
		}
		leaves(batch);
		scratch_remove();
	}
	make_both();
	batch.slot++;
	leaves(batch);
	batch.slot -= 2;
	leaves(batch);
	batch = (struct append_rows){ values, 1, 2, FIRST };
	leaves(batch);
	batch = (struct append_rows){ values, 0, 1, FIRST };
	leaves(batch);
	CHECK(unlink(scratch_path(ours.file)) == 0 && unlink(scratch_path(theirs.file)) == 0);
	batch.count = 1;
	CHECK(rrd_file_append(ours, append, &batch, -1, &done, &before, NULL) == RRD_DONE);
	CHECK(!done && access(scratch_path(ours.file), F_OK) == -1);
	scratch_remove();
	append_free(append);
}

/* By one call of librrd, as theirs. */
static void
create_by_librrd(int64_t first)
{
	char words[DS_MOST + LAYOUT_RRAS][80];
	const char *args[DS_MOST + LAYOUT_RRAS];
	int count = 0;

	for (size_t ds = 0; ds < ds_count; ds++, count++)
		snprintf(words[count], sizeof words[count], "DS:d%zu:GAUGE:%lld:U:U", ds,
			(long long)layout.step);
	for (int i = 0; i < layout.count; i++, count++)
		snprintf(words[count], sizeof words[count], "RRA:%s:0.5:%lld:%lld",
			layout.rra[i].function, (long long)layout.rra[i].slots,
			(long long)layout.rra[i].rows);
	for (int i = 0; i < count; i++)
		args[i] = words[i];
	CHECK(rrd_create_r2(scratch_path(theirs.file), (unsigned long)layout.step,
		(time_t)(first - layout.step), 1, NULL, NULL, count, args) == 0);
}

/* Rings begin anywhere in either. */
static void
check_same_but_for_the_rings_begin(void)
{
	size_t size, other, rings = (size_t)layout.count;
	size_t places = offsets_head(ds_count, rings) - OFFSETS_POINTER * rings;
	uint8_t *a = read_all(ours, &size), *b = read_all(theirs, &other);

	CHECK_INT(size, other);
	for (size_t i = 0; i < rings; i++) {
		CHECK(offsets_number(a, places + OFFSETS_POINTER * i) < (uint64_t)layout.rra[i].rows);
		memcpy(a + places + OFFSETS_POINTER * i, b + places + OFFSETS_POINTER * i,
			OFFSETS_POINTER);
	}
	CHECK(memcmp(a, b, size) == 0);
	free(a);
	free(b);
}

static void
create_ours_and_theirs(int64_t first)
{
	const char *names[DS_MOST];
	char texts_of[DS_MOST][RRD_DS_NAME + 4];
	struct fail why;

	scratch_make();
	ours = (struct rrd_place){ scratch, "ours.rrd" };
	theirs = (struct rrd_place){ scratch, "theirs.rrd" };
	for (size_t ds = 0; ds < ds_count; ds++) {
		snprintf(texts_of[ds], sizeof texts_of[ds], "d%zu", ds);
		names[ds] = texts_of[ds];
	}
	CHECK(rrd_file_create(ours, &layout, first, names, ds_count, &why) == RRD_DONE);
	create_by_librrd(first);
	check_same_but_for_the_rings_begin();
	scratch_remove();
}

static void
a_new_file_has_the_same_octets_as_by_librrd(void)
{
	for (seed = 1; seed < 3000; seed += 9) {
		uint64_t was = seed;

		draw_layout();
		create_ours_and_theirs((int64_t)(1000 + draw(UINT64_C(1) << (10 + draw(22)))) *
			layout.step);
		seed = was;
	}
	/* Of many more octets than are written at once. */
	for (int64_t step = 1; step < 100000; step *= 7)
		for (int i = 0; layout_profiles()[i] != NULL && i < 3; i++) {
			if (layout_make(&layout, step * INT64_C(1000000000), layout_profiles()[i], NULL) == -1)
				continue;
			ds_count = 3;
			create_ours_and_theirs(INT64_C(1790000000) / step * step);
		}
}

/* Holds a lock on our file in another process. */
static pid_t
lock_elsewhere(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[1024], octet;
	int fds[2];
	pid_t child;

	snprintf(path, sizeof path, "%s", scratch_path(ours.file));
	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_RDWR);

		if (fd == -1 || fcntl(fd, F_SETLK, &lock) == -1 || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK(child > 0 && close(fds[1]) == 0 && read(fds[0], &octet, 1) == 1);
	close(fds[0]);
	return child;
}

static void
a_lock_that_came_in_between_is_respected(void)
{
	struct append_rows batch = { values, 1, 1, FIRST };
	struct fail why;
	bool done = true;
	pid_t locker;
	int fd;

	append = append_new();
	ds_count = 1;
	values[0] = 1;
	CHECK(layout_make(&layout, INT64_C(60000000000), "tiny", NULL) == 0);
	make_both();
	fd = make_ready();
	locker = lock_elsewhere();
	CHECK(rrd_file_append(ours, append, &batch, fd, &done, &before, &why) == RRD_DONE && !done);
	check_same();
	CHECK(kill(locker, SIGKILL) == 0 && waitpid(locker, NULL, 0) == locker);
	CHECK(rrd_file_append(ours, append, &batch, make_ready(), &done, &before, &why) == RRD_DONE);
	CHECK(done);
	scratch_remove();
	append_free(append);
}

RUN_TESTS(
	TEST(any_rows_leave_the_same_octets_as_by_librrd),
	TEST(what_would_fill_rows_of_single_slots_is_set_before_a_row_gets_it),
	TEST(the_profiles_files_are_the_same_as_by_librrd),
	TEST(a_value_is_read_back_to_the_last_bit),
	TEST(what_is_not_as_we_make_it_is_left_to_librrd),
	TEST(a_new_file_has_the_same_octets_as_by_librrd),
	TEST(a_lock_that_came_in_between_is_respected)
)

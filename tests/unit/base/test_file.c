#include "../check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/file.h"

/* A disk of so many octets that takes a few at a time, and is interrupted now and then. */
static char disk[64];
static size_t room, calls;
static int error;

/* Stands before the library's. */
ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	size_t some = size < 5 ? size : 5;

	CHECK_INT(fd, 7);
	if (calls++ % 2 == 1) {
		errno = EINTR;
		return -1;
	}
	if (error != 0) {
		errno = error;
		return -1;
	}
	if ((size_t)at + some > room)
		some = (size_t)at < room ? room - (size_t)at : 0;
	memcpy(disk + at, bytes, some);
	return (ssize_t)some;
}

static void
begin(size_t size)
{
	memset(disk, 0, sizeof disk);
	room = size;
	calls = 0;
	error = 0;
	errno = 0;
}

static void
all_of_it_is_written_however_little_a_call_takes(void)
{
	begin(sizeof disk);
	CHECK(file_write(7, "what comes in parts", 20, 3) == 0);
	CHECK_STR(disk + 3, "what comes in parts");
	CHECK(disk[0] == '\0' && disk[2] == '\0');
	CHECK(file_write(7, "", 0, 60) == 0);
}

static void
a_disk_that_takes_no_more_and_says_nothing_is_full(void)
{
	begin(10);
	CHECK(file_write(7, "what comes in parts", 20, 3) == -1);
	CHECK_INT(errno, ENOSPC);
}

static void
an_error_is_the_disks_own(void)
{
	begin(sizeof disk);
	error = EIO;
	CHECK(file_write(7, "what comes in parts", 20, 3) == -1);
	CHECK_INT(errno, EIO);
}

static void
nothing_is_known_of_a_file_when_descriptors_or_memory_are_short(void)
{
	static const int of_the_file[] = { ENOENT, EACCES, EIO, ENOTDIR, EISDIR, ELOOP, 0 };

	CHECK(file_is_unknown(EMFILE) && file_is_unknown(ENFILE) && file_is_unknown(ENOMEM));
	for (size_t i = 0; i < sizeof of_the_file / sizeof of_the_file[0]; i++)
		CHECK(!file_is_unknown(of_the_file[i]));
}

RUN_TESTS(TEST(all_of_it_is_written_however_little_a_call_takes),
	TEST(a_disk_that_takes_no_more_and_says_nothing_is_full),
	TEST(an_error_is_the_disks_own),
	TEST(nothing_is_known_of_a_file_when_descriptors_or_memory_are_short))

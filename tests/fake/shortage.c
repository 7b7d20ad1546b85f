#include "fake/shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit/check.h"
#include "unit/dice.h"

static unsigned scarce, dice;
static struct stat unreadable; /* st_ino 0: no file is */

static void
limit(int what, struct rlimit *first, bool *known, int64_t most)
{
	struct rlimit now;

	if (!*known)
		CHECK(getrlimit(what, first) == 0);
	*known = true;
	now = *first;
	if (most != SHORTAGE_NONE)
		now.rlim_cur = (rlim_t)most;
	CHECK(setrlimit(what, &now) == 0);
}

void
shortage_octets(int64_t most)
{
	static struct rlimit first;
	static bool known;

	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, &first, &known, most);
}

void
shortage_descriptors(int64_t most)
{
	static struct rlimit first;
	static bool known;

	limit(RLIMIT_NOFILE, &first, &known, most);
}

void
shortage_opens(unsigned one_of)
{
	scarce = one_of;
}

void
shortage_seed(unsigned seed)
{
	dice = seed;
}

static bool
is_refused(void)
{
	dice = dice * 1103515245 + 12345 + (unsigned)dice_shift();
	if (scarce == 0 || (dice >> 16) % scarce != 0)
		return false;
	errno = EMFILE;
	return true;
}

int open(const char *path, int flags, ...) __attribute__((visibility("default")));
int
open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return is_refused() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* What a compiler makes of it where the flags are not known to it. */
int __open_2(const char *path, int flags) __attribute__((visibility("default")));
int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

void
shortage_reads(const char *path)
{
	unreadable.st_ino = 0;
	if (path != NULL)
		CHECK(stat(path, &unreadable) == 0);
}

static bool
is_unreadable(int fd)
{
	struct stat status;

	if (unreadable.st_ino == 0 || fstat(fd, &status) == -1 ||
		status.st_ino != unreadable.st_ino || status.st_dev != unreadable.st_dev)
		return false;
	errno = EIO;
	return true;
}

ssize_t pread(int fd, void *to, size_t size, off_t at) __attribute__((visibility("default")));
ssize_t
pread(int fd, void *to, size_t size, off_t at)
{
	return is_unreadable(fd) ? -1 : (ssize_t)syscall(SYS_pread64, fd, to, size, at);
}

/* What a compiler makes of it that knows the size of `to`. */
ssize_t __pread_chk(int fd, void *to, size_t size, off_t at, size_t room)
	__attribute__((visibility("default")));
ssize_t
__pread_chk(int fd, void *to, size_t size, off_t at, size_t room)
{
	CHECK(size <= room);
	return pread(fd, to, size, at);
}

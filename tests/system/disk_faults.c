/* disk_faults.c - preloaded into a daemon: calls on some of its files fail, until they do no more.
 *
 * $PW_DISK_FAULTS names a file of rules, looked at before each such call. A rule is a line of
 * calls, of the error and of what is in the path: "pwrite,sync EIO /journal/". Of what is
 * to be written a part is. Calls: open (of a file that is made or written), read, write (at a
 * place or not), sync, rename, fallocate, ftruncate. No file: all is well. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default")))

static int
error_of(const char *name)
{
	return strcmp(name, "ENOSPC") == 0 ? ENOSPC : strcmp(name, "EACCES") == 0 ? EACCES : EIO;
}

static bool
is_among(const char *calls, const char *call)
{
	size_t length = strlen(call);
	const char *at = calls;

	while ((at = strstr(at, call)) != NULL) {
		if ((at == calls || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
		at += length;
	}
	return false;
}

/* 0, or the error that the call has to end with. */
static int
fault_of(const char *call, const char *path)
{
	const char *rules = getenv("PW_DISK_FAULTS");
	char text[2048], calls[200], name[20], part[200], *line = text;
	int fd = rules == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, rules, O_RDONLY, 0);
	long got = fd == -1 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);

	if (fd == -1)
		return 0;
	syscall(SYS_close, fd);
	text[got > 0 ? got : 0] = '\0';
	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%199s %19s %199s", calls, name, part) == 3 &&
			is_among(calls, call) && strstr(path, part) != NULL)
			return error_of(name);
	}
	return 0;
}

/* -1 and errno when the call is to fail. */
static int
ask(const char *call, int fd)
{
	char link[40], path[PATH_MAX];
	int before = errno, fault;
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = '\0';
	fault = fault_of(call, path);
	errno = fault == 0 ? before : fault;
	return fault == 0 ? 0 : -1;
}

SEEN int
open(const char *path, int flags, ...)
{
	int fault = (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0 ? fault_of("open", path) : 0;
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
		mode = va_arg(args, mode_t);
	va_end(args);
	errno = fault == 0 ? errno : fault;
	return fault == 0 ? (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode) : -1;
}

/* What a compiler makes of it where the flags are not known to it. */
SEEN int __open_2(const char *path, int flags);
SEEN int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

/* As a disk that fills up, or fails, in the midst of it: a part is written, then nothing. */
static ssize_t
part_of(size_t size)
{
	static _Thread_local bool is_next;

	is_next = !is_next;
	return is_next && size > 1 ? (ssize_t)(size / 2) : -1;
}

SEEN ssize_t
write(int fd, const void *bytes, size_t size)
{
	ssize_t part = ask("write", fd) == 0 ? (ssize_t)size : part_of(size);

	return part == -1 ? -1 : syscall(SYS_write, fd, bytes, (size_t)part);
}

SEEN ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	ssize_t part = ask("write", fd) == 0 ? (ssize_t)size : part_of(size);

	return part == -1 ? -1 : syscall(SYS_pwrite64, fd, bytes, (size_t)part, at);
}

SEEN ssize_t
pread(int fd, void *to, size_t size, off_t at)
{
	return ask("read", fd) == -1 ? -1 : syscall(SYS_pread64, fd, to, size, at);
}

SEEN ssize_t __pread_chk(int fd, void *to, size_t size, off_t at, size_t room);
SEEN ssize_t
__pread_chk(int fd, void *to, size_t size, off_t at, size_t room)
{
	return size > room ? (abort(), -1) : pread(fd, to, size, at);
}

SEEN int
fdatasync(int fd)
{
	return ask("sync", fd) == -1 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

SEEN int
fsync(int fd)
{
	return ask("sync", fd) == -1 ? -1 : (int)syscall(SYS_fsync, fd);
}

SEEN int
fallocate(int fd, int mode, off_t from, off_t size)
{
	return ask("fallocate", fd) == -1 ? -1 : (int)syscall(SYS_fallocate, fd, mode, from, size);
}

SEEN int
ftruncate(int fd, off_t size)
{
	return ask("ftruncate", fd) == -1 ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

SEEN int
rename(const char *from, const char *to)
{
	int fault = fault_of("rename", to);

	errno = fault == 0 ? errno : fault;
	return fault == 0 ? (int)syscall(SYS_rename, from, to) : -1;
}

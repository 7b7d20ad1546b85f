#include "journal/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/segment.h"

static void
spare_path(char *to, size_t size, const struct reserve *reserve, unsigned number)
{
	snprintf(to, size, "%s/journal/%u.spare", reserve->state_dir, number);
}

void
reserve_open(struct reserve *reserve, const char *state_dir, unsigned wanted, size_t size)
{
	char path[SEGMENT_PATH];
	struct stat info;

	*reserve = (struct reserve){ .state_dir = mem_text(state_dir), .size = size,
		.wanted = wanted < RESERVE_MOST ? wanted : RESERVE_MOST };
	for (unsigned n = 0; wanted > 0 && n < RESERVE_MOST; n++) {
		spare_path(path, sizeof path, reserve, n);
		if (stat(path, &info) == -1)
			continue;
		/* Of another size, or one that a crash left half made. */
		if (n >= reserve->wanted || (uint64_t)info.st_blocks * 512 < size)
			unlink(path);
		else
			reserve->there |= UINT64_C(1) << n;
	}
}

void
reserve_close(struct reserve *reserve)
{
	free(reserve->state_dir);
	*reserve = (struct reserve){ .wanted = 0 };
}

int
reserve_take(struct reserve *reserve, const char *path)
{
	char spare[SEGMENT_PATH];

	for (unsigned n = 0; n < reserve->wanted; n++) {
		if (!(reserve->there & UINT64_C(1) << n))
			continue;
		spare_path(spare, sizeof spare, reserve, n);
		if (rename(spare, path) == -1) {
			if (errno == ENOENT)
				reserve->there &= ~(UINT64_C(1) << n);
			return -1;
		}
		reserve->there &= ~(UINT64_C(1) << n);
		return open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	errno = ENOENT;
	return -1;
}

static int
make_spare(struct reserve *reserve, unsigned n)
{
	char path[SEGMENT_PATH];
	int fd, result, saved;

	spare_path(path, sizeof path, reserve, n);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return -1;
	result = reserve_allocate(fd, reserve->size);
	if (result == 0)
		result = fsync(fd);
	saved = errno;
	close(fd);
	if (result == -1)
		unlink(path);
	errno = saved;
	return result;
}

int
reserve_fill(struct reserve *reserve)
{
	for (unsigned n = 0; n < reserve->wanted; n++) {
		if (reserve->there & UINT64_C(1) << n)
			continue;
		/* As much again stays for others. */
		if (reserve_room(reserve->state_dir) < 2 * reserve->size)
			return 0;
		if (make_spare(reserve, n) == 0) {
			reserve->there |= UINT64_C(1) << n;
			return 1;
		}
		if (errno == EOPNOTSUPP)
			reserve->wanted = 0;
		return errno == EOPNOTSUPP || errno == ENOSPC ? 0 : -1;
	}
	return 0;
}

size_t
reserve_bytes(const struct reserve *reserve)
{
	return (size_t)__builtin_popcountll(reserve->there) * reserve->size;
}

int
reserve_allocate(int fd, size_t size)
{
	int result;

	do
		result = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
	while (result == -1 && errno == EINTR);
	return result;
}

void
reserve_give_back(int fd)
{
	struct stat info;

	/* Where that fails it stays allocated until the segment is dropped. */
	if (fstat(fd, &info) == 0 && info.st_blocks * 512 > info.st_size &&
		ftruncate(fd, info.st_size) == -1)
		return;
}

uint64_t
reserve_room(const char *folder)
{
	struct statvfs info;

	if (statvfs(folder, &info) == -1)
		return UINT64_MAX;
	return (uint64_t)info.f_bavail * info.f_frsize;
}

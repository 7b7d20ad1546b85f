#include "journal/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "journal/segment.h"

/* The journal waits no longer for zeros on their way to the disk than for so many. */
#define PIECE (256u << 10)

static void
spare_path(char *to, size_t size, const struct reserve *reserve, unsigned number)
{
	snprintf(to, size, "%s/journal/%u.spare", reserve->state_dir, number);
}

/* Where a write goes to other blocks each time, zeros make nothing ready. Magic numbers as in
 * statfs(2) and the file systems' own sources. */
static bool
writes_in_place(int fd)
{
	struct statfs info;

	return fstatfs(fd, &info) == 0 && info.f_type != 0x9123683e && info.f_type != 0x2fc12fc1 &&
		(unsigned long)info.f_type != 0xca451a4e;
}

/* Each piece is on its way to the disk, and there, before the next one. */
static int
write_zeros(const struct reserve *reserve, int fd, size_t from, size_t size)
{
	uint8_t *zeros = mem_zero(PIECE);
	int result = 0;

	while (from < size && result == 0) {
		size_t piece = size - from < PIECE ? size - from : PIECE;

		result = file_write(fd, zeros, piece, from);
		if (result == 0 && atomic_load(&reserve->ends)) {
			errno = ECANCELED;
			result = -1;
		}
		/* Where that is not there, they go all at once in the end. */
		if (result == 0)
			sync_file_range(fd, (off_t)from, (off_t)piece, SYNC_FILE_RANGE_WAIT_BEFORE |
				SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
		from += piece;
	}
	free(zeros);
	return result;
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
		uint64_t bit = UINT64_C(1) << n;

		if (!(atomic_fetch_and(&reserve->there, ~bit) & bit))
			continue;
		spare_path(spare, sizeof spare, reserve, n);
		if (rename(spare, path) == 0)
			return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (errno == ENOENT)
			continue;
		atomic_fetch_or(&reserve->there, bit);
		return -1;
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
	for (unsigned n = 0; n < reserve->wanted && !reserve->cannot; n++) {
		if (atomic_load(&reserve->there) & UINT64_C(1) << n)
			continue;
		/* As much again stays for others. */
		if (reserve_room(reserve->state_dir) < 2 * reserve->size)
			return 0;
		if (make_spare(reserve, n) == 0) {
			atomic_fetch_or(&reserve->there, UINT64_C(1) << n);
			return 1;
		}
		reserve->cannot = errno == EOPNOTSUPP;
		return errno == EOPNOTSUPP || errno == ENOSPC ? 0 : -1;
	}
	return 0;
}

int
reserve_extend(struct reserve *reserve, int fd, size_t size)
{
	struct stat info;

	if (fstat(fd, &info) == -1)
		return -1;
	if ((uint64_t)info.st_size >= size || !writes_in_place(fd))
		return 0;
	/* What is allocated takes nothing from others. */
	if ((uint64_t)info.st_blocks * 512 < size &&
		(reserve_room(reserve->state_dir) < 2 * size || reserve_allocate(fd, size) == -1))
		return 0;
	if (write_zeros(reserve, fd, (size_t)info.st_size, size) == -1)
		return errno == ENOSPC ? 0 : -1;
	return fsync(fd);
}

size_t
reserve_bytes(const struct reserve *reserve)
{
	return (size_t)__builtin_popcountll(atomic_load(&reserve->there)) * reserve->size;
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

uint64_t
reserve_room(const char *folder)
{
	struct statvfs info;

	if (statvfs(folder, &info) == -1)
		return UINT64_MAX;
	return (uint64_t)info.f_bavail * info.f_frsize;
}

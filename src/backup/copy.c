#include "backup/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/rrd.h"

#define BUFFER (1u << 20)
#define PATIENCE_MS 10000

struct copy {
	struct hash *hash;
	uint8_t *buffer;
	char *folder; /* the one that was made last */
};

struct copy *
copy_new(void)
{
	struct copy *copy = mem_zero(sizeof *copy);

	copy->hash = hash_new();
	copy->buffer = mem_zero(BUFFER);
	return copy;
}

void
copy_free(struct copy *copy)
{
	if (copy == NULL)
		return;
	hash_free(copy->hash);
	free(copy->buffer);
	free(copy->folder);
	free(copy);
}

static int
fail_errno(const char *path, struct fail *why)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

int
copy_make_folders(const char *path, struct fail *why)
{
	char *folder = mem_text(path);
	int result = 0;

	for (char *slash = strchr(folder + 1, '/'); slash != NULL && result == 0;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0750) == -1 && errno != EEXIST)
			result = fail_errno(folder, why);
		*slash = '/';
	}
	free(folder);
	return result;
}

/* Most files lie in the folder of the one before. */
static int
make_folder_of(struct copy *copy, const char *to, struct fail *why)
{
	const char *slash = strrchr(to, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - to);

	if (copy->folder != NULL && strlen(copy->folder) == length &&
		strncmp(copy->folder, to, length) == 0)
		return 0;
	if (copy_make_folders(to, why) == -1)
		return -1;
	free(copy->folder);
	copy->folder = mem_text(to);
	copy->folder[length] = '\0';
	return 0;
}

static int
open_target(struct copy *copy, const char *to, mode_t mode, struct fail *why)
{
	int fd;

	if (make_folder_of(copy, to, why) == -1)
		return -1;
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode & 0777);
	return fd == -1 ? fail_errno(to, why) : fd;
}

static int
write_at(int fd, const void *bytes, size_t size, uint64_t at, const char *to, struct fail *why)
{
	return file_write(fd, bytes, size, at) == 0 ? 0 : fail_errno(to, why);
}

/* From the beginning to the end; target -1: only the checksum. */
static int
copy_bytes(struct copy *copy, int source, int target, const char *from, const char *to,
	struct copy_made *made, struct fail *why)
{
	made->bytes = 0;
	hash_begin(copy->hash);
	for (;;) {
		ssize_t got = pread(source, copy->buffer, BUFFER, (off_t)made->bytes);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return fail_errno(from, why);
		if (got == 0)
			break;
		hash_add(copy->hash, copy->buffer, (size_t)got);
		if (target != -1 && write_at(target, copy->buffer, (size_t)got, (uint64_t)made->bytes,
			to, why) == -1)
			return -1;
		made->bytes += got;
	}
	hash_end(copy->hash, made->hash);
	return 0;
}

static int
close_target(int fd, const char *to, struct fail *why)
{
	return fd != -1 && close(fd) == -1 ? fail_errno(to, why) : 0;
}

enum copy_result
copy_file(struct copy *copy, const char *from, const char *to, struct copy_made *made,
	struct fail *why)
{
	int source = open(from, O_RDONLY | O_CLOEXEC), target = -1, result = -1;
	struct stat info;

	made->repeats = 0;
	if (source == -1) {
		fail_errno(from, why);
		return errno == ENOENT ? COPY_MISSING : COPY_FAILED;
	}
	if (fstat(source, &info) == -1)
		fail_errno(from, why);
	else if (to == NULL || (target = open_target(copy, to, info.st_mode, why)) != -1)
		result = copy_bytes(copy, source, target, from, to, made, why);
	close(source);
	if (close_target(target, to, why) == -1)
		result = -1;
	return result == 0 ? COPY_DONE : COPY_FAILED;
}

int
copy_text(struct copy *copy, const char *text, size_t size, unsigned mode, const char *to,
	struct copy_made *made, struct fail *why)
{
	int target = open_target(copy, to, mode, why), result;

	made->repeats = 0;
	made->bytes = (int64_t)size;
	if (target == -1)
		return -1;
	hash_begin(copy->hash);
	hash_add(copy->hash, text, size);
	hash_end(copy->hash, made->hash);
	result = write_at(target, text, size, 0, to, why);
	return close_target(target, to, why) == -1 ? -1 : result;
}

/* ---- RRD files ---- */

static bool
is_write_locked(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

static bool
same_head(const struct rrd_head *a, const struct rrd_head *b)
{
	return a->inode == b->inode && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

struct rrd_copy {
	struct rrd_place place;
	const char *from, *to;
};

/* 1 done, 0 somebody was at it, -1 and why. The order matters: an update that touches what
 * is copied lies between the two looks at the lock, as at both nobody holds it; and in every
 * update the head changes, which is read before the first look and after the second. */
static int
copy_between(struct copy *copy, const struct rrd_copy *what, int source, int target,
	struct copy_made *made, struct fail *why)
{
	struct rrd_head before = { 0 }, after = { 0 };
	struct stat info;
	int result = -1;

	if (rrd_file_head(what->place, &before, why) == -1)
		return -1;
	if (fstat(source, &info) == -1)
		fail_errno(what->from, why);
	else if ((uint64_t)info.st_ino != before.inode || is_write_locked(source))
		result = 0;
	else
		result = copy_bytes(copy, source, target, what->from, what->to, made, why) == -1 ? -1 : 1;
	if (result == 1 && is_write_locked(source))
		result = 0;
	if (result == 1 && rrd_file_head(what->place, &after, why) == -1)
		result = -1;
	else if (result == 1)
		result = same_head(&before, &after);
	free(before.bytes);
	free(after.bytes);
	return result;
}

static int
copy_until_still(struct copy *copy, const struct rrd_copy *what, int target,
	struct copy_made *made, struct fail *why)
{
	int pause = 1, waited = 0;

	for (;;) {
		/* Opened anew: a file to which a data source was added is another one. */
		int source = open(what->from, O_RDONLY | O_CLOEXEC), got;

		if (source == -1)
			return fail_errno(what->from, why);
		got = copy_between(copy, what, source, target, made, why);
		close(source);
		if (got != 0)
			return got == 1 ? 0 : -1;
		if (waited >= PATIENCE_MS) {
			fail_set(why, "%s: locked, or written all the time, by another program", what->from);
			return -1;
		}
		made->repeats++;
		poll(NULL, 0, pause);
		waited += pause;
		pause = pause < 500 ? 2 * pause : 500;
		if (ftruncate(target, 0) == -1)
			return fail_errno(what->to, why);
	}
}

enum copy_result
copy_rrd(struct copy *copy, const char *root, const char *file, const char *to,
	struct copy_made *made, struct fail *why)
{
	char *from = mem_format("%s/%s", root, file);
	struct rrd_copy what = { { root, file }, from, to };
	enum copy_result result = COPY_FAILED;
	struct stat info;
	int target = -1;

	made->repeats = 0;
	if (stat(from, &info) == -1)
		result = fail_errno(from, why) == -1 && errno == ENOENT ? COPY_MISSING : COPY_FAILED;
	else if ((target = open_target(copy, to, info.st_mode, why)) != -1 &&
		copy_until_still(copy, &what, target, made, why) == 0)
		result = COPY_DONE;
	if (close_target(target, to, why) == -1)
		result = COPY_FAILED;
	free(from);
	return result;
}

/* ---- trees ---- */

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

int
copy_remove_tree(const char *path, struct fail *why)
{
	if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
		return 0;
	return fail_errno(path, why);
}

#include "store/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/rrd.h"

#define NAME_MAX_BYTES 1000

struct undo {
	char *path, *rrd_dir;
	int fd;
	uint64_t generation;
	struct record_buffer fresh; /* entries not yet on disk */
	uint64_t length;            /* synced bytes */
};

static int
fail_errno(const struct undo *undo, struct fail *why)
{
	fail_set(why, "%s: %s", undo->path, strerror(errno));
	return -1;
}

/* True when the head was put back. */
static bool
restore_entry(const struct undo *undo, const uint8_t *bytes, size_t size, bool sync)
{
	struct rrd_place place = { .root = undo->rrd_dir };
	struct record_cursor at = { bytes, bytes + size, false };
	struct rrd_head head;
	char name[NAME_MAX_BYTES];
	uint64_t generation = record_get_u64(&at);

	head.inode = record_get_u64(&at);
	record_get_text(&at, name, sizeof name);
	if (at.failed || generation != undo->generation)
		return false;
	head.bytes = (uint8_t *)at.at;
	head.size = (size_t)(at.end - at.at);
	place.file = name;
	if (!rrd_file_restore(place, &head))
		return false;
	if (sync)
		rrd_file_sync(place, NULL);
	return true;
}

/* What is torn or damaged was not synced, so its file was not yet updated. */
static size_t
restore_all(struct undo *undo, const uint8_t *bytes, size_t size)
{
	size_t restored = 0, at = 0;

	while (size - at >= 8) {
		struct record_cursor head = { bytes + at, bytes + at + 8, false };
		uint32_t rest = record_get_u32(&head), crc = record_get_u32(&head);

		if (rest > size - at - 8 || str_crc32c(0, bytes + at + 8, rest) != crc)
			break;
		restored += restore_entry(undo, bytes + at + 8, rest, restored < UNDO_SYNCED);
		at += 8 + rest;
	}
	/* Entries to come are put behind the good ones. */
	undo->length = at;
	return restored;
}

static int
read_and_restore(struct undo *undo, size_t *restored, struct fail *why)
{
	struct stat info;
	uint8_t *bytes;
	size_t done = 0;

	if (fstat(undo->fd, &info) == -1)
		return fail_errno(undo, why);
	bytes = mem_zero((size_t)info.st_size);
	while (done < (size_t)info.st_size) {
		ssize_t got = pread(undo->fd, bytes + done, (size_t)info.st_size - done, (off_t)done);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			free(bytes);
			return fail_errno(undo, why);
		}
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*restored = restore_all(undo, bytes, done);
	free(bytes);
	return 0;
}

struct undo *
undo_open(const char *state_dir, const char *rrd_dir, uint64_t generation, size_t *restored,
	struct fail *why)
{
	struct undo *undo = mem_zero(sizeof *undo);

	undo->path = mem_format("%s/undo", state_dir);
	undo->rrd_dir = mem_text(rrd_dir);
	undo->generation = generation;
	undo->fd = open(undo->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (undo->fd == -1) {
		fail_errno(undo, why);
		goto fail;
	}
	if (segment_sync_path(state_dir) == -1) {
		fail_errno(undo, why);
		goto fail;
	}
	if (read_and_restore(undo, restored, why) == -1)
		goto fail;
	return undo;
fail:
	undo_close(undo);
	return NULL;
}

void
undo_close(struct undo *undo)
{
	if (undo == NULL)
		return;
	if (undo->fd != -1)
		close(undo->fd);
	record_buffer_free(&undo->fresh);
	free(undo->path);
	free(undo->rrd_dir);
	free(undo);
}

int
undo_keep(struct undo *undo, const char *file, struct fail *why)
{
	struct record_buffer entry = { 0 };
	struct rrd_head head;

	if (strlen(file) >= NAME_MAX_BYTES) {
		fail_set(why, "%s: too long a name", file);
		return -1;
	}
	if (rrd_file_head((struct rrd_place){ undo->rrd_dir, file }, &head, why) == -1)
		return -1;
	record_put_u64(&entry, undo->generation);
	record_put_u64(&entry, head.inode);
	record_put_text(&entry, file);
	record_put(&entry, head.bytes, head.size);
	record_put_u32(&undo->fresh, (uint32_t)entry.used);
	record_put_u32(&undo->fresh, str_crc32c(0, entry.bytes, entry.used));
	record_put(&undo->fresh, entry.bytes, entry.used);
	record_buffer_free(&entry);
	free(head.bytes);
	return 0;
}

int
undo_sync(struct undo *undo, struct fail *why)
{
	size_t done = 0;

	if (undo->fresh.used == 0)
		return 0;
	while (done < undo->fresh.used) {
		ssize_t wrote = pwrite(undo->fd, undo->fresh.bytes + done, undo->fresh.used - done,
			(off_t)(undo->length + done));

		if (wrote > 0)
			done += (size_t)wrote;
		else if (wrote == 0 || errno != EINTR)
			return fail_errno(undo, why);
	}
	if (fdatasync(undo->fd) == -1)
		return fail_errno(undo, why);
	undo->length += undo->fresh.used;
	undo->fresh.used = 0;
	return 0;
}

/* The old entries need not be gone: their generation says that they are void. */
void
undo_begin(struct undo *undo, uint64_t generation)
{
	undo->generation = generation;
	undo->fresh.used = 0;
	undo->length = 0;
	if (ftruncate(undo->fd, 0) == -1)
		return;
}

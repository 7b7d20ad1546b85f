#include "journal/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "journal/record.h"
#include "journal/reserve.h"
#include "journal/segment.h"

#define PLACES 2 /* STATE_DIR, RUN_DIR */

struct place {
	char path[SEGMENT_PATH]; /* "": not used */
	int fd;
	size_t length;   /* of what counts */
	bool looked;     /* length and newest are right */
	bool stale;      /* a sync failed: what the kernel then says of its pages is not known */
};
struct aside {
	struct place places[PLACES];
	uint64_t newest; /* sequence of the newest frame in any of them, 0 none */
};

static void
place_paths(char paths[PLACES][SEGMENT_PATH], const char *state_dir, const char *run_dir)
{
	snprintf(paths[0], SEGMENT_PATH, "%s/journal/transitions", state_dir);
	paths[1][0] = '\0';
	if (run_dir != NULL)
		snprintf(paths[1], SEGMENT_PATH, "%s/transitions", run_dir);
}

struct aside *
aside_open(const char *state_dir, const char *run_dir)
{
	struct aside *aside = mem_zero(sizeof *aside);
	char paths[PLACES][SEGMENT_PATH];

	place_paths(paths, state_dir, run_dir);
	for (int i = 0; i < PLACES; i++) {
		aside->places[i].fd = -1;
		memcpy(aside->places[i].path, paths[i], SEGMENT_PATH);
	}
	return aside;
}

void
aside_close(struct aside *aside)
{
	if (aside == NULL)
		return;
	for (int i = 0; i < PLACES; i++)
		if (aside->places[i].fd != -1)
			close(aside->places[i].fd);
	free(aside);
}

/* ---- what stands in a file ---- */

static uint8_t *
read_file(int fd, size_t *size)
{
	uint8_t *bytes = mem_array(ASIDE_SIZE, 1);
	ssize_t got;

	do
		got = pread(fd, bytes, ASIDE_SIZE, 0);
	while (got == -1 && errno == EINTR);
	*size = got > 0 ? (size_t)got : 0;
	return bytes;
}

/* The next frame at *at, when it is whole and newer than `after`. */
static bool
next_frame(const uint8_t *bytes, size_t size, size_t *at, uint64_t after, struct record *record)
{
	size_t frame;

	if (record_parse(bytes + *at, size - *at, record, &frame) != 1 || record->sequence <= after)
		return false;
	*at += frame;
	return true;
}

/* What a former run left stays until the journal has it. */
static void
look(struct aside *aside, struct place *place)
{
	size_t size, at = 0;
	uint8_t *bytes = read_file(place->fd, &size);
	struct record record;
	uint64_t newest = 0;

	while (next_frame(bytes, size, &at, newest, &record))
		newest = record.sequence;
	free(bytes);
	place->length = at;
	place->looked = true;
	if (newest > aside->newest)
		aside->newest = newest;
}

static int
open_place(struct aside *aside, struct place *place, int create)
{
	if (place->path[0] == '\0') {
		errno = ENOENT;
		return -1;
	}
	if (place->fd == -1)
		place->fd = open(place->path, O_RDWR | create | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (place->fd == -1)
		return -1;
	if (!place->looked)
		look(aside, place);
	return 0;
}

int
aside_reserve(struct aside *aside)
{
	struct place *place = &aside->places[0];
	struct stat info;

	if (open_place(aside, place, O_CREAT) == -1 || fstat(place->fd, &info) == -1)
		return -1;
	if ((uint64_t)info.st_blocks * 512 >= ASIDE_SIZE)
		return 0;
	if (reserve_allocate(place->fd, ASIDE_SIZE) == -1 && errno != EOPNOTSUPP)
		return -1;
	return fsync(place->fd);
}

/* ---- writing ---- */

static int
write_place(struct aside *aside, struct place *place, const uint8_t *frames, size_t size)
{
	if (open_place(aside, place, O_CREAT) == -1)
		return -1;
	if (place->stale || place->length + size > ASIDE_SIZE) {
		errno = place->stale ? EIO : ENOSPC;
		return -1;
	}
	if (file_write(place->fd, frames, size, place->length) == -1)
		return -1;
	if (fdatasync(place->fd) == -1) {
		place->stale = true;
		return -1;
	}
	place->length += size;
	return 0;
}

int
aside_write(struct aside *aside, const uint8_t *frames, size_t size, uint64_t newest,
	struct fail *why)
{
	for (int i = 0; i < PLACES; i++) {
		struct place *place = &aside->places[i];

		if (place->path[0] == '\0')
			continue;
		if (write_place(aside, place, frames, size) == 0) {
			if (newest > aside->newest)
				aside->newest = newest;
			return 0;
		}
		fail_set(why, "%s: %s", place->path, strerror(errno));
	}
	return -1;
}

void
aside_done(struct aside *aside, uint64_t sequence)
{
	static const uint8_t nothing[RECORD_FRAME_HEADER];

	if (aside->newest > sequence)
		return;
	for (int i = 0; i < PLACES; i++) {
		struct place *place = &aside->places[i];

		if (open_place(aside, place, 0) == -1 || (place->length == 0 && !place->stale))
			continue;
		/* Not cut: that would give its space away. It needs no sync, as what comes back is
		 * older than the journal's newest record. */
		if (aside->newest <= sequence &&
			pwrite(place->fd, nothing, sizeof nothing, 0) == sizeof nothing) {
			place->length = 0;
			place->stale = false;
		}
	}
}

/* ---- reading ---- */

int
aside_read(const char *state_dir, const char *run_dir, uint64_t *newest,
	void (*take)(const struct record *record, void *arg), void *arg, struct fail *why)
{
	char paths[PLACES][SEGMENT_PATH];
	uint8_t *bytes[PLACES] = { NULL };
	size_t sizes[PLACES] = { 0 }, at[PLACES] = { 0 };
	uint64_t seen[PLACES] = { 0 };
	struct record next[PLACES];
	bool has[PLACES] = { false };

	place_paths(paths, state_dir, run_dir);
	for (int i = 0; i < PLACES; i++) {
		int fd = paths[i][0] == '\0' ? -1 : open(paths[i], O_RDONLY | O_CLOEXEC);

		if (fd == -1 && paths[i][0] != '\0' && file_is_unknown(errno)) {
			fail_set(why, "%s: %s", paths[i], strerror(errno));
			free(bytes[0]);
			return -1;
		}
		if (fd == -1)
			continue;
		bytes[i] = read_file(fd, &sizes[i]);
		close(fd);
		has[i] = next_frame(bytes[i], sizes[i], &at[i], seen[i], &next[i]);
	}
	while (has[0] || has[1]) {
		int i = has[0] && (!has[1] || next[0].sequence <= next[1].sequence) ? 0 : 1;

		seen[i] = next[i].sequence;
		if (next[i].sequence > *newest) {
			take(&next[i], arg);
			*newest = next[i].sequence;
		}
		has[i] = next_frame(bytes[i], sizes[i], &at[i], seen[i], &next[i]);
	}
	free(bytes[0]);
	free(bytes[1]);
	return 0;
}

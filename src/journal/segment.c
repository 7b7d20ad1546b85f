#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/str.h"

void
segment_directory(char *to, size_t size, const char *state_dir)
{
	snprintf(to, size, "%s/journal", state_dir);
}

void
segment_path(char *to, size_t size, const char *state_dir, uint64_t number)
{
	snprintf(to, size, "%s/journal/%016llx.seg", state_dir, (unsigned long long)number);
}

static size_t
list_all(const char *state_dir, uint64_t **numbers)
{
	char path[SEGMENT_PATH];

	segment_directory(path, sizeof path, state_dir);
	return folder_numbers(path, "", ".seg", numbers);
}

uint64_t
segment_newest(const char *state_dir)
{
	uint64_t *numbers, newest;
	size_t count = list_all(state_dir, &numbers);
	int error = errno;

	newest = count > 0 ? numbers[count - 1] : 0;
	free(numbers);
	errno = error;
	return newest;
}

static ssize_t
read_at(int fd, uint8_t *to, size_t size, size_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(fd, to + done, size - done, (off_t)(at + done));

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Behind the last byte that is not zero. */
static size_t
nonzero_end(const uint8_t *bytes, size_t size)
{
	while (size > 0 && bytes[size - 1] == 0)
		size--;
	return size;
}

int
segment_is_begun(const char *state_dir, uint64_t number)
{
	uint8_t frame[RECORD_FRAME_HEADER];
	char path[SEGMENT_PATH];
	ssize_t got;
	int fd;

	segment_path(path, sizeof path, state_dir, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 && file_is_unknown(errno))
		return -1;
	if (fd == -1)
		return errno != ENOENT;
	got = read_at(fd, frame, sizeof frame, RECORD_SEGMENT_HEADER);
	close(fd);
	/* What cannot be read is for those to tell who want to read it. */
	return got == -1 || nonzero_end(frame, (size_t)got) > 0;
}

size_t
segment_list(const char *state_dir, uint64_t **numbers)
{
	size_t count = list_all(state_dir, numbers);
	int error = errno, begun = 0;

	while (count > 0 && (begun = segment_is_begun(state_dir, (*numbers)[count - 1])) == 0)
		count--;
	if (begun == -1) {
		error = errno;
		count = 0;
	}
	if (count == 0) {
		free(*numbers);
		*numbers = NULL;
	}
	errno = error;
	return count;
}

/* Frames may end in zeros of their own. */
static size_t
end_of_frames(const uint8_t *bytes, size_t size)
{
	size_t at = RECORD_SEGMENT_HEADER, frame, nonzero = nonzero_end(bytes, size);
	struct record record;

	while (at < size && record_parse(bytes + at, size - at, &record, &frame) == 1)
		at += frame;
	return at > nonzero ? at : nonzero;
}

/* What stands in it up to its end; NULL and errno. */
static uint8_t *
read_whole(int fd, size_t *end)
{
	struct stat info;
	uint8_t *bytes;
	ssize_t got;

	if (fstat(fd, &info) == -1)
		return NULL;
	bytes = mem_zero((size_t)info.st_size + 1);
	got = read_at(fd, bytes, (size_t)info.st_size, 0);
	if (got == -1) {
		free(bytes);
		return NULL;
	}
	*end = got <= RECORD_SEGMENT_HEADER ? (size_t)got : end_of_frames(bytes, (size_t)got);
	return bytes;
}

int
segment_trim(int fd, struct segment_digest *digest)
{
	size_t end;
	uint8_t *bytes = read_whole(fd, &end);

	if (bytes == NULL)
		return -1;
	digest->size += end;
	digest->crc = str_crc32c(digest->crc, bytes, end);
	free(bytes);
	return ftruncate(fd, (off_t)end);
}

int
segment_write_again(int fd, struct segment_digest *digest)
{
	size_t end;
	uint8_t *bytes = read_whole(fd, &end);
	int result;

	/* Whoever compares sees that it is missing. */
	if (bytes == NULL)
		return 0;
	digest->size += end;
	digest->crc = str_crc32c(digest->crc, bytes, end);
	result = file_write(fd, bytes, end, 0);
	free(bytes);
	return result;
}

uint64_t
segment_bytes(const char *state_dir)
{
	char path[SEGMENT_PATH];
	uint64_t *numbers, bytes = 0;
	size_t count = segment_list(state_dir, &numbers);

	for (size_t i = 0; i < count; i++) {
		struct stat info;

		segment_path(path, sizeof path, state_dir, numbers[i]);
		if (stat(path, &info) == 0)
			bytes += (uint64_t)info.st_size;
	}
	free(numbers);
	return bytes;
}

static void
put_le(uint8_t *to, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

void
segment_header(uint8_t header[RECORD_SEGMENT_HEADER], uint64_t number, int64_t wall)
{
	memcpy(header, "PWJRNL01", 8);
	put_le(header + 8, number, 8);
	put_le(header + 16, (uint64_t)wall, 8);
	put_le(header + 24, str_crc32c(0, header, 24), 4);
}

bool
segment_header_check(const uint8_t header[RECORD_SEGMENT_HEADER], uint64_t number)
{
	uint8_t tail[8], wanted[8];

	put_le(tail, str_crc32c(0, header, 24), 4);
	put_le(wanted, number, 8);
	return memcmp(header, "PWJRNL01", 8) == 0 && memcmp(header + 8, wanted, 8) == 0 &&
		memcmp(header + 24, tail, 4) == 0;
}

int
segment_sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved, result;

	if (fd == -1)
		return -1;
	result = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

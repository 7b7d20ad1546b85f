#include "journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
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

size_t
segment_list(const char *state_dir, uint64_t **numbers)
{
	char path[SEGMENT_PATH];

	segment_directory(path, sizeof path, state_dir);
	return folder_numbers(path, "", ".seg", numbers);
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

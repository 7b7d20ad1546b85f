#include "journal/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool
parse_name(const char *name, uint64_t *number)
{
	char again[32];
	char *end;

	*number = strtoull(name, &end, 16);
	snprintf(again, sizeof again, "%016llx.seg", (unsigned long long)*number);
	return *number != 0 && strcmp(name, again) == 0;
}

static int
compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

size_t
segment_list(const char *state_dir, uint64_t **numbers)
{
	char path[SEGMENT_PATH];
	struct dirent *entry;
	size_t count = 0;
	uint64_t number;
	DIR *directory;

	*numbers = NULL;
	segment_directory(path, sizeof path, state_dir);
	directory = opendir(path);
	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		if (!parse_name(entry->d_name, &number))
			continue;
		*numbers = mem_grow(*numbers, count + 1, sizeof **numbers);
		(*numbers)[count++] = number;
	}
	closedir(directory);
	if (count > 0)
		qsort(*numbers, count, sizeof **numbers, compare_numbers);
	return count;
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

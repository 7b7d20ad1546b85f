#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
parse_name(const char *name, const char *prefix, const char *suffix, uint64_t *number)
{
	size_t length = strlen(prefix);
	char again[80];

	if (strncmp(name, prefix, length) != 0)
		return false;
	*number = strtoull(name + length, NULL, 16);
	snprintf(again, sizeof again, "%s%016llx%s", prefix, (unsigned long long)*number, suffix);
	return *number != 0 && strcmp(name, again) == 0;
}

static int
compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

size_t
folder_numbers(const char *path, const char *prefix, const char *suffix, uint64_t **numbers)
{
	DIR *directory = opendir(path);
	size_t count = 0, room = 0;
	struct dirent *entry;
	uint64_t number;
	int error;

	*numbers = NULL;
	if (directory == NULL) {
		if (errno == ENOENT)
			errno = 0;
		return 0;
	}
	while (errno = 0, (entry = readdir(directory)) != NULL) {
		if (!parse_name(entry->d_name, prefix, suffix, &number))
			continue;
		if (count == room) {
			room = 2 * room + 16;
			*numbers = mem_grow(*numbers, room, sizeof **numbers);
		}
		(*numbers)[count++] = number;
	}
	error = errno;
	closedir(directory);
	if (error != 0) {
		free(*numbers);
		*numbers = NULL;
		count = 0;
	}
	if (count > 0)
		qsort(*numbers, count, sizeof **numbers, compare_numbers);
	errno = error;
	return count;
}

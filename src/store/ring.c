#include "store/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/offsets.h"

static size_t
carry_at(const struct rrd_head *head, size_t rra, size_t ds)
{
	uint64_t ds_count = offsets_number(head->bytes, OFFSETS_DS_COUNT);
	uint64_t rra_count = offsets_number(head->bytes, OFFSETS_RRA_COUNT);

	return offsets_carry(ds_count, rra_count) + RING_CARRY * (rra * ds_count + ds);
}

const uint8_t *
ring_carry(const struct rrd_head *head, size_t rra, size_t ds)
{
	return head->bytes + carry_at(head, rra, ds);
}

static uint64_t
rows_of(const struct rrd_head *head, size_t rra)
{
	uint64_t ds_count = offsets_number(head->bytes, OFFSETS_DS_COUNT);

	return offsets_number(head->bytes, OFFSETS_STATIC + OFFSETS_DEFINITION * (ds_count + rra) + OFFSETS_ROWS);
}

/* The newest row stands where the pointer says, the oldest behind it. */
static int
write_rows(int fd, const struct rrd_head *head, size_t rra, const double *values, size_t rows,
	size_t ds_count)
{
	size_t pointers = OFFSETS_POINTER * offsets_number(head->bytes, OFFSETS_RRA_COUNT);
	uint64_t newest = offsets_number(head->bytes, head->size - pointers + OFFSETS_POINTER * rra);
	size_t row = ds_count * sizeof *values, at = head->size, older;

	if (rows_of(head, rra) != rows || newest >= rows) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < rra; i++)
		at += rows_of(head, i) * row;
	older = rows - 1 - newest;
	if (file_write(fd, values, older * row, at + (newest + 1) * row) == -1)
		return -1;
	return file_write(fd, values + older * ds_count, (rows - older) * row, at);
}

int
ring_fill(struct rrd_place place, size_t rra, const double *values, size_t rows,
	size_t ds_count, const uint8_t *carry, struct fail *why)
{
	char *path = mem_format("%s/%s", place.root, place.file);
	struct rrd_head head = { 0 };
	int fd = -1, result = rrd_file_head(place, &head, why);

	if (result == 0) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		errno = fd == -1 ? errno : EINVAL;
		if (fd == -1 || offsets_number(head.bytes, OFFSETS_DS_COUNT) != ds_count ||
			offsets_number(head.bytes, OFFSETS_RRA_COUNT) <= rra ||
			write_rows(fd, &head, rra, values, rows, ds_count) == -1 ||
			file_write(fd, carry, RING_CARRY * ds_count, carry_at(&head, rra, 0)) == -1)
			result = -1;
		if (result == -1)
			fail_set(why, "%s: cannot be filled: %s", path, strerror(errno));
	}
	if (fd != -1)
		close(fd);
	free(head.bytes);
	free(path);
	return result;
}

#include "store/checkpoint.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/packed.h"

#define MAGIC "PWCKPT02"
#define MAGIC_1 "PWCKPT01"
#define HEAD 44
#define RUNS_MOST 100000000 /* more series than a journal can follow */

static int
fail_errno(struct fail *why, const char *path)
{
	fail_set(why, "%s: %s", path, strerror(errno));
	return -1;
}

static uint8_t *
read_whole(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = NULL;
	struct stat info;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &info) == 0) {
		bytes = mem_zero((size_t)info.st_size);
		*size = (size_t)info.st_size;
		if (read(fd, bytes, *size) != info.st_size) {
			free(bytes);
			bytes = NULL;
			errno = EIO;
		}
	}
	close(fd);
	return bytes;
}

/* ---- runs ---- */

/* Runs of neighbours that are alike. */
struct group {
	uint32_t id, count; /* of the first; ids grow by one */
	uint8_t reason;
	int64_t first, last;
};

static bool
goes_on(const struct group *group, const struct ledger_run *run)
{
	return group->count > 0 && run->series == group->id + group->count &&
		run->reason == group->reason && run->first == group->first &&
		run->last == group->last;
}

static void
put_varint(struct record_buffer *buffer, uint64_t number)
{
	uint8_t octets[10];

	record_put(buffer, octets, packed_put_number(octets, number));
}

static void
put_group(struct record_buffer *buffer, const struct group *group, const struct group *former)
{
	put_varint(buffer, group->count);
	put_varint(buffer, group->id - (former->id + former->count - 1));
	record_put_u8(buffer, group->reason);
	put_varint(buffer, packed_zigzag(group->first - former->first));
	put_varint(buffer, packed_zigzag(group->last - former->last));
}

struct groups {
	struct record_buffer *buffer;
	struct group former, group;
	uint32_t runs;
};

static void
end_group(struct groups *groups)
{
	if (groups->group.count > 0)
		put_group(groups->buffer, &groups->group, &groups->former);
	groups->former = groups->group;
}

static void
put_run(struct groups *groups, const struct ledger_run *run)
{
	groups->runs++;
	if (goes_on(&groups->group, run)) {
		groups->group.count++;
		return;
	}
	if (groups->group.count > 0)
		end_group(groups);
	groups->group = (struct group){ run->series, 1, run->reason, run->first, run->last };
}

/* How many. */
static uint32_t
put_runs(struct record_buffer *buffer, const struct checkpoint *checkpoint)
{
	struct groups groups = { .buffer = buffer, .former = { .count = 1 } };
	uint32_t last = checkpoint->ledger != NULL ? ledger_last_id(checkpoint->ledger) : 0;
	struct ledger_run run;

	for (uint32_t id = 1; id <= last; id++)
		if (ledger_open_run(checkpoint->ledger, id, &run))
			put_run(&groups, &run);
	for (size_t i = 0; i < checkpoint->open_count; i++)
		put_run(&groups, &checkpoint->open[i]);
	end_group(&groups);
	return groups.runs;
}

static uint64_t
get_varint(struct record_cursor *at)
{
	uint64_t number = 0;
	uint8_t octet = 0x80;

	for (unsigned shift = 0; shift < 64 && (octet & 0x80) != 0; shift += 7) {
		octet = record_get_u8(at);
		number |= (uint64_t)(octet & 0x7f) << shift;
	}
	return number;
}

/* The group behind the former one, of at most that many runs; -1: there is none. */
static int
get_group(struct record_cursor *at, size_t most, struct group *group)
{
	struct group former = *group;
	uint64_t count = get_varint(at), distance = get_varint(at);
	uint64_t id = (uint64_t)former.id + former.count - 1 + distance;

	if (count == 0 || count > most || distance == 0 || distance > UINT32_MAX ||
		id + count - 1 > UINT32_MAX)
		return -1;
	group->id = (uint32_t)id;
	group->count = (uint32_t)count;
	group->reason = record_get_u8(at);
	group->first = (int64_t)((uint64_t)former.first + (uint64_t)packed_unzigzag(get_varint(at)));
	group->last = (int64_t)((uint64_t)former.last + (uint64_t)packed_unzigzag(get_varint(at)));
	return at->failed ? -1 : 0;
}

static int
get_runs(struct record_cursor *at, struct ledger_run *runs, size_t count)
{
	struct group group = { .count = 1 };

	for (size_t done = 0; done < count; done += group.count) {
		if (get_group(at, count - done, &group) == -1)
			return -1;
		for (uint32_t i = 0; i < group.count; i++) {
			runs[done + i].series = group.id + i;
			runs[done + i].reason = group.reason;
			runs[done + i].first = group.first;
			runs[done + i].last = group.last;
		}
	}
	return at->at == at->end ? 0 : -1;
}

static int
get_runs_1(struct record_cursor *at, struct ledger_run *runs, size_t count)
{
	if ((size_t)(at->end - at->at) != count * LEDGER_RUN_SIZE)
		return -1;
	for (size_t i = 0; i < count; i++, at->at += LEDGER_RUN_SIZE)
		if (ledger_run_get(at->at, &runs[i]) == -1)
			return -1;
	return 0;
}

/* ---- the file ---- */

static int
parse(const uint8_t *bytes, size_t size, struct checkpoint *checkpoint)
{
	struct record_cursor at = { bytes + 8, bytes + size - 4, false };
	struct record_cursor crc = { bytes + size - 4, bytes + size, false };
	bool is_1 = size >= HEAD + 4 && memcmp(bytes, MAGIC_1, 8) == 0;

	if (size < HEAD + 4 || (!is_1 && memcmp(bytes, MAGIC, 8) != 0) ||
		str_crc32c(0, bytes, size - 4) != record_get_u32(&crc))
		return -1;
	checkpoint->generation = record_get_u64(&at);
	checkpoint->position.segment = record_get_u64(&at);
	checkpoint->position.offset = record_get_u64(&at);
	checkpoint->ledger_length = record_get_u64(&at);
	checkpoint->open_count = record_get_u32(&at);
	if (checkpoint->open_count > RUNS_MOST)
		return -1;
	checkpoint->open = mem_array(checkpoint->open_count, sizeof *checkpoint->open);
	return is_1 ? get_runs_1(&at, checkpoint->open, checkpoint->open_count) :
		get_runs(&at, checkpoint->open, checkpoint->open_count);
}

int
checkpoint_read(const char *state_dir, struct checkpoint *checkpoint, struct fail *why)
{
	char path[SEGMENT_PATH];
	uint8_t *bytes;
	size_t size = 0;
	int result;

	*checkpoint = (struct checkpoint){ 0 };
	snprintf(path, sizeof path, "%s/checkpoint", state_dir);
	bytes = read_whole(path, &size);
	if (bytes == NULL)
		return errno == ENOENT ? 0 : fail_errno(why, path);
	result = parse(bytes, size, checkpoint);
	free(bytes);
	if (result == 0)
		return 1;
	free(checkpoint->open);
	*checkpoint = (struct checkpoint){ 0 };
	fail_set(why, "%s: damaged", path);
	return -1;
}

static void
build(struct record_buffer *buffer, const struct checkpoint *checkpoint)
{
	uint32_t count;
	size_t at;

	record_put(buffer, MAGIC, 8);
	record_put_u64(buffer, checkpoint->generation);
	record_put_u64(buffer, checkpoint->position.segment);
	record_put_u64(buffer, checkpoint->position.offset);
	record_put_u64(buffer, checkpoint->ledger_length);
	at = buffer->used;
	record_put_u32(buffer, 0); /* known at the end */
	count = htole32(put_runs(buffer, checkpoint));
	memcpy(buffer->bytes + at, &count, sizeof count);
	record_put_u32(buffer, str_crc32c(0, buffer->bytes, buffer->used));
}

static int
write_synced(const char *path, const struct record_buffer *buffer)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640), saved;

	if (fd == -1)
		return -1;
	if (file_write(fd, buffer->bytes, buffer->used, 0) == 0 && fsync(fd) == 0)
		return close(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
checkpoint_write(const char *state_dir, const struct checkpoint *checkpoint, struct fail *why)
{
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH];
	struct record_buffer buffer = { 0 };
	int result = 0;

	snprintf(path, sizeof path, "%s/checkpoint", state_dir);
	snprintf(temporary, sizeof temporary, "%s/checkpoint.new", state_dir);
	build(&buffer, checkpoint);
	if (write_synced(temporary, &buffer) == -1 || rename(temporary, path) == -1 ||
		segment_sync_path(state_dir) == -1)
		result = fail_errno(why, path);
	record_buffer_free(&buffer);
	return result;
}

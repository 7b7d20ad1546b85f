#include "store/checkpoint.h"

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

#define MAGIC "PWCKPT01"
#define HEAD 44

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

static int
parse(const uint8_t *bytes, size_t size, struct checkpoint *checkpoint)
{
	struct record_cursor at = { bytes + 8, bytes + size, false };
	struct record_cursor crc = { bytes + size - 4, bytes + size, false };

	if (size < HEAD + 4 || memcmp(bytes, MAGIC, 8) != 0 ||
		str_crc32c(0, bytes, size - 4) != record_get_u32(&crc))
		return -1;
	checkpoint->generation = record_get_u64(&at);
	checkpoint->position.segment = record_get_u64(&at);
	checkpoint->position.offset = record_get_u64(&at);
	checkpoint->ledger_length = record_get_u64(&at);
	checkpoint->open_count = record_get_u32(&at);
	if (size != HEAD + checkpoint->open_count * LEDGER_RUN_SIZE + 4)
		return -1;
	checkpoint->open = mem_array(checkpoint->open_count, sizeof *checkpoint->open);
	for (size_t i = 0; i < checkpoint->open_count; i++)
		if (ledger_run_get(bytes + HEAD + i * LEDGER_RUN_SIZE, &checkpoint->open[i]) == -1)
			return -1;
	return 0;
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
	record_put(buffer, MAGIC, 8);
	record_put_u64(buffer, checkpoint->generation);
	record_put_u64(buffer, checkpoint->position.segment);
	record_put_u64(buffer, checkpoint->position.offset);
	record_put_u64(buffer, checkpoint->ledger_length);
	record_put_u32(buffer, (uint32_t)checkpoint->open_count);
	for (size_t i = 0; i < checkpoint->open_count; i++) {
		uint8_t run[LEDGER_RUN_SIZE];

		ledger_run_put(run, &checkpoint->open[i]);
		record_put(buffer, run, sizeof run);
	}
	record_put_u32(buffer, str_crc32c(0, buffer->bytes, buffer->used));
}

static int
write_synced(const char *path, const struct record_buffer *buffer)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640), saved;
	ssize_t done;

	if (fd == -1)
		return -1;
	done = write(fd, buffer->bytes, buffer->used);
	if (done == (ssize_t)buffer->used && fsync(fd) == 0)
		return close(fd);
	saved = done >= 0 && done < (ssize_t)buffer->used ? ENOSPC : errno;
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

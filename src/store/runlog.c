#include "store/runlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/str.h"
#include "journal/record.h"
#include "journal/segment.h"
#include "store/checkpoint.h"

#define MAGIC "PWRUNS02"
#define HEAD 48
#define HEAD_SYNCED 32 /* where the end of what is synced stands */
#define READ_RUNS 4096

static int
fail_errno(struct fail *why, const char *path)
{
	int saved = errno;

	fail_set(why, "%s: %s", path, strerror(errno));
	errno = saved;
	return -1;
}

static void
file_path(char *to, size_t size, const char *state_dir, const struct runlog_file *file)
{
	if (file->headless)
		snprintf(to, size, "%s/ledger/runs", state_dir);
	else
		snprintf(to, size, "%s/ledger/runs-%016llx", state_dir,
			(unsigned long long)file->first);
}

static off_t
offset_of(const struct runlog_file *file, uint64_t number)
{
	return (off_t)((file->headless ? 0 : HEAD) + (number - file->first) * LEDGER_RUN_SIZE);
}

/* ---- heads ---- */

static void
put_synced(uint8_t to[16], uint64_t end)
{
	struct record_buffer buffer = { 0 };

	record_put_u64(&buffer, end);
	record_put_u32(&buffer, str_crc32c(0, buffer.bytes, 8));
	record_put_u32(&buffer, 0);
	memcpy(to, buffer.bytes, 16);
	record_buffer_free(&buffer);
}

static void
put_head(uint8_t to[HEAD], const struct runlog_file *file)
{
	struct record_buffer buffer = { 0 };

	record_put(&buffer, MAGIC, 8);
	record_put_u64(&buffer, file->first);
	record_put_u64(&buffer, (uint64_t)file->made);
	record_put_u32(&buffer, 0);
	record_put_u32(&buffer, str_crc32c(0, buffer.bytes, 28));
	memcpy(to, buffer.bytes, HEAD_SYNCED);
	put_synced(to + HEAD_SYNCED, file->first);
	record_buffer_free(&buffer);
}

static bool
take_head(struct runlog_file *file, const uint8_t bytes[HEAD])
{
	struct record_cursor at = { bytes + 8, bytes + HEAD, false };
	uint64_t first = record_get_u64(&at), synced;

	file->made = (int64_t)record_get_u64(&at);
	record_get_u32(&at);
	if (memcmp(bytes, MAGIC, 8) != 0 || first != file->first ||
		record_get_u32(&at) != str_crc32c(0, bytes, 28))
		return false;
	synced = record_get_u64(&at);
	if (record_get_u32(&at) == str_crc32c(0, bytes + HEAD_SYNCED, 8) && synced <= file->end)
		file->synced = synced;
	return true;
}

/* What the file says of itself. False when it has gone or its head is wrong. */
static int
look_at(const char *state_dir, struct runlog_file *file)
{
	char path[SEGMENT_PATH];
	uint8_t head[HEAD];
	off_t begin = file->headless ? 0 : HEAD;
	struct stat info;
	bool good = false;
	int fd;

	file_path(path, sizeof path, state_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return file_is_unknown(errno) ? -1 : 0;
	if (fstat(fd, &info) == 0 && info.st_size >= begin) {
		file->end = file->first + (uint64_t)(info.st_size - begin) / LEDGER_RUN_SIZE;
		file->synced = file->first;
		good = file->headless || (pread(fd, head, HEAD, 0) == HEAD && take_head(file, head));
	}
	close(fd);
	return good;
}

size_t
runlog_list(const char *state_dir, struct runlog_file **files, uint64_t *damaged)
{
	struct runlog_file headless = { .first = 1, .headless = true };
	char directory[SEGMENT_PATH];
	uint64_t *numbers;
	size_t all, count = 0;
	int error, good;

	snprintf(directory, sizeof directory, "%s/ledger", state_dir);
	all = folder_numbers(directory, "runs-", "", &numbers);
	error = all == 0 ? errno : 0;
	*files = mem_grow(NULL, all + 1, sizeof **files);
	good = look_at(state_dir, &headless);
	if (good == 1)
		(*files)[count++] = headless;
	for (size_t i = 0; i < all && good != -1; i++) {
		struct runlog_file file = { .first = numbers[i] };

		good = look_at(state_dir, &file);
		if (good == 1)
			(*files)[count++] = file;
		*damaged += good == 0;
	}
	if (good == -1)
		error = errno;
	free(numbers);
	errno = error;
	return error == 0 ? count : 0;
}

int
runlog_read(const char *state_dir, const struct runlog_file *file, uint64_t from, uint64_t end,
	void (*take)(void *arg, const struct ledger_run *run, uint64_t number), void *arg,
	uint64_t *damaged, struct fail *why)
{
	static uint8_t bytes[READ_RUNS * LEDGER_RUN_SIZE];
	char path[SEGMENT_PATH];
	int fd, result = 0;

	from = from < file->first ? file->first : from;
	end = end > file->end ? file->end : end;
	file_path(path, sizeof path, state_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return fail_errno(why, path);
	while (from < end && result == 0) {
		size_t wanted = end - from < READ_RUNS ? (size_t)(end - from) : READ_RUNS;
		ssize_t got = pread(fd, bytes, wanted * LEDGER_RUN_SIZE, offset_of(file, from));

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			result = fail_errno(why, path);
		if (got < LEDGER_RUN_SIZE) {
			*damaged += result == 0 ? end - from : 0;
			break;
		}
		for (ssize_t i = 0; i + LEDGER_RUN_SIZE <= got; i += LEDGER_RUN_SIZE, from++) {
			struct ledger_run run;

			if (ledger_run_get(bytes + i, &run) == 0)
				take(arg, &run, from);
			else
				++*damaged;
		}
	}
	close(fd);
	return result;
}

int
runlog_remove(const char *state_dir, const struct runlog_file *file)
{
	char path[SEGMENT_PATH];

	file_path(path, sizeof path, state_dir, file);
	return unlink(path);
}

/* ---- the file that grows ---- */

struct runlog {
	char *state_dir, path[SEGMENT_PATH];
	struct runlog_file file; /* while fd is open */
	int fd;
	uint64_t next;
};

static void
note_whole(void *arg, const struct ledger_run *run, uint64_t number)
{
	uint64_t *end = arg;

	(void)run;
	if (number == *end)
		++*end;
}

static void
close_current(struct runlog *log)
{
	if (log->fd != -1)
		close(log->fd);
	log->fd = -1;
}

/* Opens the file for appending at its `end`, where it is cut. */
static int
open_current(struct runlog *log, const struct runlog_file *file, struct fail *why)
{
	log->file = *file;
	file_path(log->path, sizeof log->path, log->state_dir, file);
	log->fd = open(log->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (log->fd == -1 || ftruncate(log->fd, offset_of(file, file->end)) == -1)
		return fail_errno(why, log->path);
	return 0;
}

static int
take_up(struct runlog *log, struct runlog_file *files, size_t count, uint64_t end,
	struct fail *why)
{
	uint64_t damaged = 0;

	for (size_t i = 0; i < count; i++) {
		struct runlog_file *file = &files[i];
		uint64_t whole = end < file->first ? file->first : end;

		/* Behind a torn file nothing can be trusted to be the next. */
		if (i > 0 && file->first > end && files[i - 1].end < file->first) {
			if (runlog_remove(log->state_dir, file) == -1)
				return fail_errno(why, log->state_dir);
			file->end = files[i - 1].end;
			continue;
		}
		if (runlog_read(log->state_dir, file, whole, UINT64_MAX, note_whole, &whole,
				&damaged, why) == -1)
			return -1;
		if (whole < file->end)
			file->end = whole;
		close_current(log);
		if (open_current(log, file, why) == -1)
			return -1;
		log->next = file->end;
	}
	return 0;
}

int
runlog_raise(const char *state_dir, uint64_t next, struct fail *why)
{
	char *directory = mem_format("%s/ledger", state_dir);
	char *path = mem_format("%s/next", directory);
	FILE *file = NULL;
	int result = -1;

	if (mkdir(directory, 0750) == 0 || errno == EEXIST)
		file = fopen(path, "we");
	if (file != NULL) {
		result = fprintf(file, "%llu\n", (unsigned long long)next) > 0 ? 0 : -1;
		if (fclose(file) != 0)
			result = -1;
	}
	if (result == -1)
		fail_errno(why, path);
	free(path);
	free(directory);
	return result;
}

void
runlog_sweep(const char *state_dir, uint64_t end)
{
	char directory[SEGMENT_PATH], path[SEGMENT_PATH];
	uint64_t *numbers;
	size_t count;

	snprintf(directory, sizeof directory, "%s/ledger", state_dir);
	count = folder_numbers(directory, "runs-", "", &numbers);
	for (size_t i = 0; i < count; i++) {
		struct runlog_file file = { .first = numbers[i] };
		struct stat info;

		file_path(path, sizeof path, state_dir, &file);
		if (file.first >= end && lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
			info.st_size < HEAD)
			unlink(path);
	}
	free(numbers);
}

/* What runlog_raise has left; 0 without. */
static uint64_t
raised_to(const char *state_dir)
{
	char *path = mem_format("%s/ledger/next", state_dir);
	FILE *file = fopen(path, "re");
	unsigned long long next = 0;

	if (file != NULL && fscanf(file, "%20llu", &next) != 1)
		next = 0;
	if (file != NULL)
		fclose(file);
	free(path);
	return next;
}

struct runlog *
runlog_open(const char *state_dir, uint64_t end, uint64_t next, struct fail *why)
{
	struct runlog *log = mem_zero(sizeof *log);
	struct runlog_file *files;
	uint64_t damaged = 0;
	size_t count = runlog_list(state_dir, &files, &damaged);
	int result;

	log->state_dir = mem_text(state_dir);
	log->fd = -1;
	log->next = 1;
	result = count == 0 && errno != 0 ? fail_errno(why, state_dir) :
		take_up(log, files, count, end, why);
	free(files);
	if (result == -1) {
		runlog_close(log);
		return NULL;
	}
	/* Runs that a checkpoint knew are not there: their numbers are not given again. */
	if (next < raised_to(state_dir))
		next = raised_to(state_dir);
	if (log->next < next) {
		log->next = next;
		close_current(log);
	}
	return log;
}

void
runlog_close(struct runlog *log)
{
	if (log == NULL)
		return;
	close_current(log);
	free(log->state_dir);
	free(log);
}

uint64_t
runlog_next(const struct runlog *log)
{
	return log->next;
}

const struct runlog_file *
runlog_current(const struct runlog *log)
{
	return log->fd == -1 ? NULL : &log->file;
}

void
runlog_rotate(struct runlog *log)
{
	close_current(log);
}

static int
write_at(struct runlog *log, const uint8_t *bytes, size_t size, off_t offset, struct fail *why)
{
	return file_write(log->fd, bytes, size, (uint64_t)offset) == 0 ? 0 :
		fail_errno(why, log->path);
}

static int
begin_file(struct runlog *log, int64_t wall, struct fail *why)
{
	char directory[SEGMENT_PATH];
	uint8_t head[HEAD];

	log->file = (struct runlog_file){ .first = log->next, .end = log->next,
		.synced = log->next, .made = wall };
	file_path(log->path, sizeof log->path, log->state_dir, &log->file);
	snprintf(directory, sizeof directory, "%s/ledger", log->state_dir);
	put_head(head, &log->file);
	log->fd = open(log->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log->fd == -1)
		return fail_errno(why, log->path);
	if (write_at(log, head, sizeof head, 0, why) == 0 && fsync(log->fd) == 0 &&
		segment_sync_path(directory) == 0)
		return 0;
	fail_errno(why, log->path);
	close_current(log);
	unlink(log->path);
	return -1;
}

int
runlog_append(struct runlog *log, const struct ledger_run *runs, size_t count, int64_t wall,
	struct fail *why)
{
	uint8_t *bytes, synced[16];
	int result = 0;

	if (count == 0)
		return 0;
	if (log->fd == -1 && begin_file(log, wall, why) == -1)
		return -1;
	bytes = mem_array(count, LEDGER_RUN_SIZE);
	for (size_t i = 0; i < count; i++)
		ledger_run_put(bytes + i * LEDGER_RUN_SIZE, &runs[i]);
	/* At the known end: what a failed attempt left behind is written over. */
	result = write_at(log, bytes, count * LEDGER_RUN_SIZE, offset_of(&log->file, log->next),
		why);
	free(bytes);
	if (result == 0 && fdatasync(log->fd) == -1)
		result = fail_errno(why, log->path);
	if (result == -1)
		return -1;
	log->next += count;
	log->file.end = log->file.synced = log->next;
	put_synced(synced, log->next);
	/* Lost, it costs readers a minute of waiting for the checkpoint. */
	if (!log->file.headless)
		write_at(log, synced, sizeof synced, HEAD_SYNCED, NULL);
	return 0;
}

#include "journal/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "journal/aside.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "journal/segment.h"

static void
raise_to(uint32_t *number, uint32_t next)
{
	if (next > *number)
		*number = next;
}

/* Only the beginnings of the bodies, see alarm/transition.h and alarm/alarms.h. */
static void
take(const struct record *record, void *arg)
{
	struct numbers *numbers = arg;
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	uint32_t sequence, id;

	numbers->record = record->sequence;
	if (record->kind != KIND_ALARM && record->kind != KIND_ALARM_STATE &&
		record->kind != KIND_NUMBERS)
		return;
	sequence = record_get_u32(&cursor);
	id = record_get_u32(&cursor);
	if (cursor.failed)
		return;
	raise_to(&numbers->next_sequence, sequence + (record->kind == KIND_ALARM));
	raise_to(&numbers->next_id, id + (record->kind == KIND_ALARM));
}

int
numbers_read(const char *state_dir, const char *run_dir, struct numbers *numbers,
	struct fail *why)
{
	struct reader_position from = { reader_newest_snapshot(state_dir, why), 0 };
	struct reader *reader = reader_open(state_dir, &from, why);
	struct record record;
	uint64_t newest;
	int got = -1;

	*numbers = (struct numbers){ .next_sequence = 1, .next_id = 1 };
	while (reader != NULL && (got = reader_next(reader, &record, why)) == 1)
		take(&record, numbers);
	reader_close(reader);
	newest = numbers->record;
	if (got == 0 && run_dir != NULL)
		got = aside_read(state_dir, run_dir, &newest, take, numbers, why);
	return got == 0 ? 0 : -1;
}

static void
build(struct record_buffer *buffer, uint64_t segment, const struct numbers *numbers)
{
	uint8_t header[RECORD_SEGMENT_HEADER];
	struct timespec now;
	size_t frame;

	clock_gettime(CLOCK_REALTIME, &now);
	segment_header(header, segment, now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	record_put(buffer, header, sizeof header);
	frame = record_begin(buffer, KIND_NUMBERS, numbers->record + 1);
	record_put_u32(buffer, numbers->next_sequence);
	record_put_u32(buffer, numbers->next_id);
	record_end(buffer, frame);
}

int
numbers_raise(const char *state_dir, const struct numbers *numbers, struct fail *why)
{
	struct record_buffer buffer = { 0 };
	char path[SEGMENT_PATH], directory[SEGMENT_PATH];
	uint64_t next = segment_newest(state_dir) + 1;
	int fd, result = -1;

	segment_directory(directory, sizeof directory, state_dir);
	if (next == 1 && errno != 0) {
		fail_set(why, "%s: %s", directory, strerror(errno));
		return -1;
	}
	segment_path(path, sizeof path, state_dir, next);
	build(&buffer, next, numbers);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd != -1 && file_write(fd, buffer.bytes, buffer.used, 0) == 0 &&
		fsync(fd) == 0 && segment_sync_path(directory) == 0)
		result = 0;
	if (result == -1)
		fail_set(why, "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	record_buffer_free(&buffer);
	return result;
}

#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "journal/segment.h"

/* At the end of what is written zeros follow, so reading goes by small steps there. */
#define READ_LEAST (16u << 10)
#define READ_MOST (256u << 10)
#define LIST_EACH 16 /* looks */

struct reader {
	char *state_dir;
	int fd;               /* -1 between segments */
	uint64_t segment;     /* the open one, or the last one left; 0 = none yet */
	uint64_t offset;      /* in the segment, of bytes[0] */
	uint64_t begin;       /* wanted first offset in the next segment to be opened */
	uint64_t returned_segment, returned_offset; /* behind the record last returned */
	uint64_t sequence;    /* of that record */
	bool header_read;
	bool at_head;         /* no record of this segment was returned yet */
	unsigned looks;       /* for its successor */
	uint8_t *bytes;
	size_t used, room, taken; /* bytes[taken..used) are not yet parsed */
	size_t step;          /* bytes that the next read asks for */
};

struct reader *
reader_open(const char *state_dir, const struct reader_position *from, struct fail *why)
{
	struct reader *reader = mem_zero(sizeof *reader);

	(void)why;
	reader->state_dir = mem_text(state_dir);
	reader->fd = -1;
	reader->step = READ_LEAST;
	if (from != NULL && from->segment > 0) {
		/* Left just before it, so that it is the next one if it is still there. */
		reader->segment = from->segment - 1;
		reader->begin = from->offset;
		reader->returned_segment = from->segment;
		reader->returned_offset = from->offset;
	}
	return reader;
}

void
reader_close(struct reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->fd != -1)
		close(reader->fd);
	free(reader->bytes);
	free(reader->state_dir);
	free(reader);
}

struct reader_position
reader_at(const struct reader *reader)
{
	return (struct reader_position){ reader->returned_segment, reader->returned_offset };
}

static int
fail_folder(const struct reader *reader, struct fail *why)
{
	fail_set(why, "%s/journal: %s", reader->state_dir, strerror(errno));
	return -1;
}

/* 1 opened, 0 there is none yet, -1 error. */
static int
open_next_segment(struct reader *reader, struct fail *why)
{
	char path[SEGMENT_PATH];
	uint64_t *numbers, next = 0;
	size_t count = segment_list(reader->state_dir, &numbers);

	for (size_t i = 0; i < count && next == 0; i++)
		if (numbers[i] > reader->segment)
			next = numbers[i];
	if (count == 0 && errno != 0)
		return fail_folder(reader, why);
	free(numbers);
	if (next == 0)
		return 0;
	segment_path(path, sizeof path, reader->state_dir, next);
	/* A look would note its time in the inode each time; an owner may do without. */
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (reader->fd == -1 && errno == EPERM)
		reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader->fd == -1) {
		fail_set(why, "%s: %s", path, strerror(errno));
		return -1;
	}
	reader->offset = next == reader->returned_segment ? reader->begin : 0;
	if (reader->offset < RECORD_SEGMENT_HEADER)
		reader->offset = 0;
	reader->header_read = reader->offset > 0;
	reader->at_head = reader->offset == 0;
	reader->looks = 0;
	reader->segment = next;
	reader->used = reader->taken = 0;
	return 1;
}

/* The store looks twice a second: mostly for the next number only. One that is not there,
 * with others behind it, is found by listing them now and then. 1, 0, -1 error. */
static int
has_successor(struct reader *reader, struct fail *why)
{
	char path[SEGMENT_PATH];
	uint64_t *numbers;
	size_t count;
	int found = 0;

	segment_path(path, sizeof path, reader->state_dir, reader->segment + 1);
	if (access(path, F_OK) == 0)
		found = segment_is_begun(reader->state_dir, reader->segment + 1);
	if (found != 0)
		return found == 1 ? 1 : fail_folder(reader, why);
	if (reader->looks++ % LIST_EACH != 0)
		return 0;
	count = segment_list(reader->state_dir, &numbers);
	if (count == 0 && errno != 0)
		return fail_folder(reader, why);
	found = count > 0 && numbers[count - 1] > reader->segment;
	free(numbers);
	return found;
}

/* Bytes read, 0 at the end, -1 error. */
static ssize_t
read_more(struct reader *reader, struct fail *why)
{
	ssize_t got;

	if (reader->taken > 0) {
		memmove(reader->bytes, reader->bytes + reader->taken, reader->used - reader->taken);
		reader->offset += reader->taken;
		reader->used -= reader->taken;
		reader->taken = 0;
	}
	if (reader->room - reader->used < READ_MOST) {
		reader->room = reader->used + 2 * READ_MOST;
		reader->bytes = mem_grow(reader->bytes, reader->room, 1);
	}
	do
		got = pread(reader->fd, reader->bytes + reader->used, reader->step,
			(off_t)(reader->offset + reader->used));
	while (got == -1 && errno == EINTR);
	if (got == -1)
		fail_set(why, "%s/journal/%016llx.seg: %s", reader->state_dir,
			(unsigned long long)reader->segment, strerror(errno));
	else
		reader->used += (size_t)got;
	reader->step = reader->step < READ_MOST ? 2 * reader->step : READ_MOST;
	return got;
}

/* 1 a record, 0 not all there, -1 damaged. */
static int
parse_one(struct reader *reader, struct record *record)
{
	const uint8_t *at = reader->bytes + reader->taken;
	size_t size = reader->used - reader->taken, frame;
	int got;

	if (!reader->header_read) {
		if (size < RECORD_SEGMENT_HEADER)
			return 0;
		if (!segment_header_check(at, reader->segment))
			return -1;
		reader->header_read = true;
		reader->taken += RECORD_SEGMENT_HEADER;
		return parse_one(reader, record);
	}
	got = record_parse(at, size, record, &frame);
	if (got == 1)
		reader->taken += frame;
	return got;
}

/* What was parsed as "not all there" or "damaged" may only have been in the middle of being
 * written, so it is read afresh the next time. */
static void
forget_unparsed(struct reader *reader)
{
	reader->used = reader->taken;
	reader->step = READ_LEAST;
}

/* 1 a record, 0 nothing more in this segment for now, -1 error. */
static int
next_in_segment(struct reader *reader, struct record *record, struct fail *why)
{
	bool fresh = false; /* all bytes were read within this call */

	for (;;) {
		int got = reader->used > reader->taken ? parse_one(reader, record) : 0;
		ssize_t more;

		if (got == 1)
			return 1;
		if (got == -1) {
			forget_unparsed(reader);
			if (fresh)
				return 0;
			fresh = true;
		}
		more = read_more(reader, why);
		if (more <= 0) {
			forget_unparsed(reader);
			return (int)more;
		}
	}
}

int
reader_next(struct reader *reader, struct record *record, struct fail *why)
{
	for (;;) {
		int last_look, got;

		if (reader->fd == -1 && (got = open_next_segment(reader, why)) != 1)
			return got;
		got = next_in_segment(reader, record, why);
		if (got == 0) {
			/* The successor is made after the last write to this one: seen first,
			 * what a second look does not find will never come. */
			last_look = has_successor(reader, why);
			if (last_look != 1)
				return last_look;
			got = next_in_segment(reader, record, why);
			if (got == 0) {
				close(reader->fd);
				reader->fd = -1;
				continue;
			}
		}
		if (got == -1)
			return -1;
		/* A snapshot begins anew: a poller that came back after its last batch was
		 * cut off counts on from what it found. */
		if (reader->at_head && record->kind == KIND_SNAPSHOT_BEGIN)
			reader->sequence = 0;
		reader->at_head = false;
		if (record->sequence <= reader->sequence)
			continue;
		reader->sequence = record->sequence;
		reader->returned_segment = reader->segment;
		reader->returned_offset = reader->offset + reader->taken;
		return 1;
	}
}

size_t
reader_segments(const char *state_dir, uint64_t **numbers)
{
	return segment_list(state_dir, numbers);
}

static bool
snapshot_is_complete(const char *state_dir, uint64_t segment, struct fail *why)
{
	struct reader_position from = { segment, 0 };
	struct reader *reader = reader_open(state_dir, &from, why);
	bool begun = false, complete = false;
	struct record record;

	while (!complete && reader_next(reader, &record, why) == 1 && reader->segment == segment) {
		if (record.kind == KIND_SNAPSHOT_BEGIN)
			begun = true;
		else if (!begun)
			break;
		complete = record.kind == KIND_SNAPSHOT_END;
	}
	reader_close(reader);
	return complete;
}

uint64_t
reader_newest_snapshot(const char *state_dir, struct fail *why)
{
	return reader_newer_snapshot(state_dir, 0, why);
}

uint64_t
reader_newer_snapshot(const char *state_dir, uint64_t known, struct fail *why)
{
	uint64_t *numbers, found = 0;
	size_t count = segment_list(state_dir, &numbers);

	while (count > 0 && found == 0) {
		count--;
		if ((known != 0 && numbers[count] == known) ||
			snapshot_is_complete(state_dir, numbers[count], why))
			found = numbers[count];
	}
	free(numbers);
	return found;
}

uint64_t
reader_oldest_within(const char *state_dir, uint64_t bytes)
{
	char path[SEGMENT_PATH];
	uint64_t *numbers, oldest = 0, used = 0;
	size_t count = segment_list(state_dir, &numbers);

	for (; count > 0; count--) {
		struct stat info;

		segment_path(path, sizeof path, state_dir, numbers[count - 1]);
		if (stat(path, &info) == 0)
			used += (uint64_t)info.st_size;
		if (used > bytes && oldest != 0)
			break;
		oldest = numbers[count - 1];
	}
	free(numbers);
	return oldest;
}

void
reader_drop_before(const char *state_dir, uint64_t keep)
{
	char path[SEGMENT_PATH];
	uint64_t *numbers;
	size_t count = segment_list(state_dir, &numbers);

	segment_path(path, sizeof path, state_dir, keep);
	if (count > 0 && numbers[0] < keep && segment_sync_path(path) == 0) {
		segment_directory(path, sizeof path, state_dir);
		segment_sync_path(path);
		for (size_t i = 0; i < count && numbers[i] < keep; i++) {
			segment_path(path, sizeof path, state_dir, numbers[i]);
			unlink(path);
		}
	}
	free(numbers);
}

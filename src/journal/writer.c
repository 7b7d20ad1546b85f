#include "journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/reader.h"
#include "journal/segment.h"
#include "journal/whereabouts.h"

#define RETRY_INTERVAL LOOP_S

/* What goes to disk in one piece. */
struct batch {
	struct record_buffer records;
	uint64_t last;    /* sequence of its last record */
	bool new_segment; /* it begins with a snapshot */
};

/* A frame of samples that may still grow. */
struct open_frame {
	bool is_open;
	size_t frame, count_at;
	uint32_t count;
	int64_t slot, step, received;
};

struct writer {
	struct loop *loop;
	struct writer_options options;
	char *state_dir;
	struct writer_events events;
	struct loop_timer commit;
	struct loop_worker *worker;
	struct batch *front, *back; /* back is the worker's while busy, and kept on refusal */
	struct batch batches[2];
	struct open_frame samples;
	bool busy, snapshotting, refused, closing;
	uint64_t next_sequence, committed;
	size_t written; /* committed bytes of the current segment, as the loop knows it */

	/* the worker's while busy */
	int fd;
	uint64_t segment;      /* number of the current file; made when fd != -1 */
	uint64_t segment_told; /* the loop's copy */
	size_t length;         /* committed bytes in it */
	bool poisoned;         /* what lies behind `length` cannot be taken back: go on in a new one */
	bool first_batch;
	int64_t wall;          /* when the batch was handed over */
	bool ran, ok;
	struct fail why;
};

/* ---- in the worker ---- */

static int
fail_path(struct writer *writer, const char *path)
{
	fail_set(&writer->why, "%s: %s", path, strerror(errno));
	return -1;
}

static int
write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, bytes, size);

		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (done == 0)
				errno = ENOSPC;
			return -1;
		}
		bytes += done;
		size -= (size_t)done;
	}
	return 0;
}

/* The end of the former run's last segment was perhaps never synced; what is counted on from
 * there must not be safer than what it counts on. */
static int
sync_predecessor(struct writer *writer)
{
	char path[SEGMENT_PATH];

	if (!writer->first_batch || writer->segment == 0)
		return 0;
	segment_path(path, sizeof path, writer->state_dir, writer->segment);
	if (segment_sync_path(path) == -1 && errno != ENOENT)
		return fail_path(writer, path);
	return 0;
}

static int
make_segment(struct writer *writer)
{
	uint8_t header[RECORD_SEGMENT_HEADER];
	char path[SEGMENT_PATH], directory[SEGMENT_PATH];
	uint64_t number = writer->segment + 1;
	int fd;

	segment_directory(directory, sizeof directory, writer->state_dir);
	segment_path(path, sizeof path, writer->state_dir, number);
	if (mkdir(directory, 0750) == 0)
		segment_sync_path(writer->state_dir);
	if (sync_predecessor(writer) == -1)
		return -1;
	/* Nothing was ever committed in a file that a failed attempt left behind; it keeps its
	 * inode, as the store may have it open. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		return fail_path(writer, path);
	segment_header(header, number, writer->wall);
	if (write_all(fd, header, sizeof header) == -1 || fdatasync(fd) == -1 ||
		segment_sync_path(directory) == -1) {
		fail_path(writer, path);
		close(fd);
		return -1;
	}
	if (writer->fd != -1)
		close(writer->fd);
	writer->fd = fd;
	writer->segment = number;
	writer->length = sizeof header;
	writer->poisoned = writer->first_batch = false;
	return 0;
}

static int
append_batch(struct writer *writer)
{
	const struct record_buffer *records = &writer->back->records;
	int result;

	whereabouts_set(WHERE_JOURNAL, WHERE_WRITE);
	result = write_all(writer->fd, records->bytes, records->used);
	if (result == 0) {
		whereabouts_set(WHERE_JOURNAL, WHERE_FDATASYNC);
		result = fdatasync(writer->fd);
		/* After a failed sync the kernel may call the pages clean: never trust them. */
		if (result == -1)
			writer->poisoned = true;
	}
	whereabouts_set(WHERE_JOURNAL, WHERE_ELSE);
	return result;
}

static void
take_back(struct writer *writer)
{
	if (ftruncate(writer->fd, (off_t)writer->length) == -1 ||
		lseek(writer->fd, (off_t)writer->length, SEEK_SET) == -1)
		writer->poisoned = true;
}

static void
write_batch(void *arg)
{
	struct writer *writer = arg;
	char path[SEGMENT_PATH];

	writer->ran = true;
	writer->ok = false;
	if (writer->events.before_write != NULL &&
		writer->events.before_write(writer->events.arg, &writer->why) == -1)
		return;
	if (writer->fd == -1 || writer->back->new_segment || writer->poisoned) {
		if (make_segment(writer) == -1)
			return;
		writer->back->new_segment = false;
	}
	if (append_batch(writer) == 0) {
		writer->length += writer->back->records.used;
		writer->ok = true;
		return;
	}
	segment_path(path, sizeof path, writer->state_dir, writer->segment);
	fail_path(writer, path);
	take_back(writer);
}

/* ---- on the loop ---- */

static void
end_frame(struct writer *writer)
{
	struct open_frame *open = &writer->samples;
	uint8_t count[4];

	if (!open->is_open)
		return;
	for (int i = 0; i < 4; i++)
		count[i] = (uint8_t)(open->count >> 8 * i);
	memcpy(writer->front->records.bytes + open->count_at, count, sizeof count);
	record_end(&writer->front->records, open->frame);
	open->is_open = false;
}

static void
take_snapshot(struct writer *writer)
{
	writer->front->new_segment = true;
	if (writer->events.snapshot == NULL)
		return;
	writer->snapshotting = true;
	writer_record(writer, KIND_SNAPSHOT_BEGIN, NULL, 0);
	writer->events.snapshot(writer, writer->events.arg);
	writer_record(writer, KIND_SNAPSHOT_END, NULL, 0);
	writer->snapshotting = false;
}

/* The buffers change places. When the segment is full after this batch, the next one begins
 * with a snapshot: taken now, as everything before it is in the batch that leaves. */
static void
change_places(struct writer *writer)
{
	struct batch *batch = writer->front;

	writer->front = writer->back;
	writer->back = batch;
	if (!writer->closing && !batch->new_segment &&
		writer->written + batch->records.used > writer->options.segment_size)
		take_snapshot(writer);
}

static void
commit(void *arg)
{
	struct writer *writer = arg;

	if (writer->busy)
		return;
	end_frame(writer);
	if (writer->back->records.used == 0 && writer->front->records.used > 0)
		change_places(writer);
	if (writer->back->records.used == 0)
		return;
	writer->busy = true;
	writer->ran = false;
	writer->wall = loop_wall(writer->loop);
	if (!loop_worker_kick(writer->worker)) {
		writer->busy = false;
		loop_timer_in(writer->loop, &writer->commit, writer->options.commit_interval);
	}
}

static void
tell_health(struct writer *writer)
{
	bool refused = !writer->ok;

	if (refused != writer->refused && writer->events.health != NULL)
		writer->events.health(refused ? writer->why.text : NULL, writer->events.arg);
	writer->refused = refused;
}

static void
batch_done(void *arg)
{
	struct writer *writer = arg;

	writer->busy = false;
	writer->segment_told = writer->segment;
	writer->written = writer->length;
	tell_health(writer);
	if (writer->ok) {
		writer->committed = writer->back->last;
		writer->back->records.used = 0;
		if (writer->events.committed != NULL)
			writer->events.committed(writer->committed, writer->events.arg);
	}
	/* committed() may have written records and so set the timer already. */
	if (!writer->ok)
		loop_timer_in(writer->loop, &writer->commit, RETRY_INTERVAL);
	else if (writer->front->records.used > 0 && !writer->commit.armed)
		loop_timer_in(writer->loop, &writer->commit, writer->options.commit_interval);
}

struct writer *
writer_open(struct loop *loop, const struct writer_options *options,
	const struct writer_events *events, uint64_t next_sequence, struct fail *why)
{
	struct writer *writer = mem_zero(sizeof *writer);
	uint64_t *numbers;
	size_t count = segment_list(options->state_dir, &numbers);

	writer->loop = loop;
	writer->options = *options;
	writer->state_dir = mem_text(options->state_dir);
	if (options->commit_interval == 0)
		writer->options.commit_interval = 100 * LOOP_MS;
	if (options->segment_size == 0)
		writer->options.segment_size = 16u << 20;
	if (options->memory_budget == 0)
		writer->options.memory_budget = 256u << 20;
	writer->events = *events;
	writer->front = &writer->batches[0];
	writer->back = &writer->batches[1];
	writer->next_sequence = next_sequence;
	writer->committed = next_sequence - 1;
	writer->fd = -1;
	writer->segment = count > 0 ? numbers[count - 1] : 0;
	writer->first_batch = true;
	free(numbers);
	whereabouts_begin(WHERE_JOURNAL);
	loop_timer_init(&writer->commit, commit, writer);
	writer->worker = loop_worker_new(loop, write_batch, batch_done, writer, why);
	if (writer->worker == NULL)
		goto fail;
	take_snapshot(writer);
	return writer;
fail:
	writer_abandon(writer);
	return NULL;
}

void
writer_abandon(struct writer *writer)
{
	if (writer == NULL)
		return;
	loop_worker_free(writer->worker);
	loop_timer_stop(writer->loop, &writer->commit);
	if (writer->fd != -1)
		close(writer->fd);
	record_buffer_free(&writer->batches[0].records);
	record_buffer_free(&writer->batches[1].records);
	free(writer->state_dir);
	free(writer);
}

bool
writer_close(struct writer *writer)
{
	bool all = true;

	if (writer == NULL)
		return true;
	/* Waits for a batch under way; its end is told here in place of done(). */
	loop_worker_free(writer->worker);
	writer->worker = NULL;
	writer->closing = true;
	if (writer->busy && writer->ran)
		batch_done(writer);
	end_frame(writer);
	for (int round = 0; round < 2 && all; round++) {
		if (writer->back->records.used == 0)
			change_places(writer);
		if (writer->back->records.used == 0)
			break;
		write_batch(writer);
		batch_done(writer);
		all = writer->ok;
	}
	writer_abandon(writer);
	return all;
}

static size_t
memory_used(const struct writer *writer)
{
	return writer->front->records.used + writer->back->records.used;
}

bool
writer_full(const struct writer *writer)
{
	return !writer->snapshotting && memory_used(writer) >= writer->options.memory_budget;
}

/* Bookkeeping for a record that was just begun at the end of the front buffer. */
static uint64_t
next_sequence(struct writer *writer)
{
	if (!writer->busy && !writer->commit.armed && !writer->closing)
		loop_timer_in(writer->loop, &writer->commit, writer->options.commit_interval);
	return writer->front->last = writer->next_sequence++;
}

uint64_t
writer_record(struct writer *writer, enum record_kind kind, const void *body, size_t size)
{
	struct record_buffer *records = &writer->front->records;
	size_t frame;

	if (writer_full(writer) || size > RECORD_BODY_MAX)
		return 0;
	end_frame(writer);
	frame = record_begin(records, kind, next_sequence(writer));
	record_put(records, body, size);
	record_end(records, frame);
	return writer->front->last;
}

/* ---- samples ---- */

static int64_t
received_offset(const struct open_frame *open, const struct sample *sample)
{
	return (sample->received - open->received) / 1000;
}

static void
begin_samples(struct writer *writer, const struct sample *sample)
{
	struct record_buffer *records = &writer->front->records;
	struct open_frame *open = &writer->samples;

	*open = (struct open_frame){ .is_open = true, .slot = sample->slot,
		.step = sample->series->step, .received = sample->received };
	open->frame = record_begin(records, KIND_SAMPLES, next_sequence(writer));
	record_put_u64(records, (uint64_t)open->slot);
	record_put_u64(records, (uint64_t)open->step);
	record_put_u64(records, (uint64_t)open->received);
	open->count_at = records->used;
	record_put_u32(records, 0);
}

static bool
frame_takes(const struct open_frame *open, size_t frame_size, const struct sample *sample)
{
	int64_t offset = received_offset(open, sample);

	return open->is_open && open->slot == sample->slot &&
		open->step == sample->series->step && offset >= INT32_MIN &&
		offset <= INT32_MAX && frame_size < RECORD_BODY_MAX / 2;
}

uint64_t
writer_sample(struct writer *writer, const struct sample *sample)
{
	struct record_buffer *records = &writer->front->records;
	struct open_frame *open = &writer->samples;
	bool has_value = sample->reason == REASON_GOOD && !isnan(sample->value);

	if (writer_full(writer))
		return 0;
	if (!frame_takes(open, records->used - open->frame, sample)) {
		end_frame(writer);
		begin_samples(writer, sample);
	}
	record_put_u32(records, sample->series->id);
	record_put_u8(records, sample->reason);
	record_put_u8(records, (has_value ? RECORD_HAS_VALUE : 0) |
		(sample->has_raw ? RECORD_HAS_RAW : 0));
	record_put_u16(records, 0);
	record_put_u32(records, (uint32_t)(int32_t)received_offset(open, sample));
	if (has_value)
		record_put_f64(records, sample->value);
	if (sample->has_raw)
		record_put_u64(records, sample->raw);
	open->count++;
	return writer->front->last;
}

uint64_t
writer_run(struct writer *writer, const struct sample_run *run)
{
	struct record_buffer *records = &writer->front->records;
	size_t frame;

	if (writer_full(writer))
		return 0;
	end_frame(writer);
	frame = record_begin(records, KIND_RUN, next_sequence(writer));
	record_put_u32(records, run->series->id);
	record_put_u8(records, run->reason);
	record_put_u8(records, 0);
	record_put_u16(records, 0);
	record_put_u64(records, (uint64_t)run->first);
	record_put_u64(records, (uint64_t)run->last);
	record_put_u64(records, (uint64_t)run->decided);
	record_end(records, frame);
	return writer->front->last;
}

void
writer_flush(struct writer *writer)
{
	end_frame(writer);
}

static void
feed_sample_in(void *arg, const struct sample *sample)
{
	writer_sample(arg, sample);
}

static void
feed_run_in(void *arg, const struct sample_run *run)
{
	writer_run(arg, run);
}

static void
feed_flush_in(void *arg)
{
	writer_flush(arg);
}

struct feed_listener
writer_listener(struct writer *writer)
{
	return (struct feed_listener){ .sample = feed_sample_in, .run = feed_run_in,
		.flush = feed_flush_in, .arg = writer };
}

uint64_t
writer_last_sequence(const struct writer *writer)
{
	return writer->next_sequence - 1;
}

uint64_t
writer_committed(const struct writer *writer)
{
	return writer->committed;
}

uint64_t
writer_segment(const struct writer *writer)
{
	return writer->segment_told;
}

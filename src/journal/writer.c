#include "journal/writer.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "core/feed.h"
#include "core/sample.h"
#include "core/series.h"
#include "journal/aside.h"
#include "journal/held.h"
#include "journal/overflow.h"
#include "journal/reserve.h"
#include "journal/segment.h"
#include "journal/slots.h"
#include "journal/whereabouts.h"

#define RETRY_INTERVAL LOOP_S
/* A file system with less room than that is full. */
#define ROOM_LEAST (1u << 20)
/* Octets of a buffer that stay with it in any case. */
#define ROOM_KEPT (128u << 10)
#define RESERVE 4
#define RETIRED_MOST 4
/* So much is made ready at a time where no segment stood ready as a whole, and when less than
 * a half of it is left. */
#define READY_PIECE (256u << 10)

/* A segment that stands ready under its own number, and nothing is in it. */
struct ready {
	int fd; /* -1: there is none */
	uint64_t number;
};

/* One that is not written any more: what stands ready behind its end is to be given back. */
struct retired {
	int fd;
	size_t length; /* 0: all is to stay as it is */
};

/* What goes to disk in one piece. */
struct batch {
	struct record_buffer records;
	uint64_t last;    /* sequence of its last record */
	int64_t since;    /* mono, of its first record; 0: it has none */
	bool new_segment; /* it begins with a snapshot */
};

/* A frame of samples that may still grow, as may its last row. */
struct open_frame {
	bool is_open;
	size_t frame, count_at;
	uint32_t count;
	int64_t slot, step, received;
	struct {
		size_t at;     /* 0: there is none yet */
		uint32_t next, count; /* the id behind it, how many it has */
		uint8_t reason, flags;
		int32_t offset;
	} row;
};

enum health { HEALTH_OK, HEALTH_FULL, HEALTH_HOLDS, HEALTH_REFUSED };

struct writer {
	struct loop *loop;
	struct writer_options options;
	char *state_dir;
	struct writer_events events;
	struct loop_timer commit, look;
	struct loop_worker *worker, *preparer;
	struct batch *front, *back; /* back is the worker's while busy, and kept on refusal */
	struct batch batches[2];
	struct open_frame samples;
	bool busy, snapshotting, closing, look_due;
	enum health health;    /* as told */
	uint64_t next_sequence, committed;
	uint64_t told;         /* transitions up to here are safe */
	size_t written; /* committed bytes of the current segment, as the loop knows it */
	size_t snapshot_size;  /* of the newest one */
	struct ready ready;    /* for the worker to take */
	bool wants;            /* there may be something to prepare */
	struct retired retired[RETIRED_MOST]; /* for the preparer */
	size_t retired_count;
	struct overflow overflow;
	struct held held;
	/* while the disk refuses: transitions on their way aside, newest sequence of each */
	struct record_buffer aside_front, aside_back;
	uint64_t aside_front_last, aside_back_last;

	/* the preparer's while preparing */
	bool preparing, prepared;    /* prepared: the last step did something */
	struct ready preparation;
	uint64_t preparation_number; /* the loop's copy */
	size_t preparation_size;
	int64_t preparation_wall;
	struct retired retiring;

	/* the worker's while busy */
	struct ready given;    /* the loop's ready one when the batch was handed over */
	uint64_t avoided;      /* a number that the preparer is about to use; 0 none */
	struct retired left;   /* the segment that was left in this batch */
	int fd;
	uint64_t segment;      /* number of the current file; made when fd != -1 */
	uint64_t segment_told; /* the loop's copy */
	size_t length;         /* committed bytes in it */
	size_t ready_size;     /* bytes that zeros were written for, and more behind them are not */
	bool poisoned;         /* what lies behind `length` cannot be taken back: go on in a new one */
	bool first_batch;
	struct segment_digest former; /* of what the former run left at the end */
	bool doubtful;         /* a sync of that has failed */
	int64_t wall;          /* when the batch was handed over */
	bool has_batch, looks; /* what it was kicked for */
	uint32_t held_above;   /* the loop's `held.above` when the batch was handed over */
	bool all_known;        /* the catalogue has all that a record may name; else: */
	uint32_t known;        /* up to this id it has */
	bool ran, ok, aside_ok;
	bool aside_used;       /* something may stand aside that the journal has not got */
	bool no_room;          /* at the last look */
	struct aside *aside;
	struct reserve reserve;
	struct fail why, full_why, known_why;
};

/* ---- in the worker ---- */

static int
fail_path(struct writer *writer, const char *path)
{
	fail_set(&writer->why, "%s: %s", path, strerror(errno));
	return -1;
}

/* What each segment of the former run's end goes through. 0, -1 and errno. */
static int
trim_segment(struct writer *writer, int fd)
{
	/* What cannot be given back stays allocated until the segment is dropped. */
	if (segment_trim(fd, &writer->former) == -1)
		log_debug("the former segment keeps what stood ready behind its end");
	return 0;
}

static int
write_segment_again(struct writer *writer, int fd)
{
	return segment_write_again(fd, &writer->former);
}

static int
sync_segment(struct writer *writer, int fd)
{
	int result = fsync(fd);

	if (result == -1)
		writer->doubtful = true;
	return result;
}

static int
each_of_predecessor(struct writer *writer, int (*step)(struct writer *writer, int fd))
{
	char path[SEGMENT_PATH];
	/* With none begun there is nothing to be made safe, and no end to look for. */
	uint64_t *numbers, begun = writer->segment;
	size_t count = segment_list(writer->state_dir, &numbers);
	int result = 0;

	if (count == 0 && errno != 0) {
		segment_directory(path, sizeof path, writer->state_dir);
		return fail_path(writer, path);
	}
	if (count > 0)
		begun = numbers[count - 1];
	free(numbers);
	for (uint64_t n = writer->segment; n > 0 && n >= begun && result == 0; n--) {
		int fd;

		segment_path(path, sizeof path, writer->state_dir, n);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1 && errno == ENOENT)
			continue;
		result = fd == -1 ? -1 : step(writer, fd);
		if (result == -1)
			fail_path(writer, path);
		if (fd != -1)
			close(fd);
	}
	return result;
}

/* After a failed sync the kernel calls the pages clean: what it still has of them is written once
 * more, and has to be what was there before. */
static int
write_predecessor_again(struct writer *writer)
{
	struct segment_digest before = writer->former;
	int result;

	writer->former = (struct segment_digest){ 0 };
	result = each_of_predecessor(writer, write_segment_again);
	if (result == 0 && (writer->former.size != before.size || writer->former.crc != before.crc)) {
		fail_set(&writer->why, "%s/journal: the disk lost what the former process wrote",
			writer->state_dir);
		result = -1;
	}
	writer->former = before;
	return result;
}

/* The end of the former run's last segment was perhaps never synced; what is counted on from
 * there must not be safer than what it counts on. And what stood ready behind its end, and
 * behind it, is given back: a poller that crashes often would fill the disk with nothing. Their
 * numbers are used up: the store may have read what was never committed. */
static int
sync_predecessor(struct writer *writer)
{
	if (!writer->first_batch)
		return 0;
	if (writer->doubtful && write_predecessor_again(writer) == -1)
		return -1;
	if (!writer->doubtful) {
		writer->former = (struct segment_digest){ 0 };
		if (each_of_predecessor(writer, trim_segment) == -1)
			return -1;
	}
	if (each_of_predecessor(writer, sync_segment) == -1)
		return -1;
	writer->doubtful = false;
	return 0;
}

/* Only a process that begins anew may add to a journal that is as large as it may be. */
static int
check_size(struct writer *writer)
{
	uint64_t budget = writer->options.size_budget, used;

	if (budget == 0 || writer->fd == -1)
		return 0;
	used = segment_bytes(writer->state_dir);
	if (used + writer->options.segment_size <= budget)
		return 0;
	fail_set(&writer->why, "%s/journal: journal_size is used up (%llu MiB): the store does not "
		"follow", writer->state_dir, (unsigned long long)(used >> 20));
	return -1;
}

/* Nothing was ever committed in a file that a failed attempt left behind; it keeps its inode,
 * as the store may have it open. */
static int
open_segment(struct writer *writer, const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);

	if (fd == -1 && errno == ENOENT) {
		fd = reserve_take(&writer->reserve, path);
		if (fd != -1)
			return fd;
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	}
	/* Where that fails it is written as far as it goes. */
	if (fd != -1 && writer->options.reserve > 0)
		reserve_allocate(fd, writer->options.segment_size);
	return fd;
}

/* Puts the head into a segment and makes its name durable. 0, -1 and errno. */
static int
begin_segment(const struct writer *writer, int fd, uint64_t number, int64_t wall)
{
	uint8_t header[RECORD_SEGMENT_HEADER];
	char directory[SEGMENT_PATH];

	segment_directory(directory, sizeof directory, writer->state_dir);
	segment_header(header, number, wall);
	if (file_write(fd, header, sizeof header, 0) == -1 || fdatasync(fd) == -1)
		return -1;
	return segment_sync_path(directory);
}

/* Beside the preparer, which perhaps is at the next number. */
static int
make_segment(struct writer *writer, struct ready *made)
{
	char path[SEGMENT_PATH], directory[SEGMENT_PATH];

	made->number = writer->segment + 1;
	if (made->number <= writer->avoided)
		made->number = writer->avoided + 1;
	segment_directory(directory, sizeof directory, writer->state_dir);
	segment_path(path, sizeof path, writer->state_dir, made->number);
	if (mkdir(directory, 0750) == 0)
		segment_sync_path(writer->state_dir);
	if (sync_predecessor(writer) == -1)
		return -1;
	made->fd = open_segment(writer, path);
	if (made->fd == -1)
		return fail_path(writer, path);
	if (begin_segment(writer, made->fd, made->number, writer->wall) == -1) {
		fail_path(writer, path);
		close(made->fd);
		return -1;
	}
	return 0;
}

static int
next_segment(struct writer *writer)
{
	struct ready next = writer->given;

	if (check_size(writer) == -1)
		return -1;
	if (next.fd == -1 && make_segment(writer, &next) == -1)
		return -1;
	/* What a failed sync left behind `length` may have been read by the store. */
	if (writer->fd != -1)
		writer->left = (struct retired){ writer->fd, writer->poisoned ? 0 : writer->length };
	writer->ready_size = writer->given.fd != -1 ? writer->options.segment_size : 0;
	writer->given.fd = -1;
	writer->fd = next.fd;
	writer->segment = next.number;
	writer->length = RECORD_SEGMENT_HEADER;
	writer->poisoned = writer->first_batch = false;
	return 0;
}

/* Where that fails the file grows with each batch. */
static void
keep_ready(struct writer *writer)
{
	size_t size = writer->options.segment_size;

	if (writer->options.reserve == 0 || writer->length + READY_PIECE / 2 < writer->ready_size ||
		writer->ready_size >= size)
		return;
	if (size > writer->length + READY_PIECE)
		size = writer->length + READY_PIECE;
	writer->ready_size = size;
	reserve_extend(&writer->reserve, writer->fd, size);
}

static int
append_batch(struct writer *writer)
{
	const struct record_buffer *records = &writer->back->records;
	int result;

	whereabouts_set(WHERE_JOURNAL, WHERE_WRITE);
	/* What a refused attempt left behind `length` is the same batch: written over. */
	result = file_write(writer->fd, records->bytes, records->used, writer->length);
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

/* May the batch be written, as far as what it names goes? */
static bool
may_write(struct writer *writer)
{
	const struct writer_events *events = &writer->events;

	writer->known = 0;
	writer->all_known = events->before_write == NULL ||
		events->before_write(events->arg, &writer->known_why) == 0;
	if (writer->all_known)
		return true;
	writer->why = writer->known_why;
	if (events->known != NULL)
		writer->known = events->known(events->arg);
	return writer->held_above > 0 && writer->known >= writer->held_above;
}

static bool
write_batch(struct writer *writer)
{
	char path[SEGMENT_PATH];

	if (writer->fd == -1 || writer->back->new_segment || writer->poisoned) {
		if (next_segment(writer) == -1)
			return false;
		keep_ready(writer);
		writer->back->new_segment = false;
		writer->looks = writer->options.look_interval > 0 || writer->options.reserve > 0;
	}
	if (append_batch(writer) == 0) {
		writer->length += writer->back->records.used;
		keep_ready(writer);
		return true;
	}
	segment_path(path, sizeof path, writer->state_dir, writer->segment);
	fail_path(writer, path);
	return false;
}

/* What a former run wrote, and this one counts on from, has to be as safe as what it adds. */
static bool
write_aside(struct writer *writer)
{
	struct fail why;

	if (writer->aside_back.used == 0)
		return false;
	writer->aside_used = true;
	return sync_predecessor(writer) == 0 && aside_write(writer->aside, writer->aside_back.bytes,
		writer->aside_back.used, writer->aside_back_last, &why) == 0;
}

/* Looks whether the disk has room. */
static void
look_around(struct writer *writer)
{
	writer->no_room = reserve_room(writer->state_dir) < ROOM_LEAST;
	if (!writer->no_room && writer->options.reserve > 0)
		aside_reserve(writer->aside);
	if (writer->no_room)
		fail_set(&writer->full_why, "%s: No space left on device: the journal goes on in %zu "
			"KiB of reserve", writer->state_dir, reserve_bytes(&writer->reserve) >> 10);
}

static void
work(void *arg)
{
	struct writer *writer = arg;
	bool may = false;

	writer->ran = true;
	writer->ok = writer->aside_ok = false;
	if (writer->has_batch || writer->held_above > 0)
		may = may_write(writer);
	if (writer->has_batch) {
		writer->ok = may && write_batch(writer);
		if (!writer->ok)
			writer->aside_ok = write_aside(writer);
	}
	if (writer->ok && writer->aside_used) {
		aside_done(writer->aside, writer->back->last);
		writer->aside_used = false;
	}
	if (writer->looks)
		look_around(writer);
}

/* ---- in the preparer ---- */

static void
give_back(struct retired *retired)
{
	/* Where that fails it stays allocated until the segment is dropped. */
	if (retired->length > 0 && ftruncate(retired->fd, (off_t)retired->length) == -1)
		log_debug("a segment keeps what stood ready behind its end");
	close(retired->fd);
	retired->fd = -1;
}

/* Only from a spare: what else could be taken is for the batch that needs it now. */
static void
prepare_segment(struct writer *writer)
{
	struct ready *ready = &writer->preparation;
	char path[SEGMENT_PATH];

	segment_path(path, sizeof path, writer->state_dir, ready->number);
	ready->fd = reserve_take(&writer->reserve, path);
	if (ready->fd == -1)
		return;
	if (reserve_extend(&writer->reserve, ready->fd, writer->preparation_size) == 0 &&
		begin_segment(writer, ready->fd, ready->number, writer->preparation_wall) == 0)
		return;
	close(ready->fd);
	ready->fd = -1;
}

/* One step, so that a ready segment is not kept waiting for the reserve to be filled. */
static void
prepare(void *arg)
{
	struct writer *writer = arg;

	writer->prepared = true;
	if (writer->retiring.fd != -1)
		give_back(&writer->retiring);
	else if (writer->preparation.number > 0 && reserve_bytes(&writer->reserve) > 0) {
		prepare_segment(writer);
		writer->prepared = writer->preparation.fd != -1;
	} else
		writer->prepared = reserve_fill(&writer->reserve) == 1;
}

/* ---- on the loop: what stands ready ---- */

static size_t
segment_limit(const struct writer *writer)
{
	size_t least = 8 * writer->snapshot_size;

	return writer->options.segment_size > least ? writer->options.segment_size : least;
}

static void
retire(struct writer *writer, const struct retired *retired)
{
	if (retired->fd == -1)
		return;
	if (writer->retired_count < RETIRED_MOST)
		writer->retired[writer->retired_count++] = *retired;
	else
		close(retired->fd); /* the preparer is far behind: it keeps what it has */
}

/* The worker has taken it, or has passed it by. */
static void
settle_ready(struct writer *writer)
{
	struct ready *ready = &writer->ready;

	if (ready->fd == -1 || ready->number > writer->segment_told)
		return;
	if (ready->number < writer->segment_told)
		retire(writer, &(struct retired){ ready->fd, RECORD_SEGMENT_HEADER });
	ready->fd = -1;
}

static bool
is_half_full(const struct writer *writer)
{
	return writer->segment_told > 0 && writer->written > segment_limit(writer) / 2;
}

static void
prepare_more(struct writer *writer)
{
	/* While a batch is under way nobody knows which number is the next one. */
	if (!writer->wants || writer->preparing || writer->busy || writer->preparer == NULL)
		return;
	writer->retiring.fd = -1;
	writer->preparation = (struct ready){ -1, 0 };
	if (writer->retired_count > 0)
		writer->retiring = writer->retired[--writer->retired_count];
	else if (writer->ready.fd == -1 && is_half_full(writer)) {
		writer->preparation.number = writer->segment_told + 1;
		writer->preparation_size = segment_limit(writer);
		writer->preparation_wall = loop_wall(writer->loop);
	}
	writer->preparation_number = writer->preparation.number;
	writer->preparing = true;
	if (!loop_worker_kick(writer->preparer))
		writer->preparing = false;
}

static void
take_preparation(struct writer *writer)
{
	writer->preparing = false;
	if (writer->preparation.fd != -1)
		writer->ready = writer->preparation;
	writer->preparation = (struct ready){ -1, 0 };
}

static void
prepare_done(void *arg)
{
	struct writer *writer = arg;

	take_preparation(writer);
	if (!writer->busy)
		settle_ready(writer);
	/* What failed is tried again at the next look. */
	writer->wants = writer->prepared;
	prepare_more(writer);
}

/* ---- on the loop: records ---- */

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

/* Half of the interval is for gathering, the other half for the sync. */
static int64_t
gathering(const struct writer *writer)
{
	return writer->options.commit_interval / 2;
}

/* Behind the reading of the network at a tick: what has just come goes along, and then it takes
 * until the next reading before there is something to gather again. */
static void
commit_in(struct writer *writer, int64_t delay)
{
	int64_t due = loop_mono(writer->loop) + delay;

	if (delay > 0)
		due = loop_tick_from(writer->loop, due) + NET_UDP_READ + 1;
	loop_timer_at(writer->loop, &writer->commit, due);
}

/* With nothing to write it is only for a look at the catalogue. */
static bool
is_commit_set(const struct writer *writer)
{
	return loop_timer_armed(&writer->commit) &&
		(writer->front->since != 0 || writer->back->since != 0);
}

/* Bookkeeping for a record that was just begun at the end of the front buffer. */
static uint64_t
next_sequence(struct writer *writer)
{
	if (!writer->busy && !writer->closing && !is_commit_set(writer))
		commit_in(writer, gathering(writer));
	if (writer->front->since == 0)
		writer->front->since = loop_mono(writer->loop);
	return writer->front->last = writer->next_sequence++;
}

static void
take_snapshot(struct writer *writer)
{
	size_t before = writer->front->records.used;

	writer->front->new_segment = true;
	if (writer->events.snapshot == NULL)
		return;
	writer->snapshotting = true;
	writer_record(writer, KIND_SNAPSHOT_BEGIN, NULL, 0);
	writer->events.snapshot(writer, writer->events.arg);
	writer_record(writer, KIND_SNAPSHOT_END, NULL, 0);
	writer->snapshotting = false;
	writer->snapshot_size = writer->front->records.used - before;
}

static void
put_run(const struct sample_run *run, void *arg)
{
	struct writer *writer = arg;
	struct record_buffer *records = &writer->front->records;
	size_t frame;

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
}

/* The buffers change places. When the segment is full after this batch, the next one begins
 * with a snapshot: taken now, as everything before it is in the batch that leaves. For that
 * reason what is noted as store-full leaves with it as well. */
static void
change_places(struct writer *writer)
{
	struct batch *batch = writer->front;

	overflow_empty(&writer->overflow, loop_wall(writer->loop), put_run, writer);
	writer->front = writer->back;
	writer->back = batch;
	if (!writer->closing && !batch->new_segment &&
		writer->written + batch->records.used > segment_limit(writer))
		take_snapshot(writer);
}

/* ---- transitions while the disk refuses ---- */

static bool
is_urgent(enum record_kind kind)
{
	return kind == KIND_ALARM || kind == KIND_NOTIFIED;
}

static void
put_aside(struct writer *writer, const uint8_t *frame, size_t size, uint64_t sequence)
{
	if (sequence <= writer->told || sequence <= writer->aside_front_last ||
		sequence <= writer->aside_back_last)
		return;
	record_put(&writer->aside_front, frame, size);
	writer->aside_front_last = sequence;
}

/* All that wait in a batch; the frame that is still open is one of samples. */
static void
put_batch_aside(struct writer *writer, const struct batch *batch)
{
	const struct record_buffer *records = &batch->records;
	size_t end = batch == writer->front && writer->samples.is_open ? writer->samples.frame :
		records->used, size;
	struct record record;

	for (size_t at = 0; at < end; at += size) {
		if (record_parse(records->bytes + at, end - at, &record, &size) != 1)
			return;
		if (is_urgent(record.kind))
			put_aside(writer, records->bytes + at, size, record.sequence);
	}
}

static void
hand_over_aside(struct writer *writer)
{
	struct record_buffer free_one = writer->aside_back;

	if (writer->aside_back.used > 0)
		return;
	writer->aside_back = writer->aside_front;
	writer->aside_back_last = writer->aside_front_last;
	writer->aside_front = free_one;
}

static void
forget_aside(struct writer *writer)
{
	writer->aside_front.used = writer->aside_back.used = 0;
	writer->aside_front_last = writer->aside_back_last = 0;
}

/* ---- commits ---- */

static void
tell_committed(struct writer *writer, uint64_t sequence)
{
	if (sequence <= writer->told)
		return;
	writer->told = sequence;
	if (writer->events.committed != NULL)
		writer->events.committed(sequence, writer->events.arg);
}

static void
kick(struct writer *writer)
{
	writer->has_batch = writer->back->records.used > 0;
	writer->looks = writer->look_due;
	writer->held_above = writer->held.above;
	if (!writer->has_batch && !writer->looks && writer->held_above == 0)
		return;
	if (writer->has_batch)
		hand_over_aside(writer);
	writer->look_due = false;
	writer->busy = true;
	writer->ran = false;
	writer->wall = loop_wall(writer->loop);
	writer->given = writer->ready;
	writer->avoided = writer->preparing ? writer->preparation_number : 0;
	writer->left.fd = -1;
	if (!loop_worker_kick(writer->worker)) {
		writer->busy = false;
		commit_in(writer, gathering(writer));
	}
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
	kick(writer);
}

static void
look(void *arg)
{
	struct writer *writer = arg;

	writer->look_due = writer->wants = true;
	loop_timer_in(writer->loop, &writer->look, writer->options.look_interval);
	/* With a commit under way or on its way it goes along. */
	if (!writer->busy && !loop_timer_armed(&writer->commit))
		commit(writer);
}

/* begun: that it was refused has only shown what is to be held back. */
static enum health
health_now(const struct writer *writer, bool begun)
{
	if (writer->has_batch ? !writer->ok && !begun : writer->health == HEALTH_REFUSED)
		return HEALTH_REFUSED;
	if (writer->held.above > 0)
		return HEALTH_HOLDS;
	return writer->no_room ? HEALTH_FULL : HEALTH_OK;
}

static void
tell_health(struct writer *writer, bool begun)
{
	enum health health = health_now(writer, begun);
	struct fail holds;
	const char *why[] = { NULL, writer->full_why.text, holds.text, writer->why.text };

	fail_set(&holds, "%s: values of new points wait in memory", writer->known_why.text);
	if (health != writer->health && writer->events.health != NULL)
		writer->events.health(why[health], writer->events.arg);
	writer->health = health;
}

/* A snapshot, or what came while the disk took its time, needs room that the usual batch does
 * not: it is not kept for the next time. */
static void
empty_batch(struct batch *batch)
{
	struct record_buffer *records = &batch->records;

	if (records->room > ROOM_KEPT && records->used < records->room / 4)
		record_buffer_free(records);
	records->used = 0;
	batch->since = 0;
}

static void
batch_written(struct writer *writer)
{
	whereabouts_committed(loop_mono(writer->loop) - writer->back->since);
	writer->committed = writer->back->last;
	empty_batch(writer->back);
	forget_aside(writer);
	tell_committed(writer, writer->committed);
}

static void
batch_refused(struct writer *writer)
{
	uint64_t newest = writer->aside_back_last;

	if (writer->aside_ok) {
		writer->aside_back.used = 0;
		writer->aside_back_last = 0;
		tell_committed(writer, newest);
	}
	put_batch_aside(writer, writer->back);
	put_batch_aside(writer, writer->front);
}

/* ---- what waits for the catalogue ---- */

/* What waits so far is sifted; what comes is from now on. Notes are records in the same order. */
static void
hold(struct writer *writer)
{
	end_frame(writer);
	overflow_empty(&writer->overflow, loop_wall(writer->loop), put_run, writer);
	writer->held.above = writer->known;
	held_take(&writer->held, &writer->back->records);
	held_take(&writer->held, &writer->front->records);
}

static void
end_series(void *arg, uint32_t series)
{
	slots_end(arg, series);
}

static void
release(struct writer *writer)
{
	struct feed_listener in = writer_listener(writer);
	struct held_taker to = { in.sample, in.run, end_series, writer };

	writer->overflow.slots += writer->held.overflow.slots;
	held_give(&writer->held, loop_wall(writer->loop), &to);
	end_frame(writer);
}

/* After a look at the catalogue. True when only now something is held back. */
static bool
hold_or_release(struct writer *writer)
{
	bool looked = writer->has_batch || writer->held_above > 0;

	if (looked && !writer->all_known && writer->held.above == 0 && writer->known > 0) {
		hold(writer);
		return true;
	}
	if (looked && writer->all_known && writer->held.above > 0)
		release(writer);
	return false;
}

/* What came while the former batch was on its way has waited already. */
static int64_t
time_to_commit(const struct writer *writer)
{
	int64_t due = writer->front->since + gathering(writer) - loop_mono(writer->loop);

	return due > 0 ? due : 0;
}

static void
batch_done(void *arg)
{
	struct writer *writer = arg;
	size_t before = writer->written;
	bool begun;

	writer->busy = false;
	writer->segment_told = writer->segment;
	writer->written = writer->length;
	retire(writer, &writer->left);
	writer->left.fd = -1;
	settle_ready(writer);
	begun = hold_or_release(writer);
	tell_health(writer, begun);
	if (writer->has_batch && writer->ok)
		batch_written(writer);
	else if (writer->has_batch)
		batch_refused(writer);
	/* committed() may have written records and so set the timer already. */
	if (writer->back->records.used > 0)
		commit_in(writer, begun ? 0 : RETRY_INTERVAL);
	else if (writer->front->records.used > 0 && !loop_timer_armed(&writer->commit))
		commit_in(writer, time_to_commit(writer));
	else if (writer->held.above > 0 && !loop_timer_armed(&writer->commit))
		commit_in(writer, RETRY_INTERVAL);
	if (writer->looks || (before <= segment_limit(writer) / 2 && is_half_full(writer)))
		writer->wants = true;
	prepare_more(writer);
}

void
writer_size(struct writer_options *options, uint64_t journal_size)
{
	uint64_t segment = journal_size / 256;

	if (segment < 256u << 10)
		segment = 256u << 10;
	if (segment > 16u << 20)
		segment = 16u << 20;
	options->segment_size = (size_t)segment;
	options->reserve = RESERVE;
	/* What stands ready counts as well: the reserve, and the segment that comes next. */
	options->size_budget = journal_size - (RESERVE + 1) * segment;
}

static void
take_options(struct writer *writer, const struct writer_options *options)
{
	writer->options = *options;
	writer->state_dir = mem_text(options->state_dir);
	if (options->commit_interval == 0)
		writer->options.commit_interval = 100 * LOOP_MS;
	if (options->segment_size == 0)
		writer->options.segment_size = 16u << 20;
	if (options->memory_budget == 0)
		writer->options.memory_budget = 256u << 20;
	writer->held.room = writer->options.memory_budget / 4;
	reserve_open(&writer->reserve, options->state_dir, options->reserve,
		writer->options.segment_size);
	writer->aside = aside_open(options->state_dir, options->run_dir);
	writer->aside_used = true; /* perhaps, by a former run */
}

struct writer *
writer_open(struct loop *loop, const struct writer_options *options,
	const struct writer_events *events, uint64_t next_sequence, struct fail *why)
{
	struct writer *writer = mem_zero(sizeof *writer);

	writer->loop = loop;
	take_options(writer, options);
	writer->events = *events;
	writer->front = &writer->batches[0];
	writer->back = &writer->batches[1];
	writer->next_sequence = next_sequence;
	writer->committed = next_sequence - 1;
	writer->told = 0;
	writer->fd = writer->ready.fd = writer->given.fd = writer->left.fd = -1;
	writer->preparation.fd = writer->retiring.fd = -1;
	writer->first_batch = true;
	whereabouts_begin(WHERE_JOURNAL);
	loop_timer_init(&writer->commit, commit, writer);
	loop_timer_init(&writer->look, look, writer);
	writer->segment = segment_newest(options->state_dir);
	if (writer->segment == 0 && errno != 0) {
		fail_set(why, "%s/journal: %s", options->state_dir, strerror(errno));
		goto fail;
	}
	writer->worker = loop_worker_new(loop, work, batch_done, writer, why);
	if (writer->worker == NULL)
		goto fail;
	loop_worker_patience(writer->worker, 2 * LOOP_TICK);
	if (writer->options.reserve > 0) {
		writer->preparer = loop_worker_new(loop, prepare, prepare_done, writer, why);
		if (writer->preparer == NULL)
			goto fail;
	}
	take_snapshot(writer);
	if (writer->options.look_interval > 0)
		loop_timer_in(loop, &writer->look, writer->options.look_interval);
	return writer;
fail:
	writer_abandon(writer);
	return NULL;
}

static void
stop_preparer(struct writer *writer)
{
	if (writer->preparer == NULL)
		return;
	atomic_store(&writer->reserve.ends, true);
	loop_worker_free(writer->preparer);
	writer->preparer = NULL;
	if (writer->preparing)
		take_preparation(writer);
}

void
writer_abandon(struct writer *writer)
{
	if (writer == NULL)
		return;
	stop_preparer(writer);
	loop_worker_free(writer->worker);
	loop_timer_stop(writer->loop, &writer->commit);
	loop_timer_stop(writer->loop, &writer->look);
	if (writer->busy) {
		writer->segment_told = writer->segment;
		retire(writer, &writer->left);
		settle_ready(writer);
	}
	for (size_t i = 0; i < writer->retired_count; i++)
		close(writer->retired[i].fd);
	if (writer->retiring.fd != -1)
		close(writer->retiring.fd);
	if (writer->ready.fd != -1)
		close(writer->ready.fd);
	if (writer->fd != -1)
		close(writer->fd);
	aside_close(writer->aside);
	reserve_close(&writer->reserve);
	overflow_free(&writer->overflow);
	held_free(&writer->held);
	record_buffer_free(&writer->aside_front);
	record_buffer_free(&writer->aside_back);
	record_buffer_free(&writer->batches[0].records);
	record_buffer_free(&writer->batches[1].records);
	free(writer->state_dir);
	free(writer);
}

/* As the preparer would, but here. */
static void
give_all_back(struct writer *writer, bool all)
{
	struct retired last = { writer->fd, all && !writer->poisoned ? writer->length : 0 };

	settle_ready(writer);
	retire(writer, &writer->retiring);
	retire(writer, &(struct retired){ writer->ready.fd, RECORD_SEGMENT_HEADER });
	writer->retiring.fd = writer->ready.fd = writer->fd = -1;
	for (size_t i = 0; i < writer->retired_count; i++)
		give_back(&writer->retired[i]);
	writer->retired_count = 0;
	if (last.fd != -1)
		give_back(&last);
}

/* As the worker would, but here. */
static bool
write_here(struct writer *writer)
{
	writer->has_batch = writer->back->records.used > 0;
	writer->looks = false;
	writer->given = writer->ready;
	writer->held_above = writer->held.above;
	writer->avoided = 0;
	writer->left.fd = -1;
	hand_over_aside(writer);
	work(writer);
	batch_done(writer);
	return writer->ok || !writer->has_batch;
}

static bool
holds_records(const struct writer *writer)
{
	return writer->front->records.used > 0 || writer->back->records.used > 0;
}

/* Both batches, and behind them what has waited for the catalogue, which may become known as
 * waiting only now. With nothing else left the catalogue is looked at once more. */
static bool
write_all_here(struct writer *writer)
{
	bool all = true, looked = false;

	for (int round = 0; round < 8 && all; round++) {
		uint32_t above = writer->held.above;

		if (writer->back->records.used == 0)
			change_places(writer);
		if (writer->back->records.used == 0 && (above == 0 || looked))
			break;
		looked |= writer->back->records.used == 0;
		all = write_here(writer) || (above == 0 && writer->held.above > 0);
	}
	return all && writer->held.above == 0 && !holds_records(writer);
}

bool
writer_close(struct writer *writer)
{
	bool all;

	if (writer == NULL)
		return true;
	stop_preparer(writer);
	/* Waits for a batch under way; its end is told here in place of done(). */
	loop_worker_free(writer->worker);
	writer->worker = NULL;
	writer->closing = true;
	if (writer->busy && writer->ran)
		batch_done(writer);
	end_frame(writer);
	all = write_all_here(writer);
	/* The first of two refusals finds the transitions, the second puts them aside. */
	if (!all)
		write_here(writer);
	if (writer->options.reserve > 0)
		give_all_back(writer, all);
	writer_abandon(writer);
	return all;
}

static size_t
memory_used(const struct writer *writer)
{
	return writer->front->records.used + writer->back->records.used +
		held_bytes(&writer->held);
}

bool
writer_full(const struct writer *writer)
{
	return !writer->snapshotting && memory_used(writer) >= writer->options.memory_budget;
}

/* What samples may not use any more is left for transitions. */
static bool
takes_record(const struct writer *writer)
{
	size_t budget = writer->options.memory_budget;

	return writer->snapshotting || memory_used(writer) < budget + budget / 8;
}

static void
put_body(struct writer *writer, enum record_kind kind, const void *body, size_t size)
{
	struct record_buffer *records = &writer->front->records;

	if (kind == KIND_NEXT_SLOTS && writer->held.above > 0)
		held_take_slots(&writer->held, body, size, records);
	else
		record_put(records, body, size);
}

void
writer_expect(struct writer *writer, size_t size)
{
	record_expect(&writer->front->records, size);
}

uint64_t
writer_record(struct writer *writer, enum record_kind kind, const void *body, size_t size)
{
	struct record_buffer *records = &writer->front->records;
	size_t frame;

	if (!takes_record(writer) || size > RECORD_BODY_MAX)
		return 0;
	end_frame(writer);
	frame = record_begin(records, kind, next_sequence(writer));
	put_body(writer, kind, body, size);
	record_end(records, frame);
	if (writer->health == HEALTH_REFUSED && is_urgent(kind))
		put_aside(writer, records->bytes + frame, records->used - frame,
			writer->front->last);
	return writer->front->last;
}

/* ---- samples ---- */

static int64_t
received_offset(const struct open_frame *open, int64_t received)
{
	return (received - open->received) / 1000;
}

static void
begin_samples(struct writer *writer, int64_t slot, int64_t step, int64_t received)
{
	struct record_buffer *records = &writer->front->records;
	struct open_frame *open = &writer->samples;

	*open = (struct open_frame){ .is_open = true, .slot = slot, .step = step,
		.received = received };
	open->frame = record_begin(records, KIND_ROWS, next_sequence(writer));
	record_put_u64(records, (uint64_t)open->slot);
	record_put_u64(records, (uint64_t)open->step);
	record_put_u64(records, (uint64_t)open->received);
	open->count_at = records->used;
	record_put_u32(records, 0);
}

static bool
frame_takes(const struct writer *writer, int64_t slot, int64_t step, int64_t received)
{
	const struct open_frame *open = &writer->samples;
	size_t size = writer->front->records.used - open->frame;
	int64_t offset = received_offset(open, received);

	return open->is_open && open->slot == slot && open->step == step &&
		offset >= INT32_MIN && offset <= INT32_MAX && size < RECORD_BODY_MAX / 2;
}

/* Behind it stands a frame for samples of that slot. Returns how much later than the frame's
 * first ones these were received, in us. */
static int32_t
frame_for(struct writer *writer, int64_t slot, int64_t step, int64_t received)
{
	if (!frame_takes(writer, slot, step, received)) {
		end_frame(writer);
		begin_samples(writer, slot, step, received);
	}
	return (int32_t)received_offset(&writer->samples, received);
}

/* All by memcpy, little endian as everything in records: there are many. */
static uint8_t *
store_u64(uint8_t *to, uint64_t number)
{
	number = htole64(number);
	memcpy(to, &number, sizeof number);
	return to + sizeof number;
}

static uint8_t *
store_f64(uint8_t *to, double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof bits);
	return store_u64(to, bits);
}

static uint8_t
flags_of(const struct sample_item *item)
{
	bool has_value = item->reason == REASON_GOOD && !isnan(item->value);

	return (uint8_t)((has_value ? RECORD_HAS_VALUE : 0) | (item->has_raw ? RECORD_HAS_RAW : 0));
}

#define ROW_HEAD 12
#define ROW_COUNT 6 /* where in it the count stands */

static void
store_row_count(struct writer *writer)
{
	uint16_t count = htole16((uint16_t)writer->samples.row.count);

	memcpy(writer->front->records.bytes + writer->samples.row.at + ROW_COUNT, &count,
		sizeof count);
}

static void
begin_row(struct writer *writer, uint32_t series, const struct sample_item *item, int32_t offset)
{
	struct open_frame *open = &writer->samples;
	struct {
		uint32_t series;
		uint8_t reason, flags;
		uint16_t count;
		uint32_t offset;
	} head = { htole32(series), item->reason, flags_of(item), 0, htole32((uint32_t)offset) };

	_Static_assert(sizeof head == ROW_HEAD, "as the record has it");
	open->row.at = writer->front->records.used;
	open->row.next = series;
	open->row.count = 0;
	open->row.reason = head.reason;
	open->row.flags = head.flags;
	open->row.offset = offset;
	memcpy(record_extend(&writer->front->records, ROW_HEAD), &head, ROW_HEAD);
}

static bool
row_takes(const struct open_frame *open, uint32_t series, int32_t offset)
{
	return open->row.at != 0 && open->row.next == series && open->row.offset == offset &&
		open->row.count + SAMPLE_BATCH <= UINT16_MAX;
}

/* How many of them, from the first on, may stand in one row. */
static uint32_t
alike(const struct sample_item *items, uint32_t count, uint8_t reason, uint8_t flags)
{
	uint32_t some = 0;

	for (; some < count && items[some].reason == reason; some++)
		if (items[some].has_raw != ((flags & RECORD_HAS_RAW) != 0) || (reason == REASON_GOOD &&
			isnan(items[some].value) == ((flags & RECORD_HAS_VALUE) != 0)))
			break;
	return some;
}

static uint32_t
like_row(const struct open_frame *open, const struct sample_item *items, uint32_t count, bool plain)
{
	if (plain && open->row.reason == REASON_GOOD &&
		open->row.flags == (RECORD_HAS_VALUE | RECORD_HAS_RAW))
		return count;
	return alike(items, count, open->row.reason, open->row.flags);
}

static void
put_numbers(uint8_t *to, const struct sample_item *items, uint32_t count, uint8_t flags)
{
	const struct sample_item *end = items + count;

	if (flags == (RECORD_HAS_VALUE | RECORD_HAS_RAW)) {
		for (; items < end; items++)
			to = store_u64(store_f64(to, items->value), items->raw);
		return;
	}
	for (; items < end; items++) {
		if (flags & RECORD_HAS_VALUE)
			to = store_f64(to, items->value);
		if (flags & RECORD_HAS_RAW)
			to = store_u64(to, items->raw);
	}
}

/* At most SAMPLE_BATCH. plain: all of them may stand in one row, with values and raws. */
static void
put_items(struct writer *writer, uint32_t series, const struct sample_item *items, uint32_t count,
	int32_t offset, bool plain)
{
	struct open_frame *open = &writer->samples;

	open->count += count;
	while (count > 0) {
		uint32_t some = row_takes(open, series, offset) ?
			like_row(open, items, count, plain) : 0;
		size_t size;

		if (some == 0) {
			begin_row(writer, series, items, offset);
			some = like_row(open, items, count, plain);
		}
		size = some * sizeof(uint64_t) * ((open->row.flags & RECORD_HAS_VALUE ? 1u : 0u) +
			(open->row.flags & RECORD_HAS_RAW ? 1u : 0u));
		put_numbers(record_extend(&writer->front->records, size), items, some,
			open->row.flags);
		open->row.next += some;
		open->row.count += some;
		store_row_count(writer);
		series += some;
		items += some;
		count -= some;
	}
}

/* A series that has a note goes on in it until the notes are recorded: its slots are told in
 * order. */
static bool
must_overflow(const struct writer *writer, const struct series *series)
{
	return writer_full(writer) ||
		(writer->overflow.open > 0 && overflow_has(&writer->overflow, series));
}

uint64_t
writer_sample(struct writer *writer, const struct sample *sample)
{
	struct sample_item item = { .value = sample->value, .raw = sample->raw,
		.reason = sample->reason, .has_raw = sample->has_raw };
	int32_t offset;

	if (held_has(&writer->held, sample->series->id)) {
		held_sample(&writer->held, sample);
		return 0;
	}
	if (must_overflow(writer, sample->series)) {
		overflow_note(&writer->overflow, sample->series, sample->slot, sample->slot);
		return 0;
	}
	offset = frame_for(writer, sample->slot, sample->series->step, sample->received);
	put_items(writer, sample->series->id, &item, 1, offset, false);
	return writer->front->last;
}

uint64_t
writer_batch(struct writer *writer, const struct sample_batch *batch)
{
	struct sample sample;
	uint64_t last = 0;
	int32_t offset;

	if (writer_full(writer) || writer->overflow.open > 0 ||
		held_has(&writer->held, batch->first + batch->count - 1)) {
		for (uint32_t i = 0; i < batch->count; i++) {
			sample_of_batch(batch, i, &sample);
			last = writer_sample(writer, &sample);
		}
		return last;
	}
	offset = frame_for(writer, batch->slot, batch->step, batch->received);
	put_items(writer, batch->first, batch->items, batch->count, offset, batch->plain);
	return writer->front->last;
}

uint64_t
writer_run(struct writer *writer, const struct sample_run *run)
{
	if (held_has(&writer->held, run->series->id)) {
		held_run(&writer->held, run);
		return 0;
	}
	if (must_overflow(writer, run->series)) {
		overflow_note(&writer->overflow, run->series, run->first, run->last);
		return 0;
	}
	put_run(run, writer);
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
feed_batch_in(void *arg, const struct sample_batch *batch)
{
	writer_batch(arg, batch);
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
	return (struct feed_listener){ .sample = feed_sample_in, .batch = feed_batch_in,
		.run = feed_run_in, .flush = feed_flush_in, .arg = writer };
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

uint64_t
writer_overflow(const struct writer *writer)
{
	return writer->overflow.slots + writer->held.overflow.slots;
}

size_t
writer_reserved(const struct writer *writer)
{
	return reserve_bytes(&writer->reserve);
}

#include "core/latest.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/feed.h"
#include "core/series.h"

#define MAGIC "PWLATE05"
#define HEADER_SIZE 4096
#define GROW 4096 /* rows */

struct header {
	char magic[8];
	char boot[BOOT_ID]; /* boot_id: mono times of another boot mean nothing */
	_Atomic int64_t beat;
	_Atomic int64_t offset; /* wall - mono at that beat; 0: not known */
	uint64_t config; /* see latest_bases_are_for */
};

/* BASE_MILLI: the base counts thousandths; RAW_BELOW: and is rounded up from the reading.
 * RAW_BEYOND: the reading is not negative but above INT64_MAX; not of counters: none is negative. */
enum { KNOWN = 1, HAS_RAW = 2, HAS_BASE = 4, HAS_TEXT = 8, BASE_MILLI = 16, RAW_BELOW = 32,
	RAW_BEYOND = 64 };

/* 48 bits of a time, at no more than every second address; of LATEST_BASE_UNIT for 8.9 years of
 * a machine, see mono_of. */
struct time48 {
	uint32_t low __attribute__((packed, aligned(2)));
	uint16_t high;
};
#define WALL_UNIT INT64_C(100000) /* ns: until the year 2861 */

/* One for each point of a plant, in the poller's memory too: nothing stands here twice, and
 * nothing that is known from what stands here. A counter's newest reading is the base of its
 * next rate; a text has neither. A row with a value was good when it was received; one without
 * has its place for when that was. */
struct row {
	_Atomic uint16_t sequence; /* odd while being written */
	uint8_t reason, flags;
	uint32_t slot;             /* steps are whole seconds */
	union {
		double value __attribute__((packed, aligned(4)));
		int64_t good_at __attribute__((packed, aligned(4))); /* wall ns, 0 never */
	} as;                      /* by reason_counts_as_good */
	uint64_t raw __attribute__((packed, aligned(4))); /* of the base, when there is one */
	struct time48 received;
	union {
		struct time48 base_mono;
		uint32_t text __attribute__((packed, aligned(2))); /* place in the text file, from 1 */
	} of;
};
_Static_assert(sizeof(struct row) == 36, "as the file has it");

struct map {
	int fd;
	uint8_t *bytes;
	size_t size;
};

/* A time and its units: one for all that came in one answer. */
struct moment {
	int64_t ns, units;
};

struct latest {
	bool writer;
	struct map rows, texts;
	uint32_t texts_used;
	int64_t newest;      /* of all bases that were set, in LATEST_BASE_UNIT */
	struct moment wall, mono;
	struct feed_listener listener;
};

#define TEXT_SIZE (LATEST_TEXT + 8)

/* ---- what stands in a row ---- */

static void
time_put(struct time48 *to, int64_t units)
{
	to->low = (uint32_t)units;
	to->high = (uint16_t)(units >> 32);
}

static int64_t
time_get(const struct time48 *from)
{
	return from->low | (int64_t)from->high << 32;
}

static int64_t
units_of(struct moment *moment, int64_t ns, int64_t unit)
{
	if (moment->ns != ns)
		*moment = (struct moment){ ns, ns / unit };
	return moment->units;
}

/* A machine may run for longer than the row can count: of what it may mean, that which is next
 * to the newest. A time that is taken for another is no base of a rate: it is far too old. */
static int64_t
mono_of(const struct latest *latest, const struct row *row)
{
	const int64_t round = INT64_C(1) << 48;
	int64_t newest = latest->newest;
	int64_t units = time_get(&row->of.base_mono);

	/* Nearly always, for more than four years. */
	if (units <= newest && newest < round / 2)
		return units * LATEST_BASE_UNIT;
	units += newest / round * round;
	if (units - newest > round / 2 && units >= round)
		units -= round;
	else if (newest - units > round / 2)
		units += round;
	return units * LATEST_BASE_UNIT;
}

static int64_t
received_of(const struct row *row)
{
	/* Unsigned, for what a damaged file says. */
	return (int64_t)((uint64_t)time_get(&row->received) * WALL_UNIT);
}

static int64_t
good_at_of(const struct row *row)
{
	if ((row->flags & KNOWN) == 0)
		return 0;
	return reason_counts_as_good(row->reason) ? received_of(row) : row->as.good_at;
}

/* ---- the files ---- */

static int
map_whole(struct map *map, bool writer)
{
	struct stat status;
	void *bytes;

	if (fstat(map->fd, &status) == -1)
		return -1;
	if ((size_t)status.st_size == map->size)
		return 0;
	if (map->bytes != NULL)
		munmap(map->bytes, map->size);
	map->bytes = NULL;
	map->size = (size_t)status.st_size;
	if (map->size == 0)
		return 0;
	bytes = mmap(NULL, map->size, writer ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		map->fd, 0);
	if (bytes == MAP_FAILED) {
		map->size = 0;
		return -1;
	}
	map->bytes = bytes;
	return 0;
}

/* Is the file as large as that, by now? */
static bool
reach(struct latest *latest, size_t end)
{
	if (latest->writer) {
		/* Space is really taken, so that a full disk is an error here and no SIGBUS. */
		size_t size = end + GROW * sizeof(struct row);

		if (posix_fallocate(latest->rows.fd, 0, (off_t)size) != 0)
			return false;
	}
	return map_whole(&latest->rows, latest->writer) == 0 && end <= latest->rows.size;
}

static inline struct row *
row_at(struct latest *latest, uint32_t id)
{
	size_t end = HEADER_SIZE + ((size_t)id + 1) * sizeof(struct row);

	if (end > latest->rows.size && !reach(latest, end))
		return NULL;
	return (struct row *)(void *)(latest->rows.bytes + HEADER_SIZE) + id;
}

static int
open_map(struct map *map, const char *run_dir, const char *name, bool writer, size_t least,
	struct fail *why)
{
	char *path = mem_format("%s/%s", run_dir, name);
	int failed = -1;

	map->fd = open(path, O_CLOEXEC | (writer ? O_RDWR | O_CREAT : O_RDONLY), 0640);
	if (map->fd == -1)
		goto out;
	if (writer && (errno = posix_fallocate(map->fd, 0, (off_t)least)) != 0)
		goto out;
	failed = map_whole(map, writer);
out:
	if (failed == -1)
		fail_set(why, "%s: %s", path, strerror(errno));
	free(path);
	return failed;
}

static int
check_header(struct latest *latest, struct fail *why)
{
	struct header *header = (void *)latest->rows.bytes;

	if (latest->rows.size < HEADER_SIZE)
		goto strange;
	if (!latest->writer) {
		if (memcmp(header->magic, MAGIC, 8) != 0)
			goto strange;
		return 0;
	}
	if (memcmp(header->magic, MAGIC, 8) != 0 || strcmp(header->boot, boot_id()) != 0) {
		memset(latest->rows.bytes, 0, latest->rows.size);
		if (latest->texts.bytes != NULL)
			memset(latest->texts.bytes, 0, latest->texts.size);
		memcpy(header->magic, MAGIC, 8);
		str_copy(header->boot, sizeof header->boot, boot_id());
	}
	return 0;
strange:
	fail_set(why, "latest: not written by this version of pollwerkd");
	return -1;
}

/* A writer that was killed inside a row has left it half written: its rate base is no longer
 * a pair that belongs together. */
static void
mend_row(struct row *row)
{
	if (atomic_load(&row->sequence) % 2 == 0)
		return;
	row->flags = 0;
	atomic_fetch_add(&row->sequence, 1);
}

static void
take_over(struct latest *latest)
{
	size_t rows = (latest->rows.size - HEADER_SIZE) / sizeof(struct row);

	for (uint32_t id = 0; id < rows; id++) {
		struct row *row = row_at(latest, id);

		mend_row(row);
		if ((row->flags & HAS_TEXT) && row->of.text > latest->texts_used)
			latest->texts_used = row->of.text;
	}
}

static struct latest *
open_latest(const char *run_dir, bool writer, struct fail *why)
{
	struct latest *latest = mem_zero(sizeof *latest);

	latest->writer = writer;
	latest->rows.fd = latest->texts.fd = -1;
	if (open_map(&latest->rows, run_dir, "latest", writer, HEADER_SIZE, why) == -1 ||
		open_map(&latest->texts, run_dir, "latest.text", writer, TEXT_SIZE, why) == -1 ||
		check_header(latest, why) == -1) {
		latest_close(latest);
		return NULL;
	}
	if (writer)
		take_over(latest);
	return latest;
}

struct latest *
latest_open_writer(const char *run_dir, struct fail *why)
{
	return open_latest(run_dir, true, why);
}

struct latest *
latest_open_reader(const char *run_dir, struct fail *why)
{
	return open_latest(run_dir, false, why);
}

static void
unmap(struct map *map)
{
	if (map->bytes != NULL)
		munmap(map->bytes, map->size);
	if (map->fd != -1)
		close(map->fd);
}

void
latest_close(struct latest *latest)
{
	if (latest == NULL)
		return;
	unmap(&latest->rows);
	unmap(&latest->texts);
	free(latest);
}

static uint8_t *
text_at(struct latest *latest, uint32_t place)
{
	size_t end = (size_t)place * TEXT_SIZE;

	if (place == 0)
		return NULL; /* of a damaged file: places begin with 1 */
	if (end > latest->texts.size) {
		if (latest->writer &&
			posix_fallocate(latest->texts.fd, 0, (off_t)(end + 64 * TEXT_SIZE)) != 0)
			return NULL;
		if (map_whole(&latest->texts, latest->writer) == -1 || end > latest->texts.size)
			return NULL;
	}
	return latest->texts.bytes + end - TEXT_SIZE;
}

static uint64_t
raw_of(const struct row *row)
{
	if ((row->flags & HAS_RAW) == 0)
		return 0;
	return row->flags & BASE_MILLI ? row->raw / 1000 - ((row->flags & RAW_BELOW) != 0) :
		row->raw;
}

static void
copy_row(struct latest *latest, const struct row *from, struct latest_row *to)
{
	*to = (struct latest_row){ .known = from->flags & KNOWN, .reason = from->reason,
		.has_raw = from->flags & HAS_RAW, .beyond = from->flags & RAW_BEYOND, .slot = from->slot,
		.received = received_of(from), .good_at = good_at_of(from),
		.value = from->reason == REASON_GOOD ? from->as.value : (double)NAN,
		.raw = raw_of(from) };
	if (from->flags & HAS_TEXT) {
		uint8_t *text = text_at(latest, from->of.text);

		if (text != NULL)
			memcpy(to->text, text, LATEST_TEXT);
		to->text[LATEST_TEXT] = '\0';
	}
}

bool
latest_read(struct latest *latest, uint32_t id, struct latest_row *to)
{
	struct row *row = row_at(latest, id);

	if (row == NULL)
		return false;
	/* Bounded: a writer killed half-way leaves the number odd until it starts again. */
	for (int tries = 0; tries < 1000; tries++) {
		uint16_t before = atomic_load_explicit(&row->sequence, memory_order_acquire);

		if (before % 2 != 0)
			continue;
		copy_row(latest, row, to);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&row->sequence, memory_order_relaxed) == before)
			return to->known;
	}
	return false;
}

int64_t
latest_heartbeat(const struct latest *latest)
{
	return atomic_load(&((const struct header *)(const void *)latest->rows.bytes)->beat);
}

void
latest_beat(struct latest *latest, int64_t wall, int64_t mono)
{
	struct header *header = (void *)latest->rows.bytes;

	atomic_store(&header->offset, wall - mono);
	atomic_store(&header->beat, wall);
}

int64_t
latest_wall(const struct latest *latest, int64_t mono)
{
	int64_t offset = atomic_load(&((const struct header *)(const void *)latest->rows.bytes)->offset);

	return offset == 0 ? 0 : offset + mono;
}

/* Returns what end_row is to be told. */
static uint16_t
begin_row(struct row *row)
{
	/* `| 1`: also right behind a writer that was killed inside. */
	uint16_t sequence = (uint16_t)((atomic_load_explicit(&row->sequence,
		memory_order_relaxed) + 1) | 1);

	atomic_store_explicit(&row->sequence, sequence, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return sequence;
}

static void
end_row(struct row *row, uint16_t sequence)
{
	atomic_store_explicit(&row->sequence, (uint16_t)(sequence + 1), memory_order_release);
}

void
latest_forget_behind(struct latest *latest, uint32_t last)
{
	size_t rows = (latest->rows.size - HEADER_SIZE) / sizeof(struct row);

	for (size_t id = (size_t)last + 1; id < rows; id++) {
		struct row *row = row_at(latest, (uint32_t)id);
		uint16_t sequence;

		if ((row->flags & ~HAS_TEXT) == 0)
			continue;
		sequence = begin_row(row);
		row->flags &= HAS_TEXT; /* its place in the other file */
		end_row(row, sequence);
	}
}

static void
set_text(struct latest *latest, struct row *row, const char *text)
{
	uint8_t *place;

	if ((row->flags & HAS_TEXT) == 0)
		row->of.text = ++latest->texts_used;
	row->flags = (uint8_t)((row->flags & ~HAS_BASE) | HAS_TEXT);
	place = text_at(latest, row->of.text);
	if (place != NULL)
		str_copy((char *)place, LATEST_TEXT, text);
}

/* The base of a counter is this very reading: the poller sets it first. */
static inline void
set_raw(struct row *row, const struct sample_item *item)
{
	uint64_t raw = row->flags & BASE_MILLI ? row->raw / 1000 : row->raw;

	row->flags &= (uint8_t)~(HAS_RAW | RAW_BELOW | RAW_BEYOND);
	if (item->kind != POINT_COUNTER)
		row->flags &= (uint8_t)~(HAS_BASE | BASE_MILLI);
	if (!item->has_raw)
		return;
	if ((row->flags & HAS_BASE) == 0)
		row->raw = raw = item->raw;
	else if ((row->flags & BASE_MILLI) && item->raw + 1 == raw)
		row->flags |= RAW_BELOW;
	else if (item->raw != raw)
		return; /* not told rather than told wrong */
	row->flags |= item->beyond && item->kind != POINT_COUNTER ? HAS_RAW | RAW_BEYOND : HAS_RAW;
}

/* The usual: a counter whose reading is its base already. False, and nothing done, for others. */
static inline bool
put_count(struct row *row, const struct sample_item *item, int64_t slot, int64_t received)
{
	if (item->kind != POINT_COUNTER || !item->has_raw || item->raw != row->raw ||
		(row->flags & (HAS_BASE | BASE_MILLI)) != HAS_BASE ||
		!reason_counts_as_good(item->reason))
		return false;
	row->as.value = item->value;
	row->flags = (uint8_t)((row->flags | KNOWN | HAS_RAW) & ~(RAW_BELOW | RAW_BEYOND));
	row->reason = item->reason;
	row->slot = (uint32_t)slot;
	time_put(&row->received, received);
	return true;
}

/* received: in WALL_UNIT. */
static inline void
put_sample(struct row *row, const struct sample_item *item, int64_t slot, int64_t received)
{
	/* First, as it looks at what is about to be replaced. */
	if (reason_counts_as_good(item->reason))
		row->as.value = item->value;
	else
		row->as.good_at = good_at_of(row);
	row->flags |= KNOWN;
	row->reason = item->reason;
	row->slot = (uint32_t)slot;
	time_put(&row->received, received);
	set_raw(row, item);
}

static void
take_sample(void *arg, const struct sample *sample)
{
	struct latest *latest = arg;
	struct row *row = row_at(latest, sample->series->id);
	struct sample_item item = { .value = sample->value, .raw = sample->raw,
		.reason = sample->reason, .has_raw = sample->has_raw, .beyond = sample->beyond,
		.kind = (uint8_t)sample->series->kind };
	uint16_t sequence;

	if (row == NULL)
		return;
	sequence = begin_row(row);
	put_sample(row, &item, sample->slot,
		units_of(&latest->wall, sample->received, WALL_UNIT));
	if (sample->text != NULL)
		set_text(latest, row, sample->text);
	end_row(row, sequence);
}

/* Of neighbours the first; NULL: the file does not reach so far. */
static inline struct row *
rows_at(struct latest *latest, uint32_t first, uint32_t count)
{
	if (count == 0 || row_at(latest, first + count - 1) == NULL)
		return NULL;
	return row_at(latest, first);
}

/* Of a counter its base as well: its row is written once, and as a whole. */
static inline void
put_counter(struct row *row, const struct sample_item *item, int64_t slot, int64_t received,
	int64_t mono)
{
	if (reason_counts_as_good(item->reason))
		row->as.value = item->value;
	else
		row->as.good_at = good_at_of(row);
	row->raw = item->raw;
	row->flags = KNOWN | HAS_RAW | HAS_BASE;
	row->reason = item->reason;
	row->slot = (uint32_t)slot;
	time_put(&row->received, received);
	time_put(&row->of.base_mono, mono);
}

static void
take_bases(struct latest *latest, const struct sample_batch *batch, int64_t received)
{
	const struct sample_item *item = batch->items, *end = item + batch->count;
	struct row *row = rows_at(latest, batch->first, batch->count);
	int64_t mono = units_of(&latest->mono, batch->mono, LATEST_BASE_UNIT);

	if (row == NULL)
		return;
	if (mono > latest->newest)
		latest->newest = mono;
	for (; item < end; item++, row++) {
		uint16_t sequence = begin_row(row);

		if (item->kind == POINT_COUNTER)
			put_counter(row, item, batch->slot, received, mono);
		else
			put_sample(row, item, batch->slot, received);
		end_row(row, sequence);
	}
}

static void
take_batch(void *arg, const struct sample_batch *batch)
{
	struct latest *latest = arg;
	int64_t received = units_of(&latest->wall, batch->received, WALL_UNIT);

	if (batch->bases) {
		take_bases(latest, batch, received);
		return;
	}
	for (uint32_t i = 0; i < batch->count; i++) {
		struct row *row = row_at(latest, batch->first + i);
		uint16_t sequence;

		if (row == NULL)
			return;
		sequence = begin_row(row);
		if (!put_count(row, &batch->items[i], batch->slot, received))
			put_sample(row, &batch->items[i], batch->slot, received);
		end_row(row, sequence);
	}
}

static void
take_run(void *arg, const struct sample_run *run)
{
	struct sample last = { .series = run->series, .slot = run->last,
		.received = run->decided, .reason = run->reason, .value = (double)NAN };

	take_sample(arg, &last);
}

struct feed_listener
latest_listener(struct latest *latest)
{
	return (struct feed_listener){ .sample = take_sample, .batch = take_batch,
		.run = take_run, .arg = latest };
}

static inline bool
base_of(const struct latest *latest, const struct row *row, struct latest_base *base)
{
	if (!(row->flags & HAS_BASE)) {
		*base = (struct latest_base){ 0 };
		return false;
	}
	*base = (struct latest_base){ true, row->flags & BASE_MILLI, row->raw,
		mono_of(latest, row) };
	return true;
}

static inline void
put_base(struct latest *latest, struct row *row, const struct latest_base *base, int64_t units)
{
	uint16_t sequence = begin_row(row);

	row->flags = (uint8_t)((row->flags & ~(HAS_RAW | HAS_BASE | HAS_TEXT | BASE_MILLI |
		RAW_BELOW | RAW_BEYOND)) | (base->known ? HAS_BASE | (base->milli ? BASE_MILLI : 0) : 0));
	row->raw = base->count;
	time_put(&row->of.base_mono, units);
	if (units > latest->newest)
		latest->newest = units;
	end_row(row, sequence);
}

void
latest_expect(const struct latest *latest, uint32_t first, uint32_t count)
{
	const size_t line = 64; /* octets that memory gives at a time */
	size_t from = HEADER_SIZE + (size_t)first * sizeof(struct row);
	size_t end = from + (size_t)count * sizeof(struct row);

	if (end > latest->rows.size)
		return;
	for (from -= from % line; from < end; from += line)
		__builtin_prefetch(latest->rows.bytes + from, 1);
}

uint64_t
latest_bases_alike(struct latest *latest, uint32_t first, uint32_t count, uint64_t *counts,
	int64_t *mono)
{
	const struct row *row = rows_at(latest, first, count), *one = NULL;
	uint64_t alike = 0;
	int64_t units = 0;

	for (uint32_t i = 0; i < count && row != NULL; i++, row++) {
		if ((row->flags & (HAS_BASE | BASE_MILLI)) != HAS_BASE)
			continue;
		if (one == NULL)
			units = time_get(&(one = row)->of.base_mono);
		else if (time_get(&row->of.base_mono) != units)
			continue;
		counts[i] = row->raw;
		alike |= UINT64_C(1) << i;
	}
	*mono = one == NULL ? 0 : mono_of(latest, one);
	return alike;
}

bool
latest_base_get(const struct latest *latest, uint32_t id, struct latest_base *base)
{
	/* Only the writer asks, so the row cannot change under it. */
	struct row *row = row_at((struct latest *)latest, id);

	*base = (struct latest_base){ 0 };
	return row != NULL && base_of(latest, row, base);
}

void
latest_base_set(struct latest *latest, uint32_t id, const struct latest_base *base)
{
	struct row *row = row_at(latest, id);

	if (row != NULL)
		put_base(latest, row, base, units_of(&latest->mono, base->mono, LATEST_BASE_UNIT));
}

void
latest_base_drop(struct latest *latest, uint32_t id)
{
	struct row *row = row_at(latest, id);
	uint16_t sequence;

	if (row == NULL || !(row->flags & HAS_BASE))
		return;
	sequence = begin_row(row);
	row->flags &= (uint8_t)~(HAS_RAW | HAS_BASE | BASE_MILLI | RAW_BELOW);
	end_row(row, sequence);
}

void
latest_bases_are_for(struct latest *latest, uint64_t config, bool keep)
{
	struct header *header = (void *)latest->rows.bytes;
	size_t rows = (latest->rows.size - HEADER_SIZE) / sizeof(struct row);

	if (header->config != config && !keep)
		for (uint32_t id = 0; id < rows; id++)
			latest_base_drop(latest, id);
	header->config = config;
}

bool
latest_base_swap(struct latest *latest, uint32_t id, struct latest_base *now,
	struct latest_base *former)
{
	struct row *row = row_at(latest, id);
	int64_t units = units_of(&latest->mono, now->mono, LATEST_BASE_UNIT);
	bool known;

	now->mono = units * LATEST_BASE_UNIT;
	if (row == NULL) {
		*former = (struct latest_base){ 0 };
		return false;
	}
	known = base_of(latest, row, former);
	put_base(latest, row, now, units);
	return known;
}

void
latest_bases_swap(struct latest *latest, uint32_t first, uint32_t count,
	struct latest_base *bases, int64_t *mono)
{
	int64_t units = units_of(&latest->mono, *mono, LATEST_BASE_UNIT);

	*mono = units * LATEST_BASE_UNIT;
	for (uint32_t i = 0; i < count; i++) {
		struct row *row = bases[i].known ? row_at(latest, first + i) : NULL;
		struct latest_base former;

		if (row == NULL) {
			bases[i] = (struct latest_base){ 0 };
			continue;
		}
		base_of(latest, row, &former);
		put_base(latest, row, &bases[i], units);
		bases[i] = former;
	}
}

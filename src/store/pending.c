#include "store/pending.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"
#include "journal/record.h"
#include "store/packed.h"

#define BEHIND 3 /* slots */
/* Rows that may wait unpacked for more values: a device's rows come together. */
#define OPEN_MOST 1024

struct place {
	struct pending_file *file; /* NULL: no file, or not stored */
	uint32_t ds;
	bool known;
};

#define AGES_MOST (1u << 20)

/* Files by the segment of their first row: lists[i] has those of segment base + i. */
struct ages {
	struct pending_file **lists;
	uint64_t base;
	size_t count, room;
};

struct pending {
	struct pending_file *files;
	struct place *places; /* by series id */
	uint32_t room;
	uint64_t rows;
	struct ages ages; /* of files with rows */
	struct slab *slab;
	struct pending_open *oldest_open, *newest_open; /* rows not packed yet */
	struct pending_open *spare; /* the last one packed, for the next row of its width */
	size_t open_count, open_bytes;
	uint8_t *scratch; /* one packed row */
	double *values;   /* of the row last read */
	size_t scratch_room, values_room;
};

struct pending *
pending_new(void)
{
	struct pending *pending = mem_zero(sizeof *pending);

	pending->slab = slab_new();
	return pending;
}

static void
free_file(struct pending *pending, struct pending_file *file)
{
	pending_forget(pending, file, INT64_MAX);
	HASH_DEL(pending->files, file);
	free(file->ds);
	free(file->last);
	free(file->name);
	free(file->profile);
	free(file);
}

void
pending_free(struct pending *pending)
{
	struct pending_file *file, *next;

	if (pending == NULL)
		return;
	HASH_ITER(hh, pending->files, file, next)
		free_file(pending, file);
	free(pending->places);
	free(pending->ages.lists);
	free(pending->spare);
	slab_free(pending->slab);
	free(pending->scratch);
	free(pending->values);
	free(pending);
}

static struct place *
place_of(struct pending *pending, uint32_t series)
{
	if (series >= pending->room) {
		uint32_t room = pending->room > 0 ? pending->room : 256;

		while (room <= series)
			room = room < UINT32_MAX / 2 ? 2 * room : UINT32_MAX;
		pending->places = mem_grow(pending->places, room, sizeof *pending->places);
		memset(pending->places + pending->room, 0,
			(room - pending->room) * sizeof *pending->places);
		pending->room = room;
	}
	return &pending->places[series];
}

bool
pending_knows(const struct pending *pending, uint32_t series)
{
	return series < pending->room && pending->places[series].known;
}

bool
pending_is_quarantined(const struct pending *pending, uint32_t series)
{
	const struct pending_file *file = series < pending->room ? pending->places[series].file :
		NULL;

	return file != NULL && file->quarantined;
}

struct pending_file *
pending_find(struct pending *pending, const char *name)
{
	struct pending_file *file;

	HASH_FIND_STR(pending->files, name, file);
	return file;
}

static struct pending_file *
find_or_make(struct pending *pending, const struct series *series)
{
	struct pending_file *file = pending_find(pending, series->file);

	if (file != NULL)
		return file;
	file = mem_zero(sizeof *file);
	file->name = mem_text(series->file);
	file->profile = mem_text(series->profile);
	file->step = series->step;
	file->newest = INT64_MIN;
	HASH_ADD_KEYPTR(hh, pending->files, file->name, strlen(file->name), file);
	return file;
}

int
pending_register(struct pending *pending, const struct series *series, struct fail *why)
{
	struct place *place = place_of(pending, series->id);
	struct pending_file *file;
	struct pending_ds *ds;

	place->known = true;
	if (*series->file == '\0')
		return 0;
	file = find_or_make(pending, series);
	if (file->step != series->step) {
		fail_set(why, "%s: not stored: its interval is not the one of the other points in %s",
			series->path, series->file);
		return -1;
	}
	file->ds = mem_grow(file->ds, file->ds_count + 1, sizeof *file->ds);
	file->last = mem_grow(file->last, file->ds_count + 1, sizeof *file->last);
	ds = &file->ds[file->ds_count];
	*ds = (struct pending_ds){ .series = series->id };
	str_copy(ds->name, sizeof ds->name, series->ds);
	file->last[file->ds_count] = file->newest;
	place->file = file;
	place->ds = (uint32_t)file->ds_count++;
	/* A new data source may have to be added to the file. */
	file->open = false;
	return 0;
}

/* ---- rows ---- */

#define LENGTH_MOST 10 /* octets of a number */

/* A row that still gets values. */
struct pending_open {
	struct pending_file *file;
	struct pending_open *older, *newer;
	int64_t slot, received;
	uint64_t segment;
	size_t width, filled;
	double values[];
};

static size_t
open_bytes(size_t width)
{
	return sizeof(struct pending_open) + width * sizeof(double) + 16;
}

static uint8_t *
scratch_of(struct pending *pending, size_t width)
{
	size_t need = 4 * LENGTH_MOST + PACKED_MAX(width);

	if (need > pending->scratch_room) {
		pending->scratch = mem_grow(pending->scratch, need, 1);
		pending->scratch_room = need;
	}
	return pending->scratch;
}

/* Octets of a packed row: their number, then slot, segment (both as the distance to the former
 * row), width, values. */
static void
put_packed(struct pending *pending, struct pending_file *file, const struct pending_row *row,
	int64_t span)
{
	struct pending_packed *packed = &file->packed;
	uint8_t *octets = scratch_of(pending, row->width) + LENGTH_MOST, length[LENGTH_MOST];
	size_t used, before;

	if (packed->octets.first == 0) {
		packed->slot_before = packed->last_slot = row->slot - 1;
		packed->segment_before = packed->last_segment = row->segment;
	}
	used = packed_put_number(octets, (uint64_t)(row->slot - packed->last_slot));
	used += packed_put_number(octets + used, row->segment - packed->last_segment);
	used += packed_put_number(octets + used, row->width);
	used += packed_put(octets + used, row->values, row->width, span, file->step);
	before = packed_put_number(length, used);
	memcpy(octets - before, length, before);
	slab_put(pending->slab, &packed->octets, octets - before, before + used);
	packed->last_slot = row->slot;
	packed->last_segment = row->segment;
}

static uint64_t
read_number(const struct pending *pending, struct slab_place *place)
{
	uint64_t number = 0;
	uint8_t octet;
	unsigned shift = 0;

	do {
		slab_read(pending->slab, place, &octet, 1);
		number |= (uint64_t)(octet & 0x7f) << shift;
		shift += 7;
	} while (octet & 0x80);
	return number;
}

static double *
values_of(struct pending *pending, size_t width)
{
	if (width > pending->values_room) {
		pending->values = mem_grow(pending->values, width, sizeof *pending->values);
		pending->values_room = width;
	}
	return pending->values;
}

/* The packed row at the place, which moves behind it. */
static void
get_packed(struct pending *pending, const struct pending_file *file, struct pending_walk *walk,
	struct pending_row *row)
{
	size_t size = (size_t)read_number(pending, &walk->place), used;
	uint8_t *octets = scratch_of(pending, size);
	uint64_t slot, segment, width;

	slab_read(pending->slab, &walk->place, octets, size);
	used = packed_get_number(octets, &slot);
	used += packed_get_number(octets + used, &segment);
	used += packed_get_number(octets + used, &width);
	row->slot = walk->slot += (int64_t)slot;
	row->segment = walk->segment += segment;
	row->width = (size_t)width;
	row->values = values_of(pending, row->width);
	packed_get(octets + used, pending->values, row->width, file->step);
}

/* ---- files by age ---- */

/* Of a file that has rows; segments only grow from row to row. */
static uint64_t
first_segment(const struct pending *pending, const struct pending_file *file)
{
	struct slab_place place = slab_front(&file->packed.octets);

	if (place.piece == 0)
		return file->growing->segment;
	read_number(pending, &place); /* size */
	read_number(pending, &place); /* slot */
	return file->packed.segment_before + read_number(pending, &place);
}

/* Segments are few: some MB each. */
static struct pending_file **
age_list(struct ages *ages, uint64_t segment)
{
	size_t more;

	if (ages->count == 0)
		ages->base = segment;
	more = segment < ages->base ? (size_t)(ages->base - segment) : 0;
	if (more > 0) {
		ages->lists = mem_grow(ages->lists, ages->count + more, sizeof(struct pending_file *));
		memmove(ages->lists + more, ages->lists, ages->count * sizeof *ages->lists);
		memset(ages->lists, 0, more * sizeof *ages->lists);
		ages->room = ages->count += more;
		ages->base = segment;
	}
	more = (size_t)(segment - ages->base) + 1;
	if (more > ages->room) {
		ages->room = 2 * more;
		ages->lists = mem_grow(ages->lists, ages->room, sizeof(struct pending_file *));
	}
	for (; ages->count < more; ages->count++)
		ages->lists[ages->count] = NULL;
	return &ages->lists[segment - ages->base];
}

/* The oldest list that has files; those before it go. NULL: none has. */
static struct pending_file *
oldest_file(struct ages *ages)
{
	size_t empty = 0;

	while (empty < ages->count && ages->lists[empty] == NULL)
		empty++;
	ages->count -= empty;
	ages->base += empty;
	if (empty > 0 && ages->count > 0)
		memmove(ages->lists, ages->lists + empty, ages->count * sizeof *ages->lists);
	return ages->count > 0 ? ages->lists[0] : NULL;
}

static void
leave_age(struct pending *pending, struct pending_file *file)
{
	if (file->age_before != NULL)
		file->age_before->age_next = file->age_next;
	else
		*age_list(&pending->ages, file->age) = file->age_next;
	if (file->age_next != NULL)
		file->age_next->age_before = file->age_before;
	file->age_before = file->age_next = NULL;
}

static void
join_age(struct pending *pending, struct pending_file *file)
{
	struct pending_file **list;

	file->age = first_segment(pending, file);
	/* Older than it is does no harm; a segment of an absurd number would. */
	if (pending->ages.count > 0 && file->age > pending->ages.base + AGES_MOST)
		file->age = pending->ages.base + AGES_MOST;
	list = age_list(&pending->ages, file->age);
	file->age_before = NULL;
	file->age_next = *list;
	if (*list != NULL)
		(*list)->age_before = file;
	*list = file;
}

/* ---- the growing row ---- */

static void
unlink_open(struct pending *pending, struct pending_open *open)
{
	if (open->older != NULL)
		open->older->newer = open->newer;
	else
		pending->oldest_open = open->newer;
	if (open->newer != NULL)
		open->newer->older = open->older;
	else
		pending->newest_open = open->older;
	pending->open_count--;
	pending->open_bytes -= open_bytes(open->width);
	open->file->growing = NULL;
	open->newer = NULL;
	/* Rows of one kind follow one another. */
	if (pending->spare != NULL && pending->spare->width != open->width) {
		free(pending->spare);
		pending->spare = NULL;
	}
	if (pending->spare == NULL)
		pending->spare = open;
	else
		free(open);
}

static void
pack(struct pending *pending, struct pending_open *open)
{
	struct pending_file *file = open->file;
	struct pending_row row = { open->slot, open->segment, open->width, open->values };
	int64_t span = file->received > 0 ? open->received - file->received : 0;

	if (span <= 0)
		span = file->step;
	put_packed(pending, file, &row, span);
	file->received = open->received;
	unlink_open(pending, open);
}

static struct pending_open *
begin_row(struct pending *pending, struct pending_file *file, int64_t slot,
	struct pending_origin origin)
{
	struct pending_open *open;

	if (pending->open_count >= OPEN_MOST)
		pack(pending, pending->oldest_open);
	open = pending->spare;
	if (open != NULL && open->width == file->ds_count)
		pending->spare = NULL;
	else
		open = mem_zero(sizeof *open + file->ds_count * sizeof(double));
	open->filled = 0;
	open->newer = NULL;
	open->file = file;
	open->slot = slot;
	open->received = origin.received;
	open->segment = origin.segment;
	open->width = file->ds_count;
	for (size_t i = 0; i < open->width; i++)
		open->values[i] = (double)NAN;
	open->older = pending->newest_open;
	if (open->older != NULL)
		open->older->newer = open;
	else
		pending->oldest_open = open;
	pending->newest_open = open;
	pending->open_count++;
	pending->open_bytes += open_bytes(open->width);
	file->growing = open;
	pending->rows++;
	if (file->row_count++ == 0)
		join_age(pending, file);
	return open;
}

static inline void
put_growing(struct pending *pending, struct pending_open *open, size_t ds, double value)
{
	open->filled += isnan(open->values[ds]);
	open->values[ds] = value;
	if (open->filled == open->width)
		pack(pending, open);
}

/* For what comes late: all rows are packed anew, with this value. */
static void
put_late(struct pending *pending, struct pending_file *file, int64_t slot, size_t ds,
	double value, struct pending_origin origin)
{
	struct pending_packed old = file->packed;
	struct pending_walk walk = pending_walk(pending, file);
	double *values = mem_array(file->ds_count, sizeof *values);
	struct pending_row row = { .slot = INT64_MIN };
	size_t width = 0;
	bool more, done = false;

	file->packed = (struct pending_packed){ 0 };
	do {
		more = pending_next(pending, file, &walk, &row);
		for (width = 0; more && width < row.width; width++)
			values[width] = row.values[width];
		for (; width < file->ds_count; width++)
			values[width] = (double)NAN;
		row.values = values;
		row.width = file->ds_count;
		if (!done && more && row.slot == slot) {
			values[ds] = value;
			done = true;
		} else if (!done && (!more || row.slot > slot)) {
			/* Where it stands in the journal must not seem younger than its successor. */
			double *single = mem_array(file->ds_count, sizeof *single);
			struct pending_row late = { slot, origin.segment, file->ds_count, single };

			for (size_t i = 0; i < file->ds_count; i++)
				single[i] = i == ds ? value : (double)NAN;
			if (more && row.segment < late.segment)
				late.segment = row.segment;
			put_packed(pending, file, &late, 0);
			free(single);
			file->row_count++;
			pending->rows++;
			done = true;
		}
		/* The nanoseconds between answers are those of neighbours no more: any row's
		 * rates find them from about one step. */
		if (more)
			put_packed(pending, file, &row, file->step);
	} while (more);
	free(values);
	slab_clear(pending->slab, &old.octets);
}

static void
put_elsewhere(struct pending *pending, struct pending_file *file, int64_t slot, size_t ds,
	double value, struct pending_origin origin)
{
	struct pending_open *open = file->growing;

	/* A data source that was added meanwhile has no place in it. */
	if (open != NULL)
		pack(pending, open);
	if (file->row_count == 0 || slot > file->packed.last_slot)
		put_growing(pending, begin_row(pending, file, slot, origin), ds, value);
	else
		put_late(pending, file, slot, ds, value, origin);
}

/* The first slot since the start: what the others of the file have in it may come in a later
 * record, also when they are new. */
static void
expect_others(struct pending_file *file, int64_t slot)
{
	for (size_t i = 0; i < file->ds_count; i++)
		file->last[i] = slot - 1;
}

static inline void
close_one(struct pending *pending, struct pending_file *file, size_t ds, int64_t slot,
	double value, struct pending_origin origin)
{
	struct pending_open *open = file->growing;

	if (file->newest == INT64_MIN)
		expect_others(file, slot);
	if (slot > file->last[ds])
		file->last[ds] = slot;
	if (slot > file->newest)
		file->newest = slot;
	if (!isfinite(value) || file->quarantined || (file->open && slot <= file->written))
		return;
	if (open != NULL && open->slot == slot && ds < open->width)
		put_growing(pending, open, ds, value);
	else
		put_elsewhere(pending, file, slot, ds, value, origin);
}

struct pending_file *
pending_close(struct pending *pending, uint32_t series, int64_t last, double value,
	struct pending_origin origin)
{
	struct place *place = place_of(pending, series);

	if (place->file != NULL)
		close_one(pending, place->file, place->ds, last, value, origin);
	return place->file;
}

/* What samples change of a file, as far as it is always needed. */
#define HOT offsetof(struct pending_file, ds)
#define PACKED_MOSTLY 40 /* octets of a row */

void
pending_ahead(const struct pending *pending, const struct record_sample *samples, size_t count)
{
	const struct pending_file *files[AHEAD_GROUP], *former = NULL;
	size_t used = 0;

	for (size_t i = 0; i < count && used < AHEAD_GROUP; i++) {
		const struct pending_file *file = samples[i].series < pending->room ?
			pending->places[samples[i].series].file : NULL;

		if (file == NULL || file == former)
			continue;
		ahead_fetch(file, HOT);
		files[used++] = former = file;
	}
	for (size_t i = 0; i < used; i++) {
		ahead_fetch(files[i]->last, files[i]->ds_count * sizeof *files[i]->last);
		slab_put_ahead(pending->slab, &files[i]->packed.octets, PACKED_MOSTLY);
	}
}

struct pending_file *
pending_close_samples(struct pending *pending, const struct record_sample *samples, size_t count,
	uint64_t segment, size_t *done)
{
	while (*done < count) {
		const struct record_sample *sample = &samples[*done];
		struct pending_file *file;

		if (!pending_knows(pending, sample->series))
			return NULL;
		++*done;
		file = pending->places[sample->series].file;
		if (file == NULL)
			continue;
		close_one(pending, file, pending->places[sample->series].ds, sample->slot,
			sample->value, (struct pending_origin){ sample->received, segment });
		if (!file->touched && !file->quarantined)
			return file;
	}
	return NULL;
}

int64_t
pending_complete(const struct pending_file *file)
{
	int64_t complete = INT64_MAX;

	for (size_t i = 0; i < file->ds_count; i++) {
		int64_t last = file->last[i];

		if (file->newest != INT64_MIN && last >= file->newest - BEHIND && last < complete)
			complete = last;
	}
	return complete == INT64_MAX ? INT64_MIN : complete;
}

/* ---- reading rows ---- */

struct pending_walk
pending_walk(struct pending *pending, struct pending_file *file)
{
	if (file->growing != NULL)
		pack(pending, file->growing);
	return (struct pending_walk){ slab_front(&file->packed.octets), file->packed.slot_before,
		file->packed.segment_before, file->row_count };
}

bool
pending_next(struct pending *pending, const struct pending_file *file, struct pending_walk *walk,
	struct pending_row *row)
{
	if (walk->left == 0)
		return false;
	walk->left--;
	get_packed(pending, file, walk, row);
	return true;
}

int64_t
pending_first(struct pending *pending, struct pending_file *file)
{
	struct pending_walk walk = pending_walk(pending, file);
	struct pending_row row;

	return pending_next(pending, file, &walk, &row) ? row.slot : INT64_MAX;
}

int64_t
pending_beyond(struct pending *pending, struct pending_file *file, uint64_t segment)
{
	struct pending_walk walk;
	int64_t last = INT64_MIN;
	struct pending_row row;

	if (file->row_count == 0 || file->age >= segment)
		return INT64_MIN;
	walk = pending_walk(pending, file);
	while (pending_next(pending, file, &walk, &row) && row.segment < segment)
		last = row.slot;
	return last;
}

void
pending_forget(struct pending *pending, struct pending_file *file, int64_t upto)
{
	struct pending_walk walk, behind;
	struct pending_row row;

	if (file->row_count == 0)
		return;
	behind = walk = pending_walk(pending, file);
	if (file->packed.last_slot <= upto)
		slab_clear(pending->slab, &file->packed.octets);
	else
		while (pending_next(pending, file, &walk, &row) && row.slot <= upto)
			behind = walk;
	leave_age(pending, file);
	if (file->packed.octets.first == 0) {
		pending->rows -= file->row_count;
		file->row_count = 0;
		return;
	}
	pending->rows -= file->row_count - behind.left;
	file->row_count = behind.left;
	file->packed.slot_before = behind.slot;
	file->packed.segment_before = behind.segment;
	slab_take(pending->slab, &file->packed.octets, behind.place);
	join_age(pending, file);
}

/* ---- all of them ---- */

struct pending_file *
pending_files(struct pending *pending)
{
	return pending->files;
}

size_t
pending_count_files(const struct pending *pending)
{
	return HASH_COUNT(pending->files);
}

uint64_t
pending_count_rows(const struct pending *pending)
{
	return pending->rows;
}

size_t
pending_bytes(const struct pending *pending)
{
	return slab_bytes(pending->slab) + pending->open_bytes;
}

struct pending_file *
pending_older(struct pending *pending, uint64_t segment)
{
	struct pending_file *file = oldest_file(&pending->ages);

	return file != NULL && file->age < segment ? file : NULL;
}

struct reader_position
pending_oldest(struct pending *pending, struct reader_position none)
{
	const struct pending_file *file = oldest_file(&pending->ages);

	return file != NULL && file->age <= none.segment ?
		(struct reader_position){ file->age, 0 } : none;
}

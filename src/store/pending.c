#include "store/pending.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/series.h"

#define BEHIND 3 /* slots */

struct place {
	struct pending_file *file; /* NULL: no file, or not stored */
	size_t ds;
	bool known;
};

struct pending {
	struct pending_file *files;
	struct place *places; /* by series id */
	uint32_t room;
	uint64_t rows;
	size_t bytes;
};

struct pending *
pending_new(void)
{
	return mem_zero(sizeof(struct pending));
}

static void
free_file(struct pending *pending, struct pending_file *file)
{
	pending_forget(pending, file, INT64_MAX);
	HASH_DEL(pending->files, file);
	free(file->rows);
	free(file->ds);
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
	ds = &file->ds[file->ds_count];
	*ds = (struct pending_ds){ .last = INT64_MIN, .series = series->id };
	str_copy(ds->name, sizeof ds->name, series->ds);
	place->file = file;
	place->ds = file->ds_count++;
	/* A new data source may have to be added to the file. */
	file->open = false;
	return 0;
}

/* ---- rows ---- */

static size_t
row_bytes(size_t width)
{
	return sizeof(struct pending_row) + width * sizeof(double) + sizeof(void *) + 16;
}

static struct pending_row *
widen(struct pending *pending, struct pending_row *row, size_t width)
{
	size_t before = row == NULL ? 0 : row->width;

	pending->bytes += row_bytes(width) - (row == NULL ? 0 : row_bytes(before));
	row = mem_grow(row, 1, sizeof *row + width * sizeof(double));
	row->width = width;
	for (size_t i = before; i < width; i++)
		row->values[i] = (double)NAN;
	return row;
}

/* Rows come nearly always in order: looked for from the end. */
static struct pending_row *
row_at(struct pending *pending, struct pending_file *file, int64_t slot,
	struct reader_position at)
{
	size_t i = file->row_count;

	while (i > 0 && file->rows[i - 1]->slot > slot)
		i--;
	if (i > 0 && file->rows[i - 1]->slot == slot) {
		if (file->rows[i - 1]->width < file->ds_count)
			file->rows[i - 1] = widen(pending, file->rows[i - 1], file->ds_count);
		return file->rows[i - 1];
	}
	if (file->row_count == file->row_room) {
		file->row_room = file->row_room > 0 ? 2 * file->row_room : 8;
		file->rows = mem_grow(file->rows, file->row_room, sizeof *file->rows);
	}
	memmove(file->rows + i + 1, file->rows + i, (file->row_count - i) * sizeof *file->rows);
	file->rows[i] = widen(pending, NULL, file->ds_count);
	file->rows[i]->slot = slot;
	file->rows[i]->at = at;
	file->row_count++;
	pending->rows++;
	return file->rows[i];
}

struct pending_file *
pending_close(struct pending *pending, uint32_t series, int64_t last, double value,
	struct reader_position at)
{
	struct place *place = place_of(pending, series);
	struct pending_file *file = place->file;
	struct pending_ds *ds;

	if (file == NULL)
		return NULL;
	ds = &file->ds[place->ds];
	if (!ds->seen || last > ds->last)
		ds->last = last;
	ds->seen = true;
	if (last > file->newest)
		file->newest = last;
	if (isfinite(value) && !file->quarantined && !(file->open && last <= file->written))
		row_at(pending, file, last, at)->values[place->ds] = value;
	return file;
}

int64_t
pending_complete(const struct pending_file *file)
{
	int64_t complete = INT64_MAX;

	for (size_t i = 0; i < file->ds_count; i++) {
		const struct pending_ds *ds = &file->ds[i];

		if (ds->seen && ds->last >= file->newest - BEHIND && ds->last < complete)
			complete = ds->last;
	}
	return complete == INT64_MAX ? INT64_MIN : complete;
}

void
pending_forget(struct pending *pending, struct pending_file *file, int64_t upto)
{
	size_t gone = 0;

	while (gone < file->row_count && file->rows[gone]->slot <= upto) {
		pending->bytes -= row_bytes(file->rows[gone]->width);
		free(file->rows[gone++]);
	}
	pending->rows -= gone;
	file->row_count -= gone;
	if (gone > 0)
		memmove(file->rows, file->rows + gone, file->row_count * sizeof *file->rows);
	if (file->row_count == 0) {
		free(file->rows);
		file->rows = NULL;
		file->row_room = 0;
	}
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
	return pending->bytes;
}

static bool
is_before(struct reader_position a, struct reader_position b)
{
	return a.segment != b.segment ? a.segment < b.segment : a.offset < b.offset;
}

struct reader_position
pending_oldest(struct pending *pending, struct reader_position none)
{
	struct reader_position oldest = none;

	for (struct pending_file *file = pending->files; file != NULL; file = file->hh.next)
		for (size_t i = 0; i < file->row_count; i++)
			if (is_before(file->rows[i]->at, oldest))
				oldest = file->rows[i]->at;
	return oldest;
}

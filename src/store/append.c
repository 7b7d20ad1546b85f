#include "store/append.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rrd.h>

#include "base/mem.h"
#include "store/layout.h"
#include "store/offsets.h"
#include "store/rrd.h"
#include "store/sheet.h"

#define STEP_MOST 86400 /* of ours, see layout_make; more may be damage */
/* Numbers of what is gathered for a data source, behind its last text. */
#define TEXT 30
#define GATHERED 32
#define GATHERED_UNKNOWN 0 /* seconds */
#define GATHERED_VALUE 8
/* In what is carried for an archive and data source. */
#define CARRY_VALUE 0
#define CARRY_UNKNOWN 8 /* slots */
/* In a definition. */
#define PARAMETERS 40
#define LOWEST (PARAMETERS + 8)
#define HIGHEST (PARAMETERS + 16)
#define XFF PARAMETERS

enum function { AVERAGE, MIN, MAX, LAST, FOREIGN };

struct archive {
	enum function function;
	uint64_t rows, slots;
	double xff;
	uint64_t at;    /* of its rows in the file */
	uint8_t *carry; /* of its first data source */
	uint8_t *newest;
	double *fresh; /* its new rows */
	size_t fresh_count;
};

struct append {
	struct archive archives[LAYOUT_RRAS];
	size_t archive_count, ds_count;
	int64_t step;
	struct append_piece pieces[2 * LAYOUT_RRAS + 1];
	double *slots; /* rates by row and data source, as archives of one slot have them */
	double *sums;  /* by data source: of the archive at work */
	uint64_t *unknown;
	double *fresh; /* rows of the other archives, one after the other */
	uint8_t *before; /* what append_work changes of the head */
	size_t slots_room, ds_room, fresh_room, before_room;
};

struct append *
append_new(void)
{
	return mem_zero(sizeof(struct append));
}

void
append_free(struct append *append)
{
	if (append == NULL)
		return;
	free(append->slots);
	free(append->sums);
	free(append->unknown);
	free(append->fresh);
	free(append->before);
	free(append);
}

static double
double_at(const uint8_t *octets)
{
	double value;

	memcpy(&value, octets, sizeof value);
	return value;
}

static void
put_double(uint8_t *to, double value)
{
	memcpy(to, &value, sizeof value);
}

static void
put_count(uint8_t *to, uint64_t value)
{
	memcpy(to, &value, sizeof value);
}

/* ---- is the file one of those? ---- */

static enum function
function_named(const char *name)
{
	static const char *const names[] = { "AVERAGE", "MIN", "MAX", "LAST" };

	for (int i = AVERAGE; i < FOREIGN; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum function)i;
	return FOREIGN;
}

static bool
takes_source(const struct append *append, const uint8_t *definition, const uint8_t *gathered)
{
	double value = double_at(gathered + GATHERED + GATHERED_VALUE);

	return memcmp(definition + OFFSETS_TYPE, "GAUGE", sizeof "GAUGE") == 0 &&
		offsets_number(definition, OFFSETS_HEARTBEAT) == (uint64_t)append->step &&
		isnan(double_at(definition + LOWEST)) && isnan(double_at(definition + HIGHEST)) &&
		offsets_number(gathered, GATHERED + GATHERED_UNKNOWN) == 0 &&
		(value == 0 || isnan(value));
}

/* All that is fixed of the archives; the octets of their rows, 0: one is not of ours. */
static uint64_t
take_archives(struct append *append, const struct rrd_head *head)
{
	uint8_t *definition = head->bytes + OFFSETS_STATIC + OFFSETS_DEFINITION * append->ds_count;
	uint8_t *carry = head->bytes + offsets_carry(append->ds_count, append->archive_count);
	uint8_t *newest = head->bytes + head->size - OFFSETS_POINTER * append->archive_count;
	uint64_t at = head->size;

	for (size_t i = 0; i < append->archive_count; i++, definition += OFFSETS_DEFINITION) {
		struct archive *archive = &append->archives[i];

		*archive = (struct archive){ .function = function_named((const char *)definition),
			.rows = offsets_number(definition, OFFSETS_ROWS),
			.slots = offsets_number(definition, OFFSETS_SLOTS),
			.xff = double_at(definition + XFF), .at = at, .carry = carry,
			.newest = newest + OFFSETS_POINTER * i };
		if (archive->function == FOREIGN || archive->rows == 0 || archive->rows > INT32_MAX ||
			archive->slots == 0 || offsets_number(archive->newest, 0) >= archive->rows)
			return 0;
		at += archive->rows * append->ds_count * sizeof(double);
		carry += OFFSETS_CARRY * append->ds_count;
	}
	return at;
}

static bool
takes_file(struct append *append, const struct rrd_head *head, const struct append_rows *rows)
{
	const uint8_t *bytes = head->bytes, *definition = bytes + OFFSETS_STATIC, *gathered;
	size_t live;

	append->ds_count = (size_t)offsets_number(bytes, OFFSETS_DS_COUNT);
	append->archive_count = (size_t)offsets_number(bytes, OFFSETS_RRA_COUNT);
	append->step = (int64_t)offsets_number(bytes, OFFSETS_STEP);
	if (rows->count == 0 || !offsets_known(bytes) || append->archive_count > LAYOUT_RRAS ||
		append->ds_count != rows->ds_count || append->step <= 0 || append->step > STEP_MOST)
		return false;
	live = offsets_live(append->ds_count, append->archive_count);
	if ((int64_t)offsets_number(bytes, live) != (rows->slot - 1) * append->step ||
		offsets_number(bytes, live + 8) != 0)
		return false;
	gathered = bytes + live + OFFSETS_LIVE;
	for (size_t i = 0; i < append->ds_count; i++)
		if (!takes_source(append, definition + OFFSETS_DEFINITION * i,
				gathered + OFFSETS_GATHERED * i))
			return false;
	return take_archives(append, head) == head->file_size;
}

/* ---- rates of the slots ---- */

/* The gathered value is 0 of one sign or the other, or NaN; so are both again behind it. */
static double
rate_of_slot(double *gathered, double value, double seconds)
{
	double whole, rate;

	if (isnan(value)) {
		rate = *gathered / (seconds - seconds);
		*gathered = rrd_set_to_DNAN();
		return rate;
	}
	/* As its text reads: there is no -0 in one. */
	whole = (value + 0.0) * seconds;
	rate = ((isnan(*gathered) ? 0 : *gathered) + whole / seconds * seconds) / seconds;
	*gathered = whole / seconds * 0.0;
	return rate;
}

static void
put_text(uint8_t *to, double value)
{
	char text[SHEET_NUMBER + 1] = "U";

	if (!isnan(value))
		sheet_number(text, value);
	memset(to, 0, TEXT);
	memcpy(to, text, strnlen(text, TEXT - 1));
}

static void
take_values(struct append *append, uint8_t *gathered, const struct append_rows *rows)
{
	double seconds = (double)append->step;
	size_t width = append->ds_count;

	for (size_t ds = 0; ds < width; ds++, gathered += OFFSETS_GATHERED) {
		double sofar = double_at(gathered + GATHERED + GATHERED_VALUE);

		for (size_t row = 0; row < rows->count; row++)
			append->slots[row * width + ds] =
				rate_of_slot(&sofar, rows->values[row * width + ds], seconds);
		put_double(gathered + GATHERED + GATHERED_VALUE, sofar);
		put_text(gathered, rows->values[(rows->count - 1) * width + ds]);
	}
}

/* ---- archives ---- */

/* One more slot in a row that is not yet whole. */
static inline void
carry_on(enum function function, double *sum, uint64_t *unknown, double rate)
{
	if (isnan(rate))
		++*unknown;
	else if (isnan(*sum))
		*sum = rate;
	else if (function == AVERAGE)
		*sum += rate;
	else if (function == MIN)
		*sum = rate < *sum ? rate : *sum;
	else if (function == MAX)
		*sum = rate > *sum ? rate : *sum;
	else
		*sum = rate;
}

static double
or_else(double value, double other)
{
	return isnan(value) ? other : value;
}

/* The value of a row with its last slot. */
static inline double
whole_row(const struct archive *archive, double sum, uint64_t unknown, double rate)
{
	double had, has;

	if ((double)unknown > (double)archive->slots * archive->xff || (isnan(sum) && isnan(rate)))
		return rrd_set_to_DNAN();
	switch (archive->function) {
	case AVERAGE:
		return (or_else(sum, 0) + or_else(rate, 0)) / (double)(archive->slots - unknown);
	case MIN:
		had = or_else(sum, (double)INFINITY);
		has = or_else(rate, (double)INFINITY);
		return has < had ? has : had;
	case MAX:
		had = or_else(sum, -(double)INFINITY);
		has = or_else(rate, -(double)INFINITY);
		return has > had ? has : had;
	default:
		return rate;
	}
}

/* What the next row begins with, when this one ends with the slot. */
static double
first_carry(enum function function)
{
	switch (function) {
	case AVERAGE:
		return 0;
	case MIN:
		return (double)INFINITY;
	case MAX:
		return -(double)INFINITY;
	default:
		return rrd_set_to_DNAN();
	}
}

static void
end_row(struct append *append, struct archive *archive, const double *rates)
{
	double *to = archive->fresh + archive->fresh_count++ * append->ds_count;

	for (size_t ds = 0; ds < append->ds_count; ds++) {
		uint64_t unknown = append->unknown[ds] + isnan(rates[ds]);

		to[ds] = whole_row(archive, append->sums[ds], unknown, rates[ds]);
		append->sums[ds] = first_carry(archive->function);
		append->unknown[ds] = 0;
	}
}

static void
gather(struct append *append, struct archive *archive, const struct append_rows *rows)
{
	size_t width = append->ds_count;
	const double *rates = append->slots;

	for (size_t ds = 0; ds < width; ds++) {
		const uint8_t *carry = archive->carry + OFFSETS_CARRY * ds;

		append->sums[ds] = double_at(carry + CARRY_VALUE);
		append->unknown[ds] = offsets_number(carry, CARRY_UNKNOWN);
	}
	for (size_t row = 0; row < rows->count; row++, rates += width) {
		if ((uint64_t)(rows->slot + (int64_t)row) % archive->slots != 0) {
			for (size_t ds = 0; ds < width; ds++)
				carry_on(archive->function, &append->sums[ds], &append->unknown[ds], rates[ds]);
			continue;
		}
		end_row(append, archive, rates);
		for (size_t ds = 0; ds < width; ds++)
			put_double(archive->carry + OFFSETS_CARRY * ds + OFFSETS_FILL,
				or_else(rates[ds], rrd_set_to_DNAN()));
	}
	for (size_t ds = 0; ds < width; ds++) {
		put_double(archive->carry + OFFSETS_CARRY * ds + CARRY_VALUE, append->sums[ds]);
		put_count(archive->carry + OFFSETS_CARRY * ds + CARRY_UNKNOWN, append->unknown[ds]);
	}
}

static void
work_archive(struct append *append, struct archive *archive, const struct append_rows *rows)
{
	size_t width = append->ds_count;
	const double *last;

	if (archive->slots == 1) {
		archive->fresh = append->slots;
		archive->fresh_count = rows->count;
	} else {
		gather(append, archive, rows);
	}
	if (archive->fresh_count == 0)
		return;
	last = archive->fresh + (archive->fresh_count - 1) * width;
	for (size_t ds = 0; ds < width; ds++)
		put_double(archive->carry + OFFSETS_CARRY * ds + OFFSETS_FIRST, last[ds]);
}

/* ---- pieces ---- */

/* The rows stand in a ring: one piece or two. Of more than it has room for only the last stay. */
static size_t
put_rows(const struct append *append, struct archive *archive, struct append_piece *pieces)
{
	size_t row = append->ds_count * sizeof(double), count = archive->fresh_count, used = 0;
	uint64_t place = offsets_number(archive->newest, 0);
	const double *from = archive->fresh;

	if (count == 0)
		return 0;
	put_count(archive->newest, (place + count) % archive->rows);
	place = (place + 1) % archive->rows;
	if (count > archive->rows) {
		uint64_t skipped = count - archive->rows;

		from += skipped * append->ds_count;
		place = (place + skipped) % archive->rows;
		count = (size_t)archive->rows;
	}
	if (count > archive->rows - place) {
		size_t first = (size_t)(archive->rows - place);

		pieces[used++] = (struct append_piece){ from, first * row, archive->at + place * row };
		from += first * append->ds_count;
		count -= first;
		place = 0;
	}
	pieces[used++] = (struct append_piece){ from, count * row, archive->at + place * row };
	return used;
}

static void
note_before(struct append *append, const uint8_t *live, size_t size)
{
	if (size > append->before_room) {
		append->before = mem_grow(append->before, size, 1);
		append->before_room = size;
	}
	memcpy(append->before, live, size);
}

void
append_take_back(const struct append *append, struct rrd_head *head)
{
	size_t live = offsets_live(append->ds_count, append->archive_count);

	memcpy(head->bytes + live, append->before, head->size - live);
}

/* At most so many rows of slots end in an archive. */
static size_t
fresh_most(const struct archive *archive, size_t slots)
{
	return archive->slots == 1 ? 0 : (size_t)((slots - 1) / archive->slots) + 1;
}

static void
make_room(struct append *append, const struct append_rows *rows)
{
	size_t width = append->ds_count, fresh = 0;

	for (size_t i = 0; i < append->archive_count; i++)
		fresh += fresh_most(&append->archives[i], rows->count) * width;
	if (width > append->ds_room) {
		append->sums = mem_grow(append->sums, width, sizeof *append->sums);
		append->unknown = mem_grow(append->unknown, width, sizeof *append->unknown);
		append->ds_room = width;
	}
	if (width * rows->count > append->slots_room) {
		append->slots_room = width * rows->count;
		append->slots = mem_grow(append->slots, append->slots_room, sizeof *append->slots);
	}
	if (fresh > append->fresh_room) {
		append->fresh = mem_grow(append->fresh, fresh, sizeof *append->fresh);
		append->fresh_room = fresh;
	}
	fresh = 0;
	for (size_t i = 0; i < append->archive_count; i++) {
		append->archives[i].fresh = append->fresh + fresh;
		fresh += fresh_most(&append->archives[i], rows->count) * width;
	}
}

size_t
append_work(struct append *append, struct rrd_head *head, const struct append_rows *rows,
	const struct append_piece **pieces)
{
	size_t count = 0, size;
	uint8_t *live;

	if (!takes_file(append, head, rows))
		return 0;
	make_room(append, rows);
	live = head->bytes + offsets_live(append->ds_count, append->archive_count);
	size = head->size - (size_t)(live - head->bytes);
	note_before(append, live, size);
	take_values(append, live + OFFSETS_LIVE, rows);
	for (size_t i = 0; i < append->archive_count; i++) {
		work_archive(append, &append->archives[i], rows);
		count += put_rows(append, &append->archives[i], append->pieces + count);
	}
	put_count(live, (uint64_t)((rows->slot + (int64_t)rows->count - 1) * append->step));
	append->pieces[count++] = (struct append_piece){ live, size, (uint64_t)(live - head->bytes) };
	*pieces = append->pieces;
	return count;
}

#include "store/sheet.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/pending.h"

#define SECOND INT64_C(1000000000)
#define TIME_TEXT 24
#define SIGNIFICANT 17 /* digits that tell every double from its neighbours */
#define VALUE_TEXT (1 + SHEET_NUMBER)

/* ---- numbers: printf's own take longer than librrd takes for the whole update ---- */

/* Digits of a number, the last one at end[-1]; where the first one stands. */
static char *
put_digits_before(char *end, uint64_t number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return end;
}

static char *
put_whole(char *to, uint64_t number)
{
	char digits[24], *first = put_digits_before(digits + sizeof digits, number);
	size_t count = (size_t)(digits + sizeof digits - first);

	memcpy(to, first, count);
	return to + count;
}

/* 10^n for n up to 27 is exact in 64 bits of mantissa. */
static long double
power_of_ten(int n)
{
	static const long double powers[] = { 1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L,
		1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
		1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L };

	return powers[n];
}

/* 17 digits of a number from 1e-9 up to 1e15, without zeros at the end. The one rounding of
 * the product leaves 7 bits behind the last digit, so it reads back as the same double. */
static char *
put_fraction(char *to, double value)
{
	int exponent = (int)floor(log10(value)), digits = SIGNIFICANT - 1 - exponent;
	uint64_t number = (uint64_t)((long double)value * power_of_ten(digits) + 0.5L);
	char text[24], *first, *end = text + sizeof text;

	while (digits > 0 && number % 10 == 0) {
		number /= 10;
		digits--;
	}
	first = put_digits_before(end, number);
	/* 0.05 is 5 with two digits behind the point. */
	while (end - first <= digits)
		*--first = '0';
	memcpy(to, first, (size_t)(end - first - digits));
	to += end - first - digits;
	if (digits > 0) {
		*to++ = '.';
		memcpy(to, end - digits, (size_t)digits);
		to += digits;
	}
	return to;
}

size_t
sheet_number(char to[SHEET_NUMBER], double value)
{
	double size = fabs(value);
	char *at = to;

	if (size != 0 && (size < 1e-3 || size >= 1e15))
		return (size_t)snprintf(to, SHEET_NUMBER, "%.*g", SIGNIFICANT, value);
	if (value < 0)
		*at++ = '-';
	if (size == floor(size))
		at = put_whole(at, (uint64_t)size);
	else
		at = put_fraction(at, size);
	*at = '\0';
	return (size_t)(at - to);
}

/* ---- rows ---- */

struct sheet *
sheet_new(const struct pending_file *file)
{
	struct sheet *sheet = mem_zero(sizeof *sheet);
	size_t used = 0;

	sheet->names = mem_zero(file->ds_count * RRD_DS_NAME + 1);
	for (size_t i = 0; i < file->ds_count; i++)
		used += (size_t)snprintf(sheet->names + used, RRD_DS_NAME + 1, "%s%s",
			i > 0 ? ":" : "", file->ds[i].name);
	sheet->room = (TIME_TEXT + VALUE_TEXT * file->ds_count) * SHEET_ROWS;
	sheet->text = mem_grow(NULL, sheet->room, 1);
	return sheet;
}

void
sheet_free(struct sheet *sheet)
{
	if (sheet == NULL)
		return;
	free(sheet->names);
	free(sheet->text);
	free(sheet);
}

/* row NULL: unknown in all data sources. */
static void
add_row(struct sheet *sheet, const struct pending_file *file, int64_t slot,
	const struct pending_row *row)
{
	char *to = sheet->text + sheet->used;

	sheet->rows[sheet->count++] = to;
	sheet->last = slot;
	to = put_whole(to, (uint64_t)(slot * (file->step / SECOND)));
	for (size_t i = 0; i < file->ds_count; i++) {
		*to++ = ':';
		if (row != NULL && i < row->width && !isnan(row->values[i]))
			to += sheet_number(to, row->values[i]);
		else
			*to++ = 'U';
	}
	*to = '\0';
	sheet->used = (size_t)(to + 1 - sheet->text);
}

size_t
sheet_fill(struct sheet *sheet, struct pending *pending, struct pending_file *file, int64_t upto)
{
	struct pending_walk walk = pending_walk(pending, file);
	int64_t written = file->written;
	struct pending_row row = { 0 };
	bool has_row = pending_next(pending, file, &walk, &row);

	sheet->count = sheet->used = 0;
	while (sheet->count < SHEET_ROWS && written < upto) {
		int64_t next = has_row && row.slot <= upto ? row.slot : upto + 1;

		if (next > written + 1) {
			written = next - 1;
			add_row(sheet, file, written, NULL);
		} else {
			written = next;
			add_row(sheet, file, written, &row);
			has_row = pending_next(pending, file, &walk, &row);
		}
	}
	return sheet->count;
}

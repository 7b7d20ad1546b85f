#include "store/sheet.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/pending.h"

#define SECOND INT64_C(1000000000)
#define TIME_TEXT 24
#define VALUE_TEXT 26 /* ":-1.2345678901234567e-308" and the end */

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
	sheet->text = mem_zero(sheet->room);
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
	to += snprintf(to, TIME_TEXT, "%lld", (long long)(slot * (file->step / SECOND)));
	for (size_t i = 0; i < file->ds_count; i++) {
		if (row != NULL && i < row->width && !isnan(row->values[i]))
			to += snprintf(to, VALUE_TEXT, ":%.17g", row->values[i]);
		else
			to += snprintf(to, VALUE_TEXT, ":U");
	}
	sheet->used = (size_t)(to + 1 - sheet->text);
}

size_t
sheet_fill(struct sheet *sheet, const struct pending_file *file, int64_t upto)
{
	int64_t written = file->written;
	size_t i = 0;

	sheet->count = sheet->used = 0;
	while (sheet->count < SHEET_ROWS && written < upto) {
		bool has_row = i < file->row_count && file->rows[i]->slot <= upto;
		int64_t next = has_row ? file->rows[i]->slot : upto + 1;

		if (next > written + 1) {
			written = next - 1;
			add_row(sheet, file, written, NULL);
		} else {
			written = next;
			add_row(sheet, file, written, file->rows[i++]);
		}
	}
	return sheet->count;
}

/* sheet.h - the arguments of one update call: rows of a file as numbers, and as librrd's text.
 *
 * A slot is time and values; a run of slots without any value is one unknown row at its last
 * slot, as a slot that is left out would make its neighbour unknown as well. */
#ifndef PW_SHEET_H
#define PW_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct pending;
struct pending_file;

#define SHEET_ROWS 100 /* in one call: more gains nothing */
struct sheet_time {
	int64_t seconds;
	unsigned length;
	char text[20]; /* not ended */
};
struct sheet {
	char *names; /* "DS:DS:..", or NULL: the file has them in our order */
	const char *rows[SHEET_ROWS];
	int64_t slots[SHEET_ROWS];
	double *values; /* row x data source; NaN unknown */
	size_t count, width;
	int64_t last;  /* slot of the last row */
	bool has_gap;  /* there is but one row, which stands for several slots */
	char *text;   /* what rows point into */
	size_t room, values_room;
	struct sheet_time times[SHEET_ROWS]; /* of the last call's rows */
};

/* One does for all files, one after the other. */
struct sheet *sheet_new(void);
void sheet_free(struct sheet *sheet);
void sheet_begin(struct sheet *sheet, const struct pending_file *file);
/* Puts down the slots behind file->written up to `upto`, as many as fit; how many rows. A row for
 * several slots comes alone, so that it is librrd's and no value is: librrd reads a number with
 * an error in its last bit, and replay shall leave the same file however the rows are parted. (But
 * for OFFSETS_FILL in archives of single slots: librrd sets it for a gap in one piece and not for one
 * that a flush has parted; no row gets it, as it is set anew before it is used.) */
size_t sheet_fill(struct sheet *sheet, struct pending *pending, struct pending_file *file,
	int64_t upto);
/* Makes rows of what sheet_fill put down, and names. */
void sheet_write(struct sheet *sheet, const struct pending_file *file);

#define SHEET_NUMBER 40 /* "-1.2345678901234567e-308" and the end; what lies behind it is written, too */
/* A finite number with all digits that tell it from its neighbours; how many characters. */
size_t sheet_number(char to[SHEET_NUMBER], double value);
#endif

/* adopt.h - what the registers of a device say about a vendor's list of them.
 *
 * Each row was read once. A row is judged as it is listed, and in every order and with the
 * address one lower and one higher where those registers were read as well, because manuals
 * count from 0 or from 1 and are silent about word order. Proposes, never changes. Pure: no
 * I/O; the points and the texts in them stay the caller's. */
#ifndef PW_ADOPT_H
#define PW_ADOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "modbus/regs.h"
struct point;

/* The registers that were read, of functions 3 and 4; bits stay with their rows. */
struct adopt_image;
struct adopt_image *adopt_image_new(void);
void adopt_image_free(struct adopt_image *image);
/* bytes: as on the wire. */
void adopt_image_put(struct adopt_image *image, uint8_t function, uint16_t address,
	unsigned count, const uint8_t *bytes);

enum adopt_verdict {
	ADOPT_PLAUSIBLE,    /* as listed */
	ADOPT_NOT_THERE,    /* one of the raw values that mean so */
	ADOPT_DOUBTFUL,     /* not as listed, and no other reading is better */
	ADOPT_OTHERWISE,    /* not as listed; proposal is */
	ADOPT_UNREAD        /* refused, or no answer: why */
};
const char *adopt_verdict_word(enum adopt_verdict verdict);

/* One way to read a row. */
struct adopt_way {
	int base;            /* -1, 0, 1 added to the listed address */
	char order[9];       /* "CDAB" */
	char value[REGS_TEXT_MAX + 1];
	bool confirmed;      /* within min and max, a listed state, or what its unit can be */
};
enum { ADOPT_WAYS = 24 };

struct adopt_row {
	const struct point *point;
	enum adopt_verdict verdict;
	bool bit, on;        /* functions 1 and 2 */
	char value[REGS_TEXT_MAX + 1]; /* as listed, scaled; "" when unread */
	char order[9];       /* as listed */
	char raw[520];       /* registers in hex, "47f1 2060" */
	char why[160];       /* of what is not plausible or unread */
	struct adopt_way ways[ADOPT_WAYS]; /* the plausible ones that are not as listed */
	size_t way_count;
	int proposal;        /* index into ways; -1: none */
};

/* Takes what was read for a row of bits, or why it was not read (then nothing else is judged). */
void adopt_take_bit(struct adopt_row *row, bool on);
void adopt_take_failure(struct adopt_row *row, const char *why);

/* How many of the rows that another reading could change are plausible in that reading. */
struct adopt_tally {
	int base;
	const char *swap;     /* "straight", "words", "bytes", "both" */
	unsigned plausible, confirmed, rows;
};
enum { ADOPT_TALLIES = 12 };

struct adopt_result {
	struct adopt_row *rows;
	size_t count;
	struct adopt_tally tallies[ADOPT_TALLIES]; /* [0]: as listed */
	int best;             /* a tally that explains the list better than [0]; -1: none */
	size_t by_verdict[ADOPT_UNREAD + 1];
};
/* Judges all rows; what fits the reading that is best for the whole list is proposed first. */
void adopt_judge(struct adopt_result *result, const struct adopt_image *image);

/* The commissioning record. Texts come from lists and devices: escaped for CSV (also against
 * cells that spreadsheets would compute) and for HTML. */
struct adopt_head {
	const char *device, *address, *list, *time, *text;
	unsigned unit_id;
};
void adopt_write_csv(FILE *to, const struct adopt_head *head, const struct adopt_result *result);
void adopt_write_html(FILE *to, const struct adopt_head *head, const struct adopt_result *result);
/* "try order CDAB for all rows: 41 of 44 are plausible so, 3 as listed"; "" for none. */
const char *adopt_advice(const struct adopt_result *result, char *to, size_t size);
#endif

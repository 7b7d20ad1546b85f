/* rows.h - which row of a table is which: names that outlive the agent's numbering.
 *
 * A row is named by the text of its key column. Of rows with the same text the first keeps
 * it, later ones get "#INDEX" behind; who was first is kept in the state, so it stays so
 * over restarts. A row without a text is named by its index.
 *
 * A second row with a text is believed in the second poll, but in the very first of a table: a switch
 * that numbers anew while it is read shows the same row twice. So is a new row without a text where
 * others have one: it may have come up when the column of texts had been read. And so is a row whose
 * index had a text, and that has none, or another from a column that is only asked for want of a
 * better one: an agent may leave names away for once, and nobody knows then whose index that is. Where
 * no row has its name any more that is not believed for ten polls. While a row is hidden no other one
 * gets its name.
 *
 * Names may have been given to other interfaces since the last poll: where that cannot be told
 * from a renumbering, the row's counters count as begun anew (row_history.resets). */
#ifndef PW_ROWS_H
#define PW_ROWS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uthash.h>
#include "snmp/counter.h"
struct portion;
struct state;

#define ROW_KEY 80

enum row_listed { ROW_UNJUDGED, ROW_LISTED, ROW_UNLISTED };

/* What is known of a name, whatever its index is at the moment. What each poll looks at
 * stands together and last; the name itself stands in the row as well. */
struct row_history {
	UT_hash_handle hh; /* rows.c's */
	char key[ROW_KEY + 1]; /* as told to the task */
	int64_t up_at;   /* rows.c's */
	int64_t type;    /* the number in the column of types, or one of these: */
#define ROW_TYPE_UNREAD (-1)
#define ROW_TYPE_NONE (-2) /* it has no cell there */
	/* rows.c's */
	int64_t seen;
	uint64_t place;  /* hash of the index that has the name */
	unsigned poll;   /* the last in which a row had this name */
	unsigned shared_in; /* the poll in which `shared` was seen last */
	bool moved;      /* it had another in the last poll, or that one had another name */
	bool shared;     /* of late other rows had the same text, or this one had another before */
	bool kept;       /* was up; stands in the state */
	uint8_t listed;  /* enum row_listed; the owner's */
	bool unmarked;   /* its mark was missed once; the owner's */
	struct counter_mark mark;
	uint32_t told;   /* the task's number of the row, and 1; 0: has none yet. The owner's */
	uint16_t resets; /* counts changes of the mark, and of what the name may stand for */
	uint16_t settled; /* resets that all its counters know of, or whoever reads them; the owner's */
	uint16_t runs[]; /* of each point: what it counted in when last told good; the owner's */
};

/* A name up to so many octets, with its end, stands in the row itself: nearly all do, and each
 * poll looks at it. */
#define ROW_NEAR 23
/* Small: a device has hundreds, and each poll looks at all. What each cell looks at comes
 * first. */
struct row {
	uint32_t *index; /* behind the column's OID */
	uint64_t wire;   /* row_wire_of the index */
	uint32_t few[2]; /* rows.c's: an index of so many arcs */
	uint32_t slot;   /* number among the present ones, in order of sight */
	unsigned poll;   /* rows.c's: the last in which it was present */
	int64_t seen;    /* rows.c's */
	struct row_history *history; /* after rows_name; NULL when hidden */
	const char *text; /* what the agent calls it in this poll, "" for nothing; the owner's */
	uint16_t index_count;
	bool hidden;      /* its text, or that it exists, is not certain: no name */
	bool second_best; /* where its text might have stood was nothing; the owner's */
	bool unsure;      /* what came behind its name may be another row's; the owner's */
	bool moved_in;    /* and what came before that: the index may have had another; the owner's */
	bool remarked;    /* and of its counters in another run; the owner's */
	bool reset;       /* what came of its counters before their mark is of before; the owner's */
	bool unmarked;    /* that was not read yet, or is another row's; the owner's */
	/* rows.c's */
	bool renamed : 1; /* in this poll: the index had another name before */
	bool same : 1;    /* text is what it is known by */
	bool astray : 1;  /* it had no name in the last poll, or not to its end */
	unsigned doubt : 2; /* which one `doubted` is about */
	unsigned named_in; /* the last poll in which it had a name */
	unsigned doubted; /* the poll in which it came up with a text that another row had, or without
	                   * the one it had; 0: none */
	uint32_t named;   /* the answer that had its name; the owner's */
	const char *key, *known; /* its name, and the text that is for, in one piece of memory */
	struct row_history *home; /* the history of its key; NULL: to be looked up */
	uint64_t place;   /* hash of the index */
	uint8_t known_size; /* octets of known */
	char near[ROW_NEAR]; /* key and known, where they are one and short enough */
	UT_hash_handle hh;
};

/* The octets of an index in BER, 1 to ROW_WIRE of them, as a number that no other index has;
 * eight octets are read, up to the index's end. */
#define ROW_WIRE 7
static inline uint64_t
row_wire(const uint8_t *end, size_t size)
{
	uint64_t octets;

	memcpy(&octets, end - 8, 8);
	return le64toh(octets) >> (64 - 8 * size) | (uint64_t)size << 56;
}

/* The same, of an index in arcs; 0 when it is longer. */
uint64_t row_wire_of(const uint32_t *index, size_t count);

/* Is it the one with this index? */
static inline bool
row_is(const struct row *row, const uint32_t *index, size_t count)
{
	return row->index_count == count && (count == 1 ? *row->index == *index :
		memcmp(row->index, index, count * sizeof *index) == 0);
}

struct rows;
/* state may be NULL. prefix stands before the indexes there, "DEVICE TABLE". */
struct rows *rows_new(const char *prefix, size_t point_count, struct state *state);
void rows_free(struct rows *rows); /* NULL is fine */

/* A new poll: nobody is present. What was not seen for `retire` ns is forgotten (0: never). */
void rows_begin(struct rows *rows, int64_t now, int64_t retire);
/* The row with this index, made when new, present from now on. text is empty, hidden
 * false at first; text may be set, and has to live until rows_name has returned. */
struct row *rows_sight(struct rows *rows, const uint32_t *index, size_t count);
/* The row that comes after the newest one if all is as in the last poll, NULL when there is
 * none; and this one is present from now on. */
struct row *rows_next(const struct rows *rows);
void rows_sight_row(struct rows *rows, struct row *row);
/* The row that rows_next will return when `after` more of those that it returns were sighted; NULL
 * when there is none, or when rows came in another order than in the last poll. */
struct row *rows_expected(const struct rows *rows, size_t after);
/* Gives the row the text that its name is for when the agent's octets are that text, to the
 * letter. False: they may be it all the same, see value_text. */
bool rows_still_called(struct row *row, const uint8_t *octets, size_t size);
size_t rows_present(const struct rows *rows);
struct row *rows_at(const struct rows *rows, size_t slot); /* 0 .. rows_present - 1 */
/* So many rows are expected next: far apart in memory. */
void rows_await_next(const struct rows *rows, size_t count);
/* An answer is read soon: fetches what tells which rows, at steps 0 and 1, and what is known of
 * the first few of them, at 2 and 3 (base/ahead.h). */
void rows_ahead(const struct rows *rows, unsigned step);
/* The end of a poll comes to the row in this slot soon. */
void rows_await(const struct rows *rows, size_t slot);
/* Gives each present row its history by its text. False: there is more to do, and nothing else may
 * be done before. */
bool rows_name(struct rows *rows, struct portion *portion);
/* After that: has one lost its text in this poll? It is hidden. */
bool rows_lack_text(const struct rows *rows);

enum row_status { ROW_DOWN, ROW_UP, ROW_STATUS_UNREAD };
/* Takes up what a named row is at the moment. Is it one that is to be kept: up, or was up,
 * also before this process began? With grace > 0 only until it has been down for so many ns. */
bool rows_keep(struct rows *rows, struct row *row, enum row_status status, int64_t grace);
/* Saves what has changed since rows_begin. */
void rows_end(struct rows *rows);
#endif

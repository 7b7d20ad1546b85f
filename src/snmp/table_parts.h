/* table_parts.h - what table.c (which asks for columns and takes what comes) and join.c (which makes
 * rows of it) share. */
#ifndef PW_TABLE_PARTS_H
#define PW_TABLE_PARTS_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/sample.h"
#include "snmp/cell.h"
#include "snmp/plan.h"
#include "snmp/rows.h"
#include "snmp/table.h"
struct group;

#define TABLE_TEXT_MAX 255 /* octets of a text that are kept */

enum role { ROLE_KEY, ROLE_MARK, ROLE_TYPE, ROLE_STATUS, ROLE_INFO, ROLE_POINT, ROLE_CHECK };

/* A line of the processor's caches. */
struct column {
	struct cell_column name;
	const uint32_t *last; /* the index of the last cell; a row's, or see places */
	uint32_t cells;
	uint16_t last_count;  /* arcs of last, 0 before the first */
	uint8_t name_size;    /* of oid in BER; 0: not of that size, or a table of connections */
	uint8_t type;   /* of its first cell ever, enum value_type; for keys */
	/* in this poll, as are last and cells */
	bool wanted : 1; /* is being walked, or was */
	bool late : 1;  /* it comes behind the names: some of its questions went out after theirs */
	bool early : 1; /* of a key: asked for with those before it, as some row lacked them of late */
	bool ahead : 1; /* a row that had no name in the last poll has a cell that came before it */
	bool done;      /* nothing more to ask */
	uint8_t broken; /* why it ended early, REASON_GOOD if it did not */
	uint8_t role;   /* enum role */
	uint8_t skip;   /* polls for which it is left out */
	uint8_t misses; /* times in a row that no row had it; no more are counted than needed */
	uint16_t of;    /* which info or point; of ROLE_CHECK which column */
	const struct snmp_oid *oid;
};

/* Columns of which the first that a row has is used: [first, first + count). */
struct chain {
	uint16_t first, count;
	uint16_t next; /* alternatives before it have been tried in this poll */
	bool carries; /* octets that the interface carries: its speed is their limit */
	bool plain;   /* a counter, of which no number means that it is invalid */
};

/* When it came, and the device's generation then. */
struct answer {
	int64_t received;
	uint16_t generation;
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

struct table {
	const struct group *group;
	const struct snmp_group *wire;
	struct rows *rows;
	regex_t include, exclude;
	bool has_include, has_exclude;
	struct column *columns;
	size_t column_count;
	struct chain *chains; /* the key, then each point */
	size_t chain_count;
	size_t speed;         /* the point that tells bit/s; point_count if none does */
	size_t type, status;  /* columns by which rows are chosen; column_count: none */
	size_t mark;          /* the column of discontinuities; SIZE_MAX: none */
	/* The columns of names and of discontinuities once more, see check_names */
	size_t check, check_count;
	size_t infos;         /* the first column of what is information only; they are last */
	unsigned polls;
	size_t expected;      /* rows of the last complete walk */
	bool infos_due;
	bool broken;          /* something was wrong in this poll */
	bool parted;          /* it has cells that came after the names, and are no alternatives */
	bool checking;        /* names are read once more in it, or were */
	bool renamed;         /* a row got another name in it */
	/* Of this poll only. */
	unsigned step;        /* of its end, see join_rows */
	size_t at;            /* rows before this one are through it */
	uint32_t *asked;      /* the arcs of the question's OIDs, one behind the other */
	size_t asked_room;
	uint32_t *places;     /* SNMP_OID_MAX for each column of a table of connections */
	struct cell *cells;   /* column_count for each row, by its slot */
	size_t cells_room, cells_made; /* rows; those that are cleared or hold something */
	struct answer *answers;
	size_t answer_count;
	struct chunk *texts;
};

/* Factors of a point's columns say that they count one quantity, the first ones in coarser units:
 * ifHighSpeed in 10^6 of what ifSpeed counts. How many of the last one's units make one. */
double table_coarseness(const struct table *table, const struct chain *chain, size_t i);
/* Has some row nothing in the alternatives tried so far? */
bool table_lacks(const struct table *table, const struct chain *chain);
/* The column that names come from; SIZE_MAX: no row has one. */
size_t table_named_by(const struct table *table);
/* Nothing more of that column in this poll, for that reason; what: for the user. */
void table_break(struct table *table, const struct ask_context *context, size_t i, uint8_t reason,
	const char *what);
/* Kept until the poll's end. */
void *table_keep(struct table *table, const void *bytes, size_t size);

static inline struct cell *
cell_at(const struct table *table, const struct row *row, size_t column)
{
	return &table->cells[row->slot * table->column_count + column];
}

static inline struct value
cell_value(const struct cell *cell)
{
	struct value value = { .type = cell->type, .size = cell->size, .count = cell->bits };

	if (value.type == VALUE_OID)
		value.ids = (const uint32_t *)(uintptr_t)cell->bits;
	else if (value.type >= VALUE_OCTETS && value.type <= VALUE_OPAQUE)
		value.octets = (const uint8_t *)(uintptr_t)cell->bits;
	return value;
}

static inline bool
cell_is_there(const struct cell *cell)
{
	return value_type_is_there((enum value_type)cell->type);
}

/* A zero in coarse units may be something in finer ones: RFC 2863 has ifHighSpeed rounded, and
 * some agents leave it at 0. */
static inline bool
table_is_rounded_off(const struct table *table, const struct chain *chain, size_t i,
	const struct cell *cell)
{
	return (cell->type == VALUE_INTEGER || cell->type == VALUE_GAUGE) && cell->bits == 0 &&
		table_coarseness(table, chain, i) > 1;
}
#endif

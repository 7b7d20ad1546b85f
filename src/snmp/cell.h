/* cell.h - what one row of a table says in one column, and reading that at sight: where it is
 * known which row comes next, an answer's octets are held against that and not taken apart.
 *
 * Of the generic way, fast.c's and table.c's, this is the part that nearly all cells of a plant
 * need, in half the instructions. It takes nothing that the other does not take, and takes it for
 * the same; whatever is not exactly what was expected is left to the other. Pure. */
#ifndef PW_CELL_H
#define PW_CELL_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "snmp/ber_in.h"
#include "snmp/rows.h"
#include "snmp/value.h"

/* struct value packed. Small: with many polls under way they are what the processor's caches
 * hold. */
struct cell {
	uint64_t bits;       /* the number of any type, or where octets or arcs lie */
	uint32_t answer;     /* which of the table's */
	uint16_t size;       /* octets or arcs, as far as they are kept */
	uint8_t type;        /* enum value_type; VALUE_NONE: nothing */
};

/* A column's OID, the contents in BER where they are 9 to 16 octets, as nearly all have: the last
 * eight, and the first eight, some of which may be the same. */
struct cell_column {
	uint64_t wire, before;
};

/* Of a name that is to begin with such contents. */
static inline struct cell_column
cell_column(const uint8_t *name, size_t size)
{
	struct cell_column column;

	memcpy(&column.wire, name + size - 8, 8);
	memcpy(&column.before, name, 8);
	column.wire = le64toh(column.wire);
	column.before = le64toh(column.before);
	return column;
}

/* The head of a varbind up to its name, as the four octets are in memory: a SEQUENCE of `size`
 * octets, an OID. Both sizes are below 0x80. */
static inline uint32_t
cell_head(size_t size, size_t name_size)
{
	return TAG_SEQUENCE + (TAG_OID << 16) + ((uint32_t)size << 8) + ((uint32_t)name_size << 24);
}

/* A row's index as it stands at a name's end: in the last `size` of eight octets, those before as
 * 0; and a mask of these. */
struct cell_row {
	uint64_t octets, mask;
	unsigned size;
	uint32_t head; /* of a varbind, where column and value have no octets */
};

/* row->wire is not 0. */
static inline struct cell_row
cell_row(const struct row *row)
{
	unsigned size = (unsigned)(row->wire >> 56), before = 64 - 8 * size;

	return (struct cell_row){ row->wire << before, UINT64_MAX << before, size,
		cell_head(size + 4, size) };
}

/* Is it the name of that column's cell of that row? size: of the column's OID; the name's own is
 * known to be what both come to. */
static inline bool
cell_is_named(const uint8_t *name, const struct cell_column *column, size_t size,
	const struct cell_row *row)
{
	struct cell_column is = cell_column(name, size);
	uint64_t end;

	memcpy(&end, name + size + row->size - 8, 8);
	return is.wire == column->wire && is.before == column->before &&
		(le64toh(end) & row->mask) == row->octets;
}

/* A number of 1 to 8 octets, of which eight are read, up to its end. False: it may be one all the
 * same, of a form or a type that is seldom met. */
static inline bool
cell_number(uint8_t tag, const uint8_t *value, size_t size, struct cell *cell)
{
	unsigned spare = 64 - 8 * (unsigned)size;
	uint64_t octets;
	int64_t integer;
	bool high;

	memcpy(&octets, value + size - 8, 8);
	octets = be64toh(octets) << spare;
	integer = (int64_t)octets >> spare;
	high = (int64_t)octets < 0;
	cell->bits = octets >> spare;
	/* Counters first, and not by a table of jumps: they are nearly all. */
	if (tag == TAG_COUNTER64) {
		cell->type = VALUE_COUNTER64;
		return !high || size == 8;
	}
	if (tag == TAG_COUNTER32) {
		cell->type = VALUE_COUNTER32;
	} else if (tag == TAG_GAUGE32 || tag == TAG_UNSIGNED32) {
		cell->type = VALUE_GAUGE;
	} else if (tag == TAG_TICKS) {
		cell->type = VALUE_TICKS;
	} else {
		cell->type = VALUE_INTEGER;
		cell->bits = (uint64_t)integer;
		return tag == TAG_INTEGER && integer >= INT32_MIN && integer <= INT32_MAX;
	}
	return cell->bits <= UINT32_MAX && (!high || size >= 4);
}

/* Is the varbind at p that column's cell of that row, up to end at most? Then where its value
 * begins, behind its tag and its length, size. All lengths take one octet: that of the varbind, of
 * name and value and 4, must stay below 0x80, or it would begin a longer one. */
static inline bool
cell_find(const uint8_t *p, const uint8_t *end, const struct cell_column *column,
	size_t column_size, const struct cell_row *row, const uint8_t **value, size_t *size)
{
	size_t name_size = column_size + row->size;
	uint32_t head;

	*value = p + 4 + name_size + 2;
	if (end - *value < 0)
		return false;
	*size = (*value)[-1];
	memcpy(&head, p, 4);
	return (size_t)(end - *value) >= *size &&
		le32toh(head) == row->head + (uint32_t)column_size * 0x01000100 +
			((uint32_t)*size << 8) &&
		cell_is_named(p + 4, column, column_size, row);
}

/* Reads the varbind at *at as that column's cell of that row: a number. Moves *at to the next one.
 * False: it is something else, or nothing sound. Nothing before *at is read. */
static inline bool
cell_read(const uint8_t **at, const uint8_t *end, const struct cell_column *column,
	size_t column_size, const struct cell_row *row, struct cell *cell)
{
	const uint8_t *value;
	size_t size;

	/* Of so few octets no length can come to 0x80. */
	if (!cell_find(*at, end, column, column_size, row, &value, &size) || size - 1 >= 8 ||
		!cell_number(value[-2], value, size, cell))
		return false;
	cell->size = 0;
	*at = value + size;
	return true;
}

/* The same of a text: the one that the row is known by, which lies in the row then. */
static inline bool
cell_read_text(const uint8_t **at, const uint8_t *end, const struct cell_column *column,
	size_t column_size, const struct cell_row *row, const struct row *named, struct cell *cell)
{
	const uint8_t *value;
	size_t size;

	if (!cell_find(*at, end, column, column_size, row, &value, &size) ||
		value[-2] != TAG_OCTETS || size == 0 || size != named->known_size ||
		column_size + row->size + size + 4 >= 0x80 ||
		memcmp(named->known, value, size) != 0)
		return false;
	*at = value + size;
	cell->type = VALUE_OCTETS;
	cell->size = (uint16_t)size;
	cell->bits = (uintptr_t)named->known;
	return true;
}
#endif

#include "snmp/table.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/portion.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "snmp/cell.h"
#include "snmp/oid.h"
#include "snmp/peers.h"
#include "snmp/rows.h"

/* GETBULK's repetitions where the configuration says nothing. */
#define REPETITIONS 10
/* Names and the like are read anew every so many polls, and when rows come or go. */
#define INFO_EVERY 20
/* An alternative that no row has is left out for a poll, twice as many each time, so many at most:
 * it may be hidden for a moment only. */
#define SKIP_POLLS 20
#define TEXT_MAX 255
/* bit/s that no interface has. */
#define TOO_FAST 1e13
/* So many rows ahead the end of a poll asks for what is known of them. */
#define AWAITED 4
/* Answers for which room is made at a time. */
#define ANSWERS 8
/* Names of an agent's usual number of rows; in max_align_t. */
#define CHUNK 120

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
	bool late : 1;  /* its questions began when those for the names had */
	bool early : 1; /* of a key: asked for with those before it, as some row lacked them of late */
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
	/* The columns of names and of discontinuities once more, see check_names; SIZE_MAX: none */
	size_t check, check_mark;
	size_t infos;         /* the first column of what is information only; they are last */
	unsigned polls;
	size_t expected;      /* rows of the last complete walk */
	bool infos_due;
	bool broken;          /* something was wrong in this poll */
	bool parted;          /* it has columns that came late and are no alternatives */
	bool renamed;         /* a row got another name in it */
	/* Of this poll only. */
	unsigned step;        /* of its end, see table_end */
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

/* ---- made of the configuration ---- */

static int
compile(regex_t *regex, bool *has, const char *text, struct fail *why)
{
	char message[160];
	int error;

	if (text == NULL || text[0] == '\0')
		return 0;
	error = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (error != 0) {
		regerror(error, regex, message, sizeof message);
		fail_set(why, "regular expression \"%s\": %s", text, message);
		return -1;
	}
	*has = true;
	return 0;
}

static void
add_column(struct table *table, const struct snmp_oid *oid, enum role role, size_t of)
{
	struct column *column = &table->columns[table->column_count++];
	size_t size = oid_wire_size(oid->ids, oid->count);
	uint8_t bytes[16 + 16] = { 0 };

	*column = (struct column){ .oid = oid, .role = role, .of = (uint16_t)of,
		.early = role == ROLE_KEY };
	if (size < 9 || size > 16 || oid->ids[1] >= 40 || table->wire->peer_count > 0)
		return;
	bytes[16] = (uint8_t)(40 * oid->ids[0] + oid->ids[1]);
	oid_tail_to_wire(bytes + 17, size - 1, oid->ids + 2, oid->count - 2);
	column->name_size = (uint8_t)size;
	column->name = cell_column(bytes + 16, size);
}

static void
add_chain(struct table *table, const struct snmp_oid *oids, size_t count, enum role role,
	size_t of)
{
	table->chains[table->chain_count++] = (struct chain){
		.first = (uint16_t)table->column_count, .count = (uint16_t)count };
	for (size_t i = 0; i < count; i++)
		add_column(table, &oids[i], role, of);
}

/* A point may read it anyway. */
static size_t
add_status(struct table *table)
{
	const struct snmp_oid *status = &table->wire->status;

	for (size_t i = 0; i < table->chain_count; i++) {
		const struct chain *chain = &table->chains[i];
		const struct snmp_oid *oid = table->columns[chain->first].oid;

		if (chain->count == 1 && table->columns[chain->first].role == ROLE_POINT &&
			oid_compare(oid->ids, oid->count, status->ids, status->count) == 0)
			return chain->first;
	}
	add_column(table, status, ROLE_STATUS, 0);
	return table->column_count - 1;
}

static void
lay_out(struct table *table)
{
	const struct group *group = table->group;
	const struct snmp_group *wire = table->wire;
	size_t count = wire->key_count + wire->info_count + 5;

	for (size_t i = 0; i < group->point_count; i++)
		count += ((const struct snmp_point *)group->points[i].wire)->oid_count;
	table->columns = mem_array(count, sizeof *table->columns);
	table->chains = mem_array(group->point_count + 1, sizeof *table->chains);
	/* Keys and marks come first: they stand in the first requests, next to sysUpTime. */
	add_chain(table, wire->keys, wire->key_count, ROLE_KEY, 0);
	table->mark = SIZE_MAX;
	if (wire->discontinuity.count > 0) {
		table->mark = table->column_count;
		add_column(table, &wire->discontinuity, ROLE_MARK, 0);
	}
	table->speed = group->point_count;
	for (size_t i = 0; i < group->point_count; i++) {
		const struct point *point = &group->points[i];
		const struct snmp_point *columns = point->wire;

		add_chain(table, columns->oids, columns->oid_count, ROLE_POINT, i);
		table->chains[1 + i].plain = point->kind == POINT_COUNTER &&
			columns->invalid_count == 0;
		table->chains[1 + i].carries = point->kind == POINT_COUNTER &&
			strcmp(point->unit, "B/s") == 0;
		if (point->kind == POINT_GAUGE && strcmp(point->name, "speed") == 0 &&
			strcmp(point->unit, "bit/s") == 0)
			table->speed = i;
	}
	if (wire->keep != SNMP_KEEP_ALL)
		table->status = add_status(table);
	if (wire->type.count > 0) {
		table->type = table->column_count;
		add_column(table, &wire->type, ROLE_TYPE, 0);
	}
	table->check = table->check_mark = SIZE_MAX;
	if (wire->key_count > 0 && wire->peer_count == 0) {
		table->check = table->column_count;
		add_column(table, &wire->keys[0], ROLE_CHECK, 0);
		if (table->mark != SIZE_MAX) {
			table->check_mark = table->column_count;
			add_column(table, &wire->discontinuity, ROLE_CHECK, table->mark);
		}
	}
	table->infos = table->column_count;
	for (size_t i = 0; i < wire->info_count; i++)
		add_column(table, &wire->infos[i].oid, ROLE_INFO, i);
}

struct table *
table_new(const char *device, const struct group *group, struct state *state, struct fail *why)
{
	struct table *table = mem_zero(sizeof *table);
	char *prefix = mem_format("%s %s", device, group->table);

	table->group = group;
	table->wire = group->wire;
	table->infos_due = true;
	table->rows = rows_new(prefix, group->point_count, state);
	free(prefix);
	if (compile(&table->include, &table->has_include, table->wire->include, why) == -1 ||
		compile(&table->exclude, &table->has_exclude, table->wire->exclude, why) == -1) {
		table_free(table);
		return NULL;
	}
	lay_out(table);
	return table;
}

static void
drop_poll(struct table *table)
{
	struct chunk *chunk;

	while ((chunk = table->texts) != NULL) {
		table->texts = chunk->next;
		free(chunk);
	}
	free(table->cells);
	free(table->answers);
	free(table->asked);
	free(table->places);
	table->answers = NULL;
	table->answer_count = 0;
	table->cells = NULL;
	table->cells_room = table->cells_made = 0;
	table->asked = NULL;
	table->asked_room = 0;
	table->places = NULL;
}

void
table_free(struct table *table)
{
	if (table == NULL)
		return;
	drop_poll(table);
	if (table->has_include)
		regfree(&table->include);
	if (table->has_exclude)
		regfree(&table->exclude);
	rows_free(table->rows);
	free(table->columns);
	free(table->chains);
	free(table);
}

/* ---- cells ---- */

static void *
keep_bytes(struct table *table, const void *bytes, size_t size)
{
	struct chunk *chunk = table->texts;
	size_t room = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t);
	void *to;

	if (chunk == NULL || chunk->size - chunk->used < room) {
		size_t length = room > CHUNK ? room : CHUNK;

		chunk = mem_grow(NULL, 1, sizeof *chunk + length * sizeof(max_align_t));
		chunk->used = 0;
		chunk->size = length;
		chunk->next = table->texts;
		table->texts = chunk;
	}
	to = chunk->bytes + chunk->used;
	chunk->used += room;
	if (size > 0)
		memcpy(to, bytes, size);
	return to;
}

static inline struct cell *
cell_at(const struct table *table, const struct row *row, size_t column)
{
	return &table->cells[row->slot * table->column_count + column];
}

static void
cell_put_bytes(struct table *table, struct cell *cell, const struct value *value)
{
	switch (value->type) {
	case VALUE_OID:
		cell->size = (uint16_t)value->size;
		cell->bits = (uintptr_t)keep_bytes(table, value->ids,
			value->size * sizeof *value->ids);
		break;
	case VALUE_OCTETS:
	case VALUE_ADDRESS:
	case VALUE_OPAQUE:
		cell->size = value->size > TEXT_MAX ? TEXT_MAX : (uint16_t)value->size;
		cell->bits = (uintptr_t)keep_bytes(table, value->octets, cell->size);
		break;
	default:
		break;
	}
}

static inline void
cell_put(struct table *table, struct cell *cell, const struct value *value)
{
	*cell = (struct cell){ .bits = value->count, .type = (uint8_t)value->type,
		.answer = (uint32_t)table->answer_count - 1 };
	if (value->type >= VALUE_OCTETS && value->type <= VALUE_OPAQUE)
		cell_put_bytes(table, cell, value);
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

static bool
cell_is_there(const struct cell *cell)
{
	return value_type_is_there((enum value_type)cell->type);
}

static bool
cell_has_text(const struct cell *cell)
{
	struct value value = cell_value(cell);
	char text[ROW_KEY + 1];

	return value_is_there(&value) && value_text(text, sizeof text, &value)[0] != '\0';
}

/* Factors of a point's columns say that they count one quantity, the first ones in coarser units:
 * ifHighSpeed in 10^6 of what ifSpeed counts. How many of the last one's units make one. */
static double
coarseness(const struct table *table, const struct chain *chain, size_t i)
{
	const struct column *column = &table->columns[chain->first];
	const struct snmp_point *wire;

	if (column->role != ROLE_POINT || chain->count < 2)
		return 1;
	wire = table->group->points[column->of].wire;
	return wire->scales != NULL ? wire->scales[i] / wire->scales[chain->count - 1] : 1;
}

/* A zero in coarse units may be something in finer ones: RFC 2863 has ifHighSpeed rounded, and
 * some agents leave it at 0. */
static bool
is_rounded_off(const struct table *table, const struct chain *chain, size_t i,
	const struct cell *cell)
{
	return (cell->type == VALUE_INTEGER || cell->type == VALUE_GAUGE) && cell->bits == 0 &&
		coarseness(table, chain, i) > 1;
}

/* The factor of column i's number. A speed beyond all reason in coarse units (10 Tbit/s) is in
 * fine ones: agents that tell ifHighSpeed in bit/s are met. Of volts or kilowatts nobody knows
 * what is beyond reason. */
static double
factor(const struct table *table, const struct chain *chain, const struct point *point,
	size_t i, const struct cell *cell)
{
	const struct snmp_point *wire = point->wire;

	if (wire->scales == NULL)
		return 1;
	if (coarseness(table, chain, i) > 1 && strcmp(point->unit, "bit/s") == 0 &&
		(cell->type == VALUE_GAUGE || cell->type == VALUE_INTEGER) &&
		(double)(int64_t)cell->bits * wire->scales[i] >= TOO_FAST)
		return wire->scales[chain->count - 1];
	return wire->scales[i];
}

/* ---- which columns are walked ---- */

/* The next alternative worth asking for; false when there is none. */
static bool
chain_advance(struct table *table, struct chain *chain)
{
	while (chain->next < chain->count) {
		struct column *column = &table->columns[chain->first + chain->next++];

		if (column->skip == 0) {
			column->wanted = true;
			return true;
		}
	}
	return false;
}

/* Some row has nothing in the alternatives tried so far. */
static bool
chain_lacks(const struct table *table, const struct chain *chain)
{
	size_t rows = rows_present(table->rows);

	/* Of connections none may be there to where one is looked for. */
	for (size_t i = 0; table->wire->peer_count > 0 && i < chain->next; i++)
		if (table->columns[chain->first + i].cells > 0)
			return false;
	for (size_t slot = 0; slot < rows; slot++) {
		const struct row *row = rows_at(table->rows, slot);
		bool has = false;

		for (size_t i = 0; i < chain->next && !has; i++) {
			const struct cell *cell = cell_at(table, row, chain->first + i);

			has = table->columns[chain->first].role == ROLE_KEY ?
				cell_has_text(cell) : cell_is_there(cell) &&
				!is_rounded_off(table, chain, i, cell);
		}
		if (!has)
			return true;
	}
	return rows == 0;
}

static void
column_begin(struct column *column)
{
	column->done = false;
	column->broken = REASON_GOOD;
	column->cells = 0;
	column->last = NULL;
	column->last_count = 0;
}

static bool
names_come_again(const struct table *table)
{
	return table->check != SIZE_MAX && table->columns[table->check].wanted;
}

/* The column that names come from; SIZE_MAX: no row has one. */
static size_t
named_by(const struct table *table)
{
	const struct chain *keys = &table->chains[0];

	for (size_t i = keys->first; i < keys->first + keys->count; i++)
		if (table->columns[i].wanted && table->columns[i].cells > 0)
			return i;
	return SIZE_MAX;
}

/* Names and numbers of a row come in one answer, so that they are of one interface, and counters
 * with what tells that they were reset. What is asked for later is not: beside that both are read
 * again. */
static bool
check_names(struct table *table)
{
	struct column *check = &table->columns[table->check];
	size_t key = named_by(table);

	if (key == SIZE_MAX)
		return false;
	column_begin(check);
	check->wanted = true;
	check->of = (uint16_t)key;
	check->oid = table->columns[key].oid;
	check->name = table->columns[key].name;
	check->name_size = table->columns[key].name_size;
	if (table->check_mark != SIZE_MAX) {
		column_begin(&table->columns[table->check_mark]);
		table->columns[table->check_mark].wanted = table->columns[table->mark].cells > 0;
	}
	return true;
}

static bool
next_alternatives(struct table *table)
{
	bool any = false, of_points = false;

	for (size_t i = 0; i < table->chain_count; i++) {
		struct chain *chain = &table->chains[i];

		if (chain->next >= chain->count || !chain_lacks(table, chain) ||
			!chain_advance(table, chain))
			continue;
		any = true;
		of_points |= i > 0;
		table->columns[chain->first + chain->next - 1u].early = i == 0;
	}
	if (table->check != SIZE_MAX && (of_points || (table->parted && !names_come_again(table))))
		any |= check_names(table);
	return any;
}

/* A name comes with what it is the name of. */
static void
begin_names(struct table *table)
{
	struct chain *keys = &table->chains[0];

	while (keys->next < keys->count && table->columns[keys->first + keys->next].early &&
		chain_advance(table, keys))
		;
}

void
table_begin(struct table *table, const struct ask_context *context)
{
	bool infos = table->infos_due || table->polls % INFO_EVERY == 0;

	drop_poll(table);
	table->polls++;
	table->broken = table->parted = table->renamed = false;
	table->infos_due = false;
	table->step = 0;
	table->at = 0;
	rows_begin(table->rows, context->now, context->group->retire);
	/* Read up to last_count only: not worth zeroing. */
	if (table->wire->peer_count > 0)
		table->places = mem_grow(NULL, table->column_count,
			SNMP_OID_MAX * sizeof *table->places);
	for (size_t i = 0; i < table->column_count; i++) {
		struct column *column = &table->columns[i];

		column->wanted = column->role == ROLE_MARK || column->role == ROLE_STATUS ||
			(infos && (column->role == ROLE_INFO || column->role == ROLE_TYPE));
		column->late = false;
		column_begin(column);
		if (column->skip > 0)
			column->skip--;
	}
	for (size_t i = 0; i < table->chain_count; i++) {
		table->chains[i].next = 0;
		chain_advance(table, &table->chains[i]);
	}
	begin_names(table);
}

/* ---- questions ---- */

/* What is asked of a column: its OID, with an index behind (row_wire, 0: none). What lies behind
 * the index until the rest is written is of no matter. */
static uint8_t *
write_varbind(uint8_t *at, const struct column *column, uint64_t index)
{
	size_t size = column->name_size + (index >> 56);
	uint32_t head = htole32(cell_head(size + 4, size));
	uint64_t before = htole64(column->name.before), wire = htole64(column->name.wire);

	index = htole64(index);
	memcpy(at, &head, 4);
	memcpy(at + 4, &before, 8);
	memcpy(at + 4 + column->name_size - 8, &wire, 8);
	memcpy(at + 4 + column->name_size, &index, 8);
	at[4 + size] = TAG_NULL;
	at[5 + size] = 0;
	return at + 6 + size;
}
#define VARBIND_MOST (6 + 16 + ROW_WIRE)

/* The question in BER, in the place of its OIDs. False: some of it is too long, or there is too
 * much of it. */
static bool
write_list(const struct table *table, struct ask *ask)
{
	uint8_t *list = (uint8_t *)(ask->oids + 1), *at = list;
	const uint32_t *last = NULL;
	uint64_t index = 0;

	if (ask->count > ASK_MAX * sizeof ask->oids[0] / VARBIND_MOST)
		return false;
	for (size_t i = 0; i < ask->count; i++) {
		const struct column *column = &table->columns[ask->what[i]];

		/* Mostly all are at the same row. */
		if (column->last != last) {
			last = column->last;
			index = last != NULL ? row_wire_of(last, column->last_count) : 0;
		}
		if (column->name_size == 0 || (last != NULL && index == 0))
			return false;
		at = write_varbind(at, column, index);
	}
	ask->list_size = (uint16_t)(at - list);
	return true;
}

/* The columns' OIDs, with the index of the last cell behind. */
static void
put_oids(struct table *table, struct ask *ask)
{
	size_t arcs = 0;
	uint32_t *at;

	for (size_t i = 0; i < ask->count; i++) {
		const struct column *column = &table->columns[ask->what[i]];

		arcs += column->last_count > 0 ? column->oid->count + column->last_count : 0;
	}
	if (arcs > table->asked_room) {
		table->asked_room = arcs + 2 * ask->count;
		table->asked = mem_grow(table->asked, table->asked_room, sizeof *table->asked);
	}
	at = table->asked;
	for (size_t i = 0; i < ask->count; i++) {
		const struct column *column = &table->columns[ask->what[i]];
		size_t count = column->oid->count;

		ask->oids[1 + i] = *column->oid;
		if (column->last_count == 0)
			continue;
		ask->oids[1 + i] = (struct snmp_oid){ .ids = at, .count = count + column->last_count };
		memcpy(at, column->oid->ids, count * sizeof *at);
		memcpy(at + count, column->last, column->last_count * sizeof *at);
		at += ask->oids[1 + i].count;
	}
}

static size_t
add_columns(const struct table *table, size_t most, struct ask *ask)
{
	size_t left = 0;

	for (size_t i = 0; i < table->column_count && ask->count < most; i++) {
		const struct column *column = &table->columns[i];

		if (!column->wanted || column->done)
			continue;
		/* One row more than last time, to see the end with the same request. */
		if (table->expected + 1 > column->cells &&
			table->expected + 1 - column->cells > left)
			left = table->expected + 1 - column->cells;
		ask->what[ask->count++] = (uint16_t)i;
	}
	return left;
}

/* Columns that begin when the names have begun: alternatives, or all but the first ones where there is
 * no room for more. */
static void
note_late(struct table *table, const struct ask *ask)
{
	const struct column *first = &table->columns[ask->what[0]];
	bool alternatives = names_come_again(table);

	if (first->role == ROLE_KEY && first->cells == 0 && !alternatives)
		return;
	for (size_t i = 0; i < ask->count; i++) {
		struct column *column = &table->columns[ask->what[i]];

		if (column->cells > 0 || column->role == ROLE_KEY || column->role == ROLE_CHECK)
			continue;
		column->late = true;
		table->parted |= !alternatives;
	}
}

bool
table_next(struct table *table, const struct ask_context *context,
	const struct ask_limit *limit, struct ask *ask)
{
	size_t most = limit->varbinds < ASK_MAX - 1 ? limit->varbinds : ASK_MAX - 1;
	size_t repetitions = limit->repetitions > 0 ? limit->repetitions : REPETITIONS, left;

	if (limit->columns > 0 && limit->columns < most)
		most = limit->columns;
	ask->usual = NULL;
	ask->count = 0;
	do
		left = add_columns(table, most, ask);
	while (ask->count == 0 && next_alternatives(table));
	if (ask->count == 0)
		return false;
	note_late(table, ask);
	ask->list_size = 0;
	if (!context->written || !write_list(table, ask))
		put_oids(table, ask);
	ask->op = context->version == 1 ? SESSION_GETNEXT : SESSION_GETBULK;
	if (repetitions > limit->varbinds / ask->count)
		repetitions = limit->varbinds / ask->count;
	if (table->expected > 0 && left > 0 && repetitions > left)
		repetitions = left;
	ask->max_repetitions = repetitions > 1 ? (uint16_t)repetitions : 1;
	return true;
}

/* ---- answers ---- */

static void
break_column(struct table *table, const struct ask_context *context, size_t i, uint8_t reason,
	const char *what)
{
	struct column *column = &table->columns[i];
	char text[160];

	column->done = true;
	column->broken = reason;
	if (!table->broken)
		task_error(context->task, "table \"%s\": column %s: %s", table->group->table,
			snmp_oid_text(text, sizeof text, column->oid->ids, column->oid->count),
			what);
	table->broken = true;
}

static void
stop_all(struct table *table, const struct ask_context *context)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].wanted && !table->columns[i].done)
			break_column(table, context, i, REASON_BAD_REPLY,
				"stopped, the table does not end");
}

static void
grow_cells(struct table *table, size_t slot)
{
	size_t room = slot + slot / 2 + 8;

	if (room <= table->expected)
		room = table->expected + 1;
	table->cells = mem_grow(table->cells, room, table->column_count * sizeof *table->cells);
	table->cells_room = room;
}

/* Clears a row's cells when the row is met and not all of them at once: they are in the
 * processor's cache then when they are filled. */
static void
make_cells(struct table *table, size_t slot)
{
	size_t size = table->column_count, made = table->cells_made;

	if (slot >= table->cells_room)
		grow_cells(table, slot);
	memset(table->cells + made * size, 0, (slot + 1 - made) * size * sizeof *table->cells);
	table->cells_made = slot + 1;
}

static inline struct cell *
cell_for(struct table *table, const struct row *row, size_t column)
{
	if (row->slot >= table->cells_made)
		make_cells(table, row->slot);
	return cell_at(table, row, column);
}

static inline void
note_cell(struct column *column, const uint32_t *index, size_t count, enum value_type type)
{
	column->cells++;
	column->last = index;
	column->last_count = (uint16_t)count;
	if (column->type == VALUE_NONE && value_type_is_there(type))
		column->type = (uint8_t)type;
}

/* The row of the place that a connection goes to, if that is looked for. Several connections
 * to one place are one. */
static void
take_connection(struct table *table, const struct ask_context *context, size_t i,
	const struct snmp_oid *index, const struct value *value)
{
	struct column *column = &table->columns[i];
	const struct snmp_peer *peer = peer_find(table->wire->peers, table->wire->peer_count,
		index->ids, index->count);
	uint32_t *place = table->places + i * SNMP_OID_MAX;

	if (peer != NULL) {
		struct cell *cell = cell_for(table, rows_sight(table->rows, peer->index,
			peer->index_count), i);

		/* One that went while it was read has no state: it takes nobody's place. */
		if (!cell_is_there(cell) || (value_type_is_there(value->type) &&
			peer_state_counts_more(value->count, cell->bits)))
			cell_put(table, cell, value);
	}
	memcpy(place, index->ids, index->count * sizeof *place);
	note_cell(column, place, index->count, value->type);
	if (column->cells >= TABLE_ROWS_MAX)
		stop_all(table, context);
}

/* A name is mostly what it was, and stands in the row already: for as long as cells of names
 * are looked at, which is until rows_name. */
static bool
put_known_name(const struct table *table, struct cell *cell, const struct row *row,
	const struct value *value)
{
	if (value->type != VALUE_OCTETS || value->size == 0 || value->size != row->known_size ||
		memcmp(row->known, value->octets, value->size) != 0)
		return false;
	*cell = (struct cell){ .bits = (uintptr_t)row->known, .type = (uint8_t)value->type,
		.size = (uint16_t)value->size, .answer = (uint32_t)table->answer_count - 1 };
	return true;
}

static inline void
take_cell(struct table *table, struct row *row, size_t i, const struct value *value)
{
	struct cell *cell = cell_for(table, row, i);

	if (table->columns[i].role != ROLE_KEY || !put_known_name(table, cell, row, value))
		cell_put(table, cell, value);
	note_cell(&table->columns[i], row->index, row->index_count, value->type);
}

/* Anything, by its arcs. */
static void
take_any(struct table *table, const struct ask_context *context, size_t i,
	const struct varbind *varbind, struct row **newest)
{
	struct column *column = &table->columns[i];
	const struct snmp_oid *oid = column->oid;
	struct snmp_oid name = { varbind->ids, varbind->count }, index;
	uint32_t arcs[SNMP_OID_MAX];
	size_t same;

	if (name.ids == NULL)
		name = (struct snmp_oid){ arcs,
			oid_from_wire(arcs, varbind->name, varbind->name_size) };
	same = oid_same(name.ids, name.count, oid->ids, oid->count);
	index = (struct snmp_oid){ name.ids + same, name.count - same };
	/* The last one begins with the column's OID. */
	if (same < oid->count ? index.count == 0 || *index.ids < oid->ids[same] :
		oid_compare(index.ids, index.count, column->last, column->last_count) <= 0) {
		break_column(table, context, i, REASON_BAD_REPLY, "stopped, OIDs do not increase");
		return;
	}
	if (same < oid->count) {
		column->done = true;
		return;
	}
	if (table->wire->peer_count > 0) {
		take_connection(table, context, i, &index, &varbind->value);
		return;
	}
	*newest = rows_sight(table->rows, index.ids, index.count);
	take_cell(table, *newest, i, &varbind->value);
	if ((*newest)->slot >= TABLE_ROWS_MAX)
		stop_all(table, context);
}

/* Is the row behind that one? count 0: that is none. */
static inline bool
is_behind(const struct row *row, const uint32_t *index, size_t count)
{
	if (count == 1 && row->index_count == 1)
		return *row->index > *index;
	return oid_compare(row->index, row->index_count, index, count) > 0;
}

/* Behind the last cell of that column? */
static inline bool
comes_next(const struct column *column, const struct row *row)
{
	return is_behind(row, column->last, column->last_count);
}

/* Is it what that column says of that row? Seen by the octets of the name. */
static inline bool
is_cell(const struct column *column, const struct row *row, const struct varbind *varbind)
{
	size_t size = column->name_size;
	struct cell_row known;

	if (size == 0 || row->wire == 0 || varbind->name_size != size + (row->wire >> 56))
		return false;
	known = cell_row(row);
	return cell_is_named(varbind->name, &column->name, size, &known);
}

/* Takes what the columns from `which` on say of one row, up to `count` of them and as far as all
 * is as it should be: of the row that the last ones were of, *newest, or of the one that is
 * expected next, which is *newest then. Returns how many that were. */
static size_t
take_row(struct table *table, const uint16_t *which, const struct varbind *varbinds, size_t count,
	struct row **newest)
{
	struct row *row = *newest;
	const uint32_t *last = NULL;
	size_t taken = 0;

	if (row == NULL || !is_cell(&table->columns[*which], row, varbinds))
		row = rows_next(table->rows);
	/* The last row, and all the more, is for take_any to stop at. */
	if (row == NULL || rows_present(table->rows) >= TABLE_ROWS_MAX)
		return 0;
	for (; taken < count; taken++) {
		struct column *column = &table->columns[which[taken]];
		const struct varbind *varbind = &varbinds[taken];

		if (column->done || varbind->value.type == VALUE_END_OF_VIEW ||
			!is_cell(column, row, varbind))
			break;
		/* Mostly all columns are at the same row, and one look does for all. */
		if ((column->last != last || taken == 0) && !comes_next(column, row))
			break;
		last = column->last;
		if (taken == 0 && row != *newest)
			rows_sight_row(table->rows, row);
		take_cell(table, row, which[taken], &varbind->value);
	}
	if (taken > 0)
		*newest = row;
	return taken;
}

/* Is it a name behind all that the column can have, where that is plain to see: of arcs of one
 * octet each? */
static inline bool
ends_column(const struct column *column, const struct varbind *varbind)
{
	const struct cell_column *name = &column->name;
	size_t size = column->name_size;
	struct cell_column is;

	if (size == 0 || varbind->name_size < size)
		return false;
	is = cell_column(varbind->name, size);
	if ((is.wire | is.before | name->wire | name->before) & UINT64_C(0x8080808080808080))
		return false;
	/* As text: the first octet counts most. */
	if (is.before != name->before)
		return __builtin_bswap64(is.before) > __builtin_bswap64(name->before);
	return __builtin_bswap64(is.wire) > __builtin_bswap64(name->wire);
}

static void
note_answer(struct table *table, int64_t received, uint16_t generation)
{
	size_t count = table->answer_count++;

	if (count % ANSWERS == 0)
		table->answers = mem_grow(table->answers, count + ANSWERS,
			sizeof *table->answers);
	table->answers[count] = (struct answer){ received, generation };
}

/* ---- what is expected, read at sight ---- */

/* Columns that stand side by side and are all at the same row: of these it can be told what
 * comes next. */
static bool
are_side_by_side(const struct table *table, const struct ask *ask)
{
	const struct column *columns = &table->columns[ask->what[0]];

	if (ask->count == 0 || ask->what[ask->count - 1] - ask->what[0] + 1u != ask->count)
		return false;
	for (size_t i = 0; i < ask->count; i++)
		if (columns[i].name_size == 0 || columns[i].last != columns[0].last)
			return false;
	return true;
}

/* Reads what these columns say of a row; returns where the next one begins, or NULL. */
static const uint8_t *
read_row(const struct table *table, const struct ask *ask, const struct row *row,
	const uint8_t *p, const uint8_t *end, struct cell *cell)
{
	const struct column *column = &table->columns[ask->what[0]], *last = column + ask->count;
	const struct cell_row known = cell_row(row);
	uint32_t answer = (uint32_t)table->answer_count;

	for (; column < last; column++, cell++) {
		cell->answer = answer;
		/* Who is told after rows_name needs a text of its own. */
		if ((column->role != ROLE_KEY || !cell_read_text(&p, end, &column->name,
			column->name_size, &known, row, cell)) &&
			!cell_read(&p, end, &column->name, column->name_size, &known, cell))
			return NULL;
	}
	return p;
}

/* The cells go where they will belong, behind those that hold something: they are not cleared
 * yet, and will be for whoever is met there if these do not count. */
size_t
table_read(struct table *table, const struct ask *ask, const uint8_t **at, const uint8_t *end)
{
	const struct column *columns = &table->columns[ask->what[0]];
	size_t slot = rows_present(table->rows), first = slot, last_count = columns->last_count;
	const uint32_t *last = columns->last;

	if (slot != table->cells_made || !are_side_by_side(table, ask))
		return 0;
	/* The last row of all is for take_any to stop at. */
	for (; slot < TABLE_ROWS_MAX; slot++) {
		const struct row *row = rows_expected(table->rows, slot - first);
		const uint8_t *p;

		if (row == NULL || row->wire == 0 || !is_behind(row, last, last_count))
			break;
		if (slot >= table->cells_room)
			grow_cells(table, slot);
		p = read_row(table, ask, row, *at, end,
			&table->cells[slot * table->column_count + ask->what[0]]);
		if (p == NULL)
			break;
		*at = p;
		last = row->index;
		last_count = row->index_count;
	}
	return (slot - first) * ask->count;
}

/* The row's cells are there, those of [first, end) filled: the others hold nothing. */
static void
claim_cells(struct table *table, const struct row *row, size_t first, size_t end)
{
	struct cell *cells = cell_at(table, row, 0);

	for (size_t i = 0; i < first; i++)
		cells[i] = (struct cell){ .type = VALUE_NONE };
	for (size_t i = end; i < table->column_count; i++)
		cells[i] = (struct cell){ .type = VALUE_NONE };
	table->cells_made = row->slot + 1;
}

/* What table_read took of the answer that is being fed. */
static struct row *
take_seen(struct table *table, const struct ask *ask, size_t taken)
{
	struct column *columns = &table->columns[ask->what[0]];
	struct row *row = NULL;

	for (size_t i = 0; i < taken; i += ask->count) {
		row = rows_next(table->rows);
		rows_sight_row(table->rows, row);
		claim_cells(table, row, ask->what[0], ask->what[0] + ask->count);
	}
	for (size_t i = 0; i < ask->count && row != NULL; i++) {
		columns[i].cells += (uint32_t)(taken / ask->count - 1);
		note_cell(&columns[i], row->index, row->index_count,
			cell_at(table, row, ask->what[0] + i)->type);
	}
	return row;
}

/* ---- what an answer says ---- */

/* An agent ends an answer where its room ends, which may be in the midst of a row, and the rest of
 * that would come later than its name. What is left over then is asked for again; but for the first
 * row of an answer, which may not fit into any. How many objects count. */
static size_t
whole_rows(struct table *table, const struct ask *ask, const struct session_answer *answer)
{
	if (answer->count >= ask->count)
		return answer->count - answer->count % ask->count;
	for (size_t i = answer->count; i < ask->count; i++)
		table->columns[ask->what[i]].late = true;
	table->parted |= !names_come_again(table);
	return answer->count;
}

/* One behind the other, as they were asked: for which column each is goes round. */
static void
take_varbinds(struct table *table, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer)
{
	size_t count = whole_rows(table, ask, answer) - answer->known;
	struct row *newest;

	/* Of a device that was not looked at for a while: all misses at once. */
	rows_await_next(table->rows, count / ask->count);
	for (size_t i = 0; i < ask->count; i++)
		__builtin_prefetch(&table->columns[ask->what[i]], 1);
	note_answer(table, answer->received, context->generation);
	newest = take_seen(table, ask, answer->known);
	for (size_t i = 0, which = 0; i < count;) {
		const struct varbind *varbind = &answer->varbinds[i];
		struct column *column = &table->columns[ask->what[which]];
		size_t left = count - i, row = ask->count - which;
		size_t taken = take_row(table, ask->what + which, varbind,
			left < row ? left : row, &newest);

		if (taken == 0 && !column->done) {
			if (varbind->value.type == VALUE_END_OF_VIEW ||
				ends_column(column, varbind))
				column->done = true;
			else
				take_any(table, context, ask->what[which], varbind, &newest);
		}
		i += taken > 0 ? taken : 1;
		which += taken > 0 ? taken : 1;
		if (which == ask->count)
			which = 0;
	}
}

/* The agent refused: at the end of its objects (v1), or because of one column. */
static void
take_error(struct table *table, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer)
{
	size_t first = 0, end = ask->count;

	if (answer->error_index > 0) {
		first = (size_t)answer->error_index - 1;
		end = first + 1;
	}
	for (size_t i = first; i < end; i++) {
		if (answer->error_status == SESSION_ERROR_NO_SUCH_NAME)
			table->columns[ask->what[i]].done = true;
		else
			break_column(table, context, ask->what[i], REASON_BAD_REPLY,
				"the agent answered with an error");
	}
}

void
table_feed(struct table *table, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer)
{
	if (answer->reason != REASON_GOOD) {
		break_column(table, context, ask->what[0], answer->reason,
			"one row of it does not fit into an answer");
		return;
	}
	if (answer->error_status != 0) {
		take_error(table, context, ask, answer);
		return;
	}
	if (answer->count == 0)
		for (size_t i = 0; i < ask->count; i++)
			break_column(table, context, ask->what[i], REASON_BAD_REPLY,
				"answered nothing");
	take_varbinds(table, context, ask, answer);
}

/* ---- the join ---- */

/* The row's name by the first key column that has a text. A column before it that was not
 * read to its end leaves the name unknown: the row must not get another's history. */
static void
read_name(struct table *table, const struct ask_context *context, struct row *row)
{
	const struct chain *keys = &table->chains[0];
	char text[ROW_KEY + 1];

	for (size_t i = 0; i < table->wire->peer_count; i++)
		if (row_is(row, table->wire->peers[i].index, table->wire->peers[i].index_count))
			row->text = table->wire->peers[i].name;
	for (size_t i = keys->first; i < keys->first + keys->count; i++) {
		const struct column *column = &table->columns[i];
		const struct cell *cell = cell_at(table, row, i);
		struct value value = cell_value(cell);

		/* Nobody's name is a text today and a number tomorrow. */
		if (value_is_there(&value) && cell->type != column->type) {
			row->hidden = true;
			break_column(table, context, i, REASON_BAD_REPLY,
				"a name is of another type than before");
			return;
		}
		if (value.type == VALUE_OCTETS && rows_still_called(row, value.octets, value.size))
			return;
		if (value_is_there(&value) && value_text(text, sizeof text, &value)[0] != '\0') {
			row->text = keep_bytes(table, text, strlen(text) + 1);
			row->moved_in = row->known[0] != '\0' && strcmp(row->known, text) != 0;
			row->named = cell->answer;
			/* Whose name it was may stand behind what was read. */
			row->hidden |= row->moved_in && !column->done;
			return;
		}
		if (column->skip == 0 && (!column->done || column->broken != REASON_GOOD)) {
			row->hidden = true;
			return;
		}
		row->second_best |= column->skip == 0;
	}
}

static bool
is_same_cell(const struct cell *cell, const struct cell *other)
{
	struct value one = cell_value(cell), two = cell_value(other);

	if (one.type != two.type || one.size != two.size)
		return false;
	if (one.type == VALUE_OID)
		return memcmp(one.ids, two.ids, one.size * sizeof *one.ids) == 0;
	if (one.type >= VALUE_OCTETS && one.type <= VALUE_OPAQUE)
		return memcmp(one.octets, two.octets, one.size) == 0;
	return one.count == two.count;
}

/* Columns came late, so that the names had to be read again; but the time may not have sufficed. */
static bool
must_check(const struct table *table)
{
	return names_come_again(table) ||
		(table->check != SIZE_MAX && table->parted && named_by(table) != SIZE_MAX);
}

static bool
has_checked(const struct table *table)
{
	const struct column *check = &table->columns[table->check];

	return check->wanted && check->done && check->broken == REASON_GOOD && check->cells > 0;
}

/* Did it say the same of the row both times? */
static bool
is_checked(const struct table *table, const struct row *row, size_t check)
{
	const struct column *column = &table->columns[check];

	return column->wanted && (cell_is_there(cell_at(table, row, check)) || column->cells > 0) &&
		is_same_cell(cell_at(table, row, column->of), cell_at(table, row, check));
}

/* Had the row its name still, and were its counters not reset, when the columns that come late were
 * read? */
static void
check_name(struct table *table, struct row *row)
{
	bool named = is_checked(table, row, table->check);

	if (named && (table->check_mark == SIZE_MAX || !table->columns[table->check_mark].wanted ||
		is_checked(table, row, table->check_mark)))
		return;
	row->unsure = true;
	row->hidden |= row->key[0] == '\0';
	if (has_checked(table)) {
		row->hidden |= table->parted && !named;
		table->renamed = true;
	}
}

/* A column that never ends makes up rows without end, each of which would get files and
 * histories. So nobody is taken for a new row who does not stand in a column that ended. */
static bool
is_certain(const struct table *table, const struct row *row)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		if (column->wanted && column->done && column->broken == REASON_GOOD &&
			cell_is_there(cell_at(table, row, i)))
			return true;
	}
	return row->key[0] != '\0';
}

static bool
is_listed(const struct table *table, const char *key)
{
	return (!table->has_include || regexec(&table->include, key, 0, NULL, 0) == 0) &&
		(!table->has_exclude || regexec(&table->exclude, key, 0, NULL, 0) != 0);
}

static bool
is_in(const int64_t *types, size_t count, int64_t type)
{
	for (size_t i = 0; i < count; i++)
		if (types[i] == type)
			return true;
	return false;
}

/* What a column said of the row: true and its number, or -1 when the row has none there; false
 * when that was not read. */
static bool
read_number(const struct table *table, const struct row *row, size_t i, int64_t *number)
{
	const struct column *column = &table->columns[i];
	const struct cell *cell = cell_at(table, row, i);

	*number = -1;
	if (cell_is_there(cell)) {
		if (cell->type == VALUE_INTEGER || cell->type == VALUE_GAUGE)
			*number = (int64_t)cell->bits;
		return true;
	}
	return column->wanted && column->done && column->broken == REASON_GOOD;
}

enum choice { CHOICE_NO, CHOICE_YES, CHOICE_OPEN };

/* Types change with the hardware only: they are read with the names, and kept. */
static enum choice
choose_by_type(struct table *table, struct row *row)
{
	const struct snmp_group *wire = table->wire;
	int64_t *type = &row->history->type, number;

	if (wire->type.count == 0)
		return CHOICE_YES;
	if (read_number(table, row, table->type, &number))
		*type = number < 0 ? ROW_TYPE_NONE : number;
	if (*type == ROW_TYPE_UNREAD) {
		table->infos_due = true;
		return CHOICE_OPEN;
	}
	return (wire->type_count == 0 || is_in(wire->types, wire->type_count, *type)) &&
		!is_in(wire->exclude_types, wire->exclude_type_count, *type);
}

static enum choice
choose(struct table *table, const struct ask_context *context, struct row *row)
{
	const struct snmp_group *wire = table->wire;
	enum choice choice;
	enum row_status status = ROW_STATUS_UNREAD;
	int64_t number, grace = wire->keep == SNMP_KEEP_ADMIN_UP ? context->group->retire : 0;

	if (row->history->listed == ROW_UNJUDGED)
		row->history->listed = is_listed(table, row->history->key) ? ROW_LISTED :
			ROW_UNLISTED;
	if (row->history->listed == ROW_UNLISTED)
		return CHOICE_NO;
	choice = choose_by_type(table, row);
	if (choice != CHOICE_YES || wire->keep == SNMP_KEEP_ALL)
		return choice;
	if (read_number(table, row, table->status, &number))
		status = number == 1 ? ROW_UP : ROW_DOWN;
	if (rows_keep(table->rows, row, status, grace))
		return CHOICE_YES;
	return status == ROW_STATUS_UNREAD ? CHOICE_OPEN : CHOICE_NO;
}

/* The cell of the first alternative that the row has, or NULL and why there is none:
 * REASON_GOOD then means that it was not asked for to the end. */
static const struct cell *
pick(const struct table *table, const struct row *row, size_t point, double *scale,
	uint8_t *reason)
{
	const struct chain *chain = &table->chains[1 + point];
	const struct cell *zero = NULL;

	*reason = REASON_NO_SUCH_OBJECT;
	for (size_t i = 0; i < chain->count; i++) {
		const struct column *column = &table->columns[chain->first + i];
		const struct cell *cell = cell_at(table, row, chain->first + i);

		if (column->late && row->unsure) {
			*reason = table->renamed ? REASON_BAD_REPLY : REASON_GOOD;
			return NULL;
		}
		/* A column in which rows are missing is ahead of the names. */
		if (row->moved_in && cell_is_there(cell) && cell->answer < row->named) {
			*reason = REASON_BAD_REPLY;
			return NULL;
		}
		if (cell_is_there(cell) && !is_rounded_off(table, chain, i, cell)) {
			*scale = factor(table, chain, &table->group->points[point], i, cell);
			return cell;
		}
		if (cell_is_there(cell)) {
			zero = zero != NULL ? zero : cell;
			continue;
		}
		if (column->broken != REASON_GOOD)
			*reason = column->broken;
		else if (column->wanted ? !column->done : i >= chain->next && column->skip == 0)
			*reason = REASON_GOOD;
	}
	*scale = 1;
	return *reason == REASON_NO_SUCH_OBJECT ? zero : NULL;
}

/* More octets per second than the interface can carry prove that a counter was reset and
 * did not go round; a tenth on top for what agents round off. */
static double
octets_of(const struct table *table, const struct row *row)
{
	struct reading speed = { .reason = REASON_GOOD };
	const struct cell *cell;
	double scale;
	uint8_t reason;
	struct value value;
	char line[32];

	cell = pick(table, row, table->speed, &scale, &reason);
	if (cell == NULL)
		return 0;
	value = cell_value(cell);
	value_read(&value, &table->group->points[table->speed], scale, &speed, line, sizeof line);
	return speed.reason == REASON_GOOD && speed.number > 0 ? speed.number / 8 * 1.1 : 0;
}

static inline double
octets_limit(const struct table *table, const struct row *row)
{
	return table->speed < table->group->point_count ? octets_of(table, row) : 0;
}

/* What a counter's reading goes on from: in another run of the device, and in another of the
 * point's columns, it counts from another beginning or to another end. Never 0: none so far. */
#define RUN_BITS 12
#define RUN_MASK ((1u << RUN_BITS) - 1)
static inline uint16_t
run_of(uint16_t generation, size_t alternative)
{
	return (uint16_t)((generation & RUN_MASK) + ((alternative + 1) << RUN_BITS));
}

/* Told good now. Has it nothing to go on from? Before the first one that was read by this process
 * there may be another's, of the same run as far as anybody knows. */
static bool
run_begins(uint16_t *run, uint16_t generation, size_t alternative)
{
	uint16_t former = *run;

	*run = run_of(generation, alternative);
	return former == 0 ? generation != 0 : former != *run;
}

static void
take_point(const struct table *table, const struct ask_context *context, const struct row *row,
	struct readings *values, size_t i)
{
	const struct point *point = &table->group->points[i];
	uint8_t reason = REASON_GOOD;
	double scale;
	const struct cell *cell = pick(table, row, i, &scale, &reason);
	struct reading reading = { .row = values->row, .point = (uint32_t)i, .reason = reason,
		.received = context->now, .since = context->since };
	struct value value;
	static char line[TEXT_MAX + 1]; /* not cleared for each value */

	if (cell != NULL) {
		const struct answer *answer = &table->answers[cell->answer];
		uint16_t generation = (uint16_t)(answer->generation + row->history->resets);

		value = cell_value(cell);
		reading.received = answer->received;
		value_read(&value, point, scale, &reading, line, sizeof line);
		if (reading.reason == REASON_GOOD)
			reading.discontinuity = run_begins(&row->history->runs[i], generation,
				(size_t)(cell - cell_at(table, row, table->chains[1 + i].first)));
		if (table->chains[1 + i].carries)
			reading.max_rate = values->max_rate;
	} else if (reason == REASON_GOOD) {
		return;
	}
	readings_put(values, context->task, &reading);
}

static void
tell_infos(const struct table *table, const struct ask_context *context, const struct row *row,
	uint32_t number)
{
	char line[TEXT_MAX + 1];

	for (size_t i = table->infos; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		struct value value;

		if (!column->wanted || !cell_is_there(cell_at(table, row, i)))
			continue;
		value = cell_value(cell_at(table, row, i));
		task_info(context->task, number, table->wire->infos[column->of].name,
			value_text(line, sizeof line, &value));
	}
}

/* A reading is a base for rates for ten steps at most. */
#define BASE_STEPS 10

static void
judge_mark(const struct table *table, const struct ask_context *context, struct row *row)
{
	struct counter_mark *mark = &row->history->mark;
	const struct cell *cell;
	bool young;

	if (table->mark == SIZE_MAX)
		return;
	cell = cell_at(table, row, table->mark);
	if (cell->type != VALUE_TICKS)
		return;
	young = !mark->known && context->epoch != NULL && counter_is_young(context->epoch,
		(uint32_t)cell->bits, BASE_STEPS * table->group->interval);
	if (counter_reset(mark, (uint32_t)cell->bits) || young)
		row->history->resets++;
}

/* Of 32 or 64 bits; with a limit or without. */
static const struct reading_mark counts[2][2] = {
	{ { .bits = 32 }, { .bits = 32, .limited = true } },
	{ { .bits = 64 }, { .bits = 64, .limited = true } },
};

/* What take_point does, for the points from i on that are counters which arrived as such in the
 * first of their columns, with one answer, and go on from the last poll. Returns the first that
 * is not, or for which there is no room. */
static size_t
take_counts(const struct table *table, const struct row_history *history,
	const struct cell *cells, struct readings *values, size_t i)
{
	const struct chain *chains = &table->chains[1];
	uint32_t from = cells[chains[i].first].answer, count = values->count;
	const struct answer *answer = &table->answers[from];
	uint16_t run = run_of((uint16_t)(answer->generation + history->resets), 0);
	struct reading_item *item = &values->items[count];
	size_t end = table->group->point_count, first = i;

	if (count == 0) {
		values->first = (uint32_t)i;
		values->received = answer->received;
	} else if (values->received != answer->received || values->first + count != i) {
		return i;
	}
	if (end - i > SAMPLE_BATCH - count)
		end = i + SAMPLE_BATCH - count;
	for (; i < end; i++, item++) {
		const struct chain *chain = &chains[i];
		const struct cell *cell = &cells[chain->first];
		bool wide = cell->type == VALUE_COUNTER64;

		if (!chain->plain || (!wide && cell->type != VALUE_COUNTER32) ||
			cell->answer != from || history->runs[i] != run)
			break;
		item->mark = counts[wide][chain->carries];
		item->raw = cell->bits;
	}
	values->count += (uint32_t)(i - first);
	return i;
}

/* What it counts is reset, and these counters were not read: in this process `runs` tells so to their
 * next readings, in another one nothing does. */
static void
forget_unread(const struct table *table, const struct ask_context *context, struct row *row,
	uint32_t number)
{
	struct row_history *history = row->history;
	uint16_t run = run_of((uint16_t)(context->generation + history->resets), 0);

	for (size_t i = 0; i < table->group->point_count; i++)
		if (table->group->points[i].kind == POINT_COUNTER &&
			((history->runs[i] ^ run) & RUN_MASK) != 0)
			task_forget(context->task, number, (uint32_t)i);
	history->settled = history->resets;
}

static uint32_t
number_of(struct task *task, const struct row *row)
{
	struct row_history *history = row->history;

	if (history->told == 0)
		history->told = task_row(task, row->key) + 1;
	else
		task_row_again(task, history->told - 1);
	return history->told - 1;
}

static void
tell_row(const struct table *table, const struct ask_context *context, struct row *row)
{
	static struct readings values; /* not cleared for each row */
	const struct cell *cells = cell_at(table, row, 0);
	size_t points = table->group->point_count, i = 0;

	values.row = number_of(context->task, row);
	values.since = context->since;
	values.max_rate = octets_limit(table, row);
	judge_mark(table, context, row);
	while (i < points) {
		if (!row->moved_in && !row->unsure)
			i = take_counts(table, row->history, cells, &values, i);
		if (i < points)
			take_point(table, context, row, &values, i++);
	}
	readings_tell(&values, context->task);
	if (row->history->settled != row->history->resets)
		forget_unread(table, context, row, values.row);
	if (table->infos < table->column_count && !row->unsure)
		tell_infos(table, context, row, values.row);
}

/* How many rows the longest column has: so many are asked for at once in the next poll. */
static size_t
longest_column(const struct table *table)
{
	size_t most = 0;

	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].cells > most)
			most = table->columns[i].cells;
	return most;
}

static void
learn_of(struct column *column)
{
	if (!column->wanted || !column->done || column->broken != REASON_GOOD)
		return;
	if (column->cells > 0) {
		column->misses = 0;
		return;
	}
	/* The next table_begin takes one of them. */
	column->skip = (uint8_t)(1u << column->misses);
	if (column->skip < SKIP_POLLS)
		column->misses++;
	else
		column->skip = SKIP_POLLS;
}

/* An alternative that no row has is not asked for again and again. An empty table proves nothing:
 * an agent may answer before it knows its interfaces, and one of the columns is their name. */
static void
learn_columns(struct table *table)
{
	if (longest_column(table) == 0)
		return;
	for (size_t c = 0; c < table->chain_count; c++) {
		const struct chain *chain = &table->chains[c];

		for (size_t i = chain->first; chain->count > 1 && i < chain->first + chain->count; i++)
			learn_of(&table->columns[i]);
	}
}

/* A place to which there is no connection in a column that was read to its end: there is
 * none, which is as good as closed. A column without any connection at all proves nothing:
 * the agent may hide it. */
static void
add_closed(struct table *table)
{
	const struct snmp_group *wire = table->wire;
	const struct value closed = { .type = VALUE_INTEGER, .count = CONNECTION_CLOSED };
	size_t i = 0;

	while (i < table->column_count && (table->columns[i].role != ROLE_POINT ||
		!table->columns[i].done || table->columns[i].broken != REASON_GOOD ||
		table->columns[i].cells == 0))
		i++;
	for (size_t p = 0; i < table->column_count && p < wire->peer_count; p++) {
		struct row *row = rows_sight(table->rows, wire->peers[p].index,
			wire->peers[p].index_count);
		struct cell *cell = cell_for(table, row, i);

		if (!cell_is_there(cell))
			cell_put(table, cell, &closed);
	}
}

/* They are asked for again, and nobody is gone just because nobody knows its name for certain. */
static void
lose_names(struct table *table, const struct ask_context *context)
{
	const struct chain *keys = &table->chains[0];

	for (size_t i = keys->first; i < keys->first + keys->count; i++)
		if (table->columns[i].wanted)
			break_column(table, context, i, REASON_BAD_REPLY, "a row has lost its name");
}

/* Whose better names are there in all rows is not asked for the others any more. */
static void
settle_names(struct table *table)
{
	struct chain before = table->chains[0];

	for (size_t i = 1; i < before.count; i++) {
		const struct column *better = &table->columns[before.first + i - 1];
		struct column *column = &table->columns[before.first + i];

		if (!better->done || better->broken != REASON_GOOD)
			return;
		before.next = (uint16_t)i;
		column->early = column->early && chain_lacks(table, &before);
	}
}

static bool
read_names(struct table *table, const struct ask_context *context, struct portion *portion)
{
	bool again = must_check(table);
	size_t rows;

	if (table->at == 0 && table->wire->peer_count > 0)
		add_closed(table);
	rows = rows_present(table->rows);
	for (size_t slot = 0; table->at == 0 && slot < AWAITED; slot++)
		rows_await(table->rows, slot);
	for (; table->at < rows; table->at++) {
		struct row *row = rows_at(table->rows, table->at);

		if (portion_is_over(portion))
			return false;
		rows_await(table->rows, table->at + AWAITED);
		read_name(table, context, row);
		row->hidden |= !is_certain(table, row);
		if (again)
			check_name(table, row);
	}
	settle_names(table);
	if (table->renamed)
		break_column(table, context, table->check, REASON_BAD_REPLY,
			"rows got other names, or were reset, while they were read");
	return true;
}

static bool
name_rows(struct table *table, const struct ask_context *context, struct portion *portion)
{
	if (!rows_name(table->rows, portion))
		return false;
	if (rows_lack_text(table->rows))
		lose_names(table, context);
	return true;
}

static bool
tell_rows(struct table *table, const struct ask_context *context, struct portion *portion)
{
	size_t rows = rows_present(table->rows);

	for (; table->at < rows; table->at++) {
		struct row *row = rows_at(table->rows, table->at);

		if (portion_is_over(portion))
			return false;
		if (row->history == NULL)
			continue;
		switch (choose(table, context, row)) {
		case CHOICE_YES:
			tell_row(table, context, row);
			break;
		case CHOICE_NO:
			task_row_end(context->task, row->key);
			break;
		case CHOICE_OPEN:
			break;
		}
	}
	return true;
}

static bool (*const end_steps[])(struct table *table, const struct ask_context *context,
	struct portion *portion) = { read_names, name_rows, tell_rows };

static void
note_complete(struct table *table, const struct ask_context *context)
{
	size_t rows = rows_present(table->rows);

	table->infos_due |= rows != table->expected || table->renamed;
	table->expected = table->wire->peer_count > 0 ? longest_column(table) : rows;
	learn_columns(table);
	if (rows == 0 && !table->broken)
		task_error(context->task, "table \"%s\": the agent has no rows",
			table->group->table);
}

bool
table_end(struct table *table, const struct ask_context *context, bool complete,
	struct portion *portion, uint8_t *rest)
{
	for (; table->step < sizeof end_steps / sizeof end_steps[0]; table->step++) {
		if (!end_steps[table->step](table, context, portion))
			return false;
		table->at = 0;
	}
	rows_end(table->rows);
	if (complete)
		note_complete(table, context);
	drop_poll(table);
	*rest = table->broken ? REASON_BAD_REPLY : REASON_NO_SUCH_ROW;
	return true;
}

size_t
table_rows(const struct table *table)
{
	return rows_present(table->rows);
}

void
table_ahead(const struct table *table, unsigned step)
{
	if (table == NULL)
		return;
	if (step == 0) {
		ahead_fetch(table, sizeof *table);
		return;
	}
	rows_ahead(table->rows, step - 1);
	if (step == 1)
		ahead_fetch(table->columns, table->column_count * sizeof table->columns[0]);
}

#include "snmp/table.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "snmp/join.h"
#include "snmp/oid.h"
#include "snmp/peers.h"
#include "snmp/table_parts.h"

/* GETBULK's repetitions where the configuration says nothing. */
#define REPETITIONS 10
/* Names and the like are read anew every so many polls, and when rows come or go. */
#define INFO_EVERY 20
/* An alternative that no row has is left out for a poll, twice as many each time, so many at most:
 * it may be hidden for a moment only. */
#define SKIP_POLLS 20
/* Answers for which room is made at a time. */
#define ANSWERS 8
/* Names of an agent's usual number of rows; in max_align_t. */
#define CHUNK 120

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
	size_t count = 2 * wire->key_count + wire->info_count + 5;

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
	table->check = table->column_count;
	if (wire->key_count > 0 && wire->peer_count == 0 && table->mark != SIZE_MAX)
		add_column(table, &wire->discontinuity, ROLE_CHECK, table->mark);
	/* Names last: who has his still is whom the rest is about. */
	for (size_t i = 0; i < wire->key_count && wire->peer_count == 0; i++)
		add_column(table, &wire->keys[i], ROLE_CHECK, table->chains[0].first + i);
	table->check_count = table->column_count - table->check;
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

void *
table_keep(struct table *table, const void *bytes, size_t size)
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

static void
cell_put_bytes(struct table *table, struct cell *cell, const struct value *value)
{
	switch (value->type) {
	case VALUE_OID:
		cell->size = (uint16_t)value->size;
		cell->bits = (uintptr_t)table_keep(table, value->ids,
			value->size * sizeof *value->ids);
		break;
	case VALUE_OCTETS:
	case VALUE_ADDRESS:
	case VALUE_OPAQUE:
		cell->size = value->size > TABLE_TEXT_MAX ? TABLE_TEXT_MAX : (uint16_t)value->size;
		cell->bits = (uintptr_t)table_keep(table, value->octets, cell->size);
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

static bool
cell_has_text(const struct cell *cell)
{
	struct value value = cell_value(cell);
	char text[ROW_KEY + 1];

	return value_is_there(&value) && value_text(text, sizeof text, &value)[0] != '\0';
}

double
table_coarseness(const struct table *table, const struct chain *chain, size_t i)
{
	const struct column *column = &table->columns[chain->first];
	const struct snmp_point *wire;

	if (column->role != ROLE_POINT || chain->count < 2)
		return 1;
	wire = table->group->points[column->of].wire;
	return wire->scales != NULL ? wire->scales[i] / wire->scales[chain->count - 1] : 1;
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

bool
table_lacks(const struct table *table, const struct chain *chain)
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
				!table_is_rounded_off(table, chain, i, cell);
		}
		if (!has)
			return true;
	}
	return rows == 0;
}

static void
column_begin(struct column *column)
{
	column->done = column->ahead = false;
	column->broken = REASON_GOOD;
	column->cells = 0;
	column->last = NULL;
	column->last_count = 0;
}

size_t
table_named_by(const struct table *table)
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
	if (table->check_count == 0 || table_named_by(table) == SIZE_MAX)
		return false;
	for (size_t i = table->check; i < table->check + table->check_count; i++) {
		struct column *check = &table->columns[i];

		column_begin(check);
		check->wanted = table->columns[check->of].cells > 0;
	}
	table->checking = true;
	return true;
}

static void
clear_cells(struct table *table, size_t column)
{
	size_t rows = rows_present(table->rows);

	for (size_t slot = 0; slot < rows; slot++)
		*cell_at(table, rows_at(table->rows, slot), column) =
			(struct cell){ .type = VALUE_NONE };
}

/* Once more, behind the names this time. */
static bool
read_again(struct table *table)
{
	bool any = false;

	for (size_t i = 0; i < table->column_count; i++) {
		struct column *column = &table->columns[i];

		if (!column->ahead || !column->done || column->broken != REASON_GOOD)
			continue;
		column_begin(column);
		clear_cells(table, i);
		column->late = table->parted = any = true;
	}
	return any;
}

static bool
next_alternatives(struct table *table)
{
	bool any = read_again(table), of_points = false;

	for (size_t i = 0; i < table->chain_count; i++) {
		struct chain *chain = &table->chains[i];

		if (chain->next >= chain->count || !table_lacks(table, chain) ||
			!chain_advance(table, chain))
			continue;
		any = true;
		of_points |= i > 0;
		table->columns[chain->first + chain->next - 1u].early = i == 0;
	}
	if (of_points || (table->parted && !table->checking))
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
	table->broken = table->parted = table->checking = table->renamed = false;
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
	bool alternatives = table->checking;

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

void
table_break(struct table *table, const struct ask_context *context, size_t i, uint8_t reason,
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
			table_break(table, context, i, REASON_BAD_REPLY,
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

/* Names and numbers of a row mostly come in one answer. Where rows are missing in a column it is
 * ahead of the others. */
static void
note_apart(struct table *table, const struct row *row, size_t i)
{
	const struct chain *keys = &table->chains[0];
	uint32_t answer = cell_at(table, row, i)->answer;
	bool named = false;

	for (size_t k = keys->first; k < keys->first + keys->count; k++) {
		const struct cell *name = cell_at(table, row, k);

		named |= cell_is_there(name);
		table->parted |= cell_is_there(name) && name->answer != answer;
	}
	if (table->mark != SIZE_MAX && cell_is_there(cell_at(table, row, table->mark)))
		table->parted |= cell_at(table, row, table->mark)->answer != answer;
	table->columns[i].ahead |= !named && row->astray;
}

static inline void
take_cell(struct table *table, struct row *row, size_t i, const struct value *value)
{
	struct cell *cell = cell_for(table, row, i);

	if (table->columns[i].role != ROLE_KEY || !put_known_name(table, cell, row, value))
		cell_put(table, cell, value);
	if (table->columns[i].role == ROLE_POINT && !table->columns[i].late &&
		table->check_count > 0)
		note_apart(table, row, i);
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
		table_break(table, context, i, REASON_BAD_REPLY, "stopped, OIDs do not increase");
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
	table->parted |= !table->checking;
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
			table_break(table, context, ask->what[i], REASON_BAD_REPLY,
				"the agent answered with an error");
	}
}

void
table_feed(struct table *table, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer)
{
	if (answer->reason != REASON_GOOD) {
		table_break(table, context, ask->what[0], answer->reason,
			"one row of it does not fit into an answer");
		return;
	}
	if (answer->error_status != 0) {
		take_error(table, context, ask, answer);
		return;
	}
	if (answer->count == 0)
		for (size_t i = 0; i < ask->count; i++)
			table_break(table, context, ask->what[i], REASON_BAD_REPLY,
				"answered nothing");
	take_varbinds(table, context, ask, answer);
}

/* ---- the end of a poll ---- */

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
	if (table->step == 0 && table->at == 0 && table->wire->peer_count > 0)
		add_closed(table);
	if (!join_rows(table, context, portion))
		return false;
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

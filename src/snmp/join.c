#include "snmp/join.h"

#include <regex.h>
#include <string.h>

#include "base/portion.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "snmp/table_parts.h"

/* bit/s that no interface has. */
#define TOO_FAST 1e13
/* So many rows ahead the end of a poll asks for what is known of them. */
#define AWAITED 4

/* ---- names ---- */

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
			table_break(table, context, i, REASON_BAD_REPLY,
				"a name is of another type than before");
			return;
		}
		row->named = cell->answer;
		row->moved_in = row->astray;
		if (value.type == VALUE_OCTETS && rows_still_called(row, value.octets, value.size))
			return;
		if (value_is_there(&value) && value_text(text, sizeof text, &value)[0] != '\0') {
			bool other = strcmp(row->known, text) != 0;

			row->text = table_keep(table, text, strlen(text) + 1);
			row->moved_in |= other;
			/* Whose name it was may stand behind what was read. */
			row->hidden |= other && row->known[0] != '\0' && !column->done;
			return;
		}
		if (column->skip == 0 && (!column->done || column->broken != REASON_GOOD)) {
			row->hidden = true;
			return;
		}
		row->second_best |= column->skip == 0;
	}
}

/* ---- is what came late theirs? ---- */

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
	return table->checking || (table->check_count > 0 && table->parted &&
		table_named_by(table) != SIZE_MAX);
}

static bool
has_checked(const struct table *table)
{
	bool any = false;

	for (size_t i = table->check; i < table->check + table->check_count; i++) {
		const struct column *check = &table->columns[i];

		if (check->wanted && (!check->done || check->broken != REASON_GOOD))
			return false;
		any |= check->wanted && check->cells > 0;
	}
	return any;
}

/* Did the column say the same of the row both times? */
static bool
is_checked(const struct table *table, const struct row *row, size_t i)
{
	const struct column *check = &table->columns[i];
	const struct cell *cell = cell_at(table, row, i);

	return !check->wanted || ((cell_is_there(cell) ||
		(check->done && check->broken == REASON_GOOD && check->cells > 0)) &&
		is_same_cell(cell_at(table, row, check->of), cell));
}

static bool
has_worse_name(const struct row *row)
{
	return (row->text[0] == '\0' || row->second_best) && strcmp(row->known, row->text) != 0;
}

/* Had the row its name still, and were its counters not reset, when the columns that come late were
 * read? */
static void
check_name(struct table *table, struct row *row)
{
	bool named = table->checking, marked = table->checking;

	for (size_t i = table->check; i < table->check + table->check_count; i++) {
		bool same = is_checked(table, row, i);

		if (table->columns[i].of == table->mark)
			marked &= same;
		else
			named &= same;
	}
	if (named && marked)
		return;
	row->unsure = !named;
	row->remarked = !marked;
	row->hidden |= !named && (row->key[0] == '\0' || has_worse_name(row));
	if (has_checked(table)) {
		row->hidden |= table->parted && !named;
		table->renamed = true;
	}
}

/* ---- which rows are told ---- */

/* A column that never ends makes up rows without end, each of which would get files and
 * histories. So nobody is taken for a new row who does not stand in a column that ended. */
static bool
is_certain(const struct table *table, const struct row *row)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		/* Ahead of the names it was read of whoever was there then. */
		if (column->wanted && column->done && column->broken == REASON_GOOD &&
			(column->late || !column->ahead) && cell_is_there(cell_at(table, row, i)))
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

/* ---- what they say ---- */

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
	if (table_coarseness(table, chain, i) > 1 && strcmp(point->unit, "bit/s") == 0 &&
		(cell->type == VALUE_GAUGE || cell->type == VALUE_INTEGER) &&
		(double)(int64_t)cell->bits * wire->scales[i] >= TOO_FAST)
		return wire->scales[chain->count - 1];
	return wire->scales[i];
}

/* Did what came behind the name come of another one, or of another run of the counters? */
static bool
is_of_afterwards(const struct row *row, const struct column *column, const struct cell *cell,
	bool counts)
{
	return (row->unsure || (row->remarked && counts)) &&
		(column->late || (cell_is_there(cell) && cell->answer > row->named));
}

/* A column in which rows are missing is ahead of the others. Did the cell come before the row got its
 * name, or its counters were reset? */
static bool
is_of_before(const struct table *table, const struct row *row, const struct cell *cell, bool counts)
{
	if (!cell_is_there(cell))
		return false;
	return (row->moved_in && cell->answer < row->named) || (row->reset && counts &&
		cell->answer < cell_at(table, row, table->mark)->answer);
}

/* The cell of the first alternative that the row has, or NULL and why there is none:
 * REASON_GOOD then means that it was not asked for to the end. */
static const struct cell *
pick(const struct table *table, const struct row *row, size_t point, double *scale,
	uint8_t *reason)
{
	const struct chain *chain = &table->chains[1 + point];
	bool counts = table->group->points[point].kind == POINT_COUNTER;
	const struct cell *zero = NULL;

	*reason = REASON_GOOD;
	if (row->unmarked && counts)
		return NULL;
	*reason = REASON_NO_SUCH_OBJECT;
	for (size_t i = 0; i < chain->count; i++) {
		const struct column *column = &table->columns[chain->first + i];
		const struct cell *cell = cell_at(table, row, chain->first + i);

		if (is_of_afterwards(row, column, cell, counts)) {
			*reason = table->renamed ? REASON_BAD_REPLY : REASON_GOOD;
			return NULL;
		}
		if (is_of_before(table, row, cell, counts)) {
			*reason = REASON_BAD_REPLY;
			return NULL;
		}
		if (cell_is_there(cell) && !table_is_rounded_off(table, chain, i, cell)) {
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
	static char line[TABLE_TEXT_MAX + 1]; /* not cleared for each value */

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
	char line[TABLE_TEXT_MAX + 1];

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

/* A reading is a base for rates for ten steps at most, and this poll takes its time. */
#define BASE_STEPS 11

/* The row says nothing of it in this poll: not yet, or not any more. */
static void
miss_mark(const struct table *table, struct row *row)
{
	const struct column *column = &table->columns[table->mark];
	struct row_history *history = row->history;
	struct counter_mark *mark = &history->mark;

	row->unmarked = !column->done;
	/* An agent that errs on it for ever has rates all the same. */
	if (row->unmarked || (!mark->known && (column->broken == REASON_GOOD || history->unmarked)))
		return;
	mark->known = false;
	history->unmarked = true;
	history->resets++;
}

/* Was it read of whoever had the index before or afterwards, or is there none because of that? */
static bool
is_anothers_mark(const struct table *table, const struct row *row, const struct cell *cell)
{
	if (!cell_is_there(cell))
		return row->unsure && table->columns[table->mark].cells > 0;
	return (row->unsure && cell->answer > row->named) ||
		(row->moved_in && cell->answer < row->named);
}

static void
judge_mark(const struct table *table, const struct ask_context *context, struct row *row)
{
	struct counter_mark *mark = &row->history->mark;
	const struct cell *cell;
	bool young;

	if (table->mark == SIZE_MAX)
		return;
	cell = cell_at(table, row, table->mark);
	row->unmarked = is_anothers_mark(table, row, cell);
	if (cell->type != VALUE_TICKS && !row->unmarked)
		miss_mark(table, row);
	if (cell->type != VALUE_TICKS || row->unmarked)
		return;
	young = !mark->known && context->epoch != NULL && counter_is_young(context->epoch,
		(uint32_t)cell->bits, BASE_STEPS * table->group->interval);
	row->reset = counter_reset(mark, (uint32_t)cell->bits) || young;
	row->history->resets += row->reset;
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
	bool plain;

	values.row = number_of(context->task, row);
	values.since = context->since;
	values.max_rate = octets_limit(table, row);
	judge_mark(table, context, row);
	plain = !row->moved_in && !row->unsure && !row->remarked && !row->reset && !row->unmarked;
	while (i < points) {
		if (plain)
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

/* ---- step by step ---- */

/* They are asked for again, and nobody is gone just because nobody knows its name for certain. */
static void
lose_names(struct table *table, const struct ask_context *context)
{
	const struct chain *keys = &table->chains[0];

	for (size_t i = keys->first; i < keys->first + keys->count; i++)
		if (table->columns[i].wanted)
			table_break(table, context, i, REASON_BAD_REPLY, "a row has lost its name");
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
		column->early = column->early && table_lacks(table, &before);
	}
}

/* Rows got other names while they were read: one that has none, and was not known to have none, may be
 * another's index of before. */
static void
hide_nameless(struct table *table)
{
	size_t rows = rows_present(table->rows);

	for (size_t slot = 0; slot < rows; slot++) {
		struct row *row = rows_at(table->rows, slot);

		row->hidden |= row->text[0] == '\0' &&
			(row->key[0] == '\0' || row->known[0] != '\0');
	}
}

static bool
read_names(struct table *table, const struct ask_context *context, struct portion *portion)
{
	bool again = must_check(table);
	size_t rows = rows_present(table->rows);

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
	if (table->renamed) {
		hide_nameless(table);
		table_break(table, context, table->chains[0].first, REASON_BAD_REPLY,
			"rows got other names, or were reset, while they were read");
	}
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

static bool (*const steps[])(struct table *table, const struct ask_context *context,
	struct portion *portion) = { read_names, name_rows, tell_rows };

bool
join_rows(struct table *table, const struct ask_context *context, struct portion *portion)
{
	for (; table->step < sizeof steps / sizeof steps[0]; table->step++) {
		if (!steps[table->step](table, context, portion))
			return false;
		table->at = 0;
	}
	return true;
}

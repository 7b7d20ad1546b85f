#include "config/csv.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "config/bundle.h"
#include "config/errors.h"
#include "config/schema.h"

enum { COLUMNS_MAX = 40, CELL_MAX = 400, DEPTH_MAX = 4 };

/* What a row becomes: an entry of which section of the language, in the list of which name. */
struct kind {
	const char *section, *made;
	const char *row; /* for messages */
	const char *expected;
};
static const struct kind registers = { "point", "points", "register",
	"name, pdu, register, modicon, function, type, order, scale, unit, text, kind, interval "
	"and other keys of a point" };
static const struct kind devices = { "device", "devices", "device",
	"name, address, profile, templates, place, owner, parents, interval, modbus.unit_id, "
	"parameters, parameters.NAME and other keys of a device" };

/* What of a point a list may say. */
static const char *const of_a_point[] = {
	"name", "pdu", "register", "modicon", "function", "type", "order", "scale", "offset",
	"unit", "text", "kind", "interval", "align", "bit", "length", "mask", "chars", "separate",
	"atomic", "side_effect",
	"states", "invalid", "min", "max", "scale_from", "wrap", NULL,
};

/* A heading: the key, and the groups that it stands in ("rows", "if" of rows.if.include). */
struct column {
	const struct schema_key *key; /* NULL: an empty heading */
	char *parts[DEPTH_MAX];       /* the last one is the key's name */
	size_t depth;
};

/* A cell that is not empty, of the row at hand. */
struct cell {
	const struct column *column;
	char *text;
};

struct list {
	const struct kind *kind;
	const struct bundle_file *file;
	struct conf_errors *errors;
	char separator;
	struct column columns[COLUMNS_MAX];
	size_t column_count;
	int line;
	bool windows; /* Windows-1252 */
	size_t wrong; /* errors of this list */
	FILE *to;
};

#define WRONG(list, ...) \
	((list)->wrong++, conf_error((list)->errors, (list)->file->path, (list)->line, __VA_ARGS__))

/* ---- characters ---- */

/* RFC 3629; overlong forms and surrogates are none. */
static size_t
utf8_length(const uint8_t *at, size_t left)
{
	size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xC2 && at[0] < 0xE0 ? 2 :
		      at[0] >= 0xE0 && at[0] < 0xF0 ? 3 : at[0] >= 0xF0 && at[0] < 0xF5 ? 4 : 0;

	if (size == 0 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	}
	if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
		(at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
		return 0;
	return size;
}

static bool
is_utf8(const char *text, size_t size)
{
	size_t length;

	for (size_t i = 0; i < size; i += length) {
		length = utf8_length((const uint8_t *)text + i, size - i);
		if (length == 0)
			return false;
	}
	return true;
}

/* 0x80 to 0x9F, as the Unicode consortium's table CP1252.TXT has them; 0: not used. */
static const uint16_t windows_1252[32] = {
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
	0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC,
	0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
};

/* One character of a text in quotes, in UTF-8 and the language's own escapes. */
static void
put_character(const struct list *list, uint8_t c)
{
	unsigned code = c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c;

	if (c == '"' || c == '\\')
		fprintf(list->to, "\\%c", c);
	else if (c < 0x20 || code == 0)
		fputc(' ', list->to);
	else if (c < 0x80 || !list->windows)
		fputc(c, list->to);
	else if (code < 0x800)
		fprintf(list->to, "%c%c", 0xC0 | code >> 6, 0x80 | (code & 63));
	else
		fprintf(list->to, "%c%c%c", 0xE0 | code >> 12, 0x80 | (code >> 6 & 63),
			0x80 | (code & 63));
}

static void
put_text(const struct list *list, const char *text)
{
	fputc('"', list->to);
	for (; *text != '\0'; text++)
		put_character(list, (uint8_t)*text);
	fputc('"', list->to);
}

/* ---- cells ---- */

static char *
trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		text[--length] = '\0';
	return text;
}

/* Takes one cell off the line; false at its end. Quotes as RFC 4180 has them. */
static bool
next_cell(struct list *list, const char **line, char cell[CELL_MAX])
{
	const char *at = *line;
	bool quoted = false;
	size_t used = 0;

	if (at == NULL)
		return false;
	for (; *at != '\0' && (quoted || *at != list->separator); at++) {
		if (*at == '"' && quoted && at[1] == '"') {
			at++; /* a doubled one is meant */
		} else if (*at == '"') {
			quoted = !quoted;
			continue;
		}
		if (used < CELL_MAX - 1)
			cell[used++] = *at;
	}
	cell[used] = '\0';
	if (used == CELL_MAX - 1)
		WRONG(list, "a cell is longer than %d characters", CELL_MAX - 2);
	if (quoted)
		WRONG(list, "a quote is not closed in its line");
	*line = *at == '\0' ? NULL : at + 1;
	return true;
}

/* ---- headings ---- */

/* What fits into a cell. */
static bool
is_simple(enum schema_type type)
{
	switch (type) {
	case SCHEMA_GROUP:
	case SCHEMA_LIST:
	case SCHEMA_MAP:
	case SCHEMA_VALUES:
	case SCHEMA_HOPS:
	case SCHEMA_LATER:
		return false;
	default:
		return true;
	}
}

static const struct schema_key *
find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < schema_key_count; i++) {
		if (strcmp(schema_keys[i].section, section) == 0 &&
			strcasecmp(schema_keys[i].key, name) == 0)
			return &schema_keys[i];
	}
	return NULL;
}

/* A name that the language takes on the left of '='. */
static bool
is_setting_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	size_t size = strspn(name, letters);

	if (size == 0)
		return false;
	while (name[size] != '\0' && (strchr("-_0123456789", name[size]) != NULL ||
		strchr(letters, name[size]) != NULL))
		size++;
	return name[size] == '\0';
}

/* "snmp.community", "parameters.ct", "rows.if.include": down through the groups. */
static void
find_nested(struct column *column)
{
	static const struct schema_key parameter = { .key = "parameters", .type = SCHEMA_VALUE };
	const char *section = "device";
	const struct schema_key *key = NULL;

	for (size_t i = 0; i < column->depth; i++) {
		bool last = i + 1 == column->depth;

		key = find_key(section, column->parts[i]);
		if (key == NULL || (last && !is_simple(key->type) && key->type != SCHEMA_VALUES))
			return;
		memcpy(column->parts[i], key->key, strlen(key->key)); /* the case may differ */
		if (last)
			break;
		if (key->type == SCHEMA_VALUES && i + 2 == column->depth &&
			is_setting_name(column->parts[i + 1])) {
			key = &parameter;
			break;
		}
		if (key->type == SCHEMA_MAP && i + 2 < column->depth &&
			is_setting_name(column->parts[i + 1]))
			i++; /* the name is free */
		else if (key->type != SCHEMA_GROUP)
			return;
		section = key->of;
	}
	column->key = key;
}

static void
split(struct column *column, const char *name)
{
	size_t length = 0;

	for (; column->depth < DEPTH_MAX && name != NULL; name = name[length] == '.' ?
		name + length + 1 : NULL) {
		length = strcspn(name, ".");
		column->parts[column->depth++] = mem_format("%.*s", (int)length, name);
	}
}

static void
find_column(const struct list *list, struct column *column, const char *name)
{
	if (list->kind == &devices && strcasecmp(name, "template") == 0)
		name = "templates"; /* one template a device is usual */
	split(column, name);
	if (list->kind == &devices) {
		find_nested(column);
		return;
	}
	for (size_t i = 0; of_a_point[i] != NULL; i++) {
		if (strcasecmp(of_a_point[i], name) == 0)
			column->key = schema_find(list->kind->section, of_a_point[i]);
	}
}

static bool
same_column(const struct column *one, const struct column *other)
{
	if (one->key == NULL || one->key != other->key || one->depth != other->depth)
		return false;
	for (size_t i = 0; i + 1 < one->depth; i++) {
		if (strcmp(one->parts[i], other->parts[i]) != 0)
			return false;
	}
	return one->key->type != SCHEMA_VALUE ||
		strcmp(one->parts[one->depth - 1], other->parts[one->depth - 1]) == 0;
}

/* Of "snmp.comunity" the section of "snmp" and, in *before, where what it does not know begins. */
static const char *
section_of(const char *name, size_t *before)
{
	const char *section = "device", *at = name;

	while (strchr(at, '.') != NULL) {
		char part[40];
		const struct schema_key *key;

		snprintf(part, sizeof part, "%.*s", (int)strcspn(at, "."), at);
		key = find_key(section, part);
		if (key == NULL || (key->type != SCHEMA_GROUP && key->type != SCHEMA_MAP))
			break;
		section = key->of;
		at = strchr(at, '.') + 1;
		if (key->type == SCHEMA_MAP && strchr(at, '.') != NULL)
			at = strchr(at, '.') + 1; /* the name is free */
	}
	*before = (size_t)(at - name);
	return section;
}

static void
unknown_column(struct list *list, const char *name)
{
	const char *words[200], *near;
	size_t count = 0, before = 0;
	const char *section = list->kind == &devices ? section_of(name, &before) : "";

	for (size_t i = 0; i < schema_key_count && count < 199; i++) {
		if (strcmp(schema_keys[i].section, section) == 0 && is_simple(schema_keys[i].type))
			words[count++] = schema_keys[i].key;
	}
	words[count] = NULL;
	near = str_nearest(name + before, list->kind == &devices ? words : of_a_point);
	if (near != NULL)
		WRONG(list, "column \"%s\": unknown (did you mean \"%.*s%s\"?)", name, (int)before,
			name, near);
	else
		WRONG(list, "column \"%s\": unknown: expected %s", name, list->kind->expected);
}

/* Texts that were copied out of a spreadsheet have tabs. */
static char
separator_of(const char *headings)
{
	if (strchr(headings, ';') != NULL)
		return ';';
	return strchr(headings, ',') == NULL && strchr(headings, '\t') != NULL ? '\t' : ',';
}

static void
take_header(struct list *list, const char *line)
{
	char cell[CELL_MAX];

	list->separator = separator_of(line);
	while (next_cell(list, &line, cell)) {
		struct column *column = &list->columns[list->column_count];
		const char *name = trim(cell);

		if (list->column_count == COLUMNS_MAX) {
			WRONG(list, "more than %d columns", COLUMNS_MAX);
			return;
		}
		list->column_count++;
		if (name[0] == '\0')
			continue;
		find_column(list, column, name);
		if (column->key == NULL)
			unknown_column(list, name);
		for (struct column *other = list->columns; other < column; other++) {
			if (same_column(other, column))
				WRONG(list, "column \"%s\" stands there twice", name);
		}
	}
}

/* ---- values ---- */

/* A comma where people write one. */
static bool
read_number(const char *cell, double *number)
{
	char text[64], *comma;
	size_t marks = 0;
	bool fits = str_copy(text, sizeof text, cell);

	for (const char *c = cell; *c != '\0'; c++)
		marks += *c == '.' || *c == ',';
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
	return fits && marks <= 1 && str_double(text, number, NULL) == 0;
}

/* The language wants a point in what is no integer. */
static void
put_number(struct list *list, const struct schema_key *key, const char *cell)
{
	char text[64];
	double number;

	if (!read_number(cell, &number)) {
		WRONG(list, "%s \"%s\": expected a number, as 0,1 or 0.1", key->key, cell);
		return;
	}
	snprintf(text, sizeof text, "%.17g", number);
	if (strpbrk(text, ".e") == NULL)
		fprintf(list->to, "%s.0", text);
	else if (strchr(text, '.') == NULL)
		fprintf(list->to, "%.*s.0%s", (int)strcspn(text, "e"), text, strchr(text, 'e'));
	else
		fputs(text, list->to);
}

static void
put_integer(struct list *list, const struct schema_key *key, const char *cell)
{
	uint64_t number;

	if (str_uint(cell, &number, NULL) == -1 || number > INT32_MAX)
		WRONG(list, "%s \"%s\": expected an integer", key->key, cell);
	else
		fprintf(list->to, "%llu", (unsigned long long)number);
}

/* "1=up|2=down"; names, which have no such characters, also "core-a, core-b". */
static void
put_texts(const struct list *list, char *cell, const char *separators)
{
	const char *between = "[ ";
	char *word;

	while ((word = strsep(&cell, separators)) != NULL) {
		word = trim(word);
		if (word[0] == '\0' && separators[1] != '\0')
			continue;
		fputs(between, list->to);
		put_text(list, word);
		between = ", ";
	}
	fputs(between[0] == '[' ? "[ ]" : " ]", list->to);
}

static void
put_integers(struct list *list, const struct schema_key *key, char *cell)
{
	const char *between = "[ ";
	char *word;

	while ((word = strsep(&cell, "|, ")) != NULL) {
		if (word[0] == '\0')
			continue;
		fputs(between, list->to);
		put_integer(list, key, word);
		between = ", ";
	}
	fputs(between[0] == '[' ? "[ ]" : " ]", list->to);
}

/* A parameter may be either; what reads as a number is one. */
static void
put_number_or_text(struct list *list, const struct schema_key *key, const char *cell)
{
	int64_t whole;
	double number;

	if (str_int(cell, &whole, NULL) == 0 && whole >= INT32_MIN && whole <= INT32_MAX)
		fprintf(list->to, "%lld", (long long)whole);
	else if (read_number(cell, &number))
		put_number(list, key, cell);
	else
		put_text(list, cell);
}

/* "ct=2,5 vt=20": a comma parts two only when another name follows it. */
static void
put_parameters(struct list *list, const struct schema_key *key, char *cell)
{
	fputs("{", list->to);
	while (*cell != '\0') {
		size_t length = strcspn(cell, "| ");
		char *value, *comma;

		if (length == 0) {
			cell++;
			continue;
		}
		comma = memchr(cell, ',', length);
		while (comma != NULL && comma[1] != '\0' && comma[1] != ' ' && comma[1] != '|' &&
			strcspn(comma + 1, "=") >= strcspn(comma + 1, "|, "))
			comma = memchr(comma + 1, ',', length - (size_t)(comma + 1 - cell));
		if (comma != NULL)
			length = (size_t)(comma - cell);
		if (cell[length] != '\0')
			cell[length++] = '\0';
		value = strchr(cell, '=');
		if (value != NULL)
			*value++ = '\0';
		if (value == NULL || !is_setting_name(cell)) {
			WRONG(list, "%s \"%.40s\": expected NAME=VALUE, several with a blank between",
				key->key, cell);
		} else {
			fprintf(list->to, " %s = ", cell);
			put_number_or_text(list, key, value);
			fputc(';', list->to);
		}
		cell += length;
	}
	fputs(" }", list->to);
}

static void
put_bool(struct list *list, const struct schema_key *key, const char *cell)
{
	if (strcasecmp(cell, "true") == 0 || strcmp(cell, "1") == 0)
		fputs("true", list->to);
	else if (strcasecmp(cell, "false") == 0 || strcmp(cell, "0") == 0)
		fputs("false", list->to);
	else
		WRONG(list, "%s \"%s\": expected true or false", key->key, cell);
}

static void
put_value(struct list *list, const struct column *column, char *cell)
{
	const struct schema_key *key = column->key;

	fprintf(list->to, " %s = ", key->type == SCHEMA_VALUE ? column->parts[column->depth - 1] :
		key->key);
	switch (key->type) {
	case SCHEMA_INT:
		put_integer(list, key, cell);
		break;
	case SCHEMA_FLOAT:
	case SCHEMA_FLOATS:
		put_number(list, key, cell);
		break;
	case SCHEMA_BOOL:
		put_bool(list, key, cell);
		break;
	case SCHEMA_TEXTS:
		put_texts(list, cell, "|");
		break;
	case SCHEMA_NAMES:
		put_texts(list, cell, "|, ");
		break;
	case SCHEMA_INTS:
		put_integers(list, key, cell);
		break;
	case SCHEMA_VALUE:
		put_number_or_text(list, key, cell);
		break;
	case SCHEMA_VALUES:
		put_parameters(list, key, cell);
		break;
	default:
		put_text(list, cell);
		break;
	}
	fputc(';', list->to);
}

/* ---- rows ---- */

/* Cells of one group, which may stand apart, become one group. Takes them off the list. */
static void
put_cells(struct list *list, struct cell *cells, size_t count, size_t depth)
{
	for (size_t i = 0; i < count; i++) {
		struct cell group[COLUMNS_MAX];
		size_t members = 0;
		const char *name;

		if (cells[i].text == NULL)
			continue;
		name = cells[i].column->parts[depth];
		if (cells[i].column->depth == depth + 1) {
			put_value(list, cells[i].column, cells[i].text);
			continue;
		}
		for (size_t k = i; k < count; k++) {
			if (cells[k].text == NULL || cells[k].column->depth == depth + 1 ||
				strcmp(cells[k].column->parts[depth], name) != 0)
				continue;
			group[members++] = cells[k];
			cells[k].text = NULL;
		}
		fprintf(list->to, " %s = {", name);
		put_cells(list, group, members, depth + 1);
		fputs(" };", list->to);
	}
}

/* False: nothing but separators. */
static bool
take_row(struct list *list, const char *line, bool first)
{
	char cell[CELL_MAX], *texts[COLUMNS_MAX];
	struct cell cells[COLUMNS_MAX];
	size_t count = 0;

	if (line[strspn(line, " \t;,")] == '\0')
		return false;
	fputs(first ? "{" : ",{", list->to);
	for (size_t at = 0; next_cell(list, &line, cell); at++) {
		const char *text = trim(cell);

		if (text[0] == '\0')
			continue;
		if (at >= list->column_count || list->columns[at].key == NULL) {
			WRONG(list, "\"%.40s\" stands in column %zu, which has no heading", text, at + 1);
			continue;
		}
		texts[count] = mem_text(text);
		cells[count] = (struct cell){ &list->columns[at], texts[count] };
		count++;
	}
	put_cells(list, cells, count, 0);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	fputs(" }", list->to);
	return true;
}

/* ---- the list ---- */

static void
take_lines(struct list *list, char *text)
{
	bool first = true;
	char *line;

	fprintf(list->to, "%s = (", list->kind->made);
	while ((line = strsep(&text, "\n")) != NULL) {
		size_t length = strlen(line);

		list->line++;
		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		if (list->line > 1)
			fputc('\n', list->to);
		if (list->column_count == 0 && list->wrong == 0) {
			if (line[strspn(line, " \t;,")] != '\0')
				take_header(list, line);
			if (list->wrong > 0)
				return; /* each row would be wrong as well */
		} else if (take_row(list, line, first)) {
			first = false;
		}
	}
	fputs(" );", list->to);
	if (first && list->wrong == 0)
		WRONG(list, "a list of %ss without a %s", list->kind->row, list->kind->row);
}

static char *
read_list(const struct kind *kind, const struct bundle_file *file, struct conf_errors *errors)
{
	struct list list = { .kind = kind, .file = file, .errors = errors, .separator = ';',
		.line = 1 };
	const char *text = file->text;
	size_t size = file->size, made_size;
	char *copy, *made = NULL;

	if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		size -= 3;
	}
	if (memchr(text, '\0', size) != NULL || (size >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 ||
		memcmp(text, "\xFE\xFF", 2) == 0))) {
		WRONG(&list, "is no text of 8 bits a character: save it as CSV (UTF-8)");
		return NULL;
	}
	list.windows = !is_utf8(text, size);
	list.line = 0;
	list.to = open_memstream(&made, &made_size);
	copy = mem_zero(size + 1);
	memcpy(copy, text, size);
	take_lines(&list, copy);
	free(copy);
	fclose(list.to);
	for (size_t i = 0; i < list.column_count; i++) {
		for (size_t k = 0; k < list.columns[i].depth; k++)
			free(list.columns[i].parts[k]);
	}
	if (list.wrong > 0) {
		free(made);
		return NULL;
	}
	return made;
}

char *
csv_points(const struct bundle_file *file, struct conf_errors *errors)
{
	return read_list(&registers, file, errors);
}

char *
csv_devices(const struct bundle_file *file, struct conf_errors *errors)
{
	return read_list(&devices, file, errors);
}

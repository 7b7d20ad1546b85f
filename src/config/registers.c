#include "config/registers.h"

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

enum { COLUMNS_MAX = 40, CELL_MAX = 400 };

/* What of a point a list may say. */
static const char *const allowed[] = {
	"name", "pdu", "register", "modicon", "function", "type", "order", "scale", "offset",
	"unit", "text", "kind", "interval", "align", "bit", "length", "mask", "chars", "separate",
	"states", "invalid", "min", "max", "scale_from", "wrap", NULL,
};

struct list {
	const struct bundle_file *file;
	struct conf_errors *errors;
	char separator;
	const struct schema_key *columns[COLUMNS_MAX]; /* NULL: an empty heading */
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

static void
take_header(struct list *list, const char *line)
{
	char cell[CELL_MAX];

	list->separator = strchr(line, ';') != NULL ? ';' : ',';
	while (next_cell(list, &line, cell)) {
		const char *name = trim(cell), *near;
		const struct schema_key *key = NULL;

		for (size_t i = 0; allowed[i] != NULL; i++) {
			if (strcasecmp(allowed[i], name) == 0)
				key = schema_find("point", allowed[i]);
		}
		near = key == NULL && name[0] != '\0' ? str_nearest(name, allowed) : NULL;
		if (list->column_count == COLUMNS_MAX) {
			WRONG(list, "more than %d columns", COLUMNS_MAX);
			return;
		}
		for (size_t i = 0; i < list->column_count && key != NULL; i++) {
			if (list->columns[i] == key)
				WRONG(list, "column \"%s\" stands there twice", name);
		}
		if (key == NULL && name[0] != '\0')
			WRONG(list, near != NULL ? "column \"%s\": unknown (did you mean \"%s\"?)" :
				"column \"%s\": unknown: expected name, pdu, register, modicon, "
				"function, type, order, scale, unit, text, kind, interval and other keys "
				"of a point", name, near);
		list->columns[list->column_count++] = key;
	}
}

/* A comma where people write one; the language wants a point in what is no integer. */
static void
put_number(struct list *list, const struct schema_key *key, const char *cell)
{
	char text[64], *comma;
	size_t marks = 0;
	double number;
	bool fits = str_copy(text, sizeof text, cell);

	for (const char *c = cell; *c != '\0'; c++)
		marks += *c == '.' || *c == ',';
	comma = strchr(text, ',');
	if (comma != NULL)
		*comma = '.';
	if (!fits || marks > 1 || str_double(text, &number, NULL) == -1) {
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

/* "1=up|2=down" */
static void
put_texts(const struct list *list, char *cell)
{
	const char *between = "[ ";
	char *word;

	while ((word = strsep(&cell, "|")) != NULL) {
		fputs(between, list->to);
		put_text(list, trim(word));
		between = ", ";
	}
	fputs(" ]", list->to);
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
put_value(struct list *list, const struct schema_key *key, char *cell)
{
	fprintf(list->to, " %s = ", key->key);
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
		put_texts(list, cell);
		break;
	default:
		put_text(list, cell);
		break;
	}
	fputc(';', list->to);
}

/* False: nothing but separators. */
static bool
take_row(struct list *list, const char *line, bool first)
{
	char cell[CELL_MAX];
	size_t at = 0;

	if (line[strspn(line, " \t;,")] == '\0')
		return false;
	fputs(first ? "{" : ",{", list->to);
	for (; next_cell(list, &line, cell); at++) {
		char *text = trim(cell);

		if (text[0] == '\0')
			continue;
		if (at >= list->column_count || list->columns[at] == NULL)
			WRONG(list, "\"%.40s\" stands in column %zu, which has no heading", text, at + 1);
		else
			put_value(list, list->columns[at], text);
	}
	fputs(" }", list->to);
	return true;
}

/* ---- the list ---- */

static void
take_lines(struct list *list, char *text)
{
	bool first = true;
	char *line;

	fputs("points = (", list->to);
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
		WRONG(list, "a list of registers without a register");
}

char *
registers_points(const struct bundle_file *file, struct conf_errors *errors)
{
	struct list list = { .file = file, .errors = errors, .separator = ';', .line = 1 };
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
	if (list.wrong > 0) {
		free(made);
		return NULL;
	}
	return made;
}

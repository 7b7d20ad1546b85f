#include "base/doc.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

json_t *
doc_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

/* jansson's integers have a sign: a larger one is an object with this one member. No name that a
 * user may give begins like that. */
#define DIGITS "\x01" "digits"

json_t *
doc_whole(uint64_t number)
{
	char digits[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	snprintf(digits, sizeof digits, "%" PRIu64, number);
	return json_pack("{s:s}", DIGITS, digits);
}

json_t *
doc_seconds(int64_t wall)
{
	return json_real((double)(wall / 1000) / 1e6);
}

json_t *
doc_text(const char *text)
{
	json_t *string = json_string(text);
	char *name;

	if (string != NULL)
		return string;
	name = doc_name(text);
	string = json_string(name);
	free(name);
	return string;
}

char *
doc_name(const char *text)
{
	json_t *string = json_string(text);
	char *copy = mem_text(text);

	for (char *c = copy; string == NULL && *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json_decref(string);
	return copy;
}

static void
write_text(const char *text, FILE *to)
{
	putc('"', to);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(to, "\\%c", *c);
		else if ((unsigned char)*c < ' ')
			fprintf(to, "\\u%04x", (unsigned)*c);
		else
			putc(*c, to);
	}
	putc('"', to);
}

static void
write_object(const json_t *object, FILE *to)
{
	const char *name, *comma = "", *digits = json_string_value(json_object_get(object, DIGITS));
	json_t *value;

	if (digits != NULL) {
		fputs(digits, to);
		return;
	}
	putc('{', to);
	json_object_foreach((json_t *)(uintptr_t)object, name, value) {
		fputs(comma, to);
		write_text(name, to);
		putc(':', to);
		doc_write(value, to);
		comma = ",";
	}
	putc('}', to);
}

static void
write_array(const json_t *array, FILE *to)
{
	putc('[', to);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			putc(',', to);
		doc_write(json_array_get(array, i), to);
	}
	putc(']', to);
}

void
doc_write(const json_t *document, FILE *to)
{
	char number[40];

	switch (json_typeof(document)) {
	case JSON_OBJECT:
		write_object(document, to);
		break;
	case JSON_ARRAY:
		write_array(document, to);
		break;
	case JSON_STRING:
		write_text(json_string_value(document), to);
		break;
	case JSON_INTEGER:
		fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(document));
		break;
	case JSON_REAL:
		fputs(str_number(number, sizeof number, json_real_value(document)), to);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		fputs(json_is_true(document) ? "true" : "false", to);
		break;
	case JSON_NULL:
		fputs("null", to);
		break;
	}
}

#include "config/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct conf_error *
find(const struct conf_errors *errors, const char *file, int line, const char *text)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct conf_error *error = &errors->items[i];

		if (error->line == line && strcmp(error->text, text) == 0 &&
			strcmp(error->file, file) == 0)
			return error;
	}
	return NULL;
}

/* A broken file can hold a mistake a line; more than this nobody reads, and the search for
 * repeats would take its time. */
#define ERRORS_MAX 500

void
conf_error(struct conf_errors *errors, const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (errors->count >= ERRORS_MAX || find(errors, file, line, text) != NULL)
		return;
	errors->items = mem_grow(errors->items, errors->count + 1, sizeof *errors->items);
	errors->items[errors->count++] = (struct conf_error){
		.file = mem_text(file), .line = line, .text = mem_text(text),
	};
}

void
conf_report(const struct conf_errors *errors, FILE *to)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct conf_error *error = &errors->items[i];

		if (error->line > 0)
			fprintf(to, "%s:%d: %s\n", error->file, error->line, error->text);
		else
			fprintf(to, "%s: %s\n", error->file, error->text);
	}
	if (errors->count >= ERRORS_MAX)
		fprintf(to, "more than %d mistakes: the rest is not shown\n", ERRORS_MAX);
}

void
conf_errors_free(struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->items[i].file);
		free(errors->items[i].text);
	}
	free(errors->items);
	*errors = (struct conf_errors){ 0 };
}

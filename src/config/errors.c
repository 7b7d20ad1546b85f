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

static size_t
first_of_file(const struct conf_errors *errors, const char *file)
{
	size_t i = 0;

	while (strcmp(errors->items[i].file, file) != 0)
		i++;
	return i;
}

void
conf_errors_sort(struct conf_errors *errors)
{
	size_t *files = mem_array(errors->count, sizeof *files);

	for (size_t i = 0; i < errors->count; i++)
		files[i] = first_of_file(errors, errors->items[i].file);
	/* Few, and what stands at one line keeps its order. */
	for (size_t i = 1; i < errors->count; i++) {
		struct conf_error item = errors->items[i];
		size_t file = files[i], k = i;

		for (; k > 0 && (files[k - 1] > file || (files[k - 1] == file &&
			errors->items[k - 1].line > item.line)); k--) {
			errors->items[k] = errors->items[k - 1];
			files[k] = files[k - 1];
		}
		errors->items[k] = item;
		files[k] = file;
	}
	free(files);
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

#include "config/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct conf_error *
find(const struct conf_error *items, size_t count, const char *file, int line, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (items[i].line == line && strcmp(items[i].text, text) == 0 &&
			strcmp(items[i].file, file) == 0)
			return &items[i];
	}
	return NULL;
}

/* A broken file can hold a mistake a line; more than this nobody reads, and the search for
 * repeats would take its time. */
#define ERRORS_MAX 500

static void
add(struct conf_error **items, size_t *count, const char *file, int line, const char *format,
	va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof text, format, args);
	if (*count >= ERRORS_MAX || find(*items, *count, file, line, text) != NULL)
		return;
	*items = mem_grow(*items, *count + 1, sizeof **items);
	(*items)[(*count)++] = (struct conf_error){
		.file = mem_text(file), .line = line, .text = mem_text(text),
	};
}

void
conf_error(struct conf_errors *errors, const char *file, int line, const char *format, ...)
{
	va_list args;

	errors->told++;
	va_start(args, format);
	add(&errors->items, &errors->count, file, line, format, args);
	va_end(args);
}

void
conf_warning(struct conf_errors *errors, const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(&errors->warnings, &errors->warning_count, file, line, format, args);
	va_end(args);
}

static size_t
first_of_file(const struct conf_error *items, const char *file)
{
	size_t i = 0;

	while (strcmp(items[i].file, file) != 0)
		i++;
	return i;
}

/* Few, and what stands at one line keeps its order. */
static void
sort(struct conf_error *items, size_t count)
{
	size_t *files = mem_array(count, sizeof *files);

	for (size_t i = 0; i < count; i++)
		files[i] = first_of_file(items, items[i].file);
	for (size_t i = 1; i < count; i++) {
		struct conf_error item = items[i];
		size_t file = files[i], k = i;

		for (; k > 0 && (files[k - 1] > file || (files[k - 1] == file &&
			items[k - 1].line > item.line)); k--) {
			items[k] = items[k - 1];
			files[k] = files[k - 1];
		}
		items[k] = item;
		files[k] = file;
	}
	free(files);
}

void
conf_errors_sort(struct conf_errors *errors)
{
	sort(errors->items, errors->count);
	sort(errors->warnings, errors->warning_count);
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
conf_report_warnings(const struct conf_errors *errors, FILE *to)
{
	for (size_t i = 0; i < errors->warning_count; i++) {
		const struct conf_error *warning = &errors->warnings[i];

		fprintf(to, "%s:%d: warning: %s\n", warning->file, warning->line, warning->text);
	}
}

static void
free_items(struct conf_error *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(items[i].file);
		free(items[i].text);
	}
	free(items);
}

void
conf_errors_free(struct conf_errors *errors)
{
	free_items(errors->items, errors->count);
	free_items(errors->warnings, errors->warning_count);
	*errors = (struct conf_errors){ 0 };
}

/* errors.h - everything that is wrong with a configuration, collected in one run, and what
 * would work but not as its owner may think.
 *
 * Warnings stand apart: nothing is refused for one. Zeroed memory is an empty list. Texts are what the user reads behind "file:line: ". */
#ifndef PW_ERRORS_H
#define PW_ERRORS_H

#include <stddef.h>
#include <stdio.h>

struct conf_error {
	char *file;
	int line; /* 0: the file as a whole */
	char *text;
};
struct conf_errors {
	struct conf_error *items;
	size_t count;
	size_t told; /* with those that had been added already */
	struct conf_error *warnings;
	size_t warning_count;
};

/* Adds one; the very same text at the same place is added once. Never a secret. */
void conf_error(struct conf_errors *errors, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void conf_warning(struct conf_errors *errors, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* By line within each file; files stay in the order in which they were first told of. */
void conf_errors_sort(struct conf_errors *errors);
/* One line each: "file:line: text", or "file: text" without a line. */
void conf_report(const struct conf_errors *errors, FILE *to);
/* The same of the warnings, as "file:line: warning: text". */
void conf_report_warnings(const struct conf_errors *errors, FILE *to);
void conf_errors_free(struct conf_errors *errors); /* what is in it */
#endif

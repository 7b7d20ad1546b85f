/* source.h - looks at the text of a configuration file before and after libconfig does.
 *
 * libconfig wraps big integers silently, joins "a" "b" into "ab" where a comma was forgotten,
 * opens files at @include, and says no more than "syntax error". Pure: text in, errors out. */
#ifndef PW_SOURCE_H
#define PW_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
struct conf_errors;

struct source_fault {
	int line; /* 0: nothing found */
	char text[256];
};

/* Reports what libconfig would take wrongly. fault gets the first place where the text is
 * not libconfig's language, in words; the caller shows it when libconfig refuses the text.
 * Returns false when the text must not be given to libconfig at all. size is that of the
 * file: a NUL byte in it is an error. */
bool source_check(const char *path, const char *text, size_t size,
	struct conf_errors *errors, struct source_fault *fault);
#endif

/* source.h - looks at the text of a configuration file before and after libconfig does.
 *
 * libconfig wraps big integers silently, joins "a" "b" into "ab" where a comma was forgotten,
 * opens files at @include, and says no more than "syntax error". Pure: text in, errors out. */
#ifndef PW_SOURCE_H
#define PW_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
struct conf_errors;

/* Reports what libconfig would refuse, in better words, and what it would take wrongly.
 * Returns false when the text must not be given to libconfig. size is that of the file: a
 * NUL byte in it is an error. */
bool source_check(const char *path, const char *text, size_t size, struct conf_errors *errors);
#endif

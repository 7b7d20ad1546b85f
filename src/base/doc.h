/* doc.h - JSON documents as users read them: the one place that decides how a number, a
 * moment and a text are written.
 *
 * Owns nothing. Reading JSON is jansson's. */
#ifndef PW_DOC_H
#define PW_DOC_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* null where there is no finite number: an unknown value is never 0. */
json_t *doc_number(double value);
/* All of its digits; only doc_write takes what is above INT64_MAX. */
json_t *doc_whole(uint64_t number);
/* Unix seconds of wall nanoseconds, to the microsecond: what a double can hold. */
json_t *doc_seconds(int64_t wall);
/* Texts come from devices and configurations: what is no UTF-8 becomes '?'. */
json_t *doc_text(const char *text);
/* The same with which to name a member: a copy, free it. */
char *doc_name(const char *text);

/* Compact, on one line, without a newline. A number is the shortest text that reads back as
 * the same double: 0.1, not 0.10000000000000001; 5, not 5.0. */
void doc_write(const json_t *document, FILE *to);
#endif

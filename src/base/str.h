/* str.h - text in, numbers out, and back; independent of the locale.
 *
 * Parsers take the whole text or fail: "10s " and "1,5" are errors, not 10 and 1. */
#ifndef PW_STR_H
#define PW_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;

/* Copies at most size - 1 bytes and always ends in NUL. Returns false when text was cut. */
bool str_copy(char *to, size_t size, const char *text);

/* Durations "500ms", "10s", "5m", "24h", "30d" to nanoseconds; sizes "256M" (1024-based,
 * K M G) to bytes; decimal or 0x integers; floats with a point. -1 and why on anything else. */
int str_duration(const char *text, int64_t *ns, struct fail *why);
int str_size(const char *text, int64_t *bytes, struct fail *why);
int str_int(const char *text, int64_t *value, struct fail *why);
int str_uint(const char *text, uint64_t *value, struct fail *why);
int str_double(const char *text, double *value, struct fail *why);

/* Shortest decimal that reads back as the same double ("0.1", "1e+20", "nan"); whole numbers
 * below 1e15 in full ("65000"). */
const char *str_number(char *to, size_t size, double value);
/* "2s", "500ms", "1h30m"; for messages. */
const char *str_time_span(char *to, size_t size, int64_t ns);
/* RFC 3339 UTC with milliseconds, "2026-11-22T01:02:03.004Z". */
const char *str_utc(char *to, size_t size, int64_t wall_ns);

/* Globs over point paths: '*' any run, also across '/'; '?' one character; everything
 * else, '[' and ']' too, stands for itself. */
bool str_glob(const char *glob, const char *text);
bool str_is_glob(const char *text);

/* Names of devices, points, tables, thresholds, paths: [A-Za-z0-9._-]{1,40}, not "." and "..". */
bool str_is_name(const char *text);

/* Percent-encodes what is unsafe in a file name: all but [A-Za-z0-9._-], a leading dot,
 * and '%'. The inverse is exact. */
const char *str_file_name(char *to, size_t size, const char *text);

/* For "did you mean": the nearest of a NULL-ended list, or NULL if none is close. */
const char *str_nearest(const char *word, const char *const *list);

/* Stable 64-bit hash (FNV-1a with a final mix): the same on every machine and build. */
uint64_t str_hash(const void *data, size_t size);
uint32_t str_crc32c(uint32_t crc, const void *data, size_t size); /* start with 0 */
/* The same without the processor's instruction for it. */
uint32_t str_crc32c_portable(uint32_t crc, const void *data, size_t size);
#endif

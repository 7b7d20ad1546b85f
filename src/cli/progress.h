/* progress.h - how far a long command has come: a bar on a terminal, else a line every ten
 * seconds. On stderr. */
#ifndef PW_PROGRESS_H
#define PW_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;    /* "backup" */
	const char *noun;    /* "files"; the caller may change it */
	bool terminal;
	int64_t began, next; /* mono ns: of the first step, and when to show the next */
};

void progress_begin(struct progress *progress, const char *what);
/* As often as one likes. all 0: not known; bytes and all_bytes 0: no such thing. */
void progress_step(struct progress *progress, uint64_t files, uint64_t all_files,
	int64_t bytes, int64_t all_bytes);
/* The same for what is not files: share 0 to 1, and the words behind it. */
void progress_show(struct progress *progress, double share, const char *text);
/* Clears the bar, before any other line is printed. */
void progress_clear(const struct progress *progress);
double progress_seconds(const struct progress *progress); /* since the beginning */
#endif

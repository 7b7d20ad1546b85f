/* reader.h - reads the journal: the poller once at its start, the store all the time.
 *
 * Opens nothing for writing. Frames come in order over all segments; a damaged or half
 * frame at the end of a segment that has a successor is skipped with what follows in that
 * segment (it was never committed); at the end of the newest segment it is "not yet".
 * A record that stands in two segments (the disk refused to take the first copy back) comes
 * once: sequences only grow within one pass. */
#ifndef PW_READER_H
#define PW_READER_H

#include <stddef.h>
#include <stdint.h>
#include "journal/record.h"
struct fail;
struct reader;

struct reader_position {
	uint64_t segment;
	uint64_t offset;
};

/* Starts at the position, or at the oldest later segment when segment is 0 or gone. A
 * journal that does not exist yet is an empty one. */
struct reader *reader_open(const char *state_dir, const struct reader_position *from, struct fail *why);
void reader_close(struct reader *reader);
/* 1 a record (valid until the next call), 0 nothing more for now, -1 and why on an I/O error. */
int reader_next(struct reader *reader, struct record *record, struct fail *why);
/* Behind the record last returned. */
struct reader_position reader_at(const struct reader *reader);

/* The newest segment with a complete snapshot, where a starting poller begins to replay:
 * 0 when there is none. */
uint64_t reader_newest_snapshot(const char *state_dir, struct fail *why);
/* The same when that of `known` is known to have one, so that it is not read again. */
uint64_t reader_newer_snapshot(const char *state_dir, uint64_t known, struct fail *why);
/* Lists segment numbers in order into a malloc'ed array; count. */
size_t reader_segments(const char *state_dir, uint64_t **numbers);
/* The oldest segment of those, counted from the newest, that hold that many bytes together at
 * most; the newest one in any case. 0 when there are none. */
uint64_t reader_oldest_within(const char *state_dir, uint64_t bytes);
/* Deletes segments before `keep` (by the store, after its checkpoint), once `keep` itself
 * is surely on disk; else nothing. */
void reader_drop_before(const char *state_dir, uint64_t keep);
#endif

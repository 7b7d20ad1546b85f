/* runlog.h - closed runs on disk in the order in which they were closed.
 *
 * STATE_DIR/ledger/runs-%016llx, the number being that of its first run: each run that is ever
 * closed has the next number, from 1. Little-endian: a head of 48 bytes,
 *   "PWRUNS02", u64 first number, i64 wall ns of its making, u32 zero, u32 crc32c of those 28,
 *   u64 end: the runs with numbers below it are synced, u32 crc32c of those 8, u32 zero,
 * and then 24 bytes a run as in ledger.h. `end` is written after the sync, so it is never too
 * high; it may be lost. A file is begun each day. `runs`, as pollwerk 0.1 wrote it, has no
 * head and begins with number 1. */
#ifndef PW_RUNLOG_H
#define PW_RUNLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/ledger.h"
struct fail;

struct runlog_file {
	uint64_t first, end; /* numbers of the runs in it, end behind the last whole one */
	uint64_t synced;     /* behind the last one known to be synced */
	int64_t made;        /* wall ns; 0 for `runs` */
	bool headless;       /* `runs` */
};

/* In order; free() it. Files whose head is damaged are left out and counted. 0 with an errno that is
 * not 0: what there is cannot be told just now. */
size_t runlog_list(const char *state_dir, struct runlog_file **files, uint64_t *damaged);
/* Calls for each run with a number in from..end-1 that is in the file; damaged ones are
 * counted. -1 and why; errno ENOENT when the file has gone. */
int runlog_read(const char *state_dir, const struct runlog_file *file, uint64_t from, uint64_t end,
	void (*take)(void *arg, const struct ledger_run *run, uint64_t number), void *arg,
	uint64_t *damaged, struct fail *why);
int runlog_remove(const char *state_dir, const struct runlog_file *file); /* -1 and errno */
/* From the next runlog_open on no number below `next` is given: STATE_DIR/ledger/next, as a
 * text, not synced. For a restored state: who read the lost one went beyond its numbers. */
int runlog_raise(const char *state_dir, uint64_t next, struct fail *why);

/* ---- the store's side: the file that grows ---- */
struct runlog;
/* Deletes files that the power left without their whole head as they were begun: nothing was
 * synced in them yet. Those that begin below `end`, which a checkpoint knew, stay and are
 * damaged. */
void runlog_sweep(const char *state_dir, uint64_t end);
/* Keeps runs below `end`, and those behind it up to the first that is not whole; files that
 * begin later than that go. `next`: no number below it is given again. */
struct runlog *runlog_open(const char *state_dir, uint64_t end, uint64_t next, struct fail *why);
void runlog_close(struct runlog *log);
uint64_t runlog_next(const struct runlog *log); /* number of the next run */
/* The file that grows, NULL when none does. */
const struct runlog_file *runlog_current(const struct runlog *log);
/* The next run begins a new file. */
void runlog_rotate(struct runlog *log);
/* Appends and syncs; wall is the time of making if a file is begun. On -1 nothing is
 * appended. */
int runlog_append(struct runlog *log, const struct ledger_run *runs, size_t count, int64_t wall,
	struct fail *why);
#endif

/* writer.h - appends to the journal: the poller's side of the queue.
 *
 * Records gather in memory; a worker writes them in one piece and calls fdatasync. Only then
 * are they committed, and `committed` is told. Nothing here ever blocks the loop. Half of the
 * commit interval is for gathering, the other half for the sync, and a batch that has waited
 * for another one's sync goes at once: a power cut loses one interval of records as long as
 * the disk syncs within half of it, and two syncs where it does not. Zeros stand on disk where
 * frames will be (reserve.h), so that this sync is one of data only and waits for no one else's
 * files. When half of a segment is full a second worker makes the next one ready, as a whole and
 * under its name; in the first one of a process that is done in pieces.
 *
 * A disk that others fill is no matter until the reserve (reserve.h) is used up. When the disk
 * refuses, the batch stays in memory and is tried again each second; transitions, for which
 * notices wait, are committed aside meanwhile (aside.h). Where it refuses only new entries of the
 * catalogue, only what names those waits (held.h), in a quarter of the memory. What memory_budget does not hold any
 * more is noted and recorded as store-full later (overflow.h): polling goes on. */
#ifndef PW_WRITER_H
#define PW_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include "journal/record.h"
struct fail;
struct feed_listener;
struct loop;
struct sample;
struct sample_batch;
struct sample_run;
struct writer;

struct writer_options {
	const char *state_dir;
	const char *run_dir;     /* for transitions when STATE_DIR cannot be written; may be NULL */
	int64_t commit_interval; /* ns until a record is durable; 0 = 100 ms */
	size_t segment_size;     /* bytes; 0 = 16 MiB. Grows to 8 times the snapshot */
	size_t memory_budget;    /* bytes of records held while the disk refuses; 0 = 256 MiB */
	uint64_t size_budget;    /* bytes of all segments, 0 = any: then as if the disk were full */
	unsigned reserve;        /* segments that stand ready, beside the next one; 0: not even that */
	int64_t look_interval;   /* ns between looks at the room that is left; 0 = none */
};
/* For store.journal_size: segments of 1/256 of it, 256 KiB to 16 MiB, and of them four in
 * reserve, which count in it like the others. */
void writer_size(struct writer_options *options, uint64_t journal_size);
struct writer_events {
	/* Puts the rooms' facts at the head of a new segment, through writer_* calls. */
	void (*snapshot)(struct writer *writer, void *arg);
	/* Everything up to and including this sequence is on disk; while the disk refuses, every
	 * transition (KIND_ALARM, KIND_NOTIFIED) up to it is. */
	void (*committed)(uint64_t sequence, void *arg);
	/* The disk refuses, or only new entries of the catalogue, or it is full and the reserve is
	 * in use (why); or all is well (NULL). Told when it changes from one of these to another. */
	void (*health)(const char *why, void *arg);
	/* Called in the worker before each batch is written: series_sync. 0 or -1 and why. */
	int (*before_write)(void *arg, struct fail *why);
	/* In the worker after that has failed: records may name series up to this id all the same;
	 * what names others waits in memory (held.h). NULL or 0: all records wait. */
	uint32_t (*known)(void *arg);
	void *arg;
};

/* Opens a new segment behind the newest one that exists; next_sequence comes from the
 * reader's replay (1 for an empty journal). Makes STATE_DIR/journal when it is missing.
 * snapshot() is called once inside this call, so the rooms have replayed before; later
 * snapshots come at a commit, between two slots. The disk is touched by the worker only:
 * one that refuses from the start is told by health(). */
struct writer *writer_open(struct loop *loop, const struct writer_options *options,
	const struct writer_events *events, uint64_t next_sequence, struct fail *why);
/* Writes and syncs what is there (this one call blocks), then closes; committed() is still
 * told. False when something could not be written. */
bool writer_close(struct writer *writer);
/* For tests: ends as kill -9 would, what was not committed is gone. */
void writer_abandon(struct writer *writer);

/* Records of so many octets come next, as in a snapshot: room for them is made once. */
void writer_expect(struct writer *writer, size_t size);
/* Returns the record's sequence number, or 0 when the memory budget is used up. */
uint64_t writer_record(struct writer *writer, enum record_kind kind, const void *body, size_t size);
/* Consecutive samples of one slot and step share one frame until writer_flush, another
 * slot or another record: what a task learned is committed as a whole or not at all. 0: there
 * is no room, the slots are noted as store-full; or the series has to wait. */
uint64_t writer_sample(struct writer *writer, const struct sample *sample);
/* All of them, or one by one where there is hardly room. */
uint64_t writer_batch(struct writer *writer, const struct sample_batch *batch);
uint64_t writer_run(struct writer *writer, const struct sample_run *run);
void writer_flush(struct writer *writer);
/* The hook for the feed: the four above. */
struct feed_listener writer_listener(struct writer *writer);

bool writer_full(const struct writer *writer); /* the next sample becomes store-full */
uint64_t writer_overflow(const struct writer *writer); /* slots that became store-full so far */
size_t writer_reserved(const struct writer *writer);   /* bytes in spare segments */
uint64_t writer_last_sequence(const struct writer *writer);
uint64_t writer_committed(const struct writer *writer);
uint64_t writer_segment(const struct writer *writer); /* number of the current one */
#endif

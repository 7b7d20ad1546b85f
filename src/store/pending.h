/* pending.h - values that are in the journal but not yet in their RRD file, by file and slot.
 *
 * Memory only: keeper.c reads the journal into it and writes files from it. A row stands
 * only for a slot in which at least one data source has a value; a closed slot without a row
 * is unknown in all of them, and so is every slot between the file's last one and the next
 * row. So lost slots cost no memory, and need no replay.
 *
 * Rows are packed (packed.h) as soon as they have all their values, or when others have come
 * in between: some 40 octets for ten rates, in place of 140. */
#ifndef PW_PENDING_H
#define PW_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>
#include "journal/reader.h"
#include "store/rrd.h"
#include "store/slab.h"
struct fail;
struct pending_open;
struct series;

struct pending_ds {
	char name[RRD_DS_NAME];
	uint32_t series;
};

struct pending_row {
	int64_t slot;
	uint64_t segment;     /* of the journal, with its first value or before it */
	size_t width;
	const double *values; /* by data source; NaN unknown */
};

/* Packed rows of one file, by slot. Each says how far it is from its former one, the first
 * from these two. */
struct pending_packed {
	struct slab_queue octets;
	int64_t slot_before, last_slot;
	uint64_t segment_before, last_segment;
};

/* What each row needs comes first and stands together. */
struct pending_file {
	int64_t step;  /* ns */
	int64_t *last; /* by data source: closed up to here; INT64_MIN: no slot of the file was */
	size_t ds_count;
	struct pending_packed packed;
	struct pending_open *growing; /* the newest row, not yet packed, or NULL */
	size_t row_count;
	int64_t received; /* of the last row's first value, wall ns */
	int64_t newest;  /* highest slot closed in any data source */
	int64_t written; /* last slot in the file, when open */
	bool open;       /* the file is there, has our shape, and `written` is right */
	bool touched;    /* something was closed since the last write */
	bool quarantined;
	bool has_turn;   /* turns.h */
	bool missing;    /* waits to be made, in line before `next_missing` */
	bool in_order;   /* its data sources stood as ours do when last looked at */
	int64_t due;     /* mono; not changed while it has a turn */
	uint64_t kept;   /* undo_keep's: its head is noted up to there; 0 never */
	struct pending_ds *ds;
	char *name;    /* below RRD_DIR */
	char *profile;
	struct pending_file *next_missing;
	uint64_t age; /* with rows: the segment of the first one, and others of that age */
	struct pending_file *age_before, *age_next;
	uint64_t inode;  /* of the file whose head was noted */
	int64_t retry_at, waits_since; /* mono; 0 when it does not wait for somebody's lock */
	UT_hash_handle hh;
};

struct pending;
struct pending *pending_new(void);
void pending_free(struct pending *pending);

/* Each series with a file, once, before its first sample. -1 and why when another series of
 * the same file has another step: this one is then not stored. */
int pending_register(struct pending *pending, const struct series *series, struct fail *why);
bool pending_knows(const struct pending *pending, uint32_t series);
/* Does it have a file, which is quarantined? */
bool pending_is_quarantined(const struct pending *pending, uint32_t series);

/* A value's way here: wall ns when it was received (0 not known; only the size of a row
 * depends on it) and the journal's segment. */
struct pending_origin {
	int64_t received;
	uint64_t segment;
};
/* Slots up to `last` of a series are closed; value is that of `last`, NaN when it has none.
 * Slots that are in the file already are ignored. The file, or NULL for a series without. */
struct pending_file *pending_close(struct pending *pending, uint32_t series, int64_t last,
	double value, struct pending_origin origin);
/* Samples of one record in their order, from *done on, each as by pending_close; *done moves
 * behind them. Stops behind one of a file that is neither touched nor quarantined, which it
 * returns; with NULL before one whose series is not known, or at the end. */
struct record_sample;
/* Asks for the memory of these, to be called before (base/ahead). */
void pending_ahead(const struct pending *pending, const struct record_sample *samples, size_t count);
struct pending_file *pending_close_samples(struct pending *pending,
	const struct record_sample *samples, size_t count, uint64_t segment, size_t *done);

/* The slot up to which all data sources that still move are closed: rows up to there are
 * whole. INT64_MIN when there is none. A data source that is more than three slots behind is not
 * waited for: its point has been taken away. One of which nothing was heard since the start is
 * taken to be as far as the file's first slot since then. */
int64_t pending_complete(const struct pending_file *file);
/* The rows of a file by slot; what next gives is valid until the next call of any kind. */
struct pending_walk {
	struct slab_place place;
	int64_t slot;
	uint64_t segment;
	size_t left;
};
struct pending_walk pending_walk(struct pending *pending, struct pending_file *file);
/* False behind the last one. */
bool pending_next(struct pending *pending, const struct pending_file *file,
	struct pending_walk *walk, struct pending_row *row);
/* Slot of the first row; INT64_MAX without rows. */
int64_t pending_first(struct pending *pending, struct pending_file *file);
/* Slot of the last row that stands in a segment before that one; INT64_MIN: none does. */
int64_t pending_beyond(struct pending *pending, struct pending_file *file, uint64_t segment);
/* Frees the rows up to that slot. */
void pending_forget(struct pending *pending, struct pending_file *file, int64_t upto);

struct pending_file *pending_find(struct pending *pending, const char *name);
struct pending_file *pending_files(struct pending *pending); /* first; next by hh.next */
size_t pending_count_files(const struct pending *pending);
uint64_t pending_count_rows(const struct pending *pending);
size_t pending_bytes(const struct pending *pending);
/* One of the files whose first row stands in a segment before that one; NULL: there are none. */
struct pending_file *pending_older(struct pending *pending, uint64_t segment);
/* Before the oldest row of all (the beginning of its segment), or `none` without rows. */
struct reader_position pending_oldest(struct pending *pending, struct reader_position none);
#endif

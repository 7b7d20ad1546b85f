/* pending.h - values that are in the journal but not yet in their RRD file, by file and slot.
 *
 * Memory only: keeper.c reads the journal into it and writes files from it. A row stands
 * only for a slot in which at least one data source has a value; a closed slot without a row
 * is unknown in all of them, and so is every slot between the file's last one and the next
 * row. So lost slots cost no memory, and need no replay. */
#ifndef PW_PENDING_H
#define PW_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>
#include "journal/reader.h"
#include "store/rrd.h"
struct fail;
struct series;

struct pending_ds {
	char name[RRD_DS_NAME];
	uint32_t series;
	bool seen;    /* some slot was closed */
	int64_t last; /* closed up to here */
	bool in_file;
};

struct pending_row {
	int64_t slot;
	struct reader_position at; /* before the record with its first value */
	size_t width;
	double values[]; /* by data source; NaN unknown */
};

struct pending_file {
	char *name;    /* below RRD_DIR */
	char *profile;
	int64_t step;  /* ns */
	struct pending_ds *ds;
	size_t ds_count;
	struct pending_row **rows; /* by slot */
	size_t row_count, row_room;
	int64_t newest;  /* highest slot closed in any data source */
	bool touched;    /* something was closed since the last write */
	int64_t due;     /* mono; when touched */
	bool open;       /* the file is there, has our shape, and `written` is right */
	int64_t written; /* last slot in the file, when open */
	uint64_t kept;   /* undo_keep's: its head is noted up to there; 0 never */
	bool quarantined;
	uint64_t inode;  /* when quarantined: of the file that is left alone */
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

/* Slots up to `last` of a series are closed; value is that of `last`, NaN when it has none.
 * Slots that are in the file already are ignored. The file, or NULL for a series without. */
struct pending_file *pending_close(struct pending *pending, uint32_t series, int64_t last,
	double value, struct reader_position at);

/* The slot up to which all data sources that still move are closed: rows up to there are
 * whole. INT64_MIN when there is none. A data source that is three slots behind is not
 * waited for: its point has been taken away. */
int64_t pending_complete(const struct pending_file *file);
/* Frees the rows up to that slot. */
void pending_forget(struct pending *pending, struct pending_file *file, int64_t upto);

struct pending_file *pending_find(struct pending *pending, const char *name);
struct pending_file *pending_files(struct pending *pending); /* first; next by hh.next */
size_t pending_count_files(const struct pending *pending);
uint64_t pending_count_rows(const struct pending *pending);
size_t pending_bytes(const struct pending *pending);
/* Position of the oldest row of all, or `none` when there are no rows. */
struct reader_position pending_oldest(struct pending *pending, struct reader_position none);
#endif

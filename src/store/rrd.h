/* rrd.h - the one place that writes RRD files, by librrd or as it does. A file at a time, one
 * thread, one writing process: librrd's lock is per process and its mapping can kill it.
 *
 * Every DS is GAUGE, heartbeat one step, no bounds. Times in seconds, whole steps. */
#ifndef PW_RRD_H
#define PW_RRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/layout.h"
struct fail;

enum rrd_result {
	RRD_DONE,
	RRD_MISSING, /* there is no such file */
	RRD_LATER,   /* locked by somebody else, no permission, no space, an error of the disk:
	                try this file again */
	RRD_REFUSED, /* the whole folder: missing, read-only, its disk fails */
	RRD_BAD,     /* the file is none of ours: damaged, or no RRD at all */
};

#define RRD_DS_NAME 20
struct rrd_shape {
	int64_t step, last; /* seconds; time of the last update */
	size_t ds_count;
	char (*ds)[RRD_DS_NAME]; /* free() it */
	int rra_count;           /* more than LAYOUT_RRAS: the first of them are in rra */
	struct layout_rra rra[LAYOUT_RRAS];
};

/* path = root + "/" + file; root is what "the whole folder" means. why names the file. */
struct rrd_place {
	const char *root, *file;
};

enum rrd_result rrd_file_shape(struct rrd_place place, struct rrd_shape *shape, struct fail *why);
/* The folders between root and file, durably; -1 and why. */
int rrd_make_folders(struct rrd_place place, struct fail *why);
/* Makes folders and the file, durably: file and folders are synced, the file before it has
 * its name, so that after a power cut it is whole or not there. first is the time of
 * the first row to come. An existing file is never replaced. */
enum rrd_result rrd_file_create(struct rrd_place place, const struct layout *layout,
	int64_t first, const char *const *ds, size_t ds_count, struct fail *why);
/* A new DS, unknown up to now. The file is a new one after that, replaced when it is synced. */
enum rrd_result rrd_file_add(struct rrd_place place, const char *ds, int64_t step, struct fail *why);
/* rows are librrd's "TIME:VALUE:U:.."; names "DS:DS:..", or NULL: all, in the file's order,
 * which saves librrd from looking them up. Of a call that fails any number of
 * the first rows may be in the file: look at its shape. */
enum rrd_result rrd_file_update(struct rrd_place place, const char *names,
	const char *const *rows, size_t count, struct fail *why);
/* fdatasync. */
enum rrd_result rrd_file_sync(struct rrd_place place, struct fail *why);

/* All of a file that is not rows: shape, last update, consolidation under way, row pointers. */
struct rrd_head {
	uint64_t inode;
	uint8_t *bytes; /* free() it */
	size_t size;
	uint64_t file_size;
	bool has_holes; /* rrd_file_fill has something to do */
};
/* Opens a file for rrd_file_append, tells its head, and asks the disk for what so many more rows
 * will change of it. -1 and why: it cannot be written, or has no head; head is as it was. */
int rrd_file_ready(struct rrd_place place, size_t rows, struct rrd_head *head, struct fail *why);
/* As rrd_file_update for rows of which none is left out, without librrd (append.h). fd is what
 * rrd_file_ready gave for the file that bears that name now, and is closed, or -1. *done false: nothing
 * was done, the rows are for rrd_file_update. A call that failed may have written a part of
 * rows and head: before->bytes is not NULL then, and the head to be put back (undo_let_wait). */
struct append;
struct append_rows;
enum rrd_result rrd_file_append(struct rrd_place place, struct append *append,
	const struct append_rows *rows, int fd, bool *done, struct rrd_head *before,
	struct fail *why);

/* Of the file that bears that name now; 0: there is none, or the disk does not tell. */
uint64_t rrd_file_inode(struct rrd_place place);
int rrd_file_head(struct rrd_place place, struct rrd_head *head, struct fail *why); /* -1 */
int64_t rrd_head_step(const struct rrd_head *head); /* seconds */
int64_t rrd_head_last(const struct rrd_head *head); /* seconds; time of the last update */
/* Name of its data source number i, NULL behind the last one. */
const char *rrd_head_ds(const struct rrd_head *head, size_t i);
/* May values be written into that data source (which need not be there)? -1 and why, with the way
 * out: it takes other values than a GAUGE, or would make all of them unknown; or an archive of
 * the file has rows that depend on more than the slots (Holt-Winters), so that written once
 * more after a crash they come out otherwise. */
int rrd_head_takes(struct rrd_place place, const struct rrd_head *head, const char *ds,
	struct fail *why);
/* May they into all that there are? Faster than to ask for each. */
bool rrd_head_takes_all(const struct rrd_head *head);
/* Puts a head back. RRD_MISSING: the file is gone, or is not that one, of that shape, or is
 * older than the head. RRD_LATER, RRD_REFUSED and why: the disk does not let us. */
enum rrd_result rrd_file_restore(struct rrd_place place, const struct rrd_head *head,
	struct fail *why);

/* A page of librrd's mapping for which the disk has no room kills the process; here that is
 * found out before: RRD_LATER. Holes are filled; a file without them costs one stat. */
enum rrd_result rrd_file_fill(struct rrd_place place, struct fail *why);
/* The same after a process died in the file: reads it from end to end and syncs it, so that
 * an error of the disk is an error here and not a signal there. */
enum rrd_result rrd_file_probe(struct rrd_place place, struct fail *why);

/* Removes what a killed rrd_file_create or _add left in the folder of that file. Either does
 * it by itself as well, before it begins. */
void rrd_file_sweep(struct rrd_place place);
#endif

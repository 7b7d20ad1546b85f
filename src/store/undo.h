/* undo.h - takes RRD files back to the last checkpoint, so that replay writes each row once.
 *
 * librrd works in a shared mapping: row pointers and consolidation move with every row, the
 * time of the last update at the end of the call. A process killed in between leaves a file
 * whose replay lands one or more rows too far; after a power cut any page may be the older
 * one. So before the first update of a file after a checkpoint its head (all that is not
 * rows) goes into STATE_DIR/undo and is synced. At the start the heads are put back; the
 * journal from the checkpoint on then writes the same rows into the same places.
 *
 * An entry belongs to one checkpoint (its generation) and to one inode; others are ignored.
 * Entry: u32 size of the rest, u32 crc32c over the rest, u64 generation, u64 inode, u32
 * length of the name, name, head. Little-endian. */
#ifndef PW_UNDO_H
#define PW_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct undo;

/* Puts back what belongs to that generation: *restored files, the first UNDO_SYNCED of them
 * synced. When all are, undo_begin with the same generation begins the log anew. */
#define UNDO_SYNCED 64
struct undo *undo_open(const char *state_dir, const char *rrd_dir, uint64_t generation,
	size_t *restored, struct fail *why);
void undo_close(struct undo *undo);
/* Notes the head of a file as it is now; durable after undo_sync. -1 and why. */
int undo_keep(struct undo *undo, const char *file, struct fail *why);
int undo_sync(struct undo *undo, struct fail *why); /* nothing to do when nothing is new */
/* A checkpoint of that generation is on disk: all entries are void. */
void undo_begin(struct undo *undo, uint64_t generation);
#endif

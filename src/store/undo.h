/* undo.h - takes RRD files back to the last checkpoint, so that replay writes each row once.
 *
 * librrd works in a shared mapping: row pointers and consolidation move with every row, the
 * time of the last update at the end of the call. A process killed in between leaves a file
 * whose replay lands one or more rows too far; after a power cut any page may be the older
 * one. So before the first update of a file after a checkpoint its head (all that is not
 * rows) goes into STATE_DIR/undo.N and is synced. At the start the heads are put back; the
 * journal from the checkpoint on then writes the same rows into the same places.
 *
 * An entry belongs to one checkpoint (its generation) and to one inode; others are ignored.
 * There are two logs, N = generation modulo 2: while files are synced for the next
 * checkpoint, rows go on being written. What is written then is newer than both, so its head
 * is noted for both: whichever of them is on disk after a crash finds its own.
 *
 * Entry: u32 size of the rest with its highest bit set, u32 crc32c over the rest, u64
 * generation, u64 inode, u32 length of the name, name, u32 size of the head, a bit for each of
 * its words of 8 octets that is not 0 (filled up to an octet), those words, what is less than
 * a word. Little-endian. In an entry without the highest bit, of a former store, the head itself
 * follows the name. */
#ifndef PW_UNDO_H
#define PW_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/rrd.h"
struct fail;
struct undo;

/* Puts back what belongs to that generation: *restored files, the first UNDO_SYNCED of them
 * synced. What the disk does not let us put back waits. When all were, undo_done. */
#define UNDO_SYNCED 64
struct undo *undo_open(const char *state_dir, const char *rrd_dir, uint64_t generation,
	size_t *restored, struct fail *why);
void undo_close(struct undo *undo);
/* All that was put back is synced: unless something waits, the log begins anew. */
void undo_done(struct undo *undo);

/* Puts back the head of a file that waits, and syncs it: to be called before the file is
 * read or written. RRD_DONE as well when it does not wait; else it waits on. */
enum rrd_result undo_late(struct undo *undo, const char *file, struct fail *why);
/* A head that is to be put back likewise: of a file in which a write failed halfway. */
void undo_let_wait(struct undo *undo, const char *file, const struct rrd_head *head);
/* The name of a file that still waits; NULL: none. */
const char *undo_waiting(const struct undo *undo);
/* It will not be put back: the file is left alone for good. */
void undo_forget(struct undo *undo, const char *file);

/* Notes the head that a file has now, for the generations above `kept` that are under way;
 * durable after undo_sync. Returns the newest of them, for the next call; 0 and why. */
uint64_t undo_keep(struct undo *undo, const char *file, const struct rrd_head *head,
	uint64_t kept, struct fail *why);
int undo_sync(struct undo *undo, struct fail *why); /* nothing to do when nothing is new */
bool undo_is_synced(const struct undo *undo);

/* A checkpoint is begun: its position is taken, files are going to be synced. */
void undo_next(struct undo *undo);
/* It is on disk, the entries of the former one are void; or it failed and never was. */
void undo_turn(struct undo *undo, bool made);
#endif

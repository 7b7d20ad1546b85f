/* keeper.h - what the store does, without its loop and sockets: reads the journal, keeps
 * rows pending, writes files and ledger, makes checkpoints. Blocking: the store is a process
 * of its own for that.
 *
 * A file is written when `flush` has passed since its first pending slot (at a phase of its
 * own, so that files take turns), when memory runs short (those whose turn comes next), when
 * asked, and at the end; one that does not exist yet gets in line to be made. Rows that are
 * not whole yet wait, and hold the checkpoint's position back. Every 60 s: files
 * synced, ledger synced, checkpoint written, old segments dropped; in this order. What a
 * crash makes come twice is recognised by the file's own last slot and by the ledger. The
 * files' sync is handed out (filesync.h), so that reading and writing go on beside it.
 *
 * While the folder is missing or read-only everything waits in the journal; when it is back,
 * it is written; what has waited for longer than journal_budget, or would make the journal
 * larger than journal_size, is given up: counted, logged and store-full in the ledger. A file
 * that somebody has locked waits alone. A damaged file, one of another step, one with an
 * archive or data source that we cannot write right (rrd_head_takes), one whose last update
 * lies in the future, or one that killed the store three times is left as it is and
 * quarantined: its values are store-full in the ledger, too. It is written again when it has
 * become another file. */
#ifndef PW_KEEPER_H
#define PW_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct filesync;
struct keeper;
struct store_health;
struct store_options;

struct keeper *keeper_open(const struct store_options *options, struct fail *why);
void keeper_close(struct keeper *keeper); /* writes nothing: keeper_finish does */

/* The clock for all calls that follow. */
void keeper_now(struct keeper *keeper, int64_t mono, int64_t wall);
/* With a clock, calls that would work on many files end after some 20 ms, so that a FLUSH is
 * answered in between; keeper_goes_on says that the last one did, and wants to go on at once. */
void keeper_clock(struct keeper *keeper, int64_t (*now)(void *arg), void *arg); /* ns */
bool keeper_goes_on(const struct keeper *keeper);
/* Takes up to that many records, and before them what is new in the catalogue; true when there
 * is nothing more for now. */
bool keeper_read(struct keeper *keeper, unsigned records);
/* The same for who needs to know all that is in the journal now: false when the call ended before
 * that, and is to be made again. True as well while nothing more can be read. */
bool keeper_catch_up(struct keeper *keeper);
/* Writes what is due. Not NULL: a checkpoint is begun and takes this sync, which is to be run
 * and given to keeper_checkpoint; all other calls may be made in between. */
struct filesync *keeper_round(struct keeper *keeper) __attribute__((warn_unused_result));
/* More was due than one round may take: keeper_write should follow soon. */
bool keeper_has_more(const struct keeper *keeper);
void keeper_write(struct keeper *keeper);
/* Makes some of the files that are due and do not exist yet; to be called ten times a second
 * while there are some. */
void keeper_make_files(struct keeper *keeper);
bool keeper_is_making(const struct keeper *keeper);
int keeper_checkpoint(struct keeper *keeper, struct filesync *sync); /* -1: none was made */
void keeper_checkpoint_soon(struct keeper *keeper); /* one is due at the next round */
/* After a sync failed it is unknown what is on disk, and no later sync would tell: it has to
 * be closed and opened again, which takes the files back and replays the journal; and to be
 * told that the trouble is not over before the next checkpoint. */
bool keeper_is_void(const struct keeper *keeper, struct fail *why);
void keeper_doubt(struct keeper *keeper, const struct fail *why);
/* Reads what is there and writes the whole rows of one file (below RRD_DIR). 1 written, 0
 * nothing to write, -1 and why. */
int keeper_flush(struct keeper *keeper, const char *file, struct fail *why);
int keeper_flush_all(struct keeper *keeper, struct fail *why);
/* For a backup, until another word. SEGMENTS: no segment is dropped. STILL: no checkpoint is
 * begun either; from when none is under way, checkpoint and ledger stay as they are. */
enum keeper_hold { KEEPER_FREE, KEEPER_SEGMENTS, KEEPER_STILL };
void keeper_hold(struct keeper *keeper, enum keeper_hold hold);
bool keeper_is_still(const struct keeper *keeper);
/* Slots of a file that wait to be written. */
size_t keeper_pending(struct keeper *keeper, const char *file);
/* Reads, writes and checkpoints, when no sync is handed out; -1 when something has to wait for the next start. */
int keeper_finish(struct keeper *keeper);
/* The same when no poller runs and none will go on with these series: rows that are not whole
 * are written as they are. */
int keeper_drain(struct keeper *keeper);
void keeper_health(const struct keeper *keeper, struct store_health *health);
#endif

/* filesync.h - makes durable what was written to RRD files: librrd never syncs.
 *
 * Made and ended where the files are written, run beside it: a sync takes as long as the
 * disk takes, and FLUSH shall not wait for that. Few files are synced one by one, many as
 * a file system; so are they where descriptors are short. Files are opened before the run and
 * closed after it, or as soon as the file system is to be synced as a whole; both on the
 * writer's side: POSIX drops librrd's lock when any descriptor of its file is closed. */
#ifndef PW_FILESYNC_H
#define PW_FILESYNC_H

#include <stddef.h>

struct fail;
struct filesync;

#define FILESYNC_SINGLY 64 /* above that the file system as a whole */

/* How many files may be held open: most, or that part of what the process may open. */
size_t filesync_share(size_t most, unsigned part);
struct filesync *filesync_new(const char *rrd_dir);
/* file is below rrd_dir; one that has gone needs no sync. */
void filesync_add(struct filesync *sync, const char *file);
/* Blocks; may run in another thread, once. */
void filesync_run(struct filesync *sync);
/* Runs it if nobody has, frees it. -1 and why: what was written may be lost, even if a next
 * sync succeeds, as the kernel then calls the pages clean. */
int filesync_end(struct filesync *sync, struct fail *why);
#endif

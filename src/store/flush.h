/* flush.h - asks the store to write a file's pending rows now: `where`, `graph`.
 *
 * Blocking, for programs of the command line only. The protocol is the part of rrdcached's
 * that `rrdtool --daemon unix:RUN_DIR/flush.sock` needs as well: FLUSH FILE, FLUSHALL,
 * PENDING FILE, PING, QUIT. */
#ifndef PW_FLUSH_H
#define PW_FLUSH_H

#include <stddef.h>
#include <stdint.h>
struct fail;

#define FLUSH_SOCKET "flush.sock" /* below RUN_DIR; made by the supervisor */

/* file is below RRD_DIR (as in the catalogue) or absolute; NULL flushes all. timeout in ns
 * over all. 0 when its complete rows are in the file. 1 and what the store said when it did not
 * write it. -1 and why it was not asked: "...: no answer from the store within 5s", "...: Connection
 * refused". */
int store_flush_client(const char *run_dir, const char *file, int64_t timeout, struct fail *why);
/* The same for many, over one connection and a few ahead; timeout: of each answer. For a file that
 * the store did not write, refuse is told what it said; 1 when there was one. */
int store_flush_files(const char *run_dir, const char *const *files, size_t count, int64_t timeout,
	void (*refuse)(const char *why, void *arg), void *arg, struct fail *why);
#endif

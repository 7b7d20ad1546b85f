/* lease.h - a backup's word with the store: nothing is dropped while it copies.
 *
 * The store answers on RUN_DIR/flush.sock (service.h). The hold ends with the connection,
 * so a backup that dies holds nothing; and a store that dies ends it too, which the holder
 * is told by its next word. Blocking, for programs of the command line. */
#ifndef PW_LEASE_H
#define PW_LEASE_H

#include <stdint.h>
struct fail;
struct lease;

/* From here on checkpoint, ledger and segments stay; a checkpoint under way is waited for.
 * timeout in ns, of each word. NULL and why; *absent (may be NULL) tells that nobody
 * listens there. */
struct lease *lease_take(const char *run_dir, int64_t timeout, int *absent, struct fail *why);
/* From here on only the segments stay. -1 and why: all was in vain, begin anew. */
int lease_keep_journal(struct lease *lease, struct fail *why);
/* The last word: 0 when the hold has lasted up to here. */
int lease_end(struct lease *lease, struct fail *why);
void lease_free(struct lease *lease); /* NULL is fine */
#endif

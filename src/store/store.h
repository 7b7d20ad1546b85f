/* store.h - the store role: journal in, RRD files and ledger out.
 *
 * Runs in its own process: a disk error under librrd's mapping kills only it. */
#ifndef PW_STORE_H
#define PW_STORE_H

#include <stdint.h>

struct store_options {
	const char *state_dir, *rrd_dir, *run_dir;
	int64_t flush;          /* ns between two writes of one file at most; 5 min */
	int64_t memory;         /* bytes of pending rows; 256M */
	int64_t journal_budget; /* ns of journal kept while the disk refuses; 24 h */
	int64_t journal_size;   /* bytes of journal kept at most; 4 GiB. 0: any number */
};

/* Serves until alive_fd gives EOF (the supervisor has gone) or SIGTERM; flush_fd is the
 * listening unix socket for FLUSH. Returns the exit status. Writes everything at SIGTERM. */
int store_main(const struct store_options *options, int alive_fd, int flush_fd);
#endif

/* backup.h - a consistent copy of everything a poller knows, made while it runs.
 *
 * DEST/state, DEST/rrd, DEST/config, DEST/backup.json, DEST/SHA256SUMS (manifest.h). It is
 * made as DEST.partial and renamed at the end; what an interrupted run left there is swept by
 * the next one.
 *
 * Why it is consistent, in this order:
 * 1. The store holds still (lease.h): checkpoint and ledger stay as they are while the small
 *    files of STATE_DIR are copied. The checkpoint says at which place of the journal it
 *    stands, and nothing behind that place has been dropped.
 * 2. The store makes checkpoints again, but drops no segment. The RRD files are copied, each
 *    as it was between two updates (copy.h). Rows go on being written: a file copied later
 *    holds more than the checkpoint says. That is the state after a kill -9, and replay knows
 *    it: a row up to a file's own last update is not written twice.
 * 3. The journal is copied after all RRD files, the newest segment last. So every row of a
 *    copied file stands in the copied journal, or was closed before the checkpoint; the
 *    ledger, which is checkpoint plus journal, counts every one.
 * 4. The catalogue is copied after the journal: an id is synced there before a record uses it.
 * 5. The store is asked whether the hold has lasted. If it died meanwhile, or took its files
 *    back, segments may be gone and a file may be torn: the whole is begun anew, three times
 *    at most.
 * The undo logs are left out: they take back what a killed update has left in a file, and no
 * file is copied in such a state. Transitions that stand aside (journal/aside.h) are younger
 * than the copied journal. A torn end of the newest segment was not committed, as after a
 * power cut.
 *
 * Without a daemon the lock of STATE_DIR is held instead, after the store's own first and
 * last work was done (files taken back, journal written, checkpoint), so that nothing of a
 * killed daemon is half done. */
#ifndef PW_BACKUP_H
#define PW_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct store_options;

#define BACKUP_FORMAT 1
#define BACKUP_JSON "backup.json"

struct backup_file {
	const char *path; /* absolute */
	const char *text;
	size_t size;
	unsigned mode; /* permissions of the original */
};

struct backup_options {
	const struct store_options *store; /* its places */
	const char *poller;                /* its name, for backup.json */
	const char *destination;
	const struct backup_file *config; /* what goes below DEST/config, with its whole path */
	size_t config_count;
	bool secrets; /* some of them are; only told in backup.json */
	/* Now and then; total bytes are as counted at the beginning. */
	void (*progress)(void *arg, uint64_t files, uint64_t all_files, int64_t bytes,
		int64_t all_bytes);
	/* Something that is no failure, in one line. */
	void (*say)(void *arg, const char *line);
	void *arg;
};

struct backup_result {
	uint64_t files, rrd_files, repeats; /* repeats: copied again as the store wrote them */
	int64_t bytes, taken;               /* taken: wall ns of the end of the copied journal */
	bool running;                       /* the daemon was */
	unsigned attempts;
};

/* 0, or -1 and why. */
int backup_take(const struct backup_options *options, struct backup_result *result,
	struct fail *why);

/* Removes all but the newest `keep` of the backups DIR/YYYY-MM-DDTHHMMSSZ, partial ones that
 * no longer grow too. How many, or -1 and why. */
int backup_rotate(const char *dir, unsigned keep, struct fail *why);
/* "DIR/2026-11-22T060000Z"; free() it. */
char *backup_dated_name(const char *dir, int64_t wall);
#endif

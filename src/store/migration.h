/* migration.h - puts new RRD files in the place of old ones, and the catalogue's entries with
 * them: all of one step, or none, whenever the process is killed.
 *
 * Only under the lock of state_dir, so while no daemon runs, and after the journal was written
 * out. Below RRD_DIR/.migrate:
 *   new/FILE    built and verified, not yet used
 *   STAMP/FILE  the old files; nobody here ever removes them
 * When all new files of a step are there and synced, STATE_DIR/migration names them and the
 * entries (that is the commit); then old files are linked to STAMP, new ones renamed over
 * them, entries written, and STATE_DIR/migration removed. Each of these can be done again, so
 * whoever opens next goes on from there; without the commit only new/ is thrown away.
 *
 * STATE_DIR/migration, text: "pollwerk migration 1 TAB STAMP", lines "file TAB NAME" and
 * "series TAB kind TAB step TAB profile TAB unit TAB file TAB ds TAB path", "end TAB crc32c". */
#ifndef PW_MIGRATION_H
#define PW_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/layout.h"
#include "store/reshape.h"
struct fail;
struct series;

#define MIGRATION_FOLDER ".migrate"

struct migration_file {
	const char *file; /* below RRD_DIR */
	struct layout layout;
	struct reshape_ds *ds;
	size_t ds_count;
};

/* Was one interrupted behind its commit? Then no daemon may start. */
bool migration_pending(const char *state_dir);

struct migration;
/* stamp names the folder of the old files, "20261122T051200Z". *finished: an interrupted one
 * was brought to its end. */
struct migration *migration_open(const char *state_dir, const char *rrd_dir, const char *stamp,
	bool *finished, struct fail *why);
void migration_close(struct migration *migration); /* NULL is fine */
/* One step: files and entries that belong together. `built` is called after each file, and may
 * be NULL. -1 and why: nothing has changed, or (said so) it is for the next open to finish. */
int migration_step(struct migration *migration, const struct migration_file *files,
	size_t file_count, const struct series *series, size_t series_count,
	void (*built)(const struct reshape_report *report, void *arg), void *arg,
	struct fail *why);
#endif

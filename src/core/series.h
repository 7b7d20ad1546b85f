/* series.h - the catalogue: which number is which point, where its history lies.
 *
 * STATE_DIR/series, append-only text, one line an entry with a checksum; a torn last line is
 * as if it had not been written. Ids count from 1 and are never reused; a path that stands a
 * second time is the same point with another step from there on. The poller is the only
 * writer, or a migration while there is none; store, cli, graph and web open it for reading and need no configuration. */
#ifndef PW_SERIES_H
#define PW_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/point.h"
struct fail;

struct series {
	uint32_t id;
	enum point_kind kind;
	int64_t step;       /* ns; slot k is at wall time k x step */
	const char *path;   /* "press-3/oil_temp", "sw-hall3/if[ge-1/5]/in_octets" */
	const char *unit;   /* "" when none; of the stored value (a counter: of its rate) */
	const char *file;   /* below RRD_DIR, without a leading '/'; "" for a text point */
	const char *ds;     /* data source name, at most 19 characters; "" for a text point */
	const char *profile; /* retention profile: "short", "standard", "long", "long:720h" */
};

struct series_catalogue;
/* writer: creates the file when missing and repairs a torn end. Readers may open it while
 * it grows. */
struct series_catalogue *series_open(const char *state_dir, bool writer, struct fail *why);
void series_close(struct series_catalogue *catalogue);

/* Entries that are got live as long as the catalogue and take memory of their own (some 100
 * octets) from the first time on; of the others there is no more than what tells them apart.
 * Of one catalogue in one thread. NULL: there is none. */
const struct series *series_get(const struct series_catalogue *catalogue, uint32_t id);
const struct series *series_find(const struct series_catalogue *catalogue, const char *path);
/* Only lent: valid until the next call that shows, adds or takes up an entry. For those who
 * look at all of them: what the poller tells the feed of is such a one. */
const struct series *series_show(struct series_catalogue *catalogue, uint32_t id);
uint32_t series_last_id(const struct series_catalogue *catalogue); /* 0 when empty */

/* Finds the path or appends it (id and strings of `wanted` are copied). What differs in
 * kind, unit or profile is written as a new line for the same id; another step or file for
 * an existing path is refused (NULL, why): that needs series_move. */
const struct series *series_add(struct series_catalogue *catalogue,
	const struct series *wanted, struct fail *why);
/* The same, and only its id; 0 for NULL. */
uint32_t series_enter(struct series_catalogue *catalogue, const struct series *wanted,
	struct fail *why);
/* Entries from here to series_written go to the file together. Between the two the thread does nothing
 * else, so that what names them cannot be committed before. */
void series_gather(struct series_catalogue *catalogue);
void series_written(struct series_catalogue *catalogue);
/* After a migration, by its only owner while no daemon runs: the history of the path lies in
 * wanted->file from now on. Slots are counted in steps, so another step begins a new id; the
 * old one keeps its part of the ledger and has no file any more. */
const struct series *series_move(struct series_catalogue *catalogue,
	const struct series *wanted, struct fail *why);
/* Is it the entry that its path has now? */
bool series_is_current(const struct series_catalogue *catalogue, const struct series *series);
/* An entry that the disk refuses has its id all the same and waits in memory, in order; this
 * tries again, on the thread of series_add. There is a reserve for some, made by series_sync. */
void series_settle(struct series_catalogue *catalogue);
/* fdatasync when something was appended since; safe in a worker thread beside series_add. -1 and
 * why also while an entry waits. After one that failed, what it was about is written once more
 * before the next one is believed. Must succeed before a journal record that names a new id is
 * written. */
int series_sync(struct series_catalogue *catalogue, struct fail *why);
/* After one that failed, in the same thread: entries up to this id are on disk for good. 0: none is
 * known to be, or one of them was changed since. */
uint32_t series_synced(const struct series_catalogue *catalogue);
/* Reader: takes up lines written since; true when there were any. */
bool series_refresh(struct series_catalogue *catalogue);
/* The same in steps, for who has others to serve meanwhile: opened without any of its lines; a
 * step takes up some thousands: 1, or 0 when all that stands there now has been taken up. Where there
 * is none, or it cannot be read: NULL or -1, errno and why. */
struct series_catalogue *series_open_unread(const char *state_dir, struct fail *why);
int series_read_on(struct series_catalogue *catalogue, struct fail *why);

/* How long its data may stay, ns: what stands behind a ':' in the profile ("short:720h"), as
 * config puts it there for a point with `retain`; 0 for as long as usual. */
int64_t series_retain(const struct series *series);
/* False: none of them has such a limit, nor had one since it was opened. */
bool series_have_retain(const struct series_catalogue *catalogue);

/* Path, file and DS names by the storage layout of DESIGN. table and row NULL for scalars;
 * suffix is "" or "@5s" where a device has several intervals. */
void series_path(char *to, size_t size, const char *device, const char *table,
	const char *row, const char *point);
void series_file(char *to, size_t size, const char *device, const char *table,
	const char *row, const char *group, const char *suffix);
/* The point's name; longer than 19 characters, or with a '.': its first 11, '_' and 7 hex
 * digits of its hash. */
void series_ds(char *to, size_t size, const char *point);
#endif

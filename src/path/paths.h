/* paths.h - all data paths of the configuration, fed with every closed slot.
 *
 * Judged when the slots of a task are told, and each second for what only ages. Tells a
 * change of state or root hop through one hook. Its accounts survive a restart: snapshot,
 * and what was journalled after it, folded again. */
#ifndef PW_PATHS_H
#define PW_PATHS_H

#include <stddef.h>
#include <stdint.h>
#include "core/feed.h"
#include "journal/record.h"
#include "path/path.h"
struct inventory;
struct loop;
struct paths;

struct paths_options {
	struct loop *loop;
	/* Series by id, for what is replayed, until the next call; NULL result: unknown by now. */
	const struct series *(*series)(void *arg, uint32_t id);
	/* The same for as long as there are series, for sources; NULL: `series` does that. */
	const struct series *(*keep)(void *arg, uint32_t id);
	void *series_arg;
};

/* The inventory must live until paths_configure or paths_free. */
struct paths *paths_new(const struct paths_options *options, const struct inventory *inventory);
void paths_free(struct paths *paths);
/* Takes a new inventory; paths of the same name keep state and account. */
void paths_configure(struct paths *paths, const struct inventory *inventory);

/* At start, in this order: every record from the newest snapshot on, then begin. Takes
 * KIND_PATH_STATE, KIND_ROWS, KIND_SAMPLES, KIND_RUN; -1: damaged, nothing taken of it. */
int paths_replay(struct paths *paths, const struct record *record);
void paths_begin(struct paths *paths); /* from now on it judges, each second at least */

struct feed_listener paths_listener(struct paths *paths);
/* The one hook; called after state or root hop of a path changed. */
void paths_on_change(struct paths *paths,
	void (*change)(void *arg, const struct path_view *view), void *arg);

/* Writes one KIND_PATH_STATE a path:
 *   text name, u8 state, i64 since, account (path/account.h) */
void paths_snapshot(const struct paths *paths,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg);

void paths_each(const struct paths *paths,
	void (*each)(void *arg, const struct path_view *view), void *arg);
/* The worst path of which the device is a hop or a source; false when there is none. */
bool paths_touching(const struct paths *paths, const char *device,
	void (*found)(void *arg, const struct path_view *view), void *arg);
#endif

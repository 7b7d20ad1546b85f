/* conf.h - pollwerk.conf and all that belongs to it, read and checked.
 *
 * What an owner of the room's other headers need not know: files become a bundle of texts
 * (bundle.h), the texts trees (tree.h), the trees are held against the table of keys
 * (schema.h), and of what is right an inventory is built (core/device.h).
 * Reading may end the process (libconfig calls exit when it runs out of memory): a daemon has
 * it done by a child and reads the checked bundle itself. */
#ifndef PW_CONF_H
#define PW_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/errors.h"
#include "core/point.h"
struct conf;
struct device;
struct fail;
struct inventory;
struct mib;
struct series;
struct series_catalogue;

/* Reads the file, what it includes, its templates and secrets, and checks everything in one
 * run, the catalogue in state_dir too when there is one. NULL when errors were reported. */
struct conf *conf_load(const char *path, struct conf_errors *errors);
/* For who only looks at what the daemon has polled, without its rights: opens no secrets
 * (each credential is ""), and what the catalogue says of changed intervals is not asked. */
struct conf *conf_load_to_look(const char *path, struct conf_errors *errors);

/* The MIB files of poller.mibs and of the machine; none is read yet (snmp/mib.h). */
struct mib *conf_mibs(const struct conf *conf);

/* The same texts, to be handed on through a memfd; position and offset of fd do not matter.
 * -1 and why. */
int conf_bundle_write(const struct conf *conf, int fd, struct fail *why);
/* Reads no file but fd. NULL when errors were reported. */
struct conf *conf_load_bundle(int fd, struct conf_errors *errors);

/* What was read with one more file of this text: a profile's settings of a device that is not
 * there yet, or whether a proposal would pass the check. Opens no other file than credentials
 * that the text names. NULL when errors were reported. */
struct conf *conf_load_with(const struct conf *conf, const char *path, const char *text,
	struct conf_errors *errors);

/* Names of the entries of a section ("profiles"), at most as many as there is room for; how
 * many there are. They live as long as conf. */
size_t conf_names(const struct conf *conf, const char *section, const char **names, size_t room);

/* The inventory, which now is the caller's (inventory_free) and outlives the conf; NULL when
 * it was taken before. */
struct inventory *conf_inventory(struct conf *conf);
void inventory_free(struct inventory *inventory); /* NULL is fine */
void conf_free(struct conf *conf);                /* NULL is fine */

/* Where and how the configuration wants a point stored that the catalogue knows. */
struct conf_home {
	const struct device *device;
	int64_t step;        /* ns */
	const char *profile, *unit;
	enum point_kind kind;
	char file[700];      /* below RRD_DIR; "" for a text */
	char ds[24];
};
/* Calls for each of them, in the order of the catalogue; not for what is no longer configured. */
void conf_each_home(const struct inventory *inventory, const struct series_catalogue *catalogue,
	void (*each)(const struct series *series, const struct conf_home *home, void *arg),
	void *arg);

/* Reports every configured point whose history lies elsewhere or has another step than the
 * catalogue says. False when there was one. */
bool conf_check_catalogue(const struct inventory *inventory,
	const struct series_catalogue *catalogue, struct conf_errors *errors);

/* Where a daemon keeps its things, for those who only want to look: from the main file alone,
 * which may be half written or name secrets that the reader may not see, because the daemon
 * goes on with what it has. -1 and why when the file cannot be read. */
struct conf_places {
	char state_dir[512], rrd_dir[512], run_dir[512];
	bool sure; /* run_dir is that: this file says it, or includes none that could */
};
int conf_places(const char *path, struct conf_places *places, struct fail *why);

/* "4 devices, 31 points, 2 tables, 3 thresholds, 1 path, 1 receiver: ok" */
const char *conf_summary(const struct inventory *inventory, char *to, size_t size);

/* What a reload changes; names are those of the inventories they come from. */
enum conf_change { CONF_UNCHANGED, CONF_CHANGED, CONF_ADDED, CONF_REMOVED };
/* Calls once per device of either: was and is are NULL for added and removed. */
void conf_diff(const struct inventory *old, const struct inventory *new,
	void (*each)(enum conf_change change, const char *name, void *arg), void *arg);
#endif

/* build.h - the inventory while it is built: what the files of this room that make its parts
 * share. One build belongs to one call of inventory_build. */
#ifndef PW_BUILD_H
#define PW_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/scope.h"
#include "config/template.h"
#include "core/device.h"
#include "core/point.h"
struct arena;
struct conf;
struct conf_errors;
struct config_setting_t;
struct net_addr;
struct rule_options;

/* A point path that can come to be: a row, which only the device knows, stands as '*'. */
struct known {
	const char *text;
	const struct device *device;
	const char *point;   /* last part of the path */
	const struct point *source; /* as configured; NULL for rtt and loss */
	const char *table;   /* NULL for a scalar */
	int64_t interval;
	enum point_kind kind;
};

struct build {
	struct conf *conf;
	struct conf_errors *errors;
	struct arena *arena;
	struct arena *scratch; /* of this build: nothing of the inventory points into it */
	struct inventory *inventory;
	struct templates templates;
	struct node_list lines, profiles, store;
	struct device *devices;
	size_t device_count;
	const struct config_setting_t **device_nodes; /* beside devices */
	const uint32_t *by_name; /* build_sorted, for parents: without pollwerk's own device */
	struct rule_options *rules; /* grows on the heap, then goes to the arena */
	size_t rule_count;
	struct known *known;        /* on the heap */
	size_t known_count;
	size_t *known_first;        /* of each device */
	size_t known_device;        /* the one found last: rules come device by device */
	struct scope poller;
	struct tls_kept *tls; /* certificates.c's */
};

/* One use of a template by a device, or the device's own points. */
struct unit {
	const char *name;             /* template name, or "points" */
	const struct template *tmpl;  /* NULL: the device's own */
	const struct config_setting_t *own; /* the device, when tmpl is NULL */
	const struct config_setting_t *device;
};

/* A point before it is known which group it goes to. */
struct draft {
	struct point point;
	enum protocol protocol;
	int64_t interval;
	int64_t retain; /* ns after which nothing of it may stay; 0: as its file */
	bool align, align_given;
	const struct config_setting_t *node;
};

/* ---- identities.c ---- */
void build_identities(struct build *build);

/* ---- devices.c ---- */
void build_devices(struct build *build);
/* Indexes of the devices in the order of names, of equal ones in that of devices; into arena. */
const uint32_t *build_sorted(const struct build *build, struct arena *arena);
/* That is the shortest interval of its groups, for device->about. */
void build_shortest(struct build *build, struct device *device, int64_t interval);
/* The entry of a list by its name; NULL, reported at `from`, when there is none. */
const struct config_setting_t *build_find(struct build *build, const struct node_list *list,
	const char *what, const struct config_setting_t *from);
/* Reports entries of one list that have the same name. */
void build_unique(struct build *build, const struct node_list *list);
/* Inside a build one device's scope for its own keys. */
struct scope build_scope(struct build *build, const char *section,
	const struct config_setting_t *group);
/* The secret of that key; "" when it is not to be had, which is reported. */
const char *build_secret(struct build *build, const struct scope *scope, const char *key);
const char *build_text(struct build *build, const struct scope *scope, const char *key);
/* What a key of words (SCHEMA_WORDS) has, numbers as texts; how many. */
size_t build_words(struct build *build, const struct config_setting_t *node,
	const char *const **words);

/* store.profile: how long RRD files keep what unless somebody nearer says it. */
const char *build_retention(struct build *build);

/* ---- points.c ---- */
/* table: the table's group or NULL. Returns false, reported, when it cannot be built. */
bool build_point(struct build *build, const struct unit *unit,
	const struct config_setting_t *table, const struct config_setting_t *node,
	struct draft *draft);
/* OIDs of a key, of one text or an array; in the arena. */
struct snmp_oid;
size_t build_oids(struct build *build, const struct scope *scope, const char *key,
	const struct snmp_oid **oids);
bool build_oid(struct build *build, const struct scope *scope, const struct config_setting_t *node,
	struct snmp_oid *oid);

/* ---- groups.c ---- */
/* All groups of one device, from its units. */
void build_groups(struct build *build, struct device *device, const struct unit *units,
	size_t count, const struct scope *scope);

/* ---- wires.c: how a device is asked ---- */
/* The device's address with that port; false, reported, when it has none. */
bool build_address(struct build *build, const struct config_setting_t *device, uint16_t port,
	const char *what, struct net_addr *addr);
const void *build_snmp(struct build *build, const struct config_setting_t *node,
	const struct device *device);
/* "version", and what belongs to it: community, or the user and its keys. Errors for which no
 * key stands there are told of `owner`. */
struct snmp_user;
void build_access(struct build *build, const struct scope *scope,
	const struct config_setting_t *owner, uint8_t *version, const char **community,
	struct snmp_user *user);
const void *build_reach(struct build *build, const struct config_setting_t *device);

/* ---- lines.c: the same for Modbus ---- */
const void *build_modbus(struct build *build, const struct device *asked,
	const struct config_setting_t *device,
	const struct unit *units, size_t count);
/* An entry of lines as a device (modbus/linedev.h); false: no device is polled on it. */
bool build_line_device(struct build *build, const struct config_setting_t *line,
	struct device *device);
/* Of a device whose points nobody may ask for. */
void build_warn_unread(struct build *build, const struct device *device);
/* Of a device on a data path of which nobody said how many connections it has to spare. */
void build_warn_connections(struct build *build, const struct device *device);
/* Lines and inline settings that contradict each other for one host and port. */
void build_check_lines(struct build *build);
/* Of the inventory's devices: lines that have no time for what is asked of them. */
void build_check_time(struct build *build);

/* ---- certificates.c ---- */
/* What a group `tls` names, read and checked; the same for the same files. */
struct modbus_tls;
const struct modbus_tls *build_tls(struct build *build, const struct config_setting_t *group);

/* ---- rules.c, paths.c ---- */
void build_rules(struct build *build);
/* One rule; unit and device NULL unless it comes from a template. */
void build_rule(struct build *build, const struct config_setting_t *node,
	const struct unit *unit, const struct device *device);
void build_paths(struct build *build);

/* ---- known.c ---- */
void known_build(struct build *build);
/* Can the glob match what the other stands for, where '*' in both is any run? */
bool known_meets(const char *glob, const char *other);
/* The first known path that the glob can match, from index `from` on; count when none. */
size_t known_match(struct build *build, const char *glob, size_t from);
/* The nearest known path to what was written; NULL when nothing is near. */
const char *known_nearest(const struct build *build, const char *text);
#endif

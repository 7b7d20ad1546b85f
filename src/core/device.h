/* device.h - the inventory: what the configuration says, expanded, immutable.
 *
 * config/ builds it (templates applied, defaults filled in, everything checked); all others
 * only read. One arena per inventory: everything in it dies in inventory_free. Identity is
 * the name: two devices may share an address. */
#ifndef PW_DEVICE_H
#define PW_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/point.h"
struct driver;
struct frozen_rule;

/* Points of one device that are asked for together: scalars, or one table. */
struct group {
	const char *name;      /* template name or "points"; the RRD's name for scalars */
	const char *table;     /* table name, NULL for scalars */
	int64_t interval;      /* ns, whole seconds */
	bool align;            /* polled right at the slot: quarter-hour energy */
	int64_t retain;        /* ns after which nothing of its points may stay; 0: as profile says */
	const char *suffix;    /* "", "@5s", "~720h" or both: see series_file */
	const char *profile;   /* retention: "standard", with retain "standard:720h" */
	const struct driver *driver;
	const struct point *points;
	size_t point_count;
	const void *wire;      /* the driver's own: struct snmp_table, ...; may be NULL */
	int64_t retire;        /* table rows: ns after which a vanished row ends, 24 h */
	bool connections;      /* a row is a place that the device has a TCP connection to, or has
	                        * not: its one point is the state */
};
/* tcpConnectionState (RFC 4022), as the point of such a row has it. */
#define CONNECTION_CLOSED 1
#define CONNECTION_ESTABLISHED 5

/* What many devices have in common, most of it words. */
struct device_about {
	int64_t interval;      /* the shortest of its groups; of up, rtt, loss */
	const char *protocol;  /* "snmp", "modbus", "snmp+reach", ... for people */
	const char *place, *owner, *asset, *text; /* "" when not given */
	const char *profile;   /* retention of up, rtt, loss */
	const char *file;      /* in which it stands in the configuration */
	const char *const *parents; /* device names, NULL-ended; NULL: none */
};

/* How a device is asked: bits. */
enum { DEVICE_SNMP = 1, DEVICE_MODBUS = 2, DEVICE_REACH = 4 };

struct device {
	const char *name;
	const char *address;   /* as the user wrote it, with port or line: for messages */
	const struct device_about *about;
	uint32_t line : 27;    /* where it stands in about->file */
	uint32_t ways : 3;     /* DEVICE_SNMP | ..: how it is asked */
	bool align : 1;
	bool own : 1;          /* has a group of its own metrics: see self.h */
	uint32_t group_count;
	/* Of its one way; of several a list of them, in the order of the bits. */
	const void *options;
	const struct group *groups; /* without the device's own up, rtt, loss */
	uint64_t fingerprint;  /* equal in two inventories: nothing about it changed */
};

/* NULL: it is not asked in that way. */
static inline const void *
device_options(const struct device *device, unsigned way)
{
	const void *const *list = device->options;

	if ((device->ways & way) == 0)
		return NULL;
	return device->ways == way ? device->options :
		list[__builtin_popcount(device->ways & (way - 1))];
}
static inline const void * /* struct snmp_options */
device_snmp(const struct device *device)
{
	return device_options(device, DEVICE_SNMP);
}
static inline const void * /* struct modbus_options */
device_modbus(const struct device *device)
{
	return device_options(device, DEVICE_MODBUS);
}
static inline const void * /* struct reach_options */
device_reach(const struct device *device)
{
	return device_options(device, DEVICE_REACH);
}
static inline int64_t
device_interval(const struct device *device)
{
	return device->about->interval;
}

/* NULL-ended: the names of the devices that it is reached through. */
const char *const *device_parents(const struct device *device);

struct poller_options {
	const char *name;      /* poller.name: who speaks in traps and status */
	const char *user;      /* to become when started as root; "" = stay */
	const char *state_dir, *rrd_dir, *run_dir;
	int64_t clock_trust;   /* ns: a step of the clock beyond is not believed */
	int64_t alarm_settle;  /* ns for which a device's first alarms are gathered; 0: not at all */
	unsigned alarm_rate;   /* of those, so many a minute are raised then */
};

/* What other rooms declare is carried as pointers to their option structs. */
struct inventory {
	struct poller_options poller;
	const struct device *devices;
	size_t device_count;
	const uint32_t *by_name; /* indexes of devices in the order of names; NULL: unknown */
	const void *store;      /* struct store_options */
	const void *thresholds; /* struct rule_options[] */
	size_t threshold_count;
	const struct frozen_rule *frozen; /* those of thresholds about what stands still */
	size_t frozen_count;
	const void *paths;      /* struct path_options[] */
	size_t path_count;
	const void *receivers;  /* struct receiver_options[] */
	size_t receiver_count;
	const void *identities; /* struct identity[]: how Modbus devices are known */
	size_t identity_count;
	void *arena;            /* config's */
	void (*free)(struct inventory *inventory); /* config's, or a test's */
	int references;         /* 1 when made */
};

/* Unchanged devices keep pointing into the inventory they came from over a reload. */
struct inventory *inventory_ref(struct inventory *inventory);
void inventory_unref(struct inventory *inventory); /* NULL is fine */
const struct device *inventory_find(const struct inventory *inventory, const char *name);
#endif

/* plant.h - a simulated plant that keeps its own log: which request arrived when, what became
 * of it, and so what each slot of each series must have become.
 *
 * Knows nothing of the poller's inside. It takes part in two ways: as peers on net_sim, and
 * as listener on the feed, where each value is compared with what was served. */
#ifndef PW_SCENARIO_PLANT_H
#define PW_SCENARIO_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
#include "core/device.h"
#include "core/sample.h"
#include "modbus/modbus.h"
#include "reach/reach.h"
#include "snmp/snmp.h"
#include "scenario/truth.h"
struct feed_listener;
struct loop;
struct series;

#define PLANT_POINTS 8
#define PLANT_EXCHANGES 24 /* in one poll */
enum { HEALTH_UP, HEALTH_RTT, HEALTH_LOSS, HEALTH_COUNT };

/* What a point serves: a gauge is a hash of the time, a counter grows at its rate. */
struct plant_point {
	const char *name;
	enum point_kind kind;
	uint8_t bits;     /* of a counter */
	bool is_signed, real;
	double scale;
	uint8_t function; /* Modbus */
	uint16_t address, width;
	double rate;      /* counts per second */
};

/* One request on the wire and what became of it. */
struct exchange {
	int64_t sent, ended; /* mono; ended: when its asker knows the outcome */
	uint8_t reason;      /* for the points that it covers */
	bool answered;       /* by the device itself: counts for `up` */
	bool doubtful;       /* came at its deadline: either way is right */
	uint32_t points;     /* bits */
	uint32_t missing;    /* asked for, but the agent has no such object */
	bool refused_next;   /* the line would refuse another request of this unit just now */
	uint32_t boots;
	uint64_t raw[PLANT_POINTS];
};

struct poll {
	bool open, at_step; /* at_step: the clock was set while it was under way */
	bool cautious;      /* the one before it got no answer: this one ends at the first silence */
	int64_t slot;
	uint32_t settled;   /* points whose counter base has been moved */
	unsigned count;
	struct exchange exchanges[PLANT_EXCHANGES];
};

struct counter_base {
	bool known;
	uint64_t raw;
	int64_t at;
	uint32_t boots;
};

/* A Modbus server: one host:port, with one unit or several behind it. */
struct plant_host {
	struct net_addr at;
	enum { HOST_ON, HOST_OFF, HOST_REFUSES } state;
	unsigned units;
	uint32_t lives; /* a connection of a former life is reset */
	struct failed_connect { int64_t wall, mono, ended; } *failed;
	size_t failed_count, failed_room;
};

struct plant_device {
	char name[41], address[64];
	struct plant_host *host; /* Modbus */
	uint8_t unit_id;
	struct net_addr at;      /* SNMP, ping */
	bool table;              /* its points are cells of rows that come and go */
	const struct plant_point *points;
	size_t point_count;
	int64_t timeout;
	/* what it is like just now */
	bool dead, gateway_dead, busy;
	uint32_t illegal; /* points that it refuses with exception 2 */
	double silence;   /* share of requests that get lost on the way */
	int64_t boot_at;
	uint32_t boots;
	bool fresh;        /* not asked yet in this run of the poller */
	unsigned silences; /* requests without an answer in a row, in this run of the poller */
	uint64_t start[PLANT_POINTS]; /* of the counters, in this boot */
	/* what the poller was told to do */
	bool active;
	uint64_t version;
	int64_t first;    /* first slot expected since it became active */
	uint32_t asleep;  /* points of rows that are not expected: never seen, or retired */
	int64_t refused_at[PLANT_POINTS]; /* mono, when it said that there is no such register; 0 */
	int64_t gone_since[PLANT_POINTS]; /* mono of the first walk without it; 0 */
	/* the log */
	struct truth truth;
	struct poll poll;
	struct counter_base base[PLANT_POINTS];
	int64_t checked;  /* slots before it were looked at for failed connects */
	int64_t cut;      /* the slot whose poll a kill fell into; 0 = none */
	int64_t step_first, step_last; /* slots that a clock step skipped and no poll closed yet */
	int64_t step_until;            /* mono: requests up to here may belong to the old poll */
	/* for the inventory */
	struct device_about about;
	struct device config;
	struct group group;
	struct point config_points[PLANT_POINTS];
	struct modbus_point modbus_points[PLANT_POINTS];
	struct modbus_options modbus;
	struct snmp_point snmp_points[PLANT_POINTS];
	struct snmp_oid oids[PLANT_POINTS + 1];
	uint32_t ids[PLANT_POINTS + 1][16];
	struct snmp_group snmp_group;
	struct snmp_options snmp;
	struct snmp_access access;
	struct reach_options reach;
};

struct plant {
	struct plant_device *devices;
	size_t device_count;
	struct plant_host *hosts;
	size_t host_count;
	struct loop *loop;     /* of the process at work; NULL while there is none */
	uint64_t random;
	/* findings */
	uint64_t requests, strays, values_checked, wrong_values, order_errors, uncommitted, at_steps;
	char first_wrong[300];
	/* by series id */
	struct seen { uint32_t device; int32_t series; int64_t next; } *seen;
	size_t seen_count;
};

uint64_t plant_random(struct plant *plant);
double plant_chance(struct plant *plant); /* 0..1 */
int64_t plant_between(struct plant *plant, int64_t low, int64_t high);

/* A request of that device arrived: the exchange to fill in. Never NULL. */
struct exchange *plant_request(struct plant *plant, struct plant_device *device, int64_t sent);
uint64_t plant_raw(const struct plant_device *device, size_t point, int64_t mono);
double plant_value(const struct plant_point *point, uint64_t raw);
void plant_boot(struct plant *plant, struct plant_device *device); /* counts from 0 again */

/* What happened to the poller. Walls are the poller's own. */
void plant_started(struct plant *plant, struct loop *loop);
void plant_ended(struct plant *plant, bool orderly);
void plant_stepped(struct plant *plant, int64_t from, int64_t to);
void plant_recovered(struct plant *plant, uint32_t series, int64_t next);
/* Around a reload: what a device that goes, comes or changes loses by it. */
void plant_device_changed(struct plant *plant, struct plant_device *device, bool before,
	bool after);
/* Brings the log up to date: called now and then, and before each of the above. */
void plant_look(struct plant *plant);

/* Slots before it are final in the log. */
int64_t plant_settled_until(const struct plant *plant, const struct plant_device *device);
/* Which device and series an entry of the catalogue is. */
struct plant_device *plant_series(struct plant *plant, const struct series *series, size_t *i);

struct feed_listener plant_listener(struct plant *plant);
#endif

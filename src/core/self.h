/* self.h - what pollwerk knows of its own work, as points like all others.
 *
 * A driver that asks nobody: a device with `own` has a group "self" whose points say how the
 * asking goes (late polls, repeated requests, answers nobody waited for), and with poller.own
 * there is a device that is this daemon. Both are read once an interval, from counters that
 * are kept anyhow, and go the way of every sample. */
#ifndef PW_SELF_H
#define PW_SELF_H

#include <stddef.h>
#include <stdint.h>
#include "core/point.h"
struct driver;

#define SELF_GROUP "self"

/* What a driver counts of one device, since it was attached. */
struct self_counts {
	uint64_t retries;      /* requests put again: no answer, a device that was busy */
	uint64_t strays;       /* answers nobody waited for (any more) */
	uint64_t wrong_source; /* answers that came from another address, and were dropped */
};

/* The points of a device's group, in this order: how many of them make sense for it. */
enum { SELF_LATENESS, SELF_RETRIES, SELF_STRAYS, SELF_WRONG_SOURCE, SELF_POINTS };
extern const struct point self_points[SELF_POINTS];

/* What only poller_main can tell of the daemon; NaN: not known just now. */
struct self_daemon {
	double loop_lag;        /* s: longest that anything due had to wait since the last call */
	double journal_backlog; /* records not on disk yet */
	double store_lag;       /* s of journal that the store has not read yet */
	uint64_t drops;         /* datagrams for which the receive buffer had no room */
	uint64_t strays, wrong_source, malformed;
};
enum { SELF_DAEMON_POINTS = 10 };
extern const struct point self_daemon_points[SELF_DAEMON_POINTS];

/* The driver's env; read once an interval of the daemon's device. */
struct self {
	void (*read)(struct self_daemon *now, void *arg);
	void *arg;
};
extern const struct driver self_driver;
#endif

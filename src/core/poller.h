/* poller.h - the schedule, and the truth about slots.
 *
 * For each group of each device one task fires once a slot at phase + k x interval (no
 * drift; phase a stable hash of the device's name). What the driver reports becomes samples;
 * what nobody reports is closed with a reason; each slot of each active series is closed
 * exactly once and in order, and told to the feed. Knows no protocol and no configuration
 * language. */
#ifndef PW_POLLER_H
#define PW_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct driver;
struct fail;
struct feed;
struct frozen;
struct inventory;
struct latest;
struct loop;
struct poller;
struct series_catalogue;

struct poller_driver {
	const struct driver *driver;
	void *env; /* struct snmp *, struct modbus *, struct reach * */
};
enum { POLLER_DRIVERS = 5 };
struct poller_parts {
	struct loop *loop;
	struct series_catalogue *catalogue;
	struct latest *latest;
	const struct feed *feed;
	struct poller_driver drivers[POLLER_DRIVERS];
	int driver_count;
	/* No slots of this series are expected any more: taken out of the configuration, or its
	 * row retired. A restart must not expect them again. May be NULL. */
	void (*ended)(uint32_t series, void *arg);
	void *ended_arg;
	struct frozen *frozen; /* sees each reading before the feed; may be NULL */
};

struct poller *poller_new(const struct poller_parts *parts);
void poller_free(struct poller *poller); /* cancels everything, closes no slot */

/* Before the first configure: why slots before it were not polled. REASON_POLLER_DOWN unless
 * said otherwise. */
void poller_missed(struct poller *poller, uint8_t reason);
/* From the journal's replay, before the first configure: slots of this series are closed up
 * to next - 1. */
void poller_recover(struct poller *poller, uint32_t series, int64_t next);
/* Takes over an inventory (one reference). The first time, and on each reload: devices with
 * the same fingerprint keep schedule, state and connections; slots that passed since the
 * journal's end are closed as poller-down, those that a reload costs as config. A device
 * that cannot be set up is logged and its slots are closed as config. */
void poller_configure(struct poller *poller, struct inventory *inventory);
/* The clock was set (loop_on_step): slots that it skipped are closed as clock-step. */
void poller_clock_stepped(struct poller *poller, int64_t delta);

/* For the snapshot: every active series with the next slot to close. */
void poller_next_slots(const struct poller *poller,
	void (*each)(uint32_t series, int64_t next, void *arg), void *arg);

struct poller_counters {
	uint64_t started, finished, overruns; /* tasks */
	uint64_t late;           /* started more than half an interval after due */
	uint64_t samples, runs;  /* told to the feed */
	uint64_t exchanges, answered;
	int64_t worst_start;     /* ns: largest start - due since the last call */
	size_t devices, devices_down, tasks, series;
};
struct poller_counters poller_counters(struct poller *poller);

struct device_view {
	const char *name, *address, *protocol;
	const char *state; /* up degraded down unknown paused */
	double rtt;        /* seconds, NaN when unknown */
	double loss;       /* percent of the last slot's exchanges, NaN when unknown */
	double age;        /* seconds since the last answer, NaN if never */
	const char *last_error; /* "" when none */
	const char *place, *owner, *asset, *text;
	int64_t interval;
	size_t info_count; /* sysDescr and the like */
	const char *const *info_names, *const *info_texts;
};
void poller_each_device(struct poller *poller,
	void (*each)(const struct device_view *view, void *arg), void *arg);
#endif

/* driver.h - how a protocol plugs in: snmp, modbus, reach each fill one struct driver.
 *
 * The poller owns the schedule and the truth about slots; a driver owns the wire. For each
 * task_start the driver calls task_reading for what it learned and then task_done exactly
 * once, on the loop, never inside start() itself when start() can fail at once (use a zero
 * timer) - unless cancel() came first; after cancel() it must not touch the task again.
 * A driver never waits: each task ends by a deadline of its own. */
#ifndef PW_DRIVER_H
#define PW_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/reading.h"
struct device;
struct fail;
struct group;
struct loop;
struct self_counts;
struct task;

struct driver {
	const char *name; /* "snmp", "modbus", "reach" */
	/* One state per device and driver; NULL and why when it cannot work at all (the
	 * device's slots are then closed as config). env is what poller_main gave. Both NULL: env
	 * is the state of every device. */
	void *(*attach)(void *env, const struct device *device, struct fail *why);
	void (*detach)(void *state); /* after all its tasks were closed */
	/* One state per group of that device. */
	void *(*open)(void *state, struct task *task);
	void (*close)(void *work); /* cancels first if busy */
	/* Polls the group once. cautious: the device did not answer last time, so send one
	 * request first and go on only when it was answered. One for all groups of the device that
	 * wait to be polled will do. */
	void (*start)(void *work, bool cautious);
	void (*cancel)(void *work);
	/* Adds what was counted of the device since attach; NULL: nothing is. */
	void (*count)(void *state, struct self_counts *counts);
	/* start() comes soon, for some others as well: fetches what it needs (base/ahead.h), one
	 * pointer deeper at each step from 0 to DRIVER_STEPS - 1. Changes nothing. May be NULL. */
	void (*ahead)(const void *work, unsigned step);
	bool gathers; /* asks nobody: tells what polls of others brought, so that a device which it
	               * calls silent explains nothing */
};
#define DRIVER_STEPS 4

/* ---- what a driver may ask and tell; implemented by core/poller ---- */
const struct device *task_device(const struct task *task);
const struct group *task_group(const struct task *task);
struct loop *task_loop(const struct task *task);
void *task_state(const struct task *task); /* what attach gave for that device and driver */

/* A table row by its key (free text from the device, made one printable line, at most 80
 * bytes). Known rows keep their number for the life of the task; the first sight makes the
 * row's series. Numbers are small and dense from 0. */
uint32_t task_row(struct task *task, const char *key);
/* The same for a row that has a number already: needs no look at keys. */
void task_row_again(struct task *task, uint32_t number);
/* The device has the row, but nobody wants it, or no longer: it has no slots from this one on.
 * Unknown rows are none either. */
void task_row_end(struct task *task, const char *key);

/* A row's counter counts on from another reading than its last: the next rate has no base, whoever
 * reads it, a poller after this one or one that a reload has made. */
void task_forget(struct task *task, uint32_t row, uint32_t point);

/* At most once per point and slot; a second reading of the same is a bug and is ignored. */
void task_reading(struct task *task, const struct reading *reading);
/* Several of one answer: much cheaper than each by itself. */
void task_readings(struct task *task, const struct readings *readings);
/* All of the group's series without a reading in this slot are closed with `rest`. For a
 * complete walk that is REASON_NO_SUCH_ROW, for a failed poll the failure's reason. */
void task_done(struct task *task, uint8_t rest);

/* One request on the wire ended: feeds up, rtt and loss. rtt in ns. `device_answered` is
 * true for every valid answer of the device itself, an exception or noSuchName too. */
void task_exchange(struct task *task, bool device_answered, int64_t rtt);
/* Why it had no answer, where the `rest` of task_done says something else: rtt is closed with
 * that when the whole poll brought none. */
void task_unanswered(struct task *task, uint8_t reason);
/* What status and last_error show; one line in the user's words. */
void task_error(struct task *task, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Something will be told of the task soon: has fetched what that takes, see struct driver. */
#define TASK_STEPS 5
void task_ahead(const struct task *task, unsigned step);
/* Information that is no series (sysDescr, ifAlias): shown by devices and values. */
void task_info(struct task *task, uint32_t row, const char *name, const char *text);
#endif

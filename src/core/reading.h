/* reading.h - what a driver has read: of one point, or of some points of a row that came in one
 * answer. */
#ifndef PW_READING_H
#define PW_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/sample.h"
struct task;

#define TASK_SCALAR UINT32_MAX /* the row of a scalar */

struct reading {
	uint32_t row;       /* task_row, or TASK_SCALAR */
	uint32_t point;     /* index into group->points */
	uint8_t reason;     /* REASON_GOOD, or why there is no value */
	uint8_t bits;       /* counters: 32 or 64 */
	bool discontinuity; /* counters: the device restarted or reset since the last reading */
	int64_t since;      /* counters: mono ns at which it began to count, as far as is known: a
	                     * reading before that is another run's, whoever read it; or 0 */
	bool whole;         /* gauges and states: raw holds the reading (two's complement) */
	bool beyond;        /* and that is not negative but above INT64_MAX */
	uint64_t wrap;      /* counters that begin again after so many counts; 0: 2^bits */
	int64_t received;   /* mono ns of the answer */
	uint64_t raw;       /* counters: the count; else, where whole, the raw reading before scale */
	uint64_t milli;     /* counters that arrive as a float ("12.75 kWh"): the count in
	                     * thousandths, for the rate; 0 = the count is whole */
	double number;      /* gauges and states: scaled value; ignored for counters */
	const char *text;   /* text points */
	double max_rate;    /* counters: per second, more is impossible; 0 = not known */
};

/* What is said of a reading in a few bits each: eight octets, to be set as one. */
struct reading_mark {
	_Alignas(8) uint8_t reason; /* all as in struct reading */
	uint8_t bits;
	bool discontinuity, whole, beyond;
	bool limited; /* max_rate is about it, too */
};

/* Points of one row that follow one another, from `first` on, none of them a text; the row and
 * what else they have in common stands once, as there may be ten to a row and millions of rows.
 * Who gathers them sets row, since and max_rate before the first. */
struct readings {
	uint32_t row, first, count;
	int64_t received, since;
	double max_rate;
	struct reading_item {
		uint64_t raw; /* all as in struct reading; wrap and milli are 0 */
		double number;
		struct reading_mark mark;
	} items[SAMPLE_BATCH];
};

/* One of them by itself. */
static inline struct reading
readings_at(const struct readings *readings, uint32_t i)
{
	const struct reading_item *item = &readings->items[i];
	const struct reading_mark *mark = &item->mark;

	return (struct reading){ .row = readings->row, .point = readings->first + i,
		.reason = mark->reason, .bits = mark->bits, .discontinuity = mark->discontinuity,
		.since = readings->since, .whole = mark->whole, .beyond = mark->beyond,
		.received = readings->received, .raw = item->raw, .number = item->number,
		.max_rate = mark->limited ? readings->max_rate : 0 };
}

/* Tells the task those that are gathered, if any; none are then. */
void readings_tell(struct readings *readings, struct task *task);
/* Gathers one more. Those that it does not go with are told before it, and it by itself where it
 * goes with none: all are told in the order in which they are put. */
void readings_put(struct readings *readings, struct task *task, const struct reading *reading);
#endif

/* task.h - what poller.c, task.c and unit.c share; nobody else includes it.
 *
 * unit: a device at work. task: one of its groups on the schedule. row: one row of a table
 * (or the scalars). track: one series with the next slot to close. */
#ifndef PW_TASK_H
#define PW_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>
#include "base/loop.h"
#include "core/driver.h"
#include "core/poller.h"
#include "core/tracks.h"

struct row {
	uint32_t number;
	struct tracks tracks;        /* one a point */
	int64_t seen;                /* the slot in which it was last seen */
	int64_t gone_since;          /* wall ns of the first complete poll without it; 0 */
	bool ended;                  /* retired: has no slots until it is seen again */
	char key[];
};

struct task {
	struct poller *poller;
	struct unit *unit;
	const struct group *group;
	int driver;                  /* index into poller->parts.drivers */
	struct loop_timer timer;     /* the next due time */
	struct loop_timer *refused;  /* ends a poll that cannot even begin; NULL: all could */
	int64_t phase;               /* ns within the interval */
	int64_t due;                 /* the slot that `timer` stands for */
	int64_t slot;                /* the one in work, or the last */
	int64_t skipped;             /* last slot that came due while busy; 0 = none */
	uint8_t gap;                 /* why slots before the next one were not polled */
	bool held;                   /* came a whole slot late, so the next one is waited for */
	bool busy, base;             /* base: has the device's own interval */
	uint32_t asked, answered;    /* exchanges of this poll */
	uint8_t unanswered;          /* why the last of them had no answer; REASON_GOOD: not said */
	bool told_refusal;
	void *work;                  /* the driver's */
	struct row *scalar;
	struct row **rows;
	uint32_t row_count, row_room;
	uint32_t next_row;           /* which one is probably told next */
	uint32_t *by_key;            /* number + 1, 0: free; open addressing */
	uint32_t key_room;           /* 2^n, or 0 */
};

#define UNIT_ERROR 160 /* octets of last_error */

enum { UNIT_UP, UNIT_RTT, UNIT_LOSS, UNIT_TRACKS };

struct unit {
	UT_hash_handle hh;           /* by name */
	struct poller *poller;
	struct inventory *inventory; /* one reference */
	const struct device *device;
	void *states[POLLER_DRIVERS]; /* the drivers', by index; NULL: not used or refused */
	bool attached[POLLER_DRIVERS];
	bool silent[POLLER_DRIVERS];  /* did not answer at its last poll */
	struct task **tasks;
	size_t task_count;
	struct track tracks[UNIT_TRACKS];
	int64_t slot;                /* whose health is being gathered; 0 = none */
	int pending;                 /* base tasks of that slot still at work */
	uint64_t asked, answered;
	int64_t rtt_sum;
	uint8_t excuse;              /* an unmeasured reason when nothing was asked */
	uint8_t silence;             /* why nothing was answered; REASON_GOOD: not known yet */
	uint8_t gap;
	int up;                      /* 1, 0, -1 not known yet */
	bool degraded;
	bool paused;                 /* nothing was asked, on purpose */
	uint32_t missed;             /* polls since it went down */
	int64_t down_since, answered_at; /* wall ns */
	double last_rtt, last_loss;
	int64_t lateness;            /* ns: latest start of a poll since self was read */
	char *last_error;            /* NULL: none yet */
	char **info_names, **info_texts;
	size_t info_count;
	bool kept;                   /* while reconfiguring */
};

/* Of many lines that say the same of many devices at once, e.g. behind one dead switch, some
 * are said and the rest is counted. */
struct burst {
	unsigned lines, unsaid;
};

struct poller {
	struct poller_parts parts;
	struct inventory *inventory;
	struct unit *units;
	int64_t *recovered;          /* by series id: next slot, 0 = nothing known */
	size_t recovered_count;
	uint8_t missed;              /* why slots before the first configuration were not polled */
	struct poller_counters counters;
	struct loop_timer quiet;     /* ends the bursts of lines */
	struct burst down, back;     /* "no answer", "answers again" */
};

/* task.c */
void task_prepare(struct poller *poller); /* before the first of its tasks */
struct task *task_new(struct unit *unit, const struct group *group, uint8_t gap);
void task_free(struct task *task);   /* remembers its next slots in poller->recovered */
void task_open(struct task *task);   /* once the driver's device state is there */
void task_schedule(struct task *task); /* sets due and timer from the clock */
struct row *task_make_row(struct task *task, const char *key);
void task_each_track(const struct task *task,
	void (*each)(const struct track *track, void *arg), void *arg);
void track_close(struct poller *poller, struct track *track, const struct sample *sample);
void track_close_until(struct poller *poller, struct track *track, int64_t end, uint8_t reason);
void track_init(struct poller *poller, struct track *track, const struct series *wanted, int64_t first);
/* NULL where the catalogue refused it; lent, see series_show. */
const struct series *track_series(const struct poller *poller, const struct track *track);
void track_forget(struct poller *poller, const struct track *track);

/* unit.c: up, rtt and loss */
void unit_open_health(struct unit *unit);
void unit_begin(struct unit *unit, int64_t slot);
void unit_end(struct unit *unit, struct task *task, uint8_t rest);
void unit_view(const struct unit *unit, int64_t wall, struct device_view *view);
#endif

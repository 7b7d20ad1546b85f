/* task.h - what poller.c, task.c and unit.c share; nobody else includes it.
 *
 * unit: a device at work. task: one of its groups on the schedule. row: one row of a table
 * (or the scalars). track: one series with the next slot to close. */
#ifndef PW_TASK_H
#define PW_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/loop.h"
#include "base/shelf.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/kin.h"
#include "core/poller.h"
#include "core/tracks.h"

struct row {
	struct tracks tracks;        /* one a point */
	int64_t gone_since;          /* mono of the first complete poll without it; 0 */
	uint32_t number;
	uint32_t seen;               /* the slot in which it was last seen */
	bool ended;                  /* retired: has no slots until it is seen again */
	char key[];
};

/* A poll that is over, of a table with more rows to close than are closed at once. */
struct closing {
	TAILQ_ENTRY(closing) entry;
	struct task *task;
	uint32_t at;                 /* rows before this one are closed */
	uint32_t until;              /* slots before this one as overrun; 0: what was not read */
	uint8_t rest, unread;        /* as task_done was told, and what that is for a slot */
};

/* Of a table; moves when it grows. */
struct rows {
	struct closing *closing;     /* NULL: none is */
	uint32_t ending;             /* rows that were given up in this poll */
	uint32_t count, room;
	uint32_t next;               /* which one is probably told next */
	uint32_t closed;             /* slots before this one are closed, of all that have not ended;
	                              * 0: not known. A row that comes or comes back does so in a
	                              * poll, whose slot is its first, and that is no earlier one */
	uint32_t key_room;           /* 2^n, or 0 */
	uint32_t *by_key;            /* number + 1, 0: free; open addressing */
	struct row *list[];
};

/* A member of its unit. There are as many as devices, and each is met after thousands of
 * others, so it is small, and what one poll touches stands together. Slots are numbers of
 * 32 bits, as in struct track. */
struct task {
	struct loop_timer timer;     /* the next due time */
	union {
		void *work;          /* the driver's */
		struct loop_timer *refusal; /* `refused`: ends a poll that cannot even begin */
	};
	union {
		struct tracks scalars; /* one a point */
		struct rows *rows;   /* of a table */
	};
	void *state;                 /* the driver's, of the device; NULL: refused */
	uint32_t phase;              /* LOOP_TICKs within the interval */
	uint32_t due;                /* the slot that `timer` stands for */
	uint32_t slot;               /* the one in work, or the last */
	uint32_t skipped;            /* last slot that came due while busy; 0 = none */
	uint32_t asked, answered;    /* exchanges of this poll */
	uint16_t place;              /* among those of its unit */
	uint8_t unanswered;          /* why the last of them had no answer; REASON_GOOD: not said */
	uint8_t gap;                 /* why slots before the next one were not polled */
	uint8_t driver;              /* index into poller->parts.drivers */
	bool table : 1;              /* has rows */
	bool busy : 1;
	bool base : 1;               /* has the device's own interval */
	bool held : 1;               /* came a whole slot late, so the next one is waited for */
	bool refused : 1;
};

#define UNIT_ERROR 160 /* octets of last_error */

enum { UNIT_UP, UNIT_RTT, UNIT_LOSS, UNIT_TRACKS };

/* Of a device that was in trouble since it answered last. */
struct trouble {
	int64_t down_since;          /* wall ns */
	uint32_t missed;             /* polls since then */
	uint32_t slot;               /* of the poll that told last_error */
	uint16_t place;              /* of its task */
	char last_error[UNIT_ERROR]; /* "": none yet */
};
struct unit_infos {
	char **names, **texts;       /* in the order in which they were first told */
	uint32_t *by_name;           /* place there and 1, 0: free; open addressing */
	size_t count, room;          /* 2^n, or 0: of all three */
};
/* What few devices have, or only for a time. */
struct unit_more {
	struct trouble *trouble;     /* NULL: none */
	struct unit **parents;       /* NULL-ended; NULL: none, or not all are polled */
	struct unit_infos infos;
	struct track *health;        /* see struct unit */
	bool watched;                /* its own metrics are points as well: see self.h */
	uint32_t lateness;           /* us: latest start of a poll since self was read; if watched */
};
struct unit {
	struct poller *poller;
	const struct device *device;
	int64_t rtt_sum;
	int64_t answered_at;         /* wall ns */
	uint32_t slot;               /* whose health is being gathered; 0 = none */
	uint32_t asked, answered;
	uint16_t pending;            /* base tasks of that slot still at work */
	uint16_t task_count;
	uint8_t excuse;              /* an unmeasured reason when nothing was asked */
	uint8_t silence;             /* why nothing was answered; REASON_GOOD: not known yet */
	uint8_t gap;
	uint8_t silent;              /* a bit a driver: did not answer at its last poll */
	int8_t up;                   /* 1, 0, -1 not known yet */
	bool degraded : 1;           /* as the last slot whose polls are over */
	bool ailing : 1;             /* so far in this one */
	bool paused : 1;             /* nothing was asked, on purpose */
	bool barred : 1;             /* at its last poll it answered, but not with what we asked for: REASON_AUTH */
	bool barring : 1;            /* so far in this one */
	/* Of up, rtt and loss: nearly always their ids follow this one, and all wait for the same slot.
	 * Else each stands in more->health, and this is 0. */
	struct track health;
	uint32_t last_rtt;           /* 100 ns; UNIT_UNKNOWN */
	uint32_t last_loss;          /* millionths of a percent; UNIT_UNKNOWN */
	struct unit_more *more;      /* NULL: nothing of it */
	struct task tasks[];
};
#define UNIT_UNKNOWN UINT32_MAX
#define UNIT_SHELVES 4 /* by the number of tasks, from 1: those with more are few */
_Static_assert(POLLER_DRIVERS <= 8, "unit->silent has a bit for each");

static inline struct unit *
task_unit(const struct task *task)
{
	const struct task *first = task - task->place;

	return (struct unit *)((uintptr_t)first - offsetof(struct unit, tasks));
}
/* Tasks stand in the order of their device's groups. */
static inline const struct group *
group_of(const struct task *task)
{
	return &task_unit(task)->device->groups[task->place];
}
static inline struct trouble *
unit_troubled(const struct unit *unit) /* NULL: it is in none */
{
	return unit->more != NULL ? unit->more->trouble : NULL;
}
static inline struct unit *const *
unit_parents(const struct unit *unit) /* see struct unit_more */
{
	return unit->more != NULL ? unit->more->parents : NULL;
}

/* An inventory that units point into, and how many of them do. */
struct lender {
	struct inventory *inventory; /* one reference */
	uint32_t units;
};

/* Of many lines that say the same of many devices at once, e.g. behind one dead switch, some
 * are said and the rest is counted. */
struct burst {
	unsigned lines, unsaid;
};

struct poller {
	struct poller_parts parts;
	struct inventory *inventory;
	struct shelf shelves[UNIT_SHELVES];
	struct unit **units;         /* in the order of the inventory that brought them */
	uint32_t unit_count, lender_count;
	struct lender *lenders;      /* few, in no order: a reload leaves the one before it in use */
	int64_t *recovered;          /* by series id: next slot, 0 = nothing known */
	size_t recovered_count;
	uint8_t missed;              /* why slots before the first configuration were not polled */
	struct poller_counters counters;
	struct loop_timer quiet;     /* ends the bursts of lines */
	struct burst down, back;     /* "no answer", "answers again" */
	struct burst barred, read;   /* "cannot be read", "can be read again" */
	TAILQ_HEAD(, closing) closings;
	struct loop_timer more;      /* goes on with them */
};

/* task.c */
void task_prepare(struct poller *poller); /* before the first of its tasks */
void task_init(struct task *task, struct unit *unit, uint8_t gap, struct kin_rank rank);
void task_close(struct task *task);  /* remembers its next slots in poller->recovered */
void task_open(struct task *task);   /* once the driver's device state is there */
void task_schedule(struct task *task); /* sets due and timer from the clock */
struct row *task_make_row(struct task *task, const char *key);
/* The driver's of that index; NULL: not used, or refused. */
void *unit_state(const struct unit *unit, int driver);
struct trouble *unit_trouble(struct unit *unit); /* made if there is none */
struct unit_more *unit_more(struct unit *unit);  /* the same */
void unit_well(struct unit *unit);               /* in no trouble any more */
void task_each_track(const struct task *task,
	void (*each)(const struct track *track, void *arg), void *arg);
void track_close(struct poller *poller, struct track *track, const struct sample *sample);
void track_close_until(struct poller *poller, struct track *track, int64_t end, uint8_t reason);
void track_init(struct poller *poller, struct track *track, const struct series *wanted, int64_t first);
/* NULL where the catalogue refused it; lent, see series_show. */
const struct series *track_series(const struct poller *poller, const struct track *track);
void track_forget(struct poller *poller, const struct track *track);

/* unit.c: up, rtt and loss */
/* All its parents are known to be down, and it has not answered since: its silence is theirs. */
bool unit_behind(const struct unit *unit);
/* The ids of up, rtt and loss next to those of its scalars: they are told one after the other. */
void unit_number_health(const struct unit *unit);
void unit_open_health(struct unit *unit);
void unit_each_track(const struct unit *unit,
	void (*each)(const struct track *track, void *arg), void *arg);
void unit_begin(struct unit *unit, int64_t slot);
void unit_end(struct unit *unit, struct task *task, uint8_t rest);
void unit_view(const struct unit *unit, int64_t wall, struct device_view *view);
#endif

/* alarms.h - everything that is watched, and everything that is wrong at the moment.
 *
 * Fed with each closed slot; a timer each second serves what only ages. Watched are the
 * thresholds of the configuration (rule.h), `up` of every device (outage.h) and the state of
 * every path. Each change is a KIND_ALARM record (transition.h) first; then `changed` is
 * told, and whoever sends notices waits for the record's commit. */
#ifndef PW_ALARMS_H
#define PW_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "alarm/rule.h"
#include "alarm/transition.h"
#include "core/feed.h"
#include "journal/record.h"
struct alarms;
struct frozen;
struct inventory;
struct latest;
struct loop;
struct path_view;
struct paths;
struct state;

struct alarms_options {
	struct loop *loop;
	const struct frozen *frozen; /* who judges what stands still; may be NULL */
	const struct paths *paths; /* for path, root hop and budget of an alarm; may be NULL */
	/* Writes to the journal: its sequence number, 0 when it takes nothing now. */
	uint64_t (*record)(void *arg, enum record_kind kind, const void *body, size_t size);
	/* The alarm hook: transition was given to the journal as record number `journal`.
	 * May be NULL. */
	void (*changed)(void *arg, const struct transition *transition, uint64_t journal);
	/* Series by id, for what is replayed, until the next call; NULL result: not known. */
	const struct series *(*series)(void *arg, uint32_t id);
	/* The same for as long as there are series, for what is watched; NULL: `series` does that. */
	const struct series *(*keep)(void *arg, uint32_t id);
	void *arg; /* of all four */
	struct latest *latest; /* when a series was heard that no rule was about; may be NULL */
	struct state *state; /* which devices were introduced (alarm/intro.h); may be NULL */
};

/* The inventory must live until alarms_configure or alarms_free; thresholds in it are
 * struct rule_options. */
struct alarms *alarms_new(const struct alarms_options *options, const struct inventory *inventory);
void alarms_free(struct alarms *alarms);

/* At start, in this order: every record from the newest snapshot on, then begin (the journal
 * must take records by then). Takes KIND_ALARM_STATE, KIND_ALARM, KIND_NUMBERS, KIND_ROWS,
 * KIND_SAMPLES and KIND_RUN; -1: damaged. */
int alarms_replay(struct alarms *alarms, const struct record *record);
void alarms_begin(struct alarms *alarms);

/* A new inventory: what is no longer watched is cleared ("rule removed"), a severity that
 * changed is told, all else goes on. The old one must still be there during the call. */
void alarms_configure(struct alarms *alarms, const struct inventory *inventory);

struct feed_listener alarms_listener(struct alarms *alarms);
/* For paths_on_change; arg is the struct alarms. */
void alarms_path_changed(void *arg, const struct path_view *view);

/* What the poller says of itself; text NULL: all is well. Raised after 2 s and cleared after
 * 10 s as the alarm "poller-impaired/journal" and so on, tried until the journal takes it. */
enum trouble { TROUBLE_JOURNAL, TROUBLE_STORE, TROUBLE_CLOCK, TROUBLE_ADDRESS, TROUBLES };
void alarms_trouble(struct alarms *alarms, enum trouble trouble, const char *text);

/* Wall jumped forward by delta: ages go on as if it had not. Less than 0: nothing to do. */
void alarms_clock_stepped(struct alarms *alarms, int64_t delta);

/* The poller's own notices: CONDITION_STARTED (after begin), CONDITION_STOPPING. lost: what
 * notify gave up so far. False when the journal takes nothing. */
bool alarms_announce(struct alarms *alarms, enum condition condition, uint32_t lost);

/* KIND_ALARM_STATE: u32 next sequence, u32 next id, u32 open alarms, each as in
 * transition.h; u32 running `for` timers, each text rule, u32 series, i64 since; u32 silent
 * devices, each text name, u32 lost slots, i64 first told. */
void alarms_snapshot(const struct alarms *alarms,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg);

/* What the alarms command shows; texts are valid during the call. */
struct alarm_view {
	const char *key, *condition; /* condition: device-down, path-impaired, or the rule's name */
	uint32_t id;
	enum severity severity;
	const char *device, *object, *path; /* "" when there is none */
	const char *value, *threshold, *unit;
	int64_t since; /* wall ns */
	const char *text;
	bool suppressed;
	const char *root, *owner, *place;
};
void alarms_each(const struct alarms *alarms,
	void (*each)(void *arg, const struct alarm_view *view), void *arg); /* oldest first */
size_t alarms_count(const struct alarms *alarms);
uint32_t alarms_next_sequence(const struct alarms *alarms);
#endif

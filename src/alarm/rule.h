/* rule.h - a threshold as configured, and what each new value makes of it.
 *
 * Pure: no clock, no memory, no notices. Hysteresis as in RMON (RFC 2819, alarmTable): one
 * event when the limit is crossed, and armed again only after `clear` was reached. Unknown
 * values never raise and never clear; missing data is a rule of its own. States are compared
 * as the numbers that their words stand for; changes are counted between good values. */
#ifndef PW_RULE_H
#define PW_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/severity.h"
struct point_state;

enum rule_kind { RULE_ABOVE, RULE_BELOW, RULE_NO_DATA, RULE_IS, RULE_IS_NOT, RULE_CHANGES,
	RULE_FROZEN, RULE_UNCHANGED };
#define RULE_CHANGES_MAX 60

struct rule_options {
	const char *name;
	const char *on;          /* glob over point paths; templates' rules already carry the device */
	enum rule_kind kind;
	double limit;            /* breached when value >= limit (above) or <= limit (below) */
	double clear;            /* back when value <= clear (above) or >= clear (below) */
	int64_t hold;            /* ns that the breach must last (`for`); no data: its age; frozen,
	                          * unchanged: without a change, which core/frozen judges */
	const struct point_state *states; /* is, is_not: these */
	size_t state_count;
	const struct point_state *words;  /* all that the points have, for texts; may be NULL */
	size_t word_count;
	unsigned changes;        /* breached by so many, 2 .. RULE_CHANGES_MAX, ... */
	int64_t within;          /* ... in so many ns; back when nothing changed for as long */
	const char *const *moving; /* unchanged: globs of points that move meanwhile */
	size_t moving_count;
	bool marks_self;         /* frozen, unchanged: their samples become `frozen`, ... */
	const char *const *marks; /* ... and those of these globs */
	size_t mark_count;
	enum severity severity;
	bool standard;           /* of a template, by alarms = "standard" */
	const char *help;        /* "" when not given */
	const char *text, *place, *owner; /* "": the device's */
	const char *file;
	int line;
};

enum rule_verdict {
	RULE_UNKNOWN,  /* no number: decides nothing */
	RULE_BETWEEN,  /* neither at the limit nor at `clear` */
	RULE_BREACHED, /* at or behind the limit */
	RULE_BACK,     /* at or behind `clear` */
};
/* Where one value stands. Rules about missing data, changes and what stands still judge no
 * single value: RULE_UNKNOWN. */
enum rule_verdict rule_judge(const struct rule_options *rule, double value);

/* What a rule remembers of one series; all zero at first, rule_forget at the end. */
struct rule_changes;
struct rule_state {
	bool open;
	int64_t since; /* wall ns of the first breach without a contrary sample after it; 0 none */
	struct rule_changes *changes; /* RULE_CHANGES, from the first value on */
};
void rule_forget(struct rule_state *state);
enum rule_event { RULE_NOTHING, RULE_RAISE, RULE_CLEAR };

/* Takes the value that belongs to wall time `time` (the slot's) and says what is due. `hold`
 * runs in sample time: it is reached when a breaching sample lies that long behind the first
 * one and no sample between them said otherwise. `state.open` is the caller's to change once
 * the event was written down; until then the next sample gives the same event again. */
enum rule_event rule_sample(const struct rule_options *rule, struct rule_state *state,
	double value, int64_t time);

/* The word for a value, NULL when it has none. */
const char *rule_word(const struct rule_options *rule, double value);

/* The same for a no-data rule: `age` is how long ago the newest good sample came. */
enum rule_event rule_age(const struct rule_options *rule, const struct rule_state *state,
	int64_t age);
#endif

/* rule.h - a threshold as configured, and what each new value makes of it.
 *
 * Pure: no clock, no memory, no notices. Hysteresis as in RMON (RFC 2819, alarmTable): one
 * event when the limit is crossed, and armed again only after `clear` was reached. Unknown
 * values never raise and never clear; missing data is a rule of its own. */
#ifndef PW_RULE_H
#define PW_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/severity.h"

enum rule_kind { RULE_ABOVE, RULE_BELOW, RULE_NO_DATA };

struct rule_options {
	const char *name;
	const char *on;          /* glob over point paths; templates' rules already carry the device */
	enum rule_kind kind;
	double limit;            /* breached when value >= limit (above) or <= limit (below) */
	double clear;            /* back when value <= clear (above) or >= clear (below) */
	int64_t hold;            /* ns that the breach must last (`for`); no data: its age */
	enum severity severity;
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
/* Where one value stands. A no-data rule judges no values: RULE_UNKNOWN. */
enum rule_verdict rule_judge(const struct rule_options *rule, double value);

/* What a rule remembers of one series. */
struct rule_state {
	bool open;
	int64_t since; /* wall ns of the first breach without a contrary sample after it; 0 none */
};
enum rule_event { RULE_NOTHING, RULE_RAISE, RULE_CLEAR };

/* Takes the value that belongs to wall time `time` (the slot's) and says what is due. `hold`
 * runs in sample time: it is reached when a breaching sample lies that long behind the first
 * one and no sample between them said otherwise. `state.open` is the caller's to change once
 * the event was written down; until then the next sample gives the same event again. */
enum rule_event rule_sample(const struct rule_options *rule, struct rule_state *state,
	double value, int64_t time);

/* The same for a no-data rule: `age` is how long ago the newest good sample came. */
enum rule_event rule_age(const struct rule_options *rule, const struct rule_state *state,
	int64_t age);
#endif

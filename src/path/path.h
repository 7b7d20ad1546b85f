/* path.h - a data path: PLC, switch port, core, MES; as configured, and what state it is in.
 *
 * A path is impaired when data from one of its sources is late, or when all alternatives of
 * one hop are bad; degraded when only some alternatives are; unknown when we did not measure
 * it ourselves. The root hop is the first one in order that is found in trouble and is not
 * just behind another one (all its parents in trouble too). */
#ifndef PW_PATH_H
#define PW_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/severity.h"

/* One hop: devices or points of which one is enough ("core-a" or "core-b"). */
struct path_hop {
	const char *const *names; /* device names or point paths */
	size_t count;
};
struct path_options {
	const char *name;
	const char *const *sources; /* globs over point paths: the data that must flow */
	size_t source_count;
	const struct path_hop *hops;
	size_t hop_count;
	int64_t max_age;      /* ns; 0: late is what lost two slots in a row */
	double availability;  /* target in percent, 0 = none */
	int64_t window;       /* ns over which it is judged, 24 h */
	enum severity severity;
	const char *place, *owner, *asset, *text, *help; /* "" when not given */
	const char *file;
	int line;
};

enum path_state { PATH_UNKNOWN, PATH_UP, PATH_DEGRADED, PATH_IMPAIRED };
const char *path_state_word(enum path_state state); /* unknown up degraded impaired */

/* What others see of a path; texts are valid during the call that shows it. */
struct path_view {
	const char *name;
	enum path_state state;
	int64_t since;        /* wall ns of the last change of state */
	const char *root;     /* hop in trouble as configured, "" when none is known */
	const char *evidence; /* one line, "" when there is nothing to say */
	double availability, coverage, worst; /* percent over the window, NaN without slots */
	double target;        /* percent, 0 = none */
	double budget_left;   /* percent of the allowed loss, NaN = none; see account_budget */
	bool proven;          /* coverage is 99 % or more */
	int64_t age;          /* ns of the oldest source's newest good sample, -1 = never */
	enum severity severity;
	const char *place, *owner, *help;
};
#endif

/* path.h - a data path as configured: PLC, switch port, core, MES; and what state it is in. */
#ifndef PW_PATH_H
#define PW_PATH_H

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
	int64_t max_age;      /* ns */
	double availability;  /* target in percent, 0 = none */
	int64_t window;       /* ns over which it is judged, 24 h */
	enum severity severity;
	const char *place, *owner, *asset, *text, *help; /* "" when not given */
	const char *file;
	int line;
};
#endif

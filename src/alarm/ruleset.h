/* ruleset.h - which thresholds may concern a device.
 *
 * Templates give each device rules of its own, so a plant has as many as it has devices;
 * holding every new series against all of them would take minutes. A rule whose glob begins
 * with a whole device name ("press-3/...") stands with that device, any other with all. */
#ifndef PW_RULESET_H
#define PW_RULESET_H

#include <stddef.h>
struct rule_options;

struct ruleset {
	const struct rule_options **rules; /* those of all devices first, then by device name */
	size_t count, general;
};

/* The rules stay the caller's and must outlive the set. */
void ruleset_open(struct ruleset *set, const struct rule_options *rules, size_t count);
void ruleset_close(struct ruleset *set);
/* Those that name this device; *first is where they begin. */
size_t ruleset_of(const struct ruleset *set, const char *device,
	const struct rule_options *const **first);
#endif

/* breaches.h - what the rules of alarms = "standard" would say now, by the newest values of a
 * running daemon: which of them its configuration may not have switched on yet.
 *
 * Looks at single values: a rule that wants a breach to last, or counts changes, is not waited
 * for; the one counts as breached, the other not. */
#ifndef PW_BREACHES_H
#define PW_BREACHES_H

#include <stdbool.h>
#include <stddef.h>
struct inventory;
struct series_catalogue;

struct breach_kind {
	const char *rule; /* the inventory's */
	size_t count;
};
struct breaches {
	size_t rules;     /* of alarms = "standard" */
	bool known;       /* a daemon runs */
	size_t count;
	size_t unknown;   /* points whose values a rule would judge, but that have none now */
	struct breach_kind *kinds; /* by name */
	size_t kind_count;
};
/* catalogue may be NULL: then nothing is known. */
void breaches_find(struct breaches *breaches, const struct inventory *inventory,
	const struct series_catalogue *catalogue);
void breaches_free(struct breaches *breaches);
#endif

/* notices.h - holds the alarms of a year to their promises, over every kill: what is committed
 * has numbers without a gap, one content each, and no alarm is raised twice or cleared unraised. */
#ifndef PW_SCENARIO_NOTICES_H
#define PW_SCENARIO_NOTICES_H

#include <stddef.h>
#include <stdint.h>
struct transition;

struct notices {
	/* given to the journal, not committed yet */
	struct notice *waiting;
	size_t waiting_count, waiting_room;
	struct raised *raised; /* by key */
	size_t raised_count, raised_room;
	uint32_t last;         /* number of the newest committed one that is told */
	uint64_t told, raises, lost, errors;
	char first_error[300];
};

void notices_changed(struct notices *notices, const struct transition *transition, uint64_t journal);
void notices_committed(struct notices *notices, uint64_t journal);
void notices_killed(struct notices *notices); /* what waits has never been sent */
size_t notices_open(const struct notices *notices);
#endif

/* own.h - what is wrong with the poller itself: one alarm each for the journal, the store,
 * the clock and an address that devices are asked from, "poller-impaired/journal" and so on. Used by alarms.c.
 *
 * A trouble that is gone within seconds is no alarm, and one that comes back within seconds
 * is no new one. What the journal does not take is tried again each second. */
#ifndef PW_OWN_H
#define PW_OWN_H

#include <stdbool.h>
#include <stdint.h>
#include "alarm/alarms.h"
struct book;

struct own_trouble {
	bool told;     /* something is known about it in this run */
	bool is;       /* wrong at the moment */
	int64_t since; /* mono ns of the last change of `is` */
	char text[200];
};
struct own {
	struct book *book;
	struct own_trouble troubles[TROUBLES];
};

/* text NULL: all is well. */
void own_set(struct own *own, enum trouble trouble, const char *text);
/* Each second: raises and clears. */
void own_tick(struct own *own);
#endif

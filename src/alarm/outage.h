/* outage.h - devices that do not answer: down after two lost slots of `up` in a row, back
 * with the first good one; and who is only behind whom.
 *
 * A device whose parents are all down is listed but not told (suppressed, root = the
 * parent). When it is silent before its parents' own verdict, it waits for that: one round
 * of the slowest parent at most. Used by alarms.c. */
#ifndef PW_OUTAGE_H
#define PW_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "alarm/book.h"
struct device;
struct inventory;

#define OUTAGE_SLOTS 2

struct host {
	const struct device *device;
	uint32_t bad;       /* lost slots of `up` in a row */
	int64_t bad_at;     /* wall ns when the first of them was told */
	int64_t good_at;    /* wall ns of the newest good one, 0 never */
	int64_t back_at;    /* wall ns of the last return */
	int64_t waiting;    /* wall ns since when the parents' verdict is waited for, 0 not */
	uint8_t reason;     /* newest lost reason of any series of the device */
	struct alarm *alarm;
};
struct outages {
	struct book *book;
	struct host *hosts; /* one a device, in the inventory's order */
	size_t count;
	const struct inventory *inventory;
	/* Fills what all drafts have: device, address, owner, place, path, budget. */
	void (*describe)(void *arg, struct transition *draft, const struct device *device);
	void *arg;
};

void outages_open(struct outages *outages, const struct inventory *inventory);
void outages_close(struct outages *outages); /* frees the hosts */
struct host *outages_find(const struct outages *outages, const char *device);
/* Ties the open alarms to their hosts, after a replay or a reload. */
void outages_attach(struct outages *outages);

/* slots closed slots of `up`; live = false while records are replayed: only remembers. */
void outages_tell(struct outages *outages, struct host *host, bool good, uint32_t slots,
	int64_t told, bool live);
/* Each second: those that wait, and those that the journal did not take. */
void outages_tick(struct outages *outages);
#endif

/* outage.h - devices that do not answer: down after two lost slots of `up` in a row, back
 * with the first good one; and who is only behind whom.
 *
 * A device whose parents are all down is listed but not told (suppressed, root = the
 * parent), unless it has answered since the last of them went down: then it has another way, or
 * they forward though they do not answer us. When it is silent before its parents' own verdict, it waits for that: one round
 * of the slowest parent at most. Used by alarms.c. */
#ifndef PW_OUTAGE_H
#define PW_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "alarm/book.h"
struct device;
struct inventory;

#define OUTAGE_SLOTS 2

/* Its member is outage.c's. */
struct host {
	/* Of one that answers, and did since the start: when its newest good slot of `up` was told, wall
	 * ns, with the last bit set in its place. Else its struct ordeal, whose last bit is none; 0:
	 * neither. There are as many as devices. */
	uint64_t last;
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
const struct device *outages_device(const struct outages *outages, const struct host *host);
struct alarm *host_alarm(const struct host *host); /* NULL: it is not down */
uint32_t host_bad(const struct host *host);        /* lost slots of `up` in a row */
int64_t host_bad_at(const struct host *host);      /* wall ns when the first of them was told */
int64_t host_back_at(const struct host *host);     /* 0: it was not down */
void host_lost(struct host *host, uint8_t reason); /* so is a series of the device */
void host_recall(struct host *host, uint32_t bad, int64_t bad_at); /* from a snapshot */
/* From one inventory to the next: what is known of a device goes on. */
void outages_keep(struct outages *outages, struct outages *former);
void outages_clock_stepped(struct outages *outages, int64_t delta);
/* After a replay: old evidence alone raises nothing, one fresh lost slot has to confirm it. */
void outages_doubt(struct outages *outages);
/* Ties the open alarms to their hosts, after a replay or a reload. */
void outages_attach(struct outages *outages);

/* slots closed slots of `up`; live = false while records are replayed: only remembers. */
void outages_tell(struct outages *outages, struct host *host, bool good, uint32_t slots,
	int64_t told, bool live);
/* Each second: those that wait, and those that the journal did not take. */
void outages_tick(struct outages *outages);
#endif

/* notify.h - brings each committed transition to all receivers, whatever happens between.
 *
 * A notice is sent only after its journal record is on disk. What a receiver has is a
 * KIND_NOTIFIED record (text name, u32 number: everything up to it), so after a restart the
 * rest is sent again, same number, same content. A receiver that is new in the configuration
 * gets what happens from then on. */
#ifndef PW_NOTIFY_H
#define PW_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
#include "journal/record.h"
struct inventory;
struct loop;
struct notify;
struct transition;

struct notify_options {
	struct loop *loop;
	/* Writes to the journal: its sequence number, 0 when it takes nothing now. */
	uint64_t (*record)(void *arg, enum record_kind kind, const void *body, size_t size);
	void *arg;
};

/* inventory: receivers (struct receiver_options) and poller.name, copied. A receiver that
 * cannot be set up is logged and left out. */
struct notify *notify_new(const struct notify_options *options, const struct inventory *inventory);
void notify_free(struct notify *notify);

/* At start, in this order: every record from the newest snapshot on, then begin, then
 * alarms_begin. Takes KIND_NOTIFY_STATE, KIND_ALARM, KIND_NOTIFIED; -1: damaged. */
int notify_replay(struct notify *notify, const struct record *record);
void notify_begin(struct notify *notify);
/* Receivers of the same name keep their queue; a new one gets what comes. */
void notify_configure(struct notify *notify, const struct inventory *inventory);

/* For alarms_options.changed; arg is the struct notify. */
void notify_changed(void *arg, const struct transition *transition, uint64_t journal);
/* For writer_events.committed: everything up to this record is on disk. */
void notify_committed(struct notify *notify, uint64_t journal);

/* KIND_NOTIFY_STATE: u32 newest number, u32 notices, each as in alarm/transition.h; u32
 * receivers, each text name, u64 lost, u32 waiting, that many u32 numbers. */
void notify_snapshot(struct notify *notify,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg);

/* Notices given up, all receivers. */
uint64_t notify_lost(struct notify *notify);

struct receiver_view {
	const char *name;
	struct net_addr address;
	uint8_t version;      /* 2 or 3 */
	const char *engine;   /* ours, in hexadecimal, of TRAPs by version 3; "" */
	bool inform, silent;
	int64_t silent_since; /* wall ns; valid when silent */
	size_t waiting;
	uint64_t sent, done, repeated, lost;
};
void notify_each(struct notify *notify,
	void (*each)(void *arg, const struct receiver_view *view), void *arg);
#endif

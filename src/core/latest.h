/* latest.h - the newest slot of every series, readable by others without asking anybody.
 *
 * RUN_DIR/latest is a mapped file: a header and one row per series id, each under a sequence
 * lock; RUN_DIR/latest.text holds text values. The poller is the only writer. It survives
 * kill -9 of the poller, so rate bases go on; it need not survive a reboot. */
#ifndef PW_LATEST_H
#define PW_LATEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/sample.h"
struct fail;
struct feed_listener;

#define LATEST_TEXT 120

struct latest_row {
	bool known;       /* something was ever told about this series */
	uint8_t reason;   /* of the newest closed slot */
	bool has_raw, beyond; /* as in struct sample; beyond not of counters, which have no sign */
	int64_t slot;
	int64_t received; /* wall ns of the newest closed slot, in whole 100 us */
	int64_t good_at;  /* of the newest good sample, 0 if never */
	double value;     /* NaN unless reason is good; of that slot */
	uint64_t raw;
	char text[LATEST_TEXT + 1]; /* text points; "" otherwise */
};

struct latest;
struct latest *latest_open_writer(const char *run_dir, struct fail *why);
struct latest *latest_open_reader(const char *run_dir, struct fail *why);
void latest_close(struct latest *latest);
/* A consistent copy; false when the series was never told about. */
bool latest_read(struct latest *latest, uint32_t id, struct latest_row *row);
/* The poller's process start (wall ns) and last sign of life, written each second. */
int64_t latest_heartbeat(const struct latest *latest);
void latest_beat(struct latest *latest, int64_t wall, int64_t mono);
/* What the former poller's wall would be by now, if it ran in this boot: 0 if not. */
int64_t latest_wall(const struct latest *latest, int64_t mono);

/* Writer: of series behind that id there is no entry in the catalogue, so what was told of them was
 * of others: entries that a former poller could not write before it was killed. */
void latest_forget_behind(struct latest *latest, uint32_t last);
/* Writer: the hook for the feed. */
struct feed_listener latest_listener(struct latest *latest);

/* Writer: the base of a counter's next rate. It is the newest reading that could be one: what
 * is told of a slot as its raw reading right afterwards is this. */
#define LATEST_BASE_UNIT INT64_C(1000) /* ns */
struct latest_base {
	bool known;
	bool milli;       /* count is in thousandths */
	uint64_t count;
	int64_t mono;     /* mono ns, meaningful within one boot; kept in whole LATEST_BASE_UNIT */
};
/* They are about to be told: their rows may be fetched from memory, all at a time. */
void latest_expect(const struct latest *latest, uint32_t first, uint32_t count);
/* In one: the former one is told, as latest_base_get does, and now->mono becomes what is kept. */
bool latest_base_swap(struct latest *latest, uint32_t id, struct latest_base *now,
	struct latest_base *former);
/* The same for neighbours that were read at one time, *mono. known false: that one is left alone;
 * what is told of the others is known where there was one. */
void latest_bases_swap(struct latest *latest, uint32_t first, uint32_t count,
	struct latest_base *bases, int64_t *mono);
/* The bases of neighbours, at most 64, where they are what they nearly always are: whole, and all
 * of one time, *mono. A bit for each such one, from the lowest on; counts has them at the same
 * places, and elsewhere means nothing. A sample_batch with `bases` replaces them. */
uint64_t latest_bases_alike(struct latest *latest, uint32_t first, uint32_t count,
	uint64_t *counts, int64_t *mono);
bool latest_base_get(const struct latest *latest, uint32_t id, struct latest_base *base);
void latest_base_set(struct latest *latest, uint32_t id, const struct latest_base *base);
void latest_base_drop(struct latest *latest, uint32_t id); /* its next rate has none to count from */
/* Bases were read for what the configuration of that number (not 0) says of their series. All are
 * dropped where it was another one; not with `keep`: those that it concerns were. */
void latest_bases_are_for(struct latest *latest, uint64_t config, bool keep);
#endif

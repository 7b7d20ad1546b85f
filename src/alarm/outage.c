#include "alarm/outage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/sample.h"

#define CAUSE_NO_ANSWER 505
/* How long a parent may take for its own verdict beyond two rounds: its time-outs. */
#define PARENT_GRACE (10 * LOOP_S)

/* Of one that does not answer, or has not until lately. */
struct ordeal {
	uint32_t bad;
	uint8_t reason;      /* newest lost reason of any series of the device */
	int64_t good_at;     /* wall ns when the newest good slot of `up` was told, 0 never */
	int64_t bad_at;
	int64_t back_at;     /* wall ns of the last return */
	int64_t waiting;     /* wall ns since when the parents' verdict is waited for, 0 not */
	struct alarm *alarm;
	int64_t down_at;     /* wall ns since when that is open; unlike its own, moves with the clock */
};

/* NULL: it is in none. */
static struct ordeal *
ordeal_in(const struct host *host)
{
	return (host->last & 1) != 0 ? NULL : (struct ordeal *)(uintptr_t)host->last;
}

static int64_t
good_at(const struct host *host)
{
	const struct ordeal *ordeal = ordeal_in(host);

	return ordeal != NULL ? ordeal->good_at : (int64_t)(host->last & ~UINT64_C(1));
}

static void
set_good_at(struct host *host, int64_t time)
{
	if (ordeal_in(host) != NULL)
		ordeal_in(host)->good_at = time;
	else
		host->last = time == 0 ? 0 : (uint64_t)time | 1;
}

void
outages_open(struct outages *outages, const struct inventory *inventory)
{
	outages->inventory = inventory;
	outages->count = inventory->device_count;
	outages->hosts = mem_array(outages->count, sizeof *outages->hosts);
}

void
outages_close(struct outages *outages)
{
	for (size_t h = 0; h < outages->count; h++)
		free(ordeal_in(&outages->hosts[h]));
	free(outages->hosts);
	outages->hosts = NULL;
	outages->count = 0;
}

struct host *
outages_find(const struct outages *outages, const char *name)
{
	const struct device *device = inventory_find(outages->inventory, name);

	return device == NULL ? NULL : &outages->hosts[device - outages->inventory->devices];
}

const struct device *
outages_device(const struct outages *outages, const struct host *host)
{
	return &outages->inventory->devices[host - outages->hosts];
}

struct alarm *
host_alarm(const struct host *host)
{
	return ordeal_in(host) == NULL ? NULL : ordeal_in(host)->alarm;
}

int64_t
host_back_at(const struct host *host)
{
	return ordeal_in(host) == NULL ? 0 : ordeal_in(host)->back_at;
}

uint32_t
host_bad(const struct host *host)
{
	return ordeal_in(host) == NULL ? 0 : ordeal_in(host)->bad;
}

int64_t
host_bad_at(const struct host *host)
{
	return ordeal_in(host) == NULL ? 0 : ordeal_in(host)->bad_at;
}

static struct ordeal *
ordeal_of(struct host *host)
{
	struct ordeal *ordeal = ordeal_in(host);

	if (ordeal != NULL)
		return ordeal;
	ordeal = mem_zero(sizeof *ordeal);
	ordeal->good_at = good_at(host);
	host->last = (uintptr_t)ordeal;
	return ordeal;
}

void
host_lost(struct host *host, uint8_t reason)
{
	ordeal_of(host)->reason = reason;
}

void
host_recall(struct host *host, uint32_t bad, int64_t bad_at)
{
	if (bad == 0 && ordeal_in(host) == NULL)
		return;
	ordeal_of(host)->bad = bad;
	ordeal_of(host)->bad_at = bad_at;
}

void
outages_keep(struct outages *outages, struct outages *former)
{
	for (size_t h = 0; h < former->count; h++) {
		struct host *old = &former->hosts[h];
		struct host *host = outages_find(outages, outages_device(former, old)->name);

		if (host == NULL)
			continue;
		*host = *old;
		old->last = 0;
		if (ordeal_in(host) != NULL)
			ordeal_in(host)->alarm = NULL;
	}
}

static void
shift(int64_t *time, int64_t delta)
{
	if (*time != 0)
		*time += delta;
}

void
outages_clock_stepped(struct outages *outages, int64_t delta)
{
	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];
		struct ordeal *ordeal = ordeal_in(host);

		if (good_at(host) != 0)
			set_good_at(host, good_at(host) + delta);
		if (ordeal == NULL)
			continue;
		shift(&ordeal->bad_at, delta);
		shift(&ordeal->back_at, delta);
		shift(&ordeal->waiting, delta);
		shift(&ordeal->down_at, delta);
	}
}

void
outages_doubt(struct outages *outages)
{
	for (size_t h = 0; h < outages->count; h++) {
		struct ordeal *ordeal = ordeal_in(&outages->hosts[h]);

		if (ordeal != NULL && ordeal->alarm == NULL && ordeal->bad >= OUTAGE_SLOTS)
			ordeal->bad = OUTAGE_SLOTS - 1;
	}
}

static void
host_key(const struct outages *outages, const struct host *host, char *to, size_t size)
{
	transition_key(to, size, condition_word(CONDITION_DEVICE_DOWN),
		outages_device(outages, host)->name);
}

void
outages_attach(struct outages *outages)
{
	char key[ALARM_KEY + 1];

	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];
		struct alarm *alarm;

		host_key(outages, host, key, sizeof key);
		alarm = book_find(outages->book, key);
		if (alarm != NULL || ordeal_in(host) != NULL)
			ordeal_of(host)->alarm = alarm;
		if (alarm != NULL && ordeal_in(host)->down_at == 0)
			ordeal_in(host)->down_at = alarm->last.since;
	}
}

enum parents { PARENTS_ALIVE, PARENTS_DOWN, PARENTS_UNDECIDED };

/* root: the highest known cause, where all parents are down. What was told before the newest of
 * their verdicts counts as from before: a switch that goes down is silent before it forwards no
 * more, and those behind it answer on meanwhile. */
static enum parents
look_at_parents(const struct outages *outages, const struct host *host, const char **root)
{
	const char *const *names = device_parents(outages_device(outages, host));
	int64_t last_down = 0;
	bool undecided = false;

	*root = NULL;
	if (names[0] == NULL)
		return PARENTS_ALIVE;
	for (; *names != NULL; names++) {
		const struct host *parent = outages_find(outages, *names);

		if (parent == NULL)
			return PARENTS_ALIVE;
		if (host_alarm(parent) != NULL) {
			const struct transition *last = &host_alarm(parent)->last;

			if (*root == NULL)
				*root = last->suppressed ? last->root :
					outages_device(outages, parent)->name;
			if (ordeal_in(parent)->down_at > last_down)
				last_down = ordeal_in(parent)->down_at;
			continue;
		}
		if (host_bad(parent) == 0 && good_at(parent) > ordeal_in(host)->bad_at)
			return PARENTS_ALIVE;
		undecided = true;
	}
	if (undecided)
		return PARENTS_UNDECIDED;
	return good_at(host) > last_down ? PARENTS_ALIVE : PARENTS_DOWN;
}

static int64_t
patience(const struct outages *outages, const struct host *host)
{
	const char *const *name = device_parents(outages_device(outages, host));
	int64_t longest = 0;

	for (; *name != NULL; name++) {
		const struct device *parent = inventory_find(outages->inventory, *name);

		if (parent != NULL && device_interval(parent) > longest)
			longest = device_interval(parent);
	}
	return 2 * longest + PARENT_GRACE;
}

static void
raise_down(struct outages *outages, struct host *host, const char *root)
{
	struct transition draft = { .condition = CONDITION_DEVICE_DOWN,
		.severity = SEVERITY_MAJOR, .cause = CAUSE_NO_ANSWER,
		.suppressed = root != NULL };
	const struct device *device = outages_device(outages, host);
	struct ordeal *ordeal = ordeal_in(host);
	char text[256];

	host_key(outages, host, draft.key, sizeof draft.key);
	outages->describe(outages->arg, &draft, device);
	str_copy(draft.object, sizeof draft.object, "up");
	if (root != NULL)
		transition_text(draft.root, sizeof draft.root, root);
	if (root != NULL)
		snprintf(text, sizeof text, "MAJOR device-down %s: behind %s, which is down",
			device->name, root);
	else
		snprintf(text, sizeof text, "MAJOR device-down %s: no answer to %u polls%s%s",
			device->name, (unsigned)ordeal->bad, ordeal->reason != 0 ? ": " : "",
			ordeal->reason != 0 ? reason_word(ordeal->reason) : "");
	transition_text(draft.text, sizeof draft.text, text);
	ordeal->alarm = book_raise(outages->book, &draft);
	ordeal->down_at = loop_wall(outages->book->loop);
}

/* True when the device counts as down on its own now; false with root: behind its parents,
 * without: not yet known. */
static bool
decide(struct outages *outages, struct host *host, const char **root)
{
	int64_t now = loop_wall(outages->book->loop);
	enum parents parents = look_at_parents(outages, host, root);

	if (parents == PARENTS_UNDECIDED) {
		if (ordeal_in(host)->waiting == 0)
			ordeal_in(host)->waiting = now;
		*root = NULL;
		if (now - ordeal_in(host)->waiting <= patience(outages, host))
			return false;
	}
	ordeal_in(host)->waiting = 0;
	return parents != PARENTS_DOWN;
}

static void
check(struct outages *outages, struct host *host)
{
	struct alarm *alarm = host_alarm(host);
	const char *root;
	bool own;

	if (host_bad(host) < OUTAGE_SLOTS || (alarm != NULL && !alarm->last.suppressed))
		return;
	own = decide(outages, host, &root);
	if (alarm == NULL && (own || root != NULL))
		raise_down(outages, host, own ? NULL : root);
	else if (alarm != NULL && own)
		book_unsuppress(outages->book, alarm);
}

/* What was silent only because of this one gets a new chance: two slots of its own. */
static void
release_children(struct outages *outages, const struct host *parent)
{
	const char *gone = outages_device(outages, parent)->name;

	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];
		const char *const *name = device_parents(outages_device(outages, host));

		if (host_alarm(host) == NULL || !host_alarm(host)->last.suppressed)
			continue;
		for (; *name != NULL; name++)
			if (strcmp(*name, gone) == 0)
				ordeal_in(host)->bad = 0;
	}
}

static void
come_back(struct outages *outages, struct host *host)
{
	struct ordeal *ordeal = ordeal_in(host);
	struct alarm *alarm = host_alarm(host);
	char text[160], span[32];
	int64_t now = loop_wall(outages->book->loop);

	if (alarm == NULL)
		return;
	str_time_span(span, sizeof span, (now - alarm->last.since) / LOOP_S * LOOP_S);
	snprintf(text, sizeof text, "CLEARED device-down %s: answers again after %s",
		outages_device(outages, host)->name, span);
	if (!book_clear(outages->book, alarm, NULL, text))
		return;
	ordeal->alarm = NULL;
	ordeal->down_at = 0;
	ordeal->back_at = now;
	release_children(outages, host);
}

static void
tell_good(struct outages *outages, struct host *host, int64_t told, bool live)
{
	struct ordeal *ordeal = ordeal_in(host);

	set_good_at(host, told);
	if (ordeal == NULL)
		return;
	ordeal->bad = 0;
	ordeal->waiting = 0;
	ordeal->reason = 0;
	if (live)
		come_back(outages, host);
	if (ordeal->alarm != NULL || ordeal->back_at != 0)
		return;
	free(ordeal);
	host->last = 0;
	set_good_at(host, told);
}

void
outages_tell(struct outages *outages, struct host *host, bool good, uint32_t slots,
	int64_t told, bool live)
{
	struct ordeal *ordeal;

	if (good) {
		tell_good(outages, host, told, live);
		return;
	}
	ordeal = ordeal_of(host);
	if (ordeal->bad == 0)
		ordeal->bad_at = told;
	ordeal->bad += slots < 1000 ? slots : 1000;
	if (live)
		check(outages, host);
}

void
outages_tick(struct outages *outages)
{
	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];
		const struct ordeal *ordeal = ordeal_in(host);

		if (ordeal == NULL)
			continue;
		if (ordeal->bad >= OUTAGE_SLOTS)
			check(outages, host);
		else if (ordeal->alarm != NULL && ordeal->bad == 0 &&
				ordeal->good_at > ordeal->down_at)
			come_back(outages, host);
	}
}

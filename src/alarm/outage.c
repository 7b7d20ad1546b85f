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

void
outages_open(struct outages *outages, const struct inventory *inventory)
{
	outages->inventory = inventory;
	outages->count = inventory->device_count;
	outages->hosts = mem_array(outages->count, sizeof *outages->hosts);
	for (size_t d = 0; d < outages->count; d++)
		outages->hosts[d].device = &inventory->devices[d];
}

void
outages_close(struct outages *outages)
{
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

static void
host_key(const struct host *host, char *to, size_t size)
{
	transition_key(to, size, condition_word(CONDITION_DEVICE_DOWN), host->device->name);
}

void
outages_attach(struct outages *outages)
{
	char key[ALARM_KEY + 1];

	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];

		host_key(host, key, sizeof key);
		host->alarm = book_find(outages->book, key);
	}
}

enum parents { PARENTS_ALIVE, PARENTS_DOWN, PARENTS_UNDECIDED };

/* root: the highest known cause, where all parents are down. */
static enum parents
look_at_parents(const struct outages *outages, const struct host *host, const char **root)
{
	const char *const *names = host->device->parents;
	bool undecided = false;

	*root = NULL;
	if (names == NULL || names[0] == NULL)
		return PARENTS_ALIVE;
	for (; *names != NULL; names++) {
		const struct host *parent = outages_find(outages, *names);

		if (parent == NULL)
			return PARENTS_ALIVE;
		if (parent->alarm != NULL) {
			if (*root == NULL)
				*root = parent->alarm->last.suppressed ?
					parent->alarm->last.root : parent->device->name;
			continue;
		}
		if (parent->bad == 0 && parent->good_at > host->bad_at)
			return PARENTS_ALIVE;
		undecided = true;
	}
	return undecided ? PARENTS_UNDECIDED : PARENTS_DOWN;
}

static int64_t
patience(const struct outages *outages, const struct host *host)
{
	int64_t longest = 0;

	for (const char *const *name = host->device->parents; *name != NULL; name++) {
		const struct host *parent = outages_find(outages, *name);

		if (parent != NULL && parent->device->interval > longest)
			longest = parent->device->interval;
	}
	return 2 * longest + PARENT_GRACE;
}

static void
raise_down(struct outages *outages, struct host *host, const char *root)
{
	struct transition draft = { .condition = CONDITION_DEVICE_DOWN,
		.severity = SEVERITY_MAJOR, .cause = CAUSE_NO_ANSWER,
		.suppressed = root != NULL };
	const char *name = host->device->name;
	char text[256];

	host_key(host, draft.key, sizeof draft.key);
	outages->describe(outages->arg, &draft, host->device);
	str_copy(draft.object, sizeof draft.object, "up");
	if (root != NULL)
		transition_text(draft.root, sizeof draft.root, root);
	if (root != NULL)
		snprintf(text, sizeof text, "MAJOR device-down %s: behind %s, which is down", name,
			root);
	else
		snprintf(text, sizeof text, "MAJOR device-down %s: no answer to %u polls%s%s",
			name, (unsigned)host->bad, host->reason != 0 ? ": " : "",
			host->reason != 0 ? reason_word(host->reason) : "");
	transition_text(draft.text, sizeof draft.text, text);
	host->alarm = book_raise(outages->book, &draft);
}

/* True when the device counts as down on its own now; false with root: behind its parents,
 * without: not yet known. */
static bool
decide(struct outages *outages, struct host *host, const char **root)
{
	int64_t now = loop_wall(outages->book->loop);
	enum parents parents = look_at_parents(outages, host, root);

	if (parents == PARENTS_UNDECIDED) {
		if (host->waiting == 0)
			host->waiting = now;
		*root = NULL;
		if (now - host->waiting <= patience(outages, host))
			return false;
	}
	host->waiting = 0;
	return parents != PARENTS_DOWN;
}

static void
check(struct outages *outages, struct host *host)
{
	const char *root;
	bool own;

	if (host->bad < OUTAGE_SLOTS || (host->alarm != NULL && !host->alarm->last.suppressed))
		return;
	own = decide(outages, host, &root);
	if (host->alarm == NULL && (own || root != NULL))
		raise_down(outages, host, own ? NULL : root);
	else if (host->alarm != NULL && own)
		book_unsuppress(outages->book, host->alarm);
}

/* What was silent only because of this one gets a new chance: two slots of its own. */
static void
release_children(struct outages *outages, const struct host *parent)
{
	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];
		const char *const *name = host->device->parents;

		if (host->alarm == NULL || !host->alarm->last.suppressed || name == NULL)
			continue;
		for (; *name != NULL; name++)
			if (strcmp(*name, parent->device->name) == 0)
				host->bad = 0;
	}
}

static void
come_back(struct outages *outages, struct host *host)
{
	char text[160], span[32];
	int64_t now = loop_wall(outages->book->loop);

	if (host->alarm == NULL)
		return;
	str_time_span(span, sizeof span, (now - host->alarm->last.since) / LOOP_S * LOOP_S);
	snprintf(text, sizeof text, "CLEARED device-down %s: answers again after %s",
		host->device->name, span);
	if (!book_clear(outages->book, host->alarm, NULL, text))
		return;
	host->alarm = NULL;
	host->back_at = now;
	release_children(outages, host);
}

void
outages_tell(struct outages *outages, struct host *host, bool good, uint32_t slots,
	int64_t told, bool live)
{
	if (good) {
		host->bad = 0;
		host->waiting = 0;
		host->good_at = told;
		host->reason = 0;
		if (live)
			come_back(outages, host);
		return;
	}
	if (host->bad == 0)
		host->bad_at = told;
	host->bad += slots < 1000 ? slots : 1000;
	if (live)
		check(outages, host);
}

void
outages_tick(struct outages *outages)
{
	for (size_t h = 0; h < outages->count; h++) {
		struct host *host = &outages->hosts[h];

		if (host->bad >= OUTAGE_SLOTS)
			check(outages, host);
		else if (host->alarm != NULL && host->bad == 0 &&
				host->good_at > host->alarm->last.since)
			come_back(outages, host);
	}
}

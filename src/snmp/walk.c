#include "snmp/walk.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/device.h"
#include "core/sample.h"
#include "snmp/oid.h"
#include "snmp/session.h"
#include "snmp/snmp_parts.h"

#define REPETITIONS 25

struct snmp_walk {
	struct session session;
	struct session_user user;
	struct device device;        /* the session's, as what follows */
	struct snmp_options options;
	struct snmp_access access;
	char *name;
	struct snmp_walk_events events;
	void *arg;
	uint8_t version;
	uint16_t repetitions;
	bool single; /* the root itself was asked for */
	size_t count, most;
	uint32_t root_ids[SNMP_OID_MAX], last_ids[SNMP_OID_MAX];
	struct snmp_oid root, last; /* last: what was answered last, the root at first */
};

static void
ask(struct snmp_walk *walk)
{
	enum session_op next = walk->version == 1 ? SESSION_GETNEXT : SESSION_GETBULK;
	struct session_request request = { .op = walk->single ? SESSION_GET : next,
		.oids = &walk->last, .count = 1, .deadline = INT64_MAX };

	if (request.op == SESSION_GETBULK)
		request.max_repetitions = walk->repetitions;
	session_send(&walk->session, &request);
}

/* Nothing lies below the root: perhaps it is an object itself. */
static void
end(struct snmp_walk *walk)
{
	if (walk->count > 0 || walk->single) {
		walk->events.done(REASON_GOOD, "", walk->arg);
		return;
	}
	walk->single = true;
	ask(walk);
}

/* False when the walk is over, with the reason told. */
static bool
take(struct snmp_walk *walk, const struct varbind *varbind)
{
	if (varbind->value.type == VALUE_END_OF_VIEW ||
		!oid_starts_with(varbind->ids, varbind->count, walk->root_ids, walk->root.count)) {
		end(walk);
		return false;
	}
	if (oid_compare(varbind->ids, varbind->count, walk->last_ids, walk->last.count) <= 0) {
		walk->events.done(REASON_BAD_REPLY, "stopped, OIDs do not increase", walk->arg);
		return false;
	}
	memcpy(walk->last_ids, varbind->ids, varbind->count * sizeof *varbind->ids);
	walk->last.count = varbind->count;
	walk->count++;
	walk->events.object(varbind, walk->arg);
	if (walk->most > 0 && walk->count >= walk->most) {
		walk->events.done(REASON_GOOD, "", walk->arg);
		return false;
	}
	return true;
}

static void
refused(struct snmp_walk *walk, int error_status)
{
	if (error_status == SESSION_ERROR_NO_SUCH_NAME) {
		end(walk);
	} else if (error_status == SESSION_ERROR_TOO_BIG && walk->repetitions > 1) {
		walk->repetitions /= 2;
		ask(walk);
	} else if (error_status == SESSION_ERROR_AUTHORIZATION) {
		walk->events.done(REASON_AUTH, SESSION_REFUSED, walk->arg);
	} else {
		walk->events.done(REASON_BAD_REPLY, "the agent answered with an error", walk->arg);
	}
}

static void
session_done(const struct session_answer *answer, void *arg)
{
	struct snmp_walk *walk = arg;

	if (answer->reason != REASON_GOOD) {
		walk->events.done(answer->reason, answer->text, walk->arg);
		return;
	}
	if (answer->error_status != 0) {
		refused(walk, answer->error_status);
		return;
	}
	if (walk->single) {
		if (value_is_there(&answer->varbinds[0].value))
			walk->events.object(&answer->varbinds[0], walk->arg);
		walk->events.done(REASON_GOOD, "", walk->arg);
		return;
	}
	for (size_t i = 0; i < answer->count; i++)
		if (!take(walk, &answer->varbinds[i]))
			return;
	ask(walk);
}

static void
session_exchange(bool answered, int64_t rtt, void *tag, void *arg)
{
	struct snmp_walk *walk = arg;

	(void)tag;
	if (walk->events.exchange != NULL)
		walk->events.exchange(answered, rtt, walk->arg);
}

static const struct session_events session_events = {
	.done = session_done,
	.exchange = session_exchange,
};

struct snmp_walk *
snmp_walk_start(struct snmp *snmp, const char *name, const struct snmp_options *options,
	const struct snmp_oid *root, size_t most, const struct snmp_walk_events *events, void *arg,
	struct fail *why)
{
	struct snmp_walk *walk = mem_zero(sizeof *walk);

	walk->events = *events;
	walk->arg = arg;
	walk->most = most;
	walk->version = options->access->version;
	walk->repetitions = options->access->max_repetitions > 0 ? options->access->max_repetitions : REPETITIONS;
	memcpy(walk->root_ids, root->ids, root->count * sizeof *root->ids);
	memcpy(walk->last_ids, root->ids, root->count * sizeof *root->ids);
	walk->root = (struct snmp_oid){ .ids = walk->root_ids, .count = root->count };
	walk->last = (struct snmp_oid){ .ids = walk->last_ids, .count = root->count };
	walk->options = *options;
	walk->access = *options->access;
	walk->options.access = &walk->access;
	walk->name = mem_text(name);
	walk->device = (struct device){ .name = walk->name, .ways = DEVICE_SNMP,
		.options = &walk->options };
	walk->user = (struct session_user){ snmp_sessions(snmp), &session_events,
		offsetof(struct snmp_walk, session) };
	if (session_open(&walk->session, &walk->user, &walk->device, why) == -1) {
		snmp_walk_free(walk);
		return NULL;
	}
	ask(walk);
	return walk;
}

void
snmp_walk_free(struct snmp_walk *walk)
{
	if (walk == NULL)
		return;
	session_close(&walk->session);
	free(walk->name);
	free(walk);
}

#include "snmp/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "core/sample.h"
#include "snmp/oid.h"
#include "snmp/walk.h"

/* More interfaces than a look is worth waiting for. */
#define MOST 5000

static const uint32_t system_ids[] = { 1, 3, 6, 1, 2, 1, 1 };
static const uint32_t status_ids[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 8 };
static const uint32_t octets_ids[] = { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6 };
#define COUNT(ids) (sizeof(ids) / sizeof(ids)[0])

enum step { STEP_SYSTEM, STEP_STATUS, STEP_OCTETS, STEP_OTHER_VERSION };

struct snmp_look {
	struct snmp *snmp;
	char *name;
	struct snmp_options options;
	struct snmp_access access; /* the options' */
	char *community;
	void (*done)(const struct look_result *result, void *arg);
	void *arg;
	struct snmp_walk *walk;
	enum step step;
	struct look_result result;
};

static int start(struct snmp_look *look, enum step step, struct fail *why);

static void
take_system(struct look_result *result, const struct varbind *varbind)
{
	const struct value *value = &varbind->value;

	if (varbind->count != COUNT(system_ids) + 2)
		return;
	switch (varbind->ids[COUNT(system_ids)]) {
	case 1:
		value_text(result->descr, sizeof result->descr, value);
		break;
	case 2:
		value_text(result->object_id, sizeof result->object_id, value);
		break;
	case 3:
		result->has_uptime = value->type == VALUE_TICKS;
		result->uptime = (double)value->count / 100;
		break;
	case 5:
		value_text(result->name, sizeof result->name, value);
		break;
	case 6:
		value_text(result->location, sizeof result->location, value);
		break;
	default:
		break;
	}
}

static void
walk_object(const struct varbind *varbind, void *arg)
{
	struct snmp_look *look = arg;

	if (look->step == STEP_SYSTEM || look->step == STEP_OTHER_VERSION)
		take_system(&look->result, varbind);
	else if (look->step == STEP_STATUS)
		look->result.interfaces++;
	else if (varbind->value.type == VALUE_COUNTER64)
		look->result.counters64++;
}

static void
walk_exchange(int answered, int64_t rtt, void *arg)
{
	struct look_result *result = &((struct snmp_look *)arg)->result;

	result->sent++;
	if (!answered)
		return;
	if (result->answered++ == 0 || rtt < result->rtt_min)
		result->rtt_min = rtt;
	if (rtt > result->rtt_max)
		result->rtt_max = rtt;
}

/* Only this failure may come of asking by the wrong version: an agent is silent then. */
static bool
is_mute(const struct snmp_look *look, uint8_t reason)
{
	return look->step == STEP_SYSTEM && reason == REASON_TIMEOUT &&
		look->access.version != 3;
}

static void
walk_done(uint8_t reason, const char *text, void *arg)
{
	struct snmp_look *look = arg;
	struct fail why;

	if (look->step == STEP_OTHER_VERSION && reason == REASON_GOOD) {
		look->result.version = look->access.version;
		look->result.other_version = true;
		look->result.reason = REASON_GOOD;
	} else if (look->step != STEP_OTHER_VERSION && reason != REASON_GOOD) {
		look->result.reason = reason;
		snprintf(look->result.why, sizeof look->result.why, "%s", text);
	}
	if (is_mute(look, reason)) {
		look->access.version = look->access.version == 1 ? 2 : 1;
		look->access.retries = 0;
		if (start(look, STEP_OTHER_VERSION, &why) == 0)
			return;
	}
	if (reason == REASON_GOOD && look->step < STEP_OCTETS &&
		start(look, look->step + 1, &why) == 0)
		return;
	look->done(&look->result, look->arg);
}

static const struct snmp_walk_events walk_events = {
	.object = walk_object,
	.done = walk_done,
	.exchange = walk_exchange,
};

static int
start(struct snmp_look *look, enum step step, struct fail *why)
{
	static const struct snmp_oid roots[] = {
		[STEP_SYSTEM] = { system_ids, COUNT(system_ids) },
		[STEP_STATUS] = { status_ids, COUNT(status_ids) },
		[STEP_OCTETS] = { octets_ids, COUNT(octets_ids) },
		[STEP_OTHER_VERSION] = { system_ids, COUNT(system_ids) },
	};

	snmp_walk_free(look->walk);
	look->step = step;
	look->walk = snmp_walk_start(look->snmp, look->name, &look->options, &roots[step], MOST,
		&walk_events, look, why);
	return look->walk != NULL ? 0 : -1;
}

struct snmp_look *
snmp_look_start(struct snmp *snmp, const char *name, const struct snmp_options *options,
	void (*done)(const struct look_result *result, void *arg), void *arg, struct fail *why)
{
	struct snmp_look *look = mem_zero(sizeof *look);

	look->snmp = snmp;
	look->name = mem_text(name);
	look->options = *options;
	look->access = *options->access;
	look->options.access = &look->access;
	look->community = mem_text(options->access->community);
	look->access.community = look->community;
	look->done = done;
	look->arg = arg;
	look->result.version = options->access->version;
	if (start(look, STEP_SYSTEM, why) == -1) {
		snmp_look_free(look);
		return NULL;
	}
	return look;
}

void
snmp_look_free(struct snmp_look *look)
{
	if (look == NULL)
		return;
	snmp_walk_free(look->walk);
	free(look->community);
	free(look->name);
	free(look);
}

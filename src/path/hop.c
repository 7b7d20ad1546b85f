#include "path/hop.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "core/device.h"
#include "core/sample.h"

#define SECOND INT64_C(1000000000)

void
sight_tell(struct sight *sight, uint8_t reason, int64_t at, int64_t received, uint64_t slots)
{
	bool counted = sight->told && at <= sight->at;

	sight->told = true;
	if (at > sight->at)
		sight->at = at;
	if (reason_counts_as_good(reason)) {
		sight->bad = 0;
		sight->unmeasured = false;
		if (received > sight->good_at)
			sight->good_at = received;
		return;
	}
	if (counted)
		return;
	sight->unmeasured = reason_class(reason) == CLASS_UNMEASURED;
	if (sight->unmeasured)
		return;
	sight->reason = reason;
	if (sight->bad == 0)
		sight->bad_at = at;
	sight->bad += slots > 1000 ? 1000 : (uint32_t)slots;
}

enum hop_verdict
sight_verdict(const struct sight *sight)
{
	if (!sight->told || sight->unmeasured)
		return HOP_UNSEEN;
	if (sight->bad == 0)
		return HOP_FINE;
	return sight->bad == 1 ? HOP_SUSPECT : HOP_BAD;
}

static enum hop_verdict
connection_verdict(const struct member *member)
{
	if (!member->oper_known || member->data.bad > 0 || member->data.unmeasured)
		return HOP_UNSEEN;
	if (member->unwell == 0)
		return HOP_FINE;
	return member->unwell == 1 ? HOP_SUSPECT : HOP_BAD;
}

enum hop_verdict
member_verdict(const struct member *member)
{
	enum hop_verdict device = sight_verdict(&member->node->up);

	if (member->is_connection)
		return connection_verdict(member);
	if (member->is_device || device == HOP_BAD || device == HOP_SUSPECT)
		return device;
	if (member->oper_known && member->data.bad == 0)
		return member->oper_value == 1 ? HOP_FINE : HOP_BAD;
	return sight_verdict(&member->data);
}

bool
member_explained(const struct member *member,
	const struct node *(*find)(void *arg, const char *name), void *arg)
{
	const struct device *device = member->node->device;

	const char *const *parents = device == NULL ? NULL : device_parents(device);

	if (parents == NULL || parents[0] == NULL)
		return false;
	for (; *parents != NULL; parents++) {
		const struct node *parent = find(arg, *parents);

		if (parent == NULL || parent->up.bad == 0)
			return false;
	}
	return true;
}

static const char *
span_text(char *to, size_t size, int64_t ns)
{
	return str_time_span(to, size, ns < SECOND ? SECOND : ns / SECOND * SECOND);
}

void
sight_evidence(const struct sight *sight, const char *what, uint8_t reason, int64_t now,
	char *to, size_t size)
{
	int64_t since = sight->good_at != 0 ? sight->good_at : sight->bad_at;
	char span[32];

	span_text(span, sizeof span, now - since);
	if (reason == 0)
		snprintf(to, size, "%s for %s", what, span);
	else
		snprintf(to, size, "%s for %s: %s", what, span, reason_word(reason));
}

static const char *
state_word(const struct point *point, double value, char *to, size_t size)
{
	for (size_t i = 0; point != NULL && i < point->state_count; i++)
		if ((double)point->states[i].value == value)
			return point->states[i].word;
	return str_number(to, size, value);
}

void
member_evidence(const struct member *member, int64_t now, char *to, size_t size)
{
	const struct node *node = member->node;
	char why[160], span[32], number[32];

	if (member->is_connection) {
		span_text(span, sizeof span, now - member->oper_since);
		snprintf(to, size, "%s: connection is %s for %s", member->name,
			state_word(member->oper, member->oper_value, number, sizeof number),
			span);
	} else if (member->is_device || node->up.bad > 0) {
		sight_evidence(&node->up, "no answer", node->reason, now, why, sizeof why);
		snprintf(to, size, "%s: %s", node->name, why);
	} else if (member->oper_known && member->data.bad == 0) {
		span_text(span, sizeof span, now - member->oper_since);
		snprintf(to, size, "%s: oper is %s for %s", member->name,
			state_word(member->oper, member->oper_value, number, sizeof number),
			span);
	} else {
		sight_evidence(&member->data, "no data", member->data.reason, now, why,
			sizeof why);
		snprintf(to, size, "%s: %s", member->name, why);
	}
}

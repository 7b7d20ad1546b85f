#include "cli/probe_snmp.h"

#include <math.h>
#include <stdio.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "core/device.h"
#include "core/sample.h"
#include "snmp/look.h"
#include "snmp/mib.h"
#include "snmp/snmp.h"

struct answer {
	struct loop *loop;
	const struct look_result *result;
};

static void
on_done(const struct look_result *result, void *arg)
{
	struct answer *answer = arg;

	answer->result = result;
	loop_stop(answer->loop);
}

static const char *
version_word(uint8_t version)
{
	return version == 1 ? "1" : version == 3 ? "3" : "2c";
}

/* The name of the object identifier; "" when nobody knows one. */
static const char *
object_name(struct mib *mib, const char *object_id, char *to, size_t size)
{
	uint32_t ids[SNMP_OID_MAX];
	size_t count;

	if (mib == NULL || snmp_oid_parse(object_id, ids, &count, NULL) == -1 ||
		!mib_oid_text(mib, to, size, ids, count))
		to[0] = '\0';
	return to;
}

static void
print_identity(const struct look_result *result, struct mib *mib)
{
	char span[32], name[SNMP_OID_MAX * 11];

	object_name(mib, result->object_id, name, sizeof name);
	printf("  sysDescr     %s\n  sysObjectID  %s%s%s\n  sysName      %s\n  sysLocation  %s\n",
		result->descr, result->object_id, name[0] != '\0' ? " = " : "", name, result->name,
		result->location);
	if (result->has_uptime)
		printf("  sysUpTime    %s\n", str_time_span(span, sizeof span,
			(int64_t)result->uptime * LOOP_S));
	else
		printf("  sysUpTime    none: restarts show only by counters that went back\n");
	printf("  interfaces   %zu, %zu with 64-bit counters\n", result->interfaces,
		result->counters64);
}

static void
print_text(const struct device *device, const struct look_result *result, struct mib *mib)
{
	printf("%s (%s): ", device->name, device->address);
	if (result->answered == 0) {
		printf("%s: %s\n", reason_word(result->reason), result->why);
		if (result->reason == REASON_TIMEOUT && result->version != 3)
			printf("  an agent that does not know the community is silent as well\n");
		return;
	}
	printf("answers by SNMP version %s in %.2f to %.2f ms, %u of %u requests\n",
		version_word(result->version), (double)result->rtt_min / 1e6,
		(double)result->rtt_max / 1e6, result->answered, result->sent);
	if (result->other_version)
		printf("  but not by the configured one: set version = \"%s\"\n",
			version_word(result->version));
	/* Of one that refuses access there is nothing to tell. */
	if (result->reason != REASON_AUTH)
		print_identity(result, mib);
	if (result->reason != REASON_GOOD)
		printf("  %s: %s\n", reason_word(result->reason), result->why);
}

static void
print_json(const struct device *device, const struct look_result *result, struct mib *mib)
{
	bool answered = result->answered > 0;
	char name[SNMP_OID_MAX * 11];

	object_name(mib, result->object_id, name, sizeof name);

	cmd_print_json(json_pack("{s:o, s:o, s:b, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o, "
		"s:o, s:i, s:i, s:s, s:o}",
		"device", doc_text(device->name), "address", doc_text(device->address),
		"answers", answered, "version", version_word(result->version), "other_version",
		result->other_version, "descr", doc_text(result->descr), "object_id",
		doc_text(result->object_id), "object_name",
		name[0] != '\0' ? doc_text(name) : json_null(), "name", doc_text(result->name), "location",
		doc_text(result->location), "uptime",
		doc_number(result->has_uptime ? result->uptime : (double)NAN), "interfaces",
		(int)result->interfaces, "counters64", (int)result->counters64, "rtt_min",
		doc_number(answered ? (double)result->rtt_min / 1e9 : (double)NAN), "rtt_max",
		doc_number(answered ? (double)result->rtt_max / 1e9 : (double)NAN), "sent",
		(int)result->sent, "answered", (int)result->answered, "reason",
		reason_word(result->reason), "error",
		result->reason == REASON_GOOD ? json_null() : doc_text(result->why)));
}

int
probe_snmp(const struct cmd_context *context, const struct device *device, struct mib *mib)
{
	struct answer answer = { 0 };
	struct snmp_look *look = NULL;
	struct snmp *snmp = NULL;
	int status = CMD_NEGATIVE;
	struct fail why;

	answer.loop = loop_new(&why);
	if (answer.loop != NULL)
		snmp = snmp_new(answer.loop, NULL, &why);
	if (snmp != NULL)
		look = snmp_look_start(snmp, device->name, device_snmp(device), on_done, &answer, &why);
	if (look == NULL) {
		cmd_error("%s", why.text);
	} else {
		loop_run(answer.loop);
		if (context->json)
			print_json(device, answer.result, mib);
		else
			print_text(device, answer.result, mib);
		status = answer.result->reason == REASON_GOOD && !answer.result->other_version ?
			CMD_OK : CMD_NEGATIVE;
	}
	snmp_look_free(look);
	snmp_free(snmp);
	if (answer.loop != NULL)
		loop_free(answer.loop);
	return status;
}

/* pollwerk walk: everything that an SNMP agent has below an OID, by the same sessions and
 * checks as polling. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "core/device.h"
#include "core/sample.h"
#include "snmp/mib.h"
#include "snmp/snmp.h"
#include "snmp/walk.h"

#define DEFAULT_ROOT "1.3.6.1.2.1"
#define OID_TEXT (SNMP_OID_MAX * 11)

struct request {
	const char *device_name, *oid_text;
	bool numeric;
	uint64_t most;
	uint32_t ids[SNMP_OID_MAX];
	struct snmp_oid root;
};

struct result {
	struct loop *loop;
	struct mib *mib; /* NULL: numbers only */
	json_t *objects; /* NULL: lines on stdout */
	uint8_t reason;
	char why[256];
	size_t count;
};

static int
parse_arguments(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--numeric") == 0) {
			request->numeric = true;
		} else if (strcmp(argv[i], "--max") == 0) {
			if (i + 1 == argc || str_uint(argv[++i], &request->most, NULL) == -1 ||
				request->most == 0)
				return cmd_usage(&cmd_walk, "--max is a number of objects");
		} else if (argv[i][0] == '-') {
			return cmd_usage(&cmd_walk, "unknown option %s", argv[i]);
		} else if (request->device_name == NULL) {
			request->device_name = argv[i];
		} else if (request->oid_text == NULL) {
			request->oid_text = argv[i];
		} else {
			return cmd_usage(&cmd_walk, "one device and one OID, please");
		}
	}
	if (request->device_name == NULL)
		return cmd_usage(&cmd_walk, "which device?");
	if (request->oid_text == NULL)
		request->oid_text = DEFAULT_ROOT;
	return CMD_OK;
}

static int
parse_root(struct request *request, struct mib *mib)
{
	char numbers[OID_TEXT];
	const char *text = request->oid_text;
	bool name = mib_is_name(text) || mib_is_bare_name(text);
	struct fail why;

	if (name && mib == NULL)
		return cmd_usage(&cmd_walk, "\"%s\": there are no MIB files: install "
			"snmp-mibs-downloader, or name directories in poller.mibs", text);
	if (name) {
		if (mib_resolve(mib, text, numbers, sizeof numbers, &why) == -1)
			return cmd_usage(&cmd_walk, "\"%s\": %s", text, why.text);
		text = numbers;
	}
	request->root.ids = request->ids;
	if (snmp_oid_parse(text, request->ids, &request->root.count, &why) == -1)
		return name ? cmd_usage(&cmd_walk, "\"%s\": expected numbers with dots between behind "
			"the name, like the .1.3 of ifDescr.1.3", request->oid_text) :
			cmd_usage(&cmd_walk, "%s", why.text);
	return CMD_OK;
}

/* Whole numbers as such; what JSON readers would round stays text. */
static json_t *
value_json(const struct value *value, const char *text)
{
	if (value->type == VALUE_INTEGER)
		return json_integer(value->integer);
	if (value->type >= VALUE_GAUGE && value->type <= VALUE_TICKS &&
		value->count < UINT64_C(1) << 53)
		return json_integer((json_int_t)value->count);
	if (value->type == VALUE_REAL)
		return doc_number(value->real);
	if (!value_is_there(value))
		return json_null();
	return doc_text(text);
}

static void
on_object(const struct varbind *varbind, void *arg)
{
	struct result *result = arg;
	char oid[OID_TEXT], name[OID_TEXT], text[65536], meaning[65536];
	const char *type = value_type_word(varbind->value.type);
	bool named, meant;

	result->count++;
	snmp_oid_text(oid, sizeof oid, varbind->ids, varbind->count);
	value_text(text, sizeof text, &varbind->value);
	named = result->mib != NULL &&
		mib_oid_text(result->mib, name, sizeof name, varbind->ids, varbind->count);
	meant = result->mib != NULL &&
		mib_value_text(result->mib, meaning, sizeof meaning, varbind);
	if (result->objects == NULL)
		printf("%s = %s: %s\n", named ? name : oid, type, meant ? meaning : text);
	else
		json_array_append_new(result->objects, json_pack("{s:s, s:s, s:o, s:o, s:o}", "oid",
			oid, "type", type, "value", value_json(&varbind->value, text), "name",
			named ? doc_text(name) : json_null(), "meaning",
			meant ? doc_text(meaning) : json_null()));
}

static void
on_done(uint8_t reason, const char *text, void *arg)
{
	struct result *result = arg;

	result->reason = reason;
	str_copy(result->why, sizeof result->why, text);
	loop_stop(result->loop);
}

static int
report(const struct request *request, const struct device *device, struct result *result)
{
	if (result->objects != NULL)
		cmd_print_json(result->objects);
	if (result->reason != REASON_GOOD) {
		cmd_error("%s (%s): %s", device->name, device->address, result->why);
		return CMD_NEGATIVE;
	}
	if (result->count == 0) {
		cmd_error("%s (%s): has nothing below %s", device->name, device->address,
			request->oid_text);
		return CMD_NEGATIVE;
	}
	return CMD_OK;
}

static int
walk(const struct cmd_context *context, const struct request *request,
	const struct device *device, struct mib *mib)
{
	static const struct snmp_walk_events events = { .object = on_object, .done = on_done };
	struct result result = { .mib = request->numeric ? NULL : mib };
	struct snmp_walk *started = NULL;
	struct snmp *snmp = NULL;
	int status = CMD_NEGATIVE;
	struct fail why;

	result.loop = loop_new(&why);
	if (result.loop != NULL)
		snmp = snmp_new(result.loop, NULL, &why);
	if (snmp != NULL)
		started = snmp_walk_start(snmp, device->name, device_snmp(device), &request->root,
			request->most, &events, &result, &why);
	if (started == NULL) {
		cmd_error("%s", why.text);
	} else {
		result.objects = context->json ? json_array() : NULL;
		loop_run(result.loop);
		status = report(request, device, &result);
	}
	snmp_walk_free(started);
	snmp_free(snmp);
	if (result.loop != NULL)
		loop_free(result.loop);
	return status;
}

static int
run(const struct cmd_context *context, int argc, char **argv)
{
	struct request request = { 0 };
	const struct device *device;
	struct inventory *inventory;
	struct mib *mib = NULL;
	int status = parse_arguments(&request, argc, argv);

	if (status != CMD_OK)
		return status;
	inventory = request.numeric && !mib_is_name(request.oid_text) &&
		!mib_is_bare_name(request.oid_text) ?
		cmd_inventory(context) : cmd_inventory_and_mib(context, &mib);
	if (inventory == NULL)
		return CMD_NEGATIVE;
	device = inventory_find(inventory, request.device_name);
	if (device == NULL)
		status = cmd_usage(&cmd_walk, "no device \"%s\" in the configuration "
			"(pollwerk discover asks addresses)", request.device_name);
	else if (device_snmp(device) == NULL)
		status = cmd_usage(&cmd_walk, "\"%s\" is not asked by SNMP", device->name);
	else if ((status = parse_root(&request, mib)) == CMD_OK)
		status = walk(context, &request, device, mib);
	mib_close(mib);
	inventory_unref(inventory);
	return status;
}

const struct cmd cmd_walk = { "walk", "[--numeric] [--max N] DEVICE [OID|NAME|MODULE::NAME]",
	"list what an SNMP agent has below an OID (" DEFAULT_ROOT ")", run };

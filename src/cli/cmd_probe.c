/* pollwerk probe: reads one address of a Modbus device, and its two neighbours, and shows
 * all that it could mean. For the day on which the manual and the device disagree. Of an SNMP
 * device it shows who answers and what it has: probe_snmp.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/pause.h"
#include "cli/probe_snmp.h"
#include "cli/probe_sunspec.h"
#include "cli/wire.h"
#include "core/device.h"
#include "core/point.h"
#include "modbus/modbus.h"
#include "modbus/probe.h"
#include "modbus/reference.h"
#include "snmp/mib.h"

struct request {
	const struct device *device;
	const struct modbus_options *options;
	enum adu_function function; /* 0: not given */
	uint16_t address;
	bool identify, beside, numeric, reference, sunspec;
	const char *device_name, *address_text;
};

/* ---- what to ask ---- */

/* 5 or 6 digits, the first of which names the kind: 40100, 400100, 30013. */
static int
modicon_address(const char *text, struct request *request, struct fail *why)
{
	static const enum adu_function kinds[] = { ADU_COILS, ADU_DISCRETE_INPUTS, 0,
		ADU_INPUT_REGISTERS, ADU_HOLDING_REGISTERS };
	size_t digits = strlen(text);
	uint64_t number = 0;

	if ((digits != 5 && digits != 6) || text[0] < '0' || text[0] > '4' || text[0] == '2' ||
		str_uint(text + 1, &number, NULL) == -1 || number < 1 || number > 65536) {
		fail_set(why, "modicon address \"%s\": expected 5 or 6 digits like 40100 or 300013",
			text);
		return -1;
	}
	request->function = kinds[text[0] - '0'];
	request->address = (uint16_t)(number - 1);
	return 0;
}

/* A point by its name, as it is configured. */
static int
point_address(struct request *request, struct fail *why)
{
	for (size_t g = 0; g < request->device->group_count; g++) {
		const struct group *group = &request->device->groups[g];

		for (size_t i = 0; i < group->point_count; i++) {
			const struct modbus_point *wire = group->points[i].wire;

			if (group->driver != &modbus_driver ||
				strcmp(group->points[i].name, request->address_text) != 0)
				continue;
			request->address = wire->pdu;
			if (request->function == 0)
				request->function = (enum adu_function)wire->function;
			return 0;
		}
	}
	fail_set(why, "\"%s\": expected a PDU address (0 to 65535), register=N, modicon=N, or the "
		"name of a point of \"%s\"", request->address_text, request->device->name);
	return -1;
}

static int
parse_address(struct request *request, struct fail *why)
{
	const char *text = request->address_text;
	bool from_1 = strncmp(text, "register=", 9) == 0;
	uint64_t number;

	if (strncmp(text, "modicon=", 8) == 0) {
		if (request->function == 0)
			return modicon_address(text + 8, request, why);
		fail_set(why, "%s: its first digit is the function already", text);
		return -1;
	}
	if (strncmp(text, "pdu=", 4) == 0)
		text += 4;
	else if (from_1)
		text += 9;
	if (str_uint(text, &number, NULL) == -1)
		return point_address(request, why);
	if (number < from_1 || number > 65535u + from_1) {
		fail_set(why, "%s: expected %d to %u", request->address_text, from_1,
			65535u + from_1);
		return -1;
	}
	request->address = (uint16_t)(number - from_1);
	if (request->function == 0)
		request->function = ADU_HOLDING_REGISTERS;
	return 0;
}

static int
parse_arguments(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		uint64_t function = 0;

		if (strcmp(argv[i], "--identify") == 0) {
			request->identify = true;
		} else if (strcmp(argv[i], "--reference") == 0) {
			request->reference = true;
		} else if (strcmp(argv[i], "--sunspec") == 0) {
			request->sunspec = true;
		} else if (strcmp(argv[i], "--beside") == 0) {
			request->beside = true;
		} else if (strcmp(argv[i], "--numeric") == 0) {
			request->numeric = true;
		} else if (strcmp(argv[i], "--function") == 0) {
			if (i + 1 == argc || str_uint(argv[++i], &function, NULL) == -1 ||
				function < 1 || function > 4)
				return cmd_usage(&cmd_probe, "--function is 1, 2, 3 or 4");
			request->function = (enum adu_function)function;
		} else if (argv[i][0] == '-') {
			return cmd_usage(&cmd_probe, "unknown option %s", argv[i]);
		} else if (request->device_name == NULL) {
			request->device_name = argv[i];
		} else if (request->address_text == NULL) {
			request->address_text = argv[i];
		} else {
			return cmd_usage(&cmd_probe, "one device and one address, please");
		}
	}
	if (request->device_name == NULL)
		return cmd_usage(&cmd_probe, "which device?");
	if (request->sunspec && (request->address_text != NULL || request->function != 0 ||
		request->reference || request->identify))
		return cmd_usage(&cmd_probe, "--sunspec finds the addresses itself");
	if (request->reference && request->beside)
		return cmd_usage(&cmd_probe, "--reference needs the line for itself, so not --beside");
	return CMD_OK;
}

static int
find_device(struct request *request, const struct inventory *inventory, struct fail *why)
{
	request->device = inventory_find(inventory, request->device_name);
	if (request->device == NULL) {
		fail_set(why, "no device \"%s\" in the configuration (pollwerk discover asks "
			"addresses)", request->device_name);
		return -1;
	}
	request->options = device_modbus(request->device);
	if (request->options != NULL && request->options->never_connect) {
		fail_set(why, "\"%s\" has free_connections = 0: it is never connected",
			request->device_name);
		return -1;
	}
	if (request->options == NULL) {
		fail_set(why, device_snmp(request->device) != NULL ?
			"\"%s\" is asked by SNMP: leave the address away" :
			"\"%s\" is asked neither by Modbus nor by SNMP; probe knows nothing else",
			request->device_name);
		return -1;
	}
	if (request->sunspec)
		return 0;
	if (request->address_text == NULL) {
		fail_set(why, "which address of \"%s\"?", request->device_name);
		return -1;
	}
	return parse_address(request, why);
}

/* ---- what came back ---- */

static void
on_done(const struct probe_result *result, void *arg)
{
	const struct probe_result **got = arg;

	*got = result;
}

static bool
is_bits(const struct request *request)
{
	return request->function <= ADU_DISCRETE_INPUTS;
}

static void
print_decoding(const char *type, const char *order, const char *text, void *arg)
{
	const char **last = arg;

	if (strcmp(*last, type) != 0)
		printf("%s    %-7s", **last != '\0' ? "\n" : "", type);
	printf("  %s %s", order, text);
	*last = type;
}

/* What libmodbus read at the same addresses; NULL where it was not asked to. */
struct reference {
	struct reference_read reads[PROBE_BASES];
	size_t count;
};

static const struct reference_read *
reference_of(const struct reference *reference, const struct probe_reading *reading)
{
	for (size_t i = 0; reference != NULL && i < reference->count; i++)
		if (reference->reads[i].address == reading->address)
			return &reference->reads[i];
	return NULL;
}

static unsigned
value_at(const struct request *request, const struct probe_reading *reading, unsigned i)
{
	return is_bits(request) ? adu_bit(reading->bytes, i) :
		(unsigned)(reading->bytes[2 * i] << 8 | reading->bytes[2 * i + 1]);
}

/* Both refused is the same as well. */
static bool
is_same(const struct request *request, const struct probe_reading *reading,
	const struct reference_read *read)
{
	if (read->got != reading->count)
		return false;
	for (unsigned i = 0; i < read->got; i++)
		if (read->values[i] != value_at(request, reading, i))
			return false;
	return true;
}

static void
print_reference(const struct request *request, const struct probe_reading *reading,
	const struct reference_read *read)
{
	if (read == NULL)
		return;
	printf("    libmodbus%s", is_same(request, reading, read) ? " the same" :
		" DIFFERS (or what stands there has moved):");
	if (read->got == 0)
		printf(" (%s)", read->why);
	for (unsigned i = 0; i < read->got && !is_same(request, reading, read); i++)
		printf(is_bits(request) ? " %u" : " %04x", read->values[i]);
	printf("\n");
}

static void
print_reading(const struct request *request, const struct probe_reading *reading)
{
	static const char first_digit[] = "?0143"; /* by function */
	const char *last = "";

	printf("%s pdu %d = register %d = modicon %c%05d:", reading->address == request->address ?
		"=>" : "  ", reading->address, reading->address + 1, first_digit[request->function],
		reading->address + 1);
	if (reading->count == 0) {
		printf(" %s\n", reading->why);
		return;
	}
	if (is_bits(request)) {
		for (unsigned i = 0; i < reading->count; i++)
			printf(" %d", adu_bit(reading->bytes, i));
		printf("\n");
		return;
	}
	for (unsigned i = 0; i < reading->count; i++)
		printf(" %02x%02x", reading->bytes[2 * i], reading->bytes[2 * i + 1]);
	printf("\n");
	probe_decodings(reading, print_decoding, &last);
	printf("\n");
}

static void
print_text(const struct request *request, const struct probe_result *result,
	const struct reference *reference)
{
	printf("%s (%s), unit id %d, function %d\n", request->device->name,
		request->device->address, request->options->unit_id, request->function);
	for (int i = 0; i < PROBE_BASES; i++)
		if (result->at[i].possible) {
			print_reading(request, &result->at[i]);
			print_reference(request, &result->at[i],
				reference_of(reference, &result->at[i]));
		}
	if (!request->identify)
		return;
	for (size_t i = 0; i < result->object_count; i++)
		printf("identification %d %s: %s\n", result->objects[i].id,
			probe_object_name(result->objects[i].id), result->objects[i].text);
	if (result->identify_why[0] != '\0')
		printf("identification (43/14): %s\n", result->identify_why);
	printf("server id (17): %s\n", result->server_id[0] != '\0' || result->server_id_why[0] == '\0' ?
		result->server_id : result->server_id_why);
}

static void
add_decoding(const char *type, const char *order, const char *text, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:o}", "type", type, "order", order,
		"value", doc_text(text)));
}

static json_t *
reference_json(const struct request *request, const struct probe_reading *reading,
	const struct reference_read *read)
{
	json_t *raw = json_array();

	for (unsigned i = 0; i < read->got; i++)
		json_array_append_new(raw, json_integer(read->values[i]));
	return json_pack("{s:o, s:o, s:b}", "raw", raw, "error",
		read->got > 0 ? json_null() : doc_text(read->why), "same",
		is_same(request, reading, read));
}

static json_t *
reading_json(const struct request *request, const struct probe_reading *reading,
	const struct reference_read *read)
{
	json_t *object = json_pack("{s:i, s:i}", "pdu", reading->address, "register",
		reading->address + 1);
	json_t *raw = json_array(), *decodings = json_array();

	for (unsigned i = 0; i < reading->count; i++)
		json_array_append_new(raw, json_integer(value_at(request, reading, i)));
	if (!is_bits(request) && reading->count > 0)
		probe_decodings(reading, add_decoding, decodings);
	json_object_set_new(object, "raw", raw);
	json_object_set_new(object, "decodings", decodings);
	if (read != NULL)
		json_object_set_new(object, "reference", reference_json(request, reading, read));
	json_object_set_new(object, "error",
		reading->count > 0 ? json_null() : doc_text(reading->why));
	return object;
}

static void
print_json(const struct request *request, const struct probe_result *result,
	const struct reference *reference)
{
	json_t *document = json_pack("{s:o, s:i, s:i}", "device",
		doc_text(request->device->name), "unit_id", request->options->unit_id,
		"function", (int)request->function);
	json_t *readings = json_array(), *objects = json_array();

	for (int i = 0; i < PROBE_BASES; i++)
		if (result->at[i].possible)
			json_array_append_new(readings, reading_json(request, &result->at[i],
				reference_of(reference, &result->at[i])));
	for (size_t i = 0; i < result->object_count; i++)
		json_array_append_new(objects, json_pack("{s:i, s:s, s:o}", "id",
			result->objects[i].id, "name", probe_object_name(result->objects[i].id),
			"text", doc_text(result->objects[i].text)));
	json_object_set_new(document, "readings", readings);
	json_object_set_new(document, "identification", objects);
	json_object_set_new(document, "server_id", doc_text(result->server_id));
	cmd_print_json(document);
}

/* ---- the command ---- */

/* After our own connection has gone: the device may have room for one. */
static int
ask_reference(const struct request *request, const struct probe_result *result,
	struct reference *reference, struct fail *why)
{
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	for (int i = 0; i < PROBE_BASES; i++) {
		const struct probe_reading *reading = &result->at[i];

		if (reading->possible && !reading->barred)
			reference->reads[reference->count++] = (struct reference_read){
				.function = request->function, .address = reading->address,
				.count = reading->count > 0 ? reading->count : 1 };
	}
	return reference_run(request->options, reference->reads, reference->count, why);
}

/* The daemon has the line. True when it has left it to us for long enough. */
static bool
is_left_to_us(const struct request *request, const struct inventory *inventory)
{
	/* three reads of ours, the pause after them, three of libmodbus's */
	double needed = 5 + 2 * PROBE_BASES * (double)request->options->timeout / 1e9, left;
	struct fail why;
	json_t *said = pause_look(inventory->poller.run_dir, request->device->name, &why);
	bool released = json_is_true(json_object_get(said, "released"));

	left = json_number_value(json_object_get(said, "left"));
	json_decref(said);
	if (released && left >= needed)
		return true;
	if (said == NULL)
		cmd_error("--reference needs the line for itself, and the daemon: %s", why.text);
	else if (released)
		cmd_error("--reference takes up to %.0f s, and the daemon asks on this line again in "
			"%.0f s: pollwerk pause %s", needed, left, request->device->name);
	else
		cmd_error("--reference needs the line for itself, and the daemon has it: pollwerk "
			"pause %s first, or stop the daemon", request->device->name);
	return false;
}

static int
ask(const struct cmd_context *context, const struct request *request,
	const struct inventory *inventory)
{
	struct wire_options open = { inventory, request->device->name, request->options,
		request->beside, 0 };
	struct probe_options options = { .device = request->options,
		.function = request->function, .address = request->address,
		.identify = request->identify, .send = wire_send };
	const struct probe_result *result = NULL;
	struct reference reference = { .count = 0 }, *shown = NULL;
	struct probe *probe;
	struct wire *wire;
	struct fail why;
	bool read = false;

	wire = wire_open(&open, &why);
	if (wire == NULL) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	if (request->reference && wire_is_daemons(wire)) {
		wire_close(wire);
		if (!is_left_to_us(request, inventory))
			return CMD_NEGATIVE;
		open.beside = true;
		wire = wire_open(&open, &why);
		if (wire == NULL) {
			cmd_error("%s", why.text);
			return CMD_NEGATIVE;
		}
	}
	options.send_arg = wire;
	probe = probe_new(NULL, &options, on_done, &result);
	for (int i = 0; i < PROBE_BASES; i++)
		read = read || result->at[i].count > 0;
	wire_close(wire);
	if (request->reference && ask_reference(request, result, &reference, &why) == -1) {
		cmd_error("%s", why.text);
		read = false;
	} else if (request->reference) {
		shown = &reference;
		for (int i = 0; i < PROBE_BASES; i++)
			read = read && (!result->at[i].possible || result->at[i].barred ||
				is_same(request, &result->at[i], reference_of(shown, &result->at[i])));
	}
	if (context->json)
		print_json(request, result, shown);
	else
		print_text(request, result, shown);
	probe_free(probe);
	return read ? CMD_OK : CMD_NEGATIVE;
}

static int
run(const struct cmd_context *context, int argc, char **argv)
{
	struct request request = { 0 };
	const struct device *device;
	struct inventory *inventory;
	struct mib *mib = NULL;
	struct fail why;
	int status = parse_arguments(&request, argc, argv);

	if (status != CMD_OK)
		return status;
	/* Only who looks at an SNMP agent gives no address. */
	inventory = request.address_text != NULL || request.numeric || request.sunspec ? cmd_inventory(context) :
		cmd_inventory_and_mib(context, &mib);
	if (inventory == NULL)
		return CMD_NEGATIVE;
	device = inventory_find(inventory, request.device_name);
	if (device != NULL && device_snmp(device) != NULL && request.address_text == NULL &&
		!request.sunspec) {
		status = probe_snmp(context, device, mib);
	} else if (find_device(&request, inventory, &why) == -1) {
		status = cmd_usage(&cmd_probe, "%s", why.text);
	} else if (request.sunspec) {
		status = probe_sunspec(context, inventory, request.device, request.beside);
	} else {
		status = ask(context, &request, inventory);
	}
	mib_close(mib);
	inventory_unref(inventory);
	return status;
}

const struct cmd cmd_probe = { "probe",
	"[--numeric] DEVICE | --sunspec DEVICE |\n"
	"    [--function N] [--identify] [--reference] [--beside] DEVICE ADDRESS|POINT",
	"see what an SNMP agent is, or read a Modbus address in every way it could be meant",
	run };

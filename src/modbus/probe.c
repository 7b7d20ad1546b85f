#include "modbus/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "modbus/block.h"
#include "modbus/line.h"
#include "modbus/modbus.h"
#include "modbus/modbus_parts.h"
#include "modbus/regs.h"
#include "modbus/wanted.h"

enum { IDENTIFY_BASIC = 1, IDENTIFY_REQUESTS = 10, IDENTIFY_HEAD = 6 };

struct probe {
	struct probe_options options;
	struct lines *lines;
	struct line_unit unit;
	struct line_request request;
	struct block_limits limits; /* of its neighbours some may not be read with it */
	unsigned base;          /* 0..2: the reading under way; 3: identification */
	unsigned identifies;    /* requests so far */
	struct probe_result result;
	void (*done)(const struct probe_result *result, void *arg);
	void *arg;
};

static void on_read(struct line_request *request, const struct line_result *result, void *arg);

static bool
is_bits(const struct probe *probe)
{
	return probe->options.function <= ADU_DISCRETE_INPUTS;
}

static void
say_why(char *to, size_t size, const struct line_result *result)
{
	if (result->outcome == LINE_EXCEPTION)
		snprintf(to, size, "exception %d (%s)", result->code, result->why);
	else
		str_copy(to, size, result->why != NULL ? result->why : "no answer");
}

static void
send(struct probe *probe, enum line_question question,
	void (*done)(struct line_request *, const struct line_result *, void *))
{
	probe->request.question = question;
	probe->request.done = done;
	if (probe->options.send != NULL)
		probe->options.send(&probe->request, probe->options.send_arg);
	else
		line_send(&probe->request);
}

/* ---- identification ---- */

static void
on_server_id(struct line_request *request, const struct line_result *result, void *arg)
{
	struct probe *probe = arg;
	struct probe_result *shown = &probe->result;

	(void)request;
	if (result->outcome != LINE_ANSWER)
		say_why(shown->server_id_why, sizeof(shown->server_id_why), result);
	for (size_t i = 0; i < result->size && i + 1 < sizeof(shown->server_id); i++)
		shown->server_id[i] = result->data[i] >= 0x20 && result->data[i] <= 0x7E ?
				      (char)result->data[i] : '?';
	probe->done(shown, probe->arg);
}

static void
keep_object(struct probe_result *result, uint8_t id, const uint8_t *text, size_t size)
{
	struct probe_object *object = &result->objects[result->object_count];

	if (result->object_count == PROBE_OBJECTS)
		return;
	result->object_count++;
	object->id = id;
	for (size_t i = 0; i < size && i + 1 < sizeof(object->text); i++)
		object->text[i] = text[i] >= 0x20 && text[i] <= 0x7E ? (char)text[i] : '?';
}

/* mei, code, conformity, more follows, next object, number of objects, then id, length and
 * text of each. Returns the next object to ask for, 0 when that was all, -1 when broken. */
static int
keep_objects(struct probe_result *result, const uint8_t *data, size_t size)
{
	size_t at = IDENTIFY_HEAD;

	if (size < IDENTIFY_HEAD)
		return -1;
	for (unsigned left = data[5]; left > 0; left--) {
		if (at + 2 > size || at + 2 + data[at + 1] > size)
			return -1;
		keep_object(result, data[at], data + at + 2, data[at + 1]);
		at += 2u + data[at + 1];
	}
	return data[3] == 0 ? 0 : data[4];
}

static void
on_identify(struct line_request *request, const struct line_result *result, void *arg)
{
	struct probe *probe = arg;
	struct probe_result *shown = &probe->result;
	int next = -1;

	if (result->outcome == LINE_ANSWER) {
		next = keep_objects(shown, result->data, result->size);
		if (next == -1)
			str_copy(shown->identify_why, sizeof(shown->identify_why),
				"an answer with broken lengths");
	} else {
		say_why(shown->identify_why, sizeof(shown->identify_why), result);
	}
	/* Some devices say "more follows" for ever, or start again. */
	if (next > request->object && probe->identifies < IDENTIFY_REQUESTS) {
		probe->identifies++;
		request->object = (uint8_t)next;
		send(probe, LINE_IDENTIFY, on_identify);
	} else if (result->outcome == LINE_TIMEOUT || result->outcome == LINE_UNREACHABLE) {
		shown->identify_silent = true;
		str_copy(shown->server_id_why, sizeof(shown->server_id_why), "not asked any more");
		probe->done(shown, probe->arg);
	} else {
		send(probe, LINE_SERVER_ID, on_server_id);
	}
}

static void
identify(struct probe *probe)
{
	probe->identifies = 1;
	probe->request.code = IDENTIFY_BASIC;
	probe->request.object = 0;
	send(probe, LINE_IDENTIFY, on_identify);
}

/* ---- the three addresses ---- */

/* As much as fits before 65536; a device that refuses four registers may give two, or one. */
static void
read_next(struct probe *probe, unsigned most)
{
	struct probe_reading *reading;

	while (probe->base < PROBE_BASES && (!probe->result.at[probe->base].possible ||
		probe->result.at[probe->base].barred))
		probe->base++;
	if (probe->base == PROBE_BASES) {
		if (probe->options.identify)
			identify(probe);
		else
			probe->done(&probe->result, probe->arg);
		return;
	}
	reading = &probe->result.at[probe->base];
	while (most > 1 && (reading->address + most > 65536 || block_barred(&probe->limits,
		probe->options.function, reading->address + 1u, reading->address + most - 1)))
		most /= 2;
	probe->request.address = reading->address;
	probe->request.count = (uint16_t)most;
	send(probe, LINE_READ, on_read);
}

static void
on_read(struct line_request *request, const struct line_result *result, void *arg)
{
	struct probe *probe = arg;
	struct probe_reading *reading = &probe->result.at[probe->base];
	unsigned most = is_bits(probe) ? PROBE_BITS : PROBE_REGISTERS;

	reading->rtt = result->rtt;
	if (result->outcome == LINE_ANSWER) {
		reading->count = request->count;
		memcpy(reading->bytes, result->data,
			result->size < sizeof(reading->bytes) ? result->size : sizeof(reading->bytes));
	} else if (result->outcome == LINE_EXCEPTION && request->count > 1) {
		read_next(probe, request->count / (is_bits(probe) ? 16u : 2u));
		return;
	} else {
		say_why(reading->why, sizeof(reading->why), result);
	}
	/* What is silent is not asked again in eight more ways. */
	if (result->outcome != LINE_ANSWER && result->outcome != LINE_EXCEPTION) {
		for (unsigned i = probe->base + 1; i < PROBE_BASES; i++)
			str_copy(probe->result.at[i].why, sizeof(reading->why), "not asked any more");
		probe->done(&probe->result, probe->arg);
		return;
	}
	probe->base++;
	read_next(probe, most);
}

/* What a barrier parts from the address is not looked at: reading it may change the device. */
static void
find_places(struct probe *probe)
{
	const struct probe_options *options = &probe->options;

	for (int i = 0; i < PROBE_BASES; i++) {
		struct probe_reading *reading = &probe->result.at[i];
		int address = options->address + i - 1;
		uint32_t edge = options->address + (i == 0 ? 0u : 1u);

		reading->possible = options->function != 0 && address >= 0 && address <= 65535;
		reading->address = (uint16_t)address;
		reading->barred = i != 1 && reading->possible &&
			block_barred(&probe->limits, options->function, edge, edge);
		if (reading->barred)
			str_copy(reading->why, sizeof reading->why, "a barrier is in between");
	}
}

struct probe *
probe_new(struct loop *loop, const struct probe_options *options,
	void (*done)(const struct probe_result *result, void *arg), void *arg)
{
	const struct modbus_options *device = options->device;
	struct line_options line;
	char name[MODBUS_LINE_NAME];
	struct probe *probe = mem_zero(sizeof(*probe));

	probe->options = *options;
	probe->done = done;
	probe->arg = arg;
	probe->limits = wanted_limits(device);
	find_places(probe);
	probe->unit.id = device->unit_id;
	if (options->send == NULL) {
		probe->lines = lines_new(loop);
		modbus_line_options(device, &line, name);
		line_join(probe->lines, &line, &probe->unit);
	}
	probe->request = (struct line_request){ .unit = &probe->unit, .arg = probe,
		.function = options->function, .timeout = device->timeout };
	read_next(probe, is_bits(probe) ? PROBE_BITS : PROBE_REGISTERS);
	return probe;
}

void
probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	if (probe->lines != NULL) {
		line_cancel(&probe->request);
		line_leave(&probe->unit);
		lines_free(probe->lines);
	}
	free(probe);
}

/* ---- showing ---- */

/* Digits that are none: not a reading worth a line. */
static bool
is_digits(enum regs_type type)
{
	return type == REGS_BCD16 || type == REGS_BCD32 || type == REGS_M10K32 ||
		type == REGS_M10K48 || type == REGS_M10K64;
}

static void
decode(const struct probe_reading *reading, enum regs_type type, const char *order,
	void (*each)(const char *type, const char *order, const char *text, void *arg), void *arg)
{
	struct regs_spec spec = { .type = type, .length = (uint8_t)reading->count };
	struct regs_value value;
	char text[REGS_TEXT_MAX + 1];

	regs_order_parse(order, &spec.order, NULL);
	if (regs_count(&spec) > reading->count)
		return;
	regs_read(&spec, reading->bytes, &value);
	if (value.kind == REGS_INVALID && is_digits(type))
		return;
	if (value.kind == REGS_TEXT)
		str_copy(text, sizeof(text), value.text);
	else if (value.kind == REGS_INVALID)
		str_copy(text, sizeof(text), "not a number");
	else if (type == REGS_U64)
		snprintf(text, sizeof(text), "%" PRIu64, value.raw);
	else if (type == REGS_S64)
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)value.raw);
	else
		str_number(text, sizeof(text), value.number);
	each(regs_type_name(type), order, text, arg);
}

void
probe_decodings(const struct probe_reading *reading,
	void (*each)(const char *type, const char *order, const char *text, void *arg), void *arg)
{
	static const char *const orders[] = { "AB", "BA", "ABCD", "CDAB", "BADC", "DCBA",
		"ABCDEF", "EFCDAB", "BADCFE", "FEDCBA", "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD",
		"DCBAHGFE", "FEHGBADC" };

	for (int type = REGS_S16; type < REGS_TYPES; type++) {
		size_t letters = type == REGS_STRING ? 2 : regs_width((enum regs_type)type) * 2u;

		if (type == REGS_BIT)
			continue;
		if (type >= REGS_S8H && type <= REGS_U8L)
			letters = 0; /* the halves need no order: each has its own name */
		for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
			if (strlen(orders[i]) == letters || (letters == 0 && i == 0))
				decode(reading, (enum regs_type)type, orders[i], each, arg);
		}
	}
}

const char *
probe_object_name(uint8_t id)
{
	static const char *const names[] = { "VendorName", "ProductCode", "MajorMinorRevision",
		"VendorUrl", "ProductName", "ModelName", "UserApplicationName" };

	return id < sizeof(names) / sizeof(names[0]) ? names[id] : "";
}

#include "cli/sunspec.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "cli/wire.h"
#include "modbus/regs.h"

enum { MARK_HIGH = 0x5375, MARK_LOW = 0x6E53, END_ID = 0xFFFF, COMMON = 1, COMMON_LENGTH = 65 };

static uint16_t
word(const struct wire_answer *answer, size_t at)
{
	return (uint16_t)(answer->data[2 * at] << 8 | answer->data[2 * at + 1]);
}

/* Texts of the common model, offsets from its id: Mn 2, Md 18, Vr 42, SN 50. */
static void
take_text(const struct wire_answer *answer, size_t at, uint8_t registers, char *to, size_t size)
{
	struct regs_spec spec = { .type = REGS_STRING, .length = registers };
	struct regs_value value;

	regs_read(&spec, answer->data + 2 * at, &value);
	str_copy(to, size, value.text);
}

static void
read_common(struct wire *wire, struct sunspec *found, const struct sunspec_model *model)
{
	struct wire_answer answer;

	if (model->length < COMMON_LENGTH || !wire_registers(wire, ADU_HOLDING_REGISTERS,
			model->address, COMMON_LENGTH + 2, &answer))
		return;
	take_text(&answer, 2, 16, found->maker, sizeof found->maker);
	take_text(&answer, 18, 16, found->model, sizeof found->model);
	take_text(&answer, 42, 8, found->version, sizeof found->version);
	take_text(&answer, 50, 16, found->serial, sizeof found->serial);
}

/* Id and length come from the device: the next address only ever grows, and ends at 65535. */
static void
follow(struct wire *wire, struct sunspec *found)
{
	uint32_t at = found->base + 2u;
	struct wire_answer answer;
	char says[200];

	while (found->count < SUNSPEC_MODELS) {
		struct sunspec_model *model = &found->models[found->count];

		if (at + 2 > 65536) {
			snprintf(found->cut, sizeof found->cut, "model %u would go beyond register 65535",
				found->count > 0 ? model[-1].id : 0);
			return;
		}
		if (!wire_registers(wire, ADU_HOLDING_REGISTERS, (uint16_t)at, 2, &answer)) {
			snprintf(found->cut, sizeof found->cut, "at %u: %.90s", at,
				wire_says(&answer, says, sizeof says));
			return;
		}
		*model = (struct sunspec_model){ word(&answer, 0), word(&answer, 1), (uint16_t)at };
		if (model->id == END_ID)
			return;
		if (model->id == 0 || model->length == 0) {
			snprintf(found->cut, sizeof found->cut, "at %u: id %u with length %u is no model",
				at, model->id, model->length);
			return;
		}
		if (model->id == COMMON && found->maker[0] == '\0')
			read_common(wire, found, model);
		found->count++;
		at += 2u + model->length;
	}
	snprintf(found->cut, sizeof found->cut, "more than %d models", SUNSPEC_MODELS);
}

int
sunspec_walk(struct wire *wire, struct sunspec *found, struct fail *why)
{
	static const uint16_t bases[] = { 40000, 50000, 0 };
	struct wire_answer answer;
	char says[200];

	*found = (struct sunspec){ .count = 0 };
	for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
		if (wire_registers(wire, ADU_HOLDING_REGISTERS, bases[i], 2, &answer)) {
			if (word(&answer, 0) != MARK_HIGH || word(&answer, 1) != MARK_LOW)
				continue;
			found->base = bases[i];
			follow(wire, found);
			return 0;
		}
		/* What refuses one address may have another; what is silent is left alone. */
		if (answer.outcome != LINE_EXCEPTION) {
			fail_set(why, "%s", wire_says(&answer, says, sizeof says));
			return -1;
		}
	}
	fail_set(why, "no \"SunS\" at 40000, 50000 or 0");
	return -1;
}

const char *
sunspec_name(uint16_t id)
{
	static const struct {
		uint16_t id;
		const char *name;
	} names[] = {
		{ 1, "common" }, { 2, "basic aggregator" }, { 11, "Ethernet link layer" },
		{ 12, "IPv4" }, { 17, "serial interface" },
		{ 101, "inverter, one phase, integers" }, { 102, "inverter, split phase, integers" },
		{ 103, "inverter, three phases, integers" }, { 111, "inverter, one phase, floats" },
		{ 112, "inverter, split phase, floats" }, { 113, "inverter, three phases, floats" },
		{ 120, "inverter, nameplate" }, { 121, "inverter, basic settings" },
		{ 122, "inverter, extended measurements" }, { 123, "inverter, immediate controls" },
		{ 124, "storage, basic controls" }, { 126, "static volt-VAR" },
		{ 160, "inverter, MPPT strings" }, { 201, "meter, one phase, integers" },
		{ 202, "meter, split phase, integers" }, { 203, "meter, three phases, wye, integers" },
		{ 204, "meter, three phases, delta, integers" }, { 211, "meter, one phase, floats" },
		{ 212, "meter, split phase, floats" }, { 213, "meter, three phases, wye, floats" },
		{ 214, "meter, three phases, delta, floats" }, { 307, "meteorology" },
		{ 401, "string combiner" }, { 701, "DER, AC measurements" }, { 802, "battery" },
		{ 803, "lithium-ion battery bank" },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].id == id)
			return names[i].name;
	return "";
}

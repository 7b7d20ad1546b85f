/* Modbus frames and registers, each reader as one call. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "fuzz/targets.h"
#include "modbus/adu.h"
#include "modbus/regs.h"

int
fuzz_adu(const uint8_t *data, size_t size)
{
	struct adu_read read = { .framing = ADU_MBAP, .tid = 0x1234, .unit = 1,
		.function = ADU_HOLDING_REGISTERS, .address = 100, .count = 2 };
	struct adu_expect wanted;
	struct adu_answer answer;
	enum adu_verdict verdict;
	uint8_t question[ADU_MAX], *copy;

	if (size == 0)
		return 0;
	read.framing = data[0] & 1 ? ADU_RTU : ADU_MBAP;
	read.function = (enum adu_function)(1 + (data[0] >> 1 & 3));
	expect(adu_encode_read(&read, question, sizeof question, &wanted) > 0);
	copy = own(data + 1, size - 1);
	verdict = adu_feed(data[0] & 8 ? NULL : &wanted, copy, size - 1, &answer);
	if (verdict == ADU_ANSWER) {
		expect(answer.data >= copy && answer.data + answer.data_size <= copy + size - 1);
		expect(answer.data_size == wanted.bytes && answer.unit == 1);
	}
	if (verdict == ADU_ANSWER || verdict == ADU_EXCEPTION || verdict == ADU_OTHER_TID)
		expect(answer.size > 0 && answer.size <= size - 1);
	if (verdict == ADU_ERROR)
		expect(answer.why != NULL);
	free(copy);
	return 0;
}

/* Type, order, bit or length, where characters stand, a mask; then the registers. */
int
fuzz_regs(const uint8_t *data, size_t size)
{
	struct regs_spec spec = { .scale = 0.1, .offset = -40, .bounded = true, .min = -1e9,
		.max = 1e9 };
	struct regs_range ranges[2] = { { .kind = REGS_RANGE_BITS }, { .kind = REGS_RANGE_REAL } };
	static const char *const orders[] = { "AB", "BA", "ABCD", "CDAB", "BADC", "DCBA",
		"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA" };
	struct regs_value value;
	struct fail why;
	uint8_t *copy;

	if (size < 8)
		return 0;
	spec.type = (enum regs_type)(data[0] % REGS_TYPES);
	regs_order_parse(orders[data[1] % (sizeof orders / sizeof orders[0])], &spec.order, &why);
	spec.order = regs_order_inherit(spec.order, spec.type);
	spec.bit = data[2] & 15;
	spec.length = 1 + data[2] % 125;
	spec.chars = (enum regs_chars)(data[3] % 3);
	if (spec.type == REGS_U16 || spec.type == REGS_U32)
		memcpy(&spec.mask, data + 4, sizeof spec.mask);
	spec.invalid = ranges;
	spec.invalid_count = data[3] >> 6 & 1 ? 2 : 0;
	data += 8;
	size -= 8;
	if (size < 2 * regs_count(&spec))
		return 0;
	copy = own(data, 2 * regs_count(&spec));
	regs_read(&spec, copy, &value);
	if (value.kind == REGS_TEXT) {
		expect(spec.type == REGS_STRING && strlen(value.text) <= REGS_TEXT_MAX);
		for (const char *c = value.text; *c != '\0'; c++)
			expect(*c >= 0x20 && *c <= 0x7E);
	} else {
		expect(spec.type != REGS_STRING && isfinite(value.number));
		regs_plausible(&spec, value.number);
	}
	regs_read_bit(&spec, data[0] & 1, &value);
	free(copy);
	return 0;
}

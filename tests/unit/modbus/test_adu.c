#include "modbus/adu.h"

#include <stdio.h>
#include <time.h>

#include "../check.h"


static const struct adu_read three_registers = { .framing = ADU_MBAP, .tid = 0x1234,
	.unit = 7, .function = ADU_HOLDING_REGISTERS, .address = 107, .count = 3 };
static const uint8_t three_registers_answer[] = { 0x12, 0x34, 0, 0, 0, 9, 7, 3, 6, 0x02, 0x2B,
	0x00, 0x01, 0x00, 0x64 };

static struct adu_expect
expect_of(const struct adu_read *read)
{
	uint8_t frame[ADU_MAX];
	struct adu_expect expect;

	CHECK(adu_encode_read(read, frame, sizeof(frame), &expect) > 0);
	return expect;
}

/* The PDUs are the examples of Application Protocol 1.1b3, 6.1 to 6.4. */
static void
encodes_the_examples_of_the_specification(void)
{
	static const struct {
		struct adu_read read;
		uint8_t wire[12];
		int size;
	} cases[] = {
		{ { ADU_MBAP, 1, 1, ADU_COILS, 19, 19 },
			{ 0, 1, 0, 0, 0, 6, 1, 1, 0x00, 0x13, 0x00, 0x13 }, 12 },
		{ { ADU_MBAP, 0xFFFF, 255, ADU_DISCRETE_INPUTS, 0xC4, 22 },
			{ 0xFF, 0xFF, 0, 0, 0, 6, 255, 2, 0x00, 0xC4, 0x00, 0x16 }, 12 },
		{ { ADU_MBAP, 0x0102, 17, ADU_HOLDING_REGISTERS, 0x6B, 3 },
			{ 1, 2, 0, 0, 0, 6, 17, 3, 0x00, 0x6B, 0x00, 0x03 }, 12 },
		{ { ADU_MBAP, 0, 247, ADU_INPUT_REGISTERS, 65535, 1 },
			{ 0, 0, 0, 0, 0, 6, 247, 4, 0xFF, 0xFF, 0x00, 0x01 }, 12 },
		/* CRC as in the widely copied example 11 03 00 6B 00 03 76 87 */
		{ { ADU_RTU, 0, 17, ADU_HOLDING_REGISTERS, 0x6B, 3 },
			{ 0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87 }, 8 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t frame[ADU_MAX];

		CHECK_INT(adu_encode_read(&cases[i].read, frame, sizeof(frame), NULL),
			cases[i].size);
		CHECK(memcmp(frame, cases[i].wire, (size_t)cases[i].size) == 0);
	}
}

static void
encodes_the_two_questions_of_a_probe(void)
{
	static const uint8_t identify[] = { 0, 9, 0, 0, 0, 5, 3, 0x2B, 0x0E, 0x01, 0x00 };
	static const uint8_t server_id[] = { 0, 9, 0, 0, 0, 2, 3, 0x11 };
	uint8_t frame[ADU_MAX];

	CHECK_INT(adu_encode_identify(ADU_MBAP, 9, 3, 1, 0, frame, sizeof(frame), NULL), 11);
	CHECK(memcmp(frame, identify, 11) == 0);
	CHECK_INT(adu_encode_server_id(ADU_MBAP, 9, 3, frame, sizeof(frame), NULL), 8);
	CHECK(memcmp(frame, server_id, 8) == 0);
	CHECK_INT(adu_encode_identify(ADU_MBAP, 9, 3, 0, 0, frame, sizeof(frame), NULL), -1);
	CHECK_INT(adu_encode_identify(ADU_MBAP, 9, 3, 5, 0, frame, sizeof(frame), NULL), -1);
}

/* Every function code with every unit through every call there is: whatever comes out
 * carries 1 to 4, 17, or 43 with sub-function 14, and never unit 0. */
static void
can_only_express_reading(void)
{
	unsigned refused = 0, made = 0;

	for (int framing = ADU_MBAP; framing <= ADU_RTU; framing++) {
		for (unsigned n = 0; n < 256 * 256; n++) {
			uint8_t function = (uint8_t)(n >> 8), unit = (uint8_t)n;
			struct adu_read read = { .framing = (enum adu_framing)framing,
				.tid = (uint16_t)n, .unit = unit,
				.function = (enum adu_function)function, .address = 0, .count = 1 };
			size_t at = framing == ADU_MBAP ? 7 : 1;
			uint8_t frame[3][ADU_MAX];
			int size[3];

			memset(frame, 0xA5, sizeof(frame));
			size[0] = adu_encode_read(&read, frame[0], ADU_MAX, NULL);
			size[1] = adu_encode_identify(read.framing, read.tid, unit, function,
				unit, frame[1], ADU_MAX, NULL);
			size[2] = adu_encode_server_id(read.framing, read.tid, unit, frame[2],
				ADU_MAX, NULL);
			for (int call = 0; call < 3; call++) {
				uint8_t sent = frame[call][at];

				if (size[call] == -1) {
					for (size_t i = 0; i < ADU_MAX; i++)
						CHECK(frame[call][i] == 0xA5);
					refused++;
					continue;
				}
				made++;
				CHECK(frame[call][at - 1] == unit && unit != 0);
				CHECK(framing == ADU_MBAP || unit <= 247);
				if (call == 0)
					CHECK(sent == function && sent >= 1 && sent <= 4);
				else if (call == 1)
					CHECK(sent == 43 && frame[call][at + 1] == 14);
				else
					CHECK(sent == 17);
			}
		}
	}
	/* per allowed unit: functions 1-4, codes 1-4, and 17 whatever the loop variable */
	CHECK_INT(made, (255 + 247) * (4 + 4 + 256));
	CHECK_INT(made + refused, 2 * 3 * 256 * 256);
}

static void
refuses_counts_and_addresses_out_of_range(void)
{
	static const struct {
		enum adu_function function;
		unsigned address, count;
		bool fine;
	} cases[] = {
		{ ADU_COILS, 0, 0, false }, { ADU_COILS, 0, 2000, true },
		{ ADU_COILS, 0, 2001, false }, { ADU_DISCRETE_INPUTS, 63536, 2000, true },
		{ ADU_DISCRETE_INPUTS, 63537, 2000, false },
		{ ADU_HOLDING_REGISTERS, 0, 0, false }, { ADU_HOLDING_REGISTERS, 0, 125, true },
		{ ADU_HOLDING_REGISTERS, 0, 126, false }, { ADU_INPUT_REGISTERS, 65535, 1, true },
		{ ADU_INPUT_REGISTERS, 65535, 2, false }, { ADU_INPUT_REGISTERS, 65411, 125, true },
		{ ADU_INPUT_REGISTERS, 1, 65535, false },
	};
	uint8_t frame[ADU_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct adu_read read = { ADU_MBAP, 1, 1, cases[i].function,
			(uint16_t)cases[i].address, (uint16_t)cases[i].count };

		CHECK_INT(adu_encode_read(&read, frame, sizeof(frame), NULL),
			cases[i].fine ? 12 : -1);
	}
	CHECK_INT(adu_encode_read(&three_registers, frame, ADU_MAX - 1, NULL), -1);
}

static void
takes_an_answer_split_at_every_byte(void)
{
	struct adu_expect expect = expect_of(&three_registers);
	struct adu_answer answer;
	size_t size = sizeof(three_registers_answer);

	for (size_t len = 0; len < size; len++) {
		/* a copy of just that length, so that reading beyond it is caught */
		uint8_t *part = malloc(len + 1);

		memcpy(part, three_registers_answer, len);
		part = realloc(part, len > 0 ? len : 1);
		CHECK_INT(adu_feed(&expect, part, len, &answer), ADU_NEED_MORE);
		free(part);
	}
	CHECK_INT(adu_feed(&expect, three_registers_answer, size, &answer), ADU_ANSWER);
	CHECK_INT(answer.size, size);
	CHECK_INT(answer.data_size, 6);
	CHECK_INT(answer.data[1], 0x2B);
	CHECK(!answer.short_length);
}

static void
keeps_joined_answers_apart(void)
{
	struct adu_expect expect = expect_of(&three_registers);
	size_t size = sizeof(three_registers_answer);
	uint8_t both[2 * sizeof(three_registers_answer)];
	struct adu_answer answer;

	memcpy(both, three_registers_answer, size);
	memcpy(both + size, three_registers_answer, size);
	both[1] = 0x33; /* the first one is late */
	CHECK_INT(adu_feed(&expect, both, sizeof(both), &answer), ADU_OTHER_TID);
	CHECK_INT(answer.tid, 0x1233);
	CHECK_INT(answer.size, size);
	CHECK_INT(adu_feed(&expect, both + size, size, &answer), ADU_ANSWER);
	CHECK_INT(adu_feed(NULL, both + size, size, &answer), ADU_OTHER_TID);
}

static void
finds_junk_behind_an_answer(void)
{
	static const uint8_t junk[] = { 0xDE, 0xAD, 0xBE, 0xEF };
	struct adu_expect expect = expect_of(&three_registers);
	uint8_t wire[sizeof(three_registers_answer) + sizeof(junk)];
	struct adu_answer answer;

	memcpy(wire, three_registers_answer, sizeof(three_registers_answer));
	memcpy(wire + sizeof(three_registers_answer), junk, sizeof(junk));
	CHECK_INT(adu_feed(&expect, wire, sizeof(wire), &answer), ADU_ANSWER);
	CHECK_INT(adu_feed(NULL, wire + answer.size, sizeof(junk), &answer), ADU_ERROR);
	CHECK_STR(answer.why, "bad-protocol");
}

static void
names_what_is_wrong_with_a_frame(void)
{
	static const struct {
		uint8_t wire[16];
		size_t size;
		enum adu_verdict verdict;
		const char *why;
	} cases[] = {
		{ { 0x12, 0x34, 1 }, 3, ADU_ERROR, "bad-protocol" },
		{ { 0x12, 0x34, 0, 1 }, 4, ADU_ERROR, "bad-protocol" },
		{ { 0x12, 0x34, 0, 0, 0, 0 }, 6, ADU_ERROR, "bad-length" },
		{ { 0x12, 0x34, 0, 0, 0, 1 }, 6, ADU_ERROR, "bad-length" },
		{ { 0x12, 0x34, 0, 0, 0, 255 }, 6, ADU_ERROR, "bad-length" },
		{ { 0x12, 0x34, 0, 0, 0xFF }, 5, ADU_ERROR, "bad-length" },
		/* length 2 is forgiven for exceptions alone */
		{ { 0x12, 0x34, 0, 0, 0, 2, 7, 3 }, 8, ADU_ERROR, "bad-length" },
		{ { 0x12, 0x34, 0, 0, 0, 4, 7, 0x83, 2, 0 }, 10, ADU_ERROR, "bad-length" },
		{ { 0x12, 0x34, 0, 0, 0, 9, 8, 3, 6, 1, 2, 3, 4, 5, 6 }, 15, ADU_ERROR, "bad-unit" },
		{ { 0x12, 0x34, 0, 0, 0, 9, 7, 4, 6, 1, 2, 3, 4, 5, 6 }, 15, ADU_ERROR,
			"bad-function" },
		{ { 0x12, 0x34, 0, 0, 0, 9, 7, 0x84, 6, 1, 2, 3, 4, 5, 6 }, 15, ADU_ERROR,
			"bad-function" },
		/* byte count above and below what the header says, then both one register short */
		{ { 0x12, 0x34, 0, 0, 0, 9, 7, 3, 8, 1, 2, 3, 4, 5, 6 }, 15, ADU_ERROR,
			"bad-byte-count" },
		{ { 0x12, 0x34, 0, 0, 0, 9, 7, 3, 5, 1, 2, 3, 4, 5, 6 }, 15, ADU_ERROR,
			"bad-byte-count" },
		{ { 0x12, 0x34, 0, 0, 0, 3, 7, 3, 0 }, 9, ADU_ERROR, "bad-count" },
		{ { 0x12, 0x34, 0, 0, 0, 7, 7, 3, 4, 1, 2, 3, 4 }, 13, ADU_ERROR, "bad-count" },
		{ { 0x12, 0x35, 0, 0, 0, 9, 7, 3, 6, 1, 2, 3, 4, 5, 6 }, 15, ADU_OTHER_TID, NULL },
	};
	struct adu_expect expect = expect_of(&three_registers);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct adu_answer answer;

		CHECK_INT(adu_feed(&expect, cases[i].wire, cases[i].size, &answer),
			cases[i].verdict);
		if (cases[i].why != NULL)
			CHECK_STR(answer.why, cases[i].why);
	}
}

static void
understands_exceptions_even_with_a_length_of_two(void)
{
	uint8_t wire[] = { 0x12, 0x34, 0, 0, 0, 3, 7, 0x83, 0x0B };
	struct adu_expect expect = expect_of(&three_registers);
	struct adu_answer answer;

	CHECK_INT(adu_feed(&expect, wire, sizeof(wire), &answer), ADU_EXCEPTION);
	CHECK_INT(answer.code, 11);
	CHECK(!answer.short_length);
	CHECK_STR(adu_exception_text(answer.code), "gateway target failed to respond");
	CHECK(adu_exception_text(77) == NULL);

	wire[5] = 2;
	CHECK_INT(adu_feed(&expect, wire, 7, &answer), ADU_NEED_MORE);
	CHECK_INT(adu_feed(&expect, wire, 8, &answer), ADU_NEED_MORE);
	CHECK_INT(adu_feed(&expect, wire, 9, &answer), ADU_EXCEPTION);
	CHECK(answer.short_length);
	CHECK_INT(answer.size, 9);
}

static void
takes_any_unit_only_when_told_to(void)
{
	uint8_t wire[sizeof(three_registers_answer)];
	struct adu_expect expect = expect_of(&three_registers);
	struct adu_answer answer;

	memcpy(wire, three_registers_answer, sizeof(wire));
	wire[6] = 0;
	CHECK_INT(adu_feed(&expect, wire, sizeof(wire), &answer), ADU_ERROR);
	expect.any_unit = true;
	CHECK_INT(adu_feed(&expect, wire, sizeof(wire), &answer), ADU_ANSWER);
}

static void
reads_rtu_frames_by_length_and_crc(void)
{
	/* 11 03 06 AE41 5652 4340 49AD, the widely copied answer to 11 03 00 6B 00 03 */
	uint8_t wire[] = { 0x11, 0x03, 0x06, 0xAE, 0x41, 0x56, 0x52, 0x43, 0x40, 0x49, 0xAD };
	struct adu_read read = { ADU_RTU, 0, 17, ADU_HOLDING_REGISTERS, 0x6B, 3 };
	struct adu_expect expect = expect_of(&read);
	struct adu_answer answer;

	for (size_t len = 0; len < sizeof(wire); len++)
		CHECK_INT(adu_feed(&expect, wire, len, &answer), ADU_NEED_MORE);
	CHECK_INT(adu_feed(&expect, wire, sizeof(wire), &answer), ADU_ANSWER);
	CHECK_INT(answer.data_size, 6);
	CHECK_INT(adu_feed(NULL, wire, 0, &answer), ADU_NEED_MORE);

	for (size_t bit = 0; bit < sizeof(wire) * 8; bit++) {
		enum adu_verdict verdict;

		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		verdict = adu_feed(&expect, wire, sizeof(wire), &answer);
		CHECK(verdict == ADU_ERROR || verdict == ADU_NEED_MORE);
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
reads_an_rtu_exception(void)
{
	uint8_t wire[5] = { 0x0A, 0x81, 0x02 };
	struct adu_read read = { ADU_RTU, 0, 10, ADU_COILS, 0x04A1, 1 };
	struct adu_expect expect = expect_of(&read);
	struct adu_answer answer;

	wire[3] = 0xB0; /* 0A 81 02 B0 53, from the same collection of examples */
	wire[4] = 0x53;
	CHECK_INT(adu_feed(&expect, wire, 4, &answer), ADU_NEED_MORE);
	CHECK_INT(adu_feed(&expect, wire, 5, &answer), ADU_EXCEPTION);
	CHECK_INT(answer.code, 2);
	wire[4] ^= 1;
	CHECK_INT(adu_feed(&expect, wire, 5, &answer), ADU_ERROR);
	CHECK_STR(answer.why, "bad-crc");
}

static void
finds_the_end_of_an_identification(void)
{
	uint8_t pdu[] = { 0x2B, 0x0E, 1, 1, 0, 0, 2, 0, 3, 'A', 'B', 'C', 1, 1, 'x' };
	uint8_t mbap[7 + sizeof(pdu)] = { 0, 5, 0, 0, 0, sizeof(pdu) + 1, 9 };
	uint8_t rtu[3 + sizeof(pdu)] = { 9 };
	uint8_t frame[ADU_MAX];
	struct adu_expect expect;
	struct adu_answer answer;
	uint16_t crc;

	memcpy(mbap + 7, pdu, sizeof(pdu));
	CHECK(adu_encode_identify(ADU_MBAP, 5, 9, 1, 0, frame, ADU_MAX, &expect) > 0);
	CHECK_INT(adu_feed(&expect, mbap, sizeof(mbap), &answer), ADU_ANSWER);
	CHECK_INT(answer.data_size, sizeof(pdu) - 1);

	memcpy(rtu + 1, pdu, sizeof(pdu));
	crc = adu_crc(rtu, sizeof(pdu) + 1);
	rtu[sizeof(pdu) + 1] = (uint8_t)crc;
	rtu[sizeof(pdu) + 2] = (uint8_t)(crc >> 8);
	CHECK(adu_encode_identify(ADU_RTU, 0, 9, 1, 0, frame, ADU_MAX, &expect) > 0);
	for (size_t len = 0; len < sizeof(rtu); len++)
		CHECK_INT(adu_feed(&expect, rtu, len, &answer), ADU_NEED_MORE);
	CHECK_INT(adu_feed(&expect, rtu, sizeof(rtu), &answer), ADU_ANSWER);
}

static void
reads_bits_lowest_first(void)
{
	static const uint8_t data[] = { 0xCD, 0x6B, 0x05 }; /* 6.1: coils 20 to 38 */
	static const bool wanted[19] = { 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1 };

	for (size_t i = 0; i < 19; i++)
		CHECK(adu_bit(data, i) == wanted[i]);
}

/* Right answers with a few bytes changed: the decoder never reads beyond what it got, and
 * what it calls an answer has the length, unit and function that were asked for. */
static void
survives_damaged_frames(void)
{
	unsigned seed = (unsigned)time(NULL);
	struct adu_expect expect = expect_of(&three_registers);

	print_message("seed %u\n", seed);
	for (int round = 0; round < 200000; round++) {
		size_t size = (size_t)(rand_r(&seed) % 24);
		uint8_t *wire = malloc(size > 0 ? size : 1);
		struct adu_answer answer;

		for (size_t i = 0; i < size; i++)
			wire[i] = i < sizeof(three_registers_answer) && rand_r(&seed) % 12 != 0 ?
				three_registers_answer[i] : (uint8_t)rand_r(&seed);
		switch (adu_feed(&expect, wire, size, &answer)) {
		case ADU_ANSWER:
			CHECK(memcmp(wire, three_registers_answer, 9) == 0);
			CHECK(answer.size == 15 && size >= 15 && answer.data_size == 6);
			break;
		case ADU_EXCEPTION:
			CHECK(wire[7] == 0x83 && answer.size == 9 && size >= 9);
			break;
		case ADU_ERROR:
			CHECK(answer.why != NULL);
			break;
		case ADU_OTHER_TID:
			CHECK(answer.tid != 0x1234 && answer.size <= size);
			break;
		case ADU_NEED_MORE:
			break;
		}
		free(wire);
	}
}

RUN_TESTS(TEST(encodes_the_examples_of_the_specification),
	TEST(encodes_the_two_questions_of_a_probe), TEST(can_only_express_reading),
	TEST(refuses_counts_and_addresses_out_of_range),
	TEST(takes_an_answer_split_at_every_byte), TEST(keeps_joined_answers_apart),
	TEST(finds_junk_behind_an_answer), TEST(names_what_is_wrong_with_a_frame),
	TEST(understands_exceptions_even_with_a_length_of_two),
	TEST(takes_any_unit_only_when_told_to), TEST(reads_rtu_frames_by_length_and_crc),
	TEST(reads_an_rtu_exception), TEST(finds_the_end_of_an_identification),
	TEST(reads_bits_lowest_first), TEST(survives_damaged_frames))

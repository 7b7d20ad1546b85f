#include "modbus/adu.h"

#include <string.h>

enum {
	MBAP_SIZE = 7, /* tid 2, protocol 2, length 2, unit 1 */
	FUNCTION_SERVER_ID = 17,
	FUNCTION_IDENTIFY = 43,
	MEI_IDENTIFY = 14,
	REFUSED = 0x80
};

static uint16_t
get16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static void
put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static bool
unit_allowed(enum adu_framing framing, uint8_t unit)
{
	return unit != 0 && (framing == ADU_MBAP || unit <= 247);
}

/* Wraps a PDU that one of the three encoders below made; the only way bytes leave. */
static int
frame_pdu(const struct adu_expect *expect, const uint8_t *pdu, size_t pdu_size, uint8_t *to)
{
	uint16_t crc;

	if (expect->framing == ADU_MBAP) {
		put16(to, expect->tid);
		put16(to + 2, 0);
		put16(to + 4, (uint16_t)(pdu_size + 1));
		to[6] = expect->unit;
		memcpy(to + MBAP_SIZE, pdu, pdu_size);
		return (int)(MBAP_SIZE + pdu_size);
	}
	to[0] = expect->unit;
	memcpy(to + 1, pdu, pdu_size);
	crc = adu_crc(to, pdu_size + 1);
	to[pdu_size + 1] = (uint8_t)crc;
	to[pdu_size + 2] = (uint8_t)(crc >> 8);
	return (int)(pdu_size + 3);
}

int
adu_encode_read(const struct adu_read *read, uint8_t *to, size_t size,
	struct adu_expect *expect)
{
	struct adu_expect wanted = { .framing = read->framing, .tid = read->tid,
		.unit = read->unit };
	uint8_t pdu[5];
	unsigned max, bytes;

	switch (read->function) {
	case ADU_COILS:
	case ADU_DISCRETE_INPUTS:
		max = ADU_MAX_BITS;
		bytes = (read->count + 7u) / 8;
		break;
	case ADU_HOLDING_REGISTERS:
	case ADU_INPUT_REGISTERS:
		max = ADU_MAX_REGS;
		bytes = read->count * 2u;
		break;
	default:
		return -1;
	}
	if (size < ADU_MAX || !unit_allowed(read->framing, read->unit) || read->count < 1 ||
		read->count > max || read->address + (uint32_t)read->count > 65536)
		return -1;

	wanted.function = (uint8_t)read->function;
	wanted.bytes = (uint8_t)bytes;
	pdu[0] = wanted.function;
	put16(pdu + 1, read->address);
	put16(pdu + 3, read->count);
	if (expect != NULL)
		*expect = wanted;
	return frame_pdu(&wanted, pdu, sizeof(pdu), to);
}

int
adu_encode_identify(enum adu_framing framing, uint16_t tid, uint8_t unit, uint8_t code,
	uint8_t object, uint8_t *to, size_t size, struct adu_expect *expect)
{
	struct adu_expect wanted = { .framing = framing, .tid = tid, .unit = unit,
		.function = FUNCTION_IDENTIFY };
	uint8_t pdu[4] = { FUNCTION_IDENTIFY, MEI_IDENTIFY, code, object };

	if (size < ADU_MAX || !unit_allowed(framing, unit) || code < 1 || code > 4)
		return -1;
	if (expect != NULL)
		*expect = wanted;
	return frame_pdu(&wanted, pdu, sizeof(pdu), to);
}

int
adu_encode_server_id(enum adu_framing framing, uint16_t tid, uint8_t unit, uint8_t *to,
	size_t size, struct adu_expect *expect)
{
	struct adu_expect wanted = { .framing = framing, .tid = tid, .unit = unit,
		.function = FUNCTION_SERVER_ID };
	uint8_t pdu[1] = { FUNCTION_SERVER_ID };

	if (size < ADU_MAX || !unit_allowed(framing, unit))
		return -1;
	if (expect != NULL)
		*expect = wanted;
	return frame_pdu(&wanted, pdu, sizeof(pdu), to);
}

static enum adu_verdict
broken(struct adu_answer *answer, const char *why)
{
	answer->why = why;
	return ADU_ERROR;
}

/* pdu is whole and belongs to the question by tid or by turn; does it answer it? */
static enum adu_verdict
check_pdu(const struct adu_expect *expect, const uint8_t *pdu, size_t size,
	struct adu_answer *answer)
{
	if (!expect->any_unit && answer->unit != expect->unit)
		return broken(answer, "bad-unit");
	if (pdu[0] == (expect->function | REFUSED)) {
		if (size != 2)
			return broken(answer, "bad-length");
		answer->code = pdu[1];
		return ADU_EXCEPTION;
	}
	if (pdu[0] != expect->function)
		return broken(answer, "bad-function");

	if (expect->function == FUNCTION_IDENTIFY) {
		/* mei, code, conformity, more, next object, number of objects */
		if (size < 7 || pdu[1] != MEI_IDENTIFY)
			return broken(answer, "bad-length");
		answer->data = pdu + 1;
		answer->data_size = size - 1;
		return ADU_ANSWER;
	}
	if (size < 2 || (size_t)pdu[1] + 2 != size)
		return broken(answer, "bad-byte-count");
	if (expect->bytes != 0 && pdu[1] != expect->bytes)
		return broken(answer, "bad-count");
	answer->data = pdu + 2;
	answer->data_size = pdu[1];
	return ADU_ANSWER;
}

static enum adu_verdict
feed_mbap(const struct adu_expect *expect, const uint8_t *buf, size_t len,
	struct adu_answer *answer)
{
	size_t length;

	if ((len > 2 && buf[2] != 0) || (len > 3 && buf[3] != 0))
		return broken(answer, "bad-protocol");
	if (len > 4 && buf[4] != 0) /* 254 is the most: fail before a liar is waited for */
		return broken(answer, "bad-length");
	if (len < 6)
		return ADU_NEED_MORE;
	length = buf[5];
	if (length < 2 || length > 254)
		return broken(answer, "bad-length");
	if (length == 2) {
		/* Some servers count an exception as 2 bytes and send 3. */
		if (len < 8)
			return ADU_NEED_MORE;
		if ((buf[7] & REFUSED) == 0)
			return broken(answer, "bad-length");
		answer->short_length = true;
		length = 3;
	}
	if (len < 6 + length)
		return ADU_NEED_MORE;

	answer->size = 6 + length;
	answer->tid = get16(buf);
	answer->unit = buf[6];
	if (expect == NULL || answer->tid != expect->tid)
		return ADU_OTHER_TID;
	return check_pdu(expect, buf + MBAP_SIZE, length - 1, answer);
}

/* RTU says nowhere how long it is: the length follows from function and byte count.
 * Returns the PDU length, 0 while unknown, -1 when no answer can look like this. */
static int
rtu_pdu_length(const struct adu_expect *expect, const uint8_t *pdu, size_t len)
{
	size_t at = 7;

	if (len < 1)
		return 0;
	if (pdu[0] == (expect->function | REFUSED))
		return 2;
	if (pdu[0] != expect->function)
		return -1;
	if (expect->function != FUNCTION_IDENTIFY)
		return len < 2 ? 0 : pdu[1] + 2;
	if (len < 7)
		return 0;
	for (unsigned left = pdu[6]; left > 0; left--) {
		if (len < at + 2)
			return 0;
		at += 2u + pdu[at + 1];
		if (at > 253)
			return -1;
	}
	return (int)at;
}

static enum adu_verdict
feed_rtu(const struct adu_expect *expect, const uint8_t *buf, size_t len,
	struct adu_answer *answer)
{
	int pdu_length;
	size_t size;
	uint16_t crc;

	if (len == 0)
		return ADU_NEED_MORE;
	if (expect == NULL)
		return broken(answer, "bad-length");
	if (!expect->any_unit && buf[0] != expect->unit)
		return broken(answer, "bad-unit");
	pdu_length = rtu_pdu_length(expect, buf + 1, len - 1);
	if (pdu_length < 0)
		return broken(answer, "bad-function");
	/* Told at once: what follows may be another frame, and is not to be waited for. */
	if (expect->bytes != 0 && len > 2 && buf[1] == expect->function &&
		buf[2] != expect->bytes)
		return broken(answer, "bad-count");
	size = (size_t)pdu_length + 3;
	if (size > 256)
		return broken(answer, "bad-byte-count");
	if (pdu_length == 0 || len < size)
		return ADU_NEED_MORE;

	crc = adu_crc(buf, size - 2);
	if (buf[size - 2] != (crc & 0xFF) || buf[size - 1] != crc >> 8)
		return broken(answer, "bad-crc");
	answer->size = size;
	answer->unit = buf[0];
	return check_pdu(expect, buf + 1, (size_t)pdu_length, answer);
}

enum adu_verdict
adu_feed(const struct adu_expect *expect, const uint8_t *buf, size_t len,
	struct adu_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	if (expect != NULL && expect->framing == ADU_RTU)
		return feed_rtu(expect, buf, len, answer);
	return feed_mbap(expect, buf, len, answer);
}

bool
adu_bit(const uint8_t *data, size_t n)
{
	return (data[n / 8] >> (n % 8) & 1) != 0;
}

uint16_t
adu_crc(const uint8_t *bytes, size_t len)
{
	uint16_t crc = 0xFFFF;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1);
	}
	return crc;
}

const char *
adu_exception_text(uint8_t code)
{
	static const char *const text[] = {
		[1] = "illegal function",
		[2] = "illegal data address",
		[3] = "illegal data value",
		[4] = "device failure",
		[5] = "acknowledge",
		[6] = "device busy",
		[8] = "memory parity error",
		[10] = "gateway path unavailable",
		[11] = "gateway target failed to respond",
	};

	return code < sizeof(text) / sizeof(text[0]) ? text[code] : NULL;
}

/* ber_in.h - the elements of BER, one after the other; for ber.c and fast.c, which read every
 * octet of every answer: hence inline. X.690; tags of RFC 2578 and RFC 3416. */
#ifndef PW_BER_IN_H
#define PW_BER_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BER_ARCS 128 /* of one OID, RFC 2578 section 7.1.3 */

enum tag {
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_NULL = 0x05,
	TAG_OID = 0x06,
	TAG_SEQUENCE = 0x30,
	TAG_IP_ADDRESS = 0x40,
	TAG_COUNTER32 = 0x41,
	TAG_GAUGE32 = 0x42,
	TAG_TICKS = 0x43,
	TAG_OPAQUE = 0x44,
	TAG_COUNTER64 = 0x46,
	TAG_UNSIGNED32 = 0x47,
	TAG_NO_SUCH_OBJECT = 0x80,
	TAG_NO_SUCH_INSTANCE = 0x81,
	TAG_END_OF_VIEW = 0x82,
};

/* What is left to read of one constructed value. */
struct span {
	const uint8_t *at, *end;
};

static inline size_t
span_size(const struct span *span)
{
	return (size_t)(span->end - span->at);
}

/* Takes the next element off `from`; its contents become `into`. */
static inline bool
take(struct span *from, uint8_t *tag, struct span *into)
{
	const uint8_t *p = from->at;
	size_t size;

	if (span_size(from) < 2)
		return false;
	*tag = *p++;
	size = *p++;
	if (size & 0x80) {
		size_t bytes = size & 0x7f;

		/* 0x80 would be the indefinite form, which SNMP forbids. */
		if (bytes == 0 || bytes > 4 || (size_t)(from->end - p) < bytes)
			return false;
		for (size = 0; bytes > 0; bytes--)
			size = size << 8 | *p++;
	}
	if ((size_t)(from->end - p) < size)
		return false;
	into->at = p;
	into->end = p + size;
	from->at = into->end;
	return true;
}

static inline bool
take_tagged(struct span *from, uint8_t wanted, struct span *into)
{
	uint8_t tag;

	return take(from, &tag, into) && tag == wanted;
}

/* Agents send integers longer than needed; the value must fit 32 bits all the same. */
static inline bool
read_integer(const struct span *in, int32_t *value)
{
	size_t size = span_size(in);
	int64_t number;

	if (size == 0 || size > 8)
		return false;
	number = in->at[0] & 0x80 ? -1 : 0;
	for (size_t i = 0; i < size; i++)
		number = (int64_t)((uint64_t)number << 8 | in->at[i]);
	if (number < INT32_MIN || number > INT32_MAX)
		return false;
	*value = (int32_t)number;
	return true;
}

/* A leading zero keeps the number positive; some agents send several, some leave it out. That
 * is clear only where all octets of the number are there: in fewer, a leading one bit would be
 * a negative number, and what the agent meant is anybody's guess. */
static inline bool
read_unsigned(const struct span *in, size_t width, uint64_t *value)
{
	const uint8_t *p = in->at;

	if (p == in->end || span_size(in) > 9 || (*p & 0x80 && span_size(in) < width))
		return false;
	while (p < in->end && *p == 0)
		p++;
	if ((size_t)(in->end - p) > width)
		return false;
	for (*value = 0; p < in->end; p++)
		*value = *value << 8 | *p;
	return true;
}

static inline bool
take_integer(struct span *from, int32_t *value)
{
	struct span in;

	return take_tagged(from, TAG_INTEGER, &in) && read_integer(&in, value);
}
#endif

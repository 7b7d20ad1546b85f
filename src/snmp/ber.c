#include "snmp/ber.h"

#include <stdbool.h>

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
#define OID_ARCS 128

/* What is left to read of one constructed value. */
struct span {
	const uint8_t *at, *end;
};

static size_t
span_size(const struct span *span)
{
	return (size_t)(span->end - span->at);
}

/* Takes the next element off `from`; its contents become `into`. */
static bool
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

static bool
take_tagged(struct span *from, uint8_t wanted, struct span *into)
{
	uint8_t tag;

	return take(from, &tag, into) && tag == wanted;
}

/* Agents send integers longer than needed; the value must fit 32 bits all the same. */
static bool
integer_is_sound(const struct span *in, int32_t *value)
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

/* A leading zero keeps the number positive; some agents leave it out, some send several. */
static bool
unsigned_is_sound(const struct span *in, size_t width)
{
	const uint8_t *p = in->at;

	if (p == in->end || span_size(in) > 9)
		return false;
	while (p < in->end && *p == 0)
		p++;
	return (size_t)(in->end - p) <= width;
}

static bool
oid_is_sound(const struct span *in)
{
	size_t arcs = 1; /* the first number holds two */
	uint64_t arc = 0;
	bool begins = true;

	for (const uint8_t *p = in->at; p < in->end; p++) {
		if (begins && *p == 0x80)
			return false;
		arc = arc << 7 | (*p & 0x7f);
		if (arc > UINT32_MAX)
			return false;
		begins = !(*p & 0x80);
		if (begins) {
			arcs++;
			arc = 0;
		}
	}
	return begins && arcs <= OID_ARCS;
}

/* Net-SNMP looks into an Opaque that begins 9F: a float, a double, 64-bit numbers. */
static bool
opaque_is_sound(const struct span *in)
{
	size_t size = span_size(in);
	uint8_t inner;

	if (size == 0 || in->at[0] != 0x9f)
		return true;
	if (size < 3 || in->at[2] & 0x80 || in->at[2] != size - 3)
		return false;
	inner = in->at[2];
	switch (in->at[1]) {
	case 0x78: return inner == 4; /* float */
	case 0x79: return inner == 8; /* double */
	case 0x76:
	case 0x7a:
	case 0x7b: return inner >= 1 && inner <= 8;
	default: return false;
	}
}

static bool
value_is_sound(uint8_t tag, const struct span *in)
{
	int32_t number;

	switch (tag) {
	case TAG_INTEGER: return integer_is_sound(in, &number);
	case TAG_COUNTER32:
	case TAG_GAUGE32:
	case TAG_TICKS:
	case TAG_UNSIGNED32: return unsigned_is_sound(in, 4);
	case TAG_COUNTER64: return unsigned_is_sound(in, 8);
	case TAG_OCTETS: return true;
	case TAG_IP_ADDRESS: return span_size(in) == 4;
	case TAG_OID: return oid_is_sound(in);
	case TAG_OPAQUE: return opaque_is_sound(in);
	case TAG_NULL:
	case TAG_NO_SUCH_OBJECT:
	case TAG_NO_SUCH_INSTANCE:
	case TAG_END_OF_VIEW: return span_size(in) == 0;
	default: return false;
	}
}

static bool
varbind_is_sound(struct span *varbind)
{
	struct span name, value;
	uint8_t tag;

	return take_tagged(varbind, TAG_OID, &name) && name.at < name.end &&
		oid_is_sound(&name) && take(varbind, &tag, &value) &&
		varbind->at == varbind->end && value_is_sound(tag, &value);
}

static bool
take_integer(struct span *from, int32_t *value)
{
	struct span in;

	return take_tagged(from, TAG_INTEGER, &in) && integer_is_sound(&in, value);
}

/* Everything behind community or context; the request id of version 3 is only checked. */
static bool
pdu_is_sound(struct span *message, struct ber_peek *peek, int32_t *request_id)
{
	struct span pdu, list, varbind;
	uint8_t last = peek->version == BER_V3 ? BER_REPORT : BER_TRAP2;

	if (!take(message, &peek->pdu, &pdu) || message->at != message->end)
		return false;
	/* A4 is the v1 trap, of another shape. */
	if (peek->pdu < BER_GET || peek->pdu > last || peek->pdu == 0xa4)
		return false;
	if (!take_integer(&pdu, request_id) || !take_integer(&pdu, &peek->error_status) ||
		!take_integer(&pdu, &peek->error_index))
		return false;
	if (!take_tagged(&pdu, TAG_SEQUENCE, &list) || pdu.at != pdu.end)
		return false;
	for (peek->varbinds = 0; list.at < list.end; peek->varbinds++)
		if (!take_tagged(&list, TAG_SEQUENCE, &varbind) || !varbind_is_sound(&varbind))
			return false;
	return true;
}

/* ---- version 3 ---- */

enum flag { FLAG_AUTH = 1, FLAG_PRIV = 2 };
#define MODEL_USM 3
#define USER_MAX 32
#define DIGEST_MAX 48 /* of HMAC-SHA-512, RFC 7860 */

static bool
take_octets(struct span *from, size_t most, struct span *into)
{
	return take_tagged(from, TAG_OCTETS, into) && span_size(into) <= most;
}

/* msgGlobalData, RFC 3412 section 6. */
static bool
header_is_sound(struct span *message, struct ber_peek *peek, uint8_t *flags)
{
	struct span header, octets;
	int32_t largest, model;

	if (!take_tagged(message, TAG_SEQUENCE, &header) ||
		!take_integer(&header, &peek->request_id) || peek->request_id < 0 ||
		!take_integer(&header, &largest) || largest < 484 ||
		!take_octets(&header, 1, &octets) || span_size(&octets) != 1 ||
		!take_integer(&header, &model) || header.at != header.end)
		return false;
	*flags = octets.at[0];
	return model == MODEL_USM && (*flags & (FLAG_AUTH | FLAG_PRIV)) != FLAG_PRIV;
}

/* UsmSecurityParameters, RFC 3414 section 2.4: a message within an octet string. */
static bool
usm_is_sound(struct span *message, struct ber_peek *peek, uint8_t flags)
{
	struct span outer, usm, engine, user, digest, salt;
	int32_t boots, time;

	if (!take_tagged(message, TAG_OCTETS, &outer) ||
		!take_tagged(&outer, TAG_SEQUENCE, &usm) || outer.at != outer.end ||
		!take_octets(&usm, BER_ENGINE_MAX, &engine) || !take_integer(&usm, &boots) ||
		!take_integer(&usm, &time) || !take_octets(&usm, USER_MAX, &user) ||
		!take_octets(&usm, DIGEST_MAX, &digest) || !take_octets(&usm, 8, &salt) ||
		usm.at != usm.end || boots < 0 || time < 0)
		return false;
	peek->engine = engine.at;
	peek->engine_size = span_size(&engine);
	peek->engine_boots = (uint32_t)boots;
	peek->engine_time = (uint32_t)time;
	return (span_size(&digest) >= 12 || !(flags & FLAG_AUTH)) &&
		(span_size(&salt) == 8 || !(flags & FLAG_PRIV));
}

static bool
secure_is_sound(struct span *message, struct ber_peek *peek)
{
	struct span scoped, octets;
	int32_t request_id;
	uint8_t flags;

	if (!header_is_sound(message, peek, &flags) || !usm_is_sound(message, peek, flags))
		return false;
	if (flags & FLAG_PRIV) {
		peek->pdu = 0;
		return take_tagged(message, TAG_OCTETS, &octets) && message->at == message->end;
	}
	return take_tagged(message, TAG_SEQUENCE, &scoped) && message->at == message->end &&
		take_octets(&scoped, BER_ENGINE_MAX, &octets) && take_octets(&scoped, 255, &octets) &&
		pdu_is_sound(&scoped, peek, &request_id);
}

int
ber_peek(const uint8_t *data, size_t size, struct ber_peek *peek)
{
	struct span all = { data, data + size }, message, community;
	int32_t version;

	*peek = (struct ber_peek){ .pdu = 0 };
	if (!take_tagged(&all, TAG_SEQUENCE, &message) || all.at != all.end)
		return -1;
	if (!take_integer(&message, &version))
		return -1;
	peek->version = (uint8_t)version;
	if (version == BER_V3)
		return secure_is_sound(&message, peek) ? 0 : -1;
	if (version != BER_V1 && version != BER_V2C)
		return -1;
	if (!take_tagged(&message, TAG_OCTETS, &community))
		return -1;
	peek->community = community.at;
	peek->community_size = span_size(&community);
	return pdu_is_sound(&message, peek, &peek->request_id) ? 0 : -1;
}

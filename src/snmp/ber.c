#include "snmp/ber.h"

#include <stdbool.h>

#include "snmp/ber_in.h"

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
	return begins && arcs <= BER_ARCS;
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
	int32_t integer;
	uint64_t number;

	switch (tag) {
	case TAG_INTEGER: return read_integer(in, &integer);
	case TAG_COUNTER32:
	case TAG_GAUGE32:
	case TAG_TICKS:
	case TAG_UNSIGNED32: return read_unsigned(in, 4, &number);
	case TAG_COUNTER64: return read_unsigned(in, 8, &number);
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

/* What follows community or context, but for the varbinds; the request id of version 3 is
 * only checked. */
static bool
pdu_head_is_sound(struct span *message, struct ber_peek *peek, int32_t *request_id)
{
	struct span pdu, list;
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
	peek->list = list.at;
	peek->list_size = span_size(&list);
	return true;
}

static bool
varbinds_are_sound(struct ber_peek *peek)
{
	struct span list = { peek->list, peek->list + peek->list_size }, varbind;

	for (peek->varbinds = 0; list.at < list.end; peek->varbinds++)
		if (!take_tagged(&list, TAG_SEQUENCE, &varbind) || !varbind_is_sound(&varbind))
			return false;
	return true;
}

/* ---- version 3 ---- */

#define MODEL_USM 3
#define USER_MAX 32
#define DIGEST_MAX 48 /* of HMAC-SHA-512, RFC 7860 */
#define PADDING_MAX 15 /* to whole blocks of AES, which asks for none, but some agents.. */

static bool
take_octets(struct span *from, size_t most, struct span *into)
{
	return take_tagged(from, TAG_OCTETS, into) && span_size(into) <= most;
}

static struct ber_octets
octets_of(const struct span *span)
{
	return (struct ber_octets){ span->at, span_size(span) };
}

/* msgGlobalData, RFC 3412 section 6. */
static bool
header_is_sound(struct span *message, struct ber_peek *peek)
{
	struct span header, octets;
	int32_t largest, model;

	if (!take_tagged(message, TAG_SEQUENCE, &header) ||
		!take_integer(&header, &peek->request_id) || peek->request_id < 0 ||
		!take_integer(&header, &largest) || largest < 484 ||
		!take_octets(&header, 1, &octets) || span_size(&octets) != 1 ||
		!take_integer(&header, &model) || header.at != header.end)
		return false;
	peek->flags = octets.at[0];
	return model == MODEL_USM && (peek->flags & (BER_AUTH | BER_PRIV)) != BER_PRIV;
}

/* UsmSecurityParameters, RFC 3414 section 2.4: a message within an octet string. */
static bool
usm_is_sound(struct span *message, struct ber_peek *peek)
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
	peek->user = octets_of(&user);
	peek->digest = octets_of(&digest);
	peek->salt = octets_of(&salt);
	return (span_size(&digest) >= 12 || !(peek->flags & BER_AUTH)) &&
		(span_size(&salt) == 8 || !(peek->flags & BER_PRIV));
}

/* The scoped PDU but for its varbinds, RFC 3412 section 6. */
static bool
scoped_head_is_sound(struct span *from, struct ber_peek *peek)
{
	struct span scoped, engine, context;

	if (!take_tagged(from, TAG_SEQUENCE, &scoped) ||
		!take_octets(&scoped, BER_ENGINE_MAX, &engine) ||
		!take_octets(&scoped, 255, &context) ||
		!pdu_head_is_sound(&scoped, peek, &peek->scoped_id))
		return false;
	peek->context_engine = octets_of(&engine);
	peek->context = octets_of(&context);
	return true;
}

static bool
secure_is_sound(struct span *message, struct ber_peek *peek)
{
	struct span sealed;

	if (!header_is_sound(message, peek) || !usm_is_sound(message, peek))
		return false;
	if (peek->flags & BER_PRIV) {
		if (!take_tagged(message, TAG_OCTETS, &sealed))
			return false;
		peek->sealed = octets_of(&sealed);
		return message->at == message->end;
	}
	return scoped_head_is_sound(message, peek) && message->at == message->end;
}

int
ber_peek_scoped(const uint8_t *data, size_t size, struct ber_peek *peek)
{
	struct span all = { data, data + size };

	return scoped_head_is_sound(&all, peek) && span_size(&all) <= PADDING_MAX ? 0 : -1;
}

int
ber_peek_head(const uint8_t *data, size_t size, struct ber_peek *peek)
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
	return pdu_head_is_sound(&message, peek, &peek->request_id) ? 0 : -1;
}

int
ber_peek(const uint8_t *data, size_t size, struct ber_peek *peek)
{
	if (ber_peek_head(data, size, peek) == -1)
		return -1;
	return peek->list == NULL || varbinds_are_sound(peek) ? 0 : -1;
}

size_t
ber_malformed(const struct ber_peek *peek)
{
	struct ber_peek at = *peek;

	return varbinds_are_sound(&at) ? 0 : at.varbinds + 1;
}

/* Into the next element, however long it says it is. */
static bool
step_into(struct span *from, uint8_t *tag)
{
	size_t more;

	if (span_size(from) < 2)
		return false;
	*tag = from->at[0];
	more = from->at[1] & 0x80 ? from->at[1] & 0x7f : 0;
	if (more > 4 || span_size(from) - 2 < more)
		return false;
	from->at += 2 + more;
	return true;
}

int
ber_damage(const uint8_t *data, size_t size, struct ber_peek *peek)
{
	struct span rest = { data, data + size }, community;
	struct ber_peek whole;
	int32_t version;
	uint8_t tag;

	*peek = (struct ber_peek){ .pdu = 0 };
	if (!step_into(&rest, &tag) || tag != TAG_SEQUENCE || !take_integer(&rest, &version) ||
		(version != BER_V1 && version != BER_V2C) ||
		!take_tagged(&rest, TAG_OCTETS, &community) || !step_into(&rest, &peek->pdu) ||
		!take_integer(&rest, &peek->request_id))
		return -1;
	peek->version = (uint8_t)version;
	peek->community = community.at;
	peek->community_size = span_size(&community);
	return ber_peek_head(data, size, &whole) == -1 ? 0 : (int)ber_malformed(&whole);
}

int32_t
ber_guess_id(const uint8_t *data, size_t size)
{
	struct span all = { data, data + size }, message, part;
	int32_t number;
	uint8_t tag;

	if (!take(&all, &tag, &message) || !take_integer(&message, &number))
		return 0;
	/* Versions 1 and 2c: a community, then a PDU that begins with it. Version 3: a header
	 * that does. */
	if (number != BER_V3 && !take(&message, &tag, &part))
		return 0;
	return take(&message, &tag, &part) && take_integer(&part, &number) ? number : 0;
}

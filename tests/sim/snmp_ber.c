#include "snmp_ber.h"

#include <string.h>

struct cursor {
	const uint8_t *at, *end;
};

/* Takes the next element of this tag; inside becomes its content. */
static bool
take(struct cursor *c, uint8_t tag, struct cursor *inside)
{
	size_t length, octets;

	if (c->end - c->at < 2 || c->at[0] != tag)
		return false;
	length = c->at[1];
	c->at += 2;
	if (length & 0x80) {
		octets = length & 0x7f;
		if (octets == 0 || octets > 4 || (size_t)(c->end - c->at) < octets)
			return false;
		for (length = 0; octets > 0; octets--)
			length = length << 8 | *c->at++;
	}
	if ((size_t)(c->end - c->at) < length)
		return false;
	inside->at = c->at;
	inside->end = c->at += length;
	return true;
}

static bool
take_int(struct cursor *c, int32_t *number)
{
	struct cursor in;
	int64_t value;

	if (!take(c, BER_INTEGER, &in) || in.at == in.end || in.end - in.at > 4)
		return false;
	value = (int8_t)*in.at++;
	while (in.at < in.end)
		value = value * 256 + *in.at++;
	*number = (int32_t)value;
	return true;
}

static bool
take_varbinds(struct cursor *list, struct request *r)
{
	struct cursor pair, oid, rest;

	for (r->count = 0; list->at < list->end; r->count++) {
		if (r->count == REQUEST_VARBINDS || !take(list, BER_SEQUENCE, &pair) ||
			!take(&pair, BER_OID, &oid) || oid.at == oid.end)
			return false;
		/* A SET carries values; every other request carries NULLs and nothing more. */
		if (r->pdu != PDU_SET &&
			(!take(&pair, BER_NULL, &rest) || rest.at != rest.end || pair.at != pair.end))
			return false;
		r->oids[r->count].at = oid.at;
		r->oids[r->count].length = (size_t)(oid.end - oid.at);
	}
	return true;
}

static bool
known_pdu(const struct request *r, uint8_t tag)
{
	return tag == PDU_GET || tag == PDU_GETNEXT || tag == PDU_SET ||
		(tag == PDU_GETBULK && r->version == 1);
}

bool
ber_request(const uint8_t *bytes, size_t length, struct request *r, const char **why)
{
	struct cursor all = { bytes, bytes + length }, message, community, pdu, list;
	int32_t version;

	*why = "header";
	if (!take(&all, BER_SEQUENCE, &message) || all.at != all.end ||
		!take_int(&message, &version))
		return false;
	*why = "version";
	if (version != 0 && version != 1)
		return false;
	r->version = version;
	*why = "community";
	if (!take(&message, BER_OCTETS, &community))
		return false;
	r->community = community.at;
	r->community_length = (size_t)(community.end - community.at);
	*why = "pdu";
	if (message.at == message.end || !known_pdu(r, *message.at))
		return false;
	r->pdu = *message.at;
	if (!take(&message, r->pdu, &pdu) || message.at != message.end ||
		!take_int(&pdu, &r->id) || !take_int(&pdu, &r->status) ||
		!take_int(&pdu, &r->index))
		return false;
	*why = "varbinds";
	return take(&pdu, BER_SEQUENCE, &list) && pdu.at == pdu.end && take_varbinds(&list, r);
}

size_t
ber_oid_read(struct oid_bytes oid, uint32_t *sub)
{
	size_t n = 0;
	uint64_t value = 0;

	for (size_t i = 0; i < oid.length; i++) {
		value = value << 7 | (oid.at[i] & 0x7f);
		if (value > UINT32_MAX || n >= OID_MAX - 1)
			return 0;
		if (oid.at[i] & 0x80)
			continue;
		if (n == 0) {
			sub[n++] = value < 80 ? (uint32_t)value / 40 : 2;
			value -= sub[0] * 40;
		}
		sub[n++] = (uint32_t)value;
		value = 0;
	}
	return oid.length > 0 && oid.at[oid.length - 1] & 0x80 ? 0 : n;
}

size_t
ber_sub_write(uint32_t sub, uint8_t *to)
{
	size_t n = 1;

	for (uint32_t rest = sub >> 7; rest != 0; rest >>= 7)
		n++;
	for (size_t i = n; i-- > 0; sub >>= 7)
		to[i] = (uint8_t)((sub & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

size_t
ber_oid_write(const uint32_t *sub, size_t count, uint8_t *to)
{
	size_t n = ber_sub_write(sub[0] * 40 + (count > 1 ? sub[1] : 0), to);

	for (size_t i = 2; i < count; i++)
		n += ber_sub_write(sub[i], to + n);
	return n;
}

/* How many octets a number takes as this type: signed for INTEGER, else unsigned with a
 * leading zero when the highest bit is set. */
static size_t
number_size(uint8_t type, uint64_t number)
{
	size_t n = 1;

	if (type == BER_INTEGER) {
		int64_t value = (int64_t)number;

		for (; value < -128 || value > 127; value >>= 8)
			n++;
		return n;
	}
	for (; number > 127; number >>= 8)
		n++;
	return n;
}

static bool
is_number(uint8_t type)
{
	return type == BER_INTEGER || type == BER_COUNTER32 || type == BER_GAUGE32 ||
		type == BER_TIMETICKS || type == BER_COUNTER64;
}

static size_t
value_size(const struct value *v)
{
	return is_number(v->type) ? number_size(v->type, v->number) : v->length;
}

static size_t
head_size(size_t length)
{
	return length < 128 ? 2 : length < 256 ? 3 : 4;
}

size_t
ber_varbind_size(const struct varbind *v)
{
	size_t value = value_size(&v->value), inside;

	inside = head_size(v->oid.length) + v->oid.length + head_size(value) + value;
	return head_size(inside) + inside;
}

static uint8_t *
put_head(uint8_t *at, uint8_t tag, size_t length)
{
	*at++ = tag;
	if (length >= 256) {
		*at++ = 0x82;
		*at++ = (uint8_t)(length >> 8);
	} else if (length >= 128) {
		*at++ = 0x81;
	}
	*at++ = (uint8_t)length;
	return at;
}

static uint8_t *
put_number(uint8_t *at, uint8_t type, uint64_t number)
{
	size_t n = number_size(type, number);

	at = put_head(at, type, n);
	for (size_t i = n; i-- > 0; number >>= 8)
		at[i] = (uint8_t)number; /* a ninth octet of an unsigned is zero by now */
	return at + n;
}

static uint8_t *
put_bytes(uint8_t *at, uint8_t tag, const uint8_t *bytes, size_t length)
{
	at = put_head(at, tag, length);
	if (length > 0)
		memcpy(at, bytes, length);
	return at + length;
}

static uint8_t *
put_varbind(uint8_t *at, const struct varbind *v)
{
	size_t value = value_size(&v->value);

	at = put_head(at, BER_SEQUENCE,
		head_size(v->oid.length) + v->oid.length + head_size(value) + value);
	at = put_bytes(at, BER_OID, v->oid.at, v->oid.length);
	if (is_number(v->value.type))
		return put_number(at, v->value.type, v->value.number);
	return put_bytes(at, v->value.type, v->value.bytes, v->value.length);
}

/* Lengths are known before the first byte is written, so the message is written forwards. */
size_t
ber_answer(const struct answer *a, uint8_t *buffer, size_t size)
{
	size_t list = 0, pdu, message;
	uint8_t *at = buffer;

	for (size_t i = 0; i < a->count; i++)
		list += ber_varbind_size(&a->varbinds[i]);
	pdu = 6 + number_size(BER_INTEGER, (uint64_t)(int64_t)a->id) +
		number_size(BER_INTEGER, (uint64_t)(int64_t)a->status) +
		number_size(BER_INTEGER, (uint64_t)(int64_t)a->index) + head_size(list) + list;
	message = 3 + head_size(a->community_length) + a->community_length + head_size(pdu) + pdu;
	if (message > 65400 || message + head_size(message) > size)
		return 0;
	at = put_head(at, BER_SEQUENCE, message);
	at = put_number(at, BER_INTEGER, (uint64_t)a->version);
	at = put_bytes(at, BER_OCTETS, a->community, a->community_length);
	at = put_head(at, a->pdu, pdu);
	at = put_number(at, BER_INTEGER, (uint64_t)(int64_t)a->id);
	at = put_number(at, BER_INTEGER, (uint64_t)(int64_t)a->status);
	at = put_number(at, BER_INTEGER, (uint64_t)(int64_t)a->index);
	at = put_head(at, BER_SEQUENCE, list);
	for (size_t i = 0; i < a->count; i++)
		at = put_varbind(at, &a->varbinds[i]);
	return (size_t)(at - buffer);
}

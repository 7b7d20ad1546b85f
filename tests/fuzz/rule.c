#include "fuzz/rule.h"

#include <stdbool.h>

struct part {
	const uint8_t *at;
	size_t left;
};

#define LENGTH "a length is indefinite, longer than 4 octets, or beyond what it is in"
#define SHAPE "another tag than the message's shape demands"

/* NULL, or the rule. inner gets the contents of the next element. */
static const char *
enter(struct part *from, uint8_t *tag, struct part *inner)
{
	size_t head = 2, length;

	if (from->left < head)
		return LENGTH;
	*tag = from->at[0];
	length = from->at[1];
	if (length >= 128) {
		size_t octets = length - 128;

		if (octets == 0 || octets > 4 || from->left < head + octets)
			return LENGTH;
		length = 0;
		for (size_t i = 0; i < octets; i++)
			length = length * 256 + from->at[head + i];
		head += octets;
	}
	if (from->left - head < length)
		return LENGTH;
	*inner = (struct part){ from->at + head, length };
	from->at += head + length;
	from->left -= head + length;
	return NULL;
}

static const char *
enter_as(struct part *from, uint8_t wanted, struct part *inner)
{
	uint8_t tag;
	const char *rule = enter(from, &tag, inner);

	return rule != NULL ? rule : tag != wanted ? SHAPE : NULL;
}

static const char *
integer(const struct part *in)
{
	uint8_t fill = in->left > 0 && in->at[0] & 0x80 ? 0xff : 0;

	if (in->left == 0)
		return "an INTEGER without octets";
	if (in->left > 8)
		return "an INTEGER of more than 8 octets";
	for (size_t i = 0; i + 4 < in->left; i++)
		if (in->at[i] != fill)
			return "an INTEGER beyond 32 bits";
	if (in->left > 4 && (in->at[in->left - 4] & 0x80) != (fill & 0x80))
		return "an INTEGER beyond 32 bits";
	return NULL;
}

static const char *
count(const struct part *in, size_t octets)
{
	size_t zeros = 0;

	if (in->left == 0)
		return "an unsigned number without octets";
	if (in->left > 9)
		return "an unsigned number of more than 9 octets";
	if (in->at[0] & 0x80 && in->left < octets)
		return "an unsigned number that is negative";
	while (zeros < in->left && in->at[zeros] == 0)
		zeros++;
	return in->left - zeros > octets ? "an unsigned number beyond its type" : NULL;
}

static const char *
oid(const struct part *in)
{
	size_t arcs = 1;

	for (size_t i = 0; i < in->left; arcs++) {
		uint64_t arc = 0;

		if (in->at[i] == 0x80)
			return "an OID's number begins with empty octets";
		do {
			if (i == in->left)
				return "an OID ends within a number";
			arc = arc * 128 + in->at[i] % 128;
			if (arc >> 32 != 0)
				return "an OID's number is beyond 32 bits";
		} while (in->at[i++] & 0x80);
	}
	return arcs > 128 ? "an OID of more than 128 numbers" : NULL;
}

static const char *
opaque(const struct part *in)
{
	static const char rule[] = "an Opaque number (9F..) of the wrong type or length";
	size_t size;

	if (in->left == 0 || in->at[0] != 0x9f)
		return NULL;
	if (in->left < 3 || in->at[2] != in->left - 3)
		return rule;
	size = in->at[2];
	switch (in->at[1]) {
	case 0x78: return size == 4 ? NULL : rule;
	case 0x79: return size == 8 ? NULL : rule;
	case 0x76:
	case 0x7a:
	case 0x7b: return size >= 1 && size <= 8 ? NULL : rule;
	default: return rule;
	}
}

static const char *
value(uint8_t tag, const struct part *in)
{
	switch (tag) {
	case 0x02: return integer(in);
	case 0x04: return NULL;
	case 0x06: return oid(in);
	case 0x40: return in->left == 4 ? NULL : "an IpAddress that has not 4 octets";
	case 0x41:
	case 0x42:
	case 0x43:
	case 0x47: return count(in, 4);
	case 0x44: return opaque(in);
	case 0x46: return count(in, 8);
	case 0x05:
	case 0x80:
	case 0x81:
	case 0x82: return in->left == 0 ? NULL : "a NULL or an exception with contents";
	default: return "a value of a type that SNMP does not have";
	}
}

static const char *
varbind(struct part *list)
{
	struct part both, name, in;
	const char *rule;
	uint8_t tag;

	if ((rule = enter_as(list, 0x30, &both)) != NULL ||
		(rule = enter_as(&both, 0x06, &name)) != NULL || (rule = oid(&name)) != NULL ||
		(rule = enter(&both, &tag, &in)) != NULL)
		return rule;
	if (name.left == 0)
		return "a varbind without a name";
	if (both.left > 0)
		return "octets behind a varbind's value";
	return value(tag, &in);
}

static const char *
take_integer(struct part *from)
{
	struct part in;
	const char *rule = enter_as(from, 0x02, &in);

	return rule != NULL ? rule : integer(&in);
}

const char *
rule_broken(const uint8_t *data, size_t size)
{
	struct part all = { data, size }, message, version, community, pdu, list;
	const char *rule;
	uint8_t tag;

	if ((rule = enter_as(&all, 0x30, &message)) != NULL)
		return rule;
	if (all.left > 0)
		return "octets behind the message";
	if ((rule = enter_as(&message, 0x02, &version)) != NULL ||
		(rule = integer(&version)) != NULL)
		return rule;
	if (version.at[version.left - 1] > 1)
		return "another version";
	for (size_t i = 0; i + 1 < version.left; i++)
		if (version.at[i] != 0)
			return "another version";
	if ((rule = enter_as(&message, 0x04, &community)) != NULL ||
		(rule = enter(&message, &tag, &pdu)) != NULL)
		return rule;
	if (message.left > 0)
		return "octets behind the PDU";
	if (tag < 0xa0 || tag > 0xa7 || tag == 0xa4)
		return "a PDU of another type";
	for (int i = 0; i < 3; i++)
		if ((rule = take_integer(&pdu)) != NULL)
			return rule;
	if ((rule = enter_as(&pdu, 0x30, &list)) != NULL)
		return rule;
	if (pdu.left > 0)
		return "octets behind the varbinds";
	while (list.left > 0)
		if ((rule = varbind(&list)) != NULL)
			return rule;
	return NULL;
}

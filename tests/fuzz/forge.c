#include "fuzz/forge.h"

#include <string.h>

#include "fake/net_sim.h"
#include "fuzz/mutate.h"
#include "sim/snmp_ber.h"
#include "unit/snmp/bed_agent.h"

#define MS INT64_C(1000000)

static enum forge_kind kind;
static unsigned long *sent;
static struct answer lie;
static uint8_t bytes[65507], former[65507], elsewhere[ANSWER_VARBINDS][OID_MAX * 5];
static size_t former_size;

const char *
forge_word(enum forge_kind which)
{
	static const char *const words[FORGE_KINDS] = { "another source", "another port",
		"another community", "another version", "another request id", "another PDU",
		"a duplicate", "a late answer", "a truncated one", "octets behind the end",
		"an oversized one", "other objects", "other types", "another order" };

	return words[which];
}

bool
forge_replaces(enum forge_kind which)
{
	return which >= FORGE_OVERSIZED;
}

/* sysUpTime stays: it is no value, and a restart would hide what comes of the others. */
static void
falsify(struct answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct value *value = &answer->varbinds[i].value;

		if (value->type == BER_OCTETS && value->length > 0)
			value->bytes[0] ^= 1;
		else if (value->type != BER_TIMETICKS)
			value->number ^= 0x5a5a5a;
	}
}

/* 1.3.6.1.4.1.99 in the place of as many octets. */
static void
move_elsewhere(struct answer *answer)
{
	static const uint8_t place[] = { 0x2b, 6, 1, 4, 1, 99 };

	for (size_t i = 0; i < answer->count; i++) {
		struct oid_bytes *oid = &answer->varbinds[i].oid;

		memcpy(elsewhere[i], oid->at, oid->length);
		memcpy(elsewhere[i], place, oid->length < sizeof place ? oid->length : sizeof place);
		oid->at = elsewhere[i];
	}
}

static void
change_types(struct answer *answer)
{
	static const uint8_t types[] = { BER_IPADDRESS, BER_OID, BER_NULL, BER_NO_SUCH_INSTANCE,
		BER_END_OF_MIB };

	for (size_t i = 0; i < answer->count; i++) {
		struct value *value = &answer->varbinds[i].value;

		if (value->type == BER_TIMETICKS)
			continue;
		*value = (struct value){ .type = types[fuzz_roll(sizeof types)] };
		if (value->type == BER_IPADDRESS || value->type == BER_OID)
			value->length = 4;
		memcpy(value->bytes, "\x2b\x06\x01\x04", 4);
	}
}

static void
reverse(struct answer *answer)
{
	for (size_t i = 0; i < answer->count / 2; i++) {
		struct varbind swapped = answer->varbinds[i];

		answer->varbinds[i] = answer->varbinds[answer->count - 1 - i];
		answer->varbinds[answer->count - 1 - i] = swapped;
	}
}

static void
repeat(struct answer *answer)
{
	size_t count = answer->count, most = answer->count + 1 + fuzz_roll(ANSWER_VARBINDS);

	for (; answer->count < most && answer->count < ANSWER_VARBINDS && count > 0;
		answer->count++)
		answer->varbinds[answer->count] = answer->varbinds[answer->count - count];
}

static void
change_message(struct answer *answer)
{
	static const uint8_t pdus[] = { PDU_GET, PDU_GETNEXT, PDU_SET, PDU_GETBULK, 0xa4, 0xa6,
		0xa7, 0xa8 };
	static const char *const communities[] = { "", "publi", "public1", "Public", "private" };
	const char *community;

	switch (kind) {
	case FORGE_COMMUNITY:
		community = communities[fuzz_roll(sizeof communities / sizeof communities[0])];
		answer->community = (const uint8_t *)community;
		answer->community_length = strlen(community);
		break;
	case FORGE_VERSION: answer->version ^= 1; break;
	case FORGE_ID: answer->id ^= (int32_t)(1u << fuzz_roll(31)); break;
	case FORGE_PDU: answer->pdu = pdus[fuzz_roll(sizeof pdus)]; break;
	case FORGE_OID: move_elsewhere(answer); break;
	case FORGE_TYPE: change_types(answer); break;
	case FORGE_ORDER: reverse(answer); break;
	case FORGE_OVERSIZED: repeat(answer); break;
	default: break;
	}
}

static size_t
change_size(size_t size)
{
	size_t more = 1 + fuzz_roll(1000);

	if (kind == FORGE_TRUNCATED)
		return fuzz_roll((uint32_t)size);
	if (kind != FORGE_LONGER || size + more > sizeof bytes)
		return size;
	for (size_t i = 0; i < more; i++)
		bytes[size + i] = (uint8_t)fuzz_roll(256);
	return size + more;
}

static struct net_addr
source(const struct net_addr *own)
{
	struct net_addr from = *own;

	if (kind == FORGE_SOURCE)
		from.bytes[fuzz_roll(4)] ^= (uint8_t)(1u << fuzz_roll(8));
	if (kind == FORGE_PORT)
		from.port = (uint16_t)(from.port ^ (1u << fuzz_roll(16)));
	return from;
}

static bool
forge(struct net_sim_client *client, const struct net_addr *own, const struct answer *truth)
{
	struct net_addr from = source(own);
	size_t size;

	lie = *truth;
	if (kind != FORGE_ORDER)
		falsify(&lie);
	change_message(&lie);
	while ((size = ber_answer(&lie, bytes, sizeof bytes)) == 0)
		lie.count--;
	if (kind == FORGE_ORDER && lie.count < 2)
		return true; /* there is only one order */
	size = change_size(size);
	if (kind == FORGE_LATE) {
		if (former_size > 0)
			net_sim_udp_reply(client, &from, former, former_size, 0);
		*sent += former_size > 0;
		memcpy(former, bytes, size);
		former_size = size;
		return true;
	}
	/* The true answer takes a millisecond. */
	net_sim_udp_reply(client, &from, bytes, size, kind == FORGE_DUPLICATE ? MS + MS / 10 : 0);
	++*sent;
	return !forge_replaces(kind);
}

void
forge_begin(struct bed_agent *agent, enum forge_kind which, unsigned long *count)
{
	kind = which;
	sent = count;
	former_size = 0;
	bed_forge(agent, forge);
}

void
forge_end(struct bed_agent *agent)
{
	bed_forge(agent, NULL);
}

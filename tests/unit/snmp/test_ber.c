#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "snmp/ber.h"
#include "../check.h"

/* snmpget -v2c -c public ... 1.3.6.1.2.1.1.3.0, the answer as snmpd sent it. */
static const uint8_t uptime_answer[] = {
	0x30, 0x2b, 0x02, 0x01, 0x01, 0x04, 0x06, 'p', 'u', 'b', 'l', 'i', 'c',
	0xa2, 0x1e, 0x02, 0x04, 0x1a, 0x2b, 0x3c, 0x4d, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
	0x30, 0x10, 0x30, 0x0e, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x03, 0x00,
	0x43, 0x02, 0x30, 0x39,
};

struct packet {
	uint8_t bytes[4096];
	size_t size;
};

static void
put(struct packet *to, const void *bytes, size_t size)
{
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

/* Wraps what is in `in` in a tag, lengths as agents write them: 82 xx xx. */
static void
wrap(struct packet *in, uint8_t tag)
{
	uint8_t head[4] = { tag, 0x82, (uint8_t)(in->size >> 8), (uint8_t)in->size };

	memmove(in->bytes + 4, in->bytes, in->size);
	memcpy(in->bytes, head, 4);
	in->size += 4;
}

static void
add_varbind(struct packet *list, const void *value, size_t size)
{
	struct packet varbind = { .size = 0 };

	put(&varbind, "\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00", 10);
	put(&varbind, value, size);
	wrap(&varbind, 0x30);
	put(list, varbind.bytes, varbind.size);
}

static struct packet
message(uint8_t version, uint8_t pdu, const struct packet *list)
{
	struct packet body = { .size = 0 }, varbinds = *list, all = { .size = 0 };

	wrap(&varbinds, 0x30);
	put(&body, "\x02\x04\x1a\x2b\x3c\x4d\x02\x01\x00\x02\x01\x00", 12);
	put(&body, varbinds.bytes, varbinds.size);
	wrap(&body, pdu);
	put(&all, "\x02\x01", 2);
	put(&all, &version, 1);
	put(&all, "\x04\x06public", 8);
	put(&all, body.bytes, body.size);
	wrap(&all, 0x30);
	return all;
}

static struct packet
message_of(const void *value, size_t size)
{
	struct packet list = { .size = 0 };

	add_varbind(&list, value, size);
	return message(BER_V2C, BER_RESPONSE, &list);
}

static int
peek_at(const struct packet *packet)
{
	struct ber_peek peek;

	return ber_peek(packet->bytes, packet->size, &peek);
}

static struct packet
rich_message(void)
{
	struct packet list = { .size = 0 };

	add_varbind(&list, "\x43\x02\x30\x39", 4);
	add_varbind(&list, "\x02\x04\xff\xff\xff\x9c", 6);
	add_varbind(&list, "\x41\x05\x00\xff\xff\xff\xff", 7);
	add_varbind(&list, "\x42\x01\x05", 3);
	add_varbind(&list, "\x46\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff", 11);
	add_varbind(&list, "\x04\x07oil 1\xc3\xa4", 9);
	add_varbind(&list, "\x06\x06\x2b\x06\x01\x84\x80\x00", 8);
	add_varbind(&list, "\x40\x04\x0a\x01\x03\x01", 6);
	add_varbind(&list, "\x44\x07\x9f\x78\x04\x41\xc8\x00\x00", 9);
	add_varbind(&list, "\x05\x00", 2);
	add_varbind(&list, "\x80\x00", 2);
	add_varbind(&list, "\x81\x00", 2);
	add_varbind(&list, "\x82\x00", 2);
	return message(BER_V2C, BER_RESPONSE, &list);
}

static void
tells_whose_answer_it_is(void)
{
	struct ber_peek peek;

	CHECK(ber_peek(uptime_answer, sizeof uptime_answer, &peek) == 0);
	CHECK_INT(peek.version, BER_V2C);
	CHECK_INT(peek.pdu, BER_RESPONSE);
	CHECK_INT(peek.request_id, 0x1a2b3c4d);
	CHECK_INT(ber_guess_id(uptime_answer, sizeof uptime_answer), 0x1a2b3c4d);
	CHECK_INT(peek.error_status, 0);
	CHECK_INT(peek.varbinds, 1);
	CHECK_INT(peek.community_size, 6);
	CHECK(memcmp(peek.community, "public", 6) == 0);
}

static void
takes_every_type_that_an_answer_may_hold(void)
{
	struct packet packet = rich_message();
	struct ber_peek peek;

	CHECK(ber_peek(packet.bytes, packet.size, &peek) == 0);
	CHECK_INT(peek.varbinds, 13);
}

static void
refuses_a_message_cut_at_any_length(void)
{
	struct packet packet = rich_message();
	struct ber_peek peek;

	for (size_t size = 0; size < packet.size; size++) {
		/* Its own allocation, so that a sanitizer sees a read beyond the end. */
		uint8_t *cut = malloc(size + 1);

		memcpy(cut, packet.bytes, size);
		CHECK(ber_peek(cut, size, &peek) == -1);
		CHECK_INT(ber_guess_id(cut, size), 0);
		free(cut);
	}
}

static void
of_what_it_refuses_it_tells_whose_answer_it_would_be_and_what_is_wrong(void)
{
	struct packet packet = rich_message();
	struct ber_peek peek;
	size_t named = 0;

	for (size_t size = 0; size < packet.size; size++) {
		uint8_t *copy = malloc(size + 1);

		memcpy(copy, packet.bytes, size);
		if (ber_damage(copy, size, &peek) == 0) {
			CHECK_INT(peek.request_id, 0x1a2b3c4d);
			CHECK_INT(peek.version, BER_V2C);
			CHECK_INT(peek.pdu, BER_RESPONSE);
			CHECK(peek.community_size == 6 && memcmp(peek.community, "public", 6) == 0);
			named++;
		} else {
			CHECK_INT(named, 0);
		}
		free(copy);
	}
	CHECK_INT(named, packet.size - 25); /* from the end of the request id on */
	packet.bytes[packet.size - 2] = 0x99; /* no type of SNMP's */
	CHECK_INT(ber_damage(packet.bytes, packet.size, &peek), 13);
	packet = rich_message();
	packet.bytes[packet.size] = 0;
	CHECK_INT(ber_damage(packet.bytes, packet.size + 1, &peek), 0);
}

static void
refuses_bytes_behind_the_end(void)
{
	struct packet packet = rich_message();

	packet.bytes[packet.size++] = 0;
	CHECK(peek_at(&packet) == -1);
}

static void
refuses_bytes_behind_the_value_inside_a_varbind(void)
{
	struct packet packet = message_of("\x05\x00\x05\x00", 4);

	CHECK(peek_at(&packet) == -1);
}

static void
refuses_the_indefinite_length(void)
{
	uint8_t bytes[sizeof uptime_answer];
	struct ber_peek peek;

	memcpy(bytes, uptime_answer, sizeof bytes);
	bytes[1] = 0x80;
	CHECK(ber_peek(bytes, sizeof bytes, &peek) == -1);
}

static void
refuses_other_versions_and_the_v1_trap(void)
{
	struct packet list = { .size = 0 }, v3, v4, trap;

	add_varbind(&list, "\x05\x00", 2);
	v3 = message(3, BER_RESPONSE, &list); /* with a community */
	v4 = message(4, BER_RESPONSE, &list);
	trap = message(BER_V1, 0xa4, &list);
	CHECK(peek_at(&v3) == -1);
	CHECK(peek_at(&v4) == -1);
	CHECK(peek_at(&trap) == -1);
}

static void
refuses_numbers_that_do_not_fit_their_type(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		int wanted;
	} cases[] = {
		{ "\x02\x05\x00\x7f\xff\xff\xff", 7, 0 },  /* longer than needed */
		{ "\x02\x05\x00\xff\xff\xff\xff", 7, -1 }, /* above 2^31 - 1 */
		{ "\x02\x00", 2, -1 },
		{ "\x41\x04\xff\xff\xff\xff", 6, 0 }, /* the leading zero left out */
		{ "\x41\x05\x01\xff\xff\xff\xff", 7, -1 },
		{ "\x46\x08\xff\xff\xff\xff\xff\xff\xff\xff", 10, 0 },
		{ "\x46\x09\x01\xff\xff\xff\xff\xff\xff\xff\xff", 11, -1 },
		{ "\x40\x05\x0a\x01\x03\x01\x00", 7, -1 },
		{ "\x44\x07\x9f\x78\x05\x41\xc8\x00\x00", 9, -1 }, /* float of 5 bytes */
		{ "\x44\x06\x9f\x78\x04\x41\xc8\x00", 8, -1 },
		{ "\x80\x01\x00", 3, -1 },
		{ "\x03\x02\x00\x01", 4, -1 }, /* BIT STRING is not SNMP's */
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct packet packet = message_of(cases[i].bytes, cases[i].size);

		CHECK_INT(peek_at(&packet), cases[i].wanted);
	}
}

static void
refuses_oids_too_long_or_cut_inside_an_arc(void)
{
	struct packet value = { .size = 0 }, packet;

	for (int i = 0; i < 127; i++)
		put(&value, "\x01", 1);
	wrap(&value, 0x06);
	packet = message_of(value.bytes, value.size);
	CHECK(peek_at(&packet) == 0);

	value.size = 0;
	for (int i = 0; i < 128; i++)
		put(&value, "\x01", 1);
	wrap(&value, 0x06);
	packet = message_of(value.bytes, value.size);
	CHECK(peek_at(&packet) == -1);

	packet = message_of("\x06\x02\x2b\x86", 4);
	CHECK(peek_at(&packet) == -1);
	packet = message_of("\x06\x06\x2b\x90\x80\x80\x80\x00", 8); /* 2^32 */
	CHECK(peek_at(&packet) == -1);
}

/* Whatever passes here must be understood by Net-SNMP, and as the same request. */
static void
check_against_net_snmp(const uint8_t *bytes, size_t size, size_t *passed)
{
	struct ber_peek peek;
	netsnmp_session session;
	netsnmp_pdu *pdu;
	u_char copy[4096];

	if (ber_peek(bytes, size, &peek) == -1)
		return;
	CHECK_INT(ber_guess_id(bytes, size), peek.request_id);
	snmp_sess_init(&session);
	memcpy(copy, bytes, size);
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	CHECK_INT(snmp_parse(NULL, &session, pdu, copy, size), 0);
	CHECK_INT((int32_t)pdu->reqid, peek.request_id);
	CHECK_INT(pdu->errstat, peek.error_status);
	CHECK_INT(pdu->version, peek.version);
	CHECK_INT(pdu->community_len, peek.community_size);
	snmp_free_pdu(pdu);
	++*passed;
}

static void
lets_nothing_through_that_net_snmp_would_refuse(void)
{
	struct packet packet = rich_message();
	size_t passed = 0;

	snmp_disable_log();
	for (size_t i = 0; i < packet.size; i++) {
		uint8_t was = packet.bytes[i];

		for (int to = 0; to < 256; to++) {
			packet.bytes[i] = (uint8_t)to;
			check_against_net_snmp(packet.bytes, packet.size, &passed);
		}
		packet.bytes[i] = was;
	}
	CHECK(passed > 1000);
}

RUN_TESTS(TEST(tells_whose_answer_it_is), TEST(takes_every_type_that_an_answer_may_hold),
	TEST(refuses_a_message_cut_at_any_length), TEST(refuses_bytes_behind_the_end),
	TEST(of_what_it_refuses_it_tells_whose_answer_it_would_be_and_what_is_wrong),
	TEST(refuses_bytes_behind_the_value_inside_a_varbind), TEST(refuses_the_indefinite_length),
	TEST(refuses_other_versions_and_the_v1_trap), TEST(refuses_numbers_that_do_not_fit_their_type),
	TEST(refuses_oids_too_long_or_cut_inside_an_arc),
	TEST(lets_nothing_through_that_net_snmp_would_refuse))

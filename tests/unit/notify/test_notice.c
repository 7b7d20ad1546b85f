#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "../check.h"

#include <stdio.h>
#include <stdlib.h>

#include "alarm/transition.h"
#include "base/fail.h"
#include "notify/notice.h"
#include "snmp/ber.h"

static const uint32_t enterprise[] = { 1, 3, 6, 1, 4, 1, 32473, 7 };
static const struct notice_sender sender = { .enterprise = enterprise, .enterprise_count = 8,
	.poller = "plant-a", .version = "0.1.0", .community = "public" };

static struct transition
raised(void)
{
	struct transition t = { .sequence = 17, .id = 9, .kind = TRANSITION_RAISE,
		.condition = CONDITION_THRESHOLD, .severity = SEVERITY_MAJOR, .cause = 549,
		.time = INT64_C(1795309323004000000), .uptime = 12345 };

	strcpy(t.key, "oil-hot/press-3/oil_temp");
	strcpy(t.device, "press-3");
	strcpy(t.address, "10.1.7.20:502/1");
	strcpy(t.path, "press-3-mes");
	strcpy(t.object, "oil_temp");
	strcpy(t.value, "71.2");
	strcpy(t.threshold, "70");
	strcpy(t.unit, "C");
	strcpy(t.text, "MAJOR oil-hot press-3/oil_temp: 71.2 C >= 70 C for 30s");
	strcpy(t.budget, "98.8");
	strcpy(t.owner, "OT");
	strcpy(t.place, "werk1/hall3/line-b");
	return t;
}

/* Decodes with Net-SNMP and writes one line a varbind: "OID type value". */
static const char *
decode(const uint8_t *bytes, size_t size, char *to, size_t room)
{
	netsnmp_session session;
	netsnmp_pdu *pdu = SNMP_MALLOC_TYPEDEF(netsnmp_pdu);
	size_t used = 0;

	snmp_sess_init(&session);
	session.version = SNMP_VERSION_2c;
	CHECK_INT(snmp_parse(NULL, &session, pdu, (u_char *)(uintptr_t)bytes, size), 0);
	for (netsnmp_variable_list *v = pdu->variables; v != NULL; v = v->next_variable) {
		for (size_t i = 0; i < v->name_length; i++)
			used += (size_t)snprintf(to + used, room - used, ".%lu", v->name[i]);
		used += (size_t)snprintf(to + used, room - used, " %02x ", v->type);
		if (v->type == ASN_OCTET_STR)
			used += (size_t)snprintf(to + used, room - used, "%.*s", (int)v->val_len,
				(const char *)v->val.string);
		else if (v->type == ASN_OBJECT_ID)
			for (size_t i = 0; i < v->val_len / sizeof(oid); i++)
				used += (size_t)snprintf(to + used, room - used, ".%lu",
					v->val.objid[i]);
		else
			used += (size_t)snprintf(to + used, room - used, "%ld", *v->val.integer);
		used += (size_t)snprintf(to + used, room - used, "\n");
	}
	snmp_free_pdu(pdu);
	return to;
}

#define BASE ".1.3.6.1.4.1.32473.7"
#define ROW BASE ".1.6.5.1."

static void
an_alarm_has_the_objects_of_the_mib_in_their_order(void)
{
	struct transition t = raised();
	uint8_t bytes[NOTICE_MAX];
	char text[4096];
	struct ber_peek peek;
	size_t size;

	notice_prepare();
	CHECK_INT(notice_encode(&t, &sender, 4711, bytes, sizeof bytes, &size, NULL), 0);
	CHECK_INT(ber_peek(bytes, size, &peek), 0);
	CHECK_INT(peek.pdu, BER_TRAP2);
	CHECK_INT(peek.request_id, 4711);
	CHECK_STR(decode(bytes, size, text, sizeof text),
		".1.3.6.1.2.1.1.3.0 43 12345\n"
		".1.3.6.1.6.3.1.1.4.1.0 06 " BASE ".0.5\n"
		BASE ".1.8.1.0 42 17\n"
		BASE ".1.8.2.0 02 1\n"
		ROW "2.9 04 oil-hot/press-3/oil_temp\n"
		ROW "3.9 02 4\n"
		ROW "4.9 02 549\n"
		ROW "5.9 04 press-3\n"
		ROW "6.9 04 10.1.7.20:502/1\n"
		ROW "7.9 04 press-3-mes\n"
		ROW "8.9 04 oil_temp\n"
		ROW "9.9 04 71.2\n"
		ROW "10.9 04 70\n"
		ROW "11.9 04 C\n"
		ROW "13.9 04 MAJOR oil-hot press-3/oil_temp: 71.2 C >= 70 C for 30s\n"
		BASE ".1.8.3.0 04 2026-11-22T01:02:03.004Z\n"
		BASE ".1.1.1.0 04 plant-a\n"
		ROW "16.9 04 \n"
		ROW "17.9 04 98.8\n"
		ROW "18.9 04 OT\n"
		ROW "19.9 04 werk1/hall3/line-b\n");
}

static void
a_clear_is_the_next_even_number(void)
{
	struct transition t = raised();
	uint8_t bytes[NOTICE_MAX];
	char text[4096];
	size_t size;

	notice_prepare();
	t.kind = TRANSITION_CLEAR;
	t.condition = CONDITION_DEVICE_DOWN;
	CHECK_INT(notice_encode(&t, &sender, 1, bytes, sizeof bytes, &size, NULL), 0);
	decode(bytes, size, text, sizeof text);
	CHECK(strstr(text, ".1.3.6.1.6.3.1.1.4.1.0 06 " BASE ".0.2\n") != NULL);
	CHECK(strstr(text, BASE ".1.8.2.0 02 3\n") != NULL);
}

static void
started_has_the_lifecycle_objects(void)
{
	struct transition t = { .sequence = 1, .kind = TRANSITION_RAISE,
		.condition = CONDITION_STARTED, .severity = SEVERITY_MINOR, .open = 3, .lost = 2,
		.time = INT64_C(1795309323004000000) };
	struct notice_sender informs = sender;
	uint8_t bytes[NOTICE_MAX];
	char text[4096];
	struct ber_peek peek;
	size_t size;

	informs.inform = true;
	notice_prepare();
	CHECK_INT(notice_encode(&t, &informs, 5, bytes, sizeof bytes, &size, NULL), 0);
	CHECK_INT(ber_peek(bytes, size, &peek), 0);
	CHECK_INT(peek.pdu, BER_INFORM);
	CHECK_STR(decode(bytes, size, text, sizeof text),
		".1.3.6.1.2.1.1.3.0 43 0\n"
		".1.3.6.1.6.3.1.1.4.1.0 06 " BASE ".0.20\n"
		BASE ".1.8.1.0 42 1\n"
		BASE ".1.1.1.0 04 plant-a\n"
		BASE ".1.1.2.0 04 0.1.0\n"
		BASE ".1.1.5.0 02 1\n"
		BASE ".1.6.1.0 42 3\n"
		BASE ".1.6.2.0 02 5\n"
		BASE ".1.8.3.0 04 2026-11-22T01:02:03.004Z\n"
		BASE ".1.8.4.0 42 2\n");
}

#define FILL(field)                                                                    \
	do {                                                                           \
		memset(field, 'W', sizeof field - 1);                                  \
		field[sizeof field - 1] = '\0';                                        \
	} while (0)

static void
the_longest_notice_fits_one_frame(void)
{
	struct transition t = { .sequence = UINT32_MAX, .id = UINT32_MAX,
		.kind = TRANSITION_CLEAR, .condition = CONDITION_DATA_STALE,
		.severity = SEVERITY_CLEARED, .cause = 65535,
		.time = INT64_C(1795309323004000000), .uptime = UINT32_MAX };
	static const uint32_t own[] = { 1, 3, 6, 1, 4, 1, 4294967295, 7 };
	struct notice_sender longest = { .enterprise = own, .enterprise_count = 8,
		.poller = "this-poller-has-a-name-of-forty-bytes-xy", .version = "0.1.0",
		.community = "a community of thirty-two bytes..", .inform = true };
	uint8_t bytes[NOTICE_MAX];
	size_t size = 0;
	struct fail why = { "" };

	FILL(t.key);
	FILL(t.point);
	FILL(t.device);
	FILL(t.address);
	FILL(t.path);
	FILL(t.object);
	FILL(t.value);
	FILL(t.threshold);
	FILL(t.unit);
	FILL(t.text);
	FILL(t.root);
	FILL(t.budget);
	FILL(t.owner);
	FILL(t.place);
	notice_prepare();
	if (notice_encode(&t, &longest, INT32_MAX, bytes, sizeof bytes, &size, &why) == -1)
		print_error("%s\n", why.text);
	CHECK(size > 1000);
	CHECK(size < 1400);
}

static void
says_why_when_there_is_no_room(void)
{
	struct transition t = raised();
	uint8_t bytes[100];
	size_t size;
	struct fail why;

	notice_prepare();
	CHECK_INT(notice_encode(&t, &sender, 1, bytes, sizeof bytes, &size, &why), -1);
	CHECK(strstr(why.text, "100 are allowed") != NULL);
}

RUN_TESTS(TEST(an_alarm_has_the_objects_of_the_mib_in_their_order),
	TEST(a_clear_is_the_next_even_number), TEST(started_has_the_lifecycle_objects),
	TEST(the_longest_notice_fits_one_frame), TEST(says_why_when_there_is_no_room))

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "notify/notice.h"

#include <stdlib.h>
#include <string.h>

#include "alarm/transition.h"
#include "base/fail.h"
#include "base/str.h"
#include "snmp/session.h"
#include "snmp/v3.h"

#define ENTERPRISE_MAX 20
#define ROLE_SOLO 1

/* What the varbinds are put into; ends quietly at the first failure. */
struct builder {
	netsnmp_pdu *pdu;
	const struct notice_sender *sender;
	bool failed;
};

void
notice_prepare(void)
{
	session_library_prepare();
	/* snmp_build puts the packet at the end of its buffer; we count on that. */
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_REVERSE_ENCODE, 1);
}

static size_t
make_name(const struct builder *builder, oid *name, const uint32_t *arcs, size_t count)
{
	size_t used = 0;

	for (size_t i = 0; i < builder->sender->enterprise_count && i < ENTERPRISE_MAX; i++)
		name[used++] = builder->sender->enterprise[i];
	for (size_t i = 0; i < count; i++)
		name[used++] = arcs[i];
	return used;
}

static void
add(struct builder *builder, const oid *name, size_t count, u_char type, const void *value,
	size_t size)
{
	if (builder->failed)
		return;
	if (snmp_pdu_add_variable(builder->pdu, name, count, type, value, size) == NULL)
		builder->failed = true;
}

/* Arcs below the MIB, ended by 0 where they are fewer than four. */
struct place {
	uint32_t arcs[4];
};
/* Columns of pwAlarmTable. */
#define COLUMN(number) (struct place){ { 1, 6, 5, 1 } }, (number)

static void
add_at(struct builder *builder, struct place place, uint32_t column, uint32_t instance,
	u_char type, const void *value, size_t size)
{
	oid name[ENTERPRISE_MAX + 8];
	uint32_t arcs[6];
	size_t used = 0;

	while (used < 4 && place.arcs[used] != 0) {
		arcs[used] = place.arcs[used];
		used++;
	}
	if (column != 0)
		arcs[used++] = column;
	arcs[used++] = instance;
	add(builder, name, make_name(builder, name, arcs, used), type, value, size);
}

static void
add_number(struct builder *builder, struct place place, uint32_t column, uint32_t instance,
	u_char type, uint32_t number)
{
	/* Net-SNMP takes the value as a long whatever the type. */
	u_long value = number;

	add_at(builder, place, column, instance, type, &value, sizeof value);
}

static void
add_text(struct builder *builder, struct place place, uint32_t column, uint32_t instance,
	const char *text)
{
	add_at(builder, place, column, instance, ASN_OCTET_STR, text, strlen(text));
}

/* Scalars, each with its instance 0. */
#define NOTIFY_SEQ (struct place){ { 1, 8, 1 } }
#define NOTIFY_TRANSITION (struct place){ { 1, 8, 2 } }
#define NOTIFY_TIME (struct place){ { 1, 8, 3 } }
#define NOTIFY_LOST (struct place){ { 1, 8, 4 } }
#define POLLER_NAME (struct place){ { 1, 1, 1 } }
#define POLLER_VERSION (struct place){ { 1, 1, 2 } }
#define POLLER_ROLE (struct place){ { 1, 1, 5 } }
#define ALARM_NUMBER (struct place){ { 1, 6, 1 } }
#define ALARM_WORST (struct place){ { 1, 6, 2 } }

static void
add_poller_name(struct builder *builder)
{
	char name[41];

	transition_text(name, sizeof name, builder->sender->poller);
	add_text(builder, POLLER_NAME, 0, 0, name);
}

static void
add_time(struct builder *builder, int64_t time)
{
	char text[25];

	add_text(builder, NOTIFY_TIME, 0, 0, str_utc(text, sizeof text, time));
}

static void
add_alarm(struct builder *builder, const struct transition *t)
{
	add_number(builder, NOTIFY_SEQ, 0, 0, ASN_UNSIGNED, t->sequence);
	add_number(builder, NOTIFY_TRANSITION, 0, 0, ASN_INTEGER, (uint32_t)t->kind);
	add_text(builder, COLUMN(2), t->id, t->key);
	add_number(builder, COLUMN(3), t->id, ASN_INTEGER, (uint32_t)t->severity);
	add_number(builder, COLUMN(4), t->id, ASN_INTEGER, t->cause);
	add_text(builder, COLUMN(5), t->id, t->device);
	add_text(builder, COLUMN(6), t->id, t->address);
	add_text(builder, COLUMN(7), t->id, t->path);
	add_text(builder, COLUMN(8), t->id, t->object);
	add_text(builder, COLUMN(9), t->id, t->value);
	add_text(builder, COLUMN(10), t->id, t->threshold);
	add_text(builder, COLUMN(11), t->id, t->unit);
	add_text(builder, COLUMN(13), t->id, t->text);
	add_time(builder, t->time);
	add_poller_name(builder);
	add_text(builder, COLUMN(16), t->id, t->root);
	add_text(builder, COLUMN(17), t->id, t->budget);
	add_text(builder, COLUMN(18), t->id, t->owner);
	add_text(builder, COLUMN(19), t->id, t->place);
}

static void
add_lifecycle(struct builder *builder, const struct transition *t)
{
	add_number(builder, NOTIFY_SEQ, 0, 0, ASN_UNSIGNED, t->sequence);
	add_poller_name(builder);
	add_text(builder, POLLER_VERSION, 0, 0, builder->sender->version);
	add_number(builder, POLLER_ROLE, 0, 0, ASN_INTEGER, ROLE_SOLO);
	add_number(builder, ALARM_NUMBER, 0, 0, ASN_GAUGE, t->open);
	add_number(builder, ALARM_WORST, 0, 0, ASN_INTEGER, (uint32_t)t->severity);
	add_time(builder, t->time);
	add_number(builder, NOTIFY_LOST, 0, 0, ASN_UNSIGNED, t->lost);
}

/* RFC 3416 4.2.6: sysUpTime.0 and snmpTrapOID.0 come first. */
static void
add_head(struct builder *builder, const struct transition *t)
{
	static const oid up_time[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
	static const oid trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };
	bool clears = t->kind == TRANSITION_CLEAR && t->condition < CONDITION_STARTED;
	uint32_t arcs[2] = { 0, (uint32_t)t->condition + clears };
	oid name[ENTERPRISE_MAX + 2];
	size_t count = make_name(builder, name, arcs, 2);
	u_long ticks = t->uptime;

	add(builder, up_time, OID_LENGTH(up_time), ASN_TIMETICKS, &ticks, sizeof ticks);
	add(builder, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID, name, count * sizeof *name);
}

static int
take_message(const uint8_t *bytes, size_t used, uint8_t *to, size_t room, size_t *size,
	struct fail *why)
{
	if (used > room) {
		fail_set(why, "the notice has %zu bytes, %zu are allowed", used, room);
		return -1;
	}
	memcpy(to, bytes, used);
	*size = used;
	return 0;
}

static int
build(netsnmp_pdu *pdu, const struct notice_sender *sender, uint8_t *to, size_t room,
	size_t *size, struct fail *why)
{
	netsnmp_session session;
	u_char *bytes = malloc(2048);
	size_t length = 2048, used = 0;
	int result = -1;

	snmp_sess_init(&session);
	session.version = SNMP_VERSION_2c;
	session.community = (u_char *)(uintptr_t)sender->community;
	session.community_len = strlen(sender->community);
	if (bytes == NULL || snmp_build(&bytes, &length, &used, &session, pdu) != 0)
		fail_set(why, "Net-SNMP: %s", snmp_api_errstring(session.s_snmp_errno));
	else
		result = take_message(bytes + length - used, used, to, room, size, why);
	free(bytes);
	return result;
}

/* Frees the PDU. */
static int
build_v3(netsnmp_pdu *pdu, const struct notice_sender *sender, uint8_t *to, size_t room,
	size_t *size, struct fail *why)
{
	size_t used = 0;
	uint8_t *bytes = v3_write(sender->v3, pdu, (uint32_t)pdu->reqid, &used);
	int result = -1;

	if (bytes == NULL)
		fail_set(why, "Net-SNMP cannot make a message of it");
	else
		result = take_message(bytes, used, to, room, size, why);
	free(bytes);
	return result;
}

long
notice_answer_status(struct snmp_pdu *answer)
{
	long status = answer->errstat;

	snmp_free_pdu(answer);
	return status;
}

int
notice_encode(const struct transition *transition, const struct notice_sender *sender,
	uint32_t request_id, uint8_t *to, size_t room, size_t *size, struct fail *why)
{
	struct builder builder = { .sender = sender };
	int result = -1;

	builder.pdu = snmp_pdu_create(sender->inform ? SNMP_MSG_INFORM : SNMP_MSG_TRAP2);
	if (builder.pdu == NULL) {
		fail_set(why, "Net-SNMP has no memory");
		return -1;
	}
	builder.pdu->version = SNMP_VERSION_2c;
	builder.pdu->reqid = (long)request_id;
	add_head(&builder, transition);
	if (transition->condition >= CONDITION_STARTED)
		add_lifecycle(&builder, transition);
	else
		add_alarm(&builder, transition);
	if (builder.failed)
		fail_set(why, "Net-SNMP refuses a varbind");
	else if (sender->v3 != NULL)
		return build_v3(builder.pdu, sender, to, room, size, why);
	else
		result = build(builder.pdu, sender, to, room, size, why);
	snmp_free_pdu(builder.pdu);
	return result;
}

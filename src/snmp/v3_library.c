#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/lcd_time.h>

#include "snmp/v3.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/snmp.h"
#include "snmp/v3_parts.h"

/* ---- algorithms ---- */

struct algorithm {
	const oid *id;
	size_t id_count;
};

static struct algorithm
auth_of(enum snmp_auth auth)
{
	switch (auth) {
	case SNMP_AUTH_MD5: return (struct algorithm){ usmHMACMD5AuthProtocol, 10 };
	case SNMP_AUTH_SHA: return (struct algorithm){ usmHMACSHA1AuthProtocol, 10 };
	case SNMP_AUTH_SHA224:
		return (struct algorithm){ usmHMAC128SHA224AuthProtocol, 10 };
	case SNMP_AUTH_SHA256:
		return (struct algorithm){ usmHMAC192SHA256AuthProtocol, 10 };
	case SNMP_AUTH_SHA384:
		return (struct algorithm){ usmHMAC256SHA384AuthProtocol, 10 };
	case SNMP_AUTH_SHA512:
		return (struct algorithm){ usmHMAC384SHA512AuthProtocol, 10 };
	default: return (struct algorithm){ usmNoAuthProtocol, 10 };
	}
}

/* AES-192 and AES-256 with the keys prolonged as in draft-blumenthal-aes-usm-04, section
 * 3.1.2.1, which is what agents mean by these names unless they say Cisco. */
static struct algorithm
priv_of(enum snmp_priv priv)
{
	switch (priv) {
	case SNMP_PRIV_DES: return (struct algorithm){ usmDESPrivProtocol, 10 };
	case SNMP_PRIV_AES: return (struct algorithm){ usmAESPrivProtocol, 10 };
	case SNMP_PRIV_AES192:
		return (struct algorithm){ usmAES192PrivProtocol, 9 };
	case SNMP_PRIV_AES256:
		return (struct algorithm){ usmAES256PrivProtocol, 9 };
	default: return (struct algorithm){ usmNoPrivProtocol, 10 };
	}
}

static int
level_of(const struct v3 *v3)
{
	if (v3->auth == SNMP_AUTH_NONE)
		return SNMP_SEC_LEVEL_NOAUTH;
	return v3->priv == SNMP_PRIV_NONE ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_AUTHPRIV;
}

void
v3_library_drop(struct v3 *v3)
{
	if (v3->user != NULL)
		usm_free_user(v3->user);
	v3->user = NULL;
}

/* ---- what Net-SNMP sees during a call ---- */

/* A session that was never opened: USM wants no more of it than this. */
static void
bare_session(const struct v3 *v3, netsnmp_session *session)
{
	*session = (netsnmp_session){
		.version = SNMP_VERSION_3,
		.securityModel = SNMP_SEC_MODEL_USM,
		.securityLevel = level_of(v3),
		.rcvMsgMaxSize = MESSAGE_MAX,
		.sndMsgMaxSize = MESSAGE_MAX,
		.isAuthoritative = SNMP_SESS_NONAUTHORITATIVE,
	};
}

static int
user_make(struct v3 *v3)
{
	struct algorithm auth = auth_of(v3->auth), priv = priv_of(v3->priv);
	netsnmp_session session;
	int result;

	if (v3->user != NULL)
		return 0;
	bare_session(v3, &session);
	session.securityName = v3->user_name;
	session.securityNameLen = strlen(v3->user_name);
	session.securityEngineID = v3->engine;
	session.securityEngineIDLen = v3->engine_size;
	session.securityAuthProto = (oid *)(uintptr_t)auth.id;
	session.securityAuthProtoLen = auth.id_count;
	session.securityPrivProto = (oid *)(uintptr_t)priv.id;
	session.securityPrivProtoLen = priv.id_count;
	if (v3->auth_secret != NULL) {
		session.securityAuthKeyLen = v3->auth_secret->key_size;
		memcpy(session.securityAuthKey, v3->auth_secret->key, v3->auth_secret->key_size);
	}
	if (v3->priv_secret != NULL) {
		session.securityPrivKeyLen = v3->priv_secret->key_size;
		memcpy(session.securityPrivKey, v3->priv_secret->key, v3->priv_secret->key_size);
	}
	result = usm_create_user_from_session(&session);
	explicit_bzero(&session, sizeof session);
	if (result != SNMPERR_SUCCESS)
		return -1;
	v3->user = usm_get_user(v3->engine, v3->engine_size, v3->user_name);
	if (v3->user == NULL)
		return -1;
	usm_remove_user(v3->user);
	v3->user->next = v3->user->prev = NULL;
	return 0;
}

/* Puts this device's user and clock where Net-SNMP looks for them. */
static void
enter(struct v3 *v3)
{
	int64_t passed = (loop_mono(v3->world->loop) - v3->clock_at) / LOOP_S;

	if (v3->user == NULL)
		return;
	usm_add_user(v3->user);
	set_enginetime(v3->engine, (u_int)v3->engine_size, v3->clocked ? v3->boots : 0,
		v3->clocked ? v3->time + (u_int)passed : 0, v3->clocked);
}

/* And takes them away again; keep: what an authenticated message has changed of the clock. */
static void
leave(struct v3 *v3, bool keep)
{
	u_int boots = 0, time = 0;

	if (v3->user == NULL)
		return;
	get_enginetime(v3->engine, (u_int)v3->engine_size, &boots, &time, TRUE);
	if (keep && (boots > 0 || time > 0)) {
		v3->clocked = true;
		v3->boots = boots;
		v3->time = time;
		v3->clock_at = loop_mono(v3->world->loop);
	}
	free_enginetime(v3->engine, v3->engine_size);
	usm_remove_user(v3->user);
	v3->user->next = v3->user->prev = NULL;
}

/* ---- writing ---- */

/* Who are you? RFC 3414 section 4: nobody asks nobody, the agent reports its engine ID. */
static netsnmp_pdu *
discovery(void)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

	if (pdu == NULL)
		return NULL;
	pdu->securityName = mem_text("");
	pdu->contextName = mem_text("");
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	return pdu;
}

static void
address_pdu(const struct v3 *v3, netsnmp_pdu *pdu)
{
	pdu->securityName = mem_text(v3->user_name);
	pdu->securityNameLen = strlen(v3->user_name);
	pdu->securityLevel = level_of(v3);
	pdu->securityEngineID = mem_copy(v3->engine, v3->engine_size);
	pdu->securityEngineIDLen = v3->engine_size;
	pdu->contextEngineID = mem_copy(v3->engine, v3->engine_size);
	pdu->contextEngineIDLen = v3->engine_size;
	pdu->contextName = mem_text(v3->context);
	pdu->contextNameLen = strlen(v3->context);
}

uint8_t *
v3_write(struct v3 *v3, struct snmp_pdu *pdu, uint32_t id, size_t *size)
{
	size_t room = 2048, used = 0;
	u_char *buffer = mem_zero(room);
	netsnmp_session session;
	int result = -1;

	if (v3->engine_size == 0) {
		snmp_free_pdu(pdu);
		pdu = discovery();
	} else if (pdu != NULL) {
		address_pdu(v3, pdu);
	}
	if (pdu != NULL && (v3->engine_size == 0 || user_make(v3) == 0)) {
		pdu->version = SNMP_VERSION_3;
		pdu->securityModel = SNMP_SEC_MODEL_USM;
		pdu->msgid = pdu->reqid = id;
		if (pdu->command != SNMP_MSG_TRAP2)
			pdu->flags |= UCD_MSG_FLAG_EXPECT_RESPONSE;
		bare_session(v3, &session);
		enter(v3);
		result = snmp_build(&buffer, &room, &used, &session, pdu);
		leave(v3, true);
	}
	snmp_free_pdu(pdu);
	if (result != 0) {
		free(buffer);
		return NULL;
	}
	/* Built from its end. */
	memmove(buffer, buffer + room - used, used);
	*size = used;
	return buffer;
}

/* ---- reading ---- */

/* 0 for a report of something else. */
static unsigned
usm_report(const netsnmp_variable_list *varbind)
{
	static const oid stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
	const size_t count = sizeof stats / sizeof stats[0];

	if (varbind == NULL || varbind->name_length != count + 2 ||
		snmp_oid_compare(varbind->name, count, stats, count) != 0)
		return 0;
	return varbind->name[count] <= USM_DECRYPTION ? (unsigned)varbind->name[count] : 0;
}

/* SNMP-TARGET-MIB's snmpUnavailableContexts and snmpUnknownContexts. */
static bool
is_context_report(const netsnmp_variable_list *varbind)
{
	static const oid contexts[] = { 1, 3, 6, 1, 6, 3, 12, 1 };
	const size_t count = sizeof contexts / sizeof contexts[0];

	return varbind != NULL && varbind->name_length == count + 2 &&
		snmp_oid_compare(varbind->name, count, contexts, count) == 0;
}

static bool
answers_us(const struct v3 *v3, const netsnmp_pdu *pdu, uint32_t id)
{
	return pdu->command == SNMP_MSG_RESPONSE && v3->user != NULL &&
		(uint32_t)pdu->reqid == id && pdu->securityLevel == level_of(v3) &&
		v3_same_text(pdu->securityName, pdu->securityNameLen, v3->user_name) &&
		v3_engine_is(v3, pdu->securityEngineID, pdu->securityEngineIDLen) &&
		v3_engine_is(v3, pdu->contextEngineID, pdu->contextEngineIDLen) &&
		v3_same_text(pdu->contextName, pdu->contextNameLen, v3->context);
}

/* That the key proves this message, though it may be of another time. */
static bool
is_proved(const struct v3 *v3, const netsnmp_session *session, const netsnmp_pdu *pdu, int result)
{
	if (result != 0)
		return session->s_snmp_errno == SNMPERR_USM_NOTINTIMEWINDOW;
	return v3->engine_size > 0 && pdu->securityLevel >= SNMP_SEC_LEVEL_AUTHNOPRIV;
}

/* What USM keeps of a message in order to answer it. */
static void
drop_state(netsnmp_pdu *pdu)
{
	struct snmp_secmod_def *usm = find_sec_mod(SNMP_SEC_MODEL_USM);

	if (pdu->securityStateRef != NULL && usm != NULL && usm->pdu_free_state_ref != NULL)
		usm->pdu_free_state_ref(pdu->securityStateRef);
	pdu->securityStateRef = NULL;
}

/* Net-SNMP looks for our user at the engine that speaks, though it be one that is not known yet. */
static enum v3_said
read_report(struct v3 *v3, const uint8_t *data, size_t size, const struct ber_peek *peek,
	uint32_t id, char *text, size_t text_size)
{
	struct fast_room room = { .varbinds = NULL };
	struct v3_answer answer = { .room = &room };
	enum v3_said said = V3_NOISE;

	if (peek->pdu == BER_REPORT && !(peek->flags & BER_AUTH))
		said = v3_hear(v3, data, size, peek, id, &answer, text, text_size);
	fast_room_free(&room);
	return said;
}

/* 0, or session says why the message is not understood or not believed. */
static int
parse(struct v3 *v3, const uint8_t *data, size_t size, const struct ber_peek *peek,
	netsnmp_session *session, netsnmp_pdu *pdu)
{
	uint8_t engine[BER_ENGINE_MAX], *bytes = mem_copy(data, size);
	int result;

	bare_session(v3, session);
	enter(v3);
	/* It blanks out the digest in place, */
	result = snmp_parse(NULL, session, pdu, bytes, size);
	leave(v3, peek->engine_boots != BOOTS_END);
	free(bytes);
	/* and notes the times of whoever speaks. */
	memcpy(engine, peek->engine, peek->engine_size);
	free_enginetime(engine, peek->engine_size);
	return result;
}

enum v3_said
v3_read(struct v3 *v3, const uint8_t *data, size_t size, const struct ber_peek *peek,
	uint32_t id, struct snmp_pdu **answer, char *text, size_t text_size)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	enum v3_said said = V3_NOISE;
	netsnmp_session session;
	bool proved;
	int result;

	if (pdu == NULL)
		return V3_NOISE;
	result = parse(v3, data, size, peek, &session, pdu);
	proved = is_proved(v3, &session, pdu, result);
	if (proved && peek->engine_boots == BOOTS_END && (uint32_t)peek->request_id == id) {
		said = v3_at_end(v3, text, text_size);
	} else if (session.s_snmp_errno == SNMPERR_USM_UNKNOWNSECURITYNAME) {
		said = read_report(v3, data, size, peek, id, text, text_size);
	} else if (session.s_snmp_errno == SNMPERR_ASN_PARSE_ERR) {
		/* What stands before the varbinds has been read, or is empty. */
		if ((uint32_t)pdu->msgid == id && answers_us(v3, pdu, id))
			said = V3_DAMAGED;
	} else if (result != 0) {
		if (proved && v3->clocked && peek->engine_boots <= v3->boots &&
			(uint32_t)peek->request_id == id)
			said = v3_clock_fell(v3, peek, text, text_size);
	} else if ((uint32_t)pdu->msgid == id && pdu->command == SNMP_MSG_REPORT) {
		struct v3_report report = { usm_report(pdu->variables),
			is_context_report(pdu->variables), proved };

		said = v3_reported(v3, &report, peek, text, text_size);
	} else if ((uint32_t)pdu->msgid == id && answers_us(v3, pdu, id)) {
		v3->answered = true;
		v3->silent = 0;
		said = V3_ANSWER;
	}
	v3->heard |= said != V3_NOISE;
	drop_state(pdu);
	if (said == V3_ANSWER)
		*answer = pdu;
	else
		snmp_free_pdu(pdu);
	return said;
}

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/lcd_time.h>

#include "snmp/v3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "snmp/ber.h"
#include "snmp/snmp.h"

/* A clock that goes back more often is not followed: two agents may stand behind one address. */
#define CLOCK_PAUSE (60 * LOOP_S)
/* Requests in silence after which an engine is asked anew who it is. */
#define SILENT_MAX 2
#define MESSAGE_MAX 65507

/* A pass phrase as a key for any engine (Ku, RFC 3414 section 2.6), one for all devices. */
struct secret {
	char *label; /* hash and pass phrase */
	enum snmp_auth hash;
	const char *pass; /* within label */
	u_char key[USM_AUTH_KU_LEN];
	size_t key_size; /* 0: not made yet */
	unsigned uses;
	UT_hash_handle hh;
};

struct v3_world {
	struct loop *loop;
	struct secret *secrets;  /* by label */
	struct v3 *owners;       /* by engine ID: who had it first */
	int64_t next_key;        /* mono: no key is made before */
};

struct v3 {
	struct v3_world *world;
	const char *name;
	const struct net_addr *address;
	char *user_name, *context;
	enum snmp_auth auth;
	enum snmp_priv priv;
	struct secret *auth_secret, *priv_secret;
	u_char engine[BER_ENGINE_MAX];
	size_t engine_size;      /* 0: not known */
	struct usmUser *user;    /* with the keys for this engine; in no list */
	bool clocked;            /* the clock below was proved by the user's key */
	u_int boots, time;       /* seconds */
	int64_t clock_at;        /* mono */
	int64_t clock_back;      /* mono: when it last went back; 0 never */
	bool heard, answered;    /* anything in this request; anything good, ever */
	unsigned silent;         /* requests in a row */
	bool owner;
	UT_hash_handle hh;
};

/* ---- algorithms ---- */

struct algorithm {
	const char *name;
	const oid *id;
	size_t id_count;
};

static struct algorithm
auth_of(enum snmp_auth auth)
{
	switch (auth) {
	case SNMP_AUTH_MD5: return (struct algorithm){ "MD5", usmHMACMD5AuthProtocol, 10 };
	case SNMP_AUTH_SHA: return (struct algorithm){ "SHA", usmHMACSHA1AuthProtocol, 10 };
	case SNMP_AUTH_SHA224:
		return (struct algorithm){ "SHA-224", usmHMAC128SHA224AuthProtocol, 10 };
	case SNMP_AUTH_SHA256:
		return (struct algorithm){ "SHA-256", usmHMAC192SHA256AuthProtocol, 10 };
	case SNMP_AUTH_SHA384:
		return (struct algorithm){ "SHA-384", usmHMAC256SHA384AuthProtocol, 10 };
	case SNMP_AUTH_SHA512:
		return (struct algorithm){ "SHA-512", usmHMAC384SHA512AuthProtocol, 10 };
	default: return (struct algorithm){ "none", usmNoAuthProtocol, 10 };
	}
}

/* AES-192 and AES-256 with the keys prolonged as in draft-blumenthal-aes-usm-04, section
 * 3.1.2.1, which is what agents mean by these names unless they say Cisco. */
static struct algorithm
priv_of(enum snmp_priv priv)
{
	switch (priv) {
	case SNMP_PRIV_DES: return (struct algorithm){ "DES", usmDESPrivProtocol, 10 };
	case SNMP_PRIV_AES: return (struct algorithm){ "AES", usmAESPrivProtocol, 10 };
	case SNMP_PRIV_AES192:
		return (struct algorithm){ "AES-192", usmAES192PrivProtocol, 9 };
	case SNMP_PRIV_AES256:
		return (struct algorithm){ "AES-256", usmAES256PrivProtocol, 9 };
	default: return (struct algorithm){ "none", usmNoPrivProtocol, 10 };
	}
}

static int
level_of(const struct v3 *v3)
{
	if (v3->auth == SNMP_AUTH_NONE)
		return SNMP_SEC_LEVEL_NOAUTH;
	return v3->priv == SNMP_PRIV_NONE ? SNMP_SEC_LEVEL_AUTHNOPRIV : SNMP_SEC_LEVEL_AUTHPRIV;
}

/* ---- keys ---- */

static struct secret *
secret_use(struct v3_world *world, enum snmp_auth hash, const char *pass)
{
	char *label = mem_format("%d %s", (int)hash, pass);
	struct secret *secret;

	HASH_FIND_STR(world->secrets, label, secret);
	if (secret == NULL) {
		secret = mem_zero(sizeof *secret);
		secret->label = label;
		secret->hash = hash;
		secret->pass = strchr(label, ' ') + 1;
		HASH_ADD_KEYPTR(hh, world->secrets, label, strlen(label), secret);
	} else {
		explicit_bzero(label, strlen(label));
		free(label);
	}
	secret->uses++;
	return secret;
}

static void
secret_leave(struct v3_world *world, struct secret *secret)
{
	if (secret == NULL || --secret->uses > 0)
		return;
	HASH_DELETE(hh, world->secrets, secret);
	explicit_bzero(secret->label, strlen(secret->label));
	free(secret->label);
	explicit_bzero(secret, sizeof *secret);
	free(secret);
}

static bool
secret_ready(struct v3_world *world, struct secret *secret)
{
	struct algorithm hash;
	int64_t now;

	if (secret == NULL || secret->key_size > 0)
		return true;
	now = loop_mono(world->loop);
	if (now < world->next_key)
		return false;
	world->next_key = now + LOOP_TICK;
	hash = auth_of(secret->hash);
	secret->key_size = sizeof secret->key;
	if (generate_Ku(hash.id, (u_int)hash.id_count, (const u_char *)secret->pass,
		    strlen(secret->pass), secret->key, &secret->key_size) != SNMPERR_SUCCESS)
		secret->key_size = 0;
	return secret->key_size > 0;
}

bool
v3_ready(struct v3 *v3)
{
	return secret_ready(v3->world, v3->auth_secret) &&
		secret_ready(v3->world, v3->priv_secret);
}

/* ---- the engine ---- */

static void
user_drop(struct v3 *v3)
{
	if (v3->user != NULL)
		usm_free_user(v3->user);
	v3->user = NULL;
}

static void
owner_leave(struct v3 *v3)
{
	if (v3->owner)
		HASH_DELETE(hh, v3->world->owners, v3);
	v3->owner = false;
}

static void
engine_forget(struct v3 *v3)
{
	user_drop(v3);
	owner_leave(v3);
	v3->engine_size = 0;
	v3->clocked = false;
	v3->silent = 0;
}

/* Two devices with one engine ID have the same keys. That is wrong, but no reason to poll
 * neither: an answer must come from the right address and carry the right random id. */
static void
owner_enter(struct v3 *v3)
{
	char here[64], there[64];
	struct v3 *other;

	HASH_FIND(hh, v3->world->owners, v3->engine, v3->engine_size, other);
	if (other == NULL) {
		HASH_ADD_KEYPTR(hh, v3->world->owners, v3->engine, v3->engine_size, v3);
		v3->owner = true;
	} else if (!net_addr_equal(other->address, v3->address)) {
		log_warn("%s (%s): has the same SNMP engine ID as %s (%s), as after copying a "
			"configuration: give each device its own, what is sent to one can be played to "
			"the other",
			v3->name, net_addr_text(here, sizeof here, v3->address, true),
			other->name, net_addr_text(there, sizeof there, other->address, true));
	}
}

static bool
engine_is(const struct v3 *v3, const uint8_t *engine, size_t size)
{
	return size == v3->engine_size && memcmp(engine, v3->engine, size) == 0;
}

static void
engine_learn(struct v3 *v3, const uint8_t *engine, size_t size)
{
	engine_forget(v3);
	memcpy(v3->engine, engine, size);
	v3->engine_size = size;
	owner_enter(v3);
}

/* Its size, or 0 when it is none. */
static size_t
engine_parse(const char *hex, u_char engine[BER_ENGINE_MAX])
{
	size_t size = strlen(hex) / 2;

	if (size < 5 || size > BER_ENGINE_MAX || strlen(hex) % 2 != 0)
		return 0;
	for (size_t i = 0; i < size; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &engine[i]) != 1)
			return 0;
	return size;
}

void
v3_engine_set(struct v3 *v3, const char *hex)
{
	u_char engine[BER_ENGINE_MAX];
	size_t size = engine_parse(hex, engine);

	if (size > 0)
		engine_learn(v3, engine, size);
}

/* All receivers of TRAPs have this one: nobody to warn of. */
void
v3_be(struct v3 *v3, const char *hex, uint32_t boots, int64_t began)
{
	engine_forget(v3);
	v3->engine_size = engine_parse(hex, v3->engine);
	v3->clocked = true;
	v3->boots = boots;
	v3->time = 0;
	v3->clock_at = began;
}

const char *
v3_engine(const struct v3 *v3, char *to)
{
	to[0] = '\0';
	for (size_t i = 0; i < v3->engine_size; i++)
		snprintf(to + 2 * i, 3, "%02x", v3->engine[i]);
	return to;
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

/* And takes them away again; what an authenticated message has changed is kept. */
static void
leave(struct v3 *v3)
{
	u_int boots = 0, time = 0;

	if (v3->user == NULL)
		return;
	get_enginetime(v3->engine, (u_int)v3->engine_size, &boots, &time, TRUE);
	if (boots > 0 || time > 0) {
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
		leave(v3);
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

enum { USM_LEVELS = 1, USM_TIME, USM_USERS, USM_ENGINES, USM_DIGESTS, USM_DECRYPTION };

/* RFC 3414 section 5, usmStats; 0 for a report of something else. */
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

static enum v3_said
refused(const struct v3 *v3, unsigned report, bool context, char *text, size_t size)
{
	const char *auth = auth_of(v3->auth).name, *priv = priv_of(v3->priv).name;

	switch (report) {
	case USM_LEVELS:
		snprintf(text, size, "the agent does not do auth %s with priv %s for user \"%s\" "
			"(unsupportedSecLevels)", auth, priv, v3->user_name);
		break;
	case USM_TIME:
		snprintf(text, size, "user \"%s\": the agent insists on another clock than it tells "
			"(notInTimeWindows)", v3->user_name);
		break;
	case USM_USERS:
		snprintf(text, size, "the agent knows no user \"%s\" (unknownUserNames)",
			v3->user_name);
		break;
	case USM_ENGINES:
		snprintf(text, size, "the agent does not know its own engine ID (unknownEngineIDs)");
		break;
	case USM_DIGESTS:
		snprintf(text, size, "user \"%s\": wrong auth_pass, or auth is not %s (wrongDigests)",
			v3->user_name, auth);
		break;
	case USM_DECRYPTION:
		snprintf(text, size, "user \"%s\": wrong priv_pass, or priv is not %s "
			"(decryptionErrors)", v3->user_name, priv);
		break;
	default:
		if (context)
			snprintf(text, size, "the agent has no context \"%s\"", v3->context);
		else
			snprintf(text, size, "user \"%s\": the agent reports something else instead of "
				"an answer", v3->user_name);
	}
	return V3_REFUSED;
}

/* Anybody who sees the request can forge what is not authenticated: then only its engine ID
 * is taken, which is no use without the keys, and words for people. */
static enum v3_said
read_report(struct v3 *v3, const netsnmp_pdu *pdu, const struct ber_peek *peek, char *text,
	size_t size)
{
	unsigned report = usm_report(pdu->variables);
	bool proved = v3->engine_size > 0 && pdu->securityLevel >= SNMP_SEC_LEVEL_AUTHNOPRIV;

	if (v3->engine_size == 0 || report == USM_ENGINES) {
		if (peek->engine_size < 5 || engine_is(v3, peek->engine, peek->engine_size))
			return refused(v3, USM_ENGINES, false, text, size);
		if (v3->engine_size > 0)
			log_warn("%s: has another SNMP engine ID than before: replaced, or set anew",
				v3->name);
		engine_learn(v3, peek->engine, peek->engine_size);
		return V3_AGAIN;
	}
	if (report == USM_TIME && proved)
		return V3_AGAIN; /* the clock has been set, see leave */
	return refused(v3, report, is_context_report(pdu->variables), text, size);
}

/* Its boots are below those known, or its time without another boot. The message is proved
 * by the user's key, and fresh by our random id: so the agent was reset or replaced, and
 * nobody plays an old message. */
static enum v3_said
clock_fell(struct v3 *v3, const struct ber_peek *peek, char *text, size_t size)
{
	int64_t now = loop_mono(v3->world->loop);

	if (v3->clock_back != 0 && now - v3->clock_back < CLOCK_PAUSE) {
		snprintf(text, size, "user \"%s\": the engine's clock went back twice within a minute "
			"(notInTimeWindows)", v3->user_name);
		return V3_REFUSED;
	}
	v3->clock_back = now;
	if (peek->engine_boots < v3->boots)
		log_warn("%s: SNMP engine boots went back from %u to %u: the device was reset or "
			"replaced; its clock is taken anew", v3->name, v3->boots, peek->engine_boots);
	else
		log_warn("%s: SNMP engine time went back to %u s although its boots are still %u: the "
			"device does not count its restarts; its clock is taken anew", v3->name,
			peek->engine_time, v3->boots);
	v3->boots = peek->engine_boots;
	v3->time = peek->engine_time;
	v3->clock_at = now;
	return V3_AGAIN;
}

static bool
same_text(const char *one, size_t one_size, const char *other)
{
	return one_size == strlen(other) && memcmp(one, other, one_size) == 0;
}

static bool
answers_us(const struct v3 *v3, const netsnmp_pdu *pdu, uint32_t id)
{
	return pdu->command == SNMP_MSG_RESPONSE && v3->user != NULL &&
		(uint32_t)pdu->reqid == id && pdu->securityLevel == level_of(v3) &&
		same_text(pdu->securityName, pdu->securityNameLen, v3->user_name) &&
		engine_is(v3, pdu->securityEngineID, pdu->securityEngineIDLen) &&
		engine_is(v3, pdu->contextEngineID, pdu->contextEngineIDLen) &&
		same_text(pdu->contextName, pdu->contextNameLen, v3->context);
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

enum v3_said
v3_read(struct v3 *v3, const uint8_t *data, size_t size, const struct ber_peek *peek,
	uint32_t id, struct snmp_pdu **answer, char *text, size_t text_size)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	uint8_t engine[BER_ENGINE_MAX], *bytes;
	netsnmp_session session;
	enum v3_said said = V3_NOISE;
	int result;

	if (pdu == NULL)
		return V3_NOISE;
	bare_session(v3, &session);
	bytes = mem_copy(data, size); /* the digest is blanked out in place */
	enter(v3);
	result = snmp_parse(NULL, &session, pdu, bytes, size);
	leave(v3);
	free(bytes);
	/* Net-SNMP notes the times of whoever speaks. */
	memcpy(engine, peek->engine, peek->engine_size);
	free_enginetime(engine, peek->engine_size);
	if (result != 0) {
		if (session.s_snmp_errno == SNMPERR_USM_NOTINTIMEWINDOW && v3->clocked &&
			peek->engine_boots <= v3->boots)
			said = clock_fell(v3, peek, text, text_size);
	} else if ((uint32_t)pdu->msgid == id && pdu->command == SNMP_MSG_REPORT) {
		said = read_report(v3, pdu, peek, text, text_size);
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

void
v3_begin(struct v3 *v3)
{
	v3->heard = false;
}

bool
v3_silent(struct v3 *v3, char *text, size_t text_size)
{
	bool deaf = v3->heard && !v3->answered;
	bool in_context = v3->context[0] != '\0';

	if (deaf && v3->priv != SNMP_PRIV_NONE && v3->clocked)
		snprintf(text, text_size, "user \"%s\": no answer to what is encrypted: wrong "
			"priv_pass, or priv is not %s%s%s%s", v3->user_name, priv_of(v3->priv).name,
			in_context ? ", or no context \"" : "", v3->context, in_context ? "\"" : "");
	else if (deaf)
		snprintf(text, text_size, "the agent tells its engine ID, but does not answer user "
			"\"%s\"%s%s%s", v3->user_name, in_context ? " in context \"" : "", v3->context,
			in_context ? "\"" : "");
	/* What is not proved yet is asked for anew; so is what is proved, when it seems to
	 * have become wrong. */
	if (!v3->answered || ++v3->silent >= SILENT_MAX)
		engine_forget(v3);
	return deaf;
}

/* ---- all of it ---- */

struct v3_world *
v3_world_new(struct loop *loop)
{
	struct v3_world *world = mem_zero(sizeof *world);

	world->loop = loop;
	return world;
}

void
v3_world_free(struct v3_world *world)
{
	free(world);
}

struct v3 *
v3_open(struct v3_world *world, const char *name, const struct net_addr *address,
	const struct snmp_user *user)
{
	struct v3 *v3 = mem_zero(sizeof *v3);

	v3->world = world;
	v3->name = name;
	v3->address = address;
	v3->user_name = mem_text(user->name);
	v3->context = mem_text(user->context);
	v3->auth = user->auth;
	v3->priv = user->priv;
	if (user->auth != SNMP_AUTH_NONE)
		v3->auth_secret = secret_use(world, user->auth, user->auth_pass);
	/* Also the key to encrypt by is made with the hash of authentication. */
	if (user->priv != SNMP_PRIV_NONE)
		v3->priv_secret = secret_use(world, user->auth, user->priv_pass);
	return v3;
}

void
v3_close(struct v3 *v3)
{
	if (v3 == NULL)
		return;
	engine_forget(v3);
	secret_leave(v3->world, v3->auth_secret);
	secret_leave(v3->world, v3->priv_secret);
	free(v3->user_name);
	free(v3->context);
	free(v3);
}

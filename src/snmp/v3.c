#include "snmp/v3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/ahead.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/seal.h"
#include "snmp/snmp.h"
#include "snmp/usm.h"
#include "snmp/v3_parts.h"

/* A clock that goes back more often is not followed: two agents may stand behind one address. */
#define CLOCK_PAUSE (60 * LOOP_S)
/* Requests in silence after which an engine is asked anew who it is. */
#define SILENT_MAX 2
#define OPENED_MAX 65536  /* more than any datagram holds */
#define WINDOW 150 /* seconds, RFC 3414 section 2.2.3 */

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
	int64_t now;

	if (secret == NULL || secret->key_size > 0)
		return true;
	now = loop_mono(world->loop);
	if (now < world->next_key)
		return false;
	world->next_key = now + LOOP_TICK;
	if (usm_phrase_key(world->usm, secret->hash, secret->pass, secret->key) == 0)
		secret->key_size = usm_key_size(secret->hash);
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
keys_drop(struct v3 *v3)
{
	v3_library_drop(v3);
	if (v3->keys != NULL)
		explicit_bzero(v3->keys, sizeof *v3->keys);
	free(v3->keys);
	v3->keys = NULL;
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
	keys_drop(v3);
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
	} else if (!v3->twin && !net_addr_equal(other->address, v3->address)) {
		v3->twin = true;
		log_warn("%s (%s): has the same SNMP engine ID as %s (%s), as after copying a "
			"configuration: give each device its own, what is sent to one can be played to "
			"the other",
			v3->name, net_addr_text(here, sizeof here, v3->address, true),
			other->name, net_addr_text(there, sizeof there, other->address, true));
	}
}

bool
v3_engine_is(const struct v3 *v3, const uint8_t *engine, size_t size)
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
engine_parse(const char *hex, uint8_t engine[BER_ENGINE_MAX])
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
	uint8_t engine[BER_ENGINE_MAX];
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

/* ---- what is sent ---- */

static int
keys_make(struct v3 *v3)
{
	if (v3->keys != NULL)
		return 0;
	v3->keys = mem_zero(sizeof *v3->keys);
	v3->keys->auth = v3->auth;
	v3->keys->priv = v3->priv;
	if (usm_keys_make(v3->world->usm, v3->keys,
			v3->auth_secret != NULL ? v3->auth_secret->key : NULL,
			v3->priv_secret != NULL ? v3->priv_secret->key : NULL, v3->engine,
			v3->engine_size) == 0)
		return 0;
	keys_drop(v3);
	return -1;
}

bool
v3_has_keys(const struct v3 *v3)
{
	return v3->engine_size == 0 || v3->keys != NULL;
}

/* The engine's time by our clock. */
static int64_t
time_now(const struct v3 *v3)
{
	return v3->time + (loop_mono(v3->world->loop) - v3->clock_at) / LOOP_S;
}

const uint8_t *
v3_ask(struct v3 *v3, const struct session_request *request, uint32_t id, size_t *size)
{
	/* Who are you? RFC 3414 section 4: nobody asks nobody, the agent reports its engine ID. */
	static const struct session_request nothing = { .op = SESSION_GET };
	static const struct usm_keys nobody = { .auth = SNMP_AUTH_NONE, .priv = SNMP_PRIV_NONE };
	struct v3_world *world = v3->world;
	struct seal seal = { .usm = world->usm, .keys = &nobody, .engine = v3->engine,
		.engine_size = v3->engine_size, .user = "", .context = "", .id = (int32_t)id };
	int64_t time = v3->clocked ? time_now(v3) : 0;

	if (v3->engine_size == 0)
		return seal_write(&seal, &nothing, world->sent, MESSAGE_MAX, size);
	if (keys_make(v3) == -1)
		return NULL;
	seal.keys = v3->keys;
	seal.user = v3->user_name;
	seal.context = v3->context;
	seal.boots = v3->clocked ? v3->boots : 0;
	seal.time = time < INT32_MAX ? (uint32_t)time : INT32_MAX;
	seal.salt = ++world->salt;
	return seal_write(&seal, request, world->sent, MESSAGE_MAX, size);
}

/* ---- what comes back ---- */

static enum v3_said
refused(const struct v3 *v3, const struct v3_report *report, char *text, size_t size)
{
	const char *auth = usm_auth_name(v3->auth), *priv = usm_priv_name(v3->priv);

	switch (report->usm) {
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
		if (report->context)
			snprintf(text, size, "the agent has no context \"%s\"", v3->context);
		else
			snprintf(text, size, "user \"%s\": the agent reports something else instead of "
				"an answer", v3->user_name);
	}
	return V3_REFUSED;
}

/* Anybody who sees the request can forge what is not authenticated: then only its engine ID
 * is taken, which is no use without the keys, and words for people. */
enum v3_said
v3_reported(struct v3 *v3, const struct v3_report *report, const struct ber_peek *peek,
	char *text, size_t size)
{
	static const struct v3_report lost = { .usm = USM_ENGINES };

	if (v3->engine_size == 0 || report->usm == USM_ENGINES) {
		if (peek->engine_size < 5 || v3_engine_is(v3, peek->engine, peek->engine_size))
			return refused(v3, &lost, text, size);
		if (v3->engine_size > 0)
			log_warn("%s: has another SNMP engine ID than before: replaced, or set anew",
				v3->name);
		engine_learn(v3, peek->engine, peek->engine_size);
		return V3_AGAIN;
	}
	if (report->usm == USM_TIME && report->proved)
		return V3_AGAIN; /* the clock has been set with it */
	return refused(v3, report, text, size);
}

/* Its boots are below those known, or its time without another boot. The message is proved
 * by the user's key, and fresh by our random id: so the agent was reset or replaced, and
 * nobody plays an old message. */
enum v3_said
v3_clock_fell(struct v3 *v3, const struct ber_peek *peek, char *text, size_t size)
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

enum v3_said
v3_at_end(const struct v3 *v3, char *text, size_t size)
{
	snprintf(text, size, "user \"%s\": the engine's boots are at their end, %d: reset it or give it "
		"another engine ID (notInTimeWindows)",
		v3->user_name, BOOTS_END);
	return V3_REFUSED;
}

bool
v3_same_text(const void *one, size_t size, const char *other)
{
	return size == strlen(other) && memcmp(one, other, size) == 0;
}

/* RFC 3414 section 3.2, step 7b. Stricter in one thing: a time that is behind ours by more than
 * the window is refused although it is later than the one heard last. Takes the clock up. */
static bool
clock_agrees(struct v3 *v3, const struct ber_peek *peek)
{
	bool first = !v3->clocked || peek->engine_boots > v3->boots;

	if (!first && (peek->engine_boots < v3->boots || peek->engine_time + WINDOW < time_now(v3)))
		return false;
	if (first || peek->engine_time > v3->time) {
		v3->clocked = true;
		v3->boots = peek->engine_boots;
		v3->time = peek->engine_time;
		v3->clock_at = loop_mono(v3->world->loop);
	}
	return true;
}

/* The message names our user and the engine that its keys are for. */
static bool
is_ours(const struct v3 *v3, const struct ber_peek *peek)
{
	return v3->keys != NULL && v3_engine_is(v3, peek->engine, peek->engine_size) &&
		v3_same_text(peek->user.at, peek->user.size, v3->user_name);
}

/* RFC 3414 section 3.2, steps 3 to 6. What nobody has signed can be a report of an engine that is
 * not known yet, which Net-SNMP's agent sends to the user who asked. */
static bool
is_from_whom_it_says(const struct v3 *v3, const uint8_t *data, size_t size,
	const struct ber_peek *peek)
{
	if (!(peek->flags & BER_AUTH))
		return peek->user.size == 0 ||
			v3_same_text(peek->user.at, peek->user.size, v3->user_name);
	return is_ours(v3, peek) && (v3->priv != SNMP_PRIV_NONE || !(peek->flags & BER_PRIV)) &&
		seal_is_authentic(v3->world->usm, v3->keys, data, size, peek);
}

/* Not less secure than it was asked, either. */
static bool
answers_us(const struct v3 *v3, const struct ber_peek *peek, uint32_t id)
{
	unsigned level = (v3->auth != SNMP_AUTH_NONE ? BER_AUTH : 0) |
		(v3->priv != SNMP_PRIV_NONE ? BER_PRIV : 0);

	return peek->pdu == BER_RESPONSE && is_ours(v3, peek) && (uint32_t)peek->scoped_id == id &&
		(peek->flags & (BER_AUTH | BER_PRIV)) == level &&
		v3_engine_is(v3, peek->context_engine.at, peek->context_engine.size) &&
		v3_same_text(peek->context.at, peek->context.size, v3->context);
}

static struct v3_report
report_of(const struct fast_room *room, size_t count, bool proved)
{
	static const uint32_t stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1 };
	static const uint32_t contexts[] = { 1, 3, 6, 1, 6, 3, 12, 1 };
	const size_t stats_count = sizeof stats / sizeof stats[0];
	const size_t contexts_count = sizeof contexts / sizeof contexts[0];
	struct v3_report report = { .proved = proved };
	const struct varbind *first = room->varbinds;

	if (count == 0)
		return report;
	if (first->count == stats_count + 2 &&
		oid_starts_with(first->ids, first->count, stats, stats_count) &&
		first->ids[stats_count] <= USM_DECRYPTION)
		report.usm = first->ids[stats_count];
	report.context = first->count == contexts_count + 2 &&
		oid_starts_with(first->ids, first->count, contexts, contexts_count);
	return report;
}

static enum v3_said
hear(struct v3 *v3, const uint8_t *data, size_t size, struct ber_peek *peek, uint32_t id,
	struct v3_answer *answer, char *text, size_t text_size)
{
	bool proved = (peek->flags & BER_AUTH) != 0;
	struct v3_report report;

	if (size > OPENED_MAX || (uint32_t)peek->request_id != id ||
		!is_from_whom_it_says(v3, data, size, peek))
		return V3_NOISE;
	if (proved && peek->engine_boots == BOOTS_END)
		return v3_at_end(v3, text, text_size);
	if (proved && !clock_agrees(v3, peek))
		return v3->clocked && peek->engine_boots <= v3->boots ?
			v3_clock_fell(v3, peek, text, text_size) : V3_NOISE;
	if (seal_open(v3->world->usm, v3->keys, peek, v3->world->opened) == -1)
		return V3_NOISE;
	if (peek->pdu == BER_REPORT || answer->request == NULL ?
		fast_read(peek, answer->room, &answer->count) == -1 :
		fast_read_answer(peek, answer->room, answer->request, &answer->count) == -1) {
		answer->damage = (int)ber_malformed(peek);
		return answers_us(v3, peek, id) ? V3_DAMAGED : V3_NOISE;
	}
	if (peek->pdu == BER_REPORT) {
		report = report_of(answer->room, answer->count, proved);
		return v3_reported(v3, &report, peek, text, text_size);
	}
	answer->error_status = peek->error_status;
	answer->error_index = peek->error_index;
	return answers_us(v3, peek, id) ? V3_ANSWER : V3_NOISE;
}

enum v3_said
v3_hear(struct v3 *v3, const uint8_t *data, size_t size, const struct ber_peek *peek,
	uint32_t id, struct v3_answer *answer, char *text, size_t text_size)
{
	struct ber_peek plain = *peek;
	enum v3_said said = hear(v3, data, size, &plain, id, answer, text, text_size);

	v3->heard |= said != V3_NOISE;
	if (said == V3_ANSWER) {
		v3->answered = true;
		v3->silent = 0;
	}
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
			"priv_pass, or priv is not %s%s%s%s", v3->user_name, usm_priv_name(v3->priv),
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
	world->usm = usm_new();
	world->sent = mem_grow(NULL, MESSAGE_MAX, 1);
	world->opened = mem_grow(NULL, OPENED_MAX, 1);
	/* Counted on from anywhere, RFC 3826 section 3.1.2.1: no run repeats another's. */
	while (getrandom(&world->salt, sizeof world->salt, 0) != sizeof world->salt)
		;
	return world;
}

void
v3_world_free(struct v3_world *world)
{
	if (world == NULL)
		return;
	usm_free(world->usm);
	free(world->sent);
	free(world->opened);
	free(world);
}

struct v3 *
v3_open(struct v3_world *world, const char *name, const struct net_addr *address,
	const struct snmp_user *user, bool netsnmp)
{
	struct v3 *v3 = mem_zero(sizeof *v3);

	v3->world = world;
	v3->name = name;
	v3->address = address;
	v3->user_name = mem_text(user->name);
	v3->context = mem_text(user->context);
	v3->auth = user->auth;
	v3->priv = user->priv;
	v3->library = netsnmp || !usm_does(world->usm, user->auth, user->priv);
	if (user->auth != SNMP_AUTH_NONE)
		v3->auth_secret = secret_use(world, user->auth, user->auth_pass);
	/* Also the key to encrypt by is made with the hash of authentication. */
	if (user->priv != SNMP_PRIV_NONE)
		v3->priv_secret = secret_use(world, user->auth, user->priv_pass);
	return v3;
}

bool
v3_is_fast(const struct v3 *v3)
{
	return !v3->library;
}

bool
v3_has_answered(const struct v3 *v3)
{
	return v3->answered;
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

void
v3_ahead(const struct v3 *v3, unsigned step)
{
	if (v3 == NULL)
		return;
	if (step == 0) {
		ahead_fetch(v3, sizeof *v3);
	} else if (step == 1) {
		ahead_fetch(v3->keys, sizeof *v3->keys);
		ahead_fetch(v3->user_name, 1);
		ahead_fetch(v3->context, 1);
	}
}

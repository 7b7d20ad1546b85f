/* Our messages of SNMPv3 against Net-SNMP's, both ways, for each hash with each cipher.
 *
 * What we seal Net-SNMP has to open, and what it seals we have to, with the same contents. Then
 * answers and reports are damaged, PW_MUTATIONS times (8,000): as they are; signed again with
 * the right key; and within what is encrypted, encrypted and signed again. Both read them in the
 * same state: what Net-SNMP calls noise has to be noise to us, what we take has to be the same
 * to the last bit. That we are stricter is counted. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/lcd_time.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "fuzz/mutate.h"
#include "fuzz/same.h"
#include "snmp/ber.h"
#include "snmp/ber_out.h"
#include "snmp/fast.h"
#include "snmp/session.h"
#include "snmp/usm.h"
#include "snmp/v3.h"
#include "unit/check.h"

#define MUTATIONS 8000
#define PACKET 4096
#define ID 0x2a3b4c5d
#define ENGINE "80007ed9040102030405060708"
#define BOOTS 61
#define TIME 5000
#define PHRASE "one phrase for both keys"
#define TEXT 256

static const u_char engine[] = { 0x80, 0, 0x7e, 0xd9, 4, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint32_t up_time[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
static const struct snmp_oid asked = { up_time, sizeof up_time / sizeof up_time[0] };
static const struct session_request request = { .op = SESSION_GET, .oids = &asked, .count = 1 };

static struct loop *loop;
static struct v3_world *world;
static struct net_addr address;
static struct usm *usm;
static struct fast_room room;

/* One hash with one cipher: three who have the same user, and his keys. */
struct pair {
	struct snmp_user user;
	struct v3 *ours, *theirs, *agent;
	struct usm_keys keys;
};
#define PAIRS (1 + 6 * 4)
static struct pair pairs[PAIRS];

/* ---- who speaks ---- */

static void
tick(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static struct v3 *
open_one(const struct snmp_user *user, bool netsnmp)
{
	struct v3 *v3 = v3_open(world, "switch", &address, user, netsnmp);
	struct loop_timer timer;

	loop_timer_init(&timer, tick, NULL);
	while (!v3_ready(v3)) {
		loop_timer_in(loop, &timer, LOOP_TICK);
		loop_run(loop);
	}
	CHECK(v3_is_fast(v3) == !netsnmp);
	return v3;
}

static void
open_pair(struct pair *pair, enum snmp_auth auth, enum snmp_priv priv)
{
	uint8_t ku[USM_HASH_MAX];

	pair->user = (struct snmp_user){ .name = "poll", .context = "there", .auth = auth,
		.auth_pass = PHRASE, .priv = priv, .priv_pass = PHRASE };
	pair->ours = open_one(&pair->user, false);
	pair->theirs = open_one(&pair->user, true);
	pair->agent = open_one(&pair->user, true);
	/* It speaks with the authority of its own clock. */
	v3_be(pair->agent, ENGINE, BOOTS, loop_mono(loop) - TIME * LOOP_S);
	pair->keys = (struct usm_keys){ .auth = auth, .priv = priv };
	CHECK(auth == SNMP_AUTH_NONE || usm_phrase_key(usm, auth, PHRASE, ku) == 0);
	CHECK(usm_keys_make(usm, &pair->keys, ku, ku, engine, sizeof engine) == 0);
}

static void
open_pairs(void)
{
	size_t count = 0;
	struct fail why;

	loop = loop_new(&why);
	CHECK(loop != NULL && net_addr_parse("10.0.0.1", 161, &address, &why) == 0);
	world = v3_world_new(loop);
	usm = usm_new();
	open_pair(&pairs[count++], SNMP_AUTH_NONE, SNMP_PRIV_NONE);
	for (int auth = SNMP_AUTH_MD5; auth <= SNMP_AUTH_SHA512; auth++) {
		open_pair(&pairs[count++], (enum snmp_auth)auth, SNMP_PRIV_NONE);
		for (int priv = SNMP_PRIV_AES; priv <= SNMP_PRIV_AES256; priv++)
			open_pair(&pairs[count++], (enum snmp_auth)auth, (enum snmp_priv)priv);
	}
	CHECK_INT(count, PAIRS);
}

static void
close_pairs(void)
{
	for (size_t i = 0; i < PAIRS; i++) {
		v3_close(pairs[i].ours);
		v3_close(pairs[i].theirs);
		v3_close(pairs[i].agent);
	}
	v3_world_free(world);
	usm_free(usm);
	loop_free(loop);
	fast_room_free(&room);
}

/* As an agent's that nobody has asked yet, but for his engine ID. */
static void
begin_anew(struct pair *pair)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	size_t size;

	v3_engine_set(pair->ours, ENGINE);
	v3_engine_set(pair->theirs, ENGINE);
	CHECK(v3_ask(pair->ours, &request, ID, &size) != NULL);
	free(v3_write(pair->theirs, pdu, ID, &size));
}

/* Forgets all that one of the two has taken up and the other has not. */
static void
reopen(struct pair *pair)
{
	v3_close(pair->ours);
	v3_close(pair->theirs);
	pair->ours = open_one(&pair->user, false);
	pair->theirs = open_one(&pair->user, true);
}

/* ---- messages of the agent, made by Net-SNMP ---- */

static netsnmp_pdu *
answer_pdu(void)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	oid name[] = { 1, 3, 6, 1, 4, 1, 4294967295, 127, 128, 16384, 0 };
	size_t arcs = sizeof name / sizeof name[0];
	long number = -129;
	struct counter64 big = { .high = UINT32_MAX, .low = 77 };
	u_long ticks = UINT32_MAX;

	snmp_pdu_add_variable(pdu, name, arcs, ASN_INTEGER, &number, sizeof number);
	name[arcs - 1]++;
	snmp_pdu_add_variable(pdu, name, arcs, ASN_COUNTER64, &big, sizeof big);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_TIMETICKS, &ticks, sizeof ticks);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OCTET_STR, "Fa0/1", 5);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OBJECT_ID, name, sizeof name);
	snmp_pdu_add_variable(pdu, name, arcs, SNMP_NOSUCHINSTANCE, NULL, 0);
	return pdu;
}

/* Of usmStats, or with number 0 of an unknown context. */
static netsnmp_pdu *
report_pdu(unsigned number)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_REPORT);
	oid stats[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1, number, 0 };
	oid contexts[] = { 1, 3, 6, 1, 6, 3, 12, 1, 5, 0 };
	u_long count = 3;

	if (number > 0)
		snmp_pdu_add_variable(pdu, stats, 11, ASN_COUNTER, &count, sizeof count);
	else
		snmp_pdu_add_variable(pdu, contexts, 10, ASN_COUNTER, &count, sizeof count);
	return pdu;
}

/* What one pair's agent sends: an answer, or one of seven reports, those also unsigned. */
static size_t
agent_says(const struct pair *pair, unsigned kind, uint8_t *to)
{
	const struct pair *speaker = kind > 7 ? &pairs[0] : pair;
	netsnmp_pdu *pdu = kind == 0 ? answer_pdu() : report_pdu((kind - 1) % 7);
	size_t size;
	uint8_t *bytes = v3_write(speaker->agent, pdu, ID, &size);

	CHECK(bytes != NULL && size <= PACKET);
	memcpy(to, bytes, size);
	free(bytes);
	return size;
}
#define KINDS 15

/* ---- damage ---- */

/* The right digest for what stands there, where there is a place for one. */
static void
sign(const struct pair *pair, uint8_t *bytes, size_t size)
{
	struct ber_peek peek;

	if (ber_peek_head(bytes, size, &peek) == 0 && peek.flags & BER_AUTH &&
		peek.digest.size == usm_digest_size(pair->keys.auth))
		usm_digest(usm, &pair->keys, bytes, size, peek.digest.at,
			bytes + (peek.digest.at - bytes));
}

/* Damage to the scoped PDU, which is then put where it was. */
static size_t
damage_sealed(const struct pair *pair, uint8_t *bytes, size_t size, size_t most)
{
	struct ber_peek peek;
	struct usm_start start;
	static uint8_t plain[PACKET + 64], whole[2 * PACKET];
	struct pen pen = { whole, whole + sizeof whole };
	const uint8_t *end = pen.at, *from;
	size_t length;

	if (ber_peek_head(bytes, size, &peek) == -1 || !(peek.flags & BER_PRIV))
		return size;
	start = (struct usm_start){ .boots = peek.engine_boots, .time = peek.engine_time };
	memcpy(start.salt, peek.salt.at, USM_SALT);
	CHECK(usm_decrypt(usm, &pair->keys, &start, peek.sealed.at, peek.sealed.size, plain) == 0);
	length = fuzz_mutate(plain, peek.sealed.size, sizeof plain, NULL);
	CHECK(usm_encrypt(usm, &pair->keys, &start, plain, length, plain) == 0);
	put_octets(&pen, plain, length);
	/* What is between the version and the scoped PDU, which is known by its salt. */
	from = bytes + (bytes[1] & 0x80 ? 2 + (bytes[1] & 0x7f) : 2);
	put_bytes(&pen, from, (size_t)(peek.salt.at + USM_SALT - from));
	put_head(&pen, end, TAG_SEQUENCE);
	CHECK(pen.at != NULL && (size_t)(end - pen.at) <= most);
	memcpy(bytes, pen.at, (size_t)(end - pen.at));
	return (size_t)(end - pen.at);
}

/* ---- comparison ---- */

static unsigned long agreed, both_noise, stricter, answers, reports;

static void
complain(const char *what, const struct pair *pair, const uint8_t *bytes, size_t size)
{
	print_error("%s (%s, %s):\n", what, usm_auth_name(pair->user.auth),
		usm_priv_name(pair->user.priv));
	for (size_t i = 0; i < size; i++)
		print_error("%02x%s", bytes[i], i % 32 == 31 ? "\n" : " ");
	print_error("\n");
	fail();
}

/* Both in the state that begin_anew and what came since has left. Returns what we say. */
static enum v3_said
compare(struct pair *pair, const uint8_t *bytes, size_t size)
{
	struct v3_answer answer = { .room = &room };
	char our_text[TEXT] = "", their_text[TEXT] = "", our_engine[V3_ENGINE_TEXT],
		their_engine[V3_ENGINE_TEXT];
	uint8_t *copy = mem_copy(bytes, size); /* a read behind the end is seen by ASan */
	enum v3_said ours, theirs;
	netsnmp_pdu *pdu = NULL;
	struct ber_peek peek;

	if (ber_peek_head(copy, size, &peek) == -1 || peek.version != BER_V3) {
		free(copy);
		return V3_NOISE; /* refused before anybody is asked */
	}
	ours = v3_hear(pair->ours, copy, size, &peek, ID, &answer, our_text, TEXT);
	/* Net-SNMP does not tell the two from each other. */
	if (ours == V3_DAMAGED)
		ours = V3_NOISE;
	theirs = v3_read(pair->theirs, copy, size, &peek, ID, &pdu, their_text, TEXT);
	if (ours != theirs && ours != V3_NOISE)
		complain("taken otherwise than by Net-SNMP", pair, bytes, size);
	if (ours == V3_ANSWER && (!same_varbinds(room.varbinds, answer.count, pdu->variables) ||
			answer.error_status != pdu->errstat || answer.error_index != pdu->errindex))
		complain("read otherwise than by Net-SNMP", pair, bytes, size);
	if (ours == theirs && strcmp(our_text, their_text) != 0)
		complain("told otherwise than by Net-SNMP", pair, bytes, size);
	if (ours != V3_NOISE && strcmp(v3_engine(pair->ours, our_engine),
			v3_engine(pair->theirs, their_engine)) != 0)
		complain("another engine ID than by Net-SNMP", pair, bytes, size);
	agreed += ours == theirs && ours != V3_NOISE;
	both_noise += ours == theirs && ours == V3_NOISE;
	stricter += ours != theirs;
	answers += ours == V3_ANSWER;
	reports += ours == V3_REFUSED || ours == V3_AGAIN;
	snmp_free_pdu(pdu);
	free(copy);
	if (ours != theirs)
		reopen(pair);
	return ours;
}

/* ---- the tests ---- */

static void
what_net_snmp_seals_is_opened(void)
{
	uint8_t bytes[PACKET];

	for (size_t i = 0; i < PAIRS; i++) {
		for (unsigned kind = 0; kind < KINDS; kind++) {
			enum v3_said said;
			size_t size;

			begin_anew(&pairs[i]);
			size = agent_says(&pairs[i], kind, bytes);
			said = compare(&pairs[i], bytes, size);
			CHECK(said == V3_ANSWER || kind > 0);
			CHECK(said != V3_ANSWER || kind == 0);
			CHECK(said != V3_NOISE);
		}
	}
	CHECK_INT(stricter, 0);
}

/* ---- what we seal ---- */

/* Our user for Net-SNMP, in its list, as v3_library.c does it; its keys are Net-SNMP's making. */
static struct usmUser *
new_user(const struct pair *pair)
{
	static const oid *const hashes[] = { usmNoAuthProtocol, usmHMACMD5AuthProtocol,
		usmHMACSHA1AuthProtocol, usmHMAC128SHA224AuthProtocol, usmHMAC192SHA256AuthProtocol,
		usmHMAC256SHA384AuthProtocol, usmHMAC384SHA512AuthProtocol };
	static const oid *const ciphers[] = { usmNoPrivProtocol, usmDESPrivProtocol,
		usmAESPrivProtocol, usmAES192PrivProtocol, usmAES256PrivProtocol };
	netsnmp_session session = { .version = SNMP_VERSION_3,
		.securityModel = SNMP_SEC_MODEL_USM, .securityName = (char *)(uintptr_t)"poll",
		.securityNameLen = 4, .securityEngineID = (u_char *)(uintptr_t)engine,
		.securityEngineIDLen = sizeof engine, .securityAuthProtoLen = 10,
		.securityPrivProtoLen = pair->user.priv > SNMP_PRIV_AES ? 9 : 10 };
	size_t size = USM_AUTH_KU_LEN;

	session.securityAuthProto = (oid *)(uintptr_t)hashes[pair->user.auth];
	session.securityPrivProto = (oid *)(uintptr_t)ciphers[pair->user.priv];
	if (pair->user.auth != SNMP_AUTH_NONE) {
		CHECK_INT(generate_Ku(hashes[pair->user.auth], 10, (const u_char *)PHRASE,
			strlen(PHRASE), session.securityAuthKey, &size), SNMPERR_SUCCESS);
		session.securityAuthKeyLen = size;
		memcpy(session.securityPrivKey, session.securityAuthKey, size);
		session.securityPrivKeyLen = pair->user.priv != SNMP_PRIV_NONE ? size : 0;
	}
	CHECK_INT(usm_create_user_from_session(&session), SNMPERR_SUCCESS);
	return usm_get_user((u_char *)(uintptr_t)engine, sizeof engine, (char *)(uintptr_t)"poll");
}

static int
level_of(const struct pair *pair)
{
	if (pair->user.auth == SNMP_AUTH_NONE)
		return SNMP_SEC_LEVEL_NOAUTH;
	return pair->user.priv == SNMP_PRIV_NONE ? SNMP_SEC_LEVEL_AUTHNOPRIV :
		SNMP_SEC_LEVEL_AUTHPRIV;
}

/* True when Net-SNMP takes it, with the contents that we have put into it. */
static bool
opened_by_net_snmp(const struct pair *pair, const uint8_t *sealed, size_t size)
{
	netsnmp_session session = { .version = SNMP_VERSION_3, .rcvMsgMaxSize = 65507,
		.securityModel = SNMP_SEC_MODEL_USM };
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	struct snmp_secmod_def *model = find_sec_mod(SNMP_SEC_MODEL_USM);
	u_char *bytes = mem_copy(sealed, size);
	struct usmUser *user = new_user(pair);
	bool opened;

	set_enginetime((u_char *)(uintptr_t)engine, sizeof engine, BOOTS, TIME, TRUE);
	opened = snmp_parse(NULL, &session, pdu, bytes, size) == 0;
	free_enginetime((u_char *)(uintptr_t)engine, sizeof engine);
	if (opened) {
		CHECK_INT(pdu->command, SNMP_MSG_GETBULK);
		CHECK_INT(pdu->reqid, ID);
		CHECK_INT(pdu->msgid, ID);
		CHECK_INT(pdu->non_repeaters, 1);
		CHECK_INT(pdu->max_repetitions, 33);
		CHECK_INT(pdu->securityLevel, level_of(pair));
		CHECK_INT(pdu->contextNameLen, 5);
		CHECK(memcmp(pdu->contextName, "there", 5) == 0);
		CHECK_INT(pdu->contextEngineIDLen, sizeof engine);
		CHECK(pdu->variables != NULL && pdu->variables->next_variable == NULL &&
			pdu->variables->name_length == asked.count);
	}
	if (pdu->securityStateRef != NULL)
		model->pdu_free_state_ref(pdu->securityStateRef);
	pdu->securityStateRef = NULL;
	usm_remove_user(user);
	user->next = user->prev = NULL;
	usm_free_user(user);
	snmp_free_pdu(pdu);
	free(bytes);
	return opened;
}

static void
what_we_seal_is_opened_by_net_snmp(void)
{
	struct session_request bulk = { .op = SESSION_GETBULK, .oids = &asked, .count = 1,
		.non_repeaters = 1, .max_repetitions = 33 };
	uint8_t bytes[PACKET];

	for (size_t i = 0; i < PAIRS; i++) {
		const uint8_t *sealed;
		uint8_t *copy;
		size_t size;

		begin_anew(&pairs[i]);
		/* So that it knows the clock. */
		compare(&pairs[i], bytes, agent_says(&pairs[i], 0, bytes));
		sealed = v3_ask(pairs[i].ours, &bulk, ID, &size);
		CHECK(sealed != NULL);
		copy = mem_copy(sealed, size);
		CHECK(opened_by_net_snmp(&pairs[i], copy, size));
		/* The digest is over all of it. */
		for (size_t k = 0; k < size && pairs[i].user.auth != SNMP_AUTH_NONE; k += 7) {
			copy[k] ^= 0x10;
			CHECK(!opened_by_net_snmp(&pairs[i], copy, size));
			copy[k] ^= 0x10;
		}
		free(copy);
	}
}

/* ---- damage ---- */

static void
damaged_messages_are_noise_or_taken_alike(void)
{
	const char *wanted = getenv("PW_MUTATIONS");
	unsigned long rounds = wanted != NULL ? strtoul(wanted, NULL, 10) : MUTATIONS;
	static uint8_t bytes[2 * PACKET];

	agreed = both_noise = stricter = answers = reports = 0;
	for (unsigned long i = 0; i < rounds; i++) {
		struct pair *pair = &pairs[fuzz_roll(PAIRS)];
		size_t size = agent_says(pair, fuzz_roll(2) == 0 ? 0 : fuzz_roll(KINDS), bytes);
		unsigned how = fuzz_roll(8);

		begin_anew(pair);
		if (fuzz_roll(2) == 0) /* with the clock known */
			compare(pair, bytes, size);
		if (how < 4)
			size = damage_sealed(pair, bytes, size, sizeof bytes);
		else
			size = fuzz_mutate(bytes, size, sizeof bytes, NULL);
		if (how != 7)
			sign(pair, bytes, size);
		compare(pair, bytes, size);
	}
	printf("%lu mutations: taken alike %lu (of all %lu answers, %lu reports), noise to both "
		"%lu, to ours alone %lu\n", rounds, agreed, answers, reports, both_noise, stricter);
	CHECK(agreed > 0 && both_noise > 0 && answers > 0 && reports > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(what_net_snmp_seals_is_opened),
		TEST(what_we_seal_is_opened_by_net_snmp),
		TEST(damaged_messages_are_noise_or_taken_alike) };
	int failed;

	session_library_prepare();
	fuzz_begin("differ_v3");
	alarm(0); /* it counts rounds, not seconds */
	log_open(LOG_TARGET_NONE, "differ_v3");
	open_pairs();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	close_pairs();
	return failed;
}

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/library/lcd_time.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/session.h"
#include "snmp/snmp.h"
#include "snmp/v3.h"
#include "../check.h"

#define ENGINE "80007ed9040102030405060708"
#define OTHER_ENGINE "80007ed9040102030405060709"
#define ID 0x1a2b3c4d

static struct loop *loop;
static struct v3_world *world;
static struct net_addr here, there;
/* Who speaks for the poller: Net-SNMP, or our own messages. The agent is always Net-SNMP's. */
static bool by_reference;
/* Why the poller was refused last. */
static char reason[256];

/* Two ends with the same user: one plays the agent. */
struct ends {
	struct v3 *poller, *agent;
};

static const struct snmp_user secure = { .name = "poll", .context = "",
	.auth = SNMP_AUTH_SHA256, .auth_pass = "first auth phrase",
	.priv = SNMP_PRIV_AES, .priv_pass = "first priv phrase" };

static void
begin(void)
{
	struct fail why;

	session_library_prepare();
	loop = loop_new(&why);
	CHECK(loop != NULL);
	world = v3_world_new(loop);
	CHECK(net_addr_parse("10.0.0.1", 161, &here, &why) == 0);
	CHECK(net_addr_parse("10.0.0.2", 161, &there, &why) == 0);
}

static void
end(struct ends *ends)
{
	v3_close(ends->poller);
	v3_close(ends->agent);
	v3_world_free(world);
	loop_free(loop);
}

static void
tick(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Keys are made one at a tick. */
static unsigned
make_ready(struct v3 *v3)
{
	struct loop_timer timer;
	unsigned ticks = 0;

	loop_timer_init(&timer, tick, NULL);
	while (!v3_ready(v3)) {
		CHECK(++ticks < 10);
		loop_timer_in(loop, &timer, LOOP_TICK);
		loop_run(loop);
	}
	return ticks;
}

static uint8_t *
written(struct v3 *v3, int command, const char *oid_text, uint32_t id, size_t *size)
{
	netsnmp_pdu *pdu = snmp_pdu_create(command);
	oid name[SNMP_OID_MAX];
	struct fail why;
	uint32_t ids[SNMP_OID_MAX];
	uint8_t *bytes;
	size_t count;

	CHECK(snmp_oid_parse(oid_text, ids, &count, &why) == 0);
	for (size_t i = 0; i < count; i++)
		name[i] = ids[i];
	snmp_add_null_var(pdu, name, count);
	bytes = v3_write(v3, pdu, id, size);
	CHECK(bytes != NULL);
	return bytes;
}

/* The request that answers are to. */
static uint8_t *
asked(struct v3 *v3, size_t *size)
{
	static const uint32_t up_time[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
	static const struct snmp_oid oid = { up_time, sizeof up_time / sizeof up_time[0] };
	struct session_request request = { .op = SESSION_GET, .oids = &oid, .count = 1 };
	const uint8_t *bytes;

	if (!v3_is_fast(v3))
		return written(v3, SNMP_MSG_GET, "1.3.6.1.2.1.1.3.0", ID, size);
	bytes = v3_ask(v3, &request, ID, size);
	CHECK(bytes != NULL);
	return mem_copy(bytes, *size);
}

static struct v3 *
open_end(const struct snmp_user *user, const struct net_addr *address, const char *engine,
	bool agent)
{
	struct v3 *v3 = v3_open(world, "switch", address, user, agent || by_reference);
	size_t size;

	make_ready(v3);
	if (engine == NULL)
		return v3;
	v3_engine_set(v3, engine);
	free(asked(v3, &size));
	return v3;
}

static struct ends
open_ends(const struct snmp_user *poller, const struct snmp_user *agent)
{
	begin();
	return (struct ends){ open_end(poller, &here, ENGINE, false),
		open_end(agent, &here, ENGINE, true) };
}

static enum v3_said
read_by(struct v3 *v3, const uint8_t *bytes, size_t size)
{
	struct fast_room room = { .varbinds = NULL };
	struct v3_answer answer = { .room = &room };
	struct ber_peek peek;
	netsnmp_pdu *pdu = NULL;
	enum v3_said said;

	if (ber_peek(bytes, size, &peek) == -1)
		return V3_NOISE;
	if (v3_is_fast(v3)) {
		said = v3_hear(v3, bytes, size, &peek, ID, &answer, reason, sizeof reason);
		CHECK(said != V3_ANSWER || answer.count == 1);
		fast_room_free(&room);
		return said;
	}
	said = v3_read(v3, bytes, size, &peek, ID, &pdu, reason, sizeof reason);
	CHECK((said == V3_ANSWER) == (pdu != NULL));
	snmp_free_pdu(pdu);
	return said;
}

/* What the poller makes of the agent's answer. */
static enum v3_said
answered(const struct ends *ends, uint32_t id)
{
	size_t size;
	uint8_t *bytes = written(ends->agent, SNMP_MSG_RESPONSE, "1.3.6.1.2.1.1.3.0", id, &size);
	enum v3_said said = read_by(ends->poller, bytes, size);

	free(bytes);
	return said;
}

static void
reads_the_answer_of_the_same_user_by_every_algorithm(void)
{
	for (int auth = SNMP_AUTH_NONE; auth <= SNMP_AUTH_SHA512; auth++) {
		for (int priv = SNMP_PRIV_NONE; priv <= SNMP_PRIV_AES256; priv++) {
			struct snmp_user user = secure;
			struct ends ends;

			if (auth == SNMP_AUTH_NONE && priv != SNMP_PRIV_NONE)
				continue;
			user.auth = (enum snmp_auth)auth;
			user.priv = (enum snmp_priv)priv;
			ends = open_ends(&user, &user);
			CHECK_INT(answered(&ends, ID), V3_ANSWER);
			end(&ends);
		}
	}
}

/* The same of an agent that has this engine ID. */
static enum v3_said
answered_by_engine(const struct ends *ends, const char *engine)
{
	struct ends others = { ends->poller, open_end(&secure, &here, engine, true) };
	enum v3_said said = answered(&others, ID);

	v3_close(others.agent);
	return said;
}

/* Two objects, the second an address of three octets, as Net-SNMP writes it when told so. */
static uint8_t *
spoilt(struct v3 *agent, uint32_t id, size_t *size)
{
	static const oid up_time[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	uint8_t *bytes;

	snmp_add_null_var(pdu, up_time, OID_LENGTH(up_time));
	snmp_pdu_add_variable(pdu, up_time, OID_LENGTH(up_time), ASN_IPADDRESS, "abc", 3);
	bytes = v3_write(agent, pdu, id, size);
	CHECK(bytes != NULL);
	return bytes;
}

static enum v3_said
hear_spoilt(const struct ends *ends, uint32_t id, ptrdiff_t flipped, int *damage)
{
	struct fast_room room = { .varbinds = NULL };
	struct v3_answer answer = { .room = &room, .damage = -1 };
	netsnmp_pdu *pdu = NULL;
	struct ber_peek peek;
	enum v3_said said;
	char text[256];
	size_t size;
	uint8_t *bytes = spoilt(ends->agent, id, &size);

	CHECK_INT(ber_peek_head(bytes, size, &peek), 0);
	if (flipped >= 0)
		bytes[peek.digest.at + flipped - bytes] ^= 1;
	said = v3_is_fast(ends->poller) ?
		v3_hear(ends->poller, bytes, size, &peek, ID, &answer, text, sizeof text) :
		v3_read(ends->poller, bytes, size, &peek, ID, &pdu, text, sizeof text);
	*damage = answer.damage;
	fast_room_free(&room);
	free(bytes);
	return said;
}

static void
tells_an_answer_that_cannot_be_read_from_noise_and_which_object_is_malformed(void)
{
	for (int level = 0; level < 3; level++) {
		struct snmp_user user = secure;
		struct ends ends;
		int damage;

		user.auth = level > 0 ? user.auth : SNMP_AUTH_NONE;
		user.priv = level > 1 ? user.priv : SNMP_PRIV_NONE;
		ends = open_ends(&user, &user);
		CHECK_INT(hear_spoilt(&ends, ID, -1, &damage), V3_DAMAGED);
		if (!by_reference)
			CHECK_INT(damage, 2);
		CHECK_INT(hear_spoilt(&ends, ID + 1, -1, &damage), V3_NOISE);
		if (level > 0)
			CHECK_INT(hear_spoilt(&ends, ID, 0, &damage), V3_NOISE);
		CHECK_INT(answered(&ends, ID), V3_ANSWER);
		end(&ends);
	}
}

static void
takes_no_answer_with_a_flipped_bit(void)
{
	struct ends ends = open_ends(&secure, &secure);
	size_t size, trials = 0;
	uint8_t *bytes = written(ends.agent, SNMP_MSG_RESPONSE, "1.3.6.1.2.1.1.3.0", ID, &size);

	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++, trials++) {
			bytes[i] ^= (uint8_t)(1 << bit);
			CHECK(read_by(ends.poller, bytes, size) != V3_ANSWER);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
	CHECK(trials > 1000);
	CHECK_INT(read_by(ends.poller, bytes, size), V3_ANSWER);
	free(bytes);
	end(&ends);
}

static void
takes_no_answer_cut_at_any_length(void)
{
	struct ends ends = open_ends(&secure, &secure);
	size_t size;
	uint8_t *bytes = written(ends.agent, SNMP_MSG_RESPONSE, "1.3.6.1.2.1.1.3.0", ID, &size);

	for (size_t i = 0; i < size; i++)
		CHECK_INT(read_by(ends.poller, bytes, i), V3_NOISE);
	free(bytes);
	end(&ends);
}

static void
takes_no_answer_to_another_request(void)
{
	struct ends ends = open_ends(&secure, &secure);

	CHECK_INT(answered(&ends, ID + 1), V3_NOISE);
	CHECK_INT(answered(&ends, ID), V3_ANSWER);
	end(&ends);
}

/* Changed in one thing; what the poller says to that. */
static enum v3_said
answered_by(const struct snmp_user *user)
{
	struct ends ends = open_ends(&secure, user);
	enum v3_said said = answered(&ends, ID);

	end(&ends);
	return said;
}

static void
takes_no_answer_of_another_user_key_level_or_context(void)
{
	struct snmp_user other = secure;

	other.name = "somebody";
	CHECK_INT(answered_by(&other), V3_NOISE);
	other = secure;
	other.auth_pass = "another phrase";
	CHECK_INT(answered_by(&other), V3_NOISE);
	other = secure;
	other.priv_pass = "another phrase";
	CHECK_INT(answered_by(&other), V3_NOISE);
	other = secure;
	other.priv = SNMP_PRIV_NONE;
	CHECK_INT(answered_by(&other), V3_NOISE);
	other.auth = SNMP_AUTH_NONE;
	CHECK_INT(answered_by(&other), V3_NOISE);
	other = secure;
	other.context = "elsewhere";
	CHECK_INT(answered_by(&other), V3_NOISE);
}

static void
takes_no_answer_of_another_engine(void)
{
	struct ends ends;

	begin();
	ends.poller = open_end(&secure, &here, ENGINE, false);
	ends.agent = open_end(&secure, &there, OTHER_ENGINE, true);
	CHECK_INT(answered(&ends, ID), V3_NOISE);
	end(&ends);
}

/* Signed by nobody, from another engine, to our user. */
static enum v3_said
reported_by_another(const struct ends *ends, const char *name, const char *what, uint32_t id)
{
	const struct snmp_user user = { .name = name, .context = "", .auth = SNMP_AUTH_NONE,
		.priv = SNMP_PRIV_NONE };
	struct v3 *agent = open_end(&user, &here, NULL, true);
	enum v3_said said;
	uint8_t *bytes;
	size_t size;

	v3_be(agent, OTHER_ENGINE, 1, loop_mono(loop));
	bytes = written(agent, SNMP_MSG_REPORT, what, id, &size);
	said = read_by(ends->poller, bytes, size);
	free(bytes);
	v3_close(agent);
	return said;
}

/* Net-SNMP's agent names the user who asked. */
static void
learns_another_engine_id_at_once_when_the_agent_names_our_user_with_it(void)
{
	static const char unknown_engine[] = "1.3.6.1.6.3.15.1.1.4.0";
	struct ends ends = open_ends(&secure, &secure);
	char engine[V3_ENGINE_TEXT];
	size_t size;

	CHECK_INT(answered_by_engine(&ends, OTHER_ENGINE), V3_NOISE);
	CHECK_INT(reported_by_another(&ends, "somebody", unknown_engine, ID), V3_NOISE);
	CHECK_INT(reported_by_another(&ends, "poll", unknown_engine, ID + 1), V3_NOISE);
	CHECK_STR(v3_engine(ends.poller, engine), ENGINE);
	CHECK_INT(answered(&ends, ID), V3_ANSWER);
	CHECK_INT(reported_by_another(&ends, "poll", unknown_engine, ID), V3_AGAIN);
	CHECK_STR(v3_engine(ends.poller, engine), OTHER_ENGINE);
	free(asked(ends.poller, &size));
	CHECK_INT(answered_by_engine(&ends, OTHER_ENGINE), V3_ANSWER);
	CHECK_INT(answered(&ends, ID), V3_NOISE);
	end(&ends);
}

/* Nobody's keys prove it: still it has to come from the engine that was asked. */
static void
takes_no_unsigned_answer_of_another_engine(void)
{
	const struct snmp_user open = { .name = "poll", .context = "", .auth = SNMP_AUTH_NONE,
		.priv = SNMP_PRIV_NONE };
	struct ends ends = open_ends(&open, &open);

	v3_close(ends.agent);
	ends.agent = open_end(&open, &here, OTHER_ENGINE, true);
	CHECK_INT(answered(&ends, ID), V3_NOISE);
	end(&ends);
}

static void
asks_first_who_the_agent_is(void)
{
	struct ends ends;
	struct ber_peek peek;
	char engine[V3_ENGINE_TEXT];
	uint8_t *bytes;
	size_t size;

	begin();
	ends.poller = open_end(&secure, &here, NULL, false);
	ends.agent = NULL;
	bytes = asked(ends.poller, &size);
	CHECK(ber_peek(bytes, size, &peek) == 0);
	CHECK_INT(peek.version, BER_V3);
	CHECK_INT(peek.pdu, BER_GET);
	CHECK_INT(peek.request_id, ID);
	CHECK_INT(peek.engine_size, 0);
	CHECK_INT(peek.varbinds, 0);
	free(bytes);
	v3_engine_set(ends.poller, ENGINE);
	CHECK_STR(v3_engine(ends.poller, engine), ENGINE);
	bytes = asked(ends.poller, &size);
	CHECK(ber_peek(bytes, size, &peek) == 0);
	CHECK_INT(peek.pdu, 0);
	CHECK_INT(peek.engine_size, strlen(ENGINE) / 2);
	free(bytes);
	end(&ends);
}

static void
ignores_an_engine_id_from_a_damaged_file(void)
{
	static const char *const bad[] = { "", "80", "80007ed9z40102", "80007ed904010",
		"80007ed904010203040506070880007ed904010203040506070880007ed904010203040506" };
	struct ends ends = { NULL, NULL };
	char engine[V3_ENGINE_TEXT];

	begin();
	ends.poller = open_end(&secure, &here, NULL, false);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		v3_engine_set(ends.poller, bad[i]);
		CHECK_STR(v3_engine(ends.poller, engine), "");
	}
	end(&ends);
}

static void
makes_the_key_of_a_pass_phrase_once_and_one_at_a_time(void)
{
	struct ends ends;

	begin();
	ends.poller = v3_open(world, "one", &here, &secure, by_reference);
	ends.agent = v3_open(world, "two", &there, &secure, by_reference);
	CHECK(make_ready(ends.poller) >= 1);
	CHECK_INT(make_ready(ends.agent), 0);
	end(&ends);
}

/* What the poller says to an agent whose clock shows that. */
static enum v3_said
answered_at(const struct ends *ends, const struct snmp_user *user, unsigned boots, unsigned time)
{
	static const u_char engine[] = { 0x80, 0, 0x7e, 0xd9, 4, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct ends now = *ends;
	enum v3_said said;

	set_enginetime(engine, sizeof engine, boots, time, TRUE);
	now.agent = open_end(user, &here, ENGINE, true);
	said = answered(&now, ID);
	v3_close(now.agent);
	return said;
}

static void
follows_boots_that_fall_back_but_not_twice_in_a_minute(void)
{
	struct ends ends = open_ends(&secure, &secure);

	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	CHECK_INT(answered_at(&ends, &secure, 62, 10), V3_ANSWER);
	CHECK_INT(answered_at(&ends, &secure, 6, 10), V3_AGAIN);
	CHECK_INT(answered_at(&ends, &secure, 6, 10), V3_ANSWER);
	CHECK_INT(answered_at(&ends, &secure, 5, 10), V3_REFUSED);
	CHECK_INT(answered_at(&ends, &secure, 6, 10), V3_ANSWER);
	end(&ends);
}

/* RFC 3414 section 2.2.2: it takes no message any more, whatever clock it is told. */
static void
says_of_an_engine_whose_boots_are_at_their_end_that_they_are(void)
{
	static const char why[] = "boots are at their end";
	struct ends ends = open_ends(&secure, &secure);

	CHECK_INT(answered_at(&ends, &secure, INT32_MAX, 100), V3_REFUSED);
	CHECK(strstr(reason, why) != NULL);
	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	for (int i = 0; i < 3; i++) {
		reason[0] = '\0';
		CHECK_INT(answered_at(&ends, &secure, INT32_MAX, 100), V3_REFUSED);
		CHECK(strstr(reason, why) != NULL);
	}
	CHECK_INT(answered_at(&ends, &secure, 6, 10), V3_AGAIN);
	CHECK_INT(answered_at(&ends, &secure, 6, 10), V3_ANSWER);
	end(&ends);
}

static void
follows_a_time_that_falls_back_without_a_new_boot(void)
{
	struct ends ends = open_ends(&secure, &secure);

	CHECK_INT(answered_at(&ends, &secure, 1, 5000), V3_ANSWER);
	CHECK_INT(answered_at(&ends, &secure, 1, 10), V3_AGAIN);
	CHECK_INT(answered_at(&ends, &secure, 1, 10), V3_ANSWER);
	end(&ends);
}

static void
follows_no_clock_that_the_key_does_not_prove(void)
{
	struct snmp_user forger = secure;
	struct ends ends = open_ends(&secure, &secure);

	forger.auth_pass = "another phrase";
	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	CHECK_INT(answered_at(&ends, &forger, 6, 10), V3_NOISE);
	CHECK_INT(answered_at(&ends, &forger, 600, 10), V3_NOISE);
	forger = secure;
	forger.auth = SNMP_AUTH_NONE;
	forger.priv = SNMP_PRIV_NONE;
	CHECK_INT(answered_at(&ends, &forger, 6, 10), V3_NOISE);
	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	end(&ends);
}

static void
tells_the_agent_its_own_clock_once_that_is_proved(void)
{
	struct ends ends = open_ends(&secure, &secure);
	struct ber_peek peek;
	uint8_t *bytes;
	size_t size;

	bytes = asked(ends.poller, &size);
	CHECK(ber_peek(bytes, size, &peek) == 0);
	CHECK_INT(peek.engine_boots, 0);
	CHECK_INT(peek.engine_time, 0);
	free(bytes);
	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	bytes = asked(ends.poller, &size);
	CHECK(ber_peek(bytes, size, &peek) == 0);
	CHECK_INT(peek.engine_boots, 61);
	CHECK(peek.engine_time >= 5000 && peek.engine_time < 9000);
	free(bytes);
	end(&ends);
}

static void
believes_no_unsigned_report_about_the_clock(void)
{
	struct snmp_user nobody = secure;
	struct ends ends = open_ends(&secure, &secure), forger = ends;
	struct ber_peek peek;
	uint8_t *bytes;
	size_t size;

	CHECK_INT(answered_at(&ends, &secure, 61, 5000), V3_ANSWER);
	nobody.auth = SNMP_AUTH_NONE;
	nobody.priv = SNMP_PRIV_NONE;
	forger.agent = open_end(&nobody, &there, NULL, true);
	v3_be(forger.agent, ENGINE, 600, loop_mono(loop));
	bytes = written(forger.agent, SNMP_MSG_REPORT, "1.3.6.1.6.3.15.1.1.2.0", ID, &size);
	CHECK_INT(read_by(ends.poller, bytes, size), V3_REFUSED);
	free(bytes);
	bytes = asked(ends.poller, &size);
	CHECK(ber_peek(bytes, size, &peek) == 0);
	CHECK_INT(peek.engine_boots, 61);
	free(bytes);
	v3_close(forger.agent);
	end(&ends);
}

/* RFC 3826 section 3.1.2.1: the same key stream twice would tell both contents. */
static void
uses_no_salt_twice(void)
{
	enum { MESSAGES = 500 };
	struct ends ends = open_ends(&secure, &secure);
	static uint8_t salts[2 * MESSAGES][8];
	struct v3 *both[] = { ends.poller, open_end(&secure, &there, ENGINE, false) };
	struct ber_peek peek;
	size_t count = 0, size;

	for (int i = 0; i < MESSAGES; i++) {
		for (int k = 0; k < 2; k++, count++) {
			uint8_t *bytes = asked(both[k], &size);

			CHECK(ber_peek(bytes, size, &peek) == 0 && peek.salt.size == 8);
			memcpy(salts[count], peek.salt.at, 8);
			free(bytes);
		}
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			CHECK(memcmp(salts[i], salts[k], 8) != 0);
	v3_close(both[1]);
	end(&ends);
}

static void
leaves_des_to_net_snmp(void)
{
	struct snmp_user weak = secure;
	struct v3 *v3;

	begin();
	weak.priv = SNMP_PRIV_DES;
	v3 = v3_open(world, "old", &here, &weak, false);
	CHECK(!v3_is_fast(v3));
	v3_close(v3);
	end(&(struct ends){ NULL, NULL });
}

static void
tells_silence_of_a_dead_device_from_refusal(void)
{
	struct ends ends = open_ends(&secure, &secure);
	char text[256] = "";
	size_t size;
	uint8_t *bytes;

	v3_begin(ends.poller);
	CHECK(!v3_silent(ends.poller, text, sizeof text));
	v3_engine_set(ends.poller, ENGINE);
	v3_begin(ends.poller);
	free(asked(ends.poller, &size));
	bytes = written(ends.agent, SNMP_MSG_REPORT, "1.3.6.1.6.3.15.1.1.2.0", ID, &size);
	CHECK_INT(read_by(ends.poller, bytes, size), V3_AGAIN);
	CHECK(v3_silent(ends.poller, text, sizeof text));
	CHECK(strstr(text, "\"poll\"") != NULL);
	free(bytes);
	end(&ends);
}

static void
count_twins(char level, const char *line, void *arg)
{
	*(unsigned *)arg += level == 'W' && strstr(line, "same SNMP engine ID") != NULL;
}

/* An engine that was silent is asked anew who it is: with losses that is every few seconds. */
static void
names_a_device_with_the_engine_id_of_another_once(void)
{
	struct ends ends = open_ends(&secure, &secure);
	unsigned told = 0;
	struct v3 *twin;

	log_catch(count_twins, &told);
	twin = open_end(&secure, &there, ENGINE, false);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(told, 1);
		v3_engine_set(twin, ENGINE);
	}
	CHECK_INT(told, 1);
	log_catch(NULL, NULL);
	v3_close(twin);
	end(&ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	TEST(names_a_device_with_the_engine_id_of_another_once),
	TEST(reads_the_answer_of_the_same_user_by_every_algorithm),
	TEST(tells_an_answer_that_cannot_be_read_from_noise_and_which_object_is_malformed),
	TEST(takes_no_answer_with_a_flipped_bit), TEST(takes_no_answer_cut_at_any_length),
	TEST(takes_no_answer_to_another_request),
	TEST(takes_no_answer_of_another_user_key_level_or_context),
	TEST(takes_no_answer_of_another_engine), TEST(takes_no_unsigned_answer_of_another_engine),
	TEST(learns_another_engine_id_at_once_when_the_agent_names_our_user_with_it),
	TEST(asks_first_who_the_agent_is),
	TEST(ignores_an_engine_id_from_a_damaged_file),
	TEST(makes_the_key_of_a_pass_phrase_once_and_one_at_a_time),
	TEST(follows_boots_that_fall_back_but_not_twice_in_a_minute),
	TEST(says_of_an_engine_whose_boots_are_at_their_end_that_they_are),
	TEST(follows_a_time_that_falls_back_without_a_new_boot),
	TEST(follows_no_clock_that_the_key_does_not_prove),
		TEST(tells_the_agent_its_own_clock_once_that_is_proved),
		TEST(believes_no_unsigned_report_about_the_clock), TEST(uses_no_salt_twice),
		TEST(leaves_des_to_net_snmp), TEST(tells_silence_of_a_dead_device_from_refusal),
	};
	int failed = cmocka_run_group_tests_name("our own messages", tests, NULL, NULL);

	by_reference = true;
	return failed + cmocka_run_group_tests_name("the reference", tests, NULL, NULL);
}

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "../check.h"
#include "../dice.h"
#include "../plant.h"

#include "alarm/transition.h"
#include "base/log.h"
#include "base/net.h"
#include "base/str.h"
#include "fake/net_sim.h"
#include "notify/notify.h"
#include "notify/receiver.h"

/* A receiver in the simulated network. */
#define HEARD 4096
struct nms {
	struct net_addr at, answers_from;
	bool answers, lies_about_community;
	uint32_t refuses; /* this number, with genErr */
	uint32_t numbers[HEARD];
	uint64_t contents[HEARD];
	int64_t times[HEARD]; /* mono */
	size_t count;
};
static struct nms nms_a, nms_b;
static struct loop *loop;
static struct notify *notify;
static struct plant_journal journal;
static uint64_t committed;

#define ENTERPRISE "1.3.6.1.4.1.32473.7"
static struct receiver_options receivers[2];
static struct inventory inventory;

static uint64_t
digest(uint64_t hash, const void *data, size_t size)
{
	return (hash ^ str_hash(data, size)) * 0x100000001b3u;
}

/* pwNotifySeq, and a digest of all varbinds. */
static void
read_notice(const uint8_t *bytes, size_t size, uint32_t *number, uint64_t *content)
{
	netsnmp_session session;
	netsnmp_pdu *pdu = SNMP_MALLOC_TYPEDEF(netsnmp_pdu);
	int place = 0;

	snmp_sess_init(&session);
	session.version = SNMP_VERSION_2c;
	CHECK_INT(snmp_parse(NULL, &session, pdu, (u_char *)(uintptr_t)bytes, size), 0);
	*content = 0;
	for (netsnmp_variable_list *v = pdu->variables; v != NULL; v = v->next_variable) {
		*content = digest(*content, v->name, v->name_length * sizeof *v->name);
		*content = digest(*content, v->val.string, v->val_len);
		if (place++ == 2)
			*number = (uint32_t)*v->val.integer;
	}
	snmp_free_pdu(pdu);
}

/* Version and community stand before the PDU: SEQUENCE (long form), 3 bytes, 2 + length. */
static size_t
pdu_offset(const uint8_t *bytes)
{
	size_t head = bytes[1] < 0x80 ? 2 : 2u + (bytes[1] & 0x7fu);

	return head + 3 + 2 + bytes[head + 3 + 1];
}

static void
on_notice(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	struct nms *nms = arg;
	uint8_t answer[2000];
	size_t pdu = pdu_offset(data);

	CHECK(nms->count < HEARD);
	read_notice(data, size, &nms->numbers[nms->count], &nms->contents[nms->count]);
	nms->times[nms->count++] = loop_mono(loop);
	if (!nms->answers || data[pdu] != 0xa6)
		return;
	memcpy(answer, data, size);
	answer[pdu] = 0xa2;
	/* header of the PDU, 02 LENGTH request-id (one in 128 has but 3 octets), 02 01 error-status */
	if (nms->refuses == nms->numbers[nms->count - 1]) {
		size_t id = pdu + 2 + (answer[pdu + 1] & 0x7f) * (answer[pdu + 1] >> 7);

		answer[id + 2 + answer[id + 1] + 2] = 5;
	}
	if (nms->lies_about_community)
		answer[pdu - 1] ^= 1;
	net_sim_udp_reply(client, &nms->answers_from, answer, size, 2 * LOOP_MS);
}

static void
nms_open(struct nms *nms, const char *address)
{
	memset(nms, 0, sizeof *nms);
	CHECK_INT(net_addr_parse(address, 162, &nms->at, NULL), 0);
	nms->answers_from = nms->at;
	nms->answers = true;
	net_sim_udp(&nms->at, on_notice, nms);
}

static uint64_t
record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	return plant_record(&journal, kind, body, size);
}

static void
commit(void)
{
	committed = journal.bytes.used;
	notify_committed(notify, journal.sequence);
}

static int
replay(void *arg, const struct record *found)
{
	return notify_replay(arg, found);
}

static void
start(void)
{
	struct notify_options options = { .record = record };

	loop = loop_new(NULL);
	options.loop = loop;
	notify = notify_new(&options, &inventory);
	plant_replay(&journal, replay, notify);
	notify_begin(notify);
	commit();
}

static void
stop(void)
{
	notify_free(notify);
	loop_free(loop);
}

/* Two receivers, a by INFORM and b by TRAP. */
static void
begin(size_t receiver_count)
{
	log_open(LOG_TARGET_NONE, "test");
	net_sim_reset();
	nms_open(&nms_a, "10.1.0.5");
	nms_open(&nms_b, "10.1.0.6");
	receivers[0] = (struct receiver_options){ .name = "nms-a", .address = nms_a.at,
		.community = "public", .inform = true, .timeout = LOOP_S, .spool = 100,
		.enterprise = ENTERPRISE };
	receivers[1] = (struct receiver_options){ .name = "nms-b", .address = nms_b.at,
		.community = "secret", .timeout = LOOP_S, .spool = 100, .enterprise = ENTERPRISE };
	inventory = (struct inventory){ .poller.name = "plant-a", .receivers = receivers,
		.receiver_count = receiver_count };
	journal = (struct plant_journal){ 0 };
	committed = 0;
	start();
}

static void
end(void)
{
	stop();
	record_buffer_free(&journal.bytes);
}

/* Journals a transition and tells notify, as the alarms do. */
static void
happen(uint32_t sequence)
{
	struct transition transition = { .sequence = sequence, .id = sequence,
		.kind = TRANSITION_RAISE, .condition = CONDITION_THRESHOLD,
		.severity = SEVERITY_MAJOR, .cause = 549, .time = loop_wall(loop) };
	struct record_buffer body = { 0 };
	uint64_t number;

	snprintf(transition.key, sizeof transition.key, "oil-hot/press-%u/oil_temp", sequence);
	transition_put(&transition, &body);
	number = plant_record(&journal, KIND_ALARM, body.bytes, body.used);
	record_buffer_free(&body);
	notify_changed(notify, &transition, number);
}

static void
check_heard(const struct nms *nms, const uint32_t *wanted, size_t count)
{
	CHECK_INT(nms->count, count);
	for (size_t i = 0; i < count; i++)
		CHECK_INT(nms->numbers[i], wanted[i]);
}
#define CHECK_HEARD(nms, ...)                                                          \
	do {                                                                           \
		static const uint32_t wanted[] = { __VA_ARGS__ };                      \
		check_heard(nms, wanted, sizeof wanted / sizeof wanted[0]);            \
	} while (0)

static void
nothing_is_sent_before_it_is_on_disk(void)
{
	begin(2);
	happen(1);
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(nms_a.count + nms_b.count, 0);
	commit();
	loop_sim_for(loop, LOOP_S);
	CHECK_HEARD(&nms_a, 1);
	CHECK_HEARD(&nms_b, 1);
	CHECK(nms_a.contents[0] == nms_b.contents[0]);
	end();
}

static void
all_receivers_get_all_numbers_in_order(void)
{
	begin(2);
	for (uint32_t i = 1; i <= 4; i++)
		happen(i);
	commit();
	loop_sim_for(loop, LOOP_S);
	CHECK_HEARD(&nms_a, 1, 2, 3, 4);
	CHECK_HEARD(&nms_b, 1, 2, 3, 4);
	end();
}

static void
a_dead_receiver_is_asked_after_1_2_4_up_to_60_s_and_gets_all_in_the_end(void)
{
	int64_t pauses[] = { 1, 2, 4, 8, 16, 32, 60, 60 };

	begin(2);
	nms_a.answers = false;
	happen(1);
	happen(2);
	commit();
	loop_sim_for(loop, 220 * LOOP_S);
	CHECK_INT(nms_a.count, 9);
	for (size_t i = 0; i < 8; i++) {
		int64_t gap = nms_a.times[i + 1] - nms_a.times[i];

		CHECK_INT(nms_a.numbers[i], 1);
		CHECK(gap >= pauses[i] * LOOP_S &&
			gap <= pauses[i] * LOOP_S * 11 / 10 + LOOP_TICK);
	}
	CHECK_HEARD(&nms_b, 1, 2); /* and nobody else waits for it */
	nms_a.answers = true;
	loop_sim_for(loop, 70 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 2);
	CHECK_INT(nms_a.count, 11);
	end();
}

static void
a_notice_that_a_receiver_refuses_is_left_out_in_the_end_and_counted(void)
{
	begin(1);
	nms_a.refuses = 1;
	happen(1);
	happen(2);
	commit();
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 1);
	loop_sim_for(loop, 200 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 2);
	CHECK_INT(notify_lost(notify), 1);
	end();
}

static void
an_answer_from_elsewhere_counts_for_nothing(void)
{
	begin(1);
	nms_a.answers_from.port = 1162;
	happen(1);
	happen(2);
	commit();
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK(nms_a.count > 2);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 1);
	nms_a.answers_from = nms_a.at;
	nms_a.answers_from.bytes[3]++;
	loop_sim_for(loop, 30 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 1);
	nms_a.answers_from = nms_a.at;
	nms_a.lies_about_community = true;
	loop_sim_for(loop, 70 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 1);
	nms_a.lies_about_community = false;
	loop_sim_for(loop, 70 * LOOP_S);
	CHECK_INT(nms_a.numbers[nms_a.count - 1], 2);
	end();
}

static void
a_restart_sends_again_what_was_not_acknowledged_and_nothing_else(void)
{
	uint64_t content;

	begin(2);
	happen(1);
	commit();
	loop_sim_for(loop, LOOP_S);
	nms_a.answers = false;
	happen(2);
	happen(3);
	commit();
	loop_sim_for(loop, LOOP_S / 2);
	CHECK_HEARD(&nms_a, 1, 2);
	content = nms_a.contents[1];
	stop();
	nms_a.answers = true;
	nms_a.count = nms_b.count = 0;
	start();
	loop_sim_for(loop, LOOP_S);
	CHECK_HEARD(&nms_a, 2, 3);
	CHECK(nms_a.contents[0] == content);
	CHECK_INT(nms_b.count, 0);
	end();
}

static uint64_t
put_snapshot(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return plant_record(arg, kind, body, size);
}

static void
a_snapshot_keeps_what_waits_for_each_receiver(void)
{
	struct plant_journal fresh = { 0 };

	begin(2);
	nms_a.answers = false;
	for (uint32_t i = 1; i <= 3; i++)
		happen(i);
	commit();
	loop_sim_for(loop, LOOP_S / 2);
	happen(4); /* not committed: the snapshot comes behind it and has it too */
	notify_snapshot(notify, put_snapshot, &fresh);
	stop();
	record_buffer_free(&journal.bytes);
	journal = fresh;
	nms_a.answers = true;
	nms_a.count = nms_b.count = 0;
	start();
	loop_sim_for(loop, LOOP_S);
	CHECK_HEARD(&nms_a, 1, 2, 3, 4);
	CHECK_HEARD(&nms_b, 4);
	end();
}

static void
a_storm_is_delayed_and_not_thinned_out(void)
{
	begin(2);
	for (uint32_t i = 1; i <= 90; i++)
		happen(i);
	commit();
	loop_sim_for(loop, LOOP_S / 2);
	CHECK(nms_b.count >= 50 && nms_b.count <= 56);
	loop_sim_for(loop, 5 * LOOP_S);
	CHECK_INT(nms_b.count, 90);
	CHECK_INT(nms_a.count, 90);
	CHECK_INT(nms_a.numbers[89], 90);
	CHECK_INT(notify_lost(notify), 0);
	end();
}

static void
a_full_spool_drops_the_oldest_and_counts_them(void)
{
	begin(1);
	nms_a.answers = false;
	for (uint32_t i = 1; i <= 110; i++)
		happen(i);
	commit();
	CHECK_INT(notify_lost(notify), 10);
	end();
}

static void
add_done(void *arg, const struct receiver_view *view)
{
	*(uint64_t *)arg += view->done;
}

static void
a_new_receiver_gets_what_comes(void)
{
	uint64_t done = 0;

	begin(1);
	happen(1);
	commit();
	loop_sim_for(loop, LOOP_S);
	inventory.receiver_count = 2;
	notify_configure(notify, &inventory);
	happen(2);
	commit();
	loop_sim_for(loop, LOOP_S);
	CHECK_HEARD(&nms_a, 1, 2);
	CHECK_HEARD(&nms_b, 2);
	/* A reload is no reason to count anew: two for the one, one for the other. */
	notify_each(notify, add_done, &done);
	CHECK_INT(done, 3);
	stop();
	nms_b.count = 0;
	start();
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(nms_b.count, 0);
	end();
}

static uint64_t
roll(uint64_t *seed)
{
	return dice_next(seed) >> 33;
}

/* Each number at least once, the first hearing of each in order, always the same content. */
static void
check_complete(const struct nms *nms, uint32_t last)
{
	uint32_t next = 1;
	static uint64_t contents[HEARD];

	for (size_t i = 0; i < nms->count; i++) {
		uint32_t number = nms->numbers[i];

		CHECK(number <= next);
		if (number == next)
			contents[next++] = nms->contents[i];
		CHECK(contents[number] == nms->contents[i]);
	}
	CHECK_INT(next, last + 1);
}

static void
every_number_arrives_with_one_content_through_loss_and_kills(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		uint64_t state = seed;
		uint32_t sequence = 0, safe = 0; /* given; committed */

		begin(1);
		net_sim_loss(0.3, seed);
		for (int i = 0; i < 300; i++) {
			if (roll(&state) % 2 == 0)
				happen(++sequence);
			if (roll(&state) % 3 == 0) {
				commit();
				safe = sequence;
			}
			loop_sim_for(loop, (int64_t)(roll(&state) % 3000) * LOOP_MS);
			if (roll(&state) % 15 != 0)
				continue;
			/* Killed: what was not committed is gone, its numbers are given again. */
			journal.bytes.used = committed;
			sequence = safe;
			stop();
			start();
		}
		net_sim_loss(0, seed);
		commit();
		loop_sim_for(loop, 400 * LOOP_S);
		if (nms_a.count == 0)
			print_error("seed %u\n", (unsigned)seed);
		check_complete(&nms_a, sequence);
		end();
	}
}

RUN_TESTS(TEST(nothing_is_sent_before_it_is_on_disk),
	TEST(all_receivers_get_all_numbers_in_order),
	TEST(a_dead_receiver_is_asked_after_1_2_4_up_to_60_s_and_gets_all_in_the_end),
	TEST(a_notice_that_a_receiver_refuses_is_left_out_in_the_end_and_counted),
	TEST(an_answer_from_elsewhere_counts_for_nothing),
	TEST(a_restart_sends_again_what_was_not_acknowledged_and_nothing_else),
	TEST(a_snapshot_keeps_what_waits_for_each_receiver),
	TEST(a_storm_is_delayed_and_not_thinned_out),
	TEST(a_full_spool_drops_the_oldest_and_counts_them),
	TEST(a_new_receiver_gets_what_comes),
	TEST(every_number_arrives_with_one_content_through_loss_and_kills))

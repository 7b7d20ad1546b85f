/* The driver against simulated agents, in virtual time: scalars, and what the mux refuses. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "bed_agent.h"
#include "bed_task.h"
#include "core/sample.h"
#include "core/self.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "snmp/ber.h"
#include "snmp/ber_out.h"
#include "../check.h"

#define UPTIME "1.3.6.1.2.1.1.3.0"
#define IN_1 "1.3.6.1.2.1.31.1.1.1.6.1"
#define IN_2 "1.3.6.1.2.1.31.1.1.1.6.2"
#define IN32_1 "1.3.6.1.2.1.2.2.1.10.1"
#define OPER_1 "1.3.6.1.2.1.2.2.1.8.1"
#define NOWHERE "1.3.6.1.4.1.99999.1.0"

static const char *const points[] = { "in=" IN_1 "," IN32_1 " counter B/s",
	"oper=" OPER_1 " state", "gone=" NOWHERE, "name=1.3.6.1.2.1.1.5.0 text", NULL };

/* Where another device has the same points their question is written once for both; what the
 * first of them sees is held to the same. */
static bool two;

static int
with_another(void **state)
{
	(void)state;
	two = true;
	return 0;
}

static int
alone_again(void **state)
{
	(void)state;
	two = false;
	return 0;
}

static struct bed {
	struct loop *loop;
	struct snmp *snmp;
	struct bed_agent *agent;
	struct snmp_options options;
	struct snmp_access access;
	struct device device;
	struct group *group;
	struct task *task;
	void *state, *work;
	struct task *other_task;        /* with the same group */
	void *other_state, *other_work;
	int lines; /* warnings in the log */
	int errors; /* errors in it */
} bed;

static void
count_line(char level, const char *line, void *arg)
{
	(void)line, (void)arg;
	bed.lines += level == 'W';
	bed.errors += level == 'E';
}

static void
open_bed(const char *const *wanted, uint8_t version)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	net_sim_loss(0, 1);
	log_catch(count_line, NULL);
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", 4, 1);
	bed.access = (struct snmp_access){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 1 };
	bed.options.access = &bed.access;
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
	bed.group = bed_group(NULL, 60 * LOOP_S, wanted, NULL, NULL);
	bed.device = (struct device){ .name = "sw-1", .address = "10.1.3.1",
		.ways = DEVICE_SNMP, .options = &bed.options, .groups = bed.group, .group_count = 1 };
	bed.task = calloc(1, sizeof *bed.task);
	bed.task->device = &bed.device;
	bed.task->group = bed.group;
	bed.task->loop = bed.loop;
}

static void
attach(void)
{
	struct fail why;

	bed.state = snmp_driver.attach(bed.snmp, &bed.device, &why);
	CHECK(bed.state != NULL);
	bed.work = bed_task_open(bed.task, bed.state);
	CHECK(bed.work != NULL);
	if (!two)
		return;
	bed.other_task = calloc(1, sizeof *bed.other_task);
	*bed.other_task = *bed.task;
	bed.other_state = snmp_driver.attach(bed.snmp, &bed.device, &why);
	bed.other_work = bed_task_open(bed.other_task, bed.other_state);
	CHECK(bed.other_work != NULL);
}

static void
detach(void)
{
	snmp_driver.close(bed.work);
	snmp_driver.detach(bed.state);
	if (!two)
		return;
	snmp_driver.close(bed.other_work);
	snmp_driver.detach(bed.other_state);
	free(bed.other_task);
}

static void
close_bed(void)
{
	detach();
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
	bed_group_free(bed.group);
	free(bed.task);
	log_catch(NULL, NULL);
}

static void
poll_once(bool cautious)
{
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, cautious);
	CHECK_INT(bed.task->done, 0);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
}

static uint8_t
reason_of(const char *point)
{
	const struct reading *reading = bed_reading(bed.task, NULL, point);

	CHECK(reading != NULL);
	return reading->reason;
}

static void
reads_scalars_packed_into_one_request(void)
{
	open_bed(points, 2);
	attach();
	poll_once(false);
	CHECK_INT(bed_requests(bed.agent), 1);
	CHECK_INT(bed_most_varbinds(bed.agent), 5); /* sysUpTime and the four */
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(bed_reading(bed.task, NULL, "in")->bits, 64);
	CHECK_NEAR(bed_reading(bed.task, NULL, "oper")->number, 1, 0);
	CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	CHECK_INT(bed.task->asked, 1);
	CHECK_INT(bed.task->answered, 1);
	close_bed();
}

static void
a_counter_reading_carries_its_own_time(void)
{
	struct reading first, second;
	double rate;

	open_bed(points, 2);
	attach();
	poll_once(false);
	first = *bed_reading(bed.task, NULL, "in");
	bed_faults(bed.agent, "delay=200");
	poll_once(false);
	second = *bed_reading(bed.task, NULL, "in");
	CHECK_NEAR((double)(second.received - first.received) / 1e9, 60.2, 0.02);
	/* The agent counted when it was asked, 200 ms before the answer came. */
	rate = (double)(second.raw - first.raw) / ((double)(second.received - first.received) / 1e9);
	CHECK_NEAR(rate, 2000 * 60 / 60.2, 25);
	CHECK(!second.discontinuity);
	close_bed();
}

static void
an_old_agent_is_asked_again_without_what_it_lacks_and_that_is_remembered(void)
{
	unsigned asked = 0;

	open_bed(points, 1);
	attach();
	poll_once(false);
	/* Version 1 has no Counter64: the alternative has 32 bits. */
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(bed_reading(bed.task, NULL, "in")->bits, 32);
	CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
	CHECK_INT(reason_of("oper"), REASON_GOOD);
	CHECK_INT(bed_requests(bed.agent), 3);
	for (int poll = 1; poll < 60; poll++) {
		unsigned before = bed_requests(bed.agent);

		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
		asked += bed_requests(bed.agent) - before - 1;
	}
	/* It is left out for 1 s, 2 s, 4 s ... 512 s then 10 minutes: asked for in polls 2 to 7, 9, 12 ... */
	CHECK_INT(asked, 13);
	close_bed();
}

/* One that answers before all of it runs, or shows less for a moment. */
static void
what_an_old_agent_lacked_for_a_moment_is_asked_for_in_the_next_poll(void)
{
	open_bed(points, 1);
	attach();
	for (int round = 0; round < 3; round++) {
		bed_remove(bed.agent, 1);
		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_NO_SUCH_OBJECT);
		CHECK_INT(reason_of("oper"), REASON_NO_SUCH_OBJECT);
		bed_add(bed.agent, 1);
		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		CHECK_INT(reason_of("oper"), REASON_GOOD);
	}
	close_bed();
}

static void
what_an_old_agent_lacks_is_told_also_when_its_time_ends_within_the_poll(void)
{
	static const char *const many[] = { "gone=" NOWHERE, "a=1.3.6.1.2.1.1.4.0 text",
		"b=1.3.6.1.2.1.1.5.0 text", "c=1.3.6.1.2.1.1.6.0 text", "oper=" OPER_1 " state",
		"in=" IN32_1 " counter", NULL };

	open_bed(many, 1);
	bed.access.max_varbinds = 1;
	attach();
	for (int poll = 1; poll <= 7; poll++)
		poll_once(false);
	/* Left out for 64 s; this poll is not over before. */
	bed_faults(bed.agent, "delay=900");
	poll_once(false);
	CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	close_bed();
}

/* As that one may have gone round where the other has not, or begun elsewhere. */
static void
a_counter_does_not_go_on_from_what_another_object_said(void)
{
	static const char *const three[] = { "in=" NOWHERE "," IN32_1 "," IN_2 " counter", NULL };

	open_bed(three, 2);
	attach();
	for (int poll = 0; poll < 3; poll++) {
		poll_once(false);
		CHECK_INT(bed_reading(bed.task, NULL, "in")->bits, 32);
		CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	}
	bed_remove(bed.agent, 1);
	for (int poll = 0; poll < 3; poll++) {
		poll_once(false);
		CHECK_INT(bed_reading(bed.task, NULL, "in")->bits, 64);
		CHECK(bed_reading(bed.task, NULL, "in")->discontinuity == (poll == 0));
	}
	close_bed();
}

/* Else its loss would be 100 % of one exchange that never was. */
static void
an_old_agent_that_lacks_all_it_could_be_asked_is_asked_whether_it_is_there(void)
{
	static const char *const missing[] = { "gone=1.3.6.1.4.1.99999.1.0", NULL };

	open_bed(missing, 1);
	attach();
	for (int poll = 1; poll <= 8; poll++)
		poll_once(false);
	/* In the eighth it is left out. */
	CHECK_INT(bed.task->asked, 1);
	CHECK_INT(bed.task->answered, 1);
	CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
	bed_faults(bed.agent, "dead=1");
	poll_once(false);
	CHECK_INT(bed.task->answered, 0);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	close_bed();
}

static void
a_dead_device_is_a_timeout_after_its_tries(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "dead=1");
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	CHECK_INT(bed.task->told_count, 0);
	CHECK_INT(bed_requests(bed.agent), 2);
	CHECK_INT(bed.task->asked, 2);
	CHECK_INT(bed.task->answered, 0);
	CHECK_STR(bed.task->error, "no answer to 2 requests within 1s each");
	CHECK_INT(snmp_counters(bed.snmp).timed_out, 1);
	CHECK_INT(snmp_counters(bed.snmp).retried, 1);
	close_bed();
}

static void
a_cautious_poll_sends_one_request_and_goes_on_when_it_is_answered(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "dead=1");
	poll_once(true);
	CHECK_INT(bed_requests(bed.agent), 1);
	CHECK_INT(bed_most_varbinds(bed.agent), 1);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	bed_faults(bed.agent, "dead=0");
	poll_once(true);
	CHECK_INT(bed_requests(bed.agent), 3);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	close_bed();
}

static void
a_lost_datagram_costs_a_try_and_no_value(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "drop=1 count=1");
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(bed.task->asked, 2);
	CHECK_INT(bed.task->answered, 1);
	close_bed();
}

/* RFC 6298: not after the whole timeout, when it is known how soon the device answers. */
static void
a_try_is_given_up_by_the_round_trip_time_and_the_last_one_by_the_timeout(void)
{
	int64_t begin;

	open_bed(points, 2);
	attach();
	poll_once(false);
	bed_faults(bed.agent, "drop=1 count=1");
	bed_task_begin(bed.task);
	begin = loop_mono(bed.loop);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_NEAR((double)(bed_reading(bed.task, NULL, "in")->received - begin) / 1e9, 0.25, 0.05);
	/* Slower all at once than it ever was: the second of two tries has all of its second. */
	bed_faults(bed.agent, "delay=900");
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(bed.task->asked, 2);
	bed_faults(bed.agent, "dead=1");
	poll_once(false);
	CHECK_STR(bed.task->error, "no answer to 2 requests, to the last one within 1s");
	close_bed();
}

static void
an_answer_to_a_former_try_is_not_taken(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "delay=1500 count=1");
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(snmp_counters(bed.snmp).strays, 1);
	close_bed();
}

static void
forged_answers_are_dropped_and_the_request_stays_open(void)
{
	static const char *const faults[] = { "wrong_id=1 count=1", "wrong_community=1 count=1",
		"wrong_version=1 count=1", "truncate=1 count=1", "junk=1 count=1",
		"garbage=1 count=1" };

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct snmp_counters counters;

		open_bed(points, 2);
		attach();
		bed_faults(bed.agent, faults[i]);
		poll_once(false);
		counters = snmp_counters(bed.snmp);
		CHECK_INT(counters.strays + counters.malformed, 1);
		CHECK_INT(bed.task->asked, 2); /* the first ran into its deadline */
		CHECK_INT(reason_of("in"), REASON_GOOD);
		close_bed();
	}
}

/* The last object's value becomes of a type that SNMP has not. */
static size_t
spoil_last(uint8_t *bytes, size_t size, size_t room)
{
	(void)room;
	bytes[size - 2] = 0x99;
	return size;
}

static size_t
cut_last(uint8_t *bytes, size_t size, size_t room)
{
	(void)bytes, (void)room;
	return size - 1;
}

static void
answers_that_cannot_be_read_are_a_bad_reply_once_the_time_is_over(void)
{
	static const char *const few[] = { "in=" IN_1 " counter", "gone=" NOWHERE, NULL };

	for (int engine = 0; engine < 2; engine++) {
		open_bed(few, 2);
		bed.access.netsnmp = engine == 1;
		attach();
		bed_spoil(bed.agent, spoil_last);
		poll_once(false);
		CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
		CHECK_INT(bed.task->asked, 2); /* each waited for its time */
		CHECK_INT(bed.task->answered, 0);
		CHECK_STR(bed.task->error, "what came cannot be read: object 3 in it (" NOWHERE ") is malformed");
		/* As after any silence it is asked for little first, which can be read. */
		bed_spoil(bed.agent, cut_last);
		poll_once(false);
		CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
		CHECK_INT(bed.task->asked, 1);
		CHECK_STR(bed.task->error,
			"what came cannot be read: it was cut short, or lengths in it are wrong");
		bed_spoil(bed.agent, NULL);
		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		close_bed();
	}
}

static void
who_cannot_name_the_request_does_not_make_a_time_out_a_bad_reply(void)
{
	static const char *const faults[] = { "truncate=1 wrong_id=1", "truncate=1 wrong_community=1",
		"truncate=1 wrong_address=1", "truncate=1 wrong_port=1", "garbage=1" };

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		open_bed(points, 2);
		attach();
		bed_faults(bed.agent, faults[i]);
		poll_once(false);
		CHECK_INT(bed.task->rest, REASON_TIMEOUT);
		CHECK_INT(snmp_counters(bed.snmp).malformed, 2);
		close_bed();
	}
}

static void
an_answer_from_another_address_or_port_is_refused_and_named(void)
{
	open_bed(points, 2);
	attach();
	bed_answers_from(bed.agent, "10.1.3.2", 161);
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_WRONG_SOURCE);
	CHECK_STR(bed.task->error,
		"the answer came from 10.1.3.2:161 instead, set snmp.source = \"any\" to accept it");
	CHECK_INT(bed.lines, 1);
	poll_once(false);
	CHECK_INT(bed.lines, 1); /* told once */
	bed_answers_from(bed.agent, "10.1.3.1", 1161);
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_WRONG_SOURCE);
	CHECK_INT(bed.lines, 2);
	CHECK_INT(snmp_counters(bed.snmp).wrong_source, 4); /* a silent device is asked once */
	close_bed();
}

/* As one does that opens a socket for each of its answers. */
static void
a_device_that_answers_from_ever_new_ports_is_told_to_the_log_thrice_at_most(void)
{
	open_bed(points, 2);
	attach();
	for (uint16_t port = 1161; port < 1171; port++) {
		bed_answers_from(bed.agent, "10.1.3.1", port);
		poll_once(true);
	}
	CHECK_INT(bed.lines, 3);
	CHECK_STR(bed.task->error,
		"the answer came from 10.1.3.1:1170 instead, set snmp.source = \"any\" to accept it");
	CHECK_INT(snmp_counters(bed.snmp).wrong_source, 10);
	close_bed();
}

/* See core/self.h. */
static struct self_counts
counts(void)
{
	struct self_counts counts = { 0 };

	snmp_driver.count(bed.state, &counts);
	return counts;
}

static void
a_device_with_own_metrics_counts_its_tries_strays_and_strangers(void)
{
	open_bed(points, 2);
	bed.device.own = true;
	attach();
	poll_once(false);
	CHECK_INT(counts().retries + counts().strays + counts().wrong_source, 0);
	bed_faults(bed.agent, "drop=1 count=1");
	poll_once(false);
	CHECK_INT(counts().retries, 1);
	bed_faults(bed.agent, "duplicate=1 count=1");
	poll_once(false);
	CHECK_INT(counts().strays, 1); /* the second answer of the two */
	bed_answers_from(bed.agent, "10.1.3.2", 161);
	poll_once(true);
	CHECK_INT(counts().wrong_source, 1);
	CHECK_INT(counts().strays, 1);
	close_bed();
}

static void
any_source_takes_answers_from_another_address(void)
{
	open_bed(points, 2);
	bed.access.any_source = true;
	attach();
	bed_answers_from(bed.agent, "10.1.3.2", 161);
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	close_bed();
}

static void
answers_with_other_objects_are_bad_replies(void)
{
	static const char *const faults[] = { "wrong_oid=1", "reorder=1 wrong_oid=1", "short=1" };

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		open_bed(points, 2);
		attach();
		bed_faults(bed.agent, faults[i]);
		poll_once(false);
		CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
		CHECK_INT(bed.task->told_count, 0);
		CHECK_STR(bed.task->error, "answered other objects than it was asked for");
		close_bed();
	}
}

static void
who_answers_in_another_order_is_asked_for_one_object_at_a_time(void)
{
	for (int version = 1; version <= 2; version++) {
		open_bed(points, version);
		attach();
		bed_faults(bed.agent, "reorder=1");
		for (int poll = 0; poll < 3; poll++) {
			poll_once(false);
			CHECK_INT(bed_reading(bed.task, NULL, "in")->bits, version == 1 ? 32 : 64);
			CHECK_NEAR(bed_reading(bed.task, NULL, "oper")->number, 1, 0);
			CHECK_INT(reason_of("gone"), REASON_NO_SUCH_OBJECT);
			CHECK_STR(bed_reading(bed.task, NULL, "name")->text, "sim-1");
			/* In vain at first, then sysUpTime and each of the four. */
			CHECK_INT(bed.task->answered, version == 1 && poll == 0 ? 7 : 6);
		}
		close_bed();
	}
}

static void
a_port_where_nobody_listens_is_refused_an_unknown_host_unreachable(void)
{
	open_bed(points, 2);
	attach();
	bed_refuses(bed.agent, ECONNREFUSED);
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_REFUSED);
	bed_refuses(bed.agent, EHOSTUNREACH);
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_UNREACHABLE);
	close_bed();
}

/* Nothing went out, so nothing is known of the device: neither is it silent nor unreachable. */
static void
check_not_asked(void)
{
	poll_once(false);
	CHECK_INT(bed.task->rest, REASON_CONFIG);
	CHECK_INT(bed.task->asked, 0);
	CHECK_STR(bed.task->error, "not asked: snmp.from = \"10.1.0.2\" is no address of this "
		"machine: give it to an interface, or change snmp.from");
}

static void
from_an_address_that_this_machine_lacks_nobody_is_asked_until_it_is_there(void)
{
	struct net_addr from;
	struct fail why;
	unsigned requests;
	char text[200];

	open_bed(points, 2);
	bed.access.from = &from;
	CHECK(net_addr_parse("10.1.0.2", 0, &from, &why) == 0);
	net_sim_without(&from);
	CHECK(!snmp_lacks_address(bed.snmp, text, sizeof text));
	attach();
	CHECK(snmp_lacks_address(bed.snmp, text, sizeof text));
	CHECK_STR(text, two ?
		"snmp.from = \"10.1.0.2\" is no address of this machine: 2 devices are not asked" :
		"snmp.from = \"10.1.0.2\" is no address of this machine: 1 device is not asked");
	for (int turn = 0; turn < 2; turn++) {
		/* first no socket can be bound to it, then one is bound and it goes away */
		net_sim_without(&from);
		requests = bed_requests(bed.agent);
		check_not_asked();
		check_not_asked();
		CHECK_INT(bed_requests(bed.agent), requests);
		CHECK_INT(bed.errors, turn + 1); /* one line, however many polls */
		CHECK(snmp_lacks_address(bed.snmp, text, sizeof text));
		net_sim_without(NULL);
		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		CHECK(bed.task->answered > 0);
		CHECK(!snmp_lacks_address(bed.snmp, text, sizeof text));
	}
	close_bed();
}

static void
tries_that_went_out_before_the_address_was_lost_are_no_answer(void)
{
	struct net_addr from;
	struct fail why;

	open_bed(points, 2);
	bed.access.from = &from;
	CHECK(net_addr_parse("10.1.0.2", 0, &from, &why) == 0);
	attach();
	bed_faults(bed.agent, "drop=1");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, LOOP_S / 2);
	net_sim_without(&from);
	loop_sim_for(bed.loop, 59 * LOOP_S);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	CHECK_INT(bed.task->asked, 1);
	CHECK_INT(bed.task->answered, 0);
	close_bed();
}

static void
toobig_halves_the_request_and_is_remembered(void)
{
	unsigned before;

	open_bed(points, 2);
	attach();
	bed_max_size(bed.agent, 90);
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(reason_of("oper"), REASON_GOOD);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	before = bed_requests(bed.agent);
	poll_once(false);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	CHECK(bed_requests(bed.agent) - before < before);
	close_bed();
}

static unsigned
requests_of_a_poll(void)
{
	unsigned before = bed_requests(bed.agent);

	poll_once(false);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	return bed_requests(bed.agent) - before;
}

static void
what_was_too_big_once_is_tried_again_later_and_seldom(void)
{
	unsigned requests = 0;

	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "toobig=2 count=20");
	poll_once(false);
	for (int i = 0; i < 200; i++)
		requests_of_a_poll();
	CHECK_INT(requests_of_a_poll(), 1);
	bed_faults(bed.agent, "toobig=2");
	requests_of_a_poll();
	for (int i = 0; i < 100; i++)
		requests += requests_of_a_poll();
	CHECK_INT(requests, 100 * 4 + 4); /* four would be too big: seen once in a hundred answers */
	close_bed();
}

/* Four requests make a poll where an answer takes two objects, two where it takes four. */
static void
begin_with_answers_of_four_objects(void)
{
	bed_faults(bed.agent, "toobig=2 count=20");
	poll_once(false);
	for (int i = 0; i < 40 && requests_of_a_poll() > 2; i++)
		;
	CHECK_INT(requests_of_a_poll(), 2);
}

static void
after_a_new_answer_too_big_a_hundred_fit_before_more_is_tried(void)
{
	open_bed(points, 2);
	attach();
	begin_with_answers_of_four_objects();
	for (int i = 0; i < 40; i++)
		CHECK_INT(requests_of_a_poll(), 2);
	bed_faults(bed.agent, "toobig=2");
	requests_of_a_poll();
	for (int i = 0; i < 24; i++)
		CHECK_INT(requests_of_a_poll(), 4);
	close_bed();
}

static void
an_agent_with_room_for_one_object_gets_them_one_by_one(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "toobig=1");
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	poll_once(false);
	CHECK_INT(bed.task->asked, 5); /* sysUpTime and each of the four */
	close_bed();
}

static void
an_agent_that_has_room_for_one_object_all_at_once_is_asked_how_long_it_is_up(void)
{
	open_bed(points, 2);
	attach();
	poll_once(false);
	bed_reboot(bed.agent);
	bed_faults(bed.agent, "toobig=1");
	poll_once(false);
	CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
	poll_once(false);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	close_bed();
}

static void
restart_behind_uptime(void *arg)
{
	(void)arg;
	bed_reboot(bed.agent);
	/* What is asked meanwhile gets lost. */
	bed_faults(bed.agent, "delay=100 drop=1 count=1");
}

static void
a_restart_between_two_objects_that_are_asked_for_one_by_one_is_seen(void)
{
	struct loop_timer timer;

	open_bed(points, 2);
	bed.access.max_varbinds = 1;
	attach();
	poll_once(false);
	poll_once(false);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	bed_faults(bed.agent, "delay=100");
	loop_timer_init(&timer, restart_behind_uptime, NULL);
	loop_timer_in(bed.loop, &timer, 50 * LOOP_MS);
	poll_once(false);
	CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	poll_once(false);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	close_bed();
}

static bool
answer_every_other(struct net_sim_client *client, const struct net_addr *own,
	const struct answer *truth)
{
	static unsigned questions;

	(void)client, (void)own, (void)truth;
	return ++questions % 2 == 0;
}

static void
one_by_one_an_agent_that_loses_every_other_question_is_read_as_well(void)
{
	open_bed(points, 2);
	bed.access.max_varbinds = 1;
	attach();
	bed_forge(bed.agent, answer_every_other);
	for (int poll = 0; poll < 4; poll++) {
		poll_once(false);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		CHECK_INT(reason_of("name"), REASON_GOOD);
	}
	close_bed();
}

static void
an_object_too_big_for_any_answer_is_told_as_such(void)
{
	open_bed(points, 2);
	attach();
	bed_max_size(bed.agent, 50);
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_TOO_BIG);
	close_bed();
}

static void
generr_for_one_object_costs_only_that_one(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "generr=1 count=1");
	poll_once(false);
	/* sysUpTime was the first one: the request is put again without it. */
	CHECK_INT(reason_of("in"), REASON_GOOD);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	close_bed();
}

static void
max_varbinds_is_kept_to_even_at_one(void)
{
	for (uint16_t most = 1; most <= 3; most++) {
		open_bed(points, 2);
		bed.access.max_varbinds = most;
		attach();
		poll_once(false);
		CHECK_INT(bed_most_varbinds(bed.agent), most);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		CHECK_INT(reason_of("name"), REASON_GOOD);
		close_bed();
	}
}

static void
a_restart_of_the_device_is_a_discontinuity_once(void)
{
	open_bed(points, 2);
	attach();
	poll_once(false);
	poll_once(false);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	bed_reboot(bed.agent);
	poll_once(false);
	CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
	poll_once(false);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	close_bed();
}

static void
max_rate_keeps_requests_apart(void)
{
	open_bed(points, 2);
	bed.access.max_rate = 0.5;
	bed.access.max_varbinds = 2;
	attach();
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 5 * LOOP_S);
	CHECK_INT(bed_requests(bed.agent), 3); /* at 0, 2 and 4 s */
	loop_sim_for(bed.loop, 55 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	close_bed();
}

/* A time-out would be the device's, and put it down. */
static void
what_max_rate_leaves_no_time_for_is_an_overrun_of_ours(void)
{
	open_bed(points, 2);
	bed.access.max_rate = 0.001;
	attach();
	poll_once(false);
	CHECK_INT(bed_requests(bed.agent), 1);
	poll_once(false);
	CHECK_INT(bed_requests(bed.agent), 1);
	CHECK_INT(bed.task->asked, 0);
	CHECK_INT(bed.task->rest, REASON_OVERRUN);
	CHECK_STR(bed.task->error, "not asked in time: snmp.max_rate leaves no room for it");
	close_bed();
}

static void
a_gap_keeps_requests_from_following_an_answer_at_once(void)
{
	open_bed(points, 2);
	bed.access.gap = 3 * LOOP_S;
	bed.access.max_varbinds = 2;
	attach();
	bed_faults(bed.agent, "delay=500");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 3 * LOOP_S); /* the answer came at 0.5 s */
	CHECK_INT(bed_requests(bed.agent), 1);
	loop_sim_for(bed.loop, 3 * LOOP_S); /* the second request left at 3.5 s */
	CHECK_INT(bed_requests(bed.agent), 2);
	loop_sim_for(bed.loop, 54 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	close_bed();
}

/* An agent of version 3 that says who it is, and no more; arg counts what it is asked. */
static void
tell_engine_id(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	static const uint32_t unknown_engine[] = { 1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0 };
	static const struct snmp_oid name = { unknown_engine, 11 };
	uint8_t bytes[256];
	const uint8_t *end = bytes + sizeof bytes, *inner;
	struct pen pen = { bytes, bytes + sizeof bytes };
	struct ber_peek peek;

	++*(unsigned *)arg;
	CHECK_INT(ber_peek(data, size, &peek), 0);
	if (peek.engine_size > 0)
		return;
	put_byte(&pen, 1);
	put_head(&pen, end, TAG_COUNTER32);
	put_name(&pen, &name);
	put_head(&pen, end, TAG_SEQUENCE);
	put_head(&pen, end, TAG_SEQUENCE);
	put_integer(&pen, 0);
	put_integer(&pen, 0);
	put_integer(&pen, peek.request_id);
	put_head(&pen, end, BER_REPORT);
	put_octets(&pen, "", 0);
	put_octets(&pen, "engine", 6);
	put_head(&pen, end, TAG_SEQUENCE);
	inner = pen.at;
	for (int i = 0; i < 3; i++)
		put_octets(&pen, "", 0);
	put_integer(&pen, 5000);
	put_integer(&pen, 61);
	put_octets(&pen, "engine", 6);
	put_head(&pen, inner, TAG_SEQUENCE);
	put_head(&pen, inner, TAG_OCTETS);
	inner = pen.at;
	put_integer(&pen, 3);
	put_octets(&pen, "", 1);
	put_integer(&pen, 65507);
	put_integer(&pen, peek.request_id);
	put_head(&pen, inner, TAG_SEQUENCE);
	put_integer(&pen, BER_V3);
	put_head(&pen, end, TAG_SEQUENCE);
	CHECK(pen.at != NULL);
	net_sim_udp_reply(client, &bed.options.address, pen.at, (size_t)(end - pen.at), LOOP_MS);
}

/* Who are you, what time is it: they are requests like any other. */
static void
a_gap_keeps_the_question_from_following_an_engine_id_at_once(void)
{
	unsigned requests = 0;

	open_bed(points, 3);
	bed.access.user = (struct snmp_user){ .name = "poll", .context = "" };
	bed.access.gap = 3 * LOOP_S;
	bed.access.timeout = 10 * LOOP_S;
	net_sim_udp(&bed.options.address, tell_engine_id, &requests);
	attach();
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 2900 * LOOP_MS);
	CHECK_INT(requests, 1);
	loop_sim_for(bed.loop, 200 * LOOP_MS);
	CHECK_INT(requests, 2);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	close_bed();
}

static void
cancel_ends_a_poll_without_a_word(void)
{
	open_bed(points, 2);
	attach();
	bed_faults(bed.agent, "delay=500");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 100 * LOOP_MS);
	snmp_driver.cancel(bed.work);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->done, 0);
	CHECK_INT(bed.task->told_count, 0);
	bed_faults(bed.agent, "delay=0");
	poll_once(false);
	CHECK_INT(reason_of("in"), REASON_GOOD);
	close_bed();
}

static void
groups_of_one_device_follow_one_another(void)
{
	struct task *second;
	void *work;

	open_bed(points, 2);
	attach();
	second = calloc(1, sizeof *second);
	second->device = &bed.device;
	second->group = bed.group;
	second->loop = bed.loop;
	work = bed_task_open(second, bed.state);
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	snmp_driver.start(work, false);
	loop_sim_for(bed.loop, LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(second->done, 1);
	CHECK_INT(bed_requests(bed.agent), 2);
	/* A dead device costs the second group one probe only. */
	bed_faults(bed.agent, "dead=1");
	bed_task_begin(bed.task);
	bed_task_begin(second);
	snmp_driver.start(bed.work, false);
	snmp_driver.start(work, false);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	CHECK_INT(second->rest, REASON_TIMEOUT);
	CHECK_INT(second->asked, 1);
	snmp_driver.close(work);
	free(second);
	close_bed();
}

enum { GROUPS = 6 };
/* More groups of the same device; they ask for the same. */
struct groups {
	struct task *tasks[GROUPS];
	void *works[GROUPS];
};

/* And the bed that they are of. */
static void
open_groups(struct groups *groups, uint8_t window)
{
	open_bed(points, 2);
	bed.access.window = window;
	attach();
	for (int i = 0; i < GROUPS; i++) {
		groups->tasks[i] = calloc(1, sizeof *groups->tasks[i]);
		*groups->tasks[i] = (struct task){ .device = &bed.device, .group = bed.group,
			.loop = bed.loop };
		groups->works[i] = bed_task_open(groups->tasks[i], bed.state);
	}
}

static void
start_groups(struct groups *groups, bool cautious)
{
	for (int i = 0; i < GROUPS; i++) {
		bed_task_begin(groups->tasks[i]);
		snmp_driver.start(groups->works[i], cautious);
	}
}

static int
done_of(const struct groups *groups)
{
	int done = 0;

	for (int i = 0; i < GROUPS; i++)
		done += groups->tasks[i]->done;
	return done;
}

static void
close_groups(struct groups *groups)
{
	for (int i = 0; i < GROUPS; i++) {
		snmp_driver.close(groups->works[i]);
		free(groups->tasks[i]);
	}
	close_bed();
}

/* However many groups it has: each would wait for its own time-out, one behind the other. */
static void
a_dead_device_is_probed_once_for_all_that_wait_to_ask_it(void)
{
	struct groups groups;

	open_groups(&groups, 3);
	for (int alive = 0; alive < 2; alive++) {
		unsigned before = bed_requests(bed.agent);

		bed_faults(bed.agent, alive ? "dead=0" : "dead=1");
		start_groups(&groups, true);
		loop_sim_for(bed.loop, 2 * LOOP_S);
		for (int i = 0; i < GROUPS; i++) {
			CHECK_INT(groups.tasks[i]->done, 1);
			CHECK_INT(groups.tasks[i]->rest, alive ? REASON_BAD_REPLY : REASON_TIMEOUT);
			CHECK_STR(groups.tasks[i]->error,
				alive ? "" : "no answer to 1 request within 1s");
		}
		CHECK_INT(bed_requests(bed.agent) - before, alive ? 1 + GROUPS : 1);
	}
	close_groups(&groups);
}

/* Each answer takes half a second: six requests one behind the other take three. */
static void
groups_are_asked_side_by_side_as_far_as_the_window_lets_them(void)
{
	static const uint8_t windows[] = { 0, 1, 2, 3, 5, 16 };
	struct groups groups;

	for (size_t i = 0; i < sizeof windows; i++) {
		unsigned window = windows[i] > 0 ? windows[i] : 1, turns = 0;

		open_groups(&groups, windows[i]);
		bed_faults(bed.agent, "delay=500");
		start_groups(&groups, false);
		while (done_of(&groups) < GROUPS && turns < GROUPS) {
			unsigned most = window * (turns + 1);

			loop_sim_for(bed.loop, 300 * LOOP_MS);
			CHECK_INT(bed_requests(bed.agent), most < GROUPS ? most : GROUPS);
			loop_sim_for(bed.loop, 210 * LOOP_MS);
			turns++;
		}
		CHECK_INT(turns, (GROUPS + window - 1) / window);
		for (int k = 0; k < GROUPS; k++) {
			CHECK_INT(bed_reading(groups.tasks[k], NULL, "in")->reason, REASON_GOOD);
			CHECK_INT(groups.tasks[k]->asked, 1);
		}
		close_groups(&groups);
	}
}

static void
max_rate_holds_for_all_that_is_asked_side_by_side(void)
{
	struct groups groups;

	open_groups(&groups, 3);
	bed.access.max_rate = 2;
	bed_faults(bed.agent, "delay=900");
	start_groups(&groups, false);
	for (unsigned asked = 1; asked <= GROUPS; asked++) {
		loop_sim_for(bed.loop, 250 * LOOP_MS);
		CHECK_INT(bed_requests(bed.agent), asked);
		loop_sim_for(bed.loop, 250 * LOOP_MS);
	}
	loop_sim_for(bed.loop, LOOP_S);
	CHECK_INT(done_of(&groups), GROUPS);
	close_groups(&groups);
}

/* It may have gone while three were asked, each with its tries; the others only look whether it is
 * back, one behind the other. */
static void
a_device_that_is_silent_is_asked_one_thing_at_a_time(void)
{
	struct groups groups;

	open_groups(&groups, 3);
	bed_faults(bed.agent, "dead=1");
	start_groups(&groups, false);
	loop_sim_for(bed.loop, 2500 * LOOP_MS);
	CHECK_INT(bed_requests(bed.agent), 3 * 2 + 1);
	loop_sim_for(bed.loop, 10 * LOOP_S);
	CHECK_INT(bed_requests(bed.agent), 3 * 2 + 3);
	CHECK_INT(done_of(&groups), GROUPS);
	for (int i = 0; i < GROUPS; i++)
		CHECK_INT(groups.tasks[i]->rest, REASON_TIMEOUT);
	close_groups(&groups);
}

static void
requests_that_are_cancelled_leave_those_beside_them_alone(void)
{
	struct groups groups;

	open_groups(&groups, 3);
	bed_faults(bed.agent, "delay=500");
	start_groups(&groups, false);
	loop_sim_for(bed.loop, 100 * LOOP_MS);
	snmp_driver.cancel(groups.works[0]);
	snmp_driver.cancel(groups.works[2]);
	snmp_driver.cancel(groups.works[4]);
	loop_sim_for(bed.loop, 2 * LOOP_S);
	for (int i = 0; i < GROUPS; i++)
		CHECK_INT(groups.tasks[i]->done, i % 2);
	CHECK_INT(bed_requests(bed.agent), GROUPS);
	close_groups(&groups);
}

/* The later one tells an older sysUpTime: that is no restart, but one is seen all the same. */
static void
an_answer_that_another_overtook_is_no_restart(void)
{
	struct groups groups;

	open_groups(&groups, 2);
	bed.access.retries = 0;
	for (int restarts = 0; restarts < 2; restarts++) {
		start_groups(&groups, false);
		loop_sim_for(bed.loop, 2 * LOOP_S);
		bed_task_begin(groups.tasks[0]);
		bed_task_begin(groups.tasks[1]);
		bed_faults(bed.agent, "delay=500 count=1");
		snmp_driver.start(groups.works[0], false);
		loop_sim_for(bed.loop, 200 * LOOP_MS);
		if (restarts)
			bed_reboot(bed.agent);
		snmp_driver.start(groups.works[1], false);
		loop_sim_for(bed.loop, LOOP_S);
		CHECK(bed_reading(groups.tasks[1], NULL, "in")->received <
			bed_reading(groups.tasks[0], NULL, "in")->received);
		CHECK_INT(bed_reading(groups.tasks[1], NULL, "in")->discontinuity, restarts);
		if (!restarts)
			CHECK(!bed_reading(groups.tasks[0], NULL, "in")->discontinuity);
	}
	close_groups(&groups);
}

/* As one does that is about to restart; the poll in which it does may last for minutes. */
static void
an_error_in_place_of_sysuptime_hides_no_restart_from_the_next_poll(void)
{
	struct task *second = calloc(1, sizeof *second);
	struct group slow;
	void *work;

	open_bed(points, 2);
	attach();
	slow = *bed.group;
	slow.interval = 300 * LOOP_S;
	second->device = &bed.device;
	second->group = &slow;
	second->loop = bed.loop;
	poll_once(false);
	work = bed_task_open(second, bed.state);
	bed_task_begin(second);
	bed_faults(bed.agent, "generr=1 count=1");
	snmp_driver.start(work, false);
	loop_sim_for(bed.loop, LOOP_S);
	CHECK_INT(second->done, 1);
	bed_reboot(bed.agent);
	loop_sim_for(bed.loop, 4 * LOOP_S);
	poll_once(false);
	CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
	snmp_driver.close(work);
	free(second);
	close_bed();
}

/* The counters that come with it may be those of another run; but an agent that never tells it any
 * more has rates all the same. */
static void
what_stands_in_place_of_sysuptime_lets_no_counter_go_on(void)
{
	static const char *const faults[] = { "generr=1 count=1", "wrong_type=1 count=1" };
	int64_t before;

	open_bed(points, 2);
	attach();
	for (size_t i = 0; i < 2; i++) {
		poll_once(false);
		before = bed_reading(bed.task, NULL, "in")->received;
		CHECK(bed_reading(bed.task, NULL, "in")->since < before);
		for (int times = 0; times < 5; times++) {
			bed_faults(bed.agent, faults[i]);
			poll_once(false);
			CHECK_INT(reason_of("in"), REASON_GOOD);
			CHECK_INT(bed_reading(bed.task, NULL, "in")->since > before, times < 3);
			before = bed_reading(bed.task, NULL, "in")->received;
		}
	}
	close_bed();
}

/* It was read by somebody else then, who may not have seen the restart. */
static void
a_reading_from_just_behind_a_restart_is_none_to_go_on_from_for_who_comes_later(void)
{
	int64_t restarted;

	open_bed(points, 2);
	bed_reboot(bed.agent);
	restarted = loop_mono(bed.loop);
	loop_sim_for(bed.loop, 5 * LOOP_S);
	attach();
	poll_once(false);
	CHECK_NEAR((double)(bed_reading(bed.task, NULL, "in")->since - restarted) / 1e9, 1, 0.05);
	bed_reboot(bed.agent);
	restarted = loop_mono(bed.loop);
	loop_sim_for(bed.loop, 7 * LOOP_S);
	poll_once(false);
	/* Whoever saw it knows what came behind it. */
	CHECK_NEAR((double)(bed_reading(bed.task, NULL, "in")->since - restarted) / 1e9, 0, 0.05);
	close_bed();
}

static void
a_poll_ends_before_its_interval(void)
{
	open_bed(points, 2);
	bed.group->interval = 2 * LOOP_S;
	bed.access.timeout = 5 * LOOP_S;
	attach();
	bed_faults(bed.agent, "dead=1");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 2 * LOOP_S - LOOP_TICK);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	close_bed();
}

static int taps[2];
static int64_t tap_times[2];

static void
tap(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size, int64_t mono,
	void *arg)
{
	CHECK(arg == &bed);
	CHECK(net_addr_equal(peer, &bed.options.address));
	CHECK(size > 20 && bytes[0] == 0x30);
	taps[sent]++;
	tap_times[sent] = mono;
}

static void
the_tap_sees_each_datagram_with_its_time(void)
{
	open_bed(points, 2);
	attach();
	snmp_tap(bed.snmp, tap, &bed);
	taps[0] = taps[1] = 0;
	bed_faults(bed.agent, "duplicate=1");
	poll_once(false);
	CHECK_INT(taps[true], 1);
	CHECK_INT(taps[false], 2); /* what is dropped later, too */
	CHECK_NEAR((double)(tap_times[false] - tap_times[true]), 1e6, 5e5);
	close_bed();
}

static void
poll_in_a_new_process(const char *dir)
{
	struct fail why;

	detach();
	snmp_free(bed.snmp);
	bed.snmp = snmp_new(bed.loop, dir, &why);
	CHECK(bed.snmp != NULL);
	attach();
	poll_once(false);
}

static void
a_restart_while_no_poller_ran_is_a_discontinuity(void)
{
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];

	CHECK(mkdtemp(dir) != NULL);
	open_bed(points, 2);
	attach();
	poll_in_a_new_process(dir);
	poll_in_a_new_process(dir);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	bed_reboot(bed.agent);
	loop_sim_for(bed.loop, 7200 * LOOP_S); /* sysUpTime is past its old value by then */
	poll_in_a_new_process(dir);
	CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
	poll_in_a_new_process(dir);
	CHECK(!bed_reading(bed.task, NULL, "in")->discontinuity);
	close_bed();
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

static void
what_stands_in_place_of_sysuptime_hides_no_restart_from_a_new_process_either(void)
{
	static const char *const faults[] = { "generr=1 count=1", "wrong_type=1 count=1" };
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];

	CHECK(mkdtemp(dir) != NULL);
	for (size_t i = 0; i < 2; i++) {
		open_bed(points, 2);
		attach();
		poll_in_a_new_process(dir);
		bed_faults(bed.agent, faults[i]);
		poll_in_a_new_process(dir);
		CHECK_INT(reason_of("in"), REASON_GOOD);
		bed_reboot(bed.agent);
		poll_once(false);
		CHECK(bed_reading(bed.task, NULL, "in")->discontinuity);
		close_bed();
	}
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

static unsigned
requests_in_a_new_process(const char *dir)
{
	unsigned before = bed_requests(bed.agent);

	poll_in_a_new_process(dir);
	CHECK_INT(reason_of("name"), REASON_GOOD);
	return bed_requests(bed.agent) - before;
}

static void
what_toobig_has_taught_outlives_the_process_but_not_a_restart_of_the_device(void)
{
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];
	unsigned first;

	CHECK(mkdtemp(dir) != NULL);
	open_bed(points, 2);
	attach();
	bed_max_size(bed.agent, 90);
	first = requests_in_a_new_process(dir);
	CHECK(requests_in_a_new_process(dir) < first);
	bed_max_size(bed.agent, 1472); /* new firmware */
	bed_reboot(bed.agent);
	requests_in_a_new_process(dir);
	CHECK_INT(requests_in_a_new_process(dir), 1);
	close_bed();
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

static void
what_a_hundred_answers_have_shown_to_fit_outlives_the_process(void)
{
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];

	CHECK(mkdtemp(dir) != NULL);
	open_bed(points, 2);
	attach();
	poll_in_a_new_process(dir);
	begin_with_answers_of_four_objects();
	for (int i = 0; i < 60 && requests_of_a_poll() == 2; i++)
		;
	CHECK_INT(requests_of_a_poll(), 1); /* more is tried */
	CHECK_INT(requests_in_a_new_process(dir), 2);
	close_bed();
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

#define BOTH(function) TEST(function), { #function " (another has the same)",        \
	(CMUnitTestFunction)(void *)(function), with_another, alone_again, NULL }

RUN_TESTS(BOTH(reads_scalars_packed_into_one_request),
	BOTH(a_counter_reading_carries_its_own_time),
	BOTH(an_old_agent_is_asked_again_without_what_it_lacks_and_that_is_remembered),
	BOTH(a_counter_does_not_go_on_from_what_another_object_said),
	BOTH(what_an_old_agent_lacked_for_a_moment_is_asked_for_in_the_next_poll),
	BOTH(what_an_old_agent_lacks_is_told_also_when_its_time_ends_within_the_poll),
	BOTH(an_old_agent_that_lacks_all_it_could_be_asked_is_asked_whether_it_is_there),
	BOTH(a_dead_device_is_a_timeout_after_its_tries),
	BOTH(a_cautious_poll_sends_one_request_and_goes_on_when_it_is_answered),
	BOTH(a_lost_datagram_costs_a_try_and_no_value),
	BOTH(a_try_is_given_up_by_the_round_trip_time_and_the_last_one_by_the_timeout),
	BOTH(an_answer_to_a_former_try_is_not_taken),
	BOTH(forged_answers_are_dropped_and_the_request_stays_open),
	BOTH(answers_that_cannot_be_read_are_a_bad_reply_once_the_time_is_over),
	BOTH(who_cannot_name_the_request_does_not_make_a_time_out_a_bad_reply),
	BOTH(an_answer_from_another_address_or_port_is_refused_and_named),
	BOTH(a_device_that_answers_from_ever_new_ports_is_told_to_the_log_thrice_at_most),
	BOTH(a_device_with_own_metrics_counts_its_tries_strays_and_strangers),
	BOTH(any_source_takes_answers_from_another_address),
	BOTH(answers_with_other_objects_are_bad_replies),
	BOTH(who_answers_in_another_order_is_asked_for_one_object_at_a_time),
	BOTH(a_port_where_nobody_listens_is_refused_an_unknown_host_unreachable),
	BOTH(from_an_address_that_this_machine_lacks_nobody_is_asked_until_it_is_there),
	BOTH(tries_that_went_out_before_the_address_was_lost_are_no_answer),
	BOTH(toobig_halves_the_request_and_is_remembered),
	BOTH(what_was_too_big_once_is_tried_again_later_and_seldom),
	BOTH(after_a_new_answer_too_big_a_hundred_fit_before_more_is_tried),
	BOTH(an_agent_with_room_for_one_object_gets_them_one_by_one),
	BOTH(an_agent_that_has_room_for_one_object_all_at_once_is_asked_how_long_it_is_up),
	BOTH(a_restart_between_two_objects_that_are_asked_for_one_by_one_is_seen),
	BOTH(one_by_one_an_agent_that_loses_every_other_question_is_read_as_well),
	BOTH(an_object_too_big_for_any_answer_is_told_as_such),
	BOTH(generr_for_one_object_costs_only_that_one),
	BOTH(max_varbinds_is_kept_to_even_at_one),
	BOTH(a_restart_of_the_device_is_a_discontinuity_once),
	BOTH(max_rate_keeps_requests_apart),
	BOTH(what_max_rate_leaves_no_time_for_is_an_overrun_of_ours),
	BOTH(a_gap_keeps_requests_from_following_an_answer_at_once),
	TEST(a_gap_keeps_the_question_from_following_an_engine_id_at_once),
	BOTH(cancel_ends_a_poll_without_a_word),
	BOTH(groups_of_one_device_follow_one_another),
	BOTH(a_dead_device_is_probed_once_for_all_that_wait_to_ask_it),
	TEST(groups_are_asked_side_by_side_as_far_as_the_window_lets_them),
	TEST(max_rate_holds_for_all_that_is_asked_side_by_side),
	TEST(a_device_that_is_silent_is_asked_one_thing_at_a_time),
	TEST(requests_that_are_cancelled_leave_those_beside_them_alone),
	TEST(an_answer_that_another_overtook_is_no_restart),
	BOTH(an_error_in_place_of_sysuptime_hides_no_restart_from_the_next_poll),
	BOTH(what_stands_in_place_of_sysuptime_lets_no_counter_go_on),
	BOTH(a_reading_from_just_behind_a_restart_is_none_to_go_on_from_for_who_comes_later),
	BOTH(a_poll_ends_before_its_interval),
	BOTH(the_tap_sees_each_datagram_with_its_time),
	BOTH(a_restart_while_no_poller_ran_is_a_discontinuity),
	TEST(what_stands_in_place_of_sysuptime_hides_no_restart_from_a_new_process_either),
	BOTH(what_toobig_has_taught_outlives_the_process_but_not_a_restart_of_the_device),
	TEST(what_a_hundred_answers_have_shown_to_fit_outlives_the_process))

/* Who answers, and what it has: agents on a network in memory. */
#include <stdio.h>

#include "base/fail.h"
#include "base/loop.h"
#include "bed_agent.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "snmp/scout.h"
#include "../check.h"

enum { SCOUTS = 3, OBJECTS = 5 };
static const uint32_t oper[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 8 };
static const uint32_t uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
static const uint32_t nothing[] = { 1, 3, 6, 1, 4, 1, 99999, 1, 0 };
static const uint32_t no_column[] = { 1, 3, 6, 1, 4, 1, 99999, 2 };
static const uint32_t ifdescr[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 2 };

static struct bed {
	struct loop *loop;
	struct snmp *snmp;
	struct scouts *scouts;
	struct bed_agent *agent;
	struct snmp_options options;
	struct snmp_access access;
	struct scout *scout[SCOUTS];
	struct scout_object objects[OBJECTS];
	int known;
	bool asks, dies;
	uint8_t reason;
	char name[256], object_id[256];
	int64_t last; /* mono of the last call */
} bed;

static void
known(const struct scout_result *result, void *arg)
{
	bed.known++;
	bed.reason = result->reason;
	bed.last = loop_mono(bed.loop);
	snprintf(bed.name, sizeof bed.name, "%s", result->name);
	snmp_oid_text(bed.object_id, sizeof bed.object_id, result->object_id,
		result->object_id_count);
	if (bed.asks && result->reason == REASON_GOOD) {
		bed.asks = false;
		if (bed.dies)
			bed_faults(bed.agent, "dead=1");
		scout_ask(*(struct scout **)arg, bed.objects, OBJECTS);
	}
}

static void
open_bed(uint8_t version, double rate)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.scouts = scouts_new(bed.loop, bed.snmp, rate);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", 4, 1);
	bed.access = (struct snmp_access){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 4 };
	bed.options.access = &bed.access;
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
	bed.objects[0] = (struct scout_object){ .oid = { oper, 10 }, .column = true };
	bed.objects[1] = (struct scout_object){ .oid = { nothing, 9 } };
	bed.objects[2] = (struct scout_object){ .oid = { uptime, 9 } };
	bed.objects[3] = (struct scout_object){ .oid = { no_column, 8 }, .column = true };
	bed.objects[4] = (struct scout_object){ .oid = { ifdescr, 10 }, .column = true };
}

static void
begin(size_t which, const char *address)
{
	struct snmp_options options = bed.options;
	struct fail why;

	CHECK(net_addr_parse(address, 161, &options.address, &why) == 0);
	bed.scout[which] = scout_new(bed.scouts, address, &options, known, &bed.scout[which], &why);
	CHECK(bed.scout[which] != NULL);
	CHECK_INT(bed.known, 0);
}

static void
close_bed(void)
{
	for (size_t i = 0; i < SCOUTS; i++)
		scout_free(bed.scout[i]);
	scouts_free(bed.scouts);
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
}

static void
finds_who_it_is_and_what_it_has_with_either_version(void)
{
	static const char *const faults[] = { NULL, "toobig=1" };

	for (uint8_t version = 1; version <= 2; version++) {
		for (size_t i = 0; i < 2; i++) {
			open_bed(version, 100);
			if (faults[i] != NULL)
				bed_faults(bed.agent, faults[i]);
			bed.asks = true;
			begin(0, "10.1.3.1");
			loop_sim_for(bed.loop, 60 * LOOP_S);
			CHECK_INT(bed.known, 2);
			CHECK_INT(bed.reason, REASON_GOOD);
			CHECK(bed.name[0] != '\0');
			CHECK(strncmp(bed.object_id, "1.3.6.1.4.1.", 12) == 0);
			CHECK(bed.objects[0].there);
			CHECK(!bed.objects[1].there);
			CHECK(bed.objects[2].there);
			CHECK(!bed.objects[3].there);
			CHECK(bed.objects[4].there);
			close_bed();
		}
	}
}

static void
an_agent_that_dislikes_every_request_is_not_asked_for_ever(void)
{
	for (uint8_t version = 1; version <= 2; version++) {
		open_bed(version, 100);
		bed_faults(bed.agent, "generr=1");
		bed.asks = true;
		begin(0, "10.1.3.1");
		loop_sim_for(bed.loop, 60 * LOOP_S);
		CHECK_INT(bed.known, 2);
		CHECK_STR(bed.object_id, "");
		CHECK(!bed.objects[0].there && !bed.objects[2].there);
		CHECK(bed_requests(bed.agent) <= 3 + OBJECTS);
		close_bed();
	}
}

static void
a_silent_address_costs_a_request_and_a_repetition(void)
{
	open_bed(2, 100);
	bed_faults(bed.agent, "dead=1");
	begin(0, "10.1.3.1");
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.known, 1);
	CHECK_INT(bed.reason, REASON_TIMEOUT);
	CHECK_INT(bed_requests(bed.agent), 2);
	close_bed();
}

static void
an_agent_that_falls_silent_is_asked_for_each_object_alone(void)
{
	open_bed(2, 100);
	bed.asks = bed.dies = true;
	begin(0, "10.1.3.1");
	loop_sim_for(bed.loop, 120 * LOOP_S);
	CHECK_INT(bed.known, 2); /* there are fewer objects than it takes to be given up */
	CHECK(!bed.objects[0].there && !bed.objects[2].there);
	CHECK(bed_requests(bed.agent) <= 1 + 5 + OBJECTS); /* five tries of the first one */
	close_bed();
}

static void
no_more_requests_leave_than_the_rate_allows(void)
{
	open_bed(2, 2);
	begin(0, "10.1.3.1");
	begin(1, "10.1.3.1");
	begin(2, "10.1.3.1");
	loop_sim_for(bed.loop, 400 * LOOP_MS);
	CHECK_INT(bed_requests(bed.agent), 1);
	loop_sim_for(bed.loop, 500 * LOOP_MS);
	CHECK_INT(bed_requests(bed.agent), 2);
	loop_sim_for(bed.loop, LOOP_S);
	CHECK_INT(bed_requests(bed.agent), 3);
	CHECK_INT(bed.known, 3);
	close_bed();
}

static void
one_that_waits_for_its_turn_can_be_given_up(void)
{
	open_bed(2, 2);
	begin(0, "10.1.3.1");
	begin(1, "10.1.3.1");
	begin(2, "10.1.3.1");
	scout_free(bed.scout[1]);
	bed.scout[1] = NULL;
	loop_sim_for(bed.loop, 10 * LOOP_S);
	CHECK_INT(bed.known, 2);
	CHECK_INT(bed_requests(bed.agent), 2);
	close_bed();
}

RUN_TESTS(
	TEST(finds_who_it_is_and_what_it_has_with_either_version),
	TEST(an_agent_that_dislikes_every_request_is_not_asked_for_ever),
	TEST(a_silent_address_costs_a_request_and_a_repetition),
	TEST(an_agent_that_falls_silent_is_asked_for_each_object_alone),
	TEST(no_more_requests_leave_than_the_rate_allows),
	TEST(one_that_waits_for_its_turn_can_be_given_up))

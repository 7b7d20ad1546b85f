#include <stdio.h>

#include "base/fail.h"
#include "base/loop.h"
#include "bed_agent.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "snmp/look.h"
#include "snmp/walk.h"
#include "../check.h"

static struct bed {
	struct loop *loop;
	struct snmp *snmp;
	struct bed_agent *agent;
	struct snmp_options options;
	struct snmp_access access;
	struct snmp_walk *walk;
	size_t count;
	int done;
	uint8_t reason;
	char text[256], first[256], last[256];
} bed;

static void
object(const struct varbind *varbind, void *arg)
{
	char oid[128], value[64];

	(void)arg;
	CHECK_INT(bed.done, 0);
	snprintf(bed.last, sizeof bed.last, "%s = %s: %s",
		snmp_oid_text(oid, sizeof oid, varbind->ids, varbind->count),
		value_type_word(varbind->value.type),
		value_text(value, sizeof value, &varbind->value));
	if (bed.count++ == 0)
		memcpy(bed.first, bed.last, sizeof bed.first);
}

static void
done(uint8_t reason, const char *text, void *arg)
{
	(void)arg;
	bed.done++;
	bed.reason = reason;
	snprintf(bed.text, sizeof bed.text, "%s", text);
	/* As a command may do. */
	snmp_walk_free(bed.walk);
	bed.walk = NULL;
}

static const struct snmp_walk_events events = { .object = object, .done = done };

static void
open_bed(uint8_t version)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", 40, 1);
	bed.access = (struct snmp_access){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 1 };
	bed.options.access = &bed.access;
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
}

static void
walk(const char *text, size_t most)
{
	uint32_t ids[SNMP_OID_MAX];
	struct snmp_oid root = { .ids = ids };
	struct fail why;

	bed.count = 0;
	bed.done = 0;
	CHECK(snmp_oid_parse(text, ids, &root.count, &why) == 0);
	bed.walk = snmp_walk_start(bed.snmp, "sw-1", &bed.options, &root, most, &events, NULL,
		&why);
	CHECK(bed.walk != NULL);
	CHECK_INT(bed.done, 0);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.done, 1);
}

static void
close_bed(void)
{
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
}

static void
reads_a_subtree_to_its_end_with_either_version(void)
{
	for (uint8_t version = 1; version <= 2; version++) {
		open_bed(version);
		walk("1.3.6.1.2.1.2.2.1.8", 0);
		CHECK_INT(bed.reason, REASON_GOOD);
		CHECK_INT(bed.count, 40);
		CHECK_STR(bed.first, "1.3.6.1.2.1.2.2.1.8.1 = INTEGER: 1");
		CHECK_STR(bed.last, "1.3.6.1.2.1.2.2.1.8.40 = INTEGER: 1");
		close_bed();
	}
}

static void
reads_all_that_an_agent_has(void)
{
	open_bed(2);
	walk("1.3", 0);
	CHECK_INT(bed.reason, REASON_GOOD);
	CHECK(bed.count > 40 * 15);
	close_bed();
}

static void
an_instance_is_read_by_itself(void)
{
	for (uint8_t version = 1; version <= 2; version++) {
		open_bed(version);
		walk("1.3.6.1.2.1.2.2.1.8.7", 0);
		CHECK_INT(bed.count, 1);
		CHECK_STR(bed.last, "1.3.6.1.2.1.2.2.1.8.7 = INTEGER: 1");
		walk("1.3.6.1.4.1.99999.7", 0);
		CHECK_INT(bed.count, 0);
		CHECK_INT(bed.reason, REASON_GOOD);
		close_bed();
	}
}

static void
stops_where_oids_do_not_increase(void)
{
	open_bed(2);
	bed_faults(bed.agent, "nonincreasing=1");
	walk("1.3.6.1.2.1.2", 0);
	CHECK_INT(bed.reason, REASON_BAD_REPLY);
	CHECK_STR(bed.text, "stopped, OIDs do not increase");
	close_bed();
}

static void
stops_after_as_many_objects_as_wanted(void)
{
	open_bed(2);
	bed_faults(bed.agent, "endless=1");
	walk("1.3.6.1.2.1.2.2.1.8", 1000);
	CHECK_INT(bed.reason, REASON_GOOD);
	CHECK_INT(bed.count, 1000);
	close_bed();
}

static void
a_silent_agent_is_named_as_such(void)
{
	open_bed(2);
	bed_faults(bed.agent, "dead=1");
	walk("1.3.6.1.2.1.1", 0);
	CHECK_INT(bed.reason, REASON_TIMEOUT);
	CHECK_STR(bed.text, "no answer to 2 requests within 1s each");
	close_bed();
}

static void
agents_with_ipv6_addresses_are_asked_as_well(void)
{
	struct fail why;

	open_bed(2);
	bed_agent_free(bed.agent);
	bed.agent = bed_agent_new(bed.loop, "2001:db8::1", 3, 1);
	CHECK(net_addr_parse("2001:db8::1", 161, &bed.options.address, &why) == 0);
	walk("1.3.6.1.2.1.2.2.1.8", 0);
	CHECK_INT(bed.reason, REASON_GOOD);
	CHECK_INT(bed.count, 3);
	close_bed();
}

/* ---- a first look ---- */

static struct look_result seen;
static struct snmp_look *looking;

static void
looked(const struct look_result *result, void *arg)
{
	(void)arg;
	bed.done++;
	seen = *result;
	snmp_look_free(looking);
}

static void
look(void)
{
	struct fail why;

	bed.done = 0;
	looking = snmp_look_start(bed.snmp, "sw-1", &bed.options, looked, NULL, &why);
	CHECK(looking != NULL);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.done, 1);
}

static void
a_look_tells_who_answers_and_what_it_has(void)
{
	open_bed(2);
	look();
	CHECK_INT(seen.reason, REASON_GOOD);
	CHECK_INT(seen.version, 2);
	CHECK(!seen.other_version);
	CHECK(seen.descr[0] != '\0');
	CHECK(seen.has_uptime);
	CHECK_NEAR(seen.uptime, 3600, 1);
	CHECK_INT(seen.interfaces, 40);
	CHECK_INT(seen.counters64, 40);
	CHECK(seen.answered == seen.sent);
	CHECK_NEAR((double)seen.rtt_max, 1e6, 1e6);
	close_bed();
}

static void
a_look_at_an_old_agent_finds_no_64_bit_counters(void)
{
	open_bed(1);
	look();
	CHECK_INT(seen.reason, REASON_GOOD);
	CHECK_INT(seen.interfaces, 40);
	CHECK_INT(seen.counters64, 0);
	close_bed();
}

static void
a_look_at_a_silent_agent_tries_the_other_version_once(void)
{
	open_bed(2);
	bed_faults(bed.agent, "drop=1 count=2");
	look();
	CHECK_INT(seen.reason, REASON_GOOD);
	CHECK(seen.other_version);
	CHECK_INT(seen.version, 1);
	bed_faults(bed.agent, "dead=1");
	look();
	CHECK_INT(seen.reason, REASON_TIMEOUT);
	CHECK_STR(seen.why, "no answer to 2 requests within 1s each");
	CHECK_INT(seen.sent, 3);
	close_bed();
}

RUN_TESTS(TEST(reads_a_subtree_to_its_end_with_either_version), TEST(reads_all_that_an_agent_has),
	TEST(an_instance_is_read_by_itself), TEST(stops_where_oids_do_not_increase),
	TEST(stops_after_as_many_objects_as_wanted), TEST(a_silent_agent_is_named_as_such),
	TEST(agents_with_ipv6_addresses_are_asked_as_well), TEST(a_look_tells_who_answers_and_what_it_has),
	TEST(a_look_at_an_old_agent_finds_no_64_bit_counters),
	TEST(a_look_at_a_silent_agent_tries_the_other_version_once))

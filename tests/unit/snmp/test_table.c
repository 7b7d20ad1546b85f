/* The driver against simulated agents, in virtual time: tables. What the simulator cannot
 * do (empty cells, columns of different rows) is fed to the walk directly. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../dice.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/portion.h"
#include "bed_agent.h"
#include "bed_task.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "snmp/ber.h"
#include "snmp/ber_out.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/peers.h"
#include "snmp/table.h"
#include "../check.h"

#define IF_TABLE "1.3.6.1.2.1.2.2.1."
#define IF_X_TABLE "1.3.6.1.2.1.31.1.1.1."
#define KEYS IF_X_TABLE "1," IF_TABLE "2"

static const char *const points[] = {
	"in_octets=" IF_X_TABLE "6," IF_TABLE "10 counter B/s",
	"out_octets=" IF_X_TABLE "10," IF_TABLE "16 counter B/s",
	"in_errors=" IF_TABLE "14 counter",
	"oper=" IF_TABLE "8 state",
	"speed=" IF_X_TABLE "15," IF_TABLE "5 gauge bit/s",
	NULL,
};
static const double speed_scales[] = { 1e6, 1 };

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
} bed;

static void
open_bed(size_t rows, uint8_t version)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	net_sim_loss(0, 1);
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", rows, 3);
	bed.access = (struct snmp_access){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 1 };
	bed.options.access = &bed.access;
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
	bed.group = bed_group("if", 60 * LOOP_S, points, KEYS, IF_X_TABLE "19");
	bed_scales(bed.group, "speed", speed_scales);
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
}

static void
close_bed(void)
{
	snmp_driver.close(bed.work);
	snmp_driver.detach(bed.state);
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
	bed_group_free(bed.group);
	free(bed.task);
}

static void
poll_once(void)
{
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
}

static struct reading
reading_of(const char *key, const char *point)
{
	const struct reading *reading = bed_reading(bed.task, key, point);

	if (reading == NULL)
		fail_msg("%s/%s was not told", key, point);
	return *reading;
}

static void
joins_the_columns_of_both_interface_tables_by_row(void)
{
	open_bed(30, 2);
	attach();
	poll_once();
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_STR(bed.task->error, "");
	CHECK_INT(bed.task->row_count, 30);
	CHECK_INT(bed.task->told_count, 30 * 5);
	for (size_t i = 0; i < bed.task->told_count; i++)
		CHECK_INT(bed.task->told[i].reading.reason, REASON_GOOD);
	CHECK_INT(reading_of("ge-1/30", "in_octets").bits, 64);
	/* in(1, 29) = 1000 x 30 + 1 - 1 octets/s, counted for an hour. */
	CHECK_NEAR((double)reading_of("ge-1/30", "in_octets").raw, 31000.0 * 3600, 31000);
	CHECK(reading_of("ge-1/30", "speed").number >= 1e6);
	CHECK_NEAR(reading_of("ge-1/30", "in_octets").max_rate,
		reading_of("ge-1/30", "speed").number / 8 * 1.1, 1);
	CHECK_NEAR(reading_of("ge-1/30", "in_errors").max_rate, 0, 0);
	close_bed();
}

static void
a_second_walk_asks_no_more_than_it_needs(void)
{
	unsigned first, second;

	open_bed(30, 2);
	attach();
	poll_once();
	first = bed_requests(bed.agent);
	poll_once();
	second = bed_requests(bed.agent) - first;
	CHECK(second <= first);
	/* Seven columns by 8 rows a request. */
	CHECK(second <= 5);
	CHECK_INT(bed.task->told_count, 30 * 5);
	close_bed();
}

static void
an_old_agent_is_walked_row_by_row_with_32_bit_counters(void)
{
	open_bed(5, 1);
	attach();
	poll_once();
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_INT(bed.task->told_count, 5 * 5);
	CHECK_INT(reading_of("ge-1/5", "in_octets").reason, REASON_GOOD);
	CHECK_INT(reading_of("ge-1/5", "in_octets").bits, 32);
	poll_once();
	CHECK_INT(reading_of("ge-1/5", "in_octets").reason, REASON_GOOD);
	CHECK(!reading_of("ge-1/5", "in_octets").discontinuity);
	close_bed();
}

/* The last object is named by something that is no OID. */
static size_t
spoil_last_name(uint8_t *bytes, size_t size, size_t room)
{
	size_t at = size - 3;

	(void)room;
	while (bytes[at] != 0x06 || bytes[at + 2] != 0x2b)
		at--;
	bytes[at] = 0x07;
	return size;
}

/* Of its questions the names were written at once, as octets. */
static void
a_walk_whose_answers_cannot_be_read_ends_as_a_bad_reply(void)
{
	for (uint8_t version = 1; version <= 2; version++) {
		open_bed(5, version);
		attach();
		poll_once();
		bed_spoil(bed.agent, spoil_last_name);
		poll_once();
		CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
		CHECK_INT(bed.task->told_count, 0);
		CHECK(strncmp(bed.task->error, "what came cannot be read: object ", 33) == 0);
		close_bed();
	}
}

static void
a_renumbered_switch_keeps_its_names_and_values(void)
{
	uint64_t before[3], after[3];
	static const char *const keys[] = { "ge-1/1", "ge-1/2", "ge-1/3" };

	open_bed(3, 2);
	attach();
	poll_once();
	for (int i = 0; i < 3; i++)
		before[i] = reading_of(keys[i], "in_octets").raw;
	bed_renumber(bed.agent, 1000);
	poll_once();
	for (int i = 0; i < 3; i++) {
		after[i] = reading_of(keys[i], "in_octets").raw;
		CHECK_NEAR((double)(after[i] - before[i]), (i + 2) * 1000.0 * 60, 3000);
		CHECK(!reading_of(keys[i], "in_octets").discontinuity);
	}
	/* The same indexes, each names the next interface now. */
	bed_rotate(bed.agent);
	poll_once();
	CHECK_INT(bed.task->row_count, 3);
	for (int i = 0; i < 3; i++)
		CHECK_NEAR((double)(reading_of(keys[i], "in_octets").raw - after[i]),
			(i + 2) * 1000.0 * 60, 3000);
	close_bed();
}

static void
a_vanished_row_is_told_by_nobody_and_closed_as_no_such_row(void)
{
	open_bed(4, 2);
	attach();
	poll_once();
	bed_remove(bed.agent, 2);
	poll_once();
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK(bed_reading(bed.task, "ge-1/2", "oper") == NULL);
	CHECK_INT(bed.task->told_count, 3 * 5);
	close_bed();
}

static void
a_reset_of_counters_is_a_discontinuity_of_those_rows(void)
{
	open_bed(3, 2);
	attach();
	poll_once();
	poll_once();
	CHECK(!reading_of("ge-1/1", "in_octets").discontinuity);
	bed_reset(bed.agent);
	poll_once();
	CHECK(reading_of("ge-1/1", "in_octets").discontinuity);
	poll_once();
	CHECK(!reading_of("ge-1/1", "in_octets").discontinuity);
	close_bed();
}

static void
a_restart_in_the_middle_of_a_walk_is_seen_in_the_same_poll(void)
{
	size_t fresh = 0;

	open_bed(40, 2);
	attach();
	poll_once();
	bed_faults(bed.agent, "delay=100");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 250 * LOOP_MS);
	bed_reboot(bed.agent);
	loop_sim_for(bed.loop, 59 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	for (size_t i = 0; i < bed.task->told_count; i++) {
		const struct reading *reading = &bed.task->told[i].reading;

		/* in_octets counts upwards from 0 again after the restart. */
		if (reading->point == 0 && reading->raw < 2000 * 3600)
			CHECK(reading->discontinuity);
		fresh += reading->discontinuity;
	}
	CHECK(fresh > 0);
	close_bed();
}

static void
oids_that_do_not_increase_stop_the_column_and_what_was_read_stays(void)
{
	open_bed(20, 2);
	attach();
	poll_once();
	bed_task_begin(bed.task);
	bed_faults(bed.agent, "delay=50");
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 70 * LOOP_MS);
	bed_faults(bed.agent, "nonincreasing=1");
	loop_sim_for(bed.loop, 60 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
	CHECK(strstr(bed.task->error, "do not increase") != NULL);
	CHECK(bed_reading(bed.task, "ge-1/1", "in_octets") != NULL);
	CHECK(bed_reading(bed.task, "ge-1/20", "in_octets") == NULL);
	close_bed();
}

static void
an_endless_table_is_stopped_before_the_next_poll(void)
{
	open_bed(20, 2);
	bed_wire(bed.group)->include = "^ge-1/1$";
	attach();
	poll_once();
	bed_faults(bed.agent, "endless=1 delay=40");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 60 * LOOP_S - LOOP_TICK);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
	CHECK(strncmp(bed.task->error, "table \"if\": not read to its end within 60s, ", 44) == 0);
	CHECK(strstr(bed.task->error, " rows so far: give it a longer interval or fewer points") != NULL);
	CHECK_INT(reading_of("ge-1/1", "in_octets").reason, REASON_GOOD);
	close_bed();
}

static void
count_too_long(char level, const char *line, void *arg)
{
	unsigned *lines = arg;

	*lines += level == 'W' && strstr(line, "\"if\": not read to its end within 60s") != NULL;
}

static void
a_table_too_long_for_its_interval_is_in_the_log_once_until_it_is_read_as_a_whole(void)
{
	unsigned lines = 0;

	open_bed(20, 2);
	bed_wire(bed.group)->include = "^ge-1/1$";
	attach();
	poll_once();
	log_catch(count_too_long, &lines);
	for (unsigned times = 1; times <= 2; times++) {
		bed_faults(bed.agent, "endless=1 delay=40");
		poll_once();
		poll_once();
		CHECK_INT(lines, times);
		bed_faults(bed.agent, "endless=0 delay=0");
		poll_once();
		CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	}
	log_catch(NULL, NULL);
	close_bed();
}

/* The agent does what it should: a bad-reply would be its fault. The last request goes out just
 * before the poll's time is over, and is not answered within it. */
static void
a_table_that_max_rate_makes_too_slow_is_an_overrun_of_ours(void)
{
	open_bed(200, 2);
	bed.access.max_varbinds = 4;
	bed.access.max_rate = 1 / 2.999;
	attach();
	bed_faults(bed.agent, "delay=40");
	poll_once();
	CHECK_INT(bed_requests(bed.agent), 19);
	CHECK_INT(bed.task->rest, REASON_OVERRUN);
	CHECK_STR(bed.task->error, "snmp.max_rate leaves no room to ask for everything within "
		"60s: give it a longer interval");
	close_bed();
}

static void
an_endless_table_makes_up_no_rows(void)
{
	open_bed(4, 2);
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 4);
	for (int delay = 0; delay <= 40; delay += 40) {
		bed_faults(bed.agent, delay == 0 ? "endless=1 delay=0" : "endless=1 delay=40");
		poll_once();
		CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
		CHECK_INT(bed.task->row_count, 4);
		CHECK_INT(reading_of("ge-1/4", "in_octets").reason, REASON_GOOD);
	}
	bed_faults(bed.agent, "endless=0 delay=0");
	poll_once();
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_INT(bed.task->row_count, 4);
	close_bed();
}

static void
max_varbinds_is_kept_to_even_at_one(void)
{
	for (uint16_t run = 0; run < 6; run++) {
		uint16_t most = 1 + run / 2;

		open_bed(12, 1 + run % 2);
		bed.access.max_varbinds = most;
		attach();
		poll_once();
		CHECK_INT(bed_most_varbinds(bed.agent), most);
		CHECK_INT(bed.task->row_count, 12);
		CHECK_INT(bed.task->told_count, 12 * 5);
		CHECK_INT(reading_of("ge-1/12", "in_octets").reason, REASON_GOOD);
		close_bed();
	}
}

static void
include_and_exclude_choose_rows_by_their_name(void)
{
	open_bed(12, 2);
	bed_wire(bed.group)->include = "^ge-1/1";
	bed_wire(bed.group)->exclude = "2$";
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 3); /* 1, 10, 11 */
	close_bed();
}

static bool
was_ended(const char *key)
{
	for (uint32_t i = 0; i < bed.task->ended_count; i++)
		if (strcmp(bed.task->ended[i], key) == 0)
			return true;
	return false;
}

static void
rows_that_nobody_wants_are_told_to_be_none(void)
{
	open_bed(3, 2);
	bed_wire(bed.group)->exclude = "2$";
	attach();
	poll_once();
	CHECK(was_ended("ge-1/2"));
	CHECK_INT(bed.task->ended_count, 1);
	close_bed();
}

static const uint32_t oper_ids[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 8 },
	admin_ids[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 7 }, type_ids[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 3 };

static void
keep_rows(enum snmp_keep keep, const uint32_t *ids)
{
	bed_wire(bed.group)->keep = keep;
	bed_wire(bed.group)->status = (struct snmp_oid){ ids, 10 };
}

static void
a_row_is_told_from_the_first_time_that_it_is_up_and_its_later_down_is_a_state(void)
{
	open_bed(3, 2);
	keep_rows(SNMP_KEEP_ONCE_UP, oper_ids);
	bed_set(bed.agent, IF_TABLE "8.6", 2); /* of ge-1/2 */
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 2);
	CHECK(was_ended("ge-1/2"));
	bed_set(bed.agent, IF_TABLE "8.6", 1);
	poll_once();
	CHECK_NEAR(reading_of("ge-1/2", "oper").number, 1, 0);
	bed_set(bed.agent, IF_TABLE "8.6", 2);
	poll_once();
	CHECK_NEAR(reading_of("ge-1/2", "oper").number, 2, 0);
	CHECK_INT(bed.task->ended_count, 0);
	/* It costs no column of its own: a point reads it. */
	CHECK_INT(bed.task->told_count, 3 * 5);
	close_bed();
}

static void
a_row_that_is_switched_off_is_told_until_it_is_given_up(void)
{
	open_bed(2, 2);
	keep_rows(SNMP_KEEP_ADMIN_UP, admin_ids);
	bed.group->retire = 150 * LOOP_S;
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 2);
	bed_set(bed.agent, IF_TABLE "7.3", 2);
	for (int i = 0; i < 2; i++) {
		poll_once();
		CHECK_INT(reading_of("ge-1/1", "oper").reason, REASON_GOOD);
		CHECK_INT(bed.task->ended_count, 0);
	}
	poll_once();
	CHECK(was_ended("ge-1/1"));
	CHECK(bed_reading(bed.task, "ge-1/1", "oper") == NULL);
	bed_set(bed.agent, IF_TABLE "7.3", 1);
	poll_once();
	CHECK_INT(reading_of("ge-1/1", "oper").reason, REASON_GOOD);
	close_bed();
}

static void
rows_are_chosen_by_their_type_which_is_read_now_and_then(void)
{
	static const int64_t ethernet[] = { 6, 117 }, vlan[] = { 53 };
	unsigned first, second;

	open_bed(4, 2);
	bed_wire(bed.group)->type = (struct snmp_oid){ type_ids, 10 };
	bed_wire(bed.group)->types = ethernet;
	bed_wire(bed.group)->type_count = 2;
	bed_set(bed.agent, IF_TABLE "3.6", 24); /* of ge-1/2: a loopback */
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 3);
	CHECK(was_ended("ge-1/2"));
	first = bed_requests(bed.agent);
	poll_once();
	second = bed_requests(bed.agent) - first;
	CHECK(second <= first);
	CHECK_INT(bed.task->told_count, 3 * 5);
	close_bed();

	open_bed(4, 2);
	bed_wire(bed.group)->type = (struct snmp_oid){ type_ids, 10 };
	bed_wire(bed.group)->exclude_types = vlan;
	bed_wire(bed.group)->exclude_type_count = 1;
	bed_set(bed.agent, IF_TABLE "3.6", 53);
	attach();
	poll_once();
	CHECK_INT(bed.task->row_count, 3);
	CHECK(was_ended("ge-1/2"));
	close_bed();
}

static void
a_wrong_expression_is_named(void)
{
	struct fail why;

	open_bed(1, 2);
	attach();
	bed_wire(bed.group)->include = "ge[";
	CHECK(table_new("sw-1", bed.group, NULL, &why) == NULL);
	CHECK(strncmp(why.text, "regular expression \"ge[\": ", 26) == 0);
	close_bed();
}

static void
a_device_that_dies_in_the_middle_keeps_what_it_told(void)
{
	open_bed(40, 2);
	attach();
	poll_once();
	bed_faults(bed.agent, "delay=50");
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 130 * LOOP_MS);
	bed_faults(bed.agent, "dead=1");
	loop_sim_for(bed.loop, 59 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(bed.task->rest, REASON_TIMEOUT);
	CHECK_INT(reading_of("ge-1/1", "in_octets").reason, REASON_GOOD);
	CHECK(bed_reading(bed.task, "ge-1/40", "in_octets") == NULL);
	close_bed();
}

static void
a_long_walk_does_not_keep_a_short_group_waiting(void)
{
	static const char *const uptime[] = { "up=1.3.6.1.2.1.1.3.0", NULL };
	struct group *group = bed_group(NULL, LOOP_S, uptime, NULL, NULL);
	struct task *task = calloc(1, sizeof *task);
	void *work;

	open_bed(400, 2);
	attach();
	bed_faults(bed.agent, "delay=20");
	*task = (struct task){ .device = &bed.device, .group = group, .loop = bed.loop };
	work = bed_task_open(task, bed.state);
	bed_wire(bed.group)->include = "";
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	loop_sim_for(bed.loop, 110 * LOOP_MS);
	snmp_driver.start(work, false);
	loop_sim_for(bed.loop, 100 * LOOP_MS);
	CHECK_INT(task->done, 1);
	CHECK_INT(bed.task->done, 0);
	snmp_driver.cancel(bed.work);
	snmp_driver.close(work);
	bed_group_free(group);
	free(task);
	close_bed();
}

static void
varbinds_out_of_order_give_no_row_another_name(void)
{
	open_bed(20, 2);
	attach();
	poll_once();
	bed_faults(bed.agent, "reorder=0.5");
	for (int i = 0; i < 50; i++) {
		poll_once();
		CHECK_INT(bed.task->row_count, 20);
	}
	CHECK_INT(bed.task->rest == REASON_BAD_REPLY || bed.task->rest == REASON_NO_SUCH_ROW, 1);
	close_bed();
}

/* Whatever the network and the agent do: each poll ends once, in time, and what is told as
 * good is what the formula says. */
static void
a_noisy_network_yields_right_values_or_none(void)
{
	unsigned good = 0, polls = 400;

	open_bed(20, 2);
	bed.access.retries = 2;
	attach();
	poll_once();
	bed_faults(bed.agent, "drop=0.05 jitter=300 duplicate=0.1 wrong_id=0.05 truncate=0.05 "
		"wrong_community=0.05 wrong_version=0.05 junk=0.05 garbage=0.05 oversize=0.02 "
		"short=0.02 wrong_type=0.02 generr=0.02 nonincreasing=0.02");
	net_sim_loss(0.02, 7);
	for (unsigned i = 0; i < polls; i++) {
		poll_once();
		for (size_t k = 0; k < bed.task->told_count; k++) {
			const struct reading *reading = &bed.task->told[k].reading;
			unsigned number;
			double at;

			if (reading->point != 0 || reading->reason != REASON_GOOD)
				continue;
			CHECK(sscanf(bed.task->keys[reading->row], "ge-1/%u", &number) == 1);
			/* The agent began an hour before the bed did. */
			at = (double)reading->received / 1e9 - 1000 + 3600;
			CHECK_NEAR((double)reading->raw / ((number + 1) * 1000.0), at, 0.4);
			CHECK_INT(reading->bits, 64);
			CHECK(!reading->discontinuity);
			good++;
		}
	}
	CHECK_INT(bed.task->row_count, 20);
	CHECK(good > polls * 20 / 3);
	close_bed();
}

/* ---- fed directly ---- */

static struct ask_context context;

static uint8_t
end_table(struct table *table, bool complete)
{
	struct portion all = { .end = INT64_MAX, .left = UINT_MAX };
	uint8_t rest;

	CHECK(table_end(table, &context, complete, &all, &rest));
	return rest;
}

/* A complete one. */
static uint8_t
end_by_and_by(struct table *table)
{
	uint8_t rest;
	struct portion few;

	do
		few = (struct portion){ .left = 2 };
	while (!table_end(table, &context, true, &few, &rest));
	return rest;
}

static const struct ask_limit limit = { .varbinds = 50 };
static size_t at_sight; /* cells */
static bool lines_count; /* their numbers are 64-bit counters */
static size_t lines_most; /* so many fit into an answer; 0: all that were asked for */

/* Answers a GETBULK from "COLUMN.INDEX=TEXT" or "=number" lines in order of OIDs. */
struct line {
	const char *oid, *text;
	int64_t number;
};

static const struct line *
line_after(const struct line *lines, const struct snmp_oid *oid, uint32_t *ids, size_t *count)
{
	struct fail why;

	for (; lines->oid != NULL; lines++) {
		size_t common;
		int order = 0;

		CHECK(snmp_oid_parse(lines->oid, ids, count, &why) == 0);
		common = *count < oid->count ? *count : oid->count;
		for (size_t i = 0; i < common && order == 0; i++)
			order = ids[i] < oid->ids[i] ? -1 : ids[i] > oid->ids[i];
		if (order > 0 || (order == 0 && *count > oid->count))
			return lines;
	}
	return NULL;
}

/* As they stand in a message: texts and whole numbers, up to the first varbind without a value.
 * What the table takes of them is taken off the answer. */
static void
read_at_sight(struct table *table, const struct ask *ask, struct session_answer *answer)
{
	static uint8_t bytes[64 * 1024];
	uint8_t *end = bytes + sizeof bytes;
	struct pen pen = { bytes, end };
	const uint8_t *at;
	size_t count = 0;

	while (count < answer->count && value_is_there(&answer->varbinds[count].value))
		count++;
	for (size_t i = count; i > 0; i--) {
		const struct varbind *varbind = &answer->varbinds[i - 1];
		const struct value *value = &varbind->value;
		const uint8_t *behind = pen.at;

		if (value->type == VALUE_OCTETS) {
			put_bytes(&pen, value->octets, value->size);
			put_head(&pen, behind, TAG_OCTETS);
		} else {
			put_integer(&pen, (int32_t)value->integer);
			*pen.at = lines_count ? TAG_COUNTER64 : TAG_INTEGER;
		}
		put_name(&pen, &(struct snmp_oid){ varbind->ids, varbind->count });
		put_head(&pen, behind, TAG_SEQUENCE);
	}
	CHECK(pen.at != NULL && pen.at > bytes + 16);
	at = pen.at;
	answer->known = table_read(table, ask, &at, end);
	answer->varbinds += answer->known;
	at_sight += answer->known;
}

static void
answer_from(struct table *table, const struct line *lines, const struct ask *ask)
{
	static uint32_t ids[4096][SNMP_OID_MAX];
	static struct varbind varbinds[4096];
	struct session_answer answer = { .reason = REASON_GOOD, .text = "",
		.varbinds = varbinds, .received = 5 };

	for (size_t r = 0; r < ask->max_repetitions; r++)
		for (size_t i = 0; i < ask->count; i++, answer.count++) {
			struct varbind *varbind = &varbinds[answer.count];
			struct snmp_oid after = r == 0 ? ask->oids[1 + i] :
				(struct snmp_oid){ varbinds[answer.count - ask->count].ids,
					varbinds[answer.count - ask->count].count };
			const struct line *line = line_after(lines, &after, ids[answer.count],
				&varbind->count);

			varbind->ids = ids[answer.count];
			varbind->value = (struct value){ .type = VALUE_END_OF_VIEW };
			if (line == NULL) {
				memcpy(ids[answer.count], after.ids, after.count * sizeof(uint32_t));
				varbind->count = after.count;
			} else if (line->text != NULL) {
				varbind->value = (struct value){ .type = VALUE_OCTETS,
					.octets = (const uint8_t *)line->text,
					.size = strlen(line->text) };
			} else {
				varbind->value = (struct value){ .type = lines_count ?
					VALUE_COUNTER64 : VALUE_INTEGER, .integer = line->number };
			}
		}
	if (lines_most > 0 && answer.count > lines_most)
		answer.count = lines_most;
	read_at_sight(table, ask, &answer);
	table_feed(table, &context, ask, &answer);
}

static const char *const simple[] = { "oper=" IF_TABLE "8 state", "alt=" IF_TABLE "9,"
	IF_TABLE "10", NULL };

static size_t written, by_arcs; /* questions */

/* The next question in OIDs. What the table makes of it when it may write varbinds is the same. */
static bool
next_ask(struct table *table, const struct ask_limit *most, struct ask *ask)
{
	static struct ask itself;
	struct ask_context other = context;
	bool more = table_next(table, &context, most, ask);
	size_t size;
	uint8_t *list;

	other.written = true;
	CHECK(table_next(table, &other, most, &itself) == more);
	if (!more)
		return false;
	CHECK_INT(ask->list_size, 0);
	CHECK_INT(itself.op, ask->op);
	CHECK_INT(itself.max_repetitions, ask->max_repetitions);
	CHECK_INT(itself.count, ask->count);
	CHECK(memcmp(itself.what, ask->what, ask->count * sizeof ask->what[0]) == 0);
	by_arcs += itself.list_size == 0;
	if (itself.list_size == 0)
		return true;
	list = fast_write_list(ask->oids + 1, ask->count, &size);
	CHECK_INT(itself.list_size, size);
	CHECK(memcmp(itself.oids + 1, list, size) == 0);
	free(list);
	written++;
	return true;
}

static struct table *
table_of(struct group *group)
{
	struct fail why;

	bed.task = calloc(1, sizeof *bed.task);
	bed.task->group = bed.group = group;
	context = (struct ask_context){ .task = bed.task, .group = group, .now = 5, .version = 2 };
	return table_new("sw-1", group, NULL, &why);
}

static int lines_requests; /* of the last walk_lines */

static struct table *
walk_lines(struct table *table, const struct line *lines)
{
	struct ask ask;

	lines_requests = 0;
	if (table == NULL)
		table = table_of(bed_group("if", 60 * LOOP_S, simple, KEYS, NULL));
	bed_task_begin(bed.task);
	table_begin(table, &context);
	while (next_ask(table, &limit, &ask)) {
		CHECK(++lines_requests < 50);
		answer_from(table, lines, &ask);
	}
	bed.task->rest = end_table(table, true);
	return table;
}

static void
end_lines(struct table *table)
{
	table_free(table);
	bed_group_free(bed.group);
	free(bed.task);
}

#define LARGE 3500

static struct {
	struct loop_timer timer;
	size_t told, most; /* readings at once */
	unsigned turns;    /* that told some */
} watch;

static void
look(void *arg)
{
	size_t told = bed.task->told_count - watch.told;

	watch.most = told > watch.most ? told : watch.most;
	watch.turns += told > 0;
	watch.told = bed.task->told_count;
	loop_timer_in(arg, &watch.timer, 1);
}

static void
open_large(void)
{
	static const char *const one[] = { "in_octets=" IF_X_TABLE "6 counter B/s", NULL };

	open_bed(LARGE, 2);
	bed_group_free(bed.group);
	bed.group = bed_group("if", 600 * LOOP_S, one, IF_X_TABLE "1", NULL);
	bed.task->group = bed.device.groups = bed.group;
	attach();
	memset(&watch, 0, sizeof watch);
	loop_timer_init(&watch.timer, look, bed.loop);
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, false);
	look(bed.loop);
}

static void
a_large_table_is_told_in_portions_and_others_have_their_turn_between(void)
{
	open_large();
	loop_sim_for(bed.loop, 600 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_INT(bed.task->told_count, LARGE);
	CHECK(watch.turns > 1);
	CHECK(watch.most < LARGE);
	loop_timer_stop(bed.loop, &watch.timer);
	close_bed();
}

static void
a_large_table_that_is_being_told_can_be_cancelled_and_polled_again(void)
{
	open_large();
	while (bed.task->told_count == 0)
		loop_sim_for(bed.loop, LOOP_TICK);
	CHECK(bed.task->told_count < LARGE);
	CHECK_INT(bed.task->done, 0);
	snmp_driver.cancel(bed.work);
	watch.told = bed.task->told_count;
	loop_sim_for(bed.loop, 600 * LOOP_S);
	CHECK_INT(bed.task->told_count, watch.told);
	CHECK_INT(bed.task->done, 0);
	bed_task_begin(bed.task);
	watch.told = 0;
	snmp_driver.start(bed.work, false);
	while (bed.task->told_count == 0)
		loop_sim_for(bed.loop, LOOP_TICK);
	CHECK(bed.task->told_count < LARGE);
	loop_timer_stop(bed.loop, &watch.timer);
	close_bed();
}

static void
an_empty_cell_costs_only_that_cell(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.3", NULL, 2 },
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 20 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_NEAR(reading_of("a", "oper").number, 1, 0);
	CHECK_INT(reading_of("b", "oper").reason, REASON_NO_SUCH_OBJECT);
	CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
	CHECK_NEAR(reading_of("c", "oper").number, 2, 0);
	CHECK_INT(reading_of("c", "alt").reason, REASON_NO_SUCH_OBJECT);
	end_lines(table);
}

/* The other column may have gone round where the first has not, or begun elsewhere. */
static void
a_counter_does_not_go_on_from_what_another_column_said(void)
{
	static const struct line all[] = {
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 20 },
		{ IF_TABLE "10.1", NULL, 3 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "1.2", "b", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, all + 1); /* without the first of a's */

	for (int poll = 0; poll < 3; poll++) {
		CHECK_NEAR(reading_of("a", "alt").number, 3, 0);
		CHECK(!reading_of("a", "alt").discontinuity);
		walk_lines(table, all + 1);
	}
	for (int poll = 0; poll < 3; poll++) {
		walk_lines(table, all);
		CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
		CHECK(reading_of("a", "alt").discontinuity == (poll == 0));
		CHECK(!reading_of("b", "alt").discontinuity);
	}
	walk_lines(table, all + 1);
	CHECK_NEAR(reading_of("a", "alt").number, 3, 0);
	CHECK(reading_of("a", "alt").discontinuity);
	end_lines(table);
}

/* What is told together is told by the number of its first point. */
static void
counters_around_one_that_was_not_read_are_told_as_their_own(void)
{
	static const char *const three[] = { "a=" IF_TABLE "10 counter", "b=" IF_TABLE "14 counter",
		"c=" IF_TABLE "16 counter", NULL };
	static const struct line lines[] = {
		{ IF_TABLE "10.1", NULL, 11 }, { IF_TABLE "10.2", NULL, 12 },
		{ IF_TABLE "10.3", NULL, 13 }, { IF_TABLE "14.1", NULL, 21 },
		{ IF_TABLE "14.2", NULL, 22 }, { IF_TABLE "14.3", NULL, 23 },
		{ IF_TABLE "16.1", NULL, 31 }, { IF_TABLE "16.2", NULL, 32 },
		{ IF_TABLE "16.3", NULL, 33 }, { IF_X_TABLE "1.1", "x", 0 },
		{ IF_X_TABLE "1.2", "y", 0 }, { IF_X_TABLE "1.3", "z", 0 }, { NULL, NULL, 0 } };
	struct table *table = table_of(bed_group("if", 60 * LOOP_S, three, KEYS, NULL));
	struct ask_limit two = { .varbinds = 50, .repetitions = 2 };
	struct line hole[sizeof lines / sizeof lines[0]];
	struct ask ask;

	memcpy(hole, lines, sizeof lines);
	hole[3].oid = IF_TABLE "14.2"; /* the first row lacks it */
	hole[4].oid = IF_TABLE "14.3";
	hole[5].oid = IF_TABLE "14.4";
	lines_count = true;
	for (int poll = 0; poll < 2; poll++)
		walk_lines(table, lines);
	CHECK(reading_of("x", "b").raw == 21);
	bed_task_begin(bed.task);
	table_begin(table, &context);
	CHECK(next_ask(table, &two, &ask));
	answer_from(table, hole, &ask);
	end_table(table, false); /* the rest was lost */
	lines_count = false;
	CHECK(reading_of("x", "a").raw == 11 && reading_of("x", "c").raw == 31);
	CHECK(bed_reading(bed.task, "x", "b") == NULL);
	CHECK(reading_of("y", "a").raw == 12 && reading_of("y", "c").raw == 32);
	end_lines(table);
}

static void
what_a_row_says_of_itself_is_told_where_it_says_it(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 1 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "18.2", "uplink", 0 }, { NULL, NULL, 0 } };
	static const uint32_t alias[] = { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18 };
	struct snmp_info info = { "alias", { alias, sizeof alias / sizeof alias[0] } };
	struct group *group = bed_group("if", 60 * LOOP_S, simple, KEYS, NULL);
	struct table *table;

	bed_wire(group)->infos = &info;
	bed_wire(group)->info_count = 1;
	table = table_of(group);
	walk_lines(table, lines);
	CHECK_STR(bed.task->info, "b: alias=uplink\n");
	/* Seldom, as it changes seldom. */
	walk_lines(table, lines);
	walk_lines(table, lines);
	CHECK_STR(bed.task->info, "");
	end_lines(table);
}

static void
a_question_is_written_in_ber_as_far_as_its_names_are_short(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.127", NULL, 2 },
		{ IF_TABLE "8.128", NULL, 2 }, { IF_TABLE "8.16384", NULL, 2 },
		{ IF_TABLE "8.2147483648", NULL, 2 }, { IF_TABLE "8.4294967295.1.127", NULL, 2 },
		{ NULL, NULL, 0 } };
	static const struct line longer[] = {
		{ IF_TABLE "8.4294967295.1.127.5", NULL, 1 }, { NULL, NULL, 0 } };
	struct ask_limit one = { .varbinds = 1 };
	struct ask ask;
	struct table *table = walk_lines(NULL, lines);

	written = by_arcs = 0;
	table_begin(table, &context);
	while (next_ask(table, &one, &ask))
		answer_from(table, lines, &ask);
	CHECK(written > 6);
	CHECK_INT(by_arcs, 0);
	table_begin(table, &context);
	while (next_ask(table, &one, &ask))
		answer_from(table, longer, &ask);
	CHECK_INT(by_arcs, 1);
	end_lines(table);
}

static const char *
text_of(const char *key, const char *point)
{
	const struct reading *reading = bed_reading(bed.task, key, point);

	return reading == NULL ? "(not told)" : ((const struct told *)(const void *)reading)->text;
}

#define LONG_A "GigabitEthernet1/0/1 of press 3"
#define LONG_B "GigabitEthernet1/0/2 of press 4"

static void
a_text_that_is_the_name_as_well_is_told_of_a_row_that_gets_another_name(void)
{
	static const char *const described[] = { "descr=" IF_TABLE "3 text", NULL };
	static const struct line polls[][5] = {
		{ { IF_TABLE "2.1", LONG_A, 0 }, { IF_TABLE "2.2", LONG_B, 0 },
			{ IF_TABLE "3.1", NULL, 7 }, { IF_TABLE "3.2", NULL, 8 } },
		{ { IF_TABLE "2.1", LONG_B, 0 }, { IF_TABLE "3.1", LONG_B, 0 } },
		{ { IF_TABLE "2.1", LONG_B, 0 }, { IF_TABLE "2.2", LONG_B, 0 },
			{ IF_TABLE "3.1", LONG_B, 0 }, { IF_TABLE "3.2", LONG_B, 0 } } };
	struct table *table;
	struct fail why;

	bed.task = calloc(1, sizeof *bed.task);
	bed.group = bed_group("if", 60 * LOOP_S, described, IF_TABLE "2", NULL);
	bed.task->group = bed.group;
	context = (struct ask_context){ .task = bed.task, .group = bed.group, .now = 5,
		.version = 2 };
	table = table_new("sw-1", bed.group, NULL, &why);
	walk_lines(table, polls[0]);
	at_sight = 0;
	walk_lines(table, polls[0]);
	CHECK_INT(at_sight, 4);
	CHECK_STR(text_of(LONG_B, "descr"), "8");
	walk_lines(table, polls[1]);
	walk_lines(table, polls[2]);
	CHECK_STR(text_of(LONG_B, "descr"), LONG_B);
	walk_lines(table, polls[2]);
	CHECK_STR(text_of(LONG_B, "descr"), LONG_B);
	/* Believed the second time, and so renamed in a poll that was as expected. */
	CHECK_STR(text_of(LONG_B "#2", "descr"), LONG_B);
	end_lines(table);
}

static void
each_row_uses_the_first_alternative_that_it_has(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "2.2", "eth", 0 },
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 1 },
		{ IF_TABLE "9.1", NULL, 10 },
		{ IF_TABLE "10.1", NULL, 100 }, { IF_TABLE "10.2", NULL, 200 },
		{ IF_X_TABLE "1.1", "", 0 }, { IF_X_TABLE "1.2", "second", 0 },
		{ NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	/* Row 1 has no ifName: ifDescr names it. */
	CHECK_NEAR(reading_of("eth", "alt").number, 10, 0);
	CHECK_NEAR(reading_of("second", "alt").number, 200, 0);
	end_lines(table);
}

static void
a_speed_that_ifHighSpeed_rounds_to_nothing_or_tells_in_bits_is_right(void)
{
	static const char *const speeds[] = { "speed=" IF_X_TABLE "15," IF_TABLE "5 gauge bit/s",
		NULL };
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "down", 0 }, { IF_TABLE "2.2", "serial", 0 },
		{ IF_TABLE "2.3", "in-bits", 0 }, { IF_TABLE "2.4", "usual", 0 },
		{ IF_TABLE "2.5", "alone", 0 }, { IF_TABLE "5.1", NULL, 0 },
		{ IF_TABLE "5.2", NULL, 64000 }, { IF_TABLE "5.4", NULL, 4294967295 },
		{ IF_X_TABLE "15.1", NULL, 0 }, { IF_X_TABLE "15.2", NULL, 0 },
		{ IF_X_TABLE "15.3", NULL, 100000000 }, { IF_X_TABLE "15.4", NULL, 10000 },
		{ IF_X_TABLE "15.5", NULL, 0 }, { NULL, NULL, 0 } };
	struct table *table;
	struct fail why;

	bed.task = calloc(1, sizeof *bed.task);
	bed.group = bed_group("if", 60 * LOOP_S, speeds, KEYS, NULL);
	bed_scales(bed.group, "speed", speed_scales);
	bed.task->group = bed.group;
	context = (struct ask_context){ .task = bed.task, .group = bed.group, .now = 5,
		.version = 2 };
	table = walk_lines(table_new("sw-1", bed.group, NULL, &why), lines);
	CHECK_NEAR(reading_of("down", "speed").number, 0, 0);
	CHECK_NEAR(reading_of("serial", "speed").number, 64000, 0);
	CHECK_NEAR(reading_of("in-bits", "speed").number, 1e8, 0);
	CHECK_NEAR(reading_of("usual", "speed").number, 1e10, 0);
	CHECK_NEAR(reading_of("alone", "speed").number, 0, 0);
	end_lines(table);
}

/* Volts in one column, tenths of them in another: 230 of the first are no 23. */
static void
only_speeds_are_taken_for_a_finer_unit_when_they_are_large(void)
{
	static const char *const volts[] = { "volts=" IF_X_TABLE "15," IF_TABLE "5 gauge V",
		NULL };
	static const char *const rates[] = { "rate=" IF_X_TABLE "15," IF_TABLE "5 gauge bit/s",
		NULL };
	static const double tenths[] = { 1, 0.1 }, kilobits[] = { 1000, 1 };
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "a", 0 }, { IF_TABLE "5.1", NULL, 64000 },
		{ IF_X_TABLE "15.1", NULL, 100000 }, { NULL, NULL, 0 } };
	struct table *table;
	struct fail why;

	for (int i = 0; i < 2; i++) {
		bed.task = calloc(1, sizeof *bed.task);
		bed.group = bed_group("if", 60 * LOOP_S, i == 0 ? volts : rates, KEYS, NULL);
		bed_scales(bed.group, i == 0 ? "volts" : "rate", i == 0 ? tenths : kilobits);
		bed.task->group = bed.group;
		context = (struct ask_context){ .task = bed.task, .group = bed.group, .now = 5,
			.version = 2 };
		table = walk_lines(table_new("sw-1", bed.group, NULL, &why), lines);
		CHECK_NEAR(reading_of("a", i == 0 ? "volts" : "rate").number,
			i == 0 ? 1e5 : 1e8, 0);
		end_lines(table);
	}
}

/* The device fell silent before the next alternative's turn came. */
static void
an_alternative_that_was_not_asked_for_is_no_missing_object(void)
{
	static const struct line before[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "9.1", NULL, 10 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	static const struct line after[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "10.1", NULL, 100 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, before);
	struct ask ask;

	CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
	bed_task_begin(bed.task);
	table_begin(table, &context);
	CHECK(table_next(table, &context, &limit, &ask));
	answer_from(table, after, &ask);
	end_table(table, false);
	CHECK_NEAR(reading_of("a", "oper").number, 1, 0);
	CHECK(bed_reading(bed.task, "a", "alt") == NULL);
	end_lines(table);
}

static void
rows_are_found_in_any_column_and_named_by_index_without_a_key(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.5", NULL, 1 }, { IF_TABLE "9.83890086", NULL, 7 },
		{ NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	CHECK_NEAR(reading_of("5", "oper").number, 1, 0);
	CHECK_NEAR(reading_of("83890086", "alt").number, 7, 0);
	end_lines(table);
}

static void
columns_that_nobody_has_are_not_asked_for_each_time(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "10.1", NULL, 100 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);
	struct ask ask;

	CHECK_NEAR(reading_of("a", "alt").number, 100, 0);
	table_begin(table, &context);
	CHECK(table_next(table, &context, &limit, &ask));
	CHECK_INT(ask.count, 3); /* ifName, oper and the alternative that is there */
	end_table(table, false);
	walk_lines(table, lines);
	CHECK_NEAR(reading_of("a", "alt").number, 100, 0);
	end_lines(table);
}

/* As an agent has none that answers before its interfaces are known to it. */
static void
a_table_without_rows_says_nothing_of_the_columns_that_rows_will_have(void)
{
	static const struct line none[] = { { NULL, NULL, 0 } };
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "9.1", NULL, 10 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, none);

	walk_lines(table, none);
	walk_lines(table, lines);
	CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
	walk_lines(table, none);
	for (int poll = 0; poll < 3; poll++) {
		walk_lines(table, lines);
		CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
		CHECK_INT(bed.task->row_count, 1);
	}
	end_lines(table);
}

static void
a_row_whose_name_could_not_be_read_is_not_told_under_another(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 1 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);
	struct session_answer broken = { .reason = REASON_GOOD, .text = "", .error_status = 5,
		.error_index = 1, .received = 5 };
	struct ask ask;

	CHECK_INT(reading_of("a", "oper").reason, REASON_GOOD);
	bed_task_begin(bed.task);
	table_begin(table, &context);
	CHECK(table_next(table, &context, &limit, &ask));
	table_feed(table, &context, &ask, &broken); /* ifName: genErr */
	while (table_next(table, &context, &limit, &ask))
		answer_from(table, lines, &ask);
	CHECK_INT(end_table(table, true), REASON_BAD_REPLY);
	CHECK_INT(bed.task->told_count, 0);
	CHECK_STR(bed.task->error, "table \"if\": column 1.3.6.1.2.1.31.1.1.1.1: the agent "
		"answered with an error");
	end_lines(table);
}

static void
a_row_that_an_agent_leaves_nameless_for_once_is_told_under_no_other_name(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 1 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	static const struct line nameless[] = { { IF_TABLE "8.1", NULL, 2 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	walk_lines(table, nameless);
	CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
	CHECK_INT(bed.task->told_count, 0);
	CHECK_STR(bed.task->error,
		"table \"if\": column 1.3.6.1.2.1.31.1.1.1.1: a row has lost its name");
	/* It has not been given up to look for it. */
	walk_lines(table, lines);
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_NEAR(reading_of("a", "oper").number, 1, 0);
	/* No row has one, for as long as no switch needs to start. */
	for (int poll = 0; poll < 10; poll++) {
		walk_lines(table, nameless);
		CHECK_INT(bed.task->told_count, 0);
	}
	walk_lines(table, nameless);
	CHECK_NEAR(reading_of("1", "oper").number, 2, 0);
	end_lines(table);
}

static void
a_row_whose_better_name_an_agent_leaves_away_for_once_is_not_told_by_the_other(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 1 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	static const struct line worse[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 2 }, { NULL, NULL, 0 } };
	static const struct line other[] = {
		{ IF_TABLE "2.1", "lan", 0 }, { IF_TABLE "8.1", NULL, 3 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	walk_lines(table, worse);
	CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
	CHECK_INT(bed.task->told_count, 0);
	walk_lines(table, lines);
	CHECK_NEAR(reading_of("a", "oper").number, 1, 0);
	/* That is what it is called from now on. */
	walk_lines(table, worse);
	walk_lines(table, worse);
	CHECK_NEAR(reading_of("eth", "oper").number, 2, 0);
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	/* And where a better one is not asked for, another name is a new name. */
	walk_lines(table, other);
	CHECK_NEAR(reading_of("lan", "oper").number, 3, 0);
	end_lines(table);
}

/* A switch that starts may have its one table before the other. */
static void
a_better_name_that_was_hidden_for_some_polls_is_looked_for_again_soon(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 1 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	static const struct line worse[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 2 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);

	for (int hidden = 1; hidden <= 6; hidden++) {
		int polls = 1;

		for (int poll = 0; poll < hidden; poll++)
			walk_lines(table, worse);
		while (walk_lines(table, lines), bed_reading(bed.task, "a", "oper") == NULL)
			CHECK(++polls <= hidden);
	}
	end_lines(table);
}

/* They change behind the first question. */
static void
walk_changing(struct table *table, const struct line *lines, const struct line *then,
	const struct ask_limit *most)
{
	struct ask ask;

	bed_task_begin(bed.task);
	table_begin(table, &context);
	for (int i = 0; next_ask(table, most, &ask); i++)
		answer_from(table, i == 0 ? lines : then, &ask);
	bed.task->rest = end_table(table, true);
}

/* Of three rows the last two change places. */
static const struct line three_rows[] = {
	{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 2 }, { IF_TABLE "8.3", NULL, 3 },
	{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 20 },
	{ IF_TABLE "9.3", NULL, 30 }, { IF_X_TABLE "1.1", "a", 0 },
	{ IF_X_TABLE "1.2", "b", 0 }, { IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
static const struct line two_swapped[] = {
	{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 3 }, { IF_TABLE "8.3", NULL, 2 },
	{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 30 },
	{ IF_TABLE "9.3", NULL, 20 }, { IF_X_TABLE "1.1", "a", 0 },
	{ IF_X_TABLE "1.2", "c", 0 }, { IF_X_TABLE "1.3", "b", 0 }, { NULL, NULL, 0 } };

/* What a row lacks in the first column is asked for when its name has come already. */
static void
rows_that_change_places_between_two_questions_are_not_told_of_one_another(void)
{
	static const struct line first[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 1 }, { IF_TABLE "8.3", NULL, 1 },
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "10.2", NULL, 20 },
		{ IF_TABLE "10.3", NULL, 30 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "1.2", "b", 0 }, { IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 1 }, { IF_TABLE "8.3", NULL, 1 },
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "10.2", NULL, 30 },
		{ IF_TABLE "10.3", NULL, 20 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "1.2", "c", 0 }, { IF_X_TABLE "1.3", "b", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, first);

	CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
	walk_changing(table, first, then, &limit);
	CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
	CHECK_NEAR(reading_of("b", "oper").number, 1, 0);
	CHECK_INT(reading_of("b", "alt").reason, REASON_BAD_REPLY);
	CHECK_INT(reading_of("c", "alt").reason, REASON_BAD_REPLY);
	CHECK(strstr(bed.task->error, "got other names, or were reset, while they") != NULL);
	walk_lines(table, then);
	CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
	CHECK_NEAR(reading_of("c", "alt").number, 30, 0);
	end_lines(table);
}

/* With room for few columns in a question the others come when the names have come already. */
static void
of_rows_that_change_places_between_columns_nothing_is_told(void)
{
	const struct ask_limit one = { .varbinds = 8, .bytes = limit.bytes, .columns = 1 };
	struct table *table = walk_lines(NULL, three_rows);
	struct ask ask;

	walk_changing(table, three_rows, three_rows, &one);
	CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
	walk_changing(table, three_rows, two_swapped, &one);
	CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
	CHECK(bed_reading(bed.task, "b", "alt") == NULL);
	CHECK(bed_reading(bed.task, "c", "oper") == NULL);
	CHECK_INT(bed.task->rest, REASON_BAD_REPLY);
	/* The time is over before the names come again. */
	bed_task_begin(bed.task);
	table_begin(table, &context);
	for (int i = 0; i < 3 && next_ask(table, &one, &ask); i++)
		answer_from(table, two_swapped, &ask);
	end_table(table, false);
	CHECK(bed_reading(bed.task, "a", "oper") == NULL);
	walk_changing(table, two_swapped, two_swapped, &one);
	CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
	CHECK_NEAR(reading_of("c", "oper").number, 3, 0);
	end_lines(table);
}

/* Another poller that reads it next must not count from there. */
static void
a_counter_that_was_not_read_when_its_row_changed_places_is_forgotten(void)
{
	static const char *const two[] = { "in=" IF_TABLE "9 counter", "out=" IF_TABLE "10 counter",
		NULL };
	static const struct line lines[] = {
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 20 },
		{ IF_TABLE "10.1", NULL, 11 }, { IF_TABLE "10.2", NULL, 21 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "9.1", NULL, 20 }, { IF_TABLE "9.2", NULL, 10 },
		{ IF_X_TABLE "1.1", "b", 0 }, { IF_X_TABLE "1.2", "a", 0 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(table_of(bed_group("if", 60 * LOOP_S, two,
		IF_X_TABLE "1", NULL)), lines);

	CHECK_STR(bed.task->forgotten, "");
	walk_lines(table, then);
	CHECK_STR(bed.task->forgotten, "b/out a/out ");
	CHECK(reading_of("a", "in").discontinuity);
	walk_lines(table, then);
	CHECK_STR(bed.task->forgotten, "");
	end_lines(table);
}

/* It begins where another column has ended, beside names of later rows. */
static void
a_column_that_begins_in_the_midst_of_the_names_is_checked_as_well(void)
{
	static const struct line first[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "9.2", NULL, 20 },
		{ IF_TABLE "9.3", NULL, 30 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "1.2", "b", 0 }, { IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "9.1", NULL, 20 }, { IF_TABLE "9.2", NULL, 10 },
		{ IF_TABLE "9.3", NULL, 30 }, { IF_X_TABLE "1.1", "b", 0 },
		{ IF_X_TABLE "1.2", "a", 0 }, { IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	const struct ask_limit two = { .varbinds = 4, .bytes = limit.bytes, .columns = 2 };
	struct table *table = walk_lines(NULL, first);

	walk_changing(table, first, then, &two);
	CHECK(bed_reading(bed.task, "a", "alt") == NULL);
	CHECK(bed_reading(bed.task, "b", "alt") == NULL);
	CHECK_NEAR(reading_of("c", "alt").number, 30, 0);
	end_lines(table);
}

/* An agent may end an answer anywhere. */
static void
a_row_in_the_midst_of_which_an_answer_ends_comes_again_as_a_whole(void)
{
	for (lines_most = 4; lines_most <= 5; lines_most++) {
		struct table *table = walk_lines(NULL, three_rows);

		CHECK_INT(bed.task->told_count, 6);
		walk_changing(table, three_rows, two_swapped, &limit);
		CHECK_INT(bed.task->told_count, 6);
		CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
		CHECK_NEAR(reading_of("b", "oper").number, 2, 0);
		CHECK_NEAR(reading_of("b", "alt").number, 20, 0);
		CHECK_NEAR(reading_of("c", "oper").number, 3, 0);
		CHECK_NEAR(reading_of("c", "alt").number, 30, 0);
		end_lines(table);
	}
	lines_most = 0;
}

/* A long text in one of them, say. */
static void
a_row_that_does_not_fit_into_an_answer_is_checked_where_those_before_it_did(void)
{
	for (int changes = 0; changes < 2; changes++) {
		struct table *table = walk_lines(NULL, three_rows);
		struct ask ask;

		bed_task_begin(bed.task);
		table_begin(table, &context);
		for (int i = 0; next_ask(table, &limit, &ask); i++) {
			lines_most = i == 0 ? 4 : i == 1 ? 2 : 0;
			answer_from(table, changes && i > 1 ? two_swapped : three_rows, &ask);
		}
		lines_most = 0;
		bed.task->rest = end_table(table, true);
		CHECK_NEAR(reading_of("a", "alt").number, 10, 0);
		CHECK_INT(bed_reading(bed.task, "b", "alt") == NULL, changes);
		CHECK_INT(bed_reading(bed.task, "c", "alt") == NULL, changes);
		CHECK_INT(bed.task->rest, changes ? REASON_BAD_REPLY : REASON_NO_SUCH_ROW);
		end_lines(table);
	}
}

static void
counters_that_came_late_are_not_told_before_the_names_have_come_again(void)
{
	static const char *const two[] = { "in=" IF_TABLE "9 counter", "out=" IF_TABLE "10 counter",
		NULL };
	static const struct line lines[] = {
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "10.1", NULL, 11 },
		{ IF_X_TABLE "1.1", "a", 0 }, { NULL, NULL, 0 } };
	const struct ask_limit one = { .varbinds = 8, .bytes = limit.bytes, .columns = 1 };
	struct table *table = table_of(bed_group("if", 60 * LOOP_S, two, IF_X_TABLE "1", NULL));
	struct ask ask;

	lines_count = true;
	for (int poll = 0; poll < 2; poll++) {
		walk_changing(table, lines, lines, &one);
		CHECK(reading_of("a", "in").raw == 10 && reading_of("a", "out").raw == 11);
	}
	bed_task_begin(bed.task);
	table_begin(table, &context);
	for (int i = 0; i < 3 && next_ask(table, &one, &ask); i++)
		answer_from(table, lines, &ask);
	end_table(table, false);
	CHECK_INT(bed.task->told_count, 0);
	lines_count = false;
	end_lines(table);
}

/* Who has it may stand behind what was read. */
static void
a_row_takes_no_other_ones_name_where_the_names_were_not_read_to_their_end(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 2 }, { IF_TABLE "8.3", NULL, 3 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 2 }, { IF_TABLE "8.3", NULL, 3 },
		{ IF_X_TABLE "1.1", "c", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "1.3", "c", 0 }, { NULL, NULL, 0 } };
	const struct ask_limit two = { .varbinds = limit.varbinds, .bytes = limit.bytes,
		.repetitions = 2 };
	struct table *table = walk_lines(NULL, lines);
	struct ask ask;

	bed_task_begin(bed.task);
	table_begin(table, &context);
	CHECK(next_ask(table, &two, &ask));
	answer_from(table, then, &ask);
	end_table(table, false);
	CHECK_NEAR(reading_of("b", "oper").number, 2, 0);
	CHECK(bed_reading(bed.task, "c", "oper") == NULL);
	walk_lines(table, then);
	CHECK_NEAR(reading_of("c", "oper").number, 3, 0);
	end_lines(table);
}

/* What tells of a reset came before them. */
static void
counters_that_were_reset_before_they_came_are_not_told(void)
{
	static const char *const two[] = { "in=" IF_TABLE "9 counter", "out=" IF_TABLE "10 counter",
		NULL };
	static const struct line first[] = {
		{ IF_TABLE "9.1", NULL, 10 }, { IF_TABLE "10.1", NULL, 11 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "19.1", NULL, 5 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "9.1", NULL, 3 }, { IF_TABLE "10.1", NULL, 2 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "19.1", NULL, 6 }, { NULL, NULL, 0 } };
	const struct ask_limit two_columns = { .varbinds = 8, .bytes = limit.bytes, .columns = 2 };
	struct table *table = table_of(bed_group("if", 60 * LOOP_S, two, IF_X_TABLE "1",
		IF_X_TABLE "19"));

	lines_count = true;
	walk_changing(table, first, first, &two_columns);
	CHECK_INT(reading_of("a", "in").raw, 10);
	walk_changing(table, first, then, &two_columns);
	CHECK_INT(reading_of("a", "in").reason, REASON_BAD_REPLY);
	CHECK_INT(reading_of("a", "out").reason, REASON_BAD_REPLY);
	walk_changing(table, then, then, &two_columns);
	CHECK_INT(reading_of("a", "in").raw, 3);
	lines_count = false;
	end_lines(table);
}

/* An agent's times of resets may change all the time. */
static void
a_new_row_is_told_where_only_its_mark_changes_while_it_is_read(void)
{
	static const char *const three[] = { "in=" IF_TABLE "9 counter", "oper=" IF_TABLE "8 state",
		"out=" IF_TABLE "10 counter", NULL };
	static const struct line first[] = {
		{ IF_TABLE "8.1", NULL, 2 }, { IF_TABLE "9.1", NULL, 10 },
		{ IF_TABLE "10.1", NULL, 11 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "19.1", NULL, 5 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "8.1", NULL, 2 }, { IF_TABLE "9.1", NULL, 10 },
		{ IF_TABLE "10.1", NULL, 11 }, { IF_X_TABLE "1.1", "a", 0 },
		{ IF_X_TABLE "19.1", NULL, 6 }, { NULL, NULL, 0 } };
	const struct ask_limit three_columns = { .varbinds = 8, .bytes = limit.bytes, .columns = 3 };
	struct table *table = table_of(bed_group("if", 60 * LOOP_S, three, IF_X_TABLE "1",
		IF_X_TABLE "19"));

	lines_count = true;
	walk_changing(table, first, then, &three_columns);
	lines_count = false;
	CHECK_INT(reading_of("a", "oper").reason, REASON_GOOD);
	CHECK_INT(reading_of("a", "in").reason, REASON_GOOD);
	CHECK_INT(reading_of("a", "out").reason, REASON_BAD_REPLY);
	end_lines(table);
}

/* As rows without it are passed over. */
static void
a_column_that_is_ahead_of_the_names_is_not_told_of_a_row_that_got_another_one(void)
{
	static const struct line first[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 2 }, { IF_TABLE "8.3", NULL, 3 },
		{ IF_TABLE "8.4", NULL, 4 }, { IF_TABLE "9.3", NULL, 30 }, { IF_TABLE "9.4", NULL, 40 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "1.3", "c", 0 }, { IF_X_TABLE "1.4", "d", 0 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "8.1", NULL, 1 }, { IF_TABLE "8.2", NULL, 2 }, { IF_TABLE "8.3", NULL, 4 },
		{ IF_TABLE "8.4", NULL, 3 }, { IF_TABLE "9.3", NULL, 40 }, { IF_TABLE "9.4", NULL, 30 },
		{ IF_X_TABLE "1.1", "a", 0 }, { IF_X_TABLE "1.2", "b", 0 },
		{ IF_X_TABLE "1.3", "d", 0 }, { IF_X_TABLE "1.4", "c", 0 }, { NULL, NULL, 0 } };
	const struct ask_limit two = { .varbinds = limit.varbinds, .bytes = limit.bytes,
		.repetitions = 2 };
	struct table *table = walk_lines(NULL, first);

	walk_changing(table, first, then, &two);
	CHECK_NEAR(reading_of("c", "oper").number, 3, 0);
	CHECK_INT(reading_of("c", "alt").reason, REASON_BAD_REPLY);
	CHECK_INT(reading_of("d", "alt").reason, REASON_BAD_REPLY);
	walk_changing(table, then, then, &two);
	CHECK_NEAR(reading_of("c", "alt").number, 30, 0);
	CHECK_NEAR(reading_of("d", "alt").number, 40, 0);
	end_lines(table);
}

/* The better ones are looked for again and again. */
static void
rows_are_told_by_their_second_names_only_where_these_came_with_them(void)
{
	static const struct line first[] = {
		{ IF_TABLE "2.1", "a", 0 }, { IF_TABLE "2.2", "b", 0 }, { IF_TABLE "8.1", NULL, 1 },
		{ IF_TABLE "8.2", NULL, 2 }, { NULL, NULL, 0 } };
	static const struct line then[] = {
		{ IF_TABLE "2.1", "b", 0 }, { IF_TABLE "2.2", "a", 0 }, { IF_TABLE "8.1", NULL, 2 },
		{ IF_TABLE "8.2", NULL, 1 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(table_of(bed_group("if", 60 * LOOP_S, simple, KEYS, NULL)),
		first);

	for (int poll = 0; poll < 60; poll++) {
		walk_changing(table, first, then, &limit);
		CHECK_NEAR(reading_of("a", "oper").number, 1, 0);
		CHECK_NEAR(reading_of("b", "oper").number, 2, 0);
	}
	end_lines(table);
}

static void
what_no_row_has_is_asked_for_ever_more_seldom(void)
{
	static const struct line lines[] = {
		{ IF_TABLE "2.1", "eth", 0 }, { IF_TABLE "8.1", NULL, 2 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(NULL, lines);
	int most = lines_requests, often = 0;

	for (int poll = 1; poll < 100; poll++) {
		walk_lines(table, lines);
		often += lines_requests == most;
	}
	CHECK(often >= 7 && often <= 9);
	end_lines(table);
}

/* An agent whose columns go on for ever, as fast as it is asked. */
static void
an_endless_table_is_stopped_at_its_largest_number_of_rows(void)
{
	static const struct line none[] = { { NULL, NULL, 0 } };
	static uint32_t ids[ASK_MAX * 2][SNMP_OID_MAX];
	static struct varbind varbinds[ASK_MAX * 2];
	struct table *table = walk_lines(NULL, none);
	struct session_answer answer = { .reason = REASON_GOOD, .text = "",
		.varbinds = varbinds, .received = 5 };
	uint32_t index = 0;
	struct ask ask;

	table_free(table);
	bed_wire(bed.group)->include = "^never$";
	table = table_new("sw-1", bed.group, NULL, NULL);
	bed_task_begin(bed.task);
	table_begin(table, &context);
	while (table_next(table, &context, &limit, &ask)) {
		answer.count = ask.count * ask.max_repetitions;
		for (size_t i = 0; i < answer.count; i++) {
			const struct snmp_oid *column = &ask.oids[1 + i % ask.count];
			size_t count = index == 0 ? column->count : column->count - 1;

			memcpy(ids[i], column->ids, count * sizeof ids[i][0]);
			ids[i][count] = index + 1 + (uint32_t)(i / ask.count);
			varbinds[i] = (struct varbind){ .ids = ids[i], .count = count + 1,
				.value = { .type = VALUE_INTEGER, .integer = 1 } };
		}
		index += ask.max_repetitions;
		table_feed(table, &context, &ask, &answer);
		CHECK(index < TABLE_ROWS_MAX + 100);
	}
	CHECK_INT(table_rows(table), TABLE_ROWS_MAX + 1);
	CHECK_INT(end_table(table, true), REASON_BAD_REPLY);
	CHECK(strstr(bed.task->error, "the table does not end") != NULL);
	end_lines(table);
}

/* A firewall on the way that drops fragments, or an agent that chokes. */
static size_t
lose_long_answers(uint8_t *bytes, size_t size, size_t room)
{
	(void)bytes, (void)room;
	return size > 700 ? 0 : size;
}

static unsigned
lost_in_a_poll(void)
{
	poll_once();
	return bed.task->asked - bed.task->answered;
}

static void
begin_new_process(const char *dir)
{
	struct fail why;

	snmp_driver.close(bed.work);
	snmp_driver.detach(bed.state);
	snmp_free(bed.snmp);
	bed.snmp = snmp_new(bed.loop, dir, &why);
	CHECK(bed.snmp != NULL);
	attach();
}

static void
the_length_of_answers_that_come_through_outlives_the_process(void)
{
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];
	unsigned lost = 1;

	CHECK(mkdtemp(dir) != NULL);
	open_bed(60, 2);
	attach();
	bed_spoil(bed.agent, lose_long_answers);
	begin_new_process(dir);
	CHECK(lost_in_a_poll() > 0);
	for (int i = 0; i < 10 && lost > 0; i++)
		lost = lost_in_a_poll();
	CHECK_INT(lost, 0);
	begin_new_process(dir);
	CHECK_INT(lost_in_a_poll(), 0);
	CHECK_INT(reading_of("ge-1/5", "oper").reason, REASON_GOOD);
	close_bed();
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

static void
a_length_that_gets_lost_again_and_again_is_tried_seldom(void)
{
	unsigned polls = 0;

	open_bed(60, 2);
	attach();
	bed_spoil(bed.agent, lose_long_answers);
	for (int i = 0; i < 90; i++)
		polls += lost_in_a_poll() > 0;
	CHECK(polls > 0);
	CHECK(polls <= 8);
	bed_spoil(bed.agent, NULL);
	polls = 0;
	for (int i = 0; i < 900; i++)
		polls += lost_in_a_poll() > 0;
	CHECK_INT(polls, 0);
	close_bed();
}

static void
that_a_length_got_lost_again_and_again_outlives_the_process(void)
{
	char dir[] = "/tmp/pollwerk-snmp-XXXXXX", file[64];
	unsigned polls = 0;

	CHECK(mkdtemp(dir) != NULL);
	open_bed(60, 2);
	attach();
	bed_spoil(bed.agent, lose_long_answers);
	begin_new_process(dir);
	for (int i = 0; i < 90; i++)
		lost_in_a_poll();
	begin_new_process(dir);
	for (int i = 0; i < 90; i++)
		polls += lost_in_a_poll() > 0;
	CHECK_INT(polls, 0);
	close_bed();
	snprintf(file, sizeof file, "%s/rows", dir);
	unlink(file);
	CHECK(rmdir(dir) == 0);
}

/* ---- connections ---- */

#define NEW_TABLE "1.3.6.1.2.1.6.19.1.7"
#define OLD_TABLE "1.3.6.1.2.1.6.13.1.1"
#define FROM(port) ".1.4.10.1.0.9." #port ".1.4."
static const char *const states[] = { "state=" NEW_TABLE "," OLD_TABLE " state", NULL };
static struct snmp_peer peers[2];

static struct table *
open_connections(void)
{
	struct fail why;

	bed.task = calloc(1, sizeof *bed.task);
	bed.group = bed_group("conn", 60 * LOOP_S, states, NULL, NULL);
	bed.group->connections = true;
	bed.task->group = bed.group;
	CHECK(peer_parse("10.1.7.20:502", &peers[0], &why) == 0);
	CHECK(peer_parse("10.1.7.21:502", &peers[1], &why) == 0);
	bed_wire(bed.group)->peers = peers;
	bed_wire(bed.group)->peer_count = 2;
	context = (struct ask_context){ .task = bed.task, .group = bed.group, .now = 5,
		.version = 2 };
	return table_new("mes-db", bed.group, NULL, &why);
}

static void
several_connections_to_one_place_are_one_and_none_is_closed(void)
{
	static const struct line lines[] = {
		{ NEW_TABLE FROM(40001) "10.1.7.20.502", NULL, 11 },
		{ NEW_TABLE FROM(40002) "10.1.7.20.502", NULL, 5 },
		{ NEW_TABLE FROM(40003) "10.1.7.20.502", NULL, 3 },
		{ NEW_TABLE FROM(40004) "10.1.7.99.502", NULL, 5 },
		{ NEW_TABLE FROM(40005) "10.1.7.21.503", NULL, 5 },
		{ OLD_TABLE ".10.1.0.9.40006.10.1.7.21.502", NULL, 5 }, { NULL, NULL, 0 } };
	static const struct line later[] = {
		{ NEW_TABLE FROM(40001) "10.1.7.99.502", NULL, 5 },
		{ NEW_TABLE FROM(40009) "10.1.7.21.502", NULL, 5 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(open_connections(), lines);

	CHECK_INT(bed.task->row_count, 2);
	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 5, 0);
	CHECK_NEAR(reading_of("10.1.7.21:502", "state").number, 1, 0);
	CHECK_INT(reading_of("10.1.7.21:502", "state").reason, REASON_GOOD);
	CHECK_INT(reading_of("10.1.7.21:502", "state").received, 5);
	walk_lines(table, later);
	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 1, 0);
	CHECK_NEAR(reading_of("10.1.7.21:502", "state").number, 5, 0);
	CHECK_INT(bed.task->row_count, 2);
	end_lines(table);
}

static void
a_connection_without_a_state_takes_no_other_ones_place(void)
{
	struct table *table = open_connections();
	static uint32_t ids[3][SNMP_OID_MAX];
	struct varbind varbinds[3] = { { .value = { .type = VALUE_INTEGER, .integer = 11 } },
		{ .value = { .type = VALUE_NO_SUCH_INSTANCE } }, { .value = { .type = VALUE_NULL } } };
	struct session_answer answer = { .reason = REASON_GOOD, .text = "", .received = 5,
		.varbinds = varbinds, .count = 3 };
	struct fail why;
	struct ask ask;

	for (uint32_t i = 0; i < 3; i++) {
		CHECK(snmp_oid_parse(NEW_TABLE FROM(40001) "10.1.7.20.502", ids[i],
			&varbinds[i].count, &why) == 0);
		ids[i][10 + 6] = 40001 + i;
		varbinds[i].ids = ids[i];
	}
	bed_task_begin(bed.task);
	table_begin(table, &context);
	CHECK(table_next(table, &context, &limit, &ask));
	CHECK_INT(ask.count, 1);
	table_feed(table, &context, &ask, &answer);
	varbinds[0].value.type = VALUE_END_OF_VIEW;
	answer.count = 1;
	while (table_next(table, &context, &limit, &ask))
		table_feed(table, &context, &ask, &answer);
	CHECK_INT(end_table(table, true), REASON_NO_SUCH_ROW);
	CHECK_INT(reading_of("10.1.7.20:502", "state").reason, REASON_GOOD);
	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 11, 0);
	end_lines(table);
}

static void
places_by_ipv6_are_found_beside_those_by_ipv4(void)
{
	static const struct line lines[] = {
		{ NEW_TABLE FROM(40001) "10.1.7.20.502", NULL, 5 },
		{ NEW_TABLE ".2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.9.50000."
			"2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.32.502", NULL, 8 },
		{ NEW_TABLE ".2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.9.50001."
			"2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.32.502", NULL, 5 }, { NULL, NULL, 0 } };
	static const struct line later[] = {
		{ NEW_TABLE FROM(40001) "10.1.7.20.502", NULL, 5 }, { NULL, NULL, 0 } };
	struct table *table = open_connections();
	struct fail why;

	CHECK(peer_parse("[2001:db8::20]:502", &peers[1], &why) == 0);
	walk_lines(table, lines);
	CHECK_INT(bed.task->row_count, 2);
	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 5, 0);
	CHECK_NEAR(reading_of("[2001:db8::20]:502", "state").number, 5, 0);
	walk_lines(table, later);
	CHECK_NEAR(reading_of("[2001:db8::20]:502", "state").number, 1, 0);
	end_lines(table);
}

static void
an_agent_with_the_old_table_only_tells_by_that(void)
{
	static const struct line lines[] = {
		{ OLD_TABLE ".0.0.0.0.22.0.0.0.0.0", NULL, 2 },
		{ OLD_TABLE ".10.1.0.9.40006.10.1.7.21.502", NULL, 5 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(open_connections(), lines);

	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 1, 0);
	CHECK_NEAR(reading_of("10.1.7.21:502", "state").number, 5, 0);
	end_lines(table);
}

static void
an_agent_that_hides_its_connections_proves_nothing(void)
{
	static const struct line lines[] = { { IF_TABLE "8.1", NULL, 1 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(open_connections(), lines);

	CHECK_INT(bed.task->told_count, 0);
	CHECK_INT(bed.task->rest, REASON_NO_SUCH_ROW);
	CHECK_STR(bed.task->error, "table \"conn\": the agent has no rows");
	end_lines(table);
}

static void
a_list_that_was_not_read_to_its_end_proves_no_absence(void)
{
	static const struct line lines[] = {
		{ NEW_TABLE FROM(40002) "10.1.7.20.502", NULL, 5 }, { NULL, NULL, 0 } };
	struct table *table = walk_lines(open_connections(), lines);
	struct varbind varbind = { .value = { .type = VALUE_INTEGER, .integer = 5 } };
	struct session_answer answer = { .reason = REASON_GOOD, .text = "", .received = 9,
		.varbinds = &varbind, .count = 1 };
	uint32_t ids[SNMP_OID_MAX];
	struct fail why;
	struct ask ask;
	uint32_t port = 0;

	CHECK(snmp_oid_parse(NEW_TABLE FROM(1) "10.1.7.20.502", ids, &varbind.count, &why) == 0);
	varbind.ids = ids;
	bed_task_begin(bed.task);
	table_begin(table, &context);
	while (table_next(table, &context, &limit, &ask)) {
		CHECK(++port <= TABLE_ROWS_MAX);
		ids[10 + 6] = port;
		table_feed(table, &context, &ask, &answer);
	}
	CHECK_INT(port, TABLE_ROWS_MAX);
	CHECK_INT(end_table(table, true), REASON_BAD_REPLY);
	CHECK(strstr(bed.task->error, "stopped, the table does not end") != NULL);
	CHECK_NEAR(reading_of("10.1.7.20:502", "state").number, 5, 0);
	CHECK(bed_reading(bed.task, "10.1.7.21:502", "state") == NULL);
	end_lines(table);
}

/* ---- by names, as the fast engine reads them, and by arcs ---- */

/* Single arcs of one to five octets, some of several, one that is long. */
static const struct snmp_oid indexes[] = {
	{ (const uint32_t[]){ 1 }, 1 }, { (const uint32_t[]){ 2 }, 1 },
	{ (const uint32_t[]){ 2, 0 }, 2 }, { (const uint32_t[]){ 2, 300 }, 2 },
	{ (const uint32_t[]){ 127 }, 1 }, { (const uint32_t[]){ 128 }, 1 },
	{ (const uint32_t[]){ 16383 }, 1 }, { (const uint32_t[]){ 16384 }, 1 },
	{ (const uint32_t[]){ 10101, 7 }, 2 }, { (const uint32_t[]){ 436207616 }, 1 },
	{ (const uint32_t[]){ 436207616, 4294967295 }, 2 },
	{ (const uint32_t[]){ 4294967295 }, 1 },
	{ (const uint32_t[]){ 4294967295, 10, 1, 7, 20, 502, 3, 4, 5 }, 9 },
};
#define INDEXES (sizeof indexes / sizeof indexes[0])

/* An answer in both forms. Names need what stands before them in a message. */
struct twice {
	struct varbind arcs[ASK_MAX], names[ASK_MAX];
	uint32_t ids[ASK_MAX][SNMP_OID_MAX];
	uint8_t bytes[ASK_MAX][20 + 5 * SNMP_OID_MAX];
	size_t count;
};

static void
put_both(struct twice *twice, const struct snmp_oid *oid, const struct snmp_oid *index,
	struct value value)
{
	size_t i = twice->count++, count = oid->count;
	uint32_t *ids = twice->ids[i];
	uint8_t *name = twice->bytes[i] + 20;

	memcpy(ids, oid->ids, oid->count * sizeof *ids);
	if (index != NULL) {
		memcpy(ids + count, index->ids, index->count * sizeof *ids);
		count += index->count;
	}
	name[0] = (uint8_t)(40 * ids[0] + ids[1]);
	twice->arcs[i] = (struct varbind){ .ids = ids, .count = count, .value = value };
	twice->names[i] = (struct varbind){ .name = name, .value = value, .name_size = 1 +
		(uint32_t)oid_tail_to_wire(name + 1, 5 * SNMP_OID_MAX, ids + 2, count - 2) };
}

static unsigned
throw(uint64_t *seed, unsigned sides)
{
	return dice_below(seed, sides);
}

/* Of an OID that was asked for. */
static size_t
column_arcs(const struct snmp_oid *oid)
{
	return oid->ids[6] == 2 ? 10 : 11; /* ifTable, ifXTable */
}

static size_t
row_after(const struct snmp_oid *oid)
{
	size_t row = 0, arcs = column_arcs(oid);

	while (row < INDEXES && oid_compare(oid->ids + arcs, oid->count - arcs,
		indexes[row].ids, indexes[row].count) >= 0)
		row++;
	return row;
}

/* A name for each row in the columns of names, a count in all others. */
static struct value
value_of(const struct snmp_oid *column, size_t row)
{
	static const char names[] = "abcdefghijklmnopq";

	if (column->ids[column->count - 1] <= 2)
		return (struct value){ .type = VALUE_OCTETS, .size = 1,
			.octets = (const uint8_t *)names + (row < 16 ? row : 16) };
	return (struct value){ .type = VALUE_COUNTER64, .count = row * 1000 + column->count };
}

/* The rows that come next, from an agent that breaks each rule once in `honest` times. */
static void
answer_twice(struct twice *twice, const struct ask *ask, uint64_t *seed, unsigned honest)
{
	twice->count = 0;
	for (size_t r = 0; r < ask->max_repetitions; r++)
		for (size_t i = 0; i < ask->count; i++) {
			size_t row = row_after(&ask->oids[1 + i]) + r, of = i;
			struct snmp_oid column;
			struct value value;

			if (throw(seed, honest) == 0)
				row = throw(seed, INDEXES + 2);
			if (throw(seed, honest) == 0)
				of = throw(seed, (unsigned)ask->count);
			column = (struct snmp_oid){ ask->oids[1 + of].ids, column_arcs(&ask->oids[1 + of]) };
			value = value_of(&column, throw(seed, honest) == 0 ? 16 : row);
			if (row > INDEXES && throw(seed, 2) == 0)
				column.count--;
			if (throw(seed, honest) == 0)
				value.type = VALUE_NULL + throw(seed, 4);
			put_both(twice, &column, row < INDEXES ? &indexes[row] : NULL, value);
		}
}

static void
check_same_question(const struct ask *one, const struct ask *other)
{
	CHECK_INT(one->count, other->count);
	CHECK_INT(one->max_repetitions, other->max_repetitions);
	for (size_t i = 0; i < one->count; i++)
		CHECK(oid_compare(one->oids[i].ids, one->oids[i].count, other->oids[i].ids,
			other->oids[i].count) == 0);
}

static void
check_same_told(const struct task *one, const struct task *other)
{
	CHECK_INT(one->row_count, other->row_count);
	CHECK_INT(one->told_count, other->told_count);
	CHECK_INT(one->rest, other->rest);
	CHECK_STR(one->error, other->error);
	for (size_t i = 0; i < one->told_count; i++) {
		const struct reading *x = &one->told[i].reading, *y = &other->told[i].reading;

		CHECK_STR(one->keys[x->row], other->keys[y->row]);
		CHECK_INT(x->point, y->point);
		CHECK_INT(x->reason, y->reason);
		CHECK_INT(x->raw, y->raw);
		CHECK_INT(x->bits, y->bits);
		CHECK_INT(x->received, y->received);
		CHECK_INT(x->discontinuity, y->discontinuity);
	}
}

static void
poll_twice(struct table *tables[2], struct task *tasks[2], uint64_t *seed, unsigned honest)
{
	static struct twice twice;
	struct session_answer answer = { .reason = REASON_GOOD, .text = "", .received = 5 };
	static struct ask asks[2];

	for (int t = 0; t < 2; t++) {
		bed_task_begin(tasks[t]);
		context.task = tasks[t];
		table_begin(tables[t], &context);
	}
	for (int requests = 0; requests < 40; requests++) {
		bool more = next_ask(tables[0], &limit, &asks[0]);

		CHECK(table_next(tables[1], &context, &limit, &asks[1]) == more);
		if (!more)
			break;
		check_same_question(&asks[0], &asks[1]);
		answer_twice(&twice, &asks[0], seed, honest);
		answer.count = twice.count;
		for (int t = 0; t < 2; t++) {
			answer.varbinds = t == 0 ? twice.arcs : twice.names;
			context.task = tasks[t];
			table_feed(tables[t], &context, &asks[t], &answer);
		}
	}
	for (int t = 0; t < 2; t++) {
		context.task = tasks[t];
		tasks[t]->rest = t == 0 ? end_table(tables[t], true) : end_by_and_by(tables[t]);
	}
	check_same_told(tasks[0], tasks[1]);
}

static void
a_table_says_the_same_read_by_names_and_by_arcs(void)
{
	static const char *const counted[] = { "in=" IF_X_TABLE "6," IF_TABLE "10 counter B/s",
		"errors=" IF_TABLE "14 counter", "oper=" IF_TABLE "8 state", NULL };
	struct group *group = bed_group("if", 60 * LOOP_S, counted, KEYS, NULL);
	struct task *tasks[2] = { calloc(1, sizeof *tasks[0]), calloc(1, sizeof *tasks[1]) };
	uint64_t seed = 4711;
	size_t told = 0;

	for (unsigned trial = 0; trial < 300; trial++) {
		struct table *tables[2];
		struct fail why;

		for (int t = 0; t < 2; t++) {
			tasks[t]->group = group;
			tasks[t]->row_count = 0;
			tables[t] = table_new("sw-1", group, NULL, &why);
		}
		for (unsigned poll = 0; poll < 6; poll++) {
			context = (struct ask_context){ .group = group, .now = 5 + poll, .version = 2 };
			poll_twice(tables, tasks, &seed, trial % 3 == 0 ? 5 : 20u << trial % 8);
			told += tasks[1]->told_count;
		}
		table_free(tables[0]);
		table_free(tables[1]);
	}
	CHECK(told > 5000);
	bed_group_free(group);
	free(tasks[0]);
	free(tasks[1]);
}

/* ---- at sight, and octet by octet ---- */

/* An answer as octets, as answer_twice has it, some of them changed once in `honest` times; behind
 * the last row is mostly the end. */
static struct ber_peek
octets_of(struct twice *twice, uint64_t *seed, unsigned honest)
{
	static uint8_t bytes[64 * 1024];
	struct pen pen = { bytes, bytes + sizeof bytes };
	size_t size;

	for (size_t i = twice->count; i > 0; i--) {
		struct varbind *varbind = &twice->arcs[i - 1];
		const uint8_t *end = pen.at;
		static const uint8_t tags[] = { [VALUE_NULL] = TAG_NULL,
			[VALUE_NO_SUCH_OBJECT] = TAG_NO_SUCH_OBJECT,
			[VALUE_NO_SUCH_INSTANCE] = TAG_NO_SUCH_INSTANCE,
			[VALUE_END_OF_VIEW] = TAG_END_OF_VIEW };

		if (varbind->count <= 10 && throw(seed, honest) != 0)
			varbind->value.type = VALUE_END_OF_VIEW;
		if (varbind->value.type == VALUE_OCTETS) {
			put_bytes(&pen, varbind->value.octets, varbind->value.size);
			put_head(&pen, end, TAG_OCTETS);
		} else if (varbind->value.type == VALUE_COUNTER64) {
			put_integer(&pen, (int32_t)varbind->value.count);
			*pen.at = throw(seed, honest) == 0 ? TAG_COUNTER32 : TAG_COUNTER64;
		} else {
			put_head(&pen, end, tags[varbind->value.type]);
		}
		put_name(&pen, &(struct snmp_oid){ varbind->ids, varbind->count });
		put_head(&pen, end, TAG_SEQUENCE);
	}
	CHECK(pen.at > bytes + 16);
	size = (size_t)(bytes + sizeof bytes - pen.at);
	for (unsigned n = throw(seed, honest) == 0 ? 1 + throw(seed, 3) : 0; n > 0; n--)
		pen.at[throw(seed, (unsigned)size)] ^= (uint8_t)(1u << throw(seed, 8));
	return (struct ber_peek){ .list = pen.at, .list_size = size };
}

static struct seeing {
	struct table *table;
	const struct ask *ask;
} seeing;

static size_t
see(const uint8_t **at, const uint8_t *end, void *arg)
{
	(void)arg;
	return table_read(seeing.table, seeing.ask, at, end);
}

/* False: refused, as by both. */
static bool
feed_octets(struct table *tables[2], struct task *tasks[2], const struct ask *asks,
	const struct ber_peek *peek)
{
	static struct fast_room rooms[2];
	static int64_t received;
	struct session_request request = { .names = true, .read = see };
	struct session_answer answer = { .reason = REASON_GOOD, .text = "",
		.received = ++received };
	size_t count = 0, other = 0;
	int said;

	seeing = (struct seeing){ tables[1], &asks[1] };
	said = fast_read_names(peek, &rooms[0], 0, &count);
	CHECK_INT(fast_read_answer(peek, &rooms[1], &request, &other), said);
	if (said == -1)
		return false;
	CHECK_INT(count, other);
	answer.count = count;
	for (int t = 0; t < 2; t++) {
		answer.varbinds = rooms[t].varbinds;
		answer.known = t == 0 ? 0 : rooms[1].known;
		context.task = tasks[t];
		table_feed(tables[t], &context, &asks[t], &answer);
	}
	at_sight += answer.known;
	return true;
}

static void
poll_seeing(struct table *tables[2], struct task *tasks[2], uint64_t *seed, unsigned honest)
{
	static struct twice twice;
	static struct ask asks[2];

	for (int t = 0; t < 2; t++) {
		bed_task_begin(tasks[t]);
		context.task = tasks[t];
		table_begin(tables[t], &context);
	}
	for (int requests = 0; requests < 40; requests++) {
		struct ask_limit few = { .varbinds = (uint16_t)(3 + throw(seed, 47)) };
		bool more = next_ask(tables[0], &few, &asks[0]);
		struct ber_peek peek;

		CHECK(table_next(tables[1], &context, &few, &asks[1]) == more);
		if (!more)
			break;
		check_same_question(&asks[0], &asks[1]);
		do {
			answer_twice(&twice, &asks[0], seed, honest);
			peek = octets_of(&twice, seed, honest);
		} while (!feed_octets(tables, tasks, asks, &peek));
	}
	for (int t = 0; t < 2; t++) {
		context.task = tasks[t];
		tasks[t]->rest = end_table(tables[t], true);
	}
	check_same_told(tasks[0], tasks[1]);
	for (size_t i = 0; i < tasks[0]->told_count; i++)
		CHECK_STR(tasks[0]->told[i].text, tasks[1]->told[i].text);
}

static void
a_table_says_the_same_read_at_sight_and_octet_by_octet(void)
{
	static const char *const counted[] = { "in=" IF_TABLE "3 counter B/s",
		"descr=" IF_TABLE "1 text", "errors=" IF_TABLE "14 counter",
		"oper=" IF_TABLE "8 state", NULL };
	struct group *group = bed_group("if", 60 * LOOP_S, counted, IF_TABLE "2", NULL);
	struct task *tasks[2] = { calloc(1, sizeof *tasks[0]), calloc(1, sizeof *tasks[1]) };
	const char *given = getenv("PW_FUZZ_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 815;

	at_sight = 0;
	for (unsigned trial = 0; trial < 300; trial++) {
		struct table *tables[2];
		struct fail why;

		group->point_count = trial % 2 == 0 ? 4 : 1;
		for (int t = 0; t < 2; t++) {
			tasks[t]->group = group;
			tasks[t]->row_count = 0;
			tables[t] = table_new("sw-1", group, NULL, &why);
		}
		for (unsigned poll = 0; poll < 6; poll++) {
			context = (struct ask_context){ .group = group, .now = 5 + poll, .version = 2 };
			poll_seeing(tables, tasks, &seed, 20u << trial % 8);
		}
		table_free(tables[0]);
		table_free(tables[1]);
	}
	CHECK(at_sight > 500);
	group->point_count = 4;
	bed_group_free(group);
	free(tasks[0]);
	free(tasks[1]);
}

RUN_TESTS(TEST(several_connections_to_one_place_are_one_and_none_is_closed),
	TEST(a_connection_without_a_state_takes_no_other_ones_place),
	TEST(places_by_ipv6_are_found_beside_those_by_ipv4),
	TEST(an_agent_with_the_old_table_only_tells_by_that),
	TEST(an_agent_that_hides_its_connections_proves_nothing),
	TEST(a_list_that_was_not_read_to_its_end_proves_no_absence),
	TEST(joins_the_columns_of_both_interface_tables_by_row),
	TEST(a_second_walk_asks_no_more_than_it_needs),
	TEST(an_old_agent_is_walked_row_by_row_with_32_bit_counters),
	TEST(a_walk_whose_answers_cannot_be_read_ends_as_a_bad_reply),
	TEST(a_renumbered_switch_keeps_its_names_and_values),
	TEST(a_vanished_row_is_told_by_nobody_and_closed_as_no_such_row),
	TEST(a_reset_of_counters_is_a_discontinuity_of_those_rows),
	TEST(a_restart_in_the_middle_of_a_walk_is_seen_in_the_same_poll),
	TEST(oids_that_do_not_increase_stop_the_column_and_what_was_read_stays),
	TEST(an_endless_table_is_stopped_before_the_next_poll),
	TEST(a_table_too_long_for_its_interval_is_in_the_log_once_until_it_is_read_as_a_whole),
	TEST(a_table_that_max_rate_makes_too_slow_is_an_overrun_of_ours),
	TEST(an_endless_table_makes_up_no_rows),
	TEST(an_endless_table_is_stopped_at_its_largest_number_of_rows),
	TEST(max_varbinds_is_kept_to_even_at_one),
	TEST(include_and_exclude_choose_rows_by_their_name),
		TEST(rows_that_nobody_wants_are_told_to_be_none),
		TEST(a_row_is_told_from_the_first_time_that_it_is_up_and_its_later_down_is_a_state),
		TEST(a_row_that_is_switched_off_is_told_until_it_is_given_up),
		TEST(rows_are_chosen_by_their_type_which_is_read_now_and_then), TEST(a_wrong_expression_is_named),
	TEST(a_device_that_dies_in_the_middle_keeps_what_it_told),
	TEST(a_long_walk_does_not_keep_a_short_group_waiting),
	TEST(varbinds_out_of_order_give_no_row_another_name),
	TEST(a_noisy_network_yields_right_values_or_none),
	TEST(a_large_table_is_told_in_portions_and_others_have_their_turn_between),
	TEST(a_large_table_that_is_being_told_can_be_cancelled_and_polled_again),
	TEST(an_empty_cell_costs_only_that_cell),
	TEST(a_counter_does_not_go_on_from_what_another_column_said),
	TEST(counters_around_one_that_was_not_read_are_told_as_their_own),
	TEST(what_a_row_says_of_itself_is_told_where_it_says_it),
	TEST(a_question_is_written_in_ber_as_far_as_its_names_are_short),
	TEST(a_text_that_is_the_name_as_well_is_told_of_a_row_that_gets_another_name),
	TEST(each_row_uses_the_first_alternative_that_it_has),
	TEST(a_speed_that_ifHighSpeed_rounds_to_nothing_or_tells_in_bits_is_right),
	TEST(only_speeds_are_taken_for_a_finer_unit_when_they_are_large),
	TEST(an_alternative_that_was_not_asked_for_is_no_missing_object),
	TEST(rows_are_found_in_any_column_and_named_by_index_without_a_key),
	TEST(columns_that_nobody_has_are_not_asked_for_each_time),
	TEST(a_table_without_rows_says_nothing_of_the_columns_that_rows_will_have),
	TEST(a_row_whose_name_could_not_be_read_is_not_told_under_another),
	TEST(a_row_that_an_agent_leaves_nameless_for_once_is_told_under_no_other_name),
	TEST(a_row_whose_better_name_an_agent_leaves_away_for_once_is_not_told_by_the_other),
	TEST(a_better_name_that_was_hidden_for_some_polls_is_looked_for_again_soon),
	TEST(rows_that_change_places_between_two_questions_are_not_told_of_one_another),
	TEST(of_rows_that_change_places_between_columns_nothing_is_told),
	TEST(a_counter_that_was_not_read_when_its_row_changed_places_is_forgotten),
	TEST(a_column_that_begins_in_the_midst_of_the_names_is_checked_as_well),
	TEST(a_row_in_the_midst_of_which_an_answer_ends_comes_again_as_a_whole),
	TEST(a_row_that_does_not_fit_into_an_answer_is_checked_where_those_before_it_did),
	TEST(counters_that_came_late_are_not_told_before_the_names_have_come_again),
	TEST(a_row_takes_no_other_ones_name_where_the_names_were_not_read_to_their_end),
	TEST(counters_that_were_reset_before_they_came_are_not_told),
	TEST(a_new_row_is_told_where_only_its_mark_changes_while_it_is_read),
	TEST(a_column_that_is_ahead_of_the_names_is_not_told_of_a_row_that_got_another_one),
	TEST(rows_are_told_by_their_second_names_only_where_these_came_with_them),
	TEST(what_no_row_has_is_asked_for_ever_more_seldom),
	TEST(a_table_says_the_same_read_by_names_and_by_arcs),
	TEST(a_table_says_the_same_read_at_sight_and_octet_by_octet),
	TEST(the_length_of_answers_that_come_through_outlives_the_process),
	TEST(a_length_that_gets_lost_again_and_again_is_tried_seldom),
	TEST(that_a_length_got_lost_again_and_again_outlives_the_process))

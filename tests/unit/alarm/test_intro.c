/* The first Monday: devices whose templates' rules are switched on for the first time. */
#include <unistd.h>

#include "../check.h"
#include "../plant.h"

#include "alarm/alarms.h"
#include "base/fail.h"
#include "journal/state.h"

#define S5 (5 * LOOP_S)
#define DEVICES 12

static const struct device devices[] = {
	PLANT_DEVICE("sw-0", S5), PLANT_DEVICE("sw-1", S5), PLANT_DEVICE("sw-2", S5),
	PLANT_DEVICE("sw-3", S5), PLANT_DEVICE("sw-4", S5), PLANT_DEVICE("sw-5", S5),
	PLANT_DEVICE("sw-6", S5), PLANT_DEVICE("sw-7", S5), PLANT_DEVICE("sw-8", S5),
	PLANT_DEVICE("sw-9", S5), PLANT_DEVICE("sw-10", S5), PLANT_DEVICE("sw-11", S5),
};
static char names[DEVICES][2][16];
static struct rule_options rules[DEVICES * 2 + 1];
static struct inventory plant = { .devices = devices, .device_count = DEVICES,
	.thresholds = rules, .threshold_count = DEVICES * 2 + 1,
	.poller = { .alarm_settle = 60 * LOOP_S, .alarm_rate = 6 } };

static struct loop *loop;
static struct alarms *alarms;
static struct state *state;
static struct plant_journal journal;
static struct transition told[256]; /* those that receivers get */
static size_t told_count;
static char folder[] = "/tmp/pollwerk-intro-XXXXXX", file[64];

static uint64_t
record(void *arg, enum record_kind kind, const void *body, size_t size)
{
	(void)arg;
	return plant_record(&journal, kind, body, size);
}

static void
changed(void *arg, const struct transition *transition, uint64_t number)
{
	(void)arg;
	(void)number;
	CHECK(told_count < 256);
	if (transition->sequence != 0)
		told[told_count++] = *transition;
}

static int
replay(void *arg, const struct record *found)
{
	return alarms_replay(arg, found);
}

static void
make_rules(void)
{
	static const struct rule_options psu = { .name = "psu-lost", .kind = RULE_ABOVE, .limit = 2,
		.clear = 1, .severity = SEVERITY_MAJOR, .help = "", .text = "", .place = "",
		.owner = "", .standard = true };
	static const struct rule_options errors = { .name = "if-errors", .kind = RULE_ABOVE,
		.limit = 1, .clear = 0, .hold = 90 * LOOP_S, .severity = SEVERITY_MINOR, .help = "",
		.text = "", .place = "", .owner = "", .standard = true };

	for (int i = 0; i < DEVICES; i++) {
		snprintf(names[i][0], sizeof names[i][0], "sw-%d/psu", i);
		snprintf(names[i][1], sizeof names[i][1], "sw-%d/errors", i);
		rules[i * 2] = psu;
		rules[i * 2].on = names[i][0];
		rules[i * 2 + 1] = errors;
		rules[i * 2 + 1].on = names[i][1];
	}
	rules[DEVICES * 2] = psu;
	rules[DEVICES * 2].name = "own-rule";
	rules[DEVICES * 2].on = "*/fan";
	rules[DEVICES * 2].standard = false;
}

/* A process: what is in the journal and in the state goes on. */
static void
start(void)
{
	struct alarms_options options = { .record = record, .changed = changed,
		.series = plant_by_id };
	struct feed_listener listener;
	struct fail why;

	make_rules();
	loop = loop_new(NULL);
	state = state_open(loop, file, &why);
	CHECK(state != NULL);
	options.loop = loop;
	options.state = state;
	alarms = alarms_new(&options, &plant);
	plant_replay(&journal, replay, alarms);
	told_count = 0;
	journal.feed.count = 0;
	alarms_begin(alarms);
	listener = alarms_listener(alarms);
	feed_add(&journal.feed, &listener);
}

static void
stop(void)
{
	alarms_free(alarms);
	CHECK(state_close(state));
	loop_free(loop);
}

static void
begin(void)
{
	CHECK(mkdtemp(folder) != NULL);
	snprintf(file, sizeof file, "%s/introduced", folder);
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	start();
}

static void
end(void)
{
	stop();
	record_buffer_free(&journal.bytes);
	journal = (struct plant_journal){ 0 };
	plant_series_count = 0;
	unlink(file);
	CHECK(rmdir(folder) == 0);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

/* One slot of the devices from..to-1. */
static void
slot(int from, int to, int point, double value)
{
	for (int i = from; i < to; i++)
		plant_good(&journal, loop, names[i][point], S5, value);
}

static void
pass(int64_t seconds)
{
	loop_sim_for(loop, seconds * LOOP_S);
}

static size_t
told_of(const char *rule, enum transition_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < told_count; i++)
		count += told[i].kind == kind && strncmp(told[i].key, rule, strlen(rule)) == 0;
	return count;
}

static void
what_is_wrong_at_first_is_one_notice_and_then_told_at_its_rate(void)
{
	begin();
	pass(5);
	slot(0, 10, 0, 2);
	CHECK_INT(alarms_count(alarms), 10); /* listed from the first moment */
	CHECK_INT(told_count, 0);
	pass(54);
	CHECK_INT(told_count, 0);
	pass(3);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].key, "poller-impaired/monitoring-began");
	CHECK_STR(told[0].text, "10 conditions were open when monitoring began: psu-lost 10");
	CHECK_STR(told[0].value, "10");
	CHECK_INT(told[0].severity, SEVERITY_MAJOR);
	/* Six a minute. */
	pass(60);
	CHECK_NEAR(told_of("psu-lost", TRANSITION_RAISE), 6, 1);
	pass(60);
	CHECK_INT(told_of("psu-lost", TRANSITION_RAISE), 10);
	for (size_t i = 1; i < 11; i++)
		CHECK(strstr(told[i].text, "MAJOR psu-lost sw-") == told[i].text);
	CHECK_INT(told[told_count - 1].kind, TRANSITION_CLEAR);
	CHECK_STR(told[told_count - 1].key, "poller-impaired/monitoring-began");
	CHECK_INT(alarms_count(alarms), 10);
	end();
}

static void
each_condition_ends_raised_or_in_the_summary(void)
{
	begin();
	pass(5);
	slot(0, 10, 0, 2);
	slot(0, 4, 1, 5); /* minor, and counts only when it lasts for 90 s */
	pass(10);
	slot(0, 3, 0, 1); /* well again before anybody was told */
	CHECK_INT(alarms_count(alarms), 7);
	pass(50);
	CHECK_STR(told[0].text, "7 conditions were open when monitoring began: psu-lost 7");
	pass(15);
	slot(3, 5, 0, 1); /* one was told meanwhile perhaps: then its end is told as well */
	CHECK_INT(told_of("psu-lost", TRANSITION_CLEAR), told_of("psu-lost", TRANSITION_RAISE) >
		2 ? 2 : told_of("psu-lost", TRANSITION_RAISE));
	pass(20);
	slot(0, 4, 1, 5); /* began in time: held as well, and told after the worse ones */
	pass(240);
	CHECK_INT(told_of("if-errors", TRANSITION_RAISE), 4);
	CHECK_INT(alarms_count(alarms), 5 + 4);
	CHECK_INT(told_of("poller-impaired", TRANSITION_CLEAR), 1);
	end();
}

static void
what_begins_later_and_what_people_wrote_is_told_at_once(void)
{
	begin();
	pass(5);
	plant_good(&journal, loop, "sw-1/fan", S5, 3);
	CHECK_INT(told_of("own-rule", TRANSITION_RAISE), 1);
	pass(70);
	slot(0, 1, 0, 1);
	pass(5);
	slot(0, 1, 0, 2);
	CHECK_INT(told_of("psu-lost", TRANSITION_RAISE), 1);
	CHECK_INT(told_of("poller-impaired", TRANSITION_RAISE), 0);
	end();
}

static void
what_was_well_at_first_is_news_also_while_all_is_gathered(void)
{
	begin();
	pass(5);
	slot(0, 2, 0, 2);
	slot(2, 3, 0, 1);
	pass(10);
	slot(0, 3, 0, 2); /* the third one breaks before our eyes */
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].key, "psu-lost/sw-2/psu");
	pass(50);
	CHECK_STR(told[1].text, "2 conditions were open when monitoring began: psu-lost 2");
	end();
}

static void
a_restart_loses_none_and_introduces_nobody_twice(void)
{
	begin();
	pass(5);
	slot(0, 10, 0, 2);
	pass(20);
	stop();
	start(); /* before the summary: it comes from this one */
	pass(5);
	slot(0, 10, 0, 2);
	CHECK_INT(told_count, 0);
	pass(60);
	CHECK_STR(told[0].text, "10 conditions were open when monitoring began: psu-lost 10");
	stop();
	start(); /* in the middle of telling: the rest is told, and no second summary */
	pass(200);
	CHECK_INT(told_of("poller-impaired", TRANSITION_RAISE), 0);
	CHECK_INT(told_of("poller-impaired", TRANSITION_CLEAR), 1);
	CHECK_NEAR(told_of("psu-lost", TRANSITION_RAISE), 10, 1);
	slot(10, 11, 0, 2);
	CHECK_NEAR(told_of("psu-lost", TRANSITION_RAISE), 11, 1);
	CHECK_INT(alarms_count(alarms), 11);
	end();
}

static void
a_journal_that_takes_nothing_delays_it_and_loses_nothing(void)
{
	begin();
	pass(5);
	slot(0, 10, 0, 2);
	journal.refuses = true;
	pass(120);
	CHECK_INT(told_count, 0);
	journal.refuses = false;
	pass(3);
	CHECK_INT(told_of("poller-impaired", TRANSITION_RAISE), 1);
	pass(180);
	CHECK_INT(told_of("psu-lost", TRANSITION_RAISE), 10);
	end();
}

static void
without_a_settling_time_all_is_told_at_once(void)
{
	plant.poller.alarm_settle = 0;
	begin();
	pass(5);
	slot(0, 10, 0, 2);
	CHECK_INT(told_of("psu-lost", TRANSITION_RAISE), 10);
	end();
	plant.poller.alarm_settle = 60 * LOOP_S;
}

RUN_TESTS(TEST(what_is_wrong_at_first_is_one_notice_and_then_told_at_its_rate),
	TEST(each_condition_ends_raised_or_in_the_summary),
	TEST(what_begins_later_and_what_people_wrote_is_told_at_once),
	TEST(what_was_well_at_first_is_news_also_while_all_is_gathered),
	TEST(a_restart_loses_none_and_introduces_nobody_twice),
	TEST(a_journal_that_takes_nothing_delays_it_and_loses_nothing),
	TEST(without_a_settling_time_all_is_told_at_once))

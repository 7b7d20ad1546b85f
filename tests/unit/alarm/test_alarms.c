#include "../check.h"
#include "../dice.h"
#include "../plant.h"

#include "alarm/alarms.h"
#include "core/frozen.h"
#include "path/paths.h"

#define S5 (5 * LOOP_S)

static const char *const press_parents[] = { "sw-hall3", NULL };
static const struct device devices[] = {
	PLANT_CHILD("press-3", S5, press_parents),
	PLANT_DEVICE("sw-hall3", S5),
};
static const struct rule_options rules[] = {
	{ .name = "oil-hot", .on = "press-*/oil_temp", .kind = RULE_ABOVE, .limit = 70,
		.clear = 65, .hold = 30 * LOOP_S, .severity = SEVERITY_MAJOR,
		.help = "check the cooler", .text = "", .place = "", .owner = "" },
	{ .name = "oil-low", .on = "press-3/oil_level", .kind = RULE_BELOW, .limit = 5,
		.clear = 8, .severity = SEVERITY_WARNING, .help = "", .text = "",
		.place = "hall3/pit", .owner = "crew-b" },
	{ .name = "no-pieces", .on = "press-3/pieces", .kind = RULE_NO_DATA,
		.hold = 60 * LOOP_S, .severity = SEVERITY_MINOR, .help = "", .text = "",
		.place = "", .owner = "" },
};
static const struct path_hop hops[] = { { (const char *const[]){ "sw-hall3" }, 1 },
	{ (const char *const[]){ "press-3" }, 1 } };
static const struct path_options path_options[] = { {
	.name = "press-3-mes", .sources = (const char *const[]){ "press-3/pieces" },
	.source_count = 1, .hops = hops, .hop_count = 2, .max_age = 15 * LOOP_S,
	.availability = 99.5, .window = 86400 * LOOP_S, .severity = SEVERITY_CRITICAL,
	.place = "werk1", .owner = "IT", .asset = "", .text = "", .help = "" } };
static const struct inventory whole = { .devices = devices, .device_count = 2,
	.thresholds = rules, .threshold_count = 3 };
static const struct inventory with_path = { .devices = devices, .device_count = 2,
	.thresholds = rules, .threshold_count = 3, .paths = path_options, .path_count = 1 };

static struct loop *loop;
static struct alarms *alarms;
static struct paths *paths;
static struct frozen *frozen;
static struct plant_journal journal;
static struct transition told[64]; /* what was changed in this run */
static size_t told_count;

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
	CHECK(number == journal.sequence);
	CHECK(told_count < 64);
	told[told_count++] = *transition;
}

static int
replay(void *arg, const struct record *found)
{
	if (paths != NULL)
		paths_replay(paths, found);
	return alarms_replay(arg, found);
}

static void
start(const struct inventory *inventory)
{
	struct alarms_options options = { .record = record, .changed = changed,
		.series = plant_by_id };
	struct paths_options path_parts = { .series = plant_by_id };

	loop = loop_new(NULL);
	options.loop = path_parts.loop = loop;
	if (inventory->path_count > 0)
		paths = paths_new(&path_parts, inventory);
	options.paths = paths;
	options.frozen = frozen;
	alarms = alarms_new(&options, inventory);
	plant_replay(&journal, replay, alarms);
	told_count = 0;
	journal.feed.count = 0;
	alarms_begin(alarms);
	struct feed_listener listener = alarms_listener(alarms);
	feed_add(&journal.feed, &listener);
	if (paths != NULL) {
		paths_on_change(paths, alarms_path_changed, alarms);
		paths_begin(paths);
		listener = paths_listener(paths);
		feed_add(&journal.feed, &listener);
	}
}

static void
stop(void)
{
	alarms_free(alarms);
	paths_free(paths);
	paths = NULL;
	loop_free(loop);
}

static void
end(void)
{
	stop();
	record_buffer_free(&journal.bytes);
	journal = (struct plant_journal){ 0 };
	plant_series_count = 0;
}

static void
slot(const char *path, double value)
{
	loop_sim_for(loop, S5);
	plant_good(&journal, loop, path, S5, value);
}

static void
is_listed(void *arg, const struct alarm_view *view)
{
	*(struct alarm_view *)arg = *view;
}

static struct alarm_view
listed(void)
{
	struct alarm_view view = { 0 };

	alarms_each(alarms, is_listed, &view);
	return view;
}

static void
a_breach_says_everything_and_ends_at_its_clear_value(void)
{
	start(&whole);
	slot("press-3/oil_level", 5);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].kind, TRANSITION_RAISE);
	CHECK_INT(told[0].sequence, 1);
	CHECK_INT(told[0].cause, 549);
	CHECK_INT(told[0].severity, SEVERITY_WARNING);
	CHECK_STR(told[0].key, "oil-low/press-3/oil_level");
	CHECK_STR(told[0].device, "press-3");
	CHECK_STR(told[0].address, "10.1.0.1:502/1");
	CHECK_STR(told[0].object, "oil_level");
	CHECK_STR(told[0].value, "5");
	CHECK_STR(told[0].threshold, "5");
	CHECK_STR(told[0].owner, "crew-b");
	CHECK_STR(told[0].place, "hall3/pit");
	CHECK_STR(told[0].text, "WARNING oil-low press-3/oil_level: 5 <= 5");
	CHECK_STR(listed().condition, "oil-low");
	slot("press-3/oil_level", 7);
	CHECK_INT(told_count, 1);
	slot("press-3/oil_level", 8.5);
	CHECK_INT(told_count, 2);
	CHECK_INT(told[1].kind, TRANSITION_CLEAR);
	CHECK_INT(told[1].severity, SEVERITY_CLEARED);
	CHECK_INT(told[1].id, told[0].id);
	CHECK_INT(told[1].sequence, 2);
	CHECK_STR(told[1].text, "CLEARED oil-low press-3/oil_level: 8.5 >= 8");
	CHECK_INT(alarms_count(alarms), 0);
	slot("press-3/oil_level", 4);
	CHECK_INT(told[2].id, told[0].id + 1);
	end();
}

static const struct point_state psu_states[] = { { 1, "ok" }, { 2, "failed" } };
static const struct rule_options state_rules[] = {
	{ .name = "psu-lost", .on = "press-3/psu", .kind = RULE_IS, .states = &psu_states[1],
		.state_count = 1, .words = psu_states, .word_count = 2,
		.severity = SEVERITY_MAJOR, .help = "look at its LED", .text = "", .place = "",
		.owner = "" },
	{ .name = "psu-odd", .on = "press-3/psu", .kind = RULE_IS_NOT, .states = psu_states,
		.state_count = 1, .words = psu_states, .word_count = 2, .hold = 10 * LOOP_S,
		.severity = SEVERITY_MINOR, .help = "", .text = "", .place = "", .owner = "" },
	{ .name = "flap", .on = "*/link", .kind = RULE_CHANGES, .changes = 3,
		.within = 60 * LOOP_S, .severity = SEVERITY_MINOR, .help = "", .text = "",
		.place = "", .owner = "" },
};
static const struct inventory with_states = { .devices = devices, .device_count = 2,
	.thresholds = state_rules, .threshold_count = 3 };

static void
a_state_is_told_by_its_word(void)
{
	start(&with_states);
	slot("press-3/psu", 1);
	slot("press-3/psu", 2);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].text, "MAJOR psu-lost press-3/psu: failed, look at its LED");
	CHECK_STR(told[0].value, "2");
	CHECK_STR(told[0].threshold, "2");
	slot("press-3/psu", 2);
	slot("press-3/psu", 2);
	CHECK_INT(told_count, 2);
	CHECK_STR(told[1].text, "MINOR psu-odd press-3/psu: failed, not ok for 10s");
	slot("press-3/psu", 1);
	CHECK_INT(told_count, 4);
	CHECK_STR(told[2].text, "CLEARED psu-lost press-3/psu: ok");
	CHECK_STR(told[3].text, "CLEARED psu-odd press-3/psu: ok");
	end();
}

static void
flapping_is_told_once_and_ends_when_it_is_steady(void)
{
	start(&with_states);
	for (int i = 0; i < 8; i++)
		slot("press-3/link", 1 + i % 2);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].text, "MINOR flap press-3/link: 3 changes within 60s");
	CHECK_STR(told[0].value, "3");
	CHECK_STR(told[0].unit, "");
	/* A reload in between keeps the count. */
	alarms_configure(alarms, &with_states);
	for (int i = 0; i < 11; i++)
		slot("press-3/link", 2);
	CHECK_INT(told_count, 1);
	slot("press-3/link", 2);
	CHECK_INT(told_count, 2);
	CHECK_STR(told[1].text, "CLEARED flap press-3/link: steady for 60s, 2");
	end();
}

static void
a_breach_must_last_its_time(void)
{
	start(&whole);
	slot("press-3/oil_temp", 71);
	for (int i = 0; i < 5; i++)
		slot("press-3/oil_temp", 71.2);
	CHECK_INT(told_count, 0);
	slot("press-3/oil_temp", 71.2);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].text,
		"MAJOR oil-hot press-3/oil_temp: 71.2 >= 70 for 30s, check the cooler");
	CHECK_STR(told[0].owner, "OT");
	CHECK_STR(told[0].place, "werk1/hall3");
	end();
}

static void
a_device_is_down_after_two_slots_and_back_at_the_first(void)
{
	start(&whole);
	slot("sw-hall3/up", 1);
	slot("sw-hall3/up", 0);
	slot("sw-hall3/up", 1);
	slot("sw-hall3/up", 0);
	CHECK_INT(told_count, 0);
	plant_lost(&journal, loop, "sw-hall3/uptime", S5, REASON_TIMEOUT);
	slot("sw-hall3/up", 0);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].condition, CONDITION_DEVICE_DOWN);
	CHECK_INT(told[0].cause, 505);
	CHECK_STR(told[0].key, "device-down/sw-hall3");
	CHECK_STR(told[0].text, "MAJOR device-down sw-hall3: no answer to 2 polls: timeout");
	slot("sw-hall3/up", 0);
	slot("sw-hall3/up", 1);
	CHECK_INT(told_count, 2);
	CHECK_STR(told[1].text, "CLEARED device-down sw-hall3: answers again after 10s");
	slot("sw-hall3/up", 0);
	plant_lost(&journal, loop, "sw-hall3/uptime", S5, REASON_REFUSED);
	slot("sw-hall3/up", 0);
	CHECK_STR(told[2].text, "MAJOR device-down sw-hall3: no answer to 2 polls: refused");
	end();
}

static void
what_we_did_not_measure_is_no_outage(void)
{
	start(&whole);
	slot("sw-hall3/up", 1);
	for (int i = 0; i < 5; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "sw-hall3/up", S5, REASON_OVERRUN);
	}
	CHECK_INT(told_count, 0);
	end();
}

static void
a_device_behind_a_dead_parent_is_listed_but_not_told(void)
{
	start(&whole);
	slot("press-3/up", 1);
	plant_good(&journal, loop, "sw-hall3/up", S5, 1);
	for (int i = 0; i < 3; i++) { /* the child is polled first in each round */
		slot("press-3/up", 0);
		plant_good(&journal, loop, "sw-hall3/up", S5, 0);
	}
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(told_count, 2);
	CHECK_STR(told[0].key, "device-down/sw-hall3");
	CHECK_INT(told[0].sequence, 1);
	CHECK_STR(told[1].key, "device-down/press-3");
	CHECK_INT(told[1].sequence, 0);
	CHECK(told[1].suppressed);
	CHECK_STR(told[1].root, "sw-hall3");
	CHECK(listed().suppressed);
	/* The switch is back, the press is not: now it is a fault of its own. */
	for (int i = 0; i < 3; i++) {
		slot("press-3/up", 0);
		plant_good(&journal, loop, "sw-hall3/up", S5, 1);
	}
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(told_count, 4);
	CHECK_INT(told[2].kind, TRANSITION_CLEAR);
	CHECK_INT(told[2].sequence, 2);
	CHECK_STR(told[3].key, "device-down/press-3");
	CHECK_INT(told[3].sequence, 3);
	CHECK_INT(told[3].id, told[1].id);
	CHECK(!told[3].suppressed);
	end();
}

/* A switch whose agent is dead, and which forwards. */
static void
a_device_that_answered_since_its_parent_went_down_is_told(void)
{
	start(&whole);
	for (int i = 0; i < 2; i++) {
		slot("sw-hall3/up", 0);
		plant_good(&journal, loop, "press-3/up", S5, 1);
	}
	CHECK_INT(told_count, 1);
	slot("press-3/up", 1);
	for (int i = 0; i < 2; i++) {
		slot("sw-hall3/up", 0);
		plant_good(&journal, loop, "press-3/up", S5, 0);
	}
	CHECK_INT(told_count, 2);
	CHECK_STR(told[1].key, "device-down/press-3");
	CHECK(!told[1].suppressed);
	CHECK_INT(told[1].sequence, 2);
	end();
}

static const char *const both_parents[] = { "sw-hall3", "sw-hall4", NULL };
static const struct device redundant[] = {
	PLANT_CHILD("press-3", S5, both_parents),
	PLANT_DEVICE("sw-hall3", S5),
	PLANT_DEVICE("sw-hall4", S5),
};
static const struct inventory with_redundancy = { .devices = redundant, .device_count = 3 };

static void
a_device_that_answered_by_its_second_parent_is_behind_both_when_that_dies_too(void)
{
	start(&with_redundancy);
	for (int i = 0; i < 4; i++) {
		slot("sw-hall3/up", 0);
		plant_good(&journal, loop, "sw-hall4/up", S5, 1);
		plant_good(&journal, loop, "press-3/up", S5, 1);
	}
	CHECK_INT(told_count, 1);
	for (int i = 0; i < 3; i++) {
		slot("sw-hall3/up", 0);
		plant_good(&journal, loop, "sw-hall4/up", S5, 0);
		plant_good(&journal, loop, "press-3/up", S5, 0);
	}
	CHECK_INT(told_count, 3);
	CHECK_STR(told[1].key, "device-down/sw-hall4");
	CHECK_STR(told[2].key, "device-down/press-3");
	CHECK(told[2].suppressed);
	end();
}

/* What it was last heard moves with the clock, and so must when its parent went down. */
static void
a_clock_that_was_set_makes_no_device_answer(void)
{
	start(&whole);
	slot("press-3/up", 1);
	for (int i = 0; i < 3; i++) {
		slot("sw-hall3/up", 0);
		plant_good(&journal, loop, "press-3/up", S5, 0);
	}
	CHECK_INT(told_count, 2);
	CHECK(told[1].suppressed);
	loop_sim_step_clock(loop, 3600 * LOOP_S);
	alarms_clock_stepped(alarms, 3600 * LOOP_S);
	loop_sim_for(loop, 2 * LOOP_S);
	slot("sw-hall3/up", 1); /* back; what is behind it was not asked yet */
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(told_count, 3);
	CHECK_STR(told[2].key, "device-down/sw-hall3");
	CHECK_INT(alarms_count(alarms), 1);
	end();
}

static void
a_device_with_a_living_parent_is_told_at_once(void)
{
	start(&whole);
	for (int i = 0; i < 2; i++) {
		slot("press-3/up", 0);
		plant_good(&journal, loop, "sw-hall3/up", S5, 1);
	}
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].sequence, 1);
	end();
}

static void
a_device_whose_parent_nobody_polls_is_told_after_a_while(void)
{
	start(&whole);
	slot("press-3/up", 0);
	slot("press-3/up", 0);
	CHECK_INT(told_count, 0);
	loop_sim_for(loop, 22 * LOOP_S);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].sequence, 1);
	end();
}

static void
missing_data_is_told_after_its_time_and_ends_with_the_next_good_sample(void)
{
	start(&whole);
	slot("press-3/pieces", 1);
	for (int i = 0; i < 11; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_EXCEPTION + 2);
	}
	CHECK_INT(told_count, 0);
	loop_sim_for(loop, 6 * LOOP_S);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].condition, CONDITION_DATA_STALE);
	CHECK_INT(told[0].cause, 606);
	CHECK_STR(told[0].text, "MINOR no-pieces press-3/pieces: no good sample for 60s");
	slot("press-3/pieces", 2);
	CHECK_INT(told_count, 2);
	CHECK_INT(told[1].kind, TRANSITION_CLEAR);
	end();
}

static void
missing_data_of_a_dead_device_is_not_told_besides(void)
{
	start(&whole);
	slot("sw-hall3/up", 1);
	slot("press-3/pieces", 1);
	for (int i = 0; i < 14; i++) {
		slot("press-3/up", 0);
		plant_good(&journal, loop, "sw-hall3/up", S5, 1);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_TIMEOUT);
	}
	CHECK_INT(told_count, 2);
	CHECK_STR(told[0].key, "device-down/press-3");
	CHECK(told[1].suppressed);
	CHECK_STR(told[1].root, "press-3");
	end();
}

static void
an_alarm_of_a_point_that_is_polled_no_longer_ends(void)
{
	start(&whole);
	slot("press-3/pieces", 1);
	slot("press-3/oil_level", 4);
	for (int i = 0; i < 14; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_NO_SUCH_ROW);
	}
	CHECK_INT(told_count, 2);
	loop_sim_for(loop, 700 * LOOP_S);
	CHECK_INT(told_count, 4);
	CHECK_STR(told[2].text, "CLEARED oil-low/press-3/oil_level: no longer polled");
	CHECK_STR(told[3].text, "CLEARED no-pieces/press-3/pieces: no longer polled");
	loop_sim_for(loop, 700 * LOOP_S);
	CHECK_INT(told_count, 4);
	/* The row is there again, and breached: that is news. */
	slot("press-3/oil_level", 4);
	CHECK_INT(told_count, 5);
	end();
}

static void
a_restart_neither_raises_again_nor_forgets(void)
{
	start(&whole);
	slot("press-3/oil_level", 5);
	slot("sw-hall3/up", 0);
	slot("sw-hall3/up", 0);
	CHECK_INT(told_count, 2);
	stop();
	loop_sim_begin(loop_sim_now() + 600 * LOOP_S, loop_sim_real() + 600 * LOOP_S);
	start(&whole);
	CHECK_INT(alarms_count(alarms), 2);
	slot("press-3/oil_level", 4);
	slot("sw-hall3/up", 0);
	slot("sw-hall3/up", 0);
	CHECK_INT(told_count, 0);
	slot("press-3/oil_level", 9);
	slot("sw-hall3/up", 1);
	CHECK_INT(told_count, 2);
	CHECK_INT(told[0].sequence, 3);
	CHECK_INT(told[0].id, 1);
	CHECK_INT(told[1].id, 2);
	end();
}

static uint64_t
put_snapshot(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return plant_record(arg, kind, body, size);
}

static void
restart_from_snapshot(void)
{
	struct plant_journal fresh = { .sequence = journal.sequence };

	alarms_snapshot(alarms, put_snapshot, &fresh);
	stop();
	record_buffer_free(&journal.bytes);
	journal = fresh;
	start(&whole);
}

static void
a_snapshot_holds_open_alarms_running_timers_and_silent_devices(void)
{
	start(&whole);
	slot("press-3/oil_level", 5);
	for (int i = 0; i < 5; i++)
		slot("press-3/oil_temp", 71);
	slot("sw-hall3/up", 0);
	restart_from_snapshot();
	CHECK_STR(listed().key, "oil-low/press-3/oil_level");
	slot("press-3/oil_temp", 71);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].key, "oil-hot/press-3/oil_temp");
	CHECK_INT(told[0].sequence, 2);
	CHECK_INT(told[0].id, 2);
	slot("sw-hall3/up", 0);
	CHECK_INT(told_count, 2);
	end();
}

static const struct rule_options flap_rules[] = {
	{ .name = "flap", .on = "*/up", .kind = RULE_CHANGES, .changes = 3,
		.within = 60 * LOOP_S, .severity = SEVERITY_MINOR, .help = "", .text = "",
		.place = "", .owner = "" },
};
static const struct inventory with_flap = { .devices = devices, .device_count = 2,
	.thresholds = flap_rules, .threshold_count = 1 };

static void
a_timer_of_a_rule_about_up_that_is_gone_after_a_restart_is_forgotten(void)
{
	start(&with_flap);
	slot("sw-hall3/up", 1);
	restart_from_snapshot();
	slot("sw-hall3/up", 1);
	CHECK_INT(told_count, 0);
	end();
}

static void
a_sample_in_the_journal_stops_a_timer_of_the_snapshot(void)
{
	struct plant_journal fresh = { 0 };

	start(&whole);
	for (int i = 0; i < 5; i++)
		slot("press-3/oil_temp", 71);
	alarms_snapshot(alarms, put_snapshot, &fresh);
	record_buffer_free(&journal.bytes);
	fresh.feed = journal.feed;
	journal = fresh;
	slot("press-3/oil_temp", 60);
	stop();
	start(&whole);
	slot("press-3/oil_temp", 71);
	slot("press-3/oil_temp", 71);
	CHECK_INT(told_count, 0);
	end();
}

static void
nothing_is_told_that_the_journal_does_not_take(void)
{
	start(&whole);
	journal.refuses = true;
	slot("press-3/oil_level", 5);
	CHECK_INT(told_count, 0);
	CHECK_INT(alarms_count(alarms), 0);
	journal.refuses = false;
	slot("press-3/oil_level", 5);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].sequence, 1);
	journal.refuses = true;
	slot("press-3/oil_level", 9);
	CHECK_INT(alarms_count(alarms), 1);
	journal.refuses = false;
	slot("press-3/oil_level", 9);
	CHECK_INT(told[1].sequence, 2);
	end();
}

static void
a_reload_clears_what_is_no_longer_watched_and_keeps_the_rest(void)
{
	struct rule_options fewer[2] = { rules[0], rules[1] };
	struct inventory next = whole;

	fewer[1].severity = SEVERITY_CRITICAL;
	next.thresholds = fewer;
	next.threshold_count = 2;
	start(&whole);
	slot("press-3/oil_level", 5);
	slot("press-3/pieces", 1);
	loop_sim_for(loop, 61 * LOOP_S);
	for (int i = 0; i < 5; i++)
		slot("press-3/oil_temp", 71);
	CHECK_INT(told_count, 2);
	alarms_configure(alarms, &next);
	CHECK_INT(told_count, 4);
	CHECK_INT(told[2].kind, TRANSITION_CLEAR);
	CHECK_STR(told[2].text, "CLEARED no-pieces/press-3/pieces: rule removed");
	CHECK_INT(told[3].kind, TRANSITION_CHANGE);
	CHECK_INT(told[3].severity, SEVERITY_CRITICAL);
	slot("press-3/oil_temp", 71);
	slot("press-3/oil_temp", 71);
	CHECK_INT(told_count, 5); /* the timer went on */
	slot("press-3/oil_level", 4);
	CHECK_INT(told_count, 5);
	slot("press-3/oil_level", 9);
	CHECK_INT(told_count, 6);
	CHECK_INT(told[5].id, told[0].id);
	end();
}

static void
a_device_that_is_gone_after_a_restart_is_cleared(void)
{
	struct inventory next = whole;

	next.device_count = 1;
	start(&whole);
	slot("sw-hall3/up", 0);
	slot("sw-hall3/up", 0);
	stop();
	start(&next);
	CHECK_INT(alarms_count(alarms), 0);
	CHECK_INT(journal.sequence, 4);
	end();
}

/* A no-data rule about all devices, and how that is without press-3. */
static struct rule_options for_all;
static struct inventory with_press, without_press;

static void
start_with_a_rule_for_all(void)
{
	for_all = rules[2];
	for_all.on = "*/pieces";
	with_press = whole;
	with_press.thresholds = &for_all;
	with_press.threshold_count = 1;
	without_press = with_press;
	without_press.devices = &devices[1];
	without_press.device_count = 1;
	start(&with_press);
	slot("press-3/pieces", 1);
}

static void
no_rule_for_all_goes_on_with_an_alarm_of_a_device_that_is_gone_after_a_restart(void)
{
	start_with_a_rule_for_all();
	loop_sim_for(loop, 61 * LOOP_S);
	CHECK_INT(told_count, 1);
	stop();
	start(&without_press);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].text, "CLEARED no-pieces/press-3/pieces: device removed");
	loop_sim_for(loop, 300 * LOOP_S);
	CHECK_INT(told_count, 1);
	end();
}

static void
no_rule_for_all_misses_the_data_of_a_device_that_a_reload_has_removed(void)
{
	start_with_a_rule_for_all();
	alarms_configure(alarms, &without_press);
	loop_sim_for(loop, 300 * LOOP_S);
	CHECK_INT(told_count, 0);
	end();
}

static void
miss_press_for_70_s(const struct rule_options *rule, size_t rules_without)
{
	start_with_a_rule_for_all();
	for_all = *rule;
	without_press.threshold_count = rules_without;
	alarms_configure(alarms, &with_press);
	slot("press-3/pieces", 1);
	alarms_configure(alarms, &without_press);
	loop_sim_for(loop, 70 * LOOP_S);
	alarms_configure(alarms, &with_press);
}

static void
a_device_that_a_reload_brings_back_has_missed_nothing_while_it_was_gone(void)
{
	struct rule_options rule = rules[2];

	for (size_t rules_without = 0; rules_without < 2; rules_without++) {
		rule.on = rules_without == 0 ? "press-3/pieces" : "*/pieces";
		miss_press_for_70_s(&rule, rules_without);
		loop_sim_for(loop, 55 * LOOP_S);
		CHECK_INT(told_count, 0);
		loop_sim_for(loop, 10 * LOOP_S);
		CHECK_INT(told_count, 1);
		CHECK_STR(told[0].key, "no-pieces/press-3/pieces");
		end();
	}
}

static void
what_a_device_did_before_it_was_gone_counts_for_no_time_after_it(void)
{
	struct rule_options rule = rules[0];

	rule.on = "*/pieces";
	rule.limit = 0.5;
	rule.clear = 0.1;
	miss_press_for_70_s(&rule, 1);
	slot("press-3/pieces", 1);
	loop_sim_for(loop, 20 * LOOP_S);
	slot("press-3/pieces", 1);
	CHECK_INT(told_count, 0);
	loop_sim_for(loop, 20 * LOOP_S);
	slot("press-3/pieces", 1);
	CHECK_INT(told_count, 1);
	end();
}

static void
a_path_is_told_with_its_root_and_its_budget(void)
{
	start(&with_path);
	for (int i = 0; i < 3; i++) {
		slot("press-3/pieces", 1);
		plant_good(&journal, loop, "press-3/up", S5, 1);
		plant_good(&journal, loop, "sw-hall3/up", S5, 1);
	}
	CHECK_INT(told_count, 0);
	for (int i = 0; i < 2; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_TIMEOUT);
		plant_good(&journal, loop, "press-3/up", S5, 0);
		plant_good(&journal, loop, "sw-hall3/up", S5, 1);
	}
	CHECK(told_count >= 1);
	for (size_t i = 0; i < told_count; i++)
		if (told[i].condition == CONDITION_PATH_IMPAIRED) {
			CHECK_STR(told[i].key, "path-impaired/press-3-mes");
			CHECK_STR(told[i].path, "press-3-mes");
			CHECK_STR(told[i].root, "press-3");
			CHECK_STR(told[i].device, "press-3");
			CHECK_STR(told[i].budget, "97.7");
			CHECK_STR(told[i].owner, "IT");
			CHECK_INT(told[i].severity, SEVERITY_CRITICAL);
			CHECK_STR(told[i].text, "CRITICAL path-impaired press-3-mes: press-3: "
				"no answer for 10s: timeout");
			goto raised;
		}
	fail();
raised:
	slot("press-3/pieces", 1);
	plant_good(&journal, loop, "press-3/up", S5, 1);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(alarms_count(alarms), 0);
	CHECK_INT(told[told_count - 1].sequence, told_count);
	end();
}

/* ---- numbers over kills ---- */

static struct transition sent[4096]; /* by sequence: what was committed, so may be sent */
static uint32_t sent_count;

static void
note_sent(void)
{
	size_t at = 0, size;
	struct record found;

	while (at < journal.bytes.used && record_parse(journal.bytes.bytes + at,
			journal.bytes.used - at, &found, &size) == 1) {
		struct record_cursor cursor = { found.body, found.body + found.size, false };
		struct transition transition;

		at += size;
		if (found.kind != KIND_ALARM || transition_get(&transition, &cursor) == -1 ||
				transition.sequence == 0)
			continue;
		CHECK(transition.sequence < 4096);
		if (sent[transition.sequence].sequence == 0) {
			CHECK_INT(transition.sequence, sent_count + 1); /* none is missing */
			sent[transition.sequence] = transition;
			sent_count = transition.sequence;
		}
		/* A number never has two contents. */
		CHECK(memcmp(&sent[transition.sequence], &transition, sizeof transition) == 0);
	}
}

static uint64_t
roll(uint64_t *seed)
{
	return dice_next(seed) >> 33;
}

/* Cuts the journal behind a random number of its uncommitted records. */
static void
kill_now(uint64_t *seed, size_t committed)
{
	size_t at = committed, size;
	struct record found;

	while (at < journal.bytes.used && roll(seed) % 3 != 0 &&
			record_parse(journal.bytes.bytes + at, journal.bytes.used - at, &found,
				&size) == 1)
		at += size;
	journal.bytes.used = at;
	stop();
}

static void
numbers_have_one_content_and_no_gap_whenever_it_is_killed(void)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		uint64_t state = seed;
		size_t committed = 0;

		memset(sent, 0, sizeof sent);
		sent_count = 0;
		start(&whole);
		for (int i = 0; i < 1500; i++) {
			double r = (double)(roll(&state) % 100);

			told_count = 0;
			slot("press-3/oil_level", r < 40 ? 4 : 9);
			plant_good(&journal, loop, "press-3/up", S5, roll(&state) % 3 != 0);
			plant_good(&journal, loop, "sw-hall3/up", S5, roll(&state) % 3 != 0);
			if (roll(&state) % 4 == 0) {
				committed = journal.bytes.used;
				note_sent();
			}
			if (roll(&state) % 20 != 0)
				continue;
			kill_now(&state, committed);
			committed = journal.bytes.used; /* found by the next start */
			note_sent();
			start(&whole);
		}
		if (sent_count < 200)
			print_error("seed %u: only %u notices\n", (unsigned)seed, sent_count);
		CHECK(sent_count >= 200);
		end();
	}
}

static void
trouble_of_the_poller_itself_is_an_alarm_that_lasts_over_a_restart(void)
{
	start(&whole);
	alarms_trouble(alarms, TROUBLE_STORE, NULL);
	alarms_trouble(alarms, TROUBLE_JOURNAL, "a hiccup");
	loop_sim_for(loop, LOOP_S);
	alarms_trouble(alarms, TROUBLE_JOURNAL, NULL);
	loop_sim_for(loop, 20 * LOOP_S);
	CHECK_INT(told_count, 0);
	alarms_trouble(alarms, TROUBLE_JOURNAL, "/state: No space left on device");
	loop_sim_for(loop, 4 * LOOP_S);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].key, "poller-impaired/journal");
	CHECK_STR(told[0].text,
		"MAJOR poller-impaired/journal: /state: No space left on device");
	CHECK(told[0].condition == CONDITION_POLLER_IMPAIRED && told[0].severity == SEVERITY_MAJOR);
	/* the next life waits to be told before it clears anything */
	stop();
	start(&whole);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK(told_count == 0 && alarms_count(alarms) == 1);
	alarms_trouble(alarms, TROUBLE_JOURNAL, NULL);
	loop_sim_for(loop, 12 * LOOP_S);
	CHECK(told_count == 1 && told[0].kind == TRANSITION_CLEAR && alarms_count(alarms) == 0);
	end();
}

static const char *const press_points[] = { "press-3/*" };
static const struct rule_options still_rules[] = {
	{ .name = "plc-stop", .on = "press-3/life", .kind = RULE_FROZEN, .hold = 30 * LOOP_S,
		.marks_self = true, .marks = press_points, .mark_count = 1,
		.severity = SEVERITY_MAJOR, .help = "start the PLC", .text = "", .place = "",
		.owner = "" },
};
static const struct frozen_rule still[] = { { .name = "plc-stop", .on = "press-3/life",
	.span = 30 * LOOP_S, .marks_self = true, .marks = press_points, .mark_count = 1 } };
static const struct inventory with_still = { .devices = devices, .device_count = 2,
	.thresholds = still_rules, .threshold_count = 1 };

/* As the poller does it: first frozen, then the feed. */
static void
life(double value)
{
	struct sample sample;

	loop_sim_for(loop, S5);
	sample = (struct sample){ .series = plant_point("press-3/life", S5),
		.slot = loop_wall(loop) / S5, .received = loop_wall(loop), .reason = REASON_GOOD,
		.value = value };
	frozen_judge(frozen, &sample);
	plant_tell(&journal, &sample);
}

static void
a_plc_in_stop_is_told_and_ends_with_the_first_change(void)
{
	frozen = frozen_new(NULL);
	frozen_configure(frozen, still, 1);
	start(&with_still);
	for (int i = 0; i < 7; i++)
		life(5);
	CHECK_INT(told_count, 1);
	CHECK_STR(told[0].key, "plc-stop/press-3/life");
	CHECK_STR(told[0].text, "MAJOR plc-stop press-3/life: has not changed for 30s, start the PLC");
	for (int i = 0; i < 20; i++)
		life(5);
	CHECK_INT(told_count, 1);
	/* A restart of ours, which knows nothing yet, neither ends nor repeats it. */
	stop();
	frozen_free(frozen);
	frozen = frozen_new(NULL);
	frozen_configure(frozen, still, 1);
	start(&with_still);
	for (int i = 0; i < 20; i++)
		life(5);
	CHECK_INT(told_count, 0);
	CHECK_INT(alarms_count(alarms), 1);
	life(6);
	CHECK_INT(told_count, 1);
	CHECK_INT(told[0].kind, TRANSITION_CLEAR);
	CHECK_STR(told[0].text, "CLEARED plc-stop press-3/life: changes again");
	end();
	frozen_free(frozen);
	frozen = NULL;
}

RUN_TESTS(TEST(a_plc_in_stop_is_told_and_ends_with_the_first_change), TEST(trouble_of_the_poller_itself_is_an_alarm_that_lasts_over_a_restart),
	TEST(a_breach_says_everything_and_ends_at_its_clear_value),
	TEST(a_state_is_told_by_its_word), TEST(flapping_is_told_once_and_ends_when_it_is_steady),
	TEST(a_breach_must_last_its_time),
	TEST(a_device_is_down_after_two_slots_and_back_at_the_first),
	TEST(what_we_did_not_measure_is_no_outage),
	TEST(a_device_behind_a_dead_parent_is_listed_but_not_told),
	TEST(a_device_that_answered_since_its_parent_went_down_is_told),
	TEST(a_device_that_answered_by_its_second_parent_is_behind_both_when_that_dies_too),
	TEST(a_clock_that_was_set_makes_no_device_answer),
	TEST(a_device_with_a_living_parent_is_told_at_once),
	TEST(a_device_whose_parent_nobody_polls_is_told_after_a_while),
	TEST(missing_data_is_told_after_its_time_and_ends_with_the_next_good_sample),
	TEST(missing_data_of_a_dead_device_is_not_told_besides),
	TEST(an_alarm_of_a_point_that_is_polled_no_longer_ends),
	TEST(a_restart_neither_raises_again_nor_forgets),
	TEST(a_snapshot_holds_open_alarms_running_timers_and_silent_devices),
	TEST(a_timer_of_a_rule_about_up_that_is_gone_after_a_restart_is_forgotten),
	TEST(a_sample_in_the_journal_stops_a_timer_of_the_snapshot),
	TEST(nothing_is_told_that_the_journal_does_not_take),
	TEST(a_reload_clears_what_is_no_longer_watched_and_keeps_the_rest),
	TEST(a_device_that_is_gone_after_a_restart_is_cleared),
	TEST(no_rule_for_all_goes_on_with_an_alarm_of_a_device_that_is_gone_after_a_restart),
	TEST(no_rule_for_all_misses_the_data_of_a_device_that_a_reload_has_removed),
	TEST(a_device_that_a_reload_brings_back_has_missed_nothing_while_it_was_gone),
	TEST(what_a_device_did_before_it_was_gone_counts_for_no_time_after_it),
	TEST(a_path_is_told_with_its_root_and_its_budget),
	TEST(numbers_have_one_content_and_no_gap_whenever_it_is_killed))

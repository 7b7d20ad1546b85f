#include "../check.h"
#include "../plant.h"

#include "path/paths.h"

#define S5 (5 * LOOP_S)

static const char *const press_parents[] = { "sw-hall3", NULL };
static const struct device devices[] = {
	PLANT_CHILD("press-3", S5, press_parents),
	PLANT_DEVICE("sw-hall3", S5, .groups = if_groups, .group_count = 1),
	PLANT_DEVICE("core-a", S5), PLANT_DEVICE("core-b", S5), PLANT_DEVICE("mes-db", S5),
};
static const struct path_hop hops[] = {
	{ (const char *const[]){ "press-3" }, 1 },
	{ (const char *const[]){ "sw-hall3/if[ge-1/5]" }, 1 },
	{ (const char *const[]){ "core-a", "core-b" }, 2 },
	{ (const char *const[]){ "mes-db" }, 1 },
};
static const struct path_options options[] = { {
	.name = "press-3-mes", .sources = (const char *const[]){ "press-3/pieces" },
	.source_count = 1, .hops = hops, .hop_count = 4, .max_age = 15 * LOOP_S,
	.availability = 99.5, .window = 86400 * LOOP_S, .severity = SEVERITY_MAJOR,
	.place = "werk1", .owner = "OT", .asset = "", .text = "", .help = "" } };
static const struct inventory inventory = { .devices = devices, .device_count = 5,
	.paths = options, .path_count = 1 };

/* A controller that nobody connects to, and the consumer's connection to it. */
static const struct point state_points[] = {
	{ .name = "state", .unit = "", .text = "", .kind = POINT_STATE,
		.states = (const struct point_state[]){ { 1, "closed" }, { 5, "established" } },
		.state_count = 2 },
};
static const struct group conn_groups[] = { { .name = "tcp", .table = "conn", .suffix = "",
	.interval = S5, .points = state_points, .point_count = 1, .connections = true } };
static const struct device consumer[] = {
	PLANT_DEVICE("plc-7", S5),
	PLANT_DEVICE("mes-db", S5, .groups = conn_groups, .group_count = 1),
};
static const struct path_hop consumer_hops[] = {
	{ (const char *const[]){ "mes-db/conn[10.1.7.20:502]" }, 1 } };
static const struct path_options consumer_path[] = { {
	.name = "plc-7-mes", .sources = (const char *const[]){ "plc-7/up" }, .source_count = 1,
	.hops = consumer_hops, .hop_count = 1, .max_age = 15 * LOOP_S, .window = 86400 * LOOP_S,
	.severity = SEVERITY_MAJOR, .place = "", .owner = "", .asset = "", .text = "",
	.help = "" } };
static const struct inventory consumer_inventory = { .devices = consumer, .device_count = 2,
	.paths = consumer_path, .path_count = 1 };
static const struct inventory *plan = &inventory;

static struct loop *loop;
static struct paths *paths;
static struct plant_journal journal;
static int changes;
static char last_change[512];

static void
on_change(void *arg, const struct path_view *view)
{
	(void)arg;
	changes++;
	snprintf(last_change, sizeof last_change, "%s %s: %s", path_state_word(view->state),
		view->root, view->evidence);
}

static int
replay(void *arg, const struct record *record)
{
	return paths_replay(arg, record);
}

static void
start(void)
{
	struct paths_options parts = { .series = plant_by_id };

	loop = loop_new(NULL);
	parts.loop = loop;
	paths = paths_new(&parts, plan);
	paths_on_change(paths, on_change, NULL);
	plant_replay(&journal, replay, paths);
	paths_begin(paths);
	journal.feed.count = 0;
	feed_add(&journal.feed, &(struct feed_listener){ .sample = paths_listener(paths).sample,
		.run = paths_listener(paths).run, .flush = paths_listener(paths).flush,
		.arg = paths });
	changes = 0;
}

static void
stop(void)
{
	paths_free(paths);
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

/* What answers in this round; by letter: p press, s switch, i interface, a b core, m mes. */
static void
poll_round(const char *alive)
{
	static const struct {
		char letter;
		const char *up;
	} ups[] = { { 'p', "press-3/up" }, { 's', "sw-hall3/up" }, { 'a', "core-a/up" },
		{ 'b', "core-b/up" }, { 'm', "mes-db/up" } };

	loop_sim_for(loop, S5);
	if (strchr(alive, 'p') != NULL)
		plant_good(&journal, loop, "press-3/pieces", S5, 1);
	else
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_TIMEOUT);
	if (strchr(alive, 's') != NULL)
		plant_good(&journal, loop, "sw-hall3/if[ge-1/5]/oper", S5,
			strchr(alive, 'i') != NULL ? 1 : 2);
	else
		plant_lost(&journal, loop, "sw-hall3/if[ge-1/5]/oper", S5, REASON_TIMEOUT);
	for (size_t i = 0; i < sizeof ups / sizeof ups[0]; i++)
		plant_good(&journal, loop, ups[i].up, S5, strchr(alive, ups[i].letter) != NULL);
}

static void
poll_rounds(const char *alive, int rounds)
{
	while (rounds-- > 0)
		poll_round(alive);
}

static struct path_view seen_view;
static char seen_root[256];

static void
on_view(void *arg, const struct path_view *view)
{
	(void)arg;
	seen_view = *view;
	snprintf(seen_root, sizeof seen_root, "%s", view->root);
}

static struct path_view
view(void)
{
	paths_each(paths, on_view, NULL);
	return seen_view;
}

static void
is_unknown_before_the_first_slot_and_up_after_it(void)
{
	start();
	CHECK_INT(view().state, PATH_UNKNOWN);
	poll_rounds("psiabm", 3);
	CHECK_INT(view().state, PATH_UP);
	CHECK_STR(seen_root, "");
	CHECK_INT(changes, 1);
	CHECK_NEAR(view().availability, 100, 1e-9);
	CHECK_NEAR(view().budget_left, 100, 1e-9);
	CHECK(view().proven);
	CHECK_INT(view().age, 0);
	end();
}

static void
one_dead_alternative_degrades_and_two_impair(void)
{
	start();
	poll_rounds("psiabm", 3);
	poll_rounds("psibm", 1);
	CHECK_INT(view().state, PATH_UP); /* one lost slot is no verdict */
	poll_rounds("psibm", 1);
	CHECK_INT(view().state, PATH_DEGRADED);
	CHECK_STR(seen_root, "core-a");
	poll_rounds("psim", 2);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "core-a");
	poll_rounds("psiam", 1);
	CHECK_INT(view().state, PATH_DEGRADED);
	CHECK_STR(seen_root, "core-b");
	poll_rounds("psiabm", 1);
	CHECK_INT(view().state, PATH_UP);
	end();
}

static void
a_hop_behind_our_back_impairs_although_data_flow_to_us(void)
{
	start();
	poll_rounds("psiabm", 2);
	poll_rounds("psiab", 2);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "mes-db");
	CHECK_STR(last_change, "impaired mes-db: mes-db: no answer for 10s");
	end();
}

static void
names_the_switch_and_not_the_press_that_is_only_behind_it(void)
{
	start();
	poll_rounds("psiabm", 2);
	poll_rounds("abm", 3);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "sw-hall3");
	CHECK_STR(view().evidence, "sw-hall3: no answer for 15s: timeout");
	end();
}

static void
names_the_press_when_only_the_press_is_silent(void)
{
	start();
	poll_rounds("psiabm", 2);
	poll_rounds("siabm", 3);
	CHECK_STR(view().root, "press-3");
	end();
}

static void
an_interface_that_says_down_is_the_root_at_once(void)
{
	start();
	poll_rounds("psiabm", 2);
	poll_rounds("psabm", 1);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "sw-hall3/if[ge-1/5]");
	CHECK_STR(last_change,
		"impaired sw-hall3/if[ge-1/5]: sw-hall3/if[ge-1/5]: oper is down for 1s");
	end();
}

static void
late_data_impair_within_a_second_of_max_age(void)
{
	start();
	poll_rounds("psiabm", 2);
	for (int i = 0; i < 3; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_EXCEPTION + 2);
	}
	CHECK_INT(view().state, PATH_UP);
	loop_sim_for(loop, 2 * LOOP_S);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "");
	CHECK_STR(view().evidence, "press-3/pieces: no data for 17s: exception-2");
	CHECK_INT(view().age, 17 * LOOP_S);
	end();
}

static void
what_we_did_not_measure_makes_it_unknown_and_costs_no_budget(void)
{
	start();
	poll_rounds("psiabm", 2);
	for (int i = 0; i < 6; i++) {
		loop_sim_for(loop, S5);
		plant_lost(&journal, loop, "press-3/pieces", S5, REASON_OVERRUN);
	}
	CHECK_INT(view().state, PATH_UNKNOWN);
	CHECK_NEAR(view().budget_left, 100, 1e-9);
	CHECK_NEAR(view().coverage, 25, 1e-9);
	CHECK(!view().proven);
	end();
}

static void
lost_slots_cost_budget(void)
{
	start();
	poll_rounds("psiabm", 6);
	poll_rounds("siabm", 2);
	CHECK_NEAR(view().availability, 75, 1e-9);
	CHECK_NEAR(view().budget_left, 100 * (86.4 - 2) / 86.4, 1e-9);
	end();
}

static void
an_account_survives_a_kill_by_snapshot_and_journal(void)
{
	start();
	poll_rounds("psiabm", 50);
	poll_rounds("siabm", 3);
	stop();
	start(); /* from the samples alone */
	CHECK_NEAR(view().availability, 100.0 * 50 / 53, 1e-9);
	end();
}

static uint64_t
put_snapshot(void *arg, enum record_kind kind, const void *body, size_t size)
{
	return plant_record(arg, kind, body, size);
}

static void
a_snapshot_stands_for_all_that_was_before_it(void)
{
	struct plant_journal fresh = { 0 };

	start();
	poll_rounds("psiabm", 50);
	poll_rounds("siabm", 3);
	paths_snapshot(paths, put_snapshot, &fresh);
	stop();
	record_buffer_free(&journal.bytes);
	journal = fresh;
	start();
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_NEAR(view().availability, 100.0 * 50 / 53, 1e-9);
	poll_rounds("psiabm", 47);
	CHECK_NEAR(view().availability, 97, 1e-9);
	end();
}

static void
a_reload_keeps_state_and_account(void)
{
	struct inventory again = inventory;

	start();
	poll_rounds("psiabm", 8);
	poll_rounds("siabm", 3);
	CHECK_INT(changes, 2);
	paths_configure(paths, &again);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_NEAR(view().availability, 100.0 * 8 / 11, 1e-9);
	poll_rounds("siabm", 1);
	CHECK_INT(changes, 2);
	CHECK_STR(view().root, "press-3");
	end();
}

static void
the_worst_path_of_a_device_is_found(void)
{
	start();
	poll_rounds("psiabm", 2);
	CHECK(paths_touching(paths, "core-b", on_view, NULL));
	CHECK_STR(seen_view.name, "press-3-mes");
	CHECK(!paths_touching(paths, "printer", on_view, NULL));
	end();
}

/* The state of the consumer's connection in this round; 0: its agent is silent. */
static void
consumer_round(int state)
{
	loop_sim_for(loop, S5);
	plant_good(&journal, loop, "plc-7/up", S5, 1);
	plant_good(&journal, loop, "mes-db/up", S5, state != 0);
	if (state != 0)
		plant_good(&journal, loop, "mes-db/conn[10.1.7.20:502]/state", S5, state);
	else
		plant_lost(&journal, loop, "mes-db/conn[10.1.7.20:502]/state", S5, REASON_TIMEOUT);
}

static void
a_connection_that_two_polls_miss_is_the_root(void)
{
	plan = &consumer_inventory;
	start();
	consumer_round(5);
	CHECK_INT(view().state, PATH_UP);
	consumer_round(11); /* on its way back, perhaps */
	CHECK_INT(view().state, PATH_UP);
	consumer_round(1);
	CHECK_INT(view().state, PATH_IMPAIRED);
	CHECK_STR(seen_root, "mes-db/conn[10.1.7.20:502]");
	CHECK_STR(view().evidence, "mes-db/conn[10.1.7.20:502]: connection is closed for 5s");
	consumer_round(5);
	CHECK_INT(view().state, PATH_UP);
	for (int i = 0; i < 3; i++) {
		consumer_round(1);
		CHECK_INT(view().state, i == 0 ? PATH_UP : PATH_IMPAIRED);
	}
	end();
	plan = &inventory;
}

static void
an_agent_that_is_silent_says_nothing_of_its_connections(void)
{
	plan = &consumer_inventory;
	start();
	consumer_round(5);
	for (int i = 0; i < 4; i++)
		consumer_round(0);
	CHECK_INT(view().state, PATH_UP);
	CHECK_STR(seen_root, "");
	end();
	plan = &inventory;
}

RUN_TESTS(TEST(a_connection_that_two_polls_miss_is_the_root),
	TEST(an_agent_that_is_silent_says_nothing_of_its_connections),
	TEST(is_unknown_before_the_first_slot_and_up_after_it),
	TEST(one_dead_alternative_degrades_and_two_impair),
	TEST(a_hop_behind_our_back_impairs_although_data_flow_to_us),
	TEST(names_the_switch_and_not_the_press_that_is_only_behind_it),
	TEST(names_the_press_when_only_the_press_is_silent),
	TEST(an_interface_that_says_down_is_the_root_at_once),
	TEST(late_data_impair_within_a_second_of_max_age),
	TEST(what_we_did_not_measure_makes_it_unknown_and_costs_no_budget),
	TEST(lost_slots_cost_budget),
	TEST(an_account_survives_a_kill_by_snapshot_and_journal),
	TEST(a_snapshot_stands_for_all_that_was_before_it),
	TEST(a_reload_keeps_state_and_account),
	TEST(the_worst_path_of_a_device_is_found))

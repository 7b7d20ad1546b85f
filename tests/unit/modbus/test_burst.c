/* What goes out when much begins at once: at the start, after a reload, when the clock jumps.
 * 300 controllers, each on a connection of its own, in virtual time. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "config/conf.h"
#include "core/device.h"
#include "core/feed.h"
#include "core/latest.h"
#include "core/poller.h"
#include "core/series.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "modbus/modbus.h"
#include "../check.h"
#include "../scratch.h"
#include "server.h"

#define DEVICES 300
#define INTERVAL 10
#define SECONDS 200

static struct loop *loop;
static struct server servers[DEVICES];
static struct modbus *modbus;
static struct series_catalogue *catalogue;
static struct latest *latest;
static struct feed feed;
static struct poller *poller;
static struct inventory *inventories[2];
static unsigned connects[SECONDS], questions[SECONDS]; /* by second since the beginning */

/* By interval and place: another place is another fingerprint, so that a reload changes all. */
static struct inventory *
configuration(const char *place)
{
	struct conf_errors errors = { 0 };
	FILE *file = fopen(scratch_path("main.conf"), "w");
	struct inventory *inventory;
	struct conf *conf;

	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; interval = \"%ds\"; };\n"
		"devices: (\n", scratch_path("state"), INTERVAL);
	for (int i = 0; i < DEVICES; i++)
		fprintf(file, "%s{ name = \"press-%d\"; address = \"10.2.%d.%d\"; place = \"%s\";\n"
			"  modbus = { unit_id = 1; };\n"
			"  points = ( { name = \"p\"; function = 3; pdu = 1; type = \"u16\"; } ); }",
			i > 0 ? ",\n" : "", i, i / 200, 1 + i % 200, place);
	fprintf(file, " );\n");
	fclose(file);
	conf = conf_load(scratch_path("main.conf"), &errors);
	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	inventory = conf_inventory(conf);
	conf_free(conf);
	conf_errors_free(&errors);
	return inventory;
}

static void
begin(void)
{
	struct feed_listener hook;
	struct poller_parts parts;
	char address[32];

	log_open(LOG_TARGET_NONE, "");
	scratch_make();
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	memset(servers, 0, sizeof servers);
	for (int i = 0; i < DEVICES; i++) {
		snprintf(address, sizeof address, "10.2.%d.%d", i / 200, 1 + i % 200);
		server_start(&servers[i], loop, address);
	}
	memset(connects, 0, sizeof connects);
	memset(questions, 0, sizeof questions);
	modbus = modbus_new(loop);
	catalogue = series_open(scratch, true, NULL);
	latest = latest_open_writer(scratch, NULL);
	CHECK(catalogue != NULL && latest != NULL);
	feed.count = 0;
	hook = latest_listener(latest);
	feed_add(&feed, &hook);
	parts = (struct poller_parts){ .loop = loop, .catalogue = catalogue, .latest = latest,
		.feed = &feed, .drivers = { { &modbus_driver, modbus } }, .driver_count = 1 };
	poller = poller_new(&parts);
	inventories[0] = configuration("hall3");
	inventories[1] = configuration("hall4");
	poller_configure(poller, inventory_ref(inventories[0]));
}

static void
finish(void)
{
	poller_free(poller);
	modbus_end(modbus);
	series_close(catalogue);
	latest_close(latest);
	inventory_unref(inventories[0]);
	inventory_unref(inventories[1]);
	loop_free(loop);
	net_sim_reset();
	scratch_remove();
}

/* Runs second by second and notes what each brought. */
static void
run(int from, int to)
{
	for (int second = from; second < to; second++) {
		unsigned accepted = 0, asked = 0;

		for (int i = 0; i < DEVICES; i++) {
			accepted -= servers[i].accepted;
			asked -= servers[i].requests;
		}
		loop_sim_for(loop, LOOP_S);
		for (int i = 0; i < DEVICES; i++) {
			accepted += servers[i].accepted;
			asked += servers[i].requests;
		}
		connects[second] = accepted;
		questions[second] = asked;
	}
}

static unsigned
most(const unsigned *counts, int from, int to)
{
	unsigned most = 0;

	for (int i = from; i < to; i++)
		most = counts[i] > most ? counts[i] : most;
	return most;
}

/* The busiest second of a quiet time, which the phases of the devices make. */
static unsigned
usual(void)
{
	unsigned busiest;

	run(0, 60);
	busiest = most(questions, 20, 60);
	/* 30 a second on the average */
	CHECK(busiest >= 30 && busiest <= 60);
	return busiest;
}

static void
a_start_asks_no_faster_than_a_quiet_time(void)
{
	unsigned busiest;

	begin();
	busiest = usual();
	print_message("busiest second: %u questions in quiet times, %u questions and %u connects at "
		"the start\n", busiest, most(questions, 0, 20), most(connects, 0, 20));
	CHECK(most(questions, 0, 20) <= busiest);
	CHECK(most(connects, 0, 20) <= busiest);
	finish();
}

static void
a_reload_that_changes_all_devices_asks_no_faster_either(void)
{
	unsigned busiest;

	begin();
	busiest = usual();
	poller_configure(poller, inventory_ref(inventories[1]));
	run(60, 100);
	print_message("... %u questions and %u connects after a reload\n", most(questions, 60, 100),
		most(connects, 60, 100));
	CHECK(most(questions, 60, 100) <= busiest);
	CHECK(most(connects, 60, 100) <= busiest);
	finish();
}

static void
stepped(int64_t delta, bool held, void *arg)
{
	(void)held;
	(void)arg;
	poller_clock_stepped(poller, delta);
}

static void
a_clock_that_jumps_makes_no_burst(void)
{
	static const int64_t jumps[] = { 3600, -3600, 7, -7 };
	unsigned busiest;

	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		begin();
		busiest = usual();
		loop_on_step(loop, stepped, NULL);
		loop_sim_step_clock(loop, jumps[i] * LOOP_S);
		run(60, 100);
		print_message("... %u questions in the busiest second after a jump of %lld s\n",
			most(questions, 60, 100), (long long)jumps[i]);
		CHECK(most(questions, 60, 100) <= busiest + busiest / 2);
		finish();
	}
}

/* What is late is not asked all at once, but each device at its own time. */
static void
a_poller_that_was_stopped_makes_no_burst(void)
{
	unsigned busiest;

	begin();
	busiest = usual();
	loop_sim_stall(loop, 300 * LOOP_S);
	run(60, 100);
	print_message("... %u questions in the busiest second after a standstill of 300 s\n",
		most(questions, 60, 100));
	CHECK(most(questions, 60, 100) <= busiest + busiest / 2);
	finish();
}

RUN_TESTS(TEST(a_start_asks_no_faster_than_a_quiet_time),
	TEST(a_reload_that_changes_all_devices_asks_no_faster_either),
	TEST(a_clock_that_jumps_makes_no_burst),
	TEST(a_poller_that_was_stopped_makes_no_burst))

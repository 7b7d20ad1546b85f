/* A line as a whole in virtual time: configuration, poller, driver, and a gateway with a slow
 * bus behind it that is computed here from the standard and not by modbus/bustime. What check
 * says of a line is held against what then happens. */
#include <errno.h>
#include <math.h>
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
#include "modbus/busplan.h"
#include "modbus/linedev.h"
#include "modbus/modbus.h"
#include "path/paths.h"
#include "../check.h"
#include "../scratch.h"

#define UNITS 30
#define REGISTERS 80
#define WAIT (300 * LOOP_MS) /* of the gateway, for a unit that does not answer */
#define TRIES 2
#define CHARACTER (11 * LOOP_S / 9600)

/* ---- the gateway ---- */

static struct {
	struct net_addr at;
	bool dead[256];
	int64_t free_at;              /* mono: the bus */
	int64_t round_end, busy;      /* of the round that is under way */
	unsigned asked, answered, overlapped;
	struct net_sim_conn *conn;
} gateway;
static struct loop *loop;

/* 15 to 25 ms, as units differ; 20 on the average. */
static int64_t
thinking(unsigned unit)
{
	return (15 + unit * 7 % 11) * LOOP_MS;
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	uint8_t answer[260] = { data[0], data[1], 0, 0, 0, 3, data[6], data[7] };
	unsigned count = (unsigned)(data[10] << 8 | data[11]), length = 9 + 2 * count;
	int64_t now = loop_mono(loop), begin = now > gateway.free_at ? now : gateway.free_at;

	(void)arg;
	CHECK(size == 12 && data[7] == 3);
	gateway.conn = conn;
	gateway.asked++;
	gateway.overlapped += gateway.free_at > now;
	if (gateway.dead[data[6]]) {
		gateway.free_at = begin + TRIES * (7 * CHARACTER / 2 + 8 * CHARACTER + WAIT);
		answer[7] |= 0x80;
		answer[8] = 0x0B;
		length = 9;
	} else {
		gateway.free_at = begin + 7 * CHARACTER / 2 + 8 * CHARACTER + thinking(data[6]) +
			(5 + 2 * count) * CHARACTER;
		gateway.answered++;
		answer[5] = (uint8_t)(3 + 2 * count);
		answer[8] = (uint8_t)(2 * count);
		memset(answer + 9, data[6], 2 * count);
	}
	gateway.busy += gateway.free_at - begin;
	gateway.round_end = gateway.free_at;
	net_sim_send(conn, answer, length, gateway.free_at - now);
}

/* ---- the poller around it ---- */

static struct inventory *inventory;
static struct modbus *modbus;
static struct series_catalogue *catalogue;
static struct latest *latest;
static struct feed feed;
static struct poller *poller;
static unsigned good[256], lost[256]; /* by unit id, of its point "p" */
static struct paths *paths;
static double load;                   /* the newest of gw-7/load */

static unsigned
unit_of(const struct series *series)
{
	unsigned unit;
	int length = 0;

	return sscanf(series->path, "m%u/p%n", &unit, &length) == 1 && length > 0 &&
		series->path[length] == '\0' && unit < 256 ? unit : 0;
}

static void
see_sample(void *arg, const struct sample *sample)
{
	(void)arg;
	if (strcmp(sample->series->path, "gw-7/load") == 0)
		load = sample->value;
	if (sample->reason == REASON_GOOD)
		good[unit_of(sample->series)]++;
	else
		lost[unit_of(sample->series)]++;
}

static void
see_run(void *arg, const struct sample_run *run)
{
	(void)arg;
	lost[unit_of(run->series)] += (unsigned)(run->last - run->first + 1);
}

static void
write_conf(const char *interval)
{
	FILE *file = fopen(scratch_path("main.conf"), "w");

	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; interval = \"%s\"; align = %s; };\n"
		"lines: ( { name = \"gw-7\"; address = \"10.1.7.7\"; free_connections = 1;\n"
		"  gateway = { timeout = \"300ms\"; retries = 1; };\n"
		"  baud = 9600; parity = \"even\"; turnaround = \"20ms\"; } );\ndevices: (\n",
		scratch_path("state"), interval, strcmp(interval, "60s") == 0 ? "true" : "false");
	for (int unit = 1; unit <= UNITS; unit++)
		fprintf(file, "%s{ name = \"m%d\"; modbus = { line = \"gw-7\"; unit_id = %d; };\n"
			"  points = ( { name = \"p\"; function = 3; pdu = 0; type = \"u16\"; },\n"
			"    { name = \"text\"; function = 3; pdu = 1; type = \"string\"; length = %d; } ); }",
			unit > 1 ? ",\n" : "", unit, unit, REGISTERS - 1);
	fprintf(file, " );\npaths: ( { name = \"way\"; source = [ \"m1/p\" ]; hops = ( \"m1\", \"gw-7\" ); } );\n");
	fclose(file);
}

static struct inventory *
read_conf(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(scratch_path("main.conf"), &errors);
	struct inventory *read;

	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	read = conf_inventory(conf);
	conf_free(conf);
	conf_errors_free(&errors);
	return read;
}

static const struct series *
series_by_id(void *arg, uint32_t id)
{
	(void)arg;
	return series_get(catalogue, id);
}

static void
begin(const char *interval)
{
	static const struct net_sim_server events = { NULL, received, NULL };
	static const struct feed_listener listener = { .sample = see_sample,
		.run = see_run };
	struct feed_listener hook;
	struct paths_options path_options;
	struct poller_parts parts;

	log_open(LOG_TARGET_NONE, "");
	scratch_make();
	write_conf(interval);
	memset(&gateway, 0, sizeof gateway);
	memset(good, 0, sizeof good);
	memset(lost, 0, sizeof lost);
	/* half a minute before a full one */
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225630) * LOOP_S);
	loop = loop_new(NULL);
	net_addr_parse("10.1.7.7", 502, &gateway.at, NULL);
	net_sim_tcp(&gateway.at, &events, NULL);
	inventory = read_conf();
	modbus = modbus_new(loop);
	catalogue = series_open(scratch, true, NULL);
	latest = latest_open_writer(scratch, NULL);
	CHECK(catalogue != NULL && latest != NULL);
	feed.count = 0;
	hook = latest_listener(latest);
	feed_add(&feed, &hook);
	feed_add(&feed, &listener);
	path_options = (struct paths_options){ .loop = loop, .series = series_by_id };
	paths = paths_new(&path_options, inventory);
	hook = paths_listener(paths);
	feed_add(&feed, &hook);
	paths_begin(paths);
	parts = (struct poller_parts){ .loop = loop, .catalogue = catalogue, .latest = latest,
		.feed = &feed, .drivers = { { &modbus_driver, modbus }, { &linedev_driver, modbus } },
		.driver_count = 2 };
	poller = poller_new(&parts);
	poller_configure(poller, inventory_ref(inventory));
}

static void
finish(void)
{
	poller_free(poller);
	paths_free(paths);
	modbus_end(modbus);
	series_close(catalogue);
	latest_close(latest);
	inventory_unref(inventory);
	loop_free(loop);
	net_sim_reset();
	scratch_remove();
}

/* ---- a round takes as long as check says ---- */

/* From the full minute, at which all are due, to the last answer; the mean of ten. */
static double
measured_round(void)
{
	int64_t sum = 0;

	for (int i = 0; i < 10; i++) {
		int64_t begun = loop_mono(loop);

		loop_sim_for(loop, 60 * LOOP_S);
		sum += gateway.round_end - begun;
	}
	return (double)sum / 10e9;
}

static void
hold_against_the_model(size_t dead)
{
	static const unsigned who[] = { 5, 15, 25 };
	struct busplan *plans;
	size_t count;
	double model, round;

	begin("60s");
	plans = busplan_make(inventory, &count);
	CHECK_INT(count, 1);
	CHECK_INT(plans->questions, UNITS);
	model = (double)plans->with[dead].round / 1e9;
	free(plans);
	loop_sim_for(loop, 30 * LOOP_S); /* to the full minute */
	for (size_t i = 0; i < dead; i++)
		gateway.dead[who[i]] = true;
	loop_sim_for(loop, 5 * 60 * LOOP_S); /* until they are known to be dead */
	memset(good, 0, sizeof good);
	memset(lost, 0, sizeof lost);
	round = measured_round();
	print_message("%d units at 9600 baud, %zu dead: a round takes %.3f s, the model says %.3f s "
		"(%+.1f %%)\n", UNITS, dead, round, model, (model / round - 1) * 100);
	CHECK_NEAR(model, round, round / 10);
	CHECK_INT(gateway.overlapped, 0);
	for (unsigned unit = 1; unit <= UNITS; unit++) {
		CHECK_INT(good[unit], gateway.dead[unit] ? 0 : 10);
		CHECK_INT(lost[unit], gateway.dead[unit] ? 10 : 0);
	}
	finish();
}

static void
a_round_of_30_units_takes_as_long_as_the_model_says(void)
{
	hold_against_the_model(0);
}

static void
a_round_with_3_dead_units_does_too_and_nobody_else_starves(void)
{
	hold_against_the_model(1);
	hold_against_the_model(3);
}

/* ---- the line as a device ---- */

static void
the_load_is_a_point_and_as_high_as_the_model_says(void)
{
	struct busplan *plans;
	size_t count;
	double model;

	begin("10s");
	plans = busplan_make(inventory, &count);
	model = plans->with[0].load * 100;
	free(plans);
	loop_sim_for(loop, 120 * LOOP_S);
	print_message("gw-7/load is %.1f %%, the model says %.1f %%\n", load, model);
	CHECK_NEAR(load, model, model / 10);
	finish();
}

struct seen {
	enum path_state state;
	char root[64], evidence[200];
};

static void
see_path(void *arg, const struct path_view *view)
{
	struct seen *seen = arg;

	seen->state = view->state;
	snprintf(seen->root, sizeof seen->root, "%s", view->root);
	snprintf(seen->evidence, sizeof seen->evidence, "%s", view->evidence);
}

static void
a_line_whose_connection_is_down_is_the_root_and_not_its_units(void)
{
	struct seen seen;

	begin("10s");
	loop_sim_for(loop, 60 * LOOP_S);
	paths_each(paths, see_path, &seen);
	CHECK_INT(seen.state, PATH_UP);
	net_sim_tcp_refuse(&gateway.at);
	net_sim_close(gateway.conn, ECONNRESET, 0);
	loop_sim_for(loop, 60 * LOOP_S);
	paths_each(paths, see_path, &seen);
	CHECK_INT(seen.state, PATH_IMPAIRED);
	CHECK_STR(seen.root, "gw-7");
	CHECK(strstr(seen.evidence, ": unreachable") != NULL);
	finish();
}

static void
a_line_none_of_whose_units_answers_is_the_root(void)
{
	struct seen seen;

	begin("10s");
	loop_sim_for(loop, 60 * LOOP_S);
	for (unsigned unit = 1; unit <= UNITS; unit++)
		gateway.dead[unit] = true;
	loop_sim_for(loop, 120 * LOOP_S);
	paths_each(paths, see_path, &seen);
	CHECK_INT(seen.state, PATH_IMPAIRED);
	CHECK_STR(seen.root, "gw-7");
	CHECK(strstr(seen.evidence, ": timeout") != NULL);
	finish();
}

static void
a_dead_unit_is_the_root_where_the_others_answer(void)
{
	struct seen seen;

	begin("10s");
	gateway.dead[1] = true;
	loop_sim_for(loop, 120 * LOOP_S);
	paths_each(paths, see_path, &seen);
	CHECK_INT(seen.state, PATH_IMPAIRED);
	CHECK_STR(seen.root, "m1");
	finish();
}

RUN_TESTS(TEST(the_load_is_a_point_and_as_high_as_the_model_says),
	TEST(a_line_whose_connection_is_down_is_the_root_and_not_its_units),
	TEST(a_line_none_of_whose_units_answers_is_the_root),
	TEST(a_dead_unit_is_the_root_where_the_others_answer),
	TEST(a_round_of_30_units_takes_as_long_as_the_model_says),
	TEST(a_round_with_3_dead_units_does_too_and_nobody_else_starves))

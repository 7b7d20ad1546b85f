/* What check says of the time and the connections of Modbus lines. */
#include "config/conf.h"

#include <stdio.h>

#include "core/device.h"
#include "modbus/busplan.h"
#include "modbus/modbus.h"
#include "snmp/snmp.h"
#include "../check.h"
#include "../scratch.h"

#define POINT "points = ( { name = \"p\"; function = 3; pdu = 1; type = \"string\"; length = %d; } ); }"

static struct conf_errors errors;
static struct inventory *inventory;

/* A line of `units` units, each with one block of so many registers every 10 s. */
static void
load(const char *line, int units, int registers, const char *rest)
{
	FILE *file;
	struct conf *conf;

	scratch_make();
	file = fopen(scratch_path("main.conf"), "w");
	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; interval = \"10s\"; };\n"
		"lines: ( { name = \"bus\"; %s } );\ndevices: (\n", scratch_path("state"), line);
	for (int i = 1; i <= units; i++)
		fprintf(file, "%s{ name = \"m%d\"; modbus = { line = \"bus\"; unit_id = %d; }; "
			POINT, i > 1 ? ",\n" : "", i, i, registers);
	fprintf(file, ");\n%s", rest);
	fclose(file);
	errors = (struct conf_errors){ 0 };
	conf = conf_load(scratch_path("main.conf"), &errors);
	inventory = conf == NULL ? NULL : conf_inventory(conf);
	conf_free(conf);
}

static void
end(void)
{
	inventory_free(inventory);
	conf_errors_free(&errors);
	scratch_remove();
}

#define SERIAL "address = \"10.0.0.7\"; port = 4001; transport = \"rtu-over-tcp\"; baud = 9600; " \
	"parity = \"even\"; turnaround = \"20ms\"; free_connections = 1; "

/* 80 registers: 173 characters of 1.1458 ms, 20 ms of thinking, 5 ms between, 1 ms of network. */
#define EXCHANGE (173 * 11 / 9600.0 + 0.026)

static void
sums_what_all_units_of_a_line_take(void)
{
	struct busplan *plans;
	size_t count;

	load(SERIAL "timeout = \"500ms\";", 30, 80, "");
	CHECK(inventory != NULL);
	plans = busplan_make(inventory, &count);
	CHECK_INT(count, 1);
	CHECK_STR(plans->name, "bus");
	CHECK_INT(plans->units, 30);
	CHECK_INT(plans->questions, 30);
	CHECK_INT(plans->options->file_line, 2);
	CHECK_NEAR((double)plans->with[0].round / 1e9, 30 * EXCHANGE, 0.001);
	CHECK_NEAR(plans->with[0].load, 3 * EXCHANGE, 0.0001);
	/* 500 ms, 100 ms of silence after it, and the pause before the question */
	CHECK_NEAR((double)plans->with[3].round / 1e9, 27 * EXCHANGE + 3 * 0.605, 0.001);
	/* 30 units 6.7 s, each dead one 0.38 s more: 8 of them make 9.8 s */
	CHECK_INT(plans->bearable, 8);
	CHECK_INT(errors.warning_count, 0);
	free(plans);
	end();
}

static void
refuses_what_does_not_fit_by_file_and_line(void)
{
	load(SERIAL, 60, 80, "");
	CHECK(inventory == NULL);
	CHECK_INT(errors.count, 1);
	CHECK_INT(errors.items[0].line, 2);
	CHECK(strstr(errors.items[0].text, "line \"bus\": does not fit") != NULL);
	CHECK(strstr(errors.items[0].text, "135 % of its time") != NULL);
	CHECK(strstr(errors.items[0].text, "higher baud") != NULL);
	end();
}

static void
warns_where_one_dead_unit_makes_others_late(void)
{
	load(SERIAL "timeout = \"5s\";", 30, 80, "");
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 1);
	CHECK(strstr(errors.warnings[0].text, "with one unit dead a round takes") != NULL);
	CHECK(strstr(errors.warnings[0].text, "polls every 10s") != NULL);
	end();
}

static void
knows_no_bus_behind_a_gateway_that_says_no_speed(void)
{
	struct busplan *plans;
	size_t count;

	load("address = \"10.0.0.7\";", 100, 80, "");
	plans = busplan_make(inventory, &count);
	CHECK_NEAR((double)plans->with[0].round / 1e9, 0.1, 1e-6);
	free(plans);
	end();
}

/* Asked by Modbus TCP; on the bus the gateway itself keeps the pause, 4 ms. */
static void
knows_the_bus_behind_a_gateway_that_says_its_speed(void)
{
	struct busplan *plans;
	size_t count;

	load("address = \"10.0.0.7\"; gateway = { timeout = \"300ms\"; retries = 1; }; baud = 9600; "
		"parity = \"even\"; turnaround = \"20ms\";", 10, 80, "");
	CHECK(inventory != NULL);
	plans = busplan_make(inventory, &count);
	CHECK_NEAR((double)plans->with[0].round / 1e9, 10 * (EXCHANGE - 0.001), 0.001);
	/* two tries, each with its pause and its 8 characters */
	CHECK_NEAR((double)plans->with[1].round / 1e9, 9 * (EXCHANGE - 0.001) + 0.601 + 2 * 0.0132,
		0.001);
	free(plans);
	end();
}

/* 10 units, a question each every 10 s: one a second. */
static void
refuses_what_does_not_fit_into_max_rate(void)
{
	struct busplan *plans;
	size_t count;

	load("address = \"10.0.0.7\"; max_rate = 0.5;", 10, 10, "");
	CHECK(inventory == NULL);
	CHECK_INT(errors.count, 1);
	CHECK_INT(errors.items[0].line, 2);
	CHECK(strstr(errors.items[0].text, "line \"bus\": does not fit") != NULL);
	CHECK(strstr(errors.items[0].text, "200 % of its time") != NULL);
	CHECK(strstr(errors.items[0].text, "a higher max_rate") != NULL);
	end();
	load("address = \"10.0.0.7\"; max_rate = 4;", 10, 10, "");
	CHECK(inventory != NULL);
	plans = busplan_make(inventory, &count);
	CHECK_NEAR(plans->with[0].load, 0.25, 0.001);
	CHECK_INT(plans->with[0].round, INT64_C(2500000000));
	CHECK_NEAR(plans->host.max_rate, 4, 0);
	free(plans);
	end();
}

/* Two ports of one serial server: one unit on each, asked that often. */
static void
load_two_lines(const char *max_rate, const char *first, const char *second)
{
	FILE *file;
	struct conf *conf;

	scratch_make();
	file = fopen(scratch_path("main.conf"), "w");
	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; };\nlines: (\n"
		"{ name = \"one\"; address = \"10.0.0.7\"; port = 4001; %s },\n"
		"{ name = \"two\"; address = \"10.0.0.7\"; port = 4002; } );\ndevices: (\n"
		"{ name = \"a\"; interval = \"%s\"; modbus = { line = \"one\"; unit_id = 1; }; "
		POINT ",\n{ name = \"b\"; interval = \"%s\"; modbus = { line = \"two\"; "
		"unit_id = 1; }; " POINT " );\n", scratch_path("state"), max_rate, first, 2, second, 2);
	fclose(file);
	errors = (struct conf_errors){ 0 };
	conf = conf_load(scratch_path("main.conf"), &errors);
	inventory = conf == NULL ? NULL : conf_inventory(conf);
	conf_free(conf);
}

static void
all_lines_to_a_host_share_its_max_rate(void)
{
	struct busplan *plans;
	size_t count;

	load_two_lines("max_rate = 2;", "1s", "2s");
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 0);
	plans = busplan_make(inventory, &count);
	CHECK_INT(count, 2);
	for (size_t i = 0; i < count; i++) {
		CHECK_NEAR(plans[i].host.max_rate, 2, 0);
		CHECK_NEAR(plans[i].host.load, 0.75, 0.001); /* 1 and 0.5 of 2 a second */
		CHECK_INT(plans[i].host.lines, 2);
		CHECK_INT(plans[i].host.questions, 2);
	}
	free(plans);
	end();
}

/* Each of them alone would fit. */
static void
refuses_lines_that_together_do_not_fit_into_it(void)
{
	load_two_lines("max_rate = 1.25;", "1s", "1s");
	CHECK(inventory == NULL);
	CHECK_INT(errors.count, 2);
	CHECK_INT(errors.items[0].line + errors.items[1].line, 3 + 4);
	CHECK(strstr(errors.items[0].text, "the 2 lines to 10.0.0.7 ask 2.0 questions a second, "
		"its max_rate is 1.25") != NULL);
	end();
	load_two_lines("max_rate = 1.25;", "1s", "60s");
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 2);
	CHECK(strstr(errors.warnings[0].text, "take 1600ms at its max_rate of 1.25: when all are "
		"due at once, polls every 1s are late") != NULL);
	end();
}

#define PATH "paths: ( { name = \"x\"; source = [ \"m1/*\" ]; hops = ( \"m2\" ); } );\n"

static void
warns_of_a_controller_on_a_path_without_free_connections(void)
{
	load("address = \"10.0.0.7\";", 3, 10, PATH);
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 1);
	CHECK_INT(errors.warnings[0].line, 2);
	CHECK(strstr(errors.warnings[0].text, "line \"bus\" is on a data path") != NULL);
	end();
	load("address = \"10.0.0.7\"; free_connections = 2;", 3, 10, PATH);
	CHECK_INT(errors.warning_count, 0);
	end();
}

static void
warns_of_points_that_are_never_read(void)
{
	struct busplan *plans;
	size_t count;

	load("address = \"10.0.0.7\"; free_connections = 0;", 1, 10, "");
	CHECK(inventory != NULL);
	CHECK_INT(errors.warning_count, 1);
	CHECK(strstr(errors.warnings[0].text, "its points are never read; of it only a ping "
		"(reach = { ping = true; }) and, as hops, the port") != NULL);
	plans = busplan_make(inventory, &count);
	CHECK_INT(count, 0);
	free(plans);
	end();
}

#define CONN_TEMPLATE "templates: ( { name = \"tcp\"; protocol = \"snmp\"; points = ( { name = " \
	"\"resets\"; oid = \"1.3.6.1.2.1.6.8.0\"; } );\n tables = ( { name = \"conn\"; " \
	"connections = true; points = ( { name = \"state\"; oid = \"1.3.6.1.2.1.6.19.1.7\"; } ); " \
	"} ); } );\n"

/* A server with these rows, and a path with that hop. */
static void
load_consumer(const char *rows, const char *hop)
{
	FILE *file;
	struct conf *conf;

	scratch_make();
	file = fopen(scratch_path("main.conf"), "w");
	CHECK(file != NULL);
	fprintf(file, "poller: { templates = [ ]; state_dir = \"%s\"; };\ndevices: (\n"
		"{ name = \"mes-db\"; address = \"10.0.0.9\"; templates = [ \"tcp\" ]; %s } );\n"
		"paths: ( { name = \"x\"; source = [ \"mes-db/up\" ]; hops = ( \"%s\" ); } );\n"
		CONN_TEMPLATE, scratch_path("state"), rows, hop);
	fclose(file);
	errors = (struct conf_errors){ 0 };
	conf = conf_load(scratch_path("main.conf"), &errors);
	inventory = conf == NULL ? NULL : conf_inventory(conf);
	conf_free(conf);
}

static void
a_consumer_is_asked_for_the_connections_that_its_rows_name(void)
{
	const struct snmp_group *wire;

	load_consumer("rows = { conn = { remote = [ \"10.0.0.7:502\", \"10.0.0.8:502\" ]; }; };",
		"mes-db/conn[10.0.0.8:502]");
	CHECK(inventory != NULL);
	CHECK_INT(inventory->devices[0].group_count, 2);
	CHECK(inventory->devices[0].groups[1].connections);
	wire = inventory->devices[0].groups[1].wire;
	CHECK_INT(wire->peer_count, 2);
	CHECK_STR(wire->peers[1].name, "10.0.0.8:502");
	CHECK_INT(wire->peers[1].index[3], 8);
	end();
	load_consumer("rows = { conn = { remote = [ \"10.0.0.7:502\", \"[2001:db8::8]:502\" ]; }; };",
		"mes-db/conn[[2001:db8::8]:502]");
	CHECK(inventory != NULL);
	wire = inventory->devices[0].groups[1].wire;
	CHECK_STR(wire->peers[1].name, "[2001:db8::8]:502");
	CHECK_INT(wire->peers[1].index_count, 17);
	end();
	load_consumer("", "mes-db");
	CHECK(inventory != NULL);
	CHECK_INT(inventory->devices[0].group_count, 1); /* all connections of a server: not unasked */
	end();
}

static void
refuses_connections_that_nobody_looks_for(void)
{
	load_consumer("rows = { conn = { remote = [ \"10.0.0.7:502\" ]; }; };",
		"mes-db/conn[10.0.0.8:502]");
	CHECK(inventory == NULL);
	CHECK_STR(errors.items[0].text, "path \"x\": hop \"mes-db/conn[10.0.0.8:502]\": rows.conn.remote of "
		"\"mes-db\" does not name \"10.0.0.8:502\"");
	end();
	load_consumer("rows = { conn = { include = \"x\"; }; };", "mes-db");
	CHECK(inventory == NULL);
	CHECK(strstr(errors.items[0].text, "remote: say to where connections are looked for") != NULL);
	end();
	load_consumer("rows = { conn = { remote = [ \"plc-7:502\" ]; }; };", "mes-db");
	CHECK(inventory == NULL);
	CHECK(strstr(errors.items[0].text, "remote: \"plc-7\" is not an IP address") != NULL);
	end();
	load_consumer("rows = { conn = { remote = [ \"[2001:db8::8]:502\", \"10.0.0.8:502\", "
		"\"[2001:DB8::8]:502\" ]; }; };", "mes-db/conn[[2001:db8::9]:502]");
	CHECK(inventory == NULL);
	CHECK_INT(errors.count, 2);
	CHECK(strstr(errors.items[0].text, "remote: \"[2001:db8::8]:502\" and "
		"\"[2001:DB8::8]:502\" are one place") != NULL);
	CHECK(strstr(errors.items[1].text, "does not name \"[2001:db8::9]:502\"") != NULL);
	end();
}

RUN_TESTS(TEST(a_consumer_is_asked_for_the_connections_that_its_rows_name),
	TEST(refuses_connections_that_nobody_looks_for),
	TEST(sums_what_all_units_of_a_line_take),
	TEST(refuses_what_does_not_fit_by_file_and_line),
	TEST(refuses_what_does_not_fit_into_max_rate),
	TEST(all_lines_to_a_host_share_its_max_rate),
	TEST(refuses_lines_that_together_do_not_fit_into_it),
	TEST(warns_where_one_dead_unit_makes_others_late),
	TEST(knows_no_bus_behind_a_gateway_that_says_no_speed),
	TEST(knows_the_bus_behind_a_gateway_that_says_its_speed),
	TEST(warns_of_a_controller_on_a_path_without_free_connections),
	TEST(warns_of_points_that_are_never_read))

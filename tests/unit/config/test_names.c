/* MIB names in a configuration: who checks reads the MIB, who gets the bundle does not. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "config/conf.h"
#include "core/device.h"
#include "snmp/snmp.h"
#include "../check.h"
#include "../scratch.h"

static const char mib[] =
	"PLANT-MIB DEFINITIONS ::= BEGIN\n"
	"plant OBJECT IDENTIFIER ::= { iso 3 6 1 4 1 32473 }\n"
	"oil OBJECT IDENTIFIER ::= { plant 1 }\n"
	"rowName OBJECT IDENTIFIER ::= { plant 2 }\n"
	"rowValue OBJECT IDENTIFIER ::= { plant 3 }\n"
	"rowRestart OBJECT IDENTIFIER ::= { plant 4 }\n"
	"rowType OBJECT IDENTIFIER ::= { plant 5 }\n"
	"END\n";
#define HEAD "poller: { state_dir = \"/nonexistent\"; templates = [ ]; mibs = [ \"mibs\" ]; };\n"
static const char good[] = HEAD
	"templates: ( { name = \"t\"; protocol = \"snmp\";\n"
	"  parameters = ( { name = \"arc\"; default = 5; } );\n"
	"  points = ( { name = \"oil\"; oid = \"PLANT-MIB::oil.$arc.0\"; } );\n"
	"  tables = ( { name = \"row\"; key = [ \"1.3.6.1.2.1.2.2.1.2\", \"PLANT-MIB::rowName\", \"rowName\" ];\n"
	"    discontinuity = \"PLANT-MIB::rowRestart\"; type = \"rowType\";\n"
	"    points = ( { name = \"v\"; oid = [ \"rowValue\" ]; } ); } ); } );\n"
	"devices: ( { name = \"d\"; address = \"192.0.2.1\"; snmp = { version = \"2c\"; };\n"
	"  templates = [ \"t\" ]; rows = { row = { types = [ 6 ]; }; }; } );\n";

static void
put(const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(name), "w");

	CHECK(file != NULL);
	CHECK(fputs(text, file) >= 0);
	CHECK(fclose(file) == 0);
}

static void
begin(const char *text)
{
	scratch_make();
	CHECK(mkdir(scratch_path("mibs"), 0755) == 0);
	put("mibs/PLANT-MIB", mib);
	put("main.conf", text);
}

/* What was said, "" for nothing. */
static const char *
said(const struct conf_errors *errors)
{
	static char text[4000];
	FILE *to = fmemopen(text, sizeof text, "w");

	text[0] = '\0';
	conf_report(errors, to);
	fclose(to);
	return text;
}

static void
check_oid(const struct snmp_oid *oid, const char *wanted)
{
	char text[200];

	CHECK_STR(snmp_oid_text(text, sizeof text, oid->ids, oid->count), wanted);
}

static void
check_numbers(struct conf *conf)
{
	struct inventory *inventory = conf_inventory(conf);
	const struct device *device = &inventory->devices[0];
	const struct snmp_point *oil = device->groups[0].points[0].wire;
	const struct snmp_point *value = device->groups[1].points[0].wire;
	const struct snmp_group *table = device->groups[1].wire;

	check_oid(&oil->oids[0], "1.3.6.1.4.1.32473.1.5.0");
	check_oid(&table->keys[0], "1.3.6.1.2.1.2.2.1.2");
	check_oid(&table->keys[1], "1.3.6.1.4.1.32473.2");
	check_oid(&table->keys[2], "1.3.6.1.4.1.32473.2");
	check_oid(&table->type, "1.3.6.1.4.1.32473.5");
	check_oid(&table->discontinuity, "1.3.6.1.4.1.32473.4");
	check_oid(&value->oids[0], "1.3.6.1.4.1.32473.3");
	inventory_free(inventory);
}

static void
names_become_numbers_wherever_an_oid_may_stand(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;

	begin(good);
	conf = conf_load(scratch_path("main.conf"), &errors);
	CHECK_STR(said(&errors), "");
	check_numbers(conf);
	conf_free(conf);
	scratch_remove();
}

static void
the_bundle_carries_the_numbers_so_nobody_else_needs_the_mib(void)
{
	struct conf_errors errors = { 0 };
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	struct conf *conf;
	struct fail why;

	begin(good);
	conf = conf_load(scratch_path("main.conf"), &errors);
	CHECK(conf_bundle_write(conf, fd, &why) == 0);
	conf_free(conf);
	scratch_remove();
	conf = conf_load_bundle(fd, &errors);
	CHECK_STR(said(&errors), "");
	check_numbers(conf);
	conf_free(conf);
	close(fd);
}

static const char kinds[] =
	"KINDS-MIB DEFINITIONS ::= BEGIN\n"
	"kinds OBJECT IDENTIFIER ::= { iso 3 6 1 4 1 32475 }\n"
	"temp OBJECT-TYPE SYNTAX INTEGER\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { kinds 1 }\n"
	"fanTable OBJECT-TYPE SYNTAX SEQUENCE OF FanEntry\n"
	" MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" ::= { kinds 2 }\n"
	"fanEntry OBJECT-TYPE SYNTAX FanEntry\n"
	" MAX-ACCESS not-accessible STATUS current DESCRIPTION \"\" INDEX { fanIndex } ::= { fanTable 1 }\n"
	"FanEntry ::= SEQUENCE { fanIndex INTEGER, fanSpeed INTEGER }\n"
	"fanIndex OBJECT-TYPE SYNTAX INTEGER\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { fanEntry 1 }\n"
	"fanSpeed OBJECT-TYPE SYNTAX INTEGER\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { fanEntry 2 }\n"
	"END\n";

static void
a_name_tells_a_value_from_a_column_and_how_each_is_asked_for(void)
{
	struct conf_errors errors = { 0 };
	char wanted[2000];
	const char *path;

	begin(HEAD
		"templates: ( { name = \"t\"; protocol = \"snmp\";\n"
		"  parameters = ( { name = \"fan\"; default = 1; } );\n"
		"  match = { has = [ \"KINDS-MIB::temp.x\", \"KINDS-MIB::temp.1.\" ]; };\n"
		"  points = ( { name = \"a\"; oid = [ \"KINDS-MIB::temp.0\", \"fanSpeed.7\" ]; },\n"
		"    { name = \"b\"; oid = \"KINDS-MIB::fanSpeed.$fan\"; },\n"
		"    { name = \"c\"; oid = \"KINDS-MIB::temp\"; },\n"
		"    { name = \"d\"; oid = [ \"1.3.6.1.4.1.32475.1\",\n"
		"      \"fanSpeed\" ]; } );\n"
		"  tables = ( { name = \"fan\"; key = [ \"KINDS-MIB::fanIndex.1\" ];\n"
		"    points = ( { name = \"v\"; oid = \"KINDS-MIB::fanSpeed\"; },\n"
		"      { name = \"w\"; oid = \"KINDS-MIB::temp.0\"; } ); } ); } );\n");
	put("mibs/KINDS-MIB", kinds);
	path = scratch_path("main.conf");
	CHECK(conf_load(path, &errors) == NULL);
	snprintf(wanted, sizeof wanted, "%s:4: template \"t\": match: has \"KINDS-MIB::temp.x\": expected numbers behind the name, like .0\n"
		"%s:4: template \"t\": match: has \"KINDS-MIB::temp.1.\": expected numbers behind the name, like .0\n"
		"%s:7: template \"t\": point \"c\": oid \"KINDS-MIB::temp\": is one "
		"value: ask for it with .0 behind the name\n"
		"%s:9: template \"t\": point \"d\": oid \"fanSpeed\": is a column: put the index of a row "
		"behind it, or ask for it in a table\n"
		"%s:10: template \"t\": table \"fan\": key \"KINDS-MIB::fanIndex.1\": is one cell: a table asks "
		"for whole columns, leave out what is behind the name\n"
		"%s:12: template \"t\": table \"fan\": point \"w\": oid \"KINDS-MIB::temp.0\": is one value "
		"and no column of a table\n", path, path, path, path, path, path);
	CHECK_STR(said(&errors), wanted);
	conf_errors_free(&errors);
	scratch_remove();
}

static void
a_wrong_name_is_told_at_its_line_once(void)
{
	struct conf_errors errors = { 0 };
	char wanted[600];

	begin(HEAD
		"templates: ( { name = \"t\"; protocol = \"snmp\";\n"
		"  points = (\n"
		"    { name = \"oil\"; oid = \"PLANT-MIB::oel\"; } ); } );\n");
	CHECK(conf_load(scratch_path("main.conf"), &errors) == NULL);
	snprintf(wanted, sizeof wanted, "%s:4: template \"t\": point \"oil\": oid "
		"\"PLANT-MIB::oel\": module PLANT-MIB has no \"oel\" (did you mean \"oil\"?)\n",
		scratch_path("main.conf"));
	CHECK_STR(said(&errors), wanted);
	conf_errors_free(&errors);
	scratch_remove();
}

static void
a_type_of_registers_is_no_name(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;

	begin(HEAD "devices: ( { name = \"d\"; address = \"192.0.2.1\"; modbus = { unit_id = 1; };\n"
		"  points = ( { name = \"x\"; function = 3; pdu = 1; type = \"u32\"; } ); } );\n");
	conf = conf_load(scratch_path("main.conf"), &errors);
	CHECK_STR(said(&errors), "");
	conf_free(conf);
	scratch_remove();
}

static void
who_only_looks_needs_no_mib(void)
{
	struct conf_errors errors = { 0 };
	struct conf *conf;

	begin(HEAD "devices: ( { name = \"d\"; address = \"192.0.2.1\"; snmp = { version = \"2c\"; };\n"
		"  points = ( { name = \"x\"; oid = \"NOWHERE-MIB::oil.0\"; } ); } );\n");
	CHECK(conf_load(scratch_path("main.conf"), &errors) == NULL);
	CHECK(strstr(said(&errors), "no MIB module NOWHERE-MIB") != NULL);
	conf_errors_free(&errors);
	conf = conf_load_to_look(scratch_path("main.conf"), &errors);
	CHECK_STR(said(&errors), "");
	conf_free(conf);
	scratch_remove();
}

RUN_TESTS(
	TEST(names_become_numbers_wherever_an_oid_may_stand),
	TEST(the_bundle_carries_the_numbers_so_nobody_else_needs_the_mib),
	TEST(a_name_tells_a_value_from_a_column_and_how_each_is_asked_for),
	TEST(a_wrong_name_is_told_at_its_line_once),
	TEST(a_type_of_registers_is_no_name),
	TEST(who_only_looks_needs_no_mib))

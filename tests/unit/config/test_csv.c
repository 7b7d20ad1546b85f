#include "config/csv.h"

#include <stdlib.h>

#include "../check.h"
#include "base/mem.h"
#include "config/bundle.h"
#include "config/errors.h"

static struct conf_errors errors;

static char *(*reader)(const struct bundle_file *, struct conf_errors *) = csv_points;

/* What the list becomes, or its complaints, one a line. */
static char *
made_of(const char *text, size_t size)
{
	char path[] = "press.csv", *copy = mem_zero(size + 1), *points;
	struct bundle_file file = { BUNDLE_LIST, path, copy, size };

	memcpy(copy, text, size);
	errors = (struct conf_errors){ 0 };
	points = reader(&file, &errors);
	CHECK((points == NULL) == (errors.count > 0));
	free(copy);
	return points;
}

static void
gives(const char *text, const char *wanted)
{
	char *points = made_of(text, strlen(text));

	CHECK(points != NULL);
	CHECK_STR(points, wanted);
	free(points);
}

static void
complains(const char *text, int line, const char *wanted)
{
	char *points = made_of(text, strlen(text));

	CHECK(points == NULL);
	CHECK_STR(errors.items[0].file, "press.csv");
	CHECK_INT(errors.items[0].line, line);
	CHECK_STR(errors.items[0].text, wanted);
	conf_errors_free(&errors);
}

static void
makes_a_point_of_each_row_in_its_line(void)
{
	gives("name;pdu;type\na;1;u16\n\nb;2;s32\n",
		"points = (\n{ name = \"a\"; pdu = 1; type = \"u16\"; }\n"
		"\n,{ name = \"b\"; pdu = 2; type = \"s32\"; }\n );");
}

static void
takes_any_separator_and_either_end_of_line(void)
{
	gives("name,pdu,scale\r\na,1,0.5\r\n",
		"points = (\n{ name = \"a\"; pdu = 1; scale = 0.5; }\n );");
	gives("Name;PDU;Scale;\r\n\"a\" ; 0x10 ;-0,25;\r\n;;;\r\n",
		"points = (\n{ name = \"a\"; pdu = 16; scale = -0.25; }\n\n );");
	gives("name\tpdu\tunit\tscale\na\t16\t\t-0,25\n\t\t\n",
		"points = (\n{ name = \"a\"; pdu = 16; scale = -0.25; }\n\n );");
}

static void
takes_quotes_lists_and_words(void)
{
	gives("name;text;states;separate;scale\na;\"x;\"\"y\"\"\\\";0=off|1=on;true;1e-7\n",
		"points = (\n{ name = \"a\"; text = \"x;\\\"y\\\"\\\\\"; states = [ \"0=off\", "
		"\"1=on\" ]; separate = true; scale = 9.9999999999999995e-08; }\n );");
}

static void
reads_utf8_with_and_without_a_mark_and_windows_1252(void)
{
	gives("\xEF\xBB\xBFname;unit\na;\xC2\xB0" "C\n",
		"points = (\n{ name = \"a\"; unit = \"\xC2\xB0" "C\"; }\n );");
	gives("name;unit;text\na;\xB0" "C;5 \x80 \xFC" "ber\n",
		"points = (\n{ name = \"a\"; unit = \"\xC2\xB0" "C\"; text = \"5 \xE2\x82\xAC "
		"\xC3\xBC" "ber\"; }\n );");
}

static void
says_what_is_wrong_and_where(void)
{
	complains("name;pud\na;1\n", 1, "column \"pud\": unknown (did you mean \"pdu\"?)");
	complains("name;name\na;1\n", 1, "column \"name\" stands there twice");
	complains("name;pdu\na;x1\n", 2, "pdu \"x1\": expected an integer");
	complains("name;scale\na;1\nb;1.000,5\n", 3,
		"scale \"1.000,5\": expected a number, as 0,1 or 0.1");
	complains("name;pdu\na;1;7\n", 2, "\"7\" stands in column 3, which has no heading");
	complains("name;pdu\n\"a;1\n", 2, "a quote is not closed in its line");
	complains("name;separate\na;maybe\n", 2, "separate \"maybe\": expected true or false");
	complains("name;pdu\n", 2, "a list of registers without a register");
}

static void
makes_a_device_of_each_row_and_groups_of_dotted_headings(void)
{
	reader = csv_devices;
	gives("name;address;template;parents;interval;own\n"
		"sw-1;10.0.0.1;if-mib;core-a, core-b;30s;true\n",
		"devices = (\n{ name = \"sw-1\"; address = \"10.0.0.1\"; templates = [ \"if-mib\" ];"
		" parents = [ \"core-a\", \"core-b\" ]; interval = \"30s\"; own = true; }\n );");
	/* One group of the language, however the columns stand; empty cells make none. */
	gives("Name;snmp.Community;modbus.unit_id;SNMP.timeout\na;x;;500ms\nb;;7;\n",
		"devices = (\n{ name = \"a\"; snmp = { community = \"x\"; timeout = \"500ms\"; }; }\n"
		",{ name = \"b\"; modbus = { unit_id = 7; }; }\n );");
	gives("name;rows.if.include;rows.port.include;rows.if.retire;reach.tcp\na;^ge;x;2h;80|443\n",
		"devices = (\n{ name = \"a\"; rows = { if = { include = \"^ge\"; retire = \"2h\"; };"
		" port = { include = \"x\"; }; }; reach = { tcp = [ 80, 443 ]; }; }\n );");
	gives("name,parameters.ct,parameters.base,parameters.oid\na,\"2,5\",100,1.3.6\n",
		"devices = (\n{ name = \"a\"; parameters = { ct = 2.5; base = 100; oid = \"1.3.6\"; }; }"
		"\n );");
	gives("name;parameters\na;ct=2,5 base=100\nb;ct=1,oid=1.3.6| x=y, z=1\n",
		"devices = (\n{ name = \"a\"; parameters = { ct = 2.5; base = 100; }; }"
		"\n,{ name = \"b\"; parameters = { ct = 1; oid = \"1.3.6\"; x = \"y\"; z = 1; }; }\n );");
	reader = csv_points;
}

static void
says_what_is_wrong_with_a_list_of_devices(void)
{
	reader = csv_devices;
	complains("name;adress\na;1\n", 1, "column \"adress\": unknown (did you mean \"address\"?)");
	complains("name;template;templates\na;b;c\n", 1, "column \"templates\" stands there twice");
	complains("name;modbus.unit_id\na;x\n", 2, "unit_id \"x\": expected an integer");
	complains("name;address\n", 2, "a list of devices without a device");
	complains("name;parameters\na;2,5\n", 2, "parameters \"2,5\": expected NAME=VALUE, several "
		"with a blank between");
	complains("name;parameters\na;a{}=5\n", 2, "parameters \"a{}\": expected NAME=VALUE, several "
		"with a blank between");
	/* No heading makes anything but a key: its text stands in the language unquoted. */
	complains("name;parameters.a={};b\n", 1, "column \"parameters.a={}\": unknown: expected "
		"name, address, profile, templates, place, owner, parents, interval, modbus.unit_id, "
		"parameters, parameters.NAME and other keys of a device");
	reader = csv_points;
}

static void
refuses_what_is_no_text(void)
{
	CHECK(made_of("\xFF\xFEn\0a\0", 6) == NULL);
	CHECK_STR(errors.items[0].text, "is no text of 8 bits a character: save it as CSV (UTF-8)");
	conf_errors_free(&errors);
}

RUN_TESTS(TEST(makes_a_point_of_each_row_in_its_line),
	TEST(takes_any_separator_and_either_end_of_line), TEST(takes_quotes_lists_and_words),
	TEST(reads_utf8_with_and_without_a_mark_and_windows_1252),
	TEST(makes_a_device_of_each_row_and_groups_of_dotted_headings),
	TEST(says_what_is_wrong_with_a_list_of_devices), TEST(says_what_is_wrong_and_where), TEST(refuses_what_is_no_text))

/* Names of MIB modules, read from files of the test's own: no machine has to have any. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "snmp/mib.h"
#include "snmp/value.h"
#include "../check.h"
#include "../scratch.h"

/* A module that imports nothing: Net-SNMP knows the macros by itself. */
static const char plant[] =
	"PLANT-MIB DEFINITIONS ::= BEGIN\n"
	"plant OBJECT IDENTIFIER ::= { iso 3 6 1 4 1 32473 }\n"
	"MacAddress ::= TEXTUAL-CONVENTION\n DISPLAY-HINT \"1x:\" STATUS current\n"
	" DESCRIPTION \"\" SYNTAX OCTET STRING (SIZE (6))\n"
	"Tenths ::= TEXTUAL-CONVENTION\n DISPLAY-HINT \"d-1\" STATUS current\n"
	" DESCRIPTION \"\" SYNTAX INTEGER\n"
	"oilState OBJECT-TYPE SYNTAX INTEGER { cold(1), warm(2) }\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { plant 1 }\n"
	"oilSensor OBJECT-TYPE SYNTAX MacAddress\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { plant 2 }\n"
	"oilTemperature OBJECT-TYPE SYNTAX Tenths\n"
	" MAX-ACCESS read-only STATUS current DESCRIPTION \"\" ::= { plant 3 }\n"
	"END\n";
/* One name of its own, one that PLANT-MIB has as well, and one at the very same place. */
static const char twin[] =
	"TWIN-MIB DEFINITIONS ::= BEGIN\n"
	"twin OBJECT IDENTIFIER ::= { iso 3 6 1 4 1 32474 }\n"
	"plant OBJECT IDENTIFIER ::= { iso 3 6 1 4 1 32473 }\n"
	"oilState OBJECT IDENTIFIER ::= { twin 1 }\n"
	"oil-level2 OBJECT IDENTIFIER ::= { twin 2 }\n"
	"END\n";
static const char orphan[] =
	"ORPHAN-MIB DEFINITIONS ::= BEGIN\n"
	"IMPORTS parent FROM NOWHERE-MIB;\n"
	"child OBJECT IDENTIFIER ::= { parent 1 }\n"
	"END\n";

static void
put(const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(name), "w");

	CHECK(file != NULL);
	CHECK(fputs(text, file) >= 0);
	CHECK(fclose(file) == 0);
}

static struct mib *
open_ours(void)
{
	const char *dirs[] = { scratch_make() };

	put("PLANT-MIB", plant);
	put("ORPHAN-MIB.txt", orphan);
	return mib_open(dirs, 1);
}

static void
close_ours(struct mib *mib)
{
	mib_close(mib);
	scratch_remove();
}

static void
a_name_becomes_numbers_and_keeps_what_is_behind(void)
{
	struct mib *mib = open_ours();
	struct fail why;
	char to[200];

	CHECK_INT(mib_resolve(mib, "PLANT-MIB::oilState", to, sizeof to, &why), 0);
	CHECK_STR(to, "1.3.6.1.4.1.32473.1");
	CHECK_INT(mib_resolve(mib, "PLANT-MIB::oilSensor.$arc.0", to, sizeof to, &why), 0);
	CHECK_STR(to, "1.3.6.1.4.1.32473.2.$arc.0");
	CHECK(mib_is_name("PLANT-MIB::oilState"));
	CHECK(!mib_is_name("1.3.6.1"));
	CHECK(!mib_is_name("$plant"));
	close_ours(mib);
}

static void
says_what_is_missing_and_what_was_perhaps_meant(void)
{
	struct mib *mib = open_ours();
	struct fail why;
	char to[200];

	CHECK_INT(mib_resolve(mib, "PLANT-MIB::oilStat", to, sizeof to, &why), -1);
	CHECK_STR(why.text,
		"module PLANT-MIB has no \"oilStat\" (did you mean \"oilState\"?)");
	CHECK_INT(mib_resolve(mib, "PLAN-MIB::oilState", to, sizeof to, &why), -1);
	CHECK(strstr(why.text, "no MIB module PLAN-MIB in ") != NULL);
	CHECK(strstr(why.text, " (did you mean \"PLANT-MIB\"?)") != NULL);
	CHECK_INT(mib_resolve(mib, "QQQQQQQQQQQQ::x", to, sizeof to, &why), -1);
	CHECK(strstr(why.text, "snmp-mibs-downloader") != NULL);
	CHECK(strstr(why.text, "poller.mibs") != NULL);
	CHECK_INT(mib_resolve(mib, "ORPHAN-MIB::child", to, sizeof to, &why), -1);
	CHECK(strstr(why.text, "module ORPHAN-MIB needs NOWHERE-MIB") != NULL);
	CHECK_INT(mib_resolve(mib, "PLANT-MIB::", to, sizeof to, &why), -1);
	CHECK_INT(mib_resolve(mib, "PLANT-MIB::1.2", to, sizeof to, &why), -1);
	close_ours(mib);
}

static void
a_name_needs_no_module_where_only_one_place_has_it(void)
{
	const char *dirs[] = { scratch_make() };
	struct mib *mib;
	struct fail why;
	char to[200], small[8];

	put("PLANT-MIB", plant);
	put("TWIN-MIB", twin);
	mib = mib_open(dirs, 1);
	CHECK_INT(mib_resolve(mib, "oil-level2.$arc.0", to, sizeof to, &why), 0);
	CHECK_STR(to, "1.3.6.1.4.1.32474.2.$arc.0");
	CHECK_INT(mib_resolve(mib, "oilSensor", to, sizeof to, &why), 0);
	CHECK_STR(to, "1.3.6.1.4.1.32473.2");
	CHECK_INT(mib_resolve(mib, "plant", to, sizeof to, &why), 0); /* both mean the same */
	CHECK_STR(to, "1.3.6.1.4.1.32473");
	CHECK_INT(mib_resolve(mib, "oilState.0", to, sizeof to, &why), -1);
	CHECK(strstr(why.text, "2 MIB modules have that name, each for something else: write ") !=
		NULL);
	CHECK(strstr(why.text, "PLANT-MIB::oilState") != NULL);
	CHECK(strstr(why.text, "TWIN-MIB::oilState") != NULL);
	CHECK_INT(mib_resolve(mib, "oilSensr", to, sizeof to, &why), -1);
	CHECK(strstr(why.text, " has that name (did you mean \"oilSensor\"?)") != NULL);
	CHECK_INT(mib_resolve(mib, "oilSensor.0", small, sizeof small, &why), -1);
	close_ours(mib);
}

static void
what_begins_with_a_letter_and_has_nothing_strange_may_be_a_name(void)
{
	CHECK(mib_is_bare_name("ifHCInOctets"));
	CHECK(mib_is_bare_name("mib-2.31"));
	CHECK(mib_is_bare_name("ifIndex.$row"));
	CHECK(!mib_is_bare_name("IF-MIB::ifIndex"));
	CHECK(!mib_is_bare_name("1.3.6"));
	CHECK(!mib_is_bare_name(".1.3.6"));
	CHECK(!mib_is_bare_name("$oid.0"));
	CHECK(!mib_is_bare_name("if_index"));
	CHECK(!mib_is_bare_name(""));
}

static void
shows_oids_by_their_longest_named_part(void)
{
	static const uint32_t state[] = { 1, 3, 6, 1, 4, 1, 32473, 1, 0 };
	static const uint32_t other[] = { 2, 999, 3 };
	struct mib *mib = open_ours();
	char to[200], back[200];
	struct fail why;

	CHECK(mib_read_all(mib));
	CHECK(mib_oid_text(mib, to, sizeof to, state, 9));
	CHECK_STR(to, "PLANT-MIB::oilState.0");
	CHECK_INT(mib_resolve(mib, to, back, sizeof back, &why), 0);
	CHECK_STR(back, "1.3.6.1.4.1.32473.1.0");
	CHECK(!mib_oid_text(mib, to, sizeof to, other, 3));
	CHECK(!mib_oid_text(mib, to, sizeof to, state, 3));
	close_ours(mib);
}

static void
shows_values_as_their_mib_means_them(void)
{
	static const uint8_t mac[] = { 0x00, 0x1b, 0x1b, 0x02, 0x9d, 0xfe };
	uint32_t ids[] = { 1, 3, 6, 1, 4, 1, 32473, 1, 0 };
	struct varbind varbind = { .ids = ids, .count = 9,
		.value = { .type = VALUE_INTEGER, .integer = 2 } };
	struct mib *mib = open_ours();
	char to[200];

	CHECK(mib_read_all(mib));
	CHECK(mib_value_text(mib, to, sizeof to, &varbind));
	CHECK_STR(to, "warm(2)");
	varbind.value.integer = 7; /* not one of them */
	CHECK(!mib_value_text(mib, to, sizeof to, &varbind));
	ids[7] = 3;
	varbind.value.integer = 423;
	CHECK(mib_value_text(mib, to, sizeof to, &varbind));
	CHECK_STR(to, "42.3");
	ids[7] = 2;
	varbind.value = (struct value){ .type = VALUE_OCTETS, .octets = mac, .size = 6 };
	CHECK(mib_value_text(mib, to, sizeof to, &varbind));
	CHECK_STR(to, "0:1b:1b:2:9d:fe");
	ids[7] = 9;
	CHECK(!mib_value_text(mib, to, sizeof to, &varbind));
	close_ours(mib);
}

RUN_TESTS(
	TEST(a_name_becomes_numbers_and_keeps_what_is_behind),
	TEST(says_what_is_missing_and_what_was_perhaps_meant),
	TEST(a_name_needs_no_module_where_only_one_place_has_it),
	TEST(what_begins_with_a_letter_and_has_nothing_strange_may_be_a_name),
	TEST(shows_oids_by_their_longest_named_part),
	TEST(shows_values_as_their_mib_means_them))

/* Which templates fit, from templates as a configuration has them; addresses; names. */
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "../scratch.h"
#include "base/fail.h"
#include "cli/targets.h"
#include "config/conf.h"
#include "config/offers.h"
#include "snmp/scout.h"
#include "snmp/snmp.h"

static const char config[] =
	"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
	"templates: (\n"
	"  { name = \"plain\"; protocol = \"snmp\";\n"
	"    points = ( { name = \"a\"; oid = \"1.3.6.1.2.1.1.3.0\"; } ); },\n"
	"  { name = \"table\"; protocol = \"snmp\"; tables = ( { name = \"t\";\n"
	"    points = ( { name = \"x\"; oid = [ \"1.3.6.1.2.1.2\", \"1.3.6.1.2.1.3\" ]; } ); } ); },\n"
	"  { name = \"vendor\"; protocol = \"snmp\";\n"
	"    match = { sysobjectid = [ \"1.3.6.1.4.1.5\", \"1.3.6.1.4.1.6\" ]; };\n"
	"    tables = ( { name = \"t\"; points = ( { name = \"y\"; oid = \"1.3.6.1.4.1.5.1\"; } ); } ); },\n"
	"  { name = \"heir\"; inherit = \"plain\"; match = { sysobjectid = \"1.3.6.1.4.1.8\"; }; },\n"
	"  { name = \"model\"; protocol = \"snmp\"; parameters = ( { name = \"arc\"; } );\n"
	"    match = { sysobjectid = \"1.3.6.1.4.1.7.$arc\"; };\n"
	"    points = ( { name = \"m\"; oid = \"1.3.6.1.4.1.7.$arc.1.0\"; } ); },\n"
	"  { name = \"office\"; protocol = \"snmp\"; match = { has = \"1.3.6.1.2.1.43\"; };\n"
	"    points = ( { name = \"o\"; oid = \"1.3.6.1.2.1.25.1.0\"; } ); },\n"
	"  { name = \"again\"; inherit = \"plain\"; tables = ( { name = \"other\"; points = (\n"
	"    { name = \"p\"; oid = \"1.3.6.1.2.1.3\"; },\n"
	"    { name = \"q\"; oid = \"1.3.6.1.2.1.4\"; } ); } ); },\n"
	"  { name = \"bus\"; protocol = \"modbus\";\n"
	"    points = ( { name = \"b\"; function = 3; pdu = 1; type = \"u16\"; } ); } );\n";

static struct conf *conf;
static struct offers *offers;
static struct suggestion suggestion;

static void
begin(const char *object_id)
{
	struct conf_errors errors = { 0 };
	const struct offer *list;
	uint32_t ids[SNMP_OID_MAX];
	size_t count, offer_count;
	FILE *file;

	scratch_make();
	file = fopen(scratch_path("main.conf"), "w");
	CHECK(file != NULL);
	fputs(config, file);
	fclose(file);
	conf = conf_load(scratch_path("main.conf"), &errors);
	conf_report(&errors, stderr);
	CHECK(conf != NULL);
	offers = offers_new(conf);
	list = offers_list(offers, &offer_count);
	CHECK_INT(offer_count, 7); /* and not the one for Modbus */
	CHECK_INT(snmp_oid_parse(object_id, ids, &count, NULL), 0);
	suggest_begin(&suggestion, list, offer_count, ids, count);
}

/* The device has these objects; what is chosen, by name. */
static const char *
choose(const char *const *oids)
{
	static char chosen[200];
	char text[200];

	for (size_t i = 0; i < suggestion.object_count; i++) {
		struct scout_object *object = &suggestion.objects[i];

		snmp_oid_text(text, sizeof text, object->oid.ids, object->oid.count);
		for (size_t k = 0; oids[k] != NULL; k++)
			object->there = object->there || strcmp(text, oids[k]) == 0;
	}
	suggest_choose(&suggestion);
	chosen[0] = '\0';
	for (size_t i = 0; i < suggestion.count; i++) {
		if (suggestion.items[i].chosen)
			snprintf(chosen + strlen(chosen), sizeof chosen - strlen(chosen), "%s ",
				suggestion.items[i].offer->name);
	}
	return chosen;
}

static const struct candidate *
candidate(const char *name)
{
	for (size_t i = 0; i < suggestion.count; i++)
		if (strcmp(suggestion.items[i].offer->name, name) == 0)
			return &suggestion.items[i];
	return NULL;
}

static void
end(void)
{
	suggest_free(&suggestion);
	offers_free(offers);
	conf_free(conf);
	scratch_remove();
}

static void
a_template_needs_one_of_its_objects_and_its_own_kind_of_device(void)
{
	begin("1.3.6.1.4.1.5.9");
	CHECK(candidate("vendor") != NULL);
	CHECK(candidate("model") == NULL);
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.1.3.0", NULL }), "plain ");
	end();
	begin("1.3.6.1.4.1.55.9"); /* 55 does not begin with 5 */
	CHECK(candidate("vendor") == NULL);
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.3", NULL }), "table ");
	CHECK_INT(candidate("table")->found, 1);
	CHECK_INT(candidate("table")->want_count, 2);
	end();
}

static void
the_one_that_names_the_device_goes_before_one_for_all(void)
{
	begin("1.3.6.1.4.1.6");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.2", "1.3.6.1.2.1.3", "1.3.6.1.4.1.5.1",
		NULL }), "vendor again ");
	CHECK_STR(candidate("table")->why_not, "has a table \"t\" as vendor has");
	end();
	begin("1.3.6.1.4.1.8.1");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.1.3.0", NULL }), "heir ");
	CHECK_STR(candidate("plain")->why_not, "is part of heir");
	end();
}

static void
no_column_is_polled_twice_under_two_names(void)
{
	begin("1.3.6.1.4.1.99");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.2", "1.3.6.1.2.1.3", "1.3.6.1.2.1.1.3.0",
		NULL }), "plain table ");
	CHECK_STR(candidate("again")->why_not, "asks for most of its columns as table does");
	end();
	begin("1.3.6.1.4.1.99"); /* half of them: it has something of its own */
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.2", "1.3.6.1.2.1.3", "1.3.6.1.2.1.4",
		NULL }), "table again ");
	end();
}

static void
a_template_that_adds_nothing_gives_way_to_what_it_inherits(void)
{
	begin("1.3.6.1.4.1.99");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.1.3.0", NULL }), "plain ");
	CHECK_STR(candidate("again")->why_not, "has no more there than plain, which it inherits");
	end();
}

static void
a_parameter_takes_its_value_from_the_object_identifier(void)
{
	begin("1.3.6.1.4.1.7.71");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.4.1.7.71.1.0", NULL }), "model ");
	CHECK_STR(candidate("model")->values[0], "71");
	end();
	begin("1.3.6.1.4.1.7"); /* nothing in the place of the number */
	CHECK(candidate("model") == NULL);
	end();
}

static void
what_a_template_must_have_decides_even_if_its_objects_are_there(void)
{
	begin("1.3.6.1.4.1.9");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.25.1.0", NULL }), "");
	end();
	begin("1.3.6.1.4.1.9");
	CHECK_STR(choose((const char *[]){ "1.3.6.1.2.1.25.1.0", "1.3.6.1.2.1.43", NULL }),
		"office ");
	end();
}

static void
a_range_is_each_address_from_the_first_to_the_last(void)
{
	struct targets targets = { 0 };
	struct fail why;
	char text[64];

	CHECK_INT(targets_add(&targets, "10.1.3.254-10.1.4.1", &why), 0);
	CHECK_INT(targets.count, 4);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[3], false), "10.1.4.1");
	CHECK_INT(targets_add(&targets, "10.1.3.253-255", &why), 0); /* .253 is new */
	CHECK_INT(targets.count, 5);
	CHECK_INT(targets_add(&targets, "2001:db8::fffe-2001:db8::1:1", &why), 0);
	CHECK_INT(targets.count, 9);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[8], false), "2001:db8::1:1");
	CHECK_INT(targets_add(&targets, "10.1.3.9-10.1.3.9", &why), 0);
	CHECK_INT(targets.count, 10);
	CHECK_INT(targets_add(&targets, "10.1.3.40-10", &why), -1);
	CHECK_STR(why.text, "\"10.1.3.40-10\": from a lower to a higher address, and at most 65536 of them");
	CHECK_INT(targets_add(&targets, "10.1.3.1-10.200.0.1", &why), -1);
	CHECK_INT(targets_add(&targets, "2001:db8::1-2001:db9::1", &why), -1);
	CHECK_INT(targets_add(&targets, "10.1.3.1-256", &why), -1);
	CHECK_INT(targets_add(&targets, "10.1.3.1-::1", &why), -1);
	CHECK_INT(targets_add(&targets, "10.1.3.1-", &why), -1);
	CHECK_INT(targets.count, 10);
	targets_free(&targets);
}

static void
an_address_that_no_device_has_is_refused(void)
{
	struct targets targets = { 0 };
	struct fail why;

	CHECK_INT(targets_add(&targets, "0.0.0.0", &why), -1);
	CHECK_STR(why.text, "\"0.0.0.0\" is no address of a device, it stands for none");
	CHECK_INT(targets_add(&targets, "224.0.0.1", &why), -1);
	CHECK_INT(targets_add(&targets, "255.255.255.255", &why), -1);
	CHECK_INT(targets_add(&targets, "ff02::1", &why), -1);
	CHECK_INT(targets.count, 0);
	targets_free(&targets);
}

static void
names_come_from_the_device_and_are_names(void)
{
	char name[41];

	CHECK_STR(suggest_name(name, "sw-hall3.plant.local", "10.1.3.1"), "sw-hall3.plant.local");
	CHECK_STR(suggest_name(name, " <Presse 3> ", "10.1.3.1"), "Presse-3");
	CHECK_STR(suggest_name(name, "\xc3\x84\xc3\x96", "10.1.3.1"), "host-10.1.3.1");
	CHECK_STR(suggest_name(name, "", "2001:db8::1"), "host-2001-db8--1");
	CHECK_STR(suggest_name(name, "..", "10.1.3.1"), "host-10.1.3.1");
	CHECK_INT(strlen(suggest_name(name,
		"a-name-that-is-longer-than-forty-characters-are", "10.1.3.1")), 40);
}

static void
a_net_is_its_hosts_each_once(void)
{
	struct targets targets = { 0 };
	struct fail why;
	char text[64];

	CHECK_INT(targets_add(&targets, "10.1.3.77/30", &why), 0);
	CHECK_INT(targets.count, 2);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[0], false), "10.1.3.77");
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[1], false), "10.1.3.78");
	CHECK_INT(targets_add(&targets, "10.1.3.76/31", &why), 0); /* .76 is new */
	CHECK_INT(targets.count, 3);
	CHECK_INT(targets_add(&targets, "10.1.3.78", &why), 0);
	CHECK_INT(targets_add(&targets, "2001:db8::1", &why), 0);
	CHECK_INT(targets.count, 4);
	CHECK_INT(targets_add(&targets, "255.255.255.254/32", &why), 0);
	CHECK_INT(targets.count, 5);
	targets_free(&targets);
	CHECK_INT(targets_add(&targets, "10.1.0.0/22", &why), 0);
	CHECK_INT(targets.count, 1022);
	CHECK_INT(targets_add(&targets, "10.0.0.0/8", &why), -1);
	CHECK_STR(why.text, "\"10.0.0.0/8\": a net has a length of 16 to 32");
	CHECK_INT(targets_add(&targets, "hall3", &why), -1);
	CHECK_INT(targets_add(&targets, "10.1.3.0/x", &why), -1);
	CHECK_INT(targets_add(&targets, "10.2.0.0/16", &why), -1); /* too many by now */
	targets_free(&targets);
}

static void
of_ipv6_only_small_nets_are_looked_through(void)
{
	struct targets targets = { 0 };
	struct fail why;
	char text[72];

	CHECK_INT(targets_add(&targets, "2001:db8::a05/126", &why), 0); /* ::a04 is any router's */
	CHECK_INT(targets.count, 3);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[0], false), "2001:db8::a05");
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[2], false), "2001:db8::a07");
	CHECK_INT(targets_add(&targets, "2001:db8::a06/127", &why), 0); /* both are there */
	CHECK_INT(targets_add(&targets, "2001:db8::a04/127", &why), 0); /* ::a04 is new */
	CHECK_INT(targets_add(&targets, "2001:db8::a04/128", &why), 0);
	CHECK_INT(targets.count, 4);
	targets_free(&targets);
	CHECK_INT(targets_add(&targets, "2001:db8::/112", &why), 0);
	CHECK_INT(targets.count, 65535);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[65534], false), "2001:db8::ffff");
	targets_free(&targets);
	CHECK_INT(targets_add(&targets, "2001:db8::/64", &why), -1);
	CHECK_STR(why.text, "\"2001:db8::/64\": of IPv6 nets of a length of 112 to 128 can be looked "
		"through, which are up to 65536 addresses: give those, or the addresses of the devices");
	CHECK_INT(targets_add(&targets, "2001:db8::/129", &why), -1);
	CHECK_INT(targets_add(&targets, "2001:db8::/x", &why), -1);
	CHECK_INT(targets_add(&targets, "fe80::1%lo", &why), 0);
	CHECK_STR(net_addr_text(text, sizeof text, &targets.items[0], false), "fe80::1%lo");
	CHECK_INT(targets_add(&targets, "10.1.3.1%lo", &why), -1);
	CHECK_INT(targets_add(&targets, "fe80::1%nowhere", &why), -1);
	CHECK_STR(why.text, "\"fe80::1%nowhere\": this machine has no interface \"nowhere\"");
	CHECK_STR(suggest_name(text, "", "fe80::1%lo"), "host-fe80--1-lo");
	targets_free(&targets);
}

RUN_TESTS(
	TEST(of_ipv6_only_small_nets_are_looked_through),
	TEST(a_template_needs_one_of_its_objects_and_its_own_kind_of_device),
	TEST(the_one_that_names_the_device_goes_before_one_for_all),
	TEST(no_column_is_polled_twice_under_two_names),
	TEST(a_template_that_adds_nothing_gives_way_to_what_it_inherits),
	TEST(a_parameter_takes_its_value_from_the_object_identifier),
	TEST(what_a_template_must_have_decides_even_if_its_objects_are_there),
	TEST(a_range_is_each_address_from_the_first_to_the_last),
	TEST(an_address_that_no_device_has_is_refused),
	TEST(names_come_from_the_device_and_are_names),
	TEST(a_net_is_its_hosts_each_once))

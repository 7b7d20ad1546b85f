/* What a reload takes for another device: whatever of it was changed. What it overlooks stays as it
 * was until the poller starts anew. */
#include "config/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/schema.h"
#include "core/device.h"
#include "../check.h"
#include "../scratch.h"

static const char plant[] =
	"poller: { templates = [ ]; state_dir = \"/nonexistent\"; };\n"
	"devices: (\n"
	"{ name = \"d\"; address = \"10.1.0.1\"; place = \"hall\"; owner = \"OT\"; asset = \"17\"; text = \"t\";\n"
	"  interval = \"10s\"; align = false; retention = \"short\"; own = false; parents = [ \"r\" ];\n"
	"  templates = [ \"t\" ]; parameters = { n = 1; };\n"
	"  snmp = { version = \"2c\"; community = \"public\"; port = 161; timeout = \"2s\"; retries = 1;\n"
	"    max_rate = 0.0; gap = \"0s\"; window = 1; max_varbinds = 0; max_repetitions = 0; source = \"same\";\n"
	"    from = \"127.0.0.1\"; engine = \"fast\"; };\n"
	"  rows = { if = { include = \"ge\"; exclude = \"lo\"; retire = \"24h\"; types = [ 6 ];\n"
	"    exclude_types = [ 24 ]; keep = \"admin-up\"; retention = \"short\"; };\n"
	"    conn = { remote = [ \"10.1.7.20:502\" ]; }; };\n"
	"  points = ( { name = \"p\"; oid = \"1.3.6.1.4.1.9.1.0\"; text = \"w\"; kind = \"gauge\"; unit = \"C\";\n"
	"    scale = 1.0; offset = 0.0; invalid = [ \"-1\" ]; interval = \"10s\"; align = false; },\n"
	"    { name = \"s\"; oid = \"1.3.6.1.4.1.9.2.0\"; kind = \"state\"; states = [ \"1=on\" ]; },\n"
	"    { name = \"b\"; oid = \"1.3.6.1.4.1.9.3.0\"; kind = \"state\"; bits = true; },\n"
	"    { name = \"o\"; oid = \"1.3.6.1.4.1.9.3.0\"; kind = \"state\"; bit = 1; },\n"
	"    { name = \"k\"; oid = \"1.3.6.1.4.1.9.4.0\"; retain = \"48h\"; } ); },\n"
	"{ name = \"v\"; address = \"10.1.0.2\"; snmp = { version = \"3\"; user = \"u\"; context = \"c\";\n"
	"    level = \"authPriv\"; auth = \"SHA\"; auth_pass = \"authpass1\"; priv = \"AES\";\n"
	"    priv_pass = \"privpass1\"; allow_weak = true; }; templates = [ \"t\" ];\n"
	"  points = ( { name = \"p\"; oid = \"1.3.6.1.4.1.9.1.0\"; } ); },\n"
	"{ name = \"m\"; address = \"10.1.0.3\"; modbus = { transport = \"tcp\"; port = 502; unit_id = 1;\n"
	"    timeout = \"1s\"; connect_timeout = \"3s\"; connect_delay = \"0s\"; request_gap = \"0s\";\n"
	"    max_rate = 0.0; close_after = \"0s\"; max_regs = 125; max_bits = 2000; max_gap = 0;\n"
	"    barriers = [ 50 ]; no_merge = false; free_connections = 2; };\n"
	"  points = ( { name = \"p\"; function = 3; pdu = 100; type = \"u32\"; order = \"ABCD\"; kind = \"counter\";\n"
	"    wrap = \"10^8\"; separate = false; atomic = \"a\"; },\n"
	"    { name = \"g\"; function = 3; pdu = 110; type = \"u16\"; mask = \"0x00F0\"; min = 1.0; max = 9.0; },\n"
	"    { name = \"i\"; function = 3; pdu = 111; type = \"bit\"; bit = 3; },\n"
	"    { name = \"f\"; function = 3; pdu = 112; type = \"s16\"; scale_from = \"e\"; },\n"
	"    { name = \"e\"; function = 3; pdu = 113; type = \"s16\"; },\n"
	"    { name = \"t\"; function = 3; pdu = 120; type = \"string\"; length = 4; chars = \"pairs\"; },\n"
	"    { name = \"x\"; function = 3; pdu = 130; type = \"u16\"; side_effect = false; },\n"
	"    { name = \"y\"; register = 141; function = 3; type = \"u16\"; },\n"
	"    { name = \"z\"; modicon = 40151; type = \"u16\"; } ); },\n"
	"{ name = \"q\"; modbus = { transport = \"rtu\"; device = \"/dev/ttyS7\"; rs485 = false; baud = 9600;\n"
	"    parity = \"none\"; stop_bits = 1; local_echo = false; unit_id = 1; };\n"
	"  points = ( { name = \"p\"; function = 3; pdu = 1; type = \"u16\"; } ); },\n"
	"{ name = \"r\"; address = \"10.1.0.9\"; reach = { ping = true; tcp = [ 1433 ]; timeout = \"1s\"; }; },\n"
	"{ name = \"r2\"; address = \"10.1.0.10\"; reach = { }; } );\n"
	"templates: ( { name = \"t\"; protocol = \"snmp\"; parameters = ( { name = \"n\"; default = 1; } );\n"
	"  points = ( { name = \"tp\"; oid = \"1.3.6.1.4.1.9.5.0\"; scale = \"$n\"; } );\n"
	"  info = ( { name = \"descr\"; oid = \"1.3.6.1.2.1.1.1.0\"; } );\n"
	"  tables = ( { name = \"if\"; key = [ \"1.3.6.1.2.1.31.1.1.1.1\" ]; interval = \"20s\"; align = false;\n"
	"      discontinuity = \"1.3.6.1.2.1.31.1.1.1.19\"; type = \"1.3.6.1.2.1.2.2.1.3\";\n"
	"      admin = \"1.3.6.1.2.1.2.2.1.7\"; oper = \"1.3.6.1.2.1.2.2.1.8\";\n"
	"      info = ( { name = \"alias\"; oid = \"1.3.6.1.2.1.31.1.1.1.18\"; } );\n"
	"      points = ( { name = \"in\"; kind = \"counter\"; oid = \"1.3.6.1.2.1.31.1.1.1.6\"; } ); },\n"
	"    { name = \"conn\"; connections = true;\n"
	"      points = ( { name = \"state\"; kind = \"state\"; oid = \"1.3.6.1.2.1.6.19.1.7\"; } ); },\n"
	"    { name = \"fan\"; retention = \"tiny\"; points = ( { name = \"speed\"; oid = \"1.3.6.1.4.1.9.7.1\"; } ); } ); },\n"
	"  { name = \"t2\"; protocol = \"snmp\";\n"
	"    points = ( { name = \"t2p\"; oid = \"1.3.6.1.4.1.9.8.0\"; } ); } );\n";

/* The first place of `from` becomes `to`. */
static const struct change {
	const char *section, *key, *device, *from, *to;
} changes[] = {
	{ "device", "address", "d", "10.1.0.1", "10.1.0.7" },
	{ "device", "place", "d", "\"hall\"", "\"yard\"" },
	{ "device", "owner", "d", "\"OT\"", "\"IT\"" },
	{ "device", "asset", "d", "\"17\"", "\"18\"" },
	{ "device", "text", "d", "text = \"t\"", "text = \"u\"" },
	{ "device", "interval", "d", "interval = \"10s\"", "interval = \"5s\"" },
	{ "device", "align", "d", "interval = \"10s\"; align = false", "interval = \"60s\"; align = true" },
	{ "device", "retention", "d", "retention = \"short\"", "retention = \"long\"" },
	{ "device", "own", "d", "own = false", "own = true" },
	{ "device", "parents", "d", "parents = [ \"r\" ]", "parents = [ \"r2\" ]" },
	{ "device", "templates", "d", "templates = [ \"t\" ]", "templates = [ \"t\", \"t2\" ]" },
	{ "device", "parameters", "d", "{ n = 1; }", "{ n = 2; }" },
	{ "snmp", "version", "d", "version = \"2c\"", "version = \"1\"" },
	{ "snmp", "community", "d", "\"public\"", "\"other\"" },
	{ "snmp", "port", "d", "port = 161", "port = 1161" },
	{ "snmp", "timeout", "d", "timeout = \"2s\"", "timeout = \"3s\"" },
	{ "snmp", "retries", "d", "retries = 1", "retries = 2" },
	{ "snmp", "max_rate", "d", "max_rate = 0.0", "max_rate = 5.0" },
	{ "snmp", "gap", "d", "gap = \"0s\"", "gap = \"1s\"" },
	{ "snmp", "window", "d", "window = 1", "window = 3" },
	{ "snmp", "max_varbinds", "d", "max_varbinds = 0", "max_varbinds = 3" },
	{ "snmp", "max_repetitions", "d", "max_repetitions = 0", "max_repetitions = 3" },
	{ "snmp", "source", "d", "\"same\"", "\"any\"" },
	{ "snmp", "from", "d", "127.0.0.1", "127.0.0.2" },
	{ "snmp", "engine", "d", "\"fast\"", "\"netsnmp\"" },
	{ "snmp", "user", "v", "user = \"u\"", "user = \"w\"" },
	{ "snmp", "context", "v", "context = \"c\"", "context = \"\"" },
	{ "snmp", "level", "v", "\"authPriv\"; auth = \"SHA\"; auth_pass = \"authpass1\"; priv = \"AES\";\n"
		"    priv_pass = \"privpass1\";", "\"authNoPriv\"; auth = \"SHA\"; auth_pass = \"authpass1\";" },
	{ "snmp", "auth", "v", "\"SHA\"", "\"SHA-256\"" },
	{ "snmp", "auth_pass", "v", "authpass1", "authpass2" },
	{ "snmp", "priv", "v", "\"AES\"", "\"DES\"" },
	{ "snmp", "priv_pass", "v", "privpass1", "privpass2" },
	{ "row", "include", "d", "include = \"ge\"", "include = \"fe\"" },
	{ "row", "exclude", "d", "exclude = \"lo\"", "exclude = \"mg\"" },
	{ "row", "retire", "d", "\"24h\"", "\"25h\"" },
	{ "row", "types", "d", "[ 6 ]", "[ 6, 53 ]" },
	{ "row", "exclude_types", "d", "[ 24 ]", "[ 25 ]" },
	{ "row", "keep", "d", "keep = \"admin-up\"", "keep = \"once-up\"" },
	{ "row", "retention", "d", "admin-up\"; retention = \"short\"", "admin-up\"; retention = \"long\"" },
	{ "row", "remote", "d", "10.1.7.20:502", "10.1.7.21:502" },
	{ "table", "name", "d", "\"fan\"", "\"psu\"" },
	{ "table", "key", "d", "[ \"1.3.6.1.2.1.31.1.1.1.1\" ]", "[ \"1.3.6.1.2.1.2.2.1.2\" ]" },
	{ "table", "interval", "d", "\"20s\"", "\"30s\"" },
	{ "table", "discontinuity", "d", "1.1.1.19", "1.1.1.20" },
	{ "table", "type", "d", "2.2.1.3\"", "2.2.1.4\"" },
	{ "table", "admin", "d", "2.2.1.7\"", "2.2.1.9\"" },
	{ "table", "align", "d", "\"20s\"; align = false", "\"60s\"; align = true" },
	{ "table", "retention", "v", "\"tiny\"", "\"long\"" },
	{ "table", "info", "d", "\"alias\"", "\"called\"" },
	{ "table", "points", "d", "{ name = \"in\"", "{ name = \"out\"" },
	{ "info", "name", "d", "\"descr\"", "\"what\"" },
	{ "info", "oid", "d", "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.4.0" },
	{ "point", "name", "d", "points = ( { name = \"p\"", "points = ( { name = \"pp\"" },
	{ "point", "text", "d", "text = \"w\"", "text = \"ww\"" },
	{ "point", "kind", "d", "kind = \"gauge\"; unit = \"C\"", "kind = \"counter\"; unit = \"C\"" },
	{ "point", "unit", "d", "unit = \"C\"", "unit = \"K\"" },
	{ "point", "scale", "d", "scale = 1.0", "scale = 2.0" },
	{ "point", "offset", "d", "offset = 0.0", "offset = 1.0" },
	{ "point", "states", "d", "1=on", "1=off" },
	{ "point", "interval", "d", "[ \"-1\" ]; interval = \"10s\"", "[ \"-1\" ]; interval = \"5s\"" },
	{ "point", "align", "d", "[ \"-1\" ]; interval = \"10s\"; align = false",
		"[ \"-1\" ]; interval = \"60s\"; align = true" },
	{ "point", "retain", "d", "\"48h\"", "\"72h\"" },
	{ "point", "oid", "d", "1.4.1.9.1.0", "1.4.1.9.9.0" },
	{ "point", "invalid", "d", "\"-1\"", "\"-2\"" },
	{ "point", "bits", "d", "bits = true", "bits = false" },
	{ "point", "bit", "d", "bit = 1", "bit = 2" },
	{ "modbus", "transport", "m", "transport = \"tcp\"", "transport = \"rtu-over-tcp\"" },
	{ "modbus", "port", "m", "port = 502", "port = 503" },
	{ "modbus", "unit_id", "m", "unit_id = 1", "unit_id = 2" },
	{ "modbus", "timeout", "m", "timeout = \"1s\"", "timeout = \"2s\"" },
	{ "modbus", "connect_timeout", "m", "connect_timeout = \"3s\"", "connect_timeout = \"4s\"" },
	{ "modbus", "connect_delay", "m", "connect_delay = \"0s\"", "connect_delay = \"1s\"" },
	{ "modbus", "request_gap", "m", "request_gap = \"0s\"", "request_gap = \"1s\"" },
	{ "modbus", "max_rate", "m", "    max_rate = 0.0; close", "    max_rate = 1.0; close" },
	{ "modbus", "close_after", "m", "close_after = \"0s\"", "close_after = \"1s\"" },
	{ "modbus", "max_regs", "m", "max_regs = 125", "max_regs = 99" },
	{ "modbus", "max_bits", "m", "max_bits = 2000", "max_bits = 99" },
	{ "modbus", "max_gap", "m", "max_gap = 0", "max_gap = 9" },
	{ "modbus", "barriers", "m", "[ 50 ]", "[ 51 ]" },
	{ "modbus", "no_merge", "m", "no_merge = false", "no_merge = true" },
	{ "modbus", "free_connections", "m", "free_connections = 2", "free_connections = 0" },
	{ "modbus", "device", "q", "/dev/ttyS7", "/dev/ttyS8" },
	{ "modbus", "rs485", "q", "rs485 = false", "rs485 = true" },
	{ "modbus", "baud", "q", "9600", "19200" },
	{ "modbus", "parity", "q", "\"none\"", "\"even\"" },
	{ "modbus", "stop_bits", "q", "stop_bits = 1", "stop_bits = 2" },
	{ "modbus", "local_echo", "q", "local_echo = false", "local_echo = true" },
	{ "point", "function", "m", "function = 3", "function = 4" },
	{ "point", "pdu", "m", "pdu = 100", "pdu = 102" },
	{ "point", "register", "m", "register = 141", "register = 142" },
	{ "point", "modicon", "m", "40151", "40152" },
	{ "point", "type", "m", "\"u32\"", "\"s32\"" },
	{ "point", "order", "m", "\"ABCD\"", "\"CDAB\"" },
	{ "point", "wrap", "m", "10^8", "10^7" },
	{ "point", "separate", "m", "separate = false; atomic = \"a\"", "separate = true" },
	{ "point", "atomic", "m", "atomic = \"a\"", "atomic = \"b\"" },
	{ "point", "mask", "m", "0x00F0", "0x0FF0" },
	{ "point", "min", "m", "min = 1.0", "min = 2.0" },
	{ "point", "max", "m", "max = 9.0", "max = 8.0" },
	{ "point", "bit", "m", "bit = 3", "bit = 4" },
	{ "point", "scale_from", "m", "scale_from = \"e\";", "" },
	{ "point", "length", "m", "length = 4", "length = 5" },
	{ "point", "chars", "m", "\"pairs\"", "\"high\"" },
	{ "point", "side_effect", "m", "side_effect = false", "side_effect = true" },
	{ "reach", "ping", "r", "ping = true", "ping = false" },
	{ "reach", "tcp", "r", "[ 1433 ]", "[ 1434 ]" },
	{ "reach", "timeout", "r", "[ 1433 ]; timeout = \"1s\"", "[ 1433 ]; timeout = \"2s\"" },
};
#define CHANGES (sizeof changes / sizeof changes[0])

/* Not of the device's own, or nothing that polling it depends on. */
static const struct {
	const char *section, *key;
} others[] = {
	{ "device", "name" }, /* then it is another one anyway */
	{ "device", "profile" }, { "device", "snmp" }, { "device", "modbus" }, { "device", "reach" },
	{ "device", "rows" }, { "device", "points" }, { "device", "registers" }, /* by what they bring */
	{ "device", "alarms" }, /* thresholds are read anew at each reload */
	{ "snmp", "allow_weak" }, { "modbus", "watchdog_checked" }, /* a permission */
	{ "modbus", "turnaround" }, { "modbus", "gateway" }, /* for the estimate of a bus's load */
	{ "modbus", "line" }, { "modbus", "tls" }, /* by what they bring; test_certificates.c */
	{ "table", "text" }, /* shown nowhere */
	{ "table", "oper" }, /* as "admin" */
	{ "table", "connections" }, /* there is no row without rows.remote */
};

static uint64_t
fingerprint(const char *text, const char *device)
{
	struct conf_errors errors = { 0 };
	struct inventory *inventory;
	struct conf *conf;
	uint64_t found;
	const char *path = scratch_path("main.conf");
	FILE *file = fopen(path, "w");

	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
	conf = conf_load(path, &errors);
	if (conf == NULL)
		conf_report(&errors, stderr);
	CHECK(conf != NULL);
	inventory = conf_inventory(conf);
	CHECK(inventory_find(inventory, device) != NULL);
	found = inventory_find(inventory, device)->fingerprint;
	inventory_unref(inventory);
	conf_free(conf);
	conf_errors_free(&errors);
	return found;
}

static void
changed(char *to, size_t size, const struct change *change)
{
	const char *at = strstr(plant, change->from);

	CHECK(at != NULL);
	snprintf(to, size, "%.*s%s%s", (int)(at - plant), plant, change->to, at + strlen(change->from));
}

static void
whatever_is_changed_of_a_device_makes_it_another_one(void)
{
	static char text[2 * sizeof plant];
	int overlooked = 0;

	scratch_make();
	for (size_t i = 0; i < CHANGES; i++) {
		changed(text, sizeof text, &changes[i]);
		if (fingerprint(text, changes[i].device) != fingerprint(plant, changes[i].device))
			continue;
		print_error("%s.%s: \"%s\" is taken for \"%s\"\n", changes[i].section, changes[i].key,
			changes[i].to, changes[i].from);
		overlooked++;
	}
	scratch_remove();
	CHECK_INT(overlooked, 0);
}

static bool
is_looked_at(const struct schema_key *key)
{
	for (size_t i = 0; i < CHANGES; i++)
		if (strcmp(changes[i].section, key->section) == 0 && strcmp(changes[i].key, key->key) == 0)
			return true;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(others[i].section, key->section) == 0 && strcmp(others[i].key, key->key) == 0)
			return true;
	return key->type == SCHEMA_LATER;
}

static void
no_key_is_left_out_here(void)
{
	static const char *const sections[] = { "device", "snmp", "modbus", "reach", "row", "table", "info",
		"point" };
	int missing = 0;

	for (size_t i = 0; i < schema_key_count; i++) {
		bool ours = false;

		for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++)
			ours = ours || strcmp(schema_keys[i].section, sections[s]) == 0;
		if (!ours || is_looked_at(&schema_keys[i]))
			continue;
		print_error("%s.%s: is it seen by a reload?\n", schema_keys[i].section, schema_keys[i].key);
		missing++;
	}
	CHECK_INT(missing, 0);
}

RUN_TESTS(TEST(whatever_is_changed_of_a_device_makes_it_another_one), TEST(no_key_is_left_out_here))

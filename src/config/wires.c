/* How a device is asked: its SNMP and reach settings, from all places they may stand in. */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/tree.h"
#include "reach/reach.h"
#include "snmp/snmp.h"

/* Reported when it is missing; a wrong one the schema has told about. */
bool
build_address(struct build *build, const struct config_setting_t *device, uint16_t port,
	const char *what, struct net_addr *addr)
{
	const struct config_setting_t *node = node_get(device, "address");

	if (node == NULL)
		node_error(device, build->errors, "missing key \"address\" (%s needs one)", what);
	return node_text(node) != NULL && net_addr_parse(node_text(node), port, addr, NULL) == 0;
}

/* ---- SNMP ---- */

/* Beside the names in the schema. */
static enum snmp_auth
auth_number(const char *name)
{
	static const char *const names[] = {
		[SNMP_AUTH_MD5] = "MD5", [SNMP_AUTH_SHA] = "SHA", [SNMP_AUTH_SHA224] = "SHA-224",
		[SNMP_AUTH_SHA256] = "SHA-256", [SNMP_AUTH_SHA384] = "SHA-384",
		[SNMP_AUTH_SHA512] = "SHA-512",
	};

	for (size_t i = SNMP_AUTH_MD5; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return (enum snmp_auth)i;
	return strcmp(name, "SHA-1") == 0 ? SNMP_AUTH_SHA : SNMP_AUTH_NONE;
}

static enum snmp_priv
priv_number(const char *name)
{
	static const char *const names[] = {
		[SNMP_PRIV_DES] = "DES", [SNMP_PRIV_AES] = "AES", [SNMP_PRIV_AES192] = "AES-192",
		[SNMP_PRIV_AES256] = "AES-256",
	};

	for (size_t i = SNMP_PRIV_DES; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return (enum snmp_priv)i;
	return strcmp(name, "AES-128") == 0 ? SNMP_PRIV_AES : SNMP_PRIV_NONE;
}

/* Where to point at: the key, or where it should stand. */
static const struct config_setting_t *
culprit(const struct scope *scope, const char *key, const struct config_setting_t *device)
{
	const struct config_setting_t *node = scope_find(scope, key);

	if (node == NULL)
		node = node_get(device, "snmp");
	return node != NULL ? node : device;
}

/* The pass phrase of auth or priv; `weak` is the choice that needs allow_weak. */
static const char *
build_pass(struct build *build, const struct scope *scope, const char *key, const char *pass_key,
	const char *weak, const struct config_setting_t *device)
{
	const char *choice = scope_text(scope, key), *pass = "";

	if (scope_find(scope, key) == NULL)
		node_error(culprit(scope, key, device), build->errors,
			"missing key \"%s\" (level \"%s\" needs it)", key, scope_text(scope, "level"));
	if (strcmp(choice, weak) == 0 && !scope_bool(scope, "allow_weak"))
		node_error(culprit(scope, key, device), build->errors,
			"%s \"%s\" can be broken: take a stronger one, or allow_weak = true where "
			"the device has none", key, weak);
	if (scope_find(scope, pass_key) == NULL) {
		node_error(culprit(scope, pass_key, device), build->errors,
			"missing key \"%s\" (level \"%s\" needs it)", pass_key, scope_text(scope, "level"));
		return pass;
	}
	pass = build_secret(build, scope, pass_key);
	if (pass[0] != '\0' && strlen(pass) < SNMP_PASS_MIN)
		node_error(culprit(scope, pass_key, device), build->errors,
			"%s: a pass phrase has %d bytes or more", pass_key, SNMP_PASS_MIN);
	return pass;
}

/* Who says `choice` nearer leaves behind what a profile has for another choice. */
static bool
is_left_behind(const struct scope *scope, const struct config_setting_t *node, const char *choice)
{
	const struct config_setting_t *chosen = scope_find(scope, choice);

	return chosen != NULL && chosen->parent == scope->levels[0] &&
		node->parent != scope->levels[0];
}

static void
refuse_keys(struct build *build, const struct scope *scope, const char *const *keys,
	const char *choice, const char *because)
{
	for (; *keys != NULL; keys++) {
		const struct config_setting_t *node = scope_find(scope, *keys);

		if (node != NULL && !is_left_behind(scope, node, choice))
			node_error(node, build->errors, "%s: %s", *keys, because);
	}
}

static void
build_user(struct build *build, const struct scope *scope,
	const struct config_setting_t *device, struct snmp_user *user)
{
	static const char *const auth_keys[] = { "auth", "auth_pass", NULL };
	static const char *const priv_keys[] = { "priv", "priv_pass", NULL };
	const char *level = scope_text(scope, "level");
	bool with_auth = strcmp(level, "noAuthNoPriv") != 0;
	bool with_priv = strcmp(level, "authPriv") == 0;

	user->name = build_text(build, scope, "user");
	user->context = build_text(build, scope, "context");
	if (user->name[0] == '\0' || strlen(user->name) > SNMP_NAME_MAX)
		node_error(culprit(scope, "user", device), build->errors,
			"user: version \"3\" needs one, of up to %d bytes", SNMP_NAME_MAX);
	if (strlen(user->context) > SNMP_NAME_MAX)
		node_error(culprit(scope, "context", device), build->errors,
			"context: up to %d bytes", SNMP_NAME_MAX);
	if (with_auth) {
		user->auth = auth_number(scope_text(scope, "auth"));
		user->auth_pass = build_pass(build, scope, "auth", "auth_pass", "MD5", device);
	} else {
		refuse_keys(build, scope, auth_keys, "level", "not with level \"noAuthNoPriv\"");
	}
	if (with_priv) {
		user->priv = priv_number(scope_text(scope, "priv"));
		user->priv_pass = build_pass(build, scope, "priv", "priv_pass", "DES", device);
	} else {
		refuse_keys(build, scope, priv_keys, "level", "only with level \"authPriv\"");
	}
}

void
build_access(struct build *build, const struct scope *scope,
	const struct config_setting_t *owner, uint8_t *version, const char **community,
	struct snmp_user *user)
{
	static const char *const v2_keys[] = { "community", NULL };
	static const char *const v3_keys[] = { "user", "context", "level", "auth", "auth_pass",
		"priv", "priv_pass", "allow_weak", NULL };

	user->name = user->context = user->auth_pass = user->priv_pass = "";
	*community = "";
	*version = (uint8_t)atoi(scope_text(scope, "version")); /* "2c" is 2 */
	if (*version == 3) {
		refuse_keys(build, scope, v2_keys, "version", "belongs to version \"1\" and \"2c\"");
		build_user(build, scope, owner, user);
	} else {
		*community = build_secret(build, scope, "community");
		refuse_keys(build, scope, v3_keys, "version", "belongs to version \"3\"");
	}
}

/* Where the device is asked from; of those with one address it stands once. */
static const struct net_addr *
build_from(struct build *build, const struct scope *scope, const struct net_addr *to)
{
	const struct config_setting_t *node = scope_find(scope, "from");
	struct net_addr from;

	if (node == NULL || node_text(node) == NULL ||
		net_addr_parse(node_text(node), 0, &from, NULL) == -1)
		return NULL; /* the schema has told */
	if (to->family != 0 && to->family != from.family)
		node_error(node, build->errors, "from \"%s\": the device has an address of IPv%u",
			node_text(node), to->family);
	return arena_same(build->arena, arena_copy(build->arena, &from, sizeof from), sizeof from);
}

static uint8_t
build_window(struct build *build, const struct scope *scope, const struct config_setting_t *device)
{
	int window = scope_int(scope, "window");

	if (window > 1 && scope_duration(scope, "gap") > 0)
		node_error(culprit(scope, "window", device), build->errors,
			"window = %d: who needs a gap after each answer is asked one request at a time: "
			"leave out one of the two", window);
	return (uint8_t)window;
}

/* Each group and table takes one question an interval, if not more. */
static void
check_pace(struct build *build, const struct scope *scope, const struct config_setting_t *node,
	const struct device *device, const struct snmp_access *access)
{
	double gap = (double)access->gap, pace = access->max_rate > 0 ? 1e9 / access->max_rate : 0;
	const char *key = gap > pace ? "gap" : "max_rate";
	double load = 0;

	for (size_t i = 0; i < device->group_count; i++)
		if (device->groups[i].driver == &snmp_driver)
			load += (gap > pace ? gap : pace) / (double)device->groups[i].interval;
	if (load > 1.000001)
		node_error(culprit(scope, key, node), build->errors, "%s: leaves no room for one "
			"question an interval to each group and table of \"%s\": take a longer interval "
			"or a %s %s", key, device->name, gap > pace ? "smaller" : "higher", key);
}

const void *
build_snmp(struct build *build, const struct config_setting_t *node, const struct device *device)
{
	struct snmp_options *options = arena_zero(build->arena, sizeof *options);
	struct snmp_access *access = arena_zero(build->scratch, sizeof *access);
	const struct config_setting_t *profile_name = node_get(node, "profile");
	struct scope scope = build_scope(build, "snmp", node_get(node, "snmp"));

	if (node_text(profile_name) != NULL)
		scope_push(&scope, node_get(build_find(build, &build->profiles, "profile",
			profile_name), "snmp"));
	build_address(build, node, (uint16_t)scope_int(&scope, "port"), "snmp",
		&options->address);
	build_access(build, &scope, node, &access->version, &access->community, &access->user);
	access->timeout = scope_duration(&scope, "timeout");
	access->retries = (uint8_t)scope_int(&scope, "retries");
	access->max_rate = scope_number(&scope, "max_rate");
	access->gap = scope_duration(&scope, "gap");
	check_pace(build, &scope, node, device, access);
	access->window = build_window(build, &scope, node);
	access->netsnmp = strcmp(scope_text(&scope, "engine"), "netsnmp") == 0;
	access->any_source = strcmp(scope_text(&scope, "source"), "any") == 0;
	access->from = build_from(build, &scope, &options->address);
	access->max_varbinds = (uint16_t)scope_int(&scope, "max_varbinds");
	access->max_repetitions = (uint16_t)scope_int(&scope, "max_repetitions");
	options->access = arena_same(build->arena, arena_copy(build->arena, access, sizeof *access),
		sizeof *access);
	return options;
}

/* ---- reach ---- */

const void *
build_reach(struct build *build, const struct config_setting_t *device)
{
	struct reach_options *options = arena_zero(build->arena, sizeof *options);
	const struct config_setting_t *reach = node_get(device, "reach");
	const struct config_setting_t *ports = node_get(reach, "tcp");
	struct scope scope = build_scope(build, "reach", reach);
	uint16_t *tcp = arena_zero(build->arena, (size_t)node_count(ports) * sizeof *tcp);

	build_address(build, device, 0, "reach", &options->address);
	options->ping = scope_bool(&scope, "ping");
	options->timeout = scope_duration(&scope, "timeout");
	for (int i = 0; i < node_count(ports); i++) {
		uint16_t port = (uint16_t)node_integer(node_at(ports, i));

		if (port != node_integer(node_at(ports, i)) || port == 0)
			continue; /* the schema has told */
		if (!reach_tcp_port_allowed(port))
			node_error(ports->parent, build->errors, "tcp port %u: belongs to controllers, "
				"a connect takes one of their few connections: use ping, or poll it by "
				"Modbus", port);
		tcp[options->tcp_count++] = port;
	}
	if (options->tcp_count > 0 && node_get(device, "modbus") != NULL)
		node_error(reach, build->errors, "tcp: not on a Modbus device: each connect takes "
			"one of its few connections");
	if (!options->ping && options->tcp_count == 0)
		node_error(reach, build->errors, "nothing to do: give ping = true or tcp ports");
	options->tcp = tcp;
	return options;
}

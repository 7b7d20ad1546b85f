/* How a device is asked by Modbus: its line, from an entry of `lines` or its own settings. */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "config/arena.h"
#include "config/build.h"
#include "config/errors.h"
#include "config/tree.h"
#include "core/device.h"
#include "core/point.h"
#include "modbus/block.h"
#include "modbus/busplan.h"
#include "modbus/linedev.h"
#include "modbus/modbus.h"
#include "modbus/wanted.h"

/* Registers that cost as much as a request and an answer of their own. */
enum { GAP_BUS = 7, GAP_TCP = 31 };

static const char *const line_keys[] = {
	"transport", "port", "timeout", "connect_timeout", "connect_delay", "request_gap",
	"max_rate", "close_after", "device", "rs485", "baud", "parity", "stop_bits", "local_echo", "gateway",
	"turnaround", "free_connections", "tls",
};

/* The entry of lines that the device names; the device's own keys of a line are then wrong. */
static const struct config_setting_t *
find_line(struct build *build, const struct config_setting_t *device,
	const struct config_setting_t *modbus)
{
	const struct config_setting_t *name = node_get(modbus, "line");

	if (node_text(name) == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof line_keys / sizeof *line_keys; i++) {
		if (node_get(modbus, line_keys[i]) != NULL &&
			strcmp(line_keys[i], "timeout") != 0)
			node_error(node_get(modbus, line_keys[i]), build->errors,
				"%s: belongs to line \"%s\", not to its device", line_keys[i],
				node_text(name));
	}
	if (node_get(device, "address") != NULL && node_get(device, "snmp") == NULL &&
		node_get(device, "reach") == NULL)
		node_error(node_get(device, "address"), build->errors,
			"address: line \"%s\" has the address already", node_text(name));
	return build_find(build, &build->lines, "line", name);
}

/* Start, eight bits, parity, stop. */
static uint8_t
char_bits(const struct scope *scope)
{
	return (uint8_t)(1 + 8 + (strcmp(scope_text(scope, "parity"), "none") != 0) +
		scope_int(scope, "stop_bits"));
}

/* 3.5 characters of silence part two frames (Modbus over Serial Line 1.02, 2.5.1.1); shorter
 * than 5 ms no adapter or serial server can make it. */
static int64_t
frame_gap(const struct scope *scope)
{
	int64_t gap = char_bits(scope) * 7 * LOOP_S / (2 * scope_int(scope, "baud"));

	return gap < 5 * LOOP_MS ? 5 * LOOP_MS : gap;
}

/* A gateway that still waits for a silent unit answers after we have given up, and its answer
 * is in the way of the next question. */
static void
outlast_gateway(struct build *build, const struct scope *scope, struct modbus_options *options)
{
	const struct config_setting_t *given = scope_find(scope, "timeout");
	const struct config_setting_t *node = scope_find(scope, "gateway");
	struct scope gateway = build_scope(build, "gateway", node);
	int64_t tries = scope_int(&gateway, "retries") + 1;
	int64_t wait = scope_duration(&gateway, "timeout") * tries;
	char ours[32], one[32], all[32];

	options->gateway_wait = wait / tries;
	options->gateway_tries = (uint8_t)tries;
	if (node == NULL || wait == 0 || options->timeout > wait)
		return;
	if (given == NULL) {
		options->timeout = wait + LOOP_S / 2;
		return;
	}
	node_error(given->parent, build->errors, "timeout %s: the gateway itself waits %s x %lld = "
		"%s for a silent unit: take more than that",
		str_time_span(ours, sizeof ours, options->timeout),
		str_time_span(one, sizeof one, wait / tries), (long long)tries,
		str_time_span(all, sizeof all, wait));
}

/* Behind USB nobody can measure 3.5 characters: 20 ms of nothing are the end of a frame. */
static void
serial_line(struct build *build, const struct scope *scope, struct modbus_options *options)
{
	int64_t gap = frame_gap(scope), baud = scope_int(scope, "baud");
	const struct config_setting_t *node = scope_find(scope, "baud");
	const char *parity = scope_text(scope, "parity");

	options->serial = (struct serial_options){ .device = build_text(build, scope, "device"),
		.baud = (uint32_t)baud, .stop_bits = (uint8_t)scope_int(scope, "stop_bits"),
		.parity = (char)(parity[0] == 'e' ? 'E' : parity[0] == 'o' ? 'O' : 'N'),
		.rs485 = scope_bool(scope, "rs485") };
	options->quiet = gap > 20 * LOOP_MS ? gap : 20 * LOOP_MS;
	if (!serial_baud_known(baud))
		node_error(node->parent, build->errors, "baud %lld: expected 300, 600, 1200, 2400, "
			"4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600",
			(long long)baud);
}

/* What the estimate of the line's load needs. The bus behind a Modbus TCP gateway is known when
 * its speed is given. */
static void
bus_options(const struct scope *scope, struct modbus_options *options)
{
	options->turnaround = scope_duration(scope, "turnaround");
	options->char_bits = char_bits(scope);
	if (options->framing == ADU_RTU || scope_find(scope, "baud") != NULL)
		options->baud = (uint32_t)scope_int(scope, "baud");
	options->connections_known = scope_find(scope, "free_connections") != NULL;
	options->never_connect = options->connections_known &&
		scope_int(scope, "free_connections") == 0;
}

static bool
is_tls(const struct scope *scope)
{
	return strcmp(scope_text(scope, "transport"), "tls") == 0;
}

static uint16_t
port_of(const struct scope *scope)
{
	if (is_tls(scope) && scope_find(scope, "port") == NULL)
		return 802; /* mbap-s, as IANA has it */
	return (uint16_t)scope_int(scope, "port");
}

static void
tls_options(struct build *build, const struct scope *scope, struct modbus_options *options)
{
	const struct config_setting_t *group = scope_find(scope, "tls");
	struct scope tls = build_scope(build, "tls", group);

	if (group == NULL) {
		node_error(scope->levels[scope->count - 1], build->errors, "missing key \"tls\" "
			"({ ca = \"..\"; certificate = \"..\"; key = \"..\"; }) of transport \"tls\"");
		return;
	}
	options->tls = build_tls(build, group);
	options->server_name = build_text(build, &tls, "server_name");
}

static void
line_options(struct build *build, const struct scope *scope, struct modbus_options *options)
{
	bool rtu = strncmp(scope_text(scope, "transport"), "rtu", 3) == 0;

	options->framing = rtu ? ADU_RTU : ADU_MBAP;
	options->timeout = scope_duration(scope, "timeout");
	options->connect_timeout = scope_duration(scope, "connect_timeout");
	options->connect_delay = scope_duration(scope, "connect_delay");
	options->request_gap = scope_duration(scope, "request_gap");
	options->max_rate = scope_number(scope, "max_rate");
	options->close_after = scope_duration(scope, "close_after");
	options->local_echo = scope_bool(scope, "local_echo");
	if (rtu && scope_find(scope, "request_gap") == NULL)
		options->request_gap = frame_gap(scope);
	if (strcmp(scope_text(scope, "transport"), "rtu") == 0)
		serial_line(build, scope, options);
	if (is_tls(scope))
		tls_options(build, scope, options);
	outlast_gateway(build, scope, options);
	bus_options(scope, options);
}

/* Keys that another transport has. */
static void
refuse_keys(struct build *build, const struct scope *scope, const char *const *keys,
	const char *because)
{
	for (; *keys != NULL; keys++) {
		const struct config_setting_t *node = scope_find(scope, *keys);

		if (node != NULL)
			node_error(node->parent, build->errors, "%s: %s", *keys, because);
	}
}

static void
check_transport(struct build *build, const struct scope *scope,
	const struct modbus_options *options)
{
	static const char *const bus[] = { "baud", "parity", "stop_bits", "turnaround", NULL };
	static const char *const echo[] = { "local_echo", NULL };
	static const char *const tty[] = { "device", "rs485", NULL };
	static const char *const certificates[] = { "tls", NULL };
	static const char *const net[] = { "port", "connect_timeout", "free_connections", NULL };
	bool rtu = strcmp(scope_text(scope, "transport"), "rtu") == 0;

	if (options->framing != ADU_RTU)
		refuse_keys(build, scope, echo, "only with transport \"rtu-over-tcp\" or \"rtu\"");
	/* The bus behind a gateway; it takes part in the estimate only. */
	if (options->framing != ADU_RTU && scope_find(scope, "gateway") == NULL)
		refuse_keys(build, scope, bus, "only with transport \"rtu-over-tcp\" or \"rtu\", or "
			"with a gateway");
	if (!is_tls(scope))
		refuse_keys(build, scope, certificates, "only with transport \"tls\"");
	if (!rtu)
		refuse_keys(build, scope, tty, "only with transport \"rtu\"");
	else
		refuse_keys(build, scope, net, "not with transport \"rtu\"");
	if (rtu && options->serial.device[0] != '/')
		node_error(scope->levels[scope->count - 1], build->errors, options->serial.device[0] ==
			'\0' ? "missing key \"device\" (the tty, as \"/dev/ttyUSB0\")" :
			"device \"%s\": expected a path, as \"/dev/ttyUSB0\"", options->serial.device);
	if (options->framing == ADU_RTU && options->unit_id > 247)
		node_error(scope->levels[0], build->errors, "unit_id %u: a serial bus has 1 to 247",
			options->unit_id);
}

/* Where the line leads to: a tty, the device's own address, or that of its line. */
static void
find_place(struct build *build, const struct config_setting_t *device,
	const struct config_setting_t *line, const struct scope *scope,
	struct modbus_options *options)
{
	uint16_t port = port_of(scope);
	bool rtu = options->serial.device != NULL;
	const struct config_setting_t *node = node_get(line, "address");

	if (line == NULL && node_get(node_get(device, "modbus"), "line") == NULL) {
		if (!rtu)
			build_address(build, device, port, "modbus", &options->address);
	} else if (line != NULL && rtu && node != NULL) {
		node_error(line, build->errors, "address: not with transport \"rtu\"");
	} else if (line != NULL && !rtu && node == NULL) {
		node_error(line, build->errors, "missing key \"address\"");
	} else if (node_text(node) != NULL) {
		net_addr_parse(node_text(node), port, &options->address, NULL);
	}
}

/* Such a device lets its outputs go when nobody asks it for a while; pollwerk's reads alone
 * would hold them when the controller that sets them is long dead. */
static void
check_watchdog(struct build *build, const struct scope *scope, const struct template *tmpl)
{
	const char *where = node_get_text(tmpl->node, "output_watchdog", "");

	if (where[0] == '\0' || scope_bool(scope, "watchdog_checked"))
		return;
	node_error(scope->levels[0], build->errors, "template \"%s\": the device has an output "
		"watchdog that reads can retrigger: its outputs would then stay as they are after the "
		"controller that sets them has died. See that it is set otherwise (%s), then say "
		"watchdog_checked = true", tmpl->name, where);
}

/* ---- what may be asked for together ---- */

static void
add_barriers(const struct config_setting_t *node, struct modbus_options *options,
	struct block_barrier *barriers)
{
	const struct config_setting_t *list = node_get(node, "barriers");

	for (int i = 0; i < node_count(list); i++)
		barriers[options->barrier_count++].address =
			(uint32_t)node_number(node_at(list, i));
}

/* Registers, or bits. */
static uint32_t
width_of(const struct modbus_point *wire)
{
	return wire->function <= ADU_DISCRETE_INPUTS ? 1 : (uint32_t)regs_count(&wire->spec);
}

/* No other request of the device may pass over a register that reading changes. */
static void
add_side_effects(const struct device *device, struct modbus_options *options,
	struct block_barrier *barriers)
{
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		for (size_t i = 0; group->driver == &modbus_driver && i < group->point_count; i++) {
			const struct modbus_point *wire = group->points[i].wire;
			uint32_t end = wire->pdu + width_of(wire);

			if (!wire->side_effect)
				continue;
			barriers[options->barrier_count++] =
				(struct block_barrier){ wire->function, wire->pdu };
			barriers[options->barrier_count++] =
				(struct block_barrier){ wire->function, end };
		}
	}
}

static void
build_barriers(struct build *build, const struct device *device, const struct scope *limits,
	struct modbus_options *options)
{
	struct block_barrier *barriers;
	size_t count = 0, size;

	for (size_t i = 0; i < limits->count; i++)
		count += (size_t)node_count(node_get(limits->levels[i], "barriers"));
	for (size_t g = 0; g < device->group_count; g++)
		count += 2 * device->groups[g].point_count;
	barriers = mem_array(count + 1, sizeof *barriers);
	for (size_t i = 0; i < limits->count; i++)
		add_barriers(limits->levels[i], options, barriers);
	add_side_effects(device, options, barriers);
	size = options->barrier_count * sizeof *barriers;
	if (size > 0)
		options->barriers = arena_same(build->arena,
			arena_copy(build->arena, barriers, size), size);
	free(barriers);
}

static void
check_atomic(struct build *build, const struct config_setting_t *node,
	const struct device *device, const struct modbus_options *options)
{
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];
		const struct modbus_point *wire;
		size_t one, other;

		if (group->driver != &modbus_driver || !wanted_torn(options, group, &one, &other))
			continue;
		wire = group->points[one].wire;
		node_error(node, build->errors, "atomic \"%s\": points \"%s\" and \"%s\" cannot be read "
			"by one request (max_regs, barriers, function, separate, side_effect)",
			wire->atomic, group->points[one].name, group->points[other].name);
	}
}

/* Would reading this point change the device by the way? The very same registers may have several
 * points that all say so. */
static bool
is_read_with(const struct modbus_point *wire, const struct modbus_point *changing)
{
	uint32_t end = wire->pdu + width_of(wire), other = changing->pdu + width_of(changing);

	if (!changing->side_effect || wire->function != changing->function ||
		wire->pdu >= other || changing->pdu >= end)
		return false;
	return !wire->side_effect || wire->pdu != changing->pdu || end != other;
}

static void
check_reads(struct build *build, const struct config_setting_t *node,
	const struct device *device, const struct point *changing)
{
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		for (size_t i = 0; group->driver == &modbus_driver && i < group->point_count; i++)
			if (is_read_with(group->points[i].wire, changing->wire))
				node_error(node, build->errors, "side_effect: point \"%s\" would read "
					"registers of \"%s\" as well", group->points[i].name,
					changing->name);
	}
}

/* By no other request, says side_effect. */
static void
check_side_effects(struct build *build, const struct config_setting_t *node,
	const struct device *device)
{
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		for (size_t i = 0; group->driver == &modbus_driver && i < group->point_count; i++) {
			const struct modbus_point *wire = group->points[i].wire;

			if (wire->side_effect)
				check_reads(build, node, device, &group->points[i]);
		}
	}
}

static int
gap_of(int64_t given, const struct modbus_options *options)
{
	if (given >= 0)
		return (int)given;
	return options->framing == ADU_RTU || options->baud > 0 ? GAP_BUS : GAP_TCP;
}

const void *
build_modbus(struct build *build, const struct device *asked,
	const struct config_setting_t *device, const struct unit *units, size_t count)
{
	struct modbus_options *options = arena_zero(build->arena, sizeof *options);
	const struct config_setting_t *modbus = node_get(device, "modbus"), *line;
	struct scope scope = build_scope(build, "modbus", modbus), limits = scope;

	options->line = "";
	if (modbus == NULL) {
		node_error(device, build->errors, "missing key \"modbus\" ({ unit_id = ..; }): its "
			"points are asked by Modbus");
		return options;
	}
	line = find_line(build, device, modbus);
	scope_push(&scope, line);
	line_options(build, &scope, options);
	if (line != NULL)
		options->line = build_text(build, &scope, "line");
	options->file = arena_text(build->arena, node_path(line != NULL ? line : modbus));
	options->file_line = node_line(line != NULL ? line : modbus);
	find_place(build, device, line, &scope, options);
	if (options->tls != NULL && options->server_name[0] == '\0') {
		char text[64];

		options->server_name = arena_text(build->arena,
			net_addr_text(text, sizeof text, &options->address, false));
	}
	options->unit_id = (uint8_t)scope_int(&scope, "unit_id");
	check_transport(build, &scope, options);
	/* What the device's templates know about how much it takes at once. */
	for (size_t i = 0; i < count; i++) {
		for (const struct template *at = units[i].tmpl; at != NULL; at = at->parent) {
			if (at->protocol != PROTOCOL_MODBUS)
				continue;
			scope_push(&limits, at->node);
			check_watchdog(build, &scope, at);
		}
	}
	options->max_regs = (uint16_t)scope_int(&limits, "max_regs");
	options->max_bits = (uint16_t)scope_int(&limits, "max_bits");
	options->max_gap = (uint16_t)gap_of(scope_int(&limits, "max_gap"), options);
	options->no_merge = scope_bool(&limits, "no_merge");
	build_barriers(build, asked, &limits, options);
	check_atomic(build, modbus, asked, options);
	check_side_effects(build, modbus, asked);
	return options;
}

static const char *
contradiction(const struct modbus_options *one, const struct modbus_options *other)
{
	if (one->framing != other->framing || (one->tls == NULL) != (other->tls == NULL))
		return "transport";
	if (one->tls != NULL && one->tls->id != other->tls->id)
		return "tls";
	if (one->tls != NULL && strcmp(one->server_name, other->server_name) != 0)
		return "server_name";
	if (one->serial.baud != other->serial.baud)
		return "baud";
	if (one->serial.parity != other->serial.parity)
		return "parity";
	if (one->serial.stop_bits != other->serial.stop_bits)
		return "stop_bits";
	if (one->serial.rs485 != other->serial.rs485)
		return "rs485";
	if (one->local_echo != other->local_echo)
		return "local_echo";
	if (one->connect_timeout != other->connect_timeout)
		return "connect_timeout";
	if (one->connect_delay != other->connect_delay)
		return "connect_delay";
	if (one->request_gap != other->request_gap)
		return "request_gap";
	if (one->max_rate != other->max_rate)
		return "max_rate";
	if (one->close_after != other->close_after)
		return "close_after";
	if (one->never_connect != other->never_connect)
		return "free_connections";
	return NULL;
}

static bool
same_place(const struct modbus_options *one, const struct modbus_options *other)
{
	if (one->serial.device != NULL || other->serial.device != NULL)
		return one->serial.device != NULL && other->serial.device != NULL &&
			strcmp(one->serial.device, other->serial.device) == 0;
	return net_addr_equal(&one->address, &other->address);
}

/* Devices behind one host and port share a connection, so its settings have one value. */
static void
check_device_line(struct build *build, size_t at)
{
	const struct modbus_options *one = device_modbus(&build->devices[at]);

	for (size_t i = 0; i < at; i++) {
		const struct modbus_options *other = device_modbus(&build->devices[i]);
		const char *key;

		if (other == NULL || !same_place(one, other))
			continue;
		key = contradiction(one, other);
		if (key != NULL)
			node_error(node_get(build->device_nodes[at], "modbus"), build->errors,
				"%s: device \"%s\" has another value for the same %s", key,
				build->devices[i].name, one->serial.device != NULL ? "tty" :
				"host and port");
		return; /* the first stands for all before */
	}
}

/* ---- connections of controllers ---- */

void
build_warn_unread(struct build *build, const struct device *device)
{
	const struct modbus_options *options = device_modbus(device);

	if (options->never_connect)
		conf_warning(build->errors, options->file, options->file_line, "device \"%s\": "
			"free_connections = 0: its points are never read; of it only %s and, as "
			"hops, the port of the switch it hangs on and a consumer's connection to "
			"it (template tcp, rows.conn.remote) tell", device->name,
			device_reach(device) != NULL ? "its reach" : "a ping (reach = { ping = true; })");
}

void
build_warn_connections(struct build *build, const struct device *device)
{
	const struct modbus_options *options = device_modbus(device);

	if (options == NULL || options->connections_known || options->serial.device != NULL)
		return;
	conf_warning(build->errors, options->file, options->file_line, "%s \"%s\" is on a data "
		"path: say with free_connections how many connections it has to spare (one is "
		"used; 0: it is never connected)", options->line[0] != '\0' ? "line" : "device",
		options->line[0] != '\0' ? options->line : device->name);
}

/* ---- as devices ---- */

static const char *
shown_place(struct build *build, const struct config_setting_t *line)
{
	struct scope scope = build_scope(build, "line", line);
	const char *address = scope_text(&scope, "address");

	if (scope_text(&scope, "device")[0] != '\0')
		return build_text(build, &scope, "device");
	return arena_format(build->arena, strchr(address, ':') != NULL ? "[%s]:%lld" : "%s:%lld",
		address, (long long)port_of(&scope));
}

bool
build_line_device(struct build *build, const struct config_setting_t *line, struct device *device)
{
	const char *name = node_get_text(line, "name", "");
	struct scope scope = build_scope(build, "line", line);
	struct group group = { .name = LINEDEV_GROUP, .suffix = "", .driver = &linedev_driver,
		.points = linedev_points, .point_count = LINEDEV_POINTS };
	struct device_about about;

	for (size_t i = 0; i < build->device_count; i++) {
		const struct modbus_options *options = device_modbus(&build->devices[i]);

		if (options != NULL && !options->never_connect && name[0] != '\0' &&
			strcmp(options->line, name) == 0 &&
			(group.interval == 0 || device_interval(&build->devices[i]) < group.interval))
			group.interval = device_interval(&build->devices[i]);
	}
	if (group.interval == 0)
		return false;
	about = (struct device_about){ .protocol = LINEDEV_GROUP,
		.place = build_text(build, &scope, "place"),
		.owner = build_text(build, &scope, "owner"), .asset = "", .text = "",
		.profile = build_retention(build), .file = arena_text(build->arena, node_path(line)),
		.interval = group.interval };
	*device = (struct device){ .name = build_text(build, &scope, "name"),
		.address = shown_place(build, line),
		.about = arena_copy(build->scratch, &about, sizeof about),
		.group_count = 1, .line = node_line(line) };
	group.profile = about.profile;
	device->groups = arena_copy(build->arena, &group, sizeof group);
	return true;
}

/* ---- whether they have time ---- */

static const char *
way_out(const struct busplan *plan)
{
	if (plan->host.max_rate > 0)
		return "take a longer interval, fewer registers or a higher max_rate";
	return plan->options->baud > 0 ? "take a longer interval, fewer registers or a higher baud" :
		"take a longer interval, or fewer registers";
}

/* Several lines to one host: each of them may fit, and all together not. */
static void
check_host(struct build *build, const struct busplan *plan)
{
	const struct modbus_options *options = plan->options;
	const struct busplan_host *host = &plan->host;
	char round[32], interval[32];

	if (host->max_rate <= 0 || host->lines < 2)
		return;
	str_time_span(round, sizeof round, host->round / LOOP_MS * LOOP_MS);
	str_time_span(interval, sizeof interval, host->shortest);
	if (host->load > 1)
		conf_error(build->errors, options->file, options->file_line, "line \"%s\": does not "
			"fit: the %zu lines to %s ask %.1f questions a second, its max_rate is %g: %s",
			plan->name, host->lines, host->name, host->load * host->max_rate,
			host->max_rate, way_out(plan));
	else if (host->round > host->shortest)
		conf_warning(build->errors, options->file, options->file_line, "line \"%s\": the %zu "
			"questions of the %zu lines to %s take %s at its max_rate of %g: when all are "
			"due at once, polls every %s are late: %s", plan->name, host->questions,
			host->lines, host->name, round, host->max_rate, interval, way_out(plan));
}

static void
check_time(struct build *build, const struct busplan *plan)
{
	const struct modbus_options *options = plan->options;
	char round[32], interval[32], dead[32];

	str_time_span(dead, sizeof dead, plan->with[plan->told > 1].round / LOOP_MS * LOOP_MS);
	str_time_span(interval, sizeof interval, plan->shortest);
	str_time_span(round, sizeof round, plan->with[0].round / LOOP_MS * LOOP_MS);
	if (plan->with[0].load > 1)
		conf_error(build->errors, options->file, options->file_line, "line \"%s\": does not "
			"fit: its questions (%zu, to units: %zu) take %s in a row and, as often as "
			"they are due, %.0f %% of its time: %s", plan->name, plan->questions,
			plan->units, round, plan->with[0].load * 100, way_out(plan));
	else if (plan->with[0].round > plan->shortest)
		conf_warning(build->errors, options->file, options->file_line, "line \"%s\": its %zu "
			"questions take %s in a row: when all are due at once, polls every %s are "
			"late: %s", plan->name, plan->questions, round, interval, way_out(plan));
	else if (plan->units > 1 && plan->bearable == 0)
		conf_warning(build->errors, options->file, options->file_line, "line \"%s\": with one "
			"unit dead a round takes %s (%s when all answer), so polls every %s are then "
			"late: take a shorter timeout or a longer interval", plan->name,
			dead, round, interval);
}

void
build_check_time(struct build *build)
{
	size_t count;
	struct busplan *plans = busplan_make(build->inventory, &count);

	for (size_t i = 0; i < count; i++) {
		check_time(build, &plans[i]);
		check_host(build, &plans[i]);
	}
	free(plans);
}

void
build_check_lines(struct build *build)
{
	for (size_t i = 0; i < build->lines.count; i++) {
		const struct config_setting_t *one = build->lines.items[i];
		struct scope scope = build_scope(build, "line", one);

		for (size_t k = 0; k < i; k++) {
			struct scope other = build_scope(build, "line", build->lines.items[k]);

			if (strcmp(scope_text(&scope, "device"), scope_text(&other, "device")) == 0 &&
				scope_text(&scope, "device")[0] != '\0')
				node_error(one, build->errors, "line \"%s\" is the same tty",
					scope_text(&other, "name"));
			else if (scope_text(&scope, "address")[0] != '\0' &&
				strcmp(scope_text(&scope, "address"), scope_text(&other, "address")) == 0 &&
				port_of(&scope) == port_of(&other))
				node_error(one, build->errors, "line \"%s\" is the same host and port",
					scope_text(&other, "name"));
		}
	}
	for (size_t i = 0; i < build->device_count; i++) {
		if (device_modbus(&build->devices[i]) != NULL)
			check_device_line(build, i);
	}
}

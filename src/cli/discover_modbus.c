#include "cli/discover_modbus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/sunspec.h"
#include "cli/wire.h"
#include "core/device.h"
#include "modbus/identity.h"
#include "modbus/modbus.h"
#include "modbus/probe.h"

enum { HOSTS = 256, UNITS = 255, FITTING = 8, PORT = 502 };
#define RATE 5.0 /* questions a second, unless told otherwise */
#define RATE_MOST 20
#define TIMEOUT LOOP_S

struct request {
	const char *hosts[HOSTS];
	size_t host_count;
	uint8_t units[UNITS];
	size_t unit_count;
	double rate;
	int64_t timeout;
};

/* What answered, or why nothing did. */
struct answerer {
	struct net_addr address;
	uint8_t unit;
	const struct device *configured; /* it is polled already; or NULL */
	bool there;
	char why[200];                   /* when nothing is there */
	struct probe_result who;
	bool has_sunspec;
	struct sunspec sunspec;
	const char *templates[FITTING];
	size_t template_count;
	const char *watchdog;            /* of one of them: what can be retriggered by reads; or NULL */
};

struct discovery {
	const struct request *request;
	const struct inventory *inventory;
	struct answerer *answerers;
	size_t count;
};

/* ---- arguments ---- */

/* "1,5-9": 0 is a broadcast on a serial bus, and 248 to 254 are reserved but used. */
static int
take_units(struct request *request, const char *text)
{
	bool wanted[256] = { false };

	while (*text != '\0') {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return -1;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text)
				return -1;
		}
		if (first < 1 || last > 255 || first > last || (*end != ',' && *end != '\0'))
			return -1;
		for (; first <= last; first++)
			wanted[first] = true;
		text = *end == ',' ? end + 1 : end;
	}
	request->unit_count = 0;
	for (unsigned unit = 1; unit < 256; unit++)
		if (wanted[unit])
			request->units[request->unit_count++] = (uint8_t)unit;
	return request->unit_count > 0 ? 0 : -1;
}

static int
take_option(struct request *request, const char *option, const char *value)
{
	if (value == NULL)
		return cmd_usage(&cmd_discover, "%s needs a value", option);
	if (strcmp(option, "--units") == 0)
		return take_units(request, value) == 0 ? CMD_OK :
			cmd_usage(&cmd_discover, "--units are unit ids from 1 to 255, as 1-32,255");
	if (strcmp(option, "--timeout") == 0)
		return str_duration(value, &request->timeout, NULL) == 0 &&
			request->timeout >= 50 * LOOP_MS && request->timeout <= 60 * LOOP_S ? CMD_OK :
			cmd_usage(&cmd_discover, "--timeout is a duration, 50ms to 60s");
	return str_double(value, &request->rate, NULL) == 0 && request->rate > 0 &&
		request->rate <= RATE_MOST ? CMD_OK : cmd_usage(&cmd_discover,
			"--rate is a number of requests a second, up to %d", RATE_MOST);
}

static int
parse_arguments(struct request *request, int argc, char **argv)
{
	int status = CMD_OK;

	for (int i = 2; i < argc && status == CMD_OK; i++) {
		if (strcmp(argv[i], "--units") == 0 || strcmp(argv[i], "--rate") == 0 ||
			strcmp(argv[i], "--timeout") == 0) {
			status = take_option(request, argv[i], argv[i + 1]);
			i++;
		} else if (argv[i][0] == '-') {
			status = cmd_usage(&cmd_discover, "unknown option %s", argv[i]);
		} else if (strchr(argv[i], '/') != NULL) {
			status = cmd_usage(&cmd_discover, "%s: only single hosts: a scan can use up the "
				"connections of a controller for good", argv[i]);
		} else if (request->host_count == HOSTS) {
			status = cmd_usage(&cmd_discover, "at most %d hosts", HOSTS);
		} else {
			request->hosts[request->host_count++] = argv[i];
		}
	}
	if (status == CMD_OK && request->host_count == 0)
		status = cmd_usage(&cmd_discover, "--modbus: which hosts?");
	return status;
}

/* "10.1.7.20", "10.1.7.20:1502", "[2001:db8::1]:502". */
static int
parse_host(const char *text, struct net_addr *address, struct fail *why)
{
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[', several = colon != NULL && strchr(text, ':') != colon;
	uint64_t port = PORT;
	char host[64];

	if (colon == NULL || (several && (!bracket || colon[-1] != ']')))
		colon = text + strlen(text);
	else if (str_uint(colon + 1, &port, NULL) == -1 || port < 1 || port > 65535) {
		fail_set(why, "%s: expected a port from 1 to 65535", text);
		return -1;
	}
	snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2 * bracket, text + bracket);
	return net_addr_parse(host, (uint16_t)port, address, why);
}

/* ---- asking ---- */

static const struct device *
find_configured(const struct inventory *inventory, const struct net_addr *address, int unit)
{
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct modbus_options *options = device_modbus(&inventory->devices[i]);

		if (options != NULL && net_addr_equal(&options->address, address) &&
			(unit == -1 || options->unit_id == unit))
			return &inventory->devices[i];
	}
	return NULL;
}

static void
on_probed(const struct probe_result *result, void *arg)
{
	struct answerer *answerer = arg;

	answerer->who = *result;
}

static void
ask_who(struct wire *wire, const struct modbus_options *options, struct answerer *answerer)
{
	struct probe_options probing = { .device = options, .identify = true, .send = wire_send,
		.send_arg = wire };

	probe_free(probe_new(NULL, &probing, on_probed, answerer));
}

static const char *
object_text(const struct probe_result *who, int id)
{
	for (size_t i = 0; i < who->object_count; i++)
		if (who->objects[i].id == id)
			return who->objects[i].text;
	return NULL;
}

/* What is silent on a register that only some device has is left alone. */
static bool
check_holds(struct wire *wire, const struct answerer *answerer,
	const struct identity_check *check, bool *silent)
{
	const char *text = check->object == -1 ? NULL :
		object_text(&answerer->who, check->object);
	struct wire_answer answer;

	if (check->object != -1)
		return text != NULL && identity_fits_text(check, text);
	if (*silent)
		return false;
	if (wire_registers(wire, (enum adu_function)check->function, check->pdu,
			(uint16_t)regs_count(&check->spec), &answer))
		return identity_fits(check, answer.data);
	*silent = answer.outcome != LINE_EXCEPTION;
	return false;
}

static void
find_templates(struct wire *wire, const struct inventory *inventory, struct answerer *answerer)
{
	const struct identity *identities = inventory->identities;
	bool silent = false;

	for (size_t i = 0; i < inventory->identity_count; i++) {
		const struct identity *identity = &identities[i];
		size_t held = 0;

		while (held < identity->count && check_holds(wire, answerer,
			&identity->checks[held], &silent))
			held++;
		if (held != identity->count || answerer->template_count == FITTING)
			continue;
		answerer->templates[answerer->template_count++] = identity->template;
		if (identity->watchdog[0] != '\0')
			answerer->watchdog = identity->watchdog;
	}
}

/* One harmless read says whether anybody is there: also who refuses it is. 0x0A and 0x0B are a
 * gateway's word for nobody. */
static bool
is_there(struct wire *wire, struct answerer *answerer, bool *unreachable)
{
	struct wire_answer answer;

	answerer->there = wire_registers(wire, ADU_HOLDING_REGISTERS, 0, 1, &answer) ||
		(answer.outcome == LINE_EXCEPTION && answer.code != 0x0A && answer.code != 0x0B);
	*unreachable = answer.outcome == LINE_UNREACHABLE;
	if (!answerer->there)
		wire_says(&answer, answerer->why, sizeof answerer->why);
	return answerer->there;
}

static struct answerer *
add_answerer(struct discovery *discovery, const struct net_addr *address, uint8_t unit)
{
	struct answerer *answerer;

	discovery->answerers = mem_grow(discovery->answerers, discovery->count + 1,
		sizeof *discovery->answerers);
	answerer = &discovery->answerers[discovery->count++];
	*answerer = (struct answerer){ .address = *address, .unit = unit,
		.configured = find_configured(discovery->inventory, address, unit) };
	return answerer;
}

static int
look_at(struct discovery *discovery, const struct net_addr *address)
{
	const struct request *request = discovery->request;
	const struct device *polled = find_configured(discovery->inventory, address, -1);
	struct modbus_options options = { .line = "", .address = *address, .unit_id = 1,
		.timeout = request->timeout, .connect_timeout = 3 * LOOP_S };
	struct wire_options open = { .inventory = discovery->inventory,
		.device = polled != NULL ? polled->name : NULL,
		.modbus = polled != NULL ? device_modbus(polled) : &options, .max_rate = request->rate };
	bool unreachable = false;
	struct fail ignored;
	struct wire *wire;
	struct fail why;

	wire = wire_open(&open, &why);
	if (wire == NULL) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	for (size_t i = 0; i < request->unit_count && !unreachable; i++) {
		struct answerer *answerer = add_answerer(discovery, address, request->units[i]);

		wire_set_unit(wire, answerer->unit);
		if (!is_there(wire, answerer, &unreachable))
			continue;
		ask_who(wire, &options, answerer);
		answerer->has_sunspec = sunspec_walk(wire, &answerer->sunspec, &ignored) == 0;
		find_templates(wire, discovery->inventory, answerer);
	}
	wire_close(wire);
	return CMD_OK;
}

/* ---- showing ---- */

static void
print_quoted(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

static void
print_comments(const struct answerer *answerer)
{
	const struct probe_result *who = &answerer->who;

	for (size_t i = 0; i < who->object_count; i++)
		printf("  # %s: %s\n", probe_object_name(who->objects[i].id), who->objects[i].text);
	if (who->server_id[0] != '\0')
		printf("  # server id: %s\n", who->server_id);
	if (answerer->has_sunspec)
		printf("  # SunSpec at %u: %s %s, serial number %s\n", answerer->sunspec.base,
			answerer->sunspec.maker, answerer->sunspec.model, answerer->sunspec.serial);
	for (size_t i = 0; answerer->has_sunspec && i < answerer->sunspec.count; i++)
		printf("  #   model %u at pdu %u %s\n", answerer->sunspec.models[i].id,
			answerer->sunspec.models[i].address,
			sunspec_name(answerer->sunspec.models[i].id));
}

/* Nobody but who knows the plant can say it, so check refuses the device until they have. */
static void
print_watchdog(const char *where)
{
	printf("\n    # Its outputs have a watchdog that reads can retrigger: they would then stay as they"
		"\n    # are after the controller that sets them has died. See that it is set otherwise"
		"\n    # (%s), then take this line in:"
		"\n    # watchdog_checked = true;\n   ", where);
}

/* Where no template is known a device has to have points of its own: a comment, then. */
static void
print_answerer(const struct answerer *answerer, bool *first)
{
	char host[64], name[80];
	const char *hash = answerer->template_count == 0 ? "# " : *first ? "" : ", ";

	net_addr_text(host, sizeof host, &answerer->address, false);
	snprintf(name, sizeof name, "%s-%u", host, answerer->unit);
	for (char *c = name; *c != '\0'; c++)
		if (*c == '.' || *c == ':')
			*c = '-';
	printf("\n  # %s, unit id %u%s%s\n", host, answerer->unit,
		answerer->configured != NULL ? ", polled already as " : "",
		answerer->configured != NULL ? answerer->configured->name : "");
	print_comments(answerer);
	if (answerer->configured != NULL)
		return;
	printf("  %s{ name = \"", hash);
	print_quoted(name);
	printf("\"; address = \"%s\"; modbus = { port = %u; unit_id = %u;", host,
		answerer->address.port, answerer->unit);
	if (answerer->watchdog != NULL)
		print_watchdog(answerer->watchdog);
	printf(" };");
	for (size_t i = 0; i < answerer->template_count; i++)
		printf("%s \"%s\"", i == 0 ? "\n    templates = [" : ",", answerer->templates[i]);
	printf("%s }%s\n", answerer->template_count > 0 ? " ];" : "",
		answerer->template_count == 0 ? ", no template is known for it: give it points" : "");
	*first = *first && answerer->template_count == 0;
}

static void
print_text(const struct discovery *discovery)
{
	char host[64];
	bool first = true;

	for (size_t i = 0; i < discovery->count; i++)
		if (!discovery->answerers[i].there)
			fprintf(stderr, "%s unit id %u: %s\n", net_addr_text(host, sizeof host,
				&discovery->answerers[i].address, true), discovery->answerers[i].unit,
				discovery->answerers[i].why);
	printf("devices: (");
	for (size_t i = 0; i < discovery->count; i++)
		if (discovery->answerers[i].there)
			print_answerer(&discovery->answerers[i], &first);
	printf(");\n");
}

static json_t *
answerer_json(const struct answerer *answerer)
{
	json_t *objects = json_array(), *models = json_array(), *templates = json_array();
	char host[64];

	for (size_t i = 0; i < answerer->who.object_count; i++)
		json_array_append_new(objects, json_pack("{s:i, s:s, s:o}", "id",
			answerer->who.objects[i].id, "name",
			probe_object_name(answerer->who.objects[i].id), "text",
			doc_text(answerer->who.objects[i].text)));
	for (size_t i = 0; i < answerer->sunspec.count; i++)
		json_array_append_new(models, json_pack("{s:i, s:i}", "id",
			answerer->sunspec.models[i].id, "pdu", answerer->sunspec.models[i].address));
	for (size_t i = 0; i < answerer->template_count; i++)
		json_array_append_new(templates, doc_text(answerer->templates[i]));
	return json_pack("{s:o, s:i, s:i, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address",
		doc_text(net_addr_text(host, sizeof host, &answerer->address, false)), "port",
		answerer->address.port, "unit_id", answerer->unit, "there", answerer->there, "error",
		answerer->there ? json_null() : doc_text(answerer->why), "device",
		answerer->configured != NULL ? doc_text(answerer->configured->name) : json_null(),
		"identification", objects, "server_id", doc_text(answerer->who.server_id),
		"sunspec_models", models, "templates", templates,
		"output_watchdog", answerer->watchdog != NULL ? doc_text(answerer->watchdog) :
			json_null());
}

static void
print_json(const struct discovery *discovery)
{
	json_t *list = json_array();

	for (size_t i = 0; i < discovery->count; i++)
		json_array_append_new(list, answerer_json(&discovery->answerers[i]));
	cmd_print_json(list);
}

/* ---- the command ---- */

int
discover_modbus(const struct cmd_context *context, int argc, char **argv)
{
	struct request request = { .units = { 1, 255 }, .unit_count = 2, .rate = RATE,
		.timeout = TIMEOUT };
	struct discovery discovery = { .request = &request };
	struct inventory *inventory;
	struct net_addr *addresses;
	int status = parse_arguments(&request, argc, argv);
	size_t found = 0;
	struct fail why;

	if (status != CMD_OK)
		return status;
	addresses = mem_array(request.host_count, sizeof *addresses);
	for (size_t i = 0; i < request.host_count && status == CMD_OK; i++)
		if (parse_host(request.hosts[i], &addresses[i], &why) == -1)
			status = cmd_usage(&cmd_discover, "%s", why.text);
	inventory = status == CMD_OK ? cmd_inventory(context) : NULL;
	if (status == CMD_OK && inventory == NULL)
		status = CMD_NEGATIVE;
	discovery.inventory = inventory;
	for (size_t i = 0; i < request.host_count && status == CMD_OK; i++)
		status = look_at(&discovery, &addresses[i]);
	for (size_t i = 0; i < discovery.count; i++)
		found += discovery.answerers[i].there;
	if (discovery.count > 0 && context->json)
		print_json(&discovery);
	else if (discovery.count > 0)
		print_text(&discovery);
	free(discovery.answerers);
	free(addresses);
	inventory_unref(inventory);
	return status == CMD_OK && found == 0 ? CMD_NEGATIVE : status;
}

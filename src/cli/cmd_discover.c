/* pollwerk discover: who answers by SNMP at these addresses, and which templates fit. Prints a
 * fragment of configuration, changes nothing. Asks gently: few addresses at a time, a bounded
 * rate, one request and one repetition for an address where nobody is. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/discover_modbus.h"
#include "cli/discover_show.h"
#include "cli/progress.h"
#include "cli/targets.h"
#include "config/conf.h"
#include "config/offers.h"
#include "core/device.h"
#include "core/sample.h"
#include "journal/state.h"
#include "snmp/scout.h"
#include "snmp/snmp.h"

enum { PROFILES = 16, USUAL_MOST = 1024, AT_ONCE = 32, RATE = 100 };
#define PSEUDO "pollwerk-discover-%zu"

struct request {
	const char *profiles[PROFILES];
	size_t profile_count;
	int64_t timeout;
	uint64_t at_once;
	double rate;
	bool yes_really;
	struct targets targets;
	const char **devices; /* beside targets: asked by its own settings, or NULL */
};

/* One address that is being looked at. */
struct look {
	struct discovery *discovery;
	size_t target;
	size_t profile;
	bool asked; /* it was identified, and asked for objects */
	struct scout *scout;
	struct found *found;
};

struct discovery {
	const struct request *request;
	struct conf *conf, *with; /* with: and a device for each profile */
	struct inventory *inventory, *profiles;
	const struct snmp_options *options[PROFILES];
	size_t way_count;         /* of options: profiles, or 1 for the defaults */
	struct offers *offers;
	struct loop *loop;
	struct snmp *snmp;
	struct scouts *scouts;
	struct look *looks;       /* request->at_once of them */
	size_t next, done;        /* targets */
	struct found **found;     /* beside targets; NULL: nobody answered */
	size_t answered;
	bool interrupted;
	struct progress progress;
};

/* ---- arguments ---- */

static int
option_value(struct request *request, const char *option, const char *value)
{
	uint64_t number;

	if (value == NULL)
		return cmd_usage(&cmd_discover, "%s needs a value", option);
	if (strcmp(option, "--profile") == 0) {
		if (request->profile_count == PROFILES)
			return cmd_usage(&cmd_discover, "at most %d profiles", PROFILES);
		request->profiles[request->profile_count++] = value;
		return CMD_OK;
	}
	if (strcmp(option, "--timeout") == 0) {
		if (str_duration(value, &request->timeout, NULL) == -1 ||
			request->timeout < 50 * LOOP_MS || request->timeout > 60 * LOOP_S)
			return cmd_usage(&cmd_discover, "--timeout is a duration, 50ms to 60s");
		return CMD_OK;
	}
	if (str_uint(value, &number, NULL) == -1 || number == 0 || number > 1000)
		return cmd_usage(&cmd_discover, "%s is a number from 1 to 1000", option);
	if (strcmp(option, "--rate") == 0)
		request->rate = (double)number;
	else
		request->at_once = number;
	return CMD_OK;
}

static int
parse_arguments(struct request *request, int argc, char **argv, const char **targets,
	size_t *target_count)
{
	static const char *const with_value[] = { "--profile", "--timeout", "--rate", "--at-once" };
	int status = CMD_OK;

	for (int i = 1; i < argc && status == CMD_OK; i++) {
		bool valued = false;

		for (size_t k = 0; k < sizeof with_value / sizeof *with_value; k++)
			valued = valued || strcmp(argv[i], with_value[k]) == 0;
		if (valued) {
			status = option_value(request, argv[i], argv[i + 1]);
			i++;
		} else if (strcmp(argv[i], "--yes-really") == 0) {
			request->yes_really = true;
		} else if (argv[i][0] == '-') {
			status = cmd_usage(&cmd_discover, "unknown option %s", argv[i]);
		} else {
			targets[(*target_count)++] = argv[i];
		}
	}
	if (status == CMD_OK && *target_count == 0)
		status = cmd_usage(&cmd_discover, "which net or addresses?");
	return status;
}

/* Addresses, nets and names of devices that are configured already. */
static int
find_targets(struct discovery *discovery, struct request *request, const char *const *texts,
	size_t count)
{
	struct fail why;

	for (size_t i = 0; i < count; i++) {
		const struct device *device = inventory_find(discovery->inventory, texts[i]);
		const struct snmp_options *options = device == NULL ? NULL : device_snmp(device);
		size_t before = request->targets.count;
		char address[64];

		if (device != NULL && options == NULL)
			return cmd_usage(&cmd_discover, "\"%s\" is not asked by SNMP", device->name);
		if (targets_add(&request->targets, options == NULL ? texts[i] :
			net_addr_text(address, sizeof address, &options->address, false),
			&why) == -1)
			return cmd_usage(&cmd_discover, "%s", why.text);
		request->devices = mem_grow(request->devices, request->targets.count + 1,
			sizeof *request->devices);
		for (size_t k = before; k < request->targets.count; k++)
			request->devices[k] = device == NULL ? NULL : device->name;
	}
	if (request->targets.count <= USUAL_MOST || request->yes_really)
		return CMD_OK;
	return cmd_usage(&cmd_discover, "%zu addresses are more than a /22 has: give smaller nets, "
		"or --yes-really", request->targets.count);
}

/* ---- whose settings to ask with ---- */

/* Without --profile: the only one there is; the defaults when there is none. */
static int
choose_profiles(const struct discovery *discovery, struct request *request)
{
	const char *names[256] = { NULL };
	size_t count = conf_names(discovery->conf, "profiles", names, 255);

	if (request->profile_count == 0 && count == 1)
		request->profiles[request->profile_count++] = names[0];
	else if (request->profile_count == 0 && count > 1)
		return cmd_usage(&cmd_discover, "--profile: which of the %zu profiles? \"%s\", \"%s\""
			"%s", count, names[0], names[1], count > 2 ? ", .." : "");
	for (size_t i = 0; i < request->profile_count; i++) {
		const char *near = str_nearest(request->profiles[i], names);
		bool known = false;

		for (size_t k = 0; k < count && k < 255; k++)
			known = known || strcmp(names[k], request->profiles[i]) == 0;
		if (!known)
			return cmd_usage(&cmd_discover, "no profile \"%s\" in the configuration"
				"%s%s%s", request->profiles[i], near == NULL ? "" :
				" (did you mean \"", near == NULL ? "" : near,
				near == NULL ? "" : "\"?)");
	}
	return CMD_OK;
}

/* The settings that a device of each profile would have: the configuration itself says it. */
static int
load_options(struct discovery *discovery)
{
	const struct request *request = discovery->request;
	struct conf_errors errors = { 0 };
	size_t size = 0;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);

	discovery->way_count = request->profile_count == 0 ? 1 : request->profile_count;
	fputs("devices: (\n", to);
	for (size_t i = 0; i < discovery->way_count; i++) {
		fprintf(to, "  { name = \"" PSEUDO "\"; address = \"192.0.2.1\"; snmp = { };\n", i);
		if (request->profile_count > 0)
			fprintf(to, "    profile = \"%s\";\n", request->profiles[i]);
		fprintf(to, "    points = ( { name = \"uptime\"; oid = \"1.3.6.1.2.1.1.3.0\"; } ); }%s\n",
			i + 1 < discovery->way_count ? "," : "");
	}
	fputs(");\n", to);
	fclose(to);
	discovery->with = conf_load_with(discovery->conf, "the profiles", text, &errors);
	free(text);
	conf_report(&errors, stderr);
	conf_errors_free(&errors);
	if (discovery->with == NULL)
		return CMD_NEGATIVE;
	discovery->profiles = conf_inventory(discovery->with);
	for (size_t i = 0; i < discovery->way_count; i++) {
		char name[64];

		snprintf(name, sizeof name, PSEUDO, i);
		discovery->options[i] = device_snmp(inventory_find(discovery->profiles, name));
	}
	return CMD_OK;
}

/* ---- asking ---- */

static void start_looks(struct discovery *discovery);

static void
show_progress(struct discovery *discovery)
{
	char text[120];

	snprintf(text, sizeof text, "%zu of %zu addresses, %zu found", discovery->done,
		discovery->request->targets.count, discovery->answered);
	progress_show(&discovery->progress,
		(double)discovery->done / (double)discovery->request->targets.count, text);
}

static void
end_look(struct look *look)
{
	struct discovery *discovery = look->discovery;

	scout_free(look->scout);
	*look = (struct look){ .discovery = discovery };
	discovery->done++;
	show_progress(discovery);
	start_looks(discovery);
}

static const struct snmp_options *
way(const struct look *look)
{
	const struct discovery *discovery = look->discovery;
	const char *device = discovery->request->devices[look->target];

	return device != NULL ? device_snmp(inventory_find(discovery->inventory, device)) :
		discovery->options[look->profile];
}

/* What is polled at this address already, by these settings or any other. */
static const struct device *
configured(const struct discovery *discovery, size_t target, const struct net_addr *address)
{
	const struct inventory *inventory = discovery->inventory;

	if (discovery->request->devices[target] != NULL)
		return inventory_find(inventory, discovery->request->devices[target]);
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct snmp_options *options = device_snmp(&inventory->devices[i]);

		if (options != NULL && net_addr_equal(&options->address, address))
			return &inventory->devices[i];
	}
	return NULL;
}

static struct found *
remember(struct look *look)
{
	struct discovery *discovery = look->discovery;
	const struct request *request = discovery->request;
	struct found *found = mem_zero(sizeof *found);
	struct net_addr address = request->targets.items[look->target];

	address.port = way(look)->address.port;
	found->address = address;
	found->profile = request->devices[look->target] != NULL || request->profile_count == 0 ?
		NULL : request->profiles[look->profile];
	found->configured = configured(discovery, look->target, &address);
	discovery->found[look->target] = found;
	return found;
}

static void
identify(struct look *look, const struct scout_result *result)
{
	struct discovery *discovery = look->discovery;
	struct found *found = remember(look);
	const struct offer *offers;
	size_t count;

	discovery->answered++;
	look->found = found;
	str_copy(found->descr, sizeof found->descr, result->descr);
	str_copy(found->sys_name, sizeof found->sys_name, result->name);
	snmp_oid_text(found->object_id, sizeof found->object_id, result->object_id,
		result->object_id_count);
	offers = offers_list(discovery->offers, &count);
	suggest_begin(&found->suggestion, offers, count, result->object_id,
		result->object_id_count);
	look->asked = true;
	scout_ask(look->scout, found->suggestion.objects, found->suggestion.object_count);
}

static int start_scout(struct look *look);

static void
on_known(const struct scout_result *result, void *arg)
{
	struct look *look = arg;
	bool silent = result->reason == REASON_TIMEOUT || result->reason == REASON_UNREACHABLE ||
		result->reason == REASON_REFUSED;

	if (result->reason == REASON_GOOD && !look->asked) {
		identify(look, result);
		return;
	}
	if (look->asked) {
		if (result->reason != REASON_GOOD)
			str_copy(look->found->error, sizeof look->found->error, result->text);
		suggest_choose(&look->found->suggestion);
	} else if (look->profile + 1 < look->discovery->way_count &&
		look->discovery->request->devices[look->target] == NULL) {
		look->profile++;
		if (start_scout(look) == 0)
			return;
	} else if (!silent) {
		str_copy(remember(look)->error, sizeof look->found->error, result->text);
	}
	end_look(look);
}

static int
start_scout(struct look *look)
{
	struct discovery *discovery = look->discovery;
	struct snmp_options options = *way(look);
	struct snmp_access access = *options.access;
	struct fail why;
	char name[64];

	if (discovery->request->devices[look->target] == NULL) {
		uint16_t port = options.address.port;

		options.address = discovery->request->targets.items[look->target];
		options.address.port = port;
	}
	if (access.timeout > discovery->request->timeout)
		access.timeout = discovery->request->timeout;
	options.access = &access;
	net_addr_text(name, sizeof name, &options.address, true);
	scout_free(look->scout);
	look->scout = scout_new(discovery->scouts, name, &options, on_known, look, &why);
	if (look->scout != NULL)
		return 0;
	progress_clear(&discovery->progress);
	cmd_error("%s: %s", name, why.text);
	return -1;
}

static void
start_looks(struct discovery *discovery)
{
	const struct request *request = discovery->request;

	for (size_t i = 0; i < request->at_once; i++) {
		struct look *look = &discovery->looks[i];

		while (look->scout == NULL && discovery->next < request->targets.count) {
			look->target = discovery->next++;
			if (start_scout(look) == -1)
				discovery->done++;
		}
	}
	if (discovery->done == request->targets.count)
		loop_stop(discovery->loop);
}

static void
on_interrupt(int number, void *arg)
{
	struct discovery *discovery = arg;

	(void)number;
	discovery->interrupted = true;
	for (size_t i = 0; i < discovery->request->at_once; i++) {
		struct found *found = discovery->looks[i].found;

		if (found != NULL)
			str_copy(found->error, sizeof found->error, "interrupted");
	}
	loop_stop(discovery->loop);
}

static int
ask_all(struct discovery *discovery)
{
	const struct request *request = discovery->request;
	struct fail why;

	discovery->loop = loop_new(&why);
	if (discovery->loop != NULL)
		discovery->snmp = snmp_new(discovery->loop, NULL, &why);
	if (discovery->snmp == NULL) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	discovery->scouts = scouts_new(discovery->loop, discovery->snmp, request->rate);
	discovery->found = mem_array(request->targets.count, sizeof *discovery->found);
	discovery->looks = mem_array(request->at_once, sizeof *discovery->looks);
	for (size_t i = 0; i < request->at_once; i++)
		discovery->looks[i].discovery = discovery;
	progress_begin(&discovery->progress, "discover");
	loop_on_signal(discovery->loop, SIGINT, on_interrupt, discovery);
	start_looks(discovery);
	loop_run(discovery->loop);
	progress_clear(&discovery->progress);
	return CMD_OK;
}

/* ---- what came out ---- */

/* Would the check take it? Told now, not when it is pasted. */
static void
verify(const struct discovery *discovery, const char *fragment)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load_with(discovery->conf, "proposal", fragment, &errors);

	if (conf == NULL)
		cmd_error("the proposal needs a hand, pollwerk check would say:");
	conf_report(&errors, stderr);
	conf_errors_free(&errors);
	conf_free(conf);
}

static int
report(const struct cmd_context *context, struct discovery *discovery)
{
	size_t count = 0, all = discovery->request->targets.count;
	struct found *found = mem_array(all, sizeof *found);

	for (size_t i = 0; i < all; i++) {
		/* One that was interrupted is not half told. */
		if (discovery->found[i] == NULL)
			continue;
		if (discovery->found[i]->object_id[0] == '\0' && discovery->found[i]->error[0] != '\0')
			cmd_error("%s: %s", net_addr_text((char[64]){ 0 }, 64,
				&discovery->found[i]->address, true), discovery->found[i]->error);
		found[count++] = *discovery->found[i];
	}
	found_name_all(found, count, discovery->inventory);
	if (context->json) {
		cmd_print_json(found_json(found, count));
	} else if (count > 0) {
		char *fragment = found_fragment(found, count);

		fputs(fragment, stdout);
		verify(discovery, fragment);
		free(fragment);
	}
	cmd_error("%zu of %zu addresses answer%s", discovery->answered, discovery->done,
		discovery->interrupted ? ", interrupted" : "");
	free(found);
	return discovery->answered > 0 ? CMD_OK : CMD_NEGATIVE;
}

/* ---- the command ---- */

static int
load(const struct cmd_context *context, struct discovery *discovery)
{
	struct conf_errors errors = { 0 };

	discovery->conf = conf_load(context->config, &errors);
	conf_report(&errors, stderr);
	conf_errors_free(&errors);
	if (discovery->conf == NULL)
		return CMD_NEGATIVE;
	discovery->inventory = conf_inventory(discovery->conf);
	discovery->offers = offers_new(discovery->conf);
	return CMD_OK;
}

/* Nothing polls twice: no daemon starts meanwhile. One that runs goes on. */
static void
keep_daemon_out(const struct discovery *discovery)
{
	const char *dir = discovery->inventory->poller.state_dir;
	struct fail why;

	if (access(dir, W_OK) == 0 && state_lock(dir, &why) == -1)
		cmd_error("asking beside the daemon: %s", why.text);
}

static void
close_all(struct discovery *discovery, struct request *request)
{
	for (size_t i = 0; discovery->looks != NULL && i < request->at_once; i++)
		scout_free(discovery->looks[i].scout);
	for (size_t i = 0; discovery->found != NULL && i < request->targets.count; i++) {
		if (discovery->found[i] != NULL)
			suggest_free(&discovery->found[i]->suggestion);
		free(discovery->found[i]);
	}
	free(discovery->looks);
	free(discovery->found);
	scouts_free(discovery->scouts);
	snmp_free(discovery->snmp);
	if (discovery->loop != NULL)
		loop_free(discovery->loop);
	offers_free(discovery->offers);
	inventory_unref(discovery->profiles);
	inventory_unref(discovery->inventory);
	conf_free(discovery->with);
	conf_free(discovery->conf);
	targets_free(&request->targets);
	free(request->devices);
}

static int
discover_snmp(const struct cmd_context *context, int argc, char **argv)
{
	struct request request = { .timeout = LOOP_S, .at_once = AT_ONCE, .rate = RATE };
	struct discovery discovery = { .request = &request };
	const char **targets = mem_array((size_t)argc, sizeof *targets);
	size_t target_count = 0;
	int status = parse_arguments(&request, argc, argv, targets, &target_count);

	if (status == CMD_OK)
		status = load(context, &discovery);
	if (status == CMD_OK)
		status = find_targets(&discovery, &request, targets, target_count);
	if (status == CMD_OK)
		status = choose_profiles(&discovery, &request);
	if (status == CMD_OK)
		status = load_options(&discovery);
	if (status == CMD_OK) {
		keep_daemon_out(&discovery);
		status = ask_all(&discovery);
	}
	if (status == CMD_OK)
		status = report(context, &discovery);
	close_all(&discovery, &request);
	free(targets);
	return status;
}

static int
run(const struct cmd_context *context, int argc, char **argv)
{
	bool modbus = argc > 1 && strcmp(argv[1], "--modbus") == 0;

	return modbus ? discover_modbus(context, argc, argv) : discover_snmp(context, argc, argv);
}

const struct cmd cmd_discover = { "discover",
	"[--profile NAME]... [--rate N] [--at-once N] [--timeout D] [--yes-really] "
	"NET|RANGE|ADDRESS|DEVICE... |\n"
	"    --modbus [--units LIST] [--rate N] [--timeout D] HOST...",
	"look for SNMP agents, or Modbus devices, and propose configuration for them", run };

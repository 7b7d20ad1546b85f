/* pollwerk check: reads the configuration as the daemon would and says everything that is
 * wrong in one run. */
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/str.h"
#include "cli/bus_view.h"
#include "cli/cmd.h"
#include "config/conf.h"
#include "core/device.h"
#include "modbus/modbus.h"

#define LINES_SHOWN 20

static void
add(json_t *list, const struct conf_error *items, size_t count, const char *severity)
{
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:o, s:i, s:o, s:s}", "file",
			doc_text(items[i].file), "line", items[i].line, "text",
			doc_text(items[i].text), "severity", severity));
}

static json_t *
errors_json(const struct conf_errors *errors)
{
	json_t *list = json_array();

	add(list, errors->items, errors->count, "error");
	add(list, errors->warnings, errors->warning_count, "warning");
	return list;
}

/* Who we are to servers over TLS: they go by the role in our certificate. */
static void
print_certificates(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct modbus_options *one = device_modbus(&inventory->devices[i]), *other;
		bool told = one == NULL || one->tls == NULL || one->tls->certificate[0] == '\0';
		char day[40];

		for (size_t k = 0; k < i && !told; k++) {
			other = device_modbus(&inventory->devices[k]);
			told = other != NULL && other->tls != NULL &&
				strcmp(other->tls->certificate, one->tls->certificate) == 0;
		}
		if (told)
			continue;
		str_utc(day, sizeof day, one->tls->look.ends);
		printf("certificate %s (%s): ", one->tls->certificate, one->tls->look.subject);
		if (one->tls->look.has_role)
			printf("role \"%s\", ", one->tls->look.role);
		else
			printf("has no role, ");
		printf("ends on %.10s\n", day);
	}
}

static int
check(const struct cmd_context *context, int argc, char **argv)
{
	struct conf_errors errors = { 0 };
	struct inventory *inventory = NULL;
	struct conf *conf;
	char summary[200];

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return argv[1][0] == '-' ? cmd_usage(&cmd_check, "unknown option %s", argv[1]) :
			cmd_usage(&cmd_check, "one file at most");
	conf = conf_load(argc == 2 ? argv[1] : context->config, &errors);
	if (conf != NULL)
		inventory = conf_inventory(conf);
	if (context->json) {
		cmd_print_json(errors_json(&errors));
	} else {
		conf_report(&errors, stderr);
		conf_report_warnings(&errors, stderr);
	}
	if (inventory != NULL && !context->json)
		bus_view_print(inventory, LINES_SHOWN);
	if (inventory != NULL && !context->json)
		print_certificates(inventory);
	if (inventory != NULL && !context->json)
		printf("%s\n", conf_summary(inventory, summary, sizeof summary));
	inventory_unref(inventory);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory != NULL ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_check = { "check", "[FILE]", "read the configuration and say what is wrong",
	check };

/* pollwerk check: reads the configuration as the daemon would and says everything that is
 * wrong in one run. */
#include <stdio.h>

#include "base/doc.h"
#include "cli/bus_view.h"
#include "cli/cmd.h"
#include "config/conf.h"
#include "core/device.h"

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

static int
check(const struct cmd_context *context, int argc, char **argv)
{
	struct conf_errors errors = { 0 };
	struct inventory *inventory = NULL;
	struct conf *conf;
	char summary[200];

	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return cmd_usage(&cmd_check, "one file at most");
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
		printf("%s\n", conf_summary(inventory, summary, sizeof summary));
	inventory_unref(inventory);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory != NULL ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_check = { "check", "[FILE]", "read the configuration and say what is wrong",
	check };

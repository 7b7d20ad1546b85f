/* pollwerk paths: does the data flow, and which hop is at fault? */
#include <stdio.h>

#include "cli/ask.h"
#include "cli/cmd.h"

static void
print_path(const json_t *p)
{
	char availability[40], coverage[40], worst[40], age[40];

	printf("%-20s %-9s %-24s %9s %9s %9s %9s  %s\n", ask_text(p, "name"), ask_text(p, "state"),
		ask_text(p, "root"), ask_number(availability, sizeof availability, p, "availability", 1, " %"),
		ask_number(coverage, sizeof coverage, p, "coverage", 1, " %"),
		ask_number(worst, sizeof worst, p, "worst", 1, " %"),
		ask_number(age, sizeof age, p, "age", 1, " s"), ask_text(p, "evidence"));
	if (!json_is_true(json_object_get(p, "proven")))
		printf("%-20s availability is not proven: coverage below 99 %%\n", "");
}

static int
paths(const struct cmd_context *context, int argc, char **argv)
{
	struct ask_filter filter;
	json_t *list;
	size_t count;
	int result = ask_filter(&cmd_paths, argc, argv, &filter);

	if (result == CMD_OK)
		result = ask(context, "paths", 5, &list);
	if (result != CMD_OK)
		return result;
	ask_apply(list, &filter);
	count = json_array_size(list);
	if (context->json) {
		cmd_print_json(list);
	} else {
		printf("%-20s %-9s %-24s %9s %9s %9s %9s  %s\n", "path", "state", "root hop", "avail.",
			"coverage", "worst", "age", "evidence");
		for (size_t i = 0; i < count; i++)
			print_path(json_array_get(list, i));
		json_decref(list);
	}
	return count > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_paths = { "paths", "[GLOB] [--place P] [--owner O] [--state S]",
	"state, root hop and availability of each data path", paths };

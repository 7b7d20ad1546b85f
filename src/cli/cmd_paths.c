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
	static const char *const states[] = { "up", "degraded", "impaired", "unknown", NULL };
	static const struct ask_table table = {
		.states = states,
		.heading = "path                 state     root hop                    avail. "
			" coverage     worst       age  evidence",
		.print = print_path,
	};

	return ask_list(context, &cmd_paths, argc, argv, &table);
}

const struct cmd cmd_paths = { "paths", "[GLOB] [--place P] [--owner O] [--state S]",
	"state, root hop and availability of each data path", paths };

/* pollwerk alarms: what is wrong at the moment. Exit 0 whether there are any or not. */
#include <stdio.h>

#include "base/str.h"
#include "cli/ask.h"
#include "cli/cmd.h"

static void
print_alarm(const json_t *a)
{
	char since[40];

	str_utc(since, sizeof since,
		(int64_t)(json_number_value(json_object_get(a, "since")) * 1e9));
	printf("%-9s %s  %s%s\n", ask_text(a, "severity"), since, ask_text(a, "text"),
		json_is_true(json_object_get(a, "suppressed")) ? "  (suppressed)" : "");
}

static int
alarms(const struct cmd_context *context, int argc, char **argv)
{
	static const char *const severities[] = { "critical", "major", "minor", "warning",
		"indeterminate", NULL };
	static const struct ask_table table = { .empty = "no open alarms", .print = print_alarm,
		.severities = severities };

	return ask_list(context, &cmd_alarms, argc, argv, &table);
}

const struct cmd cmd_alarms = { "alarms", "[GLOB] [--place P] [--owner O] [--severity S]",
	"open alarms, oldest first", alarms };

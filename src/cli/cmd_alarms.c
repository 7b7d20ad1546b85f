/* pollwerk alarms: what is wrong at the moment. Exit 0 whether there are any or not. */
#include <stdio.h>
#include <time.h>

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
	struct ask_filter filter;
	json_t *list;
	int result = ask_filter(&cmd_alarms, argc, argv, &filter);

	if (result == CMD_OK)
		result = ask(context, "alarms", 5, &list);
	if (result != CMD_OK)
		return result;
	ask_apply(list, &filter);
	if (context->json) {
		cmd_print_json(list);
		return CMD_OK;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		print_alarm(json_array_get(list, i));
	if (json_array_size(list) == 0)
		printf("no open alarms\n");
	json_decref(list);
	return CMD_OK;
}

const struct cmd cmd_alarms = { "alarms", "[GLOB] [--place P] [--owner O] [--severity S]",
	"open alarms, oldest first", alarms };

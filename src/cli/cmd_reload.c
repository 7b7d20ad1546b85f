/* pollwerk reload: the daemon checks the new configuration and takes it over, or keeps the
 * old one and says what is wrong. */
#include <stdio.h>

#include "cli/ask.h"
#include "cli/cmd.h"

static int
reload(const struct cmd_context *context, int argc, char **argv)
{
	json_t *answer;
	bool ok;
	int result;

	(void)argv;
	if (argc > 1)
		return cmd_usage(&cmd_reload, "no arguments, please");
	result = ask(context, "reload", 60, &answer);
	if (result != CMD_OK)
		return result;
	ok = json_is_true(json_object_get(answer, "ok"));
	if (!ok)
		fprintf(stderr, "%s\n", ask_text(answer, "text"));
	if (context->json) {
		cmd_print_json(answer);
	} else {
		printf(ok ? "reloaded\n" : "not reloaded: the old configuration goes on\n");
		json_decref(answer);
	}
	return ok ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_reload = { "reload", "", "take over the changed configuration", reload };

/* pollwerk reload: the daemon checks the new configuration and takes it over, or keeps the
 * old one and says what is wrong. */
#include "cli/ask.h"
#include "cli/cmd.h"

static int
reload(const struct cmd_context *context, int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return cmd_usage(&cmd_reload, "no arguments, please");
	return ask_order(context, "reload", 60, "reloaded",
		"not reloaded: the old configuration goes on");
}

const struct cmd cmd_reload = { "reload", "", "take over the changed configuration", reload };

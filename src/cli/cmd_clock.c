/* pollwerk clock: whether the daemon believes the system's clock; confirm: it may. */
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "base/str.h"
#include "cli/ask.h"
#include "cli/cmd.h"

static const char *
utc(char *to, size_t size, const json_t *answer, const char *member)
{
	return str_utc(to, size, (int64_t)(json_number_value(json_object_get(answer, member)) *
		(double)LOOP_S));
}

static int
show(const struct cmd_context *context)
{
	char wall[40], real[40];
	json_t *answer;
	bool ok;
	int result = ask(context, "clock", 5, &answer);

	if (result != CMD_OK)
		return result;
	ok = strcmp(ask_text(answer, "state"), "ok") == 0;
	if (context->json) {
		cmd_print_json(answer);
		return ok ? CMD_OK : CMD_NEGATIVE;
	}
	printf("clock      %s%s%s\n", ask_text(answer, "state"), ok ? "" : ": ",
		ok ? "" : ask_text(answer, "text"));
	printf("pollwerkd  %s\nsystem     %s\n", utc(wall, sizeof wall, answer, "wall"),
		utc(real, sizeof real, answer, "system"));
	json_decref(answer);
	return ok ? CMD_OK : CMD_NEGATIVE;
}

static int
clock_command(const struct cmd_context *context, int argc, char **argv)
{
	if (argc == 1)
		return show(context);
	if (argc == 2 && strcmp(argv[1], "confirm") == 0)
		return ask_order(context, "clock-confirm", 5, "the system's clock is believed",
			"not taken over");
	return cmd_usage(&cmd_clock, "expected nothing or \"confirm\"");
}

const struct cmd cmd_clock = { "clock", "[confirm]",
	"is the system's clock believed? confirm: it is right", clock_command };

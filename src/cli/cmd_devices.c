/* pollwerk devices: state of each device, then of each line. Exit 1 when nothing matches. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cmd.h"

static void
print_device(const json_t *d)
{
	char rtt[40], loss[40], age[40];

	printf("%-20s %-9s %-24s %10s %7s %9s  %s\n", ask_text(d, "name"), ask_text(d, "state"),
		ask_text(d, "address"), ask_number(rtt, sizeof rtt, d, "rtt", 1000, " ms"),
		ask_number(loss, sizeof loss, d, "loss", 1, " %"),
		ask_number(age, sizeof age, d, "age", 1, " s"), ask_text(d, "last_error"));
}

static bool
is_line(const json_t *d)
{
	return strcmp(ask_text(d, "protocol"), "line") == 0;
}

static int
devices(const struct cmd_context *context, int argc, char **argv)
{
	static const char *const states[] = { "up", "degraded", "down", "unknown", "paused", NULL };
	static const struct ask_table table = {
		.states = states,
		.heading = "device               state     address                         rtt "
			"   loss       age  last error",
		.print = print_device,
		.apart = is_line,
		.apart_heading = "line                 state     address                         rtt "
			"   loss       age  last error",
	};

	return ask_list(context, &cmd_devices, argc, argv, &table);
}

const struct cmd cmd_devices = { "devices", "[GLOB] [--place P] [--owner O] [--state S]",
	"state, round trip and last error of each device and line", devices };

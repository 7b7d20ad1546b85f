/* pollwerk pause: the daemon leaves a Modbus line to somebody else for a while. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/ask.h"
#include "cli/cmd.h"
#include "cli/pause.h"
#include "config/conf.h"
#include "core/device.h"

#define PAUSE_USUAL 60
#define PAUSE_MOST 600
#define CLOSING (70 * LOOP_S) /* for the longest exchange to end */

static int
parse(int argc, char **argv, const char **name, int *seconds)
{
	struct fail why;
	int64_t span;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--end") == 0) {
			*seconds = 0;
		} else if (strcmp(argv[i], "--for") == 0 && i + 1 < argc) {
			if (str_duration(argv[++i], &span, &why) == -1)
				return cmd_usage(&cmd_pause, "--for %s", why.text);
			if (span < LOOP_S || span > PAUSE_MOST * LOOP_S)
				return cmd_usage(&cmd_pause, "--for %s: expected 1s to 10m", argv[i]);
			*seconds = (int)(span / LOOP_S);
		} else if (argv[i][0] == '-' || *name != NULL) {
			return cmd_usage(&cmd_pause, "unknown argument \"%s\"", argv[i]);
		} else {
			*name = argv[i];
		}
	}
	return *name == NULL ? cmd_usage(&cmd_pause, "which line or device?") : CMD_OK;
}

static void
print(const json_t *said, const char *name)
{
	const char *line = ask_text(said, "line");
	time_t end = time(NULL) + (time_t)(json_number_value(json_object_get(said, "left")) + 0.5);
	struct tm local;
	char at[16];

	if (!json_is_true(json_object_get(said, "released"))) {
		printf("%s: the daemon has the line and asks it again\n", line);
		return;
	}
	strftime(at, sizeof at, "%H:%M:%S", localtime_r(&end, &local));
	printf("%s: closed and left alone until %s, or until: pollwerk pause --end %s\n", line, at,
		name);
}

static int
pause_line(const struct cmd_context *context, int argc, char **argv)
{
	struct conf_places places;
	struct inventory *inventory;
	const char *name = NULL;
	int seconds = PAUSE_USUAL, status = parse(argc, argv, &name, &seconds);
	struct fail why;
	bool reached;
	json_t *said;

	if (status != CMD_OK)
		return status;
	if (cmd_look(context, &places, &inventory) == -1)
		return CMD_NEGATIVE;
	inventory_unref(inventory);
	said = pause_order(places.run_dir, name, seconds, CLOSING, &reached, &why);
	if (said == NULL) {
		cmd_error("%s%s%s", reached ? "" : "daemon not reachable: ", why.text,
			cmd_may_not(&why) ? CMD_MAY_NOT : "");
		return reached ? CMD_NEGATIVE : CMD_NO_DAEMON;
	}
	if (context->json)
		cmd_print_json(json_incref(said));
	else
		print(said, name);
	json_decref(said);
	return CMD_OK;
}

const struct cmd cmd_pause = { "pause", "[--for 60s | --end] LINE|DEVICE",
	"the daemon closes a Modbus line and leaves it alone for a while", pause_line };

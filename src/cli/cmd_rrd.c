/* pollwerk rrd: looks after the RRD files as files. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cmd.h"
#include "cli/rrd_parts.h"

const char *
size_text(char to[SIZE_TEXT], int64_t bytes)
{
	static const char units[] = "KMGTP";
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes == 0) {
		str_copy(to, SIZE_TEXT, "0");
		return to;
	}
	while (value >= 1000 && units[i + 1] != '\0') {
		value /= 1024;
		i++;
	}
	snprintf(to, SIZE_TEXT, "%.*f%c", value < 100 ? 1 : 0, value, units[i]);
	return to;
}

int
rrd_become_owner(const char *state_dir)
{
	struct stat info;

	if (geteuid() != 0 || stat(state_dir, &info) == -1 || info.st_uid == 0)
		return 0;
	if (setgroups(1, &info.st_gid) == 0 && setgid(info.st_gid) == 0 && setuid(info.st_uid) == 0)
		return 0;
	cmd_error("%s: cannot become its owner: %s", state_dir, strerror(errno));
	return -1;
}

static int
rrd(const struct cmd_context *context, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct cmd_context *context, int argc, char **argv);
	} parts[] = { { "migrate", rrd_migrate }, { "check", rrd_check },
		{ "orphans", rrd_orphans } };

	for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++)
		if (strcmp(argv[1], parts[i].name) == 0)
			return parts[i].run(context, argc - 1, argv + 1);
	if (argc > 1)
		return cmd_usage(&cmd_rrd, "unknown subcommand \"%s\"", argv[1]);
	return cmd_usage(&cmd_rrd, "migrate, check or orphans?");
}

const struct cmd cmd_rrd = { "rrd", "migrate [--dry-run] [GLOB] | check [GLOB] | orphans",
	"bring RRD files to the configuration's shape, check them, find unused ones", rrd };

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cmd.h"

static const struct cmd *const commands[] = {
	&cmd_check, &cmd_plan, &cmd_status, &cmd_devices, &cmd_values, &cmd_where, &cmd_gaps, &cmd_alarms,
	&cmd_paths, &cmd_graph, &cmd_rrd, &cmd_probe, &cmd_adopt, &cmd_walk, &cmd_discover,
	&cmd_reload, &cmd_pause, &cmd_clock, &cmd_backup, &cmd_restore, &cmd_export, NULL
};

/* Names that the contract has and this version does not. */
static const char *const later[] = {
	"report", "maintenance", "flows", "mib", "trap-test",
	"trace", "config", "top", "check-path",
	"check-device", NULL
};

static void
usage(FILE *to)
{
	fputs("usage: pollwerk [-c FILE] [--json] COMMAND [ARGUMENTS]\n\n", to);
	for (int i = 0; commands[i] != NULL; i++)
		fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->help);
	fputs("\n  -c FILE    configuration (" PW_SYSCONFDIR "/pollwerk/pollwerk.conf)\n"
		"  --json     one JSON document instead of text\n"
		"  --help     this text, or that of the command\n"
		"  --version  the version\n\n"
		"exit status: 0 ok, 1 negative result, 2 usage, 3 daemon not reachable\n", to);
}

static const struct cmd *
find_command(const char *name)
{
	for (int i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int
unknown_command(const char *name)
{
	const char *names[sizeof commands / sizeof commands[0]] = { NULL };
	const char *nearest;

	for (int i = 0; later[i] != NULL; i++)
		if (strcmp(later[i], name) == 0) {
			fprintf(stderr, "pollwerk %s: not in this version yet\n", name);
			return CMD_USAGE;
		}
	for (int i = 0; commands[i] != NULL; i++)
		names[i] = commands[i]->name;
	nearest = str_nearest(name, names);
	if (nearest != NULL)
		cmd_error("unknown command \"%s\" (did you mean \"%s\"?)", name, nearest);
	else
		cmd_error("unknown command \"%s\"; pollwerk --help lists them", name);
	return CMD_USAGE;
}

/* --json, -c, -h and --help may stand behind the command too: they are taken out there. */
static int
take_common(struct cmd_context *context, int argc, char **argv, bool *help)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			context->json = true;
		else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			*help = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			context->config = argv[++i];
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

/* A report that did not fit on the disk must not look like one. */
static int
written(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cmd_error("cannot write the output: %s", strerror(errno));
	return status == CMD_OK ? CMD_NEGATIVE : status;
}

static int
run(struct cmd_context *context, int argc, char **argv)
{
	const struct cmd *cmd = find_command(argv[0]);
	bool help = false;

	if (cmd == NULL)
		return unknown_command(argv[0]);
	argc = take_common(context, argc, argv, &help);
	if (help) {
		printf("usage: pollwerk %s %s\n%s\n", cmd->name, cmd->usage, cmd->help);
		return written(CMD_OK);
	}
	optind = 0; /* the command reads its own options */
	return written(cmd->run(context, argc, argv));
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ "json", no_argument, NULL, 'j' }, { "config", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	struct cmd_context context = { .config = PW_SYSCONFDIR "/pollwerk/pollwerk.conf" };
	int option;

	signal(SIGPIPE, SIG_DFL); /* `pollwerk values | head` ends quietly */
	log_open(LOG_TARGET_STDERR, "pollwerk");
	while ((option = getopt_long(argc, argv, "+c:hV", longs, NULL)) != -1) {
		if (option == 'c') {
			context.config = optarg;
		} else if (option == 'j') {
			context.json = true;
		} else if (option == 'V') {
			printf("pollwerk %s\n", PW_VERSION);
			return written(CMD_OK);
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? written(CMD_OK) : CMD_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return CMD_USAGE;
	}
	return run(&context, argc - optind, argv + optind);
}

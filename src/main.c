#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "supervisor.h"

static void
usage(FILE *to)
{
	fputs("usage: pollwerkd [-c FILE] [-f] [-v]\n"
		"  -c FILE        configuration (" PW_SYSCONFDIR "/pollwerk/pollwerk.conf)\n"
		"  -f             stay in the foreground and log to stderr\n"
		"  -v             log more\n"
		"  -h, --help     this text\n"
		"  -V, --version  the version\n", to);
}

/* The exit status. */
static int
written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "pollwerkd: cannot write the output: %s\n", strerror(errno));
	return 1;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ "config", required_argument, NULL, 'c' }, { "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	struct supervisor_options options = { .config = PW_SYSCONFDIR "/pollwerk/pollwerk.conf" };
	int option;

	mem_settle();
	while ((option = getopt_long(argc, argv, "c:fvhV", longs, NULL)) != -1) {
		if (option == 'c') {
			options.config = optarg;
		} else if (option == 'f') {
			options.foreground = true;
		} else if (option == 'v') {
			log_verbose(1);
		} else if (option == 'V') {
			printf("pollwerkd %s\n", PW_VERSION);
			return written();
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? written() : 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return supervisor_main(&options);
}

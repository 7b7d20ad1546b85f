#include "cli/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/str.h"
#include "config/conf.h"
#include "core/device.h"
#include "snmp/mib.h"

void
cmd_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pollwerk: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

int
cmd_usage(const struct cmd *cmd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "pollwerk %s: ", cmd->name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\nusage: pollwerk %s %s\n", cmd->name, cmd->usage);
	va_end(args);
	return CMD_USAGE;
}

int
cmd_one_glob(const struct cmd *cmd, const char *what, const char *argument)
{
	if (argument[0] == '-')
		return cmd_usage(cmd, "%sunknown option %s", what, argument);
	return cmd_usage(cmd, "%sone glob at most; quote it for the shell", what);
}

int
cmd_option(const struct cmd *cmd, const char *const *names, char **argv, int *i,
	const char **name, char **value)
{
	size_t length = strcspn(argv[*i], "=");

	while (*names != NULL && (strncmp(argv[*i], *names, length) != 0 || (*names)[length] != '\0'))
		names++;
	if (*names == NULL)
		return 0;
	*name = *names;
	*value = argv[*i][length] == '=' ? argv[*i] + length + 1 : argv[++*i];
	if (*value != NULL)
		return 1;
	cmd_usage(cmd, "%s: its value is missing", *name);
	return -1;
}

struct inventory *
cmd_inventory(const struct cmd_context *context)
{
	return cmd_inventory_and_mib(context, NULL);
}

struct inventory *
cmd_inventory_and_mib(const struct cmd_context *context, struct mib **mib)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(context->config, &errors);
	struct inventory *inventory = conf == NULL ? NULL : conf_inventory(conf);

	if (mib != NULL)
		*mib = conf == NULL ? NULL : conf_mibs(conf);
	if (mib != NULL && *mib != NULL && !mib_read_all(*mib)) {
		mib_close(*mib);
		*mib = NULL;
	}
	conf_report(&errors, stderr);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory;
}

int
cmd_look(const struct cmd_context *context, struct conf_places *places,
	struct inventory **inventory)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load_to_look(context->config, &errors);
	struct fail why;
	int result = 0;

	*inventory = conf == NULL ? NULL : conf_inventory(conf);
	if (*inventory != NULL) {
		const struct poller_options *poller = &(*inventory)->poller;

		str_copy(places->state_dir, sizeof places->state_dir, poller->state_dir);
		str_copy(places->rrd_dir, sizeof places->rrd_dir, poller->rrd_dir);
		str_copy(places->run_dir, sizeof places->run_dir, poller->run_dir);
	} else if (conf_places(context->config, places, &why) == 0) {
		cmd_error("%s: %zu mistake%s (pollwerk check tells of them), only its directories are used",
			context->config, errors.count, errors.count == 1 ? "" : "s");
	} else {
		conf_report(&errors, stderr);
		result = -1;
	}
	conf_errors_free(&errors);
	conf_free(conf);
	return result;
}

bool
cmd_may_not(const struct fail *why)
{
	return strstr(why->text, strerror(EACCES)) != NULL;
}

void
cmd_print_csv(const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

void
cmd_print_json(json_t *document)
{
	doc_write(document, stdout);
	putchar('\n');
	json_decref(document);
}

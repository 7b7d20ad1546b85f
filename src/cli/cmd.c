#include "cli/cmd.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/conf.h"
#include "core/device.h"

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

struct inventory *
cmd_inventory(const struct cmd_context *context)
{
	struct conf_errors errors = { 0 };
	struct conf *conf = conf_load(context->config, &errors);
	struct inventory *inventory = conf == NULL ? NULL : conf_inventory(conf);

	conf_report(&errors, stderr);
	conf_errors_free(&errors);
	conf_free(conf);
	return inventory;
}

void
cmd_print_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(document);
}

json_t *
cmd_json_number(double value)
{
	if (!isfinite(value))
		return json_null();
	if (value == floor(value) && fabs(value) < 9007199254740992.0)
		return json_integer((json_int_t)value);
	return json_real(value);
}

json_t *
cmd_json_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value != NULL)
		return value;
	copy = mem_text(text);
	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = json_string(copy);
	free(copy);
	return value;
}

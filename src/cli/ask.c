#include "cli/ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "config/conf.h"
#include "control/client.h"
#include "core/device.h"

/* A plant's configuration takes seconds to be read whole, and only the daemon's place is wanted
 * of it, which the main file mostly says. Read whole it has more to say where that fails. */
static int
call(const struct cmd_context *context, const char *command, int timeout, json_t **answer,
	struct fail *why)
{
	struct conf_places places, whole;
	struct inventory *inventory;
	bool said = conf_places(context->config, &places, why) == 0 && places.sure;

	*answer = said ? client_call(places.run_dir, command, timeout * LOOP_S, why) : NULL;
	if (*answer != NULL)
		return CMD_OK;
	if (cmd_look(context, &whole, &inventory) == -1)
		return CMD_NEGATIVE;
	inventory_unref(inventory);
	/* Nobody is asked twice: an order may have been heard. */
	if (!said || strcmp(places.run_dir, whole.run_dir) != 0)
		*answer = client_call(whole.run_dir, command, timeout * LOOP_S, why);
	return *answer != NULL ? CMD_OK : CMD_NO_DAEMON;
}

int
ask(const struct cmd_context *context, const char *command, int timeout, json_t **answer)
{
	const char *error;
	struct fail why;
	int result;

	*answer = NULL;
	result = call(context, command, timeout, answer, &why);
	if (result == CMD_NO_DAEMON)
		cmd_error("daemon not reachable: %s%s", why.text,
			cmd_may_not(&why) ? CMD_MAY_NOT : "");
	if (result != CMD_OK)
		return result;
	error = json_string_value(json_object_get(*answer, "error"));
	if (error == NULL)
		return CMD_OK;
	cmd_error("%s", error);
	json_decref(*answer);
	*answer = NULL;
	return CMD_NEGATIVE;
}

int
ask_order(const struct cmd_context *context, const char *command, int timeout,
	const char *done, const char *not_done)
{
	json_t *answer;
	bool ok;
	int result = ask(context, command, timeout, &answer);

	if (result != CMD_OK)
		return result;
	ok = json_is_true(json_object_get(answer, "ok"));
	if (!ok)
		fprintf(stderr, "%s\n", ask_text(answer, "text"));
	if (context->json) {
		cmd_print_json(answer);
	} else {
		printf("%s\n", ok ? done : not_done);
		json_decref(answer);
	}
	return ok ? CMD_OK : CMD_NEGATIVE;
}

int
ask_filter(const struct cmd *cmd, int argc, char **argv, struct ask_filter *filter)
{
	static const char *const valued[] = { "--place", "--owner", "--state", "--severity", NULL };

	*filter = (struct ask_filter){ NULL, NULL, NULL, NULL, NULL };
	for (int i = 1; i < argc; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(cmd, valued, argv, &i, &name, &value);

		if (taken == -1)
			return CMD_USAGE;
		if (taken == 0 && (argv[i][0] == '-' || filter->glob != NULL))
			return cmd_one_glob(cmd, "", argv[i]);
		if (taken == 0)
			filter->glob = argv[i];
		else
			*(strcmp(name, "--place") == 0 ? &filter->place : strcmp(name, "--owner") == 0 ?
				&filter->owner : strcmp(name, "--state") == 0 ? &filter->state :
				&filter->severity) = value;
	}
	return CMD_OK;
}

static bool
equals(const json_t *object, const char *member, const char *wanted)
{
	const char *value = json_string_value(json_object_get(object, member));

	return wanted == NULL || (value != NULL && strcmp(value, wanted) == 0);
}

/* "werk1/hall3" holds "werk1/hall3/line-b" but not "werk1/hall31". */
static bool
lies_in(const json_t *object, const char *place)
{
	const char *value = json_string_value(json_object_get(object, "place"));
	size_t length = place == NULL ? 0 : strlen(place);

	return place == NULL || (value != NULL && strncmp(value, place, length) == 0 &&
		(value[length] == '\0' || value[length] == '/'));
}

static bool
passes(const json_t *object, const struct ask_filter *filter)
{
	const char *name = json_string_value(json_object_get(object, "name"));

	if (name == NULL)
		name = json_string_value(json_object_get(object, "key"));
	if (filter->glob != NULL && (name == NULL || !str_glob(filter->glob, name)))
		return false;
	return lies_in(object, filter->place) && equals(object, "owner", filter->owner) &&
		equals(object, "state", filter->state) &&
		equals(object, "severity", filter->severity);
}

void
ask_apply(json_t *list, const struct ask_filter *filter)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (!passes(json_array_get(list, i), filter))
			json_array_remove(list, i);
}

/* A word that nothing ever has would be "nothing is wrong" to a script. */
static int
check_word(const struct cmd *cmd, const char *option, const char *word,
	const char *const *words)
{
	char list[120] = "";

	if (word == NULL)
		return CMD_OK;
	if (words == NULL)
		return cmd_usage(cmd, "unknown argument \"%s\"", option);
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t used = strlen(list);

		if (strcmp(words[i], word) == 0)
			return CMD_OK;
		snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" :
			words[i + 1] == NULL ? " or " : ", ", words[i]);
	}
	return cmd_usage(cmd, "%s %s: expected %s", option, word, list);
}

static bool
is_apart(const struct ask_table *table, const json_t *object)
{
	return table->apart != NULL && table->apart(object);
}

/* Prints the rows that stand apart, or the others; returns how many. */
static size_t
print_rows(const json_t *list, const struct ask_table *table, bool apart)
{
	const char *heading = apart ? table->apart_heading : table->heading;
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *object = json_array_get(list, i);

		if (is_apart(table, object) != apart)
			continue;
		if (count++ == 0 && heading != NULL)
			printf("%s\n", heading);
		table->print(object);
	}
	return count;
}

static void
print_table(const json_t *list, const struct ask_table *table)
{
	size_t count = print_rows(list, table, false);

	if (count > 0 && count < json_array_size(list))
		printf("\n");
	if (print_rows(list, table, true) > 0 || count > 0)
		return;
	if (table->empty != NULL)
		printf("%s\n", table->empty);
}

static bool
is_filtered(const struct ask_filter *filter)
{
	return filter->glob != NULL || filter->place != NULL || filter->owner != NULL ||
		filter->state != NULL || filter->severity != NULL;
}

int
ask_list(const struct cmd_context *context, const struct cmd *cmd, int argc, char **argv,
	const struct ask_table *table)
{
	struct ask_filter filter;
	json_t *list;
	bool any;
	int result = ask_filter(cmd, argc, argv, &filter);

	if (result == CMD_OK)
		result = check_word(cmd, "--state", filter.state, table->states);
	if (result == CMD_OK)
		result = check_word(cmd, "--severity", filter.severity, table->severities);
	if (result == CMD_OK)
		result = ask(context, cmd->name, 5, &list);
	if (result != CMD_OK)
		return result;
	ask_apply(list, &filter);
	any = json_array_size(list) > 0;
	if (!any && table->empty == NULL)
		cmd_error("%s: %s", cmd->name, is_filtered(&filter) ? "nothing matches" :
			"there are none");
	if (context->json) {
		cmd_print_json(list);
	} else {
		print_table(list, table);
		json_decref(list);
	}
	return any || table->empty != NULL ? CMD_OK : CMD_NEGATIVE;
}

const char *
ask_text(const json_t *object, const char *member)
{
	const char *value = json_string_value(json_object_get(object, member));

	return value == NULL || *value == '\0' ? "-" : value;
}

/* As many digits as somebody reads: four behind the point of a share, three of a time, but all
 * in front of the point; of a count all. */
static double
rounded(double value, const char *unit)
{
	double factor = 1;

	if (*unit == '\0' || value == 0)
		return value;
	if (strcmp(unit, " %") == 0)
		factor = 1e4;
	else if (fabs(value) < 100)
		factor = pow(10, 2 - floor(log10(fabs(value))));
	return round(value * factor) / factor;
}

const char *
ask_number(char *to, size_t size, const json_t *object, const char *member, double factor,
	const char *unit)
{
	const json_t *value = json_object_get(object, member);

	if (!json_is_number(value))
		snprintf(to, size, "-");
	else
		snprintf(to, size, "%.9g%s", rounded(json_number_value(value) * factor, unit), unit);
	return to;
}

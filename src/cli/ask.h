/* ask.h - commands that show what the daemon says: one question, then JSON or a table. */
#ifndef PW_ASK_H
#define PW_ASK_H

#include <jansson.h>
#include <stdbool.h>
struct cmd;
struct cmd_context;

/* CMD_OK and a new reference; else the exit status after a message. timeout in seconds. */
int ask(const struct cmd_context *context, const char *command, int timeout, json_t **answer);

/* The same for an order, whose answer has "ok" and, where it was not carried out, "text":
 * prints the document, or the sentence that fits. */
int ask_order(const struct cmd_context *context, const char *command, int timeout,
	const char *done, const char *not_done);

struct ask_filter {
	const char *glob;  /* over "name", or "key" where there is none; NULL: all */
	const char *place; /* that place and what lies below it */
	const char *owner, *state, *severity;
};
/* Reads [GLOB] [--place P] [--owner O] [--state S] [--severity S]; CMD_OK or CMD_USAGE. */
int ask_filter(const struct cmd *cmd, int argc, char **argv, struct ask_filter *filter);
/* Takes out of the list what the filter does not let through. */
void ask_apply(json_t *list, const struct ask_filter *filter);

/* What a list command is beside its question: `ask_list` asks the daemon for the list named
 * like the command, filters it, and prints JSON or a table. */
struct ask_table {
	const char *heading; /* printed above the rows; NULL: none */
	const char *empty;   /* printed instead of rows; NULL: nothing, and then CMD_NEGATIVE */
	void (*print)(const json_t *object);
	/* Rows for which this is true come after the others, below a heading of their own; NULL:
	 * there are none. */
	bool (*apart)(const json_t *object);
	const char *apart_heading;
	/* The words of --state and of --severity, up to a NULL; NULL: there is no such option. */
	const char *const *states;
	const char *const *severities;
};
int ask_list(const struct cmd_context *context, const struct cmd *cmd, int argc, char **argv,
	const struct ask_table *table);

/* For tables: a member as text, "-" when null or missing. Numbers with `unit` behind them. */
const char *ask_text(const json_t *object, const char *member);
const char *ask_number(char *to, size_t size, const json_t *object, const char *member,
	double factor, const char *unit);
#endif

/* cmd.h - one command, one file: cmd_NAME.c has one struct cmd; pollwerk.c lists them.
 *
 * Data goes to stdout, messages to stderr. Exit status: 0 ok, 1 negative result, 2 usage,
 * 3 daemon not reachable. */
#ifndef PW_CMD_H
#define PW_CMD_H

#include <jansson.h>
#include <stdbool.h>
struct conf_places;
struct fail;
struct inventory;
struct mib;

enum { CMD_OK = 0, CMD_NEGATIVE = 1, CMD_USAGE = 2, CMD_NO_DAEMON = 3 };

struct cmd_context {
	const char *config; /* file name */
	bool json;
};

struct cmd {
	const char *name;
	const char *usage; /* arguments */
	const char *help;  /* one line */
	/* argv[0] is the command's name. */
	int (*run)(const struct cmd_context *context, int argc, char **argv);
};

extern const struct cmd cmd_check, cmd_plan, cmd_rrd, cmd_values, cmd_where, cmd_gaps, cmd_status, cmd_devices,
	cmd_alarms, cmd_paths, cmd_graph, cmd_probe, cmd_walk, cmd_reload, cmd_pause, cmd_clock, cmd_backup,
	cmd_adopt, cmd_restore, cmd_export, cmd_discover;

/* "pollwerk NAME: ..." on stderr; CMD_USAGE. */
int cmd_usage(const struct cmd *cmd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same about what stands beside the one glob that the command takes. what: of which part of
 * the command, as "check: ", or "". */
int cmd_one_glob(const struct cmd *cmd, const char *what, const char *argument);
/* Is argv[*i] one of the options `names` (NULL at the end), with its value behind it or after a
 * "="? 1 with name and value, and *i at the last argument taken; 0 it is none of them; -1 after
 * a message: there is no value. argv ends with NULL. */
int cmd_option(const struct cmd *cmd, const char *const *names, char **argv, int *i,
	const char **name, char **value);
void cmd_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The checked configuration; NULL after its mistakes were printed. inventory_unref it. */
struct inventory *cmd_inventory(const struct cmd_context *context);
/* The same, and all MIB modules of poller.mibs and of the machine, for who shows them; *mib is
 * NULL where there is none. mib_close it. To be called before snmp_new. */
struct inventory *cmd_inventory_and_mib(const struct cmd_context *context, struct mib **mib);
/* For commands that only look and need no secrets: the directories, and the inventory if the configuration is
 * right (else NULL, after a message). -1 after messages when not even the file can be read. */
int cmd_look(const struct cmd_context *context, struct conf_places *places,
	struct inventory **inventory);

/* Was it a lack of rights? CMD_MAY_NOT is then the way out, to be put behind. */
bool cmd_may_not(const struct fail *why);
#define CMD_MAY_NOT " (be root, or in the group of poller.user)"

/* A field of a CSV line, quoted where it has to be (RFC 4180, section 2). */
void cmd_print_csv(const char *text);
/* Prints the document and a newline; takes the reference. */
void cmd_print_json(json_t *document);
#endif

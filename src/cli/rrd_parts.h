/* rrd_parts.h - what the files of pollwerk rrd share: one subcommand each. */
#ifndef PW_RRD_PARTS_H
#define PW_RRD_PARTS_H

#include <stddef.h>
#include <stdint.h>
struct cmd_context;

/* argv[0] is the subcommand. */
int rrd_migrate(const struct cmd_context *context, int argc, char **argv);
int rrd_check(const struct cmd_context *context, int argc, char **argv);
int rrd_orphans(const struct cmd_context *context, int argc, char **argv);

/* What the daemon makes must belong to whom it runs as: its state directory tells. -1 after a
 * message. */
int rrd_become_owner(const char *state_dir);

/* "1.3G"; in 1024s, as sizes are in the configuration. */
#define SIZE_TEXT 32
const char *size_text(char to[SIZE_TEXT], int64_t bytes);
#endif

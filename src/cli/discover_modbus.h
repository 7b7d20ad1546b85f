/* discover_modbus.h - `discover --modbus`: who answers at these hosts, and which template fits. */
#ifndef PW_DISCOVER_MODBUS_H
#define PW_DISCOVER_MODBUS_H

struct cmd_context;

/* argv[1] is --modbus. Asks the hosts that are named, one after the other and one unit id after
 * the other, and prints a fragment of configuration. An exit status. */
int discover_modbus(const struct cmd_context *context, int argc, char **argv);
#endif

/* supervisor.h - keeps poller and store alive, and holds what needs rights.
 *
 * Has the configuration read and checked by a child, opens sockets, forks the roles, drops
 * their privileges and starts again within a second what died. Parses nothing that comes
 * from the network. A role ends when its end of the socketpair reports EOF. */
#ifndef PW_SUPERVISOR_H
#define PW_SUPERVISOR_H

#include <stdbool.h>

struct supervisor_options {
	const char *config;
	bool foreground; /* log to stderr, stay attached */
};

/* Returns the process's exit status: 0 after SIGTERM, 1 when the start failed. */
int supervisor_main(const struct supervisor_options *options);
#endif

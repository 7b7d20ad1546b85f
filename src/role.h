/* role.h - what the supervisor and its roles say to each other over a socketpair.
 *
 * A message is one byte of kind, three of nothing, u32 length, that many bytes of text; a
 * configuration carries the bundle's fd with its first byte. EOF means the other has gone. */
#ifndef PW_ROLE_H
#define PW_ROLE_H

#include <stddef.h>
#include <stdint.h>
struct fail;
struct inventory;

enum role_message {
	ROLE_RELOAD = 'R',  /* poller -> supervisor: somebody asked for a reload */
	ROLE_CONFIG = 'C',  /* supervisor -> poller: checked and good; fd = bundle */
	ROLE_REFUSED = 'E', /* supervisor -> poller: text = what is wrong, a line each */
};

#define ROLE_TEXT 65536

/* fd_passed is -1 when there is none to pass. */
int role_send(int fd, enum role_message kind, const char *text, int fd_passed, struct fail *why);
/* Blocks until a whole message is there (the other side writes them in one piece). 1 and
 * *kind, text (always ends in NUL), *fd_passed (-1 or the receiver's); 0 EOF; -1 and why. */
int role_receive(int fd, enum role_message *kind, char *text, size_t size, int *fd_passed,
	struct fail *why);

/* What a poller is born with. */
struct role_poller {
	int alive_fd; /* the socketpair */
	/* The supervisor's, as of the fork: what was checked is what runs. The poller's to free:
	 * one inventory in its memory, and not two. */
	struct inventory *inventory;
	int ctl_fd;   /* listening unix socket */
	int icmp4, icmp6; /* -1 when there is none */
};
int poller_main(const struct role_poller *given);
#endif

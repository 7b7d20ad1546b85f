/* server.h - the poller's side of RUN_DIR/ctl.sock: answers what only the poller knows.
 *
 * One line of JSON asks ({"command": "status"}), one JSON document answers, then the stream
 * ends. Reading is for everybody who may connect (the socket's mode decides); acting needs
 * uid 0 or the daemon's own. A request is bounded in size and time, and so is the number of
 * clients: nobody can hold up polling here. */
#ifndef PW_SERVER_H
#define PW_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct alarms;
struct fail;
struct guard;
struct loop;
struct notify;
struct paths;
struct poller;
struct server;
struct view_datagrams;
struct view_lines;

/* A question for a device on its own line, for tools. */
enum exchange_kind { EXCHANGE_READ, EXCHANGE_IDENTIFY, EXCHANGE_SERVER_ID };
struct exchange {
	const char *device;
	enum exchange_kind kind;
	uint8_t unit;              /* 0: the device's own */
	uint8_t function;          /* 1 to 4 */
	uint16_t address, count;
	uint8_t code, object;      /* of function 43/14 */
};
struct exchange_answer {
	unsigned outcome;          /* as the tool knows it: enum line_outcome */
	uint8_t code;              /* of an exception */
	const uint8_t *data;
	size_t size;
	int64_t rtt;               /* ns */
	const char *why;           /* NULL when it was answered */
};

/* A line that is left to somebody else. */
struct pause_told {
	char line[64];
	bool released;             /* and nothing of ours is there any more */
	int64_t left;              /* ns; 0: it is not left to anybody */
};

struct server_options {
	struct loop *loop;
	int fd;                    /* listening; closed in server_free */
	const char *name;          /* poller.name */
	const char *run_dir;       /* store.health lies there */
	struct poller *poller;
	const struct alarms *alarms;
	const struct paths *paths;
	struct notify *notify;
	/* What the journal's disk says: NULL when it takes records. */
	const char *(*journal_trouble)(void *arg);
	const char *(*clock_trouble)(void *arg); /* NULL when the clock is believed */
	struct guard *guard;
	void (*lines)(struct view_lines *lines, void *arg); /* may be NULL */
	void (*datagrams)(struct view_datagrams *snmp, void *arg); /* may be NULL */
	/* Names of those asked with algorithms that can be broken; may be NULL. */
	void (*each_weak)(void (*each)(void *to, const char *name), void *to, void *arg);
	int64_t (*worst_lag)(void *arg);  /* ns, of the loop since the start; may be NULL */
	int64_t patience;          /* ns in which a client must have asked and read; 0 = 5 s */
	/* Begins one and returns what cancels it; NULL and why when it cannot be asked at all.
	 * Has server_exchanged(ticket) called once, unless cancelled. May be NULL. */
	void *(*exchange)(const struct exchange *exchange, void *ticket, struct fail *why, void *arg);
	void (*cancel)(void *begun, void *arg);
	/* Of the line of that name, or that the device of that name is on. seconds: for which it is
	 * left alone from now on; 0: no longer; -1: only look. -1 and why. May be NULL. */
	int (*pause)(const char *name, int seconds, struct pause_told *told, struct fail *why,
		void *arg);
	/* Asks for a reload; server_reloaded tells how it went. */
	void (*reload)(void *arg);
	void *arg;
};

struct server *server_new(const struct server_options *options);
void server_free(struct server *server); /* NULL is fine */
/* refused: what is wrong, a line each; NULL when the new configuration is in force. Answers
 * everybody who waits. */
void server_reloaded(struct server *server, const char *refused);
void server_exchanged(void *ticket, const struct exchange_answer *answer);
void server_rename(struct server *server, const char *name, const char *run_dir); /* after a reload */
#endif

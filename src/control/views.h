/* views.h - what the poller knows, as the JSON documents of the contract (DESIGN, command
 * line). Unknown numbers are null, never 0. */
#ifndef PW_VIEWS_H
#define PW_VIEWS_H

#include <jansson.h>
#include <stdint.h>
struct alarms;
struct guard;
struct notify;
struct paths;
struct poller;

/* What became of SNMP's datagrams, since the start. */
struct view_datagrams {
	uint64_t sent, answered, strays, wrong_source, malformed;
	uint64_t dropped; /* by the kernel: the receive buffer was full */
};

/* Modbus lines: the connections and ttys of all devices. */
struct view_lines {
	size_t count, bad;
	size_t released;     /* to somebody else for a while */
	size_t crowded;      /* have no connection to spare */
	const char *ending;  /* over TLS: whose certificate ends first; "" or NULL: none's */
	int64_t ends;        /* wall ns: then */
	const char *busiest; /* "" when there is none, or NULL */
	double load;         /* of the busiest: percent of its last minute */
};

struct view_status {
	const char *name, *run_dir;
	int64_t started, now; /* wall ns */
	struct poller *poller;
	const struct alarms *alarms;
	struct notify *notify;
	struct view_datagrams snmp;
	struct view_lines lines;
	/* Names of those asked by MD5 or DES; NULL: nobody knows. */
	void (*each_weak)(void (*each)(void *to, const char *name), void *to, void *arg);
	void *arg;         /* each_weak's */
	int64_t worst_lag; /* ns, of the loop since the start */
	const char *journal_trouble, *clock_trouble; /* NULL: none */
	const char *refused; /* of a configuration that is not in force: what is wrong; or NULL */
};

/* Each gives a new reference. */
json_t *view_status(const struct view_status *status);
json_t *view_devices(struct poller *poller);
json_t *view_alarms(const struct alarms *alarms);
json_t *view_clock(const struct guard *guard, const char *trouble);
json_t *view_paths(const struct paths *paths);
#endif

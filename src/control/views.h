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

struct view_status {
	const char *name, *run_dir;
	int64_t started, now; /* wall ns */
	struct poller *poller;
	const struct alarms *alarms;
	struct notify *notify;
	const char *journal_trouble, *clock_trouble; /* NULL: none */
};

/* Each gives a new reference. */
json_t *view_status(const struct view_status *status);
json_t *view_devices(struct poller *poller);
json_t *view_alarms(const struct alarms *alarms);
json_t *view_clock(const struct guard *guard, const char *trouble);
json_t *view_paths(const struct paths *paths);
#endif

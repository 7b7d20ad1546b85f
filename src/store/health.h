/* health.h - how the store is doing, as it says each second in RUN_DIR/store.health.
 *
 * Lines KEY=VALUE, replaced as a whole; for the poller's status and for the command line.
 * Lost with the machine, so it is not synced. */
#ifndef PW_STORE_HEALTH_H
#define PW_STORE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
struct fail;

struct store_health {
	bool degraded;
	char reason[400];  /* "" when not degraded */
	double lag;        /* seconds of journal not yet read; 0 when at its end */
	uint64_t rows;     /* pending */
	uint64_t files;
	uint64_t updates;  /* rows written since the start */
	uint64_t errors;   /* failed calls since the start */
	uint64_t quarantined, locked; /* files */
	uint64_t damaged;  /* journal records that could not be read, of a newer version or damaged */
	uint64_t given_up; /* rows not stored as they were beyond journal_budget or journal_size */
	int64_t time;      /* Unix seconds; older than some seconds: the store does not run */
};

int store_health_write(const char *run_dir, const struct store_health *health); /* -1 errno */
/* -1 and why when there is none. Keys that this version does not know are skipped. */
int store_health_read(const char *run_dir, struct store_health *health, struct fail *why);
#endif

/* wired.h - a poller as poller_main.c makes it, for benchmarks: rates, the newest values, the
 * journal and its commits, paths and alarms; no control socket, no notices, no store. */
#ifndef BENCH_WIRED_H
#define BENCH_WIRED_H

#include <stdint.h>
#include "core/driver.h"
#include "core/poller.h"
struct inventory;
struct loop;

/* state_dir holds journal and catalogue, run_dir the newest values. The driver's env as in struct
 * poller_driver. Takes the inventory over; lives until the process ends, which it ends itself
 * when something does not open. */
struct poller *wired_poller(struct loop *loop, const char *state_dir, const char *run_dir,
	struct inventory *inventory, const struct driver *driver, void *env);
/* Slots that were closed without a value so far. */
uint64_t wired_lost(void);
#endif

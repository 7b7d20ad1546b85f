/* process.h - the poller's process in a test: its parts built and wired as poller_main.c does,
 * on simulated time and network. It can be killed: then nothing of it is closed or flushed. */
#ifndef PW_SCENARIO_PROCESS_H
#define PW_SCENARIO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct feed_listener;
struct inventory;
struct loop;
struct process;
struct series_catalogue;
struct transition;

struct process_options {
	const char *state_dir, *run_dir;
	struct inventory *inventory;          /* one reference is taken over */
	const struct feed_listener *listener; /* told last of all */
	/* The clock was set and the poller takes it up: from one wall time to another. */
	void (*stepped)(int64_t from, int64_t to, void *arg);
	/* The journal's account at the start: slots of this series are closed up to next - 1. */
	void (*recovered)(uint32_t series, int64_t next, void *arg);
	/* An alarm changed, by a record of that number; records up to that number are on disk.
	 * Both NULL: the process runs without alarms and paths. */
	void (*changed)(void *arg, const struct transition *transition, uint64_t journal);
	void (*committed)(uint64_t sequence, void *arg);
	void *arg;
	const char *failed; /* out: why it could not start */
};

struct process *process_start(struct process_options *options);
void process_reload(struct process *process, struct inventory *inventory);
void process_stop(struct process *process); /* orderly, as on SIGTERM */
void process_kill(struct process *process); /* as by kill -9 */

void process_refuse(struct process *process, bool refuse); /* STATE_DIR is full, or takes again */
int process_confirm_clock(struct process *process); /* "pollwerk clock confirm" */

struct loop *process_loop(struct process *process);
struct series_catalogue *process_catalogue(struct process *process);
uint64_t process_polls(struct process *process);   /* since its start */
uint64_t process_samples(struct process *process);
size_t process_alarms(struct process *process); /* open now */
#endif

/* sim.h - what both simulators share: clock, random numbers, log, control lines, faults.
 *
 * The simulators are judges: they include nothing of pollwerk, so that a mistake there
 * cannot be repeated here. Each runs one thread on one libevent loop. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct sockaddr_in;

#define SIM_S 1000000000LL
#define SIM_MS 1000000LL
#define SIM_VIOLATION 3 /* exit status when a forbidden request was seen */

/* Nanoseconds. sim_wall is the wall clock of the start plus monotonic time, so that the
 * formulas of the counters hold while somebody sets the clock. */
int64_t sim_mono(void);
int64_t sim_wall(void);

void *sim_zero(size_t count, size_t size); /* ends the process when there is no memory */
void sim_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* "127.0.0.1:161" to an address; ends the process when it is none. */
void sim_address(const char *text, struct sockaddr_in *to);
/* Whole text to a number; false when it is none. */
bool sim_number(const char *text, double *number);
/* Cuts the next blank-separated word off *line; NULL when there is none. */
char *sim_word(char **line);

/* Random numbers from a seed: xorshift64*. */
void sim_seed(uint64_t seed);
uint64_t sim_random(void);
bool sim_chance(double probability);

/* The log: lines are collected and written once a second, at the end and on SIGUSR1. */
struct simlog;
struct simlog *simlog_open(const char *path, const char *head); /* NULL path: NULL log */
void simlog_add(struct simlog *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void simlog_number(struct simlog *log, int64_t number, char after);
void simlog_text(struct simlog *log, const char *text);
void simlog_flush(struct simlog *log);
void simlog_close(struct simlog *log);

/* A set of faults is a struct of doubles with a table of their names. "drop=0.3 delay=20"
 * sets two of them; false and a reason in why for an unknown name or a bad number. */
struct fault_name {
	const char *name;
	size_t offset;
	const char *help;
};
bool faults_set(const struct fault_name *names, void *faults, char *words, char *why,
	size_t size);
void faults_help(const struct fault_name *names);

/* One process: loop, signals, control socket. command gets one line and writes an empty
 * answer when it worked, else the reason. */
struct sim {
	struct event_base *base;
	struct simlog *log;
	uint64_t violations;
	void (*command)(struct sim *sim, char *line, char *why, size_t size);
	void *control_event, *term_event, *int_event, *flush_event, *tick_event;
	const char *control_path;
	int control_fd;
};
void sim_open(struct sim *sim, const char *control_path);
int sim_run(struct sim *sim); /* until SIGTERM or SIGINT; returns the exit status */
void sim_close(struct sim *sim);
#endif

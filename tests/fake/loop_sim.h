/* loop_sim.h - drives virtual time. Link loop_sim.c before libpollwerk.a and it stands in
 * the place of base/loop.c: timers run in order of their due time, as fast as they can;
 * watches get ready in loop_sim_read alone; a worker's work runs inside kick. One loop at a
 * time. */
#ifndef PW_LOOP_SIM_H
#define PW_LOOP_SIM_H

#include <stdbool.h>
#include <stdint.h>
struct loop;

/* Before loop_new: where the clocks begin. Default mono 1000 s, wall 2026-01-01 00:00 UTC. */
void loop_sim_begin(int64_t mono, int64_t wall);
/* Runs everything that is due up to then, and leaves mono at that time. */
void loop_sim_until(struct loop *loop, int64_t mono);
void loop_sim_for(struct loop *loop, int64_t duration);
/* The process is stopped for so long: time goes on, and what was due is late. */
void loop_sim_stall(struct loop *loop, int64_t duration);
/* Somebody sets the system's clock: wall + delta from now on (see loop_on_step). */
void loop_sim_step_clock(struct loop *loop, int64_t delta);
/* The time at which a loop made after this one goes on: processes come and go, time stays. */
int64_t loop_sim_now(void);
/* Where real sockets are watched in virtual time: one that has something to read is told so,
 * now. False when none has. */
bool loop_sim_read(void);
int64_t loop_sim_real(void); /* the system's clock, not the anchored one */
#endif

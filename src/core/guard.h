/* guard.h - whether the system's clock can be believed: at the start, and while the poller runs.
 *
 * A slot stored under a wrong time cannot be taken back, and one jump forward would push years
 * of history out of an RRD. So:
 * - A step beyond what is trusted is not taken up. Wall goes on by the monotonic clock, polls
 *   and rows go on with it, nothing is lost; it ends by itself when the clock is back.
 * - A poller that starts in the same boot goes on with its predecessor's wall.
 * - In another boot, a clock before 2024, one that lies before the journal's end or more than
 *   a year behind it tells no time at all: polling begins only once it is right.
 * Whoever knows better confirms the clock. Trouble is told for an alarm. */
#ifndef PW_GUARD_H
#define PW_GUARD_H

#include <stdbool.h>
#include <stdint.h>
struct fail;
struct guard;
struct loop;

struct guard_options {
	struct loop *loop;
	int64_t trust;  /* ns: a step up to this is believed; 0: a day */
	int64_t former; /* wall ns by the predecessor in this boot, 0 when there is none */
	int64_t newest; /* wall ns of the newest that the journal knows, 0 when it is empty */
	/* Polling may begin; called once, from guard_begin or later. waited: what passed since
	 * the journal's end is owed to the clock. */
	void (*begin)(bool waited, void *arg);
	/* Wall has jumped forward by delta. Less than 0: it runs slower until the system's clock,
	 * which was set back by that, is met. */
	void (*stepped)(int64_t delta, void *arg);
	/* What is wrong with the clock, NULL: nothing. Told at the beginning and on change. */
	void (*trouble)(const char *text, void *arg);
	void *arg;
};

/* Sets wall as the start demands, and takes loop_on_step. */
struct guard *guard_new(const struct guard_options *options);
void guard_free(struct guard *guard); /* NULL is fine */
void guard_begin(struct guard *guard);

struct guard_view {
	bool held;     /* the system's clock is not believed */
	bool waiting;  /* polling has not begun for that */
	int64_t wall;  /* ours */
	int64_t real;  /* the system's */
};
struct guard_view guard_look(const struct guard *guard);
/* The system's clock is right, says somebody: 0 taken over (also when there was no doubt),
 * -1 and why when that would store slots twice. */
int guard_confirm(struct guard *guard, struct fail *why);
#endif

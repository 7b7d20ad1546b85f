/* intro.h - the first Monday: what is wrong already when a device is first watched.
 *
 * A device that gets its templates' rules (alarms = "standard") for the first time may have
 * dozens of conditions that nobody ever looked at. What a device's first values show before
 * poller.alarm_settle is over is raised as suppressed, behind "monitoring began": it stands in
 * the list, and nobody is told. Then one alarm about the poller tells how many there are, and
 * they are raised one by one, worst first, poller.alarm_rate a minute. The alarm about the
 * poller ends with the last of them. Used by alarms.c. */
#ifndef PW_INTRO_H
#define PW_INTRO_H

#include <stdbool.h>
#include <stdint.h>
struct alarm;
struct book;
struct inventory;
struct newcomer;
struct rule_options;
struct state;
struct transition;

struct intro {
	struct book *book;
	struct state *state; /* a key for each device that was introduced; NULL: none is kept */
	struct newcomer *newcomers;
	int64_t until;       /* wall ns at which they are summed up; 0: there is nothing to sum up */
	unsigned rate;       /* a minute */
	double credit;       /* of alarms that may be told now */
};

/* At the start, and with each new configuration: who is watched for the first time. */
void intro_open(struct intro *intro, const struct inventory *inventory);
void intro_close(struct intro *intro);
/* The device's first breaches, of a condition that began at `since` (wall ns). */
bool intro_takes(const struct intro *intro, const struct rule_options *rule,
	const char *device, int64_t since);
/* What it takes is raised so: nobody is told for now. */
void intro_hold(struct transition *draft);
bool intro_holds(const struct alarm *alarm);
/* Each second: sums up, and tells what is held. */
void intro_tick(struct intro *intro);
void intro_shift(struct intro *intro, int64_t delta); /* wall jumped forward */
#endif

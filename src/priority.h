/* priority.h - whose turn comes first when the machine has more work than cores.
 *
 * The poller needs little time, but needs it at once: a poll that waits for a processor is a
 * poll that is late. The store may be late by minutes, the journal holds what it has not
 * taken. Neither is worth an error: what the system refuses is left as it is. */
#ifndef PW_PRIORITY_H
#define PW_PRIORITY_H

/* For the poller, before it drops its privileges and before it makes threads. */
void priority_prompt(void);
/* For the store. */
void priority_patient(void);
#endif

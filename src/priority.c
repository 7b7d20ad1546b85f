#include "priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/loop.h"

#define PROMPT (-10)
#define PATIENT 5
/* Longer than a tick's work usually takes. */
#define PROMPT_SLICE (LOOP_MS / 4)

/* sched_setattr(2), which glibc 2.36 does not have; SCHED_ATTR_SIZE_VER0. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Asks for short turns. Since Linux 6.12 who wants a short turn gets it before those who want
 * a long one; that is a matter of order, not of share, so no privilege is needed. Kernels
 * before that take no notice. */
static void
short_turns(int nice)
{
	struct scheduling wanted = { .size = sizeof wanted, .nice = nice,
		.runtime = PROMPT_SLICE };

	syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void
priority_prompt(void)
{
	/* Root may; a service gets it by Nice= of its unit. */
	setpriority(PRIO_PROCESS, 0, PROMPT);
	short_turns(getpriority(PRIO_PROCESS, 0));
}

void
priority_patient(void)
{
	int nice = getpriority(PRIO_PROCESS, 0);

	if (nice < PATIENT)
		setpriority(PRIO_PROCESS, 0, PATIENT);
}

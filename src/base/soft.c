/* The timers of base/loop.h that wake nobody: which are armed. When they run is for the loops to
 * say, the real one and the simulated one. */
#include "base/loop.h"

static void
leave(struct loop_soft *soft)
{
	*soft->here = soft->next;
	if (soft->next != NULL)
		soft->next->here = soft->here;
}

static void
ran(void *arg)
{
	struct loop_soft *soft = arg;

	leave(soft);
	soft->run(soft->arg);
}

void
loop_soft_init(struct loop_soft *soft, void (*run)(void *), void *arg)
{
	*soft = (struct loop_soft){ .run = run, .arg = arg };
	loop_timer_init(&soft->timer, ran, soft);
}

void
loop_soft_stop(struct loop *loop, struct loop_soft *soft)
{
	if (!loop_soft_armed(soft))
		return;
	leave(soft);
	loop_timer_stop(loop, &soft->timer);
}

void
loop_soft_within(struct loop *loop, struct loop_soft *soft, int64_t from, int64_t until)
{
	struct loop_soft **softs = loop_softs(loop);

	loop_soft_stop(loop, soft);
	soft->from = from;
	soft->next = *softs;
	soft->here = softs;
	if (soft->next != NULL)
		soft->next->here = &soft->next;
	*softs = soft;
	loop_timer_at(loop, &soft->timer, until);
}

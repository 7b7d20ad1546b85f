#include "modbus/pace.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/loop.h"
#include "base/mem.h"

struct pace {
	UT_hash_handle hh;        /* by host */
	struct loop *loop;
	char *host;
	struct pace_turn *members, *waiting;
	struct pace_turn *called; /* whose due() is on the stack: it may have gone since */
	bool calling;             /* not to be freed */
	int64_t gap;              /* ns, the longest of its members' */
	int64_t free;             /* mono: no question before */
	struct loop_timer timer;
};

static void
pace_free(struct pace *pace)
{
	loop_timer_stop(pace->loop, &pace->timer);
	free(pace->host);
	free(pace);
}

/* Who has nothing to ask any more takes no turn, and the next one is called at once. */
static void
on_timer(void *arg)
{
	struct pace *pace = arg;

	pace->calling = true;
	while (pace->waiting != NULL && loop_mono(pace->loop) >= pace->free) {
		pace->called = pace->waiting;
		pace_forget(pace->called);
		pace->called->due(pace->called->arg);
	}
	pace->called = NULL;
	pace->calling = false;
	if (pace->members == NULL)
		pace_free(pace);
	else if (pace->waiting != NULL)
		loop_timer_at(pace->loop, &pace->timer, pace->free);
}

static struct pace *
find(struct pace **all, struct loop *loop, const char *host)
{
	struct pace *pace;

	HASH_FIND_STR(*all, host, pace);
	if (pace != NULL)
		return pace;
	pace = mem_zero(sizeof(*pace));
	pace->loop = loop;
	pace->host = mem_text(host);
	loop_timer_init(&pace->timer, on_timer, pace);
	HASH_ADD_KEYPTR(hh, *all, pace->host, strlen(pace->host), pace);
	return pace;
}

void
pace_join(struct pace **all, struct loop *loop, const char *host, struct pace_turn *turn)
{
	turn->pace = find(all, loop, host);
	DL_APPEND2(turn->pace->members, turn, prev_member, next_member);
}

static void
agree(struct pace *pace)
{
	const struct pace_turn *turn;

	pace->gap = 0;
	DL_FOREACH2(pace->members, turn, next_member) {
		if (turn->gap > pace->gap)
			pace->gap = turn->gap;
	}
}

void
pace_leave(struct pace **all, struct pace_turn *turn)
{
	struct pace *pace = turn->pace;

	if (pace == NULL)
		return;
	pace_forget(turn);
	DL_DELETE2(pace->members, turn, prev_member, next_member);
	turn->pace = NULL;
	agree(pace);
	if (pace->members != NULL)
		return;
	HASH_DEL(*all, pace);
	if (!pace->calling)
		pace_free(pace);
}

void
pace_set(struct pace_turn *turn, int64_t gap)
{
	turn->gap = gap;
	agree(turn->pace);
}

bool
pace_take(struct pace_turn *turn)
{
	struct pace *pace = turn->pace;
	int64_t now;

	if (pace->gap == 0)
		return true;
	now = loop_mono(pace->loop);
	if (now < pace->free || (pace->waiting != NULL && pace->called != turn))
		return false;
	pace->free = now + pace->gap;
	return true;
}

void
pace_wait(struct pace_turn *turn)
{
	struct pace *pace = turn->pace;

	if (turn->waiting)
		return;
	turn->waiting = true;
	DL_APPEND(pace->waiting, turn);
	if (!pace->calling)
		loop_timer_at(pace->loop, &pace->timer, pace->free);
}

void
pace_forget(struct pace_turn *turn)
{
	if (!turn->waiting)
		return;
	turn->waiting = false;
	DL_DELETE(turn->pace->waiting, turn);
}

#include "notify/spool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* How far back pairs are looked for: a full spool must stay cheap. */
#define PAIR_DEPTH 64

struct notice *
notice_new(const struct transition *transition, uint64_t journal)
{
	struct notice *notice = mem_zero(sizeof *notice);

	notice->transition = *transition;
	notice->journal = journal;
	notice->users = 1;
	return notice;
}

void
notice_release(struct notice *notice)
{
	if (notice != NULL && --notice->users == 0)
		free(notice);
}

void
spool_init(struct spool *spool, size_t limit)
{
	memset(spool, 0, sizeof *spool);
	spool->limit = limit < 2 ? 2 : limit;
}

void
spool_free(struct spool *spool)
{
	for (size_t i = 0; i < spool->count; i++)
		notice_release(spool->items[spool->first + i]);
	free(spool->items);
	spool->items = NULL;
	spool->first = spool->count = spool->room = 0;
}

static struct notice **
item(const struct spool *spool, size_t index)
{
	return &spool->items[spool->first + index];
}

static void
drop(struct spool *spool, size_t index)
{
	notice_release(*item(spool, index));
	memmove(item(spool, index), item(spool, index + 1),
		(spool->count - index - 1) * sizeof *spool->items);
	spool->count--;
	spool->lost++;
}

static bool
drop_repeat(struct spool *spool)
{
	for (size_t i = 1; i < spool->count; i++) {
		if ((*item(spool, i))->transition.kind == TRANSITION_REPEAT) {
			drop(spool, i);
			return true;
		}
	}
	return false;
}

/* The clear of the alarm raised at `raise`, 0 when there is none. */
static size_t
find_clear(const struct spool *spool, size_t raise)
{
	const struct transition *raised = &(*item(spool, raise))->transition;

	for (size_t i = raise + 1; i < spool->count; i++) {
		const struct transition *later = &(*item(spool, i))->transition;

		if (later->kind == TRANSITION_CLEAR && later->id == raised->id)
			return i;
	}
	return 0;
}

static bool
drop_pair(struct spool *spool)
{
	for (size_t i = 1; i < spool->count && i < PAIR_DEPTH; i++) {
		const struct transition *transition = &(*item(spool, i))->transition;
		size_t clear;

		if (transition->kind != TRANSITION_RAISE || transition->id == 0)
			continue;
		clear = find_clear(spool, i);
		if (clear == 0)
			continue;
		drop(spool, clear);
		drop(spool, i);
		return true;
	}
	return false;
}

void
spool_push(struct spool *spool, struct notice *notice)
{
	if (spool->first + spool->count == spool->room) {
		if (spool->first > spool->room / 2) {
			memmove(spool->items, spool->items + spool->first,
				spool->count * sizeof *spool->items);
			spool->first = 0;
		} else {
			spool->room = spool->room * 2 + 16;
			spool->items = mem_grow(spool->items, spool->room, sizeof *spool->items);
		}
	}
	notice->users++;
	spool->items[spool->first + spool->count++] = notice;
	if (spool->count > spool->limit && !drop_repeat(spool) && !drop_pair(spool))
		drop(spool, 1);
}

struct notice *
spool_first(const struct spool *spool)
{
	return spool->count == 0 ? NULL : *item(spool, 0);
}

void
spool_done(struct spool *spool, uint32_t sequence)
{
	while (spool->count > 0 && (*item(spool, 0))->transition.sequence <= sequence) {
		notice_release(*item(spool, 0));
		spool->first++;
		spool->count--;
	}
}

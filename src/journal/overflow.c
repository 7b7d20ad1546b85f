#include "journal/overflow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/series.h"

void
overflow_free(struct overflow *overflow)
{
	free(overflow->spans);
	*overflow = (struct overflow){ .room = 0 };
}

void
overflow_note(struct overflow *overflow, const struct series *series, int64_t first, int64_t last)
{
	struct overflow_span *span;

	if (series->id >= overflow->room) {
		size_t room = (size_t)series->id + series->id / 2 + 1024;

		overflow->spans = mem_grow(overflow->spans, room, sizeof *overflow->spans);
		memset(overflow->spans + overflow->room, 0,
			(room - overflow->room) * sizeof *overflow->spans);
		overflow->room = room;
	}
	span = &overflow->spans[series->id];
	if (!span->open) {
		*span = (struct overflow_span){ first, first - 1, true };
		overflow->open++;
	}
	overflow->slots += (uint64_t)(last - first + 1);
	span->last = last;
}

bool
overflow_has(const struct overflow *overflow, const struct series *series)
{
	return series->id < overflow->room && overflow->spans[series->id].open;
}

void
overflow_empty(struct overflow *overflow, int64_t decided,
	void (*give)(const struct sample_run *run, void *arg), void *arg)
{
	for (size_t id = 0; id < overflow->room && overflow->open > 0; id++) {
		struct overflow_span *span = &overflow->spans[id];
		struct series series = { .id = (uint32_t)id };
		struct sample_run run = { .series = &series, .first = span->first,
			.last = span->last, .decided = decided, .reason = REASON_STORE_FULL };

		if (!span->open)
			continue;
		overflow->open--;
		*span = (struct overflow_span){ 0, 0, false };
		give(&run, arg);
	}
	free(overflow->spans);
	overflow->spans = NULL;
	overflow->room = overflow->open = 0;
}

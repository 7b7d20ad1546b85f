#include "store/turns.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/pending.h"

void
turns_free(struct turns *turns)
{
	free(turns->heap);
	*turns = (struct turns){ 0 };
}

void
turns_add(struct turns *turns, struct pending_file *file)
{
	size_t at = turns->count;

	if (file->has_turn)
		return;
	file->has_turn = true;
	if (turns->count == turns->room) {
		turns->room = turns->room * 2 + 64;
		turns->heap = mem_grow(turns->heap, turns->room, sizeof(struct pending_file *));
	}
	turns->count++;
	while (at > 0 && turns->heap[(at - 1) / 2]->due > file->due) {
		turns->heap[at] = turns->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	turns->heap[at] = file;
}

bool
turns_is_due(const struct turns *turns, int64_t mono)
{
	return turns->count > 0 && turns->heap[0]->due <= mono;
}

struct pending_file *
turns_take(struct turns *turns, int64_t mono)
{
	struct pending_file *first, *last;
	size_t at = 0, child;

	if (!turns_is_due(turns, mono))
		return NULL;
	first = turns->heap[0];
	last = turns->heap[--turns->count];
	while ((child = 2 * at + 1) < turns->count) {
		if (child + 1 < turns->count &&
			turns->heap[child + 1]->due < turns->heap[child]->due)
			child++;
		if (turns->heap[child]->due >= last->due)
			break;
		turns->heap[at] = turns->heap[child];
		at = child;
	}
	if (turns->count > 0)
		turns->heap[at] = last;
	first->has_turn = false;
	return first;
}

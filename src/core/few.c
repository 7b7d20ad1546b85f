#include "core/few.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PAGE 64 /* ids: bits of a word */

struct few_page {
	uint64_t met, kept;
	void **items; /* of the bits in kept, in their order */
};

static uint64_t
bit_of(uint32_t id)
{
	return UINT64_C(1) << id % PAGE;
}

/* How many items of the page stand before that of the id. */
static unsigned
place_of(const struct few_page *page, uint32_t id)
{
	return (unsigned)__builtin_popcountll(page->kept & (bit_of(id) - 1));
}

void
few_free(struct few *few)
{
	for (uint32_t p = 0; p < few->page_count; p++)
		free(few->pages[p].items);
	free(few->pages);
	*few = (struct few){ 0 };
}

bool
few_met(const struct few *few, uint32_t id)
{
	return id / PAGE < few->page_count && (few->pages[id / PAGE].met & bit_of(id)) != 0;
}

void *
few_get(const struct few *few, uint32_t id)
{
	const struct few_page *page;

	if (id / PAGE >= few->page_count)
		return NULL;
	page = &few->pages[id / PAGE];
	if ((page->kept & bit_of(id)) == 0)
		return NULL;
	return page->items[place_of(page, id)];
}

static void
make_pages(struct few *few, uint32_t count)
{
	count += count / 8;
	few->pages = mem_grow(few->pages, count, sizeof *few->pages);
	memset(few->pages + few->page_count, 0, (count - few->page_count) * sizeof *few->pages);
	few->page_count = count;
}

void
few_put(struct few *few, uint32_t id, void *item)
{
	struct few_page *page;
	unsigned at, count;

	if (id / PAGE >= few->page_count)
		make_pages(few, id / PAGE + 1);
	page = &few->pages[id / PAGE];
	page->met |= bit_of(id);
	if (item == NULL)
		return;
	at = place_of(page, id);
	count = (unsigned)__builtin_popcountll(page->kept);
	page->items = mem_grow(page->items, count + 1, sizeof *page->items);
	memmove(page->items + at + 1, page->items + at, (count - at) * sizeof *page->items);
	page->items[at] = item;
	page->kept |= bit_of(id);
}

/* The first id from *id on whose bit is set in that word of its page. */
static bool
next_of(const struct few *few, uint32_t *id, bool kept)
{
	for (uint32_t p = *id / PAGE; p < few->page_count; p++, *id = p * PAGE) {
		uint64_t bits = kept ? few->pages[p].kept : few->pages[p].met;

		bits &= ~(bit_of(*id) - 1);
		if (bits == 0)
			continue;
		*id = p * PAGE + (uint32_t)__builtin_ctzll(bits);
		return true;
	}
	return false;
}

void *
few_next(const struct few *few, uint32_t *id)
{
	return next_of(few, id, true) ? few_get(few, *id) : NULL;
}

bool
few_next_met(const struct few *few, uint32_t *id)
{
	return next_of(few, id, false);
}

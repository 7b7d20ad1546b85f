#include "core/few.h"

#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/mem.h"

static uint64_t
bit_of(uint32_t id)
{
	return UINT64_C(1) << id % FEW_PAGE;
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

void *
few_kept(const struct few_page *page, uint32_t id)
{
	return page->items[place_of(page, id)];
}

void
few_ahead(const struct few *few, uint32_t id, unsigned step)
{
	const struct few_page *page = few->pages + id / FEW_PAGE;

	if (id / FEW_PAGE >= few->page_count)
		return;
	if (step == 0)
		ahead_fetch(page, sizeof *page);
	else if ((page->kept & bit_of(id)) != 0)
		ahead_fetch(page->items + place_of(page, id), sizeof *page->items);
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

	if (id / FEW_PAGE >= few->page_count)
		make_pages(few, id / FEW_PAGE + 1);
	page = &few->pages[id / FEW_PAGE];
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
	for (uint32_t p = *id / FEW_PAGE; p < few->page_count; p++, *id = p * FEW_PAGE) {
		uint64_t bits = kept ? few->pages[p].kept : few->pages[p].met;

		bits &= ~(bit_of(*id) - 1);
		if (bits == 0)
			continue;
		*id = p * FEW_PAGE + (uint32_t)__builtin_ctzll(bits);
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

/* few.h - something kept for a few of many series, found by the series' id.
 *
 * Most points of a plant have no rule and stand on no path. Whoever has once looked at a series
 * and found nothing to keep for it notes that it was met: two bits instead of an item. What is
 * kept stays the owner's: nothing here frees or moves it. */
#ifndef PW_FEW_H
#define PW_FEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEW_PAGE 64 /* ids: bits of a word */
struct few_page {
	uint64_t met, kept;
	void **items; /* of the bits in kept, in their order */
};
struct few { /* zeroed at first */
	struct few_page *pages;
	uint32_t page_count;
};

void few_free(struct few *few); /* not the items; then as at first */

/* Both are asked for each value of a plant. */
static inline bool
few_met(const struct few *few, uint32_t id)
{
	return id / FEW_PAGE < few->page_count &&
		(few->pages[id / FEW_PAGE].met >> id % FEW_PAGE & 1) != 0;
}
/* The same of `count` ids that follow one another: all met, and nothing kept for any? */
static inline bool
few_none(const struct few *few, uint32_t id, uint32_t count)
{
	for (uint32_t end = id + count, next; id < end; id = next) {
		const struct few_page *page;
		uint64_t bits = UINT64_MAX << id % FEW_PAGE;

		if (id / FEW_PAGE >= few->page_count)
			return false;
		page = &few->pages[id / FEW_PAGE];
		next = (id / FEW_PAGE + 1) * FEW_PAGE;
		if (next > end)
			bits &= UINT64_MAX >> (next - end);
		if ((page->met & bits) != bits || (page->kept & bits) != 0)
			return false;
	}
	return true;
}
void *few_kept(const struct few_page *page, uint32_t id); /* there is one */
/* NULL: nothing is kept for it. */
static inline void *
few_get(const struct few *few, uint32_t id)
{
	if (id / FEW_PAGE >= few->page_count ||
		(few->pages[id / FEW_PAGE].kept >> id % FEW_PAGE & 1) == 0)
		return NULL;
	return few_kept(&few->pages[id / FEW_PAGE], id);
}
/* Has fetched (base/ahead.h) what few_get looks at, in the steps 0 and 1. */
void few_ahead(const struct few *few, uint32_t id, unsigned step);
/* Once an id. item NULL: it is met, and nothing is kept. */
void few_put(struct few *few, uint32_t id, void *item);

/* The first item (met id) whose id is *id or greater, which becomes *id; NULL (false) when
 * there is none. Add 1 to *id for the next one. */
void *few_next(const struct few *few, uint32_t *id);
bool few_next_met(const struct few *few, uint32_t *id);
#endif

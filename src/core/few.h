/* few.h - something kept for a few of many series, found by the series' id.
 *
 * Most points of a plant have no rule and stand on no path. Whoever has once looked at a series
 * and found nothing to keep for it notes that it was met: two bits instead of an item. What is
 * kept stays the owner's: nothing here frees or moves it. */
#ifndef PW_FEW_H
#define PW_FEW_H

#include <stdbool.h>
#include <stdint.h>

struct few_page;
struct few { /* zeroed at first */
	struct few_page *pages;
	uint32_t page_count;
};

void few_free(struct few *few); /* not the items; then as at first */

bool few_met(const struct few *few, uint32_t id);
void *few_get(const struct few *few, uint32_t id); /* NULL: nothing is kept for it */
/* Once an id. item NULL: it is met, and nothing is kept. */
void few_put(struct few *few, uint32_t id, void *item);

/* The first item (met id) whose id is *id or greater, which becomes *id; NULL (false) when
 * there is none. Add 1 to *id for the next one. */
void *few_next(const struct few *few, uint32_t *id);
bool few_next_met(const struct few *few, uint32_t *id);
#endif

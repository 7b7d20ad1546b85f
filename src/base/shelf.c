#include "base/shelf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Octets; where blocks are watched each has a page, and so a block of the heap, to itself. */
#ifdef __SANITIZE_ADDRESS__
#define PAGE ((size_t)0)
#else
#define PAGE ((size_t)16 * 1024)
#endif

#define WORD 64 /* blocks */

struct shelf_page {
	struct shelf_page *next;
	char *blocks;      /* behind the bits */
	size_t room;       /* octets */
	size_t left;       /* blocks that are not taken */
	uint64_t taken[];  /* a bit for each block */
};

static struct shelf_page *
page_new(struct shelf *shelf)
{
	size_t blocks = PAGE / shelf->size > 0 ? PAGE / shelf->size : 1;
	size_t words = (blocks + WORD - 1) / WORD;
	struct shelf_page *page = mem_zero(sizeof *page + words * sizeof page->taken[0] +
		blocks * shelf->size);

	page->blocks = (char *)(page->taken + words);
	page->room = blocks * shelf->size;
	page->left = blocks;
	page->next = shelf->pages;
	shelf->pages = page;
	return page;
}

/* It stands first from then on: the pages behind are mostly full. */
static struct shelf_page *
page_with_room(struct shelf *shelf)
{
	struct shelf_page **link = &shelf->pages, *page;

	while (*link != NULL && (*link)->left == 0)
		link = &(*link)->next;
	page = *link;
	if (page == NULL)
		return page_new(shelf);
	*link = page->next;
	page->next = shelf->pages;
	return shelf->pages = page;
}

void *
shelf_take(struct shelf *shelf)
{
	struct shelf_page *page = page_with_room(shelf);
	size_t word = 0, number;

	while (page->taken[word] == UINT64_MAX)
		word++;
	number = word * WORD + (size_t)__builtin_ctzll(~page->taken[word]);
	page->taken[word] |= UINT64_C(1) << number % WORD;
	page->left--;
	return memset(page->blocks + number * shelf->size, 0, shelf->size);
}

static struct shelf_page **
page_of(struct shelf *shelf, const void *block)
{
	struct shelf_page **link = &shelf->pages;

	while ((uintptr_t)block - (uintptr_t)(*link)->blocks >= (*link)->room)
		link = &(*link)->next;
	return link;
}

void
shelf_give(struct shelf *shelf, void *block)
{
	struct shelf_page **link = page_of(shelf, block), *page = *link;
	size_t number = (size_t)((char *)block - page->blocks) / shelf->size;

	page->taken[number / WORD] &= ~(UINT64_C(1) << number % WORD);
	if (++page->left * shelf->size < page->room)
		return;
	*link = page->next;
	free(page);
}

void
shelf_each(const struct shelf *shelf, void (*visit)(void *block, void *arg), void *arg)
{
	for (const struct shelf_page *page = shelf->pages; page != NULL; page = page->next)
		for (size_t i = 0; i < page->room / shelf->size; i++)
			if ((page->taken[i / WORD] >> i % WORD & 1) != 0)
				visit(page->blocks + i * shelf->size, arg);
}

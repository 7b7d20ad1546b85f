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

/* A block that is free has the next one that is in its first octets. */
struct shelf_page {
	struct shelf_page *next;
	void *given;     /* back, the newest */
	size_t used;     /* octets up to which blocks were ever taken */
	size_t taken;    /* blocks that are */
	size_t room;     /* octets */
	_Alignas(8) char bytes[];
};

static struct shelf_page *
page_new(struct shelf *shelf)
{
	size_t blocks = PAGE / shelf->size > 0 ? PAGE / shelf->size : 1;
	struct shelf_page *page = mem_zero(sizeof *page + blocks * shelf->size);

	page->room = blocks * shelf->size;
	page->next = shelf->pages;
	shelf->pages = page;
	return page;
}

static bool
has_room(const struct shelf_page *page)
{
	return page->given != NULL || page->used < page->room;
}

/* It stands first from then on: the pages behind are mostly full. */
static struct shelf_page *
page_with_room(struct shelf *shelf)
{
	struct shelf_page **link = &shelf->pages, *page;

	while (*link != NULL && !has_room(*link))
		link = &(*link)->next;
	page = *link;
	if (page == NULL)
		return page_new(shelf);
	*link = page->next;
	page->next = shelf->pages;
	return shelf->pages = page;
}

static void *
take(struct shelf *shelf, struct shelf_page *page)
{
	void *block = page->given;

	page->taken++;
	if (block == NULL) {
		page->used += shelf->size;
		return page->bytes + page->used - shelf->size;
	}
	memcpy(&page->given, block, sizeof page->given);
	return memset(block, 0, shelf->size);
}

static struct shelf_page **
page_of(struct shelf *shelf, const void *block)
{
	struct shelf_page **link = &shelf->pages;

	while ((uintptr_t)block - (uintptr_t)(*link)->bytes >= (*link)->room)
		link = &(*link)->next;
	return link;
}

void *
shelf_take(struct shelf *shelf)
{
	return take(shelf, page_with_room(shelf));
}

void
shelf_give(struct shelf *shelf, void *block)
{
	struct shelf_page **link = page_of(shelf, block), *page = *link;

	memcpy(block, &page->given, sizeof page->given);
	page->given = block;
	if (--page->taken > 0)
		return;
	*link = page->next;
	free(page);
}

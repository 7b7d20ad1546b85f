/* shelf.h - many blocks of one size, side by side: no octets of a heap stand between them.
 *
 * For what there are thousands of and that comes and goes seldom, with a configuration. A page goes
 * back to the heap when its last block does. */
#ifndef PW_SHELF_H
#define PW_SHELF_H

#include <stddef.h>

struct shelf { /* zeroed but for size; done with when all blocks were given back */
	size_t size; /* of a block: a multiple of 8 */
	struct shelf_page *pages;
};

void *shelf_take(struct shelf *shelf); /* zeroed */
void shelf_give(struct shelf *shelf, void *block);
/* Those that are taken, in no order; visit takes and gives none. */
void shelf_each(const struct shelf *shelf, void (*visit)(void *block, void *arg), void *arg);
#endif

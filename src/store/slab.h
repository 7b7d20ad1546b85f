/* slab.h - many queues of octets that share one memory: put at the end, taken at the front.
 *
 * In pieces of 128 octets, so a queue wastes less than two of them and nothing is ever moved
 * or fragmented. What queues give back is used again, and goes back to the system with the
 * slab only. */
#ifndef PW_SLAB_H
#define PW_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab;
/* All zero: an empty queue. */
struct slab_queue {
	uint32_t first, last; /* pieces; 0: none */
	uint16_t from, to;    /* octet in the first one to be read, in the last one to be put */
};
/* A place in a queue; valid until the queue is put to, or taken from beyond it. */
struct slab_place {
	uint32_t piece;
	uint16_t at;
};

struct slab *slab_new(void);
void slab_free(struct slab *slab); /* with all queues */
size_t slab_bytes(const struct slab *slab); /* in use */

void slab_put(struct slab *slab, struct slab_queue *queue, const void *octets, size_t size);
/* So much will be put soon (base/ahead). */
void slab_put_ahead(const struct slab *slab, const struct slab_queue *queue, size_t size);
struct slab_place slab_front(const struct slab_queue *queue);
/* Moves place behind what it read. The caller knows that so much is there. */
void slab_read(const struct slab *slab, struct slab_place *place, void *to, size_t size);
/* Everything before the place is gone. */
void slab_take(struct slab *slab, struct slab_queue *queue, struct slab_place upto);
void slab_clear(struct slab *slab, struct slab_queue *queue);
#endif

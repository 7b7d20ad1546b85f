#include "store/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/mem.h"

#define PIECE_OCTETS 124
#define BLOCK 8192 /* pieces, 1 MB */

struct piece {
	uint32_t next;
	uint8_t octets[PIECE_OCTETS];
};

struct slab {
	struct piece **blocks;
	size_t block_count;
	uint32_t made, used; /* pieces; number 0 is none */
	uint32_t spare;      /* first of those given back */
};

struct slab *
slab_new(void)
{
	struct slab *slab = mem_zero(sizeof *slab);

	slab->made = 1;
	return slab;
}

void
slab_free(struct slab *slab)
{
	if (slab == NULL)
		return;
	for (size_t i = 0; i < slab->block_count; i++)
		free(slab->blocks[i]);
	free(slab->blocks);
	free(slab);
}

size_t
slab_bytes(const struct slab *slab)
{
	return slab->used * sizeof(struct piece);
}

static struct piece *
piece_at(const struct slab *slab, uint32_t number)
{
	return &slab->blocks[number / BLOCK][number % BLOCK];
}

static uint32_t
piece_new(struct slab *slab)
{
	uint32_t number = slab->spare;

	if (number != 0) {
		slab->spare = piece_at(slab, number)->next;
		/* Those given back lie anywhere. */
		if (slab->spare != 0)
			ahead_fetch(piece_at(slab, slab->spare), sizeof(struct piece));
	} else {
		number = slab->made++;
		if (number / BLOCK >= slab->block_count) {
			slab->blocks = mem_grow(slab->blocks, slab->block_count + 1,
				sizeof(struct piece *));
			slab->blocks[slab->block_count++] = mem_grow(NULL, BLOCK,
				sizeof(struct piece));
		}
	}
	piece_at(slab, number)->next = 0;
	slab->used++;
	return number;
}

static void
piece_free(struct slab *slab, uint32_t number)
{
	piece_at(slab, number)->next = slab->spare;
	slab->spare = number;
	slab->used--;
}

void
slab_put(struct slab *slab, struct slab_queue *queue, const void *octets, size_t size)
{
	const uint8_t *from = octets;

	while (size > 0) {
		size_t room = PIECE_OCTETS - queue->to, part;

		if (queue->last == 0 || room == 0) {
			uint32_t number = piece_new(slab);

			if (queue->last == 0)
				queue->first = number;
			else
				piece_at(slab, queue->last)->next = number;
			queue->last = number;
			queue->to = 0;
			room = PIECE_OCTETS;
		}
		part = size < room ? size : room;
		memcpy(piece_at(slab, queue->last)->octets + queue->to, from, part);
		queue->to = (uint16_t)(queue->to + part);
		from += part;
		size -= part;
	}
}

void
slab_put_ahead(const struct slab *slab, const struct slab_queue *queue, size_t size)
{
	if (queue->last != 0 && queue->to < PIECE_OCTETS)
		ahead_fetch(piece_at(slab, queue->last)->octets + queue->to, size);
}

struct slab_place
slab_front(const struct slab_queue *queue)
{
	return (struct slab_place){ queue->first, queue->from };
}

/* The pieces of a queue lie anywhere, too. */
static void
fetch_next(const struct slab *slab, uint32_t number)
{
	uint32_t next = number != 0 ? piece_at(slab, number)->next : 0;

	if (next != 0)
		ahead_fetch(piece_at(slab, next), sizeof(struct piece));
}

void
slab_read(const struct slab *slab, struct slab_place *place, void *to, size_t size)
{
	uint8_t *at = to;

	while (size > 0) {
		size_t left = PIECE_OCTETS - place->at, part = size < left ? size : left;

		if (left == 0) {
			*place = (struct slab_place){ piece_at(slab, place->piece)->next, 0 };
			fetch_next(slab, place->piece);
			continue;
		}
		memcpy(at, piece_at(slab, place->piece)->octets + place->at, part);
		place->at = (uint16_t)(place->at + part);
		at += part;
		size -= part;
	}
}

void
slab_take(struct slab *slab, struct slab_queue *queue, struct slab_place upto)
{
	while (queue->first != upto.piece) {
		uint32_t next = piece_at(slab, queue->first)->next;

		piece_free(slab, queue->first);
		queue->first = next;
	}
	queue->from = upto.at;
	if (queue->first == queue->last && queue->from == queue->to)
		slab_clear(slab, queue);
}

void
slab_clear(struct slab *slab, struct slab_queue *queue)
{
	while (queue->first != 0) {
		uint32_t next = piece_at(slab, queue->first)->next;

		piece_free(slab, queue->first);
		queue->first = next;
	}
	*queue = (struct slab_queue){ 0 };
}

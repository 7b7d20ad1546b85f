#include "config/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { CHUNK = 64 * 1024, ALIGN = 8 };

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(ALIGN) char bytes[];
};

struct known {
	uint64_t hash;
	const void *bytes; /* NULL: the place is free */
	size_t size;
};

struct arena {
	struct chunk *chunks; /* the newest, which has room, first */
	struct chunk *texts;  /* those stand without gaps: each device has some */
	struct known *known;  /* by hash, places tried one after the other; room is 2^n */
	size_t known_count, known_room;
};

struct arena *
arena_new(void)
{
	return mem_zero(sizeof(struct arena));
}

static void
free_chunks(struct chunk *chunk)
{
	for (struct chunk *next; chunk != NULL; chunk = next) {
		next = chunk->next;
		explicit_bzero(chunk->bytes, chunk->used);
		free(chunk);
	}
}

void
arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_chunks(arena->chunks);
	free_chunks(arena->texts);
	free(arena->known);
	free(arena);
}

void
arena_settle(struct arena *arena)
{
	free(arena->known);
	arena->known = NULL;
	arena->known_count = arena->known_room = 0;
}

static size_t
rounded(size_t size)
{
	return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static void *
take(struct chunk **chunks, size_t need)
{
	struct chunk *chunk = *chunks;

	if (chunk == NULL || chunk->size - chunk->used < need) {
		size_t room = need > CHUNK ? need : CHUNK;

		chunk = mem_zero(sizeof *chunk + room);
		chunk->size = room;
		chunk->next = *chunks;
		*chunks = chunk;
	}
	chunk->used += need;
	return chunk->bytes + chunk->used - need;
}

void *
arena_zero(struct arena *arena, size_t size)
{
	return take(&arena->chunks, rounded(size));
}

void *
arena_copy(struct arena *arena, const void *from, size_t size)
{
	void *to = arena_zero(arena, size);

	if (size > 0)
		memcpy(to, from, size);
	return to;
}

/* The place of those bytes, or the one where they would go. */
static struct known *
known_place(const struct arena *arena, uint64_t hash, const void *bytes, size_t size)
{
	size_t at = hash & (arena->known_room - 1);

	while (arena->known[at].bytes != NULL && (arena->known[at].hash != hash ||
		arena->known[at].size != size || memcmp(arena->known[at].bytes, bytes, size) != 0))
		at = (at + 1) & (arena->known_room - 1);
	return &arena->known[at];
}

static void
known_grow(struct arena *arena)
{
	struct known *old = arena->known;
	size_t room = arena->known_room;

	arena->known_room = room == 0 ? 256 : room * 2;
	arena->known = mem_array(arena->known_room, sizeof *arena->known);
	for (size_t i = 0; i < room; i++)
		if (old[i].bytes != NULL)
			*known_place(arena, old[i].hash, old[i].bytes, old[i].size) = old[i];
	free(old);
}

/* True when it was the newest there. */
static bool
give_back(struct chunk *chunk, char *made, size_t size)
{
	if (chunk == NULL || chunk->used < size || made != chunk->bytes + chunk->used - size)
		return false;
	/* It may be a secret, and what comes next has to be zero. */
	explicit_bzero(made, size);
	chunk->used -= size;
	return true;
}

const void *
arena_same(struct arena *arena, void *made, size_t size)
{
	static const max_align_t nothing;
	uint64_t hash = str_hash(made, size);
	struct known *known;

	if (size == 0)
		return &nothing;
	if (arena->known_count * 2 >= arena->known_room)
		known_grow(arena);
	known = known_place(arena, hash, made, size);
	if (known->bytes == NULL) {
		*known = (struct known){ hash, made, size };
		arena->known_count++;
	} else if (known->bytes != made) {
		if (!give_back(arena->chunks, made, rounded(size)))
			give_back(arena->texts, made, size);
	}
	return known->bytes;
}

const char *
arena_text(struct arena *arena, const char *text)
{
	size_t size = text == NULL ? 0 : strlen(text) + 1;

	return size <= 1 ? "" : arena_same(arena, memcpy(take(&arena->texts, size), text, size), size);
}

const char *
arena_format(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *to;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	to = take(&arena->texts, (size_t)length + 1);
	vsnprintf(to, (size_t)length + 1, format, again);
	va_end(again);
	return arena_same(arena, to, (size_t)length + 1);
}

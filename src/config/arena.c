#include "config/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { CHUNK = 64 * 1024, ALIGN = 16 };

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(ALIGN) char bytes[];
};

struct arena {
	struct chunk *chunks; /* the newest, which has room, first */
};

struct arena *
arena_new(void)
{
	return mem_zero(sizeof(struct arena));
}

void
arena_free(struct arena *arena)
{
	struct chunk *next;

	if (arena == NULL)
		return;
	for (struct chunk *chunk = arena->chunks; chunk != NULL; chunk = next) {
		next = chunk->next;
		explicit_bzero(chunk->bytes, chunk->used);
		free(chunk);
	}
	free(arena);
}

void *
arena_zero(struct arena *arena, size_t size)
{
	struct chunk *chunk = arena->chunks;
	size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;

	if (chunk == NULL || chunk->size - chunk->used < need) {
		size_t room = need > CHUNK ? need : CHUNK;

		chunk = mem_zero(sizeof *chunk + room);
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	chunk->used += need;
	return chunk->bytes + chunk->used - need;
}

void *
arena_copy(struct arena *arena, const void *from, size_t size)
{
	void *to = arena_zero(arena, size);

	if (size > 0)
		memcpy(to, from, size);
	return to;
}

const char *
arena_text(struct arena *arena, const char *text)
{
	return text == NULL || text[0] == '\0' ? "" :
		arena_copy(arena, text, strlen(text) + 1);
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
	to = arena_zero(arena, (size_t)length + 1);
	vsnprintf(to, (size_t)length + 1, format, again);
	va_end(again);
	return to;
}

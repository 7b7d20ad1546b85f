/* arena.h - memory that dies together: an inventory and all that hangs on it. */
#ifndef PW_ARENA_H
#define PW_ARENA_H

#include <stddef.h>

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *arena); /* wiped first: there are secrets in it */
void *arena_zero(struct arena *arena, size_t size); /* zeroed, aligned for anything */
void *arena_copy(struct arena *arena, const void *from, size_t size);
const char *arena_text(struct arena *arena, const char *text); /* NULL becomes "" */
const char *arena_format(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#endif

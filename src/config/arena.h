/* arena.h - memory that dies together: an inventory and all that hangs on it. */
#ifndef PW_ARENA_H
#define PW_ARENA_H

#include <stddef.h>

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *arena); /* wiped first: there are secrets in it */
void *arena_zero(struct arena *arena, size_t size); /* zeroed; for pointers, int64_t, double */
void *arena_copy(struct arena *arena, const void *from, size_t size);
/* `made` came from this arena and is complete: returns it, or what was handed in before with
 * the same bytes. Its memory is then given back, if nothing newer is left behind it: a
 * thousand devices of one template share its points. From here on nobody changes it. */
const void *arena_same(struct arena *arena, void *made, size_t size);
const char *arena_text(struct arena *arena, const char *text); /* NULL becomes "" */
const char *arena_format(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Nothing is added any more: forgets what arena_same has to know. */
void arena_settle(struct arena *arena);
#endif

/* turns.h - whose turn it is: files by the time at which they are to be written, the earliest
 * first. Knows nothing of files but file->due; does not own them. */
#ifndef PW_TURNS_H
#define PW_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct pending_file;

struct turns {
	struct pending_file **heap;
	size_t count, room;
};
void turns_free(struct turns *turns); /* all zero is an empty one */
/* A file stands in it once at most (file->has_turn), and its `due` stays until it is taken. */
void turns_add(struct turns *turns, struct pending_file *file);
/* The first one that is due at that time, taken out; NULL when there is none. */
bool turns_is_due(const struct turns *turns, int64_t mono);
struct pending_file *turns_take(struct turns *turns, int64_t mono);
#endif

/* pattern.h - short lists of numbers of which many are alike: each stands here once.
 *
 * Counts who uses a list and forgets it with the last one. What the numbers mean is the user's,
 * and so are their marks: an octet each, the same for the same number, to look for. */
#ifndef PW_PATTERN_H
#define PW_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_MOST 64

/* One that is being made. */
struct pattern_list {
	uint32_t count;
	uint32_t numbers[PATTERN_MOST];
	uint8_t marks[PATTERN_MOST];
};

/* One that many use, so it does not change. Its marks follow its numbers. */
struct pattern {
	uint32_t users, hash;
	uint32_t next;      /* with the same place in `heads`: index + 1 */
	uint32_t count;     /* 1 to PATTERN_MOST */
	uint32_t numbers[];
};

struct patterns { /* zeroed at first */
	struct pattern **list; /* NULL where one has gone */
	uint32_t *heads;       /* index + 1, 0: none; by hash, as many as there is room */
	uint32_t *gone;        /* indexes that are free again */
	uint32_t count, room, gone_count;
};

void patterns_free(struct patterns *patterns); /* then as at first */
/* The index of the one that is like this list, which has one user more now. */
uint32_t patterns_hold(struct patterns *patterns, const struct pattern_list *list);
void patterns_drop(struct patterns *patterns, uint32_t index); /* one user less */

static inline const struct pattern *
patterns_at(const struct patterns *patterns, uint32_t index)
{
	return patterns->list[index];
}
static inline const uint8_t *
pattern_marks(const struct pattern *pattern)
{
	return (const uint8_t *)(pattern->numbers + pattern->count);
}
#endif

/* ahead.h - asks the processor for memory that is needed a little later.
 *
 * With thousands of devices each one's memory has left the caches by the time that it is looked
 * at again, and whoever goes from one pointer to the next waits for memory at each. Where it is
 * known which devices come next, a few of them are gone through together, one pointer deeper at
 * each step: the waits of a step then are one wait. Only ever a hint: any address will do, and
 * NULL is none. */
#ifndef PW_AHEAD_H
#define PW_AHEAD_H

#include <stddef.h>
#include <stdint.h>

/* So many are gone through together: what is fetched for them has to stay in the cache. */
#define AHEAD_GROUP 16
#define AHEAD_LINE 64u /* octets that are fetched at a time */

static inline void
ahead_fetch(const void *at, size_t size)
{
	const char *line = (const char *)((uintptr_t)at & ~(uintptr_t)(AHEAD_LINE - 1));

	if (at == NULL)
		return;
	for (; line < (const char *)at + size; line += AHEAD_LINE)
		__builtin_prefetch(line, 1);
}
#endif

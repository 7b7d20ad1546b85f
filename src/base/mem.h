/* mem.h - memory that is there: each call returns memory or ends the process.
 *
 * A role that ends is started again by the supervisor and goes on from the journal; a half
 * working one would lie. Sizes that come from the network are bounded before they come here. */
#ifndef PW_MEM_H
#define PW_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *mem_zero(size_t size);                  /* zeroed; free() it */
void *mem_array(size_t count, size_t size);   /* zeroed, product checked; free() it */
void *mem_grow(void *old, size_t count, size_t size); /* like reallocarray; new part not zeroed */
char *mem_text(const char *text);             /* copy, NULL stays NULL; free() it */
void *mem_copy(const void *from, size_t size);
/* For a process that goes on for years, before its first allocation: large blocks are always
 * mapped by themselves, so that one that is freed is the system's again. Else one large block
 * that was freed once teaches malloc to keep all later ones in its heap. */
void mem_settle(void);
/* What was freed goes back to the system, as far as whole pages of it are free. */
void mem_trim(void);
/* Octets of this process's own memory that no block of a heap takes: what mem_trim may give back,
 * and on top large blocks as far as they were written, stacks and the like. So only what it grows
 * by says something. 0 where /proc is not there. */
long mem_idle(void);

/* Of who looks now and then, because what comes and goes in bursts leaves holes in the heap. */
struct mem_holes { /* zeroed at first */
	bool known;
	long least; /* idle since they were given back */
};
/* Gives them back where there is more by `worth` than the least; the first look does in any case,
 * as what is idle may be less than nothing: blocks that were never written take no memory. */
void mem_look(struct mem_holes *holes, long worth);
/* Bounds this process's address space, for children that call what may run away. Nothing
 * with AddressSanitizer, whose shadow alone is larger. */
void mem_limit(size_t bytes);
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif

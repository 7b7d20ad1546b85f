/* mutate.h - damage at random: a seed that is printed, a time that is kept, octets spoilt.
 *
 * PW_FUZZ_SEED repeats a run, PW_FUZZ_SECONDS makes it longer. A run that hangs is ended by
 * SIGALRM; the seed stands in the output by then. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prints the seed and starts the clock. */
void fuzz_begin(const char *what);
bool fuzz_goes_on(void);    /* there is time left; counts a round */
void fuzz_end(void);        /* prints the number of rounds */
uint32_t fuzz_roll(uint32_t below);

/* Spoils size octets in a buffer of room octets and returns the new size. Octets that are
 * marked in `kept` (NULL: none) are neither changed nor taken away, and nothing comes
 * between two of them. kept moves along and has room entries. */
size_t fuzz_mutate(uint8_t *bytes, size_t size, size_t room, bool *kept);
#endif

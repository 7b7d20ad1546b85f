/* tally.h - counting slots by reason: the one fold that ledger and path accounts share.
 * Pure. expected = good + every other reason, by construction. */
#ifndef PW_TALLY_H
#define PW_TALLY_H

#include <stdint.h>

struct tally {
	uint64_t count[256]; /* by reason */
};

void tally_add(struct tally *tally, uint8_t reason, uint64_t slots);
void tally_merge(struct tally *into, const struct tally *from);
uint64_t tally_expected(const struct tally *tally);
uint64_t tally_good(const struct tally *tally); /* with first and discontinuity */
uint64_t tally_lost(const struct tally *tally);
/* In percent; NaN when nothing was expected. excluded slots are taken off `expected` in
 * coverage and worst (DESIGN, reasons and classes). */
double tally_availability(const struct tally *tally);
double tally_coverage(const struct tally *tally, uint64_t excluded);
double tally_worst(const struct tally *tally, uint64_t excluded);
#endif

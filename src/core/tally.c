#include "core/tally.h"

#include <math.h>

#include "core/sample.h"

void
tally_add(struct tally *tally, uint8_t reason, uint64_t slots)
{
	tally->count[reason] += slots;
}

void
tally_merge(struct tally *into, const struct tally *from)
{
	for (int i = 0; i < 256; i++)
		into->count[i] += from->count[i];
}

static uint64_t
sum_of_class(const struct tally *tally, enum reason_class class)
{
	uint64_t sum = 0;

	for (int i = 0; i < 256; i++)
		if (tally->count[i] > 0 && reason_class((uint8_t)i) == class)
			sum += tally->count[i];
	return sum;
}

uint64_t
tally_good(const struct tally *tally)
{
	return sum_of_class(tally, CLASS_GOOD) + sum_of_class(tally, CLASS_NO_RATE);
}

uint64_t
tally_lost(const struct tally *tally)
{
	return sum_of_class(tally, CLASS_LOST);
}

uint64_t
tally_expected(const struct tally *tally)
{
	uint64_t sum = 0;

	for (int i = 0; i < 256; i++)
		sum += tally->count[i];
	return sum;
}

static double
percent(uint64_t part, uint64_t whole)
{
	return whole > 0 ? 100.0 * (double)part / (double)whole : (double)NAN;
}

double
tally_availability(const struct tally *tally)
{
	uint64_t good = tally_good(tally);

	return percent(good, good + tally_lost(tally));
}

double
tally_coverage(const struct tally *tally, uint64_t excluded)
{
	return percent(tally_good(tally) + tally_lost(tally), tally_expected(tally) - excluded);
}

double
tally_worst(const struct tally *tally, uint64_t excluded)
{
	return percent(tally_good(tally), tally_expected(tally) - excluded);
}

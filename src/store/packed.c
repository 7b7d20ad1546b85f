#include "store/packed.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Kinds. 1 to 7: the count of a rate, in that many octets. */
enum {
	UNKNOWN = 0,
	RATE_MOST = 7,
	ZERO = 8,
	WHOLE_1 = 9, /* zigzag, 1, 2 and 4 octets */
	WHOLE_2 = 10,
	WHOLE_4 = 11,
	DECIMAL = 12, /* an octet of digits behind the point, 4 octets zigzag */
	FLOAT = 13,
	DOUBLE = 15,
};
#define DIGITS_MOST 3
#define COUNT_MOST 9e15 /* below 2^53: counts are exact */
static const double powers[DIGITS_MOST + 1] = { 1, 10, 100, 1000 };

uint64_t
packed_zigzag(int64_t number)
{
	return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

int64_t
packed_unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

size_t
packed_put_number(uint8_t *to, uint64_t number)
{
	size_t used = 0;

	for (; number > 0x7f; number >>= 7)
		to[used++] = (uint8_t)(number | 0x80);
	to[used++] = (uint8_t)number;
	return used;
}

size_t
packed_get_number(const uint8_t *from, uint64_t *number)
{
	size_t used = 0;

	*number = 0;
	do
		*number |= (uint64_t)(from[used] & 0x7f) << 7 * used;
	while (from[used++] & 0x80);
	return used;
}

static inline size_t
put_octets(uint8_t *to, uint64_t number, unsigned octets)
{
	number = htole64(number);
	memcpy(to, &number, sizeof number);
	return octets;
}

/* At most 8; reads 8. */
static inline uint64_t
get_octets(const uint8_t *from, unsigned octets)
{
	uint64_t number;

	memcpy(&number, from, sizeof number);
	return le64toh(number) & (UINT64_MAX >> (64 - 8 * octets));
}

static bool
same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

/* The same divisions as core/rate's, so the same bits. */
static double
seconds_of(int64_t span)
{
	return (double)span / 1e9;
}

static double
rate(int64_t count, double seconds)
{
	return (double)count / seconds;
}

/* v as a number with `digits` decimals: true when it is one of at most 4 octets. */
static bool
is_decimal(double v, int digits, int32_t *number)
{
	double scaled = v * powers[digits];

	if (!(fabs(scaled) < 1e9))
		return false;
	*number = (int32_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
	/* Most are far from any: a division is dear. */
	return fabs(scaled - (double)*number) < 1e-3 && same_bits((double)*number / powers[digits], v);
}

/* The count behind a rate; -1 when it is none over that time. */
static int64_t
count_behind(double v, double seconds)
{
	double count = v * seconds;
	int64_t whole;

	if (!(count > 0.5 && count < COUNT_MOST))
		return -1;
	whole = (int64_t)(count + 0.5);
	return same_bits(rate(whole, seconds), v) ? whole : -1;
}

/* ---- kinds ---- */

static uint8_t
kind_of_whole(int32_t number)
{
	uint64_t zigzag = packed_zigzag(number);

	return zigzag < 0x100 ? WHOLE_1 : zigzag < 0x10000 ? WHOLE_2 : WHOLE_4;
}

/* True for most rates at once, by one product for all numbers of digits. Rounding moves a product
 * below 10^12 by less than a ten-thousandth. */
static bool
is_no_decimal(double v)
{
	double scaled = fabs(v) * powers[DIGITS_MOST];

	return !(scaled < 1e12) || fabs(scaled - (double)(int64_t)(scaled + 0.5)) > 2e-3;
}

/* What a value is without regard to the others; DOUBLE when nothing shorter. */
static uint8_t
kind_alone(double v)
{
	int32_t number;

	if (isnan(v))
		return UNKNOWN;
	if (same_bits(v, 0))
		return ZERO;
	if (is_no_decimal(v))
		return fabs(v) < 1e38 && same_bits((double)(float)v, v) ? FLOAT : DOUBLE;
	if (is_decimal(v, 0, &number))
		return kind_of_whole(number);
	if (same_bits((double)(float)v, v))
		return FLOAT;
	for (int digits = 1; digits <= DIGITS_MOST; digits++)
		if (is_decimal(v, digits, &number))
			return DECIMAL;
	return DOUBLE;
}

static unsigned
octets_of(uint64_t number)
{
	return (71 - (unsigned)__builtin_clzll(number | 1)) / 8;
}

/* The exact span, from one value and a span that is nearly right: 0 when it is no rate. The
 * smaller the count, the less exact the span has to be. */
static int64_t
span_behind(double v, int64_t nearly)
{
	double count = v * seconds_of(nearly), span;
	int64_t whole;

	if (!(count > 0.5 && count < COUNT_MOST))
		return 0;
	whole = (int64_t)(count + 0.5);
	span = (double)whole / v * 1e9 + 0.5;
	if (!(span > 0 && span < 1e15))
		return 0;
	return same_bits(rate(whole, seconds_of((int64_t)span)), v) ? (int64_t)span : 0;
}

/* The span that most of the values without a short form have in common. */
static int64_t
common_span(const double *values, const uint8_t *kinds, size_t width, int64_t nearly)
{
	size_t most = 0, tried = 0;
	int64_t best = 0;

	for (size_t i = 0; i < width && tried < 4; i++) {
		int64_t span = kinds[i] == DOUBLE ? span_behind(values[i], nearly) : 0;
		double seconds = seconds_of(span);
		size_t fit = 0, all = 0;

		if (span == 0 || span == best)
			continue;
		tried++;
		for (size_t k = 0; k < width; k++) {
			all += kinds[k] == DOUBLE;
			fit += kinds[k] == DOUBLE && count_behind(values[k], seconds) > 0;
		}
		if (fit > most) {
			most = fit;
			best = span;
		}
		if (fit == all)
			break;
	}
	return best;
}

static size_t
put_alone(uint8_t *to, uint8_t kind, double v)
{
	int32_t number = 0;
	uint64_t bits;
	uint32_t half;
	float narrow;

	switch (kind) {
	case WHOLE_1:
	case WHOLE_2:
	case WHOLE_4:
		is_decimal(v, 0, &number);
		return put_octets(to, packed_zigzag(number), 1u << (kind - WHOLE_1));
	case DECIMAL:
		to[0] = 1;
		while (!is_decimal(v, to[0], &number))
			to[0]++;
		return 1 + put_octets(to + 1, packed_zigzag(number), 4);
	case FLOAT:
		narrow = (float)v;
		memcpy(&half, &narrow, sizeof half);
		return put_octets(to, half, 4);
	case DOUBLE:
		memcpy(&bits, &v, sizeof bits);
		return put_octets(to, bits, 8);
	default:
		return 0;
	}
}

/* A value that has no short form by itself may be a rate: *kind says. */
static size_t
put_value(uint8_t *to, uint8_t *kind, double v, double seconds)
{
	int64_t count = *kind == DOUBLE && seconds > 0 ? count_behind(v, seconds) : -1;

	if (count <= 0)
		return put_alone(to, *kind, v);
	*kind = (uint8_t)octets_of((uint64_t)count);
	return put_octets(to, (uint64_t)count, *kind);
}

size_t
packed_put(uint8_t *to, const double *values, size_t width, int64_t span, int64_t near)
{
	size_t used = (width + 1) / 2;
	/* The end of the room is free until the values come, and they come later than theirs. */
	uint8_t *kinds = to + PACKED_MAX(width) - width;
	double seconds;

	for (size_t i = 0; i < width; i++)
		kinds[i] = kind_alone(values[i]);
	/* Not 0 when at least one value is a rate over it. */
	span = span > 0 ? common_span(values, kinds, width, span) : 0;
	seconds = seconds_of(span);
	if (span > 0)
		used += packed_put_number(to + used, packed_zigzag(span - near));
	memset(to, 0, (width + 1) / 2);
	for (size_t i = 0; i < width; i++) {
		uint8_t kind = kinds[i];

		used += put_value(to + used, &kind, values[i], seconds);
		to[i / 2] |= (uint8_t)(kind << (i % 2 * 4));
	}
	return used;
}

static size_t
get_value(const uint8_t *from, uint8_t kind, double *v, double seconds)
{
	uint64_t bits;
	uint32_t half;
	float narrow;

	*v = (double)NAN;
	if (kind >= 1 && kind <= RATE_MOST) {
		*v = rate((int64_t)get_octets(from, kind), seconds);
		return kind;
	}
	switch (kind) {
	case ZERO:
		*v = 0;
		return 0;
	case WHOLE_1:
	case WHOLE_2:
	case WHOLE_4:
		*v = (double)packed_unzigzag(get_octets(from, 1u << (kind - WHOLE_1)));
		return (size_t)1 << (kind - WHOLE_1);
	case DECIMAL:
		*v = (double)packed_unzigzag(get_octets(from + 1, 4)) / powers[from[0]];
		return 5;
	case FLOAT:
		half = (uint32_t)get_octets(from, 4);
		memcpy(&narrow, &half, sizeof narrow);
		*v = (double)narrow;
		return 4;
	case DOUBLE:
		bits = get_octets(from, 8);
		memcpy(v, &bits, sizeof bits);
		return 8;
	default:
		return 0;
	}
}

size_t
packed_get(const uint8_t *from, double *values, size_t width, int64_t near)
{
	size_t used = (width + 1) / 2;
	double seconds = 0;

	for (size_t i = 0; i < width; i++) {
		uint8_t kind = from[i / 2] >> (i % 2 * 4) & 15;
		uint64_t number;

		if (kind >= 1 && kind <= RATE_MOST) {
			used += packed_get_number(from + used, &number);
			seconds = seconds_of(near + packed_unzigzag(number));
			break;
		}
	}
	for (size_t i = 0; i < width; i++)
		used += get_value(from + used, from[i / 2] >> (i % 2 * 4) & 15, &values[i],
			seconds);
	return used;
}

/* packed.h - the values of one row in few octets, bit for bit: what pending.h keeps by the
 * million. Pure.
 *
 * A rate is a whole count by the nanoseconds between two answers (core/rate.h), and all the
 * rates of a row mostly have these nanoseconds in common: so they are kept once, and of each
 * value the count. Gauges are mostly whole numbers, few decimals, or came as 32-bit floats.
 * What is none of these takes its 8 octets; each short form is taken only when it gives back
 * the very same bits.
 *
 * Form: half an octet of kind for each value (low half first), the nanoseconds (zigzag varint
 * of the difference to `near`) when a value is a rate, then the values, little-endian. */
#ifndef PW_PACKED_H
#define PW_PACKED_H

#include <stddef.h>
#include <stdint.h>

/* Most that a row can take, with a word behind it: octets are put and read by words. */
#define PACKED_MAX(width) (((width) + 1) / 2 + 10 + 8 * (width) + 8)

/* span: ns between this row's answer and the former one, as far as known; 0 = not at all. It
 * need not be exact. near: what a span is usually near to. Returns the octets put. */
size_t packed_put(uint8_t *to, const double *values, size_t width, int64_t span, int64_t near);
/* Reads what packed_put wrote, and up to a word behind it; the octets taken. NaN for unknown. */
size_t packed_get(const uint8_t *from, double *values, size_t width, int64_t near);

/* Unsigned LEB128; at most 10 octets. */
size_t packed_put_number(uint8_t *to, uint64_t number);
size_t packed_get_number(const uint8_t *from, uint64_t *number);
uint64_t packed_zigzag(int64_t number);
int64_t packed_unzigzag(uint64_t number);
#endif

/* oid.h - object identifiers: comparing them; text is in snmp.h. Pure. */
#ifndef PW_OID_H
#define PW_OID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Lexicographic, the order in which agents walk: below, equal to or above 0. */
int oid_compare(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count);
bool oid_starts_with(const uint32_t *ids, size_t count, const uint32_t *prefix,
	size_t prefix_count);
/* How many arcs both begin with. */
static inline size_t
oid_same(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
	size_t common = a_count < b_count ? a_count : b_count, same = 0;
	uint64_t two, other;

	/* What two of one table's column agree in, mostly: memcmp of 32 octets is a few loads. */
	if (common >= 8 && memcmp(a, b, 8 * sizeof *a) == 0)
		same = 8;
	for (; same + 2 <= common; same += 2) {
		memcpy(&two, a + same, sizeof two);
		memcpy(&other, b + same, sizeof other);
		if (two != other)
			break;
	}
	while (same < common && a[same] == b[same])
		same++;
	return same;
}
static inline bool
oid_equal(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
	return a_count == b_count && oid_same(a, a_count, b, b_count) == a_count;
}
/* From the contents in BER, which are sound; returns the number of arcs, SNMP_OID_MAX at most. */
size_t oid_from_wire(uint32_t *ids, const uint8_t *bytes, size_t size);
/* The octets of arcs behind the second one, or 0 when they are more than `room`. */
size_t oid_tail_to_wire(uint8_t *bytes, size_t room, const uint32_t *ids, size_t count);

/* Does each of these eight arcs take one octet? */
static inline bool
oid_eight_short(const uint32_t *ids)
{
	uint32_t all = 0;

	for (int i = 0; i < 8; i++)
		all |= ids[i];
	return all < 0x80;
}
/* Whatever arcs they are; see below. */
size_t oid_wire_size_any(const uint32_t *ids, size_t count);
/* Bytes of the contents in BER, without tag and length. Asked for each object of each poll:
 * mostly 10 to 18 arcs of one octet each, the first two in one. Those in the middle are looked
 * at twice. */
static inline size_t
oid_wire_size(const uint32_t *ids, size_t count)
{
	if (count >= 10 && count <= 18 && oid_eight_short(ids + 2) &&
		oid_eight_short(ids + count - 8))
		return count - 1;
	return oid_wire_size_any(ids, count);
}
#endif

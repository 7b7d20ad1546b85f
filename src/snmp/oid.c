#include "snmp/oid.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "snmp/snmp.h"

/* One arc at *at; false when there is none or it does not fit 32 bits. */
static bool
read_arc(const char **at, uint32_t *arc)
{
	const char *p = *at;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*at = p;
	*arc = (uint32_t)value;
	return true;
}

int
snmp_oid_parse(const char *text, uint32_t *ids, size_t *count, struct fail *why)
{
	const char *at = *text == '.' ? text + 1 : text;
	size_t n = 0;

	for (;;) {
		if (n == SNMP_OID_MAX) {
			fail_set(why, "OID \"%s\": more than %d numbers", text, SNMP_OID_MAX);
			return -1;
		}
		if (!read_arc(&at, &ids[n])) {
			fail_set(why, "OID \"%s\": expected numbers with dots between, "
				"like 1.3.6.1.2.1.1.3.0", text);
			return -1;
		}
		n++;
		if (*at == '\0')
			break;
		if (*at++ != '.') {
			fail_set(why, "OID \"%s\": expected numbers with dots between, "
				"like 1.3.6.1.2.1.1.3.0", text);
			return -1;
		}
	}
	/* BER joins the first two arcs in one: X.690 8.19.4. */
	if (n < 2 || ids[0] > 2 || (ids[0] < 2 && ids[1] > 39)) {
		fail_set(why, "OID \"%s\": does not begin like an OID (1.3..., 0.0 to 2.x)", text);
		return -1;
	}
	*count = n;
	return 0;
}

const char *
snmp_oid_text(char *to, size_t size, const uint32_t *ids, size_t count)
{
	size_t used = 0;

	if (size > 0)
		to[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		int n = snprintf(to + used, size - used, i == 0 ? "%u" : ".%u", ids[i]);

		if (n < 0)
			break;
		used += (size_t)n;
	}
	return to;
}

int
oid_compare(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
	size_t common = a_count < b_count ? a_count : b_count;

	for (size_t i = 0; i < common; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_count < b_count ? -1 : a_count > b_count;
}

bool
oid_starts_with(const uint32_t *ids, size_t count, const uint32_t *prefix, size_t prefix_count)
{
	return count >= prefix_count && memcmp(ids, prefix, prefix_count * sizeof *ids) == 0;
}

static unsigned
arc_size(uint32_t arc)
{
	return arc < 1u << 7 ? 1 : arc < 1u << 14 ? 2 : arc < 1u << 21 ? 3 : arc < 1u << 28 ? 4 : 5;
}

size_t
oid_from_wire(uint32_t *ids, const uint8_t *bytes, size_t size)
{
	size_t count = 1;

	ids[1] = 0;
	for (size_t i = 0; i < size && count < SNMP_OID_MAX; i++) {
		ids[count] = ids[count] << 7 | (bytes[i] & 0x7f);
		if (bytes[i] < 0x80 && ++count < SNMP_OID_MAX)
			ids[count] = 0;
	}
	/* The first number holds two arcs: X.690 8.19.4. */
	ids[0] = ids[1] < 40 ? 0 : ids[1] < 80 ? 1 : 2;
	ids[1] -= ids[0] * 40;
	return count;
}

size_t
oid_tail_to_wire(uint8_t *bytes, size_t room, const uint32_t *ids, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned octets = arc_size(ids[i]);

		if (size + octets > room)
			return 0;
		for (unsigned k = octets; k > 0; k--)
			bytes[size++] = (uint8_t)((ids[i] >> 7 * (k - 1) & 0x7f) |
				(k > 1 ? 0x80 : 0));
	}
	return size;
}

size_t
oid_wire_size_any(const uint32_t *ids, size_t count)
{
	size_t size = 1;

	for (size_t i = 2; i < count; i++)
		size += arc_size(ids[i]);
	return size;
}

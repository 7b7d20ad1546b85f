/* ber_out.h - the elements of BER, written from the end to the front: lengths are known when
 * they are due; for fast.c and seal.c. Lengths and numbers are the shortest possible. X.690. */
#ifndef PW_BER_OUT_H
#define PW_BER_OUT_H

#include <stdint.h>
#include <string.h>

#include "snmp/ber_in.h"
#include "snmp/snmp.h"

/* What is free lies before `at`; at is NULL once something did not fit. */
struct pen {
	uint8_t *begin, *at;
};

static inline void
put_byte(struct pen *pen, uint8_t byte)
{
	if (pen->at == NULL || pen->at == pen->begin) {
		pen->at = NULL;
		return;
	}
	*--pen->at = byte;
}

static inline void
put_bytes(struct pen *pen, const void *bytes, size_t size)
{
	if (pen->at == NULL || (size_t)(pen->at - pen->begin) < size) {
		pen->at = NULL;
		return;
	}
	pen->at -= size;
	if (size > 0)
		memcpy(pen->at, bytes, size);
}

/* Tag and length of all that was written since the pen stood at `end`. */
static inline void
put_head(struct pen *pen, const uint8_t *end, uint8_t tag)
{
	size_t size = pen->at == NULL ? 0 : (size_t)(end - pen->at);
	unsigned octets = 0;

	for (size_t rest = size; size > 0x7f && rest > 0; rest >>= 8, octets++)
		put_byte(pen, (uint8_t)rest);
	put_byte(pen, octets > 0 ? (uint8_t)(0x80 | octets) : (uint8_t)size);
	put_byte(pen, tag);
}

/* The shortest two's complement, X.690 section 8.3. */
static inline void
put_integer(struct pen *pen, int32_t number)
{
	const uint8_t *end = pen->at;
	int32_t rest = number;
	uint8_t octet;

	do {
		octet = (uint8_t)rest;
		put_byte(pen, octet);
		rest = (int32_t)(rest >> 8);
	} while (!(rest == 0 && octet < 0x80) && !(rest == -1 && octet >= 0x80));
	put_head(pen, end, TAG_INTEGER);
}

static inline void
put_arc(struct pen *pen, uint64_t arc)
{
	put_byte(pen, arc & 0x7f);
	while ((arc >>= 7) > 0)
		put_byte(pen, (uint8_t)(0x80 | (arc & 0x7f)));
}

/* The first two arcs share a number, X.690 section 8.19.4. Most others take one octet. */
static inline void
put_name(struct pen *pen, const struct snmp_oid *oid)
{
	const uint8_t *end = pen->at, *begin = pen->begin;
	uint8_t *at = pen->at;

	for (size_t i = oid->count; i > 2; i--) {
		if (oid->ids[i - 1] < 0x80 && at > begin) {
			*--at = (uint8_t)oid->ids[i - 1];
			continue;
		}
		pen->at = at;
		put_arc(pen, oid->ids[i - 1]);
		at = pen->at;
	}
	pen->at = at;
	put_arc(pen, (oid->count > 0 ? UINT64_C(40) * oid->ids[0] : 0) +
		(oid->count > 1 ? oid->ids[1] : 0));
	put_head(pen, end, TAG_OID);
}

static inline void
put_octets(struct pen *pen, const void *octets, size_t size)
{
	const uint8_t *end = pen->at;

	put_bytes(pen, octets, size);
	put_head(pen, end, TAG_OCTETS);
}
#endif

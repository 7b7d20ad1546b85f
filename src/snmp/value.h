/* value.h - what an agent said, and what that means for a point. Pure.
 *
 * Locale plays no part: "19,8" and "19.8 dBm" are the same number everywhere. */
#ifndef PW_VALUE_H
#define PW_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct point;
struct reading;

enum value_type {
	VALUE_NONE, /* nothing was said */
	VALUE_INTEGER,
	VALUE_GAUGE, /* Gauge32, Unsigned32 */
	VALUE_COUNTER32,
	VALUE_COUNTER64,
	VALUE_TICKS,
	VALUE_REAL, /* Opaque float or double */
	VALUE_OCTETS,
	VALUE_OID,
	VALUE_ADDRESS,
	VALUE_OPAQUE,
	VALUE_NULL,
	VALUE_NO_SUCH_OBJECT,
	VALUE_NO_SUCH_INSTANCE,
	VALUE_END_OF_VIEW,
};

/* Does not own what it points to. Small: a table's answer brings hundreds. */
struct value {
	enum value_type type;
	uint32_t size; /* of octets, of ids */
	union {
		int64_t integer; /* INTEGER */
		uint64_t count;  /* the unsigned ones */
		double real;
		const uint8_t *octets; /* OCTETS, ADDRESS, OPAQUE: size bytes */
		const uint32_t *ids;   /* OID: size arcs */
	};
};
struct varbind {
	const uint32_t *ids; /* count arcs; NULL where only the name was wanted, see fast.h */
	const uint8_t *name; /* the same as BER's contents; NULL where the engine keeps none, */
	size_t count;
	uint32_t name_size;  /* 0 then */
	struct value value;
};

const char *value_type_word(enum value_type type); /* "Counter64", "OCTET STRING" */
/* The agent has the object: not NULL and none of the three exceptions. */
static inline bool
value_type_is_there(enum value_type type)
{
	return type > VALUE_NONE && type < VALUE_NULL;
}
bool value_is_there(const struct value *value);
/* One printable line: control characters become blanks, blanks and NULs at the ends go,
 * text that is no UTF-8 is taken for ISO 8859-1, what is neither becomes '?'. Octets without any readable text become hex
 * ("00:1d:9c:.."). Cut at whole characters. */
const char *value_text(char *to, size_t size, const struct value *value);
/* Fills what `reading` says of the value (reason, bits, raw, number, text); row, point and
 * times are the caller's. scale comes before the point's own. text lies in `line`. The
 * reason is returned too. */
uint8_t value_read(const struct value *value, const struct point *point, double scale,
	struct reading *reading, char *line, size_t line_size);

/* The number that a text begins with ("19,8", "-5.7 dBm", "10.00 %"); false for "--"
 * and "1 234". */
bool value_number(const uint8_t *text, size_t size, double *number);
#endif

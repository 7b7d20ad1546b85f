/* point.h - one thing worth asking a device for, as configured. Immutable; lives in the
 * inventory. How it is asked for on the wire is the driver's: `wire`. */
#ifndef PW_POINT_H
#define PW_POINT_H

#include <stddef.h>
#include <stdint.h>

enum point_kind { POINT_GAUGE, POINT_COUNTER, POINT_STATE, POINT_TEXT };

struct point_state {
	int64_t value;
	const char *word;
};

struct point {
	const char *name;
	const char *unit; /* of the stored value: "C", "B/s"; "" when none */
	const char *text; /* free text of the operator, "" when none */
	enum point_kind kind;
	double scale, offset; /* value = raw x scale + offset; 1 and 0 by default */
	const struct point_state *states; /* enumeration words, any kind but text */
	size_t state_count;
	const void *wire; /* struct snmp_point, struct modbus_point, ...; NULL for device points */
};

const char *point_kind_word(enum point_kind kind); /* gauge counter state text */
int point_kind_parse(const char *word);
#endif

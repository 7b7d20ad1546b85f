/* snmp_mib.h - the objects of a simulated agent and the formulas of their values.
 *
 * Every agent shows the same objects; its rows, times and overrides are its own. All
 * counters are formulas of time (see mib_explain), so a test computes what was served. */
#ifndef SIM_SNMP_MIB_H
#define SIM_SNMP_MIB_H

#include "snmp_ber.h"

#include <stdio.h>

/* One interface. number names it for life (ge-1/NUMBER and the rates); index may change. */
struct row {
	uint32_t index, number;
	uint8_t admin, oper;
	int64_t since;        /* wall ns at which its counters were 0 */
	uint32_t last_change; /* TimeTicks */
	uint32_t discontinuity;
};

/* An INTEGER-like object that a control line has pinned to a value. */
struct override {
	uint32_t oid[OID_MAX];
	size_t length;
	int64_t number;
	struct override *next;
};

struct rates {
	double base;   /* octets per second: in = base x (number + 1) + agent - 1 */
	double wave;   /* share of the rate that swings, 0 to 1 */
	double period; /* of the swing, seconds */
};

/* The part of an agent that the objects depend on. */
struct mib {
	unsigned agent; /* from 1 */
	const struct rates *rates;
	int64_t boot; /* wall ns of sysUpTime 0 */
	int64_t origin; /* wall ns at which the swing starts */
	struct row *rows; /* by index, ascending */
	size_t row_count;
	struct override *overrides;
	bool endless; /* interface columns never end in a walk */
};

/* A place in the tree: an object and one of its instances. */
struct place {
	int object;
	size_t row;
	uint32_t index; /* 0 for scalars */
};

void mib_begin(struct mib *m, unsigned agent, const struct rates *rates, size_t rows,
	uint32_t step, int64_t epoch);
void mib_end(struct mib *m);

/* The instance with exactly this OID; *object tells whether at least the object is known. */
bool mib_find(const struct mib *m, const uint32_t *oid, size_t length, struct place *p,
	bool *object);
/* The first instance after this OID, or after this place. v1 never sees a Counter64. */
bool mib_after(const struct mib *m, const uint32_t *oid, size_t length, bool v1,
	struct place *p);
bool mib_step(const struct mib *m, bool v1, struct place *p);

uint8_t mib_type(const struct place *p);
void mib_value(const struct mib *m, const struct place *p, int64_t now, struct value *v);
/* The OID of a place in BER; to has room for OID_MAX x 5 bytes. */
size_t mib_oid(const struct place *p, uint8_t *to);

/* What happens to a switch. Rows are named by their number; false when there is none. */
struct row *mib_row(struct mib *m, uint32_t number);
void mib_reboot(struct mib *m, int64_t now);
void mib_reset(struct mib *m, int64_t now, bool quiet); /* quiet: no discontinuity time */
void mib_renumber(struct mib *m, uint32_t shift);       /* every index moves by shift */
void mib_rotate(struct mib *m); /* same indexes, each names the next interface */
bool mib_remove(struct mib *m, uint32_t number);
bool mib_add(struct mib *m, uint32_t number, uint32_t index, int64_t now);
bool mib_oper(struct mib *m, uint32_t number, int status, int64_t now);
bool mib_set(struct mib *m, const char *oid, int64_t number);

void mib_explain(FILE *to, const struct rates *rates);
#endif

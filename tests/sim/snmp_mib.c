#include "snmp_mib.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum table { SCALAR, INTERFACES, STORAGE, PROCESSORS, UPS_LINES };

/* What an object shows; CONST takes the number or text beside it. */
enum meaning {
	CONST, TEXT, NAME_AGENT, UPTIME, ROW_COUNT, INDEX, DESCR, NAME, ALIAS, PHYS, ADMIN,
	OPER, LAST_CHANGE, IN, OUT, DISCONTINUITY, STORAGE_DESCR, STORAGE_USED, LOAD
};

struct object {
	uint32_t oid[16]; /* without the instance */
	size_t length;
	enum table table;
	uint8_t type;
	enum meaning meaning;
	int64_t number; /* CONST: the value; IN and OUT: octets per count */
	const char *text;
	uint8_t ber[48];
	size_t ber_length;
};

#define MIB2 1, 3, 6, 1, 2, 1
#define O(table, type, meaning, number, text, ...)                                     \
	{ { __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), table,  \
		type, meaning, number, text, { 0 }, 0 }
#define SYS(n, type, meaning, number, text) O(SCALAR, type, meaning, number, text, MIB2, 1, n)
#define IFE(n, type, meaning, number) O(INTERFACES, type, meaning, number, NULL, MIB2, 2, 2, 1, n)
#define IFX(n, type, meaning, number) \
	O(INTERFACES, type, meaning, number, NULL, MIB2, 31, 1, 1, 1, n)
#define HOST(type, meaning, number, ...) \
	O(SCALAR, type, meaning, number, NULL, MIB2, 25, __VA_ARGS__)
#define UPS(type, number, text, ...) \
	O(SCALAR, type, (text) == NULL ? CONST : TEXT, number, text, MIB2, 33, 1, __VA_ARGS__)
#define LINE(number, ...) \
	O(UPS_LINES, BER_INTEGER, CONST, number, NULL, MIB2, 33, 1, __VA_ARGS__)

/* Ascending. Octets per packet and per error are part of the documented formulas. */
static struct object objects[] = {
	SYS(1, BER_OCTETS, TEXT, 0, "pollwerk SNMP simulator, managed switch"),
	SYS(2, BER_OID, TEXT, 0, "\x2b\x06\x01\x04\x01\x81\xfd\x59\x63\x01"),
	SYS(3, BER_TIMETICKS, UPTIME, 0, NULL),
	SYS(4, BER_OCTETS, TEXT, 0, "plant network"),
	SYS(5, BER_OCTETS, NAME_AGENT, 0, NULL),
	SYS(6, BER_OCTETS, TEXT, 0, "hall 3, cabinet 7"),
	SYS(7, BER_INTEGER, CONST, 2, NULL),
	O(SCALAR, BER_INTEGER, ROW_COUNT, 0, NULL, MIB2, 2, 1),
	IFE(1, BER_INTEGER, INDEX, 0),
	IFE(2, BER_OCTETS, DESCR, 0),
	IFE(3, BER_INTEGER, CONST, 6),
	IFE(4, BER_INTEGER, CONST, 1500),
	IFE(5, BER_GAUGE32, CONST, 1000000000),
	IFE(6, BER_OCTETS, PHYS, 0),
	IFE(7, BER_INTEGER, ADMIN, 0),
	IFE(8, BER_INTEGER, OPER, 0),
	IFE(9, BER_TIMETICKS, LAST_CHANGE, 0),
	IFE(10, BER_COUNTER32, IN, 1),
	IFE(11, BER_COUNTER32, IN, 500),
	IFE(13, BER_COUNTER32, IN, 500000),
	IFE(14, BER_COUNTER32, IN, 1000000),
	IFE(16, BER_COUNTER32, OUT, 1),
	IFE(17, BER_COUNTER32, OUT, 500),
	IFE(19, BER_COUNTER32, OUT, 500000),
	IFE(20, BER_COUNTER32, OUT, 1000000),
	HOST(BER_TIMETICKS, UPTIME, 0, 1, 1),
	HOST(BER_GAUGE32, CONST, 1, 1, 5),
	HOST(BER_GAUGE32, CONST, 97, 1, 6),
	HOST(BER_INTEGER, CONST, 4194304, 2, 2),
	O(STORAGE, BER_INTEGER, INDEX, 0, NULL, MIB2, 25, 2, 3, 1, 1),
	O(STORAGE, BER_OID, TEXT, 0, "\x2b\x06\x01\x02\x01\x19\x02\x01\x04", MIB2, 25, 2, 3, 1, 2),
	O(STORAGE, BER_OCTETS, STORAGE_DESCR, 0, NULL, MIB2, 25, 2, 3, 1, 3),
	O(STORAGE, BER_INTEGER, CONST, 4096, NULL, MIB2, 25, 2, 3, 1, 4),
	O(STORAGE, BER_INTEGER, CONST, 1000000, NULL, MIB2, 25, 2, 3, 1, 5),
	O(STORAGE, BER_INTEGER, STORAGE_USED, 0, NULL, MIB2, 25, 2, 3, 1, 6),
	O(PROCESSORS, BER_INTEGER, LOAD, 0, NULL, MIB2, 25, 3, 3, 1, 2),
	IFX(1, BER_OCTETS, NAME, 0),
	IFX(2, BER_COUNTER32, IN, 5000),
	IFX(3, BER_COUNTER32, IN, 10000),
	IFX(4, BER_COUNTER32, OUT, 5000),
	IFX(5, BER_COUNTER32, OUT, 10000),
	IFX(6, BER_COUNTER64, IN, 1),
	IFX(7, BER_COUNTER64, IN, 500),
	IFX(8, BER_COUNTER64, IN, 5000),
	IFX(9, BER_COUNTER64, IN, 10000),
	IFX(10, BER_COUNTER64, OUT, 1),
	IFX(11, BER_COUNTER64, OUT, 500),
	IFX(12, BER_COUNTER64, OUT, 5000),
	IFX(13, BER_COUNTER64, OUT, 10000),
	IFX(14, BER_INTEGER, CONST, 1),
	IFX(15, BER_GAUGE32, CONST, 1000),
	IFX(16, BER_INTEGER, CONST, 2),
	IFX(17, BER_INTEGER, CONST, 1),
	IFX(18, BER_OCTETS, ALIAS, 0),
	IFX(19, BER_TIMETICKS, DISCONTINUITY, 0),
	UPS(BER_OCTETS, 0, "pollwerk", 1, 1),
	UPS(BER_OCTETS, 0, "UPS simulator 3000", 1, 2),
	UPS(BER_OCTETS, 0, "1.0", 1, 3),
	UPS(BER_OCTETS, 0, "1.0", 1, 4),
	UPS(BER_OCTETS, 0, "ups-hall3", 1, 5),
	UPS(BER_INTEGER, 2, NULL, 2, 1),   /* upsBatteryStatus: batteryNormal */
	UPS(BER_INTEGER, 0, NULL, 2, 2),   /* seconds on battery */
	UPS(BER_INTEGER, 42, NULL, 2, 3),  /* minutes remaining */
	UPS(BER_INTEGER, 100, NULL, 2, 4), /* charge, percent */
	UPS(BER_INTEGER, 546, NULL, 2, 5), /* 0.1 V */
	UPS(BER_INTEGER, 3, NULL, 2, 6),   /* 0.1 A */
	UPS(BER_INTEGER, 24, NULL, 2, 7),  /* degrees C */
	UPS(BER_COUNTER32, 1, NULL, 3, 1),
	UPS(BER_INTEGER, 1, NULL, 3, 2),
	LINE(500, 3, 3, 1, 2), /* 0.1 Hz */
	LINE(231, 3, 3, 1, 3), /* V */
	LINE(48, 3, 3, 1, 4),  /* 0.1 A */
	LINE(1050, 3, 3, 1, 5),
	UPS(BER_INTEGER, 3, NULL, 4, 1), /* upsOutputSource: normal */
	UPS(BER_INTEGER, 500, NULL, 4, 2),
	UPS(BER_INTEGER, 1, NULL, 4, 3),
	LINE(230, 4, 4, 1, 2),
	LINE(45, 4, 4, 1, 3),
	LINE(1000, 4, 4, 1, 4),
	LINE(37, 4, 4, 1, 5),
	UPS(BER_GAUGE32, 0, NULL, 6, 1), /* alarms present */
};

#define OBJECTS ((int)(sizeof objects / sizeof *objects))

static void
encode_prefixes(void)
{
	for (int i = 0; i < OBJECTS && objects[i].ber_length == 0; i++) {
		objects[i].ber_length =
			ber_oid_write(objects[i].oid, objects[i].length, objects[i].ber);
		if (i > 0 && memcmp(objects[i - 1].ber, objects[i].ber, 48) >= 0)
			sim_die("simulator: object %d is out of order", i);
	}
}

static void
row_fill(struct row *row, uint32_t number, uint32_t index, int64_t since)
{
	*row = (struct row){ .index = index, .number = number, .admin = 1, .oper = 1,
		.since = since };
}

void
mib_begin(struct mib *m, unsigned agent, const struct rates *rates, size_t rows,
	uint32_t step, int64_t epoch)
{
	encode_prefixes();
	*m = (struct mib){ .agent = agent, .rates = rates, .boot = epoch, .origin = epoch };
	m->rows = sim_zero(rows, sizeof *m->rows);
	m->row_count = rows;
	for (size_t i = 0; i < rows; i++)
		row_fill(&m->rows[i], (uint32_t)i + 1, (uint32_t)(i + 1) * step, epoch);
}

void
mib_end(struct mib *m)
{
	struct override *next;

	for (struct override *o = m->overrides; o != NULL; o = next) {
		next = o->next;
		free(o);
	}
	free(m->rows);
}

static size_t
table_size(const struct mib *m, enum table table)
{
	switch (table) {
	case INTERFACES:
		return m->row_count;
	case STORAGE:
	case PROCESSORS:
		return 2;
	default:
		return 1;
	}
}

static uint32_t
table_index(const struct mib *m, enum table table, size_t row)
{
	return table == INTERFACES ? m->rows[row].index : table == SCALAR ? 0 : (uint32_t)row + 1;
}

/* The first row whose index is at least this; may be one past the end. */
static size_t
row_from(const struct mib *m, enum table table, uint64_t index)
{
	size_t low = 0, high = table_size(m, table);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table_index(m, table, middle) < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
compare(const uint32_t *a, size_t a_length, const uint32_t *b, size_t b_length)
{
	for (size_t i = 0; i < a_length && i < b_length; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_length < b_length ? -1 : a_length > b_length;
}

/* The last object that is not after this OID, or -1. */
static int
object_at(const uint32_t *oid, size_t length)
{
	int low = 0, high = OBJECTS;

	while (low < high) {
		int middle = (low + high) / 2;

		if (compare(objects[middle].oid, objects[middle].length, oid, length) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

static bool
below(const struct object *o, const uint32_t *oid, size_t length)
{
	return length >= o->length && memcmp(oid, o->oid, o->length * sizeof *oid) == 0;
}

bool
mib_find(const struct mib *m, const uint32_t *oid, size_t length, struct place *p, bool *object)
{
	int i = object_at(oid, length);
	const struct object *o = &objects[i < 0 ? 0 : i];

	*object = i >= 0 && below(o, oid, length);
	if (!*object || length != o->length + 1)
		return false;
	p->object = i;
	p->index = oid[o->length];
	p->row = row_from(m, o->table, p->index);
	return p->row < table_size(m, o->table) &&
		table_index(m, o->table, p->row) == p->index;
}

/* Goes to this row, or on to the next objects when it is past the end. */
static bool
settle(const struct mib *m, bool v1, struct place *p)
{
	for (; p->object < OBJECTS; p->object++, p->row = 0) {
		const struct object *o = &objects[p->object];

		if ((v1 && o->type == BER_COUNTER64) || p->row >= table_size(m, o->table))
			continue;
		p->index = table_index(m, o->table, p->row);
		return true;
	}
	return false;
}

static bool
goes_on(const struct mib *m, const struct place *p)
{
	return m->endless && objects[p->object].table == INTERFACES && m->row_count > 0;
}

bool
mib_after(const struct mib *m, const uint32_t *oid, size_t length, bool v1, struct place *p)
{
	int i = object_at(oid, length);
	const struct object *o;

	p->object = i < 0 ? 0 : i;
	p->row = 0;
	o = &objects[p->object];
	if (i >= 0 && below(o, oid, length) && length > o->length) {
		p->row = row_from(m, o->table, (uint64_t)oid[o->length] + 1);
		p->index = oid[o->length];
		if (p->row == table_size(m, o->table) && goes_on(m, p)) {
			p->index++;
			return true;
		}
	} else if (i >= 0 && !below(o, oid, length)) {
		p->object++;
	}
	return settle(m, v1, p);
}

bool
mib_step(const struct mib *m, bool v1, struct place *p)
{
	if (p->row < table_size(m, objects[p->object].table))
		p->row++;
	if (p->row >= table_size(m, objects[p->object].table) && goes_on(m, p)) {
		p->index++;
		return true;
	}
	return settle(m, v1, p);
}

uint8_t
mib_type(const struct place *p)
{
	return objects[p->object].type;
}

size_t
mib_oid(const struct place *p, uint8_t *to)
{
	const struct object *o = &objects[p->object];

	memcpy(to, o->ber, o->ber_length);
	return o->ber_length + ber_sub_write(p->index, to + o->ber_length);
}

/* floor(rate x t), exact in integers; the swing adds its integral in floating point. */
static uint64_t
octets(const struct mib *m, const struct row *row, bool out, int64_t now)
{
	const struct rates *r = m->rates;
	double rate = r->base * (out ? 2 : 1) * (row->number + 1) + m->agent - 1;
	int64_t age = now > row->since ? now - row->since : 0;
	double w;

	if (r->wave == 0)
		return (uint64_t)((unsigned __int128)(uint64_t)rate * (uint64_t)age /
			(uint64_t)SIM_S);
	w = 2 * M_PI / r->period;
	return (uint64_t)(rate * ((double)age / 1e9 +
		r->wave / w * (cos(w * (double)(row->since - m->origin) / 1e9) -
			cos(w * (double)(row->since - m->origin + age) / 1e9))));
}

static uint32_t
ticks(int64_t from, int64_t now)
{
	return now > from ? (uint32_t)((now - from) / (SIM_S / 100)) : 0;
}

static void
text(struct value *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
text(struct value *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	v->length = (size_t)vsnprintf((char *)v->bytes, sizeof v->bytes, format, args);
	va_end(args);
}

static void
interface_value(const struct mib *m, const struct object *o, const struct row *row,
	int64_t now, struct value *v)
{
	switch (o->meaning) {
	case DESCR:
		text(v, "Port %u", row->number);
		break;
	case NAME:
		text(v, "ge-1/%u", row->number);
		break;
	case ALIAS:
		text(v, "to press-%u", row->number);
		break;
	case PHYS:
		memcpy(v->bytes, (uint8_t[]){ 2, 0, (uint8_t)(m->agent >> 8), (uint8_t)m->agent,
			(uint8_t)(row->number >> 8), (uint8_t)row->number }, 6);
		v->length = 6;
		break;
	case ADMIN:
		v->number = row->admin;
		break;
	case OPER:
		v->number = row->oper;
		break;
	case LAST_CHANGE:
		v->number = row->last_change;
		break;
	case DISCONTINUITY:
		v->number = row->discontinuity;
		break;
	default:
		v->number = octets(m, row, o->meaning == OUT, now) / (uint64_t)o->number;
		if (o->type == BER_COUNTER32)
			v->number &= UINT32_MAX;
	}
}

static double
swing(int64_t now, const struct mib *m, double seconds)
{
	return sin(2 * M_PI * (double)(now - m->origin) / 1e9 / seconds);
}

static void
fixed_value(const struct mib *m, const struct object *o, const struct place *p, int64_t now,
	struct value *v)
{
	switch (o->meaning) {
	case TEXT:
		text(v, "%s", o->text);
		break;
	case NAME_AGENT:
		text(v, "sim-%u", m->agent);
		break;
	case UPTIME:
		v->number = ticks(m->boot, now);
		break;
	case ROW_COUNT:
		v->number = m->row_count;
		break;
	case INDEX:
		v->number = p->index;
		break;
	case STORAGE_DESCR:
		text(v, "%s", p->index == 1 ? "/" : "/var");
		break;
	case STORAGE_USED:
		v->number = p->index == 1 ? 250000 : 500000;
		break;
	case LOAD:
		v->number = (uint64_t)(40 + 20 * swing(now, m, 60 * p->index));
		break;
	default:
		v->number = (uint64_t)o->number;
	}
}

static const struct override *
overridden(const struct mib *m, const struct place *p)
{
	const struct object *o = &objects[p->object];

	for (const struct override *i = m->overrides; i != NULL; i = i->next)
		if (i->length == o->length + 1 && i->oid[o->length] == p->index &&
			below(o, i->oid, i->length))
			return i;
	return NULL;
}

void
mib_value(const struct mib *m, const struct place *p, int64_t now, struct value *v)
{
	const struct object *o = &objects[p->object];
	const struct override *pinned = m->overrides == NULL ? NULL : overridden(m, p);

	v->type = o->type;
	v->number = 0;
	v->length = 0;
	if (pinned != NULL)
		v->number = (uint64_t)pinned->number;
	else if (o->table == INTERFACES && o->meaning != INDEX && o->meaning != CONST)
		interface_value(m, o, &m->rows[p->row < m->row_count ? p->row : 0], now, v);
	else
		fixed_value(m, o, p, now, v);
}

struct row *
mib_row(struct mib *m, uint32_t number)
{
	for (size_t i = 0; i < m->row_count; i++)
		if (m->rows[i].number == number)
			return &m->rows[i];
	return NULL;
}

void
mib_reboot(struct mib *m, int64_t now)
{
	m->boot = now;
	for (size_t i = 0; i < m->row_count; i++) {
		m->rows[i].since = now;
		m->rows[i].last_change = m->rows[i].discontinuity = 0;
	}
}

void
mib_reset(struct mib *m, int64_t now, bool quiet)
{
	for (size_t i = 0; i < m->row_count; i++) {
		m->rows[i].since = now;
		if (!quiet)
			m->rows[i].discontinuity = ticks(m->boot, now);
	}
}

void
mib_renumber(struct mib *m, uint32_t shift)
{
	for (size_t i = 0; i < m->row_count; i++)
		m->rows[i].index += shift;
}

void
mib_rotate(struct mib *m)
{
	struct row first;

	if (m->row_count < 2)
		return;
	first = m->rows[0];
	for (size_t i = 0; i < m->row_count; i++) {
		uint32_t index = m->rows[i].index;

		m->rows[i] = i + 1 < m->row_count ? m->rows[i + 1] : first;
		m->rows[i].index = index;
	}
}

bool
mib_remove(struct mib *m, uint32_t number)
{
	struct row *row = mib_row(m, number);

	if (row == NULL)
		return false;
	m->row_count--;
	memmove(row, row + 1, (size_t)(m->rows + m->row_count - row) * sizeof *row);
	return true;
}

bool
mib_add(struct mib *m, uint32_t number, uint32_t index, int64_t now)
{
	size_t at = row_from(m, INTERFACES, index);

	if (number == 0 || index == 0 || mib_row(m, number) != NULL ||
		(at < m->row_count && m->rows[at].index == index))
		return false;
	m->rows = realloc(m->rows, (m->row_count + 1) * sizeof *m->rows);
	if (m->rows == NULL)
		sim_die("no memory for a row");
	memmove(&m->rows[at + 1], &m->rows[at], (m->row_count - at) * sizeof *m->rows);
	m->row_count++;
	row_fill(&m->rows[at], number, index, now);
	m->rows[at].last_change = m->rows[at].discontinuity = ticks(m->boot, now);
	return true;
}

bool
mib_oper(struct mib *m, uint32_t number, int status, int64_t now)
{
	struct row *row = mib_row(m, number);

	if (row == NULL)
		return false;
	row->oper = (uint8_t)status;
	row->last_change = ticks(m->boot, now);
	return true;
}

bool
mib_set(struct mib *m, const char *oid, int64_t number)
{
	struct override *o = sim_zero(1, sizeof *o);
	struct place p;
	bool object;
	char *end;

	for (;; oid = end + 1) {
		o->oid[o->length++] = (uint32_t)strtoul(oid, &end, 10);
		if (*end != '.' || o->length == OID_MAX)
			break;
	}
	if (*end != '\0' || !mib_find(m, o->oid, o->length, &p, &object) ||
		mib_type(&p) == BER_OCTETS || mib_type(&p) == BER_OID) {
		free(o);
		return false;
	}
	o->number = number;
	o->next = m->overrides; /* the newest is found first */
	m->overrides = o;
	return true;
}

void
mib_explain(FILE *to, const struct rates *r)
{
	fprintf(to, "agent a = 1..N, interface n = 1..M, t = seconds since the epoch of the run\n"
		"(or since the last reboot, reset or appearance of the row)\n"
		"in(a,n)  = %g x (n + 1) + a - 1   octets per second\n"
		"out(a,n) = %g x (n + 1) + a - 1   octets per second\n"
		"ifHCInOctets = floor(in x t)      ifHCOutOctets = floor(out x t)\n",
		r->base, 2 * r->base);
	if (r->wave != 0)
		fprintf(to, "  with t replaced by t + %g x %g / 2pi x (1 - cos(2pi t / %g))\n",
			r->wave, r->period, r->period);
	fprintf(to, "ucast packets = floor(octets / 500), multicast /5000, broadcast /10000,\n"
		"discards /500000, errors /1000000, each of the same direction\n"
		"32-bit counters = low 32 bits of the same numbers\n"
		"ifIndex = n x ifindex-step, ifName ge-1/n, ifDescr Port n, ifAlias to press-n\n"
		"sysUpTime = floor(100 x t)\n"
		"hrProcessorLoad.k = floor(40 + 20 x sin(2pi t / (60 k)))\n"
		"everything else is constant until a control line sets it\n");
}

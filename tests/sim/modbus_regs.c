#include "modbus_regs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

bool
profile_parse(const char *word, enum profile *profile)
{
	static const char *const names[] = { "press", "meter", "pattern" };

	for (int i = 0; i < 3; i++)
		if (strcmp(word, names[i]) == 0) {
			*profile = (enum profile)i;
			return true;
		}
	return false;
}

bool
table_parse(const char *word, enum table *table)
{
	static const char *const names[] = { "coil", "discrete", "holding", "input" };

	for (int i = 0; i < 4; i++)
		if (strcmp(word, names[i]) == 0) {
			*table = (enum table)(i + 1);
			return true;
		}
	return false;
}

/* The 16 bits at position word (0 the highest) of a number of this type. */
static uint16_t
word_of(char type, double number, unsigned word)
{
	float single = (float)number;
	uint32_t bits;

	switch (type) {
	case 'f':
		memcpy(&bits, &single, sizeof bits);
		return (uint16_t)(bits >> (16 * (1 - word)));
	case 'U':
		return (uint16_t)((uint64_t)number >> (16 * (1 - word)));
	case 'L':
		return (uint16_t)((uint64_t)number >> (16 * (3 - word)));
	default:
		return (uint16_t)(int64_t)number;
	}
}

static unsigned
width(char type)
{
	return type == 'L' ? 4 : type == 'f' || type == 'U' ? 2 : 1;
}

static uint16_t
pattern_at(const struct regs *r, enum table table, uint16_t address)
{
	uint32_t value = address * 31u + r->unit * 257u + (unsigned)table * 4099u +
		(r->agent - 1) * 10007u;

	return table <= DISCRETE ? value >> 4 & 1 : (uint16_t)value;
}

/* A press: good from the first minute for thresholds, states and counters. */
static bool
press_at(const struct regs *r, enum table table, uint16_t address, double t, uint16_t *value)
{
	double n;

	(void)r;
	if (table <= DISCRETE) {
		static const uint8_t bits[2][16] = { { 1, 1, 0, 0, 1, 0, 1 }, { 1, 0, 1, 1 } };

		*value = address < 16 ? bits[table - 1][address] : 0;
		return address < 16;
	}
	if (table == HOLDING && address >= 100 && address <= 119) {
		/* 100-101 pieces u32 ABCD, 2/s; 102-103 rejects u32 ABCD, 0.05/s; 110 life */
		n = address < 102 ? floor(2 * t) : floor(0.05 * t);
		*value = address < 104 ? word_of('U', n, address & 1) :
			address == 110 ? (uint16_t)(uint64_t)t : 0;
		return true;
	}
	if (table == INPUT && address >= 10 && address <= 19) {
		/* state, program, oil 0.1 C, pressure 0.1 bar, force f32 kN ABCD */
		static const uint16_t shown[10] = { 2, 17, 452, 1850 };

		*value = address == 14 || address == 15 ? word_of('f', 812.5, address & 1) :
			shown[address - 10];
		return true;
	}
	return false;
}

/* Janitza UMG 96RM float block, address list 1.040.034: 19000 + 2 x place, f32 ABCD. */
static float
meter_value(unsigned place, double t)
{
	static const float u[3] = { 230.0f, 231.5f, 228.75f }, i[3] = { 5.0f, 6.5f, 4.25f };
	const float cos_phi = 0.95f, sin_phi = 0.3122499f;
	float p = 0;

	for (int k = 0; k < 3; k++)
		p += u[k] * i[k] * cos_phi;
	if (place < 3)
		return u[place];
	if (place < 6)
		return 400.0f;
	if (place < 9)
		return i[place - 6];
	switch (place) {
	case 9:
		return 1.5f; /* neutral */
	case 10: case 11: case 12:
		return u[place - 10] * i[place - 10] * cos_phi;
	case 13:
		return p;
	case 14: case 15: case 16:
		return u[place - 14] * i[place - 14];
	case 17:
		return p / cos_phi;
	case 18: case 19: case 20:
		return u[place - 18] * i[place - 18] * sin_phi;
	case 21:
		return p / cos_phi * sin_phi;
	case 22: case 23: case 24:
		return cos_phi;
	case 25:
		return 50.0f;
	case 26:
		return 1.0f; /* rotation: right */
	default:
		break;
	}
	if (place == 30 || place == 34)
		return (float)(1000000.0 + (double)p * t / 3600);
	return 0;
}

static bool
meter_at(enum table table, uint16_t address, double t, uint16_t *value)
{
	if (table < HOLDING || address < 19000 || address > 19121)
		return false;
	*value = word_of('f', (double)meter_value((address - 19000u) / 2, t), address & 1);
	return true;
}

static double
pin_now(const struct pin *p, int64_t now)
{
	if (now >= p->end || p->end == p->start)
		return p->last;
	return p->first + (p->last - p->first) * (double)(now - p->start) /
		(double)(p->end - p->start);
}

static const struct pin *
pin_at(const struct regs *r, enum table table, uint16_t address)
{
	for (const struct pin *p = r->pins; p != NULL; p = p->next)
		if (p->table == table && address >= p->address &&
			address < p->address + width(p->type))
			return p;
	return NULL;
}

bool
regs_read(const struct regs *r, enum table table, uint16_t address, int64_t now, uint16_t *value)
{
	double t = now > r->epoch ? (double)(now - r->epoch) / 1e9 : 0;
	const struct pin *pin = r->pins == NULL ? NULL : pin_at(r, table, address);

	if (pin != NULL) {
		*value = word_of(pin->type, pin_now(pin, now), address - pin->address);
		return true;
	}
	switch (r->profile) {
	case PROFILE_PRESS:
		return press_at(r, table, address, t, value);
	case PROFILE_METER:
		return meter_at(table, address, t, value);
	default:
		*value = pattern_at(r, table, address);
		return true;
	}
}

/* What the address shows, read as this type: where a movement starts. */
static double
shown(const struct regs *r, enum table table, uint16_t address, char type, int64_t now)
{
	uint64_t bits = 0;
	uint32_t low;
	float single;

	for (unsigned i = 0; i < width(type); i++) {
		uint16_t word = 0;

		regs_read(r, table, (uint16_t)(address + i), now, &word);
		bits = bits << 16 | word;
	}
	if (type == 's')
		return (int16_t)bits;
	if (type != 'f')
		return (double)bits;
	low = (uint32_t)bits;
	memcpy(&single, &low, sizeof single);
	return (double)single;
}

bool
regs_set(struct regs *r, enum table table, uint16_t address, const char *type, double value,
	double ms, int64_t now)
{
	static const char *const names[] = { "u16", "s16", "u32", "f32", "u64" };
	struct pin *p, **link;
	char letter = value < 0 ? 's' : 'u';

	for (size_t i = 0; *type != '\0'; i++) {
		if (i == sizeof names / sizeof *names)
			return false;
		letter = "usUfL"[i];
		if (strcmp(type, names[i]) == 0)
			break;
	}
	p = sim_zero(1, sizeof *p);
	*p = (struct pin){ .table = table, .address = address, .type = letter, .last = value,
		.start = now, .end = now + (int64_t)(ms * 1e6) };
	p->first = ms > 0 ? shown(r, table, address, letter, now) : value;
	for (link = &r->pins; *link != NULL; link = &(*link)->next)
		if ((*link)->table == table && (*link)->address == address) {
			struct pin *old = *link;

			*link = old->next;
			free(old);
			break;
		}
	p->next = r->pins;
	r->pins = p;
	return true;
}

void
regs_close(struct regs *r)
{
	while (r->pins != NULL) {
		struct pin *next = r->pins->next;

		free(r->pins);
		r->pins = next;
	}
}

void
regs_explain(FILE *to)
{
	fprintf(to, "t = seconds since the epoch of the run; addresses are PDU addresses from 0\n"
		"press: holding 100-101 pieces u32 ABCD = floor(2 t), 102-103 rejects u32 ABCD =\n"
		"  floor(0.05 t), 110 life counter u16 = floor(t) mod 65536, others to 119 are 0;\n"
		"  input 10 state 2, 11 program 17, 12 oil temperature s16 452 (x 0.1 C),\n"
		"  13 pressure 1850 (x 0.1 bar), 14-15 force f32 ABCD 812.5, others to 19 are 0;\n"
		"  coils 0-15: 1100101000000000, discrete inputs 0-15: 1011000000000000\n"
		"meter: holding and input 19000-19121, f32 ABCD: U 230 231.5 228.75, U LL 400,\n"
		"  I 5 6.5 4.25, I N 1.5, P = U I 0.95 per phase at 19020, sum 19026, S 19028-34,\n"
		"  Q 19036-42, cos phi 0.95 at 19044-48, 50 Hz 19050, rotation 1 at 19052,\n"
		"  Wh sum 19060 and consumed 19068 = 1000000 + P t / 3600, others 0\n"
		"pattern: v = 31 address + 257 unit + 4099 function + 10007 (agent - 1);\n"
		"  registers v mod 65536, bits (v / 16) mod 2, every address exists\n"
		"other addresses: exception 2\n");
}

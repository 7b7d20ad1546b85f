/* modbus_regs.h - the registers and bits of one simulated unit, as formulas of time.
 *
 * A profile says which addresses exist and what they show; a control line can pin any
 * address to a value or let it move there. Reading elsewhere is exception 2. */
#ifndef SIM_MODBUS_REGS_H
#define SIM_MODBUS_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* By the function that reads them. */
enum table { COILS = 1, DISCRETE = 2, HOLDING = 3, INPUT = 4 };
enum profile { PROFILE_PRESS, PROFILE_METER, PROFILE_PATTERN };

/* A pinned value: 1, 2 or 4 registers (or one bit) from address. It moves in a straight
 * line from first to last between start and end, then stays. */
struct pin {
	enum table table;
	uint16_t address;
	char type; /* 'u', 's' 16 bit, 'U' 32 bit, 'f' float, 'L' 64 bit; straight order */
	double first, last;
	int64_t start, end;
	struct pin *next;
};

struct regs {
	enum profile profile;
	unsigned agent; /* from 1 */
	uint8_t unit;
	int64_t epoch; /* wall ns at which t = 0 */
	struct pin *pins;
};

bool profile_parse(const char *word, enum profile *profile);
bool table_parse(const char *word, enum table *table);

/* The register (or bit, 0 or 1) at this time; false when the address does not exist. */
bool regs_read(const struct regs *r, enum table table, uint16_t address, int64_t now,
	uint16_t *value);

/* Pins an address; with ms above 0 it moves there from what it shows now. type "" is u16,
 * or s16 for a negative number. false with no effect for an unknown type. */
bool regs_set(struct regs *r, enum table table, uint16_t address, const char *type,
	double value, double ms, int64_t now);
void regs_close(struct regs *r);

void regs_explain(FILE *to);
#endif

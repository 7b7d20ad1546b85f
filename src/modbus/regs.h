/* regs.h - turns raw Modbus registers and bits into values.
 *
 * The only place that knows word and byte order. Works on the bytes of an answer as they
 * came. Pure: no I/O, no allocation, no logging. */
#ifndef PW_REGS_H
#define PW_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;

enum regs_type {
	REGS_S16, REGS_U16, REGS_S32, REGS_U32, REGS_S64, REGS_U64, REGS_F32, REGS_F64,
	REGS_BIT,    /* one coil or input, or one bit of a register */
	REGS_STRING, /* two characters a register, or one */
	REGS_S8H, REGS_S8L, REGS_U8H, REGS_U8L, /* the high or the low byte of a register */
	REGS_F16,              /* IEEE 754 binary16 */
	REGS_BCD16, REGS_BCD32, /* four or eight decimal digits of four bits */
	REGS_SM16, REGS_SM32,  /* the top bit is the sign, the rest the magnitude */
	REGS_M10K32, REGS_M10K48, REGS_M10K64, /* words from 0 to 9999: Schneider's MOD10 */
	REGS_TYPES
};

/* Where the characters of a string stand. */
enum regs_chars { REGS_CHARS_PAIRS, REGS_CHARS_HIGH, REGS_CHARS_LOW };

enum { REGS_TEXT_MAX = 250 }; /* 125 registers */

/* Reads "s16" .. "m10k64". Returns -1 and fills why for anything else. */
int regs_type_parse(const char *text, enum regs_type *type, struct fail *why);
const char *regs_type_name(enum regs_type type);

/* Registers that a value takes: 1 to 4; 0 for a string, which has its own length. */
unsigned regs_width(enum regs_type type);

/* How the bytes of a number arrive. Byte i on the wire is letter i ^ swap, A being the
 * highest: 1 swaps the bytes of a word, 2 neighbouring words, 4 the halves of 64 bits; of
 * three words 4 turns the row of them round.
 * Zero is straight. Manuals say "swapped" or "little endian" for any of the others. */
struct regs_order {
	uint8_t swap;
	uint8_t letters; /* 2, 4, 6 or 8; 0: none given, straight */
};

/* Reads "AB", "CDAB", "GHEFCDAB" and the like. Returns -1 and fills why else. */
int regs_order_parse(const char *text, struct regs_order *order, struct fail *why);
/* "CDAB" of an order for values of this type; 0 letters of it are straight. */
const char *regs_order_text(struct regs_order order, enum regs_type type, char to[9]);
/* Is that an order for values of this type? A string takes "AB" or "BA". */
int regs_order_check(struct regs_order order, enum regs_type type, struct fail *why);
/* An order that a template gives for all its points, for one type of another width:
 * CDAB (low word first) becomes AB and GHEFCDAB, BADC becomes BA and BADCFEHG. */
struct regs_order regs_order_inherit(struct regs_order order, enum regs_type type);

/* Raw values that mean "not available": one, or a range with both ends inside. */
struct regs_range {
	enum { REGS_RANGE_BITS, REGS_RANGE_SIGNED, REGS_RANGE_REAL } kind;
	union { uint64_t bits; int64_t number; double real; } from, to;
};

/* Reads "0x7FFF", "0x8000..0x80FF", "-32768", "65535", for f32/f64 also "-9999.0". Hex is
 * the bit pattern of the type, decimal its value before scale and offset. Returns -1 and
 * fills why: not a number, does not fit the type, from above to, type is bit or string. */
int regs_range_parse(const char *text, enum regs_type type, struct regs_range *range,
	struct fail *why);

/* Is that one number of its own in the registers' bits, so that a count can wrap at 2^bits? */
bool regs_is_binary(enum regs_type type);

/* One point as configured. The owner keeps invalid alive. */
struct regs_spec {
	enum regs_type type;
	struct regs_order order;
	double scale;  /* value = raw * scale + offset; 0 is taken as 1 */
	double offset;
	uint8_t bit;   /* REGS_BIT in a register: 0 (lowest) to 15 */
	uint8_t length; /* REGS_STRING: registers, 1..125 */
	enum regs_chars chars;
	uint32_t mask;  /* a field of bits of a u16 or u32, moved down to bit 0; 0: all of it */
	bool bounded;   /* a value below min or above max is not believed */
	double min, max;
	const struct regs_range *invalid;
	size_t invalid_count;
};

/* Registers (function 3 and 4) that the spec takes. */
unsigned regs_count(const struct regs_spec *spec);

struct regs_value {
	enum { REGS_NUMBER, REGS_TEXT, REGS_INVALID } kind;
	double number;  /* scaled; also what an invalid one would have been, if finite */
	uint64_t raw;   /* bits as the type has them, not sign-extended; of bcd, sm and m10k the
	                   number that they stand for; 0 for text */
	char text[REGS_TEXT_MAX + 1]; /* printable ASCII; what is not shows as '?' */
};

/* Is the value, scaled, between min and max? */
static inline bool
regs_plausible(const struct regs_spec *spec, double number)
{
	return !spec->bounded || (number >= spec->min && number <= spec->max);
}

/* bytes: regs_count(spec) registers as on the wire. NaN, infinity and the raw values in
 * spec->invalid give REGS_INVALID. */
void regs_read(const struct regs_spec *spec, const uint8_t *bytes, struct regs_value *value);
/* The same for function 1 and 2, where a point is one bit. */
void regs_read_bit(const struct regs_spec *spec, bool on, struct regs_value *value);
/* Without scale and offset, for a caller that has them elsewhere. */
void regs_read_plain(const struct regs_spec *spec, const uint8_t *bytes, struct regs_value *value);
void regs_read_plain_bit(const struct regs_spec *spec, bool on, struct regs_value *value);

/* What most points are: an integer of one or two registers, all of it, that is always valid;
 * without scale and offset. False, and nothing done, for what is more than that. Inline, since
 * it is done a hundred times for one answer. */
static inline bool
regs_read_integer(const struct regs_spec *spec, const uint8_t *bytes, uint32_t *raw,
	double *number)
{
	unsigned swap = spec->order.swap;

	if (spec->type > REGS_U32 || spec->mask != 0 || spec->invalid_count > 0)
		return false;
	*raw = (uint32_t)bytes[swap] << 8 | bytes[swap ^ 1];
	if (spec->type >= REGS_S32)
		*raw = *raw << 16 | (uint32_t)bytes[swap ^ 2] << 8 | bytes[swap ^ 3];
	if (spec->type == REGS_S16)
		*number = (int16_t)*raw;
	else
		*number = spec->type == REGS_S32 ? (double)(int32_t)*raw : (double)*raw;
	return true;
}
#endif

#include "modbus/regs.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"

static const struct {
	const char *name;
	uint8_t width; /* registers */
} types[] = {
	[REGS_S16] = { "s16", 1 }, [REGS_U16] = { "u16", 1 },
	[REGS_S32] = { "s32", 2 }, [REGS_U32] = { "u32", 2 },
	[REGS_S64] = { "s64", 4 }, [REGS_U64] = { "u64", 4 },
	[REGS_F32] = { "f32", 2 }, [REGS_F64] = { "f64", 4 },
	[REGS_BIT] = { "bit", 1 }, [REGS_STRING] = { "string", 0 },
	[REGS_S8H] = { "s8h", 1 }, [REGS_S8L] = { "s8l", 1 },
	[REGS_U8H] = { "u8h", 1 }, [REGS_U8L] = { "u8l", 1 },
	[REGS_F16] = { "f16", 1 },
	[REGS_BCD16] = { "bcd16", 1 }, [REGS_BCD32] = { "bcd32", 2 },
	[REGS_SM16] = { "sm16", 1 }, [REGS_SM32] = { "sm32", 2 },
	[REGS_M10K32] = { "m10k32", 2 }, [REGS_M10K48] = { "m10k48", 3 },
	[REGS_M10K64] = { "m10k64", 4 },
};

int
regs_type_parse(const char *text, enum regs_type *type, struct fail *why)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(text, types[i].name) == 0) {
			*type = (enum regs_type)i;
			return 0;
		}
	}
	fail_set(why, "type \"%s\": expected s16, u16, s32, u32, s64, u64, f32, f64, bit, "
		"string, s8h, s8l, u8h, u8l, f16, bcd16, bcd32, sm16, sm32, m10k32, m10k48 or m10k64",
		text);
	return -1;
}

const char *
regs_type_name(enum regs_type type)
{
	return types[type].name;
}

unsigned
regs_width(enum regs_type type)
{
	return types[type].width;
}

static bool
is_signed(enum regs_type type)
{
	return type == REGS_S16 || type == REGS_S32 || type == REGS_S64 || type == REGS_S8H ||
	       type == REGS_S8L;
}

static bool
is_real(enum regs_type type)
{
	return type == REGS_F32 || type == REGS_F64 || type == REGS_F16;
}

static bool
is_half(enum regs_type type)
{
	return type >= REGS_S8H && type <= REGS_U8L;
}

bool
regs_is_binary(enum regs_type type)
{
	return !is_real(type) && type < REGS_F16 && type != REGS_STRING && type != REGS_BIT;
}

/* Those whose bits are no number: they are compared by what they stand for. */
static bool
by_value(enum regs_type type)
{
	return type >= REGS_F16 || is_real(type);
}

static const char *
order_choices(size_t letters)
{
	switch (letters) {
	case 2:
		return "AB or BA";
	case 4:
		return "ABCD, CDAB, BADC or DCBA";
	case 6:
		return "ABCDEF, EFCDAB, BADCFE or FEDCBA";
	case 8:
		return "ABCDEFGH, GHEFCDAB, BADCFEHG, HGFEDCBA, CDABGHEF, EFGHABCD, "
		       "DCBAHGFE or FEHGBADC";
	default:
		return "2, 4 or 8 letters like AB, ABCD or ABCDEFGH";
	}
}

/* Which letter byte i on the wire is, and the other way round. */
static unsigned
letter_at(unsigned i, unsigned swap, size_t letters)
{
	if (letters == 6 && (swap & 4) != 0)
		return (4 - (i & ~1u)) + ((i ^ swap) & 1);
	return i ^ swap;
}

int
regs_order_parse(const char *text, struct regs_order *order, struct fail *why)
{
	size_t letters = strlen(text);
	unsigned swap = (unsigned)(text[0] - 'A');

	if (letters != 2 && letters != 4 && letters != 6 && letters != 8)
		goto fail;
	if (text[0] < 'A' || swap >= letters || (letters == 6 && (swap & 2) != 0))
		goto fail;
	for (unsigned i = 0; i < letters; i++) {
		if (text[i] != (char)('A' + letter_at(i, swap, letters)))
			goto fail;
	}
	order->swap = (uint8_t)swap;
	order->letters = (uint8_t)letters;
	return 0;
fail:
	fail_set(why, "order \"%s\": expected %s", text, order_choices(letters));
	return -1;
}

static unsigned
letters_of(enum regs_type type)
{
	return type == REGS_STRING ? 2 : types[type].width * 2u;
}

const char *
regs_order_text(struct regs_order order, enum regs_type type, char to[9])
{
	unsigned letters = letters_of(type);

	for (unsigned i = 0; i < letters; i++)
		to[i] = (char)('A' + letter_at(i, order.swap, letters));
	to[letters] = '\0';
	return to;
}

int
regs_order_check(struct regs_order order, enum regs_type type, struct fail *why)
{
	unsigned letters = letters_of(type);

	if (order.letters == 0 || order.letters == letters)
		return 0;
	fail_set(why, "order of %d letters for a %s: expected %s", order.letters,
		types[type].name, order_choices(letters));
	return -1;
}

struct regs_order
regs_order_inherit(struct regs_order order, enum regs_type type)
{
	unsigned letters = letters_of(type);
	bool low_word_first = (order.swap & (order.letters >= 6 ? 4 : 2)) != 0;
	struct regs_order fitting = { .swap = order.swap & 1, .letters = (uint8_t)letters };

	if (order.letters == letters)
		return order;
	if (low_word_first)
		fitting.swap |= (uint8_t)(letters - 2);
	return fitting;
}

/* One end of a range. Hex is the bit pattern, so "0x8000" is a fine s16. */
static int
range_end(const char *text, enum regs_type type, int *kind, uint64_t *bits, int64_t *number,
	double *real, struct fail *why)
{
	unsigned width_bits = is_half(type) ? 8 : types[type].width * 16u;
	uint64_t top = width_bits == 64 ? UINT64_MAX : (UINT64_C(1) << width_bits) - 1;
	struct fail ignored;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		*kind = REGS_RANGE_BITS;
		if (str_uint(text, bits, &ignored) == 0 && *bits <= top)
			return 0;
	} else if (by_value(type)) {
		*kind = REGS_RANGE_REAL;
		if (str_double(text, real, &ignored) == 0)
			return 0;
	} else if (is_signed(type)) {
		*kind = REGS_RANGE_SIGNED;
		if (str_int(text, number, &ignored) == 0 && *number <= (int64_t)(top >> 1) &&
			*number >= -(int64_t)(top >> 1) - 1)
			return 0;
	} else {
		*kind = REGS_RANGE_BITS;
		if (str_uint(text, bits, &ignored) == 0 && *bits <= top)
			return 0;
	}
	fail_set(why, "invalid \"%s\": not a number that fits %s", text, types[type].name);
	return -1;
}

static bool
range_empty(const struct regs_range *range)
{
	switch (range->kind) {
	case REGS_RANGE_SIGNED:
		return range->from.number > range->to.number;
	case REGS_RANGE_REAL:
		return !(range->from.real <= range->to.real);
	default:
		return range->from.bits > range->to.bits;
	}
}

static int
range_set(const char *text, enum regs_type type, struct regs_range *range, bool first,
	struct fail *why)
{
	uint64_t bits = 0;
	int64_t number = 0;
	double real = 0;
	int kind;

	if (range_end(text, type, &kind, &bits, &number, &real, why) == -1)
		return -1;
	if (!first && kind != (int)range->kind) {
		fail_set(why, "invalid \"%s\": write both ends as hex or both as decimal", text);
		return -1;
	}
	range->kind = kind;
	if (kind == REGS_RANGE_SIGNED)
		range->to.number = number;
	else if (kind == REGS_RANGE_REAL)
		range->to.real = real;
	else
		range->to.bits = bits;
	if (first)
		range->from = range->to;
	return 0;
}

int
regs_range_parse(const char *text, enum regs_type type, struct regs_range *range,
	struct fail *why)
{
	const char *dots = strstr(text, "..");
	char from[64];

	if (type == REGS_BIT || type == REGS_STRING) {
		fail_set(why, "invalid \"%s\": a %s has no invalid values", text,
			types[type].name);
		return -1;
	}
	if (!str_copy(from, sizeof(from), text)) {
		fail_set(why, "invalid \"%s\": too long for a number", text);
		return -1;
	}
	if (dots != NULL)
		from[dots - text] = '\0';
	if (range_set(from, type, range, true, why) == -1)
		return -1;
	if (dots == NULL)
		return 0;
	if (range_set(dots + 2, type, range, false, why) == -1)
		return -1;
	if (range_empty(range)) {
		fail_set(why, "invalid \"%s\": the range is empty, write the lower end first",
			text);
		return -1;
	}
	return 0;
}

unsigned
regs_count(const struct regs_spec *spec)
{
	return spec->type == REGS_STRING ? spec->length : types[spec->type].width;
}

static uint64_t
join_bytes(const uint8_t *bytes, unsigned count, unsigned swap)
{
	uint64_t raw = 0;

	for (unsigned letter = 0; letter < count; letter++)
		raw = raw << 8 | bytes[letter_at(letter, swap, count)];
	return raw;
}

/* IEEE 754-2008, 3.4: sign 1, exponent 5 (bias 15), fraction 10. */
static double
half_value(uint64_t raw)
{
	int exponent = (int)(raw >> 10 & 31);
	double fraction = (double)(raw & 1023) / 1024;
	double value;

	if (exponent == 31)
		value = fraction > 0 ? (double)NAN : (double)INFINITY;
	else if (exponent == 0)
		value = ldexp(fraction, -14);
	else
		value = ldexp(1 + fraction, exponent - 15);
	return (raw & 0x8000) != 0 ? -value : value;
}

static double
real_value(enum regs_type type, uint64_t raw)
{
	uint32_t low = (uint32_t)raw;
	double f64;
	float f32;

	if (type == REGS_F16)
		return half_value(raw);

	if (type == REGS_F64) {
		memcpy(&f64, &raw, sizeof(f64));
		return f64;
	}
	memcpy(&f32, &low, sizeof(f32));
	return (double)f32;
}

static int64_t
signed_value(enum regs_type type, uint64_t raw)
{
	switch (type) {
	case REGS_S8H:
	case REGS_S8L:
		return (int8_t)(uint8_t)raw;
	case REGS_S16:
		return (int16_t)(uint16_t)raw;
	case REGS_S32:
		return (int32_t)(uint32_t)raw;
	default:
		return (int64_t)raw;
	}
}

/* Decimal digits, one or four in so many bits. NaN where one is too large: no number was ever
 * written there. */
static double
digits_value(uint64_t raw, unsigned count, unsigned bits, unsigned base)
{
	double value = 0;

	for (unsigned i = count; i > 0; i--) {
		unsigned digit = (unsigned)(raw >> (bits * (i - 1)) & ((1u << bits) - 1));

		if (digit >= base)
			return (double)NAN;
		value = value * base + digit;
	}
	return value;
}

static double
sign_magnitude_value(uint64_t raw, unsigned bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);
	double magnitude = (double)(raw & (sign - 1));

	return (raw & sign) != 0 ? -magnitude : magnitude;
}

static double
plain_value(enum regs_type type, uint64_t raw)
{
	if (is_real(type))
		return real_value(type, raw);
	if (is_signed(type))
		return (double)signed_value(type, raw);
	switch (type) {
	case REGS_BCD16:
	case REGS_BCD32:
		return digits_value(raw, types[type].width * 4u, 4, 10);
	case REGS_M10K32:
	case REGS_M10K48:
	case REGS_M10K64:
		return digits_value(raw, types[type].width, 16, 10000);
	case REGS_SM16:
	case REGS_SM32:
		return sign_magnitude_value(raw, types[type].width * 16u);
	default:
		return (double)raw;
	}
}

static bool
range_holds(const struct regs_range *range, enum regs_type type, uint64_t raw)
{
	switch (range->kind) {
	case REGS_RANGE_SIGNED: {
		int64_t number = signed_value(type, raw);

		return number >= range->from.number && number <= range->to.number;
	}
	case REGS_RANGE_REAL: {
		double real = plain_value(type, raw);

		return real >= range->from.real && real <= range->to.real;
	}
	default:
		return raw >= range->from.bits && raw <= range->to.bits;
	}
}

static void
set_number(const struct regs_spec *spec, uint64_t raw, struct regs_value *value)
{
	double plain = plain_value(spec->type, raw);

	value->raw = raw;
	value->number = plain;
	value->kind = isfinite(plain) ? REGS_NUMBER : REGS_INVALID;
	for (size_t i = 0; i < spec->invalid_count; i++) {
		if (range_holds(&spec->invalid[i], spec->type, raw))
			value->kind = REGS_INVALID;
	}
	if (!isfinite(plain))
		value->number = 0;
	else if (by_value(spec->type) && !is_real(spec->type))
		value->raw = (uint64_t)(int64_t)plain;
}

static void
set_scale(const struct regs_spec *spec, struct regs_value *value)
{
	double scale = spec->scale == 0 ? 1 : spec->scale;

	if (value->kind == REGS_TEXT)
		return;
	value->number = value->number * scale + spec->offset;
	if (isfinite(value->number))
		return;
	value->kind = REGS_INVALID;
	value->number = 0;
}

/* Ends at the first NUL: what devices leave behind it is old memory. */
static void
set_text(const struct regs_spec *spec, const uint8_t *bytes, struct regs_value *value)
{
	size_t registers = spec->length > REGS_TEXT_MAX / 2 ? REGS_TEXT_MAX / 2 : spec->length;
	size_t step = spec->chars == REGS_CHARS_PAIRS ? 1 : 2;
	size_t first = spec->chars == REGS_CHARS_LOW ? 1 : 0;
	size_t used = 0, at = 0;

	for (size_t i = first; i < 2 * registers; i += step, at++) {
		uint8_t c = bytes[i ^ (spec->order.swap & 1)];

		if (c == 0)
			break;
		value->text[at] = c >= 0x20 && c <= 0x7E ? (char)c : '?';
		if (c != ' ' && c != 0xFF)
			used = at + 1;
	}
	value->text[used] = '\0';
	value->kind = REGS_TEXT;
	value->number = 0;
	value->raw = 0;
}

/* The field's lowest bit becomes bit 0. */
static uint64_t
masked(uint64_t raw, uint32_t mask)
{
	raw &= mask;
	for (; (mask & 1) == 0; mask >>= 1)
		raw >>= 1;
	return raw;
}

void
regs_read_plain(const struct regs_spec *spec, const uint8_t *bytes, struct regs_value *value)
{
	uint64_t raw;
	uint32_t integer;

	value->text[0] = '\0';
	if (regs_read_integer(spec, bytes, &integer, &value->number)) {
		value->raw = integer;
		value->kind = REGS_NUMBER;
		return;
	}
	if (spec->type == REGS_STRING) {
		set_text(spec, bytes, value);
		return;
	}
	raw = join_bytes(bytes, types[spec->type].width * 2u, spec->order.swap);
	if (spec->type == REGS_BIT)
		raw = raw >> (spec->bit & 15) & 1;
	else if (spec->type == REGS_S8H || spec->type == REGS_U8H)
		raw >>= 8;
	else if (is_half(spec->type))
		raw &= 0xFF;
	else if (spec->mask != 0)
		raw = masked(raw, spec->mask);
	set_number(spec, raw, value);
}

void
regs_read_plain_bit(const struct regs_spec *spec, bool on, struct regs_value *value)
{
	value->text[0] = '\0';
	set_number(spec, on ? 1 : 0, value);
}

void
regs_read(const struct regs_spec *spec, const uint8_t *bytes, struct regs_value *value)
{
	regs_read_plain(spec, bytes, value);
	set_scale(spec, value);
}

void
regs_read_bit(const struct regs_spec *spec, bool on, struct regs_value *value)
{
	regs_read_plain_bit(spec, on, value);
	set_scale(spec, value);
}

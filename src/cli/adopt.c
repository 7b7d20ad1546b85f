#include "cli/adopt.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/point.h"
#include "modbus/modbus.h"

#define REGISTERS 65536u

struct adopt_image {
	uint8_t *bytes[2];  /* of functions 3 and 4 */
	bool *known[2];
};

enum { SWAP_STRAIGHT, SWAP_WORDS, SWAP_BYTES, SWAP_BOTH, SWAPS };
static const char *const swap_words[] = { "straight", "words", "bytes", "both" };
/* By half the letters of an order: 1, 2, 3 and 4 registers. */
static const char *const orders[][SWAPS] = { { "AB", NULL, "BA", NULL },
	{ "ABCD", "CDAB", "BADC", "DCBA" }, { "ABCDEF", "EFCDAB", "BADCFE", "FEDCBA" },
	{ "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA" } };
static const char *const more_orders[] = { "CDABGHEF", "EFGHABCD", "DCBAHGFE", "FEHGBADC" };

/* ---- registers ---- */

struct adopt_image *
adopt_image_new(void)
{
	struct adopt_image *image = mem_zero(sizeof *image);

	for (int i = 0; i < 2; i++) {
		image->bytes[i] = mem_array(REGISTERS, 2);
		image->known[i] = mem_array(REGISTERS, sizeof(bool));
	}
	return image;
}

void
adopt_image_free(struct adopt_image *image)
{
	if (image == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		free(image->bytes[i]);
		free(image->known[i]);
	}
	free(image);
}

void
adopt_image_put(struct adopt_image *image, uint8_t function, uint16_t address, unsigned count,
	const uint8_t *bytes)
{
	int kind = function == 4;

	for (unsigned i = 0; i < count && address + i < REGISTERS; i++) {
		memcpy(image->bytes[kind] + (address + i) * 2u, bytes + (size_t)i * 2, 2);
		image->known[kind][address + i] = true;
	}
}

static const uint8_t *
registers(const struct adopt_image *image, uint8_t function, int address, unsigned count)
{
	int kind = function == 4;

	if (address < 0 || (unsigned)address + count > REGISTERS)
		return NULL;
	for (unsigned i = 0; i < count; i++)
		if (!image->known[kind][(unsigned)address + i])
			return NULL;
	return image->bytes[kind] + (size_t)address * 2;
}

/* ---- is that value one that a plant has? ---- */

enum grade { GRADE_NONE, GRADE_PLAUSIBLE, GRADE_CONFIRMED };

static const struct {
	const char *unit;
	double least, most;
} units[] = {
	{ "V", -1.5e6, 1.5e6 }, { "kV", -1500, 1500 }, { "A", -2e5, 2e5 }, { "Hz", 0, 1000 },
	{ "C", -120, 1800 }, { "%", -400, 1000 }, { "bar", -2, 5000 }, { "rpm", -1e5, 1e5 },
	{ "W", -1e10, 1e10 }, { "kW", -1e7, 1e7 }, { "var", -1e10, 1e10 }, { "VA", -1e10, 1e10 },
};

/* The unit only excludes: nearly every 16-bit number is a possible voltage. */
static bool
fits_unit(const char *unit, double value)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].unit, unit) == 0)
			return value >= units[i].least && value <= units[i].most;
	return true;
}

static enum grade
grade_text(const char *text)
{
	size_t odd = 0, size = strlen(text);

	for (size_t i = 0; i < size; i++)
		odd += text[i] == '?';
	return size == 0 || odd * 10 > size ? GRADE_NONE : GRADE_PLAUSIBLE;
}

static bool
is_float(enum regs_type type)
{
	return type == REGS_F16 || type == REGS_F32 || type == REGS_F64;
}

static enum grade
grade_state(const struct point *point, double value)
{
	for (size_t i = 0; i < point->state_count; i++)
		if ((double)point->states[i].value == value)
			return GRADE_CONFIRMED;
	return GRADE_NONE;
}

/* A float read in the wrong order is mostly tiny, huge or none; an integer has its low word
 * at 0 and something in the high one, or is beyond any meter. */
static enum grade
grade_number(const struct point *point, const struct regs_spec *spec,
	const struct regs_value *value)
{
	double size = fabs(value->number);
	unsigned width = regs_count(spec);

	if (spec->bounded)
		return regs_plausible(spec, value->number) ? GRADE_CONFIRMED : GRADE_NONE;
	if (point->state_count > 0)
		return grade_state(point, value->number);
	if (!fits_unit(point->unit, value->number))
		return GRADE_NONE;
	if (is_float(spec->type))
		return value->number == 0 || (size >= 1e-5 && size <= 1e13) ? GRADE_PLAUSIBLE :
			GRADE_NONE;
	if (width < 2 || !regs_is_binary(spec->type))
		return GRADE_PLAUSIBLE;
	if (value->raw != 0 && (value->raw & 0xFFFF) == 0)
		return GRADE_NONE;
	if (width == 4)
		return fabs((double)(int64_t)value->raw) < 0x1p50 ? GRADE_PLAUSIBLE : GRADE_NONE;
	return (value->raw & 0xFFFFFFFF) < UINT64_C(0xC0000000) || spec->type == REGS_S32 ?
		GRADE_PLAUSIBLE : GRADE_NONE;
}

static void
say_value(const struct regs_spec *spec, const struct regs_value *value, char *to, size_t size)
{
	if (value->kind == REGS_TEXT)
		str_copy(to, size, value->text);
	else if (spec->type == REGS_U64 && spec->scale == 1 && spec->offset == 0)
		snprintf(to, size, "%" PRIu64, value->raw);
	else if (spec->type == REGS_F32 || spec->type == REGS_F16)
		snprintf(to, size, "%.7g", value->number);
	else
		str_number(to, size, value->number);
}

/* "V/s" of a counter is its rate's: the count itself has no known range. */
static enum grade
grade(const struct point *point, const struct regs_spec *spec, const struct regs_value *value)
{
	if (value->kind == REGS_INVALID)
		return GRADE_NONE;
	return value->kind == REGS_TEXT ? grade_text(value->text) :
		grade_number(point, spec, value);
}

/* ---- one row in one way ---- */

static const struct modbus_point *
wire_of(const struct adopt_row *row)
{
	return row->point->wire;
}

static bool
read_way(const struct adopt_image *image, const struct adopt_row *row, int base,
	const char *order, struct regs_value *value, enum grade *graded)
{
	const struct modbus_point *wire = wire_of(row);
	struct regs_spec spec = wire->spec;
	const uint8_t *bytes = registers(image, wire->function, wire->pdu + base,
		regs_count(&spec));

	if (bytes == NULL)
		return false;
	if (order != NULL && regs_order_parse(order, &spec.order, NULL) == -1)
		return false;
	spec.scale = row->point->scale;
	spec.offset = row->point->offset;
	regs_read(&spec, bytes, value);
	*graded = grade(row->point, &spec, value);
	return true;
}

static unsigned
order_row(const struct modbus_point *wire)
{
	return wire->spec.type == REGS_STRING ? 0 : regs_width(wire->spec.type) - 1;
}

static int
listed_swap(const struct modbus_point *wire)
{
	const struct regs_order *order = &wire->spec.order;
	unsigned row = order_row(wire);

	for (int swap = 0; swap < SWAPS; swap++) {
		struct regs_order parsed;

		if (orders[row][swap] != NULL && regs_order_parse(orders[row][swap], &parsed, NULL) ==
			0 && parsed.swap == order->swap)
			return swap;
	}
	return -1;
}

static bool
is_half(enum regs_type type)
{
	return type >= REGS_S8H && type <= REGS_U8L;
}

static void
try_way(const struct adopt_image *image, struct adopt_row *row, int base, const char *order)
{
	struct adopt_way *way = &row->ways[row->way_count];
	const struct modbus_point *wire = wire_of(row);
	struct regs_spec spec = wire->spec;
	struct regs_value value;
	enum grade graded;

	if ((base == 0 && strcmp(order, row->order) == 0) || row->way_count == ADOPT_WAYS ||
		!read_way(image, row, base, order, &value, &graded) || graded == GRADE_NONE)
		return;
	spec.scale = row->point->scale;
	spec.offset = row->point->offset;
	*way = (struct adopt_way){ .base = base, .confirmed = graded == GRADE_CONFIRMED };
	str_copy(way->order, sizeof way->order, order);
	say_value(&spec, &value, way->value, sizeof way->value);
	if (base == 0 && strcmp(way->value, row->value) == 0)
		return; /* all octets alike: no other reading */
	row->way_count++;
}

static void
find_ways(const struct adopt_image *image, struct adopt_row *row)
{
	static const int bases[] = { 0, -1, 1 };
	const struct modbus_point *wire = wire_of(row);
	unsigned at = order_row(wire);

	for (size_t b = 0; b < 3; b++) {
		for (int swap = 0; swap < SWAPS; swap++)
			if (orders[at][swap] != NULL && (!is_half(wire->spec.type) || swap == 0))
				try_way(image, row, bases[b], orders[at][swap]);
		for (size_t i = 0; i < 4 && at == 3; i++)
			try_way(image, row, bases[b], more_orders[i]);
	}
}

/* ---- rows ---- */

void
adopt_take_bit(struct adopt_row *row, bool on)
{
	row->bit = true;
	row->on = on;
}

void
adopt_take_failure(struct adopt_row *row, const char *why)
{
	row->verdict = ADOPT_UNREAD;
	str_copy(row->why, sizeof row->why, why);
}

const char *
adopt_verdict_word(enum adopt_verdict verdict)
{
	static const char *const words[] = { "plausible", "not-there", "doubtful", "otherwise",
		"unread" };

	return words[verdict];
}

static void
judge_bit(struct adopt_row *row)
{
	row->verdict = ADOPT_PLAUSIBLE;
	str_copy(row->value, sizeof row->value, row->on ? "1" : "0");
}

static void
say_raw(struct adopt_row *row, const uint8_t *bytes, unsigned count)
{
	size_t used = 0;

	for (unsigned i = 0; i < count && used + 6 < sizeof row->raw; i++)
		used += (size_t)snprintf(row->raw + used, sizeof row->raw - used, "%s%02x%02x",
			i > 0 ? " " : "", bytes[2 * i], bytes[2 * i + 1]);
}

static void
say_why(struct adopt_row *row, const struct regs_value *value)
{
	const struct regs_spec *spec = &wire_of(row)->spec;

	if (value->kind == REGS_TEXT)
		str_copy(row->why, sizeof row->why, row->value[0] == '\0' ? "is empty" :
			"is no printable text");
	else if (value->kind == REGS_INVALID)
		str_copy(row->why, sizeof row->why, "is no number of this type");
	else if (spec->bounded)
		str_copy(row->why, sizeof row->why, "is not between min and max");
	else if (row->point->state_count > 0)
		str_copy(row->why, sizeof row->why, "is none of the listed states");
	else if (!fits_unit(row->point->unit, value->number))
		snprintf(row->why, sizeof row->why, "is no likely number of %s", row->point->unit);
	else
		str_copy(row->why, sizeof row->why, "is no likely number");
}

static bool
is_sentinel(const struct adopt_row *row, const struct regs_value *value)
{
	return value->kind == REGS_INVALID && wire_of(row)->spec.invalid_count > 0 &&
		(!is_float(wire_of(row)->spec.type) || isfinite(value->number));
}

static void
judge_row(const struct adopt_image *image, struct adopt_row *row)
{
	const struct modbus_point *wire = wire_of(row);
	struct regs_spec spec = wire->spec;
	unsigned count = regs_count(&spec);
	struct regs_value value;
	enum grade graded;

	row->proposal = -1;
	if (row->verdict == ADOPT_UNREAD)
		return;
	if (wire->function <= 2) {
		judge_bit(row);
		return;
	}
	regs_order_text(spec.order, spec.type, row->order);
	if (!read_way(image, row, 0, NULL, &value, &graded)) {
		adopt_take_failure(row, "was not read");
		return;
	}
	spec.scale = row->point->scale;
	spec.offset = row->point->offset;
	say_raw(row, registers(image, wire->function, wire->pdu, count), count);
	if (value.kind == REGS_INVALID)
		str_copy(row->value, sizeof row->value, "");
	else
		say_value(&spec, &value, row->value, sizeof row->value);
	row->verdict = graded != GRADE_NONE ? ADOPT_PLAUSIBLE :
		is_sentinel(row, &value) ? ADOPT_NOT_THERE : ADOPT_DOUBTFUL;
	if (row->verdict == ADOPT_NOT_THERE)
		str_copy(row->why, sizeof row->why, "is a number that means \"not there\"");
	if (row->verdict == ADOPT_DOUBTFUL)
		say_why(row, &value);
	if (wire->spec.type != REGS_BIT)
		find_ways(image, row);
}

/* ---- the list as a whole ---- */

static int
tally_base(int tally)
{
	static const int bases[] = { 0, -1, 1 };

	return bases[tally / SWAPS];
}

/* The order that a row has when the whole list is turned like that. */
static const char *
turned(const struct adopt_row *row, int swap)
{
	int listed = listed_swap(wire_of(row));
	unsigned at = order_row(wire_of(row));
	int other = listed ^ swap;

	if (listed == -1)
		return NULL;
	/* One register has no words to swap, a half not even bytes. */
	if (at == 0)
		other &= SWAP_BYTES;
	return is_half(wire_of(row)->spec.type) ? orders[at][0] : orders[at][other];
}

static void
tally(struct adopt_result *result, const struct adopt_image *image, int at)
{
	struct adopt_tally *tally = &result->tallies[at];

	*tally = (struct adopt_tally){ .base = tally_base(at), .swap = swap_words[at % SWAPS] };
	for (size_t i = 0; i < result->count; i++) {
		struct adopt_row *row = &result->rows[i];
		const char *order;
		struct regs_value value;
		enum grade graded;

		if (row->verdict == ADOPT_UNREAD || row->verdict == ADOPT_NOT_THERE ||
			wire_of(row)->function <= 2 || wire_of(row)->spec.type == REGS_BIT)
			continue;
		order = turned(row, at % SWAPS);
		if (order == NULL || !read_way(image, row, tally->base, order, &value, &graded))
			continue;
		tally->rows++;
		tally->plausible += graded != GRADE_NONE;
		tally->confirmed += graded == GRADE_CONFIRMED;
	}
}

/* Better by at least two rows and a tenth of them, and no row fewer confirmed. Rows at the
 * edge cannot be read with another base, so shares are compared and not counts. */
static int
best_tally(const struct adopt_result *result)
{
	const struct adopt_tally *listed = &result->tallies[0];
	double best = listed->rows > 0 ? (double)listed->plausible / listed->rows : 1;
	int found = -1;

	for (int i = 1; i < ADOPT_TALLIES; i++) {
		const struct adopt_tally *other = &result->tallies[i];
		double share = other->rows > 0 ? (double)other->plausible / other->rows : 0;

		if (other->rows < 3 || other->rows * 2 < listed->rows || share < best + 0.1 ||
			other->confirmed < listed->confirmed || (found == -1 &&
			share * other->rows < best * other->rows + 2))
			continue;
		best = share;
		found = i;
	}
	return found;
}

static void
propose(const struct adopt_result *result, struct adopt_row *row)
{
	const struct adopt_tally *best = result->best == -1 ? NULL : &result->tallies[result->best];
	const char *order = best == NULL || wire_of(row)->function <= 2 ? NULL :
		turned(row, result->best % SWAPS);
	int chosen = -1;

	if (row->verdict != ADOPT_DOUBTFUL && (row->verdict != ADOPT_PLAUSIBLE || order == NULL))
		return;
	for (size_t i = 0; i < row->way_count; i++) {
		const struct adopt_way *way = &row->ways[i];

		if (order != NULL && way->base == best->base && strcmp(way->order, order) == 0) {
			chosen = (int)i;
			break;
		}
		if (row->verdict == ADOPT_DOUBTFUL && (chosen == -1 ||
			(way->confirmed && !row->ways[chosen].confirmed)))
			chosen = (int)i;
	}
	row->proposal = chosen;
	if (chosen != -1 && row->verdict == ADOPT_PLAUSIBLE)
		str_copy(row->why, sizeof row->why, "could be, but the list as a whole reads otherwise");
	if (chosen != -1)
		row->verdict = ADOPT_OTHERWISE;
}

void
adopt_judge(struct adopt_result *result, const struct adopt_image *image)
{
	for (size_t i = 0; i < result->count; i++)
		judge_row(image, &result->rows[i]);
	for (int i = 0; i < ADOPT_TALLIES; i++)
		tally(result, image, i);
	result->best = best_tally(result);
	memset(result->by_verdict, 0, sizeof result->by_verdict);
	for (size_t i = 0; i < result->count; i++) {
		propose(result, &result->rows[i]);
		result->by_verdict[result->rows[i].verdict]++;
	}
}

static void
say_tally(const struct adopt_tally *tally, char *to, size_t size)
{
	static const char *const swapped[] = { "", "swapped words", "swapped bytes",
		"swapped words and bytes" };
	const char *what = "";

	for (int swap = 0; swap < SWAPS; swap++)
		if (strcmp(tally->swap, swap_words[swap]) == 0)
			what = swapped[swap];
	snprintf(to, size, "%s%s%s", what, what[0] != '\0' && tally->base != 0 ? " and " : "",
		tally->base == 0 ? "" : tally->base < 0 ? "addresses one lower" :
		"addresses one higher");
}

/* High and low word of neighbours look alike from both sides: off by one is nearly the same as
 * swapped words, and only who knows the device can say which. */
const char *
adopt_advice(const struct adopt_result *result, char *to, size_t size)
{
	const struct adopt_tally *best = result->best == -1 ? NULL : &result->tallies[result->best];
	char what[80];
	size_t used;

	str_copy(to, size, "");
	if (best == NULL)
		return to;
	say_tally(best, what, sizeof what);
	snprintf(to, size, "the whole list with %s: %u of %u rows are plausible so, %u of %u as "
		"listed", what, best->plausible, best->rows, result->tallies[0].plausible,
		result->tallies[0].rows);
	for (int i = 1; i < ADOPT_TALLIES; i++) {
		const struct adopt_tally *other = &result->tallies[i];

		used = strlen(to);
		if (other == best || other->confirmed < best->confirmed || other->rows == 0 ||
			(uint64_t)other->plausible * best->rows < (uint64_t)best->plausible * other->rows)
			continue;
		say_tally(other, what, sizeof what);
		snprintf(to + used, size - used, "; or with %s: %u of %u", what, other->plausible,
			other->rows);
	}
	return to;
}

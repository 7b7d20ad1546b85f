#include "store/sheet.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/pending.h"

#define SECOND INT64_C(1000000000)
#define TIME_TEXT 24
#define SIGNIFICANT 17 /* digits that tell every double from its neighbours */
#define VALUE_TEXT (1 + SHEET_NUMBER)

/* ---- numbers: printf's own take longer than librrd takes for the whole update ---- */

#define MANTISSA_BITS 52
#define MANTISSA ((UINT64_C(1) << MANTISSA_BITS) - 1)
#define POWER_17 UINT64_C(100000000000000000)

static uint64_t
bits_of(double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof bits);
	return bits;
}

/* The n of 2^n <= a positive number. */
static int
exponent_of(uint64_t bits)
{
	return (int)(bits >> MANTISSA_BITS) - 1023;
}

/* "00", "01" to "99": two digits are had for one division. */
static const char pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
	"4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
	"888990919293949596979899";

static void
put_pair(char *to, uint32_t number)
{
	memcpy(to, pairs + 2 * number, 2);
}

/* Below 10^8, with zeros in front: all eight digits at once, one in each octet. Each step splits
 * its numbers by 10000, by 100 and by 10; the products stand for divisions. */
static inline void
put_eight(char *to, uint32_t number)
{
	uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
	uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f);
	uint64_t pairs_of = hundreds | (fours - hundreds * 100) << 16;
	uint64_t tens = (pairs_of * 103 >> 10) & UINT64_C(0xf000f000f000f);
	uint64_t digits = tens | (pairs_of - tens * 10) << 8;

	digits = htole64(digits | UINT64_C(0x3030303030303030));
	memcpy(to, &digits, sizeof digits);
}

/* Below 10^17, with zeros in front. */
static inline void
put_digits(char to[SIGNIFICANT], uint64_t number)
{
	uint64_t high = number / 100000000;

	put_eight(to + 9, (uint32_t)(number % 100000000));
	put_eight(to + 1, (uint32_t)(high % 100000000));
	to[0] = (char)('0' + high / 100000000);
}

static char *
put_whole(char *to, uint64_t number)
{
	char digits[24], *first = digits + sizeof digits;
	size_t count;

	for (; number >= 100; number /= 100)
		put_pair(first -= 2, (uint32_t)(number % 100));
	if (number >= 10)
		put_pair(first -= 2, (uint32_t)number);
	else
		*--first = (char)('0' + number);
	count = (size_t)(digits + sizeof digits - first);
	memcpy(to, first, count);
	return to + count;
}

/* What has at most three decimals, as most gauges have: how many thousandths it is; 0: it has
 * more. */
static inline uint64_t
thousandths_of(double size)
{
	double scaled = size * 1000;
	uint64_t number = (uint64_t)(scaled + 0.5);

	/* Most are far from any: a division is dear. */
	if ((scaled < 1e12 && fabs(scaled - (double)number) > 2e-3) || (double)number / 1000 != size)
		return 0;
	return number;
}

/* Of a number that is not whole. */
static char *
put_thousandths(char *to, uint64_t number)
{
	unsigned digits = 3, behind = (unsigned)(number % 1000);

	to = put_whole(to, number / 1000);
	for (; behind % 10 == 0; behind /= 10)
		digits--;
	*to = '.';
	for (unsigned i = digits; i > 0; i--, behind /= 10)
		to[i] = (char)('0' + behind % 10);
	return to + 1 + digits;
}

/* Rounded to a whole number: size * 10^n for n from 2 to 27, when that is below 2^63. A double
 * is 53 bits times a power of two, 5^27 has 63 bits: nothing is lost before the rounding. */
static uint64_t
times_power_of_ten(double size, int n)
{
	static const uint64_t fives[] = { 1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125,
		9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125, 152587890625,
		762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125,
		2384185791015625, 11920928955078125, 59604644775390625, 298023223876953125,
		1490116119384765625, 7450580596923828125 };
	uint64_t bits = bits_of(size), fraction = (bits & MANTISSA) | (MANTISSA + 1);
	int shift = -(exponent_of(bits) - MANTISSA_BITS + n);
	unsigned __int128 product = (unsigned __int128)fraction * fives[n];

	return (uint64_t)((product + ((unsigned __int128)1 << (shift - 1))) >> shift);
}

/* Copied at once, as a call for as many as there are takes longer: what is too much is written
 * over or lies behind the end. */
#define AT_ONCE 16

/* 17 digits of a number from 1e-9 up to 1e15 that is not whole, without zeros at the end. */
static inline char *
put_fraction(char *to, double size)
{
	/* 77/256 is a little less than the logarithm of 2: that of size, or one less. */
	int exponent = exponent_of(bits_of(size)) * 77 >> 8, count = SIGNIFICANT;
	uint64_t number = times_power_of_ten(size, SIGNIFICANT - 1 - exponent);
	char digits[SIGNIFICANT + AT_ONCE];

	if (number >= POWER_17)
		number = times_power_of_ten(size, SIGNIFICANT - 1 - ++exponent);
	put_digits(digits, number);
	memset(digits + SIGNIFICANT, '0', AT_ONCE);
	while (digits[count - 1] == '0')
		count--;
	if (exponent < 0) {
		/* 0.05 is 5 behind one zero. */
		memcpy(to, "0.00000000", 10);
		to += 1 - exponent;
		memcpy(to, digits, SIGNIFICANT);
		return to + count;
	}
	memcpy(to, digits, AT_ONCE);
	memcpy(to + exponent + 2, digits + exponent + 1, AT_ONCE);
	to[exponent + 1] = '.';
	return to + count + 1;
}

/* Its end; without a 0 behind it. */
static inline char *
put_number(char *to, double value)
{
	double size = fabs(value);
	uint64_t thousandths;

	if (size != 0 && (size < 1e-3 || size >= 1e15))
		return to + snprintf(to, SHEET_NUMBER, "%.*g", SIGNIFICANT, value);
	if (value < 0)
		*to++ = '-';
	if (size == (double)(int64_t)size)
		return put_whole(to, (uint64_t)size);
	thousandths = size < 1e12 ? thousandths_of(size) : 0;
	return thousandths != 0 ? put_thousandths(to, thousandths) : put_fraction(to, size);
}

size_t
sheet_number(char to[SHEET_NUMBER], double value)
{
	char *end = put_number(to, value);

	*end = '\0';
	return (size_t)(end - to);
}

/* ---- rows ---- */

static char *
names_of(const struct pending_file *file)
{
	char *names = mem_zero(file->ds_count * RRD_DS_NAME + 1), *to = names;

	for (size_t i = 0; i < file->ds_count; i++) {
		if (i > 0)
			*to++ = ':';
		str_copy(to, RRD_DS_NAME, file->ds[i].name);
		to += strlen(to);
	}
	return names;
}

struct sheet *
sheet_new(void)
{
	return mem_zero(sizeof(struct sheet));
}

void
sheet_free(struct sheet *sheet)
{
	if (sheet == NULL)
		return;
	free(sheet->names);
	free(sheet->values);
	free(sheet->text);
	free(sheet);
}

void
sheet_begin(struct sheet *sheet, const struct pending_file *file)
{
	size_t need = file->ds_count * SHEET_ROWS;

	sheet->width = file->ds_count;
	sheet->count = 0;
	if (need <= sheet->values_room)
		return;
	free(sheet->values);
	sheet->values = mem_array(need, sizeof *sheet->values);
	sheet->values_room = need;
}

/* row NULL: unknown in all data sources. */
static void
add_row(struct sheet *sheet, int64_t slot, const struct pending_row *row)
{
	double *to = sheet->values + sheet->count * sheet->width;
	size_t width = row == NULL ? 0 : row->width < sheet->width ? row->width : sheet->width;

	if (width > 0)
		memcpy(to, row->values, width * sizeof *to);
	for (size_t i = width; i < sheet->width; i++)
		to[i] = (double)NAN;
	sheet->last = sheet->slots[sheet->count++] = slot;
}

size_t
sheet_fill(struct sheet *sheet, struct pending *pending, struct pending_file *file, int64_t upto)
{
	struct pending_walk walk = pending_walk(pending, file);
	int64_t written = file->written;
	struct pending_row row = { 0 };
	bool has_row = pending_next(pending, file, &walk, &row);

	sheet->count = 0;
	sheet->has_gap = false;
	while (sheet->count < SHEET_ROWS && written < upto && !sheet->has_gap) {
		int64_t next = has_row && row.slot <= upto ? row.slot : upto + 1;

		if (next > written + 2 && sheet->count > 0)
			break;
		sheet->has_gap = next > written + 2;
		if (next > written + 1) {
			written = next - 1;
			add_row(sheet, written, NULL);
		} else {
			written = next;
			add_row(sheet, written, &row);
			has_row = pending_next(pending, file, &walk, &row);
		}
	}
	return sheet->count;
}

/* ---- as text ---- */

/* Most files have rows of the same times. */
static char *
put_time(char *to, struct sheet_time *time, int64_t seconds)
{
	if (time->length == 0 || time->seconds != seconds) {
		time->length = (unsigned)(put_whole(time->text, (uint64_t)seconds) - time->text);
		time->seconds = seconds;
	}
	memcpy(to, time->text, sizeof time->text);
	return to + time->length;
}

static char *
put_row(char *to, const double *values, size_t width)
{
	for (size_t i = 0; i < width; i++) {
		*to++ = ':';
		if (isnan(values[i]))
			*to++ = 'U';
		else
			to = put_number(to, values[i]);
	}
	*to = '\0';
	return to + 1;
}

void
sheet_write(struct sheet *sheet, const struct pending_file *file)
{
	size_t room = (TIME_TEXT + VALUE_TEXT * sheet->width) * SHEET_ROWS;
	char *to;

	free(sheet->names);
	sheet->names = file->in_order ? NULL : names_of(file);
	if (room > sheet->room) {
		free(sheet->text);
		sheet->text = mem_grow(NULL, room, 1);
		sheet->room = room;
	}
	to = sheet->text;
	for (size_t i = 0; i < sheet->count; i++) {
		sheet->rows[i] = to;
		to = put_time(to, &sheet->times[i], sheet->slots[i] * (file->step / SECOND));
		to = put_row(to, sheet->values + i * sheet->width, sheet->width);
	}
}

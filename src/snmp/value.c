#include "snmp/value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/str.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "snmp/snmp.h"

const char *
value_type_word(enum value_type type)
{
	static const char *const words[] = {
		[VALUE_NONE] = "none",
		[VALUE_INTEGER] = "INTEGER",
		[VALUE_GAUGE] = "Gauge32",
		[VALUE_COUNTER32] = "Counter32",
		[VALUE_COUNTER64] = "Counter64",
		[VALUE_TICKS] = "TimeTicks",
		[VALUE_REAL] = "Opaque float",
		[VALUE_OCTETS] = "OCTET STRING",
		[VALUE_OID] = "OBJECT IDENTIFIER",
		[VALUE_ADDRESS] = "IpAddress",
		[VALUE_OPAQUE] = "Opaque",
		[VALUE_NULL] = "NULL",
		[VALUE_NO_SUCH_OBJECT] = "noSuchObject",
		[VALUE_NO_SUCH_INSTANCE] = "noSuchInstance",
		[VALUE_END_OF_VIEW] = "endOfMibView",
	};

	return words[type];
}

bool
value_is_there(const struct value *value)
{
	return value_type_is_there(value->type);
}

/* ---- numbers in text ---- */

static bool
is_digit(const uint8_t *p, const uint8_t *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

/* "e3", "E-05": a power of ten, of three digits at most, and not the beginning of a word. */
static size_t
read_exponent(char *digits, const uint8_t **text, const uint8_t *end)
{
	const uint8_t *p = *text;
	size_t n = 0;

	if (p == end || (*p != 'e' && *p != 'E'))
		return 0;
	digits[n++] = (char)*p++;
	if (p < end && (*p == '-' || *p == '+'))
		digits[n++] = (char)*p++;
	if (!is_digit(p, end))
		return 0;
	while (is_digit(p, end) && n < 5)
		digits[n++] = (char)*p++;
	*text = p;
	return n;
}

/* ":AA" and nothing behind it but the next such pair: a MAC address. */
static bool
goes_on_as_mac(const uint8_t *p, const uint8_t *end)
{
	return end - p >= 3 && isxdigit(p[1]) && isxdigit(p[2]) && (end - p == 3 || p[3] == ':');
}

/* Thousands apart, as "1 234,5" and "1'234": by blanks, apostrophes, and those of other character
 * sets. */
static bool
goes_on_behind_blanks(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\'' || *p >= 0x80))
		p++;
	return is_digit(p, end);
}

/* "10.1.3.1", "1:30", "2026-11-22", "0x1F", "00:AA:0B", "1 234" and "1e2000" begin with a number
 * and are none; in "0:Off" it stands before its word. */
static bool
goes_on(const uint8_t *p, const uint8_t *end)
{
	if (p == end)
		return false;
	if (goes_on_behind_blanks(p, end) || *p == 'x' || *p == 'X')
		return true;
	if (*p == ':' && goes_on_as_mac(p, end))
		return true;
	return *p != '\0' && strchr(".,:-/", *p) != NULL && is_digit(p + 1, end);
}

bool
value_number(const uint8_t *text, size_t size, double *number)
{
	const uint8_t *p = text, *end = text + size;
	char digits[72];
	size_t n = 0;
	bool any = false;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < end && (*p == '-' || *p == '+')) {
		if (*p == '-')
			digits[n++] = '-';
		p++;
	}
	for (; is_digit(p, end) && n < 40; p++, any = true)
		digits[n++] = (char)*p;
	if (is_digit(p, end))
		return false;
	if (any && p < end && (*p == '.' || *p == ',') && is_digit(p + 1, end)) {
		digits[n++] = '.';
		for (p++; is_digit(p, end); p++)
			if (n < 64)
				digits[n++] = (char)*p;
	}
	n += any ? read_exponent(digits + n, &p, end) : 0;
	digits[n] = '\0';
	if (!any || goes_on(p, end))
		return false;
	return str_double(digits, number, NULL) == 0;
}

/* ---- text ---- */

/* Bytes of the UTF-8 character at p, 0 when it is none (RFC 3629). */
static size_t
utf8_size(const uint8_t *p, size_t left)
{
	size_t size = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 :
		p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (size == 0 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return size;
}

static bool
is_readable(const uint8_t *octets, size_t size)
{
	size_t strange = 0;

	for (size_t i = 0; i < size; i++)
		if ((octets[i] < 0x20 && (octets[i] < '\t' || octets[i] > '\r')) ||
			octets[i] == 0x7f)
			strange++;
	return strange == 0;
}

static void
hex_text(char *to, size_t size, const uint8_t *octets, size_t count)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < count && used + 4 <= size; i++)
		used += (size_t)snprintf(to + used, size - used, i ? ":%02x" : "%02x", octets[i]);
}

/* ISO 8859-1, as web pages of agents write it: there is what is no UTF-8, and nothing that only
 * UTF-8 would have. */
static bool
is_latin(const uint8_t *octets, size_t count)
{
	bool strange = false;

	for (size_t i = 0; i < count; i++) {
		size_t step = utf8_size(octets + i, count - i);

		if (step > 1)
			return false;
		strange |= step == 0;
	}
	return strange;
}

/* The character at octets, as one of `step` octets of UTF-8 or as Latin-1 where step is 0. Returns
 * how many octets it takes. */
static size_t
put_character(char to[4], const uint8_t *octets, size_t step, bool latin)
{
	uint8_t c = octets[0];

	if (step > 1) {
		memcpy(to, octets, step);
		return step;
	}
	if (step == 0 && latin && c >= 0xa0) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = c < 0x20 ? ' ' : step == 1 ? (char)c : '?';
	return 1;
}

static void
octets_text(char *to, size_t size, const uint8_t *octets, size_t count)
{
	size_t used = 0;
	bool latin;

	while (count > 0 && (octets[count - 1] == '\0' || octets[count - 1] == ' '))
		count--;
	while (count > 0 && (octets[0] == ' ' || octets[0] == '\t')) {
		octets++;
		count--;
	}
	if (!is_readable(octets, count)) {
		hex_text(to, size, octets, count);
		return;
	}
	latin = is_latin(octets, count);
	while (count > 0) {
		size_t step = utf8_size(octets, count), length;
		char character[4];

		length = put_character(character, octets, step, latin);
		if (used + length >= size)
			break;
		memcpy(to + used, character, length);
		used += length;
		step = step ? step : 1;
		octets += step;
		count -= step;
	}
	while (used > 0 && to[used - 1] == ' ')
		used--;
	to[used] = '\0';
}

const char *
value_text(char *to, size_t size, const struct value *value)
{
	to[0] = '\0';
	switch (value->type) {
	case VALUE_INTEGER:
		snprintf(to, size, "%lld", (long long)value->integer);
		break;
	case VALUE_GAUGE:
	case VALUE_COUNTER32:
	case VALUE_COUNTER64:
	case VALUE_TICKS:
		snprintf(to, size, "%llu", (unsigned long long)value->count);
		break;
	case VALUE_REAL:
		str_number(to, size, value->real);
		break;
	case VALUE_OID:
		snmp_oid_text(to, size, value->ids, value->size);
		break;
	case VALUE_ADDRESS:
		if (value->size == 4)
			snprintf(to, size, "%u.%u.%u.%u", value->octets[0], value->octets[1],
				value->octets[2], value->octets[3]);
		break;
	case VALUE_OCTETS:
		octets_text(to, size, value->octets, value->size);
		break;
	case VALUE_OPAQUE:
		hex_text(to, size, value->octets, value->size);
		break;
	default:
		break;
	}
	return to;
}

/* ---- numbers that mean "not supported" ---- */

static bool
range_end(const char *text, double *end)
{
	uint64_t bits;

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return str_double(text, end, NULL) == 0;
	if (str_uint(text, &bits, NULL) == -1)
		return false;
	*end = (double)bits;
	return true;
}

int
snmp_range_parse(const char *text, struct snmp_range *range, struct fail *why)
{
	const char *dots = strstr(text, "..");
	char from[64];

	if (!str_copy(from, sizeof from, text)) {
		fail_set(why, "invalid \"%s\": too long for a number", text);
		return -1;
	}
	if (dots != NULL)
		from[dots - text] = '\0';
	if (!range_end(from, &range->from) ||
		!range_end(dots != NULL ? dots + 2 : from, &range->to)) {
		fail_set(why, "invalid \"%s\": not a number, nor two with .. between", text);
		return -1;
	}
	if (!(range->from <= range->to)) {
		fail_set(why, "invalid \"%s\": the range is empty, write the lower end first",
			text);
		return -1;
	}
	return 0;
}

static bool
is_invalid(const struct snmp_point *wire, double number)
{
	for (size_t i = 0; wire != NULL && i < wire->invalid_count; i++)
		if (number >= wire->invalid[i].from && number <= wire->invalid[i].to)
			return true;
	return false;
}

/* ---- readings ---- */

static uint8_t
read_counter(const struct value *value, struct reading *reading)
{
	double number;

	reading->bits = value->type == VALUE_COUNTER64 ? 64 : 32;
	switch (value->type) {
	case VALUE_COUNTER32:
	case VALUE_COUNTER64:
	case VALUE_GAUGE: /* agents that were written by hand count in these, too */
	case VALUE_TICKS:
		reading->raw = value->count;
		return REASON_GOOD;
	case VALUE_INTEGER:
		if (value->integer < 0)
			return REASON_INVALID_VALUE;
		reading->raw = (uint64_t)value->integer;
		return REASON_GOOD;
	case VALUE_OCTETS:
		/* Text has no width at which it goes round: 64. Above 2^53 digits are lost. */
		if (!value_number(value->octets, value->size, &number) || number < 0 ||
			number > 9007199254740992.0 || number != floor(number))
			return REASON_INVALID_VALUE;
		reading->bits = 64;
		reading->raw = (uint64_t)number;
		return REASON_GOOD;
	default:
		return REASON_BAD_REPLY;
	}
}

/* An agent may leave out zero octets at the end, even all. */
static uint8_t
read_bits(const struct value *value, const struct snmp_point *wire, struct reading *reading,
	double *number)
{
	int64_t result = wire->bits == SNMP_BITS_ONE ? 0 : -1;

	if (value->type != VALUE_OCTETS)
		return REASON_BAD_REPLY;
	for (size_t i = 0; i < value->size * 8; i++) {
		if ((value->octets[i / 8] & 0x80 >> i % 8) == 0)
			continue;
		if (wire->bits == SNMP_BITS_FIRST) {
			result = (int64_t)i;
			break;
		}
		if (i == wire->bit)
			result = 1;
	}
	reading->raw = (uint64_t)result;
	reading->whole = true;
	*number = (double)result;
	return REASON_GOOD;
}

static uint8_t
read_number(const struct value *value, struct reading *reading, double *number)
{
	switch (value->type) {
	case VALUE_INTEGER:
		reading->raw = (uint64_t)value->integer;
		reading->whole = true;
		*number = (double)value->integer;
		return REASON_GOOD;
	case VALUE_GAUGE:
	case VALUE_COUNTER32:
	case VALUE_COUNTER64:
	case VALUE_TICKS:
		reading->raw = value->count;
		reading->whole = true;
		reading->beyond = value->count > INT64_MAX;
		*number = (double)value->count;
		return REASON_GOOD;
	case VALUE_REAL:
		*number = value->real;
		break;
	case VALUE_OCTETS:
		if (!value_number(value->octets, value->size, number))
			return REASON_INVALID_VALUE;
		break;
	default:
		return REASON_BAD_REPLY;
	}
	if (!isfinite(*number))
		return REASON_INVALID_VALUE;
	reading->whole = *number == floor(*number) && fabs(*number) < 9e15;
	if (reading->whole)
		reading->raw = (uint64_t)(int64_t)*number;
	return REASON_GOOD;
}

static uint8_t
read_kind(const struct value *value, const struct point *point, double scale,
	struct reading *reading, char *line, size_t line_size)
{
	const struct snmp_point *wire = point->wire;
	double number;
	uint8_t reason;

	if (value->type == VALUE_NONE)
		return REASON_BAD_REPLY;
	if (!value_is_there(value))
		return REASON_NO_SUCH_OBJECT;
	switch (point->kind) {
	case POINT_COUNTER:
		reason = read_counter(value, reading);
		return reason == REASON_GOOD && is_invalid(wire, (double)reading->raw) ?
			REASON_INVALID_VALUE : reason;
	case POINT_TEXT:
		reading->text = value_text(line, line_size, value);
		return REASON_GOOD;
	default:
		reason = wire != NULL && wire->bits != SNMP_BITS_NONE ?
			read_bits(value, wire, reading, &number) :
			read_number(value, reading, &number);
		if (reason == REASON_GOOD && is_invalid(wire, number))
			return REASON_INVALID_VALUE;
		if (reason == REASON_GOOD)
			reading->number = number * scale * point->scale + point->offset;
		return reason;
	}
}

uint8_t
value_read(const struct value *value, const struct point *point, double scale,
	struct reading *reading, char *line, size_t line_size)
{
	reading->reason = read_kind(value, point, scale, reading, line, line_size);
	return reading->reason;
}

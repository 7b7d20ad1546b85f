#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#ifdef __x86_64__
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

#include "base/fail.h"

bool
str_copy(char *to, size_t size, const char *text)
{
	size_t length = strnlen(text, size);

	if (length < size) {
		memcpy(to, text, length + 1);
		return true;
	}
	memcpy(to, text, size - 1);
	to[size - 1] = '\0';
	return false;
}

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },
	{ "h", 3600000000000 }, { "d", 86400000000000 }, { NULL, 0 },
};
static const struct unit size_units[] = {
	{ "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "", 1 }, { NULL, 0 },
};

static int
parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
	char *end;
	unsigned long long number;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0)
		return -1;
	for (; units->name != NULL; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		if (number > (unsigned long long)(INT64_MAX / units->factor))
			return -1;
		*value = (int64_t)number * units->factor;
		return 0;
	}
	return -1;
}

int
str_duration(const char *text, int64_t *ns, struct fail *why)
{
	if (parse_with_unit(text, duration_units, ns) == 0)
		return 0;
	fail_set(why, "\"%s\" is not a duration: expected \"500ms\", \"10s\", \"5m\", \"24h\" or \"30d\"",
		text);
	return -1;
}

int
str_size(const char *text, int64_t *bytes, struct fail *why)
{
	if (parse_with_unit(text, size_units, bytes) == 0)
		return 0;
	fail_set(why, "\"%s\" is not a size: expected \"64K\", \"256M\" or \"2G\"", text);
	return -1;
}

int
str_uint(const char *text, uint64_t *value, struct fail *why)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end = NULL;

	errno = 0;
	if (hex ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits)) {
		*value = strtoull(digits, &end, hex ? 16 : 10);
		if (*end == '\0' && errno == 0)
			return 0;
	}
	fail_set(why, errno == ERANGE ? "\"%s\" is too large a number" : "\"%s\" is not a whole number",
		text);
	return -1;
}

int
str_int(const char *text, int64_t *value, struct fail *why)
{
	bool negative = text[0] == '-';
	uint64_t size;

	if (str_uint(negative ? text + 1 : text, &size, why) == -1)
		return -1;
	if (size > (uint64_t)INT64_MAX + negative) {
		fail_set(why, "\"%s\" is too large a number", text);
		return -1;
	}
	*value = negative ? (int64_t)(0 - size) : (int64_t)size;
	return 0;
}

static locale_t posix_locale;

static void
make_posix_locale(void)
{
	posix_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t
posix(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_posix_locale);
	return posix_locale;
}

int
str_double(const char *text, double *value, struct fail *why)
{
	const char *first = text + (*text == '-' || *text == '+');
	char *end = NULL;

	if (isdigit((unsigned char)*first) || (*first == '.' && isdigit((unsigned char)first[1]))) {
		*value = strtod_l(text, &end, posix());
		if (*end == '\0' && isfinite(*value))
			return 0;
	}
	fail_set(why, "\"%s\" is not a number", text);
	return -1;
}

const char *
str_number(char *to, size_t size, double value)
{
	locale_t old = uselocale(posix());

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(to, size, "%.*g", digits, value);
		if (isnan(value) || strtod(to, NULL) == value)
			break;
	}
	if (fabs(value) < 1e15 && rint(value) == value)
		snprintf(to, size, "%.0f", value); /* 65000, not 6.5e+04 */
	if (isnan(value))
		str_copy(to, size, "nan");
	uselocale(old);
	return to;
}

const char *
str_time_span(char *to, size_t size, int64_t ns)
{
	int64_t seconds = ns / 1000000000;

	if (ns % 1000000000 != 0 && seconds < 10)
		snprintf(to, size, "%lldms", (long long)(ns / 1000000));
	else if (seconds < 120)
		snprintf(to, size, "%llds", (long long)seconds);
	else if (seconds < 7200)
		snprintf(to, size, "%lldm%02llds", (long long)(seconds / 60), (long long)(seconds % 60));
	else if (seconds < 172800)
		snprintf(to, size, "%lldh%02lldm", (long long)(seconds / 3600),
			(long long)(seconds / 60 % 60));
	else
		snprintf(to, size, "%lldd%02lldh", (long long)(seconds / 86400),
			(long long)(seconds / 3600 % 24));
	return to;
}

const char *
str_utc(char *to, size_t size, int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	snprintf(to, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
		utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
		(int)(wall_ns / 1000000 % 1000));
	return to;
}

bool
str_glob(const char *glob, const char *text)
{
	const char *star = NULL, *resume = NULL;

	/* One remembered star is enough: a later star makes an earlier one's choice final. */
	while (*text != '\0') {
		if (*glob == '*') {
			star = glob++;
			resume = text;
		} else if (*glob == '?' || *glob == *text) {
			glob++;
			text++;
		} else if (star != NULL) {
			glob = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*glob == '*')
		glob++;
	return *glob == '\0';
}

bool
str_is_glob(const char *text)
{
	return strpbrk(text, "*?") != NULL;
}

static bool
is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '.' || c == '_' || c == '-';
}

bool
str_is_name(const char *text)
{
	size_t length = strlen(text);

	if (length < 1 || length > 40 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	while (*text != '\0')
		if (!is_name_character(*text++))
			return false;
	return true;
}

const char *
str_file_name(char *to, size_t size, const char *text)
{
	size_t used = 0;

	for (const char *c = text; *c != '\0' && used + 4 < size; c++) {
		if (is_name_character(*c) && !(c == text && *c == '.'))
			to[used++] = *c;
		else
			used += (size_t)snprintf(to + used, 4, "%%%02X", (unsigned char)*c);
	}
	to[used] = '\0';
	return to;
}

/* Characters to change, put in or leave out. */
static size_t
distance_of(const char *a, const char *b)
{
	size_t width = strlen(b), row[65], height = strlen(a);

	if (width > 64 || height > 64)
		return SIZE_MAX;
	for (size_t x = 0; x <= width; x++)
		row[x] = x;
	for (size_t y = 1; y <= height; y++) {
		size_t corner = row[0];

		row[0] = y;
		for (size_t x = 1; x <= width; x++) {
			size_t swap = corner + (tolower((unsigned char)a[y - 1]) !=
				tolower((unsigned char)b[x - 1]));
			size_t best = row[x] < row[x - 1] ? row[x] + 1 : row[x - 1] + 1;

			corner = row[x];
			row[x] = swap < best ? swap : best;
		}
	}
	return row[width];
}

const char *
str_nearest(const char *word, const char *const *list)
{
	size_t limit = strlen(word) / 3 + 1, best_distance = limit + 1;
	const char *best = NULL;

	for (; *list != NULL; list++) {
		size_t distance = distance_of(word, *list);

		/* What begins so is meant before all others: "2" is "2c" and not "1". */
		if (distance <= limit && strncasecmp(*list, word, strlen(word)) == 0)
			distance = 0;
		if (distance < best_distance) {
			best_distance = distance;
			best = *list;
		}
	}
	return best;
}

uint64_t
str_hash(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdu;
	return hash ^ hash >> 33;
}

/* Castagnoli polynomial, reflected (RFC 3720 appendix B.4), eight bytes a step. */
static uint32_t crc_table[8][256];

static void
make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
		crc_table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int slice = 1; slice < 8; slice++)
			crc_table[slice][i] = crc_table[slice - 1][i] >> 8 ^
				crc_table[0][crc_table[slice - 1][i] & 0xff];
}

static uint32_t
crc_by_table(uint32_t crc, const unsigned char *bytes, size_t size)
{
	for (; size >= 8; size -= 8, bytes += 8) {
		crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
			(uint32_t)bytes[3] << 24;
		crc = crc_table[7][crc & 0xff] ^ crc_table[6][crc >> 8 & 0xff] ^
			crc_table[5][crc >> 16 & 0xff] ^ crc_table[4][crc >> 24] ^
			crc_table[3][bytes[4]] ^ crc_table[2][bytes[5]] ^
			crc_table[1][bytes[6]] ^ crc_table[0][bytes[7]];
	}
	for (; size > 0; size--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *bytes++) & 0xff];
	return crc;
}

static uint32_t (*crc_over)(uint32_t crc, const unsigned char *bytes, size_t size);

#ifdef __x86_64__
/* Each instruction waits for the one before it, three times as long as it takes: so three pieces
 * of so many words at a time, side by side. */
#define CRC_WORDS 64
#define CRC_WORDS_LEAST 8

/* x^(64 n - 33) modulo the polynomial: times that and x^33, which multiplying and the instruction
 * add, is what n words behind it make of a checksum. */
static uint32_t crc_behind[2 * CRC_WORDS + 1];

static void
make_crc_behind(void)
{
	uint32_t power = 1; /* x^31: the lowest bit is the highest power */

	for (int words = 1; words <= 2 * CRC_WORDS; words++) {
		crc_behind[words] = power;
		for (int bit = 0; bit < 64; bit++)
			power = power >> 1 ^ (power & 1 ? 0x82f63b78u : 0);
	}
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
crc_times(uint64_t crc, uint32_t power)
{
	return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
		_mm_cvtsi64_si128(power), 0));
}

static inline uint64_t
load_word(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Of 3 x words. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t
crc_side_by_side(uint64_t crc, const unsigned char *bytes, size_t words)
{
	uint64_t second = 0, third = 0;

	for (const unsigned char *end = bytes + 8 * words; bytes < end; bytes += 8) {
		crc = _mm_crc32_u64(crc, load_word(bytes));
		second = _mm_crc32_u64(second, load_word(bytes + 8 * words));
		third = _mm_crc32_u64(third, load_word(bytes + 16 * words));
	}
	return third ^ _mm_crc32_u64(0, crc_times(crc, crc_behind[2 * words]) ^
		crc_times(second, crc_behind[words]));
}

/* The processor's own instruction, where it has it: five times as fast, ten times where there is
 * much. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_by_processor(uint32_t crc, const unsigned char *bytes, size_t size)
{
	uint64_t wide = crc;

	while (size >= 24 * CRC_WORDS_LEAST) {
		size_t words = size / 24 < CRC_WORDS ? size / 24 : CRC_WORDS;

		wide = crc_side_by_side(wide, bytes, words);
		bytes += 24 * words;
		size -= 24 * words;
	}
	for (; size >= 8; size -= 8, bytes += 8)
		wide = _mm_crc32_u64(wide, load_word(bytes));
	crc = (uint32_t)wide;
	for (; size > 0; size--)
		crc = _mm_crc32_u8(crc, *bytes++);
	return crc;
}

static void
choose_crc(void)
{
	__builtin_cpu_init();
	crc_over = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") ?
		crc_by_processor : crc_by_table;
	make_crc_table();
	make_crc_behind();
}
#else
static void
choose_crc(void)
{
	crc_over = crc_by_table;
	make_crc_table();
}
#endif

uint32_t
str_crc32c(uint32_t crc, const void *data, size_t size)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_crc);
	return ~crc_over(~crc, data, size);
}

uint32_t
str_crc32c_portable(uint32_t crc, const void *data, size_t size)
{
	str_crc32c(0, NULL, 0);
	return ~crc_by_table(~crc, data, size);
}

#include "mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 3
#define HANGS_AFTER 60

static uint64_t state;
static time_t until;
static unsigned long rounds;

static time_t
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void
fuzz_begin(const char *what)
{
	const char *seed = getenv("PW_FUZZ_SEED"), *length = getenv("PW_FUZZ_SECONDS");
	unsigned long for_seconds = length != NULL ? strtoul(length, NULL, 10) : SECONDS;

	state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	printf("%s: PW_FUZZ_SEED=%llu\n", what, (unsigned long long)state);
	fflush(stdout);
	until = seconds() + (time_t)for_seconds;
	rounds = 0;
	alarm((unsigned)for_seconds + HANGS_AFTER);
}

bool
fuzz_goes_on(void)
{
	rounds++;
	return seconds() < until;
}

void
fuzz_end(void)
{
	alarm(0);
	printf("%lu rounds\n", rounds);
}

uint32_t
fuzz_roll(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* Octets that mean something to somebody on the way. */
static uint8_t
octet(void)
{
	static const uint8_t special[] = { 0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff,
		0x30, 0x04, 0x05, 0x06, 0x41, 0x42, 0x43, 0x44, 0x46, 0xa0, 0xa2, 0xa8 };

	return fuzz_roll(2) == 0 ? special[fuzz_roll(sizeof special)] : (uint8_t)fuzz_roll(256);
}

static void
change(uint8_t *bytes, size_t at, size_t count, const bool *kept)
{
	for (; count > 0; count--, at++)
		if (kept == NULL || !kept[at])
			bytes[at] = fuzz_roll(3) == 0 ? bytes[at] ^ (uint8_t)(1u << fuzz_roll(8)) : octet();
}

static size_t
take_out(uint8_t *bytes, size_t size, size_t at, size_t count, bool *kept)
{
	for (size_t i = at; kept != NULL && i < at + count; i++)
		if (kept[i])
			return size;
	memmove(bytes + at, bytes + at + count, size - at - count);
	if (kept != NULL)
		memmove(kept + at, kept + at + count, (size - at - count) * sizeof *kept);
	return size - count;
}

static size_t
put_in(uint8_t *bytes, size_t size, size_t at, size_t count, bool *kept)
{
	if (kept != NULL && at < size && kept[at] && at > 0 && kept[at - 1])
		return size;
	memmove(bytes + at + count, bytes + at, size - at);
	if (kept != NULL) {
		memmove(kept + at + count, kept + at, (size - at) * sizeof *kept);
		memset(kept + at, 0, count * sizeof *kept);
	}
	for (size_t i = 0; i < count; i++)
		bytes[at + i] = octet();
	return size + count;
}

size_t
fuzz_mutate(uint8_t *bytes, size_t size, size_t room, bool *kept)
{
	uint32_t most = 1 + fuzz_roll(3);
	size_t before = size;

	for (uint32_t n = 0; n < most && size > 0; n++) {
		/* What comes in where something went out would take the place of what is kept. */
		bool moves = kept == NULL || size == before;
		size_t at = fuzz_roll((uint32_t)size), count = 1 + fuzz_roll(fuzz_roll(4) == 0 ? 16 : 2);

		switch (fuzz_roll(8)) {
		case 0: /* cut off */
			if (moves)
				size = at;
			break;
		case 1: /* something behind the end */
			at = size;
			/* fall through */
		case 2:
			if (moves && size + count <= room)
				size = put_in(bytes, size, at, count, kept);
			break;
		case 3:
			if (moves && count <= size - at)
				size = take_out(bytes, size, at, count, kept);
			break;
		default:
			if (count <= size - at)
				change(bytes, at, count, kept);
			break;
		}
	}
	return size;
}

#include "modbus/bustime.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)
#define FAST_BAUD 19200           /* above it the pause does not shrink any more */
#define FAST_GAP INT64_C(1750000)

enum {
	QUESTION = 8,     /* unit, function, address, count, CRC */
	ANSWER = 5        /* unit, function, byte count, CRC; and the data */
};

static int64_t
longer(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

void
bustime_speed(struct bustime *time, uint32_t baud, unsigned bits)
{
	time->character = (int64_t)bits * SECOND / (int64_t)baud;
	time->gap = baud > FAST_BAUD ? FAST_GAP : time->character * 7 / 2;
}

void
bustime_silence(struct bustime *time, int64_t timeout, int64_t quiet, int64_t wait,
	unsigned tries)
{
	int64_t told = time->network +
		(int64_t)tries * (time->gap + QUESTION * time->character + wait);

	time->silence = wait > 0 && told < timeout ? told : timeout + quiet;
}

int64_t
bustime_exchange(const struct bustime *time, enum adu_function function, uint16_t count)
{
	bool bits = function == ADU_COILS || function == ADU_DISCRETE_INPUTS;
	int64_t data = bits ? (count + 7) / 8 : 2 * (int64_t)count;

	return longer(time->pace, longer(time->request_gap, time->gap) + time->network +
		(QUESTION + ANSWER + data) * time->character + longer(time->turnaround, time->gap));
}

int64_t
bustime_silent(const struct bustime *time)
{
	return longer(time->pace, time->request_gap + time->silence);
}

static int
by_damage(const void *left, const void *right)
{
	const struct bustime_unit *a = left, *b = right;
	int64_t one = a->silent - a->round, other = b->silent - b->round;

	return (one < other) - (one > other);
}

struct bustime_sum
bustime_line(struct bustime_unit *units, size_t count, size_t dead)
{
	struct bustime_sum sum = { 0 };
	double probes = 0;

	if (count > 0)
		qsort(units, count, sizeof *units, by_damage);
	for (size_t i = 0; i < count; i++) {
		sum.round += i < dead ? units[i].silent : units[i].round;
		if (i < dead)
			probes += units[i].dead_load;
		else
			sum.load += units[i].load;
	}
	sum.load += dead < count && probes > 0.5 ? 0.5 : probes;
	return sum;
}

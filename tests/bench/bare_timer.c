/* bare_timer - how late this machine wakes a process that does nothing else.
 *
 *   bare_timer FILE     until SIGTERM; then "p50 MS", "p99 MS", "max MS" in FILE
 *
 * Sleeps until each whole tick of 10 ms and reads the clock. Run beside a measurement it
 * tells what of a delay is the machine's: no program can be more punctual than this one. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND 1000000000LL
#define TICK 10000000LL
#define MOST 100000

static volatile sig_atomic_t stopped;
static int64_t late[MOST];

static void
stop(int number)
{
	(void)number;
	stopped = 1;
}

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
main(int argc, char **argv)
{
	int64_t due = now() / TICK * TICK;
	size_t count = 0;
	FILE *file;

	if (argc != 2)
		return 2;
	signal(SIGTERM, stop);
	while (!stopped && count < MOST) {
		struct timespec at = { (due + TICK) / SECOND, (due + TICK) % SECOND };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
			continue;
		due += TICK;
		/* Ticks slept through count as well: a poll was due on each of them. */
		late[count++] = now() - due;
	}
	file = fopen(argv[1], "we");
	if (file == NULL || count == 0)
		return 1;
	qsort(late, count, sizeof late[0], compare);
	fprintf(file, "p50 %.3f\np99 %.3f\nmax %.3f\n", (double)late[count / 2] / 1e6,
		(double)late[count * 99 / 100] / 1e6, (double)late[count - 1] / 1e6);
	return fclose(file) == 0 ? 0 : 1;
}

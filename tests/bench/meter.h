/* meter.h - the two clocks of a benchmark: time, and processor time of this process. */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#define METER_SECOND INT64_C(1000000000)

/* Monotonic time in ns. */
static inline int64_t
meter_mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * METER_SECOND + t.tv_nsec;
}

/* Of user and kernel, in seconds. */
static inline double
meter_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
#endif

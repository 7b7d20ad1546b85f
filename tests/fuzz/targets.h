/* targets.h - what reads octets that others wrote, each as one call: no crash, no hang,
 * nothing read beyond the end. All return 0. entry.c makes a libFuzzer program of one. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* Octets at the very end of their own memory: a read behind them is seen by ASan. */
static inline uint8_t *
own(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

int fuzz_ber(const uint8_t *data, size_t size);
/* Alone, beside the question, and as a table does; both in snmp_targets.c. */
int fuzz_fast(const uint8_t *data, size_t size);
/* A message of SNMPv3, and what is within one; the first octet chooses the hash and the cipher;
 * seal_target.c. */
int fuzz_seal(const uint8_t *data, size_t size);
/* The first octet chooses framing and question. */
int fuzz_adu(const uint8_t *data, size_t size);
int fuzz_regs(const uint8_t *data, size_t size); /* registers as any type */
/* What a whole line gets back, with TCP and with RTU framing; line_target.c. */
int fuzz_mbap(const uint8_t *data, size_t size);
int fuzz_rtu(const uint8_t *data, size_t size);
int fuzz_record(const uint8_t *data, size_t size); /* frames and what is in them */
/* A catalogue, and a file of the newest values, in a scratch folder that is made once. */
int fuzz_series(const uint8_t *data, size_t size);
int fuzz_latest(const uint8_t *data, size_t size);
#endif

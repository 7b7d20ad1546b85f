#include "../check.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCKS 256
#define SIZE (32u << 10)

/* A sanitizer brings a malloc of its own, of which nothing is known. */
static bool
is_glibc(void)
{
	size_t before = mallinfo2().uordblks;
	char *block = mem_zero(SIZE);
	bool counts = mallinfo2().uordblks >= before + SIZE;

	free(block);
	return counts;
}

static void
a_hole_in_the_heap_is_idle_until_it_is_given_back(void)
{
	char *blocks[BLOCKS], *above;
	long used, hole;

	mem_settle();
	if (!is_glibc()) {
		puts("skipped: another malloc than the C library's");
		return;
	}
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = mem_zero(SIZE);
		memset(blocks[i], 1, SIZE);
	}
	above = mem_zero(SIZE);
	used = mem_idle();
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	hole = mem_idle();
	CHECK(hole > used + BLOCKS * (long)SIZE / 2);
	mem_trim();
	CHECK(mem_idle() < hole - BLOCKS * (long)SIZE / 2);
	free(above);
}

RUN_TESTS(TEST(a_hole_in_the_heap_is_idle_until_it_is_given_back))

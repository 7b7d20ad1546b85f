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

static void
the_first_look_gives_holes_back_whatever_is_idle_beside_blocks_never_written(void)
{
	char *blocks[BLOCKS], *above, *unwritten[64];
	struct mem_holes holes = { .known = false };
	long hole;

	mem_settle();
	if (!is_glibc()) {
		puts("skipped: another malloc than the C library's");
		return;
	}
	for (int i = 0; i < BLOCKS; i++)
		memset(blocks[i] = mem_zero(SIZE), 1, SIZE);
	above = mem_zero(SIZE);
	for (int i = 0; i < 64; i++)
		unwritten[i] = mem_grow(NULL, 1, 8 * SIZE - 64);
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	hole = mem_idle();
	CHECK(hole < 0);
	mem_look(&holes, SIZE);
	CHECK(mem_idle() < hole - BLOCKS * (long)SIZE / 2);
	free(above);
	for (int i = 0; i < 64; i++)
		free(unwritten[i]);
}

static void
what_came_and_went_since_is_given_back_when_it_is_worth_it(void)
{
	char *blocks[BLOCKS], *above;
	struct mem_holes holes = { .known = false };
	long before, hole;

	mem_settle();
	if (!is_glibc()) {
		puts("skipped: another malloc than the C library's");
		return;
	}
	mem_look(&holes, SIZE);
	for (int i = 0; i < BLOCKS; i++)
		memset(blocks[i] = mem_zero(SIZE), 1, SIZE);
	above = mem_zero(SIZE);
	before = mem_idle();
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	hole = mem_idle();
	mem_look(&holes, 2 * BLOCKS * (long)SIZE);
	CHECK(mem_idle() > before + BLOCKS * (long)SIZE / 2);
	mem_look(&holes, SIZE);
	CHECK(mem_idle() < hole - BLOCKS * (long)SIZE / 2);
	free(above);
}

static void
fill(char *blocks[BLOCKS])
{
	for (int i = 0; i < BLOCKS; i++)
		memset(blocks[i] = mem_zero(SIZE), 1, SIZE);
}

static void
empty(char *blocks[BLOCKS])
{
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

static void
what_was_idle_and_came_into_use_is_given_back_when_it_is_idle_again(void)
{
	char *blocks[BLOCKS], *above;
	struct mem_holes holes;
	long hole, worth = BLOCKS * (long)SIZE / 2;

	mem_settle();
	if (!is_glibc()) {
		puts("skipped: another malloc than the C library's");
		return;
	}
	fill(blocks);
	above = mem_zero(SIZE);
	empty(blocks);
	hole = mem_idle();
	holes = (struct mem_holes){ true, hole };
	fill(blocks);
	mem_look(&holes, worth);
	empty(blocks);
	CHECK(mem_idle() > hole - worth / 2);
	mem_look(&holes, worth);
	CHECK(mem_idle() < hole - worth);
	free(above);
}

RUN_TESTS(TEST(a_hole_in_the_heap_is_idle_until_it_is_given_back),
	TEST(the_first_look_gives_holes_back_whatever_is_idle_beside_blocks_never_written),
	TEST(what_came_and_went_since_is_given_back_when_it_is_worth_it),
	TEST(what_was_idle_and_came_into_use_is_given_back_when_it_is_idle_again))

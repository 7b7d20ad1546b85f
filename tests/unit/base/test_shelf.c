#include "../check.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "base/shelf.h"

#define BLOCKS 5000
#define SIZE 152

static unsigned char *blocks[BLOCKS];

static void
take_all(struct shelf *shelf)
{
	for (size_t i = 0; i < BLOCKS; i++)
		memset(blocks[i] = shelf_take(shelf), (int)(i % 251 + 1), shelf->size);
}

static void
a_block_that_was_taken_is_nobody_elses(void)
{
	struct shelf shelf = { .size = SIZE };

	take_all(&shelf);
	for (size_t i = 0; i < BLOCKS; i++) {
		CHECK_INT(blocks[i][0], i % 251 + 1);
		CHECK_INT(blocks[i][SIZE - 1], i % 251 + 1);
	}
	for (size_t i = 0; i < BLOCKS; i++)
		shelf_give(&shelf, blocks[i]);
}

static void
a_block_that_was_used_before_is_zeroed_when_it_is_taken_again(void)
{
	static const unsigned char zeros[SIZE];
	struct shelf shelf = { .size = SIZE };

	take_all(&shelf);
	for (size_t i = 0; i < BLOCKS; i += 3)
		shelf_give(&shelf, blocks[i]);
	for (size_t i = 0; i < BLOCKS; i += 3) {
		blocks[i] = shelf_take(&shelf);
		CHECK(memcmp(blocks[i], zeros, SIZE) == 0);
		memset(blocks[i], 255, SIZE);
	}
	for (size_t i = 1; i < BLOCKS; i += 3)
		CHECK_INT(blocks[i][0], i % 251 + 1);
	for (size_t i = 0; i < BLOCKS; i++)
		shelf_give(&shelf, blocks[i]);
}

static void
count(void *block, void *arg)
{
	size_t *visited = arg;

	visited[((unsigned char *)block)[0]]++;
}

static void
each_visits_those_that_are_taken(void)
{
	struct shelf shelf = { .size = SIZE };
	size_t visited[256] = { 0 };

	take_all(&shelf);
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i][0] = i % 5 != 0;
		if (i % 5 == 1)
			shelf_give(&shelf, blocks[i]);
	}
	shelf_each(&shelf, count, visited);
	CHECK_INT(visited[0], BLOCKS / 5);
	CHECK_INT(visited[1], BLOCKS / 5 * 3);
	for (size_t i = 0; i < BLOCKS; i++)
		if (i % 5 != 1)
			shelf_give(&shelf, blocks[i]);
	shelf_each(&shelf, count, visited);
	CHECK_INT(visited[0], BLOCKS / 5);
}

static void
what_all_were_given_back_of_is_given_back_to_the_heap(void)
{
	struct shelf shelf = { .size = SIZE };
	size_t before = mallinfo2().uordblks;

	take_all(&shelf);
	for (size_t i = BLOCKS; i > 0; i--)
		shelf_give(&shelf, blocks[i - 1]);
	CHECK(shelf.pages == NULL);
	CHECK(mallinfo2().uordblks <= before + 4096);
}

static void
a_block_may_be_larger_than_a_page(void)
{
	struct shelf shelf = { .size = 40000 };
	unsigned char *one = shelf_take(&shelf), *other = shelf_take(&shelf);

	memset(one, 1, shelf.size);
	memset(other, 2, shelf.size);
	CHECK_INT(one[shelf.size - 1], 1);
	shelf_give(&shelf, one);
	shelf_give(&shelf, other);
}

RUN_TESTS(TEST(a_block_that_was_taken_is_nobody_elses),
	TEST(a_block_that_was_used_before_is_zeroed_when_it_is_taken_again),
	TEST(each_visits_those_that_are_taken),
	TEST(what_all_were_given_back_of_is_given_back_to_the_heap),
	TEST(a_block_may_be_larger_than_a_page))

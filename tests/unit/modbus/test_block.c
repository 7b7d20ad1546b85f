#include "modbus/block.h"

#include <stdio.h>
#include <time.h>

#include "base/fail.h"
#include "../check.h"

#define HR ADU_HOLDING_REGISTERS
#define IR ADU_INPUT_REGISTERS
#define CO ADU_COILS

static struct block_point
at(enum adu_function function, unsigned address, unsigned width)
{
	return (struct block_point){ .function = function, .address = (uint16_t)address,
		.width = (uint16_t)width };
}

static struct block_point
alone(enum adu_function function, unsigned address, unsigned width)
{
	struct block_point point = at(function, address, width);

	point.separate = true;
	return point;
}

static struct block_point
changing(enum adu_function function, unsigned address, unsigned width)
{
	struct block_point point = alone(function, address, width);

	point.last = true;
	return point;
}

static struct block_point
of(uint32_t atomic, enum adu_function function, unsigned address, unsigned width)
{
	struct block_point point = at(function, address, width);

	point.atomic = atomic;
	return point;
}

static struct block_limits
limits(int max_regs, int max_bits, int max_gap)
{
	return (struct block_limits){ .max_regs = (uint16_t)max_regs,
		.max_bits = (uint16_t)max_bits, .max_gap = (uint16_t)max_gap };
}

static int
check_point(struct block_point point, struct block_limits limited, struct fail *why)
{
	return block_point_check(&point, &limited, why);
}

/* "3@100+6(2)": function 3 from 100, 6 registers, 2 points. */
static const char *
plan_text(struct block_point *points, size_t count, struct block_limits limited)
{
	static char text[512];
	struct block blocks[64];
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		points[i].tag = (uint32_t)i;
	count = block_plan(points, count, &limited, blocks);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d@%d+%d(%zu)",
			i > 0 ? " " : "", (int)blocks[i].function, blocks[i].address,
			blocks[i].count, blocks[i].points);
	return text;
}

#define PLAN(limited, ...)                                                              \
	plan_text((struct block_point[]){ __VA_ARGS__ },                               \
		sizeof((struct block_point[]){ __VA_ARGS__ }) / sizeof(struct block_point), \
		limited)

static void
asks_neighbours_together(void)
{
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 102, 2), at(HR, 100, 2), at(HR, 104, 1)), "3@100+5(3)");
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 100, 2), at(IR, 102, 2)), "3@100+2(1) 4@102+2(1)");
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 65535, 1), at(HR, 65534, 1)), "3@65534+2(2)");
	CHECK_STR(plan_text(NULL, 0, limits(0, 0, 0)), "");
}

static void
shares_a_register_between_points(void)
{
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 7, 1), at(HR, 7, 1), at(HR, 7, 2)), "3@7+2(3)");
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 0, 10), at(HR, 3, 2), at(HR, 10, 1)), "3@0+11(3)");
}

static void
reads_nothing_unasked_unless_told_to(void)
{
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 0, 1), at(HR, 2, 1)), "3@0+1(1) 3@2+1(1)");
	CHECK_STR(PLAN(limits(0, 0, 1), at(HR, 0, 1), at(HR, 2, 1)), "3@0+3(2)");
	CHECK_STR(PLAN(limits(0, 0, 1), at(HR, 0, 1), at(HR, 3, 1)), "3@0+1(1) 3@3+1(1)");
}

static void
never_splits_a_value(void)
{
	CHECK_STR(PLAN(limits(10, 0, 0), at(HR, 0, 4), at(HR, 4, 4), at(HR, 8, 4)),
		"3@0+8(2) 3@8+4(1)");
	CHECK_STR(PLAN(limits(0, 0, 0), at(HR, 0, 124), at(HR, 124, 2)), "3@0+124(1) 3@124+2(1)");
}

static void
counts_bits_and_registers_apart(void)
{
	CHECK_STR(PLAN(limits(2, 3, 0), at(CO, 0, 1), at(CO, 1, 1), at(CO, 2, 1),
			  at(CO, 3, 1)), "1@0+3(3) 1@3+1(1)");
	CHECK_STR(PLAN(limits(60000, 0, 0), at(HR, 0, 125), at(HR, 125, 1)),
		"3@0+125(1) 3@125+1(1)"); /* no option beats the protocol */
}

static void
keeps_separate_points_to_themselves(void)
{
	/* WAGO 0x2020 and 0x2021 are records, not words; reading across them is wrong too */
	CHECK_STR(PLAN(limits(0, 0, 50), at(HR, 0x2010, 1), alone(HR, 0x2020, 16),
			  alone(HR, 0x2021, 8), at(HR, 0x2030, 1)),
		"3@8208+1(1) 3@8224+16(1) 3@8225+8(1) 3@8240+1(1)");
	CHECK_STR(PLAN(limits(0, 0, 0), alone(HR, 5, 1), alone(HR, 5, 1), at(HR, 6, 1)),
		"3@5+1(2) 3@6+1(1)");
}

static void
asks_last_what_reading_changes(void)
{
	/* Danfoss MCD 600: reading 30603 resets 30602 and 30604 (PDU 602, 601, 603). */
	CHECK_STR(PLAN(limits(0, 0, 50), changing(IR, 602, 1), at(IR, 601, 1), at(IR, 603, 1)),
		"4@601+3(2) 4@602+1(1)"); /* but for a barrier, which the configuration adds */
	CHECK_STR(PLAN(limits(0, 0, 0), changing(HR, 5, 1), changing(HR, 2, 1), at(IR, 0, 1)),
		"4@0+1(1) 3@2+1(1) 3@5+1(1)");
}

static void
crosses_no_barrier(void)
{
	static const struct block_barrier both[] = { { IR, 602 }, { 0, 603 } };
	struct block_limits barred = limits(0, 0, 50);

	barred.barriers = both;
	barred.barrier_count = 2;
	CHECK_STR(PLAN(barred, changing(IR, 602, 1), at(IR, 601, 1), at(IR, 603, 1)),
		"4@601+1(1) 4@603+1(1) 4@602+1(1)");
	CHECK_STR(PLAN(barred, at(HR, 600, 2), at(HR, 602, 1), at(HR, 603, 1), at(HR, 604, 1)),
		"3@600+3(2) 3@603+2(2)");
	CHECK_STR(PLAN(barred, at(HR, 600, 1), at(HR, 602, 2), at(HR, 604, 1)),
		"3@600+1(1) 3@602+2(1) 3@604+1(1)"); /* a value that spans it is whole all the same */
	CHECK(block_barred(&barred, IR, 602, 602) && !block_barred(&barred, HR, 602, 602));
	CHECK(block_barred(&barred, HR, 1, 603) && block_barred(&barred, HR, 603, 900));
	CHECK(!block_barred(&barred, HR, 604, 900) && !block_barred(&barred, HR, 1, 602));
}

static void
keeps_atomic_groups_in_one_request(void)
{
	/* Of itself 100 would go with what stands before it. */
	CHECK_STR(PLAN(limits(10, 0, 0), at(HR, 92, 8), of(7, HR, 100, 2), of(7, HR, 102, 2)),
		"3@92+8(1) 3@100+4(2)");
	/* Across registers that nobody asked for, with others that stand between. */
	CHECK_STR(PLAN(limits(10, 0, 0), of(7, HR, 108, 2), at(HR, 104, 1), of(7, HR, 100, 2)),
		"3@100+10(3)");
	CHECK_STR(PLAN(limits(10, 0, 0), of(7, HR, 100, 1), of(8, HR, 101, 1), of(7, HR, 102, 1),
			  of(8, HR, 109, 1)), "3@100+10(4)");
	CHECK_STR(PLAN(limits(9, 0, 0), of(7, HR, 100, 1), of(8, HR, 101, 1), of(7, HR, 102, 1),
			  of(8, HR, 109, 1)), "3@100+3(2) 3@101+9(2)");
	/* What a device is found to take is no reason to tear one. */
	CHECK_STR(PLAN(limits(2, 0, 0), of(7, HR, 100, 2), of(7, HR, 102, 2)), "3@100+4(2)");
}

static void
keeps_an_atomic_group_to_itself_when_all_of_it_is_separate(void)
{
	struct block_point first = of(7, HR, 100, 2), second = of(7, HR, 104, 2);

	first.separate = second.separate = true;
	CHECK_STR(PLAN(limits(0, 0, 9), first, at(HR, 102, 1), second, at(HR, 106, 1)),
		"3@100+6(2) 3@102+5(2)");
}

/* Any plan: an atomic group that fits is in one block, no block but of one value crosses a
 * barrier, and what changes the device comes last. */
static void
keeps_its_promises_for_random_groups(void)
{
	unsigned seed = (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	for (int round = 0; round < 2000; round++) {
		struct block_barrier barrier = { (uint8_t)(rand_r(&seed) % 5),
			(uint32_t)rand_r(&seed) % 60 };
		struct block_limits most = limits(20, 20, rand_r(&seed) % 4);
		struct block_point points[40];
		struct block blocks[40];
		size_t used, seen = 0, homes[5] = { 0 };
		bool last = false;

		most.barriers = &barrier;
		most.barrier_count = 1;
		for (size_t i = 0; i < 40; i++) {
			uint32_t group = (uint32_t)rand_r(&seed) % 8;

			points[i] = at((enum adu_function)(1 + rand_r(&seed) % 4),
				(unsigned)rand_r(&seed) % 60, 1 + (unsigned)rand_r(&seed) % 3);
			points[i].last = group == 0 && rand_r(&seed) % 4 == 0;
			points[i].separate = points[i].last;
			if (group < 1 || group > 4)
				continue;
			/* Four groups that can be kept: each within 16 of one side of the barrier. */
			points[i] = of(group, (enum adu_function)group, barrier.address +
				(unsigned)rand_r(&seed) % 16, 1);
		}
		used = block_plan(points, 40, &most, blocks);
		for (size_t b = 0; b < used; b++) {
			const struct block *block = &blocks[b];
			uint32_t end = block->address + (uint32_t)block->count;

			for (size_t i = block->first; i < block->first + block->points; i++) {
				CHECK(points[i].address >= block->address);
				CHECK(points[i].address + (uint32_t)points[i].width <= end);
				CHECK(points[i].function == block->function);
				CHECK(!last || points[i].last);
				last = last || points[i].last;
				if (points[i].atomic == 0)
					continue;
				CHECK(homes[points[i].atomic] == 0 ||
					homes[points[i].atomic] == b + 1);
				homes[points[i].atomic] = b + 1;
			}
			CHECK(block->count <= 20);
			CHECK(barrier.address <= block->address || barrier.address >= end ||
				(barrier.function != 0 && barrier.function != block->function) ||
				block->count <= points[block->first].width ||
				points[block->first].address +
					(uint32_t)points[block->first].width > barrier.address);
			seen += block->points;
		}
		CHECK_INT(seen, 40);
	}
}

static void
says_what_cannot_be_asked(void)
{
	struct block_limits sixty = limits(60, 0, 0);
	struct fail why;

	CHECK(check_point(at(HR, 65532, 4), sixty, &why) == 0);
	CHECK(check_point(at(HR, 65533, 4), sixty, &why) == -1);
	CHECK_STR(why.text, "address 65533: 4 registers end beyond 65535");
	CHECK(check_point(at(HR, 9, 61), sixty, &why) == -1);
	CHECK_STR(why.text, "61 registers at 9: one request takes 1 to 60");
	CHECK(check_point(at(HR, 9, 0), sixty, &why) == -1);
	CHECK(check_point(at(6, 9, 1), sixty, &why) == -1);
	CHECK_STR(why.text, "function 6: only 1, 2, 3 and 4 read");
}

/* Any plan: each point in exactly one block and wholly inside it, no block above the
 * limits, and no register read that is further than max_gap from one that was asked for. */
static void
keeps_its_promises_for_random_points(void)
{
	unsigned seed = (unsigned)time(NULL);

	print_message("seed %u\n", seed);
	for (int round = 0; round < 2000; round++) {
		struct block_point points[64];
		struct block blocks[64];
		struct block_limits most = limits(4 + rand_r(&seed) % 20,
			4 + rand_r(&seed) % 20, rand_r(&seed) % 4);
		size_t count = (size_t)(rand_r(&seed) % 64), seen = 0, used;
		uint64_t tags = 0;

		for (size_t i = 0; i < count; i++)
			points[i] = (struct block_point){
				.function = (enum adu_function)(1 + rand_r(&seed) % 4),
				.address = (uint16_t)(65430 + rand_r(&seed) % 100),
				.width = (uint16_t)(1 + rand_r(&seed) % 4),
				.separate = rand_r(&seed) % 10 == 0, .tag = (uint32_t)i };
		used = block_plan(points, count, &most, blocks);
		for (size_t b = 0; b < used; b++) {
			const struct block *block = &blocks[b];
			uint32_t end = block->address;

			CHECK(block->first == seen && block->points >= 1);
			CHECK(block->count <= (block->function <= 2 ? most.max_bits :
							most.max_regs));
			for (size_t i = seen; i < seen + block->points; i++) {
				const struct block_point *point = &points[i];

				CHECK(point->function == block->function);
				CHECK(point->address >= block->address);
				CHECK(point->address <= end + most.max_gap);
				CHECK(point->address + point->width <=
					block->address + block->count);
				CHECK(!point->separate || block->count == point->width);
				if (point->address + (uint32_t)point->width > end)
					end = point->address + (uint32_t)point->width;
				tags |= UINT64_C(1) << point->tag;
			}
			CHECK_INT(end, block->address + block->count);
			seen += block->points;
		}
		CHECK_INT(seen, count);
		CHECK(tags == (count == 0 ? 0 : UINT64_MAX >> (64 - count)));
	}
}

RUN_TESTS(TEST(asks_neighbours_together), TEST(shares_a_register_between_points),
	TEST(reads_nothing_unasked_unless_told_to), TEST(never_splits_a_value),
	TEST(counts_bits_and_registers_apart), TEST(keeps_separate_points_to_themselves),
	TEST(asks_last_what_reading_changes), TEST(crosses_no_barrier),
	TEST(keeps_atomic_groups_in_one_request),
	TEST(keeps_an_atomic_group_to_itself_when_all_of_it_is_separate),
	TEST(says_what_cannot_be_asked), TEST(keeps_its_promises_for_random_points),
	TEST(keeps_its_promises_for_random_groups))

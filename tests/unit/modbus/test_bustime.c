#include "modbus/bustime.h"

#include "../check.h"

#define HR ADU_HOLDING_REGISTERS
#define MS INT64_C(1000000)

static struct bustime
bus(uint32_t baud, unsigned bits)
{
	struct bustime time = { .turnaround = 20 * MS, .request_gap = 5 * MS };

	bustime_speed(&time, baud, bits);
	return time;
}

/* 9,600 bit/s, 8E1: a character is 1.146 ms; 3.5 of them part two frames. */
static void
takes_3_5_characters_for_a_pause(void)
{
	struct bustime time = bus(9600, 11);

	CHECK_NEAR((double)time.character, 1145833, 1);
	CHECK_NEAR((double)time.gap, 4010415, 5);
}

static void
takes_a_fixed_pause_above_19200(void)
{
	CHECK(bus(19200, 11).gap > 2 * MS);
	CHECK_INT(bus(19201, 11).gap, 1750000);
	CHECK_INT(bus(115200, 11).gap, 1750000);
}

/* 8 characters there, 5 and two a register back: 8 + 5 + 20 = 33 of 1.1458 ms. */
static void
counts_the_characters_of_an_exchange(void)
{
	struct bustime time = bus(9600, 11);

	CHECK_NEAR((double)bustime_exchange(&time, HR, 10), 33 * 1145833 + 25 * MS, 100);
	/* 9 coils are two bytes */
	CHECK_NEAR((double)bustime_exchange(&time, ADU_COILS, 9), 15 * 1145833 + 25 * MS, 100);
}

static void
waits_for_the_longer_of_pause_and_request_gap(void)
{
	struct bustime slow = bus(300, 11);

	/* 3.5 characters of 36.7 ms are longer than both 5 ms and 20 ms */
	CHECK_NEAR((double)bustime_exchange(&slow, HR, 1), (15 + 7) * 36666667.0, 1000);
}

static void
knows_nothing_of_a_device_on_the_net_but_the_way_there(void)
{
	struct bustime time = { .network = BUSTIME_NETWORK, .request_gap = 2 * MS };

	CHECK_INT(bustime_exchange(&time, HR, 125), 3 * MS);
}

static void
pays_the_whole_time_out_for_silence_and_the_pause_after_it(void)
{
	struct bustime time = bus(9600, 11);

	bustime_silence(&time, 1000 * MS, 100 * MS, 0, 0);
	CHECK_INT(bustime_silent(&time), 1105 * MS);
}

/* Two tries of 500 ms and 8 characters, each after a pause: the gateway then says 0x0B. */
static void
pays_what_the_gateway_waits_where_that_is_known(void)
{
	struct bustime time = bus(9600, 11);

	time.network = MS;
	bustime_silence(&time, 1500 * MS, 0, 500 * MS, 2);
	CHECK_NEAR((double)bustime_silent(&time), (double)(5 + 1 + 1000) * MS +
		2 * (4010415 + 8 * 1145833), 1000);
	bustime_silence(&time, 800 * MS, 0, 500 * MS, 2);
	CHECK_INT(bustime_silent(&time), 805 * MS);
}

static void
puts_the_worst_units_first_among_the_dead(void)
{
	struct bustime_unit units[] = {
		{ .round = 10 * MS, .silent = 100 * MS, .load = 0.01, .dead_load = 0.1 },
		{ .round = 20 * MS, .silent = 900 * MS, .load = 0.02, .dead_load = 0.45 },
		{ .round = 30 * MS, .silent = 500 * MS, .load = 0.03, .dead_load = 0.2 },
	};

	CHECK_INT(bustime_line(units, 3, 0).round, 60 * MS);
	CHECK_INT(bustime_line(units, 3, 1).round, 940 * MS);
	CHECK_INT(bustime_line(units, 3, 2).round, 1410 * MS);
	CHECK_NEAR(bustime_line(units, 3, 0).load, 0.06, 1e-9);
	CHECK_NEAR(bustime_line(units, 3, 1).load, 0.04 + 0.45, 1e-9);
}

static void
gives_silent_units_half_of_a_line_on_which_somebody_lives(void)
{
	struct bustime_unit units[] = {
		{ .round = 1, .silent = 3, .load = 0.1, .dead_load = 0.4 },
		{ .round = 1, .silent = 3, .load = 0.1, .dead_load = 0.4 },
		{ .round = 1, .silent = 3, .load = 0.1, .dead_load = 0.4 },
	};

	CHECK_NEAR(bustime_line(units, 3, 2).load, 0.1 + 0.5, 1e-9);
	CHECK_NEAR(bustime_line(units, 3, 3).load, 1.2, 1e-9);
}

RUN_TESTS(TEST(takes_3_5_characters_for_a_pause), TEST(takes_a_fixed_pause_above_19200),
	TEST(counts_the_characters_of_an_exchange),
	TEST(waits_for_the_longer_of_pause_and_request_gap),
	TEST(knows_nothing_of_a_device_on_the_net_but_the_way_there),
	TEST(pays_the_whole_time_out_for_silence_and_the_pause_after_it),
	TEST(pays_what_the_gateway_waits_where_that_is_known),
	TEST(puts_the_worst_units_first_among_the_dead),
	TEST(gives_silent_units_half_of_a_line_on_which_somebody_lives))

#include "config/build.h"
#include "../check.h"

static void
two_patterns_meet_when_one_text_fits_both(void)
{
	CHECK(known_meets("press-3/oil_temp", "press-3/oil_temp"));
	CHECK(!known_meets("press-3/oil_temp", "press-3/oil_tem"));
	CHECK(!known_meets("press-3/oil", "press-3/oil_temp"));
	CHECK(known_meets("press-?/oil_*", "press-3/oil_temp"));
	CHECK(!known_meets("press-?/oil_*", "press-33/oil_temp"));
	CHECK(known_meets("*", "a/b"));
	CHECK(known_meets("", ""));
	CHECK(!known_meets("", "a"));
	CHECK(known_meets("*", ""));
}

static void
a_row_can_be_called_anything(void)
{
	CHECK(known_meets("sw/if[ge-1/5]/oper", "sw/if[*]/oper"));
	CHECK(known_meets("sw-*/if[ge-1/?]/in_*", "sw-hall3/if[*]/in_octets"));
	CHECK(known_meets("sw/if[*]/oper", "sw/if[*]/oper"));
	CHECK(!known_meets("sw/if[ge-1/5]/admin", "sw/if[*]/oper"));
	CHECK(!known_meets("sw/if[ge-1/5/oper", "sw/if[*]/oper"));
	CHECK(!known_meets("sw/if", "sw/if[*]/oper"));
	/* a row whose name holds what looks like the end of one */
	CHECK(known_meets("sw/if[a]/oper]/oper", "sw/if[*]/oper"));
	CHECK(known_meets("*]/oper", "sw/if[*]/oper"));
}

static void
many_wildcards_take_no_time(void)
{
	CHECK(!known_meets("*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/[*]c"));
}

RUN_TESTS(TEST(two_patterns_meet_when_one_text_fits_both), TEST(a_row_can_be_called_anything),
	TEST(many_wildcards_take_no_time))

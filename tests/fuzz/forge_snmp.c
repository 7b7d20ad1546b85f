/* The forgery matrix: answers that are not the device's, or not to this question, against the
 * driver on the network in memory, PW_TRIALS (400) of each kind. None of their values may
 * be told, and where the true answer comes as well, all of its values must be. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/forge.h"
#include "fuzz/mutate.h"
#include "fuzz/poll_bed.h"
#include "unit/check.h"

#define TRIALS 400
#define WAYS 8 /* scalars or table, two versions, two engines */

static void
try_one_way(enum forge_kind kind, unsigned way, unsigned long trials)
{
	bool table = way & 1;
	unsigned wanted = bed_wanted(table);
	unsigned long sent = 0;

	bed_open(table, way & 2 ? 1 : 2, way & 4);
	/* What the names and types of all columns are is known before. */
	CHECK_INT(bed_poll(), wanted);
	CHECK_INT(bed_poll(), wanted);
	forge_begin(bed.agent, kind, &sent);
	for (unsigned long polls = 0; sent < trials; polls++) {
		unsigned good = bed_poll();

		CHECK(polls < 20 * trials);
		/* Rows are not told then; single objects are, one by one. */
		if (kind != FORGE_ORDER)
			CHECK_INT(good, forge_replaces(kind) ? 0 : wanted);
		else if (!table)
			CHECK_INT(good, wanted);
	}
	forge_end(bed.agent);
	/* Alternatives that seemed to be missing come back by and by. */
	for (int polls = 0; polls < 80 && bed_poll() < wanted; polls++)
		;
	CHECK_INT(bed_compare(), wanted);
	bed_close();
	printf(" %lu", sent);
}

static void
forged_answers_are_never_told(void)
{
	const char *wanted = getenv("PW_TRIALS");
	unsigned long trials = wanted != NULL ? strtoul(wanted, NULL, 10) : TRIALS;

	for (int kind = 0; kind < FORGE_KINDS; kind++) {
		printf("%-22s", forge_word((enum forge_kind)kind));
		for (unsigned way = 0; way < WAYS; way++)
			try_one_way((enum forge_kind)kind, way, trials / WAYS + 1);
		printf(" forged, 0 told\n");
		fflush(stdout);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(forged_answers_are_never_told) };

	fuzz_begin("forge_snmp");
	alarm(0); /* it counts datagrams, not seconds */
	return cmocka_run_group_tests(tests, NULL, NULL);
}

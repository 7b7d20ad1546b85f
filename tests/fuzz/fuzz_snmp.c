/* The SNMP driver against an agent whose answers are damaged on the way. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/mutate.h"
#include "fuzz/poll_bed.h"
#include "fuzz/targets.h"
#include "unit/check.h"
#include "unit/snmp/bed_agent.h"
#include "unit/snmp/bed_task.h"

static unsigned percent; /* of the answers are damaged */
static bool keep_names;  /* OIDs stay as they are */

/* ---- damage ---- */

/* The length of an element's head at `at`, and of what follows it; 0 when it is cut. */
static size_t
head_of(const uint8_t *bytes, size_t size, size_t at, size_t *length)
{
	size_t octets;

	*length = 0;
	if (at + 2 > size)
		return 0;
	if (bytes[at + 1] < 0x80) {
		*length = bytes[at + 1];
		return 2;
	}
	octets = bytes[at + 1] & 0x7f;
	for (size_t i = 0; i < octets && at + 2 + i < size; i++)
		*length = *length << 8 | bytes[at + 2 + i];
	return 2 + octets;
}

/* Marks the contents of the values: a flipped bit in them is a lie that nobody can see. So is
 * one in the OID of a walk's answer, where it makes one object's value that of another; the
 * answers to a GET must have the OIDs that were asked for. */
static void
mark_values(const uint8_t *bytes, size_t size, bool *kept)
{
	size_t length, at = head_of(bytes, size, 0, &length);

	memset(kept, 0, size * sizeof *kept);
	for (int skip = 0; skip < 2; skip++) { /* version, community */
		at += head_of(bytes, size, at, &length);
		at += length;
	}
	at += head_of(bytes, size, at, &length); /* into the PDU */
	for (int skip = 0; skip < 3; skip++) { /* request id, error status and index */
		at += head_of(bytes, size, at, &length);
		at += length;
	}
	at += head_of(bytes, size, at, &length); /* into the varbinds */
	while (at < size) {
		at += head_of(bytes, size, at, &length); /* into one */
		at += head_of(bytes, size, at, &length); /* over its OID */
		for (; keep_names && length > 0 && at < size; length--)
			kept[at++] = true;
		at += length;
		at += head_of(bytes, size, at, &length);
		for (; length > 0 && at < size; length--)
			kept[at++] = true;
	}
}

static size_t
spoil(uint8_t *bytes, size_t size, size_t room)
{
	static bool kept[65536];

	fuzz_fast(bytes, size);
	if (fuzz_roll(100) >= percent)
		return size;
	mark_values(bytes, size, kept);
	size = fuzz_mutate(bytes, size, room, kept);
	fuzz_ber(bytes, size);
	fuzz_fast(bytes, size);
	return size;
}

/* ---- polls ---- */

static void
run(bool table, uint8_t version, bool netsnmp)
{
	unsigned polls = 20 + fuzz_roll(60), wanted = bed_wanted(table);

	bed_open(table, version, netsnmp);
	bed_spoil(bed.agent, spoil);
	keep_names = table;
	percent = 0;
	CHECK_INT(bed_poll(), wanted);
	percent = 5 + fuzz_roll(96);
	while (polls-- > 0 && fuzz_goes_on())
		bed_poll();
	/* All is well when the damage ends; alternatives and infos come back by and by. */
	percent = 0;
	for (polls = 0; polls < 80 && (polls < 2 || bed.task->told_count < wanted ||
				       bed_compare() < wanted); polls++)
		bed_poll();
	CHECK(bed_compare() >= wanted);
	bed_close();
}

static void
damaged_answers_never_become_values(void)
{
	fuzz_begin("fuzz_snmp");
	while (fuzz_goes_on()) {
		for (int netsnmp = 0; netsnmp < 2; netsnmp++) {
			run(false, 2, netsnmp);
			run(true, 2, netsnmp);
			run(false, 1, netsnmp);
			run(true, 1, netsnmp);
		}
	}
	fuzz_end();
}

RUN_TESTS(TEST(damaged_answers_never_become_values))

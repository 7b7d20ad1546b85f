/* The SNMP driver against an agent whose answers are damaged on the way. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "fuzz/mutate.h"
#include "fuzz/targets.h"
#include "unit/check.h"
#include "unit/snmp/bed_agent.h"
#include "unit/snmp/bed_task.h"

#define IF "1.3.6.1.2.1.2.2.1."
#define IFX "1.3.6.1.2.1.31.1.1.1."
#define UPS "1.3.6.1.2.1.33.1.2."
#define ROWS 6

static const char *const scalars[] = { "battery=" UPS "4.0", "voltage=" UPS "5.0",
	"temperature=" UPS "7.0", "oper=" IF "8.1 state", "speed=" IF "5.1",
	"in=" IFX "6.1," IF "10.1 counter B/s", NULL };
static const char *const columns[] = { "in=" IFX "6," IF "10 counter B/s", "oper=" IF "8 state",
	"admin=" IF "7 state", "speed=" IF "5", NULL };
static const struct {
	const char *name;
	double value;
} truth[] = { { "battery", 100 }, { "voltage", 546 }, { "temperature", 24 }, { "oper", 1 },
	{ "admin", 1 }, { "speed", 1e9 } };

static struct bed {
	struct loop *loop;
	struct snmp *snmp;
	struct bed_agent *agent;
	struct snmp_options options;
	struct group *group;
	struct device device;
	struct task *task;
	void *state, *work;
	double started; /* uptime of the agent, s, when the poll began */
} bed;
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
no_line(char level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
open_bed(bool table, uint8_t version, bool netsnmp)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	net_sim_loss(0, 1);
	log_catch(no_line, NULL);
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", ROWS, 1);
	bed_spoil(bed.agent, spoil);
	bed.options = (struct snmp_options){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 1, .netsnmp = netsnmp };
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
	bed.group = table ? bed_group("if", 10 * LOOP_S, columns, IFX "1," IF "2", IFX "19") :
		bed_group(NULL, 10 * LOOP_S, scalars, NULL, NULL);
	bed.device = (struct device){ .name = "sw-1", .address = "10.1.3.1", .snmp = &bed.options,
		.groups = bed.group, .group_count = 1 };
	bed.task = calloc(1, sizeof *bed.task);
	bed.task->device = &bed.device;
	bed.task->group = bed.group;
	bed.task->loop = bed.loop;
	bed.state = snmp_driver.attach(bed.snmp, &bed.device, &why);
	CHECK(bed.state != NULL);
	bed.work = snmp_driver.open(bed.state, bed.task);
	CHECK(bed.work != NULL);
}

static void
close_bed(void)
{
	snmp_driver.close(bed.work);
	snmp_driver.detach(bed.state);
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
	bed_group_free(bed.group);
	free(bed.task);
	log_catch(NULL, NULL);
}

/* Octets per second of interface n are 1000 x (n + 1), since an hour before the start. */
static void
compare_count(const struct reading *reading)
{
	double now = (double)(loop_mono(bed.loop) - 1000 * LOOP_S) / 1e9 + 3600;

	for (int n = 1; n <= ROWS; n++)
		if ((double)reading->raw >= 1000.0 * (n + 1) * (now - 10.1) - 1 &&
			(double)reading->raw <= 1000.0 * (n + 1) * now)
			return;
	print_error("in: %llu is no count of any interface\n", (unsigned long long)reading->raw);
	fail();
}

/* Returns how many good values there were. */
static unsigned
compare(void)
{
	unsigned good = 0;

	for (size_t i = 0; i < bed.task->told_count; i++) {
		const struct reading *reading = &bed.task->told[i].reading;
		const char *name = bed.group->points[reading->point].name;

		if (reading->reason != REASON_GOOD)
			continue;
		good++;
		if (strcmp(name, "in") == 0)
			compare_count(reading);
		for (size_t k = 0; k < sizeof truth / sizeof truth[0]; k++)
			if (strcmp(truth[k].name, name) == 0 && reading->number != truth[k].value) {
				print_error("%s: %.17g instead of %.17g\n", name, reading->number,
					truth[k].value);
				fail();
			}
	}
	return good;
}

static unsigned
poll_once(void)
{
	bed_task_begin(bed.task);
	/* Rows may be made up while answers are damaged; the bed has room for some. */
	bed.task->row_count = 0;
	snmp_driver.start(bed.work, fuzz_roll(8) == 0);
	CHECK_INT(bed.task->done, 0);
	loop_sim_for(bed.loop, 10 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	return compare();
}

static void
run(bool table, uint8_t version, bool netsnmp)
{
	unsigned polls = 20 + fuzz_roll(60), wanted = table ? ROWS * 4 : 6;

	open_bed(table, version, netsnmp);
	keep_names = table;
	percent = 0;
	CHECK_INT(poll_once(), wanted);
	percent = 5 + fuzz_roll(96);
	while (polls-- > 0 && fuzz_goes_on())
		poll_once();
	/* All is well when the damage ends; alternatives and infos come back by and by. */
	percent = 0;
	for (polls = 0; polls < 80 && (polls < 2 || bed.task->told_count < wanted ||
				       compare() < wanted); polls++)
		poll_once();
	CHECK(compare() >= wanted);
	close_bed();
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

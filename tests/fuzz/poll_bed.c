#include "fuzz/poll_bed.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fake/net_sim.h"
#include "fuzz/mutate.h"
#include "unit/check.h"
#include "unit/snmp/bed_agent.h"
#include "unit/snmp/bed_task.h"

#define IF "1.3.6.1.2.1.2.2.1."
#define IFX "1.3.6.1.2.1.31.1.1.1."
#define UPS "1.3.6.1.2.1.33.1.2."

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

struct poll_bed bed;

static void
no_line(char level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

void
bed_open(bool table, uint8_t version, bool netsnmp)
{
	struct fail why;

	memset(&bed, 0, sizeof bed);
	net_sim_reset();
	net_sim_loss(0, 1);
	log_catch(no_line, NULL);
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	bed.loop = loop_new(&why);
	bed.snmp = snmp_new(bed.loop, NULL, &why);
	bed.agent = bed_agent_new(bed.loop, "10.1.3.1", POLL_BED_ROWS, 1);
	bed.access = (struct snmp_access){ .version = version, .community = "public",
		.timeout = LOOP_S, .retries = 1, .netsnmp = netsnmp };
	bed.options.access = &bed.access;
	CHECK(net_addr_parse("10.1.3.1", 161, &bed.options.address, &why) == 0);
	bed.group = table ? bed_group("if", 10 * LOOP_S, columns, IFX "1," IF "2", IFX "19") :
		bed_group(NULL, 10 * LOOP_S, scalars, NULL, NULL);
	bed.device = calloc(1, sizeof *bed.device);
	*bed.device = (struct device){ .name = "sw-1", .address = "10.1.3.1", .ways = DEVICE_SNMP,
		.options = &bed.options, .groups = bed.group, .group_count = 1 };
	bed.task = calloc(1, sizeof *bed.task);
	bed.task->device = bed.device;
	bed.task->group = bed.group;
	bed.task->loop = bed.loop;
	bed.state = snmp_driver.attach(bed.snmp, bed.device, &why);
	CHECK(bed.state != NULL);
	bed.work = bed_task_open(bed.task, bed.state);
	CHECK(bed.work != NULL);
}

void
bed_close(void)
{
	snmp_driver.close(bed.work);
	snmp_driver.detach(bed.state);
	snmp_free(bed.snmp);
	bed_agent_free(bed.agent);
	loop_free(bed.loop);
	bed_group_free(bed.group);
	free(bed.task);
	free(bed.device);
	log_catch(NULL, NULL);
}

/* Octets per second of interface n are 1000 x (n + 1), since an hour before the start. */
static void
compare_count(const struct reading *reading)
{
	double now = (double)(loop_mono(bed.loop) - 1000 * LOOP_S) / 1e9 + 3600;

	for (int n = 1; n <= POLL_BED_ROWS; n++)
		if ((double)reading->raw >= 1000.0 * (n + 1) * (now - 10.1) - 1 &&
			(double)reading->raw <= 1000.0 * (n + 1) * now)
			return;
	print_error("in: %llu is no count of any interface\n", (unsigned long long)reading->raw);
	fail();
}

unsigned
bed_compare(void)
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

unsigned
bed_poll(void)
{
	bed_task_begin(bed.task);
	snmp_driver.start(bed.work, fuzz_roll(8) == 0);
	CHECK_INT(bed.task->done, 0);
	loop_sim_for(bed.loop, 10 * LOOP_S);
	CHECK_INT(bed.task->done, 1);
	return bed_compare();
}

unsigned
bed_wanted(bool table)
{
	return table ? POLL_BED_ROWS * 4 : 6;
}

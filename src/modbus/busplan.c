#include "modbus/busplan.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/point.h"
#include "modbus/block.h"
#include "modbus/line.h"
#include "modbus/modbus.h"
#include "modbus/wanted.h"

#define SECOND 1e9
#define GIVEN_UP 2 /* time-outs in one poll of a group, as modbus.c does */

struct host {
	struct busplan_host sum;
	double per_second;
	UT_hash_handle hh;
};

/* A line while it is summed. */
struct bus {
	struct busplan plan;
	struct host *host;
	char place[80]; /* the tty, or host:port */
	struct bustime_unit *units;
	UT_hash_handle hh;
};

size_t
busplan_blocks(const struct modbus_options *options, const struct group *group,
	struct block *blocks)
{
	struct block_limits limits = wanted_limits(options);
	struct block_point *points = mem_array(group->point_count, sizeof *points);
	size_t count = 0;

	for (size_t i = 0; i < group->point_count; i++)
		count += wanted_point(options, group, i, &points[count], NULL) == 0;
	count = block_plan(points, count, &limits, blocks);
	free(points);
	return count;
}

static int64_t
pace_of(double max_rate)
{
	return max_rate > 0 ? (int64_t)(SECOND / max_rate) : 0;
}

static struct bustime
time_of(const struct modbus_options *options, double max_rate)
{
	bool tty = options->serial.device != NULL;
	struct bustime time = { .turnaround = options->baud > 0 ? options->turnaround : 0,
		.network = tty ? 0 : BUSTIME_NETWORK, .request_gap = options->request_gap,
		.pace = pace_of(max_rate) };
	int64_t quiet = options->quiet > 0 ? options->quiet : LINE_QUIET;

	if (options->baud > 0)
		bustime_speed(&time, options->baud, options->char_bits);
	if (options->framing == ADU_RTU)
		bustime_silence(&time, options->timeout, quiet, 0, 0);
	else
		bustime_silence(&time, options->timeout, 0, options->gateway_wait,
			options->gateway_tries);
	return time;
}

static struct host *
host_of(struct host **hosts, const struct modbus_options *options)
{
	struct host *host;
	char name[sizeof host->sum.name];

	if (options->serial.device != NULL)
		str_copy(name, sizeof name, options->serial.device);
	else
		net_addr_text(name, sizeof name, &options->address, false);
	HASH_FIND_STR(*hosts, name, host);
	if (host != NULL)
		return host;
	host = mem_zero(sizeof *host);
	str_copy(host->sum.name, sizeof host->sum.name, name);
	HASH_ADD_STR(*hosts, sum.name, host);
	return host;
}

/* Before anything is summed: the slowest that one of them says holds for all. */
static struct host *
find_hosts(const struct inventory *inventory)
{
	struct host *hosts = NULL;

	for (size_t i = 0; i < inventory->device_count; i++) {
		const struct modbus_options *options = device_modbus(&inventory->devices[i]);
		struct host *host;

		if (options == NULL || options->never_connect || options->max_rate <= 0)
			continue;
		host = host_of(&hosts, options);
		if (host->sum.max_rate == 0 || options->max_rate < host->sum.max_rate)
			host->sum.max_rate = options->max_rate;
	}
	return hosts;
}

static void
add_to_host(struct host *host, size_t questions, int64_t interval)
{
	host->sum.questions += questions;
	host->per_second += (double)questions * SECOND / (double)interval;
	if (host->sum.shortest == 0 || interval < host->sum.shortest)
		host->sum.shortest = interval;
}

static struct busplan_host
host_sum(const struct host *host)
{
	struct busplan_host sum = host->sum;

	if (sum.max_rate > 0) {
		sum.load = host->per_second / sum.max_rate;
		sum.round = (int64_t)sum.questions * pace_of(sum.max_rate);
	}
	return sum;
}

static struct bus *
bus_of(struct bus **buses, struct host **hosts, const struct modbus_options *options)
{
	struct bus *bus;
	char place[80];

	if (options->serial.device != NULL)
		str_copy(place, sizeof place, options->serial.device);
	else
		net_addr_text(place, sizeof place, &options->address, true);
	HASH_FIND_STR(*buses, place, bus);
	if (bus != NULL)
		return bus;
	bus = mem_zero(sizeof *bus);
	str_copy(bus->place, sizeof bus->place, place);
	str_copy(bus->plan.name, sizeof bus->plan.name,
		options->line[0] != '\0' ? options->line : place);
	bus->plan.options = options;
	bus->host = host_of(hosts, options);
	bus->host->sum.lines++;
	HASH_ADD_STR(*buses, place, bus);
	return bus;
}

static void
add_group(struct bus *bus, struct bustime_unit *unit, const struct modbus_options *options,
	const struct group *group)
{
	struct block *blocks = mem_array(group->point_count, sizeof *blocks);
	size_t count = busplan_blocks(options, group, blocks);
	struct bustime time = time_of(options, bus->host->sum.max_rate);
	double interval = (double)group->interval;
	int64_t round = 0, silent = bustime_silent(&time);

	for (size_t i = 0; i < count; i++)
		round += bustime_exchange(&time, blocks[i].function, blocks[i].count);
	free(blocks);
	if (count == 0)
		return;
	add_to_host(bus->host, count, group->interval);
	unit->round += round;
	unit->load += (double)round / interval;
	unit->silent += (int64_t)(count < GIVEN_UP ? count : GIVEN_UP) * silent;
	unit->dead_load += (double)silent / interval;
	bus->plan.questions += count;
	if (bus->plan.shortest == 0 || group->interval < bus->plan.shortest)
		bus->plan.shortest = group->interval;
}

static void
add_device(struct bus **buses, struct host **hosts, const struct device *device)
{
	const struct modbus_options *options = device_modbus(device);
	struct bustime_unit unit = { 0 };
	struct bus *bus = NULL;

	if (options == NULL || options->never_connect)
		return;
	for (size_t g = 0; g < device->group_count; g++) {
		if (device->groups[g].driver != &modbus_driver ||
			device->groups[g].point_count == 0)
			continue;
		if (bus == NULL)
			bus = bus_of(buses, hosts, options);
		add_group(bus, &unit, options, &device->groups[g]);
	}
	if (bus == NULL)
		return;
	bus->units = mem_grow(bus->units, bus->plan.units + 1, sizeof *bus->units);
	bus->units[bus->plan.units++] = unit;
}

static void
judge(struct bus *bus)
{
	struct busplan *plan = &bus->plan;

	plan->host = host_sum(bus->host);
	plan->bearable = -1;
	for (size_t dead = 0; dead < plan->units; dead++) {
		struct bustime_sum sum = bustime_line(bus->units, plan->units, dead);
		bool fits = sum.load <= 1 && sum.round <= plan->shortest;

		if (dead <= BUSPLAN_DEAD)
			plan->with[plan->told++] = sum;
		if (fits && plan->bearable + 1 == (int)dead)
			plan->bearable = (int)dead;
		if (!fits && dead > BUSPLAN_DEAD)
			break;
	}
}

static int
by_load(const void *left, const void *right)
{
	const struct busplan *a = left, *b = right;

	return (a->with[0].load < b->with[0].load) - (a->with[0].load > b->with[0].load);
}

struct busplan *
busplan_make(const struct inventory *inventory, size_t *count)
{
	struct bus *buses = NULL, *bus, *next;
	struct host *hosts = find_hosts(inventory), *host, *after;
	struct busplan *plans = NULL;

	*count = 0;
	for (size_t i = 0; i < inventory->device_count; i++)
		add_device(&buses, &hosts, &inventory->devices[i]);
	if (buses != NULL)
		plans = mem_array(HASH_COUNT(buses), sizeof *plans);
	HASH_ITER(hh, buses, bus, next) {
		judge(bus);
		plans[(*count)++] = bus->plan;
		HASH_DEL(buses, bus);
		free(bus->units);
		free(bus);
	}
	HASH_ITER(hh, hosts, host, after) {
		HASH_DEL(hosts, host);
		free(host);
	}
	if (*count > 1)
		qsort(plans, *count, sizeof *plans, by_load);
	return plans;
}

/* The Modbus driver against a server whose answers are damaged, cut into pieces and late. */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "fuzz/mutate.h"
#include "fuzz/targets.h"
#include "modbus/modbus.h"
#include "unit/check.h"
#include "unit/modbus/server.h"
#include "unit/snmp/bed_task.h"

enum { POINTS = 8, HEAD = 9, FIRST = 0xF000 };

static struct loop *loop;
static struct server server;
static unsigned percent;

/* An octet more in front of the data, or between function and count, would be a well-formed
 * answer with other contents; so only what stands before the unit moves. */
static size_t
damage_head(uint8_t *bytes, size_t size)
{
	size_t at = fuzz_roll(HEAD);

	switch (fuzz_roll(4)) {
	case 0:
		at = fuzz_roll(7);
		memmove(bytes + at + 1, bytes + at, size - at);
		bytes[at] = (uint8_t)fuzz_roll(256);
		return size + 1;
	case 1:
		memmove(bytes + at, bytes + at + 1, size - at - 1);
		return size - 1;
	default:
		bytes[at] = fuzz_roll(2) == 0 ? (uint8_t)fuzz_roll(256) :
			bytes[at] ^ (uint8_t)(1u << fuzz_roll(8));
		return size;
	}
}

static size_t
damage(uint8_t *bytes, size_t size)
{
	switch (fuzz_roll(6)) {
	case 0:
		return fuzz_roll((uint32_t)size);
	case 1: /* junk behind */
		for (uint32_t n = 1 + fuzz_roll(20); n > 0; n--)
			bytes[size++] = (uint8_t)fuzz_roll(256);
		return size;
	case 2: /* twice */
		memcpy(bytes + size, bytes, size);
		return 2 * size;
	case 3: /* junk only */
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)fuzz_roll(256);
		return size;
	default:
		for (uint32_t n = 1 + fuzz_roll(2); n > 0; n--)
			size = damage_head(bytes, size);
		return size;
	}
}

static bool
answer_badly(struct server *self, const struct server_request *request)
{
	uint8_t bytes[1024];
	size_t size = server_answer(request, bytes), at = 0;
	int64_t delay = LOOP_MS;

	if (fuzz_roll(100) >= percent)
		return false;
	if (fuzz_roll(10) == 0)
		size = server_exception(request, (uint8_t)fuzz_roll(256), bytes);
	else if (fuzz_roll(8) != 0)
		size = damage(bytes, size);
	if (fuzz_roll(8) == 0)
		delay = fuzz_roll(2500) * LOOP_MS;
	while (at < size) {
		size_t part = 1 + fuzz_roll((uint32_t)(size - at));

		net_sim_send(request->conn, bytes + at, part, delay);
		delay += fuzz_roll(20) * LOOP_MS;
		at += part;
	}
	if (fuzz_roll(20) == 0)
		net_sim_close(request->conn, fuzz_roll(2) == 0 ? 0 : 104, delay);
	(void)self;
	return true;
}

static struct plant {
	struct modbus_options options;
	struct modbus_point wires[POINTS];
	struct point points[POINTS];
	struct group group;
	struct device_about about;
	struct device device;
	struct task *task;
} plant;

static void
make_plant(struct modbus *modbus)
{
	memset(&plant, 0, sizeof plant);
	plant.options = (struct modbus_options){ .line = "", .address = server.at, .unit_id = 1,
		.timeout = LOOP_S, .connect_timeout = 3 * LOOP_S };
	for (unsigned i = 0; i < POINTS; i++) {
		plant.wires[i] = (struct modbus_point){ .function = i % 2 ? 4 : 3,
			.pdu = (uint16_t)(FIRST + i % 2 * 64 + i / 2), .spec = { .type = REGS_U16 } };
		plant.points[i] = (struct point){ .name = "p", .kind = POINT_GAUGE, .scale = 1,
			.wire = &plant.wires[i], .unit = "" };
	}
	plant.group = (struct group){ .name = "points", .interval = 10 * LOOP_S,
		.driver = &modbus_driver, .points = plant.points, .point_count = POINTS };
	plant.about.interval = 10 * LOOP_S;
	plant.device = (struct device){ .name = "press-3", .address = "10.1.7.20:502",
		.about = &plant.about, .ways = DEVICE_MODBUS, .options = &plant.options,
		.groups = &plant.group,
		.group_count = 1 };
	plant.task = calloc(1, sizeof *plant.task);
	plant.task->device = &plant.device;
	plant.task->group = &plant.group;
	plant.task->loop = loop;
	(void)modbus;
}

static unsigned
poll_once(void *work)
{
	unsigned good = 0;

	bed_task_begin(plant.task);
	modbus_driver.start(work, fuzz_roll(8) == 0);
	loop_sim_for(loop, 10 * LOOP_S + 100 * LOOP_MS);
	CHECK_INT(plant.task->done, 1);
	for (size_t i = 0; i < plant.task->told_count; i++) {
		const struct reading *reading = &plant.task->told[i].reading;
		uint16_t wanted = server_register(1, plant.wires[reading->point].pdu);

		if (reading->reason != REASON_GOOD)
			continue;
		good++;
		if (reading->number != wanted) {
			print_error("register %d: %.17g instead of %d\n",
				plant.wires[reading->point].pdu, reading->number, wanted);
			fail();
		}
	}
	return good;
}

static void
run(void)
{
	unsigned polls = 20 + fuzz_roll(60);
	struct modbus *modbus;
	struct fail why;
	void *state, *work;

	net_sim_reset();
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(&why);
	modbus = modbus_new(loop);
	memset(&server, 0, sizeof server);
	server_start(&server, loop, "10.1.7.20");
	server.special = answer_badly;
	make_plant(modbus);
	state = modbus_driver.attach(modbus, &plant.device, &why);
	CHECK(state != NULL);
	work = modbus_driver.open(state, plant.task);
	percent = 0;
	CHECK_INT(poll_once(work), POINTS);
	percent = 5 + fuzz_roll(96);
	while (polls-- > 0 && fuzz_goes_on())
		poll_once(work);
	percent = 0;
	poll_once(work); /* may still find late answers, or wait for the connection */
	poll_once(work);
	/* A block that was refused as a whole is not broken up again at once. */
	for (polls = 0; polls < 400 && poll_once(work) < POINTS; polls++)
		;
	CHECK_INT(poll_once(work), POINTS);
	CHECK_INT(server.malformed, 0);
	modbus_driver.close(work);
	modbus_driver.detach(state);
	modbus_end(modbus);
	loop_free(loop);
	free(plant.task);
}

static void
no_line(char level, const char *line, void *arg)
{
	(void)level, (void)line, (void)arg;
}

static void
damaged_answers_never_become_values(void)
{
	uint8_t bytes[300];

	log_catch(no_line, NULL);
	fuzz_begin("fuzz_modbus");
	while (fuzz_goes_on()) {
		size_t size = 1 + fuzz_roll(sizeof bytes - 1);

		run();
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)fuzz_roll(fuzz_roll(2) == 0 ? 8 : 256);
		fuzz_adu(bytes, size);
		fuzz_regs(bytes, size);
	}
	fuzz_end();
	log_catch(NULL, NULL);
}

RUN_TESTS(TEST(damaged_answers_never_become_values))

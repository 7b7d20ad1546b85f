#include "modbus/modbus.h"

#include <stdio.h>
#include <time.h>

#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/self.h"
#include "fake/loop_sim.h"
#include "modbus/block.h"
#include "server.h"

enum { POINTS = 40 };

/* ---- what core/poller does for a driver, as far as the driver can see ---- */

struct task {
	const struct device *device;
	const struct group *group;
	void *work;
	unsigned done, exchanges, answered;
	uint8_t rest, unanswered;
	struct reading readings[POINTS];
	char texts[POINTS][64];
	bool read[POINTS];
	char error[200];
	bool start_again;
};

static struct loop *loop;
static struct modbus *modbus;
static struct server server;

const struct device *
task_device(const struct task *task)
{
	return task->device;
}

const struct group *
task_group(const struct task *task)
{
	return task->group;
}

struct loop *
task_loop(const struct task *task)
{
	(void)task;
	return loop;
}

void
task_reading(struct task *task, const struct reading *reading)
{
	CHECK(reading->row == TASK_SCALAR && reading->point < task->group->point_count);
	CHECK(!task->read[reading->point]);
	CHECK(reading->received <= loop_mono(loop) && reading->received > 0);
	task->read[reading->point] = true;
	task->readings[reading->point] = *reading;
	snprintf(task->texts[reading->point], 64, "%s", reading->text != NULL ? reading->text : "");
}

void
task_done(struct task *task, uint8_t rest)
{
	task->done++;
	task->rest = rest;
	for (unsigned i = 0; i < task->group->point_count; i++) {
		if (!task->read[i])
			task->readings[i].reason = rest;
	}
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	CHECK(rtt >= 0);
	task->exchanges++;
	task->answered += device_answered;
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	task->unanswered = reason;
}

void
task_error(struct task *task, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(task->error, sizeof(task->error), format, list);
	va_end(list);
}

/* ---- a device with its points ---- */

struct plant {
	struct modbus_options options;
	struct modbus_point wires[POINTS];
	struct point points[POINTS];
	struct group group;
	struct device_about about;
	struct device device;
	struct task task;
	void *state;
};

static void
begin(void)
{
	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(NULL);
	modbus = modbus_new(loop);
	memset(&server, 0, sizeof(server));
	server_start(&server, loop, "10.1.7.20");
}

static void
finish(void)
{
	CHECK_INT(server.malformed, 0);
	modbus_end(modbus);
	CHECK_INT(net_sim_tcp_open(&server.at), 0);
	loop_free(loop);
	net_sim_reset();
}

static struct plant *
plant_new(uint8_t unit)
{
	struct plant *plant = mem_zero(sizeof(*plant));

	plant->options = (struct modbus_options){ .line = "", .address = server.at,
		.unit_id = unit, .timeout = LOOP_S, .connect_timeout = 3 * LOOP_S };
	plant->group = (struct group){ .name = "points", .interval = 10 * LOOP_S,
		.driver = &modbus_driver, .points = plant->points };
	plant->about.interval = 10 * LOOP_S;
	plant->device = (struct device){ .name = "press-3", .address = "10.1.7.20:502",
		.about = &plant->about, .ways = DEVICE_MODBUS, .options = &plant->options,
		.groups = &plant->group,
		.group_count = 1 };
	plant->task.device = &plant->device;
	plant->task.group = &plant->group;
	return plant;
}

static struct modbus_point *
add(struct plant *plant, uint8_t function, uint16_t pdu, enum regs_type type)
{
	size_t n = plant->group.point_count++;
	struct point *point = &plant->points[n];
	struct modbus_point *wire = &plant->wires[n];

	*wire = (struct modbus_point){ .function = function, .pdu = pdu,
		.spec = { .type = type } };
	*point = (struct point){ .name = "p", .kind = type == REGS_STRING ? POINT_TEXT : POINT_GAUGE,
		.scale = 1, .wire = wire };
	return wire;
}

static void
plant_open(struct plant *plant)
{
	struct fail why;

	plant->state = modbus_driver.attach(modbus, &plant->device, &why);
	CHECK(plant->state != NULL);
	plant->task.work = modbus_driver.open(plant->state, &plant->task);
}

static void
plant_close(struct plant *plant)
{
	modbus_driver.close(plant->task.work);
	modbus_driver.detach(plant->state);
	free(plant);
}

static void
start(struct plant *plant, bool cautious)
{
	struct task *task = &plant->task;

	memset(task->read, 0, sizeof(task->read));
	memset(task->readings, 0, sizeof(task->readings));
	task->exchanges = task->answered = 0;
	task->error[0] = server.log[0] = '\0';
	modbus_driver.start(task->work, cautious);
}

static struct task *
polled(struct plant *plant, bool cautious)
{
	unsigned before = plant->task.done;

	start(plant, cautious);
	CHECK_INT(plant->task.done, before); /* never inside start */
	loop_sim_for(loop, 10 * LOOP_S);
	CHECK_INT(plant->task.done, before + 1);
	return &plant->task;
}

/* Points first..last have this reason, and right values if it is none. */
static void
check_points(const struct task *task, unsigned first, unsigned last, uint8_t reason)
{
	for (unsigned i = first; i <= last; i++) {
		const struct modbus_point *wire = task->group->points[i].wire;
		const struct modbus_options *options = device_modbus(task->device);

		CHECK_INT(task->readings[i].reason, reason);
		if (reason == REASON_GOOD)
			CHECK_NEAR(task->readings[i].number,
				server_register(options->unit_id, wire->pdu), 0);
	}
}

/* Address 103 does not exist; nor does any unit above 100 answer. */
static bool
without_103(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];

	if (request->unit > 100)
		return true;
	if (request->address > 103 || request->address + request->count <= 103)
		return false;
	server_send(self, request, answer, server_exception(request, 2, answer));
	return true;
}

static void
asks_neighbours_in_one_request(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	plant = plant_new(2);
	for (uint16_t i = 0; i < 10; i++)
		add(plant, 3, (uint16_t)(109 - i), REGS_U16);
	add(plant, 4, 100, REGS_U16);
	plant_open(plant);
	task = polled(plant, false);
	CHECK_STR(server.log, "u2:f3@100+10 u2:f4@100+1");
	check_points(task, 0, 10, REASON_GOOD);
	CHECK_INT(task->exchanges, 2);
	CHECK_INT(task->answered, 2);
	CHECK_STR(task->error, "");
	plant_close(plant);
	finish();
}

static bool
mute(struct server *self, const struct server_request *request)
{
	(void)self;
	(void)request;
	return true;
}

/* Three blocks on a bus, two of them single registers that are read alone: once they are owed
 * an answer there is no other shape for them. The third proves that nothing is to come. */
static void
a_question_that_cannot_be_told_apart_does_not_keep_the_others_from_being_asked(void)
{
	struct plant *plant;

	begin();
	server.rtu = true;
	plant = plant_new(2);
	plant->options.framing = ADU_RTU;
	plant->group.interval = plant->about.interval = LOOP_S;
	plant->options.timeout = 100 * LOOP_MS;
	add(plant, 3, 100, REGS_U16)->separate = true;
	add(plant, 3, 200, REGS_U16)->separate = true;
	add(plant, 3, 300, REGS_U32);
	plant_open(plant);
	server.special = mute;
	start(plant, false);
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(plant->task.rest, REASON_TIMEOUT);
	CHECK_INT(server.requests, 2);
	server.special = NULL;
	start(plant, true); /* the device was silent, so this poll is a cautious one */
	loop_sim_for(loop, LOOP_S);
	CHECK_STR(server.log, "u2:f3@300+3 u2:f3@300+2");
	check_points(&plant->task, 0, 1, REASON_TIMEOUT);
	CHECK_INT(plant->task.readings[2].reason, REASON_GOOD);
	start(plant, false);
	loop_sim_for(loop, LOOP_S);
	CHECK_STR(server.log, "u2:f3@100+1 u2:f3@200+1 u2:f3@300+2");
	check_points(&plant->task, 0, 1, REASON_GOOD);
	plant_close(plant);
	finish();
}

static void
reads_numbers_bits_and_text(void)
{
	struct regs_range invalid;
	struct fail why;
	struct plant *plant;
	struct task *task;

	begin();
	plant = plant_new(3); /* register a reads 3000 + a */
	add(plant, 3, 100, REGS_U16);
	plant->points[0].scale = 0.1;
	plant->points[0].offset = -10;
	add(plant, 3, 100, REGS_U32);
	plant->points[1].kind = POINT_COUNTER;
	plant->points[1].scale = 0.001; /* of its rate: not ours */
	plant->wires[1].bits = 32;
	add(plant, 3, 101, REGS_BIT)->spec.bit = 0; /* 3101 is odd */
	add(plant, 1, 7, REGS_BIT);                 /* so is 3007 */
	add(plant, 2, 8, REGS_BIT);
	add(plant, 3, 22840 - 3000, REGS_STRING)->spec.length = 1; /* 0x5938 is "Y8" */
	CHECK(regs_range_parse("3200..3300", REGS_U16, &invalid, &why) == 0);
	add(plant, 3, 201, REGS_U16)->spec.invalid = &invalid;
	plant->wires[6].spec.invalid_count = 1;
	plant_open(plant);
	task = polled(plant, false);
	CHECK_NEAR(task->readings[0].number, 300, 1e-9);
	CHECK_INT(task->readings[0].raw, 3100);
	CHECK_INT(task->readings[1].raw, 3100 << 16 | 3101);
	CHECK_INT(task->readings[1].bits, 32);
	CHECK_NEAR(task->readings[2].number, 1, 0);
	CHECK_NEAR(task->readings[3].number, 1, 0);
	CHECK_NEAR(task->readings[4].number, 0, 0);
	CHECK_STR(task->texts[5], "Y8");
	CHECK_INT(task->readings[6].reason, REASON_INVALID_VALUE);
	for (int i = 0; i < 6; i++)
		CHECK_INT(task->readings[i].reason, REASON_GOOD);
	plant_close(plant);
	finish();
}

/* SunSpec: the value at 200, its power of ten at 210 in another request; server.state is it. */
static bool
sunspec(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	if (request->address != 210)
		return false;
	answer[9] = (uint8_t)(self->state >> 8);
	answer[10] = (uint8_t)self->state;
	server_send(self, request, answer, size);
	return true;
}

static void
scales_by_the_power_of_ten_of_another_point(void)
{
	static const struct { int power; uint8_t reason; double number; } cases[] = {
		{ 0, REASON_GOOD, 2200 }, { 2, REASON_GOOD, 220000 }, { -1, REASON_GOOD, 220 },
		{ 0x8000, REASON_INVALID_VALUE, 0 }, { 11, REASON_INVALID_VALUE, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plant *plant;
		struct task *task;

		begin();
		server.special = sunspec;
		server.state = cases[i].power;
		plant = plant_new(2); /* register 200 reads 2200 */
		add(plant, 3, 200, REGS_U16)->scale_from = "sf";
		add(plant, 3, 210, REGS_S16);
		plant->points[1].name = "sf";
		plant->wires[0].spec.bounded = true;
		plant->wires[0].spec.min = 220;
		plant->wires[0].spec.max = 220000;
		plant_open(plant);
		task = polled(plant, false);
		CHECK_INT(task->readings[0].reason, cases[i].reason);
		if (cases[i].reason == REASON_GOOD)
			CHECK_NEAR(task->readings[0].number, cases[i].number, 1e-9);
		plant_close(plant);
		finish();
	}
}

static void
does_not_believe_what_lies_beyond_its_bounds(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	plant = plant_new(2);
	for (uint16_t i = 0; i < 3; i++) {
		add(plant, 3, (uint16_t)(100 + i), REGS_U16);
		plant->wires[i].spec.bounded = true;
		plant->wires[i].spec.min = 2101;
		plant->wires[i].spec.max = 2101;
	}
	plant_open(plant);
	task = polled(plant, false);
	CHECK_INT(task->readings[0].reason, REASON_INVALID_VALUE);
	CHECK_INT(task->readings[1].reason, REASON_GOOD);
	CHECK_INT(task->readings[2].reason, REASON_INVALID_VALUE);
	plant_close(plant);
	finish();
}

static bool
meter(struct server *self, const struct server_request *request)
{
	/* 123456.75 as ABCD, then -1 and 1e30 */
	static const uint8_t body[] = { 0, 0, 0, 15, 2, 3, 12, 0x47, 0xF1, 0x20, 0x60, 0xBF, 0x80,
		0, 0, 0x71, 0x49, 0xF2, 0xCA };
	uint8_t answer[2 + sizeof(body)] = { (uint8_t)(request->tid >> 8), (uint8_t)request->tid };

	memcpy(answer + 2, body, sizeof(body));
	server_send(self, request, answer, sizeof(answer));
	return true;
}

static void
keeps_the_fraction_of_a_count_that_is_a_float(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	server.special = meter;
	plant = plant_new(2);
	for (uint16_t i = 0; i < 3; i++) {
		add(plant, 3, (uint16_t)(100 + 2 * i), REGS_F32);
		plant->points[i].kind = POINT_COUNTER;
		plant->points[i].scale = 1000; /* kWh to Wh: of the rate, not ours */
	}
	plant_open(plant);
	task = polled(plant, false);
	CHECK_INT(task->readings[0].reason, REASON_GOOD);
	CHECK_INT(task->readings[0].raw, 123456);
	CHECK_INT(task->readings[0].milli, 123456750);
	CHECK_INT(task->readings[0].bits, 64);
	CHECK_INT(task->readings[1].reason, REASON_INVALID_VALUE);
	CHECK_INT(task->readings[2].reason, REASON_INVALID_VALUE);
	plant_close(plant);
	finish();
}

static void
keeps_the_neighbours_of_a_missing_register_good(void)
{
	struct plant *plant;
	struct task *task;
	unsigned alone = 0;

	begin();
	server.special = without_103;
	plant = plant_new(2);
	for (uint16_t i = 0; i < 8; i++)
		add(plant, 3, (uint16_t)(100 + i), REGS_U16);
	plant_open(plant);
	task = polled(plant, false);
	check_points(task, 0, 2, REASON_GOOD);
	check_points(task, 3, 3, REASON_EXCEPTION + 2);
	check_points(task, 4, 7, REASON_GOOD);
	CHECK_STR(task->error, "unit 2: exception 2 (illegal data address) to function 3, "
		"1 registers from 103");
	CHECK_STR(server.log, "u2:f3@100+8 u2:f3@100+4 u2:f3@100+2 u2:f3@102+2 u2:f3@102+1 "
		"u2:f3@103+1 u2:f3@104+4");

	/* from then on the missing one is asked alone, and less and less often */
	for (int i = 0; i < 1000; i++) {
		task = polled(plant, false);
		check_points(task, 0, 2, REASON_GOOD);
		check_points(task, 3, 3, REASON_EXCEPTION + 2);
		check_points(task, 4, 7, REASON_GOOD);
		alone += strcmp(server.log, "u2:f3@100+3 u2:f3@103+1 u2:f3@104+4") == 0;
		CHECK(task->exchanges == 2 || alone > 0);
	}
	CHECK(alone >= 10 && alone <= 30);
	server.special = NULL;
	loop_sim_for(loop, 600 * LOOP_S);
	check_points(polled(plant, false), 0, 7, REASON_GOOD);
	check_points(polled(plant, false), 0, 7, REASON_GOOD);
	CHECK_STR(server.log, "u2:f3@100+8");
	plant_close(plant);
	finish();
}

/* Danfoss MCD 600 (its manual, Modbus registers): reading 603 clears what 602 and 604 tell. */
static void
reads_last_and_alone_what_changes_the_device(void)
{
	static const struct block_barrier around[] = { { 4, 602 }, { 4, 603 } };
	struct plant *plant;

	begin();
	plant = plant_new(2);
	plant->options.max_gap = 20;
	plant->options.barriers = around;
	plant->options.barrier_count = 2;
	add(plant, 4, 601, REGS_U16);
	add(plant, 4, 602, REGS_U16)->side_effect = true;
	add(plant, 4, 603, REGS_U16);
	add(plant, 4, 608, REGS_U16);
	plant_open(plant);
	check_points(polled(plant, false), 0, 3, REASON_GOOD);
	CHECK_STR(server.log, "u2:f4@601+1 u2:f4@603+6 u2:f4@602+1");
	plant_close(plant);
	finish();
}

static void
asks_each_point_by_itself_when_told_to(void)
{
	struct plant *plant;

	begin();
	plant = plant_new(2);
	plant->options.no_merge = true;
	plant->options.max_gap = 20;
	add(plant, 3, 100, REGS_U16);
	add(plant, 3, 101, REGS_U32);
	add(plant, 3, 103, REGS_U16)->atomic = "a";
	add(plant, 3, 105, REGS_U16)->atomic = "a";
	plant_open(plant);
	polled(plant, false);
	CHECK_STR(server.log, "u2:f3@100+1 u2:f3@101+2 u2:f3@103+3");
	plant_close(plant);
	finish();
}

/* Counter and status of one moment: never one from before and one from after. */
static void
an_atomic_group_is_lost_as_a_whole_and_comes_back_as_a_whole(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	server.special = without_103;
	plant = plant_new(2);
	for (uint16_t i = 0; i < 8; i++)
		add(plant, 3, (uint16_t)(100 + i), REGS_U16);
	plant->wires[2].atomic = plant->wires[3].atomic = plant->wires[6].atomic = "cycle";
	plant_open(plant);
	task = polled(plant, false);
	check_points(task, 0, 1, REASON_GOOD);
	check_points(task, 2, 3, REASON_EXCEPTION + 2);
	check_points(task, 4, 5, REASON_GOOD);
	check_points(task, 6, 6, REASON_EXCEPTION + 2);
	check_points(task, 7, 7, REASON_GOOD);
	for (int i = 0; i < 100; i++) {
		task = polled(plant, false);
		CHECK(strstr(server.log, "@102+5") != NULL || task->exchanges == 3);
		CHECK(strstr(server.log, "@103") == NULL && strstr(server.log, "@106") == NULL &&
			strstr(server.log, "@102+1") == NULL && strstr(server.log, "@102+2") == NULL);
		check_points(task, 4, 5, REASON_GOOD);
	}
	server.special = NULL;
	loop_sim_for(loop, 600 * LOOP_S);
	check_points(polled(plant, false), 0, 7, REASON_GOOD);
	check_points(polled(plant, false), 0, 7, REASON_GOOD);
	CHECK_STR(server.log, "u2:f3@100+8");
	plant_close(plant);
	finish();
}

static void
does_not_break_up_for_ever_what_is_refused_altogether(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	server.special = without_103;
	plant = plant_new(2);
	add(plant, 3, 103, REGS_U16);
	add(plant, 3, 103, REGS_U32);
	add(plant, 3, 200, REGS_U16);
	plant_open(plant);
	task = polled(plant, false);
	CHECK_STR(server.log, "u2:f3@103+2 u2:f3@103+1 u2:f3@103+2 u2:f3@200+1");
	task = polled(plant, false);
	CHECK_STR(server.log, "u2:f3@103+2 u2:f3@200+1");
	check_points(task, 0, 1, REASON_EXCEPTION + 2);
	check_points(task, 2, 2, REASON_GOOD);
	plant_close(plant);
	finish();
}

/* Sixty registers, one of them missing: found by halves. */
static void
finds_a_missing_register_in_few_requests(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	server.special = without_103;
	plant = plant_new(2);
	for (uint16_t i = 0; i < POINTS; i++)
		add(plant, 3, (uint16_t)(80 + i), REGS_U16);
	plant_open(plant);
	task = polled(plant, false);
	CHECK(task->exchanges <= 13);
	check_points(task, 0, 22, REASON_GOOD);
	check_points(task, 23, 23, REASON_EXCEPTION + 2);
	check_points(task, 24, POINTS - 1, REASON_GOOD);
	plant_close(plant);
	finish();
}

/* state: so many times busy, for each question */
static bool
busy_first(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];

	if (self->state-- <= 0)
		return false;
	server_send(self, request, answer,
		server_exception(request, self->state % 2 ? 5 : 6, answer));
	return true;
}

static void
asks_a_busy_device_again_gently(void)
{
	struct self_counts counts = { 0 };
	struct plant *plant;
	struct task *task;
	int64_t before;

	begin();
	server.special = busy_first;
	plant = plant_new(2);
	add(plant, 3, 100, REGS_U16);
	plant_open(plant);
	for (int times = 1; times <= 3; times++) {
		server.state = times;
		before = loop_mono(loop);
		task = polled(plant, false);
		check_points(task, 0, 0, REASON_GOOD);
		CHECK_INT(task->exchanges, times + 1);
		CHECK(task->readings[0].received - before >= (100 * LOOP_MS << times) - 110 * LOOP_MS);
	}
	modbus_driver.count(plant->state, &counts);
	CHECK_INT(counts.retries, 1 + 2 + 3);
	CHECK_INT(counts.strays, 0);
	server.state = 100;
	task = polled(plant, false);
	CHECK_INT(task->exchanges, 4);
	CHECK(task->readings[0].reason == REASON_EXCEPTION + 5 ||
		task->readings[0].reason == REASON_EXCEPTION + 6);
	plant->group.interval = LOOP_S / 4; /* not beyond the next poll */
	start(plant, false);
	loop_sim_for(loop, LOOP_S);
	CHECK_INT(plant->task.exchanges, 2);
	plant_close(plant);
	finish();
}

/* Takes at most four registers at a time. */
static bool
four_at_most(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];

	if (request->count <= 4)
		return false;
	server_send(self, request, answer, server_exception(request, 3, answer));
	return true;
}

static void
learns_how_much_a_device_can_take(void)
{
	struct plant *plant;

	begin();
	server.special = four_at_most;
	plant = plant_new(2);
	for (uint16_t i = 0; i < 16; i++)
		add(plant, 3, (uint16_t)(100 + i), REGS_U16);
	plant_open(plant);
	for (int i = 0; i < 3; i++)
		check_points(polled(plant, false), 0, 15, REASON_GOOD);
	CHECK_STR(server.log, "u2:f3@100+4 u2:f3@104+4 u2:f3@108+4 u2:f3@112+4");
	plant_close(plant);
	finish();
}

static void
stops_filling_gaps_when_that_is_refused(void)
{
	struct plant *plant;

	begin();
	server.special = without_103;
	plant = plant_new(2);
	plant->options.max_gap = 4;
	add(plant, 3, 102, REGS_U16);
	add(plant, 3, 104, REGS_U16);
	add(plant, 3, 105, REGS_U16);
	plant_open(plant);
	check_points(polled(plant, false), 0, 2, REASON_GOOD);
	check_points(polled(plant, false), 0, 2, REASON_GOOD);
	CHECK_STR(server.log, "u2:f3@102+1 u2:f3@104+2");
	plant_close(plant);
	finish();
}

static void
costs_one_request_when_the_device_is_silent(void)
{
	struct plant *dead, *alive;
	struct task *task;

	begin();
	server.special = without_103;
	dead = plant_new(101);
	alive = plant_new(2);
	for (uint16_t i = 0; i < 8; i++) {
		add(dead, 3, (uint16_t)(2 * i), REGS_U16);
		add(alive, 3, (uint16_t)(2 * i), REGS_U16);
	}
	plant_open(dead);
	plant_open(alive);
	start(dead, false);
	task = polled(alive, false);
	check_points(task, 0, 7, REASON_GOOD);
	CHECK_INT(dead->task.done, 1);
	CHECK_INT(dead->task.exchanges, 2);
	CHECK_INT(dead->task.answered, 0);
	check_points(&dead->task, 0, 7, REASON_TIMEOUT);
	CHECK_INT(dead->task.unanswered, REASON_TIMEOUT);
	CHECK_STR(dead->task.error, "unit 101: no answer within 1s to function 3, 1 registers from 2");

	for (int i = 0; i < 5; i++) {
		task = polled(dead, true);
		CHECK_INT(task->exchanges, 1);
		check_points(task, 0, 7, REASON_TIMEOUT);
		check_points(polled(alive, false), 0, 7, REASON_GOOD);
	}
	CHECK_INT(server.accepted, 1);
	server.special = NULL;
	check_points(polled(dead, true), 0, 7, REASON_GOOD);
	plant_close(dead);
	plant_close(alive);
	finish();
}

static bool
through_a_gateway(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];

	if (request->unit <= 100)
		return false;
	server_send(self, request, answer, server_exception(request,
		self->state == 0 ? 0x0B : (uint8_t)self->state, answer));
	return true;
}

static void
tells_a_dead_unit_from_its_gateway(void)
{
	struct plant *dead, *alive;
	struct task *task;

	begin();
	server.special = through_a_gateway;
	dead = plant_new(101);
	alive = plant_new(2);
	add(dead, 3, 0, REGS_U16);
	add(dead, 3, 9, REGS_U16);
	add(alive, 3, 0, REGS_U16);
	plant_open(dead);
	plant_open(alive);
	for (int i = 0; i < 5; i++) {
		task = polled(dead, i > 0);
		check_points(task, 0, 1, REASON_GATEWAY);
		CHECK_INT(task->unanswered, REASON_GATEWAY);
		CHECK_INT(task->exchanges, 1);
		CHECK_INT(task->answered, 0);
		CHECK_STR(task->error, "unit 101: exception 11 (gateway target failed to respond) to "
			"function 3, 1 registers from 0");
		check_points(polled(alive, false), 0, 0, REASON_GOOD);
	}
	server.state = 0x0A;
	task = polled(dead, true);
	check_points(task, 0, 1, REASON_GATEWAY);
	CHECK(strstr(task->error, "exception 10 (gateway path unavailable)") != NULL);
	check_points(polled(alive, false), 0, 0, REASON_GOOD);
	CHECK_INT(server.accepted, 1);
	plant_close(dead);
	plant_close(alive);
	finish();
}

/* The numbers on one bus have nothing to do with those on another. */
static void
two_gateways_with_the_same_unit_ids_stay_apart(void)
{
	static struct server other;
	struct plant *dead, *alive;

	begin();
	server.special = through_a_gateway;
	dead = plant_new(101);
	add(dead, 3, 0, REGS_U16);
	memset(&other, 0, sizeof(other));
	server_start(&other, loop, "10.1.7.21");
	alive = plant_new(101);
	alive->options.address = other.at;
	add(alive, 3, 0, REGS_U16);
	plant_open(dead);
	plant_open(alive);
	for (int i = 0; i < 5; i++) {
		start(dead, i > 0);
		check_points(polled(alive, false), 0, 0, REASON_GOOD);
		CHECK_INT(alive->task.answered, 1);
		check_points(&dead->task, 0, 0, REASON_GATEWAY);
	}
	CHECK_INT(server.accepted, 1);
	CHECK_INT(other.accepted, 1);
	CHECK_INT(other.requests, 5);
	CHECK_INT(other.malformed, 0);
	plant_close(dead);
	plant_close(alive);
	finish();
}

static void
says_unreachable_when_there_is_no_connection(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	net_sim_tcp_refuse(&server.at);
	plant = plant_new(2);
	add(plant, 3, 0, REGS_U16);
	add(plant, 3, 9, REGS_U16);
	plant_open(plant);
	for (int i = 0; i < 4; i++) {
		task = polled(plant, i > 0);
		check_points(task, 0, 1, REASON_UNREACHABLE);
		CHECK_INT(task->unanswered, REASON_UNREACHABLE);
		CHECK_INT(task->answered, 0);
		CHECK_STR(task->error, "unit 2: Connection refused");
	}
	server_start(&server, loop, "10.1.7.20");
	check_points(polled(plant, true), 0, 1, REASON_GOOD);
	plant_close(plant);
	finish();
}

/* The second request of each poll gets the answer of another unit. */
static bool
mixes_units_up(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	if (request->address != 9)
		return false;
	answer[6]++;
	server_send(self, request, answer, size);
	return true;
}

static void
loses_only_the_block_that_was_answered_wrongly(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	server.special = mixes_units_up;
	plant = plant_new(2);
	add(plant, 3, 0, REGS_U16);
	add(plant, 3, 9, REGS_U16);
	add(plant, 3, 20, REGS_U16);
	plant_open(plant);
	task = polled(plant, false);
	check_points(task, 0, 0, REASON_GOOD);
	check_points(task, 1, 1, REASON_BAD_REPLY);
	check_points(task, 2, 2, REASON_GOOD);
	CHECK_STR(task->error, "unit 2: bad-unit");
	plant_close(plant);
	finish();
}

static void
never_touches_a_task_that_was_cancelled(void)
{
	struct plant *plant;

	begin();
	plant = plant_new(2);
	server.delay = 100 * LOOP_MS;
	for (uint16_t i = 0; i < 4; i++)
		add(plant, 3, (uint16_t)(9 * i), REGS_U16);
	plant_open(plant);
	for (int ms = 0; ms < 600; ms += 10) {
		start(plant, false);
		loop_sim_for(loop, ms * LOOP_MS);
		if (plant->task.done > 0)
			break;
		modbus_driver.cancel(plant->task.work);
		memset(plant->task.read, 1, sizeof(plant->task.read)); /* a reading now would fail */
		loop_sim_for(loop, LOOP_S);
		CHECK_INT(plant->task.done, 0);
	}
	CHECK_INT(plant->task.done, 1);
	check_points(&plant->task, 0, 3, REASON_GOOD);
	start(plant, false);
	loop_sim_for(loop, 50 * LOOP_MS);
	plant_close(plant); /* busy: FIN and silence */
	loop_sim_for(loop, LOOP_S);
	finish();
}

static void
ends_a_poll_without_anything_to_ask(void)
{
	struct plant *plant;
	struct task *task;

	begin();
	plant = plant_new(2);
	add(plant, 3, 65535, REGS_U32); /* beyond the end: config refuses it, we do not ask */
	plant_open(plant);
	task = polled(plant, false);
	check_points(task, 0, 0, REASON_CONFIG);
	CHECK_INT(server.requests, 0);
	plant_close(plant);
	finish();
}

static void
refuses_unit_0(void)
{
	struct plant *plant;
	struct fail why;

	begin();
	plant = plant_new(0);
	CHECK(modbus_driver.attach(modbus, &plant->device, &why) == NULL);
	CHECK_STR(why.text, "unit_id 0 is the broadcast address of a serial bus");
	free(plant);
	finish();
}

static void
shares_a_connection_between_devices(void)
{
	struct plant *plant[5];

	begin();
	for (uint8_t i = 0; i < 5; i++) {
		plant[i] = plant_new((uint8_t)(i + 1));
		add(plant[i], 3, 0, REGS_U16);
		plant_open(plant[i]);
	}
	for (int i = 0; i < 5; i++)
		start(plant[i], false);
	loop_sim_for(loop, LOOP_S);
	for (int i = 0; i < 5; i++)
		check_points(&plant[i]->task, 0, 0, REASON_GOOD);
	CHECK_INT(server.accepted, 1);
	for (int i = 0; i < 5; i++)
		plant_close(plant[i]);
	CHECK_INT(server.closed, 1);
	finish();
}

/* Anything may happen to an answer; each poll ends once, within bounds, and every value
 * that counts as good is the server's. */
static unsigned seed;

static bool
misbehave(struct server *self, const struct server_request *request)
{
	uint8_t answer[260];
	size_t size = server_answer(request, answer);

	switch (rand_r(&seed) % 12) {
	case 0:
		return true;
	case 1:
		answer[rand_r(&seed) % 9] ^= (uint8_t)(1 << rand_r(&seed) % 8);
		break;
	case 2:
		net_sim_close(request->conn, 0, 0);
		return true;
	case 3:
		net_sim_send(request->conn, answer, size, rand_r(&seed) % 4000 * LOOP_MS);
		return true;
	case 4:
	case 5:
		size = server_exception(request, (uint8_t)(rand_r(&seed) % 4), answer);
		break;
	default:
		return false;
	}
	server_send(self, request, answer, size);
	return true;
}

static void
closes_each_poll_once_whatever_the_device_does(void)
{
	struct plant *plant[3];
	unsigned good = 0, lost = 0;

	seed = (unsigned)time(NULL);
	print_message("seed %u\n", seed);
	begin();
	server.special = misbehave;
	for (uint8_t i = 0; i < 3; i++) {
		plant[i] = plant_new((uint8_t)(i + 1));
		plant[i]->options.max_gap = (uint16_t)i;
		for (unsigned p = 0; p < 30; p++) {
			struct modbus_point *wire = add(plant[i], (uint8_t)(3 + rand_r(&seed) % 2),
				(uint16_t)(rand_r(&seed) % 60), REGS_U16);

			/* also groups that no check of a configuration would let pass */
			if (i > 0 && rand_r(&seed) % 5 == 0)
				wire->atomic = rand_r(&seed) % 2 == 0 ? "one" : "other";
			wire->side_effect = i > 1 && rand_r(&seed) % 8 == 0;
		}
		plant_open(plant[i]);
	}
	for (int round = 0; round < 500; round++) {
		bool cautious = rand_r(&seed) % 2 != 0;

		for (int i = 0; i < 3; i++) {
			plant[i]->task.done = 0;
			start(plant[i], cautious);
		}
		loop_sim_for(loop, 400 * LOOP_S);
		for (int i = 0; i < 3; i++) {
			CHECK_INT(plant[i]->task.done, 1);
			for (unsigned p = 0; p < 30; p++) {
				uint8_t reason = plant[i]->task.readings[p].reason;

				check_points(&plant[i]->task, p, p, reason);
				if (reason == REASON_GOOD)
					good++;
				else
					lost++;
			}
		}
	}
	CHECK(good > 1000 && lost > 1000);
	for (int i = 0; i < 3; i++)
		plant_close(plant[i]);
	finish();
}

static void
never_connects_where_no_connection_is_free(void)
{
	struct fail why;
	struct plant *plant;

	begin();
	plant = plant_new(3);
	plant->options.never_connect = true;
	CHECK(modbus_driver.attach(modbus, &plant->device, &why) == NULL);
	CHECK(strstr(why.text, "free_connections = 0") != NULL);
	loop_sim_for(loop, 60 * LOOP_S);
	CHECK_INT(server.accepted, 0);
	free(plant);
	finish();
}

RUN_TESTS(TEST(never_connects_where_no_connection_is_free),
	TEST(asks_neighbours_in_one_request),
	TEST(a_question_that_cannot_be_told_apart_does_not_keep_the_others_from_being_asked), TEST(reads_numbers_bits_and_text),
	TEST(scales_by_the_power_of_ten_of_another_point),
	TEST(does_not_believe_what_lies_beyond_its_bounds),
	TEST(keeps_the_fraction_of_a_count_that_is_a_float),
	TEST(keeps_the_neighbours_of_a_missing_register_good),
	TEST(reads_last_and_alone_what_changes_the_device),
	TEST(asks_each_point_by_itself_when_told_to),
	TEST(an_atomic_group_is_lost_as_a_whole_and_comes_back_as_a_whole),
	TEST(finds_a_missing_register_in_few_requests), TEST(asks_a_busy_device_again_gently),
	TEST(does_not_break_up_for_ever_what_is_refused_altogether),
	TEST(learns_how_much_a_device_can_take), TEST(stops_filling_gaps_when_that_is_refused),
	TEST(costs_one_request_when_the_device_is_silent),
	TEST(tells_a_dead_unit_from_its_gateway),
	TEST(two_gateways_with_the_same_unit_ids_stay_apart),
	TEST(says_unreachable_when_there_is_no_connection),
	TEST(loses_only_the_block_that_was_answered_wrongly),
	TEST(never_touches_a_task_that_was_cancelled),
	TEST(ends_a_poll_without_anything_to_ask), TEST(refuses_unit_0),
	TEST(shares_a_connection_between_devices),
	TEST(closes_each_poll_once_whatever_the_device_does))

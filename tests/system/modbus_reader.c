/* modbus_reader.c - the Modbus driver on the real loop, without the rest of the daemon.
 *
 * modbus_reader ADDRESS:PORT UNIT POLLS < LIST
 *
 * LIST is what libmodbus_server --list prints. Each point is polled POLLS times, all in one
 * group; the readings of the last poll go to stdout as "name value" or "name reason", in the
 * order of LIST. Ends with 1 when a poll did not end exactly once. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/str.h"
#include "core/device.h"
#include "core/driver.h"
#include "modbus/modbus.h"

enum { POINTS = 256 };

struct task {
	struct device device;
	struct group group;
	struct loop *loop;
	void *work;
	int polls;
	unsigned wrong;
	bool read[POINTS];
	char shown[POINTS][300];
};

const struct device *
task_device(const struct task *task)
{
	return &task->device;
}

const struct group *
task_group(const struct task *task)
{
	return &task->group;
}

struct loop *
task_loop(const struct task *task)
{
	return task->loop;
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	(void)task;
	(void)device_answered;
	(void)rtt;
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	(void)task, (void)reason;
}

void
task_error(struct task *task, const char *format, ...)
{
	va_list list;

	(void)task;
	va_start(list, format);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
}

void
task_reading(struct task *task, const struct reading *reading)
{
	const struct modbus_point *wire = task->group.points[reading->point].wire;
	char *to = task->shown[reading->point];
	size_t size = sizeof(task->shown[0]);

	task->wrong += task->read[reading->point];
	task->read[reading->point] = true;
	if (reading->reason != REASON_GOOD)
		str_copy(to, size, reason_word(reading->reason));
	else if (reading->text != NULL)
		str_copy(to, size, reading->text);
	else if (wire->spec.type == REGS_S64 || wire->spec.type == REGS_U64)
		snprintf(to, size, "%" PRId64, (int64_t)reading->raw);
	else
		str_number(to, size, reading->number);
}

void
task_done(struct task *task, uint8_t rest)
{
	for (size_t i = 0; i < task->group.point_count; i++) {
		if (!task->read[i])
			str_copy(task->shown[i], sizeof(task->shown[i]), reason_word(rest));
		task->read[i] = false;
	}
	if (--task->polls > 0)
		modbus_driver.start(task->work, false);
	else
		loop_stop(task->loop);
}

static void
read_list(struct point *points, struct modbus_point *wires, size_t *count)
{
	char line[512], name[40], type[16], order[16], extra[16], value[300];
	unsigned function, pdu;
	struct fail why = { "" };

	while (*count < POINTS && fgets(line, sizeof(line), stdin) != NULL) {
		struct modbus_point *wire = &wires[*count];

		if (sscanf(line, "%39s %u %u %15s %15s %15s %299[^\n]", name, &function, &pdu,
			    type, order, extra, value) != 7 ||
			regs_type_parse(type, &wire->spec.type, &why) == -1 ||
			(order[0] != '-' && regs_order_parse(order, &wire->spec.order, &why) == -1)) {
			fprintf(stderr, "%s: %s\n", line, why.text);
			exit(2);
		}
		wire->function = (uint8_t)function;
		wire->pdu = (uint16_t)pdu;
		wire->bits = 64;
		if (wire->spec.type == REGS_STRING)
			wire->spec.length = (uint8_t)atoi(extra);
		else
			wire->spec.bit = (uint8_t)atoi(extra);
		points[*count] = (struct point){ .name = mem_text(name), .scale = 1, .wire = wire,
			.kind = wire->spec.type == REGS_STRING ? POINT_TEXT : POINT_GAUGE };
		(*count)++;
	}
}

int
main(int argc, char **argv)
{
	static struct point points[POINTS];
	static struct modbus_point wires[POINTS];
	static const struct device_about about = { .interval = LOOP_S };
	static struct task task;
	struct modbus_options options = { .line = "", .timeout = LOOP_S };
	struct modbus *modbus;
	struct fail why;
	void *state;
	char *colon = argc == 4 ? strrchr(argv[1], ':') : NULL;

	if (colon == NULL)
		return 2;
	*colon = '\0';
	if (net_addr_parse(argv[1], (uint16_t)atoi(colon + 1), &options.address, &why) == -1)
		return 2;
	options.unit_id = (uint8_t)atoi(argv[2]);
	task.polls = atoi(argv[3]);
	task.group = (struct group){ .name = "points", .interval = 60 * LOOP_S, .points = points };
	task.device = (struct device){ .name = "peer", .address = argv[1], .about = &about,
		.ways = DEVICE_MODBUS, .options = &options, .groups = &task.group, .group_count = 1 };
	read_list(points, wires, &task.group.point_count);
	task.loop = loop_new(&why);
	modbus = modbus_new(task.loop);
	state = modbus_driver.attach(modbus, &task.device, &why);
	if (state == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 2;
	}
	task.work = modbus_driver.open(state, &task);
	modbus_driver.start(task.work, false);
	loop_run(task.loop);
	for (size_t i = 0; i < task.group.point_count; i++)
		printf("%s\t%s\n", points[i].name, task.shown[i]);
	modbus_driver.close(task.work);
	modbus_driver.detach(state);
	modbus_end(modbus);
	loop_free(task.loop);
	return task.wrong > 0 ? 1 : 0;
}

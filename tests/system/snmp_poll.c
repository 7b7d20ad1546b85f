/* snmp_poll - the SNMP driver on the real loop, without the daemon: polls one table once, or
 * walks a subtree, and prints what it was told.
 *
 *   snmp_poll ADDRESS PORT COMMUNITY VERSION interfaces     KEY|POINT|VALUE or reason
 *   snmp_poll ADDRESS PORT COMMUNITY VERSION walk OID       OID|TYPE|VALUE */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/loop.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/sample.h"
#include "snmp/snmp.h"
#include "snmp/walk.h"

struct task {
	struct loop *loop;
	void *state;
	const struct device *device;
	const struct group *group;
	char keys[512][96];
	uint32_t rows;
	int status;
};

/* ---- what the driver calls ---- */

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
	return task->loop;
}

void *
task_state(const struct task *task)
{
	return task->state;
}

uint32_t
task_row(struct task *task, const char *key)
{
	for (uint32_t i = 0; i < task->rows; i++)
		if (strcmp(task->keys[i], key) == 0)
			return i;
	if (task->rows == sizeof task->keys / sizeof task->keys[0])
		abort();
	snprintf(task->keys[task->rows], sizeof task->keys[0], "%s", key);
	return task->rows++;
}

void
task_row_again(struct task *task, uint32_t number)
{
	(void)task, (void)number;
}

void
task_row_end(struct task *task, const char *key)
{
	(void)task;
	(void)key;
}

void
task_forget(struct task *task, uint32_t row, uint32_t point)
{
	(void)task, (void)row, (void)point;
}

void
task_reading(struct task *task, const struct reading *reading)
{
	printf("%s|%s|", task->keys[reading->row], task->group->points[reading->point].name);
	if (reading->reason != REASON_GOOD)
		printf("%s\n", reason_word(reading->reason));
	else if (reading->number < 0)
		printf("%lld\n", (long long)reading->raw);
	else
		printf("%llu\n", (unsigned long long)reading->raw);
}

void
task_readings(struct task *task, const struct readings *readings)
{
	for (uint32_t i = 0; i < readings->count; i++) {
		struct reading reading = readings_at(readings, i);

		task_reading(task, &reading);
	}
}

void
task_done(struct task *task, uint8_t rest)
{
	task->status = rest == REASON_NO_SUCH_ROW ? 0 : 1;
	if (task->status != 0)
		fprintf(stderr, "ended as %s\n", reason_word(rest));
	loop_stop(task->loop);
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	(void)task, (void)device_answered, (void)rtt;
}

void
task_unanswered(struct task *task, uint8_t reason)
{
	(void)task, (void)reason;
}

void
task_ahead(const struct task *task, unsigned step)
{
	(void)task, (void)step;
}

void
task_error(struct task *task, const char *format, ...)
{
	va_list list;

	(void)task;
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

void
task_info(struct task *task, uint32_t row, const char *name, const char *text)
{
	(void)task, (void)row, (void)name, (void)text;
}

/* ---- the interface tables ---- */

#define IF 1, 3, 6, 1, 2, 1, 2, 2, 1
#define IF_X 1, 3, 6, 1, 2, 1, 31, 1, 1, 1
#define OID(...)                                                                       \
	{                                                                              \
		(const uint32_t[]){ __VA_ARGS__ },                                     \
			sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)   \
	}

static const struct snmp_oid keys[] = { OID(IF_X, 1), OID(IF, 2) };
static const struct snmp_oid columns[] = { OID(IF_X, 6), OID(IF, 10), OID(IF_X, 10), OID(IF, 16),
	OID(IF, 5), OID(IF_X, 15), OID(IF, 7), OID(IF, 8), OID(IF, 13), OID(IF, 14) };
static const struct snmp_group wire = { .keys = keys, .key_count = 2,
	.discontinuity = OID(IF_X, 19), .include = "", .exclude = "" };
#define POINT(label, first, n)                                                         \
	{                                                                              \
		.name = label, .unit = "", .text = "", .kind = POINT_GAUGE, .scale = 1,      \
		.wire = &(const struct snmp_point){ .oids = columns + (first), .oid_count = (n) } \
	}
static const struct point points[] = { POINT("in", 0, 2), POINT("in32", 1, 1),
	POINT("out", 2, 2), POINT("out64", 2, 1), POINT("speed", 4, 1), POINT("high_speed", 5, 1),
	POINT("admin", 6, 1), POINT("oper", 7, 1), POINT("discards", 8, 1),
	POINT("errors", 9, 1) };
static const struct group group = { .name = "if-mib", .table = "if",
	.interval = 60 * LOOP_S, .suffix = "", .profile = "standard", .points = points,
	.point_count = sizeof points / sizeof points[0], .wire = &wire };

static int
poll_interfaces(struct loop *loop, struct snmp *snmp, const struct snmp_options *options)
{
	struct device device = { .name = "device", .address = "", .ways = DEVICE_SNMP,
		.options = options,
		.groups = &group, .group_count = 1 };
	static struct task task;
	struct fail why;
	void *state, *work;

	task = (struct task){ .loop = loop, .device = &device, .group = &group, .status = 1 };
	state = snmp_driver.attach(snmp, &device, &why);
	if (state == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	task.state = state;
	work = snmp_driver.open(state, &task);
	snmp_driver.start(work, false);
	loop_run(loop);
	snmp_driver.close(work);
	snmp_driver.detach(state);
	return task.status;
}

/* ---- a walk ---- */

static struct loop *walk_loop;
static int walk_status = 1;

static void
walk_object(const struct varbind *varbind, void *arg)
{
	char oid[SNMP_OID_MAX * 11], value[1024];

	(void)arg;
	printf("%s|%s|%s\n", snmp_oid_text(oid, sizeof oid, varbind->ids, varbind->count),
		value_type_word(varbind->value.type),
		value_text(value, sizeof value, &varbind->value));
}

static void
walk_done(uint8_t reason, const char *text, void *arg)
{
	(void)arg;
	walk_status = reason == REASON_GOOD ? 0 : 1;
	if (walk_status != 0)
		fprintf(stderr, "%s\n", text);
	loop_stop(walk_loop);
}

static int
walk(struct loop *loop, struct snmp *snmp, const struct snmp_options *options, const char *text)
{
	static const struct snmp_walk_events events = { .object = walk_object,
		.done = walk_done };
	uint32_t ids[SNMP_OID_MAX];
	struct snmp_oid root = { .ids = ids };
	struct snmp_walk *started;
	struct fail why;

	walk_loop = loop;
	if (snmp_oid_parse(text, ids, &root.count, &why) == -1 ||
		(started = snmp_walk_start(snmp, "device", options, &root, 0, &events, NULL,
			 &why)) == NULL) {
		fprintf(stderr, "%s\n", why.text);
		return 1;
	}
	loop_run(loop);
	snmp_walk_free(started);
	return walk_status;
}

int
main(int argc, char **argv)
{
	struct snmp_access access = { .timeout = 3 * LOOP_S, .retries = 2 };
	struct snmp_options options = { .access = &access };
	struct loop *loop;
	struct snmp *snmp;
	struct fail why;
	int status;

	if (argc < 6) {
		fprintf(stderr, "usage: snmp_poll ADDRESS PORT COMMUNITY 1|2 interfaces|walk OID\n");
		return 2;
	}
	access.community = argv[3];
	access.version = (uint8_t)atoi(argv[4]);
	if (net_addr_parse(argv[1], (uint16_t)atoi(argv[2]), &options.address, &why) == -1) {
		fprintf(stderr, "%s\n", why.text);
		return 2;
	}
	loop = loop_new(&why);
	snmp = snmp_new(loop, NULL, &why);
	status = strcmp(argv[5], "walk") == 0 ?
		walk(loop, snmp, &options, argc > 6 ? argv[6] : "1.3") :
		poll_interfaces(loop, snmp, &options);
	snmp_free(snmp);
	loop_free(loop);
	return status;
}

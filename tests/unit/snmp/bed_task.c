#include "bed_task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "core/point.h"
#include "../check.h"

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
	for (uint32_t i = 0; i < task->row_count; i++)
		if (strcmp(task->keys[i], key) == 0)
			return i;
	CHECK(task->row_count < BED_ROWS);
	snprintf(task->keys[task->row_count], sizeof task->keys[0], "%s", key);
	return task->row_count++;
}

void
task_row_again(struct task *task, uint32_t number)
{
	CHECK(number < task->row_count);
}

void
task_row_end(struct task *task, const char *key)
{
	CHECK(task->ended_count < BED_ROWS);
	snprintf(task->ended[task->ended_count++], sizeof task->ended[0], "%s", key);
}

void
task_forget(struct task *task, uint32_t row, uint32_t point)
{
	size_t length = strlen(task->forgotten);

	CHECK(row < task->row_count);
	snprintf(task->forgotten + length, sizeof task->forgotten - length, "%s/%s ",
		task->keys[row], task->group->points[point].name);
}

void
task_reading(struct task *task, const struct reading *reading)
{
	struct told *told = &task->told[task->told_count++];

	CHECK(task->told_count < BED_TOLD);
	CHECK(task->done == 0);
	CHECK(reading->received > 0);
	for (size_t i = 0; i + 1 < task->told_count; i++)
		CHECK(task->told[i].reading.row != reading->row ||
			task->told[i].reading.point != reading->point);
	told->reading = *reading;
	snprintf(told->text, sizeof told->text, "%s", reading->text ? reading->text : "");
	told->reading.text = told->text;
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
	task->done++;
	task->rest = rest;
}

void
task_exchange(struct task *task, bool device_answered, int64_t rtt)
{
	task->asked++;
	task->answered += device_answered;
	CHECK(rtt >= 0);
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

	va_start(list, format);
	vsnprintf(task->error, sizeof task->error, format, list);
	va_end(list);
}

void
task_info(struct task *task, uint32_t row, const char *name, const char *text)
{
	size_t used = strlen(task->info);

	snprintf(task->info + used, sizeof task->info - used, "%s%s%s=%s\n",
		row == TASK_SCALAR ? "" : task->keys[row], row == TASK_SCALAR ? "" : ": ", name,
		text);
}

/* ---- what a test asks ---- */

void *
bed_task_open(struct task *task, void *state)
{
	task->state = state;
	return snmp_driver.open(state, task);
}

void
bed_task_begin(struct task *task)
{
	task->told_count = 0;
	task->ended_count = 0;
	task->forgotten[0] = '\0';
	task->done = 0;
	task->asked = task->answered = 0;
	task->error[0] = '\0';
	task->info[0] = '\0';
}

const struct reading *
bed_reading(const struct task *task, const char *key, const char *point)
{
	for (size_t i = 0; i < task->told_count; i++) {
		const struct reading *reading = &task->told[i].reading;

		if (strcmp(task->group->points[reading->point].name, point) != 0)
			continue;
		if (key == NULL ? reading->row == TASK_SCALAR :
			reading->row != TASK_SCALAR && strcmp(task->keys[reading->row], key) == 0)
			return reading;
	}
	return NULL;
}

static struct snmp_oid *
oids_of(const char *text, size_t *count)
{
	struct snmp_oid *oids = mem_array(8, sizeof *oids);
	char *copy = mem_text(text), *rest = copy, *word;
	struct fail why;

	*count = 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		uint32_t *ids = mem_array(SNMP_OID_MAX, sizeof *ids);

		if (snmp_oid_parse(word, ids, &oids[*count].count, &why) == -1)
			fail_msg("%s", why.text);
		oids[(*count)++].ids = ids;
	}
	free(copy);
	return oids;
}

static void
free_oids(const struct snmp_oid *oids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)(uintptr_t)oids[i].ids);
	free((void *)(uintptr_t)oids);
}

static struct point
point_of(const char *text)
{
	char name[64], oids[256], kind[16] = "gauge", unit[16] = "";
	struct snmp_point *wire = mem_zero(sizeof *wire);

	CHECK(sscanf(text, "%63[^=]=%255s %15s %15s", name, oids, kind, unit) >= 2);
	wire->oids = oids_of(oids, &wire->oid_count);
	return (struct point){ .name = mem_text(name), .unit = mem_text(unit), .text = "",
		.kind = strcmp(kind, "counter") == 0 ? POINT_COUNTER :
			strcmp(kind, "text") == 0 ? POINT_TEXT :
			strcmp(kind, "state") == 0 ? POINT_STATE : POINT_GAUGE,
		.scale = 1, .wire = wire };
}

struct group *
bed_group(const char *table, int64_t interval, const char *const *points, const char *keys,
	const char *discontinuity)
{
	struct group *group = mem_zero(sizeof *group);
	struct snmp_group *wire = mem_zero(sizeof *wire);
	struct point *made;
	size_t one;

	while (points[group->point_count] != NULL)
		group->point_count++;
	made = mem_array(group->point_count + 1, sizeof *made);
	for (size_t i = 0; i < group->point_count; i++)
		made[i] = point_of(points[i]);
	if (keys != NULL)
		wire->keys = oids_of(keys, &wire->key_count);
	if (discontinuity != NULL) {
		const struct snmp_oid *oid = oids_of(discontinuity, &one);

		wire->discontinuity = *oid;
		free((void *)(uintptr_t)oid);
	}
	wire->include = wire->exclude = "";
	*group = (struct group){ .name = "bed", .table = table, .interval = interval,
		.suffix = "", .profile = "standard", .points = made,
		.point_count = group->point_count, .wire = wire };
	return group;
}

void
bed_group_free(struct group *group)
{
	struct snmp_group *wire = bed_wire(group);

	for (size_t i = 0; i < group->point_count; i++) {
		const struct snmp_point *point = group->points[i].wire;

		free_oids(point->oids, point->oid_count);
		free((void *)(uintptr_t)group->points[i].name);
		free((void *)(uintptr_t)group->points[i].unit);
		free((void *)(uintptr_t)point);
	}
	free_oids(wire->keys, wire->key_count);
	free((void *)(uintptr_t)wire->discontinuity.ids);
	free(wire);
	free((void *)(uintptr_t)group->points);
	free(group);
}

struct snmp_group *
bed_wire(struct group *group)
{
	return (struct snmp_group *)(uintptr_t)group->wire;
}

void
bed_scales(struct group *group, const char *point, const double *scales)
{
	for (size_t i = 0; i < group->point_count; i++)
		if (strcmp(group->points[i].name, point) == 0)
			((struct snmp_point *)(uintptr_t)group->points[i].wire)->scales = scales;
}

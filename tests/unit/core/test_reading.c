/* Readings of a row are told together as far as they go together, and always in order. */
#include "../check.h"

#include <stdio.h>
#include <string.h>

#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"

#define POINTS 130

struct task {
	struct group group;
	char told[1024]; /* " (3..5) 6 (7..8)": those in brackets together */
};

static struct point points[POINTS];
static struct task task;
static struct readings readings;

const struct group *
task_group(const struct task *of)
{
	return &of->group;
}

static char *
end_of_told(size_t *room)
{
	size_t at = strlen(task.told);

	*room = sizeof task.told - at;
	CHECK(*room > 32);
	return task.told + at;
}

void
task_reading(struct task *to, const struct reading *reading)
{
	size_t room;
	char *end = end_of_told(&room);

	CHECK(to == &task);
	snprintf(end, room, " %u", reading->point);
}

void
task_readings(struct task *to, const struct readings *together)
{
	size_t room;
	char *end = end_of_told(&room);

	CHECK(to == &task);
	CHECK(together->count > 0 && together->count <= SAMPLE_BATCH);
	snprintf(end, room, " (%u..%u)", together->first, together->first + together->count - 1);
}

static void
begin(void)
{
	for (size_t i = 0; i < POINTS; i++)
		points[i] = (struct point){ .name = "p", .kind = POINT_COUNTER };
	task = (struct task){ .group = { .points = points, .point_count = POINTS } };
	readings = (struct readings){ .row = 7, .since = 5, .max_rate = 100 };
}

static struct reading
reading_of(uint32_t point)
{
	return (struct reading){ .row = 7, .point = point, .received = 50, .since = 5,
		.bits = 64, .raw = point };
}

static void
put(uint32_t point)
{
	struct reading reading = reading_of(point);

	readings_put(&readings, &task, &reading);
}

static void
end(void)
{
	readings_tell(&readings, &task);
	CHECK_INT(readings.count, 0);
	readings_tell(&readings, &task);
}

static void
points_that_follow_one_another_are_told_together(void)
{
	begin();
	put(3), put(4), put(5), put(8), put(9);
	end();
	CHECK_STR(task.told, " (3..5) (8..9)");
}

static void
more_than_one_batch_is_told_in_several(void)
{
	begin();
	for (uint32_t i = 0; i < POINTS; i++)
		put(i);
	end();
	CHECK_STR(task.told, " (0..63) (64..127) (128..129)");
}

static void
a_text_or_an_odd_counter_is_told_by_itself_in_its_turn(void)
{
	struct reading odd = reading_of(4);

	begin();
	points[2].kind = POINT_TEXT;
	put(1), put(2), put(3);
	odd.milli = 12750;
	readings_put(&readings, &task, &odd);
	odd = reading_of(5);
	odd.wrap = 65536;
	readings_put(&readings, &task, &odd);
	put(6);
	end();
	CHECK_STR(task.told, " (1..1) 2 (3..3) 4 5 (6..6)");
}

static void
what_came_with_another_answer_is_told_with_that(void)
{
	struct reading later = reading_of(2);

	begin();
	put(0), put(1);
	later.received = 51;
	readings_put(&readings, &task, &later);
	later.point = 3;
	readings_put(&readings, &task, &later);
	put(4);
	end();
	CHECK_STR(task.told, " (0..1) (2..3) (4..4)");
}

static void
each_can_be_had_by_itself_as_it_was_put(void)
{
	struct reading put_in = reading_of(3), out;

	begin();
	put(2);
	put_in.discontinuity = put_in.whole = put_in.beyond = true;
	put_in.number = 2.5;
	put_in.reason = REASON_INVALID_VALUE;
	put_in.max_rate = 100;
	readings_put(&readings, &task, &put_in);
	CHECK_INT(readings.count, 2);
	out = readings_at(&readings, 0);
	CHECK_NEAR(out.max_rate, 0, 0);
	out = readings_at(&readings, 1);
	CHECK_INT(out.row, 7);
	CHECK_INT(out.point, 3);
	CHECK_INT(out.received, 50);
	CHECK_INT(out.since, 5);
	CHECK_INT(out.bits, 64);
	CHECK_INT(out.raw, 3);
	CHECK_INT(out.reason, REASON_INVALID_VALUE);
	CHECK(out.discontinuity && out.whole && out.beyond);
	CHECK_NEAR(out.number, 2.5, 0);
	CHECK_NEAR(out.max_rate, 100, 0);
	CHECK(out.wrap == 0 && out.milli == 0 && out.text == NULL);
	end();
}

static void
one_with_another_limit_or_another_beginning_is_told_by_itself(void)
{
	struct reading other = reading_of(1);

	begin();
	put(0);
	other.max_rate = 99;
	readings_put(&readings, &task, &other);
	other = reading_of(2);
	other.since = 6;
	readings_put(&readings, &task, &other);
	end();
	CHECK_STR(task.told, " (0..0) 1 2");
}

RUN_TESTS(TEST(points_that_follow_one_another_are_told_together),
	TEST(more_than_one_batch_is_told_in_several),
	TEST(a_text_or_an_odd_counter_is_told_by_itself_in_its_turn),
	TEST(what_came_with_another_answer_is_told_with_that),
	TEST(each_can_be_had_by_itself_as_it_was_put),
	TEST(one_with_another_limit_or_another_beginning_is_told_by_itself))

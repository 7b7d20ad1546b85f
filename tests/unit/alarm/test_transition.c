#include "../check.h"

#include <math.h>
#include <stdio.h>

#include "alarm/transition.h"
#include "journal/record.h"

static void
a_text_is_one_line_without_quotes(void)
{
	char text[40];

	transition_text(text, sizeof text, "say \"oil\"\tis\nhot");
	CHECK_STR(text, "say 'oil' is hot");
}

static void
a_long_text_is_cut_between_characters_and_ends_in_a_tilde(void)
{
	char text[8];

	transition_text(text, sizeof text, "Hallen\xc3\xbc" "ber");
	CHECK_STR(text, "Hallen~");
	transition_text(text, sizeof text, "Halle\xc3\xbc" "berall");
	CHECK_STR(text, "Halle~");
	transition_text(text, sizeof text, "Halle 3");
	CHECK_STR(text, "Halle 3");
}

static void
numbers_read_as_people_write_them(void)
{
	char text[25];

	CHECK_STR(transition_number(text, sizeof text, 712 * 0.1), "71.2");
	CHECK_STR(transition_number(text, sizeof text, 70), "70");
	CHECK_STR(transition_number(text, sizeof text, 12345678901.0), "12345678901");
	CHECK_STR(transition_number(text, sizeof text, -0.0), "0");
	CHECK_STR(transition_number(text, sizeof text, NAN), "NaN");
	CHECK(strlen(transition_number(text, sizeof text, -1.2345678901234e-300)) <= 24);
}

static void
a_key_is_rule_and_point_and_a_long_one_ends_in_its_hash(void)
{
	char key[ALARM_KEY + 1], other[ALARM_KEY + 1], point[200];

	transition_key(key, sizeof key, "oil-hot", "press-3/oil_temp");
	CHECK_STR(key, "oil-hot/press-3/oil_temp");
	memset(point, 'x', sizeof point);
	point[199] = '\0';
	transition_key(key, sizeof key, "oil-hot", point);
	CHECK_INT(strlen(key), 128);
	CHECK_INT(key[119], '~');
	CHECK_INT(strspn(key + 120, "0123456789abcdef"), 8);
	point[198] = 'y';
	transition_key(other, sizeof other, "oil-hot", point);
	CHECK(strcmp(key, other) != 0);
}

static void
comes_back_from_the_journal_as_it_went(void)
{
	struct transition in = { .sequence = 7, .id = 3, .kind = TRANSITION_CLEAR,
		.condition = CONDITION_THRESHOLD, .suppressed = true, .severity = SEVERITY_MINOR,
		.cause = 549, .open = 2, .lost = 9, .uptime = 4711, .time = 1234567890123, .since = -5 };
	struct transition out;
	struct record_buffer body = { 0 };
	struct record_cursor cursor;

	strcpy(in.key, "oil-hot/press-3/oil_temp");
	strcpy(in.point, "press-3/oil_temp");
	strcpy(in.text, "MINOR oil-hot");
	strcpy(in.place, "werk1");
	transition_put(&in, &body);
	cursor = (struct record_cursor){ body.bytes, body.bytes + body.used, false };
	CHECK_INT(transition_get(&out, &cursor), 0);
	CHECK(memcmp(&in, &out, sizeof in) == 0);
	for (size_t cut = 0; cut < body.used; cut++) {
		cursor = (struct record_cursor){ body.bytes, body.bytes + cut, false };
		CHECK_INT(transition_get(&out, &cursor), -1);
	}
	record_buffer_free(&body);
}

RUN_TESTS(TEST(a_text_is_one_line_without_quotes),
	TEST(a_long_text_is_cut_between_characters_and_ends_in_a_tilde),
	TEST(numbers_read_as_people_write_them),
	TEST(a_key_is_rule_and_point_and_a_long_one_ends_in_its_hash),
	TEST(comes_back_from_the_journal_as_it_went))

#include "cli/adopt.h"

#include <math.h>
#include <stdio.h>

#include "../check.h"
#include "core/point.h"
#include "modbus/modbus.h"

#define ROWS 6

static struct modbus_point wires[ROWS];
static struct point points[ROWS];
static struct adopt_row rows[ROWS];
static struct adopt_result result;
static struct adopt_image *image;

static void
begin(void)
{
	memset(wires, 0, sizeof wires);
	memset(points, 0, sizeof points);
	memset(rows, 0, sizeof rows);
	result = (struct adopt_result){ .rows = rows };
	image = adopt_image_new();
}

static struct adopt_row *
row(const char *name, enum regs_type type, const char *order, uint16_t pdu, const char *unit)
{
	size_t i = result.count++;

	wires[i] = (struct modbus_point){ .function = 3, .pdu = pdu, .spec.type = type };
	CHECK(regs_order_parse(order, &wires[i].spec.order, NULL) == 0);
	points[i] = (struct point){ .name = name, .unit = unit, .text = "", .scale = 1,
		.wire = &wires[i] };
	rows[i].point = &points[i];
	return &rows[i];
}

static void
put_float(uint16_t pdu, float value)
{
	uint32_t bits;
	uint8_t bytes[4];

	memcpy(&bits, &value, sizeof bits);
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(bits >> (24 - 8 * i));
	adopt_image_put(image, 3, pdu, 2, bytes);
}

static void
a_row_that_reads_as_listed_is_plausible(void)
{
	struct adopt_row *u;

	begin();
	u = row("u_l1", REGS_F32, "ABCD", 100, "V");
	put_float(100, 230.5F);
	adopt_judge(&result, image);
	CHECK_INT(u->verdict, ADOPT_PLAUSIBLE);
	CHECK_STR(u->value, "230.5");
	CHECK_STR(u->raw, "4366 8000");
	CHECK_INT(u->proposal, -1);
	CHECK_INT(result.best, -1);
	adopt_image_free(image);
}

static void
swapped_words_of_the_whole_list_are_proposed_for_each_row(void)
{
	static const float values[] = { 230, 231.5F, 228.75F, 5, 50 };
	char advice[500];

	begin();
	for (uint16_t i = 0; i < 5; i++) {
		row("v", REGS_F32, "CDAB", (uint16_t)(100 + 2 * i), i == 4 ? "Hz" : "V");
		put_float((uint16_t)(100 + 2 * i), values[i]);
	}
	adopt_judge(&result, image);
	for (size_t i = 0; i < 5; i++) {
		char wanted[32];

		snprintf(wanted, sizeof wanted, "%.7g", (double)values[i]);
		CHECK_INT(rows[i].verdict, ADOPT_OTHERWISE);
		CHECK(rows[i].proposal >= 0);
		CHECK_STR(rows[i].ways[rows[i].proposal].order, "ABCD");
		CHECK_INT(rows[i].ways[rows[i].proposal].base, 0);
		CHECK_STR(rows[i].ways[rows[i].proposal].value, wanted);
	}
	CHECK(strstr(adopt_advice(&result, advice, sizeof advice), "swapped words: 5 of 5") != NULL);
	adopt_image_free(image);
}

/* The manual counts from 1, and the list took its numbers for PDU addresses. */
static void
addresses_that_are_one_too_high_are_found_in_the_registers_of_the_neighbours(void)
{
	char advice[500];

	begin();
	for (uint16_t i = 0; i < 5; i++) {
		row("v", REGS_F32, "ABCD", (uint16_t)(101 + 2 * i), "V");
		put_float((uint16_t)(100 + 2 * i), 229.3F + (float)i);
	}
	put_float(110, 1.0F); /* behind the last */
	adopt_judge(&result, image);
	CHECK(result.best >= 0);
	for (size_t i = 0; i < 5; i++) {
		bool found = false;

		CHECK_INT(rows[i].verdict, ADOPT_OTHERWISE);
		for (size_t k = 0; k < rows[i].way_count; k++)
			found |= rows[i].ways[k].base == -1 && strcmp(rows[i].ways[k].order, "ABCD") == 0;
		CHECK(found);
	}
	CHECK(strstr(adopt_advice(&result, advice, sizeof advice), "addresses one lower") != NULL);
	adopt_image_free(image);
}

static void
min_and_max_of_the_list_decide(void)
{
	static const uint8_t bytes[] = { 0x00, 0x64, 0x00, 0x00 };
	struct adopt_row *level;

	begin();
	level = row("level", REGS_U32, "ABCD", 10, "");
	wires[0].spec.bounded = true;
	wires[0].spec.min = 0;
	wires[0].spec.max = 200;
	adopt_image_put(image, 3, 10, 2, bytes);
	adopt_judge(&result, image);
	CHECK_INT(level->verdict, ADOPT_OTHERWISE);
	CHECK_STR(level->why, "is not between min and max");
	CHECK_STR(level->ways[level->proposal].order, "CDAB");
	CHECK_STR(level->ways[level->proposal].value, "100");
	CHECK(level->ways[level->proposal].confirmed);
	adopt_image_free(image);
}

static void
a_number_that_means_not_there_is_no_mistake_of_the_list(void)
{
	static const uint8_t bytes[] = { 0x7F, 0xFF };
	struct regs_range range;
	struct adopt_row *temperature;

	begin();
	temperature = row("t", REGS_S16, "AB", 10, "C");
	CHECK(regs_range_parse("0x7FFF", REGS_S16, &range, NULL) == 0);
	wires[0].spec.invalid = &range;
	wires[0].spec.invalid_count = 1;
	adopt_image_put(image, 3, 10, 1, bytes);
	adopt_judge(&result, image);
	CHECK_INT(temperature->verdict, ADOPT_NOT_THERE);
	CHECK_STR(temperature->value, "");
	adopt_image_free(image);
}

static void
texts_with_swapped_bytes_are_told_from_none(void)
{
	static const uint8_t text[] = { 'Q', 'H', '3', '2', '1', '9', 0, 'Z' };
	struct adopt_row *serial, *empty;

	begin();
	serial = row("serial", REGS_STRING, "BA", 10, "");
	wires[0].spec.length = 4;
	empty = row("none", REGS_STRING, "AB", 20, "");
	wires[1].spec.length = 1;
	adopt_image_put(image, 3, 10, 4, text);
	adopt_image_put(image, 3, 20, 1, (const uint8_t[]){ 0, 0 });
	adopt_judge(&result, image);
	CHECK_INT(serial->verdict, ADOPT_PLAUSIBLE);
	CHECK_STR(serial->value, "HQ2391Z");
	CHECK_INT(empty->verdict, ADOPT_DOUBTFUL);
	CHECK_STR(empty->why, "is empty");
	adopt_image_free(image);
}

static void
what_was_not_read_keeps_its_reason(void)
{
	begin();
	row("hole", REGS_U16, "AB", 10, "");
	row("coil", REGS_BIT, "AB", 3, "");
	wires[1].function = 1;
	adopt_take_failure(&rows[0], "exception 2 (illegal data address)");
	adopt_take_bit(&rows[1], true);
	adopt_judge(&result, image);
	CHECK_INT(rows[0].verdict, ADOPT_UNREAD);
	CHECK_STR(rows[0].why, "exception 2 (illegal data address)");
	CHECK_INT(rows[1].verdict, ADOPT_PLAUSIBLE);
	CHECK_STR(rows[1].value, "1");
	CHECK_INT(result.by_verdict[ADOPT_UNREAD], 1);
	adopt_image_free(image);
}

/* Whatever a device says, no reading is made of registers that were not read. */
static void
the_edges_of_the_address_space_are_kept(void)
{
	static const uint8_t bytes[] = { 0x44, 0x79, 0xE0, 0x00 };

	begin();
	row("first", REGS_F32, "DCBA", 0, "");
	row("last", REGS_F32, "DCBA", 65534, "");
	adopt_image_put(image, 3, 0, 2, bytes);
	adopt_image_put(image, 3, 65534, 4, bytes);
	adopt_judge(&result, image);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < rows[i].way_count; k++)
			CHECK_INT(rows[i].ways[k].base, 0);
	adopt_image_free(image);
}

static void
the_record_is_safe_to_open(void)
{
	static const uint8_t text[] = { '=', '1', '+', '1', '<', 'b', '>', '"' };
	struct adopt_head head = { .device = "m<1>", .address = "10.0.0.1", .list = "a&b.csv",
		.time = "", .text = "", .unit_id = 1 };
	char *csv = NULL, *html = NULL;
	size_t size;
	FILE *to;

	begin();
	row("serial", REGS_STRING, "AB", 10, "");
	wires[0].spec.length = 4;
	points[0].text = "@SUM(A1)";
	adopt_image_put(image, 3, 10, 4, text);
	adopt_judge(&result, image);
	to = open_memstream(&csv, &size);
	adopt_write_csv(to, &head, &result);
	fclose(to);
	to = open_memstream(&html, &size);
	adopt_write_html(to, &head, &result);
	fclose(to);
	CHECK(strstr(csv, ";\"'=1+1<b>\"\"\";") != NULL);
	CHECK(strstr(csv, ";\"'@SUM(A1)\"\r\n") != NULL);
	CHECK(strstr(html, "=1+1&lt;b&gt;&quot;") != NULL);
	CHECK(strstr(html, "m&lt;1&gt;") != NULL && strstr(html, "a&amp;b.csv") != NULL);
	CHECK(strstr(html, "<b>") == NULL);
	free(csv);
	free(html);
	adopt_image_free(image);
}

RUN_TESTS(TEST(a_row_that_reads_as_listed_is_plausible),
	TEST(swapped_words_of_the_whole_list_are_proposed_for_each_row),
	TEST(addresses_that_are_one_too_high_are_found_in_the_registers_of_the_neighbours),
	TEST(min_and_max_of_the_list_decide),
	TEST(a_number_that_means_not_there_is_no_mistake_of_the_list),
	TEST(texts_with_swapped_bytes_are_told_from_none),
	TEST(what_was_not_read_keeps_its_reason), TEST(the_edges_of_the_address_space_are_kept),
	TEST(the_record_is_safe_to_open))

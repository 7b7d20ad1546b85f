#include "snmp/ber.h"
#include "snmp/cell.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "../check.h"

static const uint32_t uptime_ids[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
static const uint32_t octets_ids[] = { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 4294967295 };
static const struct snmp_oid oids[] = { { uptime_ids, 9 }, { octets_ids, 12 } };

/* snmpget -v1 -c public HOST 1.3.6.1.2.1.1.3.0, as it left the machine. */
static const uint8_t get_uptime[] = {
	0x30, 0x29, 0x02, 0x01, 0x00, 0x04, 0x06, 'p', 'u', 'b', 'l', 'i', 'c',
	0xa0, 0x1c, 0x02, 0x04, 0x1a, 0x2b, 0x3c, 0x4d, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
	0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x03, 0x00,
	0x05, 0x00,
};
/* snmpbulkget -v2c -Cn1 -Cr200: max-repetitions 200 takes two octets, as it would else be
 * negative. */
static const uint8_t bulk_two[] = {
	0x30, 0x3c, 0x02, 0x01, 0x01, 0x04, 0x06, 'p', 'u', 'b', 'l', 'i', 'c',
	0xa5, 0x2f, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x02, 0x02, 0x00, 0xc8,
	0x30, 0x23, 0x30, 0x0c, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x03, 0x00,
	0x05, 0x00,
	0x30, 0x13, 0x06, 0x0f, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x1f, 0x01, 0x01, 0x01, 0x06,
	0x8f, 0xff, 0xff, 0xff, 0x7f, 0x05, 0x00,
};

static void
check_question(const struct fast_question *question, const uint8_t *wanted, size_t wanted_size)
{
	uint8_t room[256], *bytes;
	size_t size;

	bytes = fast_write(question, room, sizeof room, &size);
	CHECK(bytes != NULL && bytes + size == room + sizeof room);
	CHECK_INT(size, wanted_size);
	CHECK(memcmp(bytes, wanted, size) == 0);
}

static void
writes_a_get_as_snmpget_does(void)
{
	struct session_request request = { .op = SESSION_GET, .oids = oids, .count = 1 };
	struct fast_question question = { BER_V1, "public", 0x1a2b3c4d, &request };

	check_question(&question, get_uptime, sizeof get_uptime);
}

static void
writes_a_getbulk_with_numbers_that_need_another_octet(void)
{
	struct session_request request = { .op = SESSION_GETBULK, .oids = oids, .count = 2,
		.non_repeaters = 1, .max_repetitions = 200 };
	struct fast_question question = { BER_V2C, "public", 1, &request };

	check_question(&question, bulk_two, sizeof bulk_two);
}

static void
writes_nothing_when_the_room_is_a_single_octet_short(void)
{
	struct session_request request = { .op = SESSION_GETBULK, .oids = oids, .count = 2,
		.non_repeaters = 1, .max_repetitions = 200 };
	struct fast_question question = { BER_V2C, "public", 1, &request };
	size_t size;

	for (size_t room = 0; room <= sizeof bulk_two; room++) {
		/* Its own allocation, so that a sanitizer sees what is written before it. */
		uint8_t *bytes = malloc(room + 1);

		CHECK((fast_write(&question, bytes, room, &size) != NULL) ==
			(room == sizeof bulk_two));
		free(bytes);
	}
}

static void
reads_back_a_long_question_with_lengths_of_several_octets(void)
{
	uint32_t ids[2] = { 2, 4294967295 - 80 };
	struct snmp_oid many[128];
	struct session_request request = { .op = SESSION_GETNEXT, .oids = many, .count = 128 };
	struct fast_question question = { BER_V2C, "", INT32_MAX, &request };
	struct fast_room room = { .varbinds = NULL };
	static uint8_t bytes[4096];
	struct ber_peek peek;
	size_t size, count;
	uint8_t *at;

	for (size_t i = 0; i < 128; i++)
		many[i] = i % 2 == 0 ? oids[1] : (struct snmp_oid){ ids, 2 };
	at = fast_write(&question, bytes, sizeof bytes, &size);
	CHECK(at != NULL && ber_peek_head(at, size, &peek) == 0);
	CHECK_INT(peek.request_id, INT32_MAX);
	CHECK_INT(peek.community_size, 0);
	CHECK(fast_read(&peek, &room, &count) == 0);
	CHECK_INT(count, 128);
	CHECK_INT(room.varbinds[126].count, 12);
	CHECK(memcmp(room.varbinds[126].ids, octets_ids, sizeof octets_ids) == 0);
	CHECK_INT(room.varbinds[127].count, 2);
	CHECK(memcmp(room.varbinds[127].ids, ids, sizeof ids) == 0);
	fast_room_free(&room);
}

/* An answer with one object of each type. */
static const uint8_t rich[] = {
	0x30, 0x81, 0xae, 0x02, 0x01, 0x01, 0x04, 0x06, 'p', 'u', 'b', 'l', 'i', 'c',
	0xa2, 0x81, 0xa0, 0x02, 0x01, 0x07, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
	0x30, 0x81, 0x94,
	0x30, 0x08, 0x06, 0x02, 0x2b, 0x01, 0x43, 0x02, 0x30, 0x39,
	0x30, 0x0a, 0x06, 0x02, 0x2b, 0x02, 0x02, 0x04, 0xff, 0xff, 0xff, 0x9c,
	0x30, 0x0b, 0x06, 0x02, 0x2b, 0x03, 0x41, 0x05, 0x00, 0xff, 0xff, 0xff, 0xff,
	0x30, 0x07, 0x06, 0x02, 0x2b, 0x04, 0x42, 0x01, 0x05,
	0x30, 0x0f, 0x06, 0x02, 0x2b, 0x05, 0x46, 0x09, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff,
	0x30, 0x0b, 0x06, 0x02, 0x2b, 0x06, 0x04, 0x05, 'o', 'i', 'l', 0xc3, 0xa4,
	0x30, 0x0d, 0x06, 0x02, 0x2b, 0x07, 0x06, 0x07, 0x88, 0x37, 0x8f, 0xff, 0xff, 0xff,
	0x7f,
	0x30, 0x0a, 0x06, 0x02, 0x2b, 0x08, 0x40, 0x04, 0x0a, 0x01, 0x03, 0x01,
	0x30, 0x0d, 0x06, 0x02, 0x2b, 0x09, 0x44, 0x07, 0x9f, 0x78, 0x04, 0x41, 0xc8, 0x00,
	0x00,
	0x30, 0x06, 0x06, 0x02, 0x2b, 0x0a, 0x05, 0x00,
	0x30, 0x06, 0x06, 0x02, 0x2b, 0x0b, 0x80, 0x00,
	0x30, 0x06, 0x06, 0x02, 0x2b, 0x0c, 0x81, 0x00,
	0x30, 0x06, 0x06, 0x02, 0x2b, 0x0d, 0x82, 0x00,
};

static void
reads_every_type_that_an_answer_may_hold(void)
{
	static const enum value_type types[] = { VALUE_TICKS, VALUE_INTEGER, VALUE_COUNTER32,
		VALUE_GAUGE, VALUE_COUNTER64, VALUE_OCTETS, VALUE_OID, VALUE_ADDRESS, VALUE_REAL,
		VALUE_NULL, VALUE_NO_SUCH_OBJECT, VALUE_NO_SUCH_INSTANCE, VALUE_END_OF_VIEW };
	struct fast_room room = { .varbinds = NULL };
	struct ber_peek peek;
	size_t count;

	CHECK(ber_peek_head(rich, sizeof rich, &peek) == 0);
	CHECK(fast_read(&peek, &room, &count) == 0);
	CHECK_INT(count, 13);
	for (size_t i = 0; i < count; i++) {
		CHECK_INT(room.varbinds[i].count, 3);
		CHECK_INT(room.varbinds[i].ids[0], 1);
		CHECK_INT(room.varbinds[i].ids[2], i + 1);
		CHECK_INT(room.varbinds[i].value.type, types[i]);
	}
	CHECK_INT(room.varbinds[0].value.count, 12345);
	CHECK_INT(room.varbinds[1].value.integer, -100);
	CHECK_INT(room.varbinds[2].value.count, UINT32_MAX);
	CHECK_INT(room.varbinds[3].value.count, 5);
	CHECK(room.varbinds[4].value.count == UINT64_MAX);
	CHECK(room.varbinds[5].value.size == 5 &&
		memcmp(room.varbinds[5].value.octets, "oil\xc3\xa4", 5) == 0);
	CHECK_INT(room.varbinds[6].value.size, 3);
	CHECK_INT(room.varbinds[6].value.ids[0], 2);
	CHECK_INT(room.varbinds[6].value.ids[1], 999);
	CHECK_INT(room.varbinds[6].value.ids[2], UINT32_MAX);
	CHECK(memcmp(room.varbinds[7].value.octets, "\x0a\x01\x03\x01", 4) == 0);
	CHECK(room.varbinds[8].value.real == 25);
	fast_room_free(&room);
}

static void
refuses_what_ber_peek_refuses_whichever_octet_is_changed(void)
{
	struct fast_room room = { .varbinds = NULL };
	struct ber_peek peek, whole;
	size_t count, taken = 0;
	uint8_t bytes[sizeof rich];

	for (size_t i = 0; i < sizeof rich; i++)
		for (int to = 0; to < 256; to++) {
			bool read;

			memcpy(bytes, rich, sizeof rich);
			bytes[i] = (uint8_t)to;
			read = ber_peek_head(bytes, sizeof bytes, &peek) == 0 &&
				fast_read(&peek, &room, &count) == 0;
			CHECK(read == (ber_peek(bytes, sizeof bytes, &whole) == 0));
			CHECK(!read || count == whole.varbinds);
			taken += read;
		}
	CHECK(taken > 1000);
	fast_room_free(&room);
}

/* Counters of all sizes under a name as of a table, one with a longer arc, one too long, one
 * that lacks an octet. */
static const uint8_t table[] = {
	0x30, 0x81, 0x91, 0x02, 0x01, 0x01, 0x04, 0x00,
	0xa2, 0x81, 0x89, 0x02, 0x01, 0x07, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00,
	0x30, 0x81, 0x7d,
	0x30, 0x10, 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x1f, 0x01, 0x01, 0x01, 0x06, 0x01,
	0x46, 0x01, 0x05,
	0x30, 0x17, 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x1f, 0x01, 0x01, 0x01, 0x06, 0x02,
	0x46, 0x08, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88,
	0x30, 0x18, 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x1f, 0x01, 0x01, 0x01, 0x06, 0x03,
	0x46, 0x09, 0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88,
	0x30, 0x12, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x02, 0x02, 0x01, 0x0e, 0x03,
	0x41, 0x04, 0xff, 0xff, 0xff, 0xfe,
	0x30, 0x13, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x02, 0x02, 0x01, 0x0e, 0x81, 0x80,
	0x01, 0x41, 0x03, 0x01, 0x02, 0x03,
	0x30, 0x0d, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x03, 0x00, 0x43, 0x01, 0x01,
};

static bool
is_same_varbind(const struct varbind *arcs, const struct varbind *name)
{
	uint32_t ids[SNMP_OID_MAX];
	size_t count = oid_from_wire(ids, name->name, name->name_size);

	return name->ids == NULL && count == arcs->count &&
		memcmp(ids, arcs->ids, count * sizeof *ids) == 0 &&
		name->value.type == arcs->value.type && name->value.size == arcs->value.size &&
		(name->value.type == VALUE_OID || name->value.count == arcs->value.count);
}

static void
reads_the_same_by_names_as_by_arcs_whichever_octet_is_changed(void)
{
	struct fast_room arcs = { .varbinds = NULL }, names = { .varbinds = NULL };
	size_t count = 0, named = 0, taken = 0;
	struct ber_peek peek;
	uint8_t bytes[sizeof table];

	for (size_t i = 0; i < sizeof table; i++)
		for (int to = 0; to < 256; to++) {
			bool read;

			memcpy(bytes, table, sizeof table);
			bytes[i] = (uint8_t)to;
			if (ber_peek_head(bytes, sizeof bytes, &peek) == -1)
				continue;
			read = fast_read(&peek, &arcs, &count) == 0;
			CHECK(read == (fast_read_names(&peek, &names, 0, &named) == 0));
			CHECK(!read || count == named);
			for (size_t k = 0; read && k < count; k++)
				CHECK(is_same_varbind(&arcs.varbinds[k], &names.varbinds[k]));
			taken += read;
		}
	CHECK(taken > 5000);
	CHECK(ber_peek_head(table, sizeof table, &peek) == 0);
	CHECK(fast_read_names(&peek, &names, 0, &named) == 0);
	CHECK_INT(named, 6);
	CHECK(names.varbinds[1].value.count == UINT64_C(0xffeeddccbbaa9988));
	CHECK(names.varbinds[2].value.count == UINT64_C(0xffeeddccbbaa9988));
	CHECK_INT(names.varbinds[3].value.count, 0xfffffffe);
	CHECK_INT(names.varbinds[4].value.count, 0x10203);
	fast_room_free(&arcs);
	fast_room_free(&names);
}

/* A varbind's length in one octet, its top bit set or not: with it there it says how many octets
 * of a length follow, and they do not. */
static void
takes_no_length_of_one_octet_that_is_the_sum_of_two_and_needs_more(void)
{
	static const uint32_t ids[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 };
	static const uint8_t name[] = { 0x06, 8, 0x2b, 6, 1, 2, 1, 1, 1, 0 };
	struct snmp_oid asked = { ids, 9 };
	struct session_request request = { .op = SESSION_GET, .oids = &asked, .count = 1 };
	struct fast_room whole = { .varbinds = NULL }, answer = { .varbinds = NULL };
	size_t count, answered;

	request.list = fast_write_list(&asked, 1, &request.list_size);
	for (size_t text = 0; text < 0x80; text++) {
		size_t size = 2 + sizeof name + 2 + text;
		uint8_t *bytes = calloc(1, size);
		struct ber_peek peek = { .list = bytes, .list_size = size };
		bool sound = size - 2 < 0x80;

		bytes[0] = 0x30;
		bytes[1] = (uint8_t)(size - 2);
		memcpy(bytes + 2, name, sizeof name);
		bytes[2 + sizeof name] = 0x04;
		bytes[3 + sizeof name] = (uint8_t)text;
		CHECK((fast_read(&peek, &whole, &count) == 0) == sound);
		CHECK((fast_read_answer(&peek, &answer, &request, &answered) == 0) == sound);
		CHECK(!sound || (answered == 1 && answer.varbinds[0].value.size == text));
		free(bytes);
	}
	free((void *)(uintptr_t)request.list);
	fast_room_free(&whole);
	fast_room_free(&answer);
}

/* The question is written, each name of the answer is expected or is not: the arcs are the same. */
static void
reads_the_same_beside_the_written_question_whichever_octet_is_changed(void)
{
	struct fast_room whole = { .varbinds = NULL }, answer = { .varbinds = NULL };
	struct snmp_oid asked[6];
	uint32_t ids[6][SNMP_OID_MAX];
	struct session_request request = { .op = SESSION_GET, .oids = asked, .count = 6 };
	size_t count = 0, answered = 0, expected = 0, other = 0;
	struct ber_peek peek;
	uint8_t bytes[sizeof table], *list;

	CHECK(ber_peek_head(table, sizeof table, &peek) == 0);
	CHECK(fast_read(&peek, &whole, &count) == 0 && count == 6);
	for (size_t k = 0; k < count; k++) {
		memcpy(ids[k], whole.varbinds[k].ids, whole.varbinds[k].count * sizeof ids[k][0]);
		asked[k] = (struct snmp_oid){ ids[k], whole.varbinds[k].count };
	}
	request.list = list = fast_write_list(asked, 6, &request.list_size);
	for (size_t i = 0; i < sizeof table; i++)
		for (int to = 0; to < 256; to++) {
			bool read;

			memcpy(bytes, table, sizeof table);
			bytes[i] = (uint8_t)to;
			/* With more objects or fewer than were asked for, too. */
			request.count = 6 - (size_t)to % 2;
			if (ber_peek_head(bytes, sizeof bytes, &peek) == -1)
				continue;
			read = fast_read(&peek, &whole, &count) == 0;
			CHECK(read == (fast_read_answer(&peek, &answer, &request, &answered) == 0));
			CHECK(!read || count == answered);
			for (size_t k = 0; read && k < count; k++) {
				struct varbind one = whole.varbinds[k], two = answer.varbinds[k];

				CHECK(oid_equal(one.ids, one.count, two.ids, two.count));
				CHECK(one.name == two.name && one.name_size == two.name_size);
				CHECK(one.value.type == two.value.type);
				CHECK(one.value.size == two.value.size);
				CHECK(one.value.type == VALUE_OID || one.value.count == two.value.count);
				expected += two.ids == ids[k];
				other += two.ids != ids[k];
			}
		}
	CHECK(expected > 10000 && other > 1000);
	free(list);
	fast_room_free(&whole);
	fast_room_free(&answer);
}

/* Of all lengths, with arcs of one octet each and of up to five. */
static void
names_are_as_large_and_as_equal_as_looking_at_each_arc_says(void)
{
	static const uint32_t arcs[] = { 0, 127, 128, 16383, 16384, 4294967295 };
	uint32_t one[32], other[32];

	for (size_t count = 2; count <= 32; count++)
		for (size_t at = 0; at < count; at++)
			for (size_t arc = 0; arc < sizeof arcs / sizeof arcs[0]; arc++) {
				for (size_t i = 0; i < count; i++)
					one[i] = i < 2 ? 1 : (uint32_t)(i * 5 % 128);
				memcpy(other, one, sizeof one[0] * count);
				if (at >= 2)
					one[at] = arcs[arc];
				CHECK_INT(oid_wire_size(one, count), oid_wire_size_any(one, count));
				CHECK(oid_equal(one, count, other, count) ==
					(oid_compare(one, count, other, count) == 0));
				CHECK(oid_equal(one, count, one, count));
				CHECK(!oid_equal(one, count, one, count - 1));
			}
}

/* The varbind of a cell with that value behind a space, in memory of its own; at its end one octet
 * is missing, or not. Returns where it begins. */
static uint8_t *
put_cell(uint8_t **all, uint8_t tag, uint8_t first, size_t value, int wrong, size_t *size)
{
	static const uint8_t name[] = { 0x06, 11, 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 6, 9 };
	uint8_t *at;

	*size = 2 + sizeof name + 2 + value;
	*all = malloc(16 + *size);
	memset(*all, 0x55, 16);
	at = *all + 16;
	at[0] = 0x30;
	at[1] = (uint8_t)((int)*size - 2 + wrong);
	memcpy(at + 2, name, sizeof name);
	at[2 + sizeof name] = tag;
	at[3 + sizeof name] = (uint8_t)value;
	for (size_t i = 0; i < value; i++)
		at[4 + sizeof name + i] = i == 0 ? first : (uint8_t)(0xa0 + i);
	return at;
}

static bool
is_number(uint8_t tag)
{
	return tag == TAG_INTEGER || tag == TAG_COUNTER32 || tag == TAG_GAUGE32 ||
		tag == TAG_UNSIGNED32 || tag == TAG_TICKS || tag == TAG_COUNTER64;
}

static void
reads_a_cell_at_sight_as_any_answer_is_read_or_not_at_all(void)
{
	static const uint8_t firsts[] = { 0, 1, 0x7f, 0x80, 0xff };
	static const uint8_t column[16] = { 0, 0, 0, 0, 0, 0, 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 6 };
	static const uint8_t index[8] = { 0, 0, 0, 0, 0, 0, 0, 9 };
	struct cell_column wanted = cell_column(column + 6, 10);
	struct row row = { .wire = row_wire(index + 8, 1), .known = "x\xa1\xa2", .known_size = 3 };
	struct cell_row known = cell_row(&row);
	struct fast_room room = { .varbinds = NULL };
	size_t taken = 0, texts = 0, count;

	for (int tag = 0; tag < 256; tag++)
		for (size_t first = 0; first < sizeof firsts + 1; first++)
			for (size_t size = 0; size < 12; size++)
				for (int wrong = -1; wrong <= 1; wrong++) {
					uint8_t *all, from = first < sizeof firsts ? firsts[first] : 'x';
					size_t octets;
					const uint8_t *at = put_cell(&all, (uint8_t)tag, from, size,
						wrong, &octets), *next;
					struct ber_peek peek = { .list = at, .list_size = octets };
					bool sound = fast_read(&peek, &room, &count) == 0;
					const struct value *value = &room.varbinds[0].value;
					struct cell cell = { .bits = 0 };

					next = at;
					if (!cell_read(&next, at + octets, &wanted, 10, &known, &cell) &&
						!cell_read_text(&next, at + octets, &wanted, 10, &known,
						&row, &cell))
						next = NULL;
					CHECK(next == NULL || (sound && next == at + octets));
					CHECK(next == NULL || (cell.type == value->type &&
						cell.size == value->size));
					if (next != NULL && tag == TAG_OCTETS)
						texts++;
					else if (next != NULL)
						CHECK(cell.bits == value->count);
					/* What is usual is taken. */
					CHECK(next != NULL || !sound || !is_number((uint8_t)tag) ||
						size > 8);
					/* Never beyond the end. */
					next = at;
					CHECK(!cell_read(&next, at + octets - 1, &wanted, 10, &known,
						&cell));
					CHECK(!cell_read_text(&next, at + octets - 1, &wanted, 10,
						&known, &row, &cell));
					taken += next != NULL;
					free(all);
				}
	CHECK(taken > 100);
	CHECK_INT(texts, 1);
	fast_room_free(&room);
}

static void
reads_no_cell_of_another_row_or_column(void)
{
	static const uint8_t columns[][16] = {
		{ 0, 0, 0, 0, 0, 0, 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 6 },
		{ 0, 0, 0, 0, 0, 0, 0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 7 },
		{ 0, 0, 0, 0, 0, 0, 0x2b, 6, 1, 2, 1, 31, 1, 1, 2, 6 },
		{ 0, 0, 0, 0, 0, 0, 0x2a, 6, 1, 2, 1, 31, 1, 1, 1, 6 },
	};
	static const uint8_t indexes[][8] = { { 0, 0, 0, 0, 0, 0, 0, 9 }, { 0, 0, 0, 0, 0, 0, 0, 8 },
		{ 0, 0, 0, 0, 0, 0, 0x86, 9 } };
	struct cell cell;
	uint8_t *all;
	size_t size;
	const uint8_t *at = put_cell(&all, TAG_COUNTER32, 1, 4, 0, &size);

	for (size_t c = 0; c < 4; c++)
		for (size_t i = 0; i < 3; i++) {
			struct cell_column column = cell_column(columns[c] + 6, 10);
			struct row row = { .wire = row_wire(indexes[i] + 8, i < 2 ? 1 : 2),
				.known = "" };
			struct cell_row known = cell_row(&row);

			const uint8_t *next = at;

			CHECK(cell_read(&next, at + size, &column, 10, &known, &cell) ==
				(c == 0 && i == 0));
		}
	free(all);
}

RUN_TESTS(TEST(writes_a_get_as_snmpget_does),
	TEST(writes_a_getbulk_with_numbers_that_need_another_octet),
	TEST(writes_nothing_when_the_room_is_a_single_octet_short),
	TEST(reads_back_a_long_question_with_lengths_of_several_octets),
	TEST(reads_every_type_that_an_answer_may_hold),
	TEST(refuses_what_ber_peek_refuses_whichever_octet_is_changed),
	TEST(reads_the_same_by_names_as_by_arcs_whichever_octet_is_changed),
	TEST(reads_the_same_beside_the_written_question_whichever_octet_is_changed),
	TEST(takes_no_length_of_one_octet_that_is_the_sum_of_two_and_needs_more),
	TEST(reads_a_cell_at_sight_as_any_answer_is_read_or_not_at_all),
	TEST(reads_no_cell_of_another_row_or_column),
	TEST(names_are_as_large_and_as_equal_as_looking_at_each_arc_says))

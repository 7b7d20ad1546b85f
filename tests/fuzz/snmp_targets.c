/* Messages of SNMP, as the fast engine reads them: alone, beside the question, and as a table does. */
#include <string.h>

#include "fuzz/targets.h"
#include "snmp/ber.h"
#include "snmp/cell.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"

int
fuzz_ber(const uint8_t *data, size_t size)
{
	uint8_t *copy = own(data, size);
	struct ber_peek peek;

	if (ber_peek(copy, size, &peek) == 0) {
		expect(peek.community >= copy && peek.community + peek.community_size <= copy + size);
		expect(peek.varbinds <= size);
	}
	free(copy);
	return 0;
}

/* Objects of a question to which these octets might pose as the answer: what stands where names
 * would, however little the rest is worth. Returns their number. */
static size_t
guess_question(const struct ber_peek *peek, struct snmp_oid *asked,
	uint32_t ids[][SNMP_OID_MAX], size_t most)
{
	const uint8_t *p = peek->list, *end = p + peek->list_size;
	size_t count = 0;

	while (count < most && end - p >= 8 && p[3] > 0 && p[3] < 0x60 &&
		end - p >= p[3] + 6) {
		size_t arcs = 0;

		for (size_t i = 0; i < p[3] && arcs < 40; i++)
			if (i == 0 && p[4] < 0x78) {
				ids[count][arcs++] = p[4] / 40;
				ids[count][arcs++] = p[4] % 40;
			} else if (i > 0 && p[4 + i] < 0x80) {
				ids[count][arcs++] = p[4 + i];
			}
		if (arcs < 2)
			return count;
		asked[count] = (struct snmp_oid){ ids[count], arcs };
		count++;
		p += 6 + p[3] + p[5 + p[3]];
	}
	return count;
}

/* With the question beside it that it answers, or nearly: no answer more is taken, and none
 * less, and what they say is the same. */
static void
read_beside_question(const struct ber_peek *peek, bool read, const struct fast_room *room,
	size_t count)
{
	static struct fast_room answer;
	static uint32_t ids[32][SNMP_OID_MAX];
	struct snmp_oid asked[32];
	struct session_request request = { .op = SESSION_GET, .oids = asked };
	size_t answered = 0;
	uint8_t *list;

	request.count = guess_question(peek, asked, ids, 32);
	list = fast_write_list(asked, request.count, &request.list_size);
	request.list = list;
	expect(read == (fast_read_answer(peek, &answer, &request, &answered) == 0));
	expect(!read || answered == count);
	for (size_t i = 0; read && i < count; i++) {
		const struct varbind *one = &room->varbinds[i], *two = &answer.varbinds[i];

		expect(oid_equal(one->ids, one->count, two->ids, two->count));
		expect(one->name == two->name && one->name_size == two->name_size);
		expect(one->value.type == two->value.type && one->value.size == two->value.size);
		expect(one->value.type == VALUE_OID || one->value.count == two->value.count);
	}
	free(list);
}

/* Cells read at sight. */
struct sight {
	struct cell cells[64];
	uint8_t texts[64][256]; /* that the rows are known by */
	size_t count;
};

/* Whole arcs, as any name has that is expected. */
static bool
are_arcs(const uint8_t *bytes, size_t size)
{
	uint64_t arc = 0;
	bool begins = true;

	for (size_t i = 0; i < size; i++) {
		if (begins && bytes[i] == 0x80)
			return false;
		arc = (begins ? 0 : arc << 7) | (bytes[i] & 0x7f);
		if (arc > UINT32_MAX)
			return false;
		begins = bytes[i] < 0x80;
	}
	return begins;
}

/* Expects what is there: a column of 9 to 16 octets, an index of 1 to 7, a row that is known by
 * what seems to be its text. */
static size_t
read_at_sight(const uint8_t **at, const uint8_t *end, void *arg)
{
	struct sight *sight = arg;

	while (sight->count < 64 && end - *at > 8 && (*at)[3] >= 10 && (*at)[3] <= 23 &&
		end - *at > 6 + (*at)[3]) {
		const uint8_t *p = *at, *name = p + 4, *value = name + p[3];
		size_t size = p[3] > 16 ? 16 : p[3] - 1u, index = p[3] - size;
		struct row row = { .wire = row_wire(name + p[3], index),
			.known = (const char *)sight->texts[sight->count], .known_size = value[1] };
		struct cell_row known = cell_row(&row);
		struct cell_column column = cell_column(name, size);
		struct cell *cell = &sight->cells[sight->count];

		if (!are_arcs(name, size) || !are_arcs(name + size, index) ||
			value[1] > end - value - 2)
			break;
		memcpy(sight->texts[sight->count], value + 2, value[1]);
		if (!cell_read(&p, end, &column, size, &known, cell) &&
			!cell_read_text(&p, end, &column, size, &known, &row, cell))
			break;
		sight->count++;
		*at = p;
	}
	return sight->count;
}

/* As a table does: no answer more is taken, and none less, and what they say is the same. */
static void
read_beside_table(const struct ber_peek *peek, bool read, const struct fast_room *room,
	size_t count)
{
	static struct fast_room answer;
	static struct sight sight;
	struct session_request request = { .op = SESSION_GETBULK, .names = true, .whole = 1,
		.read = read_at_sight, .read_arg = &sight };
	size_t answered = 0, known;

	sight.count = 0;
	expect(read == (fast_read_answer(peek, &answer, &request, &answered) == 0));
	expect(!read || (answered == count && answer.known == sight.count));
	known = answer.known;
	for (size_t i = 1; read && i < count; i++) {
		const struct value *one = &room->varbinds[i].value;
		const struct cell *cell = &sight.cells[i - 1];

		if (i > known) {
			expect(answer.varbinds[i - known].value.type == one->type);
			expect(answer.varbinds[i - known].name == room->varbinds[i].name);
			continue;
		}
		expect(cell->type == one->type && cell->size == one->size);
		expect(one->type == VALUE_OCTETS ?
			memcmp(sight.texts[i - 1], one->octets, one->size) == 0 :
			cell->bits == one->count);
	}
}

int
fuzz_fast(const uint8_t *data, size_t size)
{
	static struct fast_room room, names;
	uint8_t *copy = own(data, size);
	struct ber_peek peek, whole;
	size_t count = 0, named = 0;
	bool read = ber_peek_head(copy, size, &peek) == 0 && peek.list != NULL &&
		fast_read(&peek, &room, &count) == 0;

	expect(read == (ber_peek(copy, size, &whole) == 0 && whole.list != NULL));
	expect(peek.list == NULL || read == (fast_read_names(&peek, &names, 1, &named) == 0));
	expect(!read || named == count);
	if (peek.list != NULL) {
		read_beside_question(&peek, read, &room, count);
		read_beside_table(&peek, read, &room, count);
	}
	for (size_t i = 0; read && i < count; i++) {
		const struct varbind *varbind = &room.varbinds[i];
		const struct value *value = &varbind->value;

		expect(varbind->ids >= room.ids && varbind->count > 0 && varbind->count <= 128);
		expect(varbind->ids + varbind->count <= room.ids + room.id_room);
		if (value->type >= VALUE_OCTETS && value->type != VALUE_OID &&
			value->type <= VALUE_OPAQUE)
			expect(value->octets >= copy && value->octets + value->size <= copy + size);
		else if (value->type == VALUE_OID)
			expect(value->ids >= room.ids &&
				value->ids + value->size <= room.ids + room.id_room);
		else
			expect(value->size == 0);
	}
	free(copy);
	return 0;
}

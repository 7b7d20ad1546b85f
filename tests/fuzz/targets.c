#include "fuzz/targets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "core/latest.h"
#include "core/series.h"
#include "journal/record.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "unit/scratch.h"

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
	if (peek.list != NULL)
		read_beside_question(&peek, read, &room, count);
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

static void
look_into(const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;
	struct record_run run;

	if (record_has_samples(record) && record_samples_open(record, &walk) == 0)
		while (record_samples_next(&walk, &sample))
			expect(sample.has_value || isnan(sample.value));
	if (record->kind == KIND_RUN)
		record_run_read(record, &run);
}

int
fuzz_record(const uint8_t *data, size_t size)
{
	static const enum record_kind kinds[] = { KIND_SAMPLES, KIND_ROWS, KIND_RUN };
	uint8_t *copy = own(data, size);
	struct record record;
	size_t at = 0, frame = 0;

	while (at < size && record_parse(copy + at, size - at, &record, &frame) == 1) {
		expect(frame > 0 && frame <= size - at);
		expect(record.body >= copy && record.body + record.size <= copy + size);
		look_into(&record);
		at += frame;
	}
	free(copy);
	/* Bodies that no checksum has vouched for. */
	copy = own(data, size);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		record = (struct record){ .kind = kinds[i], .body = copy, .size = size };
		look_into(&record);
	}
	free(copy);
	return 0;
}

static void
put_file(const char *name, const uint8_t *data, size_t size)
{
	FILE *file;

	if (scratch[0] == '\0') {
		scratch_make();
		atexit(scratch_remove);
	}
	file = fopen(scratch_path(name), "w");
	expect(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

int
fuzz_series(const uint8_t *data, size_t size)
{
	struct series_catalogue *catalogue;
	struct fail why;

	for (int writer = 0; writer < 2; writer++) {
		put_file("series", data, size);
		catalogue = series_open(scratch, writer == 1, &why);
		if (catalogue == NULL)
			continue;
		/* A hundred thousand are enough to look at. */
		for (uint32_t id = 0; id <= series_last_id(catalogue) && id < 100000; id++) {
			const struct series *series = series_get(catalogue, id);

			expect(series == NULL || (series->id == id && strlen(series->path) < size));
		}
		series_close(catalogue);
	}
	return 0;
}

int
fuzz_latest(const uint8_t *data, size_t size)
{
	struct latest *latest;
	struct latest_row row;
	struct fail why;

	for (int writer = 0; writer < 2; writer++) {
		put_file("latest", data, size);
		put_file("latest.text", data, size < 4096 ? size : 4096);
		latest = writer == 1 ? latest_open_writer(scratch, &why) :
			latest_open_reader(scratch, &why);
		if (latest == NULL)
			continue;
		for (uint32_t id = 0; id < 64; id++)
			if (latest_read(latest, id, &row))
				expect(strlen(row.text) <= LATEST_TEXT);
		latest_close(latest);
	}
	return 0;
}

#include "snmp/fast.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "snmp/ber.h"
#include "snmp/ber_in.h"
#include "snmp/ber_out.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"

typedef uint8_t uint8_x8 __attribute__((vector_size(8)));
typedef uint32_t uint32_x8 __attribute__((vector_size(32)));

/* ---- questions ---- */

/* Eight arcs of one octet each, false when some are longer. */
static inline bool
put_eight_arcs(uint8_t *to, const uint32_t *from)
{
	uint32_x8 arcs;
	uint8_x8 octets;
	uint32_t all = 0;

	for (int i = 0; i < 8; i++)
		all |= from[i];
	if (all >= 0x80)
		return false;
	memcpy(&arcs, from, sizeof arcs);
	octets = __builtin_convertvector(arcs, uint8_x8);
	memcpy(to, &octets, sizeof octets);
	return true;
}

/* A name of 10 to 18 arcs of one octet each, and lengths that take one, too: the usual one in
 * a table. False: nothing was written. */
static inline bool
put_short_varbind(struct pen *pen, const struct snmp_oid *oid)
{
	size_t size = oid->count - 1;
	uint8_t *at = pen->at;

	if (oid->count < 10 || oid->count > 18 || at == NULL ||
		(size_t)(at - pen->begin) < size + 6 || oid->ids[0] > 2 || oid->ids[1] >= 40)
		return false;
	at -= size + 6;
	if (!put_eight_arcs(at + 5, oid->ids + 2))
		return false;
	/* Of a table's column that leaves two, as a rule. */
	for (size_t i = 10; i < oid->count; i++) {
		if (oid->ids[i] >= 0x80)
			return false;
		at[3 + i] = (uint8_t)oid->ids[i];
	}
	at[0] = TAG_SEQUENCE;
	at[1] = (uint8_t)(size + 4);
	at[2] = TAG_OID;
	at[3] = (uint8_t)size;
	at[4] = (uint8_t)(40 * oid->ids[0] + oid->ids[1]);
	at[4 + size] = TAG_NULL;
	at[5 + size] = 0;
	pen->at = at;
	return true;
}

static void
put_varbind(struct pen *pen, const struct snmp_oid *oid)
{
	const uint8_t *end = pen->at;

	if (put_short_varbind(pen, oid))
		return;
	put_bytes(pen, (const uint8_t[]){ TAG_NULL, 0 }, 2);
	put_name(pen, oid);
	put_head(pen, end, TAG_SEQUENCE);
}

void
fast_put_pdu(struct pen *pen, int32_t id, const struct session_request *request)
{
	static const uint8_t tags[] = { [SESSION_GET] = BER_GET, [SESSION_GETNEXT] = BER_GETNEXT,
		[SESSION_GETBULK] = BER_GETBULK };
	const uint8_t *end = pen->at;
	bool bulk = request->op == SESSION_GETBULK;
	size_t listed = request->list != NULL ? request->listed : 0;

	if (listed > 0)
		put_bytes(pen, request->list, request->list_size);
	for (size_t i = request->count - listed; i > 0; i--)
		put_varbind(pen, &request->oids[i - 1]);
	put_head(pen, end, TAG_SEQUENCE);
	put_integer(pen, bulk ? request->max_repetitions : 0);
	put_integer(pen, bulk ? request->non_repeaters : 0);
	put_integer(pen, id);
	put_head(pen, end, tags[request->op]);
}

uint8_t *
fast_write_list(const struct snmp_oid *oids, size_t count, size_t *size)
{
	size_t room = 0;
	struct pen pen;
	uint8_t *list;

	/* Two heads and a NULL beside the name. */
	for (size_t i = 0; i < count; i++)
		room += oid_wire_size(oids[i].ids, oids[i].count) + 14;
	list = mem_array(room, 1);
	pen = (struct pen){ list, list + room };
	for (size_t i = count; i > 0; i--)
		put_varbind(&pen, &oids[i - 1]);
	*size = (size_t)(list + room - pen.at);
	memmove(list, pen.at, *size);
	return list;
}

uint8_t *
fast_write(const struct fast_question *question, uint8_t *room, size_t size, size_t *written)
{
	struct pen pen = { room, room + size };
	const uint8_t *end = room + size;

	fast_put_pdu(&pen, question->id, question->request);
	put_octets(&pen, question->community, strlen(question->community));
	put_integer(&pen, question->version);
	put_head(&pen, end, TAG_SEQUENCE);
	*written = pen.at != NULL ? (size_t)(end - pen.at) : 0;
	return pen.at;
}

/* ---- answers ---- */

/* Eight arcs of one octet each, false when some are longer. */
static inline bool
read_eight_arcs(const uint8_t *from, uint32_t *to)
{
	uint64_t octets;
	uint8_x8 eight;
	uint32_x8 arcs;

	memcpy(&octets, from, 8);
	if (octets & UINT64_C(0x8080808080808080))
		return false;
	memcpy(&eight, &octets, 8);
	arcs = __builtin_convertvector(eight, uint32_x8);
	memcpy(to, &arcs, sizeof arcs);
	return true;
}

/* As far as arcs have one octet each, as nearly all have; the last eight may be some that are
 * read already. Returns how many. */
static inline size_t
read_short_arcs(const struct span *in, uint32_t *to)
{
	size_t done = 0, size = span_size(in);

	for (; size - done >= 8; done += 8)
		if (!read_eight_arcs(in->at + done, to + done))
			return done;
	if (done > 0 && done < size && read_eight_arcs(in->end - 8, to + size - 8))
		return size;
	return done;
}

/* An OID's arcs go to `to`, which has room for one more than there are octets. */
static inline bool
read_oid(const struct span *in, uint32_t *to, size_t *count)
{
	size_t done = read_short_arcs(in, to + 1);
	const uint8_t *p = in->at + done;
	uint32_t *arc = to + 1 + done, first;

	while (p < in->end) {
		uint64_t number = *p++;

		if (number >= 0x80) {
			if (number == 0x80)
				return false;
			for (number &= 0x7f;; p++) {
				if (p == in->end)
					return false;
				number = number << 7 | (*p & 0x7f);
				if (number > UINT32_MAX)
					return false;
				if (*p < 0x80)
					break;
			}
			p++;
		}
		*arc++ = (uint32_t)number;
	}
	*count = (size_t)(arc - to);
	if (*count > BER_ARCS)
		return false;
	if (*count == 1) { /* no octets at all: Net-SNMP makes one arc of it, too */
		to[0] = 0;
		return true;
	}
	first = to[1] < 40 ? 0 : to[1] < 80 ? 1 : 2;
	to[0] = first;
	to[1] -= first * 40;
	return true;
}

static uint64_t
big_endian(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* Net-SNMP's habit, as of draft-perkins-opaque-01: 9F, a tag of its own, a length, a number. */
static bool
read_opaque(const struct span *in, struct value *value)
{
	size_t size = span_size(in), inner;
	uint64_t bits;
	uint32_t half;
	float real;

	value->type = VALUE_OPAQUE;
	value->octets = in->at;
	value->size = (uint32_t)size;
	if (size == 0 || in->at[0] != 0x9f)
		return true;
	if (size < 3 || in->at[2] & 0x80 || in->at[2] != size - 3)
		return false;
	inner = in->at[2];
	if (inner < 1 || inner > 8)
		return false;
	bits = big_endian(in->at + 3, inner);
	*value = (struct value){ .type = VALUE_COUNTER64, .count = bits };
	switch (in->at[1]) {
	case 0x78:
		half = (uint32_t)bits;
		memcpy(&real, &half, sizeof real);
		*value = (struct value){ .type = VALUE_REAL, .real = real };
		return inner == 4;
	case 0x79:
		value->type = VALUE_REAL; /* whose bits these are */
		return inner == 8;
	case 0x76: /* Counter64 */
	case 0x7b: /* Unsigned64 */
		return true;
	case 0x7a: /* Integer64 */
		if (in->at[3] & 0x80 && inner < 8)
			bits |= UINT64_MAX << inner * 8;
		*value = (struct value){ .type = VALUE_INTEGER, .integer = (int64_t)bits };
		return true;
	default:
		return false;
	}
}

/* As read_unsigned, but eight octets at once: so many stand before the end of any number, the
 * message's own head if nothing else. */
static inline bool
read_count(const struct span *in, size_t width, enum value_type type, struct value *value)
{
	size_t size = span_size(in);
	uint64_t number;

	if (size == 0 || size > 9 || (in->at[0] & 0x80 && size < width) ||
		(size == 9 && in->at[0] != 0))
		return false;
	memcpy(&number, in->end - 8, 8);
	number = be64toh(number);
	if (size < 8)
		number &= (UINT64_C(1) << 8 * size) - 1;
	value->type = type;
	value->count = number;
	return width == 8 || number <= UINT32_MAX;
}

static bool
read_octets(const struct span *in, enum value_type type, struct value *value)
{
	value->type = type;
	value->octets = in->at;
	value->size = (uint32_t)span_size(in);
	return true;
}

static bool
read_empty(const struct span *in, enum value_type type, struct value *value)
{
	value->type = type;
	return span_size(in) == 0;
}

static bool
read_other_value(uint8_t tag, const struct span *in, struct value *value, uint32_t **ids)
{
	int32_t integer;
	size_t count;

	*value = (struct value){ .type = VALUE_NONE };
	switch (tag) {
	case TAG_UNSIGNED32:
	case TAG_GAUGE32: return read_count(in, 4, VALUE_GAUGE, value);
	case TAG_TICKS: return read_count(in, 4, VALUE_TICKS, value);
	case TAG_INTEGER:
		if (!read_integer(in, &integer))
			return false;
		value->type = VALUE_INTEGER;
		value->integer = integer;
		return true;
	case TAG_OCTETS: return read_octets(in, VALUE_OCTETS, value);
	case TAG_IP_ADDRESS: return read_octets(in, VALUE_ADDRESS, value) && value->size == 4;
	case TAG_OPAQUE: return read_opaque(in, value);
	case TAG_OID:
		value->type = VALUE_OID;
		value->ids = *ids;
		if (!read_oid(in, *ids, &count))
			return false;
		value->size = (uint32_t)count;
		*ids += count;
		return true;
	case TAG_NULL: return read_empty(in, VALUE_NULL, value);
	case TAG_NO_SUCH_OBJECT: return read_empty(in, VALUE_NO_SUCH_OBJECT, value);
	case TAG_NO_SUCH_INSTANCE: return read_empty(in, VALUE_NO_SUCH_INSTANCE, value);
	case TAG_END_OF_VIEW: return read_empty(in, VALUE_END_OF_VIEW, value);
	default: return false;
	}
}

/* Arcs of a value go to *ids, which moves behind them. */
static inline bool
read_value(uint8_t tag, const struct span *in, struct value *value, uint32_t **ids)
{
	value->size = 0;
	switch (tag) {
	case TAG_COUNTER64: return read_count(in, 8, VALUE_COUNTER64, value);
	case TAG_COUNTER32: return read_count(in, 4, VALUE_COUNTER32, value);
	default: return read_other_value(tag, in, value, ids);
	}
}

/* 8 to 16 octets, each an arc: nothing about them can be wrong. */
static inline bool
has_short_arcs(const uint8_t *name, size_t size)
{
	uint64_t head, tail;

	if (size - 8 > 8)
		return false;
	memcpy(&head, name, 8);
	memcpy(&tail, name + size - 8, 8);
	return ((head | tail) & UINT64_C(0x8080808080808080)) == 0;
}

/* Exactly those that read_oid accepts. scratch: room as for read_oid. */
static bool
long_name_is_sound(const struct span *name, uint32_t *scratch)
{
	unsigned more = 0;
	size_t count;

	for (const uint8_t *p = name->at; p < name->end; p++) {
		if (*p < 0x80) {
			more = 0;
			continue;
		}
		/* Five octets may be too many, and a leading zero is none. */
		if (++more == 4 || *p == 0x80)
			return read_oid(name, scratch, &count);
	}
	return more == 0 && (span_size(name) < BER_ARCS || read_oid(name, scratch, &count));
}

/* Most names are short, and of arcs of one octet each. */
static inline bool
name_is_sound(const struct span *name, uint32_t *scratch)
{
	return has_short_arcs(name->at, span_size(name)) || long_name_is_sound(name, scratch);
}

static bool
read_varbind(struct span *list, struct varbind *varbind, uint32_t **ids, bool whole)
{
	struct span both, name, value;
	size_t count = 0;
	uint8_t tag;

	if (!take_tagged(list, TAG_SEQUENCE, &both) || !take_tagged(&both, TAG_OID, &name) ||
		name.at == name.end)
		return false;
	if (whole ? !read_oid(&name, *ids, &count) : !name_is_sound(&name, *ids))
		return false;
	varbind->ids = whole ? *ids : NULL;
	varbind->count = count;
	varbind->name = name.at;
	varbind->name_size = (uint32_t)span_size(&name);
	*ids += count;
	return take(&both, &tag, &value) && both.at == both.end &&
		read_value(tag, &value, &varbind->value, ids);
}

/* What nearly all varbinds of a table are: a counter of 1 to 8 octets under a short name, all
 * lengths in one octet. Returns where the next one begins, or NULL: nothing was done, it may
 * be sound all the same. */
static inline const uint8_t *
read_counter(const uint8_t *p, const uint8_t *end, struct varbind *varbind)
{
	const uint8_t *value;
	size_t name_size, size;
	uint64_t number;

	/* 0x80 as a length would begin a longer one; here it is only a number too large. */
	if (end - p < 20 || (p[0] ^ TAG_SEQUENCE) | (p[2] ^ TAG_OID))
		return NULL;
	name_size = p[3];
	if (!has_short_arcs(p + 4, name_size))
		return NULL;
	value = p + 4 + name_size;
	if (end - value < 2)
		return NULL;
	size = value[1];
	if (size - 1 > 7 || p[1] != name_size + size + 4 || (size_t)(end - value) < size + 2)
		return NULL;
	memcpy(&number, value + size + 2 - 8, 8);
	number = be64toh(number) & UINT64_MAX >> (64 - 8 * size);
	if (value[0] == TAG_COUNTER64 ? value[2] & 0x80 && size < 8 :
		value[0] != TAG_COUNTER32 || number > UINT32_MAX || (value[2] & 0x80 && size < 4))
		return NULL;
	varbind->ids = NULL;
	varbind->count = 0;
	varbind->name = p + 4;
	varbind->name_size = (uint32_t)name_size;
	varbind->value.type = value[0] == TAG_COUNTER64 ? VALUE_COUNTER64 : VALUE_COUNTER32;
	varbind->value.size = 0;
	varbind->value.count = number;
	return value + 2 + size;
}

/* The shortest varbind has seven octets: SEQUENCE, an OID of one octet, NULL. Each OID has
 * two octets beside its contents and one arc more than octets at most. */
static void
make_room(struct fast_room *room, size_t size)
{
	size_t varbinds = size / 7 + 1;

	if (room->id_room < size + 1) {
		room->id_room = size + 1;
		room->ids = mem_grow(room->ids, room->id_room, sizeof *room->ids);
	}
	if (room->varbind_room < varbinds) {
		room->varbind_room = varbinds;
		room->varbinds = mem_grow(room->varbinds, varbinds, sizeof *room->varbinds);
	}
}

static int
read_names(const struct ber_peek *peek, struct fast_room *room, size_t whole,
	const struct session_request *request, size_t *count)
{
	struct span list = { peek->list, peek->list + peek->list_size };
	size_t read = 0;
	uint32_t *ids;

	make_room(room, peek->list_size);
	ids = room->ids;
	for (; list.at < list.end && read < whole; read++)
		if (!read_varbind(&list, &room->varbinds[read], &ids, true))
			return -1;
	room->known = request != NULL && request->read != NULL && read == whole ?
		request->read(&list.at, list.end, request->read_arg) : 0;
	for (; list.at < list.end; read++) {
		const uint8_t *next = read_counter(list.at, list.end, &room->varbinds[read]);

		if (next != NULL)
			list.at = next;
		else if (!read_varbind(&list, &room->varbinds[read], &ids, false))
			return -1;
	}
	*count = read + room->known;
	return 0;
}

int
fast_read_names(const struct ber_peek *peek, struct fast_room *room, size_t whole, size_t *count)
{
	return read_names(peek, room, whole, NULL, count);
}

/* Is this the varbind of `asked`, which is written as form.h has it, with a value? Returns where
 * the next one begins, or NULL: nothing was done, it may be sound all the same. */
static inline const uint8_t *
read_asked(const uint8_t *p, const uint8_t *end, const uint8_t *asked, struct varbind *varbind,
	uint32_t **ids)
{
	size_t name_size = asked[3];
	const uint8_t *value = p + 4 + name_size;
	struct span in;

	/* A length from 0x80 on would begin a longer one: no name has it here. Of two that are
	 * shorter the sum may have it. */
	if ((size_t)(end - p) < 6 + name_size || p[0] != TAG_SEQUENCE || p[1] >= 0x80 ||
		memcmp(p + 2, asked + 2, 2 + name_size) != 0 || value[1] >= 0x80 ||
		p[1] != name_size + value[1] + 4 || (size_t)(end - value) < value[1] + 2u)
		return NULL;
	in = (struct span){ value + 2, value + 2 + value[1] };
	if (!read_value(value[0], &in, &varbind->value, ids))
		return NULL;
	varbind->name = p + 4;
	varbind->name_size = (uint32_t)name_size;
	return in.end;
}

static int
read_all_asked(const struct ber_peek *peek, struct fast_room *room,
	const struct session_request *request, size_t *count)
{
	struct span list = { peek->list, peek->list + peek->list_size };
	const uint8_t *asked = request->list;
	size_t read = 0;
	uint32_t *ids;

	room->known = 0;
	make_room(room, peek->list_size);
	ids = room->ids;
	for (; list.at < list.end; read++) {
		struct varbind *varbind = &room->varbinds[read];
		const uint8_t *next = read >= request->count ? NULL :
			read_asked(list.at, list.end, asked, varbind, &ids);

		if (next != NULL) {
			list.at = next;
			varbind->ids = request->oids[read].ids;
			varbind->count = request->oids[read].count;
		} else if (!read_varbind(&list, varbind, &ids, true)) {
			return -1;
		}
		if (read < request->count)
			asked += 2 + asked[1];
	}
	*count = read;
	return 0;
}

int
fast_read_answer(const struct ber_peek *peek, struct fast_room *room,
	const struct session_request *request, size_t *count)
{
	if (request->list != NULL && request->op == SESSION_GET)
		return read_all_asked(peek, room, request, count);
	return read_names(peek, room, request->names ? request->whole : SIZE_MAX, request, count);
}

int
fast_read(const struct ber_peek *peek, struct fast_room *room, size_t *count)
{
	return fast_read_names(peek, room, SIZE_MAX, count);
}

void
fast_room_free(struct fast_room *room)
{
	free(room->varbinds);
	free(room->ids);
}

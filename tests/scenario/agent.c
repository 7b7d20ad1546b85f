#include "scenario/agent.h"

#include <errno.h>
#include <string.h>

#include "base/loop.h"
#include "fake/net_sim.h"

const uint32_t agent_prefix[AGENT_PREFIX] = { 1, 3, 6, 1, 4, 1, 32473, 99 };
static const uint32_t uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };

const struct plant_point agent_scalars[AGENT_SCALARS] = {
	{ .name = "load", .kind = POINT_GAUGE, .bits = 32, .scale = 0.5, .address = 1 },
	{ .name = "octets", .kind = POINT_COUNTER, .bits = 64, .scale = 1, .address = 2,
		.rate = 91234.5 },
	{ .name = "packets", .kind = POINT_COUNTER, .bits = 32, .scale = 1, .address = 3,
		.rate = 57.5 },
	{ .name = "status", .kind = POINT_STATE, .bits = 32, .scale = 1, .address = 4 },
};
#define ROW(number) \
	{ .name = "if[ge-" number "]/in", .kind = POINT_COUNTER, .bits = 64, .scale = 8, \
		.address = 1, .rate = 4000.25 }, \
	{ .name = "if[ge-" number "]/oper", .kind = POINT_STATE, .bits = 32, .scale = 1, \
		.address = 2 }
const struct plant_point agent_cells[AGENT_CELLS] = { ROW("1"), ROW("2"), ROW("3"), ROW("4") };

enum { NULL_TAG = 0x05, INTEGER = 0x02, OCTETS = 0x04, OID = 0x06, SEQUENCE = 0x30,
	COUNTER32 = 0x41, GAUGE32 = 0x42, TICKS = 0x43, COUNTER64 = 0x46,
	NO_SUCH_INSTANCE = 0x81, END_OF_VIEW = 0x82, GET = 0xa0, RESPONSE = 0xa2, GETBULK = 0xa5 };

enum { ARCS = 16, VARBINDS = 64 };
struct name {
	uint32_t ids[ARCS];
	size_t count;
};
struct object {
	struct name name;
	uint8_t tag;
	uint64_t number;
	char text[8];
	int cell; /* index of the point, -1 for what is none */
};
struct question {
	uint8_t pdu;
	uint64_t id;
	const uint8_t *id_bytes; /* tag, length and number, as they came */
	size_t id_size;
	uint64_t non_repeaters, repetitions;
	struct name names[VARBINDS];
	size_t count;
};

static struct plant *plant;
static bool lost_back;

/* ---- BER in ---- */

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static struct reader
enter(struct reader *r, uint8_t *tag)
{
	struct reader inside = { NULL, NULL, true };
	size_t size, octets;

	if (r->failed || r->end - r->at < 2) {
		r->failed = true;
		return inside;
	}
	*tag = *r->at++;
	size = *r->at++;
	if (size & 0x80) {
		octets = size & 0x7f;
		for (size = 0; octets > 0 && r->at < r->end; octets--)
			size = size << 8 | *r->at++;
	}
	if ((size_t)(r->end - r->at) < size) {
		r->failed = true;
		return inside;
	}
	inside = (struct reader){ r->at, r->at + size, false };
	r->at += size;
	return inside;
}

static uint64_t
read_number(struct reader *r)
{
	uint8_t tag = 0;
	struct reader inside = enter(r, &tag);
	uint64_t number = 0;

	for (; inside.at < inside.end; inside.at++)
		number = number << 8 | *inside.at;
	r->failed |= tag != INTEGER;
	return number;
}

static void
read_name(struct reader *r, struct name *name)
{
	uint8_t tag = 0;
	struct reader inside = enter(r, &tag);
	uint32_t arc = 0;

	r->failed |= tag != OID;
	name->count = 0;
	for (bool first = true; inside.at < inside.end && name->count + 2 < ARCS; inside.at++) {
		arc = arc << 7 | (*inside.at & 0x7f);
		if (*inside.at & 0x80)
			continue;
		if (first)
			name->ids[name->count++] = arc / 40;
		name->ids[name->count++] = first ? arc % 40 : arc;
		first = false;
		arc = 0;
	}
}

static bool
read_question(const uint8_t *data, size_t size, struct question *q)
{
	struct reader r = { data, data + size, false }, message, pdu, list, varbind;
	uint8_t tag = 0;

	message = enter(&r, &tag);
	read_number(&message);
	enter(&message, &tag);
	pdu = enter(&message, &q->pdu);
	q->id_bytes = pdu.at;
	q->id = read_number(&pdu);
	q->id_size = (size_t)(pdu.at - q->id_bytes);
	q->non_repeaters = read_number(&pdu);
	q->repetitions = read_number(&pdu);
	list = enter(&pdu, &tag);
	for (q->count = 0; !list.failed && list.at < list.end && q->count < VARBINDS; q->count++) {
		varbind = enter(&list, &tag);
		read_name(&varbind, &q->names[q->count]);
		list.failed |= varbind.failed;
	}
	return !pdu.failed && !list.failed && (q->pdu == GET || q->pdu == GETBULK);
}

/* ---- BER out, from the end to the front ---- */

struct packer {
	uint8_t bytes[4096];
	size_t at; /* what is there begins here */
};

static void
put_head(struct packer *p, uint8_t tag, size_t end)
{
	size_t size = end - p->at;

	if (size >= 0x80) {
		p->bytes[--p->at] = (uint8_t)size;
		p->bytes[--p->at] = (uint8_t)(size >> 8);
		p->bytes[--p->at] = 0x82;
	} else {
		p->bytes[--p->at] = (uint8_t)size;
	}
	p->bytes[--p->at] = tag;
}

static void
put_number(struct packer *p, uint8_t tag, uint64_t number)
{
	size_t end = p->at;

	do {
		p->bytes[--p->at] = (uint8_t)number;
		number >>= 8;
	} while (number != 0);
	if (p->bytes[p->at] & 0x80)
		p->bytes[--p->at] = 0;
	put_head(p, tag, end);
}

static void
put_bytes(struct packer *p, const void *bytes, size_t size)
{
	p->at -= size;
	memcpy(p->bytes + p->at, bytes, size);
}

static void
put_name(struct packer *p, const struct name *name)
{
	size_t end = p->at;

	for (size_t i = name->count; i > 1; i--) {
		uint32_t arc = i == 2 ? name->ids[0] * 40 + name->ids[1] : name->ids[i - 1];

		p->bytes[--p->at] = arc & 0x7f;
		while ((arc >>= 7) != 0)
			p->bytes[--p->at] = (uint8_t)(0x80 | (arc & 0x7f));
	}
	put_head(p, OID, end);
}

static void
put_object(struct packer *p, const struct object *object)
{
	size_t end = p->at;

	if (object->tag == OCTETS) {
		put_bytes(p, object->text, strlen(object->text));
		put_head(p, OCTETS, end);
	} else if (object->tag >= NO_SUCH_INSTANCE) {
		put_head(p, object->tag, end);
	} else {
		put_number(p, object->tag, object->number);
	}
	put_name(p, &object->name);
	put_head(p, SEQUENCE, end);
}

static void
pack(struct packer *p, const struct question *q, const struct object *objects, size_t count,
	const char *community)
{
	size_t end = p->at = sizeof p->bytes;

	for (size_t i = count; i > 0; i--)
		put_object(p, &objects[i - 1]);
	put_head(p, SEQUENCE, end);
	put_number(p, INTEGER, 0);
	put_number(p, INTEGER, 0);
	put_bytes(p, q->id_bytes, q->id_size);
	put_head(p, RESPONSE, end);
	put_bytes(p, community, strlen(community));
	put_head(p, OCTETS, p->at + strlen(community));
	put_number(p, INTEGER, 1);
	put_head(p, SEQUENCE, end);
}

/* ---- what an agent has ---- */

static int
compare(const struct name *a, const struct name *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	return a->count < b->count ? -1 : a->count > b->count;
}

static struct object *
add(struct object *objects, size_t *count, const uint32_t *ids, size_t id_count,
	const uint32_t *more, size_t more_count)
{
	struct object *object = &objects[(*count)++];

	*object = (struct object){ .cell = -1 };
	memcpy(object->name.ids, ids, id_count * sizeof *ids);
	if (more_count > 0)
		memcpy(object->name.ids + id_count, more, more_count * sizeof *more);
	object->name.count = id_count + more_count;
	return object;
}

static void
add_point(struct plant_device *device, struct object *object, size_t i)
{
	const struct plant_point *point = &device->points[i];

	object->cell = (int)i;
	object->number = plant_raw(device, i, loop_mono(plant->loop));
	object->tag = point->kind == POINT_STATE ? INTEGER : point->kind == POINT_GAUGE ? GAUGE32 :
		point->bits == 64 ? COUNTER64 : COUNTER32;
}

/* All objects in their order. Rows get other numbers at each boot. */
static size_t
view(struct plant_device *device, struct object *objects)
{
	size_t count = 0;
	struct object *object = add(objects, &count, uptime, 9, NULL, 0);

	object->tag = TICKS;
	object->number = (uint64_t)((loop_mono(plant->loop) - device->boot_at) / (LOOP_S / 100)) &
		UINT32_MAX;
	if (!device->table) {
		for (uint32_t i = 0; i < device->point_count; i++)
			if (!(device->illegal & UINT32_C(1) << i))
				add_point(device, add(objects, &count, agent_prefix, AGENT_PREFIX,
					(uint32_t[]){ 1, i + 1, 0 }, 3), i);
		return count;
	}
	for (uint32_t column = 1; column <= 9; column += column == AGENT_COLUMNS ? 9 - column : 1)
		for (uint32_t n = 0; n < AGENT_ROWS; n++) {
			uint32_t row = (n + device->boots) % AGENT_ROWS;

			if (device->illegal & UINT32_C(1) << row)
				continue;
			object = add(objects, &count, agent_prefix, AGENT_PREFIX,
				(uint32_t[]){ 2, 1, column, 10 + n * 3 + device->boots % 7 }, 4);
			if (column <= AGENT_COLUMNS) {
				add_point(device, object, row * AGENT_COLUMNS + column - 1);
				continue;
			}
			object->tag = OCTETS;
			memcpy(object->text, "ge-?", 5);
			object->text[3] = (char)('1' + row);
		}
	return count;
}

static struct object
look_up(const struct object *objects, size_t count, const struct name *name, bool next)
{
	struct object missing = { .name = *name, .tag = next ? END_OF_VIEW : NO_SUCH_INSTANCE,
		.cell = -1 };

	for (size_t i = 0; i < count; i++) {
		int order = compare(&objects[i].name, name);

		if (next ? order > 0 : order == 0)
			return objects[i];
	}
	return missing;
}

static size_t
answers(struct plant_device *device, const struct question *q, struct object *to)
{
	struct object objects[32];
	size_t count = view(device, objects), n = 0;
	struct name at[VARBINDS];

	memcpy(at, q->names, sizeof at);
	if (q->pdu == GET) {
		for (; n < q->count; n++)
			to[n] = look_up(objects, count, &at[n], false);
		return n;
	}
	for (; n < q->count && n < q->non_repeaters; n++)
		to[n] = look_up(objects, count, &at[n], true);
	for (uint64_t turn = 0; turn < q->repetitions && n + q->count < 128; turn++)
		for (size_t i = q->non_repeaters; i < q->count; i++) {
			to[n] = look_up(objects, count, &at[i], true);
			at[i] = to[n++].name;
		}
	return n;
}

/* ---- serving ---- */

/* Which points the question is about, whether they are there or not. */
static void
note_asked(struct plant_device *device, const struct question *q, struct exchange *e)
{
	for (size_t k = 0; !device->table && k < q->count; k++)
		for (uint32_t i = 0; i < device->point_count; i++) {
			struct object object;
			size_t none = 0;

			add(&object, &none, agent_prefix, AGENT_PREFIX, (uint32_t[]){ 1, i + 1, 0 }, 3);
			if (compare(&object.name, &q->names[k]) != 0)
				continue;
			e->points |= UINT32_C(1) << i;
			if (device->illegal & UINT32_C(1) << i)
				e->missing |= UINT32_C(1) << i;
		}
}

/* The cells of a walk. It may run on into the next column: that is not what was asked for. */
static void
note_served(const struct question *q, const struct object *objects, size_t count,
	struct exchange *e)
{
	const size_t column = AGENT_PREFIX + 3;

	for (size_t k = q->non_repeaters; k < count; k++) {
		const struct name *from = &q->names[q->non_repeaters +
			(k - q->non_repeaters) % (q->count - q->non_repeaters)];
		int i = objects[k].cell;

		if (i < 0 || from->count < column || memcmp(from->ids, objects[k].name.ids,
			column * sizeof from->ids[0]) != 0)
			continue;
		e->points |= UINT32_C(1) << i;
		e->raw[i] = objects[k].number;
	}
}

static void
send(struct net_sim_client *client, struct plant_device *device, struct exchange *e,
	const struct net_addr *from, const uint8_t *bytes, size_t size, int64_t delay)
{
	int64_t arrives = e->sent + NET_SIM_LATENCY + delay;

	lost_back = false;
	net_sim_udp_reply(client, from, bytes, size, delay);
	if (lost_back || arrives >= e->ended)
		return;
	if (!net_addr_equal(from, &device->at)) {
		e->reason = REASON_WRONG_SOURCE;
		return;
	}
	e->ended = arrives;
	e->answered = true;
}

static void
serve(struct net_sim_client *client, struct plant_device *device, const struct question *q,
	struct exchange *e)
{
	static struct packer packer;
	struct object objects[160];
	size_t count = answers(device, q, objects);
	double chance = plant_chance(plant);
	uint8_t silence = REASON_TIMEOUT;
	int64_t delay = plant_between(plant, 0, 300) * LOOP_MS;
	struct net_addr from = device->at;
	const char *community = "public";

	if (chance > 0.997) {
		objects[count - 1].name.ids[objects[count - 1].name.count - 1] ^= 1;
		if (q->pdu != GET)
			community = "private"; /* a walk may well answer another row */
	} else if (chance > 0.994) {
		community = "private";
	} else if (chance > 0.990) {
		delay = device->timeout + plant_between(plant, 1, 9) * 130 * LOOP_MS;
	}
	if (device->busy)
		from.bytes[3] ^= 1;
	pack(&packer, q, objects, count, community);
	if (chance > 0.988 && chance <= 0.990) {
		/* Its length lies, but where it had one octet still has: what follows is found. */
		if (packer.bytes[packer.at + 1] < 0x80)
			silence = REASON_BAD_REPLY;
		packer.bytes[packer.at + 1] ^= 0x3;
	}
	send(client, device, e, &from, packer.bytes + packer.at, sizeof packer.bytes - packer.at,
		delay);
	if (community[1] == 'r' || (chance > 0.988 && chance <= 0.990)) {
		/* What was lost on the way, or came from elsewhere, says nothing. */
		e->reason = e->answered ? silence : REASON_TIMEOUT;
		e->answered = false;
		e->ended = e->sent + device->timeout;
	}
	if (!e->answered)
		return;
	e->reason = chance > 0.997 ? REASON_BAD_REPLY : REASON_GOOD;
	if (device->table && e->reason == REASON_GOOD)
		note_served(q, objects, count, e);
	for (size_t k = 0; !device->table && k < count; k++)
		if (objects[k].cell >= 0)
			e->raw[objects[k].cell] = objects[k].number;
}

static struct exchange *
asked(struct plant_device *device)
{
	struct exchange *e = plant_request(plant, device, loop_mono(plant->loop));

	e->reason = REASON_TIMEOUT;
	e->ended = e->sent + device->timeout;
	return e;
}

static void
request(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	struct plant_device *device = arg;
	struct question q;
	struct exchange *e;

	if (!device->active || !read_question(data, size, &q)) {
		plant->strays++;
		return;
	}
	e = asked(device);
	note_asked(device, &q, e);
	if (device->gateway_dead) {
		net_sim_udp_refuse(client, ECONNREFUSED, 0);
		e->reason = REASON_REFUSED;
		e->ended = e->sent + NET_SIM_LATENCY;
	} else if (!device->dead) {
		serve(client, device, &q, e);
	}
}

/* ---- the network's own doing ---- */

void
agent_seen(int event, const struct net_addr *at)
{
	struct plant_device *device = NULL;
	struct exchange *e;

	lost_back |= event == NET_SIM_LOST_BACK;
	if (event != NET_SIM_LOST_THERE && event != NET_SIM_ECHO && event != NET_SIM_ECHO_LOST)
		return;
	for (size_t i = 0; i < plant->device_count && device == NULL; i++)
		if (plant->devices[i].host == NULL && net_addr_same_host(&plant->devices[i].at, at))
			device = &plant->devices[i];
	if (device == NULL || !device->active) {
		plant->strays++;
		return;
	}
	e = asked(device);
	if (event != NET_SIM_ECHO)
		return;
	e->ended = e->sent + NET_SIM_LATENCY + 2 * LOOP_MS;
	e->answered = true;
	e->reason = REASON_GOOD;
}

void
agent_set_ping(struct plant_device *device, bool answers_it)
{
	net_sim_ping(&device->at, answers_it ? 2 * LOOP_MS : -1);
}

void
agent_open(struct plant *of)
{
	plant = of;
	for (size_t i = 0; i < of->device_count; i++) {
		struct plant_device *device = &of->devices[i];

		if (device->host != NULL)
			continue;
		if (device->point_count == 0)
			agent_set_ping(device, true);
		else
			net_sim_udp(&device->at, request, device);
	}
}

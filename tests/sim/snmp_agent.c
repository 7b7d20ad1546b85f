#include "snmp_agent.h"

#include <string.h>

#define FAULT(name, field, help) { name, offsetof(struct snmp_faults, field), help }

const struct fault_name snmp_faults[] = {
	FAULT("dead", dead, "1: reads requests, answers none"),
	FAULT("drop", drop, "the request is lost"),
	FAULT("delay", delay, "ms until the answer leaves; the values are those of the request"),
	FAULT("jitter", jitter, "ms, a random part of it is added to delay"),
	FAULT("duplicate", duplicate, "the answer comes twice"),
	FAULT("wrong_id", wrong_id, "request id + 1"),
	FAULT("wrong_community", wrong_community, "another community of the same length"),
	FAULT("wrong_version", wrong_version, "v1 for v2c and the reverse"),
	FAULT("wrong_port", wrong_port, "sent from another UDP port"),
	FAULT("wrong_address", wrong_address, "sent from the next address"),
	FAULT("wrong_oid", wrong_oid, "the first varbind names another instance"),
	FAULT("reorder", reorder, "varbinds in reverse order"),
	FAULT("short", shorter, "the last varbind is left out"),
	FAULT("wrong_type", wrong_type, "the first value is a text for a number and the reverse"),
	FAULT("counter64", counter64, "each Counter32 is sent as Counter64"),
	FAULT("truncate", truncate, "only the first half of the datagram"),
	FAULT("junk", junk, "16 random octets behind the message"),
	FAULT("garbage", garbage, "random octets instead of the message"),
	FAULT("oversize", oversize, "the varbinds again and again, about 60,000 octets"),
	FAULT("toobig", too_big, "number of varbinds above which tooBig is answered, 0 none"),
	FAULT("generr", gen_err, "error-status genErr, index 1"),
	FAULT("nonincreasing", nonincreasing, "a walk gets the OIDs that it asked from"),
	FAULT("endless", endless, "1: the columns of the interfaces never end in a walk"),
	FAULT("count", count, "faults end after this many requests, 0 never"),
	{ NULL, 0, NULL }
};

/* OIDs made for one answer; those of a GET stay in the request. */
static uint8_t arena[1 << 18];
static size_t arena_used;

static void
done(struct delivery *d, const char *what)
{
	size_t length = strlen(d->done);

	snprintf(d->done + length, sizeof d->done - length, "%s%s", length ? "," : "", what);
}

static struct varbind *
add(struct answer *a, struct oid_bytes oid)
{
	struct varbind *v;

	if (a->count == ANSWER_VARBINDS)
		return NULL;
	v = &a->varbinds[a->count++];
	v->oid = oid;
	v->value.type = BER_NULL;
	v->value.length = 0;
	return v;
}

static bool
add_place(struct agent *agent, struct answer *a, const struct place *p, int64_t now)
{
	struct oid_bytes oid = { arena + arena_used, 0 };
	struct varbind *v;

	if (arena_used + 5 * OID_MAX > sizeof arena)
		return false;
	oid.length = mib_oid(p, arena + arena_used);
	v = add(a, oid);
	if (v == NULL)
		return false;
	arena_used += oid.length;
	mib_value(&agent->mib, p, now, &v->value);
	return true;
}

static void
fail_with(struct answer *a, const struct request *r, int status, size_t index)
{
	a->status = status;
	a->index = (int32_t)index;
	a->count = 0;
	if (status == 1 && a->version == 1)
		return; /* tooBig of v2c carries no varbinds: RFC 3416 4.2.1 */
	for (size_t i = 0; i < r->count; i++)
		add(a, r->oids[i]);
}

static void
answer_get(struct agent *agent, const struct request *r, int64_t now, struct answer *a)
{
	uint32_t oid[OID_MAX];

	for (size_t i = 0; i < r->count; i++) {
		size_t length = ber_oid_read(r->oids[i], oid);
		struct varbind *v = add(a, r->oids[i]);
		struct place p;
		bool object, found;

		found = length > 0 && mib_find(&agent->mib, oid, length, &p, &object);
		if (found && !(a->version == 0 && mib_type(&p) == BER_COUNTER64))
			mib_value(&agent->mib, &p, now, &v->value);
		else if (a->version == 0) {
			fail_with(a, r, 2, i + 1); /* noSuchName */
			return;
		} else
			v->value.type = length > 0 && object ? BER_NO_SUCH_INSTANCE :
				BER_NO_SUCH_OBJECT;
	}
}

static bool
find_after(struct agent *agent, const struct answer *a, struct oid_bytes from, struct place *p)
{
	uint32_t oid[OID_MAX];
	size_t length = ber_oid_read(from, oid);

	return length > 0 && mib_after(&agent->mib, oid, length, a->version == 0, p);
}

static bool
add_end(struct answer *a, struct oid_bytes oid)
{
	struct varbind *v = add(a, oid);

	if (v != NULL)
		v->value.type = BER_END_OF_MIB;
	return v != NULL;
}

static void
answer_next(struct agent *agent, const struct request *r, int64_t now, struct answer *a)
{
	for (size_t i = 0; i < r->count; i++) {
		struct place p;

		if (find_after(agent, a, r->oids[i], &p))
			add_place(agent, a, &p, now);
		else if (a->version == 1)
			add_end(a, r->oids[i]);
		else {
			fail_with(a, r, 2, i + 1);
			return;
		}
	}
}

/* A GETBULK answer stops where the datagram is full; at least one varbind goes out. */
static bool
fits(struct answer *a, size_t *size, size_t max)
{
	*size += ber_varbind_size(&a->varbinds[a->count - 1]);
	if (*size <= max || a->count == 1)
		return true;
	a->count--;
	return false;
}

struct column {
	struct place place;
	struct oid_bytes last;
	bool ended;
};

/* One repetition over all repeaters; false when the answer is full or all have ended. */
static bool
repeat(struct agent *agent, struct answer *a, struct column *columns, size_t count, bool first,
	int64_t now, size_t *size, size_t max)
{
	bool alive = false;

	for (size_t i = 0; i < count; i++) {
		struct column *c = &columns[i];

		if (!c->ended && !first)
			c->ended = !mib_step(&agent->mib, false, &c->place);
		if (!(c->ended ? add_end(a, c->last) : add_place(agent, a, &c->place, now)) ||
			!fits(a, size, max))
			return false;
		c->last = a->varbinds[a->count - 1].oid;
		alive |= !c->ended;
	}
	return alive;
}

static void
answer_bulk(struct agent *agent, const struct request *r, int64_t now, struct answer *a,
	size_t max)
{
	static struct column columns[REQUEST_VARBINDS];
	size_t single = r->status < 0 ? 0 : (size_t)r->status, size = 0;
	int32_t repetitions = r->index < 0 ? 0 : r->index;

	if (single > r->count)
		single = r->count;
	for (size_t i = 0; i < r->count; i++) {
		struct column *c = &columns[i];

		c->last = r->oids[i];
		c->ended = !find_after(agent, a, r->oids[i], &c->place);
		if (i < single && (!(c->ended ? add_end(a, c->last) :
			add_place(agent, a, &c->place, now)) || !fits(a, &size, max)))
			return;
	}
	if (single == r->count)
		return;
	for (int32_t n = 0; n < repetitions; n++)
		if (!repeat(agent, a, columns + single, r->count - single, n == 0, now, &size, max))
			return;
}

static void
answer_truly(struct agent *agent, const struct agent_options *options,
	const struct request *r, int64_t now, struct answer *a, struct delivery *d)
{
	/* The header around the varbinds: lengths, version, PDU fields and the community. */
	size_t max = options->max_size - 32 - r->community_length, size = 0;

	switch (r->pdu) {
	case PDU_GET:
		answer_get(agent, r, now, a);
		break;
	case PDU_GETNEXT:
		answer_next(agent, r, now, a);
		break;
	case PDU_GETBULK:
		answer_bulk(agent, r, now, a, max);
		break;
	default:
		fail_with(a, r, r->version == 0 ? 4 : 17, 1); /* readOnly, notWritable */
		done(d, "set");
	}
	for (size_t i = 0; i < a->count; i++)
		size += ber_varbind_size(&a->varbinds[i]);
	if (size > max) {
		fail_with(a, r, 1, 0);
		done(d, "toobig");
	}
}

static bool
strikes(double probability, const char *name, struct delivery *d)
{
	if (probability == 0 || !sim_chance(probability))
		return false;
	done(d, name);
	return true;
}

static void
spoil_first(struct answer *a, const struct snmp_faults *f, struct delivery *d)
{
	struct varbind *v = &a->varbinds[0];

	if (strikes(f->wrong_oid, "wrong_oid", d) && v->oid.length > 0) {
		memcpy(arena + sizeof arena - 5 * OID_MAX, v->oid.at, v->oid.length);
		v->oid.at = arena + sizeof arena - 5 * OID_MAX;
		arena[sizeof arena - 5 * OID_MAX + v->oid.length - 1] ^= 0x41;
	}
	if (!strikes(f->wrong_type, "wrong_type", d))
		return;
	if (v->value.type == BER_OCTETS)
		v->value = (struct value){ .type = BER_GAUGE32, .number = 4711 };
	else
		v->value = (struct value){ .type = BER_OCTETS, .length = 5, .bytes = "wrong" };
}

static void
spoil_order(struct answer *a, const struct snmp_faults *f, struct delivery *d)
{
	if (strikes(f->reorder, "reorder", d))
		for (size_t i = 0; i < a->count / 2; i++) {
			struct varbind other = a->varbinds[i];

			a->varbinds[i] = a->varbinds[a->count - 1 - i];
			a->varbinds[a->count - 1 - i] = other;
		}
	if (a->count > 0 && strikes(f->shorter, "short", d))
		a->count--;
}

/* Faults of the varbinds: these make a well-formed message that is not the answer. */
static void
spoil_varbinds(struct answer *a, const struct request *r, const struct snmp_faults *f,
	struct delivery *d)
{
	size_t size = 0, served = a->count;

	if ((f->too_big > 0 && r->count > f->too_big && (done(d, "toobig"), true)))
		fail_with(a, r, 1, 0);
	if (strikes(f->gen_err, "generr", d))
		fail_with(a, r, 5, 1);
	if (a->count == 0)
		return;
	spoil_first(a, f, d);
	if (strikes(f->counter64, "counter64", d))
		for (size_t i = 0; i < a->count; i++)
			if (a->varbinds[i].value.type == BER_COUNTER32)
				a->varbinds[i].value.type = BER_COUNTER64;
	if (r->pdu != PDU_GET && strikes(f->nonincreasing, "nonincreasing", d))
		for (size_t i = 0; i < a->count; i++)
			a->varbinds[i].oid = r->oids[i % r->count];
	spoil_order(a, f, d);
	if (a->count == 0 || !strikes(f->oversize, "oversize", d))
		return;
	for (size_t i = 0; i < a->count; i++)
		size += ber_varbind_size(&a->varbinds[i]);
	for (size_t i = 0; size < 60000 && a->count < ANSWER_VARBINDS; i = (i + 1) % served) {
		a->varbinds[a->count++] = a->varbinds[i];
		size += ber_varbind_size(&a->varbinds[i]);
	}
}

static void
spoil_header(struct answer *a, const struct snmp_faults *f, struct delivery *d)
{
	static uint8_t other[256];

	if (strikes(f->wrong_id, "wrong_id", d))
		a->id = (int32_t)((uint32_t)a->id + 1);
	if (strikes(f->wrong_version, "wrong_version", d))
		a->version = !a->version;
	if (!strikes(f->wrong_community, "wrong_community", d))
		return;
	memset(other, 'x', sizeof other);
	a->community = other;
	if (a->community_length > sizeof other)
		a->community_length = sizeof other;
}

/* Faults of the octets: what comes is no message at all, or more than one. */
static void
spoil_octets(const struct snmp_faults *f, struct delivery *d)
{
	bool garbage = strikes(f->garbage, "garbage", d);
	size_t from = garbage ? 0 : d->length;

	if (strikes(f->truncate, "truncate", d)) {
		d->length /= 2;
		return;
	}
	if (strikes(f->junk, "junk", d))
		d->length += 16;
	for (size_t i = from; i < d->length; i++)
		d->bytes[i] = (uint8_t)sim_random();
}

static bool
counts_down(struct snmp_faults *f)
{
	if (f->count <= 0)
		return false;
	f->count--;
	return f->count < 1;
}

void
agent_answer(struct agent *agent, const struct agent_options *options, const struct request *r,
	int64_t now, struct answer *a, struct delivery *d)
{
	struct snmp_faults f = agent->faults;

	if (counts_down(&agent->faults))
		agent->faults = (struct snmp_faults){ 0 };
	arena_used = 0;
	agent->mib.endless = f.endless > 0;
	d->length = 0;
	d->twice = d->wrong_port = d->wrong_address = false;
	d->done[0] = '\0';
	a->version = r->version;
	a->pdu = PDU_RESPONSE;
	a->id = r->id;
	a->status = a->index = 0;
	a->community = r->community;
	a->community_length = r->community_length;
	a->count = 0;
	if (r->community_length != strlen(options->community) ||
		memcmp(r->community, options->community, r->community_length) != 0) {
		done(d, "bad-community");
		return;
	}
	answer_truly(agent, options, r, now, a, d);
	if (strikes(f.dead, "dead", d) || strikes(f.drop, "dropped", d))
		return;
	done(d, "answered");
	spoil_varbinds(a, r, &f, d);
	spoil_header(a, &f, d);
	d->length = ber_answer(a, d->bytes, d->room - 16);
	spoil_octets(&f, d);
	d->twice = strikes(f.duplicate, "duplicate", d);
	d->wrong_port = strikes(f.wrong_port, "wrong_port", d);
	d->wrong_address = strikes(f.wrong_address, "wrong_address", d);
	d->delay = f.delay;
	if (f.jitter > 0)
		d->delay += f.jitter * (double)(sim_random() >> 11) / 9007199254740992.0;
	if (d->delay > 0)
		done(d, "delayed");
}

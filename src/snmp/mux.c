#include "snmp/mux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "snmp/ber.h"

/* A second's answers of a large plant while the loop is busy elsewhere. */
#define RECEIVE_BUFFER (8u << 20)
/* Some answer from another port each time: that is no news any more. */
#define STRANGERS_TOLD 3

/* An address as a key: without holes. */
struct source_key {
	uint8_t bytes[16];
	uint16_t port, family;
};

struct mux_source {
	struct source_key key;
	unsigned holders;
	uint64_t strays;
	UT_hash_handle hh;
};

/* Whose an id is; id 0: free. */
struct open_request {
	uint32_t id;
	struct mux_request *request;
};

/* A socket. */
struct outlet {
	struct net_addr from; /* without an address, but with its family: any */
	struct net_udp *udp;  /* NULL: it could not be opened */
	bool bound;           /* from is an address of ours ... */
	bool missing;         /* ... that the machine does not have now, as the log knows */
};

struct mux {
	struct loop *loop;
	struct mux_source *sources;
	struct outlet *outlets;
	size_t outlet_count;
	/* By id, which is drawn at random and so tells the place: at it & mask, or in the next
	 * that was free. Half of them at most are taken. */
	struct open_request *open;
	uint32_t mask;
	size_t open_count;
	struct mux_counters counters;
	uint32_t dice[64]; /* random numbers not yet used: dice[0 .. dice_left - 1] */
	size_t dice_left;
	void (*tap)(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size,
		int64_t mono, void *arg);
	void *tap_arg;
};

struct mux *
mux_new(struct loop *loop)
{
	struct mux *mux = mem_zero(sizeof *mux);

	mux->loop = loop;
	mux->mask = 63;
	mux->open = mem_array(mux->mask + 1, sizeof *mux->open);
	return mux;
}

void
mux_free(struct mux *mux)
{
	if (mux == NULL)
		return;
	for (size_t i = 0; i < mux->outlet_count; i++)
		net_udp_close(mux->outlets[i].udp);
	free(mux->outlets);
	free(mux->open);
	free(mux);
}

static uint32_t
throw_dice(struct mux *mux)
{
	if (mux->dice_left == 0) {
		/* 256 bytes or less come whole, and without waiting once the system is up. */
		while (getrandom(mux->dice, sizeof mux->dice, 0) != sizeof mux->dice)
			;
		mux->dice_left = sizeof mux->dice / sizeof mux->dice[0];
	}
	mux->dice_left--;
	/* The place of the next one: they lie all over memory. */
	if (mux->dice_left > 0)
		ahead_fetch(&mux->open[mux->dice[mux->dice_left - 1] & mux->mask],
			sizeof *mux->open);
	return mux->dice[mux->dice_left] & INT32_MAX;
}

/* Where that id stands, or would. */
static struct open_request *
place_of(const struct mux *mux, uint32_t id)
{
	uint32_t i = id & mux->mask;

	while (mux->open[i].id != 0 && mux->open[i].id != id)
		i = (i + 1) & mux->mask;
	return &mux->open[i];
}

static void
put_open(struct mux *mux, struct mux_request *request)
{
	if (++mux->open_count > mux->mask / 2) {
		struct open_request *old = mux->open;
		size_t count = mux->mask + 1;

		mux->mask = mux->mask * 2 + 1;
		mux->open = mem_array(count * 2, sizeof *mux->open);
		for (size_t i = 0; i < count; i++)
			if (old[i].id != 0)
				*place_of(mux, old[i].id) = old[i];
		free(old);
	}
	*place_of(mux, request->id) = (struct open_request){ request->id, request };
}

/* What stands behind it without a gap may have wanted its place. */
static void
remove_open(struct mux *mux, uint32_t id)
{
	struct open_request *free_place = place_of(mux, id);
	uint32_t i = (uint32_t)(free_place - mux->open);

	mux->open_count--;
	*free_place = (struct open_request){ 0, NULL };
	for (i = (i + 1) & mux->mask; mux->open[i].id != 0; i = (i + 1) & mux->mask) {
		struct open_request moved = mux->open[i];

		mux->open[i] = (struct open_request){ 0, NULL };
		*place_of(mux, moved.id) = moved;
	}
}

static struct mux_request *
find(struct mux *mux, int32_t id)
{
	return id > 0 ? place_of(mux, (uint32_t)id)->request : NULL;
}

void
mux_open(struct mux *mux, struct mux_request *request)
{
	do
		request->id = throw_dice(mux);
	while (request->id == 0 || find(mux, (int32_t)request->id) != NULL);
	request->wrong_source = request->damaged = false;
	request->open = true;
	put_open(mux, request);
}

void
mux_close(struct mux *mux, struct mux_request *request)
{
	if (!request->open)
		return;
	remove_open(mux, request->id);
	request->open = false;
}

/* ---- strays by source ---- */

static struct mux_source *
find_source(struct mux *mux, const struct net_addr *address, struct source_key *key)
{
	struct mux_source *source;

	*key = (struct source_key){ .port = address->port, .family = address->family };
	memcpy(key->bytes, address->bytes, address->family == 4 ? 4 : sizeof key->bytes);
	HASH_FIND(hh, mux->sources, key, sizeof *key, source);
	return source;
}

struct mux_source *
mux_source_hold(struct mux *mux, const struct net_addr *address)
{
	struct source_key key;
	struct mux_source *source = find_source(mux, address, &key);

	if (source == NULL) {
		source = mem_zero(sizeof *source);
		source->key = key;
		HASH_ADD(hh, mux->sources, key, sizeof source->key, source);
	}
	source->holders++;
	return source;
}

void
mux_source_release(struct mux *mux, struct mux_source *source)
{
	if (source == NULL || --source->holders > 0)
		return;
	HASH_DELETE(hh, mux->sources, source);
	free(source);
}

uint64_t
mux_source_strays(const struct mux_source *source)
{
	return source->strays;
}

static void
count_stray(struct mux *mux, const struct net_addr *from)
{
	struct source_key key;
	struct mux_source *source;

	mux->counters.strays++;
	if (mux->sources == NULL)
		return;
	source = find_source(mux, from, &key);
	if (source != NULL)
		source->strays++;
}

/* ---- the sockets ---- */

static struct outlet *
find_outlet(struct mux *mux, const struct net_addr *from)
{
	for (size_t i = 0; i < mux->outlet_count; i++)
		if (mux->outlets[i].from.family == from->family &&
			net_addr_equal(&mux->outlets[i].from, from))
			return &mux->outlets[i];
	mux->outlets = mem_grow(mux->outlets, mux->outlet_count + 1, sizeof *mux->outlets);
	mux->outlets[mux->outlet_count] = (struct outlet){ .from = *from };
	return &mux->outlets[mux->outlet_count++];
}

/* Once for all devices that are asked from there. */
static void
note_outlet(struct outlet *outlet, bool missing, int error)
{
	char address[64];

	if (missing == outlet->missing)
		return;
	outlet->missing = missing;
	net_addr_text(address, sizeof address, &outlet->from, false);
	if (missing)
		log_error("snmp.from = \"%s\": no device is asked from there until this machine has the "
			"address: %s", address, strerror(error));
	else
		log_info("snmp.from = \"%s\": devices are asked from there again", address);
}

/* ---- what comes in ---- */

static void
note_stranger(struct mux_request *request, const struct net_addr *from)
{
	struct mux_peer *peer = request->peer;
	char is[64], should[64];

	request->wrong_source = true;
	peer->wrong_source++;
	if (net_addr_equal(&peer->stranger, from))
		return;
	peer->stranger = *from;
	if (peer->strangers == STRANGERS_TOLD)
		return;
	peer->strangers++;
	log_warn("%s (%s): an answer came from %s and was dropped: set snmp.source = \"any\" "
		"if that is the same device",
		peer->name, net_addr_text(should, sizeof should, &peer->address, true),
		net_addr_text(is, sizeof is, from, true));
}

static bool
names_the_same_access(const struct mux_peer *peer, const struct ber_peek *peek)
{
	size_t size;

	if (peer->version == BER_V3)
		return peek->version == BER_V3; /* who may speak is for the keys to tell */
	size = strlen(peer->community);
	return peek->version == peer->version && peek->community_size == size &&
		memcmp(peek->community, peer->community, size) == 0;
}

/* What is encrypted cannot be told apart here. */
static bool
may_answer(const struct ber_peek *peek)
{
	return peek->pdu == BER_RESPONSE ||
		(peek->version == BER_V3 && (peek->pdu == 0 || peek->pdu == BER_REPORT));
}

static void
note_damage(struct mux_request *request, int damage)
{
	request->damaged = true;
	request->damage = (uint16_t)damage;
}

static void
udp_malformed(struct mux *mux, const struct net_addr *from, const uint8_t *data, size_t size)
{
	struct mux_request *request;
	struct ber_peek peek;
	int damage;

	mux->counters.malformed++;
	damage = ber_damage(data, size, &peek);
	request = damage == -1 ? NULL : find(mux, peek.request_id);
	if (request != NULL && may_answer(&peek) && names_the_same_access(request->peer, &peek) &&
		(request->peer->any_source || net_addr_equal(from, &request->peer->address)))
		note_damage(request, damage);
}

static void
udp_received(const struct net_addr *from, const uint8_t *data, size_t size, int64_t mono,
	void *arg)
{
	struct mux *mux = arg;
	struct mux_request *request;
	struct ber_peek peek;

	if (mux->tap != NULL)
		mux->tap(from, false, data, size, mono, mux->tap_arg);
	mux->counters.received++;
	if (ber_peek_head(data, size, &peek) == -1) {
		udp_malformed(mux, from, data, size);
		return;
	}
	request = find(mux, peek.request_id);
	if ((request == NULL || !request->reads_varbinds) && ber_peek(data, size, &peek) == -1) {
		udp_malformed(mux, from, data, size);
		return;
	}
	if (request == NULL || !may_answer(&peek) ||
		!names_the_same_access(request->peer, &peek)) {
		count_stray(mux, from);
		return;
	}
	if (!request->peer->any_source && !net_addr_equal(from, &request->peer->address)) {
		mux->counters.wrong_source++;
		note_stranger(request, from);
		return;
	}
	request->answered(data, size, &peek, mono, request->arg);
}

/* Whoever claims to answer a request has its memory fetched, that is all. */
static void
udp_coming(const struct net_datagram *datagrams, size_t count, void *arg)
{
	struct mux_request *requests[AHEAD_GROUP];
	struct mux *mux = arg;
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		int32_t id = ber_guess_id(datagrams[i].data, datagrams[i].size);

		requests[open] = find(mux, id);
		if (requests[open] == NULL)
			continue;
		ahead_fetch(requests[open], sizeof *requests[open]);
		open++;
	}
	for (unsigned step = 0; step < MUX_STEPS; step++)
		for (size_t i = 0; i < open; i++)
			if (requests[i]->ahead != NULL)
				requests[i]->ahead(requests[i], step);
}

static void
udp_refused(const struct net_addr *to, const uint8_t *data, size_t size, int error, void *arg)
{
	struct mux *mux = arg;
	struct mux_request *request;
	struct ber_peek peek;

	/* A router may give back only the first bytes: then the deadline tells. */
	if (data == NULL || ber_peek(data, size, &peek) == -1)
		return;
	request = find(mux, peek.request_id);
	if (request != NULL && net_addr_equal(to, &request->peer->address))
		request->refused(error, request->arg);
}

static void
udp_unsent(const struct net_addr *to, const uint8_t *data, size_t size, int error, void *arg)
{
	struct mux *mux = arg;
	struct mux_request *request;
	struct ber_peek peek;

	(void)to;
	if (ber_peek(data, size, &peek) == -1)
		return;
	request = find(mux, peek.request_id);
	if (request == NULL)
		return;
	/* No route, says the kernel, where the machine has the socket's address no more. */
	if (request->peer->from != NULL && !net_addr_is_ours(request->peer->from)) {
		error = EADDRNOTAVAIL;
		note_outlet(find_outlet(mux, request->peer->from), true, error);
	}
	if (request->unsent != NULL)
		request->unsent(error, request->arg);
}

static const struct net_udp_events udp_events = {
	.received = udp_received,
	.refused = udp_refused,
	.unsent = udp_unsent,
	.coming = udp_coming,
};

/* ---- what goes out ---- */

/* NULL and why when it cannot be opened, and errno. It is tried again with each datagram: an
 * address that is missing when the machine starts may come later. */
static struct net_udp *
socket_for(struct mux *mux, const struct mux_peer *peer, struct fail *why)
{
	struct net_addr from = { .family = peer->address.family };
	struct outlet *outlet;
	int error;

	if (peer->from != NULL)
		from = *peer->from;
	outlet = find_outlet(mux, &from);
	outlet->bound = peer->from != NULL;
	if (outlet->missing && outlet->udp != NULL && !net_addr_is_ours(&from)) {
		errno = EADDRNOTAVAIL;
		fail_set(why, "%s", strerror(errno));
		return NULL;
	}
	if (outlet->missing && outlet->udp != NULL)
		note_outlet(outlet, false, 0);
	if (outlet->udp != NULL)
		return outlet->udp;
	outlet->udp = net_udp_open(mux->loop, from.family, peer->from, RECEIVE_BUFFER,
		&udp_events, mux, why);
	error = errno;
	if (peer->from != NULL)
		note_outlet(outlet, outlet->udp == NULL && error == EADDRNOTAVAIL, error);
	errno = error;
	return outlet->udp;
}

void
mux_prepare(struct mux *mux, const struct net_addr *from)
{
	struct mux_peer peer = { .address = { .family = from->family }, .from = from };
	struct fail why;

	socket_for(mux, &peer, &why);
}

void
mux_look(struct mux *mux)
{
	for (size_t i = 0; i < mux->outlet_count; i++)
		if (mux->outlets[i].bound)
			note_outlet(&mux->outlets[i], !net_addr_is_ours(&mux->outlets[i].from),
				EADDRNOTAVAIL);
}

const struct net_addr *
mux_missing(const struct mux *mux, size_t *at)
{
	while (*at < mux->outlet_count) {
		const struct outlet *outlet = &mux->outlets[(*at)++];

		if (outlet->missing)
			return &outlet->from;
	}
	return NULL;
}

int
mux_send(struct mux *mux, const struct mux_request *request, const void *data, size_t size,
	int *error, struct fail *why)
{
	const struct net_addr *to = &request->peer->address;
	struct net_udp *udp;

	*error = 0;
	errno = 0;
	udp = socket_for(mux, request->peer, why);
	if (udp == NULL) {
		*error = errno;
		return -1;
	}
	net_udp_post(udp, to, data, size);
	if (!request->patient)
		net_udp_hurry(udp);
	mux->counters.sent++;
	if (mux->tap != NULL)
		mux->tap(to, true, data, size, loop_mono(mux->loop), mux->tap_arg);
	return 0;
}

struct mux_counters
mux_counters(const struct mux *mux)
{
	struct mux_counters counters = mux->counters;

	for (size_t i = 0; i < mux->outlet_count; i++)
		if (mux->outlets[i].udp != NULL)
			counters.dropped += net_udp_drops(mux->outlets[i].udp);
	return counters;
}

void
mux_count_malformed(struct mux *mux)
{
	mux->counters.malformed++;
}

void
mux_damaged(struct mux *mux, struct mux_request *request, int damage)
{
	mux->counters.malformed++;
	if (damage != -1)
		note_damage(request, damage);
}

void
mux_tap(struct mux *mux,
	void (*tap)(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size,
		int64_t mono, void *arg), void *arg)
{
	mux->tap = tap;
	mux->tap_arg = arg;
}

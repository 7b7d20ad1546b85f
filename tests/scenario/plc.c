#include "scenario/plc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "fake/net_sim.h"
#include "scenario/plant.h"

const struct plant_point plc_press[PLC_PRESS_POINTS] = {
	{ .name = "oil_temp", .kind = POINT_GAUGE, .bits = 16, .is_signed = true, .scale = 0.1,
		.function = 3, .address = 100, .width = 1 },
	{ .name = "speed", .kind = POINT_GAUGE, .bits = 16, .scale = 1, .function = 3,
		.address = 101, .width = 1 },
	{ .name = "pieces", .kind = POINT_COUNTER, .bits = 32, .scale = 1, .function = 3,
		.address = 102, .width = 2, .rate = 3.7 },
	{ .name = "state", .kind = POINT_STATE, .bits = 16, .scale = 1, .function = 3,
		.address = 104, .width = 1 },
};
const struct plant_point plc_meter[PLC_METER_POINTS] = {
	{ .name = "power", .kind = POINT_GAUGE, .bits = 32, .real = true, .scale = 1,
		.function = 4, .address = 0, .width = 2 },
	{ .name = "voltage", .kind = POINT_GAUGE, .bits = 16, .scale = 0.1, .function = 4,
		.address = 2, .width = 1 },
	{ .name = "energy", .kind = POINT_COUNTER, .bits = 64, .scale = 0.001, .function = 3,
		.address = 200, .width = 4, .rate = 4211.5 },
	{ .name = "pulses", .kind = POINT_COUNTER, .bits = 32, .scale = 1, .function = 3,
		.address = 204, .width = 2, .rate = 12.25 },
};

/* One connection. */
struct peer {
	struct plant_host *host;
	uint32_t lives;
	int64_t last_answer; /* mono: a stream keeps its order */
};

static struct plant *plant; /* net_sim gives one pointer only: the host's */

static struct plant_device *
device_of(const struct plant_host *host, uint8_t unit)
{
	for (size_t i = 0; i < plant->device_count; i++)
		if (plant->devices[i].host == host && plant->devices[i].unit_id == unit)
			return &plant->devices[i];
	return NULL;
}

/* The registers' bytes; false when the device has none there. */
static bool
registers(struct plant_device *device, const uint8_t *request, struct exchange *e, uint8_t *to)
{
	unsigned function = request[7], address = request[8] * 256u + request[9];
	unsigned count = request[10] * 256u + request[11], got = 0;
	int64_t now = loop_mono(plant->loop);

	for (size_t i = 0; i < device->point_count; i++) {
		const struct plant_point *p = &device->points[i];
		uint64_t bits;
		float real;

		if (p->function != function || p->address < address ||
			p->address + p->width > address + count)
			continue;
		e->points |= UINT32_C(1) << i;
		e->raw[i] = bits = plant_raw(device, i, now);
		if (p->real) {
			uint32_t word;

			real = (float)bits / 8;
			memcpy(&word, &real, sizeof word);
			bits = word;
		}
		for (unsigned k = 0; k < 2u * p->width; k++)
			to[2 * (p->address - address) + k] =
				(uint8_t)(bits >> 8 * (2u * p->width - 1 - k));
		got += p->width;
	}
	return got == count;
}

/* When its asker gives up: its timer stands on whole ticks. */
static int64_t
deadline(const struct plant_device *device, const struct exchange *e)
{
	return (e->sent + device->timeout + LOOP_TICK - 1) / LOOP_TICK * LOOP_TICK;
}

static void
silent(const struct plant_device *device, struct exchange *e)
{
	e->reason = REASON_TIMEOUT;
	e->ended = deadline(device, e);
}

static void
send(struct net_sim_conn *conn, const struct plant_device *device, struct exchange *e,
	const uint8_t *frame, size_t size, int64_t delay)
{
	struct peer *peer = net_sim_conn_data(conn);
	int64_t now = loop_mono(plant->loop), limit = deadline(device, e);

	e->ended = now + NET_SIM_LATENCY + delay;
	if (e->ended < peer->last_answer)
		e->ended = peer->last_answer;
	peer->last_answer = e->ended;
	net_sim_send(conn, frame, size, delay);
	if (e->ended < limit - LOOP_TICK)
		return;
	e->doubtful = e->ended < limit + LOOP_TICK;
	e->answered = false;
	silent(device, e);
}

static void
answer(struct net_sim_conn *conn, struct plant_device *device, struct exchange *e,
	const uint8_t *request, uint8_t *frame, uint8_t exception, int64_t delay)
{
	size_t size = exception != 0 ? 9 : 9u + frame[8];

	memcpy(frame, request, 8);
	frame[4] = 0;
	frame[5] = (uint8_t)(size - 6);
	if (exception != 0) {
		frame[7] |= 0x80;
		frame[8] = exception;
	}
	e->reason = exception == 0 ? REASON_GOOD : exception == 0x0B ? REASON_GATEWAY :
		(uint8_t)(REASON_EXCEPTION + exception);
	e->answered = exception != 0x0B;
	send(conn, device, e, frame, size, delay);
}

/* An answer that is none, by one of its fields. */
static void
garbage(struct net_sim_conn *conn, struct plant_device *device, struct exchange *e,
	uint8_t *frame, int64_t delay)
{
	size_t size = 9u + frame[8];

	switch (plant_random(plant) % 4) {
	case 0:
		frame[6] ^= 0x40; /* of another unit */
		break;
	case 1:
		frame[7] ^= 0x07; /* another function */
		break;
	case 2:
		frame[2] = 0x77; /* another protocol */
		break;
	default:
		frame[8] = (uint8_t)(frame[8] + 2); /* another count */
		break;
	}
	e->reason = REASON_BAD_REPLY;
	e->answered = false;
	send(conn, device, e, frame, size, delay);
}

static void
serve(struct net_sim_conn *conn, struct plant_device *device, const uint8_t *request,
	struct exchange *e)
{
	uint8_t frame[300] = { 0 };
	double chance = plant_chance(plant);
	int64_t delay = plant_between(plant, 0, 300) * LOOP_MS;
	unsigned count = request[10] * 256u + request[11];
	bool there = registers(device, request, e, frame + 9);

	frame[8] = (uint8_t)(2 * count);
	if (device->dead || chance < device->silence) {
		silent(device, e);
	} else if (device->gateway_dead) {
		answer(conn, device, e, request, frame, 0x0B, delay);
	} else if (device->busy) {
		answer(conn, device, e, request, frame, 6, delay);
	} else if (!there || (e->points & device->illegal) != 0) {
		answer(conn, device, e, request, frame, 2, delay);
	} else if (chance > 0.997) {
		answer(conn, device, e, request, frame, 0, device->timeout +
			(plant_between(plant, 1, 9) * 250 + 120) * LOOP_MS); /* too late */
	} else {
		memcpy(frame, request, 8);
		frame[5] = (uint8_t)(3 + frame[8]);
		if (chance > 0.994)
			garbage(conn, device, e, frame, delay);
		else
			answer(conn, device, e, request, frame, 0, delay);
	}
}

static void
accepted(struct net_sim_conn *conn, void *arg)
{
	struct peer *peer = mem_zero(sizeof *peer);

	peer->host = arg;
	peer->lives = peer->host->lives;
	net_sim_conn_set(conn, peer);
}

static void
closed(struct net_sim_conn *conn, void *arg)
{
	(void)arg;
	free(net_sim_conn_data(conn));
	net_sim_conn_set(conn, NULL);
}

static void
note_silence(struct plant_device *device, struct exchange *e)
{
	if (e->answered)
		device->silences = 0;
	else if (e->reason == REASON_TIMEOUT || e->reason == REASON_GATEWAY)
		device->silences++;
	for (size_t i = 0; i < plant->device_count; i++) {
		const struct plant_device *other = &plant->devices[i];

		if (other != device && other->host == device->host && other->active &&
			other->silences < 3)
			e->refused_next = device->silences >= 3;
	}
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	struct plant_host *host = arg;
	struct peer *peer = net_sim_conn_data(conn);
	struct plant_device *device = size == 12 ? device_of(host, data[6]) : NULL;
	struct exchange *e;

	if (device == NULL || !device->active) {
		plant->strays++;
		return;
	}
	e = plant_request(plant, device, loop_mono(plant->loop) - NET_SIM_LATENCY);
	if (host->state == HOST_ON && peer->lives == host->lives) {
		serve(conn, device, data, e);
		note_silence(device, e);
		return;
	}
	registers(device, data, e, (uint8_t[300]){ 0 });
	silent(device, e);
	note_silence(device, e);
	if (host->state == HOST_OFF)
		return;
	/* It has lived anew since: it knows nothing of this connection. */
	e->reason = REASON_UNREACHABLE;
	net_sim_close(conn, ECONNRESET, 0);
}

void
plc_seen(int event, const struct net_addr *at)
{
	for (size_t i = 0; event == NET_SIM_CONNECT && i < plant->host_count; i++) {
		struct plant_host *host = &plant->hosts[i];
		int64_t now = loop_mono(plant->loop);

		if (host->state == HOST_ON || !net_addr_equal(&host->at, at))
			continue;
		if (host->failed_count == host->failed_room) {
			host->failed_room = host->failed_room * 2 + 64;
			host->failed = mem_grow(host->failed, host->failed_room,
				sizeof *host->failed);
		}
		host->failed[host->failed_count++] = (struct failed_connect){
			loop_wall(plant->loop), now,
			now + (host->state == HOST_OFF ? 3 * LOOP_S : 2 * NET_SIM_LATENCY) };
	}
}

void
plc_set(struct plant *of, struct plant_host *host, int state)
{
	static const struct net_sim_server server = { accepted, received, closed };

	plant = of;
	if (host->state != HOST_ON && state == HOST_ON)
		host->lives++;
	host->state = (unsigned)state;
	if (state == HOST_ON)
		net_sim_tcp(&host->at, &server, host);
	else if (state == HOST_REFUSES)
		net_sim_tcp_refuse(&host->at);
	else
		net_sim_tcp_remove(&host->at);
}

void
plc_open(struct plant *of)
{
	for (size_t i = 0; i < of->host_count; i++)
		plc_set(of, &of->hosts[i], HOST_ON);
}

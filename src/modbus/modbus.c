#include "modbus/modbus.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/driver.h"
#include "core/point.h"
#include "core/self.h"
#include "modbus/adu.h"
#include "modbus/block.h"
#include "modbus/line.h"
#include "modbus/modbus_parts.h"
#include "modbus/owed.h"
#include "modbus/wanted.h"

#define HOPELESS (3600 * LOOP_S) /* devices get new firmware, but not every minute */
#define HOLE (600 * LOOP_S)      /* the longest for which a missing register is not asked for */
#define BUSY_WAIT (100 * LOOP_MS)

enum {
	EXCEPTION_ADDRESS = 2,
	EXCEPTION_COUNT = 3,
	EXCEPTION_ACKNOWLEDGE = 5,
	EXCEPTION_BUSY = 6,
	EXCEPTION_NO_PATH = 0x0A,
	EXCEPTION_NO_TARGET = 0x0B,
	FAILURES_TO_GIVE_UP = 2, /* in one poll: time-outs in a row, or bad replies */
	BUSY_TRIES = 3 /* after 100, 200, 400 ms */
};

struct modbus {
	struct loop *loop;
	struct lines *lines;
};

/* One device. */
struct meter {
	const struct device *device;
	const struct modbus_options *options;
	struct line_unit unit;
	uint32_t retried; /* requests put again as it was busy */
};

/* A point whose power of ten another point holds waits for it until the poll ends. */
struct power {
	bool wanted;                  /* by some other point */
	uint32_t from;                /* whose: an index into the group; its own: none */
	bool held;                    /* it was read in this poll */
	bool number;                  /* and is one */
	double value;                 /* unscaled */
	int64_t received;
};

/* A register that a device has not, among others that it has. */
struct hole {
	int64_t until;                /* mono: not asked before; 0: no hole */
	uint8_t code;                 /* of the exception */
	uint8_t times;                /* in a row; each time it is left alone twice as long */
	bool again;                   /* asked once more, alone */
};

/* One group of points of a device, and the poll of it that is under way. There may be a
 * hundred thousand points, so what few of them need is allocated where it is needed. */
struct work {
	struct meter *meter;
	struct task *task;
	const struct group *group;
	struct power *powers;         /* per point; NULL: no point has its power elsewhere */
	struct block_limits limits;

	struct block_point *points;   /* sorted by block_plan; tag is the index into the group */
	size_t point_count, planned;  /* behind `planned` stand the holes */
	struct block *blocks;         /* with as much room as the largest plan so far needed */
	size_t block_count, block_room;
	/* A block that was refused as a whole, halved until the culprit is found: a stack of what
	 * is still to be asked, the last one now. */
	struct block *pieces;         /* NULL until the first time */
	size_t piece_count;
	bool breaking;
	unsigned refused_pieces, good_pieces, lost_pieces;
	bool learned;                 /* something that the next plan heeds */
	struct hole *holes;           /* per point */
	int64_t *hopeless;            /* per block: refused in all its pieces; mono, until when */

	bool cautious;
	size_t at;                    /* the block asked for, or whose pieces are */
	unsigned timeouts, bad_replies, busy;
	struct line_request request;
	struct loop_timer nothing;    /* ends a poll that has nothing to ask */
	struct loop_timer again;      /* asks a device that was busy */
};

struct modbus *
modbus_new(struct loop *loop)
{
	struct modbus *modbus = mem_zero(sizeof(*modbus));

	modbus->loop = loop;
	modbus->lines = lines_new(loop);
	return modbus;
}

void
modbus_end(struct modbus *modbus)
{
	if (modbus == NULL)
		return;
	lines_free(modbus->lines);
	free(modbus);
}

void
modbus_line_options(const struct modbus_options *device, struct line_options *line,
	char name[MODBUS_LINE_NAME])
{
	bool tty = device->serial.device != NULL && device->serial.device[0] != '\0';

	*line = (struct line_options){ .address = device->address, .serial = device->serial,
		.framing = device->framing, .local_echo = device->local_echo,
		.quiet = device->quiet, .connect_timeout = device->connect_timeout,
		.connect_delay = device->connect_delay, .request_gap = device->request_gap,
		.close_after = device->close_after };
	if (device->max_rate > 0)
		line->host_gap = (int64_t)((double)LOOP_S / device->max_rate);
	if (device->tls != NULL) {
		line->tls = &device->tls->pem;
		line->tls_id = device->tls->id;
		line->server_name = device->server_name;
	}
	line->name = device->line != NULL && device->line[0] != '\0' ? device->line :
		tty ? device->serial.device :
		    net_addr_text(name, MODBUS_LINE_NAME, &device->address, true);
}

struct lines *
modbus_lines(struct modbus *modbus)
{
	return modbus->lines;
}

struct loop *
modbus_loop(struct modbus *modbus)
{
	return modbus->loop;
}

bool
modbus_look(const struct modbus *modbus, const char *line, struct line_look *look)
{
	return lines_look(modbus->lines, line, look);
}

const char *
modbus_line_name(const struct modbus_options *device, char *to, size_t size)
{
	struct line_options line;
	char name[MODBUS_LINE_NAME];

	modbus_line_options(device, &line, name);
	str_copy(to, size, line.name);
	return to;
}

bool
modbus_release(struct modbus *modbus, const char *line, int64_t until)
{
	return lines_release(modbus->lines, line, until);
}

bool
modbus_released(const struct modbus *modbus, const char *line, int64_t *until, bool *closed)
{
	return lines_released(modbus->lines, line, until, closed);
}

struct lines_sum
modbus_sum(const struct modbus *modbus)
{
	return lines_sum(modbus->lines);
}

static void *
attach(void *env, const struct device *device, struct fail *why)
{
	struct modbus *modbus = env;
	const struct modbus_options *options = device_modbus(device);
	struct line_options line;
	struct meter *meter;
	char name[MODBUS_LINE_NAME];

	if (options->unit_id == 0) {
		fail_set(why, "unit_id 0 is the broadcast address of a serial bus");
		return NULL;
	}
	if (options->never_connect) {
		fail_set(why, "free_connections = 0: it is never connected");
		return NULL;
	}
	modbus_line_options(options, &line, name);
	line.retry_within = device_interval(device);
	meter = mem_zero(sizeof(*meter));
	meter->device = device;
	meter->options = options;
	meter->unit.id = options->unit_id;
	line_join(modbus->lines, &line, &meter->unit);
	return meter;
}

static void
detach(void *state)
{
	struct meter *meter = state;

	if (meter == NULL)
		return;
	line_leave(&meter->unit);
	free(meter);
}

/* Late answers belong to all units of a line: after a time-out nobody can tell whose. */
static void
count(void *state, struct self_counts *counts)
{
	const struct meter *meter = state;

	counts->retries += meter->retried;
	counts->strays += line_counters(meter->unit.line).late;
}

/* ---- asking ---- */

static bool
is_bits(enum adu_function function)
{
	return function == ADU_COILS || function == ADU_DISCRETE_INPUTS;
}

static bool
stands_alone(const struct work *work, const struct block_point *point)
{
	const struct modbus_point *wire = work->group->points[point->tag].wire;

	return wanted_alone(work->meter->options, wire) || work->holes[point->tag].again;
}

static void
plan(struct work *work)
{
	struct block *blocks = mem_array(work->point_count + 1, sizeof(blocks[0]));

	work->planned = 0;
	for (size_t i = 0; i < work->point_count; i++) {
		struct block_point point = work->points[i];

		if (work->holes[point.tag].until != 0)
			continue;
		work->points[i] = work->points[work->planned];
		work->points[work->planned] = point;
		work->points[work->planned++].separate = stands_alone(work, &point);
	}
	work->block_count = block_plan(work->points, work->planned, &work->limits, blocks);
	if (work->block_count > work->block_room) {
		work->block_room = work->block_count;
		work->blocks = mem_grow(work->blocks, work->block_room, sizeof(work->blocks[0]));
		work->hopeless = mem_grow(work->hopeless, work->block_room,
			sizeof(work->hopeless[0]));
	}
	if (work->block_count > 0) {
		memcpy(work->blocks, blocks, work->block_count * sizeof(blocks[0]));
		memset(work->hopeless, 0, work->block_count * sizeof(work->hopeless[0]));
	}
	free(blocks);
}

static const struct block *
asked_block(const struct work *work)
{
	return work->breaking ? &work->pieces[work->piece_count - 1] : &work->blocks[work->at];
}

/* A count is kept as it is: its rate is scaled where it is computed. */
static double
scaled(const struct point *point, double number)
{
	return point->kind == POINT_COUNTER ? number : number * point->scale + point->offset;
}

/* Meters keep their kWh as floats: a quarter of an hour is a few of them, so the fraction
 * counts. Above 2^53 a double has none, and a meter that far is broken. */
static void
count_real(double number, struct reading *reading)
{
	if (number < 0 || number > 0x1p53) {
		reading->reason = REASON_INVALID_VALUE;
		return;
	}
	reading->raw = (uint64_t)number;
	reading->milli = (uint64_t)(number * 1000 + 0.5);
	reading->bits = 64;
}

static void
read_number(const struct point *point, const struct regs_spec *spec, uint8_t bits,
	const struct regs_value *value, struct reading *reading)
{
	reading->number = scaled(point, value->number);
	if (!isfinite(reading->number) || !regs_plausible(spec, reading->number)) {
		reading->reason = REASON_INVALID_VALUE;
		return;
	}
	if (spec->type == REGS_F16)
		return;
	if (spec->type == REGS_F32 || spec->type == REGS_F64) {
		if (point->kind == POINT_COUNTER)
			count_real(value->number, reading);
		return;
	}
	reading->raw = value->raw;
	reading->whole = true;
	reading->beyond = spec->type == REGS_U64 && value->raw > INT64_MAX;
	reading->bits = bits;
}

/* Whether the point has to wait for its power of ten. */
static bool
hold(struct work *work, uint32_t index, const struct regs_value *value, int64_t received)
{
	struct power *power;

	if (work->powers == NULL)
		return false;
	power = &work->powers[index];
	if (power->wanted || power->from != index) {
		power->held = true;
		power->number = value->kind == REGS_NUMBER;
		power->value = value->number;
		power->received = received;
	}
	return power->from != index;
}

static void
read_point(struct work *work, const struct block *block, const struct block_point *at,
	const struct line_result *result)
{
	const struct point *point = &work->group->points[at->tag];
	const struct modbus_point *wire = point->wire;
	const struct regs_spec *spec = &wire->spec;
	struct reading reading = { .row = TASK_SCALAR, .point = at->tag, .reason = REASON_GOOD,
		.received = result->received, .wrap = wire->wrap };
	size_t offset = (size_t)(at->address - block->address);
	struct regs_value value;

	if (is_bits(block->function))
		regs_read_plain_bit(spec, adu_bit(result->data, offset), &value);
	else
		regs_read_plain(spec, result->data + 2 * offset, &value);
	if (hold(work, at->tag, &value, result->received))
		return;
	switch (value.kind) {
	case REGS_TEXT:
		reading.text = value.text;
		break;
	case REGS_INVALID:
		reading.reason = REASON_INVALID_VALUE;
		break;
	default:
		read_number(point, spec, wire->bits, &value, &reading);
		break;
	}
	task_reading(work->task, &reading);
}

/* SunSpec Device Information Model, 6.4.8: -10 to 10, 0x8000 for "not implemented". */
static bool
power_of_ten(const struct power *power, double *factor)
{
	int exponent = power->number && fabs(power->value) <= 10 ? (int)power->value : INT_MIN;

	if (exponent == INT_MIN || exponent != power->value)
		return false;
	*factor = pow(10, exponent);
	return true;
}

static void
forget_powers(struct work *work)
{
	for (size_t i = 0; i < work->group->point_count && work->powers != NULL; i++)
		work->powers[i].held = false;
}

/* Those that waited; where the power itself was not read, they end with the poll's reason. */
static void
release(struct work *work)
{
	for (size_t i = 0; i < work->group->point_count && work->powers != NULL; i++) {
		struct power *power = &work->powers[i];
		const struct point *point = &work->group->points[i];
		const struct modbus_point *wire = point->wire;
		struct reading reading = { .row = TASK_SCALAR, .point = (uint32_t)i,
			.reason = REASON_GOOD, .received = power->received };
		double factor = 1;

		if (power->from == i || !power->held || !work->powers[power->from].held)
			continue;
		if (!power->number || !power_of_ten(&work->powers[power->from], &factor))
			reading.reason = REASON_INVALID_VALUE;
		reading.number = power->value * point->scale * factor + point->offset;
		if (reading.reason == REASON_GOOD && !regs_plausible(&wire->spec, reading.number))
			reading.reason = REASON_INVALID_VALUE;
		task_reading(work->task, &reading);
	}
	forget_powers(work);
}

/* The short way for what most points are; it shares a reading with its like. False when it has
 * to be looked at closely. */
static bool
read_integer(const struct work *work, const struct block *block, const struct block_point *at,
	const uint8_t *data, struct reading *reading)
{
	const struct point *point = &work->group->points[at->tag];
	const struct modbus_point *wire = point->wire;
	uint32_t raw;
	double number;

	if (!regs_read_integer(&wire->spec, data + 2 * (size_t)(at->address - block->address),
		&raw, &number))
		return false;
	reading->number = scaled(point, number);
	if (!isfinite(reading->number) || !regs_plausible(&wire->spec, reading->number))
		return false;
	reading->point = at->tag;
	reading->wrap = wire->wrap;
	reading->raw = raw;
	reading->bits = wire->bits;
	return true;
}

static void
read_block(struct work *work, const struct block *block, const struct line_result *result)
{
	struct reading reading = { .row = TASK_SCALAR, .reason = REASON_GOOD, .whole = true,
		.received = result->received };
	bool plain = work->powers == NULL && !is_bits(block->function);

	for (size_t i = 0; i < block->points; i++) {
		const struct block_point *at = &work->points[block->first + i];

		if (plain && read_integer(work, block, at, result->data, &reading))
			task_reading(work->task, &reading);
		else
			read_point(work, block, at, result);
	}
}

static void
lose_block(struct work *work, const struct block *block, uint8_t reason, int64_t received)
{
	for (size_t i = 0; i < block->points; i++) {
		struct reading reading = { .row = TASK_SCALAR,
			.point = work->points[block->first + i].tag, .reason = reason,
			.received = received };

		task_reading(work->task, &reading);
	}
}

static void forget_pieces(struct work *work);

static void
end(struct work *work, uint8_t rest)
{
	if (work->breaking)
		forget_pieces(work);
	work->piece_count = 0;
	work->breaking = false;
	if (work->learned)
		plan(work);
	work->learned = false;
	release(work);
	task_done(work->task, rest);
}

static void
ask(struct work *work)
{
	const struct block *block = asked_block(work);
	struct line_request *request = &work->request;
	uint32_t end = block->address + (uint32_t)block->count;

	request->function = block->function;
	request->address = block->address;
	request->count = block->count;
	/* After a time-out a line without transaction ids may read some beyond it. */
	request->whole = work->points[block->first].last;
	request->alone = work->points[block->first].separate || block_barred(&work->limits,
		block->function, end, end + OWED_BEYOND * (is_bits(block->function) ? 8 : 1) - 1);
	line_send(request);
}

/* ---- a block that is refused as a whole ---- */

static void
push_piece(struct work *work, size_t first, size_t count)
{
	struct block *piece = &work->pieces[work->piece_count++];
	uint32_t end = 0;

	*piece = (struct block){ .function = work->points[first].function,
		.address = work->points[first].address, .first = first, .points = count };
	for (size_t i = first; i < first + count; i++) {
		uint32_t last = work->points[i].address + (uint32_t)work->points[i].width;

		end = last > end ? last : end;
	}
	piece->count = (uint16_t)(end - piece->address);
}

/* Are the two asked for together, whatever happens? */
static bool
belong_together(const struct block_point *one, const struct block_point *other)
{
	return one->atomic != 0 || other->atomic != 0 ? one->atomic == other->atomic :
		one->address == other->address && one->width == other->width;
}

/* One address that the device does not have makes it refuse all of them. So it is asked for
 * each half, at once: the neighbours stay good, and of 60 registers the missing one is found
 * in a dozen requests. Points of the very same registers or of an atomic group stay together. */
static bool
halve(struct work *work, struct block block)
{
	const struct block_point *points = work->points;
	size_t middle = block.first + block.points / 2, end = block.first + block.points;

	while (middle < end && middle > block.first &&
		belong_together(&points[middle], &points[middle - 1]))
		middle++;
	if (middle == end) {
		middle = block.first + block.points / 2;
		while (middle > block.first && belong_together(&points[middle], &points[middle - 1]))
			middle--;
	}
	if (middle == block.first || middle == end)
		return false;
	if (work->pieces == NULL)
		work->pieces = mem_array(work->group->point_count, sizeof(work->pieces[0]));
	if (work->breaking) {
		work->piece_count--;
	} else {
		work->breaking = true;
		work->piece_count = 0;
		work->refused_pieces = work->good_pieces = work->lost_pieces = 0;
	}
	push_piece(work, middle, end - middle);
	push_piece(work, block.first, middle - block.first);
	return true;
}

/* No piece was refused, so the block had read a gap or was too long for the device. */
static void
ask_for_less(struct work *work, const struct block *block)
{
	uint16_t half = block->count / 2 > 0 ? block->count / 2 : 1;
	bool bits = is_bits(block->function);
	uint16_t *most = bits ? &work->limits.max_bits : &work->limits.max_regs;

	if (work->limits.max_gap > 0)
		work->limits.max_gap = 0;
	else if (*most == 0 || *most > half)
		*most = half;
	log_info("%s (%s): refuses %d %s from %d together but not one by one, asking for fewer",
		work->meter->device->name, work->meter->device->address, block->count,
		bits ? "bits" : "registers", block->address);
}

/* What was found of a block that was not searched to the end, or refuses everything, proves
 * nothing. */
static void
forget_pieces(struct work *work)
{
	const struct block *block = &work->blocks[work->at];

	for (size_t i = 0; i < block->points; i++)
		work->holes[work->points[block->first + i].tag] = (struct hole){ 0 };
}

/* All pieces of the block have been asked for. What was refused among others that were not is
 * a hole; a device that refuses everything may be in another state tomorrow. */
static void
learn(struct work *work)
{
	const struct block *block = &work->blocks[work->at];

	if (work->good_pieces == 0) {
		forget_pieces(work);
		if (work->refused_pieces > 0)
			work->hopeless[work->at] = loop_mono(task_loop(work->task)) + HOPELESS;
		return;
	}
	work->learned = work->learned || work->refused_pieces > 0;
	if (work->refused_pieces == 0 && work->lost_pieces == 0) {
		work->learned = true;
		ask_for_less(work, block);
	}
}

/* It is not there, alone or among pieces: asked again after 1, 2, 4 .. polls. What was missing
 * for a moment is back soon, what is missing for good costs next to nothing. */
static void
remember_hole(struct work *work, const struct block *block, const struct line_result *result)
{
	for (size_t i = 0; i < block->points; i++) {
		struct hole *hole = &work->holes[work->points[block->first + i].tag];
		int64_t interval = work->group->interval, wait = interval;

		for (unsigned n = 0; n < hole->times && wait < HOLE; n++)
			wait *= 2;
		if (wait > HOLE)
			wait = interval > HOLE ? interval : HOLE;
		hole->times += hole->times < UINT8_MAX;
		hole->again = false;
		hole->code = result->code;
		hole->until = result->received + wait - interval / 2; /* polls are not that exact */
	}
}

/* Those whose time is over are asked again, each alone; true when there was one. */
static bool
reopen_holes(struct work *work, int64_t now)
{
	bool any = false;

	for (size_t i = work->planned; i < work->point_count; i++) {
		struct hole *hole = &work->holes[work->points[i].tag];

		if (hole->until > now)
			continue;
		hole->until = 0;
		hole->again = true;
		any = true;
	}
	return any;
}

/* ---- what comes back ---- */

/* The device said of them what it said last time. */
static void
close_holes(struct work *work)
{
	for (size_t i = work->planned; i < work->point_count; i++) {
		struct reading reading = { .row = TASK_SCALAR, .point = work->points[i].tag,
			.received = loop_mono(task_loop(work->task)) };

		reading.reason =
			(uint8_t)(REASON_EXCEPTION + work->holes[work->points[i].tag].code);
		task_reading(work->task, &reading);
	}
}

static void
next(struct work *work)
{
	work->busy = 0;
	if (work->breaking && --work->piece_count > 0) {
		ask(work);
		return;
	}
	if (work->breaking)
		learn(work);
	work->breaking = false;
	if (++work->at < work->block_count) {
		ask(work);
		return;
	}
	close_holes(work);
	end(work, REASON_BAD_REPLY); /* nothing is left to close */
}

/* A question that was not sent has no time-out to speak of. */
static bool
is_unsent(const struct line_result *result)
{
	return result->outcome == LINE_TIMEOUT && result->rtt == 0;
}

static void
tell_error(struct work *work, const struct block *block, const struct line_result *result)
{
	const char *what = is_bits(block->function) ? "bits" : "registers";
	char span[32];

	switch (is_unsent(result) ? LINE_BREAKER : result->outcome) {
	case LINE_EXCEPTION:
		task_error(work->task, "unit %d: exception %d (%s) to function %d, %d %s from %d",
			work->meter->unit.id, result->code, result->why, block->function,
			block->count, what, block->address);
		break;
	case LINE_TIMEOUT:
		task_error(work->task, "unit %d: %s within %s to function %d, %d %s from %d",
			work->meter->unit.id, result->why,
			str_time_span(span, sizeof(span), work->request.timeout),
			block->function, block->count, what, block->address);
		break;
	default:
		task_error(work->task, "unit %d: %s", work->meter->unit.id, result->why);
		break;
	}
}

/* "Acknowledge" and "busy" pass: asked again in a moment, while the line is free for others. */
static bool
ask_later(struct work *work, const struct line_result *result)
{
	struct loop *loop = task_loop(work->task);
	int64_t wait = BUSY_WAIT << work->busy;

	if ((result->code != EXCEPTION_ACKNOWLEDGE && result->code != EXCEPTION_BUSY) ||
		work->busy == BUSY_TRIES || loop_mono(loop) + wait >= work->request.expires)
		return false;
	work->busy++;
	work->meter->retried++;
	loop_timer_in(loop, &work->again, wait);
	return true;
}

static void
on_again(void *arg)
{
	ask(arg);
}

static void
refused(struct work *work, const struct block *block, const struct line_result *result)
{
	bool by_address = result->code == EXCEPTION_ADDRESS || result->code == EXCEPTION_COUNT;
	bool alone = block->points > 0 && work->holes[work->points[block->first].tag].again;

	if (result->code == EXCEPTION_NO_PATH || result->code == EXCEPTION_NO_TARGET) {
		end(work, REASON_GATEWAY);
		return;
	}
	if (ask_later(work, result))
		return;
	if (by_address && (work->breaking || result->received >= work->hopeless[work->at]) &&
		halve(work, *block)) {
		ask(work);
		return;
	}
	if (by_address && (work->breaking || alone)) {
		work->refused_pieces++;
		work->learned = work->learned || alone;
		remember_hole(work, block, result);
	}
	/* A code has seven bits; 0 is none and would read as no exception at all. */
	lose_block(work, block,
		result->code == 0 || result->code > 127 ?
			REASON_BAD_REPLY : (uint8_t)(REASON_EXCEPTION + result->code),
		result->received);
	next(work);
}

/* A lost block is no reason to lose the others, a silent device is. */
static void
lost(struct work *work, const struct block *block, uint8_t reason, unsigned *count,
	const struct line_result *result)
{
	if (work->cautious || ++*count >= FAILURES_TO_GIVE_UP) {
		end(work, reason);
		return;
	}
	work->lost_pieces++;
	lose_block(work, block, reason, result->received);
	next(work);
}

/* The line could not tell the answer from one that may still be on the way (line.h). That says
 * nothing of the device and took no time, and the answer to another block ends it. */
static void
lost_unsent(struct work *work, const struct block *block, const struct line_result *result)
{
	work->lost_pieces++;
	lose_block(work, block, REASON_TIMEOUT, result->received);
	next(work);
}

/* A register that was missing is there again, and may be asked in company. */
static void
answered(struct work *work, const struct block *block)
{
	struct hole *hole = &work->holes[work->points[block->first].tag];

	work->good_pieces++;
	if (!hole->again)
		return;
	for (size_t i = 0; i < block->points; i++)
		work->holes[work->points[block->first + i].tag] = (struct hole){ 0 };
	work->learned = true;
}

static const uint8_t silences[] = {
	[LINE_EXCEPTION] = REASON_GATEWAY, /* of those the device's own count as answers */
	[LINE_TIMEOUT] = REASON_TIMEOUT,
	[LINE_UNREACHABLE] = REASON_UNREACHABLE,
	[LINE_BAD_REPLY] = REASON_BAD_REPLY,
};

static void
tell_exchange(struct work *work, const struct line_result *result)
{
	bool gateway = result->outcome == LINE_EXCEPTION &&
		       (result->code == EXCEPTION_NO_PATH || result->code == EXCEPTION_NO_TARGET);
	bool answered = result->outcome == LINE_ANSWER ||
			(result->outcome == LINE_EXCEPTION && !gateway);

	if (result->outcome == LINE_BREAKER || result->outcome == LINE_OVERRUN ||
		result->outcome == LINE_PAUSED)
		return;
	task_exchange(work->task, answered, result->rtt);
	if (!answered)
		task_unanswered(work->task, silences[result->outcome]);
}

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct work *work = arg;
	const struct block *block = asked_block(work);

	(void)request;
	tell_exchange(work, result);
	if (result->outcome != LINE_ANSWER)
		tell_error(work, block, result);

	switch (result->outcome) {
	case LINE_ANSWER:
		work->cautious = false;
		work->timeouts = 0;
		read_block(work, block, result);
		answered(work, block);
		next(work);
		break;
	case LINE_EXCEPTION:
		work->cautious = false;
		work->timeouts = 0;
		refused(work, block, result);
		break;
	case LINE_TIMEOUT:
		if (is_unsent(result))
			lost_unsent(work, block, result);
		else
			lost(work, block, REASON_TIMEOUT, &work->timeouts, result);
		break;
	case LINE_BAD_REPLY:
		lost(work, block, REASON_BAD_REPLY, &work->bad_replies, result);
		break;
	case LINE_UNREACHABLE:
		end(work, REASON_UNREACHABLE);
		break;
	case LINE_BREAKER:
		end(work, REASON_BREAKER);
		break;
	case LINE_OVERRUN:
		end(work, REASON_OVERRUN);
		break;
	case LINE_PAUSED:
		end(work, REASON_PAUSED);
		break;
	}
}

static void
on_nothing(void *arg)
{
	end(arg, REASON_CONFIG);
}

/* ---- the driver ---- */

/* Points that cannot be asked for are left out: their slots are closed as config. */
static void
take_points(struct work *work)
{
	const struct group *group = work->group;

	for (size_t i = 0; i < group->point_count; i++) {
		struct fail why;

		if (wanted_point(work->meter->options, group, i,
			&work->points[work->point_count], &why) == 0)
			work->point_count++;
		else
			log_error("%s: point \"%s\": %s", work->meter->device->name,
				group->points[i].name, why.text);
	}
}

static struct power *
make_powers(size_t count)
{
	struct power *powers = mem_array(count, sizeof(powers[0]));

	for (uint32_t i = 0; i < count; i++)
		powers[i].from = i;
	return powers;
}

static void
take_powers(struct work *work)
{
	const struct group *group = work->group;

	for (uint32_t i = 0; i < group->point_count; i++) {
		const struct modbus_point *wire = group->points[i].wire;

		for (uint32_t k = 0; k < group->point_count && wire->scale_from != NULL; k++) {
			if (strcmp(group->points[k].name, wire->scale_from) != 0)
				continue;
			if (work->powers == NULL)
				work->powers = make_powers(group->point_count);
			work->powers[i].from = k;
			work->powers[k].wanted = true;
		}
	}
}

static void *
open_group(void *state, struct task *task)
{
	struct work *work = mem_zero(sizeof(*work));
	size_t count;

	work->meter = state;
	work->task = task;
	work->group = task_group(task);
	work->limits = wanted_limits(work->meter->options);
	count = work->group->point_count;
	work->points = mem_array(count, sizeof(work->points[0]));
	work->holes = mem_array(count, sizeof(work->holes[0]));
	work->request = (struct line_request){ .unit = &work->meter->unit, .done = on_done,
		.arg = work, .timeout = work->meter->options->timeout };
	loop_timer_init(&work->nothing, on_nothing, work);
	loop_timer_init(&work->again, on_again, work);
	take_points(work);
	take_powers(work);
	plan(work);
	return work;
}

static void
cancel(void *arg)
{
	struct work *work = arg;

	line_cancel(&work->request);
	loop_timer_stop(task_loop(work->task), &work->nothing);
	loop_timer_stop(task_loop(work->task), &work->again);
	if (work->breaking)
		forget_pieces(work);
	work->piece_count = 0;
	work->breaking = false;
	forget_powers(work);
}

static void
close_group(void *arg)
{
	struct work *work = arg;

	if (work == NULL)
		return;
	cancel(work);
	free(work->powers);
	free(work->points);
	free(work->blocks);
	free(work->pieces);
	free(work->holes);
	free(work->hopeless);
	free(work);
}

static void
start(void *arg, bool cautious)
{
	struct work *work = arg;
	struct loop *loop = task_loop(work->task);

	if (reopen_holes(work, loop_mono(loop)))
		plan(work);
	work->at = work->piece_count = 0;
	work->breaking = false;
	work->timeouts = work->bad_replies = work->busy = 0;
	work->cautious = cautious;
	work->request.expires = loop_mono(loop) + work->group->interval;
	if (work->block_count > 0)
		ask(work);
	else
		loop_timer_in(loop, &work->nothing, 0);
}

const struct driver modbus_driver = { .name = "modbus", .attach = attach, .detach = detach,
	.open = open_group, .close = close_group, .start = start, .cancel = cancel,
	.count = count };

#include "modbus_unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT(name, field, help) { name, offsetof(struct unit_faults, field), help }

const struct fault_name unit_faults[] = {
	FAULT("dead", dead, "1: the unit answers nothing"),
	FAULT("drop", drop, "the request is lost"),
	FAULT("delay", delay, "ms until the answer; with count=1 one late answer"),
	FAULT("jitter", jitter, "ms, a random part of it is added to delay"),
	FAULT("dribble", dribble, "ms between single octets of the answer"),
	FAULT("exception", exception, "code answered to everything (10, 11: a gateway), 0 none"),
	FAULT("wrong_tid", wrong_tid, "transaction id + 1"),
	FAULT("wrong_unit", wrong_unit, "unit id + 1"),
	FAULT("wrong_function", wrong_function, "the answer of another function"),
	FAULT("wrong_count", wrong_count, "byte count 2 too high, the octets as they were"),
	FAULT("fewer", fewer, "one register or octet less than asked, all lengths right"),
	FAULT("wrong_protocol", wrong_protocol, "protocol id 1"),
	FAULT("length", length, "number added to the MBAP length"),
	FAULT("junk", junk, "8 random octets behind the answer"),
	FAULT("twice", twice, "the answer comes twice"),
	FAULT("truncate", truncate, "the first half of the answer, then nothing"),
	FAULT("garbage", garbage, "random octets instead of the answer"),
	FAULT("close", close, "FIN instead of an answer"),
	FAULT("rst", rst, "RST instead of an answer"),
	FAULT("cut", cut, "FIN in the middle of the answer"),
	FAULT("cut_rst", cut_rst, "RST in the middle of the answer"),
	FAULT("split", split, "ms between two pieces of the answer, cut anywhere"),
	FAULT("wrong_crc", wrong_crc, "RTU: one bit of the answer is turned over"),
	FAULT("noise", noise, "1 to 6 octets in front of the answer"),
	FAULT("echo", echo, "the request comes back in front of the answer"),
	FAULT("hold", hold, "the answer goes out in one piece with the next one"),
	FAULT("foreign", foreign, "RTU: another unit's answer in front of the answer"),
	FAULT("count", count, "faults end after this many requests, 0 never"),
	{ NULL, 0, NULL }
};

static void
done(struct exchange *x, const char *what)
{
	size_t length = strlen(x->done);

	snprintf(x->done + length, sizeof x->done - length, "%s%s", length ? "," : "", what);
}

static bool
strikes(double probability, const char *name, struct exchange *x)
{
	if (probability == 0 || !sim_chance(probability))
		return false;
	done(x, name);
	return true;
}

static unsigned
u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void
put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The answer grows behind the MBAP header, whose length is written last. */
static void
add(struct exchange *x, unsigned octet)
{
	x->answer[x->length++] = (uint8_t)octet;
}

static void
add_exception(struct exchange *x, int code)
{
	char word[24];

	x->length = 7;
	add(x, x->function | 0x80);
	add(x, (unsigned)code);
	snprintf(word, sizeof word, "exception-%d", code);
	done(x, word);
}

static int
range_exception(const struct unit *unit, const struct exchange *x)
{
	for (const struct bad_range *b = unit->bad; b != NULL; b = b->next)
		if ((b->function == 0 || (unsigned)b->function == x->function) &&
			x->address <= b->to && x->address + x->count > b->from)
			return b->exception;
	return 0;
}

static bool
add_values(struct unit *unit, struct exchange *x, int64_t now)
{
	bool bits = x->function <= 2;

	add(x, bits ? (x->count + 7) / 8 : x->count * 2);
	if (bits)
		memset(x->answer + x->length, 0, (x->count + 7) / 8);
	for (unsigned i = 0; i < x->count; i++) {
		uint16_t value;

		if (!regs_read(&unit->regs, (enum table)x->function,
			(uint16_t)(x->address + i), now, &value))
			return false;
		if (bits)
			x->answer[x->length + i / 8] |= (uint8_t)((value & 1) << (i % 8));
		else
			put_u16(x->answer + x->length + 2 * i, value);
	}
	x->length += bits ? (x->count + 7) / 8 : x->count * 2;
	return true;
}

static void
answer_read(struct unit *unit, struct exchange *x, int64_t now)
{
	unsigned most = x->function <= 2 ? 2000 : 125;
	int code;

	if (x->request_length != 12 || x->count < 1 || x->count > most) {
		add_exception(x, 3);
		return;
	}
	code = range_exception(unit, x);
	if (code == 0 && x->address + x->count > 65536)
		code = 2;
	if (code == 0) {
		add(x, x->function);
		if (!add_values(unit, x, now))
			code = 2;
	}
	if (code != 0)
		add_exception(x, code);
}

static void
answer_server_id(struct exchange *x)
{
	static const char name[] = "pollwerk modbus simulator";

	add(x, 17);
	add(x, sizeof name - 1 + 2);
	add(x, 1);
	for (size_t i = 0; i < sizeof name - 1; i++)
		add(x, (unsigned char)name[i]);
	add(x, 0xff); /* running */
}

static void
answer_identification(struct unit *unit, struct exchange *x)
{
	static const char *const profile[] = { "press", "meter", "pattern" };
	const char *const texts[] = { "pollwerk", profile[unit->regs.profile], "1.0" };
	unsigned code = x->request_length == 11 ? x->request[9] : 0, from = x->request[10];

	if (x->request_length != 11 || x->request[8] != 14 || code < 1 || code > 4) {
		add_exception(x, 3);
		return;
	}
	if (code == 4 && from > 2) {
		add_exception(x, 2);
		return;
	}
	if (from > 2)
		from = 0; /* an unknown start means the first object */
	add(x, 43);
	add(x, 14);
	add(x, code);
	add(x, 0x81); /* conformity: basic, stream and individual */
	add(x, 0);
	add(x, 0);
	add(x, code == 4 ? 1 : 3 - from);
	for (unsigned i = from; i < (code == 4 ? from + 1 : 3); i++) {
		add(x, i);
		add(x, (unsigned)strlen(texts[i]));
		for (const char *c = texts[i]; *c != '\0'; c++)
			add(x, (unsigned char)*c);
	}
}

static void
answer_truly(struct unit *unit, int missing, struct exchange *x, int64_t now)
{
	if (x->function >= 1 && x->function <= 4 && x->request_length >= 12) {
		x->address = u16(x->request + 8);
		x->count = u16(x->request + 10);
	}
	/* Whoever is asked: a forbidden function is one. */
	x->violation = !((x->function >= 1 && x->function <= 4) || x->function == 17 ||
		x->function == 43);
	if (x->violation)
		done(x, "violation");
	if (unit == NULL && missing == 0)
		x->length = 0;
	else if (unit == NULL)
		add_exception(x, missing);
	else if (x->function >= 1 && x->function <= 4)
		answer_read(unit, x, now);
	else if (x->function == 17)
		answer_server_id(x);
	else if (x->function == 43)
		answer_identification(unit, x);
	else
		add_exception(x, 1);
	if (x->length == 0)
		done(x, "nobody");
}

static void
spoil_pdu(struct exchange *x, const struct unit_faults *f)
{
	bool values = x->function >= 1 && x->function <= 4 && !(x->answer[7] & 0x80);

	if (values && strikes(f->fewer, "fewer", x)) {
		unsigned less = x->function <= 2 ? 1 : 2;

		x->length -= less;
		x->answer[8] = (uint8_t)(x->answer[8] - less);
	}
	if (values && strikes(f->wrong_count, "wrong_count", x))
		x->answer[8] = (uint8_t)(x->answer[8] + 2);
	if (strikes(f->wrong_function, "wrong_function", x))
		x->answer[7] = (uint8_t)((x->answer[7] & 0x80) | (x->function == 3 ? 4 : 3));
}

unsigned
rtu_crc(const uint8_t *octets, size_t length)
{
	unsigned crc = 0xffff;

	while (length-- > 0) {
		crc ^= *octets++;
		for (int i = 0; i < 8; i++) {
			unsigned carry = crc & 1;

			crc >>= 1;
			if (carry)
				crc ^= 0xa001;
		}
	}
	return crc;
}

/* From MBAP to RTU: the header goes, the CRC comes, low octet first. */
static void
seal(struct exchange *x)
{
	unsigned crc;

	x->length -= 6;
	memmove(x->answer, x->answer + 6, x->length);
	crc = rtu_crc(x->answer, x->length);
	add(x, crc & 0xff);
	add(x, crc >> 8);
}

static void
spoil_header(struct exchange *x, const struct unit_faults *f)
{
	unsigned length = (unsigned)x->length - 6;

	if (strikes(f->wrong_unit, "wrong_unit", x))
		x->answer[6]++;
	if (x->rtu)
		return;
	if (strikes(f->wrong_tid, "wrong_tid", x))
		put_u16(x->answer, u16(x->answer) + 1);
	if (strikes(f->wrong_protocol, "wrong_protocol", x))
		put_u16(x->answer + 2, 1);
	if (f->length != 0)
		done(x, "length");
	put_u16(x->answer + 4, (unsigned)((int)length + (int)f->length));
}

static void
put_before(struct exchange *x, const uint8_t *octets, size_t length)
{
	memmove(x->answer + length, x->answer, x->length);
	memcpy(x->answer, octets, length);
	x->length += length;
}

/* The request as it came: the header of ours is no part of an RTU frame. */
static void
put_echo(struct exchange *x)
{
	uint8_t octets[ADU_MAX + 2];
	size_t from = x->rtu ? 6 : 0, length = x->request_length - from;
	unsigned crc;

	memcpy(octets, x->request + from, length);
	if (x->rtu) {
		crc = rtu_crc(octets, length);
		octets[length++] = (uint8_t)crc;
		octets[length++] = (uint8_t)(crc >> 8);
	}
	put_before(x, octets, length);
}

static void
spoil_bus(struct exchange *x, const struct unit_faults *f)
{
	uint8_t other[ADU_MAX];
	size_t length = x->length;
	unsigned crc;

	if (x->rtu && strikes(f->wrong_crc, "wrong_crc", x))
		x->answer[sim_random() % length] ^= (uint8_t)(1u << sim_random() % 8);
	if (x->rtu && length <= sizeof other && strikes(f->foreign, "foreign", x)) {
		memcpy(other, x->answer, length);
		other[0]++;
		crc = rtu_crc(other, length - 2);
		other[length - 2] = (uint8_t)crc;
		other[length - 1] = (uint8_t)(crc >> 8);
		put_before(x, other, length);
	}
	if (strikes(f->echo, "echo", x))
		put_echo(x);
	if (strikes(f->noise, "noise", x)) {
		for (length = 0; length < 1 + sim_random() % 6; length++)
			other[length] = (uint8_t)(sim_random() % 2 ? sim_random() : 0xff);
		put_before(x, other, length);
	}
}

static void
spoil_octets(struct exchange *x, const struct unit_faults *f)
{
	bool garbage = strikes(f->garbage, "garbage", x);
	size_t from = garbage ? 0 : x->length;

	if (strikes(f->truncate, "truncate", x)) {
		x->length /= 2;
		return;
	}
	if (strikes(f->twice, "twice", x)) {
		memcpy(x->answer + x->length, x->answer, x->length);
		from = x->length *= 2;
	}
	if (strikes(f->junk, "junk", x))
		x->length += 8;
	for (size_t i = from; i < x->length; i++)
		x->answer[i] = (uint8_t)sim_random();
}

static void
spoil(struct exchange *x, const struct unit_faults *f)
{
	x->delay = f->delay;
	if (f->jitter > 0)
		x->delay += f->jitter * (double)(sim_random() >> 11) / 9007199254740992.0;
	x->close = strikes(f->close, "close", x);
	x->rst = strikes(f->rst, "rst", x);
	if (strikes(f->dead, "dead", x) || strikes(f->drop, "dropped", x) || x->close || x->rst) {
		x->length = 0;
		return;
	}
	if (f->exception > 0)
		add_exception(x, (int)f->exception);
	else if (!(x->answer[7] & 0x80))
		done(x, "answered");
	spoil_pdu(x, f);
	spoil_header(x, f);
	if (x->rtu)
		seal(x);
	spoil_bus(x, f);
	spoil_octets(x, f);
	if (strikes(f->cut, "cut", x))
		x->close = true;
	if (strikes(f->cut_rst, "cut_rst", x))
		x->rst = true;
	if (x->close || x->rst)
		x->length = 1 + sim_random() % (x->length - 1);
	x->dribble = f->dribble;
	x->split = f->split;
	if (x->delay > 0)
		done(x, "delayed");
	if (x->dribble > 0)
		done(x, "dribbled");
}

/* What was kept goes out first, in one piece with this; or this is kept. */
static void
hold(struct unit *unit, const struct unit_faults *f, struct exchange *x)
{
	if (unit->held_length > 0) {
		put_before(x, unit->held, unit->held_length);
		unit->held_length = 0;
	} else if (x->length <= sizeof unit->held && strikes(f->hold, "held", x)) {
		memcpy(unit->held, x->answer, x->length);
		unit->held_length = x->length;
		x->length = 0;
	}
}

void
unit_answer(struct unit *unit, int missing, struct exchange *x, int64_t now)
{
	struct unit_faults f = unit == NULL ? (struct unit_faults){ 0 } : unit->faults;

	if (unit != NULL && f.count > 0 && --unit->faults.count < 1)
		unit->faults = (struct unit_faults){ 0 };
	memcpy(x->answer, x->request, 7);
	x->length = 7;
	x->function = x->request[7];
	x->address = x->count = 0;
	x->delay = x->dribble = x->split = 0;
	x->close = x->rst = false;
	x->done[0] = '\0';
	answer_truly(unit, missing, x, now);
	if (x->length > 0)
		spoil(x, &f);
	if (unit != NULL && x->length > 0)
		hold(unit, &f, x);
}

bool
unit_exception(struct unit *unit, char *words)
{
	char *code = sim_word(&words), *function = sim_word(&words);
	char *from = sim_word(&words), *to = sim_word(&words);
	struct bad_range *b;

	if (code == NULL || (function != NULL && to == NULL))
		return false;
	if (atoi(code) == 0) {
		while ((b = unit->bad) != NULL) {
			unit->bad = b->next;
			free(b);
		}
		return true;
	}
	b = sim_zero(1, sizeof *b);
	b->exception = (int)strtol(code, NULL, 0);
	b->function = function == NULL ? 0 : atoi(function);
	b->from = from == NULL ? 0 : (unsigned)strtoul(from, NULL, 0);
	b->to = to == NULL ? 65535 : (unsigned)strtoul(to, NULL, 0);
	b->next = unit->bad;
	unit->bad = b;
	return true;
}

void
unit_close(struct unit *unit)
{
	char none[] = "0";

	unit_exception(unit, none);
	regs_close(&unit->regs);
}

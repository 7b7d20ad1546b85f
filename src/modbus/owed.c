#include "modbus/owed.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
same_shape(const struct owed_shape *shape, const struct adu_expect *asked)
{
	return shape->unit == asked->unit && shape->function == asked->function &&
	       (shape->bytes == asked->bytes || shape->bytes == 0 || asked->bytes == 0);
}

static size_t
find(const struct owed *owed, const struct adu_expect *asked)
{
	size_t i = 0;

	while (i < owed->count && !same_shape(&owed->shapes[i], asked))
		i++;
	return i;
}

static void
take_out(struct owed *owed, size_t at)
{
	owed->count--;
	memmove(owed->shapes + at, owed->shapes + at + 1,
		(owed->count - at) * sizeof(*owed->shapes));
}

/* What the unit was asked before place `end` is over. */
static void
over_before(struct owed *owed, uint8_t unit, size_t end)
{
	for (size_t i = end; i > 0; i--) {
		if (owed->shapes[i - 1].unit == unit)
			take_out(owed, i - 1);
	}
}

static struct owed_shape *
last_of(struct owed *owed, uint8_t unit)
{
	for (size_t i = owed->count; i > 0; i--) {
		if (owed->shapes[i - 1].unit == unit)
			return &owed->shapes[i - 1];
	}
	return NULL;
}

/* Where the unit has many: the last place of that shape but the first, owed->count for none. */
static size_t
find_to_join(const struct owed *owed, const struct adu_expect *asked)
{
	size_t of_unit = 0, first = find(owed, asked), last = first;

	for (size_t i = 0; i < owed->count; i++) {
		of_unit += owed->shapes[i].unit == asked->unit;
		last = same_shape(&owed->shapes[i], asked) ? i : last;
	}
	return of_unit < OWED_EXACT || last == first ? owed->count : last;
}

void
owed_add(struct owed *owed, const struct adu_expect *asked, int64_t at)
{
	struct owed_shape *last = last_of(owed, asked->unit);
	struct owed_shape added = { .unit = asked->unit, .function = asked->function,
		.bytes = asked->bytes, .times = 1, .at = at };
	size_t joined;

	if (last != NULL && same_shape(last, asked)) {
		last->times += last->times < UINT32_MAX;
		last->at = at;
		return;
	}
	joined = find_to_join(owed, asked);
	if (joined < owed->count) {
		added.times = owed->shapes[joined].times + 1;
		added.spread = true;
		take_out(owed, joined);
	}
	owed->shapes = mem_grow(owed->shapes, owed->count + 1, sizeof(*owed->shapes));
	owed->shapes[owed->count++] = added;
}

bool
owed_has(const struct owed *owed, const struct adu_expect *asked)
{
	return find(owed, asked) < owed->count;
}

/* The oldest question of that shape was answered. */
static void
settle(struct owed *owed, size_t at)
{
	struct owed_shape *shape = &owed->shapes[at];
	uint8_t unit = shape->unit;

	shape->times--;
	if (shape->times > 0 && shape->spread)
		return; /* who knows where the oldest of them stood */
	if (shape->times == 0)
		take_out(owed, at);
	over_before(owed, unit, at);
}

/* The oldest question that a refusal may have been meant for was answered. Where one of them
 * stands elsewhere than it was asked, nobody knows which is the oldest: then all stay. */
static void
settle_refused(struct owed *owed, uint8_t unit, uint8_t function)
{
	size_t first = owed->count;

	for (size_t i = owed->count; i > 0; i--) {
		const struct owed_shape *shape = &owed->shapes[i - 1];

		if (shape->unit != unit || shape->function != function)
			continue;
		if (shape->spread)
			return;
		first = i - 1;
	}
	if (first < owed->count)
		settle(owed, first);
}

void
owed_answered(struct owed *owed, const struct adu_expect *asked, int64_t at)
{
	size_t i = find(owed, asked);

	if (i == owed->count) {
		over_before(owed, asked->unit, owed->count);
		return;
	}
	/* That was the answer to the oldest of this shape, or may have been. */
	settle(owed, i);
	owed_add(owed, asked, at);
}

void
owed_refused(struct owed *owed, const struct adu_expect *asked, int64_t at)
{
	struct adu_expect any = *asked;

	any.bytes = 0;
	if (!owed_has(owed, &any)) {
		over_before(owed, asked->unit, owed->count);
		return;
	}
	settle_refused(owed, asked->unit, asked->function);
	owed_add(owed, asked, at);
}

enum adu_verdict
owed_feed(struct owed *owed, const uint8_t *buf, size_t len, struct adu_answer *answer)
{
	bool begun = false;

	for (size_t i = 0; i < owed->count; i++) {
		struct adu_expect expect = { .framing = ADU_RTU, .unit = owed->shapes[i].unit,
			.function = owed->shapes[i].function, .bytes = owed->shapes[i].bytes };
		enum adu_verdict verdict = adu_feed(&expect, buf, len, answer);

		if (verdict == ADU_ANSWER)
			settle(owed, i);
		if (verdict == ADU_EXCEPTION)
			settle_refused(owed, expect.unit, expect.function);
		if (verdict == ADU_ANSWER || verdict == ADU_EXCEPTION)
			return verdict;
		begun = begun || verdict == ADU_NEED_MORE;
	}
	return begun ? ADU_NEED_MORE : ADU_ERROR;
}

static bool
bits_asked(const struct adu_read *read)
{
	return read->function == ADU_COILS || read->function == ADU_DISCRETE_INPUTS;
}

/* Of the shape that so many bytes give: how many answers may come that were asked for before
 * the newest question of the read's own shape, and so prove nothing of it. UINT_MAX: it is
 * that shape. */
static unsigned
in_front(const struct owed *owed, const struct adu_read *read, unsigned bytes)
{
	struct adu_expect other = { .framing = ADU_RTU, .unit = read->unit,
		.function = (uint8_t)read->function, .bytes = (uint8_t)bytes };
	unsigned now = bits_asked(read) ? (read->count + 7u) / 8 : read->count * 2u;
	struct adu_expect own = other;
	unsigned count = 0;
	size_t end = owed->count;

	own.bytes = (uint8_t)now;
	if (bytes == now)
		return UINT_MAX;
	while (end > 0 && !same_shape(&owed->shapes[end - 1], &own))
		end--;
	for (size_t i = 0; i < owed->count; i++) {
		const struct owed_shape *shape = &owed->shapes[i];

		if (!same_shape(shape, &other))
			continue;
		if (i < end) {
			count += shape->times;
		} else {
			count += shape->spread ? shape->times - 1 : 0;
			break;
		}
	}
	return count;
}

struct choice {
	uint16_t count;
	unsigned in_front;
};

static void
consider(struct choice *best, unsigned count, unsigned front)
{
	if (front < best->in_front)
		*best = (struct choice){ (uint16_t)count, front };
}

uint16_t
owed_other_count(const struct owed *owed, const struct adu_read *read, bool beyond)
{
	unsigned step = bits_asked(read) ? 8 : 1, width = bits_asked(read) ? 1 : 2;
	unsigned most = bits_asked(read) ? ADU_MAX_BITS : ADU_MAX_REGS;
	unsigned units = (read->count + step - 1) / step; /* registers, or octets of bits */
	struct choice best = { 0, UINT_MAX };

	for (unsigned fewer = units - 1; fewer > 0 && best.in_front > 0; fewer--)
		consider(&best, fewer * step, in_front(owed, read, fewer * width));
	/* Nine coils are an octet more than eight: one that nobody asked for is enough. */
	for (unsigned more = units + 1; beyond && more <= units + OWED_BEYOND; more++) {
		unsigned count = bits_asked(read) ? (more - 1) * step + 1 : more;

		if (count <= most && read->address + count <= 65536)
			consider(&best, count, in_front(owed, read, more * width));
	}
	return best.count;
}

int64_t
owed_since(const struct owed *owed, uint8_t unit)
{
	int64_t last = 0;

	for (size_t i = 0; i < owed->count; i++) {
		if (owed->shapes[i].unit == unit && owed->shapes[i].at > last)
			last = owed->shapes[i].at;
	}
	return last;
}

void
owed_forget(struct owed *owed, uint8_t unit)
{
	over_before(owed, unit, owed->count);
}

void
owed_free(struct owed *owed)
{
	free(owed->shapes);
	*owed = (struct owed){ 0 };
}

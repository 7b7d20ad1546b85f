/* A serial server whose bus cannot keep up: it serves what it is asked one by one, in order,
 * so that late answers pile up behind each other and go on coming after the trouble itself
 * is over. On virtual time, many seeds: no reading that was taken before its question was
 * asked, and polls of a second apart bring good ones again by the second of them, counted from
 * the last answer that came late. */
#include <stdlib.h>

#include "../check.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "fake/loop_sim.h"
#include "modbus/line.h"
#include "server.h"

enum { TRIALS = 100, MOST_ASKS = 5, MOST_UNIT = 2, MOST_POLLS = 100 };
#define TIMEOUT (150 * LOOP_MS)
#define INTERVAL LOOP_S

struct plant {
	const char *name;
	int64_t delay, jitter; /* of each answer, in trouble */
	unsigned lost;         /* percent of the questions that the bus never answers */
	uint8_t exception;     /* in trouble; 0: values */
	bool anyone;           /* answers go to whoever is connected, not to who has asked */
	int64_t pause;         /* between two questions, in trouble; 0: at once */
	unsigned mute;         /* polls without any answer, before the trouble */
	struct { uint8_t unit; uint16_t address, count; bool alone; } asks[MOST_ASKS];
};

struct ask {
	struct line_request request;
	unsigned done;
	enum line_outcome outcome;
	uint8_t data[256];
	size_t size;
};

/* An answer on its way over the bus. */
struct late {
	struct late *next;
	struct loop_timer timer;
	struct net_sim_conn *conn; /* NULL: its connection has gone */
	int64_t asked;
	size_t size;
	uint8_t bytes[260];
};

static struct loop *loop;
static struct lines *lines;
static const struct plant *plant;
static struct line_unit units[MOST_UNIT + 1]; /* by unit id */
static struct ask asks[MOST_ASKS];
static unsigned ask_count, seed;
static uint16_t generation;       /* of the registers: one more for each question */
static struct net_addr at;
static struct net_sim_conn *newest;
static struct late *under_way;
static int64_t free_at;           /* mono: the bus has done what it was asked */
static int64_t last_late;         /* mono: when a late answer had come over the bus */
static bool trouble, mute;

static unsigned
roll(unsigned sides)
{
	return (unsigned)rand_r(&seed) % sides;
}

static uint16_t
value_of(uint8_t unit, uint16_t address)
{
	return (uint16_t)(generation * 40503u + unit * 257u + address * 31u);
}

/* ---- the serial server and its bus ---- */

static void
forget(struct late *late)
{
	struct late **link = &under_way;

	while (*link != late)
		link = &(*link)->next;
	*link = late->next;
	loop_timer_stop(loop, &late->timer);
	free(late);
}

static void
over_the_bus(void *arg)
{
	struct late *late = arg;
	struct net_sim_conn *to = plant->anyone ? newest : late->conn;

	if (to != NULL)
		net_sim_send(to, late->bytes, late->size, 0);
	if (loop_mono(loop) - late->asked >= TIMEOUT)
		last_late = loop_mono(loop);
	forget(late);
}

static size_t
answer_to(const uint8_t *asked, uint8_t *to)
{
	uint16_t address = (uint16_t)(asked[2] << 8 | asked[3]);
	uint16_t count = (uint16_t)(asked[4] << 8 | asked[5]);

	to[0] = asked[0];
	to[1] = asked[1];
	if (trouble && plant->exception != 0) {
		to[1] |= 0x80;
		to[2] = plant->exception;
		return server_seal(to, 3);
	}
	to[2] = (uint8_t)(2 * count);
	for (unsigned i = 0; i < count; i++) {
		uint16_t value = value_of(asked[0], (uint16_t)(address + i));

		to[3 + 2 * i] = (uint8_t)(value >> 8);
		to[4 + 2 * i] = (uint8_t)value;
	}
	return server_seal(to, 3 + 2u * count);
}

static void
received(struct net_sim_conn *conn, const uint8_t *data, size_t size, void *arg)
{
	int64_t now = loop_mono(loop), took = LOOP_MS;
	struct late *late;

	(void)arg;
	CHECK_INT(size, 8);
	if (mute || (trouble && roll(100) < plant->lost))
		return;
	if (trouble)
		took += plant->delay + (int64_t)roll((unsigned)(plant->jitter / LOOP_MS) + 1) * LOOP_MS;
	late = mem_zero(sizeof(*late));
	late->conn = conn;
	late->asked = now;
	late->size = answer_to(data, late->bytes);
	late->next = under_way;
	under_way = late;
	loop_timer_init(&late->timer, over_the_bus, late);
	free_at = (free_at > now ? free_at : now) + took;
	loop_timer_at(loop, &late->timer, free_at);
}

static void
accepted(struct net_sim_conn *conn, void *arg)
{
	(void)arg;
	newest = conn;
}

static void
closed(struct net_sim_conn *conn, void *arg)
{
	(void)arg;
	newest = newest == conn ? NULL : newest;
	for (struct late *late = under_way; late != NULL; late = late->next)
		late->conn = late->conn == conn ? NULL : late->conn;
}

/* ---- asking ---- */

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct ask *ask = arg;

	CHECK(request == &ask->request);
	ask->done++;
	ask->outcome = result->outcome;
	ask->size = result->size;
	if (result->size > 0)
		memcpy(ask->data, result->data, result->size);
}

static void
begin(void)
{
	static const struct net_sim_server events = { accepted, received, closed };
	struct line_options options = { .name = "gw-7", .framing = ADU_RTU,
		.quiet = 50 * LOOP_MS, .request_gap = 5 * LOOP_MS, .retry_within = 2 * LOOP_S };
	struct fail why;

	loop_sim_begin(1000 * LOOP_S, INT64_C(1767225600) * LOOP_S);
	loop = loop_new(&why);
	lines = lines_new(loop);
	CHECK(net_addr_parse("10.1.7.7", 4001, &at, &why) == 0);
	net_sim_tcp(&at, &events, NULL);
	options.address = at;
	free_at = last_late = 0;
	newest = NULL;
	trouble = mute = false;
	for (ask_count = 0; ask_count < MOST_ASKS && plant->asks[ask_count].unit != 0; ask_count++) {
		struct ask *ask = &asks[ask_count];
		struct line_unit *unit = &units[plant->asks[ask_count].unit];

		if (unit->line == NULL) {
			*unit = (struct line_unit){ .id = plant->asks[ask_count].unit };
			line_join(lines, &options, unit);
		}
		*ask = (struct ask){ .request = { .unit = unit, .timeout = TIMEOUT,
			.function = ADU_HOLDING_REGISTERS, .address = plant->asks[ask_count].address,
			.count = plant->asks[ask_count].count, .alone = plant->asks[ask_count].alone,
			.done = on_done, .arg = ask } };
	}
}

static void
finish(void)
{
	for (unsigned i = 0; i <= MOST_UNIT; i++)
		line_leave(&units[i]);
	lines_free(lines);
	while (under_way != NULL)
		forget(under_way);
	loop_free(loop);
	net_sim_reset();
}

/* A value is right only when it is of this very question. */
static bool
asked(struct ask *ask)
{
	unsigned before = ask->done;

	generation++;
	ask->request.expires = loop_mono(loop) + INTERVAL;
	line_send(&ask->request);
	for (int i = 0; i < 6000 && ask->done == before; i++)
		loop_sim_for(loop, 2 * LOOP_MS);
	CHECK_INT(ask->done, before + 1);
	if (ask->outcome != LINE_ANSWER)
		return false;
	CHECK_INT(ask->size, 2 * ask->request.count);
	for (unsigned i = 0; i < ask->request.count; i++)
		CHECK_INT(ask->data[2 * i] << 8 | ask->data[2 * i + 1],
			value_of(ask->request.unit->id, (uint16_t)(ask->request.address + i)));
	return true;
}

/* All of them, in turn; whether each had a value. */
static bool
polled(void)
{
	bool good = true;

	for (unsigned i = 0; i < ask_count; i++)
		good = asked(&asks[i]) && good;
	return good;
}

/* Polls that began after the last late answer, until all is well. */
static unsigned
polls_until_well(int64_t *trouble_left)
{
	int64_t healed = loop_mono(loop), next = healed + (int64_t)roll(1000) * LOOP_MS;
	int64_t begun[MOST_POLLS];
	unsigned count = 0, after = 0;
	bool good = false;

	last_late = healed;
	while (!good && count < MOST_POLLS) {
		if (loop_mono(loop) < next)
			loop_sim_for(loop, next - loop_mono(loop));
		begun[count++] = loop_mono(loop);
		next += INTERVAL;
		good = polled();
	}
	CHECK(good);
	*trouble_left = last_late - healed;
	for (unsigned i = 0; i < count; i++)
		after += begun[i] >= last_late;
	return after;
}

static unsigned
one_campaign(int64_t *left)
{
	unsigned needed;

	begin();
	CHECK(polled());
	mute = true;
	for (unsigned i = 0; i < plant->mute; i++) {
		polled();
		loop_sim_for(loop, INTERVAL);
	}
	mute = false;
	trouble = true;
	for (int trial = 0; trial < TRIALS; trial++) {
		asked(&asks[roll(ask_count)]);
		if (plant->pause > 0)
			loop_sim_for(loop, plant->pause);
	}
	trouble = false;
	needed = polls_until_well(left);
	finish();
	return needed;
}

static const struct plant plants[] = {
	{ .name = "late refusals by the gateway", .jitter = 400 * LOOP_MS, .exception = 11,
		.asks = { { 1, 100, 2, false } } },
	{ .name = "... to whoever is connected", .jitter = 400 * LOOP_MS, .exception = 11,
		.anyone = true, .asks = { { 1, 100, 2, false } } },
	{ .name = "... some lost", .jitter = 400 * LOOP_MS, .lost = 30, .exception = 6,
		.asks = { { 1, 100, 2, false } } },
	{ .name = "late values", .jitter = 400 * LOOP_MS, .asks = { { 1, 100, 2, false } } },
	{ .name = "... to whoever is connected", .jitter = 400 * LOOP_MS, .anyone = true,
		.asks = { { 1, 100, 2, false } } },
	{ .name = "... some lost", .jitter = 400 * LOOP_MS, .lost = 30, .anyone = true,
		.asks = { { 1, 100, 2, false } } },
	{ .name = "... after a long silence", .jitter = 400 * LOOP_MS, .lost = 30, .anyone = true,
		.mute = 1000, .asks = { { 1, 100, 2, false } } },
	{ .name = "several blocks, two units", .jitter = 400 * LOOP_MS, .lost = 20, .anyone = true,
		.asks = { { 1, 100, 2, false }, { 1, 200, 1, false }, { 1, 300, 10, false },
			{ 2, 100, 2, false }, { 1, 400, 3, false } } },
	{ .name = "... after a long silence", .jitter = 400 * LOOP_MS, .lost = 20, .anyone = true,
		.mute = 300, .asks = { { 1, 100, 2, false }, { 1, 200, 1, false },
			{ 1, 300, 10, false }, { 2, 100, 2, false }, { 1, 400, 3, false } } },
	{ .name = "counts close together", .jitter = 400 * LOOP_MS, .lost = 20, .anyone = true,
		.asks = { { 1, 100, 1, false }, { 1, 200, 2, false }, { 1, 300, 3, false },
			{ 1, 400, 4, false }, { 1, 500, 5, false } } },
	{ .name = "polls of a second", .delay = 100 * LOOP_MS, .jitter = 1500 * LOOP_MS,
		.lost = 10, .anyone = true, .pause = INTERVAL, .asks = { { 1, 100, 2, false } } },
};

static void
comes_back_within_two_polls_of_the_last_late_answer(void)
{
	const char *other = getenv("PW_SEED"), *runs = getenv("PW_RUNS");
	unsigned first = other != NULL ? (unsigned)atoi(other) : 4711;
	unsigned count = runs != NULL ? (unsigned)atoi(runs) : 40;

	print_message("seeds %u to %u\n", first, first + count - 1);
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		unsigned worst = 0, worst_seed = first;
		int64_t longest = 0;

		plant = &plants[i];
		for (unsigned run = 0; run < count; run++) {
			unsigned seed_of_run = first + run, needed;
			int64_t left;

			seed = seed_of_run;
			needed = one_campaign(&left);
			longest = left > longest ? left : longest;
			if (needed > worst)
				worst_seed = seed_of_run;
			worst = needed > worst ? needed : worst;
		}
		print_message("%-30s worst of %u runs: %u polls (seed %u); late answers for up to "
			"%.1f s more\n", plant->name, count, worst, worst_seed,
			(double)longest / LOOP_S);
		CHECK(worst <= 2);
		CHECK(longest < 30 * LOOP_S); /* what was asked since must not keep it going */
	}
}

RUN_TESTS(TEST(comes_back_within_two_polls_of_the_last_late_answer))

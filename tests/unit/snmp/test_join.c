/* Whatever an agent does while its table is read, what is told of a name is of the interface that
 * has it, and no counter goes on from another's: held against the agent's own account.
 *
 * Interfaces keep their names over renumbering; a second one may take a name for a while. What
 * nobody can tell is left out: a name that goes from one interface to another in one step, names and
 * numbers that change twice from one poll to the next, an agent that denies its names when it is met for
 * the first time. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../dice.h"
#include "../scratch.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/portion.h"
#include "bed_task.h"
#include "core/sample.h"
#include "fake/loop_sim.h"
#include "journal/state.h"
#include "snmp/counter.h"
#include "snmp/oid.h"
#include "snmp/table.h"
#include "../check.h"

#define IF_TABLE "1.3.6.1.2.1.2.2.1."
#define IF_X_TABLE "1.3.6.1.2.1.31.1.1.1."
#define PORTS 12
#define POLLS 60
#define COLUMNS 11
/* A reading is a base for a rate for so long. */
#define BASE_TIME (10 * LOOP_S)

/* In order of their OIDs. */
enum which { DESCR, OPER, IN_32, OUT_32, NAME, IN_64, OUT_64, MARK, IDENT, ODD, EVEN };
static const char *const column_text[COLUMNS] = { IF_TABLE "2", IF_TABLE "8", IF_TABLE "10",
	IF_TABLE "16", IF_X_TABLE "1", IF_X_TABLE "6", IF_X_TABLE "10", IF_X_TABLE "19",
	"1.3.6.1.4.1.99999.1.1.1", "1.3.6.1.4.1.99999.1.1.2", "1.3.6.1.4.1.99999.1.1.3" };
static const char *const points[] = {
	"in=" IF_X_TABLE "6," IF_TABLE "10 counter",
	"ident=1.3.6.1.4.1.99999.1.1.1",
	"out=" IF_X_TABLE "10," IF_TABLE "16 counter",
	"either=1.3.6.1.4.1.99999.1.1.2,1.3.6.1.4.1.99999.1.1.3",
	"oper=" IF_TABLE "8", NULL };

struct port {
	unsigned number;     /* what all of its values tell */
	unsigned epoch;      /* of its counters */
	uint32_t index, mark;
	unsigned alias;      /* the one whose name it has, mostly its own number */
	bool there, wide;    /* it has 64-bit counters, is in the ifXTable */
	bool held[PORTS + 1]; /* names that it had in this poll */
};

/* The reading that the next one of a counter goes on from. */
struct base {
	bool known;
	int64_t at;
	unsigned id;
	uint64_t raw;
};

static struct {
	struct port ports[PORTS + 1];
	struct snmp_oid columns[COLUMNS];
	uint32_t ids[COLUMNS][SNMP_OID_MAX];
	bool descr;          /* has the second column of names as well */
	bool marks;          /* tells of resets; else there are none */
	int64_t now;
	uint64_t seed;
	unsigned eager;      /* something happens once in so many answers */
	unsigned numbered;   /* the poll in which names or numbers changed last */
	size_t most;         /* objects of an answer; 0: as many as are asked for */
	unsigned hides;      /* answers for which it denies names */
	unsigned erred;      /* the poll in which it answered with an error last */
	unsigned trial, poll, events;
	struct base bases[256][2];
	struct task *task;
	struct state *state;
	struct table *table;
	struct ask_context context;
	struct counter_epoch epoch;
	char story[700];    /* its latest part */
} bed;

static unsigned
throw(unsigned sides)
{
	return dice_below(&bed.seed, sides);
}

/* ---- what happens ---- */

__attribute__((format(printf, 1, 2))) static void
tell(const char *format, ...)
{
	size_t used = strlen(bed.story);
	va_list list;

	if (used > sizeof bed.story - 40) {
		memmove(bed.story, bed.story + 100, used - 100 + 1);
		used -= 100;
	}
	va_start(list, format);
	vsnprintf(bed.story + used, sizeof bed.story - used, format, list);
	va_end(list);
}

static struct port *
any_port(void)
{
	return &bed.ports[1 + throw(PORTS)];
}

static bool
is_shared(const struct port *port)
{
	if (port->alias != port->number)
		return true;
	for (unsigned i = 1; i <= PORTS; i++)
		if (&bed.ports[i] != port && bed.ports[i].alias == port->number)
			return true;
	return false;
}

/* Nobody can tell of two such changes between one reading of the names and the next. */
static bool
may_number(void)
{
	bool may = bed.poll >= bed.numbered + 2;

	if (may)
		bed.numbered = bed.poll;
	return may;
}

static void
number_anew(void)
{
	uint32_t first = bed.ports[1].index < 1000 ? 1000 : 0;

	if (!may_number())
		return;
	tell(" numbers-anew");
	for (unsigned i = 1; i <= PORTS; i++)
		bed.ports[i].index = first + 1 + (bed.ports[i].index - 1) % 1000;
}

static void
swap_ports(void)
{
	struct port *one = any_port(), *other = any_port();
	uint32_t index = one->index;

	/* Nobody can tell who is who of two with one name. */
	if (one->alias == other->alias || !may_number())
		return;
	tell(" swap%u,%u", one->number, other->number);
	one->index = other->index;
	other->index = index;
}

static void
reset_port(void)
{
	struct port *port = any_port();

	if (!bed.marks)
		return;
	tell(" reset%u", port->number);
	port->epoch++;
	/* At any reset another one, as RFC 2863 has it. */
	port->mark = port->mark < bed.now / 10000000 ? (uint32_t)(bed.now / 10000000) :
		port->mark + 1;
}

static void
plug_port(void)
{
	struct port *port = any_port();

	if (is_shared(port))
		return;
	port->there = !port->there;
	tell(port->there ? " plug%u" : " pull%u", port->number);
}

static void
share_name(void)
{
	struct port *one = any_port(), *other = any_port();

	if (one == other || !may_number())
		return;
	if (one->alias != one->number) {
		tell(" own%u", one->number);
		one->alias = one->number;
	} else if (!is_shared(one) && !is_shared(other) && one->there && other->there) {
		tell(" name%u:=%u", one->number, other->number);
		one->alias = other->number;
	}
}

static void
happen(void)
{
	static void (*const events[])(void) = { number_anew, swap_ports, swap_ports, reset_port,
		reset_port, plug_port, share_name };

	bed.now += (1 + throw(30)) * LOOP_MS;
	if (throw(bed.eager) == 0) {
		events[throw(sizeof events / sizeof events[0])]();
		bed.events++;
	}
	bed.hides -= bed.hides > 0;
	for (unsigned i = 1; i <= PORTS; i++)
		bed.ports[i].held[bed.ports[i].alias] = true;
}

/* ---- the agent ---- */

static bool
has(const struct port *port, enum which which)
{
	switch (which) {
	case NAME:
		return port->wide && bed.hides == 0;
	case DESCR:
		return bed.descr;
	case MARK:
		return bed.marks;
	case IN_64:
	case OUT_64:
		return port->wide;
	case ODD:
	case EVEN:
		return port->number % 2 == (which == ODD);
	default:
		return true;
	}
}

static struct value
value_of(const struct port *port, enum which which)
{
	static const char names[][4] = { "", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9",
		"p10", "p11", "p12" };
	const char *name = names[port->alias];
	struct value value = { .type = VALUE_GAUGE, .count = port->number };

	switch (which) {
	case DESCR:
	case NAME:
		return (struct value){ .type = VALUE_OCTETS, .size = strlen(name),
			.octets = (const uint8_t *)name };
	case IN_64:
	case OUT_64:
		value.type = VALUE_COUNTER64;
		break;
	case IN_32:
	case OUT_32:
		value.type = VALUE_COUNTER32;
		break;
	case MARK:
		return (struct value){ .type = VALUE_TICKS, .count = port->mark };
	default:
		return value;
	}
	value.count = (uint64_t)(port->number << 4 | (port->epoch & 15)) << 24 |
		((uint64_t)bed.now / 10000000 & 0xffffff);
	return value;
}

/* The first of its objects behind that OID. */
static bool
next_object(const struct snmp_oid *after, struct varbind *to, uint32_t *ids)
{
	for (unsigned c = 0; c < COLUMNS; c++) {
		const struct snmp_oid *column = &bed.columns[c];
		const struct port *best = NULL;
		bool in = after->count > column->count && oid_same(after->ids, after->count,
			column->ids, column->count) == column->count;

		if (!in && oid_compare(after->ids, after->count, column->ids, column->count) > 0)
			continue;
		for (unsigned i = 1; i <= PORTS; i++) {
			const struct port *port = &bed.ports[i];

			if (port->there && has(port, (enum which)c) &&
				(!in || port->index > after->ids[column->count]) &&
				(best == NULL || port->index < best->index))
				best = port;
		}
		if (best == NULL)
			continue;
		memcpy(ids, column->ids, column->count * sizeof *ids);
		ids[column->count] = best->index;
		*to = (struct varbind){ .ids = ids, .count = column->count + 1,
			.value = value_of(best, (enum which)c) };
		return true;
	}
	return false;
}

#define ANSWER 1024

/* What is behind that object; at the end version 2 says so, and version 1 refuses all. */
static bool
put_next(const struct ask *ask, const struct snmp_oid *after, struct varbind *to, uint32_t *ids)
{
	if (next_object(after, to, ids))
		return true;
	memcpy(ids, after->ids, after->count * sizeof *ids);
	*to = (struct varbind){ .ids = ids, .count = after->count,
		.value = { .type = VALUE_END_OF_VIEW } };
	return ask->op == SESSION_GETBULK;
}

static void
put_rows(const struct ask *ask, struct varbind *varbinds, struct session_answer *told)
{
	static uint32_t ids[ANSWER][SNMP_OID_MAX];
	size_t asked = ask->count * (ask->op == SESSION_GETBULK ? ask->max_repetitions : 1);
	size_t most = bed.most > 0 && throw(4) > 0 ? bed.most : ANSWER;

	for (size_t i = 0; i < asked && i < most; i++, told->count++) {
		struct snmp_oid after = ask->oids[1 + i % ask->count];

		if (i >= ask->count)
			after = (struct snmp_oid){ varbinds[i - ask->count].ids,
				varbinds[i - ask->count].count };
		if (put_next(ask, &after, &varbinds[i], ids[i]))
			continue;
		told->error_status = SESSION_ERROR_NO_SUCH_NAME;
		told->error_index = (int)i + 1;
		return;
	}
}

static void
answer(const struct ask *ask)
{
	static struct varbind varbinds[ANSWER];
	struct session_answer told = { .reason = REASON_GOOD, .text = "", .varbinds = varbinds,
		.received = bed.now };

	/* sysUpTime is in each answer. */
	bed.epoch = (struct counter_epoch){ true, (uint32_t)(bed.now / 10000000), bed.now };
	put_rows(ask, varbinds, &told);
	/* On and on it would be an agent without marks. */
	if (told.error_status == 0 && throw(100) == 0 && bed.poll > bed.erred + 12) {
		bed.erred = bed.poll;
		told.error_status = SESSION_ERROR_GEN;
		told.error_index = 1 + (int)throw((unsigned)ask->count);
	}
	if (told.error_status != 0)
		told.count = 0;
	table_feed(bed.table, &bed.context, ask, &told);
}

/* ---- the account ---- */

static void
check_owner(const char *key, unsigned number, const char *point)
{
	unsigned name = 0;

	CHECK(number >= 1 && number <= PORTS);
	if (sscanf(key, "p%u", &name) == 1 && name <= PORTS && bed.ports[number].held[name])
		return;
	/* Met and unplugged in one poll. */
	if (sscanf(key, "%u", &name) == 1 && name == bed.ports[number].index &&
		!bed.ports[number].there)
		return;
	print_message("%s\n", bed.story);
	fail_msg("trial %u, poll %u: %s of port %u was told of \"%s\"", bed.trial, bed.poll,
		point, number, key);
}

static void
check_count(const char *key, uint32_t row, const struct reading *reading)
{
	struct base *base = &bed.bases[row][reading->point == 2];
	unsigned id = (unsigned)(reading->raw >> 24);

	check_owner(key, id >> 4, bed.task->group->points[reading->point].name);
	if (base->known && !reading->discontinuity && reading->received - base->at <= BASE_TIME &&
		base->id != id && (reading->bits == 32 || reading->raw >= base->raw)) {
		print_message("%s\n", bed.story);
		fail_msg("trial %u, poll %u: %s/%s goes on from port %u.%u to %u.%u", bed.trial,
			bed.poll, key, bed.task->group->points[reading->point].name, base->id >> 4,
			base->id & 15, id >> 4, id & 15);
	}
	*base = (struct base){ true, reading->received, id, reading->raw };
}

static size_t
check_told(void)
{
	const struct task *task = bed.task;
	size_t good = 0;

	if (getenv("DBG") && (int)bed.trial == atoi(getenv("DBG"))) print_message("@%u forgotten %s err %s\n", bed.poll, task->forgotten, task->error);
	for (const char *at = task->forgotten; *at != '\0'; at = strchr(at, ' ') + 1) {
		char key[96], point[16];

		CHECK_INT(sscanf(at, "%95[^/]/%15s", key, point), 2);
		bed.bases[task_row(bed.task, key)][strcmp(point, "out") == 0].known = false;
	}
	for (size_t i = 0; i < task->told_count; i++) {
		const struct reading *reading = &task->told[i].reading;
		const char *key = task->keys[reading->row];

		CHECK(reading->row < sizeof bed.bases / sizeof bed.bases[0]);
		if (getenv("DBG") && (int)bed.trial == atoi(getenv("DBG")) && strncmp(key, getenv("KEY"), 3) == 0) print_message("@%u %s/%u reason %d raw %lx num %g disc %d recv %ld\n", bed.poll, key, reading->point, reading->reason, (long)reading->raw, reading->number, reading->discontinuity, (long)(reading->received/1000000));
		if (reading->reason != REASON_GOOD)
			continue;
		good++;
		if (reading->point == 0 || reading->point == 2)
			check_count(key, reading->row, reading);
		else
			check_owner(key, (unsigned)reading->number,
				task->group->points[reading->point].name);
	}
	return good;
}

/* ---- the poller ---- */

static size_t
poll_once(const struct ask_limit *limit)
{
	struct portion all = { .end = INT64_MAX, .left = UINT_MAX };
	struct ask_limit now = *limit;
	bool complete = true;
	struct ask ask;
	uint8_t rest;

	if (bed.now < (++bed.poll) * LOOP_S)
		bed.now = bed.poll * LOOP_S;
	tell("\n%u:", bed.poll);
	for (unsigned i = 1; i <= PORTS; i++)
		memset(bed.ports[i].held, 0, sizeof bed.ports[i].held);
	happen();
	bed.context.now = bed.now;
	bed_task_begin(bed.task);
	table_begin(bed.table, &bed.context);
	if (bed.poll % 20 == 13 && throw(2) == 0) {
		bed.hides = 1 + throw(30);
		tell(" hides%u", bed.hides);
	}
	for (unsigned requests = 0; table_next(bed.table, &bed.context, &now, &ask); requests++) {
		CHECK(requests < 400);
		if (throw(100) == 0) {
			complete = false;
			break;
		}
		happen();
		tell(".");
		answer(&ask);
		/* An agent whose room changes. */
		if (throw(40) == 0)
			now.varbinds = 1 + throw((unsigned)limit->varbinds);
	}
	happen();
	CHECK(table_end(bed.table, &bed.context, complete, &all, &rest));
	return check_told();
}

static void
begin_agent(unsigned trial)
{
	bed.trial = trial;
	bed.descr = trial % 4 >= 2;
	bed.marks = trial % 11 != 10;
	bed.eager = 8u << trial % 6;
	bed.most = trial % 5 == 0 ? 0 : 1 + throw(40);
	bed.now = 0;
	bed.poll = bed.hides = bed.numbered = bed.erred = 0;
	bed.story[0] = '\0';
	memset(bed.bases, 0, sizeof bed.bases);
	bed.task->row_count = 0;
	for (unsigned i = 1; i <= PORTS; i++)
		bed.ports[i] = (struct port){ .number = i, .alias = i, .index = i, .there = throw(6) > 0,
			.wide = trial % 4 < 2 || (trial % 4 == 2 && i % 3 > 0) };
	bed.context.version = trial % 7 == 6 ? 1 : 2;
}

static struct group *
open_bed(void)
{
	struct group *group = bed_group("if", LOOP_S, points, IF_X_TABLE "1," IF_TABLE "2",
		IF_X_TABLE "19");
	const char *given = getenv("PW_FUZZ_SEED");
	struct fail why;

	bed.seed = given != NULL ? strtoull(given, NULL, 10) : 1;
	bed.task = calloc(1, sizeof *bed.task);
	bed.task->group = group;
	bed.context = (struct ask_context){ .task = bed.task, .group = group, .epoch = &bed.epoch };
	for (unsigned c = 0; c < COLUMNS; c++) {
		CHECK(snmp_oid_parse(column_text[c], bed.ids[c], &bed.columns[c].count, &why) == 0);
		bed.columns[c].ids = bed.ids[c];
	}
	scratch_make();
	loop_sim_begin(1000 * LOOP_S, 1767225600 * LOOP_S);
	return group;
}

static void
begin_poller(struct loop *loop)
{
	struct fail why;

	bed.state = state_open(loop, scratch_path("rows"), &why);
	bed.table = table_new("sw", bed.task->group, bed.state, &why);
}

static void
end_poller(void)
{
	table_free(bed.table);
	CHECK(state_close(bed.state));
}

static void
what_is_told_of_a_name_is_of_the_interface_that_has_it(void)
{
	struct group *group = open_bed();
	struct fail why;
	struct loop *loop = loop_new(&why);
	size_t good = 0;

	for (unsigned trial = 0; trial < 240; trial++) {
		struct ask_limit limit = { .varbinds = trial % 3 == 0 ? 4 + throw(20) : 50,
			.columns = trial % 8 == 1 ? 2 : 0, .repetitions = trial % 2 == 0 ? 0 : 2 };

		begin_agent(trial);
		begin_poller(loop);
		while (bed.poll < POLLS) {
			good += poll_once(&limit);
			if (throw(20) != 0)
				continue;
			tell(" restart");
			end_poller();
			begin_poller(loop);
		}
		end_poller();
		unlink(scratch_path("rows"));
	}
	print_message("%zu values told, %u events\n", good, bed.events);
	CHECK(good > 100000);
	loop_free(loop);
	scratch_remove();
	bed_group_free(group);
	free(bed.task);
}

RUN_TESTS(TEST(what_is_told_of_a_name_is_of_the_interface_that_has_it))

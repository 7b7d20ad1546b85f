#include "cli/wire.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/client.h"
#include "core/device.h"
#include "journal/state.h"
#include "modbus/modbus.h"
#include "modbus/modbus_parts.h"

#define DAEMON_PATIENCE (70 * LOOP_S)

struct wire {
	struct wire_options options;
	uint8_t unit_id;
	bool remote;
	struct loop *loop;   /* a line of our own */
	struct lines *lines;
	struct line_unit unit;
	bool joined;
	struct loop_timer pace;
	int64_t next;        /* mono: not to be asked before */
	struct wire_answer *answer; /* of the question under way */
};

static void
wake(void *arg)
{
	struct wire *wire = arg;

	loop_stop(wire->loop);
}

static void
join(struct wire *wire)
{
	struct line_options line;
	char name[MODBUS_LINE_NAME];

	modbus_line_options(wire->options.modbus, &line, name);
	wire->unit = (struct line_unit){ .id = wire->unit_id };
	line_join(wire->lines, &line, &wire->unit);
	wire->joined = true;
}

/* The lock says who may ask: nobody but a daemon, or we. False: a daemon has it. */
static bool
take_lock(const struct wire_options *options, struct fail *why)
{
	const char *dir = options->inventory->poller.state_dir;

	if (options->beside || options->device == NULL || access(dir, F_OK) == -1)
		return true;
	return state_lock(dir, why) != -1; /* held until this process ends */
}

struct wire *
wire_open(const struct wire_options *options, struct fail *why)
{
	struct wire *wire = mem_zero(sizeof *wire);
	struct fail locked;
	json_t *there;

	wire->options = *options;
	wire->unit_id = options->modbus->unit_id;
	wire->loop = loop_new(why);
	if (wire->loop == NULL)
		goto fail;
	loop_timer_init(&wire->pace, wake, wire);
	if (!take_lock(options, &locked)) {
		there = client_call(options->inventory->poller.run_dir, "status", 5 * LOOP_S, why);
		json_decref(there);
		if (there == NULL) {
			fail_set(why, "%s, and it cannot be asked to put the question "
				"(--beside opens a second connection all the same)", locked.text);
			goto fail;
		}
		wire->remote = true;
		return wire;
	}
	wire->lines = lines_new(wire->loop);
	join(wire);
	return wire;
fail:
	wire_close(wire);
	return NULL;
}

void
wire_close(struct wire *wire)
{
	if (wire == NULL)
		return;
	if (wire->joined)
		line_leave(&wire->unit);
	lines_free(wire->lines);
	if (wire->loop != NULL)
		loop_timer_stop(wire->loop, &wire->pace);
	loop_free(wire->loop);
	free(wire);
}

bool
wire_is_daemons(const struct wire *wire)
{
	return wire->remote;
}

void
wire_set_unit(struct wire *wire, uint8_t unit)
{
	wire->unit_id = unit;
	if (wire->remote || wire->unit.id == unit)
		return;
	wire->unit.id = unit;
	wire->unit.silences = 0;
}

/* ---- one question ---- */

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct wire *wire = arg;
	struct wire_answer *answer = wire->answer;

	(void)request;
	answer->outcome = result->outcome;
	answer->code = result->code;
	answer->rtt = result->rtt;
	answer->size = result->size < sizeof answer->data ? result->size : sizeof answer->data;
	if (answer->size > 0)
		memcpy(answer->data, result->data, answer->size);
	if (result->outcome != LINE_ANSWER)
		str_copy(answer->why, sizeof answer->why,
			result->why != NULL ? result->why : "no answer");
	loop_stop(wire->loop);
}

static void
ask_self(struct wire *wire, const struct line_request *asked)
{
	struct line_request request = { .unit = &wire->unit, .question = asked->question,
		.function = asked->function, .address = asked->address, .count = asked->count,
		.alone = true, .code = asked->code, .object = asked->object,
		.timeout = wire->options.modbus->timeout, .done = on_done, .arg = wire };

	line_send(&request);
	loop_run(wire->loop);
}

static int
nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
take_answer(const json_t *said, struct wire_answer *answer, struct fail *why)
{
	const char *hex = json_string_value(json_object_get(said, "data"));
	const char *reason = json_string_value(json_object_get(said, "why"));
	json_int_t outcome = json_integer_value(json_object_get(said, "outcome"));

	if (hex == NULL || outcome < LINE_ANSWER || outcome > LINE_PAUSED) {
		fail_set(why, "the daemon says: %s", hex == NULL &&
			json_is_string(json_object_get(said, "error")) ?
			json_string_value(json_object_get(said, "error")) : "nothing that fits");
		return -1;
	}
	answer->outcome = (enum line_outcome)outcome;
	answer->code = (uint8_t)json_integer_value(json_object_get(said, "code"));
	answer->rtt = json_integer_value(json_object_get(said, "rtt"));
	for (; hex[0] != '\0' && hex[1] != '\0' && answer->size < sizeof answer->data; hex += 2) {
		int high = nibble(hex[0]), low = nibble(hex[1]);

		if (high == -1 || low == -1)
			break;
		answer->data[answer->size++] = (uint8_t)(high << 4 | low);
	}
	if (answer->outcome != LINE_ANSWER)
		str_copy(answer->why, sizeof answer->why, reason != NULL ? reason : "no answer");
	return 0;
}

static int
ask_daemon(struct wire *wire, const struct line_request *asked, struct wire_answer *answer,
	struct fail *why)
{
	static const char *const kinds[] = { [LINE_READ] = "read", [LINE_IDENTIFY] = "identify",
		[LINE_SERVER_ID] = "server-id" };
	json_t *request = json_pack("{s:s, s:s, s:s, s:i}", "command", "exchange", "device",
		wire->options.device, "kind", kinds[asked->question], "unit", wire->unit_id);
	json_t *said;
	int status;

	if (asked->question == LINE_READ) {
		json_object_set_new(request, "function", json_integer(asked->function));
		json_object_set_new(request, "address", json_integer(asked->address));
		json_object_set_new(request, "count", json_integer(asked->count));
	} else if (asked->question == LINE_IDENTIFY) {
		json_object_set_new(request, "code", json_integer(asked->code));
		json_object_set_new(request, "object", json_integer(asked->object));
	}
	said = client_ask(wire->options.inventory->poller.run_dir, request, DAEMON_PATIENCE, why);
	if (said == NULL)
		return -1;
	status = take_answer(said, answer, why);
	json_decref(said);
	return status;
}

static void
keep_pace(struct wire *wire)
{
	int64_t now = loop_mono(wire->loop);

	if (wire->options.max_rate <= 0)
		return;
	if (now < wire->next) {
		loop_timer_at(wire->loop, &wire->pace, wire->next);
		loop_run(wire->loop);
		now = wire->next;
	}
	wire->next = now + (int64_t)((double)LOOP_S / wire->options.max_rate);
}

/* -1 and why when the daemon refuses to ask at all. */
static int
ask(struct wire *wire, const struct line_request *request, struct wire_answer *answer,
	struct fail *why)
{
	*answer = (struct wire_answer){ .outcome = LINE_UNREACHABLE };
	keep_pace(wire);
	wire->answer = answer;
	if (wire->remote)
		return ask_daemon(wire, request, answer, why);
	ask_self(wire, request);
	return 0;
}

void
wire_send(struct line_request *request, void *arg)
{
	struct wire_answer answer;
	struct fail why;
	struct line_result result;

	if (ask(arg, request, &answer, &why) == -1) {
		answer.outcome = LINE_UNREACHABLE;
		str_copy(answer.why, sizeof answer.why, why.text);
	}
	result = (struct line_result){ .outcome = answer.outcome, .code = answer.code,
		.data = answer.data, .size = answer.size, .rtt = answer.rtt,
		.why = answer.outcome == LINE_ANSWER ? NULL : answer.why };
	request->done(request, &result, request->arg);
}

bool
wire_registers(struct wire *wire, enum adu_function function, uint16_t address,
	uint16_t count, struct wire_answer *answer)
{
	struct line_request request = { .question = LINE_READ, .function = function,
		.address = address, .count = count };
	struct fail why;

	if (ask(wire, &request, answer, &why) == -1) {
		answer->outcome = LINE_UNREACHABLE;
		str_copy(answer->why, sizeof answer->why, why.text);
	}
	return answer->outcome == LINE_ANSWER && answer->size == (function <= ADU_DISCRETE_INPUTS ?
		(count + 7u) / 8u : 2u * count);
}

const char *
wire_says(const struct wire_answer *answer, char *to, size_t size)
{
	if (answer->outcome == LINE_ANSWER)
		str_copy(to, size, "");
	else if (answer->outcome == LINE_EXCEPTION)
		snprintf(to, size, "exception %d (%s)", answer->code, answer->why);
	else
		str_copy(to, size, answer->why);
	return to;
}

#include "modbus/guest.h"

#include <stdlib.h>

#include "base/loop.h"
#include "base/mem.h"
#include "modbus/modbus.h"
#include "modbus/modbus_parts.h"

/* Behind slow units the queue may be long; a tool gives up sooner or later. */
#define PATIENCE (20 * LOOP_S)

struct guest {
	struct line_unit unit;
	struct line_request request;
	void (*done)(const struct line_result *result, void *arg);
	void *arg;
};

static void
on_done(struct line_request *request, const struct line_result *result, void *arg)
{
	struct guest *guest = arg;

	(void)request;
	guest->done(result, guest->arg);
	line_leave(&guest->unit);
	free(guest);
}

struct guest *
guest_ask(struct modbus *modbus, const struct modbus_options *device,
	const struct guest_question *question,
	void (*done)(const struct line_result *result, void *arg), void *arg)
{
	struct guest *guest = mem_zero(sizeof *guest);
	struct line_options line;
	char name[MODBUS_LINE_NAME];

	modbus_line_options(device, &line, name);
	/* A guest must not change how often a line that is down is tried again. */
	line.retry_within = 0;
	guest->done = done;
	guest->arg = arg;
	guest->unit.id = question->unit != 0 ? question->unit : device->unit_id;
	line_join(modbus_lines(modbus), &line, &guest->unit);
	guest->request = (struct line_request){ .unit = &guest->unit,
		.question = question->question, .function = question->function,
		.address = question->address, .count = question->count, .alone = true,
		.code = question->code, .object = question->object, .timeout = device->timeout,
		.expires = loop_mono(modbus_loop(modbus)) + PATIENCE, .done = on_done,
		.arg = guest };
	line_send(&guest->request);
	return guest;
}

void
guest_cancel(struct guest *guest)
{
	if (guest == NULL)
		return;
	line_cancel(&guest->request);
	line_leave(&guest->unit);
	free(guest);
}

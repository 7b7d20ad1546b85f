#include "cli/bus_view.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/doc.h"
#include "base/loop.h"
#include "base/str.h"
#include "modbus/busplan.h"
#include "modbus/modbus.h"

static const char *
seconds(char *to, size_t size, int64_t ns)
{
	return str_time_span(to, size, ns < LOOP_MS ? LOOP_MS : ns / LOOP_MS * LOOP_MS);
}

static void
print_line(const struct busplan *plan)
{
	char round[32], interval[32];

	printf("line        %s: load %.1f %%, %zu unit%s, %zu question%s in %s, asked every %s",
		plan->name, plan->with[0].load * 100, plan->units, plan->units == 1 ? "" : "s",
		plan->questions, plan->questions == 1 ? "" : "s",
		seconds(round, sizeof round, plan->with[0].round),
		str_time_span(interval, sizeof interval, plan->shortest));
	for (size_t dead = 1; dead < plan->told; dead++)
		printf("%s %s with %zu dead", dead == 1 ? "; worst round" : ",",
			seconds(round, sizeof round, plan->with[dead].round), dead);
	if (plan->host.max_rate > 0)
		printf("; at most %g a second", plan->host.max_rate);
	if (plan->host.max_rate > 0 && plan->host.lines > 1)
		printf(" by the %zu lines to %s, used to %.0f %%", plan->host.lines,
			plan->host.name, plan->host.load * 100);
	if (plan->bearable == -1)
		printf("; late when all is due at once");
	else if (plan->units > 1)
		printf("; in time with %s%d dead", plan->bearable == 0 ? "" : "up to ",
			plan->bearable);
	printf("\n");
}

static bool
is_worth_a_line(const struct busplan *plan)
{
	return plan->host.max_rate > 0 || plan->units > 1 || plan->options->baud > 0 ||
		plan->with[0].load >= 0.5 || plan->bearable == -1;
}

void
bus_view_print(const struct inventory *inventory, size_t most)
{
	size_t count, shown = 0;
	struct busplan *plans = busplan_make(inventory, &count);

	for (size_t i = 0; i < count && shown < most; i++) {
		if (!is_worth_a_line(&plans[i]))
			continue;
		print_line(&plans[i]);
		shown++;
	}
	if (shown > 0 && shown < count)
		printf("            and %zu more line%s\n", count - shown,
			count - shown == 1 ? "" : "s");
	free(plans);
}

static json_t *
dead_json(const struct busplan *plan)
{
	json_t *list = json_array();

	for (size_t dead = 1; dead < plan->told; dead++)
		json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "units",
			(json_int_t)dead, "load", doc_number(plan->with[dead].load * 100),
			"round", doc_number((double)plan->with[dead].round / 1e9)));
	return list;
}

json_t *
bus_view_json(const struct inventory *inventory)
{
	json_t *list = json_array();
	size_t count;
	struct busplan *plans = busplan_make(inventory, &count);

	for (size_t i = 0; i < count; i++) {
		const struct busplan *plan = &plans[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:I, s:I, s:o, s:o, s:o,"
			" s:I, s:o, s:o, s:o}", "name", doc_text(plan->name),
			"file", doc_text(plan->options->file), "line", plan->options->file_line,
			"units", (json_int_t)plan->units, "questions", (json_int_t)plan->questions,
			"load", doc_number(plan->with[0].load * 100),
			"round", doc_number((double)plan->with[0].round / 1e9),
			"interval", doc_number((double)plan->shortest / 1e9),
			"baud", (json_int_t)plan->options->baud,
			"max_rate", plan->host.max_rate > 0 ? doc_number(plan->host.max_rate) :
				json_null(),
			"in_time_with", plan->bearable < 0 ? json_null() :
				json_integer(plan->bearable),
			"dead", dead_json(plan)));
	}
	free(plans);
	return list;
}

/* pollwerk gaps: what became of every slot: expected = good + each reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/sample.h"
#include "core/series.h"
#include "core/tally.h"
#include "store/ledger_view.h"

struct gaps {
	struct place place;
	struct ledger_view *view;
	int64_t from, to;
	const char *glob;
};

static json_t *
reasons_json(const struct tally *tally)
{
	json_t *reasons = json_object();

	for (int i = 1; i < 256; i++)
		if (tally->count[i] > 0 && !reason_counts_as_good((uint8_t)i))
			json_object_set_new(reasons, reason_word((uint8_t)i),
				json_integer((json_int_t)tally->count[i]));
	return reasons;
}

struct spans {
	const struct series *series;
	json_t *list;
};

static void
add_span(const struct ledger_span *span, void *arg)
{
	const struct ledger_run *run = &span->run;
	struct spans *spans = arg;
	double step = (double)spans->series->step / 1e9;

	if (reason_counts_as_good(run->reason))
		return;
	json_array_append_new(spans->list, json_pack("{s:f, s:f, s:s, s:s, s:I, s:n}", "from",
		(double)run->first * step, "to", (double)(run->last + 1) * step, "reason",
		reason_word(run->reason), "class", reason_class_word(reason_class(run->reason)), "n",
		(json_int_t)span->n, "excluded_by"));
}

static json_t *
gap_json(const struct gaps *gaps, const struct series *series, const struct tally *tally)
{
	struct spans spans = { series, json_array() };

	ledger_spans(gaps->view, series, gaps->from, gaps->to, add_span, &spans);
	return json_pack("{s:o, s:I, s:I, s:o, s:o}", "path", doc_text(series->path),
		"expected", (json_int_t)tally_expected(tally), "good", (json_int_t)tally_good(tally),
		"reasons", reasons_json(tally), "spans", spans.list);
}

static void
print_gap(const struct series *series, const struct tally *tally)
{
	printf("%-48s expected %llu = good %llu", series->path,
		(unsigned long long)tally_expected(tally), (unsigned long long)tally_good(tally));
	for (int i = 1; i < 256; i++)
		if (tally->count[i] > 0 && !reason_counts_as_good((uint8_t)i))
			printf(" + %s %llu", reason_word((uint8_t)i), (unsigned long long)tally->count[i]);
	putchar('\n');
}

static int
read_arguments(struct gaps *gaps, int argc, char **argv)
{
	gaps->to = place_now();
	gaps->from = gaps->to - 86400 * LOOP_S;
	for (int i = 1; i < argc; i++) {
		bool from = strcmp(argv[i], "--from") == 0;

		if ((from || strcmp(argv[i], "--to") == 0) && i + 1 < argc) {
			if (place_time(argv[++i], from ? &gaps->from : &gaps->to) == -1)
				return cmd_usage(&cmd_gaps, "\"%s\" is no time: expected \"-2h\", "
					"\"2026-11-22T06:00:00Z\" or Unix seconds", argv[i]);
		} else if (argv[i][0] == '-' || gaps->glob != NULL) {
			return cmd_usage(&cmd_gaps, "unknown argument \"%s\"", argv[i]);
		} else {
			gaps->glob = argv[i];
		}
	}
	return CMD_OK;
}

static size_t
show(const struct cmd_context *context, const struct gaps *gaps)
{
	size_t count;
	const struct series **list = place_find(&gaps->place, gaps->glob, &count);
	json_t *document = json_array();

	for (size_t i = 0; i < count; i++) {
		struct tally tally = { { 0 } };

		ledger_tally(gaps->view, list[i], gaps->from, gaps->to, &tally);
		if (context->json)
			json_array_append_new(document, gap_json(gaps, list[i], &tally));
		else
			print_gap(list[i], &tally);
	}
	if (context->json)
		cmd_print_json(document);
	else
		json_decref(document);
	if (ledger_damaged(gaps->view) > 0)
		cmd_error("%llu damaged runs in the ledger: the sums are too small",
			(unsigned long long)ledger_damaged(gaps->view));
	free(list);
	return count;
}

static int
run_gaps(const struct cmd_context *context, int argc, char **argv)
{
	struct gaps gaps = { .glob = NULL };
	struct fail why;
	size_t count = 0;
	int status = read_arguments(&gaps, argc, argv);

	if (status != CMD_OK)
		return status;
	if (place_open(&gaps.place, context, false) == -1)
		return CMD_NEGATIVE;
	gaps.view = ledger_open_reader(gaps.place.dirs.state_dir, &why);
	if (gaps.view == NULL) {
		cmd_error("%s", why.text);
	} else {
		count = show(context, &gaps);
		if (count == 0)
			cmd_error("no point matches \"%s\"", gaps.glob != NULL ? gaps.glob : "*");
	}
	ledger_close_reader(gaps.view);
	place_close(&gaps.place);
	return count > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_gaps = { "gaps", "[--from TIME] [--to TIME] [GLOB]",
	"what became of every slot: expected = good + each reason", run_gaps };

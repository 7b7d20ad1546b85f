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
#include "path/path.h"
#include "store/ledger_view.h"

struct gaps {
	struct place place;
	struct ledger_view *view;
	int64_t from, to;
	const char *glob, *device;
	const struct path_options *path;
	const char *path_name;
	bool wanted[256]; /* reasons that are told */
	bool chosen;      /* by --reason or --class: points without them are left out */
	bool spans, csv, range, by_sequence;
	uint64_t since;
};

/* ---- which points ---- */

static bool
is_of_device(const char *path, const char *device)
{
	size_t length = strcspn(path, "/");
	char name[64];

	if (length >= sizeof name)
		return false;
	memcpy(name, path, length);
	name[length] = '\0';
	return str_glob(device, name);
}

/* As the path takes them: a device by its up, a row or table by all its points. */
static bool
is_of_hop(const char *path, const char *hop)
{
	size_t length = strlen(hop);

	if (strncmp(path, hop, length) != 0)
		return false;
	if (strchr(hop, '/') == NULL)
		return strcmp(path + length, "/up") == 0;
	return path[length] == '\0' || path[length] == '/';
}

static bool
is_of_path(const char *path, const struct path_options *options)
{
	for (size_t i = 0; i < options->source_count; i++)
		if (str_glob(options->sources[i], path))
			return true;
	for (size_t i = 0; i < options->hop_count; i++)
		for (size_t k = 0; k < options->hops[i].count; k++)
			if (is_of_hop(path, options->hops[i].names[k]))
				return true;
	return false;
}

static const struct series **
find(const struct gaps *gaps, size_t *count)
{
	const struct series **list = place_find(&gaps->place, gaps->glob, count);
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		if ((gaps->device == NULL || is_of_device(list[i]->path, gaps->device)) &&
			(gaps->path == NULL || is_of_path(list[i]->path, gaps->path)))
			list[kept++] = list[i];
	*count = kept;
	return list;
}

/* ---- one span ---- */

struct moment {
	int64_t from, to; /* wall ns, half open */
};

static struct moment
moment_of(const struct ledger_span *span, int64_t step)
{
	const int64_t hour = 3600 * LOOP_S;

	if (span->folded)
		return (struct moment){ span->hour * hour, (span->hour + 1) * hour };
	return (struct moment){ span->run.first * step, (span->run.last + 1) * step };
}

/* all: with what --spans and --since ask for; a folded hour says so in any case. */
static json_t *
span_json(const struct ledger_span *span, int64_t step, bool all)
{
	struct moment moment = moment_of(span, step);
	json_t *object = json_pack("{s:o, s:o, s:s, s:s, s:I, s:n}", "from",
		doc_seconds(moment.from), "to", doc_seconds(moment.to), "reason",
		reason_word(span->run.reason), "class",
		reason_class_word(reason_class(span->run.reason)), "n", (json_int_t)span->n,
		"excluded_by");

	if (all || span->folded)
		json_object_set_new(object, "folded", json_boolean(span->folded));
	if (!all)
		return object;
	json_object_set_new(object, "final", json_boolean(span->final));
	json_object_set_new(object, "sequence", span->sequence > 0 ?
		json_integer((json_int_t)span->sequence) : json_null());
	return object;
}

static void
print_csv(const struct series *series, const struct ledger_span *span)
{
	struct moment moment = moment_of(span, series->step);
	char from[40], to[40];

	cmd_print_csv(series->path);
	printf(",%s,%s,%s,%s,%llu,", str_utc(from, sizeof from, moment.from),
		str_utc(to, sizeof to, moment.to), reason_word(span->run.reason),
		reason_class_word(reason_class(span->run.reason)), (unsigned long long)span->n);
	if (span->sequence > 0)
		printf("%llu", (unsigned long long)span->sequence);
	printf(",%s,%s\n", span->final ? "yes" : "no", span->folded ? "yes" : "no");
}

static void
print_span(const struct series *series, const struct ledger_span *span)
{
	struct moment moment = moment_of(span, series->step);
	char from[40], to[40];

	printf("%-40s %s %s %-16s %8llu", series->path, str_utc(from, sizeof from, moment.from),
		str_utc(to, sizeof to, moment.to), reason_word(span->run.reason),
		(unsigned long long)span->n);
	if (span->sequence > 0)
		printf(" %llu\n", (unsigned long long)span->sequence);
	else
		printf(" %s\n", span->folded ? "in that hour" : "not final");
}

/* ---- by point ---- */

struct telling {
	const struct gaps *gaps;
	const struct series *series;
	json_t *list; /* NULL: to stdout */
};

static void
tell_span(const struct ledger_span *span, void *arg)
{
	struct telling *telling = arg;

	if (!telling->gaps->wanted[span->run.reason])
		return;
	if (telling->list != NULL)
		json_array_append_new(telling->list, span_json(span, telling->series->step,
			telling->gaps->spans));
	else if (telling->gaps->csv)
		print_csv(telling->series, span);
	else
		print_span(telling->series, span);
}

static json_t *
reasons_json(const struct gaps *gaps, const struct tally *tally)
{
	json_t *reasons = json_object();

	for (int i = 0; i < 256; i++)
		if (tally->count[i] > 0 && gaps->wanted[i])
			json_object_set_new(reasons, reason_word((uint8_t)i),
				json_integer((json_int_t)tally->count[i]));
	return reasons;
}

static json_t *
gap_json(const struct gaps *gaps, const struct series *series, const struct tally *tally)
{
	struct telling telling = { gaps, series, json_array() };

	ledger_spans(gaps->view, series, gaps->from, gaps->to, tell_span, &telling);
	return json_pack("{s:o, s:I, s:I, s:o, s:o}", "path", doc_text(series->path),
		"expected", (json_int_t)tally_expected(tally), "good", (json_int_t)tally_good(tally),
		"reasons", reasons_json(gaps, tally), "spans", telling.list);
}

static void
print_gap(const struct gaps *gaps, const struct series *series, const struct tally *tally)
{
	const char *before = " (of them";

	printf("%-48s expected %llu = good %llu", series->path,
		(unsigned long long)tally_expected(tally), (unsigned long long)tally_good(tally));
	/* What has no rate is told only to who asks for it: it is good as well. */
	for (int i = 1; i < 256; i++)
		if (tally->count[i] > 0 && reason_counts_as_good((uint8_t)i) && gaps->wanted[i]) {
			printf("%s %s %llu", before, reason_word((uint8_t)i),
				(unsigned long long)tally->count[i]);
			before = ",";
		}
	if (*before == ',')
		putchar(')');
	for (int i = 1; i < 256; i++)
		if (tally->count[i] > 0 && !reason_counts_as_good((uint8_t)i))
			printf(" + %s %llu", reason_word((uint8_t)i), (unsigned long long)tally->count[i]);
	putchar('\n');
}

static bool
has_wanted(const struct gaps *gaps, const struct tally *tally)
{
	for (int i = 0; i < 256; i++)
		if (gaps->wanted[i] && tally->count[i] > 0)
			return true;
	return false;
}

static void
show_points(const struct cmd_context *context, const struct gaps *gaps,
	const struct series *const *list, size_t count)
{
	json_t *document = json_array();

	for (size_t i = 0; i < count; i++) {
		struct telling telling = { gaps, list[i], NULL };
		struct tally tally = { { 0 } };

		if (gaps->spans && !context->json) {
			ledger_spans(gaps->view, list[i], gaps->from, gaps->to, tell_span, &telling);
			continue;
		}
		ledger_tally(gaps->view, list[i], gaps->from, gaps->to, &tally);
		if (gaps->chosen && !has_wanted(gaps, &tally))
			continue;
		if (context->json)
			json_array_append_new(document, gap_json(gaps, list[i], &tally));
		else
			print_gap(gaps, list[i], &tally);
	}
	if (context->json)
		cmd_print_json(document);
	else
		json_decref(document);
}

/* ---- by sequence ---- */

/* Whole spans, never cut: what is final is told once, as it is. */
static void
tell_since(const struct ledger_span *span, void *arg)
{
	struct telling *telling = arg;
	const struct gaps *gaps = telling->gaps;
	const struct series *series = series_get(gaps->place.catalogue, span->run.series);
	struct moment moment;

	if (series == NULL || !gaps->wanted[span->run.reason])
		return;
	moment = moment_of(span, series->step);
	if (gaps->range && (moment.to <= gaps->from || moment.from >= gaps->to))
		return;
	if (telling->list != NULL) {
		json_t *entry = span_json(span, series->step, true);

		json_object_set_new(entry, "path", doc_text(series->path));
		json_array_append_new(telling->list, entry);
	} else if (gaps->csv) {
		print_csv(series, span);
	} else {
		print_span(series, span);
	}
}

static void
show_since(const struct cmd_context *context, const struct gaps *gaps)
{
	struct telling telling = { gaps, NULL, context->json ? json_array() : NULL };
	uint64_t oldest = ledger_oldest(gaps->view), next = ledger_newest(gaps->view);
	/* A ledger that was put back or begun anew has not come so far: who went on from there
	 * would never hear of what it closes meanwhile. */
	bool ahead = gaps->since > next, missed = ahead || gaps->since + 1 < oldest;

	ledger_since(gaps->view, gaps->since, tell_since, &telling);
	if (context->json)
		cmd_print_json(json_pack("{s:I, s:I, s:b, s:o}", "next", (json_int_t)next, "oldest",
			(json_int_t)oldest, "missed", missed, "spans", telling.list));
	else
		printf("# next %llu\n", (unsigned long long)next);
	if (ahead)
		cmd_error("sequence %llu is not of this ledger, which was put back or begun anew and is "
			"at %llu: ask for what is missing with --from, then go on from there",
			(unsigned long long)gaps->since, (unsigned long long)next);
	else if (missed)
		cmd_error("what was closed before sequence %llu is folded to hours or gone: ask for it "
			"with --from", (unsigned long long)oldest);
}

/* ---- arguments ---- */

static int
choose_reasons(struct gaps *gaps, char *words)
{
	char *rest = NULL;

	for (char *word = strtok_r(words, ",", &rest); word != NULL;
		word = strtok_r(NULL, ",", &rest)) {
		int reason = reason_parse(word);

		if (reason == -1 || reason == REASON_GOOD)
			return cmd_usage(&cmd_gaps, "unknown reason \"%s\"", word);
		gaps->wanted[reason] = gaps->chosen = true;
	}
	return gaps->chosen ? CMD_OK : cmd_usage(&cmd_gaps, "--reason: which?");
}

static int
choose_class(struct gaps *gaps, const char *word)
{
	bool any = false;

	for (int i = 0; i < 256; i++)
		if (strcmp(reason_class_word(reason_class((uint8_t)i)), word) == 0)
			any = gaps->wanted[i] = gaps->chosen = true;
	return any && strcmp(word, "good") != 0 ? CMD_OK :
		cmd_usage(&cmd_gaps, "class \"%s\": expected lost, unmeasured or no-rate", word);
}

static int
take_since(struct gaps *gaps, const char *text)
{
	gaps->by_sequence = gaps->spans = true;
	if (str_uint(text, &gaps->since, NULL) == 0)
		return CMD_OK;
	return cmd_usage(&cmd_gaps, "\"%s\" is no sequence number: 0 for all, then what \"next\" said",
		text);
}

static int
take_option(struct gaps *gaps, const char *name, char *value)
{
	bool from = strcmp(name, "--from") == 0;

	if (from || strcmp(name, "--to") == 0) {
		gaps->range = true;
		return place_take_time(&cmd_gaps, name, value, from ? &gaps->from : &gaps->to);
	}
	if (strcmp(name, "--since") == 0)
		return take_since(gaps, value);
	if (strcmp(name, "--device") == 0)
		gaps->device = value;
	else if (strcmp(name, "--path") == 0)
		gaps->path_name = value;
	else
		return strcmp(name, "--reason") == 0 ? choose_reasons(gaps, value) :
			choose_class(gaps, value);
	return CMD_OK;
}

static int
read_arguments(struct gaps *gaps, int argc, char **argv)
{
	static const char *const valued[] = { "--from", "--to", "--since", "--device", "--path",
		"--reason", "--class", NULL };
	int status = CMD_OK;

	gaps->to = place_now();
	gaps->from = gaps->to - 86400 * LOOP_S;
	for (int i = 1; i < argc && status == CMD_OK; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(&cmd_gaps, valued, argv, &i, &name, &value);

		if (taken != 0)
			status = taken == 1 ? take_option(gaps, name, value) : CMD_USAGE;
		else if (strcmp(argv[i], "--spans") == 0)
			gaps->spans = true;
		else if (strcmp(argv[i], "--csv") == 0)
			gaps->csv = gaps->spans = true;
		else if (argv[i][0] == '-' || gaps->glob != NULL)
			status = cmd_one_glob(&cmd_gaps, "", argv[i]);
		else
			gaps->glob = argv[i];
	}
	for (int i = 0; i < 256 && !gaps->chosen; i++)
		gaps->wanted[i] = !reason_counts_as_good((uint8_t)i);
	if (status == CMD_OK && gaps->from >= gaps->to)
		status = cmd_usage(&cmd_gaps, "the range is empty: --from is not before --to");
	return status;
}

static int
find_path(struct gaps *gaps)
{
	const struct inventory *inventory = gaps->place.inventory;
	const struct path_options *paths = inventory != NULL ? inventory->paths : NULL;

	if (gaps->path_name == NULL)
		return 0;
	for (size_t i = 0; inventory != NULL && i < inventory->path_count; i++)
		if (strcmp(paths[i].name, gaps->path_name) == 0)
			gaps->path = &paths[i];
	if (gaps->path == NULL)
		cmd_error(inventory == NULL ? "data path \"%s\": unknown until the mistakes of the "
			"configuration are mended" : "no data path is called \"%s\"", gaps->path_name);
	return gaps->path != NULL ? 0 : -1;
}

/* ---- the command ---- */

static size_t
show(const struct cmd_context *context, struct gaps *gaps)
{
	struct fail why;
	size_t count;
	const struct series **list = find(gaps, &count);

	gaps->view = ledger_open_view(gaps->place.dirs.state_dir, list, count, &why);
	if (gaps->view == NULL) {
		cmd_error("%s", why.text);
		count = 0;
	} else {
		if (gaps->csv && !context->json)
			printf("path,from,to,reason,class,n,sequence,final,folded\n");
		if (gaps->by_sequence)
			show_since(context, gaps);
		else
			show_points(context, gaps, list, count);
		if (ledger_damaged(gaps->view) > 0)
			cmd_error("%llu damaged parts of the ledger: the sums are too small",
				(unsigned long long)ledger_damaged(gaps->view));
		if (count == 0)
			cmd_error("no point matches \"%s\"%s%s", gaps->glob != NULL ? gaps->glob : "*",
				gaps->device != NULL ? " of device " : "",
				gaps->device != NULL ? gaps->device : "");
	}
	ledger_close_reader(gaps->view);
	free(list);
	return count;
}

static int
run_gaps(const struct cmd_context *context, int argc, char **argv)
{
	struct gaps gaps = { .glob = NULL };
	size_t count = 0;
	int status = read_arguments(&gaps, argc, argv);

	if (status != CMD_OK)
		return status;
	if (place_open(&gaps.place, context, false) == -1)
		return CMD_NEGATIVE;
	if (find_path(&gaps) == 0)
		count = show(context, &gaps);
	place_close(&gaps.place);
	return count > 0 ? CMD_OK : CMD_NEGATIVE;
}

const struct cmd cmd_gaps = { "gaps", "[GLOB] [--device D] [--path P] [--reason R[,R]] "
	"[--class C] [--from TIME] [--to TIME] [--spans] [--since SEQ] [--csv]",
	"what became of every slot: expected = good + each reason", run_gaps };

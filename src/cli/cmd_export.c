/* pollwerk export: rows of a range from the RRD files, as CSV or JSON lines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "core/sample.h"
#include "core/series.h"
#include "store/fetch.h"
#include "store/layout.h"
#include "store/ledger_view.h"
#include "store/rrd.h"

/* Rows read at once, over all files that are open. */
#define ROWS 4096
#define WIDE_FILES 1000
#define LEDGER_KNOWS (390 * 86400 * LOOP_S) /* somewhat less than it keeps */

struct column {
	const struct series *series;
	int ds;     /* place in a row of its file; -1: it has none yet */
	bool begun; /* a row of it was printed */
};

/* One file with those of its points that are wanted. */
struct source {
	struct fetch *fetch;
	struct column *columns;
	size_t count;
	/* --wide: the row that was read and not yet printed */
	bool have, ended;
	int64_t time;
	const double *values;
};

struct export {
	struct place place;
	struct ledger_view *view; /* NULL: reasons are not known */
	const char *glob, *function;
	int64_t from, to, step; /* ns */
	bool json, lines, wide, unix_time, flush, reasons; /* lines: of JSON, instead of one list */
	uint64_t rows;
};

/* ---- arguments ---- */

static int
take_function(struct export *e, const char *word)
{
	static const char *const functions[] = { "AVERAGE", "MIN", "MAX", "LAST" };

	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (strcmp(word, functions[i]) == 0) {
			e->function = functions[i];
			return CMD_OK;
		}
	return cmd_usage(&cmd_export, "--cf: \"%s\": expected AVERAGE, MIN, MAX or LAST", word);
}

static int
take_value(struct export *e, const char *name, const char *value)
{
	if (strcmp(name, "--from") == 0)
		return place_take_time(&cmd_export, name, value, &e->from);
	if (strcmp(name, "--to") == 0)
		return place_take_time(&cmd_export, name, value, &e->to);
	if (strcmp(name, "--cf") == 0)
		return take_function(e, value);
	if (str_duration(value, &e->step, NULL) == 0 && e->step >= LOOP_S)
		return CMD_OK;
	return cmd_usage(&cmd_export, "--step: \"%s\": expected a duration of 1s or more, as \"5m\"",
		value);
}

static bool
take_flag(struct export *e, const char *name)
{
	if (strcmp(name, "--json-lines") == 0)
		e->json = e->lines = true;
	else if (strcmp(name, "--wide") == 0)
		e->wide = true;
	else if (strcmp(name, "--unix") == 0)
		e->unix_time = true;
	else if (strcmp(name, "--no-flush") == 0)
		e->flush = false;
	else if (strcmp(name, "--no-reasons") == 0)
		e->reasons = false;
	else
		return strcmp(name, "--csv") == 0;
	return true;
}

static int
read_arguments(struct export *e, int argc, char **argv)
{
	static const char *const valued[] = { "--from", "--to", "--step", "--cf", NULL };

	for (int i = 1; i < argc; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(&cmd_export, valued, argv, &i, &name, &value);

		if (taken == -1 || (taken == 1 && take_value(e, name, value) != CMD_OK))
			return CMD_USAGE;
		if (taken == 1 || (argv[i][0] == '-' && take_flag(e, argv[i])))
			continue;
		if (argv[i][0] == '-' || e->glob != NULL)
			return cmd_one_glob(&cmd_export, "", argv[i]);
		e->glob = argv[i];
	}
	if (e->glob == NULL)
		return cmd_usage(&cmd_export, "which points?");
	if (e->wide && e->json)
		return cmd_usage(&cmd_export, "--wide is for CSV");
	return e->from < e->to ? CMD_OK : cmd_usage(&cmd_export,
		"the range is empty: --from is not before --to");
}

/* ---- why a row is unknown ---- */

#define HOUR (3600 * LOOP_S)

struct blame {
	uint64_t count[256];
};

static void
count_span(const struct ledger_span *span, void *arg)
{
	struct blame *blame = arg;

	blame->count[span->run.reason] += span->n;
}

static void
count_folded(const struct ledger_span *span, void *arg)
{
	if (span->folded)
		count_span(span, arg);
}

/* The most frequent reason of the slots that the row stands for; "" when all were good or the
 * ledger is not asked, NULL when no slot was expected. */
static const char *
reason_of(const struct export *e, const struct series *series, int64_t time, int64_t step)
{
	int64_t from = (time - step) * LOOP_S + series->step, to = time * LOOP_S + 1;
	struct blame blame = { { 0 } };
	int worst = REASON_GOOD;
	uint64_t slots = 0;

	if (e->view == NULL)
		return "";
	ledger_spans(e->view, series, from, to, count_span, &blame);
	/* Of what is folded the ledger knows the hour. */
	ledger_spans(e->view, series, from / HOUR * HOUR, from / HOUR * HOUR + 1, count_folded, &blame);
	for (int i = 0; i < 256; i++)
		slots += blame.count[i];
	if (slots == 0)
		return NULL;
	for (int i = 0; i < 256; i++)
		if (i != REASON_GOOD && blame.count[i] > 0 &&
			(worst == REASON_GOOD || blame.count[i] > blame.count[worst]))
			worst = i;
	return worst == REASON_GOOD ? "" : reason_word((uint8_t)worst);
}

/* ---- text ---- */

struct row {
	int64_t time, step;
	double value;
	const char *reason;
};

static const char *
time_text(const struct export *e, char to[32], int64_t time)
{
	time_t seconds = (time_t)time;
	struct tm utc;

	if (e->unix_time)
		snprintf(to, 32, "%lld", (long long)time);
	else
		strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	return to;
}

static const char *
value_text(char to[32], double value)
{
	return isfinite(value) ? str_number(to, 32, value) : "";
}

static void
put_csv_row(const struct export *e, const struct column *column, const struct row *row)
{
	char when[32], number[32];

	fputs(time_text(e, when, row->time), stdout);
	putchar(',');
	cmd_print_csv(column->series->path);
	putchar(',');
	cmd_print_csv(column->series->unit);
	printf(",%s,%lld,%s,%s\n", e->function, (long long)row->step,
		value_text(number, row->value), row->reason);
}

static void
put_json_row(const struct export *e, const struct column *column, const struct row *row)
{
	char when[32];
	json_t *line = json_pack("{s:o, s:o, s:o, s:s, s:I, s:o, s:o}", "time",
		e->unix_time ? json_integer(row->time) : json_string(time_text(e, when, row->time)),
		"path", doc_text(column->series->path), "unit", doc_text(column->series->unit),
		"function", e->function, "step", (json_int_t)row->step, "value",
		doc_number(row->value), "reason",
		*row->reason == '\0' ? json_null() : json_string(row->reason));

	if (!e->lines)
		fputs(e->rows == 1 ? "[\n" : ",\n", stdout);
	doc_write(line, stdout);
	if (e->lines)
		putchar('\n');
	json_decref(line);
}

/* Before its first expected slot a point has no rows; from then on there is one for each.
 * Without the ledger they begin with the first known one. */
static void
put_row(struct export *e, struct column *column, int64_t time, int64_t step, double value)
{
	struct row row = { time, step, value, "" };

	if (!isfinite(value)) {
		row.reason = reason_of(e, column->series, time, step);
		if ((row.reason == NULL || e->view == NULL) && !column->begun)
			return;
		if (row.reason == NULL)
			row.reason = "";
	}
	column->begun = true;
	e->rows++;
	if (e->json)
		put_json_row(e, column, &row);
	else
		put_csv_row(e, column, &row);
}

/* ---- files ---- */

/* What the ledger knows of some series: from the first expected slot of the range to its last. */
struct known {
	int64_t step, from, to; /* ns; from > to: nothing */
};

static void
widen(const struct ledger_span *span, void *arg)
{
	struct known *known = arg;
	int64_t from = span->folded ? span->hour * HOUR : span->run.first * known->step;
	int64_t to = span->folded ? from + HOUR : span->run.last * known->step;

	known->from = from < known->from ? from : known->from;
	known->to = to > known->to ? to : known->to;
}

static struct known
known_of(const struct export *e, const struct series *const *list, size_t count)
{
	struct known known = { 0, INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < count; i++) {
		known.step = list[i]->step;
		ledger_spans(e->view, list[i], e->from, e->to, widen, &known);
	}
	return known;
}

/* Where the first known row begins, or all complete ones end, when none is known. */
static int64_t
first_known(const struct fetch_options *options)
{
	struct fetch *fetch = fetch_open(options, NULL);
	int64_t time = options->from, step = fetch == NULL ? 0 : fetch_step(fetch);
	const double *values;
	bool known = false;

	while (fetch != NULL && !known && fetch_next(fetch, &time, &values, NULL) == 1)
		for (size_t i = 0; i < fetch_width(fetch); i++)
			known = known || isfinite(values[i]);
	fetch_close(fetch);
	return known ? time - step : time;
}

/* The range may begin before the points do: what they have is not to be told by the coarse
 * archive that reaches back so far. The ledger is asked, as also what was never good was
 * expected; it does not know what is older than 400 days, or than a point may stay. */
static int64_t
reach_of(const struct export *e, const struct fetch_options *options,
	const struct series *const *list, size_t count)
{
	struct known known;

	if (e->view == NULL)
		return first_known(options);
	known = known_of(e, list, count);
	if (known.from > known.to || known.from < place_now() - LEDGER_KNOWS ||
		strchr(list[0]->profile, ':') != NULL)
		return 0;
	return known.from / LOOP_S;
}

/* The points list[0..count) of one file, which was not made yet as nothing of them was good. */
static struct fetch *
open_absent(const struct export *e, const struct fetch_options *options,
	const struct series *const *list, size_t count, struct fail *why)
{
	struct fetch_options some = *options;
	struct known known = { 0, INT64_MAX, INT64_MIN };
	struct layout layout;

	if (e->view != NULL)
		known = known_of(e, list, count);
	if (known.from > known.to)
		cmd_error("%s: nothing of it is stored yet", list[0]->path);
	else
		some.reach = known.from / LOOP_S;
	if (layout_make(&layout, list[0]->step, list[0]->profile, why) == -1)
		return NULL;
	return fetch_open_absent(&some, &layout, known.from > known.to ? 0 : known.to / LOOP_S, why);
}

static struct fetch *
open_file(const struct export *e, struct fetch_options *options,
	const struct series *const *list, size_t count, struct fail *why)
{
	struct rrd_shape shape;
	struct fetch *fetch = fetch_open(options, why);
	int64_t reach;

	if (fetch == NULL) {
		enum rrd_result result = rrd_file_shape(options->place, &shape, NULL);

		if (result == RRD_DONE)
			free(shape.ds);
		return result == RRD_MISSING ? open_absent(e, options, list, count, why) : NULL;
	}
	reach = fetch_step(fetch) * LOOP_S == list[0]->step ? 0 : reach_of(e, options, list, count);
	if (reach <= options->from)
		return fetch;
	fetch_close(fetch);
	options->reach = reach;
	return fetch_open(options, why);
}

/* The points list[0..count) of one file. NULL after a message. */
static struct source *
open_source(const struct export *e, const struct series *const *list, size_t count, size_t rows)
{
	struct fetch_options options = { .place = { e->place.dirs.rrd_dir, list[0]->file },
		.function = e->function, .from = (e->from + LOOP_S - 1) / LOOP_S,
		.to = (e->to + LOOP_S - 1) / LOOP_S, .step = e->step / LOOP_S, .rows = rows };
	struct source *source = mem_zero(sizeof *source);
	struct fail why;

	source->fetch = open_file(e, &options, list, count, &why);
	if (source->fetch == NULL) {
		cmd_error("%s: %s", list[0]->path, why.text);
		free(source);
		return NULL;
	}
	source->columns = mem_array(count, sizeof *source->columns);
	for (size_t i = 0; i < count; i++)
		source->columns[source->count++] = (struct column){ list[i],
			fetch_find(source->fetch, list[i]->ds), false };
	return source;
}

/* A point that was added has no place in its file until something of it is stored. */
static double
value_in(const struct column *column, const double *values)
{
	return column->ds == -1 ? NAN : values[column->ds];
}

static void
close_source(struct source *source)
{
	if (source == NULL)
		return;
	fetch_close(source->fetch);
	free(source->columns);
	free(source);
}

/* How many of the list lie in the first one's file: they stand together, see place_find. */
static size_t
same_file(const struct series *const *list, size_t count)
{
	size_t same = 1;

	while (same < count && strcmp(list[same]->file, list[0]->file) == 0)
		same++;
	return same;
}

static int
print_source(struct export *e, struct source *source)
{
	int64_t step = fetch_step(source->fetch), time;
	const double *values;
	struct fail why;
	int got;

	while ((got = fetch_next(source->fetch, &time, &values, &why)) == 1) {
		for (size_t i = 0; i < source->count; i++)
			put_row(e, &source->columns[i], time, step, value_in(&source->columns[i], values));
		if (ferror(stdout))
			return -1;
	}
	if (got == -1)
		cmd_error("%s", why.text);
	return got;
}

/* Returns how many files failed. */
static size_t
print_long(struct export *e, const struct series *const *list, size_t count)
{
	size_t failed = 0, same;

	if (!e->json)
		puts("time,path,unit,function,step,value,reason");
	for (size_t i = 0; i < count; i += same) {
		struct source *source;

		same = same_file(list + i, count - i);
		source = open_source(e, list + i, same, ROWS);
		if (source == NULL || print_source(e, source) == -1)
			failed++;
		close_source(source);
	}
	return failed;
}

/* ---- one column a point ---- */

static void
put_header(struct export *e, struct source *const *sources, size_t count)
{
	fputs("time", stdout);
	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < sources[s]->count; i++) {
			const struct series *series = sources[s]->columns[i].series;
			char *name = *series->unit == '\0' ? mem_format("%s %s", series->path, e->function) :
				mem_format("%s %s [%s]", series->path, e->function, series->unit);

			putchar(',');
			cmd_print_csv(name);
			free(name);
		}
	putchar('\n');
}

/* The next row of each; the earliest time of all, or INT64_MAX when all have ended. */
static int64_t
advance(struct source *const *sources, size_t count, size_t *failed)
{
	int64_t earliest = INT64_MAX;
	struct fail why;

	for (size_t s = 0; s < count; s++) {
		struct source *source = sources[s];

		if (!source->have && !source->ended) {
			int got = fetch_next(source->fetch, &source->time, &source->values, &why);

			if (got == -1) {
				cmd_error("%s", why.text);
				++*failed;
			}
			source->have = got == 1;
			source->ended = got != 1;
		}
		if (source->have && source->time < earliest)
			earliest = source->time;
	}
	return earliest;
}

static bool
knows_something(struct source *const *sources, size_t count, int64_t time)
{
	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < sources[s]->count && sources[s]->have &&
			sources[s]->time == time; i++)
			if (isfinite(value_in(&sources[s]->columns[i], sources[s]->values)))
				return true;
	return false;
}

static void
put_wide(struct export *e, struct source *const *sources, size_t count, int64_t time)
{
	bool shown = e->rows > 0 || knows_something(sources, count, time);
	char text[32];

	if (!shown) {
		for (size_t s = 0; s < count; s++)
			sources[s]->have = sources[s]->have && sources[s]->time != time;
		return;
	}
	fputs(time_text(e, text, time), stdout);
	for (size_t s = 0; s < count; s++) {
		struct source *source = sources[s];
		bool now = source->have && source->time == time;

		for (size_t i = 0; i < source->count; i++)
			printf(",%s", now ? value_text(text,
				value_in(&source->columns[i], source->values)) : "");
		if (now)
			source->have = false;
	}
	putchar('\n');
	e->rows++;
}

static size_t
print_wide(struct export *e, const struct series *const *list, size_t count)
{
	struct source **sources = mem_array(count, sizeof *sources);
	size_t files = 0, opened = 0, failed = 0, same;
	int64_t time;

	for (size_t i = 0; i < count; i += same_file(list + i, count - i))
		files++;
	for (size_t i = 0; i < count && files <= WIDE_FILES; i += same) {
		same = same_file(list + i, count - i);
		sources[opened] = open_source(e, list + i, same, ROWS / files + 1);
		if (sources[opened] == NULL)
			failed++;
		else
			opened++;
	}
	if (files > WIDE_FILES) {
		cmd_error("--wide: %zu files, at most %d at once", files, WIDE_FILES);
		failed++;
	}
	put_header(e, sources, opened);
	while ((time = advance(sources, opened, &failed)) != INT64_MAX && !ferror(stdout))
		put_wide(e, sources, opened, time);
	for (size_t s = 0; s < opened; s++)
		close_source(sources[s]);
	free(sources);
	return failed;
}

/* ---- the run ---- */

static int
by_file(const void *a, const void *b)
{
	const struct series *const *x = a, *const *y = b;
	int order = strcmp((*x)->file, (*y)->file);

	return order != 0 ? order : strcmp((*x)->path, (*y)->path);
}

/* Texts have no history. */
static size_t
keep_stored(const struct series **list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (*list[i]->file != '\0')
			list[kept++] = list[i];
	if (kept > 0)
		qsort(list, kept, sizeof *list, by_file);
	return kept;
}

static void
open_ledger(struct export *e)
{
	struct fail why;

	if (!e->reasons || e->wide)
		return;
	e->view = ledger_open_reader(e->place.dirs.state_dir, &why);
	if (e->view == NULL)
		cmd_error("%s: reasons are left out", why.text);
}

static int
export(struct export *e)
{
	const struct series **list;
	size_t count, failed;

	list = place_find(&e->place, e->glob, &count);
	count = keep_stored(list, count);
	if (count == 0)
		cmd_error("no stored point matches \"%s\"", e->glob);
	if (count > 0 && e->flush)
		place_flush(&e->place, list, count);
	open_ledger(e);
	failed = count == 0 ? 1 : e->wide ? print_wide(e, list, count) : print_long(e, list, count);
	if (e->json && !e->lines)
		puts(e->rows == 0 ? "[]" : "\n]");
	ledger_close_reader(e->view);
	free(list);
	return failed == 0 ? CMD_OK : CMD_NEGATIVE;
}

static int
run_export(const struct cmd_context *context, int argc, char **argv)
{
	struct export e = { .function = "AVERAGE", .flush = true, .reasons = true };
	int status;

	e.to = place_now();
	e.from = e.to - 86400 * LOOP_S;
	e.json = context->json;
	status = read_arguments(&e, argc, argv);
	if (status != CMD_OK)
		return status;
	if (place_open(&e.place, context, false) == -1)
		return CMD_NEGATIVE;
	status = export(&e);
	place_close(&e.place);
	return status;
}

const struct cmd cmd_export = { "export", "GLOB [--from TIME] [--to TIME] [--step DURATION] "
	"[--cf AVERAGE|MIN|MAX|LAST] [--csv | --json-lines] [--wide] [--unix] [--no-flush] [--no-reasons]",
	"rows of a range as CSV or JSON", run_export };

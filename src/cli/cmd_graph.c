/* pollwerk graph: a picture of one or several points, with their thresholds drawn in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alarm/rule.h"
#include "base/doc.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/series.h"
#include "graph/graph.h"
#include "graph/picture.h"

#define LIMITS 16

struct graph {
	struct place place;
	struct picture picture;
	struct picture_limit limits[LIMITS];
	char *files[PICTURE_SERIES];
	const char *globs[PICTURE_SERIES];
	size_t glob_count;
	const char *output;
	char made_up[300];
	bool flush;
};

static int
take_pixels(const char *name, const char *text, int *number)
{
	int64_t value;

	if (str_int(text, &value, NULL) == -1 || value < 50 || value > 8000)
		return cmd_usage(&cmd_graph, "%s \"%s\": expected 50 to 8000", name, text);
	*number = (int)value;
	return CMD_OK;
}

static int
take_value(struct graph *g, const char *name, const char *value)
{
	if (strcmp(name, "--from") == 0)
		return place_take_time(&cmd_graph, name, value, &g->picture.from);
	if (strcmp(name, "--to") == 0)
		return place_take_time(&cmd_graph, name, value, &g->picture.to);
	if (strcmp(name, "--width") == 0)
		return take_pixels(name, value, &g->picture.width);
	if (strcmp(name, "--height") == 0)
		return take_pixels(name, value, &g->picture.height);
	if (strcmp(name, "--title") == 0)
		g->picture.title = value;
	else
		g->output = value;
	return CMD_OK;
}

static bool
take_switch(struct graph *g, const char *name)
{
	if (strcmp(name, "--svg") == 0)
		g->picture.svg = true;
	else if (strcmp(name, "--dark") == 0)
		g->picture.dark = true;
	else if (strcmp(name, "--no-flush") == 0)
		g->flush = false;
	else
		return false;
	return true;
}

static int
read_arguments(struct graph *g, int argc, char **argv)
{
	static const char *const valued[] = { "--from", "--to", "--width", "--height", "--title",
		"-o", NULL };

	for (int i = 1; i < argc; i++) {
		const char *name;
		char *value;
		int taken = cmd_option(&cmd_graph, valued, argv, &i, &name, &value);

		if (taken == -1 || (taken == 1 && take_value(g, name, value) != CMD_OK))
			return CMD_USAGE;
		if (taken == 1 || take_switch(g, argv[i]))
			continue;
		if (argv[i][0] == '-')
			return cmd_usage(&cmd_graph, "unknown option %s", argv[i]);
		if (g->glob_count == PICTURE_SERIES)
			return cmd_usage(&cmd_graph, "%d globs at most", PICTURE_SERIES);
		g->globs[g->glob_count++] = argv[i];
	}
	if (g->glob_count == 0)
		return cmd_usage(&cmd_graph, "which points?");
	if (g->picture.from >= g->picture.to)
		return cmd_usage(&cmd_graph, "the range is empty: --from is not before --to");
	return CMD_OK;
}

/* Of what was never good there is no file. */
static bool
is_there(struct graph *g, const struct series *series, const char *file)
{
	if (g->flush && place_flush(&g->place, &series, 1) == -1)
		g->flush = false; /* said once */
	if (access(file, F_OK) == 0)
		return true;
	cmd_error("%s: nothing of it is stored yet", series->path);
	return false;
}

/* Returns how many of them have a history: a text has none. */
static size_t
choose_of(struct graph *g, const struct series *const *list, size_t count)
{
	struct picture *p = &g->picture;
	size_t stored = 0;

	for (size_t i = 0; i < count; i++) {
		char *file;

		if (*list[i]->file == '\0')
			continue;
		stored++;
		if (p->count == PICTURE_SERIES) {
			cmd_error("more than %d points: only the first are drawn", PICTURE_SERIES);
			break;
		}
		file = mem_format("%s/%s", g->place.dirs.rrd_dir, list[i]->file);
		if (!is_there(g, list[i], file)) {
			free(file);
			continue;
		}
		g->files[p->count] = file;
		p->files[p->count] = file;
		p->series[p->count++] = list[i];
	}
	return stored;
}

static int
choose(struct graph *g)
{
	for (size_t i = 0; i < g->glob_count; i++) {
		size_t count;
		const struct series **list = place_find(&g->place, g->globs[i], &count);

		if (choose_of(g, list, count) == 0)
			cmd_error("no stored point matches \"%s\"", g->globs[i]);
		free(list);
	}
	return g->picture.count > 0 ? 0 : -1;
}

static void
add_limit(struct graph *g, const struct rule_options *rule)
{
	if (rule->kind != RULE_ABOVE && rule->kind != RULE_BELOW)
		return; /* no line to draw */
	for (size_t k = 0; k < g->picture.count; k++)
		if (str_glob(rule->on, g->picture.series[k]->path) &&
			g->picture.limit_count < LIMITS)
			g->limits[g->picture.limit_count++] = (struct picture_limit){ rule->name,
				rule->limit, rule->clear, k };
}

static void
find_limits(struct graph *g)
{
	const struct inventory *inventory = g->place.inventory;
	const struct rule_options *rules = inventory == NULL ? NULL : inventory->thresholds;

	g->picture.limits = g->limits;
	for (size_t i = 0; inventory != NULL && i < inventory->threshold_count; i++)
		add_limit(g, &rules[i]);
}

static void
name_output(struct graph *g)
{
	size_t length = g->output != NULL ? strlen(g->output) : 0;
	char name[200];

	if (length > 4 && strcmp(g->output + length - 4, ".svg") == 0)
		g->picture.svg = true;
	if (g->output != NULL)
		return;
	snprintf(g->made_up, sizeof g->made_up, "%s.%s",
		str_file_name(name, sizeof name, g->picture.series[0]->path),
		g->picture.svg ? "svg" : "png");
	g->output = g->made_up;
}

static int
draw(const struct cmd_context *context, struct graph *g)
{
	struct fail why;

	if (place_open(&g->place, context, false) == -1)
		return CMD_NEGATIVE;
	if (choose(g) == -1)
		return CMD_NEGATIVE;
	find_limits(g);
	name_output(g);
	if (graph_draw(&g->picture, g->output, &why) == -1) {
		cmd_error("%s", why.text);
		return CMD_NEGATIVE;
	}
	if (strcmp(g->output, "-") == 0)
		return CMD_OK; /* it is what stdout has */
	if (context->json)
		cmd_print_json(json_pack("[{s:o, s:i}]", "file", doc_text(g->output), "points",
			(int)g->picture.count));
	else
		printf("%s\n", g->output);
	return CMD_OK;
}

static int
run_graph(const struct cmd_context *context, int argc, char **argv)
{
	struct graph g = { .flush = true };
	int status;

	g.picture.to = place_now();
	g.picture.from = g.picture.to - 4 * 3600 * LOOP_S;
	g.picture.width = 600;
	g.picture.height = 180;
	status = read_arguments(&g, argc, argv);
	if (status != CMD_OK)
		return status;
	if (context->json && g.output != NULL && strcmp(g.output, "-") == 0)
		return cmd_usage(&cmd_graph, "-o -: a picture is no JSON");
	status = draw(context, &g);
	for (size_t i = 0; i < g.picture.count; i++)
		free(g.files[i]);
	place_close(&g.place);
	return status;
}

const struct cmd cmd_graph = { "graph", "GLOB... [-o FILE] [--from TIME] [--to TIME] [--width N] "
	"[--height N] [--title TEXT] [--svg] [--dark] [--no-flush]",
	"draw points as PNG or SVG, with their thresholds", run_graph };

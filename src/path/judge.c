#include "path/judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/series.h"

/* Below this coverage a figure is not a proof (DESIGN, reasons and classes). */
#define PROVEN_COVERAGE 99.0

const char *
path_state_word(enum path_state state)
{
	static const char *const words[] = { "unknown", "up", "degraded", "impaired" };

	return words[state];
}

/* "sw-hall3/if[ge-1/5]" -> point oper of if; of a connection the one point that there is. */
static const struct point *
state_point(const struct group *group)
{
	for (size_t p = 0; p < group->point_count; p++)
		if (group->connections || strcmp(group->points[p].name, "oper") == 0)
			return &group->points[p];
	return NULL;
}

/* The table of the row that a hop names. */
static const struct group *
row_group(const struct device *device, const char *name)
{
	const char *table = strchr(name, '/'), *key = strchr(name, '[');

	if (device == NULL || table == NULL || key == NULL || key < table)
		return NULL;
	table++;
	for (size_t g = 0; g < device->group_count; g++) {
		const struct group *group = &device->groups[g];

		if (group->table == NULL || strlen(group->table) != (size_t)(key - table) ||
				strncmp(group->table, table, (size_t)(key - table)) != 0)
			continue;
		if (group->connections || state_point(group) != NULL)
			return group;
	}
	return NULL;
}

static void
member_open(struct member *member, const char *name,
	struct node *(*node)(void *arg, const char *name), void *arg)
{
	const struct group *group;
	char device[41];
	size_t length = strcspn(name, "/");

	str_copy(device, length < sizeof device ? length + 1 : sizeof device, name);
	member->name = name;
	member->node = node(arg, device);
	member->is_device = name[length] == '\0';
	group = row_group(member->node->device, name);
	member->is_connection = group != NULL && group->connections;
	member->oper = group == NULL ? NULL : state_point(group);
}

void
path_open(struct path *path, const struct path_options *options,
	struct node *(*node)(void *arg, const char *name), void *arg)
{
	memset(path, 0, sizeof *path);
	path->options = options;
	account_init(&path->account, options->window);
	path->hops = mem_array(options->hop_count, sizeof *path->hops);
	for (size_t h = 0; h < options->hop_count; h++) {
		struct hop *hop = &path->hops[h];

		hop->count = options->hops[h].count;
		hop->members = mem_array(hop->count, sizeof *hop->members);
		for (size_t m = 0; m < hop->count; m++)
			member_open(&hop->members[m], options->hops[h].names[m], node, arg);
	}
}

void
path_close(struct path *path)
{
	for (size_t h = 0; path->hops != NULL && h < path->options->hop_count; h++)
		free(path->hops[h].members);
	free(path->hops);
	free(path->sources);
	account_free(&path->account);
}

struct source *
path_source_add(struct path *path, const struct series *series)
{
	struct source *source;

	path->sources = mem_grow(path->sources, path->source_count + 1, sizeof *path->sources);
	source = &path->sources[path->source_count++];
	memset(source, 0, sizeof *source);
	source->series = series;
	return source;
}

/* A source that is asked less often than max_age allows cannot be late in between. */
static int64_t
age_limit(const struct path *path, const struct source *source)
{
	int64_t least = source->series->step + source->series->step / 2;

	return path->options->max_age > least ? path->options->max_age : least;
}

static enum hop_verdict
source_verdict(const struct path *path, const struct source *source,
	const struct judge_context *context)
{
	const struct sight *sight = &source->sight;
	int64_t base = sight->good_at;

	if (!sight->told)
		return HOP_UNSEEN;
	if (path->options->max_age == 0)
		return sight_verdict(sight) == HOP_SUSPECT ? HOP_FINE : sight_verdict(sight);
	/* What is old because we were not there is not late. */
	if (base < context->begun)
		base = context->begun;
	if (context->now - base <= age_limit(path, source))
		return sight->good_at == 0 || sight->unmeasured ? HOP_UNSEEN : HOP_FINE;
	return sight->unmeasured || sight->bad == 0 ? HOP_UNSEEN : HOP_BAD;
}

struct hop_finding {
	bool bad, partly, suspect; /* all alternatives bad; some; all at least suspect */
	const struct member *first; /* of those in trouble */
};

static struct hop_finding
hop_find(const struct hop *hop)
{
	struct hop_finding finding = { .bad = hop->count > 0, .suspect = hop->count > 0 };

	for (size_t m = 0; m < hop->count; m++) {
		enum hop_verdict verdict = member_verdict(&hop->members[m]);

		if (verdict == HOP_BAD)
			finding.partly = true;
		else
			finding.bad = false;
		if (verdict != HOP_BAD && verdict != HOP_SUSPECT)
			finding.suspect = false;
		else if (finding.first == NULL || (verdict == HOP_BAD &&
				member_verdict(finding.first) != HOP_BAD))
			finding.first = &hop->members[m];
	}
	return finding;
}

/* First hop in order whose alternatives are all in trouble, one that stands behind its
 * parents only when there is no other; if `any`, a hop with some alternatives bad. */
static const struct member *
find_root(const struct path *path, bool any, const struct judge_context *context)
{
	const struct member *behind = NULL;

	for (size_t h = 0; h < path->options->hop_count; h++) {
		struct hop_finding finding = hop_find(&path->hops[h]);

		if (any ? !finding.partly : !finding.suspect)
			continue;
		if (!member_explained(finding.first, context->find, context->arg))
			return finding.first;
		if (behind == NULL)
			behind = finding.first;
	}
	return behind;
}

struct findings {
	bool source_bad, source_unseen, hop_bad, hop_partly;
	const struct source *late; /* first source that is late */
};

static struct findings
look(const struct path *path, const struct judge_context *context)
{
	struct findings findings = { .source_unseen = path->source_count == 0 };

	for (size_t s = 0; s < path->source_count; s++) {
		enum hop_verdict verdict = source_verdict(path, &path->sources[s], context);

		if (verdict == HOP_BAD && findings.late == NULL)
			findings.late = &path->sources[s];
		findings.source_bad |= verdict == HOP_BAD;
		findings.source_unseen |= verdict == HOP_UNSEEN;
	}
	for (size_t h = 0; h < path->options->hop_count; h++) {
		struct hop_finding finding = hop_find(&path->hops[h]);

		findings.hop_bad |= finding.bad;
		findings.hop_partly |= finding.partly;
	}
	return findings;
}

static void
explain(struct path *path, const struct findings *findings, enum path_state state,
	const struct judge_context *context)
{
	const struct member *root = NULL;
	char why[160];

	if (state == PATH_IMPAIRED)
		root = find_root(path, false, context);
	else if (state == PATH_DEGRADED)
		root = find_root(path, true, context);
	path->root[0] = path->evidence[0] = '\0';
	if (root != NULL) {
		str_copy(path->root, sizeof path->root, root->is_device ||
			root->is_connection || root->node->up.bad == 0 ? root->name : root->node->name);
		member_evidence(root, context->now, path->evidence, sizeof path->evidence);
	} else if (findings->late != NULL) {
		sight_evidence(&findings->late->sight, "no data", findings->late->sight.reason,
			context->now, why, sizeof why);
		snprintf(path->evidence, sizeof path->evidence, "%s: %s",
			findings->late->series->path, why);
	}
}

bool
path_judge(struct path *path, const struct judge_context *context)
{
	struct findings findings = look(path, context);
	enum path_state before = path->state, state;
	char root[sizeof path->root];

	if (findings.source_bad || findings.hop_bad)
		state = PATH_IMPAIRED;
	else if (findings.source_unseen)
		state = PATH_UNKNOWN;
	else
		state = findings.hop_partly ? PATH_DEGRADED : PATH_UP;
	str_copy(root, sizeof root, path->root);
	explain(path, &findings, state, context);
	path->dirty = false;
	path->state = state;
	if (state != before)
		path->since = context->now;
	return state != before || strcmp(root, path->root) != 0;
}

void
path_show(const struct path *path, int64_t now, struct path_view *view)
{
	const struct path_options *options = path->options;
	const struct tally *total = &path->account.total;
	double expected = 0;

	view->age = path->source_count == 0 ? -1 : 0;
	for (size_t s = 0; s < path->source_count; s++) {
		const struct source *source = &path->sources[s];

		expected += (double)options->window / (double)source->series->step;
		if (source->sight.good_at == 0)
			view->age = -1;
		else if (view->age >= 0 && now - source->sight.good_at > view->age)
			view->age = now - source->sight.good_at;
	}
	view->name = options->name;
	view->state = path->state;
	view->since = path->since;
	view->root = path->root;
	view->evidence = path->evidence;
	view->availability = tally_availability(total);
	view->coverage = tally_coverage(total, 0);
	view->worst = tally_worst(total, 0);
	view->target = options->availability;
	view->budget_left = account_budget(&path->account, options->availability, expected);
	view->proven = view->coverage >= PROVEN_COVERAGE;
	view->severity = options->severity;
	view->place = options->place;
	view->owner = options->owner;
	view->help = options->help;
}

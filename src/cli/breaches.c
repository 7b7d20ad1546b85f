#include "cli/breaches.h"

#include <stdlib.h>
#include <string.h>

#include "alarm/rule.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/place.h"
#include "core/device.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"

#define SECOND INT64_C(1000000000)
/* A daemon that has not beaten for so long does not run. */
#define ALIVE (10 * SECOND)

/* The rules, those of one device together. */
struct set {
	const struct rule_options **rules;
	size_t count;
};

static int
by_device(const void *a, const void *b)
{
	const struct rule_options *const *x = a, *const *y = b;
	size_t one = strcspn((*x)->on, "/"), other = strcspn((*y)->on, "/");
	int order = memcmp((*x)->on, (*y)->on, one < other ? one : other);

	return order != 0 ? order : one < other ? -1 : one > other;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct breach_kind *)a)->rule, ((const struct breach_kind *)b)->rule);
}

static void
collect(struct set *set, const struct inventory *inventory)
{
	const struct rule_options *rules = inventory->thresholds;

	set->rules = mem_array(inventory->threshold_count + 1, sizeof *set->rules);
	for (size_t i = 0; i < inventory->threshold_count; i++)
		if (rules[i].standard)
			set->rules[set->count++] = &rules[i];
	qsort(set->rules, set->count, sizeof *set->rules, by_device);
}

/* The first rule of the series' device; count if it has none. */
static size_t
first_of(const struct set *set, const char *path)
{
	const struct rule_options key = { .on = path }, *wanted = &key;
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by_device(&set->rules[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
count_breach(struct breaches *breaches, const char *rule)
{
	size_t i = 0;

	breaches->count++;
	while (i < breaches->kind_count && strcmp(breaches->kinds[i].rule, rule) != 0)
		i++;
	if (i == breaches->kind_count) {
		breaches->kinds = mem_grow(breaches->kinds, i + 1, sizeof *breaches->kinds);
		breaches->kinds[breaches->kind_count++] = (struct breach_kind){ rule, 0 };
	}
	breaches->kinds[i].count++;
}

/* What is older than two intervals is not the state of things. */
static bool
has_value(const struct series *series, const struct latest_row *row, int64_t now)
{
	return row->known && row->reason == REASON_GOOD &&
		now - row->received <= 2 * series->step + ALIVE;
}

/* The others are about what a value does in some time. */
static bool
is_of_now(const struct rule_options *rule)
{
	return rule->kind != RULE_CHANGES && rule->kind != RULE_FROZEN &&
		rule->kind != RULE_UNCHANGED;
}

static bool
is_silent(const struct rule_options *rule, const struct latest_row *row, int64_t now)
{
	return row->known && row->good_at != 0 && now - row->good_at >= rule->hold;
}

static void
judge_series(struct breaches *breaches, const struct set *set, const struct series *series,
	struct latest *latest, int64_t now)
{
	const struct rule_options key = { .on = series->path }, *wanted = &key;
	size_t i = first_of(set, series->path);
	struct latest_row row;
	bool valued, unknown = false;

	if (i == set->count || by_device(&set->rules[i], &wanted) != 0)
		return;
	row.known = false;
	valued = latest_read(latest, series->id, &row) && has_value(series, &row, now);
	for (; i < set->count && by_device(&set->rules[i], &wanted) == 0; i++) {
		const struct rule_options *rule = set->rules[i];

		if (!is_of_now(rule) || !str_glob(rule->on, series->path))
			continue;
		if (rule->kind == RULE_NO_DATA ? is_silent(rule, &row, now) :
			valued && rule_judge(rule, row.value) == RULE_BREACHED)
			count_breach(breaches, rule->name);
		unknown |= rule->kind != RULE_NO_DATA && !valued;
	}
	breaches->unknown += unknown;
}

void
breaches_find(struct breaches *breaches, const struct inventory *inventory,
	const struct series_catalogue *catalogue)
{
	struct fail why;
	struct latest *latest = latest_open_reader(inventory->poller.run_dir, &why);
	int64_t now = place_now();
	struct set set = { 0 };

	*breaches = (struct breaches){ 0 };
	collect(&set, inventory);
	breaches->rules = set.count;
	breaches->known = latest != NULL && catalogue != NULL &&
		now - latest_heartbeat(latest) < ALIVE;
	for (uint32_t id = 1; breaches->known && set.count > 0 && id <= series_last_id(catalogue);
		id++) {
		const struct series *series = series_get(catalogue, id);

		if (series != NULL && series_is_current(catalogue, series))
			judge_series(breaches, &set, series, latest, now);
	}
	if (breaches->kind_count > 0)
		qsort(breaches->kinds, breaches->kind_count, sizeof *breaches->kinds, by_name);
	latest_close(latest);
	free(set.rules);
}

void
breaches_free(struct breaches *breaches)
{
	free(breaches->kinds);
	breaches->kinds = NULL;
}

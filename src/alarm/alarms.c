#include "alarm/alarms.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarm/book.h"
#include "alarm/intro.h"
#include "alarm/outage.h"
#include "alarm/own.h"
#include "alarm/ruleset.h"
#include "base/ahead.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/few.h"
#include "core/frozen.h"
#include "core/latest.h"
#include "core/sample.h"
#include "core/series.h"
#include "path/paths.h"

/* PwCause */
#define CAUSE_NO_ANSWER 505
#define CAUSE_THRESHOLD 549
#define CAUSE_LATE 603
#define CAUSE_MISSING 606

/* No slot of a series for four steps and this long: it is polled no longer. Not heard at all
 * since the start: a day and more, for the slowest that are asked. */
#define RETIRED_AFTER (600 * LOOP_S)
#define RETIRED_UNHEARD (26 * 3600 * LOOP_S)

static int64_t
retired_after(int64_t step)
{
	return 4 * step + RETIRED_AFTER;
}

/* One rule on one series. */
struct watch {
	const struct rule_options *rule;
	struct rule_state state; /* open is set from alarm before each use */
	struct alarm *alarm;
	bool well;               /* a value of this run was none of a breach: what comes is news */
};
/* A series that has rules. */
struct subject {
	uint32_t id;
	const struct series *series;
	struct host *host;           /* NULL: device not in the inventory */
	int64_t seen_at, good_at;    /* wall ns: first told in this run; newest good sample */
	int64_t told_at;             /* wall ns: newest slot */
	struct watch *watches;
	uint32_t watch_count;
	uint16_t stale_rules;        /* no-data rules among them */
	bool is_up;                  /* the device's own `up` */
};
struct alarms {
	struct alarms_options options;
	const struct inventory *inventory;
	struct ruleset ruleset;
	struct book book;
	struct outages outages;
	struct host *lately;      /* whose lost slots were told last, or NULL */
	struct own own;
	struct intro intro;
	struct few subjects;      /* see item_subject */
	/* Ids of the subjects with no-data rules: a second's look at all subjects of a large
	 * plant would hold up the loop for milliseconds. */
	uint32_t *stale;
	uint32_t stale_count;
	struct loop_timer timer;
	int64_t begun;            /* wall ns; 0 while records are replayed */
	int64_t stepped_at;       /* wall ns after the newest step of the clock, 0 none */
};

/* ---- what is kept of a series ---- */

/* A device's own `up` without rules concerns its host only: that is what is kept then, with a
 * bit set that no pointer to one has. There are as many of them as devices, a subject each would
 * be 80 octets. */
#define ITEM_HOST 1u

static struct host *
item_host(void *item)
{
	return (uintptr_t)item & ITEM_HOST ? (struct host *)(void *)((char *)item - ITEM_HOST) :
		((struct subject *)item)->host;
}

/* NULL: it has no rules. */
static struct subject *
item_subject(void *item)
{
	return (uintptr_t)item & ITEM_HOST ? NULL : item;
}

/* As few_next, of those that have rules. */
static struct subject *
next_subject(const struct few *few, uint32_t *id)
{
	void *item;

	while ((item = few_next(few, id)) != NULL) {
		if (item_subject(item) != NULL)
			return item;
		++*id;
	}
	return NULL;
}

/* ---- what all alarms of a device have in common ---- */

static void
describe_path(void *arg, const struct path_view *view)
{
	struct transition *draft = arg;

	transition_text(draft->path, sizeof draft->path, view->name);
	if (!isnan(view->budget_left))
		snprintf(draft->budget, sizeof draft->budget, "%.1f", view->budget_left);
	if (view->state == PATH_IMPAIRED || view->state == PATH_DEGRADED)
		transition_text(draft->root, sizeof draft->root, view->root);
}

static void
describe(void *arg, struct transition *draft, const struct device *device)
{
	struct alarms *alarms = arg;

	transition_text(draft->device, sizeof draft->device, device->name);
	transition_text(draft->address, sizeof draft->address, device->address);
	transition_text(draft->owner, sizeof draft->owner, device->about->owner);
	transition_text(draft->place, sizeof draft->place, device->about->place);
	if (alarms->options.paths != NULL)
		paths_touching(alarms->options.paths, device->name, describe_path, draft);
}

static const char *
severity_shout(enum severity severity, char *to, size_t size)
{
	str_copy(to, size, severity_word(severity));
	for (char *c = to; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return to;
}

static enum condition
rule_condition(const struct rule_options *rule)
{
	return rule->kind == RULE_NO_DATA ? CONDITION_DATA_STALE : CONDITION_THRESHOLD;
}

/* ---- thresholds ---- */

static void
draft_of_rule(struct alarms *alarms, const struct subject *subject,
	const struct rule_options *rule, struct transition *draft)
{
	const char *path = subject->series->path, *slash = strchr(path, '/');

	memset(draft, 0, sizeof *draft);
	draft->condition = rule_condition(rule);
	draft->severity = rule->severity;
	draft->cause = rule->kind == RULE_NO_DATA ? CAUSE_MISSING : CAUSE_THRESHOLD;
	transition_key(draft->key, sizeof draft->key, rule->name, path);
	str_copy(draft->point, sizeof draft->point, path);
	if (subject->host != NULL)
		describe(alarms, draft, outages_device(&alarms->outages, subject->host));
	transition_text(draft->object, sizeof draft->object, slash == NULL ? path : slash + 1);
	transition_text(draft->unit, sizeof draft->unit, subject->series->unit);
	if (rule->place[0] != '\0')
		transition_text(draft->place, sizeof draft->place, rule->place);
	if (rule->owner[0] != '\0')
		transition_text(draft->owner, sizeof draft->owner, rule->owner);
}

/* "71 C >= 70 C", "failed", "failed, not ok", "5 changes within 5m" */
static void
say_breach(const struct rule_options *rule, const struct transition *draft, double value,
	char *to, size_t size)
{
	const char *gap = draft->unit[0] != '\0' ? " " : "", *word = rule_word(rule, value);
	const char *wanted = draft->threshold;
	char span[32];

	switch (rule->kind) {
	case RULE_IS:
		snprintf(to, size, "%s", word != NULL ? word : draft->value);
		break;
	case RULE_IS_NOT:
		if (rule_word(rule, (double)rule->states[0].value) != NULL)
			wanted = rule_word(rule, (double)rule->states[0].value);
		snprintf(to, size, "%s, not %s", word != NULL ? word : draft->value, wanted);
		break;
	case RULE_CHANGES:
		snprintf(to, size, "%s changes within %s", draft->value,
			str_time_span(span, sizeof span, rule->within));
		break;
	default:
		snprintf(to, size, "%s%s%s %s %s%s%s", draft->value, gap, draft->unit,
			rule->kind == RULE_ABOVE ? ">=" : "<=", draft->threshold, gap, draft->unit);
	}
}

static void
breach_text(const struct rule_options *rule, const char *point, double value,
	struct transition *draft)
{
	char text[640], breach[256], span[32] = "", word[24];

	if (rule->hold > 0)
		str_time_span(span, sizeof span, rule->hold);
	say_breach(rule, draft, value, breach, sizeof breach);
	snprintf(text, sizeof text, "%s %s %s: %s%s%s%s%s",
		severity_shout(rule->severity, word, sizeof word), rule->name, point, breach,
		rule->hold > 0 ? " for " : "", span, rule->help[0] != '\0' ? ", " : "",
		rule->help);
	transition_text(draft->text, sizeof draft->text, text);
}

static double
threshold_of(const struct rule_options *rule)
{
	if (rule->kind == RULE_IS || rule->kind == RULE_IS_NOT)
		return (double)rule->states[0].value;
	return rule->kind == RULE_CHANGES ? rule->changes : rule->limit;
}

static void
raise_breach(struct alarms *alarms, struct subject *subject, struct watch *watch, double value)
{
	struct transition draft;

	draft_of_rule(alarms, subject, watch->rule, &draft);
	if (watch->rule->kind == RULE_CHANGES)
		draft.unit[0] = '\0'; /* a number of changes has not the unit of what changes */
	transition_number(draft.value, sizeof draft.value,
		watch->rule->kind == RULE_CHANGES ? watch->rule->changes : value);
	transition_number(draft.threshold, sizeof draft.threshold, threshold_of(watch->rule));
	breach_text(watch->rule, subject->series->path, value, &draft);
	if (!watch->well &&
		intro_takes(&alarms->intro, watch->rule, draft.device, watch->state.since))
		intro_hold(&draft);
	watch->alarm = book_raise(&alarms->book, &draft);
}

static void
clear_breach(struct alarms *alarms, struct subject *subject, struct watch *watch, double value)
{
	const struct rule_options *rule = watch->rule;
	char text[512], number[32], limit[32];
	const char *unit = subject->series->unit, *gap = unit[0] != '\0' ? " " : "";
	const char *path = subject->series->path, *word = rule_word(rule, value);

	transition_number(number, sizeof number, value);
	transition_number(limit, sizeof limit, rule->clear);
	if (rule->kind == RULE_CHANGES)
		snprintf(text, sizeof text, "CLEARED %s %s: steady for %s, %s", rule->name, path,
			str_time_span(limit, sizeof limit, rule->within),
			word != NULL ? word : number);
	else if (rule->kind == RULE_IS || rule->kind == RULE_IS_NOT)
		snprintf(text, sizeof text, "CLEARED %s %s: %s", rule->name, path,
			word != NULL ? word : number);
	else
		snprintf(text, sizeof text, "CLEARED %s %s: %s%s%s %s %s%s%s", rule->name, path,
			number, gap, unit, rule->kind == RULE_ABOVE ? "<=" : ">=", limit, gap, unit);
	if (book_clear(&alarms->book, watch->alarm, number, text))
		watch->alarm = NULL;
}

/* ---- what stands still ---- */

static void
raise_still(struct alarms *alarms, struct subject *subject, struct watch *watch)
{
	const struct rule_options *rule = watch->rule;
	struct transition draft;
	char text[640], span[32], word[24];

	draft_of_rule(alarms, subject, rule, &draft);
	snprintf(draft.value, sizeof draft.value, "%.0f", (double)rule->hold / (double)LOOP_S);
	str_copy(draft.threshold, sizeof draft.threshold, draft.value);
	str_copy(draft.unit, sizeof draft.unit, "s");
	snprintf(text, sizeof text, "%s %s %s: has not changed for %s%s%s%s",
		severity_shout(rule->severity, word, sizeof word), rule->name,
		subject->series->path, str_time_span(span, sizeof span, rule->hold),
		rule->moving_count > 0 ? " while others did" : "", rule->help[0] != '\0' ? ", " : "",
		rule->help);
	transition_text(draft.text, sizeof draft.text, text);
	watch->alarm = book_raise(&alarms->book, &draft);
}

/* An open one ends with a change, never with our own restart or a device that is silent. */
static void
tell_still(struct alarms *alarms, struct subject *subject, struct watch *watch)
{
	enum frozen_verdict verdict = alarms->options.frozen == NULL ? FROZEN_UNDECIDED :
		frozen_verdict(alarms->options.frozen, watch->rule->name, subject->series->id);
	char text[512];

	if (alarms->begun == 0)
		return;
	if (verdict == FROZEN_STANDS && watch->alarm == NULL) {
		raise_still(alarms, subject, watch);
	} else if (verdict == FROZEN_MOVES && watch->alarm != NULL) {
		snprintf(text, sizeof text, "CLEARED %s %s: changes again", watch->rule->name,
			subject->series->path);
		if (book_clear(&alarms->book, watch->alarm, NULL, text))
			watch->alarm = NULL;
	}
}

static void
tell_watch(struct alarms *alarms, struct subject *subject, struct watch *watch, double value,
	int64_t time)
{
	enum rule_verdict verdict;
	enum rule_event event;

	if (watch->rule->kind == RULE_FROZEN || watch->rule->kind == RULE_UNCHANGED) {
		tell_still(alarms, subject, watch);
		return;
	}
	verdict = rule_judge(watch->rule, value);
	watch->well |= verdict == RULE_BETWEEN || verdict == RULE_BACK;
	watch->state.open = watch->alarm != NULL;
	event = rule_sample(watch->rule, &watch->state, value, time);
	if (alarms->begun == 0)
		return; /* replayed: what was due is in the journal, or due again with the next */
	if (event == RULE_RAISE)
		raise_breach(alarms, subject, watch, value);
	else if (event == RULE_CLEAR)
		clear_breach(alarms, subject, watch, value);
}

/* ---- missing data ---- */

static void
raise_stale(struct alarms *alarms, struct subject *subject, struct watch *watch, int64_t age)
{
	const struct rule_options *rule = watch->rule;
	const struct alarm *down = subject->host == NULL ? NULL : host_alarm(subject->host);
	bool behind = down != NULL;
	struct transition draft;
	char text[640], span[32], word[24];

	draft_of_rule(alarms, subject, rule, &draft);
	draft.suppressed = behind;
	if (behind)
		transition_text(draft.root, sizeof draft.root,
			down->last.root[0] != '\0' && down->last.suppressed ? down->last.root :
			outages_device(&alarms->outages, subject->host)->name);
	snprintf(draft.value, sizeof draft.value, "%.0f", (double)age / (double)LOOP_S);
	snprintf(draft.threshold, sizeof draft.threshold, "%.0f",
		(double)rule->hold / (double)LOOP_S);
	str_copy(draft.unit, sizeof draft.unit, "s");
	str_time_span(span, sizeof span, age / LOOP_S * LOOP_S);
	snprintf(text, sizeof text, "%s %s %s: no good sample for %s%s%s",
		severity_shout(rule->severity, word, sizeof word), rule->name,
		subject->series->path, span, rule->help[0] != '\0' ? ", " : "", rule->help);
	transition_text(draft.text, sizeof draft.text, text);
	if (!behind && intro_takes(&alarms->intro, rule, draft.device,
			loop_wall(alarms->options.loop) - age))
		intro_hold(&draft);
	watch->alarm = book_raise(&alarms->book, &draft);
}

static void
clear_stale(struct alarms *alarms, struct subject *subject, struct watch *watch)
{
	char text[512];

	snprintf(text, sizeof text, "CLEARED %s %s: data again", watch->rule->name,
		subject->series->path);
	if (book_clear(&alarms->book, watch->alarm, NULL, text))
		watch->alarm = NULL;
}

/* An open one ends with a good sample, never with our own absence or a restart. */
static void
check_open_stale(struct alarms *alarms, struct subject *subject, struct watch *watch,
	int64_t now)
{
	const struct host *host = subject->host;

	watch->state.open = true;
	if (subject->good_at > watch->alarm->last.since) {
		if (rule_age(watch->rule, &watch->state, now - subject->good_at) == RULE_CLEAR)
			clear_stale(alarms, subject, watch);
	} else if (watch->alarm->last.suppressed && !intro_holds(watch->alarm) && (host == NULL ||
			(host_alarm(host) == NULL && now - host_back_at(host) >= watch->rule->hold))) {
		book_unsuppress(&alarms->book, watch->alarm);
	}
}

static void
check_stale(struct alarms *alarms, struct subject *subject, struct watch *watch, int64_t now)
{
	int64_t base = subject->seen_at;

	if (watch->alarm != NULL) {
		check_open_stale(alarms, subject, watch, now);
		return;
	}
	if (subject->good_at > base)
		base = subject->good_at;
	if (alarms->begun > base)
		base = alarms->begun;
	watch->state.open = false;
	if (now - subject->told_at > retired_after(subject->series->step))
		return; /* polled no longer: nothing is expected */
	if (rule_age(watch->rule, &watch->state, now - base) == RULE_RAISE)
		raise_stale(alarms, subject, watch, now - base);
}

static void
check_all_stale(struct alarms *alarms, struct subject *subject, int64_t now)
{
	if (subject->host == NULL)
		return; /* nothing is expected of a device that was removed */
	for (uint32_t w = 0; w < subject->watch_count; w++)
		if (subject->watches[w].rule->kind == RULE_NO_DATA)
			check_stale(alarms, subject, &subject->watches[w], now);
}

/* ---- which series is watched by what ---- */

static void
attach_watches(struct alarms *alarms, struct subject *subject)
{
	char key[ALARM_KEY + 1];

	for (uint32_t w = 0; w < subject->watch_count; w++) {
		struct watch *watch = &subject->watches[w];

		transition_key(key, sizeof key, watch->rule->name, subject->series->path);
		watch->alarm = book_find(&alarms->book, key);
		if (watch->alarm != NULL &&
				watch->alarm->last.condition != rule_condition(watch->rule))
			watch->alarm = NULL;
	}
}

static void
match_some(struct subject *subject, const struct rule_options *const *rules, size_t count)
{
	for (size_t r = 0; r < count; r++) {
		if (!str_glob(rules[r]->on, subject->series->path))
			continue;
		subject->watches = mem_grow(subject->watches, subject->watch_count + 1,
			sizeof *subject->watches);
		subject->watches[subject->watch_count++] = (struct watch){ .rule = rules[r] };
		if (rules[r]->kind == RULE_NO_DATA)
			subject->stale_rules++;
	}
}

static void
match_rules(struct alarms *alarms, struct subject *subject, const char *device)
{
	const struct rule_options *const *own;
	size_t count = ruleset_of(&alarms->ruleset, device, &own);

	match_some(subject, (const struct rule_options *const *)alarms->ruleset.rules,
		alarms->ruleset.general);
	match_some(subject, own, count);
	if (subject->stale_rules > 0) {
		alarms->stale = mem_grow(alarms->stale, alarms->stale_count + 1,
			sizeof *alarms->stale);
		alarms->stale[alarms->stale_count++] = subject->id;
	}
	if (alarms->begun != 0)
		attach_watches(alarms, subject);
}

static size_t
device_of(const struct series *series, char *device, size_t size)
{
	size_t length = strcspn(series->path, "/");

	str_copy(device, length < size ? length + 1 : size, series->path);
	return length;
}

static const struct series *
kept(const struct alarms *alarms, const struct series *series)
{
	return alarms->options.keep == NULL ? series :
		alarms->options.keep(alarms->options.arg, series->id);
}

static void *
meet(struct alarms *alarms, const struct series *series)
{
	struct subject found = { .id = series->id, .series = series };
	void *item = NULL;
	size_t length;
	char device[41];

	length = device_of(series, device, sizeof device);
	found.is_up = strcmp(series->path + length, "/up") == 0;
	match_rules(alarms, &found, device);
	if (found.is_up || found.watch_count > 0)
		found.host = outages_find(&alarms->outages, device);
	if (found.watch_count > 0) {
		found.seen_at = loop_wall(alarms->options.loop);
		found.series = kept(alarms, series);
		item = mem_copy(&found, sizeof found);
	} else if (found.host != NULL) {
		item = (char *)found.host + ITEM_HOST;
	}
	few_put(&alarms->subjects, series->id, item);
	return item;
}

/* NULL: nobody watches it. */
static inline void *
see(struct alarms *alarms, const struct series *series)
{
	return few_met(&alarms->subjects, series->id) ? few_get(&alarms->subjects, series->id) :
		meet(alarms, series);
}

static void
free_subjects(struct few *subjects)
{
	struct subject *subject;

	for (uint32_t id = 0; (subject = next_subject(subjects, &id)) != NULL; id++) {
		for (uint32_t w = 0; w < subject->watch_count; w++)
			rule_forget(&subject->watches[w].state);
		free(subject->watches);
		free(subject);
	}
	few_free(subjects);
}

/* ---- closed slots ---- */

struct told {
	int64_t at;       /* wall ns of the (last) slot */
	int64_t received; /* wall ns */
	uint8_t reason;
	double value;
	uint32_t slots;
};

static void
tell_up(struct alarms *alarms, struct host *host, const struct told *told)
{
	bool known = told->reason == REASON_GOOD && !isnan(told->value);

	/* What we did not measure says nothing about the device. */
	if (known)
		outages_tell(&alarms->outages, host, told->value != 0, told->slots,
			told->received, alarms->begun != 0);
	else if (reason_class(told->reason) == CLASS_LOST)
		outages_tell(&alarms->outages, host, false, told->slots,
			told->received, alarms->begun != 0);
}

/* Many series of one device are lost one after the other. */
static struct host *
host_of(struct alarms *alarms, const struct series *series)
{
	struct host *host = alarms->lately;
	const char *name = host == NULL ? "" : outages_device(&alarms->outages, host)->name;
	size_t length = strlen(name);
	char device[41];

	if (host != NULL && strncmp(series->path, name, length) == 0 && series->path[length] == '/')
		return host;
	device_of(series, device, sizeof device);
	host = outages_find(&alarms->outages, device);
	alarms->lately = host;
	return host;
}

/* Why a device is down is what its other points are lost for; one whose port is closed loses
 * none, and is down all the same. */
static void
note_lost(struct alarms *alarms, const struct series *series, void *item, uint8_t reason)
{
	struct host *host = item != NULL ? item_host(item) : host_of(alarms, series);

	if (host != NULL)
		host_lost(host, reason);
}

static void
tell(struct alarms *alarms, const struct series *series, const struct told *told)
{
	void *item = see(alarms, series);
	struct subject *subject;

	if (!reason_counts_as_good(told->reason) &&
		(reason_class(told->reason) == CLASS_LOST || told->reason == REASON_REFUSED))
		note_lost(alarms, series, item, told->reason);
	if (item == NULL)
		return;
	subject = item_subject(item);
	if ((subject == NULL || subject->is_up) && item_host(item) != NULL)
		tell_up(alarms, item_host(item), told);
	if (subject == NULL)
		return;
	/* A record says when that was; it is heard now. */
	subject->told_at = alarms->begun != 0 ? told->received : loop_wall(alarms->options.loop);
	if (reason_counts_as_good(told->reason)) {
		subject->good_at = told->received;
		if (subject->stale_rules > 0 && alarms->begun != 0)
			check_all_stale(alarms, subject, subject->told_at);
	}
	for (uint32_t w = 0; w < subject->watch_count; w++) {
		struct watch *watch = &subject->watches[w];

		if (watch->rule->kind != RULE_NO_DATA)
			tell_watch(alarms, subject, watch, told->value, told->at);
		if (watch->alarm != NULL) {
			watch->alarm->heard_at = subject->told_at;
			watch->alarm->step = series->step;
		}
	}
}

/* True where that is not known yet. */
static bool
is_watched(const struct alarms *alarms, uint32_t series)
{
	return !few_met(&alarms->subjects, series) || few_get(&alarms->subjects, series) != NULL;
}

static void
on_sample(void *arg, const struct sample *sample)
{
	struct told told;

	/* Most are good, and nobody watches them. */
	if (reason_counts_as_good(sample->reason) && !is_watched(arg, sample->series->id))
		return;
	told = (struct told){ .at = sample->slot * sample->series->step,
		.received = sample->received, .reason = sample->reason,
		.value = sample->reason == REASON_GOOD ? sample->value : NAN, .slots = 1 };
	tell(arg, sample->series, &told);
}

/* A good `up` without rules: of its series nobody needs to know more. */
static bool
tell_host(struct alarms *alarms, const struct sample_batch *batch, uint32_t i)
{
	const struct sample_item *item = &batch->items[i];
	void *kept = few_get(&alarms->subjects, batch->first + i);
	struct told told = { .received = batch->received, .reason = item->reason,
		.value = item->value, .slots = 1 };

	if (kept == NULL || item_subject(kept) != NULL || item->reason != REASON_GOOD)
		return false;
	tell_up(alarms, item_host(kept), &told);
	return true;
}

static void
on_batch(void *arg, const struct sample_batch *batch)
{
	struct alarms *alarms = arg;
	struct sample sample;

	if (batch->good && few_none(&alarms->subjects, batch->first, batch->count))
		return;
	for (uint32_t i = 0; i < batch->count; i++) {
		if (reason_counts_as_good(batch->items[i].reason) &&
			!is_watched(alarms, batch->first + i))
			continue;
		if (tell_host(alarms, batch, i))
			continue;
		sample_of_batch(batch, i, &sample);
		on_sample(arg, &sample);
	}
}

static void
on_run(void *arg, const struct sample_run *run)
{
	int64_t slots = run->last - run->first + 1;
	struct told told = { .at = run->last * run->series->step, .received = run->decided,
		.reason = run->reason, .value = NAN,
		.slots = slots > 1000 ? 1000 : (uint32_t)slots };

	tell(arg, run->series, &told);
}

/* What is kept is for `up`, the first of a device's, or for few. */
static void
on_ahead(const void *arg, uint32_t first, uint32_t count, unsigned step)
{
	const struct alarms *alarms = arg;
	void *kept;

	few_ahead(&alarms->subjects, first, step);
	if (step == 0)
		few_ahead(&alarms->subjects, first + count - 1, step);
	if (step < 2)
		return;
	kept = few_get(&alarms->subjects, first);
	if (kept != NULL && item_subject(kept) == NULL)
		ahead_fetch(item_host(kept), sizeof(struct host));
}

struct feed_listener
alarms_listener(struct alarms *alarms)
{
	return (struct feed_listener){ .sample = on_sample, .batch = on_batch, .run = on_run,
		.ahead = on_ahead, .arg = alarms };
}

/* ---- paths ---- */

static void
draft_of_path(struct alarms *alarms, const struct path_view *view, struct transition *draft)
{
	char text[640], word[24], device[41];
	const struct host *host;

	memset(draft, 0, sizeof *draft);
	str_copy(device, sizeof device, view->root);
	device[strcspn(device, "/")] = '\0';
	host = outages_find(&alarms->outages, device);
	draft->condition = CONDITION_PATH_IMPAIRED;
	draft->severity = view->severity;
	draft->cause = view->root[0] != '\0' ? CAUSE_NO_ANSWER : CAUSE_LATE;
	transition_key(draft->key, sizeof draft->key, condition_word(CONDITION_PATH_IMPAIRED),
		view->name);
	if (host != NULL) {
		const struct device *at = outages_device(&alarms->outages, host);

		transition_text(draft->device, sizeof draft->device, at->name);
		transition_text(draft->address, sizeof draft->address, at->address);
	}
	transition_text(draft->owner, sizeof draft->owner, view->owner);
	transition_text(draft->place, sizeof draft->place, view->place);
	describe_path(draft, view);
	snprintf(text, sizeof text, "%s path-impaired %s: %s%s%s",
		severity_shout(view->severity, word, sizeof word), view->name,
		view->evidence[0] != '\0' ? view->evidence : "no data",
		view->help[0] != '\0' ? ", " : "", view->help);
	transition_text(draft->text, sizeof draft->text, text);
}

static void
clear_path(struct alarms *alarms, struct alarm *alarm, const struct path_view *view)
{
	char text[160], span[32];

	str_time_span(span, sizeof span, (loop_wall(alarms->options.loop) - alarm->last.since) /
		LOOP_S * LOOP_S);
	snprintf(text, sizeof text, "CLEARED path-impaired %s: data flows again after %s",
		view->name, span);
	book_clear(&alarms->book, alarm, NULL, text);
}

void
alarms_path_changed(void *arg, const struct path_view *view)
{
	struct alarms *alarms = arg;
	struct transition draft;
	struct alarm *alarm;

	if (alarms->begun == 0 || view->state == PATH_UNKNOWN)
		return;
	draft_of_path(alarms, view, &draft);
	alarm = book_find(&alarms->book, draft.key);
	if (view->state != PATH_IMPAIRED) {
		if (alarm != NULL)
			clear_path(alarms, alarm, view);
	} else if (alarm == NULL) {
		book_raise(&alarms->book, &draft);
	} else if (draft.root[0] != '\0' && strcmp(draft.root, alarm->last.root) != 0) {
		book_change(&alarms->book, alarm, &draft);
	}
}

/* ---- what is watched no longer ---- */

static struct watch *
find_watch(struct alarms *alarms, const struct alarm *alarm)
{
	struct subject *subject;

	for (uint32_t id = 0; (subject = next_subject(&alarms->subjects, &id)) != NULL; id++) {
		for (uint32_t w = 0; w < subject->watch_count; w++)
			if (subject->watches[w].alarm == alarm)
				return &subject->watches[w];
	}
	return NULL;
}

static const char *
no_longer(const struct alarms *alarms, const struct transition *open)
{
	const struct rule_options *rules = alarms->inventory->thresholds;
	const struct path_options *paths = alarms->inventory->paths;
	size_t length = strcspn(open->key, "/");
	char device[41];

	if (open->condition == CONDITION_POLLER_IMPAIRED)
		return NULL;
	if (open->condition == CONDITION_DEVICE_DOWN)
		return outages_find(&alarms->outages, open->device) == NULL ? "device removed" : NULL;
	if (open->condition == CONDITION_PATH_IMPAIRED) {
		for (size_t p = 0; p < alarms->inventory->path_count; p++)
			if (strcmp(paths[p].name, open->path) == 0)
				return NULL;
		return "path removed";
	}
	str_copy(device, sizeof device, open->point);
	device[strcspn(device, "/")] = '\0';
	if (outages_find(&alarms->outages, device) == NULL)
		return "device removed";
	for (size_t r = 0; r < alarms->inventory->threshold_count; r++)
		if (strlen(rules[r].name) == length && strncmp(rules[r].name, open->key, length) == 0
				&& rule_condition(&rules[r]) == open->condition &&
				str_glob(rules[r].on, open->point))
			return NULL;
	return "rule removed";
}

static bool
clear_orphan(struct alarms *alarms, struct alarm *alarm, const char *why)
{
	char text[256];

	snprintf(text, sizeof text, "CLEARED %s: %s", alarm->last.key, why);
	return book_clear(&alarms->book, alarm, NULL, text);
}

static void
clear_orphans(struct alarms *alarms)
{
	struct alarm *alarm, *next;

	HASH_ITER(hh, alarms->book.open, alarm, next) {
		const char *why = no_longer(alarms, &alarm->last);

		if (why != NULL)
			clear_orphan(alarms, alarm, why);
	}
}

/* A row that vanished for good has no slots any more, so nothing else would ever end its
 * alarm. */
static void
clear_retired(struct alarms *alarms, int64_t now)
{
	struct alarm *alarm, *next;

	HASH_ITER(hh, alarms->book.open, alarm, next) {
		int64_t heard = alarm->heard_at != 0 ? alarm->heard_at : alarms->begun;
		int64_t patience = alarm->step != 0 ? retired_after(alarm->step) :
			RETIRED_UNHEARD;

		struct watch *watch;

		if (alarm->last.point[0] == '\0' || now - heard <= patience)
			continue;
		watch = find_watch(alarms, alarm);
		if (clear_orphan(alarms, alarm, "no longer polled") && watch != NULL)
			watch->alarm = NULL;
	}
}

static void
change_severities(struct alarms *alarms, struct subject *subject)
{
	for (uint32_t w = 0; w < subject->watch_count; w++) {
		struct watch *watch = &subject->watches[w];
		struct transition draft;
		char word[24], text[256];

		if (watch->alarm == NULL || watch->alarm->last.severity == watch->rule->severity)
			continue;
		draft = watch->alarm->last;
		draft.severity = watch->rule->severity;
		snprintf(text, sizeof text, "%s %s %s: severity changed by a new configuration",
			severity_shout(draft.severity, word, sizeof word), watch->rule->name,
			subject->series->path);
		transition_text(draft.text, sizeof draft.text, text);
		book_change(&alarms->book, watch->alarm, &draft);
	}
}

/* ---- life ---- */

static void
show_path(void *arg, const struct path_view *view)
{
	alarms_path_changed(arg, view);
}

static void
on_timer(void *arg)
{
	struct alarms *alarms = arg;
	int64_t now = loop_wall(alarms->options.loop);

	loop_timer_in(alarms->options.loop, &alarms->timer, LOOP_S);
	outages_tick(&alarms->outages);
	own_tick(&alarms->own);
	intro_tick(&alarms->intro);
	clear_retired(alarms, now);
	for (uint32_t i = 0; i < alarms->stale_count; i++)
		check_all_stale(alarms, few_get(&alarms->subjects, alarms->stale[i]), now);
	/* The hook told each change; this is for what the journal did not take then, and for
	 * a path that changed while nobody ran. */
	if (alarms->options.paths != NULL)
		paths_each(alarms->options.paths, show_path, alarms);
}

struct alarms *
alarms_new(const struct alarms_options *options, const struct inventory *inventory)
{
	struct alarms *alarms = mem_zero(sizeof *alarms);

	alarms->options = *options;
	alarms->inventory = inventory;
	ruleset_open(&alarms->ruleset, inventory->thresholds, inventory->threshold_count);
	alarms->book = (struct book){ .loop = options->loop, .next_sequence = 1, .next_id = 1,
		.began = loop_mono(options->loop), .record = options->record, .changed = options->changed, .arg = options->arg };
	alarms->outages = (struct outages){ .book = &alarms->book, .describe = describe,
		.arg = alarms };
	alarms->own.book = &alarms->book;
	alarms->intro = (struct intro){ .book = &alarms->book, .state = options->state };
	outages_open(&alarms->outages, inventory);
	loop_timer_init(&alarms->timer, on_timer, alarms);
	return alarms;
}

void
alarms_free(struct alarms *alarms)
{
	if (alarms == NULL)
		return;
	loop_timer_stop(alarms->options.loop, &alarms->timer);
	free_subjects(&alarms->subjects);
	free(alarms->stale);
	ruleset_close(&alarms->ruleset);
	outages_close(&alarms->outages);
	intro_close(&alarms->intro);
	book_free(&alarms->book);
	free(alarms);
}

void
alarms_begin(struct alarms *alarms)
{
	struct subject *subject;

	alarms->begun = loop_wall(alarms->options.loop);
	/* First, as a rule for all devices met the series of those that are gone, too. */
	clear_orphans(alarms);
	outages_attach(&alarms->outages);
	for (uint32_t id = 0; (subject = next_subject(&alarms->subjects, &id)) != NULL; id++)
		attach_watches(alarms, subject);
	outages_doubt(&alarms->outages);
	intro_open(&alarms->intro, alarms->inventory);
	loop_timer_in(alarms->options.loop, &alarms->timer, LOOP_S);
}

static bool
is_same_rule(const struct rule_options *one, const struct rule_options *other)
{
	return strcmp(one->name, other->name) == 0 && one->kind == other->kind &&
		one->changes == other->changes;
}

static void
keep_states(struct subject *subject, struct subject *old)
{
	subject->seen_at = old->seen_at;
	subject->told_at = old->told_at;
	subject->good_at = old->good_at;
	for (uint32_t w = 0; w < subject->watch_count; w++)
		for (uint32_t o = 0; o < old->watch_count; o++)
			if (is_same_rule(subject->watches[w].rule, old->watches[o].rule)) {
				subject->watches[w].state = old->watches[o].state;
				subject->watches[w].well = old->watches[o].well;
				old->watches[o].state.changes = NULL;
			}
}

/* A series that no rule was about until now: when it was heard stands in RUN_DIR/latest. */
static void
look_up_times(const struct alarms *alarms, struct subject *subject)
{
	/* What was before a step of the clock was so long ago only by the clock. */
	int64_t least = alarms->stepped_at > alarms->begun ? alarms->stepped_at : alarms->begun;
	struct latest_row row;

	/* It was met in this run. */
	subject->told_at = least;
	if (alarms->options.latest == NULL ||
		!latest_read(alarms->options.latest, subject->id, &row))
		return;
	if (row.received > least)
		subject->told_at = row.received;
	if (row.good_at == 0)
		return;
	subject->good_at = row.good_at > least ? row.good_at : least;
	subject->seen_at = subject->good_at;
}

/* The device was not there until now: what was of it before that is another story. */
static bool
is_back(const struct alarms *alarms, const struct host *host, const struct outages *former)
{
	return alarms->begun != 0 && host != NULL &&
		outages_find(former, outages_device(&alarms->outages, host)->name) == NULL;
}

/* Every series that was met meets the new rules. */
static void
meet_again(struct alarms *alarms, const struct few *old, const struct outages *old_outages)
{
	const struct host *host = NULL;
	bool back = false;

	for (uint32_t id = 0; few_next_met(old, &id); id++) {
		void *was = few_get(old, id), *is;
		struct subject *former = was == NULL ? NULL : item_subject(was), *subject;
		const struct series *series = former != NULL ? former->series :
			alarms->options.series(alarms->options.arg, id);

		if (series == NULL)
			continue;
		is = see(alarms, series);
		subject = is == NULL ? NULL : item_subject(is);
		if (subject == NULL)
			continue;
		/* Those of one device mostly follow one another. */
		if (subject->host != host)
			back = is_back(alarms, host = subject->host, old_outages);
		if (back)
			subject->seen_at = subject->told_at = loop_wall(alarms->options.loop);
		else if (former != NULL)
			keep_states(subject, former);
		else
			look_up_times(alarms, subject);
		if (alarms->begun != 0)
			change_severities(alarms, subject);
	}
}

void
alarms_configure(struct alarms *alarms, const struct inventory *inventory)
{
	struct few old = alarms->subjects;
	struct outages old_outages = alarms->outages;

	alarms->inventory = inventory;
	ruleset_close(&alarms->ruleset);
	ruleset_open(&alarms->ruleset, inventory->thresholds, inventory->threshold_count);
	alarms->subjects = (struct few){ 0 };
	alarms->stale_count = 0;
	outages_open(&alarms->outages, inventory);
	alarms->lately = NULL;
	outages_keep(&alarms->outages, &old_outages);
	if (alarms->begun != 0) {
		clear_orphans(alarms);
		intro_open(&alarms->intro, inventory);
	}
	outages_attach(&alarms->outages);
	meet_again(alarms, &old, &old_outages);
	outages_close(&old_outages);
	free_subjects(&old);
}

void
alarms_trouble(struct alarms *alarms, enum trouble trouble, const char *text)
{
	own_set(&alarms->own, trouble, text);
}

static void
shift(int64_t *time, int64_t delta)
{
	if (*time != 0)
		*time += delta;
}

void
alarms_clock_stepped(struct alarms *alarms, int64_t delta)
{
	struct subject *subject;

	if (delta <= 0)
		return;
	alarms->stepped_at = loop_wall(alarms->options.loop);
	shift(&alarms->begun, delta);
	intro_shift(&alarms->intro, delta);
	for (uint32_t id = 0; (subject = next_subject(&alarms->subjects, &id)) != NULL; id++) {
		shift(&subject->seen_at, delta);
		shift(&subject->good_at, delta);
		shift(&subject->told_at, delta);
	}
	for (struct alarm *alarm = alarms->book.open; alarm != NULL; alarm = alarm->hh.next)
		shift(&alarm->heard_at, delta);
	outages_clock_stepped(&alarms->outages, delta);
}

bool
alarms_announce(struct alarms *alarms, enum condition condition, uint32_t lost)
{
	return book_announce(&alarms->book, condition, lost);
}

/* ---- over a restart ---- */

static void
put_timers(const struct alarms *alarms, struct record_buffer *body)
{
	const struct subject *subject;
	uint32_t count = 0;
	size_t at = body->used;

	record_put_u32(body, 0); /* the count is known at the end */
	for (uint32_t id = 0; (subject = next_subject(&alarms->subjects, &id)) != NULL; id++) {
		for (uint32_t w = 0; w < subject->watch_count; w++) {
			if (subject->watches[w].state.since == 0 || subject->watches[w].alarm != NULL)
				continue;
			record_put_text(body, subject->watches[w].rule->name);
			record_put_u32(body, id);
			record_put_u64(body, (uint64_t)subject->watches[w].state.since);
			count++;
		}
	}
	for (int i = 0; i < 4; i++)
		body->bytes[at + (size_t)i] = (uint8_t)(count >> 8 * i);
}

static void
put_hosts(const struct alarms *alarms, struct record_buffer *body)
{
	uint32_t count = 0;

	for (size_t h = 0; h < alarms->outages.count; h++)
		count += host_bad(&alarms->outages.hosts[h]) > 0;
	record_put_u32(body, count);
	for (size_t h = 0; h < alarms->outages.count; h++) {
		const struct host *host = &alarms->outages.hosts[h];

		if (host_bad(host) == 0)
			continue;
		record_put_text(body, outages_device(&alarms->outages, host)->name);
		record_put_u32(body, host_bad(host));
		record_put_u64(body, (uint64_t)host_bad_at(host));
	}
}

void
alarms_snapshot(const struct alarms *alarms,
	uint64_t (*put)(void *arg, enum record_kind kind, const void *body, size_t size), void *arg)
{
	struct record_buffer body = { 0 };

	record_put_u32(&body, alarms->book.next_sequence);
	record_put_u32(&body, alarms->book.next_id);
	record_put_u32(&body, (uint32_t)HASH_COUNT(alarms->book.open));
	for (struct alarm *alarm = alarms->book.open; alarm != NULL; alarm = alarm->hh.next)
		transition_put(&alarm->last, &body);
	put_timers(alarms, &body);
	put_hosts(alarms, &body);
	put(arg, KIND_ALARM_STATE, body.bytes, body.used);
	record_buffer_free(&body);
}

static void
replay_timer(struct alarms *alarms, const char *rule, uint32_t id, int64_t since)
{
	const struct series *series = alarms->options.series(alarms->options.arg, id);
	struct subject *subject;
	void *item;

	if (series == NULL)
		return;
	item = see(alarms, series);
	subject = item == NULL ? NULL : item_subject(item);
	for (uint32_t w = 0; subject != NULL && w < subject->watch_count; w++)
		if (strcmp(subject->watches[w].rule->name, rule) == 0)
			subject->watches[w].state.since = since;
}

static int
replay_state(struct alarms *alarms, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	uint32_t next_sequence = record_get_u32(&cursor), next_id = record_get_u32(&cursor);
	uint32_t count = record_get_u32(&cursor);
	struct transition open;
	char name[64];

	/* A snapshot is the whole truth: it replaces what was known. */
	book_free(&alarms->book);
	for (; count > 0 && !cursor.failed; count--)
		if (transition_get(&open, &cursor) == 0)
			book_replay(&alarms->book, &open);
	if (!cursor.failed) {
		alarms->book.next_sequence = next_sequence;
		alarms->book.next_id = next_id;
	}
	for (count = record_get_u32(&cursor); count > 0 && !cursor.failed; count--) {
		uint32_t id;
		int64_t since;

		record_get_text(&cursor, name, sizeof name);
		id = record_get_u32(&cursor);
		since = (int64_t)record_get_u64(&cursor);
		if (!cursor.failed)
			replay_timer(alarms, name, id, since);
	}
	for (count = record_get_u32(&cursor); count > 0 && !cursor.failed; count--) {
		struct host *host;
		uint32_t bad;
		int64_t bad_at;

		record_get_text(&cursor, name, sizeof name);
		bad = record_get_u32(&cursor);
		bad_at = (int64_t)record_get_u64(&cursor);
		host = cursor.failed ? NULL : outages_find(&alarms->outages, name);
		if (host != NULL)
			host_recall(host, bad, bad_at);
	}
	return cursor.failed ? -1 : 0;
}

static int
replay_samples(struct alarms *alarms, const struct record *record)
{
	struct record_samples walk;
	struct record_sample sample;

	if (record_samples_open(record, &walk) == -1)
		return -1;
	while (record_samples_next(&walk, &sample)) {
		const struct series *series = alarms->options.series(alarms->options.arg,
			sample.series);
		struct told told = { .at = sample.slot * sample.step, .received = sample.received,
			.reason = sample.reason, .slots = 1,
			.value = sample.reason == REASON_GOOD ? sample.value : NAN };

		if (series != NULL)
			tell(alarms, series, &told);
	}
	return 0;
}

static int
replay_run(struct alarms *alarms, const struct record *record)
{
	const struct series *series;
	struct record_run found;
	struct sample_run run;

	if (record_run_read(record, &found) == -1)
		return -1;
	series = alarms->options.series(alarms->options.arg, found.series);
	if (series == NULL)
		return 0;
	run = (struct sample_run){ .series = series, .first = found.first, .last = found.last,
		.decided = found.decided, .reason = found.reason };
	on_run(alarms, &run);
	return 0;
}

static int
replay_numbers(struct alarms *alarms, struct record_cursor *cursor)
{
	uint32_t next_sequence = record_get_u32(cursor), next_id = record_get_u32(cursor);

	if (!cursor->failed)
		book_raise_numbers(&alarms->book, next_sequence, next_id);
	return cursor->failed ? -1 : 0;
}

int
alarms_replay(struct alarms *alarms, const struct record *record)
{
	struct record_cursor cursor = { record->body, record->body + record->size, false };
	struct transition transition;

	switch (record->kind) {
	case KIND_ALARM_STATE:
		return replay_state(alarms, record);
	case KIND_ALARM:
		if (transition_get(&transition, &cursor) == -1)
			return -1;
		book_replay(&alarms->book, &transition);
		return 0;
	case KIND_NUMBERS:
		return replay_numbers(alarms, &cursor);
	case KIND_ROWS:
	case KIND_SAMPLES:
		return replay_samples(alarms, record);
	case KIND_RUN:
		return replay_run(alarms, record);
	default:
		return 0;
	}
}

/* ---- for others to see ---- */

static void
show(const struct transition *open, struct alarm_view *view, char *rule, size_t size)
{
	const char *condition = condition_word(open->condition);

	/* The user knows a threshold by the name he gave it. */
	if (open->condition == CONDITION_THRESHOLD || open->condition == CONDITION_DATA_STALE) {
		str_copy(rule, size, open->key);
		rule[strcspn(rule, "/")] = '\0';
		condition = rule;
	}
	*view = (struct alarm_view){ .key = open->key, .condition = condition, .id = open->id,
		.severity = open->severity, .device = open->device, .object = open->object,
		.path = open->path, .value = open->value, .threshold = open->threshold,
		.unit = open->unit, .since = open->since, .text = open->text,
		.suppressed = open->suppressed, .root = open->root, .owner = open->owner,
		.place = open->place };
}

void
alarms_each(const struct alarms *alarms,
	void (*each)(void *arg, const struct alarm_view *view), void *arg)
{
	for (struct alarm *alarm = alarms->book.open; alarm != NULL; alarm = alarm->hh.next) {
		struct alarm_view view;
		char rule[ALARM_KEY + 1];

		show(&alarm->last, &view, rule, sizeof rule);
		each(arg, &view);
	}
}

size_t
alarms_count(const struct alarms *alarms)
{
	return HASH_COUNT(alarms->book.open);
}

uint32_t
alarms_next_sequence(const struct alarms *alarms)
{
	return alarms->book.next_sequence;
}

#include "alarm/intro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "alarm/book.h"
#include "alarm/rule.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "journal/state.h"

#define SUBJECT "monitoring-began"
#define ROOT "monitoring began" /* stands in the root of what is held */
#define CAUSE_OTHER 1024 /* PwCause */
#define NAMED 50 /* conditions in the log */
#define KINDS 16 /* rules in the summary */

struct newcomer {
	UT_hash_handle hh;
	int64_t until; /* wall ns; what began later is no first condition */
	char name[41];
};

/* ---- who is new ---- */

static struct newcomer *
find(const struct intro *intro, const char *device)
{
	struct newcomer *newcomer;

	HASH_FIND_STR(intro->newcomers, device, newcomer);
	return newcomer;
}

static bool
is_known(const struct intro *intro, const char *device)
{
	return find(intro, device) != NULL ||
		(intro->state != NULL && state_get(intro->state, device) != NULL);
}

void
intro_open(struct intro *intro, const struct inventory *inventory)
{
	const struct rule_options *rules = inventory->thresholds;
	int64_t settle = inventory->poller.alarm_settle;

	intro->rate = inventory->poller.alarm_rate;
	for (size_t i = 0; i < inventory->threshold_count; i++) {
		size_t length = strcspn(rules[i].on, "/");
		struct newcomer *newcomer;
		char device[41];

		if (!rules[i].standard || settle == 0 || length >= sizeof device)
			continue;
		str_copy(device, length + 1, rules[i].on);
		if (is_known(intro, device))
			continue;
		newcomer = mem_zero(sizeof *newcomer);
		str_copy(newcomer->name, sizeof newcomer->name, device);
		newcomer->until = loop_wall(intro->book->loop) + settle;
		HASH_ADD_STR(intro->newcomers, name, newcomer);
		intro->until = newcomer->until;
	}
}

void
intro_close(struct intro *intro)
{
	struct newcomer *newcomer, *next;

	HASH_ITER(hh, intro->newcomers, newcomer, next) {
		HASH_DEL(intro->newcomers, newcomer);
		free(newcomer);
	}
}

bool
intro_takes(const struct intro *intro, const struct rule_options *rule, const char *device,
	int64_t since)
{
	const struct newcomer *newcomer = rule->standard ? find(intro, device) : NULL;

	return newcomer != NULL && since <= newcomer->until;
}

void
intro_hold(struct transition *draft)
{
	draft->suppressed = true;
	str_copy(draft->root, sizeof draft->root, ROOT);
}

bool
intro_holds(const struct alarm *alarm)
{
	return alarm->last.suppressed && strcmp(alarm->last.root, ROOT) == 0;
}

/* ---- what is held ---- */

static size_t
count_held(const struct intro *intro)
{
	size_t count = 0;

	for (const struct alarm *alarm = intro->book->open; alarm != NULL; alarm = alarm->hh.next)
		count += intro_holds(alarm);
	return count;
}

static struct alarm *
worst_held(const struct intro *intro)
{
	struct alarm *worst = NULL;

	for (struct alarm *alarm = intro->book->open; alarm != NULL; alarm = alarm->hh.next)
		if (intro_holds(alarm) && (worst == NULL ||
			severity_gravity(alarm->last.severity) >
				severity_gravity(worst->last.severity)))
			worst = alarm;
	return worst;
}

/* A rule of what is held, and how often. */
struct kind {
	const char *key;
	size_t length, count;
};

static size_t
add_kind(struct kind *kinds, size_t count, const char *key)
{
	size_t length = strcspn(key, "/"), k = 0;

	while (k < count && (kinds[k].length != length ||
		strncmp(kinds[k].key, key, length) != 0))
		k++;
	if (k == KINDS)
		return count;
	kinds[k].key = key;
	kinds[k].length = length;
	kinds[k].count++;
	return k < count ? count : count + 1;
}

/* "psu-lost 3, ring-open 1", in the order in which they came up; as many as a text holds. */
static void
list_rules(const struct intro *intro, char *to, size_t size)
{
	struct kind kinds[KINDS] = { { 0 } };
	size_t count = 0, used = 0;

	for (const struct alarm *alarm = intro->book->open; alarm != NULL; alarm = alarm->hh.next)
		if (intro_holds(alarm))
			count = add_kind(kinds, count, alarm->last.key);
	to[0] = '\0';
	for (size_t k = 0; k < count && used < size; k++)
		used += (size_t)snprintf(to + used, size - used, "%s%.*s %zu", k > 0 ? ", " : "",
			(int)kinds[k].length, kinds[k].key, kinds[k].count);
}

static void
log_held(const struct intro *intro)
{
	size_t count = 0;

	for (const struct alarm *alarm = intro->book->open; alarm != NULL; alarm = alarm->hh.next)
		if (intro_holds(alarm) && ++count <= NAMED)
			log_info("open when monitoring began: %s", alarm->last.text);
	if (count > NAMED)
		log_info("open when monitoring began: %zu more, see pollwerk alarms", count - NAMED);
}

/* ---- the summary ---- */

static const char *
summary_key(char *to, size_t size)
{
	transition_key(to, size, condition_word(CONDITION_POLLER_IMPAIRED), SUBJECT);
	return to;
}

static struct alarm *
find_summary(const struct intro *intro)
{
	char key[ALARM_KEY + 1];

	return book_find(intro->book, summary_key(key, sizeof key));
}

/* False: the journal does not take it now. */
static bool
sum_up(struct intro *intro, size_t count)
{
	struct transition draft = { .condition = CONDITION_POLLER_IMPAIRED, .cause = CAUSE_OTHER,
		.severity = worst_held(intro)->last.severity };
	struct alarm *alarm = find_summary(intro);
	char text[400], rules[200];

	summary_key(draft.key, sizeof draft.key);
	transition_text(draft.object, sizeof draft.object, SUBJECT);
	snprintf(draft.value, sizeof draft.value, "%zu", count);
	list_rules(intro, rules, sizeof rules);
	snprintf(text, sizeof text, "%zu condition%s %s open when monitoring began: %s", count,
		count == 1 ? "" : "s", count == 1 ? "was" : "were", rules);
	transition_text(draft.text, sizeof draft.text, text);
	return alarm != NULL ? book_change(intro->book, alarm, &draft) :
		book_raise(intro->book, &draft) != NULL;
}

static void
note_introduced(struct intro *intro)
{
	for (struct newcomer *newcomer = intro->newcomers; newcomer != NULL;
		newcomer = newcomer->hh.next)
		if (intro->state != NULL)
			state_set(intro->state, newcomer->name, "introduced");
	if (intro->state != NULL)
		state_save(intro->state);
	intro->until = 0;
}

static void
tell_some(struct intro *intro)
{
	struct alarm *alarm;

	intro->credit += intro->rate / 60.0;
	while (intro->credit >= 1 && (alarm = worst_held(intro)) != NULL) {
		if (!book_unsuppress(intro->book, alarm))
			return;
		intro->credit -= 1;
	}
	if (intro->credit > 1)
		intro->credit = 1;
}

void
intro_tick(struct intro *intro)
{
	size_t count = count_held(intro);
	struct alarm *summary;

	if (intro->until != 0) {
		if (loop_wall(intro->book->loop) < intro->until)
			return;
		if (count > 0 && !sum_up(intro, count))
			return;
		log_held(intro);
		note_introduced(intro);
	}
	if (count > 0) {
		tell_some(intro);
		return;
	}
	summary = find_summary(intro);
	if (summary != NULL)
		book_clear(intro->book, summary, NULL, "CLEARED poller-impaired/" SUBJECT
			": all of these conditions are raised or over");
}

void
intro_shift(struct intro *intro, int64_t delta)
{
	if (intro->until != 0)
		intro->until += delta;
	for (struct newcomer *one = intro->newcomers; one != NULL; one = one->hh.next)
		one->until += delta;
}

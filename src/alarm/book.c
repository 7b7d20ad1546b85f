#include "alarm/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

#define CAUSE_RESTART 157 /* IANA-ITU-ALARM-TC, as listed at PwCause */

void
book_free(struct book *book)
{
	struct alarm *alarm, *next;

	HASH_ITER(hh, book->open, alarm, next) {
		HASH_DEL(book->open, alarm);
		free(alarm);
	}
}

struct alarm *
book_find(const struct book *book, const char *key)
{
	struct alarm *alarm;

	HASH_FIND_STR(book->open, key, alarm);
	return alarm;
}

static void
add(struct book *book, struct alarm *alarm)
{
	HASH_ADD_STR(book->open, last.key, alarm);
}

static void
drop(struct book *book, struct alarm *alarm)
{
	HASH_DEL(book->open, alarm);
	free(alarm);
}

/* Numbers are given here and nowhere else; a number that the journal did not take is given
 * again: nobody has seen it. */
static bool
write_down(struct book *book, struct transition *transition)
{
	struct record_buffer body = { 0 };
	uint64_t journal;

	transition->time = loop_wall(book->loop);
	transition->uptime = (uint32_t)((loop_mono(book->loop) - book->began) / (LOOP_S / 100));
	transition->sequence = transition->suppressed ? 0 : book->next_sequence;
	transition_put(transition, &body);
	journal = book->record(book->arg, KIND_ALARM, body.bytes, body.used);
	record_buffer_free(&body);
	if (journal == 0)
		return false;
	if (!transition->suppressed)
		book->next_sequence++;
	if (book->changed != NULL)
		book->changed(book->arg, transition, journal);
	return true;
}

struct alarm *
book_raise(struct book *book, const struct transition *draft)
{
	struct alarm *alarm;

	if (book_find(book, draft->key) != NULL)
		return NULL;
	alarm = mem_zero(sizeof *alarm);
	alarm->last = *draft;
	alarm->last.kind = TRANSITION_RAISE;
	alarm->last.id = book->next_id;
	alarm->last.since = loop_wall(book->loop);
	if (!write_down(book, &alarm->last)) {
		free(alarm);
		return NULL;
	}
	book->next_id++;
	add(book, alarm);
	return alarm;
}

bool
book_change(struct book *book, struct alarm *alarm, const struct transition *draft)
{
	struct transition change = *draft;

	change.kind = TRANSITION_CHANGE;
	change.id = alarm->last.id;
	change.since = alarm->last.since;
	change.suppressed = alarm->last.suppressed;
	str_copy(change.key, sizeof change.key, alarm->last.key);
	if (!write_down(book, &change))
		return false;
	alarm->last = change;
	return true;
}

bool
book_unsuppress(struct book *book, struct alarm *alarm)
{
	struct transition raise = alarm->last;

	raise.kind = TRANSITION_RAISE;
	raise.suppressed = false;
	raise.root[0] = '\0';
	if (!write_down(book, &raise))
		return false;
	alarm->last = raise;
	return true;
}

bool
book_clear(struct book *book, struct alarm *alarm, const char *value, const char *text)
{
	struct transition clear = alarm->last;

	clear.kind = TRANSITION_CLEAR;
	clear.severity = SEVERITY_CLEARED;
	transition_text(clear.value, sizeof clear.value, value == NULL ? "" : value);
	transition_text(clear.text, sizeof clear.text, text);
	if (!write_down(book, &clear))
		return false;
	drop(book, alarm);
	return true;
}

/* The worst that is open. */
static enum severity
worst_of(const struct book *book)
{
	enum severity worst = SEVERITY_CLEARED;

	for (const struct alarm *alarm = book->open; alarm != NULL; alarm = alarm->hh.next)
		if (severity_gravity(alarm->last.severity) > severity_gravity(worst))
			worst = alarm->last.severity;
	return worst;
}

bool
book_announce(struct book *book, enum condition condition, uint32_t lost)
{
	struct transition transition = { .kind = TRANSITION_RAISE, .condition = condition,
		.severity = worst_of(book), .cause = CAUSE_RESTART,
		.open = HASH_COUNT(book->open), .lost = lost };

	return write_down(book, &transition);
}

void
book_replay(struct book *book, const struct transition *transition)
{
	struct alarm *alarm = book_find(book, transition->key);

	if (transition->sequence >= book->next_sequence)
		book->next_sequence = transition->sequence + 1;
	if (transition->id >= book->next_id)
		book->next_id = transition->id + 1;
	if (transition->condition >= CONDITION_STARTED)
		return;
	if (transition->kind == TRANSITION_CLEAR) {
		if (alarm != NULL)
			drop(book, alarm);
		return;
	}
	if (alarm == NULL) {
		alarm = mem_zero(sizeof *alarm);
		alarm->last = *transition;
		add(book, alarm);
	}
	alarm->last = *transition;
}

void
book_raise_numbers(struct book *book, uint32_t next_sequence, uint32_t next_id)
{
	if (next_sequence > book->next_sequence)
		book->next_sequence = next_sequence;
	if (next_id > book->next_id)
		book->next_id = next_id;
}

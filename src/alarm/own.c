#include "alarm/own.h"

#include <stdio.h>

#include "alarm/book.h"
#include "base/loop.h"
#include "base/str.h"

#define CAUSE_OTHER 1024 /* PwCause */
/* So long it lasts before it is told, and is gone before that is told. */
#define RAISE_AFTER (2 * LOOP_S)
#define CLEAR_AFTER (10 * LOOP_S)

static const char *const subjects[TROUBLES] = { [TROUBLE_JOURNAL] = "journal",
	[TROUBLE_STORE] = "store", [TROUBLE_CLOCK] = "clock",
	[TROUBLE_ADDRESS] = "address" };

void
own_set(struct own *own, enum trouble trouble, const char *text)
{
	struct own_trouble *t = &own->troubles[trouble];
	bool is = text != NULL;

	if (!t->told || t->is != is)
		t->since = loop_mono(own->book->loop);
	t->told = true;
	t->is = is;
	if (is)
		str_copy(t->text, sizeof t->text, text);
}

static void
raise_trouble(struct own *own, int trouble, const char *key)
{
	struct transition draft = { .condition = CONDITION_POLLER_IMPAIRED,
		.severity = SEVERITY_MAJOR, .cause = CAUSE_OTHER };
	char text[300];

	str_copy(draft.key, sizeof draft.key, key);
	transition_text(draft.object, sizeof draft.object, subjects[trouble]);
	snprintf(text, sizeof text, "MAJOR %s: %s", key, own->troubles[trouble].text);
	transition_text(draft.text, sizeof draft.text, text);
	book_raise(own->book, &draft);
}

static void
clear_trouble(struct own *own, struct alarm *alarm)
{
	char text[200], span[32];

	str_time_span(span, sizeof span, (loop_wall(own->book->loop) - alarm->last.since) /
		LOOP_S * LOOP_S);
	snprintf(text, sizeof text, "CLEARED %s: well again after %s", alarm->last.key, span);
	book_clear(own->book, alarm, NULL, text);
}

void
own_tick(struct own *own)
{
	int64_t now = loop_mono(own->book->loop);

	for (int i = 0; i < TROUBLES; i++) {
		const struct own_trouble *t = &own->troubles[i];
		struct alarm *alarm;
		char key[ALARM_KEY + 1];

		if (!t->told || now - t->since < (t->is ? RAISE_AFTER : CLEAR_AFTER))
			continue;
		transition_key(key, sizeof key, condition_word(CONDITION_POLLER_IMPAIRED),
			subjects[i]);
		alarm = book_find(own->book, key);
		if (t->is && alarm == NULL)
			raise_trouble(own, i, key);
		else if (!t->is && alarm != NULL)
			clear_trouble(own, alarm);
	}
}

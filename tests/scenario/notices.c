#include "scenario/notices.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alarm/transition.h"
#include "base/mem.h"

struct notice {
	uint64_t journal;
	struct transition transition;
};

struct raised {
	char key[ALARM_KEY + 1];
	uint32_t id;
	bool open;
};

static void
error(struct notices *notices, const struct transition *t, const char *what)
{
	if (notices->errors++ == 0)
		snprintf(notices->first_error, sizeof notices->first_error,
			"number %u, alarm %u \"%s\": %s", t->sequence, t->id, t->key, what);
}

void
notices_changed(struct notices *notices, const struct transition *transition, uint64_t journal)
{
	if (notices->waiting_count == notices->waiting_room) {
		notices->waiting_room = notices->waiting_room * 2 + 64;
		notices->waiting = mem_grow(notices->waiting, notices->waiting_room,
			sizeof *notices->waiting);
	}
	notices->waiting[notices->waiting_count++] = (struct notice){ journal, *transition };
}

static struct raised *
raised_of(struct notices *notices, const char *key)
{
	struct raised *raised;

	for (size_t i = 0; i < notices->raised_count; i++)
		if (strcmp(notices->raised[i].key, key) == 0)
			return &notices->raised[i];
	if (notices->raised_count == notices->raised_room) {
		notices->raised_room = notices->raised_room * 2 + 64;
		notices->raised = mem_grow(notices->raised, notices->raised_room,
			sizeof *notices->raised);
	}
	raised = &notices->raised[notices->raised_count++];
	*raised = (struct raised){ .id = 0 };
	snprintf(raised->key, sizeof raised->key, "%s", key);
	return raised;
}

static void
take(struct notices *notices, const struct transition *t)
{
	struct raised *raised;

	if (t->sequence != 0) {
		if (t->sequence != notices->last + 1)
			error(notices, t, "its number does not follow the one before");
		notices->last = t->sequence;
		notices->told++;
	}
	if (t->id == 0)
		return;
	raised = raised_of(notices, t->key);
	if (t->kind == TRANSITION_RAISE) {
		if (raised->open)
			error(notices, t, "raised twice");
		raised->open = true;
		raised->id = t->id;
		notices->raises++;
		return;
	}
	if (!raised->open)
		error(notices, t, "changed or cleared without having been raised");
	else if (raised->id != t->id)
		error(notices, t, "goes on under another id");
	if (t->kind == TRANSITION_CLEAR)
		raised->open = false;
}

void
notices_committed(struct notices *notices, uint64_t journal)
{
	size_t count = 0;

	while (count < notices->waiting_count && notices->waiting[count].journal <= journal)
		take(notices, &notices->waiting[count++].transition);
	notices->waiting_count -= count;
	memmove(notices->waiting, notices->waiting + count,
		notices->waiting_count * sizeof *notices->waiting);
}

void
notices_killed(struct notices *notices)
{
	notices->lost += notices->waiting_count;
	notices->waiting_count = 0;
}

size_t
notices_open(const struct notices *notices)
{
	size_t open = 0;

	for (size_t i = 0; i < notices->raised_count; i++)
		open += notices->raised[i].open;
	return open;
}

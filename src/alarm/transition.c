#include "alarm/transition.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "journal/record.h"

const char *
condition_word(enum condition condition)
{
	switch (condition) {
	case CONDITION_DEVICE_DOWN:
		return "device-down";
	case CONDITION_PATH_IMPAIRED:
		return "path-impaired";
	case CONDITION_THRESHOLD:
		return "threshold";
	case CONDITION_DATA_STALE:
		return "data-stale";
	case CONDITION_POLLER_IMPAIRED:
		return "poller-impaired";
	case CONDITION_STARTED:
		return "started";
	case CONDITION_STOPPING:
		return "stopping";
	}
	return "unknown";
}

void
transition_text(char *to, size_t size, const char *text)
{
	size_t length = strlen(text), keep = length < size ? length : size - 2;

	/* Not in the middle of a character: continuation bytes begin with 10. */
	while (keep < length && keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
		keep--;
	for (size_t i = 0; i < keep; i++) {
		unsigned char byte = (unsigned char)text[i];

		to[i] = byte < 0x20 || byte == 0x7f ? ' ' : byte == '"' ? '\'' : text[i];
	}
	if (keep < length)
		to[keep++] = '~';
	to[keep] = '\0';
}

const char *
transition_number(char *to, size_t size, double value)
{
	if (isnan(value))
		str_copy(to, size, "NaN");
	else if (fabs(value) < 1e15 && value == floor(value))
		snprintf(to, size, "%.0f", value == 0 ? 0.0 : value); /* no "-0" */
	else
		snprintf(to, size, "%.10g", value);
	return to;
}

void
transition_key(char *to, size_t size, const char *name, const char *subject)
{
	char whole[ALARM_KEY + ALARM_POINT + 2];
	size_t room = size - 1 < ALARM_KEY ? size - 1 : ALARM_KEY;

	snprintf(whole, sizeof whole, "%s/%s", name, subject);
	if (strlen(whole) <= room) {
		transition_text(to, size, whole);
		return;
	}
	transition_text(to, room - 8 + 1, whole); /* ends in '~' */
	snprintf(to + strlen(to), 9, "%08x", (unsigned)str_hash(whole, strlen(whole)));
}

struct text_field {
	size_t offset, size;
};
#define FIELD(name) { offsetof(struct transition, name), sizeof ((struct transition *)0)->name }
static const struct text_field text_fields[] = {
	FIELD(key), FIELD(point), FIELD(device), FIELD(address), FIELD(path), FIELD(object),
	FIELD(value), FIELD(threshold), FIELD(unit), FIELD(text), FIELD(root), FIELD(budget),
	FIELD(owner), FIELD(place),
};
#define TEXT_FIELDS (sizeof text_fields / sizeof text_fields[0])

void
transition_put(const struct transition *transition, struct record_buffer *body)
{
	record_put_u32(body, transition->sequence);
	record_put_u32(body, transition->id);
	record_put_u8(body, (uint8_t)transition->kind);
	record_put_u8(body, (uint8_t)transition->condition);
	record_put_u8(body, transition->suppressed);
	record_put_u8(body, (uint8_t)transition->severity);
	record_put_u16(body, transition->cause);
	record_put_u32(body, transition->open);
	record_put_u32(body, transition->lost);
	record_put_u32(body, transition->uptime);
	record_put_u64(body, (uint64_t)transition->time);
	record_put_u64(body, (uint64_t)transition->since);
	for (size_t i = 0; i < TEXT_FIELDS; i++)
		record_put_text(body, (const char *)transition + text_fields[i].offset);
}

int
transition_get(struct transition *transition, struct record_cursor *cursor)
{
	memset(transition, 0, sizeof *transition);
	transition->sequence = record_get_u32(cursor);
	transition->id = record_get_u32(cursor);
	transition->kind = (enum transition_kind)record_get_u8(cursor);
	transition->condition = (enum condition)record_get_u8(cursor);
	transition->suppressed = record_get_u8(cursor) != 0;
	transition->severity = (enum severity)record_get_u8(cursor);
	transition->cause = record_get_u16(cursor);
	transition->open = record_get_u32(cursor);
	transition->lost = record_get_u32(cursor);
	transition->uptime = record_get_u32(cursor);
	transition->time = (int64_t)record_get_u64(cursor);
	transition->since = (int64_t)record_get_u64(cursor);
	for (size_t i = 0; i < TEXT_FIELDS; i++)
		record_get_text(cursor, (char *)transition + text_fields[i].offset,
			text_fields[i].size);
	return cursor->failed || transition->kind < TRANSITION_RAISE ||
		transition->kind > TRANSITION_RESYNC ? -1 : 0;
}

#include "core/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/series.h"

static const struct {
	uint8_t reason;
	const char *word;
	enum reason_class class;
} words[] = {
	{ REASON_GOOD, "good", CLASS_GOOD },
	{ REASON_FIRST, "first", CLASS_NO_RATE },
	{ REASON_DISCONTINUITY, "discontinuity", CLASS_NO_RATE },
	{ REASON_TIMEOUT, "timeout", CLASS_LOST },
	{ REASON_UNREACHABLE, "unreachable", CLASS_LOST },
	{ REASON_GATEWAY, "gateway", CLASS_LOST },
	{ REASON_NO_SUCH_ROW, "no-such-row", CLASS_LOST },
	{ REASON_BAD_REPLY, "bad-reply", CLASS_LOST },
	{ REASON_INVALID_VALUE, "invalid-value", CLASS_LOST },
	{ REASON_FROZEN, "frozen", CLASS_LOST },
	{ REASON_PARENT_DOWN, "parent-down", CLASS_LOST },
	{ REASON_BREAKER, "breaker", CLASS_LOST },
	{ REASON_POLLER_DOWN, "poller-down", CLASS_UNMEASURED },
	{ REASON_ISOLATED, "isolated", CLASS_UNMEASURED },
	{ REASON_OVERRUN, "overrun", CLASS_UNMEASURED },
	{ REASON_STORE_FULL, "store-full", CLASS_UNMEASURED },
	{ REASON_CLOCK_STEP, "clock-step", CLASS_UNMEASURED },
	{ REASON_CONFIG, "config", CLASS_UNMEASURED },
	{ REASON_AUTH, "auth", CLASS_UNMEASURED },
	{ REASON_REFUSED, "refused", CLASS_UNMEASURED },
	{ REASON_WRONG_SOURCE, "wrong-source", CLASS_UNMEASURED },
	{ REASON_TOO_BIG, "too-big", CLASS_UNMEASURED },
	{ REASON_NO_SUCH_OBJECT, "no-such-object", CLASS_UNMEASURED },
	{ REASON_PAUSED, "paused", CLASS_UNMEASURED },
};
#define WORDS (sizeof words / sizeof words[0])

/* "exception-1" .. "exception-127", "reason-0" .. "reason-127" */
static char numbered[256][16];

const char *
reason_word(uint8_t reason)
{
	for (size_t i = 0; i < WORDS; i++)
		if (words[i].reason == reason)
			return words[i].word;
	snprintf(numbered[reason], sizeof numbered[0], "%s-%d",
		reason > REASON_EXCEPTION ? "exception" : "reason",
		reason > REASON_EXCEPTION ? reason - REASON_EXCEPTION : reason);
	return numbered[reason];
}

int
reason_parse(const char *word)
{
	int64_t number;

	for (size_t i = 0; i < WORDS; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].reason;
	if (strncmp(word, "exception-", 10) == 0 && str_int(word + 10, &number, NULL) == 0 &&
		number >= 1 && number <= 127)
		return REASON_EXCEPTION + (int)number;
	return -1;
}

enum reason_class
reason_class(uint8_t reason)
{
	for (size_t i = 0; i < WORDS; i++)
		if (words[i].reason == reason)
			return words[i].class;
	return reason > REASON_EXCEPTION ? CLASS_LOST : CLASS_UNMEASURED;
}

const char *
reason_class_word(enum reason_class class)
{
	static const char *const names[] = { "good", "no-rate", "lost", "unmeasured" };

	return names[class];
}

void
sample_of_batch(const struct sample_batch *batch, uint32_t i, struct sample *sample)
{
	const struct sample_item *item = &batch->items[i];

	*sample = (struct sample){ .series = series_show(batch->catalogue, batch->first + i),
		.slot = batch->slot, .received = batch->received, .reason = item->reason,
		.has_raw = item->has_raw, .beyond = item->beyond, .value = item->value, .raw = item->raw };
}

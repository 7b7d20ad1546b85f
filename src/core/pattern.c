#include "core/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void
patterns_free(struct patterns *patterns)
{
	for (uint32_t i = 0; i < patterns->count; i++)
		free(patterns->list[i]);
	free(patterns->list);
	free(patterns->heads);
	free(patterns->gone);
	*patterns = (struct patterns){ 0 };
}

static uint32_t *
head_of(const struct patterns *patterns, uint32_t hash)
{
	return &patterns->heads[hash & (patterns->room - 1)];
}

static void
grow(struct patterns *patterns)
{
	uint32_t room = patterns->room == 0 ? 64 : patterns->room * 2;

	patterns->list = mem_grow(patterns->list, room, sizeof *patterns->list);
	patterns->gone = mem_grow(patterns->gone, room, sizeof *patterns->gone);
	free(patterns->heads);
	patterns->heads = mem_array(room, sizeof *patterns->heads);
	patterns->room = room;
	for (uint32_t i = 0; i < patterns->count; i++) {
		struct pattern *pattern = patterns->list[i];

		if (pattern == NULL)
			continue;
		pattern->next = *head_of(patterns, pattern->hash);
		*head_of(patterns, pattern->hash) = i + 1;
	}
}

static uint32_t
add(struct patterns *patterns, const struct pattern_list *list, uint32_t hash)
{
	size_t numbers = list->count * sizeof list->numbers[0];
	struct pattern *pattern = mem_zero(sizeof *pattern + numbers + list->count);
	uint32_t index;

	if (patterns->gone_count == 0 && patterns->count == patterns->room)
		grow(patterns);
	index = patterns->gone_count > 0 ? patterns->gone[--patterns->gone_count] :
		patterns->count++;
	pattern->users = 1;
	pattern->hash = hash;
	pattern->count = list->count;
	memcpy(pattern->numbers, list->numbers, numbers);
	memcpy(pattern->numbers + list->count, list->marks, list->count);
	pattern->next = *head_of(patterns, hash);
	*head_of(patterns, hash) = index + 1;
	patterns->list[index] = pattern;
	return index;
}

uint32_t
patterns_hold(struct patterns *patterns, const struct pattern_list *list)
{
	size_t size = list->count * sizeof list->numbers[0];
	uint32_t hash = (uint32_t)str_hash(list->numbers, size);
	struct pattern *pattern;

	for (uint32_t at = patterns->room == 0 ? 0 : *head_of(patterns, hash); at != 0;
		at = pattern->next) {
		pattern = patterns->list[at - 1];
		if (pattern->hash == hash && pattern->count == list->count &&
			memcmp(pattern->numbers, list->numbers, size) == 0) {
			pattern->users++;
			return at - 1;
		}
	}
	return add(patterns, list, hash);
}

void
patterns_drop(struct patterns *patterns, uint32_t index)
{
	struct pattern *pattern = patterns->list[index];
	uint32_t *link;

	if (--pattern->users > 0)
		return;
	link = head_of(patterns, pattern->hash);
	while (*link != index + 1)
		link = &patterns->list[*link - 1]->next;
	*link = pattern->next;
	free(pattern);
	patterns->list[index] = NULL;
	patterns->gone[patterns->gone_count++] = index;
}

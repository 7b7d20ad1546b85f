#include "modbus/release.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"

struct release {
	struct release *next;
	int64_t until;
	char line[];
};

void
release_set(struct release **all, const char *line, int64_t until)
{
	struct release *at, *next;
	size_t length = strlen(line);

	LL_FOREACH_SAFE(*all, at, next) {
		if (strcmp(at->line, line) != 0)
			continue;
		LL_DELETE(*all, at);
		free(at);
	}
	if (until == 0)
		return;
	at = mem_zero(sizeof(*at) + length + 1);
	memcpy(at->line, line, length + 1);
	at->until = until;
	LL_PREPEND(*all, at);
}

int64_t
release_until(const struct release *all, const char *line, int64_t now)
{
	const struct release *at;

	LL_FOREACH(all, at) {
		if (strcmp(at->line, line) == 0)
			return at->until > now ? at->until : 0;
	}
	return 0;
}

void
release_free(struct release *all)
{
	struct release *at, *next;

	LL_FOREACH_SAFE(all, at, next)
		free(at);
}

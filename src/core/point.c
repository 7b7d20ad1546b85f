#include "core/point.h"

#include <string.h>

static const char *const kinds[] = { "gauge", "counter", "state", "text" };

const char *
point_kind_word(enum point_kind kind)
{
	return kinds[kind];
}

int
point_kind_parse(const char *word)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(kinds[i], word) == 0)
			return i;
	return -1;
}

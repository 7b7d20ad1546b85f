#include "core/severity.h"

#include <string.h>

static const char *const words[] = {
	"", "cleared", "indeterminate", "critical", "major", "minor", "warning"
};

const char *
severity_word(enum severity severity)
{
	return words[severity];
}

int
severity_parse(const char *word)
{
	for (int i = SEVERITY_INDETERMINATE; i <= SEVERITY_WARNING; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

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

/* The numbers are not ordered by gravity (RFC 3877). */
int
severity_gravity(enum severity severity)
{
	switch (severity) {
	case SEVERITY_CRITICAL:
		return 5;
	case SEVERITY_MAJOR:
		return 4;
	case SEVERITY_MINOR:
		return 3;
	case SEVERITY_WARNING:
		return 2;
	case SEVERITY_INDETERMINATE:
		return 1;
	case SEVERITY_CLEARED:
		break;
	}
	return 0;
}

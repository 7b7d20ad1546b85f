/* severity.h - how bad: the X.733 numbers that RFC 3877 uses, so lower is not simply worse. */
#ifndef PW_SEVERITY_H
#define PW_SEVERITY_H

enum severity {
	SEVERITY_CLEARED = 1,
	SEVERITY_INDETERMINATE = 2,
	SEVERITY_CRITICAL = 3,
	SEVERITY_MAJOR = 4,
	SEVERITY_MINOR = 5,
	SEVERITY_WARNING = 6,
};

const char *severity_word(enum severity severity); /* "critical", ... */
int severity_parse(const char *word);              /* -1 for an unknown word */
int severity_gravity(enum severity severity);      /* the larger the worse, 0 for cleared */
#endif

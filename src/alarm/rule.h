/* rule.h - a threshold as configured, and whether a value breaches it. Pure. */
#ifndef PW_RULE_H
#define PW_RULE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/severity.h"

enum rule_kind { RULE_ABOVE, RULE_BELOW, RULE_NO_DATA };

struct rule_options {
	const char *name;
	const char *on;          /* glob over point paths; templates' rules already carry the device */
	enum rule_kind kind;
	double limit;            /* breached when value >= limit (above) or <= limit (below) */
	double clear;            /* back when value <= clear (above) or >= clear (below) */
	int64_t hold;            /* ns that the breach must last (`for`); no data: its age */
	enum severity severity;
	const char *help;        /* "" when not given */
	const char *text, *place, *owner; /* "": the device's */
	const char *file;
	int line;
};
#endif

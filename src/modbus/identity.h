/* identity.h - how a template knows its device: registers, or objects of its identification
 * (function 43/14), that hold what only this device has there. Pure; config/ fills it. */
#ifndef PW_IDENTITY_H
#define PW_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modbus/regs.h"

struct identity_check {
	int object;                /* 0 to 6 of function 43/14; -1: registers */
	uint8_t function;          /* 3 or 4 */
	uint16_t pdu;
	struct regs_spec spec;
	const char *const *texts;  /* of objects and strings: globs, one of which fits */
	const struct regs_range *ranges; /* of numbers: one of which holds it */
	size_t count;              /* of the one or the other */
};

/* All checks must hold. */
struct identity {
	const char *template;
	const struct identity_check *checks;
	size_t count;
	const char *watchdog; /* reads can retrigger its outputs' watchdog: where that is set; or "" */
};

/* Does what stands in these registers, regs_count(&check->spec) of them, fit? */
bool identity_fits(const struct identity_check *check, const uint8_t *bytes);
bool identity_fits_text(const struct identity_check *check, const char *text);
#endif

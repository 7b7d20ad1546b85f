/* sunspec.h - the chain of models of a SunSpec device.
 *
 * SunSpec Device Information Model Specification: "SunS" stands at 40000, 50000 or 0, and then
 * models follow one another, each an id, a length and as many registers, until id 0xFFFF.
 * Bounded: a chain that does not end is cut. */
#ifndef PW_SUNSPEC_H
#define PW_SUNSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct wire;

enum { SUNSPEC_MODELS = 64, SUNSPEC_TEXT = 33 };

struct sunspec_model {
	uint16_t id, length; /* registers behind id and length */
	uint16_t address;    /* PDU address of the id */
};
struct sunspec {
	uint16_t base;       /* of "SunS" */
	struct sunspec_model models[SUNSPEC_MODELS];
	size_t count;
	/* Of the common model 1; "" where there is none. */
	char maker[SUNSPEC_TEXT], model[SUNSPEC_TEXT], version[17], serial[SUNSPEC_TEXT];
	char cut[120];       /* why the chain was not followed to its end; "" when it was */
};

/* -1 and why: no marker at any of the three places, or the device does not answer. */
int sunspec_walk(struct wire *wire, struct sunspec *found, struct fail *why);
/* "inverter, three phase" and the like; "" for an id that is not known here. */
const char *sunspec_name(uint16_t id);
#endif

/* pause.h - asks the daemon to leave a Modbus line alone, or whether it does.
 *
 * The answer has "line" (its name), "released" (closed, and nobody asks) and "left" (seconds). */
#ifndef PW_PAUSE_H
#define PW_PAUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
struct fail;

/* name: of the line or of a device on it. seconds 0: the daemon takes it again. Waits up to
 * `patience` ns until what is under way there has ended. NULL and why; reached: a daemon said
 * that it cannot. */
json_t *pause_order(const char *run_dir, const char *name, int seconds, int64_t patience,
	bool *reached, struct fail *why);
/* How it is; changes nothing. */
json_t *pause_look(const char *run_dir, const char *name, struct fail *why);
#endif

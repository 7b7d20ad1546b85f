/* probe_sunspec.h - `probe --sunspec`: which SunSpec models a device has, and where. */
#ifndef PW_PROBE_SUNSPEC_H
#define PW_PROBE_SUNSPEC_H

#include <stdbool.h>
struct cmd_context;
struct device;
struct inventory;

/* An exit status. beside: on a line of its own, also beside the daemon's. */
int probe_sunspec(const struct cmd_context *context, const struct inventory *inventory,
	const struct device *device, bool beside);
#endif

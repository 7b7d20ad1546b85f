/* wanted.h - what is asked of a device for a group of its points, as block.h takes it.
 *
 * The one place that knows which keys of a point keep it apart from others; who polls and who
 * estimates (busplan.h) ask here, so they agree. Pure. */
#ifndef PW_WANTED_H
#define PW_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "modbus/block.h"
struct fail;
struct group;
struct modbus_options;
struct modbus_point;

/* How much a device is asked for at once. The barriers are those of the options. */
struct block_limits wanted_limits(const struct modbus_options *options);
/* Is the point in no request with others, but those of its atomic group? */
bool wanted_alone(const struct modbus_options *options, const struct modbus_point *wire);
/* Point `index` of the group; its tag is the index. -1 and why: it cannot be asked for. */
int wanted_point(const struct modbus_options *options, const struct group *group, size_t index,
	struct block_point *point, struct fail *why);
/* Two points of one atomic group that are not read by one request: false when there are none. */
bool wanted_torn(const struct modbus_options *options, const struct group *group, size_t *one,
	size_t *other);
#endif

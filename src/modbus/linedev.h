/* linedev.h - a line as a device: a driver that asks nobody.
 *
 * An entry of `lines` that somebody uses stands in the inventory as a device of its name. Once
 * an interval it tells what became of the line since: up (the connection or tty works and not
 * all units are silent), rtt, and its points. So a line is a hop of a path, the parent of its
 * units, and has its load drawn, like anything else. */
#ifndef PW_LINEDEV_H
#define PW_LINEDEV_H

#include "core/point.h"
struct driver;

#define LINEDEV_GROUP "line"

/* load: percent of the time in which a question could not have gone out at once, because
 * another one, the pause after it, or connecting took the line. silent: units whose last
 * question was not answered. crowded: the other side closes what it accepts, because others
 * have all its connections. */
enum { LINEDEV_LOAD, LINEDEV_SILENT, LINEDEV_CROWDED, LINEDEV_POINTS };
extern const struct point linedev_points[LINEDEV_POINTS];

/* Its env is the struct modbus. */
extern const struct driver linedev_driver;
#endif

/* bus_view.h - what check and plan say of the time of each Modbus line (modbus/busplan.h). */
#ifndef PW_BUS_VIEW_H
#define PW_BUS_VIEW_H

#include <jansson.h>
#include <stddef.h>
struct inventory;

/* A line each, the busiest first, `most` at the most and a word on the rest. Lines that have
 * one unit and no bus behind it count as rest while they are less than half busy. Nothing
 * where nothing is asked by Modbus. */
void bus_view_print(const struct inventory *inventory, size_t most);
/* All of them: name, file, line, units, questions, load, round, interval, baud, in_time_with,
 * dead: [{units, load, round}]. A new reference. */
json_t *bus_view_json(const struct inventory *inventory);
#endif

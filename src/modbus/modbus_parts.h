/* modbus_parts.h - what the files of this room share about a device's line. */
#ifndef PW_MODBUS_PARTS_H
#define PW_MODBUS_PARTS_H

#include "modbus/line.h"
struct loop;
struct modbus;
struct modbus_options;

enum { MODBUS_LINE_NAME = 64 };

/* The line of a device as options of line_join, but for retry_within; name is room for the
 * one that is made from an address. */
void modbus_line_options(const struct modbus_options *device, struct line_options *line,
	char name[MODBUS_LINE_NAME]);
struct lines *modbus_lines(struct modbus *modbus);
struct loop *modbus_loop(struct modbus *modbus);
#endif

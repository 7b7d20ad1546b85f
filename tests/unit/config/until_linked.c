/* Drivers that the library does not have yet; weak, so that the real ones win. */
#include <stdbool.h>
#include <stdint.h>
#include "core/driver.h"
extern const struct driver snmp_driver, modbus_driver;
bool reach_tcp_port_allowed(uint16_t port);
__attribute__((weak)) const struct driver snmp_driver = { .name = "snmp" };
__attribute__((weak)) const struct driver modbus_driver = { .name = "modbus" };
__attribute__((weak)) bool
reach_tcp_port_allowed(uint16_t port)
{
	return port != 102 && port != 502 && port != 802 && port != 44818;
}

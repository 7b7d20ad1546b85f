/* plc.h - the plant's Modbus servers on net_sim: an own small codec, every fault logged.
 * Shares no code with src/modbus. */
#ifndef PW_SCENARIO_PLC_H
#define PW_SCENARIO_PLC_H

#include <stdint.h>
#include "scenario/plant.h"

/* Two kinds of device: one block of registers, or two in different register spaces. */
extern const struct plant_point plc_press[], plc_meter[];
enum { PLC_PRESS_POINTS = 4, PLC_METER_POINTS = 4 };

void plc_open(struct plant *plant); /* all hosts get on the net */
/* Switches off (a black hole), ends the server (refused), or starts it again. */
void plc_set(struct plant *plant, struct plant_host *host, int state);
/* What the network did with connects; for net_sim_watch. */
void plc_seen(int event, const struct net_addr *at);
#endif

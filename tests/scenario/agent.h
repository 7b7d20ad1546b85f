/* agent.h - the plant's SNMP agents (v2c) and its hosts that only answer pings, on net_sim.
 * An own small BER codec; shares no code with src/snmp. */
#ifndef PW_SCENARIO_AGENT_H
#define PW_SCENARIO_AGENT_H

#include "scenario/plant.h"

/* Two kinds: a few scalars, or a table whose rows come, go and change their numbers. */
enum { AGENT_SCALARS = 4, AGENT_ROWS = 4, AGENT_COLUMNS = 2,
	AGENT_CELLS = AGENT_ROWS * AGENT_COLUMNS };
extern const struct plant_point agent_scalars[AGENT_SCALARS];
extern const struct plant_point agent_cells[AGENT_CELLS]; /* row by row */
/* 1.3.6.1.4.1.32473.99: scalar i is .1.i.0, column i is .2.1.i, the row's name is .2.1.9 */
enum { AGENT_PREFIX = 8 };
extern const uint32_t agent_prefix[AGENT_PREFIX];

void agent_open(struct plant *plant); /* all agents and hosts get on the net */
/* A host that answers pings, or does not. */
void agent_set_ping(struct plant_device *device, bool answers);
/* What the network did with datagrams and pings; for net_sim_watch. */
void agent_seen(int event, const struct net_addr *at);
#endif

/* agents.h - the agents that engine.c and whole.c poll: addresses that follow one another, at
 * each a table of interfaces of which ten counters are asked for, rows named by ifName. */
#ifndef BENCH_AGENTS_H
#define BENCH_AGENTS_H

#include <stddef.h>
#include "base/net.h"
#include "core/point.h"
#include "snmp/snmp.h"

#define AGENTS_COLUMNS 10

extern const struct snmp_group agents_table;
const struct point *agents_points(void); /* AGENTS_COLUMNS of them */
struct net_addr agents_address(const struct net_addr *first, size_t i);
#endif

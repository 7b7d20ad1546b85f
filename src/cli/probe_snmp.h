/* probe_snmp.h - the half of `pollwerk probe` that looks at an SNMP agent. */
#ifndef PW_PROBE_SNMP_H
#define PW_PROBE_SNMP_H

struct cmd_context;
struct device;
struct mib;

/* Asks who it is and what of the usual objects it has, prints that; the exit status. mib may
 * be NULL. */
int probe_snmp(const struct cmd_context *context, const struct device *device,
	struct mib *mib);
#endif

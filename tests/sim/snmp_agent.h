/* snmp_agent.h - one simulated agent: answers a request as RFC 3416 says (RFC 1157 for v1)
 * or, when a fault strikes, in the wrong way that was asked for.
 *
 * Knows no sockets: it fills a delivery that the server carries out. */
#ifndef SIM_SNMP_AGENT_H
#define SIM_SNMP_AGENT_H

#include "sim.h"
#include "snmp_ber.h"
#include "snmp_mib.h"

/* Probabilities from 0 to 1 unless said otherwise; names and meaning in snmp_faults. */
struct snmp_faults {
	double dead, drop, delay, jitter, duplicate, wrong_id, wrong_community, wrong_version,
		wrong_port, wrong_address, wrong_oid, reorder, shorter, wrong_type, counter64,
		truncate, junk, garbage, oversize, too_big, gen_err, nonincreasing, endless,
		count;
};
extern const struct fault_name snmp_faults[];

struct agent {
	struct mib mib;
	struct snmp_faults faults;
};

/* What is to be sent, and how. */
struct delivery {
	uint8_t *bytes;
	size_t room, length; /* length 0: nothing is sent */
	double delay;        /* ms */
	bool twice, wrong_port, wrong_address;
	char done[160]; /* for the log: "answered", "dropped", "answered,wrong_id" */
};

struct agent_options {
	const char *community;
	size_t max_size; /* the largest answer, octets */
};

/* Answers r at this time of the simulation. answer keeps what was served until the next
 * call. A SET is refused and reported as done "set". */
void agent_answer(struct agent *a, const struct agent_options *options,
	const struct request *r, int64_t now, struct answer *answer, struct delivery *d);
#endif

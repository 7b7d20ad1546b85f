/* bed_agent.h - agents of the SNMP simulator, put on the network in memory. */
#ifndef BED_AGENT_H
#define BED_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct answer;
struct loop;
struct net_addr;
struct net_sim_client;

struct bed_agent;
/* At ADDRESS:161, community "public", interfaces ge-1/1 .. ge-1/ROWS with indexes STEP apart.
 * Counters run on the loop's wall time. Answers take 1 ms. */
struct bed_agent *bed_agent_new(struct loop *loop, const char *address, size_t rows,
	uint32_t step);
void bed_agent_free(struct bed_agent *agent);
void bed_at(struct bed_agent *agent, struct loop *loop); /* the one that time goes on in */
/* "drop=1 count=2": see the simulator's help. The test fails when it does not know it. */
void bed_faults(struct bed_agent *agent, const char *words);
/* Answers come from this address instead; NULL: from the agent's own. */
void bed_answers_from(struct bed_agent *agent, const char *address, uint16_t port);
void bed_refuses(struct bed_agent *agent, int error); /* ICMP; 0: no more */
/* Spoils each answer: bytes has room octets; returns the new size, 0 for no answer. */
void bed_spoil(struct bed_agent *agent, size_t (*spoil)(uint8_t *bytes, size_t size, size_t room));
/* Is shown each question's true answer, may send others of its own, and says whether the true
 * one goes out as well. NULL: nobody does. */
void bed_forge(struct bed_agent *agent, bool (*forge)(struct net_sim_client *client,
	const struct net_addr *own, const struct answer *truth));
void bed_max_size(struct bed_agent *agent, size_t octets);

void bed_reboot(struct bed_agent *agent);
void bed_reset(struct bed_agent *agent); /* counters, with a new discontinuity time */
void bed_rotate(struct bed_agent *agent);
void bed_renumber(struct bed_agent *agent, uint32_t shift);
void bed_remove(struct bed_agent *agent, uint32_t number);
void bed_add(struct bed_agent *agent, uint32_t number); /* its ifIndex is that number */
void bed_set(struct bed_agent *agent, const char *oid, int64_t number);

unsigned bed_requests(const struct bed_agent *agent);
size_t bed_most_varbinds(const struct bed_agent *agent); /* asked in one request so far */
#endif

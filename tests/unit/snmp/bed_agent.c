#include "bed_agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "fake/net_sim.h"
#include "sim/sim.h"
#include "sim/snmp_agent.h"

struct bed_agent {
	struct loop *loop;
	struct agent agent;
	struct agent_options options;
	struct rates rates;
	struct net_addr address, source;
	int refuse;
	size_t (*spoil)(uint8_t *bytes, size_t size, size_t room);
	bool (*forge)(struct net_sim_client *, const struct net_addr *, const struct answer *);
	unsigned requests;
	size_t most_varbinds;
};

static struct request request;
static struct answer answer;
static uint8_t bytes[65536];

static void
asked(struct net_sim_client *client, const uint8_t *data, size_t size, void *arg)
{
	struct bed_agent *bed = arg;
	struct delivery delivery = { .bytes = bytes, .room = sizeof bytes };
	struct net_addr from = bed->source;
	const char *why;
	int64_t delay;

	bed->requests++;
	if (bed->refuse != 0) {
		net_sim_udp_refuse(client, bed->refuse, LOOP_MS);
		return;
	}
	/* A request that the strict simulator does not take is a failure of the test. */
	if (!ber_request(data, size, &request, &why))
		sim_die("request is malformed: %s", why);
	if (request.count > bed->most_varbinds)
		bed->most_varbinds = request.count;
	agent_answer(&bed->agent, &bed->options, &request, loop_wall(bed->loop), &answer,
		&delivery);
	if (bed->forge != NULL && !bed->forge(client, &bed->address, &answer))
		return;
	if (bed->spoil != NULL && delivery.length > 0)
		delivery.length = bed->spoil(bytes, delivery.length, sizeof bytes);
	if (delivery.length == 0)
		return;
	if (delivery.wrong_port)
		from.port++;
	if (delivery.wrong_address)
		from.bytes[3] ^= 0x40;
	delay = LOOP_MS + (int64_t)(delivery.delay * 1e6);
	net_sim_udp_reply(client, &from, delivery.bytes, delivery.length, delay);
	if (delivery.twice)
		net_sim_udp_reply(client, &from, delivery.bytes, delivery.length, delay);
}

struct bed_agent *
bed_agent_new(struct loop *loop, const char *address, size_t rows, uint32_t step)
{
	struct bed_agent *bed = sim_zero(1, sizeof *bed);

	bed->loop = loop;
	bed->rates.base = 1000;
	bed->options = (struct agent_options){ .community = "public", .max_size = 1472 };
	if (net_addr_parse(address, 161, &bed->address, NULL) == -1)
		sim_die("%s: no address", address);
	bed->source = bed->address;
	mib_begin(&bed->agent.mib, 1, &bed->rates, rows, step, loop_wall(loop) - 3600 * LOOP_S);
	net_sim_udp(&bed->address, asked, bed);
	return bed;
}

void
bed_agent_free(struct bed_agent *bed)
{
	mib_end(&bed->agent.mib);
	free(bed);
}

void
bed_at(struct bed_agent *bed, struct loop *loop)
{
	bed->loop = loop;
}

void
bed_faults(struct bed_agent *bed, const char *words)
{
	char copy[256], why[256];

	strncpy(copy, words, sizeof copy - 1);
	copy[sizeof copy - 1] = '\0';
	if (!faults_set(snmp_faults, &bed->agent.faults, copy, why, sizeof why))
		sim_die("%s: %s", words, why);
}

void
bed_answers_from(struct bed_agent *bed, const char *address, uint16_t port)
{
	bed->source = bed->address;
	if (address != NULL && net_addr_parse(address, port, &bed->source, NULL) == -1)
		sim_die("%s: no address", address);
}

void
bed_refuses(struct bed_agent *bed, int error)
{
	bed->refuse = error;
}

void
bed_spoil(struct bed_agent *bed, size_t (*spoil)(uint8_t *bytes, size_t size, size_t room))
{
	bed->spoil = spoil;
}

void
bed_forge(struct bed_agent *bed, bool (*forge)(struct net_sim_client *client,
	const struct net_addr *own, const struct answer *truth))
{
	bed->forge = forge;
}

void
bed_max_size(struct bed_agent *bed, size_t octets)
{
	bed->options.max_size = octets;
}

void
bed_reboot(struct bed_agent *bed)
{
	mib_reboot(&bed->agent.mib, loop_wall(bed->loop));
}

void
bed_reset(struct bed_agent *bed)
{
	mib_reset(&bed->agent.mib, loop_wall(bed->loop), false);
}

void
bed_rotate(struct bed_agent *bed)
{
	mib_rotate(&bed->agent.mib);
}

void
bed_renumber(struct bed_agent *bed, uint32_t shift)
{
	mib_renumber(&bed->agent.mib, shift);
}

void
bed_remove(struct bed_agent *bed, uint32_t number)
{
	if (!mib_remove(&bed->agent.mib, number))
		sim_die("no row %u", number);
}

void
bed_add(struct bed_agent *bed, uint32_t number)
{
	if (!mib_add(&bed->agent.mib, number, number, loop_wall(bed->loop)))
		sim_die("row %u is there", number);
}

void
bed_set(struct bed_agent *bed, const char *oid, int64_t number)
{
	if (!mib_set(&bed->agent.mib, oid, number))
		sim_die("cannot set %s", oid);
}

unsigned
bed_requests(const struct bed_agent *bed)
{
	return bed->requests;
}

size_t
bed_most_varbinds(const struct bed_agent *bed)
{
	return bed->most_varbinds;
}

#include "notify/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "journal/state.h"
#include "snmp/v3.h"

/* RFC 3411, SnmpEngineID: our enterprise number with the highest bit set, then 5: octets as
 * its owner likes, 8 of them. */
#define ID_PREFIX "80007ed905"
#define ID_OCTETS 8
/* 2020-01-01 00:00 UTC. */
#define BOOTS_EPOCH (INT64_C(1577836800) * LOOP_S)
#define PATIENCE (3 * LOOP_S)

struct engine {
	struct loop *loop;
	struct state *state; /* NULL: kept nowhere */
	char id[V3_ENGINE_TEXT];
	uint32_t boots;
	int64_t began;
};

static void
make_id(struct engine *engine)
{
	uint8_t dice[ID_OCTETS];
	size_t used = strlen(ID_PREFIX);

	while (getrandom(dice, sizeof dice, 0) != sizeof dice)
		;
	memcpy(engine->id, ID_PREFIX, used + 1);
	for (size_t i = 0; i < sizeof dice; i++, used += 2)
		snprintf(engine->id + used, sizeof engine->id - used, "%02x", dice[i]);
}

/* One more than before; and at least the minutes since 2020, so that a state that comes from
 * an old backup does not count what receivers have seen already. */
static uint32_t
next_boots(const struct engine *engine, const char *former)
{
	int64_t minutes = (loop_wall(engine->loop) - BOOTS_EPOCH) / (60 * LOOP_S);
	unsigned long boots = former != NULL ? strtoul(former, NULL, 10) : 0;

	if (minutes > 0 && (unsigned long)minutes > boots)
		return (uint32_t)minutes;
	return boots < INT32_MAX ? (uint32_t)boots + 1 : INT32_MAX;
}

static void
take_state(struct engine *engine)
{
	const char *id = state_get(engine->state, "id");
	char text[16];

	if (id != NULL && strlen(id) < sizeof engine->id)
		memcpy(engine->id, id, strlen(id) + 1);
	else
		make_id(engine);
	engine->boots = next_boots(engine, state_get(engine->state, "boots"));
	snprintf(text, sizeof text, "%lu", (unsigned long)engine->boots);
	state_set(engine->state, "id", engine->id);
	state_set(engine->state, "boots", text);
	state_save(engine->state);
}

struct engine *
engine_open(struct loop *loop, const char *state_dir, struct fail *why)
{
	struct engine *engine = mem_zero(sizeof *engine);
	char *path;

	engine->loop = loop;
	engine->began = loop_mono(loop);
	if (state_dir == NULL) {
		make_id(engine);
		engine->boots = 1;
		return engine;
	}
	path = mem_format("%s/engine", state_dir);
	engine->state = state_open(loop, path, why);
	free(path);
	if (engine->state == NULL) {
		engine_close(engine);
		return NULL;
	}
	take_state(engine);
	log_info("SNMPv3 TRAPs are sent as engine 0x%s, boots %lu", engine->id,
		(unsigned long)engine->boots);
	return engine;
}

void
engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->state != NULL)
		state_close(engine->state);
	free(engine);
}

const char *
engine_id(const struct engine *engine)
{
	return engine->id;
}

uint32_t
engine_boots(const struct engine *engine)
{
	return engine->boots;
}

int64_t
engine_began(const struct engine *engine)
{
	return engine->began;
}

bool
engine_ready(const struct engine *engine)
{
	return engine->state == NULL || state_saved(engine->state) ||
		loop_mono(engine->loop) - engine->began > PATIENCE;
}

/* plan.h - one poll of a group of scalars: which objects to ask for next, what came back.
 *
 * Packs many to a request, falls back to alternative OIDs and remembers which one the agent
 * has. Sends nothing: snmp.c carries the questions. */
#ifndef PW_PLAN_H
#define PW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/form.h"
#include "snmp/session.h"
#include "snmp/snmp.h"
struct counter_epoch;
struct group;
struct task;

#define ASK_MAX 128
/* One question and whom its parts are for. */
struct ask {
	enum session_op op;
	uint16_t max_repetitions;
	size_t count;
	/* Not NULL: all of it but sysUpTime is asked for, and nothing stands in what follows. */
	const struct form_text *usual;
	/* Not 0: instead of OIDs the question's varbinds stand at oids + 1, in so many octets, as
	 * struct session_request has them. Only where context->written. */
	uint16_t list_size;
	uint16_t what[ASK_MAX];         /* the asker's own */
	/* Of `what` i that at i + 1: the first place is snmp.c's. Last, for who has few. */
	struct snmp_oid oids[1 + ASK_MAX];
};
/* What a request may hold: varbinds, and bytes of the answer as estimated. */
struct ask_limit {
	size_t varbinds;
	size_t bytes;
	size_t repetitions; /* of GETBULK; 0 = the usual number */
	size_t columns;     /* of a table in one request; 0 = as many as varbinds */
};

/* What all plans share: their forms, and what they lend themselves for a poll, instead of from
 * the heap each time: a few of each size. Zeroed at first; outlives its plans. */
#define PLAN_STOCK_STEP 8u  /* objects */
#define PLAN_STOCK_SIZES 16
#define PLAN_STOCK_SPARE 64
struct plan_shared {
	struct forms forms;
	struct plan_items *spare[PLAN_STOCK_SIZES];
	uint32_t count[PLAN_STOCK_SIZES];
};
void plan_shared_free(struct plan_shared *shared);

/* Who polls, and when the device last began to count anew. */
struct ask_context {
	struct task *task;
	const struct group *group; /* as of this poll: a reload may bring an equal one */
	int64_t now;               /* mono */
	uint16_t generation;       /* counts the device's restarts */
	int64_t since;             /* mono of the last one, as its sysUpTime has it; 0: not known */
	const struct counter_epoch *epoch; /* its sysUpTime; NULL: not known */
	uint8_t version;
	bool written;              /* it may write the question's varbinds itself */
	struct plan_shared *shared; /* a plan's only */
};

/* A member of what polls; its members are plan.c's. */
struct plan {
	const struct form *form;  /* NULL: not open */
	struct plan_items *items; /* NULL between polls, where nothing is to be kept of any */
	uint16_t generation; /* of the last good readings, where there are no items */
	uint8_t polls;       /* up to the next one that asks for informations */
	bool one_by_one;     /* the agent did not say which object it cannot answer */
};
void plan_open(struct plan *plan, struct plan_shared *shared, const struct group *group);
void plan_close(struct plan *plan, struct plan_shared *shared); /* one that is zeroed is fine */

size_t plan_objects(const struct plan *plan); /* it asks for that many in one poll at most */

void plan_begin(struct plan *plan, const struct ask_context *context);
/* The next question, false when there is none. Asking twice without feeding changes nothing. */
bool plan_next(struct plan *plan, const struct ask_context *context,
	const struct ask_limit *limit, struct ask *ask);
/* answer->reason is good, or REASON_TOO_BIG for a question of one object. */
void plan_feed(struct plan *plan, const struct ask_context *context, const struct ask *ask,
	const struct session_answer *answer);
/* After the last question was answered: tells what is known to be missing. */
void plan_end(struct plan *plan, const struct ask_context *context);
/* The poll is over, however it went: nearly always nothing is to be kept of any object then. */
void plan_rest(struct plan *plan, struct plan_shared *shared);
#endif

#include "notify/receiver.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "notify/engine.h"
#include "notify/notice.h"
#include "snmp/ber.h"
#include "snmp/mux.h"
#include "snmp/snmp.h"
#include "snmp/v3.h"

#define LONGEST_PAUSE (60 * LOOP_S)
#define BURST 50                 /* notices at once */
#define TOKEN_TIME (LOOP_S / 10) /* then one each */
#define TRIES_UNTIL_LOGGED 3
#define REFUSALS 8 /* errors in answer to one notice, two minutes */
#define ENTERPRISE_MAX 20
/* Messages of version 3 beside a try: who are you, what time is it, and once more. */
#define AGAIN_MAX 4

static const char no_answer[] = "no answer";

struct receiver {
	struct receiver_parts parts;
	struct receiver_options options;
	char *name, *community, *poller;
	uint32_t enterprise[SNMP_OID_MAX];
	struct notice_sender sender;
	struct spool spool;
	struct receiver_counters counters;
	struct v3 *v3;              /* NULL: version 2c */
	bool waiting;               /* for keys, or for our boots to be on disk */
	int again;                  /* messages beside this try */
	struct mux_peer peer;
	struct mux_request request; /* open while an INFORM waits for its answer */
	struct loop_timer timer;
	unsigned tries;             /* of the first notice in the spool */
	unsigned refusals;          /* answers to it that were errors */
	uint8_t bytes[NOTICE_V3_MAX];
	size_t size;
	uint32_t under_way;         /* its number, 0 none */
	double tokens;
	int64_t tokens_at;          /* mono */
	bool silent;                /* said so in the log */
	int64_t silent_since;       /* wall ns */
	const char *trouble;        /* of the newest try */
	char trouble_text[128];
};

static void on_timer(void *arg);
static void answered(const uint8_t *data, size_t size, const struct ber_peek *peek,
	int64_t mono, void *arg);
static void refused(int error, void *arg);

static int
open_v3(struct receiver *receiver, struct fail *why)
{
	const struct engine *engine = receiver->parts.engine;

	if (!receiver->options.inform && engine == NULL) {
		fail_set(why, "a TRAP of version 3 needs an engine ID of ours, and there is none");
		return -1;
	}
	receiver->peer.version = BER_V3;
	receiver->v3 = v3_open(receiver->parts.world, receiver->name, &receiver->peer.address,
		&receiver->options.user, true);
	if (!receiver->options.inform)
		v3_be(receiver->v3, engine_id(engine), engine_boots(engine), engine_began(engine));
	receiver->sender.v3 = receiver->v3;
	/* The configuration's; v3 has a copy. */
	memset(&receiver->options.user, 0, sizeof receiver->options.user);
	return 0;
}

struct receiver *
receiver_open(const struct receiver_parts *parts, const struct receiver_options *options,
	struct fail *why)
{
	struct receiver *receiver = mem_zero(sizeof *receiver);
	size_t count;

	receiver->parts = *parts;
	receiver->options = *options;
	receiver->options.name = receiver->name = mem_text(options->name);
	receiver->options.community = receiver->community = mem_text(options->community);
	receiver->poller = mem_text(parts->poller);
	spool_init(&receiver->spool, options->spool);
	loop_timer_init(&receiver->timer, on_timer, receiver);
	receiver->tokens = BURST;
	receiver->tokens_at = loop_mono(parts->loop);
	if (snmp_oid_parse(options->enterprise, receiver->enterprise, &count, why) == -1)
		goto fail;
	if (count > ENTERPRISE_MAX) {
		fail_set(why, "receiver %s: enterprise %s: more than %d arcs", options->name,
			options->enterprise, ENTERPRISE_MAX);
		goto fail;
	}
	receiver->sender = (struct notice_sender){ .enterprise = receiver->enterprise,
		.enterprise_count = count, .poller = receiver->poller, .version = PW_VERSION,
		.community = receiver->community, .inform = options->inform };
	receiver->peer = (struct mux_peer){ .name = receiver->name,
		.address = options->address, .version = BER_V2C,
		.community = receiver->community };
	receiver->request = (struct mux_request){ .peer = &receiver->peer,
		.answered = answered, .refused = refused, .arg = receiver };
	notice_prepare();
	if (options->version == 3 && open_v3(receiver, why) == -1)
		goto fail;
	return receiver;
fail:
	receiver_close(receiver);
	return NULL;
}

void
receiver_close(struct receiver *receiver)
{
	if (receiver == NULL)
		return;
	mux_close(receiver->parts.mux, &receiver->request);
	loop_timer_stop(receiver->parts.loop, &receiver->timer);
	spool_free(&receiver->spool);
	v3_close(receiver->v3);
	if (receiver->community != NULL)
		explicit_bzero(receiver->community, strlen(receiver->community));
	free(receiver->community);
	free(receiver->name);
	free(receiver->poller);
	free(receiver);
}

const char *
receiver_name(const struct receiver *receiver)
{
	return receiver->name;
}

struct net_addr
receiver_address(const struct receiver *receiver)
{
	return receiver->options.address;
}

bool
receiver_informs(const struct receiver *receiver)
{
	return receiver->options.inform;
}

uint8_t
receiver_version(const struct receiver *receiver)
{
	return receiver->v3 != NULL ? 3 : 2;
}

struct receiver_counters
receiver_counters(const struct receiver *receiver)
{
	return receiver->counters;
}

void
receiver_count_on(struct receiver *receiver, const struct receiver *former)
{
	receiver->counters.sent += former->counters.sent;
	receiver->counters.done += former->counters.done;
	receiver->counters.repeated += former->counters.repeated;
}

struct spool *
receiver_spool(struct receiver *receiver)
{
	return &receiver->spool;
}

bool
receiver_is_silent(const struct receiver *receiver, int64_t *since)
{
	*since = receiver->silent_since;
	return receiver->silent;
}

/* ---- pace ---- */

/* 0 and one token less, or how long until there is one. */
static int64_t
take_token(struct receiver *receiver)
{
	int64_t now = loop_mono(receiver->parts.loop);

	receiver->tokens += (double)(now - receiver->tokens_at) / (double)TOKEN_TIME;
	receiver->tokens_at = now;
	if (receiver->tokens > BURST)
		receiver->tokens = BURST;
	if (receiver->tokens < 1)
		return (int64_t)((1 - receiver->tokens) * (double)TOKEN_TIME) + 1;
	receiver->tokens -= 1;
	return 0;
}

/* 1, 2, 4 .. 60 s and up to a tenth more, so that pollers that lost one receiver together
 * do not find it together. The jitter is a hash: the same in each run of a test. */
static int64_t
pause_after(const struct receiver *receiver, unsigned tries)
{
	int64_t pause = receiver->options.timeout > 0 ? receiver->options.timeout : LOOP_S;
	uint32_t dice[2] = { receiver->under_way, tries };
	uint64_t hash = str_hash(dice, sizeof dice) ^ str_hash(receiver->name,
		strlen(receiver->name));

	for (; tries > 1 && pause < LONGEST_PAUSE; tries--)
		pause *= 2;
	if (pause > LONGEST_PAUSE)
		pause = LONGEST_PAUSE;
	return pause + (int64_t)(hash % (uint64_t)(pause / 10 + 1));
}

/* ---- one notice ---- */

static void
deliver(struct receiver *receiver)
{
	uint32_t sequence = receiver->under_way;

	loop_timer_stop(receiver->parts.loop, &receiver->timer);
	mux_close(receiver->parts.mux, &receiver->request);
	receiver->under_way = 0;
	receiver->tries = receiver->refusals = 0;
	receiver->counters.done++;
	spool_done(&receiver->spool, sequence);
	if (receiver->silent)
		log_info("receiver %s: takes notices again, %zu are waiting", receiver->name,
			receiver->spool.count);
	receiver->silent = false;
	receiver->parts.done(receiver->parts.arg, receiver, sequence);
}

static void
note_failure(struct receiver *receiver)
{
	char address[64];

	if (receiver->tries == 1)
		receiver->silent_since = loop_wall(receiver->parts.loop);
	if (receiver->silent || receiver->tries < TRIES_UNTIL_LOGGED)
		return;
	receiver->silent = true;
	log_warn("receiver %s (%s): notice %u not delivered after %u tries, trying on, every "
		"60 s at last: %s", receiver->name,
		net_addr_text(address, sizeof address, &receiver->options.address, true),
		receiver->under_way, receiver->tries, receiver->trouble);
}

/* False: there is nothing to wait for with this one. */
static bool
encode(struct receiver *receiver)
{
	const struct notice *notice = spool_first(&receiver->spool);
	struct fail why;

	if (notice_encode(&notice->transition, &receiver->sender, receiver->request.id,
			receiver->bytes, receiver->v3 != NULL ? NOTICE_V3_MAX : NOTICE_MAX,
			&receiver->size, &why) == 0)
		return true;
	/* Cannot be: texts are cut to fit. If it is, one notice is lost, not all. */
	log_error("receiver %s: notice %u is lost: %s", receiver->name, receiver->under_way,
		why.text);
	receiver->spool.lost++;
	deliver(receiver);
	return false;
}

/* Version 3 puts the time into each message and may have to ask first, so each try is made
 * anew. False: not now, or not at all. */
static bool
make_ready(struct receiver *receiver)
{
	bool ready = v3_ready(receiver->v3) &&
		(receiver->options.inform || engine_ready(receiver->parts.engine));

	receiver->waiting = !ready;
	if (ready)
		return encode(receiver);
	loop_timer_in(receiver->parts.loop, &receiver->timer, LOOP_TICK);
	return false;
}

/* Sends the bytes once more or for the first time. Only a TRAP that left is done. */
static void
try_once(struct receiver *receiver)
{
	struct fail why = { "" };
	int error, sent;

	if (receiver->v3 != NULL && !make_ready(receiver))
		return;
	receiver->again = 0;
	receiver->trouble = no_answer;
	if (receiver->v3 != NULL)
		v3_begin(receiver->v3);
	sent = mux_send(receiver->parts.mux, &receiver->request, receiver->bytes, receiver->size,
		&error, &why);
	if (sent == 0)
		receiver->counters.sent++;
	if (sent == -1) {
		str_copy(receiver->trouble_text, sizeof receiver->trouble_text, why.text);
		receiver->trouble = receiver->trouble_text;
	}
	receiver->tries++;
	if (receiver->tries > 1)
		receiver->counters.repeated++;
	if (sent == 0 && !receiver->options.inform) {
		deliver(receiver);
		return;
	}
	loop_timer_in(receiver->parts.loop, &receiver->timer,
		pause_after(receiver, receiver->tries));
}

/* False: there is nothing to wait for with this one, go on with the next. */
static bool
begin(struct receiver *receiver, const struct notice *notice)
{
	receiver->under_way = notice->transition.sequence;
	receiver->tries = 0;
	mux_open(receiver->parts.mux, &receiver->request);
	if (receiver->v3 == NULL && !encode(receiver))
		return false;
	try_once(receiver);
	return receiver->under_way != 0;
}

void
receiver_kick(struct receiver *receiver)
{
	struct notice *notice;

	while (receiver->under_way == 0 && (notice = spool_first(&receiver->spool)) != NULL &&
			notice->journal <= *receiver->parts.committed) {
		int64_t wait = take_token(receiver);

		if (wait > 0) {
			loop_timer_in(receiver->parts.loop, &receiver->timer, wait);
			return;
		}
		if (begin(receiver, notice))
			return;
	}
}

static void
not_answered(struct receiver *receiver)
{
	char text[sizeof receiver->trouble_text];

	if (receiver->v3 != NULL && receiver->options.inform &&
		v3_silent(receiver->v3, text, sizeof text) && receiver->trouble == no_answer) {
		str_copy(receiver->trouble_text, sizeof receiver->trouble_text, text);
		receiver->trouble = receiver->trouble_text;
	}
	note_failure(receiver);
}

static void
on_timer(void *arg)
{
	struct receiver *receiver = arg;

	if (receiver->under_way == 0) {
		receiver_kick(receiver);
		return;
	}
	if (!receiver->waiting)
		not_answered(receiver);
	try_once(receiver);
	if (receiver->under_way == 0)
		receiver_kick(receiver);
}

static void
acknowledged(struct receiver *receiver, long error_status)
{
	if (error_status != 0 && ++receiver->refusals < REFUSALS) {
		/* It has heard and refuses: asking faster than the pause helps nobody. */
		receiver->trouble = "the receiver answers with an error";
		return;
	}
	if (error_status != 0) {
		/* One notice that it will not take must not keep all later ones from it. */
		log_error("receiver %s: refuses notice %u with error-status %ld, left out",
			receiver->name, receiver->under_way, error_status);
		receiver->spool.lost++;
	}
	deliver(receiver);
	receiver_kick(receiver);
}

/* It has told its engine ID or its clock: at once, and this is the same try. */
static void
send_anew(struct receiver *receiver)
{
	struct fail why;
	int error;

	if (receiver->again++ == AGAIN_MAX) {
		receiver->trouble = "it changes its engine ID or its clock with each message";
		return;
	}
	mux_close(receiver->parts.mux, &receiver->request);
	mux_open(receiver->parts.mux, &receiver->request);
	if (encode(receiver) && mux_send(receiver->parts.mux, &receiver->request, receiver->bytes,
			receiver->size, &error, &why) == 0)
		receiver->counters.sent++;
	else
		receiver_kick(receiver);
}

static void
answered_v3(struct receiver *receiver, const uint8_t *data, size_t size,
	const struct ber_peek *peek)
{
	struct snmp_pdu *pdu;

	switch (v3_read(receiver->v3, data, size, peek, receiver->request.id, &pdu,
		receiver->trouble_text, sizeof receiver->trouble_text)) {
	case V3_NOISE:
	case V3_DAMAGED:
		mux_count_malformed(receiver->parts.mux);
		break;
	case V3_AGAIN:
		send_anew(receiver);
		break;
	case V3_REFUSED:
		receiver->trouble = receiver->trouble_text;
		break;
	case V3_ANSWER:
		acknowledged(receiver, notice_answer_status(pdu));
		break;
	}
}

static void
answered(const uint8_t *data, size_t size, const struct ber_peek *peek, int64_t mono, void *arg)
{
	struct receiver *receiver = arg;

	(void)mono;
	if (receiver->v3 != NULL)
		answered_v3(receiver, data, size, peek);
	else
		acknowledged(receiver, peek->error_status);
}

static void
refused(int error, void *arg)
{
	struct receiver *receiver = arg;

	receiver->trouble = strerror(error);
}

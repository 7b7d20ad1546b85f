#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>

#include "snmp/session.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/ahead.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/device.h"
#include "core/sample.h"
#include "core/self.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/mux.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "snmp/v3.h"

/* The number of a socket that is never used: the mux has the real ones. Net-SNMP only looks
 * it up in the set that we hand it. */
#define NO_SOCKET 0
/* Spent by Net-SNMP's own deadline of a microsecond on the real clock; see forget. */
#define FORGET_TURNS 100000
/* Messages of version 3 for one request beside its tries: who are you, what time is it, and
 * the same once more when both have changed meanwhile. */
#define AGAIN_MAX 4
#define RTT_MOST 60000 /* ms, as the longest timeout */
#define DATAGRAM_MAX 65507 /* of UDP over IPv4 */
#define ANSWER_TEXT 256

struct sessions {
	struct loop *loop;
	struct mux *mux;
	struct v3_world *world;
	netsnmp_large_fd_set ready;
	struct fast_room room; /* the answer being read by the fast engine */
	/* The answer being read by Net-SNMP. */
	struct varbind *varbinds;
	uint32_t *ids;
	uint8_t *octets;
	uint64_t retried, timed_out, answered;
	char text[ANSWER_TEXT]; /* what the answer being told says in words */
	struct exchange *exchanges; /* free ones, at most SPARE */
	unsigned spare;
};

/* One request under way. Large, so only sessions that are busy hold one. */
struct exchange {
	struct exchange *next;   /* of the session, or free ones */
	struct session *session;
	struct mux_request out;
	struct mux_peer peer;
	struct loop_timer timer;
	struct session_request request;
	struct session_answer answer;
	int again;               /* messages that took no try */
	int tries_left, tries;
	int error;               /* errno of the newest try that could not be delivered */
	int kept;                /* tries that never left this machine, by a fault of ours */
	int64_t sent_at;
	bool sent;               /* or it waits for the gap that max_rate demands, or for its keys */
	bool wrong_source;       /* in any try */
	bool damaged;            /* so was one that came, see struct mux_request */
	uint16_t damage;
	bool ours;               /* the newest try is kept, see above */
	bool outstanding;        /* Net-SNMP waits for an answer */
	bool understood;         /* Net-SNMP called back with it: */
	const uint8_t *datagram; /* while it is handed to Net-SNMP */
	size_t datagram_size;
};
/* Exchanges kept for the next: more are under way at once only when all is asked at once, or
 * nobody answers. */
#define SPARE 256

/* What most sessions never have. */
struct session_more {
	/* Versions 1 and 2c by the reference engine, version 3; neither: the fast engine. */
	void *library;
	struct v3 *v3;
	char engine[V3_ENGINE_TEXT]; /* as told to the owner */
	struct mux_source *source; /* NULL: nobody asks for its strays */
	int64_t next_send;         /* with max_rate or gap: no request before */
	int64_t held, held_until;  /* so long they were kept back for that, in all; counted until */
	struct net_addr stranger;  /* who answered instead */
	uint32_t wrong_source;     /* so often */
	uint8_t strangers;         /* so many were told to the log */
};

static struct sessions *
all_of(const struct session *session)
{
	return session->user->sessions;
}

static const struct snmp_options *
options_of(const struct session *session)
{
	return device_snmp(session->device);
}

static const struct snmp_access *
access_of(const struct session *session)
{
	return options_of(session)->access;
}

static void *
owner_of(const struct session *session)
{
	return (void *)((uintptr_t)session - session->user->inside);
}

/* ---- the library ---- */

void
session_library_prepare(void)
{
	static bool prepared;

	if (prepared)
		return;
	prepared = true;
	/* Otherwise it reads /etc/snmp, ~/.snmp and all MIB files, writes /var/lib/snmp and
	 * takes SIGALRM. */
	/* Below /dev/null nothing can be made: its index of certificates would else be put
	 * into the root directory. */
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	setenv("MIBFILES", "", 1);
	setenv("SNMPCONFPATH", "", 1);
	setenv("SNMP_PERSISTENT_DIR", "/dev/null", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG, 1);
	snmp_disable_log();
	netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
	init_snmp("pollwerk");
}

struct sessions *
sessions_new(struct loop *loop, struct mux *mux)
{
	struct sessions *sessions = mem_zero(sizeof *sessions);

	session_library_prepare();
	sessions->loop = loop;
	sessions->mux = mux;
	sessions->world = v3_world_new(loop);
	netsnmp_large_fd_set_init(&sessions->ready, FD_SETSIZE);
	return sessions;
}

void
sessions_free(struct sessions *sessions)
{
	if (sessions == NULL)
		return;
	netsnmp_large_fd_set_cleanup(&sessions->ready);
	v3_world_free(sessions->world);
	fast_room_free(&sessions->room);
	while (sessions->exchanges != NULL) {
		struct exchange *exchange = sessions->exchanges;

		sessions->exchanges = exchange->next;
		free(exchange);
	}
	free(sessions->varbinds);
	free(sessions->ids);
	free(sessions->octets);
	free(sessions);
}

uint64_t
sessions_retried(const struct sessions *sessions)
{
	return sessions->retried;
}

uint64_t
sessions_timed_out(const struct sessions *sessions)
{
	return sessions->timed_out;
}

uint64_t
sessions_answered(const struct sessions *sessions)
{
	return sessions->answered;
}

static struct session_more *
more_of(struct session *session)
{
	if (session->more == NULL)
		session->more = mem_zero(sizeof *session->more);
	return session->more;
}

static struct v3 *
v3_of(const struct session *session)
{
	return session->more == NULL ? NULL : session->more->v3;
}

static void *
library_of(const struct session *session)
{
	return session->more == NULL ? NULL : session->more->library;
}

static bool
is_fast(const struct session *session)
{
	return session->more == NULL || (session->more->library == NULL &&
		(session->more->v3 == NULL || v3_is_fast(session->more->v3)));
}

/* ---- what goes out ---- */

/* A try that cannot be sent is a try that gets no answer: it waits its time, so that a cable
 * pulled here does not make all tries fail within a millisecond. */
static void
put_datagram(struct exchange *exchange, const void *bytes, size_t size)
{
	struct mux *mux = all_of(exchange->session)->mux;
	struct fail why;

	if (mux_send(mux, &exchange->out, bytes, size, &exchange->error, &why) == 0)
		return;
	exchange->ours = true;
	if (exchange->error == 0)
		exchange->error = EIO;
}

/* ---- the transport that Net-SNMP sees ---- */

static int
transport_send(netsnmp_transport *transport, const void *data, int size, void **opaque,
	int *opaque_size)
{
	struct session *session = transport->data;

	(void)opaque, (void)opaque_size;
	put_datagram(session->now, data, (size_t)size);
	return size;
}

static int
transport_receive(netsnmp_transport *transport, void *data, int size, void **opaque,
	int *opaque_size)
{
	struct session *session = transport->data;

	*opaque = NULL;
	*opaque_size = 0;
	if (session->now == NULL || session->now->datagram == NULL ||
		session->now->datagram_size > (size_t)size)
		return -1;
	memcpy(data, session->now->datagram, session->now->datagram_size);
	return (int)session->now->datagram_size;
}

static int
transport_close(netsnmp_transport *transport)
{
	/* Net-SNMP would free it. */
	transport->data = NULL;
	return 0;
}

static const char *
community_of(const struct session *session)
{
	return access_of(session)->community != NULL ? access_of(session)->community : "";
}

static void *
library_open(struct session *session, struct fail *why)
{
	netsnmp_transport *transport = mem_zero(sizeof *transport);
	netsnmp_session wanted;
	void *library;

	transport->domain = netsnmpUDPDomain;
	transport->domain_length = (int)netsnmpUDPDomain_len;
	transport->sock = NO_SOCKET;
	transport->data = session;
	transport->msgMaxSize = DATAGRAM_MAX;
	transport->f_send = transport_send;
	transport->f_recv = transport_receive;
	transport->f_close = transport_close;

	snmp_sess_init(&wanted);
	wanted.version = access_of(session)->version == 1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
	wanted.community = (u_char *)community_of(session);
	wanted.community_len = strlen(community_of(session));
	wanted.timeout = 1; /* us: the deadline is ours, see forget */
	wanted.retries = 0;
	library = snmp_sess_add(&wanted, transport, NULL, NULL);
	if (library == NULL)
		fail_set(why, "%s: Net-SNMP: %s", session->device->name, snmp_api_errstring(wanted.s_snmp_errno));
	return library;
}

/* ---- reading an answer ---- */

static enum value_type
value_type_of(u_char type)
{
	switch (type) {
	case ASN_INTEGER: return VALUE_INTEGER;
	case ASN_GAUGE:
	case ASN_UINTEGER: return VALUE_GAUGE;
	case ASN_COUNTER: return VALUE_COUNTER32;
	case ASN_COUNTER64:
	case ASN_OPAQUE_COUNTER64:
	case ASN_OPAQUE_U64: return VALUE_COUNTER64;
	case ASN_OPAQUE_I64: return VALUE_INTEGER;
	case ASN_TIMETICKS: return VALUE_TICKS;
	case ASN_OPAQUE_FLOAT:
	case ASN_OPAQUE_DOUBLE: return VALUE_REAL;
	case ASN_OCTET_STR: return VALUE_OCTETS;
	case ASN_OBJECT_ID: return VALUE_OID;
	case ASN_IPADDRESS: return VALUE_ADDRESS;
	case ASN_OPAQUE: return VALUE_OPAQUE;
	case ASN_NULL: return VALUE_NULL;
	case SNMP_NOSUCHOBJECT: return VALUE_NO_SUCH_OBJECT;
	case SNMP_NOSUCHINSTANCE: return VALUE_NO_SUCH_INSTANCE;
	case SNMP_ENDOFMIBVIEW: return VALUE_END_OF_VIEW;
	default: return VALUE_NONE;
	}
}

static uint64_t
joined(const struct counter64 *halves)
{
	return (uint64_t)halves->high << 32 | (halves->low & UINT32_MAX);
}

/* Arcs are 64 bits wide in Net-SNMP; the walker (ber.c) has seen that they fit 32. */
static uint32_t *
copy_ids(uint32_t *to, const oid *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (uint32_t)from[i];
	return to + count;
}

static void
copy_value(const netsnmp_variable_list *from, struct value *to, uint32_t **ids,
	uint8_t **octets)
{
	*to = (struct value){ .type = value_type_of(from->type) };
	switch (to->type) {
	case VALUE_INTEGER:
		to->integer = from->type == ASN_INTEGER ? *from->val.integer :
			(int64_t)joined(from->val.counter64);
		break;
	case VALUE_GAUGE:
	case VALUE_COUNTER32:
	case VALUE_TICKS:
		to->count = (uint64_t)*from->val.integer & UINT32_MAX;
		break;
	case VALUE_COUNTER64:
		to->count = joined(from->val.counter64);
		break;
	case VALUE_REAL:
		to->real = from->type == ASN_OPAQUE_FLOAT ? *from->val.floatVal :
			*from->val.doubleVal;
		break;
	case VALUE_OID:
		to->ids = *ids;
		to->size = (uint32_t)(from->val_len / sizeof(oid));
		*ids = copy_ids(*ids, from->val.objid, to->size);
		break;
	case VALUE_OCTETS:
	case VALUE_ADDRESS:
	case VALUE_OPAQUE:
		to->octets = *octets;
		to->size = (uint32_t)from->val_len;
		if (to->size > 0)
			memcpy(*octets, from->val.string, to->size);
		*octets += to->size;
		break;
	default:
		break;
	}
}

static void
set_answer(struct exchange *exchange, long error_status, long error_index,
	const struct varbind *varbinds, size_t count)
{
	exchange->answer = (struct session_answer){
		.reason = REASON_GOOD,
		.text = "",
		.error_status = (int)error_status,
		.error_index = error_index > 0 && (size_t)error_index <= exchange->request.count ?
			(int)error_index : 0,
		.varbinds = varbinds,
		.count = count,
	};
}

/* The PDU dies with the callback, so all of it is copied. */
static void
copy_answer(struct exchange *exchange, const netsnmp_pdu *pdu)
{
	struct sessions *sessions = all_of(exchange->session);
	size_t count = 0, ids_size = 0, octets_size = 0;
	uint32_t *ids;
	uint8_t *octets;

	for (netsnmp_variable_list *v = pdu->variables; v != NULL; v = v->next_variable) {
		count++;
		ids_size += v->name_length +
			(v->type == ASN_OBJECT_ID ? v->val_len / sizeof(oid) : 0);
		octets_size += v->val_len;
	}
	sessions->varbinds = mem_grow(sessions->varbinds, count + 1, sizeof *sessions->varbinds);
	ids = sessions->ids = mem_grow(sessions->ids, ids_size + 1, sizeof *ids);
	octets = sessions->octets = mem_grow(sessions->octets, octets_size + 1, 1);
	count = 0;
	for (netsnmp_variable_list *v = pdu->variables; v != NULL; v = v->next_variable) {
		struct varbind *to = &sessions->varbinds[count++];

		to->ids = ids;
		to->name = NULL;
		to->name_size = 0;
		to->count = v->name_length;
		ids = copy_ids(ids, v->name, v->name_length);
		copy_value(v, &to->value, &ids, &octets);
	}
	set_answer(exchange, pdu->errstat, pdu->errindex, sessions->varbinds, count);
}

static int
library_called(int what, netsnmp_session *library, int id, netsnmp_pdu *pdu, void *arg)
{
	struct session *session = arg;

	(void)library, (void)id;
	if (session->now == NULL)
		return 1;
	session->now->outstanding = false;
	if (what == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu != NULL) {
		copy_answer(session->now, pdu);
		session->now->understood = true;
	}
	return 1;
}

/* Makes Net-SNMP drop its half of a request that gets no answer any more. Its deadline of a
 * microsecond runs on the real clock and is over after a turn or two. */
static void
forget(struct exchange *exchange)
{
	for (int i = 0; exchange->outstanding && i < FORGET_TURNS; i++)
		snmp_sess_timeout(library_of(exchange->session));
}

/* ---- an answer against its question ---- */

static bool
is_about(const struct varbind *varbind, const struct snmp_oid *asked)
{
	/* The engine has compared it already. */
	if (varbind->ids == asked->ids && varbind->count == asked->count)
		return true;
	return oid_equal(varbind->ids, varbind->count, asked->ids, asked->count);
}

static bool
is_in_order(const struct exchange *exchange)
{
	for (size_t i = 0; i < exchange->request.count; i++)
		if (!is_about(&exchange->answer.varbinds[i], &exchange->request.oids[i]))
			return false;
	return true;
}

/* Each of the objects, somewhere. Who asks for one of them twice gets no other order by that. */
static bool
is_reordered(const struct exchange *exchange)
{
	const struct session_request *request = &exchange->request;

	for (size_t i = 0; i < request->count; i++) {
		size_t at = 0;

		while (at < request->count &&
			!is_about(&exchange->answer.varbinds[at], &request->oids[i]))
			at++;
		if (at == request->count)
			return false;
	}
	return true;
}

/* What a GET brought has to be what it asked for. */
static void
check_objects(struct exchange *exchange)
{
	struct session_answer *answer = &exchange->answer;
	bool as_many = answer->count == exchange->request.count;

	if (as_many && is_in_order(exchange))
		return;
	answer->reordered = as_many && is_reordered(exchange);
	answer->text = answer->reordered ?
		"answered in another order than it was asked in" :
		"answered other objects than it was asked for";
}

static void
check_answer(struct exchange *exchange)
{
	const struct session_request *request = &exchange->request;
	struct session_answer *answer = &exchange->answer;
	size_t most = request->count;

	if (answer->error_status != 0)
		return;
	if (request->op == SESSION_GET)
		check_objects(exchange);
	if (request->op == SESSION_GETBULK)
		most = request->non_repeaters +
			(request->count - request->non_repeaters) * request->max_repetitions;
	if (request->op == SESSION_GETNEXT && answer->count != request->count)
		answer->text = "answered another number of objects than it was asked for";
	if (answer->count > most)
		answer->text = "answered more objects than it was asked for";
	if (answer->count == 0)
		answer->text = "answered nothing of what it was asked for";
	if (answer->text[0] != '\0')
		answer->reason = REASON_BAD_REPLY;
}

/* ---- tries ---- */

static struct exchange *
exchange_hold(struct sessions *sessions)
{
	struct exchange *exchange = sessions->exchanges;

	if (exchange == NULL)
		return mem_grow(NULL, 1, sizeof *exchange);
	sessions->exchanges = exchange->next;
	sessions->spare--;
	/* Another device's turn comes soon. */
	ahead_fetch(sessions->exchanges, sizeof *exchange);
	return exchange;
}

/* Whatever may still call is stopped by then. */
static void
exchange_release(struct sessions *sessions, struct exchange *exchange)
{
	if (sessions->spare >= SPARE) {
		free(exchange);
		return;
	}
	exchange->next = sessions->exchanges;
	sessions->exchanges = exchange;
	sessions->spare++;
}

/* A try is over, with an answer or without. */
static void
rest(struct exchange *exchange)
{
	struct session *session = exchange->session;
	int64_t gap = access_of(session)->gap, until;

	if (gap == 0 || exchange->tries == 0)
		return;
	until = loop_mono(all_of(session)->loop) + gap;
	if (until > more_of(session)->next_send)
		more_of(session)->next_send = until;
}

static void
end_exchange(struct exchange *exchange)
{
	struct session *session = exchange->session;
	const struct mux_peer *peer = &exchange->peer;
	struct exchange **at = &session->now;

	rest(exchange);
	mux_close(all_of(session)->mux, &exchange->out);
	if (peer->wrong_source > 0) {
		more_of(session)->stranger = peer->stranger;
		more_of(session)->strangers = peer->strangers;
		more_of(session)->wrong_source += peer->wrong_source;
	}
	loop_timer_stop(all_of(session)->loop, &exchange->timer);
	while (*at != exchange)
		at = &(*at)->next;
	*at = exchange->next;
	exchange_release(all_of(session), exchange);
}

static void
tell_exchange(const struct exchange *exchange, bool answered, int64_t rtt)
{
	const struct session *session = exchange->session;

	session->user->events->exchange(answered, rtt, exchange->request.tag, owner_of(session));
}

static void
finish(struct exchange *exchange)
{
	struct session *session = exchange->session;
	struct session_answer answer = exchange->answer;

	answer.tag = exchange->request.tag;
	end_exchange(exchange);
	session->user->events->done(&answer, owner_of(session));
}

/* The device was not even asked: nothing is known of it. */
static void
explain_kept(struct exchange *exchange)
{
	struct session *session = exchange->session;
	char *text = all_of(session)->text, address[64];

	exchange->answer.reason = REASON_CONFIG;
	if (exchange->error == ENOKEY) {
		snprintf(text, ANSWER_TEXT, "not asked: OpenSSL makes no keys for user \"%s\" and this device",
			access_of(session)->user.name);
		return;
	}
	if (exchange->peer.from == NULL) {
		snprintf(text, ANSWER_TEXT, "not asked: no socket can be had: %s", strerror(exchange->error));
		return;
	}
	net_addr_text(address, sizeof address, exchange->peer.from, false);
	if (exchange->error == EADDRNOTAVAIL)
		snprintf(text, ANSWER_TEXT, "not asked: snmp.from = \"%s\" is no address of this "
			"machine: give it to an interface, or change snmp.from", address);
	else
		snprintf(text, ANSWER_TEXT, "not asked: snmp.from = \"%s\" cannot be used: %s",
			address, strerror(exchange->error));
}

/* From request to request, by max_rate. */
static int64_t
pace_of(const struct session *session)
{
	double rate = access_of(session)->max_rate;

	return rate > 0 ? (int64_t)((double)LOOP_S / rate) : 0;
}

int64_t
session_held(const struct session *session)
{
	return session->more != NULL ? session->more->held : 0;
}

const char *
session_holds(const struct session *session)
{
	return access_of(session)->gap > pace_of(session) ? "gap" : "max_rate";
}

/* Its time was over before the first try: by what we make it wait for. */
static void
explain_unasked(struct exchange *exchange)
{
	struct session *session = exchange->session;

	exchange->answer.reason = REASON_OVERRUN;
	if (v3_of(session) != NULL && !v3_ready(v3_of(session)))
		snprintf(all_of(session)->text, ANSWER_TEXT,
			"not asked in time: the keys of user \"%s\" are not made yet",
			access_of(session)->user.name);
	else
		snprintf(all_of(session)->text, ANSWER_TEXT,
			"not asked in time: snmp.%s leaves no room for it", session_holds(session));
}

/* What came has ended nothing: somebody else may have sent it. But the device is not known to be silent. */
static void
explain_damaged(struct exchange *exchange)
{
	struct session *session = exchange->session;
	const struct session_request *request = &exchange->request;
	char *text = all_of(session)->text, name[ANSWER_TEXT] = "";
	unsigned number = exchange->damage;

	exchange->answer.reason = REASON_BAD_REPLY;
	exchange->answer.unread = true;
	if (number == 0) {
		snprintf(text, ANSWER_TEXT, "what came cannot be read: it was cut short, or lengths in it are wrong");
		return;
	}
	/* Of another question the OIDs need not be there. */
	if (request->op == SESSION_GET && number <= request->count)
		snmp_oid_text(name, sizeof name, request->oids[number - 1].ids,
			request->oids[number - 1].count);
	snprintf(text, ANSWER_TEXT, "what came cannot be read: object %u in it%s%s%s is malformed", number,
		name[0] != '\0' ? " (" : "", name, name[0] != '\0' ? ")" : "");
}

static void
give_up(struct exchange *exchange)
{
	struct session *session = exchange->session;
	struct session_answer *answer = &exchange->answer;
	char *text = all_of(session)->text, span[32];

	*answer = (struct session_answer){ .reason = REASON_TIMEOUT, .text = text };
	str_time_span(span, sizeof span, access_of(session)->timeout);
	snprintf(text, ANSWER_TEXT, "no answer to %d %s%s within %s%s",
		exchange->tries, exchange->tries == 1 ? "request" : "requests",
		exchange->tries > 1 && session->rtt > 0 ? ", to the last one" : "", span,
		exchange->tries == 1 || session->rtt > 0 ? "" : " each");
	if (exchange->tries == 0) {
		explain_unasked(exchange);
	} else if (exchange->kept == exchange->tries) {
		explain_kept(exchange);
	} else if (exchange->wrong_source) {
		char stranger[64];

		answer->reason = REASON_WRONG_SOURCE;
		snprintf(text, ANSWER_TEXT,
			"the answer came from %s instead, set snmp.source = \"any\" to accept it",
			net_addr_text(stranger, sizeof stranger, &exchange->peer.stranger, true));
	} else if (exchange->damaged) {
		explain_damaged(exchange);
	} else if (exchange->error != 0 && !exchange->ours) {
		answer->reason = exchange->error == ECONNREFUSED ? REASON_REFUSED :
			exchange->error == EMSGSIZE ? REASON_TOO_BIG : REASON_UNREACHABLE;
		snprintf(text, ANSWER_TEXT, "%s",
			exchange->error == ECONNREFUSED ? "nothing listens at its SNMP port" :
			strerror(exchange->error));
	}
	if (v3_of(session) != NULL && answer->reason == REASON_TIMEOUT &&
		v3_silent(v3_of(session), text, ANSWER_TEXT))
		answer->reason = REASON_AUTH;
	all_of(session)->timed_out++;
	finish(exchange);
}

static netsnmp_pdu *
pdu_of(const struct exchange *exchange)
{
	static const int commands[] = {
		[SESSION_GET] = SNMP_MSG_GET,
		[SESSION_GETNEXT] = SNMP_MSG_GETNEXT,
		[SESSION_GETBULK] = SNMP_MSG_GETBULK,
	};
	const struct session_request *request = &exchange->request;
	netsnmp_pdu *pdu = snmp_pdu_create(commands[request->op]);
	netsnmp_variable_list **end;
	oid name[SNMP_OID_MAX];

	if (pdu == NULL)
		return NULL;
	end = &pdu->variables;
	pdu->reqid = exchange->out.id;
	if (request->op == SESSION_GETBULK) {
		pdu->non_repeaters = request->non_repeaters;
		pdu->max_repetitions = request->max_repetitions;
	}
	for (size_t i = 0; i < request->count; i++) {
		for (size_t k = 0; k < request->oids[i].count; k++)
			name[k] = request->oids[i].ids[k];
		/* Given the PDU it would look for the list's end each time. */
		if (snmp_varlist_add_variable(end, name, request->oids[i].count, ASN_NULL, NULL,
			    0) == NULL)
			break;
		end = &(*end)->next_variable;
	}
	return pdu;
}

static bool
fast_put_out(struct exchange *exchange)
{
	struct session *session = exchange->session;
	struct fast_question question = { .version = exchange->peer.version,
		.community = exchange->peer.community, .id = (int32_t)exchange->out.id,
		.request = &exchange->request };
	static uint8_t room[DATAGRAM_MAX];
	const uint8_t *bytes;
	size_t size;

	bytes = v3_of(session) != NULL ?
		v3_ask(v3_of(session), &exchange->request, exchange->out.id, &size) :
		fast_write(&question, room, sizeof room, &size);
	if (bytes != NULL)
		put_datagram(exchange, bytes, size);
	return bytes != NULL;
}

/* False when it could not be made, or was too long. */
static bool
put_out(struct exchange *exchange)
{
	struct session *session = exchange->session;
	netsnmp_pdu *pdu;
	uint8_t *bytes;
	size_t size;

	if (is_fast(session))
		return fast_put_out(exchange);
	pdu = pdu_of(exchange);
	if (v3_of(session) != NULL) {
		bytes = v3_write(v3_of(session), pdu, exchange->out.id, &size);
		if (bytes != NULL)
			put_datagram(exchange, bytes, size);
		free(bytes);
		return bytes != NULL;
	}
	exchange->outstanding = true;
	if (pdu != NULL && snmp_sess_async_send(library_of(session), pdu, library_called, session))
		return true;
	exchange->outstanding = false;
	snmp_free_pdu(pdu);
	return false;
}

/* The network is read just behind a full tick: nobody times out with his answer unread. */
static int64_t
full_tick(struct loop *loop, int64_t mono)
{
	int64_t wall = loop_wall_at(loop, mono);

	return mono + LOOP_TICK - 1 - (wall + LOOP_TICK - 1) % LOOP_TICK + NET_UDP_READ + 1;
}

/* RFC 6298 section 2, of an answer that came after so many ns. Each try has an id of its own,
 * so it is known which of them an answer is for. */
static void
learn_rtt(struct session *session, int64_t ns)
{
	int rtt = ns < LOOP_MS ? 1 : ns / LOOP_MS > RTT_MOST ? RTT_MOST : (int)(ns / LOOP_MS);
	int off = rtt > session->rtt ? rtt - session->rtt : session->rtt - rtt;

	if (session->rtt == 0) {
		session->rtt = (uint16_t)rtt;
		session->swing = (uint16_t)(rtt / 2);
		return;
	}
	session->swing = (uint16_t)((3 * session->swing + off) / 4);
	session->rtt = (uint16_t)((7 * session->rtt + rtt + 4) / 8);
}

/* For how long the newest try is waited for. All but the last one give up as RFC 6298 has it,
 * twice as late each time, within a quarter of the timeout and all of it: a datagram that was
 * lost is replaced before the poll's time is over. The last try has all the time. */
static int64_t
patience(const struct exchange *exchange)
{
	const struct session *session = exchange->session;
	int64_t most = access_of(session)->timeout, wait;

	if (session->rtt == 0 || exchange->tries_left == 0)
		return most;
	wait = (session->rtt + 4 * session->swing) * LOOP_MS;
	if (wait < most / 4)
		wait = most / 4;
	for (int i = 1; i < exchange->tries && wait < most; i++)
		wait *= 2;
	return wait < most ? wait : most;
}

/* Of requests that wait at the same time it is counted once. */
static void
note_held(struct session_more *more, int64_t from, int64_t until)
{
	if (from < more->held_until)
		from = more->held_until;
	if (from >= until)
		return;
	more->held += until - from;
	more->held_until = until;
}

static void
send_try(struct exchange *exchange, int64_t now)
{
	struct session *session = exchange->session;
	struct loop *loop = all_of(session)->loop;
	int64_t until;

	if (session->more != NULL && now < session->more->next_send) {
		int64_t next = session->more->next_send, last = exchange->request.deadline;

		if (next > last)
			next = last;
		exchange->sent = false;
		note_held(session->more, now, next);
		loop_timer_at(loop, &exchange->timer, next);
		return;
	}
	if (v3_of(session) != NULL && !v3_ready(v3_of(session))) {
		exchange->sent = false;
		loop_timer_in(loop, &exchange->timer, LOOP_TICK);
		return;
	}
	exchange->sent = true;
	exchange->tries++;
	exchange->tries_left--;
	exchange->sent_at = now;
	if (pace_of(session) > 0)
		more_of(session)->next_send = now + pace_of(session);
	exchange->error = 0;
	exchange->ours = false;
	until = full_tick(loop, now + patience(exchange));
	loop_timer_at(loop, &exchange->timer,
		until < exchange->request.deadline ? until : exchange->request.deadline);
	mux_open(all_of(session)->mux, &exchange->out);
	if (put_out(exchange))
		return;
	exchange->ours = v3_of(session) != NULL && is_fast(session) &&
		!v3_has_keys(v3_of(session));
	exchange->error = exchange->ours ? ENOKEY : EMSGSIZE;
}

/* The newest try has failed: the next one, or the end. */
static void
try_failed(struct exchange *exchange)
{
	struct session *session = exchange->session;
	int64_t now = loop_mono(all_of(session)->loop);

	exchange->wrong_source |= exchange->out.wrong_source;
	if (exchange->out.damaged) {
		exchange->damaged = true;
		exchange->damage = exchange->out.damage;
	}
	forget(exchange);
	mux_close(all_of(session)->mux, &exchange->out);
	if (exchange->ours)
		exchange->kept++;
	else
		tell_exchange(exchange, false, 0);
	if (exchange->tries_left <= 0 || now >= exchange->request.deadline) {
		give_up(exchange);
		return;
	}
	all_of(session)->retried++;
	session->retried++;
	rest(exchange);
	send_try(exchange, now);
}

static void
timer_ran(void *arg)
{
	struct exchange *exchange = arg;
	int64_t now = loop_mono(all_of(exchange->session)->loop);

	if (exchange->sent)
		try_failed(exchange);
	else if (now >= exchange->request.deadline)
		give_up(exchange);
	else
		send_try(exchange, now);
}

/* Hands the datagram to Net-SNMP, which calls back. */
static bool
library_read(struct exchange *exchange, const uint8_t *data, size_t size)
{
	struct session *session = exchange->session;

	exchange->understood = false;
	exchange->datagram = data;
	exchange->datagram_size = size;
	/* Net-SNMP takes the number out of the set when it has read. */
	NETSNMP_LARGE_FD_SET(NO_SOCKET, &all_of(session)->ready);
	snmp_sess_read2(library_of(session), &all_of(session)->ready);
	exchange->datagram = NULL;
	return exchange->understood;
}

static bool
fast_answer(struct exchange *exchange, const struct ber_peek *peek)
{
	struct session *session = exchange->session;
	const struct session_request *request = &exchange->request;
	struct fast_room *room = &all_of(session)->room;
	size_t count;

	if (fast_read_answer(peek, room, request, &count) == -1)
		return false;
	set_answer(exchange, peek->error_status, peek->error_index, room->varbinds, count);
	exchange->answer.known = room->known;
	return true;
}

/* Of version 3; text is filled unless it is an answer, damage where it is damaged. */
static enum v3_said
secure_answer(struct exchange *exchange, const uint8_t *data, size_t size,
	const struct ber_peek *peek, int *damage, char *text)
{
	struct session *session = exchange->session;
	struct v3_answer answer = { .room = &all_of(session)->room,
		.request = &exchange->request };
	netsnmp_pdu *pdu = NULL;
	enum v3_said said;

	if (is_fast(session)) {
		said = v3_hear(v3_of(session), data, size, peek, exchange->out.id, &answer, text,
			ANSWER_TEXT);
		if (said == V3_ANSWER) {
			set_answer(exchange, answer.error_status, answer.error_index,
				answer.room->varbinds, answer.count);
			exchange->answer.known = answer.room->known;
		}
		if (said == V3_DAMAGED)
			*damage = answer.damage;
		return said;
	}
	said = v3_read(v3_of(session), data, size, peek, exchange->out.id, &pdu, text, ANSWER_TEXT);
	if (said == V3_ANSWER) {
		copy_answer(exchange, pdu);
		snmp_free_pdu(pdu);
	}
	if (said == V3_DAMAGED)
		*damage = 0; /* Net-SNMP does not tell where */
	return said;
}

static void
tell_engine(struct session *session)
{
	char engine[V3_ENGINE_TEXT];

	v3_engine(session->more->v3, engine);
	if (strcmp(engine, session->more->engine) == 0)
		return;
	memcpy(session->more->engine, engine, sizeof engine);
	if (session->user->events->engine != NULL)
		session->user->events->engine(engine, owner_of(session));
}

static void
refuse(struct exchange *exchange)
{
	struct session *session = exchange->session;

	exchange->answer = (struct session_answer){ .reason = REASON_AUTH,
		.text = all_of(session)->text };
}

static void
out_answered(const uint8_t *data, size_t size, const struct ber_peek *peek, int64_t mono,
	void *arg)
{
	struct exchange *exchange = arg;
	struct session *session = exchange->session;
	enum v3_said said = V3_ANSWER;
	char *text = all_of(session)->text;
	struct ber_peek found;
	int damage = -1;

	if (v3_of(session) != NULL) {
		said = secure_answer(exchange, data, size, peek, &damage, text);
	} else if (is_fast(session) ? !fast_answer(exchange, peek) :
		!library_read(exchange, data, size)) {
		said = V3_DAMAGED;
		damage = ber_damage(data, size, &found);
	}
	if (said == V3_NOISE || said == V3_DAMAGED) {
		mux_damaged(all_of(session)->mux, &exchange->out, damage);
		return;
	}
	learn_rtt(session, mono - exchange->sent_at);
	tell_exchange(exchange, true, mono - exchange->sent_at);
	if (said == V3_AGAIN && exchange->again++ < AGAIN_MAX) {
		mux_close(all_of(session)->mux, &exchange->out);
		rest(exchange);
		exchange->tries--;
		exchange->tries_left++;
		send_try(exchange, loop_mono(all_of(session)->loop));
		return;
	}
	if (said == V3_AGAIN)
		snprintf(text, ANSWER_TEXT,
			"the agent changes its engine ID or its clock with each request");
	if (said != V3_ANSWER) {
		refuse(exchange);
		finish(exchange);
		return;
	}
	if (v3_of(session) != NULL)
		tell_engine(session);
	all_of(session)->answered++;
	exchange->answer.sent = exchange->sent_at;
	exchange->answer.received = mono;
	exchange->answer.size = size;
	check_answer(exchange);
	finish(exchange);
}

/* An ICMP error says early that this try is lost. Only the last one is cut short by it:
 * between tries the device may come back. */
static void
out_refused(int error, void *arg)
{
	struct exchange *exchange = arg;

	exchange->error = error;
	if (exchange->tries_left <= 0)
		try_failed(exchange);
}

static void
out_unsent(int error, void *arg)
{
	struct exchange *exchange = arg;

	exchange->error = error;
	exchange->ours = error == EADDRNOTAVAIL;
}

void
session_fetch(const struct session *session, unsigned step)
{
	if (step == 0) {
		ahead_fetch(session->device, sizeof *session->device);
		ahead_fetch(session->more, 2 * AHEAD_LINE);
	} else {
		if (step == 1)
			ahead_fetch(options_of(session), sizeof *options_of(session));
		v3_ahead(v3_of(session), step - 1);
	}
}

/* What an exchange looks at: its own memory and the session, what the session points to, and so
 * on through the owner's. */
static void
out_ahead(const struct mux_request *out, unsigned step)
{
	const struct exchange *exchange = (const void *)((const char *)out -
		offsetof(struct exchange, out));
	const struct session *session = exchange->session;

	_Static_assert(MUX_STEPS == SESSION_STEPS + 1, "the first step is ours");
	if (step == 0) {
		ahead_fetch(exchange, sizeof *exchange);
		ahead_fetch(session, sizeof *session);
		return;
	}
	if (step == 1 && exchange->request.list == NULL)
		ahead_fetch(exchange->request.oids,
			exchange->request.count * sizeof exchange->request.oids[0]);
	session_fetch(session, step - 1);
	if (session->user->events->ahead != NULL)
		session->user->events->ahead(owner_of(session), exchange->request.tag, step - 1);
}

int
session_open(struct session *session, const struct session_user *user,
	const struct device *device, struct fail *why)
{
	const struct snmp_options *options = device_snmp(device);

	*session = (struct session){ .user = user, .device = device };
	if (options->access->version == 3) {
		more_of(session)->v3 = v3_open(user->sessions->world, device->name, &options->address,
			&options->access->user, options->access->netsnmp);
	} else if (options->access->netsnmp) {
		more_of(session)->library = library_open(session, why);
		if (session->more->library == NULL) {
			session_close(session);
			return -1;
		}
	}
	return 0;
}

static void
cancel(struct exchange *exchange)
{
	forget(exchange);
	end_exchange(exchange);
}

void
session_close(struct session *session)
{
	struct session_more *more = session->more;

	while (session->now != NULL)
		cancel(session->now);
	if (more == NULL)
		return;
	mux_source_release(all_of(session)->mux, more->source);
	if (more->library != NULL)
		snmp_sess_close(more->library);
	v3_close(more->v3);
	free(more);
	session->more = NULL;
}

void
session_engine(struct session *session, const char *hex)
{
	if (v3_of(session) == NULL)
		return;
	v3_engine_set(session->more->v3, hex);
	v3_engine(session->more->v3, session->more->engine);
}

void
session_watch(struct session *session)
{
	if (more_of(session)->source == NULL)
		session->more->source = mux_source_hold(all_of(session)->mux,
			&options_of(session)->address);
}

void
session_count(const struct session *session, struct self_counts *counts)
{
	counts->retries += session->retried;
	for (const struct exchange *now = session->now; now != NULL; now = now->next)
		counts->wrong_source += now->peer.wrong_source;
	if (session->more != NULL)
		counts->wrong_source += session->more->wrong_source;
	if (session->more != NULL && session->more->source != NULL)
		counts->strays += mux_source_strays(session->more->source);
}

bool
session_has_room(const struct session *session)
{
	const struct exchange *now = session->now;

	if (now == NULL)
		return true;
	/* Net-SNMP's session has one number for what it waits for; and who is not known yet is asked
	 * who he is, once. */
	if (!is_fast(session) || (v3_of(session) != NULL && !v3_has_answered(v3_of(session))))
		return false;
	for (unsigned busy = 1; busy < access_of(session)->window; busy++) {
		now = now->next;
		if (now == NULL)
			return true;
	}
	return false;
}

bool
session_takes_lists(const struct session *session)
{
	return is_fast(session);
}

static struct mux_peer
peer_of(const struct session *session)
{
	const struct snmp_options *options = options_of(session);
	struct mux_peer peer = {
		.name = session->device->name,
		.address = options->address,
		.version = options->access->version == 3 ? BER_V3 :
			options->access->version == 1 ? BER_V1 : BER_V2C,
		.community = community_of(session),
		.any_source = options->access->any_source,
		.from = options->access->from,
	};

	if (session->more != NULL) {
		peer.stranger = session->more->stranger;
		peer.strangers = session->more->strangers;
	}
	return peer;
}

void
session_send(struct session *session, const struct session_request *request)
{
	struct exchange *exchange = exchange_hold(all_of(session));

	*exchange = (struct exchange){ .next = session->now, .session = session, .request = *request,
		.peer = peer_of(session),
		.tries_left = request->tries > 0 ? request->tries : access_of(session)->retries + 1,
		.out = { .peer = &exchange->peer, .answered = out_answered, .refused = out_refused,
			.unsent = out_unsent, .ahead = out_ahead, .arg = exchange,
			.reads_varbinds = is_fast(session), .patient = request->patient } };
	loop_timer_init(&exchange->timer, timer_ran, exchange);
	session->now = exchange;
	if (v3_of(session) != NULL)
		v3_begin(v3_of(session));
	send_try(exchange, request->now > 0 ? request->now : loop_mono(all_of(session)->loop));
}

void
session_cancel(struct session *session, const void *tag)
{
	struct exchange *exchange = session->now;

	while (exchange != NULL && exchange->request.tag != tag)
		exchange = exchange->next;
	if (exchange != NULL)
		cancel(exchange);
}

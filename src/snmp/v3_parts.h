/* v3_parts.h - what v3.c and v3_library.c share: a device's state. */
#ifndef PW_V3_PARTS_H
#define PW_V3_PARTS_H

#include <uthash.h>

#include "snmp/ber.h"
#include "snmp/usm.h"
#include "snmp/v3.h"
struct usmUser;

#define MESSAGE_MAX 65507 /* octets; of UDP over IPv4 */

/* A pass phrase as a key for any engine (Ku, RFC 3414 section 2.6), one for all devices. */
struct secret {
	char *label; /* hash and pass phrase */
	enum snmp_auth hash;
	const char *pass; /* within label */
	uint8_t key[USM_HASH_MAX];
	size_t key_size; /* 0: not made yet */
	unsigned uses;
	UT_hash_handle hh;
};

struct v3_world {
	struct loop *loop;
	struct usm *usm;
	uint64_t salt;           /* of the message sealed last */
	uint8_t *sent, *opened;  /* the message written, the one decrypted */
	struct secret *secrets;  /* by label */
	struct v3 *owners;       /* by engine ID: who had it first */
	int64_t next_key;        /* mono: no key is made before */
};

struct v3 {
	struct v3_world *world;
	const char *name;
	const struct net_addr *address;
	char *user_name, *context;
	enum snmp_auth auth;
	enum snmp_priv priv;
	struct secret *auth_secret, *priv_secret;
	uint8_t engine[BER_ENGINE_MAX];
	size_t engine_size;      /* 0: not known */
	/* The keys for this engine; of these two one is used, by who speaks. */
	struct usm_keys *keys;
	struct usmUser *user;    /* in no list */
	bool library;            /* Net-SNMP speaks, or nobody else can */
	bool clocked;            /* the clock below was proved by the user's key */
	uint32_t boots, time;    /* seconds */
	int64_t clock_at;        /* mono */
	int64_t clock_back;      /* mono: when it last went back; 0 never */
	bool heard, answered;    /* anything in this request; anything good, ever */
	unsigned silent;         /* requests in a row */
	bool owner;
	bool twin;               /* that another has this engine ID was told */
	UT_hash_handle hh;
};

/* RFC 3414 section 5, usmStats. */
enum { USM_LEVELS = 1, USM_TIME, USM_USERS, USM_ENGINES, USM_DIGESTS, USM_DECRYPTION };
/* What a report says, by its first object; neither: something else. */
struct v3_report {
	unsigned usm; /* one of these, or 0 */
	bool context; /* SNMP-TARGET-MIB's snmpUnavailableContexts or snmpUnknownContexts */
	bool proved;  /* signed by our user's key for our engine */
};
enum v3_said v3_reported(struct v3 *v3, const struct v3_report *report,
	const struct ber_peek *peek, char *text, size_t size);
/* A message that the key proves is of a clock before the one that is known. */
enum v3_said v3_clock_fell(struct v3 *v3, const struct ber_peek *peek, char *text, size_t size);
/* One of an engine that has come to its last boots: it is in no window any more. */
#define BOOTS_END INT32_MAX
enum v3_said v3_at_end(const struct v3 *v3, char *text, size_t size);

bool v3_engine_is(const struct v3 *v3, const uint8_t *engine, size_t size);
bool v3_same_text(const void *one, size_t size, const char *other);
void v3_library_drop(struct v3 *v3); /* user */
#endif

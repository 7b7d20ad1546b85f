/* snmp.h - SNMP as a driver: what the configuration may say of a device, a point, a table.
 *
 * config/ fills these structs; snmp.c and session.c read them. */
#ifndef PW_SNMP_H
#define PW_SNMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/net.h"
struct driver;
struct fail;
struct loop;

#define SNMP_OID_MAX 128

struct snmp_oid {
	const uint32_t *ids;
	size_t count;
};
/* "1.3.6.1.2.1.1.3.0", a leading dot is allowed. ids has SNMP_OID_MAX places. */
int snmp_oid_parse(const char *text, uint32_t *ids, size_t *count, struct fail *why);
const char *snmp_oid_text(char *to, size_t size, const uint32_t *ids, size_t count);

/* Weak ones first. */
enum snmp_auth { SNMP_AUTH_NONE, SNMP_AUTH_MD5, SNMP_AUTH_SHA, SNMP_AUTH_SHA224,
	SNMP_AUTH_SHA256, SNMP_AUTH_SHA384, SNMP_AUTH_SHA512 };
enum snmp_priv { SNMP_PRIV_NONE, SNMP_PRIV_DES, SNMP_PRIV_AES, SNMP_PRIV_AES192,
	SNMP_PRIV_AES256 };
enum { SNMP_NAME_MAX = 32, SNMP_PASS_MIN = 8 };

/* Of version 3; the level is what auth and priv make it. Encryption needs authentication. */
struct snmp_user {
	const char *name;      /* 1 .. SNMP_NAME_MAX bytes */
	const char *context;   /* "" is the usual one */
	enum snmp_auth auth;
	const char *auth_pass; /* secrets: never logged; at least SNMP_PASS_MIN bytes */
	enum snmp_priv priv;
	const char *priv_pass;
};

/* By MD5 or DES, which can be broken: only with allow_weak. */
static inline bool
snmp_user_is_weak(const struct snmp_user *user)
{
	return user->auth == SNMP_AUTH_MD5 || user->priv == SNMP_PRIV_DES;
}

/* How devices are asked: nearly always the same for many, of which each points to it. */
struct snmp_access {
	uint8_t version;       /* 1, 2 (v2c) or 3 */
	const char *community; /* a secret: never logged; NULL of version 3 */
	struct snmp_user user; /* of version 3 */
	int64_t timeout;       /* ns, of one try */
	uint8_t retries;       /* tries = retries + 1 */
	uint8_t window;        /* requests under way at a time, one for each group or table; 0 = 1 */
	double max_rate;       /* requests per second, 0 = no limit */
	int64_t gap;           /* ns, from the end of one try to the next request */
	bool netsnmp;          /* by the reference engine; what has DES always is */
	bool any_source;       /* answers may come from another address */
	const struct net_addr *from; /* ours that it is asked from; NULL: as the system routes */
	uint16_t max_varbinds; /* of one request; 0 = as many as fit 1,400 bytes */
	uint16_t max_repetitions; /* of GETBULK; 0 = 10 */
};
struct snmp_options {
	struct net_addr address;
	const struct snmp_access *access;
};

/* Raw numbers that mean "not supported": both ends belong to it. */
struct snmp_range {
	double from, to;
};
/* "-1", "65535", "0xFFFF", "-9999..-9000"; numbers as the agent sends them, also those that
 * stand in a text. Returns -1 and fills why else. */
int snmp_range_parse(const char *text, struct snmp_range *range, struct fail *why);

/* How a value of type BITS (RFC 2578 7.1.4: an OCTET STRING, bit 0 is the highest of the first
 * octet) becomes a number. Bits beyond its end are not set. */
enum snmp_bits {
	SNMP_BITS_NONE,  /* it is no BITS */
	SNMP_BITS_FIRST, /* the number of the first bit that is set, -1 when none is */
	SNMP_BITS_ONE    /* 1 when bit `bit` is set, else 0 */
};
/* Scalars: the OID with its .0. Columns: without the row's index. The first OID that the
 * agent (the row) has is used. */
struct snmp_point {
	const struct snmp_oid *oids;
	size_t oid_count;
	/* One factor per OID, applied before the point's own scale: ifHighSpeed counts in
	 * 1e6 of what ifSpeed counts. NULL: all 1. Not for counters. */
	const double *scales;
	/* Compared before any scale: REASON_INVALID_VALUE. Not for texts. */
	const struct snmp_range *invalid;
	size_t invalid_count;
	enum snmp_bits bits; /* gauges and states */
	uint8_t bit;         /* SNMP_BITS_ONE */
};
struct snmp_info {
	const char *name;
	struct snmp_oid oid;
};
/* Which rows are told: all, those that are up administratively (and until they have been down
 * for group->retire), those that were up at least once. */
enum snmp_keep { SNMP_KEEP_ALL, SNMP_KEEP_ADMIN_UP, SNMP_KEEP_ONCE_UP };
/* A place that connections of the device are looked for to. */
struct snmp_peer {
	const char *name;    /* "10.1.7.20:502", "[2001:db8::20]:502": what the row is called */
	uint32_t index[17];  /* its octets and the port: the index by which it is known */
	size_t index_count;  /* 5, or 17 for IPv6 */
};
/* group->wire: for scalars only infos count; for a table also its key. */
struct snmp_group {
	const struct snmp_oid *keys; /* first column that has a text names the row */
	size_t key_count;
	struct snmp_oid discontinuity; /* column (TimeStamp); count 0 when there is none */
	const struct snmp_info *infos;
	size_t info_count;
	const char *include, *exclude; /* POSIX extended regular expressions on the key; "" */
	struct snmp_oid type;          /* column of numbers to choose by; count 0: nobody does */
	const int64_t *types, *exclude_types;
	size_t type_count, exclude_type_count; /* 0 types: all */
	enum snmp_keep keep;
	struct snmp_oid status;        /* column in which 1 is up; not of SNMP_KEEP_ALL */
	/* Rows are connections, and what is told are these, each once (peers.h). */
	const struct snmp_peer *peers;
	size_t peer_count;
};

extern const struct driver snmp_driver;
struct snmp;
/* Prepares Net-SNMP so that it reads and writes no file of its own. state_dir holds the
 * row maps. */
struct snmp *snmp_new(struct loop *loop, const char *state_dir, struct fail *why);
void snmp_free(struct snmp *snmp);
void snmp_tap(struct snmp *snmp,
	void (*tap)(const struct net_addr *peer, bool sent, const uint8_t *bytes, size_t size,
		int64_t mono, void *arg), void *arg);

/* Is a snmp.from of a device no address of this machine? to then says which one and of how many.
 * It looks, so once a second is enough. */
bool snmp_lacks_address(struct snmp *snmp, char *to, size_t size);

/* Totals since the start, for status and benchmarks. */
struct snmp_counters {
	uint64_t sent, answered, retried, timed_out, strays, wrong_source, malformed,
		dropped;
};
struct snmp_counters snmp_counters(const struct snmp *snmp);
#endif

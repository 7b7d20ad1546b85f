/* ber.h - is this datagram one well-formed SNMP message, and whose is it?
 *
 * Everything that comes from the network passes here before a library sees it: definite
 * lengths, everything nested exactly, nothing behind the end, numbers within their range,
 * OIDs of at most 128 arcs. Stricter than Net-SNMP's own parser, never looser. Does not decode
 * values, does not decrypt, proves nothing. Pure. X.690, RFC 1157, RFC 3412, RFC 3414,
 * RFC 3416. */
#ifndef PW_BER_H
#define PW_BER_H

#include <stddef.h>
#include <stdint.h>

enum ber_version { BER_V1 = 0, BER_V2C = 1, BER_V3 = 3 };
enum ber_pdu {
	BER_GET = 0xa0,
	BER_GETNEXT = 0xa1,
	BER_RESPONSE = 0xa2,
	BER_GETBULK = 0xa5,
	BER_INFORM = 0xa6,
	BER_TRAP2 = 0xa7,
	BER_REPORT = 0xa8, /* version 3 only */
};
enum { BER_ENGINE_MAX = 32 };
enum ber_flag { BER_AUTH = 1, BER_PRIV = 2, BER_REPORTABLE = 4 }; /* RFC 3412 section 6.4 */

struct ber_octets {
	const uint8_t *at; /* within the datagram */
	size_t size;
};

struct ber_peek {
	uint8_t version;
	uint8_t pdu; /* 0: it is encrypted, and so are error_status and all below it */
	const uint8_t *community; /* within the datagram, not ended by NUL */
	size_t community_size;
	int32_t request_id; /* of version 3: the message's id, which is never encrypted */
	int32_t error_status; /* of a GETBULK: non-repeaters, max-repetitions */
	int32_t error_index;
	size_t varbinds; /* counted by ber_peek */
	/* What the varbinds are in, without its tag and length; not of what is encrypted. */
	const uint8_t *list;
	size_t list_size;
	/* Of version 3: the authoritative engine as the message names it. */
	const uint8_t *engine; /* within the datagram; up to BER_ENGINE_MAX */
	size_t engine_size;
	uint32_t engine_boots, engine_time;
	uint8_t flags;
	struct ber_octets user, digest, salt;
	struct ber_octets sealed; /* the scoped PDU while it is encrypted */
	/* Of the scoped PDU, once it is plain. */
	struct ber_octets context_engine, context;
	int32_t scoped_id; /* the PDU's own */
};

/* 0, or -1 when it is anything else: a v1 trap, cut, too long, trailing bytes.. */
int ber_peek(const uint8_t *data, size_t size, struct ber_peek *peek);
/* The same without a look at the varbinds: for who reads them anyway. */
int ber_peek_head(const uint8_t *data, size_t size, struct ber_peek *peek);
/* Of what has a list: the number of the first varbind that is malformed, from 1 on; 0: none is. */
size_t ber_malformed(const struct ber_peek *peek);
/* Of what ber_peek refuses, in versions 1 and 2c: what is wrong? Fills version, community, pdu and
 * request_id alone. Returns the number of the first varbind that is malformed, from 1 on; 0 when lengths
 * are wrong, as in a message that was cut; -1 when it does not even say whose answer it would be. */
int ber_damage(const uint8_t *data, size_t size, struct ber_peek *peek);
/* Where the id of a message stands mostly; 0 when it is not there, and any number for what is no
 * message. For who only wants to get ready. */
int32_t ber_guess_id(const uint8_t *data, size_t size);
/* A scoped PDU of version 3 that has been decrypted: goes to what ber_peek has said of its
 * message, without a look at the varbinds. Fewer than 16 octets behind its end are padding. */
int ber_peek_scoped(const uint8_t *data, size_t size, struct ber_peek *peek);
#endif

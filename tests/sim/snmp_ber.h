/* snmp_ber.h - the simulator's own reading and writing of SNMP v1/v2c messages.
 *
 * Pure: no I/O, no allocation. It reads strictly, as an agent that must not excuse a
 * sloppy manager, and it can write wrong messages on purpose. */
#ifndef SIM_SNMP_BER_H
#define SIM_SNMP_BER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_NULL = 0x05, BER_OID = 0x06,
	BER_SEQUENCE = 0x30, BER_IPADDRESS = 0x40, BER_COUNTER32 = 0x41,
	BER_GAUGE32 = 0x42, BER_TIMETICKS = 0x43, BER_COUNTER64 = 0x46,
	BER_NO_SUCH_OBJECT = 0x80, BER_NO_SUCH_INSTANCE = 0x81, BER_END_OF_MIB = 0x82,
	PDU_GET = 0xa0, PDU_GETNEXT = 0xa1, PDU_RESPONSE = 0xa2, PDU_SET = 0xa3,
	PDU_GETBULK = 0xa5
};

#define OID_MAX 128
#define REQUEST_VARBINDS 256
#define ANSWER_VARBINDS 4096

struct value {
	uint8_t type;      /* BER tag */
	uint64_t number;   /* integers of all kinds; INTEGER as int64_t */
	size_t length;     /* of bytes */
	uint8_t bytes[72]; /* text, or an OID already in BER */
};

struct oid_bytes {
	const uint8_t *at; /* content octets, owner: message or arena */
	size_t length;
};

struct request {
	int version; /* 0 v1, 1 v2c */
	const uint8_t *community;
	size_t community_length;
	uint8_t pdu;
	int32_t id;
	int32_t status, index; /* GETBULK: non-repeaters, max-repetitions */
	size_t count;
	struct oid_bytes oids[REQUEST_VARBINDS];
};

struct varbind {
	struct oid_bytes oid;
	struct value value;
};

struct answer {
	int version;
	uint8_t pdu;
	int32_t id, status, index;
	const uint8_t *community;
	size_t community_length;
	size_t count;
	struct varbind varbinds[ANSWER_VARBINDS];
};

/* Reads a whole request; false with a reason when it is not a perfect v1/v2c message. */
bool ber_request(const uint8_t *bytes, size_t length, struct request *r, const char **why);

/* Content octets to sub-identifiers; returns their number, 0 for a bad OID. */
size_t ber_oid_read(struct oid_bytes oid, uint32_t *sub);
/* Sub-identifiers to content octets; to has room for 5 x count bytes. */
size_t ber_oid_write(const uint32_t *sub, size_t count, uint8_t *to);
size_t ber_sub_write(uint32_t sub, uint8_t *to);

/* The encoded size of a varbind, headers included. */
size_t ber_varbind_size(const struct varbind *v);

/* Writes the message; returns its length, 0 when it does not fit. */
size_t ber_answer(const struct answer *a, uint8_t *buffer, size_t size);
#endif

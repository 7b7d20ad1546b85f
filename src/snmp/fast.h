/* fast.h - SNMP versions 1 and 2c on the wire: writes requests, reads answers, in place; and the
 * PDU of version 3, whose messages are in seal.h.
 *
 * The engine of most devices; session.c's other one is Net-SNMP, which remains the reference.
 * Knows nothing of sockets, tries and devices. Allocates only the room that an answer is read
 * into, which is kept. Pure otherwise. X.690, RFC 1157, RFC 3416. */
#ifndef PW_FAST_H
#define PW_FAST_H

#include <stddef.h>
#include <stdint.h>
#include "snmp/session.h"
#include "snmp/value.h"
struct ber_peek;
struct pen;

/* The community and the request's OIDs are the caller's. */
struct fast_question {
	uint8_t version; /* BER_V1 or BER_V2C */
	const char *community;
	int32_t id;
	const struct session_request *request;
};
/* Writes the message so that it ends at the end of `room`, and returns where it begins; NULL
 * when it does not fit. Lengths and numbers are the shortest possible. */
uint8_t *fast_write(const struct fast_question *question, uint8_t *room, size_t size,
	size_t *written);

/* The varbinds of a question for these objects, one behind the other; free it. */
uint8_t *fast_write_list(const struct snmp_oid *oids, size_t count, size_t *size);

/* The PDU alone, before what the pen has written already. */
void fast_put_pdu(struct pen *pen, int32_t id, const struct session_request *request);

/* What is read into; zeroed at first, reused from answer to answer. */
struct fast_room {
	struct varbind *varbinds;
	size_t varbind_room;
	uint32_t *ids;
	size_t id_room;
	size_t known; /* of the newest answer: as in struct session_answer */
};
void fast_room_free(struct fast_room *room);

/* Reads the varbinds of a message that ber_peek_head has accepted, exactly those that ber_peek
 * accepts. Their octets lie in the datagram, their OIDs in room. 0 and *count, or -1. */
int fast_read(const struct ber_peek *peek, struct fast_room *room, size_t *count);
/* The same, but the arcs are read of the first `whole` varbinds only. The others have a name
 * that was found sound, within the datagram: more than 16 octets stand before it. */
int fast_read_names(const struct ber_peek *peek, struct fast_room *room, size_t whole,
	size_t *count);
/* As this request's answer is best read: by names where it asks for that; and where what it asked
 * for is written already, names are compared with that and not read. Their arcs then are the
 * request's own. Exactly those answers that fast_read accepts; *count is of all their varbinds,
 * but those that request->read has taken, room->known of them, have none in the room. */
int fast_read_answer(const struct ber_peek *peek, struct fast_room *room,
	const struct session_request *request, size_t *count);
#endif

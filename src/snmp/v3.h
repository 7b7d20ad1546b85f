/* v3.h - one device's half of SNMPv3: its engine, its keys, its clock.
 *
 * Sends nothing, waits for nothing: engine discovery and setting the clock are messages like
 * any other, which the session carries. Messages are made and read by seal.h; with DES, as the
 * reference and for notices, by Net-SNMP's USM (v3_library.c), which keeps users and engine
 * times in global lists that are searched one by one. Here they are empty but during a call:
 * each device has its own user and its own engine time, so the cost does not grow with the
 * number of devices, and two devices with one engine ID do not disturb each other. RFC 3412,
 * RFC 3414, RFC 3826, RFC 7860. */
#ifndef PW_V3_H
#define PW_V3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct ber_peek;
struct fast_room;
struct loop;
struct net_addr;
struct session_request;
struct snmp_pdu;
struct snmp_user;

/* What all devices of a loop share: the keys made of pass phrases, who has which engine. */
struct v3_world;
struct v3_world *v3_world_new(struct loop *loop);
void v3_world_free(struct v3_world *world); /* after all its devices; NULL is fine */

struct v3;
/* name and address are for messages and stay the caller's; user is copied. netsnmp: the
 * reference speaks, as for what v3_is_fast denies it does anyway. */
struct v3 *v3_open(struct v3_world *world, const char *name, const struct net_addr *address,
	const struct snmp_user *user, bool netsnmp);
/* v3_ask and v3_hear are for this one; else v3_write and v3_read. */
bool v3_is_fast(const struct v3 *v3);
void v3_close(struct v3 *v3); /* NULL is fine */
/* Used soon: has it fetched at step 0, what it points to at step 1 (base/ahead.h). NULL is fine. */
void v3_ahead(const struct v3 *v3, unsigned step);

/* An engine ID from an earlier run, as v3_engine told it; what is none is ignored. */
void v3_engine_set(struct v3 *v3, const char *hex);
/* In hexadecimal, "" as long as it is not known. to has V3_ENGINE_TEXT bytes. */
enum { V3_ENGINE_TEXT = 65 };
const char *v3_engine(const struct v3 *v3, char *to);

/* We are the authoritative engine, as the sender of a TRAP is: our engine ID, our boots, and
 * when these began (mono). Instead of v3_engine_set and discovery. */
void v3_be(struct v3 *v3, const char *hex, uint32_t boots, int64_t began);

/* Anything good, ever: it is known who it is and what time it has. */
bool v3_has_answered(const struct v3 *v3);
/* False after a v3_ask that OpenSSL had no keys for. */
bool v3_has_keys(const struct v3 *v3);
/* Making a key of a pass phrase takes 2 ms and more: a call makes at most one, and all
 * devices together one every 10 ms. False: ask again at the next tick. */
bool v3_ready(struct v3 *v3);
/* A new request begins. */
void v3_begin(struct v3 *v3);
/* The message for that request, or the one that has to go first: with an unknown engine the
 * question who it is. It stands until the next call of any device of this world. NULL when it
 * cannot be made. */
const uint8_t *v3_ask(struct v3 *v3, const struct session_request *request, uint32_t id,
	size_t *size);
/* The same for a PDU of Net-SNMP's, which is freed. Returns bytes to free(), or NULL. */
uint8_t *v3_write(struct v3 *v3, struct snmp_pdu *pdu, uint32_t id, size_t *size);

enum v3_said {
	V3_NOISE,   /* not from this device's engine and user, or damaged */
	V3_DAMAGED, /* from both, as its keys prove where it has any, but its varbinds cannot be read */
	V3_ANSWER,
	V3_AGAIN,   /* something was learned from it: write and send the request anew */
	V3_REFUSED, /* the agent says why it gives no answer; text is filled */
};
/* Its varbinds are in room, which is the caller's; their octets stand until the next call. */
struct v3_answer {
	struct fast_room *room;
	const struct session_request *request; /* as fast_read_answer; NULL: all arcs are read */
	size_t count;
	int32_t error_status, error_index;
	int damage; /* of V3_DAMAGED: as ber_damage */
};
/* peek is of the same datagram; id that of the message written last. */
enum v3_said v3_hear(struct v3 *v3, const uint8_t *data, size_t size,
	const struct ber_peek *peek, uint32_t id, struct v3_answer *answer, char *text,
	size_t text_size);
/* An answer's pdu is to be freed by snmp_free_pdu(). */
enum v3_said v3_read(struct v3 *v3, const uint8_t *data, size_t size,
	const struct ber_peek *peek, uint32_t id, struct snmp_pdu **pdu, char *text,
	size_t text_size);
/* The request ended in silence. True when that is not for want of a device: it has answered
 * in this request, but never yet to what the user's keys have made; text is filled. */
bool v3_silent(struct v3 *v3, char *text, size_t text_size);
#endif

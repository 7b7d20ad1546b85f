/* v3.h - one device's half of SNMPv3: its engine, its keys, its clock.
 *
 * Makes messages and reads them by Net-SNMP's USM, which keeps users and engine times in
 * global lists that are searched one by one. Here they are empty but during a call: each
 * device has its own user and its own engine time, so the cost does not grow with the number
 * of devices, and two devices with one engine ID do not disturb each other. Sends nothing,
 * waits for nothing: engine discovery and setting the clock are messages like any other,
 * which the session carries. RFC 3412, RFC 3414, RFC 3826, RFC 7860. */
#ifndef PW_V3_H
#define PW_V3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct ber_peek;
struct loop;
struct net_addr;
struct snmp_pdu;
struct snmp_user;

/* What all devices of a loop share: the keys made of pass phrases, who has which engine. */
struct v3_world;
struct v3_world *v3_world_new(struct loop *loop);
void v3_world_free(struct v3_world *world); /* after all its devices; NULL is fine */

struct v3;
/* name and address are for messages and stay the caller's; user is copied. */
struct v3 *v3_open(struct v3_world *world, const char *name, const struct net_addr *address,
	const struct snmp_user *user);
void v3_close(struct v3 *v3); /* NULL is fine */

/* An engine ID from an earlier run, as v3_engine told it; what is none is ignored. */
void v3_engine_set(struct v3 *v3, const char *hex);
/* In hexadecimal, "" as long as it is not known. to has V3_ENGINE_TEXT bytes. */
enum { V3_ENGINE_TEXT = 65 };
const char *v3_engine(const struct v3 *v3, char *to);

/* We are the authoritative engine, as the sender of a TRAP is: our engine ID, our boots, and
 * when these began (mono). Instead of v3_engine_set and discovery. */
void v3_be(struct v3 *v3, const char *hex, uint32_t boots, int64_t began);

/* Making a key of a pass phrase takes 2 ms and more: a call makes at most one, and all
 * devices together one every 10 ms. False: ask again at the next tick. */
bool v3_ready(struct v3 *v3);
/* A new request begins. */
void v3_begin(struct v3 *v3);
/* The message for that PDU, or the one that has to go first: with an unknown engine the
 * question who it is. Frees the PDU. Returns bytes to free() and their size, or NULL. */
uint8_t *v3_write(struct v3 *v3, struct snmp_pdu *pdu, uint32_t id, size_t *size);

enum v3_said {
	V3_NOISE,   /* not from this device's engine and user, or damaged */
	V3_ANSWER,  /* pdu is to be freed by snmp_free_pdu() */
	V3_AGAIN,   /* something was learned from it: write and send the request anew */
	V3_REFUSED, /* the agent says why it gives no answer; text is filled */
};
/* peek is of the same datagram; id that of the message written last. */
enum v3_said v3_read(struct v3 *v3, const uint8_t *data, size_t size,
	const struct ber_peek *peek, uint32_t id, struct snmp_pdu **pdu, char *text,
	size_t text_size);
/* The request ended in silence. True when that is not for want of a device: it has answered
 * in this request, but never yet to what the user's keys have made; text is filled. */
bool v3_silent(struct v3 *v3, char *text, size_t text_size);
#endif

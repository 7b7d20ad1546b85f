/* seal.h - one message of SNMPv3: written, encrypted and signed; its digest checked, opened.
 *
 * Between the PDU, which is that of version 2c (fast.h), and its keys (usm.h). Whether a
 * message's engine, user, level and time are those that are wanted is for who calls (v3.h).
 * RFC 3412 section 6, RFC 3414 section 2.4. */
#ifndef PW_SEAL_H
#define PW_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct ber_peek;
struct session_request;
struct usm;
struct usm_keys;

/* What a request is put into. Its level is what the keys make it. */
struct seal {
	struct usm *usm;
	const struct usm_keys *keys; /* with SNMP_AUTH_NONE it is neither signed nor encrypted */
	const uint8_t *engine; /* the agent's; also the context's */
	size_t engine_size;
	const char *user, *context;
	uint32_t boots, time;
	uint64_t salt; /* never the same twice while a key lives */
	int32_t id;    /* of message and PDU */
};
/* Writes the message so that it ends at the end of `room`, and returns where it begins; NULL
 * when it does not fit, or OpenSSL fails. */
uint8_t *seal_write(const struct seal *seal, const struct session_request *request,
	uint8_t *room, size_t size, size_t *written);

/* Of a message that ber_peek has accepted and that says it is signed. In constant time. */
bool seal_is_authentic(struct usm *usm, const struct usm_keys *keys, const uint8_t *data,
	size_t size, const struct ber_peek *peek);
/* Decrypts what is encrypted into room, which is as large as the message, and reads its head
 * into peek, as if it had been plain. -1: not with that key. The message is authentic. */
int seal_open(struct usm *usm, const struct usm_keys *keys, struct ber_peek *peek, uint8_t *room);
#endif

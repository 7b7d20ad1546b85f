/* usm.h - the arithmetic of SNMPv3's user-based security: keys, digests, encryption.
 *
 * Knows no messages and no devices. By OpenSSL, whose algorithms are looked up once and whose
 * contexts serve all keys: setting a key costs 0.3 us of HMAC and next to nothing of AES, while
 * a context for each of ten thousand devices would be 2 KB each. Not DES: OpenSSL has it no
 * more. RFC 3414, RFC 3826, RFC 7860; AES-192 and AES-256 with the keys prolonged as in
 * draft-blumenthal-aes-usm-04 section 3.1.2.1, which is what agents mean by these names unless
 * they say Cisco. */
#ifndef PW_USM_H
#define PW_USM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "snmp/snmp.h"

enum { USM_HASH_MAX = 64, USM_DIGEST_MAX = 48, USM_PRIV_KEY_MAX = 32, USM_SALT = 8 };

/* OpenSSL's contexts; one for a loop. */
struct usm;
struct usm *usm_new(void);
void usm_free(struct usm *usm); /* NULL is fine */
/* False for DES, and for what this machine's OpenSSL refuses, as MD5 where FIPS is obeyed. */
bool usm_does(struct usm *usm, enum snmp_auth auth, enum snmp_priv priv);

const char *usm_auth_name(enum snmp_auth auth); /* "SHA-256" */
const char *usm_priv_name(enum snmp_priv priv); /* "AES-192" */
/* Octets of a key, which is as long as the hash; of the digest in a message. 0 for none. */
size_t usm_key_size(enum snmp_auth auth);
size_t usm_digest_size(enum snmp_auth auth);

/* Ku, a pass phrase as a key for any engine, RFC 3414 section A.2: 1 MiB is hashed, 1 to 3 ms.
 * usm_key_size octets go to key. 0 or -1. */
int usm_phrase_key(struct usm *usm, enum snmp_auth auth, const char *phrase, uint8_t *key);

/* One user's keys for one engine. Secret: explicit_bzero() it. */
struct usm_keys {
	enum snmp_auth auth;
	enum snmp_priv priv;
	uint8_t auth_key[USM_HASH_MAX];
	uint8_t priv_key[USM_PRIV_KEY_MAX]; /* as many as AES takes; both begin with Kul */
};
/* Of the two Ku, RFC 3414 section 2.6; priv_ku is not read without priv. auth and priv are those
 * of keys already. 0, or -1 when OpenSSL refuses: then both keys are zeros. */
int usm_keys_make(struct usm *usm, struct usm_keys *keys, const uint8_t *auth_ku,
	const uint8_t *priv_ku, const uint8_t *engine, size_t engine_size);

/* What stands in a message's usm_digest_size octets at `hole`, which is within data; they count
 * as zeros. 0 or -1. */
int usm_digest(struct usm *usm, const struct usm_keys *keys, const uint8_t *data, size_t size,
	const uint8_t *hole, uint8_t *digest);
/* Whether that is what stands there; takes as long for any wrong one. */
bool usm_is_authentic(struct usm *usm, const struct usm_keys *keys, const uint8_t *data,
	size_t size, const uint8_t *hole, size_t hole_size);

/* What AES begins with: RFC 3826 section 3.1.2.1. */
struct usm_start {
	uint32_t boots, time;
	uint8_t salt[USM_SALT];
};
/* Size octets, from and to may be one place. 0 or -1. */
int usm_encrypt(struct usm *usm, const struct usm_keys *keys, const struct usm_start *start,
	const uint8_t *from, size_t size, uint8_t *to);
int usm_decrypt(struct usm *usm, const struct usm_keys *keys, const struct usm_start *start,
	const uint8_t *from, size_t size, uint8_t *to);
#endif

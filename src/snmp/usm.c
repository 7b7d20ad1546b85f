#include "snmp/usm.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define AUTHS (SNMP_AUTH_SHA512 + 1)
#define PRIVS (SNMP_PRIV_AES256 + 1)
#define PHRASE_BYTES 1048576
#define BLOCK 4096

struct hash {
	const char *name;   /* as users write it */
	const char *evp;    /* as OpenSSL has it */
	uint8_t size, digest;
};
/* RFC 3414 sections 6 and 7, RFC 7860 section 4.2 */
static const struct hash hashes[AUTHS] = {
	[SNMP_AUTH_NONE] = { "none", NULL, 0, 0 },
	[SNMP_AUTH_MD5] = { "MD5", "MD5", 16, 12 },
	[SNMP_AUTH_SHA] = { "SHA", "SHA1", 20, 12 },
	[SNMP_AUTH_SHA224] = { "SHA-224", "SHA224", 28, 16 },
	[SNMP_AUTH_SHA256] = { "SHA-256", "SHA256", 32, 24 },
	[SNMP_AUTH_SHA384] = { "SHA-384", "SHA384", 48, 32 },
	[SNMP_AUTH_SHA512] = { "SHA-512", "SHA512", 64, 48 },
};
struct cipher {
	const char *name, *evp; /* NULL: not here */
	uint8_t key;
};
static const struct cipher ciphers[PRIVS] = {
	[SNMP_PRIV_NONE] = { "none", NULL, 0 },
	[SNMP_PRIV_DES] = { "DES", NULL, 0 },
	[SNMP_PRIV_AES] = { "AES", "AES-128-CFB", 16 },
	[SNMP_PRIV_AES192] = { "AES-192", "AES-192-CFB", 24 },
	[SNMP_PRIV_AES256] = { "AES-256", "AES-256-CFB", 32 },
};

/* Each made when it is needed first. */
struct usm {
	EVP_MD *mds[AUTHS];
	EVP_MAC *hmac;
	EVP_MAC_CTX *macs[AUTHS];
	EVP_CIPHER *evps[PRIVS];
	EVP_CIPHER_CTX *crypts[PRIVS];
};

struct usm *
usm_new(void)
{
	return mem_zero(sizeof(struct usm));
}

void
usm_free(struct usm *usm)
{
	if (usm == NULL)
		return;
	for (int i = 0; i < AUTHS; i++) {
		EVP_MAC_CTX_free(usm->macs[i]);
		EVP_MD_free(usm->mds[i]);
	}
	for (int i = 0; i < PRIVS; i++) {
		EVP_CIPHER_CTX_free(usm->crypts[i]);
		EVP_CIPHER_free(usm->evps[i]);
	}
	EVP_MAC_free(usm->hmac);
	free(usm);
}

static EVP_MD *
md_of(struct usm *usm, enum snmp_auth auth)
{
	if (usm->mds[auth] == NULL && hashes[auth].evp != NULL)
		usm->mds[auth] = EVP_MD_fetch(NULL, hashes[auth].evp, NULL);
	return usm->mds[auth];
}

static EVP_MAC_CTX *
mac_of(struct usm *usm, enum snmp_auth auth)
{
	OSSL_PARAM options[2] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end() };

	if (usm->macs[auth] != NULL || md_of(usm, auth) == NULL)
		return usm->macs[auth];
	if (usm->hmac == NULL)
		usm->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	usm->macs[auth] = usm->hmac != NULL ? EVP_MAC_CTX_new(usm->hmac) : NULL;
	/* It is read only. */
	options[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		(char *)(uintptr_t)hashes[auth].evp, 0);
	if (usm->macs[auth] != NULL && !EVP_MAC_CTX_set_params(usm->macs[auth], options)) {
		EVP_MAC_CTX_free(usm->macs[auth]);
		usm->macs[auth] = NULL;
	}
	return usm->macs[auth];
}

static EVP_CIPHER_CTX *
crypt_of(struct usm *usm, enum snmp_priv priv)
{
	if (usm->crypts[priv] != NULL || ciphers[priv].evp == NULL)
		return usm->crypts[priv];
	if (usm->evps[priv] == NULL)
		usm->evps[priv] = EVP_CIPHER_fetch(NULL, ciphers[priv].evp, NULL);
	if (usm->evps[priv] == NULL)
		return NULL;
	usm->crypts[priv] = EVP_CIPHER_CTX_new();
	if (usm->crypts[priv] != NULL &&
		!EVP_CipherInit_ex2(usm->crypts[priv], usm->evps[priv], NULL, NULL, 1, NULL)) {
		EVP_CIPHER_CTX_free(usm->crypts[priv]);
		usm->crypts[priv] = NULL;
	}
	return usm->crypts[priv];
}

bool
usm_does(struct usm *usm, enum snmp_auth auth, enum snmp_priv priv)
{
	return (auth == SNMP_AUTH_NONE || mac_of(usm, auth) != NULL) &&
		(priv == SNMP_PRIV_NONE || crypt_of(usm, priv) != NULL);
}

const char *
usm_auth_name(enum snmp_auth auth)
{
	return hashes[auth].name;
}

const char *
usm_priv_name(enum snmp_priv priv)
{
	return ciphers[priv].name;
}

size_t
usm_key_size(enum snmp_auth auth)
{
	return hashes[auth].size;
}

size_t
usm_digest_size(enum snmp_auth auth)
{
	return hashes[auth].digest;
}

/* ---- keys ---- */

int
usm_phrase_key(struct usm *usm, enum snmp_auth auth, const char *phrase, uint8_t *key)
{
	size_t length = strlen(phrase), size = length;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_MD *md = md_of(usm, auth);
	uint8_t *block;
	int result = -1;

	if (context == NULL || md == NULL || length == 0 || length > PHRASE_BYTES)
		goto done;
	/* The phrase over and over, in whole ones, so that the next block goes on where this ends. */
	while (size < BLOCK)
		size += length;
	block = mem_zero(size);
	for (size_t at = 0; at < size; at += length)
		memcpy(block + at, phrase, length);
	if (EVP_DigestInit_ex2(context, md, NULL))
		result = 0;
	for (size_t at = 0, some; at < PHRASE_BYTES && result == 0; at += some) {
		some = PHRASE_BYTES - at < size ? PHRASE_BYTES - at : size;
		result = EVP_DigestUpdate(context, block, some) ? 0 : -1;
	}
	if (result == 0 && !EVP_DigestFinal_ex(context, key, NULL))
		result = -1;
	explicit_bzero(block, size);
	free(block);
done:
	EVP_MD_CTX_free(context);
	return result;
}

/* Kul, RFC 3414 section 2.6: the hash of key, engine ID, key. */
static int
localize(struct usm *usm, enum snmp_auth auth, const uint8_t *ku, const uint8_t *engine,
	size_t engine_size, uint8_t *kul)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_MD *md = md_of(usm, auth);
	size_t size = hashes[auth].size;
	bool good = context != NULL && md != NULL && EVP_DigestInit_ex2(context, md, NULL) &&
		EVP_DigestUpdate(context, ku, size) &&
		EVP_DigestUpdate(context, engine, engine_size) &&
		EVP_DigestUpdate(context, ku, size) && EVP_DigestFinal_ex(context, kul, NULL);

	EVP_MD_CTX_free(context);
	return good ? 0 : -1;
}

/* Where the hash is too short for the key of AES, the hash of what is there follows. */
static int
prolong(struct usm *usm, enum snmp_auth auth, uint8_t *kul, size_t size, size_t wanted)
{
	while (size < wanted) {
		if (!EVP_Digest(kul, size, kul + size, NULL, md_of(usm, auth), NULL))
			return -1;
		size += hashes[auth].size;
	}
	return 0;
}

static int
make_auth_key(struct usm *usm, struct usm_keys *keys, const uint8_t *ku, const uint8_t *engine,
	size_t engine_size)
{
	return localize(usm, keys->auth, ku, engine, engine_size, keys->auth_key);
}

static int
make_priv_key(struct usm *usm, struct usm_keys *keys, const uint8_t *ku, const uint8_t *engine,
	size_t engine_size)
{
	uint8_t kul[USM_PRIV_KEY_MAX + USM_HASH_MAX];
	size_t wanted = ciphers[keys->priv].key;
	int result = localize(usm, keys->auth, ku, engine, engine_size, kul);

	if (result == 0)
		result = prolong(usm, keys->auth, kul, hashes[keys->auth].size, wanted);
	if (result == 0)
		memcpy(keys->priv_key, kul, wanted);
	explicit_bzero(kul, sizeof kul);
	return result;
}

int
usm_keys_make(struct usm *usm, struct usm_keys *keys, const uint8_t *auth_ku,
	const uint8_t *priv_ku, const uint8_t *engine, size_t engine_size)
{
	if (keys->auth == SNMP_AUTH_NONE)
		return keys->priv == SNMP_PRIV_NONE ? 0 : -1;
	if (make_auth_key(usm, keys, auth_ku, engine, engine_size) == 0 &&
		(keys->priv == SNMP_PRIV_NONE ||
			make_priv_key(usm, keys, priv_ku, engine, engine_size) == 0))
		return 0;
	explicit_bzero(keys->auth_key, sizeof keys->auth_key);
	explicit_bzero(keys->priv_key, sizeof keys->priv_key);
	return -1;
}

/* ---- messages ---- */

int
usm_digest(struct usm *usm, const struct usm_keys *keys, const uint8_t *data, size_t size,
	const uint8_t *hole, uint8_t *digest)
{
	static const uint8_t zeros[USM_DIGEST_MAX];
	const struct hash *hash = &hashes[keys->auth];
	EVP_MAC_CTX *mac = mac_of(usm, keys->auth);
	const uint8_t *behind = hole + hash->digest;
	uint8_t whole[USM_HASH_MAX];
	size_t length;

	if (mac == NULL || !EVP_MAC_init(mac, keys->auth_key, hash->size, NULL) ||
		!EVP_MAC_update(mac, data, (size_t)(hole - data)) ||
		!EVP_MAC_update(mac, zeros, hash->digest) ||
		!EVP_MAC_update(mac, behind, (size_t)(data + size - behind)) ||
		!EVP_MAC_final(mac, whole, &length, sizeof whole))
		return -1;
	memcpy(digest, whole, hash->digest);
	return 0;
}

bool
usm_is_authentic(struct usm *usm, const struct usm_keys *keys, const uint8_t *data, size_t size,
	const uint8_t *hole, size_t hole_size)
{
	uint8_t digest[USM_DIGEST_MAX];

	return hole_size > 0 && hole_size == hashes[keys->auth].digest &&
		usm_digest(usm, keys, data, size, hole, digest) == 0 &&
		CRYPTO_memcmp(digest, hole, hole_size) == 0;
}

static void
put_word(uint8_t *to, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(word >> (24 - 8 * i));
}

static int
crypt_octets(struct usm *usm, const struct usm_keys *keys, const struct usm_start *start,
	bool encrypt, const uint8_t *from, size_t size, uint8_t *to)
{
	EVP_CIPHER_CTX *context = crypt_of(usm, keys->priv);
	uint8_t vector[16];
	int length;

	put_word(vector, start->boots);
	put_word(vector + 4, start->time);
	memcpy(vector + 8, start->salt, USM_SALT);
	return context != NULL && size <= INT32_MAX &&
		EVP_CipherInit_ex2(context, NULL, keys->priv_key, vector, encrypt, NULL) &&
		EVP_CipherUpdate(context, to, &length, from, (int)size) &&
		(size_t)length == size ? 0 : -1;
}

int
usm_encrypt(struct usm *usm, const struct usm_keys *keys, const struct usm_start *start,
	const uint8_t *from, size_t size, uint8_t *to)
{
	return crypt_octets(usm, keys, start, true, from, size, to);
}

int
usm_decrypt(struct usm *usm, const struct usm_keys *keys, const struct usm_start *start,
	const uint8_t *from, size_t size, uint8_t *to)
{
	return crypt_octets(usm, keys, start, false, from, size, to);
}

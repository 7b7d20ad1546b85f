#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <openssl/crypto.h>

#include "snmp/session.h"
#include "snmp/usm.h"
#include "../check.h"

static struct usm *usm;

/* By enum snmp_auth. */
static const oid *const ids[] = { NULL, usmHMACMD5AuthProtocol, usmHMACSHA1AuthProtocol,
	usmHMAC128SHA224AuthProtocol, usmHMAC192SHA256AuthProtocol, usmHMAC256SHA384AuthProtocol,
	usmHMAC384SHA512AuthProtocol };
static const uint8_t engine[12] = { [11] = 2 }; /* of RFC 3414 section A.3 */

static void
unhex(const char *text, uint8_t *to)
{
	for (size_t i = 0; i < strlen(text) / 2; i++)
		CHECK_INT(sscanf(text + 2 * i, "%2hhx", &to[i]), 1);
}

static void
is(const uint8_t *bytes, const char *wanted)
{
	uint8_t octets[64];

	unhex(wanted, octets);
	assert_memory_equal(bytes, octets, strlen(wanted) / 2);
}

/* The keys of a pass phrase for that engine, for authentication and for encryption. */
static struct usm_keys
keys_of(enum snmp_auth auth, enum snmp_priv priv, const char *phrase)
{
	struct usm_keys keys = { .auth = auth, .priv = priv };
	uint8_t ku[USM_HASH_MAX];

	CHECK_INT(usm_phrase_key(usm, auth, phrase, ku), 0);
	CHECK_INT(usm_keys_make(usm, &keys, ku, ku, engine, sizeof engine), 0);
	return keys;
}

static void
makes_the_keys_of_rfc_3414_a_3(void)
{
	uint8_t ku[USM_HASH_MAX];
	struct usm_keys keys;

	CHECK_INT(usm_phrase_key(usm, SNMP_AUTH_MD5, "maplesyrup", ku), 0);
	is(ku, "9faf3283884e92834ebc9847d8edd963");
	keys = keys_of(SNMP_AUTH_MD5, SNMP_PRIV_NONE, "maplesyrup");
	is(keys.auth_key, "526f5eed9fcce26f8964c2930787d82b");
	CHECK_INT(usm_phrase_key(usm, SNMP_AUTH_SHA, "maplesyrup", ku), 0);
	is(ku, "9fb5cc0381497b3793528939ff788d5d79145211");
	keys = keys_of(SNMP_AUTH_SHA, SNMP_PRIV_AES, "maplesyrup");
	is(keys.auth_key, "6695febc9288e36282235fc7151f128497b38f3f");
	is(keys.priv_key, "6695febc9288e36282235fc7151f1284");
}

static void
makes_the_key_of_any_phrase_as_net_snmp_does(void)
{
	char phrase[5000];
	static const size_t lengths[] = { 8, 63, 64, 65, 4095, 4096, 4097, 4999 };

	for (int auth = SNMP_AUTH_MD5; auth <= SNMP_AUTH_SHA512; auth++) {
		for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
			uint8_t ours[USM_HASH_MAX];
			u_char theirs[USM_AUTH_KU_LEN];
			size_t size = sizeof theirs;

			for (size_t k = 0; k < lengths[i]; k++)
				phrase[k] = (char)('a' + (k * 7 + i) % 26);
			phrase[lengths[i]] = '\0';
			CHECK_INT(generate_Ku(ids[auth], 10, (const u_char *)phrase, lengths[i], theirs,
				&size), SNMPERR_SUCCESS);
			CHECK_INT(usm_phrase_key(usm, (enum snmp_auth)auth, phrase, ours), 0);
			CHECK_INT(size, usm_key_size((enum snmp_auth)auth));
			assert_memory_equal(ours, theirs, size);
		}
	}
}

/* RFC 7860 has no vectors of its own, and those of RFC 4231 have no zeros in their data where
 * the digest would stand: so beside Net-SNMP. */
static void
signs_with_hmac_and_cuts_the_digest_as_rfc_7860_says(void)
{
	static const size_t digests[] = { 0, 12, 12, 16, 24, 32, 48 };

	for (int auth = SNMP_AUTH_MD5; auth <= SNMP_AUTH_SHA512; auth++) {
		struct usm_keys keys = keys_of((enum snmp_auth)auth, SNMP_PRIV_NONE, "maplesyrup");
		uint8_t data[200], digest[USM_DIGEST_MAX];
		u_char wanted[USM_HASH_MAX];
		size_t size = digests[auth];

		CHECK_INT(usm_digest_size((enum snmp_auth)auth), size);
		memset(data, 'x', sizeof data);
		memset(data + 50, 0, size);
		CHECK_INT(sc_generate_keyed_hash(ids[auth], 10, keys.auth_key,
			(u_int)usm_key_size((enum snmp_auth)auth), data, sizeof data, wanted, &size),
			SNMPERR_SUCCESS);
		memset(data + 50, 0xaa, digests[auth]); /* blanked out without being touched */
		CHECK_INT(usm_digest(usm, &keys, data, sizeof data, data + 50, digest), 0);
		assert_memory_equal(digest, wanted, digests[auth]);
		CHECK(!usm_is_authentic(usm, &keys, data, sizeof data, data + 50, digests[auth]));
		memcpy(data + 50, wanted, digests[auth]);
		CHECK(usm_is_authentic(usm, &keys, data, sizeof data, data + 50, digests[auth]));
		CHECK(!usm_is_authentic(usm, &keys, data, sizeof data, data + 50, digests[auth] - 1));
		CHECK(!usm_is_authentic(usm, &keys, data, sizeof data, data + 50, 0));
		data[199] ^= 1;
		CHECK(!usm_is_authentic(usm, &keys, data, sizeof data, data + 50, digests[auth]));
	}
}

static void
encrypts_as_nist_says(void)
{
	/* SP 800-38A F.3.13, F.3.15 and F.3.17: CFB128-AES128, -192, -256, first two segments. */
	static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
	static const struct {
		enum snmp_priv priv;
		const char *key, *secret;
	} vectors[] = {
		{ SNMP_PRIV_AES, "2b7e151628aed2a6abf7158809cf4f3c",
			"3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b" },
		{ SNMP_PRIV_AES192, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
			"cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a" },
		{ SNMP_PRIV_AES256, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
			"dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b" },
	};
	struct usm_start start = { .boots = 0x00010203, .time = 0x04050607,
		.salt = { 8, 9, 10, 11, 12, 13, 14, 15 } };

	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		struct usm_keys keys = { .auth = SNMP_AUTH_SHA512, .priv = vectors[i].priv };
		uint8_t octets[32], back[32];

		unhex(vectors[i].key, keys.priv_key);
		unhex(plain, octets);
		CHECK_INT(usm_encrypt(usm, &keys, &start, octets, 32, octets), 0);
		is(octets, vectors[i].secret);
		CHECK_INT(usm_decrypt(usm, &keys, &start, octets, 32, back), 0);
		is(back, plain);
		/* Nothing is left over from the message before, whole block or not. */
		CHECK_INT(usm_decrypt(usm, &keys, &start, octets, 5, back), 0);
		CHECK_INT(usm_decrypt(usm, &keys, &start, octets, 32, back), 0);
		is(back, plain);
	}
}

static void
denies_what_it_does_not_do(void)
{
	struct usm_keys keys = { .auth = SNMP_AUTH_SHA, .priv = SNMP_PRIV_DES };
	struct usm_start start = { .boots = 1 };
	uint8_t octets[8] = { 0 };

	CHECK(!usm_does(usm, SNMP_AUTH_SHA, SNMP_PRIV_DES));
	CHECK(usm_does(usm, SNMP_AUTH_SHA, SNMP_PRIV_AES256));
	CHECK(usm_does(usm, SNMP_AUTH_NONE, SNMP_PRIV_NONE));
	CHECK_INT(usm_encrypt(usm, &keys, &start, octets, 8, octets), -1);
	keys = (struct usm_keys){ .auth = SNMP_AUTH_NONE, .priv = SNMP_PRIV_NONE };
	CHECK_INT(usm_encrypt(usm, &keys, &start, octets, 8, octets), -1);
	CHECK_INT(usm_digest(usm, &keys, octets, 8, octets, octets), -1);
	CHECK(!usm_is_authentic(usm, &keys, octets, 8, octets, 0));
}

/* ---- when OpenSSL has no memory ---- */

static long allowed = -1; /* allocations until one is refused; < 0: none is */

static void *
refusing_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (allowed == 0)
		return NULL;
	allowed -= allowed > 0;
	return realloc(old, size);
}

static void *
refusing_malloc(size_t size, const char *file, int line)
{
	return refusing_realloc(NULL, size, file, line);
}

static void
plain_free(void *old, const char *file, int line)
{
	(void)file, (void)line;
	free(old);
}

/* Before anything of OpenSSL runs: it takes none later. */
__attribute__((constructor)) static void
let_openssl_run_out_of_memory(void)
{
	if (CRYPTO_set_mem_functions(refusing_malloc, refusing_realloc, plain_free) != 1)
		abort();
}

static void
no_octet_of_a_key_is_left_when_openssl_fails(void)
{
	static const uint8_t zeros[USM_HASH_MAX + USM_PRIV_KEY_MAX];
	uint8_t ku[USM_HASH_MAX];
	int refused = 0, result = -1;

	CHECK_INT(usm_phrase_key(usm, SNMP_AUTH_SHA, "maplesyrup", ku), 0);
	for (long most = 0; most < 100 && result == -1; most++) {
		struct usm_keys keys;

		memset(&keys, 0xAA, sizeof keys);
		keys.auth = SNMP_AUTH_SHA;
		keys.priv = SNMP_PRIV_AES256; /* longer than the hash: hashed twice */
		allowed = most;
		result = usm_keys_make(usm, &keys, ku, ku, engine, sizeof engine);
		allowed = -1;
		if (result == 0)
			break;
		refused++;
		assert_memory_equal(keys.auth_key, zeros, sizeof keys.auth_key);
		assert_memory_equal(keys.priv_key, zeros, sizeof keys.priv_key);
	}
	CHECK_INT(result, 0);
	CHECK(refused >= 3); /* either key, and what makes the second one longer */
}

static int
begin(void **state)
{
	(void)state;
	session_library_prepare();
	usm = usm_new();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	usm_free(usm);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_the_keys_of_rfc_3414_a_3),
		TEST(makes_the_key_of_any_phrase_as_net_snmp_does),
		TEST(signs_with_hmac_and_cuts_the_digest_as_rfc_7860_says),
		TEST(encrypts_as_nist_says),
		TEST(denies_what_it_does_not_do),
		TEST(no_octet_of_a_key_is_left_when_openssl_fails),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

#include "fake/pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ROLE "1.3.6.1.4.1.50316.802.1"

static void
need(long fine)
{
	if (fine <= 0)
		abort();
}

static void
extend(X509 *one, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, one, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	need(extension != NULL);
	need(X509_add_ext(one, extension, -1));
	X509_EXTENSION_free(extension);
}

static void
add_role(X509 *one, const char *role)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(ROLE, 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	unsigned char bytes[130] = { V_ASN1_UTF8STRING, (unsigned char)strlen(role) };

	memcpy(bytes + 2, role, strlen(role));
	need(ASN1_OCTET_STRING_set(data, bytes, 2 + (int)strlen(role)));
	extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, data);
	need(extension != NULL);
	need(X509_add_ext(one, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(oid);
}

static char *
text_of(BIO *bio)
{
	char *bytes, *text;
	long size = BIO_get_mem_data(bio, &bytes);

	text = mem_zero((size_t)size + 1);
	memcpy(text, bytes, (size_t)size);
	BIO_free(bio);
	return text;
}

static X509 *
read_issuer(const struct pki *issuer, EVP_PKEY **key)
{
	BIO *certificate = BIO_new_mem_buf(issuer->certificate, -1);
	BIO *text = BIO_new_mem_buf(issuer->key, -1);
	X509 *one = PEM_read_bio_X509(certificate, NULL, NULL, NULL);

	*key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
	need(one != NULL && *key != NULL);
	BIO_free(certificate);
	BIO_free(text);
	return one;
}

void
pki_make(struct pki *pki, const struct pki_wish *wish)
{
	static long serial = 1;
	EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = key;
	X509 *one = X509_new(), *issuer = one;
	BIO *text = BIO_new(BIO_s_mem());

	X509_set_version(one, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(one), serial++);
	ASN1_TIME_set(X509_getm_notBefore(one), wish->from == 0 ? 1577836800 : wish->from);
	ASN1_TIME_set(X509_getm_notAfter(one), wish->to == 0 ? 2208988800 : wish->to);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "CN", MBSTRING_UTF8,
		(const unsigned char *)wish->name, -1, -1, 0);
	X509_set_pubkey(one, key);
	if (wish->issuer != NULL)
		issuer = read_issuer(wish->issuer, &signer);
	X509_set_issuer_name(one, X509_get_subject_name(issuer));
	extend(one, issuer, NID_basic_constraints, wish->issuer == NULL ? "CA:TRUE" : "CA:FALSE");
	if (wish->also != NULL)
		extend(one, issuer, NID_subject_alt_name, wish->also);
	if (wish->role != NULL)
		add_role(one, wish->role);
	need(X509_sign(one, signer, EVP_sha256()));
	need(PEM_write_bio_X509(text, one));
	pki->certificate = text_of(text);
	text = BIO_new(BIO_s_mem());
	need(PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL));
	pki->key = text_of(text);
	if (issuer != one) {
		X509_free(issuer);
		EVP_PKEY_free(signer);
	}
	X509_free(one);
	EVP_PKEY_free(key);
}

char *
pki_lock(const struct pki *pki, const char *pass)
{
	BIO *from = BIO_new_mem_buf(pki->key, -1), *to = BIO_new(BIO_s_mem());
	EVP_PKEY *key = PEM_read_bio_PrivateKey(from, NULL, NULL, NULL);

	need(PEM_write_bio_PrivateKey(to, key, EVP_aes_128_cbc(), (const unsigned char *)pass,
		(int)strlen(pass), NULL, NULL));
	EVP_PKEY_free(key);
	BIO_free(from);
	return text_of(to);
}

void
pki_free(struct pki *pki)
{
	free(pki->certificate);
	free(pki->key);
	*pki = (struct pki){ 0 };
}

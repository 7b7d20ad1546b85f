#include "base/cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cert_parts.h"
#include "base/fail.h"
#include "base/loop.h"
#include "base/str.h"

int64_t
cert_time(const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	/* 9999-12-31, "no end" of RFC 5280, is more than nanoseconds in 64 bits can hold. */
	if (tm.tm_year >= 2262 - 1900)
		return INT64_MAX;
	return (int64_t)timegm(&tm) * LOOP_S;
}

const char *
cert_day(char to[16], int64_t wall)
{
	char text[40];

	str_utc(text, sizeof text, wall);
	snprintf(to, 16, "%.10s", text);
	return to;
}

int64_t
cert_now(void)
{
	return (int64_t)time(NULL) * LOOP_S;
}

/* ---- reading ---- */

static int
no_pass_phrase(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

STACK_OF(X509) *
cert_read(const char *pem, struct fail *why)
{
	BIO *text = BIO_new_mem_buf(pem, -1);
	STACK_OF(X509) *all = sk_X509_new_null();
	bool asked = false;
	X509 *one;
	unsigned long error;

	ERR_clear_error();
	while ((one = PEM_read_bio_X509(text, NULL, no_pass_phrase, &asked)) != NULL)
		sk_X509_push(all, one);
	error = ERR_peek_last_error();
	BIO_free(text);
	ERR_clear_error();
	if (sk_X509_num(all) > 0 && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
		return all;
	if (ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
		fail_set(why, "no certificate in it (expected PEM: -----BEGIN CERTIFICATE-----)");
	else
		fail_set(why, "certificate %d in it cannot be read: damaged",
			sk_X509_num(all) + 1);
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

EVP_PKEY *
cert_read_key(const char *pem, struct fail *why)
{
	BIO *text = BIO_new_mem_buf(pem, -1);
	bool asked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, no_pass_phrase, &asked);

	BIO_free(text);
	ERR_clear_error();
	if (key != NULL)
		return key;
	if (asked)
		fail_set(why, "the key has a pass phrase, and nobody is there to be asked for it: "
			"keep it without one, in a file that only its owner may read");
	else
		fail_set(why, "no private key in it (expected PEM: -----BEGIN PRIVATE KEY-----)");
	return NULL;
}

/* ---- looking ---- */

/* One extension, one UTF-8 text; anything else a server may read in its own way. */
static int
look_for_role(X509 *one, struct cert_look *look, struct fail *why)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(CERT_ROLE_OID, 1);
	int at = X509_get_ext_by_OBJ(one, oid, -1);
	bool again = at >= 0 && X509_get_ext_by_OBJ(one, oid, at) >= 0;
	const ASN1_OCTET_STRING *data;
	const unsigned char *bytes;
	ASN1_UTF8STRING *text = NULL;
	int status = 0;

	ASN1_OBJECT_free(oid);
	if (at < 0)
		return 0;
	data = X509_EXTENSION_get_data(X509_get_ext(one, at));
	bytes = ASN1_STRING_get0_data(data);
	if (!again)
		text = d2i_ASN1_UTF8STRING(NULL, &bytes, ASN1_STRING_length(data));
	look->has_role = text != NULL &&
		strlen((const char *)ASN1_STRING_get0_data(text)) ==
			(size_t)ASN1_STRING_length(text) &&
		str_copy(look->role, sizeof look->role,
			(const char *)ASN1_STRING_get0_data(text));
	if (!look->has_role) {
		fail_set(why, "its role (extension " CERT_ROLE_OID ") is not one UTF-8 text of up "
			"to %zu bytes", sizeof look->role - 1);
		status = -1;
	}
	ASN1_UTF8STRING_free(text);
	ERR_clear_error();
	return status;
}

int
cert_look(const char *pem, struct cert_look *look, struct fail *why)
{
	STACK_OF(X509) *all = cert_read(pem, why);
	BIO *name = BIO_new(BIO_s_mem());
	X509 *one;
	int status = -1, size;

	*look = (struct cert_look){ 0 };
	if (all == NULL)
		goto out;
	one = sk_X509_value(all, 0);
	look->begins = cert_time(X509_get0_notBefore(one));
	look->ends = cert_time(X509_get0_notAfter(one));
	X509_NAME_print_ex(name, X509_get_subject_name(one), 0, XN_FLAG_ONELINE);
	size = BIO_read(name, look->subject, sizeof look->subject - 1);
	look->subject[size > 0 ? size : 0] = '\0';
	status = look_for_role(one, look, why);
out:
	BIO_free(name);
	sk_X509_pop_free(all, X509_free);
	return status;
}

int
cert_ends(const char *pem, int64_t *ends, struct fail *why)
{
	STACK_OF(X509) *all = cert_read(pem, why);

	*ends = INT64_MAX;
	for (int i = 0; i < sk_X509_num(all); i++) {
		int64_t end = cert_time(X509_get0_notAfter(sk_X509_value(all, i)));

		if (end < *ends)
			*ends = end;
	}
	if (all == NULL)
		return -1;
	sk_X509_pop_free(all, X509_free);
	return 0;
}

int
cert_match(const char *certificate, const char *key, struct fail *why)
{
	STACK_OF(X509) *all = NULL;
	EVP_PKEY *ours = cert_read_key(key, why);
	int status = -1;

	if (ours == NULL)
		goto out;
	all = cert_read(certificate, why);
	if (all == NULL)
		goto out;
	status = X509_check_private_key(sk_X509_value(all, 0), ours) == 1 ? 0 : -1;
	if (status == -1)
		fail_set(why, "is not the key of the certificate");
	ERR_clear_error();
out:
	EVP_PKEY_free(ours);
	sk_X509_pop_free(all, X509_free);
	return status;
}

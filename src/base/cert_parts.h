/* cert_parts.h - what cert.c and tls.c share: OpenSSL's types stay between them. */
#ifndef PW_CERT_PARTS_H
#define PW_CERT_PARTS_H

#include <openssl/x509.h>
#include <stdint.h>
struct fail;

/* All certificates of a PEM text, the caller's (sk_X509_pop_free); NULL and why. */
STACK_OF(X509) *cert_read(const char *pem, struct fail *why);
/* NULL and why; a key with a pass phrase is refused: nobody is there to be asked. */
EVP_PKEY *cert_read_key(const char *pem, struct fail *why);
/* Wall ns of a certificate's time. */
int64_t cert_time(const ASN1_TIME *time);
/* "2027-03-01" of a wall time, for messages. */
const char *cert_day(char to[16], int64_t wall);
#endif

/* cert.h - X.509 certificates in PEM, and what their files say of themselves.
 *
 * Pure: text in, facts out; opens no file and no connection. A private key is never shown. */
#ifndef PW_CERT_H
#define PW_CERT_H

#include <stdbool.h>
#include <stdint.h>
struct fail;

/* For whom a Modbus client may read: an extension of its certificate, one UTF-8 text
 * (MODBUS/TCP Security v36, R-21 to R-23). The server checks it. */
#define CERT_ROLE_OID "1.3.6.1.4.1.50316.802.1"

struct cert_look {
	int64_t begins, ends; /* wall ns */
	bool has_role;
	char role[80];
	char subject[120];    /* "CN = pollwerk, O = Plant" */
};

/* The first certificate of a file. -1 and why when there is none, or its role is none. */
int cert_look(const char *pem, struct cert_look *look, struct fail *why);

/* Every certificate of a file can be read; the end of the one that ends first, wall ns. -1 and
 * why, also when there is none. */
int cert_ends(const char *pem, int64_t *ends, struct fail *why);

/* The system's clock, wall ns: for a check that runs without a loop. */
int64_t cert_now(void);

/* The key can be read and belongs to the first certificate. -1 and why. */
int cert_match(const char *certificate, const char *key, struct fail *why);
#endif

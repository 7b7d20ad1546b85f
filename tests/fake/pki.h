/* pki.h - certificates for tests, made on the spot: small elliptic keys, so in no time. */
#ifndef PW_PKI_H
#define PW_PKI_H

#include <stdint.h>

struct pki {
	char *certificate, *key; /* PEM; pki_free */
};
struct pki_wish {
	const struct pki *issuer; /* NULL: signs itself */
	const char *name;         /* the common name */
	const char *also;         /* "IP:10.1.7.20" or "DNS:press-3"; NULL: no such extension */
	const char *role;         /* NULL: none */
	int64_t from, to;         /* seconds of 1970; 0: 2020 and 2040 */
};
void pki_make(struct pki *pki, const struct pki_wish *wish);
/* Its key as PEM, with a pass phrase; free() it. */
char *pki_lock(const struct pki *pki, const char *pass);
void pki_free(struct pki *pki);
#endif

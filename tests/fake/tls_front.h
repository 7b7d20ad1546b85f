/* tls_front.h - a TLS server in the simulated network, in front of a plain one.
 *
 * What comes through TLS goes on to the server behind it, and back. OpenSSL's server side, so
 * base/tls.c is not tested against itself. */
#ifndef PW_TLS_FRONT_H
#define PW_TLS_FRONT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "fake/pki.h"
struct loop;

struct tls_front {
	struct net_addr at, behind;
	struct loop *loop;
	/* Set before tls_front_start. */
	const struct pki *ours;    /* its certificate */
	const char *client_ca;     /* PEM: demands a client certificate signed by it; or NULL */
	int most;                  /* TLS1_2_VERSION: nothing newer; 0: any */
	bool split;                /* what it sends goes byte by byte */
	unsigned damage;           /* the so-manieth byte that it sends is turned over; 0: none */
	unsigned reset_after;      /* bytes, then a reset; 0: none */
	/* Told. */
	unsigned sent;             /* bytes, over all connections */
	unsigned accepted, shaken; /* connections; handshakes done */
	bool tls13;                /* the last handshake */
	char peer[80];             /* common name in the last client's certificate; "": none */
	SSL_CTX *context;
};
void tls_front_start(struct tls_front *front);
void tls_front_end(struct tls_front *front);
#endif
